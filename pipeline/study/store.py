"""ResultStore: every outcome of a run in one SQLite file, and what it guarantees.

The contract
------------
1. One row per trial, keyed by the digest of the trial's canonical description. No trial has two
   rows.
2. A finished row never changes: the database itself refuses to update or delete it. Only rows of
   status ``failed`` may be dropped, to be tried again, and only when the user asks for it.
3. The outcomes of a group are written in one transaction: all of them or none.
4. Only the process that holds the folder's lock writes; workers never see the file. Anyone may
   read while a run is going on (write-ahead log).
5. What was written survives the death of the process at any moment. After a power failure the
   last few transactions may be missing; the file is consistent and those trials are trained again.
6. The file carries its schema version. A writer brings an older one up to date in a transaction
   that is recorded in ``migrations``; a newer one is refused.
7. The file belongs to one study, identified by the digest of all its trials. The results of another
   study are refused.
8. Damage is detected when the file is opened, and never repaired silently. Every row has a checksum
   of its texts that is verified whenever the row is read: a changed letter is damage, too.

The store does not know what a trial or an outcome is: both are JSON values, so a store can be read
without the packages that made it. Pickle is never used.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from mtl_laws.pipeline.errors import PipelineError, UserError
from mtl_laws.pipeline.study.digest import canonical
from mtl_laws.pipeline.study.storefile import (
    STORE_NAME,
    check_moment,
    checked,
    checksum,
    errors_of,
    log_ahead,
    now,
    reading,
    writing,
)

__all__ = [
    "FAILED",
    "STORE_NAME",
    "Curve",
    "ResultStore",
    "Row",
    "Summary",
    "open_store",
    "read_curves",
    "read_rows",
    "read_runs",
    "read_summary",
]

FAILED = "failed"
"""Status of a trial that could not be trained."""

Curve: TypeAlias = "Sequence[Sequence[float | None]]"
"""Learning curve: step, training loss and validation loss of every evaluation."""


@dataclass(frozen=True)
class Row:
    """One trial's row.

    Parameters
    ----------
    trial : digest of the description.
    description : the trial, as JSON values.
    outcome : ``status``, ``scores``, ``curve``, ``steps``, ``best_step``, ``seconds``, ``message``,
        ``loops`` and ``worker`` (provenance; rows of older versions lack these two).
    measured : what the simulator measured of the tasks (`pipeline.columns` explains each name).
    run : the run that wrote the row; 0 until it is written.
    finished : time of writing, UTC, ISO 8601; empty until it is written.
    """

    trial: str
    description: Mapping[str, Any]
    outcome: Mapping[str, Any]
    measured: Mapping[str, float | None] = field(default_factory=dict)
    run: int = 0
    finished: str = ""

    @property
    def status(self) -> str:
        """How the training of the trial ended."""
        return str(self.outcome["status"])


class ResultStore:
    """The store of one run folder, open for writing; made by `open_store`."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self._db = db
        self._run = 0
        self._file = path.stat()

    def begin(self, study: Mapping[str, Any], digest: str, trials: int) -> None:
        """Record the study of the file, or check that the file belongs to this study.

        Parameters
        ----------
        study : the study as JSON values, for readers.
        digest : of all its trials; only this is compared.
        trials : their number.

        Raises
        ------
        UserError : the file holds the results of another study.
        """
        with self._transaction():
            row = self._db.execute("SELECT * FROM study").fetchone()
            if row is None:
                values = (digest, trials, canonical(study))
                self._db.execute(
                    "INSERT INTO study VALUES (?, ?, ?, ?)", (*values, checksum(*values))
                )
            elif checked(row)[0] != digest:
                raise UserError(
                    str(self.path),
                    "the same factors, seeds and training settings as before; "
                    "another study needs another folder",
                    "results of another study",
                )

    def start_run(self, provenance: Mapping[str, Any]) -> int:
        """The number of a new run; the rows written from now on belong to it."""
        with errors_of(self.path):
            log_ahead(self._db)
        with self._transaction():
            number = self._db.execute("SELECT ifnull(max(id), 0) + 1 FROM runs").fetchone()[0]
            values = (number, now(), canonical(provenance))
            self._db.execute("INSERT INTO runs VALUES (?, ?, ?, ?)", (*values, checksum(*values)))
        self._run = int(number)
        return self._run

    def add(self, rows: Sequence[Row]) -> None:
        """Write the rows of one group: all or none.

        Raises
        ------
        PipelineError : a trial has a row already, the disk is full, or the file was removed.
        """
        finished = now()
        values = [
            (
                row.trial,
                canonical(row.description),
                row.status,
                json.dumps(row.outcome, allow_nan=False),
                json.dumps(row.measured, allow_nan=False),
                self._run,
                finished,
            )
            for row in rows
        ]
        with self._transaction():
            records = [(*texts, checksum(*texts)) for texts in values]
            self._db.executemany("INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", records)

    def drop_failed(self) -> int:
        """The number of rows of status ``failed``, which are deleted to be tried again."""
        with self._transaction():
            return self._db.execute("DELETE FROM outcomes WHERE status = ?", (FAILED,)).rowcount

    def done(self) -> set[str]:
        """The digests of all trials that have a row."""
        return {values[0] for values in map(checked, self._db.execute("SELECT * FROM outcomes"))}

    def loops(self) -> set[str]:
        """The inner loops that trained the rows (`Outcome.loops`); older rows do not say."""
        query = "SELECT DISTINCT json_extract(outcome, '$.loops') FROM outcomes"
        return {str(loops) for (loops,) in self._db.execute(query) if loops}

    def rows(self, curves: bool = True) -> Iterator[Row]:
        """All rows in the order of their digests.

        Without learning curves, which are most of a row, a million rows fit into memory.
        """
        return _rows(self._db, curves)

    def runs(self) -> dict[int, dict[str, Any]]:
        """The provenance of every run that wrote here, by its number."""
        return _runs(self._db)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with errors_of(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
            self._check_file()

    def _check_file(self) -> None:
        """Refuse a file that is no longer at the path: nobody could read the rows in it."""
        with suppress(FileNotFoundError):
            if os.path.samestat(self.path.stat(), self._file):
                return
        lost = "was removed or replaced while a run was writing to it; its new rows are lost"
        raise PipelineError(f"{self.path}: {lost}. Run the same command again")


@contextmanager
def open_store(path: Path) -> Iterator[ResultStore]:
    """The store at `path` for writing, created if missing.

    Raises
    ------
    UserError : damaged, not a store, of a newer schema, or not writable.
    """
    with writing(path) as db:
        yield ResultStore(path, db)


@dataclass(frozen=True)
class Summary:
    """Counts and times of a run, as its store has them.

    Parameters
    ----------
    study : the study as JSON values.
    trials : how many trials it has.
    by_status : rows of each status.
    started : when the latest run began, UTC, ISO 8601.
    last : when the latest row was written; None where there is none.
    latest : rows that the latest run has written.
    """

    study: Mapping[str, Any]
    trials: int
    by_status: Mapping[str, int]
    started: str
    last: str | None
    latest: int


def read_summary(path: Path) -> Summary:
    """The summary of the store at `path`, also while a run is writing it."""
    with reading(path) as db:
        study = db.execute("SELECT * FROM study").fetchone()
        run = db.execute("SELECT * FROM runs ORDER BY id DESC LIMIT 1").fetchone()
        if study is None or run is None:
            raise UserError(str(path), "the store of a started run", "no run yet")
        _, trials, description = checked(study)
        number, started, _ = checked(run)
        counts = db.execute("SELECT status, count(*) FROM outcomes GROUP BY status")
        by_status = {str(status): int(count) for status, count in counts}
        of_run = "SELECT count(*), max(finished) FROM outcomes WHERE run = ?"
        latest, last = db.execute(of_run, (number,)).fetchone()
        if last is not None:
            check_moment(last)
        return Summary(json.loads(description), trials, by_status, started, last, latest)


def read_rows(path: Path) -> list[Row]:
    """All rows of the store at `path`; also while a run is writing it."""
    with reading(path) as db:
        return list(_rows(db))


def read_curves(path: Path, trials: Collection[str]) -> list[tuple[str, Curve]]:
    """The learning curve of each of these trials in the store; other rows are not read."""
    marks = ", ".join("?" * len(trials))
    query = f"SELECT * FROM outcomes WHERE trial IN ({marks}) ORDER BY trial"
    with reading(path) as db:
        rows = map(checked, db.execute(query, tuple(trials)))
        return [(values[0], json.loads(values[3])["curve"]) for values in rows]


def read_runs(path: Path) -> dict[int, dict[str, Any]]:
    """The provenance of every run that wrote into the store, by the run's number."""
    with reading(path) as db:
        return _runs(db)


def _runs(db: sqlite3.Connection) -> dict[int, dict[str, Any]]:
    rows = map(checked, db.execute("SELECT * FROM runs"))
    return {number: {"started": started, **json.loads(text)} for number, started, text in rows}


def _rows(db: sqlite3.Connection, curves: bool = True) -> Iterator[Row]:
    for values in map(checked, db.execute("SELECT * FROM outcomes ORDER BY trial")):
        trial, description, _, outcome, measured, run, finished = values
        parts = [json.loads(text) for text in (description, outcome, measured)]
        if not curves:
            del parts[1]["curve"]
        yield Row(trial, parts[0], parts[1], parts[2], run, finished)
