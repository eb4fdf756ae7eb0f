"""Sessions of nox: the tests on other Pythons, on the lowest versions, without law engines; docs.

``nox`` runs all of them, ``nox -s lowest`` one. A Python that is not there is skipped. The session
`lowest` needs uv.
"""

from __future__ import annotations

import nox

nox.options.error_on_missing_interpreters = False

ENGINES = ("pysr", "pyoperon", "juliacall", "juliapkg")
#: generated pages whose text depends on the versions of pydantic and typer
GENERATED = ("schema_is_fresh", "page_is_not_stale")


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
def tests(session: nox.Session) -> None:
    """The core tests with the pinned versions."""
    session.install("--constraint", "constraints.txt", "--editable", ".[dev]")
    session.run("python", "-m", "pytest", "-n", "2", *session.posargs)


@nox.session(python="3.11", venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """The core tests with the lowest version of every direct dependency."""
    session.install("--resolution", "lowest-direct", "--editable", ".[dev]")
    fresh = "not " + " and not ".join(GENERATED)
    words = ("-n", "2", "-W", "default", "-k", fresh)  # old versions warn of their own age
    session.run("python", "-m", "pytest", *words, *session.posargs)


@nox.session(python="3.11")
def no_engines(session: nox.Session) -> None:
    """Laws by grammar and catalogue where no other engine is installed."""
    session.install("--constraint", "constraints.txt", "--editable", ".[dev]")
    session.run("python", "-m", "pip", "uninstall", "--yes", "--quiet", *ENGINES)
    rooms = ("tests/test_architecture.py", "tests/test_contracts.py", "tests/pipeline/symbolic")
    session.run("python", "-m", "pytest", *rooms, *session.posargs)


@nox.session(venv_backend="none")
def docs(session: nox.Session) -> None:
    """The generated pages; fails where one was stale."""
    session.run("make", "docs", external=True)
    session.run("git", "diff", "--exit-code", "--", "docs", external=True)
