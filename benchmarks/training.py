"""How fast does mtl-laws train its taggers, beside the loop a user would write?

Three ways to train the same cells, in one run, on the same cores:

(a) idiomatic: `nn.Embedding`, bidirectional `nn.LSTM`, `nn.Linear` heads, AdamW, a forward pass per
    task, one model per joblib task, one torch thread per worker; and the same with all tasks in one
    forward pass (`idiomatic, one pass`), which careful users write;
(b) ours eager: the stacked trainer in plain PyTorch;
(c) ours compiled: the stacked trainer with its inner loops compiled.

All stop early by the same rule, so their scores must agree. Usage:

    python benchmarks/training.py [--parts compare,steps,many] [--seeds 6] [--jobs 2] [--device cpu]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from torch import Tensor, nn

from mtl_laws.pipeline.training import Job, TrainingSettings, max_group, train_group
from mtl_laws.simulator import TaskSpec, make_taskset

ROOT = Path(__file__).parents[1]
SETTINGS = TrainingSettings()
SIZES = (40, 160, 640, 2560)
TASKS = (1, 2, 4, 8)


Timed = tuple[list[float], float]
"""Scores, and the processor seconds spent on them; drawing the tasks is not training."""


@dataclass(frozen=True)
class Cell:
    """What travels to a worker."""

    tasks: int
    tokens: int
    seed: int

    def job(self, settings: TrainingSettings = SETTINGS) -> Job:
        ami = None if self.tasks == 1 else 0.5
        spec = TaskSpec(tasks=self.tasks, tokens=self.tokens, ami=ami)
        return Job(make_taskset(spec, self.seed), settings, self.seed)


class Tagger(nn.Module):
    def __init__(self, job: Job) -> None:
        super().__init__()
        s = job.settings
        self.embedding = nn.Embedding(len(job.taskset.vocabulary), s.embedding)
        nn.init.normal_(self.embedding.weight, std=s.embedding_sd)
        self.lstm = nn.LSTM(s.embedding, s.hidden, bidirectional=True, batch_first=True)
        labels = job.taskset.label_names
        self.heads = nn.ModuleList(nn.Linear(2 * s.hidden, len(names)) for names in labels)

    def features(self, tokens: Tensor) -> Tensor:
        found: Tensor = self.lstm(self.embedding(tokens))[0]
        return found


def sentences(job: Job, split: str, device: str) -> list[tuple[Tensor, Tensor]]:
    """Tokens and labels (C, L) of every task; all sentences are of one length here."""
    found, part = [], getattr(job.taskset, split)
    length = job.taskset.spec.sentence_length
    for task in range(job.taskset.tasks):
        own = part.of_task(task)
        tokens = torch.from_numpy(part.tokens.reshape(-1, length)[own].astype(np.int64))
        labels = torch.from_numpy(part.labels[task].reshape(-1, length)[own].astype(np.int64))
        found.append((tokens.to(device), labels.to(device)))
    return found


def train_idiomatic(cell: Cell, one_pass: bool, device: str) -> Timed:
    """Train and test one model; the main task's accuracy and the processor time it took."""
    torch.set_num_threads(1)
    torch.manual_seed(cell.seed)
    job = cell.job()
    started = time.process_time()
    s, model = job.settings, Tagger(job).to(device)
    rates = {"lr": s.learning_rate, "weight_decay": s.weight_decay}
    optimiser = torch.optim.AdamW(model.parameters(), **rates)
    loss_of = nn.CrossEntropyLoss()
    train, validation = sentences(job, "train", device), sentences(job, "validation", device)[0]
    best, kept, stale, step = float("inf"), model.state_dict(), 0, 0
    while step < s.max_steps and stale < s.patience:
        batch = []
        for tokens, labels in train:
            drawn = torch.randint(0, len(tokens), (s.batch_sentences,), device=device)
            batch.append((tokens[drawn], labels[drawn]))
        optimiser.zero_grad()
        if one_pass:
            together = model.features(torch.cat([tokens for tokens, _ in batch]))
            features = together.split(s.batch_sentences)
        else:
            features = tuple(model.features(tokens) for tokens, _ in batch)
        loss = torch.stack(
            [
                loss_of(head(own).flatten(0, 1), labels.flatten())
                for head, own, (_, labels) in zip(model.heads, features, batch, strict=True)
            ]
        ).mean()
        loss.backward()
        optimiser.step()
        step += 1
        if step % s.evaluate_every == 0:
            with torch.no_grad():
                logits = model.heads[0](model.features(validation[0]))
                value = float(loss_of(logits.flatten(0, 1), validation[1].flatten()))
            stale += 1
            if value < best:
                best, stale = value, 0
                kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.load_state_dict(kept)
    tokens, labels = sentences(job, "test", device)[0]
    with torch.no_grad():
        predicted = model.heads[0](model.features(tokens)).argmax(-1)
    return [float((predicted == labels).double().mean())], time.process_time() - started


