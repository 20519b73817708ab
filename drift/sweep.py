"""The daily sweep: each active tenant is sent the message of its upkeep (drift/upkeep.py), secrets that nobody uses go,
and the erasures that are due are begun or gone on with (drift/erasure.py)."""

from __future__ import annotations

import logging
from datetime import datetime

import telemetry
from drift import erasure
from drift.rotation import tidy_secrets
from errors import DriftError
from tenancy.deployment import Deployment
from tenancy.queues import Queue
from tenancy.tenants import Tenant, TenantStatus

logger = logging.getLogger(__name__)

MOST_IN_A_ROW = 3


async def sweep(deployment: Deployment, *, now: datetime) -> int:
    """Returns how many messages it sent. A message that comes twice does no harm.

    What fails stops none of the rest, and is raised at the end: the host tells of it, and the next day tries again.
    """
    with telemetry.span(telemetry.SWEEP, parent=""):
        return await _sweep(deployment, now=now)


async def _sweep(deployment: Deployment, *, now: datetime) -> int:
    done, errors = [], []
    for part in (send_upkeep, erasure.send_due, tidy_secrets):
        try:
            done.append(await part(deployment, now=now))
        except DriftError as error:
            errors.append(error)
    if errors:
        raise errors[0]
    logger.info("sweep finished", extra={"tenants": done[0], "erasures": done[1]})
    return done[0] + done[1]


async def send_upkeep(deployment: Deployment, *, now: datetime) -> int:
    """A suspended tenant keeps everything: it is closed, perhaps because of what is in it.

    What fails for one tenant holds up none of those behind it, and is raised at the end. After MOST_IN_A_ROW failures
    the queue is away: each further tenant would take as long as a message is tried.
    """
    sent = in_a_row = 0
    errors: list[DriftError] = []
    async for tenant in deployment.registry.tenants():
        try:
            sent += await _send_upkeep_of(deployment, tenant, now=now)
            in_a_row = 0
        except DriftError as error:
            errors.append(error)
            extra = {"tenant_id": tenant.tenant_id, "reason": error.message}
            logger.error("upkeep not sent", extra=extra)  # noqa: TRY400 - the reason says it all
            in_a_row += 1
            if in_a_row == MOST_IN_A_ROW:
                break
    if errors:
        raise errors[0]
    return sent


async def _send_upkeep_of(deployment: Deployment, tenant: Tenant, *, now: datetime) -> int:
    if tenant.status is TenantStatus.ACTIVE:
        body: dict[str, str | int] = {"version": 1, "tenant_id": tenant.tenant_id}
        await deployment.queues.send(Queue.KEEP_TENANT, body)
        return 1
    if tenant.status is TenantStatus.DELETED:
        await erasure.adopt(deployment, tenant, now=now)
    return 0
