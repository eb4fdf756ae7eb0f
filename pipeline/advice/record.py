"""Advice as it is handed out: to a program, to a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mtl_laws.pipeline.advice.factors import Sizes
from mtl_laws.pipeline.advice.prediction import Suggestion
from mtl_laws.pipeline.advice.profile import Profile
from mtl_laws.pipeline.laws.law import Law

if TYPE_CHECKING:
    from mtl_laws.pipeline.advice.check import Check

#: version of ``advice.json``
SCHEMA = 1


@dataclass(frozen=True)
class Advice:
    """What a law says about a corpus.

    Attributes
    ----------
    profile, sizes : the corpus, and the training tokens the advice is for.
    target, law, laws : what is predicted, by which law, of which file.
    suggestions : one for each auxiliary, greatest predicted gain first.
    best : the best set, of one or more; None where nothing is predicted to help.
    warnings : what the reader should know before following it, in sentences.
    left_out : layers that were not considered, with the reason.
    check : predicted against measured; None where nothing was trained.
    """

    profile: Profile
    sizes: Sizes
    target: str
    law: Law
    laws: str
    suggestions: tuple[Suggestion, ...]
    best: Suggestion | None
    warnings: tuple[str, ...]
    left_out: Mapping[str, str]
    check: Check | None = None

    def to_json(self) -> dict[str, Any]:
        """The record of ``advice.json``; a number that is not finite becomes null."""
        record: dict[str, Any] = {
            "schema": SCHEMA,
            "corpus": asdict(self.profile),
            "sizes": asdict(self.sizes),
            "law": {
                "file": self.laws,
                "target": self.target,
                "expression": self.law.expression,
                "scores": dict(self.law.scores),
            },
            "suggestions": [asdict(suggestion) for suggestion in self.suggestions],
            "best": self.best and asdict(self.best),
            "warnings": list(self.warnings),
            "left_out": dict(self.left_out),
            "check": self.check and asdict(self.check),
        }
        finite: dict[str, Any] = _finite(record)
        return finite


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
