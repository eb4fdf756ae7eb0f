"""Constants of a law by weighted least squares: Levenberg–Marquardt from many starts at once.

The starts are vectors side by side, so one pass over the rows serves all of them; so are bootstrap
resamples, which are the same problem under other row weights (`resample`).

Notation
--------
M : starts or resamples fitted side by side.
N : rows.    P : constants.
theta : (M, P).    w : row weights, (N,) or (M, N).    r = y − f(x; theta) : residuals, (M, N).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.symbolic.tree import Expression, Floats, Mask

#: Marquardt damping: first value, and factors after a success and after a failure
DAMPING, EASE, STIFFEN = 1e-2, 0.2, 4.0
#: a vector has converged when a step gains less than this share of its error: enough to rank and
#: score laws, and for the constants that are reported
TOLERANCE, EXACT = 1e-6, 1e-12
#: columns of a linear problem outside these magnitudes are left to the descent
TINY, HUGE = 1e-100, 1e100
RIDGE = 1e-9


@dataclass(frozen=True)
class Sample:
    """Rows to fit: factor columns (N,), target (N,), weights (N,): rows that each stands for."""

    columns: Mapping[str, Floats]
    target: Floats
    weight: Floats

    def take(self, rows: Floats) -> Sample:
        """The rows given by a boolean mask or by indices."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        return Sample(columns, self.target[rows], self.weight[rows])

    def __len__(self) -> int:
        return len(self.target)


@dataclass(frozen=True)
class Fit:
    """Constants of one expression on one sample.

    Attributes
    ----------
    theta : (P,) constants.
    error : weighted sum of squared residuals.
    """

    theta: Floats
    error: float


