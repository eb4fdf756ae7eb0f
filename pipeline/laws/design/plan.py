"""Plan: the trials to run next, in order, and what they are expected to tell.

Trials are chosen one after the other: that with the largest expected drop of the squared error at
the goal, over its cost to a power. After each choice the belief is updated as if it had been run,
so that a batch does not ask the same question twice. Where a budget is given, several powers are
tried, and the plan with the least expected error at its end is taken.

Notation
--------
C : candidates.    K : points of the goal.    G : groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtl_laws.pipeline.laws.design.belief import RULES, Belief, DesignRules
from mtl_laws.pipeline.laws.design.pool import Pool
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.symbolic.tree import Floats, Mask

WIDTH = 1.96
"""Half of a 95 % interval, in standard deviations."""


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Trials that are missing until there are enough rows for laws.

    Attributes
    ----------
    in_all : at least the sum of `in_groups`.
    in_groups : (G,) in each group.
    """

    in_all: int
    in_groups: tuple[int, ...]

    def without(self, group: int) -> Missing:
        """What is missing after one more trial of a group."""
        left = tuple(max(n - (g == group), 0) for g, n in enumerate(self.in_groups))
        return Missing(in_all=max(self.in_all - 1, sum(left)), in_groups=left)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Trials in order.

    Attributes
    ----------
    order : places of the candidates; one that occurs twice is a replicate.
    drops : expected drop of the squared error at the goal by each, given those before it; nan in a
        first design, which knows no laws.
    before, after : half the width of the 95 % interval at the goal, root mean square over its
        points; nan likewise.
    """

    order: tuple[int, ...]
    drops: tuple[float, ...]
    before: float = float("nan")
    after: float = float("nan")

    def within(self, cost: Floats, share: float) -> tuple[int, ...]:
        """The first trials of the plan whose cost together is at most `share`; at least one."""
        spent = np.cumsum(cost[list(self.order)])
        return self.order[: max(int((spent <= share * (1 + 1e-9)).sum()), 1)]


def plan(
    beliefs: Sequence[Belief],
    pool: Pool,
    *,
    count: int | None = None,
    budget: float | None = None,
    available: Mask | None = None,
    rules: DesignRules = RULES,
) -> Plan:
    """The trials to run next; each candidate at most once.

    Parameters
    ----------
    beliefs : one for each group of the pool.
    count : most trials; None for no limit.
    budget : cost of all of them together at most; None for no limit.
    available : (C,) candidates that may be chosen; all where None.
    """
    free = np.ones(len(pool), bool) if available is None else available
    powers = rules.cost_powers if budget is not None else rules.cost_powers[:1]
    ways = [_greedy(beliefs, pool, count, budget, free, power) for power in powers]
    order, drops, error = min(ways, key=lambda way: way[2])
    before = sum(belief.error for belief in beliefs)
    before, after = (WIDTH * float(np.sqrt(max(e, 0.0))) for e in (before, error))
    return Plan(order=tuple(order), drops=tuple(drops), before=before, after=after)


def _greedy(
    beliefs: Sequence[Belief],
    pool: Pool,
    count: int | None,
    budget: float | None,
    available: Mask,
    power: float,
) -> tuple[list[int], list[float], float]:
    """Places, drops and the error that remains."""
    states = [_State(belief) for belief in beliefs]
    members = [np.flatnonzero(pool.group == group) for group in range(len(beliefs))]
    inside = np.zeros(len(pool), np.int64)
    drop = np.zeros(len(pool))
    for state, places in zip(states, members, strict=True):
        inside[places] = np.arange(len(places))
        drop[places] = state.drops()
    free, left = available.copy(), np.inf if budget is None else budget * (1 + 1e-9)
    worth = pool.cost**power
    order: list[int] = []
    drops: list[float] = []
    while len(order) < (len(pool) if count is None else count):
        affordable = free & (pool.cost <= left)
        if not affordable.any():
            break
        best = int(np.argmax(np.where(affordable, drop / worth, -np.inf)))
        group = int(pool.group[best])
        order.append(best)
        drops.append(float(drop[best]))
        free[best], left = False, left - pool.cost[best]
        states[group].observe(int(inside[best]))
        drop[members[group]] = states[group].drops()
    return order, drops, sum(state.error for state in states)


class _State:
    """A belief that is updated in place; equal to `Belief.after`, without its covariances anew."""

    def __init__(self, belief: Belief) -> None:
        self.deviations, self.noise = belief.deviations.copy(), belief.noise
        self.weight, self.candidates = belief.weight, belief.candidates
        self.covariance = belief.covariance
        self.variance = (self.deviations**2).sum(axis=0)

    @property
    def error(self) -> float:
        return float(self.weight @ self.variance[self.candidates :])

    def drops(self) -> Floats:
        """As `Belief.drops`."""
        variance = np.maximum(self.variance[: self.candidates], 0.0)
        return np.asarray(self.weight @ self.covariance**2 / (variance + self.noise))

    def observe(self, candidate: int) -> None:
        """As `Belief.after`."""
        column = self.deviations[:, candidate].copy()
        row = column @ self.deviations
        total = max(float(row[candidate]), 0.0) + self.noise
        shrink = 1.0 / (1.0 + np.sqrt(self.noise / total))
        self.deviations -= np.outer(column, shrink * row / total)
        self.covariance -= np.outer(row[self.candidates :], row[: self.candidates] / total)
        self.variance -= row**2 / total


def plain_plan(belief: Belief, cost: Floats, count: int, power: float) -> list[int]:
    """What `plan` does for one group and one power, in full covariances: its readable twin."""
    size = belief.candidates
    covariance = belief.deviations.T @ belief.deviations
    order: list[int] = []
    for _ in range(count):
        drops = np.zeros(size)
        for c in range(size):
            informed = covariance[size:, c] ** 2 / (covariance[c, c] + belief.noise)
            drops[c] = belief.weight @ informed
        drops[order] = -np.inf
        best = int(np.argmax(drops / cost**power))
        order.append(best)
        seen = covariance[:, best] / (covariance[best, best] + belief.noise)
        covariance = covariance - np.outer(seen, covariance[best])
    return order


def first_plan(
    pool: Pool,
    past: Rows | None = None,
    *,
    count: int | None = None,
    budget: float | None = None,
    missing: Missing | None = None,
    rules: DesignRules = RULES,
) -> Plan:
    """A first design, where no law is known: cheap trials that fill the space.

    The cheapest candidate comes first; then, again and again, that with the largest distance from
    all before it in its group, over its cost to a power. Distances are in widths of the candidates,
    of sizes in their logarithm.

    Parameters
    ----------
    past : rows that were run already.
    missing : trials to keep budget for; none if not given. A trial is skipped if the budget would
        then not pay for the cheapest others.
    """
    candidates, _, rows = pool.places(None if past is None else past.columns)
    far = 2.0 * np.sqrt(candidates.shape[1])
    distance_of_group = [np.where(pool.group == g, far, np.inf) for g in range(len(pool.levels))]

    def visit(place: Floats, group: int) -> None:
        away = np.where(pool.group == group, np.linalg.norm(candidates - place, axis=1), np.inf)
        distance_of_group[group] = np.minimum(distance_of_group[group], away)

    for row, group in zip(rows, () if past is None else past.group_index, strict=True):
        visit(row, int(group))
    order: list[int] = []
    free, left = np.ones(len(pool), bool), np.inf if budget is None else budget * (1 + 1e-9)
    start = None  # the cheapest candidate; of several, that with the smallest factors
    if not len(rows):
        start = int(np.lexsort((candidates.sum(axis=1), pool.cost))[0])
    missing = missing or Missing(in_all=0, in_groups=(0,) * len(pool.levels))
    while len(order) < (len(pool) if count is None else count):
        affordable = free & (pool.cost <= left)
        kept, with_others = _reserve(pool, free, missing)
        due = rules.replicates and len(order) % rules.replicates == rules.replicates - 1
        if due and order:
            cheapest = min(order, key=lambda c: pool.cost[c])
            if pool.cost[cheapest] + kept <= left:
                order.append(cheapest)
                left -= pool.cost[cheapest]
                continue
        if not affordable.any():
            break
        enough = affordable & (with_others <= left)
        near = np.min(distance_of_group, axis=0)
        worth = (near + 1e-9) / pool.cost**rules.first_power
        worth = np.where(enough if enough.any() else affordable, worth, -np.inf)
        chosen = start if start is not None and not order else int(np.argmax(worth))
        order.append(chosen)
        group = int(pool.group[chosen])
        free[chosen], left = False, left - pool.cost[chosen]
        missing = missing.without(group)
        visit(candidates[chosen], group)
    return Plan(order=tuple(order), drops=(float("nan"),) * len(order))


def _reserve(pool: Pool, free: Mask, missing: Missing) -> tuple[float, Floats]:
    """Cost of the cheapest trials that are still needed, and (C,) if a candidate is one of them."""
    if not missing.in_all:
        return 0.0, pool.cost
    order = np.flatnonzero(free)[np.argsort(pool.cost[free], kind="stable")]
    group = pool.group[order]
    needed = np.zeros(len(order), bool)
    for g, count in enumerate(missing.in_groups):
        needed[np.flatnonzero(group == g)[:count]] = True
    more = np.flatnonzero(~needed)[: max(missing.in_all - int(needed.sum()), 0)]
    reserved = needed.copy()
    reserved[more] = True
    cost = pool.cost[order]
    total = float(cost[reserved].sum())
    dearest_of_more = cost[more].max(initial=0.0)
    replaced = np.array(  # what a candidate of each group makes unnecessary
        [
            max(dearest_of_more, cost[needed & (group == g)].max(initial=0.0))
            for g in range(len(pool.levels))
        ]
    )
    with_others = np.full(len(pool), np.inf)
    with_others[order] = total + np.where(reserved, 0.0, cost - replaced[group])
    return total, with_others
