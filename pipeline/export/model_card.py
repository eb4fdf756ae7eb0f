"""Model card of a law: what it predicts, where it holds, and every warning there is."""

from __future__ import annotations

from collections.abc import Iterator

from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.symbolic.typeset.numbers import interval, number, score
from mtl_laws.simulator.card import escaped, pipe_table

NAME = "MODEL_CARD.md"
USE = """\
```python
from mtl_laws import predict

predict("FOLDER", {point})
```

Without mtl-laws: `laws.py` needs numpy only (`laws.selected(…)`), `laws_sympy.py` holds sympy
expressions, `law.tex` LaTeX."""
NO_WARNING = "None is known. A law still says nothing about what was not varied."
SCORES = (
    ("fitted", "train"),
    ("cross-validated", "cv"),
    ("extrapolated", "extrapolation"),
    ("held out", "hold_out"),
)


def model_card(laws: LawSet) -> str:
    """The card, as Markdown; laws of which one was selected."""
    law = laws.law
    used = [name for name in laws.factors if law.uses(name)]
    points = {name: laws.data.ranges.get(name, (1.0, 1.0))[1] for name in used}
    point = ", ".join(f'"{name}": {value:g}' for name, value in points.items())
    if laws.groups is not None and law.levels:
        point += f', "{laws.groups.column}": "…"'
    parts = [
        f"# A law of {escaped(laws.target)}",
        escaped(laws.provenance.question),
        f"`{laws.line()}`",
        "All digits, in the factor names:",
        f"`{law.shown}`",
        "## Warnings",
        "\n".join(f"- {escaped(' '.join(text.split()))}" for text in warnings(laws)) or NO_WARNING,
        "## How well it predicts",
        pipe_table(["rows", "R²", "RMSE"], list(_scores(laws))),
        "\n".join(f"- {escaped(' '.join(text.split()))}" for text in laws.verdicts),
        "## Where it holds",
        pipe_table(["factor", "column", "fitted from", "to", "valid from", "to"], _region(laws)),
        "## Constants",
        pipe_table(["constant", "group", "value", "95 % interval"], list(_constants(laws))),
        "## How to use it",
        USE.replace("{point}", f"{{{point}}}"),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def warnings(laws: LawSet) -> list[str]:
    """Everything that speaks against the law or limits its use, as sentences."""
    from mtl_laws.pipeline.report.data_tables import assumed_fractions, few_levels, min_levels
    from mtl_laws.pipeline.report.text import (
        CUT,
        assumed_fraction_text,
        law_notes,
        main_reach_text,
        outliers_text,
        small_groups_text,
    )

    rows, origin = laws.rows, laws.provenance
    fractions = assumed_fractions(laws, rows)
    texts = [
        *law_notes(laws, few_levels(laws, rows), min_levels(laws)),
        *(assumed_fraction_text(name, *ends) for name, ends in fractions.items()),
        main_reach_text(laws),
        outliers_text(laws),
        "" if laws.groups is None else small_groups_text(laws.groups),
        CUT if origin.cut else "",
        *(f"Engine failure: {line}" for line in origin.engine_failures),
        *(_gaps(laws)),
        *laws.data.notes,
    ]
    return list(dict.fromkeys(text for text in texts if text))


def _gaps(laws: LawSet) -> Iterator[str]:
    """Constants without an interval, and why."""
    table = laws.constants
    for row in table[table["low"].isna()].to_dict("records"):
        group = f" of group {row['group']}" if row["group"] else ""
        reason = f": {row['reason']}" if row["reason"] else ""
        yield f"{row['constant']}{group} has no interval{reason}"


def _scores(laws: LawSet) -> Iterator[tuple[str, str, str]]:
    scores = laws.law.scores
    for words, rows in SCORES:
        if scores.get(f"r2_{rows}") is not None:
            yield words, score(scores[f"r2_{rows}"]), number(scores.get(f"rmse_{rows}"))


def _region(laws: LawSet) -> list[tuple[str, ...]]:
    rows = []
    for name in laws.factors:
        fitted, domain = laws.data.ranges.get(name), laws.data.domain.get(name)
        ends = (*(fitted or (None, None)), *(domain or (None, None)))
        column = laws.data.columns.get(name, name)
        rows.append((f"`{name}`", f"`{column}`", *(number(end) for end in ends)))
    return rows


def _constants(laws: LawSet) -> Iterator[tuple[str, str, str, str]]:
    for row in laws.constants.to_dict("records"):
        ends = interval((row["low"], row["high"]))
        yield f"`{row['constant']}`", row["group"], number(row["value"], 6), ends
