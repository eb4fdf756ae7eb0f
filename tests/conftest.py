"""Fixtures of all tests: planted rows, the laws found on them, a run folder, an installed wheel."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
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
    settings = "laws: {engine: grammar, budget: tiny}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "train_together", Trainer())
        run_study(study(STUDY + settings), out, options=QUIET)
    return out


@pytest.fixture
def run_folder(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of a finished run's folder, to be changed at will."""
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the source distribution of the files that git knows, built without a network."""
    from support.documents import ROOT

    if importlib.util.find_spec("setuptools") is None:
        pytest.skip("setuptools is not installed: pip install -e '.[dev]'")
    tree, out = (tmp_path_factory.mktemp(name) for name in ("tree", "wheel"))
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        capture_output=True,
        check=False,
        cwd=ROOT,
    )
    if names.returncode != 0:
        pytest.skip("not a git checkout: nobody says which files belong to the wheel")
    for name in filter(None, names.stdout.decode().split("\0")):
        source, copy = ROOT / name, tree / name
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())
    backend = "import setuptools.build_meta, sys; setuptools.build_meta.build_sdist(sys.argv[1])"
    _succeed([sys.executable, "-W", "ignore", "-c", backend, str(out)], tree)
    (archive,) = out.glob("*.tar.gz")
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", *offline]
    _succeed([*pip, "--wheel-dir", str(out), str(archive)], out)
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment with the wheel and the libraries of this one."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    _succeed([sys.executable, "-m", "venv", str(venv)], venv.parent)
    scheme = {"base": str(venv), "platbase": str(venv)}
    programs = Path(sysconfig.get_path("scripts", vars=scheme))
    pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    _succeed([*pip, "--disable-pip-version-check", str(wheel)], venv.parent)
    site = Path(sysconfig.get_path("purelib", vars=scheme))
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return programs


def _succeed(command: Sequence[str], folder: Path) -> None:
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert answer.returncode == 0, answer.stderr


def pytest_addoption(parser: pytest.Parser) -> None:
    """``pytest --update-messages`` writes ``tests/messages.txt`` again."""
    parser.addoption("--update-messages", action="store_true", help="rewrite tests/messages.txt")
