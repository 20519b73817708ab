"""Baselines: named, versioned snapshots that a subscription is held against. One version is active."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

import msgspec

from drift.approvals import (
    Approval,
    ApprovalKind,
    ApprovalStatus,
    ask,
    find_pending,
    new_request,
    require_askable,
    settle,
)
from drift.archive import find_configuration, hold_snapshot
from drift.preferences import get_preferences
from drift.quotas import require_room
from drift.subscriptions import Subscription, get_subscription, put_in_force, save
from errors import Conflict, NotFound, Stale
from tenancy import audit
from tenancy.access import TenantContext
from tenancy.ids import SubscriptionId
from tenancy.rowkeys import newest_first
from tenancy.rows import Row, Value
from tenancy.store import Operation, Table, TenantStore, Write

MOST_TRIES = 5  # while others write the row of the subscription
BUSY = "This subscription is being changed by others. Try again."
EDITED = "Somebody else edited this version meanwhile. Read it again, and edit what was made of it."


class Source(StrEnum):
    LIVE = "live"  # the newest completely read state
    UPLOAD = "upload"
    EDIT = "edit"  # another version with one resource changed


@dataclass(frozen=True, slots=True)
class Baseline:
    baseline_id: str
    subscription_id: SubscriptionId
    version: int
    name: str
    note: str
    author: str
    author_key: str  # the principal behind the name
    created_at: datetime
    taken_at: datetime  # when the state that it holds was read
    snapshot_id: str
    resources: int
    source: Source = Source.LIVE
    parent_id: str = ""  # the version that this one was edited from
    edited_into: str = ""  # the newest version that was edited from this one
    etag: str = ""

    def values(self) -> dict[str, Value]:
        return {
            "version": self.version,
            "name": self.name,
            "note": self.note,
            "author": self.author,
            "author_key": self.author_key,
            "created_at": self.created_at,
            "taken_at": self.taken_at,
            "snapshot_id": self.snapshot_id,
            "resources": self.resources,
            "source": self.source.value,
            "parent_id": self.parent_id,
            "edited_into": self.edited_into,
        }


async def get_baseline(store: TenantStore, baseline_id: str) -> Baseline:
    row = await store.find(Table.BASELINE, baseline_id)
    if row is None:
        raise NotFound("There is no such baseline.")
    return _read(row)


async def save_baseline(store: TenantStore, baseline: Baseline) -> Baseline:
    """Raises Stale when somebody else wrote the version meanwhile."""
    key = baseline.baseline_id
    etag = await store.update(Table.BASELINE, key, baseline.values(), etag=baseline.etag)
    return replace(baseline, etag=etag)


async def page_baselines(
    store: TenantStore, *, subscription_id: str = "", after: str, limit: int
) -> tuple[list[Baseline], str]:
    """By subscription, newest version first."""
    prefix = f"{subscription_id}." if subscription_id else ""
    rows, cursor = await store.page(Table.BASELINE, prefix=prefix, after=after, limit=limit)
    return [_read(row) for row in rows], cursor


@dataclass(frozen=True, slots=True)
class NewBaseline:
    """What somebody gives for a new version."""

    subscription_id: SubscriptionId
    name: str
    note: str
    activate: bool
    now: datetime


async def capture(context: TenantContext, new: NewBaseline) -> Baseline:
    """Makes the newest completely read state of a subscription a new baseline version.

    Raises NotFound for an unknown subscription, Conflict before its first complete scan, and OverQuota when the tenant
    stores as much as it may.
    """
    await get_subscription(context.store, new.subscription_id)
    configuration = await find_configuration(context.store, new.subscription_id)
    if configuration is None:
        raise Conflict("This subscription has no complete scan yet. Start one, then capture.")
    await require_room(context, now=new.now)
    await hold_snapshot(context.store, configuration.snapshot_id)
    return await add_baseline(
        context,
        new,
        Content(
            configuration.snapshot_id,
            configuration.resources,
            configuration.taken_at,
            Source.LIVE,
        ),
    )


@dataclass(frozen=True, slots=True)
class Content:
    """What a new version holds: a stored snapshot, and where it is from."""

    snapshot_id: str
    resources: int
    taken_at: datetime
    source: Source
    parent: Baseline | None = None  # with source EDIT
    detail: str = ""  # for the audit trail: what was edited


async def add_baseline(context: TenantContext, new: NewBaseline, content: Content) -> Baseline:
    """Gives a stored snapshot the next version number of its subscription, and makes it active if that is wanted.

    Raises Stale when somebody else edited its parent meanwhile.
    """
    store, parent = context.store, content.parent
    if new.activate and await _needs_approval(store):
        await require_askable(context, ApprovalKind.BASELINE, new.subscription_id)
    version = await _take_number(store, new.subscription_id)
    baseline = Baseline(
        baseline_id=f"{new.subscription_id}.{newest_first(new.now)}{secrets.token_hex(4)}",
        subscription_id=new.subscription_id,
        version=version,
        name=new.name,
        note=new.note,
        author=context.actor.name,
        author_key=context.actor.key,
        created_at=new.now,
        taken_at=content.taken_at,
        snapshot_id=content.snapshot_id,
        resources=content.resources,
        source=content.source,
        parent_id=parent.baseline_id if parent else "",
    )
    baseline = await _insert(store, baseline, parent)
    await _tell(context, "baseline.add", baseline, now=new.now, detail=_said(baseline, content))
    if new.activate:
        await _make_active(context, baseline, new.note, now=new.now)
    return baseline


async def activate(
    context: TenantContext, baseline_id: str, reason: str = "", *, now: datetime
) -> Baseline:
    """Holds the subscription against this version from the next scan on; also the way to roll back.

    Where the tenant has four-eyes approval, it only asks for that: a second person approves (drift/four_eyes.py).
    """
    baseline = await get_baseline(context.store, baseline_id)
    await _make_active(context, baseline, reason, now=now)
    return baseline


async def delete(context: TenantContext, baseline_id: str, *, now: datetime) -> None:
    """Removes a version. Raises Conflict for the active one: a subscription must not silently lose its baseline."""
    baseline = await get_baseline(context.store, baseline_id)
    subscription = await get_subscription(context.store, baseline.subscription_id)
    if subscription.active_baseline == baseline_id:
        raise Conflict("This baseline is active. Activate another version first.")
    pending = await find_pending(context.store, ApprovalKind.BASELINE, baseline.subscription_id)
    if pending and pending.baseline_id == baseline_id:
        raise Conflict("Somebody asked to activate this baseline. Reject or withdraw that first.")
    await context.store.delete(Table.BASELINE, baseline_id)
    await _tell(context, "baseline.delete", baseline, now=now, detail={"version": baseline.version})


async def _needs_approval(store: TenantStore) -> bool:
    return (await get_preferences(store)).preferences.four_eyes


async def _make_active(
    context: TenantContext, baseline: Baseline, reason: str, *, now: datetime
) -> None:
    """Or asks for it. Somebody else who writes the subscription's row at the same time is waited for."""
    for _ in range(MOST_TRIES):
        subscription = await get_subscription(context.store, baseline.subscription_id)
        before = subscription.active_baseline
        if before == baseline.baseline_id:
            return
        if await _needs_approval(context.store):
            await ask(context, _request(context, baseline, before, reason, now), now=now)
            return
        active = subscription.held_against(baseline.baseline_id, baseline.snapshot_id)
        try:
            await _put_in_force(context, active, reason, now=now)
        except Stale:
            continue
        await tell_activation(context, baseline, before, now=now)
        return
    raise Stale(BUSY)


