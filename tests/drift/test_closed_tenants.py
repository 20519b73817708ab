"""A tenant that is suspended or deleted: nothing works at once, and a scan under way stops within seconds and commits
nothing more. E02, I15.

So does one whose connection is removed.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dev.demo.client import ProductError
from drift import onboarding, scan
from drift.collect import SOURCES
from drift.lease import LOOK_SECONDS, ConnectionRemovedError, TenantClosedError
from errors import Conflict
from tenancy.access import govern, serve
from tenancy.ids import DirectoryId, ObjectId, SubscriptionId
from tenancy.principal import PLATFORM_ROLE, Principal
from tenancy.store import Table
from tenancy.tenants import ROW, TenantStatus
from tests.drift.test_operation_counts import counted

TLS = "/properties/minimumTlsVersion"
GRAPH_SOURCES = sum(bool(source.query) for source in SOURCES)


async def drift(tenant) -> None:
    await tenant.azure.edit(tenant.account("alpha")["id"], set={TLS: "TLS1_0"})


COMMITTED = ("finding", "configuration", "configurationhistory", "notice", "pack")


class Clock:
    """So many seconds after the scan began as the test says."""

    def __init__(self) -> None:
        self.began = datetime.now(UTC)
        self.seconds = 0.0

    def __call__(self) -> datetime:
        return self.began + timedelta(seconds=self.seconds)


async def run_and_close(tenant, close, *, seconds=LOOK_SECONDS, moment="reading") -> str:
    """A scan whose tenant is closed while it waits for Azure, and so many seconds pass for it meanwhile.

    `reading` is at the first page of the first source, `ending` at the last source: only commits follow.
    """
    await drift(tenant)
    scan_id, _ = await tenant.fan_out()
    await tenant.azure.clear_requests()
    if moment == "reading":
        await tenant.graph_fault(nth=1, delaySeconds=1.0)
        until = lambda log: any(tenant.subscription_id in one["path"] for one in log)  # noqa: E731
    else:
        await tenant.fault(path="/locks\\?", delaySeconds=1.0, times=1)
        until = lambda log: sum(one["kind"] == "graph" for one in log) >= GRAPH_SOURCES  # noqa: E731
    clock = Clock()
    context = await serve(tenant.host.deployment, tenant.tenant_id)
    part = SubscriptionId(tenant.subscription_id)
    work = scan.scan_subscription(context, scan_id, part, clock=clock)
    running = asyncio.create_task(work)
    async with asyncio.timeout(20):
        while True:
            if until((await tenant.azure.requests())["log"]):
                break
            await asyncio.sleep(0.02)
    await close()
    clock.seconds = seconds
    (outcome,) = await asyncio.gather(running, return_exceptions=True)
    assert outcome is None or isinstance(outcome, TenantClosedError)
    return scan_id


async def graph_calls(tenant) -> int:
    return (await tenant.azure.requests())["counts"].get("graph", 0)


def closing(tenant, operator, action):
    async def close():
        path = f"/api/tenants/{tenant.tenant_id}"
        if action == "delete":
            await operator.request("DELETE", path)
        else:
            await operator.request("POST", f"{path}/suspend")

    return close


@pytest.mark.parametrize("action", ["suspend", "delete"])
async def test_scan_under_way_stops_within_seconds(tenant, operator, action):
    """At the first step after LOOK_SECONDS, and nothing of it is committed."""
    assert LOOK_SECONDS <= 10
    before = await tenant.etags(*COMMITTED)
    scan_id = await run_and_close(tenant, closing(tenant, operator, action))
    assert await graph_calls(tenant) == 1  # four sources were still to be read
    assert await tenant.etags(*COMMITTED) == before
    assert await tenant.host.drain() == []
    if action == "delete":
        return
    await operator.request("POST", f"/api/tenants/{tenant.tenant_id}/resume")
    stopped = await tenant.read_scan(scan_id)
    assert (stopped["status"], [part["status"] for part in stopped["parts"]]) == (
        "cancelled",
        ["cancelled"],
    )
    lease = (await tenant.rows("subscription"))["subscription", f"lease.{tenant.subscription_id}"]
    latest = datetime.now(UTC) + timedelta(seconds=LOOK_SECONDS)  # the scan's own clock is ahead
    assert lease["expires_at"] <= latest  # it was given back


@pytest.mark.parametrize("moment", ["reading", "ending"])
@pytest.mark.parametrize("action", ["suspend", "delete"])
async def test_scan_that_is_quicker_than_the_look_commits_nothing(tenant, operator, action, moment):
    """I15: before each commit it looks in any case, however little time has passed."""
    before = await tenant.etags(*COMMITTED)
    close = closing(tenant, operator, action)
    await run_and_close(tenant, close, seconds=0, moment=moment)
    assert await graph_calls(tenant) >= GRAPH_SOURCES
    assert await tenant.etags(*COMMITTED) == before


async def test_scan_closed_between_two_commits_commits_no_more(tenant, operator):
    """Its new state is written by then, its findings are not: the next scan finds them."""
    before = await tenant.etags("finding", "notice")
    await tenant.get_fault(tenant.account("alpha")["id"], delaySeconds=1.0)
    await drift(tenant)
    scan_id, (message,) = await tenant.fan_out()
    running = asyncio.create_task(tenant.host.run("scan-subscription", message))
    async with asyncio.timeout(20):
        while True:
            pointer = (await tenant.rows("configuration"))["configuration", tenant.subscription_id]
            if pointer["scan_id"] == scan_id:
                break
            await asyncio.sleep(0.02)
    await closing(tenant, operator, "suspend")()
    await running  # dropped, not failed: the host must not try it again
    assert await tenant.etags("finding", "notice") == before
    await tenant.azure.clear_faults()
    await operator.request("POST", f"/api/tenants/{tenant.tenant_id}/resume")
    assert (await tenant.part())["findings"] == 1
    assert (await tenant.finding())["evidence"] == "confirmed"


@pytest.mark.parametrize("moment", ["reading", "ending"])
@pytest.mark.parametrize("again", [False, True])
async def test_removed_connection_stops_the_scan_that_holds_its_token(tenant, again, moment):
    """Also where another one was made since: it may be of another organisation's application."""
    before = await tenant.etags(*COMMITTED)

    async def remove():
        removed = await tenant.http.delete("/api/connection", headers=await tenant.if_match())
        assert removed.status_code == 204
        if again:
            body = tenant.organisation.tenant_body()["connection"]
            await tenant.api.request("PUT", "/api/connection", body)

    seconds = LOOK_SECONDS if moment == "reading" else 0
    scan_id = await run_and_close(tenant, remove, seconds=seconds, moment=moment)
    if moment == "reading":
        assert await graph_calls(tenant) == 1  # four sources were still to be read
    assert await tenant.etags(*COMMITTED) == before
    stopped = await tenant.read_scan(scan_id)
    (part,) = stopped["parts"]
    assert (stopped["status"], part["status"]) == ("incomplete", "incomplete")
    assert "connection to Azure was removed" in part["reason"]


