"""Findings as rows, and what people do with them. They are committed together with what is told and counted of them.

The events wait in outbox rows of the same table, because a transaction covers one table and one partition: a notice is
never sent for a finding that is not there, and no list or count says what no finding says.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

import msgspec

from drift.engine.findings import Event, Finding
from drift.engine.model import Change, Json
from drift.filters import Wanted, summary_of
from drift.summaries import (
    Tally,
    drop_operations,
    index_operations,
    read_finding,
    read_tally,
    tally_operation,
)
from errors import Conflict, NotFound, Stale
from tenancy.ids import SubscriptionId
from tenancy.rows import Row, Value, join_binary, split_binary, weigh
from tenancy.store import (
    PAGE_LIMIT,
    TRANSACTION_BYTES,
    TRANSACTION_LIMIT,
    Operation,
    Table,
    TenantStore,
    Write,
)

_FINDING, _OUTBOX = "f.", "o."
COMMENT = "m."  # what people say of a finding (drift/comments.py)
MOST_SAID = 80  # comments that go in the finding's own transaction, which has 100 places
LARGEST_VALUE = 2_000  # bytes of JSON; a longer before or after is cut, the snapshots have it whole
MOST_CHANGES = 120  # kept with one finding, which must fit one row of 900 kB
BESIDE = 2  # rows of a transaction beside those of its findings: the outbox and the counts
TRIES = 10  # to write a subscription's counts, which everybody at work on it writes


@dataclass(frozen=True, slots=True)
class Known:
    """What a scan needs of a stored finding to see that nothing is new: the columns of its row."""

    finding_id: str
    resource_id: str
    resource_type: str
    status: str
    evidence: str
    baseline_digest: str
    current_digest: str
    last_seen: datetime
    attributed: bool  # whether it is known who made the change


@dataclass(frozen=True, slots=True)
class Transition:
    """A finding to write, the version it was made from, and the event to tell, if any."""

    finding: Finding
    etag: str  # '' when it is new
    event: Event | None
    before: Finding | None  # what it was, None when it is new
    gone: bool = False  # whether it is removed


@dataclass(frozen=True, slots=True)
class Stored:
    finding: Finding
    etag: str


@dataclass(frozen=True, slots=True)
class Outbox:
    """Events committed with their findings and not yet turned into notices."""

    key: str
    scan_id: str
    events: tuple[tuple[str, str], ...]  # (finding id, event)


async def known_findings(store: TenantStore, subscription_id: SubscriptionId) -> list[Known]:
    columns = [field.name for field in fields(Known)][1:]
    rows = store.rows(Table.FINDING, prefix=f"{_FINDING}{subscription_id}.", columns=columns)
    return [Known(row.key.removeprefix(_FINDING), **row.values) async for row in rows]


async def expired_findings(store: TenantStore, *, now: datetime) -> AsyncIterator[Stored]:
    """Findings whose acceptance has ended."""
    async for row in store.rows(Table.FINDING, prefix=_FINDING, columns=["accepted_until"]):
        until = row.values.get("accepted_until")
        if until is not None and until <= now:
            yield await get_finding(store, row.key.removeprefix(_FINDING))


async def find_finding(store: TenantStore, finding_id: str) -> Stored | None:
    row = await store.find(Table.FINDING, _FINDING + finding_id)
    return _read(row) if row else None


async def get_finding(store: TenantStore, finding_id: str) -> Stored:
    stored = await find_finding(store, finding_id)
    if stored is None:
        raise NotFound("There is no such finding.")
    return stored


async def page_findings(
    store: TenantStore, wanted: Wanted, *, after: str, limit: int
) -> tuple[list[Stored], str]:
    """Up to `limit` findings that pass the filter, in order of subscription and resource key, and where to go on.

    A filter that meets little gives short pages: no more than one page of storage is looked through for one of ours.
    """
    narrow = wanted != Wanted(subscription_id=wanted.subscription_id)
    rows, cursor = await store.page(
        Table.FINDING, prefix=_range(wanted), after=after, limit=PAGE_LIMIT if narrow else limit
    )
    found: list[Stored] = []
    for row in rows:
        stored = _read(row)
        if not wanted.passes(summary_of(stored.finding)):
            continue
        if len(found) == limit:
            return found, _FINDING + found[-1].finding.finding_id
        found.append(stored)
    return found, cursor


async def every_finding(store: TenantStore, wanted: Wanted) -> AsyncIterator[Finding]:
    """All findings that pass, in the same order, a page of storage at a time."""
    async for row in store.rows(Table.FINDING, prefix=_range(wanted)):
        finding = read_finding(row)
        if wanted.passes(summary_of(finding)):
            yield finding


def _range(wanted: Wanted) -> str:
    of = wanted.subscription_id
    return f"{_FINDING}{of}." if of else _FINDING


async def save_finding(store: TenantStore, before: Stored, finding: Finding, *, etag: str) -> str:
    """What a person decided. Raises Stale when a scan or somebody else wrote the finding meanwhile."""
    if etag != before.etag:
        raise Stale("This finding was changed meanwhile. Read it again.")
    transition = Transition(finding, etag, None, before.finding)
    await _transact(store, finding.subscription_id, [transition], operations_of(transition))
    stored = await get_finding(store, finding.finding_id)
    # If somebody wrote it again since, the old ETag: who sends it next is told to read again.
    return stored.etag if stored.finding == finding else etag


async def commit(
    store: TenantStore,
    subscription_id: SubscriptionId,
    scan_id: str,
    transitions: Sequence[Transition],
) -> None:
    """Writes findings and their events, both or neither, in as few transactions as fit.

    Raises Stale when a finding was changed meanwhile; the scan is then repeated and sees the new one.
    """
    for batch in _batches(transitions):
        operations = [operation for item in batch for operation in operations_of(item)]
        events = tuple((item.finding.finding_id, item.event.value) for item in batch if item.event)
        if events:
            operations.append(_outbox(subscription_id, scan_id, events))
        try:
            await _transact(store, subscription_id, batch, operations)
        except Conflict as error:
            raise Stale("A finding was made meanwhile. The scan is repeated.") from error


async def _transact(
    store: TenantStore,
    subscription_id: str,
    batch: Sequence[Transition],
    operations: Sequence[Operation],
) -> None:
    """Writes findings with the counts of their subscription. Of those that write the counts at the same time one wins
    and the others count again; what stands in the way otherwise is the caller's affair."""
    moves = [(item.before, None if item.gone else item.finding) for item in batch]
    tally = await read_tally(store, subscription_id)
    for _ in range(TRIES):
        counts = tally_operation(tally, moves)
        try:
            await store.transact(Table.FINDING, [*operations, counts])
        except Conflict:
            known: Tally = await read_tally(store, subscription_id)
            if known.etag == tally.etag:
                raise
            tally = known
            continue
        return
    raise Stale("The findings of this subscription are being changed by others. Try again.")


