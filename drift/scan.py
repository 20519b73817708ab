"""The whole story of a scan: it is asked for, fans out over the tenant's subscriptions, each is read, compared and
recorded, and the last one to finish closes it.

Every step may run twice, late, or die half-way; the outcome is the same. Nothing is concluded from what was not read.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

import telemetry
from drift import lease as leases
from drift.api_versions import ApiVersions
from drift.arm import open_arm
from drift.attribution import Attributor
from drift.baseline_documents import load_baseline
from drift.baselines import get_baseline
from drift.collect import SubscriptionReader
from drift.confirm import Confirmer
from drift.connection import find_connection
from drift.detect import Detected, Held, Policy, detect
from drift.dispatch import send_first, send_next, send_part
from drift.endings import LONGEST_SCAN, cancel_parts, end_overdue
from drift.engine.findings import Status
from drift.findings import commit, known_findings
from drift.measures import close
from drift.notices import publish
from drift.observe import Observed, observe
from drift.pace import Pace
from drift.preferences import get_preferences
from drift.quotas import require_resources, require_scan
from drift.rules import count_hits, rules_in_force
from drift.scans import (
    ENDED,
    Coverage,
    Part,
    Scan,
    ScanStatus,
    create_part,
    create_scan,
    find_part,
    find_scan,
    get_parts,
    get_scan,
    page_scans,
    save_part,
    save_scan,
    scan_id_of,
)
from drift.settle import Settled, settle
from drift.subscriptions import Subscription, get_subscription, refresh, save
from errors import Conflict, DriftError, Stale, Throttled, Unreadable
from tenancy import audit
from tenancy.access import TenantContext, serve
from tenancy.ids import SubscriptionId
from tenancy.queues import Queue
from tenancy.tenants import TenantStatus
from tenancy.usage import Count

logger = logging.getLogger(__name__)

LONGEST_DELAY = 60  # seconds until a message that found its subscription busy comes back
ATTRIBUTION = "resourcechanges"  # the source that says who made a change
UNMONITORED = "The subscription is not monitored any more."
MOST_OPEN = 10  # scans of one tenant at a time: what waits behind them would be no newer when its turn comes
CLOCK_MARGIN = timedelta(minutes=5)  # that this machine's clock may be behind the queue's


class TooManyOpen(Conflict):
    """So many scans of the tenant have not ended that one more would only wait behind them."""

    def __init__(self) -> None:
        super().__init__(
            f"{MOST_OPEN} scans of this tenant have not ended yet. Wait for one of them, or cancel one."
        )


async def start_scan(
    context: TenantContext, *, slot: datetime, trigger: str, requested_by: str, now: datetime
) -> Scan:
    """Creates the scan of a moment and queues it. The same moment again is the same scan, queued once more.

    Raises Conflict for a suspended tenant, which a platform operator may be in: nobody would read the message; and
    TooManyOpen, and OverDailyQuota when the tenant's scans of today are used up.
    """
    if context.tenant.status is TenantStatus.SUSPENDED:
        raise Conflict("This tenant is suspended: nothing is scanned until it is resumed.")
    scan = Scan(
        scan_id=scan_id_of(context.tenant.tenant_id, slot, trigger),
        status=ScanStatus.QUEUED,
        trigger=trigger,
        requested_by=requested_by,
        created_at=slot,
        deadline=now + LONGEST_SCAN,
    )
    newest, _ = await page_scans(context.store, after="", limit=MOST_OPEN)
    if len(newest) == MOST_OPEN and all(
        one.status not in ENDED and one.scan_id != scan.scan_id for one in newest
    ):
        raise TooManyOpen
    await require_scan(context, scan, now=now)
    ids = {"tenant_id": context.tenant.tenant_id, "scan_id": scan.scan_id}
    with telemetry.span(telemetry.START, **ids):
        await _queue(context, scan)
    if context.actor != audit.SYSTEM:  # those of the schedule are in the list of scans
        await audit.record(context.store, context.actor, "scan.start", scan.scan_id, now=slot)
    return scan


async def _queue(context: TenantContext, scan: Scan) -> None:
    message: dict[str, str | int] = {"version": 1, "scan_id": scan.scan_id}
    # What ends the scan if all else is lost goes first: it finds nothing to do if the scan is never made.
    overtime = LONGEST_SCAN + CLOCK_MARGIN
    await context.send(Queue.SCAN_TENANT, message, delay=int(overtime.total_seconds()))
    if await create_scan(context.store, scan):
        context.deployment.usage.add(context.tenant.tenant_id, Count.SCANS)
    await context.send(Queue.SCAN_TENANT, message)


async def scan_tenant(context: TenantContext, scan_id: str, *, now: datetime) -> None:
    """Lists the tenant's subscriptions with its own credential and makes a part of each monitored one.

    The same message comes once more after the scan's deadline and then ends what is left of it.
    """
    scan = await find_scan(context.store, scan_id)
    if scan is None:
        return
    if scan.status in ENDED:
        await cancel_parts(context, scan_id, now=now)  # made while somebody cancelled the scan
        return
    if now >= scan.deadline:
        await end_overdue(context, scan, now=now)
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
    parts = await get_parts(context.store, scan_id)
    await send_first(context, scan_id, parts)
    await close(context, scan_id, parts, now=now)


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
    if part.status in ENDED:  # the run that ended it may have died before this
        await _go_on(context, part, clock)
        return
    try:
        lease = await leases.acquire(context.store, subscription_id, scan_id, now=clock())
    except leases.Busy as busy:
        delay = max(1, min(LONGEST_DELAY, round(busy.retry_after)))
        await send_part(context, scan_id, subscription_id, delay=delay)
        return
    keeper = leases.LeaseKeeper(context.store, lease, clock)
    given_back = False
    try:
        part = replace(part, status=ScanStatus.RUNNING, started_at=clock(), reason="")
        await save_part(context.store, part)
        subscription = await get_subscription(context.store, subscription_id)
        if subscription.monitored:
            part = await _scan(context, subscription, part, keeper, clock)
        else:  # since the scan began: it may be another tenant's by now
            part = replace(part, status=ScanStatus.CANCELLED, reason=UNMONITORED)
        if part.status is ScanStatus.QUEUED:  # it waits for Azure
            return
        await save_part(context.store, replace(part, finished_at=clock()))
        given_back = part.status in leases.GIVEN_BACK
    finally:
        if not given_back:
            await keeper.release()
    await _go_on(context, part, clock)


async def _go_on(context: TenantContext, part: Part, clock: Callable[[], datetime]) -> None:
    """What follows when a part has ended: its notices, the next part, and the end of the scan if it was the last."""
    await publish(context, part.subscription_id, now=clock())
    parts = await get_parts(context.store, part.scan_id)
    await send_next(context, part.scan_id, parts, part.subscription_id)
    await close(context, part.scan_id, parts, now=clock())


async def _wait_or_end(
    context: TenantContext, part: Part, retry_after: float, now: datetime
) -> Part:
    """The part as it is; but if it is incomplete because Azure asks to wait for longer than a function should, its
    message goes back until then, and none of its tries is used up. Beyond the scan's deadline nothing waits."""
    if not retry_after:
        return part
    scan = await get_scan(context.store, part.scan_id)
    resume_at = now + timedelta(seconds=retry_after)
    if scan.status in ENDED or resume_at >= scan.deadline:
        return part
    reason = f"{part.reason} The scan goes on at {resume_at:%H:%M} UTC."
    waiting = replace(part, status=ScanStatus.QUEUED, reason=reason)
    await save_part(context.store, waiting)
    delay = math.ceil(retry_after)
    await send_part(context, part.scan_id, part.subscription_id, delay=delay)
    return waiting


