"""Label noise: what it costs a single task, and what auxiliaries win back.

Question: does noise take the help of auxiliaries away, and is it the AMI of the noisy labels or of
the clean ones that tells how much they help?
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from reference_study.estimates import by_level, explained, mean_of, parts_of, ratio_of
from reference_study.tables import runs, together

STUDY = "teacher-noise"
HIGHEST_AMI = 0.13


def noise() -> dict[str, Any]:
    """Single-task accuracy and gains by noise, for related and unrelated auxiliaries."""
    rows = together(STUDY)
    single = runs(STUDY)
    single = single[(single["T"] == 1) & (single["feature_overlap"] == 0)]
    return {
        "alone": by_level(single, "label_noise", "accuracy"),
        "lost": _lost(single),
        "groups": [
            {"ami": ami, "overlap": overlap, "by_noise": _by_noise(part)}
            for ami, alike in parts_of(rows, "ami")
            for overlap, part in parts_of(alike, "feature_overlap")
        ],
        "won_back": _won_back(rows),
        "tells": _tells(rows),
        "unrelated_private": mean_of(_group(rows, 0.0, 0.0), "gain"),
        "by_tasks": [
            {"T": int(T), **mean_of(part, "gain")}
            for T, part in parts_of(_noisiest(_group(rows, HIGHEST_AMI, 1.0)), "T")
        ],
        "unrelated_by_tasks": [
            {"T": int(T), **mean_of(part, "gain")}
            for T, part in parts_of(_group(rows, 0.0, 0.0), "T")
        ],
        "by_n": [
            {"n": int(n), **mean_of(part, "gain")}
            for n, part in parts_of(_noisiest(_group(rows, HIGHEST_AMI, 1.0)), "n")
        ],
    }


def _lost(single: pd.DataFrame) -> dict[str, Any]:
    """What the highest noise takes from the single task."""
    wide = single.pivot_table(index=["n", "seed"], columns="label_noise", values="accuracy")
    lost = wide[wide.columns.min()] - wide[wide.columns.max()]
    return mean_of(lost.rename("lost").reset_index(), "lost")


def _group(rows: pd.DataFrame, ami: float, overlap: float) -> pd.DataFrame:
    return rows[(rows["ami"] == ami) & (rows["feature_overlap"] == overlap)]


def _noisiest(rows: pd.DataFrame) -> pd.DataFrame:
    highest = float(rows["label_noise"].max())
    return rows[rows["label_noise"] == highest]


def _by_noise(rows: pd.DataFrame) -> list[dict[str, Any]]:
    levels = by_level(rows, "label_noise", "gain")
    clean = rows.groupby("label_noise")["ami_clean"].mean()
    return [{**level, "ami_clean": float(clean[level["level"]])} for level in levels]


def _won_back(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Gain over what noise took from the single task, by noise, for the closest auxiliaries."""
    keys = ["n", "seed", "feature_overlap", "T"]
    close = rows[(rows["ami"] == HIGHEST_AMI) & (rows["feature_overlap"] == 1)]
    clean = close[close["label_noise"] == 0].set_index(keys)["alone"]
    found = []
    for level, part in parts_of(close[close["label_noise"] > 0], "label_noise"):
        lost = clean.reindex(pd.MultiIndex.from_frame(part[keys])).to_numpy() - part["alone"]
        share = ratio_of(part.assign(lost=lost.to_numpy()), "gain", "lost")
        found.append({"level": level, **share})
    return found


def _tells(rows: pd.DataFrame) -> dict[str, float]:
    """Share of the gains within groups alike in all but AMI and noise that each AMI explains."""
    within = ["n", "T", "feature_overlap"]
    return {
        name: explained(rows, "gain", name, within)
        for name in ("ami_measured", "ami_clean", "label_noise")
    }
