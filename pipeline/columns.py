"""The columns of a run's table: what each means, and which rows are replicates.

The glossary below is data: the table is built by it, and ``docs/columns.md`` is made from it
(``python -m mtl_laws.pipeline.columns``); a test fails when the two differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

MARK = "control"
"""Column that names the control that a row is; null for ordinary rows."""

RESULTS_NAME = "results.parquet"
"""The table's file in the folder of a run."""


@dataclass(frozen=True)
class Column:
    """One column: its name, its dtype in the table, its unit and its meaning.

    `asked` columns describe the trial as the study requests it, without the seed and without what
    was drawn, measured or recorded. Rows with equal values in all of them are replicates.
    """

    name: str
    dtype: str
    unit: str
    meaning: str
    asked: bool = False


def _asked(name: str, dtype: str, unit: str, meaning: str) -> Column:
    """A column that describes the trial as the study requests it."""
    return Column(name, dtype, unit, meaning, asked=True)


_IDENTITY = (
    Column("trial", "str", "", "digest of the trial's full description: the key of the row"),
    Column("stl", "str", "", "`trial` of the paired single-task run: same main task, n and seed"),
    _asked("control", "str", "", "the control that the run is (docs/study.md); null for others"),
    Column("seed", "int64", "", "seed of the tasks and of the training"),
)
_TASK = (
    _asked("family", "str", "", "recipe of the tasks: channel, teacher, layers"),
    _asked("T", "int64", "tasks", "tasks trained together, main included; 1 is single-task"),
    Column("n", "int64", "tokens", "training tokens of the main task, as drawn (whole sentences)"),
    _asked("n_request", "int64", "tokens", "the same, as the study asks for it"),
    Column("n_aux", "float64", "tokens", "tokens of an auxiliary task, mean; null for T = 1"),
    _asked("n_aux_request", "float64", "tokens", "the same, as the study asks for it"),
    Column("ami", "float64", "", "measured AMI, main to auxiliaries, mean; null for T = 1"),
    _asked("ami_request", "float64", "", "AMI as the study asks for it, mean; null for T = 1"),
    Column("ami_clean", "float64", "", "as `ami`, before label noise"),
    Column("ami_aux", "float64", "", "measured AMI between auxiliaries, mean; null for T < 3"),
    Column("h_main", "float64", "nats", "entropy of the main task's labels"),
    Column("h_aux", "float64", "nats", "entropy of an auxiliary task's labels, mean"),
    Column("h_main_given_aux", "float64", "nats", "H(main | auxiliary), mean over auxiliaries"),
    Column("h_aux_given_main", "float64", "nats", "H(auxiliary | main), mean over auxiliaries"),
    _asked("label_noise", "float64", "share", "training labels replaced by another label"),
    _asked("shared", "bool", "", "whether all tasks label the same sentences"),
    _asked("labels", "int64", "labels", "K, labels of every task"),
    _asked("vocabulary", "int64", "types", "V, token types"),
    _asked("sentence_length", "int64", "tokens", "tokens of a sentence"),
    _asked("validation_fraction", "float64", "share", "validation tokens on top of n, share of n"),
    _asked("test_tokens", "int64", "tokens", "tokens of the test split"),
    _asked("options", "str", "", "all options of the family, as JSON"),
)
_TRAINING = (
    _asked("encoder", "str", "", "bilstm, window, cnn, vectors or vectors_bilstm"),
    _asked("sharing", "str", "", "hard, soft, private or transfer"),
    _asked("shared_layers", "int64", "layers", "k, fully connected layers shared by all tasks"),
    _asked("private_layers", "int64", "layers", "m, fully connected layers of each task's own"),
    _asked("weighting", "str", "", "how the tasks' losses are weighted"),
    _asked("settings", "str", "", "all training settings, as JSON"),
)
_OUTCOME = (
    Column("status", "str", "", "converged, exhausted, diverged or failed"),
    Column("accuracy", "float64", "share", "main task, clean test labels"),
    Column("macro_f1", "float64", "share", "main task, clean test labels, mean over labels"),
    Column("gain", "float64", "share", "`accuracy` minus that of the row `stl`; null without it"),
    Column("gain_updates", "float64", "share", "the same over the control `updates`"),
    Column("gain_tokens", "float64", "share", "the same over the control `tokens`"),
    Column("gain_random_labels", "float64", "share", "the same over the control `random_labels`"),
    Column("aux_accuracy", "float64", "share", "auxiliary tasks, mean; null for T = 1"),
    Column("aux_macro_f1", "float64", "share", "auxiliary tasks, mean; null for T = 1"),
    Column("validation_loss", "float64", "nats", "per token of the main task, at the best step"),
    Column("steps", "int64", "updates", "updates made"),
    Column("best_step", "int64", "updates", "update whose parameters were kept and tested"),
    Column("seconds", "float64", "s", "this model's share of its group's wall time"),
    Column("message", "str", "", "what went wrong; empty when nothing did"),
    Column(
        "loops", "str", "", "inner loops that ran: compiled, eager, eager+graph; null if unknown"
    ),
)
RECORD = (
    Column("finished", "str", "UTC", "when the row was written, ISO 8601"),
    Column("version", "str", "", "version of mtl-laws on the worker that trained the model"),
    Column("commit", "str", "", "its commit, where it ran from a checkout"),
    Column("host", "str", "", "machine of the worker"),
    Column("torch", "str", "", "version of torch there"),
)
CLOCKED = ("seconds", "finished", "commit", "host")
"""Columns in which two runs of the same study may differ."""

