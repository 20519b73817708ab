"""Calls of every route that changes where notices go and when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from drift.channels.delivery import fail
from tenancy.access import serve
from tenancy.ids import TenantId
from tests.api.desk import Desk, Told, calls, own
from tests.api.seeds import seed_findings

CHANNEL = {"name": "pager", "kind": "pagerduty", "target": {"key": "routing"}}
WINDOW = {
    "name": "release",
    "startsAt": "2099-01-01T00:00:00Z",
    "endsAt": "2099-01-02T00:00:00Z",
    "deployers": ["ada"],
}


async def channel(desk: Desk) -> str:
    return f"/api/channels/{(await desk.make('/api/channels', CHANNEL))['id']}"


@calls("POST", "/api/channels")
async def _(desk: Desk) -> Told:
    return own(desk, "channel.add", await desk.admin.post("/api/channels", json=CHANNEL))


@calls("PATCH", "/api/channels/{channel_id}")
async def _(desk: Desk) -> Told:
    path = await channel(desk)
    given: dict[str, Any] = CHANNEL | {"name": "louder"}
    answer = await desk.admin.patch(path, json=given, headers=await desk.if_match(path))
    return own(desk, "channel.change", answer)


@calls("DELETE", "/api/channels/{channel_id}")
async def _(desk: Desk) -> Told:
    path = await channel(desk)
    answer = await desk.admin.delete(path, headers=await desk.if_match(path))
    return own(desk, "channel.remove", answer)


@calls("POST", "/api/channels/{channel_id}/test")
async def _(desk: Desk) -> Told:
    return own(desk, "channel.test", await desk.admin.post(f"{await channel(desk)}/test"))


@calls("POST", "/api/channels/{channel_id}/snooze")
async def _(desk: Desk) -> Told:
    path = await channel(desk)
    answer = await desk.admin.post(f"{path}/snooze", json={}, headers=await desk.if_match(path))
    return own(desk, "channel.snooze", answer)


@calls("POST", "/api/channels/{channel_id}/deliveries/{delivery_id}/replay")
async def _(desk: Desk) -> Told:
    path = await channel(desk)
    made = await desk.make(f"{path}/test")
    await end_delivery(desk, made["id"])
    answer = await desk.admin.post(f"{path}/deliveries/{made['id']}/replay")
    return own(desk, "channel.replay", answer)


async def end_delivery(desk: Desk, delivery_id: str) -> None:
    """As if the channel had refused it for good: nothing is sent here."""
    context = await serve(desk.deployment, TenantId(desk.uploader.tenant_id))
    await fail(context, delivery_id, "refused", now=datetime.now(UTC))


@calls("POST", "/api/findings/{finding_id}/snooze")
async def _(desk: Desk) -> Told:
    if not (await desk.admin.get("/api/findings")).json()["value"]:
        uploader = desk.uploader
        await seed_findings(desk.deployment, uploader.tenant_id, uploader.subscription_id, 3)
    finding = (await desk.admin.get("/api/findings")).json()["value"][0]
    answer = await desk.admin.post(f"/api/findings/{finding['id']}/snooze", json={})
    return own(desk, "finding.snooze", answer)


@calls("POST", "/api/maintenance-windows")
async def _(desk: Desk) -> Told:
    return own(desk, "window.add", await desk.admin.post("/api/maintenance-windows", json=WINDOW))


@calls("DELETE", "/api/maintenance-windows/{window_id}")
async def _(desk: Desk) -> Told:
    made = await desk.make("/api/maintenance-windows", WINDOW)
    path = f"/api/maintenance-windows/{made['id']}"
    answer = await desk.admin.delete(path, headers={"If-Match": made["etag"]})
    return own(desk, "window.remove", answer)
