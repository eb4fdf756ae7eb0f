"""The law beside its own value for one task: gains, and the single-task data worth as much.

Notation
--------
S : sizes (training tokens, or whatever the factor of size is called).
R : values of the relatedness.
alone : the law for one task, its mean over the domain of the relatedness (undefined there).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from mtl_laws.pipeline.laws.levels import Floats
from mtl_laws.pipeline.laws.record import Roles
from mtl_laws.pipeline.report.surface import SPREAD, Surface

Gap: TypeAlias = Literal["no_value", "below", "above", "several"]

#: a gain smaller than this fraction of the target's range is none
FLAT = 1e-9
#: how far beyond the fitted sizes the law for one task is followed, as a factor; and in S steps
REACH, STEPS = 10.0, 600


def gain_over_single(
    surface: Surface, roles: Roles, sizes: Floats, relatedness: Floats, tasks: float
) -> Floats:
    """Predicted gain (R, S) of `tasks` over one task; other factors at their middle.

    Its sign is turned where a lower target is better.
    """
    size, related = (axis.ravel() for axis in np.meshgrid(sizes, relatedness))
    points = {name: np.full(len(size), value) for name, value in surface.reference.items()}
    points |= {roles.size: size, roles.relatedness: related}
    together = surface.at({**points, roles.tasks: np.full(len(size), tasks)})
    together = together.reshape(len(relatedness), len(sizes))
    gain = surface.sign * (together - alone(surface, roles, sizes)[None, :])
    gain[np.abs(gain) < FLAT * surface.scale] = 0.0
    return np.where(np.isfinite(gain), gain, np.nan)


def alone(surface: Surface, roles: Roles, sizes: Floats) -> Floats:
    """The law for one task (S,)."""
    lines = [
        surface.along(
            roles.size,
            sizes,
            {roles.tasks: 1.0, roles.relatedness: surface.point_of_domain(roles.relatedness, part)},
        )
        for part in SPREAD
    ]
    return np.asarray(np.mean(lines, axis=0))


def followed_sizes(surface: Surface, roles: Roles) -> Floats:
    """The sizes (S,) at which one task is compared with several."""
    low, high = surface.fitted_range(roles.size)
    return np.geomspace(low / REACH, high * REACH, STEPS)


def together(surface: Surface, roles: Roles, tasks: float) -> float:
    """The law for `tasks` at the middle of all other factors."""
    size = np.array([surface.reference[roles.size]])
    return float(surface.along(roles.size, size, {roles.tasks: tasks})[0])


def equivalent_data(surface: Surface, roles: Roles, tasks: float) -> float | Gap:
    """The size at which one task reaches what `tasks` do, over theirs; or why there is none."""
    level = together(surface, roles, tasks)
    sizes = followed_sizes(surface, roles)
    values = alone(surface, roles, sizes)
    if not np.isfinite(values).all() or not np.isfinite(level):
        return "no_value"
    above = values >= level
    crossings = np.flatnonzero(np.diff(above))
    if not len(crossings):
        return "above" if above.any() else "below"
    if len(crossings) > 1:
        return "several"
    place = int(crossings[0])
    first, second = values[place : place + 2]
    fraction = (level - first) / (second - first)
    size = sizes[place] * (sizes[place + 1] / sizes[place]) ** fraction
    return float(size / surface.reference[roles.size])


def middle_and_most_tasks(surface: Surface, roles: Roles) -> list[float]:
    """The middle number of tasks, at least two, and the largest one fitted."""
    most = surface.fitted_range(roles.tasks)[1]
    return sorted({max(2.0, surface.reference[roles.tasks]), max(2.0, most)})


def fewest_and_most_tasks(surface: Surface, roles: Roles) -> list[float]:
    """The smallest and the largest fitted number of tasks above one."""
    low, high = surface.fitted_range(roles.tasks)
    values = surface.levels[roles.tasks].values
    several = [float(value) for value in values if value > 1 and low <= value <= high]
    return sorted({several[0], several[-1]}) if several else []
