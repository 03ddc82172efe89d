"""Selections: what a query finds, what sets of elements do, what is assigned to many at once."""

import copy
import math
import operator
import pickle
import sys
from contextlib import suppress

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurograph as ng
from neurograph.inspection.columns import Columns
from tests.strategies import networks, runs

COMPARISONS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
SIGNS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def end(net, synapse, which, name):
    """A number of the neuron at one end of a synapse, NaN if there is none."""
    neuron = getattr(synapse, which)
    return math.nan if neuron is None else float(getattr(net.nodes[neuron], name))


SYNAPSES = {
    **{
        name: (lambda net, s, name=name: float(getattr(s, name)))
        for name in ("weight", "delay", "grad", "gain", "lower", "gate_delay")
    },
    **{
        f"{which}.{name}": (lambda net, s, w=which, name=name: end(net, s, w, name))
        for which in ("source", "target", "gater")
        for name in ("bias", "output", "delta")
    },
    "target.in_degree": lambda net, s: float(net.in_degree(s.target)),
    "`my size`": lambda net, s: float(s.get("my size", math.nan)),
}
NEURONS = {
    **{
        name: (lambda net, n, name=name: float(getattr(n, name)))
        for name in ("bias", "state", "output", "delta", "grad", "port")
    },
    "in_degree": lambda net, n: float(net.in_degree(n.name)),
    "out_degree": lambda net, n: float(net.out_degree(n.name)),
    "n_gated": lambda net, n: float(len(n.gated)),
    "`my size`": lambda net, n: float(n.get("my size", math.nan)),
}
FLAGS = {"trainable": lambda net, e: e.trainable}


@st.composite
def numbers(draw, columns, depth=2):
    """A text and what it says: a function of the network and an element to a number."""
    kind = draw(st.sampled_from(["column", "constant", "arithmetic", "abs", "max", "sign"]))
    if depth == 0 or kind == "column":
        name = draw(st.sampled_from(sorted(columns)))
        return name, columns[name]
    if kind == "constant":
        value = draw(st.integers(-8, 8)) / 8
        return (f"({value})" if value < 0 else str(value)), lambda net, e: value
    a, f = draw(numbers(columns, depth - 1))
    if kind == "abs":
        return f"abs({a})", lambda net, e: abs(f(net, e))
    if kind == "sign":
        return f"(-{a})", lambda net, e: -f(net, e)
    b, g = draw(numbers(columns, depth - 1))
    if kind == "max":
        return f"max({a}, {b})", lambda net, e: float(np.maximum(f(net, e), g(net, e)))
    sign = draw(st.sampled_from(sorted(SIGNS)))
    return f"({a} {sign} {b})", lambda net, e: SIGNS[sign](f(net, e), g(net, e))


@st.composite
def conditions(draw, columns, labels, names, depth=2, called="one"):
    """A text, what it says, and what is given for @names, each of its own."""
    kind = draw(st.sampled_from(["compare", "chained", "label", "in", "flag", "not", "join"]))
    if depth == 0 and kind in ("not", "join"):
        kind = "compare"
    if kind == "flag":
        return "trainable", FLAGS["trainable"], {}
    if kind == "not":
        a, f, given = draw(conditions(columns, labels, names, depth - 1, called))
        return f"not ({a})", lambda net, e: not f(net, e), given
    if kind == "join":
        word = draw(st.sampled_from(["and", "or", "&", "|"]))
        a, f, first = draw(conditions(columns, labels, names, depth - 1, f"{called}_a"))
        b, g, second = draw(conditions(columns, labels, names, depth - 1, f"{called}_b"))
        join = all if word in ("and", "&") else any
        text = f"({a}) {word} ({b})"
        return text, lambda net, e: join([f(net, e), g(net, e)]), first | second
    if kind in ("label", "in"):
        column = draw(st.sampled_from(labels))
        if kind == "label":
            one, sign = draw(st.sampled_from(names)), draw(st.sampled_from(["==", "!="]))
            test = COMPARISONS[sign]
            return (
                f"{column} {sign} @{called}",
                lambda n, e: test(getattr(e, column), one),
                {called: one},
            )
        many = draw(st.lists(st.sampled_from(names), max_size=3))
        return f"{column} in @{called}", lambda net, e: getattr(e, column) in many, {called: many}
    a, f = draw(numbers(columns))
    b, g = draw(numbers(columns))
    sign = draw(st.sampled_from(sorted(COMPARISONS)))
    first = COMPARISONS[sign]
    if kind == "compare":
        return f"{a} {sign} {b}", lambda net, e: first(f(net, e), g(net, e)), {}
    c, h = draw(numbers(columns))
    last = draw(st.sampled_from(sorted(COMPARISONS)))
    second = COMPARISONS[last]
    return (
        f"{a} {sign} {b} {last} {c}",
        lambda net, e: first(f(net, e), g(net, e)) and second(g(net, e), h(net, e)),
        {},
    )


