"""The law that ships against gains measured on the English EWT treebank (no training here)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.reference

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "advice.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("advice_benchmark", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    if not module.CORPUS.is_file():
        pytest.skip("the EWT treebank is not in ../shared (or $MTL_LAWS_SHARED)")
    return module


@pytest.mark.parametrize("split", ["DEVELOPMENT", "TEST"])
def test_predicted_gains_rank_as_measured_ones(benchmark: ModuleType, split: str) -> None:
    measured = benchmark.Measured.read(benchmark.RESULTS, getattr(benchmark, split))
    table = benchmark.describe(measured.table)
    predicted = benchmark.predict(table, benchmark.DEFAULT_LAWS)
    found = benchmark.agreement(table, predicted)
    by_ami = benchmark.agreement(table, table.ami.to_numpy())
    assert len(table) == 84, "every ordered pair at three sizes"
    assert found["all"] >= 0.6
    assert found["all"] > by_ami["all"]
