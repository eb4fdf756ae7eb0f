"""What all tests share: the same random examples in every run, and an option."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("reproducible", derandomize=True)
settings.load_profile("reproducible")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``pytest --update-messages`` writes ``tests/messages.txt`` again."""
    parser.addoption("--update-messages", action="store_true", help="rewrite tests/messages.txt")
