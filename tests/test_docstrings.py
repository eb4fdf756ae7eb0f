"""The examples in docstrings run and print what they say."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pandas as pd
import pytest

from support.asked_laws import asked_laws

ROOT = Path(__file__).parents[1]
EXAMPLE = re.compile(r"^\s*>>> ", re.MULTILINE)
MODULES = [
    ".".join(("mtl_laws", *path.relative_to(ROOT).with_suffix("").parts))
    for folder in ("pipeline", "simulator")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if EXAMPLE.search(path.read_text(encoding="utf-8"))
]
FLAGS = doctest.NORMALIZE_WHITESPACE


def test_the_modules_with_examples_were_found() -> None:
    assert {"mtl_laws.pipeline.laws.answers", "mtl_laws.pipeline.laws.law"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In all of them, `laws` is a set of laws of f1 in n, T and AMI, and `pd` is pandas."""
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    names = {"laws": asked_laws(), "pd": pd}
    result = doctest.testmod(module, extraglobs=names, optionflags=FLAGS)
    assert result.failed == 0
    assert result.attempted > 0
