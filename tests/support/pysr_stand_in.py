"""A stand-in for PySR and juliacall: packages of either generation in a folder, without a Julia.

It does to a process what starting Julia does (descriptor 0 becomes non-blocking, noise on both
standard streams), takes the arguments that the version takes, writes its files where PySR does,
counts evaluations, and answers a front that follows from the request alone.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: versions of pysr with the juliacall that each pins
GENERATIONS = {"1.5.10": "0.9.26", "2.7.2": "0.9.36"}

COMMON = [
    "binary_operators",
    "unary_operators",
    "expression_spec",
    "niterations",
    "populations",
    "population_size",
    "max_evals",
    "maxsize",
    "timeout_in_seconds",
    "constraints",
    "nested_constraints",
    "complexity_of_operators",
    "parsimony",
    "annealing",
    "ncycles_per_iteration",
    "crossover_probability",
    "parallelism",
    "batching",
    "precision",
    "random_state",
    "deterministic",
    "warm_start",
    "verbosity",
    "progress",
    "logger_spec",
    "input_stream",
    "temp_equation_file",
    "delete_tempfiles",
]
LATER = ("guesses", "tempdir", "weight_backsolve")

SOURCE = """
import json, os, re, shutil, signal, sys, tempfile, time, types, warnings
from pathlib import Path
HERE = Path(__file__).parents[1]
PLAN = json.loads((HERE / "plan.json").read_text())
__version__ = PLAN["version"]
print("noise on standard output")
print("┌ Warning: a Julia library is old", file=sys.stderr)
print("└ @ Somewhere ~/.julia/packages/Old/src/Old.jl:7", file=sys.stderr)
julia_import = types.ModuleType("pysr.julia_import")
julia_import.jl_version = (1, 10, 8)
sys.modules["pysr.julia_import"] = julia_import
starts = HERE / "starts"
with starts.open("a") as file:
    print(os.getpid(), file=file)
os.set_blocking(0, False)  # as Julia does
time.sleep(PLAN["start"])
if PLAN["fails_at"] == "import":
    raise ImportError("libjulia.so is missing")

class Table(list):  # pandas would take a second to import
    def iterrows(self):
        return enumerate(self)

class Logger:
    evaluations = 0.0

class jl:
    @staticmethod
    def seval(text):
        if PLAN["counts"]:
            return Logger
        raise RuntimeError("UndefVarError: LoggingModule")

class AbstractLoggerSpec:
    pass

class TemplateExpressionSpec:
    def __init__(self, combine, *, expressions, variable_names, parameters=None):
        self.asked = dict(combine=combine, expressions=expressions,
                          variable_names=variable_names, parameters=parameters)
"""
ENGINE = """
def record(regressor, X, y, weights):
    settings = {k: v for k, v in regressor.settings.items()
                if k not in ("logger_spec", "expression_spec")}
    spec = regressor.settings.get("expression_spec")
    entry = dict(settings=settings, target=[float(v) for v in y], rows=X.shape, pid=os.getpid(),
                 weights=[float(v) for v in weights], template=spec and spec.asked)
    with (HERE / "requests.jsonl").open("a") as file:
        print(json.dumps(entry), file=file)
    return spec

def write_equations(file, texts):
    # as PySR does while it searches; a number of 32 bits is 0.5f0
    rows = [f'{1 + 8 * k},0.1,"{text}"' for k, text in enumerate(texts)]
    if PLAN["version"] >= "2":
        rows = [re.sub(r"(\\d\\.\\d+)", r"\\1f0", row) for row in rows]
    file.write_text("\\n".join(["Complexity,Loss,Equation", *rows]))

def misbehave(seed):
    died = HERE / "died"
    behaviour = PLAN["behaviour"].get(str(seed))
    if behaviour == "raises":
        raise RuntimeError("Julia fell over\\nwith a long trace")
    if behaviour == "ends":
        os._exit(0)
    if behaviour == "aborts":
        print("ERROR: LoadError: no memory", file=sys.stderr, flush=True)
        os._exit(7)
    if behaviour == "dies" or (behaviour == "dies once" and not died.exists()):
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    while behaviour in ("hangs", "is late"):
        time.sleep(0.05)

