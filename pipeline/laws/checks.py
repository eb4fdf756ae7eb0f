"""Validity of a law over its whole domain, and plausibility of its limits.

A pole just outside the data is the commonest failure of symbolic regression. A law is *valid* if,
on a dense grid over the domain and at the factor values of all rows, held-out ones included,

* it is finite, and no divisor or base of a negative power changes sign,
* no power acts as a step that picks out one level of a factor,
* it stays within the bounds of the target, exactly, and
* it does not depend on a factor where that factor is undefined (AMI at T = 1), exactly.

Neighbouring rows cannot separate a law that saturates from one that bends, but limits can. The
limits of a law of a bounded target are *plausible* if, with unlimited data, the law stays within
the bounds, does not turn back, and tends to one value for all fractions (relatedness, noise).
Validity is a filter, plausibility a preference (docs/decisions/003-limits.md).

Notation
--------
G : points of the domain grid.    V : values of an undefined factor.    U : rows without it.
K : steps of the way to unlimited data.    S : points from which the sizes grow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any, Literal, TypeAlias

import numpy as np

from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.laws.rules import CheckRules
from mtl_laws.pipeline.symbolic.kinds import classify, value_range
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.tree import Floats, Mask

Kind: TypeAlias = Literal[
    "not_finite",
    "pole",
    "step",
    "below_bounds",
    "above_bounds",
    "depends_on_undefined",
    "limit_not_finite",
    "limit_leaves_bounds",
    "limit_turns_back",
    "limit_depends_on_fraction",
]
Columns: TypeAlias = Mapping[str, Floats]


@dataclass(frozen=True)
class Defect:
    """What is wrong with a law, and where.

    Attributes
    ----------
    kind : those that begin with ``limit_`` make a law implausible, the others invalid.
    factor : the undefined factor or the fraction that the law must not depend on; "" for none.
    value : the law where it leaves the bounds, the power of a step, or the size of the change that
        must not be; None where there is no number.
    at : factor values where it happens. For a limit the sizes that grow; for an undefined factor
        what all rows without it have in common (T = 1).
    """

    kind: Kind
    factor: str = ""
    value: float | None = None
    at: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The record of ``laws.json``; a value that is not finite is none."""
        record = asdict(self)
        if self.value is not None and not np.isfinite(self.value):
            record["value"] = None
        record["at"] = {name: value for name, value in self.at.items() if np.isfinite(value)}
        return record


@dataclass(frozen=True, kw_only=True)
class Undefined:
    """Where a factor is undefined, and a law must not depend on it.

    Attributes
    ----------
    at : factors that have one value on all rows without `factor`, but not on all rows.
    values : number V of values of `factor`.
    columns : (V·U,) distinct rows without `factor`, one block for each of its values.
    """

    factor: str
    at: Mapping[str, float]
    values: int
    columns: Columns


@dataclass(frozen=True, kw_only=True)
class Growth:
    """How the sizes grow towards unlimited data.

    A target without bounds may grow for ever, but not turn back.

    Attributes
    ----------
    start : (S,) factor values from which they grow.
    largest : largest value of every size.
    multiples : (K,) multiples of it on the way.
    fractions : factors that a limit must not depend on.
    bounds, tolerance : of the target, and how far a limit may pass them or turn back.
    """

    start: Columns
    largest: Mapping[str, float]
    multiples: Floats
    fractions: tuple[str, ...]
    bounds: tuple[float, float]
    tolerance: float

    @property
    def bounded(self) -> bool:
        """Whether the target has a bound."""
        return bool(np.isfinite(self.bounds).any())

    def limit(
        self, expression: Expression, theta: Floats, start: Columns, sizes: Sequence[str]
    ) -> Floats:
        """The law (K, S) on the way from `start` to unlimited `sizes`."""
        steps, points = len(self.multiples), len(next(iter(start.values())))
        columns = {name: np.tile(column, steps) for name, column in start.items()}
        for name in sizes:
            columns[name] = np.repeat(self.multiples * self.largest[name], points)
        return expression.evaluate(columns, theta).reshape(steps, points)


@dataclass(frozen=True, kw_only=True)
class Domain:
    """Where laws are checked; made once for all laws of the same rows.

    Attributes
    ----------
    grid : (G,) factor values on which a law must be valid.
    bounds : lowest and highest value that a valid law may take there.
    undefined : factors that are undefined on some rows.
    rounding : change of a law that is rounding error.
    growth : None for a table without sizes.
    rules : thresholds.
    """

    grid: Columns
    bounds: tuple[float, float]
    undefined: tuple[Undefined, ...]
    rounding: float
    growth: Growth | None
    rules: CheckRules

    @staticmethod
    def of(data: Rows, held_out: Rows | None = None) -> Domain:
        """The domain of the rows `data`; of held-out rows, only the factor values are used."""
        rules, spread = data.rules.checks, float(np.ptp(data.target))
        rounding = rules.rounding * spread
        low, high = data.bounds
        reach = rules.reach * spread
        return Domain(
            grid=_grid(data, held_out),
            bounds=(
                low - rounding if np.isfinite(low) else float(data.target.min()) - reach,
                high + rounding if np.isfinite(high) else float(data.target.max()) + reach,
            ),
            undefined=tuple(
                _undefined(name, data)
                for name, column in data.columns.items()
                if np.isnan(column).any()
            ),
            rounding=rounding,
            growth=_growth(data, spread),
            rules=rules,
        )


