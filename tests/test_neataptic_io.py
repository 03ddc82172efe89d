"""Files of Neataptic: against outputs recorded from the JavaScript library, and the library itself."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import neurograph as ng
from neurograph.io.neataptic import ACTIVATION
from tests.strategies import close

HERE = Path(__file__).parent
DATA = sorted((HERE / "data" / "neataptic").glob("*.json"))
PACKAGES = Path(os.environ.get("NEUROGRAPH_NODE_MODULES") or "node_modules").resolve()
QUIET = pytest.mark.filterwarnings("ignore:masks are multiplied:neurograph.NeurographWarning")


def recorded(name):
    return json.loads((HERE / "data" / "neataptic" / f"{name}.json").read_text())


@QUIET
@pytest.mark.parametrize("path", DATA, ids=[p.stem for p in DATA])
def test_outputs_are_those_of_javascript(path):
    found = json.loads(path.read_text())
    net = ng.io.read_neataptic(found["network"])
    outputs = net.run([found["inputs"]], engine="walker").outputs[0]
    assert np.ptp(found["outputs"]) > 0  # they say something
    assert close(outputs, found["outputs"], 1e-12)
    online = [net.activate(x) for x in found["inputs"]]
    assert close(online, found["outputs"], 1e-12)


def test_the_recorded_ones_have_everything():
    assert len(DATA) == 11
    nets = {p.stem: json.loads(p.read_text())["network"] for p in DATA}
    used = {node["squash"] for net in nets.values() for node in net["nodes"]}
    assert used == set(ACTIVATION)
    gated = ng.io.read_neataptic(nets["gated"])
    assert {s.gate_delay for s in gated.synapses if s.gater is not None} == {0, 1}
    lstm = ng.io.read_neataptic(nets["lstm"])
    assert any(s.loop and s.gater is not None for s in lstm.synapses)
    assert any(s.delay and not s.loop for s in gated.synapses)
    narx = ng.io.read_neataptic(nets["narx"])
    constants = [n for n in narx.neurons if not n.trainable]
    assert len(constants) == 4 and not any(s.trainable for n in constants for s in n.incoming)


def test_a_live_neataptic_says_the_same():
    if shutil.which("node") is None or not (PACKAGES / "neataptic" / "package.json").is_file():
        pytest.skip(
            f"npm's neataptic is not in {PACKAGES}; NEUROGRAPH_NODE_MODULES says where it is"
        )
    script = HERE / "node" / "neataptic.js"
    command = ["node", str(script), str(PACKAGES / "neataptic"), "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found.keys() == {p.stem for p in DATA}
    for name, one in found.items():
        assert one["network"] == recorded(name)["network"]
        assert close(one["outputs"], recorded(name)["outputs"], 1e-12)


def test_a_file_its_layers_and_a_subclass(tmp_path):
    class Mine(ng.Network):
        pass

    path = tmp_path / "net.json"
    path.write_text(json.dumps(recorded("perceptron")["network"]))
    net = ng.io.read_neataptic(path, create_using=Mine)
    assert type(net) is Mine and list(net.layers) == ["input", "hidden", "output"]
    assert net.layers["hidden"].names == [f"hidden.{i}" for i in range(7)]
    assert net.inputs == ["input.0", "input.1"] and net.outputs == ["output.0", "output.1"]
    for wrong in (path.read_text(), 5):
        with pytest.raises(ng.ParameterError, match="give a path|must be a path"):
            ng.io.read_neataptic(wrong)
    with pytest.raises(ng.ParameterError, match="create_using"):
        ng.io.read_neataptic(path, create_using=dict)
    path.write_text("[]")
    with pytest.raises(ng.FormatError, match=r"net\.json: the file must be an object, got \[\]"):
        ng.io.read_neataptic(path)


def small():
    node = {"bias": 0.5, "squash": "LOGISTIC", "mask": 1}
    return {
        "nodes": [{**node, "type": kind} for kind in ("input", "hidden", "hidden", "output")],
        "connections": [
            {"from": a, "to": b, "weight": 0.5, "gater": None} for a, b in ((0, 1), (1, 2), (2, 3), (3, 1))
        ],
        "input": 1,
        "output": 1,
        "dropout": 0,
    }  # fmt: skip


def changed(*path):
    found = small()
    *path, key, value = path
    at = found
    for step in path:
        at = at[step]
    if value is None and key != "gater":
        del at[key]
    else:
        at[key] = value
    return found


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (changed("nodes", None), "the file has no 'nodes'"),
        (changed("connections", 5), "the file.connections must be of type list, got 5"),
        (changed("nodes", 1, []), r"nodes\[1\] must be an object, got \[\]"),
        (changed("nodes", 1, "bias", None), r"nodes\[1\]\.bias must be a finite number, got None$"),
        (changed("nodes", 1, "bias", True), r"nodes\[1\]\.bias must be a finite number, got True"),
        (changed("nodes", 1, "bias", 10**400), r"nodes\[1\]\.bias must be a finite number"),
        (changed("nodes", 1, "squash", "TAHN"), r"nodes\[1\]\.squash must be one of .*Did you mean 'TANH'"),
        (changed("nodes", 1, "squash", ""), r"nodes\[1\]\.squash must be one of .*A function of one's own"),
        (changed("nodes", 1, "type", "x"), r"nodes\[1\]\.type must be one of 'input', 'hidden'"),
        (changed("nodes", 2, "type", "input"), r"nodes\[2\] is an input, but nodes\[1\] before it is none"),
        (changed("nodes", 3, "mask", 0.5), r"nodes\[3\]\.mask is 0\.5: an output is not multiplied"),
        (changed("nodes", 1, "mask", 1e308) | {"connections": [{"from": 1, "to": 2, "weight": 9}]}, r"the masks make inf"),
        (changed("nodes", 1, "mask", "x"), r"nodes\[1\]\.mask must be a finite number"),
        (changed("connections", 1, "from", 4), r"connections\[1\]\.from must be a whole number from 0 to 3, got 4"),
        (changed("connections", 1, "to", -1), r"connections\[1\]\.to must be a whole number"),
        (changed("connections", 1, "gater", 9), r"connections\[1\]\.gater must be a whole number"),
        (changed("connections", 1, "weight", "1"), r"connections\[1\]\.weight must be a finite number, got '1'"),
        (changed("connections", 1, small()["connections"][0]), r"connections\[1\] leads from 0 to 1 as connections\[0\]"),
    ],
)  # fmt: skip
def test_the_message_names_the_place(found, problem):
    with pytest.raises(ng.FormatError, match=problem):
        ng.io.read_neataptic(found)


def test_null_is_said_to_be_nan():
    found = small()
    found["connections"][0]["weight"] = None
    with pytest.raises(ng.FormatError, match="JavaScript writes NaN as null"):
        ng.io.read_neataptic(found)


def test_what_is_lost_is_told():
    found = small()
    found["connections"][1]["gater"] = 0
    found.update(dropout=0.5, output=2, extra=1)
    found["nodes"][1].update(mask=0.5, colour="red")
    with pytest.warns(ng.NeurographWarning) as caught:
        net = ng.io.read_neataptic(found)
    told = "\n".join(str(w.message) for w in caught)
    assert "input gates at 1, so these gates are left out: connections[1]" in told
    assert "masks are multiplied into the weights of what comes after: nodes[1] has 0.5" in told
    assert "dropout is not read; it is fit's, see neuron.dropout: 0.5" in told
    assert "sizes are not those of the nodes, which are believed: output is 2, there are 1" in told
    assert "keys that Neataptic does not write are not read: extra, nodes[1].colour" in told
    assert net.edges["hidden.0", "hidden.1"].gater is None
    assert net.edges["hidden.0", "hidden.1"].weight == 0.25
    assert net.edges["output.0", "hidden.0"].delay == 1


def test_a_mask_that_no_weight_can_be():
    found = small()
    found["nodes"][2]["mask"] = 0.5
    found["connections"][0]["gater"] = 2
    with pytest.raises(
        ng.FormatError, match=r"nodes\[2\]\.mask is 0\.5, and it gates connections\[0\]"
    ):
        ng.io.read_neataptic(found)
