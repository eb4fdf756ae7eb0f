"""Groups, weights, losses and conditions through every face: command line, Python, scikit-learn."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from mtl_laws import fit_laws
from mtl_laws.pipeline.cli.app import main
from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.laws.holdout import rows_where
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.question import Question, pose
from mtl_laws.pipeline.laws.regressor import LawRegressor, ParameterError
from mtl_laws.pipeline.laws.rules import DataRules, Rules

SHARED = Path(os.environ.get("MTL_LAWS_SHARED", Path(__file__).parents[3] / "shared"))
LIMIT = {"bilstm": 0.95, "cnn": 0.9, "window": 0.8}
SLOPE = {"bilstm": 2.0, "cnn": 3.0, "window": 2.5}
SMALL, OUTLIER = "rare", 5
OPTIONS = ("--bounds", "0,1", "--engine", "grammar", "--budget", "tiny", "--jobs", "1")


def grouped_table() -> pd.DataFrame:
    """y = limit − slope/√(nT) of three encoders, a row far off, and an encoder of three rows."""
    rng = np.random.default_rng(0)
    cells = [
        (g, n, T, round(LIMIT[g] - SLOPE[g] / np.sqrt(n * T) + rng.normal(0, 0.004), 4))
        for g in LIMIT
        for n in (50, 100, 200, 400, 800, 1600)
        for T in (1, 2, 4)
        for _ in range(2)
    ]
    cells += [(SMALL, n, 2, 0.9 - 2.5 / np.sqrt(2 * n)) for n in (100, 400, 900)]
    table = pd.DataFrame(cells, columns=["encoder", "n", "T", "y"])
    table["y"] -= np.where(table.index == OUTLIER, 0.15, 0.0)
    table["error"] = 0.004
    return table


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `mtl-laws fit --groups encoder` with everything that goes with it."""
    folder = tmp_path_factory.mktemp("groups")
    table = grouped_table()
    table["part"] = np.where(table.index % 11 == 7, "test", "train")
    table["test"] = (table["part"] == "test").astype(int)
    table.to_csv(folder / "table.csv", index=False)
    words = ["fit", str(folder / "table.csv"), "--target", "y", "--factors", "n,T", *OPTIONS]
    words += ["--groups", "encoder", "--sd", "error", "--where", 'part == "train" and n > 0']
    with pytest.raises(SystemExit) as stop:
        main([*words, "--out", str(folder / "laws")])
    assert stop.value.code == 0
    return folder


def test_the_record_of_a_fit_with_groups(fitted: Path) -> None:
    record = json.loads((fitted / "laws" / "laws.json").read_text(encoding="utf-8"))
    assert record["groups"]["columns"] == ["encoder"]
    assert record["groups"]["column"] == "encoder"
    assert set(record["groups"]["levels"]) == {*LIMIT, SMALL}
    assert record["groups"]["small"] == {SMALL: 3}
    selected = record["selected"]
    assert set(selected["group_constants"]) == {*LIMIT, SMALL}
    own = set(selected["group_constants"]["cnn"])
    assert own.isdisjoint(selected["shared"])
    assert set(selected["constants"]) == set(selected["shared"])
    assert record["data"]["weights"] == "sd"
    assert record["data"]["where"] == 'part == "train" and n > 0'
    assert [each["row"] for each in record["outliers"]] == [OUTLIER]
    assert record["without_outliers"]["group_constants"]
    assert (fitted / "laws" / "report.html").stat().st_size > 0
    assert (fitted / "laws" / "report.md").stat().st_size > 0


def test_each_group_has_its_own_limit(fitted: Path) -> None:
    laws = LawSet.load(fitted / "laws")
    far = pd.DataFrame({"n": 1e6, "T": 4, "encoder": list(LIMIT)})
    assert laws.predict(far).to_numpy() == pytest.approx(list(LIMIT.values()), abs=0.02)
    table = grouped_table().drop(index=OUTLIER)
    near = table[table["encoder"] != SMALL]
    assert float(np.abs(laws.predict(near) - near["y"]).max()) < 0.03


def test_the_report_is_written_again(fitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["report", str(fitted / "laws")])
    assert stop.value.code == 0
    assert "report.html" in capsys.readouterr().out


