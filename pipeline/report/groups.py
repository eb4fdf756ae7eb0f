"""Laws with constants by group: their groups over a table, and their table of constants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mtl_laws.pipeline.laws.law import Constant, Interval, Law
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.report.grid import Grid, Row, grid
from mtl_laws.pipeline.report.surface import Surface
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.typeset import formula_text
from mtl_laws.pipeline.symbolic.typeset.numbers import MISSING, interval, number

#: name of the column of levels in the analysed rows
LEVEL = "group"


@dataclass(frozen=True)
class Grouped:
    """A law over rows of several groups.

    Attributes
    ----------
    column : what the groups are levels of.
    levels : names of the groups.
    surface : the law over all rows, each with the constants of its own group.
    """

    column: str
    levels: tuple[str, ...]
    surface: Surface

    def of(self, level: str) -> Surface:
        """The law of one group over its own rows; fitted ranges are its own, too."""
        whole = self.surface
        mine = np.asarray(whole.group, dtype=object) == level
        return replace(
            whole,
            law=whole.law.for_group(level),
            table=whole.table[mine].reset_index(drop=True),
            data=whole.data.model_copy(update={"ranges": {}}),
            group=None,
        )

    @property
    def first(self) -> str:
        """The first group that has rows."""
        known = set(self.surface.group or ())
        return next(level for level in self.levels if level in known)

    def surfaces(self) -> Iterator[tuple[str, Surface]]:
        """Every group that has rows, with the law of that group over them."""
        known = set(self.surface.group or ())
        yield from ((level, self.of(level)) for level in self.levels if level in known)


def grouped(laws: LawSet, table: pd.DataFrame) -> Grouped | None:
    """The selected law over the groups of a table; None without a law or without groups.

    Raises
    ------
    UserError
        if the table has no column of groups.
    """
    law, groups = laws.selected, laws.groups
    if law is None or groups is None:
        return None
    own = LEVEL in table
    levels = [str(level) for level in table[LEVEL]] if own else groups.of_rows(table)
    surface = Surface(law, laws.target, table, laws.data, levels)
    return Grouped(groups.column, groups.levels, surface)


def group_constants_grid(law: Law, caption: str) -> Grid:
    """One row of shared constants, then one row per group; an interval stands behind each value."""
    names = Expression.parse(law.template, law.factors).constants
    intervals = law.group_intervals or {}
    rows = [_row("shared by all", law.constants, names)] if law.shared else []
    for level, values in (law.group_constants or {}).items():
        told = intervals.get(level, {})
        constants = {name: _constant(value, told.get(name)) for name, value in values.items()}
        rows.append(_row(level, constants, names))
    headers = ("group", *(f"{formula_text(name)} (95 %)" for name in names), "why no interval")
    return grid(caption, headers, rows, numeric=range(1, len(names) + 1))


def _constant(value: float, told: Interval | None) -> Constant:
    if told is None:
        return Constant(value=value)
    return Constant(value=value, se=told.se, ci95=told.ci95, reason=told.reason)


def _row(head: str, constants: Mapping[str, Constant], names: Sequence[str]) -> Row:
    cells = [_value(constants[name]) if name in constants else MISSING for name in names]
    gaps: dict[str, list[str]] = {}
    for name in names:
        if name in constants and constants[name].ci95 is None:
            gaps.setdefault(constants[name].reason, []).append(formula_text(name))
    why = "; ".join(f"{', '.join(of)}: {text or 'none was computed'}" for text, of in gaps.items())
    return Row((head, *cells, why))


def _value(constant: Constant) -> str:
    value = number(constant.value, 4)
    return value if constant.ci95 is None else f"{value} ({interval(constant.ci95, 3)})"