def _watch(context: TenantContext, lineage: str) -> Callable[[], Awaitable[None]]:
    """What a scan under way looks at: that its tenant is open, and the connection that it reads with not removed. A
    replaced one may be held on to; one that was removed and made anew may not. The tenant's row says both; only where
    it says another connection, that one's own row decides."""

    async def look() -> None:
        seen = await serve(context.deployment, context.tenant.tenant_id)
        if lineage and seen.tenant.connection == lineage:
            return
        known = await find_connection(context)
        if known is None or known.lineage != lineage:
            raise leases.ConnectionRemovedError

    return look


async def _scan(
    context: TenantContext,
    subscription: Subscription,
    part: Part,
    keeper: leases.LeaseKeeper,
    clock: Callable[[], datetime],
) -> Part:
    """Reads, records and compares one subscription. What Azure refuses ends the part incomplete, with the reason."""
    try:
        credential = await context.credential()
        keeper.watch(_watch(context, credential.lineage))
        arm = open_arm(context, credential)
        reader = SubscriptionReader(arm, part.subscription_id, Pace(context.store, clock))
        secret_key = await context.fingerprint_key()
        observed = await observe(context.store, reader, secret_key, keeper)
        part = replace(part, coverage=observed.coverage)
        if observed.reason:
            part = _incomplete(part, observed.reason, observed.permission)
            return await _wait_or_end(context, part, observed.retry_after, clock())
        await require_resources(context, part, now=clock())
        versions = ApiVersions(context.store, reader, clock)
        confirmer, attributor = Confirmer(reader, secret_key, versions), Attributor(reader)
        settled = await settle(
            context.store,
            part.subscription_id,
            observed,
            confirmer,
            attributor,
            keeper,
            scan_id=part.scan_id,
            now=clock(),
        )
        if settled.held_back:
            return _incomplete(part, settled.held_back)
        detected = await _detect(
            context, subscription, settled, confirmer, attributor, part, keeper, clock
        )
    except (Stale, Throttled):  # of the first somebody wrote it; both are for who called
        raise
    except Unreadable as error:
        return _incomplete(part, error.message, error.permission)
    except (DriftError, leases.ConnectionRemovedError) as error:
        logger.warning(
            "subscription not scanned",
            extra={"scan_id": part.scan_id, "reason": type(error).__name__},
        )
        return _incomplete(part, error.message)
    part = _counted(part, observed, settled)
    part = replace(part, findings=detected.unsettled, baseline_id=subscription.active_baseline)
    if attributor.unread:
        return _without_attribution(part, attributor.unread)
    return replace(part, status=ScanStatus.COMPLETE)


