"""What all readers share: a sentence, the options, lines of a file, and errors that name a line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mtl_laws.simulator.corpus import VocabularyOptions
from mtl_laws.simulator.errors import CorpusError

DOCUMENT_START = "-DOCSTART-"
FORMATS = ("conll", "conllu", "jsonl")

_GZIP = b"\x1f\x8b"

BINARY = {b"PK\x03\x04": "an Excel or zip file", b"PAR1": "a Parquet file", b"%PDF": "a PDF file"}
"""Beginning of a file -> what it is instead of a corpus."""

Lines = list[str]


@dataclass(frozen=True)
class Sentence:
    """One sentence of a file.

    Parameters
    ----------
    words : its L tokens.
    layers : label strings by layer, L each; None where a token is not annotated.
    """

    words: Sequence[str]
    layers: Mapping[str, Sequence[str | None]]


@dataclass(frozen=True)
class FileContent:
    """The sentences of one file and what its layers mean.

    Parameters
    ----------
    path : of the file.
    sentences : in the order of the file.
    named : whether the file, or the options, name the layers.
    features : layers in which a token without a value has the label `UNLABELLED`.
    """

    path: Path
    sentences: Sequence[Sentence]
    named: bool = True
    features: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class ReaderOptions:
    """How a file is read.

    Parameters
    ----------
    columns : names of the columns of a CoNLL file; None takes them from a ``# columns = …`` line or
        a header line, else ``tokens``, ``layer_1``, ``layer_2`` ….
    separator : between columns; None for tabs where every line has one, else spaces and tabs.
    words : the column of the tokens, by name or by number from 1, or the JSON key; None for the
        first column that holds words, or ``tokens``.
    skip : columns that are not layers, such as lemmas.
    format : ``conll``, ``conllu`` or ``jsonl``; None to detect it from the content.
    vocabulary : how tokens become ids.
    """

    columns: tuple[str, ...] | None = None
    separator: str | None = None
    words: str | None = None
    skip: tuple[str, ...] = ()
    format: str | None = None
    vocabulary: VocabularyOptions = field(default_factory=VocabularyOptions)

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in FORMATS:
            raise CorpusError("format", self.format, f"one of {', '.join(FORMATS)}")


def read_lines(path: Path) -> Lines:
    """Return the lines of a UTF-8 file, with Unix or Windows ends, also of one that is gzipped."""
    try:
        raw = path.read_bytes()
        if raw.startswith(_GZIP):
            raw = gzip.decompress(raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorpusError(str(path), "damaged", "a whole gzip file") from error
    except OSError as error:
        raise CorpusError(str(path), error.strerror or "unreadable", "a readable file") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        other = next((kind for start, kind in BINARY.items() if raw.startswith(start)), None)
        value = other or f"byte {raw[error.start]:#04x}"
        expected = "UTF-8 text: CoNLL columns, CoNLL-U or JSON Lines"
        raise broken(path, line, value, expected) from error
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def broken(path: Path, line: int, got: object, expected: str) -> CorpusError:
    """Return the error for one line of a file."""
    return CorpusError(f"{path}, line {line}", got, expected)
