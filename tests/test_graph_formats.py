"""Node-link JSON and GraphML: what is written is read again, networkx opens it, strangers are refused."""

import json
import warnings

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurograph as ng
from tests.lossless import everyone, rich, typed

FORMATS = ["node_link", "graphml"]


def through(kind, net, folder, **options):
    """Write a network, and read it again."""
    path = folder / f"net.{kind}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ng.NeurographWarning)
        getattr(ng.io, f"write_{kind}")(net, path)
    return getattr(ng.io, f"read_{kind}")(path, **options)


def structure(net):
    """Everything that decides what a network computes and how it learns from here on, bit for bit."""
    synapses = sorted(net.synapses, key=lambda s: s._id)
    rng = net._rng
    return typed(
        {
            "dtype": str(net.dtype),
            "seed": net.seed,
            "rng": None if rng is None else dict(rng.bit_generator.state),
            "graph": {repr(k): v for k, v in sorted(net.graph.items(), key=repr)},
            "nodes": [(n, sorted(map(repr, typed(dict(d))[1]))) for n, d in net._node.items()],
            "edges": [
                (s.source, s.target, sorted(map(repr, typed(dict(s))[1])), s.reads)
                for s in synapses
            ],
            "order": (list(net.edges), {v: list(row) for v, row in net._pred.items()}),
            "ports": (net.inputs, net.outputs),
            "layers": [
                (key, layer.name, names)
                for key, layer in net.layers.items()
                if (names := [n.name for n in layer if not n.detached])
            ],
        }
    )


def outputs(net, seed=0):
    """What it computes from rest, bit for bit, or why it does not."""
    X = np.random.default_rng(seed).uniform(-1, 1, (2, 3, len(net.inputs)))
    try:
        with np.errstate(all="ignore"):
            return typed(net.run(X, engine="walker").outputs)
    except ng.NeurographError as error:
        return str(error)


def gaters_are_there(net):
    return all(
        s.gater is None or (s.gater in net and net.nodes[s.gater]._id == s.gater_id)
        for s in net.synapses
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=50)
@given(data=st.data())
def test_what_is_written_is_read_again_bit_for_bit(kind, data, tmp_path_factory):
    net = data.draw(everyone())
    folder = tmp_path_factory.mktemp("law")
    if not gaters_are_there(net):
        with pytest.raises(ng.ParameterError, match="which is not in the network"):
            through(kind, net, folder)
        assert not list(folder.iterdir())
        return
    twin = through(kind, net, folder)
    assert structure(twin) == structure(net)
    net.reset_state()
    assert outputs(twin) == outputs(net)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=25)
@given(data=st.data())
def test_networkx_opens_it_as_it_is_and_hands_it_back(kind, data, tmp_path_factory):
    net = data.draw(everyone().filter(gaters_are_there))
    path = tmp_path_factory.mktemp("law") / "file"
    if kind == "node_link":
        ng.io.write_node_link(net, path)
        graph = nx.node_link_graph(json.loads(path.read_text("utf-8")))
        path.write_text(json.dumps(nx.node_link_data(graph)))
    else:
        ng.io.write_graphml(net, path)
        graph = nx.read_graphml(path)
        nx.write_graphml_xml(graph, path)
    assert type(graph) is nx.DiGraph and len(graph) == len(net)
    names = dict(zip(graph, net, strict=True))
    assert {(names[u], names[v]): d["weight"] for u, v, d in graph.edges(data=True)} == {
        (s.source, s.target): s.weight for s in net.synapses
    }
    ids = {name: id for id, name in names.items()}
    for u, v, d in graph.edges(data=True):
        gater = d.get("gater")
        gater = tuple(gater) if isinstance(gater, list) else gater
        assert gater == ids.get(net.edges[names[u], names[v]].gater)
    twin = getattr(ng.io, f"read_{kind}")(path)
    assert list(twin) == list(net) and set(twin.edges) == set(net.edges)
    assert all(dict(twin.edges[e]).keys() == dict(net.edges[e]).keys() for e in net.edges)
    assert (twin.inputs, twin.outputs) == (net.inputs, net.outputs)


