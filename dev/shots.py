"""`dev.py shots`: screenshots of the main pages with the demo's data, small enough to live beside the documentation."""

from __future__ import annotations

import argparse
import asyncio
import base64
import sys
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from dev.browser import ARGUMENTS, ensure_browser
from dev.demo.client import ProductError
from dev.demo.organisations import CONTOSO, OPERATOR
from dev.demo.people import offered
from dev.demo.receiver import Receiver
from dev.demo.story import StoryError, tell_story
from dev.processes import ProcessError, exit_on_terminate
from dev.stack import LocalStack

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / "docs" / "pages"
DESK, PHONE = (1200, 780), (390, 780)
QUALITY = 72  # of WebP


def main() -> int:
    arguments = _arguments()
    program = ensure_browser()
    if program is None:
        return 1
    exit_on_terminate()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    try:
        with Receiver() as receiver, LocalStack(people=offered) as stack:
            asyncio.run(_take(stack, receiver, program, arguments.folder))
    except (ProcessError, ProductError, StoryError) as error:
        print(f"No screenshots: {error}", file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py shots", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where they are put")
    return parser.parse_args()


async def _take(stack: LocalStack, receiver: Receiver, program: Path, folder: Path) -> None:
    directory = stack.environment()["DRIFT_PLATFORM_DIRECTORY_ID"]
    await tell_story(stack.url, stack.admin_url, directory, receiver, _say)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        await _take_desk(browser, stack.url, folder)
        await _take_others(browser, stack.url, folder)
        await browser.close()


async def _take_desk(browser: Browser, url: str, folder: Path) -> None:
    context = await _open(browser, DESK, "light")
    page, home = await _sign_in(context, url)
    await _shoot(page, folder / "overview.webp")
    await page.goto(f"{home}findings")
    await _shoot(page, folder / "findings.webp")
    await page.locator("tr[data-row] a").first.click()
    await page.wait_for_selector(".diff")
    await _shoot(page, folder / "finding.webp")
    await page.goto(f"{home}report")
    await _shoot(page, folder / "report.webp")
    await page.goto(f"{home}scans")
    await page.locator("tbody a").first.click()
    await _shoot(page, folder / "scan.webp")
    await page.goto(f"{home}backups")
    await page.get_by_role("button", name="Make a backup now").click()
    await page.get_by_text("What is in it").wait_for()
    await page.get_by_role("button", name="Make a dry run").click()
    await page.get_by_text("let in again who is no user now").wait_for()
    await _shoot(page, folder / "backup.webp")
    await page.goto(f"{home}usage")
    await _shoot(page, folder / "usage.webp")
    await _add_channel(page, home)
    await _shoot(page, folder / "channel.webp")
    await context.close()


async def _add_channel(page: Page, home: str) -> None:
    """One that leads to nobody, so that its log has something to tell."""
    await page.goto(f"{home}channels/new?kind=pagerduty")
    await page.get_by_label("Name", exact=True).fill("On call")
    await page.get_by_label("Address").fill("https://localhost:1/v2/enqueue")
    await page.get_by_label("Routing key").fill("routing-key")
    await page.get_by_role("button", name="Add the channel").click()
    await page.get_by_role("button", name="Test it").click()
    await page.locator("#log summary").wait_for()


async def _take_others(browser: Browser, url: str, folder: Path) -> None:
    context = await _open(browser, DESK, "dark")
    page, home = await _sign_in(context, url)
    await page.goto(f"{home}findings?sort=newest")
    await _shoot(page, folder / "findings-dark.webp")
    await context.close()
    context = await _open(browser, PHONE, "light")
    page, _ = await _sign_in(context, url)
    await _shoot(page, folder / "overview-phone.webp")
    await context.close()
    context = await _open(browser, DESK, "light")
    page = await context.new_page()
    await page.goto(url)
    await page.get_by_role("button", name=f"Sign in as {OPERATOR}").click()
    await page.wait_for_url("**/platform")
    await page.goto(f"{url}/platform/usage")
    await page.locator("main summary").first.click()
    await _shoot(page, folder / "platform-usage.webp")
    await context.close()


async def _open(browser: Browser, size: tuple[int, int], scheme: str) -> BrowserContext:
    width, height = size
    return await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
    )


async def _sign_in(context: BrowserContext, url: str) -> tuple[Page, str]:
    """As contoso's admin, through the first page; and where the tenant's pages begin."""
    page = await context.new_page()
    await page.goto(url)
    await page.get_by_role("button", name=f"Sign in as {CONTOSO.admin}").click()
    await page.wait_for_url("**/t/*/")
    return page, page.url


async def _shoot(page: Page, target: Path) -> None:
    """Of what fits the window, as WebP, which Playwright itself does not offer."""
    await page.wait_for_load_state("networkidle")
    session = await page.context.new_cdp_session(page)
    how = {"format": "webp", "quality": QUALITY}
    taken = await session.send("Page.captureScreenshot", how)
    _save(target, base64.b64decode(taken["data"]))


def _save(target: Path, image: bytes) -> None:
    target.write_bytes(image)
    _say(f"{target.name}: {len(image) / 1024:.0f} KB")


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
