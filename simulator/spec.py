"""TaskSpec: the request to a family, a frozen description of T related tasks."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from mtl_laws.simulator.errors import SpecError

JSON = None | bool | int | float | str | list[Any] | dict[str, Any]


COUNTS = {
    "tasks": (1, 100),
    "tokens": (1, 10**9),
    "aux_tokens": (1, 10**9),
    "test_tokens": (1, 10**9),
    "labels": (2, 1000),
    "vocabulary": (2, 10**6),
    "sentence_length": (1, 10_000),
}
"""Least and most of every count. The T×T relatedness of 100 tasks takes about ten seconds."""


@dataclass(frozen=True)
class TaskSpec:
    """T tasks, their relatedness, their sizes; everything but the seed.

    Parameters
    ----------
    family : name of a registered family (`family_names`).
    tasks : T, main task included; T = 1 is single-task learning.
    ami : requested AMI of each auxiliary with the main task, in [0, 1]: one value, or T − 1 values.
        None only for T = 1, where it is undefined, and for families that measure it.
    tokens : n, training tokens of the main task.
    aux_tokens : n_aux, training tokens of each auxiliary; None means n.
    validation_fraction : validation tokens of a task, on top, as a fraction of its training tokens.
    test_tokens : tokens of the test split.
    shared : whether all tasks label the same sentences (True) or each its own (False).
    label_noise : share of training labels replaced by another label, in [0, 1).
    labels : K, labels of every task.
    vocabulary : V, token types.
    sentence_length : tokens of a sentence.
    options : the family's own settings, checked by the family.

    Raises
    ------
    SpecError : naming the first field that cannot be met.
    """

    family: str = "teacher"
    tasks: int = 2
    ami: float | tuple[float, ...] | None = None
    tokens: int = 1000
    aux_tokens: int | None = None
    validation_fraction: float = 0.2
    test_tokens: int = 4000
    shared: bool = False
    label_noise: float = 0.0
    labels: int = 5
    vocabulary: int = 200
    sentence_length: int = 10
    options: Mapping[str, JSON] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ami", _as_floats(self.ami))
        for name in ("validation_fraction", "label_noise"):
            object.__setattr__(self, name, _as_floats(getattr(self, name)))
        if not isinstance(self.options, Mapping):
            raise SpecError("options", self.options, "a mapping of the family's own settings")
        object.__setattr__(self, "options", dict(self.options))
        _check_counts(self)
        _check_shares(self)
        _check_ami(self)

    def __hash__(self) -> int:
        return hash(self.canonical())

    @property
    def auxiliaries(self) -> int:
        """Number of auxiliary tasks, T − 1."""
        return self.tasks - 1

    @property
    def requested_ami(self) -> tuple[float, ...]:
        """The request of each auxiliary, (T − 1,); empty for T = 1 and where AMI is measured."""
        if self.ami is None or self.tasks == 1:
            return ()
        if isinstance(self.ami, tuple):
            return self.ami
        return (float(self.ami),) * self.auxiliaries

    @property
    def sizes(self) -> tuple[int, ...]:
        """Requested training tokens of each task, (T,)."""
        return (self.tokens,) + (self.aux_tokens or self.tokens,) * self.auxiliaries

    def alone(self) -> TaskSpec:
        """Return the spec of the main task alone: nothing that it says of auxiliaries is left.

        An option named `aux` says which tasks the auxiliaries are.
        """
        options = {name: value for name, value in self.options.items() if name != "aux"}
        return replace(self, tasks=1, ami=None, aux_tokens=None, shared=False, options=options)

    def to_json(self) -> dict[str, JSON]:
        """Return the spec as JSON values; `from_json` is its inverse."""
        record: dict[str, JSON] = asdict(self)
        if isinstance(self.ami, tuple):
            record["ami"] = list(self.ami)
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> TaskSpec:
        """Build a spec from `to_json`'s mapping; an unknown key is a `SpecError`."""
        known = [f.name for f in fields(cls)]
        for key in record:
            if key not in known:
                raise SpecError(key, record[key], f"a key among {', '.join(known)}")
        return cls(**record)

    def canonical(self) -> str:
        """Return one text per meaning: JSON with sorted keys and no spaces."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))


def _as_floats(value: object) -> object:
    """Return numbers as floats and lists as tuples, so that one meaning has one form."""
    if isinstance(value, list | tuple):
        return tuple(_as_floats(one) for one in value) or None
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _check_counts(spec: TaskSpec) -> None:
    for name, (low, high) in COUNTS.items():
        value = getattr(spec, name)
        if name != "aux_tokens" or value is not None:
            _whole(name, value, low, high)
    if not isinstance(spec.shared, bool):
        raise SpecError("shared", spec.shared, "true or false")
    if spec.shared and spec.aux_tokens not in (None, spec.tokens):
        raise SpecError(
            "aux_tokens", spec.aux_tokens, "no value of its own when sentences are shared"
        )


def _check_shares(spec: TaskSpec) -> None:
    for name in ("validation_fraction", "label_noise"):
        value = getattr(spec, name)
        if not _is_number(value) or not 0.0 <= value < 1.0:
            raise SpecError(name, value, "a number from 0 to below 1")


def _check_ami(spec: TaskSpec) -> None:
    if spec.ami is None:
        return
    values = spec.ami if isinstance(spec.ami, tuple) else (spec.ami,)
    for value in values:
        if not _is_number(value) or not 0.0 <= value <= 1.0:
            raise SpecError("ami", value, "a number from 0 to 1")
    if isinstance(spec.ami, tuple) and len(values) != spec.auxiliaries:
        raise SpecError(
            "ami", list(values), f"one number, or one per auxiliary ({spec.auxiliaries})"
        )


def _whole(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise SpecError(name, value, f"a whole number of at least {low}")
    if value > high:
        raise SpecError(name, value, f"at most {high:,}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
