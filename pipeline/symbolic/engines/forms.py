"""The forms of the grammar: an *outer* function of an *effective size* u, plus terms.

    outer(u) [+ term …],   u = size · other sizes' powers · fractions' effects

Sizes, counts, amounts and fractions are classified by their values (`kinds`), so the grammar works
for any factor names. ``?`` stands for a constant until a form is complete.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, permutations

from mtl_laws.pipeline.symbolic.kinds import Kinds

#: outer functions of an effective size u: power laws, logistic, exponential, logarithmic saturation
OUTERS = (
    "? + ?*log({u})",
    "? + ?*({u})**?",
    "? + ?/sqrt({u})",
    "? + ?*sqrt({u})",
    "? + ?/({u})",
    "?*({u})**?",
    "?/(1 + (?/({u}))**?)",
    "?/(1 + ?/({u}))",
    "? + ?/(1 + (?/({u}))**?)",
    "?*(1 - exp(-(({u})/?)**?))",
    "? - ?*exp(-(({u})/?)**?)",
)
#: outer functions to which a further power of a size may be added
POWERS = ("? + ?*({u})**?", "?*({u})**?", "? + ?/sqrt({u})", "? + ?/({u})", "? + ?*sqrt({u})")
#: the outer function under which effective sizes are compared first: a logarithm is its limit
SCREENING = OUTERS[1]


@dataclass(frozen=True)
class Form:
    """An outer function, an effective size and additional terms, in ``?`` notation."""

    outer: str
    size: str
    terms: tuple[str, ...] = ()

    def holds(self, name: str) -> bool:
        """Whether a factor stands in the effective size."""
        return re.search(rf"\b{name}\b", self.size) is not None

    @property
    def text(self) -> str:
        """The form with constants numbered ``c0, c1, …``."""
        text = " + ".join([self.outer.format(u=self.size), *self.terms])
        numbers = count()
        return re.sub(r"\?", lambda _: f"c{next(numbers)}", text)


def screening_forms(kinds: Kinds) -> Iterator[Form]:
    """Every effective size under one outer function; products for targets that change sign."""
    for size in dict.fromkeys(effective_sizes(kinds)):
        yield Form(SCREENING, size)
    for name in (*kinds.fractions, *kinds.others):
        yield Form("? + ?*{u}", name)
        yield Form("? + ?*({u})**?" if name in kinds.fractions else "? + ?*exp(?*{u})", name)
    yield from product_forms(kinds)


def product_forms(kinds: Kinds) -> Iterator[Form]:
    """Products for targets of both signs, such as a gain: effect of a fraction times a size."""
    for fraction in kinds.fractions:
        for effect in (
            f"(?*{fraction} - ?)",
            f"(?*{fraction}**? - ?)",
            f"?*{fraction}",
            f"?*{fraction}**?",
        ):
            for size in kinds.sizes:
                yield Form(f"{effect}*{{u}}**?", size)
                yield Form(f"{effect}*{logarithm('{u}', size in kinds.counts)}", size)
            for size, other in permutations(kinds.sizes, 2):
                yield from product_of_two(effect, size, other, kinds)


def product_of_two(effect: str, size: str, other: str, kinds: Kinds) -> Iterator[Form]:
    """The effect of a fraction that grows with one size and fades or grows with another."""
    growth = logarithm("{u}", size in kinds.counts)
    yield Form(f"{effect}*{growth}*{other}**?", size)
    yield Form(f"{effect}*{growth}/sqrt({other})", size)
    if size in kinds.counts:
        for more in ("({u} - 1)", "(1 - 1/{u})", "({u} - 1)/({u} + ?)"):
            yield Form(f"{effect}*{more}*{other}**?", size)
            yield Form(f"{effect}*{more}*exp(-{other}/?)", size)
    if size < other:
        yield Form(f"{effect}*{{u}}**?*{other}**?", size)


def logarithm(name: str, counted: bool) -> str:
    """The logarithm of a count, which is 0 at one; of another size, in a unit that is fitted."""
    return f"log({name})" if counted else f"log(?*{name})"


def effective_sizes(kinds: Kinds) -> Iterator[str]:
    """Sizes, products of sizes, and sizes multiplied by related tasks."""
    yield from kinds.sizes
    for a, b in permutations(kinds.sizes, 2):
        yield f"{a}*{b}**?"
        if a < b:
            yield f"{a}*{b}"
        yield f"{a} + ?*{b}"
        if b in kinds.counts:
            yield f"{a}*(1 + ?*log({b}))"
            yield f"{a}*(1 + ?*({b} - 1)/({b} + ?))"
    for fraction in kinds.fractions:
        for size in kinds.sizes:
            yield f"{size}*{fraction}**?"
            yield f"{size}*(1 - {fraction})**?"
            yield f"{size}*exp(?*{fraction})"
        for size, other in permutations(kinds.sizes, 2):
            yield from related(size, other, fraction, other in kinds.counts)
    yield from with_amounts(kinds)
    yield from several_auxiliaries(kinds)


def related(size: str, other: str, fraction: str, counted: bool) -> Iterator[str]:
    """Effective sizes in which a fraction weights what another size adds to the first."""
    yield f"{size}*(?*{other})**{fraction}"
    if counted:  # the power of another size would depend on its unit
        yield f"{size}*{other}**{fraction}"
        yield f"{size}*{other}**(?*{fraction})"
        yield f"{size}*{other}**(?*{fraction} - ?)"
        yield f"{size}*{other}**(?*{fraction}**?)"
        yield f"{size}*{other}**(?*{fraction}**? - ?)"
        yield f"{size}*(1 + ({other} - 1)*{fraction})"
        yield f"{size}*(1 + ({other} - 1)*{fraction}**?)"
        yield f"{size}*(1 + ?*({other} - 1)*{fraction})"
        yield f"{size}*(1 + ?*({other} - 1)*{fraction}**?)"
        yield f"{size}*(1 + ?*({other} - 1)**?*{fraction})"
        yield f"{size}*(1 + ?*({other} - 1)**?*{fraction}**?)"
        yield f"{size}*(1 + ({other} - 1)*(?*{fraction} - ?))"
        yield f"{size}*(1 + ({other} - 1)*({fraction}**? - ?))"
        yield f"{size}*(1 + ?*{fraction}**?*({other} - 1)/({other} + ?))"
    else:
        yield f"{size}*(?*{other})**(?*{fraction})"
        yield f"{size}*(?*{other})**(?*{fraction}**?)"
        yield f"{size} + ?*{other}*{fraction}"
        yield f"{size} + ?*{other}*{fraction}**?"


def with_amounts(kinds: Kinds) -> Iterator[str]:
    """Effective sizes to which something is added that may be none at all."""
    for amount in kinds.amounts:
        yield f"1 + ?*{amount}"
        for size in kinds.sizes:
            yield f"{size} + ?*{amount}"
            yield f"{size}*(1 + {amount})**?"
            for fraction in kinds.fractions:
                yield f"{size} + ?*{amount}*{fraction}"
                yield f"{size} + ?*{amount}*{fraction}**?"
                yield f"{size}*(1 + ?*{amount}*{fraction})"
                yield f"{size}*(1 + ?*{amount}*{fraction}**?)"
                yield f"{size}*(1 + {amount})**(?*{fraction})"
                yield f"{size}*(1 + {amount})**(?*{fraction} - ?)"


def several_auxiliaries(kinds: Kinds) -> Iterator[str]:
    """Main tokens plus the tokens of several auxiliaries of equal size."""
    for counted in kinds.counts:
        for size in kinds.sizes:
            for other in (*kinds.sizes, *kinds.amounts):
                if len({counted, size, other}) == 3:
                    yield f"{size} + ?*({counted} - 1)*{other}"
                    for fraction in kinds.fractions:
                        yield f"{size} + ?*({counted} - 1)*{other}*{fraction}"
                        yield f"{size} + ?*({counted} - 1)*{other}*{fraction}**?"


def extensions(form: Form, kinds: Kinds) -> Iterator[Form]:
    """The form with one more ingredient, inside its effective size or beside it."""
    yield from larger_sizes(form, kinds)
    sums = form.outer in POWERS
    for term in terms(kinds):
        # a saturating curve has its own power; a second power of the same size only bends it
        bends = any(term == f"?*{name}**?" and form.holds(name) for name in kinds.sizes)
        if term not in form.terms and (sums or not bends):
            yield Form(form.outer, form.size, (*form.terms, term))


def larger_sizes(form: Form, kinds: Kinds) -> Iterator[Form]:
    """The form with one more factor in its effective size: multiplied or added."""
    for piece in size_factors(form, kinds):
        yield Form(form.outer, f"({form.size})*{piece}", form.terms)
    for name in (*kinds.sizes, *kinds.amounts):
        if not form.holds(name):
            yield Form(form.outer, f"{form.size} + ?*{name}", form.terms)
            for fraction in kinds.fractions:
                yield Form(form.outer, f"{form.size} + ?*{name}*{fraction}", form.terms)
    for fraction in filter(form.holds, kinds.fractions):
        for name in (*kinds.fractions, *kinds.others):
            if not form.holds(name):
                for multiplier in ("", "?*") if "?" not in form.size else ("",):
                    size = re.sub(
                        rf"\b{fraction}\b", f"({multiplier}{fraction} + ?*{name})", form.size
                    )
                    yield Form(form.outer, size, form.terms)


def size_factors(form: Form, kinds: Kinds) -> Iterator[str]:
    """What the effective size of a form may be multiplied by."""
    for name in kinds.sizes:
        if not form.holds(name):
            yield f"{name}**?"
    for name in kinds.amounts:
        if not form.holds(name):
            yield f"(1 + {name})**?"
    for name in kinds.fractions:
        yield f"(1 - ?*{name})"
        yield f"(1 - {name})**?"
        yield f"exp(?*{name})"
        yield f"(1 + ?*{name}**?)"
    for name in kinds.others:
        yield f"exp(?*{name})"


def terms(kinds: Kinds) -> Iterator[str]:
    """What may be added: each factor alone, and tasks that help or harm by relatedness."""
    for name in (*kinds.fractions, *kinds.others, *kinds.amounts):
        yield f"?*{name}"
    for name in kinds.fractions:
        yield f"?*sqrt({name})"
        yield f"?*{name}**?"
    for name in kinds.sizes:
        yield f"?*log({name})"
        yield f"?/sqrt({name})"
        yield f"?/{name}"
        yield f"?*sqrt({name})"
        yield f"?*{name}**?"
    for name in kinds.amounts:
        yield f"?*log(1 + {name})"
    for fraction in kinds.fractions:
        for name in kinds.sizes:
            growth = logarithm(name, name in kinds.counts)
            yield f"?*{fraction}*{growth}"
            yield f"(?*{fraction} - ?)*{growth}"
            yield f"?*{fraction}*{name}**?"
            yield f"?*{fraction}/{name}"
            yield f"?*{fraction}/sqrt({name})"
            yield f"(?*{fraction} - ?)/{name}"
            yield f"(?*{fraction} - ?)/sqrt({name})"
        for name in kinds.amounts:
            yield f"(?*{fraction} - ?)*log(1 + {name})"
