"""Polynomials in the logarithms of factors: products of powers with varying exponents.

``N**(c1 + c2*log(D))*D**c3`` is ``exp(c1*log(N) + c2*log(D)*log(N) + c3*log(D))``. This
form shows which constants absorb a change of unit (`scaling`), and that the logarithm of the target
is linear in all constants (`starts`). Economics calls it translog (Christensen, Jorgenson and Lau
1973).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mtl_laws.pipeline.symbolic.tree import Tree


@dataclass(frozen=True)
class Monomial:
    """A term of a polynomial: number · constants · other parts · logarithms.

    Attributes
    ----------
    number : the numbers in it, with its sign.
    constants : names of the constants that multiply it.
    others : everything else that multiplies it, as text, sorted.
    logs : factors whose logarithm multiplies it, sorted; one that occurs twice stands twice.
    """

    number: float = 1.0
    constants: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()

    def times(self, other: Monomial) -> Monomial:
        """The product of two terms."""
        return Monomial(
            self.number * other.number,
            self.constants + other.constants,
            tuple(sorted(self.others + other.others)),
            tuple(sorted(self.logs + other.logs)),
        )


@lru_cache(maxsize=50_000)
def polynomial(tree: Tree, factors: frozenset[str]) -> tuple[Monomial, ...] | None:
    """The terms of a polynomial in logarithms of `factors`; None for any other form."""
    inside = factors.intersection(tree.factors)
    if tree.op in ("number", "constant"):
        names = (tree.name,) if tree.op == "constant" else ()
        return (Monomial(number=1.0 if names else tree.value, constants=names),)
    if tree.op == "log" and tree.args[0].op == "factor" and inside:
        return (Monomial(logs=(tree.args[0].name,)),)
    if tree.op == "**" and tree.args[1] == Tree.number(2.0):
        tree = Tree("*", (tree.args[0], tree.args[0]))
    if tree.op in ("+", "-", "neg", "*"):
        terms = _combined(tree.op, [polynomial(child, factors) for child in tree.args])
        if terms is not None or inside:
            return terms
    return None if inside else (Monomial(others=(tree.text,)),)


def _combined(op: str, parts: Sequence[tuple[Monomial, ...] | None]) -> tuple[Monomial, ...] | None:
    """The terms of a sum or product of polynomials; None where one is none."""
    polynomials = [part for part in parts if part is not None]
    if len(polynomials) < len(parts):
        return None
    if op == "*":
        return tuple(a.times(b) for a in polynomials[0] for b in polynomials[1])
    signs = {"neg": (-1.0,), "+": (1.0, 1.0), "-": (1.0, -1.0)}[op]
    return tuple(
        term.times(Monomial(number=sign))
        for sign, part in zip(signs, polynomials, strict=True)
        for term in part
    )


@lru_cache(maxsize=50_000)
def with_exponentials(tree: Tree) -> Tree:
    """The tree with every product of powers whose exponents hold logarithms as an exponential."""
    args = tuple(with_exponentials(child) for child in tree.args)
    tree = tree if args == tree.args else Tree(tree.op, args, tree.name, tree.value)
    if tree.op not in ("*", "**"):
        return tree
    parts = list(_product(tree))
    powers = [
        part
        for part in parts
        if part.op in ("factor", "exp") or (part.op == "**" and part.args[0].op == "factor")
    ]
    if tree.op == "exp" or not any(
        node.op == "log" for part in powers if part.args for node in part.args[-1].walk()
    ):
        return tree
    exponents = [_logarithm(part) for part in powers]
    total = exponents[0]
    for exponent in exponents[1:]:
        total = Tree("+", (total, exponent))
    product = Tree("exp", (total,))
    for part in parts:
        if part not in powers:
            product = Tree("*", (part, product))
    return product


def _product(tree: Tree) -> Iterator[Tree]:
    if tree.op != "*":
        yield tree
        return
    for child in tree.args:
        yield from _product(child)


def _logarithm(power: Tree) -> Tree:
    """Logarithm of a factor, of a power of one, or of an exponential."""
    if power.op == "exp":
        return power.args[0]
    if power.op == "factor":
        return Tree("log", (power,))
    return Tree("*", (power.args[1], Tree("log", (power.args[0],))))


def lower_terms(logs: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Every way to keep some logarithms of a term and to replace the others: kept, replaced."""
    for mask in range(2 ** len(logs)):
        remaining = tuple(name for k, name in enumerate(logs) if mask >> k & 1)
        yield remaining, tuple(name for k, name in enumerate(logs) if not mask >> k & 1)


def is_product(term: Monomial) -> bool:
    """Whether a logarithm is multiplied with another one or with anything that varies."""
    return len(term.logs) > 1 or bool(term.logs and term.others)
