"""PySR (Cranmer 2023) in a separate, long-lived process.

Only features common to PySR 1.5 and 2.x are used; `settings` handles their differences. Nothing is
downloaded unless `install` is called.

A process that is killed (`kill -9`, out of memory) is replaced and the request made again, once: as
requests are deterministic, the answer is that of an undisturbed search. One that ends by an error
of its own or is killed again is an engine failure.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from mtl_laws.pipeline.errors import EngineError, EngineNotReadyError
from mtl_laws.pipeline.symbolic.engines.base import Readiness, Request, design_matrix

WORKER = Path(__file__).with_name("pysr_worker.py")
#: -P: the script's own folder, in which this module is called pysr too, is not searched for modules
COMMAND = (sys.executable, "-P", str(WORKER))
SUPPORTED = ((1, 5), (3, 0))
#: seconds for Julia to start (it may compile), and beyond a request's own limit for it to answer
START_LIMIT, GRACE = 900.0, 60.0
#: seconds for a process that has closed its answers to be gone
ENDING = 10.0
#: one iteration evaluates about populations x cycles expressions
POPULATIONS, POPULATION_SIZE, CYCLES = 12, 33, 400
HINT = "mtl-laws engines --install pysr"


class KilledError(EngineError):
    """The process was killed from outside; nothing is wrong with the request."""


class PySR:
    """Regularised evolution in Julia; its equations table is the answer."""

    name = "pysr"
    #: searches run one after another in the parent, through the one warm process
    own_process = True
    knows_groups = False

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._command = tuple(command)
        self._process: _Process | None = None

    def readiness(self) -> Readiness:
        """Ready where pysr and its Julia are both installed; asks, never downloads."""
        if find_spec("pysr") is None:
            return Readiness(False, "pysr is not installed: pip install 'pysr>=1.5,<3'")
        version = metadata.version("pysr")
        if not SUPPORTED[0] <= _version_numbers(version) < SUPPORTED[1]:
            return Readiness(False, f"pysr {version} is installed; pysr>=1.5,<3 is needed")
        return _julia(version)

    def search(self, request: Request) -> Sequence[str]:
        """Expressions of PySR's front, with numbers."""
        begin = time.monotonic()
        try:
            return self._search(request)
        except KilledError:
            return self._search(_with_time_left(request, time.monotonic() - begin))

    def _search(self, request: Request) -> Sequence[str]:
        design, scales = design_matrix(request.sample)
        message = {
            "rows": design.astype(float).tolist(),
            "target": request.sample.target.tolist(),
            "weights": request.sample.weight.tolist(),
            "settings": settings(request),
        }
        limit = None if request.time_limit is None else request.time_limit + GRACE
        reply = self._running_process().ask(message, limit)
        return [to_text(row["equation"], scales) for row in reply["front"]]

    def close(self) -> None:
        """End the process; the next search starts a new one."""
        if self._process is not None:
            self._process.kill()
        self._process = None

    def _running_process(self) -> _Process:
        if self._process is None or not self._process.alive():
            self.close()
            self._process = self._new_process()
        return self._process

    def _new_process(self) -> _Process:
        try:
            return _Process(self._command)
        except OSError as error:  # no memory, no disk, no Python any more
            reason = (error.strerror or type(error).__name__).lower()
            raise EngineError(f"pysr: its process cannot be started: {reason}") from error


def settings(request: Request) -> dict[str, Any]:
    """Keyword arguments of ``PySRRegressor`` for a request: those that 1.5 and 2.x share.

    Defaults that changed between the two (annealing, batching, standard input) are always given.
    Serial and deterministic, so that a seed means something; powers may only have a small exponent,
    and no function stands inside itself: such nests fit noise and break outside.
    """
    iterations = max(round(request.evaluations / (POPULATIONS * CYCLES)), 2)
    return {
        "binary_operators": ["+", "-", "*", "/", "^"],
        "unary_operators": ["sqrt", "log", "exp"],
        "constraints": {"^": (-1, 5), "log": 9, "exp": 7, "sqrt": 9},
        "nested_constraints": {
            "exp": {"exp": 0, "log": 0},
            "log": {"log": 0, "exp": 0, "sqrt": 0},
            "sqrt": {"sqrt": 0, "log": 0, "exp": 0},
        },
        "complexity_of_operators": {"^": 1, "exp": 2, "log": 1, "sqrt": 1},
        "maxsize": max(request.max_complexity, 7),
        "niterations": iterations,
        "populations": POPULATIONS,
        "population_size": POPULATION_SIZE,
        "ncycles_per_iteration": CYCLES,
        "timeout_in_seconds": request.time_limit,
        "random_state": request.seed,
        "deterministic": True,
        "parallelism": "serial",
        "precision": 64,
        "batching": False,
        "annealing": False,
        "progress": False,
        "verbosity": 0,
        "temp_equation_file": True,
        "delete_tempfiles": True,
        # 1.x reads standard input for a "q" by default; ours carries requests
        "input_stream": "devnull",
    }


