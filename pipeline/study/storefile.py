"""The file behind `study.store`: its schema and migrations, opening, checking, and its errors.

`pipeline.study.store` states the contract; this module keeps points 6 and 8 of it.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mtl_laws.pipeline.errors import FileError, PipelineError, UserError

STORE_NAME = "results.sqlite"
APPLICATION_ID = 0x4D544C4C  # "MTLL", so that `file` and we can tell our databases from others
CHECKSUM_LENGTH, FIRST_COLUMNS = 16, 7
"""Hexadecimal digits of a checksum; columns of an outcome in schema 1, without a checksum."""

_FIRST_SCHEMA = """
CREATE TABLE migrations (version INTEGER PRIMARY KEY, applied TEXT NOT NULL);
CREATE TABLE study (
    digest TEXT NOT NULL, cells INTEGER NOT NULL, description TEXT NOT NULL
);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, started TEXT NOT NULL, provenance TEXT NOT NULL
);
CREATE TABLE outcomes (
    cell TEXT PRIMARY KEY,
    description TEXT NOT NULL,
    status TEXT NOT NULL,
    outcome TEXT NOT NULL,
    measured TEXT NOT NULL,
    run INTEGER NOT NULL REFERENCES runs (id),
    finished TEXT NOT NULL
);
CREATE TRIGGER finished_rows_stay BEFORE UPDATE ON outcomes
BEGIN SELECT RAISE(ABORT, 'a finished row never changes'); END;
CREATE TRIGGER finished_rows_remain BEFORE DELETE ON outcomes WHEN old.status <> 'failed'
BEGIN SELECT RAISE(ABORT, 'a finished row is never deleted'); END;
"""

_SEALS = """
ALTER TABLE study ADD COLUMN seal TEXT NOT NULL DEFAULT '';
UPDATE study SET seal = seal(digest, cells, description);
ALTER TABLE runs ADD COLUMN seal TEXT NOT NULL DEFAULT '';
UPDATE runs SET seal = seal(id, started, provenance);
ALTER TABLE outcomes ADD COLUMN seal TEXT NOT NULL DEFAULT '';
DROP TRIGGER finished_rows_stay;
UPDATE outcomes SET seal = seal(cell, description, status, outcome, measured, run, finished);
CREATE TRIGGER finished_rows_stay BEFORE UPDATE ON outcomes
BEGIN SELECT RAISE(ABORT, 'a finished row never changes'); END;
"""

_TRIALS = """
ALTER TABLE study RENAME COLUMN cells TO trials;
ALTER TABLE outcomes RENAME COLUMN cell TO trial;
ALTER TABLE study RENAME COLUMN seal TO checksum;
ALTER TABLE runs RENAME COLUMN seal TO checksum;
ALTER TABLE outcomes RENAME COLUMN seal TO checksum;
"""

MIGRATIONS: tuple[str, ...] = (_FIRST_SCHEMA, _SEALS, _TRIALS)
"""Entry k brings a store from schema k to schema k + 1."""

_WITH_NEW_NAMES = """
CREATE TEMP VIEW study AS
SELECT digest, cells AS trials, description, seal AS checksum FROM main.study;
CREATE TEMP VIEW runs AS SELECT id, started, provenance, seal AS checksum FROM main.runs;
CREATE TEMP VIEW outcomes AS
SELECT cell AS trial, description, status, outcome, measured, run, finished, seal AS checksum
FROM main.outcomes;
"""

VIEWS: Mapping[int, str] = {2: _WITH_NEW_NAMES}
"""Older schema -> views of its tables as the present schema has them, for reading only."""

COLUMNS = (
    "digest, trials, description, checksum FROM study",
    "id, started, provenance, checksum FROM runs",
    "trial, description, status, outcome, measured, run, finished, checksum FROM outcomes",
)
"""What a store of the present schema holds."""

_NOT_WRITTEN = {
    "full": "no space left on the disk",
    "disk I/O error": "the disk refused the data (a quota, or a fault of the disk)",
}
"""SQLite's message of a failed write -> ours."""


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for writing to the store at `path`, created if missing and brought up to date.

    A closed store is a single file that can be read anywhere.
    """
    with errors_of(path), closing(sqlite3.connect(path, isolation_level=None)) as db:
        _prepare(db)
        _check(db, path)
        for version in range(_schema(db), len(MIGRATIONS)):
            _migrate(db, version)
        yield db
        with suppress(sqlite3.OperationalError):  # someone is reading: the log stays beside it
            db.execute("PRAGMA journal_mode = DELETE")


def log_ahead(db: sqlite3.Connection) -> None:
    """Write rows to a write-ahead log beside the file from now on, so that others can read."""
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for reading the store at `path`, also while a run is writing it."""
    if not os.path.isfile(path):  # also for a name that no file can have
        raise FileError(str(path), f"a run folder, with its {STORE_NAME}", "no such file")
    with errors_of(path), closing(_connect_reader(path)) as db:
        _prepare(db)
        _check(db, path)
        if _schema(db) == 0:
            raise FileError(str(path), "the store of a started run", "an empty file")
        if _schema(db) < len(MIGRATIONS):
            if _schema(db) not in VIEWS:
                expected = f"schema {len(MIGRATIONS)}; `mtl-laws run` brings it up to date"
                raise UserError(str(path), expected, f"schema {_schema(db)}")
            db.executescript(VIEWS[_schema(db)])
            _check_columns(db)
        yield db


