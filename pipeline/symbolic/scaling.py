"""Conversion of constants when factors change their unit.

Fits use factors divided by their geometric mean, so that units do not matter. The constants of such
a fit are converted to the original factors: for scales g,

    f(x; converted constants) = f(x / g; constants)    for every x.

That works where the form is *closed* under the change: ``c0*n**c1`` is, ``n**c0`` with nothing to
multiply it is not, nor is ``1 + n``. A factor in which a form is not closed keeps its unit.

Notation
--------
k : multiplier of a node: value with converted constants and x = k · value at x / g + shift.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from mtl_laws.pipeline.symbolic.logs import (
    Monomial,
    is_product,
    lower_terms,
    polynomial,
    with_exponentials,
)
from mtl_laws.pipeline.symbolic.program import BINARY, UNARY
from mtl_laws.pipeline.symbolic.tree import Floats, Tree

Values: TypeAlias = dict[str, Floats]
Shift: TypeAlias = Floats | None


class NotClosedError(Exception):
    """The constants cannot absorb a change of unit."""


def converted(tree: Tree, theta: Floats, scales: Mapping[str, float]) -> Floats:
    """Constants for factors in their own unit, from those for factors divided by their scale.

    Parameters
    ----------
    theta : (..., P) constants, in the order of `tree.constants`.
    scales : factor -> g; only factors of `scalable`, others are taken as 1.
    """
    constants = {name: theta[..., p] for p, name in enumerate(tree.constants)}
    with np.errstate(all="ignore"):
        values = _Conversion(tree, constants, scales).run()
    if not constants:
        return theta
    return np.stack(np.broadcast_arrays(*(values[name] for name in tree.constants)), axis=-1)


@lru_cache(maxsize=50_000)
def scalable(tree: Tree) -> frozenset[str]:
    """Factors whose change of unit the constants can absorb, alone and together."""
    names: list[str] = []
    for name in tree.factors:
        if _is_closed(tree, [*names, name]):
            names.append(name)
    return frozenset(names)


def is_unit_free(tree: Tree, names: Collection[str]) -> bool:
    """Whether the form stays the same law when any of these factors changes its unit."""
    return set(tree.factors).intersection(names) <= scalable(tree)


def _is_closed(tree: Tree, names: Sequence[str]) -> bool:
    # irrational scales and constants, so that nothing is equal by chance
    scales = {name: float(np.sqrt(k + 2.0)) for k, name in enumerate(names)}
    constants = {name: np.asarray(np.sqrt(k + 0.7)) for k, name in enumerate(tree.constants)}
    try:
        with np.errstate(all="ignore"):
            _Conversion(tree, constants, scales, checked=True).run()
    except NotClosedError:
        return False
    return True


class _Conversion:
    def __init__(
        self, tree: Tree, given: Values, scales: Mapping[str, float], checked: bool = False
    ) -> None:
        self.tree = tree = with_exponentials(tree)
        self.given, self.scales, self.checked = given, scales, checked
        names = [node.name for node in tree.walk() if node.op == "constant"]
        self.single = {name for name in names if names.count(name) == 1}
        self.values = dict(given)

    def run(self) -> Values:
        multiplier, shift = self.convert(self.tree)
        self.require(multiplier, shift)
        return self.values

    def require(self, multiplier: Floats, shift: Shift) -> None:
        """Refuse anything but an unchanged value."""
        if self.checked and (shift is not None or not np.allclose(multiplier, 1.0, rtol=1e-9)):
            raise NotClosedError

    def free(self, node: Tree) -> bool:
        """Whether the node can take any multiplier, by a constant that multiplies all of it."""
        if node.op == "constant":
            return node.name in self.single
        if node.op in ("neg", "sqrt"):
            return self.free(node.args[0])
        if node.op in ("*", "/"):
            return any(self.free(child) for child in node.args)
        if node.op in ("+", "-"):
            return all(self.free(child) for child in node.args)
        return node.op == "**" and not node.args[1].factors and self.free(node.args[0])

    def convert(self, node: Tree) -> tuple[Floats, Shift]:
        """Multiplier and shift of a node; 1 where it is free."""
        one = np.asarray(1.0)
        terms = self.logarithms(node)
        if terms is not None:
            return one, self.rescale_polynomial(terms, one)
        if self.free(node):
            return one, self.rescale(node, one)
        if node.op in ("number", "constant"):
            return one, None
        if node.op == "factor":
            return np.asarray(self.scales.get(node.name, 1.0)), None
        if node.op == "neg":
            multiplier, shift = self.convert(node.args[0])
            return multiplier, None if shift is None else -shift
        if node.op in ("+", "-"):
            return self.convert_sum(node)
        if node.op in ("*", "/"):
            a, b = node.args
            k_a, s_a = self.convert(a)
            k_b, s_b = self.convert(b)
            k = k_a * k_b if node.op == "*" else k_a / k_b
            return k, self.shift_of_product(node, s_a, s_b)
        if node.op in ("**", "sqrt"):
            return self.convert_power(node)
        multiplier, shift = self.convert(node.args[0])
        if node.op == "log" and shift is None:
            fixed = self.scaled(node) and not self.free(node.args[0])
            return one, np.log(multiplier) if fixed else None
        if node.op == "exp" and shift is not None:
            self.require(multiplier, None)
            return np.exp(shift), None
        self.require(multiplier, shift)
        return one, None

    def logarithms(self, node: Tree) -> tuple[Monomial, ...] | None:
        """The terms of a sum that is a polynomial in logarithms with products of them."""
        if node.op not in ("+", "-"):
            return None
        terms = polynomial(node, frozenset(self.scales))
        return terms if terms is not None and any(map(is_product, terms)) else None

    def rescale_polynomial(self, terms: Sequence[Monomial], k: Floats) -> Shift:
        """Scale a polynomial in logarithms by k; log(x / g) is log(x) − log(g). Its shift."""
        coefficients: dict[tuple[tuple[str, ...], tuple[str, ...]], Floats] = {}
        for term in terms:
            constants = [self.given[name] for name in term.constants]
            value = np.prod(np.broadcast_arrays(term.number, k, *constants), axis=0)
            for remaining, replaced in lower_terms(term.logs):
                amount = value * np.prod([-np.log(self.scales[name]) for name in replaced])
                place = (term.others, remaining)
                coefficients[place] = coefficients.get(place, np.asarray(0.0)) + amount
        left = dict(coefficients)
        for term in terms:
            place = (term.others, term.logs)
            own = [name for name in term.constants if name in self.single]
            if own:  # the first constant that occurs once absorbs the change
                others = [self.given[name] for name in term.constants if name != own[0]]
                multiplier = np.prod(np.broadcast_arrays(term.number, *others), axis=0)
                self.values[own[0]] = left[place] / np.where(multiplier == 0, 1.0, multiplier)
                left[place] = np.asarray(0.0)
            else:
                constants = [self.given[name] for name in term.constants]
                fixed = np.prod(np.broadcast_arrays(term.number, *constants), axis=0)
                left[place] = left[place] - fixed
        shift = left.pop(((), ()), np.asarray(0.0))
        if self.checked and any(not np.allclose(rest, 0.0, atol=1e-9) for rest in left.values()):
            raise NotClosedError
        return None if np.all(shift == 0.0) else -np.asarray(shift)

    def scaled(self, node: Tree) -> bool:
        """Whether a factor with a scale stands below the node."""
        return any(name in self.scales for name in node.factors)

    def convert_power(self, node: Tree) -> tuple[Floats, Shift]:
        base = node.args[0]
        multiplier, shift = self.convert(base)
        if self.checked and shift is not None:
            raise NotClosedError
        if node.op == "sqrt":
            return np.sqrt(multiplier), None
        exponent = node.args[1]
        if not exponent.factors:
            return multiplier ** self.value(exponent), None
        self.require(multiplier, None)
        self.require(*self.convert(exponent))
        return np.asarray(1.0), None

    def convert_sum(self, node: Tree) -> tuple[Floats, Shift]:
        terms = _terms(node)
        fixed = [(sign, term) for sign, term in terms if not self.free(term)]
        results = [(sign, *self.convert(term)) for sign, term in fixed]
        multiplier = results[0][1]
        if self.checked and any(
            not np.allclose(k, multiplier, rtol=1e-9) for _, k, _ in results[1:]
        ):
            raise NotClosedError
        shifts = [sign * shift for sign, _, shift in results if shift is not None]
        return multiplier, self.rescale_terms(terms, multiplier, shifts)

    def rescale(self, node: Tree, k: Floats) -> Shift:
        """Scale a free node by k; its shift."""
        if node.op == "constant":
            self.values[node.name] = k * self.given[node.name]
            return None
        if node.op == "neg":
            shift = self.rescale(node.args[0], k)
            return None if shift is None else -shift
        terms = self.logarithms(node)
        if terms is not None:
            return self.rescale_polynomial(terms, k)
        if node.op in ("+", "-"):
            return self.rescale_terms(_terms(node), k, [])
        if node.op in ("*", "/"):
            return self.rescale_product(node, k)
        power = np.asarray(0.5) if node.op == "sqrt" else self.value(node.args[1])
        inverse = np.where(power == 0, 0.0, 1.0 / np.where(power == 0, 1.0, power))
        shift = self.rescale(node.args[0], k**inverse)
        if self.checked and shift is not None:
            raise NotClosedError
        return None

    def rescale_product(self, node: Tree, k: Floats) -> Shift:
        a, b = node.args
        if self.free(a):
            k_b, s_b = self.convert(b)
            s_a = self.rescale(a, k / k_b if node.op == "*" else k * k_b)
        else:
            k_a, s_a = self.convert(a)
            s_b = self.rescale(b, k / k_a if node.op == "*" else k_a / k)
        return self.shift_of_product(node, s_a, s_b)

    def rescale_terms(
        self, terms: Sequence[tuple[int, Tree]], k: Floats, shifts: list[Floats]
    ) -> Shift:
        """Scale the free terms of a sum by k; a bare constant absorbs all shifts."""
        bare: tuple[int, str] | None = None
        for sign, term in terms:
            if not self.free(term):
                continue
            if term.op == "constant" and bare is None:
                bare = sign, term.name
            shift = self.rescale(term, k)
            if shift is not None:
                shifts.append(sign * shift)
        if not shifts:
            return None
        total = np.sum(np.broadcast_arrays(*shifts), axis=0)
        if bare is None:
            return np.asarray(total)
        sign, name = bare
        self.values[name] = self.values[name] - sign * total
        return None

    def shift_of_product(self, node: Tree, s_a: Shift, s_b: Shift) -> Shift:
        """The shift that a product or quotient gets from its sides."""
        a, b = node.args
        if s_a is None and s_b is None:
            return None
        if s_a is not None and s_b is None and not b.factors:
            other = self.value(b, self.values)
            return s_a * other if node.op == "*" else s_a / other
        if s_b is not None and s_a is None and node.op == "*" and not a.factors:
            return s_b * self.value(a, self.values)
        raise NotClosedError

    def value(self, node: Tree, values: Values | None = None) -> Floats:
        """Value of a node without factors, with the constants as given or as converted."""
        values = self.given if values is None else values
        if node.op == "number":
            return np.asarray(node.value)
        if node.op == "constant":
            return values[node.name]
        below = [self.value(child, values) for child in node.args]
        return UNARY[node.op](below[0]) if len(below) == 1 else BINARY[node.op](*below)


def _terms(node: Tree, sign: int = 1) -> list[tuple[int, Tree]]:
    """Terms of a sum with their signs."""
    if node.op not in ("+", "-"):
        return [(sign, node)]
    left, right = node.args
    return [*_terms(left, sign), *_terms(right, sign if node.op == "+" else -sign)]
