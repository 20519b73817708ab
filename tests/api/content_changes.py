"""Calls of every route that changes what a tenant has: settings, connection, baselines, findings, rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx

from tests.api.desk import Desk, Told, calls, own
from tests.api.seeds import seed_findings, seed_jobs


async def change_settings(desk: Desk, **members: Any) -> httpx.Response:
    read = await desk.admin.get("/api/settings")
    headers = {"If-Match": read.headers["ETag"]}
    return await desk.admin.put("/api/settings", json=read.json() | members, headers=headers)


@calls("PUT", "/api/settings")
async def _(desk: Desk) -> Told:
    return own(desk, "settings.change", await change_settings(desk, retention={"scans": 30}))


@calls("POST", "/api/settings/revert")
async def _(desk: Desk) -> Told:
    await change_settings(desk, retention={"scans": 30})
    first = (await desk.admin.get("/api/settings/history")).json()["value"][-1]["id"]
    headers = await desk.if_match("/api/settings")
    answer = await desk.admin.post("/api/settings/revert", json={"to": first}, headers=headers)
    return own(desk, "settings.revert", answer)


@calls("PUT", "/api/connection")
async def _(desk: Desk) -> Told:
    given = desk.uploader.organisation.tenant_body()["connection"]
    headers = await desk.if_match("/api/connection")
    answer = await desk.admin.put("/api/connection", json=given, headers=headers)
    return own(desk, "connection.set", answer)


@calls("DELETE", "/api/connection")
async def _(desk: Desk) -> Told:
    headers = await desk.if_match("/api/connection")
    answer = await desk.admin.delete("/api/connection", headers=headers)
    return own(desk, "connection.remove", answer)


@calls("POST", "/api/subscriptions/refresh")
async def _(desk: Desk) -> Told:
    return own(desk, "subscription.refresh", await desk.admin.post("/api/subscriptions/refresh"))


@calls("PATCH", "/api/subscriptions/{subscription_id}")
async def _(desk: Desk) -> Told:
    (listed,) = (await desk.admin.get("/api/subscriptions")).json()["value"]
    answer = await desk.admin.patch(
        f"/api/subscriptions/{listed['id']}",
        json={"monitored": False},
        headers={"If-Match": listed["etag"]},
    )
    return own(desk, "subscription.unmonitor", answer)


@calls("POST", "/api/baselines")
async def _(desk: Desk) -> Told:
    return own(desk, "baseline.add", await desk.uploader.post([desk.uploader.document("a")]))


@calls("DELETE", "/api/baselines/{baseline_id}")
async def _(desk: Desk) -> Told:
    made = await desk.uploader.make([desk.uploader.document("a")], activate=False)
    answer = await desk.admin.delete(f"/api/baselines/{made['id']}")
    return own(desk, "baseline.delete", answer)


@calls("POST", "/api/baselines/{baseline_id}/edit")
async def _(desk: Desk) -> Told:
    (first,) = (await desk.admin.get("/api/baselines")).json()["value"]
    answer = await desk.uploader.edit(first, resource=desk.uploader.document("b"))
    return own(desk, "baseline.add", answer)


@calls("POST", "/api/baselines/{baseline_id}/activate")
async def _(desk: Desk) -> Told:
    made = await desk.uploader.make([desk.uploader.document("a")], activate=False)
    answer = await desk.admin.post(f"/api/baselines/{made['id']}/activate")
    return own(desk, "baseline.activate", answer)


@calls("POST", "/api/approvals/four-eyes-off")
async def ask(desk: Desk) -> Told:
    await change_settings(desk, fourEyes=True)
    answer = await desk.admin.post("/api/approvals/four-eyes-off", json={"reason": "x"})
    return own(desk, "approval.request", answer)


async def decide(desk: Desk, client: httpx.AsyncClient, verb: str) -> Told:
    listed = (await desk.admin.get("/api/approvals?status=pending")).json()["value"]
    request = listed[0] if listed else (await ask(desk))[2].json()
    answer = await client.post(
        f"/api/approvals/{request['id']}/{verb}",
        json={"reason": "x"},
        headers={"If-Match": request["etag"]},
    )
    return own(desk, f"approval.{verb}", answer)


@calls("POST", "/api/approvals/{approval_id}/approve")
async def _(desk: Desk) -> Told:
    return await decide(desk, desk.bob, "approve")


@calls("POST", "/api/approvals/{approval_id}/reject")
async def _(desk: Desk) -> Told:
    return await decide(desk, desk.bob, "reject")


@calls("POST", "/api/approvals/{approval_id}/withdraw")
async def _(desk: Desk) -> Told:
    return await decide(desk, desk.admin, "withdraw")


@calls("POST", "/api/backups")
async def _(desk: Desk) -> Told:
    return own(desk, "backup.make", await desk.admin.post("/api/backups"))


@calls("POST", "/api/backups/{backup_id}/restore")
async def _(desk: Desk) -> Told:
    await seed_jobs(desk.deployment, desk.uploader.tenant_id)
    answer = await desk.admin.post("/api/backups/seed-0/restore", json={"dryRun": True})
    return own(desk, "backup.dryRun", answer)


@calls("POST", "/api/export")
async def _(desk: Desk) -> Told:
    return own(desk, "export.make", await desk.admin.post("/api/export"))


@calls("POST", "/api/scans")
async def _(desk: Desk) -> Told:
    return own(desk, "scan.start", await desk.admin.post("/api/scans"))


@calls("POST", "/api/scans/{scan_id}/cancel")
async def _(desk: Desk) -> Told:
    scan = await desk.make("/api/scans")
    answer = await desk.admin.post(f"/api/scans/{scan['id']}/cancel")
    return own(desk, "scan.cancel", answer)


async def judge(desk: Desk, verb: str, status: str) -> Told:
    tenant_id, subscription_id = desk.uploader.tenant_id, desk.uploader.subscription_id
    if not (await desk.admin.get("/api/findings")).json()["value"]:
        await seed_findings(desk.deployment, tenant_id, subscription_id, 3)
    wanted = "accepted" if verb == "reopen" else "open"
    finding = (await desk.admin.get(f"/api/findings?status={wanted}")).json()["value"][0]
    answer = await desk.admin.post(
        f"/api/findings/{finding['id']}/{verb}",
        json={"reason": "x"},
        headers={"If-Match": finding["etag"]},
    )
    return own(desk, f"finding.{status}", answer)


@calls("POST", "/api/findings/{finding_id}/acknowledge")
async def _(desk: Desk) -> Told:
    return await judge(desk, "acknowledge", "acknowledged")


@calls("POST", "/api/findings/{finding_id}/accept")
async def _(desk: Desk) -> Told:
    return await judge(desk, "accept", "accepted")


@calls("POST", "/api/findings/{finding_id}/ignore")
async def _(desk: Desk) -> Told:
    return await judge(desk, "ignore", "ignored")


@calls("POST", "/api/findings/{finding_id}/reopen")
async def _(desk: Desk) -> Told:
    return await judge(desk, "reopen", "reopened")


@calls("POST", "/api/findings/{finding_id}/comments")
async def _(desk: Desk) -> Told:
    finding = (await desk.admin.get("/api/findings")).json()["value"][0]
    answer = await desk.admin.post(f"/api/findings/{finding['id']}/comments", json={"text": "x"})
    return own(desk, "finding.comment", answer)


def rule(reason: str = "x") -> dict[str, Any]:
    expires = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    return {"action": "ignore", "reason": reason, "expiresAt": expires, "path": "/tags/a"}


@calls("POST", "/api/rules")
async def _(desk: Desk) -> Told:
    return own(desk, "rule.add", await desk.admin.post("/api/rules", json=rule()))


@calls("PATCH", "/api/rules/{rule_id}")
async def _(desk: Desk) -> Told:
    path = f"/api/rules/{(await desk.make('/api/rules', rule()))['id']}"
    headers = await desk.if_match(path)
    answer = await desk.admin.patch(path, json=rule("y"), headers=headers)
    return own(desk, "rule.change", answer)


@calls("DELETE", "/api/rules/{rule_id}")
async def _(desk: Desk) -> Told:
    path = f"/api/rules/{(await desk.make('/api/rules', rule()))['id']}"
    answer = await desk.admin.delete(path, headers=await desk.if_match(path))
    return own(desk, "rule.delete", answer)
