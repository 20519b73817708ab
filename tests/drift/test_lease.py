"""Who holds a subscription's lease, and when it is given back: by the end of the holder's part, with no write. I05."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from drift import lease as leases
from drift.scans import Part, ScanStatus, save_part
from tenancy.access import serve
from tenancy.ids import SubscriptionId
from tenancy.store import Table, TenantStore

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SUBSCRIPTION = SubscriptionId("00000000-0000-0000-0000-000000000001")


@pytest.fixture
async def store(tenant) -> TenantStore:
    return (await serve(tenant.host.deployment, tenant.tenant_id)).store


async def acquire(store: TenantStore, holder: str, *, seconds: float = 0.0) -> leases.Lease:
    return await leases.acquire(store, SUBSCRIPTION, holder, now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("status", [ScanStatus.COMPLETE, ScanStatus.INCOMPLETE])
async def test_part_that_its_holder_ended_gives_the_lease_back(store: TenantStore, status) -> None:
    first = await acquire(store, "a")
    await save_part(store, Part("a", SUBSCRIPTION, ScanStatus.RUNNING))
    with pytest.raises(leases.Busy):
        await acquire(store, "b", seconds=1)
    await save_part(store, Part("a", SUBSCRIPTION, status))
    second = await acquire(store, "b", seconds=2)
    assert second.fence == first.fence + 1


@pytest.mark.parametrize(
    "status", [ScanStatus.QUEUED, ScanStatus.RUNNING, ScanStatus.FAILED, ScanStatus.CANCELLED, None]
)
async def test_part_that_somebody_else_ended_does_not(store: TenantStore, status) -> None:
    """Its holder may be at work still, until the time of the lease is over."""
    await acquire(store, "a")
    if status:
        await save_part(store, Part("a", SUBSCRIPTION, status))
    with pytest.raises(leases.Busy) as busy:
        await acquire(store, "b", seconds=leases.LEASE_SECONDS - 1)
    assert busy.value.retry_after == 1
    await acquire(store, "b", seconds=leases.LEASE_SECONDS)


async def test_end_of_a_scan_before_gives_nothing_back(store: TenantStore) -> None:
    """The part of the scan that holds the lease counts, of the same subscription."""
    await save_part(store, Part("a", SUBSCRIPTION, ScanStatus.COMPLETE))
    other = SubscriptionId("00000000-0000-0000-0000-000000000002")
    await save_part(store, Part("b", other, ScanStatus.COMPLETE))
    await acquire(store, "b")
    with pytest.raises(leases.Busy):
        await acquire(store, "c", seconds=1)


async def test_scan_leaves_the_row_of_its_lease_as_it_took_it(tenant) -> None:
    """One write a scan, and the next scan need not wait for the time to be over."""
    await tenant.scan()
    key = ("subscription", f"lease.{tenant.subscription_id}")
    first = (await tenant.rows(Table.SUBSCRIPTION))[key]
    assert first["expires_at"] > datetime.now(UTC)
    assert (await tenant.scan())["status"] == "complete"
    second = (await tenant.rows(Table.SUBSCRIPTION))[key]
    assert second["fence"] == first["fence"] + 1
