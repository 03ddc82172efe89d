"""Every engine gives what the walker gives; results know nothing of threads and pieces."""

import math
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import neurograph as ng
from neurograph.blocks import find_blocks, row_delays, stages
from neurograph.engines import compiled, get_engine, kernels, lanes, natives, online, pool
from neurograph.engines.base import Parameters, Signals, all_finite
from neurograph.engines.compiled import Compiled, lanes_for
from neurograph.engines.program import program
from tests.strategies import close, networks, runs

PLAIN = natives.config.DISABLE_JIT  # NUMBA_DISABLE_JIT=1: every kernel runs as Python
FLOAT32 = 2e-4  # stated in docs/performance.md
slow_in_python = pytest.mark.skipif(PLAIN, reason="hours of kernels in plain Python")


def passes(net, X, gradient, engine, state=None):
    """Everything that a run and its gradient find, by name."""
    rec = net.run(X, engine=engine, state=state)
    net.backward(gradient=gradient)
    names = list(net)
    return {
        "state": np.stack([rec[n].state for n in names]),
        "output": np.stack([rec[n].output for n in names]),
        "delta": np.stack([rec[n].delta for n in names]),
        "weight gradient": net.gradients,
        "bias gradient": net.bias_gradients,
        "input gradient": net.input_gradient,
        "final state": rec.final_state.s,
        "final output": rec.final_state.y,
    }


def assert_engines_agree(net, X, gradient, engine="compiled", tolerance=1e-12, state=None):
    expected = passes(net, X, gradient, "walker", state)
    found = passes(net, X, gradient, engine, state)
    for what, values in expected.items():
        assert close(values, found[what], tolerance), what


@pytest.fixture
def in_pieces(monkeypatch):
    """Share out even the smallest work, by rows and by steps."""
    for name in ("WIDE", "PATIENCE", "SPLIT"):
        monkeypatch.setattr(compiled, name, 1)


@pytest.fixture
def threads():
    before = ng.get_num_threads()
    yield ng.set_num_threads
    ng.set_num_threads(before)


# ---------------------------------------------------------------- compiled = walker


@settings(max_examples=40 if PLAIN else 300)
@given(run=runs())
def test_compiled_equals_the_walker(run):
    assert_engines_agree(*run)


@settings(max_examples=40 if PLAIN else 100)
@given(run=runs())
def test_compiled_in_pieces_equals_the_walker(run):
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WIDE", "PATIENCE", "SPLIT"):
            patch.setattr(compiled, name, 1)
        assert_engines_agree(*run)


@settings(max_examples=20 if PLAIN else 100)
@given(run=runs())
def test_float32_equals_the_walker_within_its_bound(run):
    net, X, gradient = run
    net = as_float32(net)
    assert_engines_agree(net, X, gradient, tolerance=FLOAT32)
    # and both are near the truth, in float64
    exact = passes(run[0], X, gradient, "walker")
    assume(all(np.abs(v).max(initial=0) < 1e3 for v in exact.values()))
    found = passes(net, X, gradient, "compiled")
    assert close(exact["weight gradient"], found["weight gradient"], 20 * FLOAT32)


def as_float32(net):
    """The same network in float32."""
    twin = ng.Network(dtype="float32")
    twin.add_nodes_from(net.nodes(data=True))
    twin.add_edges_from(net.edges(data=True))
    return twin


@settings(max_examples=10 if PLAIN else 30)
@given(run=runs(), cut=st.integers(1, 3), first=st.sampled_from(["walker", "compiled"]))
def test_engines_continue_each_other(run, cut, first):
    net, X, gradient = run
    assume(X.shape[1] > cut)
    whole = passes(net, X, gradient, "walker")
    state = net.run(X[:, :cut], engine=first).final_state
    second = {"walker": "compiled", "compiled": "walker"}[first]
    rest = passes(net, X[:, cut:], gradient[:, cut:], second, state)
    assert close(whole["state"][:, :, cut:], rest["state"], 1e-12)
    assert close(whole["final output"], rest["final output"], 1e-12)


SHAPES = [(1, 1), (1, 5), (3, 1), (9, 2), (18, 1), (33, 3), (70, 1)]


