"""Learning curves of a few trials, with the step whose weights were used."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mtl_laws.pipeline.report.figure_text import LEARNING, learning_alt
from mtl_laws.pipeline.report.figures.canvas import (
    PAPER,
    Drawing,
    label_axes,
    new_panel,
    ramp,
    spread,
)
from mtl_laws.pipeline.symbolic.typeset.numbers import number

NEEDED = ("trial", "n", "step", "train_loss", "validation_loss", "best_step")
MOST_TRIALS = 4


def draw_learning(curves: pd.DataFrame | None) -> Drawing | None:
    """Validation loss over steps for up to four trials from small n to large; None without data."""
    if curves is None or any(column not in curves for column in NEEDED) or not len(curves):
        return None
    chosen = _choose(curves)
    figure, axes = new_panel()
    colours = ramp(len(chosen))
    for (_, piece), colour in zip(chosen, colours, strict=True):
        axes.plot(piece["step"], piece["validation_loss"], color=colour, linewidth=1.7)
        axes.plot(piece["step"], piece["train_loss"], color=colour, linewidth=0.9, linestyle=":")
        best = piece.iloc[(piece["step"] - piece["best_step"]).abs().to_numpy().argmin()]
        axes.plot(
            [best["step"]],
            [best["validation_loss"]],
            marker="o",
            markersize=6.5,
            markerfacecolor=colour,
            markeredgecolor=PAPER.light,
            zorder=4,
        )
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    label_axes(axes, "optimiser steps", "loss")
    texts = [f"n = {number(size)}" for size, _ in chosen]
    _label_ends(axes, texts, [piece for _, piece in chosen], colours)
    return Drawing(
        name="learning",
        title="Learning curves and early stopping",
        caption=LEARNING,
        alt=learning_alt(texts),
        figure=figure,
    )


def _label_ends(
    axes: Axes, texts: list[str], pieces: list[pd.DataFrame], colours: list[str]
) -> None:
    """A name where each validation curve ends, moved up or down off its neighbours."""
    heights = [float(piece["validation_loss"].iloc[-1]) for piece in pieces]
    low, high = axes.get_ylim()
    for text, piece, height, colour in zip(
        texts, pieces, spread(heights, 0.07 * (high - low), (low, high)), colours, strict=True
    ):
        axes.annotate(
            text,
            (float(piece["step"].iloc[-1]), height),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontweight="bold",
            annotation_clip=False,
        )


def _choose(curves: pd.DataFrame) -> list[tuple[float, pd.DataFrame]]:
    """One trial for each of up to four values of n, the middle one of those trained there."""
    curves = curves[curves["validation_loss"].notna()]
    sizes = np.sort(curves["n"].unique())
    picks = np.unique(np.linspace(0, len(sizes) - 1, MOST_TRIALS).round().astype(int))
    chosen = []
    for size in sizes[picks]:
        rows = curves[curves["n"] == size]
        trials = rows["trial"].drop_duplicates()
        first = rows[rows["trial"] == trials.iloc[len(trials) // 2]]
        chosen.append((float(size), first.sort_values("step")))
    return chosen
