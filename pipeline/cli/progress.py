"""How far a law search is, on standard error: bars on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

#: seconds between two lines where there is no terminal
LINE_EVERY = 10.0


class SearchProgress:
    """Shows every stage of a search: its name, tasks done of all, time spent and time left."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description:<11}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._stages: dict[str, TaskID] = {}
        self._said = time.monotonic()

    def __enter__(self) -> SearchProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` tasks of a stage are through."""
        if not self._stages:  # from the first stage on: the training before has its own display
            self._bars.start()
            self._said = time.monotonic()
        if stage not in self._stages:
            self._stages[stage] = self._bars.add_task(stage, total=total)
        self._bars.update(self._stages[stage], completed=done, total=total)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._said > LINE_EVERY:
            self._said = now
            print(f"{stage}: {done} of {total}", file=sys.stderr, flush=True)
