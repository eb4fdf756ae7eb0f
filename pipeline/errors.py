"""What the pipeline raises: one root; the command line turns `InputError` into exit code 2."""

from __future__ import annotations

from typing import ClassVar


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

    form: ClassVar[str] = "{field}: {value!r} is not accepted: {accepted}"

    def __init__(self, field: str, value: object, accepted: str) -> None:
        super().__init__(self.form.format(field=field, value=value, accepted=accepted))
        self.field = field
        self.value = value
        self.accepted = accepted

    def __reduce__(self) -> tuple[type[InputError], tuple[str, object, str]]:
        return type(self), (self.field, self.value, self.accepted)


class FileError(InputError):
    """A file that cannot be read; `value` is what is wrong with it, `accepted` what is wanted."""

    form = "{field}: {value}: give {accepted}"


class MissingError(InputError):
    """What has to be given is not there at all; `accepted` is what it is."""

    form = "{field} is missing: {accepted}"


class EngineError(PipelineError):
    """A symbolic-regression engine failed; the search goes on with the others and says so."""


class EngineNotReadyError(InputError):
    """The engine that was asked for cannot run on this machine."""
