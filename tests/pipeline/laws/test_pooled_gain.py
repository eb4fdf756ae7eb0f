"""Measured harm: found where it was planted, rarely where there is none, and read by direction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.laws.direction import lower_is_better
from mtl_laws.pipeline.laws.evidence.harm import harm
from mtl_laws.pipeline.laws.evidence.pairs import Pairs
from mtl_laws.pipeline.laws.evidence.pooled import (
    COMPARISONS,
    PooledGain,
    pooled_gain,
    pooled_means,
    sums_by_pairs,
    sums_by_steps,
)
from mtl_laws.pipeline.laws.factors import task_roles
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.question import Problem, Question, pose
from mtl_laws.pipeline.laws.record import Roles
from support.rows import posed

FACTORS = ("n", "T", "ami")
LAW = Law(
    expression="0.3 + 0.08*log(n) + 0.02*(T - 1)/T", factors=FACTORS, complexity=9, valid=True
)
NOISE = 0.02


def trained(
    seed: int,
    *,
    harm_at_lowest: float = 0.0,
    replicates: int = 4,
    singles: int = 4,
    luck_of_seeds: float = 0.0,
) -> pd.DataFrame:
    """5 x 4 x 4 cells without gains but at the lowest AMI; noise of small n is twice as large."""
    random = np.random.default_rng(seed)
    luck = random.normal(0, luck_of_seeds, (5, max(replicates, singles)))
    rows = []
    for place, n in enumerate((50, 100, 200, 400, 800)):
        for tasks in (1, 2, 4, 8):
            for ami in (np.nan,) if tasks == 1 else (0.05, 0.3, 0.6, 0.9):
                for k in range(singles if tasks == 1 else replicates):
                    noise = random.normal(0, NOISE * (2.0 if n < 150 else 1.0))
                    shift = -harm_at_lowest if ami == 0.05 else 0.0
                    rows.append((n, tasks, ami, k, 0.3 + shift + luck[place, k] + noise))
    return pd.DataFrame(rows, columns=[*FACTORS, "seed", "y"]).astype({"n": float, "T": float})


def problem_of(table: pd.DataFrame) -> Problem:
    return pose(table, Question("y", {name: name for name in FACTORS}), "t")


def gains(table: pd.DataFrame, lower: bool = False) -> PooledGain:
    problem = problem_of(table)
    found = pooled_gain(LAW, problem.data, lower, problem.seeds, 0)
    assert found is not None
    return found


@pytest.mark.parametrize("factors", [FACTORS, (*FACTORS, *(f"x{k}" for k in range(20)))])
def test_each_cell_is_pooled_with_its_neighbours(factors: Sequence[str]) -> None:
    """Of 22 factors that may differ by a level, one by one, there are 3²² neighbours."""
    random, cells = np.random.default_rng(0), 300
    highest = 6 if len(factors) == 3 else 2
    pairs = Pairs(
        gain=random.normal(size=cells),
        weight=random.uniform(1, 3, cells),
        base=np.arange(cells),
        own=None,
        shared=None,
        freedom=0.0,
        levels={name: random.integers(0, highest, cells) for name in factors},
        at={},
        group=random.integers(0, 2, cells),
        by_seed=False,
    )
    means = pooled_means(pairs, "ami")
    for cell in range(cells):
        near = pairs.group == pairs.group[cell]
        for name, code in pairs.levels.items():
            near &= np.abs(code - code[cell]) <= (0 if name == "ami" else 1)
        assert means[cell] == pytest.approx(
            np.average(pairs.gain[near], weights=pairs.weight[near])
        )


def test_both_ways_to_find_neighbours_give_the_same_sums() -> None:
    random = np.random.default_rng(0)
    places = np.unique(random.integers(0, 4, (3_000, 6)), axis=0)
    assert len(places) > COMPARISONS**0.5, "several blocks"
    sums = random.normal(size=(2, len(places)))
    for reaches in ([0, 1, 1, 0, 1, 1], [0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]):
        steps = sums_by_steps(places, sums, reaches)
        np.testing.assert_allclose(sums_by_pairs(places, sums, reaches), steps, atol=1e-9)


@pytest.mark.parametrize(
    ("luck", "by_seed"), [(0.0, False), (0.0, True), (0.03, True)], ids=["means", "seeds", "luck"]
)
def test_tables_without_harm_seldom_show_any(luck: float, by_seed: bool) -> None:
    tables = [trained(seed, luck_of_seeds=luck) for seed in range(60)]
    found = [gains(table if by_seed else table.drop(columns="seed")) for table in tables]
    assert all(each.by_seed == by_seed for each in found)
    assert np.mean([bool(each.harm) for each in found]) <= 0.1
    assert np.mean([bool(each.help) for each in found]) <= 0.1


def test_a_small_harm_that_is_spread_over_cells_is_found_where_it_is() -> None:
    """Most cells alone are within two standard errors of the single task."""
    tables = [trained(k, harm_at_lowest=0.02, singles=16) for k in range(20)]
    found = [gains(table.drop(columns="seed")) for table in tables]
    alone = [each.clearly for each in found if each.clearly is not None]
    assert np.mean(alone) < 9  # of the 15 cells of the lowest AMI
    assert all(each.harm for each in found)
    first = [each.harm[0] for each in found]
    assert all(region.where["ami"] == (0.05, 0.05) for region in first)
    assert np.mean([region.gain for region in first]) == pytest.approx(-0.02, abs=0.004)
    assert all(low <= -0.02 <= high < 0 for low, high in (region.ci95 for region in first))
    assert all(region.law is not None and region.law > 0 for region in first), "the law says gain"


def test_every_cell_knows_its_neighbours_and_its_region() -> None:
    found = gains(trained(1, harm_at_lowest=0.1))
    assert len(found.cells) == 60
    lowest = [cell for cell in found.cells if cell.at["ami"] == 0.05]
    assert {cell.region for cell in lowest} == {-1}
    assert {cell.region for cell in found.cells if cell not in lowest} == {0}
    corner = next(c for c in lowest if c.at["n"] == 50 and c.at["T"] == 2)
    near = [c.gain for c in lowest if c.at["n"] in (50, 100) and c.at["T"] in (2, 4)]
    assert corner.pooled == pytest.approx(np.mean(near)), "of equal relatedness"


def test_of_a_loss_harm_is_a_rise() -> None:
    table = trained(2, harm_at_lowest=0.1).assign(y=lambda t: 3.0 - t["y"])
    found = gains(table, lower=True)
    assert found.harm[0].where["ami"] == (0.05, 0.05)
    assert found.harm[0].gain == pytest.approx(-0.1, abs=0.02)
    assert gains(table, lower=False).help[0].where["ami"] == (0.05, 0.05)
    falls = Law(expression="3 - 0.02*(T - 1)/T", factors=FACTORS, complexity=9, valid=True)
    change = harm(falls, problem_of(table).data, lower=True)
    assert change is not None
    assert (change.lowered, change.lowest) == (0.0, pytest.approx(0.01))


def test_measured_values_near_one_level_are_replicates_of_it() -> None:
    table = trained(3, harm_at_lowest=0.1).drop(columns="seed")
    scatter = np.random.default_rng(0).uniform(-0.002, 0.002, len(table))
    found = gains(table.assign(ami=table["ami"] + scatter))
    assert len(found.cells) == 60
    assert found.harm[0].where["ami"] == pytest.approx((0.05, 0.05), abs=0.002)


def test_without_replicates_nothing_is_tested() -> None:
    found = gains(trained(4, replicates=1, singles=1).drop(columns="seed"))
    assert (found.tested, found.harm, found.help, found.clearly) == (False, (), (), None)
    assert len(found.cells) == 60


def test_what_one_task_does_not_have_is_no_reason_to_have_no_partner() -> None:
    """The overlap of features is undefined for one task, as its AMI is."""
    parts = [trained(k).assign(overlap=overlap) for k, overlap in enumerate((0.0, 1.0))]
    parts[0].loc[parts[0]["T"] > 1, "y"] -= 0.1
    table = pd.concat(parts, ignore_index=True)
    table.loc[table["T"] == 1, "overlap"] = np.nan
    problem = pose(table, Question("y", {n: n for n in (*FACTORS, "overlap")}), "t")
    law = LAW.model_copy(update={"factors": (*FACTORS, "overlap")})
    found = pooled_gain(law, problem.data, False, problem.seeds, 0)
    assert found is not None
    assert len(found.cells) == 120
    assert found.harm[0].where["overlap"] == (0.0, 0.0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("val_loss", True), ("testRMSE_nats", True), ("accuracy", False), ("gain", False)],
)
def test_the_name_of_a_target_says_which_way_is_better(name: str, expected: bool) -> None:
    table = trained(0).rename(columns={"y": name})
    problem = pose(table, Question(name, {factor: factor for factor in FACTORS}), "t")
    assert lower_is_better(problem.data) == expected


def test_a_target_of_unknown_name_is_a_loss_if_it_falls_and_has_no_upper_bound() -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame({"N": np.repeat([1e6, 1e7, 1e8], 12), "E": [1.0, 8.0, 64.0] * 12})
    falling = 2 + 30 * table["N"] ** -0.2 - 0.1 * np.log(table["E"]) + random.normal(0, 0.02, 36)
    assert lower_is_better(posed(table.assign(y=falling), bounds=(0.0, None)).data)
    assert not lower_is_better(posed(table.assign(y=5 - falling), bounds=(None, None)).data)
    assert not lower_is_better(posed(table.assign(y=falling / 9), bounds=(0.0, 1.0)).data)
    flat = random.normal(1, 0.02, 36)
    assert not lower_is_better(posed(table.assign(y=flat)).data)


def test_only_a_count_of_tasks_is_t() -> None:
    columns = {
        "N": np.array([1e6, 1e7, 1e8] * 4),
        "P": np.repeat([1.0, 2.0, 4.0, 8.0], 3),
        "dropout": np.array([0.1, 0.2, 0.5] * 4),
    }
    assert task_roles(columns) == Roles(size="N")
    named = {"N": columns["N"], "T": columns["P"], "noise": columns["dropout"]}
    assert task_roles(named) == Roles(size="N", tasks="T"), "label noise is no relatedness"
    related = {**columns, "dropout": np.where(columns["P"] == 1, np.nan, columns["dropout"])}
    assert task_roles(related) == Roles(size="N", tasks="P", relatedness="dropout")
    together = {name: column[3:] for name, column in named.items()}
    assert task_roles(together) == Roles(size="N"), "no row of one task"
