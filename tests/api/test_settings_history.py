"""The history of settings: who changed what and when, and the way back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest

from dev.demo.client import Product, principal_header
from drift.preferences import CHANGE, ROW
from tenancy.access import serve
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tenancy.store import Table
from tests.api.members import Sign, add, body

STARTED = {"schedule": ""}  # as tests/conftest.py provisions


async def change(client: httpx.AsyncClient, **members: Any) -> dict[str, Any]:
    read = await client.get("/api/settings")
    saved = await client.put(
        "/api/settings", json=read.json() | members, headers={"If-Match": read.headers["ETag"]}
    )
    assert saved.status_code == 200, saved.text
    return dict(saved.json())


async def revert(client: httpx.AsyncClient, to: str, etag: str = "") -> httpx.Response:
    etag = etag or (await client.get("/api/settings")).headers["ETag"]
    return await client.post("/api/settings/revert", json={"to": to}, headers={"If-Match": etag})


async def history(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    return list((await client.get("/api/settings/history")).json()["value"])


async def test_history_says_who_when_and_what(admin: httpx.AsyncClient) -> None:
    before = (await admin.get("/api/settings")).json()
    await change(admin, retention={"scans": 30}, notify=["critical"])
    after = (await admin.get("/api/settings")).json()
    newest, oldest = await history(admin)
    assert (newest["actorName"], newest["action"], newest["changed"]) == (
        "Ada",
        "change",
        ["notify", "retention"],
    )
    assert (newest["before"], newest["after"]) == (before, after)
    assert datetime.now(UTC) - datetime.fromisoformat(newest["at"]) < timedelta(minutes=1)
    assert (oldest["actorName"], oldest["action"], oldest["before"]) == ("Pia", "start", None)
    assert (oldest["after"], newest["revertedTo"]) == (before, None)


async def test_history_comes_newest_first_page_by_page(admin: httpx.AsyncClient) -> None:
    for days in range(10, 15):
        await change(admin, retention={"scans": days})
    found: list[int] = []
    link = "/api/settings/history?maxpagesize=2"
    while link:
        page = (await admin.get(link)).json()
        assert len(page["value"]) <= 2
        found += [one["after"]["retention"]["scans"] for one in page["value"]]
        link = page.get("nextLink", "")
    assert found == [14, 13, 12, 11, 10, 180]


async def test_revert_brings_back_what_was_and_can_be_reverted(admin: httpx.AsyncClient) -> None:
    scope = {
        "includeTypes": [],
        "excludeTypes": ["Microsoft.Storage/storageAccounts"],
        "includeGroups": [],
        "excludeGroups": ["rg"],
    }
    first = await change(admin, scope=scope, schedule="0 6 * * *")
    second = await change(admin, retention={"scans": 30})
    changed, with_scope, _ = await history(admin)
    back = await revert(admin, with_scope["id"])
    assert (back.status_code, back.json()) == (200, first)
    read = await admin.get("/api/settings")
    assert (read.json(), read.headers["ETag"]) == (first, back.headers["ETag"])
    newest = (await history(admin))[0]
    assert (newest["action"], newest["revertedTo"]) == ("revert", with_scope["id"])
    assert (newest["before"], newest["after"]) == (second, first)
    assert (await revert(admin, changed["id"])).json() == second
    assert len(await history(admin)) == 5
    trail = (await admin.get("/api/audit?action=settings")).json()["value"]
    assert [one["action"].partition(".")[2] for one in trail] == [
        "revert",
        "revert",
        "change",
        "change",
        "start",
    ]
    assert trail[1]["detail"] == {
        "retention": {"before": second["retention"], "after": first["retention"]},
        "revertedTo": with_scope["id"],
    }


async def test_schedule_follows_a_revert(
    admin: httpx.AsyncClient, operator: Product, tenant_id: str
) -> None:
    await change(admin, schedule="0 6 * * *")
    path = f"/api/tenants/{tenant_id}"
    assert (await operator.request("GET", path))["nextScanAt"] is not None
    start = (await history(admin))[-1]
    assert (await revert(admin, start["id"])).json()["schedule"] == STARTED["schedule"]
    assert (await operator.request("GET", path))["nextScanAt"] is None


async def test_revert_needs_the_etag_of_what_was_read(admin: httpx.AsyncClient) -> None:
    etag = (await admin.get("/api/settings")).headers["ETag"]
    await change(admin, retention={"scans": 30})
    start = (await history(admin))[-1]["id"]
    missing = await admin.post("/api/settings/revert", json={"to": start})
    assert (missing.status_code, missing.json()["code"]) == (428, "precondition-required")
    stale = await revert(admin, start, etag)
    assert (stale.status_code, stale.json()["code"]) == (412, "stale")
    assert (await admin.get("/api/settings")).json()["retention"]["scans"] == 30
    assert (await revert(admin, "0123456789012345.beef")).status_code == 404
    assert (await revert(admin, "../settings")).status_code == 422


async def test_same_settings_are_no_change(admin: httpx.AsyncClient) -> None:
    etag = (await admin.get("/api/settings")).headers["ETag"]
    await change(admin)
    assert (await admin.get("/api/settings")).headers["ETag"] == etag
    assert [one["action"] for one in await history(admin)] == ["start"]


async def test_of_two_changes_at_once_one_counts_and_is_told(admin: httpx.AsyncClient) -> None:
    read = await admin.get("/api/settings")
    headers = {"If-Match": read.headers["ETag"]}
    puts = [
        admin.put(
            "/api/settings", json=read.json() | {"retention": {"scans": days}}, headers=headers
        )
        for days in (10, 20, 30)
    ]
    statuses = [answer.status_code for answer in await asyncio.gather(*puts)]
    assert sorted(statuses) == [200, 412, 412]
    newest, start = await history(admin)
    assert newest["after"] == (await admin.get("/api/settings")).json()
    assert start["action"] == "start"


async def test_change_and_history_are_one_transaction(
    admin: httpx.AsyncClient, deployment: Deployment, tenant_id: str, monkeypatch: Any
) -> None:
    """The row of the history is in the way: then the settings stay as well."""
    store = (await serve(deployment, TenantId(tenant_id))).store
    monkeypatch.setattr("drift.tenant_settings.newest_first", lambda _: "0000000000000001")
    monkeypatch.setattr("drift.tenant_settings.secrets.token_hex", lambda _: "feed")
    await store.insert(Table.SETTINGS, f"{CHANGE}0000000000000001.feed", {})
    before = await store.get(Table.SETTINGS, ROW)
    read = await admin.get("/api/settings")
    refused = await admin.put(
        "/api/settings",
        json=read.json() | {"retention": {"scans": 30}},
        headers={"If-Match": read.headers["ETag"]},
    )
    assert refused.status_code == 412
    assert await store.get(Table.SETTINGS, ROW) == before


async def test_largest_settings_fit_their_rows(admin: httpx.AsyncClient) -> None:
    names = [f"Microsoft.{'x' * 90}/{number:03}{'y' * 96}" for number in range(200)]
    groups = [f"{number:03}{'g' * 87}" for number in range(200)]
    scope = {
        "includeTypes": names,
        "excludeTypes": names,
        "includeGroups": groups,
        "excludeGroups": groups,
    }
    await change(admin, scope=scope)
    await change(admin, scope=scope, retention={"scans": 30})
    newest, former, _ = await history(admin)
    assert newest["before"]["scope"] == former["after"]["scope"] == scope
    too_long = {"includeTypes": ["Microsoft.X/" + "y" * 100 + "/" + "z" * 100]}
    etag = (await admin.get("/api/settings")).headers["ETag"]
    refused = await admin.put("/api/settings", json={"scope": too_long}, headers={"If-Match": etag})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "scope.includeTypes.0"


async def test_viewer_reads_the_history_and_reverts_nothing(
    admin: httpx.AsyncClient, sign_in: Sign, organisation: Any
) -> None:
    given = body(organisation, role="viewer")
    await add(admin, given)
    viewer = sign_in(principal_header(given["directoryId"], given["objectId"], "Vi"))
    (start,) = await history(viewer)
    assert (await revert(viewer, start["id"])).status_code == 403


@pytest.mark.parametrize("wrong", [{}, {"to": ""}, {"to": "x" * 200}, {"to": "a", "and": "b"}])
async def test_bad_revert_names_the_field(admin: httpx.AsyncClient, wrong: Any) -> None:
    etag = (await admin.get("/api/settings")).headers["ETag"]
    answer = await admin.post("/api/settings/revert", json=wrong, headers={"If-Match": etag})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] in {"to", "and"}