@pytest.mark.parametrize("shape", SHAPES[:3] if PLAIN else SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_dense_blocks_equal_the_walker(shape, dtype):
    net = blocky(dtype)
    plan = net.plan()
    found = find_blocks(plan, stages(plan), row_delays(plan))
    assert set(found.delay.tolist()) == {0, 1} and len(found.row) >= 4
    rng = np.random.default_rng(0)
    X = rng.normal(size=(*shape, len(net.inputs)))
    gradient = rng.normal(size=(*shape, len(net.outputs)))
    tolerance = FLOAT32 if dtype == "float32" else 1e-12
    for engine in ("compiled", Compiled(dense=False)):
        assert_engines_agree(net, X, gradient, engine, tolerance)


def blocky(dtype="float64"):
    """Dense, recurrent, with skips, a gate, a delay and a hole."""
    net = ng.Network(seed=0, dtype=dtype)
    x = net.add_layer("x", 19, role="input")
    h = net.add_layer("h", 17, activation="tanh")
    k = net.add_layer("k", 21, activation="tanh")
    y = net.add_layer("y", 5, role="output")
    u = net.add_layer("u", 18, activation="tanh")
    x.project(h), h.project(k), k.project(y)
    k.project(u, delay=1)
    net.remove_edge("k.3", "y.2")
    net.remove_edge("x.4", "h.1")
    z = net.add_layer("z", 6, role="output", activation="tanh")
    u.project(z)
    z.project(z, delay=1, reads="output")
    net.add_synapse("x.0", "y.0", weight=0.3)
    net.gate("h.2", net.edges["h.5", "k.6"])
    net.initialize("glorot_normal")
    return net


def test_blocks_are_what_they_say():
    plan = blocky().plan()
    found = find_blocks(plan, stages(plan), row_delays(plan))
    for q in range(len(found.row)):
        for j in range(found.row[q], found.row_end[q]):
            run = slice(found.first[j], found.last[j])
            expected = np.arange(found.source[q], found.source[q] + found.size[q])
            assert (plan.source[run] == expected).all()
            assert (plan.target[run] == j).all() and (plan.delay[run] == found.delay[q]).all()


@settings(max_examples=60)
@given(net=networks())
def test_nobody_in_a_stage_waits_for_another(net):
    plan = net.plan()
    stage = np.searchsorted(stages(plan), np.arange(plan.n_neurons), side="right")
    now = plan.delay == 0
    assert (stage[plan.source[now]] < stage[plan.target[now]]).all()
    for e in plan.gated_synapse:
        if not plan.gate_delay[e]:
            target = plan.target[e] if e < plan.n_synapses else plan.cell[e - plan.n_synapses]
            assert stage[plan.gater[e]] < stage[target]


def test_an_edit_is_seen_at_once():
    net = blocky()
    X, gradient = np.ones((2, 2, 19)), np.ones((2, 2, 11))
    for edit in (
        lambda: setattr(net.edges["x.0", "y.0"], "weight", 2.0),
        lambda: setattr(net.nodes["k.1"], "bias", -1.0),
        lambda: setattr(net.nodes["k.1"], "activation", "logistic"),
        lambda: setattr(net.edges["k.0", "u.0"], "delay", 3),
        lambda: net.remove_node("h.3"),
        lambda: net.tie([net.edges["x.0", "h.0"], net.edges["k.0", "y.0"]]),
        lambda: net.ungate(net.edges["h.5", "k.6"]),
    ):
        edit()
        assert_engines_agree(net, X, gradient)


# ---------------------------------------------------------------- activations


@ng.activation(derivative=lambda s: 1.0 if s > 0 else math.exp(s), name="test_elu")
def elu(s):
    return s if s > 0 else math.exp(s) - 1


@ng.activation(derivative=lambda s: 1 / np.cosh(s) ** 2, name="test_array")
def array_tanh(s):
    return np.tanh(s)


class Odd:
    """What numba cannot compile."""

    def __call__(self, s):
        return np.array([float(str(x)) for x in np.ravel(s)]).reshape(np.shape(s)) * 0.5


ng.activation(Odd(), derivative=lambda s: np.full_like(s, 0.5), name="test_odd")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ng.ACTIVATIONS)
def test_every_activation_equals_the_walker(name, dtype):
    net = ng.Network(seed=0, dtype=dtype)
    for j in range(7):
        net.add_neuron(j, role="input" if j < 2 else None, activation=name)
    net.outputs = [5, 6]
    net.add_edges_from((i, j) for j in range(2, 7) for i in range(j))
    net.initialize("normal", scale=1.0)
    X = np.random.default_rng(0).normal(size=(2 if PLAIN else 20, 2))
    tolerance = FLOAT32 if dtype == "float32" else 1e-12
    assert_engines_agree(net, X, np.ones((len(X), 2)), tolerance=tolerance)


