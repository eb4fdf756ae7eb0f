"""From files to a corpus: the format of each, and whether several belong together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from mtl_laws.simulator.corpus import UNLABELLED, Corpus, index_corpus
from mtl_laws.simulator.errors import CorpusError
from mtl_laws.simulator.readers.base import (
    FileContent,
    Lines,
    ReaderOptions,
    Sentence,
    read_lines,
)
from mtl_laws.simulator.readers.columns import read_columns
from mtl_laws.simulator.readers.conllu import declared_columns, looks_like_conllu, read_conllu
from mtl_laws.simulator.readers.jsonl import read_jsonl

READERS: Mapping[str, Callable[[Path, Lines, ReaderOptions], FileContent]] = {
    "conll": read_columns,
    "conllu": read_conllu,
    "jsonl": read_jsonl,
}

COMMON_LABELS = 0.5
"""Least share of the labelled tokens of one of two parts whose labels the other part has, too."""

OUTSIDE = (None, UNLABELLED, "O")
"""Labels of tokens outside every span, which many layers have in common."""


def load_corpus(
    path: str | Path | Sequence[str | Path], options: ReaderOptions | None = None
) -> Corpus:
    """Read one file, or several parts of one corpus one after another.

    Parameters
    ----------
    path : CoNLL columns, CoNLL-U or JSON Lines, also gzipped. The format is
        detected from the content; the ending does not matter.
    options : how to read them.

    Raises
    ------
    CorpusError : a file is missing, broken, empty, without labels, or named twice; or files hold
        different things in columns without names.
    """
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(one) for one in path]
    options = options or ReaderOptions()
    contents = read_parts(paths, options)
    features = frozenset().union(*(content.features for content in contents))
    records = [
        (sentence.words, _with_features(sentence, features if content.features else frozenset()))
        for content in contents
        for sentence in content.sentences
    ]
    source = ", ".join(one.name for one in paths)
    corpus = index_corpus(records, options.vocabulary, source)
    if not corpus.layers:
        raise CorpusError(source, "no labels", "at least one label layer beside the tokens")
    return corpus


def read_parts(paths: Sequence[Path], options: ReaderOptions) -> list[FileContent]:
    """Return the contents of files that are parts of one corpus.

    Raises
    ------
    CorpusError : as of `load_corpus`, but for files without labels.
    """
    _check_once(paths)
    contents = [read_file(one, options) for one in paths]
    for one, other in pairwise(contents):
        _check_alike(one, other)
    return contents


def read_file(path: Path, options: ReaderOptions) -> FileContent:
    """Return the content of one file.

    Raises
    ------
    CorpusError : it is missing, broken or empty.
    """
    lines = read_lines(path)
    content = READERS[options.format or _format_of(path, lines)](path, lines, options)
    if not content.sentences:
        raise CorpusError(str(path), "empty", "a file with at least one sentence")
    return content


def _format_of(path: Path, lines: Lines) -> str:
    """The format of a file, by its content; an ending of CoNLL-U or JSON Lines is believed."""
    endings = {suffix.lower() for suffix in path.suffixes[-2:]}
    first = next((line.strip() for line in lines if line.strip()), "")
    if ".jsonl" in endings or (first.startswith("{") and first.endswith("}")):
        return "jsonl"
    if endings & {".conllu", ".conllup"} or declared_columns(lines) or looks_like_conllu(lines):
        return "conllu"
    return "conll"


def _check_once(paths: Sequence[Path]) -> None:
    """Refuse a file that is named twice, also by another path or as a copy."""
    seen: dict[str, Path] = {}
    for path in paths:
        try:
            digest = sha256(path.read_bytes()).hexdigest() if len(paths) > 1 else ""
        except OSError:
            continue  # reading it names the reason
        if digest in seen:
            expected = f"every file once; its content is that of {seen[digest]}"
            raise CorpusError("corpus", str(path), expected)
        seen[digest] = path


def _check_alike(one: FileContent, other: FileContent) -> None:
    """Refuse files whose columns have no names and do not hold the same layers."""
    if one.named and other.named:
        return
    first, second = _labels(one), _labels(other)
    if list(first) != list(second):
        raise _unlike(one, other, f"{len(first) + 1} and {len(second) + 1} columns")
    for name in first:
        if _common(first[name], second[name]) < COMMON_LABELS:
            raise _unlike(one, other, f"other labels in {name}")


def _unlike(one: FileContent, other: FileContent, problem: str) -> CorpusError:
    expected = "parts of one corpus, with the same columns; name the columns to join other files"
    return CorpusError("corpus", f"{one.path.name} and {other.path.name}: {problem}", expected)


def _labels(content: FileContent) -> dict[str, dict[str | None, int]]:
    """Layer -> label -> tokens."""
    counts: dict[str, dict[str | None, int]] = {}
    for sentence in content.sentences:
        for name, values in sentence.layers.items():
            layer = counts.setdefault(name, {})
            for value in values:
                layer[value] = layer.get(value, 0) + 1
    return counts


def _common(one: Mapping[str | None, int], other: Mapping[str | None, int]) -> float:
    """The larger share of tokens whose label the other part has, too; 1 where one has no labels."""
    counts = [
        {label: count for label, count in part.items() if label not in OUTSIDE}
        for part in (one, other)
    ]
    if not all(counts):
        return 1.0
    shares = (
        sum(count for label, count in mine.items() if label in theirs) / sum(mine.values())
        for mine, theirs in (counts, counts[::-1])
    )
    return max(shares)


def _with_features(
    sentence: Sentence, features: frozenset[str]
) -> Mapping[str, Sequence[str | None]]:
    """The layers of a sentence; tokens lack the features that their file never has."""
    missing = sorted(features - sentence.layers.keys())
    return {**sentence.layers, **{name: [UNLABELLED] * len(sentence.words) for name in missing}}
