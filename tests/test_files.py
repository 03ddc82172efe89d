"""Files of our own, and copies: nothing is lost, and nothing that is broken gets in."""

import copy
import errno
import itertools
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurograph as ng
from neurograph.io.checkpoint_reader import read as read_checkpoint
from neurograph.io.files import parse_json, write_text
from neurograph.io.native_reader import read
from tests.fuzz.mutants import joined, signed, split
from tests.lossless import COPIES, everyone, everything, future, rich, typed, values, written

DATA = Path(__file__).parent / "data"
THOROUGH = bool(os.environ.get("NEUROGRAPH_THOROUGH"))
copied = pytest.mark.parametrize("how", COPIES.values(), ids=COPIES)


# ---------------------------------------------------------------- nothing is lost


@copied
@given(net=everyone())
def test_a_copy_is_everything_that_the_network_is(how, net):
    twin = how(net)
    assert type(twin) is type(net)
    assert everything(twin) == everything(net)
    assert twin._online.visits == net._online.visits  # by which "auto" chooses an engine


@copied
@given(net=everyone())
def test_a_copy_goes_on_as_the_network_does(how, net):
    """One that is not ready (a gater is gone, say) says the same of itself, too."""
    twin = how(net)
    before = everything(net)
    ahead = future(twin)
    assert everything(net) == before  # they share nothing
    assert ahead == future(net)


@copied
def test_a_copy_goes_on_in_kernels_too(how):
    net = rich()
    net.engine = "compiled"
    net.activate([0.1, 0.2])
    twin = how(net)
    assert future(twin) == future(net)


@copied
@pytest.mark.parametrize("optimizer", [ng.Adam(0.01), ng.Rprop(0.01), ng.Momentum(0.01)], ids=str)
def test_training_goes_on_after_a_stop_as_if_there_was_none(how, optimizer):
    X = np.random.default_rng(0).uniform(size=(12, 2))
    stopped, steady = (ng.perceptron(2, 3, 1, seed=0) for _ in range(2))
    options = {"batch_size": 5, "optimizer": optimizer}
    steady.fit(X, X[:, :1], epochs=3, **options)
    for _ in range(3):
        stopped.fit(X, X[:, :1], epochs=1, **options)
        stopped = how(stopped)
    assert stopped.weights.tobytes() == steady.weights.tobytes()
    assert everything(stopped) == everything(steady)


@given(value=values)
def test_an_attribute_comes_back_with_type_and_bits(value):
    net = ng.Network([("a", "b", {"weight": 1})], seed=0, mine=value)
    net.nodes["a"]["mine"] = net.edges["a", "b"]["mine"] = value
    twin = read(written(net))
    for mine in twin.graph["mine"], twin.nodes["a"]["mine"], twin.edges["a", "b"]["mine"]:
        assert typed(mine) == typed(value)


def test_names_are_told_apart_by_type():
    names = [1, "1", 2.0, (1,), ("1",), b"1", frozenset({1}), np.int64(7), np.str_("x"), True]
    names = [n for n in names if n is not True] + [
        "True",
        (True, None),
        "\ud800",
        "\ud800\udc00",
        "𐀀",
    ]
    twin = read(written(ng.Network([(names[0], name) for name in names[1:]])))
    assert typed(list(twin)) == typed(names)
    assert read(written(ng.Network([(True, False)]))).nodes == {True: {}, False: {}}
    assert type(next(iter(read(written(ng.Network([(True, False)])))))) is bool


def test_handles_in_attributes_are_those_of_the_new_network():
    net = rich()
    for how in COPIES:
        if how != "copy":  # which shares attributes, as networkx does
            twin = COPIES[how](net)
            friends = twin.nodes["cell", 1]["friends"]
            assert friends["gate"] is twin.nodes["gate"]
            assert friends["memory"][0] is twin.edges[("cell", 1), ("cell", 1)]
    net.graph["stranger"] = ng.perceptron(1, 1).nodes["input.0"]
    with pytest.raises(ng.ParameterError, match="net.graph is .*of type Neuron"):
        net.save("never")


