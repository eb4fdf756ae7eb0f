"""The engine PySR: a request's parts go to warm processes, their fronts are the answer.

Nothing is downloaded unless `install` is called. Ready means that PySR has once made a fit with the
Julia that it finds; the outcome is remembered until executable, project or versions change.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import metadata
from typing import Any

from mtl_laws.pipeline.errors import EngineError, EngineNotReadyError, OutOfTimeError
from mtl_laws.pipeline.symbolic.engines.base import Answer, Readiness, Request
from mtl_laws.pipeline.symbolic.engines.pysr import julia
from mtl_laws.pipeline.symbolic.engines.pysr.process import (
    COMMAND,
    KilledError,
    Pool,
    Reply,
)
from mtl_laws.pipeline.symbolic.engines.pysr.settings import (
    Part,
    Version,
    check_options,
    parts,
    warm_up,
)

CHECK = "mtl-laws engines --check"


class PySR:
    """Regularised evolution in Julia; its equations tables are the answer."""

    name = "pysr"
    own_process = True
    knows_groups = False
    #: measured with 1.5.10 on one core: some 100,000 evaluations a second
    pace = 15.0

    @property
    def wants_guesses(self) -> bool:
        """Whether the installed version starts from expressions that it is given."""
        return _version() >= (2, 0)

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._command = tuple(command)
        self._pool: Pool | None = None
        self._lock = threading.Lock()

    def readiness(self) -> Readiness:
        """Whether PySR has worked with its Julia; tries it, once, where Julia is installed."""
        found = julia.find_julia()
        if isinstance(found, Readiness):
            return found
        return julia.remembered(found) or self._try(found)

    def check(self) -> Readiness:
        """The readiness after a new trial."""
        found = julia.find_julia()
        return found if isinstance(found, Readiness) else self._try(found)

    def _try(self, found: julia.Julia) -> Readiness:
        """Start a process and let it make a tiny fit; it stays for the searches that follow."""
        begin = time.monotonic()
        self.close()
        try:
            worker = self._running_pool().first()
        except EngineError as error:
            self.close()
            outcome = Readiness(False, f"{error}; after a repair: {CHECK}")
            if isinstance(error, KilledError | OutOfTimeError):
                return outcome  # by chance, perhaps: it is tried again
        else:
            seconds = time.monotonic() - begin
            versions = f"pysr {worker.versions['pysr']}, Julia {worker.versions['julia']}"
            outcome = Readiness(
                True, f"{versions} at {found.executable}, starts in {seconds:.0f} s"
            )
        julia.remember(found, outcome)
        return outcome

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Refuse options that mtl-laws sets itself, and those that this version lacks."""
        check_options(options, metadata.version("pysr"))

    def prepare(self, workers: int) -> None:
        """Begin to start processes, so that they are warm when they are needed."""
        self._running_pool().prepare(workers)

    def search(self, request: Request) -> Answer:
        """Expressions of PySR's fronts, with numbers.

        Raises
        ------
        EngineError
            if no part of the request was answered.
        """
        limit = request.time_limit
        deadline = None if limit is None else time.monotonic() + limit
        pieces, pool = parts(request, _version()), self._running_pool()
        with ThreadPoolExecutor(len(pieces)) as threads:
            futures = [threads.submit(pool.ask, piece.ask, deadline) for piece in pieces]
            try:
                outcomes = [_outcome(future) for future in futures]
            except BaseException:  # the threads wait for the processes
                self.close()
                raise
        return _answer(pieces, outcomes)

    def close(self) -> None:
        """End the processes; the next search starts new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None and pool.usable():
            pool.close()

    def _running_pool(self) -> Pool:
        with self._lock:
            if self._pool is None or not self._pool.usable():
                self._pool = Pool(self._command, warm_up(_version()))
            return self._pool


def install() -> str:
    """Install Julia and PySR's packages and try them; says where they are.

    Raises
    ------
    EngineNotReadyError
        if the download or the trial failed.
    """
    julia.install()
    engine = PySR()
    outcome = engine.check()
    engine.close()
    if not outcome.ready:
        expected = f"a machine on which PySR works; {outcome.reason}"
        raise EngineNotReadyError("install", expected, PySR.name)
    return outcome.reason


def _version() -> Version:
    major, minor = julia.numbers(metadata.version("pysr"))[:2]
    return major, minor


def _outcome(future: Future[Reply]) -> Reply | EngineError:
    try:
        return future.result()
    except EngineError as error:
        return error


def _answer(pieces: Sequence[Part], outcomes: Sequence[Reply | EngineError]) -> Answer:
    """The answer from those of the parts.

    Raises
    ------
    EngineError
        the first one, if every part failed.
    """
    texts: dict[str, None] = {}
    errors = [outcome for outcome in outcomes if isinstance(outcome, EngineError)]
    if len(errors) == len(outcomes):
        raise errors[0]
    made, cut = 0, any(isinstance(error, OutOfTimeError) for error in errors)
    counted = True
    for piece, outcome in zip(pieces, outcomes, strict=True):
        if isinstance(outcome, EngineError):
            continue
        for row in outcome["front"]:
            text = piece.read(row["equation"])
            if text is not None:
                texts[text] = None
        evaluations = outcome["evaluations"]
        counted &= evaluations is not None
        made += evaluations or 0
        cut |= outcome["cut"]
    failures = tuple(dict.fromkeys(str(e) for e in errors if not isinstance(e, OutOfTimeError)))
    return Answer(tuple(texts), made if counted else None, cut, failures)
