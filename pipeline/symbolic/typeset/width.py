"""Approximate width of a typeset formula, so that a narrow page can set it smaller.

Notation
--------
em : width of the font's M; widths are in em, summed over the pieces that stand side by side.
"""

from __future__ import annotations

from mtl_laws.pipeline.symbolic.typeset.formula import (
    Call,
    Constant,
    Name,
    Node,
    Power,
    Product,
    Root,
    Sum,
    parse,
)
from mtl_laws.pipeline.symbolic.typeset.numbers import parts
from mtl_laws.pipeline.symbolic.typeset.symbols import symbol

LETTER, SIGN, BRACKETS, SCRIPT = 0.56, 0.85, 0.85, 0.72


def formula_width(expression: str, digits: int | None = 3) -> float:
    """Width of `expression` in em, a little generous."""
    return _width(parse(expression), digits)


def name_width(name: str) -> float:
    """Width of a name in em."""
    parted = symbol(name)
    return LETTER * (len(parted.letter) + SCRIPT * len(parted.subscript)) + 0.1


def _width(node: Node, digits: int | None) -> float:
    match node:
        case Constant(value):
            mantissa, exponent = parts(value, digits)
            raised = 4 * LETTER + SCRIPT * len(str(exponent)) if exponent else 0.0
            width = LETTER * len(mantissa) + raised
        case Name(name):
            width = name_width(name)
        case Sum(terms):
            width = sum(SIGN + _width(term, digits) for _, term in terms)
        case Product(above, below):
            width = max(_side_by_side(above, digits), _side_by_side(below, digits)) + 0.2
        case Power(base, exponent):
            width = _side_by_side((base, Constant(0)), digits) + SCRIPT * _width(exponent, digits)
        case Root(argument):
            width = SIGN + _width(argument, digits)
        case Call(function, arguments):
            width = LETTER * len(function) + BRACKETS + _side_by_side(arguments, digits)
    return width


def _side_by_side(nodes: tuple[Node, ...], digits: int | None) -> float:
    """Factors or arguments in a row, sums among them in brackets."""
    fenced = BRACKETS if len(nodes) > 1 else 0.0
    widths = [_width(node, digits) + (fenced if isinstance(node, Sum) else 0.15) for node in nodes]
    return sum(widths)
