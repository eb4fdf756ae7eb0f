"""Backends: where groups are trained, and which errors mean that a worker was lost."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import joblib
from joblib.externals.loky.process_executor import BrokenProcessPool

from mtl_laws.pipeline.errors import PipelineError, UserError, nearest

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


@contextmanager
def _loky(jobs: int, _: str | None) -> Iterator[tuple[type[BaseException], ...]]:
    with joblib.parallel_config(backend="loky", n_jobs=jobs):
        yield (BrokenProcessPool,)


@contextmanager
def _dask(jobs: int, address: str | None) -> Iterator[tuple[type[BaseException], ...]]:
    """The cluster at `address`, or a new one of `jobs` processes for this run."""
    distributed = _distributed()
    with ExitStack() as stack:
        if address is None:
            cluster = distributed.LocalCluster(
                n_workers=int(joblib.effective_n_jobs(jobs)),
                threads_per_worker=1,
                dashboard_address=None,
            )
            address = stack.enter_context(cluster)
        stack.enter_context(_client(distributed, address))
        stack.enter_context(joblib.parallel_config(backend="dask", n_jobs=-1))
        try:
            yield (distributed.scheduler.KilledWorker,)
        except (CancelledError, distributed.comm.CommClosedError) as error:
            raise PipelineError(NO_SCHEDULER) from error


def _client(distributed: Any, address: Any) -> Any:
    try:
        return distributed.Client(address, timeout="10s", set_as_default=True)
    except (OSError, ValueError) as error:
        raise UserError("address", "the address of a dask scheduler", address) from error


def check_cluster(options: RunOptions) -> None:
    """Refuse an address at which no scheduler answers.

    Raises
    ------
    UserError : naming `address`.
    """
    if options.address is not None:
        _client(_distributed(), options.address).close()


def _distributed() -> Any:
    if importlib.util.find_spec("distributed") is None:
        expected = "loky, or dask once it is installed; pip install 'mtl-laws[dask]'"
        raise UserError("backend", expected, "dask")
    return importlib.import_module("distributed")


BACKENDS: Mapping[str, Callable[[int, str | None], Any]] = {"loky": _loky, "dask": _dask}
"""Name -> context manager of (jobs, address) that yields the errors of a lost worker."""


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


@contextmanager
def backend(options: RunOptions) -> Iterator[tuple[type[BaseException], ...]]:
    """Configure `joblib.Parallel` by `options`; yields the errors that mean a lost worker."""
    with BACKENDS[options.backend](options.processes, options.address) as errors:
        yield errors
