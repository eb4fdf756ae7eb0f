"""The installed package: what a wheel holds, and what a stranger's folder cannot break."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
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
    assert listed == folders | {"mtl_laws", "mtl_laws.data.reference"}


def test_public_names_work_beside_the_users_own_modules(strange_folder: Path) -> None:
    code = PUBLIC + "print(load_reference.__module__, fit_laws.__module__)"
    assert python(code, strange_folder).split() == [
        "mtl_laws.pipeline.reference_data",
        "mtl_laws.pipeline.fit",
    ]


def test_workers_work_beside_the_users_own_modules(strange_folder: Path) -> None:
    assert python(WORKERS, strange_folder).strip() == "workers know mtl_laws"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the files that git knows, built without a network."""
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
    built = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--no-index",
            "--disable-pip-version-check",
            "--wheel-dir",
            str(out),
            str(tree),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (path,) = out.glob("*.whl")
    return path


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
        for kind in ("*.parquet", "manifest.json")
        for path in (ROOT / "data" / "reference").glob(kind)
    }
    sources |= {f"mtl_laws/{path.name}" for path in (ROOT / "src" / "mtl_laws").glob("*.py*")}
    assert sorted(sources - names) == []
    for part in ("templates/report.css", "native/adamw.c", "studies/quick.yaml", "py.typed"):
        assert any(name.endswith(part) for name in names), part


@pytest.mark.slow
def test_an_installed_wheel_simulates(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own, which sees the libraries of this one and not the checkout."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    scheme = {"base": str(venv), "platbase": str(venv)}
    site = Path(sysconfig.get_path("purelib", vars=scheme))
    commands = Path(sysconfig.get_path("scripts", vars=scheme))
    pip = [str(commands / "python"), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--disable-pip-version-check", str(wheel)], check=True)
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    asked = "simulate --family teacher --tasks 2 --ami 0.5 --tokens 100 --format jsonl --out made"
    variables = {**os.environ, "PYTHONPATH": ""}
    answer = subprocess.run(
        [str(commands / "mtl-laws"), *asked.split()],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=variables,
    )
    assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "made" / "taskset.json").is_file()
    place = "import mtl_laws.pipeline; print(mtl_laws.pipeline.__file__)"
    found = subprocess.run(
        [str(commands / "python"), "-c", place],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=variables,
    )
    assert Path(found.stdout.strip()).is_relative_to(site)


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
