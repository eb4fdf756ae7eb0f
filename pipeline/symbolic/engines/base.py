"""The interface of law engines: readiness, and candidate expressions for rows.

An engine gets rows and a number of evaluations, and returns candidate expressions. The search fits
constants, scores, checks and selects, in the same way for all engines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from mtl_laws.pipeline.symbolic.fit import Sample
from mtl_laws.pipeline.symbolic.kinds import is_size
from mtl_laws.pipeline.symbolic.program import Columns, Expression
from mtl_laws.pipeline.symbolic.tree import Floats


@dataclass(frozen=True)
class Readiness:
    """Whether an engine can run here, and in one line why or what to do."""

    ready: bool
    reason: str


@dataclass(frozen=True)
class Request:
    """One search by an engine.

    Attributes
    ----------
    sample : rows to explain; every factor is a column.
    evaluations : expressions to evaluate, the only measure of effort: the same request gives the
        same answer on a slow and on a fast machine.
    seed : of every random draw.
    max_complexity : largest expression that is of use.
    time_limit : seconds after which the engine must stop with what it has; None for no limit.
    undefined : factor -> distinct rows at which it is undefined, filled in `sample` by any value; a
        usable form does not depend on the factor there.
    """

    sample: Sample
    evaluations: int
    seed: int
    max_complexity: int = 24
    time_limit: float | None = None
    undefined: Mapping[str, Columns] = field(default_factory=dict)

    def allows(self, text: str) -> bool:
        """Whether a template is independent of every factor where that is undefined."""
        if not self.undefined:
            return True
        expression = Expression.parse(text, tuple(self.sample.columns))
        theta = np.sqrt(np.arange(2.0, 2.0 + len(expression.constants)))  # nothing cancels
        for name, rows in self.undefined.items():
            if name in expression.factors:
                low = expression.evaluate({**rows, name: np.full_like(rows[name], 0.3)}, theta)
                high = expression.evaluate({**rows, name: np.full_like(rows[name], 0.7)}, theta)
                if not np.allclose(low, high, rtol=1e-9, atol=0.0, equal_nan=True):
                    return False
        return True


class Engine(Protocol):
    """A source of candidate expressions.

    Attributes
    ----------
    name : its key in the registry, and the origin of its laws.
    own_process : whether it keeps its own process; its searches run one by one in the parent.
    knows_groups : whether it fits constants per group; others get the target standardised by group.
    """

    name: str
    own_process: bool
    knows_groups: bool

    def readiness(self) -> Readiness:
        """Whether the engine can run on this machine; never downloads anything."""
        ...

    def search(self, request: Request) -> Sequence[str]:
        """Expressions in the factor names: with numbers, or with constants ``c0, c1, …``.

        Raises
        ------
        EngineError
            if the engine failed; the search goes on with the other engines.
        """
        ...


def design_matrix(sample: Sample) -> tuple[Floats, dict[str, float]]:
    """Factors as float32 columns near 1 (N rows, F factors), and the divisor of each.

    A size is divided by its geometric mean, anything else by 1.
    """
    scales = {
        name: float(np.exp(np.mean(np.log(column)))) if is_size(column) else 1.0
        for name, column in sample.columns.items()
    }
    columns = [column / scales[name] for name, column in sample.columns.items()]
    return np.column_stack(columns).astype(np.float32), scales
