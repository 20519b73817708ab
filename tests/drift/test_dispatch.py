"""Which parts of a scan are in the queue, and what ends a scan that would not end. I06 I13, faults 3, 4, 15 and 16."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from drift import scan as story
from drift.dispatch import MOST_WAITING
from drift.endings import LONGEST_SCAN
from tenancy.access import serve

MANY = 11


@pytest.fixture
async def wide(new_tenant):
    """A tenant of many subscriptions with nothing in them."""
    tenant = await new_tenant()
    for _ in range(MANY - 1):
        subscription_id = str(uuid.uuid4())
        await tenant.put_subscription(subscription_id)
        tenant.subscriptions.append(subscription_id)
    return tenant


def subscription_of(body):
    return msgspec.json.decode(body)["subscription_id"]


async def states(tenant, scan_id):
    return [part["status"] for part in (await tenant.read_scan(scan_id))["parts"]]


async def test_tenant_of_many_subscriptions_waits_in_the_queue_with_few(wide, tenant):
    """I13: whoever comes later waits behind a few of its messages, however many subscriptions it has."""
    _, waiting = await wide.fan_out()
    assert len(waiting) == MOST_WAITING
    await tenant.request_scan()
    for body in await wide.host.take("scan-tenant"):
        await wide.host.run("scan-tenant", body)
    (own,) = await wide.host.take("scan-subscription")
    assert subscription_of(own) == tenant.subscription_id


async def test_each_part_that_ends_sends_the_next(wide):
    scan_id, bodies = await wide.fan_out()
    seen = []
    while bodies:
        seen += [subscription_of(body) for body in bodies]
        for body in bodies[:-1]:
            await wide.host.run("scan-subscription", body)
        last = bodies[-1]
        bodies = await wide.host.take("scan-subscription")
        assert len(bodies) < MOST_WAITING
        await wide.host.run("scan-subscription", last)
        bodies += await wide.host.take("scan-subscription")
    assert sorted(seen) == sorted(wide.subscriptions)
    scan = await wide.read_scan(scan_id)
    assert (scan["status"], len(scan["parts"])) == ("complete", MANY)


async def test_part_that_is_given_up_sends_the_next(wide):
    scan_id, bodies = await wide.fan_out()
    for body in bodies:
        await wide.host.put("scan-subscription-poison", body)
    assert await wide.host.drain() == []
    scan = await wide.read_scan(scan_id)
    assert scan["status"] == "incomplete"
    assert (
        sorted(await states(wide, scan_id))
        == ["complete"] * (MANY - MOST_WAITING) + ["failed"] * MOST_WAITING
    )


async def test_given_up_message_that_comes_again_sends_no_more_than_one(wide):
    scan_id, bodies = await wide.fan_out()
    for _ in range(2):
        await wide.host.run("scan-subscription-poison", bodies[0])
    following = await wide.host.take("scan-subscription")
    assert len({subscription_of(body) for body in following}) == 1
    assert (await states(wide, scan_id)).count("failed") == 1


async def context_of(tenant):
    return await serve(tenant.host.deployment, tenant.tenant_id)


async def test_scan_whose_messages_are_lost_ends_at_its_deadline(wide):
    """I06: what was read stands, the rest failed, and the scan says why."""
    scan_id, bodies = await wide.fan_out()
    await wide.host.run("scan-subscription", bodies[0])
    await wide.host.take("scan-subscription")
    overdue = datetime.now(UTC) + LONGEST_SCAN
    await story.scan_tenant(await context_of(wide), scan_id, now=overdue - timedelta(minutes=1))
    assert (await wide.read_scan(scan_id))["status"] == "running"
    await wide.host.take("scan-subscription")
    await story.scan_tenant(await context_of(wide), scan_id, now=overdue)
    scan = await wide.read_scan(scan_id)
    assert scan["status"] == "incomplete"
    assert sorted(await states(wide, scan_id)) == ["complete"] + ["failed"] * (MANY - 1)
    reasons = {part["reason"] for part in scan["parts"] if part["status"] == "failed"}
    assert reasons == {"The scan did not come to its end in 6 hours. The next one starts afresh."}
    before = await wide.etags()
    await story.scan_tenant(await context_of(wide), scan_id, now=overdue + timedelta(minutes=1))
    assert await wide.etags() == before


async def test_scan_that_never_began_ends_at_its_deadline(tenant):
    scan_id = await tenant.request_scan()
    await tenant.host.take("scan-tenant")
    assert await tenant.host.waiting("scan-tenant") > 0  # what ends it
    overdue = datetime.now(UTC) + LONGEST_SCAN
    await story.scan_tenant(await context_of(tenant), scan_id, now=overdue)
    scan = await tenant.read_scan(scan_id)
    assert (scan["status"], scan["parts"]) == ("failed", [])
    assert "6 hours" in scan["reason"]


async def test_message_of_a_scan_that_was_never_made_is_dropped(tenant, written):
    """The process died between the message that ends a scan and the scan itself."""
    before = await tenant.etags()
    scan_id = "0000000000000000-0123456789ab"
    body = {"version": 1, "tenant_id": tenant.tenant_id, "scan_id": scan_id}
    await tenant.host.put("scan-tenant", body)
    assert await tenant.host.drain() == []
    assert written(before, await tenant.etags()) == []
