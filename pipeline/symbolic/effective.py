"""Effective quantities: the part of a law by which other factors multiply or add to one of them.

``0.9 - 0.7/(1 + (n*T**0.4/500)**1.3)`` reads better as ``0.9 - 0.7/(1 + (n_eff/500)**1.3)`` with
``n_eff = n*T**0.4``: T tasks act like more data.

>>> effective_form("0.9 - 2*(n*T**0.4)**(-0.5)", ["n", "T"])
EffectiveForm(main='0.9 - 2 * n_eff ** (-0.5)', name='n_eff', part='n * T ** 0.4')
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TypeAlias

from mtl_laws.pipeline.symbolic.tree import Tree

SUFFIX = "_eff"

Signed: TypeAlias = list[tuple[int, Tree]]
"""Terms of a sum with their signs, or factors of a product: +1 above and −1 below the bar."""


@dataclass(frozen=True)
class EffectiveForm:
    """An expression with its effective quantity under a name.

    Attributes
    ----------
    main : the expression, in which `name` stands for `part`.
    name, part : empty where the expression has no such part.
    """

    main: str
    name: str = ""
    part: str = ""


def effective_form(expression: str, factors: Sequence[str], size: str = "") -> EffectiveForm:
    """The expression with its effective quantity under a name, if it has one.

    Parameters
    ----------
    factors : every name that is no constant.
    size : the factor to look for first, such as the amount of data.

    Raises
    ------
    UserError
        if it is not an expression.
    """
    tree = Tree.parse(expression, factors)
    for factor in dict.fromkeys([*([size] if size in factors else []), *factors]):
        part = next(filter(None, (_part(node, factor) for node in _tops(tree))), None)
        name = f"{factor}{SUFFIX}"
        if part is None or name in factors:
            continue
        main = _named(tree, factor, part, Tree("factor", name=name))
        mixed = _kind(part) == "sum" and factor in main.factors
        if not mixed and main.op != "factor":
            return EffectiveForm(main.text, name, part.text)
        break
    return EffectiveForm(expression)


def _tops(tree: Tree) -> list[Tree]:
    """Every node that is not within a sum or product of its own kind, outer ones first."""
    nodes, kind = [tree], _kind(tree)
    for child in tree.args:
        below = _tops(child)
        nodes += below[1:] if kind and _kind(child) == kind else below
    return nodes


def _kind(tree: Tree) -> str:
    return {"*": "product", "/": "product", "+": "sum", "-": "sum"}.get(tree.op, "")


def _pieces(tree: Tree, kind: str) -> Signed:
    """The factors of a product or the terms of a sum, from left to right, with their signs."""
    if kind == "product" and tree.op == "neg":
        return [(1, Tree.number(-1.0)), *_pieces(tree.args[0], kind)]
    if _kind(tree) != kind:
        return [(1, tree)]
    turned = -1 if tree.op in ("/", "-") else 1
    right = [(turned * sign, node) for sign, node in _pieces(tree.args[1], kind)]
    return [*_pieces(tree.args[0], kind), *right]


def _part(tree: Tree, factor: str) -> Tree | None:
    """The effective quantity that a sum or product holds for a factor; None where it holds none."""
    kind = _kind(tree)
    if not kind:
        return None
    pieces = _pieces(tree, kind)
    if kind == "sum":
        return tree if _is_effective_sum(pieces, factor) else None
    sign = next((sign for sign, node in pieces if _is(node, factor)), 0)
    others = [(sign * s, node) for s, node in pieces if node.factors and not _is(node, factor)]
    alone = len(pieces) - len(others) - sum(not node.factors for _, node in pieces) == 1
    if not sign or not alone or not others or any(factor in node.factors for _, node in others):
        return None
    return _product([(1, Tree("factor", name=factor)), *others])


def _is_effective_sum(pieces: Signed, factor: str) -> bool:
    """Whether it is the factor itself and terms that only add what other factors are worth."""
    itself = [node for sign, node in pieces if sign > 0 and _is(node, factor)]
    others = [node for _, node in pieces if not _is(node, factor)]
    adds = all(set(node.factors) - {factor} for node in others)
    return len(itself) == 1 and bool(others) and adds and all(sign > 0 for sign, _ in pieces)


def _is(node: Tree, factor: str) -> bool:
    return node.op == "factor" and node.name == factor


def _named(tree: Tree, factor: str, part: Tree, name: Tree) -> Tree:
    """The tree with `name` wherever `part` is; what multiplies it stays."""
    if _part(tree, factor) != part:
        args = tuple(_named(child, factor, part, name) for child in tree.args)
        return Tree(tree.op, args, tree.name, tree.value)
    if _kind(tree) == "sum":
        return name
    kept = [
        (sign, name if _is(node, factor) else node)
        for sign, node in _pieces(tree, "product")
        if _is(node, factor) or not node.factors
    ]
    return _product(kept)


def _product(factors: Signed) -> Tree:
    above = [node for sign, node in factors if sign > 0] or [Tree.number(1.0)]
    below = [node for sign, node in factors if sign < 0]
    product = reduce(lambda left, right: Tree("*", (left, right)), above)
    return reduce(lambda left, right: Tree("/", (left, right)), below, product)
