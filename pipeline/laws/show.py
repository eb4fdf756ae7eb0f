"""Laws as a piece of HTML: MathML, no script, no colour of its own, so light and dark both do."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from mtl_laws.pipeline.laws.law import Law, scores_in_words
from mtl_laws.pipeline.symbolic.typeset.mathml import formula_markup, left_side
from mtl_laws.pipeline.symbolic.typeset.numbers import score

MOST_LAWS = 8
WIDE = "overflow-x:auto;max-width:100%"
CELL = "text-align:left;padding:0.2em 0.8em"
HEADS = ("nodes", "law", "R² fitted", "R² outside", "")


def laws_html(target: str, selected: Law | None, front: Sequence[Law], notes: Sequence[str]) -> str:
    """The selected law, its scores, the front around it, and the notes."""
    formula, scores = "no valid law", ""
    if selected is not None:
        formula = formula_markup(selected.shown, display=False)
        scores = scores_in_words(selected.scores)
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return (
        f'<div style="{WIDE}"><p>{left_side(target, display=False)} {formula}</p>'
        f"<p>{escape(scores)}</p></div>"
        f'<div style="{WIDE}">{_front(selected, _around(selected, front))}</div>'
        + (f"<ul>{items}</ul>" if items else "")
    )


def _around(selected: Law | None, front: Sequence[Law]) -> Sequence[Law]:
    """At most `MOST_LAWS` valid laws of the front, the selected one among them."""
    valid = [law for law in front if law.valid]
    place = next((i for i, law in enumerate(valid) if _same(law, selected)), 0)
    start = max(0, min(place - MOST_LAWS // 2, len(valid) - MOST_LAWS))
    return valid[start : start + MOST_LAWS]


def _front(selected: Law | None, laws: Sequence[Law]) -> str:
    head = "".join(f'<th scope="col" style="{CELL}">{name}</th>' for name in HEADS)
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
    return "<tr>" + "".join(f'<td style="{CELL}">{cell}</td>' for cell in cells) + "</tr>"


def _same(law: Law, other: Law | None) -> bool:
    return other is not None and law.expression == other.expression