def test_save_and_load_of_a_subclass(tmp_path):
    from neurograph.table import Column
    from neurograph.values import positive

    class Spiking(ng.Neuron):
        __slots__ = ()
        threshold = Column(1.0, "float", positive)

    class Net(ng.Network):
        node_attr_dict_factory = Spiking

    net = Net([("a", "b")], seed=0)
    net.nodes["a"].threshold = 0.25
    net.save(tmp_path / "net.ng")
    twin = ng.load(tmp_path / "net.ng", create_using=Net)
    assert type(twin) is Net and twin.nodes["a"].threshold == 0.25
    with pytest.raises(ng.FormatError, match="neuron of Network has no 'threshold'.*create_using="):
        ng.load(tmp_path / "net.ng")
    bad = changed_tensor(written(net), "neuron.threshold", [-1.0, 1.0])
    with pytest.raises(ng.FormatError, match="'neuron.threshold' has -1.0 at 0: no such value"):
        read(bad, Net)
    with pytest.raises(ng.ParameterError, match="create_using must be a subclass of Network"):
        ng.load(tmp_path / "net.ng", create_using=nx.DiGraph)


def test_a_view_cannot_be_saved(tmp_path):
    with pytest.raises(ng.GraphError, match="copy"):
        rich().subgraph(["gate"]).save(tmp_path / "net.ng")
    assert not list(tmp_path.iterdir())


def test_pickle_forgets_what_means_nothing_in_another_process():
    other = ng.Network([("a", "b", {"tie": "w"}), ("a", "c", {"tie": "w"})], seed=0)
    net = nx.relabel_nodes(other, {"a": "A"})  # leaves notes of where things come from
    twin = pickle.loads(pickle.dumps(net))
    assert not twin._store.synapses.ties._arrived and not twin._node.__dict__
    net.inputs, net.outputs = ["A"], ["b"]
    net.forward([1])
    net.backward([0])
    for how in COPIES.values():
        with pytest.raises(ng.ParameterError, match="no input_gradient yet"):
            how(net).input_gradient  # noqa: B018


@pytest.mark.parametrize(
    "tie", [lambda n, s: n.tie(s), lambda n, s: [e.update(tie="w") for e in s]]
)
def test_what_is_tied_after_training_stays_equal_in_training(tie):
    net = ng.Network(seed=0)
    for name in "ab":
        net.add_neuron(name, role="input")
    net.add_neuron("y", role="output")
    both = [net.add_synapse(name, "y", weight=w) for name, w in (("a", 0.5), ("b", -0.3))]
    X = np.random.default_rng(0).normal(size=(20, 2))
    net.fit(X, X[:, :1], optimizer=ng.Adam(0.01))
    tie(net, both)
    net.fit(X, X[:, :1], optimizer=ng.Adam(0.01))
    assert both[0].weight == both[1].weight


# ---------------------------------------------------------------- the layout


def test_the_safetensors_package_reads_it(tmp_path):
    safetensors = pytest.importorskip("safetensors")
    net = rich()
    net.save(tmp_path / "net.ng")
    with safetensors.safe_open(tmp_path / "net.ng", framework="np") as file:
        told = json.loads(file.metadata()["network"])
        assert file.metadata()["format"] == "neurograph" and told["neurons"] == len(net)
        weight, source = file.get_tensor("synapse.weight"), file.get_tensor("synapse.source")
        for name in file.keys():  # noqa: SIM118
            assert file.get_tensor(name).dtype.kind in "fiub"
    by_insertion = [
        net._store.synapses.read(id, ng.Synapse.weight) for id in sorted(net.synapse_ids())
    ]
    assert weight.tolist() == by_insertion
    assert sorted(source.tolist()) == sorted(list(net).index(u) for u, _ in net.edges)


def odd():
    net = ng.Network([("a", "b"), ("b", "c")])
    net.nodes["a"].trainable = False
    return net


