"""Source files that need nothing: the same outputs in Python, C and JavaScript."""

import ctypes
import itertools
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings

import neurograph as ng
from neurograph.io.standalone import writer
from neurograph.io.standalone.expressions import FUNCTIONS
from neurograph.io.standalone.recipe import label
from tests.strategies import ALL, close, near_kink, networks, runs

LANGUAGES = ["python", "c", "javascript"]
MOST_LINES = writer.MOST_LINES
TOLERANCE = 1e-12
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1"]
COUNT = itertools.count()


def drawn(strategy, n):
    """So many examples of a strategy, to be compiled together."""
    found = []

    @settings(max_examples=n, phases=[Phase.generate])
    @given(strategy)
    def collect(example):
        found.append(example)

    collect()
    assert len(found) > n // 2
    return found


def sharp(net):
    return any(net.nodes[n].activation in ("step", "bipolar") for n in net)


@pytest.fixture(scope="module")
def examples():
    """Networks of every kind, inputs for them, and what they give; no state just at a jump."""
    made = [(net, X) for net, X, _ in drawn(runs(), 40) if not (sharp(net) and near_kink(net, X))]
    made += [every_activation(), deep_delays(), only_inputs(), input_that_is_fed(), wide()]
    return [(net, X, net.forward(X, engine="walker")) for net, X in made]


def every_activation():
    net = ng.Network(seed=0)
    net.add_neuron("x", role="input")
    for f in ALL:
        net.add_neuron(f, role="output", activation=f)
        net.add_synapse("x", f, weight=1)
    grid = [-700, -40, -7.5, -6, -1.7, -0.9, -1e-3, 1e-9, 0.3, 2.9, 8.6, 50, 800]
    return net, np.array(grid).reshape(-1, 1, 1)


def deep_delays():
    net = ng.Network(seed=0)
    net.add_neuron("x", role="input")
    net.add_neuron("y", role="output", activation="tanh", bias=0.1)
    net.add_neuron("z", role="output", activation="identity")
    for u, v, delay in [("x", "y", 7), ("y", "y", 5), ("y", "x", 2), ("z", "z", 1), ("y", "z", 11)]:
        reads = "output" if u == v == "y" else None
        net.add_synapse(u, v, weight=0.7, delay=delay, reads=reads)
    net.gate("y", net.edges["z", "z"], delay=1)
    net.gate("x", net.edges["y", "z"], delay=0)
    return net, np.random.default_rng(0).normal(size=(2, 40, 1))


def only_inputs():
    net = ng.Network()
    for n in "ab":
        net.add_neuron(n, role="input")
    net.add_neuron("y", role="output", bias=0.25)
    return net, np.ones((1, 2, 2))


def input_that_is_fed():
    """What leads to an input plays no part: synapses, gates, delays, memory."""
    net = ng.Network(seed=0)
    for n, role in [("a", "input"), ("b", "input"), ("y", "output")]:
        net.add_neuron(n, role=role, bias=3)
    net.add_synapse("a", "y", weight=1)
    net.add_synapse("y", "a", weight=5, delay=4)
    net.add_synapse("b", "b", weight=9)
    net.gate("y", net.edges["b", "b"], delay=1)
    return net, np.ones((1, 3, 2))


def wide():
    """More inputs than the head of a file names, and more lines than MOST_LINES."""
    net = ng.perceptron(30, 12, 3, activation="relu", output_activation="gelu", seed=0)
    return net, np.random.default_rng(0).normal(size=(2, 1, 30))


@pytest.fixture(params=[MOST_LINES, -1], ids=["line by line", "loops"])
def most_lines(request, monkeypatch):
    monkeypatch.setattr(writer, "MOST_LINES", request.param)


# ---------------------------------------------------------------- running the sources


def in_python(folder, sources, inputs):
    made = []
    for source, X in zip(sources, inputs, strict=True):
        path = folder / f"net{next(COUNT)}.py"
        path.write_text(source)
        module = runpy.run_path(str(path))
        made.append([])
        for sample in X:
            state, before = module["initial_state"](), None
            made[-1].append([])
            for x in sample:
                before = json.dumps(state)
                outputs, after = module["step"](state, x)
                assert json.dumps(state) == before  # a state is never changed
                state = json.loads(json.dumps(after))  # and is plain
                made[-1][-1].append(outputs)
    return made


