"""Checkpoints: a training that stops anywhere goes on, bit for bit, as if it had not."""

import hashlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import neurograph as ng
from neurograph.io import checkpoint as writer
from neurograph.io.checkpoint_reader import prepared, read
from neurograph.training import prepare
from tests.lossless import everything, typed
from tests.strategies import SMOOTH, networks

THOROUGH = bool(os.environ.get("NEUROGRAPH_THOROUGH"))
DATA = Path(__file__).parent / "data"
SAME = {**os.environ, "PYTHONPATH": str(Path(ng.__file__).parent.parent)}  # the library tested here
RNG = np.random.default_rng(0)
X, Y = RNG.uniform(-1, 1, (12, 2)), RNG.uniform(0.1, 0.9, (12, 1))
OPTIMIZERS = [
    ng.SGD(0.05),
    ng.Momentum(0.02, momentum=0.5),
    ng.Nesterov(0.02),
    ng.RMSprop(0.005),
    ng.Adam(0.01, clip_norm=1.0),
    ng.AdamW(ng.schedules.Cosine(0.01, steps=9)),
    ng.Rprop(0.01),
    ng.Adam(ng.schedules.WarmUp(ng.schedules.Exponential(0.02, 0.9), steps=3), l1=1e-3),
]


def small(seed=0, **options):
    return ng.perceptron(2, 3, 1, seed=seed, **options)


def watch(epoch):
    """A callback of one's own."""


def outcome(net, history):
    """All that a training leaves, but for how long it took: short, for pytest shows differences."""
    losses = typed([history.loss, history.validation_loss, history.best_epoch])
    return hashlib.sha256(repr((everything(net), losses)).encode()).hexdigest(), repr(history)


@pytest.fixture
def written(monkeypatch):
    """The bytes of every checkpoint that is written, which goes to no disk."""
    found = []
    monkeypatch.setattr(
        writer, "write_bytes", lambda path, pieces: found.append(b"".join(map(bytes, pieces)))
    )
    return found


def gone_on(raw, *data, **given):
    """What becomes of a checkpoint."""
    found = read(raw)
    job = prepared(found, *data, checkpoint="nowhere", **given)
    job.saver = None
    return found.net, job.run(lambda n: None)


# ---------------------------------------------------------------- the law


@st.composite
def trainings(draw):
    """A network, data, and what `fit` is told beside."""
    dtype = draw(st.sampled_from(["float64", "float64", "float32"]))
    net = draw(networks(activations=SMOOTH[:6], dtype=dtype, max_hidden=3))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    n, steps = draw(st.integers(4, 9)), draw(st.integers(1, 3))
    x = rng.uniform(-1, 1, (n, steps, len(net.inputs)))
    y = rng.uniform(0.1, 0.9, (n, steps, len(net.outputs)))
    y[rng.random(y.shape) < draw(st.sampled_from([0, 0.2]))] = np.nan
    assume(not np.isnan(y).all())
    told = {"epochs": draw(st.integers(1, 4)), "shuffle": draw(st.booleans())}
    told["engine"] = draw(st.sampled_from(["walker"] * 5 + ["compiled"]))
    if draw(st.integers(0, 3)) == 0:
        told |= {"rule": draw(st.sampled_from(["lstm-g", "rtrl"])), "optimizer": ng.SGD(0.01)}
    else:
        told |= {
            "optimizer": draw(st.sampled_from(OPTIMIZERS)),
            "batch_size": draw(st.integers(1, 4)),
        }
        told["loss"] = draw(st.sampled_from([None, "mse"]))
        for handle in draw(st.lists(st.sampled_from([*net.neurons, *net.synapses]), max_size=2)):
            handle.update(
                draw(
                    st.sampled_from([{"dropout": 0.3}, {"trainable": False}, {"rate_factor": 0.5}])
                )
            )
    again = {}
    if told.get("rule") is None and draw(st.booleans()):
        again["sample_weight"] = rng.integers(1, 3, n)
    kind = draw(st.sampled_from(["", "part", "data"]))
    if kind == "part":
        told["validation"] = 0.3
    elif kind == "data":
        again["validation"] = (x[:2], np.nan_to_num(y[:2], nan=0.5))
    if draw(st.booleans()):
        told["callbacks"] = [ng.EarlyStopping(draw(st.integers(1, 2)), restore=draw(st.booleans()))]
    return net, (x, y), told, again


