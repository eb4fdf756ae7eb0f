"""How a command ends: lost output does not end it, an interrupt says whether it can be resumed."""

from __future__ import annotations

import io
import signal
import sys
from contextlib import suppress

import pytest
import typer

from mtl_laws.pipeline.cli.ending import Command, Commands, Lasting, exit_code, lasting_streams


class Gone(io.StringIO):
    """A stream whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


@pytest.fixture
def app() -> typer.Typer:
    """A command that talks while it works, and says its result in the end."""
    made = typer.Typer()

    @made.command()
    def work() -> None:
        print("half-way", file=sys.stderr, flush=True)
        typer.echo("nearly there", err=True)
        typer.echo("done")

    return made


def test_a_reader_that_has_gone_ends_no_command(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = Gone()
    monkeypatch.setattr(sys, "stderr", gone)
    assert exit_code(app, ()) == 0
    assert capsys.readouterr().out == "done\n"
    assert sys.stderr is gone


def test_without_a_reader_of_its_result_a_command_has_failed(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", Gone())
    with pytest.raises(BrokenPipeError):
        exit_code(app, ())


def test_streams_that_were_closed_are_nowhere(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with lasting_streams():
        sys.stdout.flush()
        sys.stderr.flush()
    assert exit_code(app, ()) == 0
    assert sys.stdout is None


def test_a_stream_that_works_is_as_it_was() -> None:
    under = io.StringIO()
    assert Lasting(under).write("ä\n") == 2
    assert under.getvalue() == "ä\n"
    assert not Lasting(under).isatty()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("run", "mtl-laws: interrupted: run the same command again to resume\n"),
        ("fit", "mtl-laws: interrupted: run the same command again to resume\n"),
        ("report", "mtl-laws: interrupted\n"),
    ],
)
def test_only_run_and_fit_resume(name: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    commands = typer.Typer(cls=Commands)

    @commands.command("other", cls=Command)
    def other() -> None:
        pass

    @commands.command(name, cls=Command)
    def interrupted() -> None:
        raise KeyboardInterrupt

    assert exit_code(commands, (name,)) == 130
    assert capsys.readouterr().err == line


def test_an_interrupt_of_which_a_library_makes_another_error_is_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands = typer.Typer(cls=Commands)

    @commands.command("other", cls=Command)
    def other() -> None:
        pass

    @commands.command("run", cls=Command)
    def swallowed() -> None:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        raise TypeError("arrays cannot be compared")  # as numpy says when it is interrupted

    @commands.command("fails", cls=Command)
    def fails() -> None:
        raise TypeError("arrays cannot be compared")

    assert exit_code(commands, ("run",)) == 130
    assert capsys.readouterr().err.startswith("mtl-laws: interrupted")
    with pytest.raises(TypeError):
        exit_code(commands, ("fails",))
