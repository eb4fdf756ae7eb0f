"""The Pareto front: what a simpler or a longer formula costs outside the fitted region."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from mtl_laws.pipeline.report.figures.canvas import (
    FONT_SIZE,
    INK,
    LAW,
    LINE,
    MUTED,
    PAPER,
    Drawing,
    label_axes,
    new_panel,
)
from mtl_laws.pipeline.report.front import UNEXPLAINED, Entry
from mtl_laws.pipeline.symbolic.typeset.numbers import number, score

#: errors above this many times the best valid one are drawn at the upper edge
OFF_SCALE = 30.0
#: an unexplained share of 1 is no better than the mean of the data; a little more is still shown
WORTHLESS = 2.0


def draw_front(entries: Sequence[Entry], measure: str) -> Drawing | None:
    """Complexity against error of every law on the front; None if there is nothing to compare.

    Parameters
    ----------
    entries : laws with their letters and errors.
    measure : what the error is, for the axis.
    """
    known = [entry for entry in entries if entry.error is not None]
    if len(known) < 2:
        return None
    figure, axes = new_panel(width=5.2, height=3.4)
    ceiling = _ceiling(known, measure)
    _draw_staircase(axes, [entry for entry in known if entry.leads], ceiling)
    for entry in known:
        _draw_entry(axes, entry, ceiling)
    _scale(axes, known, ceiling)
    label_axes(axes, "complexity (nodes of the formula)", measure)
    return Drawing(
        name="front",
        title="Simplicity against error outside",
        caption=(
            "Lower is better, further left is simpler. The line joins the laws that lead; the "
            "filled point is the selected one. Grey circles have an implausible limit, filled grey "
            "marks are not valid (they leave the bounds or have a pole), triangles are off the "
            "scale. Letters and numbers name the rows of the tables."
        ),
        alt=_alt(known, measure),
        figure=figure,
        tips={entry.key: entry.tip for entry in known},
    )


def _ceiling(entries: Sequence[Entry], measure: str) -> float:
    errors = [e.error for e in entries if e.error is not None and e.valid and e.error > 0]
    errors = errors or [e.error for e in entries if e.error is not None and e.error > 0]
    least = WORTHLESS if measure == UNEXPLAINED else 0.0
    return max(OFF_SCALE * min(errors, default=0.0), least) or 1.0


def _height(entry: Entry, ceiling: float) -> float:
    return float(np.clip(entry.error or 0.0, 1e-9, ceiling))


def _draw_staircase(axes: Axes, front: Sequence[Entry], ceiling: float) -> None:
    ordered = sorted(front, key=lambda entry: entry.complexity)
    x = [entry.complexity for entry in ordered]
    y = [_height(entry, ceiling) for entry in ordered]
    axes.step(x, y, where="post", color=LINE.light, linewidth=1.2, zorder=1)


def _draw_entry(axes: Axes, entry: Entry, ceiling: float) -> None:
    height = _height(entry, ceiling)
    beyond = (entry.error or 0.0) > ceiling
    marker = "^" if beyond else ("o" if entry.valid else "X")
    doubtful = not entry.valid or entry.limits
    colour = LAW.light if entry.selected else (MUTED.light if doubtful else INK.light)
    (mark,) = axes.plot(
        [entry.complexity],
        [height],
        marker=marker,
        markersize=9 if entry.selected else 6.5,
        markerfacecolor=colour if entry.selected or not entry.valid else PAPER.light,
        markeredgecolor=colour,
        markeredgewidth=1.2 if entry.valid else 0.4,
        linestyle="none",
        clip_on=False,
        zorder=4 if entry.selected else 3,
    )
    mark.set_gid(entry.key)
    _draw_label(axes, entry, height, colour)


def _draw_label(axes: Axes, entry: Entry, height: float, colour: str) -> None:
    axes.annotate(
        f"selected  {entry.label}" if entry.selected else entry.label,
        (entry.complexity, height),
        xytext=(-5, -12) if entry.selected else (4, 5),
        ha="right" if entry.selected else "left",
        textcoords="offset points",
        color=colour,
        fontsize=FONT_SIZE - (0 if entry.selected else 1 if entry.label.isalpha() else 1.8),
        fontweight="bold" if entry.selected else "normal",
    )


def _scale(axes: Axes, entries: Sequence[Entry], ceiling: float) -> None:
    heights = [_height(entry, ceiling) for entry in entries]
    axes.set_ylim(0.7 * min(heights), 1.12 * max(heights))
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(_log_ticks(min(heights), max(heights)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 2)))
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    sizes = [entry.complexity for entry in entries]
    width = max(sizes) - min(sizes)
    chosen = min((entry.complexity for entry in entries if entry.selected), default=max(sizes))
    crowded = chosen - min(sizes) < 0.25 * width  # room for the word left of the selected law
    axes.set_xlim(min(sizes) - 1 - (0.25 * width if crowded else 0), max(sizes) + 1 + 0.06 * width)


def _log_ticks(low: float, high: float) -> FixedLocator:
    steps = (1, 2, 5) if high / low < 400 else (1,)
    decades = range(int(np.floor(np.log10(low))) - 1, int(np.ceil(np.log10(high))) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    return FixedLocator([tick for tick in ticks if 0.7 * low <= tick <= 1.15 * high])


def _alt(entries: Sequence[Entry], measure: str) -> str:
    leaders = [entry.label for entry in entries if entry.leads]
    text = (
        f"The front: {len(entries)} laws by complexity and {measure}, of which {len(leaders)} "
        f"lead: {', '.join(leaders)}."
    )
    chosen = next((entry for entry in entries if entry.selected), None)
    if chosen is None:
        return text
    return (
        f"{text} The selected law, {chosen.label}, has {chosen.complexity} nodes, "
        f"{measure} {number(chosen.error)} and R² {score(chosen.r2)} there."
    )
