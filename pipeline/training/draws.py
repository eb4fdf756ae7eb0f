"""Random draws without state: a number is a hash of whose it is and what it is for.

A model's batches depend on its seed, the task and the step alone, so they are the same whatever
the group it trains in, and its main-task batches are the same for every T. All of a stack's draws
are a few whole-tensor operations on its own device.

The hash is the finaliser of SplitMix64 (Steele, Lea and Flood 2014), applied once per coordinate.
"""

from __future__ import annotations

from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB


def _signed(word: int) -> int:
    return word - (1 << 64) if word >= 1 << 63 else word


def _shift(word: Tensor, bits: int) -> Tensor:
    """Logical shift to the right; torch's own keeps the sign."""
    return (word >> bits) & ((1 << (64 - bits)) - 1)


def _mix(word: Tensor) -> Tensor:
    word = (word ^ _shift(word, 30)) * _signed(_FIRST)
    word = (word ^ _shift(word, 27)) * _signed(_SECOND)
    return word ^ _shift(word, 31)


def draw_words(seeds: Tensor, *coordinates: Tensor) -> Tensor:
    """64 random bits as int64 for every combination of broadcast seeds and coordinates."""
    word = _mix(seeds + _signed(_GOLDEN))
    for coordinate in coordinates:
        word = _mix(word ^ _mix(coordinate + _signed(_GOLDEN)))
    return word


def draw_below(counts: Tensor, seeds: Tensor, *coordinates: Tensor) -> Tensor:
    """Uniform integers from 0 to counts − 1 (bias below counts / 2³¹)."""
    return _shift(draw_words(seeds, *coordinates), 33) % counts
