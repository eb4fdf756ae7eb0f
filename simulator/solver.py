"""Find the setting of a family at which a measured AMI is the requested one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mtl_laws.simulator.errors import UnreachableAMIError
from mtl_laws.simulator.relatedness import TOLERANCE

_STEPS = 30


@dataclass(frozen=True)
class Search:
    """A dial along which AMI falls, and how well it must be set.

    Parameters
    ----------
    strong, weak : the settings of highest and of lowest AMI, strong < weak.
    guess : where to look first.
    precision : stop when within this of the request.
    """

    strong: float
    weak: float
    guess: float
    precision: float = 2e-3


@dataclass
class _Bracket:
    """The nearest settings known above and below the request: (setting, AMI − request)."""

    above: tuple[float, float] | None = None
    below: tuple[float, float] | None = None
    seen: dict[float, float] = field(default_factory=dict)
    repeats: int = 0

    def note(self, setting: float, gap: float) -> None:
        """Take in a measurement; an end that stays put twice loses half its weight (Illinois)."""
        self.seen[setting] = gap
        if gap > 0:
            self.repeats = max(self.repeats, 0) + 1
            self.above = (setting, gap)
            if self.below and self.repeats > 1:
                self.below = (self.below[0], self.below[1] / 2)
        else:
            self.repeats = min(self.repeats, 0) - 1
            self.below = (setting, gap)
            if self.above and self.repeats < -1:
                self.above = (self.above[0], self.above[1] / 2)

    def next(self, search: Search) -> float:
        """Return where to measure next."""
        if self.above and self.below:
            (a, high), (b, low) = self.above, self.below
            return (a * low - b * high) / (low - high)
        known, gap = self.above or self.below or (search.guess, 0.0)
        ahead = known + 1.5 * gap * (search.weak - search.strong)
        tried = len(self.seen) > 2
        if ahead >= search.weak or (tried and gap > 0):
            return search.weak
        return search.strong if ahead <= search.strong or tried else ahead

    def width(self) -> float:
        """Return the distance of the two ends, infinite while one is open."""
        if not (self.above and self.below):
            return float("inf")
        return abs(self.above[0] - self.below[0])


def solve_ami(
    measure: Callable[[float], float], target: float, search: Search, limits: str
) -> float:
    """Return the setting at which `measure` comes nearest to `target`, among those measured.

    False position from a guess. `measure` may have small steps, as on finite text.

    Parameters
    ----------
    measure : AMI at a setting, falling from strong to weak.
    target : the requested AMI.
    limits : what bounds the reachable range, for the error.

    Raises
    ------
    UnreachableAMIError : no setting comes within `TOLERANCE`; names the reachable range.
    """
    bracket = _Bracket()
    setting = search.guess
    for _ in range(_STEPS):
        gap = measure(setting) - target
        bracket.note(setting, gap)
        done = abs(gap) <= search.precision or bracket.width() < 1e-5
        at_end = (setting == search.weak and gap > 0) or (setting == search.strong and gap < 0)
        if done or at_end:
            break
        setting = bracket.next(search)
    best = min(bracket.seen, key=lambda known: abs(bracket.seen[known]))
    if abs(bracket.seen[best]) > TOLERANCE:
        low, high = measure(search.weak), measure(search.strong)
        steps = ", in steps too coarse here" if low <= target <= high else ""
        raise UnreachableAMIError(
            "ami", target, f"{abs(low):.3f} to {high:.3f}{steps}, with {limits}"
        )
    return best
