"""Rows named by a condition: ``hold_out`` over factor names, ``where`` over columns of the table.

A condition, as in ``n > 5000 or T > 5``, is parsed by a whitelist and never evaluated as code.
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_laws.pipeline.errors import UserError, nearest
from mtl_laws.pipeline.symbolic.kinds import value_range
from mtl_laws.pipeline.symbolic.tree import Floats, Mask

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
ACCEPTED_WHERE = (
    "comparisons (< <= > >= == !=) of columns and numbers, or of a text column and a text in "
    "quotes (== !=), joined by and, or, not; as in 'tokens > 500 and encoder == \"cnn\"'"
)
MAX_TEXT = 2_000

Texts = npt.NDArray[np.object_]
"""Values of a text column, None where there is no value."""


def held_out_rows(condition: str, columns: Mapping[str, Floats]) -> Mask:
    """Mask (N,) of the rows that meet the condition; an undefined factor meets no comparison.

    Raises
    ------
    UserError
        if the condition is not a condition over these factors, or keeps out no row or every row.
    """
    mask = _Condition(condition, columns).rows()
    if not mask.any() or mask.all():
        reason = "every row meets it" if mask.any() else "no row meets it"
        expected = f"a condition that some rows meet and others do not; {reason}"
        raise UserError("hold_out", f"{expected}; {_ranges(columns)}", condition)
    return mask


def check_condition(condition: str, factors: Iterable[str]) -> None:
    """Refuse, before there are any rows, what is not a condition over these factors."""
    _Condition(condition, {name: np.zeros(1) for name in factors}).rows()


def rows_where(condition: str, table: pd.DataFrame) -> Mask:
    """Mask (N,) of the rows of a table that meet the condition; an empty cell meets no comparison.

    Raises
    ------
    UserError
        if the condition is not a condition over columns of the table, or no row or every row
        meets it.
    """
    mask = _Where(condition, table).rows()
    if not mask.any() or mask.all():
        reason = "every row meets it" if mask.any() else "no row meets it"
        raise UserError(
            "where", f"a condition that some rows meet and others do not; {reason}", condition
        )
    return mask


def _ranges(columns: Mapping[str, Floats]) -> str:
    """Where the factors lie, so that a condition can be mended."""
    ends = {name: value_range(column) for name, column in columns.items()}
    return ", ".join(f"{name} from {low:g} to {high:g}" for name, (low, high) in ends.items())


class _Condition:
    """A condition over columns of numbers."""

    path, accepted, kind = "hold_out", ACCEPTED, "a factor (not its column)"

    def __init__(self, text: str, columns: Mapping[str, Floats]) -> None:
        self.text, self.columns = text, columns
        self.size = len(next(iter(columns.values()), ()))

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
            mask = parts.all(axis=0) if isinstance(node.op, ast.And) else parts.any(axis=0)
            return np.asarray(mask)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ~self.condition(node.operand)
        if isinstance(node, ast.Compare) and all(type(op) in COMPARE for op in node.ops):
            return self.comparison(node)
        raise self.refuse()

    def comparison(self, node: ast.Compare) -> Mask:
        sides = [self.value(side) for side in (node.left, *node.comparators)]
        mask = np.ones(self.size, dtype=bool)
        for op, left, right in zip(node.ops, sides, sides[1:], strict=False):
            defined = ~(np.isnan(left) | np.isnan(right))
            mask &= COMPARE[type(op)](left, right) & defined
        return mask

    def value(self, node: ast.expr) -> Floats:
        if isinstance(node, ast.Name) and node.id in self.columns:
            return self.columns[node.id]
        if isinstance(node, ast.Name):
            raise UserError(self.path, nearest(node.id, self.columns, self.kind), node.id)
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
        return UserError(self.path, self.accepted, self.text[:80])


class _Where(_Condition):
    """A condition over the columns of a table, of which some may be text."""

    path, accepted, kind = "where", ACCEPTED_WHERE, "a column of the table"

    def __init__(self, text: str, table: pd.DataFrame) -> None:
        columns = {str(name): table[name] for name in table.columns}
        numeric = {n: c for n, c in columns.items() if pd.api.types.is_numeric_dtype(c)}
        numbers = {n: c.to_numpy(np.float64, na_value=np.nan) for n, c in numeric.items()}
        super().__init__(text, numbers)
        self.size = len(table)
        self.texts: dict[str, Texts] = {
            n: np.array(
                [None if gap else str(v) for v, gap in zip(c, c.isna(), strict=True)], dtype=object
            )
            for n, c in columns.items()
            if n not in numeric
        }

    def comparison(self, node: ast.Compare) -> Mask:
        sides = (node.left, *node.comparators)
        if not any(self.is_text(side) for side in sides):
            return super().comparison(node)
        equal = len(sides) == 2 and isinstance(node.ops[0], ast.Eq | ast.NotEq)
        if not equal or not all(self.is_text(side) for side in sides):
            raise self.refuse()
        left, right = (self.text_values(side) for side in sides)
        defined = np.array([None not in pair for pair in zip(left, right, strict=True)], dtype=bool)
        matches: Mask = np.asarray(COMPARE[type(node.ops[0])](left, right), dtype=bool)
        return np.asarray(matches & defined)

    def is_text(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Name):
            return node.id in self.texts
        return isinstance(node, ast.Constant) and isinstance(node.value, str)

    def text_values(self, node: ast.expr) -> Texts:
        if isinstance(node, ast.Name):
            return self.texts[node.id]
        assert isinstance(node, ast.Constant)
        return np.full(self.size, node.value, dtype=object)

    def value(self, node: ast.expr) -> Floats:
        if isinstance(node, ast.Name) and node.id in self.texts:
            raise UserError(
                self.path, nearest(node.id, self.columns, "a column of numbers"), node.id
            )
        if isinstance(node, ast.Name) and node.id not in self.columns:
            names = (*self.columns, *self.texts)
            raise UserError(self.path, nearest(node.id, names, self.kind), node.id)
        return super().value(node)
