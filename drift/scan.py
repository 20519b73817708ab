"""The whole story of a scan: it is asked for, fans out over the tenant's subscriptions, each is read, compared and
recorded, and the last one to finish closes it.

Every step may run twice, late, or die half-way; the outcome is the same. Nothing is concluded from what was not read.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from drift import lease as leases
from drift.arm import open_arm
from drift.baseline_documents import load_baseline
from drift.baselines import get_baseline
from drift.collect import SubscriptionReader
from drift.confirm import Confirmer
from drift.detect import Detected, Held, Policy, detect
from drift.findings import commit
from drift.notices import publish
from drift.observe import observe
from drift.preferences import get_preferences
from drift.rules import count_hits, rules_in_force
from drift.scans import (
    ENDED,
    Coverage,
    Part,
    Scan,
    ScanStatus,
    close_scan,
    create_part,
    create_scan,
    find_part,
    get_parts,
    get_scan,
    page_scans,
    save_part,
    save_scan,
    scan_id_of,
)
from drift.settle import Settled, settle
from drift.subscriptions import Subscription, get_subscription, refresh, save
from errors import Conflict, DriftError, NotFound, Stale, Unreadable
from tenancy import audit
from tenancy.access import TenantContext, serve
from tenancy.ids import SubscriptionId
from tenancy.queues import Queue
from tenancy.tenants import TenantStatus

logger = logging.getLogger(__name__)

LONGEST_DELAY = 60  # seconds until a message that found its subscription busy comes back
ATTRIBUTION = "resourcechanges"  # the source that says who made a change
MOST_OPEN = 50  # of the newest scans; older ones have ended, or their messages have
UNMONITORED = "The subscription is not monitored any more."
BROKEN = "The scan could not be carried out in five tries. The platform operator's log says why."


async def start_scan(
    context: TenantContext, *, slot: datetime, trigger: str, requested_by: str
) -> Scan:
    """Creates the scan of a moment and queues it. The same moment again is the same scan, queued once more.

    Raises Conflict for a suspended tenant, which a platform operator may be in: nobody would read the message.
    """
    if context.tenant.status is TenantStatus.SUSPENDED:
        raise Conflict("This tenant is suspended: nothing is scanned until it is resumed.")
    scan = Scan(
        scan_id=scan_id_of(context.tenant.tenant_id, slot, trigger),
        status=ScanStatus.QUEUED,
        trigger=trigger,
        requested_by=requested_by,
        created_at=slot,
    )
    await create_scan(context.store, scan)
    await context.send(Queue.SCAN_TENANT, {"version": 1, "scan_id": scan.scan_id})
    if context.actor != audit.SYSTEM:  # those of the schedule are in the list of scans
        await audit.record(context.store, context.actor, "scan.start", scan.scan_id, now=slot)
    return scan


async def scan_tenant(context: TenantContext, scan_id: str, *, now: datetime) -> None:
    """Lists the tenant's subscriptions with its own credential and sends one message for each monitored one."""
    scan = await get_scan(context.store, scan_id)
    if scan.status in ENDED:
        await _cancel_parts(context, scan_id, now=now)  # made while somebody cancelled the scan
        return
    try:
        known = await refresh(context, now=now)
    except DriftError as error:
        await save_scan(
            context.store,
            replace(scan, status=ScanStatus.INCOMPLETE, reason=error.message, finished_at=now),
        )
        return
    monitored = [subscription for subscription in known if subscription.monitored]
    for subscription in monitored:
        await create_part(
            context.store, Part(scan_id, subscription.subscription_id, ScanStatus.QUEUED)
        )
    if scan.status is ScanStatus.QUEUED:
        running = replace(scan, status=ScanStatus.RUNNING, subscriptions=len(monitored))
        await save_scan(context.store, running)
    for subscription in monitored:
        await _send_part(context, scan_id, subscription.subscription_id)
    await close_scan(context.store, scan_id, now=now)


async def scan_subscription(
    context: TenantContext,
    scan_id: str,
    subscription_id: SubscriptionId,
    *,
    clock: Callable[[], datetime],
) -> None:
    """Scans one subscription under its lease. If somebody else holds it, the message goes back for later."""
    part = await find_part(context.store, scan_id, subscription_id)
    if part is None:
        return
    if part.status in ENDED:  # the run that ended it may have died before these two
        await publish(context, subscription_id, now=clock())
        await close_scan(context.store, scan_id, now=clock())
        return
    try:
        lease = await leases.acquire(context.store, subscription_id, scan_id, now=clock())
    except leases.Busy as busy:
        delay = max(1, min(LONGEST_DELAY, round(busy.retry_after)))
        await _send_part(context, scan_id, subscription_id, delay=delay)
        return
    tenant_id = context.tenant.tenant_id
    keeper = leases.LeaseKeeper(
        context.store, lease, clock, lambda: serve(context.deployment, tenant_id)
    )
    try:
        part = replace(part, status=ScanStatus.RUNNING, started_at=clock())
        await save_part(context.store, part)
        subscription = await get_subscription(context.store, subscription_id)
        if subscription.monitored:
            part = await _scan(context, subscription, part, keeper, clock)
        else:  # since the scan began: it may be another tenant's by now
            part = replace(part, status=ScanStatus.CANCELLED, reason=UNMONITORED)
        await save_part(context.store, replace(part, finished_at=clock()))
        await publish(context, subscription_id, now=clock())
    finally:
        await keeper.release()
    await close_scan(context.store, scan_id, now=clock())


