"""Requests that nobody in good faith sends: each is refused with a problem that names what is wrong, none breaks
anything, and none says more than it must."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx2 as httpx
import pytest

from api.ambiguity import REPEATABLE
from dev.demo.client import Product, ProductError
from tenancy.deployment import Deployment
from tests.api.members import allow_roles


@pytest.fixture
async def admin(
    operator: Product, url: str, new_organisation: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A tenant's admin, at the wire."""
    organisation = await new_organisation()
    tenant = await operator.request("POST", "/api/tenants", organisation.tenant_body())
    headers = {"X-MS-CLIENT-PRINCIPAL": organisation.admin_header, "X-Tenant-Id": tenant["id"]}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
        yield client


def check_problem(answer: httpx.Response, *statuses: int) -> None:
    assert answer.status_code in statuses, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code


def header(document: Any) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


@pytest.mark.parametrize(
    "principal",
    [
        "",
        "!",
        "é",
        base64.b64encode(b"\xff\xfe").decode(),
        base64.b64encode(b"[" * 10_000).decode(),
        header([]),
        header({"claims": {}}),
        header({"claims": [{"typ": ["tid"], "val": {}}]}),
        header({"claims": [], "role_typ": []}),
        header({"claims": [], "role_typ": {"a": 1}}),
        header({"claims": [{"typ": "tid", "val": "common"}, {"typ": "oid", "val": "x"}]}),
    ],
)
async def test_odd_principal_is_nobody(url: str, principal: str) -> None:
    headers = [(b"X-MS-CLIENT-PRINCIPAL", principal.encode())]
    async with httpx.AsyncClient(base_url=url) as client:
        check_problem(await client.get("/api/me", headers=headers), 401)


@pytest.mark.parametrize(
    "spelling",
    [
        "{%s}",
        "urn:uuid:%s",
        "%s ;x=1",
        "*",
        "null",
        "undefined",
        "-",
        "",
        "all",
        "%%00",
        "..",
        "' or 1 eq 1",
    ],
)
async def test_tenant_has_one_spelling(admin: httpx.AsyncClient, spelling: str) -> None:
    own = admin.headers["X-Tenant-Id"]
    value = spelling % own if "%s" in spelling else spelling
    check_problem(await admin.get("/api/findings", headers={"X-Tenant-Id": value}), 422)
    check_problem(await admin.get("/api/findings", headers={"X-Tenant-Id": own.upper()}), 422)


@pytest.mark.parametrize("query", ["type=a&type=b", "maxpagesize=1&maxpagesize=1", "x=1&x=2"])
async def test_query_parameter_that_comes_twice_is_refused(
    admin: httpx.AsyncClient, query: str
) -> None:
    answer = await admin.get(f"/api/findings?{query}")
    check_problem(answer, 422)
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize("path", ["/api/findings?sevrity=high", "/api/settings?a=b", "/healthz?x="])
async def test_query_parameter_that_nobody_reads_is_refused(
    admin: httpx.AsyncClient, path: str
) -> None:
    answer = await admin.get(path)
    check_problem(answer, 422)
    assert answer.json()["errors"][0]["field"] == path.partition("?")[2].partition("=")[0]


async def test_only_lists_may_repeat_a_query_parameter(admin: httpx.AsyncClient) -> None:
    paths = (await admin.get("/api/openapi.json")).json()["paths"]
    parameters = [
        parameter
        for methods in paths.values()
        for route in methods.values()
        for parameter in route.get("parameters", ())
        if "schema" in parameter  # else it is a header that many have
    ]
    lists = {one["name"] for one in parameters if one["schema"].get("type") == "array"}
    assert lists == REPEATABLE
    assert (await admin.get("/api/findings?status=open&status=resolved")).status_code == 200


@pytest.mark.parametrize(
    ("body", "member"),
    [
        ('{"action": "ignore", "action": "severity"}', "action"),
        ('{"name": {"a": [{"b": 1, "b": 1}]}}', "b"),
        ('{"\\u0061": 1, "a": 2}', "a"),
    ],
)
async def test_member_that_comes_twice_is_refused(
    admin: httpx.AsyncClient, body: str, member: str
) -> None:
    answer = await admin.post(
        "/api/rules", content=body, headers={"content-type": "application/json"}
    )
    check_problem(answer, 422)
    assert answer.json()["errors"][0]["field"] == member


