"""From a table and a question to `laws.json` and a report, for `mtl-laws fit` and `run`.

The report of a folder can also be written again, from its laws and rows.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from typing_extensions import Unpack

from mtl_laws.pipeline.errors import UserError, check_settings
from mtl_laws.pipeline.io.wholefile import drop_parts, make_folder
from mtl_laws.pipeline.plugins import loaded
from mtl_laws.pipeline.provenance import provenance
from mtl_laws.pipeline.study.lock import RunLock
from mtl_laws.pipeline.study.storefile import STORE_NAME
from mtl_laws.pipeline.symbolic.engines.registry import Choice, choose_with

if TYPE_CHECKING:
    import pandas as pd

    from mtl_laws.pipeline.laws.journal import Journal
    from mtl_laws.pipeline.laws.law import Law
    from mtl_laws.pipeline.laws.lawset import LawSet
    from mtl_laws.pipeline.laws.question import Question
    from mtl_laws.pipeline.laws.record import Provenance
    from mtl_laws.pipeline.laws.rules import Rules
    from mtl_laws.pipeline.laws.search import Progress, SearchResult
    from mtl_laws.pipeline.report import ReportContext

#: columns that the report needs for each learning curve
CURVE_COLUMNS = ("T", "n", "ami", "best_step")
PACKAGES = (
    "gplearn",
    "numpy",
    "pandas",
    "pyoperon",
    "pysr",
    "scikit-learn",
    "scipy",
    "sympy",
    "torch",
)


@dataclass(frozen=True)
class Source:
    """Where the rows come from, for messages and the report's head.

    Attributes
    ----------
    name : file or folder, as the user wrote it.
    title : heading of the report.
    question : what the study asks, in a sentence; empty for a user's own table.
    curves : learning curves, where models were trained.
    rounds : rounds of an active design, where trials were chosen; see `ReportContext`.
    """

    name: str
    title: str
    question: str = ""
    curves: pd.DataFrame | None = None
    rounds: pd.DataFrame | None = None
    command: str = field(default_factory=lambda: shlex.join(["mtl-laws", *sys.argv[1:]]))


@dataclass(frozen=True)
class Fit:
    """Laws with their analysed rows, and the source of these."""

    laws: LawSet
    source: Source


Bounds = tuple[float | None, float | None]


class SearchSettings(TypedDict, total=False):
    """Optional settings; each means the same as the option of `mtl-laws fit` with its name.

    ``engine_options`` is a dictionary of options of the engine's own, such as
    ``{"parsimony": 0.001}`` for ``pysr``; ``domain`` is {factor: (low, high)}; ``groups`` is a list
    of columns, or one column; ``forms`` is a list of formulas, or one formula; ``rules`` are
    thresholds of the method that differ from the default.
    """

    domain: Mapping[str, tuple[float, float]]
    hold_out: str | None
    engine: str
    budget: str
    time_limit: float | None
    seed: int
    jobs: int
    where: str | None
    groups: Sequence[str]
    sd: str | None
    weights: str | None
    loss: str
    forms: Sequence[str]
    rules: Rules
    engine_options: Mapping[str, Any]


def fit_laws(
    table: pd.DataFrame | Mapping[str, Sequence[object]] | Path | str,
    target: str,
    factors: Mapping[str, str] | Sequence[str],
    bounds: Bounds = (None, None),
    progress: Progress | None = None,
    **settings: Unpack[SearchSettings],
) -> LawSet:
    """The laws of a table of results, as `mtl-laws fit` finds them; nothing is written or printed.

    Parameters
    ----------
    table : one row per trained model, as a DataFrame, as columns by name, or as the path of a file
        that `mtl-laws fit` reads; a missing value is an undefined factor (AMI at T = 1).
    target : column to explain.
    factors : {name in the formula: column}, or the columns, each under its own name.
    bounds : lowest and highest value the target can take, None for none.
    progress : called with stage, done and total.
    settings : domain, hold_out, engine, budget, time_limit, seed, jobs, where, groups, sd, weights,
        loss, forms, rules, engine_options; see `SearchSettings`.

    Raises
    ------
    UserError
        if the question does not fit the table; the path is the argument.
    NoLawError
        if no law is valid over the domain.
    """
    from mtl_laws.pipeline.laws.question import Question

    rows = _table(table)
    _check(rows, settings)
    columns = dict(factors) if isinstance(factors, Mapping) else {name: name for name in factors}
    groups = settings.get("groups", ())
    settings["groups"] = (groups,) if isinstance(groups, str) else tuple(groups)
    forms = settings.get("forms", ())
    settings["forms"] = (forms,) if isinstance(forms, str) else forms
    question = Question(target, columns, bounds, **settings)
    name = str(table) if isinstance(table, str | Path) else "table"
    source = Source(name, f"{target} in a table", command=_call(question))
    return fit_question(rows, question, source, progress).laws


def fit_to_folder(
    table: pd.DataFrame,
    question: Question,
    source: Source,
    out: Path,
    progress: Progress | None = None,
    announce: Callable[[LawSet], None] = lambda laws: None,
) -> LawSet:
    """The laws of a table; writes ``laws.json``, the rows and the report to `out`.

    Raises what `fit_question` raises, and `UserError` if `out` is not writable or another process
    is at work in it. The folder is created after the question has been checked. If the search was
    interrupted, the same call resumes it.

    Parameters
    ----------
    announce : called with the laws when they are written, before the report is drawn.
    """
    from mtl_laws.pipeline.laws.document import NoLawError
    from mtl_laws.pipeline.laws.journal import JOURNAL_NAME, Journal
    from mtl_laws.pipeline.report import remove_report

    with ExitStack() as stack:

        def lock() -> None:
            make_folder(out)
            stack.enter_context(RunLock(out))
            for folder in (out, out / "figures"):
                drop_parts(folder / "*")

        journal = stack.enter_context(Journal(out / JOURNAL_NAME, _versions()))
        try:
            fit = fit_question(table, question, source, progress, ready=lock, journal=journal)
        except NoLawError:
            journal.remove()
            raise
        remove_report(out)
        fit.laws.save(out)
        announce(fit.laws)
        if progress is not None:
            progress("report", 0, 0)
        write_report_of(fit.laws, source, out)
        journal.remove()
    return fit.laws


def fit_question(
    table: pd.DataFrame,
    question: Question,
    source: Source,
    progress: Progress | None = None,
    ready: Callable[[], None] = lambda: None,
    journal: Journal | None = None,
) -> Fit:
    """The laws of a table, with their source; nothing is written.

    Parameters
    ----------
    progress : called with stage, done and total; a total of 0 where the stage cannot be counted.
    ready : called after the question has been checked, before the search.
    journal : where the search keeps its answers, and resumes; None for nowhere.

    Raises
    ------
    UserError
        if the question does not fit the table or the engine is not ready.
    NoLawError
        if no law is valid over the domain.
    """
    from mtl_laws.pipeline.laws.document import laws_document
    from mtl_laws.pipeline.laws.question import pose
    from mtl_laws.pipeline.laws.search import SearchOptions, find_laws
    from mtl_laws.pipeline.report.text import note_text, with_sentences

    begin = time.monotonic()
    report_stage = progress or (lambda stage, done, total: None)
    report_stage("preparing", 0, 0)
    choice = choose_with(question.engine, question.engine_options)
    problem = pose(table, question, source.name)
    ready()
    options = SearchOptions(
        choice.used,
        question.budget,
        question.time_limit,
        question.seed,
        question.jobs,
        question.loss,
        question.rules.search,
        progress=report_stage,
        forms=question.own_forms(),
        journal=journal,
        engine_options=question.engine_options,
        fallback=choice.fallback,
    )
    result = find_laws(problem.data, problem.held_out, options)
    report_stage("evidence", 0, 0)
    laws = laws_document(problem, result, question.seed, question.groups)
    about_data = {
        "columns": dict(question.factors),
        "hold_out": question.hold_out,
        "where": question.where,
        "notes": tuple(note_text(note) for note in problem.notes),
    }
    record = _provenance(question, choice, result, source, begin)
    update = {"data": laws.data.model_copy(update=about_data), "provenance": record}
    return Fit(with_sentences(laws.model_copy(update=update)).with_rows(problem.rows), source)


def read_fit(folder: Path) -> Fit:
    """The laws and the analysed rows that a search wrote to a folder.

    Raises
    ------
    UserError
        if the folder holds no laws or they cannot be read.
    """
    from mtl_laws.pipeline.laws.lawset import LAWS_NAME, LawSet
    from mtl_laws.pipeline.study.active import rounds_of

    if not folder.is_dir():
        raise UserError("folder", f"a folder with {LAWS_NAME}, written by run or fit", str(folder))
    laws = LawSet.load(folder)
    laws = laws.with_rows(laws.rows)
    record = laws.provenance
    title = record.title or f"{laws.target}: {folder.resolve().name}"
    source = Source(
        str(folder),
        title,
        record.question,
        curves_of(folder),
        rounds_of(folder, laws.target),
        record.command,
    )
    return Fit(laws, source)


def rewrite_report(folder: Path) -> None:
    """Write the report of a folder again, from its ``laws.json`` and its table.

    Raises
    ------
    UserError
        if the folder holds no laws or they cannot be read.
    """
    fit = read_fit(folder)
    write_report_of(fit.laws, fit.source, folder)


def curves_of(folder: Path, table: pd.DataFrame | None = None) -> pd.DataFrame | None:
    """The learning curves that a report draws, with the columns of their trials.

    Parameters
    ----------
    folder : of a run. Without a store and a table in it, there are no curves: None.
    table : results of the run; read from the folder if None.
    """
    from mtl_laws.pipeline.columns import RESULTS_NAME
    from mtl_laws.pipeline.io.tablefile import read_table
    from mtl_laws.pipeline.study.store import read_curves
    from mtl_laws.pipeline.study.table import learning_curves, trials_to_draw

    if not (folder / STORE_NAME).exists() or not (folder / RESULTS_NAME).exists():
        return None
    table = read_table(folder / RESULTS_NAME) if table is None else table
    curves = learning_curves(read_curves(folder / STORE_NAME, trials_to_draw(table)))
    return curves.merge(table[["trial", *CURVE_COLUMNS]], on="trial")


def write_report_of(laws: LawSet, source: Source, out: Path) -> None:
    """Write the report of laws that have their rows."""
    from mtl_laws.pipeline.report import write_report

    write_report(out, laws, laws.rows, _context(laws, source))


def summary(laws: LawSet) -> str:
    """The law and its scores, for the terminal."""
    from mtl_laws.pipeline.laws.law import scores_in_words
    from mtl_laws.pipeline.laws.search import MEAN
    from mtl_laws.pipeline.report.data_tables import few_levels, min_levels
    from mtl_laws.pipeline.report.text import (
        FIRST_NOTES,
        few_levels_text,
        groups_text,
        held_out_text,
        limits_text,
        outliers_text,
        small_groups_text,
        trust_text,
    )

    law = laws.law
    score = scores_in_words(law.scores)
    lines = [f"law:    {laws.line()}"]
    if laws.groups is not None:
        lines.append(f"groups: {groups_text(law, laws.groups)}")
    lines.append(f"score:  {score}")
    if laws.reach:
        lines.append(f"trust:  {trust_text(laws.reach[0])}")
    lines += [f"form:   {_form(form, law)}" for form in laws.forms]
    mean = law.origin == MEAN.origin
    notes = (
        f"no factor predicts {laws.target} better than its mean" if mean else "",
        held_out_text(law),
        limits_text(law),
        few_levels_text(few_levels(laws, laws.rows), min_levels(laws)),
        "" if laws.groups is None else small_groups_text(laws.groups),
        outliers_text(laws),
        *(note for note in laws.data.notes if any(words in note for words in FIRST_NOTES)),
        "the time limit ended the search early: the law may differ next time"
        if laws.provenance.cut
        else "",
        *laws.provenance.engine_failures,
    )
    lines += [f"note:   {note}" for note in notes if note]
    return "\n".join(lines)


def _form(form: Law, selected: Law) -> str:
    """A form of the user on one line: its formula, its scores, whether it is selected."""
    from mtl_laws.pipeline.laws.law import scores_in_words

    reason = f"not valid: {form.reason}" if form.fitted and form.reason else form.reason
    parts = [scores_in_words(form.scores), reason]
    parts += ["selected"] if form.expression == selected.expression else []
    return f"{readable(form.shown)}: {'; '.join(part for part in parts if part)}"


def readable(expression: str) -> str:
    """The expression with its numbers at three significant digits."""
    return re.sub(r"\d+\.\d+(e[+-]?\d+)?", lambda m: f"{float(m[0]):.3g}", expression)


def refuse_run_folder(out: Path) -> None:
    """Refuse the folder of a study, which has laws of its own.

    Raises
    ------
    UserError
        if a study was run there.
    """
    if os.path.exists(out / STORE_NAME):
        expected = f"a folder without a run; this one has {STORE_NAME} and laws of its own"
        raise UserError("out", expected, str(out))


def refuse_other_question(out: Path, question: Question, overwrite: bool) -> None:
    """Refuse a folder that holds the laws of another question.

    Parameters
    ----------
    overwrite : whether they may be replaced.

    Raises
    ------
    UserError
        if the folder holds other laws, or laws that cannot be read.
    """
    from mtl_laws.pipeline.laws.lawset import LAWS_NAME, LawSet

    if overwrite or not os.path.exists(out / LAWS_NAME):
        return
    advice = "a new folder, or that of the same question; `overwrite` replaces what is in it"
    try:
        laws = LawSet.load(out)
    except UserError as error:
        raise UserError("out", f"{advice}. Its {LAWS_NAME} cannot be read", str(out)) from error
    groups = () if laws.groups is None else tuple(laws.groups.columns)
    data = laws.data
    bounds = tuple(data.bounds or (None, None))
    former = (laws.target, dict(data.columns), bounds, data.hold_out, data.where, groups)
    present = (question.target, dict(question.factors), tuple(question.bounds), question.hold_out)
    if former != (*present, question.where, tuple(question.groups)):
        factors = ", ".join(laws.factors)
        raise UserError("out", f"{advice}. It holds laws of {laws.target} in {factors}", str(out))


def _provenance(
    question: Question, choice: Choice, result: SearchResult, source: Source, begin: float
) -> Provenance:
    from mtl_laws.pipeline.laws.record import EngineRecord, Provenance

    here = provenance()
    return Provenance(
        version=here["version"],
        commit=here["commit"],
        command=source.command,
        title=source.title,
        question=source.question,
        engine=EngineRecord(
            requested=choice.requested,
            used=result.effort.engine or choice.used,
            reason=choice.reason,
            options=dict(question.engine_options),
            evaluations_asked=result.effort.asked,
            evaluations_made=result.effort.made,
        ),
        seed=question.seed,
        budget=question.budget,
        time_limit=question.time_limit,
        cut=result.cut,
        seconds=round(time.monotonic() - begin, 1),
        candidates=result.candidates,
        engine_failures=tuple(result.failures),
        python=platform.python_version(),
        packages={name: _installed(name) for name in PACKAGES},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _versions() -> dict[str, str | None]:
    """What the answers of a search depend on besides rows and options."""
    here = {name: value for name, value in provenance().items() if name not in ("host", "torch")}
    files = [Path(name) for name in loaded() if name.endswith(".py")]
    plugins = {str(path): sha256(path.read_bytes()).hexdigest() for path in files}
    return {**here, **{name: _installed(name) for name in PACKAGES}, **plugins}


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _context(laws: LawSet, source: Source) -> ReportContext:
    from mtl_laws.pipeline.report import ReportContext

    notes = list(laws.data.notes)
    if laws.provenance.cut:
        notes.append("The time limit cut the search short: another run may find another law.")
    notes += [f"Engine failure: {line}" for line in laws.provenance.engine_failures]
    return ReportContext(
        title=source.title,
        command=source.command,
        question=source.question,
        notes=tuple(notes),
        curves=source.curves,
        rounds=source.rounds,
    )


def _table(table: object) -> pd.DataFrame:
    """The table in a DataFrame, in columns by name, or in a file."""
    import pandas as pd

    if isinstance(table, pd.DataFrame):
        return table
    if isinstance(table, str | Path):
        from mtl_laws.pipeline.reference_data import read_source

        return read_source(Path(table))
    expected = "a pandas DataFrame, columns of equal length by name, or the path of a table"
    if not isinstance(table, Mapping):
        raise UserError("table", expected, type(table).__name__)
    try:
        return pd.DataFrame(dict(table))
    except ValueError as error:
        raise UserError("table", expected, str(error)) from error


def _check(table: pd.DataFrame, settings: SearchSettings) -> None:
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise UserError("table", "every column name once", str(twice[0]))
    check_settings("fit_laws", settings, SearchSettings.__annotations__)


def _call(question: Question) -> str:
    """The call of `fit_laws` that asks this question."""
    from mtl_laws.pipeline.laws.question import Question

    plain = Question(question.target, question.factors, question.bounds)
    settings = [
        f"{name}={'rules' if name == 'rules' else repr(getattr(question, name))}"
        for name in SearchSettings.__annotations__
        if getattr(question, name) != getattr(plain, name)
    ]
    arguments = (question.target, dict(question.factors), tuple(question.bounds))
    return f"fit_laws({', '.join(['table', *map(repr, arguments), *settings])})"