@settings(max_examples=200 if THOROUGH else 50)
@given(training=trainings(), data=st.data())
def test_a_stop_anywhere_is_as_if_there_was_none(training, data):
    net, (x, y), told, again = training
    steady, stopped = net.copy(), net.copy()
    with np.errstate(all="ignore"):
        try:
            wanted = outcome(steady, steady.fit(x, y, **told, **again))
        except ng.NonFiniteError:
            assume(False)
    with pytest.MonkeyPatch.context() as patch:
        found = []
        patch.setattr(writer, "write_bytes", lambda path, p: found.append(b"".join(map(bytes, p))))
        every = data.draw(st.sampled_from(["1 batches", "2 batches", 1]))
        history = stopped.fit(x, y, **told, **again, checkpoint="nowhere", every=every)
        assert outcome(stopped, history) == wanted  # to be watched changes nothing
        first = read(found[data.draw(st.integers(0, len(found) - 1))])
        found.clear()
        history = prepared(first, x, y, checkpoint="nowhere", **again).run(lambda n: None)
        assert outcome(first.net, history) == wanted
        raw = found[data.draw(st.integers(0, len(found) - 1))]  # stopped a second time
        assert outcome(*gone_on(raw, x, y, **again)) == wanted


def stopped_early(net, **more):
    """A training that early stopping ends, long before its epochs are over."""
    noise = np.random.default_rng(5).uniform(size=(12, 1))
    return net.fit(X, Y, epochs=300, validation=(X, noise), optimizer=ng.Adam(0.1),
                   callbacks=[ng.EarlyStopping(3)], **more)  # fmt: skip


def test_patience_and_the_best_weights_go_on(written):
    noise = np.random.default_rng(5).uniform(size=(12, 1))
    steady, net = small(), small()
    history = stopped_early(steady)
    wanted = outcome(steady, history)
    assert 0 < history.best_epoch < len(history) < 300
    assert outcome(net, stopped_early(net, checkpoint="nowhere", every=1)) == wanted
    assert len(written) == len(history) + 1  # at the beginning, after each epoch
    for raw in written:  # the last one is of a training that is over, and stays so
        assert outcome(*gone_on(raw, X, Y, validation=(X, noise))) == wanted
    mine = ng.EarlyStopping(3)
    assert outcome(*gone_on(written[5], X, Y, validation=(X, noise), callbacks=[mine])) == wanted
    assert mine.epoch == history.best_epoch


def test_an_edit_by_a_callback_goes_on_too(written):
    """Neurons and synapses come and go while the best weights are kept."""

    def edit(epoch):
        net, n = epoch.network, epoch.number
        if n == 1:
            net.remove_node("hidden.1")
        if n == 2:
            net.add_neuron("new", bias=0.1)
            net.add_synapse("input.0", "new", weight=0.1)
            net.add_synapse("new", "output.0", weight=0.1)

    told = {"epochs": 6, "optimizer": ng.Adam(0.1), "batch_size": 5}
    steady, net = small(), small()
    wanted = outcome(steady, steady.fit(X, Y, callbacks=[ng.EarlyStopping(9), edit], **told))
    net.fit(
        X, Y, callbacks=[ng.EarlyStopping(9), edit], checkpoint="nowhere", every="1 batch", **told
    )
    for raw in written:
        assert outcome(*gone_on(raw, X, Y, callbacks=[edit])) == wanted


