"""Law: one closed-form expression with constants, intervals and scores, as ``laws.json`` holds it.

A law with groups has one form and, for each level of the group column, constants of its own:
`Law.for_group` gives the law of one level.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from mtl_laws.pipeline.errors import UserError, nearest
from mtl_laws.pipeline.laws.bands import Bands, Predictor, Uncertainty
from mtl_laws.pipeline.laws.record import Record, wrong
from mtl_laws.pipeline.symbolic.effective import EffectiveForm, effective_form
from mtl_laws.pipeline.symbolic.program import Expression, rows_of
from mtl_laws.pipeline.symbolic.tree import FUNCTIONS, Floats, format_number
from mtl_laws.pipeline.symbolic.typeset import formula_latex, formula_markup, formula_text
from mtl_laws.pipeline.symbolic.typeset.mathml import left_side

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
#: rows of an R² -> their words
SCORED = {"train": "where fitted", "extrapolation": "extrapolated", "hold_out": "held out"}
#: significant digits of the numbers in the LaTeX of the record
LATEX_DIGITS = 6
#: levels that an error message names at most
MOST_LEVELS = 20
#: kind of the defect of an own form for which no constants were found
NOT_FITTED = "not_fitted"


class Interval(Record):
    """Standard error and 95 % interval (bootstrap over cells) of a constant.

    Where there is no interval, `reason` says why: the constant is not identifiable, or too few
    resamples could be fitted.
    """

    se: float | None = None
    ci95: tuple[float, float] | None = None
    reason: str = ""


class Constant(Record):
    """A fitted constant with its `Interval`."""

    value: float
    se: float | None = None
    ci95: tuple[float, float] | None = None
    reason: str = ""


class LawDefect(Record):
    """Something that is wrong with a law: its kind, and the factor and value where it shows."""

    kind: str
    factor: str = ""
    value: float | None = None
    at: dict[str, float] = Field(default_factory=dict)


class Law(Record):
    """A law as ``laws.json`` records it.

    Attributes
    ----------
    expression : in the factor names with numbers; with groups, that of the first level.
    template : the same with named constants.
    latex_text : ``latex`` in the file: `shown` as LaTeX at six significant digits.
    factors : every factor of the table, used or not.
    complexity : nodes of `expression` as Python parses it.
    constants : name -> constant; with groups, the shared ones only.
    shared : names of the constants that all groups share; empty without groups.
    group_constants : level -> constant -> value; None where no constant differs between groups.
    group_intervals : level -> constant -> standard error and interval.
    scores : the names of `SCORES`; None where there were no such rows.
    valid, reason : whether it may be used over the domain, else why not.
    limits : what is implausible about its limits; empty where nothing is.
    defects : the same as kinds, factors and values. An own form with the defect ``not_fitted`` has
        no constants: its `expression` is its template.
    origin : engine or catalogue name.
    uncertainty : what `bands` are computed from; None for laws that are only shown beside another.
    """

    expression: str
    template: str = ""
    latex_text: str = Field(default="", alias="latex")
    factors: tuple[str, ...] = ()
    complexity: int = Field(ge=1)
    constants: dict[str, Constant] = Field(default_factory=dict)
    shared: tuple[str, ...] = ()
    group_constants: dict[str, dict[str, float]] | None = Field(default=None, min_length=1)
    group_intervals: dict[str, dict[str, Interval]] | None = None
    scores: dict[str, float | None] = Field(default_factory=dict)
    valid: bool
    reason: str = ""
    limits: str = ""
    defects: tuple[LawDefect, ...] = ()
    origin: str = ""
    uncertainty: Uncertainty | None = None

    @model_validator(mode="before")
    @classmethod
    def _template_is_given(cls, content: Any) -> Any:
        """Without a template, the numbers of the expression are not known by name."""
        if isinstance(content, Mapping) and not content.get("template"):
            return {**content, "template": content.get("expression", "")}
        return content

    @model_validator(mode="after")
    def _formulas_are_formulas(self) -> Self:
        """Refuse all but arithmetic in the factors, and constants without a value."""
        expression = self._whitelisted(self.expression)
        template = self._whitelisted(self.template)
        if not self.fitted:
            if self.valid:
                raise wrong(self.valid, "false for a form that could not be fitted", "valid")
            return self
        for level in self.levels or (None,):
            names = self.constants.keys() | ({} if level is None else self._of_level(level)).keys()
            unknown = set(expression.constants) | (set(template.constants) - names)
            if unknown:
                accepted = "an expression with numbers only, and a value for every constant"
                raise wrong(sorted(unknown)[0], accepted)
        return self

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        """Refuse intervals and draws of constants or levels that the law does not have."""
        own = {name for values in (self.group_constants or {}).values() for name in values}
        constants, stored = self.constants.keys() | own, self.uncertainty
        groups = {} if stored is None else stored.groups or {}
        draws = [set[str]() if stored is None else set(stored.draws)]
        draws += [set(group.draws) for group in groups.values()]
        for names in draws:
            if names - constants:
                raise wrong(
                    sorted(names - constants)[0], "constants of the law", "uncertainty.draws"
                )
        if set(self.shared) - set(self.constants):
            raise wrong(sorted(set(self.shared) - set(self.constants))[0], "constants", "shared")
        for place, block in (("uncertainty.groups", groups), ("group_intervals", self._intervals)):
            unknown = set(block) - set(self.levels)
            if unknown:
                raise wrong(sorted(unknown)[0], "a level of group_constants", place)
        return self

    def __repr__(self) -> str:
        return f"Law({formula_text(self.shown)}; {scores_in_words(self.scores)})"

    __str__ = __repr__

    @property
    def levels(self) -> tuple[str, ...]:
        """Groups that have constants of their own; empty where there are none."""
        return tuple(self.group_constants or ())

    @property
    def fitted(self) -> bool:
        """Whether constants were found; false only for an own form."""
        return all(defect.kind != NOT_FITTED for defect in self.defects)

    @property
    def shown(self) -> str:
        """What is typeset: the expression; with groups, the form with its shared numbers."""
        if self.group_constants is None:
            return self.expression
        shared = {name: constant.value for name, constant in self.constants.items()}
        return self._template().with_constants(shared)

    def for_group(self, level: str) -> Law:
        """The law of one group: a law without groups.

        Raises
        ------
        UserError
            if the law has constants by group and none for this one.
        """
        if self.group_constants is None:
            return self
        if level not in self.group_constants:
            more = len(self.levels) - MOST_LEVELS
            expected = nearest(str(level), self.levels[:MOST_LEVELS])
            raise UserError("group", f"{expected} and {more} more" if more > 0 else expected, level)
        missing, intervals = Interval(), self._intervals.get(level, {})
        constants = {**self.constants}
        for name, value in self._of_level(level).items():
            interval = intervals.get(name, missing)
            constants[name] = Constant(
                value=value, se=interval.se, ci95=interval.ci95, reason=interval.reason
            )
        template = self._template()
        values = {name: constants[name].value for name in template.constants}
        uncertainty = self.uncertainty
        return self.model_copy(
            update={
                "expression": template.with_constants(values),
                "constants": constants,
                "shared": (),
                "group_constants": None,
                "group_intervals": None,
                "uncertainty": None if uncertainty is None else uncertainty.for_group(level),
            }
        )

    def predict(self, columns: Mapping[str, Floats], group: Sequence[str] | None = None) -> Floats:
        """Value (N,) at factor values; inf or nan at a pole.

        Parameters
        ----------
        columns : factor name -> (N,).
        group : N names of levels, needed where the law has constants by group.

        Raises
        ------
        UserError
            if a factor of the law is missing, or a level is not known.
        """
        arrays = self._arrays(columns)
        if self.group_constants is None:
            return self._parsed().evaluate(arrays)
        value = np.full(_size(arrays, group), np.nan)
        for law, rows, (part,) in self._parts(group, arrays):
            value[rows] = law.predict(part)
        return value

    def bands(self, columns: Mapping[str, Floats], group: Sequence[str] | None = None) -> Bands:
        """Predictions with 95 % bands of the law and of one more run, and what lies outside.

        Parameters
        ----------
        columns : factor name -> (N,), for every factor that the law uses; nan where undefined,
            where the mean over five values of its domain is given, as in the search.
        group : as in `predict`.

        Raises
        ------
        UserError
            if a factor of the law is missing, or a level is not known.
        """
        arrays = self._arrays(columns)
        if self.group_constants is None:
            return self._predictor().bands(arrays)
        parts = [(rows, law.bands(part)) for law, rows, (part,) in self._parts(group, arrays)]
        return Bands.joined(parts, _size(arrays, group))

    def change(
        self,
        columns: Mapping[str, Floats],
        baseline: Mapping[str, Floats],
        group: Sequence[str] | None = None,
    ) -> Bands:
        """The law at `columns` minus the law at `baseline`, row by row, with bands.

        Every draw of the constants serves both sides, so what they share cancels; the band of a run
        is that of the difference of two runs. Columns, groups and errors as in `bands`.
        """
        first, second = self._arrays(columns), self._arrays(baseline)
        if self.group_constants is None:
            return self._predictor().change(first, second)
        parts = [
            (rows, law.change(one, other))
            for law, rows, (one, other) in self._parts(group, first, second)
        ]
        return Bands.joined(parts, _size(first, group))

    def rival_spread(
        self, columns: Mapping[str, Floats], group: Sequence[str] | None = None
    ) -> Floats:
        """Standard deviation (N,) of the laws that score about as well, about this one.

        0 where no such laws were recorded. Columns, groups and errors as in `bands`.
        """
        arrays = self._arrays(columns)
        if self.group_constants is None:
            return self._predictor().spread(arrays)
        spread = np.full(_size(arrays, group), np.nan)
        for law, rows, (part,) in self._parts(group, arrays):
            spread[rows] = law.rival_spread(part)
        return spread

    def uses(self, factor: str) -> bool:
        """Whether the factor appears in the law."""
        return factor in self._parsed().factors

    def python(self, name: str = "law") -> str:
        """Source of a function of the factors that needs nothing but the standard library.

        A law with constants by group has one more argument, ``group``: the name of a level. At a
        pole the function raises what Python raises there (`ZeroDivisionError`, `ValueError`,
        `OverflowError`).
        """
        self._check_fitted()
        expression = self._parsed()
        arguments, body = list(expression.factors), [f"return {self.expression}"]
        if self.group_constants is not None:
            group = "group" if "group" not in expression.factors else "group_"
            arguments.append(group)
            body = [*self._python_constants(group), f"return {self.shown}"]
        operations = {step.op for step in expression.program.steps}
        functions = ", ".join(sorted(operations & set(FUNCTIONS)))
        imports = f"from math import {functions}\n\n\n" if functions else ""
        lines = "".join(f"    {line}\n" for line in body)
        return f"{imports}def {name}({', '.join(arguments)}):\n{lines}"

    def _python_constants(self, group: str) -> Iterator[str]:
        """Lines that set the constants of one group."""
        names = Expression.parse(self.shown, self.factors).constants
        yield f"[{', '.join(names)}] = {{"
        for level in self.levels:
            numbers = ", ".join(format_number(self._of_level(level)[name]) for name in names)
            yield f"    {level!r}: [{numbers}],"
        yield f"}}[{group}]"

    def sympy(self, group: str | None = None) -> Any:
        """The expression as a sympy object; every factor is a plain symbol with its name.

        Constants by group are symbols, too, unless `group` names a level.
        """
        import sympy

        text = self.shown if group is None else self.for_group(group).expression
        # the whitelist, before sympy evaluates the text
        expression = Expression.parse(text, self.factors)
        names = (*self.factors, *expression.constants)
        return sympy.sympify(text, locals={name: sympy.Symbol(name) for name in names})

    def effective(self, size: str = "") -> EffectiveForm:
        """`shown` with its effective quantity under a name, as ``n_eff = n*T**0.4``.

        Parameters
        ----------
        size : the factor to look for first, such as the amount of data.
        """
        return effective_form(self.shown, self.factors, size)

    def line(self, target: str = "", size: str = "") -> str:
        """The law as one line of Unicode with its effective quantity named.

        Parameters
        ----------
        target : name of what the law explains; empty for the right-hand side alone.
        size : as in `effective`.

        Examples
        --------
        >>> law = Law(expression="0.9 - 3/sqrt(n*T**0.4)", factors=("n", "T"), complexity=9,
        ...           valid=True)
        >>> law.line("f1")
        'f1 = 0.9 − 3/√n_eff, n_eff = n·T^0.4'
        """
        form = self.effective(size)
        parts = [f"{target} = {formula_text(form.main)}" if target else formula_text(form.main)]
        parts += [f"{form.name} = {formula_text(form.part)}"] if form.name else []
        return ", ".join(parts)

    def latex_line(self, target: str = "", size: str = "") -> str:
        """`line` as LaTeX, without dollar signs."""
        form = self.effective(size)
        parts = [formula_latex(form.main, target)]
        parts += [formula_latex(form.part, form.name)] if form.name else []
        return ",\\quad ".join(parts)

    def markup_line(self, size: str = "") -> str:
        """The right-hand side as MathML, and its effective quantity below it."""
        form = self.effective(size)
        main = formula_markup(form.main, display=False)
        if not form.name:
            return main
        name = left_side(form.name, display=False, sign="=")
        return f"{main}, where {name} {formula_markup(form.part, display=False)}"

    def latex(self, digits: int | None = None) -> str:
        """LaTeX of `shown`, at so many significant digits; every digit where None."""
        return formula_latex(self.shown, digits=digits)

    def mathml(self, digits: int | None = None) -> str:
        """Presentation MathML of `shown`, digits as in `latex`."""
        return formula_markup(self.shown, digits=digits)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        words = scores_in_words(self.scores)
        return f"<p>{self.markup_line()}</p><p>{escape(words if self.valid else self.reason)}</p>"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex_line()}$"

    @property
    def _intervals(self) -> dict[str, dict[str, Interval]]:
        return self.group_intervals or {}

    def _of_level(self, level: str) -> dict[str, float]:
        return (self.group_constants or {})[level]

    def _whitelisted(self, text: str) -> Expression:
        try:
            return Expression.parse(text, self.factors)
        except UserError as error:
            raise wrong(error.got, error.expected) from error

    def _parsed(self) -> Expression:
        return Expression.parse(self.expression, self.factors)

    def _template(self) -> Expression:
        return Expression.parse(self.template, self.factors)

    def _predictor(self) -> Predictor:
        return Predictor(self._parsed(), self._template(), self.uncertainty)

    def _arrays(self, columns: Mapping[str, Floats]) -> dict[str, Floats]:
        self._check_fitted()
        missing = [name for name in self._parsed().factors if name not in columns]
        if missing:
            raise UserError("columns", f"also the factor {missing[0]}", sorted(columns))
        return {name: np.asarray(column, dtype=float) for name, column in columns.items()}

    def _check_fitted(self) -> None:
        if not self.fitted:
            raise UserError("law", "a law whose constants were fitted", self.template)

    def _parts(
        self, group: Sequence[str] | None, *tables: Mapping[str, Floats]
    ) -> Iterator[tuple[Law, npt.NDArray[np.intp], list[dict[str, Floats]]]]:
        """For each level that is asked about: its law, its rows, and the tables on these rows."""
        size = _size(tables[0], group)
        if group is None:
            raise UserError(
                "group", "the level of every row: this law has constants by group", None
            )
        names = np.asarray([str(level) for level in group], dtype=object)
        if len(names) != size:
            raise UserError("group", f"{size} levels, one for each row", len(names))
        for level in dict.fromkeys(names.tolist()):
            rows = np.flatnonzero(names == level)
            parts = [
                {name: np.broadcast_to(column, (size,))[rows] for name, column in table.items()}
                for table in tables
            ]
            yield self.for_group(level), rows, parts


def _size(table: Mapping[str, Floats], group: Sequence[str] | None) -> int:
    """Number of rows asked about."""
    return rows_of(table) if table or group is None else len(group)


def scores_in_words(scores: Mapping[str, float | None]) -> str:
    """The scores that are known: ``R² 0.965 where fitted, R² 0.939 extrapolated``."""
    phrases = ((scores.get(f"r2_{rows}"), words) for rows, words in SCORED.items())
    return ", ".join(f"R² {value:.3f} {words}" for value, words in phrases if value is not None)
