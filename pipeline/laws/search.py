"""The whole search: candidates from every engine, refitted, scored on folds, one selected.

Data flows one way: rows → engines (all rows, and each extrapolation fold's own training rows) →
templates → constants and validity → the best of every complexity → folds → selection. Every step is
a list of independent tasks, each with its own seed, so the result does not depend on the number of
workers. A time limit only drops tasks, and the report says so. With a journal (`laws.journal`), an
interrupted search resumes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
from joblib import cpu_count

from mtl_laws.pipeline.errors import EngineError, OutOfTimeError
from mtl_laws.pipeline.laws.catalogue import theory
from mtl_laws.pipeline.laws.checks import Domain
from mtl_laws.pipeline.laws.folds import Fold, extrapolation_folds, random_folds
from mtl_laws.pipeline.laws.forms import OWN
from mtl_laws.pipeline.laws.journal import Journal
from mtl_laws.pipeline.laws.noise import Outliers, find_outliers
from mtl_laws.pipeline.laws.outside import Outside
from mtl_laws.pipeline.laws.pruning import prune
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.laws.rules import BUDGETS, SearchRules
from mtl_laws.pipeline.laws.score import (
    Candidate,
    Fitted,
    Scored,
    fit_candidate,
    fold_loss,
    score,
    share_constants,
)
from mtl_laws.pipeline.laws.select import front, select
from mtl_laws.pipeline.processes import in_processes
from mtl_laws.pipeline.symbolic.engines import ENGINES, Answer, Engine, Prepared, Request
from mtl_laws.pipeline.symbolic.engines.base import pace, wants_guesses
from mtl_laws.pipeline.symbolic.engines.surfaces import SURFACES
from mtl_laws.pipeline.symbolic.fit import Sample, fit_constants
from mtl_laws.pipeline.symbolic.kinds import classify
from mtl_laws.pipeline.symbolic.program import compiled
from mtl_laws.pipeline.symbolic.scaling import is_unit_free
from mtl_laws.pipeline.symbolic.starts import propose_starts
from mtl_laws.pipeline.symbolic.templates import to_template
from mtl_laws.pipeline.symbolic.tree import Tree

Result = TypeVar("Result")
Folds: TypeAlias = tuple[Sequence[Fold], Sequence[Fold]]

RESUMED = "resumed"
"""Reported before the stages: the tasks that an interrupted search has done."""

OWN_SOURCES = ("grammar", "surface")
"""Sources of candidates in every search, beside its engine."""

GUESSES = 150
"""Most templates of the grammar that are fitted to be an engine's guesses."""

MEAN = Candidate(Tree.constant("c0"), "mean")
"""No factor matters: a law has to beat this."""


class Progress(Protocol):
    """A listener for the progress of each stage."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Receive that `done` of the `total` tasks of a stage are finished."""


@dataclass(frozen=True)
class SearchOptions:
    """How to search.

    Attributes
    ----------
    engine : symbolic-regression engine that joins the grammar and the theory catalogue.
    engine_options : its own options, checked.
    fallback : engine that takes over if all searches of `engine` fail; empty for none.
    budget : a key of `BUDGETS`.
    time_limit : seconds, None for none.
    jobs : workers; −1 for all cores.
    rules : when a stage ends under a time limit.
    journal : where the answers to all tasks are kept, and taken from; None for nowhere.
    forms : the user's own forms, candidates that are always scored.
    loss : ``squares``, ``huber``, or ``auto``: Huber only where rows lie far from every good law.
    """

    engine: str = "operon"
    budget: str = "standard"
    time_limit: float | None = None
    seed: int = 0
    jobs: int = -1
    loss: str = "auto"
    rules: SearchRules = field(default_factory=SearchRules)
    progress: Progress = field(default=lambda stage, done, total: None)
    forms: Sequence[Tree] = ()
    journal: Journal | None = None
    engine_options: Mapping[str, Any] = field(default_factory=dict)
    fallback: str = ""


@dataclass(frozen=True)
class Effort:
    """What the engine of a search did.

    Attributes
    ----------
    engine : the one that took part, `SearchOptions.fallback` where that took over.
    asked : evaluations of all its runs together.
    made : evaluations that it counted; None where it does not count.
    """

    engine: str = ""
    asked: int = 0
    made: int | None = None


