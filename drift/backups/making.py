"""Makes a backup: every row of the tenant that holdings.py names, copied table by table, and a signed manifest last.

What it promises: each row is as it was at some moment between `started_at` and `finished_at`; the findings of a
subscription, their counts and their lists are of one moment; and every baseline and configuration has its packs. Not
more: a setting and a rule may be of two moments, some seconds apart. Until the manifest is there, there is no backup.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from drift.backups.census import MOST_NAMED, Census
from drift.backups.holdings import HOLDINGS, Holding, held_rows
from drift.backups.jobs import (
    Job,
    JobKeeper,
    JobStatus,
    Kind,
    Phase,
    TableCount,
    every_job,
    find_job,
    forget,
    order,
)
from drift.backups.lines import TableFile, start_lines
from drift.backups.manifest import Manifest, find_manifest, folder_of, write_manifest
from drift.preferences import get_preferences
from drift.summaries import tallies
from errors import Conflict, Stale
from tenancy import audit
from tenancy.access import TenantContext
from tenancy.rowkeys import newest_first
from tenancy.store import Table

logger = logging.getLogger(__name__)

MOST_TRIES = 5  # while others write what is copied
EVERY = 2_000  # rows between two signs of life
SPREAD = 3 * 60 * 60  # seconds over which the nightly backups begin
FAILED_KEPT = timedelta(days=7)
MANUAL, NIGHTLY = "manual", "nightly"


async def request_backup(context: TenantContext, *, now: datetime) -> Job:
    """Asks for a backup. Raises Conflict while one is being made that somebody asked for."""
    known = await every_job(context.store, Kind.BACKUP)
    if any(job.trigger == MANUAL and job.is_open(now) for job in known):
        raise Conflict("A backup is being made already. Wait until it has ended.")
    job = _new(context, MANUAL, f"{newest_first(now)}-{secrets.token_hex(4)}", now)
    job = await order(context, job, now=now)
    await audit.record(context.store, context.actor, "backup.make", job.job_id, now=now)
    return job


async def order_nightly(context: TenantContext, *, now: datetime) -> None:
    """Asks for the backup of this night, once however often it is called. They do not all begin at the same time: a
    tenant's id says when its turn is."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    job = _new(context, NIGHTLY, f"{newest_first(midnight)}-{NIGHTLY}", now)
    if await find_job(context.store, Kind.BACKUP, job.job_id) is None:
        digest = hashlib.sha256(context.tenant.tenant_id.encode()).digest()
        await order(context, job, now=now, delay=int.from_bytes(digest[:4], "big") % SPREAD)


def _new(context: TenantContext, trigger: str, job_id: str, now: datetime) -> Job:
    return Job(Kind.BACKUP, job_id, trigger, context.actor.key, context.actor.name, now)


async def make(keeper: JobKeeper, clock: Callable[[], datetime]) -> None:
    """Carries out one backup. What an earlier try left behind is finished or removed."""
    context, job = keeper.context, keeper.job
    manifest = await find_manifest(context, job.job_id)  # it died just behind the last step
    if manifest is None:
        manifest = await _copy(keeper, clock)
        await keeper.check()
        await write_manifest(context, manifest)
    counts = tuple(TableCount(file.table, file.rows) for file in manifest.files)
    await keeper.save(
        status=JobStatus.DONE,
        finished_at=clock(),
        step="",
        rows=manifest.rows,
        size=manifest.size,
        tables=counts,
    )
    await _remove_leftovers(context, manifest)
    await tidy(context, now=clock())


