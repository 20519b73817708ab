"""From a message to the job that it names: once, whoever else got the same message."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from drift.backups import exporting, making, restoring
from drift.backups.jobs import BROKEN, JobKeeper, JobLostError, JobStatus, Kind, read_job
from drift.notices import announce
from errors import DriftError, Stale, Throttled, Unavailable
from tenancy.access import TenantContext
from tenancy.rowkeys import newest_first

logger = logging.getLogger(__name__)

Work = Callable[[JobKeeper, Callable[[], datetime]], Awaitable[None]]
WORK: dict[Kind, Work] = {
    Kind.BACKUP: making.make,
    Kind.DRY_RUN: restoring.dry_run,
    Kind.RESTORE: restoring.restore,
    Kind.EXPORT: exporting.export,
}
PASSING = (Stale, Throttled, Unavailable)  # what may be over at the next try


async def run_job(context: TenantContext, key: str, *, clock: Callable[[], datetime]) -> None:
    """Carries out a job, unless it has ended. What cannot get better by trying again fails it, with the reason."""
    job = await read_job(context.store, key)
    if job is None or job.status not in {JobStatus.QUEUED, JobStatus.RUNNING}:
        return
    keeper = JobKeeper(context, job)
    try:
        await keeper.save(status=JobStatus.RUNNING, started_at=job.started_at or clock())
        await WORK[job.kind](keeper, clock)
    except JobLostError:
        logger.info("job is in other hands", extra=_named(context, key))
    except PASSING:
        raise
    except DriftError as error:
        await _fail(keeper, error.message, clock())


async def give_up(context: TenantContext, key: str, *, clock: Callable[[], datetime]) -> None:
    """The message was tried five times."""
    job = await read_job(context.store, key)
    if job is not None and job.status in {JobStatus.QUEUED, JobStatus.RUNNING}:
        await _fail(JobKeeper(context, job), BROKEN, clock())


async def _fail(keeper: JobKeeper, reason: str, now: datetime) -> None:
    """A restore that fails when the tenant is closed leaves it closed; it can be asked for again. Of a backup that
    nobody waits for the tenant is told."""
    logger.error("job failed", extra=_named(keeper.context, keeper.job.key))  # raises an alert
    await keeper.save(status=JobStatus.FAILED, reason=reason, finished_at=now)
    if keeper.job.kind is Kind.BACKUP:
        text = f"The backup of {keeper.job.created_at:%Y-%m-%d} failed. {reason}"
        await announce(keeper.context, f"{newest_first(now)}-{keeper.job.key}", text, now=now)


def _named(context: TenantContext, key: str) -> dict[str, str]:
    return {"tenant_id": context.tenant.tenant_id, "job": key}
