"""The questions of the findings, in the order in which they are answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.findings.causes import causes
from pipeline.findings.enough import enough
from pipeline.findings.families import families
from pipeline.findings.harm import harm
from pipeline.findings.noise import noise
from pipeline.findings.published import published
from pipeline.findings.roots import roots
from pipeline.findings.sharings import sharings
from pipeline.findings.sizes import sizes

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
