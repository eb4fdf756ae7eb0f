"""Simulate: how long does it take to make T tasks of n tokens, and where does the time go?

Every line is one seed on one core: tasks made (text, solving AMI, labels), measured (the T×T
matrix), written as Parquet; the last column is the peak memory of the process so far.

    python benchmarks/simulate.py [--tokens 20000] [--largest 30]

The second table is what a training study pays per cell: small TaskSets, the first of a seed (its
world is made) and the following ones (cached).
"""

from __future__ import annotations

import argparse
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeVar

from mtl_laws.simulator import TaskSpec, export_taskset, make_taskset
from mtl_laws.simulator.relatedness import measure

Done = TypeVar("Done")


def timed(work: Callable[[], Done]) -> tuple[float, Done]:
    start = time.perf_counter()
    done = work()
    return time.perf_counter() - start, done


def large(family: str, tasks: int, tokens: int) -> str:
    spec = TaskSpec(family=family, tasks=tasks, ami=0.4, tokens=tokens)
    making, taskset = timed(lambda: make_taskset(spec, tasks))
    sizes = [len(names) for names in taskset.label_names]
    labels = taskset.train.labels
    measuring, _ = timed(lambda: measure(labels, labels, sizes))
    with tempfile.TemporaryDirectory() as folder:
        writing, _ = timed(lambda: export_taskset(taskset, Path(folder) / "out", "parquet"))
    error = abs(taskset.relatedness.ami[0, 1:] - 0.4).max() if tasks > 1 else 0.0
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return (
        f"{family:8} {tasks:3} {len(taskset.train.tokens):9,} {making - measuring:8.2f} "
        f"{measuring:9.2f} {writing:8.2f} {making + writing:7.2f} {error:9.4f} {memory:7.2f}"
    )


def small(family: str, tasks: int, tokens: int) -> str:
    first: list[float] = []
    later: list[float] = []
    for seed in range(1000, 1005):
        for ami, into in ((0.2, first), (0.5, later), (0.8, later)):
            spec = TaskSpec(family=family, tasks=tasks, ami=ami, tokens=tokens)
            into.append(timed(partial(make_taskset, spec, seed))[0])
    return f"{family:8} {tasks:3} {tokens:6,} {median(first):8.3f} {median(later):8.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=20_000)
    parser.add_argument("--largest", type=int, default=30)
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print("family     T    tokens   make s measure s  write s total s AMI error  GB max")
    for family in ("channel", "teacher"):
        for tasks in (2, 5, 10, 20, 30):
            if tasks <= options.largest:
                print(large(family, tasks, options.tokens), flush=True)
    print("\nfamily     T      n  first s  later s")
    for family in ("channel", "teacher"):
        for tasks, tokens in ((2, 40), (4, 640), (8, 40), (8, 4096)):
            print(small(family, tasks, tokens), flush=True)


if __name__ == "__main__":
    main()
