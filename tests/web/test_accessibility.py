"""Every page for everybody: no violation that axe-core can see, in light and dark, and no page wider than a phone; and
what somebody in Azure typed is text, on every page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from fastapi.routing import APIRoute
from playwright.async_api import Page, expect

from tests.drift.watched import Watched
from tests.web.conftest import OpenPage
from tests.web.operators import operator_header
from web.pages import PAGES

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RUN = "tags => axe.run(document, {runOnly: tags})"
OPEN_ALL = "document.querySelectorAll('main details').forEach(one => { one.open = true; })"
PHONE = 360
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# Routes of the pages that answer with no page of their own.
NO_PAGES = {
    "/static/{name}": "a file",
    "/switcher": "a part of the frame",
    "/t/{tenant_id}/findings/export.{suffix}": "a file",
    "/t/{tenant_id}/scans/{scan_id}/progress": "the part of a scan's page that moves",
    "/t/{tenant_id}/rules/proposals": "a part of the rules' page",
    "/t/{tenant_id}/channels/{channel_id}/log": "the part of a channel's page that moves",
    "/t/{tenant_id}/backups/exports/{export_id}/parts/{part}": "a file",
    "/t/{tenant_id}/backups/{backup_id}/progress": "the part of a backup's page that moves",
    "/platform/erasures/{tenant_id}": "of a tenant that is gone: test_erasures.py",
}
PAYLOAD = "\"><img src=x onerror=\"document.title='stolen'\"><script>document.title='stolen'</script>{{7*7}}"


@pytest.fixture
async def lived_in(drifted: Watched) -> Watched:
    """A tenant with something on every page, named as unkindly as Azure allows and worse."""
    await drifted.azure.edit(
        drifted.account("alpha")["id"],
        set={"/tags/team": PAYLOAD, "/properties/customDomain": {"name": PAYLOAD}},
        actor={"changedBy": PAYLOAD, "clientType": PAYLOAD},
    )
    await drifted.add(drifted.account("<img src=x onerror=alert(1)>"))
    await drifted.put_subscription(displayName=PAYLOAD)
    await drifted.scan()
    await drifted.capture(name=PAYLOAD, activate=False)
    rule = {"action": "ignore", "path": "/tags/*", "actor": "nobody", "reason": PAYLOAD}
    await drifted.api.request("POST", "/api/rules", {**rule, "expiresAt": "2099-01-01T00:00:00Z"})
    await add_channels(drifted)
    first, *_ = await drifted.findings("?severity=high&status=open")
    await drifted.decide(first, "acknowledge", reason=PAYLOAD)
    await keep_copies(drifted)
    await drifted.api.request("POST", f"/api/findings/{first['id']}/comments", {"text": PAYLOAD})
    await drifted.api.request("POST", "/api/invitations", {"name": PAYLOAD, "role": "viewer"})
    return drifted


async def keep_copies(tenant: Watched) -> None:
    """A backup with its dry run, and an export."""
    backup = await tenant.api.request("POST", "/api/backups")
    await tenant.api.request("POST", "/api/export")
    assert await tenant.host.drain() == []
    await tenant.api.request("POST", f"/api/backups/{backup['id']}/restore", {"dryRun": True})
    assert await tenant.host.drain() == []


async def add_channels(tenant: Watched) -> None:
    """One that failed, one that is disabled, and a window; each with as odd a name as there may be."""
    target = {"url": "https://localhost:1/x", "key": "routing"}
    channel = {"name": PAYLOAD, "kind": "pagerduty", "target": target, "tag": PAYLOAD}
    await tenant.api.request("POST", "/api/channels", channel | {"name": "off", "enabled": False})
    made = await tenant.api.request("POST", "/api/channels", channel)
    await tenant.api.request("POST", f"/api/channels/{made['id']}/test")
    await tenant.host.drain()
    window: dict[str, Any] = {"startsAt": "2099-01-01T00:00:00Z", "endsAt": "2099-01-02T00:00:00Z"}
    window |= {"name": PAYLOAD, "deployers": [PAYLOAD]}
    await tenant.api.request("POST", "/api/maintenance-windows", window)


async def addresses(tenant: Watched) -> dict[str, str]:
    home = f"/t/{tenant.tenant_id}"
    finding, *_ = await tenant.findings("?severity=high")
    baselines = (await tenant.api.request("GET", "/api/baselines"))["value"]
    (backup,) = (await tenant.api.request("GET", "/api/backups"))["value"]
    scan = (await tenant.api.request("GET", "/api/scans"))["value"][0]
    (rule,) = (await tenant.api.request("GET", "/api/rules"))["value"]
    newest, oldest = (one["id"] for one in baselines)
    channels = (await tenant.api.request("GET", "/api/channels"))["value"]
    channel = next(one["id"] for one in channels if one["name"] == PAYLOAD)
    return {
        "home": "/?all",
        "overview": f"{home}/",
        "findings": f"{home}/findings?show=all&type=&actor=a",
        "nothing found": f"{home}/findings?text=nothing-like-this",
        "finding": f"{home}/findings/{finding['id']}",
        "document": f"{home}/findings/{finding['id']}/document?view=inline",
        "report": f"{home}/report",
        "report file": f"{home}/report/file",
        "resources": f"{home}/resources",
        "resource": f"{home}/resources/{finding['resourceKey']}",
        "scans": f"{home}/scans",
        "scan": f"{home}/scans/{scan['id']}",
        "subscriptions": f"{home}/subscriptions",
        "baselines": f"{home}/baselines",
        "baseline": f"{home}/baselines/{oldest}",
        "resource of a baseline": f"{home}/baselines/{oldest}/resources/{finding['resourceKey']}",
        "comparison": f"{home}/baselines/{oldest}/compare?to={newest}",
        "rules": f"{home}/rules",
        "rule": f"{home}/rules/{rule['id']}",
        "notices": f"{home}/notices",
        "channels": f"{home}/channels",
        "channel": f"{home}/channels/{channel}",
        "new channel": f"{home}/channels/new?kind=smtp",
        "new webhook": f"{home}/channels/new?kind=webhook",
        "settings": f"{home}/settings",
        "history of the settings": f"{home}/settings/history",
        "users": f"{home}/users",
        "backups": f"{home}/backups",
        "backup": f"{home}/backups/{backup['id']}",
        "audit": f"{home}/audit",
        "usage": f"{home}/usage",
        "error": f"{home}/no-such-page",
    }


def described(found: dict[str, Any], where: str) -> Iterator[str]:
    for violation in found["violations"]:
        nodes = violation["nodes"]
        yield f"{where}: {violation['id']} ({len(nodes)}): {nodes[0]['html'][:200]}"


async def violations(page: Page, where: str) -> list[str]:
    """In light and in dark, with everything open that can be."""
    await page.wait_for_load_state("networkidle")
    await page.evaluate(OPEN_ALL)
    await page.evaluate(AXE.read_text())
    wrong: list[str] = []
    if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        wrong.append(f"{where}: wider than the window")
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        wrong += described(await page.evaluate(RUN, TAGS), f"{where}, {scheme}")
    return wrong


async def test_no_violation_on_any_page(
    lived_in: Watched, open_page: OpenPage, settings: Any
) -> None:
    page = await open_page("", "/")
    wrong = await violations(page, "welcome")
    page = await open_page(lived_in.organisation.admin_header, "/?all")
    known = await addresses(lived_in)
    for name, address in known.items():
        await page.goto(address)
        wrong += await violations(page, name)
    setup = f"/platform/tenants/{lived_in.tenant_id}"
    platform = (
        "/platform",
        "/platform/tenants/new",
        setup,
        f"{setup}/delete",
        "/platform/erasures",
        "/platform/usage",
    )
    page = await open_page(operator_header(settings), "/platform")
    for address in (*platform, f"/t/{lived_in.tenant_id}/"):
        await page.goto(address)
        wrong += await violations(page, address)
    assert wrong == []
    assert forgotten([*known.values(), *platform]) == NO_PAGES.keys()


def forgotten(visited: list[str]) -> set[str]:
    """Routes that give pages and that none of these addresses leads to: a new page cannot be left out."""
    paths = [urlsplit(address).path for address in visited]
    routes = [one for area in PAGES for one in area.router.routes if isinstance(one, APIRoute)]
    gets = {route.path: route.path_regex for route in routes if "GET" in route.methods}
    return {path for path, regex in gets.items() if not any(map(regex.match, paths))}


async def test_menu_is_one_line_on_a_phone_and_shows_where_one_is(
    tenant: Watched, open_page: OpenPage
) -> None:
    header, size = tenant.organisation.admin_header, {"width": PHONE, "height": 740}
    page = await open_page(header, f"/t/{tenant.tenant_id}/usage", viewport=size)
    menu = page.get_by_role("navigation", name="Tenant")
    box = await menu.bounding_box()
    assert box is not None
    assert box["height"] < 60
    await expect(menu.get_by_role("link", name="Usage")).to_be_in_viewport(ratio=1)
    await expect(menu.get_by_role("link", name="Overview")).not_to_be_in_viewport()
    await page.goto(f"/t/{tenant.tenant_id}/")
    await expect(menu.get_by_role("link", name="Overview")).to_be_in_viewport(ratio=1)


async def test_g05_what_somebody_typed_is_text_and_fits_a_phone(
    lived_in: Watched, open_page: OpenPage
) -> None:
    """The policy would stop a script; here nothing becomes one, nor an element, nor an attribute."""
    size = {"width": PHONE, "height": 740}
    page = await open_page(lived_in.organisation.admin_header, "/?all", viewport=size)
    shown = set()
    for name, address in (await addresses(lived_in)).items():
        await page.goto(address)
        await page.wait_for_load_state("networkidle")
        assert await page.locator("img[src=x], main script, [onerror]").count() == 0, name
        assert "stolen" not in await page.title(), name
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE, name
        if "onerror" in await page.locator("main").inner_text():
            shown.add(name)
            assert "{{7*7}}" in await page.content(), name
    assert shown >= {
        "overview",
        "findings",
        "finding",
        "document",
        "report",
        "report file",
        "resources",
        "resource",
        "notices",
        "scan",
        "subscriptions",
        "baselines",
        "baseline",
        "comparison",
        "rules",
        "channels",
        "channel",
        "users",
        "audit",
    }
