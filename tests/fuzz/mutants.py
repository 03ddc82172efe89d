"""Files that are nearly right: what `tests/test_fuzz.py` and the harnesses of atheris try."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import neurograph as ng
from neurograph.io.checkpoint import describe
from neurograph.io.checkpoint_reader import prepared
from neurograph.io.checkpoint_reader import read as read_checkpoint
from neurograph.io.files import parse_json
from neurograph.io.graphml_parser import parse
from neurograph.io.native_reader import read
from neurograph.io.plain_graph_reader import build
from neurograph.training import prepare
from tests.lossless import everything, rich, written

HEAD = b'{"__metadata__":{"sha256":"'
DATA = Path(__file__).parent.parent / "data"
FUZZ_X = np.random.default_rng(0).uniform(0.1, 0.9, (9, 2))
DEEP = "nested too deeply"  # becomes lists, which json.dumps could not write
NASTY = [
    None, True, False, 0, 1, -1, 5, 255, 2**31, 2**63, 2**200, 0.5, 1e308, -0.0, "", "x", "λ\ud800", "x" * 70_000,
    [], {}, [[]], [1, 2], {"tuple": []}, {"tuple": [1, {"set": [1, 1]}]}, {"int": "0x" + "f" * 4_000},
    {"int": "-0x1"}, {"float": "nan"}, {"float": "1"}, {"numpy": ["int8", 300]}, {"numpy": ["float16", 1e9]},
    {"array": ["F64", [2**40]]}, {"array": ["F64", [0, 2**62, 2**62]]}, {"neuron": 0}, {"synapse": 10**9},
    {"dict": [[[], 1]]}, {"dict": [[1, 1], [True, 2]]}, {"bytes": "0"}, {"complex": ["x", "1"]}, {"str": "ff"},
    DEEP, "PCG64", "MT19937", "bptt", {"name": "bptt", "window": 0}, "compiled", "logistic", "F64", "I32", "BOOL",
]  # fmt: skip


def native_seeds() -> list[bytes]:
    """Files of our own to start from."""
    small = ng.perceptron(2, 2, 1, seed=0)
    small.rng.random()
    bits = ng.Network([("a", "b")], seed=np.random.Generator(np.random.MT19937(1)))
    bits.inputs, bits.rule = ["a"], ng.BPTT(3)
    return [written(net) for net in (rich(), small, bits, ng.Network())]


def checkpoint_seeds() -> list[bytes]:
    """Checkpoints of trainings of all kinds, in the middle."""
    told = [
        {"optimizer": ng.AdamW(ng.schedules.WarmUp(ng.schedules.Cosine(0.02, steps=5), 2)), "validation": 0.3,
         "callbacks": [ng.EarlyStopping(3)]},
        {"optimizer": ng.Rprop(0.01), "sample_weight": np.arange(1, 10), "validation": (FUZZ_X, FUZZ_X[:, :1])},
        {"optimizer": ng.SGD(0.01), "rule": ng.BPTT(3), "batch_size": 1},
    ]  # fmt: skip
    made: list[bytes] = []
    for options in told:
        net = ng.perceptron(2, 2, 1, seed=0)
        job = prepare(net, FUZZ_X, FUZZ_X[:, :1], **{"epochs": 4, "batch_size": 2, "engine": "walker",
                      "checkpoint": "nowhere", "every": "5 batches", "begins": False, **options})  # fmt: skip
        job.saver.write = lambda path, job: made.append(b"".join(map(bytes, describe(job))))
        job.run(lambda n: None)
        del made[-1]  # that of the end
    return made[::2]


def synaptic_seeds() -> list[bytes]:
    """What Synaptic has written, or could have."""
    made = []
    for net in (ng.perceptron(2, 3, 1, seed=0), ng.perceptron(1, 1, 1, seed=1)):
        net.activate([0.5] * len(net.inputs))
        made.append(json.dumps(ng.io.write_synaptic(net)).encode())
    return made


def split(raw: bytes) -> tuple[dict, bytes]:
    """The header and the data of a file in the safetensors layout."""
    size = int.from_bytes(raw[:8], "little")
    return parse_json(raw[8 : 8 + size].decode()), raw[8 + size :]


def joined(header: dict, data: bytes) -> bytes:
    """A file with a digest that is right."""
    text = dumped(header).encode()
    return signed(len(text).to_bytes(8, "little") + text + data)


def signed(raw: bytes) -> bytes:
    """The same bytes with the digest that they should have, if there is one."""
    at = 8 + len(HEAD)
    if raw[8:at] != HEAD:
        return raw
    digest = hashlib.sha256(raw[:at] + b"0" * 64 + raw[at + 64 :]).hexdigest()
    return raw[:at] + digest.encode() + raw[at + 64 :]


def scratched(raw: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed, left out, put in, or moved."""
    made = bytearray(raw)
    for _ in range(rng.integers(1, 4)):
        at, n = int(rng.integers(len(made) + 1)), int(rng.integers(1, 9))
        what = rng.integers(5)
        if what == 0:
            made[at : at + n] = rng.bytes(len(made[at : at + n]))
        elif what == 1 and made:
            made[at % len(made)] ^= 1 << int(rng.integers(8))
        elif what == 2:
            del made[at : at + n]
        elif what == 3:
            made[at:at] = rng.choice([rng.bytes(n), b"\x00" * n, b"\xff" * n, b"[" * 99, b"1e999"])
        else:
            del made[at:]
    return bytes(made)


