"""The same refusals while storage and Azure fail: what is not refused as ever is 503 or 429, nothing of anybody else is
shown, and nothing is half done. I21."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from dev.azure.admin import AzureAdmin
from tests.drift.host import Host
from tests.isolation.cast import Cast
from tests.isolation.conftest import WatchNew
from tests.isolation.planted import Cellar, Planted, State, bare, readable, seen_in
from tests.isolation.policy import LINES, Line
from tests.isolation.proxy import Fault, Shaky
from tests.isolation.watch import Watch

UNAVAILABLE = {429, 503}
AT_ONCE = 12
LINES_OF_TENANTS = [one for one in LINES.values() if one.audience not in {"anybody", "signed-in"}]
FOREIGN = [one for one in LINES_OF_TENANTS if one.audience != "platform" and any(one.spots())]


async def lasting(cellar: Cellar, tenant: Planted) -> State:
    """All of the attacker's own but the rows that tell of its tries and visits."""
    state = await cellar.state_of(tenant.tenant_id)
    told = (".denied.", ".entry.", "seen.")
    return {key: row for key, row in state.items() if not any(one in key[2] for one in told)}


async def storm(shaky: Shaky, cast: Cast, watch: Watch, roles: tuple[str, ...]) -> set[int]:
    """Every refusal of the matrix at once; the statuses that came."""
    free = asyncio.Semaphore(AT_ONCE)
    own, foreign = watch.own, watch.foreign

    async def ask(made: dict, headers: dict[str, str], allowed: set[object], case: object) -> int:
        made["headers"] |= headers
        async with free:
            answer = await shaky.client.request(**made)
        assert answer.status_code in allowed | UNAVAILABLE, (case, answer.text)
        assert seen_in(answer, foreign.canaries) == [], case
        return answer.status_code

    def outside(line: Line, role: str):
        ids = foreign.ids | {"tenant_id": cast.target(role, foreign)}
        expected = {line.answers[role]}
        return ask(line.request(ids), cast.headers(role, foreign), expected, (role, line.name))

    def inside(line: Line, place: str, name: str):
        made = line.request(own.ids, (place, name, foreign.ids[name]))
        expected = {"path": {404}, "query": {404, 200}, "body": {404, 412}}[place]
        return ask(made, cast.headers("admin", own), expected, (place, line.name))

    tries = [
        outside(line, role) for line in LINES_OF_TENANTS for role in roles if not line.lets_in(role)
    ]
    tries += [inside(line, *spot) for line in FOREIGN for spot in line.spots()]
    return set(await asyncio.gather(*tries))


@pytest.fixture
async def azure_fails(azure: AzureAdmin) -> AsyncIterator[AzureAdmin]:
    """Vault, Entra ID and Resource Manager answer 503, 429, half an answer or late; each of them some of the time."""
    kinds = ({"status": 503}, {"status": 429}, {"abort": True}, {"delaySeconds": 0.3})
    for nth, kind in enumerate(kinds * 5, start=1):
        await azure.add_fault(match={"path": ".", "nth": nth}, **kind)
    yield azure
    await azure.clear_faults()


async def test_refusals_hold_while_storage_and_azure_fail(
    shaky: Shaky, cast: Cast, watch: Watch, cellar: Cellar, azure: AzureAdmin
) -> None:
    before = await lasting(cellar, watch.own)
    await azure.add_fault(match={"path": "^/secrets"}, status=503)
    shaky.fail(*Fault, share=0.15)
    try:
        statuses = await storm(shaky, cast, watch, ("neighbour",))
    finally:
        await azure.clear_faults()
    assert sum(proxy.failed for proxy in shaky.proxies) > 50
    assert {404, 503} <= statuses
    assert await lasting(cellar, watch.own) == before


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("fault", list(Fault))
async def test_refusals_hold_under_each_fault(
    shaky: Shaky, cast: Cast, watch: Watch, cellar: Cellar, fault: Fault, share: float
) -> None:
    # No member: in another process its visit is a row that is written again.
    roles = ("nobody", "stranger", "neighbour", "suspended", "deleted")
    before = await lasting(cellar, watch.own)
    shaky.fail(fault, share=share, seed=7)
    statuses = await storm(shaky, cast, watch, roles)
    assert fault is Fault.SLOW or share < 1 or statuses & UNAVAILABLE
    assert await lasting(cellar, watch.own) == before


async def test_scans_side_by_side_stay_apart_while_storage_and_azure_fail(
    shaky: Shaky,
    quiet: Host,
    cellar: Cellar,
    watch_new: WatchNew,
    azure_fails: AzureAdmin,
) -> None:
    """I21: two tenants in one batch of messages; whatever becomes of their scans, nothing of one is with the other."""
    both = [bare(await watch_new(f"canary-{number}-scan"), "") for number in range(2)]
    for one in both:
        await one.watched.put_subscription()
        await one.watched.add(one.watched.account(f"st{one.tenant_id[:8]}"), one.watched.lock())
        await one.watched.request_scan()
    shaky.fail(*Fault, share=0.1)
    failing = Host(shaky.deployment, cellar.queues)
    await failing.drain()
    assert sum(proxy.failed for proxy in shaky.proxies) > 5
    await azure_fails.clear_faults()
    for one, other in (both, both[::-1]):
        (scan,) = await one.watched.api.every("/api/scans")
        assert scan["status"] in {"complete", "incomplete", "failed", "running", "queued"}
        found = "".join(readable(await cellar.state_of(one.tenant_id)).values())
        assert one.tenant_id in found
        for text in {*other.ids.values(), f"st{other.tenant_id[:8]}"}:
            assert text not in found
