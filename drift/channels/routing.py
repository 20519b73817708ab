"""From events to deliveries: which channel is told of what, and when. One incident is one delivery a channel.

Every step can be repeated: a delivery's id follows from channel, scan and incident, and what it tells is never told by
another one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from drift.archive import find_configuration, load_documents, load_snapshot
from drift.channels import stories, timing
from drift.channels.model import PAGING, Channel, MaintenanceWindow
from drift.channels.rows import DELIVERY, Delivery, Desk, Outcome, find_delivery, insert_delivery
from drift.channels.stories import Story
from drift.engine.findings import UNSETTLED, Event, Finding
from drift.engine.model import ResourceKey, Severity
from drift.filters import Wanted
from drift.findings import every_finding
from drift.subscriptions import get_subscription
from errors import Conflict, NotFound
from tenancy.access import TenantContext
from tenancy.ids import SubscriptionId
from tenancy.queues import Queue

LONGEST_HOP = timedelta(hours=12)  # a message is kept for seven days; a week's digest goes in hops
Tags = Mapping[ResourceKey, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Incident:
    """What one operation in Azure caused, of one subscription, as one scan found it."""

    notice_id: str
    subscription_id: SubscriptionId
    correlation_id: str  # '' where nobody knows what caused it
    events: tuple[tuple[Finding, str], ...]


def expected_by(desk: Desk, finding: Finding, now: datetime) -> MaintenanceWindow | None:
    """The maintenance window in which a named deployer made the change."""
    by = finding.attribution
    if by is None:
        return None
    try:
        at = datetime.fromisoformat(by.timestamp)
    except ValueError:
        at = now
    at = at if at.tzinfo else now
    found = (one for one in desk.windows if one.expects(by.changed_by, at))
    return next(found, None)


async def route(context: TenantContext, desk: Desk, incident: Incident, *, now: datetime) -> None:
    """Makes the deliveries of an incident and sends a message for each."""
    events = tuple(event for event in incident.events if expected_by(desk, event[0], now) is None)
    channels = [channel for channel in desk.channels if channel.enabled]
    if not channels or not events:
        return
    tags = await _tags(context, incident.subscription_id, channels, events)
    name = await _name(context, incident.subscription_id)
    for channel in channels:
        told = [event for event in events if _wants(channel, *event, tags)]
        for until, group in _by_snooze(desk, told, now).items():
            left = await _left(context, channel, incident, group)
            story = stories.tell(
                group, subscription=name, incident=incident.correlation_id, left=left
            )
            part = "" if until is None else f"-s{_digest(str(until))}"
            told_of = tuple((finding.finding_id, event) for finding, event in group)
            delivery_id = f"{channel.channel_id}.{incident.notice_id}{part}"
            made = _delivery(channel, delivery_id, story, told_of, until, now)
            await _create(context, made, group, now=now)


def _wants(channel: Channel, finding: Finding, event: str, tags: Tags | None) -> bool:
    known = tags.get(finding.key) if tags is not None else None
    return channel.selection.covers(finding, event, known)


def _by_snooze(
    desk: Desk, events: Sequence[tuple[Finding, str]], now: datetime
) -> dict[datetime | None, list[tuple[Finding, str]]]:
    """The events by the time until which their finding is snoozed."""
    found: dict[datetime | None, list[tuple[Finding, str]]] = {}
    for finding, event in events:
        until = desk.snoozes.get(finding.finding_id)
        key = until if until and until > now else None
        found.setdefault(key, []).append((finding, event))
    return found


def _delivery(
    channel: Channel,
    delivery_id: str,
    story: Story,
    events: tuple[tuple[str, str], ...],
    snoozed_until: datetime | None,
    now: datetime,
) -> Delivery:
    until = max(filter(None, (snoozed_until, channel.snoozed_until)), default=None)
    critical = story.severity is Severity.CRITICAL
    due = timing.due(channel.timing, until, now, critical=critical)
    outcome = Outcome.HELD if due > now else Outcome.QUEUED
    return Delivery(delivery_id, channel.channel_id, story, events, now, due, outcome)


async def _create(
    context: TenantContext,
    made: Delivery,
    group: Sequence[tuple[Finding, str]],
    *,
    now: datetime,
) -> None:
    """If it is there already, only what it does not tell yet gets one more."""
    try:
        await insert_delivery(context.store, made)
    except Conflict:
        known = await find_delivery(context.store, made.delivery_id)
        told = set(known.delivery.events) if known else set()
        rest = tuple(event for event in made.events if event not in told)
        if rest:  # the same scan went on after somebody had published its first findings
            digest = _digest(str(rest))
            kept = [one for one in group if (one[0].finding_id, one[1]) in rest]
            story = stories.tell(
                kept,
                subscription=made.story.subscription,
                incident=made.story.incident,
                left=made.story.left,
            )
            more = replace(
                made, delivery_id=f"{made.delivery_id}-{digest}", events=rest, story=story
            )
            await _create(context, more, kept, now=now)
        if known is None or known.delivery.outcome not in {Outcome.HELD, Outcome.QUEUED}:
            return
    await send_message(context, made, now=now)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


async def send_message(context: TenantContext, delivery: Delivery, *, now: datetime) -> None:
    """Reminds of a delivery when it is due, or in half a day if that is earlier: then it is looked at and put back."""
    wait = min(delivery.due_at - now, LONGEST_HOP)
    delay = max(0, math.ceil(wait.total_seconds()))
    message: dict[str, str | int] = {"version": 1, "notice_id": DELIVERY + delivery.delivery_id}
    await context.send(Queue.NOTICES, message, delay=delay)


async def _name(context: TenantContext, subscription_id: SubscriptionId) -> str:
    with suppress(NotFound):
        return (await get_subscription(context.store, subscription_id)).name
    return ""


async def _left(
    context: TenantContext,
    channel: Channel,
    incident: Incident,
    events: Sequence[tuple[Finding, str]],
) -> int:
    """For channels that close their alerts: whether an incident that looks resolved has findings left."""
    resolved = all(event == Event.RESOLVED for _, event in events)
    if channel.kind not in PAGING or not incident.correlation_id or not resolved:
        return 0
    wanted = Wanted(
        statuses=frozenset(UNSETTLED),
        subscription_id=incident.subscription_id,
        incident=incident.correlation_id,
    )
    return len([finding async for finding in every_finding(context.store, wanted)])


async def _tags(
    context: TenantContext,
    subscription_id: SubscriptionId,
    channels: Sequence[Channel],
    events: Sequence[tuple[Finding, str]],
) -> Tags | None:
    """The tags of the resources as the newest scan read them; None when no channel asks. A resource that is gone is not
    among them."""
    if not any(channel.selection.tag for channel in channels):
        return None
    state = await find_configuration(context.store, subscription_id)
    if state is None:
        return None
    try:
        index = await load_snapshot(context.store, state.snapshot_id)
        keys = {finding.key for finding, _ in events}
        documents = await load_documents(context.store, index, keys)
    except NotFound:  # a later scan moved on, and its packs were collected
        return None
    found: dict[ResourceKey, Mapping[str, str]] = {}
    for key, document in documents.items():
        body = msgspec.json.decode(document.body)
        tags = body.get("tags") if isinstance(body, dict) else None
        found[key] = {str(k): str(v) for k, v in tags.items()} if isinstance(tags, dict) else {}
    return found
