"""Expressions as JavaScript with every digit, for pages that evaluate them.

Names of factors and constants become places in two arrays, ``x[0]`` and ``c[0]``, so no name of a
user stands in the code.
"""

from __future__ import annotations

from collections.abc import Sequence

from mtl_laws.pipeline.symbolic.tree import FUNCTIONS, Tree, format_number


def javascript(tree: Tree, factors: Sequence[str], constants: Sequence[str] = ()) -> str:
    """The expression as JavaScript, every operation in brackets.

    The code calls ``sqrt``, ``log``, ``exp`` and ``tanh`` of ``Math``, and ``power(a, b)``, which
    has to agree with C's ``pow`` where ``Math.pow`` does not: at a = ±1 with b infinite or nan.

    Parameters
    ----------
    factors, constants : names in the order of the arrays ``x`` and ``c``.

    Raises
    ------
    ValueError
        if the expression holds another name.

    Examples
    --------
    >>> javascript(Tree.parse("c0 - n**-0.5", ["n"]), ["n"], ["c0"])
    '(c[0] - power(x[0], (-0.5)))'
    """
    if tree.is_number:
        text = format_number(tree.value).replace("inf", "Infinity")
        return f"({text})" if text.startswith("-") else text
    if tree.name:
        array, names = ("c", constants) if tree.op == "constant" else ("x", factors)
        return f"{array}[{list(names).index(tree.name)}]"
    args = [javascript(child, factors, constants) for child in tree.args]
    if tree.op == "neg":
        return f"(-{args[0]})"
    if tree.op in FUNCTIONS:
        return f"Math.{tree.op}({args[0]})"
    if tree.op == "**":
        return f"power({args[0]}, {args[1]})"
    return f"({args[0]} {tree.op} {args[1]})"
