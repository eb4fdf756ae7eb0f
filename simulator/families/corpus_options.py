"""Options of families that work on a real corpus, and the corpus they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtl_laws.simulator.corpus import Corpus, Layer, VocabularyOptions
from mtl_laws.simulator.errors import SpecError
from mtl_laws.simulator.readers import ReaderOptions, load_corpus
from mtl_laws.simulator.readers.base import FORMATS


@dataclass(frozen=True)
class CorpusOptions:
    """Which corpus, and how to read it.

    Parameters
    ----------
    corpus : path of the file, or a list of paths read one after another.
    main : layer of the main task; None takes the first.
    columns, separator, words, skip, format : see `ReaderOptions`.
    lowercase, max_types, min_count, affixes : see `VocabularyOptions`.
    licence : of the corpus, as its owners state it; goes into the data card.
    """

    corpus: str | tuple[str, ...] | None = None
    main: str | None = None
    columns: tuple[str, ...] | None = None
    separator: str | None = None
    words: str | None = None
    skip: tuple[str, ...] = ()
    format: str | None = None
    lowercase: bool = False
    max_types: int | None = None
    min_count: int = 1
    affixes: int = 0
    licence: str | None = None

    def __post_init__(self) -> None:
        for name in ("main", "separator", "words", "format", "licence"):
            check_text(name, getattr(self, name))
        for name in ("columns", "skip"):
            object.__setattr__(self, name, names_of(name, getattr(self, name)))
        if not isinstance(self.corpus, str | None):
            object.__setattr__(self, "corpus", names_of("corpus", self.corpus))
        if not isinstance(self.lowercase, bool):
            raise SpecError("options.lowercase", self.lowercase, "true or false")
        if self.format not in (None, *FORMATS):
            raise SpecError("options.format", self.format, f"one of {', '.join(FORMATS)}")
        for name, least in (("max_types", 1), ("min_count", 1), ("affixes", 0)):
            if name != "max_types" or self.max_types is not None:
                check_whole(name, getattr(self, name), least)

    @property
    def paths(self) -> tuple[str, ...]:
        """The files, none without a corpus."""
        if self.corpus is None:
            return ()
        return (self.corpus,) if isinstance(self.corpus, str) else self.corpus

    @property
    def reader(self) -> ReaderOptions:
        """How the files are read."""
        words = VocabularyOptions(self.lowercase, self.max_types, self.min_count, self.affixes)
        return ReaderOptions(
            columns=self.columns,
            separator=self.separator,
            words=self.words,
            skip=self.skip,
            format=self.format,
            vocabulary=words,
        )

    def check_files(self) -> None:
        """Refuse a path that is no file."""
        for path in self.paths:
            if not Path(path).is_file():
                raise SpecError("options.corpus", path, "the path of a corpus file")

    def opened(self) -> Corpus:
        """Return the corpus; read once while its files do not change."""
        stamps = tuple(Path(path).stat().st_mtime_ns for path in self.paths)
        return _opened(self.paths, self.reader, stamps)

    def main_layer(self, corpus: Corpus) -> tuple[str, Layer]:
        """Return the main task's layer and its name."""
        name = corpus.name_of(self.main) if self.main else next(iter(corpus.layers))
        return name, corpus.layers[name]


def names_of(option: str, value: object) -> tuple[str, ...] | None:
    """Return a list of names as a tuple; raises `SpecError` for anything else but None."""
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(v, str) and v for v in value):
        raise SpecError(f"options.{option}", value, "a list of names")
    return tuple(value)


def check_whole(option: str, value: object, least: int) -> None:
    """Refuse what is not a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SpecError(f"options.{option}", value, f"a whole number of at least {least}")


def check_text(option: str, value: object) -> None:
    """Refuse what is neither None nor a string with content."""
    if value is not None and (not isinstance(value, str) or not value):
        raise SpecError(f"options.{option}", value, "a string that is not empty")


@lru_cache(maxsize=4)
def _opened(paths: tuple[str, ...], reader: ReaderOptions, stamps: tuple[int, ...]) -> Corpus:
    del stamps  # part of the key only: a changed file is read again
    return load_corpus(paths, reader)


def annotated_sentences(corpus: Corpus, layer: Layer) -> NDArray[np.bool_]:
    """Tell which sentences have at least one annotated token in a layer, (S,)."""
    counts = np.bincount(
        corpus.text.sentence_of(), layer.labels >= 0, minlength=corpus.text.sentences
    )
    return np.asarray(counts > 0)
