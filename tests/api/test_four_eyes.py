"""Four-eyes approval: nothing becomes active, and the switch is not turned off, by one person alone."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
import pytest

from dev.demo.client import Product, principal_header
from tests.api.members import Sign, add, body, header_of
from tests.api.uploads import Uploader


@dataclass(frozen=True)
class Staff:
    """A tenant with four-eyes approval and its people. Ada is its first admin."""

    ada: httpx.AsyncClient
    bob: httpx.AsyncClient  # an operator
    uploader: Uploader  # Ada's
    first: dict[str, Any]  # the active version
    sign_in: Sign

    async def join(self, role: str, name: str, **members: str) -> httpx.AsyncClient:
        given = body(self.uploader.organisation, role=role, name=name, **members)
        await add(self.ada, given)
        ids = given["directoryId"], given["objectId"]
        application = members.get("kind") == "application"
        header = header_of(*ids, idtyp="app") if application else principal_header(*ids, name)
        return self.sign_in(header, tenant=self.uploader.tenant_id)

    async def ask(self, **members: Any) -> dict[str, Any]:
        """A new version of Ada's, and the request to activate it."""
        made = await self.uploader.make([self.uploader.document("b")], **members)
        assert made["active"] is False
        return await self.request_of(made["approvalId"])

    async def request_of(self, approval_id: str) -> dict[str, Any]:
        answer = await self.ada.get(f"/api/approvals/{approval_id}")
        assert answer.headers["ETag"] == answer.json()["etag"]
        return dict(answer.json())


async def switch(client: httpx.AsyncClient, four_eyes: bool) -> httpx.Response:
    read = await client.get("/api/settings")
    headers = {"If-Match": read.headers["ETag"]}
    return await client.put(
        "/api/settings", json=read.json() | {"fourEyes": four_eyes}, headers=headers
    )


async def decide(
    client: httpx.AsyncClient, request: dict[str, Any], verb: str, reason: str = "looked at it"
) -> httpx.Response:
    return await client.post(
        f"/api/approvals/{request['id']}/{verb}",
        json={"reason": reason},
        headers={"If-Match": request["etag"]},
    )


@pytest.fixture
async def staff(uploader: Uploader, sign_in: Sign) -> Staff:
    first = await uploader.make([uploader.document("a")])
    given = body(uploader.organisation, name="Bob")
    await add(uploader.client, given)
    bob = sign_in(principal_header(given["directoryId"], given["objectId"], "Bob"))
    assert (await switch(uploader.client, True)).json()["fourEyes"] is True
    return Staff(uploader.client, bob, uploader, first, sign_in)


async def test_version_waits_for_a_second_person(staff: Staff) -> None:
    request = await staff.ask(note="opens nothing")
    assert await staff.uploader.active() == [1]
    shown = {name: request[name] for name in ("kind", "status", "version", "requestedBy", "reason")}
    assert shown == {
        "kind": "baseline",
        "status": "pending",
        "version": 2,
        "requestedBy": "Ada",
        "reason": "opens nothing",
    }
    assert (request["activeBaseline"], request["decidedBy"]) == (staff.first["id"], None)
    approved = await decide(staff.bob, request, "approve")
    assert approved.status_code == 200
    after = approved.json()
    assert (after["status"], after["decidedBy"], after["decisionReason"]) == (
        "approved",
        "Bob",
        "looked at it",
    )
    assert after["decidedAt"] >= after["requestedAt"]
    assert await staff.uploader.active() == [2]
    assert (await staff.uploader.read(request["baselineId"]))["approvalId"] is None
    trail = (await staff.ada.get("/api/audit")).json()["value"][:2]
    told = {one["action"]: one for one in trail}
    assert {name: (one["actorName"], one["target"]) for name, one in told.items()} == {
        "baseline.activate": ("Bob", request["baselineId"]),
        "approval.approve": ("Bob", request["id"]),
    }
    assert told["baseline.activate"]["detail"] == {
        "before": staff.first["id"],
        "approval": request["id"],
    }
    assert told["approval.approve"]["detail"]["requestedBy"] == "Ada"


