"""YAML as users mean it: safe, without the surprises of YAML 1.1, errors with their line.

Plain scalars are read by the core schema of YAML 1.2: ``1e3`` is a whole number, ``no`` and
``12:30`` are text, ``010`` is ten. A key given twice, an anchor or a tag is refused, so that a
study says only what can be read off it and makes nothing run.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, cast

import yaml

from mtl_laws.pipeline.errors import FileError, UserError

MAX_BYTES = 1_000_000
MAX_DEPTH = 32

_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_INT = re.compile(r"^[-+]?[0-9](?:_?[0-9])*$")
_FLOAT = re.compile(
    r"^[-+]?(?:(?:[0-9][0-9_]*)?\.[0-9]+|[0-9][0-9_]*\.?)(?:[eE][-+]?[0-9]+)?$"
    r"|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$"
)


class _CoreLoader(yaml.SafeLoader):
    """`yaml.SafeLoader` with the scalars of YAML 1.2 and without anchors and repeated keys."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = cast("Callable[[], yaml.Event]", self.peek_event)()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._refuse("anchors and aliases are not used here: write the value out", event)
        if getattr(event, "tag", None):
            self._refuse("tags are not used here: write the bare value", event)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self._refuse(f"nested more than {MAX_DEPTH} deep", event)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                self._refuse(f"the key {key!r} is not a name", key_node)
            if key in seen:
                self._refuse(f"the key {key!r} is given twice", key_node)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)

    def whole_number(self, node: yaml.ScalarNode) -> int:
        return int(str(self.construct_scalar(node)).replace("_", ""))

    def number(self, node: yaml.ScalarNode) -> float | int:
        value = float(self.construct_yaml_float(node))
        if not math.isfinite(value):
            self._refuse("not a finite number", node)
        written_whole = "." not in str(node.value) and value.is_integer()
        return int(value) if written_whole else value

    def _refuse(self, problem: str, place: yaml.Event | yaml.Node) -> NoReturn:
        mark = place.start_mark
        raise yaml.MarkedYAMLError(
            problem=problem, problem_mark=mark if isinstance(mark, yaml.Mark) else None
        )


_CoreLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:null", _NULL, ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", _BOOL, list("tTfF")),
    ("tag:yaml.org,2002:int", _INT, list("-+0123456789")),
    ("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789.")),
):
    _CoreLoader.add_implicit_resolver(_tag, _pattern, _first)
_CoreLoader.add_constructor("tag:yaml.org,2002:int", _CoreLoader.whole_number)
_CoreLoader.add_constructor("tag:yaml.org,2002:float", _CoreLoader.number)


def parse_yaml(text: str, source: str) -> object:
    """The value that `text` holds.

    Parameters
    ----------
    text : a YAML document.
    source : what to call it in an error, usually the file's name.

    Raises
    ------
    UserError : not YAML, or YAML of the kinds that this project refuses; names the line.
    """
    try:
        return _CoreLoader(text).get_single_data()
    except yaml.MarkedYAMLError as error:
        mark, lines = error.problem_mark, text.splitlines()
        line = f", line {mark.line + 1}" if mark else ""
        number = mark.line if mark else 0
        excerpt = lines[number].strip()[:60] if number < len(lines) else "end of file"
        raise UserError(f"{source}{line}", f"YAML; {error.problem}", excerpt) from error
    except yaml.YAMLError as error:
        raise UserError(source, "a YAML document", str(error).splitlines()[0]) from error
    except ValueError as error:
        raise UserError(source, "numbers of a sensible length", str(error)[:60]) from error


def read_text(path: Path, what: str) -> str:
    """The text of a small UTF-8 file, or an `UserError` that says what is wrong with it.

    `what` names the kind of file in the error, e.g. ``"a study file (YAML)"``.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise FileError(str(path), f"the path of {what}", reason) from error
    if len(raw) > MAX_BYTES:
        raise UserError(str(path), f"{what} of at most {MAX_BYTES} bytes", f"{len(raw)} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"byte {error.start} is {raw[error.start]:#04x}"
        raise UserError(str(path), f"{what} encoded in UTF-8", where) from error
