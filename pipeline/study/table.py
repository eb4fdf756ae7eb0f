"""The table of a run from the outcomes in its store: one row per trial, columns of `GLOSSARY`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mtl_laws.pipeline.columns import GLOSSARY, MARK, NAMES, RECORD
from mtl_laws.pipeline.study.controls import CONTROLS, marked, single_task_twin
from mtl_laws.pipeline.study.digest import canonical, digest
from mtl_laws.pipeline.study.store import Curve, Row

Record = dict[str, Any]

_OF_ONE_AUXILIARY = re.compile(r"_[0-9]+$")
"""Scores of a single auxiliary task; they stay in the store."""


def outcomes_table(rows: Iterable[Row], runs: Mapping[int, Mapping[str, Any]]) -> pd.DataFrame:
    """The analysis table: one row per trial, in the order of the digests.

    Parameters
    ----------
    rows : of a store.
    runs : provenance of every run that wrote one of them, by number. It counts where the row does
        not say what its worker was.
    """
    rows = list(rows)
    records = [_record(row, runs.get(row.run, {})) for row in rows]
    settings = {name for row in rows for name in row.description["training"]}
    _drop_constant(records, settings - NAMES)
    _add_gains(rows, records)
    standard = [column.name for column in GLOSSARY]
    others = {name for record in records for name in record}.difference(standard)
    table = pd.DataFrame.from_records(records, columns=[*standard, *sorted(others)])
    table = table.astype({column.name: column.dtype for column in GLOSSARY})
    return table.sort_values("trial", ignore_index=True)


def asked_values(description: Mapping[str, Any]) -> Record:
    """What a trial was asked to be, by column: tasks, options of the family, training.

    The sizes are those that the study asks for, until measured ones replace them.
    """
    task, training = description["task"], description["training"]
    auxiliary = (task["aux_tokens"] or task["tokens"]) if task["tasks"] > 1 else None
    taken = NAMES.union(training)
    options = {}
    for name, value in task["options"].items():
        # a list or a block as JSON text, which fits a column
        flat = canonical(value) if isinstance(value, (list, dict)) else value
        options[f"option_{name}" if name in taken else name] = flat
    return {
        **options,
        **{name: task[name] for name in NAMES.intersection(task)},
        "T": task["tasks"],
        "n": task["tokens"],
        "n_request": task["tokens"],
        "n_aux_request": auxiliary,
        "ami_request": _mean(task["ami"]),
        "options": canonical(task["options"]),
        **training,
        "settings": canonical(training),
    }


def _record(row: Row, run: Mapping[str, Any]) -> Record:
    """All columns of a trial but the gains. A control has no single-task twin of its own."""
    control = row.description.get(MARK)
    twin = None if control else digest(single_task_twin(row.description))
    outcome = row.outcome
    made = {**run, **(outcome.get("worker") or {})}
    return {
        **{"trial": row.trial, "stl": twin, MARK: control, "seed": row.description["seed"]},
        **asked_values(row.description),
        **row.measured,
        **{
            name: score
            for name, score in outcome["scores"].items()
            if not _OF_ONE_AUXILIARY.search(name)
        },
        **{name: outcome[name] for name in NAMES.intersection(outcome)},
        **{column.name: made.get(column.name, "") for column in RECORD},
        "finished": row.finished,
    }


def _mean(ami: float | list[float] | None) -> float | None:
    if isinstance(ami, list):
        return sum(ami) / len(ami) if ami else None
    return ami


def _drop_constant(records: Sequence[Record], settings: Iterable[str]) -> None:
    """Remove the training settings that are the same in all records."""
    for name in settings:
        if len({record.get(name) for record in records}) <= 1:
            for record in records:
                record.pop(name, None)


def _add_gains(rows: Sequence[Row], records: Sequence[Record]) -> None:
    """Add the accuracy above that of the single-task twin and of each control, if both exist.

    A control that is an ordinary trial of the study as well was trained as that trial.
    """
    accuracy = {record["trial"]: record.get("accuracy") for record in records}
    trained = {record[MARK] for record in records}
    for row, record in zip(rows, records, strict=True):
        record["gain"] = _difference(record, accuracy.get(record["stl"]))
        if record[MARK] is None and record["T"] > 1:
            for name, describe in CONTROLS.items():
                plain = describe(row.description)
                other = accuracy.get(digest(marked(name, plain))) if name in trained else None
                other = accuracy.get(digest(plain)) if other is None else other
                record[f"gain_{name}"] = _difference(record, other)


def _difference(record: Record, other: float | None) -> float | None:
    own = record.get("accuracy")
    return None if own is None or other is None else own - other


def trials_to_draw(table: pd.DataFrame, sizes: int = 4) -> list[str]:
    """One trial for each of up to `sizes` values of n, from small to large.

    Of all trials of one n whose model was scored, it is the middle one in the order of the table.
    """
    scored = table[table["validation_loss"].notna()]
    levels = np.sort(scored["n"].unique())
    if not len(levels):
        return []
    places = np.unique(np.linspace(0, len(levels) - 1, sizes).round().astype(int))
    groups = [scored.loc[scored["n"] == level, "trial"] for level in levels[places]]
    return [str(trials.iloc[len(trials) // 2]) for trials in groups]


def learning_curves(curves: Iterable[tuple[str, Curve]]) -> pd.DataFrame:
    """One row per evaluation of a trial: ``trial, step, train_loss, validation_loss`` (nats)."""
    names = ("trial", "step", "train_loss", "validation_loss")
    points = ((trial, *point) for trial, curve in curves for point in curve)
    return pd.DataFrame.from_records(list(points), columns=list(names))
