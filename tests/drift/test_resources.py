"""The inventory and its past: whole, in the state that a list began with, honest about what was not read. I01 I11."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from drift import resources
from drift.archive import find_moment
from tenancy.access import serve

TLS = "/properties/minimumTlsVersion"


def names(listed):
    return [item["resourceId"].rsplit("/", 1)[1] for item in listed]


async def listing(tenant, query=""):
    return await tenant.api.request("GET", f"/api/resources{query}")


async def key_of(tenant, resource_id):
    (found,) = [
        item
        for item in await tenant.api.every("/api/resources")
        if item["resourceId"] == resource_id
    ]
    return found["key"]


async def test_inventory_is_what_the_last_complete_scan_read(tenant):
    page = await listing(tenant)
    assert names(page["value"]) == ["keep", "net", "shop", "alpha"]  # by type
    assert page["unknown"] == []
    assert "nextLink" not in page
    assert {item["subscriptionId"] for item in page["value"]} == {tenant.subscription_id}
    (part,) = (await tenant.api.request("GET", "/api/scans"))["value"][:1]
    read_at = datetime.fromisoformat(page["value"][0]["readAt"])
    assert read_at <= datetime.fromisoformat(part["finishedAt"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("type=microsoft.storage/STORAGEACCOUNTS", ["alpha"]),
        ("type=microsoft.storage", []),
        ("group=SHOP", ["keep", "net", "shop", "alpha"]),
        ("group=other", []),
        ("resource=virtualNetworks/NE", ["net"]),
        (f"subscription={uuid.uuid4()}", []),
    ],
)
async def test_inventory_is_narrowed(tenant, query, expected):
    assert names((await listing(tenant, f"?{query}"))["value"]) == expected


async def test_pages_go_on_in_the_state_they_began_with(tenant):
    """I11: a scan that comes between two pages changes nothing about the list."""
    first = await listing(tenant, "?maxpagesize=2")
    await tenant.azure.edit(tenant.network("net")["id"], delete=True)
    await tenant.azure.edit(create=tenant.account("beta"))
    assert (await tenant.part())["changed"] == 2
    second = await tenant.api.request("GET", first["nextLink"])
    assert names(first["value"] + second["value"]) == ["keep", "net", "shop", "alpha"]
    assert "nextLink" not in second
    assert set(names((await listing(tenant))["value"])) == {"keep", "shop", "alpha", "beta"}


async def test_list_whose_state_is_gone_says_so(tenant):
    first = await listing(tenant, "?maxpagesize=2")
    for table, key in await tenant.rows("pack"):
        if key.startswith("s."):
            await tenant.tables.get_table_client(table).delete_entity(tenant.tenant_id, key)
    answer = await tenant.http.get(first["nextLink"])
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "continuationToken"


async def test_subscription_that_was_never_read_is_unknown(tenant):
    """I01: not an empty one."""
    other = str(uuid.uuid4())
    await tenant.put_subscription(other)
    await tenant.api.request("POST", "/api/subscriptions/refresh")
    page = await listing(tenant)
    assert page["unknown"] == [other]
    assert names(page["value"]) == ["keep", "net", "shop", "alpha"]
    assert (await listing(tenant, f"?subscription={other}"))["unknown"] == [other]


async def test_every_resource_comes_once_whatever_the_page_size(new_tenant, monkeypatch):
    tenant = await new_tenant()
    second = str(uuid.uuid4())
    await tenant.put_subscription(second)
    accounts = [tenant.account(f"account{number:03d}") for number in range(90)]
    foreign = [
        item | {"id": item["id"].replace(tenant.subscription_id, second)} for item in accounts[:25]
    ]
    await tenant.add(*accounts, *foreign)
    await tenant.scan()
    expected = sorted(item["id"] for item in accounts + foreign)
    monkeypatch.setattr(resources, "MOST_PACKS", 1)
    for size in (7, 64, 200):
        found = await tenant.api.every(
            f"/api/resources?type=microsoft.storage/storageaccounts&maxpagesize={size}"
        )
        assert sorted(item["resourceId"] for item in found) == expected, size


async def test_resource_shows_its_configuration_and_its_finding(tenant):
    account = tenant.account("alpha")
    key = await key_of(tenant, account["id"])
    quiet = await listing(tenant, f"/{key}")
    assert quiet["configuration"]["properties"]["minimumTlsVersion"] == "TLS1_2"
    assert "provisioningState" not in quiet["configuration"]["properties"]
    assert (quiet["findingId"], quiet["findingStatus"]) == (None, None)
    await tenant.azure.edit(account["id"], set={TLS: "TLS1_0"})
    await tenant.scan()
    loud = await listing(tenant, f"/{key}?subscription={tenant.subscription_id}")
    finding = await tenant.finding()
    assert loud["configuration"]["properties"]["minimumTlsVersion"] == "TLS1_0"
    assert (loud["findingId"], loud["findingStatus"]) == (finding["id"], "open")
    assert (await listing(tenant, f"/{await key_of(tenant, tenant.network('net')['id'])}/history"))[
        "value"
    ] == []
    for path in (f"/{key}?subscription={uuid.uuid4()}", f"/{'0' * 32}", f"/{'0' * 32}/history"):
        assert (await tenant.http.get(f"/api/resources{path}")).status_code == 404


async def test_history_says_what_when_and_who(tenant):
    account = tenant.account("alpha")
    key = await key_of(tenant, account["id"])
    for version, who in (("TLS1_1", "ann@contoso.example"), ("TLS1_0", "bob@contoso.example")):
        await tenant.azure.edit(account["id"], set={TLS: version}, actor={"changedBy": who})
        await tenant.scan()
    await tenant.azure.edit(account["id"], delete=True, actor={"changedBy": "eve@contoso.example"})
    await tenant.scan()
    gone, second, first = await tenant.api.every(f"/api/resources/{key}/history?maxpagesize=2")
    told = [
        (
            entry["changes"][0]["before"],
            entry["changes"][0]["after"],
            entry["attribution"]["changedBy"],
        )
        for entry in (first, second)
    ]
    assert told == [
        ("TLS1_2", "TLS1_1", "ann@contoso.example"),
        ("TLS1_1", "TLS1_0", "bob@contoso.example"),
    ]
    assert (gone["change"], gone["attribution"]["changedBy"]) == ("removed", "eve@contoso.example")
    assert gone["at"] > second["at"] > first["at"]


async def test_history_is_kept_without_a_baseline(new_tenant):
    tenant = await new_tenant()
    account = tenant.account("alpha")
    await tenant.add(account)
    await tenant.scan()
    await tenant.azure.edit(account["id"], set={TLS: "TLS1_0"}, actor={"changedBy": "ann"})
    await tenant.scan()
    (entry,) = await tenant.api.every(
        f"/api/resources/{await key_of(tenant, account['id'])}/history"
    )
    assert (entry["changes"][0]["after"], entry["attribution"]["changedBy"]) == ("TLS1_0", "ann")


async def test_history_whose_author_cannot_be_read_is_kept_and_says_so(new_tenant):
    """I17: the scan is incomplete, what changed is not lost."""
    tenant = await new_tenant()
    account = tenant.account("alpha")
    await tenant.add(account)
    await tenant.scan()
    await tenant.azure.edit(account["id"], set={TLS: "TLS1_0"}, actor={"changedBy": "ann"})
    await tenant.graph_fault(nth=6, status=403, body={"error": {"code": "Denied", "message": "no"}})
    part = await tenant.part()
    assert (part["status"], part["reason"]) == ("incomplete", "resourcechanges: no")
    (entry,) = await tenant.api.every(
        f"/api/resources/{await key_of(tenant, account['id'])}/history"
    )
    assert (entry["changes"][0]["after"], entry["attribution"]) == ("TLS1_0", None)


async def test_state_of_any_time_can_be_asked_for(tenant):
    account, moments = tenant.account("alpha"), [datetime.now(UTC)]
    key = await key_of(tenant, account["id"])
    for version in ("TLS1_1", "TLS1_0"):
        await tenant.azure.edit(account["id"], set={TLS: version})
        await tenant.scan()
        moments.append(datetime.now(UTC))
    await tenant.azure.edit(account["id"], delete=True)
    await tenant.scan()
    await tenant.scan()  # finds nothing new, and is not a moment of its own
    seen = []
    for moment in moments:
        at = quote(moment.isoformat())
        document = await listing(tenant, f"/{key}?at={at}")
        seen.append(document["configuration"]["properties"]["minimumTlsVersion"])
        assert "alpha" in names((await listing(tenant, f"?at={at}"))["value"])
    assert seen == ["TLS1_2", "TLS1_1", "TLS1_0"]
    assert "alpha" not in names((await listing(tenant))["value"])
    assert len([key for _, key in await tenant.rows("configuration") if key[:2] == "m."]) == 4


async def test_time_before_the_first_scan_is_unknown(tenant):
    at = quote((datetime.now(UTC) - timedelta(days=1)).isoformat())
    page = await listing(tenant, f"?at={at}")
    assert (page["value"], page["unknown"]) == ([], [tenant.subscription_id])
    assert (await tenant.http.get("/api/resources?at=2026-01-01T00:00:00")).status_code == 422


async def test_scan_that_read_after_a_time_is_not_its_state(tenant):
    """A scan is for a moment before it reads: what it read later was not so then."""
    context = await serve(tenant.host.deployment, tenant.tenant_id)
    scan_id = await tenant.request_scan()
    between = datetime.now(UTC)
    await tenant.azure.edit(tenant.account("alpha")["id"], set={TLS: "TLS1_0"})
    assert await tenant.host.drain() == []
    newest = await find_moment(context.store, tenant.subscription_id, datetime.now(UTC))
    earlier = await find_moment(context.store, tenant.subscription_id, between)
    assert earlier.taken_at < between < newest.taken_at
    assert earlier.snapshot_id != newest.snapshot_id
    assert (await tenant.read_scan(scan_id))["status"] == "complete"
