// Bytes a synapse and seconds to build a million of them.
// Standard input: {"synapses": number}; argument: "synaptic", "synaptic-plain" or "neataptic".
'use strict'

const { readFileSync } = require('fs')

const DEGREE = 40 // synapses into and out of a neuron

// A perceptron as users make it: at the first activation it writes itself a program.
function optimised () {
  const { Architect } = require('synaptic')
  return {
    build: n => new Architect.Perceptron(DEGREE, n, DEGREE),
    use: net => { net.propagate(0.1, net.activate(Array(DEGREE).fill(1))) },
    count: n => 2 * n * DEGREE
  }
}

// n neurons joined to n others as in a random graph: the synapses of a neuron are made far apart.
function graph (neuron, join, learn) {
  function build (n) {
    const [sources, targets] = [0, 1].map(() => Array.from({ length: n }, neuron))
    for (let k = 0; k < DEGREE; k++) {
      for (let t = 0; t < n; t++) join(sources[(t + 37 * k) % n], targets[t])
    }
    return [sources, targets]
  }

  function use ([sources, targets]) {
    for (const source of sources) source.activate(1)
    for (const target of targets) target.activate()
    for (const target of targets) target.propagate(...learn, 1)
    for (const source of sources) source.propagate(...learn)
  }

  return { build, use, count: n => n * DEGREE }
}

const kinds = {
  synaptic: optimised,
  'synaptic-plain': () => {
    const { Neuron } = require('synaptic')
    return graph(() => new Neuron(), (a, b) => a.project(b, 0.1), [0.1])
  },
  neataptic: () => {
    const { Node } = require('neataptic')
    return graph(() => new Node('hidden'), (a, b) => a.connect(b, 0.1), [0.1, 0, true])
  }
}

const { build, use, count } = kinds[process.argv[2]]()
const { synapses } = JSON.parse(readFileSync(0, 'utf8'))
const n = Math.ceil(synapses / count(1))
use(build(DEGREE))
global.gc()
const before = process.memoryUsage().heapUsed
const start = process.hrtime.bigint()
const made = build(n)
const seconds = Number(process.hrtime.bigint() - start) / 1e9
use(made)
global.gc()
const bytes = (process.memoryUsage().heapUsed - before) / count(n)
console.log(JSON.stringify({ bytes, seconds: seconds * 1e6 / count(n) }))