def _with_time_left(request: Request, spent: float) -> Request:
    """The same request with the rest of its time limit."""
    if request.time_limit is None:
        return request
    return replace(request, time_limit=max(request.time_limit - spent, 1.0))


def to_text(equation: str, scales: dict[str, float]) -> str:
    """The expression of PySR's equation: ``x0`` is the first factor over its scale, ``^`` power."""
    names = list(scales)

    def factor(match: re.Match[str]) -> str:
        name = names[int(match[1])]
        return f"({1.0 / scales[name]!r} * {name})"

    return re.sub(r"\bx(\d+)\b", factor, equation).replace("^", "**")


def install() -> str:
    """Install Julia and PySR's packages (downloads some hundred megabytes); says where they are.

    Raises
    ------
    EngineNotReadyError
        if the download or the compilation failed.
    """
    command = [sys.executable, "-c", "import pysr; print(pysr.__version__)"]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    ready = PySR().readiness()
    if process.returncode or not ready.ready:
        reason = ready.reason if process.returncode == 0 else "its installation failed, see above"
        raise EngineNotReadyError(
            "install", f"a machine on which Julia installs ({reason})", "pysr"
        )
    return ready.reason


def _julia(version: str) -> Readiness:
    """Whether Julia with PySR's packages is installed, as juliacall would find it."""
    executable = os.environ.get("PYTHON_JULIACALL_EXE", "")
    if executable and not executable.startswith("@"):
        path = shutil.which(executable)
        reason = f"pysr {version}, Julia at {path}" if path else f"no Julia at {executable}"
        return Readiness(path is not None, reason)
    if find_spec("juliapkg") is None:
        return Readiness(False, "juliapkg is not installed: pip install pysr")
    import juliapkg.deps
    from juliapkg.state import STATE

    if juliapkg.deps.can_skip_resolve():
        return Readiness(True, f"pysr {version}, Julia in {STATE['project']}")
    manifest = Path(STATE["project"]) / "Manifest.toml"
    if manifest.is_file() and "SymbolicRegression" in manifest.read_text(encoding="utf-8"):
        return Readiness(True, f"pysr {version}, Julia packages in {STATE['project']}")
    return Readiness(False, f"pysr {version} has no Julia yet: {HINT}")


def _version_numbers(version: str) -> tuple[int, int]:
    numbers = re.findall(r"\d+", version)
    return int(numbers[0]), int(numbers[1])


class _Process:
    """The worker process with a thread that reads its answers, so that waiting has a limit."""

    def __init__(self, command: Sequence[str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mtl-laws-pysr-")
        self._log = Path(self._folder.name) / "stderr.txt"
        self._process = self._popen(command)
        self._answers: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._receive(START_LIMIT)

    def _popen(self, command: Sequence[str]) -> subprocess.Popen[str]:
        try:
            with self._log.open("w", encoding="utf-8") as log:
                return subprocess.Popen(
                    (*command, str(os.getpid())),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    cwd=self._folder.name,
                    env={**os.environ, "PYTHON_JULIACALL_HANDLE_SIGNALS": "yes"},
                    text=True,
                )
        except OSError:
            self._folder.cleanup()
            raise

    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, message: dict[str, Any], limit: float | None) -> dict[str, Any]:
        stdin = self._process.stdin
        with suppress(BrokenPipeError):  # it has ended: its answer, which is none, says so
            print(json.dumps(message), file=stdin, flush=True)
        return self._receive(limit)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join(ENDING)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # what was still to be sent
                    pipe.close()
        self._folder.cleanup()

    def _read(self) -> None:
        pipe = self._process.stdout
        for line in pipe or ():
            self._answers.put(line)
        self._answers.put("")

    def _receive(self, limit: float | None) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=limit)
        except Empty as error:
            self.kill()
            raise EngineError(f"pysr: no answer within {limit:.0f} s; stopped") from error
        if not line.endswith("\n"):  # nothing, or half an answer
            raise self._failure()
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _failure(self) -> EngineError:
        """The error for a process that has ended, after its files are removed."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(ENDING)
        code = self._process.poll()
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        self.kill()
        if code is not None and code < 0:
            return KilledError(f"pysr: its process was killed by signal {-code}, twice")
        words = f": {lines[-1][:200]}" if lines else " without a word"
        return EngineError(f"pysr: its process ended with code {code}{words}")
