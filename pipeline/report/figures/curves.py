"""The law along one factor, with the data it was fitted on and the region outside.

A panel shows the law along one factor for a few levels of another, with data. The remaining factors
are held at the combination of levels that most of the data shares, so that the points drawn are
measurements, not adjustments. Where a table has no such combination (a random design), the law
moves every row to the held values and the row keeps its own residual; the slice says so in
``adjusted``.

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
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mtl_laws.pipeline.laws.bands import Bands
from mtl_laws.pipeline.laws.levels import UNDEFINED, Floats, scaled
from mtl_laws.pipeline.report.figure_text import (
    axis_text,
    curve_alt,
    curve_caption,
    rows_drawn_text,
)
from mtl_laws.pipeline.report.figures.canvas import (
    FONT_SIZE,
    MUTED,
    PAPER,
    Drawing,
    end_labels,
    factor_axis,
    header,
    label_axes,
    new_panel,
    ramp,
    shade_outside,
)
from mtl_laws.pipeline.report.surface import GRID, Mask, Surface, finite, subsample
from mtl_laws.pipeline.symbolic.kinds import is_size
from mtl_laws.pipeline.symbolic.typeset.numbers import level

MOST_LINES = 4
#: distinct x values that a line needs before measured points are enough
ENOUGH = 3
#: points that a panel shows at most
MOST_POINTS = 300
#: a size is drawn to so many times the largest value measured
BEYOND = 4.0
#: names longer than this would not fit beside the end labels
LONG_NAME = 9
#: opacity of the band of the law and of one more trial
LAW_BAND, RUN_BAND = 0.3, 0.1
NO_POINTS = ("x", "y", "spread", "inside")


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
    points : how many rows (adjusted) or cells could be drawn; the lines have `MOST_POINTS` at most.
    logarithmic : whether the horizontal axis is.
    """

    x: str
    hue: str | None
    held: Mapping[str, float]
    lines: tuple[Line, ...]
    span: tuple[float, float]
    adjusted: bool
    points: int
    logarithmic: bool

    @property
    def drawn(self) -> int:
        """How many points are drawn."""
        return sum(len(line.points) for line in self.lines)


def slice_along(surface: Surface, x: str) -> Slice:
    """The slice of `surface` along factor `x`."""
    hue = next((f for f in surface.varied if f != x), None)
    held = _held(surface, x, hue)
    fixed = [*held, *([hue] if hue else [])]
    designed = not any(surface.levels[factor].binned for factor in fixed)
    if not designed:
        held = {factor: surface.reference[factor] for factor in held}
    levels = _hue_levels(surface, x, hue, held if designed else None)
    rows = [_matching(surface, _at(hue, level, held)) for level in levels]
    measured = designed and max(_distinct(surface, x, mask) for mask in rows) >= ENOUGH
    low, high = span(surface, x)
    logarithmic = surface.logarithmic(x) or is_size(surface.columns[x])
    spaced = np.geomspace if logarithmic and low > 0 else np.linspace
    grid = np.asarray(spaced(low, high, GRID))
    lines = tuple(
        _line(surface, x, grid, level, _at(hue, level, held), mask if measured else None)
        for level, mask in zip(levels, rows, strict=True)
    )
    points = sum(len(line.points) for line in lines)
    if measured:
        lines = _thinned(lines, points)
    else:
        defined = np.isfinite(surface.columns[x]) & np.isfinite(surface.residuals)
        points = int(defined.sum())
        lines = _share_rows(surface, x, hue, lines, subsample(defined, MOST_POINTS))
    return Slice(
        x=x,
        hue=hue,
        held=held,
        lines=lines,
        span=(low, high),
        adjusted=not measured,
        points=points,
        logarithmic=logarithmic,
    )


def span(surface: Surface, x: str) -> tuple[float, float]:
    """Ends of the axis: the smallest value measured or allowed, the largest measured, or further.

    A size goes on to `BEYOND` times its largest value, but no further than its values are apart.
    """
    low, high = surface.extent(x)
    if is_size(surface.columns[x]):
        return low, high * min(BEYOND, high / low)
    start, end = surface.domain(x)
    return min(low, max(start, low)), min(max(high, end), 2 * high if high > 0 else high)


