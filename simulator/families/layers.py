"""`layers`: annotation layers of a real corpus as tasks; their AMI is measured, not set.

Notation
--------
T : tasks;  S : sentences;  N : tokens of the corpus
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from mtl_laws.simulator.corpus import Corpus, Layer
from mtl_laws.simulator.errors import CorpusError, SpecError
from mtl_laws.simulator.families.base import read_options
from mtl_laws.simulator.families.corpus_options import (
    CorpusOptions,
    annotated_sentences,
    check_text,
    check_whole,
    names_of,
)
from mtl_laws.simulator.layout import (
    Naming,
    assemble,
    corpus_layout,
    noise_offsets,
    pool_relatedness,
    token_vectors,
    with_noise,
)
from mtl_laws.simulator.memory_bounded_cache import memory_bounded_cache
from mtl_laws.simulator.readers.vectors import FrozenVectors, Vectors, open_vectors
from mtl_laws.simulator.spec import JSON, TaskSpec
from mtl_laws.simulator.tasks import TaskSet


@dataclass(frozen=True)
class LayersOptions(CorpusOptions):
    """Settings of the layers family, on top of those of a corpus.

    Parameters
    ----------
    aux : layers of the auxiliary tasks, of which the first T − 1 are taken; None takes any others.
    min_overlap : tokens that two layers must both label for their AMI to be measured.
    vectors : path of a .npy or .safetensors file with a vector for each token of the corpus, in its
        order, for encoders that read vectors.
    """

    aux: tuple[str, ...] | None = None
    min_overlap: int = 1000
    vectors: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "aux", names_of("aux", self.aux))
        check_whole("min_overlap", self.min_overlap, 0)
        check_text("vectors", self.vectors)

    def check_vectors(self) -> None:
        """Refuse a file of vectors that is missing or broken, without reading its numbers."""
        if self.vectors is not None:
            with _at_option():
                open_vectors(self.vectors)

    def frozen(self, corpus: Corpus) -> FrozenVectors | None:
        """Return the vectors of a corpus (N, W), to be read by row, or None without a file.

        Raises
        ------
        SpecError : the file does not have one row of finite numbers for each token.
        """
        if self.vectors is None:
            return None
        with _at_option():
            open_vectors(self.vectors, corpus.text.size)
            return _frozen(self.vectors, Path(self.vectors).stat().st_mtime_ns)

    def table(self, corpus: Corpus) -> Vectors | None:
        """Return all vectors of a corpus, (N, W), or None without a file; raises as `frozen`."""
        frozen = self.frozen(corpus)
        if frozen is None:
            return None
        with _at_option():
            return _table(frozen)

    def layers(self, corpus: Corpus, auxiliaries: int) -> list[tuple[str, Layer]]:
        """Return the layers of all tasks by name, main first."""
        main = self.main_layer(corpus)
        names = [name for name in corpus.layers if name != main[0]]
        if self.aux is not None:
            names = [corpus.name_of(name) for name in self.aux]
        others = names[:auxiliaries]
        if len({main[0], *others}) != 1 + auxiliaries or len(others) != auxiliaries:
            raise SpecError("options.aux", others, f"{auxiliaries} layers other than {main[0]}")
        return [main, *((name, corpus.layers[name]) for name in others)]


@lru_cache(maxsize=4)
def _frozen(path: str, stamp: int) -> FrozenVectors:
    """The vectors of a file; scanned once while it does not change."""
    del stamp  # part of the key only
    return FrozenVectors.of(open_vectors(path), path)


@memory_bounded_cache(megabytes=1000)
def _table(frozen: FrozenVectors) -> Vectors:
    """All vectors of a file; read once while it does not change."""
    return frozen.table()


@contextmanager
def _at_option() -> Iterator[None]:
    """Raise an error in a file of vectors as one of the option that names it."""
    try:
        yield
    except CorpusError as error:
        value = f"{error.field}: {error.value}"
        raise SpecError("options.vectors", value, error.accepted) from error


class LayersFamily:
    """See the module."""

    def check(self, spec: TaskSpec) -> None:
        """Check options, without opening the corpus."""
        options = read_options(LayersOptions, spec.options)
        if spec.ami is not None:
            raise SpecError("ami", spec.ami, "no value: layers have the AMI that they have")
        if not options.paths:
            raise SpecError("options.corpus", None, "the path of a corpus file")
        options.check_files()
        options.check_vectors()

    def build(self, spec: TaskSpec, seed: int) -> TaskSet:
        """Build the TaskSet from the corpus's own annotation."""
        options = read_options(LayersOptions, spec.options)
        corpus = options.opened()
        table = options.table(corpus)
        chosen = options.layers(corpus, spec.auxiliaries)
        check_overlap(chosen, options.min_overlap)
        usable = np.stack([annotated_sentences(corpus, layer) for _, layer in chosen])
        layout = corpus_layout(spec, seed, corpus, usable)
        clean = np.stack([layer.labels[layout.origin] for _, layer in chosen])
        naming = Naming(corpus.vocabulary, tuple(layer.names for _, layer in chosen))
        observed = clean
        if spec.label_noise:
            offsets = noise_offsets(spec, seed, layout, naming.sizes)
            rows = zip(clean, offsets, naming.sizes, strict=True)
            observed = np.stack([with_noise(*row) for row in rows])
        names: JSON = [name for name, _ in chosen]
        record: dict[str, JSON] = {"text": corpus.source, "licence": options.licence}
        record["layers"] = names
        labels = clean, observed
        measured = pool_relatedness(layout, naming.sizes, labels)
        taskset = assemble((spec, seed), layout, naming, labels, measured, record)
        return taskset if table is None else replace(taskset, vectors=token_vectors(layout, table))


def check_overlap(chosen: list[tuple[str, Layer]], least: int) -> None:
    """Refuse two layers that label too few tokens in common for an AMI."""
    for i, (name, layer) in enumerate(chosen):
        for other, second in chosen[i + 1 :]:
            both = int(((layer.labels >= 0) & (second.labels >= 0)).sum())
            if both < max(least, 1):
                raise SpecError(
                    "layers",
                    f"{name}, {other}",
                    f"layers that both label at least {max(least, 1)} tokens (options.min_overlap) "
                    f"for an AMI to be measured; these share {both}",
                )
