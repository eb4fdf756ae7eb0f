"""Planted laws: tables of known law, with a decoy factor and rows beyond the training region."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Columns = dict[str, Floats]

LEVELS = {"n": (50, 100, 200, 400, 800, 1600), "T": (1, 2, 3, 4, 6), "ami": (0, 0.2, 0.4, 0.6, 0.8)}
#: rows beyond every training maximum are drawn between these
BEYOND = {"n": (1_700, 6_400), "T": (7, 15), "ami": (0.81, 1.0)}
REPLICATES = 2
DECOY_LEVELS = 5


@dataclass(frozen=True)
class Planted:
    """A law in n, T and ami.

    Attributes
    ----------
    template : the same as a template, its constants in order the true ones of `constants`.
    exponents : which of the constants are exponents.
    bounds : what a user would know of the target.
    """

    name: str
    template: str
    constants: tuple[float, ...]
    exponents: tuple[int, ...] = ()
    bounds: tuple[float | None, float | None] = (None, None)

    def value(self, columns: Columns) -> Floats:
        """The target (N,) without noise."""
        from mtl_laws.pipeline.symbolic.program import Expression

        expression = Expression.parse(self.template, ("n", "T", "ami"))
        return expression.evaluate(columns, np.array(self.constants))


SCORE, LOSS = (0.0, 1.0), (0.0, None)
SUITE = (
    Planted("root of effective size", "c0 - c1/sqrt(n*(1 + (T - 1)*ami))", (0.9, 0.5), (), SCORE),
    Planted(
        "power of effective size",
        "c0 - c1*(n*(1 + (T - 1)*ami**c2))**(-c3)",
        (0.9, 3.0, 2.0, 0.35),
        (2, 3),
        SCORE,
    ),
    Planted("tasks to the AMI", "c0 - c1*(n*T**ami)**(-c2)", (0.95, 2.5, 0.4), (2,), SCORE),
    Planted("logistic", "c0/(1 + (c1/(n*T**ami))**c2)", (0.9, 900.0, 0.9), (2,), SCORE),
    Planted("logarithm", "c0 + c1*log(n*T**ami)", (-0.3, 0.1)),
    Planted("power law in n", "c0 - c1*n**(-c2)", (0.9, 2.0, 0.4), (2,), SCORE),
    Planted("saturating exponential", "c0*(1 - exp(-(n*T**ami/c1)**c2))", (0.9, 4000.0, 0.5), (2,)),
    Planted("Maurer", "c0 - c1/sqrt(n*T) - c2/sqrt(n)", (0.95, 1.5, 1.2), (), SCORE),
    Planted("learning to learn", "c0 - c1/sqrt(n) - c2/sqrt(T)", (0.9, 1.5, 0.3), (), SCORE),
    Planted("few-shot", "c0 + c1/(n*T) + c2/n", (0.1, 20.0, 8.0), (), LOSS),
    Planted(
        "two powers", "c0 + c1*n**(-c2) + c3*T**(-c4)", (1.2, 20.0, 0.5, 1.0, 0.7), (2, 4), LOSS
    ),
    Planted("error with tasks", "c0 + c1*n**(-c2)*T**(-c3)", (0.05, 2.0, 0.4, 0.25), (2, 3), LOSS),
    Planted("pure power", "c0*n**(-c1)*T**(-c2)", (3.0, 0.45, 0.2), (1, 2), LOSS),
    Planted("additive roots", "c0 + c1*sqrt(n) + c2*sqrt(T)", (0.1, 0.01, 0.05)),
    Planted("gain that changes sign", "(c0*ami - c1)*log(T)/sqrt(n)", (5.0, 1.5)),
    Planted("gain with a power", "(c0*ami - c1)*log(T)*n**(-c2)", (6.0, 2.0, 0.6), (2,)),
    Planted(
        "harm of unrelated tasks",
        "c0 - c1*(n*T**(c2*ami - c3))**(-c4)",
        (0.9, 2.0, 1.4, 0.4, 0.35),
        (4,),
        SCORE,
    ),
    Planted("rational", "c0/(1 + c1/(n*(1 + (T - 1)*ami)))", (0.9, 400.0), (), SCORE),
    Planted(
        "weighted auxiliaries",
        "c0 - c1*(n*(1 + c2*(T - 1)*ami))**(-c3)",
        (0.9, 2.0, 0.4, 0.35),
        (3,),
        SCORE,
    ),
    Planted(
        "exponential decay", "c0 + c1*exp(-(n*T**ami/c2)**c3)", (0.1, 0.8, 600.0, 0.5), (3,), LOSS
    ),
    Planted(
        "task shift",
        "c0 + c1/(n*(1 + c2*(T - 1))) + c3*(1 - ami)*(1 - 1/T)",
        (0.1, 30.0, 0.5, 0.2),
        (),
        LOSS,
    ),
    Planted("logarithm of tasks", "c0 + c1*log(n) + c2*ami*log(T)", (-0.2, 0.09, 0.07)),
)


def table(law: Planted | Callable[[Columns], Floats], noise: float, seed: int) -> pd.DataFrame:
    """Every cell of `LEVELS` twice, AMI null at T = 1, a decoy, noise in units of SD(y)."""
    rng = np.random.default_rng([seed, 41])
    cells = [
        (n, T, ami)
        for n in LEVELS["n"]
        for T in LEVELS["T"]
        for ami in ((np.nan,) if T == 1 else LEVELS["ami"])
        for _ in range(REPLICATES)
    ]
    rows = pd.DataFrame(cells, columns=["n", "T", "ami"], dtype=float)
    rows["decoy"] = rng.integers(1, DECOY_LEVELS + 1, len(rows)).astype(float)
    clean = _value(law, rows)
    rows["y"] = clean + rng.normal(0, noise * clean.std(), len(rows))
    return rows


def beyond(law: Planted | Callable[[Columns], Floats], seed: int, rows: int = 500) -> pd.DataFrame:
    """Rows beyond every training maximum, without noise."""
    rng = np.random.default_rng([seed, 43])
    far = pd.DataFrame({name: rng.uniform(*ends, rows) for name, ends in BEYOND.items()})
    far["T"] = far["T"].round()
    far["decoy"] = rng.integers(1, DECOY_LEVELS + 1, rows).astype(float)
    far["y"] = _value(law, far)
    return far


def _value(law: Planted | Callable[[Columns], Floats], rows: pd.DataFrame) -> Floats:
    """The clean target; at T = 1 every law here is the same whatever AMI stands there."""
    columns = {name: rows[name].fillna(0.5).to_numpy() for name in ("n", "T", "ami")}
    return law.value(columns) if isinstance(law, Planted) else law(columns)
