"""Random streams: one per purpose, so that drawing more of one thing never changes another."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def stream(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """Return the generator of one purpose under one seed.

    Parameters
    ----------
    seed : the TaskSet's seed, at least 0.
    purpose : what the numbers are for (``"text"``, ``"noise"``); part of the seed.
    numbers : which one (task, split), each at least 0; part of the seed.
    """
    return np.random.default_rng([seed, crc32(purpose.encode()), *numbers])
