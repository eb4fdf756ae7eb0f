"""What advice is asked for: a corpus, its layers and sizes; mistakes are named before any work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mtl_laws.pipeline.advice.factors import Sizes
from mtl_laws.pipeline.advice.profile import Profile
from mtl_laws.pipeline.errors import UserError, from_simulator, nearest
from mtl_laws.simulator.corpus import Corpus
from mtl_laws.simulator.errors import SpecError
from mtl_laws.simulator.families.base import read_options
from mtl_laws.simulator.families.corpus_options import CorpusOptions
from mtl_laws.simulator.spec import JSON

#: how words are read: folded, the most frequent types, the others by their last letters
READING: Mapping[str, JSON] = {"lowercase": True, "max_types": 1000, "affixes": 2}
#: fewer labelled tokens of the main layer, or in common with an auxiliary, say nothing
MIN_TOKENS = 100
#: layers of more labels are no tag sets (lemmas, numbers)
MAX_LABELS = 200


@dataclass(frozen=True)
class Question:
    """A question for advice.

    Attributes
    ----------
    corpus : files, read one after another.
    main : the main layer; auxiliaries : those to consider, every usable one where empty.
    laws : a ``laws.json``; None for the law that comes with the package.
    n, n_aux : training tokens; None for what the corpus has.
    columns : names of the columns of a CoNLL file.
    """

    corpus: tuple[Path, ...]
    main: str
    auxiliaries: tuple[str, ...] = ()
    laws: Path | None = None
    n: int | None = None
    n_aux: int | None = None
    columns: tuple[str, ...] | None = None

    @property
    def reading(self) -> dict[str, JSON]:
        """Options of the `layers` family that open the corpus."""
        columns: JSON = list(self.columns) if self.columns else None
        return {"corpus": [str(path) for path in self.corpus], "columns": columns, **READING}


@dataclass(frozen=True)
class Choice:
    """Layers to advise on, by the corpus's own names, and those left out with the reason."""

    main: str
    auxiliaries: tuple[str, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)


def open_corpus(question: Question) -> Corpus:
    """Read the corpus.

    Raises
    ------
    UserError
        if a file is missing, broken, empty or without labels.
    """
    if not question.corpus:
        raise UserError("corpus", "a corpus file", "")
    for name, times in Counter(question.columns or ()).items():
        if times > 1:
            raise UserError("columns", "names that differ, one for each column", name)
    try:
        options = read_options(CorpusOptions, question.reading)
        options.check_files()
        return options.opened()
    except SpecError as error:
        raise from_simulator(error).at(error.field.removeprefix("options.")) from error


def choose_layers(question: Question, corpus: Corpus) -> Choice:
    """The main layer and usable auxiliaries.

    Raises
    ------
    UserError
        if a layer does not exist, the main one is no tag set or too small, an auxiliary that was
        asked for cannot be used, or none is left.
    """
    main = _named(corpus, "main", question.main, tuple(corpus.layers))
    reason = _unusable(corpus, main)
    if reason:
        raise UserError("main", f"another layer; this one {reason}", question.main)
    others = tuple(name for name in corpus.layers if name != main)
    asked = tuple(
        dict.fromkeys(_named(corpus, "aux", name, others) for name in question.auxiliaries)
    )
    reasons = {
        name: _unusable(corpus, name) or _unrelatable(corpus, main, name)
        for name in asked or corpus.layers
        if name != main
    }
    for name in asked:
        if name == main:
            raise UserError("aux", f"a layer other than the main one, {main}", name)
        if reasons[name]:
            raise UserError("aux", f"another layer; this one {reasons[name]}", name)
    usable = tuple(name for name, why in reasons.items() if not why)
    if not usable:
        said = "; ".join(f"{name} {why}" for name, why in reasons.items()) or "it is the only one"
        raise UserError("corpus", f"a layer to help {main}; {said}", corpus.source)
    return Choice(main, usable, {name: why for name, why in reasons.items() if why})


def sizes_of(question: Question, corpus: Corpus, known: Profile) -> Sizes:
    """Training tokens: those asked for, else what the corpus has.

    Without `--aux-tokens`, an auxiliary has its labelled tokens less the n on which the main layer
    is labelled too; where nothing is left then, both are labelled on the same sentences.

    Raises
    ------
    UserError
        if fewer than one token is asked for.
    """
    for path, value in (("tokens", question.n), ("aux_tokens", question.n_aux)):
        if value is not None and value < 1:
            raise UserError(path, "a whole number of at least 1", value)
    n = question.n or known.main.tokens
    extra = {
        layer.name: layer.tokens - min(n, known.pairs[layer.name].tokens)
        for layer in known.auxiliaries
    }
    n_aux = {
        layer.name: question.n_aux or _or_all(extra[layer.name], layer.tokens)
        for layer in known.auxiliaries
    }
    return Sizes(n, n_aux)


def same_sentences(known: Profile, sizes: Sizes) -> list[str]:
    """Auxiliaries that have hardly a token beyond those of the main layer."""
    return [
        layer.name
        for layer in known.auxiliaries
        if layer.tokens - min(sizes.n, known.pairs[layer.name].tokens) < MIN_TOKENS
    ]


def _or_all(extra: int, tokens: int) -> int:
    return extra if extra >= MIN_TOKENS else tokens


def _named(corpus: Corpus, path: str, name: str, known: tuple[str, ...]) -> str:
    """The layer that is called so; where there is none, one of `known` is meant."""
    try:
        return corpus.name_of(name)
    except SpecError as error:
        raise UserError(path, nearest(name, known), name) from error


def _unusable(corpus: Corpus, name: str) -> str:
    """Why a layer is no task; empty where it is one."""
    layer = corpus.layers[name]
    tokens = int((layer.labels >= 0).sum())
    if tokens < MIN_TOKENS:
        return f"labels {tokens} tokens, fewer than {MIN_TOKENS}"
    if len(layer.names) < 2:
        return "has only one label"
    if len(layer.names) > MAX_LABELS:
        return f"has {len(layer.names)} labels, more than {MAX_LABELS}: no tag set"
    return ""


def _unrelatable(corpus: Corpus, main: str, name: str) -> str:
    """Why a layer's relation to the main one cannot be measured; empty where it can."""
    first, second = (corpus.layers[one].labels >= 0 for one in (main, name))
    both = int(np.count_nonzero(first & second))
    return "" if both >= MIN_TOKENS else f"shares {both} labelled tokens with {main}"
