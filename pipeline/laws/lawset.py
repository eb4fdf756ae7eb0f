"""`laws.json` read back: what anyone may have written there is checked before it is used.

Expressions are parsed by the whitelist of `pipeline.symbolic.tree`, names are those that may
stand in a formula, and everything else is a plain value of the expected kind: a hostile file makes
nothing run and names no other file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.errors import FileError, UserError
from pipeline.files.blocks import short
from pipeline.laws.question import is_factor_name
from pipeline.symbolic.program import Expression

ACCEPTED = "a laws.json as run or fit writes"
#: more than any law search writes
MAX_BYTES = 50_000_000

Bound = float | None


class Record(BaseModel):
    """A part of the file; what later versions add is kept and passed on."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)


class ConstantRecord(Record):
    """A constant of a law with its interval."""

    value: float
    se: float | None = None
    ci95: tuple[Bound, Bound] | None = None
    reason: str = ""


class UncertaintyRecord(Record):
    """What the bands of the selected law are computed from."""

    draws: dict[str, list[float]] = {}
    replicate_sd: float | None = Field(default=None, ge=0)
    misfit_sd: float | None = Field(default=None, ge=0)
    ranges: dict[str, tuple[float, float]] = {}
    domain: dict[str, tuple[float, float]] = {}
    bounds: tuple[Bound, Bound] = (None, None)

    @model_validator(mode="after")
    def _draws_belong_together(self) -> UncertaintyRecord:
        if len({len(values) for values in self.draws.values()}) > 1:
            raise ValueError("every constant needs as many draws as the others")
        return self


class LawRecord(Record):
    """LAW of the contract."""

    expression: str
    template: str = ""
    latex: str = ""
    complexity: int = Field(ge=1)
    constants: dict[str, ConstantRecord] = {}
    scores: dict[str, float | None] = {}
    valid: bool
    reason: str = ""
    limits: str = ""
    origin: str = ""
    uncertainty: UncertaintyRecord | None = None


class ExponentRecord(Record):
    """A factor's power with its interval."""

    value: float | None = None
    ci95: tuple[Bound, Bound] | None = None


class EvidenceRecord(Record):
    """What the data say for one factor."""

    factor: str
    sentence: str = ""
    delta_bic: float | None = None
    r2_without: float | None = None
    exponent: ExponentRecord | None = None
    inclusion: float | None = None
    inclusion_permuted: float | None = None


class DataRecord(Record):
    """The rows that a law was found on."""

    rows: int | None = None
    rows_fit: int | None = None
    rows_hold_out: int | None = None
    cells: int | None = None
    digest: str = ""
    ranges: dict[str, tuple[float, float]] = {}
    domain: dict[str, tuple[float, float]] = {}
    bounds: tuple[Bound, Bound] | None = None
    replicate_sd: float | None = None
    notes: list[str] = []
    folds: list[str] = []
    columns: dict[str, str] = {}
    hold_out: str | None = None


class ProvenanceRecord(Record):
    """How the laws were found."""

    command: str = ""
    title: str = ""
    question: str = ""
    cut: bool = False
    engine: dict[str, str] = {}
    engine_failures: list[str] = []
    packages: dict[str, str | None] = {}
    seed: int | None = None
    time_limit: float | None = None
    seconds: float | None = None
    candidates: int | None = None


class LawsRecord(Record):
    """The whole file."""

    version: Literal[1] = Field(alias="schema")
    target: str
    factors: list[str] = Field(min_length=1)
    selected: LawRecord | None
    front: list[LawRecord]
    evidence: list[EvidenceRecord] = []
    theory: list[LawRecord] = []
    verdicts: list[str] = []
    data: DataRecord = DataRecord()
    provenance: ProvenanceRecord = ProvenanceRecord()

    def laws(self) -> Iterator[tuple[str, LawRecord]]:
        """Every law with its place in the file."""
        if self.selected is not None:
            yield "selected", self.selected
        for block, laws in (("front", self.front), ("theory", self.theory)):
            yield from ((f"{block}[{k}]", law) for k, law in enumerate(laws))


def read_laws(path: Path) -> dict[str, Any]:
    """The document in a ``laws.json``, with defaults where it leaves something out.

    Raises
    ------
    UserError
        if there is none, or it is not a document of schema 1; the field names file and place.
    """
    content = _json(path)
    if not isinstance(content, dict):
        raise UserError(str(path), short(content), ACCEPTED)
    if content.get("schema") != 1:
        expected = f"{ACCEPTED}, with 1 as its schema"
        raise UserError(f"{path}, schema", short(content.get("schema")), expected)
    try:
        document = LawsRecord.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = _place(path, first["loc"])
        if first["type"] == "missing":
            raise UserError(place, None, f"a value there, as in {ACCEPTED}") from error
        wanted = first["msg"].lower().partition(" or instance")[0]
        raise UserError(place, short(first["input"]), f"{wanted}: {ACCEPTED}") from error
    _check_formulas(path, document)
    return document.model_dump(by_alias=True)


def _json(path: Path) -> object:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(str(path), f"{path.stat().st_size} bytes", ACCEPTED)
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except OSError as error:
        raise FileError(str(path), (error.strerror or str(error)).lower(), ACCEPTED) from error
    except json.JSONDecodeError as error:
        found = f"{error.msg.lower()}, line {error.lineno}"
        raise UserError(str(path), found, ACCEPTED) from error
    except RecursionError as error:
        raise UserError(str(path), "lists nested without end", ACCEPTED) from error
    except ValueError as error:
        raise UserError(str(path), str(error)[:80], ACCEPTED) from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _place(path: Path, steps: tuple[int | str, ...]) -> str:
    """``laws.json, front[2].scores``."""
    written = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return f"{path}, {written.removeprefix('.')}"


def _check_formulas(path: Path, document: LawsRecord) -> None:
    """Refuse names and expressions that cannot be, or must not be, in a formula."""
    for name in document.factors:
        if not is_factor_name(name) or name == document.target:
            raise UserError(f"{path}, factors", name, "a name that can stand in a formula")
    for place, law in document.laws():
        try:
            expression = Expression.parse(law.expression, document.factors)
            template = Expression.parse(law.template or "0", document.factors)
        except UserError as error:
            raise UserError(f"{path}, {place}", error.value, error.expected) from error
        unknown = set(expression.constants) | (set(template.constants) - set(law.constants))
        if unknown:
            expected = "an expression with numbers only, and a value for every constant"
            raise UserError(f"{path}, {place}", sorted(unknown)[0], expected)
    _check_bands(path, document)


def _check_bands(path: Path, document: LawsRecord) -> None:
    """Refuse ranges that are none, and draws of constants that the law does not have."""
    regions: list[tuple[str, DataRecord | UncertaintyRecord]] = [("data", document.data)]
    for place, law in document.laws():
        known = law.uncertainty
        if known is not None:
            regions.append((f"{place}.uncertainty", known))
            if set(known.draws) - set(law.constants):
                name = sorted(set(known.draws) - set(law.constants))[0]
                raise UserError(f"{path}, {place}.uncertainty.draws", name, "constants of the law")
    for place, record in regions:
        for block in ("ranges", "domain"):
            for name, (low, high) in getattr(record, block).items():
                if not low <= high:
                    where = f"{path}, {place}.{block}.{name}"
                    raise UserError(where, [low, high], "[lowest, highest]")
