"""When tenants are scanned: the timer's tick, and what a new schedule means for it."""

from __future__ import annotations

import asyncio
import logging
import zlib
from dataclasses import replace
from datetime import datetime, timedelta

import telemetry
from drift.measures import tell_age
from drift.preferences import next_slot
from drift.quotas import tell_scans
from drift.scan import TooManyOpen, start_scan
from errors import Conflict, DriftError, NotFound, OverDailyQuota, Stale
from tenancy.access import TenantContext, serve, tend
from tenancy.deployment import Deployment
from tenancy.quotas import tomorrow
from tenancy.records import change_tenant
from tenancy.store import Table
from tenancy.tenants import ROW, Tenant, TenantStatus

logger = logging.getLogger(__name__)

AT_ONCE = (
    16  # tenants: at the full hour all may be due, and one after the other they would take minutes
)
AGE_EVERY = 10  # minutes


async def tick(deployment: Deployment, *, now: datetime) -> int:
    """Starts the scans that are due and returns how many. Firing twice or late starts none twice."""
    with telemetry.span(telemetry.TICK, parent="") as ticked:
        started = await _tick(deployment, now=now)
        ticked.note(started=started)
    await deployment.registry.record_tick(now)
    logger.info("tick finished", extra={"started": started})  # its absence raises an alert
    return started


async def _tick(deployment: Deployment, *, now: datetime) -> int:
    due, aged = [], []
    async for tenant in deployment.registry.tenants():
        if tenant.status is not TenantStatus.ACTIVE:
            continue
        if telemetry.is_on() and _tells_age(tenant, now):
            aged.append(tenant)
        if tenant.next_scan_at is not None and tenant.next_scan_at <= now:
            due.append(tenant)
    places = asyncio.Semaphore(AT_ONCE)

    async def start(tenant: Tenant) -> int:
        async with places:
            return await _try_start(deployment, tenant, now=now)

    async def tell(tenant: Tenant) -> None:
        async with places:
            await _tell_age(deployment, tenant, now=now)

    started = sum(await asyncio.gather(*map(start, due)))
    await asyncio.gather(*map(tell, aged))
    return started


def _tells_age(tenant: Tenant, now: datetime) -> bool:
    """Whether it is the tenant's minute. It costs a read of storage, so it is one in AGE_EVERY, for each another."""
    return (now.minute + zlib.crc32(tenant.tenant_id.encode())) % AGE_EVERY == 0


async def _tell_age(deployment: Deployment, tenant: Tenant, *, now: datetime) -> None:
    try:
        await tell_age(tend(deployment, tenant).store, now=now)
    except DriftError as error:
        extra = {"tenant_id": tenant.tenant_id, "reason": error.message}
        logger.warning("age not told", extra=extra)


async def _try_start(deployment: Deployment, tenant: Tenant, *, now: datetime) -> int:
    try:
        return await _start_due(deployment, tenant, now=now)
    except (
        DriftError
    ) as error:  # of one tenant: the others are due all the same, and the next tick tries again
        extra = {"tenant_id": tenant.tenant_id, "reason": error.message}
        logger.error("scan not started", extra=extra)  # noqa: TRY400 - the reason says it all
        return 0


async def _start_due(deployment: Deployment, tenant: Tenant, *, now: datetime) -> int:
    try:
        context = await serve(deployment, tenant.tenant_id)
    except (Conflict, NotFound):  # closed since the list was read
        return 0
    slot = context.tenant.next_scan_at
    if slot is None or slot > now:  # another tick was here
        return 0
    # The scan's id follows from the slot: if the next line fails, the repetition finds the same scan.
    who = context.actor.name
    started, after = 1, now
    try:
        await start_scan(context, slot=slot, trigger="schedule", requested_by=who, now=now)
    except TooManyOpen:  # this slot is left out: the scans that wait will read what it would
        logger.warning("scan left out", extra={"tenant_id": tenant.tenant_id})
        started = 0
    except OverDailyQuota as error:
        await tell_scans(context, error, now=now)
        started, after = 0, tomorrow(now) - timedelta(microseconds=1)
    try:
        await _set_next(context, now=after)
    except Stale:
        logger.info("another tick moved the schedule on", extra={"tenant_id": tenant.tenant_id})
    await context.deployment.usage.write(context.store)
    return started


async def reschedule(context: TenantContext, schedule: str, *, now: datetime) -> None:
    """Puts the next scan where a new schedule says, whatever a tick does at the same time."""
    following = next_slot(schedule, now) if schedule else None
    await change_tenant(
        context, lambda tenant: replace(tenant, schedule=schedule, next_scan_at=following)
    )


async def _set_next(context: TenantContext, *, now: datetime) -> None:
    schedule = context.tenant.schedule
    following = next_slot(schedule, now) if schedule else None
    tenant = replace(context.tenant, next_scan_at=following)
    await context.store.update(Table.TENANT, ROW, tenant.values(), etag=tenant.etag)
