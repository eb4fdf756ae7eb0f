"""A study from beginning to end: preflight, training, table, laws, report."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_laws.pipeline.columns import ordinary_rows
from mtl_laws.pipeline.fit import Source, curves_of, fit_to_folder
from mtl_laws.pipeline.study.storefile import STORE_NAME
from mtl_laws.pipeline.study.study import Study

if TYPE_CHECKING:
    from mtl_laws.pipeline.laws.lawset import LawSet
    from mtl_laws.pipeline.laws.search import Progress
    from mtl_laws.pipeline.study.backends import RunOptions


def run_study(
    study: Study | Path | str,
    out: Path | str,
    engine: str | None = None,
    options: RunOptions | None = None,
    progress: Progress | None = None,
    announce: Callable[[LawSet], None] = lambda laws: None,
) -> LawSet:
    """The laws of a study, as `mtl-laws run` finds them; training, laws and report are in `out`.

    Parameters
    ----------
    study : a `Study`, or the path of its file.
    out : folder of the run. If a run was interrupted, the same call resumes it.
    engine : used instead of the engine of the study.
    options : where models are trained. The default is all cores of this machine, without progress.
    progress : called with stage, done and total of the law search.
    announce : called with the laws when they are written, before the report is drawn.

    Raises
    ------
    UserError
        if the study cannot be trained or fitted, or the folder cannot be used.
    """
    from mtl_laws.pipeline.study.active import rounds_of
    from mtl_laws.pipeline.study.backends import RunOptions
    from mtl_laws.pipeline.study.preflight import at_study_keys, preflight, question_of
    from mtl_laws.pipeline.study.train import train_study

    path = Path("study") if isinstance(study, Study) else Path(study)
    study = study if isinstance(study, Study) else Study.load(path)
    out, options = Path(out), options or RunOptions(progress=False)

    preflight(study, engine, started=os.path.exists(out / STORE_NAME))
    table = train_study(study, out, options)
    question = question_of(study, options.jobs, engine)
    rounds = rounds_of(out, question.target)
    curves = curves_of(out, table)
    source = Source(str(path), f"Study {path.stem}", study.question, curves, rounds)
    with at_study_keys(question, engine):
        rows = ordinary_rows(table)
        return fit_to_folder(rows, question, source, out, progress, announce)
