"""A state machine edits a `Network` beside a plain DiGraph and finds them equal."""

import copy
import pickle

import networkx as nx
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import neurograph as ng
from tests.strategies import close, numbers

names = st.integers(0, 5)
COPIES = [
    lambda net: net.copy(),
    copy.deepcopy,
    lambda net: pickle.loads(pickle.dumps(net)),
    ng.Network,
]


def forward_by_hand(graph, inputs, outputs, x, steps):
    """The outputs of logistic neurons, from a plain DiGraph, by the definition."""
    now = nx.DiGraph([(u, v) for u, v, d in graph.edges(data=True) if not d["delay"] and u != v])
    now.add_nodes_from(graph)
    order = list(nx.topological_sort(now))
    s, y = {}, {}
    for t in range(steps):
        for j in order:
            if j in inputs:
                y[j, t] = x[t][inputs.index(j)]
                continue
            s[j, t] = graph.nodes[j].get("bias", 0.0)
            for i, _, d in graph.in_edges(j, data=True):
                past = s.get((j, t - 1), 0) if i == j else y.get((i, t - d["delay"]), 0)
                s[j, t] += d["weight"] * past
            y[j, t] = 1 / (1 + np.exp(-s[j, t]))
    return np.array([[y[j, t] for j in outputs] for t in range(steps)])