def _batches(transitions: Sequence[Transition]) -> Iterator[list[Transition]]:
    """Cuts the transitions so that each batch and what is written beside it fit one transaction."""
    batch: list[Transition] = []
    size = rows = 0
    for transition in transitions:
        operations = operations_of(transition)
        weight = sum(weigh(operation.values or {}) for operation in operations)
        full = rows + len(operations) > TRANSACTION_LIMIT - BESIDE
        if batch and (full or size + weight > TRANSACTION_BYTES):
            yield batch
            batch, size, rows = [], 0, 0
        batch.append(transition)
        size += weight
        rows += len(operations)
    if batch:
        yield batch


async def outbox(store: TenantStore, subscription_id: SubscriptionId) -> list[Outbox]:
    rows = store.rows(Table.FINDING, prefix=f"{_OUTBOX}{subscription_id}.")
    return [Outbox(row.key, row.values["scan_id"], _events(row)) async for row in rows]


async def clear_outbox(store: TenantStore, entry: Outbox) -> None:
    await store.delete(Table.FINDING, entry.key)


async def forget(store: TenantStore, stored: Stored) -> bool:
    """Removes a resolved finding, its summaries, its count and what people said of it, in one transaction: nothing is
    left behind that no finding leads to. False when somebody wrote it meanwhile: it stays."""
    finding = stored.finding
    said = await _said(store, finding)
    await store.delete_all(Table.FINDING, said[MOST_SAID:])  # the oldest, which do not fit
    operations = [
        Operation(Write.DELETE, _FINDING + finding.finding_id, etag=stored.etag),
        *drop_operations(finding),
        *(Operation(Write.DELETE, row.key, etag=row.etag) for row in said[:MOST_SAID]),
    ]
    transition = Transition(finding, stored.etag, None, finding, gone=True)
    try:
        await _transact(store, finding.subscription_id, [transition], operations)
    except Stale:
        return False
    await store.delete_all(Table.FINDING, await _said(store, finding))  # said meanwhile
    return True


