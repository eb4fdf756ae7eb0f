"""Closed-form expressions as immutable trees: parsed by a whitelist, printed, counted, rewritten.

An expression is one line of Python in factor names, constants ``c0, c1, …`` and the functions of
`FUNCTIONS`. It is never handed to ``eval``: `Tree.parse` walks Python's syntax tree and refuses
anything that is not on the list, so a hostile file can make nothing run.

>>> tree = Tree.parse("c0 + c1*n**(-c2)", ["n"])
>>> tree.text, tree.complexity, tree.constants
('c0 + c1 * n ** (-c2)', 8, ('c0', 'c1', 'c2'))
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mtl_laws.pipeline.errors import UserError

Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]

FUNCTIONS = ("sqrt", "log", "exp", "tanh")
CONSTANT_NAME = re.compile(r"c\d+")
MAX_TEXT = 5_000
"""Longest text that is parsed: a law is a line, not a program."""

_BINARY: Mapping[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
}
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "neg": 3, "**": 4}
_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}
_EXACT = {("log", 1.0): 0.0, ("exp", 0.0): 1.0, ("sqrt", 1.0): 1.0, ("sqrt", 0.0): 0.0}


@dataclass(frozen=True)
class Tree:
    """A node of an expression with everything below it.

    Attributes
    ----------
    op : ``number``, ``factor``, ``constant``, ``neg``, ``+ - * / **`` or one of `FUNCTIONS`.
    args : operands, from left to right.
    name : of a factor or constant.
    value : of a number.
    complexity : nodes as Python parses the text: operator, function, name, number; −2 counts one.
    """

    op: str
    args: tuple[Tree, ...] = ()
    name: str = ""
    value: float = 0.0
    complexity: int = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    @staticmethod
    def parse(text: str, factors: Sequence[str]) -> Tree:
        """The tree of a text; names are those in `factors` and constants ``c<number>``.

        Raises
        ------
        UserError
            if the text holds anything but numbers, known names, ``+ - * / **`` and `FUNCTIONS`.
        """
        return _parse(text, tuple(factors))

    @staticmethod
    def number(value: float) -> Tree:
        """The leaf of a number."""
        return Tree("number", value=float(value))

    @staticmethod
    def constant(name: str) -> Tree:
        """The leaf of a named constant."""
        return Tree("constant", name=name)

    def __post_init__(self) -> None:
        # trees are keys of many caches: the hash is computed once, from those of the operands
        whole = hash((self.op, self.args, self.name, self.value))
        object.__setattr__(self, "_hash", whole)
        size = 1 + sum(child.complexity for child in self.args)
        object.__setattr__(self, "complexity", size)

    def __hash__(self) -> int:
        return self._hash

    def walk(self) -> Iterator[Tree]:
        """Every node, operands before the node itself, from left to right."""
        for child in self.args:
            yield from child.walk()
        yield self

    @cached_property
    def factors(self) -> tuple[str, ...]:
        """Names of the factors, in order of first appearance."""
        return tuple(dict.fromkeys(node.name for node in self.walk() if node.op == "factor"))

    @cached_property
    def constants(self) -> tuple[str, ...]:
        """Names of the constants, by number."""
        names = {node.name for node in self.walk() if node.op == "constant"}
        return tuple(sorted(names, key=lambda name: int(name[1:])))

    @cached_property
    def text(self) -> str:
        """The expression as Python prints it; parses back to an equal tree."""
        if self.op in ("factor", "constant"):
            return self.name
        if self.op == "number":
            return format_number(self.value)
        if self.op == "neg":
            return f"-{self._inside(0, _PRECEDENCE['neg'])}"
        if self.op in FUNCTIONS:
            return f"{self.op}({self.args[0].text})"
        level = _PRECEDENCE[self.op]
        right_first = self.op == "**"
        left = self._inside(0, level + right_first)
        return f"{left} {self.op} {self._inside(1, level + (not right_first))}"

    def _inside(self, place: int, least: int) -> str:
        """An operand, in brackets where it binds less tightly than `least`."""
        child = self.args[place]
        negative = child.op == "number" and math.copysign(1.0, child.value) < 0
        level = _PRECEDENCE["neg"] if negative else _PRECEDENCE.get(child.op, 5)
        return f"({child.text})" if level < least else child.text

    def map(self, change: Callable[[Tree], Tree]) -> Tree:
        """The tree with `change` applied to every node, operands first."""
        args = tuple(child.map(change) for child in self.args)
        return change(self if args == self.args else Tree(self.op, args, self.name, self.value))

    def replace(self, values: Mapping[str, Tree]) -> Tree:
        """The tree with names replaced by trees."""
        return self.map(lambda node: values.get(node.name, node) if node.name else node)

    def with_constants(self, values: Mapping[str, float]) -> Tree:
        """The tree with constants replaced by numbers at full precision, signs tidied."""
        numbers = {name: Tree.number(value) for name, value in values.items()}
        return self.replace(numbers).map(_tidy_sign)

    def renumber(self) -> Tree:
        """The simplified tree with constants ``c0, c1, …`` in order of first appearance."""
        names = (node.name for node in self.walk() if node.op == "constant")
        order = {name: Tree.constant(f"c{k}") for k, name in enumerate(dict.fromkeys(names))}
        return self.replace(order).simplify()

    def simplify(self) -> Tree:
        """The tree without neutral elements, numbers folded; never larger than before."""
        return self.map(_fold)

    def at(self, path: Sequence[int]) -> Tree:
        """The node that a path of operand places leads to."""
        node = self
        for place in path:
            node = node.args[place]
        return node

    def put(self, path: Sequence[int], node: Tree) -> Tree:
        """The tree with the node at a path replaced."""
        if not path:
            return node
        args = list(self.args)
        args[path[0]] = args[path[0]].put(path[1:], node)
        return Tree(self.op, tuple(args), self.name, self.value)

    def paths(self, name: str) -> list[tuple[int, ...]]:
        """Paths to every occurrence of a name, from left to right."""
        if self.name == name:
            return [()]
        branches = ((k, child.paths(name)) for k, child in enumerate(self.args))
        return [(k, *path) for k, child_paths in branches for path in child_paths]

    @property
    def is_number(self) -> bool:
        """Whether the node is a number."""
        return self.op == "number"


def format_number(value: float) -> str:
    """Shortest text that reads back as the same float."""
    whole = float(value).is_integer() and abs(value) <= 1e15
    return str(int(value)) if whole else repr(float(value))


@lru_cache(maxsize=50_000)
def _parse(text: str, factors: tuple[str, ...]) -> Tree:
    reader = _Reader(text, factors)
    if len(text) > MAX_TEXT:
        raise reader.refuse(f"{len(text)} characters")
    try:
        return reader.read(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise reader.refuse(text) from error


class _Reader:
    """Conversion of Python's syntax tree to a `Tree`, by the whitelist."""

    def __init__(self, text: str, factors: tuple[str, ...]) -> None:
        self.text, self.factors = text, factors

    def read(self, node: ast.expr) -> Tree:
        if isinstance(node, ast.Constant):
            return self.number(node)
        if isinstance(node, ast.Name):
            return self.name(node.id)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            inner = self.read(node.operand)
            literal = isinstance(node.operand, ast.Constant)
            return Tree.number(-inner.value) if literal else Tree("neg", (inner,))
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            return Tree(_BINARY[type(node.op)], (self.read(node.left), self.read(node.right)))
        if isinstance(node, ast.Call):
            return self.call(node)
        raise self.refuse(ast.unparse(node))

    def number(self, node: ast.Constant) -> Tree:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise self.refuse(repr(node.value))
        return Tree.number(float(node.value))

    def name(self, name: str) -> Tree:
        if name in self.factors:
            return Tree("factor", name=name)
        if CONSTANT_NAME.fullmatch(name):
            return Tree.constant(name)
        raise self.refuse(name)

    def call(self, node: ast.Call) -> Tree:
        allowed = isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS
        if not allowed or len(node.args) != 1 or node.keywords:
            raise self.refuse(ast.unparse(node))
        return Tree(ast.unparse(node.func), (self.read(node.args[0]),))

    def refuse(self, part: str) -> UserError:
        names = ", ".join(self.factors) or "no factor"
        accepted = f"only numbers, factors ({names}), constants (c0, c1, …), + - * / ** and "
        return UserError(
            f"expression {self.text[:80]!r}", accepted + ", ".join(FUNCTIONS), part[:80]
        )


