"""What finding and reporting laws costs, stage by stage, as a table or a study grows.

A *table* is a random design in n, T and AMI, every row a cell of its own. A *study* is a run folder
of trials that a planted law answers in place of training: its levels, seeds and store are those of
a real one. Every command is a process of its own; memory is the peak of a stage, reset before it.
"""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from mtl_laws.pipeline import fit as fitting
from mtl_laws.pipeline.laws import document, search
from mtl_laws.pipeline.laws.lawset import LAWS_NAME
from mtl_laws.pipeline.provenance import provenance
from mtl_laws.pipeline.study import workers
from mtl_laws.pipeline.study.backends import RunOptions
from mtl_laws.pipeline.study.study import Study
from mtl_laws.pipeline.study.train import train_study
from mtl_laws.pipeline.study.trials import Trial
from mtl_laws.pipeline.study.workers import Result

RESULTS = Path(__file__).parent / "results" / "scaling-of-laws.json"
REPORT = "report.html"
LOOKS = 40
"""Points of a learning curve, as a model of the demonstration has them."""
STUDY = """
question: what do evidence and report of a large study cost?
factors:
  tasks: [2, 3, 4, 6, 8]
  tokens: [40, 80, 160, 320, 640, 1280, 2560]
  ami: [0.1, 0.3, 0.5, 0.7, 0.9]
seeds: {seeds}
stl: true
laws: {{target: accuracy, factors: [n, T, ami], engine: grammar, budget: quick}}
"""
PER_SEED = 7 * (5 * 5 + 1)
"""Trials of one seed, those of the main task alone included."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What one stage of a command cost.

    Attributes
    ----------
    seconds, wall : of processor time, in this process and its children; of a clock.
    memory : peak resident memory, GB.
    """

    seconds: float
    wall: float
    memory: float


@dataclass(frozen=True, kw_only=True)
class LawCost:
    """What the laws of a table or a study cost.

    Attributes
    ----------
    stages : name -> cost, and ``report alone``: `mtl-laws report` on the same folder.
    laws, report : sizes of ``laws.json`` and ``report.html``, MB.
    """

    what: str
    stages: dict[str, Stage]
    laws: float
    report: float

    def lines(self) -> Iterator[str]:
        """The cost as rows of a table."""
        for name, stage in self.stages.items():
            yield f"| {name} | {stage.seconds:.0f} | {stage.wall:.0f} | {stage.memory:.2f} |"


# --- commands ------------------------------------------------------------------------------------


def cost_of_table(rows: int) -> LawCost:
    """Of `mtl-laws fit`, with evidence and report, on a random design in n, T and AMI."""
    with tempfile.TemporaryDirectory() as folder:
        table, out = Path(folder) / "table.csv", Path(folder) / "out"
        random_design(rows).to_csv(table, index=False)
        options = "--target f1 --factors n,T,ami --bounds 0,1 --budget tiny --engine grammar"
        fit = ["fit", str(table), *options.split(), "--jobs", "1", "--out", str(out)]
        return _cost(f"a table of {rows:,} rows", fit, out)


