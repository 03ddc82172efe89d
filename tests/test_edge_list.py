"""Edge lists: CSV, frames of pandas, rows; and pictures in DOT."""

import io
import re
import shutil
import subprocess
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurograph as ng
from tests.lossless import typed
from tests.strategies import networks
from tests.test_graph_formats import outputs, structure

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)


@settings(max_examples=40)
@given(data=st.data())
def test_two_files_hold_what_a_network_is(data, tmp_path_factory):
    net = data.draw(networks(names=TEXTS))
    for i, neuron in enumerate(net.neurons):
        neuron.update(place=i / 4, colour=f"c{i}\n,;\"'", good=i % 2 == 0)
    next(iter(net.synapses)).update(count=3, lower=-5, upper=np.inf, rate_factor=0.1)
    next(iter(net.neurons)).update(trainable=False, sign=-1, dropout=0.25)
    folder = tmp_path_factory.mktemp("law")
    files = folder / "net.csv", folder / "neurons.csv"
    delimiter = data.draw(st.sampled_from(",;\t"))
    tables = ng.io.write_edge_list(net, *files, delimiter=delimiter)
    twins = [ng.io.read_edge_list(*files, delimiter=delimiter), ng.io.read_edge_list(*tables)]
    for twin in twins:
        twin.seed = net.seed
        assert structure(twin) == structure(net)
        assert outputs(twin) == outputs(net)


@settings(max_examples=40)
@given(data=st.data())
def test_frames_keep_names_of_any_type(data):
    net = data.draw(networks())
    tables = ng.io.write_edge_list(net)
    frames = [pd.DataFrame(rows) for rows in tables]
    twin = ng.io.read_edge_list(*frames)
    twin.seed = net.seed
    assert outputs(twin) == outputs(net)
    assert [repr(n) for n in twin] == [repr(n) for n in net]
    assert [dict(s) for s in twin.synapses] == [dict(s) for s in net.synapses]


def test_without_neurons_they_come_as_edges_name_them(tmp_path):
    path = tmp_path / "worm.csv"
    path.write_text("pre,post,synapses,type,,gater\nb,a,5,chemical,0,\n\na,c,2,,1,z\n")
    with pytest.warns(ng.NeurographWarning, match="a column without a name is not read"):
        net = ng.io.read_edge_list(path, source="pre", target="post", weight="synapses")
    assert list(net) == ["b", "a", "c", "z"] and net.edges["a", "c"].gater == "z"
    assert dict(net.edges["b", "a"]) == {"weight": 5.0, "type": "chemical"}
    assert list(ng.io.read_edge_list(io.StringIO("source,target,weight\na,b,1\n"))) == ["a", "b"]
    path.write_text("source,target\n1,2\n2,2\n")
    read = [ng.io.read_edge_list(path, names=int, self_loops="state", seed=4) for _ in range(2)]
    assert list(read[0].edges) == [(1, 2), (2, 2)] and read[0].edges[2, 2].reads == "state"
    assert (read[0].weights == read[1].weights).all() and read[0].weights.all()


