"""Neutral elements: what is left of an expression when some of its constants are 0 or 1.

Sympy rewrites what it simplifies ((2·T)^a becomes 2^a·T^a, two nodes more); these rules only ever
take nodes away.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

Rule: TypeAlias = Callable[[ast.expr, ast.expr], ast.expr | None]


def simplify(text: str) -> str:
    """The expression without neutral elements and with numbers folded; never longer than before."""
    return ast.unparse(_fold(ast.parse(text.strip(), mode="eval").body))


def _fold(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.BinOp):
        left, right = _fold(node.left), _fold(node.right)
        if isinstance(node.op, ast.Add | ast.Sub):
            node, right = _signed(node, right)
        shorter = RULES[type(node.op)](left, right) if type(node.op) in RULES else None
        return shorter or _both_numbers(ast.BinOp(left, node.op, right))
    if isinstance(node, ast.UnaryOp):
        inner = _fold(node.operand)
        known = _number(inner)
        return _constant(-known) if known is not None else ast.UnaryOp(node.op, inner)
    if isinstance(node, ast.Call):
        return _call(ast.Call(node.func, [_fold(argument) for argument in node.args], []))
    return node


def _signed(node: ast.BinOp, right: ast.expr) -> tuple[ast.BinOp, ast.expr]:
    """A sum whose second term starts with a minus, as a difference; and the other way round."""
    bare = _without_minus(right)
    if bare is None or _number(right) is not None:
        return node, right
    flipped: ast.operator = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
    return ast.BinOp(node.left, flipped, bare), bare


def _without_minus(node: ast.expr) -> ast.expr | None:
    """A term without its leading minus; None where it has none."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return node.operand
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        bare = _without_minus(node.left)
        return None if bare is None else ast.BinOp(bare, node.op, node.right)
    return None


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _number(node.operand)
        return None if inner is None else -inner
    return None


def _constant(value: float) -> ast.expr:
    whole = float(value).is_integer() and abs(value) < 1e15
    number = ast.Constant(int(abs(value)) if whole else abs(value))
    return ast.UnaryOp(ast.USub(), number) if value < 0 else number


def _both_numbers(node: ast.BinOp) -> ast.expr:
    a, b = _number(node.left), _number(node.right)
    if a is None or b is None:
        return node
    try:
        value = ARITHMETIC[type(node.op)](a, b)
    except (ZeroDivisionError, OverflowError):
        return node
    return _constant(value) if isinstance(value, float) and math.isfinite(value) else node


def _call(node: ast.Call) -> ast.expr:
    known = _number(node.args[0])
    if known is None or not isinstance(node.func, ast.Name):
        return node
    exact = {("log", 1.0): 0.0, ("exp", 0.0): 1.0, ("sqrt", 1.0): 1.0, ("sqrt", 0.0): 0.0}
    value = exact.get((node.func.id, known))
    return node if value is None else _constant(value)


def _add(a: ast.expr, b: ast.expr) -> ast.expr | None:
    return b if _number(a) == 0 else a if _number(b) == 0 else None


def _subtract(a: ast.expr, b: ast.expr) -> ast.expr | None:
    if _number(b) == 0:
        return a
    return ast.UnaryOp(ast.USub(), b) if _number(a) == 0 and _number(b) is None else None


def _multiply(a: ast.expr, b: ast.expr) -> ast.expr | None:
    if _number(a) == 0 or _number(b) == 0:
        return _constant(0.0)
    return b if _number(a) == 1 else a if _number(b) == 1 else None


def _divide(a: ast.expr, b: ast.expr) -> ast.expr | None:
    return a if _number(b) == 1 or (_number(a) == 0 and _number(b) is None) else None


def _power(a: ast.expr, b: ast.expr) -> ast.expr | None:
    if _number(b) == 0 or _number(a) == 1:
        return _constant(1.0)
    return a if _number(b) == 1 else None


RULES: Mapping[type[ast.operator], Rule] = {
    ast.Add: _add,
    ast.Sub: _subtract,
    ast.Mult: _multiply,
    ast.Div: _divide,
    ast.Pow: _power,
}
ARITHMETIC: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
}
