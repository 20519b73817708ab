"""Who may restore what, when, and what becomes of a restore that cannot be ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from dev.demo.client import Product
from drift.backups import exporting, making, restoring, running
from drift.backups.jobs import JobStatus, Kind, every_job
from errors import Conflict, Forbidden, Invalid, Unavailable
from tenancy.queues import Queues
from tenancy.tenants import TenantStatus
from tests.drift.backups.conftest import Vaulted, now
from tests.drift.backups.test_restoring import RESTORED


async def test_restore_is_asked_for_with_a_dry_run_and_the_name(vaulted: Vaulted) -> None:
    backup = await vaulted.backup()
    context = await vaulted.context()
    with pytest.raises(Conflict, match="Make a dry run"):
        await vaulted.ask_restore(backup.job_id)
    dry = await vaulted.dry_run(backup.job_id)
    with pytest.raises(Invalid, match="tenant's name"):
        await restoring.request_restore(context, backup.job_id, "no", now=now())
    old = dry.created_at + timedelta(hours=25)
    with pytest.raises(Conflict, match="Make a dry run"):
        await restoring.request_restore(context, backup.job_id, context.tenant.name, now=old)
    assert await every_job(context.store, Kind.RESTORE) == []


async def test_nothing_is_done_for_a_suspended_tenant(vaulted: Vaulted) -> None:
    """A platform operator may be in it, and nobody would read the message."""
    backup = await vaulted.backup()
    context = await vaulted.context()
    suspended = replace(context, tenant=replace(context.tenant, status=TenantStatus.SUSPENDED))
    for ask in (
        making.request_backup(suspended, now=now()),
        restoring.request_dry_run(suspended, backup.job_id, now=now()),
        exporting.request_export(suspended, now=now()),
    ):
        with pytest.raises(Conflict, match="suspended"):
            await ask


async def test_job_whose_message_was_not_sent_has_failed_and_can_be_asked_for_again(
    vaulted: Vaulted, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise Unavailable("Queue Storage does not answer.")

    context = await vaulted.context()
    with monkeypatch.context() as broken:
        broken.setattr(Queues, "send", refuse)
        with pytest.raises(Unavailable):
            await making.request_backup(context, now=now())
    (job,) = await every_job(context.store, Kind.BACKUP)
    assert (job.status, job.reason) == (JobStatus.FAILED, "Queue Storage does not answer.")
    assert (await vaulted.backup()).status is JobStatus.DONE


async def test_under_four_eyes_another_admin_restores_and_the_switch_stays_on(
    vaulted: Vaulted,
) -> None:
    backup = await vaulted.backup()
    await vaulted.watched.change_settings(fourEyes=True)
    ada = replace(await vaulted.context(), actor=replace((await vaulted.context()).actor, key="a"))
    bob = replace(ada, actor=replace(ada.actor, key="b"))
    robot = replace(ada, actor=replace(ada.actor, key="c", application=True))
    dry = await restoring.request_dry_run(ada, backup.job_id, now=now())
    assert (await vaulted.run(dry)).status is JobStatus.DONE
    name = ada.tenant.name
    for one in (ada, robot):
        with pytest.raises(Forbidden, match="four-eyes"):
            await restoring.request_restore(one, backup.job_id, name, now=now())
    job = await restoring.request_restore(bob, backup.job_id, name, now=now())
    assert (await vaulted.run(job)).status is JobStatus.DONE
    settings = (await vaulted.watched.http.get("/api/settings")).json()
    assert (settings["fourEyes"], settings["schedule"]) == (True, "0 3 * * *")


async def test_tenant_that_is_deleted_meanwhile_stays_deleted(
    vaulted: Vaulted, operator: Product
) -> None:
    backup = await vaulted.backup()
    await vaulted.dry_run(backup.job_id)
    job = await vaulted.ask_restore(backup.job_id)
    closing = await vaulted.context()
    await vaulted.watched.host.take("jobs")
    await running.run_job(closing, job.key, clock=now)
    await operator.request("DELETE", f"/api/tenants/{vaulted.watched.tenant_id}")
    before = await vaulted.watched.etags(*RESTORED)
    later = replace(closing)
    await running.run_job(later, job.key, clock=lambda: now() + timedelta(minutes=6))
    assert await vaulted.status() == "deleted"
    assert await vaulted.watched.etags(*RESTORED) == before


async def test_failed_restore_of_a_closed_tenant_can_be_asked_for_again(vaulted: Vaulted) -> None:
    backup = await vaulted.backup()
    spare = await vaulted.backup()
    await vaulted.dry_run(backup.job_id)
    job = await vaulted.ask_restore(backup.job_id)
    await vaulted.watched.host.take("jobs")
    await running.run_job(await vaulted.context(), job.key, clock=now)
    await running.give_up(await vaulted.context(restoring=True), job.key, clock=now)
    assert await vaulted.status() == "restoring"
    assert (await vaulted.read(job)).status is JobStatus.FAILED
    again = await vaulted.restore(spare.job_id)
    assert again.status is JobStatus.DONE, again.reason
    assert await vaulted.status() == "active"


async def test_an_admin_does_it_all_through_the_api(
    vaulted: Vaulted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "ENDING", timedelta(0))
    api, host = vaulted.watched.api, vaulted.watched.host
    made = await api.request("POST", "/api/backups")
    assert (made["status"], made["trigger"], made["requestedBy"]) == ("queued", "manual", "Ada")
    assert await host.drain() == []
    path = f"/api/backups/{made['id']}"
    detail = await api.request("GET", path)
    assert (detail["status"], detail["dryRun"], detail["restore"]) == ("done", None, None)
    assert sum(one["rows"] for one in detail["tables"]) == detail["rows"] > 30
    await vaulted.watched.change_settings(retention={"scans": 31})
    await api.request("POST", f"{path}/restore", {"dryRun": True})
    assert await host.drain() == []
    tried = (await api.request("GET", path))["dryRun"]
    (settings,) = [one for one in tried["tables"] if one["table"] == "settings"]
    assert (tried["status"], settings["changed"], settings["removed"]) == ("done", 1, 0)
    name = (await vaulted.context()).tenant.name
    refused = await vaulted.watched.http.post(
        f"{path}/restore", json={"dryRun": False, "confirm": name.upper()}
    )
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "confirm"
    await api.request("POST", f"{path}/restore", {"dryRun": False, "confirm": name})
    assert await host.drain() == []
    detail = await api.request("GET", path)
    assert (detail["restore"]["status"], detail["tenantStatus"]) == ("done", "active")
    assert (await api.request("GET", "/api/settings"))["retention"]["scans"] == 90
    told = [one["action"] for one in await api.every("/api/audit?action=backup")]
    assert told == ["backup.restored", "backup.restore", "backup.dryRun", "backup.make"]


async def test_storage_that_does_not_answer_ends_no_restore(
    vaulted: Vaulted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is tried again: who cannot see whether the tenant is closed has not lost the restore."""
    backup = await vaulted.backup()
    await vaulted.dry_run(backup.job_id)
    job = await vaulted.ask_restore(backup.job_id)
    await vaulted.watched.host.take("jobs")
    await running.run_job(await vaulted.context(), job.key, clock=now)

    async def refuse(*_: object, **__: object) -> None:
        raise Unavailable("Table Storage does not answer.")

    closed = await vaulted.context(restoring=True)
    with monkeypatch.context() as broken:
        broken.setattr(restoring, "serve", refuse)
        with pytest.raises(Unavailable):
            await running.run_job(closed, job.key, clock=lambda: now() + timedelta(minutes=6))
    assert (await vaulted.read(job)).status is JobStatus.RUNNING
    assert (await vaulted.run(job)).status is JobStatus.DONE
