"""The compiled inner loops: `native/*.c`, built once per machine by the system's C compiler.

Notation
--------
G stacks (B models, or B models × their own encoders), S sentences, L tokens of the longest one,
V vocabulary, H hidden units per direction, R rows (model and task), N tokens, K labels, B models,
P parameters.

Building takes about a second. The library is cached with its checksum, so later runs load it.
Without a compiler, or with `MTL_LAWS_EAGER` set, training runs in plain PyTorch and says so once.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import hashlib
import logging
import os
import platform
import shlex
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

COMPILER_SECONDS = 120.0
"""Time limit of the compiler, in seconds."""

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
        gradients = torch.empty_like(table), torch.empty_like(recurrent)
        shape = (*tokens.shape, table.shape[1])
        self._call("bilstm_backward", shape, recurrent, tokens, features, *saved, outer, *gradients)
        return gradients

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
        """Uninitialised memory that was given back, or new: fresh pages cost more than the work.

        Sizes are powers of two, so that sentences of all lengths share a few pieces of memory.
        """
        size = 1 << (numbers - 1).bit_length()
        spare = self._spare.get(size)
        return spare.pop() if spare else like.new_empty(size)

    def give_back(self, *borrowed: Tensor) -> None:
        """Let the next `borrow` of about this size have this memory."""
        for tensor in borrowed:
            self._spare.setdefault(tensor.numel(), []).append(tensor)


def find_kernel(like: Tensor, hidden: int = 1) -> Kernel | None:
    """The compiled loops for H hidden units, or None where plain PyTorch has to do."""
    if like.device.type != "cpu" or os.environ.get("MTL_LAWS_EAGER"):
        return None
    return _build(like.dtype, hidden)


@functools.cache
def _build(dtype: torch.dtype, hidden: int) -> Kernel | None:
    compiler = shlex.split(os.environ.get("CC", "cc"))  # as in CC="ccache gcc"
    if not compiler or shutil.which(compiler[0]) is None:
        _say_once("no C compiler was found")
        return None
    lanes = LANE_BYTES // dtype.itemsize
    while hidden % lanes:
        lanes //= 2
    macros = [f"-DHIDDEN={hidden}", f"-DLANES={lanes}"]
    if dtype == torch.float64:
        macros.append("-DDOUBLE")
    try:
        return Kernel(_compile([*compiler, *FLAGS, *macros]))
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        _say_once(f"the C compiler or its output could not be used ({type(error).__name__})")
        return None


@functools.cache
def _say_once(reason: str) -> None:
    _log.warning("%s: training runs in plain PyTorch, which takes about half as long again", reason)


def _compile(command: list[str]) -> Path:
    """Path of the shared library: built, unless this machine has built the same and it is whole."""
    sources = sorted(SOURCES.iterdir())
    described = "\n".join([*command, *(path.read_text() for path in sources), _processor()])
    name = hashlib.sha256(described.encode()).hexdigest()[:24]
    folder = cache_folder()
    library, checksum = folder / f"{name}.so", folder / f"{name}.sha256"
    if not _is_whole(library, checksum):
        with tempfile.TemporaryDirectory(dir=folder) as workshop:
            built = Path(workshop) / "kernel.so"
            units = [str(path) for path in sources if path.suffix == ".c"]
            full = [*command, *units, "-o", str(built), "-lm"]
            silent = subprocess.DEVNULL
            subprocess.run(full, check=True, stdout=silent, stderr=silent, timeout=COMPILER_SECONDS)
            digest = hashlib.sha256(built.read_bytes()).hexdigest()
            mark = Path(workshop) / "kernel.sha256"
            mark.write_text(digest)
            for part in (built, mark):
                part.chmod(0o700)
            built.replace(library)
            mark.replace(checksum)
    return library


def _is_whole(library: Path, checksum: Path) -> bool:
    """Whether a cached library is ours and unchanged; loading half of one would crash."""
    try:
        safe = _is_private(library) and _is_private(checksum)
        return safe and hashlib.sha256(library.read_bytes()).hexdigest() == checksum.read_text()
    except OSError:
        return False


def cache_folder() -> Path:
    """The folder of compiled loops: in the user's cache, or one of this process.

    A relative `XDG_CACHE_HOME` is ignored, as its specification says. Libraries in the folder are
    run, so it is closed to other users, and a folder of another user is not used.
    """
    stated = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(stated) if os.path.isabs(stated) else Path.home() / ".cache"
    folder = base / "mtl-laws"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        if _is_private(folder) and os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return _own_folder()


def _is_private(path: Path) -> bool:
    """Whether a path is owned by this user and only this user may write to it."""
    if not hasattr(os, "getuid"):  # Windows: the profile folder is the user's own
        return True
    status = path.lstat()
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


@functools.cache
def _own_folder() -> Path:
    """A folder of this process alone, removed at its end."""
    folder = Path(tempfile.mkdtemp(prefix="mtl-laws-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _processor() -> str:
    """What `-march=native` depends on, so that a shared folder serves unlike machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() + platform.machine()
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags"))}))
