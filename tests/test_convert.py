"""`neurograph convert`, and `ng.io.read` and `write`: formats by the ends of names."""

import json
from pathlib import Path

import numpy as np
import pytest

import neurograph as ng
from neurograph.cli import main
from neurograph.io.endings import READERS, WRITERS, write

DATA = Path(__file__).parent / "data" / "neataptic"


@pytest.fixture
def net():
    made = ng.lstm(2, 3, 1, seed=0)
    made.nodes["cell.0"]["colour"] = "red"
    return made


def outputs(net):
    X = np.random.default_rng(0).uniform(-1, 1, (2, 4, len(net.inputs)))
    return net.run(X, engine="walker").outputs


def test_there_and_back_by_every_way(net, tmp_path, capsys):
    net.save(tmp_path / "0.ng")
    ways = ["1.json", "2.graphml", "3.csv", "4.JSON", "5.ng"]
    for before, after in zip(["0.ng", *ways], ways, strict=False):
        assert main(["convert", str(tmp_path / before), str(tmp_path / after)]) == 0
        out, err = capsys.readouterr()
        assert out.startswith(f"{tmp_path / before} -> {tmp_path / after}: <Network: ")
        assert err.startswith("warning: CSV holds no layers") == (after == "3.csv")
    twin = ng.load(tmp_path / "5.ng")
    assert (outputs(twin) == outputs(net)).all()
    assert twin.nodes["cell.0"]["colour"] == "red"
    assert (tmp_path / "3.neurons.csv").is_file()


def test_json_is_what_its_content_says(net, tmp_path, capsys):
    small = ng.perceptron(2, 3, 1, seed=0)
    ng.io.write(small, tmp_path / "a.synaptic.json")
    assert "neurons" in json.loads((tmp_path / "a.synaptic.json").read_text())
    assert (outputs(ng.io.read(tmp_path / "a.synaptic.json")) == outputs(small)).all()
    recorded = json.loads((DATA / "gru.json").read_text())
    (tmp_path / "gru.json").write_text(json.dumps(recorded["network"]))
    assert main(["convert", str(tmp_path / "gru.json"), str(tmp_path / "gru.ng")]) == 0
    twin = ng.load(tmp_path / "gru.ng")
    assert np.abs(twin.run([recorded["inputs"]]).outputs[0] - recorded["outputs"]).max() < 1e-12
    assert main(["convert", str(tmp_path / "gru.ng"), str(tmp_path / "gru.dot")]) == 0
    assert (tmp_path / "gru.dot").read_text().startswith("digraph {")


@pytest.mark.parametrize(
    ("source", "target", "text", "line"),
    [
        ("a.ng", "b.ng", None, "neurograph convert: [Errno 2] No such file"),
        ("a.xyz", "b.ng", "", "no format to read from has this ending; known: .ng, .json, .graphml, .csv"),
        ("a.dot", "b.ng", "", "no format to read from has this ending"),
        ("a.csv", "b.xyz", "source,target\na,b\n", "no format to write to has this ending; known: .ng"),
        ("a.json", "b.ng", "{}", "a.json: JSON of no kind that is known; it must have 'nodes' and 'edges'"),
        ("a.json", "b.ng", "[", "a.json: not valid JSON"),
        ("a.json", "b.ng", '{"nodes": 5, "edges": []}', "a.json: directed must be true"),
        ("a.graphml", "b.ng", "<!DOCTYPE a>", "a.graphml: line 1: a DOCTYPE"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_code_2(source, target, text, line, tmp_path, capsys):
    if text is not None:
        (tmp_path / source).write_text(text)
    assert main(["convert", str(tmp_path / source), str(tmp_path / target)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and line in err and err.count("\n") == 1
    assert not (tmp_path / target).exists()


def test_the_registry_takes_more(net, tmp_path, monkeypatch):
    monkeypatch.setitem(
        WRITERS, ".names.txt", lambda net, path: Path(path).write_text(str(len(net)))
    )
    write(net, tmp_path / "a.names.txt")
    assert (tmp_path / "a.names.txt").read_text() == str(len(net))
    with pytest.raises(ng.ParameterError, match="there must be a path to read from, got 5"):
        ng.io.read(5)
    assert set(READERS) < set(WRITERS)
