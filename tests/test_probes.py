"""Probes change nothing, tell what handles would show, and watchpoints stop where they say."""

import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import neurograph as ng
from neurograph.inspection.handles import own_neurons, own_synapses
from neurograph.inspection.records import Records
from tests.strategies import networks, runs

engines = pytest.mark.parametrize("engine", ["walker", "compiled"])
OPTIMIZERS = [ng.SGD(0.05), ng.Adam(0.01), ng.Momentum(0.02, clip_norm=1.0), ng.SGD(0.05, l2=0.01)]


def everything(net):
    """All numbers of a network, by name and in the order of insertion."""
    store = net._store
    found = {}
    for table in (store.neurons, store.synapses):
        for name in table.arrays:
            values = table.array(name)[table.row_of[table.alive()]]
            found[table.row_type.__name__, name] = values.tobytes()
    found["rng"] = str(net.rng.bit_generator.state)
    found["updates"] = store.updates
    return found


def probed(net, data=None, **options):
    synapses, neurons = list(net.synapses), list(net.neurons)
    if data is not None:
        synapses = data.draw(st.lists(st.sampled_from(synapses), min_size=1, unique=True))
        neurons = [neurons[k] for k in data.draw(st.lists(st.integers(0, len(neurons) - 1)))]
    return net.probe(synapses, neurons, ("weight", "grad", "output", "state", "delta", "bias")
                     if neurons else ("weight", "grad"), **options)  # fmt: skip


def trained(net, X, Y, engine, optimizer, epochs=3, **options):
    return net.fit(X, Y, epochs=epochs, batch_size=2, engine=engine, optimizer=optimizer, **options)


# ---------------------------------------------------------------- nothing changes