@pytest.mark.parametrize("kind", FORMATS)
def test_everything_at_once(kind, tmp_path):
    net = rich()
    with pytest.warns(ng.NeurographWarning) as caught:
        getattr(ng.io, f"write_{kind}")(net, tmp_path / "net")
    told = [str(w.message) for w in caught]
    assert len(told) == 2
    assert told[0].startswith(
        "the network is in the middle of a sequence; the file holds no states"
    )
    assert told[1] == "the file does not hold what an optimizer keeps, net.save does: Adam"
    twin = getattr(ng.io, f"read_{kind}")(tmp_path / "net")
    cell = twin.nodes["cell", 1]
    assert cell["friends"]["gate"] is twin.nodes["gate"]
    assert cell["friends"]["memory"] == [twin.edges[("cell", 1), ("cell", 1)]]
    assert typed(cell["λ"]) == typed(np.float32(0.1)) and cell["kind"] == b"\x00\xff"
    assert twin.edges["x.0", "gate"].tie == twin.edges["x.1", "gate"].tie == "shared"
    assert twin.rng.random() == net.rng.random()
    twin.edges["x.0", "gate"].weight = 5
    assert twin.edges["x.1", "gate"].weight == 5


@pytest.mark.parametrize("kind", FORMATS)
def test_bounds_infinities_and_odd_keys(kind, tmp_path):
    net = ng.Network(seed=0)
    net.add_node("a", role="input", id=5, neurograph="mine", key=None, name="")
    net.add_node("b\t\n\r <&>'\"", role="output", sign=-1, dropout=0.25, note="\x00\r\n]]>")
    net.add_edge("a", list(net)[1], lower=0.0, upper=np.inf, source="s", key=1, id="e")
    next(iter(net.synapses)).update({(1, 2): [1, (2,)], "x": 2**70, "y": -np.inf, "": {}})
    net.graph.update({"directed": 1, "node_default": {"a": 1}, 1: 2})
    twin = through(kind, net, tmp_path)
    assert structure(twin) == structure(net)
    assert twin.nodes["a"]["neurograph"] == "mine"


@pytest.mark.parametrize("kind", FORMATS)
def test_a_subclass_and_the_seed(kind, tmp_path):
    class Mine(ng.Network):
        pass

    net = ng.perceptron(2, 2, 1, seed=3, activation="tanh")
    twin = through(kind, net, tmp_path, create_using=Mine, seed=7)
    assert type(twin) is Mine and twin.seed == 7 and net.rng.random() != twin.rng.random()
    with pytest.raises(ng.ParameterError, match="create_using"):
        through(kind, net, tmp_path, create_using=dict)
    with pytest.raises(ng.ParameterError, match="seed must be"):
        through(kind, net, tmp_path, seed=-1)
    with pytest.raises(ng.ParameterError, match="self_loops"):
        through(kind, net, tmp_path, self_loops="both")
    with pytest.raises(ng.ParameterError, match="Network to write"):
        getattr(ng.io, f"write_{kind}")(nx.DiGraph())


# ---------------------------------------------------------------- files that others wrote


def strangers():
    graph = nx.DiGraph([("a", "b"), ("b", "c"), ("c", "c")], made="elsewhere")
    nx.set_edge_attributes(graph, {("a", "b"): 0.5, ("b", "c"): -1.0}, "weight")
    graph.edges["b", "c"]["gater"] = "a"
    graph.nodes["b"].update(activation="tanh", colour="red")
    return graph


@pytest.mark.parametrize("kind", FORMATS)
def test_what_networkx_wrote_becomes_a_network(kind, tmp_path):
    path = tmp_path / "file"
    if kind == "node_link":
        path.write_text(json.dumps(nx.node_link_data(strangers())))
    else:
        nx.write_graphml_xml(strangers(), path)
    read = getattr(ng.io, f"read_{kind}")
    with pytest.raises(ng.FormatError, match="is a self-loop, but does not say what it feeds back"):
        read(path)
    net = read(path, self_loops="output", seed=0)
    assert net.edges["c", "c"].reads == "output" and net.edges["c", "c"].delay == 1
    assert net.edges["b", "c"].gater == "a" and net.edges["a", "b"].weight == 0.5
    assert dict(net.nodes["b"]) == {"activation": "tanh", "colour": "red"}
    assert net.graph["made"] == "elsewhere"
    again = read(path, self_loops="output", seed=0)
    assert net.edges["c", "c"].weight == again.edges["c", "c"].weight  # drawn, from the seed
    net.inputs, net.outputs = ["a"], ["c"]
    assert net.run([1]).outputs.shape == (1,)


GOOD = {
    "directed": True,
    "multigraph": False,
    "graph": {},
    "nodes": [{"id": "a"}, {"id": 1}, {"id": ["x", 1]}],
    "edges": [
        {"source": "a", "target": 1, "weight": 1},
        {"source": 1, "target": ["x", 1], "weight": 2, "gater": ["x", 1], "gate_delay": 1},
    ],
}


