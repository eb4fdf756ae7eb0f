"""A law over its table: predictions, residuals, levels, and how each factor moves the law.

Notation
--------
R : rows of the table.
F : factors.
G : points at which a row with an undefined factor is evaluated, spread over that factor's domain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_laws.pipeline.laws.bands import Bands
from mtl_laws.pipeline.laws.factors import task_roles
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.levels import CLOSE, Floats, Levels, find_levels, is_logarithmic, scaled
from mtl_laws.pipeline.laws.record import DataRecord, Roles
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.typeset.numbers import level_value

Mask: TypeAlias = npt.NDArray[np.bool_]
Direction: TypeAlias = Literal["rises", "falls", "varies", "none"]

#: where an undefined factor is put, as fractions of its domain (G values)
SPREAD = (0.0, 0.25, 0.5, 0.75, 1.0)
#: a law that is larger than this has met a pole, whatever the target
SENSIBLE = 1e100
#: points of a drawn line
GRID = 160
#: name of the column of groups in the analysed rows
GROUP = "group"
#: rows from which the direction of a factor is judged, and steps along the factor
PROBES, PROBE_STEPS = 40, 33
#: a change smaller than this fraction of the law's largest value is none
FLAT = 1e-6
#: "without bound", as a multiple of the largest value in the table
FAR = 1e9
#: limits closer than this fraction of the largest measured value are one
SAME = 1e-3


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
    study : whether the rows are trials of a study, whose ``n`` counts training tokens.
    level : the one group whose law and rows these are; empty for those of all.
    """

    law: Law
    target: str
    table: pd.DataFrame
    data: DataRecord
    group: Sequence[str] | None = None
    study: bool = False
    level: str = ""

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
    def inside(self) -> Mask:
        """Which rows the law was fitted on."""
        return (self.table["role"] == "fit").to_numpy(dtype=bool)

    @cached_property
    def predicted(self) -> Floats:
        """The law on every row (R,); where a factor is undefined, the mean over its domain."""
        incomplete = [name for name in self.factors if np.isnan(self.columns[name]).any()]
        if not incomplete:
            return self._on_rows(self.columns)
        values = []
        for part in SPREAD:
            columns = {
                name: np.where(np.isnan(column), self.point_of_domain(name, part), column)
                for name, column in self.columns.items()
            }
            values.append(self._on_rows(columns))
        return np.asarray(np.mean(values, axis=0))

    def _on_rows(self, columns: Mapping[str, Floats]) -> Floats:
        """The law of each row's own group at `columns`, (R,) each."""
        if self.group is None:
            return self.at(columns)
        values = self.law.predict(columns, self.group)
        return np.where(np.abs(values) < SENSIBLE, values, np.nan)

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

    def bands_along(self, factor: str, grid: Floats, others: Mapping[str, float]) -> Bands:
        """Bands of the law along `grid`; `Bands.law` and `run` are None where none are recorded."""
        points = {name: np.full(len(grid), self.reference[name]) for name in self.factors}
        points |= {name: np.full(len(grid), value) for name, value in others.items()}
        return self.law.bands({**points, factor: grid})

    @cached_property
    def scale(self) -> float:
        """The range of the measured target: what rounding errors are small against."""
        return float(np.ptp(finite(self.measured))) if len(finite(self.measured)) else 0.0

    @property
    def sign(self) -> float:
        """1 where a higher target is better, −1 where a lower one is."""
        return -1.0 if self.data.lower_is_better else 1.0

    @cached_property
    def within(self) -> Mask | None:
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

    def point_of_domain(self, factor: str, fraction: float) -> float:
        """The value a fraction of the way through the domain."""
        low, high = self.domain(factor)
        return low + fraction * (high - low)

    def logarithmic(self, factor: str) -> bool:
        """Whether the factor is drawn on a logarithmic axis."""
        return is_logarithmic(self.columns[factor], self.domain(factor)[0])

    @cached_property
    def levels(self) -> dict[str, Levels]:
        """Levels of every factor."""
        return {f: find_levels(self.columns[f], self.logarithmic(f)) for f in self.factors}

    @cached_property
    def reference(self) -> dict[str, float]:
        """A middle value of each factor over the fitted rows: its middle level, or its median.

        It is the value that a reader sees, so that who asks the law there gets the same answer.
        """
        middles = {}
        for factor, levels in self.levels.items():
            low, high = self.fitted_range(factor)
            values = self.columns[factor][self.inside] if levels.binned else levels.values
            inside = np.sort(values[(values >= low) & (values <= high)])
            fallback = low if np.isfinite(low) else 0.0
            middle = float(inside[len(inside) // 2]) if len(inside) else fallback
            middles[factor] = self.as_shown(factor, middle)
        return middles

    def as_shown(self, factor: str, value: float) -> float:
        """A value as sentences show it, at the nearest end where that lies outside the fit."""
        low, high = self.fitted_range(factor)
        return float(np.clip(level_value(value), low, high)) if low <= value <= high else value

    def grid(self, factor: str, low: float, high: float, size: int = GRID) -> Floats:
        """`size` values from `low` to `high`, evenly spaced on the factor's axis."""
        if self.logarithmic(factor) and low > 0:
            return np.geomspace(low, high, size)
        return np.linspace(low, high, size)

    @cached_property
    def by_effect(self) -> tuple[str, ...]:
        """Factors, the one that moves the law most first, the others at their middle."""
        effects = {}
        for factor in self.factors:
            grid = self.grid(factor, *self.fitted_range(factor), PROBE_STEPS)
            values = finite(self.along(factor, grid, {}))
            effects[factor] = float(np.ptp(values)) if len(values) else 0.0
        return tuple(sorted(self.factors, key=effects.__getitem__, reverse=True))

    @property
    def varied(self) -> list[str]:
        """Factors with more than one level, the one that moves the law most first."""
        return [factor for factor in self.by_effect if len(self.levels[factor].values) > 1]

    @cached_property
    def multitask(self) -> Roles | None:
        """Size, tasks and relatedness; None where one of them is missing.

        The roles are those of ``laws.json``, as far as the rows agree with them.
        """
        record, rows = self.data.roles, task_roles(self.columns)
        if record is not None and (record.tasks, record.relatedness) != (
            rows.tasks,
            rows.relatedness,
        ):
            return None
        roles = record or rows
        return roles if roles.size and roles.tasks and roles.relatedness else None

    def beyond(self, factor: str) -> Mask:
        """Rows whose value of the factor lies outside the fitted range (R,).

        A value outside by less than the distance between levels is the scatter of a level, like
        that of a measured AMI.
        """
        logarithmic = self.logarithmic(factor)
        low, high = scaled(np.array(self.fitted_range(factor)), logarithmic)
        values, room = scaled(self.columns[factor], logarithmic), CLOSE * (high - low)
        return np.asarray((values < low - room) | (values > high + room))


def _extent(values: Floats) -> tuple[float, float]:
    known = finite(values)
    return (float(known.min()), float(known.max())) if len(known) else (float("nan"), float("nan"))


def finite(values: Floats) -> Floats:
    """The values that are finite."""
    return values[np.isfinite(values)]


def subsample(mask: Mask, most: int) -> Mask:
    """At most `most` of the rows in `mask`, evenly spread through the table."""
    rows = np.flatnonzero(mask)
    if len(rows) > most:
        rows = rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]
    subset = np.zeros_like(mask)
    subset[rows] = True
    return subset


def direction(surface: Surface, factor: str) -> Direction:
    """Which way the law moves along a factor, over its fitted range.

    The other factors take their values in rows spread over the table. Rows where the factor is
    undefined do not count: the AMI of a single task moves nothing.
    """
    grid = surface.grid(factor, *surface.fitted_range(factor), PROBE_STEPS)
    defined = surface.inside & np.isfinite(surface.columns[factor])
    changes = [np.zeros(0)]
    for row in np.flatnonzero(subsample(defined, PROBES)):
        values = {name: float(column[row]) for name, column in surface.columns.items()}
        others = {n: value for n, value in values.items() if n != factor and np.isfinite(value)}
        changes.append(np.diff(surface.along(factor, grid, others)))
    change = finite(np.concatenate(changes))
    least = FLAT * (float(np.nanmax(np.abs(surface.predicted), initial=0.0)) or 1.0)
    up, down = bool((change > least).any()), bool((change < -least).any())
    if up and down:
        return "varies"
    return "rises" if up else ("falls" if down else "none")


def limit(surface: Surface, factor: str) -> tuple[float, tuple[str, ...]] | None:
    """Where the law tends as a size grows without bound, and the factors on which that depends.

    None where it tends to nothing finite.
    """
    tolerance = SAME * (float(np.nanmax(np.abs(surface.measured), initial=0.0)) or 1.0)
    far = surface.extent(factor)[1] * np.array([FAR, FAR**2])
    near, value = surface.along(factor, far, {})
    if not np.isfinite([near, value]).all() or abs(near - value) >= tolerance:
        return None
    moved = []
    for other in (name for name in surface.used if name != factor):
        ends = [
            surface.along(factor, far[1:], {other: float(end)})[0]
            for end in surface.fitted_range(other)
        ]
        if np.nanmax(np.abs(np.array(ends) - value), initial=0.0) >= tolerance:
            moved.append(other)
    return float(value), tuple(moved)


@dataclass(frozen=True)
class Grouped:
    """A law over rows of several groups.

    Attributes
    ----------
    column : what the groups are levels of.
    levels : names of the groups that have rows.
    surface : the law over all rows, each with the constants of its own group.
    """

    column: str
    levels: tuple[str, ...]
    surface: Surface

    def of(self, level: str) -> Surface:
        """The law of one group over its own rows, with fitted ranges of its own."""
        whole = self.surface
        rows = np.asarray(whole.group, dtype=object) == level
        return replace(
            whole,
            law=whole.law.for_group(level),
            table=whole.table[rows].reset_index(drop=True),
            data=whole.data.model_copy(update={"ranges": {}}),
            group=None,
            level=level,
        )

    def surfaces(self) -> Iterator[tuple[str, Surface]]:
        """Every group, with the law of that group over its rows."""
        yield from ((level, self.of(level)) for level in self.levels)


def grouped(laws: LawSet, table: pd.DataFrame, study: bool = False) -> Grouped | None:
    """The selected law over the groups of a table; None without a law or without groups.

    Parameters
    ----------
    study : as in `Surface`.

    Raises
    ------
    UserError
        if the table has no column of groups.
    """
    law, groups = laws.selected, laws.groups
    if law is None or groups is None:
        return None
    own = GROUP in table
    group = [str(level) for level in table[GROUP]] if own else groups.of_rows(table)
    surface = Surface(law, laws.target, table, laws.data, group, study)
    levels = tuple(level for level in groups.levels if level in set(group))
    return Grouped(groups.column, levels, surface)