def fit_constants(
    expression: Expression,
    sample: Sample,
    starts: Floats,
    iterations: int = 60,
    tolerance: float = TOLERANCE,
) -> Fit | None:
    """Best of several starts, or None where none gives a finite error.

    Parameters
    ----------
    starts : (M, P) constant vectors to start from; see `propose_starts`.
    iterations : Levenberg–Marquardt steps at most; the best third goes on after a fifth of them.
    """
    if not expression.constants:
        return _fixed(expression, sample)
    theta, error = descend(expression, sample, starts, max(iterations // 5, 4), tolerance=tolerance)
    keep = np.argsort(error, kind="stable")[: max(len(error) // 3, 1)]
    if not np.isfinite(error[keep[0]]):
        return None
    theta, error = descend(expression, sample, theta[keep], iterations, tolerance=tolerance)
    best = int(np.argmin(error))
    return Fit(theta[best], float(error[best]))


def _fixed(expression: Expression, sample: Sample) -> Fit | None:
    with np.errstate(all="ignore"):
        residual = sample.target - expression.evaluate(sample.columns)
        error = float(np.sum(sample.weight * residual**2))
    return Fit(np.zeros(0), error) if np.isfinite(error) else None


def descend(
    expression: Expression,
    sample: Sample,
    theta: Floats,
    iterations: int,
    weight: Floats | None = None,
    tolerance: float = TOLERANCE,
) -> tuple[Floats, Floats]:
    """Levenberg–Marquardt on M vectors side by side; each keeps its own damping.

    Parameters
    ----------
    theta : (M, P) starts.
    weight : (M, N) weights of each vector's own problem; the sample's where None.

    Returns
    -------
    theta (M, P) and weighted error (M,), inf where a start was never finite.
    """
    weight = sample.weight[None, :] if weight is None else weight
    theta = np.array(theta, dtype=float)
    value, jacobian = expression.jacobian(sample.columns, theta)
    error = _error(sample.target, value, weight)
    damping = np.full(len(theta), DAMPING)
    active = np.isfinite(error)
    for _ in range(iterations):
        if not active.any():
            break
        step = _step(jacobian, sample.target - value, weight, damping)
        trial = theta + np.where(active[:, None], step, 0.0)
        trial_value, trial_jacobian = expression.jacobian(sample.columns, trial)
        trial_error = _error(sample.target, trial_value, weight)
        better = active & (trial_error < error)
        gain = np.where(better, error - np.where(better, trial_error, 0.0), np.inf)
        active = active & ~(gain <= tolerance * error) & (damping < 1e12)
        theta = np.where(better[:, None], trial, theta)
        value = np.where(better[:, None], trial_value, value)
        jacobian = np.where(better[:, None, None], trial_jacobian, jacobian)
        error = np.where(better, trial_error, error)
        damping = np.clip(damping * np.where(better, EASE, STIFFEN), 1e-12, 1e13)
    return theta, error


def _error(target: Floats, value: Floats, weight: Floats) -> Floats:
    with np.errstate(all="ignore"):
        error = np.sum(weight * (target - value) ** 2, axis=1)
    return np.where(np.isfinite(error), error, np.inf)


def _step(jacobian: Floats, residual: Floats, weight: Floats, damping: Floats) -> Floats:
    """Solve (JᵀWJ + λ·diag(JᵀWJ)) step = JᵀWr for every vector; zero where it has no answer."""
    with np.errstate(all="ignore"):
        weighted = jacobian * weight[:, None, :]
        normal = weighted @ jacobian.transpose(0, 2, 1)
        slope = (weighted @ residual[:, :, None])[:, :, 0]
    sound = np.asarray(np.isfinite(normal).all(axis=(1, 2)) & np.isfinite(slope).all(axis=1))
    normal = np.where(sound[:, None, None], normal, 0.0)
    slope = np.where(sound[:, None], slope, 0.0)
    diagonal = np.einsum("mpp->mp", normal)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = normal / (scale[:, :, None] * scale[:, None, :])
    eye = np.eye(normal.shape[1])
    scaled = scaled + (damping[:, None, None] + 1e-12) * eye
    return np.linalg.solve(scaled, (slope / scale)[:, :, None])[:, :, 0] / scale


def propose_starts(expression: Expression, sample: Sample, count: int, seed: int) -> Floats:
    """Starts (count, P) at the scale of the data, so that a factor's unit does not matter.

    A constant in an exponent starts between 0.1 and 2, of either sign. Any other is drawn so that
    it matters beside
    what it is added to or multiplied with (a log-uniform factor around that magnitude). Constants
    in which the expression is affine are then solved for exactly.
    """
    rng = np.random.default_rng([seed, len(expression.program)])
    draws = _Starts(expression, sample, count, rng).draw()
    linear = np.array(expression.affine, dtype=bool)
    return _solve_affine(expression, sample, draws, linear) if linear.any() else draws


class _Starts:
    """Walks the program backwards, handing each constant the magnitude it should have."""

    def __init__(
        self, expression: Expression, sample: Sample, count: int, rng: np.random.Generator
    ) -> None:
        self.expression, self.sample, self.count, self.rng = expression, sample, count, rng
        self.theta = np.ones((count, len(expression.constants)))

    def draw(self) -> Floats:
        parents = self._parents()
        for k, step in enumerate(self.expression.program):
            if step.op == "constant":
                p = self.expression.position[step.name]
                self.theta[:, p] = self._value(k, parents)
        return self.theta

    def _parents(self) -> dict[int, int]:
        steps = self.expression.program
        return {c: k for k, step in enumerate(steps) for c in (step.left, step.right) if c >= 0}

    def _value(self, k: int, parents: dict[int, int]) -> Floats:
        step_of, spread = self.expression.program, self.rng.uniform(-1.0, 1.0, self.count)
        at = k
        while at in parents and step_of[parents[at]].op in ("neg", "*") and self._lone(at, parents):
            at = parents[at]
        parent = parents.get(k)
        if parent is None:
            return np.full(self.count, float(np.mean(self.sample.target)))
        if step_of[parent].op == "**" and step_of[parent].right == k:
            return self._exponent(step_of[parent].left)
        beside = self._beside(k, parents)
        if step_of[parent].op in ("+", "-"):
            return beside * 10.0**spread
        return 10.0**spread / beside if step_of[parent].op == "*" else beside * 10.0**spread

    def _exponent(self, base: int) -> Floats:
        """Powers of either sign: no descent gets from a rising power to a falling one, since the
        constants beside it are infinite in between. Rising ones only where the base may be 0."""
        size = self.rng.uniform(0.1, 2.0, self.count)
        falling = self.rng.random(self.count) < 0.5
        with np.errstate(all="ignore"):
            slots = self.expression.trace(self.sample.columns, self.theta)
            least = np.min(np.atleast_2d(slots[base]), axis=-1)
        return np.where(falling & (least > 0), -size, size)

    def _lone(self, at: int, parents: dict[int, int]) -> bool:
        return self.expression.program[parents[at]].right < 0

    def _beside(self, k: int, parents: dict[int, int]) -> Floats:
        """Typical magnitude of the other operand of a constant's parent, where it is not 0."""
        step = self.expression.program[parents[k]]
        other = step.left if step.right == k else step.right
        if other < 0:
            return np.ones(self.count)
        with np.errstate(all="ignore"):
            slots = self.expression.trace(self.sample.columns, self.theta)
            magnitude = np.abs(np.atleast_1d(slots[other]))
            some = magnitude > 0
            logs = np.where(some, np.log(np.where(some, magnitude, 1.0)), 0.0).sum(axis=-1)
            size = np.exp(logs / np.maximum(some.sum(axis=-1), 1))
        size = np.where(np.isfinite(size) & (size > 0), size, 1.0)
        return np.broadcast_to(np.clip(size, 1e-9, 1e12), (self.count,))


def _solve_affine(expression: Expression, sample: Sample, theta: Floats, linear: Mask) -> Floats:
    """The affine constants of every start at their optimum: one linear problem per start.

    A ridge of `RIDGE`, in units of each column's own size, stands in for a rank decision.
    """
    zero = np.where(linear, 0.0, theta)
    value, jacobian = expression.jacobian(sample.columns, zero)
    design = jacobian[:, linear]
    with np.errstate(all="ignore"):
        size = np.sqrt(np.sum(sample.weight * design**2, axis=2, keepdims=True))
        sound = np.isfinite(value).all(axis=1) & ((size > TINY) & (size < HUGE)).all(axis=(1, 2))
    scaled = design[sound] / size[sound]
    weighted = scaled * sample.weight
    normal = weighted @ scaled.transpose(0, 2, 1) + RIDGE * np.eye(int(linear.sum()))
    slope = weighted @ (sample.target - value[sound])[:, :, None]
    solved = theta.copy()
    solved[np.ix_(sound, linear)] = np.linalg.solve(normal, slope)[:, :, 0] / size[sound][:, :, 0]
    return solved