def train_ours(
    cells: Sequence[Cell], settings: TrainingSettings, eager: bool, device: str
) -> Timed:
    """Accuracies of a group of cells, and the processor time they took."""
    torch.set_num_threads(1)
    os.environ["MTL_LAWS_EAGER"] = "1" if eager else ""
    jobs = [cell.job(settings) for cell in cells]
    started = time.process_time()
    outcomes = train_group(jobs, device)
    return [outcome.scores["accuracy"] for outcome in outcomes], time.process_time() - started


def groups(cells: Sequence[Cell], settings: TrainingSettings, device: str) -> list[list[Cell]]:
    """Cells of equal T, as many at once as the trainer asks for; the longest first."""
    found = []
    for tasks in sorted({cell.tasks for cell in cells}, reverse=True):
        same = [cell for cell in cells if cell.tasks == tasks]
        size = max_group(settings, tasks, device)
        found += [same[i : i + size] for i in range(0, len(same), size)]
    return found


@dataclass
class Way:
    """One way to train the cells, and what it took.

    Processor time is what other work on the machine disturbs least, so ratios are of that; the
    wall time stands beside it.
    """

    name: str
    work: list[tuple[Any, ...]]
    wall: float = 0.0
    cpu: float = 0.0
    scores: tuple[float, ...] = ()

    def run(self, jobs: int) -> None:
        with joblib.Parallel(n_jobs=jobs) as parallel:
            parallel(joblib.delayed(warm_up)() for _ in range(2 * jobs))
            started = time.perf_counter()
            done = parallel(joblib.delayed(f)(*arguments) for f, *arguments in self.work)
            self.wall = time.perf_counter() - started
        self.scores = tuple(score for scores, _ in done for score in scores)
        self.cpu = sum(seconds for _, seconds in done)

    def record(self, idiomatic: Way) -> dict[str, Any]:
        count = len(self.scores)
        return {
            "way": self.name,
            "models": count,
            "models_per_second": count / self.wall,
            "cpu_seconds_per_model": self.cpu / count,
            "ratio": idiomatic.cpu / self.cpu,
            "ratio_wall": idiomatic.wall / self.wall,
            "accuracy_mean": float(np.mean(self.scores)),
            "accuracy_sd": float(np.std(self.scores, ddof=1)),
            "standard_error": float(np.std(self.scores, ddof=1) / np.sqrt(count)),
        }


def warm_up() -> None:
    """Imports, and the first autograd of a process, are nobody's training time."""
    torch.set_num_threads(1)
    torch.zeros(1, requires_grad=True).sum().backward()


def ways(cells: list[Cell], device: str) -> list[Way]:
    order = sorted(cells, key=lambda cell: -cell.tasks * cell.tokens)
    some = groups(cells, SETTINGS, device)
    return [
        Way("idiomatic, a pass per task", [(train_idiomatic, c, False, device) for c in order]),
        Way("idiomatic, one pass", [(train_idiomatic, c, True, device) for c in order]),
        Way("ours, eager", [(train_ours, group, SETTINGS, True, device) for group in some]),
        Way("ours, compiled", [(train_ours, group, SETTINGS, False, device) for group in some]),
    ]


def compile_seconds() -> float:
    """Time to build the inner loops in a process and a cache that never saw them."""
    code = (
        "import time, torch; from mtl_laws.pipeline.training.kernel import find_kernel; "
        "t = time.time(); "
        f"find_kernel(torch.zeros(1), {SETTINGS.hidden}); find_kernel(torch.zeros(1)); "
        "print(time.time() - t)"
    )
    with tempfile.TemporaryDirectory() as empty:
        clean = {**os.environ, "XDG_CACHE_HOME": empty, "MTL_LAWS_EAGER": ""}
        done = subprocess.run(
            [sys.executable, "-c", code], env=clean, cwd=ROOT, check=True, capture_output=True
        )
    return float(done.stdout)


def matmul_peak(device: str) -> float:
    """Measured GFLOP/s of a large single-precision product on one thread."""
    torch.set_num_threads(1)
    a, b = torch.rand(2, 1024, 1024, device=device)
    seconds = []
    for _ in range(10):
        started = time.perf_counter()
        float((a @ b)[0, 0])
        seconds.append(time.perf_counter() - started)
    return 2 * 1024**3 / min(seconds) / 1e9


def step_flops(tasks: int) -> int:
    """Floating-point operations of the matrix products of one update of one model."""
    s = SETTINGS
    tokens = tasks * s.batch_sentences * 10
    recurrent = tokens * 2 * s.hidden * 4 * s.hidden * 2
    folded = min(tokens, 200) * s.embedding * 8 * s.hidden * 2
    heads = tokens * 2 * s.hidden * 5 * 2
    return 3 * (recurrent + folded + heads)