@st.composite
def lived(draw):
    """A network that has run, with attributes of the user, some of them frozen; and its edits."""
    net, X, gradient = draw(runs())
    net.run(X, engine="walker")
    net.backward(gradient=gradient)
    for element in [*net.synapses, *net.neurons]:
        if draw(st.booleans()):
            element["my size"] = draw(st.integers(0, 3))
        if draw(st.booleans()):
            element.trainable = False
    if draw(st.booleans()) and net.number_of_edges() > 1:  # a gap among the rows
        net.remove_edge(*draw(st.sampled_from(list(net.edges))))
    return net


def same(selection, handles):
    found = list(selection)
    return len(found) == len(handles) and all(a is b for a, b in zip(found, handles, strict=True))


# ---------------------------------------------------------------- queries


@settings(max_examples=60)
@given(net=lived(), data=st.data())
def test_a_query_finds_the_elements_of_which_it_is_true(net, data):
    if any("my size" in e for e in net.synapses):
        columns = SYNAPSES
    else:
        columns = {k: v for k, v in SYNAPSES.items() if k != "`my size`"}
    labels, names = ["source", "target", "gater"], [*net, None, "nobody"]
    text, holds, given_ = data.draw(conditions(columns, labels, names))
    expected = [s for s in net.synapses if holds(net, s)]
    found = net.synapses.query(text, **given_)
    assert same(found, expected), text
    # and so it does when some are asked only
    some = net.synapses[::2]
    assert some.query(text, **given_) == some & found


@settings(max_examples=30)
@given(net=lived(), data=st.data())
def test_a_query_of_neurons_likewise(net, data):
    if any("my size" in e for e in net.neurons):
        columns = NEURONS
    else:
        columns = {k: v for k, v in NEURONS.items() if k != "`my size`"}
    names = [*net, None, "tanh", "input", "hidden"]
    labels = ["name", "activation", "role"]
    text, holds, given_ = data.draw(conditions(columns, labels, names))
    assert same(net.neurons.query(text, **given_), [n for n in net.neurons if holds(net, n)]), text


def small():
    net = ng.Network(seed=0)
    for name, role in (
        ("a", "input"),
        ("b", "input"),
        ("h.0", None),
        ("h.1", None),
        ("y", "output"),
    ):
        net.add_neuron(name, role=role)
    for i, (u, v) in enumerate(
        [("a", "h.0"), ("a", "h.1"), ("b", "h.0"), ("h.0", "y"), ("h.1", "y")]
    ):
        net.add_synapse(u, v, weight=i - 2)
    net.gate("b", net.edges["a", "h.0"])
    net.edges["a", "h.0"]["colour"] = "red"
    net.edges["a", "h.1"]["region"] = 3
    return net


