"""gplearn (Stephens 2016): the tool of the published study (arXiv 2006.05561), as the baseline.

Its functions are *protected*: it reads x/y as 1 where |y| ≤ 0.001, log x as log|x| (0 near 0) and
sqrt x as sqrt|x|. Ours are not, so an expression can mean something else near 0 or for negative
arguments than it did during evolution; the search refits and validates every candidate anyway.
Constants are evolved, never fitted, and drawn from −1 to 1: it sees sizes over their geometric mean
and the target in SDs from its mean, so that units do not matter.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import Any

import numpy as np

from mtl_laws.pipeline.errors import EngineError
from mtl_laws.pipeline.symbolic.engines.base import Readiness, Request, design_matrix
from mtl_laws.pipeline.symbolic.fit import Sample
from mtl_laws.pipeline.symbolic.tree import format_number

#: older versions fail with scikit-learn 1.6 and later; this one needs scikit-learn 1.8
GPLEARN, SKLEARN = (0, 4, 3), (1, 8)
FUNCTION_SET = ("add", "sub", "mul", "div", "sqrt", "log")
#: programs of a generation, fewer where the evaluations are too few for `GENERATIONS` of them
POPULATION, GENERATIONS = 2_000, 10
#: cost of a node in SDs of the target: gplearn's default 0.001 for a target with an SD of 0.2
PARSIMONY = 0.005
#: programs of each length that are returned
KEEP = 3
#: rows at most; more only slow the search down, constants are refitted on all rows afterwards
MAX_ROWS = 2_000

#: how each function of gplearn is written, from its arguments
INFIX: dict[str, Callable[..., str]] = {
    "add": "({} + {})".format,
    "sub": "({} - {})".format,
    "mul": "({} * {})".format,
    "div": "({} / {})".format,
    "sqrt": "sqrt({})".format,
    "log": "log({})".format,
}


class GPLearn:
    """Plain genetic programming; the best programs of every length are the answer."""

    name = "gplearn"
    #: some 3,700 evaluations a second on 193 rows: a search as long as the grammar's
    pace = 0.3
    own_process = False
    knows_groups = False

    def readiness(self) -> Readiness:
        """Ready where a gplearn is installed that the installed scikit-learn can run."""
        if find_spec("gplearn") is None:
            hint = "pip install 'gplearn>=0.4.3' 'scikit-learn>=1.8'"
            return Readiness(False, f"gplearn is not installed: {hint}")
        version, sklearn = metadata.version("gplearn"), metadata.version("scikit-learn")
        if _version_numbers(version) < GPLEARN or _version_numbers(sklearn) < SKLEARN:
            versions = f"gplearn {version} with scikit-learn {sklearn} is installed"
            return Readiness(False, f"{versions}; gplearn>=0.4.3 with scikit-learn>=1.8 is needed")
        return Readiness(True, f"gplearn {version}, the published study's tool")

    def search(self, request: Request) -> Sequence[str]:
        """The best programs of every length met in any generation, with numbers."""
        sample = _subsample(request.sample, request.seed)
        design, scales = design_matrix(sample)
        factors = [f"({1.0 / scale!r} * {name})" for name, scale in scales.items()]
        mean, spread = float(np.mean(sample.target)), float(np.std(sample.target)) or 1.0
        best: dict[int, dict[str, float]] = {}
        standardised = Sample(sample.columns, (sample.target - mean) / spread, sample.weight)
        for population in _generations(design.astype(float), standardised, request):
            for program in population:
                if program.length_ <= request.max_complexity:
                    _admit(best.setdefault(program.length_, {}), program, factors)
        texts = [text for length in sorted(best) for text in best[length]]
        return [f"({format_number(mean)}) + {format_number(spread)} * {text}" for text in texts]


def _admit(best: dict[str, float], program: Any, factors: Sequence[str]) -> None:
    """Add a program to the best of its length if it is one of them."""
    if len(best) == KEEP and program.raw_fitness_ >= max(best.values()):
        return
    best[to_text(program.program, factors)] = program.raw_fitness_
    if len(best) > KEEP:
        del best[max(best, key=lambda text: (best[text], text))]


def to_text(program: Sequence[Any], factors: Sequence[str]) -> str:
    """The expression of a program.

    Parameters
    ----------
    program : gplearn's flat prefix list: functions (with ``name`` and ``arity``), whole numbers for
        factors, other numbers for constants.
    factors : text of every factor.
    """
    return _infix(iter(program), factors)


def _infix(nodes: Iterator[Any], factors: Sequence[str]) -> str:
    node = next(nodes)
    if isinstance(node, int):
        return factors[node]
    if isinstance(node, float):
        return f"({format_number(float(node))})"
    arguments = [_infix(nodes, factors) for _ in range(node.arity)]
    return INFIX[node.name](*arguments)


def _generations(design: Any, sample: Sample, request: Request) -> Iterator[list[Any]]:
    """Populations by warm starts, so that the time limit is checked between them.

    A warm start skips the random numbers already used, so the result equals one long run.
    """
    population, generations = effort(request.evaluations)
    regressor = import_module("gplearn.genetic").SymbolicRegressor(
        population_size=population,
        tournament_size=20,
        function_set=FUNCTION_SET,
        parsimony_coefficient=PARSIMONY,
        warm_start=True,
        low_memory=True,
        n_jobs=1,
        random_state=request.seed,
    )
    begin = time.monotonic()
    for generation in range(generations):
        regressor.set_params(generations=generation + 1)
        try:
            with np.errstate(all="ignore"):
                regressor.fit(design, sample.target, sample_weight=sample.weight)
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"gplearn: {error}") from error
        yield regressor._programs[-1]
        if request.time_limit and time.monotonic() - begin > request.time_limit:
            return


def effort(evaluations: int) -> tuple[int, int]:
    """Programs of a generation, and generations; their product is the number of evaluations."""
    population = int(np.clip(evaluations // GENERATIONS, 20, POPULATION))
    return population, max(evaluations // population, 1)


def _subsample(sample: Sample, seed: int) -> Sample:
    if len(sample) <= MAX_ROWS:
        return sample
    rows = np.random.default_rng([seed, 7]).choice(len(sample), MAX_ROWS, replace=False)
    return sample.take(np.sort(rows))


def _version_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
