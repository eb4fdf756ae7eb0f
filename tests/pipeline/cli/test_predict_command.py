"""`mtl-laws predict`: what it prints and writes is what the laws say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtl_laws import LawSet
from mtl_laws.pipeline.cli.app import main
from mtl_laws.pipeline.cli.predict import MOST_ROWS
from support.asked_laws import asked_laws, grouped_laws

POINT = "n=500, T=2, ami=0.4"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return asked_laws().save(tmp_path_factory.mktemp("laws"))


def asked(*words: str | Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines that the command prints."""
    with pytest.raises(SystemExit) as stop:
        main(["predict", *map(str, words)])
    output = capsys.readouterr()
    assert stop.value.code == 0, output.err
    return output.out.splitlines()


def test_a_point_has_its_prediction_and_two_intervals(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    law, _, head, row = asked(folder, "--at", POINT, capsys=capsys)
    assert law == "law: f1 = 0.945/(1 + 376/n_eff), n_eff = n·T^(0.613·ami^0.426)"
    assert " ".join(head.split()) == "n T ami f1 95 % of the mean 95 % of one more trial"
    assert row.split()[:5] == ["1", "500", "2", "0.4", "0.604"]
    (known,) = LawSet.load(folder).intervals(pd.DataFrame({"n": [500], "T": 2, "ami": 0.4})).values
    low, high, first, last = (float(word) for word in row.split()[5:] if word != "to")
    assert [low, high, first, last] == pytest.approx(known[1:5].tolist(), abs=6e-4)


def test_a_laws_json_will_do_and_names_of_columns_too(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = asked(folder, "--at", POINT, capsys=capsys)
    file = folder / "laws.json"
    assert asked(file, "--at", "tokens=5e2,tasks=2,ami=.4", capsys=capsys) == plain


def test_what_is_undefined_may_be_left_out_or_blank(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = ("n=500,T=1", "n=500,T=1,ami=", "n=500,T=1,ami=0.7")
    words = [word for point in points for word in ("--at", point)]
    rows = [line.split() for line in asked(folder, *words, capsys=capsys)[3:]]
    assert len({tuple(row[4:]) for row in rows}) == 1


def test_outside_is_said_by_factor_and_multiple(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--at", POINT, "--at", "n=16000, T=4, ami=0.05")
    last = asked(folder, *words, capsys=capsys)[-1]
    assert last == (
        "2 lies outside the fitted region: n = 16,000 is 4 times the largest fitted (4,000) and "
        "ami = 0.05 is 0.5 times the smallest fitted (0.1)"
    )
    assert not [line for line in asked(folder, "--at", POINT, capsys=capsys) if "outside" in line]


def test_a_table_is_written_with_predictions_beside_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.DataFrame({"tokens": np.geomspace(40, 9000, 30), "tasks": 1, "who": "=1+1"})
    table.to_csv(tmp_path / "mine.csv", index=False)
    out = tmp_path / "answers.csv"
    lines = asked(folder, "--table", tmp_path / "mine.csv", "--out", out, capsys=capsys)
    assert lines[-1] == f"wrote {out}"
    assert f"{len(table) - MOST_ROWS} further rows are not shown; --out writes them" in lines
    answers = pd.read_csv(out)
    laws = LawSet.load(folder)
    assert answers["predicted"].tolist() == pytest.approx(laws.predict(table).tolist())
    assert answers["predicted_outside"].notna().sum() == (table["tokens"] > 4000).sum()
    assert answers["who"].tolist() == ["'=1+1"] * 30, "no cell that a spreadsheet would run"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv", "answers.csv"]


SOLVED = {
    ("0.6", "T=4, ami=0.6"): "at T = 4, ami = 0.6: f1 = 0.6 at n = 330 (95 % interval: 317 to 344)",
    ("0.92", "T=1"): "at T = 1, ami undefined: f1 = 0.92 is not reachable within n = 40 to 8,000, "
    "the law's domain, where the law goes from 0.0909 to 0.903; outside it, at n = 13,800 (95 % "
    "interval: 10,700 to 20,100)",
    ("0.99", "T=1"): "at T = 1, ami undefined: f1 = 0.99 is not reachable: not within n = 40 to "
    "8,000, where the law goes from 0.0909 to 0.903, and not within n = 0.04 to 8 × 10⁶",
}


@pytest.mark.parametrize("goal", SOLVED)
def test_what_reaches_a_score(
    goal: tuple[str, str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--solve", "n", "--for", f"f1={goal[0]}", "--at", goal[1])
    assert asked(folder, *words, capsys=capsys)[2] == SOLVED[goal]


def test_a_solution_is_written_with_its_interval(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "n.csv"
    words = ("--solve", "tokens", "--for", "f1=0.9", "--at", "T=1", "--at", "T=4, ami=0.6")
    lines = asked(folder, *words, "--out", out, capsys=capsys)
    assert "outside the fitted region: n = 7,520 is 1.88 times" in "\n".join(lines)
    written = pd.read_csv(out)
    assert written["T"].tolist() == [1, 4]
    assert written["in_domain"].all()
    assert (written["n_low"] < written["n"]).all()
    asked(folder, "--solve", "n", "--for", "f1=0.99", "--at", "T=1", "--out", out, capsys=capsys)
    (row,) = pd.read_csv(out).to_dict("records")
    assert np.isnan(row["n"])
    assert row["f1"] == 0.99


def test_solving_for_relatedness_at_one_task_says_why_not(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--solve", "ami", "--for", "f1=0.6", "--at", "n=300, T=1")
    line = asked(folder, *words, capsys=capsys)[2]
    assert line.endswith("f1 = 0.6 is not reachable: f1 is 0.419 for every ami here")


def test_a_group_is_named_by_its_column_or_as_group(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = grouped_laws().save(tmp_path / "laws.json")
    words = ("--at", "n=376, encoder=small", "--at", "n=376, group=large")
    rows = [line.split()[1:4] for line in asked(folder, *words, capsys=capsys)[3:5]]
    assert rows == [["376", "small", "0.4"], ["376", "large", "0.475"]]
    solve = ("--solve", "n", "--for", "f1=0.6", "--at", "group=large")
    line = asked(folder, *solve, capsys=capsys)[2]
    assert line == "at encoder = large: f1 = 0.6 at n = 645 (no interval is known)"
