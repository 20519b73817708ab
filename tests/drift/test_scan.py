"""A scan from its message to its rows: what it finds, what it writes and what it leaves alone, and how it ends.

I01, I06 … are the invariants a scan must keep under every fault; each test says which it proves.
"""

from __future__ import annotations

import asyncio
import uuid

import pytest

from dev.demo.client import ProductError
from drift.engine.severities import describe
from drift.scan import start_scan
from drift.scans import get_scan
from errors import Stale
from tenancy.access import serve

# The tenant's own row says of when its newest complete scan is.
ROWS_OF_A_SCAN = {"audit", "configuration", "scan", "subscription"}


async def test_change_is_found_exactly(tenant):
    account = tenant.account("alpha")
    await tenant.azure.edit(account["id"], set={"/properties/minimumTlsVersion": "TLS1_0"})
    part = await tenant.part()
    assert (part["status"], part["resources"], part["changed"]) == ("complete", 4, 1)
    assert part["findings"] == 1
    finding = await tenant.finding()
    assert (finding["resourceId"], finding["change"]) == (account["id"], "modified")
    assert (finding["status"], finding["evidence"]) == ("open", "confirmed")
    (change,) = finding["changes"]
    assert (change["path"], change["before"], change["after"]) == (
        "/properties/minimumTlsVersion",
        "TLS1_2",
        "TLS1_0",
    )
    assert (await tenant.api.request("GET", f"/api/findings/{finding['id']}"))["flapping"] == []
    rule = describe(change["rule"])
    assert (change["title"], change["reason"], change["action"]) == (
        rule.title,
        rule.reason,
        rule.action,
    )


async def test_no_change_writes_rows_of_the_scan_alone(tenant, written):
    before = await tenant.etags()
    part = await tenant.part()
    assert (part["status"], part["changed"], part["findings"]) == ("complete", 0, 0)
    rows = written(before, await tenant.etags())
    assert {table for table, _ in rows} == ROWS_OF_A_SCAN
    assert len(rows) <= 5


async def test_known_drift_is_not_written_again(tenant, written):
    await tenant.azure.edit(
        tenant.account("alpha")["id"], set={"/properties/minimumTlsVersion": "TLS1_0"}
    )
    await tenant.scan()
    before = await tenant.etags()
    part = await tenant.part()
    assert (part["changed"], part["findings"]) == (0, 1)
    rows = written(before, await tenant.etags())
    assert {table for table, _ in rows} == ROWS_OF_A_SCAN
    assert len(rows) <= 5


async def test_thousand_documents_are_few_rows(new_tenant, written):
    tenant = await new_tenant()
    await tenant.add(*(tenant.account(f"account{number:04d}") for number in range(1200)))
    before = await tenant.etags()
    part = await tenant.part()
    assert (part["status"], part["resources"]) == ("complete", 1201)
    assert {one["source"]: one["rows"] for one in part["coverage"]}["resources"] == 1200
    assert len(written(before, await tenant.etags())) < 40
    await tenant.capture()
    await tenant.azure.edit(
        tenant.account("account0600")["id"], set={"/properties/minimumTlsVersion": "TLS1_0"}
    )
    before = await tenant.etags()
    part = await tenant.part()
    assert (part["changed"], part["findings"]) == (1, 1)
    rows = written(before, await tenant.etags())
    # One pack is cut anew around the document that changed, or two when the cut moves.
    assert len([key for table, key in rows if table == "pack" and key.startswith("p.")]) <= 3
    assert len(rows) <= 16


