"""Findings at a glance: one light row each, in the order in which people work, and counts per subscription.

Both live beside the findings in the same partition, so that every transaction that writes a finding writes them too: a
list reads the rows it shows and an overview one row a subscription, however many findings there are.

A summary's key begins with what it is sorted and found by: `i.`, the group of its status, how mild it is, the finding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime

import msgspec

from drift.engine.findings import UNSETTLED, Evidence, Finding, Status
from drift.engine.model import Change, ChangeKind, Severity
from tenancy.rows import Row, Value
from tenancy.store import Operation, Table, TenantStore, Write

_SUMMARY, _TALLY, _FINDING = "i.", "c.", "f."
PAGE = 200  # summaries in one read of a list that is narrowed further than its keys are
DECIDED = frozenset({Status.ACCEPTED, Status.IGNORED})
Cell = tuple[str, str]  # status, severity


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list says of one finding."""

    finding_id: str
    subscription_id: str
    resource_id: str
    resource_type: str
    kind: ChangeKind
    severity: Severity
    status: Status
    evidence: Evidence
    first_seen: datetime
    last_seen: datetime
    path: str  # of the worst change
    rule: str  # that rated it
    changes: int
    changed_by: str
    digest: str  # of the value it is about: a decision made from a list is about this one


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is narrowed to; empty members let everything pass. Text is compared in lower case."""

    statuses: frozenset[Status] = frozenset()
    severities: frozenset[Severity] = frozenset()
    subscription_id: str = ""
    resource_type: str = ""
    group: str = ""  # a resource group
    actor: str = ""  # part of who changed it
    text: str = ""  # part of the resource id or of the path
    since: datetime | None = None

    @property
    def by_key(self) -> bool:
        """Whether tallies can count it: nothing but status, severity and subscription is asked for."""
        return not (self.resource_type or self.group or self.actor or self.text or self.since)

    def passes(self, summary: Summary) -> bool:
        resource = summary.resource_id.lower()
        return (
            (not self.statuses or summary.status in self.statuses)
            and (not self.severities or summary.severity in self.severities)
            and (not self.subscription_id or summary.subscription_id == self.subscription_id)
            and (not self.resource_type or summary.resource_type == self.resource_type)
            and (not self.group or f"/resourcegroups/{self.group}/" in f"{resource}/")
            and (not self.actor or self.actor in summary.changed_by.lower())
            and (not self.text or self.text in resource or self.text in summary.path.lower())
            and (self.since is None or summary.last_seen >= self.since)
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """How many findings of one subscription there are, by status and severity."""

    subscription_id: str
    counts: Mapping[Cell, int]
    etag: str = ""  # '' when it is not stored yet

    @property
    def unsettled(self) -> Counter[str]:
        """By severity, those that still have to be dealt with."""
        found: Counter[str] = Counter()
        for (status, severity), number in self.counts.items():
            if status in UNSETTLED:
                found[severity] += number
        return found


def index_operations(before: Finding | None, after: Finding) -> list[Operation]:
    """The writes of a finding's summary that belong into the transaction that writes the finding."""
    key = _key(after)
    operations = [Operation(Write.PUT, key, _values(after))]
    if before is not None and _key(before) != key:
        operations.append(Operation(Write.DELETE, _key(before)))
    return operations


def drop_summary(finding: Finding) -> Operation:
    return Operation(Write.DELETE, _key(finding))


