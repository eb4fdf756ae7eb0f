"""Fault-tolerant execution of trials.

A worker that is killed (out of memory, by hand) takes the whole pool with it, and nothing tells
which group it was training. Every trial that was handed out and did not return therefore gets a
strike. Trials with few strikes are trained in groups as before, those with more in groups of their
own, and finally one at a time: a trial that then loses its worker again fails, and its result says
why.

Groups are made of all trials of the study; only then are finished trials left out. So a resumed run
trains the groups of an undisturbed one, and sums over a stack have the same rounding.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing

import joblib

from mtl_laws.pipeline.errors import PipelineError
from mtl_laws.pipeline.plugins import loaded, with_plugins
from mtl_laws.pipeline.provenance import check_worker
from mtl_laws.pipeline.study.backends import Pool, RunOptions, Say, backend
from mtl_laws.pipeline.study.trials import Trial, group
from mtl_laws.pipeline.study.workers import Result, failure, train_trials

_log = logging.getLogger(__name__)

Part = tuple[Trial, ...]

SINGLY = 2
"""Strikes from which a trial is trained in a group of its own."""

ALONE = 3
"""Strikes from which nothing else is trained at the same time."""

CULPRIT = 5
"""Strikes at which a trial fails."""

SICK_AT_START, SICK = 3, 10
"""Trials that may fail in succession because their workers were killed, with no result between:
before the first result of a run, and later. More of them are not to blame; the machine is."""

LOST = "its worker was killed every time it was trained, perhaps out of memory"

ALL_LOST = (
    "every worker is killed, whatever it trains, perhaps out of memory; finished rows are safe: "
    "use fewer jobs or smaller models and run the same command again, with failed trials "
    "included (last error: {error})"
)

STUCK = (
    "the workers returned neither a result nor an error; finished rows are safe: run the same "
    "command again, with another backend if this happens twice"
)


def outcomes(
    trials: Sequence[Trial],
    done: Collection[str],
    options: RunOptions,
    parent: int = 0,
    say: Say = _log.warning,
) -> Generator[list[Result], None, None]:
    """The results of all trials that are not done, one group at a time, as they arrive.

    Parameters
    ----------
    trials : all trials of the study.
    done : digests of those that have a row.
    options : where to train the others.
    parent : process id of the run, which local workers watch; 0 for none.
    say : told what the user should know, in a line.

    Raises
    ------
    PipelineError : a round gave neither a result nor a strike, or every worker is killed.
    UserError : a worker has another version of mtl-laws, Python, numpy or torch.
    """
    groups = group(trials, device=options.device)
    waiting = {trial.digest: trial for trial in trials if trial.digest not in done}
    strikes: Counter[str] = Counter()
    limit, culprits, reason = SICK_AT_START, 0, ""
    with backend(options, say) as pool:
        while waiting:
            one_round, before = _Round(groups, waiting, strikes), len(waiting) - strikes.total()
            try:
                with closing(one_round.results(pool, options, parent)) as arriving:
                    for results in arriving:
                        _refuse_others(results)
                        for result in results:
                            del waiting[result.trial]
                            limit, culprits = SICK, 0
                        yield results
            except pool.lost as error:
                strikes.update(one_round.in_flight(waiting))
                reason = " ".join(str(error).split())
                _log.warning("a worker was lost: %s", reason)
            if len(waiting) - strikes.total() == before:
                raise PipelineError(STUCK)
            for culprit in [trial for trial in waiting if strikes[trial] >= CULPRIT]:
                del waiting[culprit]
                culprits += 1
                yield [failure(culprit, PipelineError(LOST))]
            if waiting and culprits >= limit:
                raise PipelineError(ALL_LOST.format(error=reason[:200] or "none"))


def _refuse_others(results: Iterable[Result]) -> None:
    """Refuse results of a worker of another version, such as one that joined in mid-run."""
    for result in results:
        worker = result.worker
        host, process = worker.get("host", "of an unknown host"), worker.get("process")
        check_worker(worker, f"{host}, process {process}" if process else host)


class _Round:
    """One attempt at all waiting trials; it ends when they are done or a worker is lost."""

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
        self._in_work: list[Part] = []

    def results(
        self, pool: Pool, options: RunOptions, parent: int
    ) -> Generator[list[Result], None, None]:
        """The results of the parts as they arrive."""
        calls = (
            joblib.delayed(with_plugins)(loaded(), train_trials, part, options.device, parent)
            for part in self._hand_out()
        )
        yield from pool.results(calls, self.alone)

    def _hand_out(self) -> Iterator[Part]:
        for part in self.parts:
            self._in_work.append(part)
            yield part

    def in_flight(self, waiting: Mapping[str, Trial]) -> list[str]:
        """The trials that were handed out and did not return; only the first if trained alone."""
        lost = [trial.digest for part in self._in_work for trial in part if trial.digest in waiting]
        return lost[:1] if self.alone else lost


def _parts(groups: Sequence[Part], condition: Callable[[Trial], bool]) -> list[Part]:
    """The trials of every group that meet a condition; groups without any are left out."""
    parts = (tuple(trial for trial in part if condition(trial)) for part in groups)
    return [part for part in parts if part]


def _singles(groups: Sequence[Part], condition: Callable[[Trial], bool]) -> list[Part]:
    """Every trial that meets a condition, in a part of its own."""
    return [(trial,) for part in _parts(groups, condition) for trial in part]