def test_links_of_older_networkx_and_lists_as_names():
    net = ng.io.read_node_link(
        {**{k: v for k, v in GOOD.items() if k != "edges"}, "links": GOOD["edges"]}
    )
    assert list(net) == ["a", 1, ("x", 1)] and net.edges[1, ("x", 1)].gater == ("x", 1)


def bent(change):
    found = json.loads(json.dumps(GOOD))
    change(found)
    return found


def setting(*path):
    *path, last, value = path

    def change(found):
        for key in path:
            found = found[key]
        found[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (setting("directed", False), "directed must be true, got False; networkx reads other graphs"),
        (setting("multigraph", True), "multigraph must be false, got True"),
        (lambda f: f.pop("nodes"), "the file has no 'nodes'"),
        (lambda f: f.pop("edges"), "the file has no 'edges'"),
        (setting("nodes", {}), "the file.nodes must be of type list"),
        (setting("nodes", 1, 5), r"nodes\[1\] must be an object, got 5"),
        (setting("nodes", 1, {}), r"nodes\[1\] has no 'id'"),
        (setting("nodes", 1, "id", None), r"nodes\[1\]\.id must be the name of a neuron"),
        (setting("nodes", 1, "id", {"a": 1}), r"nodes\[1\]\.id must be the name of a neuron"),
        (setting("nodes", 1, "id", "a"), "ids of nodes: 'a' is there twice"),
        (setting("nodes", 1, "id", "a" * 70_000), r"nodes\[1\] has an id of more than 65,536"),
        (setting("nodes", 1, "id", "\ud800"), r"nodes\[1\] has half a surrogate pair"),
        (setting("nodes", 1, "bias", "x"), "neuron 1: bias must be a finite number, got 'x'"),
        (setting("nodes", 1, "activation", "tahn"), "neuron 1: unknown activation 'tahn'. Did you mean 'tanh'"),
        (setting("nodes", 1, "note", 2**9000), r"nodes\[1\] is a number of more than 8192 bits"),
        (lambda f: f["edges"][1].pop("target"), r"edges\[1\] has no 'target'"),
        (setting("edges", 1, "source", "b"), r"edges\[1\]: its source 'b' is no node"),
        (setting("edges", 1, "gater", "b"), r"edges\[1\]: its gater 'b' is no node"),
        (setting("edges", 1, "gater", {}), r"edges\[1\]: its gater {} is no node"),
        (setting("edges", 1, GOOD["edges"][0]), r"edges\[1\] leads from 'a' to 1 as edges\[0\] does"),
        (setting("edges", 1, "delay", -1), "synapse 1 -> .* delay must be a whole number of 0 or more"),
        (setting("edges", 1, "weight", 10**400), "synapse 1 -> .* weight must be a finite number"),
        (setting("edges", 1, "lower", 10**400), "synapse 1 -> .* lower must be a finite number"),
        (setting("edges", 1, "reads", "state"), "only a self-synapse can read the state"),
        (setting("edges", 1, "tie", []), r"edges\[1\]: its tie \[\] cannot be a label"),
        (setting("graph", []), "the file.graph must be of type dict"),
        (setting("graph", "neurograph", {"version": "2"}), "graph.neurograph.version is '2'; this neurograph reads 1"),
        (setting("graph", "neurograph", 5), "graph.neurograph must be an object"),
    ],
)  # fmt: skip
def test_the_message_names_the_place(change, problem, tmp_path):
    found = bent(change)
    with pytest.raises(ng.FormatError, match=problem):
        ng.io.read_node_link(found)
    try:
        (tmp_path / "file.json").write_text(json.dumps(found))
    except (UnicodeEncodeError, ValueError):  # more digits than Python writes
        return
    with pytest.raises(ng.FormatError, match=r"file\.json: "):
        ng.io.read_node_link(tmp_path / "file.json")


def test_ties_must_agree():
    found = bent(lambda f: [e.update(tie="t") for e in f["edges"]])
    with pytest.raises(
        ng.FormatError, match=r"edges\[1\] is tied by 't', but its weight is 2, not"
    ):
        ng.io.read_node_link(found)
    found["edges"][1]["weight"] = 1
    net = ng.io.read_node_link(found)
    net.edges["a", 1].weight = 3
    assert net.weights.tolist() == [3, 3]


