"""What is in a baseline: its resources page by page, how two versions differ, and baselines made from an upload."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from drift.archive import load_documents, load_pack, load_snapshot, save_packs, save_snapshot
from drift.baselines import (
    Baseline,
    Content,
    NewBaseline,
    Source,
    add_baseline,
    get_baseline,
    save_baseline,
)
from drift.engine.canonical import NORMALISER_VERSION
from drift.engine.compare import differ
from drift.engine.index import SnapshotIndex, delta, evolved_types
from drift.engine.model import Difference, Document, ResourceKey
from drift.engine.repacking import plan_packs
from drift.engine.rules import judge
from drift.engine.survey import Collected, Survey
from drift.findings import shorten
from drift.quotas import require_room
from drift.subscriptions import get_subscription
from errors import Conflict, Invalid, NotFound
from tenancy.access import TenantContext
from tenancy.ids import SubscriptionId
from tenancy.store import TenantStore


@dataclass(frozen=True, slots=True)
class ListedResource:
    key: ResourceKey
    resource_id: str
    resource_type: str


async def upload(
    context: TenantContext, new: NewBaseline, resources: Iterable[Mapping[str, Any]]
) -> Baseline:
    """Makes a baseline version of an inventory of ARM documents. Raises Invalid, naming the documents that are none of
    this subscription's resources, and OverQuota when the tenant may not store that much; then nothing is stored."""
    await get_subscription(context.store, new.subscription_id)
    survey = Survey(None, secret_key=await context.fingerprint_key())
    survey.add_page(msgspec.json.encode(resource) for resource in resources)
    collected = survey.finish()
    check_documents(collected, new.subscription_id, field="resources")
    if not collected.changed:
        raise Invalid("An empty inventory is no baseline.", field="resources")
    packed = plan_packs(None, collected, source=Source.UPLOAD).build({})
    await require_room(context, [pack.data for pack in packed.packs], now=new.now)
    await save_packs(context.store, packed.packs)
    await save_snapshot(context.store, packed.index, built_on=None)
    content = Content(packed.index.snapshot_id, len(packed.index), new.now, Source.UPLOAD)
    return await add_baseline(context, new, content)


async def load_baseline(context: TenantContext, baseline: Baseline) -> SnapshotIndex:
    """The snapshot of a baseline in today's canonical form."""
    return (await renew(context, baseline))[1]


async def renew(context: TenantContext, baseline: Baseline) -> tuple[Baseline, SnapshotIndex]:
    """A baseline and its snapshot in today's canonical form: one made by an older normaliser is made anew from its own
    documents first, because canonical forms of different versions must never be compared."""
    store = context.store
    index = await load_snapshot(store, baseline.snapshot_id)
    if index.stamp.normaliser_version == NORMALISER_VERSION:
        return baseline, index
    survey = Survey(None, secret_key=await context.fingerprint_key())
    for pack in index.packs:
        survey.add_page(document.body for document in await load_pack(store, pack.name))
    stamp = index.stamp
    plan = plan_packs(None, survey.finish(), source=stamp.source, api_versions=stamp.api_versions)
    packed = plan.build({})
    await save_packs(store, packed.packs)
    await save_snapshot(store, packed.index, built_on=None)
    renewed = replace(baseline, snapshot_id=packed.index.snapshot_id)
    return await save_baseline(store, renewed), packed.index


async def get_document(store: TenantStore, baseline_id: str, key: ResourceKey) -> Document:
    """One resource of a baseline, as it is stored: in canonical form, with hashes in place of secrets."""
    baseline = await get_baseline(store, baseline_id)
    index = await load_snapshot(store, baseline.snapshot_id)
    found = await load_documents(store, index, [key])
    if key not in found:
        raise NotFound("This version has no such resource.")
    return found[key]


async def page_resources(
    store: TenantStore, baseline_id: str, *, after: str, limit: int
) -> tuple[list[ListedResource], str]:
    """Up to `limit` resources of a baseline by type and key, and where to go on. Reads only the packs it shows."""
    baseline = await get_baseline(store, baseline_id)
    index = await load_snapshot(store, baseline.snapshot_id)
    number, _, offset = after.partition(":") if after else ("0", "", "0")
    pack, start = int(number), int(offset)
    found: list[ListedResource] = []
    while pack < len(index.packs):
        documents = await load_pack(store, index.packs[pack].name)
        room = limit - len(found)
        found += [_listed(document) for document in documents[start : start + room]]
        if start + room < len(documents):
            return found, f"{pack}:{start + room}"
        pack, start = pack + 1, 0
        if len(found) == limit:
            break
    return found, f"{pack}:0" if pack < len(index.packs) else ""


async def page_differences(
    context: TenantContext, baseline_id: str, other_id: str, *, after: str, limit: int
) -> tuple[list[Difference], str]:
    """How the other version differs from this one, up to `limit` resources by key.

    Raises Conflict for versions of different subscriptions.
    """
    store = context.store
    one, other = await get_baseline(store, baseline_id), await get_baseline(store, other_id)
    if one.subscription_id != other.subscription_id:
        raise Conflict("The two baselines are of different subscriptions.")
    before = await load_baseline(context, one)
    current = await load_baseline(context, other)
    found = delta(before, current)
    every = sorted(key.hex() for key in (*found.added, *found.removed, *found.modified))
    keys = [ResourceKey(key) for key in every if key > after][: limit + 1]
    shown = keys[:limit]
    old = await load_documents(store, before, shown)
    new = await load_documents(store, current, shown)
    evolved = evolved_types(before, current)
    differences = [_judged(differ(old.get(key), new.get(key), evolved=evolved)) for key in shown]
    cursor = shown[-1] if len(keys) > limit else ""
    return [one for one in differences if one is not None], cursor


def _judged(difference: Difference | None) -> Difference | None:
    if difference is None:
        return None
    changes = shorten(judge(difference).changes)
    return Difference(
        difference.key, difference.resource_id, difference.resource_type, difference.kind, changes
    )


def check_documents(collected: Collected, subscription_id: SubscriptionId, *, field: str) -> None:
    """Raises Invalid, naming the documents that are no resources, or not of this subscription."""
    if collected.skipped:
        examples = [name for names in collected.examples.values() for name in names]
        raise Invalid(
            f"{collected.skipped.total()} resources have no usable id or type: {'; '.join(examples)[:500]}",
            field=field,
        )
    home = f"/subscriptions/{subscription_id}"
    foreign = [
        document.resource_id
        for document in collected.changed
        if not (document.resource_id.lower() + "/").startswith(home + "/")
    ]
    if foreign:
        raise Invalid(
            f"{len(foreign)} resources are not in subscription {subscription_id}: "
            f"{'; '.join(foreign)[:500]}",
            field=field,
        )


def _listed(document: Document) -> ListedResource:
    return ListedResource(document.key, document.resource_id, document.resource_type)
