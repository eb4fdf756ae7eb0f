"""What a search left in a folder, read back: laws, rows, learning curves; and its report again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UserError
from pipeline.files.tablefile import numbers, read_table
from pipeline.fit import LAWS_NAME, TABLE_NAME, Fit, Source, write_report_of
from pipeline.laws.bands import Uncertainty
from pipeline.laws.law import Law
from pipeline.laws.lawset import read_laws
from pipeline.laws.question import OWN_COLUMNS
from pipeline.store import STORE_NAME, read_rows
from pipeline.table import RESULTS_NAME, learning_curves

if TYPE_CHECKING:
    import pandas as pd

#: what a report has to know of a learning curve's model
CURVE_COLUMNS = ("T", "n", "ami", "best_step")


def rewrite_report(folder: Path) -> None:
    """Write the report of a folder again, from its ``laws.json`` and its table.

    Raises
    ------
    UserError
        if the folder holds no laws or they cannot be read.
    """
    found = read_fit(folder)
    write_report_of(found.document, found.rows, found.source, folder)


def read_fit(folder: Path) -> Fit:
    """What a search left in a folder: its ``laws.json`` and the analysed rows.

    Raises
    ------
    UserError
        if the folder holds no laws or they cannot be read.
    """
    if not folder.is_dir():
        raise UserError("folder", str(folder), f"a folder with {LAWS_NAME}, as run or fit left it")
    document = read_laws(folder / LAWS_NAME)
    rows = _analysed(folder / TABLE_NAME, document)
    made = document["provenance"]
    title = made["title"] or f"{document['target']}: {folder.resolve().name}"
    source = Source(str(folder), title, made["question"], curves_of(folder), made["command"])
    return Fit(document, rows, source)


def with_region(law: Law, document: Mapping[str, Any]) -> Law:
    """A law of a document; one that was recorded without bands still says where it was fitted."""
    if law.uncertainty is not None:
        return law
    data = document["data"]
    return replace(law, uncertainty=Uncertainty({}, None, None, data["ranges"], data["domain"]))


def _analysed(path: Path, document: dict[str, Any]) -> pd.DataFrame:
    """The rows that the laws were found on, their columns as the report needs them."""
    rows = read_table(path)
    for column in (*document["factors"], document["target"]):
        rows[column] = numbers(rows, column, str(path))
    for column in OWN_COLUMNS:
        if column not in rows:
            raise UserError(str(path), column, f"a table with this column, as beside {LAWS_NAME}")
    if not (rows["role"] == "fit").any():
        raise UserError(f"{path}, column role", rows["role"].iloc[0], "'fit' in some rows")
    return rows


def curves_of(folder: Path) -> pd.DataFrame | None:
    """Learning curves of the models trained in a folder, with what each was; None without any."""
    if not (folder / STORE_NAME).exists() or not (folder / RESULTS_NAME).exists():
        return None
    cells = read_table(folder / RESULTS_NAME)
    curves = learning_curves(read_rows(folder / STORE_NAME))
    return curves.merge(cells[["cell", *CURVE_COLUMNS]], on="cell")
