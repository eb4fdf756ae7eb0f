"""Roles of the factors (n, T, relatedness), and where a factor is undefined.

A single task has no relatedness, yet many tables hold a number there: the published study has
AMI = 1 in most single-task rows. Such a *placeholder* is recognised by its values at T = 1: they
never vary, or do not change the target as they do elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mtl_laws.pipeline.laws.record import Roles
from mtl_laws.pipeline.laws.rows import Indices, number_cells
from mtl_laws.pipeline.laws.rules import DataRules, FactorRules
from mtl_laws.pipeline.symbolic.kinds import classify, is_fraction
from mtl_laws.pipeline.symbolic.tree import Floats, Mask

TASK_NAMES = ("t", "tasks", "n_tasks", "num_tasks")
SIZE_NAMES = ("n", "tokens", "n_main")
RELATEDNESS_NAMES = ("ami", "mi", "nmi", "mutual_info", "relatedness", "similarity", "rho", "rel")

CellKind = Literal["fraction", "positive", "whole"]


def find_roles(columns: Mapping[str, Floats]) -> Roles:
    """The roles of the factors, from where they are undefined, else from kinds and names.

    A factor that is undefined exactly where a count is 1 is the relatedness, and the count is T.
    """
    kinds = classify(columns)
    pair = _undefined_pair(columns, kinds.counts)
    few_first = sorted(kinds.counts, key=lambda name: float(np.nanmax(columns[name])))
    tasks, relatedness = pair or (
        _preferred(few_first, TASK_NAMES),
        _preferred(kinds.fractions, RELATEDNESS_NAMES),
    )
    sizes = [name for name in kinds.sizes if name != tasks]
    largest = max(sizes, key=lambda name: float(np.nanmax(columns[name])), default="")
    preferred = [name for name in sizes if name.lower() in SIZE_NAMES]
    return Roles(size=preferred[0] if preferred else largest, tasks=tasks, relatedness=relatedness)


def task_roles(columns: Mapping[str, Floats]) -> Roles:
    """The roles in a multi-task experiment; a stricter `find_roles`.

    A count with rows at 1 is T if its name says so, or if the relatedness is undefined exactly
    where the count is 1: parallel streams and experts are no tasks. A fraction is the relatedness
    if its name says so, or if it is undefined there; label noise is not. Without T there is no
    relatedness.
    """
    roles = find_roles(columns)
    if not roles.tasks or not np.any(columns[roles.tasks] == 1.0):
        return Roles(size=roles.size)
    fractions = columns.get(roles.relatedness)
    single_task = columns[roles.tasks] == 1.0
    undefined = fractions is not None and np.array_equal(np.isnan(fractions), single_task)
    if not undefined and roles.tasks.lower() not in TASK_NAMES:
        return Roles(size=roles.size)
    related = undefined or roles.relatedness.lower() in RELATEDNESS_NAMES
    return roles if related else Roles(size=roles.size, tasks=roles.tasks)


def _undefined_pair(columns: Mapping[str, Floats], counts: Sequence[str]) -> tuple[str, str] | None:
    """A count and a factor that is undefined where the count is 1 and nowhere else.

    Of several such factors the one with a name of a relatedness.
    """
    pairs: dict[str, str] = {}
    for name, column in columns.items():
        undefined = np.isnan(column)
        for count in counts if undefined.any() else ():
            if count != name and np.array_equal(columns[count] == 1.0, undefined):
                pairs.setdefault(name, count)
    name = _preferred(list(pairs), RELATEDNESS_NAMES)
    return (pairs[name], name) if name else None


def _preferred(names: Sequence[str], conventional: Sequence[str]) -> str:
    matches = [name for name in names if name.lower() in conventional]
    return (matches or [*names, ""])[0]


def missing_rows(columns: Mapping[str, Floats]) -> dict[str, Mask]:
    """Factor -> rows (N,) whose value is missing, not undefined.

    A factor is undefined where another factor is at its lowest level and nowhere else, as AMI is at
    T = 1 or where there are no auxiliary tokens. Any other blank is a missing value.
    """
    missing = {}
    for name, column in columns.items():
        blank = np.isnan(column)
        if blank.any() and not _follows_a_level(blank, name, columns):
            missing[name] = blank
    return missing


def _follows_a_level(blank: Mask, name: str, columns: Mapping[str, Floats]) -> bool:
    return any(
        bool(np.all(column[blank] == np.nanmin(column)))
        for other, column in columns.items()
        if other != name and not np.isnan(column).all()
    )


@dataclass(frozen=True, kw_only=True)
class OddCells:
    """Cells of a factor that do not fit the kind of all its other cells.

    Attributes
    ----------
    kind : of the other cells: ``fraction`` from 0 to 1, ``positive`` above 0, or ``whole`` numbers
        from 1.
    rows : places of the odd cells, from 0.
    """

    factor: str
    kind: CellKind
    rows: tuple[int, ...]


def find_odd_cells(columns: Mapping[str, Floats], rules: DataRules) -> list[OddCells]:
    """The odd cells of every factor that has some, for the first kind that they do not fit.

    A factor may be 0 where another one is undefined, as a number of auxiliary tasks is.

    Parameters
    ----------
    columns : factor name -> (N,).
    """
    undefined = np.any([np.isnan(column) for column in columns.values()], axis=0)
    odd_cells = []
    for name, column in columns.items():
        defined = ~np.isnan(column)
        whole = (column == np.round(column)) & (column >= 1.0)
        fits: dict[CellKind, Mask] = {
            "fraction": (column >= -rules.odd_negative) & (column <= 1.0),
            "positive": (column > 0.0) | ((column == 0.0) & undefined),
            "whole": whole | ((column == 0.0) & undefined),
        }
        for kind, fit in fits.items():
            odd = np.flatnonzero(defined & ~fit)
            enough = (defined & fit).sum() >= rules.odd_share * defined.sum()
            if (
                0 < len(odd) <= rules.odd_rows
                and enough
                and _is_of_kind(column[fit], defined, fits, kind)
            ):
                odd_cells.append(OddCells(factor=name, kind=kind, rows=tuple(map(int, odd))))
                break
    return odd_cells


def _is_of_kind(
    fitting: Floats, defined: Mask, fits: Mapping[CellKind, Mask], kind: CellKind
) -> bool:
    """Whether cells within the limits of a kind are of that kind.

    Numbers of 0 and 1 may be counts; numbers from 0 to 1 may be 0.
    """
    if kind == "fraction":
        broken = bool(np.any(fitting != np.round(fitting)))
        return broken and is_fraction(np.clip(fitting, 0.0, 1.0))
    return not fits["fraction"][defined].all()


@dataclass(frozen=True)
class Placeholder:
    """A fraction that holds a meaningless number where a count is 1."""

    fraction: str
    count: str


def find_placeholders(
    columns: Mapping[str, Floats], target: Floats, rules: FactorRules
) -> list[Placeholder]:
    """Fractions that hold placeholders where a count is 1, judged on these rows.

    Parameters
    ----------
    columns : factor name -> (N,).
    target : (N,).
    """
    kinds = classify(columns)
    pairs = [Placeholder(name, count) for count in kinds.counts for name in kinds.fractions]
    return [pair for pair in pairs if _is_placeholder(pair, columns, target, rules)]


def mark_undefined(
    columns: Mapping[str, Floats], placeholders: Sequence[Placeholder]
) -> dict[str, Floats]:
    """Columns with placeholders as nan."""
    result = dict(columns)
    for pair in placeholders:
        alone = columns[pair.count] == 1.0
        result[pair.fraction] = np.where(alone, np.nan, result[pair.fraction])
    return result


def _is_placeholder(
    pair: Placeholder, columns: Mapping[str, Floats], target: Floats, rules: FactorRules
) -> bool:
    values = columns[pair.fraction]
    alone = (columns[pair.count] == 1.0) & ~np.isnan(values)
    elsewhere = ~alone & ~np.isnan(values)
    if alone.sum() < rules.min_rows or len(np.unique(values[elsewhere])) < rules.min_levels:
        return False
    if len(np.unique(values[alone])) == 1:
        return True
    y, design, freedom = _within(elsewhere, pair.fraction, columns, target)
    if freedom - 2 < rules.min_freedom or np.linalg.matrix_rank(design) < design.shape[1]:
        return False
    effect = np.asarray(np.linalg.lstsq(design, y, rcond=None)[0], dtype=float)
    residual, explained = (
        float(np.sum((y - design @ effect) ** 2)),
        float(np.sum((design @ effect) ** 2)),
    )
    if explained / 2 <= rules.significant * residual / (freedom - 2):
        return False
    y, design, freedom = _within(alone, pair.fraction, columns, target)
    expected = design @ effect
    strength = float(expected @ expected)
    if freedom - 1 < rules.min_freedom or strength <= 0:
        return False
    present = float(expected @ y) / strength
    error = np.sqrt(float(np.sum((y - present * expected) ** 2)) / (freedom - 1) / strength)
    return bool(present + 2 * error < rules.present)


def _within(
    rows: Mask, name: str, columns: Mapping[str, Floats], target: Floats
) -> tuple[Floats, Floats, int]:
    """Target (N,) and factor with its square (N, 2) of some rows, less the mean of their group.

    Rows of a group have every other factor in common; also the degrees of freedom within groups.
    """
    others = {other: column[rows] for other, column in columns.items() if other != name}
    group = number_cells(others) if others else np.zeros(int(rows.sum()), dtype=np.int64)
    x = columns[name][rows]
    design = np.column_stack([_centred(x, group), _centred(x**2, group)])
    return _centred(target[rows], group), design, len(group) - len(np.unique(group))


def _centred(values: Floats, group: Indices) -> Floats:
    mean = np.bincount(group, values) / np.bincount(group)
    return np.asarray(values - mean[group])