@pytest.mark.parametrize(
    ("text", "found"),
    {
        "source == 'a' and abs(weight) > .5": "ah0 ah1",
        'source == "a"': "ah0 ah1",
        "source in ['a', 'h.1']": "ah0 ah1 h1y",
        "source not in ['a', 'h.1']": "bh0 h0y",
        "-1 <= weight < 1.5 and not source == 'b'": "ah1 h0y",
        "weight ** 2 == 4 or weight == -1 + 2 * 0": "ah0 ah1 h1y",
        "-weight ** 2 == -4": "ah0 h1y",
        "2 ** -weight == 4": "ah0",
        "weight % 2 == 1 and weight // 2 == -1": "ah1",
        "startswith(source, 'h.') or contains(target, '.1')": "ah1 h0y h1y",
        "endswith(target, '1')": "ah1",
        "gater == 'b'": "ah0",
        "gater == None and target.role == 'output'": "h0y h1y",
        "gater.role == 'input'": "ah0",
        "target.in_degree == 2 and source.out_degree > target.out_degree": "ah0 h0y h1y",
        "colour == 'red'": "ah0",
        "colour != 'red' and isnan(region) and weight >= 0": "bh0 h0y h1y",
        "region == None": "ah0 bh0 h0y h1y",
        "region == 3": "ah1",
        "weight > mean(weight)": "h0y h1y",
        "weight == max(weight) or weight == min(weight)": "ah0 h1y",
        "weight >= quantile(weight, .75)": "h0y h1y",
        "max(weight, 0, delay) == 0": "ah0 ah1 bh0",
        "1 / weight == inf": "bh0",
        "source == target": "",
        "source < target": "ah0 ah1 bh0 h0y h1y",
        "source < 'b'": "ah0 ah1",
        "trainable == True": "ah0 ah1 bh0 h0y h1y",
        "True": "ah0 ah1 bh0 h0y h1y",
        "1 > 2": "",
        "~(weight > 0) & (source == 'b' | source == 'a')": "ah0 ah1 bh0",
        "sqrt(-1) == 1": "",
        "source == 1": "",
        "loop": "",
        "gater.role == 'output'": "",
        "gater.role == None": "ah1 bh0 h0y h1y",
        "'b' > source": "ah0 ah1",
        "trainable - loop == 1 and -trainable < 0": "ah0 ah1 bh0 h0y h1y",
        "(delay + 2) ** -1 == .5": "ah0 ah1 bh0 h0y h1y",
    }.items(),
)
def test_what_the_language_means(text, found):
    if "source < target" in text:
        with pytest.raises(ng.ParameterError, match="compares numbers, or a column"):
            small().synapses.query(text)
        return
    names = ["".join((s.source + s.target).split(".")) for s in small().synapses.query(text)]
    assert names == found.split()


@pytest.mark.parametrize(
    ("text", "at", "problem"),
    [
        ("wieght > .5", 0, "unknown column 'wieght'. Did you mean 'weight'?"),
        ("abs(wieght) > .5", 4, "Did you mean 'weight'"),
        ("source.biass > 0", 0, "Did you mean 'source.bias'"),
        ("weight > ", 8, "a value is missing"),
        ("weight > > 2", 9, "a value is missing here, not '>'"),
        ("(weight > 2", 11, "a ) is missing"),
        ("weight > 2)", 10, "unexpected ')'"),
        ("weight = 2", 7, "== compares"),
        ("source == 'a", 10, "not closed"),
        ("weight > 2 and", 14, "a value is missing"),
        ("weight > 2 weight", 11, "unexpected 'weight'"),
        ("weight $ 2", 7, "unexpected '$'"),
        ("weight", 0, "a column of numbers, not a condition"),
        ("weight > 0 and delay", 15, "not a condition"),
        ("not weight", 4, "not a condition"),
        ("weight > 'a'", 7, "cannot compare a column of numbers with the text 'a'"),
        ("source > weight", 7, "numbers and labels"),
        ("source + 1 == 2", 0, "+ takes numbers; this is a column of names"),
        ("abs(source) > 1", 4, "abs takes numbers"),
        ("abs(weight, 2) > 1", 0, "abs takes one value, got 2"),
        ("quantile(weight, 2) > 1", 17, "from 0 to 1"),
        ("asb(weight) > 1", 0, "Did you mean 'abs'"),
        ("zzzzzz(weight) > 1", 0, "unknown function 'zzzzzz'. There are abs, sqrt"),
        ("max() > 1", 0, "max takes one value or more, got 0"),
        ("weight > and", 9, "a value is missing here, not 'and'"),
        ("name == 'a'", 0, "unknown column 'name'"),
        ("startswith(weight, 'a')", 11, "takes a column of names"),
        ("abs > 1", 0, "It is a function"),
        ("source in 'a'", 10, "in takes a list"),
        ("source in ['a' 'b']", 15, "a comma or ] is missing"),
        ("weight in [weight]", 11, "single values"),
        ("source not 'a'", 11, "in is missing"),
        ("weight > @least", 9, "nothing is given for @least"),
        ("", 0, "nothing is asked"),
        ("   ", 0, "nothing is asked"),
        ("weight >\n  wieght", 11, "unknown column"),
        ("__import__('os')", 0, "unknown function"),
        ("weight.__class__ == 1", 0, "unknown column"),
        ("().x", 2, "unexpected '.'"),
        ("(" * 500 + "1", 40, "nested more than 40 deep"),
        ("-" * 500 + "1", 40, "nested more than 40 deep"),
        ("not " * 500 + "True", 160, "nested more than 40 deep"),
        ("2" + "**2" * 500, 120, "nested more than 40 deep"),
    ],
)
def test_a_wrong_query_is_shown_where_it_is_wrong(text, at, problem):
    with pytest.raises(ng.ParameterError) as caught:
        small().synapses.query(text)
    first, line, caret = str(caught.value).split("\n")
    assert problem in first
    before = text[:at].rpartition("\n")[2]
    shown = text.split("\n")[text[:at].count("\n")]
    cut = max(0, len(before) - 60)
    assert line == "  " + shown[cut : cut + 100]
    assert caret.index("^") - 2 == len(before) - cut


