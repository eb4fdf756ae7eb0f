"""A law laid over its table: predictions, residuals, levels, and how much each factor moves it.

Notation
--------
R : rows of the table.
F : factors.
G : points at which a row with an undefined factor is evaluated, spread over that factor's domain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_laws.pipeline.laws.bands import Bands
from mtl_laws.pipeline.laws.factors import task_roles
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.levels import CLOSE, Floats, Levels, find_levels, is_logarithmic, scaled
from mtl_laws.pipeline.laws.record import DataRecord, Roles
from mtl_laws.pipeline.symbolic.program import Expression

#: where an undefined factor is put, as shares of its domain (G values)
SPREAD = (0.0, 0.25, 0.5, 0.75, 1.0)
#: a law that is larger than this has met a pole, whatever the target
SENSIBLE = 1e100
#: points of a drawn line
GRID = 160


@dataclass(frozen=True)
class Surface:
    """One law and the rows it is judged on.

    Parameters
    ----------
    law : the law. With constants by group, rows take those of their own group; what has no row,
        as a line along a factor, takes those of the first one.
    target : name of the target column.
    table : (R, F + 3) factor columns, target, ``role`` and ``cell``.
    data : fitted ranges, domains, roles.
    group : level of each row (R,); None where the law has no constants by group.
    """

    law: Law
    target: str
    table: pd.DataFrame
    data: DataRecord
    group: Sequence[str] | None = None

    @property
    def factors(self) -> tuple[str, ...]:
        """Factor names, in the user's order."""
        return self.law.factors

    @cached_property
    def expression(self) -> Expression:
        """The parsed law."""
        return Expression.parse(self.law.expression, self.factors)

    @cached_property
    def used(self) -> tuple[str, ...]:
        """Factors that the law holds, in the table's order."""
        return tuple(factor for factor in self.factors if factor in self.expression.factors)

    @cached_property
    def columns(self) -> dict[str, Floats]:
        """Factor values, (R,) each."""
        return {name: self.table[name].to_numpy(dtype=float) for name in self.factors}

    @cached_property
    def measured(self) -> Floats:
        """Target values (R,)."""
        return self.table[self.target].to_numpy(dtype=float)

    @cached_property
    def inside(self) -> npt.NDArray[np.bool_]:
        """Which rows the law was fitted on."""
        return (self.table["role"] == "fit").to_numpy(dtype=bool)

    @cached_property
    def predicted(self) -> Floats:
        """The law on every row (R,); where a factor is undefined, the mean over its domain."""
        incomplete = [name for name in self.factors if np.isnan(self.columns[name]).any()]
        if not incomplete:
            return self._on_rows(self.columns)
        filled = [self._on_rows(self._filled(share)) for share in SPREAD]
        return np.asarray(np.mean(filled, axis=0))

    def _on_rows(self, columns: Mapping[str, Floats]) -> Floats:
        """The law of each row's own group at `columns`, (R,) each."""
        if self.group is None:
            return self.at(columns)
        values = self.law.predict(columns, self.group)
        return np.where(np.abs(values) < SENSIBLE, values, np.nan)

    def _filled(self, share: float) -> dict[str, Floats]:
        return {
            name: np.where(np.isnan(values), self.point_of_domain(name, share), values)
            for name, values in self.columns.items()
        }

    @cached_property
    def residuals(self) -> Floats:
        """Measured minus predicted (R,)."""
        return self.measured - self.predicted

    def at(self, points: Mapping[str, Floats]) -> Floats:
        """The law at `points` (all factors, equal lengths); NaN where it has no sensible value."""
        values = np.asarray(self.expression.evaluate(points), dtype=float)
        return np.where(np.abs(values) < SENSIBLE, values, np.nan)

    def along(self, factor: str, grid: Floats, others: Mapping[str, float]) -> Floats:
        """The law along `grid` of one factor, the others fixed at `others` or their middle."""
        points = {name: np.full(len(grid), self.reference[name]) for name in self.factors}
        points |= {name: np.full(len(grid), value) for name, value in others.items()}
        return self.at({**points, factor: grid})

    def bands(self, points: Mapping[str, Floats]) -> Bands:
        """Bands of the law at `points`; `Bands.law` and `run` are None where none were recorded."""
        return self.law.bands(points)

    @cached_property
    def scale(self) -> float:
        """The range of the measured target: what rounding errors are small against."""
        known = self.measured[np.isfinite(self.measured)]
        return float(np.ptp(known)) if len(known) else 0.0

    @property
    def sign(self) -> float:
        """1 where a higher target is better, −1 where a lower one is."""
        return -1.0 if self.data.lower_is_better else 1.0

    @cached_property
    def within(self) -> npt.NDArray[np.bool_] | None:
        """Which rows (R,) lie in the band of a run; None where no bands were recorded."""
        run = self.law.bands(self.columns, self.group).run
        return None if run is None else (run[0] <= self.measured) & (self.measured <= run[1])

    def domain(self, factor: str) -> tuple[float, float]:
        """The factor's domain as stated in ``laws.json``, else the range of the table."""
        return self.data.domain.get(factor) or self.extent(factor)

    def fitted_range(self, factor: str) -> tuple[float, float]:
        """Range of the factor over the fitted rows."""
        return self.data.ranges.get(factor) or _extent(self.columns[factor][self.inside])

    def extent(self, factor: str) -> tuple[float, float]:
        """Range of the factor over all rows."""
        return _extent(self.columns[factor])

    def point_of_domain(self, factor: str, share: float) -> float:
        """The value a share of the way through the domain."""
        low, high = self.domain(factor)
        return low + share * (high - low)

    def logarithmic(self, factor: str) -> bool:
        """Whether the factor is drawn on a logarithmic axis."""
        return is_logarithmic(self.columns[factor], self.domain(factor)[0])

    @cached_property
    def levels(self) -> dict[str, Levels]:
        """Levels of every factor."""
        return {f: find_levels(self.columns[f], self.logarithmic(f)) for f in self.factors}

    @cached_property
    def reference(self) -> dict[str, float]:
        """A middle value of each factor over the fitted rows: its middle level, or its median."""
        return {factor: self._middle(factor) for factor in self.factors}

    def _middle(self, factor: str) -> float:
        levels = self.levels[factor]
        low, high = self.fitted_range(factor)
        values = self.columns[factor][self.inside] if levels.binned else levels.values
        inside = np.sort(values[(values >= low) & (values <= high)])
        if not len(inside):
            return low if np.isfinite(low) else 0.0
        return float(inside[len(inside) // 2])

    def grid(self, factor: str, low: float, high: float, size: int = GRID) -> Floats:
        """`size` values from `low` to `high`, evenly spaced on the factor's axis."""
        if self.logarithmic(factor) and low > 0:
            return np.geomspace(low, high, size)
        return np.linspace(low, high, size)

    def effect(self, factor: str) -> float:
        """How far the law moves over the factor's fitted range, the others at their middle."""
        values = self.along(factor, self.grid(factor, *self.fitted_range(factor), 33), {})
        finite = values[np.isfinite(values)]
        return float(np.ptp(finite)) if len(finite) else 0.0

    @cached_property
    def multitask(self) -> Roles | None:
        """Size, tasks and relatedness; None where one of them is missing.

        The parts are those of ``laws.json``, as far as the rows bear them out.
        """
        told, known = self.data.roles, task_roles(self.columns)
        if told is not None and (told.tasks, told.relatedness) != (known.tasks, known.relatedness):
            return None
        roles = told or known
        return roles if roles.size and roles.tasks and roles.relatedness else None

    @cached_property
    def by_effect(self) -> tuple[str, ...]:
        """Factors, the one that moves the law most first."""
        return tuple(sorted(self.factors, key=self.effect, reverse=True))

    def beyond(self, factor: str) -> npt.NDArray[np.bool_]:
        """Rows whose value of the factor lies outside the fitted range (R,).

        A value that is off it by less than levels are apart is a level's own scatter, as that of a
        measured AMI.
        """
        logarithmic = self.logarithmic(factor)
        low, high = scaled(np.array(self.fitted_range(factor)), logarithmic)
        values, room = scaled(self.columns[factor], logarithmic), CLOSE * (high - low)
        return np.asarray((values < low - room) | (values > high + room))


def _extent(values: Floats) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan"), float("nan")
    return float(known.min()), float(known.max())
