"""Formulas as presentation MathML, which browsers typeset without any script."""

from __future__ import annotations

from html import escape

from mtl_laws.pipeline.symbolic.typeset.formula import Node, parse
from mtl_laws.pipeline.symbolic.typeset.numbers import MINUS
from mtl_laws.pipeline.symbolic.typeset.printer import (
    ATOM,
    PRODUCT,
    Nodes,
    Printer,
    Terms,
    is_short,
)
from mtl_laws.pipeline.symbolic.typeset.symbols import symbol

INVISIBLE_TIMES = "&#x2062;"
APPLY = "&#x2061;"


def tag(name: str, *children: str, attributes: str = "") -> str:
    """One element; `children` are markup already."""
    return f"<{name}{attributes}>{''.join(children)}</{name}>"


def row(*children: str) -> str:
    """Children in a row of their own, unless there is only one."""
    return children[0] if len(children) == 1 else tag("mrow", *children)


def fenced(inner: str, left: str = "(", right: str = ")") -> str:
    """`inner` in brackets that grow with it."""
    return tag("mrow", tag("mo", left), inner, tag("mo", right))


def name_markup(name: str) -> str:
    """A factor or constant name as an identifier; one of several letters is set upright."""
    parts = symbol(name)
    base = tag("mi", escape(parts.letter))
    if not parts.subscript:
        return base
    return tag("msub", base, tag("mn" if parts.subscript.isdigit() else "mi", parts.subscript))


class MathPrinter(Printer):
    """Presentation MathML."""

    def join(self, pieces: list[str]) -> str:
        """A row."""
        return row(*pieces)

    def times(self, dot: bool) -> str:
        """A dot, or nothing to see."""
        return tag("mo", "·" if dot else INVISIBLE_TIMES)

    def fence(self, text: str) -> str:
        """Round brackets."""
        return fenced(text)

    def constant(self, mantissa: str, exponent: int) -> str:
        """A number; a power of ten is typeset as one."""
        if not exponent:
            return tag("mn", mantissa)
        digits = tag("mn", str(abs(exponent)))
        superscript = row(tag("mo", MINUS), digits) if exponent < 0 else digits
        return row(tag("mn", mantissa), tag("mo", "×"), tag("msup", tag("mn", "10"), superscript))

    def name(self, name: str) -> str:
        """An identifier."""
        return name_markup(name)

    def sum(self, terms: Terms) -> str:
        """Signed terms in a row."""
        pieces: list[str] = []
        for sign, term in terms:
            if pieces or sign < 0:
                form = "" if pieces else ' form="prefix"'
                pieces.append(tag("mo", "+" if sign > 0 else MINUS, attributes=form))
            pieces.append(self.bracket(term, PRODUCT))
        return row(*pieces)

    def fraction(self, above: Nodes, below: Nodes) -> str:
        """A fraction bar."""
        return tag("mfrac", self.factors(above), self.factors(below))

    def power(self, base: Node, exponent: Node) -> str:
        """A superscript."""
        return tag("msup", self.bracket(base, ATOM), self.write(exponent))

    def root(self, argument: Node, degree: int) -> str:
        """A radical."""
        if degree == 2:
            return tag("msqrt", self.write(argument))
        return tag("mroot", self.write(argument), tag("mn", str(degree)))

    def call(self, function: str, arguments: Nodes) -> str:
        """A function of its arguments; a short ``exp`` and ``Abs`` have signs of their own."""
        if function == "exp" and is_short(arguments[0]):
            return tag("msup", tag("mi", "e"), self.write(arguments[0]))
        inner = tag("mo", ",").join(self.write(argument) for argument in arguments)
        if function == "Abs":
            return fenced(tag("mrow", inner), "|", "|")
        operator = tag("mi", escape(function))
        return tag("mrow", operator, tag("mo", APPLY), fenced(tag("mrow", inner)))


def formula_markup(expression: str, digits: int | None = 3, display: bool = True) -> str:
    """`expression` as one ``<math>`` element.

    Raises
    ------
    PipelineError
        if it is not arithmetic.
    """
    return _math(MathPrinter(digits).text(parse(expression)), display)


def left_side(target: str, display: bool = True, sign: str = "≈") -> str:
    """``target ≈`` as a ``<math>`` element, so that a narrow page can break after it."""
    return _math(name_markup(target) + tag("mo", sign), display)


def _math(inner: str, display: bool) -> str:
    style = ' display="block"' if display else ""
    return tag("math", tag("mrow", inner), attributes=style)