async def test_a_look_is_one_row_until_the_connection_is_another(tenant):
    """It is taken every LOOK_SECONDS, however large the subscription is."""
    context = await serve(tenant.host.deployment, tenant.tenant_id)
    lineage = (await context.credential()).lineage
    look = scan._watch(context, lineage)
    with counted() as operations:
        await look()
    assert operations.counts == {"table": 1}
    row = await context.store.get(Table.TENANT, ROW)
    await context.store.put(Table.TENANT, ROW, {**row.values, "connection": ""})  # nobody says
    await look()
    removed = await tenant.http.delete("/api/connection", headers=await tenant.if_match())
    assert removed.status_code == 204
    with pytest.raises(ConnectionRemovedError):
        await look()


async def test_replaced_connection_stops_no_scan(tenant, operator):
    async def replace_it():
        assert (await tenant.put_connection()).status_code == 200

    scan_id = await run_and_close(tenant, replace_it)
    assert (await tenant.read_scan(scan_id))["status"] == "complete"
    assert await graph_calls(tenant) > 1


async def test_queued_messages_of_a_closed_tenant_do_nothing(tenant, operator):
    await drift(tenant)
    scan_id, messages = await tenant.fan_out()
    await operator.request("POST", f"/api/tenants/{tenant.tenant_id}/suspend")
    await tenant.azure.clear_requests()
    for message in messages:
        await tenant.host.run("scan-subscription", message)
    assert (await tenant.azure.requests())["counts"] == {}
    await operator.request("POST", f"/api/tenants/{tenant.tenant_id}/resume")
    assert (await tenant.read_scan(scan_id))["status"] == "cancelled"  # and not queued for ever
    assert (await tenant.part())["findings"] == 1