@given(text=st.text("abs(weight)<>='.@[],+-*/!&|~`\\ \n1e5_é", max_size=25))
def test_any_text_is_answered_or_refused(text):
    with suppress(ng.ParameterError):
        assert len(small().synapses.query(text)) <= 5


def test_gaps_left_by_what_was_removed_count_for_nothing():
    net = small()
    net.edges["h.0", "y"].weight = 1000
    net.remove_edge("h.0", "y")
    assert list(net.synapses.query("weight > mean(weight)").source) == ["b", "h.1"]
    assert net.neurons.n_gated.tolist() == [0, 1, 0, 0, 0]
    assert net.neurons.out_degree.tolist() == [2, 1, 0, 1, 0]


def test_long_chains_are_no_problem():
    net = small()
    assert len(net.synapses.query(" + ".join(["weight"] * 5000) + " > 0")) == 2
    assert len(net.synapses.query(" or ".join(["weight > 1"] * 5000))) == 1
    # What is as deep as ever is not deeper for standing side by side.
    for one in ("-weight < 0", "not weight <= 0", "(weight) > 0", "weight ** 1 > 0"):
        assert len(net.synapses.query(" and ".join([one] * 200))) == 2


def test_what_is_given_is_a_value_a_list_or_a_column():
    net = small()
    net.relabel({"a": ("a", 1)})
    assert len(net.synapses.query("source == @name", name=("a", 1))) == 2
    assert len(net.synapses.query("source in @names", names=[("a", 1), "b"])) == 3
    assert same(net.synapses.query("weight < @w", w=np.float64(0)), list(net.synapses)[:2])
    mine = np.array([5, 0, 0, 0, 5])
    assert same(net.synapses.query("@mine > 1", mine=mine), [net.edges[e] for e in net.edges][::4])
    for wrong in ([1, 2], np.ones((5, 1)), ["a"] * 5):
        with pytest.raises(ng.ParameterError, match="@w must be one value"):
            net.synapses.query("weight < @w", w=wrong)
    with pytest.raises(ng.ParameterError, match="in takes a list"):
        net.synapses.query("source in @w", w=3)
    with pytest.raises(ng.ParameterError, match="a query is a text"):
        net.synapses.query(3)


def test_columns_that_are_given_follow_networkx_order_not_rows():
    net = ng.Network([("a", "c"), ("b", "c"), ("a", "b")])  # the last row is the second there
    numbers = np.arange(3.0)
    for k, s in enumerate(net.synapses):
        assert same(net.synapses.query("@mine == @k", mine=numbers, k=k), [s])


