"""Predictions of a law: a main layer alone, with each auxiliary, and with the best set of them.

Notation
--------
N : sets of auxiliaries
gain : score with the auxiliaries minus score without
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

from mtl_laws.pipeline.advice.evidence import Evidence, LayerSet, Statistics
from mtl_laws.pipeline.laws.bands import WIDTH, Band, Bands, bound_ends
from mtl_laws.pipeline.laws.law import Law

Floats = NDArray[np.float64]

#: a law whose target begins so predicts gains; any other one scores
GAIN = "gain"


@dataclass(frozen=True, kw_only=True)
class SetRules:
    """Which sets of auxiliaries are tried, and which is called best.

    Attributes
    ----------
    combined : auxiliaries, best first, that are combined.
    largest : auxiliaries in one set, at most.
    margin : a larger set has to be better by so much in the score.
    min_gain : a smaller predicted gain counts as none.
    """

    combined: int = 6
    largest: int = 2
    margin: float = 0.005
    min_gain: float = 1e-9


@dataclass(frozen=True, kw_only=True)
class GainErrors:
    """Errors of a law of gains on whole corpora that were left out when it was fitted.

    The standard deviation at n tokens of the main layer is the root of base² + by_token²/n.

    Attributes
    ----------
    base, by_token : of the measured mean gain about the predicted one.
    seed_base, seed_by_token : of a single pair of trainings about their mean.
    corpora : number of corpora.
    freedom : effective degrees of freedom of the deviations; few where errors differ between
        corpora more than within them.
    """

    base: float
    by_token: float
    seed_base: float
    seed_by_token: float
    corpora: int
    freedom: float

    @property
    def width(self) -> float:
        """Half-width of a 95 % interval, in standard deviations."""
        return float(student.ppf(0.975, self.freedom))

    def deviations(self, n: Floats) -> tuple[Floats, Floats]:
        """Standard deviations (N,) of the mean gain and of a single one, at n tokens (N,)."""
        mean = np.hypot(self.base, self.by_token / np.sqrt(n))
        seed = np.hypot(self.seed_base, self.seed_by_token / np.sqrt(n))
        return mean, np.hypot(mean, seed)

    def widened(self, gain: Bands, n: Floats) -> Bands:
        """The bands of a law with these errors beside the law's own."""
        deviations = self.deviations(n)
        law, run = (_widened(gain.mean, gain.law, self.width * sd) for sd in deviations)
        return Bands(gain.mean, law, run, gain.outside, gain.distance)


@dataclass(frozen=True)
class Estimate:
    """A prediction with 95 % intervals: of the mean, and of one more training."""

    value: float
    law: tuple[float, float] | None = None
    run: tuple[float, float] | None = None

    @property
    def half_width(self) -> float | None:
        """Half the width of the interval of the mean; None without one."""
        return None if self.law is None else (self.law[1] - self.law[0]) / 2

    @property
    def helps(self) -> float | None:
        """Probability that the mean is above 0, if its errors are normal; None without interval."""
        half = self.half_width
        if not half or not np.isfinite([self.value, half]).all():
            return None
        return float(norm.cdf(WIDTH * self.value / half))

    def within(self, mean: tuple[float, float], single: tuple[float, float]) -> Estimate:
        """The estimate cut to the range of what its mean, and what one more training, can be."""
        value = float(np.clip(self.value, *mean))
        return Estimate(value, _cut(self.law, mean), _cut(self.run, single))


def _cut(ends: tuple[float, float] | None, room: tuple[float, float]) -> tuple[float, float] | None:
    return (
        None if ends is None else (float(np.clip(ends[0], *room)), float(np.clip(ends[1], *room)))
    )


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """Predictions for training these auxiliaries with the main layer.

    Attributes
    ----------
    auxiliaries : names of layers.
    alone, together : predicted scores without and with them; None for a law of gains if there is
        no law of the score alone.
    gain : their difference; no more than the bounds of the metric allow beside `alone`.
    half_width : of the 95 % interval of the mean gain, before the bounds cut it; None without one.
    helps : probability that training together helps at all; None if it is not known.
    outside : factors whose values lie beyond what the law was fitted on.
    statistics : what the prediction was computed from; factors beyond their fitted ranges are at
        the ends of these, if the gain is nearer to 0 there.
    """

    auxiliaries: LayerSet
    alone: Estimate | None
    together: Estimate | None
    gain: Estimate
    half_width: float | None
    helps: float | None
    outside: tuple[str, ...]
    statistics: Statistics


