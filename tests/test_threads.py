"""Threads and processes: networks side by side give the same, one network has one user."""

import copy
import multiprocessing
import os
import pickle
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import neurograph as ng
from neurograph.engines import pool

X = np.random.default_rng(0).uniform(-1, 1, (12, 3, 2))
Y = np.random.default_rng(1).uniform(size=(12, 3, 1))


def made(seed, engine="compiled"):
    net = ng.lstm(2, 2, 1, seed=seed)
    net.engine = engine
    return net


def trained(net):
    """Fit, learn online, run; return every number that came of it."""
    history = net.fit(X, Y, epochs=3, batch_size=4, optimizer=ng.Adam(0.01))
    outputs = net.learn(X[0], Y[0], 0.1)
    net.forward(X)
    net.backward(Y)
    found = np.array(history.loss), outputs, net.weights, net.gradients, net.predict(X)
    return [array.copy() for array in found]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def fits(seed):
    """100 short fits of one network."""
    net = made(seed)
    for _ in range(100):
        net.fit(X[:4], Y[:4], epochs=1, batch_size=2)
    return [net.weights, net.biases]


def test_eight_threads_of_a_hundred_fits_are_the_same_as_one_after_the_other():
    expected = [fits(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(fits, range(8)))
    assert all(map(same, expected, found))


def test_threads_share_the_pool_of_helpers(monkeypatch):
    net = ng.perceptron(20, 20, 20, seed=0)
    X = np.random.default_rng(0).uniform(-1, 1, (256, 20))
    net.engine = "compiled"
    expected = net.copy().run(X).outputs
    before = ng.get_num_threads()
    ng.set_num_threads(3)
    try:
        with ThreadPoolExecutor(4) as threads:
            jobs = [threads.submit(net.copy().forward, X) for _ in range(8)]
            ng.set_num_threads(2)  # while they run
            assert all(np.array_equal(job.result(), expected) for job in jobs)
    finally:
        ng.set_num_threads(before)


# ---------------------------------------------------------------- one network, two threads


def in_use(net, entry):
    """Let another thread stay inside a callback of a fit while `entry` runs here."""
    inside, leave, errors = threading.Event(), threading.Event(), []

    def callback(epoch):
        inside.set()
        leave.wait(30)

    def work():
        try:
            net.fit(X, Y, epochs=2, callbacks=[callback])
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work, name="first")
    thread.start()
    assert inside.wait(30)
    try:
        return entry(net)
    finally:
        leave.set()
        thread.join(30)
        assert not errors


ENTRIES = {
    "run": lambda net: net.run(X),
    "forward": lambda net: net.forward(X),
    "predict": lambda net: net.predict(X),
    "backward": lambda net: net.backward(Y),
    "activate": lambda net: net.activate(X[0, 0]),
    "propagate": lambda net: net.propagate(0.1, Y[0, 0]),
    "stepper": lambda net: net.stepper(0.1),
    "learn": lambda net: net.learn(X[0], Y[0], 0.1),
    "fit": lambda net: net.fit(X, Y),
    "train": lambda net: ng.Trainer(net).train(X[:, 0], Y[:, 0], iterations=1),
    "weight": lambda net: setattr(next(iter(net.synapses)), "weight", 1.0),
    "item": lambda net: next(iter(net.synapses)).update({"weight": 1.0}),
    "weights": lambda net: setattr(net, "weights", net.weights),
    "biases": lambda net: setattr(net, "biases", net.biases),
    "add neuron": lambda net: net.add_neuron("new"),
    "add edge": lambda net: net.add_edge("new", "newer"),
    "weighted": lambda net: net.add_weighted_edges_from([("new", "newer", 1.0)]),
    "remove": lambda net: net.remove_node(net.outputs[0]),
    "clear": lambda net: net.clear(),
    "relabel": lambda net: net.relabel({net.outputs[0]: "new"}),
    "tie": lambda net: net.tie(list(net.synapses)[:2]),
    "gate": lambda net: net.gate(net.inputs[0], next(iter(net.synapses)), delay=1),
    "roles": lambda net: setattr(net, "outputs", []),
    "rule": lambda net: setattr(net, "rule", net.rule),
    "engine": lambda net: setattr(net, "engine", "walker"),
    "initialize": lambda net: net.initialize(),
    "reset": lambda net: net.reset_state(),
    "optimizer": lambda net: net.reset_optimizer(),
    "copy": lambda net: net.copy(),
    "deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
}  # fmt: skip


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_network_that_another_thread_uses_is_refused_and_nothing_happens(entry):
    net, twin = made(0), made(0)
    for one in (net, twin):
        one.forward(X)
        one.activate(X[0, 0])
    twin.fit(X, Y, epochs=2, callbacks=[lambda epoch: None])
    with pytest.raises(ng.BusyError, match=r"thread 'first' is using .* net.copy\(\)"):
        in_use(net, ENTRIES[entry])
    assert same([net.weights, net.biases], [twin.weights, twin.biases])
    assert list(net.nodes) == list(twin.nodes) and list(net.edges) == list(twin.edges)
    if entry not in ("backward", "propagate"):  # they have no run to go back through
        ENTRIES[entry](net)  # and now it may


