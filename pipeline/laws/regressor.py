"""LawRegressor: the law search of `mtl-laws fit` as a scikit-learn estimator.

A *factor name* is the feature's name if it can stand in a formula, else ``x0``, ``x1``, … by
position.

Notation
--------
N : rows.    F : features.    G : groups.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from joblib import effective_n_jobs
from sklearn.utils import check_array, check_random_state, check_X_y
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from mtl_laws.pipeline.errors import UserError, nearest
from mtl_laws.pipeline.laws.document import law_of, own_forms
from mtl_laws.pipeline.laws.drift import with_form
from mtl_laws.pipeline.laws.factors import Placeholder, find_placeholders, mark_undefined
from mtl_laws.pipeline.laws.law import LATEX_DIGITS, SCORES, Constant, Law
from mtl_laws.pipeline.laws.noise import reweighted
from mtl_laws.pipeline.laws.question import (
    MAX_SEED,
    Question,
    check_levels,
    check_question,
    is_factor_name,
    split_small,
)
from mtl_laws.pipeline.laws.record import SEPARATOR
from mtl_laws.pipeline.laws.rows import Indices, Rows, infer_domains, number_cells
from mtl_laws.pipeline.laws.rules import Rules
from mtl_laws.pipeline.laws.score import Scored
from mtl_laws.pipeline.laws.search import SearchOptions, SearchResult, find_laws
from mtl_laws.pipeline.symbolic.engines.registry import choose_with
from mtl_laws.pipeline.symbolic.tree import Floats, format_number
from mtl_laws.pipeline.symbolic.typeset import formula_latex

if TYPE_CHECKING:  # scikit-learn ships no types: what is inherited, in our words

    class RegressorMixin:
        """Gives ``score``: R² of the predictions."""

        score: Callable[..., float]

    class BaseEstimator:
        """Gives ``get_params``, ``set_params`` and a repr; `validate_data` counts features."""

        n_features_in_: int
        feature_names_in_: Any

        get_params: Callable[..., dict[str, Any]]
        set_params: Callable[..., LawRegressor]

        def __sklearn_tags__(self) -> Any: ...

else:
    from sklearn.base import BaseEstimator, RegressorMixin

#: attribute of `Question` -> parameter of `LawRegressor`
PARAMETERS = {"domain": "domains", "jobs": "n_jobs", "seed": "random_state"}
#: origin of the mean as a law, where the search has none
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
    engine_options : options of the engine's own, such as ``{"parsimony": 0.001}`` for ``"pysr"``;
        None for none.
    budget : a key of `pipeline.laws.rules.BUDGETS`; ``"tiny"`` is for tests and first looks.
    bounds : lowest and highest value the target can take, None for none.
    domains : feature name -> (low, high) where the law must be valid; inferred where missing.
    time_limit : seconds, None for none; a law found that way is noted in ``notes_``.
    random_state : seed; the same seed gives the same law, whatever `n_jobs` is.
    n_jobs : workers; None for one, −1 for all cores.
    groups : names or positions of features whose levels, numbers or texts, have constants of their
        own in one shared form; None for none. They are no factors, and `predict` needs them.
    loss : ``"squares"``, ``"huber"``, or ``"auto"``: Huber only where rows lie far from every good
        law.
    forms : formulas in the factor names that take part in the search and are always in ``forms_``;
        every other name in them is a constant. None for none.
    rules : thresholds of the method; the defaults where None.

    Attributes
    ----------
    selected_ : the selected law. Where no law is valid, or the rows say nothing, it is the mean of
        the target (``origin == "constant"``), with a `ConstantLawWarning`.
    laws_ : the front and the selected law, by complexity.
    forms_ : the laws of `forms`, in the order given, each once; empty where there was no search.
    factor_names_ : name of every feature in the laws, those of `groups` left out.
    levels_ : (G,) names of the groups; empty without groups.
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
        engine_options: Mapping[str, Any] | None = None,
        budget: str = "standard",
        bounds: tuple[float | None, float | None] = (None, None),
        domains: Mapping[str, tuple[float, float]] | None = None,
        time_limit: float | None = None,
        random_state: int | np.random.RandomState | None = 0,
        n_jobs: int | None = None,
        groups: Sequence[str | int] | None = None,
        loss: str = "auto",
        forms: Sequence[str] | None = None,
        rules: Rules | None = None,
    ) -> None:
        self.engine = engine
        self.engine_options = engine_options
        self.budget = budget
        self.bounds = bounds
        self.domains = domains
        self.time_limit = time_limit
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.groups = groups
        self.loss = loss
        self.forms = forms
        self.rules = rules

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
        if self.groups is None:
            X, y = validate_data(
                self, X, y, dtype=np.float64, ensure_all_finite="allow-nan", y_numeric=True
            )
            level = None
        else:
            validate_data(self, X, y, skip_check_array=True)
            X, level = self._split(X)
            X, y = check_X_y(
                X,
                y,
                dtype=np.float64,
                ensure_all_finite="allow-nan",
                y_numeric=True,
                estimator=self,
            )
        self._name_factors()
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        self.levels_, group = _levels(level, weight)
        rows = _merge_equal_rows(X, np.asarray(y, dtype=np.float64), weight, group)
        seed = self._check_parameters(rows)
        whole, self._placeholders, notes = self._data(rows)
        self.domains_ = dict(whole.domains)
        data, small = split_small(whole)
        notes += [] if small is None else self._small_groups(small)
        self.forms_: tuple[Law, ...] = ()
        reason = _no_law_reason(data) or self._search(data, small, seed, notes)
        if reason:
            notes.append(f"the law is the mean of the target: {reason}")
            warnings.warn(notes[-1], ConstantLawWarning, stacklevel=2)
            self.selected_ = constant_law(whole)
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
        level = None
        if self.groups is None:
            X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        else:
            validate_data(self, X, skip_check_array=True, reset=False)
            X, level = self._split(X)
            X = check_array(X, dtype=np.float64, ensure_all_finite="allow-nan", estimator=self)
            for name in sorted(set(level) - set(self.levels_)):
                raise ParameterError("groups", nearest(name, self.levels_, "a fitted level"), name)
        columns = dict(zip(self.factor_names_, X.T, strict=True))
        factors = {k: v for k, v in columns.items() if self.selected_.uses(k)}
        if not factors and not self.selected_.levels:
            return np.full(len(X), self.selected_.predict({"": np.zeros(1)})[0])
        inputs = mark_undefined(columns, self._placeholders)
        rows = np.zeros(len(X), dtype=np.int64)
        data = Rows({k: inputs[k] for k in factors}, X[:, 0], rows, domains=self.domains_)
        return self._finite(data.filled, level)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _finite(self, columns: Mapping[str, Floats], level: Sequence[str] | None) -> Floats:
        value = self.selected_.predict(columns, level)
        inside = {k: np.clip(column, *self.domains_[k]) for k, column in columns.items()}
        return np.where(np.isfinite(value), value, self.selected_.predict(inside, level))

    def _rules(self) -> Rules:
        return Rules() if self.rules is None else self.rules

    def _group_places(self) -> list[int]:
        """Positions of the features that are groups."""
        features = [self.groups] if isinstance(self.groups, str | int) else list(self.groups or ())
        names = list(getattr(self, "feature_names_in_", ()))
        places: list[int] = []
        for feature in features:
            if isinstance(feature, str) and feature in names:
                place = names.index(feature)
            elif (
                isinstance(feature, int | np.integer)
                and not isinstance(feature, bool)
                and -self.n_features_in_ <= feature < self.n_features_in_
            ):
                place = int(feature) % self.n_features_in_
            else:
                expected = nearest(str(feature), names, "a feature's name or position")
                raise ParameterError("groups", expected, feature)
            if place in places:
                raise ParameterError("groups", "every feature once", feature)
            places.append(place)
        if not places or len(places) == self.n_features_in_:
            raise ParameterError("groups", "one feature or more, but not all", self.groups)
        return places

    def _split(self, X: Any) -> tuple[Any, list[str]]:
        """The features that are factors, and the level of every row."""
        places = self._group_places()
        table = X if hasattr(X, "iloc") else pd.DataFrame(X)
        parts = [table.iloc[:, place] for place in places]
        for place, part in zip(places, parts, strict=True):
            if part.isna().any():
                expected = "a level in every row; some are missing"
                raise ParameterError("groups", expected, self._feature(place))
        columns = [[_level_name(value) for value in part] for part in parts]
        rest = table.iloc[:, [k for k in range(table.shape[1]) if k not in places]]
        return rest, [SEPARATOR.join(levels) for levels in zip(*columns, strict=True)]

    def _feature(self, place: int) -> str | int:
        names = getattr(self, "feature_names_in_", None)
        return place if names is None else str(names[place])

    def _name_factors(self) -> None:
        """Set the names of the features, and of those that are factors."""
        names = factor_names(self.n_features_in_, getattr(self, "feature_names_in_", None))
        groups = [] if self.groups is None else self._group_places()
        self._feature_names = names
        self.factor_names_ = tuple(name for k, name in enumerate(names) if k not in groups)

    def _small_groups(self, small: Rows) -> list[str]:
        count = np.bincount(small.group_index, minlength=len(self.levels_))
        return [
            f"{self.levels_[k]} has {count[k]} distinct rows, too few for constants of its own"
            for k in np.flatnonzero(count)
        ]

    def _check_parameters(self, rows: WeightedRows) -> int:
        """The seed, after all parameters are checked."""
        draw = self.random_state
        seed = (
            draw
            if isinstance(draw, int | np.integer)
            else cast(int, check_random_state(draw).randint(MAX_SEED // 2))
        )
        try:
            check_question(self._question(int(seed)))
            choose_with(self.engine, self.engine_options or {})
        except UserError as error:
            head, dot, rest = error.path.partition(".")
            path = f"{PARAMETERS.get(head, head)}{dot}{rest}"
            parameter_error = ParameterError(path, error.expected, error.got)
            for note in getattr(error, "__notes__", ()):  # they show the place in a formula
                parameter_error.add_note(note)
            raise parameter_error from error
        low, high = self._limits()
        if rows.y.min() < low or rows.y.max() > high:
            raise ParameterError("bounds", "bounds that hold every value of y", self.bounds)
        largest = float(max(np.nanmax(np.abs(rows.X), initial=0.0), np.max(np.abs(rows.y))))
        most = self._rules().data.max_value
        if largest > most:
            raise ParameterError("X, y", f"numbers of at most {most:g} in size", largest)
        if rows.group is not None:
            count = np.bincount(rows.group, minlength=len(self.levels_))
            group_columns = ", ".join(str(self._feature(place)) for place in self._group_places())
            try:
                check_levels(group_columns, self.levels_, count, self._rules().data)
            except UserError as error:
                raise ParameterError(error.path, error.expected, error.got) from error
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
            loss=self.loss,
            forms=(self.forms,) if isinstance(self.forms, str) else self.forms or (),
        )

    def _limits(self) -> tuple[float, float]:
        low, high = self.bounds
        return (-np.inf if low is None else low, np.inf if high is None else high)

    def _domains(self) -> dict[str, tuple[float, float]]:
        """The domains given, by factor name."""
        features = getattr(self, "feature_names_in_", self._feature_names)
        factor_of = dict(zip(features, self._feature_names, strict=True))
        return {factor_of.get(name, name): ends for name, ends in (self.domains or {}).items()}

    def _data(self, rows: WeightedRows) -> tuple[Rows, list[Placeholder], list[str]]:
        """Rows of the search: factors that vary, placeholders marked as undefined."""
        factors = dict(zip(self.factor_names_, rows.X.T, strict=True))
        columns = {k: v for k, v in factors.items() if len(np.unique(v[~np.isnan(v)])) > 1}
        rules = self._rules()
        placeholders = find_placeholders(columns, rows.y, rules.factors) if columns else []
        columns = mark_undefined(columns, placeholders)
        notes = [f"{pair.fraction} is undefined where {pair.count} is 1" for pair in placeholders]
        domains = {**infer_domains(columns), **self._domains()}
        identity = columns if rows.group is None else {**columns, "group": rows.group.astype(float)}
        data = Rows(
            columns,
            rows.y,
            number_cells(identity) if identity else np.zeros(len(rows.y), dtype=np.int64),
            _target_name(self.factor_names_),
            self._limits(),
            domains,
            count=rows.weight,
            group=rows.group,
            levels=self.levels_,
            rules=rules,
        )
        return data, placeholders, notes

    def _search(self, data: Rows, small: Rows | None, seed: int, notes: list[str]) -> str:
        """Run the search and store laws and notes; returns why there is no law, or empty."""
        choice = choose_with(self.engine, self.engine_options or {})
        options = SearchOptions(
            choice.used,
            self.budget,
            self.time_limit,
            seed,
            effective_n_jobs(self.n_jobs),
            self.loss,
            data.rules.search,
            forms=self._question(seed).own_forms(),
            engine_options=self.engine_options or {},
            fallback=choice.fallback,
        )
        result = find_laws(data, None, options)
        notes += result.failures
        notes += ["the time limit cut the search short"] if result.cut else []
        if result.selected is None:
            self._keep_forms(result, data, small, seed)
            return "no law is valid over the domain"
        if result.outliers is not None:
            outliers = reweighted(result.laws[result.selected].fitted, data)
            data = outliers.weighted(data)
            count = len(outliers.rows)
            subject = "1 row lies" if count == 1 else f"{count} rows lie"
            notes += (
                [f"{subject} far from every good law and count less in the fit"] if count else []
            )
        self._keep(result, result.selected, data, small, seed)
        return ""

    def _keep(
        self, result: SearchResult, selected: int, data: Rows, small: Rows | None, seed: int
    ) -> None:
        indices = {*result.front, selected}
        laws = {i: law_of(result.laws[i], data, None, seed, small, result.outside) for i in indices}
        laws[selected] = with_form(laws[selected], result)
        self.selected_ = laws[selected]
        order = sorted(laws, key=lambda i: (laws[i].complexity, result.laws[i].error))
        self.laws_ = tuple(laws[i] for i in order)
        self._keep_forms(result, data, small, seed)

    def _keep_forms(self, result: SearchResult, data: Rows, small: Rows | None, seed: int) -> None:
        def record_of(law: Scored) -> Law:
            return law_of(law, data, None, seed, small, result.outside)

        self.forms_ = own_forms(result, record_of, data.factors)


@dataclass(frozen=True)
class WeightedRows:
    """Distinct rows in a fixed order: X (N, F), y (N,), and how many rows each stands for (N,).

    `group` is the group (N,) of every row; None without groups.
    """

    X: Floats
    y: Floats
    weight: Floats
    group: Indices | None = None


def _merge_equal_rows(
    X: Floats, y: Floats, weight: Floats, group: Indices | None = None
) -> WeightedRows:
    """Distinct rows with their counts, so that order and repetition do not matter."""
    mask = weight > 0
    if not mask.any():
        raise ParameterError("sample_weight", "at least one weight above zero", "zero everywhere")
    codes = np.zeros(len(y)) if group is None else group
    matrix = np.column_stack([codes, X, y])[mask]
    table = np.where(np.isnan(matrix), np.inf, matrix)  # nan equals nothing, not even nan
    distinct, index = np.unique(table, axis=0, return_inverse=True)
    counts = np.bincount(index.ravel(), weight[mask]).astype(float)
    distinct = np.where(np.isinf(distinct), np.nan, distinct)
    place = None if group is None else distinct[:, 0].astype(np.int64)
    return WeightedRows(distinct[:, 1:-1], distinct[:, -1], counts, place)


def _levels(level: Sequence[str] | None, weight: Floats) -> tuple[tuple[str, ...], Indices | None]:
    """Names of the groups that have rows, and the place (N,) of each row's group in them."""
    if level is None:
        return (), None
    names = np.unique(np.asarray(level, dtype=str)[weight > 0])
    return tuple(map(str, names)), np.searchsorted(names, level).astype(np.int64)


def _level_name(value: object) -> str:
    """The name of a level; a whole number reads the same as int and as float."""
    whole = isinstance(value, float | np.floating) and float(value).is_integer()
    return str(int(value)) if whole else str(value)  # type: ignore[call-overload]


def factor_names(features: int, names: Sequence[str] | npt.NDArray[Any] | None) -> tuple[str, ...]:
    """Name of every feature in a formula: its own where it can stand there, else ``x<position>``.

    Parameters
    ----------
    features : number of features.
    names : (F,) their names; None where they have none.
    """
    if names is None:
        return tuple(f"x{k}" for k in range(features))
    originals = [str(name) for name in names]
    reserved = {name for name in originals if is_factor_name(name)}
    result = []
    for k, name in enumerate(originals):
        unique = name if name in reserved else f"x{k}"
        while unique != name and unique in reserved:
            unique += "_"
        reserved.add(unique)
        result.append(unique)
    return tuple(result)


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


def _no_law_reason(data: Rows) -> str:
    """Why these rows cannot determine a law; empty where they can."""
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
