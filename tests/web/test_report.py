"""The report: the same numbers as the overview, one file that needs nothing else, a PDF; what is unknown is said."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2 as httpx
from playwright.async_api import Page

from tests.drift.reported import PAYLOAD
from tests.drift.watched import Watched
from tests.web.conftest import OpenPage


async def test_file_opened_from_a_disk_asks_for_nothing_and_prints(
    drifted: Watched, open_page: OpenPage, url: str, tmp_path: Path
) -> None:
    await drifted.azure.edit(drifted.account("alpha")["id"], set={"/tags/team": PAYLOAD})
    await drifted.put_subscription(displayName=PAYLOAD)
    await drifted.scan()
    headers = {"X-MS-CLIENT-PRINCIPAL": drifted.organisation.admin_header}
    async with httpx.AsyncClient(base_url=url, headers=headers) as client:
        saved = await client.get(f"/t/{drifted.tenant_id}/report/file")
    assert saved.status_code == 200
    file = tmp_path / "report.html"
    file.write_bytes(saved.content)
    page = await open_page("", file.as_uri())
    assert await asked_for(page) == [file.as_uri()]
    assert await page.locator("img, script").count() == 0
    assert "onerror" in await page.locator("main").inner_text()
    assert await page.title() == f"Drift report: {drifted.organisation.tenant_body()['name']}"
    colour = "getComputedStyle(document.querySelector('.badge.high')).backgroundColor"
    assert await page.evaluate(colour) != "rgba(0, 0, 0, 0)"  # the style in it counts
    pdf = await page.pdf(format="A4")
    assert pdf.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", pdf)) >= 1


async def asked_for(page: Page) -> list[str]:
    """The addresses that the page loads when it is opened again."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.reload(wait_until="networkidle")
    return asked


async def test_page_has_the_report_and_all_files_to_take_away(
    drifted: Watched, open_page: OpenPage
) -> None:
    home = f"/t/{drifted.tenant_id}"
    page = await open_page(drifted.organisation.admin_header, f"{home}/report")
    assert await page.get_by_role("heading", name="Coverage, and what is unknown").count() == 1
    links = page.locator(".actions a")
    found = [await link.get_attribute("href") for link in await links.all()]
    assert len(found) == 5
    for address in found:
        answer = await page.request.get(address or "")
        assert answer.status == 200, address


async def test_unknown_is_never_called_in_sync(
    drifted: Watched, open_page: OpenPage, header_of: Any
) -> None:
    for finding in await drifted.findings("?status=open"):
        await drifted.decide(finding, "accept", reason="agreed")
    page = await open_page(await header_of("viewer"), f"/t/{drifted.tenant_id}/report")
    main = page.locator("main")
    assert "1 of 1 monitored subscription is in sync with its baseline" in await main.inner_text()
    await drifted.put_subscription(readers=[])
    await drifted.scan()
    await page.reload()
    text = await main.inner_text()
    assert "Not everything is known." in text
    assert "in sync" not in text
    assert "agreed" in text
