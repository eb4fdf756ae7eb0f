"""Training of a study: trials that have no row yet are trained, and their rows are stored.

The parent process alone writes the store, one group at a time; workers receive specs and return
outcomes. The outcome of a trial does not depend on where or in which order it is trained. A run
that was killed therefore resumes and ends with the same table as an undisturbed run.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from hashlib import file_digest
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import pandas as pd
from typing_extensions import override

from mtl_laws.pipeline.columns import RESULTS_NAME as TABLE_NAME
from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.io.tablefile import write_parquet
from mtl_laws.pipeline.io.wholefile import drop_parts, make_folder
from mtl_laws.pipeline.plugins import loaded
from mtl_laws.pipeline.provenance import provenance
from mtl_laws.pipeline.study.active import Runner, train_rounds
from mtl_laws.pipeline.study.backends import RunOptions, check_cluster
from mtl_laws.pipeline.study.digest import digest
from mtl_laws.pipeline.study.dispatch import outcomes
from mtl_laws.pipeline.study.lock import RunLock
from mtl_laws.pipeline.study.progress import RunProgress
from mtl_laws.pipeline.study.store import FAILED, STORE_NAME, ResultStore, Row, open_store
from mtl_laws.pipeline.study.study import Study
from mtl_laws.pipeline.study.table import outcomes_table
from mtl_laws.pipeline.study.trials import Trial, expand
from mtl_laws.pipeline.study.workers import Result

__all__ = ["LOG_NAME", "TABLE_NAME", "RunOptions", "study_digest", "train_study"]

LOG_NAME = "run.log"
"""File in the folder of a run: what happened and when."""

LOG_BYTES, OLD_LOGS = 1_000_000, 3
"""Size at which a log file is rotated, and how many old ones are kept."""

MIXED = (
    "these models are trained by {new} loops, earlier rows of this run by {old} ones: they may "
    "differ in the last bits (column loops)"
)
FILE_OPTIONS = ("corpus", "vectors")
"""Options of a family that name files."""

_log = logging.getLogger(__name__)


def train_study(study: Study, out: Path, options: RunOptions | None = None) -> pd.DataFrame:
    """The table of a study, once every trial without a row in the folder `out` is trained.

    Writes ``results.sqlite``, ``results.parquet``, ``run.log`` and ``run.lock`` to `out`.

    Returns
    -------
    One row per trial, in the order of the trials' digests; columns as in ``docs/columns.md``.

    Raises
    ------
    UserError : the study has a trial that is not possible, or the folder cannot be used.
    KeyboardInterrupt : on SIGINT and SIGTERM; the same call resumes the run.
    """
    options = options or RunOptions()
    trials = expand(study)
    if not os.path.exists(out / STORE_NAME):
        check_cluster(options)
    make_folder(out)
    with RunLock(out), _sigterm(), open_store(out / STORE_NAME) as store:
        store.begin(study.model_dump(mode="json"), study_digest(trials), len(trials))
        with _logging_to(out / LOG_NAME):
            if options.retry_failed:
                store.drop_failed()
            if study.design.kind == "active":
                _train_active(study, trials, store, options, out)
            else:
                _train_missing(trials, store, options)
            table = outcomes_table(store.rows(curves=False), store.runs())
            drop_parts(out / TABLE_NAME)
            write_parquet(table, out / TABLE_NAME)
    return table


def _train_active(
    study: Study, trials: Sequence[Trial], store: ResultStore, options: RunOptions, out: Path
) -> None:
    train_rounds(
        study,
        trials,
        Runner(
            train=lambda part, title: _train_missing(part, store, options, title),
            table=lambda: outcomes_table(store.rows(curves=False), store.runs()),
            folder=out,
        ),
    )


def study_digest(trials: Iterable[Trial]) -> str:
    """The digest of all trials in any order: it identifies the store of a study."""
    return digest(tuple(sorted(trial.digest for trial in trials)))


def _train_missing(
    trials: Sequence[Trial], store: ResultStore, options: RunOptions, title: str = ""
) -> None:
    done = store.done()
    missing = {trial.digest: trial for trial in trials if trial.digest not in done}
    if not missing:
        return
    inputs = input_digests(trials)
    _refuse_changed(inputs, store.runs().values())
    record = {**provenance(), **asdict(options), "plugins": loaded(), "inputs": inputs}
    store.start_run(record)
    _log.info("%d of %d trials to train", len(missing), len(trials))
    cost = sum(trial.cost for trial in missing.values())
    before = len(trials) - len(missing)
    progress = RunProgress(len(trials), before, cost, shown=options.progress)
    progress.title = title
    parent = os.getpid() if options.backend == "loky" else 0
    loops = store.loops()

    def say(line: str) -> None:
        _log.warning("%s", line)
        progress.say(line)

    with progress, closing(outcomes(trials, done, options, parent, say)) as arriving:
        for results in arriving:
            rows = [
                Row(one.trial, missing[one.trial].to_json(), _made(one), one.measured)
                for one in results
            ]
            store.add(rows)
            _report(rows, missing, progress)
            others = {row.outcome["loops"] for row in rows if row.outcome.get("loops")} - loops
            if loops and others:
                say(MIXED.format(new=" and ".join(sorted(others)), old=" and ".join(sorted(loops))))
            loops |= others


def _made(result: Result) -> dict[str, Any]:
    """The outcome of a row: that of the worker, and who the worker was."""
    worker = {name: text for name, text in result.worker.items() if name != "process"}
    return {**result.outcome, "worker": worker} if worker else result.outcome


def input_digests(trials: Iterable[Trial]) -> dict[str, str]:
    """SHA-256 of every file besides the study that trials depend on: corpora, vectors, plug-ins."""
    paths = {name for name in loaded() if name.endswith(".py")}
    for trial in trials:
        for option in FILE_OPTIONS:
            names = trial.task.options.get(option)
            paths.update(map(str, names if isinstance(names, list | tuple) else [names or ""]))
    digests = {}
    for path in sorted(paths - {""}):
        try:
            with Path(path).open("rb") as stream:
                digests[path] = file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise UserError(path, f"a readable file ({reason})", "no such file") from error
    return digests


def _refuse_changed(inputs: Mapping[str, str], runs: Iterable[Mapping[str, Any]]) -> None:
    """Refuse to mix trials of a file with trials of the same file as it was before."""
    for run in runs:
        for path, former in (run.get("inputs") or {}).items():
            if inputs.get(path, former) != former:
                expected = (
                    "the file as it was when this run began; put it back, or choose another folder"
                )
                raise UserError(path, expected, "another content")


def _report(rows: Sequence[Row], missing: Mapping[str, Trial], progress: RunProgress) -> None:
    """Count new rows in the progress display and in the log."""
    failed = [row for row in rows if row.status == FAILED]
    progress.advance(len(rows), len(failed), sum(missing[row.trial].cost for row in rows))
    _log.info("%s", progress.status().line())
    for row in failed:
        _log.warning("trial %s failed: %s", row.trial, row.outcome["message"])


@contextmanager
def _sigterm() -> Iterator[None]:
    """End a run on SIGTERM as on Ctrl-C: workers stop and the store is closed.

    A handler that somebody has set, such as that of the command line, stays.
    """
    unset = signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if not unset or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _LogFile(RotatingFileHandler):
    """The log file. On a full disk it is silent: the error of the run itself is what matters."""

    @override
    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Write the messages of this package to the file at `path`, and how the run was stopped."""
    handler = _LogFile(path, maxBytes=LOG_BYTES, backupCount=OLD_LOGS, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("mtl_laws")
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    except BaseException as error:
        _log.error("stopped: %s", type(error).__name__)
        raise
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
        with suppress(OSError):  # what a full disk did not take
            handler.close()