@dataclass(frozen=True)
class SearchResult:
    """Everything the search found.

    Attributes
    ----------
    laws : scored laws, valid or not.
    selected : index of the selected law in `laws`; None where no law was valid.
    front : indices of the laws on the front, by complexity.
    theory : the catalogue's forms, scored.
    forms : the user's own forms, scored, also where they are too long to be selected; None where no
        constants could be fitted.
    extrapolation : the extrapolation folds.
    cut : whether the time limit cut the search short.
    failures : engines that failed, one line each.
    data : the rows of the search, with the weights of the loss.
    outliers : rows that lie far from every good law; None where the loss is squares.
    seed : of the search.
    effort : what the engine did.
    """

    laws: list[Scored]
    selected: int | None
    front: list[int]
    theory: list[Scored]
    extrapolation: list[Fold]
    cut: bool
    failures: list[str]
    candidates: int
    data: Rows
    outliers: Outliers | None
    forms: dict[Tree, Scored | None] = field(default_factory=dict)
    seed: int = 0
    effort: Effort = field(default_factory=Effort)

    @cached_property
    def outside(self) -> Outside:
        """Scores of the laws on the extrapolation folds."""
        return Outside(self.laws, self.selected, self.data, self.extrapolation, self.seed)


class Clock:
    """Time since the search began, against its limit."""

    def __init__(self, limit: float | None) -> None:
        self.begin, self.limit, self.cut = time.monotonic(), limit, False

    @property
    def seconds(self) -> float:
        """Time since the search began."""
        return time.monotonic() - self.begin

    def resume(self, seconds: float) -> None:
        """Set the time that an interrupted search had taken."""
        self.begin = time.monotonic() - seconds

    def left(self, fraction: float = 1.0) -> float | None:
        """Seconds left of a fraction of the limit; None without a limit."""
        if self.limit is None:
            return None
        return fraction * self.limit - self.seconds

    def over(self, fraction: float = 1.0) -> bool:
        """Whether that fraction of the limit is spent; if so, sets `cut`."""
        left = self.left(fraction)
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
    rules = data.rules
    if options.journal is not None:
        _open(options.journal, data, held_out, options)
    data = data.subsample(rules.data.max_cells, options.seed)
    folds = random_folds(data, options.seed), extrapolation_folds(data)
    domain = Domain.of(data, held_out)
    candidates, failures, effort = _candidates(data, folds[1], options, clock)
    own_candidates = [
        Candidate(tree, OWN) for tree in options.forms if set(tree.factors) <= {*data.factors}
    ]
    forms = [
        *own_candidates,
        *(Candidate(form.tree, f"theory: {form.name}") for form in theory(data)),
    ]
    candidates_and_forms = [*forms, MEAN, *candidates]
    fits = _fit_all(candidates_and_forms, data, domain, options, clock)
    outliers = None
    if options.loss != "squares":
        outliers = find_outliers([fit for fit in fits if fit], data, always=options.loss == "huber")
    if outliers is not None:
        data = outliers.weighted(data)
        fits = _fit_all(candidates_and_forms, data, domain, options, clock)
    form_fits = _best_way_of_each_form(fit for fit in fits[: len(forms)] if fit)
    fits_of_candidates = [fit for fit in fits[len(forms) :] if fit]
    fits_of_candidates += _shorter_variants(fits_of_candidates, data, domain, options, clock)
    pool = shortlist(fits_of_candidates, budget.keep, rules.search)
    trees = {fit.candidate.tree for fit in (*form_fits, *pool)}
    remainder = [fit for fit in fits_of_candidates if fit.candidate.tree not in trees]
    pool += _best_extrapolators(remainder, data, folds, options, clock)
    scored = _score_all([*form_fits, *pool], data, folds, options, clock)
    laws = [law for law in scored if _is_own(law) or _is_short(law.fitted, rules.search)]
    if data.group is not None:
        laws = _share_all(laws, data, domain, folds, options, clock)
    own_laws = {law.fitted.candidate.tree: law for law in laws if _is_own(law)}
    laws = [law for law in laws if _is_short(law.fitted, rules.search)]
    return SearchResult(
        laws=laws,
        selected=select(laws, data, options.seed),
        front=front(laws, rules.selection),
        theory=[law for law in scored[: len(form_fits)] if not _is_own(law)],
        forms={tree: own_laws.get(tree) for tree in options.forms},
        extrapolation=folds[1],
        cut=clock.cut,
        failures=failures,
        candidates=len(candidates),
        data=data,
        outliers=outliers,
        seed=options.seed,
        effort=effort,
    )


