"""Notices: from the outbox to one row and one message each, in the tenant's inbox and for each of its channels.

The inbox is in the product itself: a delivered notice is listed there. What goes to channels outside is made at the
same time (drift/channels/routing.py) and delivered on its own (drift/channels/delivery.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

import msgspec

import telemetry
from drift.channels.routing import Incident, expected_by, route
from drift.channels.rows import Desk, read_desk
from drift.engine.findings import Finding
from drift.findings import Outbox, clear_outbox, find_finding, outbox
from drift.preferences import get_preferences
from errors import Conflict, NotFound
from tenancy.access import TenantContext
from tenancy.ids import SubscriptionId
from tenancy.queues import Queue
from tenancy.rows import Row, join_binary, split_binary
from tenancy.store import Table, TenantStore
from tenancy.usage import Count


class Outcome(StrEnum):
    QUEUED = "queued"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Notice:
    """What one incident has to tell through one channel, or, in `text`, what is of no finding."""

    notice_id: str
    channel: str
    subscription_id: str
    scan_id: str
    events: tuple[tuple[str, str], ...]  # (finding id, event)
    created_at: datetime
    outcome: Outcome = Outcome.QUEUED
    reason: str = ""
    text: str = ""
    incident: str = (
        ""  # correlation id of the operation that caused it all, '' when that is not known
    )


INBOX = "inbox"
MOST_EVENTS = 2_000  # of one notice, which is one row


async def publish(context: TenantContext, subscription_id: SubscriptionId, *, now: datetime) -> int:
    """Turns the committed outbox of a subscription into notices and returns how many outbox rows there were.

    What one operation in Azure caused is one incident and one notice; what nobody is known to have caused is one more.
    Every step can be repeated: a notice's id follows from scan and incident, and the outbox rows go last.
    """
    entries = await outbox(context.store, subscription_id)
    if not entries:
        return 0
    with telemetry.span(telemetry.PUBLISH, tenant_id=context.tenant.tenant_id):
        await _publish(context, subscription_id, entries, now=now)
    return len(entries)


async def _publish(
    context: TenantContext, subscription_id: SubscriptionId, entries: list[Outbox], *, now: datetime
) -> None:
    wanted = (await get_preferences(context.store)).preferences.notify
    desk = await read_desk(context.store)
    for scan_id in sorted({entry.scan_id for entry in entries}):
        events = [event for entry in entries if entry.scan_id == scan_id for event in entry.events]
        for correlation_id, told in (await _incidents(context.store, events)).items():
            for incident in _cut(scan_id, subscription_id, correlation_id, told):
                await _tell_inbox(context, desk, incident, scan_id, wanted, now=now)
                await route(context, desk, incident, now=now)
    for entry in entries:
        await clear_outbox(context.store, entry)


def _cut(
    scan_id: str,
    subscription_id: SubscriptionId,
    correlation_id: str,
    told: tuple[tuple[Finding, str], ...],
) -> Iterator[Incident]:
    """One incident is one notice, unless it is so large that no row holds it."""
    digest = hashlib.sha256(f"{subscription_id}|{correlation_id}".encode()).hexdigest()[:24]
    for number, start in enumerate(range(0, len(told), MOST_EVENTS)):
        part = f"-{number}" if number else ""
        events = told[start : start + MOST_EVENTS]
        yield Incident(f"{scan_id}.{digest}{part}", subscription_id, correlation_id, events)


async def _incidents(
    store: TenantStore, events: Iterable[tuple[str, str]]
) -> dict[str, tuple[tuple[Finding, str], ...]]:
    """The events by the correlation id of what caused them, '' where that is not known."""
    found: dict[str, list[tuple[Finding, str]]] = {}
    for finding_id, event in events:
        stored = await find_finding(store, finding_id)
        if stored is not None:
            found.setdefault(stored.finding.incident, []).append((stored.finding, event))
    return {incident: tuple(told) for incident, told in found.items()}


async def _tell_inbox(
    context: TenantContext,
    desk: Desk,
    incident: Incident,
    scan_id: str,
    wanted: tuple[str, ...],
    *,
    now: datetime,
) -> None:
    """What was expected in a maintenance window is in the inbox all the same, and says so: that is its record."""
    events = [event for event in incident.events if event[0].severity in wanted]
    if not events:
        return
    window = expected_by(desk, events[0][0], now)  # one incident is one deployer's
    notice = Notice(
        incident.notice_id,
        INBOX,
        incident.subscription_id,
        scan_id,
        tuple((finding.finding_id, event) for finding, event in events),
        now,
        reason=f"Expected in the maintenance window “{window.name}”." if window else "",
        incident=incident.correlation_id,
    )
    await _tell(context, notice)


async def _tell(context: TenantContext, notice: Notice) -> None:
    """Makes a notice and sends it. If it is there already, only what it does not tell yet gets one more."""
    if not await _create(context.store, notice):
        told = _read(await context.store.get(Table.NOTICE, notice.notice_id))
        rest = tuple(event for event in notice.events if event not in told.events)
        if rest:  # the same scan went on after somebody had published its first findings
            digest = hashlib.sha256(msgspec.json.encode(rest)).hexdigest()[:8]
            more = replace(notice, notice_id=f"{notice.notice_id}-{digest}", events=rest)
            await _tell(context, more)
        if told.outcome is not Outcome.QUEUED:
            return
    await context.send(Queue.NOTICES, {"version": 1, "notice_id": notice.notice_id})


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
    await _save(context.store, notice, Outcome.DELIVERED, notice.reason, row.etag)
    context.deployment.usage.add(context.tenant.tenant_id, Count.NOTICES)


async def fail(context: TenantContext, notice_id: str, reason: str) -> None:
    """Marks a notice that could not be delivered; it stays listed with the reason."""
    row = await context.store.find(Table.NOTICE, notice_id)
    if row is not None and _read(row).outcome is Outcome.QUEUED:
        await _save(context.store, _read(row), Outcome.FAILED, reason, row.etag)


async def page_notices(store: TenantStore, *, after: str, limit: int) -> tuple[list[Notice], str]:
    """Newest first: a notice's id begins with its scan's."""
    rows, cursor = await store.page(Table.NOTICE, after=after, limit=limit)
    return [_read(row) for row in rows], cursor


async def _create(store: TenantStore, notice: Notice) -> bool:
    """False when a run that died before clearing the outbox made it before."""
    try:
        await store.insert(
            Table.NOTICE, notice.notice_id, split_binary(msgspec.json.encode(notice))
        )
    except Conflict:
        return False
    return True


async def _save(
    store: TenantStore, notice: Notice, outcome: Outcome, reason: str, etag: str
) -> None:
    body = msgspec.json.encode(replace(notice, outcome=outcome, reason=reason))
    await store.update(Table.NOTICE, notice.notice_id, split_binary(body), etag=etag)
    telemetry.record(telemetry.NOTICES, 1, outcome=outcome.value)


def _read(row: Row) -> Notice:
    # Rows of older versions have it in one property.
    body = row.values.get("body") or join_binary(row.values)
    return msgspec.json.decode(body, type=Notice)
