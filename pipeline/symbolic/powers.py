"""The power of a factor in a template, and the template with that power as a free constant.

In ``c0 - c1*(n*T**ami)**(-c2)`` the factor n stands in a product, the product under a power: its
*effective* exponent is −c2. The way up from a factor goes on through products, quotients and
powers, whose exponents multiply; it ends at a sum, at a function, or in an exponent.
"""

from __future__ import annotations

from dataclasses import dataclass

from mtl_laws.pipeline.symbolic.tree import Tree


@dataclass(frozen=True, kw_only=True)
class Place:
    """One occurrence of a factor.

    Attributes
    ----------
    power : its effective exponent, in constants and other factors.
    inside : the part of the template that this is the power in.
    shown : that part for a reader: where it is within an exponent, with what that is a power of.
    under : the function that is taken of that part, a logarithm apart; empty where none is.
    logarithm : whether that part stands alone in a logarithm.
    free : whether the factor, before it meets anything else, is raised to a constant already: a
        second one would only share that power with the first.
    """

    power: Tree
    inside: Tree
    shown: Tree
    under: str
    logarithm: bool
    free: bool


def places(tree: Tree, factor: str) -> list[Place]:
    """Every occurrence of the factor, from left to right."""
    return [_place(tree, path) for path in tree.paths(factor)]


def free_power(tree: Tree, factor: str, at: int) -> tuple[Tree, str, float]:
    """The template with one power of the factor free: the tree, the new constant, its start.

    A root or a number that the factor itself stands under gives way to the constant, which then
    starts there: the root of a power has no derivative where the factor is 0.

    Parameters
    ----------
    at : which occurrence, from the left, from 0 on.
    """
    path = tree.paths(factor)[at]
    number = max((int(name[1:]) for name in tree.constants), default=-1) + 1
    name, leaf = f"c{number}", tree.at(path)
    above = _step(tree, path) if path else None
    start = 1.0
    if above is not None and above.is_number and abs(above.value) != 1.0:
        start, path = above.value, path[:-1]
    return tree.put(path, Tree("**", (leaf, Tree.constant(name)))), name, start


def hold(tree: Tree, factor: str, at: int, name: str) -> Tree:
    """The template with one occurrence of the factor, from the left, under a new name."""
    return tree.put(tree.paths(factor)[at], Tree("factor", name=name))


def _place(tree: Tree, path: tuple[int, ...]) -> Place:
    power, free, product_met = Tree.number(1.0), False, False
    while path and (step := _step(tree, path)) is not None:
        parent = tree.at(path[:-1])
        product_met = product_met or parent.op in ("*", "/")
        free = free or (not product_met and bool(step.constants) and not step.factors)
        power = Tree("*", (power, step))
        path = path[:-1]
    above = tree.at(path[:-1]).op if path else ""
    function = above if above in ("log", "exp", "tanh") else ""
    return Place(
        power=power.simplify(),
        inside=tree.at(path),
        shown=tree.at(_with_base(tree, path)),
        under="" if function == "log" else function,
        logarithm=function == "log",
        free=free,
    )


def _with_base(tree: Tree, path: tuple[int, ...]) -> tuple[int, ...]:
    """Path of the power in whose exponent a part stands; its own where it stands in none."""
    for end in range(len(path), 0, -1):
        if tree.at(path[: end - 1]).op == "**" and path[end - 1] == 1:
            return path[: end - 1]
    return path


def _step(tree: Tree, path: tuple[int, ...]) -> Tree | None:
    """The multiplier of the exponent on the way to the parent; None where the way ends."""
    parent, left = tree.at(path[:-1]), path[-1] == 0
    if parent.op in ("neg", "*"):
        return Tree.number(1.0)
    if parent.op == "/":
        return Tree.number(1.0 if left else -1.0)
    if parent.op == "sqrt":
        return Tree.number(0.5)
    return parent.args[1] if parent.op == "**" and left else None
