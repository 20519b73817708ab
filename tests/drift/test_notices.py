"""Notices: committed with their findings, lost by no crash, told once. I04 I16, faults 9 to 11."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from drift import consumers, notices
from drift.engine.findings import Event, Evidence, Observation, advance
from drift.engine.model import Change, ChangeKind, Severity, resource_key
from drift.findings import Transition, commit, outbox
from drift.notices import publish
from settings import Settings
from tenancy.access import serve
from tenancy.deployment import Deployment
from tenancy.ids import SubscriptionId
from tenancy.queues import Queue, Queues

CORRELATION = "5f2a1c1e-94a5-4a4c-8d0b-0c8c4f1c5a01"


class Killed(BaseException):
    """The process ends: no `except Exception` may turn it into something else."""


class DyingQueues(Queues):
    """Dies when the notice is to be sent."""

    async def send(self, queue: Queue, body: Mapping[str, str | int], *, delay: int = 0) -> None:
        if queue is Queue.NOTICES:
            raise Killed
        await super().send(queue, body, delay=delay)


@pytest.fixture
async def dying(settings: Settings):
    deployment = Deployment(settings)
    deployment.queues = DyingQueues(deployment._queue_service)
    yield deployment
    await deployment.close()


async def open_public_access(tenant):
    """Rated high or worse: it is to be told."""
    edit = {"/properties/allowBlobPublicAccess": True}
    await tenant.azure.edit(tenant.account("alpha")["id"], set=edit)


async def test_notice_tells_what_happened_once(tenant):
    await open_public_access(tenant)
    await tenant.scan()
    finding = await tenant.finding()
    assert finding["severity"] in {"high", "critical"}
    (notice,) = await tenant.notices()
    assert notice["events"] == [[finding["id"], "opened"]]
    assert (notice["outcome"], notice["channel"]) == ("delivered", "inbox")
    await tenant.scan()
    assert len(await tenant.notices()) == 1
    undo = {"/properties/allowBlobPublicAccess": False}
    await tenant.azure.edit(tenant.account("alpha")["id"], set=undo)
    await tenant.scan()
    newest, oldest = await tenant.notices()
    assert newest["events"] == [[finding["id"], "resolved"]]
    assert oldest["id"] == notice["id"]


async def test_outbox_is_committed_with_the_findings(tenant, dying):
    await open_public_access(tenant)
    scan_id, (body,) = await tenant.fan_out()
    with pytest.raises(Killed):
        await consumers.scan_subscription(dying, body)
    finding = await tenant.finding()
    context = await serve(tenant.host.deployment, tenant.tenant_id)
    (entry,) = await outbox(context.store, tenant.subscription_id)
    assert entry.events == ((finding["id"], Event.OPENED.value),)
    assert await tenant.host.waiting("notices") == 0
    # The message comes again, as it was not deleted: the notice is sent, the scan ends.
    await tenant.host.put("scan-subscription", body)
    assert await tenant.host.drain() == []
    (notice,) = await tenant.notices()
    assert (notice["scanId"], notice["outcome"]) == (entry.scan_id, "delivered")
    assert await outbox(context.store, tenant.subscription_id) == []
    assert (await tenant.read_scan(scan_id))["status"] == "complete"


async def test_next_scan_publishes_what_an_earlier_one_left(tenant, dying):
    """Even when the message of the run that died never comes back."""
    await open_public_access(tenant)
    _, (body,) = await tenant.fan_out()
    with pytest.raises(Killed):
        await consumers.scan_subscription(dying, body)
    await tenant.scan()
    (notice,) = await tenant.notices()
    assert notice["events"] == [[(await tenant.finding())["id"], "opened"]]
    assert notice["outcome"] == "delivered"


async def test_publishing_twice_at_once_is_one_notice(tenant, dying):
    await open_public_access(tenant)
    _, (body,) = await tenant.fan_out()
    with pytest.raises(Killed):
        await consumers.scan_subscription(dying, body)
    context = await serve(tenant.host.deployment, tenant.tenant_id)
    now = datetime.now(UTC)
    await asyncio.gather(
        *(publish(context, tenant.subscription_id, now=now) for _ in range(3)),
    )
    await tenant.host.drain()
    (notice,) = await tenant.notices()
    assert notice["outcome"] == "delivered"


async def test_message_of_a_delivered_notice_does_nothing(tenant, written):
    await open_public_access(tenant)
    await tenant.scan()
    (notice,) = await tenant.notices()
    before = await tenant.etags()
    body = {"version": 1, "tenant_id": tenant.tenant_id, "notice_id": notice["id"]}
    await tenant.host.put("notices", body)
    await tenant.host.put("notices-poison", body)
    assert await tenant.host.drain() == []
    assert written(before, await tenant.etags()) == []


async def test_severities_that_are_not_wanted_are_not_told(tenant):
    await tenant.change_settings(notify=["critical"])
    edit = {"/tags": {"owner": "bob"}}
    await tenant.azure.edit(tenant.account("alpha")["id"], set=edit)
    await tenant.scan()
    assert (await tenant.finding())["severity"] != "critical"
    assert await tenant.notices() == []
    context = await serve(tenant.host.deployment, tenant.tenant_id)
    assert await outbox(context.store, tenant.subscription_id) == []


async def test_settings_decide_what_is_told(tenant):
    await tenant.change_settings(notify=["critical", "high", "medium", "low", "informational"])
    await tenant.azure.edit(tenant.account("alpha")["id"], set={"/tags": {"owner": "bob"}})
    await tenant.scan()
    (notice,) = await tenant.notices()
    assert notice["events"] == [[(await tenant.finding())["id"], "opened"]]


async def edit_alone(tenant, name):
    """An edit of one account, which is an operation of its own in Azure."""
    edit = {"/properties/allowBlobPublicAccess": True}
    await tenant.azure.edit(tenant.account(name)["id"], set=edit)


async def test_one_operation_is_one_incident_and_one_notice(new_tenant):
    tenant = await new_tenant()
    names = ("one", "two", "three")
    await tenant.add(*(tenant.account(name) for name in names))
    await tenant.scan()
    await tenant.capture()
    for name in ("one", "two"):
        await tenant.azure.edit(
            tenant.account(name)["id"],
            set={"/properties/allowBlobPublicAccess": True},
            correlationId=CORRELATION,
        )
    await edit_alone(tenant, "three")
    await tenant.scan()
    by_name = {item["resourceId"].rsplit("/", 1)[1]: item["id"] for item in await tenant.findings()}
    together = await tenant.findings(f"?incident={CORRELATION}")
    assert {item["id"] for item in together} == {by_name["one"], by_name["two"]}
    notices = {notice["incident"]: notice["events"] for notice in await tenant.notices()}
    assert len(notices) == 2
    assert sorted(notices.pop(CORRELATION)) == sorted(
        [by_name[name], "opened"] for name in ("one", "two")
    )
    assert list(notices.values()) == [[[by_name["three"], "opened"]]]


async def test_what_the_same_scan_finds_later_is_told_too(tenant, dying):
    """A scan died after its first findings, another one published them, and then the first goes on."""
    edit = {"/properties/allowBlobPublicAccess": True}
    alpha = tenant.account("alpha")["id"]
    await tenant.azure.edit(alpha, set=edit, correlationId=CORRELATION)
    first, (body,) = await tenant.fan_out()
    with pytest.raises(Killed):
        await consumers.scan_subscription(dying, body)
    part = (await tenant.rows("scan"))["scan", f"p.{first}.{tenant.subscription_id}"]
    await tenant.scan()  # publishes
    late = tenant.account("late", allowBlobPublicAccess=True)
    await tenant.azure.edit(create=late, correlationId=CORRELATION)
    client = tenant.tables.get_table_client("scan")
    await client.upsert_entity(
        {name: value for name, value in part.items() if name != "etag"}
        | {"body": part["body"].replace(b'"complete"', b'"running"')}
    )
    await tenant.host.put("scan-subscription", body)
    assert await tenant.host.drain() == []
    told = [event for notice in await tenant.notices() for event in notice["events"]]
    assert sorted(told) == sorted([item["id"], "opened"] for item in await tenant.findings())
    assert len(told) == 2
    assert {notice["incident"] for notice in await tenant.notices()} == {CORRELATION}


async def test_incident_of_very_many_findings_is_told_whole(tenant, monkeypatch):
    """More than one property of a row holds; and what no row would hold is told by several."""
    monkeypatch.setattr(notices, "MOST_EVENTS", 800)
    context = await serve(tenant.host.deployment, tenant.tenant_id)
    now, subscription = datetime.now(UTC), SubscriptionId(tenant.subscription_id)
    found = [finding_of(tenant, f"r{number}", now) for number in range(810)]
    await commit(context.store, subscription, "many", found)
    await publish(context, subscription, now=now)
    assert await tenant.host.drain() == []
    told = await tenant.notices()
    assert sorted(len(one["events"]) for one in told) == [10, 800]
    assert {one["outcome"] for one in told} == {"delivered"}
    ids = {event[0] for one in told for event in one["events"]}
    assert ids == {one.finding.finding_id for one in found}


def finding_of(tenant, name, now):
    """A new finding of a made-up resource, as a scan commits it."""
    resource_id = f"{tenant.group}/providers/a/b/{name}"
    seen = Observation(
        subscription_id=tenant.subscription_id,
        key=resource_key(resource_id),
        resource_id=resource_id,
        resource_type="a/b",
        kind=ChangeKind.MODIFIED,
        changes=(Change("/x", ChangeKind.MODIFIED, 1, 2, Severity.HIGH),),
        severity=Severity.HIGH,
        baseline_digest="base",
        current_digest="now",
        evidence=Evidence.CONFIRMED,
    )
    step = advance(None, seen, now=now, baseline_id="none")
    return Transition(step.finding, "", step.event, None)
