"""Blocks: a user's file as pydantic models, its mistakes as one line each, its keys as tables.

What a key accepts is written once, in the `description` of its field: the messages and the
reference are both made from it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TypeAlias, TypeGuard

from pydantic import BaseModel, ConfigDict
from pydantic_core import ErrorDetails

from mtl_laws.pipeline.errors import MissingError, UserError, mistyped, nearest

Place: TypeAlias = list[int | str]

DETAIL = "detail"
"""Error type of a validator whose own words go before what the key accepts."""


class Block(BaseModel):
    """A part of a file: nothing unknown in it, nothing changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def input_error(
    root: type[BaseModel], error: ErrorDetails, called: Mapping[str, str] | None = None
) -> UserError:
    """Pydantic's finding as one line: the path, the value, what the key accepts.

    Parameters
    ----------
    root : the model that was being read.
    error : one of the findings of its `pydantic.ValidationError`.
    called : keys under other names that users give them: name -> key.
    """
    place = [part for part in error["loc"] if part != "[key]"]
    path = _path(place)
    if error["type"] == "extra_forbidden":
        known = _block_at(root, place[:-1]).model_fields
        return UserError(path, nearest(str(place[-1]), known), str(place[-1]))
    expected = _accepted(root, place)
    if error["type"] == "missing":
        given = _instead(root, place, error["input"], called or {})
        if given is None:
            return MissingError(path, expected, None)
        meant = f"a known key; did you mean {place[-1]!r}? It is required: {expected}"
        return UserError(_path([*place[:-1], given]), meant, given)
    if error["type"] == DETAIL:
        expected = f"{error['msg']}; {expected}"
    return UserError(path, expected, short(error["input"]))


def _instead(
    root: type[BaseModel], place: Place, block: object, called: Mapping[str, str]
) -> str | None:
    """The key that stands in a block in place of the one that is missing there, if one does."""
    known = _block_at(root, place[:-1]).model_fields
    unknown = [key for key in block if key not in known] if isinstance(block, dict) else []
    renamed = (key for key in unknown if called.get(key) == place[-1])
    return next(renamed, None) or mistyped(str(place[-1]), unknown)


def short(value: object, limit: int = 80) -> object:
    """`value`, or the beginning of it where it is too long for one line."""
    text = value if isinstance(value, str) else repr(value)
    return value if len(text) <= limit else text[:limit] + "…"


def _path(place: Place) -> str:
    """``['factors', 'ami', 2]`` as ``factors.ami[2]``."""
    steps = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(steps).removeprefix(".")


def _block_at(root: type[BaseModel], place: Place) -> type[BaseModel]:
    """The model of the innermost block on the way to `place`."""
    block = root
    for part in place:
        field = block.model_fields.get(str(part))
        if field is None or not _is_block(field.annotation):
            return block
        block = field.annotation
    return block


def _is_block(annotation: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _accepted(root: type[BaseModel], place: Place) -> str:
    """The description of the innermost key on the way to `place`."""
    found, block = "plain values", root
    for part in place:
        field = block.model_fields.get(str(part))
        if field is None:
            break
        found = field.description or found
        if not _is_block(field.annotation):
            return found
        block, found = field.annotation, f"{found}: {', '.join(field.annotation.model_fields)}"
    return found


def reference(root: type[BaseModel]) -> str:
    """Every key that `root` reads, as Markdown tables, one per block."""
    return "\n".join(_reference_lines(root, "")) + "\n"


def _reference_lines(block: type[BaseModel], prefix: str) -> Iterator[str]:
    yield from ("| key | default | accepts |", "|---|---|---|")
    for name, field in block.model_fields.items():
        default = json.dumps(field.get_default(call_default_factory=True), default=str)
        shown = "required" if field.is_required() else f"`{default}`"
        if not _is_block(field.annotation):
            yield f"| `{prefix}{name}` | {shown} | {field.description} |"
    for name, field in block.model_fields.items():
        if _is_block(field.annotation):
            summary = " ".join((field.annotation.__doc__ or "").split())
            yield from ("", f"### `{prefix}{name}`", "", summary, "")
            yield from _reference_lines(field.annotation, f"{prefix}{name}.")
