"""Pictures of a TaskSet: AMI matrix, label distribution, co-occurrence with the main task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mtl_laws.simulator.relatedness import contingency, label_counts
from mtl_laws.simulator.tasks import TaskSet

_MOST_PANELS = 6
_MOST_NUMBERS = 12


def draw_taskset(taskset: TaskSet, out: Path) -> list[Path]:
    """Draw ``ami.png``, ``labels.png`` and, for T > 1, ``cooccurrence.png`` into a folder.

    Returns
    -------
    The files written.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    figures = {
        "ami.png": ami_figure(taskset.relatedness.ami, shown_names(taskset)),
        "labels.png": label_figure(taskset),
    }
    if taskset.tasks > 1:
        figures["cooccurrence.png"] = cooccurrence_figure(taskset)
    for name, figure in figures.items():
        FigureCanvasAgg(figure)
        figure.savefig(out / name, dpi=150)
    return [out / name for name in figures]


def shown_names(taskset: TaskSet) -> list[str]:
    """Return ``main``, ``aux_1`` …, with the layer's own name where the task has one."""
    layers = taskset.provenance.get("layers")
    if not isinstance(layers, list):
        return list(taskset.task_names)
    return [f"{task}: {layer}" for task, layer in zip(taskset.task_names, layers, strict=True)]


def ami_figure(matrix: NDArray[np.float64], names: Sequence[str]) -> Figure:
    """Draw an AMI matrix, (T, T); numbers in the cells where they fit."""
    side = 2.6 + 0.5 * len(names)
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(matrix, vmin=0.0, vmax=1.0, cmap="viridis")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.set_title("AMI of label layers")
    figure.colorbar(image, ax=axes, shrink=0.8)
    if len(names) <= _MOST_NUMBERS:
        for (row, column), value in np.ndenumerate(matrix):
            shade = "white" if value < 0.6 else "black"
            axes.text(
                column, row, f"{value:.2f}", ha="center", va="center", color=shade, fontsize="small"
            )
    return figure


def label_figure(taskset: TaskSet) -> Figure:
    """Draw the label shares of every task, a line each, most frequent label first."""
    figure = Figure(figsize=(6.5, 3.8), layout="constrained")
    axes = figure.add_subplot()
    layers = zip(shown_names(taskset), taskset.label_names, taskset.train.labels, strict=True)
    for place, (task, names, labels) in enumerate(layers):
        counts = np.sort(label_counts(labels, len(names)))[::-1]
        main = {"color": "black", "linewidth": 2.0, "zorder": 3} if place == 0 else {"alpha": 0.7}
        axes.plot(range(1, len(counts) + 1), counts / counts.sum(), marker="o", label=task, **main)
    axes.set_xlabel("label, by falling frequency")
    axes.set_ylabel("share of training tokens")
    axes.set_ylim(bottom=0.0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if taskset.tasks <= _MOST_NUMBERS:
        axes.legend(frameon=False, fontsize="small", ncols=2)
    return figure


def cooccurrence_figure(taskset: TaskSet) -> Figure:
    """Draw, for the first auxiliaries, the share of auxiliary labels given the main label."""
    shown = range(1, min(taskset.tasks, _MOST_PANELS + 1))
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(3.4 * columns + 0.6, 3.2 * rows), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
    for task, axes in zip(shown, panels, strict=False):
        _draw_cooccurrence(axes, taskset, task)
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    return figure


def _draw_cooccurrence(axes: Axes, taskset: TaskSet, task: int) -> None:
    main, other = taskset.label_names[0], taskset.label_names[task]
    labels = taskset.train.labels
    table = contingency(labels[0], labels[task], (len(main), len(other))).astype(np.float64)
    axes.imshow(table / np.maximum(table.sum(axis=1, keepdims=True), 1.0), vmin=0.0, vmax=1.0)
    title = f"{shown_names(taskset)[task]}, AMI {taskset.relatedness.ami[0, task]:.2f}"
    axes.set_title(title, fontsize="medium")
    axes.set_xlabel("auxiliary label")
    axes.set_ylabel("main label")
    for names, setter in ((other, axes.set_xticks), (main, axes.set_yticks)):
        if len(names) <= _MOST_NUMBERS:
            setter(range(len(names)), names, fontsize="small")
