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


@pytest.mark.parametrize("length", [22, 50, 100])
def test_two_marked_numbers_are_added(length):
    X, Y = tasks.adding(length).draw(2000, np.random.default_rng(0))
    numbers, marks = X.transpose(2, 0, 1)
    last = (~np.isnan(Y[..., 0])).argmax(1)
    assert ((~np.isnan(Y)).sum((1, 2)) == 1).all()
    assert set(last + 1) == set(range(length, length + length // 10 + 1))
    assert ((marks == 1).sum(1) == 2).all() and np.isin(marks, (-1, 0, 1)).all()
    beyond = np.arange(X.shape[1]) > last[:, None]
    assert not X[beyond].any() and (np.abs(numbers) <= 1).all()
    places = np.argwhere(marks == 1)[:, 1].reshape(-1, 2)
    assert (places[:, 0] < 10).all() and (places[:, 1] < length // 2 - 1).all()
    assert {0, 9, length // 2 - 2} <= set(places.ravel())
    for row, end, pair in zip(marks, last, places, strict=True):
        ends = {0, int(end)} - set(pair.tolist())
        assert set(np.flatnonzero(row == -1).tolist()) == ends
    assert not numbers[marks[:, 0] == 1, 0].any()
    sums = (numbers * (marks == 1)).sum(1)
    assert np.allclose(Y[np.arange(len(Y)), last, 0], 0.5 + sums / 4, atol=1e-15)


def test_what_was_heard_is_copied_and_else_there_is_a_blank():
    X, Y = tasks.copying(3, delay=5, alphabet=4).draw(100, np.random.default_rng(0))
    heard, asked = X.argmax(2), Y.argmax(2)
    assert X.shape == (100, 11, 6) and (X.sum(2) == 1).all()
    assert Y.shape == (100, 11, 5) and (Y.sum(2) == 1).all()
    assert (heard[:, :3] == asked[:, -3:]).all() and set(heard[:, :3].ravel()) == {0, 1, 2, 3}
    assert (heard[:, 3:7] == 4).all() and (heard[:, 7] == 5).all() and (heard[:, 8:] == 4).all()
    assert (asked[:, :-3] == 4).all()


def test_the_baseline_of_the_copy_problem_is_what_a_network_without_memory_can_do():
    task = tasks.copying(3, delay=5, alphabet=4)
    net = ng.perceptron(6, 5, output_activation="identity", seed=0)
    X, Y = (a.reshape(-1, 1, a.shape[2]) for a in task.draw(3000, np.random.default_rng(0)))
    net.fit(X, Y, epochs=20, optimizer=ng.Adam(0.03), loss="categorical_cross_entropy")
    words = task.score(net, np.random.default_rng(1)).words
    found, baseline = (float(w.rstrip(";,")) for w in words.split() if w[-1] in ";,")
    # After the mark it cannot know how long it is to speak, so it is a little worse.
    assert baseline == round(3 * np.log(4) / 11, 4) <= found


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


EASY = {"length": 10, "targets": 2, "distractors": 2, "hidden": 7}  # Synaptic's example


@pytest.mark.parametrize(
    ("make", "seed", "most"),
    [
        (lambda: tasks.xor(), 1, 20_000),
        (lambda: tasks.distracted_recall(), 1, 30_000),
        (lambda: tasks.distracted_recall(), 3, 30_000),
        (lambda: tasks.distracted_recall(**EASY), 1, 10_000),
        (lambda: tasks.distracted_recall(**EASY, online=True), 1, 20_000),
        (lambda: tasks.distracted_recall(**EASY, online=True), 2, 20_000),
        (lambda: tasks.reber_grammar(), 6, 30_000),
        (lambda: tasks.reber_grammar(12, online=True), 1, 20_000),
        (lambda: tasks.timing(), 1, 10_000),
        (lambda: tasks.adding(), 1, 40_000),
        (lambda: tasks.copying(2, delay=5), 1, 60_000),
    ],
)
def test_networks_built_here_learn(make, seed, most):
    task = make()
    report = tasks.learn(task, seed=seed, limit=most)
    assert report.success and report.sequences <= most, report
    assert task.name == "XOR" or {"cell.0", "candidate.0"} & set(report.network)  # LSTM or GRU


def test_a_seed_learns_the_same():
    first, second = (tasks.learn(MADE["xor"], seed=3, limit=2000) for _ in range(2))
    assert first.score == second.score and (first.network.weights == second.network.weights).all()


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
        lambda: tasks.adding(21),
        lambda: tasks.copying(0),
        lambda: tasks.timing(5),
        lambda: tasks.learn(MADE["xor"], limit=0),
    ],
)
def test_bad_sizes(make):
    with pytest.raises(ng.ParameterError):
        make()
