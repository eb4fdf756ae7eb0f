"""Write harbour.conll, the tiny corpus of our own: sentences of a small grammar, three layers.

Run it from this folder: ``python make_harbour.py``. The same file comes out every time.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

import numpy as np

SENTENCES = 400

# Slot: words to choose from, part of speech, entity. A person or a place of two words is one slot.
SLOTS: dict[str, tuple[list[str], str, str]] = {
    "DET": (["the", "a", "this", "every", "that"], "DET", "O"),
    "ADJ": (["gray", "quiet", "narrow", "salty", "red", "heavy", "late", "small"], "ADJ", "O"),
    "BOAT": (["boat", "ferry", "barge", "trawler", "yacht"], "NOUN", "O"),
    "THING": (["net", "rope", "crate", "lamp", "winch", "letter", "map", "fish"], "NOUN", "O"),
    "ROLE": (["captain", "pilot", "baker", "teacher", "fisher", "clerk"], "NOUN", "O"),
    "TIME": (["morning", "spring", "winter", "night", "summer"], "NOUN", "O"),
    "MOVE": (["sails", "drifts", "returns", "walks", "hurries"], "VERB", "O"),
    "DO": (["mends", "carries", "sells", "paints", "finds", "loses", "buys"], "VERB", "O"),
    "SAY": (["says", "hopes", "thinks", "writes"], "VERB", "O"),
    "ADV": (["slowly", "again", "today", "often", "alone"], "ADV", "O"),
    "PREP": (["near", "behind", "beside", "under", "past"], "ADP", "O"),
    "TO": (["to", "from", "towards"], "ADP", "O"),
    "IN": (["in", "before", "after", "until"], "ADP", "O"),
    "NUM": (["two", "three", "seven", "twelve"], "NUM", "O"),
    "THINGS": (["nets", "ropes", "crates", "lamps", "letters", "maps"], "NOUN", "O"),
    "PRON": (["she", "he", "nobody", "someone"], "PRON", "O"),
    "PERSON": (["Mara", "Jonas Velt", "Ilse", "Tomas Brack", "Odile", "Pim"], "PROPN", "PER"),
    "PLACE": (["Sandmere", "Port Ellery", "Graywick", "Low Haven", "Tarn"], "PROPN", "LOC"),
    "FIRM": (["Velt Brothers", "Northline", "Ellery Cannery"], "PROPN", "ORG"),
    "AND": (["and", "but"], "CCONJ", "O"),
    "THAT": (["that"], "SCONJ", "O"),
    "STOP": (["."], "PUNCT", "O"),
}

# Chunks in brackets, as phrase type and slots.
TEMPLATES = [
    "NP:DET,ADJ,BOAT VP:MOVE PP:TO NP:PLACE -:STOP",
    "NP:PERSON VP:DO NP:DET,THING PP:PREP NP:DET,BOAT -:STOP",
    "NP:DET,ROLE PP:TO NP:PLACE VP:DO NP:NUM,THINGS -:STOP",
    "NP:PRON VP:SAY -:THAT NP:FIRM VP:DO NP:DET,ADJ,THING -:STOP",
    "PP:IN NP:DET,TIME NP:PERSON VP:MOVE,ADV PP:PREP NP:PLACE -:STOP",
    "NP:FIRM VP:DO NP:NUM,ADJ,THINGS PP:TO NP:PERSON -:STOP",
    "NP:PERSON -:AND NP:PERSON VP:MOVE PP:TO NP:DET,BOAT -:STOP",
    "NP:DET,BOAT PP:TO NP:PLACE VP:MOVE PP:IN NP:DET,TIME -:STOP",
    "NP:DET,ADJ,ROLE VP:SAY -:THAT NP:DET,BOAT VP:MOVE ADVP:ADV -:STOP",
    "ADVP:ADV NP:PRON VP:DO NP:DET,ADJ,THING PP:TO NP:DET,ROLE -:STOP",
]


def sentence(rng: np.random.Generator) -> list[tuple[str, str, str, str]]:
    """Return the rows of one sentence: word, part of speech, chunk, entity."""
    rows: list[tuple[str, str, str, str]] = []
    for phrase in TEMPLATES[rng.integers(len(TEMPLATES))].split():
        kind, _, slots = phrase.partition(":")
        place = count()
        for slot in slots.split(","):
            words, pos, entity = SLOTS[slot]
            for k, word in enumerate(words[rng.integers(len(words))].split()):
                chunk = "O" if kind == "-" else f"{'I' if next(place) else 'B'}-{kind}"
                mark = entity if entity == "O" else f"{'I' if k else 'B'}-{entity}"
                rows.append((word, pos, chunk, mark))
    first, *rest = rows
    return [(first[0][0].upper() + first[0][1:], *first[1:]), *rest]


def main() -> None:
    """Write the file."""
    rng = np.random.default_rng(2006)
    blocks = ["\n".join("\t".join(row) for row in sentence(rng)) + "\n" for _ in range(SENTENCES)]
    text = "# columns = tokens pos chunk entity\n" + "\n".join(blocks)
    (Path(__file__).parent / "example" / "harbour.conll").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
