"""What PySR is asked for a request, and how its equations are read.

A request becomes up to three parts, which run side by side:

    plain      an expression of all factors
    template   outer(size(factors)), each an expression of its own; where the target is standardised
               by group, outer(size(factors), p[group]) with one parameter per group
    link       for a target between two bounds: the search runs on its logit, or on its
               complementary log-log for an odd seed, so that every answer respects the bounds

PySR 1.x and 2.x differ in their defaults. Those of 2.x were tuned together and are left alone;
`POPULATIONS` and its neighbours are for 1.x.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mtl_laws.pipeline.errors import UserError, nearest
from mtl_laws.pipeline.symbolic.engines.base import Request, design_matrix
from mtl_laws.pipeline.symbolic.fit import Sample
from mtl_laws.pipeline.symbolic.templates import parametrized
from mtl_laws.pipeline.symbolic.tree import Floats, Tree, format_number

Version = tuple[int, int]

#: of 1.x; one pass evaluates about populations x (size + `PER_CYCLE` x cycles) expressions
POPULATIONS, POPULATION_SIZE, CYCLES = 12, 33, 400
#: of 2.x, where they are its defaults
POPULATIONS_2, CYCLES_2 = 31, 380
#: evaluations of one cycle of a population, constants optimised (counted with 1.5.10)
PER_CYCLE = 3.2
#: passes that a budget should have, so that `max_evals` is met closely
PASSES = 20
#: so large that `max_evals` or the time limit ends the search
ITERATIONS = 10_000_000
#: evaluations below which a request is not divided into parts, and the share of the plain part
DIVISIBLE, PLAIN = 200_000, 0.5
#: seconds below which no template is asked for: Julia compiles first
TEMPLATE_TIME = 20.0
#: fraction and most seconds of a time limit that PySR is not given: it looks at it between cycles
MARGIN, MOST_MARGIN = 0.1, 2.0
#: a bounded target keeps this distance from its bounds, as a fraction of their difference
EDGE = 1e-3
#: groups from which on a template has no parameters per group, and guesses that are passed on
MOST_GROUPS, MOST_GUESSES = 50, 20

OWN = frozenset(
    [
        "binary_operators",
        "complexity_of_operators",
        "constraints",
        "delete_tempfiles",
        "deterministic",
        "expression_spec",
        "guesses",
        "input_stream",
        "logger_spec",
        "max_evals",
        "maxsize",
        "nested_constraints",
        "niterations",
        "operators",
        "output_directory",
        "parallelism",
        "precision",
        "procs",
        "progress",
        "random_state",
        "run_id",
        "temp_equation_file",
        "tempdir",
        "timeout_in_seconds",
        "type_spec",
        "unary_operators",
        "verbosity",
        "warm_start",
    ]
)
"""Arguments of ``PySRRegressor`` that mtl-laws sets itself."""


@dataclass(frozen=True)
class Part:
    """One message to a worker.

    Attributes
    ----------
    message : without the time limit; see `worker`.
    read : the expression of an equation, in the factor names; None where there is none.
    """

    message: Mapping[str, Any]
    read: Callable[[str], str | None]

    def ask(self, left: float | None) -> dict[str, Any]:
        """The message for the seconds that are left."""
        if left is None:
            return dict(self.message)
        limit = max(left - min(MARGIN * left, MOST_MARGIN), 0.1)
        return {
            **self.message,
            "settings": {**self.message["settings"], "timeout_in_seconds": limit},
        }


def parts(request: Request, version: Version) -> list[Part]:
    """The parts of a request, the plain one first."""
    if request.evaluations < DIVISIBLE:
        return [_plain(request, version)]
    low, high = request.bounds
    makers = []
    enough = request.time_limit is None or request.time_limit >= TEMPLATE_TIME
    if len(request.sample.columns) > 1 and enough:
        makers.append(_template)
    if np.isfinite(low) and np.isfinite(high) and request.group is None:
        makers.append(_link)
    if not makers:
        return [_plain(request, version)]
    rest = round((1 - PLAIN) * request.evaluations / len(makers))
    plain = _plain(replace(request, evaluations=round(PLAIN * request.evaluations)), version)
    return [plain, *(make(replace(request, evaluations=rest), version) for make in makers)]


def warm_up(version: Version) -> dict[str, Any]:
    """A tiny message by which Julia compiles what every search needs."""
    column = np.geomspace(1.0, 4.0, 12)
    sample = Sample({"a": column, "b": column[::-1]}, 1.0 - column**-0.5, np.ones(12))
    return dict(_plain(Request(sample, 1, seed=0), version).message)


# --- the three parts ---------------------------------------------------------------------------


def _plain(request: Request, version: Version) -> Part:
    sample, scale = request.sample, _spread(request.sample)
    design, scales = design_matrix(sample)
    given = settings(request, version)
    if version >= (2, 0) and request.guesses:
        texts = (guess(text, scales, scale, given["maxsize"]) for text in request.guesses)
        given["guesses"] = list(islice(filter(None, texts), MOST_GUESSES))
    message = _message(design, sample.target / scale, sample.weight, given)
    return Part(message, lambda equation: _scaled(to_text(equation, scales), scale))


def _template(request: Request, version: Version) -> Part:
    sample, scale = request.sample, _spread(request.sample)
    design, scales = design_matrix(sample)
    names = [f"x{k}" for k in range(len(scales))]
    spec: dict[str, Any] = {
        "combine": f"f(g({', '.join(names)}))",
        "expressions": ["f", "g"],
        "variable_names": names,
    }
    group = request.group
    if group is not None and 1 < int(group.max()) + 1 <= MOST_GROUPS:
        design = np.column_stack([design, group + 1.0]).astype(np.float32)  # Julia counts from 1
        spec["combine"] = f"f(g({', '.join(names)}), p[category])"
        spec["variable_names"] = [*names, "category"]
        spec["parameters"] = {"p": int(group.max()) + 1}
    message = _message(design, sample.target / scale, sample.weight, settings(request, version))
    message["template"] = spec
    return Part(message, lambda equation: compose(equation, scales, scale))


def _link(request: Request, version: Version) -> Part:
    sample, (low, high) = request.sample, request.bounds
    z = np.clip((sample.target - low) / (high - low), EDGE, 1 - EDGE)
    if request.seed % 2:
        target, slope, form = np.log(-np.log1p(-z)), -np.log1p(-z) * (1 - z), CLOGLOG
    else:
        target, slope, form = np.log(z / (1 - z)), z * (1 - z), LOGIT
    weight = sample.weight * slope**2  # errors count as they do for the target itself
    linked = Sample(sample.columns, target, weight / weight.mean())
    scale = _spread(linked)
    design, scales = design_matrix(sample)
    given = settings(replace(request, max_complexity=request.max_complexity - 5), version)
    width = high - low

    def read(equation: str) -> str | None:
        try:
            tree = Tree.parse(_scaled(to_text(equation, scales), scale), tuple(scales))
        except UserError:
            return None
        text = form.format(parametrized(tree).text)  # the link's own numbers stay numbers
        text = text if width == 1 else f"{format_number(width)}*({text})"
        return text if low == 0 else f"{format_number(low)} + {text}"

    return Part(_message(design, target / scale, linked.weight, given), read)


LOGIT, CLOGLOG = "1/(1 + exp(-({})))", "1 - exp(-exp({}))"


def _message(design: Any, target: Floats, weight: Floats, given: dict[str, Any]) -> dict[str, Any]:
    return {
        "rows": design.astype(float).tolist(),
        "target": target.tolist(),
        "weights": weight.tolist(),
        "settings": given,
    }


def _spread(sample: Sample) -> float:
    """Standard deviation of the target: the scale on which PySR sees it."""
    mean = np.average(sample.target, weights=sample.weight)
    return float(np.sqrt(np.average((sample.target - mean) ** 2, weights=sample.weight))) or 1.0


# --- arguments ---------------------------------------------------------------------------------


def settings(request: Request, version: Version) -> dict[str, Any]:
    """Keyword arguments of ``PySRRegressor``, with the request's own options.

    Serial and deterministic, so that a seed means something; powers may only have a small exponent,
    and no function stands inside itself: such nests fit noise and break outside. Evaluations are
    limited by `max_evals`, which the populations follow where there are few.
    """
    given: dict[str, Any] = {
        "binary_operators": ["+", "-", "*", "/", "^"],
        "unary_operators": ["sqrt", "log", "exp"],
        "constraints": {"^": (-1, 5), "log": 9, "exp": 7, "sqrt": 9},
        "nested_constraints": {
            "exp": {"exp": 0, "log": 0},
            "log": {"log": 0, "exp": 0, "sqrt": 0},
            "sqrt": {"sqrt": 0, "log": 0, "exp": 0},
        },
        "complexity_of_operators": {"^": 1, "exp": 2, "log": 1, "sqrt": 1},
        "maxsize": max(request.max_complexity, 7),
        "niterations": ITERATIONS,
        "max_evals": request.evaluations,
        "timeout_in_seconds": None,
        "random_state": request.seed,
        "deterministic": True,
        "parallelism": "serial",
        "progress": False,
        "verbosity": 0,
        "temp_equation_file": True,
        "delete_tempfiles": True,
        # 1.x reads standard input for a "q" by default; ours is of no use to it
        "input_stream": "devnull",
    }
    if version < (2, 0):
        cycles = _cycles(request.evaluations, POPULATIONS, CYCLES)
        given |= {
            "populations": POPULATIONS,
            "population_size": POPULATION_SIZE,
            "ncycles_per_iteration": cycles,
            "precision": 64,
        }
    else:
        given["precision"] = 32  # the only one that is compiled in advance
        cycles = _cycles(request.evaluations, POPULATIONS_2, CYCLES_2)
        if cycles < CYCLES_2:
            given["ncycles_per_iteration"] = cycles
    return {**given, **request.options}


def _cycles(evaluations: int, populations: int, most: int) -> int:
    """Cycles of an iteration with which the evaluations make `PASSES` passes."""
    return int(np.clip(evaluations / (PASSES * populations * PER_CYCLE), 20, most))


def check_options(options: Mapping[str, Any], version: str) -> None:
    """Refuse options that mtl-laws sets, or that the installed PySR does not have.

    Raises
    ------
    UserError
        at ``engine_options.NAME``.
    """
    valid = known_arguments()
    for name, value in options.items():
        path = f"engine_options.{name}"
        if name in OWN:
            raise UserError(path, "an option that mtl-laws does not set itself", name)
        if valid and name not in valid:
            kind = f"an option of PySRRegressor in pysr {version}"
            close = nearest(name, sorted(valid - OWN), kind).partition("; valid")[0]
            raise UserError(path, close, name)
        if not _is_plain(value):
            expected = "a number, a text, true, false, null, or a list or dictionary of these"
            raise UserError(path, expected, type(value).__name__)


def _is_plain(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(k, str) and _is_plain(v) for k, v in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def known_arguments() -> frozenset[str]:
    """Arguments of ``PySRRegressor`` from its source, since importing it would start Julia.

    Empty where the source cannot be found.
    """
    found = find_spec("pysr")
    for folder in (found and found.submodule_search_locations) or ():
        path = Path(folder) / "sr.py"
        if path.is_file():
            return _arguments_in(path)
    return frozenset()


@cache
def _arguments_in(path: Path) -> frozenset[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and node.name == "PySRRegressor":
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                    arguments = (*method.args.args, *method.args.kwonlyargs)
                    return frozenset(argument.arg for argument in arguments) - {"self"}
    return frozenset()


# --- text --------------------------------------------------------------------------------------


def to_text(equation: str, scales: Mapping[str, float]) -> str:
    """The expression of PySR's equation: ``x0`` is the first factor over its scale, ``^`` power."""
    names = list(scales)

    def factor(match: re.Match[str]) -> str:
        name = names[int(match[1])]
        return f"({1.0 / scales[name]!r} * {name})"

    return re.sub(r"\bx(\d+)\b", factor, equation).replace("^", "**")


