"""What a table of words would get right: a training-free measure of what tokens are worth.

A table says each word's most frequent main label among the n tokens that it has seen, and the most
frequent label of all for words that it has not. With auxiliaries it also knows, for words in their
tokens, the main labels that go with the word's auxiliary label. Tables are no taggers (they know
no context), but what they reach depends on the same things: how many words n tokens show, how
ambiguous words are, and how much an auxiliary's labels say about the main task's.

Notation
--------
V : word types;  K : labels of the main layer;  K_a : of an auxiliary
C : counts of (word, main label) among the n tokens, (V, K)
P : p(aux label | word) among the auxiliary's tokens, (V, K_a), rows of zeros for unseen words
Q : p(main label | aux label) over all tokens with both labels, (K_a, K)
score of a word : C + Σ_aux P Q + ε · share of the label, ε small
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mtl_laws.simulator.corpus import Corpus, Layer
from mtl_laws.simulator.relatedness import contingency

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

#: random splits of the corpus that an accuracy is the mean of
SPLITS = 5
#: share of the main layer's sentences that tables are tested on
TEST_SHARE = 0.2
#: weight of the label shares, which decide where nothing else does
PRIOR = 1e-3


@dataclass(frozen=True)
class Lookup:
    """Word tables over one corpus and main layer.

    Attributes
    ----------
    corpus, main : the corpus and the name of its main layer.
    splits : random splits that are averaged.
    """

    corpus: Corpus
    main: str
    splits: int = SPLITS

    def accuracy(self, n: int, n_aux: Mapping[str, int], sets: Sequence[tuple[str, ...]]) -> Floats:
        """Share of test tokens that tables get right, one for each set of auxiliaries.

        Parameters
        ----------
        n : tokens of the main layer that a table sees; all but the test's where it has fewer.
        n_aux : the same for each auxiliary, on other sentences as far as there are any.
        sets : auxiliaries used together; () for the main layer alone.
        """
        found = [
            self._split(np.random.default_rng([7, k]), n, n_aux, sets) for k in range(self.splits)
        ]
        return np.asarray(np.mean(found, axis=0))

    def _split(
        self,
        rng: np.random.Generator,
        n: int,
        n_aux: Mapping[str, int],
        sets: Sequence[tuple[str, ...]],
    ) -> Floats:
        order = rng.permutation(self.corpus.text.sentences)
        labelled = order[self._annotated[self.main][order]]
        cut = max(1, round(TEST_SHARE * len(labelled)))
        test, rest = labelled[:cut], labelled[cut:]
        seen = self._first(rest, n)
        scores = self._table(self._layer(self.main), self.corpus.text.places(seen))
        scores = scores + PRIOR * scores.sum(axis=0) / max(scores.sum(), 1.0)
        taken = np.zeros(len(order), dtype=bool)
        taken[test] = True
        extra = {a: self._transferred(a, order[~taken[order]], seen, n_aux[a]) for a in _used(sets)}
        places = self.corpus.text.places(test)
        words, labels = self.corpus.text.tokens[places], self._layer(self.main).labels[places]
        words, labels = words[labels >= 0], labels[labels >= 0]
        tables = (scores + sum(extra[a] for a in names) for names in sets)
        return np.array([np.mean(table.argmax(axis=1)[words] == labels) for table in tables])

    def _transferred(self, auxiliary: str, free: Places, seen: Places, tokens: int) -> Floats:
        """P Q of an auxiliary: main labels that its tokens suggest for each word, (V, K)."""
        usable = free[self._annotated[auxiliary][free]]
        used = np.isin(usable, seen)
        chosen = self._first(np.concatenate([usable[~used], usable[used]]), tokens)
        counts = self._table(self._layer(auxiliary), self.corpus.text.places(chosen))
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
        return np.asarray(shares @ self._link(auxiliary))

    def _link(self, auxiliary: str) -> Floats:
        """Q."""
        main, other = self._layer(self.main), self._layer(auxiliary)
        table = contingency(other.labels, main.labels, (len(other.names), len(main.names)))
        return np.asarray(table / np.maximum(table.sum(axis=1, keepdims=True), 1))

    def _table(self, layer: Layer, places: Places) -> Floats:
        """Counts of (word, label) at places, (V, K)."""
        labels = layer.labels[places]
        words, labels = self.corpus.text.tokens[places][labels >= 0], labels[labels >= 0]
        V, K = len(self.corpus.vocabulary), len(layer.names)
        counts = np.bincount(words.astype(np.int64) * K + labels, minlength=V * K)
        return counts.reshape(V, K).astype(np.float64)

    def _first(self, sentences: Places, tokens: int) -> Places:
        """The leading sentences that hold about so many tokens."""
        lengths = np.diff(self.corpus.text.bounds)[sentences]
        return sentences[: int(np.searchsorted(np.cumsum(lengths), tokens)) + 1]

    def _layer(self, name: str) -> Layer:
        return self.corpus.layers[name]

    @cached_property
    def _annotated(self) -> Mapping[str, NDArray[np.bool_]]:
        """Which sentences have a label in each layer, (S,)."""
        of, S = self.corpus.text.sentence_of(), self.corpus.text.sentences
        return {
            name: np.bincount(of, layer.labels >= 0, minlength=S) > 0
            for name, layer in self.corpus.layers.items()
        }


def _used(sets: Sequence[tuple[str, ...]]) -> list[str]:
    return sorted({name for names in sets for name in names})
