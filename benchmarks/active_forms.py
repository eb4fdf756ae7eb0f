"""Forms that ScaleBench gives for its pools (Li et al. 2026, arXiv 2604.22753), as our formulas.

Its forms with a minimum of two quantities have no formula here and are left out, as are those of
`lr_bsz` with more than 25 constants. Where it writes one form in two ways, both count, as there.
"""

from __future__ import annotations

LOGS = ("log(lr)", "log(bsz)", "log(D)", "log(N)")


def quadratic(first: int, squares: tuple[int, ...] = (0, 1, 2, 3)) -> str:
    """A quadratic polynomial in the logarithms, with constants from number `first` on."""
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    terms = [*LOGS, *(f"{LOGS[i]}*{LOGS[i]}" for i in squares)]
    terms += [f"{LOGS[i]}*{LOGS[j]}" for i, j in pairs]
    return " + ".join([f"c{first}", *(f"c{first + 1 + k}*{term}" for k, term in enumerate(terms))])


FORMS: dict[str, tuple[str, ...]] = {
    "parallel": (
        "c0 + c1*N**(-c2) + c3*P**(-c4) + c5*N**(-c2)*P**(-c4)",
        "c0 + c1*N**(-c2) + c3*P**(-c4)",
        "c0*N**(-c1) + c2/(1 + P) + c3",
        "c0*N**(-c1) + c2*P**(-0.5) + c3",
        "(c0/(N*(c1*log(P) + 1)))**c2 + c3",
        "c0 + c1*(N**(-c2) + P**(-c3))",
        "c0 + c1*N**(-c2)/(1 + c3*log(P))",
        "(c0*N**(-c1) + c2)/(1 + c3*log(P))",
        "c0*N**(-c1)*P**(-c2)",
        "(c0*N**(-c1) + c2)*P**(-c3)",
    ),
    "moe": (
        "c0 + c1/(N**c2*E**c3)",
        "c0*N**c1/(1 + c2*E**c3) + c4*N**(0.6*c1) + c5",
        "c0/(N**c1*(1 + c2*E)**c3) + c4 + c5*(log(N) - 0.4*log(1 + E))",
        "c0 + exp(c1 + c2*log(E) + c3*log(N) + c4*log(E)*log(N)) + c5*log(E)",
        "c0*N**(-c1)*(1 + c2*E**(-c3)) + c4 + c5/(E*N**0.05)",
        "c0*E**c1*N**c2 + c3*N**c4 + c5",
        "c0 + c1*(N*E**c2)**(-c3)",
        "c0 + c1*N**(-c2)*((1 + c3*E**c4)/(1 + c3))**(-c5)",
    ),
    "data_constrained": (
        "c0*N**(-c1) + c2*D**(-c3) + c4*U**c5*N**c6",
        "c0 + c1*U**c2 + c3*N**c4 + c5*D**c6",
        "c0 + c1*N**(-c2) + c3*(D/(1 + D/(c4*U*N**c5)))**(-c6)",
        "c0*N**(-c1) + c2*(U**c3*D**(1 - c3))**(-c4) + c5",
        "c0 + c1*N**(-c2) + c3*(D/(1 + c4*(D/U - 0.999999)**c5*N**c6))**(-c7)",
        "c0 + c1*(N*U)**c2 + c3*D**c4 + c5*N**c6",
        "c0 + c1*D**(-c2) + c3*N**(-c4) + c5*log(U/D + 1)**c6",
        "c0*N**(-c1) + c2*D**(-c3)*(1 + c4*U**(-c5)) + c6",
        "c0 + c1*N**(-c2) + c3*(D**(-c4*c5) + (c6*U)**(-c4*c5))**(1/c5)",
    ),
    "sparsity": (
        "c0*P**(-c1)*N**(-c2)*exp(c3*log(P)*log(N)) + c4",
        "c0*P**(-c1)*N**(-c2) + c3",
        "c0*P**(-c1) + c2*N**(-c3)*exp(c4*log(P)*log(N)) + c5",
        "c0*P**(-c1) + c2*N**(-c3) + c4",
    ),
    "lr_bsz": (
        f"exp({quadratic(0)})",
        f"exp({quadratic(0)} + c15/bsz + c16/(bsz*bsz))",
        "c0 + c1*N**(-c2) + c3*D**(-c4) + c5*bsz**(-c6)"
        " + c7*exp(-c8*log(bsz) - c9*log(N) - c10*log(D))"
        "*(log(lr) - (c11 + c12*log(bsz) + c13*log(N) + c14*log(D)))**2 + c15*(D/bsz)**(-c16)",
        f"c0 + exp({quadratic(1, (0, 1))})",
        quadratic(0),
    ),
}

COSTS = {
    "parallel": "N",
    "moe": "N*E",
    "data_constrained": "6*N*D",
    "sparsity": "N",
    "lr_bsz": "6*N*D",
}
"""Cost of a trial, as in ScaleBench; of `sparsity` only the part that the table has."""

SHARES = {name: (0.20, 0.35, 0.50) if name == "sparsity" else (0.01, 0.05, 0.10) for name in FORMS}
"""Shares of the cost that are spent, as in ScaleBench."""

PUBLISHED: dict[str, tuple[float, float, float]] = {
    "parallel": (-1.00, 0.77, 0.99),
    "moe": (0.59, 0.65, 0.83),
    "data_constrained": (0.73, 0.85, 0.86),
    "sparsity": (0.31, 0.44, 0.53),
    "lr_bsz": (-0.66, 0.00, 0.22),
}
"""R² that active-sl reports at these shares: means over its forms."""
