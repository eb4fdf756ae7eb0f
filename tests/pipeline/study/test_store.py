"""The store's contract, point by point; the numbers are those at the top of `study/store.py`."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import mtl_laws.pipeline.study.store
from mtl_laws.pipeline.errors import PipelineError, UserError
from mtl_laws.pipeline.study import storefile
from mtl_laws.pipeline.study.lock import RunLock, is_locked
from mtl_laws.pipeline.study.progress import run_status
from mtl_laws.pipeline.study.store import (
    STORE_NAME,
    ResultStore,
    Row,
    open_store,
    read_curves,
    read_rows,
    read_runs,
    read_summary,
)

STUDY = {"question": "q"}
KNOWN = range(1, len(storefile.MIGRATIONS) + 1)
NEXT = KNOWN.stop


def row(trial: str, status: str = "converged") -> Row:
    outcome = {"status": status, "scores": {"accuracy": 0.1 + 0.2}, "curve": [[20, 1.5, None]]}
    return Row(trial, {"seed": 1, "task": {"ami": 0.5}}, outcome, {"n": 40, "ami": None})


def begun(store: ResultStore) -> ResultStore:
    store.begin(STUDY, "d" * 32, 4)
    store.start_run({"host": "here", "version": "1"})
    return store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with two rows, closed."""
    file = tmp_path / STORE_NAME
    with open_store(file) as store:
        begun(store).add([row("b"), row("a", "failed")])
    return file


def test_rows_come_back_as_they_were_written(path: Path) -> None:
    first, second = read_rows(path)
    assert (first.trial, second.trial) == ("a", "b")
    assert second.outcome == row("b").outcome
    assert second.measured == {"n": 40, "ami": None}
    assert second.description == {"seed": 1, "task": {"ami": 0.5}}
    assert second.run == 1
    assert second.finished.endswith("+00:00")


def test_rows_can_be_read_without_their_curves(path: Path) -> None:
    with open_store(path) as store:
        for whole, short in zip(store.rows(), store.rows(curves=False), strict=True):
            assert short.outcome == {k: v for k, v in whole.outcome.items() if k != "curve"}
            assert whole.outcome["curve"] == [[20, 1.5, None]]
            assert short.trial == whole.trial


def test_every_row_points_to_the_run_that_wrote_it(path: Path) -> None:
    with open_store(path) as store:
        assert store.start_run({"host": "there"}) == 2
        assert store.runs() == read_runs(path)
        store.add([row("c")])
    assert {found.trial: found.run for found in read_rows(path)} == {"a": 1, "b": 1, "c": 2}
    assert read_runs(path)[1]["version"] == "1"
    assert read_runs(path)[1]["started"].endswith("+00:00")
    assert read_runs(path)[2]["host"] == "there"


def test_1_a_trial_is_never_there_twice(path: Path) -> None:
    with open_store(path) as store:
        store.start_run({})
        with pytest.raises(PipelineError, match="UNIQUE"):
            store.add([row("b")])
        assert store.done() == {"a", "b"}


def test_2_a_finished_row_never_changes(path: Path) -> None:
    with sqlite3.connect(path) as db, pytest.raises(sqlite3.IntegrityError, match="never changes"):
        db.execute("UPDATE outcomes SET status = 'failed' WHERE trial = 'b'")
    db.close()


def test_2_a_finished_row_is_never_deleted(path: Path) -> None:
    with sqlite3.connect(path) as db, pytest.raises(sqlite3.IntegrityError, match="never deleted"):
        db.execute("DELETE FROM outcomes")
    db.close()
    assert [found.trial for found in read_rows(path)] == ["a", "b"]


def test_2_failed_rows_can_be_tried_again(path: Path) -> None:
    with open_store(path) as store:
        assert store.drop_failed() == 1
        assert store.done() == {"b"}


