"""The command `mtl-laws plan`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtl_laws.pipeline.cli.options import Jobs

if TYPE_CHECKING:
    from mtl_laws.pipeline.study.plan import Estimate, Plan

MOST_LEVELS = 12
"""Levels of a factor that are printed."""


def plan(
    study: Annotated[
        Path, typer.Argument(metavar="STUDY", help="Study file (YAML); `mtl-laws init` writes one.")
    ],
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Symbolic-regression engine instead of the study's: "
            "auto, pysr, operon, gplearn or grammar.",
        ),
    ] = None,
    jobs: Jobs = -1,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="Device to train on: cpu, cuda or cuda:NUMBER.")
    ] = "cpu",
    timing: Annotated[
        bool, typer.Option(help="Train a few models to estimate time, memory and disk.")
    ] = True,
) -> None:
    """Print what a study would train, how long it takes, and what could not work.

    Nothing is written. The exit code is 2 if the study cannot work.

    Example: mtl-laws plan study.yaml
    """
    from mtl_laws.pipeline.study.backends import RunOptions
    from mtl_laws.pipeline.study.plan import plan_study
    from mtl_laws.pipeline.study.study import Study

    planned = plan_study(Study.load(study), engine, RunOptions(jobs, device=device), timing)
    typer.echo("\n".join(_lines(planned)))
    for problem in planned.problems:
        print(f"mtl-laws: {' '.join(str(problem).split())}", file=sys.stderr)
    if planned.problems:
        raise typer.Exit(2)


def _lines(plan: Plan) -> list[str]:
    seeds = "1 seed" if plan.seeds == 1 else f"{plan.seeds:,} seeds"
    lines = [f"trials:   {plan.trials:,}, with {seeds}"]
    width = max(map(len, plan.levels), default=0)
    for name, levels in plan.levels.items():
        counts = [f"{'none' if level is None else level}: {n:,}" for level, n in levels.items()]
        more = [f"and {len(counts) - MOST_LEVELS} more"] if len(counts) > MOST_LEVELS else []
        lines.append(f"  {name:<{width}}  {', '.join([*counts[:MOST_LEVELS], *more])}")
    lines.append(f"  single-task controls: {plan.single_task:,}")
    controls = [f"{name}: {count:,}" for name, count in plan.controls.items()]
    lines.append(f"  other controls: {', '.join(controls) or 'none'}")
    lines += _chosen(plan)
    if plan.problems:
        return [*lines, f"problems: {len(plan.problems)}; this study cannot work"]
    active = plan.design.kind == "active"
    lines += [] if plan.estimate is None else _needs(plan.estimate, active)
    lines.append("problems: none")
    lines += [
        f"laws:     {name} has {count} of the {plan.min_levels} levels that an extrapolation fold "
        "needs; nothing will be known beyond its levels"
        for name, count in plan.few_levels.items()
    ]
    if not plan.few_levels:
        lines.append("laws:     every factor has enough levels for an extrapolation fold")
    return lines


def _chosen(plan: Plan) -> list[str]:
    """What an active design trains of the trials; nothing for a full one."""
    from mtl_laws.pipeline.study.progress import duration

    if plan.design.kind != "active":
        return []
    if plan.design.seconds is not None:
        what = f"for about {duration(plan.design.seconds)} of training, summed over models"
    else:
        what = f"at most {plan.most:,} of the {plan.trials:,}"
    early = ", fewer if the law is certain earlier" if plan.design.until is not None else ""
    return [f"design:   active: trains {what}, in rounds{early}"]


def _needs(estimate: Estimate, active: bool) -> list[str]:
    from mtl_laws.pipeline.study.progress import duration

    workers = "1 process" if estimate.processes == 1 else f"{estimate.processes} processes"
    memory = "unknown on this system" if estimate.memory is None else _bytes(estimate.memory)
    return [
        f"time:     about {duration(estimate.seconds)} of training in {workers}, then the search "
        "for laws",
        f"memory:   about {memory}",
        f"disk:     about {_bytes(estimate.disk)}",
        f"          (estimated from {estimate.models} models, trained in {estimate.timed:.1f} s)",
        *(["          (for trials of average cost, without the time to choose them)"] * active),
    ]


def _bytes(count: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{max(1, round(count / 1e3))} kB"
