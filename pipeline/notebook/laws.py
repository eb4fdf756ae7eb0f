"""Laws: what a search found, as an object that shows itself in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import MissingError, UserError, said_as
from pipeline.fit import Fit, summary
from pipeline.fitted import read_fit, with_region
from pipeline.laws.bands import Bands
from pipeline.laws.law import SCORES, Law
from pipeline.notebook.show import laws_html
from pipeline.symbolic.tree import Floats
from pipeline.symbolic.typeset.latex import formula_latex
from pipeline.symbolic.typeset.plain import formula_text

FINDINGS = ("factor", "in_law", "sentence", "delta_bic", "r2_without", "inclusion")


@dataclass(frozen=True, eq=False, repr=False)
class Laws:
    """The laws of a table: the selected one, the front, the evidence.

    Attributes
    ----------
    fit : the document of ``laws.json`` and the rows that were analysed.
    """

    fit: Fit

    @classmethod
    def load(cls, folder: Path | str) -> Laws:
        """The laws in a folder that `mtl-laws run`, `mtl-laws fit` or `save` left.

        Raises
        ------
        UserError
            if the folder holds no laws or they cannot be read.
        """
        found = read_fit(Path(folder))
        if found.document["selected"] is None:
            raise UserError(f"{folder}, selected", None, "laws of which one was selected")
        return cls(found)

    @property
    def target(self) -> str:
        """Name of what the laws explain."""
        return str(self.fit.document["target"])

    @property
    def rows(self) -> pd.DataFrame:
        """The analysed rows: factors, target, ``role`` (``fit`` or ``hold-out``) and ``cell``."""
        return self.fit.rows

    @cached_property
    def selected(self) -> Law:
        """The law that was chosen."""
        return self._law(self.fit.document["selected"])

    @cached_property
    def front(self) -> tuple[Law, ...]:
        """The front: laws that no simpler one beats, inside or outside, by complexity."""
        return tuple(self._law(record) for record in self.fit.document["front"])

    @cached_property
    def theory(self) -> tuple[Law, ...]:
        """Forms from the literature, fitted to the same rows; valid ones first, by error."""
        return tuple(self._law(record) for record in self.fit.document["theory"])

    @property
    def table(self) -> pd.DataFrame:
        """The front as a table: one row per law."""
        chosen = self.selected.expression
        records = [
            {
                "law": formula_text(law.expression),
                "complexity": law.complexity,
                **{name: law.scores.get(name) for name in SCORES if name.startswith("r2_")},
                "valid": law.valid,
                "selected": law.expression == chosen,
                "origin": law.origin,
                "reason": law.reason,
                "expression": law.expression,
            }
            for law in self.front
        ]
        return pd.DataFrame.from_records(records)

    @property
    def evidence(self) -> pd.DataFrame:
        """What the rows say for each factor: one row per factor."""
        return pd.DataFrame.from_records([_finding(f) for f in self.fit.document["evidence"]])

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on the rows and on the law beside theory and other predictors."""
        document = self.fit.document
        return (*document["data"]["notes"], *document["verdicts"])

    def predict(self, table: pd.DataFrame) -> pd.Series[float]:
        """Value of the selected law for every row, with the index of `table`.

        Parameters
        ----------
        table : the factors, under their own names or those of the columns they were fitted from.
            A missing value is an undefined factor: the mean over its domain is taken there.

        Raises
        ------
        UserError
            if a factor of the law is missing.
        """
        return pd.Series(self._bands(table).mean, index=table.index, name=self.target)

    def bands(self, table: pd.DataFrame) -> pd.DataFrame:
        """Predictions with 95 % bands, in units of the target; null where nothing is known.

        Columns: the target; ``law_low``, ``law_high`` (the law, given its form); ``run_low``,
        ``run_high`` (one more trained model); ``outside``, the factors beyond the fitted range.
        """
        found = self._bands(table)
        known: dict[str, Floats | None] = {self.target: found.mean}
        for name, band in (("law", found.law), ("run", found.run)):
            low, high = (None, None) if band is None else band
            known |= {f"{name}_low": low, f"{name}_high": high}
        outside = [", ".join(names) for names in found.outside]
        return pd.DataFrame({**known, "outside": outside}, index=table.index)

    def save(self, folder: Path | str) -> Path:
        """Write ``laws.json``, ``table.parquet`` and the report into a folder; returns the folder.

        Raises
        ------
        UserError
            if the folder cannot be made or written to.
        """
        with said_as({"out": "folder"}):
            self.fit.write(Path(folder))
        return Path(folder)

    def __repr__(self) -> str:
        return summary(self.fit.document)

    def _repr_html_(self) -> str:
        return laws_html(self.target, self.selected, self.front, self.notes)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {formula_latex(self.selected.expression, self.target)}$"

    def _law(self, record: dict[str, Any]) -> Law:
        return Law.from_json(record, self.fit.document["factors"])

    def _bands(self, table: pd.DataFrame) -> Bands:
        law = with_region(self.selected, self.fit.document)
        return law.bands(self._columns(table, law.factors))

    def _columns(self, table: pd.DataFrame, factors: Sequence[str]) -> dict[str, Floats]:
        """The factors of a table, by their own name where that is a column, else by the user's."""
        from pipeline.files.tablefile import numbers

        columns = self.fit.document["data"]["columns"]
        found: dict[str, Floats] = {}
        for name in factors:
            column = name if name in table.columns else columns.get(name, name)
            if column in table.columns:
                found[name] = np.asarray(numbers(table, column, "table"), dtype=np.float64)
            elif self.selected.uses(name):
                raise _missing(name, column, table)
        return found


def _missing(factor: str, column: str, table: pd.DataFrame) -> MissingError:
    other = "" if column == factor else f", a column {factor} would do too"
    there = ", ".join(map(str, table.columns)) or "none"
    wanted = f"it holds the law's factor {factor}{other}; columns given: {there}"
    return MissingError(f"table, column {column}", None, wanted)


def _finding(record: dict[str, Any]) -> dict[str, Any]:
    exponent = record.get("exponent") or {}
    low, high = exponent.get("ci95") or (None, None)
    told = {"exponent": exponent.get("value"), "exponent_low": low, "exponent_high": high}
    return {**{name: record.get(name) for name in FINDINGS}, **told}
