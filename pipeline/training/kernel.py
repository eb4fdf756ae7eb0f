"""The compiled inner loops: `native/*.c`, built once per machine by the system's C compiler.

Notation
--------
G stacks (B models, or B models × their own encoders), S sentences, L tokens of the longest one,
V vocabulary, H hidden units per direction, R rows (model and task), N tokens, K labels, B models,
P parameters.

Building takes about a second and is kept between runs, so it pays back within the first few models.
Where there is no compiler, or `MTL_LAWS_EAGER` is set, training runs in plain PyTorch and says so
once.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch
from torch import Tensor

SOURCES = Path(__file__).with_name("native")
FLAGS = (
    *("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast"),
    *("-funroll-loops", "-fPIC", "-shared"),
)
LANE_BYTES = 64

_log = logging.getLogger(__name__)


class Kernel:
    """The functions of one built library; tensors are contiguous, of its precision, on the CPU."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))
        self._spare: dict[int, list[Tensor]] = {}

    def _call(self, name: str, shape: tuple[int, ...], *tensors: Tensor) -> None:
        sizes = (ctypes.c_long * 4)(*shape)
        getattr(self._library, name)(
            ctypes.byref(sizes), *(ctypes.c_void_p(tensor.data_ptr()) for tensor in tensors)
        )

    def bilstm(
        self, table: Tensor, recurrent: Tensor, tokens: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Features (G, S, L, 2, H), and the gates and cells that `bilstm_gradients` needs."""
        stacks, sentences, length = tokens.shape
        hidden = recurrent.shape[2]
        words = tokens.numel()
        features = table.new_empty(stacks, sentences, length, 2, hidden)
        saved = self.borrow(table, words * 8 * hidden), self.borrow(table, words * 4 * hidden)
        shape = (*tokens.shape, table.shape[1])
        self._call("bilstm_forward", shape, table, recurrent, tokens, features, *saved)
        return features, saved

    def bilstm_gradients(
        self, inputs: tuple[Tensor, ...], saved: tuple[Tensor, ...], outer: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Gradients of table and recurrent; the saved gates are spent.

        inputs : table, recurrent, tokens, features. outer : gradient of the features.
        """
        table, recurrent, tokens, features = inputs
        found = torch.empty_like(table), torch.empty_like(recurrent)
        shape = (*tokens.shape, table.shape[1])
        self._call("bilstm_backward", shape, recurrent, tokens, features, *saved, outer, *found)
        return found

    def token_losses(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Sums (R,), their gradient (R, N, K) and counts (R,) of logits (R, N, K), int16 labels."""
        gradient, sums = torch.empty_like(logits), logits.new_empty(len(logits))
        counts = logits.new_empty(len(logits), dtype=torch.long)
        tuple_shape = tuple(logits.shape)
        self._call("token_losses", tuple_shape, logits, labels, gradient, sums, counts)
        return sums, gradient, counts

    def adamw(self, buffers: tuple[Tensor, ...], scales: Tensor, constants: Tensor) -> None:
        """One step in place; buffers (B, P): parameters, gradient, first and second moments."""
        self._call("adamw", tuple(buffers[0].shape), *buffers, scales, constants)

    def borrow(self, like: Tensor, numbers: int) -> Tensor:
        """Uninitialised memory that was given back, or new: fresh pages cost more than the work."""
        spare = self._spare.get(numbers)
        return spare.pop() if spare else like.new_empty(numbers)

    def give_back(self, *borrowed: Tensor) -> None:
        """Let the next `borrow` of the same size have this memory."""
        for tensor in borrowed:
            self._spare.setdefault(tensor.numel(), []).append(tensor)


def find_kernel(like: Tensor, hidden: int = 1) -> Kernel | None:
    """The compiled loops for H hidden units, or None where plain PyTorch has to do."""
    if like.device.type != "cpu" or os.environ.get("MTL_LAWS_EAGER"):
        return None
    return _build(like.dtype, hidden)


@functools.cache
def _build(dtype: torch.dtype, hidden: int) -> Kernel | None:
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        _say_once("no C compiler was found")
        return None
    lanes = LANE_BYTES // dtype.itemsize
    while hidden % lanes:
        lanes //= 2
    macros = [f"-DHIDDEN={hidden}", f"-DLANES={lanes}"]
    if dtype == torch.float64:
        macros.append("-DDOUBLE")
    try:
        return Kernel(_compile([compiler, *FLAGS, *macros]))
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        _say_once(f"the C compiler or its output could not be used ({type(error).__name__})")
        return None


@functools.cache
def _say_once(reason: str) -> None:
    _log.warning("%s: training runs in plain PyTorch, which takes about half as long again", reason)


def _compile(command: list[str]) -> Path:
    """Path of the shared library; built unless this machine has built the same before."""
    sources = sorted(SOURCES.iterdir())
    described = "\n".join([*command, *(path.read_text() for path in sources), _processor()])
    name = hashlib.sha256(described.encode()).hexdigest()[:24]
    library = cache_folder() / f"{name}.so"
    if not library.exists():
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            built = Path(folder) / "kernel.so"
            units = [str(path) for path in sources if path.suffix == ".c"]
            subprocess.run(
                [*command, *units, "-o", str(built), "-lm"], check=True, capture_output=True
            )
            built.replace(library)
    return library


def cache_folder() -> Path:
    """Where built kernels are kept: the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mtl-laws"


def _processor() -> str:
    """What `-march=native` depends on, so that a shared folder serves unlike machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() + platform.machine()
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags"))}))
