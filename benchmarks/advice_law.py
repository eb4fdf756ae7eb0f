"""The law behind `mtl-laws advise`: simulated annotation schemes, trained on, and a law of them.

Every seed is one corpus of synthetic text with eight layers as annotation schemes have them: a fine
tag set, two other teachers' tag sets of the same words that are more or less related to it, a
coarser version of the fine one, three morphological layers (a few fine tags make a few values, all
others are "none") and one of pairs of neighbouring coarse tags. Taggers are trained on main layers
alone and with one to three auxiliaries, and a law is searched in the results. No real text is used.

    python benchmarks/advice_law.py train --worlds 5    # benchmarks/results/advice-law.csv
    python benchmarks/advice_law.py                     # searches the laws again, and prints them
    python benchmarks/advice_law.py fit                 # puts them into pipeline/advice
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mtl_laws.pipeline.advice.advice import SHIPPED
from mtl_laws.pipeline.advice.check import Setup, TrainingRunner
from mtl_laws.pipeline.advice.corpus import Profile, profile
from mtl_laws.pipeline.advice.word_table import WordTable
from mtl_laws.pipeline.cli.progress import SearchProgress
from mtl_laws.pipeline.fit import Source, fit_to_folder, summary
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.laws.question import Question
from mtl_laws.pipeline.training import TrainingSettings
from mtl_laws.simulator import Split, TaskSpec, UnreachableAMIError, load_corpus, make_taskset

Labels = NDArray[np.int16]

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "benchmarks" / "results" / "advice-law.csv"

TOKENS, TEST_TOKENS = 60_000, 6_000
#: (V, z): token types and exponent of the Zipf law, from small and flat to large and steep
TEXTS = ((400, 1.0), (800, 1.1))
SIZES = (100, 200, 400, 800, 1_600, 3_200)
AUX_SIZES = (500, 1_000, 2_000, 4_000, 8_000)
TAG_COUNTS = (8, 12, 20)
#: share of words that are shown as another word: what a word does not tell about its tags
AMBIGUITY = (0.02, 0.2)
#: main layers of a corpus, auxiliaries of the trials of one, and values of n for each
MAINS, SETS, PER_MAIN = 4, (1, 1, 1, 3), 3


@dataclass(frozen=True)
class Scheme:
    """What is drawn for one corpus before its text: tag count, relatedness, text."""

    tags: int
    ami: tuple[float, float]
    imbalance: float
    text: tuple[int, float]
    ambiguity: float

    @staticmethod
    def draw(rng: np.random.Generator) -> Scheme:
        far, near = (round(float(rng.uniform(*ends)), 3) for ends in ((0.25, 0.45), (0.45, 0.85)))
        imbalance = round(float(rng.uniform(0, 1)), 3)
        text, ambiguity = TEXTS[rng.integers(len(TEXTS))], round(float(rng.uniform(*AMBIGUITY)), 3)
        return Scheme(int(rng.choice(TAG_COUNTS)), (far, near), imbalance, text, ambiguity)

    def spec(self) -> TaskSpec:
        return TaskSpec(
            family="teacher",
            tasks=3,
            ami=self.ami,
            tokens=TOKENS,
            test_tokens=1_000,
            shared=True,
            labels=self.tags,
            vocabulary=self.text[0],
            sentence_length=14,
            options={
                "zipf": self.text[1],
                "length_spread": 0.5,
                "imbalance": self.imbalance,
                "window": 1,
            },
        )


def annotate(seed: int) -> tuple[list[str], Split, dict[str, Labels]]:
    """Words of a text, its sentences, and its layers."""
    rng = np.random.default_rng([seed, 1])
    while True:
        scheme = Scheme.draw(rng)
        try:
            taskset = make_taskset(scheme.spec(), seed)
        except UnreachableAMIError:
            continue
        layers = dict(zip(("fine", "far", "near"), taskset.train.labels, strict=True))
        K = scheme.tags
        layers["coarse"] = rng.integers(0, K // 2, K).astype(np.int16)[layers["fine"]]
        layers["form"] = morphology(layers["fine"], K, 4, 0.5, rng)
        layers["feature"] = morphology(layers["fine"], K, 3, 0.7, rng)
        layers["other"] = morphology(layers["near"], K, 4, 0.6, rng)
        layers["relation"] = relation(layers["coarse"], taskset.train, K, rng)
        shown = rng.permutation(taskset.train.tokens)
        hidden = rng.random(len(shown)) >= scheme.ambiguity
        ids = np.where(hidden, taskset.train.tokens, shown)
        return [taskset.vocabulary[i] for i in ids], taskset.train, layers


def morphology(
    tags: Labels, kinds: int, values: int, none: float, rng: np.random.Generator
) -> Labels:
    """Tags made into a few values; about a share `none` of the kinds of tags has no value (0)."""
    value = rng.integers(1, values, kinds)
    value[rng.permutation(kinds)[: max(1, round(none * kinds))]] = 0
    return value.astype(np.int16)[tags]


def relation(tags: Labels, split: Split, kinds: int, rng: np.random.Generator) -> Labels:
    """A label for every pair of a token's tag and the next token's."""
    following = np.roll(tags, -1)
    following[split.bounds[1:] - 1] = 0
    count = int(tags.max()) + 1
    return rng.integers(0, kinds, (count, count)).astype(np.int16)[tags, following]


def write_corpus(seed: int, path: Path) -> None:
    words, split, layers = annotate(seed)
    with path.open("w", encoding="utf-8") as file:
        for start, stop in zip(split.bounds[:-1], split.bounds[1:], strict=True):
            record = {name: labels[start:stop].tolist() for name, labels in layers.items()}
            file.write(json.dumps({"tokens": words[start:stop], **record}) + "\n")


def setups(names: list[str], rng: np.random.Generator) -> Iterator[Setup]:
    """Setups of one corpus: some main layers, alone and with auxiliaries drawn for them."""
    for main in rng.choice(names, MAINS, replace=False).tolist():
        others = [name for name in names if name != main]
        sizes = rng.choice(SIZES, PER_MAIN, replace=False).tolist()
        yield from (Setup(main, (), n, 0) for n in sizes)
        for count in SETS:
            drawn = tuple(sorted(rng.choice(others, count, replace=False).tolist()))
            for n in sizes:
                yield Setup(main, drawn, n, int(rng.choice(AUX_SIZES)))


def run_world(seed: int) -> list[dict[str, object]]:
    """Rows of one corpus."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"world-{seed}.jsonl"
        write_corpus(seed, path)
        corpus = load_corpus(path)
        names = [name for name, layer in corpus.layers.items() if len(layer.names) > 1]
        runner = TrainingRunner({"corpus": str(path)}, TrainingSettings(), TEST_TOKENS)
        profiles = {
            main: profile(corpus, main, [n for n in names if n != main], resamples=0)
            for main in names
        }
        tables = {main: WordTable(corpus, main) for main in names}
        chosen = list(setups(names, np.random.default_rng([seed, 2])))
        return [
            {"world": seed, **describe(setup, profiles[setup.main], tables[setup.main])}
            | {"status": outcome.status.value, **{k: outcome.scores.get(k) for k in SCORES}}
            for setup, _, outcome in runner.train(chosen, [seed])
        ]


