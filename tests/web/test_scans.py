"""The page of a scan while it is at work: how far each subscription is likely to be."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from playwright.async_api import expect

from drift.scans import Part, Scan, ScanStatus, create_scan, save_part, scan_id_of
from tenancy.access import serve
from tenancy.deployment import Deployment
from tenancy.ids import SubscriptionId, TenantId
from tenancy.store import TenantStore
from tests.drift.watched import Watched
from tests.web.conftest import OpenPage


async def put_scan(store: TenantStore, status: ScanStatus, at: datetime, *parts: Part) -> str:
    scan_id = scan_id_of(store.tenant_id, at, "manual")
    await create_scan(store, Scan(scan_id, status, "manual", "Ada", at, at + timedelta(hours=1)))
    for part in parts:
        await save_part(store, replace(part, scan_id=scan_id))
    return scan_id


async def test_what_is_being_read_is_shown_by_the_time_that_it_took_before(
    tenant: Watched, deployment: Deployment, open_page: OpenPage
) -> None:
    """One that was cut off says nothing, and of one that was never read nobody knows."""
    store = (await serve(deployment, TenantId(tenant.tenant_id))).store
    now = datetime.now(UTC)
    known, new = (SubscriptionId(str(uuid.uuid4())) for _ in range(2))
    for hours, status, minutes in ((3, "complete", 9), (2, "complete", 4), (1, "incomplete", 1)):
        at = now - timedelta(hours=hours)
        part = Part("", known, ScanStatus(status), at, at + timedelta(minutes=minutes))
        await put_scan(store, ScanStatus(status), at, part)
    begun = now - timedelta(minutes=1, seconds=1)
    running = (Part("", one, ScanStatus.RUNNING, begun) for one in (known, new))
    scan_id = await put_scan(store, ScanStatus.RUNNING, now, *running)
    header = tenant.organisation.admin_header
    page = await open_page(header, f"/t/{tenant.tenant_id}/scans/{scan_id}")
    section = page.get_by_role("region", name=known)
    await expect(section).to_contain_text("read for 1 minute; the last time it took 4 minutes")
    value = await section.get_by_role("progressbar").get_attribute("value")
    assert value is not None
    assert 0.25 <= float(value) <= 0.45
    section = page.get_by_role("region", name=new)
    await expect(section).to_contain_text("It has been read for 1 minute.")
    assert await section.get_by_role("progressbar").get_attribute("value") is None


async def test_what_takes_longer_than_before_is_not_called_done(
    tenant: Watched, deployment: Deployment, open_page: OpenPage
) -> None:
    store = (await serve(deployment, TenantId(tenant.tenant_id))).store
    now, known = datetime.now(UTC), SubscriptionId(str(uuid.uuid4()))
    at = now - timedelta(hours=1)
    part = Part("", known, ScanStatus.COMPLETE, at, at + timedelta(seconds=30))
    await put_scan(store, ScanStatus.COMPLETE, at, part)
    running = Part("", known, ScanStatus.RUNNING, now - timedelta(minutes=5))
    scan_id = await put_scan(store, ScanStatus.RUNNING, now, running)
    header = tenant.organisation.admin_header
    page = await open_page(header, f"/t/{tenant.tenant_id}/scans/{scan_id}")
    bar = page.get_by_role("region", name=known).get_by_role("progressbar")
    assert await bar.get_attribute("value") == "0.95"