async def test_activation_and_rolling_back_are_asked_for(staff: Staff) -> None:
    second = await staff.uploader.make([staff.uploader.document("b")], activate=False)
    path = f"/api/baselines/{second['id']}/activate"
    asked = await staff.bob.post(path, json={"reason": "as agreed"})
    assert (asked.status_code, asked.json()["active"]) == (202, False)
    request = await staff.request_of(asked.json()["approvalId"])
    assert asked.headers["Location"] == f"/api/approvals/{request['id']}"
    assert (request["requestedBy"], request["reason"]) == ("Bob", "as agreed")
    # Ada made the version, Bob asked: it takes a third.
    assert (await decide(staff.ada, request, "approve")).status_code == 403
    assert (await decide(staff.bob, request, "approve")).status_code == 403
    cleo = await staff.join("operator", "Cleo")
    assert (await decide(cleo, request, "approve")).status_code == 200
    assert await staff.uploader.active() == [2]
    back = await staff.ada.post(f"/api/baselines/{staff.first['id']}/activate")
    assert back.status_code == 202
    request = await staff.request_of(back.json()["approvalId"])
    assert request["version"] == 1
    assert (await decide(staff.bob, request, "approve")).status_code == 200
    assert await staff.uploader.active() == [1]
    # What is active already needs nobody.
    assert (await staff.ada.post(f"/api/baselines/{staff.first['id']}/activate")).status_code == 200


async def test_edit_of_the_active_version_waits_too(staff: Staff) -> None:
    first = await staff.uploader.read(staff.first["id"])
    edited = (await staff.uploader.edit(first, resource=staff.uploader.document("c"))).json()
    assert (edited["active"], edited["approvalId"] is None) == (False, False)
    assert await staff.uploader.active() == [1]


@pytest.mark.parametrize("verb", ["approve", "reject"])
async def test_nobody_decides_on_what_they_asked_for(staff: Staff, verb: str) -> None:
    request = await staff.ask()
    refused = await decide(staff.ada, request, verb)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "second person" in refused.json()["detail"]
    assert (await staff.request_of(request["id"]))["status"] == "pending"
    assert await staff.uploader.active() == [1]


async def test_same_person_in_two_roles_is_one_person(
    staff: Staff, settings: Any, url: str, operator: Product
) -> None:
    """Pia asks as a platform operator, and then becomes a user of the tenant."""
    object_id = str(uuid.uuid4())
    home = settings.platform_directory_id
    header = principal_header(home, object_id, "Pia", "Platform.Operator")
    pia = staff.sign_in(header, tenant=staff.uploader.tenant_id)
    second = await staff.uploader.make([staff.uploader.document("b")], activate=False)
    asked = await pia.post(f"/api/baselines/{second['id']}/activate")
    assert asked.status_code == 202
    request = await staff.request_of(asked.json()["approvalId"])
    given = {"directoryId": home, "objectId": object_id, "name": "Pia", "role": "admin"}
    await add(pia, given)
    me = (await pia.get("/api/me")).json()["tenants"]
    assert [one["role"] for one in me] == ["admin"]
    refused = await decide(pia, request, "approve")
    assert (refused.status_code, "second person" in refused.json()["detail"]) == (403, True)
    assert (await decide(staff.bob, request, "approve")).status_code == 200


async def test_platform_operator_is_no_second_person(staff: Staff, operator: Product) -> None:
    request = await staff.ask()
    pia = staff.sign_in(
        operator._client.headers["X-MS-CLIENT-PRINCIPAL"], tenant=staff.uploader.tenant_id
    )
    for verb in ("approve", "reject"):
        refused = await decide(pia, request, verb)
        assert (refused.status_code, "platform operator" in refused.json()["detail"]) == (403, True)
    assert await staff.uploader.active() == [1]