def find_defect(expression: Expression, theta: Floats, domain: Domain) -> Defect | None:
    """Why a law with constants `theta` (P,) is invalid; None for a valid law."""
    with np.errstate(all="ignore"):
        slots = expression.trace(domain.grid, theta[None, :])
    value = np.broadcast_to(slots[-1], (1, len(next(iter(domain.grid.values())))))[0]
    if not np.isfinite(value).all():
        return Defect("not_finite", at=_point(domain.grid, int(np.argmin(np.isfinite(value)))))
    defect = _pole(expression, slots, domain) or _step(expression, slots, domain.rules)
    if defect is not None:
        return defect
    low, high = int(np.argmin(value)), int(np.argmax(value))
    if value[low] < domain.bounds[0]:
        return Defect("below_bounds", value=float(value[low]), at=_point(domain.grid, low))
    if value[high] > domain.bounds[1]:
        return Defect("above_bounds", value=float(value[high]), at=_point(domain.grid, high))
    return _dependence(expression, theta, domain)


def find_limit_defect(expression: Expression, theta: Floats, domain: Domain) -> Defect | None:
    """What is implausible about the limits of a law with constants `theta` (P,)."""
    growth = domain.growth
    if growth is None:
        return None
    value = np.zeros((1, 1))
    for sizes in dict.fromkeys([*((name,) for name in growth.largest), tuple(growth.largest)]):
        value = growth.limit(expression, theta, growth.start, sizes)
        at = {name: float(growth.multiples[-1] * growth.largest[name]) for name in sizes}
        if growth.bounded and not np.isfinite(value[-1]).all():
            return Defect("limit_not_finite", at=at)
        for end, sign in zip(growth.bounds, (-1.0, 1.0), strict=True):
            worst = float(value[-1][np.argmax(sign * value[-1])])
            if sign * (worst - end) > growth.tolerance:
                return Defect("limit_leaves_bounds", value=worst, at=at)
        turning = _turning(value)
        if turning > growth.tolerance:
            return Defect(
                "limit_turns_back", value=turning if np.isfinite(turning) else None, at=at
            )
    spread = float(np.ptp(value[-1]))
    if growth.bounded and growth.fractions and spread > 2.0 * growth.tolerance:
        moves = {
            name: _fraction_effect(name, expression, theta, growth) for name in growth.fractions
        }
        factor = max(moves, key=lambda name: moves[name])
        return Defect("limit_depends_on_fraction", factor, spread, at)
    return None


def _pole(expression: Expression, slots: Sequence[Floats], domain: Domain) -> Defect | None:
    """A divisor, or the base of a negative power, that changes sign between grid points."""
    for step in expression.program.steps:
        if step.op == "/":
            base = slots[step.right]
        elif step.op == "**" and np.min(slots[step.right]) < 0:
            base = slots[step.left]
        else:
            continue
        if np.min(base) < 0 < np.max(base):
            return Defect("pole", at=_point(domain.grid, int(np.argmin(np.abs(base)))))
    return None


def _step(expression: Expression, slots: Sequence[Floats], rules: CheckRules) -> Defect | None:
    """A power so steep, or of 0 and so flat, that it picks out one level of a factor."""
    for step in expression.program.steps:
        if step.op != "**":
            continue
        base, power = slots[step.left], slots[step.right]
        size = np.abs(power)
        flat = np.min(np.abs(base)) == 0.0 and 0.0 < np.max(size) < rules.flat
        if np.max(size) > rules.steep or flat:
            return Defect("step", value=float(power.flat[np.argmax(size)]))
    return None


def _dependence(expression: Expression, theta: Floats, domain: Domain) -> Defect | None:
    """A factor on which the law depends where that factor is undefined."""
    for rows in domain.undefined:
        if rows.factor not in expression.factors:
            continue
        value = expression.evaluate(rows.columns, theta).reshape(rows.values, -1)
        with np.errstate(invalid="ignore"):
            change = float(np.max(np.ptp(value, axis=0)))
        if not change <= domain.rounding:
            size = change if np.isfinite(change) else None
            return Defect("depends_on_undefined", rows.factor, size, rows.at)
    return None


def _turning(value: Floats) -> float:
    """The smaller of total rise and total fall along the way (K, S), for the worst start."""
    with np.errstate(invalid="ignore"):
        step = np.diff(value, axis=0)
    up, down = step.clip(min=0).sum(axis=0), -step.clip(max=0).sum(axis=0)
    turning = np.minimum(up, down)
    return float(np.where(np.isnan(turning), np.inf, turning).max())


