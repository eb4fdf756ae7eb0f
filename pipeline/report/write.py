"""The files of a report in a folder; the only module that knows every output format."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mtl_laws.pipeline.io.wholefile import write_whole
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.report.figures.svg import png_file, render_svg, svg_file
from mtl_laws.pipeline.report.html import render_html
from mtl_laws.pipeline.report.markdown import render_markdown
from mtl_laws.pipeline.report.page import ReportContext, build_page


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
    for former in (out / "figures").glob("*.[sp][vn]g"):
        if former.name not in names:
            former.unlink()
    for drawing in page.drawings:
        write_whole(out / "figures" / f"{drawing.name}.svg", svg_file(pictures[drawing.name]))
        write_whole(out / "figures" / f"{drawing.name}.png", png_file(drawing))
    write_whole(out / "report.md", render_markdown(page))
    write_whole(out / "report.html", render_html(page, pictures))
