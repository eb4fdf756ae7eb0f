"""What a corpus says before anything is trained: sizes, entropies and relatedness of its layers.

Notation
--------
N : tokens that both layers of a pair label;  S : sentences
K : labels of a layer
H : entropy, nats;  U = 1 − H(main | aux)/H(main): share of the main task's entropy that an
auxiliary's label takes away, in [0, 1]. AMI is symmetric; U is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mtl_laws.simulator.corpus import Corpus
from mtl_laws.simulator.relatedness import (
    ami_of_table,
    contingency,
    entropy_of,
    label_counts,
    quick_ami,
)

Counts = NDArray[np.int64]

#: resamples of the sentences, and the tail left out at either end of an interval
RESAMPLES, TAIL = 200, 0.025


@dataclass(frozen=True)
class LayerProfile:
    """One layer of a corpus.

    Attributes
    ----------
    name : as the file has it.
    labels : K.
    tokens, sentences : tokens with a label, and sentences with such a token.
    entropy : H, nats.
    majority : share of the most frequent label: the accuracy of always saying it.
    """

    name: str
    labels: int
    tokens: int
    sentences: int
    entropy: float
    majority: float


@dataclass(frozen=True)
class PairProfile:
    """How an auxiliary layer relates to the main one, on the tokens that both label.

    Attributes
    ----------
    auxiliary : its name.
    tokens : N.
    extra : tokens that the auxiliary labels and the main layer does not.
    ami, ami_ci95 : adjusted mutual information; its interval by resampling sentences.
    h_main_given_aux, h_aux_given_main : conditional entropies, nats.
    explained : U.
    """

    auxiliary: str
    tokens: int
    extra: int
    ami: float
    ami_ci95: tuple[float, float]
    h_main_given_aux: float
    h_aux_given_main: float
    explained: float


@dataclass(frozen=True)
class Profile:
    """The layers of a corpus, and their relations to the main one.

    Attributes
    ----------
    source : the corpus, as its file is called.
    main : the main layer.
    auxiliaries : the other layers asked for, in that order.
    pairs : relation to the main layer, by auxiliary.
    """

    source: str
    main: LayerProfile
    auxiliaries: tuple[LayerProfile, ...]
    pairs: Mapping[str, PairProfile] = field(default_factory=dict)

    def layer(self, name: str) -> LayerProfile:
        """The profile of an auxiliary."""
        return next(layer for layer in self.auxiliaries if layer.name == name)


def profile(
    corpus: Corpus, main: str, auxiliaries: Sequence[str], resamples: int = RESAMPLES
) -> Profile:
    """Measure a main layer and auxiliaries of a corpus; the names are the corpus's own.

    Every auxiliary must share labelled tokens with the main layer.
    """
    layers = {name: describe_layer(corpus, name) for name in (main, *auxiliaries)}
    pairs = {name: relate(corpus, main, name, resamples) for name in auxiliaries}
    return Profile(corpus.source, layers[main], tuple(layers[name] for name in auxiliaries), pairs)


def describe_layer(corpus: Corpus, name: str) -> LayerProfile:
    """Sizes and entropy of one layer."""
    layer = corpus.layers[name]
    counts = label_counts(layer.labels, len(layer.names))
    labelled = layer.labels >= 0
    sentences = len(np.unique(corpus.text.sentence_of()[labelled]))
    tokens = int(counts.sum())
    return LayerProfile(
        name, len(layer.names), tokens, sentences, entropy_of(counts), float(counts.max() / tokens)
    )


def relate(corpus: Corpus, main: str, auxiliary: str, resamples: int) -> PairProfile:
    """Relate an auxiliary to the main layer."""
    first, second = corpus.layers[main], corpus.layers[auxiliary]
    sizes = (len(first.names), len(second.names))
    table = contingency(first.labels, second.labels, sizes)
    joint, rows = entropy_of(table.ravel()), entropy_of(table.sum(axis=1))
    columns = entropy_of(table.sum(axis=0))
    left = max(joint - columns, 0.0)
    ami = ami_of_table(table)
    return PairProfile(
        auxiliary=auxiliary,
        tokens=int(table.sum()),
        extra=int(((second.labels >= 0) & (first.labels < 0)).sum()),
        ami=ami,
        ami_ci95=_interval(ami, _resampled_ami(corpus, main, auxiliary, resamples)),
        h_main_given_aux=left,
        h_aux_given_main=max(joint - rows, 0.0),
        explained=1.0 - left / rows if rows > 0 else 0.0,
    )


def _resampled_ami(
    corpus: Corpus, main: str, auxiliary: str, resamples: int
) -> NDArray[np.float64]:
    """AMI over sentences drawn with replacement, (resamples,)."""
    first, second = corpus.layers[main], corpus.layers[auxiliary]
    both = (first.labels >= 0) & (second.labels >= 0)
    shape = (len(first.names), len(second.names))
    code = first.labels[both].astype(np.int64) * shape[1] + second.labels[both]
    sentence, S = corpus.text.sentence_of()[both], corpus.text.sentences
    rng = np.random.default_rng(0)
    found = np.empty(resamples)
    for i in range(resamples):
        times = np.bincount(rng.integers(0, S, S), minlength=S)
        table = np.bincount(code, times[sentence], minlength=shape[0] * shape[1])
        found[i] = quick_ami(table.reshape(shape))
    return found


def _interval(value: float, resampled: NDArray[np.float64]) -> tuple[float, float]:
    """The basic bootstrap interval: errors of resamples about the value, turned round.

    Resampling repeats sentences and so makes layers look more related than they are; turning the
    errors round takes that out.
    """
    if not len(resampled):
        return value, value
    low, high = np.quantile(resampled, [TAIL, 1 - TAIL])
    return min(2 * value - float(high), value), min(max(2 * value - float(low), value), 1.0)
