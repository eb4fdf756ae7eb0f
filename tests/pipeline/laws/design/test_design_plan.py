"""Plans: the fast choice is that of full covariances, budgets hold, a first design fills space."""

from __future__ import annotations

import numpy as np
import pytest

from mtl_laws.pipeline.laws.design.belief import Belief, DesignRules
from mtl_laws.pipeline.laws.design.plan import Missing, first_plan, plain_plan, plan
from mtl_laws.pipeline.laws.design.pool import Pool
from mtl_laws.pipeline.laws.rows import Rows


def pool(cost: list[float] | None = None) -> Pool:
    """20 sizes from 10 to 10,000, dearer from one to the next; one goal beyond them."""
    n = np.geomspace(10, 10_000, 20)
    return Pool.of({"n": n}, n if cost is None else np.array(cost), {"n": np.array([20_000.0])})


def belief(candidates: int = 20, goal: int = 3, seed: int = 0) -> Belief:
    rng = np.random.default_rng(seed)
    draws = rng.standard_normal((8, 4)) @ rng.standard_normal((4, candidates + goal))
    return Belief(
        draws,
        np.zeros(candidates + goal),
        0.3,
        np.full(goal, 1 / goal),
        np.zeros(8, np.int64),
        np.full(8, 1 / 8),
    )


@pytest.mark.parametrize("power", [0.0, 0.4, 1.0])
def test_a_plan_is_that_of_its_readable_twin(power: float) -> None:
    offered, believed = pool(), belief()
    rules = DesignRules(cost_powers=(power,))
    fast = plan([believed], offered, count=12, rules=rules)
    assert list(fast.order) == plain_plan(believed, offered.cost, 12, power)


def test_an_observation_is_the_conditional_of_a_normal_distribution() -> None:
    """Rasmussen and Williams 2006, equation 2.24, with the noise of one trial."""
    before = belief()
    after = before.after(4)
    full = before.deviations.T @ before.deviations
    expected = full - np.outer(full[4], full[4]) / (full[4, 4] + before.noise)
    np.testing.assert_allclose(after.deviations.T @ after.deviations, expected, atol=1e-9)
    assert before.error - after.error == pytest.approx(before.drops()[4])


def test_expected_drops_add_up_to_the_fall_of_the_error() -> None:
    offered, believed = pool(), belief()
    made = plan([believed], offered, count=5)
    before, after = (1.96 * np.sqrt(e) for e in (believed.error, believed.error - sum(made.drops)))
    assert (made.before, made.after) == pytest.approx((before, after))


def test_a_plan_keeps_its_budget_and_chooses_nothing_twice() -> None:
    offered = pool()
    made = plan([belief()], offered, budget=900.0)
    assert offered.cost[list(made.order)].sum() <= 900.0
    assert len(set(made.order)) == len(made.order)
    cheapest_left = np.delete(offered.cost, list(made.order)).min()
    assert offered.cost[list(made.order)].sum() + cheapest_left > 900.0


def test_what_may_not_be_chosen_is_not() -> None:
    offered = pool()
    free = np.arange(20) % 2 == 0
    assert all(k % 2 == 0 for k in plan([belief()], offered, count=8, available=free).order)


def test_of_equal_answers_the_cheaper_trial_is_asked() -> None:
    twins = belief()
    twins.deviations[:, 1] = twins.deviations[:, 0]
    cost = np.ones(20)
    cost[0] = 2.0
    order = plan([twins], pool(list(cost)), count=20).order
    assert order.index(1) < order.index(0)


def test_groups_are_told_apart_by_their_own_trials() -> None:
    """A group that is certain already gets no trial before the other."""
    one = pool()
    two = Pool(
        candidates={"n": np.tile(one.candidates["n"], 2)},
        cost=np.ones(40),
        goal={"n": np.tile(one.goal["n"], 2)},
        weight=np.full(2, 0.5),
        group=np.repeat([0, 1], 20),
        goal_group=np.array([0, 1]),
        levels=("a", "b"),
    )
    certain, open_ = belief(goal=1), belief(goal=1, seed=1)
    certain.deviations[:] *= 1e-6
    assert all(k >= 20 for k in plan([certain, open_], two, count=5).order)


def test_a_first_design_is_cheap_and_fills_the_space() -> None:
    offered = pool()
    order = first_plan(offered, count=6, rules=DesignRules(replicates=0)).order
    assert order[0] == 0
    assert len(set(order)) == 6
    n = np.sort(offered.candidates["n"][list(order)])
    assert np.diff(np.log(n)).max() < 0.5 * np.log(1000)
    assert offered.cost[list(order)].sum() < np.sort(offered.cost)[-6:].sum()


def test_a_first_design_has_replicates_and_a_budget() -> None:
    order = first_plan(pool(), count=10).order
    assert len(order) == 10
    assert [order[4], order[9]] == [0, 0]
    few = first_plan(pool(), budget=100.0).order
    assert pool().cost[list(few)].sum() <= 100.0


def test_a_first_design_stays_away_from_what_was_run() -> None:
    known = Rows({"n": np.array([10.0, 100.0])}, np.zeros(2), np.arange(2), "y")
    order = first_plan(pool([1.0] * 20), known, count=1).order
    assert order == (19,)


def test_a_first_design_pays_for_enough_trials_if_the_budget_can() -> None:
    """A far and dear trial alone would leave too little for a law."""
    offered, rules = pool([1.0] * 10 + [45.0] * 10), DesignRules(replicates=0)
    missing = Missing(in_all=8, in_groups=(0,))
    assert len(first_plan(offered, budget=50.0, rules=rules).order) == 6
    enough = first_plan(offered, budget=50.0, missing=missing, rules=rules).order
    assert len(enough) == 10
    assert max(enough) < 10
    one = first_plan(offered, budget=52.0, missing=missing, rules=rules).order
    assert len(one) == 8
    assert max(one) >= 10
    assert len(first_plan(offered, budget=5.0, missing=missing, rules=rules).order) == 5


def test_a_first_design_keeps_budget_for_every_group_before_replicates() -> None:
    """Four in each of three groups, the last ten times as dear as the others."""
    one = pool()
    group = np.repeat([0, 1, 2], 20)
    offered = Pool(
        candidates={"n": np.tile(one.candidates["n"], 3)},
        cost=np.concatenate([np.arange(1.0, 21.0)] * 2 + [10.0 * np.arange(1.0, 21.0)]),
        goal=one.goal,
        weight=one.weight,
        group=group,
        goal_group=np.array([0]),
        levels=("a", "b", "c"),
    )
    missing = Missing(in_all=12, in_groups=(4, 4, 4))
    for budget, replicates in ((120.0, False), (1000.0, True)):  # 10 + 10 + 100
        order = first_plan(offered, budget=budget, missing=missing).order
        assert (np.bincount(group[list(set(order))]) >= 4).all()
        assert offered.cost[list(order)].sum() <= budget
        assert (len(set(order)) < len(order)) == replicates
