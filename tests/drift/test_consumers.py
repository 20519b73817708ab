"""Messages: twice, at once, late, unreadable, foreign or of a closed tenant.

I04 I05 I08 I15, faults 11 to 15 and 29.
"""

from __future__ import annotations

import asyncio
import uuid

import pytest

from dev.demo.client import Product
from errors import Invalid, NotFound, Stale

MOST_TRIES = 5


async def drift(tenant):
    edit = {"/properties/allowBlobPublicAccess": True}
    await tenant.azure.edit(tenant.account("alpha")["id"], set=edit)


def message(tenant, scan_id, subscription_id=""):
    return {
        "version": 1,
        "tenant_id": tenant.tenant_id,
        "scan_id": scan_id,
        "subscription_id": subscription_id or tenant.subscription_id,
    }


async def expect_one_of_each(tenant, scan_id):
    scan = await tenant.read_scan(scan_id)
    assert (scan["status"], len(scan["parts"])) == ("complete", 1)
    finding = await tenant.finding()
    assert len(finding["steps"]) == 1
    (notice,) = await tenant.notices()
    assert (notice["events"], notice["outcome"]) == ([[finding["id"], "opened"]], "delivered")
    assert len(await tenant.rows("configurationhistory")) == 1


async def test_same_message_twice_at_once_is_one_scan(tenant):
    await drift(tenant)
    scan_id, (body,) = await tenant.fan_out()
    await asyncio.gather(*(tenant.host.run("scan-subscription", body) for _ in range(2)))
    # The one that found the subscription busy put its message back for later.
    assert await tenant.host.waiting("scan-subscription") == 1
    assert await tenant.host.take("scan-subscription") == []
    await tenant.host.run("scan-subscription", body)
    assert await tenant.host.drain() == []
    await expect_one_of_each(tenant, scan_id)


async def wait_until_it_runs(tenant, scan_id):
    for _ in range(500):
        (part,) = (await tenant.read_scan(scan_id))["parts"]
        if part["status"] == "running":
            return part
        await asyncio.sleep(0.02)
    raise TimeoutError


async def test_busy_subscription_is_left_to_its_holder(tenant):
    await drift(tenant)
    scan_id, (body,) = await tenant.fan_out()
    await tenant.fault(path="/locks\\?", delaySeconds=0.8, times=1)
    holder = asyncio.create_task(tenant.host.run("scan-subscription", body))
    before = await wait_until_it_runs(tenant, scan_id)
    await tenant.host.run("scan-subscription", body)
    assert not holder.done()
    assert (await tenant.read_scan(scan_id))["parts"] == [before]
    assert await tenant.host.waiting("scan-subscription") == 1
    await holder
    await tenant.host.drain()
    await expect_one_of_each(tenant, scan_id)


async def test_message_that_comes_again_changes_nothing(tenant, written):
    await drift(tenant)
    scan_id, (body,) = await tenant.fan_out()
    await tenant.host.run("scan-subscription", body)
    assert await tenant.host.drain() == []
    before = await tenant.etags()
    for _ in range(2):
        await tenant.host.put("scan-subscription", body)
    assert await tenant.host.drain() == []
    assert written(before, await tenant.etags()) == []
    await expect_one_of_each(tenant, scan_id)


async def test_scan_tenant_twice_at_once_is_one_scan(tenant):
    await drift(tenant)
    scan_id = await tenant.request_scan()
    (body,) = await tenant.host.take("scan-tenant")
    for _ in range(2):
        await tenant.host.put("scan-tenant", body)
    assert {type(error) for error in await tenant.host.drain()} <= {Stale}
    # Of two messages for the subscription one may wait for its lease.
    scan = await tenant.read_scan(scan_id)
    assert scan["subscriptions"] == 1
    await expect_one_of_each(tenant, scan_id)


async def test_two_scans_of_one_subscription_do_not_mix(tenant):
    """The later one waits for the lease and then finds nothing left to do."""
    await drift(tenant)
    first, (one,) = await tenant.fan_out()
    second, (two,) = await tenant.fan_out()
    assert first != second
    await asyncio.gather(
        tenant.host.run("scan-subscription", one), tenant.host.run("scan-subscription", two)
    )
    states = {(await tenant.read_scan(scan))["status"] for scan in (first, second)}
    assert states == {"complete", "running"}
    await tenant.host.run("scan-subscription", one)
    await tenant.host.run("scan-subscription", two)
    assert await tenant.host.drain() == []
    assert (await tenant.read_scan(second))["status"] == "complete"
    await expect_one_of_each(tenant, first)


@pytest.mark.parametrize("queue", ["scan-tenant", "scan-subscription", "notices"])
async def test_unreadable_message_is_given_up_and_harms_nobody(tenant, written, caplog, queue):
    """I08: five tries, then one line for the platform operator."""
    bodies = (b"\x00\xff", b"{", b"[]", b'{"version":9}', b'{"tenant_id":"../x"}', b"x" * 5000)
    before, waiting = await tenant.etags(), await tenant.host.waiting(queue)
    for body in bodies:
        await tenant.host.put(queue, body)
    errors = await tenant.host.drain()
    assert {type(error) for error in errors} == {Invalid}
    assert len(errors) == MOST_TRIES * len(bodies)
    lines = [one for one in caplog.records if one.message == "poison message cannot be read"]
    assert len(lines) == len(bodies)
    assert written(before, await tenant.etags()) == []
    assert await tenant.host.waiting(queue) == waiting


