"""Exponents: the power with which each factor enters the selected law, set free, with an interval.

One occurrence of a factor f in the template after another becomes f**e, with a new constant e that
starts at 1, and all constants are refitted. What is reported is the effective exponent (`powers`),
by a bootstrap over cells. Everything holds *given this form of law*.

Notation
--------
P : constants of the freed template.    N : merged rows.    M : resamples.
J : (N, P) derivatives of the law with respect to its constants, columns at unit length.
g : (P,) gradient of an effective exponent. It is identified only where g is orthogonal to the null
    space of J: moving along that space changes no prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.laws.data import LawData
from pipeline.laws.expression import Expression, Floats
from pipeline.laws.intervals import LEVEL, MAX_ROWS, RESAMPLES, bootstrap
from pipeline.laws.powers import Place, free_power, places
from pipeline.laws.refit import EXACT, Fit, fit_constants

#: singular values of J below this share of the largest count as zero
RANK = 1e-7
#: two powers closer than this are one
SAME = 1e-6
#: an effective exponent moves along the null space by more than this share: not identified
DRIFT = 1e-3
STEPS = 200


@dataclass(frozen=True)
class Exponent:
    """Effective exponent of a factor at one place of the template.

    Attributes
    ----------
    value : from all rows; None where the data cannot tell it.
    ci95 : bootstrap over cells; None where too few resamples fit or there are too many rows.
    inside : the part of the (freed) template in which it is the power.
    varies_with : factors on which the power depends (ami in ``T**ami``); empty where none.
    over : lowest and highest value over the rows where it varies.
    logarithm : whether the factor enters by its logarithm, which is slower than any power; a power
        within it only weighs the factor against others there.
    """

    value: float | None
    ci95: tuple[float, float] | None
    inside: str
    varies_with: tuple[str, ...] = ()
    over: tuple[float, float] | None = None
    logarithm: bool = False


def exponents(text: str, theta: Floats, factor: str, data: LawData, seed: int) -> list[Exponent]:
    """Effective exponents of a factor in a template, one for each place that it stands in.

    Parameters
    ----------
    theta : (P,) constants of the template on these rows.
    """
    found = []
    for at in range(len(places(text, factor))):
        expression, fit = _freed(text, theta, factor, at, data)
        place = places(expression.text, factor)[at]
        thetas = _resampled(expression, fit, data, seed)
        found.append(_exponent(place, expression, fit, thetas, data))
    return _distinct(found)


def _freed(text: str, theta: Floats, factor: str, at: int, data: LawData) -> tuple[Expression, Fit]:
    """The template with that power free, refitted; as it is where the power was free already."""
    plain = Expression.parse(text, data.factors)
    if np.nanmin(data.columns[factor]) < 0:  # a power of it is no number
        return plain, Fit(theta, float("nan"))
    raised, name, power = free_power(text, factor, at)
    freed = Expression.parse(raised, data.factors)
    start = np.insert(theta, freed.position[name], power)
    if rank(freed, start, data) > rank(plain, theta, data):
        fit = fit_constants(freed, data.sample, start[None, :], STEPS, EXACT)
        if fit is not None:
            return freed, fit
    return plain, Fit(theta, float("nan"))


def rank(expression: Expression, theta: Floats, data: LawData) -> int:
    """How many constants the rows can tell apart: the rank of J."""
    return int(np.sum(_spectrum(expression, theta, data)[0] > 0))


def _spectrum(expression: Expression, theta: Floats, data: LawData) -> tuple[Floats, Floats]:
    """Singular values (P,) of J, those that count as zero put to 0, and directions (P, P).

    Directions are steps of the constants themselves, of unit length in units of J's columns.
    """
    if not len(theta):
        return np.zeros(0), np.zeros((0, 0))
    _, jacobian = expression.jacobian(data.sample.columns, theta[None, :])
    columns = np.nan_to_num(jacobian[0] * np.sqrt(data.sample.weight), posinf=0.0, neginf=0.0)
    length = np.linalg.norm(columns, axis=1, keepdims=True)
    unit = columns / np.where(length > 0, length, 1.0)
    values, directions = np.linalg.eigh(unit @ unit.T)
    singular = np.sqrt(np.maximum(values, 0.0))
    known = np.where(singular > RANK * singular.max(), singular, 0.0)
    return known, directions / np.where(length > 0, length, 1.0)


def _resampled(expression: Expression, fit: Fit, data: LawData, seed: int) -> Floats:
    """Constants (M, P) over resamples of cells; none where there are too many rows."""
    if len(data.sample) > MAX_ROWS or not expression.constants:
        return np.zeros((0, len(fit.theta)))
    return bootstrap(expression, fit, data, seed)


def _exponent(
    place: Place, expression: Expression, fit: Fit, thetas: Floats, data: LawData
) -> Exponent:
    power = Expression.parse(place.power, data.factors)
    chosen = [expression.position[name] for name in power.constants]
    if place.logarithm or not _identified(power, chosen, expression, fit, data):
        return Exponent(None, None, place.inside, logarithm=place.logarithm)
    columns = data.sample.columns
    value = power.evaluate(columns, fit.theta[chosen])
    if power.factors:
        over = float(value.min()), float(value.max())
        return Exponent(None, None, place.inside, power.factors, over)
    one_row = {name: column[:1] for name, column in columns.items()}
    drawn = power.evaluate(one_row, thetas[:, chosen])[:, 0] if chosen else np.zeros(0)
    return Exponent(float(value[0]), _interval(drawn), place.inside)


def _identified(
    power: Expression, chosen: list[int], expression: Expression, fit: Fit, data: LawData
) -> bool:
    """Whether the power stays as it is wherever the constants move without moving the law."""
    if not chosen:  # the way up met no constant, and a new one made no difference
        return False
    singular, directions = _spectrum(expression, fit.theta, data)
    null = directions[:, singular == 0]
    _, slopes = power.jacobian(data.sample.columns, fit.theta[chosen][None, :])
    slope = slopes[0] @ data.sample.weight / data.sample.weight.sum()
    moved = np.abs(slope @ null[chosen])
    size = np.linalg.norm(null, axis=0) * max(float(np.linalg.norm(slope)), 1e-300)
    return bool(np.all(moved <= DRIFT * size))


def _interval(drawn: Floats) -> tuple[float, float] | None:
    if len(drawn) < RESAMPLES // 2 or not np.isfinite(drawn).all():
        return None
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return float(low), float(high)


def _distinct(found: Sequence[Exponent]) -> list[Exponent]:
    """Places whose powers differ; of equal ones the first."""
    kept: list[Exponent] = []
    for exponent in found:
        if not any(_equal(exponent, other) for other in kept):
            kept.append(exponent)
    return kept


def _equal(one: Exponent, other: Exponent) -> bool:
    if one.value is None or other.value is None:
        return one.value is other.value and one.varies_with == other.varies_with
    return abs(one.value - other.value) < SAME
