"""Progress of a run: its numbers, a bar on a terminal, and lines elsewhere.

The time left follows from the cost of the trials (`Trial.cost`), not from their number, because
the longest trials are trained first.
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
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from mtl_laws.pipeline.study.lock import is_locked
from mtl_laws.pipeline.study.store import FAILED, STORE_NAME, read_summary

LINE_EVERY = 10.0
"""Seconds between two lines where there is no terminal."""


@dataclass(frozen=True)
class RunStatus:
    """Progress of a run in numbers.

    Parameters
    ----------
    trials : trials that the run trains: those of the study, or those of its active design.
    done : trials that have a row, including the failed ones.
    failed : rows of status ``failed``.
    rate : models per second of the latest run; None before its first row.
    seconds_left : at that rate; None without a rate.
    running : whether a process is at work in the folder.
    at_most : whether an active design may end with fewer trials.
    title : begins the line.
    """

    trials: int
    done: int
    failed: int
    rate: float | None
    seconds_left: float | None
    running: bool
    at_most: bool = False
    title: str = ""

    @property
    def remaining(self) -> int:
        """Trials that have no row yet."""
        return self.trials - self.done

    @property
    def finished(self) -> bool:
        """Whether every trial has a row, and an active design chooses no more."""
        return not self.remaining and not self.at_most

    def line(self) -> str:
        """The status in one line."""
        most = "at most " if self.at_most else ""
        title = f"{self.title}: " if self.title else ""
        parts = [f"{title}{self.done:,} of {most}{self.trials:,} models", f"{self.failed:,} failed"]
        if self.rate is not None:
            parts.append(f"{self.rate:.1f} per second")
        if self.remaining and self.seconds_left is not None:
            parts.append(f"{most}{duration(self.seconds_left)} left")
        if not self.running:
            again = "stopped: run the same command again to resume"
            parts.append("training finished" if self.finished else again)
        return ", ".join(parts)


def run_status(out: Path) -> RunStatus:
    """The progress of the run in the folder `out`, during the run or later.

    Raises
    ------
    UserError : there is no store in the folder, or a file of it cannot be read.
    """
    from mtl_laws.pipeline.study.active import models_to_train

    summary = read_summary(out / STORE_NAME)
    running = is_locked(out)
    end = datetime.now(UTC) if running else _time(summary.last or summary.started)
    elapsed = (end - _time(summary.started)).total_seconds()
    rate = summary.latest / elapsed if summary.latest and elapsed > 0 else None
    done = sum(summary.by_status.values())
    trials, at_most = models_to_train(out, done, summary.trials)
    left = (trials - done) / rate if rate else None
    failed = summary.by_status.get(FAILED, 0)
    return RunStatus(trials, done, failed, rate, left, running, at_most)


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
    """Counts results and shows the progress; a context manager around a run.

    Parameters
    ----------
    trials : trials of the study; `done` of them had a row before this run began.
    cost : of the trials that this run has to train, in units of `Trial.cost`.
    shown : False for silence.
    stream : where to write. A terminal gets a bar, with a spinner and the time spent; anything
        else gets a line every `LINE_EVERY` seconds.
    clock : seconds that never decrease.

    Attributes
    ----------
    title : begins every line, such as ``round 2 of 5``; empty unless it is set.
    """

    title = ""

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
        self._start = self._last_line = clock()
        console = Console(file=self._stream)
        self._shown, self._lines = shown, shown and not console.is_terminal
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=30),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            disable=not (shown and console.is_terminal),
        )
        self._task = self._bar.add_task(self.status().line(), total=trials, completed=done)

    def __enter__(self) -> RunProgress:
        self._start = self._clock()
        self._bar.start()
        self._show(now=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._show(now=True)
        self._bar.stop()

    def advance(self, models: int, failed: int, cost: float) -> None:
        """Count `models` new rows, `failed` of them without a model."""
        self.trained += models
        self.failed += failed
        self.paid += cost
        self._show()

    def say(self, line: str) -> None:
        """Show a line of its own, above the bar if there is one."""
        if self._lines:
            print(line, file=self._stream, flush=True)
        elif self._shown:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def status(self) -> RunStatus:
        """The numbers as they are now."""
        elapsed = self._clock() - self._start
        rate = self.trained / elapsed if self.trained and elapsed > 0 else None
        left = elapsed * (self.cost - self.paid) / self.paid if self.paid else None
        done = self.before + self.trained
        return RunStatus(self.trials, done, self.failed, rate, left, running=True, title=self.title)

    def _show(self, now: bool = False) -> None:
        status = self.status()
        self._bar.update(self._task, completed=status.done, description=status.line())
        if self._lines and (now or self._clock() - self._last_line >= LINE_EVERY):
            self._last_line = self._clock()
            print(status.line(), file=self._stream, flush=True)
