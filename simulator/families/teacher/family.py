"""`teacher`: every task is a linear teacher over token features, at a set angle to the main one.

Notation
--------
T : tasks;  K : labels;  N : tokens
θ_t : angle of auxiliary t to the main task, in [0, π/2];  ρ = cos θ
F₀ : class scores of the main task;  F_t : class scores of auxiliary t's innovation
b_t : class biases

Auxiliary t labels a token by argmax(cos θ_t · F₀ + sin θ_t · F_t + b_t). The angle sets the AMI
with the main task; the biases hold the class shares where the main task has them; margins have one
law because every mixture is a frame again (see `simulator.families.teacher.frames`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtl_laws.simulator.errors import SpecError, UnreachableAMIError, one_of
from mtl_laws.simulator.families.base import read_options, require_ami
from mtl_laws.simulator.families.synthetic_options import SyntheticOptions
from mtl_laws.simulator.families.teacher.auxiliaries import (
    Auxiliary,
    AuxiliaryKey,
    Pool,
    reference_relatedness,
    settled,
    solve_near,
)
from mtl_laws.simulator.families.teacher.innovations import InnovationKey
from mtl_laws.simulator.labelling import Windows
from mtl_laws.simulator.layout import (
    Naming,
    assemble,
    noise_offsets,
    pool_relatedness,
    synthetic_layout,
    with_noise,
)
from mtl_laws.simulator.spec import JSON, TaskSpec
from mtl_laws.simulator.tasks import TaskSet
from mtl_laws.simulator.world import World, WorldOptions, check_capacity, world

Labels = NDArray[np.int16]

DESIGNS = ("free", "star", "equicorrelated")


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
            raise SpecError("options.design", self.design, one_of(str(self.design), DESIGNS))


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
        made_of = options.world(spec)
        home = world(made_of, seed)
        layout = synthetic_layout(spec, home.source)
        naming = Naming(home.source.vocabulary(), (home.label_names(),) * spec.tasks)
        offsets = noise_offsets(spec, seed, layout, naming.sizes)
        keys = _keys(spec, options, home)
        windows = home.windows(layout.text)
        if layout.pool:
            auxiliaries = _solved(home, windows.first(layout.pool), keys, offsets)
        else:
            auxiliaries = [settled(key) for key in keys]
        clean = _labels(home, windows, auxiliaries)
        labels = clean, with_noise(clean, offsets, spec.labels) if spec.label_noise else clean
        if layout.pool:
            measured = pool_relatedness(layout, naming.sizes, labels)
        else:
            measured = reference_relatedness(made_of, seed, spec.label_noise, keys)
        mixing: JSON = [float(np.cos(one.angle)) for one in auxiliaries]
        record: dict[str, JSON] = {"text": "synthetic", "mixing": mixing}
        return assemble((spec, seed), layout, naming, labels, measured, record)


def _keys(spec: TaskSpec, options: TeacherOptions, home: World) -> tuple[AuxiliaryKey, ...]:
    """What each auxiliary depends on."""
    overlap, design = float(options.feature_overlap), options.design
    source = InnovationKey(home.options, home.seed, overlap, design != "free")
    return tuple(
        AuxiliaryKey(source, design, number, target, spec.label_noise)
        for number, target in enumerate(spec.requested_ami, start=1)
    )


def _solved(
    home: World, windows: Windows, keys: Sequence[AuxiliaryKey], offsets: Labels
) -> list[Auxiliary]:
    """Solve auxiliaries on training text, one after another; `offsets` is their noise, (T, N)."""
    seen = offsets[:, : len(windows.index)]
    pool = Pool.of(home, windows, seen[0])
    auxiliaries: list[Auxiliary] = []
    for key in keys:
        first = auxiliaries[0].angle if auxiliaries else None
        auxiliaries.append(solve_near(pool, key, seen[key.number], first))
    return auxiliaries


def _labels(home: World, windows: Windows, auxiliaries: Sequence[Auxiliary]) -> Labels:
    """Return clean labels of all tasks on a text, (T, N)."""
    main = home.main_labels(windows)
    return np.stack([main, *(one.labels(home, windows) for one in auxiliaries)])


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
