"""What people do with channels: add, change, remove, test, replay, snooze; and maintenance windows. Each is audited,
without address or key."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from drift.channels import stories, timing
from drift.channels.model import (
    Channel,
    ChannelKind,
    MaintenanceWindow,
    Selection,
    StoredChannel,
    StoredWindow,
    Timing,
)
from drift.channels.routing import send_message
from drift.channels.rows import (
    PENDING,
    Delivery,
    Outcome,
    StoredDelivery,
    delete_channel,
    delete_snooze,
    delete_window,
    get_channel,
    get_delivery,
    get_window,
    insert_channel,
    insert_delivery,
    insert_window,
    put_snooze,
    read_desk,
    save_delivery,
    update_channel,
)
from drift.channels.targets import (
    Target,
    complete,
    place_of,
    read_target,
    rotated,
    write_target,
)
from drift.findings import get_finding
from drift.subscriptions import get_subscription
from errors import Conflict, Invalid, NotFound
from tenancy import audit
from tenancy.access import TenantContext
from tenancy.ids import SubscriptionId
from tenancy.rowkeys import newest_first

PURPOSE = "channel"  # of its secret in the vault
MOST_CHANNELS = 50  # all of them are looked at for every notice
MOST_WINDOWS = 100
LONGEST_SNOOZE = timedelta(days=90)
LONGEST_WINDOW = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an admin says of a channel. No target keeps the one there is."""

    name: str
    kind: ChannelKind
    enabled: bool
    selection: Selection
    timing: Timing
    target: Target | None


async def add_channel(context: TenantContext, wanted: Wanted, *, now: datetime) -> StoredChannel:
    """Raises Invalid, naming the field, and Conflict when the tenant has as many channels as it may."""
    if wanted.target is None:
        raise Invalid("target is missing: where the channel leads.", field="target")
    await _check(context, wanted)
    settings = context.deployment.settings
    target = complete(wanted.kind, wanted.target, settings)
    if len((await read_desk(context.store)).channels) >= MOST_CHANNELS:
        raise Conflict(f"A tenant has at most {MOST_CHANNELS} channels. Remove unused ones first.")
    channel = Channel(
        channel_id=secrets.token_hex(8),
        name=wanted.name,
        kind=wanted.kind,
        selection=wanted.selection,
        timing=wanted.timing,
        host=place_of(wanted.kind, target, settings).host,
        secret_name=await context.vault.keep(PURPOSE, write_target(target)),
        created_at=now,
        created_by=context.actor.name,
        enabled=wanted.enabled,
    )
    etag = await insert_channel(context.store, channel)
    await _audit(context, "channel.add", channel, now=now)
    return StoredChannel(channel, etag)


async def change_channel(
    context: TenantContext, channel_id: str, wanted: Wanted, *, etag: str, now: datetime
) -> StoredChannel:
    """Replaces what is said of a channel; its kind stays. Raises Stale when it was changed after `etag` was read."""
    before = (await get_channel(context.store, channel_id)).channel
    if wanted.kind is not before.kind:
        raise Invalid("The kind of a channel stays. Add another channel.", field="kind")
    await _check(context, wanted)
    channel = replace(
        before,
        name=wanted.name,
        selection=wanted.selection,
        timing=wanted.timing,
        enabled=wanted.enabled,
        disabled_because="" if wanted.enabled else before.disabled_because,
    )
    if wanted.target is not None:
        channel = await _with_target(context, channel, wanted.target, now=now)
    try:
        etag = await update_channel(context.store, channel, etag=etag)
    except (Conflict, NotFound):
        if channel.secret_name != before.secret_name:
            await context.vault.erase(channel.secret_name)
        raise
    if channel.secret_name != before.secret_name:
        await context.vault.retire(before.secret_name, now=now)
    await _audit(context, "channel.change", channel, now=now)
    return StoredChannel(channel, etag)


async def _check(context: TenantContext, wanted: Wanted) -> None:
    """Raises Invalid, naming the field, and NotFound for a subscription that is not the tenant's."""
    timing.check(wanted.timing)
    for subscription_id in wanted.selection.subscriptions:
        await get_subscription(context.store, SubscriptionId(subscription_id))


async def _with_target(
    context: TenantContext, channel: Channel, given: Target, *, now: datetime
) -> Channel:
    settings = context.deployment.settings
    target = complete(channel.kind, given, settings)
    try:
        before = read_target(await context.vault.read(channel.secret_name))
    except NotFound:  # it was lost: the new one replaces it all the same
        before = Target()
    target = rotated(target, before, now=now)
    return replace(
        channel,
        host=place_of(channel.kind, target, settings).host,
        secret_name=await context.vault.keep(PURPOSE, write_target(target)),
    )


async def remove_channel(
    context: TenantContext, channel_id: str, *, etag: str, now: datetime
) -> None:
    """Removes a channel and its secret; what waits for it is not sent."""
    channel = (await get_channel(context.store, channel_id)).channel
    await delete_channel(context.store, channel_id, etag=etag)
    await context.vault.erase(channel.secret_name)
    await _audit(context, "channel.remove", channel, now=now)


