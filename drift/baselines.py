"""Baselines: named, versioned snapshots that a subscription is held against. One version is active."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from drift.archive import find_configuration
from drift.subscriptions import get_subscription, save
from errors import Conflict, NotFound
from tenancy import audit
from tenancy.access import TenantContext
from tenancy.ids import SubscriptionId
from tenancy.rowkeys import newest_first
from tenancy.rows import Row, Value
from tenancy.store import Table, TenantStore


@dataclass(frozen=True, slots=True)
class Baseline:
    baseline_id: str
    subscription_id: SubscriptionId
    version: int
    name: str
    note: str
    author: str
    created_at: datetime
    taken_at: datetime  # when the state that it holds was read
    snapshot_id: str
    resources: int
    etag: str = ""

    def values(self) -> dict[str, Value]:
        return {
            "version": self.version,
            "name": self.name,
            "note": self.note,
            "author": self.author,
            "created_at": self.created_at,
            "taken_at": self.taken_at,
            "snapshot_id": self.snapshot_id,
            "resources": self.resources,
        }


async def get_baseline(store: TenantStore, baseline_id: str) -> Baseline:
    row = await store.find(Table.BASELINE, baseline_id)
    if row is None:
        raise NotFound("There is no such baseline.")
    return _read(row)


async def save_baseline(store: TenantStore, baseline: Baseline) -> None:
    """Raises Stale when somebody else wrote the version meanwhile."""
    key = baseline.baseline_id
    await store.update(Table.BASELINE, key, baseline.values(), etag=baseline.etag)


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

    Raises NotFound for an unknown subscription and Conflict before its first complete scan.
    """
    await get_subscription(context.store, new.subscription_id)
    configuration = await find_configuration(context.store, new.subscription_id)
    if configuration is None:
        raise Conflict("This subscription has no complete scan yet. Start one, then capture.")
    return await add_baseline(
        context,
        new,
        configuration.snapshot_id,
        taken_at=configuration.taken_at,
        resources=configuration.resources,
    )


async def add_baseline(
    context: TenantContext,
    new: NewBaseline,
    snapshot_id: str,
    *,
    taken_at: datetime,
    resources: int,
) -> Baseline:
    """Gives a stored snapshot the next version number of its subscription, and makes it active if that is wanted."""
    store = context.store
    subscription = await get_subscription(store, new.subscription_id)
    # Taking the number first means that two new versions at once cannot get the same one.
    version = subscription.baseline_version + 1
    await save(store, replace(subscription, baseline_version=version))
    baseline = Baseline(
        baseline_id=f"{new.subscription_id}.{newest_first(new.now)}{secrets.token_hex(4)}",
        subscription_id=new.subscription_id,
        version=version,
        name=new.name,
        note=new.note,
        author=context.actor.name,
        created_at=new.now,
        taken_at=taken_at,
        snapshot_id=snapshot_id,
        resources=resources,
    )
    await store.insert(Table.BASELINE, baseline.baseline_id, baseline.values())
    await audit.record(store, context.actor, "baseline.add", baseline.baseline_id, now=new.now)
    if new.activate:
        await _make_active(context, baseline, now=new.now)
    return baseline


async def activate(context: TenantContext, baseline_id: str, *, now: datetime) -> Baseline:
    """Holds the subscription against this version from the next scan on; also the way to roll back."""
    baseline = await get_baseline(context.store, baseline_id)
    await _make_active(context, baseline, now=now)
    return baseline


async def delete(context: TenantContext, baseline_id: str, *, now: datetime) -> None:
    """Removes a version. Raises Conflict for the active one: a subscription must not silently lose its baseline."""
    baseline = await get_baseline(context.store, baseline_id)
    subscription = await get_subscription(context.store, baseline.subscription_id)
    if subscription.active_baseline == baseline_id:
        raise Conflict("This baseline is active. Activate another version first.")
    await context.store.delete(Table.BASELINE, baseline_id)
    await audit.record(context.store, context.actor, "baseline.delete", baseline_id, now=now)


async def _make_active(context: TenantContext, baseline: Baseline, *, now: datetime) -> None:
    subscription = await get_subscription(context.store, baseline.subscription_id)
    if subscription.active_baseline == baseline.baseline_id:
        return
    await save(context.store, replace(subscription, active_baseline=baseline.baseline_id))
    detail = f'{{"before":"{subscription.active_baseline}"}}'
    await audit.record(
        context.store,
        context.actor,
        "baseline.activate",
        baseline.baseline_id,
        now=now,
        detail=detail,
    )


def _read(row: Row) -> Baseline:
    values = row.values
    return Baseline(
        baseline_id=row.key,
        subscription_id=SubscriptionId(row.key.split(".", 1)[0]),
        version=values["version"],
        name=values["name"],
        note=values["note"],
        author=values["author"],
        created_at=values["created_at"],
        taken_at=values["taken_at"],
        snapshot_id=values["snapshot_id"],
        resources=values["resources"],
        etag=row.etag,
    )