def test_labels_of_two_kinds_are_compared_by_what_they_say():
    net = ng.Network([("relu", "a"), ("a", "relu")])
    net.nodes["a"].activation = "relu"
    assert same(net.synapses.query("source == target.activation"), [net.edges["relu", "a"]])
    assert same(net.synapses.query("source != target.activation"), [net.edges["a", "relu"]])


def test_a_value_that_nobody_can_have_is_refused_for_nobody_too():
    none = small().synapses[:0]
    for name, value in (("weight", math.nan), ("rate_factor", -1), ("dropout", 1)):
        with pytest.raises(ng.ParameterError, match=name):
            setattr(none, name, value)


def test_columns_of_ones_own_classes_are_asked_too():
    from neurograph.elements import Synapse
    from neurograph.table import Column
    from neurograph.values import number

    class Plastic(Synapse):
        __slots__ = ()
        resource = Column(1.0, "float", number)

    class PlasticNetwork(ng.Network):
        edge_attr_dict_factory = Plastic

    net = PlasticNetwork([("a", "b"), ("b", "c")])
    net.edges["a", "b"].resource = 0.5
    assert same(net.synapses.query("resource < 1"), [net.edges["a", "b"]])
    net.synapses.resource = [0.25, 0.75]
    assert net.edges["b", "c"].resource == 0.75


def test_float32_numbers_are_compared_as_they_are():
    net = ng.Network([("a", "b", {"weight": 0.1})], dtype="float32")
    assert len(net.synapses.query("weight == 0.1 and weight * 1 == 0.1")) == 1


# ---------------------------------------------------------------- sets


@settings(max_examples=20)
@given(net=networks(), data=st.data())
def test_selections_are_sets_in_networkx_order(net, data):
    for every in (net.synapses, net.neurons):
        masks = st.lists(st.booleans(), min_size=len(every), max_size=len(every))
        a, b = (np.array(data.draw(masks), bool) for _ in range(2))
        A, B = every[a], every[b]
        for found, wanted in (
            (A | B, a | b),
            (A & B, a & b),
            (A - B, a & ~b),
            (A ^ B, a ^ b),
            (~A, ~a),
            (A | list(B), a | b),
            (list(A) ^ B, a ^ b),
        ):
            assert same(found, [e for e, w in zip(every, wanted, strict=True) if w])
            assert found == every[wanted] and len(found) == wanted.sum()
        for element, wanted in zip(every, a, strict=True):
            assert (element in A) == wanted
        assert every[np.flatnonzero(a)] == A and (every == A) == bool(a.all())


def test_elements_by_place():
    synapses = small().synapses
    every = list(synapses)
    assert (
        synapses[0] is every[0] and synapses[-1] is every[-1] and synapses[np.int64(2)] is every[2]
    )
    assert same(synapses[1:4], every[1:4]) and same(synapses[::-2], every[::2])
    assert same(synapses[[0, -1]], [every[0], every[-1]]) and same(synapses[[]], [])
    for wrong, error in (
        (5, IndexError),
        ([7], IndexError),
        ([2, 1], ng.ParameterError),
        ([1, 1], ng.ParameterError),
        ([True], ng.ShapeError),
        ([[0, 1]], ng.ParameterError),
        (0.5, ng.ParameterError),
        ("colours", KeyError),
    ):
        with pytest.raises(error):
            synapses[wrong]


def test_elements_of_another_network_are_refused():
    net, other = small(), small()
    for join in (operator.or_, operator.and_, operator.sub, operator.xor):
        with pytest.raises(ng.ParameterError, match="another network"):
            join(net.synapses, other.synapses)
        with pytest.raises(ng.ParameterError, match="another network"):
            join(net.synapses, [other.edges["a", "h.0"]])
        with pytest.raises(ng.ParameterError, match="not joined in one"):
            join(net.synapses, net.neurons)
        with pytest.raises(ng.ParameterError, match="joined with others"):
            join(net.synapses, 3)
    assert other.edges["a", "h.0"] not in net.synapses and "a" not in net.neurons
    assert net.synapses != other.synapses


