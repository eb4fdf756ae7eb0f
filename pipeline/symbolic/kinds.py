"""What kind of quantity a factor is: a size, a count, an amount, a fraction, or anything else.

Kinds depend on values only, never on names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mtl_laws.pipeline.symbolic.tree import Floats


@dataclass(frozen=True, kw_only=True)
class KindRules:
    """Thresholds that separate sizes in large units from fractions, and counts from sizes.

    Attributes
    ----------
    tiny : positive values that all lie below this are a size, …
    half, ratio : … or below the one while they span more than the other, …
    wide : … or span more than this with levels evenly spaced in their logarithm.
    few : whole numbers count something if the smallest of them is no larger.
    whole : how far the sum of a mixture's fractions may lie from 1.
    """

    tiny: float = 0.05
    half: float = 0.5
    ratio: float = 5.0
    wide: float = 20.0
    few: int = 3
    whole: float = 0.01


RULES = KindRules()


@dataclass(frozen=True)
class Kinds:
    """Factor names by kind, in the table's order.

    Attributes
    ----------
    sizes : positive and not a fraction: tokens, tasks, parameters.
    counts : the sizes in whole numbers of which the smallest is 1 to `KindRules.few`.
    amounts : what may be none at all, and more than 1: auxiliary tokens, auxiliary tasks.
    fractions : within [0, 1]: AMI, noise, overlap.
    others : the rest.
    mixture : the fractions that sum to one in every row.
    """

    sizes: tuple[str, ...]
    counts: tuple[str, ...]
    amounts: tuple[str, ...]
    fractions: tuple[str, ...]
    others: tuple[str, ...]
    mixture: tuple[str, ...] = ()

    @property
    def measured(self) -> tuple[str, ...]:
        """Sizes in a unit that might be another one: those that are no counts."""
        return tuple(name for name in self.sizes if name not in self.counts)


def value_range(column: Floats) -> tuple[float, float]:
    """Lowest and highest known value; (0, 1) where none is known."""
    values = column[np.isfinite(column)]
    return (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)


def is_fraction(column: Floats) -> bool:
    """Whether all values lie in [0, 1] and they are not merely a size in a large unit."""
    low, high = value_range(column)
    if low < 0.0 or high > 1.0:
        return False
    return low == 0.0 or not _size_in_large_unit(column, low, high)


def _size_in_large_unit(column: Floats, low: float, high: float) -> bool:
    ratio = high / low
    if high < RULES.tiny or (high < RULES.half and ratio > RULES.ratio):
        return True
    if high == 1.0 or ratio < RULES.wide:
        return False
    levels = np.unique(column[np.isfinite(column)])
    plain, logs = np.diff(levels), np.diff(np.log(levels))
    return len(levels) > 2 and bool(np.std(logs) / logs.mean() < np.std(plain) / plain.mean())


def is_size(column: Floats) -> bool:
    """Whether a factor is positive throughout and not a fraction."""
    return value_range(column)[0] > 0.0 and not is_fraction(column)


def is_count(column: Floats) -> bool:
    """Whether a factor is a size in whole numbers of which the smallest is 1 to `few`."""
    values = column[np.isfinite(column)]
    integers = bool(np.all(values == np.round(values)))
    return is_size(column) and integers and values.min() <= RULES.few


def is_amount(column: Floats) -> bool:
    """Whether a factor may be none at all, is never negative, and is not a fraction."""
    low, high = value_range(column)
    return low == 0.0 and high > 1.0


def classify(columns: Mapping[str, Floats]) -> Kinds:
    """The kind of every factor, by its values."""
    parts = mixture(columns)
    sizes = tuple(n for n, column in columns.items() if is_size(column) and n not in parts)
    counts = tuple(name for name in sizes if is_count(columns[name]))
    fractions = tuple(n for n, column in columns.items() if is_fraction(column) or n in parts)
    amounts = tuple(name for name, column in columns.items() if is_amount(column))
    others = tuple(name for name in columns if name not in (*sizes, *amounts, *fractions))
    return Kinds(sizes, counts, amounts, fractions, others, parts)


def mixture(columns: Mapping[str, Floats]) -> tuple[str, ...]:
    """The columns within [0, 1], if they sum to one in every row: parts of a whole."""
    parts = [n for n, c in columns.items() if len(c) and c.min() >= 0.0 and c.max() <= 1.0]
    if len(parts) < 2:
        return ()
    total = np.sum([columns[name] for name in parts], axis=0)
    return tuple(parts) if np.all(np.abs(total - 1.0) <= RULES.whole) else ()
