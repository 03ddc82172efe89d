"""The lesion map is what one would find by removing one after the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import neurograph as ng
from neurograph.functions import ACTIVATIONS, get_activation, slope_of
from neurograph.inspection import curvature as surgery
from neurograph.inspection import lesion_map as module
from neurograph.inspection.compiled_lanes import Compiled
from neurograph.inspection.curvature import hessian, is_wanted
from neurograph.inspection.lanes import Cuts, Lanes, Walked
from neurograph.learning.losses import LOSSES, Outputs, get_loss
from tests.strategies import SMOOTH, close, late_gates, networks, sequences


@ng.activation(derivative=lambda s: 0 * s)
def silent(s):
    return 0 * s


@ng.activation(derivative=lambda s: 1 - np.tanh(s) ** 2 + 0.2 * s)
def own_activation(s):
    return np.tanh(s) + 0.1 * s * s


@ng.loss(derivative=lambda y, t: np.sinh(y - t))
def own_loss(y, t):
    return np.cosh(y - t) - 1


BUILTIN = ["squared_error", "mse", "binary_cross_entropy", "categorical_cross_entropy",
           "hinge", "matching"]  # fmt: skip
NEEDS = {"binary_cross_entropy": "logistic", "categorical_cross_entropy": "identity"}


@st.composite
def lessons(draw, losses=(*BUILTIN, "own_loss"), **options):
    """A network, inputs, targets (some are not asked), a loss."""
    loss = draw(st.sampled_from(losses))
    net = draw(networks(output_activation=NEEDS.get(loss), **options))
    X = draw(sequences(net))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    shape = *X.shape[:2], len(net.outputs)
    if loss == "categorical_cross_entropy":
        Y = rng.integers(0, shape[-1], shape[:2]).astype(float)
    elif loss == "hinge":
        Y = rng.choice([-1.0, 1.0], shape)
    else:
        Y = rng.uniform(0, 1, shape)
    Y[rng.random(Y.shape) < 0.2] = np.nan
    if np.isnan(Y).all():
        Y[:] = loss != "categorical_cross_entropy"
    return net, X, Y, loss


def mean_loss(net, X, Y, loss):
    """The mean loss, inf where the network or its loss is no longer finite."""
    try:
        net.forward(X, engine="walker")
        return net.backward(Y, loss=loss)
    except ng.NonFiniteError:
        return np.inf


def one_by_one(net, X, Y, loss):
    """The change of the loss without each synapse, on copies."""
    whole = mean_loss(net, X, Y, loss)
    found = []
    for u, v in net.edges:
        twin = net.copy()
        twin.remove_edge(u, v)
        found.append(mean_loss(twin, X, Y, loss) - whole)
    return np.array(found), whole


def same(found, wanted, scale, tolerance=1e-12):
    finite = np.isfinite(wanted)
    assert (np.isinf(found) == ~finite).all()
    assert close(np.append(found[finite], scale), np.append(wanted[finite], scale), tolerance)


@settings(max_examples=50)
@given(given=lessons(), engine=st.sampled_from(["walker", "compiled"]))
def test_exact_is_removal_one_by_one(given, engine):
    net, X, Y, loss = given
    before = dict(net.nodes(data=True)), net.weights.copy()
    found = net.lesion_map(X, Y, loss=loss, obs=False, engine=engine)
    wanted, whole = one_by_one(net, X, Y, loss)
    assert close(found.loss, whole, 1e-12)
    same(found.exact, wanted, whole)
    assert (found.source, found.target) == tuple(map(list, zip(*net.edges, strict=True)))
    assert dict(net.nodes(data=True)) == before[0] and (net.weights == before[1]).all()


@settings(max_examples=60)
@given(given=lessons(activations=[*SMOOTH, "relu", "own_activation"]), data=st.data())
def test_kernels_find_what_their_definition_says(given, data):
    net, X, Y, loss = given
    n = data.draw(st.integers(1, 30))  # so that lanes fill several vectors, or part of one
    X, Y = np.concatenate([X * (1 - k / n) for k in range(n)]), np.concatenate([Y] * n)
    X[::3] *= X[::3] > 0.5  # pixels that are 0, whose lanes are left out
    weight = np.linspace(0.1, 1, len(X))
    chosen, engine = get_loss(loss), module.get_engine("compiled")
    given = module.Lessons.of(net.plan(), np.dtype(float), X, Y, chosen, None, weight)
    job = module._Job(net, net.plan(), engine, given, chosen)
    (base,) = job.bases()
    scale = max(1, abs(base.cost).max())
    both = Walked(base), Compiled(base)
    for visits, neurons in job.map.bundles():
        arcs = [(m, arc) for m in neurons for arc in job.map.into[m]]
        moved = data.draw(arrays(bool, (len(arcs), base.samples)))
        silent = [m for m in neurons if m not in net.plan().outputs]
        for cuts in (
            Cuts.where(moved, [m for m, _ in arcs], [arc for _, arc in arcs]),
            Cuts.where(np.ones((len(silent), base.samples), bool), silent),
        ):
            if not len(cuts):
                continue
            wanted, found = (
                np.array([side.removal(visits, cuts), *side.tangent(visits, cuts)]) for side in both
            )
            for a, b in zip(found, wanted, strict=True):
                assert close(np.append(a, scale), np.append(b, scale), 1e-12)


@pytest.mark.parametrize("engine", ["walker", "compiled"])
@pytest.mark.parametrize("gate_delay", [0, 1])
def test_cells_that_gate_themselves_and_what_they_read(gate_delay, engine):
    net = ng.Network(seed=3)
    for name, role in zip("xkcy", ["input", "hidden", "hidden", "output"], strict=True):
        net.add_neuron(name, role=role, activation="tanh", bias=0.1)
    into = [net.add_synapse(u, v, weight=0.5) for u, v in ["xk", "xc", "kc", "cy"]]
    memory = net.add_synapse("c", "c", weight=0.9)
    back = net.add_synapse("c", "k", weight=0.7, delay=2)
    net.gate("c", memory, delay=1)
    net.gate("k", into[2], delay=gate_delay)
    net.gate("k", into[3], delay=gate_delay)
    net.gate("c", back, delay=1)
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(3, 6, 1)), rng.normal(size=(3, 6, 1))
    found = net.lesion_map(X, Y, obs=False, engine=engine)
    wanted, whole = one_by_one(net, X, Y, "squared_error")
    same(found.exact, wanted, whole)
    for s, curvature in zip(net.synapses, found.curvature, strict=True):

        def by_weight(d, s=s, w=s.weight):
            s.weight = w + d
            return mean_loss(net, X, Y, "squared_error")

        wanted, error = second_difference(by_weight)
        assert abs(curvature - wanted) <= error
        by_weight(0.0)
    for row in found.neurons:
        out = [s for s in net.synapses if row["neuron"] == s.source and s.reads == "output"]
        gated = [s for s in net.synapses if row["neuron"] == s.gater]
        if gated:
            continue  # a factor of what it gates is no factor of a weight
        usual = [s.weight for s in out]

        def by_strength(d, out=out, usual=usual):
            for s, w in zip(out, usual, strict=True):
                s.weight = w * (1 + d)
            return mean_loss(net, X, Y, "squared_error")

        wanted, error = second_difference(by_strength)
        assert abs(2 * row["obd"] - wanted) <= error
        by_strength(0.0)


@pytest.mark.parametrize("order", ["xkcy", "xcky"])
def test_what_a_cell_remembers_in_some_lanes_is_nothing_to_the_next(order):
    net = ng.Network(seed=3)
    for name in order:
        role = {"x": "input", "y": "output"}.get(name, "hidden")
        net.add_neuron(name, role=role, activation="tanh", bias=0.1)
    for u, v, delay in ["xk0", "xc0", "cy0", "kc3", "ck3"]:
        net.add_synapse(u, v, weight=0.5, delay=int(delay))
    net.add_synapse("c", "c", weight=0.9)
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(40, 6, 1)), rng.normal(size=(40, 6, 1))  # more lanes than one vector
    found = net.lesion_map(X, Y, obs=False, engine="compiled")
    same(found.exact, *one_by_one(net, X, Y, "squared_error"))


@settings(max_examples=30)
@given(given=lessons())
def test_a_neuron_without_output_is_one_whose_output_is_0(given):
    net, X, Y, loss = given
    found = net.lesion_map(X, Y, loss=loss, obs=False).neurons
    whole, wanted = mean_loss(net, X, Y, loss), []
    for name in found.neuron:
        twin, inputs = net.copy(), X.copy()
        if name in net.inputs:
            inputs[..., net.inputs.index(name)] = 0
        else:
            twin.nodes[name].activation = "silent"
        wanted.append(mean_loss(twin, inputs, Y, loss) - whole)
    same(found.exact, np.array(wanted), whole)
    assert found.neuron == [n for n in net if n not in net.outputs]


@settings(max_examples=40)
@given(given=lessons(), data=st.data())
def test_a_lesion_of_a_neuron_is_its_row_of_the_map(given, data):
    net, X, Y, loss = given
    data.draw(late_gates(net))
    found = net.lesion_map(X, Y, loss=loss, obs=False).neurons
    whole, wanted = mean_loss(net, X, Y, loss), []
    for name in found.neuron:
        acts = [s for s in net.neuron(name).gated if s.gate_delay and not s.delay]
        if name in net.inputs and any(s.source != name for s in acts):
            with pytest.raises(ng.ParameterError, match="put 0 into its column of X"):
                net.lesion(name)
            inputs = X.copy()
            inputs[..., net.inputs.index(name)] = 0
            wanted.append(mean_loss(net, inputs, Y, loss) - whole)
            continue
        with net.lesion(name):
            wanted.append(mean_loss(net, X, Y, loss) - whole)
        if name not in net.inputs:
            with net.clamp(name, 0):
                held = mean_loss(net, X, Y, loss)
            same(np.array([held - whole]), np.array(wanted[-1:]), whole)
    same(found.exact, np.array(wanted), whole)


def test_in_the_first_step_a_late_gate_is_open_whoever_is_lesioned():
    net = ng.Network(seed=0)
    for name, role in zip("xgy", ["input", "hidden", "output"], strict=True):
        net.add_neuron(name, role=role, activation="identity")
    s = net.add_synapse("x", "y", weight=1)
    net.add_synapse("x", "g", weight=1)
    net.gate("g", s, delay=1)
    X, Y = [[[1.0], [1.0]]], [[[0.0], [0.0]]]
    with net.lesion("g"):
        assert net.run(X).outputs.ravel().tolist() == [1, 0] and s.trainable
        assert mean_loss(net, X, Y, "squared_error") == 0.25
    found = net.lesion_map(X, Y, obs=False)
    assert found.loss + found.neurons["g"]["exact"] == 0.25


@settings(max_examples=30)
@given(given=lessons(dtype="float32"))
def test_a_float32_network_is_measured_in_float64(given):
    net, X, Y, loss = given
    twin = ng.Network(net, seed=0)
    assert twin.dtype == np.float64
    found = net.lesion_map(X, Y, loss=loss, obs=False)
    wanted = twin.lesion_map(X, Y, loss=loss, obs=False)
    for name in ("exact", "first_order", "obd"):
        assert (getattr(found, name) == getattr(wanted, name)).all()


@settings(max_examples=40)
@given(given=lessons())
def test_first_order_is_the_gradient(given):
    net, X, Y, loss = given
    found = net.lesion_map(X, Y, loss=loss, obs=False)
    net.forward(X)
    net.backward(Y, loss=loss)
    wanted = dict.fromkeys(net.edges, 0.0)
    for s in net.synapses:  # a tied one has the gradient of its group
        group = [t for t in net.synapses if t is s or (s.tie is not None and t.tie == s.tie)]
        total = sum(found[t]["first_order"] for t in group)
        wanted[s.source, s.target] = total
        assert close(total, -s.weight * s.grad, 1e-12)


def second_difference(f, h=2e-3):
    """The second derivative at 0 of a smooth function, and an estimate of its error."""
    wide, narrow = ((f(d) - 2 * f(0.0) + f(-d)) / d**2 for d in (h, h / 2))
    found = (4 * narrow - wide) / 3
    return found, abs(narrow - wide) + 1e-14 * max(1, abs(f(0.0))) / h**2


@settings(max_examples=40)
@given(
    given=lessons([*BUILTIN[:4], "matching", "own_loss"], activations=[*SMOOTH, "own_activation"])
)
def test_curvature_is_that_of_second_differences(given):
    net, X, Y, loss = given
    found = net.lesion_map(X, Y, loss=loss, obs=False)
    assert close(found.obd, found.curvature * net.weights**2 / 2, 1e-14)
    for s, curvature in zip(net.synapses, found.curvature, strict=True):
        twin = net.copy()
        if s.tie is not None:
            twin.untie(twin.edges[s.source, s.target])

        def by_weight(d, s=s, twin=twin):
            twin.edges[s.source, s.target].weight = s.weight + d
            return mean_loss(twin, X, Y, loss)

        wanted, error = second_difference(by_weight)
        assert abs(curvature - wanted) <= error


@settings(max_examples=30)
@given(given=lessons([*BUILTIN[:4], "matching"], activations=SMOOTH, gates=False, ties=False))
def test_estimates_of_a_neuron_are_derivatives_by_its_strength(given):
    net, X, Y, loss = given
    found = net.lesion_map(X, Y, loss=loss, obs=False).neurons
    for row in found:
        twin = net.copy()
        out = twin.out_edges(row["neuron"], data=True)
        out = [(s, s.weight) for *_, s in out if s.reads != "state"]

        def by_strength(d, out=out, twin=twin):
            for s, w in out:
                s.weight = w * (1 + d)
            return mean_loss(twin, X, Y, loss)

        wanted, error = second_difference(by_strength)
        assert abs(2 * row["obd"] - wanted) <= error
        slope = (by_strength(1e-5) - by_strength(-1e-5)) / 2e-5
        assert close(row["first_order"], -slope, 1e-6)


@settings(max_examples=20)
@given(given=lessons(BUILTIN[:1], activations=SMOOTH))
def test_the_diagonal_of_the_hessian_is_the_curvature(given):
    net, X, Y, loss = given
    job = module._Job(
        net, net.plan(), module.get_engine("walker"),
        module.Lessons.of(net.plan(), np.dtype(float), X, Y, get_loss(loss)), get_loss(loss),
    )  # fmt: skip
    full = hessian(net.plan(), job.parameters, job.gradient)
    diagonal = np.diag(full)[: len(job.rows)][job.rows]
    assert close(diagonal, net.lesion_map(X, Y, loss=loss, obs=False).curvature, 1e-7)


def test_obs_is_the_loss_after_all_others_are_fitted_anew():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 4))
    Y = X @ [1.0, -2.0, 0.0, 0.5] + 0.3 + 0.1 * rng.normal(size=50)
    net = ng.perceptron(4, 1, output_activation="identity", seed=0)
    full = np.c_[X, np.ones(50)]

    def fit(columns):
        w, *_ = np.linalg.lstsq(full[:, columns], Y, rcond=None)
        return w, ((full[:, columns] @ w - Y) ** 2).mean() / 2

    w, best = fit([0, 1, 2, 3, 4])
    net.weights = w[:4]
    net.biases = [0, 0, 0, 0, w[4]]
    wanted = [fit([j for j in range(5) if j != k])[1] - best for k in range(4)]
    found = net.lesion_map(X, Y, damping=0)
    np.testing.assert_allclose(found.obs, wanted, rtol=1e-7)
    assert "obs" in found.columns and found.note == ""
    assert (found.exact >= found.obs - 1e-9).all()


def test_obs_says_why_it_is_not_there():
    net, (X, Y) = ng.perceptron(2, 3, 1, seed=0), xor()
    found = net.lesion_map(X, Y)
    assert "obs" not in found.columns and "eigenvalue -" in found.note
    with pytest.raises(ng.ParameterError, match="not at a minimum.*give damping="):
        net.lesion_map(X, Y, obs=True)
    damped = net.lesion_map(X, Y, obs=True, damping=1.0)
    assert (damped.obs > 0).all()
    large = ng.perceptron(30, 70, 1, seed=0)
    assert "obs=True" in large.lesion_map(np.ones((1, 30)), [[1]]).note
    with pytest.raises(
        ng.ParameterError, match="of all 2241 weights and biases, and the limit is 2000"
    ):
        large.lesion_map(np.ones((1, 30)), [[1]], obs=True)


def xor():
    X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    return X, np.array([[0.0], [1], [1], [0]])


NUMBERS = ("exact", "first_order", "obd")


@pytest.mark.parametrize("engine", ["walker", "compiled"])
@pytest.mark.parametrize(("lanes", "block"), [(7, 2**22), (1, 100), (2**13, 50)])
def test_pieces_and_threads_change_nothing(monkeypatch, lanes, block, engine):
    net = ng.lstm(2, 1, 1, seed=1)
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(5, 3, 2)), rng.uniform(size=(5, 3, 1))
    whole = net.lesion_map(X, Y, engine=engine)
    monkeypatch.setattr(module, "LANES", lanes)
    monkeypatch.setattr(module, "BLOCK", block)
    before, found = ng.get_num_threads(), []
    try:
        for n in (1, 3):
            ng.set_num_threads(n)
            found.append(net.lesion_map(X, Y, engine=engine))
    finally:
        ng.set_num_threads(before)
    one, three = found
    for name in NUMBERS:
        for part in (lambda m: m, lambda m: m.neurons):
            assert (getattr(part(one), name) == getattr(part(three), name)).all()
            assert close(getattr(part(one), name), getattr(part(whole), name), 1e-13)


def test_weight_2_is_the_sample_twice_and_lengths_cut_sequences():
    net = ng.lstm(2, 2, 1, seed=0)
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(3, 4, 2)), rng.integers(0, 2, (3, 4, 1)).astype(float)
    twice = net.lesion_map(X[[0, 0, 1, 2]], Y[[0, 0, 1, 2]])
    weighted = net.lesion_map(X, Y, sample_weight=[2, 1, 1])
    classes = net.lesion_map(X, Y, class_weight={0: 1, 1: 3})
    by_class = net.lesion_map(X, Y, sample_weight=np.where(Y[:, -1, 0] == 1, 3, 1))
    short = net.lesion_map(X, Y, lengths=[4, 4, 4])
    first = net.lesion_map(X[:, :2], Y[:, :2])
    cut = net.lesion_map(X, Y, lengths=[2, 2, 2])
    for one, other in ((twice, weighted), (classes, by_class), (short, net.lesion_map(X, Y)),
                       (first, cut)):  # fmt: skip
        for name in NUMBERS:
            assert close(getattr(one, name), getattr(other, name), 1e-13)
            assert close(getattr(one.neurons, name), getattr(other.neurons, name), 1e-13)


def test_it_leaves_no_trace():
    net, (X, Y) = ng.perceptron(2, 3, 1, seed=0), xor()
    y = net.forward(X)
    state = net.nodes["hidden.0"].state
    net.lesion_map(X[:1], Y[:1])
    assert net.nodes["hidden.0"].state == state
    assert net.backward(Y) > 0 and (net.predict(X) == y).all()


def test_a_lesion_that_explodes_is_infinite():
    net = ng.Network(seed=0)
    x, y = net.add_neuron("x", role="input"), net.add_neuron("y", role="output")
    y.activation = x.activation = "identity"
    grow, hold = net.add_synapse("y", "y", weight=1e200), net.add_synapse("x", "y", weight=0.0)
    brake = net.add_neuron("brake", activation="inverse")  # gates with 0 as long as x is 1
    s = net.add_synapse("x", "brake", weight=1)
    net.add_synapse("brake", "y", weight=1)
    net.gate("brake", grow)
    found = net.lesion_map(np.ones((1, 4, 1)), np.ones((1, 4, 1)), obs=False)
    assert np.isinf(found[s]["exact"]) and found.strongest(1).source == ["x"]
    assert np.isfinite(found[hold]["exact"]) and not brake.detached


def test_table_rows_and_arrays():
    net, (X, Y) = ng.perceptron(2, 3, 1, seed=0), xor()
    net.relabel({"hidden.0": ("h", 0)})
    found = net.lesion_map(X, Y)
    frame, array = found.to_pandas(), found.to_array()
    assert list(frame.columns) == ["source", "target", "exact", "first_order", "obd"]
    assert array.dtype.names == tuple(frame.columns) and len(array) == len(found) == 9
    assert (frame.exact == found.exact).all() and array["source"][4] == list(net.edges)[4][0]
    top = found.strongest(3)
    assert np.abs(top.exact).tolist() == sorted(np.abs(found.exact), reverse=True)[:3]
    s = net.edges["input.0", ("h", 0)]
    assert found[s] == found["input.0", ("h", 0)] == next(iter(found))
    assert found.neurons[net.nodes[("h", 0)]] == found.neurons[("h", 0)]
    assert list(found.neurons.to_pandas().columns) == ["neuron", "exact", "first_order", "obd"]
    assert "('h', 0)" in str(found) and "9 synapses and 5 neurons" in repr(found)
    with pytest.raises(ng.ParameterError, match="no synapse"):
        found["input.0", "nobody"]
    with pytest.raises(ng.ParameterError, match="k must be"):
        found.strongest(-1)
    with pytest.raises(AttributeError, match="Did you mean 'exact'"):
        found.exakt  # noqa: B018


@pytest.mark.parametrize(
    ("X", "Y", "options", "error", "match"),
    [
        ([[1, 2, 3]], [[1]], {}, ng.ShapeError, "X must have shape"),
        (np.ones((0, 2)), np.ones((0, 1)), {}, ng.ShapeError, "at least one sample"),
        ([1, 2], [1], {}, ng.ShapeError, "many samples"),
        ([[1, np.nan]], [[1]], {}, ng.NonFiniteError, "X holds nan"),
        ([[1, 2]], [[1, 2]], {}, ng.ShapeError, "target must have shape"),
        ([[1, 2]], [[np.nan]], {}, ng.ParameterError, "every target is NaN"),
        ([[1, 2]], [[np.inf]], {}, ng.NonFiniteError, "target holds inf"),
        ([[1, 2]], [[1]], {"loss": "squared"}, ng.ParameterError, "unknown loss"),
        ([[1, 2]], [[1]], {"engine": "fast"}, ng.ParameterError, "engine must be"),
        ([[1, 2]], [[1]], {"damping": -1}, ng.ParameterError, "damping must be"),
        ([[1, 2]], [[1]], {"obs": "yes"}, ng.ParameterError, "obs must be"),
    ],
)
def test_bad_input(X, Y, options, error, match):
    with pytest.raises(error, match=match):
        ng.perceptron(2, 3, 1, seed=0).lesion_map(X, Y, **options)


def test_a_network_that_is_not_finite_or_has_no_outputs():
    net = ng.perceptron(1, 1, output_activation="identity", seed=0)
    net.weights = [1e308]
    with pytest.raises(ng.NonFiniteError, match="neuron 'output.0' has state inf"):
        net.lesion_map([[10]], [[1]])
    net.outputs = []
    with pytest.raises(ng.ParameterError, match="no outputs"):
        net.lesion_map([[10]], [[1]])


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_second_derivatives_of_activations(name):
    s = np.array([-30.1, -2.3, -0.7, -0.3, 0.2, 0.9, 1.3, 4.4, 35.0])
    f = get_activation(name)
    assert close(f.second_derivative(s), slope_of(f.derivative, s), 1e-9)
    if f.builtin:
        kinked = name in ("selu", "softsign", "relu", "absolute")
        assert not kinked or f.second_derivative(np.zeros(1))[0] == 0
        assert np.isfinite(f.second_derivative(np.array([-1e4, 1e4]))).all()


@pytest.mark.parametrize("name", sorted(LOSSES))
@pytest.mark.parametrize("activation", ["logistic", "gaussian"])
def test_curvatures_of_losses_are_slopes_of_their_derivatives(name, activation):
    rng = np.random.default_rng(0)
    f, loss, shape = get_activation(activation), get_loss(name), (5, 2, 3)
    s, ds = rng.normal(size=shape), rng.normal(size=shape)
    t = np.eye(3)[rng.integers(0, 3, shape[:2])]
    t = 2 * t - 1 if name == "hinge" else t

    def terms(a):
        states = s + a * ds
        return loss.measure(Outputs(states, f(states), [f] * 3, "abc"), t)[0]

    def along(a):  # dℓ/da, in which y bends: that is taken off again
        found, dy = terms(a), f.derivative(s + a * ds) * ds
        return (found.d_output * dy + found.d_state * ds).sum(-1)

    wanted = (along(1e-5) - along(-1e-5)) / 2e-5
    wanted -= (terms(0).d_output * f.second_derivative(s) * ds * ds).sum(-1)
    dy = f.derivative(s) * ds
    out = Outputs(s, f(s), [f] * 3, "abc")
    assert close(loss.curvature(out, t, dy, ds), wanted, 1e-7)
    assert close(loss.total(out, t), terms(0).value, 1e-14)


@pytest.mark.parametrize("engine", ["walker", "compiled"])
@pytest.mark.parametrize("room", [1, 60, 400])
def test_little_room_for_steps_changes_nothing(monkeypatch, room, engine):
    net = ng.lstm(2, 1, 1, seed=1)
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 3, 2)), rng.uniform(size=(2, 3, 1))
    whole = net.lesion_map(X, Y, obs=False, engine=engine)
    monkeypatch.setattr(module, "ROOM", room)
    kept, begin, run = [], Lanes.__init__, Compiled.run

    def walked(lanes, base, visits, cuts):
        begin(lanes, base, visits, cuts)
        kept.append((len(cuts.of), lanes.past.size // lanes.orders))

    def compiled(lanes, visits, cuts, tangent):
        found = run(lanes, visits, cuts, tangent)
        kept.append((len(cuts.of), found[0][0].size))
        return found

    monkeypatch.setattr(Lanes, "__init__", walked)
    monkeypatch.setattr(Compiled, "run", compiled)
    found = net.lesion_map(X, Y, obs=False, engine=engine)
    assert kept and all(n == 1 or size <= room for n, size in kept)
    assert room < 400 or max(kept)[0] > 1  # some have room for several
    for name in NUMBERS:
        assert close(getattr(found, name), getattr(whole, name), 1e-13)
        assert close(getattr(found.neurons, name), getattr(whole.neurons, name), 1e-13)


def test_surgery_is_asked_of_as_many_parameters_as_can_be_afforded(monkeypatch):
    assert is_wanted(ng.perceptron(199, 1, seed=0).plan(), None) == (True, "")  # 200 of them
    assert not is_wanted(ng.perceptron(200, 1, seed=0).plan(), None)[0]
    plan = ng.lstm(2, 2, 1, seed=0).plan()
    assert plan.n_memories
    size = plan.n_synapses + plan.n_memories + plan.n_neurons - len(plan.inputs)
    monkeypatch.setattr(surgery, "AFFORDABLE", size)
    assert is_wanted(plan, None) == (True, "")
    monkeypatch.setattr(surgery, "AFFORDABLE", size - 1)
    assert is_wanted(plan, None) == (
        False, f"obs: the network has {size} parameters; obs=True computes it all the same"
    )  # fmt: skip
    assert is_wanted(plan, True) == (True, "") and is_wanted(plan, False) == (False, "")


def test_ten_rows_are_ranked_and_the_first_is_named():
    net, (X, Y) = ng.perceptron(2, 5, 1, seed=0), xor()
    found = net.lesion_map(X, Y, obs=False)
    best = found.strongest(1)
    assert len(found.strongest()) == 10 < len(found) == 15
    assert f"most by {best.source[0]!r} -> {best.target[0]!r}: {best.exact[0]:+.4g}>" in repr(found)
    assert str(found).splitlines()[-1] == "… and 5 that matter less"
    lonely = ng.Network()
    lonely.add_neuron("x", role="input"), lonely.add_neuron("y", role="output")
    assert "of 0 synapses and 1 neuron;" in repr(lonely.lesion_map([[1]], [[0]]))
