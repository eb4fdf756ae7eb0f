"""Laws as source: what the files compute is what the laws predict, and no text from data runs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy

from mtl_laws import Law, LawSet
from mtl_laws.pipeline.export.formulas import named_laws, python_module, siunitx, sympy_module
from support.asked_laws import asked_law, asked_laws, grouped_laws, rows


def executed(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(source, "laws.py", "exec"), names)
    return names


def front() -> tuple[Law, ...]:
    shorter = asked_law("c0 / (1 + c1 / n)", complexity=7, uncertainty=None)
    other = asked_law("c0 - c1 / n", complexity=7, uncertainty=None)
    bad = asked_law("c0 - c1 * n", complexity=3, valid=False, uncertainty=None)
    return bad, shorter, other, asked_law(uncertainty=None)


def test_every_law_that_may_be_used_has_a_name() -> None:
    laws = asked_laws(front=front())
    assert list(named_laws(laws)) == ["selected", "law_7", "law_7b"]


def test_the_python_functions_predict_what_the_laws_do() -> None:
    laws = asked_laws(front=front())
    module = executed(python_module(laws))
    points = rows()[["n", "T", "ami"]]
    columns = {name: points[name].to_numpy() for name in points}
    assert np.isnan(columns["ami"]).any(), "undefined for one task"
    assert module["selected"](**columns) == pytest.approx(laws.predict(points).to_numpy())
    shorter = np.asarray(laws.front[1].predict(columns))
    assert module["law_7"](columns["n"]) == pytest.approx(shorter)
    assert module["selected"](500, 1, None) == pytest.approx(0.945 / (1 + 376 / 500))
    assert module["law_7b"](1.0) == 0.0, "within the bounds of the target"
    assert module["FITTED"]["n"] == (40.0, 4000.0)
    for word in ("R² 0.958 where fitted", "n from 40 to 4,000", "n is the column tokens"):
        assert word in module["selected"].__doc__


def test_the_python_module_needs_numpy_only(tmp_path: Path) -> None:
    source = python_module(asked_laws())
    statements = [ast.unparse(node) for node in ast.parse(source).body]
    imports = [line for line in statements if line.startswith(("import ", "from "))]
    assert imports == ["import numpy", "from numpy import sqrt, log, exp, tanh"]
    (tmp_path / "laws.py").write_text(source, encoding="utf-8")
    code = "import laws; print(float(laws.selected(500, 2, 0.4)))"
    answer = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    expected = asked_laws().predict(rows().head(1).assign(n=500.0, T=2.0, ami=0.4)).iloc[0]
    assert float(answer.stdout) == pytest.approx(expected)


def test_groups_are_an_argument() -> None:
    module = executed(python_module(grouped_laws()))
    assert module["selected"](376.0, "small") == pytest.approx(0.4)
    assert module["selected"]([376.0, 376.0], ["small", "large"]) == pytest.approx([0.4, 0.475])
    with pytest.raises(KeyError):
        module["selected"](376.0, "medium")


def test_sympy_expressions_are_the_laws() -> None:
    module = executed(sympy_module(asked_laws(front=front())))
    assert set(module["LAWS"]) == {"selected", "law_7", "law_7b"}
    values = {"n": 500, "T": 4, "ami": 0.6}
    expected = asked_law().predict({name: np.array([value]) for name, value in values.items()})
    assert float(module["LAWS"]["selected"].subs(values)) == pytest.approx(expected[0])
    grouped = executed(sympy_module(grouped_laws()))
    large = grouped["LAWS"]["selected"].subs(grouped["GROUPS"]["selected", "large"])
    assert large.free_symbols == {sympy.Symbol("n")}
    assert float(large.subs({"n": 376})) == pytest.approx(0.475)


def test_every_number_of_the_latex_is_siunitx_and_braces_are_closed() -> None:
    for laws in (asked_laws(), grouped_laws()):
        text = siunitx(laws)
        assert text.count("{") == text.count("}")
        equation = text.partition("\\begin{align}")[2].partition("\\end{align}")[0]
        bare = equation.replace("mathrm{f1}", "")
        while "\\num{" in bare:
            before, _, rest = bare.partition("\\num{")
            bare = before + rest.partition("}")[2]
        assert not any(c.isdigit() for c in bare.replace("c_{0}", "")), bare
    assert "\\num{376}" in siunitx(asked_laws())
    assert "\\num{366.2} to \\num{385.8}" in siunitx(asked_laws())


EVIL = '"""\nimport os\nos.abort()\n"""\\'


def test_no_text_from_data_runs(tmp_path: Path) -> None:
    """A name that would end the docstring or the quotes stays text."""
    law = asked_law(
        expression="0.8 / (1 + 376.0 / n)",
        template="c0 / (1 + 376.0 / n)",
        constants={},
        group_constants={EVIL: {"c0": 0.8}},
        reason=EVIL,
        limits=EVIL,
        valid=False,
        uncertainty=None,
    )
    record = grouped_laws().to_json()
    record["groups"]["levels"] = [EVIL]
    record["target"] = EVIL
    record["selected"] = {**law.to_json()}
    record["front"] = []
    record["data"]["columns"] = {"n": EVIL}
    record["provenance"] = {"version": EVIL}
    laws = LawSet.from_json(record)
    module = executed(python_module(laws))
    assert module["selected"](376.0, EVIL) == pytest.approx(0.4)
    assert list(executed(sympy_module(laws))["GROUPS"]) == [("selected", EVIL)]
    assert "\nimport os" not in siunitx(laws)
