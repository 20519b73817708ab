"""Tenant rules through the product: what they hide stays visible, hits are counted, and nothing is hidden for ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from dev.demo.client import ProductError
from drift.archive import load_snapshot, save_snapshot
from drift.baselines import get_baseline
from drift.engine.canonical import NORMALISER_VERSION
from drift.engine.index import SnapshotIndex
from tenancy.access import TenantContext, serve

TLS = "/properties/minimumTlsVersion"


def rule(**members: Any) -> dict[str, Any]:
    body = {
        "action": "ignore",
        "reason": "the old printers need it",
        "expiresAt": (datetime.now(UTC) + timedelta(days=30)).isoformat(),
        "path": TLS,
    }
    return body | members


async def lower_tls(tenant: Any, name: str = "alpha") -> None:
    await tenant.azure.edit(tenant.account(name)["id"], set={TLS: "TLS1_0"})


async def test_rule_hides_before_anything_is_told(tenant: Any) -> None:
    made = await tenant.api.request("POST", "/api/rules", rule())
    assert (made["hitCount"], made["inForce"], made["author"]) == (0, True, "Ada")
    await lower_tls(tenant)
    part = await tenant.part()
    assert part["findings"] == 0
    finding = await tenant.finding()
    assert (finding["status"], finding["ignoredBy"]) == ("ignored", made["id"])
    assert [change["path"] for change in finding["changes"]] == [TLS]
    assert await tenant.notices() == []
    (read,) = (await tenant.api.request("GET", "/api/rules"))["value"]
    assert read["hitCount"] == 1
    assert read["lastHitAt"] is not None


async def test_new_rule_reaches_what_was_found_before_it(tenant: Any, written: Any) -> None:
    await lower_tls(tenant)
    await tenant.scan()
    assert (await tenant.finding())["status"] == "open"
    made = await tenant.api.request("POST", "/api/rules", rule())
    await tenant.scan()
    assert (await tenant.finding())["status"] == "ignored"
    before = await tenant.etags()
    await tenant.scan()
    rows = written(before, await tenant.etags())
    assert {table for table, _ in rows} == {"audit", "configuration", "scan", "subscription"}
    path = f"/api/rules/{made['id']}"
    await tenant.api.request("DELETE", path, headers=await tenant.if_match(path))
    await tenant.scan()
    assert (await tenant.finding())["status"] == "reopened"


async def test_rule_hides_some_changes_and_the_rest_decides(tenant: Any) -> None:
    await tenant.api.request("POST", "/api/rules", rule())
    await tenant.azure.edit(
        tenant.account("alpha")["id"], set={TLS: "TLS1_0", "/sku/name": "Standard_GRS"}
    )
    await tenant.scan()
    finding = await tenant.finding()
    assert finding["status"] == "open"
    assert [change["path"] for change in finding["changes"]] == ["/sku/name"]
    assert [change["path"] for change in finding["ignoredChanges"]] == [TLS]


async def test_rule_sets_severity_for_an_actor(tenant: Any) -> None:
    body = rule(action="severity", severity="low", path="", actor="deployer@*")
    await tenant.api.request("POST", "/api/rules", body)
    await tenant.azure.edit(
        tenant.account("alpha")["id"],
        set={TLS: "TLS1_0"},
        actor={"changedBy": "deployer@contoso.example", "changedByType": "User"},
    )
    await tenant.scan()
    assert (await tenant.finding())["severity"] == "low"


async def test_path_that_changes_in_most_scans_is_proposed(tenant: Any) -> None:
    for number in range(5):
        await tenant.azure.edit(
            tenant.account("alpha")["id"], set={"/tags/build": str(number)}, silent=True
        )
        await tenant.scan()
    (found,) = (await tenant.api.request("GET", "/api/rules/proposals"))["value"]
    assert found["path"] == "/tags/build"
    assert found["resourceId"] == tenant.account("alpha")["id"]
    assert found["changed"] > found["scans"] / 2
    assert f"Changed in {found['changed']} of {found['scans']} scans" in found["reason"]
    finding = await tenant.finding()
    detail = await tenant.api.request("GET", f"/api/findings/{finding['id']}")
    (marked,) = detail["flapping"]
    assert (marked["path"], marked["evidence"]) == ("/tags/build", found["reason"])
    assert {name: detail[name] for name in finding if name != "nextLink"} == finding
    body = {"action": "ignore"} | {
        name: found[name] for name in ("path", "resourceType", "resourceId", "reason", "expiresAt")
    }
    await tenant.api.request("POST", "/api/rules", body)
    await tenant.scan()
    assert (await tenant.finding())["status"] == "ignored"


async def test_preview_says_what_would_be_hidden_and_stores_nothing(tenant: Any) -> None:
    await lower_tls(tenant)
    await tenant.scan()
    finding = await tenant.finding()
    shown = await tenant.api.request("POST", "/api/rules/preview", rule())
    assert shown["days"] == 30
    assert [item["id"] for item in shown["value"]] == [finding["id"]]
    other = await tenant.api.request("POST", "/api/rules/preview", rule(path="/tags/*"))
    assert other["value"] == []
    assert (await tenant.api.request("GET", "/api/rules"))["value"] == []


async def test_edit_needs_the_etag_and_keeps_the_hits(tenant: Any) -> None:
    made = await tenant.api.request("POST", "/api/rules", rule())
    await lower_tls(tenant)
    await tenant.scan()
    path = f"/api/rules/{made['id']}"
    with pytest.raises(ProductError, match="428"):
        await tenant.api.request("PATCH", path, rule(reason="other"))
    with pytest.raises(ProductError, match="412"):
        await tenant.api.request(
            "PATCH", path, rule(reason="other"), headers={"If-Match": made["etag"]}
        )
    now = await tenant.api.request("GET", path)
    edited = await tenant.api.request(
        "PATCH", path, rule(reason="other"), headers={"If-Match": now["etag"]}
    )
    assert (edited["reason"], edited["hitCount"]) == ("other", 1)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reason": ""}, "reason"),
        ({"reason": "   "}, "reason"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "2030-01-01T00:00:00"}, "expiresAt"),
        ({"path": ""}, "path"),
        ({"path": "/**"}, "path"),
        ({"action": "severity"}, "severity"),
        ({"severity": "low"}, "severity"),
        ({"id": "mine"}, "id"),
    ],
)
async def test_bad_rule_names_the_field(tenant: Any, change: dict[str, Any], field: str) -> None:
    with pytest.raises(ProductError, match=rf"422.*{field}"):
        await tenant.api.request("POST", "/api/rules", rule(**change))
    assert (await tenant.api.request("GET", "/api/rules"))["value"] == []


async def test_baseline_of_an_older_normaliser_is_made_anew(tenant: Any) -> None:
    """Its canonical forms would differ from today's by what the facts have learned since, which is no drift."""
    context = await _context(tenant)
    (baseline,) = await tenant.api.every("/api/baselines")
    await _age(context, baseline["id"])
    await lower_tls(tenant)
    part = await tenant.part()
    assert (part["status"], part["findings"]) == ("complete", 1)
    assert (await _index(context, baseline["id"])).stamp.normaliser_version == NORMALISER_VERSION


async def _context(tenant: Any) -> TenantContext:
    return await serve(tenant.host.deployment, tenant.tenant_id)


async def _index(context: TenantContext, baseline_id: str) -> SnapshotIndex:
    baseline = await get_baseline(context.store, baseline_id)
    return await load_snapshot(context.store, baseline.snapshot_id)


async def _age(context: TenantContext, baseline_id: str) -> None:
    index = await _index(context, baseline_id)
    old = msgspec.structs.replace(index.stamp, normaliser_version=NORMALISER_VERSION - 1)
    await save_snapshot(context.store, replace(index, stamp=old), built_on=None)
