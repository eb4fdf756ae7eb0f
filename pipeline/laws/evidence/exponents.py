"""Exponents: the power of each factor in the selected law, as a free constant with an interval.

Each occurrence of a factor f in the template becomes f**e in turn, with a new constant e that
starts at 1, and all constants are refitted. The effective exponent (`powers`) is reported with a
bootstrap interval over cells. All of this is conditional on the form of the law.

Notation
--------
P : constants of the freed template.    N : merged rows.    M : resamples.
J : (N, P) derivatives of the law with respect to its constants, columns at unit length.
g : (P,) gradient of an effective exponent. It is identified only where g is orthogonal to the null
    space of J: moving along that space changes no prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from mtl_laws.pipeline.laws.intervals import bootstrap, interval_of
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.symbolic.fit import RULES, Fit, fit_constants
from mtl_laws.pipeline.symbolic.powers import Place, free_power, hold, places
from mtl_laws.pipeline.symbolic.program import Expression, compiled
from mtl_laws.pipeline.symbolic.tree import Floats
from mtl_laws.pipeline.symbolic.uncertainty import SCATTERED, rank, spectrum, unidentified

Root: TypeAlias = Literal[
    "supported", "possible", "not supported", "undetermined", "no single power", "a logarithm"
]


@dataclass(frozen=True)
class Exponent:
    """Effective exponent of a factor at one place of the template.

    Attributes
    ----------
    value : from all rows; None where it is not identified.
    ci95 : bootstrap over cells; None where too few resamples fit.
    inside : the part of the (freed) template in which it is the power.
    varies_with : factors on which the power depends (ami in ``T**ami``); empty where none.
    over : lowest and highest value over the rows where it varies.
    logarithm : whether the factor enters by its logarithm, which is slower than any power; a power
        within it only weighs the factor against others there.
    part : what it is the power in, as the law has it, with numbers; where that stands in an
        exponent, with what it is an exponent of.
    under : the function that the law takes of that part, a logarithm apart; empty where none.
    moves : how much this place of the factor moves the law: root mean square, over the rows, of
        the change when it alone is held at its median; in units of the target.
    """

    value: float | None
    ci95: tuple[float, float] | None
    inside: str
    varies_with: tuple[str, ...] = ()
    over: tuple[float, float] | None = None
    logarithm: bool = False
    part: str = ""
    under: str = ""
    moves: float = 0.0


def exponents(text: str, theta: Floats, factor: str, data: Rows, seed: int) -> list[Exponent]:
    """Effective exponents of a factor in a template, the place that moves the law most first.

    Of places with equal exponents only the first is given.

    Parameters
    ----------
    theta : (P,) constants of the template on these rows.
    """
    law = Expression.parse(text, data.factors)
    values = dict(zip(law.constants, theta.tolist(), strict=True))
    candidates = []
    for at, original in enumerate(places(law.tree, factor)):
        variant = _with_free_power(law, theta, factor, at, data)
        draws = bootstrap(variant.expression, variant.fit, data, seed)
        place = places(variant.expression.tree, factor)[at]
        part = original.shown
        numbers = {name: float(f"{values[name]:.3g}") for name in part.constants}
        candidates.append(
            replace(
                _exponent(place, variant, draws, data),
                part=part.with_constants(numbers).text,
                under=original.under,
                moves=_effect(law, theta, factor, at, data),
            )
        )
    distinct: list[Exponent] = []
    for exponent in sorted(candidates, key=lambda one: -one.moves):
        if not any(_equal(exponent, other, data) for other in distinct):
            distinct.append(exponent)
    return distinct


def root_in_law(exponents: Sequence[Exponent]) -> Root | None:
    """Whether the square root of a factor (or one over it) is in its main place of the law.

    None where the factor is not in the law. ``possible``: the interval holds 1 as well as ½.
    """
    if not exponents:
        return None
    first = exponents[0]
    if first.logarithm:
        return "a logarithm"
    if first.varies_with:
        return "no single power"
    if first.value is None or first.ci95 is None or first.ci95[0] <= 0.0 <= first.ci95[1]:
        return "undetermined"
    low, high = sorted(abs(end) for end in first.ci95)
    if not low <= 0.5 <= high:
        return "not supported"
    return "possible" if low <= 1.0 <= high else "supported"


def _effect(law: Expression, theta: Floats, factor: str, at: int, data: Rows) -> float:
    """Root mean square change of the law when one place of the factor stays at its median."""
    sample, name = data.sample, f"{factor}_"
    while name in data.factors:
        name += "_"
    variant = compiled(hold(law.tree, factor, at, name))
    middle = np.full(len(sample), float(np.median(sample.columns[factor])))
    with np.errstate(all="ignore"):
        constant_values = variant.evaluate({**sample.columns, name: middle}, theta)
        change = law.evaluate(sample.columns, theta) - constant_values
    finite = np.isfinite(change)
    weight = sample.weight[finite]
    return float(np.sqrt(np.sum(weight * change[finite] ** 2) / max(weight.sum(), 1)))


@dataclass(frozen=True, kw_only=True)
class FreePowerFit:
    """A template with one power set free, refitted; or as it was, where `name` is empty.

    Attributes
    ----------
    name, start : the new constant, and the power that the law itself has there.
    original_fits : whether the law's own power fits the rows as well as the new one.
    unidentified : constants that were not identified before.
    """

    expression: Expression
    fit: Fit
    name: str = ""
    start: float = 1.0
    original_fits: bool = False
    unidentified: tuple[str, ...] = ()


def _with_free_power(
    law: Expression, theta: Floats, factor: str, at: int, data: Rows
) -> FreePowerFit:
    """The refitted template with that power free; the original where it was free already."""
    rules = data.rules.evidence
    unidentified_constants = tuple(unidentified(law, theta, None, data.sample, data.merged_cell))
    original = FreePowerFit(
        expression=law, fit=Fit(theta, float("nan")), unidentified=unidentified_constants
    )
    negative = np.nanmin(data.columns[factor]) < 0  # a power of it is no number
    if negative or places(law.tree, factor)[at].free:
        return original
    tree, name, power = free_power(law.tree, factor, at)
    freed = compiled(tree)
    start = np.insert(theta, freed.position[name], power)
    if rank(freed, start, data.sample) <= rank(law, theta, data.sample):
        return original
    fit = fit_constants(freed, data.sample, start[None, :], rules.power_iterations, RULES.exact)
    if fit is None:
        return original
    freedom = max(len(np.unique(data.cell)) - len(fit.theta), 1)
    residual = data.sample.target - law.evaluate(data.sample.columns, theta)
    error = float(np.sum(data.sample.weight * residual**2))
    return FreePowerFit(
        expression=freed,
        fit=fit,
        name=name,
        start=power,
        original_fits=error <= fit.error * (1.0 + rules.same_fit / freedom),
        unidentified=unidentified_constants,
    )


def _exponent(place: Place, freed: FreePowerFit, draws: Floats, data: Rows) -> Exponent:
    expression, theta = freed.expression, freed.fit.theta
    power, inside = compiled(place.power), place.inside.text
    indices = [expression.position[name] for name in power.constants]
    if place.logarithm or not _identified(power, indices, freed, data):
        return Exponent(None, None, inside, logarithm=place.logarithm)
    columns = data.sample.columns
    value = power.evaluate(columns, theta[indices])
    if power.factors:
        over = float(value.min()), float(value.max())
        return Exponent(None, None, inside, power.factors, over)
    one_row = {name: column[:1] for name, column in columns.items()}
    ends = _interval(power.evaluate(one_row, draws[:, indices])[:, 0], data)
    if ends is not None:
        wide = max(map(abs, ends)) > data.rules.evidence.widest_power
        if wide or not _credible(freed, draws, data):
            return Exponent(None, None, inside)
    return Exponent(float(value[0]), ends, inside)


def _identified(power: Expression, indices: list[int], freed: FreePowerFit, data: Rows) -> bool:
    """Whether the power is identified: constant along the null space of the Jacobian."""
    if not indices:  # the power has no constant, and a new one did not raise the rank
        return False
    theta = freed.fit.theta
    singular, directions = spectrum(freed.expression, theta, data.sample)
    null = directions[:, singular == 0]
    _, slopes = power.jacobian(data.sample.columns, theta[indices][None, :])
    slope = slopes[0] @ data.sample.weight / data.sample.weight.sum()
    change = np.abs(slope @ null[indices])
    size = np.linalg.norm(null, axis=0) * max(float(np.linalg.norm(slope)), 1e-300)
    return bool(np.all(change <= data.rules.evidence.drift * size))


def _credible(freed: FreePowerFit, draws: Floats, data: Rows) -> bool:
    """Whether the draws are credible: no constant diverges, and the interval agrees with the fit.

    Where the law's own power fits as well as the new one, an interval that excludes it comes from
    a descent that stopped in a narrow valley.
    """
    ends = np.array(interval_of(draws))
    reasons = unidentified(freed.expression, freed.fit.theta, ends, data.sample, data.merged_cell)
    if SCATTERED in reasons.values() or set(reasons) - set(freed.unidentified):
        return False
    if not freed.original_fits:
        return True
    low, high = ends[:, freed.expression.position[freed.name]]
    return bool(low <= freed.start <= high)


def _interval(draws: Floats, data: Rows) -> tuple[float, float] | None:
    rules = data.rules.intervals
    if len(draws) < rules.min_resamples * rules.resamples or not np.isfinite(draws).all():
        return None
    low, high = interval_of(draws[:, None])
    return float(low[0]), float(high[0])


def _equal(one: Exponent, other: Exponent, data: Rows) -> bool:
    if one.value is None or other.value is None:
        return one.value is other.value and one.varies_with == other.varies_with
    return abs(one.value - other.value) < data.rules.evidence.same_power
