"""Numerals: columns of text read as numbers, each column as a whole.

Two conventions write numbers differently: ``1,000.5`` with a decimal point and ``1.000,5`` with a
decimal comma. A cell such as ``1,000`` is valid in both, and means 1000 in one and 1 in the other.
A column therefore has one convention. It is that in which every cell is a number. Where both are
possible, the other columns of the table decide; where they do not, the column is ambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "-"})
"""Cells, in lower case, that mean that there is no value."""

Mark = Literal[".", ","]
Kind = Literal["text", "number", "truth", "ambiguous"]

_BLANKS = "\u00a0\u2007\u2009\u202f '’"
"""Characters that separate thousands in either convention."""

_SPECIAL = re.compile(r"[+-]?(?:inf|infinity)", re.IGNORECASE)


def _pattern(mark: Mark) -> re.Pattern[str]:
    """Numerals with this decimal mark; groups of thousands have one separator throughout."""
    other = "," if mark == "." else r"\."
    thousands = (
        rf"[1-9]\d{{0,2}}(?P<separator>[{_BLANKS}]|{other})\d{{3}}(?:(?P=separator)\d{{3}})*"
    )
    decimal = re.escape(mark)
    return re.compile(
        rf"[+-]?(?=\d|{decimal}\d)(?:{thousands}|\d*)(?:{decimal}\d*)?(?:[eE][+-]?\d+)?", re.ASCII
    )


_PATTERNS: dict[Mark, re.Pattern[str]] = {mark: _pattern(mark) for mark in (".", ",")}


@dataclass(frozen=True)
class Reading:
    """How a column of text is read.

    Attributes
    ----------
    values : the column: numbers where every present cell is one, else text; missing cells are null.
    kind : ``text``, ``number``, ``truth`` (true and false as 1 and 0) or ``ambiguous``.
    mark : decimal mark of the numbers.
    thousands : whether a cell has separators of thousands.
    percent : whether the numbers are followed by percent signs, which are dropped.
    example : of an ambiguous column, a cell that two conventions read differently.
    """

    values: pd.Series[float] | pd.Series[str]
    kind: Kind = "text"
    mark: Mark = "."
    thousands: bool = False
    percent: bool = False
    example: str = ""


@dataclass(frozen=True)
class _Column:
    """The present cells of a column, without blanks and percent signs."""

    cells: Sequence[str | None]
    percent: bool

    def numbers(self, mark: Mark) -> dict[str, str] | None:
        """Every distinct cell as Python writes it; None where one is no numeral."""
        plain: dict[str, str] = {}
        for cell in {cell for cell in self.cells if cell is not None}:
            match = _PATTERNS[mark].fullmatch(cell)
            if match is None and not _SPECIAL.fullmatch(cell):
                return None
            separator = match["separator"] if match else None
            text = cell.replace(separator, "") if separator else cell
            plain[cell] = text.replace(mark, ".")
        return plain

    def possible(self) -> dict[Mark, dict[str, str]]:
        """The conventions in which every cell is a number; the point first."""
        readings = {mark: self.numbers(mark) for mark in _PATTERNS}
        return {mark: plain for mark, plain in readings.items() if plain is not None}


def read_columns(columns: Mapping[str, Sequence[str]], separator: str = "") -> dict[str, Reading]:
    """Return how each column of text is read.

    Parameters
    ----------
    columns : name -> cells.
    separator : of the file, where it has one. Files with semicolons often have decimal commas, so
        there ``1.000`` alone is ambiguous; elsewhere it has a decimal point.
    """
    prepared = {name: _prepared(cells) for name, cells in columns.items()}
    possible = {name: column.possible() for name, column in prepared.items()}
    certain = {next(iter(marks)) for marks in possible.values() if len(marks) == 1}
    return {
        name: _truths(column) or _reading(column, possible[name], certain, separator)
        for name, column in prepared.items()
    }


def _prepared(cells: Sequence[str]) -> _Column:
    stripped = [cell.strip() for cell in cells]
    present = [None if cell.lower() in MISSING else cell.replace("−", "-") for cell in stripped]
    percent = any(present) and all(cell is None or cell.endswith("%") for cell in present)
    if percent:
        present = [None if cell is None else cell[:-1].rstrip() for cell in present]
    return _Column(present, percent)


def _truths(column: _Column) -> Reading | None:
    """The column as 1 and 0 where every cell is true or false."""
    words = {cell.lower() for cell in column.cells if cell is not None}
    if not words or not words <= {"true", "false"}:
        return None
    values = [None if cell is None else float(cell.lower() == "true") for cell in column.cells]
    return Reading(pd.Series(values, dtype="float64"), "truth")


def _reading(
    column: _Column, possible: Mapping[Mark, dict[str, str]], certain: set[Mark], separator: str
) -> Reading:
    text = pd.Series(list(column.cells), dtype="object")
    if not possible:
        suffix = "%" if column.percent else ""
        return Reading(text + suffix if suffix else text)
    marks = list(possible)
    if len(marks) == 2:
        example = _difference(possible)
        if not example:
            marks = marks[:1]
        elif len(certain) == 1:
            marks = list(certain)
        elif "," not in example and separator != ";":
            marks = marks[:1]
        else:
            return Reading(text, "ambiguous", example=example)
    plain = possible[marks[0]]
    values = pd.Series([None if cell is None else plain[cell] for cell in column.cells])
    numbers = pd.to_numeric(values.astype("object"), errors="coerce")
    thousands = any(len(number) < len(cell) for cell, number in plain.items())
    return Reading(numbers, "number", marks[0], thousands, column.percent)


def _difference(possible: Mapping[Mark, Mapping[str, str]]) -> str:
    """A cell that the two conventions read differently; empty where there is none."""
    point, comma = possible["."], possible[","]
    unlike = (cell for cell in point if float(point[cell]) != float(comma[cell]))
    return min(unlike, default="")


def both_readings(cell: str) -> tuple[float, float]:
    """Return an ambiguous cell as a number with a decimal point and with a decimal comma."""
    column = _Column([cell], percent=False)
    point, comma = column.numbers("."), column.numbers(",")
    if point is None or comma is None:
        raise ValueError(f"{cell!r} is not a number in both conventions")
    return float(point[cell]), float(comma[cell])
