"""The report's templates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Template

from mtl_laws.pipeline.io.templates import templates_in

TEMPLATES = Path(__file__).parent / "templates"


def template(name: str, **functions: Callable[..., Any]) -> Template:
    """A template of the report, with functions it may call."""
    return templates_in(TEMPLATES).get_template(name, globals=functions)
