"""Processor time of `mtl-laws fit --budget quick` against an earlier version, side by side.

    python benchmarks/fit_speed.py TABLE --version d98e726 --pairs 3

Checks the earlier version out into a temporary worktree, runs both versions in turn on the same
table and question with the same packages, and prints user plus system time of each run, children
included, and the ratio of the medians. Without TABLE it uses `../shared/paper/balanced.csv`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("MTL_LAWS_SHARED", ROOT.parent / "shared"))
QUESTION = {
    "--target": "fscore",
    "--factors": "n=n_tokens_per_task,T=n_tasks,ami=mutual_info",
    "--bounds": "0,1",
    "--hold-out": "n>5000 or T>5",
    "--budget": "quick",
    "--engine": "operon",
    "--jobs": "2",
    "--seed": "0",
}


def run(checkout: Path, table: Path, out: Path) -> tuple[float, float]:
    """Processor seconds of one fit, and the R² held out."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    asked = [part for option in QUESTION.items() for part in option]
    command = [sys.executable, "-m", "mtl_laws.pipeline.cli.app", "fit", str(table), *asked]
    subprocess.run(
        [*command, "--out", str(out)],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        check=True,
        capture_output=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    laws = json.loads((out / "laws.json").read_text(encoding="utf-8"))
    return spent, float(laws["selected"]["scores"]["r2_hold_out"])


def main() -> None:
    """Time both versions in turn and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", nargs="?", type=Path, default=SHARED / "paper" / "balanced.csv")
    parser.add_argument("--version", default="d98e726", help="the earlier version, a commit")
    parser.add_argument("--pairs", type=int, default=3)
    asked = parser.parse_args()
    if not asked.table.exists():
        print(f"{asked.table}: no such file; give a table with the published study's columns")
        return
    with tempfile.TemporaryDirectory() as folder:
        earlier = Path(folder) / "earlier"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "-q", "--detach", str(earlier), asked.version], check=True)
        try:
            times: dict[str, list[float]] = {asked.version: [], "this": []}
            for pair in range(asked.pairs):
                for name, checkout in ((asked.version, earlier), ("this", ROOT)):
                    out = Path(folder) / f"{name}-{pair}"
                    spent, r2 = run(checkout, asked.table.resolve(), out)
                    times[name].append(spent)
                    print(f"{name:>8}  {spent:6.1f} s of processor time  R² held out {r2:.3f}")
        finally:
            subprocess.run([*git, "remove", "--force", str(earlier)], check=True)
    ratio = statistics.median(times["this"]) / statistics.median(times[asked.version])
    print(f"ratio of medians: {ratio:.2f}")


if __name__ == "__main__":
    main()