@settings(max_examples=20)
@given(net=networks())
def test_neighbours_of_many_are_those_of_each(net):
    some = net.neurons[::2]
    for name in ("incoming", "outgoing", "gated"):
        wanted = {s for n in some for s in getattr(n, name)}
        assert same(getattr(some, name), [s for s in net.synapses if s in wanted])
    some = net.synapses[::2]
    for many, one in (("sources", "source"), ("targets", "target"), ("gaters", "gater")):
        wanted = {getattr(s, one) for s in some}
        assert same(getattr(some, many), [n for n in net.neurons if n.name in wanted])
    with pytest.raises(AttributeError, match="neurons has no 'sources'"):
        _ = net.neurons.sources
    with pytest.raises(AttributeError, match="synapses has no 'incoming'"):
        _ = net.synapses.incoming


# ---------------------------------------------------------------- edits


@settings(max_examples=20)
@given(net=networks(ties=False), data=st.data())
def test_a_selection_outlives_edits(net, data):
    chosen = net.synapses[::2]
    handles = list(chosen)
    weights = chosen.weight
    net.plan()
    net.add_synapse(net.add_neuron("new one"), next(iter(net)))
    net.relabel({n: (i, "renamed") for i, n in enumerate(net)})
    others = list(net.synapses[1::2])
    if others:
        gone = data.draw(st.sampled_from(others))
        net.remove_edge(gone.source, gone.target)
    assert same(chosen, handles)
    assert (chosen.weight == weights).all()
    assert len(net.synapses) == net.number_of_edges()  # all there are, at any time


def test_removed_elements_are_named():
    net = small()
    three = net.synapses.query("weight <= 0")
    net.remove_edge("a", "h.0")
    assert repr(three) == "<Selection of 3 synapses, 1 of them removed>" and len(three) == 3
    for ask in (
        lambda: list(three),
        lambda: three.weight,
        lambda: three[0],
        lambda: three.query("weight > 0"),
        lambda: three.to_numpy(),
        lambda: three | net.synapses,
        lambda: net.synapses & three,
        lambda: three.remove(),
        lambda: setattr(three, "weight", 0),
    ):
        with pytest.raises(ng.DetachedError, match=r"1 of the 3 synapses .* was removed"):
            ask()
    assert len(three.attached) == 2 and same(~three, list(net.synapses)[2:])
    net.clear()
    with pytest.raises(ng.DetachedError, match="were removed"):
        three.weight = 1


@settings(max_examples=20)
@given(net=networks(), data=st.data())
def test_removing_many_is_removing_each(net, data):
    twin = net.copy()
    which = st.lists(st.booleans(), min_size=len(net.synapses), max_size=len(net.synapses))
    chosen = net.synapses[np.array(data.draw(which), bool)]
    twin.remove_edges_from([(s.source, s.target) for s in chosen])
    chosen.remove()
    assert nx.utils.graphs_equal(net, twin)
    names = list(net)[::2]
    net.neurons[::2].remove()
    twin.remove_nodes_from(names)
    assert nx.utils.graphs_equal(net, twin)


def test_views_are_for_looking():
    net = small()
    view = net.subgraph(["a", "h.0", "h.1"])
    assert same(view.synapses, [net.edges["a", "h.0"], net.edges["a", "h.1"]])
    assert same(view.synapses.query("weight == -1"), [net.edges["a", "h.1"]])
    assert (view.neurons.bias == 0).all() and len(~view.synapses) == 0
    for change in (lambda: setattr(view.synapses, "weight", 1), view.synapses.remove):
        with pytest.raises(ng.GraphError, match="read-only view"):
            change()


def test_copies_of_a_selection():
    net = small()
    some = net.synapses[1:3]
    assert copy.copy(some) == some
    network, again = pickle.loads(pickle.dumps((net, some)))
    assert list(again.source) == list(some.source) and again[0] in network.synapses


# ---------------------------------------------------------------- values


