"""The command `mtl-laws`, also ``python -m mtl_laws``: an interrupt ends it with one line.

The command's modules take half a second to import. Signals are therefore prepared here, and this
module imports nothing else before. A command that is at work has handlers of its own
(`mtl_laws.pipeline.cli.ending`).
"""

from __future__ import annotations

import os
import signal
from typing import NoReturn

INTERRUPTED = 130
LINE = b"mtl-laws: interrupted\n"


def main() -> None:
    """Run the command of this process's arguments."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays
            signal.signal(number, _end)
    try:
        from mtl_laws.pipeline.cli.app import main as run

        run()
    except KeyboardInterrupt:  # a second one, while the command ends
        _end()


def _end(*_: object) -> NoReturn:
    """End at once: no command is at work, and an exception might be lost in an import."""
    try:
        os.write(2, LINE)
    finally:
        os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
