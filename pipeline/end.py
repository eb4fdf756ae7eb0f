"""The end of a run: from the results of a study to its laws and its report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import InputError
from pipeline.fit import LAWS_NAME, TABLE_NAME, Source, fit_laws, write_report_of
from pipeline.laws.problem import Question
from pipeline.run import TABLE_NAME as RESULTS_NAME
from pipeline.search_progress import SearchProgress
from pipeline.store import STORE_NAME, open_store
from pipeline.table import learning_curves
from pipeline.tablefile import read_table

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.study import Study

#: columns that tell one cell's replicates from another's: what was asked for, not what was drawn
DESIGN = (
    "T",
    "n_request",
    "n_aux_request",
    "ami_request",
    "label_noise",
    "feature_overlap",
    "sharing",
    "shared_layers",
    "weighting",
    "control",
)
ACCEPTED = "a laws.json as run or fit writes"


def conclude(
    study: Study, path: Path, out: Path, engine: str | None = None, jobs: int = -1
) -> dict[str, Any]:
    """Find the laws of a study whose models are trained; leave laws and report in its folder."""
    table = read_table(out / RESULTS_NAME)
    question = _question(study, jobs)
    question = question if engine is None else replace(question, engine=engine)
    with SearchProgress() as progress:
        return fit_laws(table, question, _source(study, path, out), out, progress)


def rewrite_report(folder: Path) -> None:
    """Write the report of a folder again, from its ``laws.json`` and its table.

    Raises
    ------
    InputError
        if the folder holds no laws or they cannot be read.
    """
    document = read_laws(folder / LAWS_NAME)
    rows = read_table(folder / TABLE_NAME)
    command = str(document["provenance"]["command"])
    source = Source(
        str(folder), f"{document['target']}: {folder.name}", "", _curves(folder), command
    )
    write_report_of(document, rows, source, folder)


def read_laws(path: Path) -> dict[str, Any]:
    """The document in a ``laws.json``.

    Raises
    ------
    InputError
        if there is none, or it is not a document of schema 1.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            str(path), type(error).__name__, "a laws.json as run or fit writes"
        ) from error
    if not isinstance(document, dict) or document.get("schema") != 1:
        raise InputError(str(path), "no schema 1", ACCEPTED)
    return document


def _question(study: Study, jobs: int) -> Question:
    laws = study.laws
    return Question(
        laws.target,
        dict(laws.factors),
        laws.bounds,
        dict(laws.domain),
        laws.hold_out,
        laws.engine,
        laws.budget,
        laws.time_limit,
        laws.seed,
        jobs,
        DESIGN,
    )


def _source(study: Study, path: Path, out: Path) -> Source:
    return Source(str(path), f"Study {path.stem}", study.question, _curves(out))


def _curves(folder: Path) -> pd.DataFrame | None:
    """Learning curves of the models trained in a folder; None where none were."""
    if not (folder / STORE_NAME).exists():
        return None
    with open_store(folder / STORE_NAME) as store:
        return learning_curves(store.rows())
