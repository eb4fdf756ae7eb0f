"""Backends: where groups are trained, which workers may, and which errors mean a lost worker."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Protocol, TypeAlias, cast

import joblib
from joblib.externals.loky.process_executor import BrokenProcessPool

from mtl_laws.pipeline.errors import PipelineError, UserError, nearest
from mtl_laws.pipeline.processes import interrupts_blocked, watched
from mtl_laws.pipeline.provenance import check_worker
from mtl_laws.pipeline.study.workers import Result, whereabouts

POLL = 2.0
"""Seconds between two looks at which workers a cluster has."""

NO_SCHEDULER = (
    "the connection to the dask scheduler is lost; finished rows are safe: start it and run the "
    "same command again"
)


@dataclass(frozen=True)
class RunOptions:
    """Where a study is trained. The options do not change the outcome of a trial.

    Parameters
    ----------
    jobs : worker processes; −1 for one per core.
    backend : ``loky`` (processes on this machine) or ``dask`` (a cluster).
    address : of the dask scheduler; if None, a cluster of `jobs` workers starts on this machine.
    device : ``cpu``, ``cuda`` or ``cuda:0``.
    progress : whether to show the progress of the run on standard error.
    retry_failed : whether trials with a row of status ``failed`` are trained again.
    """

    jobs: int = -1
    backend: str = "loky"
    address: str | None = None
    device: str = "cpu"
    progress: bool = True
    retry_failed: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.jobs, bool) or not isinstance(self.jobs, int) or self.jobs == 0:
            raise UserError("jobs", "a number of processes, or -1 for one per core", self.jobs)
        _check_backend(self.backend, self.address)
        check_device(self.device)

    @property
    def processes(self) -> int:
        """Worker processes; by default one for a GPU."""
        return 1 if self.jobs < 0 and self.device != "cpu" else self.jobs


Call: TypeAlias = "tuple[Callable[..., list[Result]], Sequence[Any], Mapping[str, Any]]"
"""What `joblib.delayed` makes: a function, its arguments, its named arguments."""

Say: TypeAlias = Callable[[str], None]


class Pool(Protocol):
    """Workers that train groups."""

    lost: tuple[type[BaseException], ...]
    """The errors that mean a lost worker."""

    def results(self, calls: Iterable[Call], alone: bool) -> Iterator[list[Result]]:
        """The results of calls as they arrive; one call at a time if `alone`."""


class _LokyPool:
    """Worker processes of this machine."""

    lost: tuple[type[BaseException], ...] = (BrokenProcessPool,)

    def results(self, calls: Iterable[Call], alone: bool) -> Iterator[list[Result]]:
        parallel = joblib.Parallel(
            batch_size=1,
            pre_dispatch=1 if alone else "2 * n_jobs",
            return_as="generator_unordered",
            **watched(),
        )
        with interrupts_blocked():
            results = parallel(calls)
        yield from results


class _DaskPool:
    """The workers of a dask cluster, which may come and go."""

    def __init__(self, distributed: Any, client: Any, say: Say) -> None:
        self.lost: tuple[type[BaseException], ...] = (distributed.scheduler.KilledWorker,)
        self._distributed, self._client, self._say = distributed, client, say
        self._met: set[str] = set()

    def results(self, calls: Iterable[Call], alone: bool) -> Iterator[list[Result]]:
        try:
            yield from self._results(iter(calls), alone)
        except (CancelledError, OSError) as error:
            raise PipelineError(NO_SCHEDULER) from error

    def _results(self, calls: Iterator[Call], alone: bool) -> Iterator[list[Result]]:
        """Keep two groups per thread in flight, also for workers that join later."""
        futures: set[Any] = set()
        try:
            while True:
                room = (1 if alone else 2 * self._threads()) - len(futures)
                for function, arguments, named in islice(calls, max(0, room)):
                    call = partial(function, *arguments, **named)
                    futures.add(self._client.submit(call, pure=False))
                if not futures:
                    return
                first = "FIRST_COMPLETED"
                with suppress(TimeoutError):
                    self._distributed.wait(futures, timeout=POLL, return_when=first)
                for future in [future for future in futures if future.done()]:
                    futures.remove(future)
                    yield self._result(future)
        finally:
            if self._client.status == "running":
                self._client.cancel(list(futures))

    def _result(self, future: Any) -> list[Result]:
        """What a call returned. An error may come from a worker that has other code."""
        try:
            return cast("list[Result]", future.result())
        except Exception as error:
            if not isinstance(error, (CancelledError, *self.lost)):
                self._met.clear()
                self._threads()
            raise

    def _threads(self) -> int:
        """The threads of all workers; while there is none this says so once, and waits."""
        waiting = False
        while True:
            if self._client.status != "running":  # a new scheduler would not know the groups
                raise ConnectionError(NO_SCHEDULER)
            threads = self._client.nthreads()
            self.meet(set(threads))
            if threads:
                return int(sum(threads.values()))
            if not waiting:
                address = self._client.scheduler.address
                self._say(f"no worker is connected to the scheduler at {address}: waiting for one")
            waiting = True
            time.sleep(POLL)

    def meet(self, workers: set[str]) -> None:
        """Ask new workers for their provenance, and refuse those of another version."""
        new = workers - self._met
        answers = self._client.run(whereabouts, workers=list(new), on_error="return") if new else {}
        for address, answer in answers.items():
            if isinstance(answer, OSError):  # it has left meanwhile
                continue
            if not isinstance(answer, dict):
                text = " ".join(str(answer).split())[:200]
                raise UserError(f"worker {address}", "mtl-laws, as the run has it", text)
            check_worker(answer, f"{address} on {answer['host']}")
            self._met.add(address)


@contextmanager
def _loky(options: RunOptions, _: Say) -> Iterator[Pool]:
    with joblib.parallel_config(backend="loky", n_jobs=options.processes):
        yield _LokyPool()


@contextmanager
def _dask(options: RunOptions, say: Say) -> Iterator[Pool]:
    """The cluster at the address, or a new one of so many processes for this run."""
    distributed, address = _distributed(), options.address
    with ExitStack() as stack:
        if address is None:
            with interrupts_blocked():
                cluster = distributed.LocalCluster(
                    n_workers=int(joblib.effective_n_jobs(options.processes)),
                    threads_per_worker=1,
                    dashboard_address=None,
                )
            address = stack.enter_context(cluster)
        client = stack.enter_context(_client(distributed, address))
        yield _DaskPool(distributed, client, say)


def _client(distributed: Any, address: Any) -> Any:
    try:
        return distributed.Client(address, timeout="10s", set_as_default=True)
    except (OSError, ValueError) as error:
        raise UserError("address", "the address of a dask scheduler", address) from error


def check_cluster(options: RunOptions) -> None:
    """Refuse an address at which no scheduler answers, and workers of another version.

    Raises
    ------
    UserError : naming `address`, or the worker.
    """
    if options.address is not None:
        distributed = _distributed()
        with _client(distributed, options.address) as client:
            _DaskPool(distributed, client, print).meet(set(client.nthreads()))


def _distributed() -> Any:
    if importlib.util.find_spec("distributed") is None:
        expected = "loky, or dask once it is installed; pip install 'distributed>=2024.1'"
        raise UserError("backend", expected, "dask")
    distributed = importlib.import_module("distributed")
    for name in ("distributed", "distributed.client"):  # what matters, a run says itself
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return distributed


BACKENDS: Mapping[str, Callable[[RunOptions, Say], Any]] = {"loky": _loky, "dask": _dask}
"""Name -> context manager of (options, say) that yields a `Pool`."""


def _check_backend(name: str, address: str | None) -> None:
    """Refuse an unknown or missing backend, and an address without the backend dask."""
    if name not in BACKENDS:
        raise UserError("backend", nearest(name, BACKENDS), name)
    if name == "dask":
        _distributed()
    elif address is not None:
        raise UserError("address", "an address only with the backend dask", address)


def check_device(name: str) -> None:
    """Refuse a device that torch does not know or that this machine lacks."""
    if name == "cpu":
        return
    import torch

    kind = name.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise UserError("device", "cpu, cuda or cuda:NUMBER", name)
    try:
        index = torch.device(name).index or 0
    except RuntimeError as error:
        raise UserError("device", "cpu, cuda or cuda:NUMBER", name) from error
    if kind == "cuda" and index >= torch.cuda.device_count():
        visible = f"{torch.cuda.device_count()} CUDA devices are visible to torch here"
        raise UserError("device", f"cpu; {visible}", name)


def backend(options: RunOptions, say: Say) -> AbstractContextManager[Pool]:
    """The workers by `options`; `say` is told what the user should know."""
    return cast("AbstractContextManager[Pool]", BACKENDS[options.backend](options, say))
