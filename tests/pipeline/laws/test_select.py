"""Selection: the simplest law that is as good as the best; never an invalid one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mtl_laws.pipeline.laws.checks import Defect, Domain
from mtl_laws.pipeline.laws.document import law_of, laws_document
from mtl_laws.pipeline.laws.folds import extrapolation_folds, random_folds
from mtl_laws.pipeline.laws.forms import OWN
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.laws.rules import SelectionRules
from mtl_laws.pipeline.laws.score import Candidate, Scored, fit_candidate, r_squared, score
from mtl_laws.pipeline.laws.search import SearchResult
from mtl_laws.pipeline.laws.select import (
    adequate,
    as_good,
    bounded,
    cell_draws,
    distinct,
    eligible,
    front,
    select,
    winners_curse,
)
from mtl_laws.pipeline.symbolic.tree import Tree
from support.planted import beyond, planted_table
from support.rows import posed

RULES = SelectionRules()
LEAST = RULES.min_difference
TRUTH = "c0 - c1/sqrt(n*(1 + (T - 1)*ami))"


def scored(texts: list[str], data: Rows) -> list[Scored]:
    domain = Domain.of(data)
    folds = random_folds(data, 0), extrapolation_folds(data)
    trees = [Tree.parse(text, data.factors) for text in texts]
    fits = [fit_candidate(Candidate(tree, "test"), data, domain, 0) for tree in trees]
    return [score(fit, data, *folds, 0) for fit in fits if fit]


@pytest.fixture(scope="module")
def data() -> Rows:
    return posed(planted_table(noise=0.05, seed=3), bounds=(0.0, 1.0)).data


def test_the_planted_form_beats_simpler_and_longer_ones(data: Rows) -> None:
    texts = [
        "c0 + c1*log(n)",
        "c0 - c1/sqrt(n)",
        TRUTH,
        f"{TRUTH} + c2*decoy",
        "c0 - c1*(n*(1 + (T - 1)*ami**c2))**(-c3)",
    ]
    laws = scored(texts, data)
    chosen = select(laws, data, seed=0)
    assert chosen is not None
    assert laws[chosen].fitted.candidate.tree == Tree.parse(TRUTH, data.factors)
    assert adequate(laws[chosen], data)


def test_an_invalid_law_is_never_selected(data: Rows) -> None:
    texts = ["c0 - c1/sqrt(n)", f"{TRUTH} + 1e-12/(n - 2171.3)"]
    laws = scored(texts, data)
    defect = laws[1].fitted.defect
    assert defect is not None
    assert defect.kind == "pole"
    assert laws[1].error < laws[0].error
    assert select(laws, data, seed=0) == 0


def test_no_valid_law_is_no_selection(data: Rows) -> None:
    assert select(scored(["c0*n"], data), data, seed=0) is None


def test_extrapolation_error_tells_what_fit_alone_does_not() -> None:
    """A polynomial in log n fits as well inside and loses on the folds."""
    table = planted_table(noise=0.02, seed=1).drop(columns="decoy")
    inside = posed(table[table["n"] <= 800]).data
    wiggle = "c0 + c1*log(n) + c2*log(n)**2 + c3*log(n)**3 + c4*log(T)*ami + c5*log(n)*log(T)*ami"
    true, other = scored([TRUTH, wiggle], inside)
    assert true.extrapolation.sum() < 0.2 * other.extrapolation.sum()
    far = beyond()
    rows = {name: far[name].to_numpy() for name in ("n", "T", "ami")}
    outside = [
        r_squared(far["y"].to_numpy(), law.fitted.expression.evaluate(rows, law.fitted.fit.theta))
        for law in (true, other)
    ]
    assert outside[0] is not None
    assert outside[1] is not None
    assert outside[0] > 0.98 > outside[1]


def test_losses_add_up_to_the_error(data: Rows) -> None:
    law = scored([TRUTH], data)[0]
    assert law.by_cell(data).sum() == pytest.approx(law.error)
    inside = law.random.sum(axis=1).mean()
    noise = (data.replicate_variance or 0) / np.var(data.target)
    assert inside == pytest.approx(noise, rel=0.4)


def test_a_paired_difference_is_judged_by_its_own_spread() -> None:
    draws = cell_draws(1000, 0, RULES)
    steady = np.full(1000, 0.01)
    noisy = np.random.default_rng(0).normal(0.01, 1.0, 1000)
    noisy += 0.01 - noisy.mean()
    assert not as_good(steady, 100.0, draws, LEAST)
    assert as_good(noisy, 100.0, draws, LEAST)
    assert as_good(-steady, 100.0, draws, LEAST)
    assert as_good(steady, 250.0, draws, LEAST), "a twentieth of the error is no difference"


def test_a_law_that_breaks_in_one_cell_is_not_as_good() -> None:
    """Its standard error is as large as the difference itself."""
    draws = cell_draws(200, 0, RULES)
    broken = np.zeros(200)
    broken[7] = 100.0
    assert (draws @ broken).std() > 80
    assert not as_good(broken, 1.0, draws, LEAST)


def test_the_fewer_cells_the_stronger_the_winners_curse(data: Rows) -> None:
    """Stronger for a factor than for a constant; none where the other law misses much."""
    few = data.take(np.arange(len(data)) % 5 == 0)
    texts = [TRUTH, f"{TRUTH} + c2*decoy", "c0 - c1*n**(-c2)"]
    for rows in (data, few):
        law, longer, poor = scored(texts, rows)
        curse = RULES.winners_curse / len(np.unique(rows.cell))
        assert winners_curse(law, longer, rows) == pytest.approx(
            2 * max(curse * noise_share(longer), LEAST)
        )
        assert winners_curse(longer, law, rows) == pytest.approx(
            max(curse * noise_share(law), LEAST)
        )
        assert winners_curse(poor, law, rows) == pytest.approx(2 * LEAST)


def test_the_form_of_an_engine_is_one_more_choice(data: Rows) -> None:
    """Beside a known form an engine's was chosen among thousands, constants apart."""
    engine = Candidate(Tree.parse(f"{TRUTH} + c2*(n - n)", data.factors), "operon")
    known = Candidate(Tree.parse(TRUTH, data.factors), "theory: effective sample size")
    (law,) = scored([TRUTH], data)
    one, other = (
        replace(law, fitted=replace(law.fitted, candidate=each)) for each in (known, engine)
    )
    alone = winners_curse(other, other, data)
    assert winners_curse(one, other, data) == pytest.approx(2 * alone)
    assert winners_curse(other, one, data) == winners_curse(one, one, data) == alone


