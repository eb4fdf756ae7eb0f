"""The command `mtl-laws engines`."""

from __future__ import annotations

from typing import Annotated

import typer

from mtl_laws.pipeline.errors import UserError


def engines(
    install: Annotated[
        str | None, typer.Option(metavar="NAME", help="Engine to install: pysr (downloads Julia).")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Try PySR again instead of trusting an earlier trial.")
    ] = False,
) -> None:
    """Show which symbolic-regression engines are ready, or install one.

    Example: mtl-laws engines
    """
    from mtl_laws.pipeline.symbolic.engines import ENGINES, pysr

    if install is not None:
        if install != pysr.PySR.name:
            expected = "pysr, the only engine that needs an installation of its own"
            raise UserError("install", expected, install)
        typer.echo(f"pysr      installed: {pysr.install()}")
        return
    for name, engine in ENGINES.items():
        if check and isinstance(engine, pysr.PySR):
            readiness = engine.check()
        else:
            readiness = engine.readiness()
        state = "ready" if readiness.ready else "not ready"
        typer.echo(f"{name:<9} {state:<10} {readiness.reason}")
