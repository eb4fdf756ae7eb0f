"""What the pipeline raises: one root; the command line turns `UserError` into exit code 2.

A `UserError` carries a neutral path. The face that catches it (the command line, the study reader,
the notebook, scikit-learn) says the path in its own words, by `said_as` or `renamed`.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

if TYPE_CHECKING:
    from mtl_laws.simulator import SpecError

Mistake = TypeVar("Mistake", bound="UserError")


class PipelineError(Exception):
    """Root of every error that `pipeline` raises on purpose (exit code 1, or 2)."""


class UserError(PipelineError):
    """The user's mistake: one line that names where it is, what is expected there, and the value.

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

    form: ClassVar[str] = "{path}: expected {expected}, got {got!r}{advice}"

    def __init__(self, path: str, expected: str, got: object) -> None:
        wanted, mark, advice = expected.partition("; ")
        super().__init__(
            self.form.format(path=path, expected=wanted, got=got, advice=mark + advice)
        )
        self.path = path
        self.expected = expected
        self.got = got

    def at(self, path: str) -> Self:
        """The same mistake at another path."""
        return type(self)(path, self.expected, self.got)

    def __reduce__(self) -> tuple[type[UserError], tuple[Any, ...]]:
        return type(self), (self.path, self.expected, self.got)


class FileError(UserError):
    """A file that cannot be read; `got` is what is wrong with it, `expected` what is wanted."""

    form = "{path}: {got}; expected {expected}{advice}"


class MissingError(UserError):
    """What has to be given is not there at all; `expected` is what it is."""

    form = "{path} is missing: {expected}{advice}"


class FormulaError(UserError):
    """A text that is not a formula, with a note that shows the place.

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

    form = "{path}: {got!r} is not a formula: expected {expected}{advice}"
    width: ClassVar[int] = 72

    def __init__(self, path: str, expected: str, got: str, place: int) -> None:
        short = got if len(got) <= self.width else f"{got[: self.width]}…"
        super().__init__(path, expected, short)
        self.text, self.place = got, place
        self.add_note(self._marked())

    def _marked(self) -> str:
        """The text around the place, and a caret below the place."""
        plain = "".join(c if c.isprintable() else " " for c in self.text)
        first = max(0, self.place - self.width // 2) if len(plain) > self.width else 0
        return f"    {plain[first : first + self.width]}\n    {' ' * (self.place - first)}^"

    def at(self, path: str) -> Self:
        """The same mistake at another path."""
        return type(self)(path, self.expected, self.text, self.place)

    def __reduce__(self) -> tuple[type[UserError], tuple[Any, ...]]:
        return type(self), (self.path, self.expected, self.text, self.place)


class EngineError(PipelineError):
    """A symbolic-regression engine failed; the search goes on with the others and says so."""


class EngineNotReadyError(UserError):
    """The engine that was asked for cannot run on this machine."""


def from_simulator(error: SpecError, path: str | None = None) -> UserError:
    """The simulator's refusal as the user's mistake, at its own path where no other is given."""
    return UserError(path or error.field, error.accepted, error.value)


def renamed(error: Mistake, path: str) -> Mistake:
    """The same mistake at another path."""
    return error.at(path)


@contextmanager
def said_as(words: Mapping[str, str]) -> Iterator[None]:
    """Raise a user's mistake again with its path in the words of the caller.

    Parameters
    ----------
    words : neutral path -> what the caller's user calls it; other paths stay as they are.
    """
    try:
        yield
    except UserError as error:
        if error.path not in words:
            raise
        raise renamed(error, words[error.path]) from error


def mistyped(name: str, given: Iterable[str]) -> str | None:
    """That of the `given` names that is most like `name`, where one is."""
    close = difflib.get_close_matches(name, list(given), n=1, cutoff=0.7)
    return close[0] if close else None


def nearest(name: str, known: Iterable[object], kind: str = "a valid name") -> str:
    """What was expected instead of an unknown `name`: its `kind`, the nearest one, then all."""
    names = [str(other) for other in known]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; the nearest is {close[0]!r}" if close else ""
    return f"{kind}{hint}; valid: {', '.join(names)}" if names else kind


def check_settings(function: str, given: Iterable[str], known: Collection[str]) -> None:
    """Refuse a setting that a function does not have.

    Raises
    ------
    UserError
        naming the nearest one.
    """
    for name in given:
        if name not in known:
            raise UserError(function, nearest(name, known), name)
