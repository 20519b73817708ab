"""A notice on its way to a channel, from the scan to a receiver on this machine: once, later, again, never lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drift import notices
from drift.channels import delivery as deliveries
from drift.channels.rows import find_delivery
from drift.channels.upkeep import tend_channels
from drift.notices import publish
from settings import Settings
from tenancy.access import serve
from tenancy.deployment import Deployment
from tenancy.ids import SubscriptionId, TenantId
from tests.drift.channels.conftest import (
    AddChannel,
    deliver_at,
    log_of,
    open_public_access,
)
from tests.drift.channels.receivers import Receiver
from tests.drift.watched import Watched
from tests.told import Told

CORRELATION = "5f2a1c1e-94a5-4a4c-8d0b-0c8c4f1c5a01"


class Killed(BaseException):
    """The process ends: no `except Exception` may turn it into something else."""


async def only(tenant: Watched, channel: dict[str, Any]) -> dict[str, Any]:
    (found,) = await log_of(tenant, channel)
    return found


async def test_drift_reaches_the_channel_once(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    channel = await add_channel(events=["opened", "resolved"])
    await open_public_access(tenant)
    await tenant.scan()
    (received,) = receiver.received
    finding = await tenant.finding()
    event = received.json
    assert event["type"] == "azuredriftdetector.drift.opened.v1"
    assert event["subject"] == finding["resourceId"]
    assert event["id"] == received.headers["webhook-id"]
    assert event["data"]["tenantId"] == tenant.tenant_id
    (told,) = event["data"]["findings"]
    assert (told["id"], told["event"]) == (finding["id"], "opened")
    assert (told["path"], told["before"], told["after"]) == (
        "/properties/allowBlobPublicAccess",
        "false",
        "true",
    )
    delivery = await only(tenant, channel)
    assert delivery["id"] == event["id"]
    assert delivery["events"] == [[finding["id"], "opened"]]
    (attempt,) = delivery["attempts"]
    assert (delivery["outcome"], attempt["delivered"], attempt["status"]) == (
        "delivered",
        True,
        200,
    )
    assert 0 <= attempt["milliseconds"] < 20_000
    await tenant.scan()  # nothing new
    assert len(receiver.received) == 1
    undo = {"/properties/allowBlobPublicAccess": False}
    await tenant.azure.edit(tenant.account("alpha")["id"], set=undo)
    await tenant.scan()
    assert receiver.received[1].json["type"] == "azuredriftdetector.drift.resolved.v1"
    assert receiver.received[1].headers["webhook-id"] != event["id"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, {"delivered": 2}), (410, {"delivered": 2, "failed": 1})],  # of a failure the inbox tells
)
async def test_what_channels_were_sent_is_counted_and_told(
    tenant: Watched,
    receiver: Receiver,
    add_channel: AddChannel,
    told: Told,
    status: int,
    expected: dict[str, int],
) -> None:
    await add_channel()
    receiver.answers.append(status)
    await open_public_access(tenant)
    await tenant.scan()
    outcomes = {
        attributes["outcome"]: point.value
        for name, attributes, point in told.points()
        if name == "drift.notices" and attributes["tenant_id"] == tenant.tenant_id
    }
    assert outcomes == expected
    used = await tenant.api.request("GET", "/api/usage")
    assert used["sum"]["notices"] == expected["delivered"]


async def test_incident_is_one_notice(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    await tenant.add(*(tenant.account(name) for name in ("one", "two")))
    await tenant.scan()
    await tenant.capture()
    await add_channel()
    for name in ("one", "two"):
        await open_public_access(tenant, name, correlationId=CORRELATION)
    await tenant.scan()
    (received,) = receiver.received
    data = received.json["data"]
    assert (data["total"], data["incident"]) == (2, CORRELATION)
    assert sorted(one["id"] for one in data["findings"]) == sorted(
        one["id"] for one in await tenant.findings()
    )


async def test_address_and_keys_are_nowhere_but_in_the_vault(
    tenant: Watched,
    receiver: Receiver,
    add_channel: AddChannel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    channel = await add_channel()
    receiver.answers.append(500)
    await open_public_access(tenant)
    await tenant.scan()
    shown = [
        await tenant.http.get(path)
        for path in (
            "/api/channels",
            f"/api/channels/{channel['id']}",
            f"/api/channels/{channel['id']}/deliveries",
            "/api/audit",
        )
    ]
    stored = str(await tenant.rows())
    logged = "\n".join(
        f"{one.getMessage()} {one.__dict__}"
        for one in caplog.records
        if one.name.split(".")[0] in {"drift", "api", "tenancy", "aiohttp"}
    )
    for secret in ("s3cr3t", "whsec_", str(receiver.port)):
        assert secret not in stored
        assert secret not in logged
        assert [one.url for one in shown if secret in one.text] == []
    assert channel["host"] == "localhost"


async def test_replay_sends_the_same_once_more(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    """I16."""
    channel = await add_channel()
    await open_public_access(tenant)
    await tenant.scan()
    delivery = await only(tenant, channel)
    await tenant.decide(await tenant.finding(), "acknowledge")  # what is told stays as it was
    path = f"/api/channels/{channel['id']}/deliveries/{delivery['id']}/replay"
    again = await tenant.http.post(path)
    assert (again.status_code, again.json()["outcome"]) == (202, "queued")
    assert (await tenant.http.post(path)).status_code == 409
    assert await tenant.host.drain() == []
    first, second = receiver.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert len((await only(tenant, channel))["attempts"]) == 2


async def test_f06_button_that_tests_goes_the_same_way(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    """In quiet hours too, and of a disabled channel: somebody waits for it. Its address is checked as always."""
    channel = await add_channel(
        enabled=False, quietFrom="00:00", quietUntil="23:59", cadence="daily"
    )
    asked = await tenant.http.post(f"/api/channels/{channel['id']}/test")
    assert asked.status_code == 202
    assert receiver.received == []
    assert await tenant.host.drain() == []
    (received,) = receiver.received
    assert received.json["type"] == "azuredriftdetector.drift.test.v1"
    assert received.headers["webhook-id"] == asked.json()["id"]
    delivery = await only(tenant, channel)
    assert (delivery["kind"], delivery["outcome"]) == ("test", "delivered")


async def test_f03_f06_test_of_a_channel_is_checked_when_it_is_sent(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel, settings: Settings
) -> None:
    """What was allowed when the channel was saved is not when the message is sent by another deployment."""
    channel = await add_channel()
    made = await tenant.api.request("POST", f"/api/channels/{channel['id']}/test")
    strict = Deployment(replace(settings, development_channels=False))
    context = await serve(strict, TenantId(tenant.tenant_id))
    await deliveries.deliver(context, made["id"], clock=lambda: datetime.now(UTC))
    await strict.close()
    delivery = await only(tenant, channel)
    assert (delivery["outcome"], receiver.connections) == ("failed", 0)
    assert "https" in delivery["reason"]
    assert [one for one in await tenant.notices() if one["text"]] == []  # who tests looks itself


async def test_f07_answer_of_the_receiver_is_shown_to_nobody(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    channel = await add_channel()
    receiver.answers.append((500, {"X-Internal": "inside-story", "Server": "inside-story"}))
    await open_public_access(tenant)
    await tenant.scan()
    log = await tenant.http.get(f"/api/channels/{channel['id']}/deliveries")
    assert "500" in log.text
    assert "inside-story" not in log.text + str(await tenant.rows())


async def test_crash_between_sending_and_recording_is_a_second_delivery_with_the_same_id(
    tenant: Watched,
    receiver: Receiver,
    add_channel: AddChannel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    channel = await add_channel()
    await open_public_access(tenant)

    async def die(*_: Any, **__: Any) -> None:
        raise Killed

    made = await tenant.api.request("POST", f"/api/channels/{channel['id']}/test")
    with monkeypatch.context() as patch:
        patch.setattr(deliveries, "_record", die)
        with pytest.raises(Killed):
            await deliver_at(tenant, made["id"], datetime.now(UTC))
    assert (await only(tenant, channel))["outcome"] == "queued"
    await deliver_at(tenant, made["id"], datetime.now(UTC))  # the claim of the dead still holds
    assert len(receiver.received) == 1
    await deliver_at(tenant, made["id"], datetime.now(UTC) + deliveries.CLAIM)
    assert (await only(tenant, channel))["outcome"] == "delivered"
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == made["id"]


async def test_two_messages_at_once_send_once(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    channel = await add_channel()
    made = await tenant.api.request("POST", f"/api/channels/{channel['id']}/test")
    now = datetime.now(UTC)
    await asyncio.gather(*(deliver_at(tenant, made["id"], now) for _ in range(4)))
    assert len(receiver.received) == 1
    assert (await only(tenant, channel))["outcome"] == "delivered"


async def test_publishing_again_after_a_crash_tells_nothing_twice(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deliveries are made, and the process dies before the outbox is cleared."""
    channel = await add_channel()
    await open_public_access(tenant)

    async def die(*_: Any) -> None:
        raise Killed

    _, (body,) = await tenant.fan_out()
    with monkeypatch.context() as patch:
        patch.setattr(notices, "clear_outbox", die)
        with pytest.raises(Killed):
            await tenant.host.run("scan-subscription", body)
    assert await tenant.host.drain() == []
    assert len(receiver.received) == 1
    context = await serve(tenant.host.deployment, TenantId(tenant.tenant_id))
    now = datetime.now(UTC)
    assert await publish(context, SubscriptionId(tenant.subscription_id), now=now) == 1
    assert await tenant.host.drain() == []
    assert len(receiver.received) == 1
    assert (await only(tenant, channel))["outcome"] == "delivered"


