"""The inbox in the pages: what was told, with names, also where nobody looked outside."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.async_api import expect

from drift import notices
from tenancy.access import serve
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tests.drift.watched import Watched
from tests.web.conftest import OpenPage
from web import notices as page_of_notices


async def test_inbox_names_what_was_told_and_leads_to_it(
    drifted: Watched, open_page: OpenPage
) -> None:
    (finding,) = await drifted.findings("?severity=high")
    page = await open_page(drifted.organisation.admin_header, f"/t/{drifted.tenant_id}/channels")
    await page.get_by_role("link", name="The inbox").click()
    (row,) = await page.locator("tbody tr").all()
    await expect(row).to_contain_text("opened")
    await expect(row).to_contain_text("told")
    await expect(row).to_contain_text(finding["resourceId"].rpartition("/")[2])
    await row.get_by_role("link", name=finding["changes"][0]["title"]).click()
    await page.wait_for_url(f"**/findings/{finding['id']}")


async def test_long_notice_shows_the_first_and_says_how_many_more(
    drifted: Watched, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_of_notices, "TOLD", 0)
    page = await open_page(drifted.organisation.admin_header, f"/t/{drifted.tenant_id}/notices")
    await expect(page.locator("tbody tr")).to_contain_text("and 1 more finding")


async def test_what_is_of_no_finding_is_told_in_words(
    tenant: Watched, deployment: Deployment, open_page: OpenPage
) -> None:
    page = await open_page(tenant.organisation.admin_header, f"/t/{tenant.tenant_id}/notices")
    await expect(page.locator("main")).to_contain_text("No notice yet")
    context = await serve(deployment, TenantId(tenant.tenant_id))
    await notices.announce(context, "0.test", "The <secret> ends soon.", now=datetime.now(UTC))
    assert await tenant.host.drain() == []
    await page.reload()
    await expect(page.locator("tbody tr")).to_contain_text("The <secret> ends soon.")
    await expect(page.locator("tbody tr")).to_contain_text("the whole tenant")