async def _copy(keeper: JobKeeper, clock: Callable[[], datetime]) -> Manifest:
    """Raises Stale when the tenant was written so busily that no try gave a whole copy: the message comes again."""
    context, job = keeper.context, keeper.job
    lacking: list[str] = []
    for _ in range(MOST_TRIES):
        started, census = clock(), Census()
        folder = f"{folder_of(job.job_id)}{secrets.token_hex(4)}"
        files = [await _copy_table(keeper, one, folder, census) for one in HOLDINGS]
        lacking = census.lacking()
        if not lacking:
            return Manifest(
                tenant_id=context.tenant.tenant_id,
                tenant_name=context.tenant.name,
                backup_id=job.job_id,
                started_at=started,
                finished_at=clock(),
                files=tuple(files),
            )
        logger.warning("backup was not whole", extra={"tenant_id": context.tenant.tenant_id})
    named = ", ".join(lacking[:MOST_NAMED])
    raise Stale(f"No whole copy could be made. Not there: {named}.")


async def _copy_table(
    keeper: JobKeeper, holding: Holding, folder: str, census: Census
) -> TableFile:
    """Findings are copied anew until no scan and no decision wrote them meanwhile: their counts tell."""
    context, table = keeper.context, holding.table
    for attempt in range(MOST_TRIES):
        before = await _versions(context, table)
        name = f"{folder}/{table}.{attempt}.jsonl.zst"
        lines = await start_lines(context.blobs, table, name)
        await keeper.save(step=f"Copying {table}.")
        async for row in held_rows(context.store, holding):
            census.see(table, row)
            await lines.add(row)
            if lines.rows % EVERY == 0:
                await keeper.save(step=f"Copying {table}: {lines.rows:,} rows.")
        file = await lines.finish()
        if await _versions(context, table) == before:
            return file
    raise Stale("The findings are being written all the time. The backup is tried again later.")


async def _versions(context: TenantContext, table: Table) -> dict[str, str]:
    """What changes with every write of findings: the counts of each subscription, which share its transaction."""
    if table is not Table.FINDING:
        return {}
    return {one: tally.etag for one, tally in (await tallies(context.store)).items()}


async def _remove_leftovers(context: TenantContext, manifest: Manifest) -> None:
    kept = {file.blob for file in manifest.files}
    folder = folder_of(manifest.backup_id)
    for blob in await context.blobs.list(folder):
        if blob.name not in kept and "/" in blob.name.removeprefix(folder):
            await context.blobs.delete(blob.name)


async def tidy(context: TenantContext, *, now: datetime) -> int:
    """Removes the backups that are too many and the exports whose time is over, and returns how many. The newest
    backups of each trigger stay, so that nobody pushes the nightly ones out by asking for others."""
    kept = (await get_preferences(context.store)).preferences.backups_kept
    done: dict[str, int] = {}
    removed = 0
    for job in await every_job(context.store, Kind.BACKUP):  # newest first
        if job.status is JobStatus.DONE:
            done[job.trigger] = done.get(job.trigger, 0) + 1
            too_many = done[job.trigger] > kept
        else:
            too_many = not job.is_open(now) and now - job.created_at > FAILED_KEPT
        if too_many and not await _is_used(context, job, now):
            await _remove(context, job, folder_of(job.job_id))
            removed += 1
    for job in await every_job(context.store, Kind.EXPORT):
        over = job.expires_at is not None and job.expires_at <= now
        if over or (not job.is_open(now) and now - job.created_at > FAILED_KEPT):
            await _remove(context, job, f"exports/{job.job_id}/")
            removed += 1
    return removed


async def _is_used(context: TenantContext, job: Job, now: datetime) -> bool:
    restore = await find_job(context.store, Kind.RESTORE, job.job_id)
    if restore is None or restore.status is JobStatus.DONE:
        return False
    return restore.is_open(now) or restore.phase is not Phase.NONE  # it may be tried again


async def _remove(context: TenantContext, job: Job, folder: str) -> None:
    """Blobs first: a row without blobs is seen and removed again, blobs without a row would never be."""
    for blob in await context.blobs.list(folder):
        await context.blobs.delete(blob.name)
    for kind in (Kind.DRY_RUN, Kind.RESTORE) if job.kind is Kind.BACKUP else ():
        if follower := await find_job(context.store, kind, job.job_id):
            await forget(context.store, follower)
    await forget(context.store, job)
