"""Findings from scan to decision to scan: value-pinned, never overwritten unseen, within the scope."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from drift.upkeep import keep
from tenancy.access import serve
from tenancy.ids import TenantId

TLS = "/properties/minimumTlsVersion"


async def set_tls(tenant, version):
    await tenant.azure.edit(tenant.account("alpha")["id"], set={TLS: version})


@pytest.fixture
async def drifted(tenant):
    """One finding: TLS 1.2 became 1.0."""
    await set_tls(tenant, "TLS1_0")
    await tenant.scan()
    return tenant


async def status(tenant):
    return (await tenant.finding())["status"]


async def test_acceptance_covers_one_value(drifted):
    accepted = await drifted.decide(await drifted.finding(), "accept", reason="agreed with Ada")
    assert accepted["status"] == "accepted"
    part = await drifted.part()
    assert (part["changed"], part["findings"]) == (0, 0)
    assert await status(drifted) == "accepted"
    assert len(await drifted.notices()) == 1
    await set_tls(drifted, "TLS1_1")
    await drifted.scan()
    reopened = await drifted.finding()
    assert (reopened["status"], reopened["id"]) == ("reopened", accepted["id"])
    assert reopened["changes"][0]["after"] == "TLS1_1"
    assert len(await drifted.notices()) == 2
    await set_tls(drifted, "TLS1_2")
    await drifted.scan()
    assert await status(drifted) == "resolved"
    steps = [step["action"] for step in (await drifted.finding())["steps"]]
    assert steps == ["open", "accepted", "reopened", "resolved"]


async def test_accepted_value_that_comes_back_to_the_baseline_and_again(drifted):
    """A resolved finding forgets what was accepted: the same value later is drift again."""
    await drifted.decide(await drifted.finding(), "accept", reason="agreed")
    await set_tls(drifted, "TLS1_2")
    await drifted.scan()
    assert await status(drifted) == "resolved"
    await set_tls(drifted, "TLS1_0")
    await drifted.scan()
    assert await status(drifted) == "reopened"


async def test_acceptance_that_is_over_opens_again_by_the_sweep(drifted, deployment):
    now = datetime.now(UTC)
    until = now + timedelta(hours=1)
    finding = await drifted.finding()
    accepted = await drifted.decide(
        finding, "accept", reason="until the change", until=until.isoformat()
    )
    assert datetime.fromisoformat(accepted["acceptedUntil"]) == until
    context = await serve(deployment, TenantId(drifted.tenant_id))
    await keep(context, clock=lambda: until - timedelta(seconds=1))
    assert await status(drifted) == "accepted"
    await keep(context, clock=lambda: until)
    assert await status(drifted) == "reopened"
    await keep(context, clock=lambda: until + timedelta(days=1))
    assert await drifted.host.drain() == []
    told = [event for notice in await drifted.notices() for _, event in notice["events"]]
    assert sorted(told) == ["opened", "reopened"]


async def test_acceptance_in_the_past_is_refused(drifted):
    finding = await drifted.finding()
    answer = await drifted.http.post(
        f"/api/findings/{finding['id']}/accept",
        json={"reason": "late", "until": "2020-01-01T00:00:00Z"},
        headers={"If-Match": finding["etag"]},
    )
    assert answer.status_code == 422
    assert "until" in str(answer.json()["errors"])
    assert await status(drifted) == "open"


async def test_acknowledge_ignore_and_reopen(drifted):
    finding = await drifted.decide(await drifted.finding(), "acknowledge")
    assert finding["status"] == "acknowledged"
    assert (await drifted.part())["findings"] == 1
    finding = await drifted.decide(await drifted.finding(), "ignore", reason="a test machine")
    assert finding["status"] == "ignored"
    assert (await drifted.part())["findings"] == 0
    finding = await drifted.decide(await drifted.finding(), "reopen", reason="not that one")
    assert finding["status"] == "reopened"
    assert (await drifted.part())["findings"] == 1
    await drifted.decide(await drifted.finding(), "ignore", reason="again")
    await set_tls(drifted, "TLS1_1")
    await drifted.scan()
    assert await status(drifted) == "reopened"


async def test_decision_needs_the_version_that_was_read(drifted):
    finding = await drifted.finding()
    path = f"/api/findings/{finding['id']}/acknowledge"
    assert (await drifted.http.post(path, json={})).status_code == 428
    first = await drifted.http.post(path, json={}, headers={"If-Match": finding["etag"]})
    assert first.status_code == 200
    stale = await drifted.http.post(
        f"/api/findings/{finding['id']}/accept",
        json={"reason": "I did not see that"},
        headers={"If-Match": finding["etag"]},
    )
    assert (stale.status_code, stale.json()["code"]) == (412, "stale")
    assert await status(drifted) == "acknowledged"


async def test_decision_between_two_scans_is_not_overwritten(drifted):
    """The value is a new one, a person has just read the old one: the scan's write wins, the person's gets 412."""
    finding = await drifted.finding()
    await set_tls(drifted, "TLS1_1")
    await drifted.scan()
    answer = await drifted.http.post(
        f"/api/findings/{finding['id']}/accept",
        json={"reason": "TLS 1.0 is agreed"},
        headers={"If-Match": finding["etag"]},
    )
    assert answer.status_code == 412
    now = await drifted.finding()
    assert (now["status"], now["changes"][0]["after"]) == ("open", "TLS1_1")


async def test_unknown_finding_is_not_found(drifted):
    answer = await drifted.http.get(f"/api/findings/{drifted.subscription_id}.{'0' * 32}")
    assert answer.status_code == 404


async def test_excluded_type_is_not_reported(tenant):
    await tenant.change_settings(scope={"excludeTypes": ["Microsoft.Storage/StorageAccounts"]})
    await set_tls(tenant, "TLS1_0")
    await tenant.azure.edit(create=tenant.network("second"))
    part = await tenant.part()
    assert (part["resources"], part["changed"], part["findings"]) == (5, 2, 1)
    assert (await tenant.finding())["resourceId"] == tenant.network("second")["id"]


async def test_what_is_excluded_later_is_resolved_and_comes_back(drifted):
    for scope in (
        {"excludeTypes": ["microsoft.storage/storageaccounts"]},
        {"excludeGroups": ["SHOP"]},
        {"includeTypes": ["Microsoft.Network/virtualNetworks"]},
        {"includeGroups": ["another"]},
    ):
        await drifted.change_settings(scope=scope)
        assert (await drifted.part())["findings"] == 0, scope
        assert await status(drifted) == "resolved"
        await drifted.change_settings(scope={})
        assert (await drifted.part())["findings"] == 1, scope
        assert await status(drifted) == "reopened"


async def test_resource_that_is_made_again_is_resolved(tenant):
    network = tenant.network("net")
    await tenant.azure.edit(network["id"], delete=True)
    await tenant.scan()
    assert ((await tenant.finding())["change"], await status(tenant)) == ("removed", "open")
    await tenant.azure.edit(create=network)
    await tenant.scan()
    assert await status(tenant) == "resolved"
    await tenant.azure.edit(network["id"], delete=True)
    await tenant.azure.edit(create=tenant.network("net", prefix="10.0.9.0/24"))
    await tenant.scan()
    finding = await tenant.finding()
    assert (finding["change"], finding["status"]) == ("modified", "reopened")
    assert [change["path"] for change in finding["changes"]] == [
        "/properties/subnets/[name=web]/properties/addressPrefix"
    ]


async def test_findings_follow_the_active_baseline(drifted):
    (first,) = await drifted.api.every("/api/baselines")
    second = await drifted.capture(name="with TLS 1.0")
    assert (second["version"], second["active"]) == (2, True)
    await drifted.scan()
    assert await status(drifted) == "resolved"
    rolled_back = await drifted.api.request("POST", f"/api/baselines/{first['id']}/activate")
    assert rolled_back["active"] is True
    await drifted.scan()
    finding = await drifted.finding()
    assert (finding["status"], finding["baselineId"]) == ("reopened", first["id"])
    await set_tls(drifted, "TLS1_2")
    await drifted.api.request("POST", f"/api/baselines/{second['id']}/activate")
    await drifted.scan()
    finding = await drifted.finding()
    assert (finding["changes"][0]["before"], finding["changes"][0]["after"]) == (
        "TLS1_0",
        "TLS1_2",
    )


async def test_baseline_that_is_not_activated_changes_nothing(drifted):
    captured = await drifted.capture(activate=False)
    assert captured["active"] is False
    await drifted.scan()
    assert await status(drifted) == "open"
