"""Logs of MaChAmp, and tables of W&B and optuna, as tables of results."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pytest

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.io.machamp import read_logs
from mtl_laws.pipeline.io.tablefile import read_table
from mtl_laws.pipeline.laws.holdout import rows_where
from mtl_laws.pipeline.reference_data import read_source
from support.other_tools import trainings, write_machamp, write_optuna, write_wandb


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    write_machamp(tmp_path / "logs")
    return tmp_path / "logs"


def test_a_finished_training_is_a_row(logs: Path) -> None:
    table = read_source(logs)
    expected = pd.DataFrame(list(trainings()))
    assert len(table) == len(expected) == 50
    found = table.sort_values("date", ignore_index=True)
    assert found["best_dev_ner_span_f1"].tolist() == expected["f1"].tolist()
    for column, factor in (("n", "tokens"), ("tasks", "tasks"), ("ami", "ami"), ("seed", "seed")):
        pd.testing.assert_series_equal(
            found[column], expected[factor], check_names=False, check_dtype=False
        )
    assert found["HARBOUR.max_words"].tolist() == expected["tokens"].tolist()
    assert found["max_gpu_mem"].unique().tolist() == [2.1034]
    assert "epoch" not in found  # 20/20 is no number
    assert found.loc[0, ["name", "date"]].tolist() == ["ner,n=50", "2026.03.02_09.30.00"]
    assert math.isnan(found.loc[0, "best_dev_pos_accuracy"])


def test_names_of_another_version_are_known(logs: Path) -> None:
    for name, other in (("dataset-configs", "dataset-config"), ("params-config", "params-configs")):
        for path in list(logs.rglob(f"{name}.json")):
            path.rename(path.with_name(f"{other}.json"))
    assert {"tasks", "seed"} <= set(read_logs(logs).columns)


def test_configurations_may_be_missing_and_values_may_be_text(tmp_path: Path) -> None:
    run = tmp_path / "upos, n = 2e3, sharing=hard" / "2026.01.01_00.00.00"
    run.mkdir(parents=True)
    (run / "metrics.json").write_text(json.dumps({"best_dev_upos_accuracy": 0.8}), encoding="utf-8")
    (row,) = read_logs(tmp_path).drop(columns=["name", "date"]).to_dict("records")
    assert row == {"n": 2000.0, "sharing": "hard", "best_dev_upos_accuracy": 0.8}


def one_training(folder: Path, name: str, metrics: str = '{"f1": 0.8}') -> Path:
    run = folder / name / "2026.01.01_00.00.00"
    run.mkdir(parents=True)
    (run / "metrics.json").write_text(metrics, encoding="utf-8")
    return run


def test_what_is_no_number_of_python_floats_is_no_number(tmp_path: Path) -> None:
    one_training(tmp_path, "n=1_000,k=2", f'{{"f1": 0.8, "parameters": {10**400}}}')
    (row,) = read_logs(tmp_path).drop(columns=["name", "date"]).to_dict("records")
    assert row == {"f1": 0.8, "n": "1_000", "k": 2.0}


@pytest.mark.parametrize("part", ["name=x", "date=1", "tasks=9", "seed=9", "f1=0.9", "n=3"])
def test_a_key_of_a_name_does_not_hide_another_column(part: str, tmp_path: Path) -> None:
    run = one_training(tmp_path, f"ner,n=2,{part}")
    datasets = '{"UD": {"tasks": {"ner": {}, "pos": {}}}}'
    (run / "dataset-configs.json").write_text(datasets, encoding="utf-8")
    (run / "params-config.json").write_text('{"random_seed": 4}', encoding="utf-8")
    with pytest.raises(UserError) as error:
        read_logs(tmp_path)
    assert error.value.path == f"{run}, {part.partition('=')[0]}"


def test_a_key_of_a_name_may_repeat_what_the_logs_say(tmp_path: Path) -> None:
    run = one_training(tmp_path, "ner,seed=4,f1=0.8")
    (run / "params-config.json").write_text('{"random_seed": 4}', encoding="utf-8")
    assert read_logs(tmp_path)[["seed", "f1"]].to_numpy().tolist() == [[4.0, 0.8]]


def test_the_line_of_a_damage_is_named(tmp_path: Path) -> None:
    one_training(tmp_path, "ner", '{"f1": 0.8,\n}')
    with pytest.raises(UserError, match=r"metrics\.json: line 2 is not JSON"):
        read_logs(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", "3"])
def test_a_damaged_file_is_named(content: str, logs: Path) -> None:
    path = next(logs.rglob("metrics.json"))
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as error:
        read_logs(logs)
    assert error.value.path == str(path)


@pytest.mark.parametrize("tasks", [None, 3, "ner"])
def test_a_configuration_without_tasks_is_named(tasks: object, logs: Path) -> None:
    path = next(logs.rglob("dataset-configs.json"))
    path.write_text(json.dumps({"UD": {"tasks": tasks}}), encoding="utf-8")
    with pytest.raises(UserError) as error:
        read_logs(logs)
    assert error.value.path == f"{path}, UD"


def test_a_folder_without_logs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        read_source(tmp_path)
    assert error.value.path == str(tmp_path)


def test_exports_of_runs_and_trials_need_no_reader(tmp_path: Path) -> None:
    expected = pd.DataFrame(list(trainings()))
    write_wandb(tmp_path / "runs.csv")
    runs = read_table(tmp_path / "runs.csv")
    runs = runs[rows_where('State=="finished"', runs)]
    write_optuna(tmp_path / "trials.csv")
    trials = read_table(tmp_path / "trials.csv")
    trials = trials[rows_where('state=="COMPLETE"', trials)]
    for table, names in (
        (runs, ("tokens", "tasks", "ami", "eval/f1")),
        (trials, ("params_tokens", "params_tasks", "user_attrs_ami", "value")),
    ):
        for column, factor in zip(names, ("tokens", "tasks", "ami", "f1"), strict=True):
            pd.testing.assert_series_equal(
                table[column], expected[factor], check_names=False, check_dtype=False
            )
