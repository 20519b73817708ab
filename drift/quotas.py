"""Quotas where they are met: before a scan begins, while one is under way, before a baseline is added, and each night.

The tenant is told once what was refused. Nothing is cut short silently: a scan over the quota of resources ends
incomplete with that as its reason, so that its findings stay as they are and nothing counts as removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from drift.archive import configurations
from drift.notices import announce
from drift.scans import Part, Scan, count_scans, find_scan
from drift.subscriptions import subscriptions
from errors import OverDailyQuota, OverQuota
from tenancy.access import TenantContext
from tenancy.quotas import check_resources, check_scans, check_stored, tomorrow
from tenancy.rowkeys import newest_first
from tenancy.usage import Level, merge_days


async def require_scan(context: TenantContext, scan: Scan, *, now: datetime) -> None:
    """Raises OverDailyQuota when the tenant's scans of today are used up. A scan that is there already is let through:
    it is asked for again. Counted from the scans themselves; of requests at the same moment each may be the last."""
    quotas = context.tenant.quotas
    if quotas.scans_a_day is None or await find_scan(context.store, scan.scan_id):
        return
    midnight = tomorrow(now) - timedelta(days=1)
    check_scans(quotas, await count_scans(context.store, since=midnight), now=now)


async def tell_scans(context: TenantContext, error: OverDailyQuota, *, now: datetime) -> None:
    """Tells the tenant, once a day, that scheduled scans rest until tomorrow."""
    text = f"{error.message} Scheduled scans go on then by themselves."
    await announce(context, _notice_id("scans", tomorrow(now)), text, now=now)


async def require_resources(context: TenantContext, part: Part, *, now: datetime) -> None:
    """Raises OverQuota when what was just read of a subscription is more than may be watched. The tenant is told once
    a day."""
    quotas = context.tenant.quotas
    if quotas.resources is None:
        return
    here = sum(coverage.rows for coverage in part.coverage)
    try:
        check_resources(quotas, here, await _watched_elsewhere(context, part))
    except OverQuota as error:
        text = f"{error.message} What was known of the subscription stays; nothing was concluded from this scan."
        await announce(context, _notice_id("resources", tomorrow(now)), text, now=now)
        raise OverQuota(text) from None


async def _watched_elsewhere(context: TenantContext, part: Part) -> int:
    watched = [item async for item in subscriptions(context.store)]
    known = await configurations(context.store, subscriptions=len(watched))
    return sum(
        known[item.subscription_id].resources
        for item in watched
        if item.monitored and item.subscription_id in known
        if item.subscription_id != part.subscription_id
    )


async def require_room(
    context: TenantContext, added: Sequence[bytes] = (), *, now: datetime
) -> None:
    """Raises OverQuota when what the tenant stores, and what is to be added, is over its quota. The tenant is told
    once a day. Without a quota nothing is measured."""
    quotas = context.tenant.quotas
    if quotas.stored_bytes is None:
        return
    try:
        check_stored(quotas, await context.store.stored_bytes(), sum(map(len, added)))
    except OverQuota as error:
        await announce(context, _notice_id("storage", tomorrow(now)), error.message, now=now)
        raise


async def roll_up(context: TenantContext, *, now: datetime) -> None:
    """Measures what the tenant stores, and makes one row of each past day's usage."""
    usage, store = context.deployment.usage, context.store
    usage.note(context.tenant.tenant_id, Level.STORED_BYTES, await store.stored_bytes())
    await usage.write(store)
    await merge_days(store, today=now.date())


def _notice_id(what: str, day: datetime) -> str:
    """One a day and kind: it sorts among the notices by the day's end."""
    return f"{newest_first(day)}.quota.{what}"
