"""Cells to workers and results back, whatever happens to the workers.

A worker that is killed (out of memory, by hand) takes the whole pool with it, and nobody says which
group it was at. So every cell that was given out and did not come back gets a strike. Cells with
few strikes are trained in groups as before, those with more of them singly, and at last one at a
time: a cell that then loses its worker again is the culprit, and its result says so.

Groups are made of all cells of the study, and only then are those left out that have their row. So
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
from mtl_laws.pipeline.study.trials import Cell, group
from mtl_laws.pipeline.study.workers import Result, failure, train_cells

_log = logging.getLogger(__name__)

Part = tuple[Cell, ...]

SINGLY = 2
"""Strikes from which a cell is trained in a group of its own."""

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
    cells: Sequence[Cell], done: Collection[str], options: RunOptions, parent: int = 0
) -> Generator[list[Result], None, None]:
    """The results of all cells that are not done, a group at a time, in the order of arrival.

    Parameters
    ----------
    cells : all cells of the study.
    done : digests of those that have their row.
    options : where to train the others.
    parent : process id of the run, for its local workers to watch; 0 for none.

    Raises
    ------
    PipelineError : a round brought nothing, neither a result nor a cell lost with its worker.
    """
    groups = group(cells, device=options.device)
    waiting = {cell.digest: cell for cell in cells if cell.digest not in done}
    strikes: Counter[str] = Counter()
    with backend(options) as lost:
        while waiting:
            one_round, before = _Round(groups, waiting, strikes), len(waiting) - strikes.total()
            try:
                with closing(one_round.give_out(options, parent)) as arriving:
                    for results in arriving:
                        for result in results:
                            del waiting[result.cell]
                        yield results
            except lost as error:
                strikes.update(one_round.in_flight(waiting))
                _log.warning("a worker was lost: %s", " ".join(str(error).split()))
            if len(waiting) - strikes.total() == before:
                raise PipelineError(STUCK)
            for culprit in [cell for cell in waiting if strikes[cell] >= CULPRIT]:
                del waiting[culprit]
                yield [failure(culprit, PipelineError(LOST))]


class _Round:
    """One attempt at all waiting cells, which ends when they are done or a worker is lost."""

    def __init__(
        self, groups: Sequence[Part], waiting: Mapping[str, Cell], strikes: Counter[str]
    ) -> None:
        def calm(cell: Cell) -> bool:
            return cell.digest in waiting and strikes[cell.digest] < SINGLY

        def suspect(cell: Cell) -> bool:
            return cell.digest in waiting and SINGLY <= strikes[cell.digest] < ALONE

        self.parts = [*_parts(groups, calm), *_singles(groups, suspect)]
        self.alone = not self.parts
        if self.alone:
            self.parts = _singles(groups, lambda cell: cell.digest in waiting)
        self._given: list[Part] = []

    def give_out(self, options: RunOptions, parent: int) -> Generator[list[Result], None, None]:
        """Results of the parts as they arrive."""
        parallel = joblib.Parallel(
            batch_size=1,
            pre_dispatch=1 if self.alone else "2 * n_jobs",
            return_as="generator_unordered",
        )
        yield from parallel(
            joblib.delayed(equipped)(loaded(), train_cells, part, options.device, parent)
            for part in self._giving()
        )

    def _giving(self) -> Iterator[Part]:
        for part in self.parts:
            self._given.append(part)
            yield part

    def in_flight(self, waiting: Mapping[str, Cell]) -> list[str]:
        """Cells that were given out and have not come back; of cells trained alone, the first."""
        out = [cell.digest for part in self._given for cell in part if cell.digest in waiting]
        return out[:1] if self.alone else out


def _parts(groups: Sequence[Part], wanted: Callable[[Cell], bool]) -> list[Part]:
    """Of every group its wanted cells, where it has some."""
    kept = (tuple(cell for cell in part if wanted(cell)) for part in groups)
    return [part for part in kept if part]


def _singles(groups: Sequence[Part], wanted: Callable[[Cell], bool]) -> list[Part]:
    """Every wanted cell in a part of its own."""
    return [(cell,) for part in _parts(groups, wanted) for cell in part]
