"""Users, invitations, app roles and the access review, as people meet them."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx

from dev.demo.client import Product, principal_header
from tenancy.access import serve
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tenancy.store import Table
from tests.api.members import Sign, add, body, give, header_of, take_out


async def users_of(client: httpx.AsyncClient) -> dict[str, str]:
    listed = (await client.get("/api/users")).json()["value"]
    return {user["name"]: user["role"] for user in listed}


async def test_user_is_added_gets_another_role_and_is_taken_out_at_once(
    admin: httpx.AsyncClient, sign_in: Sign, organisation: Any
) -> None:
    given = body(organisation)
    olga = sign_in(principal_header(given["directoryId"], given["objectId"], "Olga"))
    assert (await olga.get("/api/settings")).status_code == 403
    user = await add(admin, given)
    assert (user["role"], user["kind"], user["addedBy"]) == ("operator", "person", "Ada")
    assert await users_of(admin) == {"Ada": "admin", "Olga": "operator"}
    assert (await olga.post("/api/scans")).status_code == 202
    changed = await give(admin, user, "viewer")
    assert changed.status_code == 200
    assert (await olga.post("/api/scans")).status_code == 403
    assert (await give(admin, user, "admin")).status_code == 412
    assert (await take_out(admin, changed.json())).status_code == 204
    assert (await olga.get("/api/settings")).status_code == 403
    assert (await admin.get(f"/api/users/{user['id']}")).status_code == 404


async def test_only_principals_of_the_own_directory_are_added_by_an_admin(
    admin: httpx.AsyncClient, operator: Product, organisation: Any, tenant_id: str
) -> None:
    guest = body(organisation, directoryId=str(uuid.uuid4()))
    refused = await admin.post("/api/users", json=guest)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "directoryId")
    headers = {"X-Tenant-Id": tenant_id}
    added = await operator.request("POST", "/api/users", guest, headers=headers)
    assert added["directoryId"] == guest["directoryId"]
    assert (await admin.post("/api/users", json=guest | {"role": "platform"})).status_code == 422
    own = body(organisation)
    await add(admin, own)
    assert (await admin.post("/api/users", json=own)).status_code == 409


async def test_application_and_person_are_not_taken_for_each_other(
    admin: httpx.AsyncClient, sign_in: Sign, organisation: Any
) -> None:
    for kind, claims, others in (
        ("application", {"idtyp": "app"}, {}),
        ("person", {}, {"idtyp": "app"}),
    ):
        given = body(organisation, kind=kind)
        await add(admin, given)
        right = sign_in(header_of(given["directoryId"], given["objectId"], **claims))
        wrong = sign_in(header_of(given["directoryId"], given["objectId"], **others))
        assert (await right.get("/api/settings")).status_code == 200
        assert (await wrong.get("/api/settings")).status_code == 404


async def test_last_admin_stays(admin: httpx.AsyncClient, organisation: Any) -> None:
    (ada,) = (await admin.get("/api/users")).json()["value"]
    for answer in (await give(admin, ada, "operator"), await take_out(admin, ada)):
        assert answer.status_code == 409
        assert "last admin" in answer.json()["detail"]
    await add(admin, body(organisation, role="admin"))
    assert (await give(admin, ada, "operator")).status_code == 200


async def test_two_admins_who_remove_each_other_leave_one(
    admin: httpx.AsyncClient, organisation: Any
) -> None:
    for _ in range(5):
        other = await add(admin, body(organisation, name=str(uuid.uuid4()), role="admin"))
        listed = (await admin.get("/api/users")).json()["value"]
        ada = next(user for user in listed if user["name"] == "Ada")
        answers = await asyncio.gather(give(admin, ada, "viewer"), take_out(admin, other))
        roles = {answer.status_code for answer in answers}
        assert roles & {200, 204}
        if answers[0].status_code == 200:  # Ada lost it: only the other is left, and stays
            assert answers[1].status_code in {403, 409, 412}
            return
        assert answers[1].status_code == 204


async def test_nobody_but_an_admin_sees_or_changes_users(
    admin: httpx.AsyncClient, sign_in: Sign, organisation: Any
) -> None:
    given = body(organisation)
    user = await add(admin, given)
    olga = sign_in(principal_header(given["directoryId"], given["objectId"], "Olga"))
    assert (await give(olga, user, "admin")).status_code == 403
    for path in ("users", "invitations", "access-review", "audit"):
        assert (path, (await olga.get(f"/api/{path}")).status_code) == (path, 403)


async def invite(client: httpx.AsyncClient, **members: Any) -> dict[str, Any]:
    given = {"name": "Gus", "role": "operator"} | members
    answer = await client.post("/api/invitations", json=given)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def accept(client: httpx.AsyncClient, code: str) -> httpx.Response:
    return await client.post("/api/invitations/accept", json={"code": code})


def guest_header() -> str:
    return principal_header(str(uuid.uuid4()), str(uuid.uuid4()), "Gus")


async def test_invitation_makes_one_guest_a_user_once(
    admin: httpx.AsyncClient, sign_in: Sign, tenant_id: str, deployment: Deployment
) -> None:
    invitation = await invite(admin)
    context = await serve(deployment, TenantId(tenant_id))
    rows = [row async for row in context.store.rows(Table.USER)]
    assert invitation["code"].partition(".")[2] not in str(rows)
    assert "code" not in (await admin.get("/api/invitations")).json()["value"][0]
    guests = [sign_in(guest_header()) for _ in range(4)]
    answers = await asyncio.gather(*(accept(guest, invitation["code"]) for guest in guests))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]
    (winner,) = [n for n, answer in enumerate(answers) if answer.status_code == 200]
    assert answers[winner].json()["tenantId"] == tenant_id
    seen = [(await guest.get("/api/settings")).status_code for guest in guests]
    assert sorted(seen) == [200, 403, 403, 403]
    assert (await guests[winner].get("/api/me")).json()["tenants"][0]["role"] == "operator"
    (kept,) = (await admin.get("/api/invitations")).json()["value"]
    assert kept["status"] == "accepted"


async def test_every_useless_code_has_one_answer(
    admin: httpx.AsyncClient,
    operator: Product,
    sign_in: Sign,
    organisation: Any,
    tenant_id: str,
    deployment: Deployment,
) -> None:
    guest = sign_in(guest_header())
    good, withdrawn, own = [await invite(admin) for _ in range(2)] + [
        await invite(admin, onlyOwnDirectory=True)
    ]
    assert (await admin.delete(f"/api/invitations/{withdrawn['id']}")).status_code == 204
    expired = await invite(admin)
    context = await serve(deployment, TenantId(tenant_id))
    row = await context.store.get(Table.USER, f"invitation.{expired['id']}")
    gone = {**row.values, "expires_at": datetime.now(UTC) - timedelta(seconds=1)}
    await context.store.put(Table.USER, row.key, gone)
    second = body(organisation, role="admin")
    other = sign_in(principal_header(second["directoryId"], second["objectId"], "Bea"))
    user = await add(admin, second)
    of_a_former_admin = await invite(other)
    assert (await take_out(admin, user)).status_code == 204
    secret = good["code"].partition(".")[2]
    codes = [
        "x",
        f"{tenant_id}.wrong",
        f"{uuid.uuid4()}.{secret}",
        withdrawn["code"],
        own["code"],
        expired["code"],
        of_a_former_admin["code"],
    ]
    answers = [await accept(guest, code) for code in codes]
    assert {(answer.status_code, answer.json()["detail"]) for answer in answers} == {
        (404, "There is no such invitation. Ask for a new one.")
    }
    member = sign_in(principal_header(organisation.directory_id, str(uuid.uuid4()), "Mo"))
    assert (await accept(member, own["code"])).status_code == 200
    assert (await accept(member, good["code"])).status_code == 409
    await operator.request("POST", f"/api/tenants/{tenant_id}/suspend")
    assert (await accept(guest, good["code"])).status_code == 404
    await operator.request("POST", f"/api/tenants/{tenant_id}/resume")
    assert (await accept(guest, good["code"])).status_code == 200


async def test_invitation_ends_within_30_days(admin: httpx.AsyncClient) -> None:
    for days in (-1, 31):
        ends = (datetime.now(UTC) + timedelta(days=days)).isoformat()
        given = {"name": "Gus", "role": "viewer", "expiresAt": ends}
        answer = await admin.post("/api/invitations", json=given)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "expiresAt")


async def allow_app_roles(client: httpx.AsyncClient, allowed: bool) -> httpx.Response:
    path = "/api/users/app-roles"
    etag = (await client.get(path)).headers["ETag"]
    answer = await client.put(path, json={"allowed": allowed}, headers={"If-Match": etag})
    assert answer.status_code == 200
    assert (await client.put(path, json={"allowed": allowed})).status_code == 428
    late = await client.put(path, json={"allowed": not allowed}, headers={"If-Match": etag})
    assert late.status_code == 412
    return answer


async def test_app_roles_let_in_where_the_tenant_allows_it(
    admin: httpx.AsyncClient, sign_in: Sign, organisation: Any, tenant_id: str
) -> None:
    home = organisation.directory_id
    someone = str(uuid.uuid4())
    member = sign_in(header_of(home, someone, "Drift.Operator"))
    assert (await member.get("/api/settings")).status_code == 403
    assert (await admin.get("/api/users/app-roles")).json() == {"allowed": False}
    await allow_app_roles(admin, True)
    assert (await member.post("/api/scans")).status_code == 202
    assert (await member.get("/api/users")).status_code == 403
    assert (await member.get("/api/me")).json()["tenants"][0]["role"] == "operator"
    nobodies = [
        header_of(home, str(uuid.uuid4())),
        header_of(home, str(uuid.uuid4()), "Other.Admin"),
        header_of(str(uuid.uuid4()), str(uuid.uuid4()), "Drift.Admin"),
        header_of(
            home, str(uuid.uuid4()), "Drift.Admin", idp=f"https://sts.windows.net/{uuid.uuid4()}/"
        ),
        header_of(home, str(uuid.uuid4()), "Drift.Admin", idp="live.com"),
    ]
    for header in nobodies:
        assert (await sign_in(header, tenant=tenant_id).get("/api/settings")).status_code == 404
    # A row of its own holds somebody down.
    await add(admin, body(organisation, objectId=someone, role="viewer"))
    assert (await member.post("/api/scans")).status_code == 403
    await allow_app_roles(admin, False)
    other = sign_in(header_of(home, str(uuid.uuid4()), "Drift.Admin"))
    assert (await other.get("/api/settings")).status_code == 403


async def test_member_of_a_deleted_tenant_too_need_not_choose(
    operator: Product, sign_in: Sign, organisation: Any, tenant_id: str, new_organisation: Any
) -> None:
    other = await new_organisation()
    given = other.tenant_body()
    given["admin"] = {
        "directoryId": organisation.directory_id,
        "objectId": organisation.admin_object_id,
        "name": "Ada",
    }
    second = (await operator.request("POST", "/api/tenants", given))["id"]
    ada = sign_in(organisation.admin_header)
    assert (await ada.get("/api/settings")).status_code == 422
    await operator.request("DELETE", f"/api/tenants/{second}")
    assert (await ada.get("/api/settings")).status_code == 200


async def test_access_review_says_who_by_which_way_and_what_is_stale(
    admin: httpx.AsyncClient,
    operator: Product,
    sign_in: Sign,
    organisation: Any,
    tenant_id: str,
    deployment: Deployment,
) -> None:
    never = await add(admin, body(organisation, name="Never"))
    context = await serve(deployment, TenantId(tenant_id))
    row = await context.store.get(Table.USER, never["id"])
    old = {**row.values, "added_at": datetime.now(UTC) - timedelta(days=91)}
    await context.store.put(Table.USER, row.key, old)
    await allow_app_roles(admin, True)
    await sign_in(header_of(organisation.directory_id, str(uuid.uuid4()), "Drift.Viewer")).get(
        "/api/settings"
    )
    await operator.request("GET", "/api/settings", headers={"X-Tenant-Id": tenant_id})
    review = (await admin.get("/api/access-review")).json()["value"]
    found = {one["name"]: one for one in review}
    assert [
        (name, found[name]["way"], found[name]["role"], found[name]["stale"])
        for name in ("Ada", "Never", "N", "Pia")
    ] == [
        ("Ada", "user", "admin", False),
        ("Never", "user", "operator", True),
        ("N", "appRole", "viewer", False),
        ("Pia", "platform", "platform", False),
    ]
    pages, link = [], "/api/access-review?maxpagesize=2"
    while link:
        page = (await admin.get(link)).json()
        assert len(page["value"]) <= 2
        pages += [one["name"] for one in page["value"]]
        link = page.get("nextLink", "")
    assert pages == [one["name"] for one in review]
    assert found["Ada"]["permissions"] == ["administer", "operate", "read"]
    assert (found["Ada"]["lastSeen"] is None, found["Never"]["lastSeen"]) == (False, None)
