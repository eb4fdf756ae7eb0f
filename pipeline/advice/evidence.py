"""What n labelled tokens say about auxiliaries: the statistics that laws of gains are made of.

A user has n labels of the main layer, and the labels of the auxiliaries. All statistics come from
these: from n tokens drawn from the corpus, whole sentences, and from the auxiliaries' tokens, on
other sentences where there are enough. They have the sampling error that the user's own would have.

Notation
--------
T : tasks, the main one included;  n, n_aux : training tokens of the main task, of an auxiliary
nan : undefined, as everything about auxiliaries is at T = 1
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import fmean
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from mtl_laws.pipeline.advice.probe import (
    Inputs,
    MainProbe,
    predicted_labels,
    soft_accuracy,
    token_inputs,
    vector_inputs,
)
from mtl_laws.pipeline.advice.sizes import TokenCounts
from mtl_laws.simulator.corpus import Corpus
from mtl_laws.simulator.readers.vectors import FrozenVectors
from mtl_laws.simulator.relatedness import ami_of_table, contingency, entropy_of
from mtl_laws.simulator.span_marks import has_spans

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
LayerSet = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class EvidenceRules:
    """How much is looked at.

    Attributes
    ----------
    seed : of the draw of sentences.
    most : tokens of the main layer in a probe, whose time grows with their cube.
    most_aux : tokens of an auxiliary in its probe.
    fewest_aux : tokens that an auxiliary labels on other sentences than the main layer's; with at
        least so many, its probe sees no others.
    fewest : labels of both layers among the n tokens; with fewer, all of the corpus are taken.
    decay : with more tokens of the main layer than `most`, `transfer` falls as their power −decay.
    """

    seed: int = 0
    most: int = 3000
    most_aux: int = 10_000
    fewest_aux: int = 100
    fewest: int = 30
    decay: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """A main layer and a set of auxiliaries in numbers; each is a factor that a law may have.

    Attributes
    ----------
    n, n_aux, T : training tokens of the main task, of an auxiliary (mean), tasks.
    ami : adjusted mutual information of main and auxiliary labels, mean over auxiliaries.
    explained : fraction of the main entropy that an auxiliary's label removes, mean.
    h_main, h_aux, h_main_given_aux, h_aux_given_main : entropies, nats, mean over auxiliaries.
    labels, majority : number of main labels, and frequency of the most frequent one.
    probe_alone, probe : soft accuracy of the main layer's ridge probe without and with the labels
        that the auxiliaries' probes predict.
    transfer : probe − probe_alone.
    probe_f1_alone, transfer_f1 : the same in span F1; nan for a layer without spans.
    label_noise : fraction of wrong labels, taken as 0 for a corpus.
    """

    n: float
    T: float
    n_aux: float = np.nan
    ami: float = np.nan
    explained: float = np.nan
    h_main: float
    h_aux: float = np.nan
    h_main_given_aux: float = np.nan
    h_aux_given_main: float = np.nan
    labels: float
    majority: float
    probe_alone: float
    probe: float
    transfer: float
    probe_f1_alone: float = np.nan
    transfer_f1: float = np.nan
    label_noise: float = 0.0


@dataclass(frozen=True, eq=False)
class Relation:
    """What one auxiliary says of the n main tokens.

    Attributes
    ----------
    scores : (n, K_a), its labels as its probe predicts them.
    entropy : of its labels, nats.
    ami, explained, h_main_given_aux, h_aux_given_main : on the tokens that carry both labels.
    """

    scores: Floats
    entropy: float
    ami: float
    explained: float
    h_main_given_aux: float
    h_aux_given_main: float


@dataclass(frozen=True)
class Evidence:
    """A corpus as a user with n main labels knows it.

    Attributes
    ----------
    corpus, main : the corpus and the name of its main layer.
    sizes : training tokens.
    rules : how much is looked at.
    vectors : of its tokens, if taggers start from frozen ones.
    relations : what auxiliaries say, as far as it has been asked for.
    """

    corpus: Corpus
    main: str
    sizes: TokenCounts
    rules: EvidenceRules = EvidenceRules()
    vectors: FrozenVectors | None = None
    relations: dict[str, Relation] = field(default_factory=dict, init=False, repr=False)

    def statistics(self, auxiliaries: LayerSet) -> Statistics:
        """The statistics of one set of auxiliaries; () for the main layer alone."""
        counts = np.bincount(self._labels)
        alone, f1_alone = self._alone
        result = Statistics(
            n=self.sizes.n,
            T=1 + len(auxiliaries),
            h_main=entropy_of(counts),
            labels=len(self.corpus.layers[self.main].names),
            majority=float(counts.max() / counts.sum()),
            probe_alone=alone,
            probe=alone,
            transfer=0.0,
            probe_f1_alone=f1_alone,
            transfer_f1=0.0 * f1_alone,
        )
        if not auxiliaries:
            return result
        for name in auxiliaries:
            if name not in self.relations:
                self.relations[name] = self._relate(name)
        pairs = [self.relations[name] for name in auxiliaries]
        added = np.concatenate([pair.scores for pair in pairs], axis=1)
        together, f1_together = self._scored(self._probe.scores(added))
        decay = max(1.0, self.sizes.n / self.rules.most) ** -self.rules.decay
        transfer = (together - alone) * decay
        return replace(
            result,
            n_aux=fmean(self.sizes.n_aux[name] for name in auxiliaries),
            ami=fmean(pair.ami for pair in pairs),
            explained=fmean(pair.explained for pair in pairs),
            h_aux=fmean(pair.entropy for pair in pairs),
            h_main_given_aux=fmean(pair.h_main_given_aux for pair in pairs),
            h_aux_given_main=fmean(pair.h_aux_given_main for pair in pairs),
            probe=alone + transfer,
            transfer=transfer,
            transfer_f1=(f1_together - f1_alone) * decay,
        )

    @cached_property
    def _sentences(self) -> Places:
        """Sentences of the n main labels, drawn at random; at most `most` tokens of them."""
        labelled = np.flatnonzero(self._annotated(self.main))
        order = np.random.default_rng([7, self.rules.seed]).permutation(labelled)
        return self._first(order, min(self.sizes.n, self.rules.most))

    @cached_property
    def _places(self) -> Places:
        """Tokens of these sentences that carry a main label, (n,)."""
        places = self.corpus.text.places(self._sentences)
        return places[self.corpus.layers[self.main].labels[places] >= 0]

    @cached_property
    def _labels(self) -> Places:
        """Main labels of these tokens, (n,)."""
        return self.corpus.layers[self.main].labels[self._places].astype(np.int64)

    def _inputs(self, places: Places) -> Inputs:
        """Inputs of a probe for these tokens: their vectors, or word types."""
        if self.vectors is None:
            return token_inputs(self.corpus.text, places, len(self.corpus.vocabulary))
        return vector_inputs(self.corpus.text, places, self.vectors)

    @cached_property
    def _probe(self) -> MainProbe:
        classes = len(self.corpus.layers[self.main].names)
        return MainProbe(self._inputs(self._places), self._labels, self._lengths, classes)

    @cached_property
    def _lengths(self) -> Places:
        """Main labels of each sentence; n together."""
        sentence = self.corpus.text.sentence_of()[self._places]
        starts = np.flatnonzero(np.diff(sentence, prepend=-1))
        return np.diff(np.append(starts, len(sentence)))

    @cached_property
    def _alone(self) -> tuple[float, float]:
        return self._scored(self._probe.scores())

    def _scored(self, scores: Floats) -> tuple[float, float]:
        """Soft accuracy and span F1 of scores (n, K); the latter is nan without spans."""
        soft = soft_accuracy(scores, self._labels)
        names = self.corpus.layers[self.main].names
        if not has_spans(names):
            return soft, np.nan
        from mtl_laws.pipeline.training.spans import span_f1_of  # loads torch

        return soft, span_f1_of(names, self._labels, scores.argmax(axis=1), self._lengths)

    def _relate(self, auxiliary: str) -> Relation:
        """What one auxiliary says; its own tokens are on other sentences where there are enough."""
        main, layer = self.corpus.layers[self.main], self.corpus.layers[auxiliary]
        text, classes = self.corpus.text, len(layer.names)
        rng = np.random.default_rng([7, self.rules.seed, crc32(auxiliary.encode())])
        order = rng.permutation(np.flatnonzero(self._annotated(auxiliary)))
        others = order[~np.isin(order, self._sentences)]
        if np.diff(text.bounds)[others].sum() >= self.rules.fewest_aux:
            order = others  # a probe must not have seen the sentences that it predicts
        own = text.places(self._first(order, min(self.sizes.n_aux[auxiliary], self.rules.most_aux)))
        own = own[layer.labels[own] >= 0]
        labels = layer.labels[own].astype(np.int64)
        scores = predicted_labels(self._inputs(own), labels, classes, self._inputs(self._places))
        shape = classes, len(main.names)
        table = contingency(layer.labels[self._places], main.labels[self._places], shape)
        if table.sum() < self.rules.fewest:
            table = contingency(layer.labels, main.labels, shape)
        joint = entropy_of(table.ravel())
        h_main = entropy_of(table.sum(axis=0))
        h_main_given_aux = max(joint - entropy_of(table.sum(axis=1)), 0.0)
        return Relation(
            scores=scores,
            entropy=entropy_of(np.bincount(labels)),
            ami=ami_of_table(table),
            explained=1.0 - h_main_given_aux / h_main if h_main > 0 else 0.0,
            h_main_given_aux=h_main_given_aux,
            h_aux_given_main=max(joint - h_main, 0.0),
        )

    def _first(self, sentences: Places, tokens: int) -> Places:
        """The leading sentences that hold about so many tokens."""
        lengths = np.diff(self.corpus.text.bounds)[sentences]
        return sentences[: int(np.searchsorted(np.cumsum(lengths), tokens)) + 1]

    def _annotated(self, name: str) -> NDArray[np.bool_]:
        """Which sentences have a label in a layer, (S,)."""
        labelled = self.corpus.layers[name].labels >= 0
        text = self.corpus.text
        return np.bincount(text.sentence_of(), labelled, minlength=text.sentences) > 0
