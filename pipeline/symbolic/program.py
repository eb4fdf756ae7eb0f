"""From trees to vectorised values and derivatives.

Notation
--------
B : any leading axes: constant vectors evaluated side by side (starts, resamples), groups.
N : rows of the table.
P : constants of the expression.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np

from mtl_laws.pipeline.symbolic.tree import Floats, Tree

Columns: TypeAlias = Mapping[str, Floats]
Gradient: TypeAlias = Callable[[Floats, Floats, Floats, Floats], Floats]

UNARY: Mapping[str, Callable[[Floats], Floats]] = {
    "sqrt": np.sqrt,
    "log": np.log,
    "exp": np.exp,
    "tanh": np.tanh,
    "neg": np.negative,
}
DERIVATIVES: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "sqrt": lambda x, f: 0.5 / f,
    "log": lambda x, f: 1.0 / x,
    "exp": lambda x, f: f,
    "tanh": lambda x, f: 1.0 - f * f,
    "neg": lambda x, f: np.asarray(-1.0),
}
"""Derivative of each function, from its argument x and its value f."""

BINARY: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "**": np.power,
}
TO_LEFT: Mapping[str, Gradient] = {
    "+": lambda a, b, f, flow: flow,
    "-": lambda a, b, f, flow: flow,
    "*": lambda a, b, f, flow: flow * b,
    "/": lambda a, b, f, flow: flow / b,
    "**": lambda a, b, f, flow: flow * b * np.where(a == 0, np.power(a, b - 1.0), f / a),
}
"""What flows from f = a ∘ b into a."""

TO_RIGHT: Mapping[str, Gradient] = {
    "+": lambda a, b, f, flow: flow,
    "-": lambda a, b, f, flow: -flow,
    "*": lambda a, b, f, flow: flow * a,
    "/": lambda a, b, f, flow: -flow * f / b,
    "**": lambda a, b, f, flow: flow * f * np.log(np.where(a > 0, a, 1.0)),
}
"""What flows from f = a ∘ b into b; 0**b does not depend on b."""


@dataclass(frozen=True)
class Instruction:
    """One step of the evaluation: ``slot[k] = op(slot[left], slot[right])``."""

    op: str
    left: int = -1
    right: int = -1
    name: str = ""
    value: float = 0.0


class Program:
    """Instructions for one or several trees; equal parts are evaluated once.

    Parameters
    ----------
    trees : what to evaluate.
    constants : names of the constants, in the order of the constant vectors.
    """

    def __init__(self, trees: Sequence[Tree], constants: Sequence[str]) -> None:
        self.constants = tuple(constants)
        self.position = {name: i for i, name in enumerate(constants)}
        self.steps: list[Instruction] = []
        self._slot: dict[Tree, int] = {}
        self.outputs = [self._add(tree) for tree in trees]
        self.depends = self._dependence()

    def _add(self, tree: Tree) -> int:
        if tree not in self._slot:
            below = [self._add(child) for child in tree.args]
            left, right = [*below, -1, -1][:2]
            self.steps.append(Instruction(tree.op, left, right, tree.name, tree.value))
            self._slot[tree] = len(self.steps) - 1
        return self._slot[tree]

    def _dependence(self) -> list[bool]:
        """Which slots depend on a constant: nothing flows back into the others."""
        depends: list[bool] = []
        for step in self.steps:
            below = any(depends[i] for i in (step.left, step.right) if i >= 0)
            depends.append(step.op == "constant" or below)
        return depends

    def forward(self, columns: Columns, theta: Floats) -> list[Floats]:
        """Value of every slot: (B, N), or fewer axes where it does not vary.

        Parameters
        ----------
        columns : factor name -> (N,), or with axes that broadcast against B.
        theta : (B, P) constants.
        """
        slots: list[Floats] = []
        for step in self.steps:
            if step.right >= 0:
                slots.append(BINARY[step.op](slots[step.left], slots[step.right]))
            elif step.left >= 0:
                slots.append(UNARY[step.op](slots[step.left]))
            elif step.op == "constant":
                slots.append(theta[..., self.position[step.name], None])
            elif step.op == "factor":
                slots.append(columns[step.name])
            else:
                slots.append(np.asarray(step.value))
        return slots

    def backward(
        self, slots: Sequence[Floats], seeds: Sequence[tuple[int, Floats]], shape: tuple[int, ...]
    ) -> Floats:
        """Derivatives (B, P, N) of the seeded sum of slots with respect to the constants.

        Every operation acts on rows one by one, so one reverse sweep gives the whole Jacobian: the
        adjoint that reaches a constant, before it is summed over rows, is its column.

        Parameters
        ----------
        seeds : slot and the factor with which it enters the sum.
        shape : (B, N).
        """
        adjoint: list[Floats | None] = [None] * len(slots)
        for slot, seed in seeds:
            before = adjoint[slot]
            adjoint[slot] = seed if before is None else before + seed
        columns = np.zeros((*shape[:-1], len(self.constants), shape[-1]))
        for k in range(len(slots) - 1, -1, -1):
            step, flow = self.steps[k], adjoint[k]
            if flow is None or not self.depends[k]:
                continue
            if step.op == "constant":
                columns[..., self.position[step.name], :] += flow
                continue
            for child, part in self._parts(step, slots, k, flow):
                before = adjoint[child]
                adjoint[child] = part if before is None else before + part
            adjoint[k] = None
        return columns

    def _parts(
        self, step: Instruction, slots: Sequence[Floats], k: int, flow: Floats
    ) -> list[tuple[int, Floats]]:
        """What flows from slot k into those of its operands that depend on a constant."""
        if step.right < 0:
            return [(step.left, flow * DERIVATIVES[step.op](slots[step.left], slots[k]))]
        a, b, f, parts = slots[step.left], slots[step.right], slots[k], []
        if self.depends[step.left]:
            parts.append((step.left, TO_LEFT[step.op](a, b, f, flow)))
        if self.depends[step.right]:
            parts.append((step.right, TO_RIGHT[step.op](a, b, f, flow)))
        return parts


class Expression:
    """A tree that can be evaluated.

    Attributes
    ----------
    tree : the expression.
    text : as Python prints it.
    factors : factor names that it uses, in order of first appearance.
    constants : names of its free constants, by number.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree, self.text = tree, tree.text
        self.factors, self.constants = tree.factors, tree.constants

    @staticmethod
    def parse(text: str, factors: Sequence[str]) -> Expression:
        """The expression of a text; see `Tree.parse`.

        Raises
        ------
        UserError
            if the text holds anything that is not on the whitelist.
        """
        return compiled(Tree.parse(text, factors))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.tree == other.tree

    def __hash__(self) -> int:
        return hash(self.tree)

    def __reduce__(self) -> tuple[object, tuple[Tree]]:
        return compiled, (self.tree,)

    @property
    def complexity(self) -> int:
        """Nodes of the tree."""
        return self.tree.complexity

    @cached_property
    def program(self) -> Program:
        """Its instructions; the last slot is the value."""
        return Program([self.tree], self.constants)

    @property
    def position(self) -> dict[str, int]:
        """Place of each constant in a constant vector."""
        return self.program.position

    def evaluate(self, columns: Columns, theta: Floats | None = None) -> Floats:
        """Value on every row; inf or nan at poles.

        Parameters
        ----------
        columns : factor name -> (N,).
        theta : (P,) or (M, P) constants; none where P = 0.

        Returns
        -------
        (N,) for one constant vector, (M, N) for several.
        """
        constants = np.zeros(0) if theta is None else np.asarray(theta, dtype=float)
        with np.errstate(all="ignore"):
            value = self.program.forward(columns, constants)[-1]
        return np.broadcast_to(value, (*constants.shape[:-1], rows_of(columns)))

    def jacobian(self, columns: Columns, theta: Floats) -> tuple[Floats, Floats]:
        """Values (M, N) and derivatives (M, P, N) with respect to the constants `theta` (M, P)."""
        shape = (*theta.shape[:-1], rows_of(columns))
        with np.errstate(all="ignore"):
            slots = self.program.forward(columns, theta)
            seeds = [(len(slots) - 1, np.ones(1))]
            derivatives = self.program.backward(slots, seeds, shape)
        return np.broadcast_to(slots[-1], shape), derivatives

    def evaluate_rows(self, columns: Columns, theta: Floats) -> Floats:
        """Value (..., N) where every row has its own constants, `theta` (..., N, P)."""
        upright = {name: np.asarray(column)[:, None] for name, column in columns.items()}
        with np.errstate(all="ignore"):
            value = self.program.forward(upright, theta)[-1]
        return np.broadcast_to(value, (*theta.shape[:-1], 1))[..., 0]

    def trace(self, columns: Columns, theta: Floats) -> list[Floats]:
        """Value of every instruction, in order: (M, N), or fewer axes where it does not vary."""
        return self.program.forward(columns, theta)

    def with_constants(self, values: Mapping[str, float]) -> str:
        """The text with every constant replaced by its number, at full precision."""
        return self.tree.with_constants(values).text

    @cached_property
    def linear(self) -> Linear:
        """The expression split into what its linear constants multiply."""
        return Linear(self.tree)