@slow_in_python
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", natives.BUILTIN)
def test_machine_code_of_an_activation_is_the_function(name, dtype):
    s = np.concatenate([np.linspace(-40, 40, 4001), [0.0, -0.0, 1e-8, -1e-8, 1e4, -1e4]])
    s = s.astype(dtype)
    y, slope = called(name, s)
    activation, eps = ng.ACTIVATIONS[name], 8 * np.finfo(dtype).eps
    for found, expected in ((y, activation.f(s)), (slope, activation.derivative(s))):
        assert (np.abs(found - expected) <= eps * np.maximum(1, np.abs(expected))).all()


@slow_in_python
@pytest.mark.parametrize("name", sorted(set(natives.BUILTIN) - {"softplus", "gelu"}))
def test_machine_code_keeps_small_numbers_exact(name):
    s = np.array([1e-3, -1e-3, 1e-9, -1e-9, 3e-17])
    expected = ng.ACTIVATIONS[name].f(s)
    assert (np.abs(called(name, s)[0] - expected) <= 1e-15 * np.abs(expected)).all()


def called(name, s):
    """Values and slopes as kernels get them."""
    import ctypes

    pointer = ctypes.POINTER(np.ctypeslib.as_ctypes_type(s.dtype))
    kind = ctypes.CFUNCTYPE(None, pointer, pointer, pointer, ctypes.c_ssize_t)
    y, slope = np.empty_like(s), np.empty_like(s)
    both = kind(natives.address(ng.ACTIVATIONS[name], s.dtype)[1])
    both(*(a.ctypes.data_as(pointer) for a in (s, y, slope)), len(s))
    values = kind(natives.address(ng.ACTIVATIONS[name], s.dtype)[0])
    again = np.empty_like(s)
    values(*(a.ctypes.data_as(pointer) for a in (s, again, slope)), len(s))
    assert np.allclose(y, again, 1e-6, 1e-6)
    return y, slope


@slow_in_python
def test_only_what_numba_cannot_compile_is_called_back():
    compiled_ones = ["test_elu", "test_array", *natives.BUILTIN]
    for name in compiled_ones:
        assert natives._compiled(ng.ACTIVATIONS[name], np.dtype(float)), name
    assert natives._compiled(ng.ACTIVATIONS["test_odd"], np.dtype(float)) is None


def test_an_activation_registered_again_is_compiled_again():
    def net():
        made = ng.Network([("a", "b")])
        made.inputs, made.outputs = ["a"], ["b"]
        made.nodes["b"].activation, made.edges["a", "b"].weight = "test_again", 1.0
        return made.run([3.0], engine="compiled").outputs

    ng.activation(lambda s: 2 * s, derivative=lambda s: 2.0, name="test_again")
    assert net() == [6.0]
    ng.activation(lambda s: 5 * s, derivative=lambda s: 5.0, name="test_again")
    assert net() == [15.0]


def test_the_fingerprint_sees_what_a_function_computes_with():
    def made(constant, helper):
        return lambda s: helper(s) * constant

    def square(s):
        return s * s

    def cube(s):
        return s * s * s

    one = natives.fingerprint(made(2.0, square))
    assert one == natives.fingerprint(made(2.0, square))
    assert one != natives.fingerprint(made(3.0, square))
    assert one != natives.fingerprint(made(2.0, cube))
    assert natives.fingerprint(made(np.ones(3), square)) is None  # cannot tell, so not kept


def test_an_activation_that_raises_makes_nan_and_the_run_says_where():
    def fails(s):
        if np.any(np.asarray(s) > 50):
            raise RuntimeError("too large")
        return np.asarray(s) * 1.0

    ng.activation(Wrapped(fails), derivative=lambda s: np.ones_like(s), name="test_fails")
    net = ng.Network([("a", "b")])
    net.inputs, net.outputs = ["a"], ["b"]
    net.nodes["b"].activation, net.edges["a", "b"].weight = "test_fails", 1.0
    assert net.run([1.0], engine="compiled").outputs == [1.0]
    if not PLAIN:
        with pytest.raises(ng.NonFiniteError, match="neuron 'b' has state 99"):
            net.run([99.0], engine="compiled")


class Wrapped:
    def __init__(self, f):
        self.f = f

    def __call__(self, s):
        return self.f(s)


# ---------------------------------------------------------------- learning inside the kernel


