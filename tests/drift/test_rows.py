"""What rests in storage after real work: every row is in its tenant's partition, and what is outside holds ids only."""

from __future__ import annotations

import re

import pytest

from tenancy.tenants import PLATFORM

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BOOKKEEPING = {"PartitionKey", "RowKey", "tenant_id"}


@pytest.fixture
async def two(tenant, new_tenant):
    """Two tenants that were scanned, with a finding, a decision and a notice each."""
    other = await new_tenant()
    await other.add(other.account("alpha"), other.lock())
    await other.scan()
    await other.capture()
    for one in (tenant, other):
        edit = {"/properties/allowBlobPublicAccess": True}
        await one.azure.edit(one.account("alpha")["id"], set=edit)
        await one.scan()
        await one.decide(await one.finding(), "acknowledge")
    return tenant, other


async def test_every_row_is_in_its_tenants_partition(two, deployment):
    known = {tenant.tenant_id async for tenant in deployment.registry.tenants()}
    assert {one.tenant_id for one in two} <= known
    seen = set()
    for table in await two[0].table_names():
        if table == PLATFORM:
            continue
        async for row in two[0].tables.get_table_client(table).list_entities():
            assert row["PartitionKey"] == row["tenant_id"], (table, row["RowKey"])
            assert row["PartitionKey"] in known, (table, row["RowKey"])
            seen.add(table)
    assert seen >= {
        "audit",
        "baseline",
        "configuration",
        "configurationhistory",
        "connection",
        "finding",
        "notice",
        "pack",
        "scan",
        "settings",
        "subscription",
        "tenant",
        "user",
    }


async def test_index_outside_the_tenants_holds_ids_only(two):
    rows = [
        row
        async for row in two[0].tables.get_table_client(PLATFORM).list_entities()
        if row["PartitionKey"] != "deployment"
    ]
    assert {one.tenant_id for one in two} <= {row["RowKey"] for row in rows}
    for row in rows:
        assert set(row) == BOOKKEEPING
        assert GUID.fullmatch(row["RowKey"])
        assert row["tenant_id"] == row["RowKey"]
        assert re.fullmatch(r"[0-9a-f]{32,64}", row["PartitionKey"])


async def test_rows_of_one_tenant_name_nothing_of_the_other(two):
    """A canary of each kind: subscription, directory, client, admin."""
    for one, other in (two, two[::-1]):
        made = other.organisation
        canaries = (other.tenant_id, other.subscription_id, made.directory_id, made.client_id)
        text = str(await one.rows())
        assert one.subscription_id in text
        assert [canary for canary in canaries if canary in text] == []