@pytest.mark.parametrize("net", [rich, odd])
def test_tensors_are_aligned_and_without_holes(net):
    header, data = split(written(net()))
    del header["__metadata__"]
    places = sorted((*told["data_offsets"], told["dtype"]) for told in header.values())
    assert places[0][0] == 0 and places[-1][1] == len(data)
    for (_, end, _), (begin, _, dtype) in itertools.pairwise(places):
        assert end == begin
        assert begin % (1 if dtype == "BOOL" else int(dtype[1:]) // 8) == 0


def test_a_file_of_the_first_version_stays_readable():
    net = ng.load(DATA / "format-1.ng")
    assert list(net) == ["x.0", "x.1", "gate", ("cell", 1), "λ", frozenset({1, 2})]
    assert (net.inputs, net.outputs) == (["x.0", "x.1"], ["λ", frozenset({1, 2})])
    weights = [
        "-0x1.12272efe1b4eap-4", "-0x1.09c031e4fcdbfp-5", "-0x1.cbdc6f7312072p-3", "-0x1.12272efe1b4eap-4",
        "0x1.3e10031bd6799p-4", "0x1.e0f0c55e3f11dp-1", "0x1.d473293c86a1dp-2", "0x1.2d63b12ce3efdp-2",
        "0x1.eef0ca78dbe05p-3", "0x1.999999999999ap-4",
    ]  # fmt: skip
    assert [w.hex() for w in net.weights.tolist()] == weights
    assert (
        net.nodes["cell", 1]["kind"] == b"\x00\xff" and net.nodes["gate"].bias == 0.0387911574625371
    )
    memory = net.edges[("cell", 1), ("cell", 1)]
    assert (memory.gater, memory["note"], memory["place"].tolist()) == (
        "gate",
        "carousel",
        [1.5, 2.5],
    )
    assert net.edges["x.0", "gate"].tie == net.edges["x.1", "gate"].tie == "shared"
    assert (net._store.optimizer, net._store.updates, net.seed) == ("Adam", 4, 2**100 + 7)
    assert net.graph == {"title": "rich", "made": (1, 2.5, None)} and net.layers["x"].names == [
        "x.0",
        "x.1",
    ]
    assert net.activate([0.5, -1]) == pytest.approx(
        [0.7631180248014913, -0.3695999363306253], rel=1e-12
    )
    net.propagate(0.1, [0.5, 0.5])
    assert net.rng.random() == 0.14542444166002322


# ---------------------------------------------------------------- what cannot be saved


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda n: n.nodes["gate"].update(f=len), "neuron 'gate': attribute 'f' is .*builtin_function"),
        (lambda n: n.edges["x.0", "gate"].update(f={1: [object]}), "synapse 'x.0' -> 'gate': attribute 'f'"),
        (lambda n: n.graph.update(f=n), "net.graph is .*Network"),
        (lambda n: n.nodes["gate"].update({complex: 1}), "the attribute <class 'complex'>"),
        (lambda n: n.add_node(object), "the name <class 'object'>"),
        (lambda n: n.add_node("x" * 70_000), "names of up to 65,536 characters"),
        (lambda n: n._store.activations.append("\ud800"), "half a surrogate pair, '.ud800'"),
        (lambda n: n.graph.update(f=circle()), "net.graph is nested more than 32 deep"),
        (lambda n: n.graph.update(f=np.array([1j])), "net.graph is array"),
        (lambda n: n.graph.update(f=2**70_000), "net.graph is a huge int"),
        (lambda n: setattr(n, "engine", ng.engines.get_engine("walker")), "net.engine is .*an object"),
        (lambda n: setattr(n, "_rng", np.random.Generator(Foreign(1))), "net.rng draws from .*PCG64"),
        (lambda n: (n.reset_state(), setattr(n, "rule", Own())), "net.rule is .*of a class"),
    ],
)  # fmt: skip
def test_what_a_file_cannot_hold_is_named_and_nothing_is_written(change, problem, tmp_path):
    net = rich()
    change(net)
    (tmp_path / "net.ng").write_text("before")
    with pytest.raises(ng.ParameterError, match=problem):
        net.save(tmp_path / "net.ng")
    assert contents(tmp_path) == {"net.ng": b"before"}


def circle():
    made = []
    made.append(made)
    return made