SCORES = ("accuracy", "macro_f1")

#: what is asked of the results; a size of n that no law has seen is kept out
GAINS = Question(
    "gain",
    {"n": "n", "transfer": "transfer"},
    domain={"transfer": (-0.05, 0.4)},
    hold_out="n > 1600",
    engine="grammar",
    budget="tiny",
)
ALONE = Question(
    "accuracy",
    {"lookup": "lookup"},
    bounds=(0.0, 1.0),
    domain={"lookup": (0.2, 1.0)},
    engine="grammar",
    budget="tiny",
)


def describe(setup: Setup, known: Profile, words: WordTable) -> dict[str, object]:
    """Sizes and relatedness of a setup; null where there is no auxiliary."""
    main, pairs = known.main, [known.pairs[name] for name in setup.auxiliaries]
    layers = [known.layer(name) for name in setup.auxiliaries]

    sizes = dict.fromkeys(setup.auxiliaries, setup.n_aux)
    alone, together = words.accuracy(setup.n, sizes, [(), setup.auxiliaries])

    def mean(values: list[float]) -> float | None:
        return float(np.mean(values)) if values else None

    return {
        "main": setup.main,
        "aux": " ".join(setup.auxiliaries),
        "n": setup.n,
        "T": 1 + len(pairs),
        "n_aux": setup.n_aux or None,
        "labels": main.labels,
        "h_main": main.entropy,
        "majority": main.majority,
        "lookup": alone,
        "lookup_with": together,
        "ami": mean([pair.ami for pair in pairs]),
        "explained": mean([pair.explained for pair in pairs]),
        "h_aux": mean([layer.entropy for layer in layers]),
        "h_main_given_aux": mean([pair.h_main_given_aux for pair in pairs]),
        "h_aux_given_main": mean([pair.h_aux_given_main for pair in pairs]),
    }


def train(worlds: range, table: Path) -> None:
    rows: list[dict[str, object]] = []
    for seed in worlds:
        start = time.perf_counter()
        rows += run_world(seed)
        pd.DataFrame(rows).to_csv(table, index=False, float_format="%.6g")
        print(f"world {seed}: {len(rows)} rows, {time.perf_counter() - start:.0f} s", flush=True)


def gains(table: pd.DataFrame) -> pd.DataFrame:
    """Rows with auxiliaries, with their gain over the main layer alone (same corpus, n, seed)."""
    keys = ["world", "main", "n"]
    alone = table[table["T"] == 1].set_index(keys)["accuracy"].rename("alone")
    rows = table[table["T"] > 1].join(alone, on=keys)
    return rows.assign(
        gain=rows.accuracy - rows.alone,
        transfer=rows.lookup_with - rows.lookup,
        lookup_alone=rows.lookup,
    )


def both(path: Path, out: Path, jobs: int) -> Iterator[tuple[Path, LawSet]]:
    """A law of gains and one of the accuracy alone, each with the place where `advise` finds it."""
    table = pd.read_csv(path)
    yield SHIPPED / "laws.json", search(gains(table), GAINS, out / "gains", jobs)
    yield SHIPPED / "alone.json", search(table[table["T"] == 1], ALONE, out / "alone", jobs)


def search(rows: pd.DataFrame, question: Question, out: Path, jobs: int) -> LawSet:
    source = Source(TABLE.name, f"Advice: {question.target}", __doc__.split("\n\n")[1])
    asked = replace(question, jobs=jobs)
    with SearchProgress() as progress:
        laws = fit_to_folder(rows.reset_index(drop=True), asked, source, out, progress)
    made = {"family": "simulated annotation", "command": "python benchmarks/advice_law.py fit"}
    return laws.model_copy(update={"provenance": laws.provenance.model_copy(update=made)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", nargs="?", choices=["train", "search", "fit"], default="search")
    parser.add_argument("--worlds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--out", type=Path, default=Path("runs/advice-law"))
    parser.add_argument("--jobs", type=int, default=-1)
    given = parser.parse_args()
    if given.step == "train":
        train(range(given.first, given.first + given.worlds), given.table)
        return
    for place, laws in both(given.table, given.out, given.jobs):
        print(summary(laws), flush=True)
        if given.step == "fit":
            laws.save(place)


if __name__ == "__main__":
    main()
