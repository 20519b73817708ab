"""Scans as rows: one for the tenant, one part a subscription. What they say is what pages and API show."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

import telemetry
from errors import Conflict, NotFound, Stale
from tenancy.ids import SubscriptionId, TenantId
from tenancy.rowkeys import newest_first
from tenancy.rows import Row, Value
from tenancy.store import Table, TenantStore

SCAN, PART = "s.", "p."
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)


class ScanStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"  # something could not be read: what it says is true but not all
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset(
    {ScanStatus.COMPLETE, ScanStatus.INCOMPLETE, ScanStatus.FAILED, ScanStatus.CANCELLED}
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """One source of one subscription: was it read, and if not, why and what is missing."""

    source: str
    read: bool
    rows: int = 0
    reason: str = ""
    permission: str = ""
    retry_after: float = 0.0  # seconds that Azure asked to wait before it is read


@dataclass(frozen=True, slots=True)
class Part:
    """The scan of one subscription."""

    scan_id: str
    subscription_id: SubscriptionId
    status: ScanStatus
    started_at: datetime | None = None
    finished_at: datetime | None = None
    resources: int = 0
    changed: int = 0  # resources whose configuration differs from the scan before
    findings: int = 0  # active findings after the scan
    skipped: int = 0  # rows that are no resources: without id or type
    skipped_examples: tuple[str, ...] = ()  # some of them: reason and what they are called
    reason: str = ""  # why it is not complete, in words for people
    permission: str = ""  # what the connection lacks, when that is why
    coverage: tuple[Coverage, ...] = ()
    baseline_id: str = ""  # what it was held against, '' without a baseline


@dataclass(frozen=True, slots=True)
class Scan:
    scan_id: str
    status: ScanStatus
    trigger: str  # schedule or manual
    requested_by: str
    created_at: datetime  # the moment that it is the scan of
    deadline: datetime  # when what is left of it is ended
    finished_at: datetime | None = None
    subscriptions: int = 0
    reason: str = ""
    etag: str = ""


def scan_id_of(tenant_id: TenantId, slot: datetime, trigger: str) -> str:
    """The same slot gives the same id, however often and late the timer fires; newer ids sort first."""
    digest = hashlib.sha256(f"{tenant_id}|{slot.isoformat()}|{trigger}".encode()).hexdigest()
    return f"{newest_first(slot)}-{digest[:12]}"


async def create_scan(store: TenantStore, scan: Scan) -> bool:
    """False when this scan exists already."""
    try:
        await store.insert(Table.SCAN, SCAN + scan.scan_id, _values(scan))
    except Conflict:
        return False
    return True


async def find_scan(store: TenantStore, scan_id: str) -> Scan | None:
    row = await store.find(Table.SCAN, SCAN + scan_id)
    return _read_scan(row) if row else None


async def get_scan(store: TenantStore, scan_id: str) -> Scan:
    scan = await find_scan(store, scan_id)
    if scan is None:
        raise NotFound("There is no such scan.")
    return scan


async def page_scans(store: TenantStore, *, after: str, limit: int) -> tuple[list[Scan], str]:
    """Newest first."""
    rows, cursor = await store.page(Table.SCAN, prefix=SCAN, after=after, limit=limit)
    return [_read_scan(row) for row in rows], cursor


async def count_scans(store: TenantStore, *, since: datetime) -> int:
    """How many scans are of that moment or later. The newest come first, so older ones are not read."""
    count = 0
    until = SCAN + newest_first(since) + "-~"  # behind every scan of that very moment
    async for row in store.rows(Table.SCAN, prefix=SCAN, columns=["created_at"]):
        if row.key > until:
            break
        count += 1
    return count


async def save_scan(store: TenantStore, scan: Scan) -> Scan:
    """Raises Stale when somebody else wrote it meanwhile."""
    etag = await store.update(Table.SCAN, SCAN + scan.scan_id, _values(scan), etag=scan.etag)
    if scan.finished_at is not None:
        seconds = (scan.finished_at - scan.created_at).total_seconds()
        telemetry.record(telemetry.SCAN_DURATION, seconds, status=scan.status.value)
    return replace(scan, etag=etag)


async def get_parts(store: TenantStore, scan_id: str) -> list[Part]:
    return [_read_part(row) async for row in store.rows(Table.SCAN, prefix=f"{PART}{scan_id}.")]


async def newest_parts(store: TenantStore, *, limit: int) -> list[Part]:
    """Parts of the newest scans: newest scan first, up to `limit` of them."""
    rows, _ = await store.page(Table.SCAN, prefix=PART, limit=limit)
    return [_read_part(row) for row in rows]


async def find_part(store: TenantStore, scan_id: str, subscription_id: str) -> Part | None:
    row = await store.find(Table.SCAN, f"{PART}{scan_id}.{subscription_id}")
    return _read_part(row) if row else None


async def create_part(store: TenantStore, part: Part) -> None:
    """Creates the part if it is not there; one that is there, whatever its state, stays."""
    try:
        await store.insert(Table.SCAN, _part_key(part), {"body": _encode(part)})
    except Conflict:
        return


async def save_part(store: TenantStore, part: Part) -> None:
    await store.put(Table.SCAN, _part_key(part), {"body": _encode(part)})


async def close_scan(
    store: TenantStore, scan_id: str, parts: Sequence[Part], *, now: datetime
) -> Scan | None:
    """Closes the scan if all of its parts have ended; of several callers exactly one gets it back.

    `parts` are as the caller read them after it wrote its own: who wrote last has read all of them ended.
    """
    if any(part.status not in ENDED for part in parts):
        return None
    scan = await get_scan(store, scan_id)
    if scan.status is not ScanStatus.RUNNING or len(parts) < scan.subscriptions:
        return None
    closed = replace(scan, status=overall(part.status for part in parts), finished_at=now)
    try:
        return await save_scan(store, closed)
    except Stale:
        return None


def overall(statuses: Iterable[ScanStatus]) -> ScanStatus:
    """A scan is as good as its worst part; without parts there was nothing to read."""
    found = set(statuses)
    if not found or found == {ScanStatus.COMPLETE}:
        return ScanStatus.COMPLETE
    if len(found) == 1:
        return ScanStatus(found.pop())
    return ScanStatus.INCOMPLETE


def _part_key(part: Part) -> str:
    return f"{PART}{part.scan_id}.{part.subscription_id}"


def _encode(part: Part) -> bytes:
    return msgspec.json.encode(part)


def _values(scan: Scan) -> dict[str, Value]:
    return {
        "status": scan.status.value,
        "trigger": scan.trigger,
        "requested_by": scan.requested_by,
        "created_at": scan.created_at,
        "deadline": scan.deadline,
        "finished_at": scan.finished_at,
        "subscriptions": scan.subscriptions,
        "reason": scan.reason,
    }


def _read_scan(row: Row) -> Scan:
    values = row.values
    return Scan(
        scan_id=row.key.removeprefix(SCAN),
        status=ScanStatus(values["status"]),
        trigger=values["trigger"],
        requested_by=values["requested_by"],
        created_at=values["created_at"],
        deadline=values.get("deadline", _NEVER),  # rows of before there were deadlines have none
        finished_at=values.get("finished_at"),
        subscriptions=values["subscriptions"],
        reason=values["reason"],
        etag=row.etag,
    )


def _read_part(row: Row) -> Part:
    return msgspec.json.decode(row.values["body"], type=Part)
