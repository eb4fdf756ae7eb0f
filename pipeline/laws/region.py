"""The fitted region, and the distance of a point from it.

Every factor is measured in widths of its fitted range, sizes by their logarithm. A point is outside
where a factor leaves its range, and where two factors meet in a corner that no row reaches: the
largest n together with the largest T, though each alone was fitted.

Notation
--------
N : rows to judge.    F : factors.    K : directions.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, product

import numpy as np
from pydantic import Field

from mtl_laws.pipeline.laws.record import Record
from mtl_laws.pipeline.symbolic.kinds import classify
from mtl_laws.pipeline.symbolic.tree import Floats


class Axis(Record):
    """A factor's fitted range, and whether distances along it are those of logarithms."""

    low: float
    high: float
    logarithm: bool = False


class Edge(Record):
    """How far the fitted rows reach in one direction: the largest sum of signed places on axes."""

    signs: dict[str, int]
    reach: float


class Region(Record):
    """Where a law was fitted.

    Attributes
    ----------
    axes : factor -> fitted range.
    edges : reach of the rows along each axis and across each pair of them.
    """

    axes: dict[str, Axis] = Field(default_factory=dict)
    edges: tuple[Edge, ...] = ()

    @staticmethod
    def of(columns: Mapping[str, Floats]) -> Region:
        """The region of rows, (N,) by factor; nan where a factor is undefined."""
        kinds, axes = classify(columns), {}
        for name, column in columns.items():
            values = column[np.isfinite(column)]
            if len(values):
                low, high = float(values.min()), float(values.max())
                axes[name] = Axis(low=low, high=high, logarithm=name in kinds.sizes and low > 0)
        empty = Region(axes=axes)
        places = empty.places(columns)
        edges = [
            Edge(signs=signs, reach=float(np.max(_along(signs, places))))
            for signs in _directions(tuple(axes))
        ]
        return Region(axes=axes, edges=tuple(edges))

    def distance(self, columns: Mapping[str, Floats]) -> Floats:
        """Distance (N,) of each row from the region, in widths of the region; 0 inside."""
        places = self.places(columns)
        size = max((len(column) for column in columns.values()), default=1)
        distance = np.zeros(size)
        for edge in self.edges:
            if all(name in places for name in edge.signs):
                distance = np.maximum(distance, _along(edge.signs, places) - edge.reach)
        return distance

    def furthest(self, point: Mapping[str, Floats]) -> list[str]:
        """The factors of the direction in which one point lies farthest from the region."""
        places = self.places(point)
        edges = [edge for edge in self.edges if all(name in places for name in edge.signs)]
        farthest = max(
            edges, key=lambda edge: float(_along(edge.signs, places)[0]) - edge.reach, default=None
        )
        return [] if farthest is None else list(farthest.signs)

    def places(self, columns: Mapping[str, Floats]) -> dict[str, Floats]:
        """Places (N,) on each axis: 0 and 1 at the ends of the range; the middle where unknown."""
        places = {}
        for name, axis in self.axes.items():
            if name in columns:
                column, low, high = np.asarray(columns[name], dtype=float), axis.low, axis.high
                if axis.logarithm:
                    low, high = np.log(low), np.log(high)
                    with np.errstate(all="ignore"):
                        column = np.log(column)
                width = high - low if high > low else 1.0
                place = (column - low) / width
                # the logarithm of a size of 0 or less: far below every fitted size
                below = axis.logarithm & (np.asarray(columns[name], dtype=float) <= 0)
                place = np.where(below, -1e3, place)
                places[name] = np.where(np.isfinite(place), place, 0.5)
        return places


def _directions(names: tuple[str, ...]) -> list[dict[str, int]]:
    axes = [{name: sign} for name in names for sign in (1, -1)]
    pairs = [
        {a: first, b: second}
        for a, b in combinations(names, 2)
        for first, second in product((1, -1), repeat=2)
    ]
    return [*axes, *pairs]


def _along(signs: Mapping[str, int], places: Mapping[str, Floats]) -> Floats:
    total = np.zeros(1)
    for name, sign in signs.items():
        total = total + sign * places[name]
    return np.asarray(total)
