"""The direction of imports: a module imports only from those above it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import neurograph

ORDER = [
    "errors",
    "guard",
    "functions",
    "values",
    "sweeps",
    "ties",
    "table",
    "encoding",
    "neurons",
    "synapses",
    "elements",
    "store",
    "editing",
    "graph",
    "wiring",
    "cycles",
    "check",
    "plans",
    "schedule",
    "engines.finite",
    "engines.base",
    "engines.walker",
    "blocks",
    "engines.arena",
    "engines.pool",
    "engines.natives",
    "engines.vectors",
    "engines.updates",
    "engines.parts",
    "engines.products",
    "engines.passes",
    "engines.single",
    "engines.kernels",
    "engines.lanes",
    "engines.program",
    "engines.frames",
    "engines.traces",
    "engines.sweeping",
    "engines.online",
    "engines.stepping",
    "engines.compiled",
    "engines",
    "inspection",
    "viz",
    "viz.ink",
    "viz.plots",
    "inspection.handles",
    "inspection.records",
    "inspection.watch",
    "inspection.probes",
    "inspection.telling",
    "learning",
    "learning.loss_base",
    "learning.losses",
    "learning.schedules",
    "learning.optimizers",
    "learning.lately",
    "learning.gradients",
    "learning.updates",
    "learning.influences",
    "learning.rules",
    "learning.status",
    "learning.finite",
    "learning.stepping",
    "learning.online",
    "layers",
    "initializers",
    "graph_conversion",
    "conversion",
    "lessons",
    "rounds",
    "learner",
    "online_training",
    "quasi_newton",
    "history",
    "callbacks",
    "checkpoints",
    "merging",
    "training",
    "inspection.asking",
    "inspection.explanation",
    "inspection.unrolled",
    "inspection.paths",
    "inspection.explain",
    "inspection.gradients",
    "inspection.states",
    "inspection.formulas",
    "inspection.updates",
    "inspection.routes",
    "inspection.tangents",
    "inspection.attribution",
    "inspection.certificates",
    "inspection.differences",
    "inspection.objective",
    "inspection.verifying",
    "inspection.debugger",
    "viz.columns",
    "viz.curves",
    "viz.scene",
    "viz.arrangement",
    "viz.layout",
    "viz.shapes",
    "viz.matrix",
    "viz.draw",
    "viz.svg",
    "viz.html",
    "inspection.downstream",
    "inspection.lanes",
    "inspection.compiled_lanes",
    "inspection.lesions",
    "inspection.curvature",
    "inspection.lesion_map",
    "inspection.columns",
    "inspection.grammar",
    "inspection.evaluation",
    "inspection.assignment",
    "inspection.selections",
    "inspection.temporary",
    "inspection.what_if",
    "inspection.inspected",
    "online_learner",
    "network",
    "costs",
    "trainer_settings",
    "trainer",
    "io.files",
    "io.tensors",
    "io.plain",
    "io.generators",
    "io.native",
    "io.native_check",
    "io.native_reader",
    "io.optimizers",
    "io.checkpoint",
    "io.checkpoint_check",
    "io.checkpoint_reader",
    "io.synaptic",
    "io.synaptic_writer",
    "io.neataptic",
    "io.plain_graph",
    "io.plain_graph_reader",
    "io.node_link",
    "io.graphml_parser",
    "io.graphml",
    "io.edge_list",
    "io.edge_list_writer",
    "io.dot",
    "io.nir_file",
    "io.nir_populations",
    "io.nir",
    "io.nir_writer",
    "io.standalone.recipe",
    "io.standalone.expressions",
    "io.standalone.python",
    "io.standalone.c",
    "io.standalone.javascript",
    "io.standalone.writer",
    "io.standalone",
    "io.endings",
    "io",
    "architectures.building",
    "architectures.feedforward",
    "architectures.memory",
    "architectures.random_wiring",
    "architectures.reservoirs",
    "architectures.associative",
    "architectures",
    "datasets.files",
    "datasets.samples",
    "datasets.tasks",
    "datasets.connectomes",
    "datasets.worm",
    "datasets.fly",
    "datasets",
    "tasks.base",
    "tasks.xor",
    "tasks.recall",
    "tasks.reber",
    "tasks.timing",
    "tasks.memory",
    "tasks",
    "cli.parsing",
    "cli.tables",
    "cli.xor",
    "cli.task",
    "cli.train",
    "cli.predict",
    "cli.show",
    "cli.convert",
    "estimator_base",
    "estimators",
    "cli",
    "__main__",
    "",
]
# Delegating methods, which import when they are called, and a type; the only exceptions.
DELEGATES = {
    ("network", "io.native"),
    ("neurons", "synapses"),
    ("neurons", "inspection.states"),
    ("neurons", "inspection.updates"),
    ("synapses", "inspection.gradients"),
    ("synapses", "inspection.updates"),
    ("training", "io.checkpoint"),
    ("neurons", "viz.html"),
    ("synapses", "viz.html"),
    ("plans", "viz.html"),
}
ROOT = Path(neurograph.__file__).parent


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(p for p in parts if p != "__init__")


MODULES = {module_name(path): path for path in ROOT.rglob("*.py")}


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.module, [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, []


def test_every_module_has_its_place():
    assert sorted(MODULES) == sorted(ORDER)


@pytest.mark.parametrize("name", [m for m in ORDER if m])
def test_imports_point_upwards(name):
    above = ORDER[: ORDER.index(name)]
    for module, names in imported(ast.parse(MODULES[name].read_text())):
        if module and module.split(".")[0] == "neurograph":
            used = module.removeprefix("neurograph").removeprefix(".")
            wanted = [used] if used else names
            fine = all(w in above or (name, w) in DELEGATES for w in wanted)
            assert fine, f"{name} imports {wanted}"


@pytest.mark.parametrize("name", ORDER)
def test_nothing_optional_or_forbidden_is_imported_at_the_top(name):
    tree = ast.parse(MODULES[name].read_text())
    top = {module.split(".")[0] for module, _ in imported(ast.Module(tree.body, []))}
    everywhere = {module.split(".")[0] for module, _ in imported(tree)}
    nested = {
        module.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for module, _ in imported(node)
    }
    assert not everywhere & {"pickle", "marshal", "random"}
    late = {"scipy", "sklearn", "torch", "pandas", "tqdm", "matplotlib", "numba", "nir", "h5py"}
    if name in (
        "engines.natives",
        "engines.vectors",
        "engines.updates",
        "engines.products",
        "engines.passes",
        "engines.single",
        "engines.kernels",
        "engines.lanes",
        "engines.frames",
        "engines.traces",
        "engines.sweeping",
        "engines.online",
        "engines.stepping",
    ):
        late.remove("numba")  # they are imported late themselves
    if name == "estimator_base":
        late.remove("sklearn")  # likewise, by the user
    assert not (top - nested) & late
    calls = {
        n.func.id
        for n in ast.walk(tree)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
    }
    assert not calls & {"eval", "exec"}


def test_adjacency_is_touched_in_one_module():
    inside = {"_adj", "_succ", "_pred", "adj", "succ", "pred"}
    found = {
        name
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in inside
    }
    assert found == {"editing"}


def test_import_brings_in_no_extra_and_not_numba():
    code = (
        "import sys, neurograph; "
        "print(sorted({'scipy', 'sklearn', 'torch', 'pandas', 'tqdm', 'matplotlib', 'numba', 'nir',"
        " 'h5py'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
