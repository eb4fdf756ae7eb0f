"""The report as Markdown: figures linked from ``figures/``, formulas as LaTeX between dollars."""

from __future__ import annotations

import re

from mtl_laws.pipeline.io.templates import templates_in
from mtl_laws.pipeline.report.html import TEMPLATES
from mtl_laws.pipeline.report.page import Page
from mtl_laws.pipeline.report.tables import Cell, Formula, Grid
from mtl_laws.pipeline.symbolic.typeset.latex import formula_latex

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#$~])")


def render_markdown(page: Page) -> str:
    """The whole report."""
    functions = {"prose": prose, "table": table, "latex": formula_latex, "fence": fence}
    template = templates_in(TEMPLATES).get_template("report.md.j2", globals=functions)
    return re.sub(r"\n{3,}", "\n\n", template.render(page=page)).strip() + "\n"


def prose(text: str) -> str:
    """`text` with everything Markdown or HTML could read as markup escaped."""
    return _SPECIAL.sub(r"\\\1", str(text)).replace("&", "&amp;").replace("\n", " ")


def fence(text: str) -> str:
    """`text` as a fenced shell block, whatever backticks it holds."""
    marks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{marks}sh\n{text}\n{marks}"


def table(grid: Grid) -> str:
    """A pipe table."""
    rule = ["---:" if place in grid.numeric else "---" for place in range(len(grid.headers))]
    lines = [[prose(header) for header in grid.headers], rule]
    lines += [[_cell(cell) for cell in row.cells] for row in grid.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(cell: Cell) -> str:
    if isinstance(cell, Formula):
        return f"${formula_latex(cell.expression)}$".replace("|", r"\vert ")
    return prose(cell)
