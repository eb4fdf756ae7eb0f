"""What one curve panel shows: the law along one factor, for a few levels of another, with data.

The remaining factors are held at the combination of levels that most of the data shares, so that
the points drawn are measurements, not adjustments. Where a table has no such combination (a random
design), every row is moved to the held values by the law itself and keeps its own residual; the
slice says so in ``adjusted``.

Notation
--------
x : the factor on the horizontal axis.
hue : the factor whose levels the lines stand for; None for a single line.
held : the remaining factors, each at one value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_laws.pipeline.laws.bands import Bands
from mtl_laws.pipeline.laws.levels import UNDEFINED, Floats, scaled
from mtl_laws.pipeline.report.surface import GRID, Surface
from mtl_laws.pipeline.symbolic.kinds import is_size

Mask = npt.NDArray[np.bool_]

MOST_LINES = 4
#: distinct x values that a line needs before measured points are thought enough
ENOUGH = 3
#: adjusted points are for looking through, not for counting
MOST_ADJUSTED = 300
#: a size is drawn to so many times the largest value measured
BEYOND = 4.0


@dataclass(frozen=True)
class Line:
    """One line and its points.

    Attributes
    ----------
    level : value of the hue factor (NaN for a single line).
    grid, law : the drawn curve.
    points : columns x, y, spread (standard deviation of replicates or NaN), inside (fitted row).
    flat : mean of measured rows where x is undefined, or NaN.
    bands : of the law and of one more run along the grid.
    """

    level: float
    grid: Floats
    law: Floats
    points: pd.DataFrame
    flat: float
    bands: Bands


@dataclass(frozen=True)
class Slice:
    """Everything one curve panel draws.

    Attributes
    ----------
    x, hue, held : see the head of this module.
    lines : one for each level of the hue factor.
    span : ends of the horizontal axis; of a size, beyond what was measured.
    adjusted : whether rows were moved to the held values.
    logarithmic : whether the horizontal axis is.
    """

    x: str
    hue: str | None
    held: Mapping[str, float]
    lines: tuple[Line, ...]
    span: tuple[float, float]
    adjusted: bool
    logarithmic: bool


def slice_along(surface: Surface, x: str) -> Slice:
    """The slice of `surface` along factor `x`."""
    hue = next((f for f in surface.by_effect if f != x and len(surface.levels[f].values) > 1), None)
    held = _held(surface, x, hue)
    designed = not any(surface.levels[f].binned for f in _at(hue, 0.0, held))
    if not designed:
        held = {factor: surface.reference[factor] for factor in held}
    levels = _hue_levels(surface, x, hue, held if designed else None)
    rows = [_matching(surface, hue, level, held) for level in levels]
    crowded = designed and max(_distinct(surface, x, mask) for mask in rows) >= ENOUGH
    lines = tuple(
        _line(surface, x, level, _at(hue, level, held), mask if crowded else None)
        for level, mask in zip(levels, rows, strict=True)
    )
    if not crowded:
        lines = _share_rows(surface, x, hue, lines)
    return Slice(x, hue, held, lines, _span(surface, x), not crowded, _logarithmic(surface, x))


def _span(surface: Surface, x: str) -> tuple[float, float]:
    """From the smallest value met or allowed to the largest measured, and further.

    A size goes on to `BEYOND` times its largest value, but no further than its values are apart.
    """
    low, high = surface.extent(x)
    if is_size(surface.columns[x]):
        return low, high * min(BEYOND, high / low)
    start, end = surface.domain(x)
    return min(low, max(start, low)), min(max(high, end), 2 * high if high > 0 else high)


def _logarithmic(surface: Surface, x: str) -> bool:
    """Whether the axis is logarithmic: that of every size, which reaches far."""
    return surface.logarithmic(x) or is_size(surface.columns[x])


def _grid(surface: Surface, x: str) -> Floats:
    low, high = _span(surface, x)
    if _logarithmic(surface, x) and low > 0:
        return np.geomspace(low, high, GRID)
    return np.linspace(low, high, GRID)


def _held(surface: Surface, x: str, hue: str | None) -> dict[str, float]:
    """The combination of the other factors' levels that covers most of the x and hue levels."""
    rest = [f for f in surface.factors if f not in (x, hue) and len(surface.levels[f].values)]
    if not rest:
        return {}
    codes = pd.DataFrame({f: surface.levels[f].code for f in surface.factors})
    known = surface.inside & (codes[rest] >= 0).all(axis=1).to_numpy()
    if not known.any():
        return {f: surface.reference[f] for f in rest}
    codes["place"] = codes[x] if hue is None else codes[x] * 1000 + codes[hue]
    covered = codes[known].groupby(rest)["place"].nunique().reset_index(name="places")
    middle = {f: surface.levels[f].nearest(surface.reference[f]) for f in rest}
    covered["far"] = sum((covered[f] - middle[f]).abs() for f in rest)
    best = covered[covered["places"] >= 0.8 * covered["places"].max()].sort_values("far").iloc[0]
    return {f: float(surface.levels[f].values[int(best[f])]) for f in rest}


