"""Proposals: candidates, cost and goal as a user writes them, and the loop of ask and tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.laws.design.belief import RULES
from mtl_laws.pipeline.laws.design.knowledge import Knowledge, groups_of
from mtl_laws.pipeline.laws.design.pool import check_within, costs_of, goal_of_ranges, read_levels
from mtl_laws.pipeline.laws.design.proposal import Request, propose
from mtl_laws.pipeline.laws.question import Question

LEVELS = "n=100,200,400,800,1600 T=1,2,4"


def candidates() -> pd.DataFrame:
    return read_levels(LEVELS, {"n": "n", "T": "T"})


def measured(table: pd.DataFrame, noise: float = 0.003, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    size = table["n"] * (1 + 0.5 * (table["T"] - 1))
    return table.assign(y=0.9 - 1.5 / np.sqrt(size) + rng.normal(0, noise, len(table)))


def knowledge(table: pd.DataFrame, forms: tuple[str, ...] = ()) -> Knowledge:
    question = Question("y", {"n": "n", "T": "T"}, forms=forms)
    return Knowledge.of_table(table, question, "table.csv")


def test_levels_are_combined() -> None:
    table = read_levels("n=1,2,3 g=a,b", {"n": "n"}, ["g"])
    assert len(table) == 6
    assert sorted(set(table["g"])) == ["a", "b"]


def test_levels_and_a_cost_may_name_columns() -> None:
    factors = {"n": "tokens", "T": "tasks"}
    table = read_levels("tokens=100,200 T=1,2", factors)
    assert list(table.columns) == ["n", "T"]
    with pytest.raises(UserError, match="each factor once"):
        read_levels("tokens=100 n=100 T=1", factors)
    for offer in (table, table.rename(columns=factors)):
        for formula in ("tokens*tasks", "n*T", "tokens*T"):
            np.testing.assert_allclose(
                costs_of(offer, formula, "it", factors), table["n"] * table["T"]
            )
        np.testing.assert_allclose(costs_of(offer, "tokens", "it", factors), table["n"])


def test_a_cost_of_zero_names_its_candidate() -> None:
    with pytest.raises(UserError) as caught:
        costs_of(candidates(), "0", "it")
    assert str(caught.value) == (
        "cost: expected a cost above 0 for every candidate, got 0 for candidate 1"
    )


@pytest.mark.parametrize("text", ["n=1,2", "n=1,x T=1", "n=1 n=2 T=1", "m=1 T=1", "n T=1"])
def test_levels_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UserError) as caught:
        read_levels(text, {"n": "n", "T": "T"})
    assert caught.value.path == "levels"


def test_a_cost_is_a_column_or_a_formula() -> None:
    table = candidates().assign(**{"GPU hours": 2.0})
    np.testing.assert_allclose(costs_of(table, "6*n*T", "it"), 6 * table["n"] * table["T"])
    np.testing.assert_allclose(costs_of(table, "GPU hours", "it"), 2.0)
    np.testing.assert_allclose(costs_of(table, None, "it"), 1.0)
    np.testing.assert_allclose(costs_of(table, "3", "it"), 3.0)


@pytest.mark.parametrize("text", ["n - 100", "-n", "0", "m*n", "c0*n", "n ^ 2", "log(T - 1)"])
def test_a_cost_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UserError) as caught:
        costs_of(candidates(), text, "it")
    assert caught.value.path == "cost"


def test_a_goal_of_ranges_holds_its_corners() -> None:
    ranges = {"n": (10.0, 1000.0), "T": (1.0, 4.0)}
    goal = goal_of_ranges(ranges, {"n": np.array([10.0, 1e4]), "T": np.array([1.0, 8.0])})
    assert len(goal["n"]) == 16
    assert {(10.0, 1.0), (1000.0, 4.0)} <= set(zip(goal["n"].round(6), goal["T"], strict=True))


def test_candidates_outside_the_domain_are_refused() -> None:
    with pytest.raises(UserError) as caught:
        check_within({"n": np.array([5.0, 50.0])}, {"n": (0.0, 10.0)}, "candidates")
    assert (caught.value.path, caught.value.got) == ("candidates", 50.0)


def test_a_group_without_rows_is_refused() -> None:
    table = pd.DataFrame({"g": ["a", "c"]})
    with pytest.raises(UserError) as caught:
        groups_of(table, ["g"], ("a", "b"))
    assert caught.value.got == "c"


@pytest.mark.parametrize(("row", "got"), [({"n": -5.0}, -5.0), ({"n": np.nan}, "an empty cell")])
def test_candidates_that_are_no_trials_are_refused(row: dict[str, float], got: object) -> None:
    offer = candidates().astype(float)
    offer.loc[4, [*row]] = [*row.values()]
    found = knowledge(measured(candidates().iloc[:12]))
    for request in (
        Request(candidates=offer, count=2),
        Request(candidates=candidates(), count=2, goal=offer),
    ):
        with pytest.raises(UserError) as caught:
            propose(found, request)
        table = "candidates" if request.goal is None else "goal"
        assert caught.value.path == f"{table}, row 5, column n"
        assert caught.value.got == got


def test_relatedness_may_be_empty_at_one_task_before_such_a_row_was_run() -> None:
    offer = read_levels(
        "n=100,200,400,800 T=2,4 ami=0.1,0.5,0.9", {"n": "n", "T": "T", "ami": "ami"}
    )
    run = offer.assign(y=1 - 5 / np.sqrt(offer["n"] * offer["T"] ** offer["ami"]))
    alone = pd.DataFrame({"n": [100.0, 800.0], "T": [1.0, 1.0], "ami": [np.nan, np.nan]})
    question = Question("y", {name: name for name in ("n", "T", "ami")})
    found = Knowledge.of_table(run, question, "table.csv")
    assert len(propose(found, Request(candidates=alone, count=1)).trials) == 1
    single = alone.assign(y=0.5)  # as studies record it: no relatedness at T = 1
    for rows in (run, pd.concat([run, single]), single[:0], single, run[:3]):
        found = Knowledge.of_table(rows, question, "table.csv")
        holed = pd.concat([offer, alone, alone[:1].assign(T=4.0)])
        with pytest.raises(UserError) as caught:
            propose(found, Request(candidates=holed, count=1, repeats=True))
        assert caught.value.path == f"candidates, row {len(holed)}, column ami"
        request = Request(candidates=holed[:-1], count=1, repeats=True)
        assert len(propose(found, request).trials) == 1


def test_a_factor_may_be_empty_where_a_row_that_was_run_leaves_it_empty() -> None:
    offer = read_levels(
        "n=100,200,400,800 T=2,4 ami=0.1,0.5,0.9", {"n": "n", "T": "T", "ami": "ami"}
    )
    offer.loc[[3, 9], "ami"] = np.nan
    question = Question("y", {name: name for name in ("n", "T", "ami")})
    found = Knowledge.of_table(offer[:6].assign(y=0.5), question, "table.csv")
    assert len(propose(found, Request(candidates=offer, count=2)).trials) == 2


@pytest.mark.parametrize("domain", [{"n": (5.0, 1.0)}, {"m": (0.0, 1.0)}, {"n": (1.0, np.inf)}])
def test_a_domain_that_is_none_is_refused(domain: dict[str, tuple[float, float]]) -> None:
    found = knowledge(measured(candidates().iloc[:12]))
    with pytest.raises(UserError) as caught:
        propose(found, Request(candidates=candidates(), count=2, domain=domain))
    assert caught.value.path == f"domain.{next(iter(domain))}"


def test_an_empty_table_gets_a_first_design() -> None:
    empty = pd.DataFrame({"n": [], "T": [], "y": []}, dtype=float)
    made = propose(knowledge(empty), Request(candidates=candidates(), count=6, cost="n*T"))
    assert made.forms == ()
    assert [each.kind for each in made.tells] == [*["space"] * 4, "noise", "space"]
    assert made.trials.iloc[0].to_dict() == {"n": 100.0, "T": 1.0}
    assert np.isnan(made.before)


@pytest.mark.parametrize(("of_a", "of_b"), [(0, 0), (3, 0), (9, 0), (9, 1), (9, 3)])
def test_a_first_design_goes_on_until_every_group_has_rows_for_constants(
    of_a: int, of_b: int
) -> None:
    table = pd.concat([measured(candidates()).assign(g=level) for level in ("a", "b")])
    run = pd.concat([table[table["g"] == "a"][:of_a], table[table["g"] == "b"][:of_b]])
    question = Question("y", {"n": "n", "T": "T"}, groups=("g",))
    found = Knowledge.of_table(run, question, "table.csv")
    request = Request(candidates=table.drop(columns="y"), count=4, replicates=False)
    made = propose(found, request)
    assert {each.kind for each in made.tells} == {"space"}
    assert made.trials["g"].tolist().count("b") >= 2
    assert (made.forms, np.isnan(made.before)) == ((), True)
    enough = pd.concat([table[table["g"] == "a"][:8], table[table["g"] == "b"][:4]])
    assert propose(Knowledge.of_table(enough, question, "table.csv"), request).forms


def test_the_budget_of_a_first_design_pays_for_four_trials_of_every_group() -> None:
    offer = read_levels("n=1,2,4,8,16,32 g=a,b,c", {"n": "n"}, ["g"])
    question = Question("y", {"n": "n"}, groups=("g",))
    empty = offer[:0].assign(y=pd.Series(dtype=float))
    found = Knowledge.of_table(empty, question, "table.csv")
    made = propose(found, Request(candidates=offer, cost="n", budget=60.0))  # the least is 45
    assert made.trials.drop_duplicates()["g"].value_counts().min() >= 4
    assert made.cost.sum() <= 60.0


def test_asking_and_telling_goes_on() -> None:
    table, form = measured(candidates().iloc[::2]), ("a + b*(n*(1 + c*(T - 1)))**d",)
    for seed in range(3):
        request = Request(candidates=candidates(), count=6, repeats=True)
        made = propose(knowledge(table, form), request)
        assert len(made.trials) == 6
        assert made.after < made.before
        assert np.all(made.drops > 0)
        table = pd.concat([table, measured(made.trials, seed=seed + 1)])


def test_what_was_run_is_not_proposed_again() -> None:
    table = measured(candidates().iloc[:12])
    request = Request(candidates=candidates(), count=10, replicates=False)
    made = propose(knowledge(table), request)
    assert sorted(made.trials.index) == [12, 13, 14]
    with pytest.raises(UserError) as caught:
        propose(knowledge(measured(candidates())), request)
    assert caught.value.path == "candidates"


def with_relatedness(rows: list[tuple[float, float, float]]) -> Knowledge:
    table = pd.DataFrame(rows, columns=["n", "T", "ami"])
    question = Question("y", {name: name for name in ("n", "T", "ami")}, forms=("c0*n",))
    return Knowledge.of_table(table.assign(y=table["n"] / 1_000), question, "table.csv")


def offered(known: Knowledge, levels: str, **changed: float) -> list[tuple[float, ...]]:
    """The candidates that were not run."""
    candidates = read_levels(levels, {"n": "n", "T": "T", "ami": "ami"})
    request = Request(candidates=candidates, count=len(candidates), replicates=False)
    made = propose(known, request, replace(RULES, **changed))
    return sorted(made.trials.itertuples(index=False, name=None))


RUN = [(n, T, ami) for n in (100.0, 400.0) for T, ami in ((2.0, 0.1), (4.0, 0.1), (3.0, 0.9))]


def test_a_trial_whose_relatedness_was_measured_is_not_new() -> None:
    known = with_relatedness([*RUN, (100.0, 2.0, 0.197), (398.0, 2.0, 0.603), (400.0, 2.0, 0.188)])
    levels = "n=100,400 T=2 ami=0.2,0.6"
    assert offered(known, levels) == [(100.0, 2.0, 0.6), (400.0, 2.0, 0.2)]
    assert len(offered(known, levels, same_fraction=0.02)) == 1
    assert len(offered(known, levels, same_fraction=1e-6)) == 4
    assert len(offered(known, levels, same_size=0.001)) == 3


def test_a_row_is_a_run_of_the_nearest_candidate_only() -> None:
    known = with_relatedness([*RUN, (1000.0, 2.0, 0.197)])
    levels = "n=1000,1010 T=2 ami=0.192,0.196,0.2"
    new = offered(known, levels)
    assert len(new) == 5
    assert (1000.0, 2.0, 0.196) not in new


def test_counts_and_undefined_values_are_the_same_or_not() -> None:
    alone = [(n, 1.0, np.nan) for n in (100.0, 400.0)]
    known = with_relatedness([*alone, *RUN, (100.0, 60.0, 0.5)])
    assert offered(known, "n=100 T=1,60,61 ami=0.5") == [(100.0, 61.0, 0.5)]


def test_a_row_of_another_group_is_no_run() -> None:
    table = pd.concat([measured(candidates()).assign(g=level) for level in ("a", "b")])
    table["n"] *= 1.01
    question = Question("y", {"n": "n", "T": "T"}, groups=("g",), forms=("c0 - c1/n**c2",))
    found = Knowledge.of_table(table[table["g"] == "a"], question, "table.csv")
    offer = pd.concat([candidates().assign(g=level) for level in ("a", "b")])
    made = propose(found, Request(candidates=offer, count=30, replicates=False))
    assert set(made.trials["g"]) == {"b"}


def test_levels_of_a_factor_that_one_task_leaves_undefined_are_one_candidate() -> None:
    rows = [(n, 1.0, np.nan, n / 1_000) for n in (100.0, 200.0)]
    rows += [(n, 2.0, ami, n / 900) for n in (100.0, 200.0) for ami in (0.2, 0.6)]
    table = pd.DataFrame(rows, columns=["n", "T", "ami", "y"])
    question = Question("y", {"n": "n", "T": "T", "ami": "ami"}, forms=("c0*n",))
    known = Knowledge.of_table(table, question, "table.csv")
    levels = read_levels("n=100,400 T=1,2 ami=0.2,0.4,0.6", {"n": "n", "T": "T", "ami": "ami"})
    trials = propose(known, Request(candidates=levels, count=20, replicates=False)).trials
    single = trials[trials["T"] == 1]
    assert list(single["n"]) == [400.0], "100 tokens of one task were run"
    assert single["ami"].isna().all()
    assert len(trials[trials["T"] == 2]) == 4


def test_own_forms_are_the_only_ones() -> None:
    table = measured(candidates().iloc[:12])
    made = propose(
        knowledge(table, ("a + b*n**c", "a + b*log(n*T)")),
        Request(candidates=candidates(), count=2),
    )
    assert len(made.forms) == 2


def test_rows_without_a_target_are_the_goal() -> None:
    table = measured(candidates())
    table.loc[14, "y"] = np.nan
    found = knowledge(table)
    assert found.open_rows is not None
    assert found.open_rows["n"].tolist() == [1600.0]
    assert found.rows is not None
    assert len(found.rows) == 14


def test_a_budget_below_every_cost_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        propose(
            knowledge(measured(candidates().iloc[:12])),
            Request(candidates=candidates(), cost="n", budget=50.0),
        )
    assert caught.value.path == "budget"


def test_the_table_of_a_proposal_keeps_the_users_columns(tmp_path: Path) -> None:
    table = measured(candidates().iloc[:12])
    offer = candidates().assign(cost=1.0, name="x")
    made = propose(knowledge(table), Request(candidates=offer, count=3, cost="n")).table()
    made.to_csv(tmp_path / "next.csv", index=False)
    names = ["order", "n", "T", "cost", "name", "cost_", "spent", "drop", "tells"]
    assert list(made.columns) == names
