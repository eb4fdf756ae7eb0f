"""Advice as one HTML file: no script, no network, light and dark."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from mtl_laws.pipeline.advice.chart import gain_chart
from mtl_laws.pipeline.advice.record import Advice
from mtl_laws.pipeline.advice.words import chart_note, grids, headline, law_notes
from mtl_laws.pipeline.io.templates import templates_in
from mtl_laws.pipeline.symbolic.typeset import formula_markup
from mtl_laws.pipeline.symbolic.typeset.mathml import left_side

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class ShownAdvice(Advice):
    """Advice that a notebook shows as its tables."""

    def _repr_html_(self) -> str:
        return tables_html(self)


def tables_html(advice: Advice) -> str:
    """The tables of an advice, for a page or a notebook."""
    return templates_in(TEMPLATES).get_template("tables.html.j2").render(grids=grids(advice))


def advice_html(advice: Advice) -> str:
    """The whole page."""
    formula = formula_markup(advice.law.expression, digits=3)
    page = templates_in(TEMPLATES).get_template("advice.html.j2")
    return page.render(
        style=Markup((TEMPLATES / "advice.css").read_text(encoding="utf-8")),
        main=advice.profile.main.name,
        source=advice.profile.source,
        headline=headline(advice),
        warnings=advice.warnings,
        chart=gain_chart(advice),
        tables=Markup(tables_html(advice)),
        formula=Markup(left_side(advice.target) + formula),
        chart_note=chart_note(advice),
        law_notes=law_notes(advice),
        left_out=advice.left_out,
    )
