"""Reader of CoNLL columns: one token a line, a blank line after every sentence.

The width of a file is that of its first token line. Beside tokens a file may hold:

- comments: ``# name = value``, and ``#`` lines before a sentence that do not look like its tokens;
- ``-DOCSTART-`` lines;
- a header line with the names of the columns;
- columns before the words, which count tokens or repeat the name of a document. They are dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mtl_laws.simulator.errors import CorpusError
from mtl_laws.simulator.readers.base import (
    DOCUMENT_START,
    FileContent,
    Lines,
    ReaderOptions,
    Sentence,
    broken,
)

WORD_NAMES = frozenset({"form", "token", "tokens", "word", "words"})
"""Names of the column of words that mark a header line, in lower case."""


@dataclass(frozen=True)
class _Row:
    """A token line: its number, its fields, and whether it begins a block of lines."""

    line: int
    fields: tuple[str, ...]
    first: bool


@dataclass(frozen=True)
class _Table:
    """The token lines of a file, sentence by sentence, all of one width."""

    path: Path
    blocks: Sequence[Sequence[_Row]]

    @cached_property
    def width(self) -> int:
        """Columns of the file."""
        return len(self.blocks[0][0].fields)

    def values(self, column: int, without: _Row | None = None) -> set[str]:
        """The values of a column, those of one row left out."""
        rows = (row for block in self.blocks for row in block if row is not without)
        return {row.fields[column] for row in rows}


def read_columns(path: Path, lines: Lines, options: ReaderOptions) -> FileContent:
    """Read CoNLL columns.

    Raises
    ------
    CorpusError : a line of another width, a file of words only, or no column of words.
    """
    table = _table(path, lines, options)
    names = options.columns or _declared_names(lines)
    if not table.blocks:
        return FileContent(path, ())
    if table.width < 2:
        row = table.blocks[0][0]
        expected = "a token and at least one label, separated by tabs or spaces"
        if "," in row.fields[0] or ";" in row.fields[0]:
            expected += "; a table of results goes to `mtl-laws fit`"
        raise broken(path, row.line, "1 column", expected)
    table, header = _without_header(table, names)
    names = names or header
    if names is not None and len(names) != table.width:
        row = table.blocks[0][0]
        expected = f"{len(names)} columns, {' '.join(names)}"
        raise broken(path, row.line, f"{table.width} columns", expected)
    first = 0 if names or options.words else _word_column(table)
    numbered = ("tokens", *(f"layer_{k}" for k in range(1, table.width - first)))
    columns = tuple(names or numbered)
    if len(columns) < 2:
        row = table.blocks[0][0]
        raise broken(path, row.line, "1 column of words", "a token and at least one label")
    words = _words_among(columns, options)
    sentences = [_sentence(block, columns, words, first, options) for block in table.blocks]
    return FileContent(path, sentences, named=names is not None)


def _table(path: Path, lines: Lines, options: ReaderOptions) -> _Table:
    """The token lines of a file, without comments."""
    separator = options.separator or _separator(lines)
    width = len(options.columns or ()) or _width(lines, separator)
    blocks = [list(block) for block in _blocks(path, lines, separator, width)]
    plain = [row for block in blocks for row in block if not row.fields[0].startswith("#")]
    labels = [{row.fields[k] for row in plain} for k in range(width)]
    sentences = [[row for row in block if not _is_comment(row, labels)] for block in blocks]
    return _Table(path, [sentence for sentence in sentences if sentence])


def _separator(lines: Lines) -> str | None:
    """A tab where every token line has one; None for any run of spaces and tabs."""
    token_lines = [
        line for line in lines if line.strip() and not line.startswith(("#", DOCUMENT_START))
    ]
    return "\t" if token_lines and all("\t" in line.strip() for line in token_lines) else None


def _fields(line: str, separator: str | None) -> tuple[str, ...]:
    parts = line.rstrip("\t \r").split(separator)
    return tuple(part.strip() for part in parts)


def _width(lines: Lines, separator: str | None) -> int:
    """Fields of the first line that is neither blank nor a comment; of a ``#`` line if all are."""
    marked = [line for line in lines if line.strip() and not line.startswith(DOCUMENT_START)]
    plain = [line for line in marked if not line.startswith("#")] or marked
    return len(_fields(plain[0], separator)) if plain else 0


def _blocks(
    path: Path, lines: Lines, separator: str | None, width: int
) -> Iterator[Sequence[_Row]]:
    """Rows between blank lines and document starts; ``#`` lines of another width are left out."""
    rows: list[_Row] = []
    for number, line in enumerate(lines, start=1):
        fields = _fields(line, separator)
        if not line.strip() or fields[0] == DOCUMENT_START:
            if rows:
                yield rows
            rows = []
        elif _is_setting(fields) or (line.startswith("#") and len(fields) != width):
            continue
        elif len(fields) != width or not all(fields):
            filled = sum(bool(field) for field in fields)
            counted = f"{filled} column{'' if filled == 1 else 's'}"
            raise broken(path, number, counted, f"{width} columns, as in the first line")
        else:
            comments_only = all(row.fields[0].startswith("#") for row in rows)
            rows.append(_Row(number, fields, first=comments_only))
    if rows:
        yield rows


