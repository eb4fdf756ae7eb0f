"""`python -m reference_study`: facts, figures and document from the reference tables.

``--words`` computes nothing and writes the document and the figures from the facts that are there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mtl_laws.pipeline.io.wholefile import write_whole
from reference_study.document import render
from reference_study.facts import FACTS_NAME, compute, read_facts, write_facts
from reference_study.figures import draw_all

DOCS = Path(__file__).resolve().parents[2] / "docs"


def main() -> None:
    """Rebuild the findings in the checkout's docs."""
    parser = argparse.ArgumentParser(prog="python -m reference_study", description=__doc__)
    parser.add_argument("--words", action="store_true", help="keep the facts, write all else")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder to write to")
    given = parser.parse_args()
    kept = given.docs / "findings" / FACTS_NAME
    if not given.words:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_facts(compute(), kept)
    facts = read_facts(kept)
    draw_all(facts, given.docs / "images")
    write_whole(given.docs / "findings.md", render(facts))


if __name__ == "__main__":
    main()