def test_what_a_callback_knows_goes_on_if_it_says_it(written):
    class Remember:
        def __init__(self):
            self.seen = []

        def __call__(self, epoch):
            self.seen.append(epoch.loss)

        def state_dict(self):
            return {"seen": self.seen, "array": np.array(self.seen)}

        def load_state_dict(self, state):
            self.seen = state["seen"]
            assert state["array"].tolist() == self.seen

    first, second = Remember(), Remember()
    small().fit(X, Y, epochs=5, callbacks=[first], checkpoint="nowhere", every=1)
    gone_on(written[3], X, Y, callbacks=[second])
    assert second.seen == first.seen and len(first.seen) == 5


def test_what_is_ones_own_is_given_again(written):
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Own(ng.Momentum):
        pass

    def slower(update):
        return 0.1 / (1 + update)

    for optimizer in Own(0.1), ng.Adam(slower), ng.Adam(ng.schedules.WarmUp(slower, 2)):
        steady, net = small(), small()
        wanted = outcome(steady, steady.fit(X, Y, epochs=4, optimizer=optimizer))
        net.fit(X, Y, epochs=4, optimizer=optimizer, checkpoint="nowhere", every=1)
        with pytest.raises(ng.ParameterError, match="your own .*give the optimizer again"):
            gone_on(written[-2], X, Y)
        with pytest.raises(ng.ParameterError, match="cannot go on as if it had not stopped"):
            gone_on(written[-2], X, Y, optimizer=ng.SGD(0.1))
        assert outcome(*gone_on(written[-2], X, Y, optimizer=optimizer)) == wanted


def test_epochs_may_become_more(written):
    steady, net = small(), small()
    wanted = outcome(steady, steady.fit(X, Y, epochs=7, optimizer=ng.Adam(0.1)))
    net.fit(X, Y, epochs=3, optimizer=ng.Adam(0.1), checkpoint="nowhere")
    assert outcome(*gone_on(written[-1], X, Y, epochs=7)) == wanted
    with pytest.raises(ng.ParameterError, match="of which 3 are done"):
        gone_on(written[-1], X, Y, epochs=2)


def test_a_checkpoint_is_a_network_too(tmp_path):
    net = small()
    net.fit(X, Y, epochs=3, optimizer=ng.Adam(0.1), checkpoint=tmp_path / "c.ng", every=2)
    twin = ng.load(tmp_path / "c.ng")
    assert everything(twin) == everything(net)
    net.save(tmp_path / "net.ng")
    with pytest.raises(ng.FormatError, match="net.ng: this is a network, but no checkpoint"):
        ng.resume(tmp_path / "net.ng", X, Y)


@pytest.mark.parametrize(
    "every", [None, "1 s", "30 sec", "2min", "1 h", 2, "2 epochs", "3 batches", "2 batches"]
)
def test_how_often(every, written, monkeypatch):
    clock = iter(range(0, 10**9, 31))  # seconds, each time that somebody looks
    monkeypatch.setattr("neurograph.checkpoints.perf_counter", lambda: float(next(clock)))
    small().fit(X, Y, epochs=8, batch_size=5, checkpoint="nowhere", every=every, callbacks=[watch])
    places = [(len(c.history), len(c.begun.values) if c.begun else 0) for c in map(read, written)]
    assert places[0] == (0, 0) and places[-1] == (8, 0)
    inner = places[1:-1]
    if every in (2, "2 epochs"):
        assert inner == [(2, 0), (4, 0), (6, 0)]
    elif every == "3 batches":
        assert inner == [(n, 0) for n in range(1, 8)]
    elif every == "2 batches":
        assert inner == [divmod(n, 3) for n in range(2, 24, 2)]
    else:  # how often somebody looks goes by real time: each epoch at least, each batch at most
        least, most = {
            "1 s": (7, 23),
            "30 sec": (7, 23),
            None: (2, 12),
            "2min": (1, 6),
            "1 h": (0, 0),
        }[every]
        assert least <= len(inner) <= most


