"""Options that every family over synthetic text takes, and the world they stand for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mtl_laws.simulator.errors import SpecError
from mtl_laws.simulator.labelling import prior_shares
from mtl_laws.simulator.spec import TaskSpec
from mtl_laws.simulator.synthetic import TextOptions
from mtl_laws.simulator.world import WorldOptions


@dataclass(frozen=True)
class SyntheticOptions:
    """Settings of synthetic text and of the main task.

    Parameters
    ----------
    zipf : exponent of the token distribution.
    classes : word classes of the Markov text; None for V/10, at most 20.
    coherence : standard deviation of the log-affinity between classes.
    length_spread : sentence lengths vary by ± this share, in [0, 1).
    features : d, latent features of a token; None for the least that leaves room for an
        unrelated task: K − 1 (at least 2), and 2(K − 1) when the window is the token alone.
    window : w, tokens a label depends on: itself, the one before, the one after, …
    imbalance : class shares ∝ k^−imbalance; 0 for equal shares.
    label_prior : class shares, overriding `imbalance`.
    spans : whether labels form BIO spans: K = 2·types + 1, class 0 outside.
    stickiness : with spans, how much the previous token's class is favoured.
    """

    zipf: float = 0.7
    classes: int | None = None
    coherence: float = 1.0
    length_spread: float = 0.0
    features: int | None = None
    window: int = 2
    imbalance: float = 0.0
    label_prior: tuple[float, ...] | None = None
    spans: bool = False
    stickiness: float = 0.5

    def __post_init__(self) -> None:
        _within("zipf", self.zipf, 0.0, 5.0)
        _within("coherence", self.coherence, 0.0, 5.0)
        _within("length_spread", self.length_spread, 0.0, 0.95)
        _within("imbalance", self.imbalance, 0.0, 5.0)
        _within("stickiness", self.stickiness, 0.0, 10.0)
        _count("window", self.window, 1, 7)
        if self.classes is not None:
            _count("classes", self.classes, 1, 1000)
        if self.features is not None:
            _count("features", self.features, 1, 1000)
        if not isinstance(self.spans, bool):
            raise SpecError("options.spans", self.spans, "true or false")
        self._check_prior()

    def _check_prior(self) -> None:
        if self.label_prior is None:
            return
        given = self.label_prior
        if not isinstance(given, list | tuple) or not all(_positive(x) for x in given):
            raise SpecError("options.label_prior", given, "a list of positive shares")
        object.__setattr__(self, "label_prior", tuple(float(x) for x in given))

    def world(self, spec: TaskSpec) -> WorldOptions:
        """Return the world of a spec with these options."""
        classes = self._class_count(spec)
        shares = prior_shares(classes, self.imbalance, self.label_prior)
        if self.classes is not None and self.classes > spec.vocabulary:
            raise SpecError("options.classes", self.classes, f"at most {spec.vocabulary}")
        text = TextOptions(
            spec.vocabulary,
            spec.sentence_length,
            self.zipf,
            self.classes,
            self.coherence,
            self.length_spread,
        )
        least = (classes - 1) * (2 if self.window == 1 else 1)
        features = self.features or max(least, 2)
        sticky = self.stickiness if self.spans else None
        return WorldOptions(text, tuple(shares.tolist()), features, self.window, sticky)

    def _class_count(self, spec: TaskSpec) -> int:
        classes = spec.labels
        if self.spans:
            if spec.labels % 2 == 0:
                raise SpecError("labels", spec.labels, "an odd number: O, and B and I per type")
            classes = (spec.labels + 1) // 2
        if self.label_prior is not None and len(self.label_prior) != classes:
            raise SpecError("options.label_prior", list(self.label_prior), f"{classes} shares")
        return classes


def _positive(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0


def _within(name: str, value: object, low: float, high: float) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= float(str(value)) <= high:
        raise SpecError(f"options.{name}", value, f"a number from {low:g} to {high:g}")


def _count(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SpecError(f"options.{name}", value, f"a whole number from {low} to {high}")