LOSSES = ["squared_error", "mse", "hinge", "categorical_cross_entropy", "binary_cross_entropy"]


@settings(max_examples=20 if PLAIN else 120)
@given(run=runs(), loss=st.sampled_from([*LOSSES, "matching"]), data=st.data())
def test_learning_inside_the_kernel_equals_the_walker(run, loss, data):
    net, X, gradient = run
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    Y = targets(rng, loss, gradient.shape, data.draw(st.booleans()))
    assume(not np.isnan(Y).all())
    if data.draw(st.booleans()):
        data.draw(st.sampled_from(list(net.synapses))).trainable = False
    options = {
        "epochs": 3,
        "batch_size": data.draw(st.integers(1, 4)),
        "loss": loss,
        "optimizer": ng.SGD(0.05),
    }
    found = [learn(net.copy(), X, Y, engine, options) for engine in ("walker", "compiled")]
    (a, end_a), (b, end_b) = found
    assert end_a == end_b if isinstance(end_a, str) else close(end_a, end_b, 1e-10)
    for what in ("weights", "biases", "gradients", "bias_gradients"):
        assert close(getattr(a, what), getattr(b, what), 1e-10), what
    assert a.rng.bit_generator.state == b.rng.bit_generator.state


def targets(rng, loss, shape, gaps):
    Y = rng.normal(size=shape)
    if loss == "hinge":
        Y = np.sign(Y)
    if loss == "binary_cross_entropy":
        Y = rng.uniform(size=shape)
    if loss == "categorical_cross_entropy":
        Y = rng.integers(0, shape[2], size=shape[:2]).astype(float)
    if gaps:
        Y[rng.random(size=Y.shape) < 0.3] = np.nan
    return Y


def learn(net, X, Y, engine, options):
    """The network afterwards, and its losses or what went wrong."""
    try:
        return net, net.fit(X, Y, engine=engine, **options).loss
    except ng.NeurographError as error:
        return net, str(error)


@pytest.mark.parametrize("sizes", [(19, 17, 3), (2, 3, 1)], ids=str)
@pytest.mark.parametrize("batch_size", [1, 2, 7, 40])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_learning_in_batches_equals_the_walker(sizes, batch_size, dtype):
    rng = np.random.default_rng(0)
    n = 8 if PLAIN else 45
    X, Y = rng.normal(size=(n, sizes[0])), rng.uniform(size=(n, sizes[-1]))
    options = {"epochs": 2, "batch_size": batch_size, "optimizer": ng.SGD(0.5)}
    a, b = (ng.perceptron(*sizes, seed=0, dtype=dtype) for _ in range(2))
    (a, loss_a), (b, loss_b) = (
        learn(net, X, Y, engine, options) for net, engine in ((a, "walker"), (b, "compiled"))
    )
    tolerance = 1e-11 if dtype == "float64" else FLOAT32
    assert close(loss_a, loss_b, tolerance) and close(a.weights, b.weights, tolerance)
    assert close(a.gradients, b.gradients, tolerance)


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("bad", [5, 17])
def test_learning_stops_before_the_batch_that_diverges(batch_size, bad):
    X, Y = np.ones((20, 1)), np.zeros((20, 1))
    Y[bad] = 1e200
    ends = []
    for engine in ("walker", "compiled"):
        net = ng.Network([("x", "y")], seed=0)
        net.inputs, net.outputs = ["x"], ["y"]
        net.nodes["y"].activation = "identity"
        options = {"batch_size": batch_size, "shuffle": False, "optimizer": ng.SGD(1e150)}
        with pytest.raises(ng.NonFiniteError) as caught:
            net.fit(X, Y, engine=engine, **options)
        columns = net.weights, net.gradients, net.biases
        ends.append((str(caught.value), *(column.tolist() for column in columns)))
    assert ends[0] == ends[1]


def test_a_loss_out_of_its_domain_is_named_by_the_kernel_too():
    net = ng.perceptron(2, 3, 1, seed=0)
    net.nodes["output.0"].activation = "identity"
    net.nodes["output.0"].bias = 7.0
    before = net.weights
    with pytest.raises(ng.ParameterError, match=r"needs outputs in \(0, 1\); output 'output.0'"):
        net.fit([[0, 1]], [[1]], loss="binary_cross_entropy", engine="compiled")
    assert (net.weights == before).all()


