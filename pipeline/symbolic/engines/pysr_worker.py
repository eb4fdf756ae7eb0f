"""The process in which PySR lives: one JSON request a line in, one JSON answer a line out.

It runs as a separate script and imports nothing of this package: Julia and torch must not share a
process, and the package need not be importable from the folder it is started in. What Julia and
PySR print goes to standard error, so that standard output carries answers only.

A request holds ``rows`` (N lists of F numbers), ``target`` (N), ``weights`` (N) and ``settings``
(keyword arguments of ``PySRRegressor``); an answer holds ``front``, a list of equation and
complexity. The first line sent is ``{"ready": version}``. An error inside PySR ends the process:
the parent reports its last words and starts a new one for the next request. The one argument is the
parent's process id: where that ends, this ends.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from typing import IO, Any

PR_SET_PDEATHSIG = 1


def front(request: dict[str, Any]) -> list[dict[str, Any]]:
    """PySR's equations table for one request, as plain JSON."""
    import numpy as np
    from pysr import PySRRegressor

    regressor = PySRRegressor(**request["settings"])
    rows = np.array(request["rows"], dtype=np.float64)
    target = np.array(request["target"], dtype=np.float64)
    regressor.fit(rows, target, weights=np.array(request["weights"], dtype=np.float64))
    table = regressor.equations_
    return [
        {"equation": str(row["equation"]), "complexity": int(row["complexity"])}
        for _, row in table.iterrows()
    ]


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Answer every request until the parent closes the pipe."""
    import pysr

    print(json.dumps({"ready": str(pysr.__version__)}), file=answers, flush=True)
    for line in requests:
        print(json.dumps({"front": front(json.loads(line))}), file=answers, flush=True)


def end_with(parent: int) -> None:
    """Let the system (Linux) end this process with its parent, also in the middle of a search.

    Elsewhere, and where the parent was quicker, the closed pipe ends it, once its search is over.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit()


def main() -> None:
    """Keep the real standard output for answers and send everything else to standard error."""
    end_with(int(sys.argv[1]))
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
