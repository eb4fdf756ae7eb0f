"""The rounds of a study with an active design: what they cost, and how certain the law became."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd

from mtl_laws.pipeline.report.figure_text import ROUNDS, rounds_alt, rounds_caption
from mtl_laws.pipeline.report.figures.canvas import LAW, MUTED, Drawing, label_axes, new_panel
from mtl_laws.pipeline.report.tables import Grid, Row, grid
from mtl_laws.pipeline.symbolic.typeset.numbers import number, percent

HEADERS = (
    "round",
    "trials so far",
    "cost, of all trials",
    "error of its prediction",
    "design interval ±",
)


def rounds_grid(rounds: pd.DataFrame | None) -> Grid:
    """One row per round: trials, cost, error and interval; empty without an active design.

    Parameters
    ----------
    rounds : columns trials, seconds, share, width, error, as `pipeline.study.active.rounds_of`.
    """
    if rounds is None:
        return Grid("", HEADERS, ())
    rows = [
        Row(
            (
                f"{place}",
                number(int(one["trials"])),
                percent(one["share"]),
                number(one["error"]),
                number(one["width"]),
            )
        )
        for place, (_, one) in enumerate(rounds.iterrows(), 1)
    ]
    last = rounds.iloc[-1]
    cost = float(last["share"]), float(last["seconds"])
    caption = rounds_caption(int(last["trials"]), *cost, _grew(rounds["width"].dropna()))
    return grid(caption, HEADERS, rows, range(1, len(HEADERS)))


def _grew(widths: pd.Series[float]) -> bool:
    """Whether a reader of the table sees a width that is larger than the one before."""
    return any(
        after > before and number(after) != number(before) for before, after in pairwise(widths)
    )


def draw_rounds(rounds: pd.DataFrame | None, target: str) -> Drawing | None:
    """Error and interval over the trials spent; None where fewer than two rounds have them."""
    if rounds is None or rounds["width"].notna().sum() < 2:
        return None
    known = rounds[rounds["width"].notna()]
    figure, axes = new_panel()
    axes.plot(
        known["trials"], known["width"], "o-", color=LAW.light, label="half the design interval"
    )
    axes.plot(rounds["trials"], rounds["error"], "o--", color=MUTED.light, label="error")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    label_axes(axes, "trials", target)
    return Drawing(
        name="rounds",
        title="Certainty against the trials spent",
        caption=ROUNDS,
        alt=rounds_alt([*known["trials"]], [*known["width"]]),
        figure=figure,
    )
