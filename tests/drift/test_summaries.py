"""Lists and counts of findings: always what the findings say, in the order in which people work, a page at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drift.decisions import decide_seen
from drift.engine import findings as life
from drift.engine.findings import Status
from drift.engine.model import Severity
from drift.filters import Wanted
from drift.findings import Transition, commit, get_finding, page_findings
from drift.standing import State, get_overview
from drift.summaries import Order, page_summaries, read_tally, tallies
from errors import Stale
from tenancy.access import TenantContext, serve
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tenancy.store import Table
from tests.drift.watched import Watched

EDIT = {"/properties/allowBlobPublicAccess": True}


@pytest.fixture
async def context(tenant: Watched, deployment: Deployment) -> TenantContext:
    """Three findings in the one subscription: high, medium and informational or so."""
    await tenant.azure.edit(tenant.account("alpha")["id"], set=EDIT)
    await tenant.azure.edit(tenant.network("net")["id"], set={"/tags/team": "blue"})
    await tenant.add(tenant.account("beta"))
    await tenant.scan()
    return await serve(deployment, TenantId(tenant.tenant_id))


async def counted(context: TenantContext) -> dict[tuple[str, str], int]:
    """What the findings themselves say."""
    stored, _ = await page_findings(context.store, Wanted(), after="", limit=100)
    found: dict[tuple[str, str], int] = {}
    for item in stored:
        cell = (item.finding.status.value, item.finding.severity.value)
        found[cell] = found.get(cell, 0) + 1
    return found


async def agrees(context: TenantContext, tenant: Watched) -> bool:
    tally = (await tallies(context.store))[tenant.subscription_id]
    listed = await page_summaries(context.store, Wanted(), limit=100)
    newest = await page_summaries(context.store, Wanted(), order=Order.NEWEST, limit=100)
    stored, _ = await page_findings(context.store, Wanted(), after="", limit=100)
    same = {(one.finding_id, one.status, one.severity, one.digest) for one in listed.found} == {
        (s.finding.finding_id, s.finding.status, s.finding.severity, s.finding.current_digest)
        for s in stored
    }
    both = set(listed.found) == set(newest.found) and not listed.cursor + newest.cursor
    return same and both and dict(tally.counts) == await counted(context)


async def test_counts_and_list_follow_scans_and_decisions(
    context: TenantContext, tenant: Watched
) -> None:
    assert await agrees(context, tenant)
    assert sum((await counted(context)).values()) == 3
    first, *_ = await tenant.findings("?status=open")
    accepted = await tenant.decide(first, "accept", reason="agreed")
    assert await agrees(context, tenant)
    await tenant.decide(accepted, "reopen", reason="not so")
    assert await agrees(context, tenant)
    await tenant.azure.edit(tenant.account("alpha")["id"], set={**EDIT, next(iter(EDIT)): False})
    await tenant.scan()
    assert await agrees(context, tenant)
    assert Status.RESOLVED in {one["status"] for one in await tenant.findings()}


async def test_a_subscription_without_counts_is_counted_once(
    context: TenantContext, tenant: Watched
) -> None:
    await context.store.delete(Table.FINDING, f"c.{tenant.subscription_id}")
    assert await tallies(context.store) == {}
    assert dict((await read_tally(context.store, tenant.subscription_id)).counts) == await counted(
        context
    )
    first, *_ = await tenant.findings("?status=open")
    await tenant.decide(first, "acknowledge")
    assert await agrees(context, tenant)


async def test_worst_comes_first_and_pages_follow_each_other(context: TenantContext) -> None:
    listed = await page_summaries(context.store, Wanted(), limit=100)
    every = list(listed.found)
    assert listed.cursor == ""
    ranks = [one.severity.rank for one in every]
    assert ranks == sorted(ranks, reverse=True)
    assert len(set(ranks)) > 1
    paged, cursor = [], ""
    while True:
        page = await page_summaries(context.store, Wanted(), after=cursor, limit=1)
        paged += page.found
        cursor = page.cursor
        if not cursor:
            break
    assert paged == every


async def test_filters_narrow_the_list(context: TenantContext) -> None:
    async def names(**members: Any) -> set[str]:
        listed = await page_summaries(context.store, Wanted(**members), limit=100)
        return {one.resource_id.rpartition("/")[2] for one in listed.found}

    assert await names(text="alpha") == {"alpha"}
    assert await names(text="team") == {"net"}
    assert await names(resource_type="microsoft.storage/storageaccounts") == {"alpha", "beta"}
    assert await names(group="shop") == {"alpha", "beta", "net"}
    assert await names(group="sho") == set()
    assert await names(statuses=frozenset({Status.RESOLVED})) == set()
    assert await names(since=datetime.now(UTC) + timedelta(days=1)) == set()
    severe = Wanted(severities=frozenset({Severity.HIGH}))
    high = await page_summaries(context.store, severe, limit=100)
    assert {one.severity for one in high.found} == {Severity.HIGH}


async def test_summaries_of_an_older_form_are_made_anew_once(
    context: TenantContext, tenant: Watched
) -> None:
    """As a version before has left them: other keys, one order, and counts that do not say their form."""
    store = context.store
    every = (await page_summaries(store, Wanted(), limit=100)).found
    for one in [row.key async for row in store.rows(Table.FINDING)]:
        if one.startswith(("w.", "n.")):
            await store.delete(Table.FINDING, one)
    for one in every:
        await store.put(Table.FINDING, f"i.0.1.{one.finding_id}", {"status": "open"})
    counts = await store.get(Table.FINDING, f"c.{tenant.subscription_id}")
    del counts.values["form"]
    await store.put(Table.FINDING, counts.key, counts.values)
    assert (await page_summaries(store, Wanted(), limit=100)).found == ()
    assert await agrees(context, tenant)
    assert (await page_summaries(store, Wanted(), limit=100)).found == every
    assert [row.key async for row in store.rows(Table.FINDING, prefix="i.")] == []
    etag = (await store.get(Table.FINDING, counts.key)).etag
    await tallies(store)
    assert (await store.get(Table.FINDING, counts.key)).etag == etag


async def test_a_decision_about_an_older_form_brings_it_up_to_date(
    context: TenantContext, tenant: Watched
) -> None:
    counts = await context.store.get(Table.FINDING, f"c.{tenant.subscription_id}")
    await context.store.put(Table.FINDING, counts.key, {**counts.values, "form": 1, "body": b"[]"})
    first, *_ = await tenant.findings("?status=open")
    await tenant.decide(first, "accept", reason="agreed")
    assert await agrees(context, tenant)


async def test_a_decision_from_a_list_is_about_the_value_that_it_showed(
    context: TenantContext, tenant: Watched
) -> None:
    wanted = Wanted(text="alpha")
    (seen,) = (await page_summaries(context.store, wanted, limit=10)).found
    now = datetime.now(UTC)
    with pytest.raises(Stale):
        await decide_seen(
            context, seen.finding_id, life.accept, digest="0" * 32, reason="agreed", now=now
        )
    await decide_seen(
        context, seen.finding_id, life.accept, digest=seen.digest, reason="agreed", now=now
    )
    stored = await get_finding(context.store, seen.finding_id)
    assert stored.finding.status is Status.ACCEPTED
    assert await agrees(context, tenant)


async def test_everything_of_a_transaction_or_nothing(
    context: TenantContext, tenant: Watched
) -> None:
    """A finding that somebody else changed meanwhile leaves list and counts as they were."""
    (seen,) = (await page_summaries(context.store, Wanted(text="alpha"), limit=10)).found
    stored = await get_finding(context.store, seen.finding_id)
    accepted = life.accept(stored.finding, who="Ada", now=datetime.now(UTC), reason="agreed")
    etag = "W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\""
    with pytest.raises(Stale):
        await commit(
            context.store,
            tenant.subscription_id,
            "scan",
            [Transition(accepted, etag, None, stored.finding)],
        )
    assert await agrees(context, tenant)


async def test_overview_says_how_each_subscription_stands(
    context: TenantContext, tenant: Watched
) -> None:
    now = datetime.now(UTC)

    async def state() -> tuple[State, int]:
        overview = await get_overview(context.store, context.tenant, now=now)
        (standing,) = overview.standings
        return standing.state, standing.findings

    assert await state() == (State.DRIFTED, 3)
    for finding in await tenant.findings("?status=open"):
        await tenant.decide(finding, "accept", reason="agreed")
    assert await state() == (State.IN_SYNC, 0)
    await tenant.put_subscription(readers=[])
    await tenant.scan()
    assert (await state())[0] is State.UNKNOWN


async def test_what_was_not_read_when_due_is_unknown(
    context: TenantContext, tenant: Watched
) -> None:
    for finding in await tenant.findings("?status=open"):
        await tenant.decide(finding, "accept", reason="agreed")
    await tenant.change_settings(schedule="0 * * * *")
    hourly = (await serve(context.deployment, context.tenant.tenant_id)).tenant
    now = datetime.now(UTC)
    fresh = await get_overview(context.store, hourly, now=now)
    late = await get_overview(context.store, hourly, now=now + timedelta(hours=4))
    assert [one.state for one in fresh.standings] == [State.IN_SYNC]
    assert [one.state for one in late.standings] == [State.UNKNOWN]
    assert late.covered == 0


async def test_a_new_tenant_was_never_scanned(new_tenant: Any, deployment: Deployment) -> None:
    made = await new_tenant()
    await made.api.request("POST", "/api/subscriptions/refresh")
    context = await serve(deployment, TenantId(made.tenant_id))
    overview = await get_overview(context.store, context.tenant, now=datetime.now(UTC))
    assert [one.state for one in overview.standings] == [State.NEVER_SCANNED]
    assert overview.oldest_reading is None
    assert overview.trend == ()
