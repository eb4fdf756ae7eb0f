"""Laws in a notebook: the front around the selected law, which is marked."""

from __future__ import annotations

import pytest

from mtl_laws import Law, LawSet
from mtl_laws.pipeline.laws.display import MOST_LAWS, laws_html


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


def test_a_lawset_marks_its_law(lawset: LawSet) -> None:
    assert lawset._repr_html_().count(">selected<") == 1