def marked(**more):
    own = {"version": "1", "dtype": "float64", "seed": None, "generator": None, "layers": []}
    return bent(setting("graph", "neurograph", {**own, **more}))


@pytest.mark.parametrize(
    ("more", "node", "problem"),
    [
        ({"dtype": "int8"}, {}, "dtype must be 'float64' or 'float32'"),
        ({"seed": -1}, {}, "seed must be 0 or more, got -1"),
        ({"seed": {"float": "nan"}}, {}, "seed must be 0 or more, got nan"),
        ({"generator": {"name": "x"}}, {}, "generator.name must be one of"),
        ({"layers": 5}, {}, "layers must be of type list"),
        ({"layers": [["l", "l", ["a", "b"]]]}, {}, r"layers\[0\] has a neuron that is no node"),
        ({"layers": [["l", "l"]]}, {}, r"layers\[0\] must be a key, a name and ids"),
        ({"layers": [["l", "l", []], ["l", "m", []]]}, {}, "layers: 'l' is there twice"),
        ({"arrays": {"F64": "00"}}, {}, r"arrays\['F64'\] is no array"),
        ({"arrays": {"BOOL": "02"}}, {}, r"arrays\['BOOL'\] is no array"),
        ({"arrays": {"F64": "00" * 8}}, {}, "holds more than there are arrays"),
        ({"attributes": 5}, {}, "attributes must be pairs"),
        ({}, {"name": {"frozenset": [[1]]}}, "unhashable"),
        ({}, {"name": None}, "cannot be the name of a neuron"),
        ({}, {"name": "a"}, "names of neurons: 'a' is there twice"),
        ({}, {"other": 1}, r"nodes\[1\]\.neurograph has 'other', which means nothing"),
        ({}, {"attributes": [[1]]}, r"nodes\[1\].attributes must be pairs"),
        ({}, {"attributes": [["a", {"synapse": 9}]]}, "there is no synapse 9"),
        ({}, {"attributes": [["a", 1], ["a", 2]]}, "'a' is there twice"),
        ({}, {"attributes": [["bias", {"synapse": 0}]]}, "neuron 1: bias must be a finite number"),
        ({}, 5, r"nodes\[1\]\.neurograph must be an object, got 5"),
    ],
)
def test_our_own_attribute_is_checked_too(more, node, problem):
    found = marked(**more)
    if node:
        found["nodes"][1]["neurograph"] = node
    with pytest.raises(ng.FormatError, match=problem):
        ng.io.read_node_link(found)


def test_json_itself_is_not_a_path():
    with pytest.raises(ng.ParameterError, match="give a path"):
        ng.io.read_node_link('{"nodes": []}')
    with pytest.raises(ng.ParameterError, match="give the path"):
        ng.io.read_graphml("<graphml/>")
    for read in ng.io.read_graphml, ng.io.read_node_link:
        with pytest.raises(ng.ParameterError, match="source must be a path"):
            read(5)
        with pytest.raises(FileNotFoundError):
            read("there is no such file")


# ---------------------------------------------------------------- GraphML of others


HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:y="http://www.yworks.com/xml/graphml">
<desc>a <b>graph</b></desc>
<key id="w" for="edge" attr.name="weight" attr.type="double"><default>0.25</default></key>
<key id="f" for="node" attr.name="activation" attr.type="string"/>
<key id="g" for="node" yfiles.type="nodegraphics"/>
<key id="n" for="all" attr.name="n" attr.type="int"/>
"""
BODY = """<graph id="G" edgedefault="directed"><data key="n">3</data>
<node id="a"><data key="f">tanh</data><data key="g"><y:Shape><y:Fill c="x">text</y:Fill></y:Shape></data></node>
<node id="b"><port name="p"/></node>
<edge id="e0" source="a" target="b"><desc>x</desc></edge>
<edge source="b" target="a"><data key="w"> 2.5 </data><data key="n">-7</data></edge>
</graph></graphml>"""


def reading(text, tmp_path, **options):
    path = tmp_path / "file.graphml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return ng.io.read_graphml(path, **options)


def test_defaults_and_what_others_put_in(tmp_path):
    with pytest.warns(
        ng.NeurographWarning,
        match="what other programs put in GraphML, not read: data of programs' own, <Shape> in <data>, ports",
    ):
        net = reading(HEAD + BODY, tmp_path)
    assert dict(net.edges["a", "b"]) == {"weight": 0.25, "id": "e0"}
    assert dict(net.edges["b", "a"]) == {"weight": 2.5, "n": -7}
    assert net.nodes["a"].activation == "tanh" and net.graph == {"n": 3}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('<!DOCTYPE graphml><graphml/>', "line 1: a DOCTYPE"),
        ('<?xml version="1.0"?>\n<!DOCTYPE x [<!ENTITY a "b">]>\n<graphml>&a;</graphml>', "line 2: a DOCTYPE"),
        ('<!DOCTYPE g SYSTEM "file:///etc/passwd"><graphml/>', "line 1: a DOCTYPE"),
        ('<!DOCTYPE g [<!ENTITY % p SYSTEM "http://x/y"> %p;]><graphml/>', "line 1: a DOCTYPE"),
        ("<graphml>&a;</graphml>", "not valid XML: undefined entity"),
        ("<!ENTITY a 'b'><graphml/>", "not valid XML"),
        ("<graphml>", "not valid XML: no element found: line 1"),
        ("", "not valid XML: no element found"),
        ("<html/>", "line 1: <html> has no place in GraphML"),
        ("<graphml/>", "there is no <graph> in it"),
        ("<graphml><graph/></graphml>", "line 1: the graph is None, not 'directed'"),
        (BODY.replace("directed", "undirected"), "line 1: the graph is 'undirected'"),
        (BODY.replace("</graph>", '</graph><graph edgedefault="directed"/>'), "line 6: a second graph"),
        (BODY.replace("<node id=\"b\">", "<node>"), "line 3: <node> has no 'id'"),
        (BODY.replace("id=\"b\"", "id=\"a\""), "ids of nodes: 'a' is there twice"),
        (BODY.replace("target=\"b\"", ""), "line 4: <edge> has no 'target'"),
        (BODY.replace("target=\"b\"", "target=\"c\""), "line 4: its target 'c' is no node"),
        (BODY.replace("target=\"a\"", "target=\"a\" directed=\"false\""), "line 5: an edge that is not directed"),
        (BODY.replace("<port name=\"p\"/>", "<graph/>"), "line 3: <graph> has no place in <node>: graphs in nodes"),
        (BODY.replace("<desc>x</desc>", "<hyperedge/>"), "line 4: <hyperedge> has no place in <edge>: a synapse"),
        (BODY.replace("key=\"f\"", "key=\"z\""), "line 2: no key 'z' was declared"),
        (BODY.replace("key=\"f\"", ""), "line 2: <data> has no 'key'"),
        (BODY.replace(" 2.5 ", "x"), "line 5: weight is 'x', which is not of its type"),
        (BODY.replace(" 2.5 ", "1_0"), "line 5: weight is '1_0'"),
        (BODY.replace(" 2.5 ", "NaN"), "synapse 'b' -> 'a': weight must be a finite number"),
        (BODY.replace("-7", "9" * 3000), "line 5: n is '9"),
        (BODY.replace("-7", ""), "line 5: n is '', which is not of its type"),
        (BODY.replace("tanh", "tahn"), "neuron 'a': unknown activation 'tahn'"),
        (BODY.replace("<port", "<y:port"), "line 3: <port> has no place in <node>"),
        (BODY.replace("<desc>x</desc>", "<desc>" + "<a>" * 40 + "</a>" * 40 + "</desc>"), "nested more than 32"),
    ],
)  # fmt: skip
def test_a_graphml_that_is_none(text, problem, tmp_path):
    text = text if not text.startswith("<graph id") else HEAD.replace("\n", "") + text
    with pytest.raises(ng.FormatError, match=problem) as caught:
        reading(text, tmp_path)
    assert "file.graphml: " in str(caught.value)


@pytest.mark.parametrize(
    "key", ["<key/>", '<key id="w" attr.type="x"/>', '<key id="w"/><key id="w"/>']
)
def test_a_key_that_is_none(key, tmp_path):
    with pytest.raises(
        ng.FormatError, match="line 1: (<key> has no|key 'w' has type 'x'|there are two)"
    ):
        reading(f"<graphml>{key}</graphml>", tmp_path)


def test_other_encodings_are_refused(tmp_path):
    with pytest.raises(ng.FormatError, match="not a text in UTF-8"):
        reading((HEAD + BODY).encode("utf-16"), tmp_path)
    # A name of a codec in the document is not looked up.
    text = HEAD.replace("UTF-8", "rot13") + '<graph edgedefault="directed"/></graphml>'
    assert len(reading(text, tmp_path)) == 0
