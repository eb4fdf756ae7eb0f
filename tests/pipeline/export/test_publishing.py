"""Published datasets: what is read back is what was there, whatever the format."""

from __future__ import annotations

import csv
import json
import math
import os
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtl_laws.pipeline.columns import GLOSSARY, Column
from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.export import export_names, export_results, read_export
from mtl_laws.pipeline.export.formats import export_format
from mtl_laws.pipeline.export.publication import (
    publication_of,
    with_predictions,
    without_folders,
)
from mtl_laws.pipeline.export.tables import (
    MAX_NAME_LENGTH,
    check_column_name,
    published_table,
)
from mtl_laws.pipeline.io.wholefile import write_whole
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.study import workers
from mtl_laws.pipeline.study.store import STORE_NAME, open_store
from mtl_laws.pipeline.study.train import train_study
from mtl_laws.simulator import SpecError
from support.asked_laws import asked_laws, grouped_laws
from support.tiny_runs import QUIET, Trainer, study

LAW: dict[str, Any] = {
    "expression": "0.5 + 0.001*n",
    "latex": "0.5 + 0.001 n",
    "complexity": 5,
    "valid": True,
    "scores": {"r2_train": 0.9, "r2_hold_out": None},
    "origin": "grammar",
}
DOCUMENT: dict[str, Any] = {
    "schema": 2,
    "target": "f1",
    "factors": ["n", "ami"],
    "selected": LAW,
    "front": [{**LAW, "expression": "0.5", "complexity": 1, "valid": False, "reason": "none"}, LAW],
    "evidence": [{"factor": "n", "sentence": "n matters."}],
    "data": {"digest": "abc", "columns": {"n": "tokens"}, "notes": ["3 rows are left out"]},
    "provenance": {"command": "mtl-laws fit '/home/me/my table.csv' --out x", "seed": 0},
}
ROWS = pd.DataFrame(
    {
        "n": [10.0, 20.0, 40.0, 80.0],
        "ami": [np.nan, 0.1, np.nan, 0.3],
        "f1": [0.1, 0.1 + 0.2, 1e-300, 0.9],
        "role": ["hold-out", "fit", "fit", "fit"],
        "cell": [0, 1, 2, 3],
    }
)


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run of which every model is trained, by a stand-in."""
    monkeypatch.setattr(workers, "train_together", Trainer())
    train_study(study(), tmp_path / "mine", QUIET)
    return tmp_path / "mine"


@pytest.fixture
def fitted(tmp_path: Path) -> Path:
    """The folder of a fit."""
    folder = tmp_path / "laws"
    folder.mkdir()
    write_whole(folder / "laws.json", json.dumps(DOCUMENT))
    ROWS.to_parquet(folder / "table.parquet", index=False)
    return folder


def written(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("format", export_names())
def test_the_results_come_back_as_they_were(finished: Path, format: str, tmp_path: Path) -> None:
    table = pd.read_parquet(finished / "results.parquet")
    out = export_results(finished, tmp_path / "out", format)
    back = read_export(out)
    pd.testing.assert_frame_equal(back["results"], table.drop(columns="host"))
    assert table["ami"].isna().any()
    assert len(back["curves"]) == 2 * len(table)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "out"]


@pytest.mark.parametrize("format", export_names())
def test_the_laws_and_their_rows_come_back(fitted: Path, format: str, tmp_path: Path) -> None:
    back = read_export(export_results(fitted, tmp_path / "out", format))
    assert list(back) == ["law_rows", "laws"]
    ordered = ROWS.iloc[[1, 2, 3, 0]].reset_index(drop=True)
    rows = back["law_rows"]
    pd.testing.assert_frame_equal(rows[list(ROWS.columns)], ordered)
    assert rows["predicted"].tolist() == pytest.approx((0.5 + 0.001 * rows["n"]).tolist())
    assert rows["predicted_low"].isna().all(), "this law was recorded without draws"
    assert back["laws"]["selected"].tolist() == [False, True]
    assert back["laws"]["r2_train"].tolist() == [0.9, 0.9]
    assert back["laws"]["r2_hold_out"].isna().all()
    document = json.loads((tmp_path / "out" / "laws.json").read_text())
    assert document["selected"]["expression"] == LAW["expression"]


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("format", [name for name in export_names() if name != "hf"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(
        st.tuples(
            st.none() | TEXTS,
            st.none() | NUMBERS,
            st.integers(-(2**63), 2**63 - 1),
            st.booleans(),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_values_come_back(
    format: str, rows: list[tuple[Any, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Empty text is not null, and no digit of a number is lost."""
    names = ("text", "number", "whole", "truth")
    frame = pd.DataFrame(rows, columns=list(names)).astype({"text": "object", "number": "float64"})
    table = published_table("t", "", frame, [Column(name, "", "", "") for name in names]).data
    path = tmp_path_factory.mktemp("any") / "file"
    chosen = export_format(format)
    chosen.write(table, path)
    assert chosen.read(path, table.schema).to_pylist() == table.to_pylist()
    assert [tuple(row.values()) for row in table.to_pylist()] == rows


