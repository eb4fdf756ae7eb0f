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
from dataclasses import dataclass, replace

import numpy as np

from pipeline.laws.identified import SCATTERED, rank, spectrum, unidentified
from pipeline.laws.intervals import RESAMPLES, bootstrap, interval_of
from pipeline.laws.rows import Rows
from pipeline.symbolic.fit import EXACT, Fit, fit_constants
from pipeline.symbolic.powers import Place, free_power, hold, places
from pipeline.symbolic.program import Expression
from pipeline.symbolic.tree import Floats

#: two powers closer than this are one
SAME = 1e-6
#: an effective exponent moves along the null space by more than this share: not identified
DRIFT = 1e-3
#: an interval that reaches further says nothing of a power
WIDEST = 20.0
STEPS = 200
#: χ² by which a law fits worse than one with a constant more when it fits as well
CHANCE = 1.0


@dataclass(frozen=True)
class Exponent:
    """Effective exponent of a factor at one place of the template.

    Attributes
    ----------
    value : from all rows; None where the data cannot tell it.
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

    Parameters
    ----------
    theta : (P,) constants of the template on these rows.
    """
    plain = Expression.parse(text, data.factors)
    found = []
    for at, stands in enumerate(places(text, factor)):
        freed = _freed(text, theta, factor, at, data)
        thetas = bootstrap(freed.expression, freed.fit, data, seed)
        place = places(freed.expression.text, factor)[at]
        exponent = _exponent(place, freed, thetas, data)
        part = _with_numbers(stands.shown, plain, theta)
        moves = _moves(plain, theta, factor, at, data)
        found.append(replace(exponent, part=part, under=stands.under, moves=moves))
    return _distinct(sorted(found, key=lambda one: -one.moves))


def _with_numbers(part: str, law: Expression, theta: Floats) -> str:
    values = dict(zip(law.constants, theta.tolist(), strict=True))
    inside = Expression.parse(part, law.factors)
    return inside.with_constants({name: float(f"{values[name]:.3g}") for name in inside.constants})


def _moves(law: Expression, theta: Floats, factor: str, at: int, data: Rows) -> float:
    """Root mean square change of the law when one place of the factor stays at its median."""
    sample, name = data.sample, f"{factor}_"
    while name in data.factors:
        name += "_"
    held = Expression.parse(hold(law.text, factor, at, name), (*data.factors, name))
    middle = np.full(len(sample), float(np.median(sample.columns[factor])))
    with np.errstate(all="ignore"):
        still = held.evaluate({**sample.columns, name: middle}, theta)
        change = law.evaluate(sample.columns, theta) - still
    known = np.isfinite(change)
    square = np.sum(sample.weight[known] * change[known] ** 2) / max(sample.weight[known].sum(), 1)
    return float(np.sqrt(square))


@dataclass(frozen=True)
class Freed:
    """A template with one power set free, refitted; or as it was, where `name` is empty.

    Attributes
    ----------
    name, start : the new constant, and the power that the law itself has there.
    stands : whether the rows bear with the law's own power as well as with the new one.
    loose : constants that were not identified before.
    """

    expression: Expression
    fit: Fit
    name: str = ""
    start: float = 1.0
    stands: bool = False
    loose: tuple[str, ...] = ()


def _freed(text: str, theta: Floats, factor: str, at: int, data: Rows) -> Freed:
    """The template with that power free, refitted; as it is where the power was free already."""
    plain = Expression.parse(text, data.factors)
    loose = tuple(unidentified(plain, theta, None, data))
    as_it_is = Freed(plain, Fit(theta, float("nan")), loose=loose)
    unable = np.nanmin(data.columns[factor]) < 0  # a power of it is no number
    if unable or places(text, factor)[at].free:
        return as_it_is
    raised, name, power = free_power(text, factor, at)
    freed = Expression.parse(raised, data.factors)
    start = np.insert(theta, freed.position[name], power)
    if rank(freed, start, data) <= rank(plain, theta, data):
        return as_it_is
    fit = fit_constants(freed, data.sample, start[None, :], STEPS, EXACT)
    if fit is None:
        return as_it_is
    freedom = max(len(np.unique(data.cell)) - len(fit.theta), 1)
    own = _error(plain, theta, data)
    stands = own <= fit.error * (1.0 + CHANCE / freedom)
    return Freed(freed, fit, name, power, stands, loose)


def _error(expression: Expression, theta: Floats, data: Rows) -> float:
    residual = data.sample.target - expression.evaluate(data.sample.columns, theta)
    return float(np.sum(data.sample.weight * residual**2))


def _exponent(place: Place, freed: Freed, thetas: Floats, data: Rows) -> Exponent:
    expression, fit = freed.expression, freed.fit
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
    ends = _interval(power.evaluate(one_row, thetas[:, chosen])[:, 0])
    if ends is not None and (max(map(abs, ends)) > WIDEST or not _holds(freed, thetas, data)):
        return Exponent(None, None, place.inside)
    return Exponent(float(value[0]), ends, place.inside)


def _identified(
    power: Expression, chosen: list[int], expression: Expression, fit: Fit, data: Rows
) -> bool:
    """Whether the power stays as it is wherever the constants move without moving the law."""
    if not chosen:  # the way up met no constant, and a new one made no difference
        return False
    singular, directions = spectrum(expression, fit.theta, data)
    null = directions[:, singular == 0]
    _, slopes = power.jacobian(data.sample.columns, fit.theta[chosen][None, :])
    slope = slopes[0] @ data.sample.weight / data.sample.weight.sum()
    moved = np.abs(slope @ null[chosen])
    size = np.linalg.norm(null, axis=0) * max(float(np.linalg.norm(slope)), 1e-300)
    return bool(np.all(moved <= DRIFT * size))


def _holds(freed: Freed, thetas: Floats, data: Rows) -> bool:
    """Whether the draws can be believed: nothing runs off, and they agree with the fit's own word.

    Where the law's own power fits the rows as well as the new one, an interval without it is the
    work of a descent that stays in a narrow valley, not of the rows.
    """
    ends = np.array(interval_of(thetas))
    told = unidentified(freed.expression, freed.fit.theta, ends, data)
    if SCATTERED in told.values() or set(told) - set(freed.loose):
        return False
    if not freed.name or not freed.stands:
        return True
    low, high = ends[:, freed.expression.position[freed.name]]
    return bool(low <= freed.start <= high)


def _interval(drawn: Floats) -> tuple[float, float] | None:
    if len(drawn) < RESAMPLES // 2 or not np.isfinite(drawn).all():
        return None
    low, high = interval_of(drawn[:, None])
    return float(low[0]), float(high[0])


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
