"""A user's mistakes as data: command line, files, and the path that the answer must name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROWS = [
    f"{n},{t},{'' if t == 1 else t / 10},{0.5 + 0.001 * n + 0.01 * t:.2f},3,w{n}"
    for n in (10, 20, 40, 80)
    for t in (1, 2, 4)
]
TABLE = "\n".join(["n,T,ami,f1,same,word", *ROWS]) + "\n"
STUDY = (
    "question: does it help?\nfactors: {tasks: [1, 2], tokens: [40, 160, 320], ami: [0.1, 0.5]}\n"
)
LAYERS = (
    "question: does it help?\n"
    "factors: {tasks: [1, 2], tokens: [40, 80, 120, 160]}\n"
    "test_tokens: 200\n"
    "laws: {factors: [n, T]}\n"
)
CORPUS = "".join(
    f"w{i % 50} A{i % 3} B{i % 4}\n" + ("\n" if i % 10 == 9 else "") for i in range(3000)
)
OUT = "out"


@dataclass(frozen=True)
class Mistake:
    """One wrong thing.

    Attributes
    ----------
    words : the command line.
    path : where the mistake is, in the answer's words: an option, a key, a place in a file.
    files : further files in the folder, beside the table, the study and the corpus above.
    """

    words: tuple[str, ...]
    path: str
    files: Mapping[str, str | bytes] = field(default_factory=dict)

    def lay_out(self, folder: Path) -> None:
        """Put the files where they are looked for."""
        shipped = {"table.csv": TABLE, "study.yaml": STUDY, "corpus.conll": CORPUS}
        for name, content in {**shipped, **self.files}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())


def fit(path: str = "", more: tuple[str, ...] = (), **changed: str) -> Mistake:
    """`mtl-laws fit` on a sound table, but for what is `changed` and `more`."""
    given = {"target": "f1", "factors": "n,T,ami", "out": OUT, **changed}
    words = ["fit", given.pop("table", "table.csv")]
    for name, value in given.items():
        words += [f"--{name}", value]
    return Mistake((*words, *more), path)


def held(condition: str) -> Mistake:
    """`mtl-laws fit` on a sound table with this hold-out."""
    return fit("--hold-out", more=("--hold-out", condition))


def form(text: str) -> Mistake:
    """`mtl-laws fit` on a sound table with this form."""
    return fit("--form", more=("--form", text))


def table(content: str | bytes, path: str = "", name: str = "mine.csv") -> Mistake:
    """`mtl-laws fit` on a table with this content."""
    return Mistake(fit(table=name).words, path, {name: content})


def grouped(content: str, path: str = "", more: tuple[str, ...] = ("--groups", "g")) -> Mistake:
    """`mtl-laws fit` of f1 by n on a table with this content, by the groups of the column g."""
    words = fit(table="mine.csv", factors="n", more=more).words
    return Mistake(words, path, {"mine.csv": content})


def study(text: str | bytes, path: str = "") -> Mistake:
    """`mtl-laws run` on a study with this text."""
    return Mistake(("run", "mine.yaml", "--out", OUT), path, {"mine.yaml": text})


def run(path: str = "", **changed: str) -> Mistake:
    """`mtl-laws run` on a sound study with these options."""
    options = {"out": OUT, **changed}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return Mistake(("run", "study.yaml", *words), path)


def corpus(content: str | bytes, path: str, options: str = "", name: str = "c.conll") -> Mistake:
    """`mtl-laws run` on a study of the annotation layers of this corpus."""
    family = f"family: {{name: layers, options: {{corpus: {name}{options}}}}}\n"
    wrong = study(LAYERS + family, path)
    return Mistake(wrong.words, path, {**wrong.files, name: content})


def simulate(path: str = "", more: tuple[str, ...] = (), **changed: str) -> Mistake:
    """`mtl-laws simulate` with what is `changed` and `more`."""
    given = {"out": OUT, **changed}
    words = [word for name, value in given.items() for word in (f"--{name}", value)]
    return Mistake(("simulate", *words, *more), path)
