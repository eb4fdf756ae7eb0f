"""Advice on real text: are gains of real annotation layers what the law says they are?

On the English EWT treebank every ordered pair of eight layers is trained as main task and auxiliary
at several n, several seeds each, paired with the main layer alone. Auxiliary tokens are extra
sentences, labelled for the auxiliary only, more of them than n: what someone has who annotates a
little for a new task and finds a larger corpus annotated otherwise.

    python benchmarks/advice.py measure --seeds 6      # adds what the results lack
    python benchmarks/advice.py score [--laws L …]     # predicted against measured, seconds

Nothing is fitted on EWT. The pairs of four main layers (development) were looked at while the law's
factors were chosen; those of the other four (test) were not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from mtl_laws.pipeline.advice.advice import DEFAULT_LAWS, load_law
from mtl_laws.pipeline.advice.check import Setup, TrainingRunner
from mtl_laws.pipeline.advice.corpus import CorpusFiles, open_corpus, profile
from mtl_laws.pipeline.advice.factors import FACTORS, Situation, TokenCounts
from mtl_laws.pipeline.advice.predict import GainPredictor
from mtl_laws.pipeline.advice.word_table import WordTable
from mtl_laws.pipeline.provenance import provenance
from mtl_laws.pipeline.training import TrainingSettings

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "advice.json"
SHARED = Path(os.environ.get("MTL_LAWS_SHARED", ROOT.parent / "shared"))
CORPUS = SHARED / "corpora" / "ud_english_ewt" / "en_ewt-ud-train.conllu"
FILES = CorpusFiles(paths=(CORPUS,))

DEVELOPMENT = ("upos", "Number", "PronType", "Tense")
TEST = ("xpos", "deprel", "Person", "VerbForm")
LAYERS = (*DEVELOPMENT, *TEST)
SIZES, AUX_TOKENS, TEST_TOKENS = (200, 600, 2_000), 4_000, 10_000
#: standard errors from which a measured gain has a sign
CLEAR = 2.0


def training_runner() -> TrainingRunner:
    return TrainingRunner(FILES.options, TrainingSettings(), TEST_TOKENS)


def setups(main: str) -> Iterator[Setup]:
    for n in SIZES:
        yield Setup(main, (), n, 0)
        yield from (Setup(main, (other,), n, AUX_TOKENS) for other in LAYERS if other != main)


def measure(seeds: int, path: Path) -> None:
    """Train the seeds that the file lacks, main layer after main layer."""
    rows = json.loads(path.read_text())["runs"] if path.exists() else []
    for main in LAYERS:
        done = {row["seed"] for row in rows if row["main"] == main}
        missing = [seed for seed in range(seeds) if seed not in done]
        for setup, seed, outcome in training_runner().train(list(setups(main)), missing):
            rows.append(
                {
                    "main": main,
                    "aux": setup.auxiliaries[0] if setup.auxiliaries else None,
                    "n": setup.n,
                    "seed": seed,
                    "status": outcome.status.value,
                    "accuracy": outcome.scores.get("accuracy"),
                    "macro_f1": outcome.scores.get("macro_f1"),
                    "seconds": round(outcome.seconds, 2),
                }
            )
        save(rows, path)
        print(f"{main}: {len(rows)} models", flush=True)


def save(rows: Sequence[dict[str, Any]], path: Path) -> None:
    known = provenance()
    document = {
        "corpus": CORPUS.name,
        "n_aux": AUX_TOKENS,
        "test_tokens": TEST_TOKENS,
        "reading": {k: v for k, v in FILES.options.items() if k != "corpus"},
        "training": TrainingSettings().to_json(),
        "machine": {"processor": platform.machine(), "python": known["python"]},
        "version": known["version"],
        "commit": known["commit"],
        "runs": rows,
    }
    path.write_text(json.dumps(document).replace('{"main"', '\n{"main"') + "\n")


@dataclass(frozen=True)
class Measured:
    """Gains, one row for each pair and n: mean, standard error, and by seed.

    Attributes
    ----------
    table : columns main, aux, n, gain, se.
    by_seed : (rows, seeds).
    """

    table: pd.DataFrame
    by_seed: pd.DataFrame

    @staticmethod
    def read(path: Path, mains: Sequence[str]) -> Measured:
        runs = pd.DataFrame(json.loads(path.read_text())["runs"])
        runs = runs[runs.main.isin(mains)]
        alone = runs[runs.aux.isna()].set_index(["main", "n", "seed"]).accuracy.rename("alone")
        pairs = runs[runs.aux.notna()].join(alone, on=["main", "n", "seed"])
        pairs["gain"] = pairs.accuracy - pairs.alone
        seeds = pairs.pivot_table(index=["main", "aux", "n"], columns="seed", values="gain")
        table = seeds.mean(axis=1).rename("gain").reset_index()
        table["se"] = (seeds.std(axis=1) / np.sqrt(seeds.count(axis=1))).to_numpy()
        return Measured(table, seeds)

    def ceiling(self) -> tuple[float, float]:
        """Split-half correlation of ranks, and the reliability of all seeds (Spearman–Brown)."""
        halves = [self.by_seed.iloc[:, start::2].mean(axis=1) for start in (0, 1)]
        half = float(spearmanr(*halves).statistic)
        return half, 2 * half / (1 + half)


def describe(table: pd.DataFrame) -> pd.DataFrame:
    """The table with every factor, and the sets' situations for laws to be asked about."""
    parts = []
    for main, rows in table.groupby("main"):
        corpus = open_corpus(FILES)
        others = [name for name in LAYERS if name != main]
        known, words = profile(corpus, main, others, resamples=0), WordTable(corpus, main)
        for n, same in rows.groupby("n"):
            sizes = TokenCounts(int(n), dict.fromkeys(others, AUX_TOKENS))
            names = same.aux.tolist()
            alone, *values = words.accuracy(sizes.n, sizes.n_aux, [(), *((a,) for a in names)])
            situations = [
                Situation(known, sizes, (name,), value, alone)
                for name, value in zip(names, values, strict=True)
            ]
            columns = {
                key: [factor.value(one) for one in situations] for key, factor in FACTORS.items()
            }
            parts.append(
                same.drop(columns="n").assign(**columns, situation=situations, known=known)
            )
    return pd.concat(parts, ignore_index=True)