class Foreign(np.random.PCG64):
    pass


class Own(ng.LSTMG):
    pass


# ---------------------------------------------------------------- what cannot be loaded


def changed(raw, change):
    """A file in whose JSON something is different."""
    header, data = split(raw)
    told = parse_json(header["__metadata__"]["network"])
    change(told)
    header["__metadata__"]["network"] = json.dumps(told)
    return joined(header, data)


def changed_tensor(raw, name, values):
    """A file in which a tensor has other values, as many."""
    header, data = split(raw)
    begin, end = header[name]["data_offsets"]
    kinds = {"F64": "<f8", "I32": "<i4", "I16": "<i2", "I8": "i1", "BOOL": "u1", "I64": "<i8"}
    piece = np.array(values, kinds[header[name]["dtype"]]).tobytes()
    assert len(piece) == end - begin
    return joined(header, data[:begin] + piece + data[end:])


def tensor(net, name):
    header, data = split(written(net))
    begin, end = header[name]["data_offsets"]
    kinds = {"F64": "<f8", "I32": "<i4", "I16": "<i2", "I8": "i1", "BOOL": "?", "I64": "<i8"}
    return np.frombuffer(data[begin:end], kinds[header[name]["dtype"]])


@pytest.mark.parametrize(
    ("name", "at", "value", "problem"),
    [
        ("synapse.weight", 3, np.nan, "'synapse.weight' has nan at 3: not a finite number"),
        ("synapse.weight", 0, 9.0, "synapse 2 is tied, but its weight is"),
        ("neuron.bias", 1, -np.inf, "'neuron.bias' has -inf at 1"),
        ("synapse.source", 2, 6, "'synapse.source' has 6 at 2: there are 6 neurons"),
        ("synapse.target", 2, -1, "'synapse.target' has -1 at 2"),
        ("synapse.target", 1, 2, "synapses 0 and 1 lead from 0 to 2 both"),
        ("synapse.gater", 4, 6, "'synapse.gater' has 6 at 4: there is no such gater"),
        ("synapse.gater", 4, -2, "'synapse.gater' has -2 at 4"),
        ("synapse.delay", 4, 2, "'synapse.delay' has 2 at 4: not a delay that a self-synapse can have"),
        ("synapse.delay", 0, -1, "'synapse.delay' has -1 at 0: no such value"),
        ("synapse.reads", 0, 1, "only a self-synapse reads the state"),
        ("synapse.reads", 0, 2, "'synapse.reads' has 2 at 0: no such value"),
        ("synapse.lower", 5, np.nan, "'synapse.lower' has nan at 5"),
        ("synapse.rate_factor", 5, -1.0, "'synapse.rate_factor' has -1.0 at 5"),
        ("synapse.trainable", 0, 2, "tensor 'synapse.trainable' must hold 0 and 1"),
        ("neuron.activation", 0, 4, "there is no such activation"),
        ("neuron.activation", 0, -1, "there is no such activation"),
        ("neuron.role", 0, 3, "'neuron.role' has 3 at 0: no such value"),
        ("neuron.port", 2, 0, "inputs and outputs have a port"),
        ("neuron.port", 0, -1, "inputs and outputs have a port"),
        ("tie.member", 0, 2, "names a synapse twice"),
        ("tie.member", 0, 10, "names a synapse that is not there"),
        ("layer.member", 0, 6, "names a neuron that is not there"),
        ("layer.indptr", 1, 3, "must say where each of 1 begins"),
        ("axis.neuron", 0, 4, "names somebody twice|does not fit"),
        ("axis.synapse", 0, 99, "names somebody who is not there"),
    ],
)  # fmt: skip
def test_a_tensor_that_cannot_be_is_named(name, at, value, problem):
    net = rich()
    values = (
        tensor(net, name).copy() if name != "synapse.trainable" else tensor(net, name).astype("u1")
    )
    values[at] = value
    bad = changed_tensor(written(net), name, values)
    with pytest.raises(ng.FormatError, match=problem):
        read(bad)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda t: t.update(neurons=2**31), "network.neurons must be a whole number from 0 to 2147483647"),
        (lambda t: t.update(neurons=7), "must be 7 of"),
        (lambda t: t.pop("ties"), "network has no 'ties'"),
        (lambda t: t.update(dtype="float16"), "network.dtype is 'float16', none of float64"),
        (lambda t: t["names"].append("x"), "there must be 6 names, got 7"),
        (lambda t: t["names"].__setitem__(1, "x.0"), "network.names: 'x.0' is there twice"),
        (lambda t: t["names"].__setitem__(1, [1]), r"network.names\[1\] cannot be the name"),
        (lambda t: t["names"].__setitem__(1, None), "cannot be the name"),
        (lambda t: t["names"].__setitem__(1, "x" * 70_000), "a name of more than 65,536 characters"),
        (lambda t: t["names"].__setitem__(1, {"tuple": [deep(40)]}), "nested more than 32 deep"),
        (lambda t: t["names"].__setitem__(1, {"tuples": []}), "there is no kind 'tuples'"),
        (lambda t: t["activations"].__setitem__(0, "tanh"), "'logistic' first"),
        (lambda t: t["activations"].append("\ud800"), "network.activations must be names"),
        (lambda t: t["activations"].__setitem__(1, "mine"), "'mine', which is not registered here"),
        (lambda t: t["layers"].append(["l", "l"]), "must say where each of 2 begins"),
        (lambda t: t["ties"].append("more"), "must say where each of 2 begins"),
        (lambda t: t["attributes"]["neuron"][0].update(keys=["b"]), "must have values for each"),
        (lambda t: t["attributes"]["neuron"][0]["keys"].__setitem__(0, "bias"), "'bias' is a parameter"),
        (lambda t: t["attributes"]["neuron"][0].update(of=[6]), "from 0 to 5"),
        (lambda t: t["graph"].update(dict=[["a", {"neuron": 6}]]), "there is no neuron 6"),
        (lambda t: t["graph"].update(dict=[["a", {"array": ["F64", [10**9]]}]]), "there is no array"),
        (lambda t: t["graph"].update(dict=[["a", 1], ["a", 2]]), "'a' is there twice"),
        (lambda t: t["attributes"].update(synapse=[]), "holds more than there are arrays"),
        (lambda t: t["generator"].update(name="Generator"), "must be one of PCG64"),
        (lambda t: t["generator"].update(name="MT19937"), "is in no state that MT19937"),
        (lambda t: t["generator"].update(state={"dict": []}), "is in no state that PCG64"),
        (lambda t: t["online"].update(rule="rtrl"), "must be what the rule keeps"),
        (lambda t: t["online"].update(rule={"name": "bptt", "window": 0}), "must be what|window"),
        (lambda t: t["online"].update(clock=[1, 2]), "network.online.clock"),
        (lambda t: t.update(engine="os.system"), "network.engine is 'os.system'"),
    ],
)  # fmt: skip
def test_json_that_cannot_be_is_named(change, problem):
    bad = changed(written(rich()), change)
    with pytest.raises(ng.FormatError, match=problem):
        read(bad)


