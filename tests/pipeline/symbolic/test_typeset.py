"""What is typeset means what the law computes, whatever the notation."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_laws.pipeline.errors import PipelineError
from mtl_laws.pipeline.symbolic.typeset.latex import formula_latex
from mtl_laws.pipeline.symbolic.typeset.mathml import formula_markup
from mtl_laws.pipeline.symbolic.typeset.plain import formula_text
from mtl_laws.pipeline.symbolic.typeset.width import formula_width

NAMES = ("n", "T", "ami", "S", "N", "E", "beta", "lambda_", "n_aux")
VALUES = {name: 1.3 + 0.37 * place for place, name in enumerate(NAMES)}
FUNCTIONS = {"sqrt": math.sqrt, "log": math.log, "exp": math.exp, "tanh": math.tanh}


def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(inner, inner)
    return st.one_of(
        pair.map("({0[0]} + {0[1]})".format),
        pair.map("({0[0]} - {0[1]})".format),
        pair.map("({0[0]}*{0[1]})".format),
        pair.map("({0[0]}/{0[1]})".format),
        pair.map("({0[0]})**({0[1]})".format),
        inner.map("-({})".format),
        inner.map("sqrt({})".format),
        inner.map("({})**(-0.5)".format),
        inner.map("tanh({})".format),
        inner.map("log({})".format),
        inner.map("exp({})".format),
    )


LEAVES = st.one_of(
    st.sampled_from(NAMES), st.sampled_from(["2", "0.5", "1", "3.25e-07", "-1.5", "0.333"])
)
EXPRESSIONS = st.recursive(LEAVES, grow, max_leaves=8)


def value(text: str) -> float | complex:
    try:
        return eval(text, {"__builtins__": {}}, {**VALUES, **FUNCTIONS})
    except (ZeroDivisionError, OverflowError, ValueError, TypeError):
        return math.nan


def same(left: float | complex, right: float | complex) -> bool:
    if isinstance(left, complex) or isinstance(right, complex) or math.isnan(left):
        return True  # no real value there: nothing to compare
    return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12)


def from_plain(text: str) -> str:
    """Python again, from one line of Unicode."""
    digits = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
    text = re.sub(r"×10([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)", lambda m: f"e{m[1].translate(digits)}", text)
    text = re.sub(r"√([\w.]+)", r"√(\1)", text)
    for symbol, python in (("−", "-"), ("·", "*"), ("^", "**"), ("√", "sqrt"), ("ln(", "log(")):
        text = text.replace(symbol, python)
    return text


def from_mathml(element: ElementTree.Element) -> str:
    """Python again, from presentation MathML; a row adds no brackets of its own."""
    parts = [from_mathml(child) for child in element]
    match element.tag:
        case "mfrac":
            return f"(({parts[0]})/({parts[1]}))"
        case "msqrt":
            return f"sqrt({''.join(parts)})"
        case "msup" if parts[0] == "e":
            return f"exp({parts[1]})"
        case "msup":
            base = element[0]
            atom = base.tag in ("mi", "mn", "msub", "msqrt") or parts[0].startswith("(")
            assert atom, "a power must stand on an atom or a bracket"
            return f"({parts[0]})**({parts[1]})"
        case "msub":
            return f"{parts[0]}_{parts[1]}"
    token = (element.text or "").translate(
        {ord("−"): "-", ord("×"): "*", ord("·"): "*", 0x2062: "*", 0x2061: ""}
    )
    named = {"λ": "lambda_", "β": "beta", "ln": "log"}.get(token, token)
    return named + "".join(parts)


@settings(max_examples=250, deadline=None)
@given(EXPRESSIONS)
def test_plain_text_means_the_expression(expression: str) -> None:
    assert same(value(expression), value(from_plain(formula_text(expression, digits=None))))


@settings(max_examples=250, deadline=None)
@given(EXPRESSIONS)
def test_mathml_means_the_expression(expression: str) -> None:
    root = ElementTree.fromstring(formula_markup(expression, digits=None))
    assert same(value(expression), value(from_mathml(root)))


@settings(max_examples=100, deadline=None)
@given(EXPRESSIONS)
def test_latex_is_balanced_and_the_width_positive(expression: str) -> None:
    text = formula_latex(expression, "accuracy")
    assert text.count("{") == text.count("}")
    assert text.count(r"\left(") == text.count(r"\right)")
    assert formula_width(expression) > 0


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("0.9 - 0.5*(n*(ami*(T - 1) + 1))**(-0.5)", "0.9 − 0.5/√(n·(ami·(T − 1) + 1))"),
        ("-0.5*x + 0.9", "0.9 − 0.5·x"),
        ("0.123456*log(n)", "0.123·ln(n)"),
        ("c0 - c1*n**(-c2)", "c₀ − c₁/n^c₂"),
        ("1234567.0*x", "1.23×10⁶·x"),
        ("a/b/c", "a/(b·c)"),
        ("(a + b)**0.5/(-3)", "−√(a + b)/3"),
    ],
)
def test_a_reader_sees_fractions_roots_and_three_digits(expression: str, text: str) -> None:
    assert formula_text(expression) == text


def test_names_are_typeset_as_symbols() -> None:
    assert "<mi>λ</mi>" in formula_markup("lambda_*2")
    assert "<msub><mi>c</mi><mn>0</mn></msub>" in formula_markup("c0*n")
    assert formula_latex("beta*c0", "N") == r"N = \beta \, c_{0}"


@pytest.mark.parametrize("name", ["f1", "x12", "error_rate", "n_aux", "beta_1", "_hidden", "σ_0"])
def test_a_name_of_several_letters_is_a_word_not_an_index(name: str) -> None:
    """Upright and whole: in MathML an ``mi`` of several letters is, by its definition."""
    word = name.strip("_")
    assert f"<mi>{word}</mi>" in formula_markup(f"2*{name}")
    escaped = word.replace("_", r"\_")
    assert formula_latex("2*T", name) == rf"\mathrm{{{escaped}}} = 2 \, T"
    assert "_{" not in formula_latex(name)
    assert formula_text(f"2*{name}").endswith(word)


@pytest.mark.parametrize(
    "hostile",
    ["__import__('os')", "x.y", "x[0]", "lambda: 1", "'a'", "f(*x)", "True", "a and b"],
)
def test_what_is_not_arithmetic_is_refused(hostile: str) -> None:
    with pytest.raises(PipelineError, match="cannot typeset"):
        formula_markup(hostile)


def test_a_long_exponent_is_written_as_a_function() -> None:
    assert "<msup><mi>e</mi>" in formula_markup("exp(-2*x)")
    assert "<mi>exp</mi>" in formula_markup("exp(-(n/300)**0.5)")
    assert formula_latex("c0*exp(-(n/c1)**0.5)").startswith(r"c_{0} \cdot \exp\left(")


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("1.0003*n", "n"),
        ("n**(1.0001*ami**0.5)", "n^(√ami)"),
        ("n/1.0001", "n"),
        ("1.0/n", "1/n"),
        ("0.9 - 1.0*n**-0.5", "0.9 − 1/√n"),
        ("1.0001", "1"),
        ("n**1.0", "n"),
    ],
)
def test_factors_and_exponents_that_print_as_one_are_left_out(expression: str, text: str) -> None:
    assert formula_text(expression) == text
