"""A restore brings back every row, or nobody sees any of it; and it brings nothing that is not this tenant's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dev.demo.client import Product
from drift import lease as leases
from drift.backups import restoring, running
from drift.backups.holdings import Holding, Way
from drift.backups.jobs import Job, JobKeeper, JobLostError, JobStatus, Phase
from drift.backups.manifest import get_manifest, name_of, write_manifest
from errors import Conflict
from settings import Settings
from tenancy.access import serve
from tenancy.ids import SubscriptionId, TenantId
from tenancy.store import Operation, Table, Write
from tests.api.members import add, body, give, take_out
from tests.drift.backups.conftest import HELD, NewVaulted, Vaulted, now
from tests.drift.dying import DyingDeployment

RECORDS = ("audit", "notice", "usage", "user", "connection")
RULES = Holding(Table.RULE, Way.REPLACE, 10)
RESTORED = tuple(table for table in HELD if table not in RECORDS)


def counts(job: Job) -> dict[str, tuple[int, int, int]]:
    """Of the tables that differ: added, changed, removed."""
    found = {one.table: (one.added, one.changed, one.removed) for one in job.tables}
    return {table: three for table, three in found.items() if any(three)}


async def change_much(vaulted: Vaulted) -> None:
    """What people and scans do after a backup."""
    watched = vaulted.watched
    await watched.change_settings(retention={"scans": 30}, schedule="0 5 * * *")
    rules = (await watched.api.request("GET", "/api/rules"))["value"]
    path = f"/api/rules/{rules[0]['id']}"
    await watched.http.delete(path, headers=await watched.if_match(path))
    await watched.add(watched.account("later"))
    assert (await watched.scan())["status"] == "complete"
    await watched.capture(name="third")


async def test_restore_after_a_wipe_brings_back_every_row(vaulted: Vaulted) -> None:
    backup = await vaulted.backup()
    assert backup.status is JobStatus.DONE, backup.reason
    before = await vaulted.rows()
    assert {table for table, _ in before} == set(HELD)
    await vaulted.wipe()
    assert await vaulted.rows() == {}
    dry = await vaulted.dry_run(backup.job_id)
    assert dry.status is JobStatus.DONE, dry.reason
    restored = await vaulted.restore(backup.job_id)
    assert (restored.status, restored.reason) == (JobStatus.DONE, "")
    after = await vaulted.rows()
    new = {table for table, key in after.keys() - before.keys()}
    assert new == {"audit"}  # that it was restored
    assert {key: after[key] for key in before} == before
    assert await vaulted.status() == "active"
    assert (await vaulted.watched.scan())["status"] == "complete"
    (finding,) = await vaulted.watched.findings()
    assert finding["status"] == "acknowledged"


async def test_dry_run_says_what_the_restore_does_and_changes_nothing(vaulted: Vaulted) -> None:
    backup = await vaulted.backup()
    before = await vaulted.rows(*RESTORED)
    await change_much(vaulted)
    etags = await vaulted.watched.etags(*RESTORED, "notice", "user", "connection", "tenant")
    dry = await vaulted.dry_run(backup.job_id)
    assert await vaulted.watched.etags(*RESTORED, "notice", "user", "connection", "tenant") == etags
    said = counts(dry)
    assert said["rule"] == (1, 0, 0)
    assert said["baseline"] == (0, 0, 1)
    assert said["settings"] == (0, 1, 0)
    assert said["scan"] == (0, 0, 2)
    restored = await vaulted.restore(backup.job_id)
    assert counts(restored) == said
    after = await vaulted.rows(*RESTORED)
    later = {key for table, key in after.keys() - before.keys() if table == "settings"}
    assert len(later) == 1  # the change of the settings stays told
    assert all(key.startswith("change.") for key in later)
    kept = {key for key in after.keys() - before.keys() if key[0] not in {"settings", "pack"}}
    assert kept == set()
    number = ("subscription", f"s.{vaulted.watched.subscription_id}")
    assert after[number]["baseline_version"] == before[number]["baseline_version"] + 1
    same = {key for key in before if after[key] == before[key]}
    assert before.keys() - same == {number}  # a number of a version is given once
    tenant = (await vaulted.watched.rows("tenant"))["tenant", "tenant"]
    assert tenant["schedule"] == "0 3 * * *"
    assert tenant["next_scan_at"].hour == 3


async def test_g11_users_roles_and_the_audit_trail_are_not_rolled_back(vaulted: Vaulted) -> None:
    """Who is a user keeps the role of now, who was taken out stays out, and nothing that was told is untold."""
    watched = vaulted.watched
    people = [await add(watched.http, body(watched.organisation, name=name)) for name in "ABC"]
    backup = await vaulted.backup()
    promoted, removed, lost = people
    assert (await give(watched.http, promoted, "admin")).status_code == 200
    assert (await take_out(watched.http, removed)).status_code == 204
    client = watched.tables.get_table_client("user")
    await client.delete_entity(watched.tenant_id, lost["id"])  # by no one who may
    late = await add(watched.http, body(watched.organisation, name="late"))
    told = (await vaulted.rows("audit")).keys()
    dry = await vaulted.dry_run(backup.job_id)
    assert dry.names == ("C",)
    restored = await vaulted.restore(backup.job_id)
    assert restored.status is JobStatus.DONE, restored.reason
    users = await vaulted.rows("user")
    assert users["user", promoted["id"]]["role"] == "admin"
    assert ("user", removed["id"]) not in users
    assert users["user", lost["id"]]["name"] == "C"
    assert users["user", late["id"]]["name"] == "late"
    assert told <= (await vaulted.rows("audit")).keys()
    tenants = await vaulted.deployment.registry._linked(lost["id"])
    assert tenants == [watched.tenant_id]


async def test_g10_backup_of_another_tenant_is_refused_by_what_it_says_of_itself(
    vaulted: Vaulted, make_vaulted: NewVaulted
) -> None:
    other = await make_vaulted()
    theirs = await other.backup()
    mine = await vaulted.backup()
    before = await vaulted.watched.etags(*RESTORED)
    there = await (await other.context()).blobs.get(name_of(theirs.job_id), most=10**6)
    foreign = await get_manifest(await other.context(), theirs.job_id)
    context = await vaulted.context()
    for file in foreign.files:
        await context.blobs.put(file.blob, await other.blob(file.blob))
    # As it is: another tenant's signature.
    await vaulted.overwrite(name_of(mine.job_id), there)
    assert "not signed with this tenant's key" in (await vaulted.dry_run(mine.job_id)).reason
    # Signed with this tenant's key, as somebody could who has it: the identity inside is another's.
    await context.blobs.delete(name_of(mine.job_id))
    await write_manifest(context, replace(foreign, backup_id=mine.job_id))
    refused = await vaulted.dry_run(mine.job_id)
    assert (refused.status, refused.reason) == (
        JobStatus.FAILED,
        "This is the backup of another tenant. It can be restored there only.",
    )
    with pytest.raises(Conflict, match="dry run"):
        await vaulted.restore(mine.job_id)
    assert await vaulted.watched.etags(*RESTORED) == before
    assert await vaulted.status() == "active"


@pytest.mark.parametrize("place", ["manifest", "signature", "rows", "end of rows", "gone"])
async def test_g10_changed_byte_is_refused_before_anything_is_written(
    vaulted: Vaulted, place: str
) -> None:
    backup = await vaulted.backup()
    await vaulted.dry_run(backup.job_id)
    context = await vaulted.context()
    manifest = await get_manifest(context, backup.job_id)
    file = next(one for one in manifest.files if one.table == "finding")
    name = file.blob if place in {"rows", "end of rows", "gone"} else name_of(backup.job_id)
    data = bytearray(await vaulted.blob(name))
    position = {"manifest": data.find(b"rows") + 7, "signature": -5, "end of rows": -1}
    data[position.get(place, len(data) // 2)] ^= 1
    if place == "gone":
        await context.blobs.delete(name)
    else:
        await vaulted.overwrite(name, bytes(data))
    before = await vaulted.watched.etags(*HELD)
    restored = await vaulted.restore(backup.job_id)
    assert restored.status is JobStatus.FAILED
    assert "signed" in restored.reason or "changed" in restored.reason or "gone" in restored.reason
    after = await vaulted.watched.etags(*HELD)
    assert {key for key in after if before.get(key) != after[key]} <= {
        key for key in after if key[0] in {"audit", "user", "usage"}
    }
    assert await vaulted.status() == "active"


async def test_backup_of_a_newer_version_is_refused(vaulted: Vaulted) -> None:
    backup = await vaulted.backup()
    context = await vaulted.context()
    manifest = await get_manifest(context, backup.job_id)
    await context.blobs.delete(name_of(backup.job_id))
    files = tuple(replace(file, version=99) for file in manifest.files)
    await write_manifest(context, replace(manifest, files=files, product="9.0"))
    refused = await vaulted.dry_run(backup.job_id)
    assert "newer version (9.0)" in refused.reason


async def test_backup_that_lacks_packs_is_refused(vaulted: Vaulted) -> None:
    """Signed and unchanged, and yet a baseline of it would be without its resources."""
    backup = await vaulted.backup()
    context = await vaulted.context()
    manifest = await get_manifest(context, backup.job_id)
    files = tuple(one for one in manifest.files if one.table != Table.PACK)
    await context.blobs.delete(name_of(backup.job_id))
    await write_manifest(context, replace(manifest, files=files))
    refused = await vaulted.dry_run(backup.job_id)
    assert refused.status is JobStatus.FAILED
    assert "The backup is not whole. Not there: the snapshot of" in refused.reason


@pytest.fixture
async def dying(settings: Settings) -> AsyncIterator[DyingDeployment]:
    deployment = DyingDeployment(settings)
    yield deployment
    await deployment.close()


async def test_death_at_any_step_leaves_the_tenant_closed_and_the_restore_goes_on(
    vaulted: Vaulted, dying: DyingDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "ENDING", timedelta(0))
    backup = await vaulted.backup()
    before = await vaulted.rows(*RESTORED)
    await vaulted.wipe(*RESTORED)
    await vaulted.dry_run(backup.job_id)
    job = await vaulted.ask_restore(backup.job_id)
    await vaulted.watched.host.take("jobs")
    deaths, seen = 0, set()
    for steps in range(3, 400, 9):
        context = await serve(dying, TenantId(vaulted.watched.tenant_id), restoring=True)
        work = running.run_job(context, job.key, clock=now)
        done = await dying.survives(work, steps)
        job = await vaulted.read(job)
        if job.status is JobStatus.DONE:
            break
        assert not done or job.phase is not Phase.NONE
        deaths += 1
        seen.add(await vaulted.status())
        if job.phase is Phase.CLOSED:
            answer = await vaulted.watched.http.get("/api/findings")
            assert answer.status_code == 503
    assert job.status is JobStatus.DONE
    assert deaths > 5
    assert seen == {"active", "restoring"}
    after = await vaulted.rows(*RESTORED)
    assert after == before
    assert await vaulted.status() == "active"


async def test_nobody_gets_in_while_it_is_restored_but_who_follows_it(
    vaulted: Vaulted, operator: Product, settings: Settings
) -> None:
    backup = await vaulted.backup()
    await vaulted.dry_run(backup.job_id)
    job = await vaulted.ask_restore(backup.job_id)
    await vaulted.watched.host.take("jobs")
    await running.run_job(await vaulted.context(), job.key, clock=now)  # closes, and waits
    assert await vaulted.status() == "restoring"
    watched, http = vaulted.watched, vaulted.watched.http
    for method, path in (
        ("GET", "/api/findings"),
        ("POST", "/api/scans"),
        ("GET", "/api/audit"),
        ("POST", "/api/backups"),
        ("POST", "/api/export"),
        ("GET", f"/t/{watched.tenant_id}/"),
    ):
        answer = await http.request(method, path)
        assert (method, path, answer.status_code) == (method, path, 503)
        assert "being restored" in answer.text
    listed = await http.get("/api/backups")
    assert [one["id"] for one in listed.json()["value"]] == [backup.job_id]
    detail = (await http.get(f"/api/backups/{backup.job_id}")).json()
    assert (detail["tenantStatus"], detail["restore"]["status"]) == ("restoring", "running")
    page = await http.get(f"/t/{watched.tenant_id}/backups/{backup.job_id}")
    assert "This tenant is being restored" in page.text
    with pytest.raises(Conflict, match="restored"):
        await vaulted.context()  # no timer, no other message
    for verb in ("suspend", "resume"):
        with pytest.raises(Exception, match="409"):
            await operator.request("POST", f"/api/tenants/{watched.tenant_id}/{verb}")
    assert await vaulted.status() == "restoring"
    again = await http.post(
        f"/api/backups/{backup.job_id}/restore", json={"dryRun": False, "confirm": "x"}
    )
    assert again.status_code == 422
    with pytest.raises(Conflict, match="under way already"):
        await vaulted.ask_restore(backup.job_id)


async def test_scan_under_way_is_waited_for(vaulted: Vaulted) -> None:
    backup = await vaulted.backup()
    await vaulted.dry_run(backup.job_id)
    context = await vaulted.context()
    subscription = SubscriptionId(vaulted.watched.subscription_id)
    lease = await leases.acquire(context.store, subscription, "scan", now=now())
    keeper = leases.LeaseKeeper(context.store, lease, now)
    keeper.watch(vaulted.context)
    job = await vaulted.ask_restore(backup.job_id)
    await vaulted.watched.host.take("jobs")

    def later() -> Any:
        return now() + restoring.ENDING

    for clock in (now, later):
        closed = await vaulted.context(restoring=True)
        await running.run_job(closed, job.key, clock=clock)
        assert (await vaulted.read(job)).phase is Phase.CLOSED
    with pytest.raises(leases.TenantClosedError):
        await keeper.before_commit()  # nothing of it is written any more
    await keeper.release()
    await running.run_job(await vaulted.context(restoring=True), job.key, clock=later)
    assert (await vaulted.read(job)).status is JobStatus.DONE


async def test_who_lost_the_restore_writes_no_more(vaulted: Vaulted) -> None:
    """An instance that was thought dead wakes up while another one restores, and after it."""
    backup = await vaulted.backup()
    await change_much(vaulted)
    await vaulted.dry_run(backup.job_id)
    job = await vaulted.ask_restore(backup.job_id)
    context = await vaulted.context()
    zombie = JobKeeper(context, replace(job, phase=Phase.CLOSED, closed_at=now()))
    manifest = await get_manifest(context, backup.job_id)
    batch = [Operation(Write.PUT, "by-the-zombie", {"body": b"{}"})]
    with pytest.raises(JobLostError):
        await restoring._write(zombie, RULES, batch)  # the tenant is open
    await vaulted.watched.host.take("jobs")
    done = await vaulted.run(job)
    assert done.status is JobStatus.DONE, done.reason
    await change_much_again(vaulted)
    before = await vaulted.watched.etags(*RESTORED)
    with pytest.raises(JobLostError):
        await restoring._apply(zombie, manifest)
    with pytest.raises(JobLostError):
        await restoring._write(zombie, RULES, batch)
    assert await vaulted.watched.etags(*RESTORED) == before


async def change_much_again(vaulted: Vaulted) -> None:
    await vaulted.watched.change_settings(retention={"scans": 44})


async def test_packs_that_were_there_are_young_again(vaulted: Vaulted) -> None:
    """Whoever collects what nothing pointed at, and began before the restore, removes a pack under the ETag of then."""
    backup = await vaulted.backup()
    before = await vaulted.watched.etags("pack")
    await vaulted.dry_run(backup.job_id)
    assert await vaulted.watched.etags("pack") == before
    restored = await vaulted.restore(backup.job_id)
    assert counts(restored) == {}
    after = await vaulted.watched.etags("pack")
    assert after.keys() == before.keys()
    assert {key for key in before if before[key] == after[key]} == set()


async def test_subscription_that_another_tenant_has_by_now_is_not_taken_back(
    vaulted: Vaulted, make_vaulted: NewVaulted
) -> None:
    other = await make_vaulted()
    backup = await vaulted.backup()
    subscription = SubscriptionId(vaulted.watched.subscription_id)
    claims = vaulted.deployment.claims
    mine, theirs = (TenantId(one.watched.tenant_id) for one in (vaulted, other))
    await claims.release(mine, subscription)
    assert await claims.take(theirs, subscription)
    await vaulted.wipe("subscription")
    await vaulted.dry_run(backup.job_id)
    assert (await vaulted.restore(backup.job_id)).status is JobStatus.DONE
    row = (await vaulted.rows("subscription"))["subscription", f"s.{subscription}"]
    assert (row["monitored"], row["taken"]) == (False, True)
    assert await claims.take(theirs, subscription)
