"""What rests in storage after real work: every row is in its tenant's partition, what is outside holds ids only,
and no row holds a secret.
"""

from __future__ import annotations

import re
import uuid

import pytest

from drift.engine.packing import unpack
from tenancy.rows import join_binary
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
    ours = {one.tenant_id for one in two}
    seen = set()
    for table in await two[0].table_names():
        if table == PLATFORM:
            continue
        async for row in two[0].tables.get_table_client(table).list_entities():
            owners = {row["PartitionKey"], row.get("tenant_id")}
            if owners & ours:  # other tests plant rows that are wrong on purpose
                assert len(owners) == 1, (table, row["RowKey"])
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
    for row in [row for row in rows if row["PartitionKey"] == "erasure"]:  # of other tests
        assert set(row) == {"PartitionKey", "RowKey", "body"}
        assert GUID.fullmatch(row["RowKey"])
    rows = [row for row in rows if row["PartitionKey"] != "erasure"]
    assert {one.tenant_id for one in two} <= {row["RowKey"] for row in rows}
    claims = [row for row in rows if row["PartitionKey"].startswith("subscription.")]
    for row in claims:
        assert set(row) == BOOKKEEPING
        assert GUID.fullmatch(row["PartitionKey"].removeprefix("subscription."))
        assert row["RowKey"] in {"holder", f"shared.{row['tenant_id']}"}
    assert {one.subscription_id for one in two} <= {
        row["PartitionKey"].removeprefix("subscription.") for row in claims
    }
    for row in [row for row in rows if row not in claims]:
        assert set(row) == BOOKKEEPING
        assert GUID.fullmatch(row["RowKey"])
        assert row["tenant_id"] == row["RowKey"]
        # A principal's digest, or the directory whose app roles let people in.
        directory = row["PartitionKey"].removeprefix("directory.")
        assert re.fullmatch(r"[0-9a-f]{32,64}", row["PartitionKey"]) or GUID.fullmatch(directory)


async def test_rows_of_one_tenant_name_nothing_of_the_other(two):
    """A canary of each kind: subscription, directory, client, admin."""
    for one, other in (two, two[::-1]):
        made = other.organisation
        canaries = (other.tenant_id, other.subscription_id, made.directory_id, made.client_id)
        text = str(await one.rows())
        assert one.subscription_id in text
        assert [canary for canary in canaries if canary in text] == []


async def test_secret_is_nowhere_and_its_change_is_found(tenant, caplog):
    """Promise 7: what looks like a secret rests in no row and in no log."""
    caplog.set_level("DEBUG")
    canaries = [f"canary-{uuid.uuid4().hex}" for _ in range(4)]
    site = {
        "id": tenant.id_of("Microsoft.Web/sites", "web"),
        "name": "web",
        "type": "Microsoft.Web/sites",
        "location": "westeurope",
        "properties": {
            "adminPassword": canaries[0],
            "siteConfig": {
                "appSettings": [
                    {"name": "API_KEY", "value": canaries[1]},
                    {"name": "db", "value": f"Server=x;Password={canaries[2]};"},
                ]
            },
        },
    }
    await tenant.add(site)
    await tenant.scan()
    await tenant.capture()
    await tenant.azure.edit(site["id"], set={"/properties/adminPassword": canaries[3]})
    await tenant.scan()
    finding = await tenant.finding()
    (change,) = finding["changes"]
    assert change["path"] == "/properties/adminPassword"
    assert change["before"].startswith("hmac:")
    assert change["after"].startswith("hmac:")
    assert change["before"] != change["after"]
    rows = await tenant.rows()
    packs = [row for (table, key), row in rows.items() if table == "pack" and key[:2] == "p."]
    stored = [document.body for row in packs for document in unpack(join_binary(row))]
    assert any(b"adminPassword" in body for body in stored)
    stored += [
        value if isinstance(value, bytes) else str(value).encode()
        for row in rows.values()
        for value in row.values()
    ]
    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    for canary in (*canaries, tenant.organisation.secret):
        assert not any(canary.encode() in value for value in stored)
        assert canary not in logged
