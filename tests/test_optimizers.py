"""Optimizers: against PyTorch, against each other's engines, and one contract for all of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import neurograph as ng
from neurograph.engines import ENGINES
from neurograph.learning.schedules import rate_at
from tests.strategies import SMOOTH, close, networks, sequences

OPTIMIZERS = [
    ng.SGD(0.1),
    ng.Momentum(0.05, momentum=0.8),
    ng.Nesterov(0.05),
    ng.RMSprop(0.02),
    ng.Adam(0.05),
    ng.AdamW(0.05, weight_decay=0.1),
    ng.Rprop(0.05),
]
PLUS = [
    replace(OPTIMIZERS[0], clip_norm=0.05),
    replace(OPTIMIZERS[1], clip_value=0.01, l1=0.01),
    replace(OPTIMIZERS[4], clip_norm=0.1, l2=0.02),
    replace(OPTIMIZERS[5], rate=ng.schedules.Cosine(0.1, steps=9)),
]


def name_of(optimizer):
    extra = [f for f in ("clip_value", "clip_norm", "l1", "l2") if getattr(optimizer, f)]
    return "+".join([type(optimizer).__name__, *extra])


every = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=name_of)
also = pytest.mark.parametrize("optimizer", [*OPTIMIZERS, *PLUS], ids=name_of)


@every
def test_a_hundred_steps_are_those_of_pytorch(optimizer):
    torch = pytest.importorskip("torch")
    kinds = {
        "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
        "Momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.8),
        "Nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
        "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.02),
        "Adam": lambda p: torch.optim.Adam(p, lr=0.05),
        "AdamW": lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.1),
        "Rprop": lambda p: torch.optim.Rprop(p, lr=0.05),
    }
    rng = np.random.default_rng(0)
    ours = rng.normal(size=7)
    theirs = torch.tensor(ours.copy(), requires_grad=True)
    step = kinds[type(optimizer).__name__]([theirs])
    state = optimizer.init(ours)
    for _ in range(100):
        gradient = rng.normal(size=7) * rng.choice([0, 1, 1], 7)
        ours, state = optimizer.update(gradient, state, ours, optimizer.rate)
        theirs.grad = torch.tensor(gradient)
        step.step()
        assert close(ours, theirs.detach().numpy(), 1e-10)


def test_clipping_and_l2_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    net = ng.perceptron(3, 4, 2, activation="tanh", output_activation="identity", seed=0)
    X, Y = np.random.default_rng(0).normal(size=(2, 20, 3))
    Y = Y[:, :2]
    hidden, out = torch.nn.Linear(3, 4).double(), torch.nn.Linear(4, 2).double()
    with torch.no_grad():
        hidden.weight[:] = torch.tensor(net.weights[:12].reshape(3, 4).T)
        out.weight[:] = torch.tensor(net.weights[12:].reshape(4, 2).T)
        hidden.bias[:], out.bias[:] = 0, 0
    parts = [*hidden.parameters(), *out.parameters()]
    decay = [hidden.weight, out.weight], [hidden.bias, out.bias]
    step = torch.optim.Adam(
        [{"params": decay[0], "weight_decay": 0.02}, {"params": decay[1]}], lr=0.05
    )
    for _ in range(10):
        step.zero_grad()
        y = out(torch.tanh(hidden(torch.tensor(X))))
        (((y - torch.tensor(Y)) ** 2).sum() / 2 / len(X)).backward()
        torch.nn.utils.clip_grad_norm_(parts, 0.1, foreach=False)
        step.step()
    for engine in ENGINES:
        twin = net.copy()
        optimizer = ng.Adam(0.05, clip_norm=0.1, l2=0.02)
        twin.fit(X, Y, epochs=10, shuffle=False, optimizer=optimizer, engine=engine)
        # PyTorch divides by the norm plus 1e-6.
        assert close(twin.weights[:12].reshape(3, 4).T, hidden.weight.detach().numpy(), 1e-5)
        assert close(twin.weights[12:].reshape(4, 2).T, out.weight.detach().numpy(), 1e-5)


# ---------------------------------------------------------------- one contract for all


def state_of(net):
    """Everything that learning changes."""
    tables = net._store.synapses, net._store.neurons
    found = {f"{k} {slot}": t.array(slot).copy() for k, t in enumerate(tables)
             for slot in t.slots()}  # fmt: skip
    return found | {"weights": net.weights, "biases": net.biases, "gradients": net.gradients}


def require_same(a, b, tolerance):
    first, second = state_of(a), state_of(b)
    assert first.keys() == second.keys()
    for name in first:
        assert close(first[name], second[name], tolerance), name


@st.composite
def limited(draw, **options):
    """A network where some are frozen, slow, bounded, or have a sign."""
    net = draw(networks(activations=SMOOTH, **options))
    assume(all(abs(s.weight) <= 1 for s in net.synapses if s.reads == "state"))
    synapses, neurons = st.sampled_from(list(net.synapses)), st.sampled_from(list(net.nodes))
    for s in draw(st.lists(synapses, max_size=2)):
        s.trainable = False
    for s in draw(st.lists(synapses, max_size=2)):
        s.rate_factor = draw(st.sampled_from([0, 0.5, 3]))
    for s in draw(st.lists(synapses, max_size=2)):
        s.lower, s.upper = s.weight - 0.001, s.weight + 0.01
    for name in draw(st.lists(neurons, max_size=1)):
        net.nodes[name].trainable, net.nodes[name].rate_factor = draw(st.booleans()), 0.3
    return net


def batches(draw, net, dtype=float):
    X = draw(sequences(net, max_samples=4)).astype(dtype)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    Y = rng.uniform(-1, 1, (*X.shape[:2], len(net.outputs)))
    Y[rng.random(Y.shape) < 0.1] = np.nan
    assume(not np.isnan(Y).all())
    return X, Y, draw(st.sampled_from([None, rng.uniform(0.1, 2, len(X))]))


@also
@given(data=st.data())
def test_kernels_update_as_the_definition(optimizer, data):
    net = data.draw(limited())
    X, Y, weight = batches(data.draw, net)
    size = data.draw(st.integers(1, 3))
    twin = net.copy()
    options = {"epochs": 3, "batch_size": size, "optimizer": optimizer, "sample_weight": weight}
    try:
        first = net.fit(X, Y, engine="walker", **options)
    except (ng.NonFiniteError, ng.ParameterError):  # or bounds of tied synapses leave nothing
        assume(False)
    second = twin.fit(X, Y, engine="compiled", **options)
    assume(all(np.abs(v).max(initial=0) < 1e3 for v in state_of(net).values()))
    # A gradient of exactly 0 in one order of sums is 1e-17 in another, and these divide by it.
    divides = {"RMSprop", "Adam", "AdamW", "Rprop"}
    if type(optimizer).__name__ in divides:
        assume(all((np.abs(net._store.synapses.array("grad")) > 1e-9)
                   | (net._store.synapses.array("grad") == 0)))  # fmt: skip
        assume(min(np.abs(n.grad) for n in net.neurons if n.role != "input") > 1e-9)
        tolerance = 1e-6
    else:
        tolerance = 1e-12
    require_same(net, twin, tolerance)
    assert close(first.loss, second.loss, tolerance)


@also
@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_frozen_bounded_or_tied_stays_so(optimizer, engine):
    net = ng.perceptron(3, 5, 2, seed=0)
    a, b, c, d = (
        net.edges[f"input.{i}", f"hidden.{j}"] for i, j in ((0, 0), (0, 1), (1, 0), (1, 1))
    )
    a.trainable, frozen = False, a.weight
    net.nodes["hidden.3"].trainable = False
    net.tie([b, c])
    d.lower, d.upper, d.weight = -0.1, 0.1, 0
    net.nodes["hidden.2"].sign, net.nodes["hidden.4"].sign = 1, -1
    slow = net.edges["input.2", "hidden.0"]
    slow.rate_factor, before = 0, slow.weight
    X, Y = np.random.default_rng(0).uniform(size=(2, 12, 3))
    net.fit(X, Y[:, :2], epochs=20, batch_size=5, optimizer=optimizer, engine=engine)
    assert a.weight == frozen and net.nodes["hidden.3"].bias == 0
    assert slow.weight == before
    assert b.weight == c.weight
    assert -0.1 <= d.weight <= 0.1
    assert all(s.weight >= 0 for s in net.nodes["hidden.2"].outgoing)
    assert all(s.weight <= 0 for s in net.nodes["hidden.4"].outgoing)
    assert net.edges["input.2", "hidden.1"].weight != 0


@every
@pytest.mark.parametrize("engine", ENGINES)
def test_a_rate_factor_scales_the_step(optimizer, engine):
    net = ng.perceptron(2, 3, 1, seed=0)
    twin = net.copy()
    s, t = (n.edges["input.0", "hidden.0"] for n in (net, twin))
    t.rate_factor, before = 0.25, s.weight
    X, Y = [[0.3, 0.8]], [[1]]
    net.fit(X, Y, optimizer=optimizer, engine=engine)
    twin.fit(X, Y, optimizer=optimizer, engine=engine)
    assert t.weight - before == pytest.approx((s.weight - before) / 4, rel=1e-9)
    assert net.edges["input.1", "hidden.0"].weight == twin.edges["input.1", "hidden.0"].weight


@every
@pytest.mark.parametrize("engine", ENGINES)
def test_state_survives_an_edit_of_the_topology(optimizer, engine):
    """Training, an edit, training: whoever stays has what it had; a new one starts afresh."""
    rng = np.random.default_rng(0)
    X, Y = rng.uniform(size=(9, 2)), rng.uniform(size=(9, 1))
    options = {"optimizer": optimizer, "engine": engine, "shuffle": False}
    net = ng.perceptron(2, 3, 1, seed=0)
    net.fit(X, Y, epochs=4, **options)
    twin = net.copy()  # has the state too
    other = net.add_neuron("late", activation="identity")
    into = net.add_synapse("input.0", "late", weight=0.5)
    net.add_neuron("passing"), net.remove_node("passing")
    net.fit(X, Y, epochs=4, **options)
    twin.fit(X, Y, epochs=4, **options)
    for s in twin.synapses:
        assert net.edges[s.source, s.target].weight == pytest.approx(s.weight, rel=1e-12)
    for n in twin.neurons:
        assert net.nodes[n.name].bias == pytest.approx(n.bias, rel=1e-12)
    assert into.weight == 0.5 or isinstance(optimizer, ng.AdamW)  # it leads nowhere
    assert other.bias == 0
    # A new synapse that matters moves as one of a network that has just begun.
    out = net.add_synapse("late", "output.0", weight=0.1)
    fresh = net.copy()
    fresh.reset_optimizer()
    net.fit(X[:1], Y[:1], **options), fresh.fit(X[:1], Y[:1], **options)
    assert out.weight == pytest.approx(fresh.edges["late", "output.0"].weight, rel=1e-9)
    assert out.weight != 0.1


@every
def test_two_fits_are_one_long_one(optimizer):
    rng = np.random.default_rng(0)
    X, Y = rng.uniform(size=(9, 2)), rng.uniform(size=(9, 1))
    net = ng.perceptron(2, 3, 1, seed=0)
    twin = net.copy()
    net.fit(X, Y, epochs=5, batch_size=4, optimizer=optimizer)
    twin.fit(X, Y, epochs=2, batch_size=4, optimizer=optimizer)
    twin.fit(X, Y, epochs=3, batch_size=4, optimizer=optimizer)
    require_same(net, twin, 0)
    twin.reset_optimizer()
    assert not twin._store.synapses.slots()


def test_one_of_another_class_starts_anew():
    net = ng.perceptron(2, 3, 1, seed=0)
    net.fit([[0, 1]], [[1]], optimizer=ng.Adam(0.1))
    assert net._store.synapses.array("optimizer mean").any()
    net.fit([[0, 1]], [[1]], optimizer=ng.Momentum(0.1))
    assert net._store.synapses.slots() == ["optimizer velocity"]
    net.initialize()
    assert not net._store.synapses.slots()


@pytest.mark.parametrize("engine", ENGINES)
def test_training_that_diverges_leaves_the_last_good_state(engine):
    net = ng.perceptron(2, 3, 1, activation="identity", seed=0)
    X, Y = np.ones((6, 2)), np.ones((6, 1))
    X[4] = 1e160
    optimizer = ng.Adam(0.1)
    twin = net.copy()
    with pytest.raises(ng.NonFiniteError):
        net.fit(X, Y, batch_size=2, shuffle=False, optimizer=optimizer, engine=engine)
    twin.fit(X[:4], Y[:4], batch_size=2, shuffle=False, optimizer=optimizer, engine=engine)
    require_same(net, twin, 0)
    assert net._store.updates == twin._store.updates == 2


# ---------------------------------------------------------------- schedules, and what is refused


def test_rates_follow_the_schedule_on_every_engine():
    seen = []

    def rate(update):
        seen.append(update)
        return 0.1 / (1 + update)

    X, Y = np.ones((4, 2)), np.ones((4, 1))
    nets = [ng.perceptron(2, 2, 1, seed=0) for _ in range(3)]
    for net, engine in zip(nets, ENGINES, strict=False):
        net.fit(X, Y, epochs=2, batch_size=2, optimizer=ng.SGD(rate), engine=engine, shuffle=False)
    for update in range(4):
        nets[2].fit(X[:2], Y[:2], optimizer=ng.SGD(0.1 / (1 + update)))
    assert {0, 1, 2, 3} <= set(seen)
    assert close(nets[0].weights, nets[2].weights, 1e-12)
    assert close(nets[1].weights, nets[2].weights, 1e-12)


def test_schedules_of_pytorch():
    torch = pytest.importorskip("torch")
    kinds = torch.optim.lr_scheduler
    for ours, theirs in [
        (ng.schedules.StepDecay(0.5, every=3, factor=0.3), lambda o: kinds.StepLR(o, 3, 0.3)),
        (ng.schedules.Exponential(0.5, 0.9), lambda o: kinds.ExponentialLR(o, 0.9)),
        (ng.schedules.Cosine(0.5, 7, final=0.1), lambda o: kinds.CosineAnnealingLR(o, 7, 0.1)),
    ]:
        step = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
        schedule = theirs(step)
        for update in range(7):
            assert rate_at(ours, update) == pytest.approx(step.param_groups[0]["lr"], rel=1e-12)
            step.step(), schedule.step()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ng.Adam(0), "rate must be above 0"),
        (lambda: ng.SGD(-1), "rate must be above 0"),
        (lambda: ng.SGD("fast"), "finite number"),
        (lambda: ng.Momentum(0.1, momentum=1), r"\[0, 1\)"),
        (lambda: ng.Adam(epsilon=0), "epsilon must be above 0"),
        (lambda: ng.AdamW(weight_decay=-1), "0 or more"),
        (lambda: ng.SGD(clip_norm=0), "clip_norm must be above 0"),
        (lambda: ng.SGD(l1=-0.1), "l1 must be 0 or more"),
        (lambda: ng.Rprop(grow=0.9), "grow must be above 1"),
        (lambda: ng.schedules.Cosine(0.1, 0), "steps must be 1"),
        (lambda: ng.schedules.Exponential(-1, 0.5), "rate must be 0 or more"),
        (lambda: ng.LBFGS(memory=0), "memory"),
    ],
)
def test_bad_optimizers(make, message):
    with pytest.raises(ng.ParameterError, match=message):
        make()


def test_bad_limits_and_rates_change_nothing():
    net = ng.perceptron(2, 2, 1, seed=0)
    a, b = net.edges["input.0", "hidden.0"], net.edges["input.1", "hidden.0"]
    for name, value in ("rate_factor", -1), ("lower", "x"), ("dropout", 1), ("upper", "x"):
        with pytest.raises(ng.ParameterError, match=name):
            setattr(a, name, value)
    with pytest.raises(ng.ParameterError, match="sign"):
        net.nodes["hidden.0"].sign = 2
    before = net.weights
    with pytest.raises(ng.ParameterError, match="rate of update 0"):
        net.fit([[0, 1]], [[1]], optimizer=ng.SGD(lambda n: -1))
    a.lower, b.upper = 0.5, -0.5
    net.tie([a, b])
    assert b.lower == 0.5 and b.upper == np.inf  # a tie shares the limits of its first
    b.upper = 0.1
    with pytest.raises(ng.ParameterError, match="leave nothing"):
        net.fit([[0, 1]], [[1]])
    before[list(net.synapses).index(b)] = a.weight
    assert (net.weights == before).all()


# ---------------------------------------------------------------- L-BFGS


def test_lbfgs_finds_what_least_squares_finds():
    net = ng.perceptron(3, 2, activation="identity", seed=0)
    net.edges["input.0", "output.1"].trainable = False
    net.edges["input.1", "output.1"].lower = 0.3
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(30, 3)), rng.normal(size=(30, 2))
    kept = net.edges["input.0", "output.1"].weight
    history = net.fit(X, Y, epochs=200, optimizer=ng.LBFGS())
    best = np.linalg.lstsq(np.c_[X, np.ones(30)], Y[:, 0], rcond=None)[0]
    found = [net.edges[f"input.{i}", "output.0"].weight for i in range(3)]
    assert close([*found, net.nodes["output.0"].bias], best, 1e-6)
    assert net.edges["input.0", "output.1"].weight == kept
    assert net.edges["input.1", "output.1"].weight >= 0.3
    assert history.loss == sorted(history.loss, reverse=True)


def test_lbfgs_keeps_ties_and_hears_callbacks():
    net = ng.perceptron(2, 3, 1, seed=1)
    a, b = net.edges["input.0", "hidden.0"], net.edges["input.1", "hidden.1"]
    net.tie([a, b])
    X, Y = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
    history = net.fit(X, Y, epochs=50, optimizer=ng.LBFGS(l2=1e-3),
                      callbacks=lambda epoch: epoch.number == 4)  # fmt: skip
    assert len(history) == 5
    assert a.weight == b.weight
