"""LawRegressor: the law search as a scikit-learn estimator.

The search is that of `mtl-laws fit`; here are only its scikit-learn manners. A *factor name* is a
feature's name where that can stand in a formula, and ``x0``, ``x1``, … by position where it cannot.

Notation
--------
N : rows.    F : features.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
from joblib import effective_n_jobs
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from pipeline.errors import UserError
from pipeline.laws.document import law_of
from pipeline.laws.factors import Placeholder, find_placeholders, mark_undefined
from pipeline.laws.law import LATEX_DIGITS, SCORES, Constant, Law
from pipeline.laws.question import (
    MAX_SEED,
    Question,
    check_question,
    is_factor_name,
)
from pipeline.laws.rows import Rows, infer_domains, number_cells
from pipeline.laws.rules import Rules
from pipeline.laws.search import SearchOptions, SearchResult, find_laws
from pipeline.symbolic.engines.choice import choose
from pipeline.symbolic.tree import Floats, format_number
from pipeline.symbolic.typeset import formula_latex

if TYPE_CHECKING:  # scikit-learn ships no types: what is inherited, in our words

    class RegressorMixin:
        """Gives ``score``: R² of the predictions."""

    class BaseEstimator:
        """Gives ``get_params``, ``set_params`` and a repr."""

        def __sklearn_tags__(self) -> Any: ...

else:
    from sklearn.base import BaseEstimator, RegressorMixin

#: attributes of `Question` that go by another name here
PARAMETERS = {"domain": "domains", "jobs": "n_jobs", "seed": "random_state"}
#: origin of the law that comes out where no other does
CONSTANT = "constant"


class ParameterError(UserError, ValueError):
    """A parameter of `LawRegressor`, or its data, that cannot be used."""


class ConstantLawWarning(UserWarning):
    """No factor could be used: the law is the mean of the target."""


class LawRegressor(RegressorMixin, BaseEstimator):
    """Closed-form law by the whole search of `find_laws`.

    Parameters
    ----------
    engine : ``"grammar"``, ``"operon"``, ``"pysr"``, ``"gplearn"`` or ``"auto"``; the grammar and
        the theory catalogue always join.
    budget : a key of `pipeline.laws.rules.BUDGETS`; ``"tiny"`` is for tests and first looks.
    bounds : lowest and highest value the target can take, None for none.
    domains : feature name -> (low, high) where the law must be valid; inferred where missing.
    time_limit : seconds, None for none; a law found that way is noted in ``notes_``.
    random_state : seed; the same seed gives the same law, whatever `n_jobs` is.
    n_jobs : workers; None for one, −1 for all cores.

    Attributes
    ----------
    selected_ : the selected law. Where no law is valid, or the rows say nothing, it is the mean of
        the target (``origin == "constant"``), with a `ConstantLawWarning`.
    laws_ : the front and the selected law, by complexity.
    factor_names_ : (F,) name of every feature in the laws.
    domains_ : factor name -> (low, high) where the laws were checked.
    notes_ : sentences on what was noticed: undefined factors, engines that failed, a cut search.
    n_features_in_, feature_names_in_ : as everywhere in scikit-learn.

    Notes
    -----
    A missing value in X is an undefined factor (AMI at T = 1): the law must not depend on it there.
    Weights count rows: a weight of 2 is the same as two equal rows, a weight of 0 as none.
    """

    def __init__(
        self,
        *,
        engine: str = "grammar",
        budget: str = "standard",
        bounds: tuple[float | None, float | None] = (None, None),
        domains: Mapping[str, tuple[float, float]] | None = None,
        time_limit: float | None = None,
        random_state: int | np.random.RandomState | None = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.engine = engine
        self.budget = budget
        self.bounds = bounds
        self.domains = domains
        self.time_limit = time_limit
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LawRegressor:
        """Search for laws of y.

        Parameters
        ----------
        X : (N, F) factors; nan where one is undefined.
        y : (N,) target.
        sample_weight : (N,) rows that each row stands for; not negative, not all zero.

        Raises
        ------
        ValueError
            if X, y or the weights are malformed, or a parameter makes no sense (`ParameterError`).
        """
        X, y = validate_data(
            self, X, y, dtype=np.float64, ensure_all_finite="allow-nan", y_numeric=True
        )
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        rows = _counted(X, np.asarray(y, dtype=np.float64), weight)
        names = getattr(self, "feature_names_in_", None)
        self.factor_names_ = factor_names(rows.X.shape[1], names)
        seed = self._checked(rows)
        data, self._placeholders, notes = self._data(rows)
        self.domains_ = dict(data.domains)
        reason = _hopeless(data) or self._search(data, seed, notes)
        if reason:
            notes.append(f"the law is the mean of the target: {reason}")
            warnings.warn(notes[-1], ConstantLawWarning, stacklevel=2)
            self.selected_ = constant_law(data)
            self.laws_: tuple[Law, ...] = (self.selected_,)
        self.notes_ = tuple(notes)
        return self

    def predict(self, X: Any) -> Floats:
        """Value (N,) of the selected law.

        Where the law is not finite outside its domain, it is its value at the nearest point of the
        domain.

        Parameters
        ----------
        X : (N, F) factors.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        columns = dict(zip(self.factor_names_, X.T, strict=True))
        used = {k: v for k, v in columns.items() if self.selected_.uses(k)}
        if not used:
            return np.full(len(X), self.selected_.constants["c0"].value)
        marked = mark_undefined(columns, self._placeholders)
        rows = np.zeros(len(X), dtype=np.int64)
        data = Rows({k: marked[k] for k in used}, X[:, 0], rows, domains=self.domains_)
        return self._finite(data.filled)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _finite(self, columns: Mapping[str, Floats]) -> Floats:
        value = self.selected_.predict(columns)
        inside = {k: np.clip(column, *self.domains_[k]) for k, column in columns.items()}
        return np.where(np.isfinite(value), value, self.selected_.predict(inside))

    def _checked(self, rows: Counted) -> int:
        """The seed, once every parameter has been looked at."""
        draw = self.random_state
        seed = draw if isinstance(draw, int | np.integer) else _drawn(draw)
        try:
            check_question(self._question(int(seed)))
            choose(self.engine)
        except UserError as error:
            head, dot, rest = error.path.partition(".")
            path = f"{PARAMETERS.get(head, head)}{dot}{rest}"
            raise ParameterError(path, error.value, error.expected) from error
        low, high = self._limits()
        if rows.y.min() < low or rows.y.max() > high:
            raise ParameterError("bounds", self.bounds, "bounds that hold every value of y")
        largest = float(max(np.nanmax(np.abs(rows.X), initial=0.0), np.max(np.abs(rows.y))))
        most = Rules().data.max_value
        if largest > most:
            raise ParameterError("X, y", largest, f"numbers of at most {most:g} in size")
        return int(seed)

    def _question(self, seed: int) -> Question:
        factors = {name: name for name in self.factor_names_}
        return Question(
            target=_target_name(self.factor_names_),
            factors=factors,
            bounds=self.bounds,
            domain=self._domains(),
            budget=self.budget,
            time_limit=self.time_limit,
            seed=seed,
        )

    def _limits(self) -> tuple[float, float]:
        low, high = self.bounds
        return (-np.inf if low is None else low, np.inf if high is None else high)

    def _domains(self) -> dict[str, tuple[float, float]]:
        """The domains given, by factor name."""
        features = getattr(self, "feature_names_in_", self.factor_names_)
        known = dict(zip(features, self.factor_names_, strict=True))
        return {known.get(name, name): ends for name, ends in (self.domains or {}).items()}

    def _data(self, rows: Counted) -> tuple[Rows, list[Placeholder], list[str]]:
        """Rows of the search: factors that vary, placeholders marked as undefined."""
        named = dict(zip(self.factor_names_, rows.X.T, strict=True))
        columns = {k: v for k, v in named.items() if len(np.unique(v[~np.isnan(v)])) > 1}
        found = find_placeholders(columns, rows.y, Rules().factors) if columns else []
        columns = mark_undefined(columns, found)
        notes = [f"{pair.fraction} is undefined where {pair.count} is 1" for pair in found]
        domains = {**infer_domains(columns), **self._domains()}
        cell = number_cells(columns) if columns else np.zeros(len(rows.y), dtype=np.int64)
        name = _target_name(self.factor_names_)
        data = Rows(columns, rows.y, cell, name, self._limits(), domains, count=rows.weight)
        return data, found, notes

    def _search(self, data: Rows, seed: int, notes: list[str]) -> str:
        """Search, keep what was found, note what was noticed; why there is no law, or empty."""
        options = SearchOptions(
            choose(self.engine).used,
            self.budget,
            self.time_limit,
            seed,
            effective_n_jobs(self.n_jobs),
        )
        found = find_laws(data, None, options)
        notes += found.failures
        notes += ["the time limit cut the search short"] if found.cut else []
        if found.selected is None:
            return "no law is valid over the domain"
        self._keep(found, found.selected, data, seed)
        return ""

    def _keep(self, found: SearchResult, selected: int, data: Rows, seed: int) -> None:
        kept = {i: law_of(found.laws[i], data, None, seed) for i in {*found.front, selected}}
        self.selected_ = kept[selected]
        order = sorted(kept, key=lambda i: (kept[i].complexity, found.laws[i].error))
        self.laws_ = tuple(kept[i] for i in order)


