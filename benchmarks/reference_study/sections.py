"""The questions of the findings, in the order in which they are answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reference_study.causes import causes
from reference_study.enough import enough
from reference_study.families import families
from reference_study.harm import harm
from reference_study.noise import noise
from reference_study.published import published
from reference_study.roots import roots
from reference_study.sharings import sharings
from reference_study.sizes import sizes

Section = Callable[[], dict[str, Any]]

DIRECT: Mapping[str, Section] = {
    "causes": causes,
    "harm": harm,
    "enough": enough,
    "noise": noise,
    "sharings": sharings,
}
"""Means and intervals, computed in seconds."""

SEARCHED: Mapping[str, Section] = {
    "sizes": sizes,
    "published": published,
    "roots": roots,
    "families": families,
}
"""Forms and laws that are fitted or searched for, minutes."""
