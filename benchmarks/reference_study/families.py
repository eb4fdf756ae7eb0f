"""From one family to another: does the law of one predict the other's gains?

A law of one family turns (n, T, AMI) into the number m·n of single-task tokens that would score the
same by that law; m is its data multiplier. In the other family, only single-task runs are looked
at: their learning curve, a Hill curve in n, is read at m·n. What comes out is set against the
measured scores of the other family's multi-task runs. Two simple rules stand beside it: auxiliaries
give nothing (m = 1), and auxiliary tokens are tokens of the main task (m = T).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from mtl_laws.pipeline.symbolic.fit import RULES, Sample, fit_constants
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.starts import propose_starts
from reference_study.estimates import Floats
from reference_study.forms import r2
from reference_study.searches import FAMILIES, family_rows, multi_task, predict, search
from reference_study.tables import alone

CURVE = "c0 + c1/(1 + (c2/n)**c3)"
MOST_TOKENS, STEPS_OF_GRID = 1e7, 4_000
SEED, STARTS, STEPS = 0, 24, 300


def families() -> dict[str, Any]:
    """Scores of every family's law on every other's multi-task runs, and of the simple rules."""
    return {"pairs": [_pair(one, other) for one in FAMILIES for other in FAMILIES]}


def _pair(source: str, target: str) -> dict[str, Any]:
    rows = multi_task(target)
    curve = learning_curve(target)
    column = family_rows(target).target
    base = pd.Series(curve(rows["n"].to_numpy(float)), index=rows.index)
    found = pd.Series(curve(equivalent_tokens(source, rows)), index=rows.index)
    pooled = pd.Series(curve((rows["n"] * rows["T"]).to_numpy(float)), index=rows.index)
    gain, told = rows[column] - base, found - base
    return {
        "source": source,
        "target": target,
        "r2": r2(rows[column], found),
        "r2_nothing": r2(rows[column], base),
        "r2_pooled": r2(rows[column], pooled),
        "spearman": float(spearmanr(gain, told).statistic),
        "rows": len(rows),
    }


def learning_curve(family: str) -> Any:
    """The single task's score as a function of n, fitted to single-task runs alone."""
    rows = family_rows(family)
    single = _single(family)
    table = single.groupby("n", as_index=False)[rows.target].mean()
    count = single.groupby("n")[rows.target].size()
    n, score, weight = np.column_stack([table["n"], table[rows.target], count]).astype(float).T
    sample = Sample({"n": n}, score, weight)
    expression = Expression.parse(CURVE, ("n",))
    fit = fit_constants(
        expression, sample, propose_starts(expression, sample, STARTS, SEED), STEPS, RULES.exact
    )
    if fit is None:
        raise ValueError(f"no learning curve of {family}")

    def curve(n: Floats) -> Floats:
        return np.asarray(expression.evaluate({"n": n}, fit.theta), dtype=np.float64)

    return curve


def _single(family: str) -> pd.DataFrame:
    """Single-task runs, the controls on the tokens of all tasks among them."""
    if family == "channel":
        return alone("published-balanced")
    rows = alone("teacher-relatedness")
    overlap = 1.0 if family == "shared" else 0.0
    return rows[rows["feature_overlap"] == overlap]


def equivalent_tokens(source: str, rows: pd.DataFrame) -> Floats:
    """Tokens (N,) of the main task alone that the law of `source` puts level with each row.

    From the smallest n that the law was fitted on upwards.
    """
    found = search(source)
    least = float(found.problem.data.columns["n"].min())
    grid = np.geomspace(least, MOST_TOKENS, STEPS_OF_GRID)
    single = predict(found.law, grid, np.ones_like(grid), None)
    n, T, ami = rows[["n", "T", "ami"]].to_numpy(float).T
    wanted = predict(found.law, n, T, ami)
    place = np.searchsorted(np.maximum.accumulate(single), wanted)
    return np.asarray(grid[np.clip(place, 0, len(grid) - 1)], dtype=np.float64)
