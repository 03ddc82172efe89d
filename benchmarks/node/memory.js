// Bytes a synapse and seconds to build a million of them.
// Standard input: {"synapses": number}; argument: "synaptic" or "neataptic".
'use strict'

const { readFileSync } = require('fs')

const library = process.argv[2]
const { synapses } = JSON.parse(readFileSync(0, 'utf8'))
const peer = require(library)
const DEGREE = 40 // synapses into and out of a neuron

const make = {
  synaptic: {
    neuron: () => new peer.Neuron(),
    join: (a, b) => a.project(b, 0.1),
    learn: [0.1]
  },
  neataptic: {
    neuron: () => new peer.Node('hidden'),
    join: (a, b) => a.connect(b, 0.1),
    learn: [0.1, 0, true]
  }
}[library]

// n neurons joined to n others as in a random graph: the synapses of a neuron are made far apart.
function build (n, degree) {
  const [sources, targets] = [0, 1].map(() => Array.from({ length: n }, make.neuron))
  for (let k = 0; k < degree; k++) {
    for (let t = 0; t < n; t++) make.join(sources[(t + 37 * k) % n], targets[t])
  }
  return [sources, targets]
}

function use ([sources, targets]) {
  for (const source of sources) source.activate(1)
  for (const target of targets) target.activate()
  for (const target of targets) target.propagate(...make.learn, 1)
  for (const source of sources) source.propagate(...make.learn)
}

use(build(40, 40))
global.gc()
const before = process.memoryUsage().heapUsed
const n = Math.ceil(synapses / DEGREE)
const start = process.hrtime.bigint()
const made = build(n, DEGREE)
const seconds = Number(process.hrtime.bigint() - start) / 1e9
use(made)
global.gc()
const bytes = (process.memoryUsage().heapUsed - before) / (n * DEGREE)
console.log(JSON.stringify({ bytes, seconds: seconds * 1e6 / (n * DEGREE) }))
