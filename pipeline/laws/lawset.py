"""`LawSet`: what a search found. These models are the record of ``laws.json``, schema 2.

They write the file, read it, and check what anybody may have written there: expressions are parsed
by the whitelist of `pipeline.symbolic.tree`, names are those that may stand in a formula, and
everything else is a plain value of the declared kind. ``docs/laws.schema.json`` is made of them:

    python -m mtl_laws.pipeline.laws.lawset > docs/laws.schema.json
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, PrivateAttr, model_validator

from mtl_laws.pipeline.errors import MissingError, UserError, nearest
from mtl_laws.pipeline.io.blocks import short
from mtl_laws.pipeline.io.tablefile import numbers, read_table, write_parquet
from mtl_laws.pipeline.io.wholefile import write_whole
from mtl_laws.pipeline.laws.answers import Answers
from mtl_laws.pipeline.laws.bands import Bands, Certainty, Uncertainty
from mtl_laws.pipeline.laws.display import LawPlot, laws_html
from mtl_laws.pipeline.laws.frames import (
    as_table,
    bands_frame,
    constants_frame,
    evidence_frame,
    front_frame,
)
from mtl_laws.pipeline.laws.law import Law, scores_in_words
from mtl_laws.pipeline.laws.levels import find_levels, is_logarithmic
from mtl_laws.pipeline.laws.question import is_factor_name
from mtl_laws.pipeline.laws.record import (
    ACCEPTED,
    Baseline,
    DataRecord,
    FactorEvidence,
    Groups,
    Harm,
    Outlier,
    PooledGain,
    Provenance,
    Reach,
    Rule,
    read_json,
    wrong,
)
from mtl_laws.pipeline.symbolic.tree import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA = 2
LAWS_NAME, TABLE_NAME = "laws.json", "table.parquet"


class SchemaError(UserError):
    """A ``laws.json`` of another version."""

    form: ClassVar[str] = f"{{path}}: expected {SCHEMA}, got {{value}}; {{expected}}{{advice}}"


class LawSet(Answers):
    """The laws of a table: the selected one, the front, the evidence, the data.

    Attributes
    ----------
    version : ``schema`` in the file.
    target : what the laws explain.
    factors : names, in the user's order.
    groups : the group column; None without groups.
    selected : the law that was chosen; None where no law is valid.
    front : laws that no simpler one beats, by complexity.
    theory : forms from the literature, fitted to the same rows; valid ones first, by error.
    forms : the user's own forms, fitted to the same rows, in the order given.
    evidence : one record per factor.
    baseline : ``reference`` in the file: a predictor that is no formula.
    certainty : ``bands`` in the file: how wide the bands of the selected law are.
    harm : ``transfer`` in the file: where the law is worse than its own value at T = 1.
    measured_gain : ``paired`` in the file: gains of training together as measured, pooled.
    reach : how far each size of the law can grow, that of the amount of data first.
    verdicts : sentences on the law.
    rules : section -> rule -> value of every threshold of the method.
    outliers : rows that lie far from every good law; of very many, those that lie farthest.
    outlier_count : how many there are; None in files of earlier versions, where `outliers` has all.
    without_outliers : the law that is selected without these rows.
    data, provenance : which rows, and how the laws were found.

    Examples
    --------
    In these and the examples below, `laws` is what `fit_laws` returned for a table of f1.

    >>> laws
    f1 = 0.945/(1 + 376/n_eff), n_eff = n·T^(0.613·ami^0.426)
    R² 0.958 where fitted, R² 0.947 extrapolated
    """

    version: Literal[2] = Field(default=2, alias="schema")
    target: str
    factors: tuple[str, ...] = Field(min_length=1)
    groups: Groups | None = None
    selected: Law | None
    front: tuple[Law, ...]
    theory: tuple[Law, ...] = ()
    forms: tuple[Law, ...] = ()
    evidence: tuple[FactorEvidence, ...] = ()
    baseline: Baseline | None = Field(default=None, alias="reference")
    certainty: Certainty | None = Field(default=None, alias="bands")
    harm: Harm | None = Field(default=None, alias="transfer")
    measured_gain: PooledGain | None = Field(default=None, alias="paired")
    reach: tuple[Reach, ...] = ()
    verdicts: tuple[str, ...] = ()
    rules: dict[str, dict[str, Rule]] = Field(default_factory=dict)
    outliers: tuple[Outlier, ...] = ()
    outlier_count: int | None = None
    without_outliers: Law | None = None
    data: DataRecord = DataRecord()
    provenance: Provenance = Provenance()

    _rows: pd.DataFrame | None = PrivateAttr(default=None)
    _folder: Path | None = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _laws_know_the_factors(cls, content: Any) -> Any:
        """Give every law of a file the factors of the file, once these are names."""
        if not isinstance(content, Mapping):
            return content
        factors, record = content.get("factors"), dict(content)
        if not isinstance(factors, Sequence) or isinstance(factors, str):
            return content
        for name in factors:
            if isinstance(name, str) and (not is_factor_name(name) or name == record.get("target")):
                raise wrong(name, "a name that can stand in a formula", "factors")
        for block in ("selected", "without_outliers"):
            if isinstance(record.get(block), Mapping):
                record[block] = {**record[block], "factors": factors}
        for block in ("front", "theory", "forms"):
            if isinstance(record.get(block), list | tuple):
                record[block] = [
                    {**law, "factors": factors} if isinstance(law, Mapping) else law
                    for law in record[block]
                ]
        return record

    @model_validator(mode="after")
    def _levels_are_known(self) -> Self:
        """Refuse laws with groups that the set does not have."""
        levels = set() if self.groups is None else set(self.groups.levels)
        for place, law in self.laws():
            unknown = set(law.levels) - levels
            if unknown:
                raise wrong(sorted(unknown)[0], "a level of groups", f"{place}.group_constants")
        return self

    def __eq__(self, other: object) -> bool:
        """Whether the records are equal; rows are no part of them."""
        return isinstance(other, LawSet) and dict(self) == dict(other)

    __hash__ = None  # type: ignore[assignment]

    def laws(self) -> Iterator[tuple[str, Law]]:
        """Every law with its place in the file."""
        for place, law in (
            ("selected", self.selected),
            ("without_outliers", self.without_outliers),
        ):
            if law is not None:
                yield place, law
        blocks = (("front", self.front), ("theory", self.theory), ("forms", self.forms))
        for block, laws in blocks:
            yield from ((f"{block}[{k}]", law) for k, law in enumerate(laws))

    @property
    def outlier_total(self) -> int:
        """How many rows lie far from every good law; `outliers` may list fewer."""
        return len(self.outliers) if self.outlier_count is None else self.outlier_count

    # --- files -----------------------------------------------------------------------------------

    @classmethod
    def load(cls, path: Path | str) -> LawSet:
        """The laws in a folder of `mtl-laws run`, `mtl-laws fit` or `save`, or in a ``laws.json``.

        Raises
        ------
        UserError
            if there are none, or they are not a document of schema 2; the field names file and
            place.
        """
        path = Path(path)
        file = path / LAWS_NAME if path.is_dir() else path
        content = read_json(file)
        if not isinstance(content, dict):
            raise UserError(str(file), ACCEPTED, short(content))
        version = content.get("schema")
        if version != SCHEMA:
            newer = isinstance(version, int) and version > SCHEMA
            advice = "update mtl-laws" if newer else "run `mtl-laws fit` again"
            raise SchemaError(f"{file}, schema", advice, short(version))
        laws = cls.from_json(content, str(file))
        laws._folder = file.parent
        return laws

    def save(self, path: Path | str) -> Path:
        """Write ``laws.json``, and ``table.parquet`` beside it where the rows are known.

        Parameters
        ----------
        path : a folder, made if it is missing, or the name of a ``.json`` file, which is written
            alone.

        Returns
        -------
        The path that was given.

        Raises
        ------
        UserError
            if it cannot be written to.
        """
        path = Path(path)
        text = json.dumps(self.to_json(), indent=1, allow_nan=False) + "\n"
        if path.suffix == ".json":
            write_whole(path, text)
            return path
        write_whole(path / LAWS_NAME, text)
        if self._rows is not None or (self._folder and (self._folder / TABLE_NAME).exists()):
            write_parquet(self.rows, path / TABLE_NAME)
        return path

    @property
    def rows(self) -> pd.DataFrame:
        """The analysed rows: factors, target, ``role`` (``fit`` or ``hold-out``) and ``cell``.

        They are in ``table.parquet`` beside ``laws.json``, and no part of the record.

        Raises
        ------
        UserError
            if there is no such table, or it does not fit the laws.
        """
        if self._rows is None:
            if self._folder is None:
                raise UserError(
                    "rows", f"laws that were read from a folder with {TABLE_NAME}", None
                )
            self._rows = self._analysed(self._folder)
        return self._rows

    def with_rows(self, rows: pd.DataFrame) -> LawSet:
        """The same laws beside the rows that they were found on, whose digest becomes theirs."""
        data = self.data.model_copy(update={"table": self._digest(rows)})
        laws = self.model_copy(update={"data": data})
        laws._rows = rows
        return laws

    def _digest(self, rows: pd.DataFrame) -> str:
        """SHA-256 of the analysed rows, by their values."""
        digest = hashlib.sha256()
        for name in (*self.factors, self.target, "role", "cell", "group"):
            if name in rows:
                column = rows[name].to_numpy()
                if name in (*self.factors, self.target, "cell"):
                    values = column.astype("<f8")
                    column = np.where(np.isnan(values), np.nan, values)  # one NaN of many
                    digest.update(f"{name};".encode() + column.tobytes())
                else:
                    digest.update(f"{name};{json.dumps(list(map(str, column)))}".encode())
        return digest.hexdigest()

    def _analysed(self, folder: Path) -> pd.DataFrame:
        path = folder / TABLE_NAME
        rows = read_table(path)
        for column in (*self.factors, self.target):
            rows[column] = numbers(rows, column, str(path))
        for column in ("role", "cell", *(() if self.groups is None else ("group",))):
            if column not in rows:
                accepted = f"in the table beside {LAWS_NAME}"
                raise MissingError(f"{path}, column {column}", accepted, None)
        if not (rows["role"] == "fit").any():
            raise UserError(f"{path}, column role", "'fit' in some rows", rows["role"].iloc[0])
        if self.data.table and self.data.table != self._digest(rows):
            belonging = f"the rows of the laws in {folder / LAWS_NAME}"
            raise UserError(str(path), f"{belonging}; run the search again", "other rows")
        return rows

    # --- predictions -----------------------------------------------------------------------------

    @property
    def law(self) -> Law:
        """The selected law.

        Raises
        ------
        UserError
            if none was selected.
        """
        if self.selected is None:
            raise UserError("selected", "laws of which one was selected", None)
        return self.selected

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names that a point may have: factors, their columns, and those of the groups."""
        groups = () if self.groups is None else (self.groups.column, *self.groups.columns)
        return tuple(dict.fromkeys((*self.factors, *self.data.columns.values(), *groups)))

    def with_region(self, law: Law) -> Law:
        """A law of this set, which knows where it was fitted even if it has no draws."""
        if law.uncertainty is not None:
            return law
        region = Uncertainty(ranges=self.data.ranges, domain=self.data.domain)
        return law.model_copy(update={"uncertainty": region})

    def predict(self, table: pd.DataFrame) -> pd.Series[float]:
        """Value of the selected law for every row, with the index of `table`.

        Parameters
        ----------
        table : the factors, under their own names or those of the columns they were fitted from,
            and the group column where the law has constants by group. A missing value is an
            undefined factor, such as the relatedness of one task.

        Raises
        ------
        UserError
            if a factor of the law or the group column is missing, a level is not known, a value
            is missing on which the law depends in that row, or a value is impossible, such as T
            below 1.

        Examples
        --------
        >>> laws.predict(pd.DataFrame({"n": [500, 500], "T": [1, 4], "ami": [None, 0.6]})).round(2)
        0    0.54
        1    0.68
        Name: f1, dtype: float64
        """
        return pd.Series(self._bands(table).mean, index=table.index, name=self.target)

    def intervals(self, table: pd.DataFrame) -> pd.DataFrame:
        """Predictions with 95 % intervals, in units of the target; null where nothing is known.

        Columns: the target; ``law_low``, ``law_high`` (the mean of such models); ``run_low``,
        ``run_high`` (one more trained model); ``outside``, the factors beyond the fitted range;
        ``distance``, how far the row lies outside the fitted region, in widths of the region. The
        distance is also more than 0 where two factors meet in a corner that no row reaches.
        Parameters and errors as in `predict`.

        Examples
        --------
        >>> asked = pd.DataFrame({"n": [500, 16000], "T": 1})
        >>> laws.intervals(asked)[["f1", "law_low", "law_high", "outside"]].round(2)
             f1  law_low  law_high outside
        0  0.54     0.53      0.55
        1  0.92     0.92      0.93       n
        """
        return bands_frame(self._bands(table), self.target, table.index)

    def _bands(self, table: pd.DataFrame) -> Bands:
        self._refuse_points(table)
        return self._bands_of(self._columns(table), self._groups_of(table))

    def _bands_of(self, columns: Mapping[str, Floats], group: Sequence[str] | None) -> Bands:
        """Predictions with intervals where the columns are known to be right."""
        return self.with_region(self.law).bands(columns, group).within(self.data.bounds)

    def _groups_of(self, table: pd.DataFrame) -> list[str] | None:
        """The group of every row; None where no constant differs between groups."""
        if self.groups is None or not self.law.levels:
            return None
        return self.groups.of_rows(table)

    def _columns(self, table: pd.DataFrame) -> dict[str, Floats]:
        """The factors of a table, by their own name where that is a column, else by the user's."""
        columns: dict[str, Floats] = {}
        for name in self.factors:
            column = name if name in table.columns else self.data.columns.get(name, name)
            if column in table.columns:
                columns[name] = np.asarray(numbers(table, column, "table"), dtype=np.float64)
            elif self.law.uses(name) and not self._undefined_everywhere(name, table):
                raise _missing(name, column, table)
        return self._without_undefined(columns)

    def _undefined_everywhere(self, factor: str, table: pd.DataFrame) -> bool:
        """Whether a factor is the relatedness, and every row of the table has one task."""
        roles = self.data.roles
        if roles is None or factor != roles.relatedness or not roles.tasks:
            return False
        column = next((c for c in self.names(roles.tasks) if c in table.columns), None)
        return column is not None and bool((numbers(table, column, "table") == 1.0).all())

    def _without_undefined(self, columns: dict[str, Floats]) -> dict[str, Floats]:
        """The columns; the relatedness is undefined at one task, whatever the table has there."""
        roles = self.data.roles
        if roles is None or roles.tasks not in columns or roles.relatedness not in self.factors:
            return columns
        alone = columns[roles.tasks] == 1.0
        related = columns.get(roles.relatedness, np.full(alone.shape, np.nan))
        return {**columns, roles.relatedness: np.where(alone, np.nan, related)}

    def names(self, factor: str) -> tuple[str, str]:
        """A factor's own name and that of the column it was fitted from."""
        return factor, self.data.columns.get(factor, factor)

    # --- what a notebook shows -------------------------------------------------------------------

    def table(self) -> pd.DataFrame:
        """The front, one law per row: formula, complexity, scores, standing."""
        return front_frame(self.front, self.selected)

    @property
    def constants(self) -> pd.DataFrame:
        """The constants of the selected law, one per row, with 95 % intervals.

        Columns: ``constant``; ``group``, empty for one that all groups share; ``value``; ``se``;
        ``low`` and ``high``, the interval; ``reason``, why there is none.

        Raises
        ------
        UserError
            if no law was selected.

        Examples
        --------
        >>> laws.constants[["constant", "value", "low", "high"]].round(3)
          constant    value      low     high
        0       c0    0.945    0.937    0.953
        1       c1  376.000  366.200  385.800
        2       c2    0.613    0.593    0.633
        3       c3    0.426    0.406    0.446
        """
        return constants_frame(self.law)

    def evidence_table(self) -> pd.DataFrame:
        """The evidence, one factor per row."""
        return evidence_frame(self.evidence)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on the rows and on the law beside theory and other predictors."""
        return (*self.data.notes, *self.verdicts)

    def plot(
        self, x: str | None = None, by: str | None = None, at: Mapping[str, float] | None = None
    ) -> Figure:
        """The selected law along one factor with its 95 % intervals, as a matplotlib figure.

        The darker band is the interval of the mean, the lighter one, with up to three lines, that
        of one more trial. What lies outside the fitted range is grey.

        Parameters
        ----------
        x : the factor along the axis, over its domain; the law's first one if None.
        by : a factor, or the group column, with a line for each of up to six levels; the group
            column if None and the law has constants by group.
        at : values of other factors; the middle level where none is given.

        Raises
        ------
        UserError
            if a name is not known.

        Examples
        --------
        >>> figure = laws.plot(x="n", by="T")
        >>> figure.savefig("law.png")  # doctest: +SKIP
        """
        column = self.groups.column if self.groups is not None and self.law.levels else None
        return LawPlot(
            law=self.law,
            target=self.target,
            ranges=self.data.ranges,
            domain=self.data.domain,
            column=column,
            intervals=self.intervals,
            levels=self._levels,
        ).draw(x, by, at or {})

    def _levels(self, factor: str) -> Floats:
        """Levels of a factor in the fitted rows; none where the rows are not known."""
        try:
            rows = self.rows
        except UserError:
            return np.empty(0)
        values = rows.loc[rows["role"] == "fit", factor].to_numpy(dtype=float)
        low = self.data.domain.get(factor, (None, None))[0]
        return find_levels(values, is_logarithmic(values, low)).values

    @property
    def _size(self) -> str:
        """The amount of data; empty where none is known."""
        return "" if self.data.roles is None else self.data.roles.size

    def line(self) -> str:
        """The selected law as one line of Unicode with its effective quantity named.

        Examples
        --------
        >>> print(laws.line())
        f1 = 0.945/(1 + 376/n_eff), n_eff = n·T^(0.613·ami^0.426)
        """
        if self.selected is None:
            return f"{self.target}: no valid law"
        return self.selected.line(self.target, self._size)

    def __repr__(self) -> str:
        scores = "" if self.selected is None else scores_in_words(self.selected.scores)
        return "\n".join(line for line in (self.line(), scores) if line)

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return laws_html(self.target, self.selected, self.front, self.notes, self._size)

    def _repr_latex_(self) -> str | None:
        if self.selected is None:
            return None
        return f"$\\displaystyle {self.selected.latex_line(self.target, self._size)}$"


def _missing(factor: str, column: str, table: pd.DataFrame) -> MissingError:
    alternative = "" if column == factor else f", a column {factor} would do too"
    columns = ", ".join(map(str, table.columns)) or "none"
    expected = f"it holds the law's factor {factor}{alternative}; columns given: {columns}"
    return MissingError(f"table, column {column}", expected, None)


def predict(laws: LawSet | Path | str, points: pd.DataFrame | Mapping[str, object]) -> pd.DataFrame:
    """Return predictions of the selected law, with 95 % intervals.

    Parameters
    ----------
    laws : a `LawSet`, or the path of a ``laws.json`` or of its folder.
    points : one row per point, with a column for each factor of the law; or one point as
        ``{factor: value}``.

    Returns
    -------
    The columns of `LawSet.intervals`, one row per point.

    Raises
    ------
    UserError
        if the laws cannot be read, or a factor or group is missing or unknown.

    Examples
    --------
    >>> predict(laws, {"n": 500, "T": 2, "ami": 0.4})[["f1", "law_low", "law_high"]].round(3)
          f1  law_low  law_high
    0  0.604    0.596     0.612
    """
    chosen = laws if isinstance(laws, LawSet) else LawSet.load(laws)
    if not isinstance(points, pd.DataFrame):
        valid = chosen.inputs
        for name in points:
            if name not in valid:
                raise UserError("points", nearest(str(name), valid, "a factor of the laws"), name)
    return chosen.intervals(as_table(points))


def schema() -> str:
    """The JSON schema of ``laws.json``, as ``docs/laws.schema.json`` holds it."""
    return json.dumps(LawSet.model_json_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(schema(), end="")