def bent(found, rng: np.random.Generator):
    """JSON with one thing in it that is something else."""
    ways = [(None, None)]
    queue = [found]
    while queue:
        at = queue.pop()
        items = (
            at.items() if isinstance(at, dict) else enumerate(at) if isinstance(at, list) else ()
        )
        for key, value in list(items):
            ways.append((at, key))
            queue.append(value)
    parent, key = ways[int(rng.integers(1, len(ways)))] if len(ways) > 1 else ways[0]
    if parent is None:
        return NASTY[int(rng.integers(len(NASTY)))]
    what, value = rng.integers(5), parent[key]
    if what == 0:
        del parent[key]
    elif what == 1 and isinstance(value, int):
        parent[key] = value + int(rng.integers(-2, 3))
    elif what == 2 and isinstance(parent, list):
        parent.insert(int(rng.integers(len(parent) + 1)), value)
    elif what == 3:
        other, name = ways[int(rng.integers(1, len(ways)))]
        parent[key] = json.loads(json.dumps(other[name]))
    else:
        parent[key] = NASTY[int(rng.integers(len(NASTY)))]
    return found


def native_mutants(n: int, seed: int) -> Iterator[bytes]:
    """Files of our own, see `mutants`."""
    return mutants(n, seed, native_seeds(), ("network",))


def checkpoint_mutants(n: int, seed: int) -> Iterator[bytes]:
    """Checkpoints, see `mutants`."""
    return mutants(n, seed, checkpoint_seeds(), ("training", "training", "training", "network"))