async def _detect(
    context: TenantContext,
    subscription: Subscription,
    settled: Settled,
    confirmer: Confirmer,
    attributor: Attributor,
    part: Part,
    keeper: leases.LeaseKeeper,
    clock: Callable[[], datetime],
) -> Detected:
    """Compares with the active baseline and commits findings and their events."""
    if not subscription.active_baseline:
        return Detected((), 0)
    store, index = context.store, settled.current
    known = await known_findings(store, subscription.subscription_id)
    agreed = subscription.is_agreed(index.snapshot_id)
    if agreed and all(item.status == Status.RESOLVED for item in known):
        return Detected((), 0)  # nothing differs and nothing is left to close: no policy is needed
    if not agreed:
        baseline = await get_baseline(store, subscription.active_baseline)
        if baseline.snapshot_id != index.snapshot_id:
            index = await load_baseline(context, baseline)
    held = Held(
        subscription.subscription_id,
        subscription.active_baseline,
        index,
        settled.current,
        settled.fresh,
        known,
    )
    rules = await rules_in_force(store, now=clock())
    policy = Policy(
        (await get_preferences(store)).preferences.scope,
        rules.rules,
        changed=rules.version != subscription.rules_version,
    )
    with telemetry.span(telemetry.FINDINGS) as found:
        detected = await detect(store, attributor, confirmer, held, policy, now=clock())
        if detected.transitions or detected.hits or policy.changed:
            await keeper.before_commit()
        await commit(store, subscription.subscription_id, part.scan_id, detected.transitions)
        found.note(transitions=len(detected.transitions))
    await count_hits(store, detected.hits, now=clock())
    if policy.changed:
        await save(store, replace(subscription, rules_version=rules.version))
    return detected


def _counted(part: Part, observed: Observed, settled: Settled) -> Part:
    return replace(
        part,
        resources=settled.resources,
        changed=settled.changed,
        skipped=observed.skipped,
        skipped_examples=observed.skipped_examples,
    )


def _without_attribution(part: Part, why: str) -> Part:
    """History and findings stand; only who made the changes is missing."""
    missed = Coverage(ATTRIBUTION, False, reason=why)
    reason = f"{ATTRIBUTION}: {why}"
    return _incomplete(replace(part, coverage=(*part.coverage, missed)), reason)


def _incomplete(part: Part, reason: str, permission: str = "") -> Part:
    return replace(part, status=ScanStatus.INCOMPLETE, reason=reason, permission=permission)
