"""What a tenant used, by day: counted in memory, written in blocks, one row a tenant, day and process of the app.

A process writes its own row and nobody else's, with all that it counted that day: no write needs a read before it, none
meets another's, and one that is repeated counts nothing twice. Who reads adds the rows up; the daily sweep makes one
row of those of a day that is over.

Calls of the API are written after BLOCK of them or EVERY seconds, whichever the next call finds first; what a queue
function counted, when it ends. A process that is killed loses at most BLOCK - 1 calls of the API a tenant, and what the
functions that died with it had counted; their messages come again, and count again.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum

from errors import Throttled, Unavailable
from tenancy.ids import TenantId
from tenancy.rows import Row, Value
from tenancy.store import Operation, Table, TenantStore, Write

logger = logging.getLogger(__name__)

PREFIX = "day."
BLOCK = 50
EVERY = 300.0
MOST_DAYS = 366  # that are asked for at once
MOST_MERGED = 99  # rows of a day in one transaction with the row that they become


class Count(StrEnum):
    """What is added up over a day."""

    SCANS = "scans"
    API_CALLS = "api_calls"
    GRAPH_CALLS = "graph_calls"
    ARM_CALLS = "arm_calls"
    NOTICES = "notices"


class Level(StrEnum):
    """What there is at a moment; of a day the most counts. None until it was measured, which is not nothing."""

    RESOURCES = "resources"
    STORED_BYTES = "stored_bytes"


COUNTS, LEVELS = tuple(Count), tuple(Level)


@dataclass(frozen=True, slots=True)
class Day:
    """What a tenant used on one day, UTC."""

    day: date
    scans: int = 0
    api_calls: int = 0
    graph_calls: int = 0
    arm_calls: int = 0
    notices: int = 0
    resources: int | None = None
    stored_bytes: int | None = None


@dataclass(slots=True)
class _Tally:
    """What this process counted of one tenant on one day."""

    begun: datetime  # when the oldest count that is not written came in
    values: Counter[str] = field(default_factory=Counter)
    unwritten: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # or an older sum could be the last


class Usage:
    """What this process counted and who still has to hear of it. Made once, shared by all triggers."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._process = secrets.token_hex(6)
        self._tallies: dict[TenantId, dict[date, _Tally]] = {}

    def add(self, tenant_id: TenantId, what: Count, number: int = 1) -> None:
        tally = self._tally(tenant_id)
        tally.values[what] += number
        tally.unwritten += number

    def note(self, tenant_id: TenantId, what: Level, value: int) -> None:
        """A level as it is now."""
        tally = self._tally(tenant_id)
        if what not in tally.values or value > tally.values[what]:
            tally.values[what] = value
            tally.unwritten += 1

    async def call(self, store: TenantStore) -> None:
        """Counts a call of the API, and writes when a block is full or has waited long enough."""
        now = self._clock()
        self.add(store.tenant_id, Count.API_CALLS)
        if any(
            tally.unwritten >= BLOCK or (now - tally.begun).total_seconds() >= EVERY
            for tally in self._tallies[store.tenant_id].values()
            if tally.unwritten
        ):
            await self.write(store)

    async def write(self, store: TenantStore) -> None:
        """Writes what is counted of a tenant. It is of no use to who waits for it: a failure is logged, and what could
        not be written is with the next one."""
        today = self._clock().date()
        mine = self._tallies.get(store.tenant_id, {})
        for day, tally in list(mine.items()):
            # The sweep may have added that day up: to write it would count it twice.
            if (today - day).days > 1:
                mine.pop(day, None)
                continue
            async with tally.turn:
                said, tally.unwritten = tally.unwritten, 0
                if said and not await self._put(store, day, tally.values):
                    tally.unwritten += said
                    return
            if day < today and not tally.unwritten:
                mine.pop(day, None)

    def forget(self, tenant_id: TenantId) -> None:
        """Of a tenant that is closed nothing more is written."""
        self._tallies.pop(tenant_id, None)

    async def _put(self, store: TenantStore, day: date, values: Mapping[str, int]) -> bool:
        try:
            await store.put(Table.USAGE, f"{PREFIX}{day.isoformat()}.{self._process}", dict(values))
        except (Unavailable, Throttled):
            logger.warning("usage not written", extra={"tenant_id": store.tenant_id})
            return False
        return True

    def _tally(self, tenant_id: TenantId) -> _Tally:
        now = self._clock()
        tally = self._tallies.setdefault(tenant_id, {}).setdefault(now.date(), _Tally(now))
        if not tally.unwritten:
            tally.begun = now
        return tally


class Meter:
    """One tenant's usage, and nothing else of it: what a platform operator sees of tenants without entering them."""

    def __init__(self, store: TenantStore) -> None:
        self._store = store

    async def days(self, since: date, until: date) -> list[Day]:
        return await read_days(self._store, since, until)


async def read_days(store: TenantStore, since: date, until: date) -> list[Day]:
    """The days from `since` to `until` on which anything was counted, oldest first."""
    found: dict[date, list[Row]] = {}
    async for row in store.rows(Table.USAGE, prefix=PREFIX, after=f"{PREFIX}{since.isoformat()}"):
        day = _day_of(row.key)
        if day > until:
            break
        found.setdefault(day, []).append(row)
    return [_sum(day, rows) for day, rows in found.items()]


async def merge_days(store: TenantStore, *, today: date) -> None:
    """Makes one row of the rows of each day that is over, in one transaction: nobody reads a day twice or not at all.

    The day before counts as under way still: a process whose clock is behind may be writing its last.
    """
    rows: dict[date, list[Row]] = {}
    async for row in store.rows(Table.USAGE, prefix=PREFIX):
        if (today - _day_of(row.key)).days > 1:
            rows.setdefault(_day_of(row.key), []).append(row)
    for day, parts in rows.items():
        if len(parts) > 1:
            await _merge(store, day, parts)


async def _merge(store: TenantStore, day: date, parts: list[Row]) -> None:
    key = f"{PREFIX}{day.isoformat()}.all"
    whole = next((row for row in parts if row.key == key), None)
    others = [row for row in parts if row is not whole][:MOST_MERGED]
    total = _sum(day, [whole, *others] if whole else others)
    values: dict[str, Value] = {name: getattr(total, name) for name in (*COUNTS, *LEVELS)}
    first = (
        Operation(Write.UPDATE, key, values, whole.etag)
        if whole
        else Operation(Write.INSERT, key, values)
    )
    rest = [Operation(Write.DELETE, row.key, etag=row.etag) for row in others]
    await store.transact(Table.USAGE, [first, *rest])


def sum_days(days: Iterable[Day], day: date) -> Day:
    """Counts are added up, and of levels the most is taken; `day` is what the sum is called."""
    every = list(days)
    return Day(
        day,
        **{name: sum(getattr(one, name) for one in every) for name in COUNTS},
        resources=_most(one.resources for one in every),
        stored_bytes=_most(one.stored_bytes for one in every),
    )


def _most(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


def _sum(day: date, rows: Iterable[Row]) -> Day:
    names = {str(name) for name in (*COUNTS, *LEVELS)}
    return sum_days(
        (
            Day(day, **{name: int(value) for name, value in row.values.items() if name in names})
            for row in rows
        ),
        day,
    )


def _day_of(key: str) -> date:
    return date.fromisoformat(key.split(".")[1])
