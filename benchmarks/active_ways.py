"""Ways of choosing trials: ours, and those that it is compared with.

Every way sees the factors of the candidates and of the goal, what each candidate costs, and the
targets of the trials that it has chosen.

Notation
--------
C : candidates.    K : points of the goal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from active_forms import COSTS
from mtl_laws.pipeline.laws.design.belief import RULES, DesignRules, beliefs
from mtl_laws.pipeline.laws.design.plan import first_plan, plan
from mtl_laws.pipeline.laws.design.pool import Pool, costs_of
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.symbolic.fit import fit_constants
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.starts import propose_starts
from mtl_laws.pipeline.symbolic.tree import Floats
from rivals import PublicTable

ROUNDS = 5
"""Rounds of choosing and fitting in which a budget is spent."""
REPEATS = 10
"""Repeats of what is random."""
BIG = 1e30
"""Slopes of a form are at most this."""
MOST_GOAL = 40
"""Points of the goal that a choice looks at; all of them are scored."""


@dataclass(frozen=True)
class Offer:
    """The candidates of one group, with targets that are seen once a trial is chosen.

    Attributes
    ----------
    cost : (C,) as a fraction of that of all.
    pool : its goal is a subset of at most `MOST_GOAL` points.
    goal : all points of the goal, (K,) by factor.
    y, truth : (C,) and (K,) targets of the candidates and of the goal.
    """

    pool: Pool
    goal: Mapping[str, Floats]
    y: Floats
    truth: Floats

    @property
    def cost(self) -> Floats:
        """(C,) costs."""
        return self.pool.cost

    def rows(self, chosen: Sequence[int]) -> Rows:
        """The trials that were run."""
        places = np.array(chosen, dtype=np.int64)
        columns = {name: column[places] for name, column in self.pool.candidates.items()}
        return Rows(columns, self.y[places], np.arange(len(places)), bounds=(0.0, np.inf))


Way: TypeAlias = Callable[[Expression, Offer, float, int], list[int]]
"""Form, candidates, budget and seed -> the trials, in any order."""


def offers_of(table: PublicTable) -> list[Offer]:
    """One for every group."""
    found = []
    levels = table.groups(table.train)
    for level in dict.fromkeys(levels):
        train = table.train[levels == level]
        test = table.test[table.groups(table.test) == level]
        cost = costs_of(train, COSTS[table.name], table.name)
        columns, goal = (
            {name: part[name].to_numpy(float) for name in table.factors} for part in (train, test)
        )
        step = -(-len(test) // MOST_GOAL)
        pool = Pool.of(columns, cost / cost.sum(), {k: v[::step] for k, v in goal.items()})
        found.append(Offer(pool, goal, *(p[table.target].to_numpy(float) for p in (train, test))))
    return found


def affordable(offer: Offer, chosen: Sequence[int], budget: float) -> np.ndarray[Any, Any]:
    """Mask (C,) of the candidates that are not chosen yet and that the budget pays for."""
    mask = offer.cost <= budget - offer.cost[list(chosen)].sum() + 1e-12
    mask[list(chosen)] = False
    return np.asarray(mask)


def pilot(form: Expression, offer: Offer, budget: float) -> list[int]:
    """A first design of as many trials as constants, for part of the budget; at least two."""
    count = max(len(form.constants), 2)
    rules = replace(RULES, replicates=0)
    first = first_plan(offer.pool, count=count, budget=RULES.first_share * budget, rules=rules)
    chosen = list(first.order)
    while len(chosen) < 2 and affordable(offer, chosen, budget).any():
        free = affordable(offer, chosen, budget)
        chosen.append(int(np.argmin(np.where(free, offer.cost, np.inf))))
    return chosen


def ours(
    form: Expression, offer: Offer, budget: float, seed: int, rules: DesignRules = RULES
) -> list[int]:
    """`mtl-laws next`, a fifth of what is left at a time."""
    chosen = pilot(form, offer, budget)
    for left in range(ROUNDS, 0, -1):
        free = affordable(offer, chosen, budget)
        if len(chosen) < 2 or not free.any():
            break
        remaining = budget - offer.cost[chosen].sum()
        believed = beliefs([form.tree], offer.rows(chosen), offer.pool, seed + left)
        planned = plan(believed, offer.pool, budget=remaining, available=free, rules=rules)
        chosen += planned.within(offer.cost, remaining / left) if left > 1 else planned.order
    return chosen


def slopes_of(form: Expression, columns: Mapping[str, Floats], theta: Floats) -> Floats:
    """Derivatives (C, P) of the form by its constants; those that are not finite count as 0."""
    slopes = form.jacobian(columns, theta[None])[1][0].T
    return np.clip(np.nan_to_num(slopes, posinf=0.0, neginf=0.0), -BIG, BIG)


def optimal(kind: str) -> Way:
    """D- or V-optimal design at the best fit, per cost, in the same rounds from the same pilot."""

    def choose(form: Expression, offer: Offer, budget: float, seed: int) -> list[int]:
        chosen = pilot(form, offer, budget)
        for left in range(ROUNDS, 0, -1):
            if len(chosen) < 2 or not affordable(offer, chosen, budget).any():
                break
            sample = offer.rows(chosen).sample
            fit = fit_constants(form, sample, propose_starts(form, sample, 20, seed + left), 40)
            if fit is None:
                break
            slopes, goal = (
                slopes_of(form, columns, fit.theta)
                for columns in (offer.pool.candidates, offer.pool.goal)
            )
            size = np.sqrt((slopes**2).mean(axis=0))
            slopes, goal = slopes / np.where(size > 0, size, 1), goal / np.where(size > 0, size, 1)
            inverse = np.linalg.inv(slopes[chosen].T @ slopes[chosen] + 1e-6 * np.eye(len(size)))
            share = (budget - offer.cost[chosen].sum()) / left
            spent = 0.0
            while (free := affordable(offer, chosen, budget)).any():
                spread = slopes @ inverse
                leverage = np.maximum((spread * slopes).sum(axis=1), 0.0)
                drop = ((goal @ spread.T) ** 2).sum(axis=0) / (1.0 + leverage)
                gain = np.log1p(leverage) if kind == "D" else drop
                best = int(np.argmax(np.where(free, gain / offer.cost, -1.0)))
                if left > 1 and spent and spent + offer.cost[best] > share:
                    break
                chosen.append(best)
                spent += float(offer.cost[best])
                inverse = inverse - np.outer(spread[best], spread[best]) / (1.0 + leverage[best])
        return chosen

    return choose


def drawn(weighted: bool) -> Way:
    """Random trials, perhaps the more likely the cheaper, until the budget pays for none."""

    def choose(form: Expression, offer: Offer, budget: float, seed: int) -> list[int]:
        rng, chosen = np.random.default_rng([seed, 41]), list[int]()
        while (free := affordable(offer, chosen, budget)).any():
            weight = free / offer.cost if weighted else free.astype(float)
            chosen.append(int(rng.choice(len(free), p=weight / weight.sum())))
        return chosen

    return choose


def cheapest(form: Expression, offer: Offer, budget: float, seed: int) -> list[int]:
    """The cheapest trials."""
    order = np.argsort(offer.cost, kind="stable")
    return [int(k) for k in order[np.cumsum(offer.cost[order]) <= budget + 1e-12]]


WAYS: Mapping[str, Way] = {
    "ours": ours,
    "powers 0 and 1": partial(ours, rules=replace(RULES, cost_powers=(0.0, 1.0))),
    "random": drawn(False),
    "weighted": drawn(True),
    "cheapest": cheapest,
    "D": optimal("D"),
    "V": optimal("V"),
}
"""Ways of choosing; the second is ours with other powers of the cost (decision 026)."""
RANDOM = ("random", "weighted")
"""Those that are random."""


def r2_of(offers: Sequence[Offer], predictions: Sequence[Floats]) -> float:
    """R² about one mean of the test rows, clipped at −1; −1 where a prediction is missing."""
    truth, values = (np.concatenate(list(p)) for p in ([o.truth for o in offers], predictions))
    r2 = 1.0 - ((truth - values) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
    return float(max(r2, -1.0)) if np.isfinite(r2) else -1.0