async def test_tenant_named_twice_is_refused(admin: httpx.AsyncClient) -> None:
    own = admin.headers["X-Tenant-Id"]
    twice = [*admin.headers.items(), ("X-Tenant-Id", own)]
    async with httpx.AsyncClient(base_url=admin.base_url) as client:
        check_problem(await client.get("/api/findings", headers=twice), 422)


@pytest.mark.parametrize("area", ["findings", "baselines", "scans", "subscriptions", "rules"])
@pytest.mark.parametrize(
    "identity",
    [
        "*",
        "null",
        "%00",
        "..%2f..",
        "%2e%2e",
        "a%7Cb",
        "A",
        "%EF%BC%A1",
        "%C5%BF",
        "x" * 200,
        "' or 1 eq 1",
        "s.",
        "f.x",
    ],
)
async def test_odd_id_is_of_nothing(admin: httpx.AsyncClient, area: str, identity: str) -> None:
    check_problem(await admin.get(f"/api/{area}/{identity}"), 404, 405, 422)
    headers = {"If-Match": "W/\"datetime'2026-11-24T12%3A00%3A00.0000000Z'\""}
    odd = await admin.delete(f"/api/{area}/{identity}", headers=headers)
    check_problem(odd, 404, 405, 422)


@pytest.mark.parametrize(
    "query",
    [
        "maxpagesize=0", "maxpagesize=100000", "maxpagesize=x", "continuationToken=x", "continuationToken=%00",
        "continuationToken=%C3%A9", "continuationToken=eyJQYXJ0aXRpb25LZXkiOiAieCJ9",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "area", ["findings", "baselines", "scans", "subscriptions", "notices", "rules", "access-review"]
)
async def test_odd_page_is_refused(admin: httpx.AsyncClient, area: str, query: str) -> None:
    check_problem(await admin.get(f"/api/{area}?{query}"), 422)


@pytest.mark.parametrize(
    "token", ["%00", "' or PartitionKey ne '", "%ED%A0%80", "x" * 3000, "%0d%0a"]
)
async def test_odd_place_in_the_list_of_tenants_is_refused(
    operator: Product, url: str, token: str
) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        client.headers["X-MS-CLIENT-PRINCIPAL"] = operator._client.headers["X-MS-CLIENT-PRINCIPAL"]
        check_problem(await client.get(f"/api/tenants?continuationToken={token}"), 422)


async def test_path_and_header_that_name_two_tenants_are_refused(
    operator: Product, admin: httpx.AsyncClient, url: str
) -> None:
    own = admin.headers["X-Tenant-Id"]
    headers = {"X-Tenant-Id": str(uuid.uuid4())}
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/suspend")):
        with pytest.raises(ProductError, match=r"422.*X-Tenant-Id"):
            await operator.request(method, f"/api/tenants/{own}{path}", headers=headers)
    found = await operator.request("GET", f"/api/tenants/{own}", headers={"X-Tenant-Id": own})
    assert found["status"] == "active"


async def test_row_of_another_tenant_in_a_partition_is_not_read(
    admin: httpx.AsyncClient, deployment: Deployment
) -> None:
    own = admin.headers["X-Tenant-Id"]
    rows = await deployment.tables.client("tenant")
    key = {"PartitionKey": own, "RowKey": "tenant"}
    await rows.update_entity(key | {"tenant_id": str(uuid.uuid4())})
    try:
        # Not an empty list of tenants either: that would look like the answer.
        check_problem(await admin.get("/api/me"), 503)
        check_problem(await admin.get("/api/findings"), 503)
    finally:
        await rows.update_entity(key | {"tenant_id": own})
    assert len((await admin.get("/api/me")).json()["tenants"]) == 1


SETTINGS = {"schedule": ""}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"a":' * 20_000,
        b"\xff\xfe{}",
        b'{"schedule": "\\ud800"}',
        b'{"schedule": "", "tenantId": "x"}',
        b'{"schedule": "", "tenant_id": "x"}',
        b'{"schedule": "", "PartitionKey": "x"}',
        b'{"schedule": "", "etag": "x"}',
        b'{"schedule": "", "odata.type": "x"}',
        b'{"retention": {"scans": NaN}}',
        b'{"retention": {"scans": 1e999}}',
        b'{"retention": {"scans": 99999999999999999999999}}',
        b'{"scope": {"includeGroups": ["a/b"]}}',
        b'{"scope": {"includeGroups": ["\\ud83d"]}}',
        b"null",
        b"[]",
        b'"x"',
    ],
)
async def test_odd_body_changes_nothing(admin: httpx.AsyncClient, body: bytes) -> None:
    before = await admin.get("/api/settings")
    headers = {"If-Match": before.headers["ETag"], "Content-Type": "application/json"}
    check_problem(await admin.put("/api/settings", content=body, headers=headers), 400, 422)
    after = await admin.get("/api/settings")
    assert (after.json(), after.headers["ETag"]) == (before.json(), before.headers["ETag"])


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
async def test_body_of_another_kind_is_refused(admin: httpx.AsyncClient, kind: str) -> None:
    before = await admin.get("/api/settings")
    headers = {"If-Match": before.headers["ETag"], "Content-Type": kind}
    check_problem(
        await admin.put("/api/settings", content=b'{"schedule":""}', headers=headers), 422
    )


