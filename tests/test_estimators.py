"""The estimators: scikit-learn's own contract, and that they are `Network.fit` and `predict`."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurograph as ng
from tests.strategies import close, networks

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from neurograph.estimators import NetworkClassifier, NetworkRegressor
from neurograph.learning.losses import softmax

both = pytest.mark.parametrize("kind", [NetworkClassifier, NetworkRegressor])
RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (40, 3))
LABELS = np.array(["red", "green", "blue"])[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0.3)]
TARGETS = np.sin(3 * X[:, 0]) + X[:, 1]


def data(kind):
    return (X, LABELS) if kind is NetworkClassifier else (X, TARGETS)


def loop_and_skips(n_inputs, n_outputs, seed):
    """Nothing layered: skips, a memory cell, a synapse with delay."""
    net = ng.Network(seed=seed)
    x = net.add_layer("x", n_inputs, role="input")
    h = net.add_layer("h", 6, activation="tanh")
    y = net.add_layer("y", n_outputs, role="output", activation="identity")
    x.project(h), h.project(y), x.project(y)
    net.initialize()
    net.add_synapse("h.0", "h.1", weight=0.3)
    net.add_synapse("h.2", "h.2", weight=0.5)
    net.add_synapse("y.0", "h.3", delay=1)
    return net


def parameters(model):
    return np.concatenate([model.network_.weights, model.network_.biases])


# ---------------------------------------------------------------- scikit-learn's contract


@parametrize_with_checks([NetworkClassifier(), NetworkRegressor()])
def test_scikit_learns_contract_holds_without_arguments(estimator, check):
    check(estimator)


@both
def test_scikit_learns_contract_holds_for_a_builder(kind):
    model = kind(loop_and_skips, activation="tanh", epochs=150, engine="compiled")
    check_estimator(model, on_skip=None)


# ---------------------------------------------------------------- they are fit and predict


@settings(max_examples=25)
@given(
    net=networks(activations=["tanh", "identity", "softplus"]),
    steps=st.integers(1, 3),
    weighted=st.booleans(),
)
def test_a_regressor_is_fit_and_predict_of_a_copy(net, steps, weighted):
    before, bits = net.copy(), pickle.dumps(net)
    n_in, n_out = len(net.inputs), len(net.outputs)
    rng = np.random.default_rng(1)
    rows, wanted = rng.uniform(-1, 1, (7, steps * n_in)), rng.uniform(0, 1, (7, n_out))
    weight = rng.integers(0, 3, 7) + 0.5 if weighted else None
    options = {"epochs": 3, "batch_size": 4, "shuffle": False, "optimizer": ng.Adam(0.02)}
    model = NetworkRegressor(net, steps=steps, **options).fit(rows, wanted, sample_weight=weight)
    assert pickle.dumps(net) == bits
    sequences = rows.reshape(7, steps, n_in)
    asked = np.full((7, steps, n_out), np.nan)
    asked[:, -1] = wanted
    history = before.fit(sequences, asked, sample_weight=weight, **options)
    assert (model.network_.weights == before.weights).all()
    assert (model.network_.biases == before.biases).all()
    assert model.history_.loss == history.loss and model.n_iter_ == 3
    assert (model.predict(rows) == before.predict(sequences)[:, -1]).all()


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_a_classifier_is_fit_and_softmax(n_classes):
    labels = np.array(["e", "d", "c", "b", "a"])[:n_classes]
    codes = np.arange(40) % n_classes
    net = loop_and_skips(3, n_classes, seed=4)
    options = {"epochs": 4, "batch_size": 9, "shuffle": False, "optimizer": ng.SGD(0.2)}
    model = NetworkClassifier(net, **options).fit(X, labels[codes])
    twin = net.copy()
    twin.fit(X, n_classes - 1 - codes, loss="categorical_cross_entropy", **options)
    assert model.classes_.tolist() == sorted(labels)
    assert close(parameters(model), np.concatenate([twin.weights, twin.biases]), 1e-12)
    assert close(model.predict_proba(X), softmax(twin.predict(X)), 1e-12)
    assert (model.predict(X) == np.sort(labels)[twin.predict(X).argmax(1)]).all()


def test_two_classes_may_have_a_single_logistic_output():
    labels = np.where(X[:, 0] > 0, "yes", "no")
    net = ng.perceptron(3, 4, 1, seed=0)
    options = {"epochs": 30, "batch_size": 10, "shuffle": False, "optimizer": ng.Adam(0.1)}
    model = NetworkClassifier(net, **options).fit(X, labels)
    net.fit(X, labels == "yes", loss="binary_cross_entropy", **options)
    assert close(model.predict_proba(X)[:, 1], net.predict(X)[:, 0], 1e-12)
    assert close(model.predict_proba(X).sum(1), np.ones(40), 1e-12)
    assert model.score(X, labels) > 0.9


@both
def test_rows_are_predicted_alike_in_parts(kind, monkeypatch):
    rows, y = data(kind)
    model = kind(epochs=2, random_state=0).fit(rows, y)
    whole = model._outputs(rows)
    monkeypatch.setattr("neurograph.estimator_base.PART", 7 * len(model.network_))
    assert close(model._outputs(rows), whole, 1e-12)


def test_y_keeps_its_shape():
    for y in TARGETS, TARGETS[:, None], np.stack([TARGETS, -TARGETS], 1):
        model = NetworkRegressor(epochs=2, random_state=0).fit(X, y)
        assert model.predict(X).shape == y.shape
        assert len(model.network_.outputs) == y.reshape(40, -1).shape[1]


def test_steps_are_for_networks_that_remember():
    rows = np.random.default_rng(3).choice([-1.0, 1.0], (120, 4))
    asked = rows[:, 0] > 0  # said three steps before the answer is asked for

    def recurrent(n_inputs, n_outputs, seed):
        net = ng.perceptron(n_inputs, 6, n_outputs, activation="tanh",
                            output_activation="identity", seed=seed)  # fmt: skip
        hidden = net.layers["hidden"]
        hidden.project(hidden, delay=1, reads="output")
        return net

    scores = [
        NetworkClassifier(network, steps=4, epochs=60, batch_size=20, random_state=0)
        .fit(rows[:80], asked[:80])
        .score(rows[80:], asked[80:])
        for network in (recurrent, None)
    ]
    assert scores[0] == 1 and scores[1] < 0.75


# ---------------------------------------------------------------- one epoch at a time


@both
@pytest.mark.parametrize("optimizer", [None, ng.SGD(0.1), ng.Momentum(0.05), ng.Adam(0.02)])
@pytest.mark.parametrize("network", [None, loop_and_skips])
def test_calls_of_partial_fit_are_epochs_of_fit(kind, optimizer, network):
    rows, y = data(kind)
    weight = np.linspace(0, 2, 40)
    options = {"network": network, "optimizer": optimizer, "batch_size": 16, "random_state": 3}
    whole = kind(epochs=5, **options).fit(rows, y, sample_weight=weight)
    classes = {"classes": np.unique(y)} if kind is NetworkClassifier else {}
    little, warm = kind(**options), kind(warm_start=True, epochs=2, **options)
    for _ in range(5):
        little.partial_fit(rows, y, sample_weight=weight, **classes)
    warm.fit(rows, y, sample_weight=weight)
    warm.set_params(epochs=3).fit(rows, y, sample_weight=weight)
    for model in little, warm:
        assert (parameters(model) == parameters(whole)).all()
        assert model.history_.loss == whole.history_.loss and model.n_iter_ == 5
    assert (little.predict(rows) == whole.predict(rows)).all()


def test_a_part_need_not_hold_every_class():
    model = NetworkClassifier(random_state=0, class_weight={"red": 2})
    model.partial_fit(X[:1], LABELS[:1], classes=["red", "green", "blue"])
    for label in "red", "green", "blue":
        there = np.flatnonzero(np.isin(LABELS, label))
        model.partial_fit(X[there], LABELS[there])
    assert model.classes_.tolist() == ["blue", "green", "red"]
    assert model.predict_proba(X).shape == (40, 3)


def test_a_history_goes_on_past_one_with_validation():
    model = NetworkRegressor(epochs=6, early_stopping=True, random_state=0).fit(X, TARGETS)
    model.partial_fit(X, TARGETS)
    assert len(model.history_.loss) == len(model.history_.validation_loss) == 7
    assert np.isnan(model.history_.validation_loss).tolist() == [False] * 6 + [True]


# ---------------------------------------------------------------- reproducible, and copies


@both
@pytest.mark.parametrize("network", [None, loop_and_skips, loop_and_skips(3, 3, 0)])
def test_an_int_makes_it_repeatable(kind, network):
    rows, y = data(kind)
    if kind is NetworkRegressor:
        y = np.stack([y, -y, y * y], 1)
    model = kind(network, epochs=3, batch_size=8, early_stopping=True, random_state=5)
    first = parameters(model.fit(rows, y))
    assert (parameters(clone(model).fit(rows, y)) == first).all()
    assert (parameters(model.fit(rows, y)) == first).all()
    assert (parameters(clone(model).set_params(random_state=6).fit(rows, y)) != first).any()


def test_a_builder_that_ignores_the_seed_still_meets_samples_in_the_same_order():
    def constant(n_inputs, n_outputs, seed):
        net = ng.perceptron(n_inputs, 2, n_outputs)
        net.weights = np.linspace(-1, 1, net.number_of_edges())
        return net

    models = [NetworkRegressor(constant, epochs=3, batch_size=4, random_state=0) for _ in "ab"]
    a, b = (parameters(model.fit(X, TARGETS)) for model in models)
    assert (a == b).all()


def test_clones_and_pickles_keep_the_template():
    net = loop_and_skips(3, 3, 0)
    model = NetworkClassifier(net, epochs=2, random_state=0)
    twin = clone(model)
    assert twin.network is not net and (twin.network.weights == net.weights).all()
    model.fit(X, LABELS)
    assert model.network is net and model.network_ is not net
    again = pickle.loads(pickle.dumps(model))
    assert (again.predict_proba(X) == model.predict_proba(X)).all()


def test_a_template_gives_its_weights_and_not_its_optimizer_state():
    net = loop_and_skips(3, 3, 0)
    net.fit(X, np.stack([TARGETS] * 3, 1), epochs=5, optimizer=ng.Adam(0.1))
    fresh = net.copy()
    fresh.reset_optimizer()
    a, b = (NetworkClassifier(n, epochs=2, random_state=0).fit(X, LABELS) for n in (net, fresh))
    assert (parameters(a) == parameters(b)).all()


# ---------------------------------------------------------------- weights


@both
@settings(max_examples=10)
@given(counts=st.lists(st.integers(0, 3), min_size=40, max_size=40), balanced=st.booleans())
def test_a_weight_of_two_is_the_sample_twice(kind, counts, balanced):
    rows, y = data(kind)
    counts = np.array(counts)
    counts[np.unique(LABELS, return_index=True)[1]] += 1  # a sample of each class at least
    options = {"epochs": 3, "optimizer": ng.SGD(0.3), "random_state": 0}
    if kind is NetworkClassifier and balanced:
        options["class_weight"] = "balanced"
    weighted = kind(**options).fit(rows, y, sample_weight=counts)
    repeated = kind(**options).fit(rows.repeat(counts, 0), y.repeat(counts, 0))
    assert close(parameters(weighted), parameters(repeated), 1e-12)


def test_weights_of_classes_are_those_of_their_samples():
    options = {"epochs": 3, "batch_size": 7, "random_state": 0}
    mapping = {"red": 3.0, "blue": 0.25}
    weight = np.array([mapping.get(label, 1.0) for label in LABELS])
    named = NetworkClassifier(class_weight=mapping, **options).fit(X, LABELS)
    plain = NetworkClassifier(**options).fit(X, LABELS, sample_weight=weight)
    assert (parameters(named) == parameters(plain)).all()
    names, counts = np.unique(LABELS, return_counts=True)
    mapping = dict(zip(names.tolist(), 40 / 3 / counts, strict=True))
    balanced = NetworkClassifier(class_weight="balanced", **options).fit(X, LABELS)
    named = NetworkClassifier(class_weight=mapping, **options).fit(X, LABELS)
    assert close(parameters(balanced), parameters(named), 1e-12)


# ---------------------------------------------------------------- with the rest of scikit-learn


def test_early_stopping_goes_back_to_the_best_epoch():
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 2, 40)
    options = {"epochs": 300, "optimizer": ng.Adam(0.05), "random_state": 0}
    options |= {"early_stopping": True, "validation_fraction": 0.25, "n_iter_no_change": 5}
    history = NetworkClassifier(**options).fit(X, noise).history_
    assert history.best_epoch == np.argmin(history.validation_loss)
    assert len(history) == history.best_epoch + 6 < 300


def test_wine_in_a_pipeline_and_a_grid():
    rows, y = load_wine(return_X_y=True)
    model = make_pipeline(StandardScaler(), NetworkClassifier(epochs=60, random_state=0))
    assert cross_val_score(model, rows, y, cv=3).mean() > 0.94
    grid = {
        "networkclassifier__hidden": [(), (8,), (8, 4)],
        "networkclassifier__optimizer": [ng.Adam(0.02), ng.SGD(1e-6)],
    }
    search = GridSearchCV(model, grid, cv=3).fit(rows, y)
    assert search.best_score_ > 0.94
    assert search.best_params_["networkclassifier__optimizer"] == ng.Adam(0.02)
    assert search.cv_results_["mean_test_score"][1::2].max() < 0.8
    best = search.best_estimator_[-1]
    sizes = (13, *search.best_params_["networkclassifier__hidden"], 3)
    assert len(best.network_) == sum(sizes)


def test_digits():
    rows, y = load_digits(return_X_y=True)
    model = make_pipeline(MinMaxScaler(), NetworkClassifier(hidden=32, epochs=40, random_state=0))
    assert model.fit(rows[:1200], y[:1200]).score(rows[1200:], y[1200:]) > 0.9


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": ng.perceptron(2, 3)}, "has 2 inputs; 3 features in 1 step.* need 3"),
        ({"network": ng.perceptron(3, 2)}, "3 classes need 3 outputs; the network has 2"),
        ({"network": "lstm"}, "network must be None, a Network, or a function .* got 'lstm'"),
        ({"network": lambda n, m, seed: None}, "network must be .* got None"),
        ({"steps": 2}, "steps must divide the number of features, 3; got 2"),
        ({"steps": 0}, "steps must divide the number of features, 3; got 0"),
        ({"hidden": (4, 0)}, "a layer needs a neuron"),
        ({"hidden": None}, "size of a layer must be a whole number"),
        ({"epochs": -1}, "epochs must be a whole number"),
        ({"optimizer": "adam"}, "optimizer must be an optimizer, as neurograph.SGD"),
        ({"engine": "gpu"}, "engine must be one of"),
        ({"early_stopping": True, "n_iter_no_change": 0}, "n_iter_no_change must be 1"),
        ({"early_stopping": True, "validation_fraction": 1.0}, "a fraction between 0 and 1"),
        ({"class_weight": "even"}, "class_weight must be None, 'balanced' or a mapping"),
        ({"class_weight": {"pink": 2}}, "names 'pink', which is none of the classes"),
        ({"class_weight": {"red": "x"}}, "the weight of class 'red' must be a finite number"),
        ({"class_weight": {"red": -1}}, "must be finite, 0 or more"),
    ],
)
def test_what_cannot_be_is_said(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        NetworkClassifier(**options).fit(X, LABELS)
    assert isinstance(caught.value, ng.NeurographError)


@both
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(3), r"sample_weight must have shape \(40,\); got \(3,\)"),
        (-np.ones(40), "sample_weight must be finite, 0 or more"),
        (np.zeros(40), "not zero for all"),
        (np.full(40, np.nan), "sample_weight must be finite"),
    ],
)
def test_weights_that_cannot_be_are_said(kind, weight, message):
    with pytest.raises(ValueError, match=message):
        kind(epochs=1).fit(*data(kind), sample_weight=weight)


def test_labels_that_cannot_be_are_said():
    model = NetworkClassifier(epochs=1, random_state=0, warm_start=True)
    with pytest.raises(ng.ParameterError, match=r"one class only, \['red'\]"):
        model.fit(X, ["red"] * 40)
    with pytest.raises(ng.ParameterError, match=r"classes=np.unique\(y\)"):
        model.partial_fit(X, LABELS)
    model.fit(X, LABELS)
    with pytest.raises(ng.ParameterError, match="y holds 'pink', which is none of the classes"):
        model.fit(X, np.where(LABELS == "red", "pink", LABELS))
    with pytest.raises(ng.ParameterError, match="classes must be those of the first call"):
        model.partial_fit(X, LABELS, classes=["red", "pink"])
    with pytest.raises(ng.ParameterError, match="'balanced' needs all samples at once"):
        model.set_params(class_weight="balanced").partial_fit(X, LABELS)
    with pytest.raises(ng.ShapeError, match=r"y has 2 column\(s\), the network has 1 outputs"):
        NetworkRegressor(ng.perceptron(3, 1)).fit(X, X[:, :2])


def test_a_failed_fit_leaves_the_network_that_was_there():
    model = NetworkClassifier(epochs=2, random_state=0).fit(X, LABELS)
    before, classes = model.network_, model.classes_
    with pytest.raises(ng.ParameterError):
        model.set_params(batch_size=0).fit(X, LABELS == "red")
    assert model.network_ is before and model.classes_ is classes and model.n_iter_ == 2


def test_bounded_outputs_are_warned_of():
    with pytest.warns(ng.NeurographWarning, match="'output.0' is logistic, which is bounded"):
        NetworkClassifier(ng.perceptron, epochs=1).fit(X, LABELS)


def test_without_scikit_learn_the_error_names_the_extra():
    code = "import sys; sys.modules['sklearn'] = None; import neurograph.estimators"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode and "pip install 'neurograph[sklearn]'" in done.stderr