async def test_part_that_cannot_be_scanned_fails_visibly(tenant, caplog):
    scan_id, (body,) = await tenant.fan_out()
    client = tenant.tables.get_table_client("subscription")
    await client.delete_entity(tenant.tenant_id, f"s.{tenant.subscription_id}")
    await tenant.host.put("scan-subscription", body)
    errors = await tenant.host.drain()
    assert [type(error) for error in errors] == [NotFound] * MOST_TRIES
    scan = await tenant.read_scan(scan_id)
    assert (scan["status"], scan["parts"][0]["status"]) == ("failed", "failed")
    assert "five tries" in scan["parts"][0]["reason"]
    assert scan["finishedAt"]
    assert "subscription not scanned" in {one.message for one in caplog.records}  # an alert


async def test_given_up_messages_end_what_they_were_for(tenant, written, caplog):
    scan_id = await tenant.request_scan()
    (body,) = await tenant.host.take("scan-tenant")
    await tenant.host.put("scan-tenant-poison", body)
    assert await tenant.host.drain() == []
    scan = await tenant.read_scan(scan_id)
    assert scan["status"] == "failed"
    assert "five tries" in scan["reason"]
    assert {"poison message", "scan failed"} <= {one.message for one in caplog.records}  # alerts
    before = await tenant.etags()
    for queue in ("scan-tenant", "scan-tenant-poison"):
        await tenant.host.put(queue, body)
    assert await tenant.host.drain() == []
    assert written(before, await tenant.etags()) == []


async def test_given_up_notice_stays_listed_with_the_reason(tenant):
    await drift(tenant)
    _, (body,) = await tenant.fan_out()
    await tenant.host.run("scan-subscription", body)
    (notice,) = await tenant.host.take("notices")
    await tenant.host.put("notices-poison", notice)
    assert await tenant.host.drain() == []
    (listed,) = await tenant.notices()
    assert (listed["outcome"], listed["reason"]) == (
        "failed",
        "It could not be delivered in five tries.",
    )


async def test_poison_for_what_does_not_exist_is_dropped(tenant, written):
    before = await tenant.etags()
    body = message(tenant, "0000000000000000-0123456789ab") | {"notice_id": "nothing"}
    for queue in ("scan-tenant-poison", "scan-subscription-poison", "notices-poison"):
        await tenant.host.put(queue, body)
    assert await tenant.host.drain() == []
    assert written(before, await tenant.etags()) == []


@pytest.mark.parametrize("action", ["suspend", "delete"])
async def test_messages_of_a_closed_tenant_are_dropped(tenant, operator: Product, written, action):
    """I15."""
    await drift(tenant)
    scan_id, _ = await tenant.fan_out()
    path = f"/api/tenants/{tenant.tenant_id}"
    if action == "suspend":
        await operator.request("POST", f"{path}/suspend")
    else:
        await operator.request("DELETE", path)
    before = await tenant.etags()
    await tenant.azure.clear_requests()
    for queue in ("scan-tenant", "scan-subscription", "notices"):
        for name in (queue, f"{queue}-poison"):
            await tenant.host.put(name, message(tenant, scan_id) | {"notice_id": "x"})
    assert await tenant.host.drain() == []
    assert written(before, await tenant.etags()) == []
    assert (await tenant.azure.requests())["counts"] == {}


async def test_suspended_tenant_goes_on_when_it_is_resumed(tenant, operator: Product):
    await drift(tenant)
    path = f"/api/tenants/{tenant.tenant_id}"
    await operator.request("POST", f"{path}/suspend")
    await operator.request("POST", f"{path}/resume")
    assert (await tenant.part())["findings"] == 1


async def test_message_naming_a_foreign_subscription_does_nothing(tenant, new_tenant, written):
    other = await new_tenant()
    await other.add(other.account("alpha"))
    await other.scan()
    await drift(tenant)
    scan_id, (body,) = await tenant.fan_out()
    other_scan, _ = await other.fan_out()
    own, foreign = await tenant.etags(), await other.etags()
    await tenant.azure.clear_requests()
    for scan in (scan_id, other_scan):
        await tenant.host.put("scan-subscription", message(tenant, scan, other.subscription_id))
    await tenant.host.put("scan-subscription", message(tenant, other_scan))
    await tenant.host.put("scan-subscription", message(tenant, scan_id, str(uuid.uuid4())))
    assert await tenant.host.drain() == []
    assert written(own, await tenant.etags()) == []
    assert written(foreign, await other.etags()) == []
    assert (await tenant.azure.requests())["counts"] == {}
    await tenant.host.put("scan-subscription", body)
    assert await tenant.host.drain() == []
    await expect_one_of_each(tenant, scan_id)