@pytest.mark.parametrize("format", export_names())
def test_predictions_stand_beside_the_rows_they_are_of(format: str, tmp_path: Path) -> None:
    laws = asked_laws()
    back = read_export(export_results(laws.save(tmp_path / "laws"), tmp_path / "out", format))
    rows, intervals = back["law_rows"], laws.intervals(laws.rows)
    names = {"f1": "predicted", "law_low": "predicted_low", "run_high": "predicted_trial_high"}
    for own, name in names.items():
        assert rows[name].tolist() == pytest.approx(intervals[own].tolist())
    assert (rows["predicted_distance"] == 0).all()


def test_rows_of_groups_have_their_group_and_its_prediction(tmp_path: Path) -> None:
    table = asked_laws().rows
    rows = table.assign(group=["small" if place % 2 else "large" for place in range(len(table))])
    folder = grouped_laws().with_rows(rows).save(tmp_path / "laws")
    back = read_export(export_results(folder, tmp_path / "out", "csv"))["law_rows"]
    ceiling = back["group"].map({"small": 0.8, "large": 0.95})
    assert back["predicted"].tolist() == pytest.approx((ceiling / (1 + 376 / back["n"])).tolist())


def test_results_have_predictions_and_controls_have_none() -> None:
    rows = pd.DataFrame({"n": [500.0] * 2, "T": [2, 2], "ami": [0.4] * 2, "control": [None, "x"]})
    both = with_predictions(rows, asked_laws())
    assert both["predicted"].notna().tolist() == [True, False]
    assert both["predicted_outside"].notna().tolist() == [True, False]
    lost = pd.DataFrame({"n": [100.0, 100.0], "T": [1.0, 2.0], "ami": [None, None]})
    assert with_predictions(lost, asked_laws())["predicted"].notna().tolist() == [True, False]
    beyond = pd.DataFrame({"n": [0.0, 100.0], "T": [1.0, 2.0], "ami": [None, 0.2]})
    assert with_predictions(beyond, asked_laws())["predicted"].notna().tolist() == [False, True]
    repeated = lost.set_axis([7, 7])
    assert with_predictions(repeated, asked_laws())["predicted"].notna().tolist() == [True, False]
    taken = rows.assign(predicted=1.0)
    pd.testing.assert_frame_equal(with_predictions(taken, asked_laws()), taken)
    pd.testing.assert_frame_equal(with_predictions(rows[["T"]], asked_laws()), rows[["T"]])


def test_json_lines_are_one_record_per_row(finished: Path, tmp_path: Path) -> None:
    out = export_results(finished, tmp_path / "out", "jsonl")
    lines = (out / "results.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert all(list(record) == list(records[0]) for record in records)
    assert any(record["ami"] is None for record in records)
    assert not any(isinstance(v, float) and math.isnan(v) for r in records for v in r.values())


def test_every_column_is_described(finished: Path, tmp_path: Path) -> None:
    out = export_results(finished, tmp_path / "out", "csv")
    record, card = written(out), (out / "README.md").read_text(encoding="utf-8")
    meanings = {column.name: column.meaning for column in GLOSSARY}
    for table in record["tables"]:
        header = (out / table["files"][0]["path"]).read_text(encoding="utf-8").splitlines()[0]
        assert [column["name"] for column in table["columns"]] == header.replace('"', "").split(",")
        for column in table["columns"]:
            assert column["meaning"]
            if table["name"] == "results":
                assert column["meaning"] == meanings[column["name"]]
            assert f"| `{column['name']}` | {column['type']} |" in card


def test_the_card_says_what_it_is(finished: Path, tmp_path: Path) -> None:
    out = export_results(finished, tmp_path / "out", "hf", "CC-BY-4.0")
    head, text = (out / "README.md").read_text(encoding="utf-8").split("---\n")[1:3]
    for needed in ("does a stand-in for training behave?", "`teacher`", "40, 80", "CC-BY-4.0"):
        assert needed in text
    assert "not finished" not in text
    assert "license: cc-by-4.0" in head
    assert "config_name: results" in head
    plain = export_results(finished, tmp_path / "plain", "hf") / "README.md"
    assert "license: unknown" in plain.read_text(encoding="utf-8")
    assert "Not stated" in plain.read_text(encoding="utf-8")


def test_machine_and_folders_are_left_out(fitted: Path, finished: Path, tmp_path: Path) -> None:
    host = str(pd.read_parquet(finished / "results.parquet")["host"].iloc[0])
    for name, folder in (("a", fitted), ("b", finished)):
        out = export_results(folder, tmp_path / name, "csv")
        texts = [path.read_text(encoding="utf-8") for path in out.rglob("*") if path.is_file()]
        assert not any(f'"{host}"' in text for text in texts if host)
        assert not any("/home/me" in text or str(tmp_path) in text for text in texts)


def test_a_command_keeps_its_words_and_loses_its_folders() -> None:
    command = without_folders(LawSet.from_json(DOCUMENT)).provenance.command
    assert shlex.split(command) == ["mtl-laws", "fit", "my table.csv", "--out", "x"]
    broken = {**DOCUMENT, "provenance": {"command": "mtl-laws fit '/home/me"}}
    assert without_folders(LawSet.from_json(broken)).provenance.command == "mtl-laws"


def test_an_unfinished_run_is_published_as_far_as_it_is(finished: Path, tmp_path: Path) -> None:
    """Another process has the store open, and trials are missing."""
    asked = study().model_copy(update={"seeds": (0, 1, 2)})
    half = tmp_path / "half"
    half.mkdir()
    with open_store(finished / STORE_NAME) as store:
        rows, runs = list(store.rows()), store.runs()
    with open_store(half / STORE_NAME) as store:
        store.begin(asked.model_dump(mode="json"), "d", 30)
        store.start_run(runs[1])
        store.add(rows)
        publication = publication_of(half)
        assert f"{len(rows)} of 30 trials" in publication.unfinished
        out = export_results(half, tmp_path / "out", "parquet")
    card = (out / "README.md").read_text(encoding="utf-8")
    assert publication.unfinished in card
    assert "No law has been found yet." in card
    assert written(out)["unfinished"]


def test_checksums_are_those_of_the_files(finished: Path, tmp_path: Path) -> None:
    from hashlib import sha256

    out = export_results(finished, tmp_path / "out", "csv")
    files = [file for table in written(out)["tables"] for file in table["files"]]
    assert len(files) == 2
    for file in files:
        assert sha256((out / file["path"]).read_bytes()).hexdigest() == file["sha256"]


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../b",
        "/etc/passwd",
        "C:\\x",
        "a\0b",
        "a\nb",
        "",
        " ",
        "x" * (MAX_NAME_LENGTH + 1),
    ],
)
def test_a_column_that_is_a_path_or_no_name_is_refused(name: str, fitted: Path) -> None:
    with pytest.raises(UserError, match="no path"):
        check_column_name(name)
    evil = {**DOCUMENT, "target": name}
    write_whole(fitted / "laws.json", json.dumps(evil))
    ROWS.rename(columns={"f1": name}).to_csv(fitted / "table.parquet", index=False)
    before = sorted(fitted.parent.rglob("*"))
    with pytest.raises(UserError):
        export_results(fitted, fitted.parent / "out", "csv")
    assert sorted(fitted.parent.rglob("*")) == before


