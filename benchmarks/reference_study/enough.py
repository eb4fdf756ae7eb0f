"""How many auxiliary tasks are enough.

Question: what does each doubling of the number of auxiliaries add, and which share of the gain of
the largest number is there with few?
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from reference_study.estimates import by_level, parts_of, ratio_of
from reference_study.tables import together

TEACHER, CHANNEL = "teacher-relatedness", "published-balanced"
RELATED = 0.6
LEVELS = ["n", "ami", "feature_overlap", "seed"]


def enough() -> dict[str, Any]:
    """Mean gain by T of related auxiliaries, and shares of the gain at the largest T."""
    teacher, channel = together(TEACHER), together(CHANNEL)
    related = teacher[teacher["ami"] >= RELATED]
    copies = channel[channel["ami"] > 0.5].assign(feature_overlap=1.0)
    return {
        "from_ami": RELATED,
        "related": by_level(related, "T", "gain"),
        "unrelated": by_level(_unrelated(teacher), "T", "gain"),
        "channel": by_level(copies, "T", "gain_f1"),
        "shares": _shares(related, "gain"),
        "channel_shares": _shares(copies, "gain_f1"),
        "by_n": [
            {"n": int(n), "by_tasks": by_level(part, "T", "gain"), "shares": _shares(part, "gain")}
            for n, part in parts_of(related, "n")
        ],
    }


def _unrelated(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[(rows["ami"] == 0) & (rows["feature_overlap"] == 0)]


def _shares(rows: pd.DataFrame, column: str) -> list[dict[str, Any]]:
    """Mean gain at each T over that at the largest, paired by everything else."""
    wide = rows.pivot_table(index=LEVELS, columns="T", values=column).reset_index()
    tasks = sorted(rows["T"].unique())
    wide = wide.rename(columns={T: f"gain_{T}" for T in tasks})
    last = f"gain_{tasks[-1]}"
    return [{"T": int(T), **ratio_of(wide, f"gain_{T}", last)} for T in tasks[:-1]]
