"""Trials to workers and results back, whatever happens to the workers.

A worker that is killed (out of memory, by hand) takes the whole pool with it, and nobody says which
group it was at. So every trial that was given out and did not come back gets a strike. Trials with
few strikes are trained in groups as before, those with more of them singly, and at last one at a
time: a trial that then loses its worker again is the culprit, and its result says so.

Groups are made of all trials of the study, and only then are those left out that have their row. So
a resumed run trains the groups of an undisturbed one, and sums over a stack round the same way.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing

import joblib

from mtl_laws.pipeline.errors import PipelineError
from mtl_laws.pipeline.plugins import equipped, loaded
from mtl_laws.pipeline.study.backends import RunOptions, backend
from mtl_laws.pipeline.study.trials import Trial, group
from mtl_laws.pipeline.study.workers import Result, failure, train_trials

_log = logging.getLogger(__name__)

Part = tuple[Trial, ...]

SINGLY = 2
"""Strikes from which a trial is trained in a group of its own."""

ALONE = 3
"""Strikes from which it is trained while nothing else is."""

CULPRIT = 5
"""Strikes at which it is given up."""

LOST = "its worker was killed each time it was trained, perhaps for want of memory"

STUCK = (
    "the workers gave neither a result nor a reason; what was written is safe: run the same "
    "command again, and with another --backend if that ends like this, too"
)


def outcomes(
    trials: Sequence[Trial], done: Collection[str], options: RunOptions, parent: int = 0
) -> Generator[list[Result], None, None]:
    """The results of all trials that are not done, a group at a time, in the order of arrival.

    Parameters
    ----------
    trials : all trials of the study.
    done : digests of those that have their row.
    options : where to train the others.
    parent : process id of the run, for its local workers to watch; 0 for none.

    Raises
    ------
    PipelineError : a round brought nothing, neither a result nor a trial lost with its worker.
    """
    groups = group(trials, device=options.device)
    waiting = {trial.digest: trial for trial in trials if trial.digest not in done}
    strikes: Counter[str] = Counter()
    with backend(options) as lost:
        while waiting:
            one_round, before = _Round(groups, waiting, strikes), len(waiting) - strikes.total()
            try:
                with closing(one_round.give_out(options, parent)) as arriving:
                    for results in arriving:
                        for result in results:
                            del waiting[result.trial]
                        yield results
            except lost as error:
                strikes.update(one_round.in_flight(waiting))
                _log.warning("a worker was lost: %s", " ".join(str(error).split()))
            if len(waiting) - strikes.total() == before:
                raise PipelineError(STUCK)
            for culprit in [trial for trial in waiting if strikes[trial] >= CULPRIT]:
                del waiting[culprit]
                yield [failure(culprit, PipelineError(LOST))]


class _Round:
    """One attempt at all waiting trials, which ends when they are done or a worker is lost."""

    def __init__(
        self, groups: Sequence[Part], waiting: Mapping[str, Trial], strikes: Counter[str]
    ) -> None:
        def calm(trial: Trial) -> bool:
            return trial.digest in waiting and strikes[trial.digest] < SINGLY

        def suspect(trial: Trial) -> bool:
            return trial.digest in waiting and SINGLY <= strikes[trial.digest] < ALONE

        self.parts = [*_parts(groups, calm), *_singles(groups, suspect)]
        self.alone = not self.parts
        if self.alone:
            self.parts = _singles(groups, lambda trial: trial.digest in waiting)
        self._given: list[Part] = []

    def give_out(self, options: RunOptions, parent: int) -> Generator[list[Result], None, None]:
        """Results of the parts as they arrive."""
        parallel = joblib.Parallel(
            batch_size=1,
            pre_dispatch=1 if self.alone else "2 * n_jobs",
            return_as="generator_unordered",
        )
        yield from parallel(
            joblib.delayed(equipped)(loaded(), train_trials, part, options.device, parent)
            for part in self._giving()
        )

    def _giving(self) -> Iterator[Part]:
        for part in self.parts:
            self._given.append(part)
            yield part

    def in_flight(self, waiting: Mapping[str, Trial]) -> list[str]:
        """Trials that were given out and have not come back; of trials trained alone, the first."""
        out = [trial.digest for part in self._given for trial in part if trial.digest in waiting]
        return out[:1] if self.alone else out


def _parts(groups: Sequence[Part], wanted: Callable[[Trial], bool]) -> list[Part]:
    """Of every group its wanted trials, where it has some."""
    kept = (tuple(trial for trial in part if wanted(trial)) for part in groups)
    return [part for part in kept if part]


def _singles(groups: Sequence[Part], wanted: Callable[[Trial], bool]) -> list[Part]:
    """Every wanted trial in a part of its own."""
    return [(trial,) for part in _parts(groups, wanted) for trial in part]
