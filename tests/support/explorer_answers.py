"""What the explorer of a report answers, beside what the laws answer in Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from mtl_laws import LawSet
from mtl_laws.pipeline.report.answer_text import outside_text

#: runs one JavaScript function on arguments that are JSON, and returns its JSON
Evaluate: TypeAlias = Callable[[str, Sequence[object]], Any]

ANSWERS = """
(points, group) => points.map((values) => {
  const point = values.map((value) => value ?? NaN), level = data.levels[group];
  const answer = bands(point, level);
  return {
    mean: answer.mean, law: answer.law, run: answer.run,
    gain: data.tasks === null ? null : gain(point, level),
    outside: outsideText(outside(point, level)), distance: distance(normalize(point), level),
    missing: missing(point, level), impossible: impossible(point),
  };
})
"""


def grid(laws: LawSet, undefined: bool = True) -> pd.DataFrame:
    """Points inside, outside and at the ends of every factor, with undefined ones."""
    ranges = laws.data.ranges
    values = []
    for name in laws.factors:
        low, high = ranges[name]
        values.append([low, (low + high) / 2, high, 3 * high, low / 2])
    points = pd.DataFrame(list(product(*values)), columns=list(laws.factors))
    roles = laws.data.roles
    if undefined and roles is not None and roles.relatedness:
        alone = points[: len(points) // 4].assign(**{roles.tasks: 1.0, roles.relatedness: np.nan})
        points = pd.concat([points, alone], ignore_index=True)
    return points


def assert_same_answers(laws: LawSet, points: pd.DataFrame, evaluate: Evaluate) -> None:
    """The explorer gives `LawSet.predict`, `.intervals`, `.gain` and `.outside` at every point.

    Points with a value that is impossible, or missing where the law depends on it, are only to be
    named, as in Python.
    """
    for place, name in enumerate(laws.law.levels or ("",)):
        table = points if laws.groups is None else points.assign(**{laws.groups.column: name})
        said = evaluate(ANSWERS, [_json(points), place])
        refused: set[int] = set()
        for kind, truth in (("missing", laws.undefined), ("impossible", laws.impossible)):
            places = [(row, laws.factors[k]) for row, one in enumerate(said) for k in one[kind]]
            assert sorted(places) == sorted(truth(table))
            refused |= {row for row, _ in places}
        table = table.drop(index=list(refused)).reset_index(drop=True)
        said = [one for row, one in enumerate(said) if row not in refused]
        answers = laws.intervals(table)
        scale = float(np.nanmax(np.abs(answers[laws.target])))
        _close(_column(said, "mean"), laws.predict(table), scale)
        for kind in ("law", "run"):
            for end, side in enumerate(("low", "high")):
                column = [np.nan if one[kind] is None else one[kind][end] for one in said]
                _close(column, answers[f"{kind}_{side}"], scale)
        distances = answers["distance"]
        if distances.notna().any():
            _close(_column(said, "distance"), distances, 1.0)
        assert [one["outside"] for one in said] == [
            outside_text(one) for one in laws.outside(table)
        ]
        if laws.data.roles is not None and laws.data.roles.tasks:
            gains = laws.gain(table)
            _close([one["gain"]["mean"] for one in said], gains["gain"], scale)
            for kind, (end, side) in product(("law", "run"), enumerate(("low", "high"))):
                column = [(one["gain"][kind] or [np.nan] * 2)[end] for one in said]
                _close(column, gains[f"{kind}_{side}"], scale)


def _json(points: pd.DataFrame) -> list[list[float | None]]:
    rows = points.to_numpy(dtype=float).tolist()
    return [[None if np.isnan(value) else value for value in row] for row in rows]


def _column(said: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [np.nan if one[name] is None else one[name] for one in said]


def _close(said: Sequence[float], truth: pd.Series[float], scale: float) -> None:
    numbers = np.array(said, dtype=float)
    np.testing.assert_allclose(numbers, truth.to_numpy(dtype=float), rtol=1e-9, atol=1e-12 * scale)
