"""An interrupt at any time ends a command with one line and exit code 130, and all its workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import typer

from mtl_laws.pipeline.cli.ending import Command, Commands, exit_code
from support.documents import ROOT
from support.faults import PATIENCE

if os.name != "posix":
    pytest.skip("signals of POSIX", allow_module_level=True)

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
EXAMPLE = ROOT / "data" / "example" / "results.csv"
FIT = ["fit", str(EXAMPLE), "--target", "f1", "--factors", "n=tokens,T=tasks,ami=ami"]

START = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background work ignores it
module, name, *sys.argv[1:] = sys.argv[1:]

class Interrupting:
    def find_spec(self, found, *_):
        if found == module:
            os.kill(os.getpid(), getattr(signal, name))

sys.meta_path.insert(0, Interrupting())
from mtl_laws.__main__ import main
main()
"""

WORKERS = """
import signal, sys
from joblib.externals.loky.backend.process import LokyProcess
from mtl_laws.__main__ import main

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background work ignores it
start = LokyProcess.start

def say(process):
    start(process)
    print(process.pid, flush=True)

LokyProcess.start = say
main()
"""

EXEC = """
import signal, sys, typer
from mtl_laws.pipeline.cli.ending import Command, Commands, exit_code

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background work ignores it
app = typer.Typer(cls=Commands)
app.command("other", cls=Command)(lambda: None)

@app.command("run", cls=Command)
def run():
    exec("signal.raise_signal(signal.SIGINT)")

sys.exit(exit_code(app, ["run"]))
"""


def answer_of(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("module", ["mtl_laws.pipeline.cli.app", "typer", "mtl_laws.pipeline.cli"])
def test_a_signal_in_the_first_imports_is_one_line(module: str, name: str) -> None:
    answer = answer_of(START, module, name, "--version")
    assert answer.stderr == "mtl-laws: interrupted\n"
    assert (answer.returncode, answer.stdout) == (130, "")


@pytest.mark.parametrize("module", ["pandas", "mtl_laws.pipeline.laws.question"])
def test_a_signal_in_the_imports_of_a_command_is_one_line(module: str, tmp_path: Path) -> None:
    answer = answer_of(START, module, "SIGINT", *FIT, "--out", str(tmp_path / "laws"))
    assert answer.stderr == "mtl-laws: interrupted: run the same command again to resume\n"
    assert answer.returncode == 130


def test_a_signal_that_the_shell_ignores_stays_ignored() -> None:
    ignoring = START.replace("signal.default_int_handler", "signal.SIG_IGN")
    answer = answer_of(ignoring, "typer", "SIGINT", "--version")
    assert (answer.returncode, answer.stderr) == (0, "")


def test_the_command_begins_in_a_module_that_imports_nothing_else_of_ours() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, function = project["scripts"]["mtl-laws"].partition(":")
    code = f"import sys; from {module} import {function}; print(*sys.modules)"
    loaded = answer_of(code).stdout.split()
    assert [name for name in loaded if name.startswith("mtl_laws.")] == [module]


def test_an_interrupt_in_the_text_of_an_exec_does_not_end_python_by_its_signal() -> None:
    answer = answer_of(EXEC)
    assert answer.returncode == 130
    assert answer.stderr == "mtl-laws: interrupted: run the same command again to resume\n"


SWALLOWING = """
import signal
try:
    signal.raise_signal(signal.SIGTERM)
except BaseException:
    pass
"""


class Finalized:
    """An object that a signal reaches as it goes."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("where", ["import", "finalizer"])
def test_an_interrupt_is_not_lost_in_code_that_drops_exceptions(
    where: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "swallowing_an_interrupt.py").write_text(SWALLOWING, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    commands, reached = typer.Typer(cls=Commands), []

    @commands.command("other", cls=Command)
    def other() -> None:
        pass

    @commands.command("fit", cls=Command)
    def fit() -> None:
        if where == "import":
            __import__("swallowing_an_interrupt")
        else:
            Finalized()
        reached.append(where)
        threading.Event().wait(PATIENCE)

    before = signal.getsignal(signal.SIGALRM)
    assert exit_code(commands, ("fit",)) == 130
    assert reached == [where]
    line = "mtl-laws: interrupted: run the same command again to resume\n"
    assert capsys.readouterr().err == line
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_end_of_what_an_interrupt_leaves_is_not_interrupted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A generator that an exception leaves ends by its finalizer, here while the timer is due."""
    commands, ended = typer.Typer(cls=Commands), []

    def numbers() -> Iterator[int]:
        try:
            yield 0
        finally:
            signal.raise_signal(signal.SIGALRM)
            ended.append(True)

    @commands.command("other", cls=Command)
    def other() -> None:
        pass

    @commands.command("report", cls=Command)
    def report() -> None:
        for _ in numbers():
            signal.raise_signal(signal.SIGTERM)

    assert exit_code(commands, ("report",)) == 130
    assert ended == [True]
    assert capsys.readouterr().err == "mtl-laws: interrupted\n"


@pytest.mark.parametrize(
    "words",
    [
        [*FIT, "--engine", "grammar", "--budget", "thorough", "--jobs", "2"],
        ["run", str(ROOT / "pipeline" / "studies" / "quick.yaml"), "--jobs", "2"],
    ],
    ids=["fit", "run"],
)
def test_workers_that_begin_are_silent_when_the_terminal_interrupts_all(
    words: Sequence[str], tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORKERS, *words, "--out", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        workers = {int(process.stdout.readline()) for _ in range(2)}
        os.killpg(process.pid, signal.SIGINT)
        error = process.stderr.read()
        assert process.wait() == 130
    lines = [line for line in error.splitlines() if line.startswith("mtl-laws: ")]
    assert lines == ["mtl-laws: interrupted: run the same command again to resume"]
    assert "Traceback" not in error
    assert [pid for pid in workers if Path(f"/proc/{pid}").exists()] == []
