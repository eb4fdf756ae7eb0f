"""`channel`: an auxiliary label is the main label passed through a noisy channel.

Notation
--------
K : labels;  N : tokens;  T : tasks
M : main labels of the pool, (K, K), ``M[m, j]`` = tokens of clean label m observed as j
W : channel, (K, K), ``W[m, k]`` = probability of auxiliary label k where the main label is m
E : errors, (K, K), the channel at its worst; symmetric: E = 1/K everywhere
R : label noise, (K, K), clean to observed
λ : share of tokens whose label is copied: W = λI + (1 − λ)E
α : probability of keeping the main label, λ + (1 − λ)/K in the symmetric channel of
    Bettgenhäuser, Hedderich and Klakow (2020)

AMI follows from M and W in closed form: it is that of the expected table (M R-weighted) Σ_m M[m, j]
(W R)[m, l]. λ is solved from it; then every block of sentences realises W as exact counts for every
main label, so that measured and requested AMI agree.

Auxiliary labels are noisy copies of main labels: that more of them act like more data is nearly
built in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mtl_laws.simulator.errors import SpecError
from mtl_laws.simulator.families.base import read_options, require_ami
from mtl_laws.simulator.families.corpus_options import CorpusOptions, annotated_sentences
from mtl_laws.simulator.families.synthetic_options import SyntheticOptions
from mtl_laws.simulator.layout import (
    Layout,
    Naming,
    assemble,
    corpus_layout,
    noise_offsets,
    pool_relatedness,
    reference_layout,
    synthetic_layout,
    with_noise,
)
from mtl_laws.simulator.memory_bounded_cache import memory_bounded_cache
from mtl_laws.simulator.relatedness import Relatedness, contingency, quick_ami
from mtl_laws.simulator.solver import Search, solve_ami
from mtl_laws.simulator.spec import JSON, TaskSpec
from mtl_laws.simulator.streams import stream
from mtl_laws.simulator.tasks import TaskSet
from mtl_laws.simulator.world import World, check_capacity, reference_text, world

Floats = NDArray[np.float64]
Labels = NDArray[np.int16]


@dataclass(frozen=True)
class ChannelOptions(CorpusOptions, SyntheticOptions):
    """Settings of the channel family, on top of those of synthetic text or of a corpus.

    Parameters
    ----------
    confusion : E as K rows of K weights (made to sum to one), for all auxiliaries, or one such
        matrix per auxiliary. With an AMI, W = λI + (1 − λ)E with λ solved; without, W = E.
    """

    confusion: tuple[object, ...] | None = None

    def __post_init__(self) -> None:
        CorpusOptions.__post_init__(self)
        SyntheticOptions.__post_init__(self)
        if self.confusion is not None:
            object.__setattr__(self, "confusion", _as_tuples(self.confusion))

    def errors(self, number: int, size: int) -> Floats:
        """Return E of auxiliary `number` (from 1), rows summing to one."""
        if self.confusion is None:
            return np.full((size, size), 1.0 / size)
        given = _matrix(self.confusion, size)
        chosen = given if given.ndim == 2 else given[(number - 1) % len(given)]
        return np.asarray(chosen / chosen.sum(axis=1, keepdims=True))

    def check_confusion(self, auxiliaries: int, size: int) -> None:
        """Refuse matrices of a wrong number or shape."""
        if self.confusion is None:
            return
        given = _matrix(self.confusion, size)
        if given.ndim == 3 and len(given) != auxiliaries:
            raise SpecError("options.confusion", len(given), f"{auxiliaries} matrices, or one")


def _as_tuples(value: object) -> tuple[object, ...]:
    if not isinstance(value, list | tuple):
        raise SpecError("options.confusion", value, "a list of rows of weights")
    return tuple(_as_tuples(one) if isinstance(one, list | tuple) else one for one in value)


def _matrix(given: tuple[object, ...], size: int) -> Floats:
    expected = f"{size} rows of {size} weights of at least 0, no row all zero; or one per auxiliary"
    try:
        matrix = np.array(given, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise SpecError("options.confusion", given, expected) from error
    square = matrix.ndim in (2, 3) and matrix.shape[-2:] == (size, size)
    if not square or not (matrix >= 0).all() or not (matrix.sum(axis=-1) > 0).all():
        raise SpecError("options.confusion", given, expected)
    return matrix


class ChannelFamily:
    """See the module."""

    def check(self, spec: TaskSpec) -> None:
        """Check options, without opening a corpus."""
        options = read_options(ChannelOptions, spec.options)
        if options.confusion is None or spec.ami is not None:
            require_ami(spec)
        if options.corpus is None:
            check_capacity(options.world(spec), parts=1)
            options.check_confusion(spec.auxiliaries, spec.labels)
        else:
            options.check_files()

    def build(self, spec: TaskSpec, seed: int) -> TaskSet:
        """Build the TaskSet: the main task, then one channel per auxiliary."""
        options = read_options(ChannelOptions, spec.options)
        prepare = _from_corpus if options.paths else _from_text
        scene = prepare(spec, seed, options)
        size = len(scene.naming.labels[0])
        options.check_confusion(spec.auxiliaries, size)
        if scene.layout.pool:
            channels = _solved(spec, options, scene)
            labels = _drawn(spec, seed, scene, channels)
            measured = pool_relatedness(scene.layout, (size,) * spec.tasks, labels)
        else:
            # the sizes do not matter on the reference text: one entry of the cache serves them all
            sizeless = replace(
                spec, tokens=1, aux_tokens=None, test_tokens=1, validation_fraction=0.0
            )
            channels, measured = _settled(sizeless, seed)
            labels = _drawn(spec, seed, scene, channels)
        alpha: JSON = [float(np.trace(channel) / size) for channel in channels]
        record: dict[str, JSON] = {**scene.provenance, "alpha": alpha}
        naming = Naming(scene.naming.vocabulary, scene.naming.labels * spec.tasks)
        return assemble((spec, seed), scene.layout, naming, labels, measured, record)


def _solved(spec: TaskSpec, options: ChannelOptions, scene: _Scene) -> tuple[Floats, ...]:
    """Return W of each auxiliary, solved on the pool of a scene."""
    size = len(scene.naming.labels[0])
    noise, table, channels = _noise_matrix(size, spec.label_noise), scene.table(), []
    for number, target in enumerate(spec.requested_ami or (None,) * spec.auxiliaries, start=1):
        errors = options.errors(number, size)
        copied = 0.0 if target is None else solve_copied(table, errors, noise, target)
        channels.append(copied * np.eye(size) + (1.0 - copied) * errors)
    return tuple(channels)


def _drawn(
    spec: TaskSpec, seed: int, scene: _Scene, channels: tuple[Floats, ...]
) -> tuple[Labels, Labels]:
    """Return clean and observed labels of all tasks on a scene, (T, N) each."""
    noise = _noise_matrix(len(scene.naming.labels[0]), spec.label_noise)
    rows = [(scene.clean, scene.observed)]
    for number, channel in enumerate(channels, start=1):
        rows.append(_realise(scene, seed, number, (channel, noise)))
    clean = np.stack([row for row, _ in rows])
    return clean, np.stack([row for _, row in rows]) if spec.label_noise else clean


@memory_bounded_cache(megabytes=16)
def _settled(spec: TaskSpec, seed: int) -> tuple[tuple[Floats, ...], Relatedness]:
    """Return W of each auxiliary, and relatedness, on the reference text of a world."""
    options = read_options(ChannelOptions, spec.options)
    home = world(options.world(spec), seed)
    scene = _text_scene(spec, seed, home, reference_layout(reference_text(home.source)))
    channels = _solved(spec, options, scene)
    labels = _drawn(spec, seed, scene, channels)
    sizes = (len(scene.naming.labels[0]),) * spec.tasks
    return channels, pool_relatedness(scene.layout, sizes, labels)


@dataclass(frozen=True, eq=False)
class _Scene:
    """The main task on a layout: clean and observed labels (N,), names, where it came from."""

    layout: Layout
    clean: Labels
    observed: Labels
    naming: Naming
    provenance: dict[str, JSON]

    def table(self) -> Floats:
        """Return M."""
        size, pool = len(self.naming.labels[0]), self.layout.pool
        table = contingency(self.clean[:pool], self.observed[:pool], (size, size))
        return table.astype(np.float64)


def _from_text(spec: TaskSpec, seed: int, options: ChannelOptions) -> _Scene:
    home = world(options.world(spec), seed)
    return _text_scene(spec, seed, home, synthetic_layout(spec, home.source))


def _text_scene(spec: TaskSpec, seed: int, home: World, layout: Layout) -> _Scene:
    clean = home.main_labels(home.windows(layout.text))
    naming = Naming(home.source.vocabulary(), (home.label_names(),))
    return _noisy_scene(spec, seed, layout, clean, (naming, {"text": "synthetic"}))


def _from_corpus(spec: TaskSpec, seed: int, options: ChannelOptions) -> _Scene:
    corpus = options.opened()
    name, layer = options.main_layer(corpus)
    usable = np.tile(annotated_sentences(corpus, layer), (spec.tasks, 1))
    layout = corpus_layout(spec, seed, corpus, usable)
    naming = Naming(corpus.vocabulary, (layer.names,))
    record: dict[str, JSON] = {"text": corpus.source, "licence": options.licence, "main": name}
    return _noisy_scene(spec, seed, layout, layer.labels[layout.origin], (naming, record))


def _noisy_scene(
    spec: TaskSpec,
    seed: int,
    layout: Layout,
    clean: Labels,
    described: tuple[Naming, dict[str, JSON]],
) -> _Scene:
    naming, record = described
    offsets = noise_offsets(spec, seed, layout, naming.sizes)[0]
    observed = with_noise(clean, offsets, naming.sizes[0])
    return _Scene(layout, clean, observed, naming, record)


def _noise_matrix(size: int, noise: float) -> Floats:
    each = noise / (size - 1)
    return np.full((size, size), each) + (1.0 - noise - each) * np.eye(size)


def solve_copied(main: Floats, errors: Floats, noise: Floats, target: float) -> float:
    """Return λ, the share of copied labels at which the channel has the target AMI.

    Parameters
    ----------
    main : M, tokens by clean and observed main label.
    errors, noise : E and R.
    target : AMI of the observed labels.

    Raises
    ------
    UnreachableAMIError : beyond what copying everything (λ = 1) or nothing (λ = 0) gives.
    """

    def measure(lost: float) -> float:
        channel = (1.0 - lost) * np.eye(len(errors)) + lost * errors
        return channel_ami(main, channel @ noise)

    limits = f"these errors and label_noise on K = {len(errors)}"
    guess = 1.0 - float(np.sqrt(target))
    return 1.0 - solve_ami(measure, target, Search(0.0, 1.0, guess, precision=1e-6), limits)


def channel_ami(main: Floats, channel: Floats) -> float:
    """Return the AMI of main labels and the labels a channel makes of them.

    Parameters
    ----------
    main : M, tokens by clean and observed main label; a diagonal when there is no label noise.
    channel : (K, K), clean main label to observed auxiliary label.
    """
    return quick_ami(main.T @ channel)


def _realise(
    scene: _Scene, seed: int, number: int, laws: tuple[Floats, Floats]
) -> tuple[Labels, Labels]:
    """Draw clean and observed labels of an auxiliary, (N,) each, in exact counts per block."""
    channel, noise = laws
    size = len(channel)
    clean = np.full_like(scene.clean, -1)
    observed = clean.copy()
    for block in scene.layout.blocks:
        rng = stream(seed, "channel", block.part, block.task + 1, number)
        places = np.arange(block.tokens.start, block.tokens.stop)
        places = places[scene.clean[places] >= 0]
        main = scene.clean[places].astype(np.int64)
        seen = scene.observed[places].astype(np.int64)
        pair = main * size + seen
        drawn = allot(rng, pair, main, channel)
        clean[places] = observed[places] = drawn
        if noise[0, 0] < 1.0:
            observed[places] = allot(rng, pair * size + drawn, drawn, noise)
    return clean, observed


def allot(
    rng: np.random.Generator,
    strata: NDArray[np.int64],
    rows: NDArray[np.int64] | Labels,
    laws: Floats,
) -> Labels:
    """Draw an outcome for every token such that each stratum gets its law's counts exactly.

    Systematic sampling: in a stratum of c tokens, outcome k gets c·p_k tokens, rounded up or down
    at random without bias; which tokens is left to chance.

    Parameters
    ----------
    strata : (N,), any numbers.
    rows : (N,), the row of `laws` that rules a token; the same within a stratum.
    laws : (G, K), outcome laws.
    """
    order = np.lexsort((rng.random(len(strata)), strata))
    _, stratum, counts = np.unique(strata[order], return_inverse=True, return_counts=True)
    starts = np.cumsum(counts) - counts
    rank = np.arange(len(strata)) - starts[stratum]
    level = (rank + rng.random(len(counts))[stratum]) / counts[stratum]
    ladder = np.cumsum(laws, axis=1)[:, :-1]
    outcome = np.empty(len(strata), dtype=np.int16)
    outcome[order] = (level[:, None] > ladder[rows[order]]).sum(axis=1)
    return outcome