def _open(journal: Journal, data: Rows, held_out: Rows | None, options: SearchOptions) -> None:
    """Open the journal of this search: answers depend on all options but jobs and progress."""
    forms = [form.text for form in options.forms]
    engine = (options.engine, dict(options.engine_options), options.fallback)
    effort = (*engine, options.budget, options.time_limit, options.seed)
    journal.begin(data.factors, data, held_out, *effort, options.loss, options.rules, forms)
    if journal.resumed:
        options.progress(RESUMED, journal.resumed, journal.resumed)


def _is_own(law: Scored) -> bool:
    return law.fitted.candidate.origin == OWN


def _best_way_of_each_form(fits: Iterable[Fitted]) -> list[Fitted]:
    """Own forms, and for each known form the assignment of factors that fits best."""
    best: dict[str, Fitted] = {}
    for fit in fits:
        name = fit.candidate.text if fit.candidate.origin == OWN else fit.candidate.origin
        previous = best.get(name)
        if previous is None or (fit.valid, -fit.fit.error) > (previous.valid, -previous.fit.error):
            best[name] = fit
    return list(best.values())


def _best_extrapolators(
    fits: Sequence[Fitted], data: Rows, folds: Folds, options: SearchOptions, clock: Clock
) -> list[Fitted]:
    """The best extrapolating candidates among those that training error left out.

    Each fold is fitted in few steps from the constants on all rows.
    """
    rules = data.rules.search
    if not folds[1] or not rules.seats:
        return []
    eligible = [fit for fit in fits if fit.valid and _is_short(fit, rules)]
    eligible.sort(key=lambda fit: (fit.fit.error, fit.candidate.text))
    shortlisted = list(_best_of_each(eligible, rules.seats_tried, lambda fit: fit.complexity))
    tasks = [(chunk, data, folds[1], options.seed) for chunk in _chunks(shortlisted, 16)]
    errors = [
        e
        for part in _in_parallel(SCREENING, _extrapolation_errors, tasks, options, clock)
        for e in part
    ]
    order = sorted(range(len(errors)), key=lambda k: errors[k])
    best = [shortlisted[k] for k in order]
    selection = [*best[: rules.seats], *_best_of_each(best, 1, lambda fit: fit.complexity)]
    return list({fit.candidate.text: fit for fit in selection}.values())


def _extrapolation_errors(
    task: tuple[Sequence[Fitted], Rows, Sequence[Fold], int], _: float | None
) -> list[float]:
    """Extrapolation error of each candidate, from fits of few steps."""
    chunk, data, folds, seed = task
    quick = replace(data.rules.search, fold_iterations=data.rules.search.seat_iterations)
    data = replace(data, rules=replace(data.rules, search=quick))
    return [
        float(np.mean([fold_loss(fitted, data, fold, seed, 0).sum() for fold in folds]))
        for fitted in chunk
    ]


def shortlist(fits: Sequence[Fitted], keep: int, rules: SearchRules) -> list[Fitted]:
    """The best fits of every complexity.

    They are taken among all fits, valid fits, plausible fits, and plausible fits with each set of
    factors.
    """
    ranked = [fit for fit in fits if _is_short(fit, rules)]
    ranked.sort(key=lambda fit: (fit.fit.error, fit.candidate.text))
    plausible = [fit for fit in ranked if fit.valid and not fit.limits]
    valid = [fit for fit in ranked if fit.valid]
    selection = [
        *_best_of_each(plausible, keep, lambda fit: fit.complexity),
        *_best_of_each(plausible, 1, lambda fit: (fit.complexity, fit.used)),
        *_best_of_each(valid, keep, lambda fit: fit.complexity),
        *_best_of_each(ranked, 1, lambda fit: fit.complexity),
    ]
    return list({fit.candidate.text: fit for fit in selection}.values())


def _is_short(fit: Fitted, rules: SearchRules) -> bool:
    """Whether a law is short enough to be selected; surfaces and known forms may be longer."""
    plain = fit.candidate.origin.startswith(("theory", SURFACES.name))
    return fit.complexity <= (rules.longest if plain else rules.max_complexity)


def _best_of_each(
    fits: Sequence[Fitted], most: int, group: Callable[[Fitted], Hashable]
) -> Iterator[Fitted]:
    """The first `most` of every group."""
    count: Counter[Hashable] = Counter()
    for fit in fits:
        count[group(fit)] += 1
        if count[group(fit)] <= most:
            yield fit


