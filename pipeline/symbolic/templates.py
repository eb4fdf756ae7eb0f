"""From an expression with numbers to templates: numbers become constants, redundant ones go.

An engine's expression holds numbers that its own fit needed and the law may not. `to_template`
gives the expression with every number free, `shorten` the variants in which one constant after
another is put to its neutral value (0 or 1), as long as the fit does not suffer much.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from pipeline.errors import UserError
from pipeline.symbolic.fit import Fit, Sample, fit_constants, propose_starts
from pipeline.symbolic.simplify import simplify
from pipeline.symbolic.tree import Expression, Floats, substitute

Fitted: TypeAlias = tuple[str, Fit]
CONSTANT = re.compile(r"\bc\d+\b")

#: a variant may fit worse by this factor in error than the expression it comes from
LOOSENESS = 1.35
#: expressions that are larger than this many nodes after simplification are not worth a refit
MAX_NODES = 60
#: numbers that are structure where sympy holds them exactly
STRUCTURE = frozenset([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0])


def symbols(factors: tuple[str, ...]) -> dict[str, Any]:
    """Sympy symbols of the factors: positive, so that powers and logarithms simplify."""
    import sympy

    return {name: sympy.Symbol(name, positive=True) for name in factors}


def to_sympy(text: str, factors: tuple[str, ...]) -> Any:
    """The expression as sympy sees it; refused by the whitelist before sympy reads it."""
    import sympy

    expression = Expression.parse(text, factors)
    known = symbols(factors) | {c: sympy.Symbol(c, real=True) for c in expression.constants}
    return sympy.sympify(text, locals=known)


@lru_cache(maxsize=20_000)
def abstract(text: str, factors: tuple[str, ...]) -> tuple[str, tuple[float, ...]] | None:
    """Template of an expression and the numbers it stood at; None where sympy finds no real value.

    Whole numbers and simple fractions that stand as exponents, and a leading −1, are structure and
    stay; every other number becomes a constant.
    """
    import sympy

    expression = to_sympy(text, factors)
    if expression.has(sympy.I, sympy.zoo, sympy.nan, sympy.oo):
        return None
    values: list[float] = []

    def free(node: Any) -> Any:
        if node.is_Float or (node.is_Rational and float(node) not in STRUCTURE):
            values.append(float(node))
            return sympy.Symbol(f"c{len(values) - 1}", real=True)
        if node.is_Atom:
            return node
        return node.func(*[free(child) for child in node.args], evaluate=False)

    template = str(free(_rounded(expression)))
    return template, tuple(values)


def _rounded(expression: Any) -> Any:
    """Exponents that are a whole number to four digits become that number."""
    import sympy

    def snap(power: Any) -> Any:
        exponent = power.exp
        if exponent.is_Float and abs(exponent - round(exponent)) < 1e-4 and abs(exponent) < 3:
            return sympy.Pow(power.base, sympy.Integer(round(exponent)))
        return power

    return expression.replace(lambda node: node.is_Pow, snap)


def shorter(text: str, values: Mapping[str, float]) -> dict[str, list[float]]:
    """Variants of a template with one constant put to 0 or to 1 and dropped.

    Returns the variants, each with the values that its remaining constants have in `values`.
    """
    variants: dict[str, list[float]] = {}
    for name in values:
        for neutral in ("0", "1"):
            variant = simplify(substitute(text, {name: neutral}))
            variants.setdefault(renumber(variant), [values[c] for c in in_order(variant)])
    return variants


def in_order(text: str) -> list[str]:
    """Names of the constants in order of first appearance."""
    return list(dict.fromkeys(CONSTANT.findall(text)))


def renumber(text: str) -> str:
    """Constants numbered ``c0, c1, …`` in order of appearance, neutral elements gone."""
    order = {name: f"c{k}" for k, name in enumerate(in_order(text))}
    return simplify(CONSTANT.sub(lambda m: order[m[0]], text))


def to_template(text: str, factors: tuple[str, ...]) -> str | None:
    """An engine's expression as a template; None where nothing real or finite is left of it."""
    if Expression.parse(text, factors).constants:
        return renumber(text)
    try:
        pair = abstract(text, factors)
    except (UserError, TypeError, ValueError, ZeroDivisionError):
        return None  # sympy met a form it cannot print in our words: not a candidate
    if pair is None or not Expression.parse(pair[0], factors).factors:
        return None
    return renumber(pair[0]) if Expression.parse(pair[0], factors).complexity <= MAX_NODES else None


def shorten(text: str, theta: Floats, sample: Sample, seed: int) -> list[str]:
    """Ever shorter variants of a template, from its constants on.

    Each round drops the constant that costs least; the path ends where the error has grown by more
    than `LOOSENESS` over the first.
    """
    factors = tuple(sample.columns)
    current = _fitted(text, factors, sample, seed, theta.tolist())
    first, found = current, []
    while current is not None and first is not None:
        current = _best_shorter(current, factors, sample, seed)
        if current is None or current[1].error > LOOSENESS * first[1].error:
            break
        found.append(current[0])
    return found


def _fitted(
    text: str, factors: tuple[str, ...], sample: Sample, seed: int, known: Sequence[float] = ()
) -> Fitted | None:
    expression = Expression.parse(text, factors)
    if expression.complexity > MAX_NODES or not expression.factors:
        return None
    starts = propose_starts(expression, sample, 4, seed)
    if known:
        starts = np.vstack([np.array([known], dtype=float), starts])
    fit = fit_constants(expression, sample, starts, iterations=20)
    return (text, fit) if fit else None


def _best_shorter(
    current: Fitted, factors: tuple[str, ...], sample: Sample, seed: int
) -> Fitted | None:
    expression = Expression.parse(current[0], factors)
    values = dict(zip(expression.constants, current[1].theta.tolist(), strict=True))
    tried = [
        _fitted(text, factors, sample, seed, known)
        for text, known in shorter(current[0], values).items()
        if Expression.parse(text, factors).complexity < expression.complexity
    ]
    return min(filter(None, tried), key=lambda pair: pair[1].error, default=None)