@pytest.mark.parametrize(
    "etag", ["garbage", '"garbage"', "W/\"datetime'x'\"", "W/*", "é", "x" * 5000, '"a", "b"']
)
async def test_odd_etag_is_stale(admin: httpx.AsyncClient, etag: str) -> None:
    headers = [*admin.headers.items(), (b"If-Match", etag.encode())]
    async with httpx.AsyncClient(base_url=admin.base_url) as client:
        check_problem(await client.put("/api/settings", json=SETTINGS, headers=headers), 412, 422)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PROPFIND"])
async def test_other_methods_do_nothing(admin: httpx.AsyncClient, method: str) -> None:
    answer = await admin.request(method, "/api/scans")
    assert answer.status_code == 405
    override = {"X-HTTP-Method-Override": "POST"}
    assert (await admin.get("/api/scans", headers=override)).json() == {"value": []}


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/rules", "GET, POST"),
        ("/api/rules/0123", "DELETE, GET, PATCH"),
        ("/api/users/app-roles", "GET, PUT"),
        ("/api/subscriptions/refresh", "POST"),
        ("/api/openapi.json", "GET, HEAD"),
    ],
)
async def test_method_that_a_path_does_not_know_is_told_those_it_knows(
    admin: httpx.AsyncClient, path: str, allowed: str
) -> None:
    for method in {"OPTIONS", "DELETE", "PATCH"} - set(allowed.split(", ")):
        answer = await admin.request(method, path)
        check_problem(answer, 405)
        assert ", ".join(sorted(answer.headers["Allow"].split(", "))) == allowed


@pytest.mark.parametrize("when", ["0.5", "1700000000", "-1", "2026-11-23", "now", "1e9"])
async def test_time_is_written_out(admin: httpx.AsyncClient, when: str) -> None:
    check_problem(await admin.get(f"/api/findings?since={when}"), 422)
    check_problem(await admin.get(f"/api/audit?to={when}"), 422)
    body = {"name": "Olga", "role": "viewer", "expiresAt": when}
    check_problem(await admin.post("/api/invitations", json=body), 422)
    check_problem(await admin.post("/api/invitations", json=body | {"expiresAt": 1e9}), 422)


@pytest.mark.parametrize("value", [0, 1, "true", "1", None, []])
async def test_yes_and_no_are_no_numbers_or_words(admin: httpx.AsyncClient, value: Any) -> None:
    check_problem(await allow_roles(admin, value), 422)
    assert (await admin.get("/api/users/app-roles")).json() == {"allowed": False}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_change_from_a_foreign_page_is_refused(admin: httpx.AsyncClient, method: str) -> None:
    principal = {"X-MS-CLIENT-PRINCIPAL": admin.headers["X-MS-CLIENT-PRINCIPAL"]}
    async with httpx.AsyncClient(base_url=admin.base_url, headers=principal) as client:
        for path in (
            "/api/scans",
            "/api/settings",
            "/api/connection",
            "/api/subscriptions/refresh",
        ):
            answer = await client.request(method, path, headers={"Origin": "https://evil.example"})
            assert answer.status_code in {403, 405}


async def test_body_over_the_limit_is_refused(admin: httpx.AsyncClient) -> None:
    body = b'{"source":"upload","name":"' + b"x" * 9_000_000 + b'"}'
    headers = {"Content-Type": "application/json"}
    check_problem(await admin.post("/api/baselines", content=body, headers=headers), 413)


async def test_every_answer_forbids_what_a_browser_should_not_do(admin: httpx.AsyncClient) -> None:
    for path in ("/api/findings", "/api/nothing", "/healthz", "/api/openapi.json"):
        answer = await admin.get(path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["x-ms-request-id"]
