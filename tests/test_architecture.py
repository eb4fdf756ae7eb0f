"""The shape of the code: which way imports point, what packages offer, and no cycles."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LAYERS = (
    {"columns", "errors", "plugins", "processes", "provenance", "io"},
    {"symbolic", "training"},
    {"laws"},
    {"report"},
    {"embedding", "reference_data", "fit", "study"},
    {"advice", "export"},
    {"cli", "testing", ""},
)
"""Folders and modules of `pipeline` from the bottom to the top: imports point down."""

PUBLIC = {
    "mtl_laws.simulator": {
        "Relatedness",
        "SimulatorError",
        "SpecError",
        "Split",
        "TaskSet",
        "TaskSpec",
        "family_names",
        "make_taskset",
    },
    "mtl_laws.pipeline.training": {"Job", "Outcome", "Status", "TrainingSettings", "train_group"},
    "mtl_laws.pipeline.report": {"ReportContext", "write_report"},
    "mtl_laws": {
        "Law",
        "LawRegressor",
        "LawSet",
        "Study",
        "UserError",
        "advise",
        "fit_laws",
        "load_reference",
        "plug_in",
        "predict",
        "run_study",
    },
}
"""What others were promised; a package may offer more."""


def modules() -> dict[str, Path]:
    """Every module of both packages by its dotted name; a package by that of its `__init__`."""
    found = {}
    for package in ("simulator", "pipeline"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = ("mtl_laws", *path.relative_to(ROOT).with_suffix("").parts)
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


MODULES = modules()
PACKAGES = [name for name, path in MODULES.items() if path.name == "__init__.py"]


def imported(path: Path) -> set[str]:
    """The modules of this project that the file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}, line {node.lineno}: a relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else str(node.module))
    return found & MODULES.keys()


IMPORTS = {name: imported(path) for name, path in MODULES.items()}


def room(module: str) -> str:
    return [*module.split("."), ""][2]


def rank(module: str) -> int:
    """How high a module of `pipeline` stands; imports point down."""
    return next(height for height, layer in enumerate(LAYERS) if room(module) in layer)


def edges(package: str) -> list[tuple[str, str]]:
    """(importer, imported), the importer being in `package`."""
    return [
        (name, other)
        for name, others in IMPORTS.items()
        if name.split(".")[1] == package
        for other in sorted(others)
    ]


WITHOUT_ENGINES = """
import sys
BLOCKED = {{"torch", "pyoperon", "pysr", "sympy"}}

class Blocker:  # scipy looks into sys.modules for torch, so None must not stand there
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ImportError(f"{{name}} is blocked")

sys.meta_path.insert(0, Blocker())

import importlib
for name in {modules!r}:
    importlib.import_module(name)

import numpy as np
import pandas as pd
from mtl_laws.pipeline.laws.document import laws_document
from mtl_laws.pipeline.laws.question import Question, pose
from mtl_laws.pipeline.laws.search import SearchOptions, find_laws

n = np.repeat(np.geomspace(30, 3000, 8), 2)
y = 0.9 - 2 / np.sqrt(n) + np.random.default_rng(0).normal(0, 0.001, 16)
problem = pose(pd.DataFrame(dict(n=n, y=y)), Question("y", dict(n="n")), "table.csv")
found = find_laws(problem.data, None, SearchOptions(engine="grammar", budget="tiny", jobs=1))
assert not BLOCKED & set(sys.modules)
print(laws_document(problem, found, seed=0).law.scores["r2_train"])
"""


WITHOUT_POSIX = """
import signal
import sys

for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
for name in ("SIGALRM", "SIGHUP", "SIGKILL", "SIGUSR1", "pthread_kill", "setitimer"):
    delattr(signal, name)

import importlib
for name in {modules!r}:
    importlib.import_module(name)
"""


def test_no_module_needs_posix_to_be_imported() -> None:
    """As on Windows: what only POSIX has is loaded where it is used, if at all."""
    code = WITHOUT_POSIX.format(modules=sorted(MODULES))
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert answer.returncode == 0, answer.stderr


def test_symbolic_and_laws_need_no_engine_and_no_sympy() -> None:
    """Their core works where torch, the engines and sympy are not installed."""
    core = [
        name
        for name in MODULES
        if name.startswith("mtl_laws.pipeline.laws")
        or (name.startswith("mtl_laws.pipeline.symbolic") and "engines" not in name)
    ]
    assert len(core) > 25
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_ENGINES.format(modules=core)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert answer.returncode == 0, answer.stderr
    assert float(answer.stdout) > 0.99


def test_the_simulator_knows_nothing_of_the_pipeline() -> None:
    assert len(edges("simulator")) > 10, "the imports were not found"
    assert [edge for edge in edges("simulator") if edge[1].startswith("mtl_laws.pipeline")] == []


def test_imports_point_down() -> None:
    inside = [edge for edge in edges("pipeline") if edge[1].startswith("mtl_laws.pipeline.")]
    assert len(inside) > 50, "the imports were not found"
    assert [(one, other) for one, other in inside if rank(one) < rank(other)] == []


def test_there_are_no_cycles() -> None:
    graph = {name: others - {name} for name, others in IMPORTS.items()}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"these import each other: {' -> '.join(error.args[1])}")
    assert len(order) == len(MODULES)


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in MODULES.values()}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_lists_what_it_offers_and_does_nothing(name: str) -> None:
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    plain = (ast.Expr, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
    for node in tree.body:
        for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        assert isinstance(node, plain) or for_types
    if any(not isinstance(node, ast.Expr) for node in tree.body):
        module = importlib.import_module(name)
        assert len(module.__all__) == len(set(module.__all__))
        assert all(hasattr(module, public) for public in module.__all__)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_promised_names_are_there(name: str) -> None:
    module = importlib.import_module(name)
    assert set(module.__all__) >= PUBLIC[name]
    assert all(hasattr(module, public) for public in PUBLIC[name])


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        (
            "mtl_laws.pipeline.cli.app",
            ("torch", "sympy", "pysr", "sklearn", "pandas", "matplotlib"),
        ),
        ("mtl_laws", ("torch", "numpy", "pandas", "pydantic", "sympy")),
        ("mtl_laws.pipeline.export", ("torch", "sklearn", "matplotlib")),
        ("mtl_laws.pipeline.fit", ("torch", "sklearn", "matplotlib")),
        ("mtl_laws.pipeline.study.progress", ("torch", "pandas")),
        ("mtl_laws.pipeline.study.study", ("torch", "pandas")),
        ("mtl_laws.pipeline.columns", ("torch", "sklearn")),
        ("mtl_laws.simulator", ("torch", "matplotlib", "mtl_laws.pipeline")),
    ],
)
def test_light_modules_load_nothing_heavy(module: str, heavy: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*sorted({set(heavy)!r} & set(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert answer.stdout.split() == []
