"""What a report of a tenant is made of: how everything stands, what was found, what was decided, what is unknown."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime

from drift.engine.findings import Status
from drift.engine.model import Severity
from drift.entries import About, Entry, Scope, entry_of
from drift.exports import KINDS
from drift.filters import Wanted
from drift.findings import every_finding
from drift.standing import Overview, Standing, State, get_overview
from tenancy.access import TenantContext

PIECE = 256 * 1024  # bytes of an export that are sent at once
MOST_LISTED = 500  # findings in each list of a report, the worst of them; exports have all


@dataclass(slots=True)
class Worst:
    """The worst of many, a bounded number of them, and how many there were."""

    most: int = MOST_LISTED
    total: int = 0
    _kept: list[tuple[int, int, Entry]] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        self.total += 1
        item = (entry.severity.rank, -self.total, entry)  # of equals the first
        if len(self._kept) < self.most:
            heapq.heappush(self._kept, item)
        else:
            heapq.heappushpop(self._kept, item)

    def __iter__(self) -> Iterator[Entry]:
        return (entry for *_, entry in sorted(self._kept, key=lambda one: one[:2], reverse=True))

    @property
    def left_out(self) -> int:
        return self.total - len(self._kept)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What else is to be said of two files."""

    unchanged: int
    quiet: int  # differ, and are ignored by a rule or explained
    skipped: int


@dataclass(frozen=True, slots=True)
class Report:
    """A tenant's report has an overview, one of two files a comparison."""

    about: About
    open: Worst
    accepted: Worst
    severities: Mapping[str, int]  # of what is to be dealt with
    overview: Overview | None = None
    comparison: Comparison | None = None


async def make_report(context: TenantContext, *, now: datetime) -> Report:
    """Reads every finding once and keeps the worst. Those of subscriptions that nobody watches are left out."""
    overview = await get_overview(context.store, context.tenant, now=now)
    about = _about(context, overview.standings, Wanted(), now)
    watched = {one.subscription_id for one in about.scopes if one.state != State.PAUSED}
    report = Report(about, Worst(), Worst(), overview.severities, overview)
    async for finding in every_finding(context.store, Wanted()):
        if finding.subscription_id in watched:
            _sort_in(report, entry_of(finding))
    return report


def report_of_files(
    about: About,
    entries: Iterable[Entry],
    severities: Mapping[Severity, int],
    comparison: Comparison,
) -> Report:
    """The same of what two files differ in."""
    counts = {severity.value: number for severity, number in severities.items()}
    report = Report(about, Worst(), Worst(), counts, comparison=comparison)
    for entry in entries:
        _sort_in(report, entry)
    return report


def _sort_in(report: Report, entry: Entry) -> None:
    if entry.unsettled:
        report.open.add(entry)
    elif entry.status is Status.ACCEPTED:
        report.accepted.add(entry)


async def about_tenant(context: TenantContext, wanted: Wanted, *, now: datetime) -> About:
    """What an export of a tenant's findings is about: what of it is unknown above all."""
    overview = await get_overview(context.store, context.tenant, now=now)
    return _about(context, overview.standings, wanted, now)


async def export(
    context: TenantContext, kind: str, about: About, wanted: Wanted
) -> AsyncIterator[bytes]:
    """A file with all findings that pass, in pieces; a page of storage and a piece are in memory at a time."""
    form = KINDS[kind].form(about)
    piece = bytearray(form.head())
    async for finding in every_finding(context.store, wanted):
        piece += form.add(entry_of(finding))
        if len(piece) >= PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece) + form.tail()


def _about(
    context: TenantContext, standings: Iterable[Standing], wanted: Wanted, now: datetime
) -> About:
    scopes = tuple(
        Scope(
            one.subscription.subscription_id,
            one.subscription.name or one.subscription.subscription_id,
            one.state.value,
            one.reason,
            one.read_at,
        )
        for one in standings
        if wanted.subscription_id in {"", one.subscription.subscription_id}
    )
    if not scopes:  # none at all, or none of that id: whose it may be is not said
        scopes = (
            Scope(
                "", "no subscription", State.UNKNOWN.value, "No such subscription is known here."
            ),
        )
        wanted = replace(wanted, subscription_id="")
    tenant = context.tenant
    return About(tenant.name, now, tenant.tenant_id, scopes, tuple(_filters(wanted)))


def _filters(wanted: Wanted) -> Iterator[tuple[str, str]]:
    """What was asked for, in the words of the API's parameters."""
    names = {"subscription_id": "subscription", "resource_type": "type"}
    names |= {"statuses": "status", "severities": "severity"}
    for one in fields(wanted):
        value = getattr(wanted, one.name)
        if isinstance(value, frozenset):
            value = ",".join(sorted(value))
        elif isinstance(value, datetime):
            value = value.isoformat()
        if value:
            yield names.get(one.name, one.name), value
