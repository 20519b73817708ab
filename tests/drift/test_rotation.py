"""Secrets that nobody needs any more: when they are disabled and deleted, and what is never touched."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from drift import rotation
from drift.channels.rows import read_desk
from drift.rotation import GRACE, KEPT_DISABLED, ORPHANED, tidy_secrets
from drift.upkeep import keep
from errors import NotFound, Unavailable
from tenancy.access import serve
from tenancy.ids import TenantId

NOW = datetime.now(UTC)
SECOND = timedelta(seconds=5)


async def kept(tenant) -> dict[str, tuple[bool, bool]]:
    """The tenant's connection secrets: enabled, retired."""
    return {
        one.name: (one.enabled, one.retired_at is not None)
        for one in await tenant.host.deployment.vault.kept()
        if one.tenant_id == tenant.tenant_id and one.purpose == "connection"
    }


async def current(tenant) -> str:
    return (await tenant.rows("connection"))["connection", "connection"]["secret_name"]


async def rotate(tenant, **members) -> None:
    (await tenant.put_connection(**members)).raise_for_status()


async def tidy(tenant, after: timedelta) -> None:
    await tidy_secrets(tenant.host.deployment, now=datetime.now(UTC) + after)


async def test_replaced_secret_is_disabled_after_the_grace_period_and_then_deleted(new_tenant):
    tenant = await new_tenant()
    old = await current(tenant)
    await rotate(tenant)
    new = await current(tenant)
    assert new != old
    assert await kept(tenant) == {old: (True, True), new: (True, False)}
    await tidy(tenant, GRACE - SECOND)
    assert await kept(tenant) == {old: (True, True), new: (True, False)}
    await tidy(tenant, GRACE)
    await tidy(tenant, GRACE)
    assert await kept(tenant) == {old: (False, True), new: (True, False)}
    await tidy(tenant, KEPT_DISABLED)
    assert await kept(tenant) == {new: (True, False)}
    assert (await tenant.scan())["status"] == "complete"


async def test_scan_under_way_outlives_the_rotation(tenant):
    """The credential that it holds is neither closed nor are its tokens refused."""
    deployment = tenant.host.deployment
    context = await serve(deployment, tenant.tenant_id)
    held = await context.credential()
    await rotate(tenant)
    fresh = await (await serve(deployment, tenant.tenant_id)).credential()
    assert fresh is not held
    scope = deployment.settings.arm_scope
    # A new token, by the old secret: a closed credential has no connection to ask with.
    assert (await held.token_source.get_token(scope, claims='{"access_token":{}}')).token
    assert (await tenant.scan())["status"] == "complete"


async def test_of_two_changes_at_once_one_counts_and_no_secret_is_lost(new_tenant):
    """Every secret is the current one, tagged as replaced, or gone."""
    tenant = await new_tenant()
    body = tenant.organisation.tenant_body()["connection"]
    headers = await tenant.if_match()
    puts = [tenant.http.put("/api/connection", json=body, headers=headers) for _ in range(4)]
    statuses = [answer.status_code for answer in await asyncio.gather(*puts)]
    assert sorted(statuses) == [200, 412, 412, 412]
    used = await current(tenant)
    found = await kept(tenant)
    assert found.pop(used) == (True, False)
    assert list(found.values()) == [(True, True)]


async def test_audit_says_what_changed_and_no_secret(new_tenant):
    tenant = await new_tenant()
    await rotate(tenant, secretExpiresAt="2099-01-01T00:00:00Z")
    rows = (await tenant.rows("audit")).values()
    newest, _ = sorted(
        (row for row in rows if row["action"] == "connection.set"), key=lambda row: row["RowKey"]
    )
    made = tenant.organisation
    shown = {
        "kind": "client_secret",
        "directoryId": made.directory_id,
        "clientId": made.client_id,
        "secretExpiresAt": None,
    }
    assert json.loads(newest["detail"]) == {
        "before": shown,
        "after": shown | {"secretExpiresAt": "2099-01-01T00:00:00Z"},
    }


