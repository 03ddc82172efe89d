"""`neurograph train`, `predict` and `show`, in an empty directory, as a new user would."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import neurograph as ng
from neurograph.cli import main
from neurograph.io.checkpoint_reader import read


@pytest.fixture(autouse=True)
def empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(name, header, rows):
    with Path(name).open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def flowers(n=120, seed=0):
    """Three kinds, told apart by two of three numbers."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, n)
    middle = np.array([[0, 0], [3, 0], [0, 3]])[kind]
    X = np.c_[middle + rng.normal(0, 0.4, (n, 2)), rng.normal(5, 9, n)]
    names = np.array(["aster", "bell flower", "clover"])[kind]
    rows = [[f"{a:.4f}", f"{b:.4f}", f"{c:.4f}", k] for (a, b, c), k in zip(X, names, strict=True)]
    write("flowers.csv", ["long", "wide", "noise", "kind"], rows)
    return rows


def held_out(text):
    return float(re.search(r"held out +([\d.]+)% right", text)[1])


def test_one_command_learns_a_classification(capsys):
    flowers()
    assert main(["train", "flowers.csv", "--epochs", "60", "--hidden", "8"]) == 0
    out = capsys.readouterr().out
    assert "classification of 'kind': aster, bell flower, clover" in out
    assert "120 rows, 3 inputs" in out and "saved       network.ng" in out
    assert held_out(out) >= 95
    net = ng.load("network.ng")
    assert len(net.inputs) == 3 and len(net.outputs) == 3


def test_predict_says_what_train_has_learned(capsys):
    rows = flowers()
    assert main(["train", "flowers.csv", "--epochs", "60"]) == 0
    capsys.readouterr()
    write("new.csv", ["noise", "wide", "other", "long"], [[r[2], r[1], "x", r[0]] for r in rows])
    assert main(["predict", "network.ng", "new.csv"]) == 0
    out = capsys.readouterr().out
    found = list(csv.DictReader(out.splitlines()))
    assert np.mean([f["kind"] == r[3] for f, r in zip(found, rows, strict=True)]) > 0.95
    total = sum(float(found[0][f"p({k})"]) for k in ("aster", "bell flower", "clover"))
    assert total == pytest.approx(1, abs=1e-5)
    # With the target there, it says how good it is; and it writes a file.
    assert main(["predict", "network.ng", "flowers.csv", "--output", "answers.csv"]) == 0
    captured = capsys.readouterr()
    assert "120 rows written to answers.csv" in captured.out and "right" in captured.err
    assert Path("answers.csv").read_text() == out


def test_numbers_make_a_regression(capsys):
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, (150, 2))
    y = 100 + 30 * np.sin(X[:, 0]) - 20 * X[:, 1]
    write("r.csv", ["price", "a", "b"], np.c_[y, X].tolist())
    options = ["--target", "price", "--epochs", "200", "--hidden", "12,6", "--skips"]
    assert main(["train", "r.csv", *options]) == 0
    out = capsys.readouterr().out
    assert "regression of 'price'" in out
    assert float(re.search(r"held out +R² ([\d.]+)", out)[1]) > 0.95
    net = ng.load("network.ng")
    assert net.has_edge("input.0", "output.0") and net.has_edge("hidden1.0", "output.0")
    main(["predict", "network.ng", "r.csv"])
    answers = [float(line) for line in capsys.readouterr().out.splitlines()[1:]]
    assert np.corrcoef(answers, y)[0, 1] > 0.97


