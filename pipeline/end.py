"""The end of a run: from the results of a study to its laws and its report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import InputError
from pipeline.files.tablefile import numbers, read_table
from pipeline.fit import LAWS_NAME, TABLE_NAME, Source, fit_laws, write_report_of
from pipeline.foresight import in_the_study, question_of
from pipeline.laws.lawsfile import read_laws
from pipeline.laws.problem import OWN_COLUMNS
from pipeline.run import TABLE_NAME as RESULTS_NAME
from pipeline.store import STORE_NAME, read_rows
from pipeline.table import learning_curves
from pipeline.terminal.search_progress import SearchProgress

if TYPE_CHECKING:
    from typing import Any

    import pandas as pd

    from pipeline.study import Study


def conclude(
    study: Study, path: Path, out: Path, engine: str | None = None, jobs: int = -1
) -> dict[str, Any]:
    """Find the laws of a study whose models are trained; leave laws and report in its folder."""
    table = read_table(out / RESULTS_NAME)
    question = question_of(study, jobs, engine)
    with in_the_study(engine), SearchProgress() as progress:
        return fit_laws(table, question, _source(study, path, out), out, progress)


def rewrite_report(folder: Path) -> None:
    """Write the report of a folder again, from its ``laws.json`` and its table.

    Raises
    ------
    InputError
        if the folder holds no laws or they cannot be read.
    """
    if not folder.is_dir():
        raise InputError("FOLDER", str(folder), f"a folder with {LAWS_NAME}, as run or fit left it")
    document = read_laws(folder / LAWS_NAME)
    rows = _analysed(folder / TABLE_NAME, document)
    command = str(document["provenance"]["command"])
    title = f"{document['target']}: {folder.resolve().name}"
    source = Source(str(folder), title, "", _curves(folder), command)
    write_report_of(document, rows, source, folder)


def _analysed(path: Path, document: dict[str, Any]) -> pd.DataFrame:
    """The rows that the laws were found on, their columns as the report needs them."""
    rows = read_table(path)
    for column in (*document["factors"], document["target"]):
        rows[column] = numbers(rows, column, str(path))
    for column in OWN_COLUMNS:
        if column not in rows:
            raise InputError(str(path), column, f"a table with this column, as beside {LAWS_NAME}")
    if not (rows["role"] == "fit").any():
        raise InputError(f"{path}, column role", rows["role"].iloc[0], "'fit' in some rows")
    return rows


def _source(study: Study, path: Path, out: Path) -> Source:
    return Source(str(path), f"Study {path.stem}", study.question, _curves(out))


def _curves(folder: Path) -> pd.DataFrame | None:
    """Learning curves of the models trained in a folder; None where none were."""
    if not (folder / STORE_NAME).exists():
        return None
    return learning_curves(read_rows(folder / STORE_NAME))
