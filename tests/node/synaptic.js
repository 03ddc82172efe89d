// Does with the real Synaptic what the tests ask: one JSON object a line, one line of answer.
//
//   {"make": [kind, ...sizes], "seed": n, "steps": [...]}   build, do steps; the network as JSON
//   {"load": text of a file, "steps": [...]}                Network.fromJSON, then the same
//
// A step is {"x": [...]} (activate) or {"x": [...], "target": [...], "rate": r} (and propagate).
// "optimize": true runs the generated code instead of the neurons. "self" sets the weight of all
// self-connections. The answer: outputs of every step, the file before and after.
"use strict";
const synaptic = require(process.argv[2]);
const { Architect, Layer, Network } = synaptic;

function seeded(seed) { // mulberry32
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const kinds = {
  perceptron: (...sizes) => new Architect.Perceptron(...sizes),
  lstm: (...given) => new Architect.LSTM(...given),
  liquid: (...sizes) => new Architect.Liquid(...sizes),
  hopfield: (size) => new Architect.Hopfield(size),
  // Fed back from its outputs, remembering, and gated by a hidden layer that comes later.
  recurrent: (n_in, n_hidden, n_out) => {
    const [input, a, b, output] = [n_in, n_hidden, n_hidden, n_out].map((n) => new Layer(n));
    const into = input.project(a);
    a.project(b);
    b.project(output);
    output.project(a);
    a.project(a, Layer.connectionType.ALL_TO_ELSE);
    a.project(a, Layer.connectionType.ONE_TO_ONE);
    b.gate(into, Layer.gateType.INPUT);
    a.set({ squash: synaptic.Neuron.squash.TANH });
    b.set({ squash: synaptic.Neuron.squash.RELU });
    output.set({ squash: synaptic.Neuron.squash.IDENTITY });
    return new Network({ input, hidden: [a, b], output });
  },
};

function answer(job) {
  Math.random = seeded(job.seed || 0);
  const net = job.make
    ? kinds[job.make[0]](...job.make.slice(1))
    : Network.fromJSON(JSON.parse(job.load));
  net.setOptimize(job.optimize === true);
  if (job.self !== undefined)
    for (const { neuron } of net.neurons())
      if (neuron.selfconnected()) neuron.selfconnection.weight = job.self;
  const before = JSON.stringify(net.toJSON());
  const outputs = job.steps.map(({ x, target, rate }) => {
    const y = Array.from(net.activate(x));
    if (target) net.propagate(rate, target);
    return y;
  });
  return { before, outputs, after: JSON.stringify(net.toJSON()) };
}

let waiting = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (text) => {
  const lines = (waiting + text).split("\n");
  waiting = lines.pop();
  for (const line of lines) {
    let found;
    try {
      found = answer(JSON.parse(line));
    } catch (error) {
      found = { error: String(error) };
    }
    process.stdout.write(JSON.stringify(found) + "\n");
  }
});
