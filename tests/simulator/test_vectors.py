"""Files of vectors: two formats, checked before a number is read, and numbers without a unit."""

from __future__ import annotations

import io
import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtl_laws.simulator import CorpusError
from mtl_laws.simulator.readers.vectors import HEADERS, FrozenVectors, open_vectors

DRAWN = np.random.default_rng(0).normal(3.0, 2.0, (5000, 7))


def npy(array: NDArray[Any], version: tuple[int, int] = (1, 0)) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version)
    return stream.getvalue()


def tensor_file(entries: object, numbers: bytes = b"") -> bytes:
    header = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return len(header).to_bytes(8, "little") + header + numbers


def entry(array: NDArray[Any], start: int = 0) -> dict[str, object]:
    kind = {2: "F16", 4: "F32", 8: "F64"}[array.itemsize]
    span = [start, start + array.nbytes]
    return {"dtype": kind, "shape": list(array.shape), "data_offsets": span}


def written(folder: Path, content: bytes) -> Path:
    path = folder / "vectors"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(tmp_path: Path, dtype: str, version: tuple[int, int], order: Any) -> None:
    array = DRAWN[:9].astype(dtype, order=order)
    vectors = open_vectors(written(tmp_path, npy(array, version)), 9)
    np.testing.assert_array_equal(vectors, array)
    assert isinstance(vectors, np.memmap)
    assert not vectors.flags.writeable


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8"])
def test_safetensors(tmp_path: Path, dtype: str) -> None:
    array = DRAWN[:9].astype(dtype)
    alone = {"__metadata__": {"made": "by hand"}, "any name": entry(array)}
    vectors = open_vectors(written(tmp_path, tensor_file(alone, array.tobytes())), 9)
    np.testing.assert_array_equal(vectors, array)
    assert not vectors.flags.writeable
    both = {"other": entry(array), "vectors": entry(array, array.nbytes)}
    numbers = array.tobytes() + (2 * array).tobytes()
    np.testing.assert_array_equal(
        open_vectors(written(tmp_path, tensor_file(both, numbers))), 2 * array
    )


