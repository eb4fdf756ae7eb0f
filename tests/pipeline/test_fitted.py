"""A folder read back gives the report that was written when the laws were found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.fit import (
    Source,
    fit_to_folder,
    refuse_other_question,
    rewrite_report,
    summary,
    write_report_of,
)
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.question import Question


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame([(n, T) for n in (50, 100, 200, 400, 800) for T in (1, 2, 4)] * 2)
    rows.columns = pd.Index(["n", "T"])
    clean = 0.9 - 2.0 * (rows["n"] * rows["T"] ** 0.5) ** -0.4
    rows["accuracy"] = clean + rng.normal(0, 0.002, len(rows))
    out = tmp_path_factory.mktemp("fitted")
    question = Question(
        "accuracy", {"n": "n", "T": "T"}, (0.0, 1.0), engine="grammar", budget="tiny", jobs=1
    )
    source = Source("rows.csv", "Of two tasks", "Do two tasks help?", command="mtl-laws fit")
    fit_to_folder(rows, question, source, out)
    return out


@pytest.mark.parametrize("name", ["report.md", "report.html"])
def test_a_report_written_again_is_the_same(folder: Path, name: str) -> None:
    path = folder / name
    before = path.read_text(encoding="utf-8")
    assert "Of two tasks" in before
    assert "Do two tasks help?" in before
    path.unlink()
    rewrite_report(folder)
    assert path.read_text(encoding="utf-8") == before


def test_no_two_laws_of_the_front_predict_the_same(folder: Path) -> None:
    laws = LawSet.load(folder)
    columns = {name: laws.rows[name].to_numpy(dtype=float) for name in laws.factors}
    spread = 1e-6 * float(laws.rows["accuracy"].std(ddof=0))
    values = [law.predict(columns) for law in laws.front if law.valid and not law.limits]
    assert laws.law in [
        law.model_copy(update={"uncertainty": laws.law.uncertainty}) for law in laws.front
    ]
    for k, one in enumerate(values):
        assert all(np.abs(one - other).max() > spread for other in values[:k])


def doubtful(folder: Path) -> LawSet:
    """The laws with an implausible limit, a hopeless held-out score, and four levels needed."""
    laws = LawSet.load(folder)
    law = laws.law.model_copy(
        update={
            "limits": "turns back as n grows",
            "scores": {**laws.law.scores, "r2_hold_out": -0.5, "rmse_hold_out": 0.2},
        }
    )
    rules = {**laws.rules, "folds": {**laws.rules["folds"], "min_levels": 4}}
    return laws.model_copy(update={"selected": law, "rules": rules}).with_rows(laws.rows)


DOUBTS = (
    "The law predicts the held-out rows worse than their own mean does (R² −0.500, RMSE 0.2).",
    "The law turns back as n grows, which is implausible. "
    "Do not use it far beyond the fitted rows.",
    "T has fewer than 4 levels in the fitted rows, so the law was chosen without a test beyond it.",
)


def test_the_terminal_warns_of_a_law_that_is_not_to_be_trusted(folder: Path) -> None:
    lines = summary(doubtful(folder)).splitlines()
    assert [line for line in lines if line.startswith("note:")] == [f"note:   {d}" for d in DOUBTS]


def test_the_report_warns_as_the_terminal_does(folder: Path, tmp_path: Path) -> None:
    write_report_of(doubtful(folder), Source("rows.csv", "Of two tasks"), tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    for doubt in DOUBTS:
        assert doubt in text


SAME = Question("accuracy", {"n": "n", "T": "T"}, (0.0, 1.0), seed=3)


def test_a_folder_takes_the_same_question_again(folder: Path, tmp_path: Path) -> None:
    refuse_other_question(folder, SAME, overwrite=False)
    refuse_other_question(tmp_path, SAME, overwrite=False)


@pytest.mark.parametrize(
    "change",
    [
        {"target": "f1"},
        {"factors": {"n": "n"}},
        {"bounds": (None, None)},
        {"hold_out": "n > 400"},
        {"where": "n > 50"},
        {"groups": ("encoder",)},
    ],
)
def test_a_folder_refuses_another_question(folder: Path, change: dict[str, Any]) -> None:
    other = replace(SAME, **change)
    with pytest.raises(UserError, match="It holds laws of accuracy in n, T"):
        refuse_other_question(folder, other, overwrite=False)
    refuse_other_question(folder, other, overwrite=True)


def test_figures_of_a_former_report_go(folder: Path) -> None:
    former, page = folder / "figures" / "gain-16.svg", folder / "report.md"
    former.write_text("<svg/>", encoding="utf-8")
    rewrite_report(folder)
    assert former.exists()  # the report does not name it: it is the user's
    with page.open("a", encoding="utf-8") as file:
        file.write("![gain](figures/gain-16.png)\n")
    rewrite_report(folder)
    assert not former.exists()
    assert list((folder / "figures").glob("*.svg"))