async def test_rows_without_id_or_type_are_skipped_and_counted(tenant):
    good = {**tenant.account("beta"), "resourceGroup": "shop"}
    odd = [{"name": "x"}, {"id": "", "type": "a/b"}, {"id": 5, "type": "a/b"}, [], None, 7]
    await tenant.graph_fault(
        nth=1,
        status=200,
        body={
            "data": [*odd, good, tenant.account("alpha"), tenant.network("net")],
            "totalRecords": len(odd) + 3,
            "count": len(odd) + 3,
            "resultTruncated": "false",
        },
    )
    part = await tenant.part()
    assert (part["status"], part["skipped"]) == ("complete", len(odd))
    assert len(part["skippedExamples"]) == len(odd)
    assert part["resources"] == 5


async def test_odd_names_are_read_confirmed_and_removed(tenant):
    names = ("with blank", "100%25", "Größe-ß", "日本", "it's", "semi;colon", "plus+and&", "a#b")
    documents = [tenant.account(name) for name in names]
    for document in documents:
        await tenant.azure.edit(create=document)
    await tenant.scan()
    seen = {item["resourceId"]: item for item in await tenant.findings()}
    assert seen.keys() == {document["id"] for document in documents}
    assert {(item["change"], item["evidence"]) for item in seen.values()} == {
        ("added", "confirmed")
    }
    assert all(item["attribution"] for item in seen.values())
    for document in documents:
        await tenant.azure.edit(document["id"], delete=True)
    assert (await tenant.part())["resources"] == 4
    assert {item["status"] for item in await tenant.findings()} == {"resolved"}


async def test_extension_resource_is_known_by_its_last_type(tenant):
    assignment = {
        "id": f"{tenant.account('alpha')['id']}/providers/Microsoft.Authorization/roleAssignments/"
        + str(uuid.uuid4()),
        "name": "reader",
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {"principalId": str(uuid.uuid4()), "roleDefinitionId": "/reader"},
    }
    await tenant.azure.edit(create=assignment)
    await tenant.scan()
    finding = await tenant.finding()
    assert finding["resourceType"] == "microsoft.authorization/roleassignments"
    assert (finding["resourceId"], finding["evidence"]) == (assignment["id"], "confirmed")


async def test_last_subscription_closes_the_scan_once(tenant, written):
    """I06, faults 12 and 13."""
    second = str(uuid.uuid4())
    await tenant.put_subscription(second)
    scan_id = await tenant.request_scan()
    (start,) = await tenant.host.take("scan-tenant")
    await tenant.host.run("scan-tenant", start)
    bodies = await tenant.host.take("scan-subscription")
    assert len(bodies) == 2
    assert (await tenant.read_scan(scan_id))["status"] == "running"
    await asyncio.gather(*(tenant.host.run("scan-subscription", body) for body in bodies))
    scan = await tenant.read_scan(scan_id)
    assert (scan["status"], scan["subscriptions"]) == ("complete", 2)
    assert {part["subscriptionId"] for part in scan["parts"]} == {tenant.subscription_id, second}
    assert scan["finishedAt"]
    before = await tenant.etags()
    await asyncio.gather(*(tenant.host.run("scan-subscription", body) for body in bodies))
    await tenant.host.run("scan-tenant", start)
    assert written(before, await tenant.etags()) == []


async def test_one_bad_subscription_leaves_the_other_complete(tenant):
    second = str(uuid.uuid4())
    await tenant.put_subscription(second)
    await tenant.fault(path=f"^/subscriptions/{second}\\?", status=403, body="{}")
    scan = await tenant.scan()
    states = {part["subscriptionId"]: part["status"] for part in scan["parts"]}
    assert states == {tenant.subscription_id: "complete", second: "incomplete"}
    assert scan["status"] == "incomplete"


async def test_cancelled_scan_does_nothing_more(tenant, written):
    scan_id = await tenant.request_scan()
    (start,) = await tenant.host.take("scan-tenant")
    await tenant.host.run("scan-tenant", start)
    cancelled = await tenant.api.request("POST", f"/api/scans/{scan_id}/cancel")
    assert cancelled["status"] == "cancelled"
    before = await tenant.etags()
    await tenant.host.put("scan-tenant", start)
    assert await tenant.host.drain() == []
    assert written(before, await tenant.etags()) == []
    scan = await tenant.read_scan(scan_id)
    assert [part["status"] for part in scan["parts"]] == ["cancelled"]
    with pytest.raises(ProductError, match="409"):
        await tenant.api.request("POST", f"/api/scans/{scan_id}/cancel")


