"""The files of a report in a folder; the only module that knows every output format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from mtl_laws.pipeline.io.wholefile import write_whole
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.report.figures.svg import png_file, render_svg, svg_file
from mtl_laws.pipeline.report.html import render_html
from mtl_laws.pipeline.report.markdown import render_markdown
from mtl_laws.pipeline.report.page import ReportContext, build_page

HTML_NAME, MARKDOWN_NAME, FIGURES = "report.html", "report.md", "figures"


def remove_report(out: Path) -> None:
    """Remove the report in `out` and its figures: they show other laws."""
    for former in (out / HTML_NAME, out / MARKDOWN_NAME, *_figures(out)):
        former.unlink(missing_ok=True)


def _figures(out: Path) -> Iterator[Path]:
    return (out / FIGURES).glob("*.[sp][vn]g")


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
    names = {f"{name}{kind}" for name in pictures for kind in (".svg", ".png")}
    for former in _figures(out):
        if former.name not in names:
            former.unlink()
    for drawing in page.drawings:
        write_whole(out / FIGURES / f"{drawing.name}.svg", svg_file(pictures[drawing.name]))
        write_whole(out / FIGURES / f"{drawing.name}.png", png_file(drawing))
    write_whole(out / MARKDOWN_NAME, render_markdown(page))
    write_whole(out / HTML_NAME, render_html(page, pictures))
