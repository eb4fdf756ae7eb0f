"""Which names a formula subtracts: what a reader sees with a minus sign in front."""

from __future__ import annotations

from collections.abc import Iterator

from mtl_laws.pipeline.symbolic.typeset.formula import (
    Call,
    Name,
    Node,
    Power,
    Product,
    Root,
    Sum,
    parse,
)


def subtracted(expression: str) -> list[str]:
    """Names that stand in `expression` once, as a term with a minus sign or a factor of one.

    Raises
    ------
    PipelineError
        if it is not arithmetic.
    """
    tree = parse(expression)
    names = [node.name for node in _walk(tree) if isinstance(node, Name)]
    candidates = [
        factor.name
        for node in _walk(tree)
        if isinstance(node, Sum)
        for sign, term in node.terms
        if sign < 0
        for factor in (term.above if isinstance(term, Product) else (term,))
        if isinstance(factor, Name)
    ]
    return [name for name in candidates if names.count(name) == 1]


def _walk(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    yield node
    for child in _children(node):
        yield from _walk(child)


def _children(node: Node) -> tuple[Node, ...]:
    match node:
        case Sum(terms):
            return tuple(term for _, term in terms)
        case Product(above, below):
            return (*above, *below)
        case Power(base, exponent):
            return base, exponent
        case Root(argument, _):
            return (argument,)
        case Call(_, arguments):
            return arguments
    return ()
