"""How each subscription stands: in sync, drifted, unknown, never scanned or paused. What the overview says.

Unknown is never called in sync: a subscription counts as in sync only if its newest scan read all of it, not too long
ago, against a baseline, and found nothing to deal with. It costs one row a subscription for each of: the subscription,
its counts, its newest state; and the parts of the scans of the trend (a page of storage at most), however many findings
there are.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from drift.archive import Configuration, configurations
from drift.preferences import next_slot
from drift.scans import ENDED, Part, Scan, ScanStatus, newest_parts, page_scans
from drift.subscriptions import INVISIBLE, Subscription, subscriptions
from drift.summaries import Tally, tallies
from errors import Invalid
from tenancy.store import TenantStore
from tenancy.tenants import Tenant

LATE = timedelta(hours=1)  # a scan takes its time, and timers wait for a free worker
NEWEST_PARTS = 1000  # of scans, at most: one page of storage
TREND = 30  # scans in it


class State(StrEnum):
    IN_SYNC = "in_sync"
    DRIFTED = "drifted"
    UNKNOWN = "unknown"
    NEVER_SCANNED = "never_scanned"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Standing:
    """One subscription."""

    subscription: Subscription
    state: State
    reason: str  # of anything but in sync and drifted: why, and what comes next
    unsettled: Mapping[str, int]  # findings to deal with, by severity
    read_at: datetime | None  # when it was last read completely
    resources: int
    scan_id: str = ""  # the newest scan that looked at it

    @property
    def findings(self) -> int:
        return sum(self.unsettled.values())


@dataclass(frozen=True, slots=True)
class Point:
    """One scan of the trend: findings to deal with after it."""

    scan_id: str
    at: datetime
    findings: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Overview:
    standings: tuple[Standing, ...]  # the ones that need attention first
    severities: Mapping[str, int]  # findings to deal with in monitored subscriptions
    running: Scan | None  # the newest scan, while it has not ended
    newest: Scan | None
    trend: tuple[Point, ...]  # oldest first
    last_good: Scan | None  # the newest of the trend's scans that read everything

    @property
    def states(self) -> Counter[State]:
        return Counter(standing.state for standing in self.standings)

    @property
    def monitored(self) -> int:
        return len(self.standings) - self.states[State.PAUSED]

    @property
    def covered(self) -> int:
        """Monitored subscriptions of which the state is known."""
        return self.states[State.IN_SYNC] + self.states[State.DRIFTED]

    @property
    def findings(self) -> int:
        return sum(self.severities.values())

    @property
    def oldest_reading(self) -> datetime | None:
        """How old the oldest of what is known is, None when something was never read."""
        monitored = [one for one in self.standings if one.state is not State.PAUSED]
        moments = [one.read_at for one in monitored if one.read_at is not None]
        return min(moments, default=None) if len(moments) == len(monitored) else None


async def get_overview(store: TenantStore, tenant: Tenant, *, now: datetime) -> Overview:
    known = [subscription async for subscription in subscriptions(store)]
    newest = min(NEWEST_PARTS, (TREND + 1) * max(len(known), 1))
    counts, readings, parts, (scans, _) = await asyncio.gather(
        tallies(store),
        configurations(store, subscriptions=len(known)),
        newest_parts(store, limit=newest),
        page_scans(store, after="", limit=TREND),
    )
    latest: dict[str, Part] = {}
    for part in parts:
        if part.status in ENDED and part.status is not ScanStatus.CANCELLED:
            latest.setdefault(part.subscription_id, part)
    standings = [
        _stand(
            one,
            counts.get(one.subscription_id),
            readings.get(one.subscription_id),
            latest.get(one.subscription_id),
            tenant,
            now,
        )
        for one in known
    ]
    last = scans[0] if scans else None
    return Overview(
        standings=tuple(sorted(standings, key=_urgency)),
        severities=_sum(standings),
        running=last if last and last.status not in ENDED else None,
        newest=last,
        trend=_trend(scans, parts),
        last_good=next((one for one in scans if one.status is ScanStatus.COMPLETE), None),
    )


def _stand(
    subscription: Subscription,
    tally: Tally | None,
    reading: Configuration | None,
    part: Part | None,
    tenant: Tenant,
    now: datetime,
) -> Standing:
    unsettled = tally.unsettled if tally else Counter[str]()
    state, reason = _judge(subscription, reading, part, sum(unsettled.values()), tenant, now)
    return Standing(
        subscription,
        state,
        reason,
        unsettled,
        reading.taken_at if reading else None,
        reading.resources if reading else 0,
        part.scan_id if part else "",
    )


def _judge(
    subscription: Subscription,
    reading: Configuration | None,
    part: Part | None,
    findings: int,
    tenant: Tenant,
    now: datetime,
) -> tuple[State, str]:
    if not subscription.monitored:
        taken = "Another tenant of this deployment watches it." if subscription.taken else ""
        return State.PAUSED, taken or "It is not monitored."
    visible = subscription.state != INVISIBLE
    if visible and part is None and reading is None:
        return State.NEVER_SCANNED, "It is read by the next scan."
    reason = _why_unknown(subscription, reading, part, tenant, now)
    if reason:
        return State.UNKNOWN, reason
    return (State.DRIFTED, "") if findings else (State.IN_SYNC, "")


def _why_unknown(
    subscription: Subscription,
    reading: Configuration | None,
    part: Part | None,
    tenant: Tenant,
    now: datetime,
) -> str:
    """Why nobody can say whether a monitored subscription drifted, '' when that is known."""
    active = subscription.active_baseline
    reasons = (
        (subscription.state == INVISIBLE, "The connection does not see it any more."),
        (
            part is not None and part.status is not ScanStatus.COMPLETE,
            (part.reason if part else "") or "The newest scan did not read all of it.",
        ),
        (reading is None, "No scan has read all of it yet."),
        (
            reading is not None and is_late(reading.taken_at, tenant.schedule, now),
            "It was not read when it was due.",
        ),
        (not active, "It has no baseline yet: nothing says what it should be."),
        (
            part is not None and part.baseline_id != active,
            "The next scan holds it against the baseline that is active now.",
        ),
    )
    return next((reason for holds, reason in reasons if holds), "")


def is_late(read_at: datetime, schedule: str, now: datetime) -> bool:
    """Whether two slots of the schedule have passed since it was read; without a schedule nothing is ever due."""
    if not schedule:
        return False
    try:
        second = next_slot(schedule, next_slot(schedule, read_at))
    except Invalid:
        return False
    return now > second + LATE


_ORDER = (State.DRIFTED, State.UNKNOWN, State.NEVER_SCANNED, State.IN_SYNC, State.PAUSED)


def _urgency(standing: Standing) -> tuple[int, int, int, str]:
    worst = standing.unsettled.get("critical", 0), standing.unsettled.get("high", 0)
    name = standing.subscription.name.lower()
    return (_ORDER.index(standing.state), -worst[0], -worst[1], name)


def _sum(standings: Sequence[Standing]) -> Counter[str]:
    total: Counter[str] = Counter()
    for standing in standings:
        if standing.state is not State.PAUSED:
            total.update(standing.unsettled)
    return total


def _trend(scans: Sequence[Scan], parts: Sequence[Part]) -> tuple[Point, ...]:
    """Only scans all of whose parts are among those that were read."""
    by_scan: dict[str, list[Part]] = {}
    for part in parts:
        by_scan.setdefault(part.scan_id, []).append(part)
    points = [
        Point(
            scan.scan_id,
            scan.created_at,
            sum(part.findings for part in by_scan[scan.scan_id]),
            scan.status is ScanStatus.COMPLETE,
        )
        for scan in scans
        if scan.status in ENDED and len(by_scan.get(scan.scan_id, ())) >= max(1, scan.subscriptions)
    ]
    return tuple(reversed(points))
