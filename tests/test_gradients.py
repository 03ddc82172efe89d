"""The laws of the gradient: it is that of the loss, for every weight, bias and input."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import neurograph as ng
from tests.strategies import ALL, close, near_kink, networks, numbers, runs, sequences


def all_gradients(net):
    return net.gradients, net.bias_gradients, net.input_gradient


def difference_gradients(net, X, objective, h=1e-5):
    """Central differences of `objective(net, X)` by every weight, bias and input."""

    def slope(assign, values, index):
        ends = []
        for sign in (1, -1):
            moved = values.copy()
            moved[index] += sign * h
            assign(moved)
            ends.append(objective(net, moved if values is X else X))
        assign(values)
        return (ends[0] - ends[1]) / (2 * h)

    def weights(values):
        moved = np.flatnonzero(values != original)
        for s, w in zip(net.synapses, values, strict=True):
            s.weight = w
        for i in moved:  # last, so that a whole tie group moves with its member
            synapses[i].weight = values[i]

    def biases(values):
        net.biases = values

    original, synapses = net.weights, list(net.synapses)
    w = np.array([slope(weights, original, i) for i in range(len(original))])
    b = np.array([slope(biases, net.biases, i) for i in range(len(net))])
    x = np.array([slope(lambda v: None, X, i) for i in np.ndindex(X.shape)]).reshape(X.shape)
    return w, b, x


def weighted_sum(d_outputs):
    return lambda net, X: float((net.predict(X) * d_outputs).sum())


@settings(max_examples=300)
@given(run=runs())
def test_gradient_is_the_slope_of_the_outputs(run):
    net, X, d_outputs = run
    assume(not near_kink(net, X))
    net.forward(X)
    net.backward(gradient=d_outputs)
    expected = difference_gradients(net, X, weighted_sum(d_outputs))
    inputs = [i for i, n in enumerate(net.neurons) if n.role == "input"]
    assert not expected[1][inputs].any()  # the bias of an input plays no part
    for found, slope in zip(all_gradients(net), expected, strict=True):
        assert close(found, slope, 1e-6)


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
    if loss == "categorical_cross_entropy":
        return t / t.sum(-1, keepdims=True)
    return t


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("loss", LOSS_OUTPUTS)
@settings(max_examples=30)
@given(data=st.data())
def test_gradient_is_the_slope_of_every_loss(loss, reduction, data):
    net = data.draw(networks(output_activation=LOSS_OUTPUTS[loss]))
    X = data.draw(sequences(net))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    target = targets_for(loss, (*X.shape[:2], len(net.outputs)), rng)
    if loss != "categorical_cross_entropy":
        target[rng.random(target.shape) < 0.2] = np.nan
    assume(not near_kink(net, X))
    assume(loss != "hinge" or np.nanmin(np.abs(1 - net.predict(X) * target), initial=1) > 1e-3)

    def objective(net, X):
        net.forward(X)
        return net.backward(target, loss=loss, reduction=reduction)

    expected = difference_gradients(net, X, objective)
    objective(net, X)
    for found, slope in zip(all_gradients(net), expected, strict=True):
        assert close(found, slope, 1e-6)


@pytest.mark.parametrize("activation", ALL)
@settings(max_examples=10)
@given(data=st.data())
def test_matching_loss_has_slope_y_minus_t_for_every_activation(activation, data):
    net = ng.Network([("a", "y", {"weight": data.draw(numbers)})])
    net.inputs, net.outputs = ["a"], ["y"]
    net.nodes["y"].activation = activation
    X, target = np.array([[0.7]]), [[0.3]]
    assume(not near_kink(net, X))

    def objective(net, X):
        net.forward(X)
        return net.backward(target, loss="matching")

    slope = difference_gradients(net, X, objective)[1][1]
    objective(net, X)
    assert close(net.nodes["y"].grad, net.nodes["y"].output - 0.3, 1e-14)
    assert close(net.nodes["y"].grad, slope, 1e-6)


@settings(max_examples=300)
@given(run=runs())
def test_gradient_is_that_of_pytorch(run):
    pytest.importorskip("torch")
    from tests.oracle import Oracle

    net, X, d_outputs = run
    outputs = net.forward(X)
    net.backward(gradient=d_outputs)
    oracle = Oracle(net)
    expected = oracle.run(X)
    assert close(outputs, expected.detach().numpy(), 1e-12)
    (expected * expected.new_tensor(d_outputs)).sum().backward()
    for found, autograd in zip(all_gradients(net), oracle.gradients(), strict=True):
        assert close(found, autograd, 1e-10)


@pytest.mark.parametrize(
    "loss", ["squared_error", "mse", "binary_cross_entropy", "categorical_cross_entropy", "hinge"]
)
@settings(max_examples=20)
@given(data=st.data())
def test_loss_is_that_of_pytorch(loss, data):
    torch = pytest.importorskip("torch")
    from tests.oracle import F, Oracle

    net = data.draw(networks(output_activation=LOSS_OUTPUTS[loss]))
    X = data.draw(sequences(net))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    t = targets_for(loss, (*X.shape[:2], len(net.outputs)), rng)
    net.forward(X)
    value = net.backward(t, loss=loss)
    oracle = Oracle(net)
    y, target = oracle.run(X), torch.tensor(t)
    pairs = X.shape[0] * X.shape[1]
    expected = {
        "squared_error": lambda: 0.5 * F.mse_loss(y, target, reduction="sum") / pairs,
        "mse": lambda: F.mse_loss(y, target),
        "binary_cross_entropy": lambda: F.binary_cross_entropy(y, target, reduction="sum") / pairs,
        "categorical_cross_entropy": lambda: F.cross_entropy(y.flatten(0, 1), target.flatten(0, 1)),
        "hinge": lambda: torch.clamp(1 - y * target, min=0).sum() / pairs,
    }[loss]()
    assert close(value, expected.item(), 1e-10)
    expected.backward()
    for found, autograd in zip(all_gradients(net), oracle.gradients(), strict=True):
        assert close(found, autograd, 1e-10)


@given(run=runs())
def test_gradient_of_a_batch_is_the_sum_over_its_samples(run):
    net, X, d_outputs = run
    net.forward(X)
    net.backward(gradient=d_outputs)
    together = all_gradients(net)
    for b in range(len(X)):
        net.forward(X[b : b + 1])
        net.backward(gradient=d_outputs[b : b + 1], accumulate=b > 0)
        assert close(net.input_gradient[0], together[2][b], 1e-12)
    assert close(net.gradients, together[0], 1e-12)
    assert close(net.bias_gradients, together[1], 1e-12)


@given(run=runs(), data=st.data())
def test_order_and_names_do_not_matter(run, data):
    net, X, d_outputs = run
    nodes = data.draw(st.permutations(list(net)))
    edges = data.draw(st.permutations(list(net.edges)))
    new = {n: f"neuron {i}" for i, n in enumerate(net)}
    other = ng.Network()
    for n in nodes:
        other.add_node(new[n], **net.nodes[n])
    for u, v in edges:
        attributes = dict(net.edges[u, v])
        if "gater" in attributes:
            attributes["gater"] = new[attributes["gater"]]
        other.add_edge(new[u], new[v], **attributes)
    samples = data.draw(st.permutations(range(len(X))))

    outputs = net.forward(X)
    net.backward(gradient=d_outputs)
    permuted = other.forward(X[samples])
    other.backward(gradient=d_outputs[samples])
    assert close(outputs[samples], permuted, 1e-12)
    assert close(net.input_gradient[samples], other.input_gradient, 1e-12)
    assert close(net.gradients, [other.edges[new[u], new[v]].grad for u, v in net.edges], 1e-11)
    assert close(net.bias_gradients, [other.nodes[new[n]].grad for n in net], 1e-11)


@given(run=runs(ties=False), data=st.data())
def test_removing_is_setting_to_zero(run, data):
    net, X, d_outputs = run
    gone = data.draw(st.sampled_from(list(net.edges)))
    cut = net.copy()
    cut.remove_edge(*gone)
    net.edges[gone].weight = 0
    assert close(net.forward(X), cut.forward(X), 1e-13)
    net.backward(gradient=d_outputs)
    cut.backward(gradient=d_outputs)
    for s in cut.synapses:
        assert close(s.grad, net.edges[s.source, s.target].grad, 1e-12)
    assert close(net.bias_gradients, cut.bias_gradients, 1e-12)


@given(run=runs(), data=st.data())
def test_adding_a_synapse_of_weight_zero_changes_nothing(run, data):
    net, X, _ = run
    u, v = data.draw(st.sampled_from(list(net))), data.draw(st.sampled_from(list(net)))
    assume(not net.has_edge(u, v))
    outputs = net.forward(X)
    net.add_synapse(u, v, weight=0, delay=2, reads="output")
    assert close(outputs, net.forward(X), 1e-13)


@given(run=runs(), data=st.data())
def test_a_run_in_two_parts_is_one_run(run, data):
    net, X, _ = run
    cut = data.draw(st.integers(1, X.shape[1]))
    whole = net.run(X)
    first = net.run(X[:, :cut])
    outputs = first.outputs
    if cut < X.shape[1]:
        second = net.run(X[:, cut:], state=first.final_state)
        outputs = np.concatenate([outputs, second.outputs], axis=1)
        last = second.final_state
    else:
        last = first.final_state
    assert np.array_equal(outputs, whole.outputs)
    assert np.array_equal(last.s, whole.final_state.s)
    assert np.array_equal(last.y, whole.final_state.y)


@given(run=runs())
def test_gradient_after_a_state_is_that_of_the_second_part(run):
    net, X, d_outputs = run
    assume(not near_kink(net, X))
    state = net.run(X).final_state
    net.forward(X, state=state)
    net.backward(gradient=d_outputs)
    found = all_gradients(net)

    def objective(net, X):
        return float((net.forward(X, state=state) * d_outputs).sum())

    assume(np.abs(net.run(X, state=state).final_state.s).max() < 50)
    for a, slope in zip(found, difference_gradients(net, X, objective), strict=True):
        assert close(a, slope, 1e-5)


@given(run=runs(dtype="float32"))
def test_float32_is_float64_rounded(run):
    net, X, d_outputs = run
    assume(not near_kink(net, X, 1e-4))
    double = ng.Network(net)
    assert double.dtype == np.float64
    X = X.astype("float32")
    outputs = net.forward(X)
    net.backward(gradient=d_outputs)
    assert outputs.dtype == net.weights.dtype == net.gradients.dtype == np.float32
    assert close(outputs, double.forward(X), 1e-4)
    double.backward(gradient=d_outputs)
    assert close(net.gradients, double.gradients, 1e-3)


def test_accumulate_adds_and_default_overwrites():
    net = ng.perceptron(2, 3, 1, seed=0)
    net.forward([[1, 0]])
    net.backward([[1]])
    once = net.gradients
    net.backward([[1]], accumulate=True)
    assert np.allclose(net.gradients, 2 * once, rtol=1e-15)
    net.backward([[1]])
    assert np.array_equal(net.gradients, once)


def test_nan_target_is_not_asked():
    net = ng.perceptron(2, 3, 2, seed=0)
    net.forward([[1, 0], [0, 1]])
    loss = net.backward([[1, np.nan], [np.nan, np.nan]])
    grads = net.gradients
    assert net.nodes["output.1"].grad == 0
    net.forward([[1, 0]])
    assert net.backward([[1, np.nan]]) == loss  # the second sample was asked nothing
    assert np.allclose(net.gradients, grads, rtol=1e-15)


def test_frozen_parameters_have_gradients_but_do_not_move():
    net = ng.perceptron(2, 3, 1, seed=0)
    frozen = net.edges["input.0", "hidden.0"]
    frozen.trainable = False
    net.nodes["output.0"].trainable = False
    before, other = frozen.weight, net.edges["input.0", "hidden.1"].weight
    net.fit([[1, 1]], [[0]], epochs=3)
    assert frozen.grad != 0
    assert frozen.weight == before
    assert net.nodes["output.0"].bias == 0 != net.nodes["output.0"].grad
    assert net.edges["input.0", "hidden.1"].weight != other


def test_tied_synapses_have_the_gradient_of_the_group_and_move_together():
    net = ng.perceptron(2, 2, 1, seed=0)
    single = net.copy()
    group = [net.edges["input.0", "hidden.0"], net.edges["input.1", "hidden.1"]]
    net.tie(group)
    single.edges["input.1", "hidden.1"].weight = group[0].weight
    net.forward([[1, 0.5]])
    single.forward([[1, 0.5]])
    net.backward([[1]])
    single.backward([[1]])
    total = sum(single.edges[s.source, s.target].grad for s in group)
    assert [s.grad for s in group] == [total, total]
    net.fit([[1, 0.5]], [[1]])
    assert (
        group[0].weight
        == group[1].weight
        == single.edges["input.0", "hidden.0"].weight - 0.1 * total
    )
