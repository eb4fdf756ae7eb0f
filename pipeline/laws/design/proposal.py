"""Proposal: from laws or a table, and candidates, to the trials to run next.

Notation
--------
N : rows with a target.    C : candidates.    F : factors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.laws.design.belief import RULES, Belief, DesignRules, beliefs
from mtl_laws.pipeline.laws.design.knowledge import CANDIDATES, Knowledge, groups_of
from mtl_laws.pipeline.laws.design.plan import Plan, first_plan, plan
from mtl_laws.pipeline.laws.design.pool import (
    Pool,
    check_values,
    check_within,
    costs_of,
    factor_columns,
    goal_of_ranges,
    without_repeats,
)
from mtl_laws.pipeline.laws.possible import limits_of_rows
from mtl_laws.pipeline.laws.question import check_ranges
from mtl_laws.pipeline.laws.rows import Indices, infer_domains
from mtl_laws.pipeline.symbolic.kinds import Kinds, classify
from mtl_laws.pipeline.symbolic.tree import Floats, Mask
from mtl_laws.pipeline.symbolic.typeset.plain import formula_text

APART = 10.0
"""Distance in tolerances between values that are not the same."""

ROUNDING = 1e-6
"""Rounding error of a distance in tolerances."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """Which trials are wanted.

    Attributes
    ----------
    candidates : one row per trial that can be run, with a column for every factor and group.
    path : what to call them in messages: ``candidates`` or ``levels``.
    cost : column or formula; None where every trial costs 1.
    count, budget : most trials, and most cost; at least one of them is given.
    goal : rows at which the law shall predict well; None for ranges.
    domain : factor -> (low, high) of such ranges; where missing, the domain of the laws.
    repeats : whether trials that were run may be proposed again.
    replicates : whether some trials are replicates while the noise is not known.
    """

    candidates: pd.DataFrame
    path: str = CANDIDATES
    cost: str | None = None
    count: int | None = None
    budget: float | None = None
    goal: pd.DataFrame | None = None
    domain: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    repeats: bool = False
    replicates: bool = True
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Tells:
    """What a trial tells apart.

    Attributes
    ----------
    kind : ``space`` in a first design, ``noise`` for a replicate, ``forms`` where forms differ,
        ``constants`` where one form is not certain of its constants.
    forms : the two forms that differ most there, and what they predict.
    """

    kind: Literal["space", "noise", "forms", "constants"]
    forms: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The trials to run next.

    Attributes
    ----------
    trials : rows of the candidates, in order, as the user wrote them.
    cost : (M,) of each trial.
    drops : (M,) expected drop of the squared error at the goal by each; nan in a first design.
    predicted : (M,) target of each as the rows so far predict it; nan likewise.
    tells : what each tells apart.
    before, after : half the width of the interval at the goal; nan in a first design.
    forms : the forms that were compared.
    new_levels : groups of the candidates that have no row, where others have some.
    """

    trials: pd.DataFrame
    cost: Floats
    drops: Floats
    predicted: Floats
    tells: tuple[Tells, ...]
    before: float
    after: float
    forms: tuple[str, ...]
    new_levels: tuple[str, ...] = ()

    def table(self) -> pd.DataFrame:
        """One row per trial: order, its factors, cost, cost so far, and what it is for."""
        table = self.trials.reset_index(drop=True)
        table.insert(0, "order", np.arange(1, len(table) + 1))
        added = {"cost": self.cost, "spent": np.cumsum(self.cost), "drop": self.drops}
        for name, values in added.items():
            table[name if name not in self.trials else f"{name}_"] = values
        table["tells"] = [
            " | ".join([each.kind, *(name for name, _ in each.forms)]) for each in self.tells
        ]
        return table


