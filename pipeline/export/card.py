"""Data card: the README.md beside a published dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mtl_laws.pipeline.export.publication import Publication, PublishedTable
from mtl_laws.pipeline.laws.law import scores_in_words
from mtl_laws.pipeline.symbolic.typeset.latex import formula_latex
from mtl_laws.simulator.card import pipe_table

PAPER = "Bettgenhäuser, Hedderich and Klakow 2020, arXiv 2006.05561"
LIMITS = """\
A law describes these rows. It holds for the tasks, sizes and models that were varied, and knows
nothing of factors that the table does not have. Simulated tasks are not corpora."""
NO_LICENCE = "Not stated. Say here under which licence these data may be used before you publish."


def card(publication: Publication, files: Mapping[str, list[str]], reading: str) -> str:
    """The card.

    Parameters
    ----------
    files : the files of every table, by its name.
    reading : Python lines that open the dataset.
    """
    parts = [
        f"# {publication.title}",
        publication.question,
        publication.unfinished,
        _summary(publication),
        *_law(publication),
        *_study(publication.study),
        "## Tables",
        pipe_table(["table", "rows", "a row is", "files"], _tables(publication, files)),
        *(part for table in publication.tables for part in _columns(table)),
        "## Reading it",
        f"```python\n{reading}\n```",
        "## How it was made",
        pipe_table(["what", "value"], list(_made(publication))),
        "## Limits",
        LIMITS,
        "## Licence",
        publication.licence or NO_LICENCE,
        "## Citation",
        f"Made with mtl-laws {publication.made['version']}. The study it starts from: {PAPER}.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(publication: Publication) -> str:
    first = publication.tables[0]
    if publication.study is not None:
        return (
            f"Scores of {first.rows} small multi-task sequence taggers, trained on families of "
            "tasks whose relatedness is set, and what their tasks and training were."
        )
    return f"{first.rows} rows of results of trained models, and the laws found in them."


def _law(publication: Publication) -> Iterator[str]:
    laws = publication.laws
    yield "## Law"
    if laws is None or laws.selected is None:
        yield "No law has been found yet."
        return
    selected = laws.selected
    yield f"$${formula_latex(selected.shown, laws.target)}$$"
    yield scores_in_words(selected.scores) + "."
    yield f"`{selected.shown}`"
    sentences = [one.sentence for one in laws.evidence if one.sentence]
    notes = [*sentences, *laws.verdicts, *laws.data.notes]
    yield "\n".join(f"- {' '.join(note.split())}" for note in notes)


def _study(study: Mapping[str, Any] | None) -> Iterator[str]:
    if study is None:
        return
    yield "## Factors"
    yield f"Task family: `{study['family']['name']}`. Seeds: {len(study['seeds'])}."
    factors = study["factors"].items()
    rows = [(name, ", ".join(map(str, levels))) for name, levels in factors if levels]
    yield pipe_table(["factor", "levels"], rows)


def _tables(publication: Publication, files: Mapping[str, list[str]]) -> list[tuple[str, ...]]:
    return [
        (f"`{t.name}`", f"{t.rows}", t.meaning, ", ".join(f"`{name}`" for name in files[t.name]))
        for t in publication.tables
    ]


def _columns(table: PublishedTable) -> Iterator[str]:
    yield f"## Columns of `{table.name}`"
    rows = [(f"`{c.name}`", c.dtype, c.unit, c.meaning) for c in table.columns]
    yield pipe_table(["column", "type", "unit", "meaning"], rows)


def _made(publication: Publication) -> Iterator[tuple[str, str]]:
    yield from ((name, value) for name, value in publication.made.items() if value)
    if publication.laws is not None:
        made, data = publication.laws.provenance, publication.laws.data
        told = (
            ("laws found with", f"mtl-laws {made.version}"),
            ("command", f"`{made.command}`"),
            ("engine", made.engine.used),
            ("seed of the search", made.seed),
            ("budget of the search", made.budget),
            ("digest of the fitted rows", data.digest),
        )
        yield from ((name, str(value)) for name, value in told if value not in ("", None))
