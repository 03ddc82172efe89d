"""Data sets: what was published is what the network holds, and files are checked as they are read.

`NEUROGRAPH_DATA` may name a folder with the real larva/ and mnist/, which are not shipped.
"""

import gzip
import os
import sys
from collections import Counter
from importlib import resources
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurograph as ng
from neurograph.datasets import Samples
from neurograph.datasets.connectomes import first_weights

REAL = Path(os.environ.get("NEUROGRAPH_DATA", "/nonexistent"))

# ---------------------------------------------------------------- C. elegans

TABLES = ng.datasets.celegans_tables()
NEURONS = TABLES.neurons["neuron"].tolist()
AMONG = [e for e in TABLES.edges.tolist() if {e[0], e[1]} <= set(NEURONS)]
CHEMICAL = {(u, v): n for u, v, kind, n in AMONG if kind == "chemical"}
JUNCTIONS = {(u, v): n for u, v, kind, n in AMONG if kind == "electrical"}
WAYS = {way: n for (u, v), n in JUNCTIONS.items() for way in ((u, v), (v, u))}


@pytest.fixture(scope="module")
def whole():
    return ng.datasets.celegans(seed=0)


def end(net, synapse):
    """Return the neuron in which a synapse ends, through its relay if it has one."""
    target = net.nodes[synapse.target]
    return net.outgoing(target.name)[0].target if target.get("relay") else target.name


def connections(net, kind):
    return {(s.source, end(net, s)): s for s in net.synapses if s.get("kind") == kind}


def test_tables_have_the_published_numbers():
    types = Counter(TABLES.edges["type"].tolist())
    assert types == {"chemical": 4879, "electrical": 1450}
    chemical = TABLES.edges[TABLES.edges["type"] == "chemical"]
    electrical = TABLES.edges[TABLES.edges["type"] == "electrical"]
    assert (chemical["count"].sum(), electrical["count"].sum()) == (28113, 10926)
    assert (len(CHEMICAL), sum(CHEMICAL.values())) == (3709, 20965)
    assert sum(u == v for u, v in CHEMICAL) == 38
    assert len(JUNCTIONS) == 1107 == len({frozenset(pair) for pair in JUNCTIONS})
    assert len(CHEMICAL.keys() & WAYS.keys()) == 759
    largest = max(nx.strongly_connected_components(nx.DiGraph(list(CHEMICAL))), key=len)
    assert len(largest) == 275
    kinds = Counter(TABLES.neurons["kind"].tolist())
    assert (kinds["motor"], kinds["interneuron"], kinds["sensory"], kinds["unknown"]) == (
        94,
        69,
        66,
        2,
    )
    assert (TABLES.neurons["transmitter"] == "").sum() == 59


def test_worm_holds_every_connection_of_the_table_and_no_other(whole):
    assert [n.name for n in whole.layers["neurons"]] == NEURONS
    assert {n.name: n["kind"] for n in whole.neurons if "kind" in n} == dict(
        TABLES.neurons[["neuron", "kind"]].tolist()
    )
    for kind, table in (("chemical", CHEMICAL), ("electrical", WAYS)):
        assert {way: s["count"] for way, s in connections(whole, kind).items()} == table
    transmitter = dict(TABLES.neurons[["neuron", "transmitter"]].tolist())
    assert all(
        s.get("transmitter", "") == transmitter[u]
        for (u, _), s in connections(whole, "chemical").items()
    )
    n_kinds = len(CHEMICAL) + len(WAYS)
    assert whole.number_of_edges() == n_kinds + 759 + len(whole.inputs)
    assert len(whole) == 302 + 759 + 111


def test_a_gap_junction_is_one_weight_and_no_two_share_one(whole):
    ways = connections(whole, "electrical")
    ties = Counter(s.tie for s in whole.synapses if s.tie is not None)
    pairs = [(u, v) for u, v in JUNCTIONS if u != v]
    assert len(ties) == len(pairs) and set(ties.values()) == {2}
    assert all(ways[u, v].tie == ways[v, u].tie is not None for u, v in pairs)


def test_relays_stand_where_a_chemical_synapse_is_and_add_nothing(whole):
    relays = [n for n in whole.neurons if n.get("relay")]
    assert relays == list(whole.layers["relays"])
    through = {(whole.incoming(n.name)[0].source, whole.outgoing(n.name)[0].target) for n in relays}
    assert through == CHEMICAL.keys() & WAYS.keys() and len(relays) == len(through)
    for n in relays:
        (come,), (go,) = whole.incoming(n.name), whole.outgoing(n.name)
        assert (n.activation, n.bias, n.trainable) == ("identity", 0, False)
        assert (come.delay, come.trainable) == (1, True)
        assert (go.delay, go.weight, go.trainable) == (0, 1, False)


