"""How far a run is: the numbers, a display for terminals, and lines for everything else.

The time left comes from the cost of the trials (`Trial.cost`), not from their number, because the
longest trials are trained first.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from mtl_laws.pipeline.study.lock import is_locked
from mtl_laws.pipeline.study.store import FAILED, STORE_NAME, read_summary

LINE_EVERY = 10.0
"""Seconds between two lines where there is no terminal."""


@dataclass(frozen=True)
class RunStatus:
    """How far a run is.

    Parameters
    ----------
    trials : trials of the study.
    done : trials that have a row, the failed ones included.
    failed : rows of status ``failed``.
    rate : models per second of the latest run; None before its first row.
    seconds_left : at that rate; None where there is no rate.
    running : whether a process is at work in the folder.
    """

    trials: int
    done: int
    failed: int
    rate: float | None
    seconds_left: float | None
    running: bool

    @property
    def remaining(self) -> int:
        """Trials that have no row yet."""
        return self.trials - self.done

    def line(self) -> str:
        """The status in one line."""
        parts = [f"{self.done:,} of {self.trials:,} models", f"{self.failed:,} failed"]
        if self.rate is not None:
            parts.append(f"{self.rate:.1f} per second")
        if self.remaining and self.seconds_left is not None:
            parts.append(f"{duration(self.seconds_left)} left")
        if self.remaining and not self.running:
            parts.append("stopped: the same command goes on")
        return ", ".join(parts)


def run_status(out: Path) -> RunStatus:
    """How far the run in the folder `out` is, while it runs and after.

    Raises
    ------
    UserError : there is no store in the folder, or it cannot be read.
    """
    summary = read_summary(out / STORE_NAME)
    running = is_locked(out)
    end = datetime.now(UTC) if running else _time(summary.last or summary.started)
    elapsed = (end - _time(summary.started)).total_seconds()
    rate = summary.latest / elapsed if summary.latest and elapsed > 0 else None
    done = sum(summary.by_status.values())
    left = (summary.trials - done) / rate if rate else None
    failed = summary.by_status.get(FAILED, 0)
    return RunStatus(summary.trials, done, failed, rate, left, running)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def duration(seconds: float) -> str:
    """``75`` as ``1 min 15 s``."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {whole % 60:02d} s" if minutes else f"{whole} s"


class RunProgress:
    """Counts what comes back and shows it; a context manager around a run.

    Parameters
    ----------
    trials : trials of the study; of them `done` have a row before this run begins.
    cost : of the trials that this run has to train, in units of `Trial.cost`.
    shown : False for silence.
    stream : where to write; a terminal gets a live bar, anything else a line now and then.
    clock : seconds that only ever grow.
    """

    def __init__(
        self,
        trials: int,
        done: int,
        cost: float,
        shown: bool = True,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.trials, self.before, self.cost = trials, done, cost
        self.trained, self.failed, self.paid = 0, 0, 0.0
        self._stream = stream or sys.stderr
        self._clock = clock
        self._began = self._spoke = clock()
        console = Console(file=self._stream)
        live = shown and console.is_terminal
        self._lines = shown and not live
        self._live = Live(console=console, transient=False) if live else None

    def __enter__(self) -> RunProgress:
        self._began = self._spoke = self._clock()
        if self._live is not None:
            self._live.update(self._bar())
            self._live.start()
        elif self._lines:
            self._say()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
        elif self._lines:
            self._say()

    def advance(self, models: int, failed: int, cost: float) -> None:
        """Note that `models` more trials have their row, `failed` of them without a model."""
        self.trained += models
        self.failed += failed
        self.paid += cost
        if self._live is not None:
            self._live.update(self._bar())
        elif self._lines and self._clock() - self._spoke >= LINE_EVERY:
            self._say()

    def status(self) -> RunStatus:
        """The numbers as they are now."""
        elapsed = self._clock() - self._began
        rate = self.trained / elapsed if self.trained and elapsed > 0 else None
        left = elapsed * (self.cost - self.paid) / self.paid if self.paid else None
        done = self.before + self.trained
        return RunStatus(self.trials, done, self.failed, rate, left, running=True)

    def _say(self) -> None:
        self._spoke = self._clock()
        print(self.status().line(), file=self._stream, flush=True)

    def _bar(self) -> Table:
        status = self.status()
        row = Table.grid(padding=(0, 1))
        row.add_row(ProgressBar(total=self.trials, completed=status.done, width=30), status.line())
        return row
