"""Means with bootstrap intervals, over clusters of runs that share their luck.

Two multi-task runs of one n and seed are compared with the same single-task run, and their main
tasks are the same. So whole clusters of rows are drawn, never rows.

Notation
--------
N : rows.    C : clusters.    M : draws of clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

DRAWS, SEED = 2_000, 0
LEVEL = 0.95
CLUSTER = ("n", "seed")
"""Columns that name a cluster: one main task at one size."""


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval and the rows that it rests on."""

    value: float
    low: float
    high: float
    rows: int

    def to_json(self) -> dict[str, Any]:
        """The record kept among the facts."""
        return {"value": self.value, "low": self.low, "high": self.high, "rows": self.rows}


def mean_of(rows: pd.DataFrame, column: str) -> dict[str, Any]:
    """Mean of a column with its interval over clusters; rows without a value are left out.

    Raises
    ------
    ValueError : there is no row with a value.
    """
    return ratio_of(rows.assign(_one=1.0), column, "_one")


def ratio_of(rows: pd.DataFrame, above: str, below: str) -> dict[str, Any]:
    """Mean of one column over the mean of another, with its interval over clusters."""
    known = rows[rows[above].notna() & rows[below].notna()]
    if known.empty:
        raise ValueError(f"no row has {above} and {below}")
    sums = known.groupby(list(CLUSTER))[[above, below]].sum().to_numpy()
    weight = cluster_draws(len(sums))
    value = float(sums[:, 0].sum() / sums[:, 1].sum())
    drawn = (weight @ sums[:, 0]) / (weight @ sums[:, 1])
    return Estimate(value, *interval(drawn), len(known)).to_json()


def cluster_draws(clusters: int) -> Floats:
    """How often (M, C) each cluster is drawn; the same draws wherever there are as many."""
    rng = np.random.default_rng([SEED, clusters])
    even = np.full(clusters, 1.0 / clusters)
    return rng.multinomial(clusters, even, size=DRAWS).astype(np.float64)


def interval(drawn: Floats) -> tuple[float, float]:
    """Ends of the central 95 % of draws that are finite."""
    tail = 50.0 * (1.0 - LEVEL)
    low, high = np.percentile(drawn[np.isfinite(drawn)], [tail, 100.0 - tail])
    return float(low), float(high)


def parts_of(rows: pd.DataFrame, factor: str) -> list[tuple[float, pd.DataFrame]]:
    """The rows at every level of a factor, by level."""
    levels = sorted(float(level) for level in rows[factor].dropna().unique())
    return [(level, rows[rows[factor] == level]) for level in levels]


def by_level(rows: pd.DataFrame, factor: str, column: str) -> list[dict[str, Any]]:
    """Mean of a column at every level of a factor, with intervals."""
    return [{"level": level, **mean_of(part, column)} for level, part in parts_of(rows, factor)]


def crossing(rows: pd.DataFrame, factor: str, column: str) -> dict[str, Any] | None:
    """Where the mean of a column over a factor's levels rises through zero, with its interval.

    Straight lines join the means of neighbouring levels; the first of them that leads from below
    zero to zero or above counts. None where the means on all rows do not cross; `crosses` is the
    share of draws that do.
    """
    sums = rows.pivot_table(
        index=list(CLUSTER), columns=factor, values=column, aggfunc=["sum", "count"], fill_value=0
    )
    levels = np.array(sorted(rows[factor].unique()), dtype=np.float64)
    total, count = sums["sum"].to_numpy(float), sums["count"].to_numpy(float)
    weight = np.vstack([np.ones(len(total)), cluster_draws(len(total))])
    means = (weight @ total) / (weight @ count)
    found = _rise(levels, means)
    if np.isnan(found[0]):
        return None
    drawn = found[1:][np.isfinite(found[1:])]
    share = len(drawn) / DRAWS
    return {**Estimate(float(found[0]), *interval(drawn), len(rows)).to_json(), "crosses": share}


def _rise(levels: Floats, means: Floats) -> Floats:
    """The first place (M,) where each broken line (M, levels) rises through zero; nan for none."""
    before, after = means[:, :-1], means[:, 1:]
    rises = (before < 0) & (after >= 0)
    share = -before / np.where(rises, after - before, 1.0)
    place = levels[:-1] + share * np.diff(levels)
    first = np.argmax(rises, axis=1)
    return np.where(rises.any(axis=1), place[np.arange(len(means)), first], np.nan)


def explained(rows: pd.DataFrame, column: str, predictor: str, within: Sequence[str]) -> float:
    """Share of a column's variance within groups that is linear in a predictor."""
    centred = rows[[column, predictor]] - rows.groupby(list(within))[[column, predictor]].transform(
        "mean"
    )
    moved, told = centred[column].to_numpy(float), centred[predictor].to_numpy(float)
    slope = float(moved @ told / (told @ told))
    return 1.0 - float(np.sum((moved - slope * told) ** 2) / np.sum(moved**2))