@pytest.mark.parametrize("engine", ["walker", "compiled"])
@pytest.mark.parametrize("clamp", [False, True])
def test_worm_runs_as_the_matrix_of_its_connections(engine, clamp):
    """y(t) = tanh(W y(t - 1) + x(t)), with W the sum of both kinds of connections."""
    net = ng.datasets.celegans(seed=1, weight="random", clamp=clamp)
    place = {name: i for i, name in enumerate(NEURONS)}
    W = np.zeros((302, 302))
    for kind in ("chemical", "electrical"):
        for (u, v), s in connections(net, kind).items():
            W[place[v], place[u]] += s.weight
    ends = [place[name.removeprefix("sense.")] for name in net.inputs]
    shown = [place[name] for name in net.outputs]
    X = np.random.default_rng(0).normal(size=(2, 5, len(ends)))
    found = net.forward(X, engine=engine)
    for x, out in zip(X, found, strict=True):
        y = np.zeros(302)
        for t in range(5):
            given_x = np.zeros(302)
            given_x[ends] = x[t]
            y = np.tanh(W @ y + given_x)
            if clamp:
                y[ends] = x[t]
            np.testing.assert_allclose(out[t], y[shown], rtol=0, atol=1e-12)


def test_worm_learns_on_both_engines_and_keeps_its_wiring(whole):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 5, 111)), rng.normal(size=(2, 5, 147))
    learned = []
    for engine in ("walker", "compiled"):
        net = whole.copy()
        net.fit(X, Y, optimizer=ng.SGD(0.5), engine=engine)
        assert list(net.edges) == list(whole.edges) and list(net) == list(whole)
        changed = net.weights != whole.weights
        chosen = np.array(["kind" in s for s in net.synapses])
        assert not changed[~chosen].any() and changed[chosen].mean() > 0.9
        groups = {}
        for s in net.synapses:
            groups.setdefault(s.tie, set()).add(s.weight)
        del groups[None]
        assert {len(weights) for weights in groups.values()} == {1}
        assert not any(n.bias for n in net.layers["relays"])
        learned.append(net.weights)
    np.testing.assert_allclose(*learned, rtol=0, atol=1e-12)


def test_worm_weights_by_count(whole):
    room = dict.fromkeys(NEURONS, 0.0)
    for kind in ("chemical", "electrical"):
        for (_, v), s in connections(whole, kind).items():
            room[v] += abs(s.weight)
    assert max(room.values()) <= 1 + 1e-12
    for (u, _), s in connections(whole, "chemical").items():
        assert (s.weight < 0) == ("GABA" in whole.nodes[u].get("transmitter", ""))
    assert all(s.weight > 0 for s in connections(whole, "electrical").values())
    other = ng.datasets.celegans(inhibitory=["Glutamate"])
    for (u, _), s in connections(other, "chemical").items():
        assert (s.weight < 0) == ("Glutamate" in other.nodes[u].get("transmitter", ""))
    alone = ng.datasets.celegans(gap_junctions=False)
    assert alone.number_of_edges() == 3709 + 111 and len(alone) == 302 + 111
    into = Counter()
    for (_, v), s in connections(alone, "chemical").items():
        into[v] += abs(s.weight)
    np.testing.assert_allclose(list(into.values()), 1)


def test_worm_random_weights_go_by_the_seed():
    one, same, other = (ng.datasets.celegans(weight="random", seed=s).weights for s in (3, 3, 4))
    assert (one == same).all() and (one != other).any()