async def test_application_neither_asks_nor_decides(staff: Staff) -> None:
    daemon = await staff.join("admin", "Pipeline", kind="application")
    request = await staff.ask()
    for verb in ("approve", "reject"):
        assert (await decide(daemon, request, verb)).status_code == 403
    assert (await decide(staff.bob, request, "reject")).status_code == 200
    mine = Uploader(
        daemon,
        staff.uploader.subscription_id,
        staff.uploader.tenant_id,
        staff.uploader.organisation,
    )
    before = (await staff.ada.get("/api/baselines")).json()
    refused = await mine.post([mine.document("x")])
    assert (refused.status_code, "activate false" in refused.json()["detail"]) == (403, True)
    assert (await staff.ada.get("/api/baselines")).json() == before  # not even an idle version
    made = await mine.make([mine.document("x")], activate=False)
    assert (await daemon.post(f"/api/baselines/{made['id']}/activate")).status_code == 403
    asked = await staff.ada.post(f"/api/baselines/{made['id']}/activate")
    request = await staff.request_of(asked.json()["approvalId"])
    assert (await decide(staff.bob, request, "approve")).status_code == 200


async def test_viewer_looks_and_does_nothing(staff: Staff) -> None:
    request = await staff.ask()
    viewer = await staff.join("viewer", "Vi")
    assert (await viewer.get("/api/approvals")).json()["value"] == [request]
    for verb in ("approve", "reject", "withdraw"):
        assert (await decide(viewer, request, verb)).status_code == 403


async def test_rejected_version_stays_and_can_be_asked_for_again(staff: Staff) -> None:
    request = await staff.ask()
    path = f"/api/approvals/{request['id']}/reject"
    headers = {"If-Match": request["etag"]}
    silent = await staff.bob.post(path, json={}, headers=headers)
    assert (silent.status_code, silent.json()["errors"][0]["field"]) == (422, "reason")
    rejected = (await decide(staff.bob, request, "reject", "opens port 22")).json()
    assert (rejected["status"], rejected["decidedBy"], rejected["decisionReason"]) == (
        "rejected",
        "Bob",
        "opens port 22",
    )
    assert await staff.uploader.active() == [1]
    late = await decide(staff.bob, rejected, "approve")
    assert (late.status_code, "rejected already" in late.json()["detail"]) == (409, True)
    again = await staff.ada.post(f"/api/baselines/{request['baselineId']}/activate")
    assert again.status_code == 202


async def test_only_who_asked_withdraws(staff: Staff) -> None:
    request = await staff.ask()
    assert (await decide(staff.bob, request, "withdraw")).status_code == 403
    withdrawn = await decide(staff.ada, request, "withdraw", "a mistake")
    assert (withdrawn.status_code, withdrawn.json()["status"]) == (200, "withdrawn")
    assert (await decide(staff.bob, withdrawn.json(), "approve")).status_code == 409
    assert await staff.uploader.active() == [1]


async def test_one_request_waits_at_a_time_and_holds_its_version(staff: Staff) -> None:
    request = await staff.ask()
    second = await staff.uploader.post([staff.uploader.document("c")])
    assert (second.status_code, "Version 2 waits" in second.json()["detail"]) == (409, True)
    listed = (await staff.ada.get("/api/baselines")).json()["value"]
    assert [(one["version"], one["approvalId"]) for one in listed] == [
        (2, request["id"]),
        (1, None),
    ]
    held = await staff.ada.delete(f"/api/baselines/{request['baselineId']}")
    assert (held.status_code, "asked to activate" in held.json()["detail"]) == (409, True)
    await decide(staff.bob, request, "reject")
    assert (await staff.ada.delete(f"/api/baselines/{request['baselineId']}")).status_code == 204


async def test_of_two_decisions_at_once_one_counts(staff: Staff) -> None:
    request = await staff.ask()
    cleo = await staff.join("operator", "Cleo")
    answers = await asyncio.gather(
        decide(staff.bob, request, "approve"),
        decide(cleo, request, "reject"),
        decide(staff.ada, request, "withdraw"),
    )
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 409, 412}
    status = (await staff.request_of(request["id"]))["status"]
    assert status == ("approved", "rejected", "withdrawn")[statuses.index(200)]
    assert await staff.uploader.active() == ([2] if status == "approved" else [1])


async def test_decision_needs_the_etag_of_what_was_read(staff: Staff) -> None:
    request = await staff.ask()
    path = f"/api/approvals/{request['id']}"
    for verb in ("approve", "reject", "withdraw"):
        missing = await staff.bob.post(f"{path}/{verb}", json={"reason": "x"})
        assert missing.status_code == 428
    old = {**request, "etag": "W/\"datetime'2026-11-24T12%3A00%3A00.0000000Z'\""}
    assert (await decide(staff.bob, old, "approve")).status_code == 412
    gone = {**request, "id": "0" * 24}
    assert (await decide(staff.bob, gone, "approve")).status_code == 404


