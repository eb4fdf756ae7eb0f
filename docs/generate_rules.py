"""Write the thresholds of the method into the documentation: ``python docs/generate_rules.py``.

`docs/rules.md` lists every threshold. On the other pages a number that is a threshold is a link to
that list, whose title names the rule: ``[1,500](rules.md#data "data.max_cells")``. This script
writes the number. A test fails when a page is stale.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from mtl_laws.pipeline.laws.rules import BUDGETS, Budget, Rules
from mtl_laws.pipeline.symbolic.engines.grammar import GrammarRules

DOCS = Path(__file__).parent
SECTIONS: dict[str, Any] = {
    **{section.name: getattr(Rules(), section.name) for section in fields(Rules)},
    "grammar": GrammarRules(),
}
NUMBER = re.compile(
    r'\[(?P<text>[^\]]*)\]\(rules\.md#\w+ "(?P<section>\w+)\.(?P<rule>\w+)(?:\[(?P<place>\d)\])?"\)'
)
HEAD = """\
# Thresholds

Every number that [the method](method.md) uses, with its default. `laws.json` records the values \
of each search under `rules`. Change one in Python:

```python
from dataclasses import replace

from mtl_laws.pipeline.laws.rules import Rules

rules = replace(Rules(), data=replace(Rules().data, max_cells=5_000))
```

and pass `rules` to `fit_laws` or `LawRegressor`. The rules of the grammar and the budgets are \
fixed.

This page is generated from the code by `make docs`.
"""


def pages() -> dict[Path, str]:
    """The text of every page that states a threshold, with the values of the code."""
    texts = {page: page.read_text(encoding="utf-8") for page in sorted(DOCS.glob("*.md"))}
    current = {page: NUMBER.sub(_link, text) for page, text in texts.items()}
    stated = {page: text for page, text in current.items() if NUMBER.search(text)}
    return {**stated, DOCS / "rules.md": rules_page()}


def rules_page() -> str:
    """The list of all thresholds."""
    tables = [_section(name, rules) for name, rules in SECTIONS.items()]
    return "\n".join([HEAD, *tables, _budgets()])


def shown(value: Any) -> str:
    """A value as a reader writes it: 1,500; 0.05; 10⁻⁹; (−3, 3)."""
    if isinstance(value, tuple):
        return f"({', '.join(map(shown, value))})"
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    mantissa, exponent = f"{value:.2e}".split("e")
    if float(mantissa) == 1 and abs(int(exponent)) > 3:
        return "10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{value:,.4g}".replace("-", "−") if value != int(value) else shown(int(value))


def _link(match: re.Match[str]) -> str:
    section, rule, place = match["section"], match["rule"], match["place"]
    value = getattr(SECTIONS[section], rule)
    value = value if place is None else value[int(place)]
    text = f"{value:.3%}".rstrip("0%").rstrip(".") + " %" if "%" in match["text"] else shown(value)
    name = rule if place is None else f"{rule}[{place}]"
    return f'[{text}](rules.md#{section} "{section}.{name}")'


def _section(name: str, rules: Any) -> str:
    summary, _, attributes = (inspect.getdoc(type(rules)) or "").partition(
        "\n\nAttributes\n----------\n"
    )
    rows = []
    for entry in re.split(r"\n(?! )", attributes):
        names, _, meaning = entry.partition(" : ")
        values = "; ".join(shown(getattr(rules, rule)) for rule in names.split(", "))
        words = " ".join(meaning.split()).replace("|", r"\|")
        rows.append(f"| `{names.replace(', ', '`, `')}` | {values} | {words} |")
    return "\n".join(
        [f"## {name}\n", f"{summary}\n", "| rule | default | meaning |", "|---|---|---|", *rows, ""]
    )


def _budgets() -> str:
    rows = [
        f"| `{name}` | {budget.engine:,} | {budget.grammar:,} | {budget.seeds} "
        f"| {budget.fold_share:.0%} | {budget.keep} |".replace("%", " %")
        for name, budget in BUDGETS.items()
    ]
    return "\n".join(
        [
            "## budgets\n",
            (inspect.getdoc(Budget) or "").partition("\n")[0] + "\n",
            "| budget | engine | grammar | runs of the engine on all rows "
            "| evaluations of a run on a fold, of these | laws scored of each complexity |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")