def test_a_checkpoint_of_the_first_version_stays_readable():
    raw = (DATA / "checkpoint-1.ng").read_bytes()
    found = read(raw)
    assert (found.epochs, found.batch_size, found.loss, found.engine) == (4, 5, "mse", "walker")
    assert found.optimizer == ng.AdamW(ng.schedules.WarmUp(0.02, steps=3), l2=1e-3)
    assert [loss.hex() for loss in found.history.loss] == [
        "0x1.10af315fa671ep-5",
        "0x1.061a813804c0ap-5",
    ]
    _, history = gone_on(raw, X, Y, sample_weight=np.arange(1, 13))
    assert history.loss[-1] == pytest.approx(0.030837233051110857, rel=1e-9) and len(history) == 4


# ---------------------------------------------------------------- what cannot be


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda a: a.update(X=X[:, ::-1]), "X holds other numbers than those that the training began"),
        (lambda a: a.update(X=X[:9], Y=Y[:9], sample_weight=None), "X has 9 samples, but the training began with 12"),
        (lambda a: a.update(Y=1 - Y), "Y holds other numbers"),
        (lambda a: a.pop("sample_weight"), "the training had sample_weight; give the same again"),
        (lambda a: a.update(validation=0.5), "0.25 of the samples were held out, and still are"),
        (lambda a: a.update(validation=(X, Y)), "leave validation out"),
        (lambda a: a.pop("callbacks"), "had the callback 'watch' of your own, .*give them again"),
        (lambda a: a.update(callbacks=[len]), "give them again, in this order.*got the callback 'len'"),
        (lambda a: a.update(callbacks=[watch, ng.EarlyStopping(3)]), "the training had EarlyStopping"),
        (lambda a: a.update(callbacks=[watch, *[ng.EarlyStopping(7)] * 2]), "had 1 EarlyStopping, not 2"),
        (lambda a: a.update(optimizer=ng.Adam(0.2)), "cannot go on as if it had not stopped with Adam"),
        (lambda a: a.update(every="now and then"), "every must be a number of epochs, or one with a"),
    ],
)  # fmt: skip
def test_other_data_and_what_is_missing_are_named(change, problem, written):
    again = {"X": X, "Y": Y, "sample_weight": np.arange(1, 13), "callbacks": [watch]}
    small().fit(**again | {"callbacks": [watch, ng.EarlyStopping(7)]}, validation=0.25, epochs=3,
                optimizer=ng.Adam(0.1), checkpoint="nowhere", every=1)  # fmt: skip
    steady = gone_on(
        written[1], **again | {"callbacks": [watch, ng.EarlyStopping(7)]}, validation=0.25
    )
    assert outcome(*gone_on(written[1], **again)) == outcome(*steady)
    change(again)
    with pytest.raises(ng.NeurographError, match=problem):
        gone_on(written[1], **again)


def test_what_was_not_there_is_left_out(written):
    small().fit(X, Y, epochs=2, validation=(X, Y), checkpoint="nowhere", every=1)
    with pytest.raises(ng.ParameterError, match="validated with other data.*give them again"):
        gone_on(written[1], X, Y)
    with pytest.raises(ng.ParameterError, match="validation Y holds other numbers"):
        gone_on(written[1], X, Y, validation=(X, 1 - Y))
    written.clear()
    small().fit(X, Y, epochs=2, checkpoint="nowhere", every=1)
    for more, problem in [
        ({"validation": 0.5}, "had no validation"),
        ({"sample_weight": np.ones(12)}, "had no sample_weight"),
        ({"callbacks": watch}, "had no callbacks of your own"),
        ({"callbacks": ng.EarlyStopping()}, "had 0 EarlyStopping, not 1"),
    ]:
        with pytest.raises(ng.ParameterError, match=problem):
            gone_on(written[1], X, Y, **more)


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({"optimizer": ng.LBFGS()}, "L-BFGS knows is inside SciPy.*leave out checkpoint="),
        ({"every": 0}, "every must be from 1"),
        ({"every": "0 s"}, "every must be from 1"),
        ({"every": "5 parsecs"}, "every must be a number of epochs, or one with a unit"),
        ({"every": -1}, "every must be a whole number"),
        ({"checkpoint": None, "every": 2}, "say where, too"),
        ({"checkpoint": 3}, "must be the path of a file"),
        ({"callbacks": [watch], "rule": "lstm-g", "batch_size": 2}, "step by step"),
        ({"checkpoint": "no/such/folder/c.ng"}, "not saved"),
        ({"engine": type("Mine", (ng.engines.walker.Walker,), {})()}, "the engine is a Mine"),
    ],
)
def test_what_has_no_checkpoints_is_refused_before_anything_is_trained(told, problem, tmp_path):
    net = small()
    net.fit(X, Y, optimizer=ng.Adam(0.1))
    before = everything(net)
    told = {"checkpoint": tmp_path / "c.ng", "validation": 0.25} | told
    with pytest.raises((ng.ParameterError, OSError), match=problem):
        net.fit(X, Y, **told)
    assert everything(net) == before and not list(tmp_path.iterdir())


