"""Lists of many findings read what they show, and where no key helps one page more; they say how far they looked."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from drift.decisions import decide
from drift.engine import findings as life
from drift.engine.findings import UNSETTLED, Status
from drift.engine.model import Severity
from drift.filters import Summary, Wanted
from drift.findings import get_finding
from drift.summaries import PAGE, Order, page_summaries
from tenancy.access import TenantContext, serve
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tenancy.rows import Row
from tenancy.store import Table, TenantStore
from tests.api.many import incident_of, seed_many

COUNT, SHOWN = 520, 50
OTHER = str(uuid.UUID(int=2))


class Counting(TenantStore):
    """Counts the rows that it is answered."""

    read = 0

    async def page(self, table: Table, **asked: Any) -> tuple[list[Row], str]:
        rows, cursor = await super().page(table, **asked)
        self.read += len(rows) + bool(cursor)
        return rows, cursor


@pytest.fixture(scope="module")
async def context(operator: Any, new_organisation: Any, deployment: Deployment) -> TenantContext:
    """520 findings in one subscription, three in another."""
    organisation = await new_organisation()
    tenant = await operator.request("POST", "/api/tenants", organisation.tenant_body())
    made = await serve(deployment, TenantId(tenant["id"]))
    await seed_many(made, str(uuid.UUID(int=1)), COUNT)
    await seed_many(made, OTHER, 3)
    return replace(made, store=Counting(deployment.tables, made.tenant.tenant_id))


@pytest.fixture
async def walk(context: TenantContext) -> Callable[..., Awaitable[list[Summary]]]:
    """The whole list, page by page, none of which reads more than it shows and one page."""

    async def pages(
        wanted: Wanted, order: Order = Order.WORST, *, searching: bool = False
    ) -> list[Summary]:
        found: list[Summary] = []
        store, cursor, more = context.store, "", True
        assert isinstance(store, Counting)
        while more:
            store.read = 0
            page = await page_summaries(store, wanted, order=order, after=cursor, limit=SHOWN)
            looked = PAGE if searching or wanted.by_words else 0
            assert store.read <= looked + SHOWN + 3  # what shows whether there is more
            assert page.searched <= store.read
            found += page.found
            cursor, more = page.cursor, bool(page.cursor)
        return found

    return pages


def names(found: Sequence[Summary]) -> list[int]:
    return [int(one.resource_id.rpartition("account")[2]) for one in found]


async def test_worst_first_goes_through_all_once(walk: Any) -> None:
    found = await walk(Wanted(statuses=UNSETTLED))
    assert len(found) == len({one.finding_id for one in found}) == COUNT + 3
    ranks = [one.severity.rank for one in found]
    assert ranks == sorted(ranks, reverse=True)


async def test_newest_first_goes_by_the_last_change(walk: Any) -> None:
    found = await walk(Wanted(statuses=UNSETTLED), Order.NEWEST)
    assert len(found) == COUNT + 3
    times = [one.last_seen for one in found]
    assert times == sorted(times, reverse=True)


async def test_newest_first_reads_no_further_than_the_time_asked_for(
    context: TenantContext, walk: Any
) -> None:
    since = datetime.now(UTC) - timedelta(minutes=100, seconds=30)
    found = await walk(Wanted(statuses=UNSETTLED, since=since), Order.NEWEST)
    assert {one.last_seen >= since for one in found} == {True}
    assert 100 <= len(found) <= 105


async def test_severity_and_subscription_are_found_by_their_keys(
    context: TenantContext, walk: Any
) -> None:
    low = await walk(Wanted(severities=frozenset({Severity.LOW})))
    assert len(low) == COUNT // 5
    store = context.store
    assert isinstance(store, Counting)
    store.read = 0
    wanted = Wanted(statuses=UNSETTLED, subscription_id=OTHER)
    other = await page_summaries(store, wanted, limit=SHOWN)
    assert sorted(names(other.found)) == [0, 1, 2]
    assert store.read == 3


async def test_words_are_looked_for_a_page_at_a_time(context: TenantContext, walk: Any) -> None:
    page = await page_summaries(context.store, Wanted(text="account519"), limit=SHOWN)
    assert (page.found, page.searched) == ((), PAGE)
    assert page.cursor
    assert names(await walk(Wanted(text="account519"))) == [519]
    assert len(await walk(Wanted(group="rg3"))) == COUNT // 10
    third = Wanted(incident=incident_of(30))
    assert sorted(names(await walk(third))) == [30, 31, 32]
    assert sorted(names(await walk(third, Order.NEWEST))) == [30, 31, 32]
    assert await walk(Wanted(text="nothing like this")) == []
    assert len(await walk(Wanted(text="account", severities=frozenset({Severity.HIGH})))) == 105


async def test_decided_findings_stand_in_lists_of_their_own(
    context: TenantContext, walk: Any
) -> None:
    first, second = (await walk(Wanted(subscription_id=OTHER)))[:2]
    now = datetime.now(UTC)
    for one, decision in (
        (first, partial(life.accept, until=now + timedelta(days=1))),
        (second, life.ignore),
    ):
        etag = (await get_finding(context.store, one.finding_id)).etag
        await decide(context, one.finding_id, decision, etag=etag, reason="agreed", now=now)
    (accepted,) = await walk(Wanted(statuses=frozenset({Status.ACCEPTED})))
    assert (accepted.finding_id, accepted.reason) == (first.finding_id, "agreed")
    assert accepted.accepted_until == now + timedelta(days=1)
    (ignored,) = await walk(Wanted(statuses=frozenset({Status.IGNORED})))
    assert ignored.finding_id == second.finding_id
    for order in Order:
        left = Wanted(statuses=UNSETTLED, subscription_id=OTHER)
        assert len(await walk(left, order, searching=True)) == 1
        acknowledged = replace(left, statuses=frozenset({Status.ACKNOWLEDGED}))
        assert await walk(acknowledged, order, searching=True) == []
