"""Findings at a glance: light rows, in the two orders in which people work, and counts per subscription.

All live beside the findings in the same partition, so that every transaction that writes a finding writes them too: a
list reads the rows it shows, and an overview one row a subscription, however many findings there are.

A summary's key begins with what it is sorted and found by: worst first `w.`, place of its status, how mild it is, the
finding; newest change first `n.`, place, time backwards, the finding. A finding's id begins with its subscription.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from drift.engine.findings import UNSETTLED, Evidence, Finding, Status
from drift.engine.model import ChangeKind, Severity
from drift.filters import DECIDED, Summary, Wanted, summary_of
from errors import Conflict
from tenancy.rowkeys import newest_first
from tenancy.rows import Row, Value, join_binary
from tenancy.store import Operation, Table, TenantStore, Write

_TALLY, _FINDING, _FORMER = "c.", "f.", "i."  # the last: how summaries were kept in form 1
FORM = 2  # of the summaries; those of a subscription in another form are made anew, once
PAGE = 200  # summaries looked through for one page of a list that is narrowed further than its keys are
Cell = tuple[str, str]  # status, severity


class Order(StrEnum):
    WORST = "w"
    NEWEST = "n"


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of a list. It may be short, even empty, and still be followed by more."""

    found: tuple[Summary, ...]
    cursor: str  # where to go on, '' at the end
    searched: int  # summaries looked through


@dataclass(frozen=True, slots=True)
class Tally:
    """How many findings of one subscription there are, by status and severity."""

    subscription_id: str
    counts: Mapping[Cell, int]
    etag: str = ""  # '' when it is not stored yet
    form: int = FORM  # of the subscription's summaries

    @property
    def unsettled(self) -> Counter[str]:
        """By severity, those that still have to be dealt with."""
        found: Counter[str] = Counter()
        for (status, severity), number in self.counts.items():
            if status in UNSETTLED:
                found[severity] += number
        return found


def index_operations(before: Finding | None, after: Finding) -> Iterator[Operation]:
    """The writes of a finding's summaries that belong into the transaction that writes the finding."""
    summary = summary_of(after)
    former = summary_of(before) if before else None
    values = _values(summary)
    for order in Order:
        key = _key(order, summary)
        yield Operation(Write.PUT, key, values)
        if former is not None and _key(order, former) != key:
            yield Operation(Write.DELETE, _key(order, former))


def drop_operations(finding: Finding) -> Iterator[Operation]:
    """The same for a finding that goes."""
    summary = summary_of(finding)
    for order in Order:
        yield Operation(Write.DELETE, _key(order, summary))


async def resolved_before(
    store: TenantStore, moment: datetime, *, after: str, limit: int
) -> tuple[list[str], str]:
    """Ids of resolved findings that were last seen to change before a moment, and where to go on ('' at the end)."""
    prefix = f"{Order.NEWEST}.{_place_of(Status.RESOLVED)}."
    rows, cursor = await store.page(
        Table.FINDING,
        prefix=prefix,
        after=after or prefix + newest_first(moment),  # what is older is behind it
        limit=limit,
        columns=("last_seen",),
    )
    ids = [row.key.split(".", 3)[3] for row in rows if row.values["last_seen"] < moment]
    return ids, cursor


def tally_operation(
    tally: Tally, moves: Iterable[tuple[Finding | None, Finding | None]]
) -> Operation:
    """The write of a subscription's counts after these findings went from one state to the other."""
    counts = Counter(tally.counts)
    for before, after in moves:
        if before is not None:
            counts[before.status, before.severity] -= 1
        if after is not None:
            counts[after.status, after.severity] += 1
    body = [(status, severity, number) for (status, severity), number in counts.items() if number]
    values: dict[str, Value] = {"body": msgspec.json.encode(sorted(body)), "form": FORM}
    key = _TALLY + tally.subscription_id
    if tally.etag:
        return Operation(Write.UPDATE, key, values, tally.etag)
    return Operation(Write.INSERT, key, values)


async def read_tally(store: TenantStore, subscription_id: str) -> Tally:
    """The counts of a subscription whose summaries are in order: what no transaction has written yet is made here."""
    tally = await _find_tally(store, subscription_id)
    while tally.form != FORM:
        tally = await _index(store, tally)
    return tally


async def tallies(store: TenantStore) -> dict[str, Tally]:
    """The counts of every subscription that ever had a finding: one row each."""
    found = [_read_tally(row) async for row in store.rows(Table.FINDING, prefix=_TALLY)]
    return {
        one.subscription_id: one
        if one.form == FORM
        else await read_tally(store, one.subscription_id)
        for one in found
    }


async def _find_tally(store: TenantStore, subscription_id: str) -> Tally:
    row = await store.find(Table.FINDING, _TALLY + subscription_id)
    if row is not None:
        return _read_tally(row)
    page, _ = await store.page(
        Table.FINDING, prefix=f"{_FINDING}{subscription_id}.", limit=1, columns=["status"]
    )
    return Tally(subscription_id, {}, form=1 if page else FORM)


