"""Sentences and pictures of gains agree with what was measured, for scores and for losses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline.laws.document import laws_document
from mtl_laws.pipeline.laws.evidence.pooled import pooled_gain
from mtl_laws.pipeline.laws.law import Law
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.question import Question, pose
from mtl_laws.pipeline.laws.record import DataRecord, GainCell, Harm, PooledGain
from mtl_laws.pipeline.laws.search import SearchOptions, find_laws
from mtl_laws.pipeline.report import ReportContext, write_report
from mtl_laws.pipeline.report.evidence_text import (
    gain_map_text,
    harm_text,
    measured_gain_text,
    region_place,
    unpredicted_harm_text,
)
from mtl_laws.pipeline.report.figures.gain import draw_gain
from mtl_laws.pipeline.report.surface import Surface
from mtl_laws.pipeline.report.text import with_sentences
from mtl_laws.pipeline.symbolic.typeset.numbers import percent, settled, signed
from support.planted_report import CELLS, PAIRED, REGION

HARM = Harm(count="T", lowest=-0.2, highest=0.5, at={"n": 50.0}, lowered=0.25, surely=0.1)


def test_measured_harm_is_said_though_the_law_says_gain() -> None:
    text = measured_gain_text("f1", PAIRED)
    assert "training together lowers f1 at n ≤ 100 and ami = 0.05, by 0.008 on average" in text
    assert "(95 % 0.004 to 0.012; 12 cells, 36 trials; the law predicts +0.002)" in text
    assert "1 of 2 measured cells with T > 1 lies below single-task training" in text
    assert "raises" not in text
    assert "no range of cells is clearly harmed" in measured_gain_text(
        "f1", PAIRED.model_copy(update={"harm": ()})
    )
    assert measured_gain_text("f1", None) == ""


def test_measured_harm_that_the_law_does_not_predict_is_a_warning() -> None:
    assert unpredicted_harm_text("f1", PAIRED).endswith("at n ≤ 100 and ami = 0.05 by 0.008.")
    agrees = REGION.model_copy(update={"law": -0.01})
    assert unpredicted_harm_text("f1", PAIRED.model_copy(update={"harm": (agrees,)})) == ""
    assert unpredicted_harm_text("f1", None) == ""


def test_of_a_loss_the_same_is_a_rise() -> None:
    text = measured_gain_text("loss", PAIRED, lower=True)
    assert "raises loss at n ≤ 100" in text
    assert "the law predicts −0.002" in text
    assert "lies above single-task training" in text
    law = harm_text("loss", HARM, lower=True)
    assert "rises above its value at T = 1 on 25 %" in law
    assert "lies above 0 on 10 %" in law
    never = HARM.model_copy(update={"lowered": 0.0, "lowest": 0.0})
    assert "never rises above" in harm_text("loss", never, lower=True)
    assert "loss changes by −0.5 to 0." in harm_text("loss", never, lower=True)


def test_a_region_is_named_by_the_ends_that_it_reaches() -> None:
    def place(**where: tuple[float, float]) -> str:
        return region_place(REGION.model_copy(update={"where": where}), PAIRED)

    assert place(n=(1500, 4000)) == "at n ≥ 1,500"
    assert place(n=(100, 1500), ami=(0.3, 0.9)) == "at n from 100 to 1,500 and ami ≥ 0.3"
    assert place() == "over all measured cells"


@pytest.mark.parametrize(
    ("ends", "cells", "everywhere"),
    [((0.001, 0.2), CELLS, False), ((0.001, 0.2), CELLS[1:], True), ((0.001, 0.2), (), True)],
)
def test_no_map_says_gain_everywhere_beside_measured_harm(
    ends: tuple[float, float], cells: tuple[GainCell, ...], everywhere: bool
) -> None:
    text = gain_map_text("T", ends, cells)
    assert ("a gain everywhere" in text) == everywhere
    if cells == CELLS:
        assert "1 of 2 cells are worse than T = 1" in text
        assert "1 of them clearly" in text


def test_a_map_of_no_harm_measured_gains_or_rounding_says_so() -> None:
    assert "no gain anywhere" in gain_map_text("T", (-0.1, -0.01), ())
    assert "anywhere" not in gain_map_text("T", (-0.1, -0.01), CELLS[1:])
    assert "no harm anywhere" in gain_map_text("T", (0.0, 0.2), ())
    assert (settled(-5.6e-17, 1.0), settled(-1e-3, 1.0)) == (0.0, -1e-3)
    assert [signed(x) for x in (0.0312, 0.0, -0.0312)] == ["+0.031", "0", "−0.031"]
    assert [percent(x) for x in (0.003, 0.997, 0.9999, 1.0, 0.0)] == [
        *("0.3 %", "99.7 %", "99.99 %", "100 %", "0 %")
    ]


def _table(random: np.random.Generator) -> pd.DataFrame:
    rows = [
        (n, tasks, ami)
        for n in (50.0, 100.0, 200.0, 400.0)
        for tasks in (1.0, 2.0, 4.0)
        for ami in ((np.nan,) if tasks == 1 else (0.0, 0.3, 0.6, 0.9))
        for _ in range(4)
    ]
    table = pd.DataFrame(rows, columns=["n", "T", "ami"])
    effect = np.where(table["ami"] == 0.0, -0.05, 0.0) + 0.1 * table["ami"].fillna(0.0)
    return table.assign(
        y=0.2 + 0.08 * np.log(table["n"]) + effect + random.normal(0, 0.01, len(table))
    )


@pytest.mark.parametrize("lower", [False, True])
def test_the_map_marks_measured_harm_on_a_law_that_says_none(lower: bool) -> None:
    table = _table(np.random.default_rng(0))
    sign = -1.0 if lower else 1.0
    table["y"] = 3.0 + sign * table["y"]
    problem = pose(table, Question("y", {name: name for name in ("n", "T", "ami")}), "t")
    text = f"3 + {sign}*(0.2 + 0.08*log(n) + 0.1*ami*(T - 1)/T)"
    law = Law(expression=text, factors=("n", "T", "ami"), complexity=15, valid=True)
    found = pooled_gain(law, problem.data, lower, None, 0)
    assert found is not None
    surface = Surface(law, "y", problem.rows, DataRecord(lower_is_better=lower))
    roles = surface.multitask
    assert roles is not None
    for drawing in draw_gain(surface, roles, PooledGain.model_validate(found.to_json())):
        axes = drawing.figure.axes[0]
        down = axes.lines[-1]
        assert down.get_marker() == "v"
        assert set(down.get_ydata()) == {0.0}
        assert len(down.get_xdata()) == 4
        assert [patch.get_hatch() for patch in axes.patches] == ["///"]
        assert "everywhere" not in drawing.caption
        assert "4 of 16 cells are worse" in drawing.caption
        assert "from 0 to +" in drawing.alt


def test_a_scaling_law_of_a_loss_has_no_word_of_tasks(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = [
        (n, e) for n in (1e6, 4e6, 1.6e7, 6.4e7) for e in (1.0, 2.0, 4.0, 8.0) for _ in range(3)
    ]
    table = pd.DataFrame(rows, columns=["N", "E"])
    table["y"] = (
        2 + 30 * table["N"] ** -0.2 * table["E"] ** -0.1 + random.normal(0, 0.01, len(table))
    )
    problem = pose(table, Question("y", {"N": "N", "E": "E"}, (0, None), budget="tiny"), "t")
    found = find_laws(problem.data, None, SearchOptions("grammar", "tiny", jobs=1))
    laws = with_sentences(laws_document(problem, found, 0)).with_rows(problem.rows)
    assert laws.data.lower_is_better
    assert (laws.harm, laws.measured_gain) == (None, None)
    assert laws.data.roles is not None
    assert laws.data.roles.tasks == ""
    assert LawSet.load(laws.save(tmp_path)).data.lower_is_better
    write_report(tmp_path, laws, problem.rows, ReportContext("a loss", "mtl-laws fit"))
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    head, _, _ = report.partition("### What theory would have said")
    sentences = [line for line in head.splitlines() if "theoretical forms" not in line]
    text = "\n".join(sentences)
    for word in ("tasks", "single-task", "negative transfer", "harm", "training together"):
        assert word not in text
