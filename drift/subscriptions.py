"""The subscriptions of a tenant: what its connection sees, which are monitored, which baseline is active.

A monitored subscription is claimed for its tenant first (tenancy/claims.py): no other tenant monitors it, unless the
platform operator shares it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from drift.arm import open_arm
from drift.collect import SeenSubscription, list_subscriptions
from errors import Conflict
from tenancy import audit
from tenancy.access import TenantContext
from tenancy.claims import refuse_taken
from tenancy.ids import SubscriptionId
from tenancy.rows import Row, Value
from tenancy.store import Operation, Table, TenantStore, Write

PREFIX = "s."
MOST_TOLD = 90  # ids in one entry of the audit trail, of each kind


@dataclass(frozen=True, slots=True)
class Subscription:
    subscription_id: SubscriptionId
    name: str
    state: str  # as Azure says: Enabled, Warned, PastDue, Disabled …; Invisible when the connection lost it
    monitored: bool
    seen_at: datetime
    active_baseline: str = ""  # id of the baseline version it is held against
    baseline_version: int = 0  # the highest version given so far
    rules_version: str = ""  # of the tenant's rules that its findings were judged by
    taken: bool = False  # not monitored because another tenant has it
    agreed: str = ""  # the active baseline and its snapshot, so that who is in sync need not read the baseline's row
    etag: str = ""

    def values(self) -> dict[str, Value]:
        return {
            "name": self.name,
            "state": self.state,
            "monitored": self.monitored,
            "seen_at": self.seen_at,
            "active_baseline": self.active_baseline,
            "baseline_version": self.baseline_version,
            "rules_version": self.rules_version,
            "taken": self.taken,
            "agreed": self.agreed,
        }

    def held_against(self, baseline_id: str, snapshot_id: str) -> Subscription:
        """The same with another active baseline."""
        return replace(self, active_baseline=baseline_id, agreed=f"{baseline_id}:{snapshot_id}")

    def is_agreed(self, snapshot_id: str) -> bool:
        """Whether a snapshot is known to be what the active baseline holds; False says nothing."""
        return self.agreed == f"{self.active_baseline}:{snapshot_id}"


INVISIBLE = "Invisible"


async def get_subscription(store: TenantStore, subscription_id: SubscriptionId) -> Subscription:
    return _read(await store.get(Table.SUBSCRIPTION, PREFIX + subscription_id))


async def subscriptions(store: TenantStore) -> AsyncIterator[Subscription]:
    async for row in store.rows(Table.SUBSCRIPTION, prefix=PREFIX):
        yield _read(row)


async def page_subscriptions(
    store: TenantStore, *, after: str, limit: int
) -> tuple[list[Subscription], str]:
    rows, cursor = await store.page(Table.SUBSCRIPTION, prefix=PREFIX, after=after, limit=limit)
    return [_read(row) for row in rows], cursor


async def save(store: TenantStore, subscription: Subscription) -> Subscription:
    """Writes a subscription that was read before. Raises Stale when somebody else changed it meanwhile."""
    key = PREFIX + subscription.subscription_id
    etag = await store.update(
        Table.SUBSCRIPTION, key, subscription.values(), etag=subscription.etag
    )
    return replace(subscription, etag=etag)


def put_in_force(subscription: Subscription) -> Operation:
    """The same as a part of a transaction: with the approval of a new active baseline, say."""
    key = PREFIX + subscription.subscription_id
    return Operation(Write.UPDATE, key, subscription.values(), subscription.etag)


async def refresh(context: TenantContext, *, now: datetime) -> list[Subscription]:
    """Lists the subscriptions with the tenant's own credential and brings their rows up to date.

    New ones are monitored from the start, unless another tenant has them. One that is no longer listed is marked
    Invisible, never removed: a lost permission looks just like that.
    """
    arm = open_arm(context, await context.credential())
    seen = await list_subscriptions(arm)
    before = {row.subscription_id: row.state async for row in subscriptions(context.store)}
    after = await merge(context, seen, now=now)
    await _tell_refresh(context, before, after, now=now)
    return after


async def _tell_refresh(
    context: TenantContext,
    before: Mapping[SubscriptionId, str],
    after: Sequence[Subscription],
    *,
    now: datetime,
) -> None:
    """What a person asked for is told always; what every scan does, when it found something."""
    lost = [row for row in after if row.state == INVISIBLE != before.get(row.subscription_id)]
    told = {
        "added": [row.subscription_id for row in after if row.subscription_id not in before],
        "lost": [row.subscription_id for row in lost],
    }
    found = {name: ids[:MOST_TOLD] for name, ids in told.items() if ids}
    if found or context.actor != audit.SYSTEM:
        detail = msgspec.json.encode(found).decode()
        action, target = "subscription.refresh", "subscriptions"
        await audit.record(context.store, context.actor, action, target, now=now, detail=detail)


async def merge(
    context: TenantContext, seen: Iterable[SeenSubscription], *, now: datetime
) -> list[Subscription]:
    """Merges a listing into the rows and returns all rows. Rows that say the same are not written."""
    store = context.store
    known = {row.subscription_id: row async for row in subscriptions(store)}
    listed = {item.subscription_id: item for item in seen}
    result = []
    for subscription_id in sorted(known.keys() | listed.keys()):
        before = known.get(subscription_id)
        after = _merged(before, listed.get(subscription_id), subscription_id, now)
        if before is None or (before.taken and subscription_id in listed):
            after = await _claimed(context, after)
        if before is None:
            after = await _add(store, after)
        elif _said(before) != _said(after):
            after = await save(store, after)
        result.append(after)
    return result


def _said(subscription: Subscription) -> tuple[object, ...]:
    return subscription.name, subscription.state, subscription.monitored, subscription.taken


async def _claimed(context: TenantContext, subscription: Subscription) -> Subscription:
    claims, tenant_id = context.deployment.claims, context.tenant.tenant_id
    mine = await claims.take(tenant_id, subscription.subscription_id)
    return replace(subscription, monitored=mine, taken=not mine)


async def monitor(
    context: TenantContext,
    subscription_id: SubscriptionId,
    *,
    monitored: bool,
    etag: str,
    now: datetime,
) -> Subscription:
    """Begins or ends the monitoring of a subscription. Raises Conflict when it is another tenant's."""
    before = await get_subscription(context.store, subscription_id)
    claims, tenant_id = context.deployment.claims, context.tenant.tenant_id
    if monitored and not await claims.take(tenant_id, subscription_id):
        raise refuse_taken()
    after = replace(before, monitored=monitored, taken=False, etag=etag)
    after = await save(context.store, after)
    if not monitored:  # last, so that a repetition gives back what a failure kept
        await claims.release(tenant_id, subscription_id)
    action = "subscription.monitor" if monitored else "subscription.unmonitor"
    await audit.record(context.store, context.actor, action, subscription_id, now=now)
    return after


