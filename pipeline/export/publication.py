"""Publication: what is published of the folder of a run, finished or not, or of a fit.

The name of the machine and the folders of files are left out: they say nothing about the models
and something about the person who trained them.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pandas as pd

from mtl_laws.pipeline.columns import GLOSSARY, MARK, RESULTS_NAME, Column
from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.export.tables import PublishedTable, published_table
from mtl_laws.pipeline.fit import read_fit
from mtl_laws.pipeline.io.tablefile import read_table
from mtl_laws.pipeline.laws.law import SCORES
from mtl_laws.pipeline.laws.lawset import LAWS_NAME, LawSet
from mtl_laws.pipeline.provenance import provenance
from mtl_laws.pipeline.study.store import (
    FAILED,
    STORE_NAME,
    Row,
    Summary,
    read_rows,
    read_runs,
    read_summary,
)
from mtl_laws.pipeline.study.table import learning_curves, outcomes_table

#: columns that are left out
PRIVATE = ("host",)
#: columns of file paths: the file's name stays, its folder goes
PATHS = ("corpus", "option_corpus")
MAX_TITLE_LENGTH = 100
#: the column of predictions that is text
OUTSIDE = "predicted_outside"

CURVES = (
    Column("trial", "str", "", "the trial: `trial` of `results`"),
    Column("step", "int64", "updates", "number of updates before the losses were taken"),
    Column("train_loss", "float64", "nats", "per token, on the training tokens since the last row"),
    Column("validation_loss", "float64", "nats", "per token of the main task"),
)
FRONT = (
    Column("selected", "bool", "", "whether this law was selected"),
    Column("expression", "str", "", "the law in the factor names, all digits; Python and sympy"),
    Column("latex", "str", "", "the law in LaTeX"),
    Column("complexity", "int64", "nodes", "number of operators, functions, names and numbers"),
    Column("valid", "bool", "", "whether the law may be used over the whole domain"),
    Column("reason", "str", "", "why it is not valid; empty if it is"),
    Column("limits", "str", "", "what is implausible about its limits; empty if nothing is"),
    Column("origin", "str", "", "engine or published form that it comes from"),
    *(
        Column(f"{measure}_{rows}", "float64", "", f"{symbol}, {words}")
        for measure, symbol in (("r2", "R²"), ("rmse", "root mean squared error"))
        for rows, words in (
            ("train", "fitted"),
            ("cv", "cross-validated"),
            ("extrapolation", "extrapolated"),
            ("hold_out", "held out"),
        )
    ),
)
PREDICTIONS = (
    Column("predicted", "float64", "", "the selected law's value"),
    Column("predicted_low", "float64", "", "95 % interval of the mean of such trials, lower end"),
    Column("predicted_high", "float64", "", "its upper end"),
    Column("predicted_trial_low", "float64", "", "95 % interval of one more trial, lower end"),
    Column("predicted_trial_high", "float64", "", "its upper end"),
    Column("predicted_outside", "str", "", "factors beyond the range the law was fitted on"),
    Column("predicted_distance", "float64", "widths", "how far outside the fitted region"),
)


@dataclass(frozen=True, kw_only=True)
class Publication:
    """Everything that is published, before any file format.

    Attributes
    ----------
    title, question : in words; the question is empty if none was asked.
    tables : the most important one first.
    laws : contents of ``laws.json``; None if no laws have been searched.
    study : the study as JSON values; None for a table from elsewhere.
    unfinished : what is missing of a run, in a sentence; empty if nothing is.
    licence : as the user states it; empty if not stated.
    provenance : versions, commit and times; `made` in ``dataset.json``.
    """

    title: str
    question: str
    tables: tuple[PublishedTable, ...]
    laws: LawSet | None
    study: Mapping[str, Any] | None = None
    unfinished: str = ""
    licence: str = ""
    provenance: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _RunRecord:
    """What the store of a run holds."""

    summary: Summary
    rows: list[Row]
    runs: dict[int, dict[str, Any]]


def publication_of(folder: Path, licence: str = "") -> Publication:
    """What can be published of the folder of a run or a fit.

    Raises
    ------
    UserError
        if it has neither a finished trial nor a law, or a file cannot be read.
    """
    path, run, study = folder / STORE_NAME, None, None
    if path.exists():
        run = _RunRecord(read_summary(path), read_rows(path), read_runs(path))
        study = run.summary.study
    fit = read_fit(folder) if (folder / LAWS_NAME).exists() else None
    tables = _run_tables(folder, run, None if fit is None else fit.laws)
    if fit is not None:
        tables += _fit_tables(fit.laws, fit.laws.rows)
    if not tables:
        expected = f"a folder of a run or a fit, with trials in {STORE_NAME}, or with {LAWS_NAME}"
        raise UserError("folder", expected, str(folder))
    name = "".join(c if c.isprintable() else " " for c in folder.resolve().name)
    title = " ".join(name.split())[:MAX_TITLE_LENGTH]
    return Publication(
        title=f"Results of {title or 'a study'}",
        question="" if study is None else " ".join(str(study.get("question", "")).split()),
        tables=tuple(tables),
        laws=None if fit is None else without_folders(fit.laws),
        study=study,
        unfinished="" if run is None else _unfinished(run.summary),
        licence=licence,
        provenance=_provenance(run),
    )


def without_folders(laws: LawSet) -> LawSet:
    """The laws without the folders of the files in their command."""
    command = laws.provenance.command
    if not command.startswith("mtl-laws "):
        return laws
    try:
        words = shlex.split(command)
    except ValueError:
        words = ["mtl-laws"]
    bare = (PurePath(word).name if word.startswith(("/", "~")) else word for word in words)
    origin = laws.provenance.model_copy(update={"command": shlex.join(bare)})
    return laws.model_copy(update={"provenance": origin})


def _run_tables(folder: Path, run: _RunRecord | None, laws: LawSet | None) -> list[PublishedTable]:
    if run is None:
        path = folder / RESULTS_NAME
        if not path.exists():
            return []
        return [_results_table(with_predictions(read_table(path), laws), set(), set())]
    if not run.rows:
        return []
    trials = [row.description for row in run.rows]
    settings = {name for trial in trials for name in trial["training"]}
    options = {name for trial in trials for name in trial["task"]["options"]}
    rows = with_predictions(outcomes_table(run.rows, run.runs), laws)
    tables = [_results_table(rows, settings, options)]
    curves = learning_curves((row.trial, row.outcome["curve"]) for row in run.rows)
    if len(curves):
        tables.append(published_table("curves", "One evaluation of one trial.", curves, CURVES))
    return tables


def _results_table(rows: pd.DataFrame, settings: set[str], options: set[str]) -> PublishedTable:
    public = rows.drop(columns=[name for name in PRIVATE if name in rows])
    for name in PATHS:
        if name in public:
            public[name] = public[name].map(_file_names)

    def meaning(name: str) -> str:
        if name.removeprefix("option_") in options:
            return "option of the task family"
        if name in settings:
            return "training setting"
        return "score of the main task" if settings else "see the study"

    described = {column.name for column in (*GLOSSARY, *PREDICTIONS)}
    names = (str(name) for name in public.columns)
    others = [Column(name, "", "", meaning(name)) for name in names if name not in described]
    columns = (*GLOSSARY, *PREDICTIONS, *others)
    return published_table("results", "One trial (one training).", public, columns)


def with_predictions(rows: pd.DataFrame, laws: LawSet | None) -> pd.DataFrame:
    """The rows and, beside them, what the selected law predicts for each.

    Controls have no prediction: the law describes the other trials. Neither has a row in which a
    value is impossible, or missing where the law depends on it. Tables that lack a column which the
    law needs, or have one of the new names, stay as they are.
    """
    if laws is None or laws.selected is None:
        return rows
    names = [column.name for column in PREDICTIONS]
    numbered = rows.reset_index(drop=True)  # rows may share a label
    try:
        without = (*laws.undefined(numbered), *laws.impossible(numbered))
        unknown = sorted({row for row, _ in without})
        both = numbered.join(laws.beside(numbered.drop(index=unknown))[names])
    except UserError:
        return rows
    both = both.replace({name: [np.inf, -np.inf] for name in names if name != OUTSIDE}, np.nan)
    if MARK in rows:
        both.loc[numbered[MARK].notna(), names] = None
    return both.set_axis(rows.index)


def _fit_tables(laws: LawSet, rows: pd.DataFrame) -> list[PublishedTable]:
    names = laws.data.columns
    columns = (
        *(
            Column(name, "float64", "", f"factor: column {names.get(name, name)} of the table")
            for name in laws.factors
        ),
        Column(laws.target, "float64", "", "target of the laws"),
        Column("role", "str", "", "`fit`, or `hold-out`: not used to fit or select laws"),
        Column("cell", "int64", "", "number of the cell: its rows are replicates"),
        *(() if laws.groups is None else (Column("group", "str", "", "group of the row"),)),
    )
    ordered = rows[[column.name for column in columns]].sort_values(
        "role", kind="stable", ignore_index=True
    )
    if laws.groups is not None:
        named = ordered.rename(columns={"group": laws.groups.column})
        back = {laws.groups.column: "group"}
        ordered = with_predictions(named, laws).rename(columns=back)
    else:
        ordered = with_predictions(ordered, laws)
    meaning = "One row of the table that laws were fitted to."
    tables = [published_table("law_rows", meaning, ordered, (*columns, *PREDICTIONS), "role")]
    front = _front(laws)
    if len(front):
        tables.append(published_table("laws", "One law of the front.", front, FRONT))
    return tables


def _front(laws: LawSet) -> pd.DataFrame:
    selected = None if laws.selected is None else laws.selected.expression
    records = [
        {
            "selected": law.expression == selected,
            "expression": law.expression,
            "latex": law.latex_text,
            "complexity": law.complexity,
            "valid": law.valid,
            "reason": law.reason,
            "limits": law.limits,
            "origin": law.origin,
            **{name: law.scores.get(name) for name in SCORES},
        }
        for law in laws.front
    ]
    table = pd.DataFrame.from_records(records, columns=[column.name for column in FRONT])
    return table.astype(dict.fromkeys(SCORES, "float64"))


def _file_names(value: object) -> object:
    """A path without its folder; a JSON list of paths as their names."""
    if not isinstance(value, str):
        return value
    parts = value.strip("[]").split(",") if value.startswith("[") else [value]
    return ", ".join(PurePath(part.strip().strip('"')).name for part in parts)


def _unfinished(summary: Summary) -> str:
    done = sum(summary.by_status.values())
    failed = summary.by_status.get(FAILED, 0)
    if done < summary.trials:
        return f"The run is not finished: it has {done} of {summary.trials} trials so far."
    return f"{failed} of {summary.trials} trials failed and have no scores." if failed else ""


def _provenance(run: _RunRecord | None) -> dict[str, str]:
    here = provenance()
    rows = {"version": here["version"], "commit": here["commit"]}
    if run is not None:
        versions = {str(one.get("version", "")) for one in run.runs.values()}
        rows["models trained with"] = "mtl-laws " + ", ".join(sorted(versions))
        rows["first trained"] = min((row.finished for row in run.rows), default="")
        rows["last trained"] = max((row.finished for row in run.rows), default="")
    return rows
