"""Scaling: what a run costs beside the training, per trial, and what a million trials would need.

Training is replaced by a stand-in that answers at once, so that what is left is the run's own:
trials made from the study, groups to workers and results back, rows into the store, the table.

    python benchmarks/scaling.py [--trials 1000 10000] [--training 0.0133]
    python benchmarks/scaling.py --rows 200000        a fit and its report of so many rows instead
    python benchmarks/scaling.py --study 20000        laws and report of a study of so many trials
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import pickle
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cloudpickle

from mtl_laws.pipeline.study import dispatch, workers
from mtl_laws.pipeline.study.store import STORE_NAME, read_summary
from mtl_laws.pipeline.study.study import Study
from mtl_laws.pipeline.study.train import TABLE_NAME, RunOptions, train_study
from mtl_laws.pipeline.study.trials import Trial, expand, group
from mtl_laws.pipeline.study.workers import Result
from scaling_of_laws import cost_of_study, cost_of_table, show

STUDY = """
question: what does a run cost beside the training?
factors: {{tasks: [2, 4], tokens: [40, 80, 160, 320, 640], ami: [0.1, 0.3, 0.5, 0.7, 0.9]}}
seeds: {seeds}
stl: false
"""
PER_SEED = 50
LOOKS = 40
"""Points of a learning curve, as a model of the demonstration has them."""
MILLION = 1_000_000


def stand_in(trials: Sequence[Trial], _: str) -> list[Result]:
    """What models of these trials might have given, in the size in which they give it."""
    return [one_result(trial) for trial in trials]


def one_result(trial: Trial) -> Result:
    score = 1 - 5 / trial.task.tokens - trial.seed / 1e9
    names = ("accuracy", "macro_f1", "aux_accuracy", "aux_macro_f1", "validation_loss")
    parts = [f"{name}_{k}" for name in names[:2] for k in range(1, trial.task.tasks)]
    outcome = {
        "status": "converged",
        "scores": dict.fromkeys((*names, *parts), score / 3),
        "curve": [[20 * k, score / (k + 3), score / (k + 7)] for k in range(LOOKS)],
        "steps": 20 * LOOKS,
        "best_step": 20 * LOOKS,
        "seconds": score / 70,
        "message": "",
    }
    measures = ("ami", "ami_clean", "ami_aux", "h_main", "h_aux", "h_main_given_aux")
    measured: dict[str, float | None] = dict.fromkeys(measures, score / 7)
    return Result(trial.digest, outcome, {**measured, "n": float(trial.task.tokens)})


def memory() -> float:
    """Memory of this process now, MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * resource.getpagesize() / 1e6


def measure(count: int, told: Connection) -> None:
    """One run of so many trials in this process; sends its figures."""
    study = Study.parse(STUDY.format(seeds=-(-count // PER_SEED)))
    patch.object(workers, "train_together", stand_in).start()
    seen: list[float] = []
    train = workers.train_trials

    def noted(*arguments: Any) -> list[Result]:
        seen.append(memory())
        return train(*arguments)

    patch.object(dispatch, "train_trials", noted).start()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        before, began = memory(), time.process_time()
        train_study(study, out, RunOptions(jobs=1, progress=False))
        seconds = time.process_time() - began
        began = time.process_time()
        read_summary(out / STORE_NAME)
        looked = time.process_time() - began
        sizes = {name: (out / name).stat().st_size for name in (STORE_NAME, TABLE_NAME)}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    memories = (before, seen[0], seen[-1], peak)
    sizes_told = sizes[STORE_NAME], sizes[TABLE_NAME]
    told.send(Cost(len(expand(study)), seconds, memories, *sizes_told, looked))


def wire() -> tuple[int, float, float]:
    """Trials of a full group; bytes per trial that go to a worker, and that come back."""
    part = max(group(expand(Study.parse(STUDY.format(seeds=20)))), key=len)
    there = len(cloudpickle.dumps((workers.train_trials, (part, "cpu", 0), {})))
    back = len(pickle.dumps(stand_in(part, "cpu")))
    return len(part), there / len(part), back / len(part)


FIGURES = (
    "trials",
    "s",
    "ms a trial",
    "MB, begin",
    "MB, first group",
    "MB, last group",
    "MB, peak",
    "store, B a trial",
    "table, B a trial",
    "s for a status",
)


@dataclass(frozen=True)
class Cost:
    """What one run cost; see `FIGURES`."""

    trials: int
    seconds: float
    memory: tuple[float, float, float, float]
    store: int
    table: int
    status: float

    def line(self) -> str:
        share = 1e3 * self.seconds / self.trials
        begin, first, last, peak = self.memory
        return (
            f"| {self.trials:,} | {self.seconds:.1f} | {share:.2f} | {begin:.0f} | {first:.0f} | "
            f"{last:.0f} | {peak:.0f} | {self.store / self.trials:,.0f} | "
            f"{self.table / self.trials:,.0f} | {self.status:.2f} |"
        )

    def million(self, work: float, wire: float) -> dict[str, float]:
        """The same for a million trials, by proportion; `work` in s and `wire` in B, per trial."""
        times = MILLION / self.trials
        at_the_end = self.memory[3] - self.memory[2]
        return {
            "hours of one core": round(MILLION * work / 3600, 1),
            "store, GB": round(times * self.store / 1e9, 1),
            "over the wire, GB": round(MILLION * wire / 1e9, 1),
            "parent, minutes of one core": round(times * self.seconds / 60),
            "parent, GB at the end": round(times * at_the_end / 1e3, 1),
            "cores that one parent keeps busy": round(work * self.trials / self.seconds),
        }


def cost(count: int) -> Cost:
    """Of a run of so many trials, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=measure, args=(count, there))
    process.start()
    found: Cost = here.recv()
    process.join()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--training", type=float, default=0.0133, help="core x s per trial")
    parser.add_argument("--drawing", type=float, default=0.013, help="tasks, core x s per trial")
    parser.add_argument("--rows", type=int, default=0, help="measure a fit of so many rows")
    parser.add_argument("--study", type=int, default=0, help="the laws of so many trials")
    options = parser.parse_args()
    if options.rows:
        show(cost_of_table(options.rows))
    if options.study:
        show(cost_of_study(options.study))
    if options.rows or options.study:
        return
    size, there, back = wire()
    print(f"a full group has {size} trials; a trial sends {there:,.0f} bytes, returns {back:,.0f}")
    print("", f"| {' | '.join(FIGURES)} |", "|---" * len(FIGURES) + "|", sep="\n")
    for count in options.trials:
        latest = cost(count)
        print(latest.line())
    print("\na million trials of this size:")
    work = options.training + options.drawing
    print(json.dumps(latest.million(work, there + back), indent=1))


if __name__ == "__main__":
    main()
