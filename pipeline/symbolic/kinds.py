"""What kind of quantity a factor is: a size, a count, an amount, a share, or anything else.

The grammar and the domains look at values, never at names, so that a factor may be called anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.symbolic.tree import Floats

#: a positive factor is a size in a small unit, not a share, if all of it lies below `TINY`, or
#: below `SMALL` while it spans this ratio
TINY, SMALL = 0.05, 0.3
SIZE_RATIO = 5.0
#: whole numbers count something if the smallest of them is no larger
FEW = 3


@dataclass(frozen=True)
class Kinds:
    """Factor names by kind, in the table's order.

    Attributes
    ----------
    sizes : positive and not a share: tokens, tasks, parameters.
    counts : the sizes in whole numbers of which the smallest is 1 to `FEW` (T = 1 is one task).
    amounts : what may be none at all, and more than 1: auxiliary tokens, auxiliary tasks.
    fractions : within [0, 1]: AMI, noise, overlap.
    others : the rest.
    """

    sizes: tuple[str, ...]
    counts: tuple[str, ...]
    amounts: tuple[str, ...]
    fractions: tuple[str, ...]
    others: tuple[str, ...]


def value_range(column: Floats) -> tuple[float, float]:
    """Lowest and highest known value; (0, 1) where none is known."""
    known = column[np.isfinite(column)]
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)


def is_fraction(column: Floats) -> bool:
    """Whether all values lie in [0, 1] and they are not merely a size in a small unit."""
    low, high = value_range(column)
    small_unit = low > 0 and (high < TINY or (high < SMALL and high / low > SIZE_RATIO))
    return low >= 0.0 and high <= 1.0 and not small_unit


def is_size(column: Floats) -> bool:
    """Whether a factor is positive throughout and not a share."""
    return value_range(column)[0] > 0.0 and not is_fraction(column)


def is_count(column: Floats) -> bool:
    """Whether a factor is a size in whole numbers of which the smallest is 1 to `FEW`."""
    known = column[np.isfinite(column)]
    return is_size(column) and bool(np.all(known == np.round(known))) and known.min() <= FEW


def is_amount(column: Floats) -> bool:
    """Whether a factor may be none at all, is never negative, and is not a share."""
    low, high = value_range(column)
    return low == 0.0 and high > 1.0


def classify(columns: Mapping[str, Floats]) -> Kinds:
    """The kind of every factor, by its values."""
    sizes = tuple(name for name, column in columns.items() if is_size(column))
    counts = tuple(name for name in sizes if is_count(columns[name]))
    fractions = tuple(name for name, column in columns.items() if is_fraction(column))
    amounts = tuple(name for name, column in columns.items() if is_amount(column))
    others = tuple(name for name in columns if name not in (*sizes, *amounts, *fractions))
    return Kinds(sizes, counts, amounts, fractions, others)
