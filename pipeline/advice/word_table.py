"""Accuracy of a table of words: a measure, without training, of what labelled tokens are worth.

A table predicts each word's most frequent main label among the n tokens that it counted, and the
most frequent label of all for other words. For words in the tokens of auxiliaries it also counts
the main labels that go with the word's auxiliary label. A table knows no context and is no tagger,
but its accuracy depends on the same things: how many words n tokens show, how ambiguous words are,
and how much an auxiliary's labels say about the main task's.

Notation
--------
V : word types;  K : labels of the main layer;  K_a : of an auxiliary
C : counts of (word, main label) among the n tokens, (V, K)
P : p(aux label | word) among the auxiliary's tokens, (V, K_a), rows of zeros for unseen words
Q : p(main label | aux label) over all tokens with both labels, (K_a, K)
score of a word : C + Σ_aux P Q + ε · frequency of the label, ε small
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


@dataclass(frozen=True)
class WordTable:
    """Word tables over one corpus and main layer.

    Attributes
    ----------
    corpus, main : the corpus and the name of its main layer.
    splits : random splits of the corpus that an accuracy is the mean of.
    test_fraction : of the main layer's sentences, on which tables are tested.
    prior : ε, the weight of the label frequencies, which break ties.
    """

    corpus: Corpus
    main: str
    splits: int = 5
    test_fraction: float = 0.2
    prior: float = 1e-3

    def accuracy(self, n: int, n_aux: Mapping[str, int], sets: Sequence[tuple[str, ...]]) -> Floats:
        """Fraction of test tokens that tables predict correctly, one for each set of auxiliaries.

        Parameters
        ----------
        n : tokens of the main layer that a table counts; at most all but the test tokens.
        n_aux : the same for each auxiliary, on other sentences where there are enough.
        sets : auxiliaries used together; () for the main layer alone.
        """
        by_split = [
            self._split_accuracy(np.random.default_rng([7, k]), n, n_aux, sets)
            for k in range(self.splits)
        ]
        return np.asarray(np.mean(by_split, axis=0))

    def _split_accuracy(
        self,
        rng: np.random.Generator,
        n: int,
        n_aux: Mapping[str, int],
        sets: Sequence[tuple[str, ...]],
    ) -> Floats:
        text, main = self.corpus.text, self.corpus.layers[self.main]
        order = rng.permutation(text.sentences)
        labelled = order[self._annotated[self.main][order]]
        cut = max(1, round(self.test_fraction * len(labelled)))
        test, train = labelled[:cut], self._first(labelled[cut:], n)
        scores = self._counts(main, text.places(train))
        scores = scores + self.prior * scores.sum(axis=0) / max(scores.sum(), 1.0)
        in_test = np.zeros(len(order), dtype=bool)
        in_test[test] = True
        free = order[~in_test[order]]
        used = sorted({name for names in sets for name in names})
        extra = {a: self._transferred(a, free, train, n_aux[a]) for a in used}
        places = text.places(test)
        words, labels = text.tokens[places], main.labels[places]
        words, labels = words[labels >= 0], labels[labels >= 0]
        tables = (scores + sum(extra[a] for a in names) for names in sets)
        return np.array([np.mean(table.argmax(axis=1)[words] == labels) for table in tables])

    def _transferred(self, auxiliary: str, free: Places, train: Places, tokens: int) -> Floats:
        """P Q of an auxiliary: main labels that its tokens suggest for each word, (V, K)."""
        main, other = self.corpus.layers[self.main], self.corpus.layers[auxiliary]
        usable = free[self._annotated[auxiliary][free]]
        shared = np.isin(usable, train)
        chosen = self._first(np.concatenate([usable[~shared], usable[shared]]), tokens)
        counts = self._counts(other, self.corpus.text.places(chosen))
        P = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
        table = contingency(other.labels, main.labels, (len(other.names), len(main.names)))
        Q = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
        return np.asarray(P @ Q)

    def _counts(self, layer: Layer, places: Places) -> Floats:
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

    @cached_property
    def _annotated(self) -> Mapping[str, NDArray[np.bool_]]:
        """Which sentences have a label in each layer, (S,)."""
        of, S = self.corpus.text.sentence_of(), self.corpus.text.sentences
        return {
            name: np.bincount(of, layer.labels >= 0, minlength=S) > 0
            for name, layer in self.corpus.layers.items()
        }
