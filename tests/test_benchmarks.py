"""Benchmarks: the table and the JSON come out, and contenders are checked; nothing is timed."""

import json

import numpy as np
import pytest

from benchmarks import peers
from benchmarks.cli import main
from benchmarks.graphs import dag, recurrent
from benchmarks.measure import Case, Contender, Entry, compare, run_case
from benchmarks.ours import forward_backward, plan_of
from benchmarks.report import markdown, table

PLAIN = ["--contender", "neurograph", "--contender", "dict walk", "--contender", "NumPy"]


def test_rows_come_out_as_table_and_json(tmp_path, capsys):
    path = tmp_path / "found.json"
    rows = ["--only", "xor-online", "--only", "plan"]
    assert main(["--quick", *rows, *PLAIN, "--json", str(path)]) == 0
    out = capsys.readouterr().out
    assert "xor-online  neurograph" in out and "xor-online  dict walk" in out
    assert "plan        neurograph" in out and "×" in out
    found = json.loads(path.read_text(encoding="utf-8"))
    assert {"processor", "cores", "system", "versions"} == found["machine"].keys()
    assert {"python", "numpy", "networkx", "neurograph"} <= found["machine"]["versions"].keys()
    assert all(result["samples"] and not result["problem"] for result in found["results"])
    assert found["results"][0]["ratio"] == 1


def test_peers_that_are_absent_are_named_with_how_to_install_them(monkeypatch, capsys):
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    monkeypatch.setattr(peers.shutil, "which", lambda name: None)
    assert main(["--quick", "--only", "sparse-dag", "--markdown"]) == 0
    out = capsys.readouterr().out
    assert "| sparse-dag, B 1, 1 thread | neurograph |" in out
    for name in ("scipy", "torch", "jax", "neat"):
        assert f"not installed: {name}; to include it: {peers.INSTALL[name]}" in out


def test_node_packages_are_looked_for_in_a_folder(monkeypatch, tmp_path):
    (tmp_path / "synaptic").mkdir()
    (tmp_path / "synaptic" / "package.json").write_text('{"version": "1.1.4"}', encoding="utf-8")
    monkeypatch.setattr(peers.shutil, "which", lambda name: "node")
    found = peers.Peers(str(tmp_path))
    assert "synaptic" in found and "brain.js" not in found
    assert found.absent == {"brain.js": "npm install brain.js"}
    assert found.versions()["synaptic"] == "1.1.4"


def contender(value, seconds=1.0):
    return lambda: Contender(lambda least: seconds, lambda: {"y": [value]})


def failing():
    raise RuntimeError("no such luck")


def test_a_contender_that_disagrees_or_fails_is_not_timed():
    case = Case(
        "",
        [
            Entry("neurograph", contender(1.0)),
            Entry("same", contender(1.0, seconds=3.0)),
            Entry("other", contender(1.1)),
            Entry("broken", failing),
        ],
    )
    ours, same, other, broken = results = run_case("row", case, lambda entry: True, 2, 1.0)
    assert ours.samples == [1.0, 1.0] and same.ratio == 3
    assert not other.samples and other.problem == "disagrees: y is off by 0.1, of 1"
    assert not broken.samples and broken.problem == "failed: RuntimeError: no such luck"
    assert "disagrees" in table(results) and "| row | same | 3 s a call |" in markdown(results)


@pytest.mark.parametrize(
    ("theirs", "where"),
    [
        ({"y": [1.0, 2.0]}, ""),
        ({"y": [1.0]}, "shape"),
        ({"y": [1.0, np.nan]}, "off"),
        ({"z": [7.0]}, ""),
    ],
)
def test_numbers_are_compared_where_both_have_them(theirs, where):
    assert where in compare({"y": [1.0, 2.0]}, theirs, 1e-9)
    assert bool(where) == bool(compare({"y": [1.0, 2.0]}, theirs, 1e-9))


def test_a_dag_is_as_deep_as_it_says_and_has_no_pair_twice():
    graph = dag(100, 1000, 20)
    level = np.searchsorted(graph.first, np.arange(graph.n), side="right") - 1
    assert len(graph.source) == 1000 == len(set(zip(graph.source, graph.target, strict=True)))
    assert (level[graph.source] < level[graph.target]).all()
    assert (plan_of(graph).level == level).all()


def test_forward_backward_is_that_of_one_step_by_hand():
    graph = recurrent(30, 200, ports=5)
    rng = np.random.default_rng(0)
    X, d = (rng.standard_normal((1, 5, 1), np.float32) for _ in range(2))
    before = rng.standard_normal(30, np.float32)
    given = plan_of(graph), graph.weight, graph.bias, X, d, before[:, None]
    found = forward_backward(*given)
    s = graph.bias + np.bincount(graph.target, graph.weight * before[graph.source], 30)
    np.testing.assert_allclose(found.y.of()[0, 5:, 0], np.tanh(s)[5:], rtol=1e-5)
    delta = np.zeros(30)
    delta[-5:] = d[0, :, 0] * (1 - np.tanh(s[-5:]) ** 2)
    by_hand = delta[graph.target] * before[graph.source]
    np.testing.assert_allclose(found.d_weight, by_hand, rtol=1e-4, atol=1e-6)
