"""What training together is worth: how much single-task data reaches the same prediction.

Notation
--------
n : training tokens, or whatever the factor of size is called.    G : grid points along it.
alone : the law for one task, the mean over the domain of the relatedness (undefined there).
"""

from __future__ import annotations

import numpy as np

from mtl_laws.pipeline.laws.levels import Floats
from mtl_laws.pipeline.laws.record import Roles
from mtl_laws.pipeline.report.surface import SPREAD, Surface
from mtl_laws.pipeline.symbolic.typeset.numbers import level, number

#: how far beyond the fitted sizes the law for one task is followed, as a factor; and in G steps
REACH, STEPS = 10.0, 600
UNSAID = "What training together is worth in single-task data is not said: "


def worth_in_words(surface: Surface) -> list[str]:
    """The sentence, or why there is none; nothing where the table is about no number of tasks."""
    roles = surface.multitask
    if roles is None:
        return [f"{UNSAID}{why}."] if (why := _no_roles(surface)) else []
    unused = [name for name in (roles.size, roles.tasks) if name not in surface.used]
    if unused:
        return [f"{UNSAID}the law does not use {' or '.join(unused)}."]
    told = [(tasks, _times(surface, roles, tasks)) for tasks in _task_counts(surface, roles)]
    known = [(tasks, times) for tasks, times in told if isinstance(times, float)]
    if not known:
        return [f"{UNSAID}{told[0][1]}."]
    return [_sentence(surface, roles, known)]


def _no_roles(surface: Surface) -> str:
    """Why a table with factors of the customary names is no comparison with one task."""
    named = {name.lower(): name for name in surface.factors}
    if "t" not in named or "ami" not in named:
        return ""
    if not (surface.columns[named["t"]] == 1).any():
        return f"the table has no row with {named['t']} = 1"
    return "no factor of the table is a number of tokens over a wide range"


def _task_counts(surface: Surface, roles: Roles) -> list[float]:
    """The middle number of tasks, two at least, and the largest one fitted."""
    most = surface.fitted_range(roles.tasks)[1]
    return sorted({max(2.0, surface.reference[roles.tasks]), max(2.0, most)})


def _sentence(surface: Surface, roles: Roles, known: list[tuple[float, float]]) -> str:
    size, share = surface.reference[roles.size], surface.reference[roles.relatedness]
    uses = roles.relatedness in surface.used
    related = f" and {roles.relatedness} = {level(share)}" if uses else ""
    (first, times), *rest = known
    more = "".join(f", {number(tasks)} tasks {number(one, 2)} times" for tasks, one in rest)
    return (
        f"At {roles.size} = {level(size)}{related}, training {number(first)} tasks together is "
        f"worth {number(times, 2)} times as much single-task data{more}."
    )


def _times(surface: Surface, roles: Roles, tasks: float) -> float | str:
    """The size at which one task reaches what `tasks` do, over theirs; or why there is none."""
    size = surface.reference[roles.size]
    reached = surface.along(roles.size, np.array([size]), {roles.tasks: tasks})[0]
    low, high = surface.fitted_range(roles.size)
    grid = np.geomspace(low / REACH, high * REACH, STEPS)
    alone = _alone(surface, roles, grid)
    if not np.isfinite(alone).all() or not np.isfinite(reached):
        return f"the law for one task has no value everywhere along {roles.size}"
    above = alone >= reached
    crossings = np.flatnonzero(np.diff(above))
    if not len(crossings):
        side = "below" if not above.any() else "above"
        return (
            f"the law for one task stays {side} what {number(tasks)} tasks reach, {number(reached)}"
            f", from {roles.size} = {level(grid[0])} to {level(grid[-1])}"
        )
    if len(crossings) > 1:
        return f"the law for one task reaches the same at several values of {roles.size}"
    return _between(alone, grid, int(crossings[0]), float(reached)) / size


def _between(alone: Floats, grid: Floats, place: int, reached: float) -> float:
    """The size at which the law passes `reached`, between two grid points."""
    first, second = alone[place : place + 2]
    share = (reached - first) / (second - first)
    return float(grid[place] * (grid[place + 1] / grid[place]) ** share)


def _alone(surface: Surface, roles: Roles, grid: Floats) -> Floats:
    values = [surface.point_of_domain(roles.relatedness, part) for part in SPREAD]
    lines = [
        surface.along(roles.size, grid, {roles.tasks: 1.0, roles.relatedness: value})
        for value in values
    ]
    return np.asarray(np.mean(lines, axis=0))
