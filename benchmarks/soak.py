"""Soak: how many kills does a run of tiny cells survive, and does it end with the right table?

A run is started as a process of its own and, after a random while, killed outright (SIGKILL), often
with its workers at work; then it is started again, until it ends by itself. The table that is left
is compared with that of an undisturbed run: every row once, none lost, the same values.

    python benchmarks/soak.py [--cells 2000] [--every 8] [--seed 0] [--jobs 2]
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pandas as pd

from pipeline.run import LOG_NAME
from pipeline.store import STORE_NAME, read_rows
from pipeline.table import CLOCKED

STUDY = """
question: does a run survive being killed?
family: {{vocabulary: 40, labels: 3}}
factors: {{tasks: [1, 2], tokens: [30, 60], ami: [0.2, 0.6]}}
seeds: {seeds}
test_tokens: 50
training: {{embedding: 2, hidden: 2, batch_sentences: 2, max_steps: 4, evaluate_every: 2}}
"""
CELLS_PER_SEED = 6

CODE = """
import sys
from pathlib import Path
from pipeline.run import RunOptions, run_study
from pipeline.study import Study
study, out, jobs = sys.argv[1:]
run_study(Study.load(Path(study)), Path(out), RunOptions(jobs=int(jobs), progress=False))
"""


def start(study: Path, out: Path, jobs: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", CODE, str(study), str(out), str(jobs)]
    with errors_of(out).open("wb") as errors:
        return subprocess.Popen(command, stdout=errors, stderr=errors)


def errors_of(out: Path) -> Path:
    """Where the latest process of a run has said what went wrong."""
    return out.with_suffix(".err")


def run_with_kills(study: Path, out: Path, options: argparse.Namespace) -> tuple[int, int]:
    """(kills survived, kills after new rows were written) until the run ends by itself."""
    draw, patience = random.Random(options.seed), options.every
    kills = at_work = 0
    while True:
        before, runs = rows_in(out), runs_in(out)
        process = start(study, out, options.jobs)
        while runs_in(out) == runs and process.poll() is None:
            time.sleep(0.1)
        try:
            ended = process.wait(timeout=draw.uniform(0, 2) * patience)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            written = rows_in(out) > before
            at_work += written
            patience *= 1 if written else 1.5  # on a slow machine a kill must not come too soon
            continue
        if ended != 0:
            raise SystemExit(errors_of(out).read_text(encoding="utf-8", errors="replace"))
        return kills, at_work


def runs_in(out: Path) -> int:
    """Starts of the run that have come as far as the store."""
    log = out / LOG_NAME
    return log.read_text(encoding="utf-8").count("cells to train") if log.exists() else 0


def rows_in(out: Path) -> int:
    store = out / STORE_NAME
    return len(read_rows(store)) if store.exists() and store.stat().st_size else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=600)
    parser.add_argument("--every", type=float, default=8.0, help="mean seconds between kills")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report(Path(folder), options)


def report(folder: Path, options: argparse.Namespace) -> None:
    study, disturbed, undisturbed = (folder / name for name in ("study.yaml", "killed", "whole"))
    study.write_text(STUDY.format(seeds=-(-options.cells // CELLS_PER_SEED)), encoding="utf-8")
    began = time.monotonic()
    kills, at_work = run_with_kills(study, disturbed, options)
    middle = time.monotonic()
    if start(study, undisturbed, options.jobs).wait() != 0:
        raise SystemExit(errors_of(undisturbed).read_text(encoding="utf-8", errors="replace"))
    killed, whole = (pd.read_parquet(out / "results.parquet") for out in (disturbed, undisturbed))
    times = Counter(row.cell for row in read_rows(disturbed / STORE_NAME))
    try:
        pd.testing.assert_frame_equal(
            killed.drop(columns=list(CLOCKED)), whole.drop(columns=list(CLOCKED)), rtol=1e-4
        )
        verdict = "yes"
    except AssertionError as error:
        verdict = f"NO: {error}"
    print(f"cells                        {len(whole):,}")
    print(f"kills survived               {kills} ({at_work} of them after new rows)")
    print(f"rows lost                    {len(set(whole['cell']) - set(times))}")
    print(f"duplicates                   {sum(count - 1 for count in times.values())}")
    print(f"same table as undisturbed    {verdict}")
    print(f"seconds, killed / whole      {middle - began:.0f} / {time.monotonic() - middle:.0f}")


if __name__ == "__main__":
    main()
