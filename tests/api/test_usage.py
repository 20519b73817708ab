"""GET /api/usage and quotas by HTTP: whose numbers, of which days, and who may set what."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest

from dev.demo.client import Product, ProductError
from tenancy.access import serve
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tenancy.store import Table

TODAY = datetime.now(UTC).date()


async def count(deployment: Deployment, tenant_id: str, day: date, **values: int) -> None:
    context = await serve(deployment, TenantId(tenant_id))
    await context.store.put(Table.USAGE, f"day.{day.isoformat()}.test", values)


def days_ago(number: int) -> date:
    return TODAY - timedelta(days=number)


async def test_days_and_their_sum(
    admin: httpx.AsyncClient, tenant_id: str, deployment: Deployment
) -> None:
    await count(deployment, tenant_id, days_ago(40), scans=100)
    await count(deployment, tenant_id, days_ago(3), scans=2, arm_calls=5, resources=30)
    await count(deployment, tenant_id, days_ago(1), scans=3, resources=20, stored_bytes=9_000)
    answer = (await admin.get("/api/usage")).json()
    assert [(day["day"], day["scans"]) for day in answer["value"]] == [
        (days_ago(3).isoformat(), 2),
        (days_ago(1).isoformat(), 3),
    ]
    assert answer["sum"] == {
        "scans": 5,
        "apiCalls": 0,
        "graphCalls": 0,
        "armCalls": 5,
        "notices": 0,
        "resources": 30,
        "storedBytes": 9_000,
    }
    assert answer["quotas"] == [
        {"name": "resources", "limit": None, "used": 20},
        {"name": "scansADay", "limit": None, "used": 0},
        {"name": "storedBytes", "limit": None, "used": 9_000},
    ]


async def test_period_is_chosen(
    admin: httpx.AsyncClient, tenant_id: str, deployment: Deployment
) -> None:
    for number in (5, 4, 3):
        await count(deployment, tenant_id, days_ago(number), scans=number)
    asked = {"from": days_ago(4).isoformat(), "to": days_ago(4).isoformat()}
    answer = (await admin.get("/api/usage", params=asked)).json()
    assert [day["scans"] for day in answer["value"]] == [4]
    answer = (await admin.get("/api/usage", params={"to": days_ago(4).isoformat()})).json()
    assert [day["scans"] for day in answer["value"]] == [5, 4]


async def test_what_was_never_measured_is_not_said_to_be_nothing(
    operator: Product, admin: httpx.AsyncClient, tenant_id: str, deployment: Deployment
) -> None:
    """A day of calls alone, before the first scan ended and the first night measured."""
    await put_quotas(operator, tenant_id, {"storedBytes": 10, "resources": 10})
    await count(deployment, tenant_id, days_ago(1), arm_calls=5)
    answer = (await admin.get("/api/usage")).json()
    (mine,) = [one for one in await operator.every("/api/tenants/usage") if one["id"] == tenant_id]
    for used in (answer["value"][0], answer["sum"], mine["sum"]):
        assert (used["armCalls"], used["resources"], used["storedBytes"]) == (5, None, None)
    for quotas in (answer["quotas"], mine["quotas"]):
        assert {one["name"]: one["used"] for one in quotas} == {
            "resources": None,
            "scansADay": 0,
            "storedBytes": None,
        }
    await count(deployment, tenant_id, days_ago(0), resources=0)  # measured, and nothing there
    assert (await admin.get("/api/usage")).json()["sum"]["resources"] == 0


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"from": "2026-11-02", "to": "2026-11-01"}, "after the last"),
        ({"from": "2024-01-01", "to": "2026-01-01"}, "At most 366 days"),
        ({"from": "1700000000"}, "written like 2026-11-23"),
        ({"from": "2026-13-01"}, "month"),
    ],
)
async def test_period_that_is_none_is_refused(
    admin: httpx.AsyncClient, tenant_id: str, asked: dict[str, str], says: str
) -> None:
    refused = await admin.get("/api/usage", params=asked)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "from"
    assert says in refused.json()["detail"]


async def test_platform_sees_every_tenants_sums_and_enters_none(
    operator: Product, admin: httpx.AsyncClient, tenant_id: str, deployment: Deployment
) -> None:
    await count(deployment, tenant_id, days_ago(1), scans=3, resources=20)
    await put_quotas(operator, tenant_id, {"resources": 10})
    entries = await platform_entries(admin)
    every = await operator.every("/api/tenants/usage?maxpagesize=50")
    (mine,) = [one for one in every if one["id"] == tenant_id]
    assert (mine["status"], mine["sum"]["scans"]) == ("active", 3)
    assert mine["quotas"][0] == {"name": "resources", "limit": 10, "used": 20}
    assert await platform_entries(admin) == entries


async def platform_entries(admin: httpx.AsyncClient) -> list[str]:
    entries = (await admin.get("/api/audit?action=platform")).json()["value"]
    return [one["at"] for one in entries]


async def put_quotas(operator: Product, tenant_id: str, body: dict[str, Any]) -> dict[str, Any]:
    path = f"/api/tenants/{tenant_id}/quotas"
    etag = (await operator._client.get(path)).headers["ETag"]
    return await operator.request("PUT", path, body, headers={"If-Match": etag})


async def test_quotas_are_set_whole_and_told(
    operator: Product, admin: httpx.AsyncClient, tenant_id: str
) -> None:
    assert await put_quotas(operator, tenant_id, {"resources": 10, "scansADay": 0}) == {
        "resources": 10,
        "scansADay": 0,
    }
    set_again = await put_quotas(operator, tenant_id, {"storedBytes": 5_000_000_000})
    assert set_again == {"storedBytes": 5_000_000_000}
    assert await operator.request("GET", f"/api/tenants/{tenant_id}/quotas") == set_again
    newest, *_ = (await admin.get("/api/audit?action=tenant.quotas")).json()["value"]
    assert newest["actorName"] == "Pia"
    assert newest["detail"] == {
        "before": {"resources": 10, "scans_a_day": 0, "stored_bytes": None},
        "after": {"resources": None, "scans_a_day": None, "stored_bytes": 5_000_000_000},
    }
    shown = (await admin.get("/api/usage")).json()["quotas"]
    assert [one["limit"] for one in shown] == [None, None, 5_000_000_000]


async def test_quotas_that_somebody_changed_meanwhile_are_not_overwritten(
    operator: Product, tenant_id: str
) -> None:
    path = f"/api/tenants/{tenant_id}/quotas"
    etag = (await operator._client.get(path)).headers["ETag"]
    await operator.request("PUT", path, {"resources": 1}, headers={"If-Match": etag})
    with pytest.raises(ProductError, match="412"):
        await operator.request("PUT", path, {"resources": 2}, headers={"If-Match": etag})
    with pytest.raises(ProductError, match="428"):
        await operator.request("PUT", path, {"resources": 2})


@pytest.mark.parametrize(
    "body", [{"resources": -1}, {"scans": 3}, {"storedBytes": 2**53}, {"resources": None}]
)
async def test_quota_that_is_none_is_refused(
    operator: Product, tenant_id: str, body: dict[str, int | None]
) -> None:
    with pytest.raises(ProductError, match="422"):
        await put_quotas(operator, tenant_id, body)


async def test_tenant_keeps_its_quotas_when_it_is_suspended_and_renamed(
    operator: Product, tenant_id: str
) -> None:
    given = await put_quotas(operator, tenant_id, {"resources": 7})
    await operator.request("POST", f"/api/tenants/{tenant_id}/suspend")
    await operator.request("POST", f"/api/tenants/{tenant_id}/resume")
    assert await operator.request("GET", f"/api/tenants/{tenant_id}/quotas") == given


async def test_calls_are_counted(
    admin: httpx.AsyncClient, tenant_id: str, deployment: Deployment
) -> None:
    for _ in range(3):
        await admin.get("/api/settings")
    context = await serve(deployment, TenantId(tenant_id))
    await deployment.usage.write(context.store)
    answer = (await admin.get("/api/usage")).json()
    assert answer["sum"]["apiCalls"] == 3
