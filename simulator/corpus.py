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

from mtl_laws.simulator.errors import SpecError

UNKNOWN = "<unk>"

UNLABELLED = "_"
"""Label of a token without a value, in CoNLL-U and in many column files."""

_MOST_LABELS = np.iinfo(np.int16).max


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
        return Text(self.tokens[self.places(sentences)], bounds_of(np.diff(self.bounds)[sentences]))


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
    left_out : columns that are no layers, with the reason: too many labels, or none.
    """

    text: Text
    vocabulary: tuple[str, ...]
    layers: Mapping[str, Layer]
    source: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)

    def name_of(self, name: str) -> str:
        """Return a layer's own name, given in any case; `SpecError` lists the names there are."""
        alike = [known for known in self.layers if known.lower() == name.lower()]
        if name not in self.layers and len(alike) != 1:
            raise SpecError("layer", name, f"one of {', '.join(self.layers)}")
        return name if name in self.layers else alike[0]

    def layer(self, name: str) -> Layer:
        """Return a layer by name, in any case."""
        return self.layers[self.name_of(name)]


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


Record = tuple[Sequence[str], Mapping[str, Sequence[str | None]]]


def index_corpus(records: Sequence[Record], options: VocabularyOptions, source: str) -> Corpus:
    """Return the corpus of (words, labels by layer) sentences.

    A layer that a sentence lacks is unlabelled there. A layer that no sentence labels, or with more
    labels than can be counted, is left out.
    """
    names = list(dict.fromkeys(name for _, layers in records for name in layers))
    ids, vocabulary = index_words([word for words, _ in records for word in words], options)
    layers, left_out = {}, {}
    for name in names:
        values: list[str | None] = []
        for words, labels in records:
            values.extend(labels.get(name) or [None] * len(words))
        distinct = {value for value in values if value is not None}
        if len(distinct) > _MOST_LABELS:
            left_out[name] = f"has {len(distinct):,} labels, more than {_MOST_LABELS:,}"
        elif distinct <= {UNLABELLED}:
            left_out[name] = "has no labels"
        else:
            layers[name] = index_labels(values)
    text = Text(ids, bounds_of([len(words) for words, _ in records]))
    return Corpus(text, vocabulary, layers, source, left_out)


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
    place: dict[str | None, int] = {label: i for i, label in enumerate(names)}
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
