"""Options that several commands share, and the small languages ``n=COLUMN``, ``LOW,HIGH``,
``FACTOR=LOW:HIGH`` and ``NAME=VALUE``.

An option whose metavar holds ``=`` consists of named parts. A mistake in one of them is rendered
with its name: `factors.n` becomes ``--factors n`` (`mtl_laws.pipeline.cli.ending`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mtl_laws.pipeline.errors import UserError

FACTORS = "NAME=COLUMN,…"
DOMAIN = "FACTOR=LOW:HIGH"
FAMILY_OPTION = "NAME=VALUE"
POINT = "NAME=VALUE,…"
GOAL = "TARGET=VALUE"

Jobs = Annotated[
    int, typer.Option(metavar="N", help="Number of worker processes; -1 for one per core.")
]
Engine = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Symbolic-regression engine: auto, pysr, operon, gplearn or grammar. "
        "The grammar engine always runs too.",
    ),
]
Budget = Annotated[
    str,
    typer.Option(metavar="NAME", help="Number of evaluations: tiny, quick, standard or thorough."),
]
Seed = Annotated[
    int,
    typer.Option(metavar="N", help="Random seed; the same seed and budget give the same result."),
]
Out = Annotated[Path, typer.Option(metavar="FOLDER", help="Output folder, created if missing.")]
NewOut = Annotated[
    Path, typer.Option(metavar="FOLDER", help="Output folder; must be new or empty.")
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", help="Seconds after which the search ends; a note says if it did."
    ),
]


CorpusColumns = Annotated[
    str | None, typer.Option(metavar="NAME,…", help="Names of the columns of a CoNLL file.")
]
WordColumn = Annotated[
    str | None,
    typer.Option(
        metavar="K",
        help="Column of the words, by number from 1 or by name; default: the first with words.",
    ),
]
CorpusFormat = Annotated[
    str | None,
    typer.Option(
        metavar="FORMAT", help="conll, conllu or jsonl; default: detected from the content."
    ),
]


def parse_factors(text: str) -> dict[str, str]:
    """``n=tokens,T=tasks`` as {factor: column}; a bare column is a factor of its own name.

    Raises
    ------
    UserError
        if a part is empty or a factor is named twice.
    """
    expected = "NAME=COLUMN,NAME=COLUMN, as in n=n_tokens,T=n_tasks"
    factors: dict[str, str] = {}
    for part in text.split(","):
        name, equals, column = (piece.strip() for piece in part.partition("="))
        if not name or (equals and not column):
            raise UserError("factors", expected, text)
        if not equals and not name.isidentifier():
            raise UserError("factors", f"{expected}; {_correction(name)}", name)
        if name in factors:
            raise UserError("factors", f"each factor once; {name} is there twice", text)
        factors[name] = column or name
    return factors


def _correction(part: str) -> str:
    """What a bare column that is no name was probably meant to be."""
    name, colon, column = (piece.strip() for piece in part.partition(":"))
    if colon and name.isidentifier() and column:
        return f"did you mean {name}={column}?"
    return "write NAME=COLUMN where a column's name is not letters, digits and _"


def parse_columns(option: str, text: str | None) -> tuple[str, ...]:
    """``sharing,encoder`` as ("sharing", "encoder"); empty without the option.

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
        if it is not two numbers, or one number and a comma.
    """
    error = UserError("bounds", "LOW,HIGH; either may be empty, as in 0,1 or 0,", text)
    parts = text.split(",")
    if len(parts) != 2:
        raise error
    low, high = (_number(part, error) for part in parts)
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
        expected = f"{DOMAIN}, as in ami=0:1; repeat the option for further factors"
        error = UserError("domain", expected, text)
        name, _, ends = (piece.strip() for piece in text.partition("="))
        pieces = ends.split(":")
        if not name or len(pieces) != 2:
            raise error
        if name in domains:
            raise UserError("domain", f"one domain per factor; {name} has two", text)
        low, high = (_number(piece, error) for piece in pieces)
        if low is None or high is None:
            raise error
        domains[name] = (low, high)
    return domains


def parse_point(text: str) -> dict[str, str]:
    """``n=500, T=2, ami=`` as {"n": "500", "T": "2", "ami": ""}; an empty value is undefined.

    Raises
    ------
    UserError
        if a part is not ``NAME=VALUE`` or a name is given twice.
    """
    point: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not name or not equals:
            raise UserError("at", f"{POINT}, as in 'n=500, T=2, ami=0.4'", text)
        if name in point:
            raise UserError("at", f"each name once; {name} is there twice", text)
        point[name] = value
    return point


def parse_goal(text: str, target: str) -> float:
    """``accuracy=0.85`` as 0.85.

    Raises
    ------
    UserError
        if it is not the target's name and a number.
    """
    error = UserError("goal", f"{target}=VALUE, as in {target}=0.85", text)
    name, _, value = (piece.strip() for piece in text.partition("="))
    number = _number(value, error) if name == target else None
    if number is None:
        raise error
    return number


def parse_options(texts: Sequence[str]) -> dict[str, Any]:
    """``["features=8", "design=star"]`` as {"features": 8, "design": "star"}: JSON, or text.

    Raises
    ------
    UserError
        if an item is not ``NAME=VALUE``.
    """
    options: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name.strip() or not equals:
            raise UserError("option", f"{FAMILY_OPTION}, as in features=8", text)
        try:
            options[name.strip()] = json.loads(value)
        except (ValueError, RecursionError):
            options[name.strip()] = value
    return options


def _number(part: str, error: UserError) -> float | None:
    """The number, None where there is none; raises `error` where it is not finite."""
    if not part.strip():
        return None
    try:
        value = float(part)
    except ValueError:
        raise error from None
    if not math.isfinite(value):
        raise error
    return value
