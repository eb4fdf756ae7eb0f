"""Formulas as one line of Unicode, for places where nothing is typeset: tooltips, alt texts."""

from __future__ import annotations

from mtl_laws.pipeline.symbolic.typeset.formula import Constant, Name, Node, parse
from mtl_laws.pipeline.symbolic.typeset.numbers import MINUS, SUPERSCRIPTS
from mtl_laws.pipeline.symbolic.typeset.printer import ATOM, POWER, PRODUCT, Nodes, Printer, Terms
from mtl_laws.pipeline.symbolic.typeset.symbols import SUBSCRIPT_DIGITS, symbol


class PlainPrinter(Printer):
    """Unicode text; factor names stay as the user wrote them."""

    factor_rank = POWER

    def join(self, pieces: list[str]) -> str:
        """Pieces without spaces."""
        return "".join(pieces)

    def times(self, dot: bool) -> str:
        """A dot, always: there is no other sign of a product on one line."""
        return "·"

    def fence(self, text: str) -> str:
        """Round brackets."""
        return f"({text})"

    def constant(self, mantissa: str, exponent: int) -> str:
        """A number."""
        return f"{mantissa}×10{str(exponent).translate(SUPERSCRIPTS)}" if exponent else mantissa

    def name(self, name: str) -> str:
        """The name as it is, but for named constants."""
        parts = symbol(name)
        index = parts.subscript.translate(SUBSCRIPT_DIGITS)
        return parts.base + index if parts.subscript.isdigit() else name

    def sum(self, terms: Terms) -> str:
        """Signed terms, with spaces around the signs."""
        text = ""
        for sign, term in terms:
            mark = "+" if sign > 0 else MINUS
            lead = f" {mark} " if text else ("" if sign > 0 else mark)
            text += lead + self.bracket(term, PRODUCT)
        return text

    def fraction(self, above: Nodes, below: Nodes) -> str:
        """A slash."""
        over = self.bracket(above[0], POWER) if len(above) == 1 else self.factors(above)
        under = (
            self.bracket(below[0], POWER) if len(below) == 1 else self.fence(self.factors(below))
        )
        return f"{over}/{under}"

    def power(self, base: Node, exponent: Node) -> str:
        """A caret."""
        return f"{self.lone(base)}^{self.lone(exponent)}"

    def root(self, argument: Node, degree: int) -> str:
        """A radical sign."""
        return ("√" if degree == 2 else "∛") + self.lone(argument)

    def lone(self, node: Node) -> str:
        """A name or a plain number as it is, all else in brackets."""
        plain = isinstance(node, Name | Constant) and self.rank(node) == ATOM
        return self.write(node) if plain else self.fence(self.write(node))

    def call(self, function: str, arguments: Nodes) -> str:
        """A function call."""
        return f"{function}({', '.join(self.write(argument) for argument in arguments)})"


def formula_text(expression: str, digits: int | None = 3) -> str:
    """`expression` as one line of Unicode."""
    return PlainPrinter(digits).text(parse(expression))
