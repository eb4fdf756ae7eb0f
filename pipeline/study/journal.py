"""``run.log``: what happened in a run's folder and when, for whoever looks for the reason later."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path

from typing_extensions import override

LOG_NAME = "run.log"
LOG_BYTES, OLD_LOGS = 1_000_000, 3
"""Size at which the log is put aside, and how many of those are kept."""

_log = logging.getLogger(__name__)


class _Journal(RotatingFileHandler):
    """The log file; on a full disk it falls silent, so that the run's own line is what is read."""

    @override
    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)


@contextlib.contextmanager
def journal(out: Path) -> Iterator[None]:
    """Let the package's messages go to ``run.log`` in `out`, and how the run was stopped."""
    handler = _Journal(
        out / LOG_NAME, maxBytes=LOG_BYTES, backupCount=OLD_LOGS, encoding="utf-8", delay=True
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("mtl_laws")
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    except BaseException as error:
        _log.error("stopped: %s", type(error).__name__)
        raise
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
        with contextlib.suppress(OSError):  # what a full disk did not take
            handler.close()
