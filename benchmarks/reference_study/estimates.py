"""Means, ratios and crossings with intervals over seeds, the one thing that was drawn at random.

A seed fixes the text, the main task and where training starts; all runs of a seed share its luck,
and levels of n, T or AMI are a design, not a sample. So the interval of a statistic is that of the
jackknife over seeds: each seed left out in turn, and Student's t with S − 1 degrees of freedom. It
speaks for other seeds at the same levels.

Notation
--------
S : seeds.    L : levels of a factor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t as student

Floats = npt.NDArray[np.float64]

LEVEL = 0.95
SEED = "seed"


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval and the rows that it rests on.

    Attributes
    ----------
    low, high : ends of the interval; None where leaving a seed out leaves no number.
    """

    value: float
    low: float | None
    high: float | None
    rows: int


def mean_of(rows: pd.DataFrame, column: str) -> dict[str, Any]:
    """Mean of a column with its interval; rows without a value are left out.

    Raises
    ------
    ValueError : there is no row with a value.
    """
    return ratio_of(rows.assign(_one=1.0), column, "_one")


def ratio_of(rows: pd.DataFrame, above: str, below: str) -> dict[str, Any]:
    """Mean of one column over the mean of another, with its interval.

    Raises
    ------
    ValueError : there is no row with both.
    """
    known = rows[rows[above].notna() & rows[below].notna()]
    if known.empty:
        raise ValueError(f"no row has {above} and {below}")
    sums = known.groupby(SEED)[[above, below]].sum().to_numpy(dtype=np.float64)

    def ratio(kept: Floats) -> float:
        total = sums[kept > 0].sum(axis=0)
        return float(total[0] / total[1])

    return asdict(Estimate(*jackknife(ratio, len(sums)), len(known)))


def jackknife(
    statistic: Callable[[Floats], float], seeds: int
) -> tuple[float, float | None, float | None]:
    """A statistic on all seeds, and the ends of its interval.

    Parameters
    ----------
    statistic : of weights (S,), 1 for a seed that is kept and 0 for one left out; nan for none.
    """
    value = statistic(np.ones(seeds))
    if seeds < 2:
        return value, None, None
    left_out = np.array([statistic(1.0 - np.eye(seeds)[s]) for s in range(seeds)])
    if not np.isfinite(left_out).all():
        return value, None, None
    spread = (seeds - 1) / seeds * float(np.sum((left_out - left_out.mean()) ** 2))
    half = float(student.ppf(0.5 + LEVEL / 2, seeds - 1)) * float(np.sqrt(spread))
    return value, value - half, value + half


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
    zero to zero or above counts. None where there is none.
    """
    wide = rows.pivot_table(index=SEED, columns=factor, values=column, aggfunc="mean")
    levels, means = wide.columns.to_numpy(np.float64), wide.to_numpy(np.float64)

    def rise(kept: Floats) -> float:
        return _rise(levels, means[kept > 0].mean(axis=0))

    value, low, high = jackknife(rise, len(means))
    return None if np.isnan(value) else asdict(Estimate(value, low, high, len(rows)))


def _rise(levels: Floats, means: Floats) -> float:
    """The first place where a broken line rises through zero; nan where there is none."""
    for k in range(len(levels) - 1):
        if means[k] < 0 <= means[k + 1]:
            share = -means[k] / (means[k + 1] - means[k])
            return float(levels[k] + share * (levels[k + 1] - levels[k]))
    return float("nan")


def explained(rows: pd.DataFrame, column: str, predictor: str, within: Sequence[str]) -> float:
    """Share of a column's variance within groups that is linear in a predictor."""
    centred = rows[[column, predictor]] - rows.groupby(list(within))[[column, predictor]].transform(
        "mean"
    )
    moved, told = centred[column].to_numpy(float), centred[predictor].to_numpy(float)
    slope = float(moved @ told / (told @ told))
    return 1.0 - float(np.sum((moved - slope * told) ** 2) / np.sum(moved**2))