def test_an_odd_but_harmless_name_is_kept(fitted: Path, tmp_path: Path) -> None:
    odd = 'f1/dev, "best" é'
    write_whole(fitted / "laws.json", json.dumps({**DOCUMENT, "target": odd}))
    ROWS.rename(columns={"f1": odd}).to_parquet(fitted / "table.parquet", index=False)
    for format in export_names():
        back = read_export(export_results(fitted, tmp_path / format, format))
        assert back["law_rows"][odd].tolist() == ROWS["f1"].iloc[[1, 2, 3, 0]].tolist()


def test_a_folder_in_use_is_left_alone(fitted: Path, tmp_path: Path) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").write_text("mine")
    with pytest.raises(SpecError, match="new or empty"):
        export_results(fitted, tmp_path / "used", "csv")
    with pytest.raises(SpecError, match="new or empty"):
        export_results(fitted, fitted, "csv")
    assert [path.name for path in (tmp_path / "used").iterdir()] == ["mine.txt"]


@pytest.mark.filterwarnings("ignore")
def test_datasets_opens_the_hub_folder(fitted: Path, tmp_path: Path) -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    datasets = pytest.importorskip("datasets", reason="needs the optional package datasets")
    folder = str(export_results(fitted, tmp_path / "out", "hf"))
    cache = str(tmp_path / "cache")
    rows = datasets.load_dataset(folder, cache_dir=cache)
    assert {name: len(split) for name, split in rows.items()} == {"fit": 3, "hold_out": 1}
    assert rows["fit"]["ami"] == [0.1, None, 0.3]
    laws = datasets.load_dataset(folder, "laws", cache_dir=cache)["train"]
    assert laws["selected"] == [False, True]


@pytest.mark.filterwarnings("ignore")
def test_croissant_metadata_is_valid(finished: Path, tmp_path: Path) -> None:
    croissant = pytest.importorskip("mlcroissant", reason="needs the optional package mlcroissant")
    folder = export_results(finished, tmp_path / "out", "hf", "CC-BY-4.0")
    found = croissant.Dataset(jsonld=str(folder / "croissant.json"))
    assert not found.metadata.ctx.issues.errors
    assert len(list(found.records("results"))) == len(read_export(folder)["results"])


HOSTILE = ["=2+5*cmd", "@SUM(A1)", "+1", "-1+1", "\tx", "'=quoted", "plain", "", None]


def test_a_spreadsheet_runs_nothing_and_the_text_comes_back(tmp_path: Path) -> None:
    table = pa.table({"=name": HOSTILE, "n": list(range(len(HOSTILE)))})
    path = tmp_path / "t.csv"
    format = export_format("csv")
    format.write(table, path)
    with path.open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] in tuple("=@+-\t")]
    again = format.read(path, table.schema)
    assert again.column_names == table.column_names
    assert again.to_pylist() == table.to_pylist()
