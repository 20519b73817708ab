"""The audit trail: everything that was changed, and who knocked at other tenants' doors."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx

from dev.demo.client import Product
from tests.api.members import add, body, give, take_out


async def actions(client: httpx.AsyncClient, query: str = "") -> list[str]:
    answer = await client.get(f"/api/audit{query}")
    assert answer.status_code == 200, answer.text
    return [entry["action"] for entry in answer.json()["value"]]


async def test_audit_trail_is_newest_first_filtered_and_paged(
    admin: httpx.AsyncClient, organisation: Any
) -> None:
    user = await add(admin, body(organisation))
    begun = datetime.now(UTC)
    changed = (await give(admin, user, "viewer")).json()
    await take_out(admin, changed)
    every = await actions(admin)
    assert every[:3] == ["user.remove", "user.role", "user.add"]
    assert await actions(admin, "?action=user.role") == ["user.role"]
    of_users = await actions(admin, "?action=user")
    assert of_users == ["user.remove", "user.role", "user.add", "user.add"]  # the first admin's
    assert await actions(admin, "?action=use") == []
    assert await actions(admin, f"?target={user['id']}&actor=nobody") == []
    moment = begun.isoformat().replace("+00:00", "Z")
    assert await actions(admin, f"?from={moment}") == ["user.remove", "user.role"]
    assert (await actions(admin, f"?to={moment}"))[0] == "user.add"
    page = (await admin.get("/api/audit?maxpagesize=1")).json()
    paged = [page["value"][0]["action"]]
    while "nextLink" in page:
        page = (await admin.get(page["nextLink"])).json()
        paged += [entry["action"] for entry in page["value"]]
    assert paged == every
    (role,) = (await admin.get("/api/audit?action=user.role")).json()["value"]
    assert role["detail"] == {"name": "Olga", "before": "operator", "after": "viewer"}
    assert role["actorName"] == "Ada"


async def test_denied_try_at_another_tenant_is_told_in_the_own_one_once_an_hour(
    admin: httpx.AsyncClient, operator: Product, new_organisation: Any
) -> None:
    other = await new_organisation()
    foreign = (await operator.request("POST", "/api/tenants", other.tenant_body()))["id"]
    for _ in range(3):
        answer = await admin.get("/api/settings", headers={"X-Tenant-Id": foreign})
        assert answer.status_code == 404
    for path in (f"/api/tenants/{foreign}", "/api/tenants/x", "/api/tenants"):
        assert (await admin.get(path)).status_code == 404
    (entry,) = (await admin.get("/api/audit?action=access.denied")).json()["value"]
    assert (entry["target"], entry["actorName"]) == (foreign, "Ada")
    there = await operator.request("GET", "/api/audit", headers={"X-Tenant-Id": foreign})
    assert "access.denied" not in [one["action"] for one in there["value"]]


async def test_audit_trail_has_scans_and_what_changed_in_settings(
    admin: httpx.AsyncClient, tenant_id: str
) -> None:
    scan = (await admin.post("/api/scans")).json()
    await admin.post(f"/api/scans/{scan['id']}/cancel")
    read = await admin.get("/api/settings")
    changed = read.json() | {"retention": {"scans": 30}, "schedule": "0 6 * * *"}
    headers = {"If-Match": read.headers["ETag"]}
    assert (await admin.put("/api/settings", json=changed, headers=headers)).status_code == 200
    entries = (await admin.get("/api/audit")).json()["value"]
    told = {entry["action"]: entry for entry in entries}
    assert (told["scan.start"]["target"], told["scan.cancel"]["target"]) == (scan["id"],) * 2
    assert told["settings.change"]["detail"] == {
        "retention": {
            "before": read.json()["retention"],
            "after": read.json()["retention"] | {"scans": 30},
        },
        "schedule": {"before": read.json()["schedule"], "after": "0 6 * * *"},
    }


async def test_try_at_a_platform_route_of_another_tenant_is_told(
    admin: httpx.AsyncClient, operator: Product, new_organisation: Any
) -> None:
    other = await new_organisation()
    foreign = (await operator.request("POST", "/api/tenants", other.tenant_body()))["id"]
    assert (
        await admin.delete(f"/api/tenants/{foreign}", headers={"X-Requested-With": "t"})
    ).status_code == 404
    (entry,) = (await admin.get("/api/audit?action=access")).json()["value"]
    assert (entry["action"], entry["target"]) == ("access.denied", foreign)
