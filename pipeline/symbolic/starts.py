"""Starts for the constants of an expression.

Most starts are random, at the scale of the data. A form such as ``c0 + c1*N**c2*D**c3`` has better
ones: for a given floor c0, the logarithm of the rest is linear in the exponents, which are solved
for at a few floors.

Notation
--------
N : rows.    P : constants.    K : constants in which the logarithm is linear.    M : starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mtl_laws.pipeline.symbolic.fit import Sample
from mtl_laws.pipeline.symbolic.program import Expression, Linear, Program
from mtl_laws.pipeline.symbolic.scaling import converted, scalable
from mtl_laws.pipeline.symbolic.tree import Floats, Tree


@dataclass(frozen=True, kw_only=True)
class StartRules:
    """How starts are drawn.

    Attributes
    ----------
    rows, log_rows : rows from which random starts are drawn, and on which logarithms are fitted.
    floors : distances of a floor from the lowest target (of a ceiling from the highest), in ranges
        of the target.
    share : fraction of the starts that come from logarithms, where the form allows it.
    ridge : added to the normalised normal equations of logarithms.
    """

    rows: int = 64
    log_rows: int = 500
    floors: tuple[float, ...] = (0.01, 0.05, 0.2, 1.0, 5.0)
    share: float = 0.5
    ridge: float = 1e-9


RULES = StartRules()


def propose_starts(expression: Expression, sample: Sample, count: int, seed: int) -> Floats:
    """Starts (count, P) at the scale of the data, so that a factor's unit does not matter.

    A constant in an exponent starts between 0.1 and 2, of either sign. Any other is drawn so that
    it matters beside what it is added to or multiplied with (a log-uniform factor around that
    magnitude). Linear constants start at 1: they are solved for.
    """
    if not expression.constants:
        return np.zeros((1, 0))
    rng = np.random.default_rng([seed, len(expression.program.steps)])
    scales = {name: sample.scales[name] for name in scalable(expression.tree)}
    starts = _Random(expression, _columns(expression, sample, scales), count, rng).draw()
    log_starts = _from_logarithms(expression, sample, scales)
    share_count = int(np.ceil(RULES.share * count))
    starts[: min(share_count, len(log_starts))] = log_starts[:share_count]
    return converted(expression.tree, starts, scales)


def _columns(
    expression: Expression, sample: Sample, scales: Mapping[str, float]
) -> dict[str, Floats]:
    step = max(len(sample) // RULES.rows, 1)
    return {
        name: sample.columns[name][::step] / scales.get(name, 1.0) for name in expression.factors
    }


def _from_logarithms(expression: Expression, sample: Sample, scales: Mapping[str, float]) -> Floats:
    """Starts (M, P) from fits of the logarithm at several floors and ceilings, the best first."""
    form = _log_linear(expression.tree)
    if form is None:
        return np.zeros((0, len(expression.constants)))
    part = sample.take(np.arange(0, len(sample), max(len(sample) // RULES.log_rows, 1)))
    columns = {name: part.columns[name] / scales.get(name, 1.0) for name in expression.factors}
    with np.errstate(all="ignore"):
        _, offset, basis = form.linear.evaluate(columns, np.zeros((1, 0)))
        offset = offset[0]
        basis = np.broadcast_to(basis[0], (len(basis[0]), len(part)))  # also without factors
        fits = []
        for left in left_of_floors(part, form.floor):
            theta = _log_fit(np.log(left) - offset, basis, part, left)
            if theta is not None:
                curve = np.exp(offset + theta @ basis)
                fits.append((_misfit(curve, part, form.floor), theta))
    fits.sort(key=lambda pair: pair[0])
    starts = np.ones((len(fits), len(expression.constants)))
    place = [expression.constants.index(name) for name in form.linear.names]
    for start, (_, theta) in zip(starts, fits, strict=True):
        start[place] = theta
    return starts


@dataclass(frozen=True)
class _LogLinear:
    """A form whose logarithm, less a floor, is linear in its constants."""

    linear: Linear
    floor: bool


@lru_cache(maxsize=50_000)
def _log_linear(tree: Tree) -> _LogLinear | None:
    """The form, less its bare constant, as a logarithm linear in constants; None for others."""
    names = [node.name for node in tree.walk() if node.op == "constant"]
    floor = tree.op in ("+", "-") and tree.args[0].op == "constant"
    logarithm = _logarithm(tree.args[1] if floor else tree)
    if logarithm is None or len(set(names)) < len(names) or not logarithm.constants:
        return None
    linear = Linear(logarithm)
    return None if linear.others else _LogLinear(linear, floor)


def _logarithm(tree: Tree) -> Tree | None:
    """Logarithm of a product of powers and exponentials, constant multipliers left out."""
    inner = [_logarithm(child) for child in tree.args if tree.op in ("neg", "sqrt", "*", "/")]
    logarithms = [each for each in inner if each is not None]
    result: Tree | None = None
    if tree.op in ("constant", "number"):
        result = Tree.number(0.0)
    elif tree.op == "factor":
        result = Tree("log", (tree,))
    elif tree.op == "exp":
        result = tree.args[0]
    elif tree.op == "**" and not tree.args[0].constants:
        result = Tree("*", (tree.args[1], Tree("log", (tree.args[0],))))
    elif inner and len(logarithms) == len(inner):
        ways = {"neg": logarithms[0], "sqrt": Tree("*", (Tree.number(0.5), logarithms[0]))}
        sums = {"*": "+", "/": "-"}
        result = Tree(sums[tree.op], tuple(logarithms)) if tree.op in sums else ways[tree.op]
    return None if result is None else result.simplify()


def left_of_floors(sample: Sample, floor: bool) -> Iterator[Floats]:
    """The target (N,) less a floor, and a ceiling less the target, both positive."""
    if not floor:
        if (sample.target > 0).all() or (sample.target < 0).all():
            yield np.abs(sample.target)
        return
    group = np.zeros(len(sample), np.int64) if sample.group is None else sample.group
    low, high = np.full(sample.groups, np.inf), np.full(sample.groups, -np.inf)
    np.minimum.at(low, group, sample.target)
    np.maximum.at(high, group, sample.target)
    reach = np.maximum(high - low, 1e-300)[group]
    for distance in RULES.floors:
        yield sample.target - low[group] + distance * reach
        yield high[group] - sample.target + distance * reach


def _log_fit(target: Floats, basis: Floats, sample: Sample, left: Floats) -> Floats | None:
    """Coefficients (K,) of the basis (K, N) by least squares within groups.

    An error of the logarithm counts by what it is on the target's own scale.
    """
    weight = sample.weight * left**2
    weight = weight / weight.sum()
    total = np.maximum(np.bincount(_group(sample), weight, sample.groups), 1e-300)
    rows = np.vstack([basis, target])
    for k, row in enumerate(rows):
        mean = np.bincount(_group(sample), weight * row, sample.groups) / total
        rows[k] = row - mean[_group(sample)]
    gram = (rows * weight) @ rows.T
    size = np.sqrt(np.maximum(np.diag(gram)[:-1], 1e-300))
    if not np.isfinite(gram).all():
        return None
    unit = gram[:-1, :-1] / np.outer(size, size) + RULES.ridge * np.eye(len(size))
    return np.asarray(np.linalg.solve(unit, gram[:-1, -1] / size) / size)


def _misfit(curve: Floats, sample: Sample, floor: bool) -> float:
    """Squared error of the target about a curve with the best multiplier (and floor) by group."""
    group, weight = _group(sample), sample.weight
    y, x = sample.target, curve
    if floor:
        total = np.maximum(np.bincount(group, weight, sample.groups), 1e-300)
        y = y - (np.bincount(group, weight * y, sample.groups) / total)[group]
        x = x - (np.bincount(group, weight * x, sample.groups) / total)[group]
    square = np.maximum(np.bincount(group, weight * x**2, sample.groups), 1e-300)
    slope = np.bincount(group, weight * x * y, sample.groups) / square
    error = float(np.sum(weight * (y - slope[group] * x) ** 2))
    return error if np.isfinite(error) else np.inf


def _group(sample: Sample) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.zeros(len(sample), np.int64) if sample.group is None else sample.group


class _Random:
    """Random constants at the magnitude of their neighbours in the program."""

    def __init__(
        self,
        expression: Expression,
        columns: Mapping[str, Floats],
        count: int,
        rng: np.random.Generator,
    ) -> None:
        self.expression, self.columns, self.count, self.rng = expression, columns, count, rng
        self.program: Program = expression.program
        self.theta = np.ones((count, len(expression.constants)))
        steps = self.program.steps
        self.parents = {
            c: k for k, step in enumerate(steps) for c in (step.left, step.right) if c >= 0
        }

    def draw(self) -> Floats:
        linear = set(self.expression.linear.names)
        for k, step in enumerate(self.program.steps):
            if step.op == "constant" and step.name not in linear:
                self.theta[:, self.program.position[step.name]] = self._value(k)
        return self.theta

    def _value(self, k: int) -> Floats:
        spread = self.rng.uniform(-1.0, 1.0, self.count)
        at = k
        while at in self.parents and self.program.steps[self.parents[at]].op == "neg":
            at = self.parents[at]
        parent = self.parents.get(at)
        if parent is None:
            return 10.0**spread
        step = self.program.steps[parent]
        if step.op == "**" and step.right == at:
            return self._exponent(step.left)
        beside = self._beside(at, parent)
        return 10.0**spread / beside if step.op == "*" else beside * 10.0**spread

    def _exponent(self, base: int) -> Floats:
        """Powers (count,) of either sign; positive ones only where the base may be 0.

        A descent cannot cross from a positive to a negative power: other constants diverge between.
        """
        size = self.rng.uniform(0.1, 2.0, self.count)
        falling = self.rng.random(self.count) < 0.5
        least = np.min(np.atleast_2d(self._slot(base)), axis=-1)
        return np.where(falling & (least > 0), -size, size)

    def _slot(self, k: int) -> Floats:
        with np.errstate(all="ignore"):
            return self.program.forward(self.columns, self.theta)[k]

    def _beside(self, k: int, parent: int) -> Floats:
        """Typical magnitude of the other operand of a constant's parent, where it is not 0."""
        step = self.program.steps[parent]
        other = step.left if step.right == k else step.right
        if other < 0:
            return np.ones(self.count)
        with np.errstate(all="ignore"):
            magnitude = np.abs(np.atleast_1d(self._slot(other)))
            some = magnitude > 0
            logs = np.where(some, np.log(np.where(some, magnitude, 1.0)), 0.0).sum(axis=-1)
            size = np.exp(logs / np.maximum(some.sum(axis=-1), 1))
        size = np.where(np.isfinite(size) & (size > 0), size, 1.0)
        return np.broadcast_to(np.clip(size, 1e-9, 1e12), (self.count,))
