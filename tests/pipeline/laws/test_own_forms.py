"""A user's own forms: how they are read, that they are fitted, recorded and shown, good or bad."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mtl_laws import fit_laws
from mtl_laws.pipeline.errors import FormulaError, UserError
from mtl_laws.pipeline.fit import Source, fit_to_folder, rewrite_report, summary
from mtl_laws.pipeline.laws.document import laws_document
from mtl_laws.pipeline.laws.forms import OWN, read_forms
from mtl_laws.pipeline.laws.law import SCORES, Law
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.question import Question, pose
from mtl_laws.pipeline.laws.regressor import LawRegressor, ParameterError
from mtl_laws.pipeline.laws.rules import Rules, SearchRules
from mtl_laws.pipeline.laws.search import SearchOptions, find_laws
from mtl_laws.pipeline.symbolic.templates import MAX_NODES
from mtl_laws.pipeline.symbolic.tree import Tree

FACTORS = ("N", "D")
PLANTED = "E + A*N**alpha*exp(-b*N)/D**beta"
TRUTH = {"c0": 1.7, "c1": 0.4, "c2": 0.3, "c3": 0.002, "c4": 0.31}
BAD = "c0 + c1*N"
HOPELESS = "c0 + c1*log(-N)"
LONG = "c0 + c1*N + c2*D + c3*N**2 + c4*D**2 + c5*N*D + c6*log(N) + c7*log(D)"
UNIT = "c0 + c1/(1 + N)"
FORMS = (PLANTED, BAD, HOPELESS, LONG, UNIT, BAD)


def sizes_and_passes() -> pd.DataFrame:
    """Rows of the planted form without noise."""
    cells = [(n, d) for n in (50, 100, 200, 400, 800, 1600) for d in (1, 2, 4, 8)]
    table = pd.DataFrame(cells, columns=FACTORS, dtype=float)
    growth = 0.4 * table["N"] ** 0.3 * np.exp(-0.002 * table["N"])
    return table.assign(loss=1.7 + growth / table["D"] ** 0.31)


def question(forms: tuple[str, ...], **options: object) -> Question:
    factors = {name: name for name in FACTORS}
    tiny = {"engine": "grammar", "budget": "tiny", "jobs": 1}
    return Question("loss", factors, forms=forms, **{**tiny, **options})


def searched(table: pd.DataFrame, asked: Question) -> LawSet:
    """The record of a search, with no sentences."""
    problem = pose(table, asked, "table.csv")
    options = SearchOptions(
        "grammar", "tiny", asked.time_limit, jobs=1, forms=asked.own_forms(), loss=asked.loss
    )
    return laws_document(problem, find_laws(problem.data, None, options), 0, asked.groups)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a search with all of `FORMS`."""
    out = tmp_path_factory.mktemp("forms")
    fit_to_folder(sizes_and_passes(), question(FORMS), Source("table.csv", "Own forms"), out)
    return out


@pytest.fixture(scope="module")
def laws(folder: Path) -> LawSet:
    return LawSet.load(folder)


# --- reading -------------------------------------------------------------------------------------