class Editing(RuleBasedStateMachine):
    """`net` and `model` get the same edits; `model` holds weight, delay and bias as plain data."""

    @initialize()
    def start(self):
        self.net, self.model = ng.Network(seed=0), nx.DiGraph()
        for n, role in ((0, "input"), (1, "input"), (2, "hidden"), (3, "output")):
            self.net.add_neuron(n, role=role)
            self.model.add_node(n)
        self.inputs, self.outputs = [0, 1], [3]
        self.removed = []

    def delay_for(self, u, v):
        return int(u >= v)  # names are a valid order, so there is never a zero-delay cycle

    @rule(n=names, bias=numbers, mark=st.integers())
    def add_node(self, n, bias, mark):
        self.net.add_node(n, bias=bias, mark=mark)
        self.model.add_node(n, bias=bias, mark=mark)

    @rule(u=names, v=names, w=numbers, mark=st.none() | st.integers())
    def add_edge(self, u, v, w, mark):
        more = {} if mark is None else {"mark": mark}
        self.net.add_edge(u, v, weight=w, delay=self.delay_for(u, v), **more)
        self.model.add_edge(u, v, weight=w, delay=self.delay_for(u, v), **more)

    @precondition(lambda self: self.model.edges)
    @rule(data=st.data())
    def remove_edge(self, data):
        edge = data.draw(st.sampled_from(list(self.model.edges)))
        handle = self.net.edges[edge]
        self.removed.append((handle, handle.weight))
        self.net.remove_edge(*edge)
        self.model.remove_edge(*edge)

    @rule(n=st.sampled_from([1, 2, 4, 5]))
    def remove_node(self, n):
        if n in self.model:
            self.net.remove_node(n)
            self.model.remove_node(n)
            self.inputs = [i for i in self.inputs if i != n]

    @precondition(lambda self: self.model.edges)
    @rule(data=st.data(), w=numbers, how=st.sampled_from(["object", "mapping", "array", "matrix"]))
    def assign_weight(self, data, w, how):
        edges = list(self.model.edges)
        i = data.draw(st.integers(0, len(edges) - 1))
        u, v = edges[i]
        self.model.edges[u, v]["weight"] = w
        if how == "object":
            self.net.edges[u, v].weight = w
        elif how == "mapping":
            self.net[u][v]["weight"] = w
        elif how == "array":
            weights = self.net.weights
            weights[i] = w
            self.net.weights = weights
        else:
            matrix = self.net.to_scipy().toarray()
            nodes = list(self.model)
            matrix[nodes.index(u), nodes.index(v)] = w
            self.net.set_weights(matrix)

    @precondition(lambda self: any(u < v for u, v in self.model.edges))
    @rule(data=st.data(), delay=st.integers(0, 2))
    def assign_delay(self, data, delay):
        u, v = data.draw(st.sampled_from([(u, v) for u, v in self.model.edges if u < v]))
        self.net.edges[u, v].delay = delay
        self.model.edges[u, v]["delay"] = delay

    @rule(bias=numbers, how=st.booleans())
    def assign_bias(self, bias, how):
        if how:
            self.net.nodes[3].bias = bias
        else:
            self.net.biases = [bias if n == 3 else d.bias for n, d in self.net.nodes.items()]
        self.model.nodes[3]["bias"] = bias

    @rule()
    def swap_names(self):
        if 1 in self.model and 4 not in self.model and not self.model.degree(1):
            self.net.relabel({1: 4})
            self.model = nx.relabel_nodes(self.model, {1: 4})
            self.inputs = [4 if i == 1 else i for i in self.inputs]

    @rule()
    def relabel_there_and_back(self):
        there = {n: ("new", n) for n in self.net}
        handles, edges = list(self.net.synapses), list(self.net.edges)
        self.net.relabel(there)
        assert list(self.net.edges) == [(there[u], there[v]) for u, v in edges]
        assert [(s.source, s.target) for s in handles] == list(self.net.edges)
        self.net.relabel({new: old for old, new in there.items()})
        assert all(a is b for a, b in zip(handles, self.net.synapses, strict=True))

    @rule(how=st.sampled_from(COPIES))
    def copy(self, how):
        before = self.net
        self.net = how(before)
        for s in before.synapses:  # what happens to the first does not touch the second
            s.weight = 99

    @rule()
    def clear_edges(self):
        self.net.clear_edges()
        self.model.clear_edges()

    @rule(x=st.lists(numbers, min_size=2, max_size=2))
    def failing_edits_change_nothing(self, x):
        for edit in (
            lambda: self.net.add_edge(0, "new", weight="heavy"),
            lambda: self.net.add_edges_from([(0, "new"), (0, 2, {"delay": -1})]),
            lambda: self.net.add_node("new", bias=float("nan")),
            lambda: self.net.add_synapse(0, "new"),
        ):
            with pytest.raises(ng.ParameterError):
                edit()

    @invariant()
    def same_graph(self):
        net, model = self.net, self.model
        assert list(net) == list(model)
        assert {n: {k: v for k, v in d.items() if k == "mark"} for n, d in net.nodes.items()} == {
            n: {k: v for k, v in d.items() if k == "mark"} for n, d in model.nodes.items()
        }
        assert set(net.edges) == set(model.edges)
        for u, v in model.edges:
            assert net.edges[u, v] is net._pred[v][u]
            assert net.edges[u, v].weight == model.edges[u, v]["weight"]
            assert net.edges[u, v].delay == model.edges[u, v]["delay"]
            assert net.edges[u, v].get("mark") == model.edges[u, v].get("mark")
        assert net.inputs == self.inputs
        assert net.outputs == self.outputs

    @invariant()
    def arrays_are_in_the_order_of_networkx(self):
        assert self.net.weights.tolist() == [s.weight for s in self.net.synapses]
        assert self.net.weights.tolist() == [d["weight"] for *_, d in self.net.edges(data=True)]
        assert self.net.biases.tolist() == [n.bias for n in self.net.neurons]

    @invariant()
    def no_stale_plan(self):
        x = np.linspace(-1, 1, 3 * len(self.inputs)).reshape(3, -1)
        found = self.net.forward(x[None])[0]
        assert close(found, forward_by_hand(self.model, self.inputs, self.outputs, x, 3), 1e-13)
        ng.check(self.net.plan())

    @invariant()
    def removed_handles_keep_their_last_values(self):
        for handle, weight in self.removed:
            assert handle.weight == weight
            with pytest.raises(ng.DetachedError, match="no longer part of a network"):
                handle.weight = 1


TestEditing = Editing.TestCase
TestEditing.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
