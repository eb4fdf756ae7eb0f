"""Fixtures of all tests: planted rows, the laws found on them, and a run folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from mtl_laws import LawSet
    from mtl_laws.pipeline.laws.rows import Rows

pytest.register_assert_rewrite("support", "mtl_laws.pipeline.testing")

settings.register_profile("reproducible", derandomize=True)  # the same examples in every run
settings.load_profile("reproducible")


@pytest.fixture
def rows() -> Rows:
    """The planted table as rows: y explained by n, T and AMI."""
    from support.planted import planted_table
    from support.rows import posed

    return posed(planted_table().drop(columns="decoy")).data


@pytest.fixture(scope="session")
def lawset() -> LawSet:
    """The laws that a tiny budget finds in the planted table."""
    from mtl_laws import fit_laws
    from support.planted import planted_table

    table = planted_table().drop(columns="decoy")
    return fit_laws(table, "y", ["n", "T", "ami"], (0, 1), engine="grammar", budget="tiny", jobs=1)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run whose models a stand-in has trained; do not change it."""
    from mtl_laws import run_study
    from mtl_laws.pipeline.study import workers
    from support.tiny_runs import QUIET, STUDY, Trainer, study

    out = tmp_path_factory.mktemp("runs") / "finished"
    settings = "laws: {engine: grammar}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "train_together", Trainer())
        run_study(study(STUDY + settings), out, options=QUIET)
    return out


@pytest.fixture
def run_folder(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of a finished run's folder, to be changed at will."""
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """``pytest --update-messages`` writes ``tests/messages.txt`` again."""
    parser.addoption("--update-messages", action="store_true", help="rewrite tests/messages.txt")
