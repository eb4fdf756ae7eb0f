"""The process in which PySR lives: one JSON request a line in, one JSON answer a line out.

It runs as a separate script and imports nothing of this package: Julia and torch must not share a
process, and the package need not be importable from the folder it is started in. What Julia and
PySR print goes to standard error, so that standard output carries answers only. Requests come
through a copy of descriptor 0, with the null device in its place: a Julia that starts makes
descriptor 0 non-blocking, and a pipe that does not block reads like one that was closed.

The first line sent is ``{"ready": {"pysr": …, "julia": …}}``. A request holds ``rows`` (N lists of
F numbers), ``target`` (N), ``weights`` (N), ``settings`` (keyword arguments of ``PySRRegressor``)
and perhaps ``template`` (those of ``TemplateExpressionSpec``). An answer holds ``front``, a list of
equation and complexity, ``evaluations`` (null where they could not be counted), ``seconds`` and
``cut``, whether the time limit ended the search; or ``error``, a text. The one argument is the
folder that PySR's files go to.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sys
import time
from typing import IO, Any

#: a logger of SymbolicRegression.jl that keeps the number of evaluations and writes nothing
COUNTER = """
module MTLLawsCounter
import SymbolicRegression as SR
mutable struct Counter <: SR.LoggingModule.AbstractSRLogger
    evaluations::Float64
end
function SR.LoggingModule.logging_callback!(counter::Counter; state, kws...)
    counter.evaluations = sum(sum, state.num_evals)
    return nothing
end
end
"""


class Counting:
    """Counts evaluations by PySR's interface for loggers, if that works.

    Attributes
    ----------
    proven : whether a search with a counter has succeeded.
    """

    def __init__(self) -> None:
        self.proven = False
        self._kind: Any = None

    def begin(self) -> None:
        """Define the logger; without it nothing is counted."""
        import pysr

        try:
            pysr.jl.seval(COUNTER)
            make = pysr.jl.seval("() -> MTLLawsCounter.Counter(0.0)")
            base = pysr.AbstractLoggerSpec
        except Exception as error:  # noqa: BLE001 - a count is not worth a search
            print(f"evaluations are not counted: {error}", file=sys.stderr)
            return

        class Spec(base):  # type: ignore[misc, valid-type]
            def create_logger(self) -> Any:
                self.counter = make()
                return self.counter

            def write_hparams(self, logger: Any, hparams: dict[str, Any]) -> None: ...

            def close(self, logger: Any) -> None: ...

        self._kind = Spec

    def end(self) -> None:
        """Count no more."""
        self._kind = None

    def spec(self) -> Any:
        """A new counter for one search; None where nothing is counted."""
        return None if self._kind is None else self._kind()


def search(request: dict[str, Any], counting: Counting) -> dict[str, Any]:
    """The answer to one request."""
    import numpy as np
    import pysr

    settings, counter = dict(request["settings"]), counting.spec()
    if counter is not None:
        settings["logger_spec"] = counter
    if "template" in request:
        settings["expression_spec"] = pysr.TemplateExpressionSpec(**request["template"])
    rows, target, weights = (
        np.array(request[name], dtype=np.float64) for name in ("rows", "target", "weights")
    )
    begin = time.monotonic()
    regressor = pysr.PySRRegressor(**settings)
    regressor.fit(rows, target, weights=weights)
    front = [
        {"equation": str(row["equation"]), "complexity": int(row["complexity"])}
        for _, row in regressor.equations_.iterrows()
    ]
    evaluations = None if counter is None else int(counter.counter.evaluations)
    counting.proven = True
    seconds, limit = time.monotonic() - begin, settings.get("timeout_in_seconds")
    cut = limit is not None and seconds >= limit
    return {"front": front, "evaluations": evaluations, "seconds": seconds, "cut": cut}


def answer(request: dict[str, Any], counting: Counting) -> dict[str, Any]:
    """The answer to one request; without guesses, or a count, where PySR fails with them.

    An error becomes an answer: Julia stays usable, and a new process would have to start it again.
    """
    try:
        try:
            return search(request, counting)
        except Exception as error:
            plain = {k: v for k, v in request["settings"].items() if k != "guesses"}
            if not counting.proven:
                counting.end()
            elif plain == request["settings"]:
                raise
            print(f"asked again in a plainer way after {error}", file=sys.stderr)
            return search({**request, "settings": plain}, counting)
    except Exception as error:  # noqa: BLE001 - the parent decides
        lines = str(error).strip().splitlines() or [""]
        return {"error": f"{type(error).__name__}: {lines[0]}"[:300]}


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Answer every request until the parent closes the pipe."""
    import pysr

    julia = getattr(sys.modules.get("pysr.julia_import"), "jl_version", ())
    versions = {"pysr": str(pysr.__version__), "julia": ".".join(map(str, julia))}
    counting = Counting()
    counting.begin()
    print(json.dumps({"ready": versions}), file=answers, flush=True)
    for line in requests:
        print(json.dumps(answer(json.loads(line), counting)), file=answers, flush=True)


def watch(folder: str) -> None:
    """Fork a watcher: it ends this process with its parent, and removes the folder after it.

    Descriptor 0 hangs up when the parent has closed it or has ended, however that happened, and
    also while this process searches. The system's own signal for that is sent when the *thread*
    ends that started this process, which may be long before.
    """
    if not hasattr(os, "fork"):
        return
    worker = os.getpid()
    reader, held = os.pipe()  # `held` stays open until this process has ended
    if os.fork():
        os.close(reader)
        return
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.close(held)
    os.closerange(1, 3)  # the parent waits for the end of both
    poll = select.poll()
    poll.register(reader, 0)
    poll.register(0, 0)
    if reader not in dict(poll.poll()) and os.getppid() == worker:
        os.kill(worker, signal.SIGKILL)
        os.read(reader, 1)  # returns when it has ended
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def main() -> None:
    """Put requests and answers out of reach of all that is imported, and serve."""
    watch(sys.argv[1])
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(requests, answers)


if __name__ == "__main__":
    main()
