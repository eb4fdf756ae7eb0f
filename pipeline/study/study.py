"""Study: a question, and the models that are trained to answer it, as a YAML file.

A study is a full factorial design: all combinations of its cases and its factors' levels, times
its seeds. The `description` of a field is the only place that says what a key accepts. Error
messages and the reference in ``docs/study.md`` are generated from it
(``python -m mtl_laws.pipeline.study.study``).

`pipeline.study.trials.expand` checks what only the simulator or the trainer can judge: options of a
family and training settings.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from mtl_laws.pipeline.errors import UserError, nearest
from mtl_laws.pipeline.io.blocks import DETAIL, Block, input_error, reference, short
from mtl_laws.pipeline.io.yamlfile import parse_yaml, read_text

Scalar: TypeAlias = "bool | int | float | str | None"

Level = TypeVar("Level", bound=Hashable)

MAX_SEEDS = 100_000


def _whole(value: object) -> object:
    """A float without a fraction as an integer: YAML reads ``1e3`` as a float."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _levels(value: object) -> object:
    """The levels as a tuple; a single level needs no brackets."""
    levels = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    if any(isinstance(level, (list, tuple, dict)) for level in levels):
        raise PydanticCustomError(DETAIL, "one plain value per level")
    return levels


def _distinct(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    """The levels, refused if one is repeated."""
    if len({(level, isinstance(level, bool)) for level in levels}) < len(levels):
        raise PydanticCustomError(DETAIL, "every level once")
    return levels


def _seeds(value: object) -> object:
    """The seeds 0, 1, 2 … for a count of seeds."""
    count = _whole(value)
    if isinstance(count, int) and not isinstance(count, bool) and 1 <= count <= MAX_SEEDS:
        return tuple(range(count))
    return value


def _names(value: object) -> object:
    """The names as a tuple; a single name needs no brackets."""
    return (value,) if isinstance(value, str) else value


def _columns(value: object) -> object:
    """``{n: n, T: T}`` for ``[n, T]``; a name in a law must be a Python identifier."""
    names = value if isinstance(value, (list, tuple, dict)) else ()
    for name in names:
        if not (isinstance(name, str) and name.isidentifier()):
            raise PydanticCustomError(DETAIL, "names of letters, digits and underscores")
    return {name: name for name in value} if isinstance(value, (list, tuple)) else value


Count = Annotated[int, BeforeValidator(_whole), Field(strict=True, ge=1)]
Whole = Annotated[int, BeforeValidator(_whole), Field(strict=True, ge=0)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Share = Annotated[float, Field(strict=True, ge=0, lt=1)]
Ami = Annotated[float, Field(strict=True, ge=0, le=1)]
Name = Annotated[str, Field(strict=True, min_length=1)]
_LEVELS = (BeforeValidator(_levels), AfterValidator(_distinct))
Control = Literal["updates", "tokens", "random_labels"]
Identifier = Annotated[str, Field(strict=True, pattern=r"^[^\W\d]\w*$")]

_AT_LEAST_ONE = "whole numbers, 1 or more"


class FamilyBlock(Block):
    """How the tasks are made. The simulator has a default for every value."""

    name: Name = Field(
        default="teacher", description="the name of a task family: channel, teacher, layers"
    )
    labels: Count | None = Field(
        default=None, description="labels per task, a whole number, 2 or more"
    )
    vocabulary: Count | None = Field(
        default=None, description="token types, a whole number, 2 or more"
    )
    sentence_length: Count | None = Field(
        default=None, description="tokens per sentence, a whole number, 1 or more"
    )
    validation_fraction: Number | None = Field(
        default=None,
        gt=0,
        description="validation tokens as a fraction of n, on top of it, above 0",
    )
    shared: bool | None = Field(
        default=None,
        strict=True,
        description="true: one set of sentences carries all labels; false: each task has its own",
    )
    label_noise: Share | None = Field(
        default=None,
        description="share of training labels replaced at random, from 0 up to but not 1",
    )
    options: dict[Name, JsonValue] = Field(
        default_factory=dict, description="options of this family only, as `name: value`"
    )


class FactorsBlock(BaseModel):
    """What is varied: every combination of the levels is trained.

    Besides the keys below, any key of `family`, any option of the family and any training setting
    can be a factor: its name, then the list of its levels. A name that is both an option and a
    training setting means the training setting; `training.NAME` and `options.NAME` are unambiguous.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Annotated[tuple[Scalar, ...], *_LEVELS]]

    tasks: Annotated[tuple[Count, ...], *_LEVELS, Field(min_length=1)] = Field(
        description=f"T, the number of tasks trained together, main included: {_AT_LEAST_ONE}"
    )
    tokens: Annotated[tuple[Count, ...], *_LEVELS, Field(min_length=1)] = Field(
        description=f"n, the training tokens of the main task: {_AT_LEAST_ONE}"
    )
    ami: Annotated[tuple[Ami, ...], *_LEVELS] = Field(
        default=(),
        description="adjusted mutual information between the main and each auxiliary task: "
        "numbers from 0 to 1",
    )
    aux_tokens: Annotated[tuple[Count | None, ...], *_LEVELS] = Field(
        default=(),
        description="training tokens of each auxiliary task: whole numbers, 1 or more, or null for "
        "as many as the main task has",
    )

    def levels(self) -> dict[str, tuple[Scalar, ...]]:
        """The levels of every factor of the file, by name."""
        standard = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: levels for name, levels in {**standard, **self.extra()}.items() if levels}

    def extra(self) -> dict[str, tuple[Scalar, ...]]:
        """The levels of all other factors, by name."""
        return dict(self.__pydantic_extra__ or {})


class LawsBlock(Block):
    """The law search after the training: the options of `mtl-laws fit`."""

    target: Name = Field(
        default="accuracy", description="the column of the table that a law predicts"
    )
    factors: Annotated[dict[Identifier, Name], BeforeValidator(_columns)] = Field(
        default_factory=lambda: {"n": "n", "T": "T", "ami": "ami"},
        min_length=1,
        description="the columns a law may use: a list, or `name in the law: column`",
    )
    bounds: tuple[Number | None, Number | None] = Field(
        default=(0.0, 1.0),
        description="[lowest, highest] value the target can take, either may be null",
    )
    domain: dict[Identifier, tuple[Number, Number]] = Field(
        default_factory=dict,
        description="where a law must stay valid: `factor: [lowest, highest]`; inferred if absent",
    )
    hold_out: Name | None = Field(
        default=None,
        description="rows to keep out of the search, as text over factor names: n > 1000",
    )
    groups: Annotated[tuple[Name, ...], BeforeValidator(_names), AfterValidator(_distinct)] = Field(
        default=(),
        description="columns whose levels have constants of their own in one form: a list of "
        "names, such as [encoder]",
    )
    sd: Name | None = Field(
        default=None,
        description="the column with the standard deviation of each row's target, or null",
    )
    weights: Name | None = Field(
        default=None,
        description="the column with the weight of each row, not together with `sd`, or null",
    )
    loss: Literal["auto", "squares", "huber"] = Field(
        default="auto",
        description="what is minimised: squares, huber, or auto (huber only where rows lie far "
        "off every good law)",
    )
    forms: Annotated[tuple[Name, ...], BeforeValidator(_names)] = Field(
        default=(),
        description="forms of your own, which the report always shows: a list of formulas in the "
        "factors, such as ['c0 + c1*n**c2']",
    )
    engine: Identifier = Field(
        default="auto",
        description="the symbolic-regression engine: auto, pysr, operon, gplearn, grammar",
    )
    engine_options: dict[Identifier, JsonValue] = Field(
        default_factory=dict,
        description="options of the engine's own, `name: value`, such as {parsimony: 0.001} for "
        "pysr",
    )
    budget: Literal["tiny", "quick", "standard", "thorough"] = Field(
        default="quick", description="how long to search: tiny, quick, standard or thorough"
    )
    time_limit: Number | None = Field(
        default=None,
        gt=0,
        description="seconds after which the search is cut short, above 0, or null",
    )
    seed: Whole = Field(default=0, description="seed of the search, a whole number, 0 or more")


class DesignBlock(Block):
    """Which of the trials are trained. `design: active` is short for `design: {kind: active}`."""

    kind: Literal["full", "active"] = Field(
        default="full",
        description="full: all trials; active: those that make the law certain, in rounds",
    )
    budget: Count | None = Field(
        default=None,
        description="active: trials at most, a whole number, 1 or more; null for a quarter of all",
    )
    seconds: Number | None = Field(
        default=None,
        gt=0,
        description="active, instead of a budget: seconds of training at most, above 0, or null",
    )
    batch: Count | None = Field(
        default=None,
        description="active: trials of a round, a whole number, 1 or more; null for a fifth of the "
        "budget",
    )
    until: Number | None = Field(
        default=None,
        gt=0,
        description="active: the rounds end early once half the width of the design interval "
        "(docs/next.md), over all trials, is at most this; above 0, or null",
    )


def _design(value: object) -> object:
    """The block for the short form `design: active`."""
    return {"kind": value} if isinstance(value, str) else value


class Study(Block):
    """One study: the content of its file."""

    question: Name = Field(description="text: what the study asks")
    family: FamilyBlock = Field(
        default_factory=FamilyBlock, description="a block of keys: how tasks are made"
    )
    cases: tuple[dict[Name, JsonValue], ...] = Field(
        default=(),
        description="a list of blocks of options of the family that vary together, such as a "
        "corpus and its layers; each block is combined with all levels of the factors",
    )
    factors: FactorsBlock = Field(description="a block of keys: what is varied, and its levels")
    seeds: Annotated[
        tuple[Whole, ...],
        BeforeValidator(_seeds),
        AfterValidator(_distinct),
        Field(min_length=1, max_length=MAX_SEEDS),
    ] = Field(
        default=(0, 1),
        description=f"a count of seeds from 1 to {MAX_SEEDS:,}, or a list of different seeds, "
        "whole numbers, 0 or more",
    )
    stl: bool = Field(
        True, strict=True, description="true: also train the main task alone at every n; or false"
    )
    controls: Annotated[tuple[Control, ...], *_LEVELS] = Field(
        default=(),
        description="runs that say where a gain comes from, beside every multi-task run: a list of "
        "updates, tokens, random_labels",
    )
    test_tokens: Count | None = Field(
        default=None, description="clean test tokens of the main task, a whole number, 1 or more"
    )
    training: dict[Name, JsonValue] = Field(
        default_factory=dict, description="a block of training settings, as `name: value`"
    )
    design: Annotated[DesignBlock, BeforeValidator(_design)] = Field(
        default_factory=DesignBlock,
        description="full, active, or a block of keys: which trials are trained",
    )
    laws: LawsBlock = Field(
        default_factory=LawsBlock, description="a block of keys: the law search"
    )

    @classmethod
    def load(cls, path: Path) -> Study:
        """The study in the file at `path`.

        Raises
        ------
        UserError : no such file, not UTF-8, not YAML, or not a study; the path is the key.
        """
        return cls.parse(read_text(Path(path), "a study file (YAML)"), source=str(path))

    @classmethod
    def parse(cls, text: str, source: str = "study") -> Study:
        """The study in the YAML document `text`; `source` is its name in errors."""
        content = parse_yaml(text, source)
        if not isinstance(content, dict):
            raise UserError(
                source, "a study with the keys `question:`, `factors:`, …", short(content)
            )
        try:
            study = cls.model_validate(content)
        except ValidationError as error:
            raise input_error(cls, error.errors()[0], SHORT_NAMES) from error
        study._check_together()
        return study

    def _fixed_in(self, factor: str) -> str | None:
        """The block of the file that fixes the value of a factor, or None."""
        family = self.family.model_dump(exclude_none=True)
        places: tuple[tuple[str, Collection[str], str], ...] = (
            ("training", self.training, "training."),
            ("family", family, ""),
            ("family.options", self.family.options, "options."),
        )
        for block, keys, prefix in places:
            if factor in keys or (prefix and factor.removeprefix(prefix) in keys):
                return block
        return None

    def _check_together(self) -> None:
        """Refuse keys that contradict each other."""
        levels = self.factors.levels()
        for name in self.factors.extra():
            if not levels.get(name):
                raise UserError(f"factors.{name}", "a list of one or more levels", [])
            block = self._fixed_in(name)
            if block:
                expected = f"levels here or a value in `{block}`, not both"
                raise UserError(f"factors.{name}", expected, list(levels[name]))
        for i, case in enumerate(self.cases):
            for name, value in case.items():
                elsewhere = self._fixed_in(f"options.{name}") or (
                    "factors" if {name, f"options.{name}"} & set(levels) else None
                )
                if elsewhere:
                    expected = f"a value here or in `{elsewhere}`, not both"
                    raise UserError(f"cases[{i}].{name}", expected, value)
        if self.design.budget is not None and self.design.seconds is not None:
            raise UserError("design.seconds", "seconds or a budget, not both", self.design.seconds)
        low, high = self.laws.bounds
        if low is not None and high is not None and low >= high:
            raise UserError("laws.bounds", "[lowest, highest], in that order", [low, high])
        for factor, (least, most) in self.laws.domain.items():
            if factor not in self.laws.factors:
                raise UserError("laws.domain", nearest(factor, self.laws.factors), factor)
            if least >= most:
                raise UserError(
                    f"laws.domain.{factor}", "[lowest, highest], in that order", [least, most]
                )


SHORT_NAMES: Mapping[str, str] = {"T": "tasks", "n": "tokens", "n_aux": "aux_tokens"}


def unknown_factor(name: str, known: Iterable[str]) -> UserError:
    """The error for an unknown factor; T, n and n_aux of the table are recognised."""
    if name in SHORT_NAMES:
        hint = f"the name of a key; {name} is called {SHORT_NAMES[name]!r} in a study"
        return UserError(f"factors.{name}", hint, name)
    return UserError(f"factors.{name}", nearest(name, known), name)


def commented_study() -> str:
    """The text of a study with every key explained, as `mtl-laws init` writes it."""
    return (resources.files("mtl_laws.pipeline") / "studies" / "commented.yaml").read_text(
        encoding="utf-8"
    )


def write_commented(path: Path) -> None:
    """Write the commented study to a new file.

    Raises
    ------
    UserError : the file exists, or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(commented_study())
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise UserError("path", f"a new, writable file ({reason})", str(path)) from error


def shipped_studies() -> dict[str, Path]:
    """The paths of the studies of this package, by name."""
    folder = Path(str(resources.files("mtl_laws.pipeline") / "studies"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


if __name__ == "__main__":
    print(reference(Study), end="")
