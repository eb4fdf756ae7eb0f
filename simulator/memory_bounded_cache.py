"""Keeping what was worked out, within a bound on memory.

What a seed's tasks have in common (its world, its teachers, their angles) is worked out once per
process and kept, least recently used out first. Results do not depend on what is kept: a kept
function is a function of its arguments alone.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from functools import update_wrapper
from threading import RLock
from typing import Generic, ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")

_FORGET: list[Callable[[], None]] = []


class Kept(Generic[P, R]):
    """A function of hashable arguments that keeps its results.

    Parameters
    ----------
    work : the function.
    megabytes : the most that results may take, arrays counted; the latest is kept in any case.
    """

    def __init__(self, work: Callable[P, R], megabytes: float) -> None:
        self.work, self.bound = work, megabytes * 1e6
        self.size = 0
        self._results: OrderedDict[Hashable, tuple[R, int]] = OrderedDict()
        self._lock = RLock()
        update_wrapper(self, work)
        _FORGET.append(self.forget)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what the function returns, worked out now or before."""
        key = (args, *sorted(kwargs.items()))
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                return self._results[key][0]
        found = self.work(*args, **kwargs)
        self._keep(key, found)
        return found

    def _keep(self, key: Hashable, found: R) -> None:
        size = size_of(found)
        with self._lock:
            if key not in self._results:
                self._results[key] = found, size
                self.size += size
            while self.size > self.bound and len(self._results) > 1:
                self.size -= self._results.popitem(last=False)[1][1]

    def __len__(self) -> int:
        """Return how many results are kept."""
        return len(self._results)

    def forget(self) -> None:
        """Drop every result."""
        with self._lock:
            self._results.clear()
            self.size = 0


def kept(megabytes: float) -> Callable[[Callable[P, R]], Kept[P, R]]:
    """Make a function keep its results (decorator)."""
    return lambda work: Kept(work, megabytes)


def forget_all() -> None:
    """Drop what every function of this process kept."""
    for forget in _FORGET:
        forget()


def size_of(value: object) -> int:
    """Return the bytes of a result: its arrays, in dataclasses and tuples, and a little more."""
    if isinstance(value, np.ndarray):
        return int(value.nbytes) + 128
    if is_dataclass(value):
        return 128 + sum(size_of(getattr(value, f.name)) for f in fields(value))
    if isinstance(value, tuple):
        return 64 + sum(size_of(one) for one in value)
    return sys.getsizeof(value)
