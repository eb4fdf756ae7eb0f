"""How far a run is: the numbers, and what is shown of them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import mtl_laws.pipeline.study.store
from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.study.lock import RunLock
from mtl_laws.pipeline.study.progress import LINE_EVERY, RunProgress, duration, run_status
from mtl_laws.pipeline.study.store import STORE_NAME, Row, open_store


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (75, "1 min 15 s"), (3600, "1 h 00 min"), (90_000, "25 h 00 min")],
)
def test_durations_are_told_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_time_left_follows_cost_not_count() -> None:
    clock = Clock()
    progress = RunProgress(trials=12, done=2, cost=100.0, shown=False, clock=clock)
    with progress:
        assert progress.status().rate is None
        clock.now += 8
        progress.advance(models=2, failed=1, cost=80.0)
        status = progress.status()
    assert (status.done, status.failed, status.remaining) == (4, 1, 8)
    assert status.rate == pytest.approx(2 / 8)
    assert status.seconds_left == pytest.approx(8 * 20 / 80)
    assert status.line() == "4 of 12 models, 1 failed, 0.2 per second, 2 s left"


def test_without_a_terminal_there_is_a_line_now_and_then() -> None:
    clock, stream = Clock(), io.StringIO()
    with RunProgress(trials=100, done=0, cost=100.0, stream=stream, clock=clock) as progress:
        for _ in range(100):
            clock.now += LINE_EVERY / 10
            progress.advance(1, 0, 1.0)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "0 of 100 models, 0 failed"
    assert lines[-1] == "100 of 100 models, 0 failed, 1.0 per second"
    assert len(lines) == 12
    assert "\x1b" not in stream.getvalue()


def test_on_a_terminal_there_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = Terminal()
    with RunProgress(trials=10, done=0, cost=10.0, stream=stream, clock=Clock()) as progress:
        progress.advance(10, 0, 10.0)
    assert "10 of 10 models" in stream.getvalue()
    assert "\x1b" in stream.getvalue()


def test_on_a_terminal_something_moves_before_the_first_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A spinner, and the time spent so far."""
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with RunProgress(trials=10, done=0, cost=10.0, stream=stream) as progress:
        shown = stream.getvalue()
        progress._bar.refresh()
    assert "0 of 10 models" in shown
    assert "0:00:00" in shown
    assert any(dot in shown for dot in "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")


def test_silence_is_silent() -> None:
    stream = io.StringIO()
    with RunProgress(trials=1, done=0, cost=1.0, shown=False, stream=stream) as progress:
        progress.advance(1, 0, 1.0)
    assert stream.getvalue() == ""


def test_the_status_of_a_folder_while_it_runs_and_after(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        with open_store(tmp_path / STORE_NAME) as store:
            store.begin({}, "d", 3)
            store.start_run({})
            assert run_status(tmp_path).rate is None
            store.add([Row("a", {}, {"status": "converged"}), Row("b", {}, {"status": "failed"})])
            during = run_status(tmp_path)
        assert during.running
    after = run_status(tmp_path)
    assert (after.trials, after.done, after.failed, after.remaining) == (3, 2, 1, 1)
    assert not after.running


def test_a_folder_without_a_run_has_no_status(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        run_status(tmp_path)


def test_a_clock_that_was_set_back_loses_the_rate_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter(["2026-11-22T12:00:00.000+00:00", "2026-11-22T11:59:00.000+00:00"])
    monkeypatch.setattr(mtl_laws.pipeline.study.store, "now", lambda: next(times))
    with open_store(tmp_path / STORE_NAME) as store:
        store.begin({}, "d", 3)
        store.start_run({})
        store.add([Row("a", {}, {"status": "converged"})])
    status = run_status(tmp_path)
    assert (status.done, status.remaining, status.rate) == (1, 2, None)
    assert status.line() == "1 of 3 models, 0 failed, stopped: run the same command again to resume"
