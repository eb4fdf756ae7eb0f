"""Laws applied to layers of a corpus: scores, gains, the best set, what lies outside."""

from __future__ import annotations

import numpy as np
import pytest

from mtl_laws.pipeline.advice.corpus import profile
from mtl_laws.pipeline.advice.factors import FACTORS, Situation, TokenCounts, sources
from mtl_laws.pipeline.advice.predict import AdviceLaw, GainPredictor
from mtl_laws.pipeline.advice.word_table import WordTable
from mtl_laws.pipeline.errors import UserError
from mtl_laws.simulator import load_corpus
from support.planted_laws import HARBOUR, RANGES, planted

CORPUS = load_corpus(HARBOUR)
KNOWN = profile(CORPUS, "entity", ["pos", "chunk"], resamples=0)
SIZES = TokenCounts(500, {"pos": 2_000, "chunk": 1_000})
SINGLES = [("pos",), ("chunk",)]


def predictor(
    expression: str,
    target: str = "accuracy",
    ranges: dict[str, tuple[float, float]] = RANGES,
) -> GainPredictor:
    law = planted(expression, ranges)
    used = sources([name for name in ranges if law.uses(name)], {}, "laws.json")
    return GainPredictor(
        law=AdviceLaw(law=law, target=target, sources=used),
        profile=KNOWN,
        words=WordTable(CORPUS, "entity", splits=2),
    )


def test_a_gain_is_the_score_with_auxiliaries_minus_that_without() -> None:
    pos, chunk = predictor("0.5 + 0.1*ami*(T - 1)").predict(SIZES, SINGLES)
    for one, name in ((pos, "pos"), (chunk, "chunk")):
        assert one.alone is not None
        assert one.together is not None
        assert one.alone.value == pytest.approx(0.5), "undefined AMI must not matter at T = 1"
        assert one.gain.value == pytest.approx(one.together.value - one.alone.value)
        assert one.gain.value == pytest.approx(0.1 * KNOWN.pairs[name].ami)


def test_a_law_of_gains_gives_gains_only() -> None:
    pos, _ = predictor("0.1*ami - 0.01", "gain").predict(SIZES, SINGLES)
    assert pos.gain.value == pytest.approx(0.1 * KNOWN.pairs["pos"].ami - 0.01)
    assert pos.alone is None
    assert pos.together is None


def test_what_tables_of_words_reach_is_a_factor() -> None:
    pos, _ = predictor("0.9*lookup").predict(SIZES, SINGLES)
    table = WordTable(CORPUS, "entity", splits=2)
    alone, together = table.accuracy(500, SIZES.n_aux, [(), ("pos",)])
    assert pos.gain.value == pytest.approx(0.9 * (together - alone))


def test_the_best_set_may_be_all_one_or_none() -> None:
    def best(expression: str, most: float = 3.0) -> tuple[str, ...] | None:
        one = predictor(expression, ranges={**RANGES, "T": (1.0, most)})
        subset = one.best_set(SIZES, one.predict(SIZES, SINGLES))
        return None if subset is None else subset.auxiliaries

    assert best("0.5 + 0.01*T") == ("chunk", "pos") or best("0.5 + 0.01*T") == ("pos", "chunk")
    assert best("0.5 + 0.1*ami*(T - 1)/T**2") == ("pos",), "pos has the higher AMI"
    assert best("0.5 - 0.01*T") is None
    assert best("0.5 + 0.01*T", most=2.0) in (("pos",), ("chunk",)), "not beyond the fitted T"


def test_what_lies_outside_the_fitted_region_is_named() -> None:
    one = predictor("0.5 + 0.0001*n*T*ami", ranges={**RANGES, "n": (10.0, 400.0)})
    assert one.predict(SIZES, SINGLES)[0].outside == ("n",)
    inside = predictor("0.5 + 0.0001*n*T*ami")
    assert inside.predict(SIZES, SINGLES)[0].outside == ()


def test_every_factor_is_computed_and_undefined_for_one_task_where_it_should_be() -> None:
    alone = Situation(KNOWN, SIZES, (), 0.6, 0.6)
    both = Situation(KNOWN, SIZES, ("pos", "chunk"), 0.7, 0.6)
    assert all(np.isfinite(factor.value(both)) for factor in FACTORS.values())
    undefined = {name for name, factor in FACTORS.items() if np.isnan(factor.value(alone))}
    assert undefined == {
        *("n_aux", "ami", "explained", "h_aux", "h_main_given_aux", "h_aux_given_main")
    }
    assert FACTORS["n_aux"].value(both) == 1_500
    assert FACTORS["T"].value(both) == 3
    assert FACTORS["transfer"].value(both) == pytest.approx(0.1)


def test_a_factor_goes_by_its_column_or_its_own_name() -> None:
    assert sources(["relatedness"], {"relatedness": "ami"}, "x") == {"relatedness": "ami"}
    assert sources(["n"], {"n": "n_tokens_per_task"}, "x") == {"n": "n"}
    assert sources(["a"], {"a": "ami_request"}, "x") == {"a": "ami"}
    with pytest.raises(UserError, match=r"overlap \(column feature_overlap\)"):
        sources(["overlap"], {"overlap": "feature_overlap"}, "x")
