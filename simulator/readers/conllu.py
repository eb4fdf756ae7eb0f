"""Reader of CoNLL-U and CoNLL-U Plus files.

Layers: ``upos``, ``xpos``, ``deprel``; every key of FEATS under its own name; every key of MISC as
``misc.KEY``; a further column of CoNLL-U Plus under its name in lower case. A token without a
feature has the label ``_``; without UPOS, XPOS, DEPREL or a further column it is not annotated. A
key without a value is a label of its own. Multiword tokens and empty nodes are skipped: the tokens
are the syntactic words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mtl_laws.simulator.corpus import UNLABELLED
from mtl_laws.simulator.readers.base import (
    FileContent,
    Lines,
    ReaderOptions,
    Sentence,
    broken,
)

COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
_KEYS = {"feats": "", "misc": "misc."}
"""Columns of ``key=value`` pairs -> what stands before a key in the layer's name."""

_NO_LAYERS = ("id", "form", "lemma", "head", "deps", *_KEYS)
_DECLARATION = re.compile(r"#\s*global\.columns\s*=(.*)", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+)([-.]\d+)?")

Token = dict[str, str]


def read_conllu(path: Path, lines: Lines, options: ReaderOptions) -> FileContent:
    """Read a CoNLL-U file. Keys of FEATS and MISC that occur anywhere are layers everywhere.

    Raises
    ------
    CorpusError : a line of another width, or one that does not begin with a number and a form.
    """
    columns = declared_columns(lines) or COLUMNS
    if "form" not in columns:
        raise broken(path, 1, " ".join(columns), "a column FORM in # global.columns")
    sentences = [list(block) for block in _blocks(path, lines, columns)]
    plain = [name for name in columns if name not in _NO_LAYERS]
    keys = {
        column: sorted(
            {key for tokens in sentences for token in tokens for key in _pairs(token, column)}
        )
        for column in _KEYS
        if column in columns
    }
    features = frozenset(_KEYS[column] + key for column, names in keys.items() for key in names)
    return FileContent(
        path,
        [_sentence(tokens, plain, keys, options) for tokens in sentences if tokens],
        features=features - set(options.skip),
    )


def declared_columns(lines: Lines) -> tuple[str, ...] | None:
    """The columns that a ``# global.columns`` line near the top names, in lower case."""
    matches = (_DECLARATION.fullmatch(line.strip()) for line in lines[:20])
    names = next((match[1].lower().split() for match in matches if match), [])
    return tuple(names) or None


def looks_like_conllu(lines: Lines) -> bool:
    """Whether the first lines have ten columns and begin with the number of a token."""
    tokens = [line.split("\t") for line in lines[:200] if line.strip() and not line.startswith("#")]
    return bool(tokens) and all(
        len(fields) == len(COLUMNS) and _NUMBER.fullmatch(fields[0]) for fields in tokens
    )


def _blocks(path: Path, lines: Lines, columns: Sequence[str]) -> Iterator[list[Token]]:
    """The syntactic words of each sentence."""
    tokens: list[Token] = []
    for number, line in enumerate([*lines, ""], start=1):
        if not line.strip():
            if tokens:
                yield tokens
            tokens = []
        elif not line.startswith("#"):
            token = _token(path, number, line, columns)
            if token.get("id", "1").isdecimal():
                tokens.append(token)


def _token(path: Path, number: int, line: str, columns: Sequence[str]) -> Token:
    fields = line.split("\t")
    if len(fields) != len(columns):
        expected = f"{len(columns)} columns separated by tabs"
        raise broken(path, number, f"{len(fields)} columns", expected)
    token = dict(zip(columns, fields, strict=True))
    if not _NUMBER.fullmatch(token.get("id", "1")) or not token["form"]:
        raise broken(path, number, line[:20], "a token number and a form")
    return token


def _pairs(token: Token, column: str) -> dict[str, str]:
    """The pairs of a token's FEATS or MISC; a key without a value is its own value."""
    text = token[column]
    if text in ("", UNLABELLED):
        return {}
    pairs = (part.partition("=") for part in text.split("|"))
    return {
        key.strip(): value.strip() if mark else key.strip() for key, mark, value in pairs if key
    }


def _sentence(
    tokens: Sequence[Token],
    plain: Sequence[str],
    keys: dict[str, list[str]],
    options: ReaderOptions,
) -> Sentence:
    layers: dict[str, list[str | None]] = {
        name: [None if token[name] in ("", UNLABELLED) else token[name] for token in tokens]
        for name in plain
    }
    for column, names in keys.items():
        pairs = [_pairs(token, column) for token in tokens]
        for key in names:
            layers[_KEYS[column] + key] = [pair.get(key, UNLABELLED) for pair in pairs]
    used = {name: layers[name] for name in layers if name not in options.skip}
    return Sentence([token["form"] for token in tokens], used)
