"""Damage to files, drawn from a seed: what editors, disks, mail programs and other tools leave."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

Mutator = Callable[[bytes, random.Random], bytes]

NUMBERS = (
    *("0", "-1", "-0.0", "1e308", "-1e308", "1e-320", "1e999", "NaN", "Infinity", "nan", "inf"),
    *("9" * 25, "9" * 400, "1" + "0" * 5000, "0x10", "1_000", "1,5", "1,000", "1.000", "½", "٣"),
    *("", "true", "null", "--1", "1e", "50%", "2026-01-01"),
)
"""What may stand where a number stood."""

PIECES = (
    *(b"\0", b"\0" * 9, b"\xff", b"\xfe\xff", b"\xc3", b"\xed\xa0\x80", b"\x1b[31m", b"\x85"),
    *(b"\r", b"\r\n", b"\n\n", b"\t", b" ", b",", b";", b"|", b":", b"=", b'"', b"'", b"\\", b"#"),
    *(b"[", b"]", b"{", b"}", b"(", b"<b>", b"&a ", b"*a", b"!!int ", b"- ", b"? ", b"~", b"%"),
    *("\ufeff".encode(), "\u2028".encode(), "\u202e".encode(), "é".encode(), "e\u0301".encode()),
)
"""What may stand between two characters."""

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 0.5, 1e308, -1e308, 10**30, float("nan"), float("inf")),
    *("", "n", "x" * 3000, "c0", "\0", "é", "__import__('os')", "1", "1e5", "../x", "nan"),
    *([], [[]], [None], ["n", "n"], [1, 2], [2, 1], [0, 0], [1, 2, 3], {}, {"": 1}, {"n": [1, 2]}),
    *({"n": None}, {"c0": "x"}, {"value": 1}, [{}], [[1, "x"]]),
)
"""What may stand for any value of a document."""


def mutated(content: bytes, seed: int) -> bytes:
    """The content with one to three kinds of damage."""
    draw = random.Random(seed)
    for _ in range(draw.choice((1, 1, 2, 3))):
        content = draw.choice(MUTATORS)(content, draw)
    return content


def mutated_json(document: Any, seed: int) -> bytes:
    """The document with other values, without keys, or with another key, in one to three places."""
    draw = random.Random(seed)
    result = deepcopy(document)
    for _ in range(draw.choice((1, 1, 2, 3))):
        places = [*_places(result)]
        if not places:
            break
        block, key = draw.choice(places)
        action = draw.randrange(8)
        if action == 0:
            del block[key]
        elif action == 1 and isinstance(block, dict):
            block[draw.choice(("", "x", "n", "schema", f"{key}_"))] = block.pop(key)
        elif action == 2 and isinstance(block, list):
            block.extend(deepcopy(block))
        elif action == 3 and isinstance(block[key], str):
            block[key] = mutated(block[key].encode(), draw.randrange(2**32)).decode(
                "utf-8", "replace"
            )
        else:
            block[key] = deepcopy(draw.choice(VALUES))
    return json.dumps(result).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every block of a document with every key in it."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(inside):
        yield value, key
        if isinstance(item, (dict, list)):
            yield from _places(item)


# --- kinds of damage -----------------------------------------------------------------------------


def _flip(content: bytes, draw: random.Random) -> bytes:
    """Some bits flipped."""
    changed = bytearray(content)
    for _ in range(draw.choice((1, 3, 30)) if changed else 0):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _cut(content: bytes, draw: random.Random) -> bytes:
    """The beginning, the end, or all but a piece in the middle."""
    first, last = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    return draw.choice((content[:last], content[first:], content[:first] + content[last:]))


def _insert(content: bytes, draw: random.Random) -> bytes:
    """Pieces put in."""
    for _ in range(draw.choice((1, 2, 8))):
        place = draw.randrange(len(content) + 1)
        content = content[:place] + draw.choice(PIECES) + content[place:]
    return content


def _lines(content: bytes, draw: random.Random) -> bytes:
    """Lines removed, doubled, emptied, moved or joined."""
    lines = content.splitlines(keepends=True)
    for _ in range(draw.choice((1, 1, 5)) if lines else 0):
        if not lines:
            break
        place = draw.randrange(len(lines))
        line = lines.pop(place)
        action = draw.randrange(6)
        if action == 1:
            lines[place:place] = [line, line]
        elif action == 2:
            lines.insert(place, b"\n")
        elif action == 3:
            lines.insert(draw.randrange(len(lines) + 1), line)
        elif action == 4:
            lines.insert(place, line.rstrip(b"\r\n"))
        elif action == 5:
            lines = [line]
    return b"".join(lines)


def _number(content: bytes, draw: random.Random) -> bytes:
    """Another number in place of one, or of all that are equal to it."""
    numbers = [*re.finditer(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?", content)]
    if not numbers:
        return content
    found, other = draw.choice(numbers), draw.choice(NUMBERS).encode()
    if draw.randrange(4) == 0:
        return content.replace(found[0], other)
    return content[: found.start()] + other + content[found.end() :]


def _word(content: bytes, draw: random.Random) -> bytes:
    """Another word of the content in place of one, everywhere or once."""
    words = re.findall(rb"\w+", content)
    if not words:
        return content
    return content.replace(draw.choice(words), draw.choice((*words, b"")), draw.choice((1, -1)))


def _encoding(content: bytes, draw: random.Random) -> bytes:
    """Another encoding, for all of the content or from some place on."""
    text = content.decode("utf-8", "replace")
    place = draw.choice((0, draw.randrange(len(text) + 1)))
    encoding = draw.choice(("utf-16", "utf-16-be", "utf-32", "utf-8-sig", "cp1252"))
    return text[:place].encode() + text[place:].encode(encoding, "replace")


def _ends_of_lines(content: bytes, draw: random.Random) -> bytes:
    """Other ends of lines."""
    return content.replace(b"\n", draw.choice((b"\r\n", b"\r", b"\r\r\n", b"\n\n", b"", b"\x0b")))


def _separator(content: bytes, draw: random.Random) -> bytes:
    """Another separator."""
    marks = (b",", b";", b"\t", b"|", b" ", b":", b".", b"=")
    return content.replace(draw.choice(marks), draw.choice(marks), draw.choice((-1, 1, 5)))


def _deep(content: bytes, draw: random.Random) -> bytes:
    """Brackets, indents or operators nested thousands deep."""
    place, depth = draw.randrange(len(content) + 1), draw.choice((50, 3000))
    opening = draw.choice((b"[", b"{", b'{"a":', b"(", b"- ", b"-", b"not ", b"sqrt("))
    return content[:place] + opening * depth + content[place:]


def _long(content: bytes, draw: random.Random) -> bytes:
    """A very long piece in one place."""
    place = draw.randrange(len(content) + 1)
    piece = draw.choice((b"x", b"9", b" ", b",", b"\t", b"a b ", b"\n", b"=1,", b"|"))
    return content[:place] + piece * draw.choice((300, 70_000)) + content[place:]


def _nothing(content: bytes, draw: random.Random) -> bytes:
    """Nothing, or hardly anything."""
    return draw.choice((b"", b"\n", b" ", b"\xef\xbb\xbf", b"\0" * 100, content[:1], content[:4]))


MUTATORS: tuple[Mutator, ...] = (
    *(_flip, _flip, _cut, _insert, _insert, _lines, _lines, _number, _number, _number, _word),
    *(_word, _encoding, _ends_of_lines, _separator, _deep, _long, _nothing),
)
"""Kinds of damage; frequent ones stand more than once."""
