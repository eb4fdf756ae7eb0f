"""Laws in a notebook: a table in HTML, and a plot along one factor with the 95 % interval.

The HTML is MathML without scripts and colours, so it fits a light and a dark page. The report
chooses its own figures from the data; the plot here shows what the user asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

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

MOST_LAWS = 8
SCROLLABLE = "overflow-x:auto;max-width:100%"
CELL_STYLE = "text-align:left;padding:0.2em 0.8em"
HEADS = ("nodes", "law", "R² fitted", "R² outside", "")

POINTS, MOST_LINES = 160, 6
#: a factor that spans more than this ratio has a logarithmic axis
WIDE = 20.0
SIZE = (6.0, 4.0)


def laws_html(target: str, selected: Law | None, front: Sequence[Law], notes: Sequence[str]) -> str:
    """The selected law, its scores, the front around it, and the notes."""
    formula, scores = "no valid law", ""
    if selected is not None:
        formula = formula_markup(selected.shown, display=False)
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
    ranges : factor -> where the law was fitted.
    column : the group column; None where no constant differs between groups.
    intervals : predictions with intervals for a table, as `LawSet.intervals` makes them.
    """

    law: Law
    target: str
    ranges: Mapping[str, tuple[float, float]]
    column: str | None
    intervals: Callable[[pd.DataFrame], pd.DataFrame]

    def draw(self, x: str | None, by: str | None, at: Mapping[str, float]) -> Figure:
        """The figure; parameters and errors are those of `LawSet.plot`."""
        from matplotlib.figure import Figure

        factors = self.law.factors
        axis = x or next((name for name in factors if self.law.uses(name)), factors[0])
        by = by or self.column
        self._check(axis, by, at)
        values = _spread(*self._range(axis), POINTS)
        defaults = {name: float(_spread(*self._range(name), 3)[1]) for name in factors}
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        for label, line in self._lines(by).items():
            table = pd.DataFrame({**defaults, **at, **line, axis: values})
            _draw(axes, values, self.intervals(table), self.target, label)
        if values[0] > 0 and values[-1] > WIDE * values[0]:
            axes.set_xscale("log")
        axes.set_xlabel(axis)
        axes.set_ylabel(self.target)
        if by is not None:
            axes.legend(title=by)
        return figure

    def _check(self, axis: str, by: str | None, at: Mapping[str, float]) -> None:
        lines = [*self.law.factors, *([self.column] if self.column else [])]
        checks = [("x", axis, self.law.factors), *(("at", name, self.law.factors) for name in at)]
        for field, name, options in [*checks, *([("by", by, lines)] if by else [])]:
            if name not in options:
                raise UserError(field, nearest(name, options), name)

    def _range(self, factor: str) -> tuple[float, float]:
        return self.ranges.get(factor, (0.0, 1.0))

    def _lines(self, by: str | None) -> dict[str, dict[str, object]]:
        """Label of each line -> its values of the group or of the factor `by`."""
        levels = self.law.levels[:MOST_LINES]
        first: dict[str, object] = {} if self.column is None else {self.column: levels[0]}
        if by is None:
            return {"": first}
        if by == self.column:
            return {level: {by: level} for level in levels}
        places = _spread(*self._range(by), 3).tolist()
        return {number(place): {**first, by: place} for place in places}


def _draw(axes: Axes, x: Floats, bands: pd.DataFrame, target: str, label: str) -> None:
    (line,) = axes.plot(x, bands[target].to_numpy(dtype=float), label=label)
    low, high = (bands[name].to_numpy(dtype=float) for name in ("law_low", "law_high"))
    if np.isfinite(low).any():
        axes.fill_between(x, low, high, color=line.get_color(), alpha=0.2, linewidth=0)


def _spread(low: float, high: float, count: int) -> Floats:
    """Values from `low` to `high`, evenly spaced on the axis that the factor has."""
    if low > 0 and high > WIDE * low:
        return np.geomspace(low, high, count)
    return np.linspace(low, high, count)
