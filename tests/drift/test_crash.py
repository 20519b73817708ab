"""The process may end before any of its writes and messages: what comes again leads to the same outcome.

Each round dies at the next step of the scan, with all that a killed process leaves behind: the lease, a part that runs,
packs without a snapshot, findings without a notice. Faults 1 to 11; I04 I06 I16 I20.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from drift import scan
from settings import Settings
from tenancy.access import serve
from tenancy.deployment import Deployment
from tenancy.ids import SubscriptionId
from tenancy.queues import Queue, Queues
from tenancy.store import Tables


class Killed(BaseException):
    """The process ends: no `except Exception` may turn it into something else."""


class Fuse:
    """Burns down with every request to storage; once it is out, none goes through."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def burn(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed


class DyingTables(Tables):
    fuse: Fuse

    async def client(self, table: str):
        self.fuse.burn()
        return await super().client(table)


class DyingQueues(Queues):
    fuse: Fuse

    async def send(self, queue: Queue, body: Mapping[str, str | int], *, delay: int = 0) -> None:
        self.fuse.burn()
        await super().send(queue, body, delay=delay)


class DyingDeployment(Deployment):
    def __init__(self, settings: Settings, fuse: Fuse) -> None:
        super().__init__(settings)
        self.tables = DyingTables(self._table_service())
        self.queues = DyingQueues(self._queue_service())
        self.tables.fuse = self.queues.fuse = fuse


async def dies(settings: Settings, steps: int, message: dict[str, str], *, at: datetime) -> bool:
    """Runs the scan of one subscription in a process that ends after so many steps; False if it came through."""
    deployment = DyingDeployment(settings, Fuse(1000))
    try:
        context = await serve(deployment, message["tenant_id"])
        deployment.tables.fuse.left = steps
        await scan_once(context, message, at=at)
    except Killed:
        return True
    finally:
        await deployment.close()
    return False


async def scan_once(context, message: dict[str, str], *, at: datetime) -> None:
    await scan.scan_subscription(
        context, message["scan_id"], SubscriptionId(message["subscription_id"]), clock=lambda: at
    )


async def test_death_before_any_step_leads_to_the_same_outcome(tenant, settings, deployment):
    versions = ("TLS1_0", "TLS1_1")
    context = await serve(deployment, tenant.tenant_id)
    at = datetime.now(UTC)
    died, steps = True, 0
    while died:
        value = versions[steps % 2]
        edit = {"/properties/minimumTlsVersion": value, "/properties/allowBlobPublicAccess": True}
        await tenant.azure.edit(tenant.account("alpha")["id"], set=edit)
        scan_id = await tenant.request_scan()
        (body,) = await tenant.host.take("scan-tenant")
        await tenant.host.run("scan-tenant", body)
        (body,) = await tenant.host.take("scan-subscription")
        message = msgspec.json.decode(body)
        died = await dies(settings, steps, message, at=at)
        at += timedelta(minutes=10)  # the dead process's lease has run out
        await scan_once(context, message, at=at)
        assert await tenant.host.drain() == []
        state = await tenant.read_scan(scan_id)
        assert state["status"] == "complete", steps
        finding = await tenant.finding()
        assert finding["changes"][-1]["after"] == value, steps
        assert finding["status"] == "open"
        rows = await tenant.rows("configurationhistory")
        history = [key for _, key in rows if key.endswith(scan_id)]
        assert len(history) == 1, steps
        # It opened once, and that was told once: later rounds change the value and not the severity.
        (notice,) = await tenant.notices()
        assert (notice["events"], notice["outcome"]) == (
            [[finding["id"], "opened"]],
            "delivered",
        ), steps
        steps += 1
    assert steps > 15


async def test_death_of_the_fan_out_leads_to_the_same_outcome(tenant, settings, deployment):
    """Faults 1 to 4: the scan was made, and some of its parts or messages were not."""
    context = await serve(deployment, tenant.tenant_id)
    died, steps = True, 0
    while died:
        scan_id = await tenant.request_scan()
        await tenant.host.take("scan-tenant")
        dying = DyingDeployment(settings, Fuse(1000))
        try:
            there = await serve(dying, tenant.tenant_id)
            dying.tables.fuse.left = steps
            await scan.scan_tenant(there, scan_id, now=datetime.now(UTC))
            died = False
        except Killed:
            died = True
        finally:
            await dying.close()
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


async def test_zombie_cannot_write_over_a_later_scan(tenant, settings, deployment):
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
