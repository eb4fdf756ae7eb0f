"""A user's corpus: its layers, which of them can be tasks, and how they relate before training.

Notation
--------
N : tokens that both layers of a pair label;  S : sentences
K : labels of a layer
H : entropy, nats;  U = 1 - H(main | aux)/H(main): the fraction of the main task's entropy that an
auxiliary's label removes, in [0, 1]. AMI is symmetric; U is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtl_laws.pipeline.errors import FileError, UserError, from_simulator, nearest
from mtl_laws.simulator.corpus import Corpus
from mtl_laws.simulator.errors import SpecError
from mtl_laws.simulator.families.base import read_options
from mtl_laws.simulator.families.layers import LayersOptions
from mtl_laws.simulator.readers.vectors import FrozenVectors
from mtl_laws.simulator.relatedness import (
    ami_of_table,
    contingency,
    entropy_of,
    label_counts,
    quick_ami,
)
from mtl_laws.simulator.spec import JSON


@dataclass(frozen=True, kw_only=True)
class CorpusRules:
    """Limits on the layers of an advice.

    Attributes
    ----------
    min_sentences : sentences of the corpus, at least: intervals come from resampling them.
    min_tokens : labelled tokens of the main layer, and in common with an auxiliary, at least.
    max_labels : a layer with more is no tag set (lemmas, numbers).
    max_majority : a layer whose most frequent label covers a larger fraction of its tokens is
        nearly constant (misspellings, foreign words): considered only if it is named, or if there
        is no other.
    resamples : bootstrap resamples of the sentences for the interval of AMI.
    tail : probability left out at either end of that interval.
    """

    min_sentences: int = 30
    min_tokens: int = 100
    max_labels: int = 200
    max_majority: float = 0.98
    resamples: int = 200
    tail: float = 0.025


RULES = CorpusRules()


@dataclass(frozen=True, kw_only=True)
class LayerProfile:
    """One layer of a corpus.

    Attributes
    ----------
    name : as in the file.
    labels : K.
    tokens, sentences : tokens with a label, and sentences with such a token.
    entropy : H, nats.
    majority : fraction of the most frequent label: the accuracy of always predicting it.
    """

    name: str
    labels: int
    tokens: int
    sentences: int
    entropy: float
    majority: float


@dataclass(frozen=True, kw_only=True)
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
    source : name of the corpus file.
    main : the main layer.
    auxiliaries : the other layers, in the requested order.
    pairs : relation to the main layer, by auxiliary.
    """

    source: str
    main: LayerProfile
    auxiliaries: tuple[LayerProfile, ...]
    pairs: Mapping[str, PairProfile] = field(default_factory=dict)

    def layer(self, name: str) -> LayerProfile:
        """The profile of an auxiliary."""
        return next(layer for layer in self.auxiliaries if layer.name == name)


