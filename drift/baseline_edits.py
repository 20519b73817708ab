"""One resource of a baseline version edited: a new version is made, which shares every pack that the edit let be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from drift.archive import load_pack, save_packs, save_snapshot
from drift.baseline_documents import check_documents, renew
from drift.baselines import (
    EDITED,
    Baseline,
    Content,
    NewBaseline,
    Source,
    add_baseline,
    get_baseline,
)
from drift.engine.index import SnapshotIndex
from drift.engine.model import ChangeKind, resource_key
from drift.engine.repacking import Packed, plan_packs
from drift.engine.survey import Collected, Survey
from drift.quotas import require_room
from drift.subscriptions import get_subscription
from errors import Conflict, Invalid, NotFound, Stale
from tenancy.access import TenantContext
from tenancy.store import TenantStore


@dataclass(frozen=True, slots=True)
class Edit:
    """Either a resource as it shall be, or the id of one that shall not be."""

    resource: Mapping[str, Any] | None
    remove: str
    name: str  # of the new version; '' for that of the edited one
    note: str
    activate: bool | None  # None: if the edited version is the active one


@dataclass(frozen=True, slots=True)
class _Outcome:
    collected: Collected
    gone: frozenset[bytes]
    resource_id: str
    kind: ChangeKind


async def edit_baseline(
    context: TenantContext, baseline_id: str, edit: Edit, *, etag: str, now: datetime
) -> Baseline:
    """Makes a new version of an existing one with one resource replaced, added or removed.

    Raises Stale when the version was edited after `etag` was read, Invalid for a document that is no resource of the
    subscription, NotFound for the removal of what is not there, Conflict for an edit that changes nothing, and
    OverQuota when the tenant stores as much as it may.
    """
    baseline = await get_baseline(context.store, baseline_id)
    if baseline.etag != etag:
        raise Stale(EDITED)
    subscription = await get_subscription(context.store, baseline.subscription_id)
    baseline, index = await renew(context, baseline)
    outcome = await _apply(context, baseline, index, edit)
    await require_room(context, now=now)
    packed = await _pack(context.store, index, outcome)
    activate = edit.activate
    if activate is None:
        activate = subscription.active_baseline == baseline_id
    content = Content(
        packed.index.snapshot_id,
        len(packed.index),
        baseline.taken_at,
        Source.EDIT,
        parent=baseline,
        detail=f"{outcome.kind} {outcome.resource_id}",
    )
    name = edit.name or baseline.name
    new = NewBaseline(baseline.subscription_id, name, edit.note, activate, now)
    return await add_baseline(context, new, content)


async def _apply(
    context: TenantContext, baseline: Baseline, index: SnapshotIndex, edit: Edit
) -> _Outcome:
    survey = Survey(index, secret_key=await context.fingerprint_key())
    if edit.resource is None:
        return _remove(survey.finish(), index, edit.remove)
    survey.add_page([msgspec.json.encode(edit.resource)])
    collected = survey.finish()
    check_documents(collected, baseline.subscription_id, field="resource")
    if not collected.changed:
        raise Conflict("This version has the resource like that already: there is nothing to edit.")
    (document,) = collected.changed
    known = bytes.fromhex(document.key) in index
    kind = ChangeKind.MODIFIED if known else ChangeKind.ADDED
    return _Outcome(collected, frozenset(), document.resource_id, kind)


def _remove(collected: Collected, index: SnapshotIndex, resource_id: str) -> _Outcome:
    key = bytes.fromhex(resource_key(resource_id))
    if key not in index:
        raise NotFound("This version has no such resource.")
    if len(index) == 1:
        raise Invalid("It is the last resource, and nothing is no baseline.", field="remove")
    return _Outcome(collected, frozenset({key}), resource_id, ChangeKind.REMOVED)


async def _pack(store: TenantStore, index: SnapshotIndex, outcome: _Outcome) -> Packed:
    """Reads and writes the packs that the edit touches, and the new index."""
    collected = outcome.collected
    stamp = index.stamp
    plan = plan_packs(
        index,
        collected,
        source=Source.EDIT,
        api_versions=stamp.api_versions,
        keep=frozenset(collected.missing) - outcome.gone,
    )
    packed = plan.build({name: await load_pack(store, name) for name in plan.needed})
    await save_packs(store, packed.packs)
    await save_snapshot(store, packed.index, built_on=index)
    return packed
