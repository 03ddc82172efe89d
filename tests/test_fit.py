"""What `fit` takes: validation, callbacks, weights, sequences of different lengths, dropout."""

import os
import signal

import numpy as np
import pytest

import neurograph as ng
from neurograph.engines import ENGINES
from tests.strategies import close

engines = pytest.mark.parametrize("engine", ENGINES)
RNG = np.random.default_rng(0)
X, Y = RNG.uniform(-1, 1, (12, 2)), RNG.uniform(0, 1, (12, 1))


def small(seed=0, **options):
    return ng.perceptron(2, 3, 1, seed=seed, **options)


# ---------------------------------------------------------------- weights


@engines
@pytest.mark.parametrize("optimizer", [ng.SGD(0.5), ng.Adam(0.1)])
@pytest.mark.parametrize("loss", ["squared_error", "mse", "binary_cross_entropy", "matching"])
def test_a_weight_of_two_is_the_sample_twice(engine, optimizer, loss):
    counts = np.array([1, 2, 0, 3, 1, 1, 2, 1, 0, 1, 1, 1])
    net, twin = small(), small()
    options = {"shuffle": False, "epochs": 3, "batch_size": 99, "engine": engine}
    options |= {"optimizer": optimizer, "loss": loss}
    a = net.fit(X, Y, sample_weight=counts, **options)
    b = twin.fit(X.repeat(counts, 0), Y.repeat(counts, 0), **options)
    assert close(net.weights, twin.weights, 1e-12)
    assert close(net.biases, twin.biases, 1e-12)
    assert close(a.loss, b.loss, 1e-12)


@engines
def test_weights_of_classes_are_those_of_their_samples(engine):
    labels = (Y[:, 0] > 0.3).astype(int)
    counts = np.bincount(labels)
    assert counts[0] != counts[1]
    options = {"shuffle": False, "epochs": 3, "batch_size": 5, "engine": engine}
    nets = [small() for _ in range(3)]
    nets[0].fit(X, labels, class_weight="balanced", **options)
    nets[1].fit(X, labels, class_weight={0: 12 / 2 / counts[0], 1: 12 / 2 / counts[1]}, **options)
    nets[2].fit(X, labels, sample_weight=(12 / 2 / counts)[labels], **options)
    assert (nets[0].weights == nets[1].weights).all()
    assert (nets[0].weights == nets[2].weights).all()
    many = ng.perceptron(2, 3, 2, output_activation="identity", seed=0)
    twin = many.copy()
    options["loss"] = "categorical_cross_entropy"
    many.fit(X, labels, class_weight={0: 3, 1: 1}, **options)
    twin.fit(X, labels, sample_weight=np.array([3, 1])[labels], **options)
    assert (many.weights == twin.weights).all()


# ---------------------------------------------------------------- sequences


def recurrent():
    net = ng.Network(seed=0)
    x = net.add_layer("x", 2, role="input")
    h = net.add_layer("h", 3, activation="tanh")
    y = net.add_layer("y", 1, role="output")
    x.project(h), h.project(y), h.project(h, delay=1, reads="output")
    return net


@engines
def test_what_is_beyond_the_end_of_a_sequence_plays_no_part(engine):
    lengths = [4, 1, 3]
    sequences = [RNG.normal(size=(n, 2)) for n in lengths]
    targets = [RNG.uniform(size=(n, 1)) for n in lengths]
    options = {"shuffle": False, "epochs": 3, "batch_size": 2, "engine": engine}
    nets = [recurrent() for _ in range(4)]
    nets[0].fit(sequences, targets, **options)
    padded, found = ng.pad(sequences)
    assert found.tolist() == lengths
    full = ng.pad(targets, 0.5)[0]
    for junk in (0, 7, np.nan):
        here = padded.copy()
        here[1, 1:] = junk
        net = nets[1] if junk == 0 else recurrent()
        net.fit(here, full, lengths=lengths, **options)
        assert (net.weights == nets[0].weights).all()
    # By hand: nothing asked there.
    by_hand = full.copy()
    for b, n in enumerate(lengths):
        by_hand[b, n:] = np.nan
    nets[2].fit(padded, by_hand, **options)
    assert (nets[2].weights == nets[0].weights).all()


