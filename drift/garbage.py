"""Packs and snapshots that nothing needs any more are removed, also while scans write new ones.

What points at snapshots: the newest configuration of each subscription, its moments, the baselines. A snapshot names
its packs. Whoever makes a new one writes packs first, then the snapshot, and points at it last. So there is always
something in storage that nothing points at yet, and much of a new snapshot is packs of the one before.

One collection
  1. lists the packs that were written more than GRACE ago;
  2. reads all that points at snapshots, and removes each snapshot that was written more than GRACE ago and that nothing
     points at, under the ETag of its first row;
  3. reads which packs all snapshots name that are there now, twice over;
  4. removes the packs of 1 that none of 3 names, under the ETag that they had in 1.

Why no snapshot ever misses a pack. Let X be a snapshot that somebody points at, and k a pack of it. A run from its
first write to its pointing takes less than GRACE (host.json ends a function after 30 minutes).
  - X itself: in 2 it goes only if it is older than GRACE, and then its run is over and what points at it is read. Who
    points at a snapshot of somebody else holds it first (archive.hold_snapshot): it is young again, and a removal
    under the ETag of before fails.
  - k was written by the run of X: after 1, then its ETag has changed and 4 leaves it, or it comes back by that write.
    Less than GRACE before 1, then it is not in 1. Or earlier: then X was saved before 3 and 3 reads it.
  - k is of the snapshot A that X is built on. `archive.save_snapshot` looks for A after it has saved X, and refuses X
    when A is gone. So A was there when X was. If 3 meets A the first time, k is named. If not, A was removed before
    that, later than X was saved: the second reading meets X.
The last point holds for a removal of A by another collection at the same time as well, so two of them do no harm.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from drift.archive import PACK, SNAPSHOT, load_snapshot, read_names
from tenancy.rows import Row
from tenancy.store import Table, TenantStore

logger = logging.getLogger(__name__)

GRACE = timedelta(days=1)  # 48 times what a run may take


@dataclass(frozen=True, slots=True)
class Garbage:
    """What was removed."""

    snapshots: int
    packs: int


async def collect(store: TenantStore, *, now: datetime) -> Garbage:
    """Removes what nothing needs. Dying at any point and running again are harmless."""
    before = now - GRACE
    old = [
        row
        async for row in store.rows(Table.PACK, prefix=PACK, columns=("_schema",))
        if _is_older(row, before)
    ]
    snapshots = await _drop_snapshots(store, before)
    if not old:
        return Garbage(snapshots, 0)
    needed = await _named(store) | await _named(store)
    unneeded = [row for row in old if row.key.removeprefix(PACK) not in needed]
    packs = await store.delete_all(Table.PACK, unneeded)
    logger.info("garbage collected", extra={"snapshots": snapshots, "packs": packs})
    return Garbage(snapshots, packs)


async def _drop_snapshots(store: TenantStore, before: datetime) -> int:
    pointed = {
        row.values["snapshot_id"]
        for table in (Table.CONFIGURATION, Table.BASELINE)
        async for row in store.rows(table, columns=("snapshot_id",))
    }
    dropped = 0
    async for snapshot_id, rows in _snapshots(store):
        if snapshot_id in pointed or not _is_older(rows[0], before):
            continue
        # The first row decides: whoever holds or saves the snapshot meanwhile has written it.
        if await store.delete_all(Table.PACK, rows[:1]):
            await store.delete_all(Table.PACK, rows[1:])
            dropped += 1
    return dropped


async def _named(store: TenantStore) -> set[str]:
    """The packs of all snapshots that are there."""
    found: set[str] = set()
    async for snapshot_id, rows in _snapshots(store, "packs"):
        names = read_names(rows[0])
        if names is None:
            index = await load_snapshot(store, snapshot_id)
            names = {pack.name for pack in index.packs}
        found |= names
    return found


async def _snapshots(store: TenantStore, *columns: str) -> AsyncIterator[tuple[str, list[Row]]]:
    """Every snapshot with its rows, in which only these columns are."""
    rows: list[Row] = []
    wanted = columns or ("_schema",)
    async for row in store.rows(Table.PACK, prefix=SNAPSHOT, columns=wanted):
        if rows and _id_of(row) != _id_of(rows[0]):
            yield _id_of(rows[0]), rows
            rows = []
        rows.append(row)
    if rows:
        yield _id_of(rows[0]), rows


def _id_of(row: Row) -> str:
    return row.key.removeprefix(SNAPSHOT).rpartition(".")[0]


def _is_older(row: Row, moment: datetime) -> bool:
    """A row of which the time or the ETag is not known counts as young: without them nothing above holds."""
    return row.written_at is not None and row.etag != "" and row.written_at < moment
