"""A table and a question to `laws.json` and a report, for `mtl-laws fit` and for a study's end."""

from __future__ import annotations

import json
import platform
import re
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import InputError
from pipeline.files.storefile import STORE_NAME
from pipeline.files.wholefile import write_whole
from pipeline.provenance import provenance
from pipeline.symbolic.engines.choice import Choice, choose

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.laws.question import Question
    from pipeline.laws.search import Progress, SearchResult
    from pipeline.report import ReportContext

LAWS_NAME, TABLE_NAME = "laws.json", "table.parquet"
PACKAGES = ("numpy", "pandas", "pyoperon", "pysr", "scikit-learn", "scipy", "sympy", "torch")


@dataclass(frozen=True)
class Source:
    """Where the rows come from, for messages and the report's head.

    Attributes
    ----------
    name : file or folder, as the user wrote it.
    title : heading of the report.
    question : what the study asks, in a sentence; empty for a user's own table.
    curves : learning curves, where models were trained.
    """

    name: str
    title: str
    question: str = ""
    curves: pd.DataFrame | None = None
    command: str = field(default_factory=lambda: shlex.join(["mtl-laws", *sys.argv[1:]]))


@dataclass(frozen=True)
class Fit:
    """What a question over a table gave: the document of ``laws.json`` and the analysed rows."""

    document: dict[str, Any]
    rows: pd.DataFrame
    source: Source

    def write(self, out: Path) -> None:
        """Leave ``laws.json``, the rows and the report in the folder `out`.

        Raises
        ------
        InputError
            if the folder cannot be made or written to.
        """
        from pipeline.files.tablefile import write_parquet

        make_folder(out)
        write_parquet(self.rows, out / TABLE_NAME)
        text = json.dumps(self.document, indent=1, allow_nan=False)
        write_whole(out / LAWS_NAME, text + "\n")
        write_report_of(self.document, self.rows, self.source, out)


def fit_to_folder(
    table: pd.DataFrame,
    question: Question,
    source: Source,
    out: Path,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Search laws for a question over a table; leave ``laws.json``, table and report in `out`.

    Returns the document that was written. Raises what `fit_question` raises, and `InputError`
    where `out` is not writable; it is made once everything else has been found in order.
    """
    found = fit_question(table, question, source, progress, ready=lambda: make_folder(out))
    found.write(out)
    return found.document


def fit_question(
    table: pd.DataFrame,
    question: Question,
    source: Source,
    progress: Progress | None = None,
    ready: Callable[[], None] = lambda: None,
) -> Fit:
    """Search laws for a question over a table; nothing is written.

    Parameters
    ----------
    progress : told how far each stage is.
    ready : called when the question has been found in order, before the search.

    Raises
    ------
    InputError
        if the question does not fit the table or the engine is not ready.
    NoLawError
        if no law is valid over the domain.
    """
    from pipeline.laws.document import laws_document
    from pipeline.laws.question import pose
    from pipeline.laws.search import SearchOptions, find_laws

    begin = time.monotonic()
    choice = choose(question.engine)
    problem = pose(table, question, source.name)
    ready()
    options = SearchOptions(
        choice.used, question.budget, question.time_limit, question.seed, question.jobs
    )
    if progress is not None:
        options = replace(options, progress=progress)
    found = find_laws(problem.data, problem.held_out, options)
    document = laws_document(problem, found, question.seed)
    document["data"]["columns"] = dict(question.factors)
    document["data"]["hold_out"] = question.hold_out
    document["provenance"] = _provenance(question, choice, found, source, begin)
    _write_sentences(document)
    return Fit(document, problem.rows, source)


class _Record(dict[str, Any]):
    """A part of the document whose fields are attributes."""

    __getattr__ = dict.__getitem__


def _write_sentences(document: dict[str, Any]) -> None:
    """Add the verdicts, the sentence of every factor, and the defects of every law in words."""
    from pipeline.report.text import defect_text, sentences

    record = json.loads(json.dumps(document), object_hook=_Record)
    text = sentences(record)
    document["verdicts"] = list(text.verdicts)
    for evidence, sentence in zip(document["evidence"], text.factors, strict=True):
        evidence["sentence"] = sentence
    laws = [document["selected"], *document["front"], *document["theory"]]
    records = [record.selected, *record.front, *record.theory]
    for law, one in zip(laws, records, strict=True):
        law["reason"], law["limits"] = "", ""
        for defect in one.defects:
            field = "limits" if defect.kind.startswith("limit_") else "reason"
            law[field] = defect_text(defect)


def write_report_of(
    document: dict[str, Any], rows: pd.DataFrame, source: Source, out: Path
) -> None:
    """The report of a document that is already there."""
    from pipeline.report import write_report

    write_report(out, document, rows, _context(document, source))


def summary(document: dict[str, Any]) -> str:
    """The law and its scores, for the terminal."""
    from pipeline.laws.law import scores_in_words
    from pipeline.laws.search import MEAN

    law = document["selected"]
    formula = readable(law["expression"])
    score = scores_in_words(law["scores"])
    lines = [f"law:    {document['target']} = {formula}", f"score:  {score}"]
    if law["origin"] == MEAN.origin:
        lines.append(f"note:   no factor tells more about {document['target']} than its mean does")
    lines += [f"note:   {line}" for line in document["provenance"]["engine_failures"]]
    return "\n".join(lines)


def readable(expression: str) -> str:
    """The expression with its numbers at three significant digits."""
    return re.sub(r"\d+\.\d+(e[+-]?\d+)?", lambda m: f"{float(m[0]):.3g}", expression)


def refuse_run_folder(out: Path) -> None:
    """Keep the laws of a table out of the folder of a study, which has laws of its own.

    Raises
    ------
    InputError
        if a study was run there.
    """
    if (out / STORE_NAME).exists():
        accepted = f"another folder: in this one a study was run ({STORE_NAME}), its laws stay"
        raise InputError("--out", str(out), accepted)


def make_folder(out: Path) -> None:
    """Make the output folder and see that it can be written to.

    Raises
    ------
    InputError
        if it cannot.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(
            "--out", str(out), f"a folder that can be written to ({reason})"
        ) from error


def _provenance(
    question: Question, choice: Choice, found: SearchResult, source: Source, begin: float
) -> dict[str, Any]:
    here = provenance()
    return {
        "version": here["version"],
        "commit": here["commit"],
        "command": source.command,
        "title": source.title,
        "question": source.question,
        "engine": {
            "requested": choice.requested,
            "used": choice.used,
            "reason": choice.reason,
        },
        "seed": question.seed,
        "budget": question.budget,
        "time_limit": question.time_limit,
        "cut": found.cut,
        "seconds": round(time.monotonic() - begin, 1),
        "candidates": found.candidates,
        "engine_failures": found.failures,
        "python": platform.python_version(),
        "packages": {name: _installed(name) for name in PACKAGES},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _context(document: dict[str, Any], source: Source) -> ReportContext:
    from pipeline.report import ReportContext

    notes = list(document["data"].get("notes", ()))
    if document["provenance"]["cut"]:
        notes.append("The time limit cut the search short: another run may find another law.")
    notes += [f"Engine failure: {line}" for line in document["provenance"]["engine_failures"]]
    return ReportContext(
        title=source.title,
        command=source.command,
        question=source.question,
        notes=tuple(notes),
        curves=source.curves,
    )
