"""The whole search: candidates from every engine, refitted, scored on folds, one selected.

Data flows one way: rows → engines (all rows, and each extrapolation fold's own training rows) →
templates → constants and validity → the best of every complexity → folds → selection. Every step is
a list of independent tasks with a seed of its own, so the result does not depend on the number of
workers; a time limit only drops tasks, and the report says so.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from joblib import Parallel, cpu_count, delayed

from pipeline.errors import EngineError
from pipeline.laws.candidates import theory
from pipeline.laws.checks import Domain
from pipeline.laws.folds import Fold, extrapolation_folds, grouped_folds
from pipeline.laws.rows import Rows
from pipeline.laws.rules import BUDGETS
from pipeline.laws.score import Candidate, Fitted, Scored, fit_candidate, score
from pipeline.laws.select import front, select
from pipeline.plugins import equipped, loaded
from pipeline.symbolic.engines import ENGINES, Request
from pipeline.symbolic.templates import shorten, to_template

Result = TypeVar("Result")


#: largest law that is selected or shown
MAX_COMPLEXITY = 25
#: cells at most that a search looks at; constants are refitted on all of them afterwards
MAX_CELLS = 1_500
#: the grammar tries much the same forms on every fold: a part of a fold's share is enough for it
GRAMMAR_SHARE = 0.4
#: no factor matters: a law has to beat this
MEAN = Candidate("c0", "mean")
#: laws of each complexity of which shorter variants are tried
SHORTENED = 2
#: share of a time limit by which engines must have answered; the rest is for scoring
ENGINE_SHARE = 0.55


class Progress(Protocol):
    """Told how far each stage is."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of the `total` tasks of a stage are through."""


@dataclass(frozen=True)
class SearchOptions:
    """How to search.

    Attributes
    ----------
    engine : symbolic-regression engine that joins the grammar and the theory catalogue.
    budget : a key of `BUDGETS`.
    time_limit : seconds, None for none.
    jobs : workers; −1 for all cores.
    """

    engine: str = "operon"
    budget: str = "standard"
    time_limit: float | None = None
    seed: int = 0
    jobs: int = -1
    progress: Progress = field(default=lambda stage, done, total: None)


@dataclass(frozen=True)
class SearchResult:
    """Everything the search found.

    Attributes
    ----------
    laws : scored laws, valid or not.
    selected : index of the selected law in `laws`; None where no law was valid.
    front : indices of the laws on the front, by complexity.
    theory : the catalogue's forms, scored.
    extrapolation : the folds that the laws were asked to extrapolate to.
    cut : whether the time limit cut the search short.
    failures : engines that failed, one line each.
    """

    laws: list[Scored]
    selected: int | None
    front: list[int]
    theory: list[Scored]
    extrapolation: list[Fold]
    cut: bool
    failures: list[str]
    candidates: int


class Clock:
    """Time since the search began, against its limit."""

    def __init__(self, limit: float | None) -> None:
        self.begin, self.limit, self.cut = time.monotonic(), limit, False

    def left(self, share: float = 1.0) -> float | None:
        """Seconds left of a share of the limit; None without a limit."""
        if self.limit is None:
            return None
        return share * self.limit - (time.monotonic() - self.begin)

    def over(self, share: float = 1.0) -> bool:
        """Whether that share of the limit is spent; remembers that something was cut."""
        left = self.left(share)
        if left is not None and left <= 0:
            self.cut = True
        return left is not None and left <= 0