def test_a_stepper_that_two_threads_use_is_refused():
    net = made(0)
    step = net.stepper(0.1)
    with pytest.raises(ng.BusyError, match="step: thread 'first'"):
        in_use(net, lambda net: step([0, 1], [1]))
    step([0, 1], [1])


def test_looking_is_always_allowed():
    net = made(0)
    found = in_use(net, lambda net: (net.weights, repr(net), net.nodes["input.0"].role, len(net)))
    assert found[2] == "input" and len(found[0])


def test_the_thread_that_uses_a_network_may_come_in_again():
    net, seen = made(0), []

    def callback(epoch):
        net.forward(X)
        net.activate(X[0, 0])
        net.add_edge(net.inputs[0], net.outputs[0], weight=0.1 * len(seen))
        net.stepper(0.0)([0, 1], [1])
        seen.append(net.copy().predict(X))

    net.fit(X, Y, epochs=3, callbacks=[callback])
    assert len(seen) == 3
    assert net._store.guard.user == 0 and not net._store.guard.readers


def test_an_error_gives_a_network_back():
    net = made(0)
    for call in (
        lambda: net.forward([np.nan, 1]),
        lambda: net.activate([1]),
        lambda: net.fit(X, Y, epochs=-1),
        lambda: net.stepper(0.1)([1], [1]),
        lambda: net.predict([1]),
        lambda: net.add_edge("a", "b", delay=-1),
    ):
        with pytest.raises(ng.NeurographError):
            call()
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(net.predict, X).result().shape == (12, 3, 1)
        assert threads.submit(net.activate, X[0, 0]).result().shape == (1,)


def test_many_threads_may_ask_one_network_for_predictions():
    net = made(3)
    expected = net.copy().predict(X)
    net.add_neuron("new")  # the plan has to be made anew, by whoever comes first
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: net.predict(X), range(40)))
    assert all(np.array_equal(one, expected) for one in found)
    net.fit(X, Y)  # and nobody is left inside


def test_threads_that_fight_over_a_network_do_not_corrupt_it():
    net, done = made(0), []

    def work(_):
        count = 0
        for _ in range(200):
            try:
                net.activate(X[0, 0])
                count += 1
            except ng.BusyError:
                pass
        done.append(count)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    twin = made(0)
    for _ in range(sum(done)):
        expected = twin.activate(X[0, 0])
    assert net._online.steps == sum(done) > 0
    assert np.array_equal(net.activate(X[0, 0]), twin.activate(X[0, 0])) and len(expected)


# ---------------------------------------------------------------- processes


def child(net):
    """What a process does with a network that it was given."""
    return trained(net)


def forked(net, answers):
    answers.put((pool._pool is None, trained(net)))


def parent_has_run():
    """A network, in a process whose kernels and pool have worked."""
    net = made(5)
    net.forward(X)
    before = ng.get_num_threads()
    ng.set_num_threads(2)
    pool.run_all([lambda: None] * 4)
    assert pool._pool is not None
    return net, before


def test_a_fork_computes_the_same():
    context = multiprocessing.get_context("fork")
    net, before = parent_has_run()
    try:
        answers = context.Queue()
        process = context.Process(target=forked, args=(net, answers))
        process.start()
        fresh, found = answers.get(timeout=60)
        process.join(60)
        assert process.exitcode == 0 and fresh  # its pool is its own
        assert same(found, trained(net))
    finally:
        ng.set_num_threads(before)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_pool_of_processes_maps_over_networks(method):
    nets, before = [made(seed) for seed in range(3)], parent_has_run()[1]
    try:
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(1, mp_context=context) as processes:
            found = list(processes.map(child, nets))
            problem = processes.submit(made(0).forward, [np.nan, 1]).exception(60)
        assert all(same(one, trained(net)) for one, net in zip(found, nets, strict=True))
        assert isinstance(problem, ng.NonFiniteError) and problem.neuron == "input.0"
    finally:
        ng.set_num_threads(before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_what_a_thread_held_when_its_process_was_forked_is_free_in_the_child():
    net = made(0)

    def fork(net):
        child = os.fork()
        if not child:
            try:
                net.forward(X)
                os._exit(0)
            except BaseException:
                os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert in_use(net, fork) == 0
