"""Command-line values: the small languages ``n=COLUMN``, ``LOW,HIGH``, ``FACTOR=LOW:HIGH``, and
a user's mistakes said by options and arguments.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from typer.core import TyperGroup

from mtl_laws.pipeline.errors import UserError, from_simulator, renamed, said_as
from mtl_laws.simulator.errors import SpecError

FACTORS_FORM = "NAME=COLUMN,NAME=COLUMN, as in n=n_tokens,T=n_tasks"
BOUNDS_FORM = "LOW,HIGH; either may be left out: 0,1 or 0,"
DOMAIN_FORM = "FACTOR=LOW:HIGH, as in ami=0:1; one --domain for each factor"


def parse_factors(text: str) -> dict[str, str]:
    """``n=tokens,T=tasks`` as {factor: column}; a bare column is a factor of its own name.

    Raises
    ------
    UserError
        if a part is empty or a factor is named twice.
    """
    factors: dict[str, str] = {}
    for part in text.split(","):
        name, found, column = (piece.strip() for piece in part.partition("="))
        if not name or (found and not column):
            raise UserError("factors", FACTORS_FORM, text)
        if not found and not name.isidentifier():
            raise UserError("factors", f"{FACTORS_FORM}{_with_equals(name)}", name)
        if name in factors:
            raise UserError("factors", f"every factor once, not {name} twice", text)
        factors[name] = column or name
    return factors


def _with_equals(part: str) -> str:
    """What a bare column that is no name was probably meant to be."""
    name, colon, column = (piece.strip() for piece in part.partition(":"))
    if colon and name.isidentifier() and column:
        return f"; did you mean {name}={column}?"
    return "; a column whose name is not letters, digits and _ needs a NAME before it"


def parse_columns(option: str, text: str | None) -> tuple[str, ...]:
    """``sharing,encoder`` as ("sharing", "encoder"); none where the option is not given.

    Raises
    ------
    UserError
        if a part is empty.
    """
    if text is None:
        return ()
    columns = tuple(part.strip() for part in text.split(","))
    if not all(columns):
        raise UserError(option, "COLUMN,COLUMN, as in sharing,encoder", text)
    return columns


def parse_bounds(text: str) -> tuple[float | None, float | None]:
    """``0,1`` as (0.0, 1.0), ``0,`` as (0.0, None).

    Raises
    ------
    UserError
        if it is not two numbers or one and a comma.
    """
    parts = text.split(",")
    if len(parts) != 2:
        raise UserError("bounds", BOUNDS_FORM, text)
    low, high = (_number(part, "bounds", text, BOUNDS_FORM) for part in parts)
    return low, high


def parse_domains(texts: Sequence[str]) -> dict[str, tuple[float, float]]:
    """``["ami=0:1"]`` as {"ami": (0.0, 1.0)}.

    Raises
    ------
    UserError
        if an item is not ``FACTOR=LOW:HIGH``.
    """
    domains: dict[str, tuple[float, float]] = {}
    for text in texts:
        name, found, ends = text.partition("=")
        pieces = ends.split(":")
        if not name.strip() or not found or len(pieces) != 2:
            raise UserError("domain", DOMAIN_FORM, text)
        if name.strip() in domains:
            raise UserError("domain", f"one domain per factor, not two of {name.strip()}", text)
        low, high = (_number(piece, "domain", text, DOMAIN_FORM) for piece in pieces)
        if low is None or high is None:
            raise UserError("domain", DOMAIN_FORM, text)
        domains[name.strip()] = (low, high)
    return domains


def parse_options(texts: Sequence[str]) -> dict[str, Any]:
    """``["features=8", "design=star"]`` as {"features": 8, "design": "star"}: JSON, or text.

    Raises
    ------
    UserError
        if an item is not ``NAME=VALUE``.
    """
    options: dict[str, Any] = {}
    for text in texts:
        name, found, value = text.partition("=")
        if not name.strip() or not found:
            raise UserError("option", "NAME=VALUE, as in features=8", text)
        try:
            options[name.strip()] = json.loads(value)
        except (ValueError, RecursionError):
            options[name.strip()] = value
    return options


def _number(part: str, field: str, text: str, expected: str) -> float | None:
    if not part.strip():
        return None
    try:
        value = float(part)
    except ValueError as error:
        raise UserError(field, expected, text) from error
    if not math.isfinite(value):
        raise UserError(field, expected, text)
    return value


def check_export(out: Path, format: str) -> None:
    """Refuse a format that is not there and a folder that holds something, before any work.

    Raises
    ------
    UserError
        naming `format` or `out`.
    """
    from mtl_laws.simulator import format_names

    if format not in format_names():
        raise UserError("format", f"one of {', '.join(format_names())}", format)
    try:
        free = not out.exists() or not any(out.iterdir())
    except OSError:
        free = False
    if not free:
        raise UserError("out", "a new or empty folder", str(out))


@contextmanager
def as_options() -> Iterator[None]:
    """Say the simulator's refusals as the user's mistakes.

    Raises
    ------
    UserError
        for every `SpecError`; what only one family takes is said as ``--option NAME``.
    """
    try:
        yield
    except SpecError as error:
        block, dot, name = error.field.partition("options.")
        path = f"--option {name}" if dot and not block else error.field
        raise from_simulator(error, path) from error


def said_as_options(paths: Collection[str]) -> AbstractContextManager[None]:
    """Say what is wrong with one factor as ``--factors NAME`` or ``--domain NAME``, and what is
    wrong with one form as ``--form``.

    Parameters
    ----------
    paths : `Question.paths` of the question that is asked.

    `Commands` does the same for paths that are an option's name.
    """
    pairs = (path.split(".", 1) for path in paths if "." in path)
    words = {f"{option}.{name}": f"--{option} {name}" for option, name in pairs}
    return said_as({**words, **{path: "--form" for path in paths if path.startswith("forms[")}})


class Commands(TyperGroup):
    """The commands; a user's mistake is said by the option or argument that its path names."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that is called for."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            command = self.commands.get(ctx.invoked_subcommand or "")
            for param in (*self.params, *(command.params if command else ())):
                if param.name == error.path:
                    raise renamed(error, param_name(param)) from error
            raise


def param_name(param: Any) -> str:
    """``--out``, or ``STUDY`` for an argument."""
    first = str(param.opts[0])
    return first if first.startswith("-") else first.upper()