def deep(n):
    made = 1
    for _ in range(n):
        made = {"tuple": [made]}
    return made


def test_a_generator_in_a_state_that_numpy_would_not_look_at():
    net = ng.Network(seed=np.random.Generator(np.random.MT19937(1)))
    read(written(net))

    def far(told):
        told["generator"]["state"]["dict"][1][1]["dict"][1][1] = 10**6

    with pytest.raises(ng.FormatError, match="no state that MT19937 can have"):
        read(changed(written(net), far))


def test_what_is_not_such_a_file_says_so(tmp_path):
    path = tmp_path / "net.ng"
    raw = written(rich())
    header, data = split(raw)
    meta = header["__metadata__"]
    for bad, problem in [
        (b"", "not a file of neurograph"),
        (b"\x80\x04K\x01.", "not a file of neurograph"),
        (raw[:-1], "the file is damaged"),
        (raw + b"\x00", "the file is damaged"),
        (signed(raw[:-1]), "there are .* bytes of them"),
        (signed(b"\xff" * 8 + raw[8:]), "the header has .* more than 100,000,000"),
        (joined({"__metadata__": {**meta, "version": "2"}}, b""), "version '2'.* newer neurograph"),
        (joined({"__metadata__": {**meta, "format": "pt"}}, b""), "its format is 'pt'"),
        (joined({"__metadata__": {**meta, "network": "[" * 10**5}}, b""), "nested too deeply"),
        (joined({**header, "more": header["neuron.bias"]}, data), "begins at|there is no place"),
    ]:
        path.write_bytes(bad)
        with pytest.raises(ng.FormatError, match=f"net.ng: .*{problem}"):
            ng.load(path)
    with pytest.raises(FileNotFoundError):
        ng.load(tmp_path / "no.ng")


