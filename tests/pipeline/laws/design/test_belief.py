"""Beliefs: they hold what the rows do not determine, and trials chosen by them tell more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mtl_laws.pipeline.laws.design.belief import DesignRules, beliefs
from mtl_laws.pipeline.laws.design.plan import plan
from mtl_laws.pipeline.laws.design.pool import Pool
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.symbolic.fit import fit_constants
from mtl_laws.pipeline.symbolic.program import compiled
from mtl_laws.pipeline.symbolic.starts import propose_starts
from mtl_laws.pipeline.symbolic.tree import Floats, Tree

POWER = Tree.parse("c0 + c1*n**(-c2)", ["n"])
LOG = Tree.parse("c0 + c1*log(n)", ["n"])
SIZES = np.geomspace(10, 1000, 25)
FAR = np.array([10_000.0])


def law(n: Floats) -> Floats:
    return 2.0 + 8.0 * n**-0.4


def rows(n: Floats, noise: float = 0.0, seed: int = 0) -> Rows:
    error = np.random.default_rng(seed).normal(0, noise, len(n)) if noise else 0.0
    return Rows({"n": n}, law(n) + error, np.arange(len(n)))


def offered(cost: Floats | None = None) -> Pool:
    return Pool.of({"n": SIZES}, np.ones(25) if cost is None else cost, {"n": FAR})


def test_the_truth_is_within_a_few_deviations() -> None:
    believed = beliefs([POWER], rows(SIZES, 0.02), offered(), 0)[0]
    assert abs(believed.mean[-1] - law(FAR)[0]) < 3 * np.sqrt(believed.error)


def test_two_forms_are_told_apart_where_they_differ() -> None:
    """Both fit the small sizes; at the largest they differ most, and trials there are chosen."""
    few = rows(SIZES[5:10], 0.01)
    believed = beliefs([POWER, LOG], few, offered(), 0)[0]
    means, between = believed.of_forms(24)
    near, _ = believed.of_forms(7)
    assert set(means) == {0, 1}
    assert between > 0.2
    assert np.ptp(list(means.values())) > np.ptp(list(near.values()))
    assert plan([believed], offered(), count=1).order[0] in (0, *range(20, 25))


def test_the_same_seed_gives_the_same_belief() -> None:
    one, two = (beliefs([POWER, LOG], rows(SIZES[:6]), offered(), 3)[0] for _ in range(2))
    np.testing.assert_array_equal(one.deviations, two.deviations)


def test_a_unit_does_not_matter() -> None:
    data = rows(SIZES[:8], 0.02)
    small = beliefs([POWER], data, offered(), 0)[0]
    scaled = Rows({"n": data.columns["n"] * 1e6}, data.target, data.cell)
    pool = Pool.of({"n": SIZES * 1e6}, np.ones(25), {"n": FAR * 1e6})
    large = beliefs([POWER], scaled, pool, 0)[0]
    assert large.error == pytest.approx(small.error, rel=0.05)


def test_groups_have_beliefs_of_their_own() -> None:
    n = np.tile(SIZES[:8], 2)
    group = np.repeat([0, 1], 8)
    data = Rows({"n": n}, law(n) + group, np.arange(16), group=group, levels=("a", "b"))
    pool = Pool(
        candidates={"n": np.tile(SIZES, 2)},
        cost=np.ones(50),
        goal={"n": np.tile(FAR, 2)},
        weight=np.full(2, 0.5),
        group=np.repeat([0, 1], 25),
        goal_group=np.array([0, 1]),
        levels=("a", "b"),
    )
    first, second = beliefs([POWER], data, pool, 0)
    assert first.candidates == second.candidates == 25
    assert second.mean[-1] - first.mean[-1] == pytest.approx(1.0, abs=0.3)


@pytest.mark.parametrize("groups", [1, 2])
def test_a_form_without_a_value_at_the_rows_says_nothing(groups: int) -> None:
    """Alone it leaves the choice open; beside another form it has no weight."""
    nowhere = Tree.parse("c0 + c1*sqrt(-n)", ["n"])
    data = rows(np.tile(SIZES[:8], groups), 0.02)
    pool = offered()
    if groups > 1:
        data = replace(data, group=np.repeat([0, 1], 8), levels=("a", "b"))
        pool = replace(pool, levels=("a", "b"))
    alone = beliefs([nowhere], data, pool, 0)
    assert len(plan(alone, pool, count=3).order) == 3
    beside, without = (beliefs(forms, data, pool, 0)[0] for forms in ([POWER, nowhere], [POWER]))
    assert beside.share[beside.form == 1].sum() == 0.0
    assert beside.error == pytest.approx(without.error)


def test_chosen_trials_predict_better_than_the_cheapest() -> None:
    """The same cost, noise of 1 % of the range: mean squared error at the goal over ten tables."""
    cost = SIZES / SIZES.sum()
    pool, form = offered(cost), compiled(POWER)
    errors: dict[str, list[float]] = {"chosen": [], "cheapest": []}
    for seed in range(10):
        data = rows(SIZES, 0.05, seed)
        first = [0, 4, 8]
        believed = beliefs([POWER], data.take(np.array(first)), pool, seed, DesignRules(draws=60))
        free = np.ones(25, bool)
        free[first] = False
        budget = 0.15
        chosen = [*first, *plan(believed, pool, budget=budget, available=free).order]
        total = budget + cost[first].sum()
        cheapest = list(np.flatnonzero(np.cumsum(cost) <= total))
        for name, picks in (("chosen", chosen), ("cheapest", cheapest)):
            sample = data.take(np.array(picks)).sample
            fit = fit_constants(form, sample, propose_starts(form, sample, 20, 0))
            assert fit is not None
            errors[name].append(float((form.evaluate({"n": FAR}, fit.theta) - law(FAR))[0] ** 2))
    assert np.median(errors["chosen"]) < np.median(errors["cheapest"])
