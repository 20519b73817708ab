"""How many requests one principal may make in a minute, in one tenant, over all instances of the app.

The count is a row in the tenant's own partition, so one principal's flood slows neither another's requests nor another
tenant's. It is not written per request. An instance takes a block of requests from the row (one read, one write under
its ETag) and serves them from memory; the first few of a minute need no block, so whoever makes few requests costs
storage nothing. A minute begins at the same moment everywhere; what was counted in an earlier one is of no interest.

With a limit of L and n instances a principal gets at most L + n * ALONE * L requests served in a minute, and at least
L - (n - 1) * BLOCK * L: blocks may lie unused with other instances. With one instance it is exactly L. Two minutes that
meet can bring 2 L at once. Counting every request in storage would be exact and cost two calls a request; counting in
memory only would let every further instance add L.

Requests outside of tenants, a stranger's, /api/me and the platform's own routes, are counted in memory, each instance
by itself: there is no partition they belong in, and nothing is written for somebody who belongs to nobody. Whoever is
refused in a tenant goes on being counted there, so that a flood ends before it reaches storage.

When storage does not answer within seconds, the instance counts alone for the rest of the minute, up to L: nobody is
locked out by a limit that cannot be kept, and no flood is let in either. The log says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from errors import Conflict, NotFound, Throttled, Unavailable
from tenancy.ids import TenantId
from tenancy.rows import Row, Value
from tenancy.store import Table, TenantStore

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 60
BLOCK = 0.1  # of the limit: what an instance takes at once
ALONE = 0.05  # of the limit: what an instance serves before it takes anything
PREFIX = "rate."
MOST_TRIES = 8  # of several instances that take at once one succeeds, so eight all do
PATIENCE = 5.0  # seconds that a request waits for the row


@dataclass(slots=True)
class _Share:
    """What one principal has in one tenant, at this instance and in this minute."""

    left: int  # requests it may still make before the row is asked
    unsaid: int = 0  # requests that were served and are not in the row yet
    served: int = 0
    ended: bool = False  # there is nothing more to take
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Rates:
    """The requests that this instance served in the present minute. It remembers nothing of earlier ones."""

    def __init__(self, limit: int, patience: float = PATIENCE) -> None:
        self._limit = limit
        self._patience = patience
        self._block = int(limit * BLOCK)  # no limit that may be set is so low that this is none
        self._alone = int(limit * ALONE)
        self._window = 0
        self._shares: dict[tuple[TenantId, str], _Share] = {}
        self._outside: Counter[str] = Counter()

    def check_outside(self, principal: str, *, now: datetime) -> None:
        """Raises Throttled for a principal that made too many requests outside of tenants. Counts nothing."""
        self._turn_to(now)
        if self._outside[principal] >= self._limit:
            raise self._refuse(now)

    def admit_outside(self, principal: str, *, now: datetime) -> None:
        """Counts a request outside of tenants. Raises Throttled when it is one too many."""
        self.check_outside(principal, now=now)
        self._outside[principal] += 1

    def check(self, tenant_id: TenantId, principal: str, *, now: datetime) -> None:
        """Raises Throttled if it is known already that `admit` would. Asks no storage, counts nothing."""
        self._turn_to(now)
        share = self._shares.get((tenant_id, principal))
        if share is not None and share.ended and not share.left:
            raise self._refuse(now)

    async def admit(self, store: TenantStore, principal: str, *, now: datetime) -> None:
        """Counts a request of a principal that was let into a tenant. Raises Throttled when it is one too many."""
        self._turn_to(now)
        fresh = _Share(left=self._alone, unsaid=self._alone)
        share = self._shares.setdefault((store.tenant_id, principal), fresh)
        async with share.turn:  # of many requests at once, one takes the next block for all
            if not share.left and not share.ended:
                await self._take(share, store, PREFIX + principal, now)
            if not share.left:
                raise self._refuse(now)
            share.left -= 1
            share.served += 1

    async def _take(self, share: _Share, store: TenantStore, key: str, now: datetime) -> None:
        for _ in range(MOST_TRIES):
            try:
                async with asyncio.timeout(self._patience):
                    done = await self._take_block(share, store, key, now)
            except (Unavailable, Throttled, TimeoutError):
                logger.warning("requests are counted alone", extra={"tenant_id": store.tenant_id})
                share.left, share.ended = max(0, self._limit - share.served), True
                return
            if done:
                return
        raise Throttled("Too many requests at once. Try again in a second.", retry_after=1)

    async def _take_block(self, share: _Share, store: TenantStore, key: str, now: datetime) -> bool:
        """False when another instance was quicker."""
        row = await store.find(Table.USAGE, key)
        window, taken = _read(row, _window(now))
        granted = min(self._block, self._limit - taken - share.unsaid)
        if granted <= 0:
            share.ended = True
            return True
        values: dict[str, Value] = {"window": window, "taken": taken + share.unsaid + granted}
        try:
            if row is None:
                await store.insert(Table.USAGE, key, values)
            else:
                await store.update(Table.USAGE, key, values, etag=row.etag)
        except (Conflict, NotFound):
            return False
        share.left, share.unsaid = granted, 0
        return True

    def _turn_to(self, now: datetime) -> None:
        """A request that took long may still be of the last minute; a clock that was put right is a new beginning."""
        if not 0 <= self._window - _window(now) <= 1:
            self._window = _window(now)
            self._shares.clear()
            self._outside.clear()

    def _refuse(self, now: datetime) -> Throttled:
        rest = WINDOW_SECONDS - now.timestamp() % WINDOW_SECONDS
        return Throttled(
            f"You made more than {self._limit} requests in a minute. Try again in {rest:.0f} s.",
            retry_after=rest,
        )


def _window(now: datetime) -> int:
    return int(now.timestamp()) // WINDOW_SECONDS


def _read(row: Row | None, window: int) -> tuple[int, int]:
    """The minute that a row counts and what was taken in it. An instance whose clock is ahead may have begun the next
    one; a row from further on was written by a clock that is wrong."""
    if row is None or not window <= row.values["window"] <= window + 1:
        return window, 0
    return row.values["window"], row.values["taken"]
