"""One delivery at a time, from the queue to the channel: held back, tried, tried again later, given up, replayed.

A try is claimed before it is made and recorded after it. Who dies between the two leaves a delivery that is tried once
more under the same id: told twice perhaps, never lost.
"""

from __future__ import annotations

import hashlib
import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import telemetry
from drift.channels import stories, timing
from drift.channels.answers import Answer
from drift.channels.envelope import Envelope
from drift.channels.model import Channel, StoredChannel
from drift.channels.routing import send_message
from drift.channels.rows import (
    PENDING,
    Attempt,
    Delivery,
    Outcome,
    StoredDelivery,
    bundle,
    find_channel,
    find_delivery,
    get_delivery,
    save_delivery,
    update_channel,
    waiting,
)
from drift.channels.sending import send
from drift.channels.stories import StoryKind
from drift.channels.targets import read_target
from drift.engine.model import Severity
from drift.notices import announce
from errors import Corrupt, DriftError, NotFound, Stale
from tenancy.access import TenantContext
from tenancy.rowkeys import newest_first
from tenancy.usage import Count

logger = logging.getLogger(__name__)

# Seconds until the next try, after each that failed: a little over a day in all.
DELAYS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400)
LONGEST_WAIT = 24 * 3_600  # however long a host asks to wait
CLAIM = timedelta(minutes=2)  # longer than a try takes
SLACK = timedelta(seconds=2)  # that a message may come before its time
MOST_BUNDLED = 45  # deliveries in one digest: two rows each, in one transaction
MAIL_SCOPE = "https://communication.azure.com/.default"
DISABLED = "The channel is disabled or was removed."
Clock = Callable[[], datetime]


async def deliver(context: TenantContext, delivery_id: str, *, clock: Clock) -> None:
    """What a message asks for. Too early it is put back; what is over does nothing."""
    stored = await get_delivery(context.store, delivery_id)
    delivery, now = stored.delivery, clock()
    if delivery.outcome not in PENDING:
        return
    channel = await find_channel(context.store, delivery.channel_id)
    if channel is None or not (channel.channel.enabled or delivery.prompt):
        await _save(context, stored, outcome=Outcome.SKIPPED, reason=DISABLED)
        return
    if delivery.due_at > now + SLACK:
        await send_message(context, delivery, now=now)
        return
    until = _held_until(channel.channel, delivery, now)
    if until > now:
        await _put_back(context, stored, until, Outcome.HELD, now=now)
    elif delivery.outcome is Outcome.HELD:
        await _release(context, channel.channel, stored, now=now)
    else:
        await _try(context, channel, stored, clock)


def _held_until(channel: Channel, delivery: Delivery, now: datetime) -> datetime:
    """A channel may have been snoozed, and quiet hours may have begun, since the delivery was made or last tried."""
    if delivery.prompt:
        return now
    start = max(now, channel.snoozed_until) if channel.snoozed_until else now
    critical = delivery.story.severity is Severity.CRITICAL
    return timing.awake(channel.timing, start, critical=critical)


async def _release(
    context: TenantContext, channel: Channel, stored: StoredDelivery, *, now: datetime
) -> None:
    """What was held until now goes as one digest, or as it is when it is alone."""
    parts = [stored]
    async for delivery_id, due_at in waiting(context.store, channel.channel_id):
        if due_at <= now + SLACK and delivery_id != stored.delivery.delivery_id:
            other = await find_delivery(context.store, delivery_id)
            if other and other.delivery.outcome is Outcome.HELD:
                parts.append(other)
        if len(parts) == MOST_BUNDLED:
            break
    if len(parts) == 1:
        await _put_back(context, stored, now, Outcome.QUEUED, now=now)
        return
    parts.sort(key=lambda part: part.delivery.delivery_id)
    told = "|".join(part.delivery.delivery_id for part in parts)
    name = f"{newest_first(now)}-digest.{hashlib.sha256(told.encode()).hexdigest()[:16]}"
    made = Delivery(
        f"{channel.channel_id}.{name}",
        channel.channel_id,
        stories.digest([part.delivery.story for part in parts]),
        tuple(event for part in parts for event in part.delivery.events),
        created_at=now,
        due_at=now,
        outcome=Outcome.QUEUED,
    )
    try:
        await bundle(context.store, made, parts)
    except (
        Stale
    ):  # another message of the same digest was quicker; what it left comes with its own messages
        await send_message(context, stored.delivery, now=now)
        return
    await send_message(context, made, now=now)


async def _try(
    context: TenantContext, channel: StoredChannel, stored: StoredDelivery, clock: Clock
) -> None:
    claimed = replace(stored.delivery, due_at=clock() + CLAIM)
    try:
        etag = await save_delivery(context.store, claimed, etag=stored.etag)
    except Stale:  # another message for it is at work
        return
    started, at = time.monotonic(), clock()
    answer = await _send(context, channel.channel, claimed, now=at)
    took = round((time.monotonic() - started) * 1000)
    attempt = Attempt(at, answer.delivered, answer.status, answer.reason, took)
    extra = {"tenant_id": context.tenant.tenant_id, "channel_id": claimed.channel_id}
    logger.info(
        "notice tried", extra=extra | {"delivered": answer.delivered, "status": answer.status}
    )
    tried = replace(claimed, attempts=(*claimed.attempts, attempt), tries=claimed.tries + 1)
    await _record(context, channel, StoredDelivery(tried, etag), answer, now=clock())


