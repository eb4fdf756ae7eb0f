"""All pictures of one report, by the section they stand in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from pipeline.report.figures.canvas import Drawing, drawing_style
from pipeline.report.figures.curves import draw_curves
from pipeline.report.figures.fit import draw_fit, draw_residuals
from pipeline.report.figures.front import draw_front
from pipeline.report.figures.gain import draw_gain
from pipeline.report.figures.learning import draw_learning
from pipeline.report.front import Front
from pipeline.report.surface import Surface

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


def draw_gallery(surface: Surface | None, front: Front, curves: pd.DataFrame | None) -> Gallery:
    """Draw everything that the laws and the table have data for.

    Parameters
    ----------
    surface : the selected law over its table; None where no valid law was found.
    """
    with drawing_style():
        sections = {"front": [draw_front(front.entries, front.measure)]}
        sections |= {} if surface is None else _law_sections(surface)
        sections["learning"] = [draw_learning(curves)]
    kept = {name: [d for d in drawings if d is not None] for name, drawings in sections.items()}
    return Gallery(_unique_names(kept))


def _law_sections(surface: Surface) -> dict[str, list[Drawing | None]]:
    varied = [f for f in surface.by_effect if len(surface.levels[f].values) > 1]
    roles = surface.multitask
    return {
        "curves": [draw_curves(surface, factor) for factor in varied],
        "gain": [*draw_gain(surface, roles)] if roles else [],
        "fit": [draw_fit(surface, factor) for factor in varied[:MOST_FITS]],
        "residuals": [draw_residuals(surface, factor) for factor in (None, *varied)],
    }


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