def mutants(n: int, seed: int, seeds: list[bytes], parts: tuple[str, ...]) -> Iterator[bytes]:
    """Files scratched; or scratched in the data, the header, the JSON, and signed."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        raw = seeds[int(rng.integers(len(seeds)))]
        header, data = split(raw)
        if i % 5 == 0:
            yield scratched(raw, rng)
        elif i % 5 == 1:
            yield signed(scratched(raw, rng))
        elif i % 5 == 2:
            part = parts[i % len(parts)]
            inner = bent(parse_json(header["__metadata__"][part]), rng)
            header["__metadata__"][part] = dumped(inner)
            yield joined(header, data)
        elif i % 5 == 3:
            at = int(rng.integers(max(1, len(data))))
            yield joined(header, (data[:at] + rng.bytes(4) + data[at + 4 :])[: len(data)])
        else:
            tensors = {k: v for k, v in header.items() if k != "__metadata__"}
            changed = bent(tensors, rng)
            made = {"__metadata__": header["__metadata__"]}
            yield joined({**made, **changed} if isinstance(changed, dict) else made, data)


def synaptic_mutants(n: int, seed: int) -> Iterator[bytes]:
    """Files of Synaptic: scratched, or with something in them that is something else."""
    rng, seeds = np.random.default_rng(seed), synaptic_seeds()
    for i in range(n):
        raw = seeds[int(rng.integers(len(seeds)))]
        yield scratched(raw, rng) if i % 2 else dumped(bent(json.loads(raw), rng)).encode()


def dumped(found) -> str:
    depth = 40 if len(str(found)) % 2 else 10_000
    text = json.dumps(found, separators=(",", ":"))
    return text.replace(json.dumps(DEEP), "[" * depth + "]" * depth)


def try_native(raw: bytes) -> bool:
    """Read a file: a network that is as good as any other, and True; or a `FormatError`, and False."""
    try:
        net = read(raw)
    except ng.FormatError:
        return False
    twin = read(written(net))
    assert everything(twin) == everything(net)
    net.engine = "walker"
    try:
        if net.plan().history < 100:
            net.activate(np.zeros(len(net.inputs)))
            net.propagate(0.1, np.full(len(net.outputs), 0.5))
    except ng.NeurographError:
        pass
    return True


def try_checkpoint(raw: bytes) -> bool:
    """Read a checkpoint and go on for an epoch: well, or with a sentence; or a `FormatError`, and False."""
    try:
        found = read_checkpoint(raw)
    except ng.FormatError:
        return False
    data = {"validation": (FUZZ_X, FUZZ_X[:, :1])} if "validation X" in found.data else {}
    if "sample_weight" in found.data:
        data["sample_weight"] = np.arange(1, 10)
    found.engine = "walker"  # what kernels are given, they are given by everybody
    try:
        epochs = len(found.history) + 1
        job = prepared(found, FUZZ_X, FUZZ_X[:, :1], epochs=epochs, checkpoint="nowhere", **data)
        assert b"".join(map(bytes, describe(job)))
        job.saver = None
        job.run(lambda n: None)
    except ng.NeurographError:
        pass
    return True


def try_synaptic(raw: bytes) -> bool:
    """The same of a file of Synaptic."""
    try:
        text = raw.decode("utf-8-sig")
        found = parse_json(text)
        net = ng.io.read_synaptic(found if isinstance(found, dict) else {})
    except (ng.FormatError, UnicodeDecodeError):
        return False
    ng.io.write_synaptic(net)
    return True


# ---------------------------------------------------------------- plain graphs, tables, Neataptic


def various() -> list[ng.Network]:
    """Small networks with a bit of everything."""
    net = ng.Network(seed=0, made=(1, 2), title="t")
    net.add_layer("x", 2, role="input")
    net.add_neuron(("c", 1), activation="tanh", bias=0.5, sign=1)
    net.add_neuron("y", role="output", note="text", array=np.arange(3.0))
    edges = [
        ("x.0", ("c", 1)),
        (("c", 1), "y"),
        ("x.1", "y"),
        (("c", 1), ("c", 1)),
        ("y", ("c", 1)),
    ]
    for i, (u, v) in enumerate(edges):
        net.add_synapse(u, v, weight=i / 4, delay=1 if u == "y" else None)
    net.gate("x.1", net.edges["x.0", ("c", 1)], delay=1)
    net.tie([net.edges["x.1", "y"], net.edges["x.0", ("c", 1)]])
    net.edges[("c", 1), "y"].update(lower=-1, friend=net.nodes["y"], kind="k")
    return [net, ng.perceptron(1, 2, 1, seed=1)]


def node_link_seeds() -> list[bytes]:
    """What `write_node_link` writes."""
    return [json.dumps(ng.io.write_node_link(net)).encode() for net in various()]


def graphml_seeds() -> list[bytes]:
    """What `write_graphml` writes, and a file of another program."""
    foreign = (
        '<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><key id="w" for="edge" attr.name="weight"'
        ' attr.type="double"><default>1</default></key><graph edgedefault="directed"><node id="a"/>'
        '<node id="b"><desc>b</desc></node><edge id="e" source="a" target="b"><data key="w">2</data></edge>'
        "</graph></graphml>"
    )
    return [*(ng.io.write_graphml(net).encode() for net in various()), foreign.encode()]


def edge_list_seeds() -> list[bytes]:
    """A table of synapses and one of neurons, with an empty line between."""
    made = []
    for net in various():
        net.relabel({n: str(n) for n in net})
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            files = Path(folder, "e.csv"), Path(folder, "n.csv")
            ng.io.write_edge_list(net, *files)
            made.append(b"\r\n\r\n".join(file.read_bytes() for file in files))
    return made


def neataptic_seeds() -> list[bytes]:
    """What Neataptic has written."""
    files = [DATA / "neataptic" / f"{name}.json" for name in ("narx", "recurrent")]
    return [json.dumps(json.loads(file.read_text())["network"]).encode() for file in files]


def json_mutants(seeds):
    """Files in JSON: scratched, or with something in them that is something else."""

    def mutants(n: int, seed: int) -> Iterator[bytes]:
        rng, from_these = np.random.default_rng(seed), seeds()
        for i in range(n):
            raw = from_these[int(rng.integers(len(from_these)))]
            yield scratched(raw, rng) if i % 3 == 0 else dumped(bent(json.loads(raw), rng)).encode()

    return mutants


def text_mutants(seeds, piece: bytes):
    """Files of pieces: scratched, or with pieces lost, moved, there twice, or something else."""
    nasty = [
        b"", b"-1", b"1e400", b"nan", b"inf", b"9" * 5000, b"\xff", b"\x00", b'"', b"<", b"&#0;", b"&a;", b"x" * 70_000,
        b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"<graph>" * 50, b'{"version":"2"}', b'"state"', b"true", b",", b"\r\n",
    ]  # fmt: skip

    def mutants(n: int, seed: int) -> Iterator[bytes]:
        rng, from_these = np.random.default_rng(seed), seeds()
        for i in range(n):
            raw = from_these[int(rng.integers(len(from_these)))]
            if i % 3 == 0:
                yield scratched(raw, rng)
                continue
            pieces = re.split(piece, raw)
            at, other = rng.integers(len(pieces), size=2)
            what = rng.integers(5)
            if what == 0:
                del pieces[at]
            elif what == 1:
                pieces.insert(at, pieces[other])
            elif what == 2:
                pieces[at], pieces[other] = pieces[other], pieces[at]
            elif what == 3:
                pieces[at] = pieces[other]
            else:
                pieces[at] = nasty[int(rng.integers(len(nasty)))]
            yield b"".join(pieces)

    return mutants


def require_the_same_again(net: ng.Network) -> None:
    """A network that was read is as good as any other: it can be written and read again."""
    twin = ng.io.read_node_link(ng.io.write_node_link(net))
    assert list(twin.edges) == list(net.edges) and (twin.weights == net.weights).all()
    assert [dict(n).keys() for n in twin.neurons] == [dict(n).keys() for n in net.neurons]


def attempting(read):
    """Try a reader of text, as `try_native` tries that of our own files."""

    def attempt(raw: bytes) -> bool:
        try:
            net = read(raw.decode("utf-8-sig"))
        except (ng.FormatError, UnicodeDecodeError):
            return False
        require_the_same_again(net)
        return True

    return attempt


def _mapping(text: str) -> dict:
    found = parse_json(text)
    return found if isinstance(found, dict) else {}


def _tables(text: str) -> ng.Network:
    edges, _, neurons = text.partition("\r\n\r\n\r\n")
    return ng.io.read_edge_list(_File(edges), _File(neurons) if neurons else None)


class _File:
    """Something to read from; `StringIO` takes four times the memory of its text."""

    def __init__(self, text: str):
        self.read = lambda: text


try_node_link = attempting(lambda text: ng.io.read_node_link(_mapping(text)))
try_graphml = attempting(lambda text: build(parse(text)[0], ng.Network))
try_edge_list = attempting(_tables)
try_neataptic = attempting(lambda text: ng.io.read_neataptic(_mapping(text)))

SEEDS = {
    "node_link": node_link_seeds,
    "graphml": graphml_seeds,
    "edge_list": edge_list_seeds,
    "neataptic": neataptic_seeds,
}
LOADERS = {
    "native": (native_mutants, try_native),
    "checkpoint": (checkpoint_mutants, try_checkpoint),
    "synaptic": (synaptic_mutants, try_synaptic),
    "node_link": (json_mutants(node_link_seeds), try_node_link),
    "graphml": (text_mutants(graphml_seeds, rb"(<[^>]*>|\s|\")"), try_graphml),
    "edge_list": (text_mutants(edge_list_seeds, rb"(,|\r\n)"), try_edge_list),
    "neataptic": (json_mutants(neataptic_seeds), try_neataptic),
}
