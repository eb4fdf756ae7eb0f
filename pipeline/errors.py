"""What the pipeline raises: one root; the command line turns `InputError` into exit code 2."""

from __future__ import annotations


class PipelineError(Exception):
    """Root of every error that `pipeline` raises on purpose (exit code 1, or 2)."""


class InputError(PipelineError):
    """The user's mistake: one line that names the field, the value and what would be accepted.

    Parameters
    ----------
    field : the option, YAML key, column or file, as the user wrote it.
    value : the value received.
    accepted : what would be accepted, as the end of the sentence "… is not accepted: …".
    """

    def __init__(self, field: str, value: object, accepted: str) -> None:
        super().__init__(f"{field}: {value!r} is not accepted: {accepted}")
        self.field = field
        self.value = value
        self.accepted = accepted

    def __reduce__(self) -> tuple[type[InputError], tuple[str, object, str]]:
        return type(self), (self.field, self.value, self.accepted)


class EngineError(PipelineError):
    """A symbolic-regression engine failed; the search goes on with the others and says so."""


class EngineNotReadyError(InputError):
    """The engine that was asked for cannot run on this machine."""
