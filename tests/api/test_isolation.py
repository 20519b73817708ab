"""No tenant sees, reaches or learns of another. The cases are made from the route table: a new route is covered on the
day it is written, and one that lets a stranger in fails here."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest

from dev.demo.client import Product, principal_header
from drift.engine.model import resource_key
from tenancy.access import serve
from tenancy.deployment import Deployment
from tenancy.ids import DirectoryId, ObjectId, TenantId
from tenancy.roles import Role
from tenancy.store import Table
from tenancy.tenants import User

ANYBODY = {("GET", "/healthz")}
SIGNED_IN = {("GET", "/api/me"), ("POST", "/api/invitations/accept")}
PLATFORM = "/api/tenants"
SAFE = {"GET"}
Route = tuple[str, str]


@dataclass(frozen=True)
class Member:
    """An organisation's admin in the product, and ids of what the organisation has there."""

    client: httpx.AsyncClient
    tenant_id: str
    name: str
    ids: dict[str, str]  # by the name of the path parameter

    async def ask(
        self, route: Route, ids: dict[str, str], headers: dict[str, str] | None = None
    ) -> httpx.Response:
        method, path = route
        for name, value in ids.items():
            path = path.replace("{" + name + "}", value)
        assert "{" not in path, f"no id to try {path} with"
        return await self.client.request(method, path, headers=headers)


@pytest.fixture
async def routes(url: str) -> list[Route]:
    async with httpx.AsyncClient(base_url=url) as client:
        paths = (await client.get("/api/openapi.json")).json()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


@pytest.fixture
def tenant_routes(routes: list[Route]) -> list[Route]:
    others = ANYBODY | SIGNED_IN
    return [one for one in routes if one not in others and not one[1].startswith(PLATFORM)]


async def make(client: httpx.AsyncClient, path: str, body: Any = None) -> str:
    answer = await client.post(path, json=body)
    assert answer.is_success, answer.text
    return str(answer.json()["id"])


async def ask_for_approval(client: httpx.AsyncClient) -> str:
    read = await client.get("/api/settings")
    body, headers = read.json() | {"fourEyes": True}, {"If-Match": read.headers["ETag"]}
    assert (await client.put("/api/settings", json=body, headers=headers)).is_success
    return await make(client, "/api/approvals/four-eyes-off", {"reason": "canary"})


async def settle_in(operator: Product, client: httpx.AsyncClient, organisation: Any) -> Member:
    """Onboards an organisation and gives it something of everything that has an id."""
    name = f"canary-{uuid.uuid4()}"
    body = organisation.tenant_body(name=name)
    tenant = await operator.request("POST", "/api/tenants", body)
    client.headers["X-Tenant-Id"] = tenant["id"]
    await client.post("/api/subscriptions/refresh")
    subscription = organisation.subscription_id
    group: dict[str, Any] = {
        "id": f"/subscriptions/{subscription}/resourceGroups/{name}",
        "tags": {"a": "b"},
    }
    upload = {
        "source": "upload",
        "subscriptionId": subscription,
        "name": name,
        "resources": [group],
    }
    expires = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    rule = {"action": "ignore", "reason": name, "expiresAt": expires, "path": "/tags/a"}
    user = {
        "directoryId": organisation.directory_id,
        "objectId": str(uuid.uuid4()),
        "name": name,
        "role": "viewer",
    }
    made = {
        "tenant_id": tenant["id"],
        "subscription_id": subscription,
        "baseline_id": await make(client, "/api/baselines", upload),
        "scan_id": await make(client, "/api/scans"),
        "rule_id": await make(client, "/api/rules", rule),
        "user_id": await make(client, "/api/users", user),
        "invitation_id": await make(client, "/api/invitations", {"name": name, "role": "viewer"}),
        "finding_id": f"{subscription}.{uuid.uuid4().hex}",
        "key": resource_key(group["id"]),
        "approval_id": await ask_for_approval(client),
    }
    return Member(client, tenant["id"], name, made)


