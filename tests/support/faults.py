"""Faults for tests: a run in a process of its own, and what befalls it there for real.

The processes are forked from a server that has imported everything once, so that a run begins at
once. A fault is a function that arms the process before the run begins in it.
"""

from __future__ import annotations

import ctypes
import itertools
import multiprocessing
import os
import resource
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import NoReturn
from unittest.mock import patch

from mtl_laws.pipeline.cli.app import main
from mtl_laws.pipeline.study import dispatch, workers
from mtl_laws.pipeline.study import run as ending
from mtl_laws.pipeline.study.store import ResultStore, Row
from mtl_laws.pipeline.study.trials import Trial
from mtl_laws.pipeline.study.workers import Result, train_trials

Fault = Callable[[], None]

PATIENCE = 1800.0
"""Seconds after which a process is taken to hang, on however slow a machine."""
ORPHAN_SECONDS = 120.0
"""Seconds that workers have to end after their run; an idle machine takes less than 10."""

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "support.faults",
        "mtl_laws.pipeline.study.preflight",
        "mtl_laws.pipeline.laws.search",
        "mtl_laws.pipeline.laws.document",
        "mtl_laws.pipeline.report",
        "mtl_laws.pipeline.study.train",
    ]
)

FRAGILE = """
question: do tiny models survive?
family: {name: channel, vocabulary: 40, labels: 3}
factors: {tasks: [1, 2], tokens: [30, 60], ami: [0.2, 0.6], hidden: [2, 3, 4]}
seeds: 1
test_tokens: 50
training: {embedding: 2, batch_sentences: 2, max_steps: 4, evaluate_every: 2}
laws: {engine: grammar}
"""
"""18 trials in six groups."""

HUNGRY = """
question: do tiny models survive a large one?
family: {name: channel, vocabulary: 40, labels: 3}
factors: {tasks: 2, tokens: 30, ami: 0.2, embedding: [2, 3, 4, 5, 6, 7, 8, 40000]}
seeds: 1
stl: false
test_tokens: 50
training: {hidden: 2, batch_sentences: 2, max_steps: 2, evaluate_every: 2}
laws: {factors: {E: embedding}, engine: grammar}
"""
"""Eight trials, each a group of its own; the last needs some 40 MB."""

IN_MID_GROUP = 5_000
"""Calls and returns of functions after which a worker dies; a group takes some fifty thousand."""
CAPABILITIES_V3, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 0x20080522, 1 << 1, 1 << 2
CLONE_NEWNS, MS_REMOUNT, MS_REC, MS_PRIVATE = 0x20000, 32, 16384, 1 << 18

_events = itertools.count(1)


def run_here(out: Path, fault: Fault | None = None, *more: str, text: str = FRAGILE) -> None:
    """`mtl-laws run` up to the search for laws, in this process, which ends with its exit code.

    What it says is appended to ``OUT.err``; how many events it took is left in ``OUT.events``.
    """

    def stop(*_: object) -> NoReturn:
        raise SystemExit(0)

    with Path(f"{out}.err").open("ab") as said:
        os.dup2(said.fileno(), sys.stderr.fileno())
    patch.object(ending, "fit_to_folder", stop).start()
    study = out.with_suffix(".yaml")
    study.write_text(text, encoding="utf-8")
    if fault is not None:
        fault()
    try:
        main(("run", str(study), "--out", str(out), *(more or ("--jobs", "1"))))
    finally:
        sys.setprofile(None)
        sys.stderr.flush()
        Path(f"{out}.events").write_text(str(next(_events)), encoding="utf-8")


def _process(out: Path, fault: Fault | None, *more: str, text: str) -> None:
    """Leave at once with the run's exit code, without waiting for the pool's idle workers."""
    try:
        run_here(out, fault, *more, text=text)
    except SystemExit as end:
        os._exit(int(end.code or 0))


