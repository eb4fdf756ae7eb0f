"""The report as one HTML file: formulas as MathML, figures inline, no script, no network."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from mtl_laws.pipeline.report.environment import TEMPLATES, template
from mtl_laws.pipeline.report.figures.canvas import Drawing, theme_variables
from mtl_laws.pipeline.report.figures.svg import inline_svg
from mtl_laws.pipeline.report.grid import Cell, Code, Formula
from mtl_laws.pipeline.report.page import Page
from mtl_laws.pipeline.symbolic.typeset.latex import formula_latex
from mtl_laws.pipeline.symbolic.typeset.mathml import formula_markup, left_side
from mtl_laws.pipeline.symbolic.typeset.width import formula_width

#: what a line must not break, with a no-break space or a word joiner in it
KEPT = {" %": "\u00a0%", "± ": "±\u00a0", " = ": "\u00a0=\u00a0", "1/√": "1/\u2060√"}


def render_html(page: Page, pictures: Mapping[str, str]) -> str:
    """The whole report; `pictures` is the SVG text of each drawing, by its name."""

    def drawing(item: Drawing) -> Markup:
        return Markup(inline_svg(item, pictures[item.name]))

    return template(
        "report.html.j2",
        drawing=drawing,
        math=_math,
        left_side=_left_side,
        latex=formula_latex,
        cell=_cell,
        ems=_ems,
        style=_style,
        unbroken=_unbroken,
    ).render(page=page)


def _math(expression: str, digits: int | None = 3, display: bool = True) -> Markup:
    return Markup(formula_markup(expression, digits, display))


def _left_side(target: str) -> Markup:
    return Markup(left_side(target))


def _unbroken(text: str) -> str:
    """Numbers kept on one line with their sign and their percent sign, 1/√n with its root."""
    for loose, firm in KEPT.items():
        text = text.replace(loose, firm)
    return text


def _ems(*expressions: str) -> str:
    """CSS variable with the width of the widest expression, by which narrow pages shrink it."""
    return f"--ems: {max(formula_width(expression) for expression in expressions):.1f}"


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
    light, dark = theme_variables("light"), theme_variables("dark")
    themes = (
        f":root {{ color-scheme: light dark; {light} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
    )
    return Markup(themes + sheet)
