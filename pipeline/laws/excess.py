"""By how much a point lies outside the fitted region: factor by factor, and where factors meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mtl_laws.pipeline.laws.bands import Uncertainty
from mtl_laws.pipeline.symbolic.tree import Floats

#: a distance below this is the rounding error of its computation, in widths of the region
ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Excess:
    """One factor beyond its fitted range.

    Attributes
    ----------
    factor, value : the factor and its value.
    limit : the end of the fitted range that it passes.
    above : whether that is the upper end.
    multiple : value over limit; None where that says nothing, as for a limit of 0.
    """

    factor: str
    value: float
    limit: float
    above: bool
    multiple: float | None


@dataclass(frozen=True, kw_only=True)
class Outside:
    """How far one point lies outside the fitted region.

    Attributes
    ----------
    factors : those beyond their fitted range.
    corner : where no factor is beyond its range, the factors that meet in a corner which no row
        reaches; empty for none.
    distance : in widths of the region; 0 inside.
    """

    factors: tuple[Excess, ...] = ()
    corner: tuple[str, ...] = ()
    distance: float = 0.0


def outside(uncertainty: Uncertainty, columns: Mapping[str, Floats], row: int) -> Outside:
    """How far one row of the columns lies outside the region of a law without groups."""
    point = {name: column[row : row + 1] for name, column in columns.items()}
    factors = []
    for name, (low, high) in uncertainty.ranges.items():
        value = float(point[name][0]) if name in point else low
        if value < low or value > high:
            limit = high if value > high else low
            multiple = value / limit if limit > 0 and value > 0 else None
            factors.append(
                Excess(factor=name, value=value, limit=limit, above=value > high, multiple=multiple)
            )
    region = uncertainty.region
    distance = 0.0 if region is None else float(region.distance(point)[0])
    corner: tuple[str, ...] = ()
    if region is not None and not factors and distance > ROUNDING:
        corner = tuple(region.furthest(point))
    return Outside(factors=tuple(factors), corner=corner, distance=distance)
