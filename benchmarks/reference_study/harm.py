"""Negative transfer: from which relatedness on training together helps.

Question: where does it begin to harm, and where does it stop?
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from mtl_laws.pipeline.laws.evidence.pooled import pooled_gain
from mtl_laws.pipeline.laws.question import Question, pose
from reference_study.estimates import by_level, crossing, mean_of, parts_of
from reference_study.tables import runs, together

TEACHER, CHANNEL = "teacher-relatedness", "published-balanced"


def harm() -> dict[str, Any]:
    """Mean gain by AMI, the AMI at which it rises through zero, and where harm is clear."""
    teacher, channel = together(TEACHER), together(CHANNEL)
    overlaps = sorted(teacher["feature_overlap"].unique())
    return {
        "teacher": [
            {
                "overlap": float(overlap),
                **_of(teacher[teacher["feature_overlap"] == overlap], "gain"),
            }
            for overlap in overlaps
        ],
        "channel": _of(channel, "gain_f1"),
        "pooled": _pooled(),
        "by_tasks": [_tasks(teacher, int(tasks)) for tasks in sorted(teacher["T"].unique())],
        "channel_by_tasks": [
            {"T": int(tasks), **_of(channel[channel["T"] == tasks], "gain_f1")}
            for tasks in sorted(channel["T"].unique())
        ],
    }


def _pooled() -> dict[str, Any]:
    """Ranges of the teacher study in which training together clearly harms, as every report has."""
    rows = runs(TEACHER)
    factors = {"n": "n", "T": "T", "AMI": "ami", "overlap": "feature_overlap"}
    question = Question("accuracy", factors, (0, 1))
    problem = pose(rows, question, TEACHER)
    found = pooled_gain(None, problem.data, False, problem.seeds, 0)
    if found is None:
        raise ValueError(f"{TEACHER} has no pairs")
    regions = [
        {
            "where": dict(region.where),
            "value": region.gain,
            "low": region.ci95[0],
            "high": region.ci95[1],
            "cells": region.cells,
        }
        for region in found.harm
    ]
    return {"ranges": dict(found.ranges), "cells": found.measured, "regions": regions}


def _of(rows: pd.DataFrame, column: str) -> dict[str, Any]:
    return {
        "by_ami": by_level(rows, "ami", column),
        "crossing": crossing(rows, "ami", column),
        "by_n": [
            {"n": int(n), "crossing": crossing(part, "ami", column), **_ends(part, column)}
            for n, part in parts_of(rows, "n")
        ],
    }


def _ends(rows: pd.DataFrame, column: str) -> dict[str, Any]:
    """Mean gain at the lowest and at the highest relatedness."""
    low, high = rows["ami"].min(), rows["ami"].max()
    return {
        "lowest": mean_of(rows[rows["ami"] == low], column),
        "highest": mean_of(rows[rows["ami"] == high], column),
    }


def _tasks(rows: pd.DataFrame, tasks: int) -> dict[str, Any]:
    """Mean gain of unrelated auxiliaries on features of their own, by their number."""
    nothing = (rows["feature_overlap"] == 0) & (rows["ami"] == 0) & (rows["T"] == tasks)
    return {"T": tasks, **mean_of(rows[nothing], "gain")}