async def test_switching_off_takes_a_second_admin(staff: Staff) -> None:
    for answer in (
        await switch(staff.ada, False),
        await staff.ada.put(
            "/api/settings",
            json={"schedule": ""},
            headers={"If-Match": (await staff.ada.get("/api/settings")).headers["ETag"]},
        ),
        await revert_to_the_start(staff.ada),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert "four-eyes-off" in answer.json()["detail"]
    asked = await staff.ada.post("/api/approvals/four-eyes-off", json={"reason": "one of us"})
    assert asked.status_code == 202
    request = asked.json()
    assert (request["kind"], request["status"], request["baselineId"]) == (
        "fourEyesOff",
        "pending",
        None,
    )
    again = await staff.ada.post("/api/approvals/four-eyes-off", json={"reason": "again"})
    assert again.status_code == 409
    assert (await decide(staff.ada, request, "approve")).status_code == 403
    assert (await decide(staff.bob, request, "approve")).status_code == 403  # no admin
    assert (await staff.ada.get("/api/settings")).json()["fourEyes"] is True
    dora = await staff.join("admin", "Dora")
    approved = await decide(dora, request, "approve")
    assert (approved.status_code, approved.json()["status"]) == (200, "approved")
    assert (await staff.ada.get("/api/settings")).json()["fourEyes"] is False
    newest = (await staff.ada.get("/api/settings/history")).json()["value"][0]
    assert (newest["actorName"], newest["changed"]) == ("Dora", ["fourEyes"])
    later = await staff.ada.post("/api/approvals/four-eyes-off", json={"reason": "again"})
    assert (later.status_code, "is off" in later.json()["detail"]) == (409, True)


async def revert_to_the_start(client: httpx.AsyncClient) -> httpx.Response:
    history = (await client.get("/api/settings/history")).json()["value"]
    etag = (await client.get("/api/settings")).headers["ETag"]
    body = {"to": history[-1]["id"]}
    return await client.post("/api/settings/revert", json=body, headers={"If-Match": etag})


async def test_request_that_still_waits_is_superseded_once_one_person_is_enough(
    staff: Staff,
) -> None:
    """Switching off decides on nothing: what waits goes on waiting, until somebody decides or activates a version."""
    waiting = await staff.ask()
    asked = (await staff.ada.post("/api/approvals/four-eyes-off", json={"reason": "x"})).json()
    dora = await staff.join("admin", "Dora")
    assert (await decide(dora, asked, "approve")).status_code == 200
    assert (await staff.request_of(waiting["id"]))["status"] == "pending"
    assert await staff.uploader.active() == [1]
    third = await staff.uploader.make([staff.uploader.document("c")])
    assert (third["active"], third["approvalId"]) == (True, None)
    after = await staff.request_of(waiting["id"])
    assert (after["status"], after["decidedBy"]) == ("superseded", "Ada")
    assert (await decide(staff.bob, after, "approve")).status_code == 409
    assert await staff.uploader.active() == [3]


async def test_requests_of_all_kinds_in_one_list_newest_first(staff: Staff) -> None:
    first = await staff.ask()
    await decide(staff.bob, first, "reject")
    off = (await staff.ada.post("/api/approvals/four-eyes-off", json={"reason": "x"})).json()
    second = await staff.ask()
    every = [second["id"], off["id"], first["id"]]
    found: list[str] = []
    link = "/api/approvals?maxpagesize=1"
    while link:
        page = (await staff.ada.get(link)).json()
        found += [one["id"] for one in page["value"]]
        link = page.get("nextLink", "")
    assert found == every
    waiting = (await staff.ada.get("/api/approvals?status=pending")).json()["value"]
    assert [one["id"] for one in waiting] == every[:2]


async def test_without_four_eyes_one_person_is_enough(uploader: Uploader) -> None:
    await uploader.make([uploader.document("a")])
    second = await uploader.make([uploader.document("b")])
    assert (second["active"], second["approvalId"]) == (True, None)
    assert (await uploader.client.get("/api/approvals")).json()["value"] == []
