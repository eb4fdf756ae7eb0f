from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.report.figures.canvas import spread
from pipeline.report.front import OUTSIDE_RMSE, build_front


def test_only_valid_undominated_laws_are_on_the_front(laws: Mapping[str, Any]) -> None:
    front = build_front(laws["front"], laws["selected"])
    stairs = [entry for entry in front.entries if entry.on_front]
    assert all(entry.valid for entry in stairs)
    errors = [entry.error for entry in stairs]
    assert errors == sorted(errors, reverse=True)
    for entry in front.entries:
        if entry.valid and not entry.on_front:
            assert any(s.complexity <= entry.complexity and s.error <= entry.error for s in stairs)


def test_the_selected_law_is_lettered_even_if_the_front_lacks_it(laws: Mapping[str, Any]) -> None:
    rivals = [law for law in laws["front"] if law["expression"] != laws["selected"]["expression"]]
    many = [
        {**law, "complexity": 1, "expression": f"{k}*n"} for k in range(30) for law in rivals[:1]
    ]
    front = build_front([*rivals, *many], laws["selected"])
    chosen = [entry for entry in front.shown if entry.selected]
    assert len(chosen) == 1
    assert len({entry.letter for entry in front.shown}) == len(front.shown)
    assert len(front.shown) + len(front.others) == len(rivals) + len(many) + 1


def test_errors_fall_back_to_rmse_where_no_r2_is_known(laws: Mapping[str, Any]) -> None:
    bare = [{**law, "scores": {**law["scores"], "r2_extrapolation": None}} for law in laws["front"]]
    front = build_front(bare, None)
    assert front.measure == OUTSIDE_RMSE
    assert all(entry.error == entry.law["scores"]["rmse_extrapolation"] for entry in front.entries)


def test_labels_are_spread_without_leaving_their_order() -> None:
    heights = spread([0.5, 0.51, 0.52, 0.1], gap=0.1, limits=(0.0, 1.0))
    assert heights[3] == 0.1
    assert heights[1] - heights[0] >= 0.1 - 1e-6
    assert heights[2] - heights[1] >= 0.1 - 1e-6