def test_sequences_and_a_recurrent_network(capsys):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(160, 6, 1))
    y = (X[:, 0, 0] > 0).astype(int)  # the first of each, asked at its end
    lengths = rng.integers(3, 7, 160)
    np.savez("s.npz", X=X, y=y, lengths=lengths)
    options = ["--recurrent", "--epochs", "80", "--hidden", "10"]
    assert main(["train", "s.npz", *options]) == 0
    out = capsys.readouterr().out
    assert held_out(out) > 85
    assert ng.load("network.ng").edges["hidden.0", "hidden.0"].reads == "output"
    assert main(["predict", "network.ng", "s.npz"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 161


def test_training_goes_on_from_a_file(capsys):
    flowers()
    main(["train", "flowers.csv", "--epochs", "2", "--output", "a.ng"])
    main(["train", "flowers.csv", "--epochs", "60", "--network", "a.ng", "--output", "b.ng"])
    assert held_out(capsys.readouterr().out.split("data ")[-1]) >= 95
    assert ng.load("a.ng").weights.shape == ng.load("b.ng").weights.shape


def test_the_same_seed_writes_the_same_file():
    flowers()
    for name in ("a.ng", "b.ng"):
        main(["train", "flowers.csv", "--epochs", "3", "--output", name])
    assert Path("a.ng").read_bytes() == Path("b.ng").read_bytes()


def test_show_says_what_is_in_a_file(capsys):
    net = ng.lstm(2, 3, 1, seed=0)
    net.edges["input.0", "cell.1"].weight = -7
    net.save("lstm.ng")
    assert main(["show", "lstm.ng", "--synapses", "1", "--levels", "2"]) == 0
    out = capsys.readouterr().out
    for words in ("15 neurons (2 inputs, 1 output), 59 synapses; ready", "3 self-synapses", "gated",
                  "cell (3)", "input.0 -> cell.1  -7", "schedule", "more lines"):  # fmt: skip
        assert words in out


def test_wine_in_an_empty_directory(capsys):
    datasets = pytest.importorskip("sklearn.datasets")
    wine = datasets.load_wine()
    write("wine.csv", [*wine.feature_names, "cultivar"],
          [[*x, f"class {y}"] for x, y in zip(wine.data, wine.target, strict=True)])  # fmt: skip
    assert main(["train", "wine.csv"]) == 0
    assert held_out(capsys.readouterr().out) >= 95


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("a,b,y\n1,red,0\n2,3,1\n", [], "row 2: 'red' in column 'b' is not a number"),
        ("a,b,y\n1,,0\n2,3,1\n", [], "row 2: nothing in column 'b'"),
        ("a,b,y\n1,2,\n2,3,1\n", [], "row 2: nothing in column 'y'"),
        ("a,b,y\n1,2\n2,3,1\n", [], "row 2: 2 values, but the header has 3"),
        ("a,b,y\n1,2,0\n", ["--target", "z"], "no column 'z' to predict"),
        ("a,b,y\n1,inf,0\n1,1,1\n", [], "not finite"),
        ("a,b,y\n", [], "a header and a row"),
        ("1,2,3\n4,5,6\n", [], "needs a header"),
        ("a,a,y\n1,2,3\n", [], "two columns 'a'"),
        ("a,y\n" + "1,0\n" * 20, [], "one class only"),
        ("a,y\n1,0\n2,1\n", [], "too few"),
        ("y\n1\n2\n", [], "nothing to predict 'y' from"),
        ("a,y\n" + "1,0\n2,1\n" * 9, ["--batch-size", "0"], "1 or more"),
        ("a,y\n" + "1,0\n2,1\n" * 9, ["--rate", "0"], "above 0"),
        ("a,y\n" + "1,0\n2,1\n" * 9, ["--hidden", "x"], "sizes of layers"),
        ("a,y\n" + "1,0\n2,1\n" * 9, ["--validation", "1"], "between 0 and 1"),
        ("a,y\n" + "1,0\n2,1\n" * 9, ["--recurrent"], "for sequences"),
        ("a,y\n" + "1,0\n2,1\n" * 9, ["--activation", "no"], "no"),
        ("a,y\n" + "1,0.5\n2,1.7\n" * 9,
         ["--rate", "1e308", "--optimizer", "sgd", "--activation", "identity"], "diverged"),
        ("a,y\n" + "1,0\n2,1\n" * 9, ["--network", "none.ng"], "none.ng"),
        (b"\xff\xfe\x00", [], "UTF-8"),
        (None, [], "there is no file"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_and_nothing_is_written(capsys, text, arguments, message):
    if isinstance(text, bytes):
        Path("d.csv").write_bytes(text)
    elif text is not None:
        Path("d.csv").write_text(text)
    try:
        code = main(["train", "d.csv", *arguments])
    except SystemExit as error:
        code = error.code
    assert code == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1
    assert not captured.out
    assert not list(Path().glob("*.ng"))


def test_files_that_cannot_be_used_for_a_prediction(capsys):
    flowers()
    ng.perceptron(3, 2, seed=0).save("mine.ng")
    assert main(["predict", "mine.ng", "flowers.csv"]) == 2
    assert "does not say what its inputs are" in capsys.readouterr().err
    main(["train", "flowers.csv", "--epochs", "1"])
    write("less.csv", ["long", "wide"], [[1, 2]])
    assert main(["predict", "network.ng", "less.csv"]) == 2
    assert "no column 'noise', which the network needs" in capsys.readouterr().err
    Path("broken.ng").write_bytes(b"no network")
    assert main(["show", "broken.ng"]) == 2
    np.savez("bad.npz", X=np.ones((3, 2)), y=np.ones(2))
    assert main(["train", "bad.npz"]) == 2
    np.savez("worse.npz", X=np.array(["a"]))
    assert main(["train", "worse.npz"]) == 2
    Path("no.npz").write_bytes(b"PK")
    assert main(["train", "no.npz"]) == 2


def training(*words):
    """`neurograph train` as a process for itself, that can be interrupted."""
    root = Path(ng.__file__).parent.parent
    return subprocess.Popen(
        [sys.executable, "-m", "neurograph", "train", "flowers.csv", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_and_resumed_it_writes_the_same_file(end, capsys):
    flowers()
    told = ["--patience", "999999", "--seed", "3", "--batch-size", "1"]
    told += ["--epochs", "1000000"]  # to be interrupted long before
    child = training(
        *told, "--checkpoint", "run.ng", "--every", "7batches", "--output", "broken.ng"
    )
    while not Path("run.ng").exists() and child.poll() is None:
        time.sleep(0.01)
    while len(read(Path("run.ng").read_bytes()).history) < 3:
        time.sleep(0.01)
    child.send_signal(end)
    out, err = child.communicate()
    if end == signal.SIGINT:
        assert child.returncode == 0 and "interrupted" in out and "broken.ng" in out
        assert "to go on: neurograph train flowers.csv --resume run.ng" in err
    done = len(read(Path("run.ng").read_bytes()).history)
    total = str(done + 1)  # enough for kernels: the engine goes by the size of all
    assert main(["train", "flowers.csv", *told, "--epochs", total, "--output", "steady.ng"]) == 0
    again = [
        "train",
        "flowers.csv",
        "--resume",
        "run.ng",
        "--epochs",
        total,
        "--output",
        "resumed.ng",
    ]
    assert main(again) == 0
    assert Path("resumed.ng").read_bytes() == Path("steady.ng").read_bytes()
    assert len(read(Path("run.ng").read_bytes()).history) == int(total)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--resume", "none.ng"], "none.ng"),
        (["--resume", "net.ng"], "no checkpoint that `neurograph train` has written"),
        (["--resume", "run.ng", "--rate", "0.5"], "--rate is in the checkpoint: leave it out"),
        (["--resume", "run.ng", "--seed", "3"], "--seed is in the checkpoint"),
        (["--resume", "run.ng", "--epochs", "1"], "of which 3 are done"),
        (["--every", "3"], "--checkpoint FILE"),
        (["--checkpoint", "run.ng", "--every", "3 moons"], "every must be a number of epochs"),
        (["--checkpoint", "no/run.ng"], "no/run.ng"),
    ],
)
def test_what_cannot_go_on_is_one_sentence(words, message, capsys):
    flowers(20)
    main(["train", "flowers.csv", "--epochs", "3", "--checkpoint", "run.ng", "--output", "net.ng"])
    capsys.readouterr()
    before = {path: path.read_bytes() for path in Path().iterdir()}
    try:
        code = main(["train", "flowers.csv", *words, "--output", "other.ng"])
    except SystemExit as error:
        code = error.code
    captured = capsys.readouterr()
    assert code == 2 and message in captured.err and captured.err.count("\n") == 1
    assert {path: path.read_bytes() for path in Path().iterdir()} == before


def test_other_rows_are_refused(capsys):
    flowers(20)
    main(["train", "flowers.csv", "--epochs", "3", "--checkpoint", "run.ng"])
    flowers(20, seed=1)
    assert main(["train", "flowers.csv", "--resume", "run.ng"]) == 2
    assert "holds other numbers than those that the training began with" in capsys.readouterr().err