def _scaled(text: str, scale: float) -> str:
    return f"{scale!r} * ({text})"


def compose(equation: str, scales: Mapping[str, float], scale: float) -> str | None:
    """The expression of ``f = …; g = …; p = […]``: f of g, and of the parameter as a constant.

    ``#1`` is the first argument of f or g.
    """
    pieces = {
        name.strip(): body.strip()
        for name, mark, body in (piece.partition("=") for piece in equation.split(";"))
        if mark
    }
    if not {"f", "g"} <= pieces.keys():
        return None
    arguments = [f"a{k}" for k in range(1, len(scales) + 1)]
    try:
        outer = Tree.parse(_numbered(pieces["f"]), ("a1", "a2"))
        size = Tree.parse(_numbered(pieces["g"]), arguments)
        factors = {
            argument: Tree.parse(f"{1.0 / scale!r} * {name}", (name,))
            for argument, (name, scale) in zip(arguments, scales.items(), strict=True)
        }
    except UserError:
        return None
    whole = outer.replace({"a1": size.replace(factors), "a2": Tree.constant("c0")})
    tree = Tree("*", (Tree.number(scale), whole))
    return (parametrized(tree) if whole.constants else tree).text


def _numbered(text: str) -> str:
    """Arguments as names: ``#1`` and ``x0`` are ``a1``."""
    text = re.sub(r"#(\d+)", r"a\1", text)
    return re.sub(r"\bx(\d+)\b", lambda match: f"a{int(match[1]) + 1}", text).replace("^", "**")


def guess(text: str, scales: Mapping[str, float], scale: float, most: int) -> str | None:
    """An expression as Julia reads it, in PySR's variables.

    None where it is larger than `most`, or where PySR lacks one of its functions.
    """
    try:
        tree = Tree.parse(text, tuple(scales)).simplify()
    except UserError:
        return None
    scaled = sum(2 for node in tree.walk() if node.op in ("factor", "neg"))
    if tree.complexity + scaled + 2 > most:
        return None
    place = {name: k for k, name in enumerate(scales)}

    def julia(node: Tree) -> str:
        arguments = [julia(child) for child in node.args]
        if node.op == "number":
            return f"({float(node.value)!r})"
        if node.op == "factor":
            return f"({scales[node.name]!r} * x{place[node.name]})"
        if node.op == "neg":
            return f"((-1.0) * {arguments[0]})"
        if node.args[1:]:
            return f"({arguments[0]} {'^' if node.op == '**' else node.op} {arguments[1]})"
        return f"{node.op}({arguments[0]})"

    if any(node.op in ("tanh", "constant") for node in tree.walk()):
        return None
    return f"{1.0 / scale!r} * {julia(tree)}"