def with_error(law: Scored, error: float, origin: str = "operon") -> Scored:
    """The law with that error, the same on every row and fold."""
    even = np.full((1, law.random.shape[1]), error / law.random.shape[1])
    candidate = replace(law.fitted.candidate, origin=origin)
    return Scored(replace(law.fitted, candidate=candidate), even, even)


def test_a_far_better_law_is_not_passed_over_for_its_limits(data: Rows) -> None:
    """Where no law is adequate a law that turns back needs less than half of the error."""
    turns_back = Defect("turns_back", factor="n")
    draws = cell_draws(len(np.unique(data.cell)), 0, RULES)
    (law,) = scored([TRUTH], data)
    plausible = with_error(law, 0.12)
    for error, expected in ((0.07, [0]), (0.05, [0, 1])):
        better = with_error(law, error)
        better = replace(better, fitted=replace(better.fitted, limits=turns_back))
        laws = [plausible, better]
        assert not any(adequate(each, data) for each in laws)
        explained = (1.0 - plausible.error) / (1.0 - error)
        assert explained > RULES.plausible_share, "or plausible limits would not come first"
        assert eligible(laws, data, draws) == expected


@pytest.mark.parametrize("origin", ["grammar", "surface", "mean", OWN, "theory: power law"])
def test_of_equally_long_laws_one_of_a_known_form_is_selected(data: Rows, origin: str) -> None:
    """An engine's law that is better by a hair was chosen from thousands."""
    (law,) = scored([TRUTH], data)
    engine, known = with_error(law, 0.100), with_error(law, 0.101, origin)
    assert engine.fitted.complexity == known.fitted.complexity
    assert select([engine, known], data, seed=0) == 1
    assert select([known, engine], data, seed=0) == 0
    assert select([engine, with_error(law, 0.101)], data, seed=0) == 0
    assert select([with_error(law, 0.100, origin), known], data, seed=0) == 0


def test_a_known_form_does_not_excuse_a_worse_law_or_a_longer_one(data: Rows) -> None:
    law, longer = scored([TRUTH, f"{TRUTH} + c2*decoy"], data)
    assert select([with_error(law, 0.1), with_error(law, 0.2, "grammar")], data, seed=0) == 0
    assert select([with_error(law, 0.1), with_error(longer, 0.1, "grammar")], data, seed=0) == 0


def test_one_fold_that_leaves_a_constant_open_does_not_outweigh_the_others(data: Rows) -> None:
    """One wild refit of the better law, on the last fold; the others stay as they are."""
    simple, true = scored(["c0 - c1/sqrt(n)", TRUTH], data)
    wild = true.extrapolation.copy()
    wild[-1] *= 100.0 / wild[-1].sum()
    laws = [simple, replace(true, extrapolation=wild)]
    assert laws[1].error > laws[0].error
    assert select(laws, data, seed=0) == 1
    unbounded = replace(RULES, fold_bound=1e9)
    data = replace(data, rules=replace(data.rules, selection=unbounded))
    assert select(laws, data, seed=0) == 0


def test_errors_of_folds_are_bounded_between_the_best_law_and_the_mean(data: Rows) -> None:
    laws = scored(["c0 - c1/sqrt(n)", TRUTH, "c0 + c1*log(decoy)"], data)
    errors, least = [
        np.array([law.extrapolation.sum(axis=1) for law in each])
        for each in (laws, bounded(laws, RULES))
    ]
    lowest = np.minimum(errors.min(axis=0), 1.0)
    np.testing.assert_allclose(least, np.minimum(errors, (lowest + 1.0) / 2.0))
    assert (errors > least).any()
    assert (np.argsort(errors, axis=0)[0] == np.argsort(least, axis=0)[0]).all()


