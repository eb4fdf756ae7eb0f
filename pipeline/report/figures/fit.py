"""Measured against predicted values, and the residuals along each factor."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from mtl_laws.pipeline.laws.levels import NOWHERE, UNDEFINED, Floats
from mtl_laws.pipeline.report.figure_text import (
    axis_text,
    fit_alt,
    residual_alt,
    residual_caption,
    rows_drawn_text,
)
from mtl_laws.pipeline.report.figures.canvas import (
    FONT_SIZE,
    HELD_OUT,
    INK,
    LAW,
    MUTED,
    PAPER,
    Drawing,
    factor_axis,
    label_axes,
    new_panel,
    ramp,
    shade_outside,
)
from mtl_laws.pipeline.report.surface import Mask, Surface, subsample
from mtl_laws.pipeline.symbolic.typeset.numbers import level

#: points drawn in one panel at most
MOST_POINTS = 700
#: windows of the running mean of residuals
WINDOWS = 8


def draw_fit(surface: Surface, factor: str) -> Drawing:
    """Measured against predicted, coloured by `factor`."""
    figure, axes = new_panel(height=3.6)
    shown = subsample(np.isfinite(surface.predicted) & np.isfinite(surface.measured), MOST_POINTS)
    groups, names = _groups(surface, factor)
    for group, (name, colour) in enumerate(zip(names, ramp(len(names)), strict=True)):
        _scatter(axes, surface, shown & (groups == group), colour, name)
    undefined = shown & (groups < 0)
    if undefined.any():
        _scatter(axes, surface, undefined, MUTED.light, "undefined")
    measured = surface.measured[shown]
    low, high = (float(measured.min()), float(measured.max())) if shown.any() else (0.0, 1.0)
    room = 0.05 * ((high - low) or 1.0)
    ends = (low - room, high + room)
    axes.plot(ends, ends, color=INK.light, linewidth=0.9, zorder=0.9)
    predicted = surface.predicted[shown].clip(low - 6 * room, high + 6 * room)
    axes.set_xlim(min([ends[0], *predicted]), max([ends[1], *predicted]))
    axes.set_ylim(ends[0], ends[1] + 4 * room)
    label_axes(axes, f"{surface.target} predicted by the law", f"{surface.target} measured")
    axes.legend(
        title=factor,
        loc="upper left",
        fontsize=FONT_SIZE - 1,
        title_fontsize=FONT_SIZE - 1,
        alignment="left",
        frameon=False,
        handletextpad=0.1,
        borderaxespad=0.2,
    )
    return Drawing(
        name=f"fit-{factor}",
        title=f"Measured against predicted, by {factor}",
        caption=rows_drawn_text(int(shown.sum()), len(shown)),
        alt=fit_alt(surface, factor),
        figure=figure,
    )


def _groups(surface: Surface, factor: str) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Group of each row (−1 where undefined), at most four groups of neighbouring levels."""
    levels = surface.levels[factor]
    values = surface.columns[factor]
    codes = levels.code.copy()
    between = codes == NOWHERE
    codes[between] = [levels.nearest(value) for value in values[between]]
    count = min(4, len(levels.values))
    parts = np.array_split(np.arange(len(levels.values)), count) if count else []
    lookup = np.repeat(np.arange(count), [len(part) for part in parts])
    groups = np.full(len(codes), -1, dtype=np.int64)
    defined = codes != UNDEFINED
    groups[defined] = lookup[codes[defined]]
    if levels.binned:
        return groups, [_span_name(values[groups == k]) for k in range(count)]
    return groups, [_span_name(levels.values[part]) for part in parts]


def _span_name(values: Floats) -> str:
    low, high = level(float(values.min())), level(float(values.max()))
    return low if low == high else f"{low} to {high}"


def _scatter(axes: Axes, surface: Surface, mask: Mask, colour: str, name: str) -> None:
    inside, outside = mask & surface.inside, mask & ~surface.inside
    axes.plot(
        surface.predicted[inside],
        surface.measured[inside],
        marker="o",
        linestyle="none",
        markersize=4.2,
        markerfacecolor=colour,
        markeredgecolor=PAPER.light,
        markeredgewidth=0.4,
        alpha=0.85,
        label=name,
    )
    axes.plot(
        surface.predicted[outside],
        surface.measured[outside],
        marker="D",
        linestyle="none",
        markersize=3.8,
        markerfacecolor=PAPER.light,
        markeredgecolor=colour,
        markeredgewidth=1.0,
    )


def draw_residuals(surface: Surface, factor: str | None) -> Drawing:
    """Residuals along `factor`, or along the prediction itself where it is None."""
    x = surface.predicted if factor is None else surface.columns[factor]
    defined = np.isfinite(x) & np.isfinite(surface.residuals)
    shown = subsample(defined, MOST_POINTS)
    figure, axes = new_panel(height=2.7)
    if factor is not None:
        levels = surface.levels[factor]
        factor_axis(axes, surface.logarithmic(factor), levels, surface.extent(factor))
    _residual_points(axes, surface, x, shown & surface.inside, LAW.light)
    _residual_points(axes, surface, x, shown & ~surface.inside, HELD_OUT.light)
    axes.axhline(0, color=INK.light, linewidth=0.9)
    means = _running_mean(surface, x, defined & surface.inside, factor)
    axes.plot(*means, color=INK.light, linewidth=1.6, marker="_", markersize=9)
    if defined.any():  # symmetric limits that a few wild held-out rows cannot stretch
        sizes = np.abs(surface.residuals[defined])
        reach = 1.15 * min(float(sizes.max()), 4 * float(np.quantile(sizes, 0.9)))
        axes.set_ylim(-(reach or 1.0), reach or 1.0)
    name = f"{surface.target} predicted" if factor is None else axis_text(surface, factor)
    label_axes(axes, name, f"{surface.target}: measured − predicted")
    if factor is not None:
        shade_outside(axes, surface.fitted_range(factor))
    undefined = factor is not None and bool(np.isnan(x).any())
    drawn = rows_drawn_text(int(shown.sum()), int(defined.sum()))
    return Drawing(
        name=f"residuals-{factor or 'predicted'}",
        title=f"Residuals along {factor or 'the prediction'}",
        caption=residual_caption(factor, undefined, drawn),
        alt=residual_alt(means[1], name, surface.scale),
        figure=figure,
    )


def _residual_points(axes: Axes, surface: Surface, x: Floats, mask: Mask, colour: str) -> None:
    axes.plot(
        x[mask],
        surface.residuals[mask],
        marker="o",
        linestyle="none",
        markersize=3.4,
        markerfacecolor=colour,
        markeredgecolor="none",
        alpha=0.55,
        zorder=2,
    )


def _running_mean(
    surface: Surface, x: Floats, mask: Mask, factor: str | None
) -> tuple[Floats, Floats]:
    """Mean residual in windows of equal counts, or at each level of a factor."""
    order = np.argsort(x[mask], kind="stable")
    ordered, residuals = x[mask][order], surface.residuals[mask][order]
    levels = None if factor is None else surface.levels[factor]
    if levels is not None and not levels.binned and len(levels.values) <= WINDOWS:
        codes = levels.code[mask][order]
        parts = [np.flatnonzero(codes == k) for k in range(len(levels.values))]
    else:
        parts = np.array_split(np.arange(len(ordered)), WINDOWS)
    parts = [part for part in parts if len(part)]
    middles = [float(np.median(ordered[part])) for part in parts]
    return np.array(middles), np.array([float(residuals[part].mean()) for part in parts])
