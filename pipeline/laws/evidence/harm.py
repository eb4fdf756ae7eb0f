"""Harm: whether and where the law predicts a worse target for training together than for T = 1.

The law is evaluated over the fitted ranges (never beyond) at every fitted level of the count T
above 1, and compared with its own value at T = 1, all other factors equal. The relatedness is
undefined there, and a valid law does not depend on it. All changes are gains: where less of the
target is better, as of a loss, their sign is turned. Measured gains are another matter (`pooled`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

from mtl_laws.pipeline.laws.evidence.pooled import PooledGain
from mtl_laws.pipeline.laws.factors import task_roles
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.symbolic.kinds import is_size, value_range
from mtl_laws.pipeline.symbolic.tree import Floats, Mask


@dataclass(frozen=True, kw_only=True)
class Harm:
    """Gain of the law over its value at T = 1, over the fitted ranges.

    Attributes
    ----------
    count, share : names of the count (T) and of the relatedness; no relatedness is "".
    lowest, highest : extreme gains; `at` is where the lowest is.
    lowered : fraction of the grid on which the gain is below 0: on which the law predicts harm.
    always_below, never_from : harm everywhere where the relatedness is at most the one, nowhere
        where it is at least the other; None where there is no such value.
    surely : fraction of the grid on which the 95 % band of the gain lies below 0; None without
        one.
    cells, below, clearly : paired cells, those of a measured gain below 0, and those below it by
        more than twice their own standard error, None without replicates.
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


def harm(law: Law, data: Rows, lower: bool = False, gains: PooledGain | None = None) -> Harm | None:
    """The law against itself at T = 1; None where table or law has no T of tasks or no T = 1.

    Parameters
    ----------
    lower : whether a lower target is better.
    gains : the paired cells, for their counts.
    """
    roles = task_roles(data.columns)
    count, relatedness = roles.tasks, roles.relatedness
    if not count or not law.uses(count):
        return None
    points = _points(data, count, relatedness)
    single = {**points, count: np.ones_like(points[count])}
    if relatedness:
        single[relatedness] = np.full_like(points[count], np.mean(data.domains[relatedness]))
    sign = -1.0 if lower else 1.0
    change = sign * (law.predict(points) - law.predict(single))
    if not np.isfinite(change).all():
        return None
    small = data.rules.evidence.no_change * float(np.ptp(data.target))
    harm_mask, worst = change < -small, int(np.argmin(change))
    band = law.change(points, single).law
    surely = None
    if band is not None and np.isfinite(band).all():
        surely = float(np.mean((-band[0] if lower else band[1]) < -small))
    below, never = _thresholds(points[relatedness], harm_mask) if relatedness else (None, None)
    return Harm(
        count=count,
        share=relatedness,
        lowest=_without_rounding_error(float(change.min()), small),
        highest=_without_rounding_error(float(change.max()), small),
        at={name: float(column[worst]) for name, column in points.items()},
        lowered=float(harm_mask.mean()),
        always_below=below,
        never_from=never,
        surely=surely,
        cells=0 if gains is None else gains.measured,
        below=0 if gains is None else gains.below,
        clearly=None if gains is None else gains.clearly,
    )


def _without_rounding_error(change: float, small: float) -> float:
    """The change, or 0 where it is rounding error."""
    return 0.0 if abs(change) < 1e-6 * small else change


def _points(data: Rows, count: str, relatedness: str) -> dict[str, Floats]:
    """A grid over the fitted ranges, T at its levels above 1."""
    rules = data.rules.evidence
    levels = np.unique(data.columns[count])
    levels = levels[levels > 1]
    if len(levels) > rules.counts:
        levels = levels[np.linspace(0, len(levels) - 1, rules.counts).round().astype(int)]
    axes = {}
    for name, column in data.columns.items():
        spacing = np.geomspace if is_size(column) else np.linspace
        axes[name] = spacing(
            *value_range(column), rules.fractions if name == relatedness else rules.values
        )
    axes[count] = levels
    grid = np.array(list(product(*axes.values())))
    return {name: grid[:, i] for i, name in enumerate(axes)}


def _thresholds(relatedness: Floats, harm_mask: Mask) -> tuple[float | None, float | None]:
    """Relatedness up to which every point shows harm, and from which none does."""
    values = np.unique(relatedness)
    all_harmed = np.array([harm_mask[relatedness == v].all() for v in values])
    any_harmed = np.array([harm_mask[relatedness == v].any() for v in values])
    first = int(np.argmin(all_harmed)) if not all_harmed.all() else len(values)
    last = int(np.flatnonzero(any_harmed)[-1]) if any_harmed.any() else -1
    below = float(values[first - 1]) if first else None
    never = float(values[last + 1]) if last + 1 < len(values) else None
    return below, never
