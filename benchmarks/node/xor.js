// XOR 2-3-1, logistic, online. Argument: the peer.
// Standard input: {"task": "check" or "time", "steps", "rate", "X", "Y", "hidden", "hiddenBias",
// "out", "outBias"}; hidden[j][i] is the weight from input i to hidden neuron j, out[j] the
// weight from it to the output.
// Prints {"seconds"} of one step, or for the check {"output", "before", "after"}: outputs for X,
// and the parameters before and after `steps` steps, in the order hidden, hiddenBias, out, outBias.
'use strict'

const { readFileSync } = require('fs')

function synaptic (optimised) {
  const { Architect } = require('synaptic')
  const net = new Architect.Perceptron(2, 3, 1)
  net.setOptimize(optimised)
  const [hidden, output] = [net.layers.hidden[0], net.layers.output]
  const into = (layer, from, j, i) => {
    const source = from.list[i]
    return Object.values(layer.list[j].connections.inputs).find(c => c.from === source)
  }
  const places = [
    ...range(6, k => [into(hidden, net.layers.input, k >> 1, k & 1), 'weight']),
    ...range(3, j => [hidden.list[j], 'bias']),
    ...range(3, j => [into(output, hidden, 0, j), 'weight']),
    [output.list[0], 'bias']
  ]
  return {
    places,
    activate: x => net.activate(x),
    learn: (x, t, rate) => { net.activate(x); net.propagate(rate, t) },
    settle: () => net.restore()
  }
}

function neataptic () {
  const { architect } = require('neataptic')
  const net = new architect.Perceptron(2, 3, 1)
  const into = (j, i) => [net.nodes[j].connections.in.find(c => c.from === net.nodes[i]), 'weight']
  const places = [
    ...range(6, k => into(2 + (k >> 1), k & 1)),
    ...range(3, j => [net.nodes[2 + j], 'bias']),
    ...range(3, j => into(5, 2 + j)),
    [net.nodes[5], 'bias']
  ]
  return {
    places,
    activate: x => net.activate(x),
    learn: (x, t, rate) => { net.activate(x); net.propagate(rate, 0, true, t) },
    settle: () => {}
  }
}

function brain (rate) {
  const { NeuralNetwork } = require('brain.js')
  const net = new NeuralNetwork({ hiddenLayers: [3] })
  net.sizes = [2, 3, 1]
  net.initialize()
  Object.assign(net.trainOpts, { learningRate: rate, momentum: 0 }) // its options refuse 0
  const places = [
    ...range(6, k => [net.weights[1][k >> 1], k & 1]),
    ...range(3, j => [net.biases[1], j]),
    ...range(3, j => [net.weights[2][0], j]),
    [net.biases[2], 0]
  ]
  return {
    places,
    activate: x => net.runInput(x),
    learn: (input, output) => net.trainPattern({ input, output }),
    settle: () => {}
  }
}

function range (n, make) {
  return Array.from({ length: n }, (_, i) => make(i))
}

const given = JSON.parse(readFileSync(0, 'utf8'))
const { X, Y, rate, steps } = given
const peer = {
  synaptic: () => synaptic(true),
  'synaptic-plain': () => synaptic(false),
  neataptic,
  'brain.js': () => brain(rate)
}[process.argv[2]]()

function read () {
  peer.settle()
  return peer.places.map(([object, key]) => object[key])
}

function train (n) {
  for (let i = 0; i < n; i++) peer.learn(X[i & 3], Y[i & 3], rate)
}

const numbers = [...given.hidden.flat(), ...given.hiddenBias, ...given.out, given.outBias]
peer.places.forEach(([object, key], i) => { object[key] = numbers[i] })

if (given.task === 'check') {
  const output = X.map(x => peer.activate(x)[0])
  const before = read()
  train(steps)
  console.log(JSON.stringify({ output, before, after: read() }))
} else {
  train(Math.min(steps, 20000)) // warms up
  const start = process.hrtime.bigint()
  train(steps)
  console.log(JSON.stringify({ seconds: Number(process.hrtime.bigint() - start) / 1e9 / steps }))
}