@dataclass(frozen=True)
class Counted:
    """Distinct rows in a fixed order: X (N, F), y (N,), and how many rows each stands for (N,)."""

    X: Floats
    y: Floats
    weight: Floats


def _counted(X: Floats, y: Floats, weight: Floats) -> Counted:
    """Equal rows counted, rows of no weight left out: neither order nor repetition matters."""
    kept = weight > 0
    if not kept.any():
        raise ParameterError("sample_weight", "zero everywhere", "at least one weight above zero")
    matrix = np.column_stack([X, y])[kept]
    table = np.where(np.isnan(matrix), np.inf, matrix)  # nan equals nothing, not even nan
    distinct, index = np.unique(table, axis=0, return_inverse=True)
    counts = np.bincount(index.ravel(), weight[kept]).astype(float)
    distinct = np.where(np.isinf(distinct), np.nan, distinct)
    return Counted(distinct[:, :-1], distinct[:, -1], counts)


def factor_names(features: int, names: Sequence[str] | npt.NDArray[Any] | None) -> tuple[str, ...]:
    """Name of every feature in a formula: its own where it can stand there, else ``x<position>``.

    Parameters
    ----------
    features : number of features.
    names : (F,) their names; None where they have none.
    """
    if names is None:
        return tuple(f"x{k}" for k in range(features))
    given = [str(name) for name in names]
    taken = {name for name in given if is_factor_name(name)}
    kept = []
    for k, name in enumerate(given):
        safe = name if name in taken else f"x{k}"
        while safe != name and safe in taken:
            safe += "_"
        taken.add(safe)
        kept.append(safe)
    return tuple(kept)