async def resolved_before(
    store: TenantStore, moment: datetime, *, after: str, limit: int
) -> tuple[list[str], str]:
    """Ids of resolved findings that were last seen to change before a moment, and where to go on ('' at the end)."""
    prefix = f"{_SUMMARY}{_group(Status.RESOLVED)}."
    columns = ("status", "last_seen")
    rows, cursor = await store.page(
        Table.FINDING, prefix=prefix, after=after, limit=limit, columns=columns
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
    values: dict[str, Value] = {"body": msgspec.json.encode(sorted(body))}
    key = _TALLY + tally.subscription_id
    if tally.etag:
        return Operation(Write.UPDATE, key, values, tally.etag)
    return Operation(Write.INSERT, key, values)


async def read_tally(store: TenantStore, subscription_id: str) -> Tally:
    """The counts of a subscription; those of one that has no row yet are counted once from its findings."""
    row = await store.find(Table.FINDING, _TALLY + subscription_id)
    if row is not None:
        return _read_tally(row)
    counts: Counter[Cell] = Counter()
    prefix = f"{_FINDING}{subscription_id}."
    columns = ["status", "severity"]
    async for found in store.rows(Table.FINDING, prefix=prefix, columns=columns):
        counts[found.values["status"], found.values["severity"]] += 1
    return Tally(subscription_id, counts)


async def tallies(store: TenantStore) -> dict[str, Tally]:
    """The counts of every subscription that ever had a finding: one row each."""
    found = [_read_tally(row) async for row in store.rows(Table.FINDING, prefix=_TALLY)]
    return {tally.subscription_id: tally for tally in found}


async def page_summaries(
    store: TenantStore, wanted: Wanted, *, after: str = "", limit: int
) -> tuple[list[Summary], str]:
    """Up to `limit` summaries that pass, undecided first and worst first, and where to go on ('' at the end).

    Statuses and severities choose among ranges of keys, so that nothing else is read; the rest of the filter is applied
    to what was read.
    """
    found: list[tuple[str, Summary]] = []
    size = limit + 1 if wanted.by_key else PAGE
    async for key, summary in _candidates(store, wanted, after, size):
        if not wanted.passes(summary):
            continue
        if len(found) == limit:
            return [one for _, one in found], found[-1][0]
        found.append((key, summary))
    return [one for _, one in found], ""


async def _candidates(
    store: TenantStore, wanted: Wanted, after: str, size: int
) -> AsyncIterator[tuple[str, Summary]]:
    for prefix in _prefixes(wanted):
        cursor = after if after.startswith(prefix) else ""
        if after and not cursor and after > prefix:
            continue
        more = True
        while more:
            rows, cursor = await store.page(Table.FINDING, prefix=prefix, after=cursor, limit=size)
            for row in rows:
                yield row.key, _read(row)
            more = bool(cursor)


def _prefixes(wanted: Wanted) -> list[str]:
    """The ranges of keys that can hold what is wanted; neighbours in order, the whole when all of it can."""
    groups = sorted({_group(status) for status in wanted.statuses or Status})
    if not wanted.severities:
        return [f"{_SUMMARY}{group}." for group in groups]
    ranks = sorted(_mildness(severity) for severity in wanted.severities)
    return [f"{_SUMMARY}{group}.{rank}." for group in groups for rank in ranks]


def _group(status: Status) -> int:
    if status in UNSETTLED:
        return 0
    return 1 if status in DECIDED else 2


def _mildness(severity: Severity) -> int:
    """0 is critical, so that the worst comes first."""
    return Severity.CRITICAL.rank - severity.rank


def _key(finding: Finding) -> str:
    group, rank = _group(finding.status), _mildness(finding.severity)
    return f"{_SUMMARY}{group}.{rank}.{finding.finding_id}"


def _worst(finding: Finding) -> Change | None:
    return max(finding.changes, key=lambda change: change.severity.rank, default=None)


def _values(finding: Finding) -> dict[str, Value]:
    worst = _worst(finding)
    return {
        "resource_id": finding.resource_id,
        "resource_type": finding.resource_type,
        "kind": finding.kind.value,
        "severity": finding.severity.value,
        "status": finding.status.value,
        "evidence": finding.evidence.value,
        "first_seen": finding.first_seen,
        "last_seen": finding.last_seen,
        "path": worst.path if worst else "",
        "rule": worst.rule if worst else "",
        "changes": len(finding.changes),
        "changed_by": finding.attribution.changed_by if finding.attribution else "",
        "digest": finding.current_digest,
    }


def _read(row: Row) -> Summary:
    finding_id = row.key.split(".", 3)[3]
    kept = {field.name: row.values[field.name] for field in fields(Summary)[2:]}
    kept |= {
        "kind": ChangeKind(kept["kind"]),
        "severity": Severity(kept["severity"]),
        "status": Status(kept["status"]),
        "evidence": Evidence(kept["evidence"]),
    }
    return Summary(finding_id, finding_id.partition(".")[0], **kept)


def _read_tally(row: Row) -> Tally:
    body = msgspec.json.decode(row.values["body"], type=list[tuple[str, str, int]])
    counts = {(status, severity): number for status, severity, number in body}
    return Tally(row.key.removeprefix(_TALLY), counts, row.etag)
