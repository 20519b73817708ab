"""What is done for one tenant each day: acceptances that are over, secrets that end, rows of earlier versions, what is
older than the tenant keeps it, packs that nothing needs, and the order of the night's backup.

Each tenant has a message of its own, because ten thousand of them do not fit one run of a timer: a quiet one takes 47
operations of storage, about half a second, which is an hour and a half for all of them one by one, and a function ends
after 30. So they are kept on many instances at once, each tenant for at most BUDGET. Then what is left goes to the end
of the queue with a message more, so that a tenant with much to do holds up nobody; where it was stands in a row. A step
that fails does not stop the others; the message fails at the end, is tried again, and after five tries the tenant and
the platform operator are told (`give_up`).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import msgspec

from drift import expiry
from drift.backups.making import order_nightly
from drift.channels.upkeep import tend_channels
from drift.engine import findings as life
from drift.expiry import Batch
from drift.findings import Transition, commit, expired_findings
from drift.garbage import collect
from drift.notices import announce, publish
from drift.preferences import find_preferences
from drift.quotas import roll_up
from drift.renewal import renew_page
from drift.retention import Retention
from drift.rotation import warn_before_expiry
from errors import DriftError
from tenancy import audit
from tenancy.access import TenantContext
from tenancy.ids import SubscriptionId
from tenancy.queues import Queue
from tenancy.rowkeys import newest_first
from tenancy.store import Table, TenantStore

logger = logging.getLogger(__name__)

BUDGET = timedelta(minutes=5)  # of one message; a function may take 30
ROW = "upkeep"  # in the table `usage`


@dataclass(frozen=True, slots=True)
class Upkeep:
    """How far the newest upkeep of a tenant is, or how it ended."""

    started_at: datetime
    finished_at: datetime | None = None
    step: str = ""  # to go on with
    after: str = ""  # and where in it
    removed: Mapping[str, int] = field(default_factory=dict)  # by what it was
    failed: Mapping[str, str] = field(default_factory=dict)  # step -> why


@dataclass(frozen=True, slots=True)
class Work:
    """What a step is given."""

    context: TenantContext
    retention: Retention
    now: datetime


async def find_upkeep(store: TenantStore) -> Upkeep | None:
    row = await store.find(Table.USAGE, ROW)
    return msgspec.json.decode(row.values["body"], type=Upkeep) if row else None


async def keep(context: TenantContext, *, clock: Callable[[], datetime]) -> bool:
    """Goes through the steps, or on with what an earlier message left. False when BUDGET was over before the end.

    Raises the error of a step that failed, after all the others.
    """
    began = clock()
    state = await find_upkeep(context.store)
    if state is None or state.finished_at is not None or state.step not in STEPS:
        state = Upkeep(began, step=next(iter(STEPS)))
    preferences = await find_preferences(context.store)
    retention = preferences.preferences.retention if preferences else Retention()
    errors: list[DriftError] = []
    names = list(STEPS)
    for name in names[names.index(state.step) :]:
        state = replace(state, step=name, after=state.after if name == state.step else "")
        more = True
        while more:
            if clock() - began > BUDGET:
                await _save(context.store, state)
                await context.send(Queue.KEEP_TENANT, {"version": 1})
                return False
            try:
                batch = await STEPS[name](Work(context, retention, state.started_at), state.after)
            except DriftError as error:
                errors.append(error)
                state = replace(state, failed={**state.failed, name: error.message})
                break
            removed = Counter(state.removed) + Counter({name: batch.removed})
            state = replace(state, removed=dict(removed), after=batch.after)
            more = bool(batch.after)
    await _finish(context, replace(state, step="", after="", finished_at=clock()))
    if errors:
        raise errors[0]
    return True


async def _finish(context: TenantContext, state: Upkeep) -> None:
    await _save(context.store, state)
    removed = {name: state.removed[name] for name in REMOVED if name in state.removed}
    if removed:
        detail = msgspec.json.encode(removed).decode()
        action, now = "data.expire", state.started_at
        await audit.record(
            context.store, context.actor, action, "retention", now=now, detail=detail
        )
    extra = {"tenant_id": context.tenant.tenant_id, "failed": len(state.failed)}
    logger.info("tenant kept", extra=extra)


async def give_up(context: TenantContext, *, now: datetime) -> None:
    """The message was tried five times. Tells the tenant, once a day."""
    state = await find_upkeep(context.store)
    failed = state.failed if state else {}
    extra = {"tenant_id": context.tenant.tenant_id, "steps": ", ".join(failed)}
    logger.error("tenant not kept", extra=extra)
    reasons = " ".join(f"{name}: {why}" for name, why in failed.items())
    text = (
        f"The daily upkeep of this tenant did not come to its end. {reasons or 'The log says why.'}"
    )
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    await announce(context, f"{newest_first(day)}-upkeep", text[:2000], now=now)


async def _save(store: TenantStore, state: Upkeep) -> None:
    await store.put(Table.USAGE, ROW, {"body": msgspec.json.encode(state)})


async def _reopen(work: Work, _: str) -> Batch:
    """Acceptances whose time is over open again."""
    context, now = work.context, work.now
    async for stored in expired_findings(context.store, now=now):
        step = life.expire(stored.finding, now=now)
        if not step.changed or step.finding is None:
            continue
        subscription_id = SubscriptionId(step.finding.subscription_id)
        transition = Transition(step.finding, stored.etag, step.event, stored.finding)
        await commit(context.store, subscription_id, f"{newest_first(now)}-sweep", [transition])
        await publish(context, subscription_id, now=now)
    return Batch(0)


async def _renew(work: Work, after: str) -> Batch:
    return Batch(*await renew_page(work.context.store, after))


async def _collect(work: Work, _: str) -> Batch:
    garbage = await collect(work.context.store, now=work.now)
    return Batch(garbage.snapshots + garbage.packs)


Step = Callable[[Work, str], Awaitable[Batch]]
Expire = Callable[[TenantStore, datetime, str], Awaitable[Batch]]
Action = Callable[..., Awaitable[object]]  # of a context and the time


def _once(action: Action) -> Step:
    """What is done in one go and removes nothing."""

    async def step(work: Work, _: str) -> Batch:
        await action(work.context, now=work.now)
        return Batch(0)

    return step


def _expire(kind: str, expire: Expire) -> Step:
    async def step(work: Work, after: str) -> Batch:
        cutoff = work.retention.cutoff(kind, work.now)
        return await expire(work.context.store, cutoff, after)

    return step


# In this order; a step's name says in the tenant's row and audit trail what was removed. The collection comes behind
# them: it takes away what they let go of. What is stored then is
# measured, and the night's backup asked for: it need not keep what was over.
STEPS: Mapping[str, Step] = {
    "acceptances": _reopen,
    "secrets": _once(warn_before_expiry),
    "channels": _once(tend_channels),  # what waits too long is reminded of
    "renewed": _renew,
    "scans": _expire("scans", expiry.expire_scans),
    "notices": _expire("notices", expiry.expire_notices),
    "audit": _expire("audit", expiry.expire_audit),
    "settings": _expire("audit", expiry.expire_changes),
    "usage": _expire("usage", expiry.expire_usage),
    "findings": _expire("findings", expiry.expire_findings),
    "states": _expire("history", expiry.expire_moments),
    "changes": _expire("history", expiry.expire_history),
    "packs": _collect,
    "used": _once(roll_up),
    "backup": _once(order_nightly),
}
REMOVED = tuple(
    name
    for name in STEPS
    if name not in {"acceptances", "secrets", "channels", "renewed", "used", "backup"}
)
