"""Where PySR's Julia is, whether PySR has worked with it, and its installation.

Two generations of juliacall find Julia in different ways. Before 0.9.28 it has no settings of its
own and asks juliapkg: ``PYTHON_JULIAPKG_EXE``, ``PYTHON_JULIAPKG_PROJECT``. From 0.9.28 on
``PYTHON_JULIACALL_EXE`` and ``PYTHON_JULIACALL_PROJECT`` come first, but only both together.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mtl_laws.pipeline.errors import EngineNotReadyError
from mtl_laws.pipeline.symbolic.engines.base import Readiness

SUPPORTED = ((1, 5), (3, 0))
#: from this juliacall on its own variables count
OWN_VARIABLES = (0, 9, 28)
HINT = "mtl-laws engines --install pysr"
CALL_EXE, CALL_PROJECT = "PYTHON_JULIACALL_EXE", "PYTHON_JULIACALL_PROJECT"
CALL_BIN = "PYTHON_JULIACALL_BINDIR"
PKG_EXE, PKG_PROJECT = "PYTHON_JULIAPKG_EXE", "PYTHON_JULIAPKG_PROJECT"
PKG_OFFLINE = "PYTHON_JULIAPKG_OFFLINE"
#: what a failed download names: the address, or the host alone
ADDRESS = re.compile(r"https?://([^/\s\"'`:)\]]+)|[Rr]esolve host:? ['\"]?([\w.-]+\w)")
UNREACHED = re.compile(
    r"URLError|gaierror|[Cc]ould not resolve|[Nn]ame resolution"
    r"|[Cc]onnection (?:refused|timed|reset)"
    r"|[Tt]imed out|[Nn]etwork is unreachable|HTTPError|RequestError|Tunnel connection failed"
)


@dataclass(frozen=True)
class Julia:
    """A Julia with a project for PySR, as juliacall finds it.

    Attributes
    ----------
    executable, project : paths.
    pysr, juliacall : versions.
    """

    executable: str
    project: str
    pysr: str
    juliacall: str

    def key(self) -> str:
        """A digest of all that decides whether PySR works: paths, their dates, versions."""
        manifests = sorted(Path(self.project).glob("*Manifest*.toml"))
        facts = [*asdict(self).values()]
        for path in (Path(self.executable), *manifests):
            status = path.stat()
            facts.append(f"{path} {status.st_size} {status.st_mtime_ns}")
        facts.append(sys.executable)
        facts += [os.environ.get(name, "") for name in ("JULIA_DEPOT_PATH", PKG_OFFLINE)]
        return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def find_julia() -> Julia | Readiness:
    """The Julia that PySR would use; what is missing where there is none. Starts nothing."""
    if find_spec("pysr") is None:
        return Readiness(False, "pysr is not installed: pip install 'pysr>=1.5,<3'")
    pysr = metadata.version("pysr")
    if not SUPPORTED[0] <= numbers(pysr)[:2] < SUPPORTED[1]:
        return Readiness(False, f"pysr {pysr} is installed; pysr>=1.5,<3 is needed")
    if find_spec("juliacall") is None:
        return Readiness(False, "juliacall is not installed: pip install pysr")
    call = metadata.version("juliacall")
    environment = os.environ
    folder = environment.get(CALL_BIN)
    executable = environment.get(CALL_EXE) or (str(Path(folder) / "julia") if folder else None)
    project = environment.get(CALL_PROJECT)
    if numbers(call) >= OWN_VARIABLES and (executable or project):
        if not (executable and project):
            one, other = (CALL_EXE, CALL_PROJECT) if executable else (CALL_PROJECT, CALL_EXE)
            return Readiness(False, f"{one} is set without {other}; juliacall {call} needs both")
        return _existing(executable, project, pysr, call)
    ignored = ""
    if executable or project:
        ignored = f"; juliacall {call} reads {PKG_EXE} and {PKG_PROJECT}, not {CALL_EXE}"
    return _of_juliapkg(pysr, call, ignored)


def _of_juliapkg(pysr: str, call: str, ignored: str) -> Julia | Readiness:
    """The Julia of juliapkg: its variables, else what it installed into the environment."""
    project = os.environ.get(PKG_PROJECT) or _default_project()
    if not Path(project).is_absolute():
        return Readiness(False, f"{PKG_PROJECT} is {project}; an absolute path is needed")
    executable = os.environ.get(PKG_EXE)
    offline = os.environ.get(PKG_OFFLINE) == "yes"
    resolved = Path(project) / "pyjuliapkg" / "meta.json"
    if not offline and not resolved.is_file():
        if os.environ.get(PKG_EXE) or os.environ.get(PKG_PROJECT):
            ignored = f"; a copied one needs {PKG_OFFLINE}=yes, too"
        return Readiness(False, f"pysr {pysr} has no Julia yet: {HINT}{ignored}")
    if executable is None and resolved.is_file():
        with suppress(OSError, ValueError, KeyError, TypeError):
            executable = str(json.loads(resolved.read_text(encoding="utf-8"))["executable"])
    return _existing(executable or "julia", project, pysr, call)


def _existing(executable: str, project: str, pysr: str, call: str) -> Julia | Readiness:
    path = shutil.which(executable)
    if path is None:
        return Readiness(False, f"no Julia at {executable}")
    if not Path(project).is_dir():
        return Readiness(False, f"no Julia project at {project}")
    manifests = [*Path(project).glob("*Manifest*.toml")]
    texts = [manifest.read_text(encoding="utf-8", errors="replace") for manifest in manifests]
    if not any("SymbolicRegression" in text for text in texts):
        return Readiness(False, f"the Julia project {project} does not hold SymbolicRegression")
    return Julia(path, project, pysr, call)


def _default_project() -> str:
    """Where juliapkg has its project: in the environment, else in Julia's depot."""
    prefix = sys.prefix if sys.prefix != sys.base_prefix else os.environ.get("CONDA_PREFIX")
    if prefix is not None:
        return os.path.abspath(os.path.join(prefix, "julia_env"))
    depot = os.environ.get("JULIA_DEPOT_PATH", "").split(os.pathsep)[0]
    folder = Path(depot) if depot else Path.home() / ".julia"
    return str(folder.absolute() / "environments" / "pyjuliapkg")