def find_laws(data: Rows, held_out: Rows | None, options: SearchOptions) -> SearchResult:
    """Search for laws of the target over the rows of `data`.

    Parameters
    ----------
    data : rows to search, fit and select on.
    held_out : rows never fitted; only their factor values are used, for validity.
    """
    clock, budget = Clock(options.time_limit), BUDGETS[options.budget]
    data = data.subsample(MAX_CELLS, options.seed)
    folds = grouped_folds(data, options.seed), extrapolation_folds(data)
    domain = Domain.of(data, held_out)
    candidates, failures = _candidates(data, folds[1], options, clock)
    forms = [Candidate(form.text, f"theory: {form.name}") for form in theory(data)]
    fits = _fit_all([*forms, MEAN, *candidates], data, domain, options, clock)
    kept_theory = [fit for fit in fits[: len(forms)] if fit]
    found = [fit for fit in fits[len(forms) :] if fit]
    found += _shortened(found, data, domain, options, clock)
    pool = shortlist(found, budget.keep)
    scored = _score_all([*kept_theory, *pool], data, folds, options, clock)
    known = scored[: len(kept_theory)]
    laws = [law for law in scored if law.fitted.complexity <= MAX_COMPLEXITY]
    return SearchResult(
        laws,
        select(laws, data, options.seed),
        front(laws),
        known,
        folds[1],
        clock.cut,
        failures,
        len(candidates),
    )


def shortlist(fits: Sequence[Fitted], keep: int) -> list[Fitted]:
    """The best of every complexity: of all, of the valid, of those with plausible limits, and of
    the plausible ones with each set of factors."""
    found = [fit for fit in fits if fit.complexity <= MAX_COMPLEXITY]
    found.sort(key=lambda fit: (fit.fit.error, fit.candidate.text))
    plausible = [fit for fit in found if fit.valid and not fit.limits]
    valid = [fit for fit in found if fit.valid]
    kept = [
        *_best_of_each(plausible, keep, lambda fit: fit.complexity),
        *_best_of_each(plausible, 1, lambda fit: (fit.complexity, fit.used)),
        *_best_of_each(valid, keep, lambda fit: fit.complexity),
        *_best_of_each(found, 1, lambda fit: fit.complexity),
    ]
    return list({fit.candidate.text: fit for fit in kept}.values())


def _best_of_each(
    fits: Sequence[Fitted], most: int, group: Callable[[Fitted], Hashable]
) -> Iterator[Fitted]:
    """The first `most` of every group."""
    count: Counter[Hashable] = Counter()
    for fit in fits:
        count[group(fit)] += 1
        if count[group(fit)] <= most:
            yield fit


def _candidates(
    data: Rows, folds: Sequence[Fold], options: SearchOptions, clock: Clock
) -> tuple[list[Candidate], list[str]]:
    """Templates of every engine on all rows and on each fold's training rows, each once."""
    tasks = _engine_tasks(data, folds, options)
    own = [task for task in tasks if ENGINES[task[0]].own_process]
    shared = [task for task in tasks if not ENGINES[task[0]].own_process]
    answers = _in_parallel(SEARCHING, _ask, shared, options, clock)
    alone = replace(options, jobs=1)
    answers += _in_parallel(SEARCHING, _ask, own, alone, clock)
    found: dict[str, Candidate] = {}
    failures: dict[str, None] = {}
    for texts, origin, failure in answers:
        if failure:
            failures[failure] = None
        for text in texts:
            found.setdefault(text, Candidate(text, origin))
    return list(found.values()), list(failures)


def _engine_tasks(
    data: Rows, folds: Sequence[Fold], options: SearchOptions
) -> list[tuple[str, Rows, int, int]]:
    """Engine, rows, evaluations and seed of every run; all rows first: a limit cuts folds."""
    budget = BUDGETS[options.budget]
    seeds = range(budget.seeds) if options.engine != "grammar" else range(0)
    tasks = [("grammar", data, budget.grammar, options.seed)]
    tasks += [(options.engine, data, budget.engine, options.seed + k) for k in seeds]
    for fold in folds if budget.fold_share else ():
        train, share = data.take(~fold.test), budget.fold_share
        tasks.append(("grammar", train, int(GRAMMAR_SHARE * share * budget.grammar), options.seed))
        if options.engine != "grammar":
            tasks.append((options.engine, train, int(share * budget.engine), options.seed))
    return tasks


def _ask(task: tuple[str, Rows, int, int], limit: float | None) -> tuple[list[str], str, str]:
    """One engine run: templates, origin, and what failed."""
    name, data, evaluations, seed = task
    request = Request(data.sample, evaluations, seed, MAX_COMPLEXITY - 3, limit)
    try:
        texts = ENGINES[name].search(request)
    except EngineError as error:
        return [], name, str(error)
    found = [to_template(text, data.factors) for text in texts]
    return list(dict.fromkeys(text for text in found if text)), name, ""


