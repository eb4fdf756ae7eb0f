"""Constants of an expression by weighted least squares, for one table or for groups of its rows.

Factors are divided by their geometric mean first, so that units do not matter (`scaling`). The
constants in which the expression is linear are solved for exactly at every step (variable
projection; Golub and Pereyra 1973, with Kaufman's Jacobian); the others are searched for by
Levenberg–Marquardt, from several starts side by side. With groups of rows every constant has a
value per group, except those that are shared by all.

Notation
--------
M : starts or resamples fitted side by side.    G : groups, 1 where there are none.
N : rows (of the largest group).    P : constants.    K : linear constants of a group's own.
Q : the other constants: nonlinear ones of a group's own (R of them), then shared ones (S).
theta : constants, (M, P) or, with groups, (M, G, P).    w : row weights.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mtl_laws.pipeline.symbolic.program import Expression, Linear
from mtl_laws.pipeline.symbolic.scaling import converted, scalable
from mtl_laws.pipeline.symbolic.tree import Floats, Mask, Tree

Indices: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class FitRules:
    """Numerical settings of the fitter.

    Attributes
    ----------
    damping, ease, stiffen : Marquardt damping: first value, factors after a success and a failure.
    tolerance, exact : relative gain of a step below which a fit has converged: to rank and score
        forms, and for constants that are reported.
    first_share : fraction of the steps after which only the best third of the starts goes on.
    ridge : added to normalised normal equations, which may be singular.
    min_pooled : fewest groups whose constants are drawn towards each other.
    pooling_rounds, pooling_steps : rounds of estimating centre and spread, steps of each.
    least_freedom, least_spread : bounds from below of the degrees of freedom, as a fraction of the
        rows, and of the spread between groups, as a fraction of that of their estimates.
    max_power : largest exponent that is tried.
    """

    damping: float = 1e-2
    ease: float = 0.2
    stiffen: float = 4.0
    tolerance: float = 1e-6
    exact: float = 1e-13
    first_share: float = 0.2
    ridge: float = 1e-13
    min_pooled: int = 3
    pooling_rounds: int = 2
    pooling_steps: int = 8
    least_freedom: float = 0.1
    least_spread: float = 0.05
    max_power: float = 30.0


RULES = FitRules()

MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


@dataclass(frozen=True)
class Sample:
    """Rows to fit.

    Attributes
    ----------
    columns : factor name -> (N,).
    target : (N,).
    weight : (N,) weight of each row's squared error; (M, N) for M problems side by side.
    group : (N,) group of each row; None where there are no groups.
    groups : number of groups; 1 where there are none.
    pooled : whether a group's nonlinear constants are drawn towards those of all groups.
    """

    columns: Mapping[str, Floats]
    target: Floats
    weight: Floats
    group: Indices | None = None
    groups: int = 1
    pooled: bool = False

    def take(self, rows: Mask | Indices) -> Sample:
        """The rows given by a boolean mask or by indices."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        group = None if self.group is None else self.group[rows]
        weight, target = self.weight[..., rows], self.target[rows]
        return Sample(columns, target, weight, group, self.groups, self.pooled)

    def weighted(self, weight: Floats) -> Sample:
        """The same rows under other weights, (N,) or (M, N)."""
        return replace(self, weight=weight)

    def __len__(self) -> int:
        return len(self.target)

    @cached_property
    def scales(self) -> dict[str, float]:
        """What each factor is divided by: the geometric mean of the magnitudes that are not 0."""
        return {name: _geometric_mean(column) for name, column in self.columns.items()}

    @cached_property
    def places(self) -> tuple[Indices, Mask]:
        """Row indices of each group (G, N), padded, and the mask of real rows."""
        if self.group is None:
            rows = np.arange(len(self))[None, :]
            return rows, np.ones(rows.shape, dtype=bool)
        order = np.argsort(self.group, kind="stable")
        count = np.bincount(self.group, minlength=self.groups)
        start = np.cumsum(count) - count
        place = np.arange(max(int(count.max()), 1))[None, :]
        inside = place < count[:, None]
        first = np.minimum(start, len(self) - 1)[:, None]
        return order[np.where(inside, start[:, None] + place, first)], inside


