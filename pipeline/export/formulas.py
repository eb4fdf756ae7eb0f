"""Laws as source: a Python module that needs numpy only, a module for sympy, LaTeX with siunitx.

Every file holds the selected law and the valid laws of the front. Texts from data, such as names of
targets and groups, stand in quotes or in comments from which they cannot break out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from typing_extensions import override

from mtl_laws.pipeline.errors import printable
from mtl_laws.pipeline.laws.law import Law, scores_in_words
from mtl_laws.pipeline.laws.lawset import LawSet
from mtl_laws.pipeline.symbolic.tree import FUNCTIONS
from mtl_laws.pipeline.symbolic.typeset.formula import parse
from mtl_laws.pipeline.symbolic.typeset.latex import LatexPrinter, latex_name
from mtl_laws.pipeline.symbolic.typeset.numbers import number, parts
from mtl_laws.pipeline.symbolic.typeset.plain import formula_text

SELECTED = "selected"
NUMPY = "numpy"
DIGITS = 6
"""Significant digits of constants in LaTeX."""


def named_laws(laws: LawSet) -> dict[str, Law]:
    """The laws that may be used, by the names of their functions: `selected`, then the front."""
    named = {} if laws.selected is None else {SELECTED: laws.selected}
    shown = {law.expression for law in named.values()}
    for law in laws.front:
        if law.valid and law.fitted and law.expression not in shown:
            name, shown = f"law_{law.complexity}", shown | {law.expression}
            while name in named:
                name += "b"
            named[name] = law
    return named


# --- Python ------------------------------------------------------------------------------------


def python_module(laws: LawSet) -> str:
    """Source of a module with one function for each law, for numpy arrays.

    The functions give what `LawSet.predict` gives: within the bounds of the target, and for one
    task whatever the relatedness is.
    """
    functions = ", ".join(FUNCTIONS)
    head = [
        f'"""Laws of {_quoted(laws.target)}, found by mtl-laws {_quoted(laws.provenance.version)}.',
        "",
        "The module needs numpy only. The functions take numbers or arrays of one shape.",
        '"""',
        "",
        f"import {NUMPY}",
        f"from {NUMPY} import {functions}",
        "",
        f"TARGET = {laws.target!r}",
        f"FACTORS = {laws.factors!r}",
        f"FITTED = {_ranges(laws.data.ranges)!r}",
        f"DOMAIN = {_ranges(laws.data.domain)!r}",
        "",
    ]
    body = ["\n".join(["", *_function(name, law, laws)]) for name, law in named_laws(laws).items()]
    return "\n".join([*head, *body]) + "\n"