@dataclass(frozen=True, kw_only=True)
class AdviceLaw:
    """A law that can be applied to corpora.

    Attributes
    ----------
    law, target : the law, and what it predicts.
    sources : the entry of `factors.FACTORS` for each of its factors.
    family : the task family it was found on; empty if unknown.
    lower_is_better : if so, a gain is how far the target falls.
    errors : on corpora that the law has not seen; None if they were not measured.
    """

    law: Law
    target: str
    sources: Mapping[str, str]
    family: str = ""
    lower_is_better: bool = False
    errors: GainErrors | None = None


@dataclass(frozen=True, kw_only=True)
class GainPredictor:
    """A law applied to one corpus.

    Attributes
    ----------
    law : of gains or of scores.
    alone : a law of the score alone, beside a law of gains; None for none.
    evidence : the corpus as the user knows it.
    rules : which sets of auxiliaries are tried.
    """

    law: AdviceLaw
    evidence: Evidence
    alone: Law | None = None
    rules: SetRules = SetRules()

    def predict(self, sets: Sequence[LayerSet]) -> list[Suggestion]:
        """One suggestion for each set, in order."""
        law = self.law.law
        statistics = [self.evidence.statistics(names) for names in sets]
        single = self.evidence.statistics(())
        together = self._columns(statistics)
        alone: Bands | None = None
        both: Bands | None = None
        if self.law.target.startswith(GAIN):
            gain = law.bands(together)
            if self.law.errors is not None:
                ends = [self._held(one) for one in statistics]
                held = law.bands(self._columns(ends))
                nearer = np.abs(held.mean) < np.abs(gain.mean)
                n = np.minimum([float(one.n) for one in statistics], self._fitted("n")[1])
                gain = self.law.errors.widened(chosen(nearer, held, gain), n)
                rows = zip(nearer, ends, statistics, strict=True)
                statistics = [end if take else one for take, end, one in rows]
            if self.alone is not None:
                columns = {name: _column([single], name) for name in self.alone.factors}
                score = bounded(self.alone, columns)
                alone = None if "n" in score.outside[0] else score  # a probe sees no more tokens
        else:
            without = self._columns([single] * len(sets))
            first, second = (without, together) if self.law.lower_is_better else (together, without)
            alone, both = (bounded(law, table) for table in (without, together))
            gain = law.change(first, second)
        return [
            self._suggestion(names, one, row, gain, alone, both)
            for row, (names, one) in enumerate(zip(sets, statistics, strict=True))
        ]

    def best_set(self, singles: Sequence[Suggestion]) -> Suggestion | None:
        """The set of greatest predicted gain, of at most as many tasks as the law was fitted on.

        A smaller set is taken where it is as good to within `rules.margin`. None if no set is
        predicted to help.
        """
        ranked = sorted(singles, key=lambda single: -single.gain.value)
        names = [single.auxiliaries[0] for single in ranked[: self.rules.combined]]
        counts = range(2, 1 + min(self._most_auxiliaries(), len(names)))
        sets = [subset for count in counts for subset in combinations(names, count)]
        candidates = [*ranked, *(self.predict(sets) if sets else [])]
        finite = [one for one in candidates if np.isfinite(one.gain.value)]
        most = max((one.gain.value for one in finite), default=0.0)
        if most <= self.rules.min_gain:
            return None
        near = [one for one in finite if one.gain.value >= most - self.rules.margin]
        helpful = [one for one in near if one.gain.value > self.rules.min_gain]
        return min(helpful, key=lambda one: (len(one.auxiliaries), -one.gain.value))

    def _suggestion(
        self,
        names: LayerSet,
        statistics: Statistics,
        row: int,
        gain: Bands,
        alone: Bands | None,
        both: Bands | None,
    ) -> Suggestion:
        value = _estimate(gain, row)
        first = None if alone is None else _estimate(alone, min(row, len(alone.mean) - 1))
        together = None if both is None else _estimate(both, row)
        if together is None and first is not None:
            together = Estimate(float(np.clip(first.value + value.value, 0.0, 1.0)))
        return Suggestion(
            auxiliaries=names,
            alone=first,
            together=together,
            gain=value if first is None else self._possible(value, first),
            half_width=value.half_width,
            helps=value.helps,
            outside=gain.outside[row],
            statistics=statistics,
        )

    def _possible(self, gain: Estimate, alone: Estimate) -> Estimate:
        """The gain, cut to what keeps the score together within the bounds of the metric."""
        law = self.law.law if self.alone is None else self.alone
        bounds = None if law.uncertainty is None else law.uncertainty.bounds
        if bounds is None or not np.isfinite(alone.value):
            return gain
        low, high = bound_ends(bounds)

        def room(least: float, most: float) -> tuple[float, float]:
            """Ends of the gain over scores alone from `least` to `most`."""
            if self.law.lower_is_better:
                return least - high, most - low
            return low - most, high - least

        run = alone.run or (low, high)
        return gain.within(room(alone.value, alone.value), room(*run))

    def _columns(self, statistics: Sequence[Statistics]) -> dict[str, Floats]:
        """Factor of the law -> values (N,)."""
        return {name: _column(statistics, key) for name, key in self.law.sources.items()}

    def _held(self, one: Statistics) -> Statistics:
        """The statistics, where they lie beyond their fitted ranges, at the ends of these.

        Gains on real corpora were measured up to there. They shrink with n and level off with
        n_aux: what they are at the end bounds what they are beyond.
        """
        keys = set(self.law.sources.values())
        ends = {key: float(np.clip(getattr(one, key), *self._fitted(key))) for key in keys}
        return replace(one, **ends)

    def _fitted(self, key: str) -> tuple[float, float]:
        """The range of a factor that the law was fitted on; infinite if not known."""
        uncertainty = self.law.law.uncertainty
        ranges = {} if uncertainty is None else uncertainty.ranges
        names = (name for name, own in self.law.sources.items() if own == key and name in ranges)
        return next((ranges[name] for name in names), (-np.inf, np.inf))

    def _most_auxiliaries(self) -> int:
        """The number of auxiliaries up to which T stays in the fitted region."""
        uncertainty = self.law.law.uncertainty
        T = next((name for name, key in self.law.sources.items() if key == "T"), None)
        if uncertainty is None or T is None or T not in uncertainty.ranges:
            return self.rules.largest
        return min(self.rules.largest, int(uncertainty.ranges[T][1]) - 1)


