"""Operon: fast genetic programming in C++ with fitted constants (Burlacu et al. 2020), embedded.

pyoperon pitfalls met here: constants are only fitted where ``optimizer_iterations`` > 0; X and y
must be float32; scaling nodes come on top of ``max_length``; one thread keeps a seed meaningful.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np

from mtl_laws.pipeline.errors import EngineError
from mtl_laws.pipeline.symbolic.engines.base import Readiness, Request, design_matrix
from mtl_laws.pipeline.symbolic.fit import Sample
from mtl_laws.pipeline.symbolic.tree import Floats

SYMBOLS = "add,sub,mul,div,log,exp,sqrt,pow,constant,variable"
POPULATION = 400
#: constant-fitting steps per new individual, and the evaluations one individual costs with them
LOCAL_STEPS, COST = 5, 5
#: rows at most; more only slow the search down, constants are refitted on all rows afterwards
MAX_ROWS = 2_000


class Operon:
    """Multi-objective (error, length) genetic programming; the front is the answer."""

    name = "operon"
    own_process = False
    knows_groups = False

    def readiness(self) -> Readiness:
        """Ready wherever pyoperon is installed."""
        if find_spec("pyoperon") is None:
            return Readiness(False, "pyoperon is not installed: pip install pyoperon")
        return Readiness(True, "embedded, nothing to download")

    def search(self, request: Request) -> Sequence[str]:
        """Expressions on Operon's front, with numbers."""
        from pyoperon.sklearn import SymbolicRegressor

        design, scales = design_matrix(request.sample)
        rows = repeated_rows(request.sample, request.seed)
        regressor = SymbolicRegressor(
            allowed_symbols=SYMBOLS,
            objectives=["r2", "length"],
            optimizer_iterations=LOCAL_STEPS,
            max_length=request.max_complexity,
            population_size=POPULATION,
            pool_size=POPULATION,
            generations=max(request.evaluations // (COST * POPULATION), 1),
            max_evaluations=request.evaluations,
            max_time=None if request.time_limit is None else max(int(request.time_limit), 1),
            n_threads=1,
            random_state=request.seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy chatter about overflow in bad individuals
            try:
                regressor.fit(design[rows], request.sample.target[rows].astype(np.float32))
            except (RuntimeError, ValueError) as error:
                raise EngineError(f"operon: {error}") from error
        return [to_text(row["model"], scales) for row in regressor.pareto_front_]


def repeated_rows(sample: Sample, seed: int) -> Floats:
    """Row numbers in which each row occurs in proportion to its weight: Operon knows no weights."""
    smallest = float(sample.weight.min())
    times = np.clip(np.round(sample.weight / smallest), 1, 20).astype(int)
    rows = np.repeat(np.arange(len(sample)), times)
    if len(rows) > MAX_ROWS:
        rows = np.random.default_rng([seed, 3]).choice(rows, MAX_ROWS, replace=False)
    return np.sort(rows)


def to_text(model: str, scales: dict[str, float]) -> str:
    """The expression of Operon's infix: ``X1`` is the first factor over its scale, ``^`` power."""
    names = list(scales)

    def factor(match: re.Match[str]) -> str:
        name = names[int(match[1]) - 1]
        return f"({1.0 / scales[name]!r} * {name})"

    return re.sub(r"\bX(\d+)\b", factor, model).replace("^", "**")
