"""The value of a factor at which a law reaches a given target, with its interval.

The law is evaluated along the factor, from far below its domain to far above. A solution is where
the prediction crosses the value; its interval reaches as far as the 95 % interval of the mean holds
the value, so it ends where the edges of the band reach it.

Notation
--------
G : points of the grid along the factor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_laws.pipeline.laws.possible import FRACTION, Limits
from mtl_laws.pipeline.symbolic.tree import Floats, Mask

Curve: TypeAlias = Callable[[Floats], tuple[Floats, Floats, Floats]]
"""Values (G,) of a factor -> the law's mean and the ends of its interval; nan where none is."""


@dataclass(frozen=True, kw_only=True)
class SolveRules:
    """How far and how finely solutions are looked for.

    Attributes
    ----------
    points : of the grid, inside the domain and on either side of it.
    beyond : a size is followed to this many times its domain, others to one more width of it.
    rounds, pieces : a crossing is narrowed down so often, into so many pieces.
    jump : a crossing whose two sides differ by more than this fraction of the value is a pole.
    """

    points: int = 400
    beyond: float = 1000.0
    rounds: int = 4
    pieces: int = 40
    jump: float = 1e-3


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A factor along which solutions are looked for.

    Attributes
    ----------
    low, high : its domain.
    lowest, highest : what it can be at all, as 0 and 1 of a fraction; None for no such end.
    """

    low: float
    high: float
    lowest: float | None = None
    highest: float | None = None

    def grid(self, rules: SolveRules) -> Floats:
        """Points inside the domain and on either side, ascending."""
        low, high = self.low, self.high
        geometric, fraction = low > 0, self.highest is not None
        space = np.geomspace if geometric and not fraction else np.linspace
        width = high - low or abs(high) or 1.0
        first, last = low - width, high + width
        if geometric:
            first, last = low / rules.beyond, high * rules.beyond
        first = first if self.lowest is None else max(self.lowest, first)
        last = last if self.highest is None else min(self.highest, last)
        ends = [first, low, high, last]
        parts = [space(a, b, rules.points) for a, b in pairwise(ends) if a < b]
        return np.unique(np.concatenate(parts)) if parts else np.array([low])


@dataclass(frozen=True, kw_only=True)
class Solution:
    """A value of the factor at which the law reaches the target.

    Attributes
    ----------
    value : of the factor.
    low, high : its 95 % interval; None where the band holds the target as far as was looked, or no
        band is known.
    inside : whether the value lies in the law's domain.
    """

    value: float
    low: float | None = None
    high: float | None = None
    inside: bool = True


@dataclass(frozen=True, kw_only=True)
class Solved:
    """All values of a factor at which a law reaches a target.

    Attributes
    ----------
    factor, target : the factor, and the value to reach.
    domain : of the factor.
    solutions : in ascending order, those outside the domain too.
    lowest, highest : extreme predictions in the domain; None where the law has no value there.
    examined : lowest and highest value of the factor that was looked at.
    banded : whether there are intervals.
    possible : lowest and highest value of the factor in the domain at which the interval of the
        mean holds the target, to a step of the grid; None where it does nowhere.
    """

    factor: str
    target: float
    domain: tuple[float, float]
    solutions: tuple[Solution, ...] = ()
    lowest: float | None = None
    highest: float | None = None
    examined: tuple[float, float] = (-np.inf, np.inf)
    banded: bool = False
    possible: tuple[float, float] | None = None

    @property
    def reachable(self) -> bool:
        """Whether the law reaches the target in its domain."""
        return any(solution.inside for solution in self.solutions)

    def table(self) -> pd.DataFrame:
        """The solutions, one per row; an open end of an interval is missing."""
        rows = [(s.value, s.low, s.high, s.inside) for s in self.solutions]
        table = pd.DataFrame(rows, columns=[self.factor, "low", "high", "inside"])
        return table.astype({self.factor: "float64", "low": "float64", "high": "float64"})

    @property
    def flat(self) -> bool:
        """Whether the law does not depend on the factor here."""
        return self.lowest is not None and self.lowest == self.highest


@dataclass(frozen=True, kw_only=True)
class Search:
    """The search for the values of one factor.

    Attributes
    ----------
    factor, axis : the factor and where it may be.
    curve : the law along it.
    target : the value to reach.
    """

    factor: str
    axis: Axis
    curve: Curve
    target: float
    rules: SolveRules = field(default_factory=SolveRules)

    def run(self) -> Solved:
        """Every solution."""
        grid = self.axis.grid(self.rules)
        mean, low, high = self.curve(grid)
        inside = (self.axis.low <= grid) & (grid <= self.axis.high)
        holds = (low <= self.target) & (self.target <= high)
        known, possible = mean[inside & np.isfinite(mean)], grid[inside & holds]
        return Solved(
            factor=self.factor,
            target=self.target,
            domain=(self.axis.low, self.axis.high),
            solutions=tuple(self._solutions(grid, mean, holds)),
            lowest=float(known.min()) if len(known) else None,
            highest=float(known.max()) if len(known) else None,
            examined=(float(grid[0]), float(grid[-1])),
            banded=bool(np.isfinite(low[inside]).any()),
            possible=(float(possible[0]), float(possible[-1])) if len(possible) else None,
        )

    def _solutions(self, grid: Floats, mean: Floats, holds: Mask) -> list[Solution]:
        above = np.where(np.isfinite(mean), np.sign(mean - self.target), np.nan)
        solutions = []
        for place in range(len(grid)):
            value = self._solution_at(grid, above, place)
            if value is None:
                continue
            left, right = grid[: place + 1][::-1], grid[place + 1 :]
            ends = (
                self._end(value, left, holds[: place + 1][::-1], self.axis.lowest),
                self._end(value, right, holds[place + 1 :], self.axis.highest),
            )
            inside = self.axis.low <= value <= self.axis.high
            solutions.append(Solution(value=value, low=ends[0], high=ends[1], inside=inside))
        return solutions

    def _solution_at(self, grid: Floats, above: Floats, place: int) -> float | None:
        """The solution at a point of the grid or between it and the next; None for none."""
        if above[place] == 0:
            first = place == 0 or above[place - 1] != 0
            return float(grid[place]) if first else None
        if place + 1 == len(grid) or above[place] * above[place + 1] != -1:
            return None
        first, last = self._narrowed(
            float(grid[place]), float(grid[place + 1]), lambda x: self.curve(x)[0] > self.target
        )
        ends = self.curve(np.array([first, last]))[0]
        if abs(ends[1] - ends[0]) > self.rules.jump * max(abs(self.target), *np.abs(ends)):
            return None
        return (first + last) / 2

    def _end(
        self, value: float, points: Floats, holds: Mask, natural: float | None
    ) -> float | None:
        """The end of a solution's interval along the points; None for an open one."""
        outside = np.flatnonzero(~holds)
        if not len(outside):
            return natural
        last = int(outside[0])
        start = float(points[last - 1]) if last else value
        stop = float(points[last])
        band = self.curve(np.array([start]))
        if not np.isfinite(band[1][0]):
            return None
        return sum(self._narrowed(start, stop, self._holds)) / 2

    def _holds(self, values: Floats) -> npt.NDArray[np.bool_]:
        _, low, high = self.curve(values)
        return np.asarray((low <= self.target) & (self.target <= high))

    def _narrowed(
        self, start: float, stop: float, test: Callable[[Floats], npt.NDArray[np.bool_]]
    ) -> tuple[float, float]:
        """Two close values between which the first change of a test lies."""
        for _ in range(self.rules.rounds):
            values = np.linspace(start, stop, self.rules.pieces + 1)
            answers = test(values)
            changes = np.flatnonzero(answers[1:] != answers[:-1])
            place = int(changes[0]) if len(changes) else 0
            start, stop = float(values[place]), float(values[place + 1])
        return start, stop


def axis_of(domain: tuple[float, float], limits: Limits) -> Axis:
    """Where a factor may be: its domain, and the ends that its meaning sets.

    A fraction is not followed below 0 or above 1.
    """
    low, high = domain
    if domain == FRACTION:
        return Axis(low=low, high=high, lowest=low, highest=high)
    lowest = None if limits.above or np.isinf(limits.low) else limits.low
    highest = None if np.isinf(limits.high) else limits.high
    return Axis(low=low, high=high, lowest=lowest, highest=highest)
