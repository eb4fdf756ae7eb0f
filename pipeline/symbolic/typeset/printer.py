"""The walk over a formula's tree that MathML, LaTeX and plain text share.

Notation
--------
rank : how tightly a node binds: sum 1, product 2, power 3, atom 4.
digits : significant digits of the constants; None prints them all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from itertools import pairwise
from typing import TypeAlias

from mtl_laws.pipeline.symbolic.typeset.formula import (
    Call,
    Constant,
    Name,
    Node,
    Power,
    Product,
    Root,
    Sum,
)
from mtl_laws.pipeline.symbolic.typeset.numbers import parts
from mtl_laws.pipeline.symbolic.typeset.symbols import symbol

Nodes: TypeAlias = tuple[Node, ...]
Terms: TypeAlias = tuple[tuple[int, Node], ...]

SUM, PRODUCT, POWER, ATOM = 1, 2, 3, 4
FUNCTION_NAMES = {"log": "ln"}


class Printer(ABC):
    """Writes a tree as text; a notation fills in one method per kind of node."""

    #: rank below which a factor of a product is bracketed
    factor_rank = PRODUCT

    def __init__(self, digits: int | None = 3) -> None:
        self.digits = digits

    def text(self, tree: Node) -> str:
        """Text of a whole formula, without factors and exponents that print as 1."""
        return self.write(without_ones(tree, self.digits))

    def write(self, node: Node) -> str:
        """Text of `node`."""
        match node:
            case Constant(value):
                text = self.constant(*parts(value, self.digits))
            case Name(name):
                text = self.name(name)
            case Sum():
                text = self.sum(reading_order(node.terms))
            case Product(above, below):
                text = self.fraction(above, below) if below else self.factors(above)
            case Power(base, exponent):
                text = self.power(base, exponent)
            case Root(argument, degree):
                text = self.root(argument, degree)
            case Call(function, arguments):
                text = self.call(FUNCTION_NAMES.get(function, function), arguments)
        return text

    def bracket(self, node: Node, place: int) -> str:
        """`node`, in brackets where it binds less tightly than its place asks."""
        text = self.write(node)
        return text if self.rank(node) >= place else self.fence(text)

    def rank(self, node: Node) -> int:
        """How tightly `node` binds, a number written with a power of ten as a product."""
        if isinstance(node, Constant) and parts(node.value, self.digits)[1]:
            return PRODUCT
        return rank(node)

    def factors(self, factors: Nodes) -> str:
        """Factors side by side; a lone one needs no brackets above or below a bar."""
        if len(factors) == 1:
            return self.write(factors[0])
        if not factors:
            return self.constant("1", 0)
        texts = [
            self.write(factor)
            if isinstance(factor, Constant)
            else self.bracket(factor, self.factor_rank)
            for factor in factors
        ]
        pieces = [texts[0]]
        for (left, right), text in zip(pairwise(factors), texts[1:], strict=True):
            pieces += [self.times(needs_dot(left, right)), text]
        return self.join(pieces)

    @abstractmethod
    def join(self, pieces: list[str]) -> str:
        """Pieces of a sum or product in one row."""

    @abstractmethod
    def times(self, dot: bool) -> str:
        """What stands between two factors."""

    @abstractmethod
    def fence(self, text: str) -> str:
        """`text` in brackets."""

    @abstractmethod
    def constant(self, mantissa: str, exponent: int) -> str:
        """A number, times a power of ten where `exponent` is not 0."""

    @abstractmethod
    def name(self, name: str) -> str:
        """A factor or a named constant."""

    @abstractmethod
    def sum(self, terms: Terms) -> str:
        """Signed terms."""

    @abstractmethod
    def fraction(self, above: Nodes, below: Nodes) -> str:
        """A fraction; `above` may be empty."""

    @abstractmethod
    def power(self, base: Node, exponent: Node) -> str:
        """A power."""

    @abstractmethod
    def root(self, argument: Node, degree: int) -> str:
        """A square or cube root."""

    @abstractmethod
    def call(self, function: str, arguments: Nodes) -> str:
        """A function of its arguments."""


def without_ones(node: Node, digits: int | None) -> Node:
    """`node` without factors, divisors and exponents that print as 1 with these digits."""

    def plain(inner: Node) -> Node:
        return without_ones(inner, digits)

    def is_one(inner: Node) -> bool:
        return isinstance(inner, Constant) and parts(inner.value, digits) == ("1", 0)

    result = node
    match node:
        case Sum(terms):
            result = Sum(tuple((sign, plain(term)) for sign, term in terms))
        case Product(above, below):
            upper, lower = (
                tuple(factor for factor in map(plain, factors) if not is_one(factor))
                for factors in (above, below)
            )
            lone = not lower and len(upper) < 2
            result = (*upper, Constant(1.0))[0] if lone else Product(upper, lower)
        case Power(base, exponent):
            power = plain(exponent)
            result = plain(base) if is_one(power) else Power(plain(base), power)
        case Root(argument, degree):
            result = Root(plain(argument), degree)
        case Call(function, arguments):
            result = Call(function, tuple(map(plain, arguments)))
    return result


def reading_order(terms: Terms) -> Terms:
    """Terms with a positive one in front, if there is one: ``0.9 − x``, not ``−x + 0.9``."""
    first = next((i for i, (sign, _) in enumerate(terms) if sign > 0), 0)
    return (terms[first], *terms[:first], *terms[first + 1 :])


def rank(node: Node) -> int:
    """How tightly `node` binds."""
    if isinstance(node, Call):
        return POWER
    ranks: Mapping[type, int] = {Sum: SUM, Product: PRODUCT, Power: POWER}
    return ranks.get(type(node), ATOM)


def is_short(node: Node) -> bool:
    """Whether `node` can be read as an exponent: no fraction, power, root or function in it."""
    match node:
        case Sum(terms):
            return all(is_short(term) for _, term in terms)
        case Product(above, ()):
            return all(is_short(factor) for factor in above)
    return isinstance(node, Constant | Name)


def needs_dot(left: Node, right: Node) -> bool:
    """Whether two neighbours in a product would run together without a dot."""
    return isinstance(right, Constant) or _is_word(left) or _is_word(right)


def _is_word(node: Node) -> bool:
    base = node.base if isinstance(node, Power) else node
    return isinstance(base, Call) or (isinstance(base, Name) and symbol(base.name).is_word)
