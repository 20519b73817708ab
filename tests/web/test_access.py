"""Who gets which page. The cases are made from the app's own routes: a new page is covered on the day it is written."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import pytest
from fastapi.routing import APIRoute

from dev.demo.client import Product, principal_header
from tests.drift.watched import Watched
from tests.web.operators import operator_header
from web.pages import PAGES

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
ANYBODY = {"/", "/switcher", "/static/{name}", "/development/sign-in"}
SIGNED_IN = {"/development/sign-out", "/invitations/accept"}
OWN = re.compile(r".*/findings/views")  # a viewer's own affair: what it wants to see again
ADMINS_ONLY = re.compile(r"/t/[^/]+/(users|audit)")
Route = tuple[str, str]


@pytest.fixture
def routes() -> list[Route]:
    found = [
        (method, route.path)
        for area in PAGES
        for route in area.router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    ]
    assert len(found) > 45
    return found


@pytest.fixture
def pages(routes: list[Route]) -> list[Route]:
    return [one for one in routes if one[1].startswith("/t/")]


def fill(path: str, tenant: Watched, tenant_id: str = "") -> str:
    ids = {
        "tenant_id": tenant_id or tenant.tenant_id,
        "finding_id": f"{tenant.subscription_id}.{uuid.uuid4().hex}",
        "subscription_id": tenant.subscription_id,
    }
    return re.sub(r"\{(\w+)\}", lambda name: ids.get(name[1], "ab" * 16), path)


@pytest.fixture
def client(url: str) -> Callable[[str], httpx.AsyncClient]:
    def make(header: str) -> httpx.AsyncClient:
        headers = {**FORM, "X-Requested-With": "test"}
        if header:
            headers["X-MS-CLIENT-PRINCIPAL"] = header
        return httpx.AsyncClient(base_url=url, headers=headers, timeout=30)

    return make


async def test_nobody_is_let_in_without_signing_in(
    client: Any, routes: list[Route], tenant: Watched
) -> None:
    async with client("") as nobody:
        for method, path in routes:
            if path not in ANYBODY:
                answer = await nobody.request(method, fill(path, tenant))
                assert (method, path, answer.status_code) == (method, path, 401)
                assert tenant.tenant_id not in answer.text


async def test_b18_a_stranger_gets_the_page_of_a_tenant_that_is_not_there(
    client: Any, pages: list[Route], tenant: Watched
) -> None:
    stranger = principal_header(str(uuid.uuid4()), str(uuid.uuid4()), "Eve")
    async with client(stranger) as eve:
        for method, path in pages:
            there = await eve.request(method, fill(path, tenant))
            nowhere = await eve.request(method, fill(path, tenant, str(uuid.uuid4())))
            assert (method, path, there.status_code) == (method, path, 404)
            assert there.text == nowhere.text


async def test_a_viewer_reads_and_changes_nothing(
    client: Any, pages: list[Route], drifted: Watched, header_of: Any
) -> None:
    before = await drifted.etags("finding", "rule", "baseline", "subscription", "settings", "scan")
    async with client(await header_of("viewer")) as viewer:
        for method, path in pages:
            answer = await viewer.request(method, fill(path, drifted))
            if OWN.match(path):
                assert answer.status_code in {200, 422}
            elif method == "POST" or ADMINS_ONLY.match(path) or path.endswith("/proposals"):
                assert (method, path, answer.status_code) == (method, path, 403)
            elif "{" not in path.removeprefix("/t/{tenant_id}"):
                assert (method, path, answer.status_code) == (method, path, 200)
    after = await drifted.etags("finding", "rule", "baseline", "subscription", "settings", "scan")
    assert after == before


async def test_an_operator_administers_nothing(
    client: Any, pages: list[Route], drifted: Watched, header_of: Any
) -> None:
    async with client(await header_of("operator")) as operator:
        for method, path in pages:
            administers = ADMINS_ONLY.match(path) or (method == "POST" and "/settings" in path)
            if administers:
                answer = await operator.request(method, fill(path, drifted))
                assert (method, path, answer.status_code) == (method, path, 403)


async def test_to_a_tenant_s_admin_the_platform_s_pages_are_not_there(
    client: Any, routes: list[Route], tenant: Watched
) -> None:
    async with client(tenant.organisation.admin_header) as admin:
        for method, path in routes:
            if path.startswith("/platform"):
                answer = await admin.request(method, fill(path, tenant))
                assert (method, path, answer.status_code) == (method, path, 404)


async def test_a_foreign_page_s_form_changes_nothing(
    url: str, routes: list[Route], tenant: Watched
) -> None:
    """A form of another site comes with the cookie at most, never with the header that our script sends."""
    headers = {**FORM, "X-MS-CLIENT-PRINCIPAL": tenant.organisation.admin_header}
    async with httpx.AsyncClient(base_url=url, headers=headers) as forged:
        for method, path in routes:
            if method == "POST":
                answer = await forged.post(fill(path, tenant), content="action=accept")
                assert (path, answer.status_code) == (path, 403)


async def test_tenant_of_path_and_header_must_agree(url: str, tenant: Watched) -> None:
    headers = {
        "X-MS-CLIENT-PRINCIPAL": tenant.organisation.admin_header,
        "X-Tenant-Id": str(uuid.uuid4()),
    }
    async with httpx.AsyncClient(base_url=url, headers=headers) as client:
        answer = await client.get(f"/t/{tenant.tenant_id}/")
    assert answer.status_code == 422


async def test_a_platform_operator_inside_is_told_so_and_noted(
    operator: Product, url: str, settings: Any, tenant: Watched
) -> None:
    pia = operator_header(settings)
    async with httpx.AsyncClient(base_url=url, headers={"X-MS-CLIENT-PRINCIPAL": pia}) as client:
        page = await client.get(f"/t/{tenant.tenant_id}/")
        listed = await client.get("/platform")
    assert "as platform operator" in page.text
    assert 'href="/platform">Leave' in page.text
    assert listed.status_code == 200
    entries = await tenant.api.every("/api/audit?action=platform")
    assert {"Pia"} <= {entry["actorName"] for entry in entries}
