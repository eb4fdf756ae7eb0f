"""What is shown of a law search on a terminal, and a line now and then elsewhere."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from mtl_laws.pipeline.cli.progress import SearchProgress
from mtl_laws.pipeline.errors import UserError


class Clock:
    """Ten seconds pass between two looks."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 10.0
        return self.now


def search(progress: SearchProgress) -> None:
    """A search of two stages, one of them of unknown length."""
    with progress:
        progress("preparing", 0, 0)
        for done in range(5):
            progress("fitting", done, 4)
        progress("evidence", 0, 0)


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, color_system=None, width=80)


def last_line(console: Console, stage: str) -> str:
    """The line of a stage as it stands in the end."""
    assert isinstance(console.file, io.StringIO)
    return [line for line in console.file.getvalue().splitlines() if stage in line][-1]


def test_a_terminal_shows_every_stage_as_over_in_the_end() -> None:
    console = terminal()
    search(SearchProgress(console))
    for stage in ("preparing", "fitting", "evidence"):
        assert "✓" in last_line(console, stage)
        assert "0:00:0" in last_line(console, stage)
    assert "4/4" in last_line(console, "fitting")


def test_an_error_leaves_its_stage_unfinished() -> None:
    console = terminal()
    with pytest.raises(UserError), SearchProgress(console) as progress:
        stop_in_the_middle(progress)
    assert "✓" in last_line(console, "preparing")
    assert "✓" not in last_line(console, "fitting")
    assert "1/4" in last_line(console, "fitting")


def stop_in_the_middle(progress: SearchProgress) -> None:
    progress("preparing", 0, 0)
    progress("fitting", 1, 4)
    raise UserError("budget", "one of tiny, quick", "huge")


def test_without_a_terminal_there_is_a_line_now_and_then() -> None:
    stream = io.StringIO()
    search(SearchProgress(Console(file=stream, width=20), Clock(), line_every=15.0))
    assert stream.getvalue().splitlines() == [
        "fitting: 0 of 4",
        "fitting: 2 of 4",
        "fitting: 4 of 4",
    ]
