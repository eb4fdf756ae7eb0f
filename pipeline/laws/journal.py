"""`Journal`: the answers of a search at work, in a file, so that an interrupted search resumes.

The tasks of every stage are determined by the rows, the options and the answers before them.
Therefore the answers in their order are enough: read again, they lead to the same laws to the last
bit. A line is one answer behind its checksum; the first line is the digest of everything that
answers depend on. A line that was cut or damaged, and all lines after it, are worked out again.

The file holds plain values only. Templates are parsed by the whitelist of `symbolic.tree`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from mtl_laws.pipeline.errors import PipelineError, UserError
from mtl_laws.pipeline.io.wholefile import write_whole
from mtl_laws.pipeline.laws.checks import Defect
from mtl_laws.pipeline.laws.score import Candidate, Fitted, Scored
from mtl_laws.pipeline.symbolic.fit import Fit
from mtl_laws.pipeline.symbolic.program import compiled
from mtl_laws.pipeline.symbolic.tree import Floats, Tree

JOURNAL_NAME = "search.partial"
"""File in the output folder while a search is at work, and after it was interrupted."""

Plain: TypeAlias = Any
"""What JSON can hold."""


class Journal:
    """Answers of a search, kept in a file.

    Parameters
    ----------
    path : the file; made by `begin`.
    versions : program, packages and plug-ins on which the answers depend.
    """

    def __init__(self, path: Path, versions: Mapping[str, str | None]) -> None:
        self.path, self.versions = path, versions
        self.resumed = 0
        self._file: BinaryIO | None = None
        self._factors: Sequence[str] = ()
        self._lines: list[_Line] = []
        self._end = self._stage = 0

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None:
            with suppress(OSError):  # what a full disk did not take; `add` has said so
                self._file.close()
            self._file = None

    def begin(self, factors: Sequence[str], *search: object) -> None:
        """Read the answers of the same search, or begin a new file; sets `resumed`, their number.

        Parameters
        ----------
        factors : names in templates.
        search : everything besides `versions` that the answers depend on.
        """
        first = _line({"search": fingerprint(self.versions, *search)})
        text = b""
        if self.path.is_file() and not self.path.is_symlink():
            text = self.path.read_bytes()
        if not text.startswith(first):
            write_whole(self.path, first)
            text = first
        self._factors, self._stage = factors, 0
        self._lines, self._end = _read_lines(text, len(first)), len(first)
        self.resumed = len(self._lines)
        self._file = self.path.open("r+b")

    def stage(self, name: str, tasks: int) -> tuple[list[Any], float | None]:
        """The answers to the first tasks of the next stage, and the seconds of the search so far.

        Parameters
        ----------
        tasks : number of tasks of the stage.
        """
        self._stage += 1
        answers: list[Any] = []
        seconds = None
        while self._lines and self._lines[0].place == (self._stage, name, tasks, len(answers)):
            line = self._lines.pop(0)
            try:
                answers.append(decode(line.answer, self._factors))
            except (LookupError, TypeError, ValueError, zlib.error, UserError):
                self._lines.clear()  # written by another hand
                break
            self._end, seconds = line.end, line.seconds
        return answers, seconds

    def add(self, name: str, tasks: int, task: int, answer: Any, seconds: float) -> Any:
        """Keep the answer to a task of the stage; returns it as `stage` will.

        Raises
        ------
        PipelineError : the file cannot be written.
        """
        assert self._file is not None
        plain = encode(answer)
        place = (self._stage, name, tasks, task)
        line = _line({"place": place, "seconds": round(seconds, 3), "answer": plain})
        try:
            self._file.seek(self._end)
            self._file.truncate()  # what a killed writer, or another search, has left
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise PipelineError(f"{self.path}: not written: {reason}") from error
        self._lines.clear()
        self._end += len(line)
        return decode(plain, self._factors)

    def remove(self) -> None:
        """Remove the file: the search is over."""
        self.__exit__(None, None, None)
        self.path.unlink(missing_ok=True)


class _Line:
    """One answer in the file: its place in the search, and where its line ends."""

    def __init__(self, record: Mapping[str, Plain], end: int) -> None:
        stage, name, tasks, task = record["place"]
        self.place = (stage, name, tasks, task)
        self.seconds, self.answer, self.end = float(record["seconds"]), record["answer"], end


def _line(record: Mapping[str, Plain]) -> bytes:
    text = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _read_lines(text: bytes, begin: int) -> list[_Line]:
    """Every line from `begin` on, up to the first that is cut or damaged."""
    lines: list[_Line] = []
    for part in text[begin:].splitlines(keepends=True):
        if part[-1:] != b"\n" or part[:8] != b"%08x" % zlib.crc32(part[9:-1]):
            break
        try:
            line = _Line(json.loads(part[9:]), begin + len(part))
        except (LookupError, TypeError, ValueError, RecursionError):
            break
        begin = line.end
        lines.append(line)
    return lines


def fingerprint(*values: object) -> str:
    """SHA-256 of numbers, texts and arrays, and of sequences, mappings, dataclasses of them."""
    digest = hashlib.sha256()
    for value in values:
        _update(digest.update, value)
    return digest.hexdigest()


def _update(add: Callable[[bytes], object], value: object) -> None:
    parts: Sequence[object] = ()
    if isinstance(value, np.ndarray):
        add(f"{value.dtype}{value.shape}".encode())
        add(np.ascontiguousarray(value).tobytes())
        return
    if isinstance(value, Mapping):
        parts = [part for item in value.items() for part in item]
    elif is_dataclass(value) and not isinstance(value, type):
        parts = [part for f in fields(value) for part in (f.name, getattr(value, f.name))]
    elif isinstance(value, list | tuple):
        parts = value
    else:
        add(f"{type(value).__name__} {value!r};".encode())
        return
    add(f"{type(value).__name__} {len(parts)};".encode())
    for part in parts:
        _update(add, part)


# --- answers as plain values ---------------------------------------------------------------------


def encode(value: Any) -> Plain:
    """An answer as JSON holds it: lists as they are, everything else but numbers by its kind.

    Raises
    ------
    TypeError
        if a value has no such form.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, list):
        return [encode(each) for each in value]
    for kind, (name, parts, _) in KINDS.items():
        if isinstance(value, kind):
            return {name: parts(value)}
    raise TypeError(f"{value!r} is no answer of a search")