def test_the_terminal_names_groups_and_outliers(fitted: Path) -> None:
    from mtl_laws.pipeline.fit import summary

    laws = LawSet.load(fitted / "laws")
    lines = summary(laws).splitlines()
    heads = ["law", "groups", "score", "trust", *["note"] * 4]
    assert [line.partition(":")[0] for line in lines] == heads
    shown = lines[0].translate(str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789"))
    assert all(name in shown for name in laws.law.group_constants["cnn"])
    assert not any(name in shown for name in laws.law.shared)
    assert "4 levels of encoder" in lines[1]
    assert "up to n = " in lines[3]
    assert "T has fewer than 4 levels" in lines[4]
    assert f"{SMALL} (3 rows)" in lines[5]
    assert f"row {OUTLIER + 1} " in lines[6]


@pytest.mark.reference
def test_an_independent_program_scores_the_laws(fitted: Path) -> None:
    judge = _judge()
    record = json.loads((fitted / "laws" / "laws.json").read_text(encoding="utf-8"))
    table = judge.rows_of(pd.read_csv(fitted / "table.csv"))
    found = judge.score_law(record, record["selected"], table)
    assert found["missing"] == 0
    assert found["r2_all"] > 0.98


def _judge() -> ModuleType:
    spec = importlib.util.spec_from_file_location("score", SHARED / "tables" / "score.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_python_asks_the_same(fitted: Path) -> None:
    table = pd.read_csv(fitted / "table.csv")
    laws = fit_laws(
        table,
        "y",
        ["n", "T"],
        (0, 1),
        groups="encoder",
        sd="error",
        where='part == "train" and n > 0',
        engine="grammar",
        budget="tiny",
        jobs=1,
    )
    of_command = LawSet.load(fitted / "laws")
    assert laws.law == of_command.law
    assert laws.groups == of_command.groups
    assert "groups=('encoder',), sd='error'" in laws.provenance.command


def test_rules_reach_the_search_and_the_record() -> None:
    rules = Rules(data=DataRules(min_group_rows=50))
    with pytest.raises(UserError) as error:
        fit_laws(grouped_table(), "y", ["n", "T"], groups=["encoder"], rules=rules)
    assert (error.value.path, error.value.got) == ("groups", "encoder")
    assert "50 rows or more" in error.value.expected


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("n > 2", [2, 3]),
        ("kind == 'b'", [1, 3]),
        ("kind != 'a'", [1, 3]),
        ("not kind == 'a'", [1, 2, 3]),
        ("'a' == kind or 2*n == m + 4", [0, 3]),
        ("1 < n <= 3 and kind == other", [1]),
    ],
)
def test_rows_are_named_by_a_condition(condition: str, rows: list[int]) -> None:
    table = pd.DataFrame(
        {
            "n": [1, 2, 3, 4],
            "m": [1.0, 1.0, np.nan, 4.0],
            "kind": ["a", "b", None, "b"],
            "other": ["b", "b", None, "a"],
        }
    )
    assert np.flatnonzero(rows_where(condition, table)).tolist() == rows


def test_rows_left_out_keep_the_places_of_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = grouped_table()
    question = Question("y", {"n": "n"}, where="n > 100", groups=("encoder",))
    problem = pose(table, question, "table")
    expected = np.flatnonzero((table["n"] > 100) & (table["encoder"] != SMALL))
    assert problem.places.tolist() == expected.tolist()
    table = table[["n", "T", "encoder", "y"]].astype({"y": object})
    table.loc[100, "y"] = "oops"
    table.to_csv(tmp_path / "table.csv", index=False)
    words = ["fit", str(tmp_path / "table.csv"), "--target", "y", "--factors", "n"]
    with pytest.raises(SystemExit) as stop:
        main([*words, "--where", "n > 100", "--out", str(tmp_path / "out")])
    assert stop.value.code == 2
    assert "line 102, column y" in capsys.readouterr().err


@pytest.fixture(scope="module")
def regressor() -> LawRegressor:
    table = grouped_table().drop(index=OUTLIER)
    model = LawRegressor(engine="grammar", budget="tiny", bounds=(0.0, 1.0), groups=["encoder"])
    return model.fit(table[["encoder", "n", "T"]], table["y"])


def test_the_regressor_has_groups(regressor: LawRegressor) -> None:
    table = grouped_table().drop(index=OUTLIER)
    assert regressor.factor_names_ == ("n", "T")
    assert regressor.levels_ == tuple(sorted([*LIMIT, SMALL]))
    assert regressor.n_features_in_ == 3
    assert regressor.score(table[["encoder", "n", "T"]], table["y"]) > 0.97
    assert any(SMALL in note for note in regressor.notes_)


def test_groups_by_position_in_an_array_of_numbers(regressor: LawRegressor) -> None:
    table = grouped_table().drop(index=OUTLIER)
    codes = table["encoder"].map({name: k for k, name in enumerate(regressor.levels_)})
    X = np.column_stack([table["n"], codes, table["T"]]).astype(float)
    other = clone(regressor).set_params(groups=[1]).fit(X, table["y"])
    assert other.levels_ == ("0", "1", "2", "3")
    assert other.factor_names_ == ("x0", "x2")
    expected = regressor.predict(table[["encoder", "n", "T"]])
    np.testing.assert_allclose(other.predict(X), expected, rtol=1e-6)


def test_an_unknown_level_is_refused(regressor: LawRegressor) -> None:
    X = pd.DataFrame({"encoder": ["cnn", "gru"], "n": [100, 100], "T": [1, 1]})
    with pytest.raises(ParameterError) as error:
        regressor.predict(X)
    assert (error.value.path, error.value.got) == ("groups", "gru")


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"groups": ["encodr"]}, "groups"),
        ({"groups": [7]}, "groups"),
        ({"groups": [True]}, "groups"),
        ({"groups": ["encoder", 0]}, "groups"),
        ({"groups": []}, "groups"),
        ({"groups": ["encoder", "n", "T"]}, "groups"),
        ({"groups": ["encoder", "n"], "rules": Rules(data=DataRules(max_groups=3))}, "groups"),
        ({"groups": ["encoder"], "loss": "foo"}, "loss"),
    ],
)
def test_groups_that_cannot_be(settings: dict[str, object], path: str) -> None:
    table = grouped_table()
    with pytest.raises(ParameterError) as error:
        LawRegressor(**settings).fit(table[["encoder", "n", "T"]], table["y"])
    assert error.value.path == path


def test_a_weight_counts_rows_of_a_group_too(regressor: LawRegressor) -> None:
    table = grouped_table().drop(index=OUTLIER).query("encoder != 'window'")
    times = np.random.default_rng(2).integers(0, 3, len(table))
    weighted = clone(regressor).fit(table[["encoder", "n"]], table["y"], sample_weight=times)
    rows = table.loc[np.repeat(table.index.to_numpy(), times)].sample(frac=1, random_state=1)
    repeated = clone(regressor).fit(rows[["encoder", "n"]], rows["y"])
    assert weighted.selected_ == repeated.selected_
