"""Prediction bands: intervals for the mean and for one more trained model.

Three parts make up the interval of the mean:

* the constants, by bootstrap draws over cells,
* the form, by the spread of laws that score about as well (`Rival`),
* drift outside the fitted region, estimated from the law's errors on its extrapolation folds
  (`drift`); it grows with the distance from the region (`region`).

The interval of one more model adds the scatter of replicates and the misfit of cells about the law.
All parts are added in quadrature.

Notation
--------
N : rows to predict.    M : draws.    P : constants of the template.    J : rivals.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from mtl_laws.pipeline.laws.record import Bounds, Range, Record, wrong
from mtl_laws.pipeline.laws.region import Region
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.tree import Floats, Tree

#: coverage of a band, and its half-width in standard deviations
LEVEL, WIDTH = 0.95, 1.96
#: a rival further off than this many median distances counts as that far
RIVAL_REACH = 3.0
#: rows evaluated at once, to bound the memory
CHUNK = 2_000

Pair: TypeAlias = tuple[float, float]
Band: TypeAlias = tuple[Floats, Floats]
Table: TypeAlias = Mapping[str, Floats]


@dataclass(frozen=True)
class Bands:
    """Predictions with intervals, in units of the target.

    Attributes
    ----------
    mean : (N,) the law.
    law : lowest and highest (N,) value of the mean over models; None where nothing is known.
    run : lowest and highest (N,) value of one more trained model; None likewise.
    outside : for each row the factors that lie beyond the range the law was fitted on.
    distance : how far (N,) each row lies outside the fitted region, in widths of the region; more
        than 0 also where two factors meet in a corner that no row reaches, though each alone was
        fitted. nan where the region is not known.
    level : how often the bands hold the truth.
    """

    mean: Floats
    law: Band | None
    run: Band | None
    outside: tuple[tuple[str, ...], ...]
    distance: Floats
    level: float = LEVEL

    def within(self, bounds: tuple[float | None, float | None] | None) -> Bands:
        """The same predictions with their mean inside the target's bounds, as its intervals are."""
        if bounds is None:
            return self
        return replace(self, mean=np.clip(self.mean, *bound_ends(bounds)))

    @staticmethod
    def joined(parts: Sequence[tuple[npt.NDArray[np.intp], Bands]], size: int) -> Bands:
        """One result for `size` rows from results for some of them each, with their places.

        Ends of a band are nan in the rows of a part that has none.
        """
        outside: list[tuple[str, ...]] = [()] * size
        for rows, part in parts:
            for row, names in zip(rows.tolist(), part.outside, strict=True):
                outside[row] = names
        mean = _scatter([(rows, part.mean) for rows, part in parts], size)
        law = _join_bands([(rows, part.law) for rows, part in parts], size)
        run = _join_bands([(rows, part.run) for rows, part in parts], size)
        distance = _scatter([(rows, part.distance) for rows, part in parts], size)
        return Bands(mean, law, run, tuple(outside), distance)


class Rival(Record):
    """A law that scores about as well as the selected one.

    Attributes
    ----------
    expression : in the factor names with numbers; with groups, a template.
    weight : how much it counts; 1 for one that scores as well as the selected law.
    constants : level -> constant -> value; None without groups.
    """

    expression: str
    weight: float = Field(gt=0)
    constants: dict[str, dict[str, float]] | None = None

    def for_group(self, level: str) -> Rival:
        """The rival of one group, with numbers."""
        own = (self.constants or {}).get(level)
        if own is None:
            return self
        names = tuple(node for node in IDENTIFIER.findall(self.expression) if node not in own)
        tree = Tree.parse(self.expression, names)
        return Rival(expression=tree.with_constants(own).text, weight=self.weight)


IDENTIFIER = re.compile(r"[^\W\d]\w*")


