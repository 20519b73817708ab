"""Messages of an older and of a newer version: carried out as far as their meaning is known, else left for whoever
knows it. I18, faults 15 and 36."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
import pytest

from drift import consumers
from drift.consumers import MOST_PARKED
from drift.messages import (
    DeliverNotice,
    EraseTenant,
    KeepTenant,
    Message,
    RunJob,
    ScanSubscription,
    ScanTenant,
    TooNew,
    read_message,
)
from errors import Invalid

IDS = {
    "tenant_id": str(uuid.uuid4()),
    "subscription_id": str(uuid.uuid4()),
    "scan_id": "2026",
    "notice_id": "n.1",
    "job": "b.1",
}
# In the order of the queues below.
SHAPES = (ScanTenant, ScanSubscription, DeliverNotice, KeepTenant, EraseTenant, RunJob)
POISONS = {
    "scan-tenant": consumers.fail_scan,
    "scan-subscription": consumers.fail_subscription,
    "notices": consumers.fail_notice,
    "keep-tenant": consumers.fail_upkeep,
    "erase-tenant": consumers.fail_erasure,
    "jobs": consumers.fail_job,
}


def written(shape: type[Message], **members: Any) -> bytes:
    ids = {name: value for name, value in IDS.items() if name in shape.model_fields}
    return msgspec.json.encode(ids | members)


@pytest.mark.parametrize("shape", SHAPES)
def test_older_and_newer_message_of_one_meaning_are_one(shape: type[Message]) -> None:
    today = read_message(written(shape, version=1), shape)
    assert today.tenant_id == IDS["tenant_id"]
    assert read_message(written(shape), shape) == today  # before there were versions and traces
    assert read_message(written(shape, version=1, later={"a": [1]}), shape) == today


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ({"version": 2}, TooNew),
        ({"version": 0}, Invalid),
        ({"version": "2"}, Invalid),
        ({"version": 2, "tenant_id": "../x"}, Invalid),
        ({"version": 2, "parked": "often"}, Invalid),
    ],
)
def test_message_of_another_meaning_is_refused(
    shape: type[Message], members: dict[str, Any], kind: type[Invalid]
) -> None:
    with pytest.raises(Invalid) as caught:
        read_message(written(shape, **members), shape)
    assert type(caught.value) is kind


async def test_message_of_a_newer_version_waits_for_it_and_not_for_ever(tenant, caplog) -> None:
    """Each in its own queue, as it came, but for how often it has waited."""
    host = tenant.host
    for queue, shape in zip(POISONS, SHAPES, strict=True):
        body = written(shape, version=2, later="meant otherwise")
        before = await host.waiting(queue)
        await POISONS[queue](host.deployment, body)
        assert await host.waiting(queue) == before + 1, queue
        assert await host.take(queue) == [], queue  # not yet
        last = msgspec.json.decode(body) | {"parked": MOST_PARKED}
        await POISONS[queue](host.deployment, msgspec.json.encode(last))
        assert await host.waiting(queue) == before + 1, queue
    lines = [one.message for one in caplog.records if one.name == "drift.consumers"]
    for said in ("message of a newer version parked", "message of a newer version given up"):
        assert lines.count(said) == len(POISONS)


async def test_parked_message_is_the_one_that_came(tenant, monkeypatch) -> None:
    monkeypatch.setattr(consumers, "PARKED_SECONDS", 0)
    body = written(ScanTenant, version=2, later="meant otherwise")
    await consumers.fail_scan(tenant.host.deployment, body)
    (came,) = await tenant.host.take("scan-tenant")
    assert msgspec.json.decode(came) == msgspec.json.decode(body) | {"parked": 1}
    await consumers.fail_scan(tenant.host.deployment, came)
    (again,) = await tenant.host.take("scan-tenant")
    assert msgspec.json.decode(again)["parked"] == 2
