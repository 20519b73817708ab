"""The process may end before any of its writes and messages: what comes again leads to the same outcome.

Each round dies at the next step of the scan, with all that a killed process leaves behind: the lease, a part that runs,
packs without a snapshot, findings without a notice. Faults 1 to 11; I04 I06 I16 I20.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from drift import scan
from errors import Stale
from settings import Settings
from tenancy.access import serve
from tenancy.ids import SubscriptionId
from tests.drift.dying import DyingDeployment

MOST_STEPS = 60  # more than a scan with one change takes


@pytest.fixture
async def dying(settings: Settings):
    deployment = DyingDeployment(settings)
    yield deployment
    await deployment.close()


async def scan_once(context, message: dict[str, str], *, at: datetime) -> None:
    await scan.scan_subscription(
        context, message["scan_id"], SubscriptionId(message["subscription_id"]), clock=lambda: at
    )


async def test_death_before_any_step_leads_to_the_same_outcome(new_tenant, dying):
    tenant = await new_tenant()
    accounts = [tenant.account(f"account{number:02d}") for number in range(MOST_STEPS)]
    await tenant.add(*accounts)
    await tenant.scan()
    await tenant.capture()
    context = await serve(dying, tenant.tenant_id)
    at = datetime.now(UTC)
    survived, steps = False, 0
    while not survived:
        edit = {"/properties/allowBlobPublicAccess": True}
        await tenant.azure.edit(accounts[steps]["id"], set=edit)
        scan_id, (body,) = await tenant.fan_out()
        message = msgspec.json.decode(body)
        survived = await dying.survives(scan_once(context, message, at=at), steps)
        at += timedelta(minutes=10)  # the dead process's lease has run out
        await scan_once(context, message, at=at)
        # Two messages for one notice may meet: one finds it changed, and delivered when it comes again.
        assert {type(error) for error in await tenant.host.drain()} <= {Stale}
        (part,) = (await tenant.read_scan(scan_id))["parts"]
        assert (part["status"], part["findings"]) == ("complete", steps + 1), steps
        (finding,) = await tenant.findings(f"?resource={accounts[steps]['name']}")
        assert (finding["status"], finding["evidence"]) == ("open", "confirmed"), steps
        rows = await tenant.rows("configurationhistory")
        assert len([key for _, key in rows if key.endswith(scan_id)]) == 1, steps
        newest = (await tenant.api.request("GET", "/api/notices?maxpagesize=1"))["value"][0]
        assert newest["events"] == [[finding["id"], "opened"]], steps
        assert newest["outcome"] == "delivered", steps
        steps += 1
    assert len(await tenant.notices()) == steps
    assert steps > 15


async def test_death_of_the_fan_out_leads_to_the_same_outcome(tenant, dying):
    """Faults 1 to 4: the scan was made, and some of its parts or messages were not."""
    context = await serve(dying, tenant.tenant_id)
    survived, steps = False, 0
    while not survived:
        scan_id = await tenant.request_scan()
        await tenant.host.take("scan-tenant")
        work = scan.scan_tenant(context, scan_id, now=datetime.now(UTC))
        survived = await dying.survives(work, steps)
        await scan.scan_tenant(context, scan_id, now=datetime.now(UTC))
        bodies = await tenant.host.take("scan-subscription")
        assert bodies
        for body in bodies:
            await tenant.host.run("scan-subscription", body)
        assert await tenant.host.drain() == []
        state = await tenant.read_scan(scan_id)
        assert (state["status"], len(state["parts"])) == ("complete", 1), steps
        steps += 1
    assert steps > 5


async def test_zombie_cannot_write_over_a_later_scan(tenant, deployment):
    """I05, fault 14: a scan that lost its lease half-way finds the pointer moved and starts again."""
    context = await serve(deployment, tenant.tenant_id)
    edit = {"/properties/minimumTlsVersion": "TLS1_0"}
    await tenant.azure.edit(tenant.account("alpha")["id"], set=edit)
    first = await tenant.request_scan()
    second = await tenant.request_scan()
    for body in await tenant.host.take("scan-tenant"):
        await tenant.host.run("scan-tenant", body)
    bodies = [msgspec.json.decode(body) for body in await tenant.host.take("scan-subscription")]
    slow = next(body for body in bodies if body["scan_id"] == first)
    quick = next(body for body in bodies if body["scan_id"] == second)
    await tenant.fault(path="/locks\\?", delaySeconds=1.0, times=1)
    now = datetime.now(UTC)
    zombie = asyncio.create_task(scan_once(context, slow, at=now))
    await asyncio.sleep(0.5)  # it waits for the list of locks now
    await tenant.azure.edit(
        tenant.account("alpha")["id"], set={"/properties/minimumTlsVersion": "TLS1_1"}
    )
    await scan_once(context, quick, at=now + timedelta(minutes=10))
    outcome = (await asyncio.gather(zombie, return_exceptions=True))[0]
    assert "changed meanwhile" in str(outcome)
    finding = await tenant.finding()
    assert finding["changes"][0]["after"] == "TLS1_1"
    pointer = (await tenant.rows())["configuration", tenant.subscription_id]
    assert pointer["scan_id"] == second
    await scan_once(context, slow, at=now + timedelta(minutes=20))
    assert (await tenant.read_scan(first))["status"] == "complete"
    assert (await tenant.finding())["changes"][0]["after"] == "TLS1_1"