async def snooze_channel(
    context: TenantContext, channel_id: str, until: datetime | None, *, etag: str, now: datetime
) -> StoredChannel:
    """Holds everything for the channel until then; None ends that, and what was held goes when it was due."""
    _check_until(until, now)
    before = (await get_channel(context.store, channel_id)).channel
    channel = replace(before, snoozed_until=until)
    etag = await update_channel(context.store, channel, etag=etag)
    await _audit(context, "channel.snooze", channel, now=now)
    return StoredChannel(channel, etag)


async def test_channel(context: TenantContext, channel_id: str, *, now: datetime) -> StoredDelivery:
    """Sends an example the way every notice goes, at once. A channel that is disabled can be tested too."""
    channel = (await get_channel(context.store, channel_id)).channel
    delivery = Delivery(
        delivery_id=f"{channel_id}.{newest_first(now)}-test.{secrets.token_hex(4)}",
        channel_id=channel_id,
        story=stories.example(context.tenant.tenant_id, now=now),
        events=(),
        created_at=now,
        due_at=now,
        outcome=Outcome.QUEUED,
        prompt=True,
    )
    await insert_delivery(context.store, delivery)
    await send_message(context, delivery, now=now)
    await _audit(context, "channel.test", channel, now=now)
    return await get_delivery(context.store, delivery.delivery_id)


async def replay(
    context: TenantContext, channel_id: str, delivery_id: str, *, now: datetime
) -> StoredDelivery:
    """Sends a delivery once more, under the id it has. Raises Conflict while it is not over."""
    stored = await get_delivery(context.store, delivery_id)
    channel = (await get_channel(context.store, channel_id)).channel
    if stored.delivery.channel_id != channel_id:
        raise NotFound("There is no such delivery.")
    if stored.delivery.outcome in PENDING:
        raise Conflict("This delivery is not over yet: it is still going to be sent.")
    again = replace(
        stored.delivery, outcome=Outcome.QUEUED, due_at=now, tries=0, prompt=True, reason=""
    )
    etag = await save_delivery(context.store, again, etag=stored.etag)
    await send_message(context, again, now=now)
    await _audit(context, "channel.replay", channel, now=now, delivery=delivery_id)
    return StoredDelivery(again, etag)


async def snooze_finding(
    context: TenantContext, finding_id: str, until: datetime | None, *, now: datetime
) -> None:
    """Holds what is to be told of one finding until then; None ends that for what comes from now on."""
    _check_until(until, now)
    await get_finding(context.store, finding_id)
    if until is None:
        await delete_snooze(context.store, finding_id)
    else:
        await put_snooze(context.store, finding_id, until)
    detail = msgspec.json.encode({"until": until}).decode()
    store, actor = context.store, context.actor
    await audit.record(store, actor, "finding.snooze", finding_id, now=now, detail=detail)


async def add_window(
    context: TenantContext,
    name: str,
    starts_at: datetime,
    ends_at: datetime,
    deployers: Sequence[str],
    *,
    now: datetime,
) -> StoredWindow:
    """Raises Invalid, naming the field, and Conflict when the tenant has as many windows as it may."""
    window = MaintenanceWindow(
        secrets.token_hex(8), name, starts_at, ends_at, tuple(deployers), context.actor.name
    )
    if not window.starts_at < window.ends_at:
        raise Invalid("endsAt must be later than startsAt.", field="endsAt")
    if window.ends_at <= now:
        raise Invalid("endsAt lies in the past.", field="endsAt")
    if window.ends_at - window.starts_at > LONGEST_WINDOW:
        raise Invalid(f"A window lasts at most {LONGEST_WINDOW.days} days.", field="endsAt")
    if len((await read_desk(context.store)).windows) >= MOST_WINDOWS:
        raise Conflict(f"A tenant has at most {MOST_WINDOWS} maintenance windows.")
    etag = await insert_window(context.store, window)
    await _audit_window(context, "window.add", window, now=now)
    return StoredWindow(window, etag)


async def remove_window(
    context: TenantContext, window_id: str, *, etag: str, now: datetime
) -> None:
    window = (await get_window(context.store, window_id)).window
    await delete_window(context.store, window_id, etag=etag)
    await _audit_window(context, "window.remove", window, now=now)


def _check_until(until: datetime | None, now: datetime) -> None:
    if until is None:
        return
    if until <= now:
        raise Invalid("until lies in the past.", field="until")
    if until - now > LONGEST_SNOOZE:
        raise Invalid(f"A snooze lasts at most {LONGEST_SNOOZE.days} days.", field="until")


async def _audit(
    context: TenantContext, action: str, channel: Channel, *, now: datetime, delivery: str = ""
) -> None:
    said = msgspec.to_builtins(channel)
    del said["secret_name"]  # it says nothing, and is nobody's business
    detail = msgspec.json.encode(said | ({"delivery": delivery} if delivery else {})).decode()
    store, actor = context.store, context.actor
    await audit.record(store, actor, action, channel.channel_id, now=now, detail=detail)


async def _audit_window(
    context: TenantContext, action: str, window: MaintenanceWindow, *, now: datetime
) -> None:
    detail = msgspec.json.encode(window).decode()
    store, actor = context.store, context.actor
    await audit.record(store, actor, action, window.window_id, now=now, detail=detail)