async def _send(
    context: TenantContext, channel: Channel, delivery: Delivery, *, now: datetime
) -> Answer:
    settings = context.deployment.settings

    async def token() -> str:
        return (await context.deployment.identity.get_token(MAIL_SCOPE)).token

    try:
        target = read_target(await context.vault.read(channel.secret_name))
        return await send(
            channel.kind, target, envelope_of(context, channel, delivery), settings, token, now=now
        )
    except (NotFound, Corrupt) as error:
        return Answer(False, reason=error.message, final=True)
    except DriftError as error:  # the vault does not answer: later it will
        return Answer(False, reason=error.message)


def envelope_of(context: TenantContext, channel: Channel, delivery: Delivery) -> Envelope:
    return Envelope(
        delivery.delivery_id,
        context.tenant.tenant_id,
        context.tenant.name,
        channel.channel_id,
        channel.name,
        delivery.story,
        delivery.created_at,
        context.deployment.settings.site_url,
    )


async def _record(
    context: TenantContext,
    channel: StoredChannel,
    stored: StoredDelivery,
    answer: Answer,
    *,
    now: datetime,
) -> None:
    delivery = stored.delivery
    if answer.delivered:
        await _save(context, stored, outcome=Outcome.DELIVERED, reason=answer.reason)
    elif answer.gone:
        await _disable(context, channel, now=now)
        await _save(context, stored, outcome=Outcome.FAILED, reason=answer.reason)
    elif answer.final or delivery.tries > len(DELAYS):
        await _tell_failure(context, channel.channel, delivery, answer.reason, now=now)
        await _save(context, stored, outcome=Outcome.FAILED, reason=answer.reason)
    else:
        delay = DELAYS[delivery.tries - 1] * random.uniform(1, 1.1)  # noqa: S311 - jitter
        wait = min(max(delay, answer.retry_after), LONGEST_WAIT)
        until = now + timedelta(seconds=wait)
        await _put_back(context, stored, until, Outcome.QUEUED, now=now, reason=answer.reason)


async def _put_back(
    context: TenantContext,
    stored: StoredDelivery,
    until: datetime,
    outcome: Outcome,
    *,
    now: datetime,
    reason: str = "",
) -> None:
    later = replace(stored.delivery, due_at=until, outcome=outcome, reason=reason)
    try:
        await save_delivery(context.store, later, etag=stored.etag)
    except Stale:  # another message for it is at work
        return
    await send_message(context, later, now=now)


async def _save(
    context: TenantContext, stored: StoredDelivery, *, outcome: Outcome, reason: str
) -> None:
    over = replace(stored.delivery, outcome=outcome, reason=reason)
    await save_delivery(context.store, over, etag=stored.etag)
    if outcome is Outcome.SKIPPED:  # nobody was to be told any more
        return
    telemetry.record(telemetry.NOTICES, 1, outcome=outcome.value)
    if outcome is Outcome.DELIVERED:
        context.deployment.usage.add(context.tenant.tenant_id, Count.NOTICES)


async def _disable(context: TenantContext, stored: StoredChannel, *, now: datetime) -> None:
    """The receiver wants no more: nothing is sent to it until an admin enables the channel again."""
    channel = stored.channel
    text = (
        f"The channel “{channel.name}” is disabled: its receiver answered 410, which says that it is gone. "
        "Set its address anew, or remove it."
    )
    await announce(context, _notice_id(now, f"gone|{channel.channel_id}"), text, now=now)
    disabled = replace(channel, enabled=False, disabled_because="Its receiver answered 410: gone.")
    try:
        await update_channel(context.store, disabled, etag=stored.etag)
    except (Stale, NotFound):  # an admin is at it
        logger.info("channel changed meanwhile", extra={"channel_id": channel.channel_id})


async def _tell_failure(
    context: TenantContext, channel: Channel, delivery: Delivery, reason: str, *, now: datetime
) -> None:
    """In the inbox, but not of a test: who pressed the button looks at its outcome."""
    if delivery.story.kind is StoryKind.TEST:
        return
    text = (
        f"A notice could not be delivered through the channel “{channel.name}”: {reason} "
        "Its delivery log can send it again."
    )
    await announce(context, _notice_id(now, delivery.delivery_id), text, now=now)


def _notice_id(now: datetime, about: str) -> str:
    """The same for whoever tells the same in the same hour, as after a crash."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    return f"{newest_first(hour)}-channel.{hashlib.sha256(about.encode()).hexdigest()[:16]}"


async def fail(context: TenantContext, delivery_id: str, reason: str, *, now: datetime) -> None:
    """Marks a delivery whose message was given up by the host: something of ours was broken, not the receiver."""
    stored = await find_delivery(context.store, delivery_id)
    if stored is None or stored.delivery.outcome not in PENDING:
        return
    channel = await find_channel(context.store, stored.delivery.channel_id)
    if channel:
        await _tell_failure(context, channel.channel, stored.delivery, reason, now=now)
    await _save(context, stored, outcome=Outcome.FAILED, reason=reason)