def test_names_that_are_no_factors_are_constants() -> None:
    forms = ("E + A/N**alpha + +B / D**lambda", "c1*N**c0", "c0*N**c1", "0.5 + tanh(x*N)/-2")
    texts = [tree.text for tree in read_forms(forms, FACTORS)]
    assert texts == ["c0 + c1 / N ** c2 + c3 / D ** c4", "c0 * N ** c1", "0.5 + tanh(c0 * N) / -2"]


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("c0 + c1*N**", 11, "a value here"),
        ("c0 + * N", 5, "a value here"),
        ("", 0, "a value here"),
        ("  ", 0, "a value here"),
        ("c0 + log()*N", 9, "a value here"),
        ("'N'", 0, "a value here"),
        ("c0 + N[0]", 6, "an operator here"),
        ("c0 + N.real", 6, "an operator here"),
        ("c0 N", 3, "an operator here"),
        ("2N", 1, "an operator here"),
        ("N // 2", 2, "an operator here"),
        ("log(N, 2)", 5, "an operator here: + - * / **, or )"),
        ("N²", 1, "an operator here"),
        ("é*N + µ·D", 7, "an operator here"),
        ("c0 + c1*N^2", 9, "** for a power"),
        ("L = c0 + c1*N", 2, "without ="),
        ("c0 + sin(N)", 5, "sqrt, log, exp, tanh"),
        ("__import__('os')", 0, "sqrt, log, exp, tanh"),
        ("c0(N + 1)", 2, "an operator before this bracket"),
        ("N(c0 + 1)", 1, "an operator before this bracket"),
        ("c0 + log N", 8, "( after log"),
        ("c0*(N + 1", 9, ") here"),
        ("c0*N)", 4, "no bracket is open"),
        ("c0 + 1e999*N", 5, "a smaller number"),
        ("c0 + loss*N", 5, "the target"),
        ("c0 + rows*N", 5, "the factor D"),
    ],
)
def test_a_caret_stands_under_the_place(text: str, place: int, expected: str) -> None:
    asked = replace(question((f"{BAD}", text)), factors={"N": "N", "D": "rows"})
    with pytest.raises(FormulaError) as caught:
        asked.own_forms()
    error = caught.value
    assert (error.path, error.place) == ("forms[1]", place)
    assert expected in error.expected
    shown, caret = error.__notes__[0].splitlines()
    assert (shown[4:], caret) == (text, f"    {' ' * place}^")


def test_a_long_text_is_shown_around_the_place() -> None:
    text = " + ".join(["c0*N"] * 12) + " + c0*N^2 + " + " + ".join(["c0*N"] * 9)
    with pytest.raises(FormulaError) as caught:
        read_forms([text], FACTORS)
    shown, caret = caught.value.__notes__[0].splitlines()
    assert shown[caret.index("^")] == "^"
    assert len(shown) <= 80


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("c0 + c1*n", "at least one factor (N, D) in the form; did you mean N?"),
        ("c0 + 0*N", "at least one factor (N, D)"),
        ("N" + " + N" * MAX_NODES, f"at most {MAX_NODES}"),
        ("N" + " + N" * 9_999, f"at most {MAX_NODES}"),
        ("(" * 9_999 + "N", f"at most {MAX_NODES}"),
    ],
)
def test_a_form_without_a_factor_or_too_long_is_refused(text: str, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        read_forms([text], FACTORS)
    assert caught.value.path == "forms[0]"
    assert expected in caught.value.expected
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("forms", [3, "c0*N", [3], [None]])
def test_forms_are_texts(forms: object) -> None:
    with pytest.raises(UserError, match="forms"):
        read_forms(forms, FACTORS)


PIECES = ("N", "D", "c0", "alpha", "log", "(", ")", "+", "-", "*", "**", "/", "^", "2", ".5", "1e9")


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join) | st.text(max_size=12))
@example("N" * 6_000)
@example("0x1F*N")
@example("007*N")
@example("1_000*N")
@example("N if N else N")
def test_any_text_is_read_or_refused(text: str) -> None:
    error = mistake_in(text)
    if isinstance(error, FormulaError):
        assert 0 <= error.place <= len(text)
        assert error.__notes__[0].endswith("^")
    elif error is not None:
        assert error.path == "forms[0]"
    else:
        (tree,) = trees = read_forms([text], FACTORS)
        assert read_forms([tree.text], FACTORS) == trees
        assert Tree.parse(tree.text, FACTORS).renumber() == tree


def mistake_in(text: str) -> UserError | None:
    try:
        read_forms([text], FACTORS)
    except UserError as error:
        return error
    return None


def test_a_mistake_in_a_formula_is_the_same_elsewhere() -> None:
    error = FormulaError("forms[0]", "a value here", "N**", 3)
    for again in (pickle.loads(pickle.dumps(error)), error.at("forms[0]")):
        assert type(again) is FormulaError
        assert (str(again), again.place, again.__notes__) == (str(error), 3, error.__notes__)
    assert error.at("--form").path == "--form"


