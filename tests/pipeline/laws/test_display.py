"""Laws in a notebook: the front around the selected law, which is marked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtl_laws import Law, LawSet
from mtl_laws.pipeline.laws.display import MOST_LAWS, laws_html
from support.asked_laws import asked_laws


def front(count: int) -> list[Law]:
    """Valid laws of growing complexity, every third of them invalid."""
    return [
        Law(
            expression=f"0.{k + 101}*n",
            template=f"0.{k + 101}*n",
            latex="c_0 n",
            factors=("n",),
            complexity=k + 3,
            constants={},
            scores={"r2_train": 0.9},
            valid=k % 3 != 2,
            defects=(),
            origin="grammar",
        )
        for k in range(count)
    ]


def shown(html: str, laws: list[Law]) -> list[int]:
    """Complexities in the rows of the table."""
    rows = html.split("<tr>")[2:]
    return [law.complexity for law in laws for row in rows if f">{law.complexity}</td>" in row]


@pytest.mark.parametrize("place", [0, 13, 28])
def test_a_long_front_is_shown_around_the_selected_law(place: int) -> None:
    laws = front(29)
    assert laws[place].valid
    html = laws_html("y", laws[place], laws, ())
    complexities = shown(html, laws)
    assert len(complexities) == MOST_LAWS
    assert laws[place].complexity in complexities
    valid = [law.complexity for law in laws if law.valid]
    start = valid.index(complexities[0])
    assert complexities == valid[start : start + MOST_LAWS]
    marked = [row for row in html.split("<tr>") if ">selected<" in row]
    assert len(marked) == 1
    assert f">{laws[place].complexity}</td>" in marked[0]


def test_without_a_selected_law_none_is_marked() -> None:
    html = laws_html("y", None, front(3), ("few <rows>",))
    assert ">selected<" not in html
    assert "few &lt;rows&gt;" in html


def test_outside_the_fitted_range_is_grey() -> None:
    (axes,) = asked_laws().plot("n", "T").axes
    (span,) = axes.patches
    box = span.get_window_extent()
    edges = axes.transData.inverted().transform([[box.x0, box.y0], [box.x1, box.y0]])[:, 0]
    assert edges.tolist() == pytest.approx([4000.0, 8000.0]), "40 is where both ranges begin"
    (axes,) = asked_laws().plot("ami").axes
    assert len(axes.patches) == 2
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["outside the fitted range"]


def test_a_plot_has_a_line_for_each_level_of_the_rows() -> None:
    (axes,) = asked_laws().plot("n", "T").axes
    assert [line.get_label() for line in axes.lines] == ["1", "2", "4"]
    assert len(axes.collections) == 6, "two bands for each"
    assert axes.get_title() == "at ami = 0.5"
    (axes,) = asked_laws().plot("ami", "T", at={"n": 300.0}).axes
    alone, _, most = (np.asarray(line.get_ydata(), float) for line in axes.lines)
    assert np.ptp(alone) == 0.0, "one task has no relatedness"
    assert np.ptp(most) > 0.05


def test_without_rows_a_plot_has_the_ends_and_the_middle() -> None:
    (axes,) = LawSet.from_json(asked_laws().to_json()).plot("n", "ami").axes
    assert [line.get_label() for line in axes.lines] == ["0.1", "0.5", "0.9"]


def test_a_notebook_shows_a_plot_as_a_picture() -> None:
    figure: Any = asked_laws().plot()
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_law_is_one_line_with_its_effective_quantity_named() -> None:
    laws = asked_laws()
    assert repr(laws).splitlines()[0] == laws.line()
    assert laws.law.line() == "0.945/(1 + 376/n_eff), n_eff = n·T^(0.613·ami^0.426)"
    assert r"n_{\mathrm{eff}} = n" in str(laws._repr_latex_())
    for html in (laws._repr_html_(), laws.law._repr_html_()):
        assert "<msub><mi>n</mi><mi>eff</mi></msub>" in html


def test_a_lawset_marks_its_law(lawset: LawSet) -> None:
    assert lawset._repr_html_().count(">selected<") == 1
