"""One scan at a time per subscription: a lease row that expires, with a fencing number that only grows.

Who brings its part to an end under the lease gives it back by that: the row stays as it is, which saves a scan a write.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from drift.scans import ScanStatus, find_part
from errors import Conflict, NotFound, Stale
from tenancy.ids import SubscriptionId
from tenancy.rows import Row, Value
from tenancy.store import Table, TenantStore

LEASE_SECONDS = 300
PREFIX = "lease."
GIVEN_BACK = frozenset(
    # Nobody but the holder of the lease gives its part one of these, and it is the last that it writes.
    {ScanStatus.COMPLETE, ScanStatus.INCOMPLETE}
)
LOOK_SECONDS = 10  # until the holder looks again whether anybody still wants its work


@dataclass(frozen=True, slots=True)
class Lease:
    key: str
    holder: str
    fence: int  # grows with every holder: a later holder's writes win over an earlier one's
    etag: str


class Busy(Conflict):
    """Somebody else holds the lease; `retry_after` is when it ends at the latest."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("The subscription is being scanned right now.")
        self.retry_after = retry_after


async def acquire(
    store: TenantStore, subscription_id: SubscriptionId, holder: str, *, now: datetime
) -> Lease:
    """Takes the lease for LEASE_SECONDS. Raises Busy while somebody else's is still good."""
    key = f"{PREFIX}{subscription_id}"
    row = await store.find(Table.SUBSCRIPTION, key)
    fence = row.values["fence"] + 1 if row else 1
    if row and await is_held(store, row, now=now):
        raise Busy((row.values["expires_at"] - now).total_seconds())
    values = _values(holder, fence, now + timedelta(seconds=LEASE_SECONDS))
    try:
        if row is None:
            etag = await store.insert(Table.SUBSCRIPTION, key, values)
        else:
            etag = await store.update(Table.SUBSCRIPTION, key, values, etag=row.etag)
    except Conflict as error:
        raise Busy(LEASE_SECONDS) from error
    return Lease(key, holder, fence, etag)


async def is_held(store: TenantStore, lease: Row, *, now: datetime) -> bool:
    """Whether somebody may be at work under a lease. The part is read only while the time of the lease is not over."""
    if lease.values["expires_at"] <= now:
        return False
    part = await find_part(store, lease.values["holder"], lease.key.removeprefix(PREFIX))
    return part is None or part.status not in GIVEN_BACK


class LeaseLostError(Exception):
    """The holder must stop without writing more. Not a DriftError: nothing about Azure or the tenant is wrong, so no
    scan ends with it as its reason; the message is tried again."""


class TenantClosedError(Exception):
    """The tenant was suspended or deleted while its holder worked: it stops, and its message is dropped."""


class ConnectionRemovedError(Exception):
    """The connection whose token the holder has was removed: it stops, and its scan ends with that as its reason. Not a
    DriftError either: it must not pass for one source that could not be read while the others still can."""

    message = "The connection to Azure was removed while the subscription was being scanned."


async def _unwatched() -> None:
    """For a holder whose caller waits for it: the request itself was let in."""


class LeaseKeeper:
    """Keeps a lease alive while its holder works, and gives it back."""

    def __init__(
        self,
        store: TenantStore,
        lease: Lease,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._lease = lease
        self._clock = clock
        self._watch: Callable[[], Awaitable[None]] = _unwatched
        self._renew_at = clock() + timedelta(seconds=LEASE_SECONDS / 3)
        self._look_at = clock() + timedelta(seconds=LOOK_SECONDS)

    @property
    def fence(self) -> int:
        return self._lease.fence

    def watch(self, look: Callable[[], Awaitable[None]]) -> None:
        """`look` raises NotFound or Conflict once the tenant is closed, ConnectionRemovedError once its connection is
        gone. It reads rows, so it is asked every LOOK_SECONDS and before each commit, and not at every step."""
        self._watch = look

    async def keep(self) -> None:
        """To be called at every step: looks when it is time to, and renews when a third of the lease is over.

        Raises LeaseLostError, ConnectionRemovedError, or TenantClosedError when nobody wants the work any more.
        """
        if self._clock() >= self._look_at:
            await self._look()
        await self._renew()

    async def before_commit(self) -> None:
        """The same, and looks in any case: nothing is written for a tenant that is closed by now."""
        await self._look()
        await self._renew()

    async def _look(self) -> None:
        try:
            await self._watch()
        except (NotFound, Conflict) as error:
            raise TenantClosedError from error
        self._look_at = self._clock() + timedelta(seconds=LOOK_SECONDS)

    async def _renew(self) -> None:
        if self._clock() >= self._renew_at:
            try:
                await self._extend(timedelta(seconds=LEASE_SECONDS))
            except Stale as error:
                raise LeaseLostError("Another scan took the subscription's lease.") from error
            self._renew_at = self._clock() + timedelta(seconds=LEASE_SECONDS / 3)

    async def release(self) -> None:
        """Gives the lease back; one that was lost meanwhile is somebody else's or erased, and stays so."""
        with contextlib.suppress(Stale, NotFound):
            await self._extend(timedelta(0))

    async def _extend(self, time: timedelta) -> None:
        lease = self._lease
        values = _values(lease.holder, lease.fence, self._clock() + time)
        etag = await self._store.update(Table.SUBSCRIPTION, lease.key, values, etag=lease.etag)
        self._lease = replace(lease, etag=etag)


def _values(holder: str, fence: int, expires_at: datetime) -> dict[str, Value]:
    return {"holder": holder, "fence": fence, "expires_at": expires_at}
