"""The parts of ``laws.json`` besides its laws; safe reading and one-line errors for all of it.

Whatever a file holds is plain data of a declared kind before anything is done with it. Keys that
this version does not know are kept and written again.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from mtl_laws.pipeline.errors import FileError, MissingError, UserError
from mtl_laws.pipeline.io.blocks import short

if TYPE_CHECKING:
    import pandas as pd

PREAMBLE = re.compile(r"^\w+ should (be|have) ")
"""How pydantic's messages begin, in lower case."""
ACCEPTED = "a laws.json written by run or fit"
#: more than any law search writes
MAX_BYTES = 50_000_000
#: between the levels of several group columns
SEPARATOR = " | "

Rule: TypeAlias = bool | int | float | str | list[float] | None
"""Value of a threshold."""


class Record(BaseModel):
    """A part of ``laws.json``: immutable, without NaN and infinity."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    def to_json(self) -> dict[str, Any]:
        """The record as ``laws.json`` holds it: plain numbers, strings, lists and dicts."""
        return self.model_dump(mode="json", by_alias=True)

    @classmethod
    def from_json(cls, content: object, source: str = "") -> Self:
        """The record that `to_json` wrote.

        Parameters
        ----------
        content : what ``json.load`` returns.
        source : file name for error messages.

        Raises
        ------
        UserError
            if it is not such a record; the field names the source and the place in it.
        """
        if not isinstance(content, Mapping):
            raise UserError(source or cls.__name__, ACCEPTED, short(content))
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise _in_one_line(error, source) from error


def wrong(value: object, accepted: str, below: str = "") -> PydanticCustomError:
    """What a validator raises: the value, what would be accepted, and the place within its model.

    The value and what is accepted become those of the `UserError` that `Record.from_json` raises.
    """
    context = {"value": value, "accepted": accepted, "below": below}
    return PydanticCustomError("not_accepted", "{value} is not accepted: {accepted}", context)


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if not pair[0] <= pair[1]:
        raise wrong(list(pair), "[lowest, highest]")
    return pair


Range: TypeAlias = Annotated[tuple[float, float], AfterValidator(_ordered)]
"""Lowest and highest value, in this order."""
Bounds: TypeAlias = tuple[float | None, float | None]
"""Lowest and highest value, None for no bound."""


class Groups(Record):
    """Which columns give each row its group, and the levels.

    Attributes
    ----------
    columns : columns of the user's table.
    column : the only one of them, or their names joined by `SEPARATOR`, as the levels are.
    levels : names of the groups.
    small : level -> rows to fit, of groups with too few rows for constants of their own.
    """

    columns: tuple[str, ...] = Field(min_length=1)
    column: str
    levels: tuple[str, ...] = Field(min_length=1)
    small: dict[str, int] = {}

    def of_rows(self, table: pd.DataFrame) -> list[str]:
        """The level of every row.

        Raises
        ------
        UserError
            if a column is missing.
        """
        if self.column in table.columns:
            return [str(level) for level in table[self.column]]
        missing = [name for name in self.columns if name not in table.columns]
        if missing:
            columns = ", ".join(map(str, table.columns)) or "none"
            expected = f"it holds the group of every row; columns given: {columns}"
            raise MissingError(f"table, column {missing[0]}", expected, None)
        parts = [[str(level) for level in table[name]] for name in self.columns]
        return [SEPARATOR.join(levels) for levels in zip(*parts, strict=True)]


class ExponentEstimate(Record):
    """A power with its 95 % interval; no value where the rows do not determine it."""

    value: float | None = None
    ci95: tuple[float, float] | None = None


class PlaceExponent(Record):
    """The effective power of a factor at one place of the template.

    Attributes
    ----------
    value, ci95 : as in `ExponentEstimate`.
    inside : the part of the freed template in which it is the power.
    varies_with : factors on which the power depends; over : its range then.
    logarithm : whether the factor enters by its logarithm.
    part, under : what it is the power in, with the law's numbers, and the function of that part.
    moves : root mean square change of the law when the factor is held at its median here.
    """

    value: float | None = None
    ci95: tuple[float, float] | None = None
    inside: str = ""
    varies_with: tuple[str, ...] = ()
    over: tuple[float, float] | None = None
    logarithm: bool = False
    part: str = ""
    under: str = ""
    moves: float = 0.0


class ModelFreeExponent(Record):
    """The power that rows alike in all other factors ask for, and their number of groups."""

    value: float
    ci95: tuple[float, float]
    groups: int | None = None


class FactorEvidence(Record):
    """Evidence on one factor.

    Attributes
    ----------
    in_law : whether the selected law uses it.
    delta_bic : BIC of the best law without it minus that of the best law with it.
    r2_with, r2_without : R² of these laws on the fitted rows.
    exponent, exponents : its power where there is one, and at every place of the template.
    root : whether its square root is what the law holds, in a word.
    plain_exponent : its power without any law.
    inclusion, inclusion_permuted : fraction of halves of the cells on which the best law with it
        wins; the same with its values permuted.
    sentence : all this in words; empty where the report makes them.
    """

    factor: str
    in_law: bool | None = None
    delta_bic: float | None = None
    r2_with: float | None = None
    r2_without: float | None = None
    exponent: ExponentEstimate | None = None
    exponents: tuple[PlaceExponent, ...] = ()
    root: str | None = None
    plain_exponent: ModelFreeExponent | None = None
    inclusion: float | None = None
    inclusion_permuted: float | None = None
    sentence: str = ""


class Baseline(Record):
    """A predictor that is no formula, with scores named as those of a law."""

    name: str = ""
    scores: dict[str, float | None] = {}


class Harm(Record):
    """Gain of the law over its value at T = 1, over the fitted ranges.

    Attributes
    ----------
    count, share : names of the count (T) and of the relatedness; empty where there is none.
    lowest, highest : extreme gains, their sign turned where lower is better; at : factor values
        where it is lowest.
    lowered : fraction of the fitted ranges on which the gain is below 0.
    always_below, never_from : values of the relatedness up to which it is so everywhere, and from
        which nowhere.
    surely : fraction on which the 95 % band of the gain lies below 0.
    cells, below, clearly : paired cells, those of a measured gain below 0, those below it by more
        than twice their own standard error.
    """

    count: str = ""
    share: str = ""
    lowest: float
    highest: float
    at: dict[str, float] = {}
    lowered: float
    always_below: float | None = None
    never_from: float | None = None
    surely: float | None = None
    cells: int = 0
    below: int = 0
    clearly: int | None = None


class GainRegion(Record):
    """Neighbouring cells whose mean paired gain is clearly below 0, or above.

    Attributes
    ----------
    where : factor -> [lowest, highest] level, of factors of which not all levels are inside.
    gain, ci95 : mean of the paired gains, with its interval for all ranges at once.
    cells, below, runs : cells, those of a gain below 0, and rows with T > 1 (by weight).
    law : mean gain that the selected law predicts for these cells; None at a pole.
    """

    where: dict[str, Range] = {}
    gain: float
    ci95: tuple[float, float]
    cells: int = 0
    below: int = 0
    runs: float = 0.0
    law: float | None = None


class GainCell(Record):
    """One cell with T > 1 beside the single-task runs alike in all else.

    Attributes
    ----------
    at : factor -> value; null where it is undefined.
    gain, pooled : its paired gain, and the mean over it and its neighbours.
    region : −1, −2, … in the first, second region of harm, 1, 2, … of gain; 0 in none.
    group : its group; empty without groups.
    """

    at: dict[str, float | None] = {}
    group: str = ""
    gain: float
    pooled: float
    region: int = 0


class PooledGain(Record):
    """Measured gains of training together, paired and pooled over neighbouring cells.

    Attributes
    ----------
    count, share : names of T and of the relatedness; empty where there is none.
    by_seed : whether runs are paired by seed, else by means of cells.
    tested : whether there are replicates; without them there are no regions.
    ranges : factor -> [lowest, highest] level of the paired cells.
    harm, help : regions of harm and of gain.
    cells : every paired cell, or a random sample of them.
    measured, below, pooled_below : all paired cells, those of a gain below 0, and those of a pooled
        gain below 0; None in files of earlier versions, where `cells` has all.
    clearly : of all, those below 0 by more than twice their own standard error.
    """

    count: str = ""
    share: str = ""
    by_seed: bool = False
    tested: bool = False
    ranges: dict[str, Range] = {}
    harm: tuple[GainRegion, ...] = ()
    help: tuple[GainRegion, ...] = ()
    cells: tuple[GainCell, ...] = ()
    measured: int | None = None
    below: int | None = None
    pooled_below: int | None = None
    clearly: int | None = None

    @property
    def counts(self) -> tuple[int, int, int]:
        """All paired cells, those of a gain below 0, and those of a pooled gain below 0."""
        if self.measured is not None:
            return self.measured, self.below or 0, self.pooled_below or 0
        signs = [(cell.gain < 0, cell.pooled < 0) for cell in self.cells]
        return len(signs), sum(own for own, _ in signs), sum(pooled for _, pooled in signs)

    @property
    def sampled(self) -> bool:
        """Whether `cells` is a sample."""
        return len(self.cells) < self.counts[0]


class Reach(Record):
    """How far one size of the law can grow beyond the fitted values.

    Attributes
    ----------
    factor : the size.
    fitted_to, asked_to : its largest fitted value, and the largest one asked about.
    trusted_to : up to this value the half-width of the interval of the mean is at most `limit`; at
        most `tested_to`. None where the half-width is larger at `fitted_to`.
    tested_to : as far as extrapolation folds and held-out rows test the law; None in files of
        earlier versions, whose `trusted_to` no test limits.
    contradicted_from : the smallest value from which held-out rows contradict the law; None for
        none.
    half_width : the largest one up to there, or that at `fitted_to`; None where it is not finite.
    limit : the half-width up to which the law is trusted.
    parts_at : from this value on, laws that score about as well differ by more than the noise of a
        run; None where they do nowhere up to `asked_to`.
    """

    factor: str
    fitted_to: float
    asked_to: float
    trusted_to: float | None = None
    tested_to: float | None = None
    contradicted_from: float | None = None
    half_width: float | None = None
    limit: float
    parts_at: float | None = None


class Outlier(Record):
    """A row that lies far from every good law.

    Attributes
    ----------
    row : its place among the rows of the user's table, from 0.
    residual_sd : its residual in robust standard deviations.
    """

    row: int = Field(ge=0)
    group: str | None = None
    factors: dict[str, float | None] = {}
    value: float
    predicted: float
    residual_sd: float


class Roles(Record):
    """Which factor plays which part in a multi-task experiment; empty where none does.

    Attributes
    ----------
    size : the amount of data, n.
    tasks : the number of tasks, T.
    relatedness : AMI or the like.
    """

    size: str = ""
    tasks: str = ""
    relatedness: str = ""


class DataRecord(Record):
    """The rows that laws were found on.

    Attributes
    ----------
    rows, rows_fit, rows_hold_out, cells : their numbers.
    digest : SHA-256 of names, factor columns and target of the fitted rows.
    table : SHA-256 of the analysed rows, which are in ``table.parquet``; empty where they were not
        saved, and in files of earlier versions.
    ranges : factor -> [lowest, highest] of the fitted rows.
    domain : factor -> [lowest, highest] where a law had to be valid.
    bounds : of the target.
    replicate_sd : standard deviation of replicates about their cell's mean.
    folds : names of the extrapolation folds.
    notes : what was done to the rows.
    columns : factor -> column of the user's table.
    hold_out : condition on the rows held out.
    where : condition on the rows that were used at all.
    weights : what rows are weighted by.
    loss : what was minimised.
    roles : which factor is n, T and the relatedness; None in a record made by hand. T is a number
        of tasks, with rows of one task.
    lower_is_better : whether less of the target is better, as of a loss.
    """

    rows: int | None = None
    rows_fit: int | None = None
    rows_hold_out: int | None = None
    cells: int | None = None
    digest: str = ""
    table: str = ""
    ranges: dict[str, Range] = {}
    domain: dict[str, Range] = {}
    bounds: Bounds | None = None
    replicate_sd: float | None = None
    folds: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    columns: dict[str, str] = {}
    hold_out: str | None = None
    where: str | None = None
    weights: Literal["rows", "sd", "weights", "replicates"] = "rows"
    loss: Literal["squares", "huber"] = "squares"
    roles: Roles | None = None
    lower_is_better: bool = False


class EngineRecord(Record):
    """The engine that was asked for, the one that was used, and why.

    Attributes
    ----------
    options : options of its own that were given.
    evaluations_asked : evaluations that the budget gives to all its runs together.
    evaluations_made : evaluations that it made; None where it does not count.
    """

    requested: str = ""
    used: str = ""
    reason: str = ""
    options: dict[str, Any] = {}
    evaluations_asked: int | None = None
    evaluations_made: int | None = None


class Provenance(Record):
    """How laws were found.

    Attributes
    ----------
    version, commit : of mtl-laws.
    command, title, question : what was typed, the report's heading, what the study asks.
    cut : whether the time limit stopped the search.
    family : task family of the rows, where it is known.
    """

    version: str = ""
    commit: str = ""
    command: str = ""
    title: str = ""
    question: str = ""
    engine: EngineRecord = EngineRecord()
    seed: int | None = None
    budget: str | None = None
    time_limit: float | None = None
    cut: bool = False
    seconds: float | None = None
    candidates: int | None = None
    engine_failures: tuple[str, ...] = ()
    python: str = ""
    packages: dict[str, str | None] = {}
    created: str = ""
    family: str = ""


def read_json(path: Path) -> object:
    """The JSON content of a file that may come from anybody.

    Raises
    ------
    UserError
        if it cannot be read, is too large, is not JSON, or holds NaN or a number that overflows.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(str(path), ACCEPTED, f"{path.stat().st_size} bytes")
        text = path.read_text(encoding="utf-8")
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except OSError as error:
        raise FileError(str(path), ACCEPTED, (error.strerror or str(error)).lower()) from error
    except json.JSONDecodeError as error:
        problem = f"damaged or not whole JSON at line {error.lineno}"
        raise FileError(str(path), ACCEPTED, problem) from error
    except RecursionError as error:
        raise UserError(str(path), ACCEPTED, "brackets nested too deeply") from error
    except ValueError as error:
        raise UserError(str(path), ACCEPTED, str(error)[:80]) from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large a number")
    return value


def _in_one_line(error: ValidationError, source: str) -> UserError:
    """Pydantic's first finding: the file and the place in it, the value, what is accepted."""
    first = error.errors(include_url=False)[0]
    context = first.get("ctx") or {}
    place = _place(source, first["loc"], str(context.get("below", "")))
    if first["type"] == "not_accepted":
        return UserError(place, context["accepted"], context["value"])
    if first["type"] == "missing":
        return UserError(place, "a value", None)
    expected = PREAMBLE.sub("", first["msg"].lower())
    expected = re.split(r",| or instance| after validation", expected)[0]
    expected = f"a value {expected}" if expected.startswith(("greater", "less")) else expected
    return UserError(place, expected, short(first["input"]))


def _place(source: str, steps: tuple[int | str, ...], below: str) -> str:
    """``laws.json, front[2].scores``."""
    parts = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps]
    path = "".join([*parts, *([f".{below}"] if below else [])]).removeprefix(".")
    return ", ".join(part for part in (source, path) if part)
