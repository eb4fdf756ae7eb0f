"""Reader of JSON Lines: one object per sentence, with ``tokens`` and layers of the same length."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeGuard

from mtl_laws.simulator.readers.base import FileContent, Lines, ReaderOptions, Sentence, broken


def read_jsonl(path: Path, lines: Lines, options: ReaderOptions) -> FileContent:
    """Read one JSON object a line.

    A label is a string, a whole number, or null where the token is not annotated. A layer that is
    null or left out is not annotated in that sentence. Values that are not lists are ignored.

    Raises
    ------
    CorpusError : a line that is not such an object.
    """
    key = options.words or "tokens"
    sentences = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise broken(path, number, line[:40], "one JSON object a line") from error
        words = record.get(key) if isinstance(record, dict) else None
        if not _is_strings(words) or not all(words):
            raise broken(path, number, line[:40], f"an object with a list of strings {key!r}")
        layers = {
            name: _labels(path, number, name, value, len(words))
            for name, value in record.items()
            if name != key and name not in options.skip and isinstance(value, list)
        }
        if words:
            sentences.append(Sentence(words, layers))
    return FileContent(path, sentences)


def _labels(
    path: Path, number: int, name: str, values: list[object], length: int
) -> list[str | None]:
    fits = all(v is None or (isinstance(v, str | int) and not isinstance(v, bool)) for v in values)
    if not fits or len(values) != length:
        expected = f"{length} labels, each a string, a whole number or null"
        raise broken(path, number, f"{name} with {len(values)} values", expected)
    return [None if value is None else str(value) for value in values]


def _is_strings(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