def _shortened(
    fits: Sequence[Fitted],
    data: Rows,
    domain: Domain,
    options: SearchOptions,
    clock: Clock,
) -> list[Fitted]:
    """Shorter variants of the best of every complexity, fitted."""
    count: dict[int, int] = {}
    best = []
    for fit in sorted(fits, key=lambda fit: (fit.fit.error, fit.candidate.text)):
        count[fit.complexity] = count.get(fit.complexity, 0) + 1
        if count[fit.complexity] <= SHORTENED:
            best.append((fit, data, options.seed))
    known = {fit.candidate.text for fit in fits}
    answers = _in_parallel(SHORTENING, _shorten_one, best, options, clock)
    new = {c.text: c for found in answers for c in found if c.text not in known}
    return [fit for fit in _fit_all(list(new.values()), data, domain, options, clock) if fit]


def _shorten_one(task: tuple[Fitted, Rows, int], _: float | None) -> list[Candidate]:
    fit, data, seed = task
    texts = shorten(fit.candidate.text, fit.fit.theta, data.sample, seed)
    return [Candidate(text, fit.candidate.origin) for text in texts]


def _fit_all(
    candidates: Sequence[Candidate],
    data: Rows,
    domain: Domain,
    options: SearchOptions,
    clock: Clock,
) -> list[Fitted | None]:
    tasks = [(chunk, data, domain, options.seed) for chunk in _chunks(candidates, 25)]
    answers = _in_parallel(FITTING, _fit_chunk, tasks, options, clock)
    return [fit for chunk in answers for fit in chunk]


def _fit_chunk(
    task: tuple[Sequence[Candidate], Rows, Domain, int], _: float | None
) -> list[Fitted | None]:
    chunk, data, domain, seed = task
    return [fit_candidate(candidate, data, domain, seed) for candidate in chunk]


def _score_all(
    fits: Sequence[Fitted],
    data: Rows,
    folds: tuple[Sequence[Fold], Sequence[Fold]],
    options: SearchOptions,
    clock: Clock,
) -> list[Scored]:
    tasks = [(chunk, data, folds, options.seed) for chunk in _chunks(fits, 8)]
    answers = _in_parallel(SCORING, _score_chunk, tasks, options, clock)
    return [scored for chunk in answers for scored in chunk]


def _score_chunk(
    task: tuple[Sequence[Fitted], Rows, tuple[Sequence[Fold], Sequence[Fold]], int],
    _: float | None,
) -> list[Scored]:
    chunk, data, folds, seed = task
    return [score(fitted, data, *folds, seed) for fitted in chunk]


def _chunks(items: Sequence[Result], size: int) -> list[Sequence[Result]]:
    return [items[k : k + size] for k in range(0, len(items), size)]


@dataclass(frozen=True)
class Stage:
    """A named step of the search and the share of the time limit by which it must be over."""

    name: str
    share: float = 1.0


SEARCHING, FITTING = Stage("searching", ENGINE_SHARE), Stage("fitting", 0.8)
SHORTENING, SCORING = Stage("shortening", 0.75), Stage("scoring")


def _in_parallel(
    stage: Stage,
    work: Callable[[Any, float | None], Result],
    tasks: Sequence[Any],
    options: SearchOptions,
    clock: Clock,
) -> list[Result]:
    """Results in the order of the tasks; tasks that the time limit leaves no time for are dropped.

    Tasks go out in rounds of a few per worker, and the clock is looked at between rounds; the first
    round always runs, so that a hopeless limit still gives an answer.
    """
    jobs = cpu_count() if options.jobs == -1 else max(options.jobs, 1)
    results: list[Result] = []
    with Parallel(n_jobs=jobs) as parallel:
        for batch in _chunks(tasks, jobs if clock.limit else max(4 * jobs, 8)):
            if results and clock.over(stage.share):
                break
            left = clock.left(stage.share)
            limit = None if left is None else max(left, 1.0)
            results += parallel(delayed(equipped)(loaded(), work, task, limit) for task in batch)
            options.progress(stage.name, len(results), len(tasks))
    return results
