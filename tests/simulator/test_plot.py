"""Pictures show the measured numbers, and importing the simulator does not import matplotlib."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from mtl_laws.simulator import TaskSpec, make_taskset, plot_taskset
from mtl_laws.simulator.figures import ami_figure, cooccurrence_figure, label_figure


def test_three_pictures_are_drawn(tmp_path: Path) -> None:
    taskset = make_taskset(TaskSpec(tasks=3, ami=0.3, tokens=200), 0)
    written = plot_taskset(taskset, tmp_path / "figures")
    assert [path.name for path in written] == ["ami.png", "labels.png", "cooccurrence.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written)
    alone = plot_taskset(make_taskset(TaskSpec(tasks=1), 0), tmp_path / "alone")
    assert [path.name for path in alone] == ["ami.png", "labels.png"]


def test_the_matrix_is_shown_with_its_numbers() -> None:
    matrix = np.array([[1.0, 0.25], [0.25, 1.0]])
    axes = ami_figure(matrix, ["main", "aux_1"]).axes[0]
    assert np.array_equal(np.asarray(axes.images[0].get_array()), matrix)
    assert [text.get_text() for text in axes.texts] == ["1.00", "0.25", "0.25", "1.00"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["main", "aux_1"]


def test_label_shares_and_cooccurrence_add_up() -> None:
    taskset = make_taskset(TaskSpec(tasks=9, ami=0.3, tokens=200), 0)
    lines = label_figure(taskset).axes[0].lines
    assert len(lines) == 9
    assert all(abs(float(np.sum(line.get_ydata())) - 1.0) < 1e-9 for line in lines)
    panels = [axes for axes in cooccurrence_figure(taskset).axes if axes.images]
    assert len(panels) == 6
    for axes in panels:
        shares = np.asarray(axes.images[0].get_array())
        np.testing.assert_allclose(shares.sum(axis=1), 1.0)


def test_importing_the_simulator_is_light() -> None:
    heavy = "{'matplotlib', 'pandas', 'pyarrow', 'sklearn', 'torch', 'conllu'}"
    code = f"import sys, simulator; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
