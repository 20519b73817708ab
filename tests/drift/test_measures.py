"""What a scan tells of itself: one trace from its order to the notice, and numbers by tenant. Old messages work."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.trace import SpanKind

from drift import measures
from drift.pace import Pace
from drift.schedule import AGE_EVERY, tick
from drift.sweep import sweep
from tenancy.access import serve
from tests.drift.host import CONSUMERS

CHAIN = {
    "scan.start": None,
    "scan_tenant": "scan.start",
    "scan_subscription": "scan_tenant",
    "scan.pages": "scan_subscription",
    "scan.findings": "scan_subscription",
    "scan.confirm": "scan.findings",
    "notices.publish": "scan_subscription",
    "deliver_notice": "notices.publish",
}


async def drift(tenant):
    edit = {"/properties/allowBlobPublicAccess": True}
    await tenant.azure.edit(tenant.account("alpha")["id"], set=edit)


def values(told, tenant):
    """Metric -> dimensions beside the tenant -> value, of this tenant."""
    found = {}
    for name, attributes, point in told.points():
        if attributes.pop("tenant_id", None) == tenant.tenant_id:
            value = point.sum if hasattr(point, "sum") else point.value
            found.setdefault(name, {})[tuple(attributes.values())] = value
    return found


async def test_scan_is_one_trace_from_its_order_to_the_notice(tenant, told):
    await drift(tenant)
    await tenant.scan()
    spans = {span.context.span_id: span for span in told.spans}
    names = {
        span.name: spans[span.parent.span_id].name if span.parent else None for span in told.spans
    }
    assert names == CHAIN
    assert len({span.context.trace_id for span in told.spans}) == 1
    pages = [dict(span.attributes) for span in told.spans if span.name == "scan.pages"]
    assert {one["source"]: one["rows"] for one in pages} == {
        "resources": 2,
        "resourcecontainers": 1,
        "authorizationresources": 0,
        "policyresources": 0,
        "locks": 1,
    }
    (found,) = [span for span in told.spans if span.name == "scan.findings"]
    assert dict(found.attributes) == {"transitions": 1}


async def test_scan_of_the_schedule_belongs_to_its_tick(tenant, told, deployment):
    await tenant.change_settings(schedule="0 * * * *")
    slot = (await tenant.rows("tenant"))["tenant", "tenant"]["next_scan_at"]
    slot = datetime.fromtimestamp(slot.timestamp(), UTC)
    try:
        await tick(deployment, now=slot)
        assert await tenant.host.drain() == []
    finally:
        await tenant.change_settings(schedule="")
    spans = {span.context.span_id: span for span in told.spans}
    starts = [
        span
        for span in told.spans
        if span.name == "scan.start" and span.attributes["tenant_id"] == tenant.tenant_id
    ]
    (start,) = starts
    assert spans[start.parent.span_id].name == "tick"
    scanned = [span for span in told.spans if span.name == "scan_subscription"]
    assert start.context.trace_id in {span.context.trace_id for span in scanned}


async def test_message_of_before_there_were_traces_is_served(tenant, told):
    _, (body,) = await tenant.fan_out()
    message = json.loads(body)
    assert message.pop("traceparent").startswith("00-")
    await tenant.host.run("scan-subscription", json.dumps(message).encode())
    (span,) = [one for one in told.spans if one.name == "scan_subscription"]
    assert span.parent is None
    (scan, *_) = await tenant.api.every("/api/scans")
    assert scan["status"] == "complete"


async def test_without_telemetry_messages_are_as_they_were(tenant):
    _, (body,) = await tenant.fan_out()
    assert set(json.loads(body)) == {"version", "tenant_id", "scan_id", "subscription_id"}


@pytest.mark.parametrize("queue", CONSUMERS)
async def test_every_message_is_a_span_in_the_trace_of_what_sent_it(host, told, queue):
    """Also of a tenant that is gone: every field that any message has, in one."""
    body = {
        "version": 1,
        "tenant_id": str(uuid.uuid4()),
        "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
        "scan_id": "one",
        "subscription_id": str(uuid.uuid4()),
        "notice_id": "one",
        "job": "one",
        "resource_id": f"/subscriptions/{uuid.uuid4()}/resourceGroups/one",
    }
    await host.run(queue, json.dumps(body).encode())
    (span,) = told.spans
    assert span.kind is SpanKind.CONSUMER
    if queue == "resource-events-poison":  # nothing of it is read
        assert (span.name, span.parent, dict(span.attributes)) == ("give_up", None, {})
        return
    named = "give_up" if queue.endswith("-poison") else queue.replace("-", "_")
    assert span.name == {"notices": "deliver_notice", "jobs": "run_job"}.get(named, named)
    assert f"{span.context.trace_id:032x}" == "a" * 32
    assert f"{span.parent.span_id:016x}" == "b" * 16
    assert span.attributes["tenant_id"] == body["tenant_id"]


async def test_event_of_azure_begins_the_trace_of_the_looks_that_follow(tenant, told):
    resource_id = tenant.account("alpha")["id"]
    kind = "Microsoft.Resources.ResourceWriteSuccess"
    event = {"eventType": kind, "subject": resource_id, "data": {}}
    await tenant.host.run("resource-events", json.dumps(event).encode())
    (taken,) = told.spans
    assert (taken.name, taken.parent, dict(taken.attributes)) == ("resource_events", None, {})
    assert await tenant.host.waiting("resource-events") == 1


async def test_upkeep_and_its_backup_belong_to_the_sweep(tenant, told, deployment):
    await sweep(deployment, now=datetime.now(UTC))
    for queue in ("keep-tenant", "jobs"):
        while bodies := await tenant.host.take(queue):
            for body in bodies:  # those of other tests' tenants are theirs
                if json.loads(body)["tenant_id"] == tenant.tenant_id:
                    await tenant.host.run(queue, body)
    spans = {span.context.span_id: span for span in told.spans}
    (kept,) = [
        span
        for span in told.spans
        if span.name == "keep_tenant" and span.attributes["tenant_id"] == tenant.tenant_id
    ]
    assert spans[kept.parent.span_id].name == "sweep"


async def test_look_at_one_resource_counts_its_calls(tenant):
    before = await used(tenant)
    body = {"version": 1, "tenant_id": tenant.tenant_id, "subscription_id": tenant.subscription_id}
    body["resource_id"] = tenant.account("alpha")["id"]
    await tenant.host.run("resource-events", json.dumps(body).encode())
    after = await used(tenant)
    assert after["graphCalls"] > before["graphCalls"]
    assert after["armCalls"] > before["armCalls"]


async def used(tenant):
    """What is written of today: what is only counted yet is not in it."""
    return (await tenant.api.request("GET", "/api/usage"))["sum"]


async def test_numbers_are_those_of_the_scan(tenant, told):
    await drift(tenant)
    await tenant.scan()
    found = values(told, tenant)
    assert found["drift.scan.resources"] == {(): 4}
    assert found["drift.scan.changes"] == {(): 1}
    assert found["drift.findings"] == {
        ("critical",): 0,
        ("high",): 1,
        ("medium",): 0,
        ("low",): 0,
        ("informational",): 0,
    }
    assert found["drift.findings.noise"] == {(): 0.0}
    assert found["drift.notices"] == {("delivered",): 1}
    assert found["drift.azure.calls"][("graph",)] >= 4
    assert found["drift.azure.calls"][("arm",)] >= 3
    assert set(found["drift.scan.duration"]) == {("complete",)}


async def test_share_of_noise_counts_what_was_decided(tenant, told):
    await drift(tenant)
    await tenant.scan()
    await tenant.decide(await tenant.finding(), "ignore", reason="it is meant so")
    await tenant.scan()
    found = values(told, tenant)
    assert found["drift.findings.noise"] == {(): 1.0}
    assert set(found["drift.findings"].values()) == {0}


async def test_age_is_of_the_newest_complete_scan(tenant, told, deployment):
    scan = await tenant.scan()
    moment = datetime.fromisoformat(scan["createdAt"])
    await tenant.add(tenant.network("late"))
    await tenant.graph_fault(status=403)
    assert (await tenant.scan())["status"] == "incomplete"  # the truth gets older all the same
    await tenant.azure.clear_faults()
    ages = set()
    for minute in range(2 * AGE_EVERY):  # each tenant has its own minute of them
        await tick(deployment, now=moment + timedelta(hours=3, minutes=minute))
        ages |= set(values(told, tenant).get("drift.scan.age", {}).values())
    first, second = sorted(ages)
    assert second - first == AGE_EVERY * 60
    assert 0 <= first - 3 * 3600 < AGE_EVERY * 60
    assert first % 60 == 0


async def test_truth_is_at_least_as_old_as_the_scans_that_found_none(tenant, told, monkeypatch):
    monkeypatch.setattr(measures, "MOST_SCANS", 2)
    await tenant.scan()
    await tenant.graph_fault(status=403)
    oldest, _ = [await tenant.scan() for _ in range(2)]
    moment = datetime.fromisoformat(oldest["createdAt"])
    store = (await serve(tenant.host.deployment, tenant.tenant_id)).store
    await measures.tell_age(store, now=moment + timedelta(hours=1))
    assert values(told, tenant)["drift.scan.age"] == {(): 3600}


async def test_age_of_what_was_never_read_is_not_told(new_tenant, told):
    tenant = await new_tenant()
    await tenant.graph_fault(status=403)
    assert (await tenant.scan())["status"] == "incomplete"
    store = (await serve(tenant.host.deployment, tenant.tenant_id)).store
    await measures.tell_age(store, now=datetime.now(UTC))
    assert "drift.scan.age" not in values(told, tenant)


async def test_scan_does_not_touch_what_people_edit_of_the_tenant(tenant, told):
    """Who read the tenant before it may still save it afterwards."""
    before = await tenant.etags("tenant")
    await tenant.scan()
    assert await tenant.etags("tenant") == before


async def test_waiting_for_azure_is_told(tenant, told):
    await tenant.graph_fault(nth=1, status=429, headers={"Retry-After": "1"})
    assert (await tenant.scan())["status"] == "complete"
    ((service, seconds),) = values(told, tenant)["drift.throttled"].items()
    assert service == ("Azure Resource Manager",)
    assert 1 <= seconds < 3


async def test_waiting_for_the_quota_of_resource_graph_is_told(told):
    pauses = []

    async def sleep(seconds):
        pauses.append(seconds)

    pace = Pace(sleep=sleep)
    await pace.note({"x-ms-user-quota-remaining": "0", "x-ms-user-quota-resets-after": "00:00:03"})
    await pace.wait()
    found = [(attributes["service"], point.value) for _, attributes, point in told.points()]
    assert found == [("Azure Resource Graph", pauses[0])]
    assert 2 < pauses[0] < 4
