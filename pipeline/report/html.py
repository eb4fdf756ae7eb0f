"""The report as one HTML file: formulas as MathML, figures inline, no network.

The only script is that of the explorer; without it the page is complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup

from mtl_laws.pipeline.io.templates import templates_in
from mtl_laws.pipeline.report.explorer import Explorer
from mtl_laws.pipeline.report.figures.canvas import Drawing, theme_variables
from mtl_laws.pipeline.report.figures.svg import inline_svg
from mtl_laws.pipeline.report.page import Page
from mtl_laws.pipeline.report.tables import Cell, Formula
from mtl_laws.pipeline.symbolic.typeset.latex import formula_latex
from mtl_laws.pipeline.symbolic.typeset.mathml import formula_markup, left_side
from mtl_laws.pipeline.symbolic.typeset.width import formula_width

TEMPLATES = Path(__file__).parent / "templates"
#: what a line must not break, with a no-break space or a word joiner in it
UNBROKEN = {" %": "\u00a0%", "± ": "±\u00a0", " = ": "\u00a0=\u00a0", "1/√": "1/\u2060√"}


def render_html(page: Page, pictures: Mapping[str, str]) -> str:
    """The whole report; `pictures` is the SVG text of each drawing, by its name."""

    def drawing(item: Drawing) -> Markup:
        return Markup(inline_svg(item, pictures[item.name]))

    functions = {
        "drawing": drawing,
        "math": lambda expression: Markup(formula_markup(expression, 3, True)),
        "left_side": lambda target: Markup(left_side(target)),
        "latex": formula_latex,
        "cell": _cell,
        "ems": lambda expression: f"--ems: {formula_width(expression):.1f}",
        "style": _style,
        "unbroken": _unbroken,
        "script": script,
    }
    template = templates_in(TEMPLATES).get_template("report.html.j2", globals=functions)
    return template.render(page=page)


def script(explorer: Explorer) -> Markup:
    """The laws and their data, and the code that answers from them, as inline JavaScript."""
    code = (TEMPLATES / "explorer.js").read_text(encoding="utf-8")
    return Markup(f"const data = {explorer.data};\nconst forms = {explorer.forms};\n{code}")


def _unbroken(text: str) -> str:
    """Numbers on one line with their sign and their percent sign, 1/√n with its root."""
    for loose, firm in UNBROKEN.items():
        text = text.replace(loose, firm)
    return text


def _cell(cell: Cell) -> Markup:
    """Contents of a table cell; plain text is escaped."""
    if isinstance(cell, Formula):
        return Markup(formula_markup(cell.expression, 3, display=False))
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
