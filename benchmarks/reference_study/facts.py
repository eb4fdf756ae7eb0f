"""Facts: every number of the findings, as JSON, with what it was computed from.

``docs/findings/facts.json`` is written by `python -m reference_study` and read by the document,
so that words can change without computing anything again; it names the digests of the tables that
it rests on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtl_laws.pipeline.io.wholefile import write_whole
from mtl_laws.pipeline.reference_data import reference_manifest
from mtl_laws.pipeline.study.study import shipped_studies
from reference_study.sections import DIRECT, SEARCHED, Section

FACTS_NAME = "facts.json"
DIGITS = 6
"""Significant digits kept: enough for the document, few enough to be the same everywhere."""


def compute(sections: Mapping[str, Section] | None = None) -> dict[str, Any]:
    """The facts of these sections, of all where None, and the digests of the tables."""
    chosen = {**DIRECT, **SEARCHED} if sections is None else sections
    found = {name: rounded(section()) for name, section in chosen.items()}
    return {"tables": tables(), **found}


def tables() -> dict[str, Any]:
    """Subset, controls and digest of every table of simulated tasks, and their sums."""
    simulated = shipped_studies()
    tables = reference_manifest()["studies"]
    studies = {name: record for name, record in tables.items() if name in simulated}
    kept = ("rows", "controls", "sha256", "minutes_of_training")
    return {
        "studies": {name: {key: study[key] for key in kept} for name, study in studies.items()},
        "rows": sum(study["rows"] for study in studies.values()),
        "controls": sum(study["controls"] for study in studies.values()),
        "minutes": round(sum(study["minutes_of_training"] for study in studies.values())),
    }


def rounded(value: Any) -> Any:
    """The same with floats at `DIGITS` significant digits, and null for what is no number."""
    if isinstance(value, Mapping):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value


def write_facts(facts: Mapping[str, Any], path: Path) -> None:
    """Keep the facts as JSON."""
    write_whole(path, json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_facts(path: Path) -> dict[str, Any]:
    """The facts that `write_facts` kept."""
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return facts
