"""Turns a complete observation into the subscription's next state.

What is gone is proven first, then packs, snapshot and history are written, and last of all the pointer moves. A run
that dies before that has changed nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from drift.archive import (
    Configuration,
    load_documents,
    load_pack,
    point_to,
    save_packs,
    save_snapshot,
)
from drift.confirm import Confirmer, Verdict
from drift.engine.canonical import NORMALISER_VERSION
from drift.engine.compare import differ
from drift.engine.index import SnapshotIndex
from drift.engine.model import Change, ChangeKind, Document, ResourceKey
from drift.engine.repacking import plan_packs
from drift.findings import shorten
from drift.observe import Observed
from tenancy.ids import SubscriptionId
from tenancy.rows import split_binary
from tenancy.store import Table, TenantStore

SOURCE = "resource-graph"
MASS_SHARE = 0.3  # of a subscription's resources gone at once: more likely a reading gone wrong than a deletion
MASS_AT_LEAST = 10  # in a small subscription a handful is no mass


@dataclass(frozen=True, slots=True)
class Settled:
    current: SnapshotIndex
    changed: int  # resources added, removed or modified since the state before
    fresh: Mapping[ResourceKey, Document]  # documents that this scan read anew
    held_back: str = ""  # why nothing was settled, in words for people

    @property
    def resources(self) -> int:
        return len(self.current)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """How one resource changed between two scans."""

    at: datetime
    scan_id: str
    resource_id: str
    resource_type: str
    kind: ChangeKind
    changes: tuple[Change, ...]
    snapshot_id: str  # the state after


async def settle(
    store: TenantStore,
    subscription_id: SubscriptionId,
    observed: Observed,
    confirmer: Confirmer,
    *,
    scan_id: str,
    fence: int,
    now: datetime,
) -> Settled:
    """Raises Stale or Conflict when another scan settled meanwhile; the repeated scan then starts from its state."""
    before, previous, collected = observed.configuration, observed.previous, observed.collected
    missing = len(collected.missing)
    # The same scan again, after it died half-way, is not the second one that sees it.
    unseen = before is not None and before.held_by in {"", scan_id}
    if before and previous and unseen and _is_mass(missing, len(previous)):
        await point_to(store, replace(before, held_by=scan_id))
        reason = (
            f"{missing} of {len(previous)} resources vanished at once. That is held back until the next scan "
            "sees it too."
        )
        return Settled(previous, 0, {}, held_back=reason)
    kept = await _not_proven_gone(store, previous, collected.missing, confirmer)
    fresh = {document.key: document for document in collected.changed}
    current, changed = previous, 0
    if previous is None or fresh or len(kept) < missing:
        plan = plan_packs(previous, collected, source=SOURCE, keep=kept)
        loaded = {name: await load_pack(store, name) for name in plan.needed}
        packed = plan.build(loaded)
        current = packed.index
        await save_packs(store, packed.packs)
        await save_snapshot(store, current)
        if previous is not None and previous.stamp.normaliser_version == NORMALISER_VERSION:
            old = {item.key: item for pack in loaded.values() for item in pack}
            gone = {ResourceKey(key.hex()) for key in collected.missing if key not in kept}
            changed = await _save_history(store, old, fresh, gone, current, scan_id, now)
    assert current is not None
    state = Configuration(
        subscription_id, current.snapshot_id, scan_id, now, len(current), fence, etag=_etag(before)
    )
    await point_to(store, state)
    return Settled(current, changed, fresh)


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
    verdicts = await confirmer.gone(documents.values())
    return frozenset(key for key in missing if verdicts.get(key.hex()) is not Verdict.CONFIRMED)


async def _save_history(
    store: TenantStore,
    old: Mapping[ResourceKey, Document],
    fresh: Mapping[ResourceKey, Document],
    gone: Iterable[ResourceKey],
    current: SnapshotIndex,
    scan_id: str,
    now: datetime,
) -> int:
    """One row a changed resource. Its key follows from resource and scan, so a repeated scan writes the same rows."""
    differences = [differ(old.get(key), fresh.get(key)) for key in (*fresh, *gone)]
    rows = [
        (
            f"{difference.key}.{scan_id}",
            split_binary(
                msgspec.json.encode(
                    HistoryEntry(
                        now,
                        scan_id,
                        difference.resource_id,
                        difference.resource_type,
                        difference.kind,
                        shorten(difference.changes),
                        current.snapshot_id,
                    )
                )
            ),
        )
        for difference in differences
        if difference is not None
    ]
    return await store.put_all(Table.CONFIGURATION_HISTORY, rows)


def _etag(configuration: Configuration | None) -> str:
    return configuration.etag if configuration else ""