def test_limits(tmp_path, monkeypatch):
    path = tmp_path / "net.ng"
    rich().save(path)
    monkeypatch.setattr("neurograph.io.native_reader.MAX_FILE_BYTES", path.stat().st_size)
    ng.load(path)
    monkeypatch.setattr("neurograph.io.native_reader.MAX_FILE_BYTES", path.stat().st_size - 1)
    with pytest.raises(ng.FormatError, match="more than .* bytes, the most that is read"):
        ng.load(path)
    monkeypatch.undo()
    monkeypatch.setattr("neurograph.io.tensors.MAX_TENSORS", 3)
    with pytest.raises(ng.FormatError, match="tensors, more than 3"):
        ng.load(path)
    monkeypatch.setattr("neurograph.io.tensors.MAX_HEADER_BYTES", 1000)
    with pytest.raises(ng.FormatError, match="the header has"):
        ng.load(path)
    with pytest.raises(ng.ParameterError, match="names and attributes take"):
        rich().save(path)
    monkeypatch.undo()
    monkeypatch.setattr("neurograph.io.plain.MAX_ALIKE", 3)
    alike = [n * (2**61 - 1) for n in range(1, 6)]
    with pytest.raises(ng.FormatError, match="more than 3 entries have one hash"):
        read(written(ng.Network([(0, n) for n in alike])))


@pytest.mark.parametrize(
    ("name", "read"), [("format-1.ng", read), ("checkpoint-1.ng", read_checkpoint)]
)
def test_every_flipped_bit_is_seen(name, read):
    raw = (DATA / name).read_bytes()
    read(raw)
    damaged = bytearray(raw)
    for at in range(len(raw)):
        for bit in range(8):
            damaged[at] ^= 1 << bit
            with pytest.raises(ng.FormatError):
                read(bytes(damaged))
            damaged[at] ^= 1 << bit


def test_every_file_that_ends_early_is_seen():
    raw = (DATA / "format-1.ng").read_bytes()
    for end in range(0, len(raw), 7):
        for bad in raw[:end], signed(raw[:end]):
            with pytest.raises(ng.FormatError):
                read(bad)


def test_an_activation_that_is_not_registered_here(tmp_path):
    code = (
        "import sys, neurograph as ng; import numpy as np;"
        "ng.activation(np.arctan, derivative=lambda s: 1 / (1 + s * s), name='tests_far');"
        "ng.perceptron(1, 1, activation='tests_far', seed=0).save(sys.argv[1])"
    )
    path = tmp_path / "net.ng"
    subprocess.run([sys.executable, "-c", code, path], check=True)
    problem = (
        "neuron 'output.0' has activation 'tests_far', which is not registered here.*activation"
    )
    with pytest.raises(ng.FormatError, match=problem):
        ng.load(path)


