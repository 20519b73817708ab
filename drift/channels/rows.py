"""Channels, maintenance windows and snoozed findings as rows of one table, and deliveries as rows of another.

A delivery that is not over has a marker beside it, written and removed in the same transactions: what still waits is
found without reading what is long over.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

import msgspec

from drift.channels.model import Channel, MaintenanceWindow, StoredChannel, StoredWindow
from drift.channels.stories import Story
from errors import Conflict, NotFound, Stale
from tenancy.rows import Row, Value, join_binary, split_binary
from tenancy.store import Operation, Table, TenantStore, Write

_CHANNEL, _WINDOW, _SNOOZE = "c.", "m.", "s."
DELIVERY, _MARKER = "d.", "p."
MOST_ATTEMPTS = 30  # kept with a delivery


class Outcome(StrEnum):
    HELD = "held"  # for a digest, quiet hours or a snooze
    QUEUED = "queued"
    DELIVERED = "delivered"
    FAILED = "failed"
    BUNDLED = "bundled"  # told by a digest
    SKIPPED = "skipped"  # the channel was disabled or removed meanwhile


PENDING = frozenset({Outcome.HELD, Outcome.QUEUED})


@dataclass(frozen=True, slots=True)
class Attempt:
    at: datetime
    delivered: bool
    status: int  # of HTTP or SMTP, 0 when there was none
    reason: str
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One story on its way through one channel, and the log of that. Never holds an address."""

    delivery_id: str  # `<channel>.<notice>`
    channel_id: str
    story: Story
    events: tuple[tuple[str, str], ...]  # all that it tells: (finding id, event)
    created_at: datetime
    due_at: datetime  # not tried before
    outcome: Outcome
    attempts: tuple[Attempt, ...] = ()
    reason: str = ""
    bundle: str = ""  # the digest that told it
    tries: int = 0  # since it was made or replayed
    prompt: bool = False  # a test or a replay: somebody waits for it, so nothing holds it


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    delivery: Delivery
    etag: str


@dataclass(frozen=True, slots=True)
class Desk:
    """All that decides who is told what: one read."""

    channels: tuple[Channel, ...]
    windows: tuple[MaintenanceWindow, ...]
    snoozes: dict[str, datetime]  # finding id -> until


async def read_desk(store: TenantStore) -> Desk:
    channels, windows, snoozes = [], [], {}
    async for row in store.rows(Table.CHANNEL):
        if row.key.startswith(_CHANNEL):
            channels.append(_read_channel(row).channel)
        elif row.key.startswith(_WINDOW):
            windows.append(_read_window(row).window)
        elif row.key.startswith(_SNOOZE):
            snoozes[row.key.removeprefix(_SNOOZE)] = row.values["until"]
    return Desk(tuple(channels), tuple(windows), snoozes)


async def find_channel(store: TenantStore, channel_id: str) -> StoredChannel | None:
    row = await store.find(Table.CHANNEL, _CHANNEL + channel_id)
    return _read_channel(row) if row else None


async def get_channel(store: TenantStore, channel_id: str) -> StoredChannel:
    stored = await find_channel(store, channel_id)
    if stored is None:
        raise NotFound("There is no such channel.")
    return stored


async def page_channels(
    store: TenantStore, *, after: str, limit: int
) -> tuple[list[StoredChannel], str]:
    rows, cursor = await store.page(Table.CHANNEL, prefix=_CHANNEL, after=after, limit=limit)
    return [_read_channel(row) for row in rows], cursor


async def insert_channel(store: TenantStore, channel: Channel) -> str:
    return await store.insert(Table.CHANNEL, _CHANNEL + channel.channel_id, _body(channel))


async def update_channel(store: TenantStore, channel: Channel, *, etag: str) -> str:
    key = _CHANNEL + channel.channel_id
    return await store.update(Table.CHANNEL, key, _body(channel), etag=etag)


async def delete_channel(store: TenantStore, channel_id: str, *, etag: str) -> None:
    await store.delete(Table.CHANNEL, _CHANNEL + channel_id, etag=etag)


async def page_windows(
    store: TenantStore, *, after: str, limit: int
) -> tuple[list[StoredWindow], str]:
    rows, cursor = await store.page(Table.CHANNEL, prefix=_WINDOW, after=after, limit=limit)
    return [_read_window(row) for row in rows], cursor


async def get_window(store: TenantStore, window_id: str) -> StoredWindow:
    row = await store.find(Table.CHANNEL, _WINDOW + window_id)
    if row is None:
        raise NotFound("There is no such maintenance window.")
    return _read_window(row)


async def insert_window(store: TenantStore, window: MaintenanceWindow) -> str:
    return await store.insert(Table.CHANNEL, _WINDOW + window.window_id, _body(window))


async def delete_window(store: TenantStore, window_id: str, *, etag: str = "") -> None:
    await store.delete(Table.CHANNEL, _WINDOW + window_id, etag=etag)