def _hue_levels(
    surface: Surface, x: str, hue: str | None, held: Mapping[str, float] | None
) -> Sequence[float]:
    """At most four levels of the hue factor, lowest and highest among them.

    With `held`, only levels with data at these values of the other factors are eligible.
    """
    if hue is None:
        return [float("nan")]
    values = surface.levels[hue].values
    if held is not None:
        counts = [_distinct(surface, x, _matching(surface, hue, v, held)) for v in values]
        values = values[np.array(counts) >= min(ENOUGH, max(counts))]
    picks = np.unique(np.linspace(0, len(values) - 1, MOST_LINES).round().astype(int))
    return [float(value) for value in values[picks]]


def _at(hue: str | None, level: float, held: Mapping[str, float]) -> dict[str, float]:
    return dict(held) if hue is None else {**held, hue: level}


def _matching(surface: Surface, hue: str | None, level: float, held: Mapping[str, float]) -> Mask:
    """Rows at the level of the hue factor and at the held levels."""
    mask = np.ones(len(surface.table), dtype=bool)
    for factor, value in _at(hue, level, held).items():
        levels = surface.levels[factor]
        mask &= levels.matches(levels.nearest(value))
    return mask


def _distinct(surface: Surface, x: str, mask: Mask) -> int:
    codes = surface.levels[x].code[mask]
    if (codes == UNDEFINED).any() and not (codes >= 0).any():
        return ENOUGH  # a level where x is undefined is a line of its own, flat
    return len(np.unique(surface.columns[x][mask & np.isfinite(surface.columns[x])]))


def _line(
    surface: Surface, x: str, level: float, others: Mapping[str, float], mask: Mask | None
) -> Line:
    grid = _grid(surface, x)
    law = surface.along(x, grid, others)
    at = {
        name: np.full(len(grid), others.get(name, surface.reference[name]))
        for name in surface.factors
    }
    bands = surface.bands({**at, x: grid})
    if mask is None:
        return Line(level, grid, law, _no_points(), float("nan"), bands)
    undefined = mask & np.isnan(surface.columns[x])
    flat = float(surface.measured[undefined].mean()) if undefined.any() else float("nan")
    return Line(level, grid, law, _points(surface, x, mask & ~undefined), flat, bands)


def _no_points() -> pd.DataFrame:
    return pd.DataFrame({"x": [], "y": [], "spread": [], "inside": []}, dtype=float)


def _points(surface: Surface, x: str, mask: Mask) -> pd.DataFrame:
    """Means over replicates (rows of one cell), with their standard deviation."""
    frame = pd.DataFrame(
        {
            "x": surface.columns[x][mask],
            "y": surface.measured[mask],
            "cell": surface.table["cell"].to_numpy()[mask],
            "inside": surface.inside[mask],
        }
    )
    if not len(frame):
        return _no_points()
    by_cell = frame.groupby("cell")
    return pd.DataFrame(
        {
            "x": by_cell["x"].mean(),
            "y": by_cell["y"].mean(),
            "spread": by_cell["y"].std(),
            "inside": by_cell["inside"].all(),
        }
    ).sort_values("x")


def _share_rows(
    surface: Surface, x: str, hue: str | None, lines: tuple[Line, ...]
) -> tuple[Line, ...]:
    """Give every row to the nearest line, moved onto it by the law, its residual kept."""
    owner = np.zeros(len(surface.table), dtype=int)
    if hue is not None:
        logarithmic = surface.logarithmic(hue)
        values = scaled(surface.columns[hue], logarithmic)
        places = scaled(np.array([line.level for line in lines]), logarithmic)
        owner = np.nan_to_num(np.abs(values[:, None] - places[None, :])).argmin(axis=1)
    known = np.isfinite(surface.columns[x]) & np.isfinite(surface.residuals)
    keep = thin(known, MOST_ADJUSTED)
    return tuple(
        replace(line, points=_adjusted(surface, x, line, keep & (owner == k)))
        for k, line in enumerate(lines)
    )


def thin(mask: Mask, most: int) -> Mask:
    """At most `most` of the rows in `mask`, evenly spread through the table."""
    rows = np.flatnonzero(mask)
    if len(rows) > most:
        rows = rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]
    thinned = np.zeros_like(mask)
    thinned[rows] = True
    return thinned


def _adjusted(surface: Surface, x: str, line: Line, mask: Mask) -> pd.DataFrame:
    values = surface.columns[x][mask]
    onto = np.interp(values, line.grid, line.law)
    frame = pd.DataFrame({"x": values, "y": onto + surface.residuals[mask]})
    frame["spread"] = np.nan
    frame["inside"] = surface.inside[mask]
    return pd.DataFrame(frame[np.isfinite(frame["y"])])
