"""The same refusals while storage and Azure fail: what is not refused as ever is 503 or 429, nothing of anybody else is
shown, and nothing is half done. I21."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from dev.azure.admin import AzureAdmin
from tests.drift.host import Host
from tests.isolation.cast import Cast
from tests.isolation.conftest import WatchNew
from tests.isolation.planted import Cellar, bare, readable, seen_in
from tests.isolation.policy import LINES
from tests.isolation.proxy import Fault, Shaky
from tests.isolation.watch import Watch

UNAVAILABLE = {429, 503}
AT_ONCE = 12
FAULTS = list(Fault)
# No member: in another process its visit is a row that is written again.
OUTSIDERS = ("nobody", "stranger", "neighbour", "suspended", "deleted")
LINES_OF_TENANTS = [one for one in LINES.values() if one.audience not in {"anybody", "signed-in"}]
FOREIGN = [one for one in LINES_OF_TENANTS if one.audience != "platform" and any(one.spots())]


@dataclass(frozen=True)
class Try:
    """One request of the matrix, and how it is refused when nothing fails."""

    case: tuple[str, str]
    made: dict[str, Any]
    allowed: set[object]
    sent: str = ""  # the foreign id in it


def tries_of(cast: Cast, watch: Watch, roles: tuple[str, ...]) -> list[Try]:
    """Every refusal of the matrix: of these roles at the tenant under attack, and of its ids in the own one."""
    own, foreign = watch.own, watch.foreign
    found = []
    for line in LINES_OF_TENANTS:
        for role in roles:
            if not line.lets_in(role):
                made = line.request(foreign.ids | {"tenant_id": cast.target(role, foreign)})
                made["headers"] |= cast.headers(role, foreign)
                found.append(Try((role, line.name), made, {line.answers[role]}))
    for line in FOREIGN:
        for place, name in line.spots():
            theirs = foreign.ids[name]
            made = line.request(own.ids, (place, name, theirs))
            made["headers"] |= cast.headers("admin", own)
            allowed: set[object] = {"path": {404}, "query": {404, 200}}.get(place, {404, 412})
            sent = theirs if line.is_page else ""
            found.append(Try((place, line.name), made, allowed, sent))
    return found


async def storm(shaky: Shaky, watch: Watch, tries: list[Try]) -> set[int]:
    """All of them at once; the statuses that came."""
    free = asyncio.Semaphore(AT_ONCE)

    async def ask(one: Try) -> int:
        async with free:
            answer = await shaky.client.request(**one.made)
        assert answer.status_code in one.allowed | UNAVAILABLE, (one.case, answer.text)
        assert seen_in(answer, watch.foreign.canaries, sent=one.sent) == [], one.case
        return answer.status_code

    return set(await asyncio.gather(*(ask(one) for one in tries)))


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
    before = await cellar.lasting(watch.own.tenant_id)
    await azure.add_fault(match={"path": "^/secrets"}, status=503)
    shaky.fail(*Fault, share=0.15)
    try:
        statuses = await storm(shaky, watch, tries_of(cast, watch, ("neighbour",)))
    finally:
        await azure.clear_faults()
    assert sum(proxy.failed for proxy in shaky.proxies) > 50
    assert {404, 503} <= statuses
    assert await cellar.lasting(watch.own.tenant_id) == before


async def hold(
    shaky: Shaky, watch: Watch, cellar: Cellar, tries: list[Try], fault: Fault, share: float
) -> None:
    before = await cellar.lasting(watch.own.tenant_id)
    shaky.fail(fault, share=share, seed=7)
    statuses = await storm(shaky, watch, tries)
    assert sum(proxy.failed for proxy in shaky.proxies) > len(tries) / 10
    assert fault is Fault.SLOW or share < 1 or statuses & UNAVAILABLE
    assert await cellar.lasting(watch.own.tenant_id) == before


@pytest.mark.parametrize("fault", FAULTS)
async def test_refusals_hold_under_each_fault(
    shaky: Shaky, cast: Cast, watch: Watch, cellar: Cellar, fault: Fault
) -> None:
    """Each fault meets a part of the refusals; together the parts are all of them."""
    part = tries_of(cast, watch, OUTSIDERS)[FAULTS.index(fault) :: len(FAULTS)]
    await hold(shaky, watch, cellar, part, fault, 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("fault", FAULTS)
async def test_every_refusal_holds_under_each_fault(
    shaky: Shaky, cast: Cast, watch: Watch, cellar: Cellar, fault: Fault, share: float
) -> None:
    await hold(shaky, watch, cellar, tries_of(cast, watch, OUTSIDERS), fault, share)


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