async def put_snooze(store: TenantStore, finding_id: str, until: datetime) -> None:
    await store.put(Table.CHANNEL, _SNOOZE + finding_id, {"until": until})


async def find_snooze(store: TenantStore, finding_id: str) -> datetime | None:
    row = await store.find(Table.CHANNEL, _SNOOZE + finding_id)
    until: datetime | None = row.values["until"] if row else None
    return until


async def delete_snooze(store: TenantStore, finding_id: str) -> None:
    await store.delete(Table.CHANNEL, _SNOOZE + finding_id)


async def find_delivery(store: TenantStore, delivery_id: str) -> StoredDelivery | None:
    row = await store.find(Table.DELIVERY, DELIVERY + delivery_id)
    return _read_delivery(row) if row else None


async def get_delivery(store: TenantStore, delivery_id: str) -> StoredDelivery:
    stored = await find_delivery(store, delivery_id)
    if stored is None:
        raise NotFound("There is no such delivery.")
    return stored


async def page_deliveries(
    store: TenantStore, channel_id: str, *, after: str, limit: int
) -> tuple[list[StoredDelivery], str]:
    """Newest first: a notice's id begins with its time."""
    prefix = f"{DELIVERY}{channel_id}."
    rows, cursor = await store.page(Table.DELIVERY, prefix=prefix, after=after, limit=limit)
    return [_read_delivery(row) for row in rows], cursor


async def insert_delivery(store: TenantStore, delivery: Delivery) -> None:
    """Raises Conflict when it is there already."""
    await store.transact(Table.DELIVERY, _inserts(delivery))


async def save_delivery(store: TenantStore, delivery: Delivery, *, etag: str) -> str:
    """Writes a delivery that was read as `etag`, and its marker. Raises Stale when somebody else wrote it meanwhile."""
    return (await store.transact(Table.DELIVERY, _updates(delivery, etag)))[0]


async def bundle(store: TenantStore, made: Delivery, parts: Sequence[StoredDelivery]) -> None:
    """A digest in place of its parts, all in one. Raises Conflict or Stale when somebody else was quicker."""
    operations = _inserts(made)
    for part in parts:
        told = replace(part.delivery, outcome=Outcome.BUNDLED, bundle=made.delivery_id)
        operations += _updates(told, part.etag)
    try:
        await store.transact(Table.DELIVERY, operations)
    except Conflict as error:
        raise Stale("Somebody else made this digest.") from error


async def waiting(store: TenantStore, channel_id: str = "") -> AsyncIterator[tuple[str, datetime]]:
    """The ids of deliveries that are not over, with the time they are due; of one channel or of all."""
    prefix = f"{_MARKER}{channel_id}." if channel_id else _MARKER
    async for row in store.rows(Table.DELIVERY, prefix=prefix):
        yield row.key.removeprefix(_MARKER), row.values["due_at"]


async def delivery_keys(store: TenantStore) -> AsyncIterator[tuple[str, datetime]]:
    """Every delivery that is kept, with the time it was made."""
    async for row in store.rows(Table.DELIVERY, prefix=DELIVERY, columns=["created_at"]):
        yield row.key.removeprefix(DELIVERY), row.values["created_at"]


async def forget_delivery(store: TenantStore, delivery_id: str) -> None:
    for key in (_MARKER + delivery_id, DELIVERY + delivery_id):
        await store.delete(Table.DELIVERY, key)


def _inserts(delivery: Delivery) -> list[Operation]:
    key = DELIVERY + delivery.delivery_id
    return [Operation(Write.INSERT, key, _values(delivery)), _marker(delivery)]


def _updates(delivery: Delivery, etag: str) -> list[Operation]:
    key = DELIVERY + delivery.delivery_id
    return [Operation(Write.UPDATE, key, _values(delivery), etag), _marker(delivery)]


def _marker(delivery: Delivery) -> Operation:
    key = _MARKER + delivery.delivery_id
    if delivery.outcome in PENDING:
        return Operation(Write.PUT, key, {"due_at": delivery.due_at})
    return Operation(Write.DELETE, key)


def _values(delivery: Delivery) -> dict[str, Value]:
    kept = replace(delivery, attempts=delivery.attempts[-MOST_ATTEMPTS:])
    return {"created_at": delivery.created_at, **split_binary(msgspec.json.encode(kept))}


def _body(stored: Channel | MaintenanceWindow) -> dict[str, Value]:
    return {"body": msgspec.json.encode(stored)}


def _read_channel(row: Row) -> StoredChannel:
    return StoredChannel(msgspec.json.decode(row.values["body"], type=Channel), row.etag)


def _read_window(row: Row) -> StoredWindow:
    window = msgspec.json.decode(row.values["body"], type=MaintenanceWindow)
    return StoredWindow(window, row.etag)


def _read_delivery(row: Row) -> StoredDelivery:
    return StoredDelivery(msgspec.json.decode(join_binary(row.values), type=Delivery), row.etag)
