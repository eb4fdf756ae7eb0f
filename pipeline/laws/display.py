"""Laws in a notebook: a table in HTML, and a plot along one factor with the 95 % interval.

The HTML is MathML without scripts and colours, so it fits a light and a dark page. The report
chooses its own figures from the data; the plot here shows what the user asks for.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from mtl_laws.pipeline.errors import UserError, nearest
from mtl_laws.pipeline.laws.law import Law, scores_in_words
from mtl_laws.pipeline.symbolic.tree import Floats
from mtl_laws.pipeline.symbolic.typeset.mathml import formula_markup, left_side
from mtl_laws.pipeline.symbolic.typeset.numbers import number, score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import ColorType

MOST_LAWS = 8
SCROLLABLE = "overflow-x:auto;max-width:100%"
CELL_STYLE = "text-align:left;padding:0.2em 0.8em"
HEADS = ("nodes", "law", "R² fitted", "R² outside", "")

POINTS, MOST_LINES = 160, 6
#: a factor that spans more than this ratio has a logarithmic axis
WIDE = 20.0
SIZE = (6.0, 4.0)
DPI, GREY = 120, "0.5"
ALPHA = {"law": 0.25, "run": 0.1}
#: with more lines, the intervals of one more trial would hide each other
MOST_BANDED = 3

Range: TypeAlias = tuple[float, float]


def laws_html(
    target: str,
    selected: Law | None,
    front: Sequence[Law],
    notes: Sequence[str],
    size: str = "",
) -> str:
    """The selected law, its scores, the front around it, and the notes.

    Parameters
    ----------
    size : the amount of data, as in `Law.effective`.
    """
    formula, scores = "no valid law", ""
    if selected is not None:
        formula = selected.markup_line(size)
        scores = scores_in_words(selected.scores)
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return (
        f'<div style="{SCROLLABLE}"><p>{left_side(target, display=False)} {formula}</p>'
        f"<p>{escape(scores)}</p></div>"
        f'<div style="{SCROLLABLE}">{_front(selected, _around(selected, front))}</div>'
        + (f"<ul>{items}</ul>" if items else "")
    )


def _around(selected: Law | None, front: Sequence[Law]) -> Sequence[Law]:
    """At most `MOST_LAWS` valid laws of the front, the selected one among them."""
    valid = [law for law in front if law.valid]
    place = next((i for i, law in enumerate(valid) if _same(law, selected)), 0)
    start = max(0, min(place - MOST_LAWS // 2, len(valid) - MOST_LAWS))
    return valid[start : start + MOST_LAWS]


def _front(selected: Law | None, laws: Sequence[Law]) -> str:
    head = "".join(f'<th scope="col" style="{CELL_STYLE}">{name}</th>' for name in HEADS)
    body = "".join(_row(law, _same(law, selected)) for law in laws)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _row(law: Law, chosen: bool) -> str:
    cells = (
        str(law.complexity),
        formula_markup(law.shown, display=False),
        score(law.scores.get("r2_train")),
        score(law.scores.get("r2_extrapolation")),
        "selected" if chosen else "",
    )
    return "<tr>" + "".join(f'<td style="{CELL_STYLE}">{cell}</td>' for cell in cells) + "</tr>"


def _same(law: Law, other: Law | None) -> bool:
    return other is not None and law.expression == other.expression


@dataclass(frozen=True, kw_only=True)
class LawPlot:
    """A plot of a law along one factor.

    Attributes
    ----------
    law, target : the law, and what it explains.
    ranges, domain : factor -> where the law was fitted, and where it must be valid.
    column : the group column; None where no constant differs between groups.
    intervals : predictions with intervals for a table, as `LawSet.intervals` makes them.
    levels : levels of a factor in the fitted rows; none where these are not known.
    """

    law: Law
    target: str
    ranges: Mapping[str, Range]
    domain: Mapping[str, Range]
    column: str | None
    intervals: Callable[[pd.DataFrame], pd.DataFrame]
    levels: Callable[[str], Floats]

    def draw(self, x: str | None, by: str | None, at: Mapping[str, float]) -> Figure:
        """The figure; parameters and errors are those of `LawSet.plot`."""
        factors = self.law.factors
        axis = x or next((name for name in factors if self.law.uses(name)), factors[0])
        by = by or self.column
        self._check(axis, by, at)
        values = _spread(*self._ends(axis), POINTS)
        others = [name for name in factors if name not in (axis, by)]
        held = {name: float(at.get(name, self._middle(name))) for name in others}
        figure = law_figure()
        axes = figure.subplots()
        lines = self._lines(by)
        kinds = ("run", "law") if len(lines) <= MOST_BANDED else ("law",)
        for label, line in lines.items():
            bands = self.intervals(pd.DataFrame({**held, **line, axis: values}))
            (curve,) = axes.plot(values, bands[self.target].to_numpy(dtype=float), label=label)
            _fill(axes, values, bands, kinds, curve.get_color())
        if values[0] > 0 and values[-1] > WIDE * values[0]:
            axes.set_xscale("log")
        _shade(axes, (float(values[0]), float(values[-1])), self.ranges.get(axis))
        axes.set_xlabel(axis)
        axes.set_ylabel(self.target)
        shown = [f"{name} = {number(value)}" for name, value in held.items() if self.law.uses(name)]
        axes.set_title(f"at {', '.join(shown)}" if shown else "", fontsize="medium")
        if axes.get_legend_handles_labels()[0]:
            axes.legend(title=by)
        return figure

    def _check(self, axis: str, by: str | None, at: Mapping[str, float]) -> None:
        lines = [*self.law.factors, *([self.column] if self.column else [])]
        checks = [("x", axis, self.law.factors), *(("at", name, self.law.factors) for name in at)]
        for field, name, options in [*checks, *([("by", by, lines)] if by else [])]:
            if name not in options:
                raise UserError(field, nearest(name, options), name)

    def _ends(self, factor: str) -> Range:
        """The ends of an axis: the domain, and the fitted range where it reaches further."""
        low, high = self.ranges.get(factor, (0.0, 1.0))
        first, last = self.domain.get(factor, (low, high))
        return min(low, first), max(high, last)

    def _places(self, factor: str) -> Floats:
        """Values of a factor that stand for all: its levels, else the ends and the middle."""
        levels = self.levels(factor)
        if not len(levels):
            return _spread(*self.ranges.get(factor, (0.0, 1.0)), 3)
        places = np.linspace(0, len(levels) - 1, min(len(levels), MOST_LINES))
        return np.asarray(levels[np.rint(places).astype(int)])

    def _middle(self, factor: str) -> float:
        places = self._places(factor)
        return float(places[len(places) // 2])

    def _lines(self, by: str | None) -> dict[str, dict[str, object]]:
        """Label of each line -> its values of the group or of the factor `by`."""
        levels = self.law.levels[:MOST_LINES]
        first: dict[str, object] = {} if self.column is None else {self.column: levels[0]}
        if by is None:
            return {"": first}
        if by == self.column:
            return {level: {by: level} for level in levels}
        return {number(place): {**first, by: place} for place in self._places(by).tolist()}


def law_figure() -> Figure:
    """An empty figure that a notebook shows as a picture, whether or not pyplot is loaded."""
    from matplotlib.figure import Figure

    class LawFigure(Figure):
        """A figure that is a picture in a notebook."""

        def _repr_png_(self) -> bytes:
            stream = io.BytesIO()
            self.savefig(stream, format="png", dpi=DPI)
            return stream.getvalue()

    return LawFigure(figsize=SIZE, layout="constrained")


def _fill(
    axes: Axes, x: Floats, bands: pd.DataFrame, kinds: Sequence[str], colour: ColorType
) -> None:
    """Bands of a line, the outer one first and lighter."""
    for kind in kinds:
        low, high = (bands[f"{kind}_{end}"].to_numpy(dtype=float) for end in ("low", "high"))
        if np.isfinite(low).any():
            axes.fill_between(x, low, high, color=colour, alpha=ALPHA[kind], linewidth=0)


def _shade(axes: Axes, ends: Range, fitted: Range | None) -> None:
    """Grey where the law was not fitted."""
    axes.set_xlim(*ends) if ends[0] < ends[1] else None
    label = "outside the fitted range"
    for low, high in () if fitted is None else ((ends[0], fitted[0]), (fitted[1], ends[1])):
        if low < high:
            axes.axvspan(low, high, color=GREY, alpha=0.15, linewidth=0, zorder=0, label=label)
            label = ""


def _spread(low: float, high: float, count: int) -> Floats:
    """Values from `low` to `high`, evenly spaced on the axis that the factor has."""
    if low > 0 and high > WIDE * low:
        return np.geomspace(low, high, count)
    return np.linspace(low, high, count)
