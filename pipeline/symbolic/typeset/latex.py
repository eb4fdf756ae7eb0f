r"""Formulas as LaTeX to paste into a paper; names that are words become ``\mathrm{…}``."""

from __future__ import annotations

from mtl_laws.pipeline.symbolic.typeset.formula import Node, parse
from mtl_laws.pipeline.symbolic.typeset.printer import (
    ATOM,
    PRODUCT,
    Nodes,
    Printer,
    Terms,
    is_short,
)
from mtl_laws.pipeline.symbolic.typeset.symbols import GREEK, symbol

#: digits in a law's record; the exact constants stand beside it
LATEX_FUNCTIONS = frozenset(
    {"ln", "exp", "sin", "cos", "tan", "tanh", "sinh", "cosh", "max", "min"}
)
LATEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\hat{}",
    "~": r"\sim{}",
    " ": "~",
}


def latex_name(name: str) -> str:
    r"""A name as LaTeX: ``n``, ``\mathrm{f1}``, ``c_{0}``, ``\lambda``."""
    parts = symbol(name)
    is_letter = len(parts.base) == 1 and parts.base.isalpha()
    letter = parts.base if is_letter else _upright(parts.base)
    base = f"\\{parts.base}" if parts.base in GREEK else letter
    if not parts.subscript:
        return base
    index = parts.subscript if parts.subscript.isdigit() else _upright(parts.subscript)
    return f"{base}_{{{index}}}"


def _upright(text: str) -> str:
    return f"\\mathrm{{{''.join(LATEX_SPECIAL.get(c, c) for c in text)}}}"


class LatexPrinter(Printer):
    """LaTeX that needs no package."""

    def join(self, pieces: list[str]) -> str:
        """Pieces side by side."""
        return " ".join(pieces)

    def times(self, dot: bool) -> str:
        """A dot or a thin space."""
        return "\\cdot" if dot else "\\,"

    def fence(self, text: str) -> str:
        """Brackets that grow."""
        return f"\\left({text}\\right)"

    def constant(self, mantissa: str, exponent: int) -> str:
        """A number."""
        return f"{mantissa} \\cdot 10^{{{exponent}}}" if exponent else mantissa

    def name(self, name: str) -> str:
        """An identifier."""
        return latex_name(name)

    def sum(self, terms: Terms) -> str:
        """Signed terms."""
        pieces: list[str] = []
        for sign, term in terms:
            if pieces or sign < 0:
                pieces.append("+" if sign > 0 else "-")
            pieces.append(self.bracket(term, PRODUCT))
        return self.join(pieces)

    def fraction(self, above: Nodes, below: Nodes) -> str:
        r"""``\frac``."""
        return f"\\frac{{{self.factors(above)}}}{{{self.factors(below)}}}"

    def power(self, base: Node, exponent: Node) -> str:
        """A superscript."""
        return f"{{{self.bracket(base, ATOM)}}}^{{{self.write(exponent)}}}"

    def root(self, argument: Node, degree: int) -> str:
        r"""``\sqrt``."""
        return f"\\sqrt{'' if degree == 2 else f'[{degree}]'}{{{self.write(argument)}}}"

    def call(self, function: str, arguments: Nodes) -> str:
        """A named operator of its arguments."""
        inner = ", ".join(self.write(argument) for argument in arguments)
        if function == "exp" and is_short(arguments[0]):
            return f"e^{{{inner}}}"
        if function == "Abs":
            return f"\\left|{inner}\\right|"
        operator = f"\\{function}" if function in LATEX_FUNCTIONS else _upright(function)
        return f"{operator}\\left({inner}\\right)"


def formula_latex(expression: str, target: str = "", digits: int | None = 3) -> str:
    """`expression` as LaTeX, with ``target =`` in front where one is given."""
    text = LatexPrinter(digits).text(parse(expression))
    return f"{latex_name(target)} = {text}" if target else text
