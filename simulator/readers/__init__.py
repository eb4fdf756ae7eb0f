"""Readers: CoNLL columns, CoNLL-U and JSON Lines files as one `Corpus`."""

from mtl_laws.simulator.readers.base import ReaderOptions
from mtl_laws.simulator.readers.files import load_corpus

__all__ = ["ReaderOptions", "load_corpus"]
