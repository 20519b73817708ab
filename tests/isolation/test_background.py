"""E: messages that name another tenant's things, tenants that are not there, and states that have moved on."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from errors import NotFound
from tests.drift.host import CONSUMERS, Host
from tests.isolation.cast import Cast
from tests.isolation.conftest import WatchNew
from tests.isolation.planted import Cellar, Planted

MOST_TRIES = 5
KEEPS = ("keep-tenant", "keep-tenant-poison")  # name a tenant and nothing in it: that one is kept


def message(tenant_id: str, planted: Planted) -> dict[str, Any]:
    """What any consumer would find enough, with the ids of that tenant."""
    return {
        "version": 1,
        "tenant_id": tenant_id,
        "scan_id": planted.ids["scan_id"],
        "subscription_id": planted.ids["subscription_id"],
        "notice_id": "9999999999999999-canary",
        "resource_id": planted.watched.account("alpha")["id"],
        "job": f"backup.{planted.ids['backup_id']}",
    }


@pytest.mark.parametrize("queue", CONSUMERS)
async def test_e01_e03_message_with_ids_of_another_tenant_does_nothing(
    quiet: Host, cellar: Cellar, own: Planted, foreign: Planted, queue: str
) -> None:
    """The tenant of the message counts; its ids are looked for in that tenant, and are not there."""
    before = await cellar.rows_of(own.tenant_id), await cellar.rows_of(foreign.tenant_id)
    azure = own.watched.azure
    await azure.clear_requests()
    mixed = message(own.tenant_id, foreign) | {"notice_id": f"{foreign.ids['scan_id']}.x"}
    await quiet.put(queue, mixed)
    errors = await quiet.drain()
    assert (await azure.requests())["counts"] == {}
    assert {type(one) for one in errors} <= {NotFound}
    assert len(errors) in {0, MOST_TRIES}  # then it was given up, and marked in nobody's tenant
    after = await cellar.rows_of(own.tenant_id), await cellar.rows_of(foreign.tenant_id)
    assert after[1] == before[1]
    assert after[0] == before[0] or queue in KEEPS
    assert await quiet.waiting(queue) == 0


@pytest.mark.parametrize("queue", CONSUMERS)
async def test_e02_message_for_no_tenant_or_a_closed_one_is_dropped(
    quiet: Host, cellar: Cellar, cast: Cast, foreign: Planted, queue: str
) -> None:
    before = await cellar.rows_of(foreign.tenant_id)
    azure = foreign.watched.azure
    await azure.clear_requests()
    closed = [one.tenant_id for one in cast.shut.values()]
    for tenant_id in (str(uuid.uuid4()), *closed):
        await quiet.put(queue, message(tenant_id, foreign))
    assert await quiet.drain() == []
    assert (await azure.requests())["counts"] == {}
    assert await cellar.rows_of(foreign.tenant_id) == before


async def test_e05_late_message_is_held_against_the_baseline_of_today(
    quiet: Host, watch_new: WatchNew
) -> None:
    watched = await watch_new("late")
    account = watched.account("alpha")
    await watched.add(account, watched.lock())
    assert (await watched.scan())["status"] == "complete"
    await watched.capture()
    await watched.azure.edit(account["id"], set={"/properties/allowBlobPublicAccess": True})
    await watched.scan()
    (finding,) = await watched.findings()
    _, bodies = await watched.fan_out()
    newer = await watched.capture(name="newer")  # what was drift is agreed by now
    for body in bodies:
        await quiet.put("scan-subscription", body)
    assert await quiet.drain() == []
    (after,) = await watched.findings()
    assert (finding["status"], after["status"]) == ("open", "resolved")
    assert (await watched.api.request("GET", f"/api/baselines/{newer['id']}"))["active"] is True


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe\x00",
        b"[" * 4000,
        b'{"a":' * 700,
        b"x" * 64_000,
        b'{"version": 1, "tenant_id": "{id}", "scan_id": "../{id}"}',
        b'{"version": 1, "tenant_id": "{ID}", "scan_id": "1"}',
        b'{"version": 1, "tenant_id": ["{id}"], "scan_id": "1"}',
        b'{"version": 1, "tenant_id": "x", "tenant_id": "{id}", "scan_id": NaN}',
    ],
    ids=["empty", "binary", "deep", "deep object", "long", "path", "upper case", "list", "twice"],
)
async def test_e06_odd_message_is_poison_once(
    quiet: Host, cellar: Cellar, foreign: Planted, body: bytes
) -> None:
    tenant_id = foreign.tenant_id
    odd = body.replace(b"{id}", tenant_id.encode()).replace(b"{ID}", tenant_id.upper().encode())
    if len(odd) > 40_000:  # base64 of it is over what a message holds
        odd = odd[:40_000]
    before = await cellar.rows_of(foreign.tenant_id)
    for queue in ("scan-tenant", "scan-subscription", "notices"):
        await quiet.put(queue, odd)
    errors = await quiet.drain()
    assert len(errors) == 3 * MOST_TRIES
    for queue in CONSUMERS:
        assert await quiet.waiting(queue) == 0
    assert await cellar.rows_of(foreign.tenant_id) == before