async def test_log_is_kept_as_long_as_the_tenant_says(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    channel, other = await add_channel(), await add_channel(name="other")
    for one in (channel, other):
        await tenant.api.request("POST", f"/api/channels/{one['id']}/test")
    assert await tenant.host.drain() == []
    await tenant.change_settings(retention={"notices": 30})
    context = await serve(tenant.host.deployment, TenantId(tenant.tenant_id))
    gone = await only(tenant, other)
    headers = await tenant.if_match(f"/api/channels/{other['id']}")
    removed = await tenant.http.delete(f"/api/channels/{other['id']}", headers=headers)
    assert removed.status_code == 204
    now = datetime.now(UTC)
    await tend_channels(context, now=now + timedelta(days=29))
    assert len(await log_of(tenant, channel)) == 1
    assert await find_delivery(context.store, gone["id"]) is None
    await tend_channels(context, now=now + timedelta(days=31))
    assert await log_of(tenant, channel) == []
    assert {key for table, key in await tenant.rows("delivery")} == set()


async def test_what_waits_for_a_removed_channel_is_not_sent(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    channel = await add_channel()
    made = await tenant.api.request("POST", f"/api/channels/{channel['id']}/test")
    headers = await tenant.if_match(f"/api/channels/{channel['id']}")
    await tenant.http.delete(f"/api/channels/{channel['id']}", headers=headers)
    assert await tenant.host.drain() == []
    assert receiver.connections == 0
    context = await serve(tenant.host.deployment, TenantId(tenant.tenant_id))
    stored = await find_delivery(context.store, made["id"])
    assert stored is not None
    assert stored.delivery.outcome == "skipped"


async def test_f16_channel_hears_of_its_own_tenant_alone(
    tenant: Watched, new_tenant: Any, receiver: Receiver, add_channel: AddChannel
) -> None:
    await add_channel()
    other = await new_tenant()
    await other.add(other.account("alpha"))
    await other.scan()
    await other.capture()
    await open_public_access(other)
    await other.scan()
    assert len(await other.notices()) == 1
    assert receiver.connections == 0
