"""All pictures of one report, by the section they stand in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from mtl_laws.pipeline.laws.record import PooledGain
from mtl_laws.pipeline.report.figures.canvas import Drawing, drawing_style
from mtl_laws.pipeline.report.figures.curves import draw_curves
from mtl_laws.pipeline.report.figures.fit import draw_fit, draw_residuals
from mtl_laws.pipeline.report.figures.front import draw_front
from mtl_laws.pipeline.report.figures.gain import draw_gain
from mtl_laws.pipeline.report.figures.groups import draw_groups
from mtl_laws.pipeline.report.figures.learning import draw_learning
from mtl_laws.pipeline.report.front import Front
from mtl_laws.pipeline.report.groups import Grouped
from mtl_laws.pipeline.report.surface import Surface

#: factors by which measured against predicted is coloured
MOST_FITS = 3


@dataclass(frozen=True)
class Gallery:
    """Drawings by section; ``sections["curves"][0]`` is the picture at the top."""

    sections: Mapping[str, tuple[Drawing, ...]]

    def __iter__(self) -> Iterator[Drawing]:
        for drawings in self.sections.values():
            yield from drawings

    def __getitem__(self, section: str) -> tuple[Drawing, ...]:
        return self.sections.get(section, ())


def draw_gallery(
    surface: Surface | None,
    front: Front,
    curves: pd.DataFrame | None,
    groups: Grouped | None = None,
    paired: PooledGain | None = None,
) -> Gallery:
    """Draw everything that the laws and the table have data for.

    Parameters
    ----------
    surface : the selected law over its table; None where no valid law was found. With groups,
        that of the first group.
    groups : the law over the rows of all groups; None without groups.
    paired : measured gains of training together; None where there are none.
    """
    with drawing_style():
        sections = {"front": [draw_front(front.entries, front.measure)]}
        sections |= {} if surface is None else _law_sections(surface, groups, paired)
        sections["learning"] = [draw_learning(curves)]
    kept = {name: [d for d in drawings if d is not None] for name, drawings in sections.items()}
    return Gallery(_unique_names(kept))


def _law_sections(
    surface: Surface, groups: Grouped | None, paired: PooledGain | None
) -> dict[str, list[Drawing | None]]:
    """Fit and residuals over all rows; what needs one set of constants for the first group."""
    whole = surface if groups is None else groups.surface
    varied = _varied(whole)
    roles, mine = surface.multitask, "" if groups is None else groups.first
    of_one = {
        "curves": [draw_curves(surface, factor) for factor in _varied(surface)],
        "gain": [] if roles is None else draw_gain(surface, roles, paired, mine),
    }
    if groups is not None and whole.law.levels:
        level = groups.first
        of_one = {name: [_named(d, level) for d in drawings] for name, drawings in of_one.items()}
    return {
        "groups": [] if groups is None or not varied else [draw_groups(groups)],
        "curves": [*of_one["curves"]],
        "gain": [*of_one["gain"]],
        "fit": [draw_fit(whole, factor) for factor in varied[:MOST_FITS]],
        "residuals": [draw_residuals(whole, factor) for factor in (None, *varied)],
    }


def _varied(surface: Surface) -> list[str]:
    return [factor for factor in surface.by_effect if len(surface.levels[factor].values) > 1]


def _named(drawing: Drawing, level: str) -> Drawing:
    """The drawing of one group, which says so."""
    return replace(
        drawing,
        title=f"{drawing.title}, group {level}",
        caption=f"Group {level} only. {drawing.caption}".strip(),
        alt=f"Group {level}: {drawing.alt}",
    )


def _unique_names(sections: Mapping[str, list[Drawing]]) -> dict[str, tuple[Drawing, ...]]:
    """Names told apart even where a file system ignores case (factors ``n`` and ``N``)."""
    seen: set[str] = set()
    named: dict[str, tuple[Drawing, ...]] = {}
    for section, drawings in sections.items():
        renamed = []
        for drawing in drawings:
            taken = drawing.name.lower() in seen
            name = f"{drawing.name}-{len(seen)}" if taken else drawing.name
            seen.add(name.lower())
            renamed.append(replace(drawing, name=name))
        named[section] = tuple(renamed)
    return named
