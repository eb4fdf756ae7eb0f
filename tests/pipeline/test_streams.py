"""What a command says may be lost; what it does may not."""

from __future__ import annotations

import io
import sys

import pytest
import typer

from mtl_laws.pipeline.cli.ending import exit_code
from mtl_laws.pipeline.cli.streams import Lasting, lasting_streams


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
