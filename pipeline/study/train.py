"""Study -> outcomes: the trials that have no row yet are trained, and their rows written.

The parent alone writes the store, one group at a time; workers get specs and give outcomes. Where
and in what order a trial is trained does not matter to what it gives, so a run that was killed goes
on where it stopped and ends with the table of an undisturbed one.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from mtl_laws.pipeline.columns import RESULTS_NAME as TABLE_NAME
from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.io.tablefile import drop_parts, write_parquet
from mtl_laws.pipeline.plugins import loaded
from mtl_laws.pipeline.provenance import provenance
from mtl_laws.pipeline.study.backends import RunOptions, check_cluster
from mtl_laws.pipeline.study.digest import digest
from mtl_laws.pipeline.study.dispatch import outcomes
from mtl_laws.pipeline.study.journal import LOG_NAME, journal
from mtl_laws.pipeline.study.lock import RunLock
from mtl_laws.pipeline.study.progress import RunProgress
from mtl_laws.pipeline.study.store import FAILED, STORE_NAME, ResultStore, Row, open_store
from mtl_laws.pipeline.study.study import Study
from mtl_laws.pipeline.study.table import outcomes_table
from mtl_laws.pipeline.study.trials import Trial, expand
from mtl_laws.pipeline.study.workers import Result

__all__ = ["LOG_NAME", "TABLE_NAME", "RunOptions", "study_digest", "train_study"]

_log = logging.getLogger(__name__)


def train_study(study: Study, out: Path, options: RunOptions | None = None) -> pd.DataFrame:
    """Train every trial of `study` that has no row in the folder `out`, and return the table.

    Leaves ``results.sqlite``, ``results.parquet``, ``run.log`` and ``run.lock`` in `out`.

    Returns
    -------
    One row per trial, in the order of the trials' digests; columns as in ``docs/columns.md``.

    Raises
    ------
    UserError : the study asks for what cannot be had, the folder cannot be used or is in use.
    KeyboardInterrupt : on SIGINT and SIGTERM; the same call goes on where this one stopped.
    """
    options = options or RunOptions()
    trials = expand(study)
    if not os.path.exists(out / STORE_NAME):
        check_cluster(options)
    _make_folder(out)
    with RunLock(out), _sigterm(), open_store(out / STORE_NAME) as store:
        store.begin(study.model_dump(mode="json"), study_digest(trials), len(trials))
        with journal(out):
            if options.retry_failed:
                store.drop_failed()
            _train_missing(trials, store, options)
            table = outcomes_table(store.rows(curves=False), store.runs())
            drop_parts(out / TABLE_NAME)
            write_parquet(table, out / TABLE_NAME)
    return table


def study_digest(trials: Iterable[Trial]) -> str:
    """What tells one study's store from another's: its trials, in any order."""
    return digest(tuple(sorted(trial.digest for trial in trials)))


def _train_missing(trials: Sequence[Trial], store: ResultStore, options: RunOptions) -> None:
    done = store.done()
    missing = {trial.digest: trial for trial in trials if trial.digest not in done}
    if not missing:
        return
    store.start_run({**provenance(), **asdict(options), "plugins": loaded()})
    _log.info("%d of %d trials to train", len(missing), len(trials))
    cost = sum(trial.cost for trial in missing.values())
    counted = RunProgress(len(trials), len(done), cost, shown=options.progress)
    parent = os.getpid() if options.backend == "loky" else 0
    with counted, closing(outcomes(trials, done, options, parent)) as arriving:
        for results in arriving:
            rows = [_row(missing[result.trial], result) for result in results]
            store.add(rows)
            _note(rows, missing, counted)


def _row(trial: Trial, result: Result) -> Row:
    return Row(trial.digest, trial.to_json(), result.outcome, result.measured)


def _note(rows: Sequence[Row], missing: Mapping[str, Trial], progress: RunProgress) -> None:
    failed = [row for row in rows if row.status == FAILED]
    progress.advance(len(rows), len(failed), sum(missing[row.trial].cost for row in rows))
    _log.info("%s", progress.status().line())
    for row in failed:
        _log.warning("trial %s failed: %s", row.trial, row.outcome["message"])


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise UserError("out", f"a folder that can be made here ({reason})", str(out)) from error


@contextmanager
def _sigterm() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does: the workers are told, the store is closed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
