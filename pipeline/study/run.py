"""A study from beginning to end: check, train, find laws, write the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mtl_laws.pipeline.columns import RESULTS_NAME, ordinary_rows
from mtl_laws.pipeline.fit import Source, curves_of, fit_to_folder
from mtl_laws.pipeline.io.tablefile import read_table
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
) -> LawSet:
    """Run a study, as `mtl-laws run` does: train its models, find laws, write the report.

    Parameters
    ----------
    study : a `Study`, or the path of its file.
    out : folder of the run. An interrupted run resumes when it is called again.
    engine : instead of the study's.
    options : where models are trained; all cores of this machine, without progress, where None.
    progress : called with stage, done and total of the law search.

    Raises
    ------
    UserError
        if the study cannot be trained or fitted, or the folder cannot be used.
    """
    from mtl_laws.pipeline.study.backends import RunOptions
    from mtl_laws.pipeline.study.preflight import foresee
    from mtl_laws.pipeline.study.train import train_study

    path = Path("study") if isinstance(study, Study) else Path(study)
    asked = study if isinstance(study, Study) else Study.load(path)
    chosen = options or RunOptions(progress=False)
    foresee(asked, engine)
    train_study(asked, Path(out), chosen)
    return find_laws_of_study(asked, path, Path(out), engine, chosen.jobs, progress)


def find_laws_of_study(
    study: Study,
    path: Path,
    out: Path,
    engine: str | None = None,
    jobs: int = -1,
    progress: Progress | None = None,
) -> LawSet:
    """Find the laws of a study whose models are trained; leave laws and report in its folder."""
    from mtl_laws.pipeline.study.preflight import at_study_keys, question_of

    table = ordinary_rows(read_table(out / RESULTS_NAME))
    question = question_of(study, jobs, engine)
    source = Source(str(path), f"Study {path.stem}", study.question, curves_of(out))
    with at_study_keys(question, engine):
        return fit_to_folder(table, question, source, out, progress)