def propose(knowledge: Knowledge, request: Request, rules: DesignRules = RULES) -> Proposal:
    """The trials to run next, in order.

    They are a first design while there are too few rows for laws, in all or in some group.

    Raises
    ------
    UserError
        if a candidate is outside the domain, a point of the goal is of an unknown group, a cost
        is not above 0, no candidate is left, or the budget pays for none.
    """
    run = {} if knowledge.rows is None else knowledge.rows.columns
    candidates = request.candidates.reset_index(drop=True)
    factor_columns(candidates, knowledge.factors, request.path)  # names and numbers are right
    distinct = without_repeats(candidates, knowledge.factors, run)
    request = replace(request, candidates=distinct)
    pool = _pool(knowledge, request)
    missing = knowledge.missing(pool.levels)
    if missing.in_all:
        knowledge = replace(knowledge, forms=())
    free = ~_was_run(pool, knowledge, rules) if not request.repeats else np.ones(len(pool), bool)
    if not free.any():
        why = f"all {len(pool)} were run already" if len(pool) else "there are none"
        expected = f"at least one candidate that was not run yet; {why}"
        raise UserError(request.path, expected, len(pool))
    if request.budget is not None and request.budget < pool.cost[free].min():
        expected = f"at least {pool.cost[free].min():g}, the cost of the cheapest candidate"
        raise UserError("budget", expected, request.budget)
    places = np.flatnonzero(free)
    if not knowledge.forms:
        chosen = first_plan(
            pool.take(free),
            knowledge.rows,
            count=request.count,
            budget=request.budget,
            missing=missing,
            rules=rules if request.replicates else replace(rules, replicates=0),
        )
        chosen = replace(chosen, order=tuple(int(places[k]) for k in chosen.order))
        return _proposal(knowledge, request, pool, chosen, [])
    assert knowledge.rows is not None
    believed = beliefs(knowledge.forms, knowledge.rows, pool, request.seed, rules)
    count, budget = request.count, request.budget
    chosen = plan(believed, pool, count=count, budget=budget, available=free, rules=rules)
    unknown = knowledge.rows.replicate_variance is None
    if request.replicates and unknown and len(chosen.order) >= rules.replicates:
        cheapest = min(chosen.order[:-1], key=lambda k: pool.cost[k])
        chosen = replace(chosen, order=(*chosen.order[:-1], cheapest))
    return _proposal(knowledge, request, pool, chosen, believed)


def _pool(knowledge: Knowledge, request: Request) -> Pool:
    table = request.candidates.reset_index(drop=True)
    columns = factor_columns(table, knowledge.factors, request.path)
    check_within(columns, knowledge.domain, request.path)
    run = {} if knowledge.rows is None else knowledge.rows.columns
    kinds = classify(knowledge.columns or _joined(columns, run))
    limits = limits_of_rows(knowledge.columns)
    check_values(columns, run, kinds, request.path, limits)
    known = () if knowledge.rows is None else knowledge.rows.levels
    offered = groups_of(table, knowledge.groups, (), request.path)[1]
    levels = tuple(dict.fromkeys([*known, *offered]))
    group, levels = groups_of(table, knowledge.groups, levels, request.path)
    goal, goal_group = _goal(knowledge, request, columns, levels, kinds)
    points = len(goal_group)
    return Pool(
        candidates=columns,
        cost=costs_of(table, request.cost, request.path, knowledge.factors),
        goal=goal,
        weight=np.full(points, 1.0 / points),
        group=group,
        goal_group=goal_group,
        levels=levels or ("",),
    )


def _goal(
    knowledge: Knowledge,
    request: Request,
    candidates: Mapping[str, Floats],
    levels: tuple[str, ...],
    kinds: Kinds,
) -> tuple[dict[str, Floats], Indices]:
    """Points of the goal and their groups: rows that are given, else ranges in every group."""
    rows = knowledge.open_rows if request.goal is None else request.goal
    run = {} if knowledge.rows is None else knowledge.rows.columns
    if rows is not None and not request.domain:
        if not len(rows):
            raise UserError("goal", "a table with at least one row", "no rows")
        columns = factor_columns(rows, knowledge.factors, "goal")
        check_values(columns, run, kinds, "goal", limits_of_rows(knowledge.columns))
        return columns, groups_of(rows, knowledge.groups, levels, "goal")[0]
    check_ranges(request.domain, knowledge.factors)
    values = _joined(candidates, run)
    ranges = {**infer_domains(values), **knowledge.domain, **request.domain}
    goal = goal_of_ranges({name: ranges[name] for name in knowledge.factors}, values)
    count, points = max(len(levels), 1), len(next(iter(goal.values())))
    repeated = {name: np.tile(column, count) for name, column in goal.items()}
    return repeated, np.repeat(np.arange(count), points)


