"""Does the law ever say that training together does harm, and where: its change from T = 1.

The law is evaluated over the fitted ranges (never beyond) at every fitted level of the count T
above 1, and set against its own value at T = 1 with all other factors equal, the relatedness there
being undefined: the mean over its domain, as everywhere.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from pipeline.laws.candidates import find_roles
from pipeline.laws.law import Law
from pipeline.laws.rows import STANDINS, Rows, number_cells
from pipeline.symbolic.kinds import is_size, value_range
from pipeline.symbolic.tree import Floats

#: values of the relatedness, of any other factor, and levels of T at most
SHARES, VALUES, LEVELS = 41, 6, 8
#: a change smaller than this share of the target's range is none
FLAT = 1e-3


@dataclass(frozen=True)
class Transfer:
    """Change of the law from T = 1 over the fitted ranges.

    Attributes
    ----------
    count, share : names of the count (T) and of the relatedness; no relatedness is "".
    lowest, highest : extreme changes; `at` is where the lowest is.
    lowered : share of the grid on which the law lies below its value at T = 1.
    always_below, never_from : lowered everywhere where the relatedness is at most the one, nowhere
        where it is at least the other; None where there is no such value.
    surely : share of the grid on which the 95 % band of the change lies below 0; None without one.
    cells, below, clearly : measured cells with T > 1 that have single-task rows alike in all else;
        those below these; those by more than twice the standard error of the difference, None
        without replicates.
    """

    count: str
    share: str
    lowest: float
    highest: float
    at: dict[str, float]
    lowered: float
    always_below: float | None
    never_from: float | None
    surely: float | None = None
    cells: int = 0
    below: int = 0
    clearly: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The record of `laws.json`."""
        return asdict(self)


def transfer(law: Law, data: Rows) -> Transfer | None:
    """The law against itself at T = 1; None where table or law has no such count or no T = 1."""
    roles = find_roles(data)
    count, share = roles["T"], roles["s"]
    if not count or not law.uses(count) or not np.any(data.columns[count] == 1.0):
        return None
    points = _points(data, count, share)
    change = law.predict(points) - _alone(law, points, data, count, share)
    if not np.isfinite(change).all():
        return None
    tiny = FLAT * float(np.ptp(data.target))
    lowered = change < -tiny
    worst = int(np.argmin(change))
    below, never = _thresholds(points[share], lowered) if share else (None, None)
    at = {name: float(column[worst]) for name, column in points.items()}
    found = Transfer(
        count,
        share,
        float(change.min()),
        float(change.max()),
        at,
        float(lowered.mean()),
        below,
        never,
        _surely(law, points, count, share, tiny),
    )
    cells, lower, clearly = _measured(data, count, share)
    return replace(found, cells=cells, below=lower, clearly=clearly)


def _surely(
    law: Law, points: dict[str, Floats], count: str, share: str, tiny: float
) -> float | None:
    """Share of the grid where the band of the law's change from T = 1 lies below 0."""
    single = {**points, count: np.ones_like(points[count])}
    if share:
        single[share] = np.full_like(points[count], np.nan)
    band = law.change(points, single).law
    if band is None or not np.isfinite(band).all():
        return None
    return float(np.mean(band[1] < -tiny))


def _measured(data: Rows, count: str, share: str) -> tuple[int, int, int | None]:
    """How many cells with T > 1 have a single-task one, are below it, and clearly so."""
    others = {n: c for n, c in data.columns.items() if n not in (count, share)}
    group = number_cells(others) if others else np.zeros(len(data), dtype=np.int64)
    alone = data.columns[count] == 1.0
    size = np.bincount(group[alone], data.weights[alone], minlength=int(group.max()) + 1)
    total = np.bincount(group[alone], (data.weights * data.target)[alone], minlength=len(size))
    found, below, clearly, variance = 0, 0, 0, data.replicate_variance
    for cell in np.unique(data.cell[~alone]):
        rows = np.flatnonzero((data.cell == cell) & ~alone)
        single = size[group[rows[0]]]
        if single > 0:
            mean = float(np.average(data.target[rows], weights=data.weights[rows]))
            change = mean - total[group[rows[0]]] / single
            noise = (variance or 0.0) * (1 / data.weights[rows].sum() + 1 / single)
            found, below = found + 1, below + int(change < 0)
            clearly += int(change < -2 * np.sqrt(noise))
    return found, below, None if variance is None else clearly


def _points(data: Rows, count: str, share: str) -> dict[str, Floats]:
    levels = np.unique(data.columns[count])
    levels = levels[levels > 1]
    if len(levels) > LEVELS:
        levels = levels[np.linspace(0, len(levels) - 1, LEVELS).round().astype(int)]
    axes = {name: _axis(column, VALUES) for name, column in data.columns.items()}
    axes[count] = levels
    if share:
        axes[share] = _axis(data.columns[share], SHARES)
    grid = np.array(list(product(*axes.values())))
    return {name: grid[:, i] for i, name in enumerate(axes)}


def _axis(column: Floats, count: int) -> Floats:
    low, high = value_range(column)
    return np.geomspace(low, high, count) if is_size(column) else np.linspace(low, high, count)


def _alone(law: Law, points: dict[str, Floats], data: Rows, count: str, share: str) -> Floats:
    """The law at T = 1; the mean over the relatedness' domain."""
    single = {**points, count: np.ones_like(points[count])}
    if not share:
        return law.predict(single)
    values = np.linspace(*data.domains[share], STANDINS)
    each = [law.predict({**single, share: np.full_like(points[count], v)}) for v in values]
    return np.asarray(np.mean(each, axis=0))


def _thresholds(share: Floats, lowered: np.ndarray) -> tuple[float | None, float | None]:
    """Up to which relatedness every point is lowered, and from which on none is."""
    values = np.unique(share)
    every = np.array([lowered[share == v].all() for v in values])
    some = np.array([lowered[share == v].any() for v in values])
    first_kept = int(np.argmin(every)) if not every.all() else len(values)
    last_hit = int(np.flatnonzero(some)[-1]) if some.any() else -1
    below = float(values[first_kept - 1]) if first_kept else None
    never = float(values[last_hit + 1]) if last_hit + 1 < len(values) else None
    return below, never