@pytest.mark.parametrize("ending", HEADERS)
def test_what_is_written_is_read(tmp_path: Path, ending: str) -> None:
    array = DRAWN[:9].astype(np.float32)
    path = written(tmp_path, HEADERS[ending](array) + array.tobytes())
    np.testing.assert_array_equal(open_vectors(path, 9), array)
    if ending == ".npy":
        np.testing.assert_array_equal(np.load(path, allow_pickle=False), array)
    else:
        library = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
        np.testing.assert_array_equal(library.load(path.read_bytes())["vectors"], array)


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (npy(DRAWN[:8]), "8 rows"),
        (npy(DRAWN[:9, 0]), r"the shape \(9,\)"),
        (npy(DRAWN[:9, :0]), r"the shape \(9, 0\)"),
        (npy(DRAWN[:9].astype(np.int8)), "numbers of type int8"),
        (npy(DRAWN[:9].astype(np.complex64)), "numbers of type complex64"),
        (npy(np.zeros((9, 2), dtype="f4,f4")), "numbers of type"),
        (npy(np.zeros((9, 2), dtype=object)), "numbers of type object"),
        (npy(DRAWN[:9])[:-1], "631 bytes"),
        (npy(DRAWN[:9])[:60], "a broken header"),
        (npy(DRAWN[:9], (3, 0)), "a broken header"),
        (b"", "something else"),
        (b"PK\x03\x04" + bytes(99), "something else"),
        (tensor_file(b"{"), "something else"),
        (tensor_file([]), "0 tensors"),
        (tensor_file({"a": 1}), "a broken header"),
        (tensor_file(b"[" * 9000), "something else"),
        (tensor_file({"a": {**entry(DRAWN[:9]), "dtype": "BF16"}}), "numbers of type BF16"),
        (tensor_file({"a": {**entry(DRAWN[:9]), "shape": [9, -1]}}), "a broken header"),
        (tensor_file({"a": {**entry(DRAWN[:9]), "shape": [9, True]}}), "a broken header"),
        (tensor_file({"a": {**entry(DRAWN[:9]), "data_offsets": [0]}}), "a broken header"),
        (tensor_file({"a": {**entry(DRAWN[:9]), "shape": [9, 10**30]}}), "bytes"),
        (tensor_file({"a": {**entry(DRAWN[:9]), "data_offsets": [10**30, 0]}}), "bytes"),
        (tensor_file({"a": entry(DRAWN), "b": entry(DRAWN)}), "2 tensors"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_its_name(
    tmp_path: Path, content: bytes, got: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(CorpusError, match=got) as caught:
        open_vectors(path, 9)
    assert caught.value.field == str(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(CorpusError):
            open_vectors(path)


@pytest.mark.parametrize("claim", ["(9, 99999999999999)", f"(9, {2**63})", "(9, 7**99999999)"])
def test_sizes_are_believed_only_where_the_file_has_them(tmp_path: Path, claim: str) -> None:
    """No memory is asked for by a header that promises more than the file holds."""
    content = npy(DRAWN[:9]).replace(b"(9, 7), }".ljust(40), f"{claim}, }}".ljust(40).encode())
    assert claim.encode() in content
    with pytest.raises(CorpusError):
        open_vectors(written(tmp_path, content), 9)


VALID = npy(DRAWN[:9])
TENSORS = tensor_file({"a": entry(DRAWN[:9])}, DRAWN[:9].tobytes())


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([VALID, TENSORS]),
    st.integers(0, 200),
    st.binary(min_size=1, max_size=40),
    st.booleans(),
)
@example(VALID, 10, b"(" * 40, False)
@example(VALID, 10, b"-" * 40, False)
def test_any_bytes_are_vectors_or_refused(
    whole: bytes, place: int, noise: bytes, longer: bool
) -> None:
    """Every other error would be a bug: a header is never run, and never trusted."""
    end = place if longer else place + len(noise)
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), whole[:place] + noise + whole[end:])
        with suppress(CorpusError):
            assert open_vectors(path, 9).shape[0] == 9


def test_columns_count_alike_and_vectors_have_one_length() -> None:
    numbers = FrozenVectors.of(DRAWN, "x").table()
    assert numbers.dtype == np.float32
    np.testing.assert_allclose(numbers.mean(axis=0), 0, atol=1e-6)
    assert np.square(numbers).sum(axis=1).mean() == pytest.approx(16, abs=1e-4)
    reference = (DRAWN - DRAWN.mean(axis=0)) / DRAWN.std(axis=0) * 4 / np.sqrt(7)
    np.testing.assert_allclose(numbers, reference, atol=1e-5)


def test_neither_unit_nor_offset_matters() -> None:
    moved = DRAWN * np.geomspace(1e-12, 1e12, 7) * np.array([1, -1, 1, 1, 1, 1, 1]) + 1e-13
    expected = FrozenVectors.of(DRAWN, "x").table() * np.array(
        [1, -1, 1, 1, 1, 1, 1], dtype=np.float32
    )
    np.testing.assert_allclose(FrozenVectors.of(moved, "x").table(), expected, atol=1e-5)


def test_a_constant_column_is_0() -> None:
    table = DRAWN[:50].copy()
    table[:, 2] = 0.1
    numbers = FrozenVectors.of(table.astype(np.float16), "x").table()
    assert not numbers[:, 2].any()
    assert np.isfinite(numbers).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_the_row_that_is_not_finite_is_named(bad: float) -> None:
    table = DRAWN.copy()
    table[4321, 3] = bad
    with pytest.raises(CorpusError, match=r"row 4,322") as caught:
        FrozenVectors.of(table, "mine.npy").table()
    assert caught.value.field == "mine.npy"


def test_more_than_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtl_laws.simulator.readers.vectors.free_bytes", lambda: 1000.0)
    with pytest.raises(CorpusError, match="are free"):
        FrozenVectors.of(DRAWN, "x").table()
