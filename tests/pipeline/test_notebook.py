"""The notebook's way in: laws from a DataFrame, shown, asked, saved and read back."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.dom.minidom
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtl_laws import Law, LawSet, advise, fit_laws, predict, run_study
from mtl_laws.pipeline.advice import advice as advice_module
from mtl_laws.pipeline.errors import MissingError, UserError
from mtl_laws.pipeline.laws.rules import BUDGETS
from mtl_laws.pipeline.study import workers
from mtl_laws.pipeline.study.backends import RunOptions
from support.tiny_runs import STUDY, Trainer

TINY: dict[str, Any] = {"engine": "grammar", "budget": "tiny", "jobs": 1}


def results() -> pd.DataFrame:
    """Sixteen results of f1 = 0.9 − 3/√(nT), with a made-up index and unasked columns."""
    rng = np.random.default_rng(0)
    tokens = np.repeat([50.0, 100.0, 200.0, 400.0], 4)
    tasks = np.tile([1, 1, 2, 4], 4)
    f1 = 0.9 - 3 / np.sqrt(tokens * tasks) + rng.normal(0, 0.005, 16)
    table = pd.DataFrame({"tokens": tokens, "tasks": tasks, "f1": f1, "who": "me"})
    return table.set_index(pd.Index([f"run {k}" for k in range(16)]))


@pytest.fixture(scope="module")
def laws() -> LawSet:
    said: list[str] = []
    found = fit_laws(
        results(),
        "f1",
        {"n": "tokens", "T": "tasks"},
        bounds=(0, 1),
        progress=lambda stage, done, total: said.append(stage),
        **TINY,
    )
    assert {"searching", "fitting", "scoring"} <= set(said)
    return found


def test_there_are_laws(laws: LawSet) -> None:
    assert isinstance(laws.selected, Law)
    assert (laws.selected.scores["r2_train"] or 0) > 0.95
    assert laws.selected.expression in [law.expression for law in laws.front]
    assert [law.complexity for law in laws.front] == sorted(laws.table()["complexity"])
    assert laws.table()["selected"].sum() == 1
    assert list(laws.evidence_table()["factor"]) == ["n", "T"]
    assert laws.theory
    assert len(laws.rows) == 16
    assert repr(laws).startswith("f1 = ")


def test_predictions_keep_the_index_and_know_both_names(laws: LawSet) -> None:
    table = results()
    found = laws.predict(table)
    assert found.index.equals(table.index)
    assert found.name == "f1"
    named = table.rename(columns={"tokens": "n", "tasks": "T"})
    pd.testing.assert_series_equal(laws.predict(named), found)
    assert np.abs(found - table["f1"]).mean() < 0.03
    by_hand = laws.law.predict({"n": table["tokens"], "T": table["tasks"]})
    assert found.tolist() == pytest.approx(by_hand.tolist())


def test_a_missing_value_on_which_the_law_depends_is_refused(laws: LawSet) -> None:
    table = pd.DataFrame({"n": [100.0, 100.0], "tasks": [2.0, np.nan]})
    for ask in (laws.predict, laws.intervals, laws.beside, laws.gain, lambda t: predict(laws, t)):
        with pytest.raises(MissingError) as error:
            ask(table)
        assert error.value.path == "table, row 2, column tasks"
        ask(table.head(1))


def test_the_relatedness_does_not_matter_for_one_task() -> None:
    rng = np.random.default_rng(1)
    n = np.repeat([100.0, 200.0, 400.0, 800.0], 8)
    tasks = np.tile([1.0, 2.0, 4.0, 8.0], 8)
    ami = np.where(tasks == 1, np.nan, np.resize([0.1, 0.3, 0.5, 0.7, 0.9], 32))
    useful = n * (1 + (tasks - 1) * np.nan_to_num(ami) ** 2)
    score = 0.9 - 3 / np.sqrt(useful) + rng.normal(0, 0.003, 32)
    table = pd.DataFrame({"n": n, "T": tasks, "ami": ami, "f1": score})
    laws = fit_laws(table, "f1", ["n", "T", "ami"], (0, 1), **TINY)
    assert laws.data.roles is not None
    assert laws.law.uses("ami")
    points = [predict(laws, {"n": 300, "T": 1, "ami": ami}) for ami in (np.nan, 0.5, 1.0)]
    for point in points[1:]:
        pd.testing.assert_frame_equal(point, points[0])
    pd.testing.assert_frame_equal(predict(laws, {"n": 300, "T": 1}), points[0])


def test_bands_hold_the_law_and_name_what_is_outside(laws: LawSet) -> None:
    asked = pd.DataFrame({"n": [100.0, 100.0], "T": [2.0, 40.0]})
    found = laws.intervals(asked)
    assert (found["law_low"] <= found["f1"]).all()
    assert (found["f1"] <= found["law_high"]).all()
    assert ((found["run_high"] - found["run_low"]) >= (found["law_high"] - found["law_low"])).all()
    assert found["outside"].tolist() == ["", "T"]


def test_what_a_notebook_shows_is_whole_markup(laws: LawSet) -> None:
    for shown in (laws._repr_html_(), laws.selected._repr_html_()):
        plain = re.sub(r"&#x206[12];", "", shown)
        xml.dom.minidom.parseString(f"<div>{plain}</div>")
        assert "<math" in shown
        assert "<script" not in shown
        assert "color" not in shown
        assert len(shown) < 20_000
    assert "selected" in laws._repr_html_()
    for latex in (laws._repr_latex_(), laws.selected._repr_latex_()):
        assert latex.startswith("$\\displaystyle ")
        assert latex.endswith("$")
        assert latex.count("{") == latex.count("}")


def test_a_hostile_name_is_escaped(laws: LawSet) -> None:
    evil = "<script>alert(1)</script>"
    first = laws.front[0].model_copy(update={"reason": evil})
    front = (first, *laws.front[1:])
    named = laws.model_copy(update={"target": evil, "verdicts": (evil,), "front": front})
    shown = named._repr_html_()
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown


def test_saved_laws_come_back(laws: LawSet, tmp_path: Path) -> None:
    folder = laws.save(tmp_path / "a" / "b")
    assert {path.name for path in folder.iterdir()} == {"laws.json", "table.parquet"}
    again = LawSet.load(folder)
    assert again == laws
    assert again == LawSet.load(folder / "laws.json")
    pd.testing.assert_frame_equal(again.rows, laws.rows)
    pd.testing.assert_series_equal(again.predict(results()), laws.predict(results()))
    pd.testing.assert_frame_equal(again.table(), laws.table())
    command = again.provenance.command
    assert command.startswith("fit_laws(table, 'f1', {'n': 'tokens', 'T': 'tasks'}, (0, 1), ")
    assert "engine='grammar'" in command


WRONG: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "no table": ({"table": [1, 2]}, ("table", "'list'", "DataFrame")),
    "a column twice": (
        {"table": results()[["f1", "f1", "tokens"]]},
        ("table", "'f1'", "every column name once"),
    ),
    "no such target": ({"target": "f2"}, ("'f2'", "nearest is 'f1'")),
    "no such column": ({"factors": {"n": "token"}}, ("'token'", "'tokens'")),
    "a text": ({"factors": ["who"]}, ("column who", "'me'", "finite number")),
    "a keyword": ({"factors": {"lambda": "tokens"}}, ("factors.lambda: ", "letters")),
    "bounds": ({"bounds": (1, 0)}, ("bounds", "(1, 0)", "lower bound below")),
    "hold-out": ({"hold_out": "m > 3"}, ("hold_out", "'m'")),
    "engine": ({"engine": "pyser"}, ("engine: ", "'pyser'", "grammar")),
    "time": ({"time_limit": 0}, ("time_limit: ", "got 0", "seconds above 0")),
    "setting": ({"hold_on": "n > 3"}, ("'hold_on'", "nearest is 'hold_out'")),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_named_by_its_argument(name: str) -> None:
    given, words = WRONG[name]
    sound = {"table": results(), "target": "f1", "factors": {"n": "tokens"}, **TINY}
    with pytest.raises(UserError) as error:
        fit_laws(**{**sound, **given})
    assert "--" not in str(error.value)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("dtype", ["Int64", "int32", "Float64"])
def test_nullable_columns_are_numbers(laws: LawSet, dtype: str) -> None:
    asked = pd.DataFrame({"n": pd.array([100, 200], dtype=dtype), "T": [1, 2]})
    assert laws.predict(asked).notna().all()
    if dtype[0].isupper():
        asked["T"] = pd.array([1, None], dtype=dtype)
        with pytest.raises(MissingError, match="row 2, column T"):
            laws.predict(asked)


def test_predicting_needs_the_factors(laws: LawSet) -> None:
    with pytest.raises(MissingError) as caught:
        laws.predict(pd.DataFrame({"T": [1.0]}))
    assert caught.value.path == "table, column tokens"
    assert "it holds the law's factor n, a column n would do too; columns given: T" in str(
        caught.value
    )


def test_laws_without_a_selected_one_predict_nothing(laws: LawSet, tmp_path: Path) -> None:
    folder = laws.save(tmp_path)
    text = (folder / "laws.json").read_text(encoding="utf-8")
    (folder / "laws.json").write_text(json.dumps({**json.loads(text), "selected": None}))
    none = LawSet.load(folder)
    assert repr(none) == "f1: no valid law"
    assert "no valid law" in none._repr_html_()
    with pytest.raises(UserError, match="selected"):
        none.predict(results())


def test_names_come_when_they_are_used() -> None:
    code = """
