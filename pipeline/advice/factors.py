"""Factors of a law, computed for layers of a corpus.

The factors of a law are columns of a results table (`docs/columns.md`). Each column that a corpus
and a set of auxiliaries determine has an entry here. A law with any other factor cannot advise.

Notation
--------
T : tasks, the main one included;  n, n_aux : training tokens of the main task, of an auxiliary
nan : undefined, as everything about auxiliaries is at T = 1
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from mtl_laws.pipeline.advice.corpus import RULES, PairProfile, Profile
from mtl_laws.pipeline.errors import UserError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TokenCounts:
    """Training tokens that advice is for.

    Attributes
    ----------
    n : of the main task.
    n_aux : of each auxiliary, by name.
    """

    n: int
    n_aux: Mapping[str, int]


@dataclass(frozen=True)
class Situation:
    """A main layer and the auxiliaries to train with it; none for single-task learning.

    Attributes
    ----------
    profile, sizes : the corpus, and the tokens to train on.
    auxiliaries : names of layers.
    lookup : accuracy of word tables with the main layer's tokens and those of these auxiliaries
        (`pipeline.advice.word_table`).
    lookup_alone : the same with the main layer's tokens only.
    """

    profile: Profile
    sizes: TokenCounts
    auxiliaries: tuple[str, ...]
    lookup: float
    lookup_alone: float

    def pair_mean(self, value: Callable[[PairProfile], float]) -> float:
        """The mean over auxiliaries of a relation to the main layer; nan without any."""
        return _mean([value(self.profile.pairs[name]) for name in self.auxiliaries])


@dataclass(frozen=True)
class Factor:
    """How a factor is computed, and what it is in words."""

    value: Callable[[Situation], float]
    meaning: str


FACTORS: Mapping[str, Factor] = {
    "n": Factor(lambda s: s.sizes.n, "training tokens of the main layer"),
    "T": Factor(lambda s: 1 + len(s.auxiliaries), "number of layers trained together"),
    "n_aux": Factor(
        lambda s: _mean([s.sizes.n_aux[name] for name in s.auxiliaries]),
        "training tokens of each auxiliary",
    ),
    "ami": Factor(lambda s: s.pair_mean(lambda pair: pair.ami), "AMI of main and auxiliary labels"),
    "explained": Factor(
        lambda s: s.pair_mean(lambda pair: pair.explained),
        "fraction of the main layer's entropy that an auxiliary's label removes",
    ),
    "h_main": Factor(lambda s: s.profile.main.entropy, "entropy of the main labels"),
    "h_aux": Factor(
        lambda s: _mean([s.profile.layer(name).entropy for name in s.auxiliaries]),
        "entropy of an auxiliary's labels",
    ),
    "h_main_given_aux": Factor(
        lambda s: s.pair_mean(lambda pair: pair.h_main_given_aux),
        "entropy of the main labels, given an auxiliary's",
    ),
    "h_aux_given_main": Factor(
        lambda s: s.pair_mean(lambda pair: pair.h_aux_given_main),
        "entropy of an auxiliary's labels, given the main ones",
    ),
    "lookup": Factor(
        lambda s: s.lookup, "accuracy of a word table that uses the auxiliaries' labels too"
    ),
    "lookup_alone": Factor(
        lambda s: s.lookup_alone, "accuracy of a word table that uses the main labels only"
    ),
    "transfer": Factor(
        lambda s: s.lookup - s.lookup_alone,
        "gain in the accuracy of a word table from the auxiliaries' labels",
    ),
    "labels": Factor(lambda s: s.profile.main.labels, "number of main labels"),
    "majority": Factor(
        lambda s: s.profile.main.majority, "frequency of the most frequent main label"
    ),
    "label_noise": Factor(lambda s: 0.0, "fraction of wrong labels, taken as 0 for a corpus"),
}

ALIASES: Mapping[str, str] = {
    "n_request": "n",
    "n_aux_request": "n_aux",
    "ami_request": "ami",
    "ami_clean": "ami",
}


def token_counts(profile: Profile, n: int | None = None, n_aux: int | None = None) -> TokenCounts:
    """Training tokens: those requested, else what the corpus has.

    Without `n_aux`, an auxiliary has its labelled tokens minus the n on which the main layer is
    labelled too. If that leaves too few, both are labelled on the same sentences.

    Raises
    ------
    UserError
        if fewer than one token is requested.
    """
    for path, value in (("tokens", n), ("aux_tokens", n_aux)):
        if value is not None and value < 1:
            raise UserError(path, "a whole number of at least 1", value)
    n = n or profile.main.tokens
    sizes = {}
    for layer in profile.auxiliaries:
        extra = _extra_tokens(profile, layer.name, n)
        sizes[layer.name] = n_aux or (extra if extra >= RULES.min_tokens else layer.tokens)
    return TokenCounts(n, sizes)


def same_sentences(profile: Profile, sizes: TokenCounts) -> list[str]:
    """Auxiliaries that have hardly a token beyond those of the main layer."""
    return [
        layer.name
        for layer in profile.auxiliaries
        if _extra_tokens(profile, layer.name, sizes.n) < RULES.min_tokens
    ]


def sources(factors: Sequence[str], columns: Mapping[str, str], where: str) -> dict[str, str]:
    """The entry of `FACTORS` for each factor of a law.

    Parameters
    ----------
    factors : names in the law.
    columns : the column of the table for each, where it is recorded.
    where : the file, for messages.

    Raises
    ------
    UserError
        naming the first factor that a corpus does not determine.
    """
    keys = {}
    for name in factors:
        column = columns.get(name, name)
        candidates = [ALIASES.get(label, label) for label in (column, name)]
        key = next((key for key in candidates if key in FACTORS), None)
        if key is None:
            shown = name if column == name else f"{name} (column {column})"
            expected = f"a law whose factors a corpus determines: {', '.join(FACTORS)}"
            raise UserError(f"{where}, factors", expected, shown)
        keys[name] = key
    return keys


def columns_of(situations: Sequence[Situation], keys: Mapping[str, str]) -> dict[str, Floats]:
    """Factor name -> values, (N,), one for each situation.

    Parameters
    ----------
    keys : the entry of `FACTORS` for each factor, as `sources` finds it.
    """
    return {
        name: np.array([FACTORS[key].value(situation) for situation in situations], dtype=float)
        for name, key in keys.items()
    }


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else np.nan


def _extra_tokens(profile: Profile, name: str, n: int) -> int:
    """Tokens of an auxiliary beyond the n of the main layer."""
    return profile.layer(name).tokens - min(n, profile.pairs[name].tokens)
