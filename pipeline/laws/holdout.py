"""``hold_out``, as in ``n > 5000 or T > 5``: rows named by a condition over factor names.

The condition is parsed by a whitelist and never evaluated as code.
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.names import nearest
from pipeline.symbolic.kinds import value_range
from pipeline.symbolic.tree import Floats, Mask

COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
ACCEPTED = (
    "comparisons (< <= > >= == !=) of factors and numbers joined by and, or, not; "
    "as in 'n > 5000 or T > 5'"
)
MAX_TEXT = 2_000


def held_out_rows(condition: str, columns: Mapping[str, Floats]) -> Mask:
    """Mask (N,) of the rows that meet the condition; an undefined factor meets no comparison.

    Raises
    ------
    UserError
        if the condition is not a condition over these factors, or keeps out no row or every row.
    """
    mask = _Condition(condition, columns).rows()
    if not mask.any() or mask.all():
        met = "every row meets it" if mask.any() else "no row meets it"
        expected = f"a condition that some rows meet and others do not; {met}"
        raise UserError("hold_out", condition, f"{expected}; {_ranges(columns)}")
    return mask


def check_condition(condition: str, factors: Iterable[str]) -> None:
    """Refuse, before there are any rows, what is not a condition over these factors."""
    _Condition(condition, {name: np.zeros(1) for name in factors}).rows()


def _ranges(columns: Mapping[str, Floats]) -> str:
    """Where the factors lie, so that a condition can be mended."""
    ends = {name: value_range(column) for name, column in columns.items()}
    return ", ".join(f"{name} from {low:g} to {high:g}" for name, (low, high) in ends.items())


class _Condition:
    def __init__(self, text: str, columns: Mapping[str, Floats]) -> None:
        self.text, self.columns = text, columns

    def rows(self) -> Mask:
        if len(self.text) > MAX_TEXT:
            raise self.refuse()
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python's own, as of "5and"
                tree = ast.parse(self.text.strip(), mode="eval")
                return self.condition(tree.body)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            raise self.refuse() from error

    def condition(self, node: ast.expr) -> Mask:
        if isinstance(node, ast.BoolOp):
            parts = np.array([self.condition(value) for value in node.values])
            joined = parts.all(axis=0) if isinstance(node.op, ast.And) else parts.any(axis=0)
            return np.asarray(joined)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ~self.condition(node.operand)
        if isinstance(node, ast.Compare) and all(type(op) in COMPARE for op in node.ops):
            return self.comparison(node)
        raise self.refuse()

    def comparison(self, node: ast.Compare) -> Mask:
        sides = [self.value(side) for side in (node.left, *node.comparators)]
        rows = len(next(iter(self.columns.values())))
        mask = np.ones(rows, dtype=bool)
        for op, left, right in zip(node.ops, sides, sides[1:], strict=False):
            known = ~(np.isnan(left) | np.isnan(right))
            mask &= COMPARE[type(op)](left, right) & known
        return mask

    def value(self, node: ast.expr) -> Floats:
        if isinstance(node, ast.Name) and node.id in self.columns:
            return self.columns[node.id]
        if isinstance(node, ast.Name):
            raise UserError(
                "hold_out", node.id, nearest(node.id, self.columns, "a factor, not its column")
            )
        if isinstance(node, ast.Constant):
            return self.number(node.value)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self.value(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
            return np.asarray(
                ARITHMETIC[type(node.op)](self.value(node.left), self.value(node.right))
            )
        raise self.refuse()

    def number(self, value: object) -> Floats:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refuse()
        return np.asarray(float(value))

    def refuse(self) -> UserError:
        return UserError("hold_out", self.text[:80], ACCEPTED)