import sys, mtl_laws
assert not {"numpy", "pandas", "pydantic", "torch"} & set(sys.modules)
from mtl_laws import Law, LawSet, Study, advise, fit_laws, plug_in, run_study
assert callable(advise)
assert callable(run_study)
assert not {"torch", "matplotlib"} & set(sys.modules)
try:
    mtl_laws.advize
except AttributeError as error:
    assert "fit_laws" in str(error)
else:
    raise AssertionError("a name that is not there was found")
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_advice_is_asked_as_on_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(advice_module, "answer_request", lambda *given: asked.append(given))
    advise("a.conllu", "upos", aux=["xpos"], tokens=500)
    advise([Path("a.jsonl"), "b.jsonl"], "ner", check=True, laws="mine/laws.json")
    (first, none, _), (second, plan, _) = asked
    assert (first.corpus.paths, first.main) == ((Path("a.conllu"),), "upos")
    assert first.auxiliaries == ("xpos",)
    assert (first.n, first.n_aux, first.laws, none) == (500, None, None, None)
    assert second.corpus.paths == (Path("a.jsonl"), Path("b.jsonl"))
    assert second.laws == Path("mine/laws.json")
    assert plan is not None
    with pytest.raises(UserError, match="nearest is 'tokens'"):
        advise("a.conllu", "upos", **{"token": 5})


