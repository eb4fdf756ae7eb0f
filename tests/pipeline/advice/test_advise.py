"""`mtl-laws advise` from end to end, on the corpus that ships."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

from mtl_laws.pipeline.advice.advice import AdviceRequest, answer_request, write_advice
from mtl_laws.pipeline.advice.check import CheckPlan, plan_setups
from mtl_laws.pipeline.advice.corpus import CorpusFiles
from mtl_laws.pipeline.advice.present import (
    Advice,
    advice_html,
    as_text,
    gains_table,
    headline,
    signed,
)
from mtl_laws.pipeline.cli.app import main
from mtl_laws.pipeline.errors import UserError
from support.planted_laws import HARBOUR, write_laws

SCARCE = AdviceRequest(corpus=CorpusFiles(paths=(HARBOUR,)), main="chunk", n=150)


def advice_of(
    corpus: Path, main: str = "chunk", columns: tuple[str, ...] | None = None, **request: Any
) -> Advice:
    files = CorpusFiles(paths=(corpus,), columns=columns)
    return answer_request(AdviceRequest(corpus=files, main=main, **request))


def test_the_shipped_law_advises_out_of_the_box(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["advise", str(HARBOUR), "--main", "chunk", "--tokens", "150", "--out", str(tmp_path)])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith("Train chunk with pos")
    assert "in span F1. It helps with a probability of" in said, "BIO labels mark spans"
    assert re.search(r"^pos +12 +3,643 +2\.20 +0\.79 \[0\.\d\d, 0\.\d\d\]", said, re.MULTILINE)
    record = json.loads((tmp_path / "advice.json").read_text(encoding="utf-8"))
    assert record["best"]["gain"]["value"] > 0
    assert record["corpus"]["pairs"]["pos"]["ami"] == pytest.approx(0.79, abs=0.01)
    assert record["metric"] == "span_f1"
    best = record["suggestions"][0]
    assert 0.5 < best["helps"] <= 1.0
    assert best["statistics"]["ami"] == pytest.approx(0.168, abs=0.01), "the most that was measured"
    assert best["outside"] == ["ami"]
    assert best["alone"] is None, "no law of the span F1 alone ships"


def test_fewer_tokens_of_the_main_layer_promise_more_gain() -> None:
    few, many = (
        advice_of(HARBOUR, auxiliaries=("pos",), n=n, metric="accuracy").suggestions[0]
        for n in (100, 1_500)
    )
    assert few.gain.value > many.gain.value


@pytest.mark.parametrize("sizes", [{"n": 300}, {"n": 300, "n_aux": 50_000}, {"n": 9_000}])
def test_the_gain_can_be_recomputed_from_the_record(sizes: dict[str, int]) -> None:
    advice = advice_of(HARBOUR, "pos", **sizes)
    record = advice.to_json()
    assert record["metric"] == "accuracy"
    for one in record["suggestions"]:
        known = {name: value for name, value in one["statistics"].items() if value is not None}
        value = eval(record["law"]["expression"], {"sqrt": math.sqrt}, known)
        assert one["gain"]["value"] == pytest.approx(value)
        if one["alone"] is None:
            continue
        total = one["alone"]["value"] + one["gain"]["value"]
        assert one["together"]["value"] == pytest.approx(total)


def test_beyond_the_tokens_that_were_measured_no_score_is_claimed() -> None:
    advice = advice_of(HARBOUR, "pos", n=50_000)
    first = advice.suggestions[0]
    assert (first.alone, first.together) == (None, None)
    assert "n" in first.outside
    assert abs(first.gain.value) < 0.02


def test_little_evidence_is_called_that() -> None:
    advice = advice_of(HARBOUR, "pos", n=100)
    best = advice.suggestions[0]
    doubtful = replace(advice, best=replace(best, helps=0.6))
    assert headline(doubtful).startswith("There is not enough evidence that any layer helps pos")
    assert "probability of 60 %" in headline(doubtful)
    none = replace(advice, best=None)
    assert headline(none).startswith("Train pos alone: with 100 tokens")


def test_a_metric_needs_labels_that_have_it() -> None:
    with pytest.raises(UserError, match="metric: expected accuracy: the labels of pos mark no"):
        advice_of(HARBOUR, "pos", metric="span_f1")
    with pytest.raises(UserError, match="the nearest is 'accuracy'"):
        advice_of(HARBOUR, "pos", metric="acuracy")


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    hostile = tmp_path / "x<script>.conll"
    hostile.write_bytes(HARBOUR.read_bytes().replace(b" entity\n", b" <b>entity</b>\n"))
    advice = advice_of(hostile, n=150, metric="accuracy")
    write_advice(advice, tmp_path / "out")
    page = (tmp_path / "out" / "advice.html").read_text(encoding="utf-8")
    outside = [url for url in re.findall(r"https?://[^\s\"'<]+", page) if "w3.org" not in url]
    assert outside == []
    assert "<script" not in page
    assert "<b>" not in page
    assert page.count("<table>") == 2
    assert "Predicted gain in accuracy over training chunk alone" in page
    assert "transfer: gain of the ridge probe" in page
    assert "Outside" not in page, "nothing is: no column and no word on it"
    assert ">outside<" not in page
    assert advice._repr_html_() in page
    assert 'aria-label="Train chunk' in page
    assert escape(headline(advice).split(":")[0]) in page


def test_only_the_interval_of_an_older_law_is_given_its_form() -> None:
    shipped = answer_request(SCARCE)
    assert "the 95 % interval of its mean. Helps" in gains_table(shipped).note
    advice = replace(shipped, errors=None)
    assert "if the form of the law is right" in gains_table(advice).note
    told = advice.law.uncertainty
    assert told is not None
    present = advice.law.model_copy(update={"uncertainty": told.model_copy(update={"drift": 0.1})})
    note = gains_table(replace(advice, law=present)).note
    assert "the 95 % interval of its mean. Helps" in note


def test_the_family_of_a_law_and_what_is_outside_are_said(tmp_path: Path) -> None:
    path = write_laws(
        tmp_path / "laws.json",
        "0.5 + 0.1*ami*T/n**0.1",
        provenance={"family": "layers"},
    )
    advice = advice_of(HARBOUR, laws=path, n=20_000)
    assert len(advice.warnings) == 3
    assert advice.suggestions[0].outside == ("n",)
    larger, outside, same = advice.warnings
    assert "3,643" in larger
    assert "20,000" in larger
    assert "in n" in outside
    assert "on other sentences" in same
    none = advice_of(HARBOUR, laws=write_laws(path, "0.5 - 0.01*T"), n=150)
    assert len(none.warnings) == 2, "it names no family and has no relatedness"
    assert none.best is None
    assert as_text(none).startswith("Train chunk alone")


def test_a_gain_that_rounds_to_nothing_has_no_sign() -> None:
    assert [signed(x) for x in (-0.0004, 0.0004, -0.0006)] == ["0.000", "0.000", "-0.001"]


def test_layers_that_are_no_tasks_are_left_out_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "mine.conll"
    rows = [f"w{i % 40} L{i % 3} X {i} {'T' if i < 50 else '_'} _" for i in range(600)]
    path.write_text("\n".join(row + "\n" * (i % 10 == 9) for i, row in enumerate(rows)))
    columns = ("tokens", "tag", "constant", "number", "rare", "blank")
    advice = advice_of(path, "tag", columns=columns)
    assert [layer.name for layer in advice.profile.auxiliaries] == ["rare"]
    assert "Left out: constant has only one label." in as_text(advice)
    assert "Left out: number has 600 labels" in as_text(advice)
    assert set(advice.left_out) == {"constant", "number", "blank"}
    with pytest.raises(UserError) as caught:
        advice_of(path, "tag", auxiliaries=("number",), columns=columns)
    assert (caught.value.path, caught.value.got) == ("aux", "number")


def test_nearly_constant_layers_are_folded_into_one_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.conll"
    rows = [
        f"w{i % 40} L{i % 3} P{i % 4} {'F' if i % 100 == 0 else '_'} {'T' if i % 90 == 0 else '_'}"
        for i in range(600)
    ]
    path.write_text("\n".join(row + "\n" * (i % 10 == 9) for i, row in enumerate(rows)))
    columns = ("tokens", "tag", "pos", "Foreign", "Typo")
    advice = advice_of(path, "tag", columns=columns)
    assert [one.auxiliaries for one in advice.suggestions] == [("pos",)]
    lines = [line for line in as_text(advice).splitlines() if "nearly constant" in line]
    assert lines == [
        "- Left out: Foreign, Typo; each is nearly constant: one label covers more than 98 % of "
        "its tokens."
    ]
    assert set(advice.left_out) == {"Foreign", "Typo"}
    named = advice_of(path, "tag", auxiliaries=("Typo",), columns=columns)
    assert [one.auxiliaries for one in named.suggestions] == [("Typo",)]


@pytest.mark.parametrize(
    ("path", "request_of"),
    [
        ("main", {"main": "chnk"}),
        ("aux", {"auxiliaries": ("chunk",)}),
        ("aux", {"auxiliaries": ("ner",)}),
        ("tokens", {"n": 0}),
        ("aux_tokens", {"n_aux": -1}),
        ("columns", {"columns": ("a", "a", "b", "c")}),
    ],
)
def test_a_mistake_is_named_by_its_argument(path: str, request_of: dict[str, Any]) -> None:
    with pytest.raises(UserError) as caught:
        advice_of(HARBOUR, **request_of)
    assert caught.value.path == path


def test_text_and_page_explain_ami_once() -> None:
    advice = answer_request(SCARCE)
    assert as_text(advice).count("adjusted mutual information") == 1
    assert advice_html(advice).count("adjusted mutual information") == 1


@pytest.mark.slow
def test_a_check_measures_what_was_predicted() -> None:
    seen: list[tuple[str, int, int]] = []
    advice = answer_request(SCARCE, CheckPlan(seeds=4, top=1), lambda *state: seen.append(state))
    assert advice.check is not None
    assert advice.check.n == 150
    best = advice.check.results[0]
    assert best.predicted.auxiliaries == ("pos",)
    assert best.seeds == 4
    assert best.gain == pytest.approx(best.together - best.alone)
    assert best.gain_ci95[0] < best.gain < best.gain_ci95[1]
    assert seen[-1][1] == seen[-1][2]
    assert "Check with n = 150" in as_text(advice)
    assert best.updated.law is not None
    low, high = sorted((best.gain, best.predicted.gain.value))
    assert low <= best.updated.value <= high, "a weighted mean of both"


def test_a_check_is_as_large_as_the_corpus_allows() -> None:
    advice = answer_request(SCARCE)
    full = advice_of(HARBOUR)
    sets, plan = [("pos",), ("pos", "entity")], CheckPlan()
    setups, test_tokens = plan_setups(advice.profile, advice.sizes, sets, plan)
    assert test_tokens == 910
    assert {setup.n for setup in setups} == {150}
    largest, _ = plan_setups(full.profile, full.sizes, [("pos", "entity")], plan)
    needed = 1.2 * (largest[0].n + 2 * largest[0].n_aux) + test_tokens
    assert 0.8 * 3_643 < needed < 3_643


def column_file(folder: Path, sentences: int) -> Path:
    """A file whose second column has the words; its third and fourth are layers."""
    path = folder / "mine.tsv"
    sentence = "\n".join(f"{k * 7}\tw{k}\tP{k % 3}\tC{k % 2}" for k in range(6))
    path.write_text("\n\n".join([sentence] * sentences) + "\n", encoding="utf-8")
    return path


def test_the_words_and_columns_to_skip_are_named(tmp_path: Path) -> None:
    path, out = column_file(tmp_path, 40), tmp_path / "advice"
    words = ["advise", str(path), "--columns", "id,word,pos,chunk", "--main", "pos"]
    with pytest.raises(SystemExit) as end:
        main([*words, "--word-column", "2", "--skip", "id", "--out", str(out)])
    assert end.value.code == 0
    record = json.loads((out / "advice.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in record["corpus"]["auxiliaries"]] == ["chunk"]
    assert record["corpus"]["main"]["tokens"] == 240


@pytest.mark.parametrize(("sentences", "said"), [(1, "1 sentence"), (29, "29 sentences")])
def test_a_corpus_of_few_sentences_is_refused(tmp_path: Path, sentences: int, said: str) -> None:
    path = tmp_path / "few.tsv"
    sentence = "\n".join(f"w{k}\tP{k % 3}\tC{k % 2}" for k in range(120))
    path.write_text("\n\n".join([sentence] * sentences) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=f"30 sentences or more.*'{said} in few.tsv'"):
        advice_of(path, "layer_1")


def test_a_predicted_accuracy_is_at_most_1(tmp_path: Path) -> None:
    law = write_laws(tmp_path / "laws.json", "0.98 + 0.01*T + 0.001*sqrt(n)")
    advice = advice_of(HARBOUR, laws=law, n=3_000)
    values = [one.value for s in advice.suggestions for one in (s.alone, s.together) if one]
    assert max(values) == 1.0
