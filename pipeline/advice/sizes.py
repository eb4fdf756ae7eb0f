"""Training tokens that advice is for.

Notation
--------
n, n_aux : training tokens of the main task, of an auxiliary
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mtl_laws.pipeline.advice.corpus import RULES, Profile
from mtl_laws.pipeline.errors import UserError


@dataclass(frozen=True)
class TokenCounts:
    """Training tokens that advice is for.

    Attributes
    ----------
    n : of the main task.
    n_aux : of each auxiliary, by name.
    """

    n: int
    n_aux: Mapping[str, int]


def token_counts(profile: Profile, n: int | None = None, n_aux: int | None = None) -> TokenCounts:
    """Training tokens: those requested, else what the corpus has.

    Without `n_aux`, an auxiliary has its labelled tokens minus the n on which the main layer is
    labelled too. If that leaves too few, both are labelled on the same sentences.

    Raises
    ------
    UserError
        if fewer than one token is requested.
    """
    for path, value in (("tokens", n), ("aux_tokens", n_aux)):
        if value is not None and value < 1:
            raise UserError(path, "a whole number of at least 1", value)
    n = n or profile.main.tokens
    sizes = {}
    for layer in profile.auxiliaries:
        extra = _extra_tokens(profile, layer.name, n)
        sizes[layer.name] = n_aux or (extra if extra >= RULES.min_tokens else layer.tokens)
    return TokenCounts(n, sizes)


def same_sentences(profile: Profile, sizes: TokenCounts) -> list[str]:
    """Auxiliaries that have hardly a token beyond those of the main layer."""
    return [
        layer.name
        for layer in profile.auxiliaries
        if _extra_tokens(profile, layer.name, sizes.n) < RULES.min_tokens
    ]


def too_many_tokens(profile: Profile, sizes: TokenCounts) -> list[str]:
    """Auxiliaries for which more tokens are asked than they label."""
    return [one.name for one in profile.auxiliaries if sizes.n_aux[one.name] > one.tokens]


def _extra_tokens(profile: Profile, name: str, n: int) -> int:
    """Tokens of an auxiliary beyond the n of the main layer."""
    return profile.layer(name).tokens - min(n, profile.pairs[name].tokens)
