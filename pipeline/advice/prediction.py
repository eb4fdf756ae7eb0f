"""What a law predicts for a main layer alone, with each auxiliary and with sets of them.

Notation
--------
N : sets of auxiliaries asked about
gain : score with the auxiliaries minus score without
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mtl_laws.pipeline.advice.factors import Situation, Sizes, columns_of
from mtl_laws.pipeline.advice.profile import Profile
from mtl_laws.pipeline.laws.bands import Bands
from mtl_laws.pipeline.laws.law import Law

Floats = NDArray[np.float64]
Set = tuple[str, ...]

#: a law of this target predicts gains; of any other, scores
GAIN = "gain"
#: auxiliaries, best first, whose combinations are tried, and most of them in one set
COMBINED, LARGEST = 6, 3
#: a gain below this is none
NOTHING = 1e-9


@dataclass(frozen=True)
class Estimate:
    """A prediction with 95 % intervals: of the law, and of one more trained model."""

    value: float
    law: tuple[float, float] | None = None
    run: tuple[float, float] | None = None


@dataclass(frozen=True)
class Suggestion:
    """What a law says about training these auxiliaries with the main layer.

    Attributes
    ----------
    auxiliaries : names of layers.
    alone, together : predicted scores without and with them; None for a law of gains where no
        law says what the score alone is.
    gain : their difference.
    outside : factors whose values lie beyond what the law was fitted on.
    """

    auxiliaries: Set
    alone: Estimate | None
    together: Estimate | None
    gain: Estimate
    outside: tuple[str, ...]


class WordTables(Protocol):
    """What tables of words get right, as `pipeline.advice.word_table.Lookup` tells it."""

    def accuracy(self, n: int, n_aux: Mapping[str, int], sets: Sequence[Set]) -> Floats:
        """One share for each set of auxiliaries."""
        ...


@dataclass(frozen=True)
class Oracle:
    """A law applied to a corpus.

    Attributes
    ----------
    law, target : the law, and what it predicts.
    alone : a law of the score alone, to go with a law of gains; None for none.
    lower : whether a lower target is better, so that a gain is how far it falls.
    sources : which computed factor stands for each of its factors.
    profile, lookup : the corpus.
    """

    law: Law
    target: str
    sources: Mapping[str, str]
    profile: Profile
    lookup: WordTables
    alone: Law | None = None
    lower: bool = False

    def predict(self, sizes: Sizes, sets: Sequence[Set]) -> list[Suggestion]:
        """One suggestion for each set, in order."""
        known = [float(value) for value in self.lookup.accuracy(sizes.n, sizes.n_aux, [(), *sets])]
        single = Situation(self.profile, sizes, (), known[0], known[0])
        shared = [
            Situation(self.profile, sizes, names, value, known[0])
            for names, value in zip(sets, known[1:], strict=True)
        ]
        without, together = self._columns([single] * len(sets)), self._columns(shared)
        if self.target == GAIN:
            return _of_gains(sets, self.law.bands(together), self._score_alone(single))
        scores = (self.law.bands(without), self.law.bands(together))
        first, second = (without, together) if self.lower else (together, without)
        return _of_scores(sets, scores, self.law.change(first, second))

    def _columns(self, situations: Sequence[Situation]) -> dict[str, Floats]:
        return columns_of(situations, self.sources)

    def _score_alone(self, single: Situation) -> Estimate | None:
        """What the law of the score alone says."""
        if self.alone is None:
            return None
        used = {name: name for name in self.alone.factors}
        return _estimate(self.alone.bands(columns_of([single], used)), 0)

    def best_set(self, sizes: Sizes, singles: Sequence[Suggestion]) -> Suggestion | None:
        """The set of greatest predicted gain, of at most as many tasks as the law was fitted on.

        Sets of one auxiliary are among them; None where no set is predicted to help.
        """
        ranked = sorted(singles, key=lambda single: -single.gain.value)
        names = [single.auxiliaries[0] for single in ranked[:COMBINED]]
        sizes_of_sets = range(2, 1 + min(self._most_auxiliaries(), len(names)))
        sets = [some for count in sizes_of_sets for some in combinations(names, count)]
        rivals = [*ranked, *(self.predict(sizes, sets) if sets else [])]
        finite = [rival for rival in rivals if np.isfinite(rival.gain.value)]
        best = max(finite, key=lambda rival: rival.gain.value, default=None)
        return best if best is not None and best.gain.value > NOTHING else None

    def _most_auxiliaries(self) -> int:
        """So many that T stays in the fitted region."""
        told = self.law.uncertainty
        counted = next((name for name, source in self.sources.items() if source == "T"), None)
        if told is None or counted is None or counted not in told.ranges:
            return LARGEST
        return min(LARGEST, int(told.ranges[counted][1]) - 1)


def _of_gains(sets: Sequence[Set], gain: Bands, alone: Estimate | None) -> list[Suggestion]:
    """Suggestions of a law of gains; the score together is the score alone and the gain."""
    return [
        Suggestion(
            auxiliaries,
            alone,
            alone and Estimate(float(np.clip(alone.value + gain.mean[row], 0.0, 1.0))),
            _estimate(gain, row),
            gain.outside[row],
        )
        for row, auxiliaries in enumerate(sets)
    ]


def _of_scores(sets: Sequence[Set], scores: tuple[Bands, Bands], gain: Bands) -> list[Suggestion]:
    without, together = scores
    return [
        Suggestion(
            auxiliaries,
            _estimate(without, row),
            _estimate(together, row),
            _estimate(gain, row),
            gain.outside[row],
        )
        for row, auxiliaries in enumerate(sets)
    ]


def _estimate(bands: Bands, row: int) -> Estimate:
    law, run = (
        None if band is None else (float(band[0][row]), float(band[1][row]))
        for band in (bands.law, bands.run)
    )
    return Estimate(float(bands.mean[row]), law, run)
