"""`mtl-laws next`: its interval has a name of its own, and trials that were run are not new."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtl_laws import LawSet
from mtl_laws.pipeline.cli.app import main
from mtl_laws.pipeline.laws.design.knowledge import Knowledge
from mtl_laws.pipeline.laws.design.pool import read_levels
from mtl_laws.pipeline.laws.design.proposal import Request, propose
from support.asked_laws import asked_laws

LEVELS = "n=40,200,1000 T=2,4 ami=0.3,0.5"


def measured_laws() -> LawSet:
    """Laws whose rows have an AMI a little beside the one that was asked for."""
    laws = asked_laws()
    rows = laws.rows.copy()
    rows["ami"] += np.resize([-0.003, 0.0, 0.004], len(rows))
    return laws.with_rows(rows)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return measured_laws().save(tmp_path_factory.mktemp("laws"))


def lines_of(folder: Path, levels: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.raises(SystemExit) as stop:
        main(["next", str(folder), "--levels", levels, "--count", "20"])
    output = capsys.readouterr()
    assert stop.value.code == 0, output.err
    return output.out.splitlines()


def test_the_interval_at_the_goal_is_not_called_that_of_the_law(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    goal, note = lines_of(folder, LEVELS, capsys)[-2:]
    known = Knowledge.of_laws(LawSet.load(folder))
    table = read_levels(LEVELS, known.factors)
    made = propose(known, Request(candidates=table, path="levels", count=20))
    said = re.fullmatch(
        r"goal:   design interval ±(\S+) now, ±(\S+) expected after these trials", goal
    )
    assert said is not None
    assert [float(text) for text in said.groups()] == pytest.approx(
        [made.before, made.after], rel=5e-3
    )
    assert note.startswith("note:   this design interval is 95 % of what the forms above predict")
    assert "selected law" in note


def test_a_trial_with_a_measured_relatedness_is_not_proposed_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [line.split() for line in lines_of(folder, LEVELS, capsys)]
    related = [float(line[3]) for line in lines if line[0].isdigit()]
    assert related == [0.3] * 6  # 0.5 was run, as 0.497, 0.5 and 0.504


def test_columns_new_groups_and_empty_cells_are_as_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    offer = read_levels("n=1000,2000,4000,8000 T=2,4", {"n": "n", "T": "T"}).assign(ami=0.5)
    alone = offer[offer["T"] == 2].assign(T=1.0, ami=np.nan)
    table = pd.concat([alone, offer]).assign(lang="de")
    table["f1"] = 1 - 5 / np.sqrt(table["n"] * table["T"])
    table = table.rename(columns={"n": "tokens", "T": "tasks"})
    table.to_csv(tmp_path / "t.csv", index=False)
    wanted = pd.DataFrame(
        {"tokens": [10000, 18700], "tasks": [1, 1], "ami": ["", ""], "lang": ["de", "fr"]}
    )
    wanted.to_csv(tmp_path / "offer.csv", index=False)
    options = {
        "--target": "f1",
        "--factors": "n=tokens,T=tasks,ami",
        "--groups": "lang",
        "--candidates": str(tmp_path / "offer.csv"),
        "--cost": "tokens*T",
        "--count": "2",
    }
    words = [word for pair in options.items() for word in pair]
    with pytest.raises(SystemExit) as stop:
        main(["next", str(tmp_path / "t.csv"), *words])
    output = capsys.readouterr()
    assert stop.value.code == 0, output.err
    assert "nan" not in output.out
    assert " – " in output.out
    assert "cost:   28,700 for 2 trials" in output.out
    assert "goal:   no law is known yet for every group" in output.out
    assert "note:   fr is a new level of lang without rows" in output.out