GLOSSARY: tuple[Column, ...] = (*_IDENTITY, *_TASK, *_TRAINING, *_OUTCOME, *RECORD)

NAMES = frozenset(column.name for column in GLOSSARY)
AS_JSON = ("options", "settings")
_REQUESTS = {
    "n": "n_request",
    "n_aux": "n_aux_request",
    "ami": "ami_request",
    "ami_clean": "ami_request",
    "ami_aux": "ami_request",
    "h_main_given_aux": "ami_request",
    "h_aux_given_main": "ami_request",
}
"""Measured column -> the column that says what the study asked for."""
_SCORE = re.compile(r"(^|_)(accuracy|f1)$")
_SECTIONS = (
    ("Which run", _IDENTITY),
    ("The tasks", _TASK),
    ("The training", _TRAINING),
    ("The outcome", _OUTCOME),
    ("The record", RECORD),
)

_INTRODUCTION = """\
# Columns of `results.parquet`

One row per trial, that is per training run. Null means that a value does not exist (the AMI of a
single task, the scores of a run that diverged), never that it is zero.

Columns marked *asked* describe what the study asked for. Rows that agree in all of them are
replicates: they differ in the seed only. They form one cell, and a law search counts cells.

This page is made from the glossary in `pipeline/columns.py`:
`python -m mtl_laws.pipeline.columns > docs/columns.md`.
"""

_DYNAMIC = """\
## Columns that depend on the study

Besides these, a table has one column, of its own name, for

- every option of the family that the study sets or varies (`family.options`, `factors`), such as
  `feature_overlap`; `option_NAME` where a training setting or a column above has that name (asked);
- every other training setting that differs between rows of the table, such as `hidden` (asked);
- every other score of the main task that the training gave, such as `span_f1`.
"""


def ordinary_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that a law may be fitted on: without the controls, if a run wrote the table."""
    return table[table[MARK].isna()].reset_index(drop=True) if is_ours(table) else table


def is_ours(table: pd.DataFrame) -> bool:
    """Whether a run wrote this table: it has keys of trials and marks controls.

    Older versions called the key ``cell``.
    """
    return MARK in table and ("trial" in table or "cell" in table)


def replicates_of(table: pd.DataFrame) -> tuple[str, ...]:
    """Columns in which replicates agree: what the study requests; none if no run wrote the table.

    A cell is a trial without its seed. Tables of older versions and the reference tables have no
    `options` or `settings`. Of their columns that are not in the glossary, those count that do not
    depend on the seed.
    """
    if not is_ours(table):
        return ()
    requested = [column.name for column in GLOSSARY if column.asked and column.name in table]
    others = [name for name in map(str, table) if name not in NAMES and not _SCORE.search(name)]
    keys = _keys_asked(table)
    if keys is not None:
        return (*requested, *(name for name in others if name.removeprefix("option_") in keys))
    if "n_aux" in table and "n_aux_request" not in table and not _depends_on_seed(table, "n_aux"):
        place = requested.index("n_request") + 1 if "n_request" in requested else 0
        requested.insert(place, "n_aux")
    return (*requested, *(name for name in others if not _depends_on_seed(table, name)))


def _keys_asked(table: pd.DataFrame) -> set[str] | None:
    """Names of all options and settings; None if some rows of the table lack them."""
    if not set(AS_JSON) <= set(table) or table[list(AS_JSON)].isna().any(axis=None):
        return None
    texts = {text for name in AS_JSON for text in table[name].unique()}
    try:
        return {key for text in texts for key in json.loads(text)}
    except (ValueError, TypeError):
        return None


def _depends_on_seed(table: pd.DataFrame, name: str) -> bool:
    """Whether some value of the column occurs with one seed only, although there are several."""
    if "seed" not in table or table["seed"].nunique() < 2:
        return False
    return bool(table.groupby(name, dropna=False)["seed"].nunique().min() < 2)


def unmodelled_columns(table: pd.DataFrame, factors: Collection[str]) -> tuple[str, ...]:
    """Columns that the study varied and that no factor accounts for.

    Those are columns of `replicates_of` that differ between rows with equal requested factors. A
    column that follows from the factors, or from an earlier column of the result, is not listed.

    Parameters
    ----------
    factors : columns of the factors and of the groups.
    """
    requested = [name for name in replicates_of(table) if name not in (*AS_JSON, MARK)]
    requests = {name: _REQUESTS.get(name, name) for name in factors if name in table}
    levels = [request if request in table else name for name, request in requests.items()]
    levels = [name for name in dict.fromkeys(levels) if name in requested or name not in NAMES]
    unmodelled: list[str] = []
    for name in requested:
        before = [*levels, *unmodelled]
        values = (
            table.groupby(before, dropna=False)[name].nunique()
            if before
            else table[[name]].nunique()
        )
        if values.max() > 1:
            unmodelled.append(name)
    return tuple(unmodelled)


def columns_markdown() -> str:
    """``docs/columns.md``."""
    lines = [_INTRODUCTION]
    for title, columns in _SECTIONS:
        lines += [f"## {title}", "", "| column | type | unit | asked | meaning |"]
        lines.append("|---|---|---|---|---|")
        for column in columns:
            asked = "asked" if column.asked else ""
            entries = (f"`{column.name}`", column.dtype, column.unit, asked, column.meaning)
            lines.append(f"| {' | '.join(entries)} |")
        lines.append("")
    return "\n".join([*lines, _DYNAMIC])


if __name__ == "__main__":
    print(columns_markdown(), end="")
