"""Tables of a report, the same for every output: headers, rows, and cells that may be formulas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Formula:
    """A cell that is typeset; ``exact`` keeps every digit of the constants."""

    expression: str
    exact: bool = False


@dataclass(frozen=True)
class Code:
    """A cell that is printed as it is, to be copied."""

    text: str


Cell: TypeAlias = str | Formula | Code


@dataclass(frozen=True)
class Row:
    """Cells of one row; the first is its header. ``key`` links it to a mark in a figure."""

    cells: tuple[Cell, ...]
    key: str = ""
    emphasis: str = ""


@dataclass(frozen=True)
class Grid:
    """A table.

    Parameters
    ----------
    caption : what the rows are.
    headers : one per column.
    rows : equal lengths.
    numeric : places of the columns that are numbers and set flush right.
    """

    caption: str
    headers: tuple[str, ...]
    rows: tuple[Row, ...]
    numeric: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.rows)


def grid(
    caption: str, headers: Sequence[str], rows: Sequence[Row], numeric: Sequence[int] = ()
) -> Grid:
    """A `Grid`, with columns that are empty in every row left out."""
    kept = [
        place
        for place in range(len(headers))
        if place == 0 or any(row.cells[place] not in ("", "–") for row in rows)
    ]
    return Grid(
        caption,
        tuple(headers[place] for place in kept),
        tuple(Row(tuple(row.cells[p] for p in kept), row.key, row.emphasis) for row in rows),
        frozenset(kept.index(place) for place in numeric if place in kept),
    )