def _is(node: Tree, value: float) -> bool:
    return node.op == "number" and node.value == value


def _tidy_sign(node: Tree) -> Tree:
    """``a - -2 * x`` as ``a + 2 * x`` and ``a + -2`` as ``a - 2``."""
    if node.op in ("+", "-"):
        positive = _without_sign(node.args[1])
        if positive is not None:
            return Tree("-" if node.op == "+" else "+", (node.args[0], positive))
    return node


def _without_sign(node: Tree) -> Tree | None:
    """A term whose first factor is a negative number, without its sign; None for any other."""
    if node.is_number:
        return Tree.number(-node.value) if node.value < 0 else None
    if node.op in ("*", "/"):
        positive = _without_sign(node.args[0])
        return None if positive is None else Tree(node.op, (positive, node.args[1]))
    return None


def _without_minus(node: Tree) -> Tree | None:
    """A term without its leading minus; None where it has none."""
    if node.op == "neg":
        return node.args[0]
    if node.op in ("*", "/"):
        bare = _without_minus(node.args[0])
        return None if bare is None else Tree(node.op, (bare, node.args[1]))
    return None


def _fold(node: Tree) -> Tree:
    """A node whose operands are folded, without what is neutral in it."""
    if node.op == "neg":
        return Tree.number(-node.args[0].value) if node.args[0].is_number else node
    if node.op in FUNCTIONS:
        inner = node.args[0]
        exact = _EXACT.get((node.op, inner.value)) if inner.is_number else None
        return node if exact is None else Tree.number(exact)
    if not node.args:
        return node
    if node.op in ("+", "-"):
        positive = _without_minus(node.args[1])
        if positive is not None:
            node = Tree("-" if node.op == "+" else "+", (node.args[0], positive))
    return _neutral(node) or _both_numbers(node)


def _neutral(node: Tree) -> Tree | None:
    """The result of an operation with a neutral element; None where there is none."""
    a, b = node.args
    if node.op == "+":
        return b if _is(a, 0) else a if _is(b, 0) else None
    if node.op == "-":
        return a if _is(b, 0) else Tree("neg", (b,)) if _is(a, 0) and not b.is_number else None
    if node.op == "*":
        if _is(a, 0) or _is(b, 0):
            return Tree.number(0.0)
        return b if _is(a, 1) else a if _is(b, 1) else None
    if node.op == "/":
        return a if _is(b, 1) or (_is(a, 0) and not b.is_number) else None
    if _is(b, 0) or _is(a, 1):
        return Tree.number(1.0)
    return a if _is(b, 1) else None


def _both_numbers(node: Tree) -> Tree:
    a, b = node.args
    if not (a.is_number and b.is_number):
        return node
    try:
        value = _ARITHMETIC[node.op](a.value, b.value)
    except (ZeroDivisionError, OverflowError):
        return node
    real = isinstance(value, float) and math.isfinite(value)
    return Tree.number(value) if real else node
