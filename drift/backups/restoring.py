"""Puts a tenant back to what a backup has of it: a dry run first, which says what that changes, and then the restore.

Table Storage changes a hundred rows of one table at once and no more, so a restore cannot be one step. It is made to
look like one: the tenant is closed (`restoring`) before the first row is written, nobody gets in and no scan, notice or
schedule works for it, and it is opened after the last. Whoever was let in before has a minute to end, and a scan under
way stops at its next step. What is written follows from comparing backup and tenant, so a restore that dies goes on
where it stopped, and one that is done twice writes nothing. If it cannot be ended the tenant stays closed: half of it
is never seen.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec

from drift import lease as leases
from drift.approvals import refuse_application
from drift.backups.census import MOST_NAMED, Census
from drift.backups.comparing import Comparison, Difference, Effect, is_user, users_taken_out
from drift.backups.holdings import HOLDINGS, Holding
from drift.backups.jobs import (
    Job,
    JobKeeper,
    JobLostError,
    JobStatus,
    Kind,
    Phase,
    TableCount,
    every_job,
    find_job,
    get_job,
    order,
    send,
)
from drift.backups.lines import TableFile, check, read_lines
from drift.backups.manifest import Manifest, get_manifest
from drift.endings import cancel_open_scans
from drift.preferences import find_preferences, next_slot
from errors import Conflict, Corrupt, Forbidden, Invalid, NotFound, Stale
from tenancy import audit
from tenancy.access import TenantContext, serve
from tenancy.ids import SubscriptionId
from tenancy.records import change_tenant
from tenancy.rows import Value, weigh
from tenancy.store import TRANSACTION_BYTES, TRANSACTION_LIMIT, Operation, Table, Write
from tenancy.tenants import Tenant, TenantStatus

ENDING = timedelta(seconds=60)  # for requests that were let in before the tenant was closed
BUSY_AGAIN = 20  # seconds until a scan that has not stopped yet is looked for again
DRY_RUN_GOOD = timedelta(hours=24)
MOST_PASSES = 4
MOST_USERS_NAMED = 50
_SUBSCRIPTION = "s."


async def request_dry_run(context: TenantContext, backup_id: str, *, now: datetime) -> Job:
    """Asks what a restore would change. Raises Conflict for a backup that is not done, and while one is restored."""
    if context.tenant.status is TenantStatus.RESTORING:
        raise Conflict("This tenant is being restored. There is nothing whole to compare with.")
    await _require_done(context, backup_id)
    job = Job(Kind.DRY_RUN, backup_id, "manual", context.actor.key, context.actor.name, now)
    job = await order(context, job, now=now, over=True)
    await audit.record(context.store, context.actor, "backup.dryRun", backup_id, now=now)
    return job


async def request_restore(
    context: TenantContext, backup_id: str, confirm: str, *, now: datetime
) -> Job:
    """Asks for a restore. Raises Invalid unless `confirm` is the tenant's name, Conflict without a dry run of the last
    day or while another restore is under way, and Forbidden under four-eyes approval for who made the dry run."""
    await _require_done(context, backup_id)
    if confirm != context.tenant.name:
        raise Invalid("Type the tenant's name to confirm the restore.", field="confirm")
    # One that is closed already was dry-run, and there is nothing whole to compare with.
    if context.tenant.status is not TenantStatus.RESTORING:
        await _require_dry_run(context, backup_id, now)
    if any(job.is_open(now) for job in await every_job(context.store, Kind.RESTORE)):
        raise Conflict("A restore is under way already. Wait until it has ended.")
    job = Job(Kind.RESTORE, backup_id, "manual", context.actor.key, context.actor.name, now)
    job = await order(context, job, now=now, over=True)
    await audit.record(context.store, context.actor, "backup.restore", backup_id, now=now)
    return job


async def _require_done(context: TenantContext, backup_id: str) -> None:
    backup = await get_job(context.store, Kind.BACKUP, backup_id)
    if backup.status is not JobStatus.DONE:
        raise Conflict(f"This backup is {backup.status}. Only one that is done can be restored.")


async def _require_dry_run(context: TenantContext, backup_id: str, now: datetime) -> None:
    tried = await find_job(context.store, Kind.DRY_RUN, backup_id)
    done = tried is not None and tried.status is JobStatus.DONE
    if tried is None or not done or now - tried.created_at > DRY_RUN_GOOD:
        raise Conflict("Make a dry run of this backup first, and look at what it says.")
    stored = await find_preferences(context.store)
    if stored is None or not stored.preferences.four_eyes:
        return
    refuse_application(context.actor)
    if tried.requester == context.actor.key:
        raise Forbidden(
            "This tenant has four-eyes approval on: another admin than the one who made the dry run restores."
        )


async def dry_run(keeper: JobKeeper, clock: Callable[[], datetime]) -> None:
    """Checks the whole backup and counts what a restore would add, change and remove. Writes no row but its own."""
    context = keeper.context
    manifest = await _verify(keeper)
    compare = Comparison(context, await users_taken_out(context, manifest.started_at))
    counts: list[TableCount] = []
    names: list[str] = []
    for holding, file in _files(manifest):
        await keeper.save(step=f"Comparing {holding.table}.")
        count = TableCount(holding.table, rows=file.rows)
        async for found in compare.of(holding, file):
            count = _counted(count, found)
            if _names_user(holding, found) and found.then and len(names) < MOST_USERS_NAMED:
                names.append(str(found.then.values["name"]))
        counts.append(count)
    await keeper.save(
        status=JobStatus.DONE,
        finished_at=clock(),
        step="",
        tables=tuple(counts),
        names=tuple(names),
    )


async def restore(keeper: JobKeeper, clock: Callable[[], datetime]) -> None:
    """Carries out a restore, from wherever an earlier try left it."""
    if keeper.job.phase is Phase.NONE:
        await _verify(keeper)
        await _close(keeper, clock())
    if keeper.job.phase is Phase.CLOSED:
        if wait := await _wait(keeper, clock()):
            await keeper.save(step="Waiting for what is under way to end.")
            await send(keeper.context, keeper.job, delay=wait)
            return
        manifest = await get_manifest(keeper.context, keeper.job.job_id)
        await _apply(keeper, manifest)
        await keeper.save(phase=Phase.APPLIED, step="Opening the tenant.")
    await _open(keeper, clock())


def _files(manifest: Manifest) -> list[tuple[Holding, TableFile]]:
    """The files of a backup in the order in which they are put back: packs first, and then what points at them. A table
    that is newer than the backup is left as it is."""
    known = {file.table: file for file in manifest.files}
    held = [one for one in reversed(HOLDINGS) if one.table.value in known]
    return [(one, known[one.table.value]) for one in held]


async def _verify(keeper: JobKeeper) -> Manifest:
    """The signature, every byte, and that nothing is missing which something points at."""
    context = keeper.context
    manifest = await get_manifest(context, keeper.job.job_id)
    census = Census()
    for holding, file in reversed(_files(manifest)):
        await keeper.save(step=f"Checking {holding.table}.")
        await check(context.blobs, file)
        async for row in read_lines(context.blobs, file):
            census.see(holding.table, row)
    if lacking := census.lacking():
        named = ", ".join(lacking[:MOST_NAMED])
        raise Corrupt(f"The backup is not whole. Not there: {named}.")
    return manifest


async def _close(keeper: JobKeeper, now: datetime) -> None:
    """From here on the tenant is Unavailable to all, and no message of it is read."""
    context = keeper.context

    def closed(tenant: Tenant) -> Tenant:
        if tenant.status not in {TenantStatus.ACTIVE, TenantStatus.RESTORING}:
            raise Conflict(f"This tenant is {tenant.status}: nothing is restored.")
        return replace(tenant, status=TenantStatus.RESTORING)

    await keeper.check()
    await change_tenant(context, closed)
    await keeper.save(phase=Phase.CLOSED, closed_at=now, step="Closing the tenant.")


async def _wait(keeper: JobKeeper, now: datetime) -> int:
    """Seconds until what was under way has ended: requests have a minute, a scan as long as it holds its lease."""
    closed_at = keeper.job.closed_at or now
    if now < closed_at + ENDING:
        return math.ceil((closed_at + ENDING - now).total_seconds())
    async for row in keeper.context.store.rows(Table.SUBSCRIPTION, prefix=leases.PREFIX):
        if await leases.is_held(keeper.context.store, row, now=now):
            return BUSY_AGAIN
    return 0


async def _require_closed(keeper: JobKeeper) -> None:
    """Before each write: that the tenant is still closed, and this the one who restores it. Raises JobLostError."""
    await keeper.check()
    context = keeper.context
    with contextlib.suppress(NotFound, Conflict):  # deleted meanwhile, say
        known = await serve(context.deployment, context.tenant.tenant_id, restoring=True)
        if known.tenant.status is TenantStatus.RESTORING:
            return
    raise JobLostError


async def _apply(keeper: JobKeeper, manifest: Manifest) -> None:
    """Writes what differs until nothing does: a pass that finds nothing proves the one before it."""
    taken_out = await users_taken_out(keeper.context, manifest.started_at)
    total: dict[str, TableCount] = {}
    for number in range(MOST_PASSES):
        compare = Comparison(keeper.context, taken_out, renew=number == 0)
        written = 0
        for holding, file in _files(manifest):
            await keeper.save(step=f"Putting back {holding.table}.")
            count = await _apply_table(keeper, compare, holding, file)
            before = total.get(holding.table, TableCount(holding.table, rows=file.rows))
            total[holding.table] = replace(
                before,
                added=before.added + count.added,
                changed=before.changed + count.changed,
                removed=before.removed + count.removed,
                kept=count.kept,
            )
            written += count.added + count.changed + count.removed
        if not written:
            await keeper.save(tables=tuple(total.values()))
            return
    raise Stale("The tenant is written to although it is closed. The restore is tried again.")


async def _apply_table(
    keeper: JobKeeper, compare: Comparison, holding: Holding, file: TableFile
) -> TableCount:
    count = TableCount(holding.table)
    batch: list[Operation] = []
    size = 0
    async for found in compare.of(holding, file):
        count = _counted(count, found)
        operation = await _prepare(keeper.context, holding, found)
        if operation is None:
            continue
        weight = weigh(operation.values or {})
        if batch and (len(batch) == TRANSACTION_LIMIT or size + weight > TRANSACTION_BYTES):
            await _write(keeper, holding, batch)
            batch, size = [], 0
        batch.append(operation)
        size += weight
    if batch:
        await _write(keeper, holding, batch)
    return count


def _counted(count: TableCount, found: Difference) -> TableCount:
    if found.effect is Effect.RENEWED:
        return count
    return replace(count, **{found.effect: getattr(count, found.effect) + 1})


async def _write(keeper: JobKeeper, holding: Holding, batch: list[Operation]) -> None:
    await _require_closed(keeper)
    await keeper.context.store.transact(holding.table, batch)


async def _prepare(context: TenantContext, holding: Holding, found: Difference) -> Operation | None:
    """The write of one row, with what goes with it outside the tenant's own rows."""
    if found.effect is Effect.KEPT:
        return None
    claims, tenant_id = context.deployment.claims, context.tenant.tenant_id
    if holding.table is Table.SUBSCRIPTION and found.key.startswith(_SUBSCRIPTION):
        subscription_id = SubscriptionId(found.key.removeprefix(_SUBSCRIPTION))
        if found.values is None or not found.values["monitored"]:
            await claims.release(tenant_id, subscription_id)
        elif not await claims.take(tenant_id, subscription_id):
            # Another tenant watches it by now.
            values: dict[str, Value] = {**found.values, "monitored": False, "taken": True}
            return Operation(Write.PUT, found.key, values)
    if found.values is None:
        return Operation(Write.DELETE, found.key)
    if _names_user(holding, found):  # the index first, as when somebody is added
        await context.deployment.registry.link(found.key, tenant_id)
    return Operation(Write.PUT, found.key, found.values)


def _names_user(holding: Holding, found: Difference) -> bool:
    return holding.table is Table.USER and found.effect is Effect.ADDED and is_user(found.key)


async def _open(keeper: JobKeeper, now: datetime) -> None:
    """Ends the scans that were under way when the backup was made, and lets everybody in again."""
    context = keeper.context
    await cancel_open_scans(context, now=now)
    stored = await find_preferences(context.store)
    schedule = stored.preferences.schedule if stored else ""

    def opened(tenant: Tenant) -> Tenant:
        if tenant.status is not TenantStatus.RESTORING:
            return tenant
        following = next_slot(schedule, now) if schedule else None
        return replace(
            tenant, status=TenantStatus.ACTIVE, schedule=schedule, next_scan_at=following
        )

    await keeper.check()
    await change_tenant(context, opened)
    context.deployment.credentials.forget(context.tenant.tenant_id)
    job = keeper.job
    detail = msgspec.json.encode({"requestedBy": job.requester}).decode()
    await audit.record(
        context.store, context.actor, "backup.restored", job.job_id, now=now, detail=detail
    )
    await keeper.save(status=JobStatus.DONE, finished_at=now, step="")
