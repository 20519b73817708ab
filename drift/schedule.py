"""When tenants are scanned: the timer's tick, and what a change of settings means for it."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

import msgspec

from drift.preferences import Preferences, get_preferences, next_slot, save_preferences
from drift.scan import start_scan
from errors import Conflict, DriftError, NotFound, Stale
from tenancy import audit
from tenancy.access import TenantContext, serve
from tenancy.deployment import Deployment
from tenancy.store import Table
from tenancy.tenants import ROW, Tenant, TenantStatus

logger = logging.getLogger(__name__)


async def tick(deployment: Deployment, *, now: datetime) -> int:
    """Starts the scans that are due and returns how many. Firing twice or late starts none twice."""
    started = 0
    async for tenant in deployment.registry.tenants():
        due = tenant.next_scan_at is not None and tenant.next_scan_at <= now
        if tenant.status is not TenantStatus.ACTIVE or not due:
            continue
        try:
            started += await _start_due(deployment, tenant, now=now)
        except (
            DriftError
        ) as error:  # of one tenant: the others are due all the same, and the next tick tries again
            extra = {"tenant_id": tenant.tenant_id, "reason": error.message}
            logger.error("scan not started", extra=extra)  # noqa: TRY400 - the reason says it all
    await deployment.registry.record_tick(now)
    logger.info("tick finished", extra={"started": started})  # its absence raises an alert
    return started


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
    await start_scan(context, slot=slot, trigger="schedule", requested_by=who, now=now)
    try:
        await _set_next(context, now=now)
    except Stale:
        logger.info("another tick moved the schedule on", extra={"tenant_id": tenant.tenant_id})
    return 1


async def change_preferences(
    context: TenantContext, preferences: Preferences, *, etag: str, now: datetime
) -> str:
    """Saves a tenant's settings, puts its next scan where the schedule says and returns the new ETag."""
    before = (await get_preferences(context.store)).preferences
    etag = await save_preferences(context.store, preferences, etag=etag)
    if preferences.schedule != context.tenant.schedule:
        tenant = replace(context.tenant, schedule=preferences.schedule)
        await _set_next(replace(context, tenant=tenant), now=now)
    detail = _changed_fields(before, preferences)
    await audit.record(
        context.store, context.actor, "settings.change", "settings", now=now, detail=detail
    )
    return etag


def _changed_fields(before: Preferences, after: Preferences) -> str:
    """JSON of what differs: field -> before and after."""
    old, new = msgspec.to_builtins(before), msgspec.to_builtins(after)
    changed = {
        name: {"before": old[name], "after": new[name]} for name in new if old[name] != new[name]
    }
    return msgspec.json.encode(changed).decode()


async def _set_next(context: TenantContext, *, now: datetime) -> None:
    schedule = context.tenant.schedule
    following = next_slot(schedule, now) if schedule else None
    tenant = replace(context.tenant, next_scan_at=following)
    await context.store.update(Table.TENANT, ROW, tenant.values(), etag=tenant.etag)
