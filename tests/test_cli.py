"""The command line, as a user sees it."""

import subprocess
import sys

import pytest

from neurograph.cli import main


def test_xor_prints_every_number(capsys):
    assert main(["xor"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == ["a", "b", "xor", "output"]
    assert [line.split()[2] for line in lines[1:5]] == ["0", "1", "1", "0"]
    assert [round(float(line.split()[3])) for line in lines[1:5]] == [0, 1, 1, 0]
    assert sum(" -> " in line for line in lines) == 9
    assert sum(line.startswith(("hidden.", "output.")) and "->" not in line for line in lines) == 4
    assert lines[-1].startswith("XOR learned in 1000 epochs: loss 0.0")
    assert err == ""  # no progress bar where nobody looks


def test_options_are_used(capsys):
    assert main(["xor", "--hidden", "5", "--seed", "3", "--epochs", "700", "--rate", "6"]) == 0
    out = capsys.readouterr().out
    assert "hidden.4 -> output.0" in out
    assert "in 700 epochs" in out


@pytest.mark.parametrize("arguments", [["--epochs", "3"], ["--hidden", "1"], ["--rate", "1e300"]])
def test_stuck_is_exit_code_1_and_a_plain_sentence(arguments, capsys):
    assert main(["xor", *arguments]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("Stuck")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["xor", "--epochs", "0"],
            "neurograph xor: argument --epochs: takes a whole number of 1 or more, not '0'",
        ),
        (
            ["xor", "--rate", "-1"],
            "neurograph xor: argument --rate: takes a number above 0, not '-1'",
        ),
        (
            ["xor", "--rate", "nan"],
            "neurograph xor: argument --rate: takes a number above 0, not 'nan'",
        ),
        (
            ["xor", "--seed", "x"],
            "neurograph xor: argument --seed: takes a whole number of 0 or more, not 'x'",
        ),
        (
            ["xor", "--hidden", "0"],
            "neurograph xor: argument --hidden: takes a whole number of 1 or more, not '0'",
        ),
        (["xor", "--speed"], "neurograph: unrecognized arguments: --speed"),
        ([], "neurograph: the following arguments are required: command"),
    ],
)
def test_bad_arguments_get_one_line(arguments, line, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err == line + "\n"


def test_python_m_neurograph():
    command = [sys.executable, "-m", "neurograph", "xor", "--epochs", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == ""


def test_progress_on_a_terminal(monkeypatch, capsys):
    pytest.importorskip("tqdm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert main(["xor", "--epochs", "5"]) == 1
    assert "epochs" in capsys.readouterr().err