def test_3_a_group_is_there_as_a_whole_or_not_at_all(path: Path) -> None:
    with open_store(path) as store:
        store.start_run({})
        with pytest.raises(PipelineError):
            store.add([row("c"), row("b"), row("d")])
        assert store.done() == {"a", "b"}
        store.add([row("c"), row("d")])
        assert store.done() == {"a", "b", "c", "d"}


def test_4_anyone_may_read_while_a_run_writes(path: Path) -> None:
    with open_store(path) as store:
        store.start_run({})
        store.add([row("c")])
        assert len(read_rows(path)) == 3
        assert read_summary(path).by_status == {"converged": 2, "failed": 1}
        store.add([row("d")])
    assert len(read_rows(path)) == 4


def test_4_a_folder_that_cannot_be_written_can_be_read(path: Path) -> None:
    elsewhere = path.parent / "archive"
    elsewhere.mkdir()
    copy = Path(shutil.copy(path, elsewhere))
    copy.chmod(0o444)
    elsewhere.chmod(0o555)
    try:
        assert len(read_rows(copy)) == 2
    finally:
        elsewhere.chmod(0o755)


def test_4_reading_leaves_nothing_beside_a_finished_store(path: Path) -> None:
    read_summary(path)
    read_rows(path)
    assert [file.name for file in path.parent.iterdir()] == [STORE_NAME]