def test_worm_inputs_and_outputs():
    kind = dict(TABLES.neurons[["neuron", "kind"]].tolist())
    sensory, motor = ([n for n in NEURONS if k in kind[n]] for k in ("sensory", "motor"))
    assert (len(sensory), len(motor), len({*sensory} & {*motor})) == (111, 147, 27)
    net = ng.datasets.celegans(activation="relu", dtype="float32")
    assert net.inputs == [f"sense.{n}" for n in sensory] and net.outputs == motor
    assert {n.activation for n in net.layers["neurons"]} == {"relu"} and net.dtype == "float32"
    net = ng.datasets.celegans(clamp=True)
    assert net.inputs == sensory and net.outputs == [n for n in motor if n not in sensory]
    assert len(net) == 302 + 759
    net = ng.datasets.celegans(inputs=["PLML"], outputs=["AVAL", "PLML"])
    assert net.inputs == ["sense.PLML"] and net.outputs == ["AVAL", "PLML"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"inputs": ["VB02"]}, "inputs: no neuron 'VB02'. Did you mean 'VB2'?"),
        ({"outputs": "AVAL"}, "outputs must be a list of names, got 'AVAL'"),
        ({"outputs": ["AVAL", "AVAL"]}, "outputs: 'AVAL' is named twice"),
        ({"inputs": [["AVAL"]]}, "inputs: no neuron"),
        ({"inputs": ["AVAL"], "outputs": ["AVAL"], "clamp": True}, "one role each"),
        ({"weight": "counts"}, "weight must be 'count' or 'random', got 'counts'"),
        ({"inhibitory": ["GABB"]}, "inhibitory: no transmitter 'GABB'. Did you mean 'GABA'?"),
        ({"inhibitory": "GABA"}, "inhibitory must be a list of names"),
        ({"activation": "tahn"}, "Did you mean 'tanh'?"),
        ({"clamp": "yes"}, "clamp must be True or False"),
    ],
)
def test_worm_says_what_it_does_not_take(options, problem):
    with pytest.raises(ng.ParameterError) as error:
        ng.datasets.celegans(**options)
    assert problem in str(error.value)


@given(st.integers(1, 6), st.data())
def test_first_weights_leave_room(n, data):
    """Σ|w| into a neuron is at most 1 by counts, and 1 where nothing is mutual."""
    pairs = [(i, j) for i in range(n) for j in range(n)]
    chosen = data.draw(st.lists(st.sampled_from(pairs), unique=True, min_size=1))
    pre, post = np.array(chosen).T
    count = np.array(data.draw(st.lists(st.integers(1, 99), min_size=len(pre), max_size=len(pre))))
    # A mutual pair is listed in one direction.
    mutual = np.array([data.draw(st.booleans()) and (v, u) not in chosen for u, v in chosen])
    w = first_weights("count", np.random.default_rng(0), pre, post, count, mutual=mutual)
    into = np.bincount(post, w, n)
    back = mutual & (pre != post)
    into += np.bincount(pre[back], w[back], n)
    assert (w > 0).all() and (into <= 1 + 1e-12).all()
    if not mutual.any():
        np.testing.assert_allclose(into[post], 1)


# ---------------------------------------------------------------- samples


@st.composite
def sequences(draw):
    lengths = np.array(draw(st.lists(st.integers(1, 5), min_size=1, max_size=6)))
    y = np.array([draw(st.integers(0, 2)) for _ in lengths])
    T = lengths.max() + draw(st.integers(0, 2))
    return Samples(np.ones((len(lengths), T, 2), np.float32), y, 3, lengths)


@given(sequences(), st.sampled_from(["last", "every"]))
def test_targets_ask_inside_each_sequence_only(samples, at):
    index, rows = samples.targets(at), samples.targets(at, one_hot=True)
    assert (np.isnan(index)[..., None] == np.isnan(rows)).all()
    for i, (n, label) in enumerate(zip(samples.lengths, samples.y, strict=True)):
        asked = [n - 1] if at == "last" else list(range(n))
        assert np.flatnonzero(~np.isnan(index[i])).tolist() == asked
        assert (index[i, asked] == label).all()
        assert (rows[i, asked] == np.eye(3)[label]).all()
        assert samples.mask[i].sum() == n and samples.mask[i, :n].all()


@given(sequences(), st.integers(0, 2**32 - 1))
def test_accuracy_counts_the_last_step_of_each_sequence(samples, seed):
    outputs = np.random.default_rng(seed).random((*samples.X.shape[:2], 3))
    right = [
        np.argmax(out[n - 1]) == label
        for out, n, label in zip(outputs, samples.lengths, samples.y, strict=True)
    ]
    assert samples.accuracy(outputs) == np.mean(right)
    flat = Samples(samples.X[:, 0], samples.y, 3)
    assert flat.accuracy(outputs[:, 0]) == np.mean(outputs[:, 0].argmax(-1) == samples.y)
    assert flat.targets().tolist() == samples.y.tolist() and flat.mask is None
    with pytest.raises(ng.ShapeError, match="outputs must have shape"):
        flat.accuracy(outputs)
    with pytest.raises(ng.ParameterError, match="at must be 'last' or 'every', got 'first'"):
        samples.targets("first")


