"""The installed package: what a wheel holds, and what a stranger's folder cannot break."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

import mtl_laws.pipeline
from support.documents import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
#: the folder on the path that holds the package, where no editable install finds it
PLACE = Path(mtl_laws.pipeline.__path__[0]).parents[1]

#: packages that hold data and no code
DATA = ("mtl_laws.data.example", "mtl_laws.data.reference")

PUBLIC = (
    "from mtl_laws import (\n"
    "    Law, LawRegressor, LawSet, Study, UserError, advise, fit_laws, load_reference, plug_in,\n"
    "    predict, run_study,\n"
    ")\n"
)
STRANGER = "raise RuntimeError('a file of the user was imported instead of the package')\n"
WORKERS = """
import joblib
from mtl_laws.pipeline.study.study import Study

def worker(number):
    import os
    from mtl_laws.pipeline.errors import UserError
    return os.getpid(), UserError("path", "expected", number).got

if __name__ == "__main__":
    import os
    backend = joblib.Parallel(n_jobs=2, backend="loky")
    results = backend(joblib.delayed(worker)(number) for number in range(4))
    assert [got for _, got in results] == [0, 1, 2, 3], results
    assert os.getpid() not in {process for process, _ in results}
    print("workers know mtl_laws")
"""
INSIDE = """
import sys
from pathlib import Path
import mtl_laws.pipeline
from mtl_laws import load_reference
assert Path(mtl_laws.pipeline.__file__).is_relative_to(sys.prefix), mtl_laws.pipeline.__file__
assert len(load_reference("sharing"))
"""
TYPED = """
from mtl_laws import Law, LawRegressor, LawSet, Study, UserError, fit_laws, load_reference, predict

laws = fit_laws(load_reference("sharing"), "accuracy", ["n", "T"])
reveal_type(laws)
reveal_type(laws.law)
reveal_type(Study.load)
reveal_type(LawRegressor().fit)
reveal_type(UserError("path", "expected", "got").path)
fit_laws(1, "accuracy", ["n"])
"""


def environment() -> Mapping[str, str]:
    """This process's variables, with the package where these tests have it."""
    others = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    linked = (PLACE / "mtl_laws" / "__init__.py").is_file()
    return {**others, "PYTHONPATH": str(PLACE)} if linked else others


def python(code: str, folder: Path) -> str:
    """What a program prints that runs in a folder."""
    program = folder / "program.py"
    program.write_text(code, encoding="utf-8")
    answer = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment(),
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.fixture
def strange_folder(tmp_path: Path) -> Path:
    """A folder with the user's own `pipeline.py` and `simulator.py`."""
    for name in ("pipeline", "simulator"):
        (tmp_path / f"{name}.py").write_text(STRANGER, encoding="utf-8")
    return tmp_path


def test_every_folder_with_an_init_is_listed_as_a_package() -> None:
    folders = {
        ".".join(("mtl_laws", *path.parent.relative_to(ROOT).parts))
        for folder in ("pipeline", "simulator")
        for path in (ROOT / folder).rglob("__init__.py")
    }
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    assert listed == folders | {"mtl_laws", *DATA}


def test_public_names_work_beside_the_users_own_modules(strange_folder: Path) -> None:
    code = PUBLIC + "print(load_reference.__module__, fit_laws.__module__)"
    assert python(code, strange_folder).split() == [
        "mtl_laws.pipeline.reference_data",
        "mtl_laws.pipeline.fit",
    ]


def test_workers_work_beside_the_users_own_modules(strange_folder: Path) -> None:
    assert python(WORKERS, strange_folder).strip() == "workers know mtl_laws"


def test_a_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"mtl_laws"}
    sources = {
        f"mtl_laws/{path.relative_to(ROOT).as_posix()}"
        for folder in ("pipeline", "simulator")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    sources |= {
        f"mtl_laws/{path.relative_to(ROOT).as_posix()}"
        for name in DATA
        for path in (ROOT / name.replace("mtl_laws.", "").replace(".", "/")).iterdir()
    }
    sources |= {f"mtl_laws/{path.name}" for path in (ROOT / "src" / "mtl_laws").glob("*.py*")}
    assert sorted(sources - names) == []
    for part in ("templates/report.css", "native/adamw.c", "studies/quick.yaml", "py.typed"):
        assert any(name.endswith(part) for name in names), part


@pytest.mark.slow
def test_an_installed_wheel_is_what_runs(installed: Path, tmp_path: Path) -> None:
    """In an environment of its own, which sees the libraries of this one and not the checkout."""
    variables = {**os.environ, "PYTHONPATH": ""}
    asked = "simulate --family teacher --tasks 2 --ami 0.5 --tokens 100 --format jsonl --out made"
    for command in (
        [str(installed / "mtl-laws"), *asked.split()],
        [str(installed / "python"), "-c", INSIDE],
    ):
        answer = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=tmp_path, env=variables
        )
        assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "made" / "taskset.json").is_file()


@pytest.mark.slow
def test_type_checkers_know_the_public_names(wheel: Path, tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    program = tmp_path / "program.py"
    program.write_text(TYPED, encoding="utf-8")
    answer = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--config-file",
            os.devnull,
            "--follow-imports",
            "silent",
            str(program),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(tmp_path / "installed")},
    )
    revealed = [line.split('"')[1] for line in answer.stdout.splitlines() if "Revealed" in line]
    assert revealed[:2] == [
        "mtl_laws.pipeline.laws.lawset.LawSet",
        "mtl_laws.pipeline.laws.law.Law",
    ]
    assert not any("Any" in kind.split("->")[-1] for kind in revealed), revealed
    errors = [line for line in answer.stdout.splitlines() if ": error: " in line]
    assert len(errors) == 1, answer.stdout
    assert 'incompatible type "int"' in errors[0]
