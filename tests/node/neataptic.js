// Records what the real Neataptic computes: node neataptic.js PATH_OF_NEATAPTIC FOLDER.
//
// A file for each network: {"network": toJSON(), "inputs": [[...]], "outputs": [[...]]}, the outputs of
// Network.fromJSON(network), step by step from rest. With "-" for the folder, one JSON object of all
// files on standard output.
"use strict";
const fs = require("fs");
const { architect, methods, Network } = require(process.argv[2]);

function seeded(seed) { // mulberry32
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// Weights and biases that matter, where Neataptic's own are all near 0.
function livened(net) {
  for (const c of net.connections.concat(net.selfconns)) c.weight = Math.random() * 1.6 - 0.8;
  for (const n of net.nodes) if (n.type !== "constant") n.bias = Math.random() * 0.8 - 0.4;
  return net;
}

function everyActivation() {
  const names = Object.keys(methods.activation);
  const net = architect.Perceptron(2, names.length, 2);
  names.forEach((name, i) => { net.nodes[2 + i].squash = methods.activation[name]; });
  livened(net);
  for (const c of net.connections) if (c.from.type === "input") c.weight *= 4; // beyond all kinks
  return net;
}

function random(options) {
  const net = architect.Random(2, 6, 2, options);
  for (let i = 0; i < 4; i++) net.mutate(methods.mutation.MOD_ACTIVATION);
  return livened(net);
}

function masked() {
  const net = livened(architect.LSTM(2, 2, 1));
  for (const n of net.nodes) if (n.type === "hidden") n.mask = 0.75;
  return net;
}

const cases = {
  perceptron: () => livened(architect.Perceptron(2, 4, 3, 2)),
  activations: everyActivation,
  random: () => random({ connections: 14 }),
  recurrent: () => random({ connections: 12, backconnections: 5, selfconnections: 3 }),
  gated: () => random({ connections: 14, backconnections: 5, selfconnections: 4, gates: 9 }),
  lstm: () => livened(architect.LSTM(2, 2, 1)),
  lstm_with_all: () => livened(architect.LSTM(2, 2, 2, 1,
    { memoryToMemory: true, outputToMemory: true, outputToGates: true })),
  gru: () => livened(architect.GRU(2, 3, 1)),
  narx: () => livened(architect.NARX(1, 3, 1, 2, 2)),
  hopfield: () => livened(architect.Hopfield(4)),
  masked,
};

const found = {};
Object.keys(cases).forEach((name, i) => {
  Math.random = seeded(100 + i);
  const network = JSON.parse(JSON.stringify(cases[name]().toJSON()));
  const inputs = [];
  for (let t = 0; t < 10; t++)
    inputs.push(Array.from({ length: network.input }, () => Math.random() * 2 - 1));
  const net = Network.fromJSON(network);
  const outputs = inputs.map((x) => net.activate(x));
  found[name] = { network, inputs, outputs };
});

if (process.argv[3] === "-") process.stdout.write(JSON.stringify(found));
else
  for (const name of Object.keys(found))
    fs.writeFileSync(`${process.argv[3]}/${name}.json`, JSON.stringify(found[name]) + "\n");