VALUES = {
    "weight": st.floats(-9, 9),
    "trainable": st.booleans(),
    "rate_factor": st.floats(0, 9),
    "lower": st.sampled_from([-math.inf, -1.0]),
    "dropout": st.floats(0, 0.9),
    "delay": st.integers(1, 3),
    "gater": st.none(),
}


@settings(max_examples=40)
@given(net=networks(ties=False), name=st.sampled_from(sorted(VALUES)), data=st.data())
def test_assigning_to_many_is_assigning_to_each(net, name, data):
    twin = net.copy()
    chosen = net.synapses.query("not loop")[::2]
    values = [data.draw(VALUES[name]) for _ in chosen]
    if values and data.draw(st.booleans()):
        values = values[0]
    setattr(chosen, name, np.array(values) if data.draw(st.booleans()) else values)
    each = values if isinstance(values, list) else [values] * len(chosen)
    for s, value in zip(chosen, each, strict=True):
        twin.edges[s.source, s.target][name] = value
    assert nx.utils.graphs_equal(net, twin)
    # what is read is what each has
    assert [getattr(s, name) for s in net.synapses] == getattr(net.synapses, name).tolist()


@settings(max_examples=20)
@given(net=networks(), data=st.data())
def test_tied_synapses_keep_one_weight(net, data):
    chosen = net.synapses[::2]
    chosen.weight = 0.75
    for s in net.synapses:
        group = [t for t in net.synapses if s.tie is not None and t.tie == s.tie]
        assert all(t.weight == s.weight for t in group)
        assert s not in chosen or s.weight == 0.75
    tied = net.synapses.query("tie != None")
    if len(tied):
        before = net.weights
        with pytest.raises(ng.ParameterError, match="tied share one value"):
            tied.weight = np.arange(len(tied))
        assert (net.weights == before).all()


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("weight", math.nan, "weight must be a finite number"),
        ("weight", [0, 1, math.inf, 0, 0], "synapse 'b' -> 'h.0': weight must be a finite number"),
        ("weight", [1, 2], r"shape \(5,\)"),
        ("weight", np.zeros((5, 1)), r"shape \(5,\)"),
        ("weight", "much", "array of real numbers"),
        ("weight", None, "always there"),
        ("weight", 1e300, "too large for float32"),
        ("dropout", [0, 0, 0, 0, 1], "'h.1' -> 'y': dropout must be 0 or more and less than 1"),
        ("rate_factor", -1, "0 or more"),
        ("trainable", 0.5, "True or False"),
        ("trainable", [1, 0, 1, 0, 0.5], "True or False"),
        ("delay", [0, 1, 2, 3, -1], "delay must be a whole number"),
        ("delay", [1], r"shape \(5,\)"),
        ("reads", "state", "only a self-synapse can read the state"),
    ],
)
def test_what_cannot_be_assigned_changes_nothing(name, value, error):
    net = ng.Network(small(), dtype="float32")
    before = [dict(s) for s in net.synapses]
    with pytest.raises(ng.NeurographError, match=error):
        setattr(net.synapses, name, value)
    assert [dict(s) for s in net.synapses] == before


def test_what_is_no_parameter_cannot_be_set():
    net = small()
    for name, error in (
        ("wieght", "Did you mean 'weight'"),
        ("grad", "can be read, not set"),
        ("source", "can be read, not set"),
        ("loop", "can be read, not set"),
        ("attached", "can be read, not set"),
        ("bias", "a selection of synapses has no 'bias'"),
    ):
        with pytest.raises(AttributeError, match=error):
            setattr(net.synapses, name, 1)
    with pytest.raises(AttributeError, match="Your own attributes are items"):
        _ = net.synapses.colour
    assert not hasattr(net.synapses, "__array_interface__")


def test_the_users_own_attributes():
    net = small()
    net.synapses[:2]["kind"] = "early"
    net.synapses[2:]["kind"] = ["x", "y", None]
    assert [s["kind"] for s in net.synapses] == ["early", "early", "x", "y", None]
    assert net.synapses["kind"].tolist() == ["early", "early", "x", "y", None]
    assert net.synapses["region"].tolist()[1] == 3 and np.isnan(net.synapses["region"][0])
    net.synapses["weight"] = 3
    assert (net.weights == 3).all() and (net.synapses["weight"] == 3).all()
    with pytest.raises(ng.ShapeError):
        net.synapses["kind"] = ["x", "y"]
    net.synapses["odd"] = [[1], {}, 2**5000, "", 1]  # whatever they are
    assert net.synapses["odd"].tolist() == [[1], {}, 2**5000, "", 1]
    assert len(net.synapses.query("odd == 1")) == 1


