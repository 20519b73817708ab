"""How a scan ends when it does not simply finish: somebody cancels it, its messages are given up, its time is over.

Every scan has a deadline. A message that was sent before the scan began comes back after it and ends what is left, so
that no scan stays open, whatever was lost on the way.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace
from datetime import datetime, timedelta

from drift.dispatch import send_next
from drift.measures import close
from drift.scans import (
    ENDED,
    Scan,
    ScanStatus,
    find_part,
    get_parts,
    get_scan,
    page_scans,
    save_part,
    save_scan,
)
from errors import Conflict, NotFound, Stale
from tenancy import audit
from tenancy.access import TenantContext
from tenancy.ids import SubscriptionId

logger = logging.getLogger(__name__)

LONGEST_SCAN = timedelta(hours=6)  # of a tenant, with all that Azure makes it wait for
MOST_OPEN = 50  # of the newest scans; older ones have ended, or their messages have
BROKEN = "The scan could not be carried out in five tries. The platform operator's log says why."
OVERDUE = "The scan did not come to its end in 6 hours. The next one starts afresh."
_OPEN = frozenset({ScanStatus.QUEUED, ScanStatus.RUNNING})


async def cancel_scan(context: TenantContext, scan_id: str, *, now: datetime) -> Scan:
    """Ends a scan: parts not started yet are cancelled. Raises Conflict when it has ended already."""
    scan = await get_scan(context.store, scan_id)
    if scan.status in ENDED:
        raise Conflict(f"This scan is {scan.status} already.")
    await cancel_parts(context, scan_id, now=now)
    scan = await save_scan(
        context.store, replace(scan, status=ScanStatus.CANCELLED, finished_at=now)
    )
    await audit.record(context.store, context.actor, "scan.cancel", scan_id, now=now)
    return scan


async def cancel_open_scans(context: TenantContext, *, now: datetime) -> None:
    """Ends every scan that has not ended: its tenant is suspended, no message of it is read any more, and who works on
    one stops at the next step."""
    scans, _ = await page_scans(context.store, after="", limit=MOST_OPEN)
    for scan in scans:
        if scan.status in ENDED:
            continue
        with contextlib.suppress(Conflict):  # it ended meanwhile
            await cancel_scan(context, scan.scan_id, now=now)
            await cancel_parts(context, scan.scan_id, now=now, started=True)


async def cancel_parts(
    context: TenantContext, scan_id: str, *, now: datetime, started: bool = False
) -> None:
    """Cancels the parts that wait, and with `started` those that run, too."""
    open_parts = _OPEN if started else {ScanStatus.QUEUED}
    for part in await get_parts(context.store, scan_id):
        if part.status in open_parts:
            cancelled = replace(part, status=ScanStatus.CANCELLED, finished_at=now)
            await save_part(context.store, cancelled)


async def end_overdue(context: TenantContext, scan: Scan, *, now: datetime) -> None:
    """Ends a scan whose time is over: what it read stands, and the parts that are still open have failed.

    Repeating it changes nothing; of two who end it at once, one does.
    """
    logger.error("scan failed", extra={"scan_id": scan.scan_id})  # raises an alert
    for part in await get_parts(context.store, scan.scan_id):
        if part.status in _OPEN:
            failed = replace(part, status=ScanStatus.FAILED, reason=OVERDUE, finished_at=now)
            await save_part(context.store, failed)
    parts = await get_parts(context.store, scan.scan_id)
    if await close(context, scan.scan_id, parts, now=now):
        return
    failed_scan = replace(scan, status=ScanStatus.FAILED, reason=OVERDUE, finished_at=now)
    with contextlib.suppress(Stale):
        await save_scan(context.store, failed_scan)


async def fail_scan(context: TenantContext, scan_id: str, *, now: datetime) -> None:
    """A scan-tenant message was given up: the scan says so instead of staying queued for ever."""
    try:
        scan = await get_scan(context.store, scan_id)
    except NotFound:
        return
    if scan.status not in ENDED:
        failed = replace(scan, status=ScanStatus.FAILED, reason=BROKEN, finished_at=now)
        await save_scan(context.store, failed)
        logger.error("scan failed", extra={"scan_id": scan_id})  # raises an alert


async def fail_subscription(
    context: TenantContext, scan_id: str, subscription_id: SubscriptionId, *, now: datetime
) -> None:
    """A scan-subscription message was given up: its part failed, and the scan goes on and ends without it."""
    part = await find_part(context.store, scan_id, subscription_id)
    if part is None:
        return
    if part.status not in ENDED:
        failed = replace(part, status=ScanStatus.FAILED, reason=BROKEN, finished_at=now)
        await save_part(context.store, failed)
        logger.error("subscription not scanned", extra={"scan_id": scan_id, "reason": "failed"})
    parts = await get_parts(context.store, scan_id)
    await send_next(context, scan_id, parts, subscription_id)
    await close(context, scan_id, parts, now=now)
