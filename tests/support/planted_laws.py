"""Laws made up for tests of advice, and a corpus small enough to know by heart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtl_laws.pipeline.laws.law import Law

HARBOUR = Path(__file__).parents[2] / "data" / "example" / "harbour.conll"

RANGES = {"n": (10.0, 1e4), "T": (1.0, 3.0), "ami": (0.0, 1.0), "probe": (0.0, 1.0)}


def record(expression: str, ranges: Mapping[str, tuple[float, float]] = RANGES) -> dict[str, Any]:
    """LAW of `laws.json`, its one draw of the constants being the law itself."""
    return {
        "expression": expression,
        "template": expression,
        "complexity": 9,
        "constants": {},
        "scores": {"r2_train": 0.9},
        "valid": True,
        "uncertainty": {
            "draws": {},
            "replicate_sd": 0.01,
            "misfit_sd": 0.0,
            "ranges": {name: list(pair) for name, pair in ranges.items()},
            "domain": {name: list(pair) for name, pair in ranges.items()},
            "bounds": [0, 1],
        },
    }


def planted(expression: str, ranges: Mapping[str, tuple[float, float]] = RANGES) -> Law:
    """The law of this expression in n, T, ami, probe."""
    return Law.from_json({**record(expression, ranges), "factors": list(ranges)})


def write_laws(path: Path, expression: str, target: str = "accuracy", **changed: object) -> Path:
    """A `laws.json` whose selected law is this expression in n, T, ami, probe."""
    selected = record(expression)
    document = {
        "schema": 2,
        "target": target,
        "factors": list(RANGES),
        "selected": selected,
        "front": [selected],
        **changed,
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path
