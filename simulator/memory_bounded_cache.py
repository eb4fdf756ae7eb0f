"""A cache of function results with a bound on its memory; the least recently used goes first.

A seed's tasks share a world, teachers and angles. Each is computed once per process. Cached
functions depend on their arguments alone, so results do not depend on the state of the cache.
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

_CLEAR: list[Callable[[], None]] = []


class MemoryBoundedCache(Generic[P, R]):
    """A function of hashable arguments whose results are cached.

    Parameters
    ----------
    work : the function.
    megabytes : the most memory that results may take, arrays included. The latest result is always
        kept.
    """

    def __init__(self, work: Callable[P, R], megabytes: float) -> None:
        self.work, self.bound = work, megabytes * 1e6
        self.size = 0
        self._results: OrderedDict[Hashable, tuple[R, int]] = OrderedDict()
        self._lock = RLock()
        update_wrapper(self, work)
        _CLEAR.append(self.forget)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the result, computed now or taken from the cache."""
        key = (args, *sorted(kwargs.items()))
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                return self._results[key][0]
        result = self.work(*args, **kwargs)
        self._keep(key, result)
        return result

    def _keep(self, key: Hashable, result: R) -> None:
        size = size_of(result)
        with self._lock:
            if key not in self._results:
                self._results[key] = result, size
                self.size += size
            while self.size > self.bound and len(self._results) > 1:
                self.size -= self._results.popitem(last=False)[1][1]

    def __len__(self) -> int:
        """Return the number of cached results."""
        return len(self._results)

    def forget(self) -> None:
        """Drop every result."""
        with self._lock:
            self._results.clear()
            self.size = 0


def memory_bounded_cache(megabytes: float) -> Callable[[Callable[P, R]], MemoryBoundedCache[P, R]]:
    """Return a decorator that caches the results of a function."""
    return lambda work: MemoryBoundedCache(work, megabytes)


def forget_all() -> None:
    """Clear every cache of this process."""
    for forget in _CLEAR:
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
