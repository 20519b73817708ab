"""Every point of every step, struck in every way; and Azure's faults together with a death at each point.

After each the message comes again, and the outcome is as if nothing had happened. Faults 1 to 11, 14, 16, 18 to 26, 31
and 33; I01 I03 I04 I05 I06 I07 I11 I16 I17 I20. The everyday part strikes every write of every step, and tries each
fault of Azure with one death; with `--all` each fault meets a death at every request.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from drift import consumers, scan
from drift.scans import scan_id_of
from errors import DriftError
from tenancy.access import TenantContext, serve
from tests.drift.conftest import NewTenant
from tests.drift.strikes import ANSWERS, Strike, StruckDeployment
from tests.drift.test_coverage import AT_ONCE, FAULTS
from tests.drift.world import World, scan_part, settle_down

MOST = 60  # rounds: more than any step makes requests that write
AGAIN = timedelta(minutes=10)  # until a message comes again: the dead process's lease is over

STRIKES = [
    pytest.param(strike, marks=pytest.mark.slow if strike in ANSWERS else ()) for strike in Strike
]

FEWEST = {Strike.STALE: 0}  # rounds: some steps write nothing that has a condition

AZURE: dict[str, dict[str, Any]] = {
    **{name: {"nth": 1, **members} for name, (members, _) in FAULTS.items()},
    "503 of the last source": {"nth": 4, "status": 503, "headers": AT_ONCE},
    "401": {"nth": 1, "status": 401, "body": {"error": {"code": "ExpiredAuthenticationToken"}}},
    "answer that breaks off": {"nth": 1, "abort": True, "body": '{"data":['},
}


@pytest.fixture
async def make_world(new_tenant: NewTenant):
    async def make(count: int = MOST) -> World:
        world = World(await new_tenant(), count)
        await world.begin()
        return world

    return make


async def expect_complete(world: World, scan_id: str) -> None:
    state = await world.tenant.read_scan(scan_id)
    assert (state["status"], [part["status"] for part in state["parts"]]) == (
        "complete",
        ["complete"],
    )
    history = [key for _, key in await world.tenant.rows("configurationhistory")]
    assert sum(key.endswith(scan_id) for key in history) == 1
    await world.expect_found()


async def completes(world: World, scan_id: str, number: int) -> None:
    """With one part, whatever the strike at this write did."""
    await settle_down(world.tenant)
    state = await world.tenant.read_scan(scan_id)
    assert (state["status"], len(state["parts"])) == ("complete", 1), number


async def strike_scans(
    world: World,
    struck: StruckDeployment,
    strike: Strike,
    *,
    first: int = 1,
    step: int = 1,
    only_writes: bool = True,
) -> int:
    """A scan for each of the requests to strike, until none is left; how many scans those were."""
    context = await serve(struck, world.tenant.tenant_id)
    at, number, reached = datetime.now(UTC), 0, True
    while reached:
        await world.change(number)
        scan_id, bodies = await world.tenant.fan_out()
        (body,) = (one for one in bodies if msgspec.json.decode(one)["scan_id"] == scan_id)
        struck.line.order(strike, first + number * step, only_writes=only_writes)
        await struck.survives(scan_part(context, body, at))
        reached = struck.line.reached
        at += AGAIN
        await scan_part(context, body, at)
        await settle_down(world.tenant)
        if strike is Strike.THROTTLED and not only_writes:
            # I20: what storage gave no help to confirm is left to the next scan, as what Azure does not answer.
            assert (await world.scan_at(at))["status"] == "complete"
            await world.expect_found()
        else:
            await expect_complete(world, scan_id)
        number += 1
        at += AGAIN
    await world.expect_told_once()
    await world.expect_quiet(at)
    return number


@pytest.mark.parametrize("strike", STRIKES)
async def test_scan_struck_at_every_write(make_world, struck: StruckDeployment, strike: Strike):
    """A killed scan comes again; a refused or unanswered request is tried again, by the scan or by its message."""
    world = await make_world()
    rounds = await strike_scans(world, struck, strike)
    # Lease, part, packs, snapshot, history, pointer, finding, release …; some of them have a condition.
    assert rounds > (2 if strike is Strike.STALE else 9), rounds


@pytest.mark.parametrize("strike", ANSWERS)
async def test_answers_of_storage_to_some_writes_of_a_scan(
    make_world, struck: StruckDeployment, strike: Strike
):
    """Of each kind at every fifth write, and at others for each kind. Faults 31 and 33."""
    world = await make_world(12)
    step = 1 if strike is Strike.STALE else 5  # few writes have a condition
    first = 1 if step == 1 else 1 + ANSWERS.index(strike)
    assert await strike_scans(world, struck, strike, first=first, step=step) > 1


async def completes_or_says_why(world: World, scan_id: str) -> None:
    """I17: a scan that could not list its subscriptions ends with the reason, and the next one is whole."""
    await settle_down(world.tenant)
    state = await world.tenant.read_scan(scan_id)
    if state["status"] != "complete":
        assert (state["status"], state["parts"]) == ("incomplete", [])
        assert "Storage asks to wait" in state["reason"]
        assert (await world.tenant.scan())["status"] == "complete"


@pytest.mark.parametrize("strike", STRIKES)
async def test_fan_out_struck_at_every_write(make_world, struck: StruckDeployment, strike: Strike):
    """Faults 3 and 4."""
    world = await make_world(1)
    context = await serve(struck, world.tenant.tenant_id)
    number, reached = 0, True
    while reached:
        scan_id = await world.tenant.request_scan()
        (body,) = await world.tenant.host.take("scan-tenant")
        struck.line.order(strike, number + 1)
        await struck.survives(scan.scan_tenant(context, scan_id, now=datetime.now(UTC)))
        reached = struck.line.reached
        await world.tenant.host.run("scan-tenant", body)
        if strike is Strike.THROTTLED and reached:
            await completes_or_says_why(world, scan_id)
        else:
            await completes(world, scan_id, number)
        number += 1
    assert number > FEWEST.get(strike, 3)


@pytest.mark.parametrize("strike", STRIKES)
async def test_start_struck_at_every_write_is_one_scan(
    make_world, struck: StruckDeployment, strike: Strike
):
    """I06 I07, faults 1, 2 and 33: the timer comes again for the same slot."""
    world = await make_world(1)
    context = await serve(struck, world.tenant.tenant_id)
    number, reached = 0, True
    while reached:
        slot = datetime.now(UTC)
        scan_id = scan_id_of(context.tenant.tenant_id, slot, "schedule")

        def start(slot: datetime = slot) -> Coroutine[Any, Any, Any]:
            return scan.start_scan(
                context, slot=slot, trigger="schedule", requested_by="schedule", now=slot
            )

        struck.line.order(strike, number + 1)
        await struck.survives(start())
        reached = struck.line.reached
        await start()
        await completes(world, scan_id, number)
        number += 1
    assert number > FEWEST.get(strike, 3)


@pytest.mark.parametrize("strike", STRIKES)
async def test_notice_struck_at_every_write_is_told_once(
    make_world, struck: StruckDeployment, strike: Strike
):
    """I16, faults 9 and 10."""
    world = await make_world(12)
    number, reached = 0, True
    while reached:
        await world.change(number)
        _, (body,) = await world.tenant.fan_out()
        await world.tenant.host.run("scan-subscription", body)
        (notice,) = await world.tenant.host.take("notices")
        struck.line.order(strike, number + 1)
        await struck.survives(consumers.deliver_notice(struck, notice))
        reached = struck.line.reached
        await world.tenant.host.run("notices", notice)
        await settle_down(world.tenant)
        number += 1
    await world.expect_told_once()
    assert number > 1


@pytest.mark.parametrize("strike", STRIKES)
async def test_look_struck_at_every_write_tells_once(
    make_world, struck: StruckDeployment, strike: Strike
):
    """An event's message comes again, too, and the next scan finds nothing more."""
    world = await make_world()
    number, reached = 0, True
    while reached:
        name = await world.change(number)
        look = {
            "version": 1,
            "tenant_id": world.tenant.tenant_id,
            "subscription_id": world.tenant.subscription_id,
            "resource_id": world.id_of(name),
        }
        body = msgspec.json.encode(look)
        struck.line.order(strike, number + 1)
        await struck.survives(consumers.resource_event(struck, body))
        reached = struck.line.reached
        await consumers.resource_event(struck, body)
        await settle_down(world.tenant)
        await world.expect_found()
        number += 1
    await world.tenant.part()
    await world.expect_told_once()
    await world.expect_quiet(datetime.now(UTC))
    assert number > FEWEST.get(strike, 4)


