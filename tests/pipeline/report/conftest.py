"""Fixtures of the report's tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest

from mtl_laws.pipeline.report import ReportContext
from support.planted_report import planted_curves, planted_laws, report_table


@pytest.fixture
def table() -> pd.DataFrame:
    return report_table()


@pytest.fixture
def laws() -> Mapping[str, Any]:
    return planted_laws()


@pytest.fixture
def context() -> ReportContext:
    return ReportContext(
        title="How much do auxiliary tasks help?",
        command="mtl-laws run pipeline/studies/quick.yaml --out out/quick",
        question="With n tokens and T − 1 auxiliary tasks, what accuracy is to be expected?",
        notes=("The auxiliary labels come from teachers mixed towards the main one.",),
        curves=planted_curves(),
    )