def test_japanese_vowels_are_the_joined_rows_of_the_file():
    data = ng.datasets.japanese_vowels()
    assert list(data) == [data.train, data.test]
    with (
        resources.files("neurograph.datasets").joinpath("data/japanese_vowels.npz").open("rb") as f,
        np.load(f, allow_pickle=False) as raw,
    ):
        for part, name, n in ((data.train, "train", 270), (data.test, "test", 370)):
            assert part.X.shape == (n, 29, 12) and part.X.dtype == np.float32
            assert (part.X[part.mask] == raw[f"x_{name}"]).all() and not part.X[~part.mask].any()
            assert (part.lengths == raw[f"len_{name}"]).all()
            assert (part.y + 1 == raw[f"y_{name}"]).all() and part.n_classes == 9
    assert Counter(data.train.y.tolist()) == dict.fromkeys(range(9), 30)


def test_japanese_vowels_can_be_learned():
    train = ng.datasets.japanese_vowels().train
    net = ng.Network(seed=0)
    x, y = net.add_layer("x", 12, role="input"), net.add_layer("y", 9, role="output")
    for neuron in y:
        neuron.activation = "identity"
    x.project(y)
    for memory in y.project(y, "one_to_one", weight=0.9):
        memory.trainable = False
    history = net.fit(
        train.X,
        train.targets(),
        epochs=15,
        loss="categorical_cross_entropy",
        optimizer=ng.SGD(0.03),
    )
    assert history.loss[-1] < history.loss[0] / 2
    assert train.accuracy(net.predict(train.X)) > 0.85


def test_digits_are_those_of_scikit_learn():
    pytest.importorskip("sklearn")
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    data, same, other = (ng.datasets.digits(test_size=0.1, seed=s) for s in (1, 1, 2))
    assert len(data.test) == 180 and data.train.X.dtype == np.float32
    rows = sorted(map(tuple, np.column_stack([X / 16, y]).tolist()))
    found = [np.column_stack([part.X, part.y]) for part in data]
    assert sorted(map(tuple, np.concatenate(found).tolist())) == rows
    assert (data.test.X == same.test.X).all() and (data.test.X != other.test.X).any()
    for options in ({"test_size": 1}, {"test_size": "half"}, {"seed": -1}):
        with pytest.raises(ng.ParameterError, match=next(iter(options))):
            ng.datasets.digits(**options)


def test_digits_without_scikit_learn_say_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        ng.datasets.digits()


# ---------------------------------------------------------------- MNIST, by path


def mnist_arrays(valid=True, n=3):
    rng = np.random.default_rng(0)
    parts = ("train", "valid", "test") if valid else ("train", "test")
    arrays = {}
    for part in parts:
        arrays[f"x_{part}"] = rng.integers(0, 256, (n, 28, 28), np.uint8)
        arrays[f"y_{part}"] = rng.integers(0, 10, n, np.uint8)
    return arrays


@pytest.mark.parametrize("valid", [True, False])
def test_mnist_divides_by_256(tmp_path, valid):
    arrays = mnist_arrays(valid)
    np.savez(tmp_path / "m.npz", **arrays)
    data = ng.datasets.mnist(tmp_path / "m.npz")
    assert (data.valid is not None) == valid
    for name in ("train", "test", *["valid"] * valid):
        part = getattr(data, name)
        assert part.X.dtype == np.float32 and part.n_classes == 10
        assert (part.X.reshape(-1, 28, 28) * 256 == arrays[f"x_{name}"]).all()
        assert (part.y == arrays[f"y_{name}"]).all()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"y_test": None}, "no array 'y_test'; there must be x_train, y_train, x_test, y_test"),
        ({"y_valid": None}, "has only one of x_valid and y_valid"),
        ({"x_train": np.zeros((3, 784), np.uint8)}, "x_train must hold images"),
        ({"x_test": np.zeros((3, 28, 28))}, r"uint8; got \(3, 28, 28\), float64"),
        ({"x_test": np.zeros((0, 28, 28), np.uint8)}, r"got \(0, 28, 28\), uint8"),
        ({"y_train": np.zeros(4, int)}, "y_train must hold 3 whole numbers"),
        ({"y_train": np.zeros(3)}, r"y_train must hold 3 whole numbers.*float64"),
        ({"y_valid": np.array([1, 10, 3])}, "y_valid must hold digits 0 to 9, got 10"),
        ({"y_train": np.array([1, -1, 3])}, "y_train must hold digits 0 to 9, got -1"),
        ({"y_train": np.array([1, "a", None], object)}, "not a whole .npz file.*allow_pickle"),
    ],
)
def test_mnist_says_what_is_wrong_with_a_file(tmp_path, change, problem):
    arrays = {k: v for k, v in {**mnist_arrays(), **change}.items() if v is not None}
    np.savez(tmp_path / "m.npz", **arrays)
    with pytest.raises(ng.FormatError, match=problem) as error:
        ng.datasets.mnist(tmp_path / "m.npz")
    assert "m.npz" in str(error.value)


