"""The files of a report in a folder; the only module that knows every output format."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from mtl_laws.pipeline.io.wholefile import write_whole
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.report.figures.svg import png_file, render_svg, svg_file
from mtl_laws.pipeline.report.html import render_html
from mtl_laws.pipeline.report.markdown import render_markdown
from mtl_laws.pipeline.report.page import ReportContext, build_page

HTML_NAME, MARKDOWN_NAME, FIGURES = "report.html", "report.md", "figures"
KINDS = (".svg", ".png")


def remove_report(out: Path) -> None:
    """Remove the report in `out` and its figures: they show other laws."""
    for former in (*_figures(out), out / HTML_NAME, out / MARKDOWN_NAME):
        former.unlink(missing_ok=True)


def _figures(out: Path) -> list[Path]:
    """The figures that ``report.md`` shows; other pictures in the folder are the user's."""
    page = out / MARKDOWN_NAME
    text = page.read_text(encoding="utf-8", errors="replace") if page.is_file() else ""
    shown = set(re.findall(rf"\]\({FIGURES}/([^/\n]+)\.png\)", text))
    return [out / FIGURES / f"{name}{kind}" for name in sorted(shown) for kind in KINDS]


def write_report(out: Path, laws: LawSet, table: pd.DataFrame, context: ReportContext) -> None:
    """Write ``report.html``, ``report.md`` and ``figures/*.svg|png`` to `out`.

    Figures of a former report are removed.

    Parameters
    ----------
    out : folder, created if missing.
    laws : what ``laws.json`` holds.
    table : the analysed rows: factor columns (NaN where undefined), the target, ``role`` ("fit" or
        "hold-out") and ``cell`` (equal for replicates).
    context : title, command and extras.

    Raises
    ------
    UserError
        if the folder cannot be written, or the table lacks a column that the laws need.
    """
    page = build_page(laws, table, context)
    pictures = {drawing.name: render_svg(drawing) for drawing in page.drawings}
    names = {f"{name}{kind}" for name in pictures for kind in KINDS}
    for former in _figures(out):
        if former.name not in names:
            former.unlink(missing_ok=True)
    write_whole(out / MARKDOWN_NAME, render_markdown(page))  # first: it names the figures
    for drawing in page.drawings:
        write_whole(out / FIGURES / f"{drawing.name}.svg", svg_file(pictures[drawing.name]))
        write_whole(out / FIGURES / f"{drawing.name}.png", png_file(drawing))
    write_whole(out / HTML_NAME, render_html(page, pictures))
