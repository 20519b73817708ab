"""What every route of an area promises alike, checked against the OpenAPI document: a new route is covered on its first
day, and each exception has its reason here."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any, cast

import httpx2 as httpx
import pytest

from api.app import create_app
from api.shapes import GUID_PATTERN
from dev.azure.admin import AzureAdmin
from dev.demo.client import Product, principal_header
from drift.engine.model import resource_key
from tenancy.deployment import Deployment
from tests.api.channel_changes import CHANNEL, WINDOW
from tests.api.content_changes import change_settings, rule
from tests.api.desk import Desk
from tests.api.members import Sign, add, body
from tests.api.seeds import seed_findings, seed_jobs, seed_state
from tests.api.uploads import Uploader

NOT_PAGED = {
    "/api/tenants/templates": "a handful, part of the program",
    "/api/rules/proposals": "made of at most 200 findings, and stored nowhere",
}
NO_ETAG = {
    ("DELETE", "/api/tenants/{tenant_id}"): "an order: the tenant ends, whatever it looks like",
    ("PUT", "/api/tenants/{tenant_id}/settings"): "a step of provisioning, to be repeated at will",
    ("PUT", "/api/tenants/{tenant_id}/connection"): "the same",
    ("PUT", "/api/tenants/{tenant_id}/admin"): "the same",
    ("PUT", "/api/tenants/{tenant_id}/shared-subscriptions/{subscription_id}"): "there or not",
    ("DELETE", "/api/tenants/{tenant_id}/shared-subscriptions/{subscription_id}"): "there or not",
    (
        "DELETE",
        "/api/baselines/{baseline_id}",
    ): "versions never change, so nothing can be overlooked",
    ("DELETE", "/api/invitations/{invitation_id}"): "withdrawn or not; what it says never changes",
}
ROW_KEY_PATTERN = r"^[0-9a-z.-]{1,120}$"
PATTERNS = {
    "tenant_id": GUID_PATTERN,
    "subscription_id": GUID_PATTERN,
    "key": r"^[0-9a-f]{32}$",  # of a resource
}
MOST_WALKED = 12  # of a list: that of the tenants is of all tests
Operation = tuple[str, str, dict[str, Any]]


@cache
def document() -> dict[str, Any]:
    """It needs to know of the deployment whether people sign in without Entra ID, and nothing else."""
    told = SimpleNamespace(settings=SimpleNamespace(development_sign_in=False))
    return create_app(lambda: cast(Deployment, told)).openapi()


def operations() -> Iterator[Operation]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def parameters(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By name in lower case, references followed."""
    shared = document()["components"]["parameters"]
    given = operation.get("parameters", [])
    known = [shared[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in given]
    return {one["name"].lower(): one for one in known}


def lists() -> list[str]:
    """Whatever answers with a page, by the name of its schema or by its members."""
    schemas = document()["components"]["schemas"]
    found = []
    for method, path, operation in operations():
        content = operation["responses"].get("200", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        name = schema.get("$ref", "").rpartition("/")[2]
        members = schemas.get(name, {}).get("properties", {}).keys()
        named = name.startswith("ListOf") or name.endswith("List")
        if method == "GET" and (named or {"value", "nextLink"} <= members):
            found.append(path)
    return found


PAGED = sorted(set(lists()) - NOT_PAGED.keys())


def test_every_list_is_paged() -> None:
    assert len(PAGED) > 16
    for method, path, operation in operations():
        if method == "GET" and path in PAGED:
            known = parameters(operation)
            assert known["continuationtoken"]["required"] is False, path
            size = known["maxpagesize"]["schema"]
            assert (size["minimum"], size["maximum"]) == (1, 200), path
            assert 1 <= size["default"] <= 200, path


def test_every_exception_is_of_a_route_that_there_is() -> None:
    known = {(method, path) for method, path, _ in operations()}
    assert NO_ETAG.keys() <= known
    assert NOT_PAGED.keys() <= {path for _, path in known}


def test_every_edit_takes_the_etag_of_what_was_read() -> None:
    wrong = [
        (method, path)
        for method, path, operation in operations()
        if method in {"PUT", "PATCH", "DELETE"} and "if-match" not in parameters(operation)
    ]
    assert set(wrong) == NO_ETAG.keys()


def test_every_body_refuses_members_that_are_not_in_the_contract() -> None:
    schemas = document()["components"]["schemas"]
    seen: set[str] = set()

    def check(schema: Any, where: str) -> None:
        if isinstance(schema, list):
            for one in schema:
                check(one, where)
        if not isinstance(schema, dict):
            return
        name = schema.get("$ref", "").rpartition("/")[2]
        if name and name not in seen:
            seen.add(name)
            check(schemas[name], name)
        if schema.get("type") == "object" and "properties" in schema:
            assert schema.get("additionalProperties") is False, where
        for member in schema.values():
            check(member, where)

    for _, path, operation in operations():
        check(operation.get("requestBody", {}).get("content", {}), path)
    assert len(seen) > 15


def test_every_id_has_one_spelling() -> None:
    for method, path, operation in operations():
        for name, one in parameters(operation).items():
            if one["in"] == "path":
                pattern = one["schema"]["pattern"]
                assert pattern == PATTERNS.get(name, ROW_KEY_PATTERN), (method, path, name)


@pytest.fixture
async def desk(
    uploader: Uploader,
    operator: Product,
    deployment: Deployment,
    new_organisation: Any,
    sign_in: Sign,
    azure: AzureAdmin,
) -> Desk:
    """A tenant with two or more of everything that there are lists of."""
    platform = sign_in(operator._client.headers["X-MS-CLIENT-PRINCIPAL"])
    made = Desk(
        uploader.client, uploader.client, platform, uploader, deployment, new_organisation, sign_in
    )
    organisation = uploader.organisation
    await azure.put_subscription(
        str(uuid.uuid4()),
        directory_id=organisation.directory_id,
        displayName="second",
        readers=[organisation.object_id],
    )
    await made.admin.post("/api/subscriptions/refresh")
    await seed_findings(deployment, uploader.tenant_id, uploader.subscription_id, 3)
    first = await uploader.make([uploader.document("a"), uploader.document("b")], activate=False)
    await seed_state(deployment, uploader.tenant_id, first["id"], uploader.document("a")["id"])
    await uploader.make([uploader.document("c")], activate=False)
    await seed_jobs(deployment, uploader.tenant_id)
    await change_settings(made, fourEyes=True)
    for number in range(2):
        given = body(organisation, role="admin", name=f"Bob {number}")
        await add(made.admin, given)
        bob = sign_in(principal_header(given["directoryId"], given["objectId"], "Bob"))
        asked = (await made.admin.post("/api/approvals/four-eyes-off", json={"reason": "x"})).json()
        await bob.post(
            f"/api/approvals/{asked['id']}/reject",
            json={"reason": "no"},
            headers={"If-Match": asked["etag"]},
        )
        finding = (await made.admin.get("/api/findings")).json()["value"][0]["id"]
        await made.make(f"/api/findings/{finding}/comments", {"text": f"{number}"})
        await made.make("/api/rules", rule())
        channel = await made.make("/api/channels", CHANNEL)
        for _ in range(2):
            await made.make(f"/api/channels/{channel['id']}/test")
        await made.make("/api/maintenance-windows", WINDOW)
        await made.make("/api/scans")
        await made.make("/api/invitations", {"name": "Gus", "role": "viewer"})
        await platform.post("/api/tenants", json=(await new_organisation()).tenant_body())
        gone = await platform.post("/api/tenants", json=(await new_organisation()).tenant_body())
        await platform.delete(f"/api/tenants/{gone.json()['id']}")
    return made


async def path_with_ids(desk: Desk, path: str) -> str:
    other, one = (await desk.admin.get("/api/baselines")).json()["value"]
    key = resource_key(desk.uploader.document("a")["id"])
    finding = (await desk.admin.get("/api/findings")).json()["value"][0]["id"]
    path = path.replace("{baseline_id}", one["id"]).replace("{key}", key)
    channel = (await desk.admin.get("/api/channels")).json()["value"][0]
    path = path.replace("{channel_id}", channel["id"])
    path = path.replace("{finding_id}", finding)
    assert "{" not in path
    return f"{path}?to={other['id']}" if path.endswith("diff") else path


def with_query(path: str, query: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}{query}"


def identify(item: dict[str, Any]) -> str:
    return str(item.get("id") or item.get("key") or item["scanId"])


async def walk(client: httpx.AsyncClient, path: str) -> tuple[list[str], str]:
    """The first items of a list one by one, and the first link to a next page."""
    found: list[str] = []
    first = link = ""
    following = with_query(path, "maxpagesize=1")
    while following and len(found) < MOST_WALKED:
        page = await client.get(following)
        assert page.status_code == 200, (path, page.text)
        assert len(page.json()["value"]) <= 1, path
        found += [identify(one) for one in page.json()["value"]]
        link = page.json().get("nextLink", "")
        assert link != following, path
        first, following = first or link, link
    return found, first


async def test_every_list_goes_on_where_its_token_says_and_nowhere_else(desk: Desk) -> None:
    other: list[str] = []  # the token of the list before
    for path in PAGED:
        client = desk.platform if path.startswith("/api/tenants") else desk.admin
        whole_path = await path_with_ids(desk, path)
        whole = await client.get(with_query(whole_path, "maxpagesize=200"))
        expected = [identify(one) for one in whole.json()["value"]]
        found, link = await walk(client, whole_path)
        assert len(expected) > 1, path
        assert found == expected[:MOST_WALKED], path
        assert link.startswith(whole_path.partition("?")[0]), path
        wrong = [
            link.replace("maxpagesize=1", "maxpagesize=2"),
            link[:-6] + "AAAAAA",
            *(with_query(whole_path, f"maxpagesize=1&continuationToken={one}") for one in other),
        ]
        for url in wrong:
            refused = await client.get(url)
            assert refused.status_code == 422, (path, url)
            assert refused.json()["errors"][0]["field"] == "continuationToken", (path, url)
        for size in ("0", "201"):
            refused = await client.get(with_query(whole_path, f"maxpagesize={size}"))
            assert (path, refused.status_code) == (path, 422)
            assert refused.json()["errors"][0]["field"] == "maxpagesize"
        other = [link.rpartition("continuationToken=")[2]]
