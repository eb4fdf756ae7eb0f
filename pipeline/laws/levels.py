"""Levels of a factor: the few values at which an experiment was run.

A measured relatedness takes a hundred values near five requested ones, and a number of tokens ends
at a whole sentence. `find_levels` groups values that are close on the factor's scale, and bins a
continuum evenly.

Notation
--------
R : rows of the table.
L : levels.
code : (R,) index of a row's level; `NOWHERE` between levels, `UNDEFINED` where the factor is null.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

NOWHERE, UNDEFINED = -1, -2
#: values closer than this fraction of the range are one level
CLOSE = 0.025
#: a group wider than this fraction of the range is a continuum, not a level
WIDE = 0.12
MOST_LEVELS = 12
BINS = 5


@dataclass(frozen=True)
class Levels:
    """Levels of one factor: ``values`` (L,) ascending and ``code`` (R,).

    ``binned`` says that the values are a continuum and the levels only stand for its parts,
    ``whole`` that every value is a whole number.
    """

    values: Floats
    code: Ints
    binned: bool = False
    whole: bool = False

    def matches(self, level: int) -> npt.NDArray[np.bool_]:
        """Rows at `level`, and those where the factor is undefined (it cannot matter there)."""
        return np.asarray((self.code == level) | (self.code == UNDEFINED))

    def nearest(self, value: float) -> int:
        """Index of the level closest to `value`."""
        return int(np.argmin(np.abs(self.values - value)))


def is_logarithmic(values: Floats, low: float | None) -> bool:
    """Whether a factor reads better on a logarithmic axis.

    It must be positive, span a decade (three doublings are enough for a count), and have its
    distinct values better centred there: 40, 160, 640 do, a random draw from [0, 1] does not.

    Parameters
    ----------
    values : the factor's values, NaN allowed.
    low : lower end of its domain; what may be 0 must span two decades.
    """
    distinct = np.unique(values[np.isfinite(values)])
    if len(distinct) < 2 or distinct[0] <= 0:
        return False
    ratio = distinct[-1] / distinct[0]
    counts = distinct[0] >= 1 and np.array_equal(distinct, distinct.round())
    if ratio < (8 if counts else 10) or (low is not None and low <= 0 and ratio < 100):
        return False
    return _off_centre(np.log(distinct)) < _off_centre(distinct)


def _off_centre(values: Floats) -> float:
    """Distance of the median from the middle of the range, as a fraction of the range."""
    return float(abs((np.median(values) - values[0]) / (values[-1] - values[0]) - 0.5))


def scaled(values: Floats, logarithmic: bool) -> Floats:
    """Values on the axis they are drawn on."""
    return np.log(values) if logarithmic else np.asarray(values, dtype=float)


def find_levels(values: Floats, logarithmic: bool) -> Levels:
    """Levels of a factor.

    Parameters
    ----------
    values : (R,), NaN where undefined.
    logarithmic : whether closeness is judged on a logarithmic scale.
    """
    defined = np.isfinite(values)
    code = np.where(defined, NOWHERE, UNDEFINED).astype(np.int64)
    if not defined.any():
        return Levels(np.empty(0), code)
    position = scaled(values[defined], logarithmic)
    groups = _groups(position)
    binned = groups is None
    if groups is None:
        groups = _bins(position)
    code[defined] = groups
    centres = [float(np.median(values[code == k])) for k in range(int(groups.max()) + 1)]
    whole = bool(np.array_equal(values[defined], values[defined].round()))
    return Levels(np.array(centres), code, binned, whole)


def _groups(position: Floats) -> Ints | None:
    """Group index of each value by gaps between neighbours; None for a continuum."""
    distinct = np.unique(position)
    width = float(distinct[-1] - distinct[0]) or 1.0
    start = np.concatenate([[0], np.cumsum(np.diff(distinct) > CLOSE * width)])
    if start[-1] + 1 > MOST_LEVELS:
        return None
    spans = [np.ptp(distinct[start == k]) for k in range(int(start[-1]) + 1)]
    if max(spans) > WIDE * width:
        return None
    return np.asarray(start[np.searchsorted(distinct, position)], dtype=np.int64)


def _bins(position: Floats) -> Ints:
    """Nearest of a few evenly spaced centres, `NOWHERE` for values between them."""
    low, high = np.quantile(np.unique(position), [0.05, 0.95])
    centres = np.linspace(low, high, BINS)
    distance = np.abs(position[:, None] - centres[None, :])
    nearest = distance.argmin(axis=1)
    inside = distance.min(axis=1) <= WIDE / 2 * np.ptp(position)
    occupied = np.unique(nearest[inside])
    place = np.searchsorted(occupied, nearest)
    members = inside & np.isin(nearest, occupied)
    return np.asarray(np.where(members, place, NOWHERE), dtype=np.int64)
