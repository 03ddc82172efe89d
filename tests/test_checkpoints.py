"""Checkpoints: a training that stops anywhere goes on, bit for bit, as if it had not."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import neurograph as ng
from neurograph.io import checkpoint as writer
from neurograph.io.checkpoint_reader import prepared, read
from tests.lossless import everything, typed
from tests.strategies import SMOOTH, networks

THOROUGH = bool(os.environ.get("NEUROGRAPH_THOROUGH"))
DATA = Path(__file__).parent / "data"
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


def outcome(net, history):
    """All that a training leaves, but for how long it took."""
    return everything(net), typed([history.loss, history.validation_loss, history.best_epoch])


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
        told |= {"optimizer": draw(st.sampled_from(OPTIMIZERS)), "batch_size": draw(st.integers(1, 4))}
        told["loss"] = draw(st.sampled_from([None, "mse"]))
        for handle in draw(st.lists(st.sampled_from([*net.neurons, *net.synapses]), max_size=2)):
            handle.update(draw(st.sampled_from([{"dropout": 0.3}, {"trainable": False}, {"rate_factor": 0.5}])))
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
        raw = found[data.draw(st.integers(0, len(found) - 1))]
        assert outcome(*gone_on(raw, x, y, **again)) == wanted