async def _put_in_force(
    context: TenantContext, subscription: Subscription, reason: str, *, now: datetime
) -> None:
    """With its new active version. What waits, of the time when the tenant had four-eyes approval, is over then."""
    kind, store = ApprovalKind.BASELINE, context.store
    pending = await find_pending(store, kind, subscription.subscription_id)
    if pending is None:
        await save(store, subscription)
        return
    effect = [put_in_force(subscription)]
    await settle(context, pending, ApprovalStatus.SUPERSEDED, effect, reason=reason, now=now)


def _request(
    context: TenantContext, baseline: Baseline, before: str, reason: str, now: datetime
) -> Approval:
    return replace(
        new_request(context, ApprovalKind.BASELINE, reason, now=now),
        subscription_id=baseline.subscription_id,
        baseline_id=baseline.baseline_id,
        version=baseline.version,
        active_baseline=before,
        author=baseline.author_key,
    )


async def tell_activation(
    context: TenantContext, baseline: Baseline, before: str, *, approval: str = "", now: datetime
) -> None:
    detail = {"before": before} | ({"approval": approval} if approval else {})
    await _tell(context, "baseline.activate", baseline, now=now, detail=detail)


async def _take_number(store: TenantStore, subscription_id: SubscriptionId) -> int:
    """The next version number. It is taken first, so that two new versions at once cannot get the same one; that of a
    version which was refused then is nobody's."""
    for _ in range(MOST_TRIES):
        subscription = await get_subscription(store, subscription_id)
        number = subscription.baseline_version + 1
        try:
            await save(store, replace(subscription, baseline_version=number))
        except Stale:  # another version, or a scan that wrote the row
            continue
        return number
    raise Stale(BUSY)


async def _insert(store: TenantStore, baseline: Baseline, parent: Baseline | None) -> Baseline:
    """Writes the row of a new version. What was edited points to it from then on, in the same transaction: its ETag
    moves, so of two people who edit the same version at once, the second is told."""
    key, values = baseline.baseline_id, baseline.values()
    operations = [Operation(Write.INSERT, key, values)]
    if parent:
        edited = replace(parent, edited_into=key).values()
        operations.append(Operation(Write.UPDATE, parent.baseline_id, edited, parent.etag))
    try:
        etags = await store.transact(Table.BASELINE, operations)
    except Stale:
        raise Stale(EDITED) from None
    return replace(baseline, etag=etags[0])


def _said(baseline: Baseline, content: Content) -> dict[str, object]:
    told: dict[str, object] = {"version": baseline.version, "source": baseline.source}
    if content.parent:
        told |= {"from": content.parent.version, "edited": content.detail}
    return told


async def _tell(
    context: TenantContext,
    action: str,
    baseline: Baseline,
    *,
    now: datetime,
    detail: Mapping[str, object],
) -> None:
    text = msgspec.json.encode(detail).decode()
    target = baseline.baseline_id
    await audit.record(context.store, context.actor, action, target, now=now, detail=text)


def _read(row: Row) -> Baseline:
    values = row.values
    return Baseline(
        baseline_id=row.key,
        subscription_id=SubscriptionId(row.key.split(".", 1)[0]),
        version=values["version"],
        name=values["name"],
        note=values["note"],
        author=values["author"],
        author_key=values.get("author_key", ""),
        created_at=values["created_at"],
        taken_at=values["taken_at"],
        snapshot_id=values["snapshot_id"],
        resources=values["resources"],
        source=Source(values.get("source", Source.LIVE)),
        parent_id=values.get("parent_id", ""),
        edited_into=values.get("edited_into", ""),
        etag=row.etag,
    )
