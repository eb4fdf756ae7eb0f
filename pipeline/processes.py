"""Worker processes of this machine: they load plug-ins, end with their parent, and are replaced."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from multiprocessing import resource_tracker
from typing import Any, ParamSpec, TypeVar

import joblib
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.backend import resource_tracker as loky_resource_tracker
from joblib.externals.loky.process_executor import BrokenProcessPool

from mtl_laws.pipeline.plugins import loaded, with_plugins

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

WATCH_EVERY = 1.0
"""Seconds between two checks that the parent process is alive."""

ATTEMPTS = 3
"""Number of attempts in worker processes before the parent does the work itself."""

_log = logging.getLogger(__name__)


def in_processes(
    work: Callable[..., Result], batch: Sequence[tuple[object, ...]], jobs: int
) -> Generator[Result, None, None]:
    """Yield the results of `work` for a batch of arguments, in order, from `jobs` processes.

    If a worker is lost (killed, or out of memory), what is left of the batch is repeated. After
    `ATTEMPTS` losses this process does the work itself, one piece after another.
    """
    call, done = joblib.delayed(in_worker), 0
    _mute_manager_thread()
    for _ in range(ATTEMPTS if jobs > 1 else 0):
        try:
            tasks = [call(os.getpid(), loaded(), work, *arguments) for arguments in batch[done:]]
            pool = joblib.Parallel(n_jobs=jobs, return_as="generator", **watched())
            with interrupts_blocked():
                results = pool(tasks)
            with _quietly_closed(results) as own:
                for result in own:
                    done += 1
                    yield result
            return
        except BrokenProcessPool as error:
            _log.warning("a worker of the search was lost: %s", " ".join(str(error).split()))
            get_reusable_executor().shutdown(wait=True, kill_workers=True)
    for arguments in batch[done:]:
        yield work(*arguments)


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Block SIGINT in the threads and processes that are started meanwhile, for good.

    A terminal sends Ctrl-C to all processes of a command. Workers leave it to their parent, which
    ends them: one that took it while it imports would print a traceback. Here it is blocked too,
    but only until the end of the block, and the other threads of this process take it.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    for tracker in (resource_tracker, loky_resource_tracker):
        tracker.ensure_running()  # its start would unblock the signal
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


@cache
def _mute_manager_thread() -> None:
    """Print no traceback of loky's own thread, which may fail while its workers are being ended.

    What it has lost, `in_processes` is told by `BrokenProcessPool`.
    """
    usual = threading.excepthook

    def hook(failure: threading.ExceptHookArgs) -> None:
        thread = failure.thread
        if thread is None or not thread.name.startswith("ExecutorManagerThread"):
            usual(failure)

    threading.excepthook = hook


@contextmanager
def _quietly_closed(
    results: Generator[Result, None, None],
) -> Iterator[Generator[Result, None, None]]:
    """Close the results in the end, without joblib's warning about those that nobody took."""
    try:
        yield results
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results.close()


def watched() -> dict[str, Any]:
    """Arguments of `joblib.Parallel` by which workers, idle ones too, end with this process."""
    return {"initializer": end_with, "initargs": (os.getpid(),)}


def in_worker(
    parent: int,
    plugins: Sequence[str],
    work: Callable[Arguments, Result],
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> Result:
    """The result of `work` in a worker process, which loads plug-ins and ends with its parent."""
    end_with(parent)
    return with_plugins(plugins, work, *args, **kwargs)


@cache
def end_with(parent: int) -> None:
    """End this process within seconds after its parent has ended, even if that was killed.

    Parameters
    ----------
    parent : process id; 0 for none. In the parent itself nothing happens.
    """
    if parent and os.getpid() != parent:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_EVERY)
    os._exit(1)
