"""Probes of online learning: kernels write down what handles would show, step by step."""

from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import neurograph as ng
from neurograph.engines import ENGINES
from neurograph.inspection import telling
from tests.strategies import close
from tests.test_online import EVERY_RULE, lessons, ready_for, settled, targets_for
from tests.test_probes import everything as whole

WHAT = ("weight", "grad", "bias", "output", "state", "delta")
IN_KERNEL = ["lstm-g", "synaptic", "rtrl"]
by_rule = pytest.mark.parametrize("rule", EVERY_RULE, ids=str)
by_engine = pytest.mark.parametrize("engine", ENGINES)


def probed(net, **options):
    return net.probe(net.synapses, net.neurons, WHAT, **options)


def shown(net, event):
    """What handles show after a step, in the order of a probe's columns."""
    of = {"weight": net.synapses, "grad": [*net.synapses, *net.neurons]}
    found = []
    for kind in WHAT:
        for handle in of.get(kind, net.neurons):
            unknown = event == "activate" and kind in ("grad", "delta")
            found.append(np.nan if unknown else getattr(handle, kind))
    return found


def rows_of(probe):
    return np.concatenate([probe[kind] for kind in WHAT], axis=1)


def drawn(data, rule, engine):
    """A network for this rule, inputs, targets: some steps are not asked."""
    net, X, _ = data.draw(lessons(ties=rule != "synaptic"))
    assume(ready_for(net, rule))
    net.engine = engine
    Y = targets_for(net, X, np.random.default_rng(data.draw(st.integers(0, 99))))
    Y[np.random.default_rng(0).random(len(Y)) < 0.3] = np.nan
    return net, X, Y


def by_hand(net, X, Y, rate):
    """Single steps; yield what happened, after each."""
    for x, y in zip(X, Y, strict=True):
        net.activate(x)
        asked = not np.isnan(y).all()
        if asked:
            net.propagate(rate, y)
        yield "update" if asked else "activate"


