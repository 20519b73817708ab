"""A deleted tenant leaves nothing anywhere but a certificate, whatever happens on the way, and touches nobody else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest

from dev.azure.admin import AzureAdmin
from dev.demo.client import Product, ProductError
from drift.erasure import GRACE, QUIET, adopt, erase, give_up, is_genuine, send_due
from drift.sweep import sweep
from errors import Conflict, NotFound, Unavailable
from settings import Settings
from tenancy.access import bury
from tenancy.deployment import OWN, Deployment
from tenancy.erasures import ErasureState
from tenancy.ids import TenantId
from tenancy.rows import Row
from tenancy.store import Table
from tenancy.tenants import ROW, TenantStatus, read_tenant
from tests.drift.dying import DyingDeployment
from tests.drift.host import Host
from tests.isolation.conftest import Settle, WatchNew
from tests.isolation.planted import Cellar, Planted
from tests.isolation.proxy import Fault, Shaky

NOW = datetime.now(UTC)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "data.md"
NAMED_BY = {"secret": "secrets", "index": "index", "blob": "files"}


async def delete(operator: Product, tenant_id: str, **query: str) -> None:
    asked = f"?{urlencode(query)}" if query else ""
    await operator.request("DELETE", f"/api/tenants/{tenant_id}{asked}")


async def finish(deployment: Deployment, tenant_id: str, after: timedelta = GRACE + QUIET) -> None:
    at = datetime.now(UTC) + after
    await erase(deployment, TenantId(tenant_id), clock=lambda: at)


async def count(cellar: Cellar, tenant_id: str) -> dict[str, int]:
    """What a certificate should say was removed."""
    found: dict[str, int] = {}
    for kind, table, _ in await cellar.state_of(tenant_id):
        place = NAMED_BY.get(kind, f"rows.{table}")
        if kind != "message":
            found[place] = found.get(place, 0) + 1
    return found


def without_usage(removed: Mapping[str, int]) -> dict[str, int]:
    """A process writes what it counted of a day when it likes."""
    assert removed["rows.usage"] >= 1
    return {place: number for place, number in removed.items() if place != "rows.usage"}


async def test_nothing_is_left_but_the_certificate(
    operator: Product, settle: Settle, foreign: Planted, cellar: Cellar, quiet: Host
) -> None:
    planted = await settle()
    deployment, tenant_id = quiet.deployment, planted.tenant_id
    other = await cellar.state_of(foreign.tenant_id)
    before = await count(cellar, tenant_id)
    assert before.keys() >= {f"rows.{table}" for table in Table}  # a new table must be planted too
    assert before.keys() >= {"secrets", "index", "files"}
    await delete(operator, tenant_id)
    closed = await count(cellar, tenant_id)
    await finish(deployment, tenant_id)
    assert {key[0] for key in await cellar.state_of(tenant_id)} <= {"message"}
    assert await quiet.drain() == []
    assert await cellar.state_of(tenant_id) == {}
    said = await operator.request("GET", f"/api/tenants/{tenant_id}/erasure")
    assert (said["state"], said["genuine"], said["reason"]) == ("done", True, "")
    assert said in await operator.every("/api/tenants/erasures?maxpagesize=2")
    assert without_usage(said["removed"]) == without_usage(closed)
    certificate = json.loads(said["certificate"])
    assert certificate["removed"] == said["removed"]
    assert (certificate["tenantId"], certificate["left"]) == (tenant_id, 0)
    assert certificate["closedAt"] < certificate["begunAt"] <= certificate["verifiedAt"]
    for canary in planted.canaries - {tenant_id}:
        assert canary not in str(said)
    assert await cellar.state_of(foreign.tenant_id) == other


async def test_deleted_tenant_is_closed_at_once_and_erased_after_the_grace(
    operator: Product, watch_new: WatchNew, cellar: Cellar, quiet: Host
) -> None:
    watched = await watch_new("graceful")
    deployment, tenant_id = quiet.deployment, TenantId(watched.tenant_id)
    await delete(operator, tenant_id)
    with pytest.raises(ProductError, match="404"):
        await watched.api.request("GET", "/api/settings")
    waiting = await operator.request("GET", f"/api/tenants/{tenant_id}/erasure")
    due = datetime.fromisoformat(waiting["dueAt"])
    assert waiting["state"] == "waiting"
    assert due - datetime.fromisoformat(waiting["askedAt"]) == GRACE
    assert (waiting["certificate"], waiting["genuine"]) == ("", False)
    before = await cellar.rows_of(tenant_id)
    await quiet.put("erase-tenant", {"version": 1, "tenant_id": tenant_id})
    assert await quiet.drain() == []
    await erase(deployment, tenant_id, clock=lambda: due - timedelta(seconds=1))
    assert await cellar.rows_of(tenant_id) == before
    await quiet.prepare()
    await send_due(deployment, now=due - timedelta(seconds=1))
    assert tenant_id not in str(await quiet.take("erase-tenant"))
    await send_due(deployment, now=due)
    assert tenant_id in str(await quiet.take("erase-tenant"))
    await erase(deployment, tenant_id, clock=lambda: due)
    assert await cellar.rows_of(tenant_id) == {}


async def test_erasure_at_once_needs_the_tenants_name(
    operator: Product, watch_new: WatchNew, cellar: Cellar, quiet: Host
) -> None:
    watched = await watch_new("hurried")
    tenant_id = watched.tenant_id
    for typed in ("", "Hurried", tenant_id):
        with pytest.raises(ProductError, match="Type the tenant's name"):
            await delete(operator, tenant_id, now="true", confirm=typed)
    assert (await operator.request("GET", f"/api/tenants/{tenant_id}"))["status"] == "active"
    await delete(operator, tenant_id, now="true", confirm="hurried")
    assert await quiet.drain() == []
    assert await cellar.rows_of(tenant_id) == {}
    said = await operator.request("GET", f"/api/tenants/{tenant_id}/erasure")
    # Whoever wrote for it when it was closed may still be at work: the last look is an hour away.
    assert said["state"] == "proving"
    assert await quiet.waiting("erase-tenant") == 1
    await finish(quiet.deployment, tenant_id, QUIET - timedelta(minutes=1))
    assert (await operator.request("GET", f"/api/tenants/{tenant_id}/erasure"))["certificate"] == ""
    await finish(quiet.deployment, tenant_id, QUIET)
    assert (await operator.request("GET", f"/api/tenants/{tenant_id}/erasure"))["state"] == "done"


async def test_waiting_erasure_can_be_hastened(
    operator: Product, watch_new: WatchNew, cellar: Cellar, quiet: Host
) -> None:
    tenant_id = (await watch_new("late")).tenant_id
    await delete(operator, tenant_id)
    with pytest.raises(ProductError, match="404"):
        await delete(operator, tenant_id)
    with pytest.raises(ProductError, match="Type the tenant's name"):
        await delete(operator, tenant_id, now="true", confirm="early")
    await delete(operator, tenant_id, now="true", confirm="late")
    assert await quiet.drain() == []
    assert await cellar.rows_of(tenant_id) == {}
    found = await quiet.deployment.erasures.find(TenantId(tenant_id))
    assert found is not None
    assert found.hastened_by == found.asked_by != ""


async def test_death_before_any_step_leads_to_the_same_end(
    operator: Product, settle: Settle, settings: Settings, cellar: Cellar, quiet: Host
) -> None:
    tenant_id = (await settle()).tenant_id
    await delete(operator, tenant_id)
    closed = await count(cellar, tenant_id)
    at = datetime.now(UTC) + GRACE + QUIET
    dying = DyingDeployment(settings)
    steps, deaths = 1, 0
    while not await dying.survives(erase(dying, TenantId(tenant_id), clock=lambda: at), steps):
        steps, deaths = steps + 3, deaths + 1
    await dying.close()
    assert deaths > 10
    found = await quiet.deployment.erasures.find(TenantId(tenant_id))
    assert found is not None
    assert found.state is ErasureState.DONE
    assert without_usage(found.removed) == without_usage(closed)
    assert {key[0] for key in await cellar.state_of(tenant_id)} <= {"message"}


async def test_what_comes_late_is_found_by_the_second_look(
    operator: Product, watch_new: WatchNew, cellar: Cellar, quiet: Host
) -> None:
    tenant_id = TenantId((await watch_new("haunted")).tenant_id)
    deployment = quiet.deployment
    await delete(operator, tenant_id, now="true", confirm="haunted")
    assert await quiet.drain() == []
    context = await bury(deployment, tenant_id)
    await context.store.put(Table.SCAN, "s.1", {"status": "running"})
    await finish(deployment, tenant_id, QUIET)
    found = await deployment.erasures.find(tenant_id)
    assert found is not None
    assert (found.state, found.removed["rows.scan"]) == (ErasureState.ERASING, 1)
    assert await quiet.waiting("erase-tenant") > 0
    await finish(deployment, tenant_id, QUIET)
    found = await deployment.erasures.find(tenant_id)
    assert found is not None
    assert found.state is ErasureState.DONE
    assert await cellar.rows_of(tenant_id) == {}


async def test_only_a_deleted_tenant_is_erased(
    operator: Product, watch_new: WatchNew, cellar: Cellar, quiet: Host
) -> None:
    watched = await watch_new("alive")
    deployment, tenant_id = quiet.deployment, TenantId(watched.tenant_id)
    before = await cellar.rows_of(tenant_id)
    await quiet.put("erase-tenant", {"version": 1, "tenant_id": tenant_id})
    await quiet.put("erase-tenant-poison", {"version": 1, "tenant_id": tenant_id})
    assert await quiet.drain() == []
    with pytest.raises(NotFound):
        await bury(deployment, tenant_id)
    (row,) = [row for key, row in before.items() if key[1:] == ("tenant", ROW)]
    store_row = await (await deployment.tables.client(Table.TENANT)).get_entity(tenant_id, ROW)
    assert store_row["status"] == row["status"] == TenantStatus.ACTIVE
    context = await bury_anyway(deployment, tenant_id)
    assert context == "This tenant is not deleted. Nothing of it is erased."
    assert await cellar.rows_of(tenant_id) == before


async def bury_anyway(deployment: Deployment, tenant_id: TenantId) -> str:
    """Somebody wrote an erasure down for a tenant that lives."""
    values = {
        "name": "x",
        "azure_tenant_id": "y",
        "status": "deleted",
        "created_at": NOW,
        "fingerprint_secret": "",
        "schedule": "",
    }
    await adopt(deployment, read_tenant(tenant_id, Row(ROW, values)), now=NOW - 2 * GRACE)
    with pytest.raises(Conflict) as refused:
        await erase(deployment, tenant_id, clock=lambda: NOW)
    found = await deployment.erasures.find(tenant_id)
    assert found is not None
    assert found.reason == refused.value.message
    return refused.value.message


async def test_id_of_an_erased_tenant_is_nobodys_again(
    operator: Product, watch_new: WatchNew, quiet: Host
) -> None:
    watched = await watch_new("once")
    operation = {"Operation-Id": "7d8f5c1a-93a1-4f0e-9a57-0f6f4f7d2a11"}
    body = {"name": "twice", "azureTenantId": watched.organisation.directory_id}
    made = await operator.request("POST", "/api/tenants", body, headers=operation)
    await delete(operator, made["id"])
    await finish(quiet.deployment, made["id"])
    with pytest.raises(ProductError, match="was deleted"):
        await operator.request("POST", "/api/tenants", body, headers=operation)


async def test_vault_that_purges_nothing_is_named_with_its_date(
    operator: Product, watch_new: WatchNew, azure: AzureAdmin, quiet: Host
) -> None:
    tenant_id = TenantId((await watch_new("protected")).tenant_id)
    refused = {"method": "DELETE", "path": "^/deletedsecrets/"}
    await azure.add_fault(match=refused, status=403)
    await delete(operator, tenant_id)
    await finish(quiet.deployment, tenant_id)
    await azure.clear_faults()
    said = await operator.request("GET", f"/api/tenants/{tenant_id}/erasure")
    assert said["state"] == "done"
    until = json.loads(said["certificate"])["secretsInSoftDeleteUntil"]
    days = (datetime.fromisoformat(until) - datetime.now(UTC)).days
    assert 88 <= days <= 90
    assert (await quiet.deployment.vault.remains(tenant_id)).alive == 0


async def test_vault_that_is_away_is_told_and_tried_again(
    operator: Product, watch_new: WatchNew, azure: AzureAdmin, quiet: Host, impatient: None
) -> None:
    tenant_id = TenantId((await watch_new("vaultless")).tenant_id)
    await delete(operator, tenant_id)
    await azure.add_fault(match={"path": "^/secrets"}, status=503)
    with pytest.raises(Unavailable):
        await finish(quiet.deployment, tenant_id)
    await azure.clear_faults()
    await give_up(quiet.deployment, tenant_id)
    said = await operator.request("GET", f"/api/tenants/{tenant_id}/erasure")
    assert (said["state"], "Key Vault" in said["reason"]) == ("waiting", True)
    await finish(quiet.deployment, tenant_id)
    said = await operator.request("GET", f"/api/tenants/{tenant_id}/erasure")
    assert (said["state"], said["reason"]) == ("done", "")


async def test_certificate_is_verified_as_the_page_says(
    operator: Product, watch_new: WatchNew, quiet: Host, tmp_path: Path
) -> None:
    deployment, tenant_id = quiet.deployment, (await watch_new("verified")).tenant_id
    await delete(operator, tenant_id)
    await finish(deployment, tenant_id)
    said = await operator.request("GET", f"/api/tenants/{tenant_id}/erasure")
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    key = await deployment.vault.of(OWN).read(json.loads(said["certificate"])["key"])
    (tmp_path / "verify.py").write_text(program)
    (tmp_path / "key.txt").write_text(key + "\n")
    for change, verdict in (("", "genuine\n"), (" ", "NOT genuine\n")):
        (tmp_path / "certificate.json").write_text(said["certificate"] + change)
        arguments = ["verify.py", "certificate.json", said["signature"], "key.txt"]
        assert run(tmp_path, arguments) == verdict


def run(folder: Path, arguments: list[str]) -> str:
    command = [sys.executable, *arguments]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return ran.stdout


async def test_certificate_that_was_changed_is_not_genuine(
    operator: Product, watch_new: WatchNew, quiet: Host
) -> None:
    deployment, tenant_id = quiet.deployment, TenantId((await watch_new("forged")).tenant_id)
    await delete(operator, tenant_id)
    await finish(deployment, tenant_id)
    found = await deployment.erasures.find(tenant_id)
    assert found is not None
    assert await is_genuine(deployment, found)
    for forged in (
        replace(found, certificate=found.certificate.replace('"left":0', '"left":1')),
        replace(found, signature="0" * 64),
        replace(found, certificate=found.certificate.replace('"key":"', '"key":"0')),
        replace(found, certificate=""),
    ):
        assert not await is_genuine(deployment, forged)


async def test_tenant_deleted_by_an_earlier_version_is_adopted(
    operator: Product, watch_new: WatchNew, quiet: Host
) -> None:
    deployment, tenant_id = quiet.deployment, TenantId((await watch_new("orphan")).tenant_id)
    client = await deployment.tables.client(Table.TENANT)
    row = await client.get_entity(tenant_id, ROW)
    row["status"] = TenantStatus.DELETED.value
    await client.update_entity(row)
    tenant = next(
        one
        for one in (await deployment.registry.page(after="", limit=1000))[0]
        if one.tenant_id == tenant_id
    )
    for _ in range(2):
        await adopt(deployment, tenant, now=NOW)
    said = await operator.request("GET", f"/api/tenants/{tenant_id}/erasure")
    assert (said["state"], said["askedBy"]) == ("waiting", "system")
    assert datetime.fromisoformat(said["dueAt"]) == NOW + GRACE


async def test_sweep_goes_on_when_a_part_of_it_fails(
    shaky: Shaky, own: Planted, quiet: Host
) -> None:
    """The queue is away: a secret that nobody uses any more is disabled all the same, and the failure is told."""
    vault = shaky.deployment.vault.of(TenantId(own.tenant_id))
    name = await vault.keep("connection", "replaced")
    await vault.retire(name, now=NOW - timedelta(hours=2))  # those of other tests are not due
    shaky.proxies[1].choose = lambda: Fault.BUSY
    with pytest.raises(Unavailable, match="Queue Storage"):
        await sweep(shaky.deployment, now=NOW)
    with pytest.raises(NotFound, match="disabled"):
        await vault.read(name)