def predict(table: pd.DataFrame, path: Path) -> np.ndarray:
    """The gain that a law predicts for each row."""
    law = load_law(path)
    values = np.empty(len(table))
    for row, one in enumerate(table.situation):
        predictor = GainPredictor(law=law, profile=one.profile, words=Fixed(one))
        values[row] = predictor.predict(one.sizes, [one.auxiliaries])[0].gain.value
    return values


@dataclass(frozen=True)
class Fixed:
    """What tables of words reach, already known."""

    situation: Situation

    def accuracy(self, n: int, n_aux: object, sets: Sequence[tuple[str, ...]]) -> np.ndarray:
        return np.array([self.situation.lookup_alone, self.situation.lookup])


def agreement(table: pd.DataFrame, predicted: np.ndarray) -> dict[str, float]:
    """Spearman over all rows, by n, within a main layer and n; signs, all and clear ones."""
    measured = table.gain.to_numpy()
    clear = np.abs(measured) > CLEAR * table.se.to_numpy()
    right = np.sign(predicted) == np.sign(measured)
    found = {"all": rank(predicted, measured)}
    for n in SIZES:
        found[f"n={n}"] = rank(predicted[table.n == n], measured[table.n == n])
    groups = table.groupby(["main", "n"]).indices.values()
    found["within"] = float(np.nanmean([rank(predicted[g], measured[g]) for g in groups]))
    return {**found, "sign": float(right.mean()), "clear": float(right[clear].mean())}


def rank(predicted: np.ndarray, measured: np.ndarray) -> float:
    if np.ptp(predicted) == 0:
        return float("nan")
    return float(spearmanr(predicted, measured).statistic)


def score(laws: Sequence[Path], splits: Sequence[str], path: Path) -> None:
    for name in splits:
        mains = {"development": DEVELOPMENT, "test": TEST, "both": LAYERS}[name]
        measured = Measured.read(path, mains)
        table = describe(measured.table)
        half, whole = measured.ceiling()
        print(
            f"\n{name} ({', '.join(mains)}): {len(table)} gains, "
            f"{measured.by_seed.shape[1]} seeds, split-half {half:.2f}, reliability {whole:.2f}"
        )
        ways: dict[str, np.ndarray] = {law.parent.name: predict(table, law) for law in laws}
        ways |= {
            "rank by AMI": table.ami.to_numpy(),
            "rank by word tables": table.transfer.to_numpy(),
            "always help": np.ones(len(table)),
        }
        found = pd.DataFrame({way: agreement(table, values) for way, values in ways.items()}).T
        print(found.round(2).to_string())
        for main, rows in table.groupby("main"):
            ranks = {way: rank(v[rows.index], rows.gain.to_numpy()) for way, v in ways.items()}
            print(f"  {main:<9} " + "  ".join(f"{w} {r:.2f}" for w, r in ranks.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", nargs="?", choices=["measure", "score"], default="score")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--laws", type=Path, nargs="*", default=[DEFAULT_LAWS])
    parser.add_argument("--split", nargs="*", default=["development", "test", "both"])
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    if not CORPUS.is_file():
        print(f"skipped: {CORPUS.name} is not in ../shared (or $MTL_LAWS_SHARED)")
        return
    if given.step == "measure":
        measure(given.seeds, given.results)
    else:
        score(given.laws, given.split, given.results)


if __name__ == "__main__":
    main()
