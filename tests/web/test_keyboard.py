"""Without a mouse from the overview to an accepted finding: what has the focus is seen, and everything is reached."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.drift.watched import Watched
from tests.web.conftest import OpenPage

MOST_STEPS = 80  # of Tab, to anything on a page
FOCUSED = """() => {
  const one = document.activeElement;
  const look = getComputedStyle(one);
  return {
    name: (one.getAttribute("aria-label") || one.labels?.[0]?.textContent || one.textContent).trim(),
    seen: look.outlineStyle !== "none" && parseFloat(look.outlineWidth) > 0,
  };
}"""


async def tab_to(page: Page, name: str) -> None:
    """Presses Tab until what is named has the focus; each thing on the way shows that it has it."""
    met = []
    for _ in range(MOST_STEPS):
        await page.keyboard.press("Tab")
        focused = await page.evaluate(FOCUSED)
        met.append(focused["name"])
        assert focused["seen"], f"nobody sees where the focus is: {focused['name']}"
        if focused["name"].startswith(name):
            return
    raise AssertionError(f"Tab never comes to {name}, only to {met}")


async def test_a_finding_is_found_understood_and_accepted_without_a_mouse(
    drifted: Watched, open_page: OpenPage
) -> None:
    (finding,) = await drifted.findings("?severity=high&status=open")
    page = await open_page(drifted.organisation.admin_header, f"/t/{drifted.tenant_id}/")
    await tab_to(page, "Skip to the content")
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"
    await tab_to(page, finding["changes"][0]["title"])
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/findings/{finding['id']}")
    await tab_to(page, "In one column")
    await page.keyboard.press("Enter")
    await expect(page.locator(".diff:not(.split)")).to_be_visible()
    await tab_to(page, "Reason")
    await page.keyboard.type("the shop window is public")
    await tab_to(page, "Accept until")
    await tab_to(page, "Accept")
    while await page.evaluate("document.activeElement.tagName") != "BUTTON":
        await page.keyboard.press("Tab")  # a field of a day has several stops
    await page.keyboard.press("Enter")
    await expect(page.locator("#decision")).to_contain_text("the shop window is public")
    stored = await drifted.api.request("GET", f"/api/findings/{finding['id']}")
    assert stored["status"] == "accepted"


async def test_the_list_is_worked_by_single_keys(drifted: Watched, open_page: OpenPage) -> None:
    path = f"/t/{drifted.tenant_id}/findings"
    page = await open_page(drifted.organisation.admin_header, path)
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_contain_text("next, previous finding")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("k")
    first = page.locator("tr[data-row]").first
    await expect(first).to_have_class("current")
    await page.keyboard.press("x")
    await expect(first.locator("input")).to_be_checked()
    await page.keyboard.press("o")
    await page.wait_for_url("**/findings/*.*")