def _ranges(ranges: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    return {name: (float(low), float(high)) for name, (low, high) in ranges.items()}


def _function(name: str, law: Law, laws: LawSet) -> Iterator[str]:
    """Lines of the function of one law."""
    used = [factor for factor in laws.factors if law.uses(factor)]
    roles = laws.data.roles
    tasks = "" if roles is None else roles.tasks
    undefined = roles is not None and bool(tasks) and roles.relatedness in used
    arguments = [*used, *([tasks] if undefined and tasks not in used else [])]
    group = "group" if "group" not in laws.factors else "group_"
    form = law.effective()
    formula = formula_text(form.main)
    if form.name:
        formula += f", {form.name} = {formula_text(form.part)}"
    yield f"def {name}({', '.join([*arguments, *([group] if law.levels else [])])}):"
    yield f'    """{_quoted(laws.target)} = {_quoted(formula)}'
    yield ""
    yield from (f"    {_quoted(line)}" for line in _description(law, laws))
    yield '    """'
    yield from (f"    {factor} = {NUMPY}.asarray({factor}, dtype=float)" for factor in arguments)
    if undefined and roles is not None:
        low, high = laws.data.domain.get(roles.relatedness, (0.0, 1.0))
        middle, related = (low + high) / 2, roles.relatedness
        yield f"    # {related} is undefined for one task, and does not matter there"
        yield f"    {related} = {NUMPY}.where({tasks} == 1.0, {middle!r}, {related})"
    yield from _constants(law, group)
    yield f"    with {NUMPY}.errstate(all='ignore'):"
    yield f"        value = {law.shown}"
    bounds = laws.data.bounds or (None, None)
    if bounds != (None, None):
        ends = ", ".join(repr(end) for end in bounds)
        yield f"    value = {NUMPY}.clip(value, {ends})"
    yield "    return value"
    yield ""


def _constants(law: Law, group: str) -> Iterator[str]:
    """Lines that set the constants of each row's group."""
    if law.group_constants is None:
        return
    names = list(next(iter(law.group_constants.values())))
    for name in names:
        values = {level: own[name] for level, own in law.group_constants.items()}
        yield f"    _own = {values!r}"
        levels = f"[_own[str(level)] for level in {NUMPY}.ravel({group})]"
        yield f"    {name} = {NUMPY}.reshape({levels}, {NUMPY}.shape({group}))"


def _description(law: Law, laws: LawSet) -> Iterator[str]:
    """What a user of one law must know: scores, region, warnings."""
    yield (scores_in_words(law.scores) or "No scores are known.").rstrip(".") + "."
    fitted = [
        f"{name} from {number(low)} to {number(high)}"
        for name, (low, high) in laws.data.ranges.items()
        if law.uses(name)
    ]
    if fitted:
        yield f"Fitted for {', '.join(fitted)}."
    if not law.valid:
        yield f"Not valid: {law.reason or 'see laws.json'}."
    if law.limits:
        yield f"The law {law.limits}."
    if law.levels:
        yield f"Groups: {', '.join(law.levels)}."
    columns = {name: laws.data.columns.get(name, name) for name in laws.factors if law.uses(name)}
    renamed = [
        f"{name} is the column {column}" for name, column in columns.items() if column != name
    ]
    if renamed:
        yield f"{'; '.join(renamed)}."


def _quoted(text: str) -> str:
    """Text for a docstring: on one line, without a quote or backslash."""
    plain = " ".join(printable(text).split())
    return plain.replace("\\", "/").replace('"', "'")


# --- sympy -------------------------------------------------------------------------------------


def sympy_module(laws: LawSet) -> str:
    """Source of a module with one sympy expression for each law.

    Constants by group are symbols; ``GROUPS[law][level]`` is what to substitute for them.
    """
    named = named_laws(laws)
    names = dict.fromkeys([*laws.factors, *(n for law in named.values() for n in _own(law))])
    lines = [
        f'"""Laws of {_quoted(laws.target)} as sympy expressions."""',
        "",
        f"from sympy import Symbol, {', '.join(FUNCTIONS)}",
        "",
        *(f"{name} = Symbol({name!r})" for name in names),
        "",
        "LAWS = {",
        *(f"    {name!r}: {law.shown}," for name, law in named.items()),
        "}",
        "GROUPS = {",
    ]
    for name, law in named.items():
        for level, values in (law.group_constants or {}).items():
            constants = ", ".join(f"{own}: {value!r}" for own, value in values.items())
            lines.append(f"    ({name!r}, {level!r}): {{{constants}}},")
    return "\n".join([*lines, "}", ""])


def _own(law: Law) -> list[str]:
    """Names of the constants that differ between groups."""
    return list(next(iter((law.group_constants or {}).values()), {}))


# --- LaTeX -------------------------------------------------------------------------------------


class SiunitxPrinter(LatexPrinter):
    r"""LaTeX whose numbers are ``\num{…}``, so that the document sets their digits and marks."""

    @override
    def constant(self, mantissa: str, exponent: int) -> str:
        """A number."""
        return f"\\num{{{mantissa}{f'e{exponent}' if exponent else ''}}}"


def siunitx(laws: LawSet) -> str:
    r"""The selected law as LaTeX, and its constants with 95 % intervals; needs siunitx, amsmath."""
    law = laws.law
    size = "" if laws.data.roles is None else laws.data.roles.size
    printer, form = SiunitxPrinter(DIGITS), law.effective(size)
    equations = [f"{latex_name(laws.target)} &= {printer.write(parse(form.main))}"]
    if form.name:
        equations.append(f"{latex_name(form.name)} &= {printer.write(parse(form.part))}")
    rows = [_latex_row(row) for row in laws.constants.to_dict("records")]
    template = printer.write(parse(law.template))
    return "\n".join(
        [
            "% Needs \\usepackage{amsmath, booktabs, siunitx}.",
            "\\begin{align}",
            " \\\\\n".join(equations),
            "\\end{align}",
            f"% The constants in the form ${template}$:",
            "\\begin{tabular}{llll}",
            "\\toprule",
            "constant & group & value & 95\\,\\% interval \\\\",
            "\\midrule",
            *rows,
            "\\bottomrule",
            "\\end{tabular}",
            "",
        ]
    )


def _latex_row(row: Mapping[Any, Any]) -> str:
    """A line of the table of constants."""
    known = not math.isnan(row["low"])
    interval = f"{_num(row['low'])} to {_num(row['high'])}" if known else "--"
    group = latex_name(row["group"]) if row["group"] else ""
    shown = f"${group}$" if group else ""
    return f"${latex_name(row['constant'])}$ & {shown} & {_num(row['value'])} & {interval} \\\\"


def _num(value: float) -> str:
    mantissa, exponent = parts(float(value), DIGITS)
    return f"\\num{{{mantissa}{f'e{exponent}' if exponent else ''}}}"
