"""Tasks: their sequences are what the papers say, and networks built here learn them."""

import numpy as np
import pytest

import neurograph as ng
from neurograph import tasks
from neurograph.cli import main
from neurograph.tasks.reber import SYMBOLS, coded, legal_next, reber_string

MADE = {name: make() for name, make in tasks.TASKS.items()}
every = pytest.mark.parametrize("task", MADE.values(), ids=MADE)


@every
def test_a_seed_draws_the_same_sequences(task):
    X, Y = task.draw(20, np.random.default_rng(3))
    again = task.draw(20, np.random.default_rng(3))
    assert np.array_equal(X, again[0]) and np.array_equal(Y, again[1], equal_nan=True)
    assert not np.array_equal(X, task.draw(20, np.random.default_rng(4))[0])
    assert X.shape[:2] == Y.shape[:2] and len(X) == 20
    assert np.isfinite(X).all() and not np.isnan(Y).all()
    net = task.network(0)
    assert (len(net.inputs), len(net.outputs)) == (X.shape[2], Y.shape[2])


@every
def test_an_untrained_network_has_not_solved_it(task):
    assert not task.score(task.network(0), np.random.default_rng(0)).success


def test_distracted_recall_asks_for_the_targets_in_their_order():
    X, Y = tasks.distracted_recall(length=12).draw(200, np.random.default_rng(0))
    symbols = X.argmax(2)
    assert (X.sum(2) == 1).all()
    assert (symbols[:, -2:] == [0, 1]).all()
    for row, said in zip(symbols[:, :-2], Y[:, -2:].argmax(2), strict=True):
        targets = row[(row >= 2) & (row < 6)]
        assert targets.tolist() == (2 + said).tolist()
    before = Y[:, :-2]
    assert ((before == 0) | np.isnan(before)).all()
    assert 0.05 < (before == 0).all(2).mean() < 0.15


def test_strings_are_of_the_grammar_and_so_is_what_may_follow():
    arcs = {("0", "B"): "1", ("1", "T"): "2", ("1", "P"): "3", ("2", "S"): "2", ("2", "X"): "4",
            ("3", "T"): "3", ("3", "V"): "5", ("4", "X"): "3", ("4", "S"): "6", ("5", "P"): "4",
            ("5", "V"): "6", ("6", "E"): "7"}  # fmt: skip
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(500):
        string = reber_string(rng)
        assert string[0] == "B" and string[-1] == "E" and string[1] == string[-2] in "TP"
        state = "0"
        may = legal_next(string)
        assert len(may) == len(string) - 1
        for here, (symbol, allowed) in enumerate(zip(string[2:-2], may[1:-2], strict=True)):
            assert allowed == {a for s, a in arcs if s == state}, (string, here)
            state = arcs[state, symbol]
        assert state == "7"
        assert may[0] == {"T", "P"} and may[-2] == {string[1]} and may[-1] == {"E"}
        seen.add(string)
    assert len(seen) > 100
    X, Y = coded([string])
    assert X.shape == (1, len(string) - 1, 7)
    assert "".join(SYMBOLS[i] for i in Y[0].argmax(1)) == string[1:]


def test_a_marked_number_in_each_half_is_added():
    X, Y = tasks.adding(20).draw(300, np.random.default_rng(0))
    assert (X[:, :10, 1].sum(1) == 1).all() and (X[:, 10:, 1].sum(1) == 1).all()
    assert np.allclose(Y[:, -1, 0], (X[..., 0] * X[..., 1]).sum(1) / 2)
    assert np.isnan(Y[:, :-1]).all() and ((X >= 0) & (X <= 1)).all()


def test_what_was_shown_is_to_be_copied():
    X, Y = tasks.copying(3, delay=5, alphabet=4).draw(100, np.random.default_rng(0))
    assert X.shape == (100, 11, 6) and (X.sum(2) == 1).all()
    assert (X[:, :3].argmax(2) == Y[:, 8:].argmax(2)).all()
    assert (X[:, 8].argmax(1) == 5).all() and np.isnan(Y[:, :8]).all()


def test_a_mark_says_for_how_long():
    X, Y = tasks.timing(60).draw(50, np.random.default_rng(0))
    for x, y in zip(X, Y[..., 0], strict=True):
        marks = np.flatnonzero(x[:, 0])
        for t in marks:
            held = round(20 * x[t, 1])
            assert (y[t : t + held + 1] == 0.5).all()
            after = t + held + 1
            if after < len(y) and after not in marks:
                assert y[after] == 0 and x[after, 1] == x[t, 1]


# ---------------------------------------------------------------- they are learned


@pytest.mark.parametrize(
    ("name", "seed", "most"),
    [("xor", 1, 20_000), ("dsr", 1, 60_000), ("erg", 1, 40_000), ("erg", 4, 40_000)],
)
def test_networks_built_here_learn(name, seed, most):
    report = tasks.learn(MADE[name], seed=seed, limit=most)
    assert report.success, report
    again = MADE[name].score(report.network, np.random.default_rng(99))
    assert again.success or name == "dsr"
    assert ("cell.0" in report.network) == (name in ("dsr", "erg"))  # an LSTM


def test_a_gru_learns_the_adding_problem():
    report = tasks.learn(tasks.adding(20), seed=0, limit=40_000)
    assert report.success, report


def test_the_command_reports(capsys):
    assert main(["task", "xor", "--seed", "1"]) == 0
    out = capsys.readouterr().out
    assert "XOR: solved after" in out and "criterion" in out and "Rumelhart" in out
    assert main(["task", "erg", "--sequences", "16", "--hidden", "2"]) == 1
    assert "not solved after 16 sequences" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(["task", "chess"])
    assert stop.value.code == 2
    assert main(["task", "dsr", "--length", "3"]) == 2
    assert "length must be 4 or more" in capsys.readouterr().err


@pytest.mark.parametrize(
    "make",
    [
        lambda: tasks.distracted_recall(targets=0),
        lambda: tasks.adding(1),
        lambda: tasks.copying(0),
        lambda: tasks.timing(5),
        lambda: tasks.learn(MADE["xor"], limit=0),
    ],
)
def test_bad_sizes(make):
    with pytest.raises(ng.ParameterError):
        make()
