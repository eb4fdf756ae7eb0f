"""What a study's end will need, looked at before its beginning, while no model has been trained.

The law search comes last in a run, hours after the study file was read: a mistake in the `laws`
block must not wait until then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import numpy as np
from pandas.api.types import is_numeric_dtype

from mtl_laws.pipeline.errors import UserError, from_simulator
from mtl_laws.pipeline.laws.holdout import check_condition
from mtl_laws.pipeline.laws.question import MAX_SEED, Question, check_levels, check_question
from mtl_laws.pipeline.laws.rules import DataRules
from mtl_laws.pipeline.study.store import Row
from mtl_laws.pipeline.study.table import outcomes_table
from mtl_laws.pipeline.study.trials import Trial, expand
from mtl_laws.pipeline.symbolic.engines.choice import choose
from mtl_laws.simulator import SpecError, make_taskset

if TYPE_CHECKING:
    import pandas as pd

    from mtl_laws.pipeline.study.study import Study

#: an outcome as it stands before there is one
UNTRAINED = {"status": "", "scores": {}, "steps": 0, "best_step": 0, "seconds": 0.0, "message": ""}
#: trials that show every level of every factor
ENOUGH = 5_000


def foresee(study: Study, engine: str | None = None) -> None:
    """Refuse a study whose laws could not be searched once its models are trained.

    Raises
    ------
    UserError
        if the `laws` block speaks of columns that the table will not hold, of factors that the
        study does not vary, of an engine that is not ready; or a corpus cannot be read.
    """
    if max(study.seeds) > MAX_SEED:
        raise UserError("seeds", f"whole numbers from 0 to {MAX_SEED}", max(study.seeds))
    one_seed = expand(study.model_copy(update={"seeds": study.seeds[:1]}))
    ordinary = [trial for trial in one_seed if trial.control is None]
    least = DataRules().min_rows
    if len(ordinary) * len(study.seeds) < least:
        found = f"{len(ordinary) * len(study.seeds)} trials"
        raise UserError("factors", f"levels and seeds for at least {least} trials", found)
    question = question_of(study, 1, engine)
    with at_study_keys(question, engine):
        choose(question.engine)
        check_question(question)
        if question.hold_out is not None:
            check_condition(question.hold_out, question.factors)
        _check_columns(question, _planned(ordinary), len(study.seeds))
    _check_corpora(one_seed)


def _planned(trials: Sequence[Trial]) -> pd.DataFrame:
    """The table that these trials will give, as far as it is known before they are trained."""
    some = Random(0).sample(trials, min(len(trials), ENOUGH))
    rows = (Row(trial.digest, trial.to_json(), UNTRAINED) for trial in some)
    table = outcomes_table(rows, {})
    return table.assign(ami=table["ami_request"])


def _check_columns(question: Question, planned: pd.DataFrame, seeds: int) -> None:
    """Refuse text, factors and groups that the study does not vary, and groups of few rows.

    `expand` has refused unknown names.
    """
    weighting = [("sd", question.sd), ("weights", question.weights)]
    for field, column in (("target", question.target), *_named(question), *weighting):
        if column in planned and not is_numeric_dtype(planned[column]):
            raise UserError(field, "a column of numbers; docs/columns.md lists them", column)
    for field, column in _named(question):
        values = planned[column] if column in planned else planned["T"] * 0.0
        told = values[planned["T"] > 1] if column == "ami" else values
        if told.notna().all() and told.nunique() < 2:
            expected = "a factor with at least two levels in the study; vary it or leave it out"
            raise UserError(field, expected, column)
    for column in question.groups:
        _check_group(column, planned, seeds, question.rules.data)


def _check_group(column: str, planned: pd.DataFrame, seeds: int, rules: DataRules) -> None:
    """Refuse a group column that the study does not vary, or of which some rows have no level."""
    levels = planned[column].astype(str) if column in planned else None
    if levels is None or levels.nunique() < 2:
        expected = "a column with at least two levels in the study; vary it or leave it out"
        raise UserError("groups", expected, column)
    if planned[column].isna().any():
        raise UserError("groups", "a column without empty cells", column)
    if len(planned) < ENOUGH:
        rows = seeds * levels.value_counts(sort=False)
        check_levels(column, tuple(map(str, rows.index)), rows.to_numpy().astype(np.int64), rules)


def _named(question: Question) -> list[tuple[str, str]]:
    """Field and column of every factor."""
    return [(f"factors.{name}", column) for name, column in question.factors.items()]


def _check_corpora(trials: Sequence[Trial]) -> None:
    """Read every corpus once, and draw the largest tasks from it: what is missing shows now."""
    largest: dict[tuple[str, int], Trial] = {}
    for trial in sorted(trials, key=lambda trial: trial.task.tokens):
        if trial.task.options.get("corpus") is not None:
            largest[str(trial.task.options), trial.task.tasks] = trial
    for trial in largest.values():
        try:
            make_taskset(trial.task, trial.seed)
        except SpecError as error:
            place = f"family.{error.field}" if error.field.startswith("options.") else error.field
            raise from_simulator(error).at(place) from error


@contextmanager
def at_study_keys(question: Question, engine: str | None) -> Iterator[None]:
    """Raise a mistake in the question at the key of the study's `laws` block: ``laws.hold_out``.

    Parameters
    ----------
    engine : instead of the study's; a mistake in it is not the study's.
    """
    keys = type(question).__dataclass_fields__.keys() - {"jobs"}
    try:
        yield
    except UserError as error:
        head, _, name = error.path.partition(".")
        known = not name or (head in {"factors", "domain"} and name in getattr(question, head))
        if head.partition("[")[0] not in keys or not known or (head == "engine" and engine):
            raise
        raise error.at(f"laws.{error.path}") from error


def question_of(study: Study, jobs: int, engine: str | None) -> Question:
    """What the `laws` block of a study asks; `engine` instead of the study's where one is given."""
    laws = study.laws
    question = Question(
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
        groups=laws.groups,
        sd=laws.sd,
        weights=laws.weights,
        loss=laws.loss,
        forms=laws.forms,
    )
    return question if engine is None else replace(question, engine=engine)