def test_how_much_is_learned_at_a_time_changes_nothing(monkeypatch):
    from neurograph import rounds

    X, Y = np.random.default_rng(0).normal(size=(2, 30, 2, 1))
    ends = []
    for pace in (lambda n, seconds: 1, lambda n, seconds: 7, lambda n, seconds: 1000):
        monkeypatch.setattr(rounds, "next_pace", pace)
        net = ng.perceptron(2, 3, 1, seed=0)
        history = net.fit(X[:, :, 0], Y[:, :1, 0], epochs=5, batch_size=4, engine="compiled")
        ends.append((net.weights.tolist(), history.loss, net.rng.bit_generator.state))
    assert ends[0] == ends[1] == ends[2]


# ---------------------------------------------------------------- Ctrl-C


@slow_in_python
@pytest.mark.parametrize("batch_size", [1, 4])
def test_ctrl_c_comes_between_two_batches_and_training_goes_on(batch_size):
    X, Y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0], [1], [1], [0]])
    options = {"batch_size": batch_size, "shuffle": False, "engine": "compiled"}
    net = ng.perceptron(2, 3, 1, seed=0)
    net.fit(X, Y, epochs=2, **options)
    begin = net.weights, net.biases
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    history = net.fit(X, Y, epochs=2**30, **options)
    timer.join()
    assert history.interrupted and "interrupted" in repr(history)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    # Its weights are those after some whole number of epochs: found by halving steps.
    again = ng.perceptron(2, 3, 1, seed=0)
    again.weights, again.biases = begin
    stride = 2**14
    while not np.array_equal(again.weights, net.weights):
        before = again.weights, again.biases
        again.fit(X, Y, epochs=stride, **options)
        if passed(again, net, X, Y):
            again.weights, again.biases = before
            assert stride > 1, "not the weights after any epoch"
            stride //= 2
    assert np.array_equal(again.biases, net.biases)
    assert net.fit(X, Y, epochs=10, **options).loss[-1] < 1


def passed(again, net, X, Y):
    """Whether `again` has learned longer than `net`: the loss falls all the time."""
    now, then = (((n.predict(X) - Y) ** 2).sum() for n in (again, net))
    return now < then


# ---------------------------------------------------------------- threads


@slow_in_python
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (70, 3)], ids=str)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_threads_change_no_bit(shape, dtype, in_pieces, threads):
    net = blocky(dtype)
    rng = np.random.default_rng(0)
    X, gradient = rng.normal(size=(*shape, 19)), rng.normal(size=(*shape, 11))
    threads(1)
    one = passes(net, X, gradient, "compiled")
    for n in (2, 3, 2):
        threads(n)
        other = passes(net, X, gradient, "compiled")
        assert all(np.array_equal(one[what], other[what]) for what in one)


@settings(max_examples=30)
@given(run=runs())
@slow_in_python
def test_runs_are_repeated_bit_by_bit(run):
    first, second = (passes(*run, "compiled") for _ in range(2))
    assert all(np.array_equal(first[what], second[what]) for what in first)


def test_every_piece_is_done_and_errors_come_back(threads):
    threads(3)
    done = []
    pool.run_all([lambda i=i: done.append(i) for i in range(20)])
    assert sorted(done) == list(range(20))

    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pool.run_all([fail, *[lambda: None] * 5])


@pytest.mark.parametrize("n", [0, -1, 1.5, "2", None])
def test_a_number_of_threads_is_a_number(n):
    before = ng.get_num_threads()
    with pytest.raises(ng.ParameterError, match="n must be"):
        ng.set_num_threads(n)
    assert ng.get_num_threads() == before


@slow_in_python
def test_a_forked_child_has_threads_of_its_own():
    code = """
import os, numpy as np, neurograph as ng
from neurograph.engines import compiled
compiled.WIDE = 1
ng.set_num_threads(2)
net = ng.perceptron(3, 50, 2, seed=0)
X = np.ones((100, 3))
expected = net.run(X, engine="compiled").outputs
child = os.fork()
if not child:
    same = np.array_equal(net.run(X, engine="compiled").outputs, expected)
    os._exit(0 if same else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert np.array_equal(net.run(X, engine="compiled").outputs, expected)
"""
    subprocess.run([sys.executable, "-W", "ignore::DeprecationWarning", "-c", code], check=True)


# ---------------------------------------------------------------- which engine, and limits


