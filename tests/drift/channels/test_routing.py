"""Who is told of what, and when: filters, digests, quiet hours, snoozes, maintenance windows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest

from drift.channels import edits
from tests.drift.channels.conftest import (
    AddChannel,
    come,
    deliver_at,
    log_of,
    open_public_access,
)
from tests.drift.channels.receivers import Receiver
from tests.drift.watched import Watched

EVERYTHING = {
    "events": ["opened", "reopened", "worsened", "resolved"],
    "severities": ["critical", "high", "medium", "low", "informational"],
}
DAY = timedelta(days=1)


def told(receiver: Receiver) -> list[tuple[str, str]]:
    """Resource name and event of all that arrived."""
    return [
        (one["resourceId"].rpartition("/")[2], one["event"])
        for received in receiver.received
        for one in received.json["data"]["findings"]
    ]


async def change(tenant: Watched, channel: dict[str, Any], **members: Any) -> httpx.Response:
    path = f"/api/channels/{channel['id']}"
    known = (await tenant.http.get(path)).json()
    kept = {
        name: value
        for name, value in known.items()
        if name
        not in {"id", "host", "disabledBecause", "snoozedUntil", "createdAt", "createdBy", "etag"}
    }
    headers = {"If-Match": known["etag"]}
    return await tenant.http.patch(path, json=kept | members, headers=headers)


async def snooze(tenant: Watched, channel: dict[str, Any], until: datetime | None) -> None:
    path = f"/api/channels/{channel['id']}"
    body = {"until": until.isoformat() if until else None}
    headers = await tenant.if_match(path)
    (await tenant.http.post(f"{path}/snooze", json=body, headers=headers)).raise_for_status()


async def drift_twice(tenant: Watched) -> None:
    """One high finding and one that is not, of two types."""
    await open_public_access(tenant)
    await tenant.azure.edit(tenant.network("net")["id"], set={"/tags": {"team": "blue"}})
    await tenant.scan()


@pytest.mark.parametrize(
    ("members", "names"),
    [
        ({}, ["alpha"]),
        (EVERYTHING, ["alpha", "net"]),
        (EVERYTHING | {"events": ["resolved"]}, []),
        (EVERYTHING | {"types": ["microsoft.network/virtualNETWORKS"]}, ["net"]),
        (EVERYTHING | {"types": ["a.b/c"]}, []),
        (EVERYTHING | {"subscriptions": ["{own}"]}, ["alpha", "net"]),
        (EVERYTHING | {"tag": "team"}, ["net"]),
        (EVERYTHING | {"tag": "team=BLUE"}, ["net"]),
        (EVERYTHING | {"tag": "team=red"}, []),
        ({"enabled": False}, []),
        ({"severities": []}, []),
    ],
)
async def test_channel_is_told_what_it_asked_for(
    tenant: Watched,
    receiver: Receiver,
    add_channel: AddChannel,
    members: dict[str, Any],
    names: list[str],
) -> None:
    if "subscriptions" in members:
        ids = [one.replace("{own}", tenant.subscription_id) for one in members["subscriptions"]]
        members = members | {"subscriptions": ids}
    await add_channel(**members)
    await drift_twice(tenant)
    assert sorted(name for name, _ in told(receiver)) == names


async def test_subscription_that_is_not_the_tenant_s_is_not_there(tenant: Watched) -> None:
    given = {"name": "x", "kind": "pagerduty", "target": {"key": "k"}}
    foreign = {"subscriptions": ["0f0e0d0c-0b0a-4009-8807-060504030201"]}
    assert (await tenant.http.post("/api/channels", json=given | foreign)).status_code == 404


async def test_every_channel_is_told_once_whatever_the_others_want(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    first = await add_channel()
    second = await add_channel(name="second", **EVERYTHING)
    receiver.answers.append(500)  # one of them fails
    await open_public_access(tenant)
    await tenant.scan()
    logs = [(await log_of(tenant, one))[0] for one in (first, second)]
    assert sorted(one["outcome"] for one in logs) == ["delivered", "queued"]
    assert len(receiver.received) == 2
    assert len({one.headers["webhook-id"] for one in receiver.received}) == 2


async def test_resource_that_is_gone_is_told_whatever_tag_is_asked_for(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    """Nobody knows its tags any more: nothing is kept quiet for want of one."""
    await add_channel(tag="team=red", **EVERYTHING)
    await tenant.azure.edit(tenant.network("net")["id"], delete=True)
    await tenant.scan()
    assert told(receiver) == [("net", "opened")]


async def test_digest_tells_everything_at_once_and_once(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    channel = await add_channel(cadence="daily", at="09:00", zone="Europe/Berlin", **EVERYTHING)
    await open_public_access(tenant)
    await tenant.scan()
    await tenant.azure.edit(tenant.network("net")["id"], set={"/tags": {"team": "blue"}})
    await tenant.scan()
    held = await log_of(tenant, channel)
    assert [one["outcome"] for one in held] == ["held", "held"]
    assert receiver.received == []
    (due,) = {datetime.fromisoformat(one["dueAt"]) for one in held}
    assert timedelta() < due - datetime.now(UTC) <= DAY + timedelta(hours=1)
    for one in held:  # each has a message
        await deliver_at(tenant, one["id"], due - timedelta(minutes=1))
        assert {one["outcome"] for one in await log_of(tenant, channel)} == {"held"}
    await come(tenant, channel, due)
    (received,) = receiver.received
    data = received.json["data"]
    assert received.json["type"] == "azuredriftdetector.drift.digest.v1"
    assert (data["total"], sorted(told(receiver))) == (2, [("alpha", "opened"), ("net", "opened")])
    over = {one["id"]: one for one in await log_of(tenant, channel)}
    digest = over.pop(received.headers["webhook-id"])
    assert (digest["kind"], digest["outcome"]) == ("digest", "delivered")
    assert {(one["outcome"], one["bundle"]) for one in over.values()} == {("bundled", digest["id"])}


async def test_digest_of_one_is_told_as_it_is(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    channel = await add_channel(cadence="hourly")
    await open_public_access(tenant)
    await tenant.scan()
    (held,) = await log_of(tenant, channel)
    await come(tenant, channel, datetime.fromisoformat(held["dueAt"]))
    (received,) = receiver.received
    assert received.headers["webhook-id"] == held["id"]
    assert received.json["type"] == "azuredriftdetector.drift.opened.v1"


async def test_weekly_digest_survives_the_longest_message(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    """A queue keeps a message for a week: the reminder hops, and is put back until it is time."""
    weekday = f"{datetime.now(UTC) - DAY:%A}".lower()
    channel = await add_channel(cadence="weekly", weekday=weekday, at="00:00")
    await open_public_access(tenant)
    await tenant.scan()
    (held,) = await log_of(tenant, channel)
    due = datetime.fromisoformat(held["dueAt"])
    assert due - datetime.now(UTC) > timedelta(days=4)
    before = await tenant.host.waiting("notices")
    await deliver_at(tenant, held["id"], datetime.now(UTC) + timedelta(hours=12))
    assert await tenant.host.waiting("notices") == before + 1
    assert receiver.received == []


async def test_snoozed_channel_is_told_after_the_snooze(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    channel = await add_channel(**EVERYTHING)
    until = datetime.now(UTC) + timedelta(hours=4)
    await snooze(tenant, channel, until)
    await drift_twice(tenant)
    assert receiver.received == []
    held = await log_of(tenant, channel)
    assert {one["outcome"] for one in held} == {"held"}
    await come(tenant, channel, until)
    assert sorted(name for name, _ in told(receiver)) == ["alpha", "net"]


async def test_snooze_that_begins_meanwhile_holds_what_is_on_its_way(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    channel = await add_channel()
    receiver.answers.append(500)
    await open_public_access(tenant)
    await tenant.scan()
    (failed,) = await log_of(tenant, channel)
    until = datetime.now(UTC) + timedelta(hours=4)
    await snooze(tenant, channel, until)
    await deliver_at(tenant, failed["id"], datetime.now(UTC) + timedelta(minutes=5))
    (held,) = await log_of(tenant, channel)
    assert (held["outcome"], len(receiver.received)) == ("held", 1)
    await snooze(tenant, channel, None)
    await come(tenant, channel, until)
    assert len(receiver.received) == 2


async def test_snoozed_finding_is_not_told_until_its_time(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    channel = await add_channel(**EVERYTHING)
    await drift_twice(tenant)
    receiver.received.clear()
    alpha = next(one for one in await tenant.findings() if "alpha" in one["resourceId"])
    path = f"/api/findings/{alpha['id']}/snooze"
    until = datetime.now(UTC) + timedelta(days=2)
    await tenant.api.request("POST", path, {"until": until.isoformat()})
    assert (await tenant.api.request("GET", f"/api/findings/{alpha['id']}"))["snoozedUntil"]
    for name, undo in (
        ("alpha", {"/properties/allowBlobPublicAccess": False}),
        ("net", {"/tags": {}}),
    ):
        one = tenant.account(name) if name == "alpha" else tenant.network(name)
        await tenant.azure.edit(one["id"], set=undo)
    await tenant.scan()
    assert told(receiver) == [("net", "resolved")]
    held = [one for one in await log_of(tenant, channel) if one["outcome"] == "held"]
    assert [one["events"] for one in held] == [[[alpha["id"], "resolved"]]]
    await come(tenant, channel, until)
    assert told(receiver)[1:] == [("alpha", "resolved")]


def window(**members: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    body = {
        "name": "Release 42",
        "startsAt": (now - timedelta(hours=1)).isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "deployers": ["Pipeline@contoso.com"],
    }
    return body | members


async def test_expected_change_is_recorded_and_told_to_no_channel(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    await add_channel()
    await tenant.api.request("POST", "/api/maintenance-windows", window())
    await open_public_access(tenant, actor={"changedBy": "pipeline@contoso.com"})
    await tenant.scan()
    assert (await tenant.finding())["status"] == "open"
    (notice,) = await tenant.notices()
    assert "Release 42" in notice["reason"]
    assert receiver.received == []


@pytest.mark.parametrize("why", ["somebody else", "another time", "ended"])
async def test_change_that_was_not_expected_is_told(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel, why: str
) -> None:
    await add_channel()
    later = (datetime.now(UTC) + timedelta(minutes=30)).isoformat()
    members = {"startsAt": later} if why == "another time" else {}
    made = await tenant.api.request("POST", "/api/maintenance-windows", window(**members))
    if why == "ended":
        path = f"/api/maintenance-windows/{made['id']}"
        removed = await tenant.http.delete(path, headers={"If-Match": made["etag"]})
        assert removed.status_code == 204
    who = "eve@contoso.com" if why == "somebody else" else "pipeline@contoso.com"
    await open_public_access(tenant, actor={"changedBy": who})
    await tenant.scan()
    assert told(receiver) == [("alpha", "opened")]
    (notice,) = await tenant.notices()
    assert notice["reason"] == ""


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"endsAt": "2020-01-01T00:00:00Z", "startsAt": "2019-01-01T00:00:00Z"}, "endsAt"),
        ({"endsAt": "2020-01-01T00:00:00Z"}, "endsAt"),
        ({"endsAt": "2099-01-01T00:00:00Z"}, "endsAt"),
        ({"deployers": []}, "deployers"),
        ({"name": ""}, "name"),
    ],
)
async def test_odd_window_is_refused(tenant: Watched, members: dict[str, Any], field: str) -> None:
    refused = await tenant.http.post("/api/maintenance-windows", json=window(**members))
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == field


async def test_edit_keeps_the_address_and_replaced_secrets_are_retired(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    channel = await add_channel()
    before = (await tenant.rows("channel"))["channel", f"c.{channel['id']}"]["body"]
    assert (await change(tenant, channel, name="renamed")).status_code == 200
    stale = await tenant.http.patch(
        f"/api/channels/{channel['id']}",
        json={"name": "x", "kind": "webhook"},
        headers={"If-Match": channel["etag"]},
    )
    assert stale.status_code == 412
    assert (await change(tenant, channel, kind="slack")).json()["errors"][0]["field"] == "kind"
    await tenant.api.request("POST", f"/api/channels/{channel['id']}/test")
    assert await tenant.host.drain() == []
    assert len(receiver.received) == 1
    target = {"url": receiver.url, "signingKey": "whsec_" + "b" * 43 + "="}
    assert (await change(tenant, channel, target=target)).status_code == 200
    after = (await tenant.rows("channel"))["channel", f"c.{channel['id']}"]["body"]
    assert before != after
    await tenant.api.request("POST", f"/api/channels/{channel['id']}/test")
    assert await tenant.host.drain() == []
    signatures = [one.headers["webhook-signature"].split() for one in receiver.received]
    assert [len(one) for one in signatures] == [1, 2]  # the old key goes on signing for a day


async def test_a_tenant_has_so_many_channels_and_no_more(
    tenant: Watched, add_channel: AddChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edits, "MOST_CHANNELS", 1)
    await add_channel()
    given = {"name": "more", "kind": "pagerduty", "target": {"key": "k"}}
    refused = await tenant.http.post("/api/channels", json=given)
    assert refused.status_code == 409


async def test_e09_replay_is_of_a_channels_own_deliveries(
    tenant: Watched, new_tenant: Any, receiver: Receiver, add_channel: AddChannel
) -> None:
    channel, other = await add_channel(), await add_channel(name="other")
    made = await tenant.api.request("POST", f"/api/channels/{channel['id']}/test")
    assert await tenant.host.drain() == []
    stranger = await new_tenant()
    for who, where in ((tenant, other), (stranger, channel)):
        path = f"/api/channels/{where['id']}/deliveries/{made['id']}/replay"
        assert (await who.http.post(path)).status_code == 404
    assert await tenant.host.drain() == []
    assert len(receiver.received) == 1
