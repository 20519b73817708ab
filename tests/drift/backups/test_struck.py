"""A backup whose process or whose storage fails at one of its writes, rows, blobs or messages: it comes again, and one
whole backup is made of it. Faults 31 and 32; I04 I06 I11."""

from __future__ import annotations

from datetime import timedelta

import pytest

from drift.backups import making, running
from drift.backups.holdings import HOLDINGS
from drift.backups.jobs import JobStatus
from drift.backups.manifest import folder_of
from tenancy.access import serve
from tenancy.ids import TenantId
from tests.drift.backups.conftest import Vaulted, now
from tests.drift.strikes import ANSWERS, Strike, StruckDeployment

LATER = timedelta(minutes=6)  # a lease has ended by then


async def strike_backups(
    vaulted: Vaulted, struck: StruckDeployment, strike: Strike, *, first: int, step: int
) -> int:
    """A backup for each of the writes to strike, until none is left; how many backups those were."""
    context = await serve(struck, TenantId(vaulted.watched.tenant_id))
    number, reached = 0, True
    while reached:
        job = await making.request_backup(await vaulted.context(), now=now())
        await vaulted.watched.host.take("jobs")
        struck.line.order(strike, first + number * step)
        await struck.survives(running.run_job(context, job.key, clock=now))
        reached = struck.line.reached
        await running.run_job(context, job.key, clock=lambda: now() + LATER)
        done = await vaulted.run(job)
        assert (done.status, done.reason) == (JobStatus.DONE, ""), number
        blobs = await context.blobs.list(folder_of(job.job_id))
        assert len(blobs) == len(HOLDINGS) + 1, number
        assert (await vaulted.dry_run(job.job_id)).status is JobStatus.DONE, number
        number += 1
    return number


@pytest.mark.parametrize("strike", ANSWERS)
async def test_backup_struck_at_some_writes_is_whole(
    vaulted: Vaulted, struck: StruckDeployment, strike: Strike
) -> None:
    """At others for each kind of answer."""
    first = 1 if strike is Strike.STALE else 2 + 3 * ANSWERS.index(strike)
    assert await strike_backups(vaulted, struck, strike, first=first, step=16) > 1


@pytest.mark.slow
@pytest.mark.parametrize("strike", Strike)
async def test_backup_struck_at_every_write_is_whole(
    vaulted: Vaulted, struck: StruckDeployment, strike: Strike
) -> None:
    rounds = await strike_backups(vaulted, struck, strike, first=1, step=1)
    assert rounds > (1 if strike is Strike.STALE else 2 * len(HOLDINGS))
