"""`teacher`: every task is a linear teacher over token features, at a set angle to the main one.

Notation
--------
T : tasks;  K : labels;  N : tokens
θ_t : angle of auxiliary t to the main task, in [0, π/2];  ρ = cos θ
F₀ : class scores of the main task;  F_t : class scores of auxiliary t's innovation
b_t : class biases

Auxiliary t labels a token by argmax(cos θ_t · F₀ + sin θ_t · F_t + b_t). The angle sets the AMI
with the main task; the biases hold the class shares where the main task has them; margins have one
law because every mixture is a frame again (see `simulator.teachers`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.errors import SpecError, UnreachableAMIError
from simulator.families.base import read_options, require_ami
from simulator.families.synthetic_options import SyntheticOptions
from simulator.innovations import InnovationKey, equicorrelated_tables, innovation
from simulator.labelling import Windows
from simulator.layout import Layout, Naming, assemble, noise_offsets, synthetic_layout, with_noise
from simulator.relatedness import contingency, quick_ami
from simulator.solver import Search, solve_ami
from simulator.spec import JSON, TaskSpec
from simulator.tasks import TaskSet
from simulator.teachers import mix_scores
from simulator.world import World, WorldOptions, check_capacity, world

Floats = NDArray[np.float64]
Labels = NDArray[np.int16]

DESIGNS = ("free", "star", "equicorrelated")

_ATTEMPTS = 3


@dataclass(frozen=True)
class TeacherOptions(SyntheticOptions):
    """Settings of the teacher family, on top of those of synthetic text.

    Parameters
    ----------
    feature_overlap : φ, share of the innovations' features that the main task has too, in [0, 1].
    design : ``free``: innovations are unrelated to the main task, and to one another only by
        chance; ``star``: also mutually orthogonal, so that auxiliaries are related only through
        the main task; ``equicorrelated``: auxiliaries as related to each other as to the main
        task (one AMI for all). The last two need T·(K − 1) ≤ w·d directions unless φ = 0.
    """

    feature_overlap: float = 1.0
    design: str = "free"

    def __post_init__(self) -> None:
        super().__post_init__()
        phi = self.feature_overlap
        if isinstance(phi, bool) or not isinstance(phi, int | float) or not 0.0 <= phi <= 1.0:
            raise SpecError("options.feature_overlap", phi, "a number from 0 to 1")
        if self.design not in DESIGNS:
            raise SpecError("options.design", self.design, f"one of {', '.join(DESIGNS)}")


class TeacherFamily:
    """See the module."""

    def check(self, spec: TaskSpec) -> None:
        """Check options, and the bound on mutually unrelated teachers."""
        options = read_options(TeacherOptions, spec.options)
        require_ami(spec)
        made_of = options.world(spec)
        check_capacity(made_of, parts=1 if options.feature_overlap == 1.0 else 2)
        if spec.tasks > 1 and options.feature_overlap > 0:
            _check_directions(spec, options, made_of)
        if options.design == "equicorrelated" and len(set(spec.requested_ami)) > 1:
            raise SpecError("ami", spec.ami, "one value for all in an equicorrelated design")

    def build(self, spec: TaskSpec, seed: int) -> TaskSet:
        """Build the TaskSet: the main task from its world, then one angle per auxiliary."""
        options = read_options(TeacherOptions, spec.options)
        home = world(options.world(spec), seed)
        layout = synthetic_layout(spec, home.source)
        naming = Naming(home.source.vocabulary(), (home.label_names(),) * spec.tasks)
        offsets = noise_offsets(spec, seed, layout, naming.sizes)
        scene = Scene.of(home, layout, offsets)
        deal = _Deal(options, home)
        clean, angles = [scene.main], []
        for number, wanted in enumerate(spec.requested_ami, start=1):
            found = deal.solve(scene, wanted, offsets[number], _limits(spec, home.options))
            clean.append(found.labels)
            angles.append(found.angle)
        stacked = np.stack(clean)
        observed = with_noise(stacked, offsets, spec.labels) if spec.label_noise else stacked
        mixing: JSON = [float(np.cos(angle)) for angle in angles]
        record: dict[str, JSON] = {"text": "synthetic", "mixing": mixing}
        return assemble((spec, seed), layout, naming, (stacked, observed), record)


def _check_directions(spec: TaskSpec, options: TeacherOptions, made_of: WorldOptions) -> None:
    shape = made_of.shape
    unrelated = 2 if options.design == "free" else spec.tasks
    needed = unrelated * shape.directions
    if shape.dimensions < needed:
        raise UnreachableAMIError(
            "ami",
            spec.ami,
            f"any value once features × window ≥ {needed}: {unrelated} mutually unrelated teachers "
            f"of {shape.directions + 1} classes need {shape.directions} directions each, and "
            f"features = {shape.features}, window = {shape.window} give {shape.dimensions}",
        )


def _limits(spec: TaskSpec, made_of: WorldOptions) -> str:
    return (
        f"features = {made_of.features}, window = {made_of.window}, T = {spec.tasks}, "
        f"K = {spec.labels}, vocabulary = {spec.vocabulary}, label_noise = {spec.label_noise:g}"
    )


class _Deal:
    """Hands out innovations to auxiliaries, one after another, and has their angles solved."""

    def __init__(self, options: TeacherOptions, home: World) -> None:
        self.design = options.design
        overlap = float(options.feature_overlap)
        self.key = InnovationKey(home.options, home.seed, overlap, options.design != "free")
        self.angles: list[float] = []

    def solve(self, scene: Scene, wanted: float, offsets: Labels, limits: str) -> Solved:
        """Solve the next auxiliary; where a draw cannot reach the AMI, try further ones."""
        attempts = _ATTEMPTS if self.design == "free" else 1
        for attempt in range(attempts):
            try:
                found = scene.solve(self._tables(attempt), wanted, offsets, limits)
            except UnreachableAMIError:
                if attempt + 1 == attempts:
                    raise
            else:
                break
        self.angles.append(found.angle)
        return found

    def _tables(self, attempt: int) -> Floats:
        number = len(self.angles) + 1
        if self.design == "equicorrelated" and self.angles:
            drawn = [innovation(self.key, one) for one in range(1, number + 1)]
            return equicorrelated_tables(drawn, float(np.cos(self.angles[0])))
        return innovation(self.key, number, attempt).tables


def likely_angle(ami: float) -> float:
    """Return the angle at which teachers of 3 to 17 classes have about this AMI (measured)."""
    known = [0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0]
    share = [1.0, 0.72, 0.61, 0.465, 0.36, 0.21, 0.105, 0.027, 0.0]
    return float(np.interp(ami, known, share)) * np.pi / 2


@dataclass(frozen=True, eq=False)
class Solved:
    """An auxiliary: its angle and its clean labels over the layout, (N,)."""

    angle: float
    labels: Labels


@dataclass(frozen=True, eq=False)
class Scene:
    """The main task on one layout, ready for auxiliaries to be set against it.

    Parameters
    ----------
    home : the world.
    windows, pool : windows of the layout's text, and of its pool.
    scores, ruler_scores : F₀ on the layout's windows and on the reference text's.
    main : clean main labels, (N,).
    observed : main labels on the pool as a trainer sees them.
    """

    home: World
    windows: Windows
    pool: Windows
    scores: Floats
    ruler_scores: Floats
    main: Labels
    observed: Labels

    @classmethod
    def of(cls, home: World, layout: Layout, offsets: Labels) -> Scene:
        """Label a layout with the main task."""
        windows = home.windows(layout.text)
        scores = windows.scores(home.tables)
        main = home.label(scores, home.biases, windows)
        K = len(home.label_names())
        observed = with_noise(main[: layout.pool], offsets[0, : layout.pool], K)
        ruler = home.ruler.windows.scores(home.tables)
        return cls(home, windows, windows.first(layout.pool), scores, ruler, main, observed)

    def solve(self, tables: Floats, wanted: float, offsets: Labels, limits: str) -> Solved:
        """Find the angle at which an innovation gives the wanted AMI on the pool."""
        own, own_ruler = self.windows.scores(tables), self.home.ruler.windows.scores(tables)
        biases = {0.0: self.home.biases}

        def scores_at(angle: float) -> Floats:
            return mix_scores(self.scores, own, angle)

        def measure(angle: float) -> float:
            mixed = mix_scores(self.ruler_scores, own_ruler, angle)
            start = biases[min(biases, key=lambda known: abs(known - angle))]
            biases[angle] = self.home.ruler.balance(mixed, start) if angle else self.home.biases
            labels = self.home.label(scores_at(angle), biases[angle], self.pool)
            return self._ami(labels, offsets[: len(labels)])

        search = Search(0.0, np.pi / 2, likely_angle(wanted))
        angle = solve_ami(measure, wanted, search, limits)
        return Solved(angle, self.home.label(scores_at(angle), biases[angle], self.windows))

    def _ami(self, labels: Labels, offsets: Labels) -> float:
        K = len(self.home.label_names())
        seen = with_noise(labels, offsets, K)
        return quick_ami(contingency(self.observed, seen, (K, K)))
