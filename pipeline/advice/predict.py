"""Predictions of a law: a main layer alone, with each auxiliary, and with the best set of them.

Notation
--------
N : sets of auxiliaries
gain : score with the auxiliaries minus score without
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mtl_laws.pipeline.advice.corpus import Profile
from mtl_laws.pipeline.advice.factors import Situation, TokenCounts, columns_of
from mtl_laws.pipeline.laws.bands import Bands
from mtl_laws.pipeline.laws.law import Law

Floats = NDArray[np.float64]
LayerSet = tuple[str, ...]

#: a law of this target predicts gains; of any other, scores
GAIN = "gain"


@dataclass(frozen=True, kw_only=True)
class SetRules:
    """Which sets of auxiliaries are tried.

    Attributes
    ----------
    combined : auxiliaries, best first, that are combined.
    largest : auxiliaries in one set, at most.
    min_gain : a smaller predicted gain counts as none.
    """

    combined: int = 6
    largest: int = 3
    min_gain: float = 1e-9


@dataclass(frozen=True)
class Estimate:
    """A prediction with 95 % intervals: of the mean, and of one more training."""

    value: float
    law: tuple[float, float] | None = None
    run: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """Predictions for training these auxiliaries with the main layer.

    Attributes
    ----------
    auxiliaries : names of layers.
    alone, together : predicted scores without and with them; None for a law of gains if there is
        no law of the score alone.
    gain : their difference.
    outside : factors whose values lie beyond what the law was fitted on.
    """

    auxiliaries: LayerSet
    alone: Estimate | None
    together: Estimate | None
    gain: Estimate
    outside: tuple[str, ...]


class WordAccuracy(Protocol):
    """Accuracy of word tables, as `pipeline.advice.word_table.WordTable` computes it."""

    def accuracy(self, n: int, n_aux: Mapping[str, int], sets: Sequence[LayerSet]) -> Floats:
        """One accuracy for each set of auxiliaries."""
        ...


@dataclass(frozen=True, kw_only=True)
class AdviceLaw:
    """A law that can be applied to corpora.

    Attributes
    ----------
    law, target : the law, and what it predicts.
    sources : the entry of `factors.FACTORS` for each of its factors.
    family : the task family it was found on; empty if unknown.
    lower_is_better : if so, a gain is how far the target falls.
    """

    law: Law
    target: str
    sources: Mapping[str, str]
    family: str = ""
    lower_is_better: bool = False


@dataclass(frozen=True, kw_only=True)
class GainPredictor:
    """A law applied to one corpus.

    Attributes
    ----------
    law : of gains or of scores.
    alone : a law of the score alone, beside a law of gains; None for none.
    profile, words : the corpus.
    rules : which sets of auxiliaries are tried.
    """

    law: AdviceLaw
    profile: Profile
    words: WordAccuracy
    alone: Law | None = None
    rules: SetRules = SetRules()

    def predict(self, sizes: TokenCounts, sets: Sequence[LayerSet]) -> list[Suggestion]:
        """One suggestion for each set, in order."""
        lookup = [float(v) for v in self.words.accuracy(sizes.n, sizes.n_aux, [(), *sets])]
        single = Situation(self.profile, sizes, (), lookup[0], lookup[0])
        shared = [
            Situation(self.profile, sizes, names, value, lookup[0])
            for names, value in zip(sets, lookup[1:], strict=True)
        ]
        law, keys = self.law.law, self.law.sources
        without, together = columns_of([single] * len(sets), keys), columns_of(shared, keys)
        if self.law.target == GAIN:
            return self._suggestions_of_gains(sets, law.bands(together), single)
        first, second = (without, together) if self.law.lower_is_better else (together, without)
        alone, both = (bounded(law, table) for table in (without, together))
        gain = law.change(first, second)
        return [
            Suggestion(
                auxiliaries=auxiliaries,
                alone=_estimate(alone, row),
                together=_estimate(both, row),
                gain=_estimate(gain, row),
                outside=gain.outside[row],
            )
            for row, auxiliaries in enumerate(sets)
        ]

    def best_set(self, sizes: TokenCounts, singles: Sequence[Suggestion]) -> Suggestion | None:
        """The set of greatest predicted gain, of at most as many tasks as the law was fitted on.

        Sets of one auxiliary are candidates too; None if no set is predicted to help.
        """
        ranked = sorted(singles, key=lambda single: -single.gain.value)
        names = [single.auxiliaries[0] for single in ranked[: self.rules.combined]]
        counts = range(2, 1 + min(self._most_auxiliaries(), len(names)))
        sets = [subset for count in counts for subset in combinations(names, count)]
        candidates = [*ranked, *(self.predict(sizes, sets) if sets else [])]
        finite = [one for one in candidates if np.isfinite(one.gain.value)]
        best = max(finite, key=lambda one: one.gain.value, default=None)
        return best if best is not None and best.gain.value > self.rules.min_gain else None

    def _most_auxiliaries(self) -> int:
        """The number of auxiliaries up to which T stays in the fitted region."""
        uncertainty = self.law.law.uncertainty
        T = next((name for name, key in self.law.sources.items() if key == "T"), None)
        if uncertainty is None or T is None or T not in uncertainty.ranges:
            return self.rules.largest
        return min(self.rules.largest, int(uncertainty.ranges[T][1]) - 1)

    def _suggestions_of_gains(
        self, sets: Sequence[LayerSet], gain: Bands, single: Situation
    ) -> list[Suggestion]:
        """Suggestions of a law of gains; the score together is the score alone plus the gain."""
        alone = None
        if self.alone is not None:
            used = {name: name for name in self.alone.factors}
            alone = _estimate(bounded(self.alone, columns_of([single], used)), 0)
        return [
            Suggestion(
                auxiliaries=auxiliaries,
                alone=alone,
                together=alone and Estimate(float(np.clip(alone.value + gain.mean[row], 0.0, 1.0))),
                gain=_estimate(gain, row),
                outside=gain.outside[row],
            )
            for row, auxiliaries in enumerate(sets)
        ]


def bounded(law: Law, columns: Mapping[str, Floats]) -> Bands:
    """Predictions of a law, within the bounds of its target."""
    uncertainty = law.uncertainty
    return law.bands(columns).within(None if uncertainty is None else uncertainty.bounds)


def _estimate(bands: Bands, row: int) -> Estimate:
    law, run = (
        None if band is None else (float(band[0][row]), float(band[1][row]))
        for band in (bands.law, bands.run)
    )
    return Estimate(float(bands.mean[row]), law, run)
