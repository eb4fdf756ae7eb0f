"""The picture of an advice: predicted gains with their intervals, as SVG in the page's colours.

Notation
--------
x : gain, in units of the score;  rows from top to bottom as in the table
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from mtl_laws.pipeline.advice.prediction import Suggestion
from mtl_laws.pipeline.advice.record import Advice
from mtl_laws.pipeline.advice.words import headline, signed

#: widths and heights in pixels of the drawing's own scale
LABELS, PLOT, ROW, FOOT = 230, 400, 28, 34
#: letters of a label that fit
LETTERS = 30


def gain_chart(advice: Advice) -> Markup:
    """The drawing, with its content in words for those who do not see it."""
    shown = [one for one in advice.suggestions if math.isfinite(one.gain.value)]
    if advice.best is not None and advice.best not in shown:
        shown.insert(0, advice.best)
    if not shown:
        return Markup("")
    low, high = _range(shown)
    height = ROW * len(shown)
    rows = Markup("").join(_row(one, k, (low, high)) for k, one in enumerate(shown))
    zero = _place(0.0, (low, high))
    axis = Markup(
        '<line class="axis" x1="{0}" y1="{2}" x2="{1}" y2="{2}"/>'
        '<line class="zero" x1="{3:.1f}" y1="0" x2="{3:.1f}" y2="{2}"/>'
    ).format(LABELS, LABELS + PLOT, height, zero)
    return Markup(
        '<svg class="chart" role="img" aria-label="{}" viewBox="0 0 {} {}">{}{}{}</svg>'
    ).format(
        _said(advice, shown),
        LABELS + PLOT + 20,
        height + FOOT,
        axis,
        rows,
        _ticks(low, high, height),
    )


def _said(advice: Advice, shown: Sequence[Suggestion]) -> str:
    gains = (f"{' + '.join(one.auxiliaries)} {signed(one.gain.value)}" for one in shown)
    return f"{headline(advice)} Predicted gains: {', '.join(gains)}."


def _range(shown: Sequence[Suggestion]) -> tuple[float, float]:
    """What the axis shows: every interval, and zero."""
    ends = [0.0]
    for one in shown:
        for pair in ((one.gain.value,), one.gain.law, one.gain.run):
            ends += [end for end in pair or () if math.isfinite(end)]
    low, high = min(ends), max(ends)
    margin = 0.04 * (high - low) or 0.01
    return low - margin, high + margin


def _place(value: float, ends: tuple[float, float]) -> float:
    return LABELS + PLOT * (value - ends[0]) / (ends[1] - ends[0])


def _row(one: Suggestion, number: int, ends: tuple[float, float]) -> Markup:
    y = ROW * number + ROW / 2
    name = " + ".join(one.auxiliaries)
    label = name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"
    parts = [Markup('<text x="0" y="{:.1f}">{}</text>').format(y + 4, escape(label))]
    for kind, pair in (("run", one.gain.run), ("law", one.gain.law)):
        if pair is not None and all(map(math.isfinite, pair)):
            x1, x2 = (_place(end, ends) for end in pair)
            line = Markup('<line class="{}" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>')
            parts.append(line.format(kind, x1, x2, y, y))
    dot = Markup('<circle cx="{:.1f}" cy="{:.1f}" r="4"/>')
    return Markup("").join([*parts, dot.format(_place(one.gain.value, ends), y)])


def _ticks(low: float, high: float, top: int) -> Markup:
    step = 10 ** math.floor(math.log10(high - low))
    step *= next(share for share in (0.2, 0.5, 1.0, 2.0) if (high - low) / (share * step) <= 7)
    values = [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
    text = Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>')
    return Markup("").join(
        text.format(_place(value, (low, high)), top + 20, f"{value:+.2g}" if value else "0")
        for value in values
    )
