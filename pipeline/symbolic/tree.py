"""Closed-form expressions: parsed from text by a whitelist, counted, evaluated, differentiated.

An expression is one line of Python in factor names, constants ``c0, c1, …`` and the functions of
`FUNCTIONS`. It is never handed to ``eval``: `Expression.parse` walks the syntax tree and refuses
anything that is not on the list, so a hostile ``laws.json`` can make nothing run.

Notation
--------
M : constant vectors evaluated side by side (starts, bootstrap resamples).
N : rows of the table.
P : constants of the expression.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pipeline.errors import UserError

Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Gradient: TypeAlias = Callable[[Floats, Floats, Floats, Floats], Floats]

FUNCTIONS: Mapping[str, Callable[[Floats], Floats]] = {
    "sqrt": np.sqrt,
    "log": np.log,
    "exp": np.exp,
    "tanh": np.tanh,
}
#: derivative of each function, from its argument x and its value f
DERIVATIVES: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "sqrt": lambda x, f: 0.5 / f,
    "log": lambda x, f: 1.0 / x,
    "exp": lambda x, f: f,
    "tanh": lambda x, f: 1.0 - f * f,
}
BINARY: Mapping[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
}
CONSTANT_NAME = re.compile(r"c\d+")
#: longest text that is parsed at all; a law is a line, not a program
MAX_TEXT = 5_000


@dataclass(frozen=True)
class Instruction:
    """One step of the evaluation: ``slot[k] = op(slot[left], slot[right])``."""

    op: str
    left: int = -1
    right: int = -1
    name: str = ""
    value: float = 0.0


@dataclass(frozen=True)
class Expression:
    """A parsed expression.

    Attributes
    ----------
    text : the expression as it was given.
    factors : factor names it uses, in order of first appearance.
    constants : names of its free constants (``c0``, ``c1``, …), in order of first appearance.
    program : instructions in evaluation order; the last one is the value.
    """

    text: str
    factors: tuple[str, ...]
    constants: tuple[str, ...]
    program: tuple[Instruction, ...]

    @staticmethod
    def parse(text: str, factors: Sequence[str]) -> Expression:
        """Parse `text`; names are those in `factors` and constants ``c<number>``.

        Raises
        ------
        UserError
            if the text holds anything but numbers, known names, ``+ - * / **`` and `FUNCTIONS`.
        """
        return _parse(text, tuple(factors))

    @property
    def complexity(self) -> int:
        """Nodes as Python parses the text: operator, function, name, number; −2 counts one."""
        return len(self.program)

    @cached_property
    def position(self) -> dict[str, int]:
        """Where each constant stands in a constant vector."""
        return {name: i for i, name in enumerate(self.constants)}

    def evaluate(self, table: Mapping[str, Floats], constants: Floats | None = None) -> Floats:
        """Value on every row.

        Parameters
        ----------
        table : factor name -> (N,).
        constants : (P,) or (M, P), in the order of `self.constants`; none where P = 0.

        Returns
        -------
        (N,) for one constant vector, (M, N) for several; never raises on poles (inf or nan).
        """
        theta = np.zeros((1, 0)) if constants is None else np.asarray(constants, dtype=float)
        with np.errstate(all="ignore"):
            value = self.trace(table, np.atleast_2d(theta))[-1]
        full = np.broadcast_to(value, (np.atleast_2d(theta).shape[0], rows_of(table)))
        return full[0] if theta.ndim == 1 or constants is None else full

    def jacobian(self, table: Mapping[str, Floats], theta: Floats) -> tuple[Floats, Floats]:
        """Values (M, N) and derivatives (M, P, N) with respect to the constants `theta` (M, P).

        Every operation acts on rows one by one, so one reverse sweep gives the whole Jacobian: the
        adjoint that reaches a constant, before it is summed over rows, is its column.
        """
        shape = (theta.shape[0], rows_of(table))
        with np.errstate(all="ignore"):
            slots = self.trace(table, theta)
            columns = self._backward(slots, shape)
        return np.broadcast_to(slots[-1], shape), columns

    def trace(self, table: Mapping[str, Floats], theta: Floats) -> list[Floats]:
        """Value of every instruction, in order: (M, N), or fewer axes where it does not vary."""
        slots: list[Floats] = []
        for step in self.program:
            if step.right >= 0:
                slots.append(OPERATORS[step.op](slots[step.left], slots[step.right]))
            elif step.left >= 0:
                slots.append(UNARY[step.op](slots[step.left]))
            elif step.op == "constant":
                slots.append(theta[:, self.position[step.name], None])
            elif step.op == "factor":
                slots.append(table[step.name])
            else:
                slots.append(np.asarray(step.value))
        return slots

    def _backward(self, slots: list[Floats], shape: tuple[int, int]) -> Floats:
        adjoint: list[Floats | None] = [None] * len(slots)
        adjoint[-1] = np.ones((1, 1))
        columns = np.zeros((shape[0], len(self.constants), shape[1]))
        depends = self.depends
        for k in range(len(slots) - 1, -1, -1):
            step, flow = self.program[k], adjoint[k]
            if flow is None or not depends[k]:
                continue
            if step.op == "constant":
                columns[:, self.position[step.name]] += flow
                continue
            for child, part in _parts(step, slots, k, flow, depends):
                known = adjoint[child]
                adjoint[child] = part if known is None else known + part
        return columns

    @cached_property
    def depends(self) -> list[bool]:
        """Which slots depend on a constant: nothing flows back into the others."""
        depends: list[bool] = []
        for step in self.program:
            below = [depends[i] for i in (step.left, step.right) if i >= 0]
            depends.append(step.op == "constant" or any(below))
        return depends

    @cached_property
    def affine(self) -> list[bool]:
        """For each constant, whether the value is affine in it and all others so marked, jointly.

        Found from the shape alone: down from the root through sums, and through products and
        quotients to the one side that depends on constants.
        """
        reached: set[str] = set()
        repeated = {c for c in self.constants if sum(s.name == c for s in self.program) > 1}
        waiting = [len(self.program) - 1]
        while waiting:
            step = self.program[waiting.pop()]
            if step.op == "constant":
                reached.add(step.name)
            elif step.op in ("+", "-", "neg"):
                waiting += [i for i in (step.left, step.right) if i >= 0]
            elif step.op in ("*", "/"):
                waiting += self._affine_side(step)
        return [name in reached - repeated for name in self.constants]

    def _affine_side(self, step: Instruction) -> list[int]:
        left, right = self.depends[step.left], self.depends[step.right]
        if not right:
            return [step.left]
        if step.op == "*" and not left:
            return [step.right]
        bare = [step.left] if step.op == "/" else [step.left, step.right]
        return [i for i in bare if self.program[i].op == "constant"][:1]

    def with_constants(self, values: Mapping[str, float]) -> str:
        """The text with every constant replaced by its number, at full precision."""
        return substitute(self.text, {k: format_number(v) for k, v in values.items()})


def rows_of(table: Mapping[str, Floats]) -> int:
    """Number of rows of a table of columns; 1 for a table without any."""
    return max((np.size(column) for column in table.values()), default=1)


UNARY: Mapping[str, Callable[[Floats], Floats]] = {**FUNCTIONS, "neg": np.negative}
OPERATORS: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "**": np.power,
}


#: what flows from f = a ∘ b into a and into b
TO_LEFT: Mapping[str, Gradient] = {
    "+": lambda a, b, f, flow: flow,
    "-": lambda a, b, f, flow: flow,
    "*": lambda a, b, f, flow: flow * b,
    "/": lambda a, b, f, flow: flow / b,
    "**": lambda a, b, f, flow: flow * b * np.power(a, b - 1.0),
}
TO_RIGHT: Mapping[str, Gradient] = {
    "+": lambda a, b, f, flow: flow,
    "-": lambda a, b, f, flow: -flow,
    "*": lambda a, b, f, flow: flow * a,
    "/": lambda a, b, f, flow: -flow * f / b,
    # 0**b does not move with b
    "**": lambda a, b, f, flow: flow * f * np.log(np.where(a > 0, a, 1.0)),
}


def _parts(
    step: Instruction, slots: list[Floats], k: int, flow: Floats, depends: list[bool]
) -> list[tuple[int, Floats]]:
    """What flows from slot k into those of its children that depend on a constant."""
    if step.op == "neg":
        return [(step.left, -flow)]
    if step.op in DERIVATIVES:
        return [(step.left, flow * DERIVATIVES[step.op](slots[step.left], slots[k]))]
    a, b, f = slots[step.left], slots[step.right], slots[k]
    parts = [(step.left, TO_LEFT[step.op](a, b, f, flow))] if depends[step.left] else []
    if depends[step.right]:
        parts.append((step.right, TO_RIGHT[step.op](a, b, f, flow)))
    return parts


class _Compiler:
    """Turns a syntax tree into instructions; the only place that decides what is allowed."""

    def __init__(self, text: str, factors: tuple[str, ...]) -> None:
        self.text, self.allowed = text, factors
        self.program: list[Instruction] = []
        self.factors: dict[str, None] = {}
        self.constants: dict[str, None] = {}

    def compile(self, node: ast.expr) -> int:
        """Append the instructions of `node`; return the slot of its value."""
        if isinstance(node, ast.Constant):
            return self.number(node)
        if isinstance(node, ast.Name):
            return self.name(node.id)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self.negative(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in BINARY:
            left, right = self.compile(node.left), self.compile(node.right)
            return self.emit(Instruction(BINARY[type(node.op)], left, right))
        if isinstance(node, ast.Call):
            return self.call(node)
        raise self.refuse(ast.unparse(node))

    def number(self, node: ast.Constant) -> int:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise self.refuse(repr(node.value))
        return self.emit(Instruction("number", value=float(node.value)))

    def name(self, name: str) -> int:
        if name in self.allowed:
            self.factors[name] = None
            return self.emit(Instruction("factor", name=name))
        if CONSTANT_NAME.fullmatch(name):
            self.constants[name] = None
            return self.emit(Instruction("constant", name=name))
        raise self.refuse(name)

    def negative(self, operand: ast.expr) -> int:
        if isinstance(operand, ast.Constant):
            slot = self.number(operand)
            self.program[slot] = Instruction("number", value=-self.program[slot].value)
            return slot
        return self.emit(Instruction("neg", self.compile(operand)))

    def call(self, node: ast.Call) -> int:
        known = isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS
        if not known or len(node.args) != 1 or node.keywords:
            raise self.refuse(ast.unparse(node))
        return self.emit(Instruction(ast.unparse(node.func), self.compile(node.args[0])))

    def emit(self, step: Instruction) -> int:
        self.program.append(step)
        return len(self.program) - 1

    def refuse(self, part: str) -> UserError:
        names = ", ".join(self.allowed) or "no factor"
        expected = f"numbers, the factors {names}, constants c0, c1, …, + - * / ** and "
        return UserError(
            f"expression {self.text[:80]!r}", part[:80], expected + ", ".join(FUNCTIONS)
        )


@lru_cache(maxsize=50_000)
def _parse(text: str, factors: tuple[str, ...]) -> Expression:
    compiler = _Compiler(text, factors)
    if len(text) > MAX_TEXT:
        raise compiler.refuse(f"{len(text)} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
        compiler.compile(tree.body)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise compiler.refuse(text) from error
    order = sorted(compiler.constants, key=lambda name: int(name[1:]))
    return Expression(text, tuple(compiler.factors), tuple(order), tuple(compiler.program))


def substitute(text: str, values: Mapping[str, str]) -> str:
    """`text` with names replaced by expressions, bracketed where needed, signs tidied."""
    names = "|".join(re.escape(name) for name in values)
    if not names:
        return text
    filled = re.sub(rf"\b({names})\b", lambda match: f"({values[match[1]]})", text)
    plain = ast.unparse(ast.parse(filled, mode="eval").body)
    return plain.replace("- -", "+ ").replace("+ -", "- ")


def format_number(value: float) -> str:
    """Shortest text that reads back as the same float."""
    return (
        repr(float(value))
        if not float(value).is_integer() or abs(value) > 1e15
        else str(int(value))
    )