@lru_cache(maxsize=50_000)
def compiled(tree: Tree) -> Expression:
    """The expression of a tree."""
    return Expression(tree)


def rows_of(columns: Columns) -> int:
    """Number of rows of a table of columns; 1 for a table without any."""
    return max((np.shape(column)[-1] for column in columns.values() if np.ndim(column)), default=1)


class Linear:
    """An expression as offset + Σ linear constant · basis, both functions of the other constants.

    Variable projection (Golub and Pereyra 1973) solves for the linear constants exactly at every
    step and searches only for the others.

    Parameters
    ----------
    nonlinear : constants that are not to be linear, whatever the form; they come last in `others`.

    Attributes
    ----------
    names : linear constants; of constants that multiply each other the first.
    others : the remaining constants.
    program : its outputs are the offset and the basis of every linear constant.
    """

    def __init__(self, tree: Tree, nonlinear: Collection[str] = ()) -> None:
        occurrences = [node.name for node in tree.walk() if node.op == "constant"]
        single = {name for name in occurrences if occurrences.count(name) == 1}
        names = _linear_names(tree, single.difference(nonlinear))
        parts = _parts_of(tree, set(names)) or {"": tree}
        self.names = tuple(names)
        others = [name for name in tree.constants if name not in names]
        self.others = tuple(sorted(others, key=lambda name: name in nonlinear))
        zero = Tree.number(0.0)
        trees = [parts.get("", zero).simplify(), *(parts[name].simplify() for name in names)]
        self.program = Program(trees, self.others)

    def evaluate(self, columns: Columns, others: Floats) -> tuple[list[Floats], Floats, Floats]:
        """Slots, offset (B, 1, N) and bases (B, K, N) at the other constants (B, Q)."""
        slots = self.program.forward(columns, others)
        shape = (*others.shape[:-1], rows_of(columns))
        offset, *outputs = self.program.outputs
        bases = np.empty((*shape[:-1], len(outputs), shape[-1]))
        for k, slot in enumerate(outputs):
            bases[..., k, :] = slots[slot]
        return slots, np.broadcast_to(slots[offset], shape), bases

    def derivatives(self, slots: Sequence[Floats], beta: Floats, shape: tuple[int, ...]) -> Floats:
        """Derivatives (B, Q, N) with respect to the other constants, at linear constants (B, K)."""
        offset, *bases = self.program.outputs
        seeds = [(offset, np.ones(1))]
        seeds += [(slot, beta[..., k, None]) for k, slot in enumerate(bases)]
        return self.program.backward(slots, seeds, shape)