def constant_law(data: Rows) -> Law:
    """The mean of the target as a law, with its scores on the rows."""
    mean = float(np.average(data.target, weights=data.weights))
    scores: dict[str, float | None] = dict.fromkeys(SCORES)
    scores["r2_train"] = 0.0 if data.variance > 0 else None
    scores["rmse_train"] = float(np.sqrt(data.variance))
    text = format_number(mean)
    return Law(
        expression=text,
        template="c0",
        latex=formula_latex(text, digits=LATEX_DIGITS),
        factors=data.factors,
        complexity=1,
        constants={"c0": Constant(value=mean)},
        scores=scores,
        valid=True,
        origin=CONSTANT,
    )


def _hopeless(data: Rows) -> str:
    """Why these rows say nothing about a law; empty where they may."""
    if not data.factors:
        return "no factor varies"
    if len(data) < data.rules.data.min_rows:
        return f"there are {len(data)} distinct rows, fewer than {data.rules.data.min_rows}"
    if np.ptp(data.target) <= data.rules.data.rounding * np.max(np.abs(data.target)):
        return "the target does not vary"
    return ""


def _target_name(factors: Sequence[str]) -> str:
    name = "y"
    while name in factors:
        name += "_"
    return name


def _drawn(random_state: np.random.RandomState | None) -> int:
    return cast(int, check_random_state(random_state).randint(MAX_SEED // 2))
