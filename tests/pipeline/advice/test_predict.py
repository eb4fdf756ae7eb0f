"""Laws applied to layers of a corpus: scores, gains, the best set, what lies outside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mtl_laws.pipeline.advice.evidence import Evidence
from mtl_laws.pipeline.advice.factors import sources
from mtl_laws.pipeline.advice.predict import (
    AdviceLaw,
    Estimate,
    GainErrors,
    GainPredictor,
    SetRules,
)
from mtl_laws.pipeline.advice.sizes import TokenCounts
from mtl_laws.pipeline.errors import UserError
from mtl_laws.simulator import load_corpus
from support.planted_laws import HARBOUR, RANGES, planted

KNOWN = Evidence(load_corpus(HARBOUR), "entity", TokenCounts(500, {"pos": 2_000, "chunk": 1_000}))
SINGLES = [("pos",), ("chunk",)]
ERRORS = GainErrors(
    base=0.01, by_token=0.1, seed_base=0.0, seed_by_token=0.1, corpora=14, freedom=13
)


def predictor(
    expression: str,
    target: str = "accuracy",
    ranges: dict[str, tuple[float, float]] = RANGES,
    errors: GainErrors | None = None,
) -> GainPredictor:
    law = planted(expression, ranges)
    used = sources([name for name in ranges if law.uses(name)], {}, "laws.json")
    return GainPredictor(
        law=AdviceLaw(law=law, target=target, sources=used, errors=errors), evidence=KNOWN
    )


def test_a_gain_is_the_score_with_auxiliaries_minus_that_without() -> None:
    pos, chunk = predictor("0.5 + 0.1*ami*(T - 1)").predict(SINGLES)
    for one in (pos, chunk):
        assert one.alone is not None
        assert one.together is not None
        assert one.alone.value == pytest.approx(0.5), "undefined AMI must not matter at T = 1"
        assert one.gain.value == pytest.approx(one.together.value - one.alone.value)
        assert one.gain.value == pytest.approx(0.1 * one.statistics.ami)


def test_a_law_of_gains_gives_gains_only() -> None:
    pos, _ = predictor("0.1*ami - 0.01", "gain").predict(SINGLES)
    assert pos.gain.value == pytest.approx(0.1 * pos.statistics.ami - 0.01)
    assert pos.alone is None
    assert pos.together is None


def test_what_the_probe_reaches_is_a_factor() -> None:
    pos, _ = predictor("0.9*probe").predict(SINGLES)
    assert pos.gain.value == pytest.approx(0.9 * pos.statistics.transfer)


def test_errors_on_other_corpora_widen_the_interval_most_for_few_tokens() -> None:
    errors = replace(ERRORS, by_token=0.4, seed_by_token=0.3)
    one = predictor("0.1*ami", "gain", errors=errors).predict(SINGLES)[0]
    assert one.gain.law is not None
    assert one.gain.run is not None
    half = (one.gain.law[1] - one.gain.law[0]) / 2
    assert half == pytest.approx(2.16 * np.hypot(0.01, 0.4 / np.sqrt(500)), rel=0.01)
    assert one.gain.run[1] - one.gain.run[0] > 2 * half
    assert one.helps == pytest.approx(Estimate(one.gain.value, one.gain.law).helps)
    assert one.helps is not None
    assert 0.5 < one.helps < 1.0
    mean, seed = errors.deviations(np.array([100.0, 1e9]))
    assert mean[0] > mean[1] == pytest.approx(0.01)
    assert (seed >= mean).all()


@pytest.mark.parametrize(
    ("alone", "law"), [(1.0, "0.01*ami - 0.01"), (0.97, "0.1 + 0.01*ami"), (0.0, "0.01*ami - 0.1")]
)
def test_a_gain_leaves_the_score_together_within_its_bounds(alone: float, law: str) -> None:
    free = predictor(law, "gain", errors=ERRORS)
    beside = replace(free, alone=planted(f"{alone} + 0*n", {"n": RANGES["n"]}))
    for one, raw in zip(beside.predict(SINGLES), free.predict(SINGLES), strict=True):
        assert one.alone is not None
        assert one.gain.law is not None
        assert raw.gain.law is not None
        ends = np.array([one.gain.value, *one.gain.law])
        assert (ends >= -alone - 1e-12).all()
        assert (ends <= 1 - alone + 1e-12).all()
        assert one.gain.law != raw.gain.law
        assert ends == pytest.approx(np.clip([raw.gain.value, *raw.gain.law], -alone, 1 - alone))
        assert one.helps == raw.helps, "the bounds say nothing about the sign"
        assert one.half_width == raw.half_width
        assert one.together is not None
        assert one.together.value == pytest.approx(alone + one.gain.value)


def test_one_training_may_gain_more_than_the_mean_can() -> None:
    free = Estimate(0.05, (-0.02, 0.12), (-0.3, 0.4))
    cut = free.within((-0.95, 0.05), (-1.0, 0.15))
    assert cut == Estimate(0.05, (-0.02, 0.05), (-0.3, 0.15))
    assert Estimate(0.2).within((0.0, 0.1), (0.0, 1.0)) == Estimate(0.1)


def test_less_of_a_loss_is_no_more_than_all_of_it() -> None:
    steep = predictor("0.05 - 0.2*ami*(T - 1)", "loss")
    one = replace(steep, law=replace(steep.law, lower_is_better=True)).predict(SINGLES)[0]
    assert 0.2 * one.statistics.ami > 0.05
    assert one.gain.value == pytest.approx(0.05)


def test_beyond_the_measured_tokens_a_shipped_law_is_held_at_their_end() -> None:
    ranges = {**RANGES, "n": (10.0, 400.0)}
    held = predictor("0.001*n", "gain", ranges, ERRORS).predict(SINGLES)[0]
    assert held.gain.value == pytest.approx(0.4), "n = 500 counts as 400"
    assert held.outside == ("n",)
    falls = predictor("40/n", "gain", ranges, ERRORS).predict(SINGLES)[0]
    assert falls.gain.value == pytest.approx(0.08), "a gain that shrinks goes on to do so"
    for one in (held, falls):
        assert one.gain.law is not None
        half = (one.gain.law[1] - one.gain.law[0]) / 2
        assert half == pytest.approx(ERRORS.width * ERRORS.deviations(np.array([400.0]))[0][0])
    free = predictor("0.001*n", "gain", ranges).predict(SINGLES)[0]
    assert free.gain.value == pytest.approx(0.5), "a law of the user's own is not held"


def test_beyond_the_measured_relatedness_no_more_is_claimed_than_at_its_end() -> None:
    ranges = {**RANGES, "ami": (0.0, 0.1)}
    pos = predictor("ami", "gain", ranges, ERRORS).predict(SINGLES)[0]
    assert predictor("ami", "gain", ranges).predict(SINGLES)[0].statistics.ami > 0.1
    assert pos.gain.value == pos.statistics.ami == pytest.approx(0.1)
    assert pos.outside == ("ami",)


def test_a_larger_set_has_to_be_better_by_a_margin() -> None:
    one = predictor("0.001*T", "gain", ranges={**RANGES, "T": (1.0, 3.0)})
    assert one.predict([("pos", "chunk")])[0].gain.value > one.predict(SINGLES)[0].gain.value
    singles = one.predict(SINGLES)
    small = one.best_set(singles)
    assert small is not None
    assert len(small.auxiliaries) == 1
    eager = GainPredictor(law=predictor("0.05*T", "gain").law, evidence=KNOWN, rules=SetRules())
    large = eager.best_set(eager.predict(SINGLES))
    assert large is not None
    assert len(large.auxiliaries) == 2


def test_the_best_set_may_be_all_one_or_none() -> None:
    def best(expression: str, most: float = 3.0) -> tuple[str, ...] | None:
        one = predictor(expression, ranges={**RANGES, "T": (1.0, most)})
        subset = one.best_set(one.predict(SINGLES))
        return None if subset is None else subset.auxiliaries

    assert best("0.5 + 0.01*T") == ("chunk", "pos") or best("0.5 + 0.01*T") == ("pos", "chunk")
    assert best("0.5 + 0.1*ami*(T - 1)/T**2") == ("pos",), "pos has the higher AMI"
    assert best("0.5 - 0.01*T") is None
    assert best("0.5 + 0.01*T", most=2.0) in (("pos",), ("chunk",)), "not beyond the fitted T"


def test_what_lies_outside_the_fitted_region_is_named() -> None:
    one = predictor("0.5 + 0.0001*n*T*ami", ranges={**RANGES, "n": (10.0, 400.0)})
    assert one.predict(SINGLES)[0].outside == ("n",)
    inside = predictor("0.5 + 0.0001*n*T*ami")
    assert inside.predict(SINGLES)[0].outside == ()


def test_a_factor_goes_by_its_column_or_its_own_name() -> None:
    assert sources(["relatedness"], {"relatedness": "ami"}, "x") == {"relatedness": "ami"}
    assert sources(["n"], {"n": "n_tokens_per_task"}, "x") == {"n": "n"}
    assert sources(["a"], {"a": "ami_request"}, "x") == {"a": "ami"}
    with pytest.raises(UserError, match=r"overlap \(column feature_overlap\)"):
        sources(["overlap"], {"overlap": "feature_overlap"}, "x")
