"""Made-up numbers where a factor is undefined: found, said, and treated as missing.

One task alone has no relatedness to anything, yet many tables carry a number there (the published
study's holds AMI = 1 in most of its single-task rows). Such a number is recognised by what the rows
say: at T = 1 it never varies, or does not move the target as it does elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.laws.rows import Indices, number_cells
from pipeline.symbolic.kinds import classify
from pipeline.symbolic.tree import Floats, Mask

#: rows at one task, and levels elsewhere, below which nothing is said
MIN_ROWS, MIN_LEVELS = 3, 3
#: degrees of freedom within groups that say anything
MIN_FREEDOM = 4
#: F ratio from which the target moves with the share at all
SIGNIFICANT = 10.0
#: share of the effect elsewhere below which it is not there at one task
PRESENT = 0.5


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
    pairs = [(share, count) for count in kinds.counts for share in kinds.fractions]
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
    effect = _effect(elsewhere, share, columns, target)
    return effect is not None and _absent(effect, alone, share, columns, target)


def _within(
    rows: Mask, share: str, columns: Mapping[str, Floats], target: Floats
) -> tuple[Floats, Floats, int]:
    """Target (N,) and share with its square (N, 2) of some rows, less the mean of their group.

    Rows of a group have every other factor in common; also the number of groups.
    """
    others = {name: column[rows] for name, column in columns.items() if name != share}
    group = number_cells(others)
    x = columns[share][rows]
    design = np.column_stack([_centred(x, group), _centred(x**2, group)])
    return _centred(target[rows], group), design, len(np.unique(group))


def _effect(rows: Mask, share: str, columns: Mapping[str, Floats], target: Floats) -> Floats | None:
    """How the target moves with the share and its square (2,); None where it hardly does."""
    y, design, groups = _within(rows, share, columns, target)
    freedom = len(y) - groups - 2
    if freedom < MIN_FREEDOM or np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    effect: Floats = np.asarray(np.linalg.lstsq(design, y, rcond=None)[0], dtype=float)
    left, moved = float(np.sum((y - design @ effect) ** 2)), float(np.sum((design @ effect) ** 2))
    return effect if moved / 2 > SIGNIFICANT * left / freedom else None


def _absent(
    effect: Floats, rows: Mask, share: str, columns: Mapping[str, Floats], target: Floats
) -> bool:
    """Whether less than half of an effect is there, two standard errors considered."""
    y, design, groups = _within(rows, share, columns, target)
    expected = design @ effect
    strength, freedom = float(expected @ expected), len(y) - groups - 1
    if freedom < MIN_FREEDOM or strength <= 0:
        return False
    there = float(expected @ y) / strength
    error = np.sqrt(float(np.sum((y - there * expected) ** 2)) / freedom / strength)
    return bool(there + 2 * error < PRESENT)


def _centred(values: Floats, group: Indices) -> Floats:
    mean = np.bincount(group, values) / np.bincount(group)
    return np.asarray(values - mean[group])