async def test_zombie_cannot_write_over_a_later_scan(tenant, deployment):
    """I05, fault 14: a scan that lost its lease half-way finds the pointer moved and starts again."""
    context = await serve(deployment, tenant.tenant_id)
    edit = {"/properties/minimumTlsVersion": "TLS1_0"}
    await tenant.azure.edit(tenant.account("alpha")["id"], set=edit)
    first = await tenant.request_scan()
    second = await tenant.request_scan()
    for body in await tenant.host.take("scan-tenant"):
        await tenant.host.run("scan-tenant", body)
    bodies = await tenant.host.take("scan-subscription")
    slow, quick = (
        next(body for body in bodies if msgspec.json.decode(body)["scan_id"] == scan_id)
        for scan_id in (first, second)
    )
    await tenant.fault(path="/locks\\?", delaySeconds=1.0, times=1)
    now = datetime.now(UTC)
    zombie = asyncio.create_task(scan_part(context, slow, now))
    await asyncio.sleep(0.5)  # it waits for the list of locks now
    await tenant.azure.edit(
        tenant.account("alpha")["id"], set={"/properties/minimumTlsVersion": "TLS1_1"}
    )
    await scan_part(context, quick, now + timedelta(minutes=10))
    outcome = (await asyncio.gather(zombie, return_exceptions=True))[0]
    assert "changed meanwhile" in str(outcome)
    finding = await tenant.finding()
    assert finding["changes"][0]["after"] == "TLS1_1"
    pointer = (await tenant.rows())["configuration", tenant.subscription_id]
    assert pointer["scan_id"] == second
    await scan_part(context, slow, now + timedelta(minutes=20))
    assert (await tenant.read_scan(first))["status"] == "complete"
    assert (await tenant.finding())["changes"][0]["after"] == "TLS1_1"


