"""Documents at rest: packs named by their content, and snapshots that are small indexes over packs.

Both are written once and never changed, so writing them again is harmless and reading one half-written is impossible:
a snapshot counts only once something points at it. What nothing points at is collected (drift/garbage.py, which proves
that this is safe). Two rules here are for that: whoever builds on a snapshot says so when it saves the new one, and
whoever points at one that it did not write holds it first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from drift.engine.index import SnapshotIndex
from drift.engine.model import Document, ResourceKey
from drift.engine.packing import Pack, unpack
from errors import NotFound, Stale
from tenancy.ids import SubscriptionId
from tenancy.rowkeys import newest_first
from tenancy.rows import BINARY_PROPERTY, ENTITY_BINARY, Row, Value, join_binary, split_binary
from tenancy.store import Operation, Table, TenantStore, Write

PACK, SNAPSHOT, MOMENT = "p.", "s.", "m."
COLLECTED = "The state that this is about was collected meanwhile. Try again."
PIECE = ENTITY_BINARY - BINARY_PROPERTY  # of an index: its row also names the packs
_DIGEST = 32  # bytes of a pack's name
_FEW = 5  # rows, of which the first is nearly always the one


@dataclass(frozen=True, slots=True)
class Configuration:
    """The newest complete state of a subscription: which snapshot, of when, by which scan."""

    subscription_id: SubscriptionId
    snapshot_id: str
    scan_id: str
    taken_at: datetime
    resources: int
    fence: int  # the lease number of the scan that wrote it: an earlier scan cannot overwrite a later one
    held_by: str = ""  # the scan that saw a mass vanish from this state and left it as it is
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """A state that a subscription had from a time on, until the next one."""

    snapshot_id: str
    taken_at: datetime
    resources: int


async def save_packs(store: TenantStore, packs: Iterable[Pack]) -> int:
    """Writes packs and returns how many."""
    return await store.put_all(
        Table.PACK, ((PACK + pack.name, split_binary(pack.data)) for pack in packs)
    )


async def load_pack(store: TenantStore, name: str) -> list[Document]:
    row = await store.find(Table.PACK, PACK + name)
    if row is None:
        raise NotFound(f"Pack {name} is missing from storage.")
    return unpack(join_binary(row.values))


async def load_documents(
    store: TenantStore,
    index: SnapshotIndex,
    keys: Iterable[ResourceKey],
    *,
    at_hand: Mapping[ResourceKey, Document] = MappingProxyType({}),
) -> dict[ResourceKey, Document]:
    """The documents of these keys in a snapshot; those that it does not have are left out. Only packs that hold one
    of them are read, and none for what is at hand."""
    wanted = set(keys)
    found = {key: at_hand[key] for key in wanted & at_hand.keys()}
    names = {index.pack_of(bytes.fromhex(key)) for key in wanted - found.keys()}
    for name in sorted(name for name in names if name):
        for document in await load_pack(store, name):
            if document.key in wanted:
                found.setdefault(document.key, document)
    return found


async def save_snapshot(
    store: TenantStore, index: SnapshotIndex, *, built_on: SnapshotIndex | None
) -> str:
    """Writes the index and returns the snapshot's id. Its packs must have been written before, but for those that it
    has from the one that it is built on.

    Raises Stale when that one was collected meanwhile, and those packs perhaps with it: read again and build anew.
    """
    await store.put_all(Table.PACK, _rows_of(index))
    if built_on is not None and await _first_row(store, built_on.snapshot_id) is None:
        raise Stale(COLLECTED)
    return index.snapshot_id


def _rows_of(index: SnapshotIndex) -> Iterator[tuple[str, dict[str, Value]]]:
    """A row at a time: of a large subscription they are megabytes each."""
    data = index.encode()
    starts = range(0, len(data), PIECE)
    names = b"".join(bytes.fromhex(pack.name) for pack in index.packs)
    for number, start in enumerate(starts):
        values: dict[str, Value] = {
            "of": len(starts),
            **split_binary(data[start : start + PIECE]),
        }
        if number == 0 and len(names) <= BINARY_PROPERTY:  # else who wants to know reads the index
            values["packs"] = names
        yield f"{SNAPSHOT}{index.snapshot_id}.{number:04d}", values


async def hold_snapshot(store: TenantStore, snapshot_id: str) -> None:
    """Before pointing at a snapshot that somebody else wrote: from now on it is as young as a new one.

    Raises Stale when it is collected, and was not found any more.
    """
    row = await store.find(Table.PACK, f"{SNAPSHOT}{snapshot_id}.0000")
    if row is None:
        raise Stale(COLLECTED)
    try:
        await store.update(Table.PACK, row.key, row.values, etag=row.etag)
    except NotFound:
        raise Stale(COLLECTED) from None


async def _first_row(store: TenantStore, snapshot_id: str) -> Row | None:
    prefix = f"{SNAPSHOT}{snapshot_id}.0000"
    rows, _ = await store.page(Table.PACK, prefix=prefix, limit=1, columns=("of",))
    return rows[0] if rows else None


def read_names(row: Row) -> set[str] | None:
    """The packs that the first row of a snapshot names; None for one that names none: its index does."""
    names = row.values.get("packs")
    if names is None:
        return None
    return {names[at : at + _DIGEST].hex() for at in range(0, len(names), _DIGEST)}


async def load_snapshot(store: TenantStore, snapshot_id: str) -> SnapshotIndex:
    rows = [row async for row in store.rows(Table.PACK, prefix=f"{SNAPSHOT}{snapshot_id}.")]
    pieces = rows[0].values["of"] if rows else 0
    if not pieces or len(rows) < pieces:
        raise NotFound(f"Snapshot {snapshot_id} is missing from storage.")
    # The same state may have been written before in more pieces; those behind the last one are of that time.
    return SnapshotIndex.decode(b"".join(join_binary(row.values) for row in rows[:pieces]))


async def find_configuration(
    store: TenantStore, subscription_id: SubscriptionId
) -> Configuration | None:
    row = await store.find(Table.CONFIGURATION, subscription_id)
    return _read_configuration(row) if row else None


async def configurations(store: TenantStore, *, subscriptions: int) -> dict[str, Configuration]:
    """The newest complete state of each of so many subscriptions that has one. Their rows come first in the table:
    those of earlier moments are not read."""
    rows, _ = await store.page(Table.CONFIGURATION, limit=max(1, subscriptions))
    found = [_read_configuration(row) for row in rows if not row.key.startswith(MOMENT)]
    return {one.subscription_id: one for one in found}


async def point_to(
    store: TenantStore, configuration: Configuration, *, moved: bool = False
) -> None:
    """Moves the pointer to a newer snapshot, and with `moved` notes in the same transaction since when it is so.

    Raises Stale or Conflict when another scan moved it meanwhile.
    """
    values: dict[str, Value] = {
        "snapshot_id": configuration.snapshot_id,
        "scan_id": configuration.scan_id,
        "taken_at": configuration.taken_at,
        "resources": configuration.resources,
        "fence": configuration.fence,
        "held_by": configuration.held_by,
    }
    write = Write.UPDATE if configuration.etag else Write.INSERT
    operations = [Operation(write, configuration.subscription_id, values, configuration.etag)]
    if moved:
        key = f"{_moments_of(configuration.subscription_id)}{configuration.scan_id}"
        moment: dict[str, Value] = {
            name: values[name] for name in ("snapshot_id", "taken_at", "resources")
        }
        operations.append(Operation(Write.PUT, key, moment))
    await store.transact(Table.CONFIGURATION, operations)


async def find_moment(
    store: TenantStore, subscription_id: SubscriptionId, at: datetime
) -> Moment | None:
    """The state that a subscription had at a time, as the last scan before it saw it. None when no scan had."""
    prefix = _moments_of(subscription_id)
    cursor = prefix + newest_first(
        at
    )  # the key begins with the time that a scan was for, newest first
    while cursor:
        rows, cursor = await store.page(
            Table.CONFIGURATION, prefix=prefix, after=cursor, limit=_FEW
        )
        for row in rows:
            if row.values["taken_at"] <= at:  # a scan may begin before the time and read after it
                return Moment(**row.values)
    return None


def _moments_of(subscription_id: SubscriptionId) -> str:
    return f"{MOMENT}{subscription_id}."


def _read_configuration(row: Row) -> Configuration:
    values = row.values
    return Configuration(
        SubscriptionId(row.key),
        values["snapshot_id"],
        values["scan_id"],
        values["taken_at"],
        values["resources"],
        values["fence"],
        values["held_by"],
        row.etag,
    )
