"""Worker processes that PySR lives in: started in the background, kept warm, asked side by side.

A process that is killed (`kill -9`, out of memory) is replaced and its request made again, once: as
requests are deterministic, the answer is that of an undisturbed search. One that ends by itself or
is killed again is an engine failure.
"""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

from mtl_laws.pipeline.errors import EngineError, OutOfTimeError

WORKER = Path(__file__).with_name("worker.py")
#: -P: the script's own folder is not searched for modules
COMMAND = (sys.executable, "-P", str(WORKER))
#: seconds for Julia to start (it may compile), and beyond a deadline for an answer to come
START_LIMIT, GRACE = 900.0, 2.0
#: seconds for a process that has closed its answers to be gone
ENDING = 10.0
#: a line of standard error that tells of an error: Python's last line, Julia's, the system's
ERROR = re.compile(
    r"^(?:[\w.]*(?:Error|Exception)\b.*|ERROR: .*|signal \(?\d+.*|.*Segmentation.*)$"
)
#: a number of 32 bits as Julia writes it: 1.5f-3
JULIA_FLOAT = re.compile(r"(\d)f([+-]?\d)")

Reply = dict[str, Any]
#: the request for the time that is left, in seconds; None where there is no limit
Ask = Callable[[float | None], dict[str, Any]]


class KilledError(EngineError):
    """The process was killed from outside; nothing is wrong with the request."""