def numbers(version: str) -> tuple[int, ...]:
    """The first three numbers of a version."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


# --- what was tried ----------------------------------------------------------------------------


def remembered(julia: Julia) -> Readiness | None:
    """The outcome of an earlier trial with this Julia; None without one."""
    record = _records().get(julia.key())
    if not isinstance(record, dict):
        return None
    return Readiness(bool(record.get("ready")), str(record.get("reason")))


def remember(julia: Julia, outcome: Readiness) -> None:
    """Keep the outcome of a trial in the user's cache folder, where that can be written."""
    records = {**_records(), julia.key(): asdict(outcome)}
    path = _cache()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, delete=False, encoding="utf-8"
        ) as file:
            json.dump(records, file, indent=1)
        os.replace(file.name, path)


def _records() -> dict[str, Any]:
    try:
        content = json.loads(_cache().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _cache() -> Path:
    folder = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(folder) if folder else Path.home() / ".cache") / "mtl-laws" / "pysr.json"


# --- installation ------------------------------------------------------------------------------


def install() -> None:
    """Download Julia and PySR's packages (some hundred megabytes), its progress on the terminal.

    Raises
    ------
    EngineNotReadyError
        if that failed: what could not be reached, and what to do instead.
    """
    command = [sys.executable, "-c", "import pysr"]
    environment = {k: v for k, v in os.environ.items() if k != PKG_OFFLINE}
    lines: list[str] = []
    failed = False
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            failed |= line.startswith(("Traceback", "ERROR:"))
            if not failed:
                print(lines[-1], file=sys.stderr, flush=True)
    if process.returncode:
        raise EngineNotReadyError("install", _advice(lines), "pysr")


def _advice(lines: list[str]) -> str:
    """What a machine needs on which the installation works, from the output of a failed one."""
    by_hand = (
        "without a network, copy Julia and its project from another machine as docs/faq.md says, "
        "or use Operon"
    )
    unreached = [line for line in lines if UNREACHED.search(line)]
    if not unreached:
        last = next((line for line in reversed(lines) if line.strip()), "no output")
        return f"a machine on which Julia installs; it ended with: {last.strip()[:200]}; {by_hand}"
    hosts = [m[1] or m[2] for line in reversed(lines) for m in ADDRESS.finditer(line)]
    host = hosts[0] if hosts else "Julia's servers"
    return f"a machine that reaches {host}; {unreached[-1].strip()[:120]}; {by_hand}"
