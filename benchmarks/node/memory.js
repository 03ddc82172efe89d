// Bytes a synapse and seconds to build a million of them.
// Standard input: {"synapses": number}; argument: "synaptic" or "neataptic".
'use strict'

const { readFileSync } = require('fs')

const library = process.argv[2]
const { synapses } = JSON.parse(readFileSync(0, 'utf8'))
const peer = require(library)
const nSources = 100
const nTargets = Math.ceil(synapses / nSources)

const make = {
  synaptic: { neuron: () => new peer.Neuron(), join: (a, b) => a.project(b, 0.1) },
  neataptic: { neuron: () => new peer.Node('hidden'), join: (a, b) => a.connect(b, 0.1) }
}[library]

function build (n, m) {
  const sources = Array.from({ length: n }, make.neuron)
  const targets = Array.from({ length: m }, make.neuron)
  for (const target of targets) for (const source of sources) make.join(source, target)
  return [sources, targets]
}

build(10, 10)
global.gc()
const before = process.memoryUsage().heapUsed
const start = process.hrtime.bigint()
const made = build(nSources, nTargets)
const seconds = Number(process.hrtime.bigint() - start) / 1e9
global.gc()
const count = made[0].length * made[1].length
const bytes = (process.memoryUsage().heapUsed - before) / count
console.log(JSON.stringify({ bytes, seconds: seconds * 1e6 / count }))