async def test_scan_cancelled_before_it_fans_out_has_no_parts(tenant):
    scan_id = await tenant.request_scan()
    await tenant.api.request("POST", f"/api/scans/{scan_id}/cancel")
    assert await tenant.host.drain() == []
    scan = await tenant.read_scan(scan_id)
    assert (scan["status"], scan["parts"]) == ("cancelled", [])


async def test_cancelled_while_subscriptions_are_listed_leaves_no_part_waiting(tenant):
    """I06: every part ends, whatever the moment of the cancellation."""
    scan_id = await tenant.request_scan()
    (start,) = await tenant.host.take("scan-tenant")
    await tenant.fault(path="^/subscriptions\\?", delaySeconds=0.5)
    running = asyncio.create_task(tenant.host.run("scan-tenant", start))
    await asyncio.sleep(0.1)
    await tenant.api.request("POST", f"/api/scans/{scan_id}/cancel")
    await asyncio.wait({running})
    await tenant.host.put("scan-tenant", start)
    await tenant.host.drain()
    scan = await tenant.read_scan(scan_id)
    assert scan["status"] == "cancelled"
    assert {part["status"] for part in scan["parts"]} <= {"cancelled"}


async def test_subscription_that_is_not_monitored_is_left_out(tenant):
    (row,) = await tenant.api.every("/api/subscriptions")
    await tenant.api.request(
        "PATCH",
        f"/api/subscriptions/{row['id']}",
        {"monitored": False},
        headers={"If-Match": row["etag"]},
    )
    scan = await tenant.scan()
    assert (scan["status"], scan["subscriptions"], scan["parts"]) == ("complete", 0, [])


async def test_same_moment_is_the_same_scan(tenant, deployment):
    """I07: the id of a scan follows from tenant, moment and trigger."""
    context = await serve(deployment, tenant.tenant_id)
    scan_id = await tenant.request_scan()
    slot = (await get_scan(context.store, scan_id)).created_at
    again = await start_scan(context, slot=slot, trigger="manual", requested_by="Ada", now=slot)
    assert again.scan_id == scan_id
    # The one that comes second finds the scan changed; the host hands it over again.
    assert {type(error) for error in await tenant.host.drain()} <= {Stale}
    assert len(await tenant.api.every("/api/scans")) == 2  # the fixture's and this one


async def test_child_that_its_parent_embeds_is_one_finding(tenant):
    """Also when the child's own drift was found by a scan before."""
    parent = {
        "id": tenant.id_of("Microsoft.Cdn/profiles", "shop"),
        "name": "shop",
        "type": "Microsoft.Cdn/profiles",
        "location": "global",
        "properties": {"endpoints": [{"name": "web", "properties": {"isHttpAllowed": False}}]},
    }
    child = {
        "id": f"{parent['id']}/endpoints/web",
        "name": "web",
        "type": "Microsoft.Cdn/profiles/endpoints",
        "location": "global",
        "properties": {"isHttpAllowed": False},
    }
    await tenant.add(parent, child)
    await tenant.scan()
    await tenant.capture()
    child["properties"]["isHttpAllowed"] = True
    await tenant.add(child)
    await tenant.scan()
    parent["properties"]["endpoints"][0]["properties"]["isHttpAllowed"] = True
    await tenant.add(parent)
    await tenant.scan()
    (finding,) = [item for item in await tenant.findings() if item["status"] != "resolved"]
    assert finding["resourceId"] == child["id"]
    assert [change["path"] for change in finding["changes"]] == ["/properties/isHttpAllowed"]
