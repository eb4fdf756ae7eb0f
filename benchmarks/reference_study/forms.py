"""A named form fitted to the rows of a reference table: constants, intervals, scores.

Inside are the rows that a law may see, outside those beyond them in n or T; R² outside is against
the variance of the rows outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mtl_laws.pipeline.laws.intervals import bootstrap, interval_of
from mtl_laws.pipeline.laws.question import Question, pose
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.laws.score import r_squared, row_errors
from mtl_laws.pipeline.symbolic.fit import RULES, Fit, fit_constants
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.starts import propose_starts

SEED, STARTS, STEPS = 0, 24, 300


@dataclass(frozen=True)
class Subset:
    """Which rows of which table a form is fitted to.

    Attributes
    ----------
    name : of the rows, for people.
    hold_out : the rows outside, as a condition over factors; None for none.
    """

    name: str
    table: pd.DataFrame
    target: str
    hold_out: str | None = None
    factors: tuple[str, ...] = ("n", "T", "ami")

    def question(self, **settings: Any) -> Question:
        """The question of a law search over these rows."""
        return Question(
            self.target,
            {name: name for name in self.factors},
            (0.0, 1.0),
            {name: (0.0, 1.0) for name in self.factors if name in ("ami", "feature_overlap")},
            self.hold_out,
            **settings,
        )


def fit_form(text: str, rows: Subset) -> dict[str, Any]:
    """Constants with 95 % intervals (bootstrap over cells), and R² inside and outside.

    Parameters
    ----------
    text : a template in n, T, ami and constants c0, c1, …
    """
    problem = pose(rows.table, rows.question(), rows.name)
    data, held = problem.data, problem.held_out
    expression = Expression.parse(text, data.factors)
    starts = propose_starts(expression, data.sample, STARTS, SEED)
    fit = fit_constants(expression, data.sample, starts, STEPS, RULES.exact)
    if fit is None:
        raise ValueError(f"{text} cannot be fitted to {rows.name}")
    drawn = bootstrap(expression, fit, data, SEED)
    low, high = interval_of(drawn)
    names = expression.constants
    return {
        "text": text,
        "constants": {
            name: {"value": float(fit.theta[k]), "low": float(low[k]), "high": float(high[k])}
            for k, name in enumerate(names)
        },
        "r2_inside": _r2(expression, fit, data),
        "r2_outside": None if held is None else _r2(expression, fit, held),
        "rows": len(data),
    }


def _r2(expression: Expression, fit: Fit, data: Rows) -> float:
    error = row_errors(expression, fit, data)
    return 1.0 - float(np.sum(error)) / float(data.variance * len(data))


def r2(measured: pd.Series[float], predicted: pd.Series[float]) -> float:
    """Share of the variance of measured values that predictions explain."""
    columns = np.column_stack([measured, predicted]).astype(np.float64)
    found = r_squared(columns[:, 0], columns[:, 1])
    return float("nan") if found is None else found
