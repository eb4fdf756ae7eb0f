"""Layout: which sentences a TaskSet is made of, and in what order.

Notation
--------
T : tasks;  S : sentences;  N : tokens
n_t : training tokens of task t

A layout is one text in four parts: train, spare, validation, test. Train and validation are made
of blocks, one per task, main first; with shared sentences there is one block for all. The pool, on
which relatedness is measured, is the training text; with a real corpus it is all of it. Where the
training text of synthetic tasks is shorter than `POOL_TOKENS` there is none: relatedness is then
measured on the world's reference text, a layout of its own.

Pairing: the main task's blocks and the test come first in their own random streams, so they are
the same whatever T, AMI and the auxiliaries' sizes are, and nested in n.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtl_laws.simulator.corpus import Corpus, Text, join_texts
from mtl_laws.simulator.errors import SpecError
from mtl_laws.simulator.relatedness import POOL_TOKENS, Relatedness, measure
from mtl_laws.simulator.spec import JSON, TaskSpec
from mtl_laws.simulator.streams import stream
from mtl_laws.simulator.synthetic import TokenSource, nearest_count
from mtl_laws.simulator.tasks import ALL_TASKS, Split, TaskSet, TokenVectors

Labels = NDArray[np.int16]
Places = NDArray[np.int64]

TRAIN, SPARE, VALIDATION, TEST = range(4)
SPLITS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}


@dataclass(frozen=True)
class Block:
    """Sentences drawn together: their part, their task, and their token range in the layout."""

    part: int
    task: int
    tokens: slice
    sentences: int


@dataclass(frozen=True, eq=False)
class Layout:
    """One text in blocks; see the module.

    Parameters
    ----------
    text : all sentences, parts in order.
    blocks : the blocks, in order.
    pool : tokens of the pool, counted from the start of the text; 0 where there is none.
    origin : for sentences of a corpus, the place of every token in it; None for synthetic text.
    """

    text: Text
    blocks: tuple[Block, ...]
    pool: int
    origin: Places | None = None

    def of_part(self, part: int) -> Iterator[Block]:
        """Yield the blocks of a part."""
        return (block for block in self.blocks if block.part == part)

    def span(self, part: int) -> slice:
        """Return the token range of a part."""
        blocks = list(self.of_part(part))
        return slice(blocks[0].tokens.start, blocks[-1].tokens.stop)

    def split(self, part: int, labels: Labels) -> Split:
        """Return a part as a `Split`; `labels` (T, N) covers the whole layout."""
        blocks = list(self.of_part(part))
        tokens = self.span(part)
        counts = [block.sentences for block in blocks]
        tasks = np.array([block.task for block in blocks], dtype=np.int16)
        first = int(np.searchsorted(self.text.bounds, tokens.start))
        bounds = self.text.bounds[first : first + sum(counts) + 1] - tokens.start
        return Split(
            self.text.tokens[tokens].copy(),
            bounds,
            np.ascontiguousarray(labels[:, tokens]),
            np.repeat(tasks, counts),
        )


def synthetic_layout(spec: TaskSpec, source: TokenSource) -> Layout:
    """Lay out text of a token source for a spec."""
    tasks = [ALL_TASKS] if spec.shared else list(range(spec.tasks))
    train = [(spec.sizes[t], "train", t) for t in range(len(tasks))]
    validation = [(validation_tokens(spec, t), "validation", t) for t in range(len(tasks))]
    texts = source.draw_all([*train, *validation, (spec.test_tokens, "test")])
    places = [*((TRAIN, t) for t in tasks), *((VALIDATION, t) for t in tasks), (TEST, ALL_TASKS)]
    size = sum(text.size for text in texts[: len(tasks)])
    parts = [(*place, text) for place, text in zip(places, texts, strict=True)]
    return _joined(parts, size if size >= POOL_TOKENS else 0)


def reference_layout(text: Text) -> Layout:
    """Lay out the reference text of a world: one block that is all pool."""
    return _joined([(SPARE, ALL_TASKS, text)], text.size)


def validation_tokens(spec: TaskSpec, task: int) -> int:
    """Return the validation tokens of a task, a fraction of its training tokens."""
    return round(spec.validation_fraction * spec.sizes[task])


def _joined(parts: list[tuple[int, int, Text]], pool: int) -> Layout:
    blocks, start = [], 0
    for part, task, text in parts:
        blocks.append(Block(part, task, slice(start, start + text.size), text.sentences))
        start += text.size
    return Layout(join_texts([text for _, _, text in parts]), tuple(blocks), pool)


def corpus_layout(spec: TaskSpec, seed: int, corpus: Corpus, usable: NDArray[np.bool_]) -> Layout:
    """Lay out the sentences of a corpus for a spec.

    Sentences are shuffled once per seed. The test comes first; the main task trains on the next
    ones and validates on the last ones, so that neither depends on T; auxiliaries take what is
    between, in order.

    Parameters
    ----------
    usable : bool (T, S), whether a sentence is annotated for a task.

    Raises
    ------
    SpecError : the corpus is too small; names the tokens there are.
    """
    deal = _Deal(corpus.text, stream(seed, "sentences").permutation(corpus.text.sentences))
    everyone = np.asarray(usable.all(axis=0))
    test = deal.take("test", spec.test_tokens, usable[0])
    tasks = [ALL_TASKS] if spec.shared else list(range(spec.tasks))
    dealt: dict[tuple[int, int], Places] = {}
    for t in tasks:
        fit = everyone if t == ALL_TASKS else usable[t]
        name = f"task {max(t, 0)}"
        dealt[TRAIN, t] = deal.take(f"training of {name}", spec.sizes[max(t, 0)], fit)
        count = validation_tokens(spec, max(t, 0))
        dealt[VALIDATION, t] = deal.take(f"validation of {name}", count, fit, from_end=True)
    chosen = [(TRAIN, t, dealt[TRAIN, t]) for t in tasks]
    chosen += [(SPARE, ALL_TASKS, deal.rest())]
    chosen += [(VALIDATION, t, dealt[VALIDATION, t]) for t in tasks] + [(TEST, ALL_TASKS, test)]
    parts = [(part, t, corpus.text.take(sentences)) for part, t, sentences in chosen]
    origin = corpus.text.places(np.concatenate([sentences for _, _, sentences in chosen]))
    joined = _joined(parts, corpus.text.size)
    return Layout(joined.text, joined.blocks, joined.pool, origin)


class _Deal:
    """Sentences of a corpus, dealt from both ends of one shuffled order, each at most once."""

    def __init__(self, text: Text, order: Places) -> None:
        self.lengths = np.diff(text.bounds)
        self.order = order
        self.free = np.ones(len(order), dtype=bool)

    def take(
        self, purpose: str, tokens: int, fit: NDArray[np.bool_], from_end: bool = False
    ) -> Places:
        """Take sentences that `fit`, the nearest count to `tokens`, at least one."""
        order = self.order[::-1] if from_end else self.order
        candidates = order[self.free[order] & fit[order]]
        there = int(self.lengths[candidates].sum())
        if there < tokens or not len(candidates):
            total = int(self.lengths.sum())
            left = f"{there} of the corpus's {total} tokens are annotated and left"
            field = "test_tokens" if purpose == "test" else "tokens"
            raise SpecError(field, tokens, f"fewer for the {purpose}: {left}")
        taken = candidates[: nearest_count(self.lengths[candidates], tokens)]
        self.free[taken] = False
        return taken

    def rest(self) -> Places:
        """Return the sentences that nobody took."""
        return self.order[self.free[self.order]]


def noise_offsets(spec: TaskSpec, seed: int, layout: Layout, sizes: tuple[int, ...]) -> Labels:
    """Draw label noise: what to add to each label modulo K, (T, N); 0 leaves it.

    A label is replaced with probability ε, by each other label equally often. Training and spare
    text get noise, since the observed AMI is that of labels as a trainer sees them; validation and
    test stay clean.
    """
    offsets = np.zeros((len(sizes), layout.text.size), dtype=np.int16)
    for block in layout.blocks:
        if not spec.label_noise or block.part in (VALIDATION, TEST):
            continue
        count = block.tokens.stop - block.tokens.start
        for t, K in enumerate(sizes):
            rng = stream(seed, "noise", block.part, block.task + 1, t)
            offsets[t, block.tokens] = _drawn_offsets(rng, spec.label_noise, count, K)
    return offsets


def reference_offsets(seed: int, noise: float, task: int, shape: tuple[int, int]) -> Labels:
    """Draw label noise of one task on the reference text; shape is (N, K)."""
    count, K = shape
    if not noise:
        return np.zeros(count, dtype=np.int16)
    return _drawn_offsets(stream(seed, "noise", SPARE, ALL_TASKS + 1, task), noise, count, K)


def _drawn_offsets(rng: np.random.Generator, noise: float, count: int, size: int) -> Labels:
    draws = rng.random((count, 2))
    moved = 1 + np.floor(draws[:, 1] * (size - 1)).astype(np.int16)
    return np.where(draws[:, 0] < noise, moved, 0).astype(np.int16)


def with_noise(clean: Labels, offsets: Labels, size: int) -> Labels:
    """Return labels moved by their offsets modulo K; unlabelled tokens stay so."""
    moved = (clean + offsets) % size
    return np.where(clean < 0, clean, moved).astype(np.int16)


@dataclass(frozen=True)
class Naming:
    """The strings of a TaskSet: its vocabulary and its label names per task."""

    vocabulary: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """K of each task, (T,)."""
        return tuple(len(names) for names in self.labels)


def assemble(
    request: tuple[TaskSpec, int],
    layout: Layout,
    naming: Naming,
    labels: tuple[Labels, Labels],
    relatedness: Relatedness,
    provenance: Mapping[str, JSON],
) -> TaskSet:
    """Make a TaskSet from (spec, seed), a layout and (clean, observed) labels (T, N)."""
    clean, observed = labels
    spec, seed = request
    return TaskSet(
        spec,
        seed,
        naming.vocabulary,
        naming.labels,
        relatedness=relatedness,
        provenance=dict(provenance),
        train=layout.split(TRAIN, observed),
        validation=layout.split(VALIDATION, clean),
        test=layout.split(TEST, clean),
    )


def token_vectors(layout: Layout, table: NDArray[np.float32]) -> TokenVectors:
    """Return the vectors of a layout's splits, from a table of one row per token of its corpus."""
    origin = np.asarray(layout.origin, dtype=np.int32)
    return TokenVectors(
        table, {name: origin[layout.span(part)].copy() for name, part in SPLITS.items()}
    )


def pool_relatedness(
    layout: Layout, sizes: tuple[int, ...], labels: tuple[Labels, Labels]
) -> Relatedness:
    """Measure (clean, observed) labels on the pool of a layout."""
    clean, observed = labels
    pool_observed = observed[:, : layout.pool]
    if clean is observed:
        return measure(pool_observed, pool_observed, sizes)
    return measure(pool_observed, clean[:, : layout.pool], sizes)
