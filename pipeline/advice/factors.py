"""Factors of a law, computed for layers of a corpus.

A law speaks of columns of a results table (`docs/columns.md`). Each column that a corpus and a
choice of auxiliaries determine has an entry here; a law that needs another one cannot advise.

Notation
--------
T : tasks, the main one included;  n, n_aux : training tokens of the main task, of an auxiliary
nan : undefined, as everything about auxiliaries is for T = 1
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from mtl_laws.pipeline.advice.profile import PairProfile, Profile
from mtl_laws.pipeline.errors import UserError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sizes:
    """Training tokens that advice is asked for.

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
    profile, sizes : of the corpus, and the tokens to train on.
    auxiliaries : names of layers.
    lookup : share of tokens that word tables get right with the main layer's tokens and those of
        these auxiliaries (`pipeline.advice.word_table`).
    lookup_alone : the same with the main layer's tokens only.
    """

    profile: Profile
    sizes: Sizes
    auxiliaries: tuple[str, ...]
    lookup: float
    lookup_alone: float

    def mean(self, value: Callable[[PairProfile], float]) -> float:
        """The mean over auxiliaries of what relates them to the main layer; nan without any."""
        pairs = [self.profile.pairs[name] for name in self.auxiliaries]
        return fmean(value(pair) for pair in pairs) if pairs else np.nan

    def mean_size(self) -> float:
        """Mean tokens of an auxiliary; nan without any."""
        sizes = [self.sizes.n_aux[name] for name in self.auxiliaries]
        return fmean(sizes) if sizes else np.nan

    def mean_entropy(self) -> float:
        """Mean entropy of an auxiliary's labels, nats; nan without any."""
        entropies = [self.profile.layer(name).entropy for name in self.auxiliaries]
        return fmean(entropies) if entropies else np.nan


Factor = Callable[[Situation], float]

FACTORS: Mapping[str, Factor] = {
    "n": lambda s: s.sizes.n,
    "T": lambda s: 1 + len(s.auxiliaries),
    "n_aux": Situation.mean_size,
    "ami": lambda s: s.mean(lambda pair: pair.ami),
    "explained": lambda s: s.mean(lambda pair: pair.explained),
    "h_main": lambda s: s.profile.main.entropy,
    "h_aux": Situation.mean_entropy,
    "h_main_given_aux": lambda s: s.mean(lambda pair: pair.h_main_given_aux),
    "h_aux_given_main": lambda s: s.mean(lambda pair: pair.h_aux_given_main),
    "lookup": lambda s: s.lookup,
    "lookup_alone": lambda s: s.lookup_alone,
    "transfer": lambda s: s.lookup - s.lookup_alone,
    "labels": lambda s: s.profile.main.labels,
    "majority": lambda s: s.profile.main.majority,
    "label_noise": lambda s: 0.0,
}

MEANINGS: Mapping[str, str] = {
    "n": "training tokens of the main layer",
    "T": "layers trained together",
    "n_aux": "training tokens of an auxiliary",
    "ami": "AMI of the auxiliaries with the main layer",
    "lookup": "share of words that a table of the labels at hand gets right",
    "lookup_alone": "share of words that a table of the main labels alone gets right",
    "transfer": "by how many more words a table gets right with the auxiliaries' labels",
}
"""What the commonest factors are, for those who read a law and not this file."""

ALIASES: Mapping[str, str] = {
    "n_request": "n",
    "n_aux_request": "n_aux",
    "ami_request": "ami",
    "ami_clean": "ami",
}


def sources(factors: Sequence[str], columns: Mapping[str, str], where: str) -> dict[str, str]:
    """Which entry of `FACTORS` stands for each factor of a law.

    Parameters
    ----------
    factors : names in the law.
    columns : the column that each stood for in the table, where that is recorded.
    where : the file, for messages.

    Raises
    ------
    UserError
        naming the first factor that a corpus does not determine.
    """
    return {name: _source(name, columns.get(name, name), where) for name in factors}


def _source(name: str, column: str, where: str) -> str:
    for known in (column, name):
        key = ALIASES.get(known, known)
        if key in FACTORS:
            return key
    called = name if column == name else f"{name} (column {column})"
    expected = f"a law whose factors a corpus determines: {', '.join(FACTORS)}"
    raise UserError(f"{where}, factors", expected, called)


def columns_of(situations: Sequence[Situation], sources_of: Mapping[str, str]) -> dict[str, Floats]:
    """Factor name -> values, (N,), one for each situation."""
    return {
        name: np.array([FACTORS[key](situation) for situation in situations], dtype=float)
        for name, key in sources_of.items()
    }
