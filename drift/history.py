"""How resources changed from scan to scan, one row a change, whether there is a baseline or not.

A row's key follows from resource and scan, so that a repeated scan writes the same rows, and newer ones sort first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from drift.engine.findings import Attribution
from drift.engine.model import Change, ChangeKind, ResourceKey
from tenancy.rows import Row, join_binary, split_binary
from tenancy.store import Table, TenantStore


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
    attribution: Attribution | None = (
        None  # None: Azure has no record of who it was, or had none yet
    )


async def save_history(
    store: TenantStore, entries: Iterable[tuple[ResourceKey, HistoryEntry]]
) -> int:
    """Writes the entries and returns how many. Those of one scan and resource are one row."""
    rows = (
        (f"{key}.{entry.scan_id}", split_binary(msgspec.json.encode(entry)))
        for key, entry in entries
    )
    return await store.put_all(Table.CONFIGURATION_HISTORY, rows)


async def page_history(
    store: TenantStore, key: ResourceKey, *, after: str = "", limit: int
) -> tuple[list[HistoryEntry], str]:
    """The changes of one resource, newest first."""
    rows, cursor = await store.page(
        Table.CONFIGURATION_HISTORY, prefix=f"{key}.", after=after, limit=limit
    )
    return [_read(row) for row in rows], cursor


def _read(row: Row) -> HistoryEntry:
    return msgspec.json.decode(join_binary(row.values), type=HistoryEntry)
