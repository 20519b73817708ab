"""The timer's tick: one scan a slot, however often and late it fires. I07, fault 17."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest

from dev.demo.client import ProductError
from drift.scan import MOST_OPEN
from drift.schedule import tick


@pytest.fixture
async def hourly(new_tenant, operator):
    """A tenant with an hourly schedule, and no schedule afterwards: the ticks of others must not find it due."""
    tenant = await new_tenant()
    await tenant.change_settings(schedule="0 * * * *")
    yield tenant
    await operator.request("POST", f"/api/tenants/{tenant.tenant_id}/resume")
    await tenant.change_settings(schedule="")


async def due_at(tenant):
    return (await tenant.rows("tenant"))["tenant", "tenant"].get("next_scan_at")


async def scans(tenant):
    return await tenant.api.every("/api/scans")


async def test_slot_is_scanned_once(hourly, deployment):
    slot = await due_at(hourly)
    assert (slot.minute, slot.second) == (0, 0)
    await tick(deployment, now=slot - timedelta(seconds=1))
    assert await scans(hourly) == []
    await asyncio.gather(*(tick(deployment, now=slot) for _ in range(3)))
    await tick(deployment, now=slot + timedelta(seconds=30))
    (scan,) = await scans(hourly)
    assert (scan["trigger"], scan["status"]) == ("schedule", "queued")
    assert await due_at(hourly) == slot + timedelta(hours=1)
    await tick(deployment, now=slot + timedelta(hours=1))
    assert len(await scans(hourly)) == 2


async def test_queued_scan_runs_to_its_end(hourly, deployment):
    await tick(deployment, now=await due_at(hourly))
    await hourly.host.drain()
    (scan,) = await scans(hourly)
    assert scan["status"] == "complete"


async def test_missed_slots_are_one_scan(hourly, deployment):
    slot = await due_at(hourly)
    late = slot + timedelta(hours=5, minutes=20)
    await tick(deployment, now=late)
    await tick(deployment, now=late + timedelta(minutes=1))
    assert len(await scans(hourly)) == 1
    assert await due_at(hourly) == slot + timedelta(hours=6)


async def test_tick_that_died_before_it_moved_on_starts_the_same_scan(hourly, deployment):
    slot = await due_at(hourly)
    client = hourly.tables.get_table_client("tenant")
    before = await client.get_entity(hourly.tenant_id, "tenant")
    await tick(deployment, now=slot)
    await client.upsert_entity(before)
    await tick(deployment, now=slot + timedelta(minutes=1))
    assert len(await scans(hourly)) == 1
    await hourly.host.drain()
    (scan,) = await scans(hourly)
    assert scan["status"] == "complete"


async def test_change_of_schedule_moves_the_next_scan(hourly):
    hour = await due_at(hourly)
    await hourly.change_settings(schedule="30 4 * * *")
    moved = await due_at(hourly)
    assert (moved.hour, moved.minute) == (4, 30)
    await hourly.change_settings(retention={"scans": 30})
    assert await due_at(hourly) == moved
    await hourly.change_settings(schedule="")
    assert await due_at(hourly) is None
    await hourly.change_settings(schedule="0 * * * *")
    assert await due_at(hourly) in {hour, hour + timedelta(hours=1)}  # the hour may have struck


async def test_tenant_without_schedule_is_never_due(hourly, deployment):
    slot = await due_at(hourly)
    await hourly.change_settings(schedule="")
    await tick(deployment, now=slot + timedelta(days=400))
    assert await scans(hourly) == []


async def test_suspended_tenant_is_not_scanned(hourly, deployment, operator):
    slot = await due_at(hourly)
    await operator.request("POST", f"/api/tenants/{hourly.tenant_id}/suspend")
    await tick(deployment, now=slot)
    await operator.request("POST", f"/api/tenants/{hourly.tenant_id}/resume")
    assert await scans(hourly) == []
    await tick(deployment, now=slot)
    assert len(await scans(hourly)) == 1


async def test_trouble_of_one_tenant_does_not_hold_up_another(new_tenant, deployment):
    """Tenants are looked at in order of their ids; the first one's schedule is one that no API would have taken."""
    troubled, sound = sorted([await new_tenant() for _ in range(2)], key=lambda one: one.tenant_id)
    await sound.change_settings(schedule="0 * * * *")
    slot = await due_at(sound)
    client = troubled.tables.get_table_client("tenant")
    row = await client.get_entity(troubled.tenant_id, "tenant")
    await client.upsert_entity({**row, "schedule": "never mind", "next_scan_at": slot})
    await tick(deployment, now=slot)
    await client.upsert_entity(row)
    assert len(await scans(sound)) == 1
    assert await due_at(sound) == slot + timedelta(hours=1)
    await sound.change_settings(schedule="")


async def test_tick_is_remembered_and_said(deployment, hourly, caplog):
    """The deployment's alert waits for the line."""
    caplog.set_level(logging.INFO, logger="drift.schedule")
    slot = await due_at(hourly)
    moment = slot - timedelta(minutes=7)
    await tick(deployment, now=moment)
    assert await deployment.registry.last_tick() == moment
    assert [one.started for one in caplog.records if one.message == "tick finished"] == [0]


async def test_no_more_than_ten_scans_of_a_tenant_are_open(hourly, deployment, caplog):
    """More would only wait; a slot that comes meanwhile is left out, and the next one is on time."""
    open_ones = [await hourly.request_scan() for _ in range(MOST_OPEN)]
    with pytest.raises(ProductError, match=r"409.*have not ended yet"):
        await hourly.request_scan()
    slot = await due_at(hourly)
    await tick(deployment, now=slot)
    assert len(await scans(hourly)) == MOST_OPEN
    assert "scan left out" in {one.message for one in caplog.records}
    assert await due_at(hourly) == slot + timedelta(hours=1)
    await hourly.api.request("POST", f"/api/scans/{open_ones[0]}/cancel")
    await hourly.request_scan()
    assert len(await scans(hourly)) == MOST_OPEN + 1
