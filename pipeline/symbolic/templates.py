"""Templates: expressions whose numbers are replaced by constants, without redundant ones.

`to_template` replaces every number of an engine's expression by a free constant. `shorter` returns
the variants in which one constant has its neutral value (0 or 1).
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from mtl_laws.pipeline.errors import UserError
from mtl_laws.pipeline.symbolic.tree import Tree

STRUCTURE = frozenset([-2.0, -1.0, -0.5, 0.5, 1.0, 2.0])
"""Exponents that are part of the form; every other number is a constant."""

MAX_NODES = 75
"""Templates with more nodes are not fitted."""

_LIKE_SUMS, _LIKE_PRODUCTS = ("+", "-"), ("*", "/")


@lru_cache(maxsize=20_000)
def to_template(text: str, factors: tuple[str, ...]) -> Tree | None:
    """An engine's expression as a template; None where no factor is left or it is too large.

    An expression with named constants is one already, and only renumbered.
    """
    try:
        tree = Tree.parse(text, factors)
    except UserError:
        return None  # a function or a number in words of the engine's own: not a candidate
    if not tree.constants:
        tree = parametrized(tree)
    tree = tree.renumber()
    return tree if tree.factors and tree.complexity <= MAX_NODES else None


def parametrized(tree: Tree) -> Tree:
    """The tree with numbers free, each group of constants that act as one merged into one.

    A whole number or simple fraction that stands as an exponent is part of the form and stays.
    """
    count = 0

    def constant() -> Tree:
        nonlocal count
        count += 1
        return Tree.constant(f"c{count}")

    def free(node: Tree, exponent: bool) -> Tree:
        if node.is_number:
            near = round(node.value, 4)
            return Tree.number(near) if exponent and near in STRUCTURE else constant()
        args = [free(child, node.op == "**" and k == 1) for k, child in enumerate(node.args)]
        return Tree(node.op, tuple(args), node.name, node.value)

    merged, previous = free(tree.simplify(), False), None
    while merged != previous:
        previous, merged = merged, merged.map(_merge)
    return merged


def _is_constant(node: Tree) -> bool:
    return node.op == "constant"


def _merge(node: Tree) -> Tree:
    """A node whose constant operands act as one constant."""
    if node.args and all(_is_constant(child) for child in node.args):
        return node.args[0]
    if node.op == "neg":
        return node if _multiplier(node.args[0]) is None else node.args[0]
    if node.op in _LIKE_SUMS:
        return _merge_operands(node, _LIKE_SUMS)
    if node.op in _LIKE_PRODUCTS:
        return _merge_operands(node, _LIKE_PRODUCTS)
    return _merge_power(node)


def _operands(node: Tree, ops: tuple[str, str], direct: bool = True) -> list[tuple[bool, Tree]]:
    """Operands of a chain of sums or products, each with whether it is added (multiplied)."""
    if node.op not in ops:
        return [(direct, node)]
    left, right = node.args
    same = node.op == ops[0]
    return [*_operands(left, ops, direct), *_operands(right, ops, direct if same else not direct)]


def _merge_operands(node: Tree, ops: tuple[str, str]) -> Tree:
    """A sum with one constant term, a product with one constant factor, equal parts joined."""
    operands = _operands(node, ops)
    constants = [operand for _, operand in operands if _is_constant(operand)]
    rest = [(direct, operand) for direct, operand in operands if not _is_constant(operand)]
    if ops == _LIKE_SUMS:
        rest = _join_terms(rest)
    elif any(_multiplier(operand) is not None for _, operand in rest):
        constants = []  # a constant within an operand takes them up
    if len(constants) <= 1 and len(rest) + len(constants) == len(operands):
        return node
    ordered = [(True, constants[0])] if constants else []
    ordered += sorted(rest, key=lambda pair: not pair[0])
    return _chain(ordered, ops)


def _chain(operands: list[tuple[bool, Tree]], ops: tuple[str, str]) -> Tree:
    direct, tree = operands[0]
    if not direct:
        one = Tree("neg", (tree,)) if ops == _LIKE_SUMS else Tree("/", (Tree.number(1.0), tree))
        tree = one
    for direct, operand in operands[1:]:
        tree = Tree(ops[0] if direct else ops[1], (tree, operand))
    return tree


def _multiplier(node: Tree) -> Tree | None:
    """The constant that multiplies the whole of a node; None where there is none."""
    if _is_constant(node):
        return node
    if node.op in _LIKE_PRODUCTS:
        multipliers = [_multiplier(child) for child in node.args]
        return next((name for name in multipliers if name is not None), None)
    if node.op in _LIKE_SUMS:
        multipliers = [_multiplier(child) for child in node.args]
        return multipliers[0] if all(name is not None for name in multipliers) else None
    if node.op == "neg":
        return _multiplier(node.args[0])
    return None


def _join_terms(terms: list[tuple[bool, Tree]]) -> list[tuple[bool, Tree]]:
    """Terms without those that are a multiple of another term by constants."""
    result: list[tuple[bool, Tree]] = []
    bodies: set[Tree] = set()
    for direct, term in terms:
        body = _without_constants(term)
        has_constant = _multiplier(term) is not None
        if body in bodies and has_constant:
            continue
        if has_constant:
            bodies.add(body)
        result.append((direct, term))
    return result


def _without_constants(term: Tree) -> Tree:
    """A term with its constant factors put to 1."""
    operands = [(d, o) for d, o in _operands(term, _LIKE_PRODUCTS) if not _is_constant(o)]
    return _chain(operands, _LIKE_PRODUCTS) if operands else Tree.number(1.0)


def _merge_power(node: Tree) -> Tree:
    """``(c*x)**p`` as ``c*x**p``, ``(x**p)**q`` as ``x**p``, ``sqrt(c*x)`` as ``c*sqrt(x)``."""
    if node.op not in ("**", "sqrt") or (node.args[-1].factors and node.op == "**"):
        return node
    base = node.args[0]
    if base.op == "**" and node.op == "**" and _is_constant(base.args[1]):
        return base
    if base.op == "**" and node.op == "**" and _is_constant(node.args[1]):
        return Tree("**", (base.args[0], node.args[1])) if not base.args[1].factors else node
    operands = _operands(base, _LIKE_PRODUCTS)
    constants = [operand for _, operand in operands if _is_constant(operand)]
    rest = [(d, o) for d, o in operands if not _is_constant(o)]
    if not constants or not rest:
        return node
    inner = _chain(sorted(rest, key=lambda pair: not pair[0]), _LIKE_PRODUCTS)
    power = Tree(node.op, (inner, *node.args[1:]))
    return Tree("*", (constants[0], power))


def shorter(tree: Tree) -> dict[Tree, tuple[str, ...]]:
    """Variants of a template with one constant put to 0 or to 1 and dropped.

    Returns the variants, each with the names that its remaining constants had in the template.
    """
    variants: dict[Tree, tuple[str, ...]] = {}
    for name in tree.constants:
        for neutral in (0.0, 1.0):
            variant = tree.replace({name: Tree.number(neutral)}).simplify()
            names = dict.fromkeys(n.name for n in variant.walk() if n.op == "constant")
            variants.setdefault(variant.renumber(), tuple(names))
    return variants


def positive_exponents(tree: Tree, negative: Collection[str]) -> tuple[Tree, frozenset[str]]:
    """An equivalent template without negative exponents, if it is no longer than before.

    ``1/(1 + (a/b)**c0)`` is ``1/(1 + (b/a)**c0)`` with the other sign of ``c0``.

    Parameters
    ----------
    negative : constants with a negative value.

    Returns
    -------
    tree, and the constants whose value changes its sign.
    """
    names = [node.name for node in tree.walk() if node.op == "constant"]
    flips: set[str] = set()

    def turned(node: Tree) -> Tree:
        exponent, base = node.args[-1] if node.args else node, node.args[0] if node.args else node
        minus = exponent.op == "neg"
        name = exponent.args[0].name if minus else exponent.name
        if node.op != "**" or name not in tree.constants or names.count(name) > 1:
            return node
        plain = Tree.constant(name)
        if (name in negative) == minus:  # the exponent is positive
            flips.update({name} if minus else ())
            return Tree("**", (base, plain))
        if base.op != "/":
            return node
        flips.update(() if minus else {name})
        return Tree("**", (Tree("/", (base.args[1], base.args[0])).simplify(), plain))

    return tree.map(turned), frozenset(flips)