@dataclass(frozen=True)
class Run:
    """One search of an engine.

    Attributes
    ----------
    engine : its name.
    data : rows to search.
    place : 0 for all rows, k for the training rows of fold k.
    guesses : templates of the grammar on the same rows.
    """

    engine: str
    data: Rows
    evaluations: int
    seed: int
    place: int
    options: Mapping[str, Any] = field(default_factory=dict)
    guesses: Sequence[Tree] = ()


@dataclass(frozen=True)
class Found:
    """What a run found: templates; what failed; what it did."""

    run: Run
    trees: Sequence[Tree]
    failures: Sequence[str] = ()
    evaluations: int | None = None
    cut: bool = False


def _candidates(
    data: Rows, folds: Sequence[Fold], options: SearchOptions, clock: Clock
) -> tuple[list[Candidate], list[str], Effort]:
    """Templates of every engine on all rows and on each fold's training rows, each once."""
    runs = _engine_runs(data, folds, options)
    found = _run_all(runs, options, clock)
    failures = [failure for one in found for failure in one.failures]
    own = [one for one in found if one.run.engine == options.engine]
    engine = options.engine
    if options.fallback and own and not any(one.trees or one.cut for one in own):
        engine = options.fallback
        failures.append(f"{engine} searched in place of {options.engine}")
        instead = replace(options, engine=engine, fallback="", engine_options={})
        runs = [run for run in _engine_runs(data, folds, instead) if run.engine not in OWN_SOURCES]
        own = _run_all(runs, instead, clock)
        failures += [failure for one in own for failure in one.failures]
        found += own
    clock.cut |= any(one.cut for one in found)
    candidates: dict[Tree, Candidate] = {}
    for one in found:
        for tree in one.trees:
            candidates.setdefault(tree, Candidate(tree, one.run.engine))
    counts = [one.evaluations for one in own]
    made = [count for count in counts if count is not None]
    asked = sum(run.evaluations for run in runs if run.engine == engine)
    effort = Effort(engine, asked, sum(made) if made else None)
    # the engine's first: a time limit drops the last
    ordered = sorted(candidates.values(), key=lambda candidate: candidate.origin != engine)
    return ordered, list(dict.fromkeys(failures)), effort


def _run_all(runs: Sequence[Run], options: SearchOptions, clock: Clock) -> list[Found]:
    """What the runs found: ours first, while an engine's own processes start."""
    exclusive = [run for run in runs if _source(run.engine).own_process]
    parallel = [run for run in runs if not _source(run.engine).own_process]
    engine = _source(exclusive[0].engine) if exclusive else None
    stage = SEARCHING_FIRST if exclusive and parallel else SEARCHING
    if not isinstance(engine, Prepared):
        found = _found(parallel, _in_parallel(stage, _run_engine, parallel, options, clock))
        one_job = replace(options, jobs=1)
        answers = _in_parallel(SEARCHING, _run_engine, exclusive, one_job, clock)
        return found + _found(exclusive, answers)
    try:
        engine.prepare(min(_jobs(options), len(exclusive)))
        found = _found(parallel, _in_parallel(stage, _run_engine, parallel, options, clock))
        guesses = {one.run.place: one.trees for one in found if one.run.engine == "grammar"}
        exclusive = [replace(run, guesses=guesses.get(run.place, ())) for run in exclusive]
        return found + _found(exclusive, _in_threads(SEARCHING, exclusive, options, clock))
    except EngineError as error:
        found = _found(parallel, _in_parallel(SEARCHING, _run_engine, parallel, options, clock))
        return found + [Found(run, (), (str(error),)) for run in exclusive]
    except BaseException:
        engine.close()
        raise


def _found(runs: Sequence[Run], answers: Sequence[EngineAnswer]) -> list[Found]:
    """Runs with their answers; the last runs may have none."""
    return [Found(run, *answer) for run, answer in zip(runs, answers, strict=False)]


def _in_threads(
    stage: Stage, runs: Sequence[Run], options: SearchOptions, clock: Clock
) -> list[EngineAnswer]:
    """Answers to runs that wait for processes of their engine, in order."""
    journal = options.journal
    results: list[EngineAnswer] = []
    if journal is not None:
        results, seconds = journal.stage(stage.name, len(runs))
        if seconds is not None:
            clock.resume(seconds)
    left = clock.left(getattr(options.rules, stage.rule))
    limit = None if left is None else max(left, 1.0)
    options.progress(stage.name, len(results), len(runs))
    with ThreadPoolExecutor(len(runs)) as threads:
        try:
            futures = [threads.submit(_run_engine, run, limit) for run in runs[len(results) :]]
            for future in futures:
                answer, place = future.result(), (stage.name, len(runs), len(results))
                kept = answer if journal is None else journal.add(*place, answer, clock.seconds)
                results.append(kept)
                options.progress(stage.name, len(results), len(runs))
        except BaseException:  # the threads wait for the processes
            for source in {run.engine: _source(run.engine) for run in runs}.values():
                if isinstance(source, Prepared):
                    source.close()
            raise
    return results


