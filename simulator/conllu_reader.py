"""Reader of CoNLL-U files, on the `conllu` library.

Layers: ``upos``, ``xpos``, ``deprel``; every key of FEATS under its own name; every key of MISC as
``misc.KEY``. A token without a feature has the label ``_``; without UPOS, XPOS or DEPREL it is not
annotated. Multiword tokens and empty nodes are skipped: the tokens are the syntactic words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import conllu
from conllu.exceptions import ParseException
from conllu.models import Token

from mtl_laws.simulator.readers import ABSENT, Lines, ReaderOptions, Sentence, broken

_COLUMNS = 10
_PLAIN = ("upos", "xpos", "deprel")


def read_conllu(path: Path, lines: Lines, options: ReaderOptions) -> Iterator[Sentence]:
    """Read a CoNLL-U file; keys of FEATS and MISC that occur anywhere are layers everywhere."""
    parsed = [_words(path, number, block) for number, block in _blocks(path, lines)]
    feats = _keys(parsed, "feats")
    misc = _keys(parsed, "misc")
    for tokens in parsed:
        if not tokens:
            continue
        layers: dict[str, list[str | None]] = {
            name: [_annotated(token[name]) for token in tokens] for name in _PLAIN
        }
        layers |= {key: [_value(token["feats"], key) for token in tokens] for key in feats}
        layers |= {f"misc.{key}": [_value(token["misc"], key) for token in tokens] for key in misc}
        used = {name: layers[name] for name in layers if name not in options.skip}
        yield Sentence([token["form"] for token in tokens], used)


def _blocks(path: Path, lines: Lines) -> Iterator[tuple[int, str]]:
    """Yield the sentences' lines and the number of the first, checking every line's width."""
    block: Lines = []
    for number, line in enumerate([*lines, ""], start=1):
        if line.strip():
            if not line.startswith("#"):
                _check_line(path, number, line)
            block.append(line)
        elif block:
            yield number - len(block), "\n".join(block) + "\n"
            block = []


def _check_line(path: Path, number: int, line: str) -> None:
    fields = line.split("\t")
    if len(fields) != _COLUMNS:
        raise broken(path, number, f"{len(fields)} columns", "10 columns apart by tabs")
    if not fields[0].replace("-", "").replace(".", "").isdecimal() or not fields[1]:
        raise broken(path, number, line[:20], "a token number and a form")


def _words(path: Path, number: int, block: str) -> list[Token]:
    try:
        sentences = conllu.parse(block)
    except (ParseException, ValueError, IndexError, KeyError) as error:
        raise broken(path, number, str(error)[:60], "a CoNLL-U sentence") from error
    return [token for one in sentences for token in one if isinstance(token["id"], int)]


def _keys(parsed: list[list[Token]], column: str) -> list[str]:
    keys = {key for tokens in parsed for token in tokens for key in token[column] or {}}
    return sorted(keys)


def _annotated(value: str | None) -> str | None:
    return None if value in (None, ABSENT) else value


def _value(features: Mapping[str, str | None] | None, key: str) -> str:
    return str(features[key]) if features and key in features else ABSENT
