"""Effective quantities: what is named says the same as before, and only what adds up is named."""

from __future__ import annotations

import numpy as np
import pytest

from mtl_laws.pipeline.symbolic.effective import effective_form
from mtl_laws.pipeline.symbolic.program import Expression
from mtl_laws.pipeline.symbolic.typeset import formula_latex, formula_markup, formula_text

FACTORS = ("n", "T", "ami", "m")
NAMED = {
    "0.9 - 0.7/(1 + (n*T**(0.75*ami**0.4)/579)**1.36)": "n * T ** (0.75 * ami ** 0.4)",
    "0.9/(1 + 376/(n*T**0.6))": "n * T ** 0.6",
    "0.9 - 3/sqrt(n*(1 + (T - 1)*ami**0.5))": "n * (1 + (T - 1) * ami ** 0.5)",
    "0.9 - 3*(n + 0.5*m*ami)**(-0.5)": "n + 0.5 * m * ami",
    "0.9 - 0.8*exp(-n*T/300) - 0.1*exp(-T*n/50)": "n * T",
    "0.2 + 0.3/(1 + n/T)": "n / T",
    "0.2 + 3*n*T": "n * T",
}
PLAIN = [
    "0.9 - 3/sqrt(n)",
    "0.9 - 3/(n + 937)**0.5",
    "n*T",
    "n + T",
    "0.3*n/(n + T)",
    "n**0.5*T**0.2 + 1",
    "0.4",
]


@pytest.mark.parametrize("expression", NAMED)
def test_the_named_part_put_back_gives_the_same_values(expression: str) -> None:
    form = effective_form(expression, FACTORS)
    assert form.part == NAMED[expression]
    random = np.random.default_rng(0)
    point = {name: random.uniform(1.0, 5.0, 20) for name in FACTORS}
    expected = Expression.parse(expression, FACTORS).evaluate(point)
    part = Expression.parse(form.part, FACTORS).evaluate(point)
    whole = Expression.parse(form.main, (*FACTORS, form.name)).evaluate({**point, form.name: part})
    assert whole == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("expression", PLAIN)
def test_nothing_is_named_where_nothing_is_gained(expression: str) -> None:
    form = effective_form(expression, FACTORS)
    assert (form.main, form.name, form.part) == (expression, "", "")


def test_the_amount_of_data_is_looked_for_first() -> None:
    expression = "0.9 - 3/sqrt(n*T)"
    assert effective_form(expression, ("T", "n")).name == "T_eff"
    assert effective_form(expression, ("T", "n"), "n").name == "n_eff"


def test_a_factor_of_that_name_keeps_it() -> None:
    form = effective_form("0.9 - 3/sqrt(n*n_eff)", ("n", "n_eff"))
    assert form.name == "n_eff_eff"


def test_an_effective_quantity_has_an_index_in_every_notation() -> None:
    assert formula_text("2*n_eff") == "2·n_eff"
    assert formula_latex("2*n_eff") == r"2 \, n_{\mathrm{eff}}"
    assert "<msub><mi>n</mi><mi>eff</mi></msub>" in formula_markup("2*n_eff")
    assert formula_latex("c0*f1") == r"c_{0} \cdot \mathrm{f1}"
