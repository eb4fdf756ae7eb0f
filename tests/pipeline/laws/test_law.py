"""A law's exports say the same as the law: Python, sympy, JSON, LaTeX, MathML."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.laws.law import SCORES, Constant, Law
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.tree import format_number

NAMES = ("n", "beta", "S", "math")
ROWS = {
    "n": np.array([1.0, 20.5, 300.0]),
    "beta": np.array([0.5, 1.0, 7.0]),
    "S": np.array([0.01, 0.5, 1.0]),
    "math": np.array([2.0, 3.0, 4.0]),
}
#: laws that are finite on positive rows, with places for two numbers
TEMPLATES = (
    "c0 - c1*n**(-0.5)",
    "c0/(1 + (c1/n)**0.3)",
    "c0 + c1*log(n*beta**S)",
    "c0*(1 - exp(-n/(1 + c1*c1)))",
    "tanh(c0*S) + c1*sqrt(math*n)",
    "-c0*(n + beta)/(math + c1*c1)",
    "c0 + c1",
)
numbers = st.floats(-1e6, 1e6, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-6)
positive = st.floats(1e-3, 1e6)


def law(template: str, c0: float, c1: float) -> Law:
    parsed = Expression.parse(template, NAMES)
    text = parsed.with_constants({"c0": c0, "c1": c1})
    constants = {
        "c0": Constant(value=c0, se=0.1, ci95=(c0 - 0.2, c0 + 0.2)),
        "c1": Constant(value=c1),
    }
    scores = dict.fromkeys(SCORES, 0.5) | {"r2_hold_out": None}
    size = Expression.parse(text, NAMES).complexity
    return Law(
        expression=text,
        template=template,
        factors=NAMES,
        complexity=size,
        constants=constants,
        scores=scores,
        valid=True,
        origin="grammar",
    )


@given(st.sampled_from(TEMPLATES), numbers, positive)
def test_the_python_function_computes_the_same(template: str, c0: float, c1: float) -> None:
    one = law(template, c0, c1)
    scope: dict[str, Any] = {}
    exec(one.python("f"), scope)
    used = [name for name in NAMES if one.uses(name)]
    points = [{name: float(ROWS[name][k]) for name in used} for k in range(3)]
    got = [scope["f"](**point) for point in points]
    np.testing.assert_allclose(got, one.predict(ROWS), rtol=1e-12, atol=1e-14 * max(abs(c0), c1, 1))


@given(st.sampled_from(TEMPLATES), numbers, positive)
def test_json_gives_the_law_back_exactly(template: str, c0: float, c1: float) -> None:
    one = law(template, c0, c1)
    assert Law.from_json(json.loads(json.dumps(one.to_json()))) == one


@pytest.mark.parametrize("template", TEMPLATES)
def test_sympy_holds_every_digit(template: str) -> None:
    one = law(template, -0.123456789012345668, 1 / 3)
    expression = one.sympy()
    assert {s.name for s in expression.free_symbols} == {f for f in NAMES if one.uses(f)}
    point = {name: column[1] for name, column in ROWS.items()}
    value = expression.evalf(20, subs=point)
    np.testing.assert_allclose(float(value), one.predict(ROWS)[1], rtol=1e-13)


@pytest.mark.parametrize("template", TEMPLATES)
def test_latex_and_mathml_hold_every_digit_unless_rounded(template: str) -> None:
    one = law(template, 0.12345678901234566, 1 / 3)
    assert "12345678901234566" in one.latex()
    assert "12345678901234566" in one.mathml()
    assert "0.123" in one.latex(3)
    assert "0.1234" not in one.latex(3)
    assert ElementTree.fromstring(one.mathml(3)).tag.endswith("math")


def test_a_function_of_a_law_may_have_factors_called_like_modules() -> None:
    source = law("c0*sqrt(math) + c1*exp(S)", 1.0, 2.0).python()
    assert source.startswith("from math import exp, sqrt\n")
    scope: dict[str, Any] = {}
    exec(source, scope)
    assert scope["law"](4.0, 0.0) == pytest.approx(4.0)


def test_nothing_but_arithmetic_reaches_sympy() -> None:
    record = law("c0 + c1", 1.0, 2.0).to_json() | {"expression": "__import__('os').getcwd()"}
    with pytest.raises(UserError):
        Law.from_json(record)
    sound = law("c0 + c1", 1.0, 2.0)
    with pytest.raises(ValidationError):
        Law(**{**dict(sound), "expression": "exit()"})
    hostile = sound.model_copy(update={"expression": "exit()"})  # which checks nothing
    with pytest.raises(UserError):
        hostile.sympy()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_as_itself(value: float) -> None:
    assert float(format_number(value)) == value