def fit_words(table: Path, out: Path, *more: str) -> list[str]:
    """The command line of a small `mtl-laws fit` of `y` in all other columns of the table."""
    columns = table.read_text(encoding="utf-8").partition("\n")[0].split(",")
    factors = ",".join(f"{name}={name}" for name in columns if name != "y")
    question = ["--target", "y", "--factors", factors, "--engine", "grammar", "--budget", "tiny"]
    return ["fit", str(table), *question, "--out", str(out), *(more or ("--jobs", "1"))]


def run_fit(table: Path, out: Path, fault: Fault | None = None, *more: str) -> None:
    """`mtl-laws fit` in this process, which ends with its exit code.

    What it says is appended to ``OUT.err``.
    """
    with Path(f"{out}.err").open("ab") as said:
        os.dup2(said.fileno(), sys.stderr.fileno())
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if fault is not None:
        fault()
    code: object = None
    try:
        main(fit_words(table, out, *more))
    except SystemExit as end:
        code = end.code
    finally:
        sys.setprofile(None)
        sys.stderr.flush()
    os._exit(int(str(code or 0)))


def start(
    out: Path, fault: Fault | None = None, *more: str, text: str = FRAGILE
) -> multiprocessing.process.BaseProcess:
    """A process in which the run has begun."""
    process = SERVER.Process(target=_process, args=(out, fault, *more), kwargs={"text": text})
    process.start()
    return process


def run(out: Path, fault: Fault | None = None, *more: str, text: str = FRAGILE) -> int | None:
    """How a run ended: its exit code, or minus the signal that killed it."""
    process = start(out, fault, *more, text=text)
    process.join(timeout=PATIENCE)
    return process.exitcode


def said(out: Path) -> list[str]:
    """The lines that the runs into `out` have left on standard error, but for their progress."""
    lines = Path(f"{out}.err").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if " models, " not in line]


# --- faults --------------------------------------------------------------------------------------


def dies_at(moment: int) -> None:
    """Killed outright at the given call or return of a function, wherever that is."""

    def watch(frame: FrameType, event: str, _: object) -> None:
        if next(_events) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)


def gets_signal(number: int, groups: int) -> None:
    """A signal arrives when so many groups are written.

    A shell that has put the tests in the background has Ctrl-C ignored; a user's terminal has not.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt() -> None:
        os.kill(os.getpid(), number)

    _after(groups, interrupt)


def loses_a_process(process: int, groups: int) -> None:
    """Another process that it needs is killed when so many groups are written."""
    _after(groups, partial(os.kill, process, signal.SIGKILL))


def waits(news: Connection, groups: int) -> None:
    """Says when so many groups are written, and goes on when it is told to."""

    def wait() -> None:
        news.send("waiting")
        news.recv()

    _after(groups, wait)


def _after(groups: int, happening: Callable[[], None]) -> None:
    add = ResultStore.add
    written: list[int] = []

    def add_and_more(store: ResultStore, rows: Sequence[Row]) -> None:
        add(store, rows)
        written.append(len(rows))
        if len(written) == groups:
            happening()

    patch.object(ResultStore, "add", add_and_more).start()


def loses_a_worker(flag: Path) -> None:
    """The first worker that begins a group is killed in the middle of it."""
    patch.object(dispatch, "train_trials", partial(_deadly, flag)).start()


def loses_workers_to(poison: str) -> None:
    """Whoever trains a certain trial is killed, every time."""
    patch.object(dispatch, "train_trials", partial(_poisoned, poison)).start()


def loses_a_worker_and_dies(flag: Path, news: Connection, groups: int) -> None:
    """As `loses_a_worker`; when so many groups are written the run is killed, too."""
    loses_a_worker(flag)
    tells_and_dies(news, groups)


def tells_and_dies(news: Connection, groups: int) -> None:
    """Killed outright when so many groups are written.

    Sends the process ids of its children, and waits for an answer, before it dies.
    """

    def die() -> None:
        news.send(_children())
        news.recv()
        os.kill(os.getpid(), signal.SIGKILL)

    _after(groups, die)


def loses_every_worker() -> None:
    """Whoever trains anything is killed at once."""
    patch.object(dispatch, "train_trials", _fatal).start()


def _fatal(trials: Sequence[Trial], device: str, parent: int) -> list[Result]:
    os.kill(os.getpid(), signal.SIGKILL)
    return train_trials(trials, device, parent)


def _deadly(flag: Path, trials: Sequence[Trial], device: str, parent: int) -> list[Result]:
    with suppress(FileExistsError):
        flag.touch(exist_ok=False)
        dies_at(IN_MID_GROUP)
    return train_trials(trials, device, parent)


def _poisoned(poison: str, trials: Sequence[Trial], device: str, parent: int) -> list[Result]:
    if any(trial.digest == poison for trial in trials):
        dies_at(IN_MID_GROUP)
    return train_trials(trials, device, parent)


def _children() -> list[int]:
    """Processes that this one has started and that are still there."""
    threads = Path("/proc/self/task").iterdir()
    texts = [(thread / "children").read_text(encoding="utf-8") for thread in threads]
    return [int(child) for text in texts for child in text.split()]


def left_after(processes: Sequence[int], seconds: float) -> list[int]:
    """Those of some processes, none a child of this one, that are alive after so many seconds."""
    end = time.monotonic() + seconds
    left = []
    for process in processes:
        with suppress(ProcessLookupError), os.fdopen(os.pidfd_open(process)) as ended:
            if not select.select([ended], [], [], max(0.0, end - time.monotonic()))[0]:
                left.append(process)
    return left


def has_a_quota(size: int) -> None:
    """No file may grow beyond `size` bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def is_not_heard() -> None:
    """Standard error goes to a disk that is full."""
    os.dup2(os.open("/dev/full", os.O_WRONLY), sys.stderr.fileno())


