"""The page of rules: how often each hit, which nobody needs any more, which ends, and what changes by itself."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.async_api import expect

from drift.engine.tenant_rules import Action, TenantRule
from drift.rules import add_rule
from tenancy.access import serve
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tests.drift.watched import Watched
from tests.web.conftest import OpenPage


async def test_rules_say_how_they_are_doing(
    drifted: Watched, deployment: Deployment, open_page: OpenPage
) -> None:
    now = datetime.now(UTC)
    context = await serve(deployment, TenantId(drifted.tenant_id))

    async def add(reason: str, age: int, days: int, **members: Any) -> str:
        made = TenantRule(
            id=secrets.token_hex(8),
            action=Action.IGNORE,
            reason=reason,
            author="Ada",
            created_at=now - timedelta(days=age),
            expires_at=now + timedelta(days=days, hours=1),
            **members,
        )
        await add_rule(context, made, now=now)
        return f"#rule-{made.id}"

    works = await add("works", 1, 100, path="/tags/team")
    idle = await add("nobody needs it", 100, 100, path="/tags/none")
    ending = await add("nearly over", 1, 3, path="/tags/none")
    over = await add("over", 100, -2, path="/tags/none")
    await drifted.scan()
    page = await open_page(drifted.organisation.admin_header, f"/t/{drifted.tenant_id}/rules")

    for row, words in (
        (idle, ("unused for 90 days", "0")),
        (ending, ("ends in 3 days", "not yet")),
        (over, ("ended", "not yet")),
    ):
        for word in words:
            await expect(page.locator(row)).to_contain_text(word)
    await expect(page.locator(works).locator("td.number")).to_contain_text("1just now")


async def test_what_changes_by_itself_is_proposed_and_previewed(
    tenant: Watched, open_page: OpenPage
) -> None:
    for number in range(5):
        build = {"/tags/build": str(number)}
        await tenant.azure.edit(tenant.account("alpha")["id"], set=build, silent=True)
        await tenant.scan()
    page = await open_page(tenant.organisation.admin_header, f"/t/{tenant.tenant_id}/rules")
    proposal = page.locator("section", has_text="Proposals").locator(".panel").first
    await expect(proposal).to_contain_text("alpha")
    await expect(proposal).to_contain_text("build")
    await expect(proposal).to_contain_text("Changed in")
    await proposal.get_by_role("button", name="Preview this rule").click()
    await expect(proposal).to_contain_text("It would have hidden 1 finding")
    await proposal.get_by_role("button", name="Create this rule").click()
    await page.wait_for_url("**/rules#rule-*")
    (rule,) = (await tenant.api.request("GET", "/api/rules"))["value"]
    assert rule["path"] == "/tags/build"
