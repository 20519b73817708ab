"""Settings by HTTP: what bad input gets, and that nobody overwrites what they have not seen."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx
import pytest

from dev.demo.client import Product, principal_header

OTHER = "33333333-3333-4333-8333-333333333333"


@pytest.fixture
async def admin(operator: Product, url: str, new_organisation: Any) -> Any:
    """A plain HTTP client of a new tenant's admin: these tests look at statuses and headers."""
    organisation = await new_organisation()
    tenant = await operator.request("POST", "/api/tenants", organisation.tenant_body())
    headers = {"X-MS-CLIENT-PRINCIPAL": organisation.admin_header, "X-Tenant-Id": tenant["id"]}
    async with httpx.AsyncClient(base_url=url, headers=headers) as client:
        yield client


async def test_change_needs_the_etag_of_what_was_read(admin: httpx.AsyncClient) -> None:
    read = await admin.get("/api/settings")
    assert read.json()["notify"] == ["critical", "high"]
    body = {"schedule": "0 6 * * *", "retention": {"scans": 30}}
    missing = await admin.put("/api/settings", json=body)
    assert (missing.status_code, missing.json()["code"]) == (428, "precondition-required")
    star = await admin.put("/api/settings", json=body, headers={"If-Match": "*"})
    assert star.status_code == 428
    saved = await admin.put("/api/settings", json=body, headers={"If-Match": read.headers["ETag"]})
    assert saved.status_code == 200
    assert saved.headers["ETag"] != read.headers["ETag"]
    stale = await admin.put("/api/settings", json=body, headers={"If-Match": read.headers["ETag"]})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale")
    again = await admin.get("/api/settings")
    assert (again.json()["schedule"], again.json()["retention"]["scans"]) == ("0 6 * * *", 30)
    assert again.headers["ETag"] == saved.headers["ETag"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"schedule": "hourly"}, "schedule"),
        ({"schedule": "* * * * *"}, "schedule"),
        ({"schedule": "0 0 * * * *"}, "schedule"),
        ({"retention": {"scans": 6}}, "retention.scans"),
        ({"retention": {"audit": 364}}, "retention.audit"),
        ({"retention": {"history": 3651}}, "retention.history"),
        ({"retention": {"findings": "90"}}, "retention.findings"),
        ({"retention": {"packs": 90}}, "retention.packs"),
        ({"retentionDays": 30}, "retentionDays"),
        ({"notify": ["loud"]}, "notify"),
        ({"scope": {"excludeTypes": ["no-type"]}}, "scope.excludeTypes"),
        ({"colour": "blue"}, "colour"),
        ({"Schedule": ""}, "Schedule"),
        ([], "body"),
    ],
)
async def test_bad_settings_name_the_field(admin: httpx.AsyncClient, body: Any, field: str) -> None:
    etag = (await admin.get("/api/settings")).headers["ETag"]
    answer = await admin.put("/api/settings", json=body, headers={"If-Match": etag})
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert field in str(answer.json()["errors"])
    assert (await admin.get("/api/settings")).headers["ETag"] == etag


async def test_broken_json_is_400(admin: httpx.AsyncClient) -> None:
    headers = {"If-Match": "x", "Content-Type": "application/json"}
    answer = await admin.put("/api/settings", content=b'{"schedule":', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


async def test_body_over_the_limit_is_413(admin: httpx.AsyncClient) -> None:
    answer = await admin.put("/api/settings", content=b"x" * (8 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


async def test_change_without_a_header_that_forms_cannot_send(admin: httpx.AsyncClient) -> None:
    del admin.headers["X-Tenant-Id"]
    answer = await admin.put("/api/settings", json={})
    assert answer.status_code == 403
    assert "X-Requested-With" in answer.json()["detail"]


@pytest.mark.parametrize("tenant", [OTHER, "x", "*", "", OTHER.upper(), "{" + OTHER + "}"])
async def test_foreign_or_odd_tenant(admin: httpx.AsyncClient, tenant: str) -> None:
    answer = await admin.get("/api/settings", headers={"X-Tenant-Id": tenant})
    assert answer.status_code in {404, 422}
    assert "schedule" not in answer.json()


async def test_two_tenant_headers(admin: httpx.AsyncClient) -> None:
    own = admin.headers["X-Tenant-Id"]
    headers = [("X-Tenant-Id", own), ("X-Tenant-Id", OTHER)]
    del admin.headers["X-Tenant-Id"]
    answer = await admin.get("/api/settings", headers=headers)
    assert answer.status_code == 422
    assert "once" in answer.json()["detail"]


async def test_nobody_signed_in(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.get("/api/settings")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_stranger_is_told_nothing(admin: httpx.AsyncClient) -> None:
    header = principal_header(OTHER, OTHER, "Eve")
    foreign = await admin.get("/api/settings", headers={"X-MS-CLIENT-PRINCIPAL": header})
    absent = await admin.get(
        "/api/settings", headers={"X-MS-CLIENT-PRINCIPAL": header, "X-Tenant-Id": OTHER}
    )
    assert foreign.status_code == absent.status_code == 404
    assert foreign.json() == absent.json()


async def test_every_answer_has_an_id_and_security_headers(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.get("/healthz")
        missing = await client.get("/nothing/here")
    for one in (answer, missing):
        assert one.headers["x-ms-request-id"]
        assert one.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'self'" in one.headers["Content-Security-Policy"]
    assert answer.json()["status"] == "ok"
    assert (missing.status_code, missing.json()["code"]) == (404, "not-found")