def _engine_runs(data: Rows, folds: Sequence[Fold], options: SearchOptions) -> list[Run]:
    """The runs of the search; all rows first: a limit cuts folds."""
    budget, name, seed = BUDGETS[options.budget], options.engine, options.seed
    if name == "grammar":
        seeds, most = range(0), 0.0
    else:
        seeds, most = range(budget.seeds), budget.engine * pace(_source(name))
    own = options.engine_options
    runs = [Run(source, data, budget.grammar, seed, 0) for source in OWN_SOURCES]
    runs += [Run(name, data, int(most), seed + k, 0, own) for k in seeds]
    for place, fold in enumerate(folds if budget.fold_share else (), 1):
        train, fraction = data.take(~fold.test), budget.fold_share
        share = data.rules.search.grammar_fold_share * fraction
        runs.append(Run("grammar", train, int(share * budget.grammar), seed, place))
        if name != "grammar":
            runs.append(Run(name, train, int(fraction * most), seed, place, own))
    return runs


EngineAnswer: TypeAlias = tuple[list[Tree], tuple[str, ...], int | None, bool]
"""What a run found but for the run itself: the fields of `Found` that a journal keeps."""


def _run_engine(run: Run, limit: float | None) -> EngineAnswer:
    """One engine run."""
    engine, data = _source(run.engine), run.data
    sample = data.sample if engine.knows_groups else _standardise(data)
    request = Request(
        sample,
        run.evaluations,
        run.seed,
        data.rules.search.max_complexity - 3,
        limit,
        data.undefined_rows,
        bounds=data.bounds,
        group=None if engine.knows_groups else data.sample.group,
        options=run.options,
        guesses=_with_numbers(run.guesses, sample, run.seed) if wants_guesses(engine) else (),
    )
    try:
        answer = engine.search(request)
    except EngineError as error:
        return [], (str(error),), None, isinstance(error, OutOfTimeError)
    trees = (to_template(text, data.factors) for text in answer)
    sizes = classify(data.columns).measured
    templates = (tree for tree in trees if tree and is_unit_free(tree, sizes))
    distinct = list(dict.fromkeys(templates))
    if not isinstance(answer, Answer):
        return distinct, (), None, False
    return distinct, tuple(answer.failures), answer.evaluations, answer.cut


def _with_numbers(trees: Sequence[Tree], sample: Sample, seed: int) -> list[str]:
    """The best templates of a run, constants fitted, as the expressions of a guess."""
    fits: list[tuple[float, str]] = []
    for tree in trees[:GUESSES]:
        expression = compiled(tree)
        fit = fit_constants(expression, sample, propose_starts(expression, sample, 2, seed), 10)
        if fit is not None:
            values = dict(zip(expression.constants, map(float, fit.theta), strict=True))
            fits.append((fit.error, tree.with_constants(values).text))
    return [text for _, text in sorted(fits)]


def _source(name: str) -> Engine:
    return SURFACES if name == SURFACES.name else ENGINES[name]


def _standardise(data: Rows) -> Sample:
    """Rows for an engine that knows no groups: the target in SDs from its group's mean."""
    sample = data.sample
    if sample.group is None:
        return sample
    total = np.maximum(np.bincount(sample.group, sample.weight), 1e-300)
    mean = np.bincount(sample.group, sample.weight * sample.target) / total
    spread = np.sqrt(np.maximum(data.group_variance, 1e-300))
    target = (sample.target - mean[sample.group]) / spread[sample.group]
    return Sample(sample.columns, target, sample.weight)


