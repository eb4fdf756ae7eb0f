"""Auxiliaries of the teacher family: the angle and the biases at which each has its AMI.

Notation
--------
N : tokens of the pool;  M : distinct windows in it;  K : classes
θ : angle of an auxiliary to the main task;  ρ = cos θ
F₀ : class scores of the main task, (K, M)

The pool is what AMI is measured on: the training text where that is long enough, and else the
world's reference text. What is solved on the reference text depends on neither T nor sizes, so it
is kept, and taken on training text as well if its AMI is near enough there: then an auxiliary is
the same task at every n.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mtl_laws.simulator.errors import UnreachableAMIError
from mtl_laws.simulator.families.teacher.frames import mix_scores
from mtl_laws.simulator.families.teacher.innovations import (
    InnovationKey,
    equicorrelated_tables,
    innovation,
)
from mtl_laws.simulator.labelling import Windows
from mtl_laws.simulator.layout import reference_offsets, with_noise
from mtl_laws.simulator.memory_bounded_cache import memory_bounded_cache
from mtl_laws.simulator.relatedness import TOLERANCE, Relatedness, contingency, measure, quick_ami
from mtl_laws.simulator.solver import Search, solve_ami
from mtl_laws.simulator.world import World, WorldOptions, world

Floats = NDArray[np.float64]
Labels = NDArray[np.int16]

_ATTEMPTS = 3


@dataclass(frozen=True)
class AuxiliaryKey:
    """What an auxiliary depends on besides its pool.

    Parameters
    ----------
    source : what its innovation depends on; holds the world's options and the seed.
    design : ``free``, ``star`` or ``equicorrelated``, see `TeacherOptions`.
    number : 1 for the first auxiliary.
    ami : the requested AMI.
    noise : share of labels replaced, of all tasks.
    """

    source: InnovationKey
    design: str
    number: int
    ami: float
    noise: float

    @property
    def home(self) -> World:
        """The world."""
        return world(self.source.world, self.source.seed)

    def tables(self, first: float | None, attempt: int) -> Floats:
        """Return the innovation's tables; `first` is the angle of the first auxiliary."""
        if self.design == "equicorrelated" and first is not None:
            drawn = [innovation(self.source, one) for one in range(1, self.number + 1)]
            return equicorrelated_tables(drawn, float(np.cos(first)))
        return innovation(self.source, self.number, attempt).tables


@dataclass(frozen=True, eq=False)
class Auxiliary:
    """One auxiliary task: its innovation's tables (w, V + 1, K), its angle, its biases (K,)."""

    tables: Floats
    angle: float
    biases: Floats

    def labels(self, home: World, windows: Windows) -> Labels:
        """Return its clean labels (N,) on a text."""
        mixed = mix_scores(home.tables, self.tables, self.angle)
        return home.label(windows.scores(mixed), self.biases, windows)


@dataclass(frozen=True, eq=False)
class Pool:
    """The main task on the text that AMI is measured on.

    Parameters
    ----------
    home : the world.
    windows, scores : of the pool; F₀ on them.
    ruler_scores : F₀ on the reference text.
    clean, observed : main labels without noise and as a trainer sees them, (N,).
    """

    home: World
    windows: Windows
    scores: Floats
    ruler_scores: Floats
    clean: Labels
    observed: Labels

    @classmethod
    def of(cls, home: World, windows: Windows, offsets: Labels) -> Pool:
        """Label a text with the main task; `offsets` is its label noise, (N,)."""
        ruler = home.ruler.windows
        scores = windows.scores(home.tables)
        ruler_scores = scores if windows is ruler else ruler.scores(home.tables)
        clean = home.label(scores, home.biases, windows)
        observed = with_noise(clean, offsets, len(home.label_names()))
        return cls(home, windows, scores, ruler_scores, clean, observed)

    def solve(self, tables: Floats, target: float, offsets: Labels, limits: str) -> Auxiliary:
        """Find the angle at which an innovation gives the target AMI, and the biases there."""
        ruler = self.home.ruler
        own_ruler = ruler.windows.scores(tables)
        same = self.windows is ruler.windows
        own = own_ruler if same else self.windows.scores(tables)
        biases = {0.0: self.home.biases}

        def measured(angle: float) -> float:
            mixed = mix_scores(self.ruler_scores, own_ruler, angle)
            start = biases[min(biases, key=lambda known: abs(known - angle))]
            biases[angle] = ruler.balance(mixed, start) if angle else self.home.biases
            here = mixed if same else mix_scores(self.scores, own, angle)
            return self._ami(self.home.label(here, biases[angle], self.windows), offsets)

        angle = solve_ami(measured, target, Search(0.0, np.pi / 2, likely_angle(target)), limits)
        return Auxiliary(tables, angle, biases[angle])

    def ami_of(self, auxiliary: Auxiliary, offsets: Labels) -> float:
        """Return an auxiliary's AMI with the main task on this pool."""
        return self._ami(auxiliary.labels(self.home, self.windows), offsets)

    def _ami(self, labels: Labels, offsets: Labels) -> float:
        K = len(self.home.label_names())
        return quick_ami(contingency(self.observed, with_noise(labels, offsets, K), (K, K)))