def test_columns_of_ones_own_become_numbers_if_they_can(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("source,target,weight,i,f,b,t,m\na,b,1,1,1,True,1,\nb,c,1,-2,2.5e3,false,x,7\n")
    net = ng.io.read_edge_list(path)
    assert typed(dict(net.edges["b", "c"])) == typed(
        {"weight": 1.0, "i": -2, "f": 2500.0, "b": False, "t": "x", "m": 7}
    )
    assert typed(dict(net.edges["a", "b"])) == typed(
        {"weight": 1.0, "i": 1, "f": 1.0, "b": True, "t": "1"}
    )


def test_what_a_csv_cannot_hold_is_told(tmp_path):
    net = ng.Network([(0, "y"), ((1, 2), "y")], seed=0, dtype="float32", title="x")
    net.inputs, net.outputs = [0, (1, 2)], ["y"]
    net.nodes["y"].update(bias=0.5, note="12", place=(1, 2))
    net.edges[0, "y"].update({"list": [1], 7: 8, "empty": "", "fine": 1})
    net.layers["l"] = ng.Layer(net, "l", [net.nodes["y"]])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ng.io.write_edge_list(net, tmp_path / "e.csv")
        ng.io.write_edge_list(net, tmp_path / "e.csv", tmp_path / "n.csv")
    told = [str(w.message) for w in caught]
    assert told[0].endswith("or these lose their parameters: 0, 'y', (1, 2)")
    assert told[1].endswith("makes them something else: 0, (1, 2)")
    assert told[2:5] == ["CSV holds no layers: 'l'", "CSV holds no attributes of the graph: 'title'", "CSV is read as float64: float32"]  # fmt: skip
    assert told[5].endswith("are lost or changed: 'list', 7, 'empty'")
    assert len(told) == 11 and told[10].endswith("'note', 'place', 'list' and 2 more")
    twin = ng.io.read_edge_list(tmp_path / "e.csv", tmp_path / "n.csv")
    assert twin.inputs == ["0", "(1, 2)"] and twin.edges["0", "y"]["fine"] == 1
    with pytest.raises(ng.ParameterError, match="1 and '1' are one text in a CSV"):
        ng.io.write_edge_list(ng.Network([(1, "1")]), tmp_path / "x.csv")
    for name in ("", "\ud800"):
        with pytest.raises(ng.ParameterError, match="a CSV has no text for"):
            ng.io.write_edge_list(ng.Network([(name, "y")]), tmp_path / "x.csv")
    assert not (tmp_path / "x.csv").exists()
    gated = ng.Network([("a", "b", {"gater": "gone"})])
    with pytest.raises(ng.ParameterError, match="gated by 'gone', which is not in the network"):
        ng.io.write_edge_list(gated)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: there is no column 'source', only ''"),
        ("a,b\n1,2\n", "line 1: there is no column 'source', only 'a, b'"),
        ("source,weight\n", "line 1: there is no column 'target'"),
        ("source,target,source\n", "line 1: there are two columns 'source'"),
        ("source,target\na\n", "line 2 has 1 cells, but there are 2 columns"),
        ("source,target\na,b,c\n", "line 2 has 3 cells, but there are 2 columns"),
        ('source,target\n"a,b\n', "not readable as CSV"),
        ("source,target\n" + "a" * 200_000 + ",b\n", "not readable as CSV: field larger"),
        ("source,target\n,b\n", "line 2: there is no source"),
        ("source,target,weight\na,b,\n", "line 2: weight is empty"),
        ("source,target,weight\na,b,x\n", "line 2: weight cannot be 'x'"),
        ("source,target,weight\na,b,1_0\n", "line 2: weight cannot be '1_0'"),
        ("source,target,weight\na,b,nan\n", "'a' -> 'b': weight must be a finite number"),
        ("source,target,delay\na,b,1.5\n", "line 2: delay cannot be '1.5'"),
        ("source,target,delay\na,b,-1\n", "'a' -> 'b': delay must be a whole number"),
        ("source,target,trainable\na,b,maybe\n", "line 2: trainable cannot be 'maybe'"),
        ("source,target\na,b\nc,d\na,b\n", "line 4 leads from 'a' to 'b' as .*line 2 does"),
        ("source,target\na,a\n", "line 2 is a self-loop, but does not say what it feeds back"),
        ("source,target,tie,weight\na,b,t,1\nb,c,t,2\n", "line 3 is tied by 't', but its weight"),
        ("source,target,i\na,b," + "9" * 3000 + "\n", "unread"),
    ],
)  # fmt: skip
def test_the_message_names_the_line(text, problem, tmp_path):
    path = tmp_path / "file.csv"
    path.write_text(text)
    if problem == "unread":  # no number that Python reads: a text
        assert ng.io.read_edge_list(path).edges["a", "b"]["i"] == "9" * 3000
        return
    with pytest.raises(ng.FormatError, match=problem):
        ng.io.read_edge_list(path)


