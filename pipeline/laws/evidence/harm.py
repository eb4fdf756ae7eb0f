"""Harm: whether and where the law predicts less for training together than for T = 1.

The law is evaluated over the fitted ranges (never beyond) at every fitted level of the count T
above 1, and compared with its own value at T = 1, all other factors equal. The relatedness is
undefined there, and a valid law does not depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

from pipeline.laws.factors import find_roles
from pipeline.laws.law import Law
from pipeline.laws.rows import Rows, number_cells
from pipeline.symbolic.kinds import is_size, value_range
from pipeline.symbolic.tree import Floats, Mask


@dataclass(frozen=True, kw_only=True)
class Harm:
    """Change of the law from T = 1 over the fitted ranges.

    Attributes
    ----------
    count, share : names of the count (T) and of the relatedness; no relatedness is "".
    lowest, highest : extreme changes; `at` is where the lowest is.
    lowered : fraction of the grid on which the law lies below its value at T = 1.
    always_below, never_from : lowered everywhere where the relatedness is at most the one, nowhere
        where it is at least the other; None where there is no such value.
    surely : fraction of the grid on which the 95 % band of the change lies below 0; None without
        one.
    cells, below, clearly : measured cells with T > 1 that have single-task rows alike in all else;
        those below these; those below by more than twice the standard error of the difference,
        None without replicates.
    """

    count: str
    share: str
    lowest: float
    highest: float
    at: Mapping[str, float]
    lowered: float
    always_below: float | None
    never_from: float | None
    surely: float | None
    cells: int
    below: int
    clearly: int | None

    def to_json(self) -> dict[str, Any]:
        """The record of ``laws.json``."""
        return asdict(self)


def harm(law: Law, data: Rows) -> Harm | None:
    """The law against itself at T = 1; None where table or law has no such count or no T = 1."""
    roles = find_roles(data.columns)
    count, share = roles.tasks, roles.relatedness
    if not count or not law.uses(count) or not np.any(data.columns[count] == 1.0):
        return None
    points = _points(data, count, share)
    single = {**points, count: np.ones_like(points[count])}
    if share:
        single[share] = np.full_like(points[count], np.mean(data.domains[share]))
    change = law.predict(points) - law.predict(single)
    if not np.isfinite(change).all():
        return None
    small = data.rules.evidence.no_change * float(np.ptp(data.target))
    lowered, worst = change < -small, int(np.argmin(change))
    band = law.change(points, single).law
    surely = None
    if band is not None and np.isfinite(band).all():
        surely = float(np.mean(band[1] < -small))
    below, never = _thresholds(points[share], lowered) if share else (None, None)
    cells, lower, clearly = _measured(data, count, share)
    return Harm(
        count=count,
        share=share,
        lowest=float(change.min()),
        highest=float(change.max()),
        at={name: float(column[worst]) for name, column in points.items()},
        lowered=float(lowered.mean()),
        always_below=below,
        never_from=never,
        surely=surely,
        cells=cells,
        below=lower,
        clearly=clearly,
    )


def _measured(data: Rows, count: str, share: str) -> tuple[int, int, int | None]:
    """Cells with T > 1 that have a single-task one, those below it, and those clearly below."""
    others = {n: c for n, c in data.columns.items() if n not in (count, share)}
    group = number_cells(others) if others else np.zeros(len(data), dtype=np.int64)
    alone = data.columns[count] == 1.0
    size = np.bincount(group[alone], data.weights[alone], minlength=int(group.max()) + 1)
    total = np.bincount(group[alone], (data.weights * data.target)[alone], minlength=len(size))
    cells, below, clearly, variance = 0, 0, 0, data.replicate_variance
    for cell in np.unique(data.cell[~alone]):
        rows = np.flatnonzero((data.cell == cell) & ~alone)
        single = size[group[rows[0]]]
        if single > 0:
            mean = float(np.average(data.target[rows], weights=data.weights[rows]))
            change = mean - total[group[rows[0]]] / single
            noise = (variance or 0.0) * (1 / data.weights[rows].sum() + 1 / single)
            cells, below = cells + 1, below + int(change < 0)
            clearly += int(change < -data.rules.evidence.clear_harm * np.sqrt(noise))
    return cells, below, None if variance is None else clearly


def _points(data: Rows, count: str, share: str) -> dict[str, Floats]:
    """A grid over the fitted ranges, T at its levels above 1."""
    rules = data.rules.evidence
    levels = np.unique(data.columns[count])
    levels = levels[levels > 1]
    if len(levels) > rules.counts:
        levels = levels[np.linspace(0, len(levels) - 1, rules.counts).round().astype(int)]
    axes = {}
    for name, column in data.columns.items():
        even = np.geomspace if is_size(column) else np.linspace
        axes[name] = even(*value_range(column), rules.fractions if name == share else rules.values)
    axes[count] = levels
    grid = np.array(list(product(*axes.values())))
    return {name: grid[:, i] for i, name in enumerate(axes)}


def _thresholds(share: Floats, lowered: Mask) -> tuple[float | None, float | None]:
    """Up to which relatedness every point is lowered, and from which on none is."""
    values = np.unique(share)
    every = np.array([lowered[share == v].all() for v in values])
    some = np.array([lowered[share == v].any() for v in values])
    first = int(np.argmin(every)) if not every.all() else len(values)
    last = int(np.flatnonzero(some)[-1]) if some.any() else -1
    below = float(values[first - 1]) if first else None
    never = float(values[last + 1]) if last + 1 < len(values) else None
    return below, never
