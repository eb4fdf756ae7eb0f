"""Unequal sizes: many small auxiliary tasks or few large ones, and how to weight them.

Question: what is an auxiliary token worth, does it matter how many tasks it comes from, and do loss
weights matter where tasks are unequally large?

The worth of auxiliary tokens is read from one law, a Hill curve of an effective size,

    F = c0 + c1 / (1 + (c2 / (n + c3·(T − 1)^c4·n_aux^c5))^c6),

fitted at each relatedness. Where c4 = c5, only the product (T − 1)·n_aux matters.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from reference_study.estimates import by_level, mean_of, parts_of
from reference_study.forms import Subset, fit_form
from reference_study.tables import runs, together

UNBALANCED, WEIGHTING = "published-unbalanced", "weighting"
WORTH = "c0 + c1/(1 + (c2/(n + c3*(T - 1)**c4*n_aux**c5))**c6)"
POOLED = "c0 + c1/(1 + (c2/(n + c3*((T - 1)*n_aux)**c4))**c5)"
PAIR = ["n", "T", "ami", "aux_ratio", "seed"]


def sizes() -> dict[str, Any]:
    """The worth of auxiliary tokens by relatedness, and gains by weighting."""
    largest = int(together(UNBALANCED)["T"].max())
    found = {"worth": _worth(), "pairs": _pairs(), "weighting": _weighting()}
    return {"largest": largest, **found}


def _worth() -> list[dict[str, Any]]:
    rows = together(UNBALANCED)
    found = []
    for ami, part in parts_of(rows[rows["ami"] > 0.5], "ami"):
        data = Subset(f"ami {ami}", part, "macro_f1", None, ("n", "T", "n_aux"))
        fits = {"free": fit_form(WORTH, data), "pooled": fit_form(POOLED, data)}
        found.append({"ami": ami, **fits})
    return found


def _pairs() -> list[dict[str, Any]]:
    """Equal auxiliary tokens together, from more and smaller tasks less from fewer and larger."""
    rows = together(UNBALANCED)
    keys = ["n", "ami", "seed"]
    found = []
    for few, many in (((2, 800), (6, 200)), ((6, 200), (15, 50)), ((6, 800), (30, 200))):
        one, other = (_at(rows, *place).set_index(keys)["macro_f1"] for place in (few, many))
        gap = (other - one).rename("gap").reset_index()
        related = gap[gap["ami"] > 0.5]
        found.append({"few": _named(few), "many": _named(many), **mean_of(related, "gap")})
    return found


def _named(place: tuple[int, int]) -> dict[str, int]:
    tasks, tokens = place
    return {"auxiliaries": tasks - 1, "tokens": tokens, "together": (tasks - 1) * tokens}


def _at(rows: pd.DataFrame, tasks: int, tokens: int) -> pd.DataFrame:
    return rows[(rows["T"] == tasks) & (rows["n_aux"] == tokens)]


def _weighting() -> dict[str, Any]:
    rows = together(WEIGHTING)
    rows["aux_ratio"] = rows["n_aux"] / rows["n"]
    wide = rows.pivot_table(index=PAIR, columns="weighting", values="accuracy").reset_index()
    for name in ("proportional", "uncertainty"):
        wide[f"{name}_gap"] = wide[name] - wide["equal"]
    equal = rows[rows["weighting"] == "equal"]
    return {
        "gain": {str(name): mean_of(part, "gain") for name, part in rows.groupby("weighting")},
        "gaps": {
            name: {
                "overall": mean_of(wide, f"{name}_gap"),
                "by_ratio": by_level(wide, "aux_ratio", f"{name}_gap"),
                "by_ami": by_level(wide, "ami", f"{name}_gap"),
            }
            for name in ("proportional", "uncertainty")
        },
        "equal_by_ratio": by_level(equal, "aux_ratio", "gain"),
        "runs": len(runs(WEIGHTING)),
    }
