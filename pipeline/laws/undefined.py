"""Made-up numbers where a factor is undefined: found, said, and treated as missing.

One task alone has no relatedness to anything, yet many tables carry a number there (the published
study's holds AMI = 1 in most of its single-task rows). Such a number is recognised by what the rows
say: at T = 1 it never varies, or the target does not move with it, while elsewhere it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.laws.data import Indices, number_cells
from pipeline.laws.expression import Floats
from pipeline.laws.kinds import classify

#: rows at one task, and levels elsewhere, below which nothing is said
MIN_ROWS, MIN_LEVELS = 3, 3
#: share of the variance left by the other factors that the number may explain and still be made up
SLACK = 0.05


@dataclass(frozen=True)
class MadeUp:
    """A share that holds a made-up number where a count is 1."""

    share: str
    count: str

    def sentence(self, rows: int) -> str:
        """What was done about it, for the report."""
        return (
            f"{self.share} is taken as undefined in the {rows} rows with {self.count} = 1: "
            f"the number written there never varies or does not move the target"
        )


def find_made_up(columns: Mapping[str, Floats], target: Floats) -> list[MadeUp]:
    """Shares that are made up where a count is 1, judged on these rows.

    Parameters
    ----------
    columns : factor name -> (N,).
    target : (N,).
    """
    kinds = classify(columns)
    pairs = [(share, count) for count in kinds.counts for share in kinds.shares]
    return [MadeUp(*pair) for pair in pairs if _made_up(*pair, columns, target)]


def mark_undefined(
    columns: Mapping[str, Floats], found: Sequence[MadeUp]
) -> tuple[dict[str, Floats], list[str]]:
    """Columns with made-up numbers as nan, and one sentence for each."""
    marked, notes = dict(columns), []
    for made_up in found:
        alone = (columns[made_up.count] == 1.0) & ~np.isnan(columns[made_up.share])
        marked[made_up.share] = np.where(alone, np.nan, marked[made_up.share])
        notes.append(made_up.sentence(int(alone.sum())))
    return marked, notes


def _made_up(share: str, count: str, columns: Mapping[str, Floats], target: Floats) -> bool:
    alone = (columns[count] == 1.0) & ~np.isnan(columns[share])
    elsewhere = ~alone & ~np.isnan(columns[share])
    if alone.sum() < MIN_ROWS or len(np.unique(columns[share][elsewhere])) < MIN_LEVELS:
        return False
    if len(np.unique(columns[share][alone])) == 1:
        return True
    others = {name: column for name, column in columns.items() if name != share}
    there = _explained(alone, share, others, columns, target)
    here = _explained(elsewhere, share, others, columns, target)
    return there is not None and here is not None and there < SLACK and here > 2 * SLACK


def _explained(
    rows: Floats,
    share: str,
    others: Mapping[str, Floats],
    columns: Mapping[str, Floats],
    target: Floats,
) -> float | None:
    """Adjusted share of variance within equal other factors that the number's levels explain.

    The slope within groups alone would miss a bent effect, so the number enters with its square.
    """
    group = number_cells({name: column[rows] for name, column in others.items()})
    y = _centred(target[rows], group)
    x = columns[share][rows]
    design = np.column_stack([_centred(x, group), _centred(x**2, group)])
    total, freedom = float(y @ y), len(y) - len(np.unique(group))
    if freedom < 4 or total <= 0 or np.linalg.matrix_rank(design) < 2:
        return None
    fitted = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    raw = 1.0 - float((y - fitted) @ (y - fitted)) / total
    return 1.0 - (1.0 - raw) * freedom / (freedom - 2)


def _centred(values: Floats, group: Indices) -> Floats:
    mean = np.bincount(group, values) / np.bincount(group)
    return np.asarray(values - mean[group])