def _held(surface: Surface, x: str, hue: str | None) -> dict[str, float]:
    """The combination of the other factors' levels that covers most of the x and hue levels."""
    rest = [f for f in surface.factors if f not in (x, hue) and len(surface.levels[f].values)]
    if not rest:
        return {}
    codes = pd.DataFrame({f: surface.levels[f].code for f in surface.factors})
    defined = surface.inside & (codes[rest] >= 0).all(axis=1).to_numpy()
    if not defined.any():
        return {f: surface.reference[f] for f in rest}
    codes["place"] = codes[x] if hue is None else codes[x] * 1000 + codes[hue]
    covered = codes[defined].groupby(rest)["place"].nunique().reset_index(name="places")
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
        counts = [_distinct(surface, x, _matching(surface, {**held, hue: v})) for v in values]
        values = values[np.array(counts) >= min(ENOUGH, max(counts))]
    picks = np.unique(np.linspace(0, len(values) - 1, MOST_LINES).round().astype(int))
    return [float(value) for value in values[picks]]


def _at(hue: str | None, level: float, held: Mapping[str, float]) -> dict[str, float]:
    return dict(held) if hue is None else {**held, hue: level}


def _matching(surface: Surface, values: Mapping[str, float]) -> Mask:
    """Rows at the levels of the given values."""
    mask = np.ones(len(surface.table), dtype=bool)
    for factor, value in values.items():
        levels = surface.levels[factor]
        mask &= levels.matches(levels.nearest(value))
    return mask


def _distinct(surface: Surface, x: str, mask: Mask) -> int:
    codes = surface.levels[x].code[mask]
    if (codes == UNDEFINED).any() and not (codes >= 0).any():
        return ENOUGH  # a level where x is undefined is a line of its own, flat
    return len(np.unique(finite(surface.columns[x][mask])))


def _line(
    surface: Surface,
    x: str,
    grid: Floats,
    level: float,
    others: Mapping[str, float],
    mask: Mask | None,
) -> Line:
    """A line with its measured points; without points where there is no `mask` of rows."""
    points, flat = pd.DataFrame({name: [] for name in NO_POINTS}, dtype=float), float("nan")
    if mask is not None:
        undefined = mask & np.isnan(surface.columns[x])
        flat = float(surface.measured[undefined].mean()) if undefined.any() else flat
        rows = mask & ~undefined
        points = _points(surface, x, rows) if rows.any() else points
    return Line(
        level=level,
        grid=grid,
        law=surface.along(x, grid, others),
        points=points,
        flat=flat,
        bands=surface.bands_along(x, grid, others),
    )


def _points(surface: Surface, x: str, mask: Mask) -> pd.DataFrame:
    """Means over replicates (rows of one cell), with their standard deviation."""
    rows = pd.DataFrame(
        {
            "x": surface.columns[x][mask],
            "y": surface.measured[mask],
            "cell": surface.table["cell"].to_numpy()[mask],
            "inside": surface.inside[mask],
        }
    )
    cells = rows.groupby("cell")
    points = {"x": cells["x"].mean(), "y": cells["y"].mean(), "spread": cells["y"].std()}
    return pd.DataFrame({**points, "inside": cells["inside"].all()}).sort_values("x")


def _thinned(lines: tuple[Line, ...], points: int) -> tuple[Line, ...]:
    """The lines with at most `MOST_POINTS` of their points, evenly spread along each."""
    if points <= MOST_POINTS:
        return lines
    keep = MOST_POINTS / points
    picks = [np.arange(0, len(line.points), 1 / keep).astype(int) for line in lines]
    return tuple(
        replace(line, points=line.points.iloc[pick])
        for line, pick in zip(lines, picks, strict=True)
    )


def _share_rows(
    surface: Surface, x: str, hue: str | None, lines: tuple[Line, ...], shown: Mask
) -> tuple[Line, ...]:
    """Give every row shown to the nearest line; the law moves it there, it keeps its residual."""
    owner = np.zeros(len(surface.table), dtype=int)
    if hue is not None:
        logarithmic = surface.logarithmic(hue)
        values = scaled(surface.columns[hue], logarithmic)
        places = scaled(np.array([line.level for line in lines]), logarithmic)
        owner = np.nan_to_num(np.abs(values[:, None] - places[None, :])).argmin(axis=1)
    shared = []
    for place, line in enumerate(lines):
        mask = shown & (owner == place)
        values = surface.columns[x][mask]
        y = np.interp(values, line.grid, line.law) + surface.residuals[mask]
        points = pd.DataFrame(
            {"x": values, "y": y, "spread": np.nan, "inside": surface.inside[mask]}
        )
        shared.append(replace(line, points=points[np.isfinite(points["y"])]))
    return tuple(shared)


