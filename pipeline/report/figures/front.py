"""The laws of the front by complexity and extrapolated error, lettered or numbered, and drawn.

The *front* is that of ``laws.json``: every law that no simpler law beats, fitted or extrapolated.
A valid law that no simpler valid law beats when extrapolated *leads*.

Notation
--------
error : unexplained fraction of the variance in the extrapolation folds, 1 − R²; the RMSE there
    where no R² is recorded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from string import ascii_uppercase

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.report.figure_text import FRONT, front_alt, front_tip
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
from mtl_laws.pipeline.symbolic.typeset.numbers import number

UNEXPLAINED = "unexplained fraction, extrapolated (1 − R²)"
EXTRAPOLATED_RMSE = "extrapolated error (RMSE)"
#: laws that have a letter as their name
MOST_LETTERS = 12
#: where a label can stand, in points from its mark, the best place first
BESIDE = tuple((dx, dy) for far in (0, 8, 16) for dy in (5 + far, -12 - far) for dx in (4, -4))
BESIDE_SELECTED = ((-5, -12), (-5, 5), (5, -12), (5, 5))
#: width of a character, in units of the font size
LETTER = 0.7
#: errors above this many times the best valid one are drawn at the upper edge
OFF_SCALE = 30.0
#: an unexplained fraction of 1 is no better than the mean of the data; a little more is still shown
WORTHLESS = 2.0


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One law of the front.

    Attributes
    ----------
    key : id of its mark in the figure.
    label : its name in figure and table: a letter, or a number where another law leads.
    error : see Notation; None where unknown.
    leads : valid, and no simpler valid law extrapolates better.
    """

    law: Law
    key: str
    label: str
    error: float | None
    selected: bool
    leads: bool


@dataclass(frozen=True)
class Front:
    """Entries by complexity, and what their errors are."""

    entries: tuple[Entry, ...]
    measure: str

    @property
    def leaders(self) -> tuple[Entry, ...]:
        """Those with a letter: the laws that lead, and the selected one."""
        return tuple(entry for entry in self.entries if entry.label.isalpha())

    @property
    def others(self) -> tuple[Entry, ...]:
        """Those with a number."""
        return tuple(entry for entry in self.entries if not entry.label.isalpha())


def build_front(laws: Sequence[Law], selected: Law | None) -> Front:
    """Entries for `laws`; the selected one is added if it is not among them."""
    pool = list(laws)
    chosen = None if selected is None else selected.expression
    if selected is not None and all(law.expression != chosen for law in pool):
        pool.append(selected)
    pool.sort(key=lambda law: (law.complexity, _error(law, UNEXPLAINED)))
    scored = any(math.isfinite(_error(law, UNEXPLAINED)) for law in pool)
    measure = UNEXPLAINED if scored else EXTRAPOLATED_RMSE
    errors = [_error(law, measure) for law in pool]
    leaders, best = set(), math.inf
    for place, (law, error) in enumerate(zip(pool, errors, strict=True)):
        if law.valid and error < best:
            best = error
            leaders.add(place)
    labels = _labels(pool, leaders, chosen)
    entries = tuple(
        Entry(
            law=law,
            key=f"law{place}",
            label=labels[place],
            error=errors[place] if math.isfinite(errors[place]) else None,
            selected=law.expression == chosen,
            leads=place in leaders,
        )
        for place, law in enumerate(pool)
    )
    return Front(entries, measure)


def _error(law: Law, measure: str) -> float:
    """The error of a law; infinite where unknown."""
    r2, rmse = (law.scores.get(f"{kind}_extrapolation") for kind in ("r2", "rmse"))
    if measure == EXTRAPOLATED_RMSE:
        return math.inf if rmse is None else rmse
    return math.inf if r2 is None else max(1.0 - r2, 1e-9)


def _labels(pool: Sequence[Law], leaders: set[int], chosen: str | None) -> list[str]:
    """A, B, C… for the leading laws and the selected one, 1, 2, 3… for the others.

    Where more laws lead than there are letters, the most complex ones get numbers.
    """
    must = {place for place, law in enumerate(pool) if law.expression == chosen}
    named = {*sorted(leaders | must)[:MOST_LETTERS], *must}
    letters, numbers = iter(ascii_uppercase), count(1)
    return [next(letters) if place in named else str(next(numbers)) for place in range(len(pool))]


