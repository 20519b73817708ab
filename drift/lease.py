"""One scan at a time per subscription: a lease row that expires, with a fencing number that only grows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from errors import Conflict, Stale
from tenancy.ids import SubscriptionId
from tenancy.rows import Value
from tenancy.store import Table, TenantStore

LEASE_SECONDS = 300


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
    key = f"lease.{subscription_id}"
    row = await store.find(Table.SUBSCRIPTION, key)
    fence = row.values["fence"] + 1 if row else 1
    if row and row.values["expires_at"] > now:
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


async def renew(store: TenantStore, lease: Lease, *, now: datetime) -> Lease:
    """Extends the lease. Raises Stale when it was lost: the holder must stop without writing more."""
    values = _values(lease.holder, lease.fence, now + timedelta(seconds=LEASE_SECONDS))
    etag = await store.update(Table.SUBSCRIPTION, lease.key, values, etag=lease.etag)
    return Lease(lease.key, lease.holder, lease.fence, etag)


async def release(store: TenantStore, lease: Lease, *, now: datetime) -> None:
    """Gives the lease back; one that was lost meanwhile is somebody else's and stays."""
    values = _values(lease.holder, lease.fence, now)
    try:
        await store.update(Table.SUBSCRIPTION, lease.key, values, etag=lease.etag)
    except Stale:
        return


def _values(holder: str, fence: int, expires_at: datetime) -> dict[str, Value]:
    return {"holder": holder, "fence": fence, "expires_at": expires_at}
