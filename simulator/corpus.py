"""Corpus: token ids, sentence bounds and named label layers over one vocabulary.

Notation
--------
N : tokens
S : sentences
V : vocabulary size
K : labels of a layer
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulator.errors import SpecError

UNKNOWN = "<unk>"


@dataclass(frozen=True, eq=False)
class Text:
    """Sentences of token ids.

    Parameters
    ----------
    tokens : int32 (N,), ids.
    bounds : int64 (S + 1,), sentence s is ``tokens[bounds[s]:bounds[s + 1]]``.
    """

    tokens: NDArray[np.int32]
    bounds: NDArray[np.int64]

    @property
    def sentences(self) -> int:
        """S."""
        return len(self.bounds) - 1

    @property
    def size(self) -> int:
        """N."""
        return len(self.tokens)

    def sentence_of(self) -> NDArray[np.int64]:
        """Return the sentence of each token, (N,)."""
        return np.repeat(np.arange(self.sentences), np.diff(self.bounds))

    def places(self, sentences: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the token places of the given sentences, in their order."""
        lengths = np.diff(self.bounds)[sentences]
        starts = np.repeat(self.bounds[sentences] - bounds_of(lengths)[:-1], lengths)
        return starts + np.arange(int(lengths.sum()))

    def take(self, sentences: NDArray[np.int64]) -> Text:
        """Return the given sentences as a text of their own."""
        return Text(
            self.tokens[self.places(sentences)], bounds_of(np.diff(self.bounds)[sentences])
        )


def bounds_of(lengths: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Return sentence bounds (S + 1,) from sentence lengths (S,)."""
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))]).astype(np.int64)


def join_texts(texts: Sequence[Text]) -> Text:
    """Return the texts one after another."""
    lengths = np.concatenate([np.diff(text.bounds) for text in texts])
    return Text(np.concatenate([text.tokens for text in texts]), bounds_of(lengths))


@dataclass(frozen=True, eq=False)
class Layer:
    """One annotation of every token.

    Parameters
    ----------
    labels : int16 (N,), −1 where the token is not annotated.
    names : K label strings.
    """

    labels: NDArray[np.int16]
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text with named label layers.

    Parameters
    ----------
    text : token ids and sentence bounds.
    vocabulary : V token strings; an id is a place in it.
    layers : label layers by name, in the order of the file.
    source : where it came from (a file name), for records.
    """

    text: Text
    vocabulary: tuple[str, ...]
    layers: Mapping[str, Layer]
    source: str = ""

    def layer(self, name: str) -> Layer:
        """Return a layer by name; `SpecError` lists the names there are."""
        if name not in self.layers:
            raise SpecError("layer", name, f"one of {', '.join(self.layers)}")
        return self.layers[name]


@dataclass(frozen=True)
class VocabularyOptions:
    """How token strings become ids.

    Parameters
    ----------
    lowercase : fold case first.
    max_types : keep at most this many types, the most frequent; None keeps all.
    min_count : types seen less often become `UNKNOWN`, at least 1.
    affixes : length of the suffix that stands for an unknown token (``<unk>-ing``); 0 for none.
    """

    lowercase: bool = False
    max_types: int | None = None
    min_count: int = 1
    affixes: int = 0


@dataclass
class CorpusBuilder:
    """Collects sentences as strings and ends in a `Corpus`.

    A label of None means "not annotated".
    """

    layer_names: tuple[str, ...]
    source: str = ""
    words: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    columns: list[list[str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.columns = [[] for _ in self.layer_names]

    def add(self, words: Sequence[str], labels: Sequence[Sequence[str | None]]) -> None:
        """Add one sentence: its words, and one label sequence per layer."""
        self.words.extend(words)
        self.lengths.append(len(words))
        for column, values in zip(self.columns, labels, strict=True):
            column.extend(values)

    def build(self, options: VocabularyOptions) -> Corpus:
        """Return the corpus; ids are given by falling frequency, then alphabetically."""
        ids, vocabulary = index_words(self.words, options)
        layers = {
            name: index_labels(column)
            for name, column in zip(self.layer_names, self.columns, strict=True)
        }
        return Corpus(Text(ids, bounds_of(self.lengths)), vocabulary, layers, self.source)


def index_words(
    words: Sequence[str], options: VocabularyOptions
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return token ids (N,) and the vocabulary, by falling frequency."""
    folded = [word.lower() for word in words] if options.lowercase else list(words)
    counts = _count(folded)
    known = {w for w, c in _by_frequency(counts)[: options.max_types] if c >= options.min_count}
    shown = [word if word in known else _unknown(word, options.affixes) for word in folded]
    vocabulary = tuple(word for word, _ in _by_frequency(_count(shown)))
    place = {word: i for i, word in enumerate(vocabulary)}
    return np.array([place[word] for word in shown], dtype=np.int32), vocabulary


def index_labels(values: Sequence[str | None]) -> Layer:
    """Return a layer from label strings; labels in alphabetical order, None unlabelled."""
    names = tuple(sorted({value for value in values if value is not None}))
    place: dict[str | None, int] = {name: i for i, name in enumerate(names)}
    place[None] = -1
    return Layer(np.array([place[value] for value in values], dtype=np.int16), names)


def _count(words: Sequence[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return counts


def _by_frequency(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _unknown(word: str, affixes: int) -> str:
    return f"{UNKNOWN}-{word[-affixes:]}" if affixes else UNKNOWN