# ---------------------------------------------------------------- fly larva, by path


def write_larva(folder, neurons, edges, packed=True):
    """Write both files, as they are published; return their paths."""
    text = "id,name,simple_group,io,pair_id,in_graph\n" + "".join(
        f"{id},{name},{group},{io},{pair},{there}\n" for id, name, group, io, pair, there in neurons
    )
    lines = "pre,post,count\n" + "".join(f"{u},{v},{n}\n" for u, v, n in edges)
    paths = folder / "edges.csv", folder / "neurons.csv"
    for path, content in zip(paths, (lines, text), strict=True):
        path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    return paths


@st.composite
def brains(draw):
    ids = draw(st.lists(st.integers(0, 10**12), unique=True, min_size=1, max_size=6))
    neurons = [
        (
            id,
            f"cell {id}",
            draw(st.sampled_from(["KCs", ""])),
            draw(st.sampled_from(["input", "inter", "output"])),
            draw(st.sampled_from([-1, ids[0]])),
            draw(st.booleans()),
        )
        for id in ids
    ]
    there = [n[0] for n in neurons if n[-1]]
    pairs = [(u, v) for u in there for v in there]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return neurons, [(u, v, draw(st.integers(1, 20))) for u, v in chosen]


@given(brains(), st.booleans(), st.booleans())
def test_larva_is_what_the_files_say(tmp_path_factory, brain, packed, clamp):
    neurons, edges = brain
    paths = write_larva(tmp_path_factory.mktemp("larva"), neurons, edges, packed)
    net = ng.datasets.larva(*paths, clamp=clamp, seed=0)
    there = {n[0]: n for n in neurons if n[-1]}
    assert [n for n in net if not net.nodes[n].get("sense")] == list(there)
    made = {(s.source, s.target): s for s in net.synapses if not s.get("sense")}
    assert {pair: s["count"] for pair, s in made.items()} == {(u, v): n for u, v, n in edges}
    assert all((s.delay, s.reads) == (1, "output") for s in made.values())
    total = Counter()
    for _, v, n in edges:
        total[v] += n
    for (_, v), s in made.items():
        assert s.weight == pytest.approx(s["count"] / total[v], rel=1e-15)
    senses = [id for id in there if there[id][3] == "input"]
    assert net.inputs == (senses if clamp else [f"sense.{id}" for id in senses])
    assert net.outputs == [id for id in there if there[id][3] == "output"]
    for id, name, group, io, pair, _ in there.values():
        own = net.nodes[id]
        assert (own["label"], own.get("group", ""), own["io"]) == (name, group, io)
        assert own.get("pair", -1) == pair


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("edges", "", "no column 'pre'; the first line must name the columns pre, post, count"),
        ("edges", "pre,post\n1,2\n", "no column 'count'"),
        ("edges", "pre,post,count\n1,2\n", "row 1 has 2 fields, not 3"),
        ("edges", "pre,post,count\n1,2,3\n1,2,x\n", "row 2: count must be a whole number, got 'x'"),
        ("edges", "pre,post,count\n1,2,0\n", "row 1: count must be 1 or more, got 0"),
        (
            "edges",
            f"pre,post,count\n1,2,{10**30}\n",
            "row 1: count must be a whole number, got '1000",
        ),
        ("edges", "pre,post,count\n1,2,3\n1,9,3\n", "row 2: post 9 is not a neuron of the graph"),
        ("edges", "pre,post,count\n3,2,3\n", "row 1: pre 3 is not a neuron of the graph"),
        ("edges", "pre,post,count\n1,2,3\n1,2,4\n", "several rows for the pair 1, 2"),
        ("edges", b"\x1f\x8bnonsense", "is not a whole CSV file"),
        ("edges", b"\xff\xfe", "is not a whole CSV file"),
        ("edges", 'pre,post,count\n"1,2,3\n', "is not a whole CSV file"),
        ("neurons", "id,io\n1,input\n", "no column 'in_graph'"),
        ("neurons", "id,io,in_graph\n1,in,True\n", "io must be one of input, inter, output"),
        ("neurons", "id,io,in_graph\n1,input,1\n", "in_graph must be one of True, False; got '1'"),
        ("neurons", "id,io,in_graph\n1,input,True\n1,inter,True\n", "neuron 1 has several rows"),
        ("neurons", "id,io,in_graph\na,input,True\n", "id must be a whole number, got 'a'"),
        (
            "neurons",
            "id,io,in_graph,pair_id\n1,input,True,?\n",
            "pair_id must be a whole number",
        ),
    ],
)
def test_larva_says_what_is_wrong_with_a_file(tmp_path, file, text, problem):
    neurons = [(1, "a", "", "input", -1, True), (2, "b", "", "output", -1, True)]
    neurons.append((3, "c", "", "inter", -1, False))
    paths = write_larva(tmp_path, neurons, [(1, 2, 5)], packed=False)
    path = paths[file == "neurons"]
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ng.FormatError) as error:
        ng.datasets.larva(*paths)
    assert problem in str(error.value) and str(path) in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    for read in (ng.datasets.mnist, lambda path: ng.datasets.larva(path, path)):
        with pytest.raises(ng.ParameterError, match="none.csv' does not exist.*docs/datasets.md"):
            read(tmp_path / "none.csv")
        with pytest.raises(ng.ParameterError, match="is not a file"):
            read(tmp_path)
        with pytest.raises(ng.ParameterError, match="must be the path of a file, got 3"):
            read(3)