def noise_share(law: Scored) -> float:
    """Error on random folds as a fraction of the whole error, at most 1."""
    return min(float(law.random.sum(axis=1).mean()) / law.error, 1.0)


def test_nothing_on_the_front_is_beaten_by_something_simpler(data: Rows) -> None:
    texts = [
        "c0 + c1*log(n)",
        "c0 - c1/sqrt(n)",
        TRUTH,
        f"{TRUTH} + c2*decoy",
        "c0 + c1*log(decoy)",
    ]
    laws = scored(texts, data)
    shown = front(laws, RULES)
    sizes = [laws[i].fitted.complexity for i in shown]
    assert sizes == sorted(sizes)
    assert texts.index(TRUTH) in shown
    assert texts.index("c0 + c1*log(decoy)") not in shown


def test_a_law_that_depends_on_an_undefined_factor_is_not_valid(data: Rows) -> None:
    bare, sound = scored(["c0 + c1*ami + c2*log(n)", TRUTH], data)
    assert bare.fitted.defect is not None
    assert (bare.fitted.defect.kind, bare.fitted.defect.factor) == ("depends_on_undefined", "ami")
    assert sound.fitted.valid
    alone = np.isnan(data.columns["ami"])
    predicted = sound.fitted.predict(data)[alone]
    for ami in (0.0, 1.0):
        columns = {**data.filled, "ami": np.full(len(data), ami)}
        value = sound.fitted.expression.evaluate(columns, sound.fitted.fit.theta)
        np.testing.assert_allclose(predicted, value[alone], rtol=1e-12)


def test_laws_that_predict_the_same_are_shown_once(data: Rows) -> None:
    texts = ["c0 + c1*log(n)", "c1*log(n**2) + c0", TRUTH, "c0 + c1*sqrt(n)"]
    laws = scored(texts, data)
    predicted = {i: law.fitted.predict(data) for i, law in enumerate(laws)}
    tolerance = RULES.same * float(np.std(data.target))
    assert distinct([0, 1, 2, 3], laws, predicted, tolerance) == [0, 2, 3]
    assert distinct([1, 0, 2], laws, predicted, tolerance) == [1, 2], "the first of equals stays"
    apart = {**predicted, 1: predicted[0] + 3 * tolerance}
    assert distinct([0, 1], laws, apart, tolerance) == [0, 1]


def test_an_invalid_law_is_not_the_same_as_a_valid_one(data: Rows) -> None:
    laws = scored(["c0 - c1/sqrt(n)", "c0 - c1/sqrt(n) + 1e-12/(n - 2171.3)"], data)
    assert [law.fitted.valid for law in laws] == [True, False]
    predicted = {i: law.fitted.predict(data) for i, law in enumerate(laws)}
    assert np.allclose(predicted[0], predicted[1], rtol=0, atol=1e-6)
    assert distinct([0, 1], laws, predicted, 1e-3) == [0, 1]


def test_the_record_of_a_search_holds_a_law_once() -> None:
    problem = posed(planted_table(noise=0.05, seed=3), bounds=(0.0, 1.0))
    laws = scored([TRUTH, "c0 + c1*log(n)", "c1*log(n**2) + c0"], problem.data)
    folds = extrapolation_folds(problem.data)
    found = SearchResult(laws, 0, [1, 2, 0], [], folds, False, [], 3, problem.data, None)
    front = laws_document(problem, found, seed=0).front
    assert [law.template for law in front] == ["c0 + c1 * log(n)", laws[0].fitted.expression.text]


@pytest.mark.parametrize("origin", ["grammar", OWN])
def test_the_record_has_no_negative_power_of_a_quotient(data: Rows, origin: str) -> None:
    """But for an own form, which stays as the user wrote it; the predictions are the same."""
    (law,) = scored(["c0 + c1/(1 + (c2/(n*T**(c3*ami)))**c4)"], data)
    level, span, size, power, bend = law.fitted.fit.theta
    if bend > 0:  # a + b/(1 + z) = a + b - b/(1 + 1/z)
        level, span, bend = level + span, -span, -bend
    theta = np.array([level, span, size, power, bend])
    fitted = replace(law.fitted, candidate=replace(law.fitted.candidate, origin=origin))
    fitted = replace(fitted, fit=replace(fitted.fit, theta=theta))
    record = law_of(replace(law, fitted=fitted), data, None, 0)
    turned = "c0 + c1 / (1 + (n * T ** (c3 * ami) / c2) ** c4)"
    assert record.template == (law.fitted.expression.text if origin == OWN else turned)
    assert (record.constants["c4"].value < 0) == (origin == OWN)
    interval = record.constants["c4"].ci95
    assert interval is not None
    assert interval[0] < record.constants["c4"].value < interval[1]
    np.testing.assert_allclose(record.predict(data.filled), law.fitted.predict(data), rtol=1e-4)