def speed_by_tasks(device: str) -> list[dict[str, float]]:
    """Processor milliseconds and GFLOP/s of an update of one model in a full stack, testing too."""
    found = []
    settings = TrainingSettings(**{**SETTINGS.to_json(), "patience": 0, "max_steps": 200})
    for tasks in TASKS:
        cells = [Cell(tasks, 640, seed) for seed in range(max_group(settings, tasks, device) // 2)]
        jobs = [cell.job(settings) for cell in cells]
        started = time.process_time()
        train_group(jobs, device)
        seconds = (time.process_time() - started) / len(cells) / settings.max_steps
        gflops = step_flops(tasks) / seconds / 1e9
        found.append({"tasks": tasks, "stack": len(cells), "ms": seconds * 1e3, "gflops": gflops})
    return found


def cost_of_many(counts: Sequence[int], jobs: int, device: str) -> list[dict[str, float]]:
    """Processor time per model and the parent's memory, for ever larger studies of small cells."""
    small = TrainingSettings(embedding=8, hidden=8, max_steps=60, evaluate_every=20, patience=2)
    found = []
    with joblib.Parallel(n_jobs=jobs, return_as="generator_unordered") as parallel:
        list(parallel(joblib.delayed(warm_up)() for _ in range(2 * jobs)))
        for count in counts:
            cells = [Cell(2, 80, seed) for seed in range(count)]
            some = groups(cells, small, device)
            started, cpu, models = time.perf_counter(), 0.0, 0
            for scores, seconds in parallel(
                joblib.delayed(train_ours)(group, small, False, device) for group in some
            ):
                cpu, models = cpu + seconds, models + len(scores)
            assert models == count
            found.append(
                {
                    "models": count,
                    "training_cpu_ms_per_model": 1e3 * cpu / count,
                    "wall_ms_per_model": 1e3 * (time.perf_counter() - started) / count,
                    "parent_mb": memory(resource.RUSAGE_SELF),
                }
            )
            print(f"{count:>6} small cells: {1e3 * cpu / count:.2f} ms of training a model")
    return found


def memory(whose: int) -> float:
    """Largest resident size so far, MiB."""
    return resource.getrusage(whose).ru_maxrss / 1024


def machine(device: str) -> dict[str, Any]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    found = {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    return found | ({"gpu": torch.cuda.get_device_name()} if device == "cuda" else {})


def commit() -> str | None:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, check=False)
    return done.stdout.decode().strip() or None


def compare(given: argparse.Namespace) -> dict[str, Any]:
    """All ways side by side."""
    cells = [Cell(t, n, s) for t in TASKS for n in SIZES for s in range(given.seeds)]
    tried = ways(cells, given.device)
    records = []
    for way in tried:
        way.run(given.jobs)
        records.append(way.record(tried[0]))
        print(
            f"{way.name:<28} {records[-1]['models_per_second']:7.2f} models/s"
            f"  x{records[-1]['ratio']:5.1f}"
            f"  accuracy {records[-1]['accuracy_mean']:.3f} ± {records[-1]['standard_error']:.3f}",
            flush=True,
        )
    saved = (tried[2].cpu - tried[3].cpu) / len(cells)
    building = compile_seconds()
    return {
        "ways": records,
        "compilation": {"seconds": building, "pays_back_after_models": building / saved},
        "peak_memory_mb": {
            "parent": memory(resource.RUSAGE_SELF),
            "largest_worker": memory(resource.RUSAGE_CHILDREN),
        },
    }


def measure_steps(given: argparse.Namespace) -> dict[str, Any]:
    """An update of one model, and the machine's peak beside it."""
    found = speed_by_tasks(given.device)
    peak = matmul_peak(given.device)
    for row in found:
        print(f"T={row['tasks']}: {row['ms']:.3f} ms an update, {row['gflops']:.1f} GFLOP/s")
    print(f"matmul peak {peak:.1f} GFLOP/s on one thread")
    return {"by_tasks": found, "matmul_peak_gflops": peak}


def measure_many(given: argparse.Namespace) -> dict[str, Any]:
    """Whether a model costs the same in a large study as in a small one."""
    counts = [int(count) for count in given.many.split(",")]
    return {"many": cost_of_many(counts, given.jobs, given.device)}


PARTS = {"compare": compare, "steps": measure_steps, "many": measure_many}


def main() -> None:
    parser = argparse.ArgumentParser(description="Training speed, side by side.")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--many", default="100,1000,10000", help="numbers of small cells")
    parser.add_argument("--parts", default=",".join(PARTS), help="which parts to (re)measure")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    out = given.out or ROOT / "benchmarks" / "results" / f"training-{given.device}.json"
    record: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    for part in given.parts.split(","):
        about = {"machine": machine(given.device), "commit": commit(), "jobs": given.jobs}
        record[part] = about | PARTS[part](given)
        out.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
