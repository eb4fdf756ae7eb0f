"""The law in words: which way each factor moves it, by how much, and where it leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.laws.typeset.numbers import is_number, level, number, score
from pipeline.report.levels import Floats
from pipeline.report.roles import Roles, find_roles
from pipeline.report.surface import SPREAD, Surface

#: rows from which the direction of a factor is judged, and steps along the factor
PROBES, STEPS = 40, 33
#: a change smaller than this share of the law's whole range is no change
FLAT = 1e-6
#: "without bound", as a multiple of the largest value met
FAR = 1e9


def describe(surface: Surface) -> list[str]:
    """Sentences on what the law says, most important first."""
    roles = find_roles(surface)
    sentences = [*_directions(surface), *_effects(surface)]
    sentences += _limit(surface)
    sentences += [] if roles is None else _exchange(surface, roles)
    return sentences + _unused(surface)


def _directions(surface: Surface) -> list[str]:
    found: dict[str, list[str]] = {}
    for factor in surface.by_effect:
        if factor in surface.used:
            found.setdefault(direction(surface, factor), []).append(factor)
    sentences = []
    for verb in ("rises with", "falls with"):
        if factors := found.get(verb):
            sentences.append(f"{surface.target} {verb} {listed(factors)}")
    sentence = ", and ".join(sentences)
    said = [f"{sentence}."] if sentence else []
    for factor in found.get("turns with", []):
        said.append(
            f"{surface.target} does not move in one direction with {factor}: whether it rises or "
            "falls depends on where one stands."
        )
    return said


def direction(surface: Surface, factor: str) -> str:
    """``rises with``, ``falls with``, ``turns with`` or ``ignores``, over the fitted range."""
    changes = np.concatenate([np.diff(line) for line in _probes(surface, factor)])
    changes = changes[np.isfinite(changes)]
    scale = float(np.nanmax(np.abs(surface.predicted), initial=0.0)) or 1.0
    up, down = (changes > FLAT * scale).any(), (changes < -FLAT * scale).any()
    if up and down:
        return "turns with"
    return "rises with" if up else ("falls with" if down else "ignores")


def _probes(surface: Surface, factor: str) -> list[Floats]:
    """The law along `factor` from the other factors' values in rows spread over the table."""
    grid = surface.grid(factor, *surface.fitted_range(factor), STEPS)
    rows = np.flatnonzero(surface.inside)
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, PROBES).round().astype(int))]
    lines = []
    for row in rows:
        values = {name: surface.columns[name][row] for name in surface.factors if name != factor}
        known = {name: float(value) for name, value in values.items() if np.isfinite(value)}
        lines.append(surface.along(factor, grid, known))
    return lines


def _effects(surface: Surface) -> list[str]:
    used = [factor for factor in surface.by_effect if factor in surface.used]
    return [sentence for factor in used if (sentence := _effect(surface, factor))]


def _effect(surface: Surface, factor: str) -> str:
    low, high = surface.fitted_range(factor)
    start, end = surface.along(factor, np.array([low, high]), {})
    if not np.isfinite([start, end]).all():
        return ""
    others = [f"{f} = {level(surface.reference[f])}" for f in surface.used if f != factor]
    at = f" at {listed(others)}" if others else ""
    return (
        f"From {factor} = {level(low)} to {level(high)}{at}, "
        f"it goes from {number(float(start))} to {number(float(end))}."
    )


def _limit(surface: Surface) -> list[str]:
    """Where the law leads as its sizes grow without bound, if it leads anywhere."""
    found: dict[str, list[str]] = {}
    scale = float(np.nanmax(np.abs(surface.measured), initial=0.0)) or 1.0
    for factor in (name for name in surface.by_effect if name in surface.used):
        if not surface.logarithmic(factor):
            continue
        far = surface.extent(factor)[1] * np.array([FAR, FAR**2])
        near, limit = surface.along(factor, far, {})
        if np.isfinite([near, limit]).all() and abs(near - limit) < 1e-3 * scale:
            found.setdefault(number(float(limit)), []).append(factor)
    return [
        f"As {listed(factors, 'or')} grows without bound it tends to {limit}."
        for limit, factors in found.items()
    ]


def _exchange(surface: Surface, roles: Roles) -> list[str]:
    """How many single-task tokens the auxiliary tasks are worth, if the law can be inverted."""
    if {roles.size, roles.tasks} - set(surface.used):
        return []
    tasks = max(2.0, surface.reference[roles.tasks])
    share = surface.reference[roles.relatedness]
    size = surface.reference[roles.size]
    together = surface.along(roles.size, np.array([size]), {roles.tasks: tasks})[0]
    worth = _single_size(surface, roles, float(together))
    if worth is None:
        return []
    uses = roles.relatedness in surface.used
    related = f" with {roles.relatedness} = {level(share)}" if uses else ""
    return [
        f"At {roles.size} = {level(size)}, training {number(tasks)} tasks together{related} is "
        f"worth {number(worth / size, 2)} times as much single-task data."
    ]


def _single_size(surface: Surface, roles: Roles, reached: float) -> float | None:
    """The size at which one task alone reaches the same prediction; None if it is never met."""
    low, high = surface.fitted_range(roles.size)
    grid = np.geomspace(low / 10, high * 10, 600)
    values = [surface.point_of_domain(roles.relatedness, part) for part in SPREAD]
    alone = np.mean(
        [
            surface.along(roles.size, grid, {roles.tasks: 1.0, roles.relatedness: value})
            for value in values
        ],
        axis=0,
    )
    if not np.isfinite(alone).all() or not (np.diff(alone) > 0).all():
        return None
    if not alone[0] <= reached <= alone[-1]:
        return None
    return float(np.exp(np.interp(reached, alone, np.log(grid))))


def _unused(surface: Surface) -> list[str]:
    unused = [factor for factor in surface.factors if factor not in surface.used]
    return [f"It does not use {listed(unused, 'or')}."] if unused else []


def verdict(law: Mapping[str, Any], target: str) -> str:
    """One sentence on how well the law does inside and outside."""
    scores = law.get("scores", {})
    held, inside = scores.get("r2_hold_out"), scores.get("r2_train")
    parts = []
    if is_number(inside):
        parts.append(f"R² {score(inside)} on the rows it was fitted on")
    if is_number(scores.get("r2_extrapolation")):
        parts.append(f"{score(scores['r2_extrapolation'])} beyond the levels it had seen")
    if is_number(held):
        parts.append(f"{score(held)} on rows held out to the end")
    return f"For {target}: {'; '.join(parts)}." if parts else ""


def listed(names: Sequence[str], word: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(names) <= 1:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"