async def test_secret_of_a_crash_is_found_by_its_tags(new_tenant):
    tenant = await new_tenant()
    context = await serve(tenant.host.deployment, tenant.tenant_id)
    orphan = await context.vault.keep("connection", "never pointed at")
    foreign = await context.vault.keep("elsewhere", "of a purpose that is not known here")
    lost = await context.vault.keep("channel", "of no channel")
    given = {"name": "pager", "kind": "pagerduty", "target": {"key": "routing"}}
    await tenant.api.request("POST", "/api/channels", given)
    (kept_channel,) = (await read_desk(context.store)).channels
    used = await current(tenant)
    await tidy(tenant, ORPHANED - SECOND)
    assert set(await kept(tenant)) == {orphan, used}
    await tidy(tenant, ORPHANED + SECOND)
    assert set(await kept(tenant)) == {used}
    assert await context.vault.read(foreign) == "of a purpose that is not known here"
    assert "routing" in await context.vault.read(kept_channel.secret_name)
    with pytest.raises(NotFound):
        await context.vault.read(lost)
    assert await context.fingerprint_key()


async def test_tenant_of_another_deployment_keeps_everything(new_tenant):
    tenant = await new_tenant()
    vault = tenant.host.deployment.vault
    stranger = vault.of(TenantId("00000000-0000-4000-8000-000000000000"))
    name = await stranger.keep("connection", "not ours")
    await tidy(tenant, timedelta(days=400))
    assert await stranger.read(name) == "not ours"


async def test_tenant_that_cannot_be_read_keeps_everything(new_tenant, monkeypatch):
    tenant = await new_tenant()
    await rotate(tenant)
    before = await kept(tenant)

    async def fail(context):
        raise Unavailable("Table Storage does not answer.")

    monkeypatch.setattr(rotation, "find_connection", fail)
    await tidy(tenant, timedelta(days=400))
    assert await kept(tenant) == before


async def test_deleted_tenant_leaves_no_credential(new_tenant, operator):
    tenant, other = await new_tenant(), await new_tenant()
    await rotate(tenant)
    await operator.request("DELETE", f"/api/tenants/{tenant.tenant_id}")
    assert list((await kept(tenant)).values()) == [(True, True)]
    await tidy(tenant, GRACE)
    await tidy(tenant, KEPT_DISABLED)
    assert await kept(tenant) == {}
    assert len(await kept(other)) == 1


async def test_deletion_while_the_vault_is_away_is_finished_by_the_sweep(new_tenant, operator):
    tenant = await new_tenant()
    await tenant.azure.add_fault(match={"path": "^/secrets/"}, status=403)
    await operator.request("DELETE", f"/api/tenants/{tenant.tenant_id}")
    await tenant.azure.clear_faults()
    assert len(await kept(tenant)) == 1
    await tidy(tenant, timedelta(0))
    assert await kept(tenant) == {}


@pytest.mark.parametrize(("days", "warned"), [(31, False), (29, True)])
async def test_expiry_is_warned_of_once(new_tenant, days, warned):
    tenant = await new_tenant()
    expires = (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0)
    await rotate(tenant, secretExpiresAt=expires.isoformat())
    seen = await tenant.api.request("GET", "/api/connection")
    assert datetime.fromisoformat(seen["secretExpiresAt"]) == expires
    assert bool(seen["warning"]) == warned
    name, vault = await current(tenant), tenant.host.deployment.vault
    stored = await vault._call(lambda client: client.get_secret(name))
    assert stored.properties.expires_on == expires
    for _ in range(2):
        context = await serve(tenant.host.deployment, TenantId(tenant.tenant_id))
        await keep(context, clock=lambda: datetime.now(UTC))
        assert await tenant.host.drain() == []
    notices = await tenant.notices()
    assert [(one["text"], one["outcome"]) for one in notices] == (
        [(seen["warning"], "delivered")] if warned else []
    )
    if warned:
        assert f"expires on {expires:%Y-%m-%d}" in seen["warning"]
        later = (expires + timedelta(days=400)).isoformat()
        await rotate(tenant, secretExpiresAt=later)
        assert (await tenant.api.request("GET", "/api/connection"))["warning"] == ""


async def test_expiry_that_has_passed_is_refused(new_tenant):
    tenant = await new_tenant()
    refused = await tenant.put_connection(secretExpiresAt="2020-01-01T00:00:00Z")
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "secretExpiresAt"