def _shorter_variants(
    fits: Sequence[Fitted],
    data: Rows,
    domain: Domain,
    options: SearchOptions,
    clock: Clock,
) -> list[Fitted]:
    """Shorter variants of the best of every complexity, fitted.

    The grammar and the catalogue hold their shorter variants already.
    """
    rules, fixed_origins = data.rules.search, (*OWN_SOURCES, MEAN.origin)
    most = rules.max_complexity + rules.pruned_excess
    engines = [f for f in fits if f.candidate.origin not in fixed_origins and f.complexity <= most]
    ranked = sorted(engines, key=lambda fit: (fit.fit.error, fit.candidate.text))
    best = _best_of_each(ranked, rules.pruned, lambda fit: fit.complexity)
    tasks = [(fit, data, options.seed) for fit in best]
    trees = {fit.candidate.tree for fit in fits}
    answers = _in_parallel(PRUNING, _prune_one, tasks, options, clock)
    new = {c.tree: c for found in answers for c in found if c.tree not in trees}
    return [fit for fit in _fit_all(list(new.values()), data, domain, options, clock) if fit]


def _prune_one(task: tuple[Fitted, Rows, int], _: float | None) -> list[Candidate]:
    fit, data, seed = task
    trees = prune(fit.candidate.tree, fit.fit.theta, data, seed)
    return [Candidate(tree, fit.candidate.origin) for tree in trees]


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
    folds: Folds,
    options: SearchOptions,
    clock: Clock,
) -> list[Scored]:
    tasks = [(chunk, data, folds, options.seed) for chunk in _chunks(fits, 8)]
    answers = _in_parallel(SCORING, _score_chunk, tasks, options, clock)
    return [scored for chunk in answers for scored in chunk]


def _score_chunk(
    task: tuple[Sequence[Fitted], Rows, Folds, int],
    _: float | None,
) -> list[Scored]:
    chunk, data, folds, seed = task
    return [score(fitted, data, *folds, seed) for fitted in chunk]


def _share_all(
    laws: Sequence[Scored],
    data: Rows,
    domain: Domain,
    folds: Folds,
    options: SearchOptions,
    clock: Clock,
) -> list[Scored]:
    """The laws; the best ones and all own forms with constants shared by groups where that helps.

    See `share_constants`.
    """
    ranked = sorted(laws, key=lambda law: (not _is_own(law), not law.fitted.valid, law.error))
    best = ranked[: data.rules.search.shared + sum(map(_is_own, laws))]
    tasks = [(law, data, domain, folds, options.seed) for law in best]
    improved = _in_parallel(SHARING, _share_one, tasks, options, clock)
    return [*improved, *ranked[len(improved) :]]


def _share_one(task: tuple[Scored, Rows, Domain, Folds, int], _: float | None) -> Scored:
    return share_constants(*task)


def _chunks(items: Sequence[Result], size: int) -> list[Sequence[Result]]:
    return [items[k : k + size] for k in range(0, len(items), size)]


def _jobs(options: SearchOptions) -> int:
    return cpu_count() if options.jobs == -1 else max(options.jobs, 1)


@dataclass(frozen=True)
class Stage:
    """A named step of the search and the rule that says by when it must be over."""

    name: str
    rule: str = ""


SEARCHING, FITTING = Stage("searching", "engine_time"), Stage("fitting", "fitting_time")
SEARCHING_FIRST = Stage("searching", "first_engine_time")
PRUNING, SCORING = Stage("shortening", "pruning_time"), Stage("scoring")
SCREENING = Stage("screening", "screening_time")
SHARING = Stage("sharing constants")


def _in_parallel(
    stage: Stage,
    work: Callable[[Any, float | None], Result],
    tasks: Sequence[Any],
    options: SearchOptions,
    clock: Clock,
) -> list[Result]:
    """Results in the order of the tasks; tasks that the time limit leaves no time for are dropped.

    Tasks go out in rounds of a few per worker, and the clock is looked at between rounds; the first
    round always runs, so that a hopeless limit still gives an answer. Answers in the journal are
    taken from there, and the clock goes on from the time when they were given.
    """
    jobs = _jobs(options)
    share = getattr(options.rules, stage.rule) if stage.rule else 1.0
    results: list[Result] = []
    journal = options.journal
    if journal is not None:
        results, seconds = journal.stage(stage.name, len(tasks))
        if seconds is not None:
            clock.resume(seconds)
    if tasks:
        options.progress(stage.name, len(results), len(tasks))
    for batch in _chunks(tasks[len(results) :], jobs if clock.limit else max(4 * jobs, 8)):
        if results and clock.over(share):
            break
        left = clock.left(share)
        limit = None if left is None else max(left, 1.0)
        with closing(in_processes(work, [(task, limit) for task in batch], jobs)) as arriving:
            for result in arriving:
                place = (stage.name, len(tasks), len(results))
                kept = result if journal is None else journal.add(*place, result, clock.seconds)
                results.append(kept)
                options.progress(stage.name, len(results), len(tasks))
    return results
