"""The daily care of channels: what a lost message left waiting goes on, and what is long over is forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta

from drift.channels.routing import send_message
from drift.channels.rows import (
    delete_snooze,
    delete_window,
    delivery_keys,
    find_delivery,
    forget_delivery,
    read_desk,
    waiting,
)
from drift.preferences import Preferences, find_preferences
from tenancy.access import TenantContext

OVERDUE = timedelta(hours=1)  # a message that comes so late was lost
KEPT_WINDOW = timedelta(days=30)  # after its end, for changes that are found late


async def tend_channels(context: TenantContext, *, now: datetime) -> int:
    """Returns how many deliveries were reminded of. Repeating it is harmless."""
    store = context.store
    reminded = 0
    async for delivery_id, due_at in waiting(store):
        if due_at < now - OVERDUE and (stored := await find_delivery(store, delivery_id)):
            await send_message(context, stored.delivery, now=now)
            reminded += 1
    await _forget(context, now=now)
    return reminded


async def _forget(context: TenantContext, *, now: datetime) -> None:
    store = context.store
    desk = await read_desk(store)
    for window in desk.windows:
        if window.ends_at < now - KEPT_WINDOW:
            await delete_window(store, window.window_id)
    for finding_id, until in desk.snoozes.items():
        if until < now:
            await delete_snooze(store, finding_id)
    stored = await find_preferences(store)
    days = (stored.preferences if stored else Preferences()).retention.notices
    known = {channel.channel_id for channel in desk.channels}
    async for delivery_id, created_at in delivery_keys(store):
        removed = delivery_id.partition(".")[0] not in known
        if removed or created_at < now - timedelta(days=days):
            await forget_delivery(store, delivery_id)