def _linear_names(tree: Tree, allowed: set[str]) -> list[str]:
    """Constants in which the tree is linear, jointly: of constants that multiply each other one."""
    if tree.op == "constant":
        return [tree.name] if tree.name in allowed else []
    if tree.op in ("+", "-", "neg"):
        return [name for child in tree.args for name in _linear_names(child, allowed)]
    if tree.op == "*":
        return _linear_names(tree.args[0], allowed) or _linear_names(tree.args[1], allowed)
    return _linear_names(tree.args[0], allowed) if tree.op == "/" else []


def _parts_of(tree: Tree, names: set[str]) -> dict[str, Tree] | None:
    """Constant -> its multiplier, the rest under ""; None where the tree is not linear in them."""
    if not names.intersection(tree.constants):
        return {"": tree}
    if tree.op == "constant":
        return {tree.name: Tree.number(1.0)}
    if tree.op not in ("+", "-", "*", "/", "neg"):
        return None
    parts = [_parts_of(child, names) for child in tree.args]
    if any(part is None for part in parts):
        return None
    first = parts[0] or {}
    if tree.op == "neg":
        return {name: Tree("neg", (part,)) for name, part in first.items()}
    second = parts[1] or {}
    if tree.op in ("+", "-"):
        return _sum(tree.op, first, second)
    if set(second) == {""}:
        return {name: Tree(tree.op, (part, second[""])) for name, part in first.items()}
    if tree.op == "*" and set(first) == {""}:
        return {name: Tree("*", (first[""], part)) for name, part in second.items()}
    return None


def _sum(op: str, first: Mapping[str, Tree], second: Mapping[str, Tree]) -> dict[str, Tree]:
    parts = dict(first)
    for name, part in second.items():
        if name in parts:
            parts[name] = Tree(op, (parts[name], part))
        else:
            parts[name] = part if op == "+" else Tree("neg", (part,))
    return parts