async def share(context: TenantContext, subscription_id: SubscriptionId, *, now: datetime) -> None:
    """The platform operator lets this tenant monitor a subscription that is another's already."""
    await context.deployment.claims.share(context.tenant.tenant_id, subscription_id)
    action = "subscription.share"
    await audit.record(context.store, context.actor, action, subscription_id, now=now)


async def unshare(
    context: TenantContext, subscription_id: SubscriptionId, *, now: datetime
) -> None:
    """Takes that back: from now on the tenant does not monitor the subscription, unless it is its own by now."""
    claims, tenant_id = context.deployment.claims, context.tenant.tenant_id
    await claims.unshare(tenant_id, subscription_id)
    async for known in subscriptions(context.store):
        if known.subscription_id == subscription_id and known.monitored:
            after = await _claimed(context, known)
            if not after.monitored:
                await save(context.store, after)
    action = "subscription.unshare"
    await audit.record(context.store, context.actor, action, subscription_id, now=now)


async def release_all(context: TenantContext) -> None:
    """Gives back every subscription of a tenant that is deleted."""
    async for known in subscriptions(context.store):
        await context.deployment.claims.release(context.tenant.tenant_id, known.subscription_id)


async def _add(store: TenantStore, subscription: Subscription) -> Subscription:
    key = PREFIX + subscription.subscription_id
    try:
        etag = await store.insert(Table.SUBSCRIPTION, key, subscription.values())
    except Conflict:  # another refresh was quicker
        return await get_subscription(store, subscription.subscription_id)
    return replace(subscription, etag=etag)


def _merged(
    before: Subscription | None,
    seen: SeenSubscription | None,
    subscription_id: SubscriptionId,
    now: datetime,
) -> Subscription:
    if before is None:
        name, state = (seen.name, seen.state) if seen else ("", INVISIBLE)
        return Subscription(subscription_id, name, state, monitored=True, seen_at=now)
    if seen is None:
        return replace(before, state=INVISIBLE)
    return replace(before, name=seen.name, state=seen.state, seen_at=now)


def _read(row: Row) -> Subscription:
    values = row.values
    return Subscription(
        subscription_id=SubscriptionId(row.key.removeprefix(PREFIX)),
        name=values["name"],
        state=values["state"],
        monitored=values["monitored"],
        seen_at=values["seen_at"],
        active_baseline=values["active_baseline"],
        baseline_version=values["baseline_version"],
        rules_version=values["rules_version"],
        taken=values.get("taken", False),
        agreed=values.get("agreed", ""),
        etag=row.etag,
    )