def draw_front(front: Front) -> Drawing | None:
    """Complexity against error of every law on the front; None if there is nothing to compare."""
    measure = front.measure
    entries = [entry for entry in front.entries if entry.error is not None]
    if len(entries) < 2:
        return None
    figure, axes = new_panel(width=5.2, height=3.4)
    errors = [e.error for e in entries if e.error is not None and e.law.valid and e.error > 0]
    errors = errors or [e.error for e in entries if e.error is not None and e.error > 0]
    least = WORTHLESS if measure == UNEXPLAINED else 0.0
    ceiling = max(OFF_SCALE * min(errors, default=0.0), least) or 1.0
    leaders = [entry for entry in entries if entry.leads]
    axes.step(
        [entry.law.complexity for entry in leaders],
        [_height(entry, ceiling) for entry in leaders],
        where="post",
        color=LINE.light,
        linewidth=1.2,
        zorder=1,
    )
    for entry in entries:
        _draw_entry(axes, entry, ceiling)
    _scale(axes, entries, ceiling)
    label_axes(axes, "complexity (nodes of the formula)", measure)
    _draw_labels(axes, figure, entries, ceiling)
    return Drawing(
        name="front",
        title="Complexity against extrapolated error",
        caption=FRONT,
        alt=front_alt(
            {entry.label: entry.error for entry in entries if entry.error is not None},
            [entry.label for entry in leaders],
            measure,
            next(((entry.label, entry.law) for entry in entries if entry.selected), None),
        ),
        figure=figure,
        tips={entry.key: front_tip(entry.label, entry.law, entry.selected) for entry in entries},
    )


def _height(entry: Entry, ceiling: float) -> float:
    return float(np.clip(entry.error or 0.0, 1e-9, ceiling))


def _draw_entry(axes: Axes, entry: Entry, ceiling: float) -> None:
    height = _height(entry, ceiling)
    beyond = (entry.error or 0.0) > ceiling
    marker = "^" if beyond else ("o" if entry.law.valid else "X")
    colour = _colour(entry)
    (mark,) = axes.plot(
        [entry.law.complexity],
        [height],
        marker=marker,
        markersize=9 if entry.selected else 6.5,
        markerfacecolor=colour if entry.selected or not entry.law.valid else PAPER.light,
        markeredgecolor=colour,
        markeredgewidth=1.2 if entry.law.valid else 0.4,
        linestyle="none",
        clip_on=False,
        zorder=4 if entry.selected else 3,
    )
    mark.set_gid(entry.key)


def _colour(entry: Entry) -> str:
    doubtful = not entry.law.valid or entry.law.limits
    return LAW.light if entry.selected else (MUTED.light if doubtful else INK.light)


def _draw_labels(axes: Axes, figure: Figure, entries: Sequence[Entry], ceiling: float) -> None:
    """A label beside every mark, the selected law's first, where it covers no other label."""
    figure.draw_without_rendering()  # the place of the axes is known from here on
    taken: list[tuple[float, float, float, float]] = []
    for entry in sorted(entries, key=lambda one: (not one.selected, not one.label.isalpha())):
        text = f"selected  {entry.label}" if entry.selected else entry.label
        size = FONT_SIZE - (0 if entry.selected else 1 if entry.label.isalpha() else 1.8)
        at = (entry.law.complexity, _height(entry, ceiling))
        x, y = axes.transData.transform(at) * 72 / figure.dpi
        boxes = {}
        for dx, dy in BESIDE_SELECTED if entry.selected else BESIDE:
            left = x + dx - (LETTER * size * len(text) if dx < 0 else 0.0)
            boxes[dx, dy] = (left, y + dy, left + LETTER * size * len(text), y + dy + size)
        place = min(boxes, key=lambda key: sum(_common(boxes[key], other) for other in taken))
        taken.append(boxes[place])
        axes.annotate(
            text,
            at,
            xytext=place,
            ha="right" if place[0] < 0 else "left",
            textcoords="offset points",
            color=_colour(entry),
            fontsize=size,
            fontweight="bold" if entry.selected else "normal",
        )


def _common(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> float:
    """Area that two boxes (left, bottom, right, top) have in common."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    return max(across, 0.0) * max(min(one[3], other[3]) - max(one[1], other[1]), 0.0)


def _scale(axes: Axes, entries: Sequence[Entry], ceiling: float) -> None:
    heights = [_height(entry, ceiling) for entry in entries]
    low, high = min(heights), max(heights)
    axes.set_ylim(0.7 * low, 1.12 * high)
    axes.set_yscale("log")
    steps = (1, 2, 5) if high / low < 400 else (1,)
    decades = range(int(np.floor(np.log10(low))) - 1, int(np.ceil(np.log10(high))) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    axes.yaxis.set_major_locator(
        FixedLocator([tick for tick in ticks if 0.7 * low <= tick <= 1.15 * high])
    )
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 2)))
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    sizes = [entry.law.complexity for entry in entries]
    width = max(sizes) - min(sizes)
    chosen = min((entry.law.complexity for entry in entries if entry.selected), default=max(sizes))
    crowded = chosen - min(sizes) < 0.25 * width  # room for the word left of the selected law
    axes.set_xlim(min(sizes) - 1 - (0.25 * width if crowded else 0), max(sizes) + 1 + 0.06 * width)
