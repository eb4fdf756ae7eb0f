"""How a name is written: letters, Greek letters, upright words, and the law's own constants.

``n`` is a letter and ``beta`` is β; ``ami``, ``f1`` and ``error_rate`` are words, upright and
spelled as the user spelled them. Only a law's own constants and effective quantities carry an
index: ``c0`` is c with a subscript 0 and ``n_eff`` n with the word eff, but ``f1`` is a score, not
the first f. Only the formulas do this; tables print names as the user wrote them.
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
#: a constant of a law's template; no factor may be called so
_CONSTANT = re.compile(r"(c)(\d+)")
#: an effective quantity (`mtl_laws.pipeline.symbolic.effective`)
_EFFECTIVE = re.compile(r"(\w+)_(eff)")
SUBSCRIPT_DIGITS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class Symbol:
    """A name for typesetting: ``base``, and its ``subscript``: digits, the word eff, or empty."""

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
    """How `name` is written; an underscore at an end only keeps a name off Python's own words."""
    if match := _CONSTANT.fullmatch(name) or _EFFECTIVE.fullmatch(name):
        return Symbol(match[1], match[2])
    return Symbol(name.strip("_") or name)
