"""How a name is written: Greek letters, subscripts, upright words.

``beta`` is β, ``lambda_`` is λ, ``c0`` is c with a subscript 0, ``n_aux`` is n with a subscript
"aux", ``ami`` stays a word. Only the formulas do this; tables print names as the user wrote them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

GREEK = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "epsilon": "ε",
    "zeta": "ζ",
    "eta": "η",
    "theta": "θ",
    "iota": "ι",
    "kappa": "κ",
    "lambda": "λ",
    "mu": "μ",
    "nu": "ν",
    "xi": "ξ",
    "pi": "π",
    "rho": "ρ",
    "sigma": "σ",
    "tau": "τ",
    "upsilon": "υ",
    "phi": "φ",
    "chi": "χ",
    "psi": "ψ",
    "omega": "ω",
    "Gamma": "Γ",
    "Delta": "Δ",
    "Theta": "Θ",
    "Lambda": "Λ",
    "Xi": "Ξ",
    "Pi": "Π",
    "Sigma": "Σ",
    "Phi": "Φ",
    "Psi": "Ψ",
    "Omega": "Ω",
}
_NUMBERED = re.compile(r"([A-Za-z]+)_?(\d+)_?")
_SUBSCRIPTED = re.compile(r"([A-Za-z]\w*?)_([A-Za-z0-9]\w*)")
SUBSCRIPT_DIGITS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class Symbol:
    """A name split for typesetting: ``base`` as in the source, ``subscript`` or empty."""

    base: str
    subscript: str = ""

    @property
    def letter(self) -> str:
        """The base with Greek names as letters."""
        return GREEK.get(self.base, self.base)

    @property
    def is_word(self) -> bool:
        """Whether the base is more than one letter, hence upright and in need of a times sign."""
        return len(self.letter) > 1


def symbol(name: str) -> Symbol:
    """Split `name` into base and subscript."""
    if match := _NUMBERED.fullmatch(name):
        return Symbol(match[1], match[2])
    if match := _SUBSCRIPTED.fullmatch(name):
        return Symbol(match[1], match[2].strip("_").replace("_", " "))
    stripped = name.strip("_")
    return Symbol(stripped or name)