async def _said(store: TenantStore, finding: Finding) -> list[Row]:
    """Comments on a finding, newest first."""
    prefix = f"{COMMENT}{finding.finding_id}."
    return [row async for row in store.rows(Table.FINDING, prefix=prefix, columns=["at"])]


def shorten(changes: Sequence[Change]) -> tuple[Change, ...]:
    """Changes small enough to rest in one row: the worst first to be kept, long values cut and marked as cut."""
    worst = sorted(changes, key=lambda change: (-change.severity.rank, change.path))
    return tuple(_short(change) for change in worst[:MOST_CHANGES])


def _short(change: Change) -> Change:
    return replace(change, before=_short_value(change.before), after=_short_value(change.after))


def _short_value(value: Json) -> Json:
    size = len(msgspec.json.encode(value))
    if size <= LARGEST_VALUE:
        return value
    return {
        "truncated": True,
        "bytes": size,
        "sha256": hashlib.sha256(msgspec.json.encode(value)).hexdigest(),
    }


def operations_of(transition: Transition) -> list[Operation]:
    """The finding and its summaries."""
    key = _FINDING + transition.finding.finding_id
    values = _values(transition.finding)
    write = Operation(Write.INSERT, key, values)
    if transition.etag:
        write = Operation(Write.UPDATE, key, values, transition.etag)
    return [write, *index_operations(transition.before, transition.finding)]


def _outbox(
    subscription_id: SubscriptionId, scan_id: str, events: tuple[tuple[str, str], ...]
) -> Operation:
    digest = hashlib.sha256(msgspec.json.encode((scan_id, events))).hexdigest()[:24]
    values: dict[str, Value] = {
        "scan_id": scan_id,
        **split_binary(msgspec.json.encode(events)),
    }
    return Operation(Write.PUT, f"{_OUTBOX}{subscription_id}.{digest}", values)


def _events(row: Row) -> tuple[tuple[str, str], ...]:
    return msgspec.json.decode(join_binary(row.values), type=tuple[tuple[str, str], ...])


def _values(finding: Finding) -> dict[str, Value]:
    return {
        "status": finding.status.value,
        "severity": finding.severity.value,
        "evidence": finding.evidence.value,
        "baseline_digest": finding.baseline_digest,
        "current_digest": finding.current_digest,
        "resource_type": finding.resource_type,
        "resource_id": finding.resource_id,
        "last_seen": finding.last_seen,
        "attributed": finding.attribution is not None,
        "incident": finding.incident,
        "accepted_until": finding.accepted_until,
        **split_binary(msgspec.json.encode(finding)),
    }


def _read(row: Row) -> Stored:
    return Stored(read_finding(row), row.etag)
