"""Progress on standard error: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from mtl_laws.pipeline.laws.search import RESUMED
from mtl_laws.pipeline.study.progress import duration


class RateProgress:
    """Shows how much of one task is done, the rate, and the time left.

    Parameters
    ----------
    unit : what is counted: ``tokens``.
    console, clock, line_every : as of `SearchProgress`.
    """

    def __init__(
        self,
        unit: str,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
        line_every: float = 10.0,
    ) -> None:
        self._unit, self._clock, self._line_every = unit, clock, line_every
        self._console = console or Console(stderr=True)
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=30),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._start = self._last_line = 0.0

    def __enter__(self) -> RateProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` are through; the first call starts the display."""
        now = self._clock()
        if self._task is None:
            self._start = self._last_line = now
            self._bar.start()
            self._task = self._bar.add_task("", total=total)
        line = self.line(done, total, now - self._start)
        self._bar.update(self._task, completed=done, total=total, description=line)
        if not self._console.is_terminal and now - self._last_line >= self._line_every:
            self._last_line = now
            self._console.print(line, highlight=False, soft_wrap=True)

    def line(self, done: int, total: int, seconds: float) -> str:
        """The state in one line."""
        parts = [f"{done:,} of {total:,} {self._unit}"]
        if done and seconds > 0:
            rate = done / seconds
            parts += [f"{rate:,.0f} per second", f"{duration((total - done) / rate)} left"]
        return ", ".join(parts)


class SearchProgress:
    """Shows every stage of a search: spinner, name, tasks done, time elapsed.

    The display begins with the first stage, because the training before it has its own display. A
    total of 0 stands for a stage of unknown length.

    Parameters
    ----------
    console : where to write; standard error by default.
    clock : seconds that only ever grow.
    line_every : seconds between two lines where there is no terminal.
    """

    def __init__(
        self,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
        line_every: float = 10.0,
    ) -> None:
        self._console = console or Console(stderr=True)
        self._clock, self._line_every = clock, line_every
        self._bars = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description:<17}"),
            BarColumn(),
            TextColumn("{task.fields[count]:>11}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._stage, self._task = "", TaskID(0)
        self._last_line = 0.0

    def __enter__(self) -> SearchProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._finish()
        self._bars.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` tasks of a stage are through; `RESUMED` is a line."""
        if not self._stage:
            self._bars.start()
            self._last_line = self._clock()
        if stage != self._stage:
            self._finish()
            self._stage, self._task = stage, self._bars.add_task(stage, count="")
        count = f"{done}/{total}" if total else ""
        self._bars.update(self._task, completed=done, total=total or None, count=count)
        now = self._clock()
        if stage == RESUMED:
            line = f"{done} tasks of the interrupted search are taken from it"
            self._console.print(line, highlight=False, soft_wrap=True)
        elif not self._console.is_terminal and now - self._last_line > self._line_every:
            self._last_line = now
            line = f"{stage}: {done} of {total}" if total else stage
            self._console.print(line, highlight=False, soft_wrap=True)

    def pause(self) -> None:
        """End the display so far; later stages have a new one below what is printed now."""
        self._finish()
        self._bars.stop()
        for task in self._bars.task_ids:
            self._bars.remove_task(task)
        self._stage = ""

    def _finish(self) -> None:
        """Stop spinner and clock of the current stage."""
        if self._stage and not self._bars.tasks[-1].finished:
            self._bars.update(self._task, total=1, completed=1)
