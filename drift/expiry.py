"""What is over and older than a tenant keeps it is removed, in batches: each reads a page, removes what has gone by,
and says where the next one begins.

Most keys begin with the time, newest first, so what is old lies behind one key and nothing else is read. Repeating a
batch removes nothing more. What is in force has no time here: findings that are not resolved, the newest configuration,
scans that have not ended, baselines.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from drift.archive import MOMENT
from drift.engine.findings import Status
from drift.findings import find_finding, forget
from drift.preferences import CHANGE
from drift.scans import ENDED, PART, SCAN, ScanStatus
from drift.standing import TREND
from drift.subscriptions import page_subscriptions
from drift.summaries import resolved_before
from tenancy.audit import SLACK
from tenancy.rates import PREFIX as RATE
from tenancy.rates import WINDOW_SECONDS
from tenancy.rowkeys import newest_first
from tenancy.rows import Row
from tenancy.store import PAGE_LIMIT, Table, TenantStore

PAGE = 500  # rows read in one batch
SCANS = 50  # in one batch; each has parts
DAY = "day."  # of the rows of usage that are of a day: `day.2026-11-28…`
KEYS_ONLY = ("_schema",)
_TIMED = re.compile(r"\d{16}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Batch:
    removed: int
    after: str = ""  # where the next one begins; '' when there is none


async def expire_scans(store: TenantStore, cutoff: datetime, after: str) -> Batch:
    """With their parts, which go first. The newest TREND scans stay whatever their age: the overview shows them."""
    newest, _ = await store.page(Table.SCAN, prefix=SCAN, limit=TREND, columns=KEYS_ONLY)
    if len(newest) < TREND:
        return Batch(0)
    start = max(newest[-1].key, SCAN + newest_first(cutoff), after)
    rows, cursor = await store.page(
        Table.SCAN, prefix=SCAN, after=start, limit=SCANS, columns=("status",)
    )
    ended = [row for row in rows if ScanStatus(row.values["status"]) in ENDED]
    for row in ended:
        prefix = f"{PART}{row.key.removeprefix(SCAN)}."
        parts = [part async for part in store.rows(Table.SCAN, prefix=prefix, columns=KEYS_ONLY)]
        await store.delete_all(Table.SCAN, parts)
    return Batch(await store.delete_all(Table.SCAN, ended), cursor)


async def expire_findings(store: TenantStore, cutoff: datetime, after: str) -> Batch:
    """Resolved ones, by when they were resolved."""
    ids, cursor = await resolved_before(store, cutoff, after=after, limit=PAGE)
    removed = 0
    for finding_id in ids:
        stored = await find_finding(store, finding_id)
        if stored is None or stored.finding.status is not Status.RESOLVED:
            continue
        if stored.finding.steps[-1].at < cutoff:
            removed += await forget(store, stored)
    return Batch(removed, cursor)


async def expire_moments(store: TenantStore, cutoff: datetime, after: str) -> Batch:
    """Earlier states of subscriptions. The one that was in force at the cutoff stays: it says how things were then."""
    known, cursor = await page_subscriptions(store, after=after, limit=20)
    removed = 0
    for subscription in known:
        old = [row async for row in _moments_before(store, subscription.subscription_id, cutoff)]
        removed += await store.delete_all(Table.CONFIGURATION, old[1:])
    return Batch(removed, cursor)


async def _moments_before(
    store: TenantStore, subscription_id: str, cutoff: datetime
) -> AsyncIterator[Row]:
    prefix = f"{MOMENT}{subscription_id}."
    async for row in store.rows(
        Table.CONFIGURATION,
        prefix=prefix,
        after=prefix + newest_first(cutoff),
        columns=("taken_at",),
    ):
        if row.values["taken_at"] <= cutoff:  # a scan may begin before the time and read after it
            yield row


async def expire_history(store: TenantStore, cutoff: datetime, after: str) -> Batch:
    """Changes of resources. Their keys begin with the resource, so all keys are read."""
    rows, cursor = await store.page(
        Table.CONFIGURATION_HISTORY, after=after, limit=PAGE_LIMIT, columns=KEYS_ONLY
    )
    mark = newest_first(cutoff)
    old = [row for row in rows if row.key.partition(".")[2] > mark]
    return Batch(await store.delete_all(Table.CONFIGURATION_HISTORY, old), cursor)


async def expire_audit(store: TenantStore, cutoff: datetime, after: str) -> Batch:
    # A row that repeats within the hour has the hour's beginning in its key.
    return await _expire_timed(store, Table.AUDIT, "", cutoff - SLACK, after)


async def expire_changes(store: TenantStore, cutoff: datetime, after: str) -> Batch:
    """Of the settings: for as long as the audit trail tells of them."""
    return await _expire_timed(store, Table.SETTINGS, CHANGE, cutoff, after)


async def expire_notices(store: TenantStore, cutoff: datetime, after: str) -> Batch:
    return await _expire_timed(store, Table.NOTICE, "", cutoff, after)


async def _expire_timed(
    store: TenantStore, table: Table, prefix: str, cutoff: datetime, after: str
) -> Batch:
    """Rows whose keys are a time behind the prefix; other rows of the table are left."""
    start = max(after, prefix + newest_first(cutoff))
    rows, cursor = await store.page(
        table, prefix=prefix, after=start, limit=PAGE, columns=KEYS_ONLY
    )
    old = [row for row in rows if _TIMED.match(row.key.removeprefix(prefix))]
    return Batch(await store.delete_all(table, old), cursor)


async def expire_usage(store: TenantStore, cutoff: datetime, after: str) -> Batch:
    """Days, oldest first. With the first batch also the counters of requests that nobody used since the cutoff."""
    counters = [] if after else await _unused_counters(store, cutoff)
    end = f"{DAY}{cutoff:%Y-%m-%d}"
    rows, _ = await store.page(Table.USAGE, prefix=DAY, after=after, limit=PAGE, columns=KEYS_ONLY)
    old = [row for row in rows if row.key < end]
    more = old[-1].key if len(old) == PAGE else ""
    return Batch(await store.delete_all(Table.USAGE, [*counters, *old]), more)


async def _unused_counters(store: TenantStore, cutoff: datetime) -> list[Row]:
    mark = cutoff.timestamp() // WINDOW_SECONDS
    rows = store.rows(Table.USAGE, prefix=RATE, columns=("window",))
    return [row async for row in rows if row.values["window"] < mark]