def likely_angle(ami: float) -> float:
    """Return the angle at which teachers of 3 to 17 classes have about this AMI (measured)."""
    known = [0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0]
    share = [1.0, 0.72, 0.61, 0.465, 0.36, 0.21, 0.105, 0.027, 0.0]
    return float(np.interp(ami, known, share)) * np.pi / 2


def solve_on(pool: Pool, key: AuxiliaryKey, offsets: Labels, first: float | None) -> Auxiliary:
    """Return an auxiliary as solved on a pool; where a draw cannot reach the AMI, try others.

    Parameters
    ----------
    offsets : label noise of this auxiliary on the pool, (N,).
    first : angle of the first auxiliary, once there is one.
    """
    attempts = _ATTEMPTS if key.design == "free" else 1
    for attempt in range(attempts):
        try:
            return pool.solve(key.tables(first, attempt), key.ami, offsets, _limits(key))
        except UnreachableAMIError:
            if attempt + 1 == attempts:
                raise
    raise AssertionError("there is at least one attempt")


def solve_near(pool: Pool, key: AuxiliaryKey, offsets: Labels, first: float | None) -> Auxiliary:
    """Return the auxiliary of the reference text where it does on a pool, else as solved there."""
    known = settled(key)
    if abs(pool.ami_of(known, offsets) - key.ami) <= TOLERANCE / 2:
        return known
    return solve_on(pool, key, offsets, first)


def _limits(key: AuxiliaryKey) -> str:
    made_of = key.source.world
    return (
        f"features = {made_of.features}, window = {made_of.window}, "
        f"K = {len(key.home.label_names())}, vocabulary = {made_of.text.vocabulary}, "
        f"label_noise = {key.noise:g}"
    )


@memory_bounded_cache(megabytes=32)
def reference_pool(options: WorldOptions, seed: int, noise: float) -> Pool:
    """Return the main task on the reference text of a world."""
    home = world(options, seed)
    K, N = len(home.label_names()), len(home.ruler.windows.index)
    return Pool.of(home, home.ruler.windows, reference_offsets(seed, noise, 0, (N, K)))


@memory_bounded_cache(megabytes=64)
def settled(key: AuxiliaryKey) -> Auxiliary:
    """Return an auxiliary as solved on the reference text."""
    pool = reference_pool(key.source.world, key.source.seed, key.noise)
    follows = key.design == "equicorrelated" and key.number > 1
    first = settled(replace(key, number=1)).angle if follows else None
    return solve_on(pool, key, _offsets(pool, key), first)


def _offsets(pool: Pool, key: AuxiliaryKey) -> Labels:
    shape = len(pool.clean), len(pool.home.label_names())
    return reference_offsets(key.source.seed, key.noise, key.number, shape)


@memory_bounded_cache(megabytes=16)
def reference_relatedness(
    options: WorldOptions, seed: int, noise: float, keys: tuple[AuxiliaryKey, ...]
) -> Relatedness:
    """Return the relatedness of the main task and these auxiliaries on the reference text."""
    pool = reference_pool(options, seed, noise)
    rows = [settled(key).labels(pool.home, pool.windows) for key in keys]
    clean = np.stack([pool.clean, *rows])
    K = len(pool.home.label_names())
    sizes = (K,) * len(clean)
    if not noise:
        return measure(clean, clean, sizes)
    seen = [with_noise(row, _offsets(pool, key), K) for row, key in zip(rows, keys, strict=True)]
    return measure(np.stack([pool.observed, *seen]), clean, sizes)
