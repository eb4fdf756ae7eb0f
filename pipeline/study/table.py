"""The table of a run from the outcomes in its store: one row per trial, columns of `GLOSSARY`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from mtl_laws.pipeline.columns import GLOSSARY, MARK, NAMES, RECORD
from mtl_laws.pipeline.study.controls import CONTROLS, marked, single_task_twin
from mtl_laws.pipeline.study.digest import canonical, digest
from mtl_laws.pipeline.study.store import Row

Record = dict[str, Any]

_OF_ONE_AUXILIARY = re.compile(r"_[0-9]+$")


def outcomes_table(rows: Iterable[Row], runs: Mapping[int, Mapping[str, Any]]) -> pd.DataFrame:
    """The analysis table: one row per trial, in the order of the digests.

    Parameters
    ----------
    rows : of a store.
    runs : provenance of every run that wrote one of them, by number.
    """
    kept = list(rows)
    records = [_record(row, runs.get(row.run, {})) for row in kept]
    settings = {name for row in kept for name in row.description["training"]}
    _drop_constant(records, settings - NAMES)
    _add_gains(kept, records)
    named = [column.name for column in GLOSSARY]
    others = {name for record in records for name in record}.difference(named)
    table = pd.DataFrame.from_records(records, columns=[*named, *sorted(others)])
    table = table.astype({column.name: column.dtype for column in GLOSSARY})
    return table.sort_values("trial", ignore_index=True)


def _record(row: Row, run: Mapping[str, Any]) -> Record:
    return {
        **_identity(row),
        **_options(row),
        **_task(row.description["task"]),
        **row.measured,
        **_training(row.description["training"]),
        **_outcome(row.outcome),
        **_provenance(row, run),
    }


def _identity(row: Row) -> Record:
    """What the run is; a control is paired with runs by their columns, not by its own."""
    control = row.description.get(MARK)
    twin = None if control else digest(single_task_twin(row.description))
    return {"trial": row.trial, "stl": twin, MARK: control, "seed": row.description["seed"]}


def _task(task: Mapping[str, Any]) -> Record:
    """Columns of the request; the measured sizes and relatedness replace theirs afterwards."""
    plain = {name: task[name] for name in NAMES.intersection(task)}
    sizes = {"T": task["tasks"], "n": task["tokens"], "n_request": task["tokens"]}
    auxiliary = (task["aux_tokens"] or task["tokens"]) if task["tasks"] > 1 else None
    options = canonical(task["options"])
    requests = {"n_aux_request": auxiliary, "ami_request": _mean(task["ami"]), "options": options}
    return {**plain, **sizes, **requests}


def _options(row: Row) -> Record:
    """Columns of the family's options; one named like another column is told apart by a prefix."""
    taken = NAMES.union(row.description["training"])
    options = row.description["task"]["options"].items()
    return {f"option_{name}" if name in taken else name: _flat(value) for name, value in options}


def _flat(value: object) -> object:
    """Lists and blocks as JSON text, so that they fit a column."""
    return canonical(value) if isinstance(value, (list, dict)) else value


def _training(training: Mapping[str, Any]) -> Record:
    """Columns of the settings, `settings` with all of them included."""
    return {**training, "settings": canonical(training)}


def _outcome(outcome: Mapping[str, Any]) -> Record:
    """Columns of the result; scores of single auxiliary tasks stay in the store."""
    scores = outcome["scores"].items()
    kept = {name: score for name, score in scores if not _OF_ONE_AUXILIARY.search(name)}
    return {**kept, **{name: outcome[name] for name in NAMES.intersection(outcome)}}


def _provenance(row: Row, run: Mapping[str, Any]) -> Record:
    named = {column.name: run.get(column.name, "") for column in RECORD}
    return {**named, "finished": row.finished}


def _mean(ami: float | list[float] | None) -> float | None:
    if isinstance(ami, list):
        return sum(ami) / len(ami) if ami else None
    return ami


def _drop_constant(records: Sequence[Record], settings: Iterable[str]) -> None:
    """Of the training settings without a column of their own, keep those that differ."""
    for name in settings:
        if len({record.get(name) for record in records}) <= 1:
            for record in records:
                record.pop(name, None)


def _add_gains(rows: Sequence[Row], records: Sequence[Record]) -> None:
    """Accuracy above that of the paired single-task run and of each control, where both have one.

    A control that is an ordinary trial of the study, too, was trained as that.
    """
    accuracy = {record["trial"]: record.get("accuracy") for record in records}
    trained = {record[MARK] for record in records}
    for row, record in zip(rows, records, strict=True):
        record["gain"] = _difference(record, accuracy.get(record["stl"]))
        if record[MARK] is None and record["T"] > 1:
            for name, describe in CONTROLS.items():
                plain = describe(row.description)
                found = accuracy.get(digest(marked(name, plain))) if name in trained else None
                found = accuracy.get(digest(plain)) if found is None else found
                record[f"gain_{name}"] = _difference(record, found)


def _difference(record: Record, other: float | None) -> float | None:
    own = record.get("accuracy")
    return None if own is None or other is None else own - other


def learning_curves(rows: Iterable[Row]) -> pd.DataFrame:
    """One row per evaluation of a trial: ``trial, step, train_loss, validation_loss`` (nats)."""
    names = ("trial", "step", "train_loss", "validation_loss")
    points = ((row.trial, *point) for row in rows for point in row.outcome["curve"])
    return pd.DataFrame.from_records(list(points), columns=list(names))
