"""Law: one closed-form expression with constants, intervals and scores, and its JSON record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.laws.bands import Bands, Predictor, Uncertainty
from pipeline.symbolic.program import Expression
from pipeline.symbolic.tree import FUNCTIONS, Floats
from pipeline.symbolic.typeset import formula_latex, formula_markup

SCORES = (
    "r2_train",
    "r2_cv",
    "r2_extrapolation",
    "r2_hold_out",
    "rmse_train",
    "rmse_cv",
    "rmse_extrapolation",
    "rmse_hold_out",
)
#: R² of these rows -> how it is said
SCORED = {"train": "where fitted", "extrapolation": "extrapolated", "hold_out": "held out"}


@dataclass(frozen=True)
class Constant:
    """A fitted constant: value, standard error and 95 % interval (bootstrap over cells).

    Where there is no interval, `reason` says why: the rows do not tell the constant, or too few
    resamples could be fitted.
    """

    value: float
    se: float | None
    ci95: tuple[float, float] | None
    reason: str = ""


@dataclass(frozen=True)
class Law:
    """A law as `laws.json` records it.

    Attributes
    ----------
    expression : in the factor names with numbers; what `predict` evaluates.
    template : the same with named constants.
    factors : every factor of the table, used or not.
    complexity : nodes of `expression` as Python parses it.
    scores : the names of `SCORES`; None where there were no such rows.
    valid, reason : whether it may be used over the domain, else why not.
    limits : what is implausible about its limits; empty where nothing is.
    origin : engine or catalogue name.
    uncertainty : what `bands` are computed from; None for laws that are only shown beside another.
    """

    expression: str
    template: str
    factors: tuple[str, ...]
    complexity: int
    constants: Mapping[str, Constant]
    scores: Mapping[str, float | None]
    valid: bool
    reason: str
    limits: str
    origin: str
    uncertainty: Uncertainty | None = None

    def predict(self, columns: Mapping[str, Floats]) -> Floats:
        """Value (N,) at factor values: factor name -> (N,); inf or nan at a pole."""
        return self._parsed().evaluate(self._arrays(columns))

    def bands(self, columns: Mapping[str, Floats]) -> Bands:
        """Predictions with 95 % bands of the law and of one more run, and what lies outside.

        Parameters
        ----------
        columns : factor name -> (N,), for every factor that the law uses; nan where undefined,
            where the mean over five values of its domain is given, as in the search.

        Raises
        ------
        UserError
            if a factor of the law is missing.
        """
        return self._predictor().bands(self._arrays(columns))

    def change(self, columns: Mapping[str, Floats], baseline: Mapping[str, Floats]) -> Bands:
        """The law at `columns` minus the law at `baseline`, row by row, with bands.

        Every draw of the constants serves both sides, so what they share cancels; the band of a run
        is that of the difference of two runs. Columns and errors as in `bands`.
        """
        return self._predictor().change(self._arrays(columns), self._arrays(baseline))

    def uses(self, factor: str) -> bool:
        """Whether the factor appears in the law."""
        return factor in self._parsed().factors

    def python(self, name: str = "law") -> str:
        """Source of a function of the factors that needs nothing but the standard library.

        At a pole it raises what Python raises there (`ZeroDivisionError`, `ValueError`,
        `OverflowError`).
        """
        arguments = ", ".join(self._parsed().factors)
        called = {step.op for step in self._parsed().program}
        used = ", ".join(sorted(called & set(FUNCTIONS)))
        imports = f"from math import {used}\n\n\n" if used else ""
        return f"{imports}def {name}({arguments}):\n    return {self.expression}\n"

    def sympy(self) -> Any:
        """The expression as sympy sees it, every factor a plain symbol of its own name."""
        import sympy

        self._parsed()  # the whitelist, before sympy evaluates the text
        return sympy.sympify(self.expression, locals={f: sympy.Symbol(f) for f in self.factors})

    def latex(self, digits: int | None = None) -> str:
        """LaTeX, rounded to so many significant digits; every digit where None."""
        return formula_latex(self.expression, digits=digits)

    def mathml(self, digits: int | None = None) -> str:
        """Presentation MathML, rounded to so many significant digits; every digit where None."""
        return formula_markup(self.expression, digits=digits)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        words = scores_in_words(self.scores)
        return f"{self.mathml(3)}<p>{escape(words if self.valid else self.reason)}</p>"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex(3)}$"

    def to_json(self) -> dict[str, Any]:
        """The record of the contract: plain numbers, strings and lists."""
        record = asdict(self)
        record["factors"] = list(self.factors)
        record["constants"] = {
            name: {**asdict(c), "ci95": list(c.ci95) if c.ci95 else None}
            for name, c in self.constants.items()
        }
        record["uncertainty"] = self.uncertainty and self.uncertainty.to_json()
        return record

    @staticmethod
    def from_json(record: Mapping[str, Any], factors: Sequence[str] = ()) -> Law:
        """The law of a record; `factors` where the record holds none.

        Raises
        ------
        UserError
            if a field is missing or the expression holds anything but arithmetic.
        """
        names = tuple(record.get("factors") or factors)
        for field in ("expression", "template", "complexity", "constants", "scores", "valid"):
            if field not in record:
                raise UserError("law", sorted(record), f"a record with the field {field!r}")
        Expression.parse(record["expression"], names)
        constants = {
            name: Constant(
                c["value"], c["se"], tuple(c["ci95"]) if c["ci95"] else None, c.get("reason", "")
            )
            for name, c in record["constants"].items()
        }
        known = record.get("uncertainty")
        return Law(
            record["expression"],
            record["template"],
            names,
            int(record["complexity"]),
            constants,
            dict(record["scores"]),
            bool(record["valid"]),
            str(record.get("reason", "")),
            str(record.get("limits", "")),
            str(record.get("origin", "")),
            Uncertainty.from_json(known) if known else None,
        )

    def _parsed(self) -> Expression:
        return Expression.parse(self.expression, self.factors)

    def _predictor(self) -> Predictor:
        template = Expression.parse(self.template, self.factors)
        return Predictor(self._parsed(), template, self.uncertainty)

    def _arrays(self, columns: Mapping[str, Floats]) -> dict[str, Floats]:
        missing = [name for name in self._parsed().factors if name not in columns]
        if missing:
            raise UserError("columns", sorted(columns), f"also the factor {missing[0]}")
        return {name: np.asarray(column, dtype=float) for name, column in columns.items()}


def scores_in_words(scores: Mapping[str, float | None]) -> str:
    """The scores that are known: ``R² 0.965 where fitted, R² 0.939 extrapolated``."""
    known = ((scores.get(f"r2_{rows}"), words) for rows, words in SCORED.items())
    return ", ".join(f"R² {value:.3f} {words}" for value, words in known if value is not None)