def is_short_of_memory(spare: int) -> None:
    """While it trains, a worker gets at most `spare` bytes of addresses more than it has now."""
    train = workers.train_together
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
    limit = pages * resource.getpagesize() + spare
    before = resource.getrlimit(resource.RLIMIT_AS)

    def starved(trials: Sequence[Trial], device: str) -> list[Result]:
        resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
        try:
            return train(trials, device)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)

    patch.object(workers, "train_together", starved).start()


def obeys_permissions() -> None:
    """What a folder's permissions forbid is forbidden to root, too."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_V3, 0)
    sets = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, sets) == 0
    for kind in range(3):
        sets[kind] &= ~(CAP_DAC_OVERRIDE | CAP_DAC_READ_SEARCH)
    assert libc.capset(header, sets) == 0


def turns_read_only(out: Path, groups: int) -> None:
    """When so many groups are written, the folder may not be written any more."""
    obeys_permissions()
    _after(groups, lambda: out.chmod(0o555))


# --- a disk of its own ---------------------------------------------------------------------------


def mount_disk(folder: Path, size: int) -> str:
    """Put a disk of `size` bytes where `folder` is, for this process only; or why it cannot be."""
    libc = ctypes.CDLL(None, use_errno=True)
    steps = (
        lambda: libc.unshare(CLONE_NEWNS),
        lambda: libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None),
        lambda: _mount(libc, folder, size, 0),
    )
    for step in steps:
        if step() != 0:
            return os.strerror(ctypes.get_errno())
    return ""


def fills_a_disk(news: Connection, out: Path, size: int, copy: Path) -> None:
    """A run on a small disk, and the same again once it is large; what is there is copied.

    Sends why there can be no disk, or nothing; then both exit codes.
    """
    out.mkdir()
    reason = mount_disk(out, size)
    news.send(reason)
    if not reason:
        news.send(_ended(out))
        _mount(ctypes.CDLL(None), out, 100 * size, MS_REMOUNT)
        news.send(_ended(out))
        shutil.copytree(out, copy)


def _ended(out: Path) -> object:
    try:
        run_here(out)
    except SystemExit as end:
        return end.code
    return None


def _mount(libc: ctypes.CDLL, folder: Path, size: int, flags: int) -> int:
    return int(libc.mount(b"none", str(folder).encode(), b"tmpfs", flags, f"size={size}".encode()))
