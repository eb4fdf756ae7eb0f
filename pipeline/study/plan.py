"""The plan of a study: what it would train, how long that takes, and what could not work.

Time, memory and disk are extrapolated from a handful of trials that are trained in this process and
thrown away. The time of a trial is its cost (`Trial.cost`) times the seconds per unit of cost.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import joblib

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.laws.holdout import held_out_rows
from mtl_laws.pipeline.laws.question import Question
from mtl_laws.pipeline.study.active import most_trials
from mtl_laws.pipeline.study.digest import canonical
from mtl_laws.pipeline.study.preflight import asked_table, find_problems, question_of
from mtl_laws.pipeline.study.trials import Trial, expand, group, level_of
from mtl_laws.pipeline.study.workers import Result, train_trials
from mtl_laws.simulator.memory import needed_bytes

if TYPE_CHECKING:
    from mtl_laws.pipeline.study.backends import RunOptions
    from mtl_laws.pipeline.study.study import DesignBlock, Scalar, Study


@dataclass(frozen=True, kw_only=True)
class PlanRules:
    """How time, memory and disk are estimated.

    Attributes
    ----------
    seconds : time that the timed trials may take, as far as the first group tells.
    warm_up : models trained before the clock starts.
    first : most models of the first timed group, the cheapest one.
    file_bytes, row_bytes : of a store without rows, and of a row besides its texts.
    table_bytes : memory of a row of the table while it is made.
    """

    seconds: float = 4.0
    warm_up: int = 2
    first: int = 8
    file_bytes: int = 40_000
    row_bytes: int = 250
    table_bytes: int = 6_000


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What training the study needs on this machine; an active design, on average over trials.

    Attributes
    ----------
    seconds : of training, on all `processes` together.
    memory : bytes of all processes; None where the system does not tell.
    disk : bytes of the store.
    processes : worker processes.
    models, timed : the handful it was extrapolated from, and the seconds that they took.
    """

    seconds: float
    memory: float | None
    disk: float
    processes: int
    models: int
    timed: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a study would train.

    Attributes
    ----------
    trials : all of them.
    design : which of them are trained.
    most : how many are trained at most; fewer than all only in an active design.
    levels : factor -> level -> ordinary trials; the level is None where T = 1 leaves it undefined.
    single_task : ordinary trials with T = 1.
    controls : control -> its trials.
    seeds : number of seeds.
    few_levels : factor of the laws -> its levels, if too few for an extrapolation fold.
    min_levels : the fewest levels for such a fold.
    problems : why the study cannot work; empty if it can.
    estimate : None if nothing was timed.
    """

    trials: int
    design: DesignBlock
    most: int
    levels: Mapping[str, Mapping[Scalar, int]]
    single_task: int
    controls: Mapping[str, int]
    seeds: int
    few_levels: Mapping[str, int]
    min_levels: int
    problems: Sequence[UserError]
    estimate: Estimate | None


def plan_study(study: Study, engine: str | None, options: RunOptions, timing: bool = True) -> Plan:
    """The plan of a study. A few models are trained for the estimate, unless there are problems.

    Parameters
    ----------
    engine : used instead of the study's.
    options : where the study would be trained.
    timing : False to train nothing at all.

    Raises
    ------
    UserError
        if the study cannot be expanded into trials.
    """
    problems = tuple(find_problems(study, engine))
    trials = expand(study)
    ordinary = [trial for trial in trials if trial.control is None]
    question = question_of(study, 1, engine)
    active = study.design.kind == "active"
    most = most_trials(study, trials) if active else len(trials)
    estimate = None
    if timing and not problems:
        limit = study.design.seconds if active else None
        estimate = _estimate(trials, options, most / len(trials), limit)
    return Plan(
        trials=len(trials),
        design=study.design,
        most=most,
        levels={
            name: Counter(_level_of(trial, name) for trial in ordinary)
            for name in study.factors.levels()
        },
        single_task=sum(trial.task.tasks == 1 for trial in ordinary),
        controls=Counter(trial.control for trial in trials if trial.control is not None),
        seeds=len(study.seeds),
        few_levels={} if problems else _few_levels(question, ordinary),
        min_levels=question.rules.folds.min_levels,
        problems=problems,
        estimate=estimate,
    )


def _level_of(trial: Trial, factor: str) -> Scalar:
    alone = trial.task.tasks == 1 and factor in ("ami", "aux_tokens")
    return None if alone else level_of(trial, factor)


def _few_levels(question: Question, ordinary: Sequence[Trial]) -> dict[str, int]:
    """Factors with too few levels, in every group, among the rows that are not held out."""
    least = question.rules.folds.min_levels
    table = asked_table(ordinary, [*question.factors.values(), *question.groups])
    factors = {name: column for name, column in question.factors.items() if column in table}
    if question.hold_out is not None and len(factors) == len(question.factors):
        columns = {name: table[column].to_numpy(float) for name, column in factors.items()}
        table = table[~held_out_rows(question.hold_out, columns)]
    parts = [table]
    if question.groups:
        parts = [part for _, part in table.groupby(list(question.groups))]
    levels = {
        name: max(part[column].nunique() for part in parts) for name, column in factors.items()
    }
    return {name: count for name, count in levels.items() if count < least}


def _estimate(
    trials: Sequence[Trial], options: RunOptions, share: float, limit: float | None
) -> Estimate:
    """What training needs, extrapolated from a few models that are trained here.

    Parameters
    ----------
    share : of the trials that is trained.
    limit : seconds of training, summed over models, that may be spent; None without a limit.
    """
    rules = PlanRules()
    groups = group(trials, device=options.device)
    sample = groups[-1][: rules.first]
    train_trials(sample[: rules.warm_up], options.device)
    results, seconds = _train(sample, options.device)
    unit = seconds / _cost(sample)
    affordable = (part for part in groups if _cost(part) * unit < rules.seconds - seconds)
    larger = next(affordable, sample)
    if _cost(larger) > _cost(sample):
        more, time_of_larger = _train(larger, options.device)
        unit = time_of_larger / _cost(larger)
        sample, results, seconds = sample + larger, results + more, seconds + time_of_larger
    processes = min(int(joblib.effective_n_jobs(options.processes)), len(groups))
    resident = _resident_bytes()
    largest = max(sum(needed_bytes(trial.task) for trial in part) for part in groups)
    workers = None if resident is None else (resident + largest) * processes
    if limit is not None:
        share = min(share, limit / (unit * _cost(trials)))
    all_seconds = max(unit * _cost(trials) / processes, unit * _cost(groups[0]))
    return Estimate(
        seconds=share * all_seconds,
        memory=None if workers is None else workers + rules.table_bytes * share * len(trials),
        disk=rules.file_bytes + share * (_disk_bytes(trials, sample, results) - rules.file_bytes),
        processes=processes,
        models=len(sample),
        timed=seconds,
    )


def _train(trials: Sequence[Trial], device: str) -> tuple[list[Result], float]:
    """The results of one group and the seconds that it took."""
    start = time.perf_counter()
    return train_trials(trials, device), time.perf_counter() - start


def _disk_bytes(
    trials: Sequence[Trial], sample: Sequence[Trial], results: Sequence[Result]
) -> float:
    """Size of the store. A learning curve grows with the steps of a model: cost divided by T."""
    rules = PlanRules()
    curves = sum(len(canonical(one.outcome["curve"])) for one in results)
    texts = sum(len(canonical(one.outcome)) + len(canonical(one.measured)) for one in results)
    texts += sum(len(canonical(trial.to_json())) for trial in sample) - curves
    growth = curves / sum(trial.cost / trial.task.tasks for trial in sample)
    steps = sum(trial.cost / trial.task.tasks for trial in trials)
    row = texts / len(sample) + rules.row_bytes
    return rules.file_bytes + row * len(trials) + growth * steps


def _cost(trials: Sequence[Trial]) -> float:
    return sum(trial.cost for trial in trials)


def _resident_bytes() -> float | None:
    """The most memory that this process has taken; None on a system without `resource`."""
    try:
        import resource
    except ImportError:
        return None
    most = float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return most if sys.platform == "darwin" else most * 1024.0
