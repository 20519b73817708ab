"""How often a principal may ask: Resource Graph's window and Resource Manager's token buckets."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    granted: bool
    remaining: int
    wait: float  # seconds until the window resets, or until the bucket has a token


class WindowQuota:
    """`limit` queries in each window, per principal. The window starts with its first query."""

    def __init__(self, limit: int, window: float, clock: Callable[[], float]) -> None:
        self.limit = limit
        self._window = window
        self._clock = clock
        self._windows: dict[str, tuple[float, int]] = {}

    def take(self, who: str) -> Allowance:
        now = self._clock()
        started, used = self._windows.get(who, (now, 0))
        if now - started >= self._window:
            started, used = now, 0
        left = self._window - (now - started)
        if used >= self.limit:
            return Allowance(False, 0, left)
        self._windows[who] = (started, used + 1)
        return Allowance(True, self.limit - used - 1, left)


BUCKET_SIZES = {"reads": (250, 25.0), "writes": (200, 10.0), "deletes": (200, 10.0)}


class Buckets:
    """Token buckets by name, each of its own size and refill per second.

    Sizes: "Understand how Azure Resource Manager throttles requests", subscription reads 250 at 25/s, writes and
    deletes 200 at 10/s, tenant reads 250 at 25/s.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._levels: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, kind: str, who: str) -> Allowance:
        size, refill = BUCKET_SIZES[kind]
        now = self._clock()
        level, since = self._levels.get((kind, who), (float(size), now))
        level = min(float(size), level + (now - since) * refill)
        if level < 1:
            self._levels[kind, who] = (level, now)
            return Allowance(False, 0, math.ceil((1 - level) / refill))
        self._levels[kind, who] = (level - 1, now)
        return Allowance(True, int(level - 1), 0.0)
