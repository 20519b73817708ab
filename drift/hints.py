"""Events of Event Grid: one resource was written or deleted, so it is looked at within seconds, not at the next scan.

An event is a hint and nothing more. What is believed is what Azure answers, the tenant is found by the subscription
that is registered, and what is found is confirmed, judged and told as a scan does it. A lost or forged event changes
nothing that the next scan would not: no state is written here, only findings.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from drift.api_versions import ApiVersions
from drift.archive import find_configuration, load_snapshot
from drift.arm import open_arm
from drift.attribution import Attributor
from drift.baseline_documents import load_baseline
from drift.baselines import get_baseline
from drift.collect import Source, SubscriptionReader, source_of
from drift.confirm import Confirmer
from drift.detect import Held, Policy, detect
from drift.engine.canonical import NORMALISER_VERSION, identify
from drift.engine.index import SnapshotIndex
from drift.engine.model import resource_key
from drift.engine.survey import Collected, Survey
from drift.findings import commit, known_findings
from drift.messages import RecheckResource, ResourceEvent
from drift.notices import publish
from drift.pace import Pace
from drift.preferences import get_preferences
from drift.rules import count_hits, rules_in_force
from drift.subscriptions import Subscription, get_subscription
from errors import Conflict, DriftError, NotFound, Stale
from tenancy.access import TenantContext, serve
from tenancy.deployment import Deployment
from tenancy.ids import SubscriptionId
from tenancy.queues import Queue
from tenancy.rowkeys import newest_first
from tenancy.store import Table

logger = logging.getLogger(__name__)

DEBOUNCE = (
    5  # seconds from an event until its resource is looked at, once for all events of that time
)
LATER = (
    15,
    45,
)  # seconds until it is looked at again while Resource Graph does not show the change
_PLANNED = "hint."
_TAGS = "/providers/microsoft.resources/tags/"  # written beside a resource, and part of it


@dataclass(frozen=True, slots=True)
class _Known:
    """What is stored of a subscription, of the resources in question only."""

    baseline: SnapshotIndex
    state: SnapshotIndex


async def take_event(deployment: Deployment, event: ResourceEvent, *, now: datetime) -> None:
    """Plans a look at the resource for each tenant that its subscription is registered for."""
    if not event.is_change or not event.subscription_id:
        _drop("no change of a resource")
        return
    subscription_id = SubscriptionId(event.subscription_id)
    watchers = await deployment.claims.watchers(subscription_id)
    if not watchers:
        _drop("unknown subscription")
    for tenant_id in watchers:
        try:
            context = await serve(deployment, tenant_id)
        except (NotFound, Conflict):
            _drop("closed tenant")
            continue
        await _plan(context, subscription_id, event.subject, now)


async def _plan(
    context: TenantContext, subscription_id: SubscriptionId, resource_id: str, now: datetime
) -> None:
    resource_id = _carrier(resource_id)
    source = _source(resource_id)
    if source is None or not source.query:
        _drop("a kind of resource that is read by scans only")
        return
    key = _PLANNED + resource_key(resource_id)
    row = await context.store.find(Table.SUBSCRIPTION, key)
    if row is not None and row.values["due_at"] > now:
        _drop("a look is planned already")
        return
    await _send(context, subscription_id, resource_id, attempt=0, delay=DEBOUNCE)
    due = now + timedelta(seconds=DEBOUNCE)
    await context.store.put(Table.SUBSCRIPTION, key, {"due_at": due})


async def recheck(
    context: TenantContext, message: RecheckResource, *, clock: Callable[[], datetime]
) -> None:
    """Looks at one resource. What cannot be read now is left to the next scan; Stale is for who called: somebody wrote
    the finding meanwhile, and the message is tried again."""
    subscription_id = SubscriptionId(message.subscription_id)
    resource_id = message.resource_id
    # Before Azure is read: an event from now on is about what may not be seen any more.
    await context.store.delete(Table.SUBSCRIPTION, _PLANNED + resource_key(resource_id))
    if message.resource_id.lower().split("/")[2] != subscription_id:
        _drop("outside the subscription")
        return
    try:
        subscription = await get_subscription(context.store, subscription_id)
        if not (subscription.monitored and subscription.active_baseline):
            _drop("not held against a baseline")
            return
        shown = await _look(context, subscription, resource_id, clock)
    except Stale:
        raise
    except DriftError as error:
        logger.info("event left to the next scan", extra={"reason": type(error).__name__})
        return
    if not shown and message.attempt < len(LATER):
        delay = LATER[message.attempt]
        attempt = message.attempt + 1
        await _send(context, subscription_id, resource_id, attempt=attempt, delay=delay)


async def _look(
    context: TenantContext,
    subscription: Subscription,
    resource_id: str,
    clock: Callable[[], datetime],
) -> bool:
    """Whether Resource Graph shows another state than the last scan saw; then its findings are committed."""
    source, store = _source(resource_id), context.store
    ids = _lineage(resource_id)
    keys = [bytes.fromhex(resource_key(one)) for one in ids]
    known = await _load(context, subscription, keys)
    if known is None or source is None:
        _drop("no state to compare with")
        return True
    arm = open_arm(context, await context.credential())
    reader = SubscriptionReader(arm, subscription.subscription_id, Pace(store, clock))
    await reader.probe()
    secret_key = await context.fingerprint_key()
    survey = Survey(known.state, secret_key=secret_key)
    survey.add_page(await reader.rows_of(source, ids))
    collected = survey.finish()
    if not collected.changed and not collected.missing:
        return False
    if not collected.fresh.keys() <= set(keys):
        _drop("Azure answered with another resource")
        return True
    await _report(context, subscription, known, collected, reader, secret_key, clock)
    return True


async def _report(
    context: TenantContext,
    subscription: Subscription,
    known: _Known,
    collected: Collected,
    reader: SubscriptionReader,
    secret_key: bytes,
    clock: Callable[[], datetime],
) -> None:
    """As a scan does it, of these resources alone."""
    store, subscription_id = context.store, subscription.subscription_id
    fresh = collected.documents()
    current = _current(known.state, collected)
    concerned = {resource.hex() for index in (known.baseline, current) for resource in _keys(index)}
    findings = [
        item
        for item in await known_findings(store, subscription_id)
        if item.finding_id.rpartition(".")[2] in concerned
    ]
    held = Held(
        subscription_id, subscription.active_baseline, known.baseline, current, fresh, findings
    )
    rules = await rules_in_force(store, now=clock())
    policy = Policy((await get_preferences(store)).preferences.scope, rules.rules)
    confirmer = Confirmer(reader, secret_key, ApiVersions(store, reader, clock))
    attributor = Attributor(reader)
    detected = await detect(store, attributor, confirmer, held, policy, now=clock())
    await serve(context.deployment, context.tenant.tenant_id)  # nothing is written for a closed one
    name = f"{newest_first(clock())}-event"
    await commit(store, subscription_id, name, detected.transitions)
    await count_hits(store, detected.hits, now=clock())
    await publish(context, subscription_id, now=clock())


async def _load(
    context: TenantContext, subscription: Subscription, keys: Sequence[bytes]
) -> _Known | None:
    """None when no scan has read the subscription yet, or one with another normaliser has."""
    store = context.store
    configuration = await find_configuration(store, subscription.subscription_id)
    if configuration is None:
        return None
    state = await load_snapshot(store, configuration.snapshot_id)
    if state.stamp.normaliser_version != NORMALISER_VERSION:
        return None
    baseline = state
    if not subscription.is_agreed(state.snapshot_id):
        version = await get_baseline(store, subscription.active_baseline)
        baseline = await load_baseline(context, version)
    return _Known(_only(baseline, keys), _only(state, keys))


def _only(index: SnapshotIndex, keys: Sequence[bytes]) -> SnapshotIndex:
    """The part of an index that is about these resources."""
    positions = (index.position_of(key) for key in set(keys))
    entries = [index.entry_at(position) for position in positions if position is not None]
    return SnapshotIndex.build(index.stamp, index.packs, entries)


def _current(state: SnapshotIndex, collected: Collected) -> SnapshotIndex:
    """What was read now. New documents are in no pack: they are at hand."""
    entries = (entry._replace(pack=max(0, entry.pack)) for entry in collected.entries())
    return SnapshotIndex.build(state.stamp, state.packs, entries)


def _keys(index: SnapshotIndex) -> list[bytes]:
    return [index.key_at(position) for position in range(len(index))]


def _carrier(resource_id: str) -> str:
    """The resource that changed: of tags, which have an id of their own, the one that carries them."""
    cut = resource_id.lower().rfind(_TAGS)
    return resource_id[:cut] if cut > 0 else resource_id


def _source(resource_id: str) -> Source | None:
    """Where the resource is read. None for what is in no inventory, such as deployments."""
    try:
        resource_type = identify({"id": resource_id}).resource_type
    except DriftError:
        return None
    source = source_of(resource_type)
    own = resource_type.startswith("microsoft.resources/") and source.name == "resources"
    return None if own else source


def _lineage(resource_id: str) -> list[str]:
    """The resource and those that it is a part of: a subnet is told within its network."""
    head, separator, tail = resource_id.rstrip("/").rpartition("/providers/")
    parts = tail.split("/")
    if not separator or len(parts) < 3:
        return [resource_id]
    return [f"{head}{separator}{'/'.join(parts[:end])}" for end in range(len(parts), 2, -2)]


async def _send(
    context: TenantContext,
    subscription_id: SubscriptionId,
    resource_id: str,
    *,
    attempt: int,
    delay: int,
) -> None:
    body: dict[str, str | int] = {
        "version": 1,
        "subscription_id": subscription_id,
        "resource_id": resource_id,
        "attempt": attempt,
    }
    await context.send(Queue.RESOURCE_EVENTS, body, delay=delay)


def _drop(reason: str) -> None:
    """Dropped events are counted by this line and its reason."""
    logger.info("event dropped", extra={"reason": reason})
