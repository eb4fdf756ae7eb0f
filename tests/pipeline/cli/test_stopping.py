"""Signals end a command with one line; what was found is printed before anything is drawn."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

import mtl_laws.pipeline.fit
from mtl_laws.pipeline.cli.app import main
from mtl_laws.pipeline.laws.journal import JOURNAL_NAME
from support.faults import PATIENCE

EXAMPLE = Path(__file__).parents[3] / "data" / "example" / "results.csv"
FIT = ["fit", str(EXAMPLE), "--target", "f1", "--factors", "n=tokens,T=tasks,ami=ami"]
SMALL = ["fit", str(EXAMPLE), "--target", "f1", "--factors", "n=tokens"]
COMMAND = """
import signal
from mtl_laws.pipeline.cli.app import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background work ignores it
main()
"""
SOON = ["--engine", "grammar", "--budget", "tiny", "--jobs", "1"]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_in_the_search_is_one_line_and_leaves_nothing_half_written(
    tmp_path: Path, name: str
) -> None:
    number = getattr(signal, name, None)
    if number is None:
        pytest.skip("no such signal here")
    words = [*FIT, "--engine", "grammar", "--budget", "thorough", "--jobs", "2"]
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *words, "--out", str(tmp_path / "laws")],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        begin = time.monotonic()
        begun = tmp_path / "laws" / JOURNAL_NAME
        while not begun.exists() and process.poll() is None and time.monotonic() - begin < PATIENCE:
            time.sleep(0.1)
        os.kill(process.pid, number)
        assert process.stderr is not None
        error = process.stderr.read()
        assert process.wait() == 130
    assert error.splitlines()[-1] == "mtl-laws: interrupted: run the same command again to resume"
    assert "Traceback" not in error
    assert {path.name for path in (tmp_path / "laws").iterdir()} <= {"run.lock", "search.partial"}


def test_the_law_is_printed_although_the_report_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("no fonts")

    monkeypatch.setattr(mtl_laws.pipeline.fit, "write_report_of", fail)
    with pytest.raises(RuntimeError, match="no fonts"):
        main([*SMALL, *SOON, "--out", str(tmp_path / "laws")])
    assert capsys.readouterr().out.startswith("law:    f1 = ")
    assert (tmp_path / "laws" / "laws.json").exists()


def test_the_users_plotting_settings_do_not_reach_the_report(tmp_path: Path) -> None:
    drawn = tmp_path / "laws" / "figures" / "fit-n.svg"
    with pytest.raises(SystemExit):
        main([*SMALL, *SOON, "--out", str(tmp_path / "laws")])
    before = drawn.read_bytes()
    drawn.unlink()
    changed = {"text.usetex": True, "font.size": 40.0}
    with mpl.rc_context(changed), pytest.raises(SystemExit) as end:
        main(["report", str(tmp_path / "laws")])
    assert end.value.code == 0
    assert drawn.read_bytes() == before
