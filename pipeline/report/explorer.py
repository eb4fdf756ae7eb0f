"""The explorer of a report: fields for every factor, and all that a browser needs to answer.

The browser computes what `LawSet.intervals`, `.gain` and `.outside` compute, from the same draws,
rivals and region. The laws are JavaScript functions; everything else is one literal, whose lists
are in the order of the factors.

Notation
--------
F : factors.    M : draws.    P : constants of the template.    J : rivals.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtl_laws.pipeline.laws.bands import LEVEL, RIVAL_REACH, WIDTH, Rival, Uncertainty
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.possible import Limits
from mtl_laws.pipeline.laws.region import Region
from mtl_laws.pipeline.report.figure_text import axis_text
from mtl_laws.pipeline.report.figures.curves import span
from mtl_laws.pipeline.report.surface import Surface, finite
from mtl_laws.pipeline.report.text import held_out_text, limits_text
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.tree import Tree
from mtl_laws.pipeline.symbolic.typeset.javascript import javascript

#: characters of the draws and regions of all groups
MOST_TEXT = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Field:
    """The input of one factor.

    Attributes
    ----------
    name, label : of the factor; the label with its words.
    value : what is asked about first.
    """

    name: str
    label: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Explorer:
    """What the section and its script need.

    Attributes
    ----------
    fields : one for each factor.
    along : place of the factor that matters most, along which the curve is drawn first.
    groups : names of the groups that can be chosen; empty without constants by group.
    groups_left_out : number of further groups, whose draws would make the page too large.
    column : what the groups are levels of.
    data : a literal of JavaScript, safe inside a ``script`` element.
    forms : JavaScript of the laws, an object with ``mean``, ``draw`` and ``rivals``.
    """

    fields: tuple[Field, ...]
    along: int
    groups: tuple[str, ...]
    groups_left_out: int
    column: str
    data: str
    forms: str


def explorer(laws: LawSet, surface: Surface | None) -> Explorer | None:
    """The explorer of the selected law; None without a law.

    Parameters
    ----------
    surface : the law over all its rows.
    """
    if surface is None:
        return None
    law = laws.with_region(laws.law)
    constants = Expression.parse(law.template, laws.factors).constants
    stored = law.uncertainty or Uncertainty()
    levels = _levels(law, stored.rivals, constants)
    limits, roles = laws.limits, laws.data.roles
    factors = [_factor(surface, name, limits.get(name, Limits())) for name in laws.factors]
    places = {name: k for k, name in enumerate(laws.factors)}
    measured = finite(surface.measured)
    content = {
        "target": laws.target,
        "lowerIsBetter": laws.data.lower_is_better,
        "bounds": laws.data.bounds or (None, None),
        "measured": (float(measured.min()), float(measured.max())) if len(measured) else None,
        "factors": factors,
        "tasks": None if roles is None else places.get(roles.tasks),
        "relatedness": None if roles is None else places.get(roles.relatedness),
        "tail": (1.0 - LEVEL) / 2,
        "width": WIDTH,
        "rivalReach": RIVAL_REACH,
        "weights": [rival.weight for rival in stored.rivals],
        "levels": levels,
        "beyond": [text for text in (limits_text(law), held_out_text(law)) if text],
    }
    return Explorer(
        fields=tuple(
            Field(name=one["name"], label=one["label"], value=_middle(surface, one["name"]))
            for one in factors
        ),
        along=laws.factors.index(surface.by_effect[0]),
        groups=law.levels[: len(levels)],
        groups_left_out=max(len(law.levels) - len(levels), 0),
        column="" if laws.groups is None else laws.groups.column,
        data=json.dumps(content).replace("<", "\\u003c"),
        forms=_forms(law, stored.rivals, constants),
    )


def _levels(law: Law, rivals: Sequence[Rival], constants: Sequence[str]) -> list[dict[str, Any]]:
    """What differs between groups, of as many as the page can hold; one entry without groups."""
    levels: list[dict[str, Any]] = []
    size = 0
    for name in law.levels or ("",):
        one = _level(law.for_group(name), rivals, name, constants)
        size += len(json.dumps(one))
        if levels and size > MOST_TEXT:
            break
        levels.append(one)
    return levels


def _middle(surface: Surface, name: str) -> str:
    """The middle value of a factor, as it stands in its field: a whole number has every digit."""
    value = surface.reference[name]
    if surface.levels[name].whole:
        return f"{value:.0f}"
    return np.format_float_positional(value, precision=4, fractional=False, trim="-")


def _factor(surface: Surface, name: str, limits: Limits) -> dict[str, Any]:
    """What the script needs to know of a factor."""
    low, high = span(surface, name)
    return {
        "name": name,
        "label": axis_text(surface, name),
        "used": name in surface.used,
        "span": (low, high),
        "logarithm": surface.logarithmic(name) and low > 0,
        "whole": surface.levels[name].whole,
        "limits": {
            "low": limits.low if np.isfinite(limits.low) else None,
            "high": limits.high if np.isfinite(limits.high) else None,
            "above": limits.above,
            "text": limits.text,
        },
        "domain": surface.data.domain.get(name),
    }


def _level(
    law: Law, rivals: Sequence[Rival], name: str, constants: Sequence[str]
) -> dict[str, Any]:
    """The constants and the uncertainty of one group, whose law is `law`."""
    stored = law.uncertainty or Uncertainty()
    template = Expression.parse(law.template, law.factors)
    return {
        "name": name,
        "values": [law.constants[one].value if one in law.constants else 0.0 for one in constants],
        "draws": stored.theta(template).tolist(),
        "rivals": [[_own(rival, name)[one] for one in _own(rival)] for rival in rivals],
        "noise": stored.noise_sd,
        "drift": stored.drift * (stored.target_sd or 0.0),
        "bounds": stored.bounds,
        "ranges": [stored.ranges.get(factor) for factor in law.factors],
        "middle": [sum(stored.domain.get(factor, (0.0, 1.0))) / 2 for factor in law.factors],
        **_region(stored.region or Region(), law.factors),
    }


def _region(region: Region, factors: Sequence[str]) -> dict[str, Any]:
    places = {name: k for k, name in enumerate(factors)}
    return {
        "axes": [axis and axis.model_dump() for axis in map(region.axes.get, factors)],
        "edges": [
            {
                "signs": [(places[name], sign) for name, sign in edge.signs.items()],
                "reach": edge.reach,
            }
            for edge in region.edges
        ],
    }


def _forms(law: Law, rivals: Sequence[Rival], constants: Sequence[str]) -> str:
    """An object of functions of the factors ``x`` and the constants ``c``."""
    draw = Tree.parse(law.template, law.factors)
    mean = draw if law.levels else Tree.parse(law.expression, law.factors)
    lines = [
        f"mean: (x, c) => {javascript(mean, law.factors, constants)}",
        f"draw: (x, c) => {javascript(draw, law.factors, constants)}",
    ]
    functions = []
    for rival in rivals:
        tree = Tree.parse(rival.expression, law.factors)
        functions.append(f"    (x, c) => {javascript(tree, law.factors, list(_own(rival)))}")
    lines.append("rivals: [\n" + ",\n".join(functions) + "\n  ]")
    return "{\n  " + ",\n  ".join(lines) + "\n}"


def _own(rival: Rival, level: str | None = None) -> Mapping[str, float]:
    """The constants of a rival in one group, in the first one if None; none without groups."""
    constants = rival.constants or {}
    return constants.get(next(iter(constants), "") if level is None else level, {})