def _fraction_effect(name: str, expression: Expression, theta: Floats, growth: Growth) -> float:
    """Largest change of the limit between the ends of a fraction."""
    start = growth.start[name]
    ends = [
        growth.limit(
            expression,
            theta,
            {**growth.start, name: np.full_like(start, end)},
            tuple(growth.largest),
        )[-1]
        for end in (start.min(), start.max())
    ]
    return float(np.max(np.abs(ends[1] - ends[0])))


def _point(columns: Columns, row: int) -> dict[str, float]:
    return {name: float(column[row]) for name, column in columns.items()}


def _grid(data: Rows, held_out: Rows | None) -> dict[str, Floats]:
    """Points (G,) over the domain, sizes at equal ratios, and those of all rows."""
    rules, factors = data.rules.checks, len(data.factors)
    most, fewest = rules.axis
    count = max(int(rules.max_grid ** (1.0 / factors)), fewest) if factors > 2 else most
    axes = []
    for name in data.factors:
        low, high = data.domains[name]
        spacing = np.geomspace if low > 0 and high / low > rules.geometric else np.linspace
        axes.append(np.asarray(spacing(low, high, min(count, most))))
    if np.prod([float(len(axis)) for axis in axes]) <= rules.max_grid:
        points = np.array(list(product(*axes)))
    else:
        points = _sampled(axes, rules)
    columns = [_fill(rows, data.domains) for rows in (data, held_out) if rows is not None]
    matrix = np.vstack([points, *(np.column_stack(list(each.values())) for each in columns)])
    matrix = np.unique(matrix, axis=0)
    return {name: matrix[:, i] for i, name in enumerate(data.factors)}


def _sampled(axes: Sequence[Floats], rules: CheckRules) -> Floats:
    """Corners of the domain, of its first factors where there are many, and a Sobol sample."""
    from scipy.stats import qmc

    ends = product(*[(axis[0], axis[-1]) for axis in axes[: rules.corners]])
    middle = [float(np.median(axis)) for axis in axes[rules.corners :]]
    corners = np.array([[*corner, *middle] for corner in ends])
    unit = qmc.Sobol(len(axes), rng=0).random(rules.sample)
    interior = np.column_stack(
        [np.interp(unit[:, i], np.linspace(0, 1, len(axis)), axis) for i, axis in enumerate(axes)]
    )
    return np.vstack([corners, interior])


def _fill(data: Rows, domains: Mapping[str, tuple[float, float]]) -> dict[str, Floats]:
    """The factors with undefined values at the middle of their domain."""
    return {
        name: np.where(np.isnan(column), np.mean(domains[name]), column)
        for name, column in data.columns.items()
    }


def _undefined(factor: str, data: Rows) -> Undefined:
    rules = data.rules.checks
    mask: Mask = np.isnan(data.columns[factor])
    filled = _fill(data, data.domains)
    rows = np.unique(np.column_stack([column[mask] for column in filled.values()]), axis=0)
    if len(rows) > rules.undefined_rows:
        rows = rows[np.linspace(0, len(rows) - 1, rules.undefined_rows).round().astype(int)]
    values = np.linspace(*data.domains[factor], rules.undefined_values)
    columns = {name: np.tile(rows[:, i], len(values)) for i, name in enumerate(filled)}
    columns[factor] = np.repeat(values, len(rows))
    return Undefined(
        factor=factor,
        at={
            name: float(column[mask][0])
            for name, column in data.columns.items()
            if np.ptp(column[mask]) == 0.0 and np.nanmax(column) > np.nanmin(column)
        },
        values=len(values),
        columns=columns,
    )


def _growth(data: Rows, spread: float) -> Growth | None:
    rules, kinds = data.rules.checks, classify(data.columns)
    if not kinds.sizes:
        return None
    ends = np.array([data.domains[name] for name in data.factors])
    if len(ends) > rules.grow_factors:
        unit = np.random.default_rng(0).random((rules.grow_sample, len(ends)))
        points = ends[:, 0] + unit * (ends[:, 1] - ends[:, 0])
    else:
        axes = [np.linspace(low, high, rules.grow_steps) for low, high in ends.tolist()]
        points = np.array(list(product(*axes)))
    variance, bounded = data.replicate_variance, bool(np.isfinite(data.bounds).any())
    far = np.geomspace(rules.far_from, rules.far, rules.far_steps)
    return Growth(
        start={name: points[:, i] for i, name in enumerate(data.factors)},
        largest={name: value_range(data.columns[name])[1] for name in kinds.sizes},
        multiples=np.concatenate([2.0 ** np.arange(*rules.near), far if bounded else far[:0]]),
        fractions=kinds.fractions,
        bounds=data.bounds,
        tolerance=(
            rules.noise_sds * float(np.sqrt(variance)) if variance else rules.noise_range * spread
        ),
    )