def checksum(*values: str | int) -> str:
    """The checksum of a row: SHA-256 of the texts of its values.

    SQLite detects a damaged page, but not a changed letter in a text.
    """
    texts = "\0".join(map(str, values))
    return hashlib.sha256(texts.encode("utf-8", "surrogatepass")).hexdigest()[:CHECKSUM_LENGTH]


def checked(values: Sequence[Any]) -> Sequence[Any]:
    """The values of a row without its last one, their checksum.

    Raises
    ------
    sqlite3.DatabaseError : the checksum is wrong.
    """
    if checksum(*values[:-1]) != values[-1]:
        raise sqlite3.DatabaseError(f"row {values[0]} fails its checksum")
    return values[:-1]


def _prepare(db: sqlite3.Connection) -> None:
    """Register the checksum (`seal` in migrations), and read text that is not UTF-8, too."""
    db.create_function("seal", -1, checksum, deterministic=True)
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")


def _connect_reader(path: Path) -> sqlite3.Connection:
    """A read-only connection; on a read-only medium, to a file that is known not to change."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as db:
        try:
            _count_tables(db)
        except sqlite3.OperationalError:
            _refuse_unread_log(path)
            uri += "&immutable=1"
    return sqlite3.connect(uri, uri=True)


@contextmanager
def _names_checked() -> Iterator[None]:
    """Treat names that are not text, and missing tables and columns, as damage."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise sqlite3.DatabaseError("a name in it is no text") from error
    except sqlite3.OperationalError as error:
        if "no such" in str(error):
            raise sqlite3.DatabaseError(str(error)) from error
        raise


def _count_tables(db: sqlite3.Connection) -> int:
    with _names_checked():
        return int(db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def _refuse_unread_log(path: Path) -> None:
    """Refuse a store whose write-ahead log holds rows that cannot be read here.

    A killed run leaves its latest rows in the log, and SQLite reads it only in a folder in which
    it can write.
    """
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        expected = f"a folder that can be written; copy {path.name} and {log.name} to one"
        raise UserError(str(path), expected, f"rows in {log.name} that cannot be read here")


def _schema(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _check(db: sqlite3.Connection, path: Path) -> None:
    """Refuse what is not a sound store of a schema known here."""
    application = int(db.execute("PRAGMA application_id").fetchone()[0])
    tables = _count_tables(db)
    if tables and application != APPLICATION_ID:
        raise UserError(str(path), f"a {STORE_NAME} of mtl-laws", "another program's database")
    if _schema(db) > len(MIGRATIONS):
        raise UserError(
            str(path),
            f"a store of schema {len(MIGRATIONS)} or older; update mtl-laws, or choose "
            "another folder",
            f"schema {_schema(db)}",
        )
    verdict = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
    if _schema(db) == len(MIGRATIONS):
        _check_columns(db)


def _check_columns(db: sqlite3.Connection) -> None:
    with _names_checked():
        for columns in COLUMNS:
            db.execute(f"SELECT {columns} LIMIT 0")


def _migrate(db: sqlite3.Connection, version: int) -> None:
    """Bring the store from schema `version` to the next, in one recorded transaction."""
    following = version + 1
    try:
        db.executescript(
            f"BEGIN IMMEDIATE;\n{MIGRATIONS[version]}\n"
            f"INSERT INTO migrations VALUES ({following}, '{now()}');\n"
            f"PRAGMA application_id = {APPLICATION_ID};\n"
            f"PRAGMA user_version = {following};\nCOMMIT;"
        )
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def now() -> str:
    """The time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def check_moment(text: str) -> None:
    """Refuse a text that `now` cannot have written.

    Raises
    ------
    sqlite3.DatabaseError : `text` is not a time with a zone.
    """
    try:
        zone = datetime.fromisoformat(text).tzinfo
    except ValueError:
        zone = None
    if zone is None:
        raise sqlite3.DatabaseError(f"{text!r} is not a time")


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Raise SQLite's errors as errors of the pipeline."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise PipelineError(f"{path}: refused by the store: {error}") from error
    except sqlite3.OperationalError as error:
        raise _operational(path, error) from error
    except sqlite3.DatabaseError as error:
        expected = (
            f"an undamaged store; {_readable(path)} finished rows in it can still be read. Move "
            "the file away and run the same command again: it trains the trials again, with the "
            "same results. A results.parquet beside it is the last complete table"
        )
        raise UserError(str(path), expected, f"damaged ({error})") from error


def _operational(path: Path, error: sqlite3.OperationalError) -> PipelineError:
    for sign, reason in _NOT_WRITTEN.items():
        if sign in str(error):
            return PipelineError(
                f"{path}: {reason}; finished rows are safe: make room, then run the same command "
                "again"
            )
    return UserError(str(path), "a file in a folder that can be read and written", str(error))


def _readable(path: Path) -> int:
    """How many rows of a damaged store can still be read."""
    count = 0
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            _prepare(db)
            for values in db.execute("SELECT * FROM outcomes"):
                count += len(values) == FIRST_COLUMNS or checksum(*values[:-1]) == values[-1]
    except (sqlite3.DatabaseError, ValueError):
        return count
    return count
