"""Ways of sharing: which is best at which size and relatedness.

Question: hard sharing with 0 to 3 shared layers, soft sharing, transfer, or nothing at all?
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from reference_study.estimates import mean_of, parts_of
from reference_study.tables import runs

STUDY = "sharing"
ARMS = ("private", "hard 0", "hard 1", "hard 2", "hard 3", "soft", "transfer")
KEYS = ["n", "ami", "feature_overlap", "seed"]
#: macro-F1 of a run that gives nearly all tokens one label
STUCK = 0.12


def sharings() -> dict[str, Any]:
    """Mean accuracy of every way at every size and relatedness, the best one, and stuck runs."""
    wide = arms()
    places = [_place(key, part) for key, part in wide.groupby(KEYS[:3])]
    return {
        "arms": list(ARMS),
        "places": places,
        "wins": {arm: sum(place["best"] == arm for place in places) for arm in ARMS},
        "over_private": {arm: mean_of(_against(wide, arm, "private"), "gap") for arm in ARMS[1:]},
        "against_hard": {
            arm: _by_relatedness(wide, arm) for arm in ("private", "soft", "transfer", "hard 3")
        },
        "stuck": _stuck(),
    }


def arms() -> pd.DataFrame:
    """One row per n, AMI, overlap and seed, one column of accuracies per way of sharing."""
    rows = runs(STUDY)
    rows = rows[rows["T"] > 1]
    kept = rows[(rows["sharing"] == "hard") | (rows["shared_layers"] == 0)]
    layers = kept["shared_layers"].astype(str)
    arm = kept["sharing"].where(kept["sharing"] != "hard", "hard " + layers)
    wide = kept.assign(arm=arm).pivot_table(index=KEYS, columns="arm", values="accuracy")
    return wide[list(ARMS)].reset_index()


def _place(key: Any, part: pd.DataFrame) -> dict[str, Any]:
    means = {arm: float(part[arm].mean()) for arm in ARMS}
    ranked = sorted(ARMS, key=lambda arm: -means[arm])
    lead = mean_of(_against(part, ranked[0], ranked[1]), "gap")
    n, ami, overlap = key
    return {
        "n": int(n),
        "ami": float(ami),
        "overlap": float(overlap),
        "means": means,
        "best": ranked[0],
        "second": ranked[1],
        "lead": lead,
    }


def _against(wide: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    return wide.assign(gap=wide[one] - wide[other])


def _by_relatedness(wide: pd.DataFrame, arm: str) -> list[dict[str, Any]]:
    """The way against hard sharing of the encoder alone."""
    gaps = _against(wide, arm, "hard 0")
    return [
        {"ami": ami, "overlap": overlap, **mean_of(part, "gap")}
        for ami, alike in parts_of(gaps, "ami")
        for overlap, part in parts_of(alike, "feature_overlap")
    ]


def _stuck() -> dict[str, list[float]]:
    """Share of runs that gave nearly all tokens one label, by sharing, for each depth."""
    rows = runs(STUDY)
    rows = rows[(rows["T"] > 1) & (rows["n"] > rows["n"].min())]
    stuck = rows.assign(stuck=rows["macro_f1"] < STUCK)
    shares = stuck.pivot_table(index="sharing", columns="shared_layers", values="stuck")
    return {
        str(sharing): [float(share) for share in line]
        for sharing, line in zip(shares.index, shares.to_numpy(), strict=True)
    }
