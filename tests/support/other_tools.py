"""Results as other tools leave them: an export of W&B, trials of optuna, logs of MaChAmp.

All three hold taggers of one planted law, f1 = 0.92 - 2.2 / sqrt(n * T**(0.8 * ami)), with noise.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

START = datetime(2026, 3, 2, 9, 30)
LAYERS = ("ner", "pos", "chunk", "case")


def trainings() -> Iterator[dict[str, Any]]:
    """Settings and score of each training: 5 sizes, alone and with one or three auxiliaries."""
    rng = np.random.default_rng(3)
    for tokens in (50, 100, 200, 400, 800):
        for tasks, ami in ((1, None), (2, 0.1), (2, 0.6), (4, 0.1), (4, 0.6)):
            for seed in (1, 2):
                useful = tokens * tasks ** (0.8 * (ami or 0.0))
                f1 = 0.92 - 2.2 / np.sqrt(useful) + rng.normal(0, 0.01)
                yield {"tokens": tokens, "tasks": tasks, "ami": ami, "seed": seed, "f1": float(f1)}


def write_wandb(path: Path) -> None:
    """The table of runs as W&B's page exports it: every cell in quotes, empty where unknown."""
    rows = []
    for place, one in enumerate(trainings()):
        settings = {"model": "bilstm", **{k: one[k] for k in ("ami", "seed", "tasks", "tokens")}}
        rows.append(_wandb(place, "finished", settings, one["f1"]))
    settings = {"model": "bilstm", "ami": None, "seed": 3, "tasks": 1, "tokens": 50}
    rows.append(_wandb(len(rows), "crashed", settings, None))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _wandb(
    place: int, state: str, settings: Mapping[str, Any], score: float | None
) -> dict[str, str]:
    created = (START + timedelta(minutes=place)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    own = {"Name": f"brisk-dew-{place + 1}", "State": state, "Notes": "-", "User": "", "Tags": ""}
    times = {"Created": created, "Runtime": str(40 + place), "Sweep": ""}
    summary = {"epoch": "20" if score else "", "eval/f1": score}
    values = {**own, **times, **settings, **summary}
    return {name: "" if value is None else str(value) for name, value in values.items()}


def write_optuna(path: Path) -> None:
    """``study.trials_dataframe().to_csv(path, index=False)``; `ami` is a user attribute."""
    names = ("number", "value", "datetime_start", "datetime_complete", "duration")
    header = [*names, "params_tasks", "params_tokens", "user_attrs_ami", "state"]
    lines: list[Sequence[Any]] = [header]
    for number, one in enumerate(trainings()):
        start = START + timedelta(minutes=number, microseconds=123456)
        took = timedelta(seconds=41, microseconds=500000)
        times = (start, start + took, f"0 days 00:00:{took.total_seconds():09.6f}")
        lines.append([number, one["f1"], *times, one["tasks"], one["tokens"], one["ami"]])
        lines[-1] = [*lines[-1], "COMPLETE"]
    lines.append([len(lines) - 1, "", START, START, "0 days 00:00:03.100000", 4, 50, "", "PRUNED"])
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)


def write_machamp(logs: Path) -> None:
    """The folder ``logs``: NAME/DATE for each training, and one that has not finished."""
    for place, one in enumerate(trainings()):
        name = f"ner,n={one['tokens']}" + ("" if one["ami"] is None else f",ami={one['ami']}")
        folder = logs / name / (START + timedelta(minutes=place)).strftime("%Y.%m.%d_%H.%M.%S")
        folder.mkdir(parents=True)
        layers = LAYERS[: one["tasks"]]
        _write(folder / "dataset-configs.json", _datasets(layers, one["tokens"]))
        _write(folder / "params-config.json", {"random_seed": one["seed"], "batching": {}})
        scores = {f"best_dev_{layer}_accuracy": 0.9 for layer in layers[1:]}
        metrics = {
            "epoch": "20/20",
            "best_epoch": 17,
            "max_gpu_mem": "2.1034",
            "time_total": "0:00:41",
            "best_dev_sum": one["f1"] + 0.9 * (len(layers) - 1),
            "best_dev_ner_loss": 0.31,
            "best_dev_ner_span_f1": one["f1"],
            **scores,
        }
        _write(folder / "metrics.json", metrics)
    unfinished = logs / "ner,n=50" / "2026.03.03_08.00.00"
    unfinished.mkdir()
    _write(unfinished / "metrics_epoch_0.json", {"epoch": "1/20", "best_dev_ner_span_f1": 0.2})


def _datasets(layers: Sequence[str], words: int) -> dict[str, Any]:
    tasks = {
        name: {"task_type": "seq_bio" if name == "ner" else "seq", "column_idx": column}
        for column, name in enumerate(layers, start=1)
    }
    paths = {"train_data_path": "data/train.conll", "dev_data_path": "data/dev.conll"}
    return {"HARBOUR": {**paths, "word_idx": 0, "max_words": words, "tasks": tasks}}


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=4), encoding="utf-8")
