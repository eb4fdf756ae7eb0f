"""Preflight: what would stop a study later is found before any model is trained.

The law search comes last in a run, hours after the study file was read. A mistake in the `laws`
block, or tasks that the simulator cannot make, must not wait until then.

The checks know exactly what the study asks for: every level of every factor. What is only measured
during training (entropies, scores) is unknown here and is never a reason to refuse a study.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.laws.holdout import check_condition, held_out_rows
from mtl_laws.pipeline.laws.question import MAX_SEED, Question, check_levels, check_question
from mtl_laws.pipeline.laws.record import SEPARATOR
from mtl_laws.pipeline.study.digest import canonical
from mtl_laws.pipeline.study.table import asked_values
from mtl_laws.pipeline.study.trials import TRAINING_KEYS, Trial, at_study_key, expand
from mtl_laws.pipeline.symbolic.engines.registry import choose_with
from mtl_laws.simulator import SpecError, TaskSpec, UnreachableAMIError, make_taskset

if TYPE_CHECKING:
    from mtl_laws.pipeline.study.study import Study

SEEDS = 3
"""Seeds that must agree before tasks are called impossible; one draw may be unlucky."""

REQUESTS = {"ami": "ami_request", "n_aux": "n_aux_request"}
"""Measured column -> the column with what the study asks for."""

SIZES = ("tokens", "aux_tokens", "test_tokens", "validation_fraction", "ami")
"""Fields of a `TaskSpec` in which tasks of one kind may differ."""

MEASURED_FROM_T = {
    "ami": 2,
    "ami_clean": 2,
    "ami_aux": 3,
    "h_aux": 2,
    "h_main_given_aux": 2,
    "h_aux_given_main": 2,
}
"""Measured column -> the fewest tasks at which it has a value."""

TWO_LEVELS = "of which the study has two levels or more; vary it or leave it out"


def preflight(study: Study, engine: str | None = None, started: bool = False) -> None:
    """Refuse a study of which some trials cannot be trained or no law can be searched.

    Parameters
    ----------
    engine : used instead of the study's.
    started : whether the study is being trained already. Then only the `laws` block is checked:
        what cannot be trained has its row of status ``failed``, and the other rows have laws.

    Raises
    ------
    UserError
        the first of `find_problems`; the path is the key of the study.
    """
    for problem in find_problems(study, engine, started):
        raise problem


def find_problems(
    study: Study, engine: str | None = None, started: bool = False
) -> Iterator[UserError]:
    """Everything that is wrong with a study, cheap checks first; parameters as of `preflight`.

    The `laws` block names columns that the table will not hold, factors that the study does not
    vary, or an engine that is not ready; levels of tokens give the same number of sentences; an
    AMI cannot be reached; a corpus cannot be read.

    Raises
    ------
    UserError
        if the study cannot be expanded into trials at all.
    """
    if max(study.seeds) > MAX_SEED:
        yield UserError("seeds", f"whole numbers from 0 to {MAX_SEED}", max(study.seeds))
        return
    trials = expand(study)
    ordinary = [trial for trial in trials if trial.control is None]
    if study.design.kind == "active":
        check_active(study, ordinary)
    question = question_of(study, 1, engine)
    least = question.rules.data.min_rows
    if len(ordinary) < least:
        expected = f"levels and seeds for at least {least} trials"
        yield UserError("factors", expected, f"{len(ordinary)} trials")
    for check in _law_checks(question, ordinary):
        try:
            with at_study_keys(question, engine):
                check()
        except UserError as problem:
            yield problem
    if not started:
        yield from _equal_sizes(study, ordinary)
        yield from _impossible_tasks(study, trials)


def check_active(study: Study, trials: Sequence[Trial]) -> None:
    """Refuse an active design that could not choose.

    Raises
    ------
    UserError
        at ``design``, if rows are held out, or laws use a factor that only training measures.
    """
    if study.laws.hold_out is not None:
        expected = "full where `laws.hold_out` keeps out rows: they would never be trained"
        raise UserError("design", expected, "active")
    question = question_of(study, 1, None)
    known = asked_table(trials, [*question.factors.values(), *question.groups])
    for name in (*question.factors.values(), *question.groups):
        if name not in known:
            expected = f"full where laws use a column that only training measures, as {name}"
            raise UserError("design", expected, "active")


def _law_checks(question: Question, ordinary: Sequence[Trial]) -> Iterator[Callable[[], object]]:
    """The checks of the `laws` block; each raises a `UserError`, its path in the question."""
    factors = [(f"factors.{name}", column) for name, column in question.factors.items()]
    weighting = [("sd", question.sd), ("weights", question.weights)]
    numeric = [("target", question.target), *factors]
    numeric += [(path, column) for path, column in weighting if column is not None]
    columns = asked_table(ordinary, [*(column for _, column in numeric), *question.groups])
    yield partial(choose_with, question.engine, question.engine_options)
    yield partial(check_question, question)
    if question.hold_out is not None:
        longest = max(trial.task.sentence_length for trial in ordinary)
        exact = not any(_of_corpus(trial.task) for trial in ordinary)
        yield partial(_check_hold_out, question, columns if exact else columns[["T"]], longest)
    for path, column in numeric:
        yield partial(_check_numeric, path, column, columns)
    for path, column in factors:
        yield partial(_check_varied, path, column, columns)
    if question.target == "gain" and columns["T"].min() > 1:
        expected = "a column with values; this one needs single-task models, as by `stl: true`"
        yield partial(_refuse, UserError("target", expected, "gain"))
    if question.groups:
        yield partial(_check_groups, question, columns)


def asked_table(trials: Sequence[Trial], names: Sequence[str]) -> pd.DataFrame:
    """The columns `names` as the study asks for them, one row per trial, and ``T``.

    Of measured columns, AMI and sizes are those asked for. A column whose values only training
    tells is left out; so is the AMI of a family that measures it.
    """
    tasks = {id(trial.task): trial for trial in trials}
    settings = {id(trial.settings): trial for trial in trials}
    by_task = {key: asked_values(trial.to_json()) for key, trial in tasks.items()}
    by_settings = {key: asked_values(trial.to_json()) for key, trial in settings.items()}
    columns: dict[str, list[Any]] = {}
    for name in ("T", *names):
        source = REQUESTS.get(name, name)
        if name == "seed":  # in which replicates differ: no factor and no group
            columns[name] = [0] * len(trials)
        elif name == "trial":
            columns[name] = [trial.digest for trial in trials]
        elif source in TRAINING_KEYS:
            columns[name] = [by_settings[id(trial.settings)][source] for trial in trials]
        elif any(source in values for values in by_task.values()):
            columns[name] = [by_task[id(trial.task)].get(source) for trial in trials]
    table = pd.DataFrame(columns)
    several = table["T"] > 1
    if "ami" in table and several.any() and table.loc[several, "ami"].isna().any():
        return table.drop(columns="ami")
    return table


def _refuse(problem: UserError) -> None:
    raise problem


def _check_hold_out(question: Question, columns: pd.DataFrame, longest: int) -> None:
    """Refuse a condition that is none, that no row or every row meets, or that leaves too little.

    Measured values lie near those asked for: n within a sentence, of at most `2 * longest` tokens,
    AMI within 0.01. The condition is refused only if these differences do not matter.
    """
    condition = str(question.hold_out)
    check_condition(condition, question.factors)
    if not set(question.factors.values()) <= set(columns):
        return
    slack = {"n": 2.0 * longest, "n_aux": 2.0 * longest, "ami": 0.01}
    masks, problems = [], []
    for side in (-1.0, 0.0, 1.0):
        values = {
            name: pd.to_numeric(columns[column], errors="coerce").to_numpy(float)
            + side * slack.get(column, 0.0)
            for name, column in question.factors.items()
        }
        try:
            masks.append(held_out_rows(condition, values))
        except UserError as problem:
            problems.append(problem)
    if not masks:
        raise problems[1]
    if problems or not all(np.array_equal(mask, masks[0]) for mask in masks):
        return
    rest = columns[~masks[0]]
    if len(rest) < question.rules.data.min_rows:
        expected = f"a condition that leaves {question.rules.data.min_rows} rows or more to fit"
        raise UserError("hold_out", expected, condition)
    for name, column in question.factors.items():
        if columns[column].nunique() >= 2 > rest[column].nunique():
            expected = f"a condition that leaves two levels or more of every factor; {name} has one"
            raise UserError("hold_out", expected, condition)


def _check_numeric(path: str, column: str, columns: pd.DataFrame) -> None:
    """Refuse a column of text. `expand` has refused unknown names."""
    if column in columns and any(isinstance(value, str) for value in columns[column].unique()):
        raise UserError(path, "a column of numbers; docs/columns.md lists them", column)


def _check_varied(path: str, column: str, columns: pd.DataFrame) -> None:
    """Refuse a factor with fewer than two levels."""
    if column in columns:
        levels = columns[column].nunique()
    else:  # measured: it varies, but where it has no value at all
        levels = 2 if columns["T"].max() >= MEASURED_FROM_T.get(column, 1) else 0
    if levels < 2:
        raise UserError(path, f"a factor {TWO_LEVELS}", column)


def _check_groups(question: Question, columns: pd.DataFrame) -> None:
    """Refuse group columns that do not vary or have empty rows, and groups of few rows."""
    for column in question.groups:
        if column not in columns or columns[column].nunique() < 2:
            raise UserError("groups", f"a column {TWO_LEVELS}", column)
        if columns[column].isna().any():
            raise UserError("groups", "a column with a level in every row; some are empty", column)
    levels = columns[list(question.groups)].astype(str).agg(SEPARATOR.join, axis=1)
    rows = levels.value_counts(sort=False)
    counts = rows.to_numpy().astype(np.int64)
    check_levels(",".join(question.groups), tuple(rows.index), counts, question.rules.data)


def _equal_sizes(study: Study, trials: Sequence[Trial]) -> Iterator[UserError]:
    """Levels of `tokens` and `aux_tokens` that give as many tokens as the level below.

    Sentences are whole, so 38 and 42 tokens may both be four sentences of ten. Their trials would
    be one training, counted twice.
    """
    distinct = {id(trial.task): trial.task for trial in trials}.values()
    specs = sorted(distinct, key=lambda spec: (-spec.tasks, -spec.tokens))
    for field, fewest in (("tokens", 1), ("aux_tokens", 2)):
        examples = {
            canonical([dict(spec.options), spec.sentence_length]): spec
            for spec in specs
            if spec.tasks >= fewest
        }
        levels = getattr(study.factors, field)
        for pair in pairwise(sorted(level for level in levels if level is not None)):
            sizes = (_size_of_both(spec, field, pair, study.seeds) for spec in examples.values())
            size = next((size for size in sizes if size is not None), None)
            if size is not None:
                low, high = pair
                expected = (
                    f"a level that gives another number of tokens in whole sentences; {low} and "
                    f"{high} both give {size}"
                )
                yield UserError(f"factors.{field}[{levels.index(high)}]", expected, high)


def _size_of_both(
    spec: TaskSpec, field: str, pair: tuple[int, int], seeds: Sequence[int]
) -> int | None:
    """Tokens that both levels of `field` give; None if they differ with one of the seeds."""
    low, high = pair
    if not _of_corpus(spec) and high - low > 2 * spec.sentence_length:
        return None
    size = None
    for seed in seeds[:SEEDS]:
        specs = (TaskSpec.from_json({**spec.to_json(), field: level}) for level in pair)
        try:
            first, second = (make_taskset(one, seed) for one in specs)
        except SpecError:  # refused by another check
            return None
        task = 0 if field == "tokens" else 1
        size = first.train.token_count(task)
        if size != second.train.token_count(task):
            return None
    return size


def _impossible_tasks(study: Study, trials: Sequence[Trial]) -> Iterator[UserError]:
    """AMIs that the family cannot reach, and tasks that a corpus cannot give.

    Tasks are made once for each kind that differs in more than its sizes: the largest ones from a
    corpus, the smallest ones otherwise. The AMIs that a family can reach form an interval, so the
    levels between the lowest and the highest are tried only if one of these two fails.
    """
    kinds: dict[str, dict[float, Trial]] = {}
    distinct = {id(trial.task): trial for trial in trials}.values()
    for trial in sorted(distinct, key=lambda trial: sum(trial.task.sizes)):
        spec = trial.task
        if _of_corpus(spec) or spec.requested_ami:
            record = {name: value for name, value in spec.to_json().items() if name not in SIZES}
            ami = max(spec.requested_ami, default=0.0)
            by_ami = kinds.setdefault(canonical(record), {})
            if _of_corpus(spec) or ami not in by_ami:
                by_ami[ami] = trial
    reported: set[tuple[str, object]] = set()
    for by_ami in kinds.values():
        levels = sorted(by_ami)
        problems = [_problem_of(study, by_ami[ami]) for ami in {levels[0], levels[-1]}]
        if any(problems):
            problems = [_problem_of(study, by_ami[ami]) for ami in levels]
        for problem in problems:
            if problem is not None and (problem.path, problem.expected) not in reported:
                reported.add((problem.path, problem.expected))
                yield problem


def _of_corpus(spec: TaskSpec) -> bool:
    return spec.options.get("corpus") is not None


def _problem_of(study: Study, trial: Trial) -> UserError | None:
    """Why the tasks of a trial cannot be made; None if they can be made with one of the seeds."""
    error: SpecError | None = None
    for seed in study.seeds[:SEEDS]:
        try:
            make_taskset(trial.task, seed)
        except UnreachableAMIError as failure:
            error = failure
        except SpecError as failure:
            return at_study_key(study, failure, trial)
        else:
            return None
    return at_study_key(study, error, trial) if error is not None else None


@contextmanager
def at_study_keys(question: Question, engine: str | None) -> Iterator[None]:
    """Raise a mistake in the question at the key of the study's `laws` block: ``laws.hold_out``.

    Parameters
    ----------
    engine : used instead of the study's; a mistake in it is not the study's.
    """
    keys = type(question).__dataclass_fields__.keys() - {"jobs"}
    try:
        yield
    except UserError as error:
        head, _, name = error.path.partition(".")
        valid = (
            not name
            or head == "engine_options"
            or (head in {"factors", "domain"} and name in getattr(question, head))
        )
        if head.partition("[")[0] not in keys or not valid or (head == "engine" and engine):
            raise
        raise error.at(f"laws.{error.path}") from error


def question_of(study: Study, jobs: int, engine: str | None) -> Question:
    """The question of the `laws` block; `engine` replaces the study's unless None."""
    laws = study.laws
    return Question(
        laws.target,
        dict(laws.factors),
        laws.bounds,
        dict(laws.domain),
        laws.hold_out,
        laws.engine if engine is None else engine,
        laws.budget,
        laws.time_limit,
        laws.seed,
        jobs,
        groups=laws.groups,
        sd=laws.sd,
        weights=laws.weights,
        loss=laws.loss,
        forms=laws.forms,
        engine_options=dict(laws.engine_options),
    )