@dataclass(frozen=True)
class Fit:
    """Constants of one expression on one sample.

    Attributes
    ----------
    theta : (P,) constants; (G, P) with groups.
    error : weighted sum of squared residuals.
    """

    theta: Floats
    error: float


def fit_constants(
    expression: Expression,
    sample: Sample,
    starts: Floats,
    iterations: int = 40,
    tolerance: float = RULES.tolerance,
    shared: Collection[str] = (),
) -> Fit | None:
    """Best of several starts, or None where none gives a finite error.

    Parameters
    ----------
    starts : (M, P) constant vectors to start from, see `propose_starts`; (M, G, P) for groups.
    iterations : steps at most; the best third of the starts goes on after a fifth of them.
    tolerance : relative gain at which a fit has converged.
    shared : constants with one value for all groups.
    """
    grouped = sample.group is not None
    problem = _Problem(expression, sample, tuple(shared), tolerance < RULES.tolerance)
    others, error = problem.begin(starts)
    if len(starts) > 1 and others.shape[-1]:
        first = max(int(iterations * RULES.first_share), 4)
        others, error = problem.descend(others, first, tolerance)
        others = problem.best(others, error, max(len(starts) // 3, 1))
    others, error = problem.descend(others, iterations, tolerance)
    others = problem.best(others, error, 1)
    if problem.can_pool:
        others = problem.pooled(others, min(iterations, RULES.pooling_steps), tolerance)
    theta, error = problem.theta(others)
    total = float(error.sum())
    if not np.isfinite(total) or not np.isfinite(theta).all():
        return None
    return Fit(theta[0] if grouped else theta[0, 0], total)


def descend(
    expression: Expression,
    sample: Sample,
    theta: Floats,
    iterations: int,
    tolerance: float = RULES.tolerance,
    shared: Collection[str] = (),
) -> tuple[Floats, Floats]:
    """Constants of M problems side by side, each from its own start.

    Parameters
    ----------
    sample : its weights may be those of each problem, (M, N).
    theta : (M, P) starts; (M, G, P) with groups.

    Returns
    -------
    theta, as given, and weighted error (M,), inf where a start was never finite.
    """
    problem = _Problem(expression, sample, tuple(shared), tolerance < RULES.tolerance)
    others, _ = problem.begin(theta)
    others, _ = problem.descend(others, iterations, tolerance)
    if problem.can_pool:
        others = problem.pooled(others, min(iterations, RULES.pooling_steps), tolerance)
    constants, error = problem.theta(others)
    return (constants if sample.group is not None else constants[:, 0]), error.sum(axis=-1)


class _Problem:
    """An expression on the rows of one sample, in scaled factors."""

    def __init__(
        self, expression: Expression, sample: Sample, shared: tuple[str, ...], exact: bool
    ) -> None:
        self.tree, self.sample, self.shared = expression.tree, sample, shared
        self.linear, self.own = _split(expression.tree, frozenset(shared))
        self.coupled = bool(shared) and sample.groups > 1
        inside = scalable(expression.tree)
        self.scales = {name: sample.scales[name] for name in inside}
        rows, counted = sample.places
        self.columns = {
            name: sample.columns[name][rows] / self.scales.get(name, 1.0)
            for name in expression.factors
        }
        if not self.columns:  # rows of a constant still have to be counted
            self.columns = {"": np.zeros(rows.shape)}
        self.target = sample.target[rows]
        self.weight = np.where(counted, sample.weight[..., rows], 0.0)  # (G, N) or (M, G, N)
        position = {name: p for p, name in enumerate(expression.constants)}
        self.place = [position[name] for name in self.linear.others]
        self.place_linear = [position[name] for name in self.linear.names]
        self.eye = np.eye(len(self.linear.names))
        self.prior: _Prior | None = None
        self.exact = exact
        self.positive = np.array([n in _positive(self.tree) for n in self.linear.others], bool)
        self.exponent = np.array([n in _exponents(self.tree) for n in self.linear.others], bool)

    def begin(self, theta: Floats) -> tuple[Floats, Floats]:
        """The other constants (M, G, Q) of starts in the factors' own units; errors unknown."""
        inverse = {name: 1.0 / scale for name, scale in self.scales.items()}
        scaled = converted(self.tree, np.asarray(theta, dtype=float), inverse)
        if scaled.ndim == 2:
            scaled = np.broadcast_to(
                scaled[:, None, :], (len(scaled), self.sample.groups, scaled.shape[-1])
            )
        others = scaled[..., self.place]
        if self.coupled:
            others = others.copy()
            others[..., self.own :] = others[..., self.own :].mean(axis=1, keepdims=True)
        with np.errstate(all="ignore"):
            logs = np.log(np.where(others > 0, others, np.nan))
        self.positive = np.asarray(self.positive & ~np.isnan(logs).any(axis=(0, 1)))
        return np.where(self.positive, logs, others), np.full(others.shape[:2], np.inf)

    def natural(self, others: Floats) -> Floats:
        """Other constants from those that are searched for: logarithms of positive ones."""
        with np.errstate(over="ignore"):
            return np.where(self.positive, np.exp(others), others)

    @property
    def can_pool(self) -> bool:
        """Whether groups that are to be pooled have nonlinear constants of their own."""
        enough = self.sample.groups >= RULES.min_pooled
        return self.sample.pooled and enough and self.own > 0

    def pooled(self, others: Floats, iterations: int, tolerance: float) -> Floats:
        """The other constants (M, G, Q) with partial pooling over groups.

        Empirical Bayes: the constants of groups are a sample of a normal distribution, whose centre
        and spread are estimated. A group with many rows keeps its own constants, a group with few
        rows is shrunk towards the centre.
        """
        for _ in range(RULES.pooling_rounds):
            with np.errstate(all="ignore"):
                self.prior = self._prior(others)
            centred = np.where(self._own, self.prior.centre, others)
            others, error = self.descend(others, iterations, tolerance)
            from_centre, error_from_centre = self.descend(centred, iterations, tolerance)
            better = self._joint(error_from_centre) < self._joint(error)
            others = np.where(better[..., None], from_centre, others)
        self.prior = None
        return others

    @property
    def _own(self) -> Mask:
        """Which of the other constants (Q,) are a group's own."""
        return np.arange(len(self.linear.others)) < self.own

    def _prior(self, others: Floats) -> _Prior:
        """Centre of the groups' own constants, and the cost of a distance from it."""
        self.prior = None
        state = self._state(others)
        weighted = self.weight > 0
        rows = (weighted.any(axis=0) if weighted.ndim == 3 else weighted).sum()
        constants = (len(self.place_linear) + self.own) * self.sample.groups
        freedom = max(float(rows - constants), RULES.least_freedom * float(rows))
        noise = state.error.sum(axis=-1)[:, None, None] / freedom
        normal, _ = self._normal(state)
        centre, cost = _centre_and_cost(others, normal, noise)
        unit, size = state.gram
        linear, linear_cost = _centre_and_cost(state.beta, unit * size[..., None] ** 2, noise)
        return _Prior(centre, np.where(self._own, cost, 0.0), linear, linear_cost)

    def best(self, others: Floats, error: Floats, count: int) -> Floats:
        """The best `count` starts: per group, or over all groups where coupled."""
        if error.shape[0] <= count:
            return others
        ranking = error.sum(axis=1, keepdims=True) if self.coupled else error
        order = np.argsort(ranking, axis=0, kind="stable")[:count]
        return np.take_along_axis(
            others, np.broadcast_to(order, (count, others.shape[1]))[..., None], 0
        )

    def theta(self, others: Floats) -> tuple[Floats, Floats]:
        """All constants (M, G, P) in the factors' own units, and the errors (M, G)."""
        with np.errstate(all="ignore"):
            state = self._state(others)
        scaled = np.zeros((*others.shape[:-1], len(self.tree.constants)))
        scaled[..., self.place] = self.natural(others)
        scaled[..., self.place_linear] = state.beta
        return converted(self.tree, scaled, self.scales), state.error

    def _state(self, others: Floats) -> _State:
        """Linear constants, residuals and errors at the other constants."""
        slots, offset, basis = self.linear.evaluate(self.columns, self.natural(others))
        rest = self.target - offset
        weighted = basis * self.weight[..., None, :]
        gram = weighted @ np.swapaxes(basis, -1, -2)
        size = np.sqrt(np.maximum(np.diagonal(gram, axis1=-2, axis2=-1), 1e-300))
        sound = np.asarray(np.isfinite(gram).all(axis=(-2, -1)) & np.isfinite(rest).all(axis=-1))
        unit = gram / (size[..., :, None] * size[..., None, :])
        whole = bool(sound.all())
        if not whole:
            unit = np.where(sound[..., None, None], unit, self.eye)
        unit = unit + RULES.ridge * self.eye
        prior = self.prior
        if prior is not None:
            unit = unit + (prior.linear_cost / size**2)[..., None] * self.eye
        beta, residual = np.zeros(size.shape), rest
        for _ in range(
            2 if self.exact else 1
        ):  # the second pass corrects rounding (iterative refinement)
            slope = (weighted @ residual[..., None])[..., 0] / size
            if not whole:
                slope = np.where(sound[..., None], slope, 0.0)
            if prior is not None:
                slope = slope + prior.linear_cost * (prior.linear - beta) / size
            beta = beta + np.linalg.solve(unit, slope[..., None])[..., 0] / size
            residual = rest - (beta[..., None, :] @ basis)[..., 0, :]
        error = np.sum(self.weight * residual**2, axis=-1)
        if prior is not None:
            error = error + np.sum(prior.cost * (others - prior.centre) ** 2, axis=-1)
            error = error + np.sum(prior.linear_cost * (beta - prior.linear) ** 2, axis=-1)
        error = np.where(sound & np.isfinite(error), error, np.inf)
        return _State(others, slots, basis, (unit, size), beta, residual, error)

    def descend(self, others: Floats, iterations: int, tolerance: float) -> tuple[Floats, Floats]:
        """Levenberg–Marquardt over the other constants; each problem keeps its own damping."""
        with np.errstate(all="ignore"):
            state = self._state(others)
            if not others.shape[-1]:
                return others, state.error
            error = self._joint(state.error)
            damping = np.full(error.shape, RULES.damping)
            active = np.isfinite(error)
            normal, slope = self._normal(state)
            for _ in range(iterations):
                if not active.any():
                    break
                step = self._step(normal, slope, damping)
                trial = self._state(
                    self._move(state.others, np.where(active[..., None], step, 0.0))
                )
                trial_error = self._joint(trial.error)
                better = active & (trial_error < error)
                gain = np.where(better, error - np.where(better, trial_error, 0.0), np.inf)
                active = active & ~(gain <= tolerance * error) & (damping < 1e12)
                if better.any():
                    state = trial if better.all() else state.replaced(trial, better)
                    error = np.where(better, trial_error, error)
                    if active.any():
                        new = self._normal(trial)
                        normal = np.where(better[..., None, None], new[0], normal)
                        slope = np.where(better[..., None], new[1], slope)
                damping = np.clip(
                    damping * np.where(better, RULES.ease, RULES.stiffen), 1e-12, 1e13
                )
        return state.others, state.error

    def _joint(self, error: Floats) -> Floats:
        """Errors by which a step is accepted: per group, or their sum where groups are coupled."""
        if not self.coupled:
            return error
        return np.broadcast_to(error.sum(axis=1, keepdims=True), error.shape)

    def _move(self, others: Floats, step: Floats) -> Floats:
        step = np.where(self.positive, np.clip(step, -3.0, 3.0), step)
        position = others + step
        limit = RULES.max_power
        return np.where(self.exponent, np.clip(position, -limit, limit), position)

    def _normal(self, state: _State) -> tuple[Floats, Floats]:
        """Normal equations (M, G, Q, Q), (M, G, Q) with the linear constants projected out."""
        shape = state.residual.shape
        jacobian = self.linear.derivatives(state.slots, state.beta, shape)
        if self.positive.any():
            chain = np.where(self.positive, self.natural(state.others), 1.0)
            jacobian = jacobian * chain[..., None]
        weighted = jacobian * self.weight[..., None, :]
        normal = weighted @ np.swapaxes(jacobian, -1, -2)
        slope = (weighted @ state.residual[..., None])[..., 0]
        cross = weighted @ np.swapaxes(state.basis, -1, -2)  # (M, G, Q, K)
        unit, size = state.gram
        cross = cross / size[..., None, :]
        sound = np.asarray(
            np.isfinite(normal).all(axis=(-2, -1))
            & np.isfinite(slope).all(axis=-1)
            & np.isfinite(cross).all(axis=(-2, -1))
        )
        cross = np.where(sound[..., None, None], cross, 0.0)
        normal = np.where(sound[..., None, None], normal, 0.0)
        projected = normal - cross @ np.linalg.solve(unit, np.swapaxes(cross, -1, -2))
        # a column that the linear constants explain leaves only rounding error
        floor = 1e-14 * np.diagonal(normal, axis1=-2, axis2=-1)
        diagonal = np.diagonal(projected, axis1=-2, axis2=-1)
        lift = np.maximum(floor - diagonal, 0.0)
        projected = projected + lift[..., None] * np.eye(lift.shape[-1])
        slope = np.where(sound[..., None], slope, 0.0)
        if self.prior is not None:
            projected = projected + self.prior.cost[..., None] * np.eye(lift.shape[-1])
            slope = slope + self.prior.cost * (self.prior.centre - state.others)
        return projected, slope

    def _step(self, normal: Floats, slope: Floats, damping: Floats) -> Floats:
        """The damped step (M, G, Q) of every problem; one step for all groups where shared."""
        if self.coupled:
            return self._coupled_step(normal, slope, damping)
        diagonal = np.diagonal(normal, axis1=-2, axis2=-1)
        scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        unit = normal / (scale[..., :, None] * scale[..., None, :])
        unit = unit + (damping[..., None, None] + 1e-12) * np.eye(unit.shape[-1])
        return np.linalg.solve(unit, (slope / scale)[..., None])[..., 0] / scale

    def _coupled_step(self, normal: Floats, slope: Floats, damping: Floats) -> Floats:
        """The step where constants are shared: own constants are eliminated (Schur complement)."""
        r = self.own
        diagonal = np.diagonal(normal, axis1=-2, axis2=-1)
        together = diagonal[..., r:].sum(axis=1, keepdims=True)
        diagonal = np.concatenate(
            [
                diagonal[..., :r],
                np.broadcast_to(together, (*diagonal.shape[:-1], together.shape[-1])),
            ],
            axis=-1,
        )
        scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        unit = normal / (scale[..., :, None] * scale[..., None, :])
        gradient = slope / scale
        damped = damping[..., None, None] + 1e-12
        own_block = unit[..., :r, :r] + damped * np.eye(r)
        between = unit[..., :r, r:]
        solved = np.linalg.solve(
            own_block, np.concatenate([between, gradient[..., :r, None]], axis=-1)
        )
        coupling = np.swapaxes(between, -1, -2) @ solved  # (M, G, S, S + 1)
        shared_block = unit[..., r:, r:].sum(axis=1) - coupling[..., :-1].sum(axis=1)
        shared_block = shared_block + damped[:, 0] * np.eye(shared_block.shape[-1])
        right_side = gradient[..., r:].sum(axis=1) - coupling[..., -1].sum(axis=1)
        common = np.linalg.solve(shared_block, right_side[..., None])[..., 0]
        each = solved[..., -1] - (solved[..., :-1] @ common[:, None, :, None])[..., 0]
        shared_steps = np.broadcast_to(common[:, None, :], (*each.shape[:-1], common.shape[-1]))
        return np.concatenate([each, shared_steps], axis=-1) / scale


@dataclass(frozen=True)
class _State:
    """State of a descent: constants, bases, residuals (M, G, N) and errors (M, G).

    `gram` holds the normalised normal equations of the bases and their scales.
    """

    others: Floats
    slots: list[Floats] = field(repr=False)
    basis: Floats
    gram: tuple[Floats, Floats]
    beta: Floats
    residual: Floats
    error: Floats

    def replaced(self, other: _State, where: Mask) -> _State:
        """The state with the problems of a mask (M, G) from another; slots are of no more use."""
        one, two = where[..., None], where[..., None, None]
        return _State(
            np.where(one, other.others, self.others),
            other.slots,
            np.where(two, other.basis, self.basis),
            (
                np.where(two, other.gram[0], self.gram[0]),
                np.where(one, other.gram[1], self.gram[1]),
            ),
            np.where(one, other.beta, self.beta),
            np.where(one, other.residual, self.residual),
            np.where(where, other.error, self.error),
        )


@dataclass(frozen=True)
class _Prior:
    """Centres of the groups' own constants and the cost of a squared distance from them, (M, 1, Q)
    of the constants that are searched for, (M, 1, K) of the linear ones."""

    centre: Floats
    cost: Floats
    linear: Floats
    linear_cost: Floats


def _centre_and_cost(value: Floats, normal: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """Of constants (M, G, Q) with normal equations (M, G, Q, Q), by the method of moments."""
    centre = np.median(value, axis=-2, keepdims=True)
    spread = (MAD * np.median(np.abs(value - centre), axis=-2, keepdims=True)) ** 2
    flat = np.maximum(np.diagonal(normal, axis1=-2, axis2=-1), 1e-300)
    chance = np.median(noise / flat, axis=-2, keepdims=True)
    within = np.maximum(spread - chance, RULES.least_spread * spread)
    cost = noise / np.maximum(within, 1e-300)
    return centre, np.where(np.isfinite(cost), cost, 0.0)


@lru_cache(maxsize=50_000)
def _split(tree: Tree, shared: frozenset[str]) -> tuple[Linear, int]:
    """The tree split at its linear constants, and the number of other constants per group."""
    linear = Linear(tree, shared)
    return linear, sum(name not in shared for name in linear.others)


@lru_cache(maxsize=50_000)
def _exponents(tree: Tree) -> frozenset[str]:
    """Constants that are an exponent by themselves."""
    names = set()
    for node in tree.walk():
        if node.op == "**":
            exponent = node.args[1]
            while exponent.op == "neg":
                exponent = exponent.args[0]
            names |= {exponent.name} if exponent.op == "constant" else set()
    return frozenset(names)


@lru_cache(maxsize=50_000)
def _positive(tree: Tree) -> frozenset[str]:
    """Constants that scale the base of a root, a logarithm or a power that is no whole number.

    They are positive and searched for by their logarithm.
    """
    candidates: set[str] = set()
    for node in tree.walk():
        is_integer = node.op == "**" and node.args[1].is_number and node.args[1].value.is_integer()
        if node.op in ("sqrt", "log") or (node.op == "**" and not is_integer):
            candidates |= set(_multipliers(node.args[0]))
    names = [node.name for node in tree.walk() if node.op == "constant"]
    return frozenset(name for name in candidates if names.count(name) == 1)


def _multipliers(node: Tree) -> list[str]:
    """Constants that multiply or divide the whole of a node."""
    if node.op == "constant":
        return [node.name]
    if node.op in ("*", "/"):
        return [name for child in node.args for name in _multipliers(child)]
    return []


def _geometric_mean(column: Floats) -> float:
    size = np.abs(column[column != 0])
    mean = float(np.exp(np.mean(np.log(size)))) if len(size) else 1.0
    return mean if np.isfinite(mean) and mean > 0 else 1.0
