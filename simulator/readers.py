"""Readers: CoNLL columns, CoNLL-U and JSONL files to a `Corpus`.

Every reader turns a file into `Sentence` records. A broken file raises one
`CorpusError`, which names the file, the line and what was expected there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TypeGuard

from mtl_laws.simulator.corpus import Corpus, VocabularyOptions, index_corpus
from mtl_laws.simulator.errors import CorpusError

DOCUMENT_START = "-DOCSTART-"
ABSENT = "_"


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
class ReaderOptions:
    """How a file is to be read.

    Parameters
    ----------
    columns : names of the columns of a CoNLL file; None takes them from a ``# columns = …`` line,
        else ``tokens``, ``layer_1``, ``layer_2`` ….
    separator : between columns; None for any run of spaces or tabs.
    words : name of the column, or of the JSONL key, that holds the tokens; None for the first
        column, or ``tokens``.
    skip : columns that are no layers (numbers, lemmas).
    vocabulary : how tokens become ids.
    """

    columns: tuple[str, ...] | None = None
    separator: str | None = None
    words: str | None = None
    skip: tuple[str, ...] = ()
    vocabulary: VocabularyOptions = field(default_factory=VocabularyOptions)


Lines = list[str]
Reader = Callable[[Path, Lines, ReaderOptions], Iterator[Sentence]]

READERS: dict[str, str] = {
    ".conll": "mtl_laws.simulator.readers:read_columns",
    ".conllu": "mtl_laws.simulator.conllu_reader:read_conllu",
    ".iob": "mtl_laws.simulator.readers:read_columns",
    ".jsonl": "mtl_laws.simulator.readers:read_jsonl",
    ".tsv": "mtl_laws.simulator.readers:read_columns",
    ".txt": "mtl_laws.simulator.readers:read_columns",
}


def load_corpus(
    path: str | Path | Sequence[str | Path], options: ReaderOptions | None = None
) -> Corpus:
    """Read one file, or several of the same kind one after another.

    Parameters
    ----------
    path : files ending in ``.conll``, ``.tsv``, ``.txt``, ``.iob``, ``.conllu`` or ``.jsonl``.
    options : how to read them.

    Raises
    ------
    CorpusError : a file is missing, broken, empty or without labels.
    """
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(one) for one in path]
    options = options or ReaderOptions()
    sentences: list[Sentence] = []
    for one in paths:
        reader = _reader(one)
        new = list(reader(one, read_lines(one), options))
        if not new:
            raise CorpusError(str(one), "empty", "a file with at least one sentence")
        sentences += new
    source = ", ".join(one.name for one in paths)
    records = [(sentence.words, sentence.layers) for sentence in sentences]
    corpus = index_corpus(records, options.vocabulary, source)
    if not corpus.layers:
        raise CorpusError(source, "no labels", "at least one label layer beside the tokens")
    return corpus


def _reader(path: Path) -> Reader:
    if path.suffix not in READERS:
        raise CorpusError(str(path), path.suffix, f"a file ending in {', '.join(sorted(READERS))}")
    module, _, name = READERS[path.suffix].partition(":")
    reader: Reader = getattr(import_module(module), name)
    return reader


def read_lines(path: Path) -> Lines:
    """Return the lines of a UTF-8 file, with Unix or Windows ends, with or without a BOM."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CorpusError(str(path), error.strerror or "unreadable", "a readable file") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise broken(path, line, raw[error.start : error.start + 1], "UTF-8 text") from error
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def broken(path: Path, line: int, got: object, expected: str) -> CorpusError:
    """Return the error for one line of a file."""
    return CorpusError(f"{path}, line {line}", got, expected)


def read_columns(path: Path, lines: Lines, options: ReaderOptions) -> Iterator[Sentence]:
    """Read CoNLL columns: one token a line, sentences apart by blank lines.

    A line that begins with ``#`` and has not the width of the others is a comment, and so is one
    that reads ``# name = value``; ``-DOCSTART-`` lines are passed over.
    """
    columns = options.columns or _named_columns(lines)
    rows: list[list[str]] = []
    for number, line in enumerate(lines, start=1):
        fields = line.split(options.separator)
        start = bool(fields) and fields[0] == DOCUMENT_START
        if not line.strip() or start:
            if rows:
                yield _columns_sentence(rows, columns or (), options)
            rows = []
        elif not _is_comment(line, fields, columns):
            columns = columns or _numbered_columns(path, number, fields)
            if len(fields) != len(columns) or not all(fields):
                expected = f"{len(columns)} columns, {' '.join(columns)}"
                raise broken(path, number, f"{len([f for f in fields if f])} columns", expected)
            rows.append(fields)
    if rows:
        yield _columns_sentence(rows, columns or (), options)


def _named_columns(lines: Lines) -> tuple[str, ...] | None:
    for line in lines[:50]:
        name, _, value = line.partition("=")
        if name.split() == ["#", "columns"] and value.split():
            return tuple(value.split())
    return None


def _numbered_columns(path: Path, number: int, fields: list[str]) -> tuple[str, ...]:
    if len(fields) < 2:
        raise broken(path, number, f"{len(fields)} column", "a token and at least one label")
    return ("tokens", *(f"layer_{i}" for i in range(1, len(fields))))


def _is_comment(line: str, fields: list[str], columns: Sequence[str] | None) -> bool:
    if not line.startswith("#"):
        return False
    setting = len(fields) > 2 and fields[0] == "#" and fields[2] == "="
    return setting or columns is None or len(fields) != len(columns)


def _columns_sentence(
    rows: list[list[str]], columns: Sequence[str], options: ReaderOptions
) -> Sentence:
    table = dict(zip(columns, zip(*rows, strict=True), strict=True))
    words = table.pop(options.words or columns[0], None)
    if words is None:
        raise CorpusError("words", options.words, f"one of the columns {', '.join(columns)}")
    return Sentence(words, {name: table[name] for name in table if name not in options.skip})


def read_jsonl(path: Path, lines: Lines, options: ReaderOptions) -> Iterator[Sentence]:
    """Read one JSON object a line: ``tokens``, and layers as lists of the same length.

    A label is a string, a whole number, or null where the token is not annotated; a layer that is
    null or left out is not annotated in that sentence. Other values are passed over.
    """
    key = options.words or "tokens"
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise broken(path, number, line[:40], "one JSON object a line") from error
        words = record.get(key) if isinstance(record, dict) else None
        if not _is_strings(words) or not all(words):
            raise broken(path, number, line[:40], f"an object with a list of strings {key!r}")
        layers = {
            name: _json_labels(path, number, name, value, len(words))
            for name, value in record.items()
            if name != key and name not in options.skip and isinstance(value, list)
        }
        if words:
            yield Sentence(words, layers)


def _json_labels(
    path: Path, number: int, name: str, values: list[object], length: int
) -> list[str | None]:
    fits = all(v is None or (isinstance(v, str | int) and not isinstance(v, bool)) for v in values)
    if not fits or len(values) != length:
        expected = f"{length} labels, each a string, a whole number or null"
        raise broken(path, number, f"{name} with {len(values)} values", expected)
    return [None if value is None else str(value) for value in values]


def _is_strings(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
