"""A tenant's settings change: checked, saved with their history, told to the audit trail, and the schedule follows."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime

import msgspec

from drift.preferences import (
    Change,
    ChangeAction,
    Preferences,
    find_preferences,
    get_change,
    get_preferences,
    save_preferences,
    write_change,
)
from drift.schedule import reschedule
from errors import Conflict, Stale
from tenancy import audit
from tenancy.access import TenantContext
from tenancy.rowkeys import newest_first
from tenancy.store import Operation


async def start_preferences(
    context: TenantContext, preferences: Preferences, *, now: datetime
) -> None:
    """The settings that a tenant begins with. Given again before it is used, the later ones count."""
    stored = await find_preferences(context.store)
    before = stored.preferences if stored else None
    if before != preferences:
        etag = stored.etag if stored else ""
        await _save(context, ChangeAction.START, before, preferences, etag=etag, now=now)


async def change_preferences(
    context: TenantContext,
    preferences: Preferences,
    *,
    etag: str,
    now: datetime,
    reverted_to: str = "",
) -> str:
    """Saves a tenant's settings, puts its next scan where the schedule says and returns the new ETag.

    Raises Stale when somebody else changed them after `etag` was read, and Conflict where one person would switch
    four-eyes approval off. The same settings again are no change.
    """
    stored = await get_preferences(context.store)
    if stored.etag != etag:
        raise Stale("Somebody else changed the settings. Read them again.")
    if stored.preferences.four_eyes and not preferences.four_eyes:
        raise Conflict(
            "Four-eyes approval is on, and one person alone cannot switch it off. Send fourEyes true here, and "
            "POST /api/approvals/four-eyes-off: a second admin approves it."
        )
    if stored.preferences != preferences:
        action = ChangeAction.REVERT if reverted_to else ChangeAction.CHANGE
        etag = await _save(
            context,
            action,
            stored.preferences,
            preferences,
            etag=etag,
            now=now,
            reverted_to=reverted_to,
        )
    if preferences.schedule != context.tenant.schedule:
        await reschedule(context, preferences.schedule, now=now)
    return etag


async def revert_preferences(
    context: TenantContext, change_id: str, *, etag: str, now: datetime
) -> tuple[Preferences, str]:
    """Brings back the settings as they were after an earlier change: a new change, which can be reverted as well."""
    wanted = (await get_change(context.store, change_id)).after
    etag = await change_preferences(context, wanted, etag=etag, now=now, reverted_to=change_id)
    return wanted, etag


async def _save(
    context: TenantContext,
    action: ChangeAction,
    before: Preferences | None,
    after: Preferences,
    *,
    etag: str,
    now: datetime,
    reverted_to: str = "",
) -> str:
    change = Change(_new_id(now), now, context.actor, action, before, after, reverted_to)
    etag = await save_preferences(context.store, change, etag=etag)
    await tell_change(context, change)
    return etag


async def switch_off(context: TenantContext, *, now: datetime) -> tuple[Change, list[Operation]]:
    """What ends four-eyes approval: the change, and the rows to write with its approval. Raises Conflict when it has
    ended."""
    stored = await get_preferences(context.store)
    before = stored.preferences
    if not before.four_eyes:
        raise Conflict("Four-eyes approval is off.")
    after = replace(before, four_eyes=False)
    change = Change(_new_id(now), now, context.actor, ChangeAction.CHANGE, before, after)
    return change, write_change(change, stored.etag)


def _new_id(now: datetime) -> str:
    return f"{newest_first(now)}.{secrets.token_hex(4)}"


async def tell_change(context: TenantContext, change: Change) -> None:
    await audit.record(
        context.store,
        context.actor,
        f"settings.{change.action}",
        "settings",
        now=change.at,
        detail=_detail(change),
    )


def _detail(change: Change) -> str:
    """JSON of what differs: field -> before and after."""
    old = msgspec.to_builtins(change.before) if change.before else {}
    new = msgspec.to_builtins(change.after)
    told: dict[str, object] = {
        name: {"before": old.get(name), "after": value}
        for name, value in new.items()
        if old.get(name) != value
    }
    if change.reverted_to:
        told["revertedTo"] = change.reverted_to
    return msgspec.json.encode(told).decode()