def decode(plain: Plain, factors: Sequence[str]) -> Any:
    """The answer that `encode` made plain.

    Parameters
    ----------
    factors : names in templates.
    """
    if isinstance(plain, list):
        return [decode(each, factors) for each in plain]
    if not isinstance(plain, dict):
        return plain
    ((name, parts),) = plain.items()
    return BY_NAME[name](parts, factors)


def _pack(values: Floats) -> Plain:
    data = zlib.compress(np.ascontiguousarray(values, dtype="<f8").tobytes(), 1)
    return [*values.shape, base64.b64encode(data).decode()]


def _unpack(parts: Plain, _: Sequence[str] = ()) -> Floats:
    data = zlib.decompress(base64.b64decode(parts[-1], validate=True))
    return np.frombuffer(data, dtype="<f8").astype(np.float64).reshape(parts[:-1])


def _candidate(parts: Plain, factors: Sequence[str]) -> Candidate:
    return Candidate(Tree.parse(parts[0], factors), str(parts[1]))


def _fitted_parts(fitted: Fitted) -> Plain:
    defects = [None if each is None else asdict(each) for each in (fitted.defect, fitted.limits)]
    return [
        [fitted.candidate.text, fitted.candidate.origin],
        _pack(fitted.fit.theta),
        fitted.fit.error,
        fitted.complexity,
        *defects,
        fitted.shared,
    ]


def _fitted(parts: Plain, factors: Sequence[str]) -> Fitted:
    candidate = _candidate(parts[0], factors)
    defect, limits = (None if each is None else Defect(**each) for each in parts[4:6])
    fit = Fit(_unpack(parts[1]), float(parts[2]))
    expression = compiled(candidate.tree)
    return Fitted(candidate, expression, fit, int(parts[3]), defect, limits, tuple(parts[6]))


def _scored_parts(law: Scored) -> Plain:
    return [_fitted_parts(law.fitted), _pack(law.random), _pack(law.extrapolation)]


def _scored(parts: Plain, factors: Sequence[str]) -> Scored:
    return Scored(_fitted(parts[0], factors), _unpack(parts[1]), _unpack(parts[2]))


KINDS: Mapping[
    type, tuple[str, Callable[[Any], Plain], Callable[[Plain, Sequence[str]], object]]
] = {
    tuple: (
        "tuple",
        lambda value: [encode(each) for each in value],
        lambda parts, factors: tuple(decode(parts, factors)),
    ),
    Tree: ("tree", lambda tree: tree.text, Tree.parse),
    Candidate: ("candidate", lambda candidate: [candidate.text, candidate.origin], _candidate),
    Fitted: ("fitted", _fitted_parts, _fitted),
    Scored: ("scored", _scored_parts, _scored),
}
"""Kind of value -> its name in the file, its parts, and the value made of them again."""

BY_NAME = {name: made_of for name, _, made_of in KINDS.values()}