def test_names_neurons_and_rows_that_are_none(tmp_path):
    path, neurons = tmp_path / "e.csv", tmp_path / "n.csv"
    path.write_text("source,target\na,b\n")
    with pytest.raises(ng.FormatError, match="line 2: source cannot be 'a'"):
        ng.io.read_edge_list(path, names=int)
    neurons.write_text("name,bias\na,1\n")
    with pytest.raises(ng.FormatError, match=r"e\.csv: line 2: its target 'b' is no node"):
        ng.io.read_edge_list(path, neurons)
    neurons.write_text("name,bias\na,1\nb,x\n")
    with pytest.raises(ng.FormatError, match=r"n\.csv: line 3: bias cannot be 'x'"):
        ng.io.read_edge_list(path, neurons)
    for rows, problem in (
        ([5], "edges: row 0 must be a mapping"),
        ([{"source": 1}], "edges: row 0: there is no target"),
        ([{"source": [], "target": 1}], r"row 0: source \[\] cannot be the name"),
        ([{"source": 1, "target": 2, "weight": float("nan")}], "weight must be a finite number"),
    ):
        with pytest.raises(ng.FormatError, match=problem):
            ng.io.read_edge_list(rows)
    with pytest.raises(ng.ParameterError, match="edges must be a path, a DataFrame or rows"):
        ng.io.read_edge_list(5)
    with pytest.raises(ng.ParameterError, match="must be three columns"):
        ng.io.read_edge_list(path, source="x", target="x")
    with pytest.raises(ng.ParameterError, match="delimiter must be one character"):
        ng.io.write_edge_list(ng.Network(), path, delimiter=";;")
    with pytest.raises(ng.ParameterError, match="a Network to write"):
        ng.io.write_edge_list({})


# ---------------------------------------------------------------- DOT

TOKEN = r'"(?:[^"\\]|\\.)*"|[\w.]+'
STATEMENT = re.compile(
    rf"  (?P<ends>\w+(?: -> \w+)?) \[(?P<told>(?:\w+=(?:{TOKEN})(?:, )?)*)\];|  {{ rank=\w+; (?:\w+; )+}}"
)


def parsed(text):
    """The statements of a picture: every line is one, or this fails."""
    first, second, *lines, last = text.split("\n")
    assert (first, last) == ("digraph {", "}") and second.startswith("  rankdir=LR;")
    found = [(line, STATEMENT.fullmatch(line)) for line in lines]
    assert all(match for _, match in found), [line for line, match in found if not match]
    for _, match in found:
        if match["ends"]:
            told = dict(re.findall(rf"(\w+)=({TOKEN})", match["told"]))
            yield match["ends"].split(" -> "), told


def unquoted(text):
    return re.sub(r"\\(.)", r"\1", text[1:-1])


@settings(max_examples=40)
@given(net=networks(names=st.one_of(st.text(max_size=4), st.tuples(st.integers(), st.text()))))
def test_a_picture_has_every_neuron_synapse_and_gate(net):
    statements = list(parsed(ng.io.write_dot(net)))
    labels = [
        unquoted(told["label"]) for ends, told in statements if len(ends) == 1 and "label" in told
    ]
    assert len(labels) == len(net)
    for label, name in zip(labels, net, strict=True):
        assert label == "".join(
            c if c.isprintable() else " " for c in str(name).encode("utf-8", "replace").decode()
        )
    dots = [ends[0] for ends, told in statements if told.get("shape") == "point"]
    gated = [s for s in net.synapses if s.gater is not None]
    assert len(dots) == len(gated)
    numbers = {name: f"n{i}" for i, name in enumerate(net)}
    arrows = [tuple(ends) for ends, _ in statements if len(ends) == 2]
    wanted = [(numbers[s.source], numbers[s.target]) for s in net.synapses if s.gater is None]
    for dot, s in zip(dots, gated, strict=True):
        wanted += [(numbers[s.source], dot), (dot, numbers[s.target]), (numbers[s.gater], dot)]
    assert sorted(arrows) == sorted(wanted)
    if shutil.which("dot"):
        subprocess.run(
            ["dot", "-Tsvg"], input=ng.io.write_dot(net).encode(), check=True, capture_output=True
        )


def test_delays_signs_and_missing_gaters(tmp_path):
    net = ng.Network(
        [
            ("a", "b", {"weight": -2, "delay": 3}),
            ("b", "c", {"weight": 1, "gater": "z", "gate_delay": 1}),
        ]
    )
    net.graph["unknown"] = object()
    text = ng.io.write_dot(net, tmp_path / "net.dot")
    assert (tmp_path / "net.dot").read_text() == text + "\n"
    assert (
        'n0 -> n1 [color="#2166ac", penwidth=3, tooltip="a -> b: weight -2, delay 3", style=dashed, xlabel="3", constraint=false];'
        in text
    )
    assert 'n3 [label="z", shape=ellipse, style=dotted, tooltip="not in the network"];' in text
    assert 'tooltip="z gates b -> c, one step later", xlabel="1", constraint=false' in text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ng.io.write_dot(ng.Network()).count("\n") == 2
    with pytest.raises(ng.ParameterError, match="a Network to write"):
        ng.io.write_dot({})