def test_a_network_that_cannot_be_saved_is_known_at_once(tmp_path):
    net = small()
    net.graph["f"] = len
    before = net.weights
    with pytest.raises(ng.ParameterError, match=r"net.graph is .*which a file cannot hold"):
        net.fit(X, Y, checkpoint=tmp_path / "c.ng")
    assert (net.weights == before).all() and not list(tmp_path.iterdir())


def test_a_checkpoint_that_fails_in_the_night_is_a_warning(monkeypatch):
    calls = []

    def full(path, pieces):
        calls.append(path)
        if len(calls) in (3, 4):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "write_bytes", full)
    steady, net = small(), small()
    wanted = outcome(steady, steady.fit(X, Y, epochs=6, optimizer=ng.Adam(0.1)))
    with pytest.warns(
        ng.NeurographWarning, match="no checkpoint after epoch .*training goes on: .*No space"
    ):
        history = net.fit(X, Y, epochs=6, optimizer=ng.Adam(0.1), checkpoint="nowhere", every=1)
    assert outcome(net, history) == wanted and len(calls) == 7


# ---------------------------------------------------------------- Ctrl-C and kill -9


def long_trainings():
    """Trainings that take much longer than anybody waits, in steps of different sizes."""
    many = np.random.default_rng(0).uniform(-1, 1, (20_000, 2))
    wide = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    thin = small(3)
    for name in ("hidden.0", "hidden.1"):
        thin.nodes[name].dropout = 0.3
    adam = {"optimizer": ng.Adam(0.01)}
    return [  # a network, X, and what is told: rounds of many epochs; parts of one; one by one …
        (small(), X, {"engine": "compiled", **adam}),
        (small(), many, {"engine": "compiled", "batch_size": 7, **adam}),
        (small(), wide, {"engine": "walker", "batch_size": 3, **adam}),
        (thin, wide, {"engine": "walker", "batch_size": 5, **adam}),
        (small(), many, {"engine": "compiled", "rule": "lstm-g", "optimizer": ng.SGD(0.01)}),
        (small(), wide, {"engine": "walker", "rule": "rtrl", "optimizer": ng.SGD(0.01)}),
        (small(), wide[:9], {"engine": "walker", "validation": (many, many[:, :1]), **adam}),
    ]  # fmt: skip


@pytest.mark.parametrize("told", [{}, {"rule": "lstm-g"}], ids=["batches", "online"])
def test_orders_that_were_drawn_ahead_are_drawn_again(told, written):
    """Rounds of many epochs, stopped in the middle."""
    told = {"epochs": 30, "engine": "walker", "optimizer": ng.SGD(0.1)} | told
    told |= {} if "rule" in told else {"batch_size": 5}
    steady, net = small(), small()
    wanted = outcome(steady, steady.fit(X, Y, **told))
    history = net.fit(X, Y, checkpoint="nowhere", every="31 batches", **told)
    assert outcome(net, history) == wanted
    for raw in written[::3]:
        assert outcome(*gone_on(raw, X, Y)) == wanted


