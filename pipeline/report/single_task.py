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

from mtl_laws.pipeline.laws.bands import Bands
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


def sides(
    surface: Surface, roles: Roles, tasks: float, sizes: Floats
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Points (S,) of `tasks` together and of the main task alone; other factors at their middle."""
    points = {name: np.full(len(sizes), value) for name, value in surface.reference.items()}
    points |= {roles.size: sizes, roles.tasks: np.full(len(sizes), tasks)}
    single = {roles.tasks: np.ones(len(sizes)), roles.relatedness: np.full(len(sizes), np.nan)}
    return points, {**points, **single}


def gains(surface: Surface, roles: Roles, tasks: float, sizes: Floats) -> Bands:
    """The gain (S,) of `tasks` over one task, with intervals; a fall where lower is better."""
    several, single = sides(surface, roles, tasks, sizes)
    return surface.law.change(*((single, several) if surface.sign < 0 else (several, single)))


def equivalent_interval(
    surface: Surface, roles: Roles, tasks: float
) -> tuple[float | None, float | None]:
    """The 95 % interval of `equivalent_data`; an end is None where it is not known.

    It holds every size of one task at which the interval of the difference from `tasks` contains
    0, without a break around the size at which the law says that they are equal.
    """
    times = equivalent_data(surface, roles, tasks)
    if not isinstance(times, float):
        return None, None
    sizes, size = followed_sizes(surface, roles), surface.reference[roles.size]
    several, _ = sides(surface, roles, tasks, np.full(len(sizes), size))
    _, single = sides(surface, roles, tasks, sizes)
    band = surface.law.change(several, single).law
    if band is None:
        return None, None
    equal = (band[0] <= 0.0) & (band[1] >= 0.0)
    place = int(np.searchsorted(sizes, times * size))
    below = np.flatnonzero(~equal[:place])
    above = np.flatnonzero(~equal[place:])
    # the ends lie between the last size that differs and the first that does not
    low = min(float(sizes[below[-1]] / size), times) if len(below) else None
    high = max(float(sizes[place + above[0]] / size), times) if len(above) else None
    return low, high


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