@pytest.mark.parametrize("kind", ["mnist", "larva"])
@settings(max_examples=200)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(tmp_path_factory, kind, data):
    """Bytes changed or cut off at random: a `FormatError`, or what is still a whole file."""
    folder = tmp_path_factory.mktemp("damaged")
    if kind == "mnist":
        path = folder / "m.npz"
        np.savez_compressed(path, **mnist_arrays(False, 1))
    else:
        neurons = [(i, f"cell {i}", "", "inter", -1, True) for i in range(5)]
        path, other = write_larva(folder, neurons, [(i, j, 1) for i in range(5) for j in range(5)])
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    path.write_bytes(raw[:cut])
    try:
        if kind == "mnist":
            ng.datasets.mnist(path)
        else:
            ng.datasets.larva(path, other)
    except ng.FormatError as error:
        assert path.name in str(error)  # noqa: PT017


# ---------------------------------------------------------------- what is shipped; the real files


def test_every_file_of_the_package_has_its_source_and_licence():
    folder = resources.files("neurograph.datasets").joinpath("data")
    text = folder.joinpath("SOURCES.md").read_text(encoding="utf-8")
    names = {file.name for file in folder.iterdir()} - {"SOURCES.md"}
    assert names == {"celegans_edges.csv.gz", "celegans_neurons.csv.gz", "japanese_vowels.npz"}
    assert all(name in text for name in names)


@pytest.mark.skipif(not (REAL / "larva").is_dir(), reason="NEUROGRAPH_DATA does not name a folder")
def test_the_real_larva():
    folder = REAL / "larva"
    net = ng.datasets.larva(
        folder / "larva_edges.csv.gz", folder / "larva_neurons.csv.gz", clamp=True
    )
    assert (len(net), net.number_of_edges()) == (3554, 119010)
    assert sum(s["count"] for s in net.synapses) == 376091
    assert nx.number_of_selfloops(net) == 577
    assert (len(net.inputs), len(net.outputs)) == (465, 420)
    assert len(max(nx.strongly_connected_components(net), key=len)) == 3236
    assert np.isfinite(net.forward(np.ones((1, 3, 465)))).all()


@pytest.mark.skipif(not (REAL / "mnist").is_dir(), reason="NEUROGRAPH_DATA does not name a folder")
def test_the_real_mnist():
    data = ng.datasets.mnist(REAL / "mnist" / "mnist.npz")
    assert [len(part) for part in data] == [50000, 10000, 10000]
    assert data.valid.y[:4].tolist() == [3, 8, 6, 9]