@engines
def test_one_target_a_sequence_is_asked_at_its_last_step(engine):
    sequences = [RNG.normal(size=(n, 2)) for n in (4, 1, 3)]
    labels = np.array([0.0, 1, 1])
    net, twin = recurrent(), recurrent()
    options = {"shuffle": False, "epochs": 2, "engine": engine}
    net.fit(sequences, labels, **options)
    Y = np.full((3, 4, 1), np.nan)
    Y[[0, 1, 2], [3, 0, 2], 0] = labels
    twin.fit(ng.pad(sequences)[0], Y, **options)
    assert (net.weights == twin.weights).all()


# ---------------------------------------------------------------- validation and callbacks


def test_validation_data_are_measured_and_not_learned_from():
    net, twin = small(), small()
    history = net.fit(X, Y, epochs=4, validation=(X[:5], Y[:5]))
    assert history.validation_loss[-1] == pytest.approx(
        ((net.predict(X[:5]) - Y[:5]) ** 2).sum(1).mean() / 2, rel=1e-12
    )
    twin.fit(X, Y, epochs=4)
    assert (net.weights == twin.weights).all()
    part, by_hand = small(), small()
    found = part.fit(X, Y, epochs=4, validation=0.25, shuffle=False)
    other = by_hand.fit(X[:9], Y[:9], epochs=4, shuffle=False, validation=(X[9:], Y[9:]))
    assert (part.weights == by_hand.weights).all()
    assert found.validation_loss == other.validation_loss
    assert len(found.validation_loss) == len(found.loss) == 4


def test_early_stopping_restores_the_best():
    class Remember:
        seen = ()

        def __call__(self, epoch):
            weights = epoch.network.weights, epoch.network.biases
            self.seen = [*self.seen, (epoch.validation_loss, *weights)]

    net, remember = small(), Remember()
    rng = np.random.default_rng(1)
    noise = rng.uniform(size=(12, 1))
    history = net.fit(X, Y, epochs=300, validation=(X, noise), optimizer=ng.Adam(0.1),
                      callbacks=[remember, ng.EarlyStopping(patience=4)])  # fmt: skip
    losses = [loss for loss, _, _ in remember.seen]
    best = int(np.argmin(losses))
    assert history.best_epoch == best
    assert len(history) == best + 5 < 300
    assert (net.weights == remember.seen[best][1]).all()
    assert (net.biases == remember.seen[best][2]).all()
    assert f"best at epoch {best}" in repr(history)


def test_a_callback_may_end_training_and_edit_the_network():
    net = small()

    def grow(epoch):
        if epoch.number == 1:
            epoch.network.add_synapse("input.0", "output.0", weight=0.0)
        return epoch.number == 3

    history = net.fit(X, Y, epochs=10, optimizer=ng.Adam(0.1), callbacks=[grow])
    assert len(history) == 4
    assert net.edges["input.0", "output.0"].weight != 0


@engines
def test_callbacks_change_no_result(engine):
    net, twin = small(), small()
    options = {"epochs": 5, "batch_size": 5, "engine": engine, "optimizer": ng.Adam(0.1)}
    a = net.fit(X, Y, **options)
    b = twin.fit(X, Y, callbacks=[lambda epoch: None], **options)
    assert (net.weights == twin.weights).all()
    assert a.loss == b.loss


def test_finish_is_called_after_an_error_too():
    class Finish:
        done = 0

        def __call__(self, epoch):
            raise RuntimeError("mine")

        def finish(self, network, history):
            self.done += 1

    finish = Finish()
    with pytest.raises(RuntimeError, match="mine"):
        small().fit(X, Y, callbacks=finish)
    assert finish.done == 1


@engines
@pytest.mark.parametrize("rule", [None, "lstm-g"])
def test_ctrl_c_returns_the_history_so_far(rule, engine):
    net = small()

    def press(epoch):
        if epoch.number == 2:
            os.kill(os.getpid(), signal.SIGINT)

    history = net.fit(X, Y, epochs=10**6, rule=rule, callbacks=press, engine=engine)
    assert history.interrupted and len(history) == 3
    twin = small()
    twin.fit(X, Y, epochs=3, rule=rule, engine=engine)
    assert (net.weights == twin.weights).all()


# ---------------------------------------------------------------- dropout


