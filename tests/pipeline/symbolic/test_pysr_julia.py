"""Where PySR's Julia is looked for, what ready means, and an installation without a network."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mtl_laws.pipeline.errors import EngineNotReadyError
from mtl_laws.pipeline.symbolic.engines.pysr import PySR
from mtl_laws.pipeline.symbolic.engines.pysr import julia as julia_module
from mtl_laws.pipeline.symbolic.engines.pysr.julia import install
from mtl_laws.pipeline.symbolic.engines.registry import choose
from support.pysr_stand_in import GENERATIONS, StandIn, paths

VARIABLES = (
    "PYTHON_JULIACALL_EXE",
    "PYTHON_JULIACALL_PROJECT",
    "PYTHON_JULIACALL_BINDIR",
    "PYTHON_JULIAPKG_EXE",
    "PYTHON_JULIAPKG_PROJECT",
    "PYTHON_JULIAPKG_OFFLINE",
    "CONDA_PREFIX",
)
FAILED_DOWNLOAD = """
import sys
print("[juliapkg] Querying Julia versions from https://releases.example.org/bin/versions.json")
print("Traceback (most recent call last):", file=sys.stderr)
for k in range(80):
    print(f'  File "urllib/request.py", line {k}, in open', file=sys.stderr)
print("urllib.error.URLError: <urlopen error [Errno -2] Name not known>", file=sys.stderr)
sys.exit(1)
"""

Maker = Callable[..., StandIn]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maker:
    """A stand-in that this process and its children find, in an environment without a Julia."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    stand_in = StandIn(folder=tmp_path / "packages")
    monkeypatch.setenv("PYTHONPATH", paths(stand_in.folder))
    monkeypatch.syspath_prepend(stand_in.folder)
    return lambda **changes: replace(stand_in, **changes).write()


