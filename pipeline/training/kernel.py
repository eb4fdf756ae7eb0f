"""The compiled recurrence: `bilstm.c`, built once per machine by the system's C compiler.

Building takes about half a second and is kept between runs, so it pays back within the first few
models. Where there is no compiler, or `MTL_LAWS_EAGER` is set, training runs in plain PyTorch and
says so once.
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

SOURCE = Path(__file__).with_name("bilstm.c")
FLAGS = (
    *("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast"),
    *("-funroll-loops", "-fPIC", "-shared"),
)
REALS = {torch.float32: "float", torch.float64: "double"}
LANE_BYTES = 64

_log = logging.getLogger("mtl_laws.training")


class _Shape(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ("stacks", "sentences", "length", "types")]


class Kernel:
    """Forward and backward pass of stacked BiLSTMs; shapes are those of `bilstm.c`."""

    def __init__(self, library: Path) -> None:
        loaded = ctypes.CDLL(str(library))
        self._forward, self._backward = loaded.forward, loaded.backward
        self._forward.argtypes = [_Shape, *[ctypes.c_void_p] * 6]
        self._backward.argtypes = [_Shape, *[ctypes.c_void_p] * 8]
        self._forward.restype = self._backward.restype = None

    def forward(self, table: Tensor, recurrent: Tensor, tokens: Tensor) -> tuple[Tensor, ...]:
        """Features (G, S, L, 2, H), and what `backward` needs of gates and cells."""
        stacks, sentences, length = tokens.shape
        hidden = recurrent.shape[2]
        features = table.new_empty(stacks, sentences, length, 2, hidden)
        gates = table.new_empty(stacks, 2, sentences, length, 4 * hidden)
        cells = table.new_empty(stacks, 2, sentences, length, 2 * hidden)
        shape = _Shape(stacks, sentences, length, table.shape[1])
        self._forward(shape, *_addresses(table, recurrent, tokens, features, gates, cells))
        return features, gates, cells

    def backward(
        self, inputs: tuple[Tensor, ...], saved: tuple[Tensor, ...], outer: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Gradients of table and recurrent; the saved gates are spent."""
        table, recurrent, tokens = inputs
        shape = _Shape(*tokens.shape, table.shape[1])
        to_table, to_recurrent = torch.zeros_like(table), torch.zeros_like(recurrent)
        addresses = _addresses(recurrent, tokens, *saved, outer, to_table, to_recurrent)
        self._backward(shape, *addresses)
        return to_table, to_recurrent


def _addresses(*tensors: Tensor) -> list[int]:
    return [tensor.data_ptr() for tensor in tensors]


def find_kernel(dtype: torch.dtype, hidden: int, device: torch.device) -> Kernel | None:
    """The compiled recurrence for H hidden units, or None where plain PyTorch has to do."""
    if device.type != "cpu" or os.environ.get("MTL_LAWS_EAGER"):
        return None
    return _build(dtype, hidden)


@functools.cache
def _build(dtype: torch.dtype, hidden: int) -> Kernel | None:
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        _log.warning("no C compiler found: training runs in plain PyTorch, about half as fast")
        return None
    lanes = LANE_BYTES // dtype.itemsize
    while hidden % lanes:
        lanes //= 2
    macros = [f"-DREAL={REALS[dtype]}", f"-DHIDDEN={hidden}", f"-DLANES={lanes}"]
    if dtype == torch.float64:
        macros.append("-DDOUBLE")
    try:
        return Kernel(_compile([compiler, *FLAGS, *macros]))
    except (OSError, subprocess.CalledProcessError) as error:
        _log.warning("the C compiler failed (%s): training runs in plain PyTorch", error)
        return None


def _compile(command: list[str]) -> Path:
    """Path of the shared library; built unless this machine has built the same before."""
    described = "\n".join([*command, SOURCE.read_text(), _processor()])
    name = hashlib.sha256(described.encode()).hexdigest()[:24]
    library = cache_folder() / f"{name}.so"
    if not library.exists():
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            built = Path(folder) / "kernel.so"
            subprocess.run(
                [*command, str(SOURCE), "-o", str(built), "-lm"], check=True, capture_output=True
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