# ---------------------------------------------------------------- whole or not at all


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Faulty:
    """Lets the n-th call to the system fail, of those that `write_bytes` makes."""

    NAMES = ("open", "write", "chmod", "fsync", "close", "link", "replace", "unlink")

    def __init__(self, patch, at, error):
        self.calls, self.at, self.error, self.failed = 0, at, error, None
        for name in self.NAMES:
            patch.setattr(os, name, self.wrapped(name, getattr(os, name)))

    def wrapped(self, name, function):
        def call(*arguments, **options):
            self.calls += 1
            if self.calls - 1 != self.at:
                return function(*arguments, **options)
            self.failed = name
            if name == "close":
                function(*arguments)
            if name == "write":
                function(arguments[0], arguments[1][: len(arguments[1]) // 2])
            raise self.error

        return call


@pytest.mark.parametrize("old", [b"before", None])
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=repr
)
def test_whatever_fails_the_old_file_or_the_new_one_is_there(old, error, tmp_path):
    net, path = ng.perceptron(2, 2, 1, seed=0), tmp_path / "net.ng"
    new, failed, n = written(net), set(), 0
    while True:
        path.unlink(missing_ok=True)
        if old is not None:
            path.write_bytes(old)
        with pytest.MonkeyPatch.context() as patch:
            faulty = Faulty(patch, n, error)
            try:
                net.save(path)
                caught = None
            except (OSError, KeyboardInterrupt) as problem:
                caught = problem
        if faulty.failed is None:
            break
        failed.add(faulty.failed)
        left = contents(tmp_path)
        if faulty.failed == "unlink":  # that of a stray: it cannot be undone
            left = {"net.ng": left["net.ng"]}
        if isinstance(error, KeyboardInterrupt):
            assert left in ({"net.ng": new}, {} if old is None else {"net.ng": old})
        elif caught is None:
            assert faulty.failed in ("link", "unlink") and left == {"net.ng": new}
        else:
            assert left == ({} if old is None else {"net.ng": old}), faulty.failed
            assert "No space left on device" in str(caught) and "net.ng" in str(caught)
            assert "what was there is as it was" in str(caught)
        n += 1
    assert failed >= {"open", "write", "chmod", "fsync", "close", "link", "replace"}
    assert path.read_bytes() == new


def test_a_disk_that_is_full(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "net.ng"
    path.write_bytes(b"before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
        with pytest.raises(OSError, match="not saved: .*too large; what was there is as it was"):
            rich().save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents(tmp_path) == {"net.ng": b"before"}


def test_writes_that_take_only_some_bytes(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, view: write(handle, view[:7]))
    rich().save(tmp_path / "net.ng")
    assert (tmp_path / "net.ng").read_bytes() == written(rich())


def test_the_disk_is_asked_before_and_after_the_rename(tmp_path, monkeypatch):
    order = []
    for name in ("fsync", "replace"):
        function = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, f=function, n=name: (order.append(n), f(*a))[1])
    rich().save(tmp_path / "net.ng")
    assert order == ["fsync", "replace", "fsync"]


def test_links_permissions_and_what_is_no_file(tmp_path):
    net, path, link = ng.Network(seed=0), tmp_path / "net.ng", tmp_path / "link.ng"
    path.write_bytes(b"before")
    path.chmod(0o640)
    link.symlink_to(path)
    net.save(link)
    assert link.is_symlink() and path.read_bytes() == written(net)
    assert path.stat().st_mode & 0o777 == 0o640
    (tmp_path / "folder").mkdir()
    for bad in tmp_path / "folder", tmp_path / "no" / "net.ng":
        with pytest.raises(OSError, match="not saved"):
            net.save(bad)
    write_text(tmp_path / "text", "λ\n")
    assert (tmp_path / "text").read_bytes() == b"\xce\xbb\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a process that was forked")
def test_a_save_that_is_killed_leaves_a_whole_file(tmp_path):
    kills = 500 if THOROUGH else 100
    script = Path(__file__).parent / "killing.py"
    done = subprocess.run(
        [sys.executable, script, tmp_path / "net.ng", str(kills), "0"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["killed"] == kills
    assert found["network 0"] + found["network 1"] == kills and min(
        found["network 0"], found["network 1"]
    )
    assert found["in the middle"] >= kills // 10  # saves were indeed cut off


@settings(max_examples=20)
@given(net=everyone(), n=st.integers(0, 3))
def test_saving_changes_nothing_and_writes_the_same_again(net, n):
    before, once = everything(net), written(net)
    assert everything(net) == before and written(net) == once
    assert written(read(once)) == written(copy.deepcopy(read(once)))