@by_engine
@by_rule
@settings(max_examples=12)
@given(data=st.data())
def test_a_probe_of_learn_tells_what_handles_would_show(rule, engine, data):
    net, X, Y = drawn(data, rule, engine)
    twin = net.copy()
    every = data.draw(st.integers(1, 3))
    seen, looking = probed(twin), probed(twin, every=every, capacity=data.draw(st.integers(2, 4)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(telling, "BLOCK", data.draw(st.sampled_from([1, 200, 2**20])))
        try:
            expected = [(event, shown(net, event)) for event in by_hand(net, X, Y, 0.1)]
        except ng.NonFiniteError:
            assume(False)
        assume(settled(net))
        twin.learn(X, Y, 0.1)
    assert seen.events.tolist() == [event for event, _ in expected]
    numbers = np.array([row for _, row in expected])
    assert np.isnan(rows_of(seen)).tolist() == np.isnan(numbers).tolist()
    assert close(np.nan_to_num(rows_of(seen)), np.nan_to_num(numbers), 1e-12)
    assert looking.moments.tolist() == list(range(looking.every, len(X) + 1, looking.every))
    assert np.array_equal(rows_of(looking), rows_of(seen)[looking.moments - 1], equal_nan=True)


@by_engine
@by_rule
@settings(max_examples=12)
@given(data=st.data())
def test_learn_with_probes_is_learn_without(rule, engine, data):
    net, X, Y = drawn(data, rule, engine)
    twin = net.copy()
    try:
        expected = net.learn(X, Y, 0.1)
    except ng.NonFiniteError:
        assume(False)
    probed(twin, every=2)
    # It is met again and again, so that kernels go back and repeat.
    probed(twin, when=lambda moment: moment.number % 2, then=lambda hit: None)
    assert np.array_equal(twin.learn(X, Y, 0.1), expected)
    assert whole(twin) == whole(net)
    kept = zip(twin._online.fields.values(), net._online.fields.values(), strict=True)
    assert all(np.array_equal(a, b) for a, b in kept)


@by_engine
@by_rule
@settings(max_examples=12)
@given(data=st.data())
def test_a_watchpoint_of_learn_stops_where_fewer_steps_would_stand(rule, engine, data):
    net, X, Y = drawn(data, rule, engine)
    twin, third = net.copy(), net.copy()
    at = data.draw(st.integers(1, len(X)))
    probe = probed(twin, when=lambda moment: moment.number == at)
    try:
        expected = net.learn(X[:at], Y[:at], 0.1)
        third.learn(X, Y, 0.1)
    except ng.NonFiniteError:
        assume(False)
    assert np.array_equal(twin.learn(X, Y, 0.1), expected)
    assert whole(twin) == whole(net) and probe.stopped and len(probe) == at
    probe.remove()
    twin.learn(X[at:], Y[at:], 0.1)
    assert whole(twin) == whole(third)


@by_engine
@by_rule
@settings(max_examples=10)
@given(data=st.data())
def test_a_watchpoint_of_fit_by_a_rule_stops_after_its_step(rule, engine, data):
    net, X, Y = drawn(data, rule, engine)
    assume(not np.isnan(Y).all())
    X, Y = np.stack([X, X[::-1], X / 2]), np.stack([Y, Y[::-1], Y])
    twin = net.copy()
    fit = partial(ng.Network.fit, X=X, Y=Y, rule=rule, loss="matching", shuffle=False,
                  optimizer=ng.SGD(0.1))  # fmt: skip
    record = probed(net)
    try:
        fit(net)
    except ng.NonFiniteError:
        assume(False)
    at = data.draw(st.integers(1, len(record)))
    probe = probed(twin, when=lambda moment: moment.number == at)
    history = fit(twin)
    assert len(probe) == at == probe.hits[0].number
    assert len(history) == (at == len(record))
    assert np.array_equal(rows_of(probe), rows_of(record)[:at], equal_nan=True)
    assert twin.weights.tolist() == record["weight"][at - 1].tolist()


@pytest.mark.parametrize("rule", IN_KERNEL)
def test_steps_are_told_by_the_kernel(rule, monkeypatch):
    def refuse(*args):
        raise AssertionError("a step was told by itself")

    monkeypatch.setattr(telling, "observe", refuse)
    net = ng.perceptron(2, 3, 1, seed=0)
    net.rule, net.engine = rule, "compiled"
    probe = net.probe(net.synapses, net.neurons)
    X = np.random.default_rng(0).random((500, 2))
    net.learn(X, X[:, :1], 0.1)
    net.fit(X, X[:, :1], rule=rule, loss="matching")
    assert len(probe) == 1000 and np.isfinite(probe["weight"]).all()


@by_engine
def test_who_is_called_back_sees_the_network_as_that_step_left_it(engine):
    net = ng.lstm(2, 2, 1, seed=0)
    net.engine = engine
    X = np.random.default_rng(0).random((40, 2))
    weights = []

    def then(hit):
        weights.append(net.weights.copy())
        net.edges["cell.0", "output.0"].weight = 5.0
        return len(weights) == 3

    probe = net.probe(net.synapses, what="weight", when=lambda m: m.number % 5 == 0, then=then)
    assert len(net.learn(X, X[:, :1], 0.5)) == 15 == len(probe)
    assert [w.tolist() for w in weights] == probe["weight"][4::5].tolist()
    edited = probe[net.edges["cell.0", "output.0"]]["weight"]
    assert edited[4] < 1 and edited[5] > 4  # the step after goes on from there


@by_engine
@by_rule
def test_the_first_step_of_a_sample_that_overflows_is_named(engine, rule):
    """Where steps were done again, the one that failed was taken for begun."""
    net = ng.perceptron(1, 1, 1, activation="identity", output_activation="identity", seed=0)
    net.edges["input.0", "hidden.0"].weight = 1e10
    X, Y = np.full((3, 4, 1), 1e-10), np.full((3, 4, 1), np.nan)
    Y[0] = 1
    X[2, 0] = 1e300
    for watched in (False, True):
        if watched:
            net.probe(net.synapses, when=lambda moment: False)
        with pytest.raises(ng.NonFiniteError) as caught:
            net.fit(X, Y, rule=rule, loss="matching", shuffle=False, engine=engine)
        error = caught.value
        assert (error.sample, error.step, error.neuron) == (2, 0, "hidden.0"), str(error)
        assert net._store.updates == 0


@by_engine
@by_rule
def test_a_watchpoint_that_is_met_before_a_step_overflows_stops_without_an_error(engine, rule):
    net = ng.perceptron(1, 1, 1, activation="identity", output_activation="identity", seed=0)
    net.rule, net.engine = rule, engine
    net.edges["input.0", "hidden.0"].weight = 1e10
    X, Y = np.full((12, 1), 1e-10), np.zeros((12, 1))
    X[9] = 1e300
    probe = net.probe(net.synapses, when=lambda moment: moment.number == 6)
    assert len(net.learn(X, Y, 0.01)) == 6 == len(probe)
    assert net._online.steps == 6


@by_engine
@pytest.mark.parametrize("online", [False, True])
def test_each_of_several_probes_sees_its_own_moments(engine, online):
    X = np.random.default_rng(0).random((40, 1))
    net = ng.perceptron(1, 2, 1, seed=0)
    net.engine = engine
    seen = {4: [], 6: []}

    def note(every, moment):
        seen[every].append(moment.number)
        assert moment["weight"].tolist() == record["weight"][moment.number - 1].tolist()

    twin = net.copy()
    record = twin.probe(twin.synapses, what="weight")
    for every, numbers in seen.items():
        when = partial(note, every)
        # Full after two records: what is kept gets rare, what is judged does not.
        net.probe(net.synapses, what="weight", every=every, capacity=2, when=when)
        assert not numbers
    for one in (twin, net):
        if online:
            one.learn(X, X, 0.1)
        else:
            one.fit(X, X, batch_size=1, shuffle=False)
    assert seen == {4: list(range(4, 41, 4)), 6: list(range(6, 41, 6))}


@by_engine
@pytest.mark.parametrize("online", [False, True])
def test_the_earliest_of_several_watchpoints_stops(engine, online):
    X = np.random.default_rng(0).random((40, 1))
    net = ng.perceptron(1, 2, 1, seed=0)
    net.engine = engine
    one, two = (
        net.probe(net.synapses, when=lambda moment, at=at: moment.number == at) for at in (9, 5)
    )
    if online:
        net.learn(X, X, 0.1)
    else:
        net.fit(X, X, batch_size=1, shuffle=False)
    assert len(one) == len(two) == 5 and two.stopped
    assert [hit.number for hit in two.hits] == [5] and not one.hits and not one.stopped


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("block", [1, 40, 2**20])
def test_a_kernel_writes_down_as_much_as_there_is_room_for(monkeypatch, every, block):
    net = ng.perceptron(2, 1, seed=0)
    columns = len(net.probe(net.synapses, every=every).columns)
    columns += len(net.probe(net.synapses, every=2 * every).columns)
    monkeypatch.setattr(telling, "BLOCK", block)
    found = telling.Tapping(net, np.zeros(1000, np.int64))
    size, due = found.taps.rows.size, 1000 // every * columns
    if block < columns:  # one row has room in any case
        assert found.moments >= 1 and size <= columns
    elif block < due:
        assert size <= block < size + columns
    else:
        assert found.moments == 1000 and size == due