@pytest.fixture
async def members(
    operator: Product, url: str, new_organisation: Any
) -> AsyncIterator[tuple[Member, Member]]:
    here, there = await new_organisation(), await new_organisation()
    clients = [
        httpx.AsyncClient(
            base_url=url, timeout=30, headers={"X-MS-CLIENT-PRINCIPAL": one.admin_header}
        )
        for one in (here, there)
    ]
    async with clients[0], clients[1]:
        yield (
            await settle_in(operator, clients[0], here),
            await settle_in(operator, clients[1], there),
        )


async def state_of(member: Member) -> list[Any]:
    paths = (
        "subscriptions",
        "baselines",
        "scans",
        "rules",
        "settings",
        "settings/history",
        "connection",
        "users",
        "approvals",
    )
    return [(await member.client.get(f"/api/{path}")).json() for path in paths]


async def test_stranger_gets_the_answer_of_a_tenant_that_is_not_there(
    members: tuple[Member, Member], tenant_routes: list[Route]
) -> None:
    own, foreign = members
    before = await state_of(foreign)
    assert len(tenant_routes) > 25
    for route in tenant_routes:
        there = await own.ask(route, foreign.ids, {"X-Tenant-Id": foreign.tenant_id})
        nowhere = await own.ask(route, foreign.ids, {"X-Tenant-Id": str(uuid.uuid4())})
        assert (route, there.status_code) == (route, 404)
        assert (there.status_code, there.content) == (nowhere.status_code, nowhere.content)
    assert await state_of(foreign) == before


async def test_foreign_ids_are_as_good_as_absent_ones(
    members: tuple[Member, Member], tenant_routes: list[Route]
) -> None:
    own, foreign = members
    before = await state_of(foreign)
    absent = {name: f"{value[:-6]}00beef" for name, value in foreign.ids.items()}
    for route in tenant_routes:
        if "{" not in route[1]:
            continue
        there, nowhere = await own.ask(route, foreign.ids), await own.ask(route, absent)
        assert there.status_code in {404, 422, 428}, route
        assert (there.status_code, there.content) == (nowhere.status_code, nowhere.content)
    assert await state_of(foreign) == before


async def test_lists_hold_nothing_of_others(
    members: tuple[Member, Member], tenant_routes: list[Route]
) -> None:
    own, foreign = members
    for route in tenant_routes:
        if route[0] in SAFE:
            answer = await own.ask(route, own.ids)
            for canary in (foreign.name, *foreign.ids.values()):
                assert canary not in answer.text, route


async def test_nobody_is_let_in_without_signing_in(
    url: str, members: tuple[Member, Member], routes: list[Route]
) -> None:
    own, _ = members
    async with httpx.AsyncClient(base_url=url, headers={"X-Tenant-Id": own.tenant_id}) as client:
        nobody = Member(client, own.tenant_id, own.name, own.ids)
        for route in set(routes) - ANYBODY:
            assert (route, (await nobody.ask(route, own.ids)).status_code) == (route, 401)


async def test_tenant_admin_has_no_platform_routes(
    members: tuple[Member, Member], routes: list[Route]
) -> None:
    own, _ = members
    for route in routes:
        if route[1].startswith(PLATFORM):
            assert (route, (await own.ask(route, own.ids)).status_code) == (route, 404)


async def test_viewer_changes_nothing(
    url: str,
    deployment: Deployment,
    members: tuple[Member, Member],
    tenant_routes: list[Route],
) -> None:
    own, _ = members
    user = User(
        DirectoryId(str(uuid.uuid4())),
        ObjectId(str(uuid.uuid4())),
        "Vi",
        Role.VIEWER,
        datetime.now(UTC),
        "test",
    )
    context = await serve(deployment, TenantId(own.tenant_id))
    await context.store.put(Table.USER, user.key, user.values())
    header = principal_header(user.directory_id, user.object_id, user.name)
    headers = {"X-MS-CLIENT-PRINCIPAL": header, "X-Tenant-Id": own.tenant_id}
    before = await state_of(own)
    async with httpx.AsyncClient(base_url=url, headers=headers) as client:
        viewer = Member(client, own.tenant_id, own.name, own.ids)
        for route in tenant_routes:
            answer = await viewer.ask(route, own.ids)
            if route[0] not in SAFE:
                assert (route, answer.status_code) == (route, 403)
    assert await state_of(own) == before
