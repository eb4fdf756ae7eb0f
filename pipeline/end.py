"""The end of a run: from the results of a study to its laws and its report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.files.tablefile import read_table
from pipeline.fit import Source, curves_of, fit_to_folder
from pipeline.foresight import question_of, said_in_the_study
from pipeline.table import RESULTS_NAME, ordinary_rows

if TYPE_CHECKING:
    from pipeline.laws.lawset import LawSet
    from pipeline.laws.search import Progress
    from pipeline.study import Study


def conclude(
    study: Study,
    path: Path,
    out: Path,
    engine: str | None = None,
    jobs: int = -1,
    progress: Progress | None = None,
) -> LawSet:
    """Find the laws of a study whose models are trained; leave laws and report in its folder."""
    table = ordinary_rows(read_table(out / RESULTS_NAME))
    question = question_of(study, jobs, engine)
    with said_in_the_study(question, engine):
        return fit_to_folder(table, question, _source(study, path, out), out, progress)


def _source(study: Study, path: Path, out: Path) -> Source:
    return Source(str(path), f"Study {path.stem}", study.question, curves_of(out))
