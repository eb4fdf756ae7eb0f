"""The law in words: which way each factor moves it, by how much, and where it leads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtl_laws.pipeline.laws.levels import Floats
from mtl_laws.pipeline.report.surface import Surface
from mtl_laws.pipeline.report.worth import worth_in_words
from mtl_laws.pipeline.symbolic.typeset.numbers import level, number, settled

#: rows from which the direction of a factor is judged, and steps along the factor
PROBES, STEPS = 40, 33
#: a change smaller than this share of the law's whole range is no change
FLAT = 1e-6
#: "without bound", as a multiple of the largest value met
FAR = 1e9
#: limits closer than this share of the largest measured value are one
SAME = 1e-3


def describe(surface: Surface) -> list[str]:
    """Sentences on what the law says, most important first."""
    sentences = [*_directions(surface), *_effects(surface), *_limit(surface)]
    return [*sentences, *worth_in_words(surface), *_unused(surface)]


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


def direction_in_words(surface: Surface, factor: str) -> str:
    """``accuracy rises with n``: which way the law moves, as a heading."""
    if factor not in surface.used:
        return f"the law does not use {factor}"
    moves = direction(surface, factor)
    if moves == "turns with":
        return f"{surface.target} rises or falls with {factor}, by where one stands"
    return f"{surface.target} {moves.replace('ignores', 'does not change with')} {factor}"


def direction(surface: Surface, factor: str) -> str:
    """``rises with``, ``falls with``, ``turns with`` or ``ignores``, over the fitted range."""
    lines = _probes(surface, factor)
    changes = np.concatenate([np.zeros(0), *(np.diff(line) for line in lines)])
    changes = changes[np.isfinite(changes)]
    scale = float(np.nanmax(np.abs(surface.predicted), initial=0.0)) or 1.0
    up, down = (changes > FLAT * scale).any(), (changes < -FLAT * scale).any()
    if up and down:
        return "turns with"
    return "rises with" if up else ("falls with" if down else "ignores")


def _probes(surface: Surface, factor: str) -> list[Floats]:
    """The law along `factor` from the other factors' values in rows spread over the table.

    Rows where the factor is undefined are passed over: the AMI of a single task moves nothing.
    """
    grid = surface.grid(factor, *surface.fitted_range(factor), STEPS)
    rows = np.flatnonzero(surface.inside & np.isfinite(surface.columns[factor]))
    if len(rows) > PROBES:
        rows = rows[np.linspace(0, len(rows) - 1, PROBES).round().astype(int)]
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
    if low == high or not np.isfinite([start, end]).all():
        return ""
    others = [f"{f} = {level(surface.reference[f])}" for f in surface.used if f != factor]
    at = f" at {listed(others)}" if others else ""
    return (
        f"From {factor} = {level(low)} to {level(high)}{at}, "
        f"it goes from {number(settled(start, surface.scale))} to "
        f"{number(settled(end, surface.scale))}."
    )


def _limit(surface: Surface) -> list[str]:
    """Where the law leads as its sizes grow without bound, if it leads anywhere."""
    found: dict[str, list[str]] = {}
    for factor in (name for name in surface.by_effect if name in surface.used):
        if surface.logarithmic(factor) and (told := _limit_along(surface, factor)):
            found.setdefault(told, []).append(factor)
    return [
        f"As {listed(factors, 'or')} grows without bound it tends to {told}."
        for told, factors in found.items()
    ]


def _limit_along(surface: Surface, factor: str) -> str:
    """``0.991``, or ``0.932 at T = 2`` where the limit depends on T; empty where there is none."""
    scale = float(np.nanmax(np.abs(surface.measured), initial=0.0)) or 1.0
    far = surface.extent(factor)[1] * np.array([FAR, FAR**2])
    near, limit = surface.along(factor, far, {})
    if not np.isfinite([near, limit]).all() or abs(near - limit) >= SAME * scale:
        return ""
    others = [name for name in surface.used if name != factor]
    moved = [name for name in others if _limit_moves(surface, factor, name, float(limit), scale)]
    at = [f"{name} = {level(surface.reference[name])}" for name in moved]
    return f"{number(float(limit))}{f' at {listed(at)}' if at else ''}"


def _limit_moves(surface: Surface, factor: str, other: str, limit: float, scale: float) -> bool:
    """Whether the limit along `factor` is another one at another value of `other`."""
    far = np.array([surface.extent(factor)[1] * FAR**2])
    ends = surface.fitted_range(other)
    found = [surface.along(factor, far, {other: float(end)})[0] for end in ends]
    return bool(np.nanmax(np.abs(np.array(found) - limit), initial=0.0) >= SAME * scale)


def _unused(surface: Surface) -> list[str]:
    unused = [factor for factor in surface.factors if factor not in surface.used]
    return [f"It does not use {listed(unused, 'or')}."] if unused else []


def listed(names: Sequence[str], word: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(names) <= 1:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"