class GroupUncertainty(Record):
    """What differs between groups.

    Attributes
    ----------
    draws : constant -> M values, for all constants of the template, the shared ones too.
    replicate_sd, misfit_sd, fit_sd, target_sd, ranges, region : as in `Uncertainty`; None for the
        same as there.
    """

    draws: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    replicate_sd: float | None = Field(default=None, ge=0)
    misfit_sd: float | None = Field(default=None, ge=0)
    fit_sd: float | None = Field(default=None, ge=0)
    target_sd: float | None = Field(default=None, ge=0)
    ranges: dict[str, Range] | None = None
    region: Region | None = None

    @model_validator(mode="after")
    def _draws_belong_together(self) -> Self:
        _check_lengths(self.draws)
        return self

    @model_serializer(mode="wrap")
    def _without_none(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is left out is the same as for all groups."""
        return {name: value for name, value in write(self).items() if value is not None}


class Uncertainty(Record):
    """What bands are computed from; recorded with the selected law.

    Attributes
    ----------
    draws : constant -> M values over resamples of cells; entries of equal place belong together.
        With groups, those of the shared constants.
    replicate_sd : standard deviation of replicates about their cell's mean; None without any.
    fit_sd : standard deviation of cells about the law beyond that noise; without replicates, of
        rows about the law.
    misfit_sd : the same, or that on the extrapolation folds where it is larger: for a reader that
        knows nothing of rivals and drift.
    rivals : laws that score about as well.
    drift : standard deviation of the truth about law and rivals at a distance of one width of the
        region, in units of `target_sd`; it grows with the root of the distance.
    target_sd : standard deviation of the target.
    region : where the law was fitted; None where it is not known.
    ranges : factor -> lowest and highest value that the law was fitted on.
    domain : factor -> where a law must be valid; an undefined factor is taken at its middle.
    bounds : of the target; None for none.
    groups : level -> what differs there; None without groups.
    """

    draws: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    replicate_sd: float | None = Field(default=None, ge=0)
    misfit_sd: float | None = Field(default=None, ge=0)
    fit_sd: float | None = Field(default=None, ge=0)
    rivals: tuple[Rival, ...] = ()
    drift: float = Field(default=0.0, ge=0)
    target_sd: float | None = Field(default=None, ge=0)
    region: Region | None = None
    ranges: dict[str, Range] = Field(default_factory=dict)
    domain: dict[str, Range] = Field(default_factory=dict)
    bounds: Bounds = (None, None)
    groups: dict[str, GroupUncertainty] | None = None

    @model_validator(mode="after")
    def _draws_belong_together(self) -> Self:
        _check_lengths(self.draws)
        return self

    @property
    def noise_sd(self) -> float | None:
        """Standard deviation of one run about the law; None where nothing is known."""
        about = self.misfit_sd if self.fit_sd is None else self.fit_sd
        deviations = [sd for sd in (self.replicate_sd, about) if sd is not None]
        return float(np.hypot.reduce(deviations)) if deviations else None

    def for_group(self, level: str) -> Uncertainty:
        """The uncertainty of one group, without the others."""
        own = (self.groups or {}).get(level)
        fields = {} if own is None else dict(own)
        own_values = {name: value for name, value in fields.items() if value is not None}
        rivals = tuple(rival.for_group(level) for rival in self.rivals)
        return self.model_copy(update={**own_values, "rivals": rivals, "groups": None})

    def theta(self, expression: Expression) -> Floats:
        """Draws (M, P) in the order of a template's constants; M = 0 where there are none."""
        if set(self.draws) != set(expression.constants) or not self.draws:
            return np.zeros((0, len(expression.constants)))
        return np.array([self.draws[name] for name in expression.constants]).T


def _check_lengths(draws: Mapping[str, tuple[float, ...]]) -> None:
    lengths = sorted({len(values) for values in draws.values()})
    if len(lengths) > 1:
        accepted = "as many draws of every constant: every constant needs as many as the others"
        raise wrong(lengths, accepted, below="draws")


def _scatter(parts: Sequence[tuple[npt.NDArray[np.intp], Floats]], size: int) -> Floats:
    """Values (size,) from those of some rows each; nan elsewhere."""
    values = np.full(size, np.nan)
    for rows, part in parts:
        values[rows] = part
    return values


def _join_bands(
    parts: Sequence[tuple[npt.NDArray[np.intp], Band | None]], size: int
) -> Band | None:
    bands = [(rows, band) for rows, band in parts if band is not None]
    if not bands:
        return None
    low = _scatter([(rows, band[0]) for rows, band in bands], size)
    high = _scatter([(rows, band[1]) for rows, band in bands], size)
    return low, high


@dataclass(frozen=True)
class Predictor:
    """A law as bands see it.

    Attributes
    ----------
    numeric : the law with its numbers.
    template : the same with named constants, which the draws are of.
    uncertainty : None for a law that was recorded without.
    """

    numeric: Expression
    template: Expression
    uncertainty: Uncertainty | None

    def bands(self, table: Table) -> Bands:
        """Bands of the law at every row; see `Law.bands`."""
        mean = self._mean(table)
        stored = self.uncertainty
        noise = None if stored is None else stored.noise_sd
        law = _widen(mean, self._central(mean, table), np.sqrt(self._form_variance(table)))
        run = _widen(mean, law, noise)
        if stored is not None:
            law, run = (_clip(band, stored.bounds) for band in (law, run))
        return Bands(mean, law, run, self._outside(table), self._distance(table))

    def change(self, table: Table, baseline: Table) -> Bands:
        """Bands of the law's change from one table to another, row by row; see `Law.change`."""
        mean = self._mean(table) - self._mean(baseline)
        interval = self._central(mean, table, baseline)
        law = _widen(mean, interval, np.sqrt(self._form_variance(table, baseline)))
        noise = None if self.uncertainty is None else self.uncertainty.noise_sd
        run = _widen(mean, law, None if noise is None else np.sqrt(2.0) * noise)
        pairs = zip(self._outside(table), self._outside(baseline), strict=True)
        outside = tuple(tuple(dict.fromkeys([*one, *other])) for one, other in pairs)
        distance = np.fmax(self._distance(table), self._distance(baseline))
        return Bands(mean, law, run, outside, distance)

    def spread(self, table: Table) -> Floats:
        """Standard deviation (N,) of the rivals about the law; see `Law.rival_spread`."""
        rivals = () if self.uncertainty is None else self.uncertainty.rivals
        weight = np.array([rival.weight for rival in rivals])
        return rival_spread(self._rivals(table), weight, self._mean(table))

    def _form_variance(self, table: Table, baseline: Table | None = None) -> Floats:
        """Variance (N,) of the form and of the drift, of the law or of its change."""
        stored = self.uncertainty
        if stored is None:
            return np.zeros(_size(table))
        mean, others = self._mean(table), self._rivals(table)
        away = np.zeros(_size(table)) if stored.region is None else stored.region.distance(table)
        if baseline is not None:
            mean, others = mean - self._mean(baseline), others - self._rivals(baseline)
            if stored.region is not None:
                away = np.abs(away - stored.region.distance(baseline))
        weight = np.array([rival.weight for rival in stored.rivals])
        drift = stored.drift * (stored.target_sd or 0.0)
        return np.asarray(rival_spread(others, weight, mean) ** 2 + drift**2 * away)

    def _rivals(self, table: Table) -> Floats:
        """Values (J, N) of the rivals.

        A missing factor that only rivals use is set to the middle of its fitted range.
        """
        stored, size = self.uncertainty, _size(table)
        rivals, ranges = ((), {}) if stored is None else (stored.rivals, stored.ranges)
        middle = {name: np.full(size, sum(ends) / 2) for name, ends in ranges.items()}
        filled = {**middle, **self._fill(table)}
        values = np.zeros((len(rivals), size))
        for k, rival in enumerate(rivals):
            expression = Expression.parse(rival.expression, tuple(filled))
            with np.errstate(all="ignore"):
                values[k] = expression.evaluate(filled)
        return values

    def _mean(self, table: Table) -> Floats:
        return self.numeric.evaluate(self._fill(table))

    def _central(self, mean: Floats, table: Table, baseline: Table | None = None) -> Band | None:
        """The central part of the law's draws at every row, or of its change from a baseline."""
        theta = np.zeros((0, 0))
        if self.uncertainty is not None:
            theta = self.uncertainty.theta(self.template)
        if not len(theta):
            return None
        tables = [self._fill(part) for part in (table, baseline) if part is not None]
        low, high = np.empty(len(mean)), np.empty(len(mean))
        for start in range(0, len(mean), CHUNK):
            rows = slice(start, start + CHUNK)
            draws, *others = (
                self.template.evaluate({name: column[rows] for name, column in part.items()}, theta)
                for part in tables
            )
            for other in others:
                draws = draws - other
            low[rows], high[rows] = _percentiles(draws, mean[rows])
        return low, high

    def _fill(self, table: Table) -> dict[str, Floats]:
        """The table with undefined factors at the middle of their domain.

        A valid law does not depend on a factor where it is undefined, so any value does.
        """
        domain = {} if self.uncertainty is None else self.uncertainty.domain
        return {
            name: np.where(np.isnan(column), sum(domain.get(name, (0.0, 1.0))) / 2, column)
            for name, column in table.items()
        }

    def _distance(self, table: Table) -> Floats:
        """Distance (N,) of each row from the region; nan without a region."""
        stored = self.uncertainty
        if stored is None or stored.region is None:
            return np.full(_size(table), np.nan)
        return stored.region.distance(table)

    def _outside(self, table: Table) -> tuple[tuple[str, ...], ...]:
        """Which factors of the law lie beyond the fitted range, row by row."""
        ranges = {} if self.uncertainty is None else self.uncertainty.ranges
        masks = {
            name: (table[name] < low) | (table[name] > high)
            for name, (low, high) in ranges.items()
            if name in table
        }
        return tuple(
            tuple(name for name, mask in masks.items() if mask[row]) for row in range(_size(table))
        )


class Certainty(Record):
    """How wide the bands of a law are on its rows, and how many rows they hold.

    Attributes
    ----------
    law, law_most : half the width of the law's band, at the median row and at the widest.
    run : half the width of the band of a run, at the median row.
    held_fit, held_out : fraction of fitted and of held-out rows within the band of a run.
    """

    law: float | None = None
    law_most: float | None = None
    run: float | None = None
    held_fit: float | None = None
    held_out: float | None = None


def certainty(
    fit: Bands, target: Floats, held_bands: Bands | None, held_target: Floats
) -> Certainty | None:
    """How sure the law is on fitted rows and on held-out ones; None without finite bands.

    Parameters
    ----------
    fit, target : bands and measured values (N,) of the fitted rows.
    rest, held : the same of the rows held out.
    """
    if fit.law is None or fit.run is None:
        return None
    widths = (fit.law[1] - fit.law[0]) / 2, (fit.run[1] - fit.run[0]) / 2
    if not np.isfinite(widths).all():
        return None
    held_coverage = (
        None
        if held_bands is None or held_bands.run is None
        else _coverage(held_bands.run, held_target)
    )
    law, run = (float(np.median(width)) for width in widths)
    return Certainty(
        law=law,
        law_most=float(widths[0].max()),
        run=run,
        held_fit=_coverage(fit.run, target),
        held_out=held_coverage,
    )


def rival_spread(predictions: Floats, weight: Floats, mean: Floats) -> Floats:
    """Standard deviation (N,) of laws (J, N) about the selected one.

    At each row, a law further off than three median distances counts as three: it is an outlier
    among the rivals.
    """
    if not len(predictions):
        return np.zeros(len(mean))
    with np.errstate(all="ignore"):
        square = (predictions - mean) ** 2
    square = np.where(np.isfinite(square), square, np.inf)
    middle = np.median(square, axis=0)
    middle = np.where(np.isfinite(middle), middle, np.min(square, axis=0))
    square = np.minimum(square, RIVAL_REACH**2 * middle)
    square = np.where(np.isfinite(square), square, 0.0)
    return np.asarray(np.sqrt(weight @ square / weight.sum()))


def _coverage(band: Band, values: Floats) -> float:
    return float(np.mean((band[0] <= values) & (values <= band[1])))


def _size(table: Table) -> int:
    return max((len(column) for column in table.values()), default=1)


def _percentiles(draws: Floats, mean: Floats) -> Band:
    """The central part of the draws (M, N), M ≥ 1, widened to include the law.

    Draws without a value at a row are skipped there; where most have none there is no band.
    """
    finite = np.isfinite(draws)
    count = finite.sum(axis=0)
    sorted_draws = np.sort(np.where(finite, draws, np.inf), axis=0)
    tail = (1.0 - LEVEL) / 2
    ends = []
    for fraction in (tail, 1.0 - tail):
        place = np.clip(np.rint(fraction * (count + 1)) - 1, 0, np.maximum(count - 1, 0)).astype(
            int
        )
        end = np.take_along_axis(sorted_draws, place[None, :], axis=0)[0]
        ends.append(np.where(2 * count > len(draws), end, np.nan))
    return np.fmin(ends[0], mean), np.fmax(ends[1], mean)


def _widen(mean: Floats, law: Band | None, noise: Floats | float | None) -> Band | None:
    """The band with an independent error of standard deviation `noise` added in quadrature."""
    if law is None or noise is None:
        return None
    low, high = (np.hypot(end - mean, WIDTH * noise) for end in law)
    return mean - low, mean + high


def _clip(band: Band | None, bounds: tuple[float | None, float | None]) -> Band | None:
    return (
        None
        if band is None
        else (np.clip(band[0], *bound_ends(bounds)), np.clip(band[1], *bound_ends(bounds)))
    )


def bound_ends(bounds: tuple[float | None, float | None]) -> tuple[float, float]:
    """The bounds with infinite ends where there are none."""
    low, high = bounds
    return -np.inf if low is None else low, np.inf if high is None else high
