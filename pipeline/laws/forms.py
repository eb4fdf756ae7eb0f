"""A user's own forms: formulas in the factors whose constants are to be fitted.

Every name that is neither a factor nor a function is a constant, so ``E + A/n**alpha`` is a form.
A form becomes a template like any other: constants ``c0, c1, …`` in order of first appearance.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from mtl_laws.pipeline.errors import FormulaError, UserError, mistyped
from mtl_laws.pipeline.symbolic.templates import MAX_NODES
from mtl_laws.pipeline.symbolic.tree import CONSTANT_NAME, FUNCTIONS, Tree

OWN = "own form"
"""Origin of a law whose form the user gave."""

TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[^\W\d]\w*)|(?P<sign>\*\*|//|\S)"
)
MAX_TOKENS = 5 * MAX_NODES
"""Brackets are no nodes: so many tokens are more than any form that is accepted needs."""

OPERATORS = ("+", "-", "*", "/", "**")
VALUE = "a value here: a number, a factor, a constant or a function"
OPERATOR = f"an operator here: {' '.join(OPERATORS)}"
INSTEAD = {
    "^": "** for a power here, not ^",
    "(": "an operator before this bracket, such as *",
    "=": "the right side of the formula only, without =",
    ")": "an operator or the end here: no bracket is open",
}
"""What is expected in place of a sign that stands where an operator should."""


def read_forms(
    texts: Sequence[str], factors: Sequence[str], other: Mapping[str, str] | None = None
) -> tuple[Tree, ...]:
    """Templates of the forms, each once.

    Parameters
    ----------
    texts : formulas, as the user wrote them.
    factors : names that are factors.
    other : names that are no constants either -> what to write instead.

    Raises
    ------
    UserError
        at ``forms[k]``, if a text is not a formula, uses no factor or is too long; a `FormulaError`
        where one place in the text is wrong.
    """
    if not isinstance(texts, Sequence) or isinstance(texts, str):
        raise UserError("forms", "a list of formulas as text", texts)
    trees = (_read(f"forms[{k}]", text, factors, other or {}) for k, text in enumerate(texts))
    return tuple(dict.fromkeys(trees))


def _read(path: str, text: object, factors: Sequence[str], other: Mapping[str, str]) -> Tree:
    if not isinstance(text, str):
        raise UserError(path, "a formula as text", text)
    reader = _Reader(path, text, factors, other)
    tree = Tree.parse(reader.plain(), factors).renumber()
    excerpt = text if len(text) <= 60 else f"{text[:60]}…"
    if tree.complexity > MAX_NODES:
        expected = f"at most {MAX_NODES} numbers, names, operators and functions"
        raise UserError(path, f"{expected}; it has {tree.complexity}", excerpt)
    if not tree.factors:
        by_case = {factor.casefold(): factor for factor in factors}
        matches = (mistyped(name.casefold(), by_case) for name in reader.constants)
        hint = next((f"; did you mean {by_case[match]}?" for match in matches if match), "")
        raise UserError(
            path, f"at least one factor ({', '.join(factors)}) in the form{hint}", excerpt
        )
    return tree


@dataclass
class _Reader:
    """From a user's text to one that `Tree.parse` accepts, or to the place that is wrong."""

    path: str
    text: str
    factors: Sequence[str]
    other: Mapping[str, str]
    constants: dict[str, str] = field(default_factory=dict)

    def plain(self) -> str:
        """The text with constants called ``c0, c1, …``."""
        tokens = list(TOKEN.finditer(self.text))
        if len(tokens) > MAX_TOKENS:
            expected = f"at most {MAX_NODES} numbers, names, operators and functions"
            raise UserError(self.path, expected, f"{self.text[:60]}…")
        words: list[str] = []
        depth, value, end = 0, True, len(self.text.rstrip())
        for token, after in zip_longest(tokens, tokens[1:]):
            sign = token["sign"]
            if value:
                words.append(self._value(token, after))
                value = sign is not None or token[0] in FUNCTIONS
                depth += sign == "("
            elif sign in OPERATORS or (sign == ")" and depth):
                words.append(sign)
                value = sign != ")"
                depth -= sign == ")"
            else:
                missing = f"{OPERATOR}, or )" if depth else OPERATOR
                raise self._wrong(token.start(), INSTEAD.get(sign or "", missing))
        if value:
            raise self._wrong(end, VALUE)
        if depth:
            raise self._wrong(end, ") here: a bracket is open")
        return " ".join(words)

    def _value(self, token: re.Match[str], after: re.Match[str] | None) -> str:
        """The word of a token that stands where a value, or what leads to one, is expected."""
        word = token[0]
        if token["number"]:
            if not math.isfinite(float(word)):
                raise self._wrong(token.start(), "a smaller number here")
            return repr(float(word))
        if token["sign"]:
            if word in ("(", "-"):
                return word
            if word == "+":
                return ""
            raise self._wrong(token.start(), VALUE)
        if word in FUNCTIONS:
            if after is None or after[0] != "(":
                raise self._wrong(token.end(), f"( after {word}")
            return word
        return self._name(token, after)

    def _name(self, token: re.Match[str], after: re.Match[str] | None) -> str:
        """A factor as it is, or the constant that a name stands for."""
        name, start = token[0], token.start()
        opens = after is not None and after[0] == "("
        if name in self.factors:
            return name
        if opens and name not in self.constants and not CONSTANT_NAME.fullmatch(name):
            expected = f"one of the functions {', '.join(FUNCTIONS)}"
            raise self._wrong(start, expected)
        if after is not None and after[0] == "=":
            raise self._wrong(after.start(), INSTEAD["="])
        if name in self.other:
            raise self._wrong(start, self.other[name])
        if not name.isidentifier():
            odd = next(k for k in range(len(name)) if not name[: k + 1].isidentifier())
            raise self._wrong(start + odd, OPERATOR if odd else VALUE)
        if opens:
            raise self._wrong(token.end(), INSTEAD["("])
        return self.constants.setdefault(name, f"c{len(self.constants)}")

    def _wrong(self, place: int, expected: str) -> FormulaError:
        return FormulaError(self.path, expected, self.text, place)
