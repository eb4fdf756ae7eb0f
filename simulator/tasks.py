"""TaskSet: what a family returns.

Notation
--------
T : tasks, main first (index 0)
S : sentences of a split
N : tokens of a split
R, W : rows and width of a table of vectors
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mtl_laws.simulator.relatedness import Relatedness
from mtl_laws.simulator.spec import JSON, TaskSpec

IntArray = NDArray[np.int64]

UNLABELLED = -1
ALL_TASKS = -1


@dataclass(frozen=True, eq=False)
class Split:
    """Sentences with T label layers.

    Parameters
    ----------
    tokens : int32 (N,), token ids.
    bounds : int64 (S + 1,), sentence s is ``tokens[bounds[s]:bounds[s + 1]]``.
    labels : int16 (T, N), observed labels; `UNLABELLED` (−1) where a layer is not annotated.
    assigned : int16 (S,), the task whose labels a trainer may see on a sentence; `ALL_TASKS` (−1)
        where it may see all of them.
    """

    tokens: NDArray[np.int32]
    bounds: NDArray[np.int64]
    labels: NDArray[np.int16]
    assigned: NDArray[np.int16]

    def __post_init__(self) -> None:
        for array in (self.tokens, self.bounds, self.labels, self.assigned):
            array.flags.writeable = False

    @property
    def sentences(self) -> int:
        """S."""
        return len(self.bounds) - 1

    def lengths(self) -> IntArray:
        """Return the tokens of each sentence, (S,)."""
        return np.diff(self.bounds)

    def of_task(self, task: int) -> IntArray:
        """Return the sentences on which `task`'s labels may be seen."""
        return np.flatnonzero((self.assigned == task) | (self.assigned == ALL_TASKS))

    def token_count(self, task: int) -> int:
        """Return the tokens on which `task`'s labels may be seen."""
        return int(self.lengths()[self.of_task(task)].sum())

    def equals(self, other: Split) -> bool:
        """Tell whether every array is the same, bit for bit."""
        pairs = (
            (self.tokens, other.tokens),
            (self.bounds, other.bounds),
            (self.labels, other.labels),
            (self.assigned, other.assigned),
        )
        return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


@dataclass(frozen=True, eq=False)
class TokenVectors:
    """Vectors of the tokens of a TaskSet, as places in a table that its companions share.

    Parameters
    ----------
    table : float32 (R, W), one row per token of the corpus. It is not to be changed: all TaskSets
        of the corpus hold the same array.
    places : int32 (N,) by name of a split, the row of each token.
    """

    table: NDArray[np.float32]
    places: Mapping[str, NDArray[np.int32]]

    def equals(self, other: TokenVectors) -> bool:
        """Tell whether every token has the same vector."""
        mine, theirs = self.places, other.places
        return (
            np.array_equal(self.table, other.table)
            and mine.keys() == theirs.keys()
            and all(np.array_equal(mine[name], theirs[name]) for name in mine)
        )


@dataclass(frozen=True, eq=False)
class TaskSet:
    """T tasks over one vocabulary, in three splits, with their measured relatedness.

    Parameters
    ----------
    spec, seed : the request. Together they determine everything else.
    vocabulary : V token strings; a token id is a place in it.
    label_names : per task, its K_t label strings.
    train, validation, test : the splits. Label noise is in the training labels only;
        every test sentence is open to all tasks.
    relatedness : measured on the pool (at least 20,000 tokens).
    provenance : what the family solved for and where its text came from; JSON values.
    vectors : of the tokens, where the family was given some; they are not exported.
    """

    spec: TaskSpec
    seed: int
    vocabulary: tuple[str, ...]
    label_names: tuple[tuple[str, ...], ...]
    train: Split
    validation: Split
    test: Split
    relatedness: Relatedness
    provenance: Mapping[str, JSON] = field(default_factory=dict)
    vectors: TokenVectors | None = None

    @property
    def tasks(self) -> int:
        """T."""
        return len(self.label_names)

    @property
    def splits(self) -> dict[str, Split]:
        """The three splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def task_names(self) -> tuple[str, ...]:
        """``main``, ``aux_1`` … ``aux_{T-1}``."""
        return ("main", *(f"aux_{i}" for i in range(1, self.tasks)))

    @property
    def ami(self) -> float | None:
        """Mean measured AMI of the auxiliaries with the main task; None for T = 1."""
        return self.relatedness.main_auxiliary_mean(self.relatedness.ami)

    @property
    def ami_clean(self) -> float | None:
        """The same before label noise."""
        return self.relatedness.main_auxiliary_mean(self.relatedness.ami_clean)

    @property
    def ami_aux(self) -> float | None:
        """Mean measured AMI between auxiliaries; None for T < 3."""
        return self.relatedness.auxiliary_mean()

    def equals(self, other: TaskSet) -> bool:
        """Tell whether both hold the same tasks, splits and measurements, bit for bit."""
        described = (
            self.spec == other.spec
            and self.seed == other.seed
            and self.vocabulary == other.vocabulary
            and self.label_names == other.label_names
            and dict(self.provenance) == dict(other.provenance)
        )
        mine, theirs = self.splits, other.splits
        if self.vectors is None or other.vectors is None:
            described = described and self.vectors is other.vectors
        else:
            described = described and self.vectors.equals(other.vectors)
        return (
            described
            and all(mine[name].equals(theirs[name]) for name in mine)
            and self.relatedness.equals(other.relatedness)
        )