async def _scan(
    context: TenantContext,
    subscription: Subscription,
    part: Part,
    keeper: leases.LeaseKeeper,
    clock: Callable[[], datetime],
) -> Part:
    """Reads, records and compares one subscription. What Azure refuses ends the part incomplete, with the reason."""
    try:
        arm = open_arm(context, await context.credential())
        reader = SubscriptionReader(arm, part.subscription_id)
        secret_key = await context.fingerprint_key()
        observed = await observe(context.store, reader, secret_key, keeper)
        part = replace(part, coverage=observed.coverage)
        if observed.reason:
            return _incomplete(part, observed.reason, observed.permission)
        confirmer = Confirmer(reader, secret_key)
        await keeper.keep()
        settled = await settle(
            context.store,
            part.subscription_id,
            observed,
            confirmer,
            scan_id=part.scan_id,
            fence=keeper.fence,
            now=clock(),
        )
        if settled.held_back:
            return _incomplete(part, settled.held_back)
        await keeper.keep()
        detected = await _detect(
            context, subscription, settled, reader, confirmer, part, keeper, clock
        )
    except Stale:  # somebody wrote what this scan read: it is repeated and starts from there
        raise
    except Unreadable as error:
        return _incomplete(part, error.message, error.permission)
    except DriftError as error:
        logger.warning(
            "subscription not scanned",
            extra={"scan_id": part.scan_id, "reason": type(error).__name__},
        )
        return _incomplete(part, error.message)
    part = replace(
        part,
        resources=settled.resources,
        changed=settled.changed,
        skipped=observed.skipped,
        skipped_examples=observed.skipped_examples,
        findings=detected.unsettled,
        baseline_id=subscription.active_baseline,
    )
    if detected.unattributed:
        return _without_attribution(part, detected)
    return replace(part, status=ScanStatus.COMPLETE)


async def _detect(
    context: TenantContext,
    subscription: Subscription,
    settled: Settled,
    reader: SubscriptionReader,
    confirmer: Confirmer,
    part: Part,
    keeper: leases.LeaseKeeper,
    clock: Callable[[], datetime],
) -> Detected:
    """Compares with the active baseline and commits findings and their events."""
    if not subscription.active_baseline:
        return Detected((), 0)
    store = context.store
    baseline = await get_baseline(store, subscription.active_baseline)
    index = settled.current
    if baseline.snapshot_id != settled.current.snapshot_id:
        index = await load_baseline(context, baseline)
    held = Held(
        subscription.subscription_id, baseline.baseline_id, index, settled.current, settled.fresh
    )
    rules = await rules_in_force(store, now=clock())
    policy = Policy(
        (await get_preferences(store)).preferences.scope,
        rules.rules,
        changed=rules.version != subscription.rules_version,
    )
    detected = await detect(store, reader, confirmer, held, policy, now=clock())
    await keeper.keep()
    await commit(store, subscription.subscription_id, part.scan_id, detected.transitions)
    await count_hits(store, detected.hits, now=clock())
    if policy.changed:
        await save(store, replace(subscription, rules_version=rules.version))
    return detected


async def cancel_scan(context: TenantContext, scan_id: str, *, now: datetime) -> Scan:
    """Ends a scan: parts not started yet are cancelled. Raises Conflict when it has ended already."""
    scan = await get_scan(context.store, scan_id)
    if scan.status in ENDED:
        raise Conflict(f"This scan is {scan.status} already.")
    await _cancel_parts(context, scan_id, now=now)
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
            await _cancel_parts(context, scan.scan_id, now=now, started=True)


async def _cancel_parts(
    context: TenantContext, scan_id: str, *, now: datetime, started: bool = False
) -> None:
    open_parts = {ScanStatus.QUEUED, ScanStatus.RUNNING} if started else {ScanStatus.QUEUED}
    for part in await get_parts(context.store, scan_id):
        if part.status in open_parts:
            cancelled = replace(part, status=ScanStatus.CANCELLED, finished_at=now)
            await save_part(context.store, cancelled)


async def fail_scan(context: TenantContext, scan_id: str, *, now: datetime) -> None:
    """A scan-tenant message was given up: the scan says so instead of staying queued for ever."""
    try:
        scan = await get_scan(context.store, scan_id)
    except NotFound:
        return
    if scan.status not in ENDED:
        failed = replace(scan, status=ScanStatus.FAILED, reason=BROKEN, finished_at=now)
        await save_scan(context.store, failed)


async def fail_subscription(
    context: TenantContext, scan_id: str, subscription_id: SubscriptionId, *, now: datetime
) -> None:
    """A scan-subscription message was given up: its part failed, and the scan ends without it."""
    part = await find_part(context.store, scan_id, subscription_id)
    if part is None or part.status in ENDED:
        return
    failed = replace(part, status=ScanStatus.FAILED, reason=BROKEN, finished_at=now)
    await save_part(context.store, failed)
    await close_scan(context.store, scan_id, now=now)


async def _send_part(
    context: TenantContext, scan_id: str, subscription_id: SubscriptionId, *, delay: int = 0
) -> None:
    body: dict[str, str | int] = {
        "version": 1,
        "scan_id": scan_id,
        "subscription_id": subscription_id,
    }
    await context.send(Queue.SCAN_SUBSCRIPTION, body, delay=delay)


def _without_attribution(part: Part, detected: Detected) -> Part:
    """The findings stand; only who made the changes is missing."""
    missed = Coverage(ATTRIBUTION, False, reason=detected.unattributed)
    reason = f"{ATTRIBUTION}: {detected.unattributed}"
    return _incomplete(replace(part, coverage=(*part.coverage, missed)), reason)


def _incomplete(part: Part, reason: str, permission: str = "") -> Part:
    return replace(part, status=ScanStatus.INCOMPLETE, reason=reason, permission=permission)