def test_a_mistake_in_advice_is_named_by_its_argument(laws: LawSet, tmp_path: Path) -> None:
    corpus = tmp_path / "a.conll"
    corpus.write_text("a\tX\tY\nb\tX\tZ\nc\tX\tY\n\n" * 100, encoding="utf-8")
    (tmp_path / "laws.json").write_text(json.dumps(laws.to_json()), encoding="utf-8")
    with pytest.raises(UserError, match=r"^main: .*'layer_3'"):
        advise(corpus, "layer_3", laws=tmp_path / "laws.json")
    with pytest.raises(UserError, match=r"none.conll: no such file"):
        advise(tmp_path / "none.conll", "x", laws=tmp_path / "laws.json")


@pytest.mark.slow
def test_a_study_runs_silently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    trainer = Trainer()
    monkeypatch.setattr(workers, "train_together", trainer)
    monkeypatch.setitem(BUDGETS, "standard", BUDGETS["tiny"])
    path = tmp_path / "study.yaml"
    path.write_text(STUDY, encoding="utf-8")
    laws = run_study(path, tmp_path / "mine", "grammar", RunOptions(jobs=1, progress=False))
    assert trainer.trained
    assert laws.target == "accuracy"
    assert {entry.name for entry in (tmp_path / "mine").iterdir()} >= {"laws.json", "report.html"}
    assert capfd.readouterr() == ("", "")
