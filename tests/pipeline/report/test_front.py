from __future__ import annotations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.report.figures.canvas import spread
from mtl_laws.pipeline.report.figures.front import EXTRAPOLATED_RMSE, build_front, draw_front
from support.planted_report import planted_laws


@pytest.fixture
def laws() -> LawSet:
    return LawSet.from_json(planted_laws())


def test_only_valid_laws_that_no_simpler_one_beats_lead(laws: LawSet) -> None:
    front = build_front(laws.front, laws.selected)
    stairs = [entry for entry in front.entries if entry.leads]
    assert 1 < len(stairs) < len(front.entries)
    assert all(entry.law.valid for entry in stairs)
    errors = [entry.error for entry in stairs]
    assert errors == sorted(errors, reverse=True)
    for entry in front.entries:
        if entry.law.valid and not entry.leads:
            assert any(
                s.law.complexity <= entry.law.complexity and s.error <= entry.error for s in stairs
            )


def test_the_selected_law_is_lettered_even_if_the_front_lacks_it(laws: LawSet) -> None:
    rivals = [law for law in laws.front if law.expression != laws.law.expression]
    many = [
        rivals[0].model_copy(update={"complexity": 1, "expression": f"{k}*n"}) for k in range(30)
    ]
    front = build_front([*rivals, *many], laws.selected)
    chosen = [entry for entry in front.leaders if entry.selected]
    assert len(chosen) == 1
    assert len({entry.label for entry in front.entries}) == len(rivals) + len(many) + 1
    assert len(front.leaders) + len(front.others) == len(front.entries)
    assert all(entry.leads or entry.selected for entry in front.leaders)


def test_where_many_laws_lead_the_most_complex_ones_get_numbers(laws: LawSet) -> None:
    many = [
        laws.front[0].model_copy(
            update={
                "complexity": k + 1,
                "expression": f"{k}*n",
                "scores": {"r2_extrapolation": k / 40},
            }
        )
        for k in range(30)
    ]
    front = build_front(many, many[-1])
    assert all(entry.leads for entry in front.entries)
    labels = [entry.label for entry in front.entries]
    assert labels[:12] == list("ABCDEFGHIJKL")
    assert labels[12:] == [*map(str, range(1, 18)), "M"]  # the selected law keeps a letter


def test_every_mark_has_its_label_and_the_alt_text_counts_what_leads(
    laws: LawSet,
) -> None:
    front = build_front(laws.front, laws.selected)
    drawing = draw_front(front)
    assert drawing is not None
    printed = [text.get_text().split()[-1] for text in drawing.figure.axes[0].texts]
    assert sorted(printed) == sorted(entry.label for entry in front.entries)
    leaders = [entry.label for entry in front.entries if entry.leads]
    assert f"The front: {len(front.entries)} laws" in drawing.alt
    assert f"of which {len(leaders)} lead: {', '.join(leaders)}." in drawing.alt


def test_errors_fall_back_to_rmse_where_no_r2_is_known(laws: LawSet) -> None:
    bare = [
        law.model_copy(update={"scores": {**law.scores, "r2_extrapolation": None}})
        for law in laws.front
    ]
    front = build_front(bare, None)
    assert front.measure == EXTRAPOLATED_RMSE
    assert all(entry.error == entry.law.scores["rmse_extrapolation"] for entry in front.entries)


def test_labels_are_spread_without_leaving_their_order() -> None:
    heights = spread([0.5, 0.51, 0.52, 0.1], gap=0.1, limits=(0.0, 1.0))
    assert heights[3] == 0.1
    assert heights[1] - heights[0] >= 0.1 - 1e-6
    assert heights[2] - heights[1] >= 0.1 - 1e-6


def test_no_label_of_a_crowded_front_covers_another(laws: LawSet) -> None:
    many = [
        laws.front[0].model_copy(
            update={
                "complexity": 3 + k % 4,
                "expression": f"{k}*n",
                "scores": {"r2_extrapolation": 0.9 + 0.0005 * k},
            }
        )
        for k in range(14)
    ]
    drawing = draw_front(build_front(many, many[-1]))
    assert drawing is not None
    canvas = FigureCanvasAgg(drawing.figure)
    canvas.draw()
    (axes,) = drawing.figure.axes
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in axes.texts]
    assert len(boxes) == len(many)
    for place, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[place + 1 :])