@engines
def test_the_gradient_of_dropout_is_that_of_the_thinned_network(engine):
    net = ng.perceptron(3, 6, 2, activation="tanh", seed=0)
    for j in range(6):
        net.nodes[f"hidden.{j}"].dropout = 0.5
    synapse = net.edges["input.0", "hidden.0"]
    synapse.dropout = 0.5
    for seed in range(5):
        one, thin = net.copy(), net.copy()
        one._rng, rng = np.random.default_rng(seed), np.random.default_rng(seed)
        x, y = np.array([[0.3, -0.2, 0.8]]), np.array([[1, 0]])
        one.fit(x, y, shuffle=False, engine=engine)
        made = net.plan()
        drawn = rng.random(len(made.neuron))
        names = [made.name(j) for j in range(made.n_neurons)]
        silent = {n for n, u in zip(names, drawn, strict=True) if u < net.nodes[n].dropout}
        assert silent != set() or seed
        by_synapse = rng.random(made.n_synapses)
        factor = {}
        for e in range(made.n_synapses):
            pair = names[made.source[e]], names[made.target[e]]
            p = net.nodes[pair[0]].dropout
            factor[pair] = 0 if pair[0] in silent else 1 / (1 - p)
            q = net.edges[pair].dropout
            factor[pair] *= 0 if by_synapse[e] < q else 1 / (1 - q)
        for pair, f in factor.items():
            thin.edges[pair].weight *= f
        thin.forward(x)
        thin.backward(y)
        for pair, f in factor.items():
            assert one.edges[pair].grad == pytest.approx(thin.edges[pair].grad * f, abs=1e-12)
            expected = net.edges[pair].weight - 0.1 * one.edges[pair].grad
            assert one.edges[pair].weight == pytest.approx(expected, abs=1e-12)


def test_dropout_is_only_for_training_and_from_the_seed():
    nets = [small(seed=3) for _ in range(2)]
    plain = small(seed=3)
    for net in nets:
        net.nodes["hidden.0"].dropout = 0.5
    assert (nets[0].predict(X) == plain.predict(X)).all()
    losses = [net.fit(X, Y, epochs=5, batch_size=2).loss for net in nets]
    assert losses[0] == losses[1] != plain.fit(X, Y, epochs=5, batch_size=2).loss


# ---------------------------------------------------------------- history


def test_history_as_a_table_and_a_picture():
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("matplotlib")
    history = small().fit(X, Y, epochs=3, validation=0.25)
    table = history.to_pandas()
    assert isinstance(table, pandas.DataFrame)
    assert table.shape == (3, 2) and table.loss.tolist() == history.loss
    axes = history.plot()
    assert [line.get_ydata().tolist() for line in axes.lines] == [
        history.loss,
        history.validation_loss,
    ]
    assert axes.get_xlabel() == "epoch"
    assert history.seconds > 0


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be 1"),
        ({"epochs": -1}, "epochs"),
        ({"optimizer": 0.1}, "optimizer must be"),
        ({"validation": 1.5}, "fraction between 0 and 1"),
        ({"validation": 0.01}, "leaves samples on both sides"),
        ({"validation": (X,)}, "tuple of 1"),
        ({"validation": (X, Y[:3])}, "shape"),
        ({"sample_weight": [1, 2]}, "sample_weight must have shape"),
        ({"sample_weight": -np.ones(12)}, "0 or more"),
        ({"sample_weight": np.zeros(12)}, "not all 0"),
        ({"class_weight": {0: 1}}, "no weight for class"),
        ({"class_weight": "even"}, "balanced"),
        ({"lengths": [1] * 12}, "those of sequences"),
        ({"callbacks": [1]}, "function of one neurograph.Epoch"),
        ({"rule": "lstm-g", "optimizer": ng.Adam()}, "plain descent"),
        ({"rule": "lstm-g", "optimizer": ng.SGD(0.1, l2=1)}, "plain descent"),
        ({"rule": "lstm-g", "sample_weight": np.ones(12)}, "one weight"),
        ({"progress": "yes"}, "progress"),
    ],
)
def test_bad_input_changes_nothing(options, message):
    net = small()
    before, state = net.weights, net.rng.bit_generator.state
    with pytest.raises(ng.NeurographError, match=message):
        net.fit(X, Y, **options)
    assert (net.weights == before).all()
    assert net.rng.bit_generator.state == state


@pytest.mark.parametrize(
    ("given", "lengths", "message"),
    [
        ([[[1, 2]], [[1]]], None, "as many columns"),
        ([[[1, 2]], np.empty((0, 2))], None, "sequence 1 has no steps"),
        (np.ones((2, 3, 2)), [0, 3], "from 1 to 3"),
        (np.ones((2, 3, 2)), [1.5, 3], "from 1 to 3"),
        (np.ones((2, 3, 2)), [1], "from 1 to 3"),
    ],
)
def test_bad_sequences(given, lengths, message):
    with pytest.raises(ng.NeurographError, match=message):
        recurrent().fit(given, [0, 1], lengths=lengths)