async def test_instances_whose_clocks_differ_lose_nothing(make_world, deployment):
    """I05 I12, fault 34: an hour ahead, an hour behind and back again. One that takes a lease for good waits."""
    world = await make_world(6)
    context = await serve(deployment, world.tenant.tenant_id)
    now = datetime.now(UTC)
    for number, minutes in enumerate((60, -60, 0, 90, 61)):
        await world.change(number)
        scan_id, bodies = await world.tenant.fan_out()
        body = next(one for one in bodies if msgspec.json.decode(one)["scan_id"] == scan_id)
        await scan_part(context, body, now + timedelta(minutes=minutes))
        await scan_part(context, body, now + timedelta(minutes=100 + number))  # it comes again
        await settle_down(world.tenant)
        await expect_complete(world, scan_id)
    await world.expect_told_once()
    await world.expect_quiet(now + timedelta(hours=3))


async def die_in_a_faulty_azure(
    world: World, struck: StruckDeployment, fault: dict[str, Any], number: int, at: datetime
) -> bool:
    """One scan that meets a fault of Azure and dies at its request `number`; whether it came to that one."""
    tenant = world.tenant
    context = await serve(struck, tenant.tenant_id)
    known = await tenant.etags("finding", "configuration")
    scan_id, (body,) = await tenant.fan_out()
    await tenant.azure.clear_requests()
    await tenant.graph_fault(times=1, **fault)
    struck.line.order(Strike.BEFORE, number, only_writes=False)
    died = not await struck.survives(try_part(context, body, at))
    reached = struck.line.reached
    if not died and fault is not AZURE["answer that breaks off"]:
        # I01 I03 I17: it says that it is incomplete, and concludes nothing.
        assert (await tenant.read_scan(scan_id))["status"] in {"incomplete", "running"}
        assert await tenant.etags("finding", "configuration") == known
    await tenant.azure.clear_faults()
    await scan_part(context, body, at + AGAIN)
    await settle_down(tenant)
    return reached


async def try_part(context: TenantContext, body: bytes, at: datetime) -> None:
    with contextlib.suppress(DriftError):  # the host would bring the message again
        await scan_part(context, body, at)


@pytest.mark.parametrize("fault", AZURE)
async def test_fault_of_azure_and_one_death(make_world, struck: StruckDeployment, fault: str):
    """The death is at another request for each fault."""
    world = await make_world(3)
    for number in range(3):
        await world.change(number)
    at = datetime.now(UTC)
    death = 1 + 5 * (list(AZURE).index(fault) % 6)
    await die_in_a_faulty_azure(world, struck, AZURE[fault], death, at)
    part = await world.scan_at(at + 2 * AGAIN)
    assert part["status"] == "complete"
    await world.expect_found()
    await world.expect_told_once()
    await world.expect_quiet(at + 3 * AGAIN)


@pytest.mark.slow
@pytest.mark.parametrize("fault", AZURE)
async def test_fault_of_azure_and_a_death_at_every_request(
    make_world, struck: StruckDeployment, fault: str
):
    world = await make_world()
    at, number, reached = datetime.now(UTC), 0, True
    while reached:
        await world.change(number)
        reached = await die_in_a_faulty_azure(world, struck, AZURE[fault], number + 1, at)
        at += 2 * AGAIN
        part = await world.scan_at(at)
        assert part["status"] == "complete", number
        await world.expect_found()
        number += 1
    await world.expect_told_once()
    await world.expect_quiet(at + AGAIN)
    assert number > 15


@pytest.mark.slow
@pytest.mark.parametrize("strike", STRIKES)
async def test_scan_struck_at_every_request(make_world, struck: StruckDeployment, strike: Strike):
    """Reads of storage and of Azure, too."""
    world = await make_world(80)
    rounds = await strike_scans(world, struck, strike, only_writes=False)
    assert rounds > (2 if strike is Strike.STALE else 30), rounds