class Worker:
    """One process, with a thread that reads its answers, so that waiting has a limit.

    Parameters
    ----------
    command : that runs `worker.py`, without its argument.
    warm : a tiny request, so that Julia compiles before the first real one.

    Attributes
    ----------
    versions : of pysr and Julia; empty until `wait_until_warm` has returned.
    """

    def __init__(self, command: Sequence[str], warm: dict[str, Any]) -> None:
        self.versions: dict[str, str] = {}
        self._folder = tempfile.TemporaryDirectory(
            prefix="mtl-laws-pysr-", ignore_cleanup_errors=True
        )
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - without a name: nothing remains
        self._process = self._popen(command)
        self._answers: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._warm = False
        self._send(warm)

    def _popen(self, command: Sequence[str]) -> subprocess.Popen[str]:
        folder = self._folder.name
        settings = {
            "PYTHON_JULIACALL_HANDLE_SIGNALS": "yes",
            "PYTHON_JULIACALL_THREADS": os.environ.get("PYTHON_JULIACALL_THREADS", "1"),
            "PYTHON_JULIAPKG_OFFLINE": "yes",  # only `install` downloads
            "TMPDIR": folder,
        }
        try:
            return subprocess.Popen(
                (*command, folder),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                cwd=folder,
                env={**os.environ, **settings},
                text=True,
                start_new_session=True,  # Ctrl-C is for the parent
            )
        except OSError as error:  # no memory, no disk, no Python any more
            self._folder.cleanup()
            self._log.close()
            reason = (error.strerror or type(error).__name__).lower()
            raise EngineError(f"pysr: its process cannot be started: {reason}") from error

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def wait_until_warm(self, deadline: float | None) -> None:
        """Wait for the answer to the tiny request.

        Raises
        ------
        OutOfTimeError
            if that takes longer than the deadline (of `time.monotonic`); the start goes on.
        EngineError
            if the process cannot work.
        """
        if self._warm:
            return
        late = f"pysr: not started within {START_LIMIT:.0f} s"
        limit = time.monotonic() + START_LIMIT
        if deadline is not None and deadline < limit:
            limit, late = deadline, "pysr: the time limit was over before Julia had started"
        try:
            if not self.versions:
                self.versions = self._receive(limit, late)["ready"]
            self._receive(limit, late)
        except OutOfTimeError:
            raise
        except EngineError:
            self.kill()
            raise
        self._warm = True

    def ask(self, message: dict[str, Any], deadline: float | None) -> Reply:
        """The answer to a request; a process that is late is ended, and its front so far counts."""
        self._send(message)
        try:
            late = "pysr: no answer within the time limit; stopped"
            return self._receive(None if deadline is None else deadline + GRACE, late)
        except OutOfTimeError:
            front = self._front_so_far()
            self.kill()
            if not front:
                raise
            return {"front": front, "evaluations": None, "cut": True}

    def _front_so_far(self) -> list[dict[str, Any]]:
        """The equations that PySR has written to its file in the search at work.

        A line may be half: what cannot be parsed is dropped later, as any other equation.
        """
        rows: list[dict[str, Any]] = []
        for path in sorted(Path(self._folder.name).rglob("hall_of_fame.csv")):
            text = JULIA_FLOAT.sub(r"\1e\2", path.read_text(encoding="utf-8", errors="replace"))
            for row in csv.DictReader(text.splitlines()):
                if row.get("Equation"):
                    rows.append({"equation": row["Equation"], "complexity": row["Complexity"]})
        return rows

    def kill(self) -> None:
        """End the process and remove its files."""
        self._process.kill()
        self._process.wait()
        self._reader.join(ENDING)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # what was still to be sent
                    pipe.close()
        self._folder.cleanup()
        self._log.close()

    def _send(self, message: dict[str, Any]) -> None:
        with suppress(BrokenPipeError, ValueError):  # it has ended: its answer, none, says so
            print(json.dumps(message), file=self._process.stdin, flush=True)

    def _read(self) -> None:
        pipe: IO[str] | None = self._process.stdout
        with suppress(ValueError):  # closed by `kill`
            for line in pipe or ():
                self._answers.put(line)
        self._answers.put("")

    def _receive(self, limit: float | None, late: str) -> Reply:
        try:
            left = None if limit is None else max(limit - time.monotonic(), 0.0)
            line = self._answers.get(timeout=left)
        except Empty as error:
            raise OutOfTimeError(late) from error
        if not line.endswith("\n"):  # nothing, or half an answer
            raise self._failure()
        reply: Reply = json.loads(line)
        if "error" in reply:
            raise EngineError(f"pysr: {reply['error']}")
        return reply

    def _failure(self) -> EngineError:
        """The error for a process that has ended, after its files are removed."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(ENDING)
        code = self._process.poll()
        try:
            self._log.seek(0)
            lines = self._log.read().decode("utf-8", "replace").splitlines()
        except ValueError:  # ended by `kill`
            lines = []
        self.kill()
        if code is not None and code < 0:
            return KilledError(f"pysr: its process was killed by signal {-code}, twice")
        errors = [line.strip() for line in lines if ERROR.match(line.strip())]
        reason = f": {errors[-1][:200]}" if errors else ""
        return EngineError(f"pysr: its process ended without answering (exit code {code}){reason}")


class Pool:
    """A number of workers; each request goes to one that is free.

    Parameters
    ----------
    command : see `Worker`.
    warm : see `Worker`.
    """

    def __init__(self, command: Sequence[str], warm: dict[str, Any]) -> None:
        self._command, self._warm = tuple(command), warm
        self._free: list[Worker] = []
        self._workers: set[Worker] = set()
        self._size, self._waiting = 1, 0
        self._closed = False
        self._change = threading.Condition()
        self._owner = os.getpid()

    def usable(self) -> bool:
        """Whether the pool is open, and this process made it: not one that forked since."""
        return not self._closed and self._owner == os.getpid()

    def prepare(self, workers: int) -> None:
        """Allow so many workers, and start those that are missing; returns at once."""
        with self._change:
            self._size = max(workers, 1)
            self._drop_ended()
            while len(self._workers) < self._size:
                self._free.append(self._new())
            self._change.notify_all()

    def first(self, deadline: float | None = None) -> Worker:
        """A worker that is warm and free; it stays in the pool.

        Raises
        ------
        EngineError
            if none can be started.
        """
        worker = self._lease()
        try:
            worker.wait_until_warm(deadline)
        except OutOfTimeError:
            self._give_back(worker)
            raise
        except EngineError:
            self._forget(worker)
            raise
        self._give_back(worker)
        return worker

    def ask(self, ask: Ask, deadline: float | None) -> Reply:
        """The answer to a request, once a worker is free and warm.

        Raises
        ------
        OutOfTimeError
            if the deadline (of `time.monotonic`) is over before.
        EngineError
            if the request failed, or its process ended: killed ones are asked again, once.
        """
        try:
            return self._ask(ask, deadline)
        except KilledError:
            if self._closed:
                raise
            return self._ask(ask, deadline)

    def close(self) -> None:
        """End all workers, whatever they do."""
        with self._change:
            self._closed = True
            workers, self._workers = list(self._workers), set()
            self._free.clear()
            self._change.notify_all()
        for worker in workers:
            worker.kill()

    def _ask(self, ask: Ask, deadline: float | None) -> Reply:
        worker = self._lease()
        try:
            worker.wait_until_warm(deadline)
            reply = worker.ask(ask(self._share(deadline)), deadline)
        except EngineError:
            if worker.alive():
                self._give_back(worker)
            else:
                self._forget(worker)
            raise
        except BaseException:
            self._forget(worker)
            worker.kill()
            raise
        self._give_back(worker)
        return reply

    def _share(self, deadline: float | None) -> float | None:
        """Seconds for a request whose turn it is: what is left, in equal shares for all rounds."""
        if deadline is None:
            return None
        left = deadline - time.monotonic()
        if left <= 0:
            raise OutOfTimeError("pysr: the time limit was over before the request was made")
        return left / (1 + self._waiting / self._size)

    def _lease(self) -> Worker:
        with self._change:
            self._waiting += 1
            try:
                while True:
                    if self._closed:
                        raise EngineError("pysr: ended")
                    self._drop_ended()
                    if self._free:
                        return self._free.pop(0)
                    if len(self._workers) < self._size:
                        return self._new()
                    self._change.wait()
            finally:
                self._waiting -= 1

    def _new(self) -> Worker:
        worker = Worker(self._command, self._warm)
        self._workers.add(worker)
        return worker

    def _drop_ended(self) -> None:
        """Forget free workers that ended since they were used; killed while warming: see `ask`."""
        ended = [worker for worker in self._free if worker.versions and not worker.alive()]
        for worker in ended:
            self._free.remove(worker)
            self._workers.discard(worker)
            worker.kill()

    def _give_back(self, worker: Worker) -> None:
        with self._change:
            if worker in self._workers:
                self._free.insert(0, worker)  # a warm one before those that still start
            self._change.notify()

    def _forget(self, worker: Worker) -> None:
        with self._change:
            self._workers.discard(worker)
            self._change.notify()