def test_it_stops_wherever_somebody_listens(written):
    """Between batches, between epochs, and while validation data are measured."""
    places = set()
    for n in range(40):
        net, steady = small(), small()
        told = {"epochs": 3, "batch_size": 5, "optimizer": ng.Adam(0.1), "validation": (X, Y)}
        job = prepare(net, X, Y, checkpoint="nowhere", every="1 h", engine="walker", **told)
        heard = itertools.count()
        job.interrupted = lambda heard=heard, n=n: next(heard) >= n
        history = job.run(lambda n: None)
        places.add((len(history), len(job.begun.values) if job.begun else 0, bool(job.pending)))
        assert len(history.validation_loss) == len(history.loss)
        wanted = outcome(steady, steady.fit(X, Y, engine="walker", **told))
        assert outcome(*gone_on(written[-1], X, Y, validation=(X, Y))) == wanted
    assert {
        (0, 0, False),
        (0, 1, False),
        (0, 0, True),
        (1, 0, False),
        (1, 0, True),
        (3, 0, False),
    } <= places


STOPS = 300 if THOROUGH else 50


@pytest.mark.parametrize("part", range(5))
def test_ctrl_c_at_a_random_moment(part, tmp_path):
    """Control is back within half a second, and the training can go on as if nothing was."""
    rng, cases = np.random.default_rng(part), long_trainings()
    path = tmp_path / "c.ng"
    for net, x, told in cases:  # kernels are there before anybody is in a hurry
        net.copy().fit(x[:9], x[:9, :1], **told)
    for n in range(STOPS // 5):
        net, x, told = cases[(n + part) % len(cases)]
        pressed = []

        def press(pressed=pressed):
            pressed.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)

        stopped = net.copy()
        before = everything(stopped)
        timer = threading.Timer(rng.uniform(0, 0.12), press)
        try:
            timer.start()
            history = stopped.fit(x, x[:, :1], epochs=10**6, checkpoint=path, every="1 h", **told)
        except KeyboardInterrupt:  # before anything was trained
            assert everything(stopped) == before
            continue
        finally:
            took = time.perf_counter() - pressed[0] if pressed else 0
            timer.cancel()
            timer.join()
        assert took < 0.5
        assert history.interrupted
        twin = ng.load(path)
        assert everything(twin) == everything(stopped)
        data = {"validation": told["validation"]} if "validation" in told else {}
        found = read(path.read_bytes())
        job = prepared(found, x, x[:, :1], epochs=len(history) + 1, checkpoint=path, **data)
        steady = net.copy()
        wanted = steady.fit(x, x[:, :1], epochs=len(history) + 1, **told)
        assert outcome(found.net, job.run(lambda n: None)) == outcome(steady, wanted)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a process that was forked")
def test_a_training_that_is_killed_goes_on(tmp_path):
    kills = 200 if THOROUGH else 30
    script = Path(__file__).parent / "killing_training.py"
    done = subprocess.run(
        [sys.executable, script, tmp_path / "c.ng", str(kills), "0"],
        capture_output=True,
        text=True,
        check=True,
        env=SAME,
    )
    found = json.loads(done.stdout)
    assert found["killed"] == found["the same"] == kills
    assert found["inside an epoch"] and found["after an epoch"] > kills // 3


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux for its memory")
def test_networks_that_are_dropped_leave_nothing():
    """1,000 times build, train, drop, with either engine: at most 5 MB more."""
    code = """if True:
        from pathlib import Path
        import numpy as np
        import neurograph as ng

        def memory():
            return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

        X = np.random.default_rng(0).uniform(size=(4, 1))

        def live(seed):
            net = ng.perceptron(1, 2, 1, seed=seed)
            net.edges["input.0", "hidden.0"]["mine"] = net.nodes["hidden.1"]
            net.fit(X, X, optimizer=ng.Adam(0.01), engine=("walker", "compiled")[seed % 2],
                    validation=0.25, callbacks=[ng.EarlyStopping(3)])

        for seed in range(50):
            live(seed)
        before = memory()
        for seed in range(1000):
            live(seed)
        print(memory() - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=SAME
    )
    assert int(done.stdout) <= 5 * 10**6
