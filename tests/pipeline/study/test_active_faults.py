"""Active designs under faults for real: the same rounds and the same table after each of them."""

from __future__ import annotations

import random
import signal
from functools import partial
from multiprocessing import Pipe
from pathlib import Path

import pandas as pd
import pytest

from mtl_laws.pipeline.study.active import DESIGN_NAME, read_rounds
from mtl_laws.pipeline.study.train import LOG_NAME, TABLE_NAME
from support import faults
from support.faults import FRAGILE, PATIENCE, run, said, start
from support.tiny_runs import files, without_clock

LAWS = "laws: {target: validation_loss, bounds: [0, null], engine"
ACTIVE = f"""{FRAGILE.replace("laws: {engine", LAWS)}
design: {{kind: active, budget: 12, batch: 4}}
"""
"""Three rounds: two that fill the space, and one that is chosen by laws."""

DEATHS = 4
LEFT = {"results.sqlite", TABLE_NAME, LOG_NAME, "run.lock", DESIGN_NAME}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing befell."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    assert run(out, partial(faults.dies_at, 10**15), text=ACTIVE) == 0, said(out)
    rounds = read_rounds(out)
    assert [len(one.trials) for one in rounds] == [4, 4, 4, 0]
    assert rounds[2].width is not None
    return out


def check(out: Path, undisturbed: Path) -> None:
    """The same rounds, and the same table to the last bit."""
    assert files(out) == LEFT
    assert read_rounds(out) == read_rounds(undisturbed)
    want, found = (pd.read_parquet(folder / TABLE_NAME) for folder in (undisturbed, out))
    pd.testing.assert_frame_equal(without_clock(found), without_clock(want), rtol=0.0, atol=0.0)


@pytest.mark.parametrize("seed", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in (1, 2, 3))])
def test_killed_outright_at_any_moments(tmp_path: Path, undisturbed: Path, seed: int) -> None:
    """Also while a round is chosen, or written."""
    out, draw = tmp_path / "run", random.Random(seed)
    events = int(Path(f"{undisturbed}.events").read_text(encoding="utf-8"))
    codes: list[int | None] = []
    while len(codes) < DEATHS and 0 not in codes:
        moment = draw.randint(1, events)
        codes.append(run(out, partial(faults.dies_at, moment), text=ACTIVE))
    assert -signal.SIGKILL in codes
    assert run(out, text=ACTIVE) == 0, said(out)
    check(out, undisturbed)


@pytest.mark.slow
def test_a_cluster_trains_the_rounds_of_one_machine(tmp_path: Path, undisturbed: Path) -> None:
    pytest.importorskip("distributed", reason="the dask extra is not installed")
    out = tmp_path / "run"
    assert run(out, None, "--backend", "dask", "--jobs", "2", text=ACTIVE) == 0, said(out)
    check(out, undisturbed)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find children")
def test_killed_on_a_cluster_it_resumes_on_one_machine(tmp_path: Path, undisturbed: Path) -> None:
    """In the second round, when the first is trained."""
    pytest.importorskip("distributed", reason="the dask extra is not installed")
    out, (here, there) = tmp_path / "run", Pipe()
    fault = partial(faults.tells_and_dies, there, groups=4)
    process = start(out, fault, "--backend", "dask", "--jobs", "2", text=ACTIVE)
    here.recv()
    here.send("die")
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    assert run(out, text=ACTIVE) == 0, said(out)
    check(out, undisturbed)
