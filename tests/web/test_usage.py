"""The pages of usage: what a tenant's admin sees, and what the platform operator sets."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import expect

from drift.scans import Scan, ScanStatus, create_scan, scan_id_of
from tenancy.access import serve
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tenancy.records import change_tenant
from tenancy.store import Table
from tests.drift.conftest import NewTenant
from tests.drift.watched import Watched
from tests.web.conftest import SECONDS, OpenPage
from tests.web.operators import operator_header
from web.charts import THICKEST
from web.wording import amount


@pytest.fixture(autouse=True)
def patient() -> None:
    expect.set_options(timeout=SECONDS * 1000)


async def count(deployment: Deployment, tenant: Watched, days_ago: int, **values: int) -> str:
    context = await serve(deployment, TenantId(tenant.tenant_id))
    day = (datetime.now(UTC) - timedelta(days=days_ago)).date().isoformat()
    await context.store.put(Table.USAGE, f"day.{day}.test", values)
    return day


async def test_admin_sees_each_day_the_sum_and_the_chart(
    tenant: Watched, deployment: Deployment, open_page: OpenPage
) -> None:
    old = await count(deployment, tenant, 20, scans=2, arm_calls=1234, stored_bytes=2_500_000)
    new = await count(deployment, tenant, 3, scans=3, graph_calls=7)
    page = await open_page(tenant.organisation.admin_header, f"/t/{tenant.tenant_id}/usage")
    rows = page.locator("tbody tr")
    row = rows.filter(has_text=old)
    await expect(row).to_contain_text("1,234")
    await expect(row).to_contain_text("2.5 MB")
    await expect(rows.filter(has_text=new)).to_contain_text("not measured")
    await expect(rows.last).to_contain_text("Together")
    await expect(page.get_by_role("img", name="Calls to Azure by day")).to_be_visible()
    await expect(page.get_by_text("Scans today: ")).to_contain_text("of no limit")
    await page.get_by_role("link", name="7 days").click()
    await expect(rows.filter(has_text=old)).to_have_count(0)
    await expect(rows.filter(has_text=new)).to_have_count(1)


async def test_before_the_first_night_nothing_is_said_to_be_stored(
    tenant: Watched, open_page: OpenPage, settings: Any
) -> None:
    """And one day is one bar, where it belongs in the month: not a wall."""
    today = await count_calls(tenant)
    page = await open_page(tenant.organisation.admin_header, f"/t/{tenant.tenant_id}/usage")
    await expect(page.locator("li", has_text="Stored: ")).to_contain_text("not measured yet")
    await expect(page.locator("tbody tr").last).to_contain_text("not measured")
    await expect(page.get_by_text("0 B")).to_have_count(0)
    bar = page.locator(".chart .bar")
    await expect(bar).to_have_count(1)
    assert float(str(await bar.get_attribute("width"))) < 20
    assert float(str(await bar.get_attribute("x"))) > 590  # the newest of 30 days is on the right
    await expect(page.locator(".chart")).to_contain_text(today)
    await page.get_by_role("link", name="7 days").click()
    await page.wait_for_url("**days=7")
    assert float(str(await bar.get_attribute("width"))) <= THICKEST


async def count_calls(tenant: Watched) -> str:
    """Until what was counted of the scans is there to be seen."""
    (day,) = (await tenant.api.request("GET", "/api/usage"))["value"]
    assert day["graphCalls"] > 0
    return str(day["day"])


async def test_operator_sets_quotas_and_the_admin_sees_that_one_is_used_up(
    tenant: Watched, open_page: OpenPage, settings: Any
) -> None:
    """Its one scan read four resources."""
    page = await open_page(operator_header(settings), "/platform")
    await page.get_by_role("link", name="Usage and quotas").click()
    name = tenant.organisation.tenant_body()["name"]
    panel = page.locator("section", has=page.get_by_role("heading", name=name))
    while await panel.count() == 0:
        await page.get_by_role("link", name="More tenants").click()
        await page.wait_for_load_state("networkidle")
    await panel.locator("summary").click()
    await panel.get_by_label("Resources", exact=True).fill("3")
    await panel.get_by_role("button", name="Save").click()
    await expect(panel.locator("li", has_text="Resources: ")).to_contain_text("4 of 3")
    stored = (await tenant.rows("tenant"))["tenant", "tenant"]
    assert stored["quota_resources"] == 3
    assert "quota_scans_a_day" not in stored
    admin = await open_page(tenant.organisation.admin_header, f"/t/{tenant.tenant_id}/usage")
    line = admin.locator("li", has_text="Resources: ")
    await expect(line).to_contain_text("4 of 3")
    await expect(line).to_contain_text("used up")
    await expect(admin.get_by_role("button", name="Save")).to_have_count(0)
    await page.goto(f"/platform?after={before(tenant.tenant_id)}")
    row = page.locator("tbody tr", has_text=name)
    await expect(row).to_contain_text("Resources: 133 %")
    await expect(row).to_contain_text("used up")
    await expect(row.locator("time").first).to_contain_text("just now")


async def test_operator_sees_which_tenant_is_out_of_date(
    new_tenant: NewTenant, deployment: Deployment, open_page: OpenPage, settings: Any
) -> None:
    tenant = await new_tenant()
    context = await serve(deployment, TenantId(tenant.tenant_id))
    at = datetime.now(UTC) - timedelta(days=3)
    scan_id = scan_id_of(context.tenant.tenant_id, at, "schedule")
    scan = Scan(scan_id, ScanStatus.COMPLETE, "schedule", "", at, at, at, subscriptions=1)
    await create_scan(context.store, scan)
    await change_tenant(context, lambda one: replace(one, schedule="0 3 * * *"))
    path = f"/platform?after={before(tenant.tenant_id)}"
    page = await open_page(operator_header(settings), path)
    row = page.locator("tbody tr").first
    await expect(row).to_contain_text("3 days ago")
    await expect(row).to_contain_text("out of date")
    await expect(row).to_contain_text("no limit")


def before(tenant_id: str) -> str:
    """The greatest id that comes before a tenant's, so that a page begins with it."""
    return str(uuid.UUID(int=uuid.UUID(tenant_id).int - 1))


@pytest.mark.parametrize(
    ("value", "name", "shown"),
    [
        (0, "storedBytes", "0 B"),
        (None, "storedBytes", "not measured yet"),
        (999, "storedBytes", "999 B"),
        (1000, "storedBytes", "1.0 kB"),
        (5_000_000_000, "storedBytes", "5.0 GB"),
        (1234567, "resources", "1,234,567"),
    ],
)
def test_amounts_are_short(value: int | None, name: str, shown: str) -> None:
    assert amount(value, name) == shown
