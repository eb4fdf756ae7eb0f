"""A law's expression as a tree made for typesetting: fractions, roots, signed sums.

A reader expects ``0.9 - 0.5*(n*(1 + ami))**(-0.5)`` as 0.9 minus a fraction with a root in the
denominator. `parse` builds that tree from Python's syntax tree with a whitelist, so that nothing in
a ``laws.json`` is ever executed. The printers (`mathml`, `latex`, `plain`) walk it.

Notation
--------
Sum : signed terms, the sign being +1 or −1.
Product : factors above and below the fraction bar.
Root : degree 2 or 3; other powers are `Power`.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from mtl_laws.pipeline.errors import PipelineError

__all__ = [
    "Call",
    "Constant",
    "Name",
    "Node",
    "Power",
    "Product",
    "Root",
    "Sum",
    "parse",
    "subtracted",
]


@dataclass(frozen=True)
class Constant:
    """A number, never negative (its sign belongs to a `Sum`)."""

    value: float


@dataclass(frozen=True)
class Name:
    """A factor or a named constant."""

    name: str


@dataclass(frozen=True)
class Sum:
    """Terms with their signs; a lone negative term is a minus sign."""

    terms: tuple[tuple[int, Node], ...]


@dataclass(frozen=True)
class Product:
    """``above`` over ``below``; an empty ``above`` is 1, an empty ``below`` no fraction."""

    above: tuple[Node, ...]
    below: tuple[Node, ...]


@dataclass(frozen=True)
class Power:
    """``base`` to the ``exponent``."""

    base: Node
    exponent: Node


@dataclass(frozen=True)
class Root:
    """Square root (degree 2) or cube root (degree 3)."""

    argument: Node
    degree: int


@dataclass(frozen=True)
class Call:
    """A named function of its arguments."""

    function: str
    arguments: tuple[Node, ...]


Node: TypeAlias = Constant | Name | Sum | Product | Power | Root | Call


def parse(expression: str) -> Node:
    """Tree of `expression`, a Python or sympy string.

    Raises
    ------
    PipelineError
        if it is not arithmetic: anything but numbers, names, ``+ - * / **`` and calls by name.
    """
    try:
        return _node(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise PipelineError(f"cannot typeset the expression {expression[:80]!r}") from error


def _node(node: ast.AST) -> Node:
    reader = READERS.get(type(node))
    if reader is None:
        raise ValueError(f"{type(node).__name__} is not arithmetic")
    return reader(node)


def _constant(node: ast.AST) -> Node:
    value = getattr(node, "value", None)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a number")
    return signed_number(float(value))


def signed_number(value: float) -> Node:
    """A number as a node: negative ones carry their sign in a `Sum`."""
    return Constant(value) if value >= 0 else Sum(((-1, Constant(-value)),))


def _name(node: ast.AST) -> Node:
    return Name(str(getattr(node, "id", "")))


def _call(node: ast.AST) -> Node:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.keywords:
        raise ValueError("only calls of plain functions can be typeset")
    arguments = tuple(_node(argument) for argument in node.args)
    if not arguments:
        raise ValueError("a function needs an argument")
    if node.func.id == "sqrt":
        return Root(arguments[0], 2)
    return Call(node.func.id, arguments)


def _unary(node: ast.AST) -> Node:
    if not isinstance(node, ast.UnaryOp) or not isinstance(node.op, ast.USub | ast.UAdd):
        raise ValueError("only plus and minus signs can be typeset")
    inner = _node(node.operand)
    return negative(inner) if isinstance(node.op, ast.USub) else inner


def negative(node: Node) -> Node:
    """``-node``, with the signs inside a sum turned rather than bracketed."""
    if isinstance(node, Sum):
        terms = tuple((-sign, term) for sign, term in node.terms)
        if len(terms) > 1 or terms[0][0] < 0:
            return Sum(terms)
        return terms[0][1]
    return Sum(((-1, node),))


def _binary(node: ast.AST) -> Node:
    if not isinstance(node, ast.BinOp) or type(node.op) not in OPERATIONS:
        raise ValueError("only + - * / ** can be typeset")
    return OPERATIONS[type(node.op)](_node(node.left), _node(node.right))


def add(left: Node, right: Node) -> Node:
    """Sum of two nodes, flattened."""
    return Sum(_terms(left) + _terms(right))


def _terms(node: Node) -> tuple[tuple[int, Node], ...]:
    return node.terms if isinstance(node, Sum) else ((1, node),)


def multiply(left: Node, right: Node) -> Node:
    """Product of two nodes: signs taken out, fraction bars merged, numbers multiplied."""
    sign = 1
    above: list[Node] = []
    below: list[Node] = []
    for factor in (left, right):
        factor_sign, bare = _split_sign(factor)
        sign *= factor_sign
        over, under = (bare.above, bare.below) if isinstance(bare, Product) else ((bare,), ())
        above += over
        below += under
    product = _product(above, below)
    return product if sign > 0 else negative(product)


def _split_sign(node: Node) -> tuple[int, Node]:
    if isinstance(node, Sum) and len(node.terms) == 1:
        return node.terms[0]
    return 1, node


def _product(above: list[Node], below: list[Node]) -> Node:
    over, under = _gather(above), _gather(below)
    if len(over) == 1 and not under:
        return over[0]
    if not over and not under:
        return Constant(1.0)
    return Product(tuple(over), tuple(under))


def _gather(factors: list[Node]) -> list[Node]:
    """Numbers multiplied into one leading coefficient, dropped where it is 1."""
    coefficient = math.prod(f.value for f in factors if isinstance(f, Constant))
    others: list[Node] = [f for f in factors if not isinstance(f, Constant)]
    return others if coefficient == 1 else [Constant(coefficient), *others]


def invert(node: Node) -> Node:
    """One over `node`."""
    sign, bare = _split_sign(node)
    if isinstance(bare, Product):
        inverse = _product(list(bare.below), list(bare.above))
    else:
        inverse = _product([], [bare])
    return inverse if sign > 0 else negative(inverse)


def divide(left: Node, right: Node) -> Node:
    """``left / right``."""
    return multiply(left, invert(right))


def power(base: Node, exponent: Node) -> Node:
    """``base ** exponent``: roots and reciprocals recognised in numeric exponents."""
    value = _value(exponent)
    if value is None:
        sign, bare = _split_sign(exponent)
        return Power(base, exponent) if sign > 0 else invert(Power(base, bare))
    if value < 0:
        return invert(power(base, Constant(-value)))
    if value == 1:
        return base
    for degree in (2, 3):
        if math.isclose(value, 1 / degree, rel_tol=1e-12):
            return Root(base, degree)
    return Power(base, Constant(value))


def _value(node: Node) -> float | None:
    """The number a node stands for, if it holds no name."""
    sign, bare = _split_sign(node)
    if isinstance(bare, Constant):
        return sign * bare.value
    if isinstance(bare, Product) and all(isinstance(f, Constant) for f in bare.above + bare.below):
        above = math.prod(f.value for f in bare.above if isinstance(f, Constant))
        below = math.prod(f.value for f in bare.below if isinstance(f, Constant))
        return sign * above / below if below else None
    return None


def subtracted(expression: str) -> list[str]:
    """Names that occur once in `expression`, as a subtracted term or a factor of one.

    Raises
    ------
    PipelineError
        if it is not arithmetic.
    """
    tree = parse(expression)
    names = [node.name for node in _walk(tree) if isinstance(node, Name)]
    candidates = [
        factor.name
        for node in _walk(tree)
        if isinstance(node, Sum)
        for sign, term in node.terms
        if sign < 0
        for factor in (term.above if isinstance(term, Product) else (term,))
        if isinstance(factor, Name)
    ]
    return [name for name in candidates if names.count(name) == 1]


def _walk(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    yield node
    for child in _children(node):
        yield from _walk(child)


def _children(node: Node) -> tuple[Node, ...]:
    match node:
        case Sum(terms):
            return tuple(term for _, term in terms)
        case Product(above, below):
            return (*above, *below)
        case Power(base, exponent):
            return base, exponent
        case Root(argument, _):
            return (argument,)
        case Call(_, arguments):
            return arguments
    return ()


READERS: Mapping[type[ast.AST], Callable[[ast.AST], Node]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Call: _call,
    ast.UnaryOp: _unary,
    ast.BinOp: _binary,
}
OPERATIONS: Mapping[type[ast.operator], Callable[[Node, Node], Node]] = {
    ast.Add: add,
    ast.Sub: lambda left, right: add(left, negative(right)),
    ast.Mult: multiply,
    ast.Div: divide,
    ast.Pow: power,
}
