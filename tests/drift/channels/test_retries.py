"""A channel that fails: tried again later, less and less often, given up and told; switched off when it is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drift.channels import delivery as deliveries
from drift.channels import posting
from drift.channels.upkeep import tend_channels
from tenancy.access import serve
from tenancy.ids import TenantId
from tests.drift.channels.conftest import (
    AddChannel,
    deliver_at,
    due_of,
    log_of,
    open_public_access,
)
from tests.drift.channels.receivers import HANG, RESET, Receiver
from tests.drift.watched import Watched


async def only(tenant: Watched, channel: dict[str, Any]) -> dict[str, Any]:
    (found,) = await log_of(tenant, channel)
    return found


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (500, 500, "It answered 500."),
        (RESET, 0, "The connection broke off, or what it answered is not HTTP."),
        ((302, {"Location": "http://169.254.169.254/"}), 302, "leads elsewhere"),
        (HANG, 0, "It did not answer in time."),
    ],
)
async def test_failure_is_tried_again_later_under_the_same_id(
    tenant: Watched,
    receiver: Receiver,
    add_channel: AddChannel,
    monkeypatch: pytest.MonkeyPatch,
    answer: Any,
    status: int,
    reason: str,
) -> None:
    monkeypatch.setattr(posting, "SECONDS", 0.5)
    channel = await add_channel()
    receiver.answers.append(answer)
    await open_public_access(tenant)
    await tenant.scan()
    failed = await only(tenant, channel)
    assert failed["outcome"] == "queued"
    assert [one["status"] for one in failed["attempts"]] == [status]
    assert reason in failed["attempts"][0]["reason"]
    assert await tenant.host.waiting("notices") == 1  # with a delay
    await deliver_at(tenant, failed["id"], await due_of(tenant, failed["id"]))
    over = await only(tenant, channel)
    assert (over["outcome"], len(over["attempts"])) == ("delivered", 2)
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == failed["id"]
    assert first.body == second.body


async def test_message_that_comes_too_early_sends_nothing(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    channel = await add_channel()
    receiver.answers.append((429, {"Retry-After": "3600"}))
    await open_public_access(tenant)
    await tenant.scan()
    waiting = await only(tenant, channel)
    asked = await due_of(tenant, waiting["id"]) - datetime.now(UTC)
    assert timedelta(minutes=58) < asked <= timedelta(hours=1)
    await deliver_at(tenant, waiting["id"], datetime.now(UTC) + timedelta(minutes=30))
    assert len(receiver.received) == 1
    assert await tenant.host.waiting("notices") == 2  # it was put back
    await deliver_at(tenant, waiting["id"], datetime.now(UTC) + timedelta(minutes=61))
    assert (await only(tenant, channel))["outcome"] == "delivered"


async def test_host_cannot_ask_to_wait_for_ever(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    channel = await add_channel()
    receiver.answers.append((503, {"Retry-After": "9" * 30}))
    await open_public_access(tenant)
    await tenant.scan()
    due = await due_of(tenant, (await only(tenant, channel))["id"])
    assert due - datetime.now(UTC) <= timedelta(hours=24)


async def test_tries_grow_apart_end_and_are_told_in_the_inbox(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    channel = await add_channel(name="Ops & <co>")
    receiver.answers.extend([500] * 20)
    await open_public_access(tenant)
    await tenant.scan()
    delivery = await only(tenant, channel)
    now, gaps = datetime.now(UTC), []
    while (await only(tenant, channel))["outcome"] == "queued":
        due = await due_of(tenant, delivery["id"])
        gaps.append((due - now).total_seconds())
        now = due
        await deliver_at(tenant, delivery["id"], now)
    assert len(receiver.received) == 1 + len(gaps) == 1 + len(deliveries.DELAYS)
    assert all(
        least - 5 <= gap <= 1.1 * least + 5
        for gap, least in zip(gaps, deliveries.DELAYS, strict=True)
    )
    assert sum(gaps) > 24 * 3600
    over = await only(tenant, channel)
    assert (over["outcome"], over["reason"]) == ("failed", "It answered 500.")
    assert await tenant.host.drain() == []
    (told,) = [one for one in await tenant.notices() if one["text"]]
    assert "“Ops & <co>”: It answered 500." in told["text"]
    await deliver_at(tenant, delivery["id"], now + timedelta(days=1))  # it stays over
    assert len(receiver.received) == 8


async def test_gone_disables_the_channel_and_tells_the_inbox(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    channel = await add_channel()
    receiver.answers.append(410)
    await open_public_access(tenant)
    await tenant.scan()
    shown = await tenant.api.request("GET", f"/api/channels/{channel['id']}")
    assert (shown["enabled"], shown["disabledBecause"]) == (
        False,
        "Its receiver answered 410: gone.",
    )
    assert (await only(tenant, channel))["outcome"] == "failed"
    (told,) = [one for one in await tenant.notices() if one["text"]]
    assert "answered 410" in told["text"]
    await tenant.azure.edit(tenant.network("net")["id"], delete=True)
    await tenant.scan()
    assert len(receiver.received) == 1


async def test_lost_message_is_made_up_for_by_the_daily_sweep(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    channel = await add_channel()
    await tenant.api.request("POST", f"/api/channels/{channel['id']}/test")
    assert len(await tenant.host.take("notices")) == 1  # nobody runs it
    context = await serve(tenant.host.deployment, TenantId(tenant.tenant_id))
    now = datetime.now(UTC)
    assert await tend_channels(context, now=now) == 0
    assert await tend_channels(context, now=now + timedelta(hours=2)) == 1
    assert await tenant.host.drain() == []
    assert len(receiver.received) == 1


async def test_delivery_that_the_host_gave_up_is_marked_and_told(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    channel = await add_channel()
    receiver.answers.append(500)
    await open_public_access(tenant)
    await tenant.scan()
    delivery = await only(tenant, channel)
    body = {"version": 1, "tenant_id": tenant.tenant_id, "notice_id": f"d.{delivery['id']}"}
    await tenant.host.put("notices-poison", body)
    assert await tenant.host.drain() == []
    assert (await only(tenant, channel))["outcome"] == "failed"
    assert len([one for one in await tenant.notices() if one["text"]]) == 1