@engines
@settings(max_examples=25)
@given(run=runs(), data=st.data())
def test_training_with_a_probe_is_training_without(engine, run, data):
    net, X, Y = run
    optimizer = data.draw(st.sampled_from(OPTIMIZERS))
    twin = net.copy()
    try:
        history = trained(net, X, Y, engine, optimizer)
    except ng.NonFiniteError:
        assume(False)
    every = data.draw(st.integers(1, 3))
    probe = probed(twin, data, every=every)
    other = probed(twin, data, every=data.draw(st.integers(1, 4)), when=ng.watch.explodes(1e-3),
                   then=lambda hit: None)  # fmt: skip
    assert trained(twin, X, Y, engine, optimizer).loss == history.loss
    assert everything(twin) == everything(net)
    n_updates = 3 * -(-len(X) // 2)
    assert probe.moments.tolist() == list(range(every, n_updates + 1, every))
    assert set(other.events) <= {"update"}


@engines
@pytest.mark.parametrize("rule", ["lstm-g", "bptt", "rtrl"])
@settings(max_examples=6)
@given(run=runs(max_hidden=2), data=st.data())
def test_online_learning_with_a_probe_is_online_learning_without(engine, rule, run, data):
    net, X, Y = run
    net.engine, net.rule = engine, rule
    twin = net.copy()
    probe = probed(twin, data)

    def course(net):
        y = [net.activate(X[0, 0])]
        net.propagate(0.01, Y[0, 0])
        y.append(net.stepper(0.01)(X[0, -1].tolist(), Y[0, -1].tolist()).copy())
        y += [net.learn(X[0], Y[0], 0.01)]
        y += net.fit(X, Y, epochs=2, rule=rule, optimizer=ng.SGD(0.01)).loss
        rec = net.run(X)
        return [*y, rec.outputs, net.backward(gradient=Y)]

    try:
        expected = course(net)
    except ng.NonFiniteError:
        assume(False)
    for a, b in zip(expected, course(twin), strict=True):
        assert a is b is None or np.array_equal(a, b)
    assert everything(twin) == everything(net)
    steps, samples = X.shape[1], len(X)
    kinds = ["activate", "update", "update", *["update"] * steps, *["update"] * 2 * steps * samples,
             *["run"] * steps * samples, "backward"]  # fmt: skip
    assert probe.events.tolist() == kinds


# ---------------------------------------------------------------- what is written down


def seen(net, X, Y, engine, optimizer):
    """What handles and a recording show after each update, one by one."""
    rows = []
    for q in range(0, len(X), 2):
        before = net.copy()
        before.forward(X[q : q + 2], engine=engine)
        rec = before.run(X[q : q + 2], engine=engine)
        before.backward(Y[q : q + 2])
        net.fit(X[q : q + 2], Y[q : q + 2], batch_size=2, shuffle=False, engine=engine,
                optimizer=optimizer)  # fmt: skip
        rows.append(
            {
                "weight": [s.weight for s in net.synapses],
                "grad": [s.grad for s in net.synapses] + [n.grad for n in net.neurons],
                "bias": [n.bias for n in net.neurons],
                "output": [rec[n.name].output[-1, -1] for n in net.neurons],
                "state": [rec[n.name].state[-1, -1] for n in net.neurons],
                "delta": [rec[n.name].delta[-1, -1] for n in net.neurons],
            }
        )
    return {kind: np.array([row[kind] for row in rows]) for kind in rows[0]}


@engines
@settings(max_examples=25)
@given(run=runs(), data=st.data())
def test_a_probe_tells_what_handles_would_show(engine, run, data):
    net, X, Y = run
    X, Y = np.concatenate([X, X[::-1], X]), np.concatenate([Y, Y[::-1], Y])
    optimizer = data.draw(st.sampled_from(OPTIMIZERS))
    twin = net.copy()
    try:
        expected = seen(net, X, Y, engine, optimizer)
    except ng.NonFiniteError:
        assume(False)
    assume(all(np.abs(values).max() < 1e6 for values in expected.values()))
    probe = probed(twin)
    trained(twin, X, Y, engine, optimizer, epochs=1, shuffle=False)
    for kind in ("weight", "bias", "grad", "output", "state", "delta"):
        found = probe[kind]
        assert found.shape == expected[kind].shape
        scale = max(1.0, np.abs(expected[kind]).max())
        assert np.abs(found - expected[kind]).max() <= 1e-12 * scale, kind
    assert probe["weight"][-1].tolist() == [s.weight for s in twin.synapses]
    assert probe["grad"][-1, : len(twin.synapses)].tolist() == [s.grad for s in twin.synapses]


def test_runs_are_told_step_by_step_and_sample_by_sample():
    net = ng.lstm(2, 2, 1, seed=0)
    X = np.random.default_rng(0).normal(size=(3, 4, 2))
    probe = net.probe(net.edges["cell.0", "output.0"], ["cell.0", "output.0"],
                      ("weight", "grad", "output", "state", "delta"))  # fmt: skip
    rec = net.run(X)
    assert probe["output"].shape == (12, 2)
    for k, name in enumerate(("cell.0", "output.0")):
        assert probe["output"][:, k].tolist() == rec[name].output.ravel().tolist()
        assert probe[name]["state"].tolist() == rec[name].state.ravel().tolist()
    assert np.isnan(probe["grad"]).all() and np.isnan(probe["delta"]).all()
    net.backward(np.zeros((3, 4, 1)))
    s = net.edges["cell.0", "output.0"]
    assert probe[s]["grad"][-1] == s.grad and probe[s]["weight"][-1] == s.weight
    assert probe["delta"][-1].tolist() == [net.nodes[n].delta for n in ("cell.0", "output.0")]
    assert probe.events[-1] == "backward" and len(probe) == 13
    net.predict(X)
    assert len(probe) == 13
    probe.clear()
    assert len(probe) == 0 and probe["weight"].shape == (0, 1)


def test_a_data_frame_has_a_row_for_each_record():
    pytest.importorskip("pandas")
    net = ng.perceptron(1, 2, 1, seed=0)
    probe = net.probe([("hidden.0", "output.0")], ["hidden.1"], every=2)
    net.fit([[0], [1]], [[0], [1]], epochs=3, batch_size=1)
    frame = probe.to_pandas()
    assert frame.index.tolist() == [(2, "update"), (4, "update"), (6, "update")]
    assert frame["weight", "hidden.0 -> output.0"].tolist() == probe["weight"][:, 0].tolist()
    assert frame["output", "hidden.1"].tolist() == probe["output"][:, 0].tolist()
    assert repr(probe) == "<probe of 2 elements: weight, grad, output; 3 records, every 2>"


@engines
def test_every_kind_of_training_is_told(engine):
    X, Y = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
    for fit in (
        lambda net: net.fit(X, Y, epochs=2, batch_size=2, engine=engine),
        lambda net: net.fit(X, Y, epochs=2, batch_size=2, engine=engine, loss="matching"),
        lambda net: net.fit(X, Y, epochs=4, optimizer=ng.LBFGS(), engine=engine),
        lambda net: ng.Trainer(net, iterations=1, error=0).train(X, Y),
        lambda net: net.learn(X, Y, 0.1),
    ):
        net = ng.perceptron(2, 3, 1, seed=0)
        net.engine = engine
        probe = net.probe(net.synapses, what="weight")
        fit(net)
        assert len(probe) == 4
        assert probe["weight"][-1].tolist() == net.weights.tolist()
        assert len(np.unique(probe["weight"][:, -1])) == 4
    net = ng.perceptron(2, 3, 1, seed=0)
    net.nodes["hidden.0"].dropout = 0.5
    probe = net.probe(net.synapses, what="weight")
    net.fit(X, Y, epochs=2, batch_size=2, engine=engine)
    assert probe["weight"][-1].tolist() == net.weights.tolist() and len(probe) == 4


@settings(max_examples=60)
@given(
    n=st.integers(1, 200),
    capacity=st.integers(2, 17),
    every=st.integers(1, 3),
    keep=st.sampled_from(["spread", "last"]),
    cut=st.lists(st.integers(1, 50), min_size=1),
)
def test_memory_is_bounded_and_keeps_what_it_says(n, capacity, every, keep, cut):
    records, numbers = Records(1, capacity, keep, every), np.arange(1, n + 1)
    first = 0
    while first < n:
        for size in cut:
            part = numbers[first : first + size]
            records.append(part, part % 4, part[:, None] / 2)
            first += size
    found = records.numbers()
    assert len(records) == len(found) <= capacity and len(records._rows) <= max(capacity, 16)
    assert (records.rows()[:, 0] == found / 2).all()
    assert (records.events() == found % 4).all()
    due = numbers[numbers % every == 0]
    if keep == "last":
        assert found.tolist() == due[-capacity:].tolist()
    else:
        assert found.tolist() == numbers[numbers % records.every == 0].tolist()
        assert records.every == every or len(found) > capacity // 2 - 1


def test_the_default_memory_is_bounded():
    net = ng.perceptron(1, 1, seed=0)
    probe = net.probe(net.synapses, what="weight")
    net.fit(np.zeros((100, 1)), np.ones((100, 1)), batch_size=1, epochs=250, engine="compiled")
    assert len(probe) == 25_000 // 4 and probe.every == 4
    last = net.probe(net.synapses, what="weight", keep="last", capacity=30)
    net.fit(np.zeros((100, 1)), np.ones((100, 1)), batch_size=1, engine="compiled")
    assert last.moments.tolist() == list(range(71, 101))


# ---------------------------------------------------------------- watchpoints


@engines
@settings(max_examples=15)
@given(run=runs(), data=st.data())
def test_a_watchpoint_stops_where_training_up_to_there_would_stand(engine, run, data):
    net, X, Y = run
    # All batches of one size, for a batch that is smaller alone runs in another kernel.
    X, Y = np.concatenate([X, X[::-1]]), np.concatenate([Y, Y[::-1]])
    twin, third = net.copy(), net.copy()
    optimizer = data.draw(st.sampled_from(OPTIMIZERS))
    n = -(-len(X) // 2)
    at = data.draw(st.integers(1, 3 * n))
    probe = probed(twin, when=lambda moment: moment.number == at)
    try:
        history = trained(twin, X, Y, engine, optimizer, shuffle=False)
        for q in range(at):
            some = slice(2 * (q % n), 2 * (q % n) + 2)
            trained(net, X[some], Y[some], engine, optimizer, epochs=1, shuffle=False)
        whole = trained(third, X, Y, engine, optimizer, shuffle=False)
    except ng.NonFiniteError:
        assume(False)
    assert probe.stopped and [hit.number for hit in probe.hits] == [at]
    assert probe.moments[-1] == at
    assert history.loss == whole.loss[: at // n] and not history.interrupted
    assert everything(twin) == everything(net)
    probe.remove()
    rest = slice(2 * (at % n), None)
    if at % n:
        trained(twin, X[rest], Y[rest], engine, optimizer, epochs=1, shuffle=False)
    for _ in range(2 - (at - 1) // n if at % n else 3 - at // n):
        trained(twin, X, Y, engine, optimizer, epochs=1, shuffle=False)
    assert everything(twin) == everything(third)


@engines
def test_conditions_are_met_at_the_first_record_of_a_change(engine):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(300, 3)), rng.normal(size=(300, 2))

    def fresh():
        return ng.perceptron(3, 4, 2, activation="relu", output_activation="identity", seed=1)

    whole = fresh()
    record = whole.probe(whole.synapses, ["hidden.0", "hidden.1", "hidden.2", "hidden.3"])
    whole.fit(X, Y, batch_size=1, shuffle=False, optimizer=ng.SGD(0.05), engine=engine)
    weights, outputs = record["weight"], record["output"]
    gradients = record["grad"][:, : weights.shape[1]]
    above = weights >= 0.02
    crossed = 1 + np.argmax((above[1:] != above[:-1]).any(1)) + 1
    exploded = 1 + np.argmax((np.abs(gradients) > 0.8).any(1))
    quiet = np.stack([(outputs[r : len(outputs) - 5 + r] == 0) for r in range(6)]).all(0)
    died = 6 + np.argmax(quiet.any(1))
    assert min(crossed, exploded, died) > 1 and quiet.any()
    for condition, at in (
        (ng.watch.crosses(0.02), crossed),
        (ng.watch.explodes(0.8), exploded),
        (ng.watch.dies(6), died),
    ):
        net = fresh()
        neurons = (
            ["hidden.0", "hidden.1", "hidden.2", "hidden.3"] if condition.what == "output" else None
        )
        probe = net.probe(net.synapses, neurons, when=condition)
        history = net.fit(X, Y, batch_size=1, shuffle=False, optimizer=ng.SGD(0.05), engine=engine)
        assert probe.hits[0].number == at == len(probe) and len(history) == 0
        assert net.weights.tolist() == weights[at - 1].tolist()
        assert str(at) in repr(probe.hits[0]) and condition.what in repr(probe.hits[0])


@engines
def test_a_watchpoint_may_call_back_and_go_on(engine):
    net = ng.perceptron(1, 1, seed=0)
    net.weights = [-1]
    found = []

    def then(hit):
        found.append((hit.number, hit.element.weight == hit.value, net._store.updates))
        return len(found) == 2

    up_and_down = np.where(np.arange(60) // 20 % 2, 0.0, 1.0)[:, None]
    net.probe(net.synapses, when=ng.watch.crosses(-0.9), then=then)
    history = net.fit(np.ones((60, 1)), up_and_down, batch_size=1, shuffle=False, epochs=9,
                      optimizer=ng.SGD(0.5), engine=engine)  # fmt: skip
    assert len(found) == 2 and len(history) < 9
    assert all(same and number == updates for number, same, updates in found)


def test_a_stop_leaves_the_generator_where_the_last_update_did():
    X, Y = np.random.default_rng(0).random((2, 20, 1))
    for at in (4, 5, 7, 10):
        net, twin = ng.perceptron(1, 2, 1, seed=0), ng.perceptron(1, 2, 1, seed=0)
        net.probe(net.synapses, when=lambda m, at=at: m.number == at)
        net.fit(X, Y, batch_size=4, epochs=9, engine="compiled")
        twin.fit(X, Y, batch_size=4, epochs=-(-at // 5))
        assert net.rng.bit_generator.state == twin.rng.bit_generator.state


@engines
def test_online_learning_stops_after_the_step(engine):
    X, Y = np.random.default_rng(0).random((2, 30, 1))
    net, twin = ng.perceptron(1, 2, 1, seed=0), ng.perceptron(1, 2, 1, seed=0)
    net.engine = twin.engine = engine
    probe = net.probe(net.synapses, when=lambda moment: moment.number == 7)
    y = net.learn(X, Y, 0.5)
    assert len(y) == 7 == len(probe) and probe.stopped
    assert np.array_equal(y, twin.learn(X[:7], Y[:7], 0.5))
    assert everything(net) == everything(twin)
    probe.clear()
    history = net.fit(X[:5], Y[:5], epochs=4, rule="lstm-g", shuffle=False)
    assert len(history) == 1 and len(probe) == 7
    probe.clear()
    assert ng.Trainer(net, iterations=9, error=0).train(X[:5], Y[:5]).stopped == "probe"
    assert len(probe) == 10


# ---------------------------------------------------------------- placing and removing


def test_removing_a_probe_removes_only_that_probe():
    net = ng.perceptron(1, 1, seed=0)
    first, second = (net.probe(net.synapses, every=e) for e in (1, 2))
    with net.probe(net.synapses) as third:
        net.forward([1])
    net.forward([[1], [1], [1]])
    second.remove()
    net.forward([1])
    assert (len(first), len(second), len(third)) == (5, 2, 1)
    second.remove()
    assert "removed probe" in repr(second) and "removed" not in repr(first)
    assert len(net._probes) == 1
    assert len(net.copy()._probes) == 0


@engines
def test_what_is_removed_is_not_a_number_from_then_on(engine):
    net = ng.perceptron(2, 2, 1, seed=0)
    gone, kept = net.edges["input.0", "hidden.0"], net.edges["input.1", "hidden.1"]
    probe = net.probe([gone, kept], ["hidden.0"])
    net.fit([[1, 1]], [[1]], engine=engine)
    net.remove_node("hidden.0")
    net.fit([[1, 1]], [[1]], engine=engine)
    assert np.isnan(probe[gone]["weight"]).tolist() == [False, True]
    assert np.isnan(probe["output"][:, 0]).tolist() == [False, True]
    assert probe[kept]["weight"][-1] == kept.weight
    assert gone in probe.removed and len(probe.removed) == 2
    assert "2 of them removed" in repr(probe)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs synapses= or neurons="),
        ({"synapses": [("input.0", "nobody")]}, "no synapse"),
        ({"neurons": ["nobody"]}, "no neuron 'nobody'"),
        ({"neurons": ["hidden.0"], "what": "weight"}, "what must be of"),
        ({"neurons": ["hidden.0"], "what": "outputs"}, "Did you mean 'output'"),
        ({"neurons": ["hidden.0"], "every": 0}, "every must be a whole number of 1 or more, got 0"),
        ({"neurons": ["hidden.0"], "every": 1.5}, "every must be a whole number of 1 or more"),
        ({"neurons": ["hidden.0"], "capacity": 1}, "capacity must be 2"),
        ({"neurons": ["hidden.0"], "keep": "all"}, "keep must be"),
        ({"neurons": ["hidden.0"], "when": 3}, "when must be a condition"),
        ({"neurons": ["hidden.0"], "when": "dies"}, "when must be a condition"),
        ({"neurons": ["hidden.0"], "when": ng.watch.crosses(0)}, "looks at 'weight'"),
        ({"neurons": ["hidden.0"], "then": "go"}, "then must be"),
    ],
)
def test_what_does_not_fit_is_said(options, message):
    net = ng.perceptron(2, 2, 1, seed=0)
    with pytest.raises(ng.ParameterError, match=message):
        net.probe(**options)
    assert not net._probes


def test_elements_of_others_are_refused():
    net, other = ng.perceptron(2, 2, 1, seed=0), ng.perceptron(2, 2, 1, seed=0)
    with pytest.raises(ng.ParameterError, match="another network"):
        net.probe(list(other.synapses))
    with pytest.raises(ng.ParameterError, match="another network"):
        net.probe(neurons=list(other.neurons))
    gone = net.edges["input.0", "hidden.0"]
    net.remove_edge("input.0", "hidden.0")
    with pytest.raises(ng.DetachedError):
        net.probe(gone)
    probe = net.probe(net.synapses, what="weight")
    with pytest.raises(ng.ParameterError, match="this probe has no"):
        probe["output"]
    for wrong in (
        lambda: ng.watch.explodes(-1),
        lambda: ng.watch.dies(0),
        lambda: ng.watch.dies(1, 2),
    ):
        with pytest.raises(ng.ParameterError):
            wrong()


@given(net=networks())
@settings(max_examples=10)
def test_a_network_with_probes_is_copied_and_pickled_without(net):
    import pickle

    net.probe(net.synapses)
    for twin in (net.copy(), pickle.loads(pickle.dumps(net))):
        twin.predict(np.zeros(len(net.inputs)))
        assert not twin._probes


@pytest.mark.parametrize(("every", "capacity"), [(1, 20_000), (3, 20_000), (1, 7), (2, 100)])
def test_moments_are_numbered_on_through_runs_and_training(every, capacity):
    net = ng.Network([("x", "y", {"weight": 1.0})])
    net.inputs, net.outputs, net.nodes["y"].activation = ["x"], ["y"], "identity"
    probe = net.probe(neurons="y", what="output", every=every, capacity=capacity)
    wanted, events = [], []
    for samples, steps in ((5, 2), (1, 1), (3001, 3), (4, 1)):  # one longer than a piece
        X = len(wanted) + np.arange(samples * steps, dtype=float)
        net.run(X.reshape(samples, steps, 1))
        net.backward(np.zeros((samples, steps, 1)))
        wanted += [*X, X[-1]]
        events += [*["run"] * len(X), "backward"]
    due = np.arange(probe.every, len(wanted) + 1, probe.every)
    assert probe.every == every if capacity == 20_000 else probe.every > every
    assert probe.moments.tolist() == due.tolist()
    assert probe.events.tolist() == [events[number - 1] for number in due]
    assert probe["output"][:, 0].tolist() == [wanted[number - 1] for number in due]


# ---------------------------------------------------------------- how users name them


def test_synapses_and_neurons_are_named_one_or_many_by_handle_or_by_name():
    a, b, pair = "a", ("b", 0), ("a", ("b", 0))  # a name may be a pair, and of an edge too
    net = ng.Network([(a, b, {}), (b, pair, {}), (pair, a, {})])
    ab, bp, pa = net.edges[a, b], net.edges[b, pair], net.edges[pair, a]
    for named, meant in [
        (None, []),
        (ab, [ab]),
        ((a, b), [ab]),
        ((b, pair), [bp]),  # two tuples, and yet one synapse
        ((pair, a), [pa]),
        ((ab, pa), [ab, pa]),
        (((a, b), (b, pair)), [ab, bp]),
        ([(pair, a), ab], [pa, ab]),
        (iter([ab]), [ab]),
        ([], []),
    ]:
        assert own_synapses(net, named) == meant
    for named, meant in [
        (None, []),
        (a, [a]),
        (b, [b]),
        (pair, [pair]),
        (net.nodes[b], [b]),
        ((b, pair), [b, pair]),
        ([net.nodes[a], b], [a, b]),
        ((a, a, b), [a, a, b]),
        ([], []),
    ]:
        assert [neuron.name for neuron in own_neurons(net, named)] == meant


def test_what_names_no_synapse_or_no_neuron_is_told_whole():
    net = ng.perceptron(1, 1, seed=0)
    x, y = net.nodes
    other = ng.perceptron(1, 1, seed=0)
    for named, says in [
        ((y, x), f"no synapse {(y, x)!r} in this network"),
        ([(y, x)], f"no synapse {(y, x)!r} in this network"),
        ((1, 2), "no synapse (1, 2) in"),
        (x, f"no synapse {x!r} in"),
        ([x], f"no synapse {x!r} in"),
        (([x], [y]), f"no synapse {([x], [y])!r} in"),
        (5, "no synapse 5 in"),
        ((x, y, x), f"no synapse {x!r} in"),
        ((net.nodes[x], net.nodes[y]), "synapses= takes synapses, and got neuron 'input.0'"),
        (net.nodes[x], "synapses= takes synapses, and got neuron 'input.0'"),
        (other.edges[x, y], "another network"),
    ]:
        with pytest.raises(ng.NeurographError, match=re.escape(says)):
            own_synapses(net, named)
    for named, says in [
        ("no", "'no'"),
        ([x, "no"], "'no'"),
        (net.edges[x, y], "neurons= takes neurons, and got synapse "),
        ((x, net.edges[x, y]), "neurons= takes neurons, and got synapse "),
        (other.nodes[x], "another network"),
        (5, "5"),
    ]:
        with pytest.raises(ng.NeurographError, match=re.escape(says)):
            own_neurons(net, named)