def fit(self, X, y, weights=None):
    spec = record(self, X, y, weights)
    settings, seed = self.settings, self.settings["random_state"]
    number = seed + round(float(sum(y)), 6) % 7
    if spec is None:
        texts = ["0.5", f"(log(x0) * {number} - x1 ^ 0.5) * 0.01 + 0.5"]
    else:
        inner = "#1 ^ 0.25 * 2.0" if spec.asked["parameters"] is None else "#1 ^ #2"
        texts = [f"f = {inner}; g = #1 + #2 * {number}; p = [1.0, 3.0]"]
    folder = Path(tempfile.mkdtemp())  # until the search is over
    file = folder / "run" / "hall_of_fame.csv"
    file.parent.mkdir()
    write_equations(file, texts if PLAN["behaviour"].get(str(seed)) == "is late" else [])
    warming = settings["max_evals"] == 1
    if PLAN["fails_at"] == "first fit" and warming:
        raise RuntimeError("no method matching this")
    if settings.get("guesses") and PLAN["fails_at"] == "guesses":
        raise RuntimeError("a guess cannot be parsed")
    if not warming:
        misbehave(seed)
        limit = settings["timeout_in_seconds"]
        time.sleep(PLAN["search"] if limit is None else min(PLAN["search"], limit))
    made = settings["max_evals"]
    if PLAN["search"] > (settings["timeout_in_seconds"] or float("inf")):
        made //= 2
    logger = settings.get("logger_spec")
    if logger is not None:
        logger.create_logger().evaluations = float(made)
        logger.write_hparams(None, {})
        logger.close(None)
    shutil.rmtree(folder)
    self.equations_ = Table(dict(complexity=1 + 8 * k, equation=t) for k, t in enumerate(texts))

PySRRegressor.fit = fit
"""


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """A folder with the packages, and what they do.

    Attributes
    ----------
    start, search : seconds that an import and a search take.
    fails_at : ``import``, ``first fit``, ``guesses`` or nothing.
    behaviour : seed -> ``raises``, ``ends``, ``aborts``, ``dies``, ``dies once``, ``hangs`` before
        its first equation, or ``is late`` after it.
    counts : whether evaluations can be counted.
    """

    folder: Path
    version: str = "1.5.10"
    start: float = 0.0
    search: float = 0.0
    fails_at: str = ""
    behaviour: dict[int, str] = field(default_factory=dict)
    counts: bool = True

    def write(self) -> StandIn:
        """Write the packages; a worker finds them by PYTHONPATH."""
        arguments = (*COMMON, *(LATER if self.version >= "2" else ()))
        signature = ", ".join(f"{name}=None" for name in arguments)
        lines = [
            "class PySRRegressor:",
            f"    def __init__(self, model_selection='best', *, {signature}):",
            "        self.settings = {k: v for k, v in locals().items()",
            "                         if v is not None and k not in ('self', 'model_selection')}",
            "        self.settings.setdefault('timeout_in_seconds', None)",
        ]
        package = self.folder / "pysr"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text(
            f"{SOURCE}\nfrom pysr.sr import PySRRegressor\n{ENGINE}", encoding="utf-8"
        )
        (package / "sr.py").write_text("\n".join(lines), encoding="utf-8")
        (self.folder / "juliacall.py").write_text("", encoding="utf-8")
        plan = {name: value for name, value in vars(self).items() if name != "folder"}
        (self.folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
        for name, version in (("pysr", self.version), ("juliacall", GENERATIONS[self.version])):
            info = self.folder / f"{name}-{version}.dist-info"
            info.mkdir(exist_ok=True)
            text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            (info / "METADATA").write_text(text, encoding="utf-8")
        return self

    def julia(self) -> tuple[Path, Path]:
        """A program and a project as they would be copied from another machine."""
        program, project = self.folder / "julia-1.10" / "julia", self.folder / "julia_env"
        for folder in (program.parent, project):
            folder.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\n", encoding="utf-8")
        program.chmod(0o755)
        (project / "Manifest.toml").write_text("[[deps.SymbolicRegression]]", encoding="utf-8")
        return program, project

    def variables(self) -> dict[str, str]:
        """The variables that name it to the juliacall of this version."""
        program, project = map(str, self.julia())
        if self.version >= "2":
            return {"PYTHON_JULIACALL_EXE": program, "PYTHON_JULIACALL_PROJECT": project}
        names = {"PYTHON_JULIAPKG_EXE": program, "PYTHON_JULIAPKG_PROJECT": project}
        return {**names, "PYTHON_JULIAPKG_OFFLINE": "yes"}

    def requests(self, warm: bool = False) -> list[dict[str, Any]]:
        """What its processes were asked, in order, without the tiny request of their start."""
        path = self.folder / "requests.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        entries = [json.loads(line) for line in lines]
        return [entry for entry in entries if warm or entry["settings"]["max_evals"] > 1]

    def starts(self) -> list[int]:
        """The ids of the processes that were started."""
        path = self.folder / "starts"
        return list(map(int, path.read_text().split())) if path.exists() else []


def paths(folder: Path) -> str:
    """PYTHONPATH for a process that finds the stand-in first."""
    return os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