@dataclass(frozen=True)
class LayerChoice:
    """Layers to advise on, by the corpus's own names, and those left out with the reason."""

    main: str
    auxiliaries: tuple[str, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CorpusFiles:
    """The files of a corpus and how they are read.

    Attributes
    ----------
    paths : files, read one after another.
    columns : names of the columns of a CoNLL file.
    words : the column of the words, by name or by number from 1; None for the first with words.
    skip : columns that are not layers.
    format : ``conll``, ``conllu`` or ``jsonl``; None to detect it from the content.
    vectors : file with a frozen vector for each token, for taggers that start from them.
    """

    paths: tuple[Path, ...]
    columns: tuple[str, ...] | None = None
    words: str | None = None
    skip: tuple[str, ...] = ()
    format: str | None = None
    vectors: Path | None = None

    @property
    def options(self) -> dict[str, JSON]:
        """Options of the `layers` family that open the corpus and its vectors.

        Words are lowercased. The 1,000 most frequent ones keep their form; the others are
        represented by their last two letters.
        """
        return {
            "corpus": [str(path) for path in self.paths],
            "columns": list(self.columns) if self.columns else None,
            "words": self.words,
            "skip": list(self.skip),
            "format": self.format,
            "lowercase": True,
            "max_types": 1000,
            "affixes": 2,
            "vectors": None if self.vectors is None else str(self.vectors),
        }


PATHS = {"words": "word_column"}
"""Options of the reader -> what advice calls them."""


def open_corpus(files: CorpusFiles) -> Corpus:
    """The corpus in these files.

    Raises
    ------
    UserError
        if a file is missing, broken, empty or without labels.
    """
    if not files.paths:
        raise UserError("corpus", "a corpus file", "")
    for name, count in Counter(files.columns or ()).items():
        if count > 1:
            raise UserError("columns", "a different name for each column", name)
    for path in files.paths:
        if not path.is_file():
            problem = "is a directory" if path.is_dir() else "no such file"
            raise FileError(str(path), "the path of a corpus file", problem)
    with _named_settings():
        options = read_options(LayersOptions, files.options)
        options.check_vectors()
        return options.opened()


def frozen_vectors(files: CorpusFiles, corpus: Corpus) -> FrozenVectors | None:
    """The vectors of the corpus, (N, W); None without a file of them.

    Raises
    ------
    UserError
        if the file does not have one row of finite numbers for each token.
    """
    with _named_settings():
        return read_options(LayersOptions, files.options).frozen(corpus)


@contextmanager
def _named_settings() -> Iterator[None]:
    """Raise errors in options of the reader under the names that advice has for them."""
    try:
        yield
    except SpecError as error:
        path = error.field.removeprefix("options.")
        raise from_simulator(error).at(PATHS.get(path, path)) from error


def choose_layers(corpus: Corpus, main: str, auxiliaries: Sequence[str] = ()) -> LayerChoice:
    """The main layer and the auxiliaries: those named, or every usable one.

    Raises
    ------
    UserError
        if a layer does not exist, the main one is unusable, a named auxiliary is unusable, no
        auxiliary is left, or there are too few sentences to resample.
    """
    chosen = _layer_name(corpus, "main", main, tuple(corpus.layers))
    problem = _problem_of_layer(corpus, chosen)
    if problem:
        raise UserError("main", f"another layer; this one {problem}", main)
    others = tuple(name for name in corpus.layers if name != chosen)
    named = tuple(dict.fromkeys(_layer_name(corpus, "aux", name, others) for name in auxiliaries))
    if chosen in named:
        raise UserError("aux", f"a layer other than the main one, {chosen}", chosen)
    problems = {
        name: _problem_of_layer(corpus, name) or _problem_of_pair(corpus, chosen, name)
        for name in named or others
    }
    for name in named:
        if problems[name]:
            raise UserError("aux", f"another layer; this one {problems[name]}", name)
    if not named:
        problems = _without_constant_layers(corpus, problems)
    usable = tuple(name for name, problem in problems.items() if not problem)
    sentences = corpus.text.sentences
    if usable and sentences < RULES.min_sentences:
        expected = f"{RULES.min_sentences} sentences or more, with a blank line after each"
        counted = f"{sentences} sentence{'' if sentences == 1 else 's'}"
        raise UserError("corpus", expected, f"{counted} in {corpus.source}")
    if not usable:
        reasons = "; ".join(f"{name} {problem}" for name, problem in problems.items())
        advice = reasons or f"{chosen} is the only layer"
        raise UserError("corpus", f"a layer to train {chosen} with; {advice}", corpus.source)
    left_out = {name: problem for name, problem in problems.items() if problem}
    return LayerChoice(chosen, usable, left_out if named else {**corpus.left_out, **left_out})


def profile(
    corpus: Corpus, main: str, auxiliaries: Sequence[str], resamples: int = RULES.resamples
) -> Profile:
    """Sizes, entropies and relatedness of a main layer and auxiliaries of a corpus.

    Every auxiliary must share labelled tokens with the main layer.
    """
    layers = {name: describe_layer(corpus, name) for name in (main, *auxiliaries)}
    pairs = {name: relate(corpus, main, name, resamples) for name in auxiliaries}
    return Profile(corpus.source, layers[main], tuple(layers[name] for name in auxiliaries), pairs)


def describe_layer(corpus: Corpus, name: str) -> LayerProfile:
    """Sizes and entropy of one layer."""
    layer = corpus.layers[name]
    counts = label_counts(layer.labels, len(layer.names))
    tokens = int(counts.sum())
    return LayerProfile(
        name=name,
        labels=len(layer.names),
        tokens=tokens,
        sentences=len(np.unique(corpus.text.sentence_of()[layer.labels >= 0])),
        entropy=entropy_of(counts),
        majority=float(counts.max() / tokens),
    )


def relate(corpus: Corpus, main: str, auxiliary: str, resamples: int) -> PairProfile:
    """Relation of an auxiliary to the main layer."""
    first, second = corpus.layers[main], corpus.layers[auxiliary]
    table = contingency(first.labels, second.labels, (len(first.names), len(second.names)))
    joint, rows = entropy_of(table.ravel()), entropy_of(table.sum(axis=1))
    h_main_given_aux = max(joint - entropy_of(table.sum(axis=0)), 0.0)
    ami = ami_of_table(table)
    return PairProfile(
        auxiliary=auxiliary,
        tokens=int(table.sum()),
        extra=int(((second.labels >= 0) & (first.labels < 0)).sum()),
        ami=ami,
        ami_ci95=_basic_interval(ami, _resampled_ami(corpus, main, auxiliary, resamples)),
        h_main_given_aux=h_main_given_aux,
        h_aux_given_main=max(joint - rows, 0.0),
        explained=1.0 - h_main_given_aux / rows if rows > 0 else 0.0,
    )


def _layer_name(corpus: Corpus, path: str, name: str, valid: tuple[str, ...]) -> str:
    """The corpus's own name of a layer; a `UserError` that lists the `valid` ones otherwise."""
    try:
        return corpus.name_of(name)
    except SpecError as error:
        raise UserError(path, nearest(name, valid), name) from error


def _problem_of_layer(corpus: Corpus, name: str) -> str:
    """Why a layer cannot be a task; empty if it can."""
    layer = corpus.layers[name]
    tokens = int((layer.labels >= 0).sum())
    if tokens < RULES.min_tokens:
        return f"labels {tokens} tokens, fewer than {RULES.min_tokens}"
    if len(layer.names) < 2:
        return "has only one label"
    if len(layer.names) > RULES.max_labels:
        return f"has {len(layer.names)} labels, more than {RULES.max_labels}: it is no tag set"
    return ""


def _without_constant_layers(corpus: Corpus, problems: Mapping[str, str]) -> dict[str, str]:
    """The problems of the layers, and that of those that are nearly constant if others remain."""
    usable = [name for name, problem in problems.items() if not problem]
    constant = {n for n in usable if describe_layer(corpus, n).majority > RULES.max_majority}
    if len(constant) == len(usable):
        return dict(problems)
    most = f"{100 * RULES.max_majority:g} %"
    reason = f"is nearly constant: one label covers more than {most} of its tokens"
    return {name: reason if name in constant else problem for name, problem in problems.items()}


def _problem_of_pair(corpus: Corpus, main: str, name: str) -> str:
    """Why a layer's relation to the main one cannot be measured; empty if it can."""
    first, second = (corpus.layers[one].labels >= 0 for one in (main, name))
    both = int(np.count_nonzero(first & second))
    return "" if both >= RULES.min_tokens else f"shares {both} labelled tokens with {main}"


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
    values = np.empty(resamples)
    for i in range(resamples):
        times = np.bincount(rng.integers(0, S, S), minlength=S)
        table = np.bincount(code, times[sentence], minlength=shape[0] * shape[1])
        values[i] = quick_ami(table.reshape(shape))
    return values


def _basic_interval(value: float, resampled: NDArray[np.float64]) -> tuple[float, float]:
    """The basic bootstrap interval: deviations of the resamples from the value, reflected.

    Resampled sentences repeat, which makes layers look more related than they are. The reflection
    removes this bias.
    """
    if not len(resampled):
        return value, value
    low, high = np.quantile(resampled, [RULES.tail, 1 - RULES.tail])
    return min(2 * value - float(high), value), min(max(2 * value - float(low), value), 1.0)
