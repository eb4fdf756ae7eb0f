"""Trials: small taggers trained on layers of a corpus, with and without auxiliaries.

Notation
--------
n : training tokens of the main task;  n_aux : of each auxiliary, on sentences of their own

Trials of one main task and one seed share test sentences, main training sentences and the seed of
the training, so that the difference of two scores is a paired one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, product

from mtl_laws.pipeline.study.trials import single_task
from mtl_laws.pipeline.training import Job, Outcome, TrainingSettings, max_group, train_group
from mtl_laws.simulator import TaskSpec, make_taskset
from mtl_laws.simulator.spec import JSON

Progress = Callable[[int], None]


@dataclass(frozen=True, order=True)
class Trial:
    """A main layer, the auxiliary layers trained with it (none: alone), and their sizes.

    Attributes
    ----------
    main, auxiliaries : names of layers.
    n, n_aux : training tokens of the main task and of each auxiliary.
    """

    main: str
    auxiliaries: tuple[str, ...]
    n: int
    n_aux: int

    @property
    def alone(self) -> Trial:
        """The main task trained alone."""
        return Trial(self.main, (), self.n, 0)

    def spec(self, reading: Mapping[str, JSON], test_tokens: int) -> TaskSpec:
        """The tasks as the simulator makes them from the corpus that `reading` opens."""
        options = {**reading, "main": self.main, "aux": list(self.auxiliaries) or None}
        spec = TaskSpec(
            family="layers",
            tasks=1 + len(self.auxiliaries),
            tokens=self.n,
            aux_tokens=self.n_aux or None,
            test_tokens=test_tokens,
            options=options,
        )
        return spec if self.auxiliaries else single_task(spec)


@dataclass(frozen=True)
class Laboratory:
    """Where and how trials are trained.

    Attributes
    ----------
    reading : options of the `layers` family that open the corpus.
    settings : architecture and training.
    test_tokens : tokens of the test set.
    """

    reading: Mapping[str, JSON]
    settings: TrainingSettings
    test_tokens: int

    def train(
        self, trials: Sequence[Trial], seeds: Sequence[int], progress: Progress | None = None
    ) -> Iterator[tuple[Trial, int, Outcome]]:
        """Train every trial with every seed; outcomes arrive a group of equal shape at a time.

        Raises
        ------
        SpecError
            if the corpus has too few tokens for a trial.
        """
        tick = progress or (lambda done: None)
        shapes = groupby(sorted(set(trials)), key=lambda trial: (trial.main, trial.auxiliaries))
        for (_, auxiliaries), alike in shapes:
            runs = list(product(alike, seeds))
            size = max_group(self.settings, 1 + len(auxiliaries))
            for start in range(0, len(runs), size):
                part = runs[start : start + size]
                outcomes = train_group([self._job(*run) for run in part], progress=tick)
                for (trial, seed), outcome in zip(part, outcomes, strict=True):
                    yield trial, seed, outcome

    def _job(self, trial: Trial, seed: int) -> Job:
        taskset = make_taskset(trial.spec(self.reading, self.test_tokens), seed)
        return Job(taskset, self.settings, seed)
