"""The reference tables: complete, whole, and what the shipped code gives."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtl_laws.pipeline import reference_data
from mtl_laws.pipeline.cli.app import main
from mtl_laws.pipeline.columns import MARK, replicates_of
from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.laws.lawset import LAWS_NAME
from mtl_laws.pipeline.reference_data import (
    FOLDER,
    load_reference,
    read_source,
    reference_manifest,
    reference_names,
)
from mtl_laws.pipeline.study.controls import CONTROLS
from mtl_laws.pipeline.study.study import Study, shipped_studies
from mtl_laws.pipeline.study.train import study_digest
from mtl_laws.pipeline.study.trials import Trial, expand
from mtl_laws.pipeline.study.workers import train_together

NAMES = reference_names()
#: those whose study ships; the corpora of the others do not
SIMULATED = [name for name in NAMES if name in shipped_studies()]
LARGEST = 20_000_000
#: a trial trained again, with other companions on perhaps another processor, may round differently
ROUNDING = 0.01


def trials(name: str) -> list[Trial]:
    """The trials of the study that ships under this name."""
    return expand(Study.load(shipped_studies()[name]))


def test_every_question_of_the_reference_study_has_a_table() -> None:
    assert set(NAMES) == {
        "published-balanced",
        "published-unbalanced",
        "real-gains",
        "real-gains-vectors",
        "sharing",
        "teacher-noise",
        "teacher-relatedness",
        "weighting",
    }


@pytest.mark.parametrize("name", SIMULATED)
def test_a_table_has_every_trial_of_its_study_once(name: str) -> None:
    table, wanted = load_reference(name), trials(name)
    assert sorted(table["trial"]) == sorted(trial.digest for trial in wanted)
    record = reference_manifest()["studies"][name]
    assert record["study_digest"] == study_digest(wanted)
    assert record["rows"] == len(table)
    assert record["controls"] == table[MARK].notna().sum()


@pytest.mark.parametrize("name", SIMULATED)
def test_outcomes_are_finite_and_possible(name: str) -> None:
    table = load_reference(name)
    assert set(table["status"]) <= {"converged", "exhausted"}
    for score in ("accuracy", "macro_f1"):
        assert table[score].between(0, 1).all()
    numbers = table.select_dtypes("number")
    assert not np.isinf(numbers.to_numpy(float)).any()
    several = table[table["T"] > 1]
    assert (several["ami"] - several["ami_request"]).abs().max() <= 0.01
    assert table.loc[table["T"] == 1, "ami"].isna().all()


@pytest.mark.parametrize("name", NAMES)
def test_a_gain_is_the_difference_of_two_rows(name: str) -> None:
    table = load_reference(name)
    accuracy = table.set_index("trial")["accuracy"]
    rows = table[(table["T"] > 1) & table[MARK].isna()]
    expected = rows["accuracy"] - rows["stl"].map(accuracy)
    assert rows["gain"].notna().all()
    pd.testing.assert_series_equal(rows["gain"], expected, check_names=False)


@pytest.mark.parametrize(
    ("name", "corpora", "seeds"), [("real-gains", 14, 6), ("real-gains-vectors", 6, 4)]
)
def test_real_gains_are_whole_and_hold_what_a_user_can_estimate(
    name: str, corpora: int, seeds: int
) -> None:
    table = load_reference(name)
    assert table["corpus"].nunique() == corpora
    assert set(table["status"]) <= {"converged", "exhausted"}
    cells = ["corpus", "encoder", "main", "aux", "T", "n_request", "n_aux_request"]
    assert (table.groupby(cells, dropna=False).size() % seeds == 0).all(), "all seeds of a cell"
    together = table[table["T"] > 1]
    for column in ("ami", "h_aux", "transfer", "probe_alone", "accuracy", "gain"):
        assert np.isfinite(together[column]).all(), column
    assert table.loc[table["T"] == 1, "ami"].isna().all()
    assert together["span_f1"].notna().any()
    texts = {"trial", "stl", "control", "family", "aux", "corpus", "main", "status"}
    settings = {"encoder", "sharing", "weighting"}
    assert set(table.select_dtypes(["object", "string"])) <= texts | settings, "numbers only"


def test_controls_stand_beside_every_multi_task_run() -> None:
    table = load_reference("teacher-relatedness")
    rows = table[(table["T"] > 1) & table[MARK].isna()]
    for name in CONTROLS:
        assert rows[f"gain_{name}"].notna().all()


def test_files_are_those_of_the_manifest() -> None:
    folder, studies = FOLDER, reference_manifest()["studies"]
    for record in studies.values():
        raw = (folder / record["file"]).read_bytes()
        assert sha256(raw).hexdigest() == record["sha256"]
    described = json.loads((folder / "croissant.json").read_text(encoding="utf-8"))
    hashes = {file["sha256"] for file in described["distribution"]}
    assert hashes == {record["sha256"] for record in studies.values()}
    assert sum(record["rows"] for record in studies.values()) >= 5_000
    assert sum(path.stat().st_size for path in folder.iterdir()) <= LARGEST


def test_the_card_names_every_column() -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    columns = {column for name in NAMES for column in load_reference(name).columns}
    assert [column for column in sorted(columns) if f"`{column}`" not in card] == []


def test_a_wrong_name_is_told_the_known_ones() -> None:
    with pytest.raises(UserError, match="nearest is 'sharing'") as caught:
        load_reference("sharin")
    assert all(name in str(caught.value) for name in NAMES)


def test_tables_that_are_not_there_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference_data, "FOLDER", tmp_path)
    with pytest.raises(UserError, match="install the package again"):
        load_reference("sharing")


@pytest.mark.parametrize("name", SIMULATED)
def test_trials_are_the_descriptions_without_their_seeds(name: str) -> None:
    rows = read_source(Path(f"reference:{name}"))
    wanted = {replace(trial, seed=0) for trial in trials(name) if trial.control is None}
    assert rows.groupby(list(replicates_of(rows)), dropna=False).ngroups == len(wanted)


def test_a_source_is_a_file_or_a_reference_without_its_controls(tmp_path: Path) -> None:
    rows = read_source(Path("reference:teacher-relatedness"))
    assert rows[MARK].isna().all()
    assert len(rows) < len(load_reference("teacher-relatedness"))
    path = tmp_path / "own.csv"
    path.write_text("n,f1\n1,0.5\n", encoding="utf-8")
    assert list(read_source(path).columns) == ["n", "f1"]
    assert replicates_of(read_source(path)) == ()
    assert "ami_request" in replicates_of(rows)


def test_a_law_can_be_fitted_without_training(tmp_path: Path) -> None:
    words = "fit reference:published-balanced --target macro_f1 --factors n=n,T=T"
    effort = "--bounds 0,1 --engine grammar --budget tiny --time-limit 1 --jobs 1"
    with pytest.raises(SystemExit) as caught:
        main([*words.split(), *effort.split(), "--out", str(tmp_path)])
    assert not caught.value.code
    found = json.loads((tmp_path / LAWS_NAME).read_text(encoding="utf-8"))
    assert found["data"]["rows"] == len(read_source(Path("reference:published-balanced")))
    assert found["selected"]["scores"]["r2_train"] > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_trials_trained_again_score_the_same(name: str) -> None:
    """A few of the cheapest trials and controls of every study, by the code as it is now."""
    table = load_reference(name).set_index("trial")
    ordered = sorted(trials(name), key=lambda trial: (trial.cost, trial.digest))
    several = [trial for trial in ordered if trial.task.tasks > 1]
    marked = [trial for trial in ordered if trial.control]
    for trial in (ordered[0], *several[:: len(several) // 4], *marked[:1]):
        (result,) = train_together([trial], "cpu")
        stored = table.loc[trial.digest]
        assert abs(result.outcome["scores"]["accuracy"] - stored["accuracy"]) <= ROUNDING
        assert result.measured["ami"] == pytest.approx(stored["ami"], abs=1e-9, nan_ok=True) or (
            result.measured["ami"] is None and np.isnan(stored["ami"])
        )