def cost_of_study(trials: int) -> LawCost:
    """Of `mtl-laws run` on a study all of whose trials are in the store already."""
    with tempfile.TemporaryDirectory() as folder:
        study, out = Path(folder) / "study.yaml", Path(folder) / "out"
        study.write_text(STUDY.format(seeds=-(-trials // PER_SEED)), encoding="utf-8")
        _in_process(partial(_train, study, out))
        count = len(pd.read_parquet(out / "results.parquet"))
        run = ["run", str(study), "--jobs", "1", "--out", str(out)]
        return _cost(f"a study of {count:,} trials", run, out)


def _cost(what: str, command: Sequence[str], out: Path) -> LawCost:
    stages = _in_process(partial(_stages, list(command)))
    report = _in_process(partial(_stages, ["report", str(out)]))
    return LawCost(
        what=what,
        stages={**stages, "report alone": report["whole command"]},
        laws=(out / LAWS_NAME).stat().st_size / 1e6,
        report=(out / REPORT).stat().st_size / 1e6,
    )


def random_design(rows: int) -> pd.DataFrame:
    """Rows at random n, T and AMI, hardly two alike, with a planted law and noise."""
    random = np.random.default_rng(0)
    n = np.exp(random.uniform(np.log(40), np.log(4_000), rows)).round()
    tasks = random.integers(1, 9, rows)
    ami = np.where(tasks == 1, np.nan, random.uniform(0, 1, rows).round(4))
    f1 = planted(n, tasks, ami) + random.normal(0, 0.01, rows)
    return pd.DataFrame({"n": n, "T": tasks, "ami": ami, "f1": f1})


def planted(n: Any, tasks: Any, ami: Any) -> Any:
    """The law behind the rows: two to eight tasks act like more data."""
    return 0.92 - 2.2 / np.sqrt(n * tasks ** (0.8 * np.nan_to_num(ami)))


# --- in a process of its own ---------------------------------------------------------------------


def _in_process(work: Callable[[], Any]) -> Any:
    """What work returns in a new process, so that its peak memory is its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_answer, args=(work, there))
    process.start()
    answer = here.recv()
    process.join()
    return answer


def _answer(work: Callable[[], Any], there: Connection) -> None:
    there.send(work())


def _train(study: Path, out: Path) -> None:
    """Fill the store of a study with what the planted law says."""
    patch.object(workers, "train_together", _planted_results).start()
    train_study(Study.load(study), out, RunOptions(jobs=1, progress=False))


def _planted_results(trials: Sequence[Trial], _: str) -> list[Result]:
    return [_planted_result(trial) for trial in trials]


def _planted_result(trial: Trial) -> Result:
    """A converged trial: the planted law at the AMI measured, a shift of its seed, and noise."""
    n, tasks = float(trial.task.tokens), trial.task.tasks
    random = np.random.default_rng(int(trial.digest[:12], 16))
    ami = trial.task.ami + float(random.uniform(-0.01, 0.01)) if tasks > 1 else None
    shift = np.random.default_rng(trial.seed).normal(0, 0.01)
    score = float(planted(n, tasks, np.nan if ami is None else ami)) + shift
    score = float(np.clip(score + random.normal(0, 0.01), 0, 1))
    names = ("accuracy", "macro_f1", "aux_accuracy", "aux_macro_f1", "validation_loss")
    outcome = {
        "status": "converged",
        "scores": dict.fromkeys(names, score),
        "curve": [[20 * k, score * k / (k + 3), score * k / (k + 4)] for k in range(LOOKS)],
        "steps": 20 * LOOKS,
        "best_step": 20 * LOOKS,
        "seconds": 0.01,
        "message": "",
    }
    measures = ("ami", "ami_clean", "ami_aux", "h_main", "h_aux", "h_main_given_aux")
    return Result(trial.digest, outcome, {**dict.fromkeys(measures, ami), "n": n})


def _stages(command: list[str]) -> dict[str, Stage]:
    """Cost of every stage of a command of `mtl-laws`, in this process."""
    from mtl_laws.pipeline.cli.app import app

    stages: dict[str, Stage] = {}
    with contextlib.ExitStack() as stack:
        for module, name, stage in (
            (search, "find_laws", "search"),
            (document, "laws_document", "evidence"),
            (fitting, "write_report_of", "report"),
        ):
            measured = _measured(getattr(module, name), stage, stages)
            stack.enter_context(patch.object(module, name, measured))
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        whole = _measured(partial(app, command, standalone_mode=False), "whole command", stages)
        whole()
    most = max(stage.memory for stage in stages.values())
    total = stages["whole command"]
    stages["whole command"] = Stage(seconds=total.seconds, wall=total.wall, memory=most)
    return stages


def _measured(
    function: Callable[..., Any], name: str, stages: dict[str, Stage]
) -> Callable[..., Any]:
    """The function, which also notes what it cost."""

    def measured(*arguments: Any, **options: Any) -> Any:
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
        seconds, wall = _processor(), time.monotonic()
        answer = function(*arguments, **options)
        stages[name] = Stage(
            seconds=_processor() - seconds, wall=time.monotonic() - wall, memory=_peak()
        )
        return answer

    return measured


def _processor() -> float:
    """Processor time of this process and its children, s."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _peak() -> float:
    """Peak resident memory since it was last reset, GB."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e9


# --- results -------------------------------------------------------------------------------------


def show(cost: LawCost) -> None:
    """Print a cost, and keep it with the results."""
    print(f"{cost.what}: laws.json {cost.laws:.2f} MB, report.html {cost.report:.2f} MB")
    print("", "| stage | processor, s | wall, s | peak memory, GB |", "|---|---|---|---|", sep="\n")
    print(*cost.lines(), sep="\n")
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    about = {"commit": provenance()["commit"], "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    record = {**asdict(cost), **about}
    text = json.dumps({**kept, record.pop("what"): record}, indent=1)
    RESULTS.write_text(f"{text}\n", encoding="utf-8")
