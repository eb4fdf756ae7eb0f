"""With which power a factor stands in a template, and the template with that power set free.

In ``c0 - c1*(n*T**ami)**(-c2)`` the factor n stands in a product, the product under a power: its
*effective* exponent is −c2. The way up from a factor goes on through products, quotients and
powers, whose exponents multiply; it ends at a sum, at a function, or in an exponent.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from pipeline.symbolic.simplify import simplify
from pipeline.symbolic.templates import in_order

#: where the way up may go on, besides products, quotients and powers
ROOT = "sqrt"


@dataclass(frozen=True)
class Place:
    """One occurrence of a factor.

    Attributes
    ----------
    power : its effective exponent, as text in constants and other factors.
    inside : the part of the template that this is the power in.
    shown : that part for a reader: where it is within an exponent, with what that is a power of.
    under : the function that is taken of that part, a logarithm apart; empty where none is.
    logarithm : whether that part stands alone in a logarithm.
    free : whether the factor, before it meets anything else, is raised to a constant already: a
        second one would only share that power with the first.
    """

    power: str
    inside: str
    logarithm: bool
    free: bool = False
    shown: str = ""
    under: str = ""


def free_power(text: str, factor: str, at: int) -> tuple[str, str, float]:
    """The template with one power of the factor free: the text, the new constant, its start.

    A root or a number that the factor itself stands under gives way to the constant, which then
    starts there: the root of a power has no derivative where the factor is 0.

    Parameters
    ----------
    at : which occurrence, from the left, from 0 on.
    """
    constants = [int(name[1:]) for name in in_order(text)]
    name = f"c{max(constants, default=-1) + 1}"
    tree = ast.parse(text.strip(), mode="eval").body
    node: ast.expr = _occurrences(tree, factor)[at]
    above = _parents(tree).get(id(node))
    start = _fixed_power(_step(node, above))
    if isinstance(above, ast.expr) and start is not None:
        node = above
    raised = f"{text.strip()[: node.col_offset]}({factor}**{name})"
    whole = raised + text.strip()[node.end_col_offset :]
    return ast.unparse(ast.parse(whole, mode="eval").body), name, start or 1.0


def hold(text: str, factor: str, at: int, name: str) -> str:
    """The template with one occurrence of the factor, from the left, under a name of its own."""
    node = _occurrences(ast.parse(text.strip(), mode="eval").body, factor)[at]
    return f"{text.strip()[: node.col_offset]}{name}{text.strip()[node.end_col_offset :]}"


def _fixed_power(step: str | None) -> float | None:
    """The power as a number, where it is one that replaces what stands there."""
    try:
        power = float(step) if step is not None else 1.0
    except ValueError:
        return None
    return power if abs(power) != 1.0 else None


def places(text: str, factor: str) -> list[Place]:
    """Every occurrence of the factor, from left to right."""
    tree = ast.parse(text.strip(), mode="eval").body
    return [_place(node, _parents(tree)) for node in _occurrences(tree, factor)]


def _parents(tree: ast.expr) -> dict[int, ast.AST]:
    return {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}


def _occurrences(tree: ast.expr, factor: str) -> list[ast.Name]:
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == factor]
    return sorted(found, key=lambda node: node.col_offset)


def _place(node: ast.expr, parents: dict[int, ast.AST]) -> Place:
    power, free = "1", _has_free_power(node, parents)
    while (step := _step(node, parents.get(id(node)))) is not None:
        power = f"({power})*({step})"
        node = _expr(parents[id(node)])
    above = parents.get(id(node))
    called = above.func if isinstance(above, ast.Call) else None
    function = called.id if isinstance(called, ast.Name) else ""
    logarithm = function == "log"
    shown = ast.unparse(_with_base(node, parents))
    under = "" if logarithm else function
    return Place(simplify(power), ast.unparse(node), logarithm, free, shown, under)


def _with_base(node: ast.expr, parents: dict[int, ast.AST]) -> ast.expr:
    """The power in whose exponent a part stands; the part itself where it stands in none."""
    at: ast.AST = node
    while (above := parents.get(id(at))) is not None:
        if isinstance(above, ast.BinOp) and isinstance(above.op, ast.Pow) and above.right is at:
            return above
        at = above
    return node


def _has_free_power(node: ast.expr, parents: dict[int, ast.AST]) -> bool:
    """Whether a power of nothing but constants, one of them free, is met before a product."""
    while (step := _step(node, parents.get(id(node)))) is not None:
        above = _expr(parents[id(node)])
        if isinstance(above, ast.BinOp) and not isinstance(above.op, ast.Pow):
            return False
        names = {n.id for n in ast.walk(ast.parse(step)) if isinstance(n, ast.Name)}
        if names and names <= set(in_order(step)):
            return True
        node = above
    return False


def _step(node: ast.expr, parent: ast.AST | None) -> str | None:
    """By what the exponent is multiplied on the way to the parent; None where the way ends."""
    if isinstance(parent, ast.UnaryOp):
        return "1"
    if isinstance(parent, ast.Call):
        root = isinstance(parent.func, ast.Name) and parent.func.id == ROOT
        return "0.5" if root else None
    if not isinstance(parent, ast.BinOp):
        return None
    left = parent.left is node
    if isinstance(parent.op, ast.Mult):
        return "1"
    if isinstance(parent.op, ast.Div):
        return "1" if left else "-1"
    return ast.unparse(parent.right) if isinstance(parent.op, ast.Pow) and left else None


def _expr(node: ast.AST) -> ast.expr:
    assert isinstance(node, ast.expr)
    return node