def chosen(take: NDArray[np.bool_], first: Bands, second: Bands) -> Bands:
    """The first bands in the rows (N,) to take, else the second; the region is of the second."""

    def band(one: Band | None, other: Band | None) -> Band | None:
        if one is None or other is None:
            return other
        return np.where(take, one[0], other[0]), np.where(take, one[1], other[1])

    return replace(
        second,
        mean=np.where(take, first.mean, second.mean),
        law=band(first.law, second.law),
        run=band(first.run, second.run),
    )


def bounded(law: Law, columns: Mapping[str, Floats]) -> Bands:
    """Predictions of a law, within the bounds of its target."""
    uncertainty = law.uncertainty
    return law.bands(columns).within(None if uncertainty is None else uncertainty.bounds)


def _column(statistics: Sequence[Statistics], name: str) -> Floats:
    return np.array([getattr(one, name) for one in statistics], dtype=float)


def _widened(mean: Floats, band: Band | None, half: Floats) -> Band:
    """A band with a further half-width, in quadrature."""
    low, high = (half, half) if band is None else (mean - band[0], band[1] - mean)
    if band is not None:
        low, high = np.hypot(low, half), np.hypot(high, half)
    return mean - low, mean + high


def _estimate(bands: Bands, row: int) -> Estimate:
    law, run = (
        None if band is None else (float(band[0][row]), float(band[1][row]))
        for band in (bands.law, bands.run)
    )
    return Estimate(float(bands.mean[row]), law, run)
