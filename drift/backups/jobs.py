"""Backups, dry runs, restores and exports as rows of the table `backup`: what was asked for, how far it is, and what
came of it.

All of them are made by a message each, since they take minutes and the sweep has thirty for all tenants: the messages
spread over the app's instances, and each is tried again by itself. A message may come twice, and while the first one is
still worked on: the row's ETag says whose turn it is, and whoever lost it stops (JobKeeper).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from errors import Conflict, DriftError, NotFound, Stale
from tenancy.access import TenantContext
from tenancy.queues import Queue
from tenancy.rows import Row, Value, join_binary, split_binary
from tenancy.store import Table, TenantStore
from tenancy.tenants import TenantStatus

LONGEST = timedelta(
    hours=6
)  # after that a job that has not ended never will, and another may begin
BROKEN = "It could not be carried out in five tries. The platform operator's log says why."


class Kind(StrEnum):
    """Also the beginning of the row's key."""

    BACKUP = "backup"
    DRY_RUN = "dryrun"
    RESTORE = "restore"
    EXPORT = "export"


class JobStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Phase(StrEnum):
    """Of a restore: what has been done and is not done again."""

    NONE = ""
    CLOSED = "closed"  # nobody gets into the tenant, and what is under way ends
    APPLIED = "applied"  # every row is back; only the tenant is still closed


@dataclass(frozen=True, slots=True)
class TableCount:
    """Of one table: rows copied, or what a restore changes."""

    table: str
    rows: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    kept: int = 0  # rows that differ and are left as they are now


@dataclass(frozen=True, slots=True)
class Part:
    """One file of an export."""

    blob: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Job:
    kind: Kind
    job_id: str  # of a dry run or a restore: that of its backup
    trigger: str  # manual or nightly
    requester: str  # principal key
    requested_by: str  # and name
    created_at: datetime
    status: JobStatus = JobStatus.QUEUED
    phase: Phase = Phase.NONE
    started_at: datetime | None = None
    finished_at: datetime | None = None
    closed_at: datetime | None = None  # of a restore: since when nobody gets in
    expires_at: datetime | None = None  # of an export
    step: str = ""  # what it is at, in words
    reason: str = ""  # why it failed
    rows: int = 0
    size: int = 0  # bytes stored
    tables: tuple[TableCount, ...] = ()
    names: tuple[str, ...] = ()  # of a dry run: users who come back, by name
    parts: tuple[Part, ...] = ()
    etag: str = ""

    @property
    def key(self) -> str:
        return f"{self.kind}.{self.job_id}"

    def is_open(self, now: datetime) -> bool:
        unfinished = self.status in {JobStatus.QUEUED, JobStatus.RUNNING}
        return unfinished and now - self.created_at < LONGEST


class JobLostError(Exception):
    """Somebody else works on the job, or nobody may any more: whoever meets this stops and writes no more. Not a
    DriftError: it is no reason for the job to fail."""


async def find_job(store: TenantStore, kind: Kind, job_id: str) -> Job | None:
    return await read_job(store, f"{kind}.{job_id}")


async def read_job(store: TenantStore, key: str) -> Job | None:
    row = await store.find(Table.BACKUP, key)
    return _read(row) if row else None


async def get_job(store: TenantStore, kind: Kind, job_id: str) -> Job:
    job = await find_job(store, kind, job_id)
    if job is None:
        raise NotFound(f"There is no such {kind}.")
    return job


async def page_jobs(
    store: TenantStore, kind: Kind, *, after: str = "", limit: int
) -> tuple[list[Job], str]:
    """Newest first, of those whose id begins with the time."""
    rows, cursor = await store.page(Table.BACKUP, prefix=f"{kind}.", after=after, limit=limit)
    return [_read(row) for row in rows], cursor


async def every_job(store: TenantStore, kind: Kind) -> list[Job]:
    return [_read(row) async for row in store.rows(Table.BACKUP, prefix=f"{kind}.")]


async def order(
    context: TenantContext, job: Job, *, now: datetime, over: bool = False, delay: int = 0
) -> Job:
    """Writes a job and sends its message. With `over`, one of the same key that has ended is replaced. Raises Conflict
    while there is an open one, and for a suspended tenant, which a platform operator may be in."""
    if context.tenant.status is TenantStatus.SUSPENDED:
        raise Conflict("This tenant is suspended: nothing is done for it until it is resumed.")
    before = await read_job(context.store, job.key)
    if before is not None and (not over or before.is_open(now)):
        raise Conflict(f"This {job.kind} is under way already.")
    if before is None:
        etag = await context.store.insert(Table.BACKUP, job.key, _values(job))
    else:
        etag = await context.store.update(Table.BACKUP, job.key, _values(job), etag=before.etag)
    job = replace(job, etag=etag)
    try:
        await send(context, job, delay=delay)
    except DriftError as error:  # nobody would ever begin it
        failed = replace(job, status=JobStatus.FAILED, reason=error.message, finished_at=now)
        await context.store.update(Table.BACKUP, job.key, _values(failed), etag=etag)
        raise
    return job


async def send(context: TenantContext, job: Job, *, delay: int = 0) -> None:
    await context.send(Queue.JOBS, {"version": 1, "job": job.key}, delay=delay)


async def forget(store: TenantStore, job: Job) -> None:
    await store.delete(Table.BACKUP, job.key)


class JobKeeper:
    """A job in the hands of the one who works on it."""

    def __init__(self, context: TenantContext, job: Job) -> None:
        self.context = context
        self.job = job

    async def save(self, **changes: object) -> None:
        """Raises JobLostError when somebody else wrote the row meanwhile."""
        job = replace(self.job, **changes)  # type: ignore[arg-type] # members of Job
        store = self.context.store
        try:
            etag = await store.update(Table.BACKUP, job.key, _values(job), etag=job.etag)
        except (Stale, NotFound) as error:
            raise JobLostError from error
        self.job = replace(job, etag=etag)

    async def check(self) -> None:
        """To be called before what must not happen twice. Raises JobLostError."""
        known = await read_job(self.context.store, self.job.key)
        if known is None or known.etag != self.job.etag:
            raise JobLostError


def _values(job: Job) -> dict[str, Value]:
    return split_binary(msgspec.json.encode(replace(job, etag="")))


def _read(row: Row) -> Job:
    job = msgspec.json.decode(join_binary(row.values), type=Job)
    return replace(job, etag=row.etag)
