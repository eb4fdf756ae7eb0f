"""Vectors of a corpus in a .npy or .safetensors file: one row per token, in the corpus's order.

Notation
--------
N : rows of the file, tokens of the corpus
W : width, numbers of a row

Both formats are a short header and raw numbers. The header alone is parsed, and its sizes are
checked against the file before a number is read. Nothing in the file is run: there is no pickle.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO, Literal, TypeGuard

import numpy as np
from numpy.typing import NDArray

from mtl_laws.simulator.errors import CorpusError
from mtl_laws.simulator.memory import free_bytes

Vectors = NDArray[np.float32]

NAME = "vectors"
"""The tensor that is read from a .safetensors file that holds several."""

LENGTH = 4.0
"""Root of the mean squared length of standardised vectors."""

FORMATS = "a .npy or .safetensors file of one row of numbers per token"

_NPY = b"\x93NUMPY"
_TENSOR_TYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}
_MOST_HEADER = 10_000_000
_BLOCK = 4096
_CONSTANT = 1e-6
"""A column whose standard deviation is below this fraction of its mean is constant."""


@dataclass(frozen=True)
class _Header:
    """Where the numbers of a file are, and what they are.

    Parameters
    ----------
    dtype : of a number.
    shape : as the file states it.
    start : first byte of the numbers.
    by_column : whether columns, not rows, stand one after another.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int
    by_column: bool = False


def open_vectors(path: str | Path, tokens: int | None = None) -> NDArray[np.floating[Any]]:
    """Return the vectors of a file, (N, W), mapped into memory and not to be written.

    Parameters
    ----------
    path : .npy or .safetensors, known by its content; float16, float32 or float64. A .safetensors
        file holds one tensor, or one named ``vectors``.
    tokens : of the corpus; None to accept any number of rows.

    Raises
    ------
    CorpusError : the file is missing, broken, or of another shape; the field is its path.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            if stream.read(len(_NPY)) == _NPY:
                header = _npy_header(path, stream)
            else:
                stream.seek(0)
                header = _safetensors_header(path, stream, size)
        return _mapped(path, header, size, tokens)
    except OSError as error:
        raise CorpusError(str(path), error.strerror or "unreadable", FORMATS) from error


@dataclass(frozen=True, eq=False)
class FrozenVectors:
    """Vectors of a corpus, standardised: columns with mean 0 and standard deviation `LENGTH`/√W.

    So neither unit nor offset of an encoder's numbers matters, and one learning rate suits wide and
    narrow vectors. A constant column is 0. Rows are read when they are asked for.

    Parameters
    ----------
    raw : (N, W), as in the file.
    mean, factor : (W,), what is subtracted from each column, and what it is multiplied by.
    source : the file, for errors.
    """

    raw: NDArray[np.floating[Any]]
    mean: NDArray[np.float64]
    factor: NDArray[np.float64]
    source: str

    @classmethod
    def of(cls, raw: NDArray[np.floating[Any]], source: str) -> FrozenVectors:
        """Return the vectors of a file; all of them are read once, block by block.

        Raises
        ------
        CorpusError : a number is not finite.
        """
        rows, width = raw.shape
        origin = raw[0].astype(np.float64)  # sums of differences from a row are exact enough
        total, squares = np.zeros(width), np.zeros(width)
        for start, block in _blocks(raw):
            if not np.isfinite(block.astype(np.float32)).all():
                row = start + int(np.argmin(np.isfinite(block.astype(np.float32)).all(axis=1)))
                expected = "finite numbers, within the range of float32"
                raise CorpusError(source, f"row {row + 1:,}: not finite", expected)
            difference = block - origin
            total += difference.sum(axis=0)
            squares += np.square(difference).sum(axis=0)
        mean = total / rows
        spread = np.sqrt(np.maximum(squares / rows - np.square(mean), 0.0))
        varies = spread > _CONSTANT * np.abs(mean + origin)
        if not varies.any():
            raise CorpusError(
                source, "the same numbers in every row", "vectors that tell tokens apart"
            )
        factor = np.divide(LENGTH * width**-0.5, spread, out=np.zeros(width), where=varies)
        return cls(raw, mean + origin, factor, source)

    def rows(self, places: NDArray[np.int64] | slice) -> Vectors:
        """Return the vectors (M, W) of the tokens at these places."""
        scaled = (self.raw[places].astype(np.float64) - self.mean) * self.factor
        return scaled.astype(np.float32)

    def table(self) -> Vectors:
        """Return all vectors, (N, W).

        Raises
        ------
        CorpusError : they do not fit into free memory.
        """
        rows, width = self.raw.shape
        needed, there = 4.0 * rows * width, free_bytes()
        if needed > there:
            expected = (
                f"a smaller file: {needed / 1e9:,.1f} GB are needed, {there / 1e9:,.1f} are free"
            )
            raise CorpusError(self.source, f"{rows:,} rows of {width:,} numbers", expected)
        result = np.empty((rows, width), dtype=np.float32)
        for start in range(0, rows, _BLOCK):
            result[start : start + _BLOCK] = self.rows(slice(start, start + _BLOCK))
        return result


def _blocks(vectors: NDArray[np.floating[Any]]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield the first row and the float64 numbers of blocks of rows."""
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(vectors), _BLOCK):
            yield start, np.asarray(vectors[start : start + _BLOCK], dtype=np.float64)


