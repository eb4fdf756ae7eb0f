"""From a table, or from a study, to a `LawSet`: silent, unless a progress function is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import pandas as pd
from typing_extensions import Unpack

from pipeline.errors import UserError
from pipeline.fit import Source, fit_question
from pipeline.laws.lawset import LawSet
from pipeline.laws.question import Question
from pipeline.laws.rules import Rules
from pipeline.laws.search import Progress
from pipeline.notebook.arguments import check_settings

if TYPE_CHECKING:
    from pipeline.running.backends import RunOptions
    from pipeline.study import Study

Bounds = tuple[float | None, float | None]


class SearchSettings(TypedDict, total=False):
    """What may be left out; each means what the option of `mtl-laws fit` of its name means.

    ``domain`` is {factor: (low, high)}; ``groups`` is a list of columns, or one column; ``forms``
    is a list of formulas, or one formula; ``rules`` are thresholds of the method that differ from
    the default.
    """

    domain: Mapping[str, tuple[float, float]]
    hold_out: str | None
    engine: str
    budget: str
    time_limit: float | None
    seed: int
    jobs: int
    where: str | None
    groups: Sequence[str]
    sd: str | None
    weights: str | None
    loss: str
    forms: Sequence[str]
    rules: Rules


def fit_laws(
    table: pd.DataFrame,
    target: str,
    factors: Mapping[str, str] | Sequence[str],
    bounds: Bounds = (None, None),
    progress: Progress | None = None,
    **settings: Unpack[SearchSettings],
) -> LawSet:
    """Find laws in a table of results, as `mtl-laws fit` does; nothing is written or printed.

    Parameters
    ----------
    table : one row per trained model; a missing value is an undefined factor (AMI at T = 1).
    target : column to explain.
    factors : {name in the formula: column}, or the columns, each under its own name.
    bounds : lowest and highest value the target can take, None for none.
    progress : called with stage, done and total.
    settings : domain, hold_out, engine, budget, time_limit, seed, jobs, where, groups, sd, weights,
        loss, forms, rules; see `SearchSettings`.

    Raises
    ------
    UserError
        if the question does not fit the table; the path is the argument.
    NoLawError
        if no law is valid over the domain.
    """
    _check(table, settings)
    named = dict(factors) if isinstance(factors, Mapping) else {name: name for name in factors}
    groups = settings.get("groups", ())
    settings["groups"] = (groups,) if isinstance(groups, str) else tuple(groups)
    forms = settings.get("forms", ())
    settings["forms"] = (forms,) if isinstance(forms, str) else forms
    question = Question(target, named, bounds, **settings)
    source = Source("table", f"{target} in a table", command=_call(question))
    return fit_question(table, question, source, progress).laws


def run(
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
    out : folder of the run; the same call goes on where one that was stopped had come to.
    engine : instead of the study's.
    options : where models are trained; all cores of this machine, without progress, where None.
    progress : called with stage, done and total of the law search.

    Raises
    ------
    UserError
        if the study asks for what cannot be had, or the folder cannot be used.
    """
    from pipeline.end import conclude
    from pipeline.foresight import foresee
    from pipeline.running.backends import RunOptions
    from pipeline.runs import run_study
    from pipeline.study import Study

    path = Path("study") if isinstance(study, Study) else Path(study)
    asked = study if isinstance(study, Study) else Study.load(path)
    chosen = options or RunOptions(progress=False)
    foresee(asked, engine)
    run_study(asked, Path(out), chosen)
    conclude(asked, path, Path(out), engine, chosen.jobs, progress)
    return LawSet.load(out)


def _check(table: pd.DataFrame, settings: SearchSettings) -> None:
    if not isinstance(table, pd.DataFrame):
        raise UserError("table", type(table).__name__, "a pandas DataFrame")
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise UserError("table", str(twice[0]), "every column name once")
    check_settings("fit_laws", settings, SearchSettings.__annotations__)


def _call(question: Question) -> str:
    """The call that asks this question, for the record."""
    plain = Question(question.target, question.factors, question.bounds)
    given = [
        f"{name}={'rules' if name == 'rules' else repr(getattr(question, name))}"
        for name in SearchSettings.__annotations__
        if getattr(question, name) != getattr(plain, name)
    ]
    told = (repr(question.target), repr(dict(question.factors)), repr(tuple(question.bounds)))
    return f"fit_laws({', '.join(['table', *told, *given])})"