def draw_curves(surface: Surface, x: str) -> Drawing:
    """One panel: the law along `x` for a few levels of the factor that matters most beside it."""
    piece = slice_along(surface, x)
    figure, axes = new_panel()
    factor_axis(axes, piece.logarithmic, surface.levels[x], piece.span)
    colours = ramp(len(piece.lines))
    for line, colour in zip(piece.lines, colours, strict=True):
        _draw_line(axes, line, colour)
    axes.set_ylim(*_limits(surface, piece))
    label_axes(axes, axis_text(surface, x), surface.target)
    shade_outside(axes, surface.fitted_range(x))
    _label_lines(axes, piece, colours)
    _legend(figure, piece)
    laws = {line.level: line.law for line in piece.lines}
    name = "rows" if piece.adjusted else "measured points"
    drawn = rows_drawn_text(piece.drawn, piece.points, name)
    return Drawing(
        name=f"curve-{x}",
        title=f"{surface.target} along {x}",
        caption=curve_caption(
            x,
            piece.held,
            piece.lines[0].bands,
            adjusted=piece.adjusted,
            held_out=any(not line.points["inside"].astype(bool).all() for line in piece.lines),
            flat=any(np.isfinite(line.flat) for line in piece.lines),
        )
        + (f" {drawn}" if drawn else ""),
        alt=curve_alt(surface, x, piece.span, piece.hue, laws),
        figure=figure,
    )


def _draw_line(axes: Axes, line: Line, colour: str) -> None:
    for band, opacity in ((line.bands.run, RUN_BAND), (line.bands.law, LAW_BAND)):
        if band is not None:
            axes.fill_between(line.grid, *band, color=colour, alpha=opacity, linewidth=0)
    axes.plot(line.grid, line.law, color=colour, linewidth=1.9, solid_capstyle="round")
    if np.isfinite(line.flat):
        ends = (line.grid[0], line.grid[-1])
        axes.plot(ends, (line.flat, line.flat), color=colour, linewidth=1, linestyle=(0, (2, 2)))
    inside = line.points["inside"].to_numpy(dtype=bool)
    _draw_points(axes, line, inside, colour, filled=True)
    _draw_points(axes, line, ~inside, colour, filled=False)


def _legend(figure: Figure, piece: Slice) -> None:
    """What the two bands are, below the panel."""
    bands = piece.lines[0].bands
    shown = ((bands.law, LAW_BAND, "mean, 95 %"), (bands.run, RUN_BAND, "one more trial, 95 %"))
    handles = [
        Patch(facecolor=MUTED.light, alpha=min(1.0, 1.6 * opacity), label=label, linewidth=0)
        for band, opacity, label in shown
        if band is not None
    ]
    if handles:
        figure.legend(
            handles=handles,
            loc="outside lower left",
            ncols=len(handles),
            frameon=False,
            fontsize=FONT_SIZE - 1,
            labelcolor=MUTED.light,
            handlelength=1.6,
            borderaxespad=0.0,
        )


def _draw_points(axes: Axes, line: Line, mask: np.ndarray, colour: str, *, filled: bool) -> None:
    points = line.points[mask]
    if not len(points):
        return
    spread = points["spread"]
    axes.errorbar(
        points["x"],
        points["y"],
        yerr=spread.fillna(0.0) if spread.notna().any() else None,
        fmt="o" if filled else "D",
        markersize=4.2,
        markerfacecolor=colour if filled else PAPER.light,
        markeredgecolor=PAPER.light if filled else colour,
        markeredgewidth=0.6 if filled else 1.1,
        ecolor=colour,
        elinewidth=0.8,
        alpha=0.9,
        zorder=3,
    )


def _limits(surface: Surface, piece: Slice) -> tuple[float, float]:
    """Vertical range of what is drawn, not stretched by a pole of the law."""
    measured = [line.points["y"].to_numpy(dtype=float) for line in piece.lines]
    values = finite(surface.measured)
    low, high = float(values.min()), float(values.max())
    room = 0.35 * ((high - low) or 1.0)
    bands = [end for line in piece.lines for end in line.bands.law or ()]
    drawn = finite(np.concatenate([*measured, *bands, *[line.law for line in piece.lines]]))
    drawn = drawn.clip(low - room, high + room)
    if not len(drawn):
        return low, high
    edge = 0.06 * (float(np.ptp(drawn)) or 1.0)
    return float(drawn.min()) - edge, float(drawn.max()) + edge


def _label_lines(axes: Axes, piece: Slice, colours: list[str]) -> None:
    if piece.hue is None:
        return
    laws = [finite(line.law) for line in piece.lines]
    ends = [float(law[-1]) if len(law) else 0.0 for law in laws]
    short = len(piece.hue) <= LONG_NAME
    texts = [level(line.level) for line in piece.lines]
    if short:
        texts[int(np.argmax(ends))] = f"{piece.hue} = {texts[int(np.argmax(ends))]}"
    else:
        header(axes, piece.hue)
    end_labels(axes, texts, ends, colours)
