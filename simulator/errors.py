"""Errors of the simulator: each names the field, the value and what would be accepted."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SimulatorError(Exception):
    """Root of every error that `simulator` raises on purpose."""


class SpecError(SimulatorError):
    """A request that cannot be met as it stands.

    Parameters
    ----------
    field : the argument or place, as the user wrote it (``"ami"``, ``"corpus.conll, line 12"``).
    value : the value received.
    accepted : what would be accepted, as the end of the sentence "… is not accepted: …".
    """

    def __init__(self, field: str, value: object, accepted: str) -> None:
        super().__init__(f"{field}: {value!r} is not accepted: {accepted}")
        self.field = field
        self.value = value
        self.accepted = accepted

    def __reduce__(self) -> tuple[type[SpecError], tuple[str, object, str]]:
        return type(self), (self.field, self.value, self.accepted)


class UnreachableAMIError(SpecError):
    """The requested AMI lies outside what this family can reach under this spec."""


class CorpusError(SpecError):
    """A corpus file that cannot be read; the field names file and line."""


def one_of(name: str, valid: Iterable[object]) -> str:
    """What is expected instead of an unknown `name`: all of a few valid ones, and the nearest."""
    names = [str(other) for other in valid]
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    return f"one of {', '.join(names)}{f'; did you mean {close[0]}?' if close else ''}"
