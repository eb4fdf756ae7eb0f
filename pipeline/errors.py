"""What the pipeline raises: one root; the command line turns `UserError` into exit code 2.

A `UserError` has a neutral path. Python users see it as it is. The command line, the reader of
studies and scikit-learn's face catch the error and raise it again `at` the path that their user
knows: ``--hold-out``, ``laws.hold_out``, ``domains``.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Self

from mtl_laws.simulator.errors import one_of

if TYPE_CHECKING:
    from mtl_laws.simulator import SpecError


__all__ = [
    "EngineError",
    "EngineNotReadyError",
    "FileError",
    "FormulaError",
    "FoundError",
    "MissingError",
    "PipelineError",
    "UserError",
    "beginning",
    "both_ends",
    "check_settings",
    "from_simulator",
    "mistyped",
    "nearest",
    "one_of",
    "printable",
]


class PipelineError(Exception):
    """Root of every error that `pipeline` raises on purpose (exit code 1, or 2)."""


class UserError(PipelineError):
    """A user's mistake: one line that names the path, what is expected there, and the value.

    Parameters
    ----------
    path : where the mistake is: ``hold_out``, ``factors.n``, a key of a study, or the file at fault
        and the place in it.
    expected : what would be accepted, as a noun phrase. Advice may follow it after ``"; "``.
    got : the value received.

    Examples
    --------
    >>> print(UserError("budget", "one of tiny, quick; did you mean quick?", "huge"))
    budget: expected one of tiny, quick, got 'huge'; did you mean quick?
    """

    form: ClassVar[str] = "{path}: expected {expected}, got {value}{advice}"
    longest: ClassVar[int] = 200
    """Characters of the path and of the value that the message holds."""

    def __init__(self, path: str, expected: str, got: object) -> None:
        accepted, mark, advice = expected.partition("; ")
        super().__init__(
            self.form.format(
                path=both_ends(path, self.longest),
                expected=accepted,
                value=beginning(repr(got), self.longest),
                got=beginning(str(got), self.longest),
                advice=mark + advice,
            )
        )
        self.path = path
        self.expected = expected
        self.got = got

    def at(self, path: str, expected: str | None = None) -> Self:
        """The same mistake at another path, and in other words where `expected` is given."""
        return type(self)(path, expected or self.expected, self.got)

    def __reduce__(self) -> tuple[type[UserError], tuple[Any, ...]]:
        return type(self), (self.path, self.expected, self.got)


class FileError(UserError):
    """A file that cannot be read; `got` is what is wrong with it."""

    form = "{path}: {got}; expected {expected}{advice}"


class FoundError(UserError):
    """A mistake of which `got` is a description, not a value."""

    form = "{path}: expected {expected}, got {got}{advice}"


class MissingError(UserError):
    """A required value is missing; `expected` is what it is."""

    form = "{path} is required: {expected}{advice}"


class FormulaError(UserError):
    """A text that is not a formula; a note shows the place.

    Parameters
    ----------
    expected : what would be accepted at the place.
    got : the text. The message holds its beginning only.
    place : position in the text, from 0; its length where something is missing at the end.

    Examples
    --------
    >>> print(FormulaError("form", "a value here", "c0 + c1*n**", 11).__notes__[0])
        c0 + c1*n**
                   ^
    """

    form = "{path}: {value} is not a formula: expected {expected}{advice}"
    width: ClassVar[int] = 72

    def __init__(self, path: str, expected: str, got: str, place: int) -> None:
        short = got if len(got) <= self.width else f"{got[: self.width]}…"
        super().__init__(path, expected, short)
        self.text, self.place = got, place
        # the text around the place, and a caret below the place
        plain = "".join(c if c.isprintable() else " " for c in got)
        first = max(0, place - self.width // 2) if len(plain) > self.width else 0
        self.add_note(f"    {plain[first : first + self.width]}\n    {' ' * (place - first)}^")

    def at(self, path: str, expected: str | None = None) -> Self:
        """The same mistake at another path, and in other words where `expected` is given."""
        return type(self)(path, expected or self.expected, self.text, self.place)

    def __reduce__(self) -> tuple[type[UserError], tuple[Any, ...]]:
        return type(self), (self.path, self.expected, self.text, self.place)


class EngineError(PipelineError):
    """A symbolic-regression engine failed; the search goes on with the others and says so."""


class OutOfTimeError(EngineError):
    """The time limit left an engine no time, or ended its search before there was an answer."""


class EngineNotReadyError(UserError):
    """The requested engine cannot run on this machine."""


def from_simulator(error: SpecError) -> UserError:
    """The simulator's refusal as the user's mistake."""
    return UserError(error.field, error.accepted, error.value)


def beginning(text: str, longest: int) -> str:
    """The text, or its beginning where it is longer."""
    return text if len(text) <= longest else f"{text[:longest]}…"


def both_ends(text: str, longest: int) -> str:
    """The text; its middle is left out where it is longer, as the end of a path names the file."""
    first = longest * 3 // 10
    return text if len(text) <= longest else f"{text[:first]}…{text[first - longest :]}"


def printable(text: str) -> str:
    """Text from data, with ``�`` for characters that steer a terminal or that XML cannot hold."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def mistyped(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that is most like `name`; None where none is."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.7)
    return close[0] if close else None


def nearest(name: str, valid: Iterable[object], kind: str = "a valid name") -> str:
    """What is expected instead of an unknown `name`: its `kind`, the nearest one, then all."""
    names = [str(other) for other in valid]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; the nearest is {close[0]!r}" if close else ""
    return f"{kind}{hint}; valid: {beginning(', '.join(names), 600)}" if names else kind


def check_settings(function: str, settings: Iterable[str], valid: Collection[str]) -> None:
    """Refuse an unknown setting of a function.

    Raises
    ------
    UserError
        naming the nearest one.
    """
    for name in settings:
        if name not in valid:
            raise UserError(function, nearest(name, valid), name)
