"""C: what a role may not do, and what a body may not say."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx2 as httpx
import pytest

from dev.demo.client import Product, principal_header
from tests.isolation.cast import Cast
from tests.isolation.planted import MEMBERS, Planted
from tests.isolation.policy import LINES, REACHED, Line
from tests.isolation.watch import Watch

WITH_BODY = [line for line in LINES.values() if isinstance(line.body, dict)]
PROTECTED = {
    "tenant_id": "x", "tenantId": "x", "id": "x", "createdBy": "x", "created_by": "x", "author": "x", "owner": "x",
    "status": "active", "etag": "x", "addedBy": "x", "hitCount": 1, "platform": True, "permissions": ["provision"],
}  # fmt: skip
STORAGE = {
    "PartitionKey": "x", "RowKey": "x", "Timestamp": "2026-01-01T00:00:00Z", "odata.etag": "x", "odata.type": "x",
    "@odata.type": "Edm.Guid", "_write": "x", "_schema": 0,
}  # fmt: skip
VARIANTS = ("Tenant_Id", "TENANTID", "ｔｅｎａｎｔＩｄ", "name\u200b", "ſtatus", "Name", "ROLE")  # noqa: RUF001


def named(line: Line) -> str:
    return line.name


def asker(line: Line) -> str:
    return "admin" if line.lets_in("admin") else "inside"


async def send(
    watch: Watch, cast: Cast, line: Line, own: Planted, body: Any, **changes: Any
) -> httpx.Response:
    made = line.request(own.ids)
    made["headers"] |= cast.headers(asker(line), own)
    return watch.look(await watch.wire.request(**{**made, "json": body, **changes}), line.name)


def told(answer: httpx.Response) -> set[str]:
    return {one["field"] for one in answer.json()["errors"]}


@pytest.mark.parametrize("line", WITH_BODY, ids=named)
async def test_c06_c07_c08_field_that_is_not_in_the_contract_is_refused(
    watch: Watch, cast: Cast, own: Planted, line: Line
) -> None:
    """Who created it, whose it is, how it is stored: a body says none of that, under no spelling."""
    good = line.request(own.ids)["json"]
    odd = {**PROTECTED, **STORAGE, **dict.fromkeys(VARIANTS, "x")}
    unknown = odd.keys() - good.keys() - {"settings"}
    answer = await send(watch, cast, line, own, odd | good)
    assert answer.status_code == 422, answer.text
    assert unknown <= told(answer)
    for name in good:
        snake = "".join(f"_{one.lower()}" if one.isupper() else one for one in name)
        if snake != name:  # one member under two names is two values
            answer = await send(watch, cast, line, own, good | {snake: good[name]})
            assert answer.status_code == 422, (snake, answer.text)


@pytest.mark.parametrize("line", WITH_BODY, ids=named)
async def test_c09_c10_body_is_json_of_the_contract_or_nothing(
    watch: Watch, cast: Cast, own: Planted, line: Line
) -> None:
    good = line.request(own.ids)["json"]
    patch = [{"op": "replace", "path": "/tenant_id", "value": "x"}]
    bodies: list[tuple[bytes, str]] = [
        (json.dumps(patch).encode(), "application/json-patch+json"),
        (json.dumps(good | {"tenantId": None}).encode(), "application/merge-patch+json"),
        (json.dumps(good).encode("utf-16"), "application/json; charset=utf-16"),
        (json.dumps(good).encode(), "text/plain"),
        (b"a=b", "application/x-www-form-urlencoded"),
    ]
    if good:  # where nothing need be said, nothing is a good body
        bodies.append((json.dumps(dict.fromkeys(good)).encode(), "application/json"))
    headers = line.request(own.ids)["headers"] | cast.headers(asker(line), own)
    for body, kind in bodies:
        said = headers | {"Content-Type": kind}
        answer = await send(watch, cast, line, own, None, json=None, content=body, headers=said)
        assert answer.status_code in {400, 415, 422}, (kind, body, answer.text)


async def test_c03_admin_gives_no_role_elsewhere(
    watch: Watch, cast: Cast, own: Planted, foreign: Planted
) -> None:
    """Not by the header, not by the id, not for the other's directory."""
    admin = cast.headers("admin", own)
    for name in ("POST /api/users", "PATCH /api/users/{user_id}", "DELETE /api/users/{user_id}"):
        line = LINES[name]
        at_foreign = await watch.ask(line, foreign.ids, cast.headers("neighbour", foreign))
        assert at_foreign.status_code == 404
        by_id = await watch.ask(line, foreign.ids, admin)
        assert by_id.status_code in {404, 422}, by_id.text  # 422: another directory's principal


@pytest.mark.parametrize("role", MEMBERS)
async def test_c04_nobody_promotes_itself(
    watch: Watch, cast: Cast, own: Planted, operator: Product, role: str
) -> None:
    me = LINES["GET /api/me"]
    headers = cast.headers(role, own)
    (before,) = (await watch.ask(me, own.ids, headers)).json()["tenants"]
    users = await own.watched.api.every("/api/users")
    signed = json.loads(base64.b64decode(headers["X-MS-CLIENT-PRINCIPAL"]))["claims"]
    object_id = next(one["val"] for one in signed if one["typ"] == "oid")
    mine = next(user for user in users if user["objectId"] == object_id)
    new = {"directoryId": mine["directoryId"], "objectId": object_id, "name": "x"}
    headers |= {"If-Match": mine["etag"]}
    for wanted in ("admin", "platform", "owner"):
        changed = await watch.wire.patch(
            f"/api/users/{mine['id']}", json={"role": wanted}, headers=headers
        )
        added = await watch.wire.post("/api/users", json=new | {"role": wanted}, headers=headers)
        for answer in (changed, added):
            if role != "admin":
                assert answer.status_code == 403
            elif wanted != "admin":
                assert answer.status_code == 422
    (after,) = (await watch.ask(me, own.ids, headers)).json()["tenants"]
    assert after == before


async def test_c12_invitation_is_of_one_tenant(
    watch: Watch, own: Planted, foreign: Planted
) -> None:
    """A code with the other tenant's id before it, and a code that was used."""
    body = {"name": "Gus", "role": "viewer"}
    code = (await own.watched.api.request("POST", "/api/invitations", body))["code"]
    secret = code.partition(".")[2]
    organisation = own.watched.organisation
    guest = principal_header(organisation.directory_id, organisation.client_id, "Gus")
    headers = {"X-MS-CLIENT-PRINCIPAL": guest, "X-Requested-With": "t"}

    async def accept(value: str) -> int:
        answer = await watch.wire.post(
            "/api/invitations/accept", json={"code": value}, headers=headers
        )
        return watch.look(answer).status_code

    assert await accept(f"{foreign.tenant_id}.{secret}") == 404
    assert await accept(f"{foreign.tenant_id}.{foreign.ids['invitation_id']}") == 404
    assert await accept(code) == 200
    assert await accept(code) == 404


def test_every_body_of_the_policy_is_tried() -> None:
    assert len(WITH_BODY) > 18
    assert REACHED.isdisjoint({400, 422})
