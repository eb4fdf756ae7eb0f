"""Innovations: what a teacher-family auxiliary reads besides what the main task reads.

Notation
--------
V : token types;  K : classes;  w : window
Q₀ : main frame;  U_t : frame of innovation t, Q₀ᵀU_t = 0
φ : feature overlap;  X : main features;  Y_t : private features of auxiliary t
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtl_laws.simulator.families.teacher.frames import score_tables, settle_frame
from mtl_laws.simulator.labelling import Labels, PlainDecoder, Ruler, first_best
from mtl_laws.simulator.memory_bounded_cache import memory_bounded_cache
from mtl_laws.simulator.relatedness import contingency, quick_ami
from mtl_laws.simulator.streams import stream
from mtl_laws.simulator.synthetic import white_features
from mtl_laws.simulator.world import WorldOptions, world

Floats = NDArray[np.float64]

_DRAWS = 8  # frames drawn afresh before the best is moved about
_MOVES = 40
_LOW_ENOUGH = 0.005  # AMI at right angles below which a frame is taken at once
_RETRY = 100_000  # stream numbers of further attempts start here


@dataclass(frozen=True)
class InnovationKey:
    """What innovations depend on besides their number: neither T nor AMI, sizes or noise.

    Parameters
    ----------
    world, seed : the main task's.
    overlap : φ.
    orthogonal : whether innovations are orthogonal to one another as well.
    """

    world: WorldOptions
    seed: int
    overlap: float
    orthogonal: bool


@dataclass(frozen=True, eq=False)
class Innovation:
    """The frame U_t and its class scores by place and token, (w, V + 1, K)."""

    frame: Floats
    tables: Floats


@memory_bounded_cache(megabytes=64)
def innovation(key: InnovationKey, number: int, attempt: int = 0) -> Innovation:
    """Return innovation `number` (1 for the first auxiliary); each attempt is another draw.

    Orthogonal frames on white features make scores uncorrelated; on a finite vocabulary labels
    still share a little information (AMI 0.003 to 0.02). So a frame is drawn several times, then
    moved about, until it shares next to nothing on the reference text (spans aside) or the tries
    are used up.
    """
    home = world(key.world, key.seed)
    features = home.features
    if key.overlap != 1.0:
        private = white_features(home.source, home.options.features, home.features, number)
        features = np.sqrt(key.overlap) * home.features + np.sqrt(1.0 - key.overlap) * private
    given: list[Floats] = []  # the frames that it must be orthogonal to
    if key.overlap != 0:
        others = range(1, number) if key.orthogonal else ()
        given = [home.frame, *(innovation(key, other).frame for other in others)]
    plain = Ruler(home.ruler.windows, PlainDecoder(), home.ruler.shares)
    main = first_best(plain.windows.scores(home.tables) + home.biases[:, None])[plain.windows.index]
    rng = stream(key.seed, "innovation", number + attempt * _RETRY)
    best, least, reach = None, np.inf, 0.3
    for turn in range(_DRAWS + _MOVES):
        start = rng.standard_normal(home.frame.shape)
        if best is not None and turn >= _DRAWS:
            start = best.frame + start * reach / np.sqrt(len(start))
        frame = settle_frame(start, key.world.shape, given)
        tables = score_tables(frame, features, key.world.shape)
        shared = _accidental_ami(plain, main, tables)
        if best is None or shared < least:
            best, least = Innovation(frame, tables), shared
        elif turn >= _DRAWS:
            reach *= 0.95
        if least < _LOW_ENOUGH:
            break
    return best or Innovation(frame, tables)


def _accidental_ami(plain: Ruler, main: Labels, tables: Floats) -> float:
    """Return the AMI of main classes and a pure innovation's on the reference text."""
    scores, K = plain.windows.scores(tables), len(plain.shares)
    scores += plain.balance(scores, np.zeros(K), tolerance=2e-2)[:, None]
    classes = plain.decoder.classes_of(scores, plain.windows)
    return quick_ami(contingency(main, classes, (K, K)))


def equicorrelated_tables(innovations: list[Innovation], rho: float) -> Floats:
    """Return the last auxiliary's innovation tables in a design where all pairs correlate alike.

    With every auxiliary at correlation ρ to the main task, two of them correlate ρ as well when
    their innovations correlate τ = ρ/(1 + ρ); the Cholesky factor of that matrix builds such
    innovations from mutually orthogonal ones.
    """
    count = len(innovations)
    tau = rho / (1.0 + rho)
    weights = np.linalg.cholesky((1.0 - tau) * np.eye(count) + tau)[-1]
    stacked = np.stack([one.tables for one in innovations])
    return np.asarray(np.tensordot(weights, stacked, axes=1))
