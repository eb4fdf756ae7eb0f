"""Where a gain comes from: related labels, shared features, more updates, or more data.

Question: how much of what training together gives is due to related labels, to shared features, or
merely to more updates, and how far is it from the same tokens of the main task?

The gain of auxiliaries that are closely related and read the same features is the sum of three
differences between runs of one main task, T and seed: what related labels add to shared features,
what shared features add to unrelated labels, and what is left of an auxiliary that has neither.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from reference_study.estimates import mean_of, ratio_of
from reference_study.tables import together

STUDY = "teacher-relatedness"
CLOSE, UNRELATED = 0.9, 0.0
SHARED, PRIVATE = 1.0, 0.0
PARTS = ("gain", "labels", "features", "rest", "updates", "random", "ceiling")


def causes() -> dict[str, Any]:
    """Parts of the gain, over all runs and by n, and the share of the ceiling that is reached."""
    parts = gain_parts()
    sizes = sorted(parts["n"].unique())
    return {
        "overall": _means(parts),
        "by_n": [{"n": int(n), **_means(parts[parts["n"] == n])} for n in sizes],
        "share_of_ceiling": ratio_of(parts, "gain", "ceiling"),
        "labels_alone": mean_of(parts, "labels_alone"),
        "shuffled": _shuffled(),
        "runs": len(together(STUDY)),
    }


def gain_parts() -> pd.DataFrame:
    """One row per n, T and seed: each part of the gain of close auxiliaries on shared features."""
    rows = together(STUDY)
    keys = ["n", "T", "seed"]
    closest = _select(rows, SHARED, CLOSE).set_index(keys)
    features = _select(rows, SHARED, UNRELATED).set_index(keys)["gain"]
    nothing = _select(rows, PRIVATE, UNRELATED).set_index(keys)["gain"]
    labels_only = _select(rows, PRIVATE, CLOSE).set_index(keys)["gain"]
    gain = closest["gain"]
    parts = pd.DataFrame(
        {
            "gain": gain,
            "labels": gain - features,
            "features": features - nothing,
            "rest": nothing,
            "labels_alone": labels_only - nothing,
            "updates": gain - closest["gain_updates"],
            "random": gain - closest["gain_random_labels"],
            "ceiling": gain - closest["gain_tokens"],
        }
    )
    return parts.reset_index()


def _select(rows: pd.DataFrame, overlap: float, ami: float) -> pd.DataFrame:
    return rows[(rows["feature_overlap"] == overlap) & (rows["ami"] == ami)]


def _means(parts: pd.DataFrame) -> dict[str, Any]:
    return {name: mean_of(parts, name) for name in PARTS}


def _shuffled() -> dict[str, Any]:
    """The run with shuffled auxiliary labels over the single task, over the whole study."""
    rows = together(STUDY)
    return mean_of(rows.assign(random=rows["gain"] - rows["gain_random_labels"]), "random")