def set_all(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("version", GENERATIONS)
def test_a_julia_copied_from_another_machine_is_found_and_tried_once(
    make: Maker, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """The recipe of the FAQ, for both generations of juliacall."""
    stand_in = make(version=version)
    assert not PySR().readiness().ready
    assert not stand_in.starts()
    set_all(monkeypatch, stand_in.variables())
    engine = PySR()
    readiness = engine.readiness()
    assert readiness.ready, readiness.reason
    assert f"pysr {version}, Julia 1.10.8" in readiness.reason
    assert len(stand_in.requests(warm=True)) == 1, "one tiny fit"
    assert PySR().readiness() == readiness
    assert len(stand_in.starts()) == 1, "remembered"
    assert engine.check().ready
    assert len(stand_in.starts()) == 2
    engine.close()


@pytest.mark.parametrize("version", GENERATIONS)
def test_the_variables_of_the_other_generation_do_not_make_it_ready(
    make: Maker, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    other = next(name for name in GENERATIONS if name != version)
    stand_in = make(version=version)
    variables = replace(stand_in, version=other).variables()
    if version == "2.7.2":  # juliapkg's count there, too, unless juliacall's own are set
        variables = {"PYTHON_JULIACALL_EXE": variables["PYTHON_JULIAPKG_EXE"]}
    set_all(monkeypatch, variables)
    readiness = PySR().readiness()
    assert not readiness.ready
    assert "PYTHON_JULIAPKG_EXE" in readiness.reason or "needs both" in readiness.reason
    assert not stand_in.starts()


def test_juliapkgs_variables_count_in_both_generations(
    make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = make(version="2.7.2")
    set_all(monkeypatch, replace(stand_in, version="1.5.10").variables())
    engine = PySR()
    assert engine.readiness().ready
    engine.close()


def test_any_program_and_any_project_are_not_enough(
    make: Maker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in = make(version="2.7.2", fails_at="import")
    empty = tmp_path / "empty"
    empty.mkdir()
    _, project = stand_in.julia()
    for exe, where, reason in (
        (os.devnull + "/julia", project, "no Julia at"),
        ("/bin/true", tmp_path / "none", "no Julia project at"),
        ("/bin/true", empty, "does not hold SymbolicRegression"),
    ):
        set_all(
            monkeypatch,
            {"PYTHON_JULIACALL_EXE": exe, "PYTHON_JULIACALL_PROJECT": str(where)},
        )
        readiness = PySR().readiness()
        assert not readiness.ready
        assert reason in readiness.reason
        assert not stand_in.starts()
    monkeypatch.setenv("PYTHON_JULIACALL_EXE", "/bin/true")
    monkeypatch.setenv("PYTHON_JULIACALL_PROJECT", str(project))
    readiness = PySR().readiness()
    assert not readiness.ready
    assert "libjulia.so is missing" in readiness.reason
    assert "\n" not in readiness.reason
    with pytest.raises(EngineNotReadyError, match="libjulia"):
        choose("pysr")


def test_a_failed_trial_is_remembered_until_something_changes(
    make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = make(fails_at="first fit")
    set_all(monkeypatch, stand_in.variables())
    reason = PySR().readiness().reason
    assert "no method matching this" in reason
    assert PySR().readiness().reason == reason
    assert len(stand_in.starts()) == 1
    make(fails_at="")
    manifest = stand_in.folder / "julia_env" / "Manifest.toml"
    manifest.write_text("[[deps.SymbolicRegression]]\n# repaired", encoding="utf-8")
    engine = PySR()
    assert engine.readiness().ready
    engine.close()


def test_a_project_of_the_environment_is_found_when_it_was_resolved(
    make: Maker, tmp_path: Path
) -> None:
    stand_in = make()
    program, _ = stand_in.julia()
    project = tmp_path / "environment" / "julia_env"
    (project / "pyjuliapkg").mkdir(parents=True)
    (project / "Manifest.toml").write_text("[[deps.SymbolicRegression]]", encoding="utf-8")
    assert "has no Julia yet" in PySR().readiness().reason
    meta = f'{{"executable": "{program}"}}'
    (project / "pyjuliapkg" / "meta.json").write_text(meta, encoding="utf-8")
    engine = PySR()
    assert engine.readiness().ready
    engine.close()


def test_an_unreadable_memory_is_none(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = make()
    set_all(monkeypatch, stand_in.variables())
    cache = julia_module._cache()
    cache.parent.mkdir(parents=True)
    cache.write_text("{", encoding="utf-8")
    engine = PySR()
    assert engine.readiness().ready
    assert PySR().readiness().ready
    assert len(stand_in.starts()) == 1
    engine.close()


def test_an_installation_without_a_network_ends_with_one_line(
    make: Maker, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    real = subprocess.Popen

    def popen(command: list[str], **settings: object) -> object:
        return real([sys.executable, "-c", FAILED_DOWNLOAD], **settings)

    make()
    monkeypatch.setattr(subprocess, "Popen", popen)
    with pytest.raises(EngineNotReadyError) as error:
        install()
    printed = capfd.readouterr().err
    assert printed.splitlines() == [
        "[juliapkg] Querying Julia versions from https://releases.example.org/bin/versions.json"
    ]
    message = str(error.value)
    assert "\n" not in message
    assert "releases.example.org" in message
    assert "Name not known" in message
    assert "copy Julia and its project from another machine" in message


def test_an_installation_that_fails_otherwise_says_how_it_ended(
    make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(fails_at="import")
    with pytest.raises(EngineNotReadyError, match="it ended with: ImportError: libjulia"):
        install()


def test_versions_that_are_not_supported_are_named(make: Maker) -> None:
    stand_in = make()
    info = stand_in.folder / "pysr-1.5.10.dist-info" / "METADATA"
    info.write_text("Metadata-Version: 2.1\nName: pysr\nVersion: 0.19.4\n", encoding="utf-8")
    readiness = PySR().readiness()
    assert not readiness.ready
    assert "pysr 0.19.4 is installed; pysr>=1.5,<3 is needed" in readiness.reason
