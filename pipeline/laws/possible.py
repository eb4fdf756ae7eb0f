"""What a factor can be at all, by its role and its kind; beyond it a law is not asked.

A point far from the fitted rows is possible, and a law answers with its distance. A negative number
of tokens, half a task and an AMI above 1 are not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from mtl_laws.pipeline.laws.factors import task_roles
from mtl_laws.pipeline.laws.record import DataRecord, Roles
from mtl_laws.pipeline.laws.region import Region
from mtl_laws.pipeline.laws.rows import infer_domains
from mtl_laws.pipeline.symbolic.kinds import classify, value_range
from mtl_laws.pipeline.symbolic.tree import Floats, Mask

FRACTION = (0.0, 1.0)
"""The domain of a factor that is a fraction by its values."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The least and the largest value that a factor can have.

    Attributes
    ----------
    low, high : the ends; infinite for none.
    above : whether the factor must be above `low`, not only at least `low`.
    """

    low: float = -np.inf
    high: float = np.inf
    above: bool = False

    @property
    def text(self) -> str:
        """What is accepted, such as ``a number above 0``."""
        if np.isinf(self.low):
            return "a number"
        if np.isfinite(self.high):
            return f"a number from {self.low:g} to {self.high:g}"
        return f"a number above {self.low:g}" if self.above else f"a number of {self.low:g} or more"

    def beyond(self, values: Floats) -> Mask:
        """Which values (N,) are beyond the limits; an undefined one is not."""
        low = values <= self.low if self.above else values < self.low
        return np.asarray(low | (values > self.high))

    def including(self, low: float, high: float) -> Limits:
        """Limits that hold an interval: what was fitted is possible, whatever its kind."""
        if low > self.low and high <= self.high:
            return self
        return Limits(low=min(low, self.low), high=max(high, self.high), above=low > self.low)


TASKS = Limits(low=1.0)
RELATED = Limits(low=-1.0, high=1.0)
SIZE = Limits(low=0.0, above=True)
AMOUNT = Limits(low=0.0)
SHARE = Limits(low=0.0, high=1.0)


def limits_of(data: DataRecord, region: Region | None) -> dict[str, Limits]:
    """Factor -> its limits, from the record of laws; a factor that can be anything is left out.

    Parameters
    ----------
    region : where the law was fitted, which tells sizes; None where nothing is known.
    """
    axes = {} if region is None else region.axes
    sizes = [name for name, axis in axes.items() if axis.logarithm]
    return _limits(data.ranges, data.domain, data.roles or Roles(), sizes)


def limits_of_rows(columns: Mapping[str, Floats]) -> dict[str, Limits]:
    """The same from the factors (N,) of rows, enough of them to tell kinds and roles."""
    ranges = {name: value_range(column) for name, column in columns.items()}
    sizes = classify(columns).sizes
    return _limits(ranges, infer_domains(columns), task_roles(columns), sizes)


def _limits(
    ranges: Mapping[str, tuple[float, float]],
    domains: Mapping[str, tuple[float, float]],
    roles: Roles,
    sizes: Collection[str],
) -> dict[str, Limits]:
    limits_of_factors = {}
    for name, fitted in ranges.items():
        domain = domains.get(name, fitted)
        limits = _by_role(name, fitted, roles)
        if limits is None:
            limits = SIZE if name in sizes else _by_values(fitted, domain)
        if limits is not None:
            limits_of_factors[name] = limits.including(*fitted).including(*domain)
    return limits_of_factors


def _by_role(name: str, fitted: tuple[float, float], roles: Roles) -> Limits | None:
    """The limits of T, n and the relatedness; None for another factor.

    An adjusted measure such as AMI is slightly negative for unrelated tasks. A relatedness that was
    fitted beyond 1 is no such measure.
    """
    if name == roles.tasks:
        return TASKS
    if name == roles.relatedness:
        return RELATED if fitted[0] >= -1.0 and fitted[1] <= 1.0 else Limits()
    return SIZE if name == roles.size else None


def _by_values(fitted: tuple[float, float], domain: tuple[float, float]) -> Limits | None:
    """The limits of a fraction or of an amount; None for anything else.

    Values between 0 and 1 may be those of a size in a large unit, unless they reach an end.
    """
    low, high = fitted
    if domain == FRACTION and low >= 0.0 and high <= 1.0:
        return SHARE if low == 0.0 or high == 1.0 else AMOUNT
    return AMOUNT if low == 0.0 and high > 1.0 else None


def beyond(columns: Mapping[str, Floats], limits: Mapping[str, Limits]) -> list[tuple[int, str]]:
    """Places (row, factor) where a value is beyond its limits, by rows."""
    return sorted(
        (
            (int(row), name)
            for name, column in columns.items()
            if name in limits
            for row in np.flatnonzero(limits[name].beyond(column))
        ),
        key=lambda place: place[0],
    )