async def _index(store: TenantStore, tally: Tally) -> Tally:
    """Makes a subscription's summaries and counts of its findings. It is in order only if nobody wrote a finding
    meanwhile, which would have written the counts too: otherwise what comes back is still in the former form."""
    subscription_id = tally.subscription_id
    counts: Counter[Cell] = Counter()
    rows: dict[str, Mapping[str, Value]] = {}
    async for row in store.rows(Table.FINDING, prefix=f"{_FINDING}{subscription_id}."):
        finding = read_finding(row)
        counts[finding.status, finding.severity] += 1
        summary = summary_of(finding)
        rows |= {_key(order, summary): _values(summary) for order in Order}
    for prefix in (_FORMER, *(f"{order}." for order in Order)):
        async for row in store.rows(Table.FINDING, prefix=prefix, columns=["status"]):
            if row.key not in rows and row.key.split(".", 3)[3].startswith(f"{subscription_id}."):
                await store.delete(Table.FINDING, row.key)
    await store.put_all(Table.FINDING, rows.items())
    made = Tally(subscription_id, counts, tally.etag)
    try:
        (etag,) = await store.transact(Table.FINDING, [tally_operation(made, ())])
    except Conflict:
        now = await _find_tally(store, subscription_id)
        return Tally(subscription_id, now.counts, now.etag, form=1)
    return Tally(subscription_id, counts, etag)


async def page_summaries(
    store: TenantStore,
    wanted: Wanted,
    *,
    order: Order = Order.WORST,
    after: str = "",
    limit: int,
) -> Listed:
    """Up to `limit` summaries that pass, undecided first and then in that order.

    Ranges of keys hold what is wanted by status, by severity and subscription (worst first) or by time (newest first):
    then nothing else is read. Of what no key tells, PAGE summaries are looked through and the next page goes on there.
    """
    exact = _is_exact(wanted, order)
    found: list[Summary] = []
    searched, last = 0, after
    for prefix in _prefixes(wanted, order):
        cursor = after if after.startswith(prefix) else ""
        if after > prefix and not cursor:
            continue
        more = True
        while more:
            # A full page looks at one row more: whether anything follows it.
            size = (limit - len(found) or 1) if exact else PAGE - searched
            if size <= 0:
                return Listed(tuple(found), last, searched)
            rows, cursor = await store.page(Table.FINDING, prefix=prefix, after=cursor, limit=size)
            more = bool(cursor)
            for row in rows:
                summary = _read(row)
                searched += 1
                if order is Order.NEWEST and wanted.since and summary.last_seen < wanted.since:
                    more = False  # and so is everything behind it
                    break
                if wanted.passes(summary):
                    if len(found) == limit:
                        return Listed(tuple(found), last, searched)
                    found.append(summary)
                last = row.key
            if exact and more and len(found) == limit and not wanted.since:
                return Listed(tuple(found), last, searched)
    return Listed(tuple(found), "", searched)


def _is_exact(wanted: Wanted, order: Order) -> bool:
    """Whether everything in the ranges of `_prefixes` passes."""
    places = _places(wanted)
    whole = {status for status in Status if _place_of(status) in places}
    if wanted.by_words or (wanted.statuses and whole != wanted.statuses):
        return False
    if order is Order.NEWEST:
        return not (wanted.severities or wanted.subscription_id)
    return wanted.since is None


def _prefixes(wanted: Wanted, order: Order) -> list[str]:
    """The ranges of keys that can hold what is wanted, in order."""
    places = _places(wanted)
    narrow = order is Order.WORST and bool(wanted.severities or wanted.subscription_id)
    if not narrow:
        return [f"{order}.{place}." for place in places]
    ranks = sorted(_mildness(severity) for severity in wanted.severities or Severity)
    of = f"{wanted.subscription_id}." if wanted.subscription_id else ""
    return [f"{order}.{place}.{rank}.{of}" for place in places for rank in ranks]


def _places(wanted: Wanted) -> list[int]:
    return sorted({_place_of(status) for status in wanted.statuses or Status})


def _place_of(status: Status) -> int:
    """Where a status stands in lists: what has to be dealt with first, what is over last."""
    if status in UNSETTLED:
        return 0
    if status in DECIDED:
        return 1 if status is Status.ACCEPTED else 2
    return 3


def _mildness(severity: Severity) -> int:
    """0 is critical, so that the worst comes first."""
    return Severity.CRITICAL.rank - severity.rank


def _key(order: Order, summary: Summary) -> str:
    by = _mildness(summary.severity) if order is Order.WORST else newest_first(summary.last_seen)
    return f"{order}.{_place_of(summary.status)}.{by}.{summary.finding_id}"


def _values(summary: Summary) -> dict[str, Value]:
    values = asdict(summary)
    del values["finding_id"], values["subscription_id"]  # the key has them
    return values


def _read(row: Row) -> Summary:
    finding_id = row.key.split(".", 3)[3]
    kept: dict[str, Any] = {one.name: row.values.get(one.name) for one in fields(Summary)[2:]}
    kept |= {
        "kind": ChangeKind(kept["kind"]),
        "severity": Severity(kept["severity"]),
        "status": Status(kept["status"]),
        "evidence": Evidence(kept["evidence"]),
    }
    return Summary(finding_id, finding_id.partition(".")[0], **kept)


def read_finding(row: Row) -> Finding:
    return msgspec.json.decode(join_binary(row.values), type=Finding)


def _read_tally(row: Row) -> Tally:
    body = msgspec.json.decode(row.values["body"], type=list[tuple[str, str, int]])
    counts = {(status, severity): number for status, severity, number in body}
    return Tally(row.key.removeprefix(_TALLY), counts, row.etag, row.values.get("form", 1))
