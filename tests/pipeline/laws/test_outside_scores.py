"""Extrapolated R² is that of each fold's own rows, less what the choice gained by looking."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.laws.checks import Domain
from mtl_laws.pipeline.laws.folds import Fold, extrapolation_folds, random_folds
from mtl_laws.pipeline.laws.outside import Outside, outside_r2
from mtl_laws.pipeline.laws.rows import Rows
from mtl_laws.pipeline.laws.score import Candidate, Scored, fit_candidate, score
from mtl_laws.pipeline.laws.search import SearchOptions, find_laws
from mtl_laws.pipeline.laws.select import select
from mtl_laws.pipeline.symbolic.tree import Tree
from support.planted import planted_table
from support.rows import posed

TRUTH = "c0 - c1/sqrt(n*(1 + (T - 1)*ami))"
TINY = SearchOptions(engine="grammar", budget="tiny", jobs=1)


def outside_of(texts: list[str], data: Rows, selected: int | None = 0) -> Outside:
    """Scores of forms that are fitted and scored as a search does."""
    domain = Domain.of(data)
    folds = random_folds(data, 0), extrapolation_folds(data)
    fits = [
        fit_candidate(Candidate(Tree.parse(text, data.factors), "test"), data, domain, 0)
        for text in texts
    ]
    laws = [score(fit, data, *folds, 0) for fit in fits if fit]
    assert len(laws) == len(texts)
    return Outside(laws, selected, data, folds[1], 0)


def test_a_perfect_law_has_one_and_the_mean_none() -> None:
    data = posed(planted_table(noise=0.0), bounds=(0.0, 1.0)).data
    found = outside_of([TRUTH, "c0"], data)
    assert len(found.folds) >= data.rules.folds.min_nested
    perfect, mean = (found.r2(law) for law in found.laws)
    assert perfect == pytest.approx(1.0, abs=1e-6)
    assert found.optimism == 0.0
    # the mean of the rows below, asked about the rows above, is worse than their own mean
    assert mean is not None
    assert -1.0 <= mean <= 0.02


def test_r2_of_a_fold_is_that_of_its_own_rows() -> None:
    """As anyone would compute it from predictions of the fit without the fold."""
    data = posed(planted_table(noise=0.1)).data
    found = outside_of(["c0 - c1/sqrt(n)"], data)
    fold = next(fold for fold in found.folds if fold.name == "n > 800")
    k = [fold.name for fold in found.folds].index(fold.name)
    train, test = data.take(~fold.test), data.take(fold.test)
    design = np.column_stack([np.ones(len(train)), train.columns["n"] ** -0.5])
    level, slope = np.linalg.lstsq(design, train.target, rcond=None)[0]
    predicted = level + slope * test.columns["n"] ** -0.5
    left = np.sum((test.target - predicted) ** 2)
    want = 1.0 - left / np.sum((test.target - test.target.mean()) ** 2)
    assert outside_r2([found.laws[0].extrapolation[k]], data, [fold]) == pytest.approx(
        want, abs=1e-6
    )


def test_squares_are_summed_over_folds() -> None:
    """A fold whose rows hardly vary does not decide."""
    data = posed(planted_table(noise=0.05)).data
    folds = extrapolation_folds(data)[:2]
    variance = [float(np.var(data.target[fold.test])) for fold in folds]
    losses = [
        np.where(fold.test, error / data.scale / fold.test.sum(), 0.0)
        for fold, error in zip(folds, (0.01, 0.002), strict=True)
    ]
    want = 1.0 - sum(min(e, 2 * v) for e, v in zip((0.01, 0.002), variance, strict=True)) / sum(
        variance
    )
    assert outside_r2(losses, data, folds) == pytest.approx(want)


def test_r2_of_a_fold_is_at_least_minus_one() -> None:
    data = posed(planted_table(noise=0.05)).data
    fold = extrapolation_folds(data)[0]
    loss = np.where(fold.test, 1e6, 0.0)
    assert outside_r2([loss], data, [fold]) == -1.0


def scored_by(loss: np.ndarray, like: Scored) -> Scored:
    """A law with these losses outside and none inside: only the folds outside decide."""
    return replace(like, random=np.zeros_like(like.random), extrapolation=loss)


def test_optimism_is_what_the_choice_gained_by_looking() -> None:
    """Laws each of which is perfect on one fold by luck: chosen without it, none is."""
    data = posed(planted_table(noise=0.05)).data
    found = outside_of(["c0 - c1/sqrt(n)", "c0 + c1*log(n)", "c0 + c1*n**(-c2)"], data)
    folds = found.folds
    base = np.array([fold.test * data.weights / data.weights[fold.test].sum() for fold in folds])
    lucky = []
    for k, law in enumerate(found.laws):
        loss = base * 0.05
        loss[k] = 0.0  # nothing wrong on one fold
        loss[(k + 1) % 3] *= 1.0 + k / 100  # no two are equal
        lucky.append(scored_by(loss, law))
    chosen = select(lucky, data, 0)
    assert chosen is not None
    scores = Outside(lucky, chosen, data, folds, 0)
    assert scores.optimism > 0.003
    plain = outside_r2(list(lucky[chosen].extrapolation), data, folds)
    assert scores.r2(lucky[chosen]) == pytest.approx(plain - scores.optimism)


@pytest.mark.parametrize("seed", range(4))
def test_optimism_is_never_negative(seed: int) -> None:
    data = posed(planted_table(noise=0.5, seed=seed)).data
    texts = ["c0", "c0 - c1/sqrt(n)", TRUTH, "c0 + c1*log(n) + c2*log(T)", "c0 + c1*T*ami + c2*n"]
    found = outside_of(texts, data, None)
    chosen = select(found.laws, data, 0)
    scores = Outside(found.laws, chosen, data, found.folds, 0)
    assert scores.optimism >= 0.0
    for law in found.laws:
        r2 = scores.r2(law)
        assert r2 is not None
        assert -1.0 - scores.optimism <= r2 <= 1.0


def test_without_folds_there_is_no_figure() -> None:
    data = posed(planted_table(noise=0.05)).data
    law = outside_of(["c0"], data).laws[0]
    bare = replace(law, extrapolation=np.zeros((0, len(data))))
    assert Outside([bare], 0, data, [], 0).r2(bare) is None


def test_groups_are_compared_with_their_own_means() -> None:
    """What separates groups is no merit of a law where every group has rows enough."""
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], 20)
    columns = {"n": np.tile(np.geomspace(10, 1e4, 20), 2)}
    target = np.where(group == 0, 0.0, 100.0) + rng.normal(0, 1, 40)
    data = Rows(columns, target, np.arange(40), group=group, levels=("a", "b"))
    fold = Fold("n > 1000", columns["n"] > 1000)
    own = np.array([target[fold.test & (group == k)].mean() for k in (0, 1)])[group]
    loss = np.where(fold.test, (target - own) ** 2 / data.scale / fold.test.sum(), 0.0)
    assert outside_r2([loss], data, [fold]) == pytest.approx(0.0, abs=1e-9)


def shuffled(seed: int, rows: int = 40) -> pd.DataFrame:
    """Factors of random sizes and a target of pure noise."""
    rng = np.random.default_rng([seed, 77])
    table = pd.DataFrame({name: np.exp(rng.uniform(2, 8, rows)) for name in ("n", "m", "k")})
    return table.assign(y=rng.normal(0, 1, rows))


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))]
)
def test_a_law_of_noise_does_not_claim_to_extrapolate(seed: int) -> None:
    problem = posed(shuffled(seed))
    found = find_laws(problem.data, None, TINY)
    assert found.selected is not None
    r2 = found.outside.r2(found.laws[found.selected])
    assert r2 is not None
    assert r2 <= 0.2