def _npy_header(path: Path, stream: BinaryIO) -> _Header:
    stream.seek(0)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        with warnings.catch_warnings(action="ignore"):  # of headers that are not quite regular
            shape, by_column, dtype = readers[np.lib.format.read_magic(stream)](stream)
    except (KeyError, MemoryError, RecursionError, SyntaxError, TokenError, ValueError) as error:
        raise CorpusError(str(path), "a broken header", FORMATS) from error
    return _Header(dtype, tuple(shape), stream.tell(), by_column)


def _safetensors_header(path: Path, stream: BinaryIO, size: int) -> _Header:
    length = int.from_bytes(stream.read(8), "little")
    if size < 8 or not 2 <= length <= min(size - 8, _MOST_HEADER):
        raise CorpusError(str(path), "something else", FORMATS)
    try:
        header = json.loads(stream.read(length))
    except (RecursionError, ValueError) as error:
        raise CorpusError(str(path), "something else", FORMATS) from error
    tensors = header if isinstance(header, dict) else {}
    names = [name for name in tensors if name != "__metadata__"]
    if NAME not in names and len(names) != 1:
        expected = f"one tensor, or one named {NAME}"
        raise CorpusError(str(path), f"{len(names)} tensors", expected)
    return _tensor(path, tensors[NAME if NAME in names else names[0]], 8 + length)


def _tensor(path: Path, entry: object, start: int) -> _Header:
    """The header of one tensor, whose numbers are counted from `start`."""
    fields: dict[str, Any] = entry if isinstance(entry, dict) else {}
    dtype, shape, span = (fields.get(key) for key in ("dtype", "shape", "data_offsets"))
    if isinstance(dtype, str) and dtype not in _TENSOR_TYPES:
        raise _wrong_type(path, dtype)
    if dtype is None or not _whole_numbers(shape) or not _whole_numbers(span) or len(span) != 2:
        raise CorpusError(str(path), "a broken header", FORMATS)
    return _Header(np.dtype(_TENSOR_TYPES[dtype]), tuple(shape), start + span[0])


def _whole_numbers(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(one) is int and one >= 0 for one in value)


def _wrong_type(path: Path, dtype: object) -> CorpusError:
    return CorpusError(str(path), f"numbers of type {dtype}", "float16, float32 or float64")


def _mapped(
    path: Path, header: _Header, size: int, tokens: int | None
) -> NDArray[np.floating[Any]]:
    """The numbers of a file whose header fits its size and the tokens of the corpus."""
    if header.dtype.kind != "f" or header.dtype.itemsize not in (2, 4, 8):
        raise _wrong_type(path, header.dtype)
    if len(header.shape) != 2 or min(header.shape) < 1:
        raise CorpusError(str(path), f"the shape {header.shape}", "two dimensions: rows, numbers")
    rows, width = header.shape
    if tokens is not None and rows != tokens:
        expected = f"{tokens:,} rows, one for each token of the corpus in its order"
        raise CorpusError(str(path), f"{rows:,} rows", expected)
    if header.start + rows * width * header.dtype.itemsize > size:
        expected = f"a whole file of {rows:,} rows of {width:,} numbers"
        raise CorpusError(str(path), f"{size:,} bytes", expected)
    order: Literal["C", "F"] = "F" if header.by_column else "C"
    mapped: NDArray[np.floating[Any]] = np.memmap(
        path, header.dtype, "r", header.start, header.shape, order
    )
    return mapped


def _npy_bytes(vectors: Vectors) -> bytes:
    stream = io.BytesIO()
    header = np.lib.format.header_data_from_array_1_0(vectors)
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue()


def _safetensors_bytes(vectors: Vectors) -> bytes:
    entry = {"dtype": "F32", "shape": vectors.shape, "data_offsets": [0, vectors.nbytes]}
    header = json.dumps({NAME: entry}).encode()
    header += b" " * (-len(header) % 8)  # the numbers begin at a multiple of eight
    return len(header).to_bytes(8, "little") + header


HEADERS: Mapping[str, Callable[[Vectors], bytes]] = {
    ".npy": _npy_bytes,
    ".safetensors": _safetensors_bytes,
}
"""Ending of a file -> what stands in it before the numbers of some vectors, row after row."""