def test_an_edit_by_a_selection_is_an_edit():
    net = ng.perceptron(2, 3, 1, seed=0)
    net.forward([0, 1])
    net.synapses.weight = 0.5
    with pytest.raises(ng.ParameterError, match="edited since the last run"):
        net.backward([1])
    plan = net.plan()
    net.synapses.trainable = False
    assert net.plan() is plan  # weights and flags make no plan stale
    net.synapses[:1].delay = 1
    assert net.plan() is not plan
    weights = net.weights
    net.fit([[0, 1]], [[1]])
    assert (net.weights == weights).all()


# ---------------------------------------------------------------- tables


@settings(max_examples=10)
@given(net=lived())
def test_a_table_says_what_each_element_says(net):
    pytest.importorskip("pandas")
    for every in (net.synapses, net.neurons, net.synapses[1::2]):
        frame, records = every.to_pandas(), every.to_numpy()
        assert len(frame) == len(records) == len(every)
        names = [*Columns(net, every._kind).schema, *(["name"] if every._neurons else [])]
        for name in names:
            wanted = [getattr(e, name) for e in every]
            assert records[name].tolist() == wanted
            assert list(frame[name]) == wanted or name in ("gater", "tie")
        own = [e.get("my size") for e in every]
        if any(v is not None for v in own):
            found = frame["my size"]
            assert [None if np.isnan(v) else v for v in found] == own
        else:
            assert "my size" not in frame


def test_names_that_columns_have_already():
    net = small()
    net.edges["a", "h.0"]["grad"] = "mine"
    frame = net.synapses.to_numpy()
    assert frame["grad"][0] == 0 and frame["grad (own)"][0] == "mine"


def test_without_pandas_there_is_numpy(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"neurograph\[pandas\]"):
        small().synapses.to_pandas()
    assert small().synapses.to_numpy()["weight"].tolist() == [-2, -1, 0, 1, 2]


def test_empty_networks_have_empty_selections():
    net = ng.Network()
    for every in (net.synapses, net.neurons):
        assert len(every) == len(~every) == len(every | every) == len(every.to_numpy()) == 0
        assert len(every.query("trainable and 1 > 0")) == 0 and list(every) == []
        assert len(every.query("mean(grad) > 0")) == 0
        every.trainable = False
        every.remove()


@pytest.mark.parametrize("most", [1, 2**16, 2**16 + 1, 2**31 - 1])
def test_synapses_are_ordered_by_source_however_many_there_are(most):
    from neurograph.graph import _stable_order

    key = np.random.default_rng(0).integers(0, most, 3000).astype(np.int32)
    key[:5] = most - 1
    assert (_stable_order(key) == np.argsort(key, kind="stable")).all()


@pytest.mark.parametrize(
    ("query", "begins"),
    [
        ("{}", "xxx"),
        ("`{}` > 1", "`xx"),
        ("source.{} > 1", "source.xxx"),
        ("weight > '{}'", "> 'xxx"),
        ("weight > @{}", "@xxx"),
        ("{}(weight) > 1", "xxx"),
        ("weight {}", "xxx"),
        ("abs(weight {})", "xxx"),
        ("sign('{}')", "'xxx"),
        ("weight > 1 and " * 300 + "{} > 1", "xxx"),
    ],
)
def test_what_is_wrong_in_a_long_query_is_shown_in_short(query, begins):
    with pytest.raises(ng.ParameterError) as caught:
        small().synapses.query(query.format("x" * 5000))
    problem, line, mark = str(caught.value).rsplit("\n", 2)
    assert len(problem) < 700 and max(len(line), len(mark)) < 110
    assert line[mark.index("^") :].startswith(begins)
