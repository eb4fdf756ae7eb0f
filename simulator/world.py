"""World: the text and the main task of one seed, whatever the auxiliaries are.

Notation
--------
V : token types;  d : features;  w : window;  K : classes of a teacher;  r = K − 1
X : features, (V, d);  Q₀ : main frame, (w·d, r);  q : class shares, (K,)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtl_laws.simulator.corpus import Text
from mtl_laws.simulator.errors import SpecError
from mtl_laws.simulator.families.teacher.frames import FrameShape, draw_frame, score_tables
from mtl_laws.simulator.labelling import (
    Decoder,
    PlainDecoder,
    Ruler,
    SpanDecoder,
    Windows,
    windows_of,
)
from mtl_laws.simulator.memory_bounded_cache import memory_bounded_cache
from mtl_laws.simulator.relatedness import POOL_TOKENS
from mtl_laws.simulator.streams import stream
from mtl_laws.simulator.synthetic import TextOptions, TokenSource, token_source, white_features

Floats = NDArray[np.float64]
Labels = NDArray[np.int16]


@dataclass(frozen=True)
class WorldOptions:
    """What determines the main task, the seed apart.

    Parameters
    ----------
    text : the token source.
    shares : q, the share of each class.
    features : d.
    window : w, places a teacher reads: the token, the one before, the one after, two before …
    stickiness : None for plain labels; else labels form spans (see `SpanDecoder`).
    """

    text: TextOptions
    shares: tuple[float, ...]
    features: int
    window: int
    stickiness: float | None = None

    @property
    def shape(self) -> FrameShape:
        """The shape of every frame in this world."""
        return FrameShape(self.window, self.features, len(self.shares) - 1)

    @property
    def decoder(self) -> Decoder:
        """How scores become labels."""
        return PlainDecoder() if self.stickiness is None else SpanDecoder(self.stickiness)


@dataclass(frozen=True, eq=False)
class World:
    """Text and main task of one seed.

    Parameters
    ----------
    options, seed : what it was made from.
    source : the token source.
    features : X.
    frame : Q₀.
    tables : main scores by place, token and class, (w, V + 1, K).
    ruler : reference text on which every task's class shares are held at q.
    biases : of the main task, (K,).
    """

    options: WorldOptions
    seed: int
    source: TokenSource
    features: Floats
    frame: Floats
    tables: Floats
    ruler: Ruler
    biases: Floats

    def windows(self, text: Text) -> Windows:
        """Return the windows of a text."""
        return windows_of(text, self.options.window, self.options.text.vocabulary)

    def main_labels(self, windows: Windows) -> Labels:
        """Return the main task's clean labels on a text, (N,)."""
        return self.label(windows.scores(self.tables), self.biases, windows)

    def label(self, scores: Floats, biases: Floats, windows: Windows) -> Labels:
        """Return the labels that scores (K, M) and biases (K,) give, (N,)."""
        classes = self.options.decoder.classes_of(scores + biases[:, None], windows)
        return self.options.decoder.labels_of(classes, windows)

    def label_names(self) -> tuple[str, ...]:
        """Return the label strings of every task of this world."""
        return self.options.decoder.names(len(self.options.shares))


@memory_bounded_cache(megabytes=96)
def world(options: WorldOptions, seed: int) -> World:
    """Return the world of one seed; the same object when asked again."""
    check_capacity(options, parts=1)
    source = token_source(options.text, seed)
    nothing = np.zeros((options.text.vocabulary, 0))
    X = white_features(source, options.features, nothing, 0)
    frame = draw_frame(stream(seed, "main frame"), options.shape, [])
    tables = score_tables(frame, X, options.shape)
    text = reference_text(source)
    windows = windows_of(text, options.window, options.text.vocabulary)
    ruler = Ruler(windows, options.decoder, np.array(options.shares))
    biases = ruler.balance(windows.scores(tables), np.zeros(len(options.shares)))
    return World(options, seed, source, X, frame, tables, ruler, biases)


def reference_text(source: TokenSource) -> Text:
    """Return the text on which class shares are held, and relatedness where there is no more."""
    return source.draw(POOL_TOKENS + source.longest, "reference")


def check_capacity(options: WorldOptions, parts: int) -> None:
    """Refuse more features than the vocabulary can hold uncorrelated.

    Parameters
    ----------
    parts : blocks of d features that must be mutually uncorrelated: 1, or 2 with private ones.

    Raises
    ------
    SpecError : V − C < parts·d, or a frame does not fit in w·d.
    """
    text, shape = options.text, options.shape
    room = (text.vocabulary - text.class_count) // parts
    if options.features > room:
        raise SpecError(
            "features",
            options.features,
            f"at most {room} with {text.vocabulary} token types and {text.class_count} classes",
        )
    if shape.dimensions < shape.directions:
        raise SpecError(
            "features",
            options.features,
            f"at least {-(-shape.directions // shape.window)} for {shape.directions + 1} classes",
        )
