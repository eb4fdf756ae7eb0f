"""Logs of MaChAmp as a table of results (van der Goot et al. 2021, arXiv 2005.14672).

A training writes the folder ``logs/NAME/DATE``. ``metrics.json`` has the scores and appears at its
end; ``dataset-configs.json`` lists the data sets and their tasks, ``params-config.json`` the seed.
Versions differ in an ``s`` of the last two names.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from mtl_laws.pipeline.errors import FileError, UserError

METRICS, DATASETS = "metrics.json", "dataset-config"
LAYOUT = "a table, or a folder with logs of MaChAmp (NAME/DATE/metrics.json)"


def read_logs(folder: Path) -> pd.DataFrame:
    """The finished trainings below a folder, one per row, sorted by name and date.

    Columns: ``name`` and ``date``; a column for each part ``key=value`` of the name; ``tasks``, the
    number of tasks; ``seed``; the numbers of each data set, as in ``UD.max_words``; every number of
    ``metrics.json``. The parts are separated by commas. What a training lacks is missing.

    Raises
    ------
    UserError
        if there is no finished training, a file is damaged, or a key of a name is another column
        with another value; the path names it.
    """
    rows = [_training(path) for path in sorted(folder.rglob(METRICS))]
    if not rows:
        raise FileError(str(folder), LAYOUT, f"no {METRICS} in it")
    return pd.DataFrame(rows)


def _training(metrics: Path) -> dict[str, object]:
    """The row of one training."""
    run = metrics.parent
    row: dict[str, object] = {"name": run.parent.name, "date": run.name}
    datasets, params = _first(run, DATASETS), _first(run, "params-config")
    tasks: set[str] = set()
    for name, dataset in datasets.items():
        tasks |= dataset["tasks"].keys()
        row |= {f"{name}.{key}": value for key, value in _numbers(dataset).items()}
    if tasks:
        row["tasks"] = len(tasks)
    if "random_seed" in params:
        row["seed"] = params["random_seed"]
    row |= _numbers(_read(metrics))
    for part in run.parent.name.split(","):
        key, equals, text = (word.strip() for word in part.partition("="))
        number = _number(text)
        value = text if number is None else number
        if equals and row.setdefault(key, value) != value:
            expected = f"{row[key]!r}, as this column has it; rename the key"
            raise UserError(f"{run}, {key}", expected, value)
    return row


def _first(run: Path, stem: str) -> dict[str, Any]:
    """The content of a configuration, by either of its names; empty where it is missing."""
    path = next((p for p in (run / f"{stem}s.json", run / f"{stem}.json") if p.exists()), None)
    content = {} if path is None else _read(path)
    for name, part in content.items() if stem == DATASETS else ():
        if not isinstance(part, dict) or not isinstance(part.get("tasks"), dict):
            raise UserError(f"{path}, {name}", "a data set with its tasks", str(part)[:40])
    return content


def _read(path: Path) -> dict[str, Any]:
    whole = "a whole JSON file"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise FileError(str(path), whole, f"line {error.lineno} is not JSON") from error
    except (OSError, ValueError, RecursionError) as error:
        raise FileError(str(path), whole, str(error)) from error
    if not isinstance(content, dict):
        raise UserError(str(path), "one JSON object", str(content)[:40])
    return content


def _numbers(content: dict[str, Any]) -> dict[str, float]:
    """The entries that are numbers; MaChAmp writes some of them as text."""
    values = {key: _number(value) for key, value in content.items()}
    return {key: value for key, value in values.items() if value is not None}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return None if isinstance(value, str) and "_" in value else float(value)
    except (ValueError, OverflowError):
        return None
