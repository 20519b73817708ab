"""Changes that lead back to a part of the page they were made on: it shows how things are now."""

from __future__ import annotations

from playwright.async_api import expect

from tests.drift.watched import Watched
from tests.web.conftest import OpenPage


async def test_connection_that_was_replaced_is_shown_and_can_be_replaced_again(
    tenant: Watched, open_page: OpenPage
) -> None:
    page = await open_page(tenant.organisation.admin_header, f"/t/{tenant.tenant_id}/settings")
    version = page.locator("#connection input[name=etag]")  # of what the page shows
    for year in ("2098", "2099"):
        before = await version.input_value()
        await page.get_by_text("Replace it").click()
        await page.get_by_label("Secret, or certificate").fill(tenant.organisation.secret)
        await page.get_by_label("The secret ends on").fill(f"{year}-05-01")
        await page.get_by_role("button", name="Try it and keep it").click()
        await expect(version).not_to_have_value(before)
        assert page.url.endswith("/settings#connection")
    kept = await tenant.api.request("GET", "/api/connection")
    assert kept["secretExpiresAt"].startswith("2099-05-01")


async def test_export_that_was_asked_for_is_in_the_list(
    tenant: Watched, open_page: OpenPage
) -> None:
    page = await open_page(tenant.organisation.admin_header, f"/t/{tenant.tenant_id}/backups")
    await page.get_by_role("button", name="Make an export").click()
    await expect(page.locator("#export tbody tr")).to_have_count(1)
    assert page.url.endswith("/backups#export")
