"""Turns a complete observation into the subscription's next state.

What is gone is proven first, then packs, snapshot and history are written, and last of all the pointer moves. A run
that dies before that has changed nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

import telemetry
from drift.archive import (
    Configuration,
    load_documents,
    load_pack,
    point_to,
    save_packs,
    save_snapshot,
)
from drift.attribution import Attributor
from drift.confirm import Confirmer, Verdict
from drift.engine.canonical import NORMALISER_VERSION
from drift.engine.compare import differ
from drift.engine.index import SnapshotIndex, evolved_types
from drift.engine.model import Difference, Document, ResourceKey
from drift.engine.repacking import Packing, plan_packs
from drift.findings import shorten
from drift.history import HistoryEntry, save_history
from drift.lease import LeaseKeeper
from drift.observe import Observed
from tenancy.ids import SubscriptionId
from tenancy.store import TenantStore

SOURCE = "resource-graph"
MASS_SHARE = 0.3  # of a subscription's resources gone at once: more likely a reading gone wrong than a deletion
MASS_AT_LEAST = 10  # in a small subscription a handful is no mass
MOST_ATTRIBUTED = 500  # changes of one scan of which the history says who made them


@dataclass(frozen=True, slots=True)
class Settled:
    current: SnapshotIndex
    changed: int  # resources added, removed or modified since the state before
    fresh: Mapping[ResourceKey, Document]  # documents that this scan read anew
    held_back: str = ""  # why nothing was settled, in words for people

    @property
    def resources(self) -> int:
        return len(self.current)


class _At(NamedTuple):
    """Of which scan and state an entry of the history is."""

    now: datetime
    scan_id: str
    snapshot_id: str


async def settle(
    store: TenantStore,
    subscription_id: SubscriptionId,
    observed: Observed,
    confirmer: Confirmer,
    attributor: Attributor,
    keeper: LeaseKeeper,
    *,
    scan_id: str,
    now: datetime,
) -> Settled:
    """The keeper is asked before anything is written. Raises Stale or Conflict when another scan settled meanwhile; the
    repeated scan then starts from its state."""
    before, previous, collected = observed.configuration, observed.previous, observed.collected
    missing = len(collected.missing)
    # The same scan again, after it died half-way, is not the second one that sees it.
    unseen = before is not None and before.held_by in {"", scan_id}
    if before and previous and unseen and _is_mass(missing, len(previous)):
        await keeper.before_commit()
        await point_to(store, replace(before, held_by=scan_id))
        reason = (
            f"{missing} of {len(previous)} resources vanished at once. That is held back until the next scan "
            "sees it too."
        )
        return Settled(previous, 0, {}, held_back=reason)
    kept = await _not_proven_gone(store, previous, collected.missing, confirmer)
    fresh = collected.documents()
    current, changed = previous, 0
    if previous is None or fresh or len(kept) < missing:
        versions = observed.api_versions
        plan = plan_packs(previous, collected, source=SOURCE, keep=kept, api_versions=versions)
        loaded = {name: await load_pack(store, name) for name in plan.needed}
        await keeper.before_commit()
        current = await _save_state(store, plan.begin(loaded), previous)
        if previous is not None and previous.stamp.normaliser_version == NORMALISER_VERSION:
            old = {item.key: item for pack in loaded.values() for item in pack}
            gone = {ResourceKey(key.hex()) for key in collected.missing if key not in kept}
            evolved = evolved_types(previous, current)
            every = [
                differ(old.get(key), fresh.get(key), evolved=evolved) for key in (*fresh, *gone)
            ]
            differences = [difference for difference in every if difference is not None]
            what = _At(now, scan_id, current.snapshot_id)
            changed = await _save_history(store, differences, attributor, what)
    assert current is not None
    await keeper.before_commit()
    state = Configuration(
        subscription_id,
        current.snapshot_id,
        scan_id,
        now,
        len(current),
        keeper.fence,
        etag=_etag(before),
    )
    await point_to(store, state, moved=before is None or before.snapshot_id != state.snapshot_id)
    return Settled(current, changed, fresh)


async def _save_state(
    store: TenantStore, packing: Packing, previous: SnapshotIndex | None
) -> SnapshotIndex:
    await save_packs(store, packing.packs())
    index = packing.index()
    await save_snapshot(store, index, built_on=previous)
    return index


def _is_mass(missing: int, total: int) -> bool:
    return missing >= MASS_AT_LEAST and missing > MASS_SHARE * total


async def _not_proven_gone(
    store: TenantStore,
    previous: SnapshotIndex | None,
    missing: Sequence[bytes],
    confirmer: Confirmer,
) -> frozenset[bytes]:
    """Of the resources that Resource Graph no longer lists, those whose provider did not answer 404: they stay."""
    if previous is None or not missing:
        return frozenset()
    documents = await load_documents(store, previous, [ResourceKey(key.hex()) for key in missing])
    with telemetry.span(telemetry.CONFIRM, candidates=len(documents)):
        verdicts = await confirmer.gone(documents.values())
    return frozenset(key for key in missing if verdicts.get(key.hex()) is not Verdict.CONFIRMED)


async def _save_history(
    store: TenantStore, differences: Sequence[Difference], attributor: Attributor, at: _At
) -> int:
    """Who made a change is asked of the first MOST_ATTRIBUTED: each 50 cost a query of Azure's quota."""
    ids = [difference.resource_id for difference in differences[:MOST_ATTRIBUTED]]
    who = await attributor.ask(ids)
    return await save_history(
        store,
        (
            (
                difference.key,
                HistoryEntry(
                    at.now,
                    at.scan_id,
                    difference.resource_id,
                    difference.resource_type,
                    difference.kind,
                    shorten(difference.changes),
                    at.snapshot_id,
                    who.get(difference.key),
                ),
            )
            for difference in differences
        ),
    )


def _etag(configuration: Configuration | None) -> str:
    return configuration.etag if configuration else ""
