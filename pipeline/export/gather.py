"""From the folder of a run, finished or not, or of a fit, to what is published of it.

Left out is what says nothing about the models and something about their maker: the name of the
machine, and the folders of files.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import pandas as pd

from mtl_laws.pipeline.columns import GLOSSARY, RESULTS_NAME, Column
from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.export.publication import Publication, PublishedTable, published
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

LEFT_OUT = ("host",)
PATHS = ("corpus", "option_corpus")
"""Columns of file paths: the file's name stays, its folder goes."""

CURVES = (
    Column("trial", "str", "", "the model: `trial` of `results`"),
    Column("step", "int64", "updates", "update after which the losses were taken"),
    Column("train_loss", "float64", "nats", "per token, on the training tokens seen since"),
    Column("validation_loss", "float64", "nats", "per token of the main task"),
)
FRONT = (
    Column("selected", "bool", "", "whether this is the law that was chosen"),
    Column("expression", "str", "", "in the factor names, at full precision; Python and sympy"),
    Column("latex", "str", "", "the same to typeset"),
    Column("complexity", "int64", "nodes", "operators, functions, names and numbers"),
    Column("valid", "bool", "", "whether it may be used over the whole domain"),
    Column("reason", "str", "", "why it may not; empty where it may"),
    Column("limits", "str", "", "what is implausible about its limits; empty where nothing is"),
    Column("origin", "str", "", "engine or form of theory that it comes from"),
    *(
        Column(name, "float64", "", f"{name.split('_', 1)[0].upper()}: {rows}")
        for name, rows in zip(
            SCORES,
            2 * ("fitted rows", "cross-validated", "extrapolated", "held-out rows"),
            strict=True,
        )
    ),
)


@dataclass(frozen=True)
class _Run:
    """What the store of a run holds."""

    summary: Summary
    rows: list[Row]
    runs: dict[int, dict[str, Any]]


def gather(folder: Path, licence: str = "") -> Publication:
    """What the folder of a run or a fit has to publish.

    Raises
    ------
    UserError
        if there is neither a finished model nor a law in it, or a file cannot be read.
    """
    run = _read_run(folder)
    fit = read_fit(folder) if (folder / LAWS_NAME).exists() else None
    tables = _run_tables(folder, run)
    if fit is not None:
        tables += _fit_tables(fit.laws, fit.laws.rows)
    if not tables:
        expected = f"a folder of `run` or `fit`, with {STORE_NAME} of some models or {LAWS_NAME}"
        raise UserError("folder", expected, str(folder))
    study = None if run is None else run.summary.study
    return Publication(
        title=_title(folder),
        question="" if study is None else " ".join(str(study.get("question", "")).split()),
        tables=tuple(tables),
        laws=None if fit is None else without_folders(fit.laws),
        study=study,
        unfinished="" if run is None else _unfinished(run.summary),
        licence=licence,
        made=_made(run),
    )


def _read_run(folder: Path) -> _Run | None:
    path = folder / STORE_NAME
    if not path.exists():
        return None
    return _Run(read_summary(path), read_rows(path), read_runs(path))


def _run_tables(folder: Path, run: _Run | None) -> list[PublishedTable]:
    if run is None:
        path = folder / RESULTS_NAME
        return [_results(read_table(path), frozenset(), frozenset())] if path.exists() else []
    if not run.rows:
        return []
    described = [row.description for row in run.rows]
    settings = {name for trial in described for name in trial["training"]}
    options = {name for trial in described for name in trial["task"]["options"]}
    rows = outcomes_table(run.rows, run.runs)
    tables = [_results(rows, frozenset(settings), frozenset(options))]
    curves = learning_curves((row.trial, row.outcome["curve"]) for row in run.rows)
    if len(curves):
        tables.append(published("curves", "One evaluation of one model.", curves, CURVES))
    return tables


def _results(
    rows: pd.DataFrame, settings: frozenset[str], options: frozenset[str]
) -> PublishedTable:
    kept = rows.drop(columns=[name for name in LEFT_OUT if name in rows])
    for name in PATHS:
        if name in kept:
            kept[name] = kept[name].map(_file_names)
    known = {column.name for column in GLOSSARY}
    others = [
        Column(str(name), "", "", _meaning(str(name), settings, options))
        for name in kept.columns
        if name not in known
    ]
    return published("results", "One trained model.", kept, (*GLOSSARY, *others))


def _meaning(name: str, settings: frozenset[str], options: frozenset[str]) -> str:
    """What a column outside the glossary is."""
    if name.removeprefix("option_") in options:
        return "option of the task family"
    if name in settings:
        return "training setting"
    return "score of the main task" if settings else "see the study"


def _fit_tables(laws: LawSet, rows: pd.DataFrame) -> list[PublishedTable]:
    used = rows[[*laws.factors, laws.target, "role", "cell"]]
    ordered = used.sort_values("role", kind="stable", ignore_index=True)
    tables = [
        published(
            "law_rows",
            "One row that laws were asked to explain.",
            ordered,
            _row_columns(laws),
            "role",
        )
    ]
    front = _front(laws)
    if len(front):
        tables.append(published("laws", "One law of the front.", front, FRONT))
    return tables


def _row_columns(laws: LawSet) -> tuple[Column, ...]:
    names = laws.data.columns
    factors = (
        Column(name, "float64", "", f"factor: column {names.get(name, name)} of the table")
        for name in laws.factors
    )
    return (
        *factors,
        Column(laws.target, "float64", "", "what the laws explain"),
        Column("role", "str", "", "`fit`, or `hold-out`: not looked at before the choice"),
        Column("cell", "int64", "", "rows of one cell replicate each other"),
    )


def _front(laws: LawSet) -> pd.DataFrame:
    chosen = None if laws.selected is None else laws.selected.expression
    records = [
        {
            "selected": law.expression == chosen,
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


def without_folders(laws: LawSet) -> LawSet:
    """The laws without the folders of the files in their command."""
    command = laws.provenance.command
    if not command.startswith("mtl-laws "):
        return laws
    try:
        command = shlex.join(_bare(word) for word in shlex.split(command))
    except ValueError:
        command = "mtl-laws"
    made = laws.provenance.model_copy(update={"command": command})
    return laws.model_copy(update={"provenance": made})


def _bare(word: str) -> str:
    return PurePath(word).name if word.startswith(("/", "~")) else word


def _file_names(value: object) -> object:
    """A path without its folder; a list of paths, which stands there as JSON, as names."""
    if not isinstance(value, str):
        return value
    parts = value.strip("[]").split(",") if value.startswith("[") else [value]
    return ", ".join(PurePath(part.strip().strip('"')).name for part in parts)


def _title(folder: Path) -> str:
    name = "".join(c if c.isprintable() else " " for c in folder.resolve().name)
    return f"Results of {' '.join(name.split())[:100] or 'a study'}"


def _unfinished(summary: Summary) -> str:
    done = sum(summary.by_status.values())
    failed = summary.by_status.get(FAILED, 0)
    if done < summary.trials:
        return f"The run is not finished: {done} of {summary.trials} models are here."
    return f"{failed} of {summary.trials} models failed and have no scores." if failed else ""


def _made(run: _Run | None) -> dict[str, str]:
    here = provenance()
    made = {"version": here["version"], "commit": here["commit"]}
    if run is not None:
        versions = {str(one.get("version", "")) for one in run.runs.values()}
        made["models trained with"] = "mtl-laws " + ", ".join(sorted(versions))
        made["first trained"] = min(row.finished for row in run.rows) if run.rows else ""
        made["last trained"] = max(row.finished for row in run.rows) if run.rows else ""
    return made
