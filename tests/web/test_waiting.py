"""Nothing spins without a word: what takes longer than a moment says so."""

from __future__ import annotations

import asyncio

from playwright.async_api import Route, expect

from tests.drift.watched import Watched
from tests.web.conftest import OpenPage


async def test_what_takes_its_time_says_so(drifted: Watched, open_page: OpenPage) -> None:
    page = await open_page(drifted.organisation.admin_header, f"/t/{drifted.tenant_id}/baselines")
    waits = asyncio.Event()

    async def hold(route: Route) -> None:
        await waits.wait()
        await route.continue_()

    await page.route("**/baselines", hold)
    await page.get_by_label("Name").first.fill("slowly")
    await page.get_by_role("button", name="Capture").click()
    busy = page.locator("#busy")
    await expect(busy).to_be_hidden()
    await expect(busy).to_have_text("The app is working on it…")
    waits.set()
    await page.wait_for_url("**/baselines/*")
    await expect(page.locator("#busy")).to_be_hidden()
