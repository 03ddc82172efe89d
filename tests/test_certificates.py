"""Certificates: they find what is right right, what is wrong wrong, and touch nothing."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurograph as ng
from neurograph.engines.base import Gradients
from neurograph.engines.walker import Walker
from neurograph.inspection.differences import Point, _row, slope
from neurograph.inspection.verifying import RUNS
from tests.strategies import networks, runs, sequences

DOCS = Path(__file__).parents[1] / "docs"
LOSS_OUTPUTS = {
    "squared_error": "tanh",
    "mse": "softplus",
    "binary_cross_entropy": "logistic",
    "categorical_cross_entropy": "identity",
    "hinge": "identity",
    "matching": "tanh",
}


def targets_for(loss, shape, rng):
    if loss == "hinge":
        return rng.choice([-1.0, 1.0], shape)
    t = rng.uniform(0.05, 0.95, shape)
    return t / t.sum(-1, keepdims=True) if loss == "categorical_cross_entropy" else t


def columns(net):
    """Every number of a network in the order of its plan, and what else could be changed."""
    net.plan()
    store = net._store
    tables = {f"{t.row_type.__name__} {name}": t.array(name).tobytes()
              for t in (store.neurons, store.synapses) for name in list(t.arrays)}  # fmt: skip
    return tables, store.version, store.edits, str(net.rng.bit_generator.state), net._online.steps


class Bent(Walker):
    """The walker, but for one gradient."""

    def __init__(self, place, by):
        self.place, self.by = place, by

    def backward(self, *args):
        found = super().backward(*args)
        both = np.concatenate([found.weight, found.bias])
        both[self.place] += self.by
        weight, bias = np.split(both, [len(found.weight)])
        return Gradients(weight, bias, found.delta, found.inputs)


@pytest.mark.parametrize("loss", LOSS_OUTPUTS)
@settings(max_examples=12)
@given(data=st.data())
def test_no_gradient_of_backward_is_wrong(loss, data):
    net = data.draw(networks(output_activation=LOSS_OUTPUTS[loss]))
    X = data.draw(sequences(net))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    Y = targets_for(loss, (*X.shape[:2], len(net.outputs)), rng)
    before = columns(net)
    certificate = net.verify_gradients(X, Y, loss=loss)
    assert columns(net) == before
    assert len(certificate) == net.number_of_edges() + len(net) - len(net.inputs)
    assert set(certificate.verdicts) <= {"exact", "kink"}, str(certificate)
    net.forward(X)
    assert certificate.value == pytest.approx(net.backward(Y, loss=loss), rel=1e-12)
    for s in net.synapses:
        row = certificate[s]
        assert row.analytic == pytest.approx(s.grad, rel=1e-10, abs=1e-13)
        assert row.verdict == "kink" or abs(s.grad - row.numeric) <= 1.01 * row.bound
        assert (row.trainable, row.tie) == (s.trainable, str(s.tie or ""))


@settings(max_examples=15)
@given(run=runs(max_hidden=2), data=st.data())
def test_a_gradient_that_is_wrong_is_found(run, data):
    net, X, Y = run
    right = net.verify_gradients(X, Y, engine="walker")
    assert "wrong" not in right.verdicts
    resolved = [row for row in right if row.verdict == "exact" and not row.tie]
    if not resolved:
        return
    row = data.draw(st.sampled_from(resolved))
    made = net.plan()
    if row.kind == "bias":
        place = made.n_synapses + made.n_memories + made.position[row.name]
    else:
        place = int(net._store.synapses.row_of[net.edges[row.name]._id])
    found = net.verify_gradients(X, Y, engine=Bent(place, 3 * row.bound))
    assert [r.name for r in found if r.verdict == "wrong"] == [row.name]
    assert not found.holds
    assert found.worst(1)[0].name == row.name


def test_one_wrong_value_among_gradients_of_0_is_wrong_and_not_the_scale():
    net = ng.perceptron(2, 2, 1, seed=0)
    X = [[0.3, 0.7]]
    Y = net.predict(X)
    right = net.verify_gradients(X, Y, engine="walker")
    assert not any(row.analytic for row in right)
    assert right.verdicts == {"exact": len(right)}
    made = net.plan()
    place = made.n_synapses + made.position["hidden.1"]
    for off in (3 * right["hidden.1"].bound, 1e-9, 1e-3):
        found = net.verify_gradients(X, Y, engine=Bent(place, off))
        assert found.verdicts == {"exact": len(right) - 1, "wrong": 1}
        assert found["hidden.1"].verdict == "wrong" and not found.holds


@pytest.mark.parametrize("rule", ["lstm-g", "bptt", "rtrl", ng.BPTT(window=2)])
@settings(max_examples=10)
@given(data=st.data())
def test_rules_are_exact_where_their_status_says_so(rule, data):
    net = data.draw(networks())
    X = data.draw(sequences(net, max_samples=2))
    Y = np.random.default_rng(0).random((*X.shape[:2], len(net.outputs)))
    before, status = columns(net), net.gradient_status(rule)
    certificate = net.verify_gradients(X, Y, rule=rule, loss="squared_error")
    assert columns(net) == before
    for row in certificate:
        assert (row.verdict == "truncated") == (not status[row.name].exact)
        assert row.verdict != "truncated" or row.reason == status[row.name].reason
    assert not {"wrong", "unresolved"} & certificate.verdicts.keys(), str(certificate)


def test_a_truncated_gradient_shows_how_far_it_is_off():
    net = ng.lstm(1, 2, 1, seed=0)
    X = np.random.default_rng(0).normal(size=(1, 6, 1))
    certificate = net.verify_gradients(X, np.ones((1, 6, 1)), rule="lstm-g")
    off = [row for row in certificate if row.verdict == "truncated"]
    assert max(row.difference / row.bound for row in off) > 100
    assert "truncated" in str(certificate) and off[0].reason in str(certificate)


@settings(max_examples=40)
@given(
    a=st.floats(0.2, 4),
    b=st.floats(-2, 2),
    f=st.sampled_from(
        [
            (np.sin, np.cos),
            (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
            (np.exp, np.exp),
            (lambda x: x**5, lambda x: 5 * x**4),
            (np.arctan, lambda x: 1 / (1 + x * x)),
        ]
    ),
)
def test_the_error_of_a_slope_is_not_underestimated(a, b, f):
    def value(h):
        return Point(float(f[0](a * h + b)), np.empty(0, bool))

    size = max(1.0, abs(value(0.0).value))
    found = slope(value, value(0.0), rounding=4e-16 * size * (1 + 5 * abs(b)))
    assert abs(found.value - a * f[1](b)) <= found.error
    assert found.kink is None
    assert found.error < 1e-7 * size * a * 10


@pytest.mark.parametrize("at", [0.0, 1e-3, 1e-6])
def test_a_kink_beside_the_place_is_stepped_over_and_one_at_it_is_said(at):
    sides = slope(lambda h: Point(abs(h - at), np.array([h > at])), Point(at, np.array([False])))
    blind = slope(lambda h: Point(abs(h - at), np.empty(0, bool)), Point(at, np.empty(0, bool)))
    if at:
        assert sides.value == pytest.approx(-1, abs=1e-6) and sides.kink is None
        assert blind.value == pytest.approx(-1, abs=1e-6) and blind.kink is None
    else:
        assert sides.kink == 0 and blind.kink == -1


@pytest.mark.parametrize("activation", ["relu", "absolute", "hard_tanh", "step", "leaky_relu"])
def test_an_activation_at_its_kink_is_named(activation):
    net = ng.Network()
    net.add_neuron("x", role="input"), net.add_neuron("h", activation=activation)
    net.add_neuron("y", role="output", activation="identity")
    into, out = net.add_synapse("x", "h", weight=2), net.add_synapse("h", "y", weight=3)
    net.nodes["h"].bias = -2 if activation != "hard_tanh" else -1
    certificate = net.verify_gradients([[1.0]], [[0.5]])
    for key in (into, "h"):
        assert certificate[key].verdict == "kink"
        assert certificate[key].reason.startswith(f"{activation} of 'h' is at its kink")
    assert certificate[out].verdict == certificate["y"].verdict == "exact"
    assert certificate.holds


def test_the_hinge_at_its_kink_is_named():
    net = ng.Network([("x", "y", {"weight": 1.0})])
    net.inputs, net.outputs = ["x"], ["y"]
    net.nodes["y"].activation = "identity"
    assert "hinge" in net.verify_gradients([[1.0]], [[1.0]], loss="hinge")["x", "y"].reason


@ng.activation(derivative=lambda s: 1 / (1 + 25 * s * s), check=False, name="test_spike")
def spike(s):
    return np.where(s > 0, 1.0, 0.0)


@ng.activation(derivative=lambda s: np.where(s > 0.3, 2.0, 1.0), name="test_bend")
def bend(s):
    return np.where(s > 0.3, 2 * s - 0.3, s)


def test_a_surrogate_derivative_is_named_where_it_acts():
    net = ng.perceptron(2, 3, 2, seed=0, output_activation="identity")
    net.nodes["hidden.1"].activation = "test_spike"
    certificate = net.verify_gradients([[0.3, 0.7]], [[1.0, 0.0]])
    assert certificate.verdicts == {"exact": 14, "truncated": 3}
    assert certificate["input.0", "hidden.1"].reason == (
        "'test_spike' of 'hidden.1' has a surrogate derivative"
    )
    assert certificate["hidden.1", "output.0"].verdict == "exact"


def test_a_kink_of_ones_own_is_not_called_a_gradient():
    net = ng.Network([("x", "y", {"weight": 0.3})])
    net.inputs, net.outputs = ["x"], ["y"]
    net.nodes["y"].activation = "test_bend"
    row = net.verify_gradients([[1.0]], [[1.0]])["x", "y"]
    assert row.verdict == "kink" and "'test_bend'" in row.reason


def test_float32_is_judged_with_its_own_rounding():
    net = ng.perceptron(3, 5, 2, seed=0, dtype="float32")
    X, Y = np.random.default_rng(0).normal(size=(2, 6, 3))[0], np.zeros((6, 2))
    certificate = net.verify_gradients(X, Y)
    assert certificate.verdicts == {"exact": len(certificate)}
    assert certificate.subject.dtype == "float32"
    largest = max(abs(row.analytic) for row in certificate)
    assert 1e-10 < max(row.difference for row in certificate) < 1e-5 * largest


def test_a_sample_is_drawn_by_its_seed_and_says_so():
    net = ng.perceptron(4, 5, 2, seed=0)
    X, Y = [[1, 0, 1, 0]], [[1, 0]]
    first = net.verify_gradients(X, Y, sample=7, seed=3)
    again = net.verify_gradients(X, Y, sample=7, seed=3)
    other = net.verify_gradients(X, Y, sample=7, seed=4)
    assert first == again and len(first) == 7
    assert [r.name for r in first] != [r.name for r in other]
    assert "7 parameters of 37, drawn with seed 3" in str(first)
    assert net.verify_gradients(X, Y, sample=99).seed is None


def test_only_what_is_asked_for_is_checked():
    net = ng.perceptron(2, 2, 1, seed=0)
    s = net.edges["input.0", "hidden.0"]
    s.trainable = False
    one = net.verify_gradients([[1, 1]], [[1]], synapses=s)
    assert [row.name for row in one] == [("input.0", "hidden.0")] and not one[s].trainable
    two = net.verify_gradients([[1, 1]], [[1]], synapses=[("hidden.0", "output.0")],
                               neurons=["hidden.1"])  # fmt: skip
    assert [row.kind for row in two] == ["weight", "bias"]


@settings(max_examples=10)
@given(run=runs(), data=st.data())
def test_sequences_of_different_lengths_are_certified_as_they_are_learned(run, data):
    net, X, Y = run
    lengths = [data.draw(st.integers(1, X.shape[1])) for _ in X]
    X, Y = X[:, : max(lengths)], Y[:, : max(lengths)]
    beyond = np.arange(max(lengths)) >= np.array(lengths)[:, None]
    parts = [[a[:n] for a, n in zip(both, lengths, strict=True)] for both in (X, Y)]
    zeros, unasked = np.where(beyond[..., None], 0, X), np.where(beyond[..., None], np.nan, Y)
    wanted, engines = net.verify_gradients(zeros, unasked), net.verify_engines(zeros, unasked)
    if len(set(lengths)) > 1:
        assert net.verify_gradients(*parts) == wanted and net.verify_engines(*parts) == engines
    assert net.verify_gradients(X, Y, lengths=lengths) == wanted
    assert net.verify_engines(X, Y, lengths=lengths) == engines
    got = {}

    class Watched(Walker):
        def backward(self, plan, at, s, y, first, d_output, d_state):
            got["asked"] = d_output.transpose(2, 0, 1)
            return super().backward(plan, at, s, y, first, d_output, d_state)

    net.verify_engines(X, lengths=lengths, engines=("walker", Watched()))
    assert (got["asked"] == np.where(beyond[..., None], 0, np.ones_like(Y))).all()


def test_a_certificate_of_nothing_is_none():
    net = ng.perceptron(2, 2, 1, seed=0)
    for nothing in ({"synapses": []}, {"neurons": ()}, {"sample": 0}):
        with pytest.raises(ng.ParameterError, match="nothing to verify"):
            net.verify_gradients([[1, 1]], [[1]], **nothing)


def test_a_certificate_can_be_kept_and_cited():
    pandas = pytest.importorskip("pandas")
    net = ng.perceptron(2, 3, 1, seed=0)
    certificate = net.verify_gradients([[0, 1]], [[1]])
    kept = json.loads(json.dumps(certificate.to_dict()))
    assert kept["holds"] and len(kept["rows"]) == 13
    assert kept["subject"]["versions"]["neurograph"] == ng.__version__
    frame = certificate.to_pandas()
    assert isinstance(frame, pandas.DataFrame) and len(frame) == 13
    assert (frame.difference <= frame.bound).all()
    text, page = str(certificate), certificate._repr_html_()
    for part in (ng.__version__, "float64", "squared_error", kept["subject"]["network"][:16]):
        assert part in text and part in page
    engines = net.verify_engines([[0, 1]])
    assert json.loads(json.dumps(engines.to_dict()))["holds"] and "<table>" in engines._repr_html_()
    assert len(engines.to_pandas()) == len(engines) == 6


def test_digests_tell_networks_apart():
    def digest(change=lambda net: None):
        net = ng.perceptron(2, 3, 1, seed=0)
        change(net)
        return net.verify_gradients([[0, 1]], [[1]], sample=1).subject.network

    first = digest()
    assert first == digest() == digest(lambda net: net.forward([1, 1]))
    edits = (
        lambda net: setattr(net.edges["input.0", "hidden.0"], "weight", 0.5),
        lambda net: setattr(net.nodes["hidden.0"], "bias", 0.5),
        lambda net: setattr(net.nodes["hidden.0"], "activation", "tanh"),
        lambda net: net.gate("input.0", net.edges["hidden.0", "output.0"]),
        lambda net: net.tie(list(net.synapses)[:2]),
        lambda net: net.relabel({"hidden.0": "h"}),
        lambda net: net.remove_edge("input.0", "hidden.0"),
    )
    assert len({first, *map(digest, edits)}) == 1 + len(edits)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"synapses": [("input.0", "nobody")]}, "no synapse"),
        ({"synapses": ["hidden.0"]}, "no synapse"),
        ({"neurons": ["nobody"]}, "no neuron 'nobody'"),
        ({"neurons": ["input.0"]}, "its bias plays no part"),
        ({"loss": "quadratic"}, "unknown loss"),
        ({"reduction": "max"}, "reduction must be"),
        ({"sample": -1}, "sample must be"),
        ({"rule": "hebb"}, "rule"),
        ({"rule": "synaptic", "loss": "mse"}, "matching loss only"),
        ({"engine": "fast"}, "engine must be"),
    ],
)
def test_what_does_not_fit_is_said(options, message):
    net = ng.perceptron(2, 2, 1, seed=0)
    with pytest.raises(ng.ParameterError, match=message):
        net.verify_gradients([[1, 1]], [[1]], **options)


def test_synapses_of_others_and_shapes_are_refused():
    net, other = ng.perceptron(2, 2, 1, seed=0), ng.perceptron(2, 2, 1, seed=0)
    with pytest.raises(ng.ParameterError, match="belongs to another network"):
        net.verify_gradients([[1, 1]], [[1]], synapses=list(other.synapses)[:1])
    gone = net.edges["input.0", "hidden.0"]
    net.remove_edge("input.0", "hidden.0")
    with pytest.raises(ng.DetachedError):
        net.verify_gradients([[1, 1]], [[1]], synapses=gone)
    with pytest.raises(ng.ShapeError):
        net.verify_gradients([[1, 1]], [[1, 2]])
    with pytest.raises(ng.ParameterError, match="every target is NaN"):
        net.verify_gradients([[1, 1]], [[np.nan]])
    with pytest.raises(ng.ParameterError, match="says nothing of"):
        net.verify_gradients([[1, 1]], [[1]])["input.0"]
    net.nodes["output.0"].activation, net.nodes["output.0"].bias = "tanh", -5
    with pytest.raises(ng.ParameterError, match="needs outputs in"):
        net.verify_gradients([[1, 1]], [[1]], loss="binary_cross_entropy", neurons=["output.0"])


# ---------------------------------------------------------------- engines


@settings(max_examples=25)
@given(run=runs())
def test_engines_agree_and_nothing_is_touched(run):
    net, X, Y = run
    before = columns(net)
    certificate = net.verify_engines(X, Y)
    assert columns(net) == before
    assert certificate.holds, str(certificate)
    assert {row.quantity for row in net.verify_engines(X)} == {r.quantity for r in certificate}
    same = net.verify_engines(X, Y, engines=("walker", "walker"))
    assert all(row.ulps == row.scaled == 0 and row.same == row.numbers for row in same)


def test_units_of_the_last_place_are_counted():
    net = ng.perceptron(2, 3, 1, seed=0)
    place = net.plan().n_synapses + net.plan().position["output.0"]
    net.forward([[1, 1]])
    net.backward([[1]])
    grad = net.nodes["output.0"].grad
    found = net.verify_engines(
        [[1, 1]], [[1]], engines=("walker", Bent(place, 5 * np.spacing(grad)))
    )
    row = found["bias gradients"]
    assert (row.ulps, row.where, row.same) == (5, "'output.0'", row.numbers - 1)
    assert row.scaled == 5 * np.spacing(abs(grad)) / np.spacing(1.0)
    assert found["weight gradients"].scaled == 0
    assert found.holds
    assert not net.verify_engines([[1, 1]], engines=("walker", Bent(place, 1e-9))).holds
    with pytest.raises(ng.ParameterError, match="two"):
        net.verify_engines([[1, 1]], engines=("walker",))
    with pytest.raises(ng.ParameterError, match="a quantity is one of"):
        found["gains"]


# ---------------------------------------------------------------- the page


def script():
    spec = importlib.util.spec_from_file_location("certificates", DOCS / "certificates.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_architecture_is_certified_in_the_docs():
    module, page = script(), (DOCS / "certificates.md").read_text(encoding="utf-8")
    made = dict(module.architectures())
    source = (DOCS / "certificates.py").read_text(encoding="utf-8")
    assert all(f"ng.{kind}(" in source for kind in {*ng.architectures.__all__} - {"feed", "learn"})
    assert "C. elegans, trained" in page and "DOES NOT HOLD" not in page
    for name, net in made.items():
        assert f"| {name} |" in page and f"### {name}\n" in page
        certificate = net.verify_gradients(*module.data(net, np.random.default_rng(2)), sample=6)
        assert certificate.verdicts == {"exact": 6}, name


# ---------------------------------------------------------------- what it takes, and overflow


class Counting(Walker):
    """The walker, which counts its runs."""

    runs = 0

    def forward(self, *args):
        self.runs += 1
        return super().forward(*args)


def test_a_slope_without_kinks_takes_a_few_runs():
    rng = np.random.default_rng(0)
    for net, shape in ((ng.perceptron(3, 4, 2, seed=1), (5,)), (ng.lstm(2, 2, 1, seed=0), (2, 5))):
        X, Y = (rng.uniform(size=(*shape, len(ends))) for ends in (net.inputs, net.outputs))
        engine = Counting()
        certificate = net.verify_gradients(X, Y, engine=engine)
        assert certificate.verdicts == {"exact": len(certificate)}
        assert engine.runs <= RUNS * len(certificate)


@ng.activation(derivative=np.exp, name="test_exp", check=False)
def steep(s):
    with np.errstate(over="ignore"):
        return np.exp(s)


@pytest.mark.parametrize(("activation", "weight"), [("tanh", 1e308), ("test_exp", 1e3)])
def test_engines_are_not_compared_where_one_neuron_overflows(activation, weight):
    net = ng.Network([("x", "y", {"weight": weight}), ("x", "z", {"weight": 1.0})])
    net.inputs, net.outputs = ["x"], ["y", "z"]
    for neuron in (net.nodes["y"], net.nodes["z"]):
        neuron.activation = activation
    with pytest.raises(ng.NeurographError, match="not a finite number: there is nothing to verify"):
        net.verify_engines([[10.0]])
    net.verify_engines([[1e-3]])


# ---------------------------------------------------------------- how it is printed


def test_a_certificate_is_printed_as_a_table_and_shown_once():
    net = ng.perceptron(2, 2, 1, seed=0)
    net.relabel({"hidden.0": ("h", 0)})
    certificate = net.verify_gradients([[0.3, 0.7]], [[1]])
    assert certificate["input.0", ("h", 0)].who == "'input.0' -> ('h', 0)"
    assert certificate[("h", 0)].who == "('h', 0)"
    for found in (certificate, net.verify_engines([[0.3, 0.7]])):
        head, rows = found._columns()
        table = [line for line in str(found).splitlines() if line.startswith("    ")]
        assert len(table) == 1 + len(rows)
        for name, *column in zip(head, *rows, strict=True):
            at = table[0].index(f"  {name}") + 2
            assert [
                line[at : at + len(c)] for line, c in zip(table[1:], column, strict=True)
            ] == column
            assert not any(line[at - 2 : at].strip() for line in table)
        above, below = found._repr_html_().split("<table>")
        assert not any(line.strip() in above for line in table)
        assert below.count("<tr>") == 1 + len(rows)


def test_the_worst_are_those_furthest_beyond_their_bounds():
    certificate = ng.perceptron(2, 2, 1, seed=0).verify_gradients([[0.3, 0.7]], [[1]])

    def row(name, difference, error, verdict):
        return replace(certificate.rows[0], name=name, difference=difference, error=error,
                       rounding=0.0, verdict=verdict)  # fmt: skip

    rows = (
        row("exact", 0.0, 0.0, "exact"),
        row("far", 8.0, 2.0, "wrong"),
        row("within", 0.5, 1.0, "exact"),
        row("near", 9.0, 3.0, "wrong"),
        row("nowhere", np.nan, np.inf, "unresolved"),
        row("infinitely", 1.0, 0.0, "wrong"),
        row("kink", 7.0, 1.0, "kink"),
    )
    ranked = [r.name for r in replace(certificate, rows=rows).worst()]
    assert ranked == ["infinitely", "far", "near", "nowhere", "kink", "within", "exact"]


# ---------------------------------------------------------------- differences and kinks, closely


@given(c=st.lists(st.floats(-2, 2), min_size=1, max_size=5))
def test_each_column_of_the_tableau_takes_one_power_off(c):
    """The slope of Σ c_k h^(2k+1) is c_0, which column len(c) - 1 has whatever the steps are."""
    rows = [[]]
    for step in 2.0 ** -np.arange(len(c)):
        rows.append(_row(sum(a * step ** (2 * k) for k, a in enumerate(c)), rows[-1]))
    assert [len(row) for row in rows] == list(range(len(c) + 1))
    assert rows[-1][-1] == pytest.approx(c[0], rel=0, abs=1e-12)


@pytest.mark.parametrize(("samples", "steps"), [(1, 3), (3, 1), (2, 3)])
@pytest.mark.parametrize("place", [0, -1])
@pytest.mark.parametrize("who", ["g", "h", "k", "y"])
def test_whose_kink_it_is_in_sequences_of_samples(samples, steps, place, who):
    net = ng.Network()
    net.add_neuron("x", role="input")
    for name, activation in (("g", "relu"), ("h", "hard_tanh"), ("k", "absolute")):
        net.add_neuron(name, activation=activation)
        net.add_synapse("x", name, weight=0.5)
    net.add_neuron("y", role="output", activation="identity")
    for name in ("g", "h", "k"):
        net.add_synapse(name, "y", weight=0.25)
    X = np.random.default_rng(0).uniform(0.1, 0.5, (samples, steps, 1))
    Y = np.ones_like(X)
    if who == "y":  # the hinge is bent where an output is 1
        net.nodes["y"].bias = 1.0 - float(net.predict(X)[place, place, 0])
    else:
        net.nodes[who].bias = -0.5 * X[place, place, 0] + (1.0 if who == "h" else 0.0)
        net.nodes["y"].bias = -2.0  # where the hinge is straight
    row = net.verify_gradients(X, Y, loss="hinge", neurons=[who])[who]
    assert row.verdict == "kink"
    says = "the hinge is at its kink" if who == "y" else f"of {who!r} is at its kink"
    assert says in row.reason


@pytest.mark.parametrize("rule", ["lstm-g", "bptt", "rtrl", ng.BPTT(window=2)])
def test_steps_that_are_not_asked_take_no_part_in_a_rule(rule):
    net = ng.lstm(1, 2, 1, seed=0)
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(3, 4, 1)), rng.uniform(size=(3, 4, 1))
    Y[:, [0, 2]] = np.nan
    Y[1] = np.nan
    certificate = net.verify_gradients(X, Y, rule=rule, loss="squared_error")
    assert not {"wrong", "unresolved"} & certificate.verdicts.keys(), str(certificate)
    assert "exact" in certificate.verdicts


def test_the_largest_difference_is_told_and_rows_within_bounds_are_ranked_by_their_share():
    certificate = ng.perceptron(2, 2, 1, seed=0).verify_gradients([[0.3, 0.7]], [[1]])
    first = certificate.rows[0]
    rows = tuple(
        replace(first, name=name, difference=d, error=error, rounding=0.0, verdict="exact")
        for name, d, error in (("a", 1e-3, 1e-2), ("b", 3e-3, 1e-1), ("c", 2e-3, 4e-3))
    )
    found = replace(certificate, rows=rows)
    assert "largest   difference 3.0e-03 (bound 1.0e-01)" in str(found)
    assert [row.name for row in found.worst()] == ["c", "a", "b"]


def test_the_digest_of_data_tells_how_long_sequences_are():
    net = ng.lstm(1, 2, 1, seed=0)
    X = np.zeros((2, 3, 1))
    found = {net.verify_engines(X, lengths=n).subject.data for n in (None, [3, 2], [1, 3])}
    assert len(found) == 3
    assert net.verify_engines(X).subject.data == net.verify_engines(X.copy()).subject.data