async def test_nobody_starts_a_scan_of_a_suspended_tenant(tenant, operator):
    """Not even a platform operator, who may enter it: the scan would stay queued for ever."""
    await operator.request("POST", f"/api/tenants/{tenant.tenant_id}/suspend")
    with pytest.raises(ProductError, match=r"403.*suspended"):
        await tenant.api.request("POST", "/api/scans")
    headers = {"X-Tenant-Id": tenant.tenant_id}
    with pytest.raises(ProductError, match=r"409.*suspended"):
        await operator.request("POST", "/api/scans", headers=headers)
    assert await tenant.host.take("scan-tenant") == []


async def test_credential_of_a_closed_tenant_is_forgotten(tenant, operator):
    credentials = tenant.host.deployment.credentials
    assert tenant.tenant_id in credentials._known
    await operator.request("POST", f"/api/tenants/{tenant.tenant_id}/suspend")
    assert tenant.tenant_id not in credentials._known


async def test_suspension_wins_over_a_tick_that_moves_the_schedule(tenant, settings):
    """Both write the tenant's row; the operator must not be told to try again, nor the schedule be set back."""
    deployment = tenant.host.deployment
    home = DirectoryId(settings.platform_directory_id)
    pia = Principal(home, ObjectId(str(uuid.uuid4())), "Pia", frozenset({PLATFORM_ROLE}), False)
    context = await govern(deployment, pia, tenant.tenant_id, now=datetime.now(UTC))
    moved = replace(context.tenant, schedule="7 * * * *")
    await context.store.put(Table.TENANT, ROW, moved.values())
    suspended = await onboarding.suspend(context, now=datetime.now(UTC))
    assert (suspended.status, suspended.schedule) == (TenantStatus.SUSPENDED, "7 * * * *")
    with pytest.raises(Conflict):
        await serve(deployment, tenant.tenant_id)


async def test_requests_of_a_deleted_tenant_find_nothing(tenant, operator):
    await operator.request("DELETE", f"/api/tenants/{tenant.tenant_id}")
    for method, path in (("GET", "/api/findings"), ("POST", "/api/scans")):
        with pytest.raises(ProductError, match="404"):
            await tenant.api.request(method, path)
    assert (await tenant.api.request("GET", "/api/me"))["tenants"] == []
    for path in ("resume", "suspend", "activate"):
        with pytest.raises(ProductError, match="404"):
            await operator.request("POST", f"/api/tenants/{tenant.tenant_id}/{path}")


async def test_directory_of_a_deleted_tenant_begins_anew(tenant, operator):
    """C11: the same directory, the same subscriptions, nothing of the old tenant's data."""
    await drift(tenant)
    await tenant.scan()
    assert len(await tenant.findings()) == 1
    await operator.request("DELETE", f"/api/tenants/{tenant.tenant_id}")
    body = tenant.organisation.tenant_body()
    again = await operator.request("POST", "/api/tenants", body)
    assert again["id"] != tenant.tenant_id
    headers = {"X-Tenant-Id": again["id"]}
    for path in ("findings", "baselines", "scans", "notices", "subscriptions", "rules"):
        listed = await tenant.api.request("GET", f"/api/{path}", headers=headers)
        assert listed["value"] == [], path
    fresh = await tenant.api.request("POST", "/api/subscriptions/refresh", headers=headers)
    assert [(one["id"], one["monitored"]) for one in fresh["value"]] == [
        (tenant.subscription_id, True)
    ]


async def test_operation_id_of_a_deleted_tenant_is_used_up(operator, new_organisation):
    organisation = await new_organisation()
    operation = {"Operation-Id": str(uuid.uuid4())}
    body = organisation.tenant_body()
    made = await operator.request("POST", "/api/tenants", body, headers=operation)
    await operator.request("DELETE", f"/api/tenants/{made['id']}")
    with pytest.raises(ProductError, match=r"409.*deleted"):
        await operator.request("POST", "/api/tenants", body, headers=operation)
