"""Sentences about laws follow from the numbers they are given."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from mtl_laws.pipeline.laws.checks import Defect, Kind
from mtl_laws.pipeline.laws.evidence.exponents import Exponent
from mtl_laws.pipeline.laws.evidence.factor import FactorEvidence
from mtl_laws.pipeline.laws.evidence.harm import Harm
from mtl_laws.pipeline.laws.evidence.model_free_exponent import ModelFreeExponent
from mtl_laws.pipeline.laws.question import Note
from mtl_laws.pipeline.laws.record import Groups, Outlier
from mtl_laws.pipeline.laws.rules import EvidenceRules
from mtl_laws.pipeline.report.evidence_text import (
    exponents_text,
    factor_text,
    harm_text,
    listed,
    model_free_text,
)
from mtl_laws.pipeline.report.text import (
    CUT,
    MAX_LISTED,
    defect_text,
    few_levels_text,
    groups_text,
    held_out_text,
    limits_text,
    note_text,
    outliers_text,
    sentences,
    shared_text,
    small_groups_text,
)

ROOT = Exponent(-0.5, (-0.53, -0.43), "n ** c2", part="n")
MATTERS = FactorEvidence(
    factor="n",
    in_law=True,
    delta_bic=120.0,
    r2_with=0.95,
    r2_without=0.4,
    exponent=ROOT,
    exponents=(ROOT,),
    root="supported",
    plain_exponent=ModelFreeExponent(-0.5, (-0.6, -0.4), 9),
    inclusion=1.0,
    inclusion_permuted=0.1,
)
HARM = Harm(
    count="T",
    share="ami",
    lowest=-0.03,
    highest=0.1,
    at={"n": 50.0, "T": 6.0, "ami": 0.0},
    lowered=0.25,
    always_below=0.2,
    never_from=0.4,
    surely=0.1,
    cells=78,
    below=20,
    clearly=3,
)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_defect_has_a_text(kind: Kind) -> None:
    text = defect_text(Defect(kind, "ami", 1.061, {"T": 1.0}))
    assert "T" in text or "1.06" in text or "ami" in text
    assert not text.endswith(".")


def test_a_defect_of_an_undefined_factor_says_where_it_is_undefined() -> None:
    defect = Defect("depends_on_undefined", "ami", 0.1, {"T": 1.0})
    assert defect_text(defect) == "depends on ami at T = 1, where ami is undefined"
    nowhere = Defect("depends_on_undefined", "ami", 0.1)
    assert defect_text(nowhere) == "depends on ami where ami is undefined"


@pytest.mark.parametrize(
    ("ci95", "words"),
    [
        ((-0.53, -0.43), "supports 1/√n"),
        ((-1.1, -0.9), "rules out 1/√n and is compatible with 1/n"),
        ((0.43, 0.53), "supports √n"),
        ((0.4, 1.2), "compatible with √n and n"),
        ((0.6, 0.8), "rules out √n."),
        ((0.9, 1.1), "rules out √n and is compatible with n"),
        ((-0.1, 0.7), "undetermined."),
        ((-0.1, 0.3), "undetermined, but √n is ruled out"),
        (None, "(no interval)"),
    ],
)
def test_an_interval_decides_on_the_root(ci95: tuple[float, float] | None, words: str) -> None:
    text = exponents_text("n", [Exponent(0.5, ci95, "n ** c1")])
    assert words in text
    assert ("tends to 0" in text) is (ci95 is not None and ci95[1] < 0)


def law_of(**told: Any) -> Any:
    return SimpleNamespace(**{"limits": "", "scores": {}, **told})


def test_an_implausible_limit_is_a_sentence() -> None:
    text = limits_text(law_of(limits="turns back as n grows"))
    assert text.startswith("The law turns back as n grows, which is implausible.")
    assert limits_text(law_of()) == ""


@pytest.mark.parametrize("r2", [None, 0.0, 0.4])
def test_nothing_is_said_where_the_law_is_of_use_on_the_held_out_rows(r2: float | None) -> None:
    assert held_out_text(law_of(scores={"r2_hold_out": r2})) == ""


def test_a_law_that_fails_on_the_held_out_rows_is_named_worse_than_their_mean() -> None:
    text = held_out_text(law_of(scores={"r2_hold_out": -0.52, "rmse_hold_out": 0.031}))
    assert "worse than their own mean" in text
    assert "R² −0.520, RMSE 0.031" in text


def test_factors_with_few_levels_are_named() -> None:
    assert few_levels_text([], 4) == ""
    one = few_levels_text(["T"], 4)
    assert one.startswith("T has fewer than 4 levels")
    assert one.endswith("chosen without a test beyond it.")
    two = few_levels_text(["n", "T"], 4)
    assert two.startswith("n and T have fewer than 4 levels")
    assert two.endswith("chosen without a test beyond them.")


def test_a_minor_place_says_how_little_it_moves_the_law() -> None:
    first = Exponent(1.0, (0.9, 1.1), "ami", part="T ** ami", moves=0.1)
    second = Exponent(None, None, "ami", part="ami / T", moves=0.01)
    text = exponents_text("ami", [first, second])
    assert text.index("T^ami") < text.index("ami/T") < text.index("10 %")
    assert "10 %" not in exponents_text("ami", [first, second], EvidenceRules(minor_place=0.05))
    assert exponents_text("ami", []) == ""


def test_a_power_that_varies_names_what_it_depends_on() -> None:
    varies = Exponent(None, None, "T", ("ami",), (0.1, 0.9), part="T")
    assert "depends on ami and ranges from 0.1 to 0.9" in exponents_text("T", [varies])
    assert "argument of exp" in exponents_text("n", [dataclasses.replace(ROOT, under="exp")])


@pytest.mark.parametrize(
    ("names", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")],
)
def test_names_are_listed_as_one_says_them(names: list[str], text: str) -> None:
    assert listed(names, "or") == text


def test_evidence_is_judged_by_the_rules() -> None:
    assert factor_text(MATTERS).startswith("n matters: the law explains 95 % of the variance")
    assert "costs little" in factor_text(MATTERS, EvidenceRules(strong=200.0))
    absent = dataclasses.replace(
        MATTERS, in_law=False, exponents=(), plain_exponent=None, inclusion=0.1
    )
    assert "do not extrapolate better" in factor_text(absent)
    assert "100 %" not in factor_text(absent)
    often = dataclasses.replace(absent, inclusion=0.9)
    assert "Yet the best law with n" in factor_text(often)
    assert "hardly more often" in factor_text(dataclasses.replace(MATTERS, inclusion=0.1))
    alone = dataclasses.replace(absent, delta_bic=None)
    assert factor_text(alone) == "n is in no valid law of the search."


def test_a_model_free_exponent_names_the_powers_in_its_interval() -> None:
    root = model_free_text("n", ModelFreeExponent(-0.5, (-0.6, -0.4), 9))
    assert "approach to a limit" in root
    assert root.endswith("This supports 1/√n.")
    wide = model_free_text("n", ModelFreeExponent(0.2, (-0.1, 0.6), 9))
    assert wide.endswith("This is compatible with √n and ln n.")
    assert model_free_text("n", None) == ""


def test_harm_says_where_and_how_sure() -> None:
    text = harm_text("f1", HARM)
    assert "25 % of the fitted ranges" in text
    assert "at n = 50, T = 6, ami = 0; always up to ami = 0.2; never from ami = 0.4." in text
    assert "never falls below" in harm_text("f1", dataclasses.replace(HARM, lowered=0.0))
    assert "always lies below" in harm_text("f1", dataclasses.replace(HARM, lowered=1.0))
    assert harm_text("f1", None) == ""


@pytest.mark.parametrize(
    "kind", ["placeholder", "where", "no_target", "missing_factor", "unmodelled", "small_group"]
)
def test_a_note_on_the_rows_names_what_it_is_about(kind: str) -> None:
    text = note_text(Note(kind, "ami", "T", 12))
    assert "ami" in text
    assert ("12 rows" in text) == (kind != "unmodelled")
    assert not text.endswith(".")
    assert "1 row " in note_text(Note("where", "n > 3", rows=1))


def test_shared_constants_and_those_of_each_group_are_named() -> None:
    groups = Groups(columns=("encoder",), column="encoder", levels=("cnn", "lstm"))
    own = {"cnn": {"c0": 0.1}, "lstm": {"c0": 0.2}}
    law = law_of(levels=("cnn", "lstm"), shared=("c1", "c2"), group_constants=own)
    assert shared_text(law) == "c1 and c2 are shared by all groups; c0 differs between them."
    assert groups_text(law, groups) == "2 levels of encoder; c1 and c2 shared, c0 per group"
    assert shared_text(law_of(levels=(), shared=(), group_constants=None)) == ""
    alone = law_of(levels=("cnn", "lstm"), shared=(), group_constants=own)
    assert "c0" in shared_text(alone)


def test_small_groups_are_counted_and_named() -> None:
    groups = Groups(columns=("g",), column="g", levels=("a", "b"), small={"b": 3})
    text = small_groups_text(groups)
    assert text.startswith("1 group has")
    assert text.endswith("b (3 rows).")
    many = groups.model_copy(update={"small": {f"g{k}": k for k in range(MAX_LISTED + 2)}})
    assert "and 2 more" in small_groups_text(many)
    assert small_groups_text(groups.model_copy(update={"small": {}})) == ""


def test_outliers_are_counted_from_one_and_set_beside_the_law_without_them() -> None:
    rows = [
        Outlier(row=k, value=0.1, predicted=0.5, residual_sd=-6.0) for k in range(MAX_LISTED + 3)
    ]
    laws = SimpleNamespace(outliers=rows[:1], outlier_total=1, without_outliers=None)
    assert "row 1 (−6 SD)" in outliers_text(laws)
    laws = SimpleNamespace(
        outliers=rows, outlier_total=len(rows), without_outliers=law_of(shown="0.5*n")
    )
    text = outliers_text(laws)
    assert text.startswith(f"{len(rows)} rows lie")
    assert "and 3 more" in text
    assert "0.5·n" in text
    assert outliers_text(SimpleNamespace(outliers=[], outlier_total=0)) == ""


def test_all_sentences_need_only_attributes() -> None:
    scores = {"r2_cv": 0.9, "r2_extrapolation": 0.8, "r2_hold_out": None}
    bands = {"law": 0.01, "law_most": 0.02, "run": 0.05, "held_fit": 0.95, "held_out": None}
    selected = SimpleNamespace(
        scores=scores,
        origin="grammar",
        valid=True,
        levels=(),
        shared=(),
        uncertainty=SimpleNamespace(misfit_sd=0.01, fit_sd=None, replicate_sd=0.02),
    )
    form = SimpleNamespace(scores={"r2_extrapolation": 0.7}, origin="theory: roots", valid=True)
    laws = SimpleNamespace(
        target="f1",
        law=selected,
        theory=[form],
        evidence=[_attributes(MATTERS.to_json())],
        outliers=(),
        outlier_total=0,
        baseline=SimpleNamespace(name="gradient boosting", scores=scores),
        certainty=SimpleNamespace(**bands),
        harm=SimpleNamespace(**dataclasses.asdict(HARM)),
        measured_gain=None,
        reach=(),
        data=SimpleNamespace(lower_is_better=False),
        provenance=SimpleNamespace(cut=True),
    )
    text = sentences(laws)
    assert text.factors == (factor_text(MATTERS),)
    assert len(text.verdicts) == 5
    assert '"roots" has the best extrapolated R²: 0.700, 0.100 below' in text.verdicts[0]
    assert "0.800 extrapolated (the law: 0.800)" in text.verdicts[1]
    assert text.verdicts[-1] == CUT
    laws.provenance.cut, laws.harm, laws.certainty = False, None, None
    assert len(sentences(laws).verdicts) == 2


def _attributes(record: dict[str, Any]) -> Any:
    return json.loads(json.dumps(record), object_hook=lambda part: SimpleNamespace(**part))
