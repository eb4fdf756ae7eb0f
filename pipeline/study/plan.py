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
import numpy as np

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.laws.holdout import held_out_rows
from mtl_laws.pipeline.laws.question import Question
from mtl_laws.pipeline.study.digest import canonical
from mtl_laws.pipeline.study.preflight import asked_table, find_problems, question_of
from mtl_laws.pipeline.study.trials import Trial, expand, group, level_of
from mtl_laws.pipeline.study.workers import train_together
from mtl_laws.simulator.memory import needed_bytes

if TYPE_CHECKING:
    from mtl_laws.pipeline.study.backends import RunOptions
    from mtl_laws.pipeline.study.study import Scalar, Study


@dataclass(frozen=True, kw_only=True)
class PlanRules:
    """How time, memory and disk are estimated.

    Attributes
    ----------
    seconds : time that the timed trials may take, as far as that can be foreseen.
    warm_up : models trained before the clock starts.
    first : most models of the first timed group, the cheapest one.
    row_bytes : of a row in the store besides its texts.
    table_bytes : memory of a row of the table while it is made.
    """

    seconds: float = 4.0
    warm_up: int = 2
    first: int = 8
    row_bytes: int = 200
    table_bytes: int = 6_000


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What training the study needs on this machine.

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
    estimate = _estimate(trials, options) if timing and not problems else None
    return Plan(
        trials=len(trials),
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


def _estimate(trials: Sequence[Trial], options: RunOptions) -> Estimate:
    """Train a few models of the study and extrapolate."""
    rules = PlanRules()
    groups = group(trials, device=options.device)
    cheapest = groups[-1]
    train_together(cheapest[: rules.warm_up], options.device)
    samples = [cheapest[: rules.first]]
    clock = time.perf_counter()
    results = train_together(samples[0], options.device)
    timed = time.perf_counter() - clock
    unit = timed / _cost(samples[0])
    larger = [part for part in groups if _cost(part) * unit < rules.seconds - timed]
    if larger and _cost(larger[0]) > _cost(samples[0]):
        samples.append(larger[0])
        clock = time.perf_counter()
        results += train_together(larger[0], options.device)
        last = time.perf_counter() - clock
        timed, unit = timed + last, last / _cost(larger[0])
    known = [trial for part in samples for trial in part]
    processes = min(int(joblib.effective_n_jobs(options.processes)), len(groups))
    total = unit * _cost(trials)
    texts = [len(canonical(one.outcome)) - len(canonical(one.outcome["curve"])) for one in results]
    curves = [len(canonical(one.outcome["curve"])) for one in results]
    fixed = np.mean(texts) + len(canonical(known[0].to_json())) + rules.row_bytes
    growth = np.sum(curves) / sum(trial.cost / trial.task.tasks for trial in known)
    steps = sum(trial.cost / trial.task.tasks for trial in trials)
    resident = _resident_bytes()
    largest = max(sum(needed_bytes(trial.task) for trial in part) for part in groups)
    workers = None if resident is None else (resident + largest) * processes
    return Estimate(
        seconds=max(total / processes, unit * _cost(groups[0])),
        memory=None if workers is None else workers + rules.table_bytes * len(trials),
        disk=float(fixed * len(trials) + growth * steps),
        processes=processes,
        models=len(known),
        timed=timed,
    )


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
