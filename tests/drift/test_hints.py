"""Events of Event Grid: within seconds what the next scan would find, and nothing that it would not. I04 I15 I20."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dev.demo.client import Product
from drift.hints import DEBOUNCE, LATER
from errors import Invalid

QUEUE = "resource-events"
WRITE, DELETE = "ResourceWriteSuccess", "ResourceDeleteSuccess"
CLAIMS = {"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": "mallory@contoso.example"}
WRITTEN = ("finding", "notice", "configuration", "configurationhistory", "pack", "subscription")


def event_grid(resource_id: str, kind: str = WRITE, **members: Any) -> dict[str, Any]:
    """As Azure documents it for a subscription as the source."""
    subscription_id = resource_id.split("/")[2]
    return {
        "topic": f"/subscriptions/{subscription_id}",
        "subject": resource_id,
        "eventType": f"Microsoft.Resources.{kind}",
        "eventTime": "2026-01-01T12:00:00.0000000Z",
        "id": str(uuid.uuid4()),
        "dataVersion": "2",
        "metadataVersion": "1",
        "data": {
            "claims": CLAIMS,
            "operationName": "Microsoft.Storage/storageAccounts/write",
            "resourceUri": resource_id,
            "status": "Succeeded",
            "subscriptionId": subscription_id,
            "tenantId": str(uuid.uuid4()),
        },
    } | members


def cloud_event(resource_id: str, kind: str = WRITE) -> dict[str, Any]:
    event = event_grid(resource_id, kind)
    return {
        "specversion": "1.0",
        "source": event["topic"],
        "type": event["eventType"],
        "subject": resource_id,
        "time": event["eventTime"],
        "id": event["id"],
        "data": event["data"],
    }


def look(tenant, resource_id: str, *, attempt: int = 0, **members: Any) -> bytes:
    """The message that the app sends itself, which becomes visible after DEBOUNCE seconds."""
    body = {
        "version": 1,
        "tenant_id": tenant.tenant_id,
        "subscription_id": tenant.subscription_id,
        "resource_id": resource_id,
        "attempt": attempt,
    }
    return json.dumps(body | members).encode()


async def drift(tenant, tls: str = "TLS1_0") -> str:
    resource_id = tenant.account("alpha")["id"]
    await tenant.azure.edit(resource_id, set={"/properties/minimumTlsVersion": tls})
    return str(resource_id)


def dropped(caplog) -> list[str]:
    return [one.reason for one in caplog.records if one.message == "event dropped"]


@pytest.mark.parametrize("schema", [event_grid, cloud_event])
@pytest.mark.parametrize("kind", [WRITE, DELETE])
async def test_events_of_one_resource_are_one_look(tenant, caplog, schema, kind):
    caplog.set_level("INFO")
    resource_id = tenant.account("alpha")["id"]
    for spelled in (resource_id, resource_id.upper().replace("/SUBSCRIPTIONS", "/subscriptions")):
        await tenant.host.run(QUEUE, json.dumps(schema(spelled, kind)).encode())
    assert await tenant.host.waiting(QUEUE) == 1
    assert await tenant.host.take(QUEUE) == []  # not visible yet
    assert dropped(caplog) == ["a look is planned already"]
    assert DEBOUNCE <= 10


async def test_drift_is_told_at_once_and_the_next_scan_finds_nothing_more(tenant):
    resource_id = await drift(tenant)
    await tenant.host.run(QUEUE, look(tenant, resource_id))
    finding = await tenant.finding()
    assert (finding["status"], finding["evidence"]) == ("open", "confirmed")
    assert [change["after"] for change in finding["changes"]] == ["TLS1_0"]
    assert await tenant.host.drain() == []
    (notice,) = await tenant.notices()
    assert (notice["events"], notice["outcome"]) == ([[finding["id"], "opened"]], "delivered")
    before = await tenant.etags("finding", "notice")
    part = await tenant.part()
    assert (part["status"], part["findings"]) == ("complete", 1)
    assert await tenant.etags("finding", "notice") == before
    assert len(await tenant.rows("configurationhistory")) == 1  # the scan's own


async def test_deletion_and_the_way_back_are_told_at_once(tenant):
    network = tenant.network("net")
    await tenant.azure.edit(network["id"], delete=True)
    await tenant.host.run(QUEUE, look(tenant, network["id"]))
    finding = await tenant.finding()
    assert (finding["change"], finding["evidence"]) == ("removed", "confirmed")
    await tenant.part()
    await tenant.azure.edit(create=network)
    await tenant.host.run(QUEUE, look(tenant, network["id"]))
    assert (await tenant.finding())["status"] == "resolved"


async def test_part_of_a_resource_and_its_tags_are_looked_at_within_it(tenant):
    network = tenant.network("net")["id"]
    prefix = "/properties/subnets/0/properties/addressPrefix"
    await tenant.azure.edit(network, set={prefix: "10.0.9.0/24"})
    await tenant.host.run(QUEUE, look(tenant, f"{network}/subnets/web"))
    (finding,) = await tenant.findings("?resource=net")
    assert (
        finding["changes"][0]["path"] == "/properties/subnets/[name=web]/properties/addressPrefix"
    )
    tags = f"{network}/providers/Microsoft.Resources/tags/default"
    await tenant.host.run(QUEUE, json.dumps(event_grid(tags)).encode())
    await tenant.host.run(QUEUE, json.dumps(event_grid(network)).encode())
    assert await tenant.host.waiting(QUEUE) == 1  # both are about the network


async def test_what_resource_graph_does_not_show_yet_is_looked_at_again(tenant, written):
    await tenant.azure.settings(graphLagSeconds=3600)
    try:
        resource_id = await drift(tenant)
        before = await tenant.etags(*WRITTEN)
        for attempt in range(len(LATER) + 1):
            waiting = await tenant.host.waiting(QUEUE)
            await tenant.host.run(QUEUE, look(tenant, resource_id, attempt=attempt))
            more = await tenant.host.waiting(QUEUE) - waiting
            assert more == (attempt < len(LATER))
        assert written(before, await tenant.etags(*WRITTEN)) == []
    finally:
        await tenant.azure.settings(graphLagSeconds=0)
    await tenant.host.run(QUEUE, look(tenant, resource_id, attempt=1))
    assert (await tenant.finding())["evidence"] == "confirmed"


async def test_azure_that_cannot_be_read_is_left_to_the_next_scan(tenant, written):
    resource_id = await drift(tenant)
    before = await tenant.etags(*WRITTEN)
    at_once = {"Retry-After": "86400"}
    faults = ({"status": 500}, {"status": 429}, {"status": 403}, {"status": 200, "body": "<html>"})
    for fault in faults:
        await tenant.graph_fault(headers=at_once, **fault)
        await tenant.host.run(QUEUE, look(tenant, resource_id))
        await tenant.azure.clear_faults()
    await tenant.put_subscription(readers=[])
    await tenant.host.run(QUEUE, look(tenant, resource_id))
    assert written(before, await tenant.etags(*WRITTEN)) == []
    await tenant.put_subscription()
    assert (await tenant.part())["findings"] == 1


async def test_forged_and_foreign_events_do_nothing(tenant, new_tenant, written, caplog):
    """No message decides whose a resource is, or what its state is."""
    caplog.set_level("INFO")
    other = await new_tenant()
    await other.add(other.account("alpha"))
    await other.scan()
    await other.capture()
    foreign, own = other.account("alpha")["id"], tenant.account("alpha")["id"]
    await other.azure.edit(foreign, set={"/properties/minimumTlsVersion": "TLS1_0"})
    before = await tenant.etags(*WRITTEN), await other.etags(*WRITTEN)
    await tenant.azure.clear_requests()
    unknown = f"/subscriptions/{uuid.uuid4()}/resourceGroups/x/providers/a.b/c/d"
    lock = f"{own}/providers/Microsoft.Authorization/locks/keep"
    deployment = f"{tenant.group}/providers/Microsoft.Resources/deployments/one"
    for body in (
        event_grid(unknown),
        event_grid(own, eventType="Microsoft.Resources.ResourceActionSuccess"),
        event_grid(own, subject="/providers/Microsoft.Management/managementGroups/x"),
        event_grid(lock),
        event_grid(deployment),
    ):
        await tenant.host.run(QUEUE, json.dumps(body).encode())
    await tenant.host.run(QUEUE, look(tenant, foreign))
    await tenant.host.run(QUEUE, look(tenant, foreign, subscription_id=other.subscription_id))
    await tenant.host.run(QUEUE, look(tenant, own, tenant_id=other.tenant_id))
    await tenant.host.run(QUEUE, look(tenant, own, tenant_id=str(uuid.uuid4())))
    assert (await tenant.azure.requests())["counts"] == {}
    assert await tenant.host.waiting(QUEUE) == 0
    after = await tenant.etags(*WRITTEN), await other.etags(*WRITTEN)
    assert after == before
    assert dropped(caplog) == [
        "unknown subscription",
        "no change of a resource",
        "no change of a resource",
        "a kind of resource that is read by scans only",
        "a kind of resource that is read by scans only",
        "outside the subscription",
    ]
    # And one about what did not change finds that it did not.
    await tenant.host.run(QUEUE, look(tenant, own))
    assert (await tenant.etags(*WRITTEN), await other.etags(*WRITTEN)) == before


async def test_answer_about_another_resource_is_not_believed(tenant, written, caplog):
    caplog.set_level("INFO")
    resource_id = await drift(tenant)
    before = await tenant.etags(*WRITTEN)
    other = tenant.account("other") | {"id": f"/subscriptions/{uuid.uuid4()}/resourceGroups/x"}
    page = {"data": [other], "totalRecords": 1, "count": 1, "resultTruncated": "false"}
    await tenant.graph_fault(nth=1, status=200, body=page)
    await tenant.host.run(QUEUE, look(tenant, resource_id))
    assert written(before, await tenant.etags(*WRITTEN)) == []
    assert dropped(caplog) == ["Azure answered with another resource"]


@pytest.mark.parametrize("action", ["suspend", "delete"])
async def test_events_of_a_closed_tenant_are_dropped(tenant, operator: Product, action):
    resource_id = await drift(tenant)
    path = f"/api/tenants/{tenant.tenant_id}"
    if action == "suspend":
        await operator.request("POST", f"{path}/suspend")
    else:
        await operator.request("DELETE", path)
    before = await tenant.etags()
    await tenant.azure.clear_requests()
    await tenant.host.run(QUEUE, json.dumps(event_grid(resource_id)).encode())
    await tenant.host.run(QUEUE, look(tenant, resource_id))
    assert await tenant.etags() == before
    assert (await tenant.azure.requests())["counts"] == {}
    assert await tenant.host.waiting(QUEUE) == 0


async def test_tenant_suspended_during_a_look_gets_no_finding(tenant, operator: Product):
    """I15."""
    resource_id = await drift(tenant)
    before = await tenant.etags("finding", "notice")
    await tenant.azure.clear_requests()
    await tenant.get_fault(resource_id, delaySeconds=1.0)
    running = asyncio.create_task(tenant.host.run(QUEUE, look(tenant, resource_id)))
    async with asyncio.timeout(20):
        while True:
            if (await tenant.azure.requests())["counts"].get("graph"):
                break
            await asyncio.sleep(0.02)
    await operator.request("POST", f"/api/tenants/{tenant.tenant_id}/suspend")
    await running
    assert await tenant.etags("finding", "notice") == before


async def test_nothing_of_the_claims_is_kept_or_told(tenant, caplog):
    caplog.set_level("DEBUG")
    resource_id = await drift(tenant)
    for schema in (event_grid, cloud_event):
        await tenant.host.run(QUEUE, json.dumps(schema(resource_id)).encode())
    await tenant.host.run(QUEUE, look(tenant, resource_id))
    kept = repr(await tenant.rows()) + caplog.text
    assert "mallory" not in kept
    assert resource_id in repr(await tenant.rows("finding"))


async def test_unreadable_event_is_given_up_visibly(tenant, caplog):
    """I08."""
    for body in (b"{", b"[]", b'{"eventType": 1}', b"x" * 65_000):
        with pytest.raises(Invalid):
            await tenant.host.run(QUEUE, body)
    before = await tenant.etags()
    await tenant.host.put(f"{QUEUE}-poison", b"{")
    assert await tenant.host.drain() == []
    assert await tenant.etags() == before
    assert "poison message" in {one.message for one in caplog.records}  # an alert


async def test_rules_hold_for_events_too(tenant):
    rule = {
        "action": "ignore",
        "reason": "agreed",
        "path": "/properties/minimumTlsVersion",
        "expiresAt": (datetime.now(UTC) + timedelta(days=30)).isoformat(),
    }
    made = await tenant.api.request("POST", "/api/rules", rule)
    resource_id = await drift(tenant)
    await tenant.host.run(QUEUE, look(tenant, resource_id))
    finding = await tenant.finding()
    assert (finding["status"], finding["ignoredBy"]) == ("ignored", made["id"])
    assert await tenant.notices() == []
