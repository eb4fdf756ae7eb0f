"""Evidence: exponents are those that were planted, factors that matter win, decoys do not."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.laws.checks import Domain
from mtl_laws.pipeline.laws.evidence.ablation import bic, cell_means, competitors_of
from mtl_laws.pipeline.laws.evidence.baseline import baseline
from mtl_laws.pipeline.laws.evidence.exponents import Exponent, exponents, root_in_law
from mtl_laws.pipeline.laws.evidence.factor import factor_evidence
from mtl_laws.pipeline.laws.evidence.harm import harm
from mtl_laws.pipeline.laws.evidence.inclusion import Inclusion, inclusion, permuted
from mtl_laws.pipeline.laws.evidence.model_free_exponent import model_free_exponent
from mtl_laws.pipeline.laws.intervals import constants
from mtl_laws.pipeline.laws.law import Constant, Law
from mtl_laws.pipeline.laws.question import Question, pose
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.laws.rules import EvidenceRules
from mtl_laws.pipeline.laws.score import Candidate, Scored, fit_candidate
from mtl_laws.pipeline.symbolic.fit import RULES, Fit, Sample, fit_constants
from mtl_laws.pipeline.symbolic.powers import free_power, places
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.starts import propose_starts
from mtl_laws.pipeline.symbolic.tree import Tree
from mtl_laws.pipeline.symbolic.uncertainty import SCATTERED, unidentified
from support.planted import planted_table
from support.rows import posed

FACTORS = ("n", "T", "ami")
TRUTH = "c0 - c1/sqrt(n*(1 + (T - 1)*ami))"
WITHOUT = ("c0 - c1/sqrt(n)", "c0 - c1/sqrt(n*T)", "c0 + c1*log(T)", f"{TRUTH} + c2*decoy")


@pytest.fixture(scope="module")
def data() -> Rows:
    return posed(planted_table(noise=0.03, seed=3), bounds=(0.0, 1.0)).data


def fitted(text: str, data: Rows) -> np.ndarray:
    expression = Expression.parse(text, data.factors)
    starts = propose_starts(expression, data.sample, 12, 0)
    fit = fit_constants(expression, data.sample, starts, 200, RULES.exact)
    assert fit is not None
    return fit.theta


def freed(text: str, factor: str, data: Rows) -> list[Exponent]:
    return exponents(text, fitted(text, data), factor, data, seed=0)


def pool(data: Rows, texts: tuple[str, ...] = (TRUTH, *WITHOUT)) -> list[Scored]:
    trees = [Tree.parse(text, data.factors) for text in texts]
    fits = [fit_candidate(Candidate(t, "test"), data, Domain.of(data), 0) for t in trees]
    none = np.zeros((0, len(data)))
    return [Scored(fit, none, none) for fit in fits if fit]


def law(text: str, data: Rows) -> Law:
    theta = fitted(text, data)
    expression = Expression.parse(text, data.factors)
    values = dict(zip(expression.constants, theta.tolist(), strict=True))
    numeric = expression.with_constants(values)
    fixed = {name: Constant(value=value) for name, value in values.items()}
    return law_with(numeric, text, data, fixed)


def law_with(numeric: str, text: str, data: Rows, constants: dict[str, Constant]) -> Law:
    return Law(
        expression=numeric,
        template=text,
        factors=data.factors,
        complexity=9,
        constants=constants,
        valid=True,
    )


@pytest.mark.parametrize(
    ("text", "factor", "power"),
    [
        ("c0 - c1*(n*T**ami)**(-c2)", "n", "-c2"),
        ("c0 - c1/sqrt(n*T)", "n", "-0.5"),
        ("c0/(1 + (c1/(n*T))**c2)", "n", "-c2"),
        ("c0 + c1*(n*T**(c2*ami))**c3", "T", "c2 * ami * c3"),
        ("c0 + c1*(n*T**(c2*ami))**c3", "ami", "1"),
        ("c0 + c1*n*(T - 1)", "T", "1"),
    ],
)
def test_powers_multiply_on_the_way_up(text: str, factor: str, power: str) -> None:
    (place,) = places(Tree.parse(text, ("n", "T", "ami")), factor)
    random = np.random.default_rng(0)
    scope = {name: float(random.uniform(0.5, 2)) for name in ("n", "T", "ami", "c2", "c3")}
    assert eval(place.power.text, {}, scope) == pytest.approx(eval(power, {}, scope))


def test_only_one_occurrence_is_freed_and_a_root_gives_way() -> None:
    def freed_at(text: str, at: int) -> tuple[str, str, float]:
        tree, name, start = free_power(Tree.parse(text, ["n"]), "n", at)
        return tree.text, name, start

    both = "c0 + c1*n + c2*sqrt(n)"
    assert freed_at(both, 0) == ("c0 + c1 * n ** c3 + c2 * sqrt(n)", "c3", 1.0)
    assert freed_at(both, 1) == ("c0 + c1 * n + c2 * n ** c3", "c3", 0.5)
    assert freed_at("c0 + n**(-2)", 0) == ("c0 + n ** c1", "c1", -2.0)


@pytest.mark.parametrize(("factor", "truth"), [("n", -0.5), ("T", 1.0), ("ami", 1.0)])
def test_planted_exponents_are_found_again(data: Rows, factor: str, truth: float) -> None:
    (exponent,) = freed(TRUTH, factor, data)
    assert exponent.value == pytest.approx(truth, abs=0.1)
    assert exponent.ci95 is not None
    assert exponent.ci95[0] < truth < exponent.ci95[1]


def test_the_interval_of_an_exponent_covers_the_truth_on_most_tables() -> None:
    covered = 0
    for seed in range(40):
        table = posed(planted_table(noise=0.03, seed=seed), bounds=(0.0, 1.0)).data
        (exponent,) = freed(TRUTH, "n", table)
        assert exponent.ci95 is not None
        covered += exponent.ci95[0] <= -0.5 <= exponent.ci95[1]
    assert covered >= 34  # of 40 at 95 %: fewer by chance once in a thousand times


def test_a_power_that_is_free_already_is_reported_as_it_is(data: Rows) -> None:
    text = "c0 - c1*(n*(1 + (T - 1)*ami))**(-c2)"
    theta = fitted(text, data)
    (exponent,) = exponents(text, theta, "ami", data, 0)
    assert exponent.inside.endswith("ami ** c3")
    single = "c0 - c1*n**(-c2)"
    (exponent,) = exponents(single, fitted(single, data), "n", data, 0)
    assert exponent.value == pytest.approx(-fitted(single, data)[2])
    assert "c3" not in exponent.inside


def test_what_is_not_identified_has_no_value(data: Rows) -> None:
    (logarithm,) = freed("c0 + c1*log(n)", "n", data)
    assert (logarithm.value, logarithm.logarithm) == (None, True)
    (varies,) = freed("c0 - c1*(n*T**ami)**(-c2)", "T", data)
    assert (varies.value, varies.varies_with) == (None, ("ami",))
    two = data.take(np.isin(data.columns["n"], [50.0, 1600.0]))
    (unidentified,) = freed("c0 - c1/sqrt(n)", "n", two)
    assert (unidentified.value, unidentified.logarithm) == (None, False)
    assert freed("c0 - c1/sqrt(n)", "T", data) == []
    signed = {**data.columns, "decoy": data.columns["decoy"] - 3.0}
    below = Rows(signed, data.target, data.cell, data.name, data.bounds, data.domains)
    (no_power,) = freed("c0 + c1*decoy", "decoy", below)
    assert no_power.value is None


def test_the_model_free_exponent_needs_no_law() -> None:
    table = planted_table(noise=0.01, seed=2)
    data = posed(table, bounds=(0.0, 1.0)).data
    level = {name: column for name, column in data.columns.items() if name != "decoy"}
    data = Rows(level, data.target, data.cell, data.name, data.bounds, data.domains)
    found = model_free_exponent(data, "n", 0)
    assert found is not None
    assert found.ci95[0] <= -0.5 <= found.ci95[1]
    assert found.ci95[1] - found.ci95[0] < 0.4
    assert found.groups == 21


def test_a_table_without_levels_has_no_model_free_exponent() -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.uniform(1, 9, (60, 3)), columns=["a", "b", "y"])
    assert model_free_exponent(posed(table).data, "a", 0) is None


def shares_of(factor: str, laws: list[Scored], data: Rows) -> Inclusion:
    means = cell_means(data)
    fits = [law.fitted for law in laws]
    ranked = sorted(fits, key=lambda fit: bic(fit.expression, fit.fit.theta, means))
    known = [(fit.expression.text, fit.fit.theta) for fit in ranked]
    shares = inclusion(competitors_of(factor, known, means, 0), factor, means, 0)
    assert shares is not None
    return shares


def test_factors_that_matter_win_and_decoys_do_not(data: Rows) -> None:
    laws = pool(data)
    for factor in ("n", "T", "ami"):
        shares = shares_of(factor, laws, data)
        assert shares.observed > 0.95
        assert shares.permuted < 0.3
    decoy = shares_of("decoy", laws, data)
    assert abs(decoy.observed - decoy.permuted) < 0.2


def jittered(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """The table as a study measures it: relatedness differs between replicates in the last digit.

    `slot` says which rows replicate each other.
    """
    table["slot"] = table.groupby(["n", "T", "ami"], dropna=False).ngroup()
    off = np.random.default_rng(seed).uniform(-0.004, 0.004, len(table))
    return table.assign(ami=(table["ami"] + off).clip(lower=0))


#: every law of this pool holds the relatedness, as on a table where it matters
RELATED = (
    "c0 + c1/(1 + c2/(n*T**ami**c3)) - c4/T",
    "c0/(1 + (c1/(n*T**ami**c2))**c3)",
    "c0 - c1*(n*T**(c2*ami + c3))**(-c4)",
)


@pytest.mark.parametrize(
    ("strength", "low", "high"), [(0.0, 0.0, 0.1), (0.1, 0.05, 0.95), (1.0, 0.95, 1.0)]
)
def test_relatedness_wins_as_much_as_it_matters_though_every_law_holds_it(
    strength: float, low: float, high: float
) -> None:
    """Measured values differ between replicates; shuffled ones do not. Neither may win by that."""

    def law(n: np.ndarray, T: np.ndarray, ami: np.ndarray) -> np.ndarray:
        return 0.9 - 2.0 / np.sqrt(n * T ** (0.5 + strength * (ami - 0.4) * (T > 1)))

    table = jittered(planted_table(law, noise=0.1, seed=5).drop(columns="decoy"))
    question = Question(
        "y", {n: n for n in ("n", "T", "ami")}, bounds=(0.0, 1.0), replicates=("slot",)
    )
    rows = pose(table, question, "table.csv").data
    shares = shares_of("ami", pool(rows, RELATED), rows)
    assert shares.permuted < 0.3
    assert low <= shares.observed <= high


def test_permuting_moves_whole_cells_and_leaves_undefined_ones(data: Rows) -> None:
    shuffled = permuted(data, "ami", [0]).columns["ami"]
    before = data.columns["ami"]
    assert np.array_equal(np.isnan(before), np.isnan(shuffled))
    known = ~np.isnan(before)
    assert not np.array_equal(before[known], shuffled[known])
    for cell in np.unique(data.cell[known]):
        assert len(np.unique(shuffled[data.cell == cell])) == 1


def test_inclusion_is_not_asked_of_more_rows_than_the_rules_say(data: Rows) -> None:
    few = replace(data.rules, evidence=EvidenceRules(max_rows=10))
    means = cell_means(replace(data, rules=few))
    (competitor, *_) = competitors_of("n", [(TRUTH, fitted(TRUTH, data))], means, 0)
    assert inclusion([competitor], "n", means, 0) is None


def test_every_law_with_a_factor_competes_with_itself_without_it(data: Rows) -> None:
    means, text = cell_means(data), "c0 - c1/sqrt(n*T)"
    laws = competitors_of("T", [(text, fitted(text, data))], means, 0)
    assert [law.uses("T") for law in laws] == [True, False, False]
    none = replace(means, rules=replace(data.rules, evidence=EvidenceRules(laws_with=0)))
    assert competitors_of("T", [(text, fitted(text, data))], none, 0) == []


def test_evidence_is_plain_json_and_supports_root_n(data: Rows) -> None:
    evidence = factor_evidence(law(TRUTH, data), pool(data), data, 0, refit=False)
    assert [one.factor for one in evidence] == list(data.factors)
    records = [one.to_json() for one in evidence]
    assert json.loads(json.dumps(records, allow_nan=False)) == records
    n, _, _, decoy = records
    assert n["root"] == "supported"
    assert n["r2_with"] > 0.99 > n["r2_without"]
    assert n["exponent"]["value"] == pytest.approx(-0.5, abs=0.05)
    assert n["exponent"]["ci95"] == n["exponents"][0]["ci95"]
    assert n["exponents"][0]["ci95"][1] < 0.0
    assert n["inclusion"] is None
    assert n["delta_bic"] > 100
    assert (decoy["in_law"], decoy["exponents"]) == (False, [])
    assert set(n) == set(FIELDS)
    assert all(hasattr(evidence[0], field) for field in FIELDS)


#: the fields of one factor's evidence in laws.json, its sentence apart
FIELDS = (
    *("factor", "in_law", "delta_bic", "r2_with", "r2_without", "exponent", "exponents", "root"),
    *("plain_exponent", "inclusion", "inclusion_permuted"),
)


@pytest.mark.parametrize(
    ("ci95", "root"),
    [
        ((-0.53, -0.43), "supported"),
        ((-1.1, -0.9), "not supported"),
        ((0.43, 0.53), "supported"),
        ((0.4, 1.2), "possible"),
        ((0.6, 0.8), "not supported"),
        ((-0.1, 0.7), "undetermined"),
        (None, "undetermined"),
    ],
)
def test_an_interval_that_holds_a_half_supports_the_root(
    ci95: tuple[float, float] | None, root: str
) -> None:
    assert root_in_law([Exponent(0.5, ci95, "n ** c1")]) == root


def test_a_root_needs_one_power() -> None:
    assert root_in_law([]) is None
    assert root_in_law([Exponent(None, None, "n", logarithm=True)]) == "a logarithm"
    assert root_in_law([Exponent(None, None, "T", ("ami",), (0.1, 0.9))]) == "no single power"
    assert root_in_law([Exponent(None, None, "n")]) == "undetermined"


def test_of_two_places_the_one_that_moves_the_law_most_comes_first() -> None:
    def law(n: np.ndarray, T: np.ndarray, ami: np.ndarray) -> np.ndarray:
        return 0.9 - 2.0 / np.sqrt(n * T**ami) + 0.02 * ami / T

    data = posed(planted_table(law, noise=0.02).drop(columns="decoy"), bounds=(0.0, 1.0)).data
    first, second = freed("c0 - c1*(n*T**ami)**(-c2) + c3*ami/T", "ami", data)
    assert first.moves > 2 * second.moves
    assert (first.part, second.part[-8:]) == ("T ** ami", " ami / T")


def test_a_power_under_a_function_names_it(data: Rows) -> None:
    (saturating,) = freed("c0 - c1*exp(-(n/c2)**c3)", "n", data)
    assert saturating.under == "exp"
    (plain,) = freed("c0 - c1/sqrt(n)", "n", data)
    assert plain.under == ""
    (logarithm,) = freed("c0 + c1*log(n)", "n", data)
    assert (logarithm.under, logarithm.logarithm) == ("", True)


def test_a_power_that_the_rows_do_not_identify_is_not_given() -> None:
    """The second place of T hardly moves the law: its power, set free, runs off."""

    def law(n: np.ndarray, T: np.ndarray, ami: np.ndarray) -> np.ndarray:
        return 0.9 - 2.0 / np.sqrt(n * T**ami)

    data = posed(planted_table(law, noise=0.1).drop(columns="decoy"), bounds=(0.0, 1.0)).data
    found = freed("c0 - c1*(n*T**ami)**(-c2) + c3*ami/T", "T", data)
    (small,) = [one for one in found if not one.varies_with]
    assert (small.value, small.ci95) == (None, None)


def test_a_constant_that_another_can_replace_has_a_reason_and_no_interval(data: Rows) -> None:
    expression = Expression.parse("c0 - c1*c2/sqrt(n)", data.factors)
    fit = Fit(np.array([0.9, 1.0, 0.5]), 1.0)
    told = constants(expression, fit, data, 0)
    assert told["c0"].ci95 is not None
    for name in ("c1", "c2"):
        assert told[name].ci95 is None
        assert told[name].reason == "confounded"
    assert Law.from_json(law("c0 - c1/sqrt(n)", data).to_json()).constants["c0"].reason == ""


def test_constants_that_run_away_are_scattered_and_overflow_nothing() -> None:
    """A power of 35 makes slopes of 1e105, and resamples of its multiplier span 1e250."""
    n = np.geomspace(500.0, 1_000.0, 20)
    sample = Sample({"n": n}, np.sin(n), np.ones(20))
    expression = Expression.parse("c0 + c1*n**c2", ("n",))
    theta, ends = np.array([0.0, 1e-105, 35.0]), np.array([[-0.5, -1e250, -30], [0.5, 1e250, 35]])
    found = unidentified(expression, theta, ends, sample, np.arange(20))
    assert found["c1"] == SCATTERED


def test_an_interval_without_bounds_is_not_printed(data: Rows) -> None:
    """A power law on rows that ask for a logarithm: its limit could be anywhere."""
    target = 0.1 * np.log(data.columns["n"])
    table = replace(data, target=target + np.random.default_rng(0).normal(0, 0.01, len(data)))
    expression = Expression.parse("c0 - c1*n**(-c2)", table.factors)
    theta = fitted("c0 - c1*n**(-c2)", table)
    told = constants(expression, Fit(theta, 1.0), table, 0)
    for constant in told.values():
        if constant.ci95 is None:
            assert constant.reason in ("confounded", "scattered")
        else:
            assert max(map(abs, constant.ci95)) < 100
    assert told["c0"].ci95 is None


def test_a_second_free_power_is_never_put_on_the_same_quantity(data: Rows) -> None:
    for text in ("c0 - c1*n**(-c2)", "c0 - c1*sqrt(n**c2)", "c0 + c1*(1/n)**c2"):
        tree = Tree.parse(text, data.factors)
        assert all(p.free for p in places(tree, "n") if "1 /" not in p.inside.text)
        (exponent,) = freed(text, "n", data)
        assert exponent.inside.count("c") <= 2
    assert not places(Tree.parse("c0 - c1*(n*T)**(-c2)", data.factors), "n")[0].free
    assert not places(Tree.parse("c0 - c1*(n*T**ami)**(-c2)", data.factors), "T")[0].free


def test_gradient_boosting_is_good_inside_and_flat_outside() -> None:
    problem = posed(planted_table(noise=0.03, seed=4), bounds=(0.0, 1.0), hold_out="n > 400")
    scores = baseline(problem.data, problem.held_out, 0).scores
    assert scores["r2_cv"] > 0.9
    assert scores["r2_hold_out"] < 0.7
    assert baseline(problem.data, None, 0).scores["r2_hold_out"] is None


def test_harm_is_where_it_was_planted(data: Rows) -> None:
    hurts = "c0 - c1/sqrt(n) + c2*(T - 1)/T*(ami - 0.3)"
    values = {"c0": 0.9, "c1": 0.5, "c2": 0.1}
    numeric = Expression.parse(hurts, data.factors).with_constants(values)
    fixed = {name: Constant(value=value) for name, value in values.items()}
    change = harm(law_with(numeric, hurts, data, fixed), data)
    assert change is not None
    assert change.always_below == pytest.approx(0.3, abs=0.05)
    assert change.never_from == pytest.approx(0.3, abs=0.05)
    assert change.at["ami"] == 0.0
    assert change.lowest == pytest.approx(-0.1 * 0.3 * 5 / 6, rel=1e-6)
    assert change.surely is None
    helps = harm(law(TRUTH, data), data)
    assert helps is not None
    assert helps.lowered == 0.0
    assert helps.highest > 0.0
    assert harm(law("c0 - c1/sqrt(n)", data), data) is None
    together = data.take(data.columns["T"] > 1)
    assert harm(law(TRUTH, together), together) is None, "there is no T = 1 to compare it with"
