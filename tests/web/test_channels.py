"""Channels in a browser: added, tested, seen to work, sent again, snoozed; and read by who may only read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
from playwright.async_api import expect

from drift.channels.delivery import CLAIM, DELAYS
from drift.channels.rows import get_delivery, save_delivery
from tenancy.access import serve
from tenancy.ids import TenantId
from tests.drift.channels.conftest import SIGNING_KEY, log_of
from tests.drift.channels.receivers import Receiver, receiving
from tests.drift.watched import Watched
from tests.web.conftest import OpenPage


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_admin_adds_a_webhook_tests_it_and_sends_again(
    drifted: Watched, open_page: OpenPage, receiver: Receiver
) -> None:
    home = f"/t/{drifted.tenant_id}"
    page = await open_page(drifted.organisation.admin_header, f"{home}/channels")
    await page.get_by_role("link", name="Webhook", exact=True).click()
    await page.get_by_label("Name", exact=True).fill("our hook")
    await page.get_by_label("Address").fill(receiver.url)
    await page.get_by_label("Signing key").fill("no key")
    await page.get_by_role("button", name="Add the channel").click()
    await expect(page.get_by_text("signingKey must be whsec_")).to_be_visible()
    await page.get_by_label("Signing key").fill(SIGNING_KEY)
    await page.get_by_role("button", name="Add the channel").click()
    await expect(page.get_by_role("heading", name="our hook")).to_be_visible()
    assert "s3cr3t" not in await page.content()
    await page.get_by_role("button", name="Test it").click()
    await expect(page.get_by_text("on its way")).to_be_visible()
    assert await drifted.host.drain() == []
    await expect(page.locator("#log .badge")).to_have_text("✓delivered")
    assert receiver.received[0].json["type"] == "azuredriftdetector.drift.test.v1"
    await page.get_by_role("button", name="Send again").click()
    await expect(page.get_by_text("on its way")).to_be_visible()
    assert await drifted.host.drain() == []
    await expect(page.get_by_text("2 tries")).to_be_visible()
    first, second = receiver.received
    assert first.body == second.body
    await page.get_by_role("button", name="Hold everything").click()
    await expect(page.get_by_text("Held until")).to_be_visible()
    await page.get_by_role("button", name="End the snooze").click()
    await expect(page.get_by_role("button", name="Hold everything")).to_be_visible()
    await page.get_by_label("Name", exact=True).fill("renamed")
    await page.get_by_label("enabled").uncheck()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="renamed")).to_be_visible()
    (channel,) = (await drifted.api.request("GET", "/api/channels"))["value"]
    assert (channel["name"], channel["enabled"], channel["snoozedUntil"]) == (
        "renamed",
        False,
        None,
    )
    await page.get_by_role("button", name="Remove the channel").click()
    await expect(page.get_by_text("No channel yet")).to_be_visible()


async def test_log_goes_on_being_read_while_a_delivery_is_tried(
    drifted: Watched, admin: httpx.AsyncClient
) -> None:
    """Who tries it claims it for longer than a page waits for the next try."""
    given = {"name": "pager", "kind": "pagerduty", "target": {"key": "routing"}}
    channel = await drifted.api.request("POST", "/api/channels", given)
    await drifted.api.request("POST", f"/api/channels/{channel['id']}/test")
    (queued,) = await log_of(drifted, channel)
    store = (await serve(drifted.host.deployment, TenantId(drifted.tenant_id))).store
    stored = await get_delivery(store, queued["id"])
    log = f"/t/{drifted.tenant_id}/channels/{channel['id']}/log"
    late = CLAIM + timedelta(seconds=10)  # claimed while the page was on its way
    for due_at, read_on in ((CLAIM, True), (late, True), (timedelta(seconds=DELAYS[1]), False)):
        due = datetime.now(UTC) + due_at
        etag = await save_delivery(store, replace(stored.delivery, due_at=due), etag=stored.etag)
        stored = replace(stored, etag=etag)
        assert ("every 2s" in (await admin.get(log)).text) is read_on


async def test_operator_adds_and_ends_a_maintenance_window(
    drifted: Watched, open_page: OpenPage, header_of: Any
) -> None:
    page = await open_page(await header_of("operator"), f"/t/{drifted.tenant_id}/channels")
    await page.get_by_text("Add a maintenance window").click()
    await page.get_by_label("Name", exact=True).fill("Release 42")
    for label, value in (("From day", "2099-05-30"), ("Until day", "2099-05-30")):
        await page.get_by_label(label).fill(value)
    await page.locator("#starts-at").fill("18:00")
    await page.locator("#ends-at").fill("20:00")
    await page.get_by_label("Deployers").fill("pipeline@contoso.com")
    await page.get_by_role("button", name="Add the window").click()
    await expect(page.get_by_role("cell", name="Release 42 Operator")).to_be_visible()
    (window,) = (await drifted.api.request("GET", "/api/maintenance-windows"))["value"]
    assert (window["startsAt"], window["endsAt"]) == (
        "2099-05-30T18:00:00Z",
        "2099-05-30T20:00:00Z",
    )
    await page.get_by_role("button", name="Remove").click()
    await expect(page.get_by_text("None.")).to_be_visible()


async def test_viewer_reads_channels_without_a_script(
    drifted: Watched, open_page: OpenPage, header_of: Any
) -> None:
    given = {"name": "pager", "kind": "pagerduty", "target": {"key": "routing"}}
    await drifted.api.request("POST", "/api/channels", given)
    home = f"/t/{drifted.tenant_id}"
    page = await open_page(await header_of("viewer"), f"{home}/channels", java_script_enabled=False)
    await page.get_by_role("link", name="pager").click()
    await expect(page.get_by_role("heading", name="Delivery log")).to_be_visible()
    await expect(page.get_by_text("events.pagerduty.com")).to_be_visible()
    assert await page.get_by_role("button", name="Test it").count() == 0


async def test_finding_is_snoozed_on_its_page(drifted: Watched, open_page: OpenPage) -> None:
    finding, *_ = await drifted.findings("?severity=high")
    path = f"/t/{drifted.tenant_id}/findings/{finding['id']}"
    page = await open_page(drifted.organisation.admin_header, path)
    await page.get_by_role("button", name="Snooze", exact=True).click()
    await expect(page.get_by_text("No channel is told of it until")).to_be_visible()
    shown = await drifted.api.request("GET", f"/api/findings/{finding['id']}")
    assert shown["snoozedUntil"]
    await page.get_by_role("button", name="End the snooze").click()
    await expect(page.get_by_role("button", name="Snooze", exact=True)).to_be_visible()
