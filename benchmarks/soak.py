"""Soak: how many faults does a run of tiny trials survive, and does it end with the right table?

A run is started as a process of its own and struck again and again after a random while, drawn from
a seed: the run is killed outright (SIGKILL), one of its workers is, or the run gets SIGTERM or
SIGINT. What has ended is started again by the same command, until it ends by itself. The table that
is left is compared with that of an undisturbed run: every row once, none lost, the same values.

    python benchmarks/soak.py [--trials 2000] [--every 6] [--seed 0] [--jobs 2]
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from mtl_laws.pipeline.columns import CLOCKED
from mtl_laws.pipeline.study.store import STORE_NAME, read_rows
from mtl_laws.pipeline.study.train import LOG_NAME, TABLE_NAME

STUDY = """
question: does a run survive being killed?
family: {{name: channel, vocabulary: 40, labels: 3}}
factors: {{tasks: [1, 2], tokens: [30, 60], ami: [0.2, 0.6]}}
seeds: {seeds}
test_tokens: 50
training: {{embedding: 2, hidden: 2, batch_sentences: 2, max_steps: 4, evaluate_every: 2}}
"""
TRIALS_PER_SEED = 6

CODE = """
import sys
from pathlib import Path
from mtl_laws.pipeline.study.train import RunOptions, train_study
from mtl_laws.pipeline.study.study import Study
if __name__ == "__main__":
    study, out, jobs = sys.argv[1:]
    train_study(Study.load(Path(study)), Path(out), RunOptions(jobs=int(jobs), progress=False))
"""
AT_WORK = 0.75
"""Share of faults that wait for a new row; the others may strike while the run begins."""
FAULTS = ("run killed", "worker killed", "SIGTERM", "SIGINT")
SIGNALS = {"run killed": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}


@dataclass
class Soak:
    """A run into `out` and what has befallen it so far."""

    study: Path
    out: Path
    jobs: int
    faults: Counter[str] = field(default_factory=Counter)
    after_new_rows: int = 0

    @property
    def errors(self) -> Path:
        """Where the latest process of the run has said what went wrong."""
        return self.out.with_suffix(".err")

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", CODE, str(self.study), str(self.out), str(self.jobs)]
        with self.errors.open("wb") as errors:
            return subprocess.Popen(command, stdout=errors, stderr=errors)

    def begun(self) -> int:
        """Starts of the run that have come as far as the store."""
        log = self.out / LOG_NAME
        return log.read_text(encoding="utf-8").count("trials to train") if log.exists() else 0

    def rows(self) -> int:
        store = self.out / STORE_NAME
        return len(read_rows(store)) if store.exists() and store.stat().st_size else 0

    def struck(self, draw: random.Random, patience: float) -> None:
        """Strike until the run ends by itself."""
        process, begun, rows = self.start(), self.begun(), self.rows()
        while True:
            at_work = draw.random() < AT_WORK
            while process.poll() is None and (
                self.begun() == begun or (at_work and self.rows() == rows)
            ):
                time.sleep(0.1)
            try:
                ended = process.wait(timeout=draw.uniform(0, 2) * patience)
            except subprocess.TimeoutExpired:
                if self.strike(process, draw.choice(FAULTS)):
                    before, rows = rows, self.rows()
                    self.after_new_rows += rows > before
                    patience *= 1 if rows > before else 1.5  # a slow machine needs its time
                    begun, process = self.begun(), self.start()
                continue
            if ended != 0:
                raise SystemExit(self.errors.read_text(encoding="utf-8", errors="replace"))
            return

    def strike(self, process: subprocess.Popen[bytes], fault: str) -> bool:
        """Do it; whether the run has ended by it."""
        if fault in SIGNALS:
            process.send_signal(SIGNALS[fault])
            process.wait()
            self.faults[fault] += 1
            return True
        workers = workers_of(process.pid)
        if workers:
            os.kill(workers[0], signal.SIGKILL)
            self.faults[fault] += 1
        return False


def workers_of(run: int) -> list[int]:
    """Process ids of the workers that a run has now."""
    threads = Path(f"/proc/{run}/task").glob("*/children")
    children = [int(child) for text in threads for child in text.read_text().split()]
    lines = {child: Path(f"/proc/{child}/cmdline") for child in children}
    return [c for c, line in lines.items() if line.exists() and b"popen_loky" in line.read_bytes()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=600)
    parser.add_argument("--every", type=float, default=6.0, help="mean seconds between faults")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report(Path(folder), options)


def report(folder: Path, options: argparse.Namespace) -> None:
    study = folder / "study.yaml"
    study.write_text(STUDY.format(seeds=-(-options.trials // TRIALS_PER_SEED)), encoding="utf-8")
    struck, whole = (Soak(study, folder / name, options.jobs) for name in ("struck", "whole"))
    began = time.monotonic()
    struck.struck(random.Random(options.seed), options.every)
    middle = time.monotonic()
    if whole.start().wait() != 0:
        raise SystemExit(whole.errors.read_text(encoding="utf-8", errors="replace"))
    ended = time.monotonic()
    table, want = (pd.read_parquet(one.out / TABLE_NAME) for one in (struck, whole))
    times = Counter(row.trial for row in read_rows(struck.out / STORE_NAME))
    print(f"trials                        {len(want):,}")
    print(f"faults survived              {sum(struck.faults.values())}: {dict(struck.faults)}")
    print(f"of them after new rows       {struck.after_new_rows}")
    print(f"rows lost                    {len(set(want['trial']) - set(times))}")
    print(f"duplicates                   {sum(count - 1 for count in times.values())}")
    print(f"failed                       {int((table['status'] == 'failed').sum())}")
    print(f"same table to the last bit   {alike(table, want, 0.0)}")
    print(f"same table to 1e-4           {alike(table, want, 1e-4)}")
    print(f"seconds, struck / whole      {middle - began:.0f} / {ended - middle:.0f}")


def alike(one: pd.DataFrame, other: pd.DataFrame, tolerance: float) -> str:
    left, right = (table.drop(columns=list(CLOCKED)) for table in (one, other))
    try:
        pd.testing.assert_frame_equal(left, right, rtol=tolerance, atol=0.0)
    except AssertionError as error:
        return "no: " + " ".join(str(error).split())[:160]
    return "yes"


if __name__ == "__main__":
    main()
