"""The check: the top suggestions and single-task learning, trained on the user's own corpus.

A check needs test sentences and sentences of their own for every task, so it may have to train on
fewer tokens than the advice is about; what the law predicts is computed again for those sizes.

Notation
--------
n, n_aux : training tokens of the main task and of each auxiliary;  ν : validation tokens per n
gain : accuracy with the auxiliaries minus accuracy alone, paired by seed
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy.stats import t as student

from mtl_laws.pipeline.advice.factors import Sizes
from mtl_laws.pipeline.advice.prediction import Oracle, Suggestion
from mtl_laws.pipeline.advice.profile import Profile
from mtl_laws.pipeline.advice.trials import Laboratory, Trial
from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.training import TrainingSettings
from mtl_laws.simulator.spec import JSON

Progress = Callable[[str, int, int], None]
Set = tuple[str, ...]

#: test tokens: at most so many, and at most this share of what the main layer labels
TEST_TOKENS, TEST_SHARE = 5_000, 0.25
#: ν, and what sentences of uneven length may cost
VALIDATION, SLACK = 0.2, 1.1
#: fewer training tokens are no check
MIN_TOKENS = 50
#: share of the sentences left that the main task may train on
MAIN_SHARE = 0.5


@dataclass(frozen=True)
class Plan:
    """What a check trains.

    Attributes
    ----------
    seeds : how many trainings of each.
    top : how many suggestions.
    """

    seeds: int = 5
    top: int = 3

    def __post_init__(self) -> None:
        for path, value, least in (("seeds", self.seeds, 2), ("top", self.top, 1)):
            if value < least:
                raise UserError(path, f"a whole number of at least {least}", value)


@dataclass(frozen=True)
class Checked:
    """Predicted against measured, for one set of auxiliaries.

    Attributes
    ----------
    predicted : at the sizes of the check.
    alone, together : mean accuracy over seeds.
    gain, gain_ci95 : mean over seeds, and its interval.
    seeds : trainings that ended with a score, of both kinds.
    """

    predicted: Suggestion
    alone: float
    together: float
    gain: float
    gain_ci95: tuple[float, float]
    seeds: int


@dataclass(frozen=True)
class Check:
    """A check and the sizes it was made at."""

    n: int
    n_aux: int
    test_tokens: int
    results: tuple[Checked, ...]


def check(
    oracle: Oracle,
    reading: Mapping[str, JSON],
    sizes: Sizes,
    sets: Sequence[Set],
    plan: Plan,
    progress: Progress,
) -> Check:
    """Train the main layer alone and with each of the sets, several seeds each.

    Raises
    ------
    UserError
        if the corpus is too small for it.
    """
    trials, test_tokens = plan_trials(oracle.profile, sizes, sets)
    options = {**reading, "min_overlap": MIN_TOKENS}
    laboratory = Laboratory(options, TrainingSettings(), test_tokens)
    scores = _train(laboratory, trials, plan.seeds, progress)
    n, n_aux = trials[0].n, trials[0].n_aux
    again = Sizes(n, dict.fromkeys(sizes.n_aux, n_aux))
    found = [
        _compared(suggestion, scores[trial.alone], scores[trial])
        for suggestion, trial in zip(oracle.predict(again, sets), trials, strict=True)
    ]
    return Check(n, n_aux, test_tokens, tuple(one for one in found if one is not None))


def plan_trials(known: Profile, sizes: Sizes, sets: Sequence[Set]) -> tuple[list[Trial], int]:
    """Trials of the sets, all of one size that the corpus can serve, and test tokens."""
    names = sorted({name for names in sets for name in names})
    most = max(len(some) for some in sets)
    test_tokens = min(TEST_TOKENS, int(TEST_SHARE * known.main.tokens))
    left = known.main.tokens - test_tokens
    cost = (1 + VALIDATION) * SLACK
    n = min(sizes.n, int(MAIN_SHARE * left / cost))
    beyond = min(known.pairs[name].extra for name in names)
    shared = min(known.pairs[name].tokens for name in names) / known.main.tokens
    n_aux = int((shared * (left - n * cost) + beyond) / (cost * most))
    n_aux = min(n_aux, *(sizes.n_aux[name] for name in names))
    if min(n, n_aux) < MIN_TOKENS:
        expected = f"a corpus large enough to train on {MIN_TOKENS} tokens of each task and test"
        raise UserError("check", expected, f"{known.main.tokens} labelled tokens")
    return [Trial(known.main.name, some, n, n_aux) for some in sets], test_tokens


def _train(
    laboratory: Laboratory, trials: Sequence[Trial], seeds: int, progress: Progress
) -> dict[Trial, dict[int, float]]:
    """Accuracy by trial and seed, of the trials and of the main task alone."""
    wanted = [trials[0].alone, *trials]
    total, done = len(set(wanted)) * seeds, 0

    def tick(finished: int) -> None:
        nonlocal done
        done += finished
        progress("training", done, total)

    scores: dict[Trial, dict[int, float]] = {trial: {} for trial in wanted}
    progress("training", 0, total)
    for trial, seed, outcome in laboratory.train(wanted, range(seeds), tick):
        if outcome.status.scored:
            scores[trial][seed] = outcome.scores["accuracy"]
    return scores


def _compared(
    predicted: Suggestion, alone: Mapping[int, float], together: Mapping[int, float]
) -> Checked | None:
    """Paired by seed; None where fewer than two pairs have scores."""
    seeds = sorted(alone.keys() & together.keys())
    if len(seeds) < 2:
        return None
    gains = [together[seed] - alone[seed] for seed in seeds]
    mean = fmean(gains)
    half = float(student.ppf(0.975, len(seeds) - 1)) * stdev(gains) / math.sqrt(len(seeds))
    return Checked(
        predicted,
        fmean(alone[seed] for seed in seeds),
        fmean(together[seed] for seed in seeds),
        mean,
        (mean - half, mean + half),
        len(seeds),
    )
