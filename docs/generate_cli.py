"""Write `docs/cli.md` from the commands themselves: ``python docs/generate_cli.py``.

A test compares the page with what this makes, so the page cannot fall behind the code. Only
signatures and docstrings are read: what Typer builds from them differs between its versions.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from typer.models import ArgumentInfo, OptionInfo

from mtl_laws.pipeline.cli.app import app

PAGE = Path(__file__).with_name("cli.md")
HEAD = """\
# Command line

Made from the commands by `python docs/generate_cli.py`; not to be edited by hand.

`mtl-laws COMMAND --help` says the same in the terminal.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | something failed that is not the user's mistake, such as no valid law found |
| 2 | the user's mistake: one line names the option or key, the value, and what would be accepted |
| 130 | interrupted; a run goes on where it stopped, by the same command |
"""
KINDS: dict[Any, str] = {str: "TEXT", int: "INTEGER", float: "NUMBER", Path: "PATH", bool: ""}
EXAMPLE = "Example:"


@dataclass(frozen=True)
class Parameter:
    """An argument or option of a command, as its function declares it."""

    name: str
    kind: Any
    info: ArgumentInfo | OptionInfo
    default: Any

    @property
    def required(self) -> bool:
        """Whether the command cannot do without it."""
        return self.default is inspect.Parameter.empty

    @property
    def shown(self) -> str:
        """How it is written: ``STUDY``, ``--jobs INTEGER``."""
        if isinstance(self.info, ArgumentInfo):
            return self.name.upper()
        return f"--{self.name.replace('_', '-')} {kind_name(self.kind)}".strip()

    def row(self) -> str:
        """Its line of the table."""
        again = "; may be given again" if repeats(self.kind) else ""
        meaning = f"{str(self.info.help).rstrip('.')}{again}.".replace("|", r"\|")
        return f"| `{self.shown}` | {self._default()} | {meaning} |"

    def _default(self) -> str:
        if self.required:
            return "required"
        if isinstance(self.default, bool):
            return "on" if self.default else "off"
        return "" if self.default is None else f"`{self.default}`"


def parameters(function: Callable[..., Any]) -> Iterator[Parameter]:
    """What a command takes, in the order of its signature."""
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        if get_origin(hints[name]) is Annotated:  # all but Typer's context
            kind, info = get_args(hints[name])[:2]
            yield Parameter(name, kind, info, parameter.default)


def members(kind: Any) -> list[Any]:
    """The types of a union, None left out; the type itself where it is none."""
    parts = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    return [part for part in parts if part is not types.NoneType]


def repeats(kind: Any) -> bool:
    """Whether an option collects a list."""
    return any(get_origin(part) is list for part in members(kind))


def kind_name(kind: Any) -> str:
    """What stands behind an option: ``TEXT``, ``INTEGER``, nothing for a flag."""
    part = members(kind)[0]
    return KINDS[get_args(part)[0] if get_origin(part) is list else part]


def section(name: str, function: Callable[..., Any]) -> str:
    """One command: what it does, how it is called, what it takes, an example."""
    text, _, example = described(function).partition(EXAMPLE)
    taken = list(parameters(function))
    needed = [p.shown for p in taken if p.required]
    others = [] if len(needed) == len(taken) else ["…"]
    usage = " ".join(["mtl-laws", name, *needed, *others])
    table = ["| argument or option | default | meaning |", "| --- | --- | --- |"]
    return "\n".join(
        [
            f"\n## {name}\n",
            f"{text.strip()}\n",
            f"```text\n{usage}\n```\n",
            *table,
            *[parameter.row() for parameter in taken],
            f"\n{EXAMPLE} `{example.strip()}`",
        ]
    )


def before_commands() -> str:
    """The options that stand before a command."""
    callback = app.registered_callback
    assert callback is not None
    assert callback.callback is not None
    taken = parameters(callback.callback)
    table = ["| option | default | meaning |", "| --- | --- | --- |"]
    rows = [parameter.row() for parameter in taken]
    usage = "```text\nmtl-laws [OPTION …] COMMAND …\n```\n"
    return "\n".join(["\n## Before the command\n", usage, *table, *rows])


def described(function: Callable[..., Any]) -> str:
    """The docstring, without its indentation."""
    return inspect.getdoc(function) or ""


def commands() -> dict[str, Callable[..., Any]]:
    """Every command and its function."""
    found = [(c.name, c.callback) for c in app.registered_commands]
    return {name or function.__name__: function for name, function in found if function}


def page() -> str:
    """The whole page."""
    found = commands()
    first = {name: described(function).splitlines()[0] for name, function in found.items()}
    index = [f"- [`{name}`](#{name}): {line}" for name, line in first.items()]
    sections = [section(*pair) for pair in found.items()]
    return "\n".join([HEAD, *index, before_commands(), *sections]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