def _is_setting(fields: Sequence[str]) -> bool:
    """Whether a line reads ``# name = value``."""
    words = " ".join(fields).split()
    return len(words) > 2 and words[0] == "#" and words[2] == "="


def _is_comment(row: _Row, labels: Sequence[set[str]]) -> bool:
    """Whether a ``#`` line before a sentence is a comment: its labels are those of no other line.

    A hashtag (``#word``) is a token if one of its labels is known; a bare ``#`` if all are.
    """
    if not row.first or not row.fields[0].startswith("#"):
        return False
    known = [value in labels[k] for k, value in enumerate(row.fields) if k]
    return not (any(known) if len(row.fields[0]) > 1 else all(known))


def _declared_names(lines: Lines) -> tuple[str, ...] | None:
    """The names in a ``# columns = …`` line near the top."""
    for line in lines[:50]:
        name, _, value = line.partition("=")
        if name.split() == ["#", "columns"] and value.split():
            return tuple(value.split())
    return None


def _without_header(
    table: _Table, names: Sequence[str] | None
) -> tuple[_Table, tuple[str, ...] | None]:
    """The table without its header line, and the names in it; None where there is none."""
    block = table.blocks[0]
    row = block[0]
    if not _is_header(table, row, names):
        return table, None
    rest = [block[1:], *table.blocks[1:]] if len(block) > 1 else table.blocks[1:]
    if not rest:
        raise CorpusError(str(table.path), "a header line only", "a file with sentences")
    return _Table(table.path, rest), row.fields


def _is_header(table: _Table, row: _Row, names: Sequence[str] | None) -> bool:
    """Whether the first row names the columns.

    It does if it repeats the names that are known, or if one of its fields is a name for words and
    its other fields are values of no other row.
    """
    folded = [field.lower() for field in row.fields]
    if names is not None and folded == [name.lower() for name in names]:
        return True
    if not WORD_NAMES & set(folded) or len(set(folded)) < len(folded):
        return False
    return all(
        value not in table.values(column, without=row)
        for column, value in enumerate(row.fields)
        if value.lower() not in WORD_NAMES
    )


def _word_column(table: _Table) -> int:
    """The first column that neither counts the tokens nor repeats one value in each sentence."""
    for column in range(table.width):
        sentences = [[row.fields[column] for row in block] for block in table.blocks]
        if not (_counts(sentences) or _repeats(sentences)):
            return column
    row = table.blocks[0][0]
    raise broken(table.path, row.line, " ".join(row.fields)[:40], "a column of words")


def _counts(sentences: Sequence[Sequence[str]]) -> bool:
    """Whether a column numbers the tokens of every sentence, or of the whole file."""
    flat = [value for sentence in sentences for value in sentence]
    if not all(value.isascii() and value.isdecimal() for value in flat):
        return False
    numbers = [[int(value[:9]) for value in sentence] for sentence in sentences]
    each = all(
        values == list(range(values[0], values[0] + len(values))) and values[0] in (0, 1)
        for values in numbers
    )
    whole = [number for values in numbers for number in values]
    return each or whole == list(range(whole[0], whole[0] + len(whole)))


def _repeats(sentences: Sequence[Sequence[str]]) -> bool:
    """Whether every sentence of several tokens has one value throughout."""
    longer = [set(sentence) for sentence in sentences if len(sentence) > 2]
    return bool(longer) and all(len(values) == 1 for values in longer)


def _words_among(columns: Sequence[str], options: ReaderOptions) -> str:
    """The name of the column of words."""
    words = options.words
    if words is None:
        named = [name for name in columns if name.lower() in WORD_NAMES]
        return named[0] if len(named) == 1 else columns[0]
    if words not in columns and words.isdecimal() and 1 <= int(words) <= len(columns):
        return columns[int(words) - 1]
    if words not in columns:
        expected = f"a number from 1 to {len(columns)}, or one of the columns {', '.join(columns)}"
        raise CorpusError("words", words, expected)
    return words


def _sentence(
    block: Sequence[_Row], columns: Sequence[str], words: str, first: int, options: ReaderOptions
) -> Sentence:
    values = zip(*(row.fields[first:] for row in block), strict=True)
    table = dict(zip(columns, values, strict=True))
    tokens = table.pop(words)
    return Sentence(tokens, {name: table[name] for name in table if name not in options.skip})
