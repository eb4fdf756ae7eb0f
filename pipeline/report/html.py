"""The report as one HTML file: formulas as MathML, figures inline, no script, no network."""

from __future__ import annotations

from markupsafe import Markup

from pipeline.report import palette
from pipeline.report.environment import TEMPLATES, template
from pipeline.report.figures.canvas import Drawing
from pipeline.report.grid import Cell, Code, Formula
from pipeline.report.latex import formula_latex
from pipeline.report.mathml import formula_markup, left_side
from pipeline.report.page import Page
from pipeline.report.svg import inline


def render_html(page: Page) -> str:
    """The whole report."""
    return template(
        "report.html.j2",
        drawing=_drawing,
        math=_math,
        left_side=_left_side,
        latex=formula_latex,
        cell=_cell,
        style=_style,
    ).render(page=page)


def _drawing(drawing: Drawing) -> Markup:
    return Markup(inline(drawing))


def _math(expression: str, digits: int | None = 3, display: bool = True) -> Markup:
    return Markup(formula_markup(expression, digits, display))


def _left_side(target: str) -> Markup:
    return Markup(left_side(target))


def _cell(cell: Cell) -> Markup:
    """Contents of a table cell; plain text is escaped."""
    if isinstance(cell, Formula):
        return Markup(formula_markup(cell.expression, None if cell.exact else 3, display=False))
    if isinstance(cell, Code):
        return Markup("<code>{}</code>").format(cell.text)
    return Markup("{}").format(cell)


def _style() -> Markup:
    """The stylesheet with the palette of both themes."""
    sheet = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    light, dark = palette.variables("light"), palette.variables("dark")
    themes = (
        f":root {{ color-scheme: light dark; {light} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
    )
    return Markup(themes + sheet)