def _joined(candidates: Mapping[str, Floats], run: Mapping[str, Floats]) -> dict[str, Floats]:
    """The factors (C + N,) of the candidates and of the rows so far."""
    return {
        name: np.concatenate([column, run.get(name, np.zeros(0))])
        for name, column in candidates.items()
    }


def _was_run(pool: Pool, knowledge: Knowledge, rules: DesignRules) -> Mask:
    """Which candidates (C,) have a row already.

    A row is a run of the nearest candidate, if it lies within the tolerance of it in every factor:
    a factor may be measured, as AMI is, and differ a little from what was asked for.
    """
    was_run = np.zeros(len(pool), bool)
    if knowledge.rows is None or not len(pool):
        return was_run
    run = knowledge.rows.columns
    joined = _joined(pool.candidates, run)
    groups = np.concatenate([pool.group, knowledge.rows.group_index])
    places = _in_tolerances(joined, groups, rules)
    candidates, rows = places[: len(pool)], places[len(pool) :]
    tree = KDTree(candidates)
    away = np.asarray(tree.query(rows, p=np.inf)[0])
    close = away <= 1.0 + ROUNDING
    nearest = tree.query_ball_point(rows[close], away[close] + ROUNDING, p=np.inf)
    was_run[[candidate for each in nearest for candidate in each]] = True
    return was_run


def _in_tolerances(columns: Mapping[str, Floats], groups: Indices, rules: DesignRules) -> Floats:
    """Places (N, D) in which two trials that may be the same are at most 1 apart on every axis.

    Groups, counts and factors without a tolerance must be equal; an undefined value differs from
    every number.
    """
    kinds = classify(columns)
    axes = [APART * groups.astype(float)]
    for name, column in columns.items():
        filled = np.where(np.isnan(column), 1.0, column)
        if name in kinds.measured:
            axes.append(np.log(filled) / np.log1p(rules.same_size))
        elif name not in kinds.sizes and np.abs(filled).max() <= 1.0:
            axes.append(filled / rules.same_fraction)
        else:
            texts = [f"{value:.9g}" for value in filled]
            axes.append(APART * np.unique(texts, return_inverse=True)[1].astype(float))
        axes.append(APART * np.isnan(column))
    return np.column_stack(axes)


def _proposal(
    knowledge: Knowledge, request: Request, pool: Pool, chosen: Plan, believed: Sequence[Belief]
) -> Proposal:
    names = tuple(formula_text(form.text) for form in knowledge.forms)
    known = () if knowledge.rows is None else knowledge.rows.levels
    order = list(chosen.order)
    seen: set[int] = set()
    tells = []
    for k in order:
        tells.append(Tells(kind="noise") if k in seen else _tells(k, pool, believed, names))
        seen.add(k)
    return Proposal(
        trials=request.candidates.reset_index(drop=True).iloc[order],
        cost=pool.cost[order],
        drops=np.array(chosen.drops[: len(order)]),
        predicted=_predicted(pool, believed)[order],
        tells=tuple(tells),
        before=chosen.before,
        after=chosen.after,
        forms=names,
        new_levels=tuple(level for level in pool.levels if known and level not in known),
    )


def _predicted(pool: Pool, believed: Sequence[Belief]) -> Floats:
    """The mean prediction (C,) of every candidate; nan without a belief."""
    predicted = np.full(len(pool), np.nan)
    for group, belief in enumerate(believed):
        predicted[pool.group == group] = belief.mean[: belief.candidates]
    return predicted


def _tells(candidate: int, pool: Pool, believed: Sequence[Belief], names: Sequence[str]) -> Tells:
    if not believed:
        return Tells(kind="space")
    group = int(pool.group[candidate])
    place = int(np.flatnonzero(np.flatnonzero(pool.group == group) == candidate)[0])
    means, between = believed[group].of_forms(place)
    if between < 0.5 or len(means) < 2:
        return Tells(kind="constants")
    low, high = min(means, key=lambda f: means[f]), max(means, key=lambda f: means[f])
    return Tells(kind="forms", forms=((names[low], means[low]), (names[high], means[high])))