def test_auto_goes_by_sizes_only():
    assert type(get_engine("auto", 10)).__name__ == "Walker"
    assert type(get_engine("auto", 10**6)).__name__ == "Compiled"
    assert get_engine("compiled") is get_engine("compiled")
    with pytest.raises(ng.ParameterError, match=r"engine must be one of .*Did you mean 'compiled'"):
        get_engine("compild")


def test_small_work_does_not_import_numba():
    code = (
        "import sys, neurograph as ng; net = ng.perceptron(2, 3, 1, seed=0);"
        " net.fit([[0, 1]], [[1]]); net.predict([0, 1]); print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_dtype_without_kernels_is_refused():
    plan = ng.perceptron(2, 1, seed=0).plan()
    half = Parameters(np.ones(2, np.float16), np.ones(3, np.float16))
    state = ng.State.rest(plan, np.arange(3), 1, np.dtype(np.float16))
    with pytest.raises(ng.ParameterError, match="float64 or float32, not in float16"):
        get_engine("compiled").forward(plan, half, np.ones((1, 2, 1), np.float16), state)


def test_a_run_without_memory_says_how_large_it_is():
    net = ng.perceptron(100, 100, 1, seed=0)
    X = np.broadcast_to(np.zeros((1, 1, 100), np.float32), (1, 1, 100))
    plan = net.plan()

    class Endless(Compiled):
        def forward(self, *arguments):
            raise MemoryError

    with pytest.raises(ng.ParameterError, match="not enough memory to keep 2 steps"):
        net.run(X, engine=Endless())
    assert plan is net.plan()


def test_a_program_too_large_for_its_indices_is_refused(monkeypatch):
    from neurograph.engines import program as module

    net = ng.perceptron(3, 4, seed=0)
    monkeypatch.setattr(module, "NONE", 50)
    with pytest.raises(ng.ParameterError, match="needs [0-9]+ indices"):
        program(net.plan())


@pytest.mark.parametrize("n", range(1, 300))
def test_tiles_hold_all_samples_and_little_else(n):
    for dtype, least in (("float32", 8), ("float64", 4)):
        lanes = lanes_for(n, np.dtype(dtype))
        assert lanes == 1 if n == 1 else lanes in (least, 2 * least, 4 * least)
        assert -(-n // lanes) * lanes <= max(least, 1.9 * n)


@settings(max_examples=60)
@given(shape=st.tuples(*(st.integers(1, 7),) * 3), lanes=st.sampled_from([1, 2, 4, 8]))
@example(shape=(1, 1, 1), lanes=1)
def test_signals_are_what_was_split(shape, lanes):
    values = np.random.default_rng(0).normal(size=shape)
    signals = Signals.split(values, lanes)
    assert np.array_equal(signals.of(), values)
    assert np.array_equal(signals.of(0), values[:, 0])
    assert np.array_equal(signals.of([0, 0]), values[:, [0, 0]])
    assert np.array_equal(signals[1:].of(), values[1:])


@slow_in_python
def test_kernels_are_kept_under_the_digest_of_all_their_code():
    found = kernels.digest(*kernels.CODE_OF)
    assert len(found) == 16 != kernels.digest(*kernels.CODE_OF[1:])
    for kernel in kernels.kernels(1, 4):
        assert found in kernel.py_func.__qualname__
    for more in ((), online.CODE_OF, lanes.CODE_OF):
        modules = *kernels.CODE_OF, *more
        for name in modules:  # whoever is imported there is in the digest as well
            source = Path(kernels.__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
            assert set(re.findall(r"^from neurograph\.engines\.(\w+)", source, re.M)) <= {*modules}


@slow_in_python
def test_a_later_version_on_the_disk_does_not_name_kernels_of_this_one(monkeypatch):
    """Kernels with another layout of arrays wrote over memory that was not theirs."""
    monkeypatch.setattr(Path, "read_bytes", lambda self: b"a later version")
    for module, sizes in (kernels, (1, 4)), (lanes, ()):
        for kernel in vars(module)["kernels"].__wrapped__(*sizes):
            assert kernel.py_func.__qualname__.endswith(module.CODE)
    monkeypatch.undo()
    assert kernels.digest(*kernels.CODE_OF) == kernels.CODE


def test_all_finite_is_what_it_says():
    big = np.finfo("f4").max
    for values, expected in (
        ([1, 2], True), ([np.nan, 1], False), ([np.inf, 1], False), ([np.inf, -np.inf], False),
        ([big, big, big], True), ([big, big, -np.inf], False), ([], True),
    ):  # fmt: skip
        assert all_finite(np.array(values, "f4")) is expected
