"""The numbers that fix the shape of one tagger; every model of a group shares them.

Notation
--------
V vocabulary, T tasks, K labels of the task that has most, E embedding, H hidden units per
direction, D = 2H features per token as every encoder returns them, W width of a token's vector.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """What an encoder, a sharing and a head need to know to lay out their parameters.

    Attributes
    ----------
    vocabulary : V; token ids run from 0 to V − 1, and V itself is the padding token. Of an encoder
        of vectors, an id is a row of their table, and V the number of rows.
    labels : label count of every task, main task first; their number is T.
    embedding, hidden : E and H.
    shared_layers, private_layers : k and m fully connected layers above the encoder.
    window : tokens to either side that the windowed encoders see.
    embedding_sd : standard deviation of the initial embeddings.
    relu : whether the fully connected layers below the heads are rectified.
    vectors : W; 0 where the encoder reads no vectors.
    """

    vocabulary: int
    labels: tuple[int, ...]
    embedding: int = 16
    hidden: int = 16
    shared_layers: int = 0
    private_layers: int = 1
    window: int = 1
    embedding_sd: float = 0.1
    relu: bool = True
    vectors: int = 0

    @property
    def tasks(self) -> int:
        """T, the main task included."""
        return len(self.labels)

    @property
    def most_labels(self) -> int:
        """K: heads are padded to the task with most labels."""
        return max(self.labels)

    @property
    def features(self) -> int:
        """D: width of what an encoder returns for a token."""
        return 2 * self.hidden