def test_4_only_one_run_at_a_time_holds_a_folder(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    with RunLock(tmp_path):
        assert is_locked(tmp_path)
        with pytest.raises(UserError, match=f"in use by process {os.getpid()}"):
            RunLock(tmp_path).__enter__()
    assert not is_locked(tmp_path)
    with RunLock(tmp_path):
        assert is_locked(tmp_path)


def test_4_a_killed_holder_leaves_the_folder_free(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from mtl_laws.pipeline.study.lock import RunLock\n"
        "with RunLock(Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"process {holder.pid}"):
            RunLock(tmp_path).__enter__()
        holder.kill()
        holder.wait()
        with RunLock(tmp_path):
            assert is_locked(tmp_path)


@pytest.mark.parametrize(
    ("moment", "left"),
    [("pass", ["a", "b"]), ("store.add([row('c')])", ["a", "b", "c"])],
)
@pytest.mark.parametrize("half", [False, True])
def test_5_what_was_written_survives_a_kill(
    path: Path, moment: str, left: list[str], half: bool
) -> None:
    """The process kills itself, between two transactions or in the middle of one."""
    unfinished = "store._db.execute('BEGIN'); store._db.execute(INSERT)" if half else "pass"
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from mtl_laws.pipeline.study.store import open_store
from test_store import row
INSERT = "INSERT INTO outcomes VALUES ('z', '', '', '', '', 1, '', '')"
with open_store(Path(sys.argv[1])) as store:
    store.start_run({{}})
    {moment}
    {unfinished}
    os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    with open_store(path) as store:
        assert sorted(store.done()) == left
        store.start_run({})
        store.add([row("y")])
    assert [found.trial for found in read_rows(path)] == [*left, "y"]


def test_6_an_older_schema_is_brought_up_to_date(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extended = (*storefile.MIGRATIONS, "CREATE TABLE notes (text TEXT);")
    monkeypatch.setattr(storefile, "MIGRATIONS", extended)
    with open_store(path) as store:
        assert store.done() == {"a", "b"}
    with sqlite3.connect(path) as db:
        assert [v for (v,) in db.execute("SELECT version FROM migrations")] == [*KNOWN, NEXT]
        assert db.execute("SELECT count(*) FROM notes").fetchone() == (0,)
    db.close()


def test_6_a_migration_that_fails_leaves_the_store_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extended = (*storefile.MIGRATIONS, "CREATE TABLE notes (text TEXT); DROP TABLE nothing;")
    monkeypatch.setattr(storefile, "MIGRATIONS", extended)
    with pytest.raises(PipelineError), open_store(path):
        pass
    monkeypatch.undo()
    with open_store(path) as store:
        assert store.done() == {"a", "b"}
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (KNOWN[-1],)
        assert not db.execute("SELECT * FROM sqlite_master WHERE name = 'notes'").fetchall()
    db.close()


def test_6_the_rows_of_the_first_schema_get_their_checksums(tmp_path: Path) -> None:
    path = tmp_path / STORE_NAME
    described, outcome = '{"seed": 1}', '{"status": "converged", "curve": []}'
    with sqlite3.connect(path) as db:
        db.executescript(storefile.MIGRATIONS[0])
        db.execute(f"PRAGMA application_id = {storefile.APPLICATION_ID}")
        db.execute("PRAGMA user_version = 1")
        db.execute("INSERT INTO study VALUES ('dd', 4, '{}')")
        db.execute("INSERT INTO runs VALUES (3, '2026-11-22T12:00:00.000+00:00', '{}')")
        values = ("a", described, "converged", outcome, "{}", 3, "2026-11-22T12:00:01.000+00:00")
        db.execute("INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    db.close()
    with open_store(path) as store:
        store.begin({}, "dd", 4)
        assert store.start_run({}) == 4
        store.add([row("b")])
        assert store.done() == {"a", "b"}
    first, second = read_rows(path)
    assert (first.description, first.run, second.run) == ({"seed": 1}, 3, 4)
    assert read_summary(path).trials == 4
    with sqlite3.connect(path) as db, pytest.raises(sqlite3.IntegrityError, match="never changes"):
        db.execute("UPDATE outcomes SET status = 'failed' WHERE trial = 'a'")
    db.close()


def test_6_a_store_that_only_names_its_columns_differently_is_read(tmp_path: Path) -> None:
    """A finished run of schema 2 has its status, report and export, and is not changed by them."""
    path = tmp_path / STORE_NAME
    outcome = {"status": "converged", "curve": [[1, 2.0, None]]}
    with sqlite3.connect(path) as db:
        db.create_function("seal", -1, storefile.checksum, deterministic=True)
        db.executescript(storefile.MIGRATIONS[0] + storefile.MIGRATIONS[1])
        db.execute(f"PRAGMA application_id = {storefile.APPLICATION_ID}")
        db.execute("PRAGMA user_version = 2")
        moment = "2026-11-22T12:00:00.000+00:00"
        for name, values in (
            ("study", ("dd", 4, "{}")),
            ("runs", (1, moment, "{}")),
            ("outcomes", ("b", "{}", "converged", json.dumps(outcome), "{}", 1, moment)),
            ("outcomes", ("a", "{}", "converged", json.dumps(outcome), "{}", 1, moment)),
        ):
            marks = ", ".join("?" * (len(values) + 1))
            db.execute(
                f"INSERT INTO {name} VALUES ({marks})", (*values, storefile.checksum(*values))
            )
    db.close()
    content = path.read_bytes()
    assert [row.trial for row in read_rows(path)] == ["a", "b"]
    assert read_curves(path, ["b"]) == [("b", [[1, 2.0, None]])]
    assert read_summary(path).by_status == {"converged": 2}
    assert list(read_runs(path)) == [1]
    assert path.read_bytes() == content
    with open_store(path) as store:
        store.begin({}, "dd", 4)
        assert store.done() == {"a", "b"}
    assert [row.trial for row in read_rows(path)] == ["a", "b"]


def test_6_a_newer_schema_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(UserError, match="schema 99"), open_store(path):
        pass
    with pytest.raises(UserError, match="update mtl-laws"):
        read_rows(path)


def test_6_an_older_schema_is_not_read_before_it_is_up_to_date(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extended = (*storefile.MIGRATIONS, "CREATE TABLE notes (text TEXT);")
    monkeypatch.setattr(storefile, "MIGRATIONS", extended)
    older = rf"schema {NEXT}, got 'schema {KNOWN[-1]}'; `mtl-laws run` brings it up to date"
    with pytest.raises(UserError, match=older):
        read_rows(path)
    with open_store(path):
        pass
    assert len(read_rows(path)) == 2


def test_7_another_study_is_refused(path: Path) -> None:
    with open_store(path) as store:
        store.begin({"question": "asked in other words"}, "d" * 32, 4)
        with pytest.raises(UserError) as caught:
            store.begin(STUDY, "e" * 32, 4)
    assert caught.value.path == str(path)
    assert caught.value.got == "results of another study"
    assert caught.value.expected.startswith("the same factors, seeds and training settings")
    assert read_summary(path).study == STUDY


@pytest.mark.parametrize("damage", ["header", "middle", "text"])
def test_8_a_damaged_file_is_recognised(tmp_path: Path, damage: str) -> None:
    path = tmp_path / STORE_NAME
    with open_store(path) as store:
        begun(store).add([row(f"{number:04}") for number in range(400)])
    content = bytearray(path.read_bytes())
    page = 4096
    spoilt = {"header": slice(0, 16), "middle": slice(8 * page, 12 * page), "text": slice(0, None)}
    content[spoilt[damage]] = b"!" * len(content[spoilt[damage]])
    path.write_bytes(content)
    for use in (read_rows, read_summary, lambda file: open_store(file).__enter__()):
        with pytest.raises(UserError, match="damaged") as caught:
            use(path)
        assert "finished rows" in caught.value.expected
        assert "\n" not in str(caught.value)
    assert path.read_bytes() == content, "a damaged store is left as it was"


def test_8_what_a_damaged_file_still_holds_is_counted(tmp_path: Path) -> None:
    path = tmp_path / STORE_NAME
    with open_store(path) as store:
        begun(store).add([row(f"{number:04}") for number in range(400)])
    content = bytearray(path.read_bytes())
    content[-8192:] = b"!" * 8192
    path.write_bytes(content)
    with pytest.raises(UserError) as caught, open_store(path):
        pass
    kept = int(caught.value.expected.split("; ")[1].split()[0])
    assert 0 < kept < 400
    for remedy in ("Move the file away and run the same command again", "results.parquet beside"):
        assert remedy in caught.value.expected


COLUMNS = {
    "outcomes": (
        "trial",
        "description",
        "status",
        "outcome",
        "measured",
        "run",
        "finished",
        "checksum",
    ),
    "runs": ("id", "started", "provenance", "checksum"),
    "study": ("digest", "trials", "description", "checksum"),
}


@pytest.mark.parametrize(("table", "column"), [(t, c) for t, some in COLUMNS.items() for c in some])
def test_8_a_value_that_has_changed_is_recognised(path: Path, table: str, column: str) -> None:
    """As if a bit had changed on the disk: the file is sound to SQLite, its pages are pages."""
    with sqlite3.connect(path) as db:
        db.execute("DROP TRIGGER finished_rows_stay")
        changed = f"CASE typeof({column}) WHEN 'integer' THEN {column} + 1 ELSE '7' || {column} END"
        db.execute(f"UPDATE {table} SET {column} = {changed}")
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
    db.close()
    reader = {"outcomes": read_rows, "runs": read_runs, "study": read_summary}[table]
    for use in (reader, resume):
        with pytest.raises(UserError, match=r"damaged .*fails its checksum") as caught:
            use(path)
        kept = 0 if table == "outcomes" else 2
        assert f"; {kept} finished rows in it can still be read" in caught.value.expected


def test_8_a_time_that_is_none_is_recognised_by_who_reads_times_only(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("DROP TRIGGER finished_rows_stay")
        db.execute("UPDATE outcomes SET finished = 'yesterday'")
    db.close()
    with pytest.raises(UserError, match="'yesterday' is not a time"):
        read_summary(path)


def resume(path: Path) -> None:
    with open_store(path) as store:
        store.begin(STUDY, "d" * 32, 4)
        store.done()
        store.runs()


def test_8_whatever_changes_in_the_file_no_other_row_is_read(path: Path) -> None:
    """Bytes drawn at random are overwritten: what was written is read, or nothing."""
    want, content, draw, refused = read_rows(path), path.read_bytes(), random.Random(0), 0
    used = [place for place, byte in enumerate(content) if byte]
    for _ in range(200):
        spoilt = bytearray(content)
        for place in draw.sample(used, draw.choice([1, 2, 30])):
            spoilt[place] = draw.randrange(256)
        path.write_bytes(spoilt)
        try:
            assert read_rows(path) == want
            assert run_status(path.parent).done == 2
        except PipelineError:
            refused += 1
    assert 20 < refused < 200


def test_8_an_empty_file_is_no_store_yet(tmp_path: Path) -> None:
    path = tmp_path / STORE_NAME
    path.touch()
    for read in (read_rows, read_runs, read_summary):
        with pytest.raises(UserError) as caught:
            read(path)
        assert str(caught.value) == (f"{path}: an empty file; expected the store of a started run")
    with open_store(path) as store:
        begun(store).add([row("a")])
    assert len(read_rows(path)) == 1


def test_8_another_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / STORE_NAME
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (x)")
    db.close()
    with pytest.raises(UserError, match="another program's"), open_store(path):
        pass


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_rows(tmp_path / STORE_NAME)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_loses_nothing_that_was_written(path: Path) -> None:
    with open_store(path) as store:
        store.start_run({})
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(PipelineError, match="no space left"):
            store.add([row(f"{number:04}") for number in range(400)])
        assert store.done() == {"a", "b"}
    assert len(read_rows(path)) == 2


def test_a_failing_disk_is_not_the_users_mistake(path: Path) -> None:
    with (
        pytest.raises(PipelineError, match="refused the data") as caught,
        storefile.errors_of(path),
    ):
        raise sqlite3.OperationalError("disk I/O error")
    assert not isinstance(caught.value, UserError)


def test_a_disk_that_fails_as_a_run_begins_is_told_by_its_store(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(mtl_laws.pipeline.study.store, "log_ahead", fails)
    with (
        open_store(path) as store,
        pytest.raises(PipelineError, match=f"^{path}: the disk refused"),
    ):
        store.start_run({})


@pytest.mark.parametrize("part", ["outcome", "measured"])
def test_what_json_cannot_hold_is_not_written(path: Path, part: str) -> None:
    with open_store(path) as store:
        store.start_run({})
        spoilt = replace(row("c"), **{part: {"status": "converged", "n": float("nan")}})
        with pytest.raises(ValueError, match="JSON"):
            store.add([row("d"), spoilt])
        assert store.done() == {"a", "b"}


def test_the_summary_counts(path: Path) -> None:
    summary = read_summary(path)
    assert summary.trials == 4
    assert summary.by_status == {"converged": 1, "failed": 1}
    assert summary.latest == 2
    assert summary.last == read_rows(path)[-1].finished
    assert summary.started <= summary.last


def test_a_store_without_a_run_has_no_summary(tmp_path: Path) -> None:
    path = tmp_path / STORE_NAME
    line = f"{path}: expected the store of a started run, got 'no run yet'"
    with open_store(path) as store:
        for begin in (int, lambda: store.begin(STUDY, "d" * 32, 4)):
            begin()
            with pytest.raises(UserError) as caught:
                read_summary(path)
            assert str(caught.value) == line


def test_the_record_is_plain_text(path: Path) -> None:
    with sqlite3.connect(path) as db:
        for values in db.execute("SELECT description, outcome, measured FROM outcomes"):
            assert all(isinstance(json.loads(value), dict) for value in values)
    db.close()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_store_that_is_removed_in_mid_run_ends_with_an_error(
    tmp_path: Path, replaced: bool
) -> None:
    path = tmp_path / STORE_NAME
    with open_store(path) as store:
        store.begin({}, "digest", 2)
        store.start_run({})
        store.add([row(1)])
        path.unlink()
        if replaced:
            path.write_bytes(b"")
        with pytest.raises(PipelineError, match="was removed or replaced"):
            store.add([row(2)])
