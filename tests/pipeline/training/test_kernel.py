"""The compiled loops: what they compute is in `test_twin`; here, how they are found and built."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mtl_laws.pipeline.training import kernel, train_group
from mtl_laws.pipeline.training.lstm import bilstm
from support.training_jobs import small_job


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache of built kernels."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("MTL_LAWS_EAGER", raising=False)
    kernel._build.cache_clear()
    return tmp_path / "mtl-laws"


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    kernel._build.cache_clear()
    kernel._say_once.cache_clear()


def test_a_kernel_is_built_once_and_kept(fresh: Path) -> None:
    first = kernel.find_kernel(torch.zeros(1), 4)
    if first is None:
        pytest.skip("no C compiler here")
    assert kernel.find_kernel(torch.zeros(1), 4) is first
    (built,) = fresh.glob("*.so")
    stamp = built.stat().st_mtime_ns
    kernel._build.cache_clear()
    assert kernel.find_kernel(torch.zeros(1), 4) is not None
    assert [path.stat().st_mtime_ns for path in fresh.glob("*.so")] == [stamp]


def built(folder: Path) -> Path:
    if kernel.find_kernel(torch.zeros(1), 4) is None:
        pytest.skip("no C compiler here")
    (library,) = folder.glob("*.so")
    return library


@pytest.mark.parametrize("damage", [b"", b"junk"])
def test_a_library_that_is_not_whole_is_built_again(fresh: Path, damage: bytes) -> None:
    library = built(fresh)
    whole = library.read_bytes()
    library.unlink()  # the process has the old one open
    library.write_bytes(damage or whole[: len(whole) // 2])
    kernel._build.cache_clear()
    assert kernel.find_kernel(torch.zeros(1), 4) is not None
    assert len(library.read_bytes()) == len(whole)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no file modes here")
def test_the_cache_is_closed_to_other_users(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh.mkdir()
    fresh.chmod(0o777)
    library = built(fresh)
    assert fresh.stat().st_mode & 0o777 == 0o700
    assert library.stat().st_mode & 0o022 == 0
    library.chmod(0o777)
    assert not kernel._is_whole(library, library.with_suffix(".sha256"))
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    assert kernel.cache_folder() != fresh


def test_a_relative_cache_folder_is_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert kernel.cache_folder() == tmp_path / ".cache" / "mtl-laws"


def test_a_compiler_may_be_several_words(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "env cc")
    assert built(fresh).stat().st_size > 0


def test_a_compiler_that_hangs_is_given_up(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CC", "sh -c 'sleep 60'")
    monkeypatch.setattr(kernel, "COMPILER_SECONDS", 0.2)
    with caplog.at_level(logging.WARNING, logger="mtl_laws.pipeline.training"):
        assert kernel.find_kernel(torch.zeros(1), 4) is None
    assert "TimeoutExpired" in caplog.text


@pytest.mark.parametrize("compiler", ["/nowhere/cc", "false"])
def test_without_a_working_compiler_training_is_eager_and_says_so_once(
    compiler: str,
    fresh: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("CC", compiler)
    with caplog.at_level(logging.WARNING, logger="mtl_laws.pipeline.training"):
        outcomes = train_group([small_job(1, {"max_steps": 20})])
    assert outcomes[0].status.scored
    assert len(caplog.records) == 1
    assert "plain PyTorch" in caplog.text
    assert list(fresh.glob("*.so")) == []


def test_eager_training_is_chosen_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTL_LAWS_EAGER", "1")
    assert kernel.find_kernel(torch.zeros(1)) is None


@pytest.mark.parametrize(("eager", "loops"), [("", "compiled"), ("1", "eager")])
def test_an_outcome_says_which_loops_ran(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, eager: str, loops: str
) -> None:
    if built(fresh) and eager:
        monkeypatch.setenv("MTL_LAWS_EAGER", eager)
    assert train_group([small_job(1, {"max_steps": 20})])[0].loops == loops


def test_only_cpus_have_a_kernel() -> None:
    assert kernel.find_kernel(torch.zeros(1, device="meta")) is None


@pytest.mark.parametrize("hidden", [1, 3, 8, 17])
def test_any_width_and_length(hidden: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Features of ragged sentences, some of them empty, and their gradients, in float32."""
    generator = torch.Generator().manual_seed(hidden)
    lengths = torch.randint(0, 8, (2, 11, 1), generator=generator)
    tokens = torch.randint(0, 5, (2, 11, 7), generator=generator)
    tokens = tokens.masked_fill(torch.arange(7) >= lengths, 5)
    table = torch.randn(2, 5, 2, 4 * hidden, generator=generator).requires_grad_()
    recurrent = (torch.randn(2, 2, hidden, 4 * hidden, generator=generator) / 4).requires_grad_()
    found = []
    for eager in ("", "1"):
        monkeypatch.setenv("MTL_LAWS_EAGER", eager)
        features = bilstm(table, recurrent, tokens)
        gradients = torch.autograd.grad(features.square().sum(), [table, recurrent])
        found.append((features.detach(), *gradients))
    for compiled, plain in zip(*found, strict=True):
        torch.testing.assert_close(compiled, plain, rtol=1e-4, atol=1e-5)


def test_batches_of_ever_other_sizes_share_their_memory(fresh: Path) -> None:
    built(fresh)
    loops = kernel.find_kernel(torch.zeros(1), 4)
    assert loops is not None
    like, taken = torch.zeros(1), []
    for size in (*range(1, 100), 5000, *range(100, 1, -1)):
        pair = loops.borrow(like, 2 * size), loops.borrow(like, size)
        assert pair[0].numel() >= 2 * size
        assert pair[1].numel() >= size
        assert pair[0].data_ptr() != pair[1].data_ptr()
        loops.give_back(*pair)
        taken.append(sum(t.numel() for pieces in loops._spare.values() for t in pieces))
    assert max(taken) <= 4 * 2 * 5000
    assert sum(len(pieces) for pieces in loops._spare.values()) <= 2 * 14, "not one a length"
