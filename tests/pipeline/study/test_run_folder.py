"""A run's folder: its lock, and what a run that is refused leaves there, which is nothing."""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from filelock import FileLock

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.study import lock, workers
from mtl_laws.pipeline.study.lock import LOCK_NAME, RunLock, is_locked
from mtl_laws.pipeline.study.store import STORE_NAME
from mtl_laws.pipeline.study.train import train_study
from support.tiny_runs import QUIET, TINY, Trainer, files, study


@pytest.fixture(autouse=True)
def trainer(monkeypatch: pytest.MonkeyPatch) -> Trainer:
    stand_in = Trainer()
    monkeypatch.setattr(workers, "train_together", stand_in)
    return stand_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that holds the store of a run and nothing else."""
    train_study(study(), tmp_path / "before", QUIET)
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "before" / STORE_NAME).rename(out / STORE_NAME)
    return out


def of_another_study(store: Path) -> None:
    with closing(sqlite3.connect(store)) as db, db:
        db.execute("UPDATE study SET digest = 'another'")


def of_a_newer_version(store: Path) -> None:
    with closing(sqlite3.connect(store)) as db:
        db.execute("PRAGMA user_version = 99")


def of_another_program(store: Path) -> None:
    with closing(sqlite3.connect(store)) as db:
        db.execute("PRAGMA application_id = 1")


def with_a_spoilt_header(store: Path) -> None:
    store.write_bytes(b"!" * 100 + store.read_bytes()[100:])


def cut_short(store: Path) -> None:
    store.write_bytes(store.read_bytes()[:5000])


def not_a_database(store: Path) -> None:
    store.write_bytes(b"question: is this a store?\n" * 200)


@pytest.mark.parametrize(
    "spoil",
    [
        of_another_study,
        of_a_newer_version,
        of_another_program,
        with_a_spoilt_header,
        cut_short,
        not_a_database,
    ],
)
def test_a_store_that_is_refused_is_left_alone(
    folder: Path, trainer: Trainer, spoil: Callable[[Path], None]
) -> None:
    spoil(folder / STORE_NAME)
    content = (folder / STORE_NAME).read_bytes()
    trainer.groups.clear()
    with pytest.raises(UserError) as caught:
        train_study(study(), folder, QUIET)
    assert caught.value.path == str(folder / STORE_NAME)
    assert (folder / STORE_NAME).read_bytes() == content
    assert files(folder) == {STORE_NAME}
    assert not trainer.groups


def test_the_lock_of_a_run_before_stays_where_a_run_is_refused(tmp_path: Path) -> None:
    train_study(study(), tmp_path, QUIET)
    before = files(tmp_path)
    with pytest.raises(UserError, match="another study"):
        train_study(study(TINY), tmp_path, QUIET)
    assert files(tmp_path) == before


def test_a_folder_whose_refused_run_has_just_gone_is_locked_all_the_same(tmp_path: Path) -> None:
    """The file of a refused run is removed while another run waits for it; that one makes anew."""
    path = tmp_path / LOCK_NAME
    held = threading.Event()

    def refused() -> None:
        with suppress(UserError), RunLock(tmp_path):
            held.set()
            time.sleep(lock.PATIENCE / 4)
            raise UserError("study", "another", "one")

    thread = threading.Thread(target=refused)
    thread.start()
    held.wait()
    with RunLock(tmp_path):
        thread.join()
        assert path.exists()
        assert is_locked(tmp_path)
        with pytest.raises(UserError, match="in use"):
            RunLock(tmp_path).__enter__()
    assert not is_locked(tmp_path)


def test_who_asks_whether_a_folder_is_locked_does_not_refuse_a_run(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        pass
    asking = threading.Event()

    def ask() -> None:
        for _ in range(200):
            is_locked(tmp_path)
            asking.set()

    thread = threading.Thread(target=ask)
    thread.start()
    asking.wait()
    for _ in range(20):
        with RunLock(tmp_path):
            assert is_locked(tmp_path)
    thread.join()
    assert not is_locked(tmp_path)


def test_a_lock_that_is_a_link_is_refused_and_not_followed(tmp_path: Path) -> None:
    precious, folder = tmp_path / "precious", tmp_path / "out"
    precious.write_text("keep this", encoding="utf-8")
    folder.mkdir()
    (folder / LOCK_NAME).symlink_to(precious)
    with pytest.raises(UserError, match=r"run\.lock: too many levels of symbolic links"):
        train_study(study(), folder, QUIET)
    assert precious.read_text(encoding="utf-8") == "keep this"
    assert files(folder) == {LOCK_NAME}


def test_a_lock_that_holds_anything_at_all(tmp_path: Path) -> None:
    path = tmp_path / LOCK_NAME
    path.write_bytes(b"\xff\xfe" * 5000)
    with FileLock(path), pytest.raises(UserError, match="in use by") as caught:
        RunLock(tmp_path).__enter__()
    assert len(str(caught.value)) < 1000
    path.write_bytes(b"")
    with RunLock(tmp_path):
        assert is_locked(tmp_path)


def test_who_asks_about_a_lock_leaves_no_file(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    assert files(tmp_path) == set()


@pytest.mark.skipif(sys.platform == "win32", reason="flock is POSIX")
@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_that_knows_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A file alone would be no lock: it would outlive a killed run."""

    def unknown(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", unknown)
    with pytest.raises(UserError, match=rf"run\.lock: {os.strerror(number).lower()}"):
        RunLock(tmp_path).__enter__()
    assert not is_locked(tmp_path)
