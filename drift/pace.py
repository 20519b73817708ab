"""Resource Graph's quota, shared by all instances that read for one tenant.

Azure counts queries by principal, 15 in 5 seconds by default, and says in every answer how many are left and when the
count begins anew. Who is told that none is left writes that into the tenant's partition, so that whoever starts reading
meanwhile waits as well, instead of being refused. Hints only: a 429 is obeyed whatever the row says.

Who sees the count fall by its own queries alone reads by itself: it stops one query early, which is for whoever begins
meanwhile, and has nobody to tell, so that a large subscription costs no more rows than a small one.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta

import telemetry
from tenancy.store import Table, TenantStore

SERVICE = "Azure Resource Graph"
ROW = "pace.graph"  # in the table of subscriptions: one tenant reads with one identity at a time
LONGEST_WAIT = 60.0  # seconds; also what a wrong clock can cost at most
FEW = 3  # queries left: where others are reading, too, the row is worth a look before each query
# Until the row is read again while others are reading and there is plenty.
OUTDATED = timedelta(seconds=30)


def utc_now() -> datetime:
    return datetime.now(UTC)


class Pace:
    """When the next query may be sent. Without a store it knows of its own queries only."""

    def __init__(
        self,
        store: TenantStore | None = None,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._resumes_at: datetime | None = None
        self._read_at: datetime | None = None
        self._left: int | None = None  # queries, as the newest answer said
        self._alone = False
        self._others_at: datetime | None = None  # when others' queries were last seen in the count

    async def wait(self) -> None:
        """To be called before each query: returns when it may be sent."""
        await self._look()
        if self._resumes_at is None:
            return
        seconds = (self._resumes_at - self._clock()).total_seconds()
        self._resumes_at = None
        if seconds > 0:
            # Not all at the same moment, or the first ones leave the rest none again.
            pause = min(LONGEST_WAIT, seconds) + random.uniform(0, 0.5)  # noqa: S311
            telemetry.record(telemetry.THROTTLED, pause, service=SERVICE)
            await self._sleep(pause)

    async def note(self, headers: Mapping[str, str]) -> None:
        """What an answer says of the quota. Odd headers say nothing."""
        left = headers.get("x-ms-user-quota-remaining", "")
        seconds = read_span(headers.get("x-ms-user-quota-resets-after", ""))
        if not left.isdecimal():
            return
        before, self._left = self._left, int(left)
        if before is not None:
            self._alone = self._is_alone(before, self._left)
        if self._left > (1 if self._alone else 0) or seconds is None:
            return
        self._resumes_at = self._clock() + timedelta(seconds=min(LONGEST_WAIT, seconds))
        if self._store is not None and not self._alone:
            await self._store.put(Table.SUBSCRIPTION, ROW, {"resumes_at": self._resumes_at})

    async def _look(self) -> None:
        now = self._clock()
        if self._store is None or self._knows(now):
            return
        self._read_at = now
        row = await self._store.find(Table.SUBSCRIPTION, ROW)
        if row is not None and row.values["resumes_at"] > now:
            self._resumes_at = row.values["resumes_at"]

    def _is_alone(self, before: int, left: int) -> bool:
        """Whether the count falls by these queries alone, and did so for a while."""
        now = self._clock()
        if left < before - 1:
            self._others_at = now
        if self._others_at is not None and now - self._others_at < OUTDATED:
            return False
        # When the count began anew it is higher: that says nothing, for nobody says how many there are in all.
        return self._alone or left == before - 1

    def _knows(self, now: datetime) -> bool:
        """Whether the row says nothing that matters and is not known."""
        if self._read_at is None or self._alone:
            return self._read_at is not None
        plenty = self._left is None or self._left > FEW
        return now - self._read_at < OUTDATED and plenty


def read_span(text: str) -> float | None:
    """Seconds of a span such as 00:00:03. None for anything else."""
    parts = text.split(":")
    if len(parts) != 3 or not all(part.replace(".", "", 1).isdecimal() for part in parts):
        return None
    hours, minutes, seconds = (float(part) for part in parts)
    return hours * 3600 + minutes * 60 + seconds
