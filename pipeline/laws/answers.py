"""What a set of laws answers beside predictions: gains, solutions, and how far away a point lies.

`LawSet` inherits these. They need its laws, its factors and its data, and no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtl_laws.pipeline.errors import MissingError, UserError, nearest
from mtl_laws.pipeline.io.tablefile import LINES
from mtl_laws.pipeline.laws.bands import Bands, Uncertainty
from mtl_laws.pipeline.laws.excess import Outside, outside
from mtl_laws.pipeline.laws.frames import as_table, bands_frame, beside
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.possible import Limits, beyond, limits_of
from mtl_laws.pipeline.laws.record import DataRecord, Record
from mtl_laws.pipeline.laws.solve import Search, Solved, axis_of
from mtl_laws.pipeline.symbolic.tree import Floats

DEPENDS = "the law depends on it here"


class Answers(Record):
    """Questions to the selected law of a set; `LawSet` has the fields."""

    if TYPE_CHECKING:
        target: str
        factors: tuple[str, ...]
        data: DataRecord

        @property
        def law(self) -> Law:
            """The selected law."""

        def intervals(self, table: pd.DataFrame) -> pd.DataFrame:
            """Predictions with intervals."""

        def with_region(self, law: Law) -> Law:
            """The law, which knows where it was fitted."""

        def _bands_of(
            self, columns: Mapping[str, Floats], group: Sequence[str] | None
        ) -> Bands: ...
        def _columns(self, table: pd.DataFrame) -> dict[str, Floats]: ...
        def _without_undefined(self, columns: dict[str, Floats]) -> dict[str, Floats]: ...
        def _groups_of(self, table: pd.DataFrame) -> list[str] | None: ...

    def beside(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table and, beside it, predictions with 95 % intervals.

        Columns that are added: ``predicted``; ``predicted_low``, ``predicted_high`` (the mean);
        ``predicted_trial_low``, ``predicted_trial_high`` (one more trial); ``predicted_outside``,
        ``predicted_distance`` as in `intervals`. Parameters and errors as in `predict`.

        Raises
        ------
        UserError
            also if the table has a column of such a name.
        """
        return beside(table, self.intervals(table), self.target)

    def gain(self, points: pd.DataFrame | Mapping[str, object]) -> pd.DataFrame:
        """What training together adds to the target, against the main task alone, with intervals.

        Columns: ``gain``; ``law_low``, ``law_high`` (its mean); ``run_low``, ``run_high`` (one
        trial together minus one alone); ``outside``, ``distance`` as in `intervals`. Where less of
        the target is better, a gain is a fall.

        Parameters
        ----------
        points : as in `predict` (the function), with a column of the number of tasks.

        Raises
        ------
        UserError
            if no factor counts tasks, as in a table without rows of one task; else as in `predict`.

        Examples
        --------
        >>> laws.gain({"n": 500, "T": 4, "ami": 0.6})[["gain", "law_low", "law_high"]].round(2)
           gain  law_low  law_high
        0  0.15     0.14      0.15
        """
        roles = self.data.roles
        if roles is None or not roles.tasks:
            expected = "laws of a table in which a factor counts tasks, with rows of one task"
            raise UserError("laws", expected, ", ".join(self.factors))
        table = as_table(points)
        self._refuse_points(table)
        together = self._columns(table)
        alone = {**together, roles.tasks: np.ones(len(table))}
        if roles.relatedness:
            alone[roles.relatedness] = np.full(len(table), np.nan)
        sides = (alone, together) if self.data.lower_is_better else (together, alone)
        bands = self.with_region(self.law).change(*sides, self._groups_of(table))
        return bands_frame(bands, "gain", table.index)

    def solve(self, factor: str, target: float, at: Mapping[str, object] | None = None) -> Solved:
        """The values of a factor at which the selected law reaches a target.

        Parameters
        ----------
        target : the value to reach.
        at : values of the other factors, and the group where the law has constants by group.

        Returns
        -------
        Every solution with its 95 % interval, those outside the domain too. ``solved.reachable``
        says whether one lies in the domain, ``solved.table()`` shows them.

        Raises
        ------
        UserError
            if the law does not use the factor or its domain is not known, if the target is not
            within the bounds, or a factor is missing, undefined, impossible or unknown.

        Examples
        --------
        >>> laws.solve("n", 0.6, {"T": 4, "ami": 0.6}).table().round(0)
               n    low   high  inside
        0  330.0  317.0  344.0    True
        """
        used = [name for name in self.factors if self.law.uses(name)]
        if factor not in used:
            raise UserError("solve", nearest(factor, used, "a factor of the law"), factor)
        domain = {**self.data.ranges, **self.data.domain}
        if factor not in domain:
            raise UserError("solve", "a factor whose domain laws.json records", factor)
        bounds = self.data.bounds or (None, None)
        low, high = (-np.inf if bounds[0] is None else bounds[0]), bounds[1]
        if not low <= target <= (np.inf if high is None else high):
            ends = " to ".join("any" if end is None else f"{end:g}" for end in bounds)
            raise UserError("goal", f"a value within the bounds of {self.target}, {ends}", target)
        others = {name: value for name, value in (at or {}).items() if name != factor}
        middle = pd.DataFrame([{**others, factor: sum(domain[factor]) / 2}])
        limits = self.limits
        for _, name in self.impossible(middle):
            raise UserError(f"at.{name}", limits[name].text, float(self._columns(middle)[name][0]))
        for _, name in self.undefined(middle):
            raise MissingError(f"at.{name}", DEPENDS, None)
        given, group = self._columns(middle), self._groups_of(middle)

        def curve(values: Floats) -> tuple[Floats, Floats, Floats]:
            count = len(values)
            columns = {name: np.repeat(column, count) for name, column in given.items()}
            columns = self._without_undefined({**columns, factor: values})
            bands = self._bands_of(columns, None if group is None else group * count)
            nowhere = np.full(count, np.nan)
            return bands.mean, *((nowhere, nowhere) if bands.law is None else bands.law)

        axis = axis_of(domain[factor], limits.get(factor, Limits()))
        return Search(factor=factor, axis=axis, curve=curve, target=float(target)).run()

    @property
    def limits(self) -> dict[str, Limits]:
        """Factor -> what it can be at all; a factor that can be anything is left out."""
        stored = self.law.uncertainty
        return limits_of(self.data, None if stored is None else stored.region)

    def impossible(self, table: pd.DataFrame) -> list[tuple[int, str]]:
        """Places (row, factor) where a value is impossible, such as an AMI above 1.

        Parameters and errors as in `predict`.
        """
        return beyond(self._columns(table), self.limits)

    def undefined(self, table: pd.DataFrame) -> list[tuple[int, str]]:
        """Places (row, factor) where a value is missing on which the law depends.

        A valid law does not depend on a factor where that is undefined, so what remains are values
        that somebody forgot. Parameters and errors as in `predict`.
        """
        law, columns, group = self.law, self._columns(table), self._groups_of(table)
        places: list[tuple[int, str]] = []
        middle = {name: sum(ends) / 2 for name, ends in self.data.domain.items()}
        filled = {
            name: np.where(np.isnan(column), middle.get(name, 0.5), column)
            for name, column in columns.items()
        }
        for name, column in columns.items():
            if not law.uses(name) or not np.isnan(column).any():
                continue
            ends = self.data.domain.get(name, (0.0, 1.0))
            low, high = (
                law.predict({**filled, name: np.where(np.isnan(column), end, column)}, group)
                for end in ends
            )
            differs = ~np.isclose(low, high, rtol=1e-9, atol=0.0, equal_nan=True)
            places += [(int(row), name) for row in np.flatnonzero(differs)]
        return sorted(places)

    def _refuse_points(self, table: pd.DataFrame) -> None:
        """Refuse a table with a value that is impossible, or missing where the law depends on it.

        Raises
        ------
        UserError
            naming the first such row and column; else as in `predict`.
        """
        self._refuse_impossible(table)
        for row, factor in self.undefined(table):
            raise MissingError(self._place(table, row, factor), DEPENDS, None)

    def _refuse_impossible(self, table: pd.DataFrame) -> None:
        for row, factor in self.impossible(table):
            value = float(self._columns(table)[factor][row])
            raise UserError(self._place(table, row, factor), self.limits[factor].text, value)

    def _place(self, table: pd.DataFrame, row: int, factor: str) -> str:
        """Where a value stands, by the line of its file if that is known."""
        lines = table.attrs.get(LINES)
        where = f"line {lines[row]}" if lines else f"row {row + 1}"
        own = self.data.columns.get(factor, factor)
        column = own if own in table and factor not in table else factor
        return f"table, {where}, column {column}"

    def outside(self, table: pd.DataFrame) -> list[Outside]:
        """For every row, by how much it lies outside the fitted region; parameters as in `predict`.

        Examples
        --------
        >>> (far,) = laws.outside(pd.DataFrame({"n": [16000], "T": [1]}))
        >>> [(one.factor, one.limit, one.multiple) for one in far.factors]
        [('n', 4000.0, 4.0)]
        """
        self._refuse_impossible(table)
        law, columns = self.with_region(self.law), self._columns(table)
        group = self._groups_of(table)
        regions = {level: law.for_group(level).uncertainty for level in set(group or ())}
        return [
            outside(
                (law.uncertainty if group is None else regions[group[row]]) or Uncertainty(),
                {name: column for name, column in columns.items() if law.uses(name)},
                row,
            )
            for row in range(len(table))
        ]
