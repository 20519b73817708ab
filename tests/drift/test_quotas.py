"""Quotas refuse clearly, tell the tenant once, and leave nothing out: what was known stays as it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from drift.quotas import roll_up
from drift.schedule import tick
from tenancy.access import serve
from tenancy.ids import TenantId
from tenancy.usage import read_days


async def set_quotas(operator, tenant, **quotas):
    path = f"/api/tenants/{tenant.tenant_id}/quotas"
    etag = (await operator._client.get(path)).headers["ETag"]
    return await operator.request("PUT", path, quotas, headers={"If-Match": etag})


async def told(tenant):
    await tenant.host.drain()
    return [one["text"] for one in await tenant.notices() if one["text"]]


async def test_scan_over_the_quota_of_resources_concludes_nothing(tenant, operator):
    edit = {"/properties/allowBlobPublicAccess": True}
    await tenant.azure.edit(tenant.account("alpha")["id"], set=edit)
    await tenant.scan()
    (finding,) = await tenant.findings()
    known = await tenant.etags("configuration", "configurationhistory", "pack", "finding")
    await set_quotas(operator, tenant, resources=4)
    await tenant.azure.edit(tenant.network("net")["id"], delete=True)
    await tenant.add(*(tenant.network(f"more-{number}") for number in range(3)))
    part = await tenant.part()
    assert part["status"] == "incomplete"
    assert part["reason"].startswith("There are 6 resources here and 0 in this tenant's other")
    assert "nothing was concluded" in part["reason"]
    assert all(line["read"] for line in part["coverage"])
    assert await tenant.findings() == [finding]
    assert await tenant.etags("configuration", "configurationhistory", "pack", "finding") == known
    await tenant.scan()
    assert await told(tenant) == [part["reason"]]
    await set_quotas(operator, tenant, resources=6)
    assert (await tenant.part())["status"] == "complete"


async def test_resources_of_the_other_subscriptions_count(tenant, operator):
    other = "a" + tenant.subscription_id[1:]
    await tenant.put_subscription(other, displayName="other")
    await tenant.scan()
    await set_quotas(operator, tenant, resources=4)
    parts = {part["subscriptionId"]: part for part in (await tenant.scan())["parts"]}
    assert {part["status"] for part in parts.values()} == {"complete"}  # 4 and none
    network = tenant.network("there")
    network["id"] = network["id"].replace(tenant.subscription_id, other)
    await tenant.azure.add_resources([network])
    parts = {part["subscriptionId"]: part for part in (await tenant.scan())["parts"]}
    assert parts[other]["status"] == "incomplete"
    assert "and 4 in this tenant's other subscriptions" in parts[other]["reason"]


async def test_manual_scan_over_the_days_quota_gets_429_until_midnight(tenant, operator):
    await set_quotas(operator, tenant, scansADay=2)  # one was made already
    assert (await tenant.scan())["status"] == "complete"
    refused = await tenant.http.post("/api/scans", headers={"X-Requested-With": "test"})
    assert refused.status_code == 429
    assert refused.json()["code"] == refused.headers["x-ms-error-code"] == "over-daily-quota"
    assert "quota of 2 scans a day" in refused.json()["detail"]
    midnight = (datetime.now(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0)
    left = (midnight - datetime.now(UTC)).total_seconds()
    assert int(refused.headers["Retry-After"]) == pytest.approx(left, abs=60)
    assert len(await tenant.api.every("/api/scans")) == 2
    await set_quotas(operator, tenant)
    assert (await tenant.scan())["status"] == "complete"


async def test_scheduled_scans_over_the_quota_rest_until_tomorrow(tenant, operator, deployment):
    await tenant.change_settings(schedule="0 * * * *")
    try:
        day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        day += timedelta(days=2)  # no scan of the real day is in it
        await set_quotas(operator, tenant, scansADay=2)
        for hour in range(5):
            await tick(deployment, now=day + timedelta(hours=hour, seconds=1))
        scans = [
            one
            for one in await tenant.api.every("/api/scans")
            if datetime.fromisoformat(one["createdAt"]) >= day
        ]
        assert len(scans) == 2
        (text,) = await told(tenant)
        assert "quota of 2 scans a day" in text
        assert "go on then by themselves" in text
        (row,) = (await tenant.rows("tenant")).values()
        assert row["next_scan_at"] == day + timedelta(days=1)
        await tick(deployment, now=day + timedelta(days=1, seconds=1))
        # Beside those of the day: the fixture's, the slot of today that was missed, and the one of the day after.
        assert len(await tenant.api.every("/api/scans")) == len(scans) + 3
    finally:
        await tenant.change_settings(schedule="")


async def test_same_slot_again_is_no_second_scan_of_the_quota(tenant, operator, deployment):
    """A tick that died before it moved the schedule on finds its own scan, not the quota."""
    await tenant.change_settings(schedule="0 0 * * *")
    try:
        await set_quotas(operator, tenant, scansADay=1)
        client = tenant.tables.get_table_client("tenant")
        before = await client.get_entity(tenant.tenant_id, "tenant")
        slot = datetime.fromtimestamp(before["next_scan_at"].timestamp(), UTC)
        await tick(deployment, now=slot)
        await client.upsert_entity(before)
        assert await tick(deployment, now=slot + timedelta(minutes=1)) >= 1
        assert len(await tenant.api.every("/api/scans")) == 2  # the fixture's and this one
        assert await told(tenant) == []
    finally:
        await tenant.change_settings(schedule="")


async def test_baselines_over_the_quota_of_bytes_get_409_and_are_not_stored(tenant, operator):
    await set_quotas(operator, tenant, storedBytes=1000)
    before = await tenant.etags("baseline", "pack")
    body = {"subscriptionId": tenant.subscription_id, "name": "more"}
    headers = {"X-Requested-With": "test"}
    for given in (body, body | {"source": "upload", "resources": [tenant.network("uploaded")]}):
        refused = await tenant.http.post("/api/baselines", json=given, headers=headers)
        assert refused.status_code == 409, refused.text
        assert refused.json()["code"] == "over-quota"
        assert "may store 1,000" in refused.json()["detail"]
    (baseline,) = await tenant.api.every("/api/baselines")
    path = f"/api/baselines/{baseline['id']}"
    edited = await tenant.http.post(
        f"{path}/edit",
        json={"remove": tenant.network("net")["id"]},
        headers=headers | await tenant.if_match(path),
    )
    assert (edited.status_code, edited.json()["code"]) == (409, "over-quota")
    assert await tenant.etags("baseline", "pack") == before
    (text,) = await told(tenant)  # once, however often it was refused
    assert "may store 1,000" in text
    assert (await tenant.scan())["status"] == "complete"  # scans do not become blind


async def test_room_is_measured_as_it_is_now(tenant, operator, deployment):
    context = await serve(deployment, TenantId(tenant.tenant_id))
    stored = await context.store.stored_bytes()
    await set_quotas(operator, tenant, storedBytes=stored + 100_000)
    await tenant.capture()
    assert len(await tenant.api.every("/api/baselines")) == 2


async def test_night_measures_what_is_stored(tenant, deployment):
    context = await serve(deployment, TenantId(tenant.tenant_id))
    now = datetime.now(UTC)
    await roll_up(context, now=now)
    (day,) = await read_days(context.store, now.date(), now.date())
    assert 5_000 < day.stored_bytes < await context.store.stored_bytes()


async def test_usage_is_what_happened(tenant, deployment):
    """The fixture scanned once; here once more, with a notice."""
    edit = {"/properties/allowBlobPublicAccess": True}
    await tenant.azure.edit(tenant.account("alpha")["id"], set=edit)
    await tenant.scan()
    today = datetime.now(UTC).date()
    context = await serve(deployment, TenantId(tenant.tenant_id))
    await deployment.usage.write(context.store)
    (day,) = await read_days(context.store, today, today)
    assert (day.scans, day.notices, day.resources) == (2, 1, 4)
    assert day.graph_calls >= 8
    assert day.arm_calls >= 6
    assert day.api_calls >= 4
