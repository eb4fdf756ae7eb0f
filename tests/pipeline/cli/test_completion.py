"""Shell completion: the script, and what it answers while a command is typed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

SHELLS = ("bash", "zsh", "fish")


def program(words: Sequence[str], home: Path, **variables: str) -> str:
    """What the program prints in an environment with these variables."""
    answer = subprocess.run(
        [sys.executable, "-c", "from mtl_laws.pipeline.cli.app import main; main()", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOME": str(home), **variables},
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("mtl-laws pre", {"predict"}),
        ("mtl-laws e", {"embed", "engines", "example", "export"}),
        ("mtl-laws predict --s", {"--solve"}),
        ("mtl-laws fit table.csv --ta", {"--target"}),
    ],
)
def test_commands_and_options_are_completed(typed: str, offered: set[str], tmp_path: Path) -> None:
    place = str(len(typed.split()) - 1)
    variables = {"_MTL_LAWS_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": place}
    assert set(program([], tmp_path, **variables).split()) == offered


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_shown_for_each_shell(shell: str, tmp_path: Path) -> None:
    script = program(["--show-completion", shell], tmp_path)
    assert "_MTL_LAWS_COMPLETE" in script
    assert "mtl-laws" in script


def test_it_is_installed_for_bash(tmp_path: Path) -> None:
    program(["--install-completion", "bash"], tmp_path)
    script = tmp_path / ".bash_completions" / "mtl-laws.sh"
    assert "_MTL_LAWS_COMPLETE" in script.read_text(encoding="utf-8")
    assert str(script) in (tmp_path / ".bashrc").read_text(encoding="utf-8")
