"""A check of advice: the top suggestions, trained on the user's own corpus.

A check needs test sentences, and sentences of its own for every task, so it may train on fewer
tokens than the advice is for. The law's predictions are then repeated for those sizes.

Trainings of one main task and one seed share test sentences, main training sentences and the seed
of the training: the difference of two scores is a paired one.

Notation
--------
n, n_aux : training tokens of the main task; of each auxiliary, on sentences of their own
ν : validation tokens per n
gain : score with the auxiliaries minus score alone, paired by seed
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product
from statistics import fmean, stdev

from scipy.stats import t as student

from mtl_laws.pipeline.advice.corpus import Profile
from mtl_laws.pipeline.advice.evidence import LayerSet
from mtl_laws.pipeline.advice.predict import Estimate, GainPredictor, Suggestion
from mtl_laws.pipeline.advice.sizes import TokenCounts
from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.study.progress import duration
from mtl_laws.pipeline.training import Job, Outcome, TrainingSettings, max_group, train_group
from mtl_laws.simulator import TaskSpec, make_taskset
from mtl_laws.simulator.spec import JSON

#: called with a stage, how much of it is done, and its total
StageProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class CheckPlan:
    """What a check trains.

    Attributes
    ----------
    encoder : of the taggers.
    pilot : main-task tokens of the training that is timed.
    seeds : trainings of each set.
    top : number of suggestions.
    metric : the score that is compared.
    test_tokens, test_fraction : test tokens: at most so many, and at most this fraction of what
        the main layer labels.
    validation : ν.
    slack : factor on the tokens needed, because sentences differ in length.
    min_tokens : training tokens of a task, at least.
    main_fraction : of the remaining tokens, for the main task, at most.
    """

    encoder: str = "bilstm"
    pilot: int = 200
    seeds: int = 5
    top: int = 3
    metric: str = "accuracy"
    test_tokens: int = 5_000
    test_fraction: float = 0.25
    validation: float = 0.2
    slack: float = 1.1
    min_tokens: int = 50
    main_fraction: float = 0.5

    def __post_init__(self) -> None:
        for path, value, least in (("seeds", self.seeds, 2), ("top", self.top, 1)):
            if value < least:
                raise UserError(path, f"a whole number of at least {least}", value)


@dataclass(frozen=True, order=True)
class Setup:
    """A main layer, the auxiliary layers trained with it (none: alone), and their sizes.

    Attributes
    ----------
    main, auxiliaries : names of layers.
    n, n_aux : training tokens of the main task and of each auxiliary.
    """

    main: str
    auxiliaries: LayerSet
    n: int
    n_aux: int

    @property
    def alone(self) -> Setup:
        """The main task trained alone."""
        return Setup(self.main, (), self.n, 0)

    def spec(self, options: Mapping[str, JSON], test_tokens: int) -> TaskSpec:
        """The tasks for the simulator.

        Parameters
        ----------
        options : of the `layers` family, to open the corpus.
        """
        spec = TaskSpec(
            family="layers",
            tasks=1 + len(self.auxiliaries),
            tokens=self.n,
            aux_tokens=self.n_aux or None,
            test_tokens=test_tokens,
            options={**options, "main": self.main, "aux": list(self.auxiliaries) or None},
        )
        return spec if self.auxiliaries else spec.alone()


@dataclass(frozen=True)
class TrainingRunner:
    """Trains setups on one corpus.

    Attributes
    ----------
    options : of the `layers` family, to open the corpus.
    settings : architecture and training.
    test_tokens : tokens of the test set.
    """

    options: Mapping[str, JSON]
    settings: TrainingSettings
    test_tokens: int

    def train(
        self,
        setups: Sequence[Setup],
        seeds: Sequence[int],
        progress: Callable[[int], None] = lambda finished: None,
    ) -> Iterator[tuple[Setup, int, Outcome]]:
        """Outcomes of every setup with every seed, a group of equal shape at a time.

        Raises
        ------
        SpecError
            if the corpus has too few tokens for a setup.
        """
        shapes = groupby(sorted(set(setups)), key=lambda setup: (setup.main, setup.auxiliaries))
        for (_, auxiliaries), alike in shapes:
            runs = list(product(alike, seeds))
            size = max_group(self.settings, 1 + len(auxiliaries))
            for start in range(0, len(runs), size):
                group = runs[start : start + size]
                jobs = []
                for setup, seed in group:
                    taskset = make_taskset(setup.spec(self.options, self.test_tokens), seed)
                    jobs.append(Job(taskset, self.settings, seed))
                outcomes = train_group(jobs, progress=progress)
                for (setup, seed), outcome in zip(group, outcomes, strict=True):
                    yield setup, seed, outcome

    def expected_seconds(
        self, setups: Sequence[Setup], seeds: Sequence[int], pilot: Setup
    ) -> float:
        """Seconds that setups will take, from a small pilot that is timed after one to warm up.

        The seeds of a setup are trained as one group, as those of the pilot are.
        """
        list(self.train([pilot], seeds[:1]))
        start = time.perf_counter()
        list(self.train([pilot], seeds))
        return (time.perf_counter() - start) * sum(map(self._cost, setups)) / self._cost(pilot)

    def _cost(self, setup: Setup) -> float:
        return self.settings.cost(1 + len(setup.auxiliaries), setup.n)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Predicted and measured gain of one set of auxiliaries.

    Attributes
    ----------
    predicted : at the sizes of the check.
    alone, together : mean score over seeds.
    gain, gain_ci95 : mean over seeds, and its interval.
    seeds : seeds for which both trainings have a score.
    updated : prediction and measurement together, each weighted by the inverse of its variance.
    """

    predicted: Suggestion
    alone: float
    together: float
    gain: float
    gain_ci95: tuple[float, float]
    seeds: int
    updated: Estimate


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check and its sizes."""

    n: int
    n_aux: int
    test_tokens: int
    results: tuple[Comparison, ...]


def check(
    predictor: GainPredictor,
    profile: Profile,
    options: Mapping[str, JSON],
    sets: Sequence[LayerSet],
    plan: CheckPlan,
    progress: StageProgress,
) -> Check:
    """Predicted and measured gains: the main layer trained alone and with each of the sets.

    Raises
    ------
    UserError
        if the corpus is too small.
    """
    evidence = predictor.evidence
    setups, test_tokens = plan_setups(profile, evidence.sizes, sets, plan)
    options = {**options, "min_overlap": plan.min_tokens}
    runner = TrainingRunner(options, TrainingSettings(encoder=plan.encoder), test_tokens)
    scores = _scores(runner, setups, plan, progress)
    n, n_aux = setups[0].n, setups[0].n_aux
    sizes = TokenCounts(n, dict.fromkeys(evidence.sizes.n_aux, n_aux))
    predicted = replace(predictor, evidence=replace(evidence, sizes=sizes)).predict(sets)
    results = [
        _comparison(suggestion, scores[setup.alone], scores[setup])
        for suggestion, setup in zip(predicted, setups, strict=True)
    ]
    complete = tuple(one for one in results if one is not None)
    return Check(n=n, n_aux=n_aux, test_tokens=test_tokens, results=complete)


def plan_setups(
    profile: Profile, sizes: TokenCounts, sets: Sequence[LayerSet], plan: CheckPlan
) -> tuple[list[Setup], int]:
    """Setups of the sets, all of one size that the corpus has tokens for, and test tokens.

    Raises
    ------
    UserError
        if the corpus is too small.
    """
    if sizes.n < plan.min_tokens:
        raise UserError("tokens", f"at least {plan.min_tokens} for a check", sizes.n)
    names = sorted({name for names in sets for name in names})
    largest = max(len(names) for names in sets)
    test_tokens = min(plan.test_tokens, int(plan.test_fraction * profile.main.tokens))
    left = profile.main.tokens - test_tokens
    cost = (1 + plan.validation) * plan.slack
    n = min(sizes.n, int(plan.main_fraction * left / cost))
    beyond = min(profile.pairs[name].extra for name in names)
    overlap = min(profile.pairs[name].tokens for name in names) / profile.main.tokens
    n_aux = int((overlap * (left - n * cost) + beyond) / (cost * largest))
    n_aux = min(n_aux, *(sizes.n_aux[name] for name in names))
    if min(n, n_aux) < plan.min_tokens:
        expected = (
            f"a corpus large enough for a test set and {plan.min_tokens} training tokens per task"
        )
        raise UserError("check", expected, f"{profile.main.tokens} labelled tokens")
    return [Setup(profile.main.name, names, n, n_aux) for names in sets], test_tokens


def _scores(
    runner: TrainingRunner,
    setups: Sequence[Setup],
    plan: CheckPlan,
    progress: StageProgress,
) -> dict[Setup, dict[int, float]]:
    """Score by setup and seed, of the setups and of the main task alone."""
    trained = sorted({setups[0].alone, *setups})
    total, done = len(trained) * plan.seeds, 0
    progress("timing", 0, 0)
    pilot = replace(setups[0].alone, n=min(setups[0].n, plan.pilot))
    seconds = runner.expected_seconds(trained, range(plan.seeds), pilot)
    stage = f"training {total} models, about {duration(seconds)}"

    def tick(finished: int) -> None:
        nonlocal done
        done += finished
        progress(stage, done, total)

    scores: dict[Setup, dict[int, float]] = {setup: {} for setup in trained}
    progress(stage, 0, total)
    for setup, seed, outcome in runner.train(trained, range(plan.seeds), tick):
        if outcome.status.scored:
            scores[setup][seed] = outcome.scores[plan.metric]
    return scores


def _comparison(
    predicted: Suggestion, alone: Mapping[int, float], together: Mapping[int, float]
) -> Comparison | None:
    """The gain paired by seed; None if fewer than two pairs have scores."""
    seeds = sorted(alone.keys() & together.keys())
    if len(seeds) < 2:
        return None
    gains = [together[seed] - alone[seed] for seed in seeds]
    mean = fmean(gains)
    half = float(student.ppf(0.975, len(seeds) - 1)) * stdev(gains) / math.sqrt(len(seeds))
    return Comparison(
        predicted=predicted,
        alone=fmean(alone[seed] for seed in seeds),
        together=fmean(together[seed] for seed in seeds),
        gain=mean,
        gain_ci95=(mean - half, mean + half),
        seeds=len(seeds),
        updated=_updated(predicted.gain.value, predicted.half_width, mean, half),
    )


def _updated(value: float, own: float | None, mean: float, half: float) -> Estimate:
    """A prediction and a measured mean, each with a half-width, weighted by their variances."""
    if own is None or half == 0:
        return Estimate(mean, (mean - half, mean + half))
    both = (value * half**2 + mean * own**2) / (own**2 + half**2)
    joint = own * half / math.hypot(own, half)
    return Estimate(both, (both - joint, both + joint))