# --- the search ----------------------------------------------------------------------------------


def test_a_planted_law_is_recovered(laws: LawSet) -> None:
    law = laws.forms[0]
    assert law.template == "c0 + c1 * N ** c2 * exp(-c3 * N) / D ** c4"
    for name, value in TRUTH.items():
        assert law.constants[name].value == pytest.approx(value, rel=1e-3), name
        assert law.constants[name].ci95 is not None
    assert law.valid
    assert law.scores["r2_train"] == pytest.approx(1.0, abs=1e-6)
    assert laws.law.expression == law.expression
    assert laws.law.origin == OWN


def test_every_form_is_recorded_once_in_the_order_given(laws: LawSet) -> None:
    factors = ("N", "D")
    assert [law.template for law in laws.forms] == [t.text for t in read_forms(FORMS, factors)]
    assert all(law.origin == OWN and set(law.scores) == set(SCORES) for law in laws.forms)
    assert all(law.origin != OWN for law in laws.theory)
    assert dict(laws.laws())["forms[1]"] == laws.forms[1]


def test_a_bad_form_has_its_low_score(laws: LawSet) -> None:
    law, table = laws.forms[1], sizes_and_passes()
    slope, level = np.polyfit(table["N"], table["loss"], 1)
    residual = table["loss"] - (level + slope * table["N"])
    assert law.constants["c1"].value == pytest.approx(slope, rel=1e-6)
    expected = 1 - np.sum(residual**2) / np.sum((table["loss"] - table["loss"].mean()) ** 2)
    assert law.scores["r2_train"] == pytest.approx(expected, rel=1e-6)
    assert expected < 0.9


def test_a_form_that_cannot_be_fitted_says_so(laws: LawSet) -> None:
    law = laws.forms[2]
    assert not law.valid
    assert law.reason.startswith("could not be fitted")
    assert law.expression == law.template == HOPELESS.replace("*", " * ")
    assert not law.constants
    assert set(law.scores.values()) == {None}
    for use in (lambda: law.predict({"N": np.ones(2)}), law.python):
        with pytest.raises(UserError, match="whose constants were fitted"):
            use()


def test_a_form_without_constants_is_never_valid(laws: LawSet) -> None:
    record = laws.forms[2].to_json()
    with pytest.raises(UserError, match="could not be fitted"):
        Law.from_json({**record, "valid": True})
    with pytest.raises(UserError, match="a value for every constant"):
        Law.from_json({**record, "defects": []})


def test_a_long_form_is_fitted_but_not_selected(laws: LawSet) -> None:
    law = laws.forms[3]
    assert law.complexity > SearchRules().max_complexity
    assert law.scores["r2_train"] is not None
    assert law.scores["r2_train"] > 0.9
    assert all(other.complexity <= SearchRules().max_complexity for other in laws.front)


def test_a_form_may_depend_on_a_unit(laws: LawSet) -> None:
    basis = 1 / (1 + sizes_and_passes()["N"])
    slope = np.polyfit(basis, sizes_and_passes()["loss"], 1)[0]
    assert laws.forms[4].constants["c1"].value == pytest.approx(slope, rel=1e-6)


def test_a_search_without_forms_has_none() -> None:
    assert searched(sizes_and_passes(), question(())).forms == ()


def test_a_time_limit_leaves_the_forms() -> None:
    laws = searched(sizes_and_passes(), question((PLANTED, BAD), time_limit=1e-3))
    assert [law.fitted for law in laws.forms] == [True, True]
    assert laws.forms[0].scores["r2_train"] == pytest.approx(1.0, abs=1e-6)


# --- groups --------------------------------------------------------------------------------------


