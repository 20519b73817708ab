"""An admin makes a backup, looks at what a restore would change, restores, and takes everything away: in a browser."""

from __future__ import annotations

import zipfile
from datetime import timedelta

import pytest
from playwright.async_api import Page, expect

from drift.backups import restoring
from tests.drift.watched import Watched
from tests.web.conftest import SECONDS, OpenPage


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    expect.set_options(timeout=SECONDS * 1000)
    monkeypatch.setattr(restoring, "ENDING", timedelta(0))  # a minute for requests under way


async def press(page: Page, button: str, tenant: Watched) -> None:
    """Presses a button that makes a job, and lets the job run."""
    async with page.expect_response(lambda answer: answer.request.method == "POST"):
        await page.get_by_role("button", name=button).click()
    assert await tenant.host.drain() == []


async def test_back_up_look_and_restore(drifted: Watched, open_page: OpenPage) -> None:
    page = await open_page(drifted.organisation.admin_header, f"/t/{drifted.tenant_id}/backups")
    main = page.locator("main")
    await expect(main).to_contain_text("None yet")
    await press(page, "Make a backup now", drifted)
    await page.wait_for_url("**/backups/*-*")
    await expect(main).to_contain_text("What is in it")  # it shows by itself that it is done
    await expect(main).to_contain_text("Make a dry run first")

    await drifted.change_settings(retention={"scans": 44})
    await press(page, "Make a dry run", drifted)
    await expect(main).to_contain_text("Nobody is let in again who is no user now")
    row = page.locator("#progress tr", has_text="settings").last
    await expect(row.locator("td")).to_have_text(["settings", "2", "0", "1", "0", "0"])

    await page.get_by_label("to confirm").fill("somebody else")
    await page.get_by_role("button", name="Restore this backup").click()
    await expect(page.get_by_role("alert")).to_contain_text("tenant's name")
    name = (await drifted.rows("tenant"))["tenant", "tenant"]["name"]
    await page.get_by_label("to confirm").fill(name)
    await press(page, "Restore this backup", drifted)
    await expect(main).to_contain_text("Restored")
    settings = await drifted.api.request("GET", "/api/settings")
    assert settings["retention"]["scans"] == 180


async def test_take_everything_away(drifted: Watched, open_page: OpenPage) -> None:
    address = f"/t/{drifted.tenant_id}/backups"
    page = await open_page(drifted.organisation.admin_header, address)
    await press(page, "Make an export", drifted)
    await page.goto(address)
    async with page.expect_download() as started:
        await page.get_by_role("link", name="Part 1").click()
    download = await started.value
    assert download.suggested_filename == "drift-export-1.zip"
    names = zipfile.ZipFile(await download.path()).namelist()
    assert {"README.md", "findings.jsonl", "audit.jsonl"} <= set(names)
