"""Notices: from the outbox to one row and one message each, and from the message to the channel.

The only channel so far is the tenant's inbox in the product itself: a delivered notice is listed there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

import msgspec

from drift.findings import clear_outbox, find_finding, outbox
from drift.preferences import get_preferences
from errors import Conflict, NotFound
from tenancy.access import TenantContext
from tenancy.ids import SubscriptionId
from tenancy.queues import Queue
from tenancy.rows import Row
from tenancy.store import Table, TenantStore


class Outcome(StrEnum):
    QUEUED = "queued"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Notice:
    """What one transaction of findings has to tell through one channel, or, in `text`, what is of no finding."""

    notice_id: str
    channel: str
    subscription_id: str
    scan_id: str
    events: tuple[tuple[str, str], ...]  # (finding id, event)
    created_at: datetime
    outcome: Outcome = Outcome.QUEUED
    reason: str = ""
    text: str = ""


INBOX = "inbox"


async def publish(context: TenantContext, subscription_id: SubscriptionId, *, now: datetime) -> int:
    """Turns the committed outbox of a subscription into notices and returns how many.

    Every step can be repeated: the notice's id follows from what it tells, and the outbox row goes last.
    """
    entries = await outbox(context.store, subscription_id)
    if not entries:
        return 0
    wanted = (await get_preferences(context.store)).preferences.notify
    for entry in entries:
        events = [item for item in entry.events if await _matters(context.store, item[0], wanted)]
        if events:
            notice = Notice(
                entry.notice_id, INBOX, subscription_id, entry.scan_id, tuple(events), now
            )
            await _create(context.store, notice)
            await context.send(Queue.NOTICES, {"version": 1, "notice_id": notice.notice_id})
        await clear_outbox(context.store, entry)
    return len(entries)


async def announce(context: TenantContext, notice_id: str, text: str, *, now: datetime) -> None:
    """Tells the tenant something that is of no finding, once for this notice's id however often it is called."""
    row = await context.store.find(Table.NOTICE, notice_id)
    if row is not None and _read(row).outcome is not Outcome.QUEUED:
        return
    notice = Notice(notice_id, INBOX, "", "", (), now, text=text)
    await _create(context.store, notice)
    await context.send(Queue.NOTICES, {"version": 1, "notice_id": notice_id})


async def deliver(context: TenantContext, notice_id: str) -> None:
    """Delivers one notice. A second message for it finds it delivered and does nothing."""
    row = await context.store.find(Table.NOTICE, notice_id)
    if row is None:
        raise NotFound("There is no such notice.")
    notice = _read(row)
    if notice.outcome is not Outcome.QUEUED:
        return
    await _save(context.store, notice, Outcome.DELIVERED, "", row.etag)


async def fail(context: TenantContext, notice_id: str, reason: str) -> None:
    """Marks a notice that could not be delivered; it stays listed with the reason."""
    row = await context.store.find(Table.NOTICE, notice_id)
    if row is not None and _read(row).outcome is Outcome.QUEUED:
        await _save(context.store, _read(row), Outcome.FAILED, reason, row.etag)


async def page_notices(store: TenantStore, *, after: str, limit: int) -> tuple[list[Notice], str]:
    """Newest first: a notice's id begins with its scan's."""
    rows, cursor = await store.page(Table.NOTICE, after=after, limit=limit)
    return [_read(row) for row in rows], cursor


async def _matters(store: TenantStore, finding_id: str, wanted: tuple[str, ...]) -> bool:
    stored = await find_finding(store, finding_id)
    return stored is not None and stored.finding.severity in wanted


async def _create(store: TenantStore, notice: Notice) -> None:
    try:
        await store.insert(Table.NOTICE, notice.notice_id, {"body": msgspec.json.encode(notice)})
    except Conflict:  # published before, by a run that died before clearing the outbox
        return


async def _save(
    store: TenantStore, notice: Notice, outcome: Outcome, reason: str, etag: str
) -> None:
    body = msgspec.json.encode(replace(notice, outcome=outcome, reason=reason))
    await store.update(Table.NOTICE, notice.notice_id, {"body": body}, etag=etag)


def _read(row: Row) -> Notice:
    return msgspec.json.decode(row.values["body"], type=Notice)