def test_groups_have_constants_of_their_own_and_share_the_others() -> None:
    """With no law but own forms for which sharing is tried, the common exponent is shared."""
    level = {"a": 0.9, "b": 0.8}
    rng = np.random.default_rng(0)
    cells = [(g, n) for g in level for n in (50, 100, 200, 400, 800, 1600) for _ in range(2)]
    table = pd.DataFrame(cells, columns=["g", "N"])
    table["loss"] = table["g"].map(level) - 2 / np.sqrt(table["N"])
    table["loss"] += rng.normal(0, 0.002, len(table))
    rules = Rules(search=SearchRules(shared=0))
    asked = Question("loss", {"N": "N"}, groups=("g",), forms=("a - b*N**(-c)", BAD), rules=rules)
    laws = searched(table, asked)
    law = laws.forms[0]
    assert law.levels == ("a", "b")
    assert "c2" in law.shared
    assert law.constants["c2"].value == pytest.approx(0.5, abs=0.05)
    own = law.group_constants or {}
    assert own["a"]["c0"] - own["b"]["c0"] == pytest.approx(0.1, abs=0.02)
    assert laws.forms[1].shared or laws.forms[1].levels


# --- where forms are given and shown -------------------------------------------------------------


def test_the_terminal_has_a_line_for_each_form(laws: LawSet) -> None:
    lines = [line for line in summary(laws).splitlines() if line.startswith("form:")]
    assert len(lines) == 5
    assert "R² 1.000 where fitted" in lines[0]
    assert lines[0].endswith("selected")
    assert f"R² {laws.forms[1].scores['r2_train']:.3f} where fitted" in lines[1]
    assert "could not be fitted" in lines[2]


def test_an_invalid_form_is_shown_with_its_reason() -> None:
    options = {"engine": "grammar", "budget": "tiny", "jobs": 1, "forms": [BAD]}
    laws = fit_laws(sizes_and_passes(), "loss", FACTORS, (1.6, None), **options)
    assert not laws.forms[0].valid
    assert laws.forms[0].reason.startswith("falls to")
    assert f"; not valid: {laws.forms[0].reason}" in summary(laws)


def test_the_report_has_every_form_beside_the_selected_law(folder: Path) -> None:
    rewrite_report(folder)
    page = (folder / "report.md").read_text(encoding="utf-8").partition("## Your forms")[2]
    section = page.partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| $c_{0} +")]
    assert len(rows) == 5
    assert rows[0].endswith("| selected |")
    assert "could not be fitted" in rows[2]
    assert "longer than 25 nodes" in rows[3]
    assert "Constants of c₀ + c₁·N." in section
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert 'id="forms-title">Your forms<' in html


def test_the_selected_law_stands_below_worse_forms() -> None:
    from mtl_laws.pipeline.report.tables import forms_grid

    laws = searched(sizes_and_passes(), question((BAD,)))
    emphasis = [row.emphasis for row in forms_grid(laws).rows]
    assert emphasis == ["", "selected"]
    assert not forms_grid(searched(sizes_and_passes(), question(())))


def test_fit_laws_takes_one_form_or_several() -> None:
    options = {"engine": "grammar", "budget": "tiny", "jobs": 1}
    laws = fit_laws(sizes_and_passes(), "loss", FACTORS, forms=BAD, **options)
    assert [law.template for law in laws.forms] == ["c0 + c1 * N"]
    assert f"forms=('{BAD}',)" in laws.provenance.command
    with pytest.raises(FormulaError) as caught:
        fit_laws(sizes_and_passes(), "loss", FACTORS, forms=[BAD, "N**"])
    assert caught.value.path == "forms[1]"


def test_the_regressor_takes_forms() -> None:
    table = sizes_and_passes().assign(same=1.0)
    X, y = table[[*FACTORS, "same"]], table["loss"]
    forms = [PLANTED, "c0 + c1*same"]
    law = LawRegressor(budget="tiny", forms=forms).fit(X, y)
    assert law.forms_[0].constants["c2"].value == pytest.approx(0.3, rel=1e-3)
    assert law.selected_.expression == law.forms_[0].expression
    assert [each.fitted for each in law.forms_] == [True, False]
    with pytest.raises(ParameterError, match=r"forms\[0\]") as caught:
        LawRegressor(budget="tiny", forms=["N**"]).fit(X, y)
    assert caught.value.__notes__[0].splitlines()[1] == " " * 7 + "^"
