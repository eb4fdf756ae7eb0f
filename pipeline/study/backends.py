"""Where groups are trained: the run's options, joblib's own backends, and their lost workers."""

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
    "the connection to the dask scheduler is lost; what was written is safe: start it and run the "
    "same command again"
)


@dataclass(frozen=True)
class RunOptions:
    """Where a study is trained; none of it changes what a trial gives.

    Parameters
    ----------
    jobs : worker processes; −1 for one per core.
    backend : ``loky`` (processes on this machine) or ``dask`` (a cluster).
    address : of the dask scheduler; None starts a cluster of `jobs` workers on this machine.
    device : ``cpu``, ``cuda`` or ``cuda:0``.
    progress : whether to say how far the run is, on standard error.
    retry_failed : whether trials whose row is ``failed`` are tried again.
    """

    jobs: int = -1
    backend: str = "loky"
    address: str | None = None
    device: str = "cpu"
    progress: bool = True
    retry_failed: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.jobs, bool) or not isinstance(self.jobs, int) or self.jobs in (0,):
            raise UserError("jobs", "a number of processes, or -1 for one per core", self.jobs)
        _check_backend(self.backend, self.address)
        _check_device(self.device)

    @property
    def processes(self) -> int:
        """Worker processes asked for; one stream of work is enough for one GPU."""
        return 1 if self.jobs < 0 and self.device != "cpu" else self.jobs


@contextmanager
def _loky(jobs: int, _: str | None) -> Iterator[tuple[type[BaseException], ...]]:
    with joblib.parallel_config(backend="loky", n_jobs=jobs):
        yield (BrokenProcessPool,)


@contextmanager
def _dask(jobs: int, address: str | None) -> Iterator[tuple[type[BaseException], ...]]:
    """A cluster that is there, or one of `jobs` processes made for this run."""
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
"""Name -> context manager of (jobs, address), giving the errors that mean a lost worker."""


def _check_backend(name: str, address: str | None) -> None:
    """Refuse a backend that is not there, or an address that it has no use for."""
    if name not in BACKENDS:
        raise UserError("backend", nearest(name, BACKENDS), name)
    if name == "dask":
        _distributed()
    elif address is not None:
        raise UserError("address", "an address only with the backend dask", address)


def _check_device(name: str) -> None:
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
        found = f"{torch.cuda.device_count()} CUDA devices are visible to torch here"
        raise UserError("device", f"cpu; {found}", name)


@contextmanager
def backend(options: RunOptions) -> Iterator[tuple[type[BaseException], ...]]:
    """Let `joblib.Parallel` work as `options` say; gives the errors that mean a lost worker."""
    with BACKENDS[options.backend](options.processes, options.address) as lost:
        yield lost
