"""Reach: how far beyond the fitted values the law can be trusted, and where good laws diverge.

Each size of the law grows in multiples of its largest fitted value. The other factors are held at
two combinations of levels: their medians, and the highest fitted corner, the row with the largest
other factors among those at the largest sizes. Of the two, the less certain one counts. A fraction
is bounded and does not grow.

An interval that stays narrow is no evidence where nothing was tested. So a law is trusted no
further beyond its fitted rows than its extrapolation folds and held-out rows lie beyond their
training rows.

With groups, each group has its own combinations, sizes are multiples of the largest value of any
group, and half-widths, spreads and thresholds are medians over the groups.

Notation
--------
K : sizes to judge.    N : rows.    G : groups, 1 without any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mtl_laws.pipeline.laws.bands import Bands
from mtl_laws.pipeline.laws.evidence.extrapolation import Extrapolation, UnseenRows, extrapolation
from mtl_laws.pipeline.laws.factors import task_roles
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.region import Region
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.symbolic.kinds import classify
from mtl_laws.pipeline.symbolic.tree import Floats


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How far one size can grow.

    Attributes
    ----------
    factor : the size.
    fitted_to, asked_to : its largest fitted value, and the largest one that was asked about.
    trusted_to : up to this value the half-width of the 95 % interval of the mean, the wider half
        where they differ, is at most `limit`; at most `tested_to`. None where the half-width is
        larger at `fitted_to`.
    tested_to : as far as the rows test the law.
    contradicted_from : the smallest value from which held-out rows contradict the law; None for
        none.
    half_width : the largest one up to there, or that at `fitted_to`; None where it is not finite.
    limit : the larger of twice the noise of a run and a tenth of the target's range.
    parts_at : the smallest value from `fitted_to` on at which laws that score about as well differ
        by more than the noise of a run; None where they do nowhere up to `asked_to`.
    """

    factor: str
    fitted_to: float
    asked_to: float
    trusted_to: float | None
    tested_to: float
    contradicted_from: float | None
    half_width: float | None
    limit: float
    parts_at: float | None

    def to_json(self) -> dict[str, Any]:
        """The record of ``laws.json``."""
        return asdict(self)


@dataclass(frozen=True)
class Doubt:
    """How uncertain the law of one group is as a size grows.

    Attributes
    ----------
    width : (K,) half-width of the 95 % interval of the mean: the wider half.
    spread : (K,) standard deviation of the rivals about the law.
    limit : half-width up to which the law is trusted.
    noise : what the spread is compared with.
    """

    width: Floats
    spread: Floats
    limit: float
    noise: float


def reach(law: Law, data: Rows, unseen: UnseenRows) -> list[Reach]:
    """The reach of every size of the law, that of the amount of data first; empty without bands.

    Parameters
    ----------
    data : the rows that the law was fitted to.
    unseen : the rows that it was tested on.
    """
    parts = [(law, data)]
    if law.levels:
        groups = np.unique(data.group_index)
        parts = [(law.for_group(data.levels[k]), data.of_group(k)) for k in groups]
    if any(part.bands(rows.columns).law is None for part, rows in parts):
        return []
    kinds, main = classify(data.columns), task_roles(data.columns).size
    sizes = [name for name in data.factors if name in (*kinds.sizes, *kinds.amounts)]
    factors = sorted((name for name in sizes if law.uses(name)), key=lambda name: name != main)
    return [
        _of_factor(factor, parts, data, extrapolation(factor, law, data, unseen))
        for factor in factors
    ]


def _of_factor(
    factor: str, parts: Sequence[tuple[Law, Rows]], data: Rows, evidence: Extrapolation
) -> Reach:
    column, rules = data.columns[factor], data.rules.evidence
    tested = _rounded_down(evidence.multiple**rules.reach_tested)
    tested_to = float(_sizes(column, (tested,))[0])
    asked_to = float(_sizes(column, rules.reach_multiples)[-1])
    sizes = _sizes(column, (*rules.reach_multiples, tested))
    sizes = sizes[sizes <= asked_to]
    doubts = [_doubt(law, rows, factor, sizes) for law, rows in parts]
    width = np.median([doubt.width for doubt in doubts], axis=0)
    spread = np.median([doubt.spread for doubt in doubts], axis=0)
    limit = float(np.median([doubt.limit for doubt in doubts]))
    trusted = (width <= limit) & (sizes <= tested_to)
    count = int(np.argmin(trusted)) if not trusted.all() else len(trusted)
    parting = spread > float(np.median([doubt.noise for doubt in doubts]))
    half_width = float(width[: max(count, 1)].max())
    return Reach(
        factor=factor,
        fitted_to=float(sizes[0]),
        asked_to=asked_to,
        trusted_to=float(sizes[count - 1]) if count else None,
        tested_to=tested_to,
        contradicted_from=None
        if evidence.contradicted is None
        else float(sizes[0]) * evidence.contradicted,
        half_width=half_width if np.isfinite(half_width) else None,
        limit=limit,
        parts_at=float(sizes[np.argmax(parting)]) if parting.any() else None,
    )


def _rounded_down(value: float) -> float:
    """The value with two significant digits, but for rounding error no larger."""
    unit = 10.0 ** (np.floor(np.log10(value)) - 1.0)
    return float(np.floor(value / unit * (1.0 + 1e-9)) * unit)


def _sizes(column: Floats, multiples: Sequence[float]) -> Floats:
    """Multiples (K,) of the largest fitted value, ascending, whole where the column is."""
    values = column[np.isfinite(column)]
    sizes = values.max() * np.asarray(multiples, dtype=float)
    return np.unique(np.floor(sizes) if np.array_equal(values, np.round(values)) else sizes)


def _doubt(law: Law, data: Rows, factor: str, sizes: Floats) -> Doubt:
    rules, uncertainty = data.rules.evidence, law.uncertainty
    width, spread = np.zeros(len(sizes)), np.zeros(len(sizes))
    for base in (_middle(data), _corner(data, factor)):
        points = {name: np.full(len(sizes), value) for name, value in base.items()}
        points[factor] = sizes
        width = np.maximum(width, _half_width(law.bands(points)))
        spread = np.maximum(spread, law.rival_spread(points))
    noise = (0.0 if uncertainty is None else uncertainty.noise_sd) or 0.0
    extent = float(np.ptp(data.target))
    limit = max(rules.reach_noise * noise, rules.reach_range * extent)
    return Doubt(width, spread, limit, max(noise, rules.no_change * extent))


def _half_width(bands: Bands) -> Floats:
    """Distance (N,) from the law to the further end of its interval; inf where there is none."""
    assert bands.law is not None  # there are draws
    with np.errstate(all="ignore"):
        half = np.maximum(bands.mean - bands.law[0], bands.law[1] - bands.mean)
    return np.where(np.isfinite(half), half, np.inf)


def _middle(data: Rows) -> dict[str, float]:
    """The median level of every factor."""
    return {
        name: float(np.quantile(column[np.isfinite(column)], 0.5, method="lower"))
        for name, column in data.columns.items()
        if np.isfinite(column).any()
    }


def _corner(data: Rows, factor: str) -> dict[str, float]:
    """The row with the largest other factors among those at the largest values of one."""
    places = Region.of(data.columns).places(data.columns)
    others = sum((place for name, place in places.items() if name != factor), np.zeros(len(data)))
    edge = places[factor] >= 1.0 - data.rules.evidence.reach_edge
    row = int(np.argmax(np.where(edge, others, -np.inf)))
    return {name: float(column[row]) for name, column in data.columns.items()}