def in_c(folder, sources, inputs):
    if not shutil.which("gcc"):
        pytest.skip("there is no gcc")
    paths = []
    for n, source in enumerate(sources):
        size = f"unsigned long size_{n}(void);\nunsigned long size_{n}(void) {{ return sizeof(network_state); }}\n"
        paths.append(folder / f"net{n}.c")
        paths[-1].write_text((source + size).replace("network_", f"network{n}_"))
    library = folder / f"all{next(COUNT)}.so"
    command = ["gcc", *STRICT, "-shared", "-fPIC", "-o", library, *paths, "-lm"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded, made = ctypes.CDLL(str(library)), []
    for n, (source, X) in enumerate(zip(sources, inputs, strict=True)):
        initial = getattr(loaded, f"network{n}_initial_state")
        step = getattr(loaded, f"network{n}_step")
        size, n_out = (
            getattr(loaded, f"size_{n}")(),
            int(re.search("OUTPUTS ([0-9]+)", source)[1]),
        )
        made.append(np.empty((*X.shape[:2], n_out)))
        for sample, outputs in zip(X, made[-1], strict=True):
            state = ctypes.create_string_buffer(b"\xff" * size, size)
            initial(state)
            for x, y in zip(sample, outputs, strict=True):
                copied = ctypes.create_string_buffer(state.raw, size)  # has no pointers
                step(copied, (ctypes.c_double * len(x))(*x), y.ctypes)
                state = copied
    return made


RUNNER = """
const fs = require("fs"), made = [];
for (const [path, X] of JSON.parse(fs.readFileSync(process.argv[2]))) {
  const network = require(path);
  made.push(X.map((sample) => {
    let state = network.initialState();
    return sample.map((x) => {
      const before = JSON.stringify(state), result = network.step(state, x);
      if (JSON.stringify(state) !== before) throw new Error("a state was changed");
      state = JSON.parse(JSON.stringify(result.state));
      return result.outputs;
    });
  }));
}
console.log(JSON.stringify(made));
"""


def in_javascript(folder, sources, inputs):
    if not shutil.which("node"):
        pytest.skip("there is no node")
    jobs = []
    for source, X in zip(sources, inputs, strict=True):
        path = folder / f"net{next(COUNT)}.js"
        path.write_text(source)
        jobs.append((str(path), X.tolist()))
    (folder / "jobs.json").write_text(json.dumps(jobs))
    (folder / "run.js").write_text(RUNNER)
    command = ["node", folder / "run.js", folder / "jobs.json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


RUN = {"python": in_python, "c": in_c, "javascript": in_javascript}


def results(tmp_path, language, nets, inputs):
    sources = [ng.io.write_standalone(net, language) for net in nets]
    return RUN[language](tmp_path, sources, inputs)


# ---------------------------------------------------------------- laws


@pytest.mark.usefixtures("most_lines")
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_source_computes_what_forward_computes(tmp_path, examples, language):
    nets, inputs, expected = zip(*examples, strict=True)
    found = results(tmp_path, language, nets, inputs)
    for net, Y, outputs in zip(nets, expected, found, strict=True):
        for y, output in zip(Y.ravel(), np.ravel(outputs), strict=True):  # each for itself
            assert close(y, output, TOLERANCE), net


def test_the_examples_are_of_every_kind(examples):
    synapses = [s for net, _, _ in examples for s in net.synapses]
    assert any(s.delay > 1 for s in synapses) and any(s.tie is not None for s in synapses)
    assert {s.reads for s in synapses if s.loop} == {"state", "output"}
    assert {s.gate_delay for s in synapses if s.gater is not None} == {0, 1}
    assert any(s.gater is not None and s.loop and s.reads == "state" for s in synapses)


def test_every_activation_of_the_library_has_its_source():
    library = {name for name, f in ng.ACTIVATIONS.items() if f.builtin}
    assert set(FUNCTIONS) == set(ALL) == library  # all of them are in every_activation()


@pytest.mark.parametrize("language", LANGUAGES)
def test_float32_weights_are_exact(tmp_path, language):
    nets = drawn(networks(dtype="float32", activations=["tanh", "logistic", "identity"]), 10)
    twins = [ng.Network(net) for net in nets]  # the same numbers in float64
    for net, twin in zip(nets, twins, strict=True):
        assert net.dtype == np.float32 and twin.dtype == np.float64
        assert (net.weights == twin.weights).all()
    inputs = [np.full((1, 3, len(net.inputs)), 0.3) for net in nets]
    found = results(tmp_path, language, nets, inputs)
    for twin, X, outputs in zip(twins, inputs, found, strict=True):
        assert close(twin.forward(X, engine="walker"), outputs, TOLERANCE)


@pytest.mark.usefixtures("most_lines")
@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_read_back_as_they_were(tmp_path, language):
    """A sum of one term is exact: tiny, huge, signed, and with all their digits."""
    values = [5e-324, -1.7976931348623157e308, 1 / 3, -0.1, 1e16, 123456789.0, 2.0**-1074 * 3]
    net = ng.Network()
    net.add_neuron("x", role="input")
    for v in values:
        net.add_neuron(v, role="output", activation="identity")
        net.add_synapse("x", v, weight=v)
    ((sample,),) = results(tmp_path, language, [net], [np.ones((1, 1, 1))])
    assert np.ravel(sample).tolist() == values


# ---------------------------------------------------------------- names, and what is written


ODD = [
    "*/ int evil; /*", "??/", "a\nb", "a\r\u2028\u2029\x85b", '"""', "'; throw 1; '", "\\", "//", "#", "\x00",
    "</script>", "-->", "\u202e\u2066", "\ud800", "λ€😀", "${1}", "`", "x" * 1000, ("*/", ("//", ("a", ("b",)))),
    frozenset({"b", "a", 1}), frozenset(), 1e300, -0.0, True, b"*/\xff", 10**5000, 1j, object(), (), (1,),
]  # fmt: skip


def odd():
    net = ng.Network(seed=0)
    for name in ODD:
        net.add_neuron(name, bias=0.1)
    for u, v in itertools.pairwise(ODD):
        net.add_synapse(u, v)
    net.gate(ODD[0], net.edges[ODD[3], ODD[4]])
    net.inputs, net.outputs = [ODD[0], ODD[5]], [ODD[-1], ODD[-3]]
    return net


@pytest.mark.usefixtures("most_lines")
@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_of_a_name_becomes_code(tmp_path, language):
    net = odd()
    plain = net.copy()
    plain.relabel({name: f"n{i}" for i, name in enumerate(ODD)})
    source, expected = (ng.io.write_standalone(n, language) for n in (net, plain))
    assert source.isascii()
    assert all(c == "\n" or c.isprintable() for c in source)
    assert without_comments(source, language) == without_comments(expected, language)
    X = np.ones((1, 2, 2))
    (found,) = results(tmp_path, language, [net], [X])
    assert close(net.forward(X), found, TOLERANCE)


def without_comments(source, language):
    patterns = {"python": r"#.*", "c": r"(?s)/\*.*?\*/", "javascript": r"//.*"}
    return re.sub(patterns[language], "", source)


def test_labels_are_short_and_say_no_address():
    for name in ODD:
        made = label(name)
        assert len(made) <= 63 and not re.search(r"[*/?<>`\"]|0x", made)
    assert label("h.0") == "'h.0'" and label(("a", 1)) == "('a', 1)" and label(np.int64(3)) == "3"
    assert label(frozenset("ba")) == "{'a', 'b'}" and label(10**5000) == "int"


def test_the_text_is_the_same_in_every_process():
    code = (
        "import neurograph as ng; net = ng.Network(seed=0);"
        "x = net.add_neuron(frozenset('abcdef'), role='input');"
        "y = net.add_neuron(object(), role='output'); net.add_synapse(x, y);"
        f"print([ng.io.write_standalone(net, language) for language in {LANGUAGES}])"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


def test_python_needs_no_package(tmp_path):
    path = tmp_path / "net.py"
    ng.io.write_standalone(every_activation()[0], "python", path)
    code = f"import runpy; m = runpy.run_path({str(path)!r}); print(m['step'](m['initial_state'](), [1])[0][0])"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-15)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_file_holds_what_is_returned(tmp_path, language):
    path = tmp_path / "net"
    source = ng.io.write_standalone(ng.perceptron(2, 3, 1, seed=0), language, path)
    assert path.read_bytes() == source.encode() and os.listdir(tmp_path) == ["net"]
    assert source == ng.io.write_standalone(ng.perceptron(2, 3, 1, seed=0), language)


def test_small_networks_have_a_line_for_each_synapse_and_large_ones_tables():
    small, large = (ng.io.write_standalone(ng.perceptron(n, 9, 1, seed=0), "c") for n in (2, 200))
    assert small.count("s += ") == 2 * 9 + 9 and "WEIGHT" not in small
    assert large.count("s += ") == 1 and "static const double WEIGHT[1809]" in large


def test_a_wrong_number_of_inputs_is_refused(tmp_path):
    net = ng.perceptron(2, 1, seed=0)
    (tmp_path / "net.py").write_text(ng.io.write_standalone(net, "python"))
    module = runpy.run_path(str(tmp_path / "net.py"))
    with pytest.raises(ValueError, match="a step takes 2 inputs, got 3"):
        module["step"](module["initial_state"](), [1, 2, 3])


# ---------------------------------------------------------------- what cannot be written


@ng.activation(derivative=lambda s: 2 * s, name="standalone_square")
def square(s):
    return s * s


def spoilt(weight=None, bias=None):
    net = ng.perceptron(1, 1, seed=0)
    net.plan()
    if weight is not None:
        net._store.synapses.array("weight")[0] = weight
    if bias is not None:
        net._store.neurons.array("bias")[1] = bias
    return net


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("net", "error", "message"),
    [
        (spoilt(weight=np.nan), ng.NonFiniteError, "synapse 'input.0' -> 'output.0' has weight nan"),
        (spoilt(weight=-np.inf), ng.NonFiniteError, "has weight -inf; only finite numbers"),
        (spoilt(bias=np.inf), ng.NonFiniteError, "neuron 'output.0' has bias inf"),
        (
            ng.perceptron(1, 1, output_activation="standalone_square"),
            ng.ParameterError,
            "neuron 'output.0' has activation 'standalone_square', a function of your own",
        ),
        (ng.Network([("a", "b"), ("b", "a")]), ng.CycleError, "form a cycle"),
        (ng.Network([("a", "b")]), ng.ParameterError, "has no inputs"),
        (ng.Network(), ng.ParameterError, "has no inputs"),
        ("net", ng.ParameterError, "takes a Network, got 'net'"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_and_no_file_is_left(
    tmp_path, net, error, message, language
):
    with pytest.raises(error, match=message):
        ng.io.write_standalone(net, language, tmp_path / "net")
    assert not os.listdir(tmp_path)


def test_other_refusals(tmp_path):
    net = ng.Network([("a", "b")])
    net.inputs = ["a"]
    with pytest.raises(ng.ParameterError, match="has no outputs"):
        ng.io.write_standalone(net, "c")
    with pytest.raises(ng.ParameterError, match="one of 'python', 'c', 'javascript'; got 'Python'"):
        ng.io.write_standalone(net, "Python")
    with pytest.raises(ng.GraphError, match="copy"):
        ng.io.write_standalone(net.subgraph(["a"]), "c")
    net.outputs = ["b"]
    with pytest.raises(OSError, match="not saved"):
        ng.io.write_standalone(net, "c", tmp_path / "no" / "such" / "folder.c")


def test_one_s_own_activation_of_an_input_plays_no_part(tmp_path):
    net = ng.perceptron(1, 1, seed=0)
    net.nodes["input.0"].activation = "standalone_square"
    assert "square" not in ng.io.write_standalone(net, "python", Path(tmp_path) / "net.py")
