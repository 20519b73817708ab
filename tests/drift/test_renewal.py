"""A tenant whose rows an earlier version wrote: everything of it is read, and the sweep brings it up to date."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from azure.data.tables.aio import TableServiceClient

from dev.demo.client import Product
from drift.filters import Wanted
from drift.findings import find_finding, page_findings
from drift.garbage import collect
from drift.renewal import renew_page
from drift.summaries import page_summaries, read_tally
from tenancy.access import TenantContext, serve
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tenancy.migrations import version_of
from tests.tenancy.rows import plant_fixture, read_fixture

LISTS = {  # a list of the API and how many the tenant of the fixture has
    "/api/audit": 22,
    "/api/settings/history": 2,
    "/api/subscriptions": 1,
    "/api/baselines": 2,
    "/api/approvals": 1,
    "/api/scans": 3,
    "/api/findings": 1,
    "/api/resources": 2,
    "/api/notices": 2,
    "/api/rules": 1,
    "/api/users": 5,
    "/api/invitations": 1,
    "/api/access-review": 5,
}


@pytest.fixture
async def old(tables: TableServiceClient, deployment: Deployment) -> TenantContext:
    tenant_id = TenantId(await plant_fixture(tables))
    context = await serve(deployment, tenant_id)
    name = context.tenant.fingerprint_secret
    await deployment.vault.write(tenant_id, name, "ab" * 32, "fingerprint", None)
    return context


async def renew(context: TenantContext) -> int:
    total, after = 0, ""
    while True:
        renewed, after = await renew_page(context.store, after)
        total += renewed
        if not after:
            return total


async def test_everything_of_an_old_tenant_is_listed(old: TenantContext, operator: Product) -> None:
    headers = {"X-Tenant-Id": old.tenant.tenant_id}
    for path, number in LISTS.items():
        found = (await operator.request("GET", path, headers=headers))["value"]
        assert len(found) >= number, path
    settings = await operator.request("GET", "/api/settings", headers=headers)
    assert settings["retention"]["scans"] == 365


async def test_finding_of_before_there_were_summaries_is_listed_after_the_sweep(
    old: TenantContext, tables: TableServiceClient
) -> None:
    store = old.store
    async for row in store.rows("finding"):
        if row.key[:2] in {"w.", "n.", "c."}:
            await store.delete("finding", row.key)
    await plant_fixture(tables)
    ((stored,), _) = await page_findings(store, Wanted(), after="", limit=10)
    assert (await page_summaries(store, Wanted(), limit=10)).found == ()
    assert await renew(old) > 0
    (summary,) = (await page_summaries(store, Wanted(), limit=10)).found
    assert (summary.finding_id, summary.digest) == (
        stored.finding.finding_id,
        stored.finding.current_digest,
    )
    again = await find_finding(store, stored.finding.finding_id)
    assert again is not None
    assert again.finding == stored.finding
    tally = await read_tally(store, stored.finding.subscription_id)
    assert sum(tally.counts.values()) == 1


async def test_renewed_rows_are_of_today_and_say_the_same(
    old: TenantContext, tables: TableServiceClient
) -> None:
    await plant_fixture(tables)
    before = {row.key: row.values async for row in old.store.rows("settings")}
    old_rows = Counter(row["table"] for row in read_fixture())
    assert await renew(old) == old_rows["settings"] + old_rows["finding"]
    for table in ("settings", "finding"):
        async for entity in tables.get_table_client(table).query_entities(
            "PartitionKey eq @t", parameters={"t": old.tenant.tenant_id}
        ):
            assert entity["_schema"] == version_of(table), entity["RowKey"]
    assert {row.key: row.values async for row in old.store.rows("settings")} == before
    assert await renew(old) == 0


async def test_snapshots_of_an_old_tenant_keep_their_packs(
    old: TenantContext, operator: Product, tables: TableServiceClient
) -> None:
    """They name no packs in their rows: their indexes are asked."""
    await plant_fixture(tables)
    packs = {row.key async for row in old.store.rows("pack")}
    later = datetime.now(UTC) + timedelta(days=5)
    await collect(old.store, now=later)
    assert {row.key async for row in old.store.rows("pack")} == packs
    headers = {"X-Tenant-Id": old.tenant.tenant_id}
    found = (await operator.request("GET", "/api/resources", headers=headers))["value"]
    assert len(found) == 3
