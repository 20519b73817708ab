"""What is older than a tenant keeps it goes, what is in force stays; the upkeep is left and gone on with, and what
fails in it stops nothing else and is told."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from drift import expiry, findings, upkeep
from drift.filters import Wanted
from drift.findings import page_findings
from drift.retention import FLOORS, KINDS, MOST_DAYS, Retention, check_retention
from drift.summaries import page_summaries, tallies
from drift.sweep import MOST_IN_A_ROW, send_upkeep, sweep
from drift.upkeep import BUDGET, STEPS, Upkeep, find_upkeep, keep
from errors import Invalid, Unavailable
from settings import Settings
from tenancy.access import TenantContext, serve
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tenancy.queues import Queue
from tenancy.store import Table
from tests.drift.conftest import NewTenant
from tests.drift.strikes import Strike, StruckDeployment
from tests.drift.test_data_page import PAGE
from tests.drift.test_operation_counts import counted
from tests.drift.watched import Watched

EDIT = {"/properties/allowBlobPublicAccess": True}
BACK = {"/properties/allowBlobPublicAccess": False}
NOW = datetime.now(UTC)


def test_defaults_are_within_their_floors_and_every_kind_has_one() -> None:
    check_retention(Retention())
    assert set(FLOORS) == set(KINDS)
    assert max(FLOORS, key=lambda kind: FLOORS[kind].days) == "audit"


@pytest.mark.parametrize("kind", KINDS)
def test_retention_below_its_floor_or_for_ever_is_refused(kind: str) -> None:
    floor = FLOORS[kind]
    for days in (floor.days, MOST_DAYS):
        check_retention(Retention(**{kind: days}))
    for days in (floor.days - 1, MOST_DAYS + 1, 0, -1):
        with pytest.raises(Invalid) as refused:
            check_retention(Retention(**{kind: days}))
        assert refused.value.field == f"retention.{kind}"
        assert str(floor.days) in refused.value.message


@pytest.fixture
async def lived(tenant: Watched, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """One finding that is resolved and one that is open, four scans, a day of usage, a change of the settings."""
    monkeypatch.setattr(expiry, "TREND", 1)
    await tenant.azure.edit(tenant.account("alpha")["id"], set=EDIT)
    await tenant.scan()
    await tenant.azure.edit(tenant.account("alpha")["id"], set=BACK)
    await tenant.scan()
    await tenant.azure.edit(tenant.network("net")["id"], set={"/tags/team": "blue"})
    await tenant.scan()
    await tenant.change_settings(schedule="0 6 * * *")
    context = await serve(tenant.host.deployment, TenantId(tenant.tenant_id))
    day = f"day.{date.today().isoformat()}.x"  # noqa: DTZ011 - the key of the day on which this runs
    await context.store.put(Table.USAGE, day, {"scans": 3})
    return tenant


@pytest.fixture
async def context(lived: Watched, deployment: Deployment) -> TenantContext:
    return await serve(deployment, TenantId(lived.tenant_id))


async def census(tenant: Watched) -> Counter[str]:
    """Rows by kind."""
    found: Counter[str] = Counter()
    for table, key in await tenant.rows():
        kind = key.partition(".")[0] if table in {"scan", "finding", "settings", "pack"} else ""
        if table == "configuration":
            kind = "moment" if key.startswith("m.") else "newest"
        if table == "usage":
            kind = key.partition(".")[0]
        found[f"{table} {kind}".strip()] += 1
    return found


async def kept_after(context: TenantContext, tenant: Watched, days: float) -> Counter[str]:
    at = NOW + timedelta(days=days)
    assert await keep(context, clock=lambda: at)
    return await census(tenant)


async def test_each_kind_goes_when_its_days_are_over_and_not_before(
    context: TenantContext, lived: Watched
) -> None:
    before = await census(lived)
    assert before["scan s"] == 4
    assert before["finding f"] == 2
    after = await kept_after(context, lived, 178)
    # Rows of usage are added up meanwhile.
    assert before - after <= Counter({"pack s": 9, "pack p": 9, "usage day": 9})
    before = after
    gone: dict[float, Counter[str]] = {}
    for days in (181, 366, 401, 731, 1097):
        after = await kept_after(context, lived, days)
        gone[days], before = before - after, after
    assert gone[181] == {"scan s": 3, "scan p": 3, "notice": 2}
    assert gone[366].keys() >= {"configuration moment", "configurationhistory"}
    assert gone[401].keys() == {"usage day"}
    assert gone[731] == {"finding f": 1, "finding w": 1, "finding n": 1}
    assert gone[1097].keys() == {"audit", "settings change"}
    assert after["finding f"] == after["scan s"] == after["configuration newest"] == 1
    assert after["configuration moment"] == 1
    assert after["settings settings"] == 1
    assert after["baseline"] == 1


async def test_comments_go_with_their_finding_wherever_the_upkeep_dies(
    context: TenantContext, lived: Watched, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after each of its writes: there is no finding without its comments, and no comment without its finding."""
    monkeypatch.setattr(findings, "MOST_SAID", 2)
    (finding,) = await lived.findings("?status=resolved")
    for number in range(3):
        body = {"text": f"said {number}"}
        await lived.api.request("POST", f"/api/findings/{finding['id']}/comments", body)
    cutoff = NOW + timedelta(days=1)
    struck = StruckDeployment(settings)
    store = (await serve(struck, context.tenant.tenant_id)).store
    try:
        at, seen, survived = 0, [], False
        while not survived:
            at += 1
            struck.line.order(Strike.AFTER, at)
            survived = await struck.survives(expiry.expire_findings(store, cutoff, ""))
            kinds = await census(lived)
            seen.append((kinds["finding f"], kinds["finding m"]))
    finally:
        await struck.close()
    assert set(seen) >= {(2, 2), (1, 0)}  # what does not fit, then all the rest
    assert set(seen) <= {(2, 3), (2, 2), (1, 0)}
    assert seen[-1] == (1, 0)


async def test_tenant_whose_upkeep_cannot_be_sent_holds_up_nobody(
    new_tenant: NewTenant,
    deployment: Deployment,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = sorted([(await new_tenant()).tenant_id for _ in range(2)])
    send, sent = deployment.queues.send, []

    async def refuse_the_first(queue: Queue, body: Mapping[str, Any], *, delay: int = 0) -> None:
        if body["tenant_id"] == ids[0]:
            raise Unavailable("Queue Storage does not answer.")
        sent.append(body["tenant_id"])
        await send(queue, body, delay=delay)

    monkeypatch.setattr(deployment.queues, "send", refuse_the_first)
    with pytest.raises(Unavailable):
        await send_upkeep(deployment, now=NOW)
    assert ids[1] in sent
    (line,) = [one for one in caplog.records if one.message == "upkeep not sent"]
    assert line.__dict__["tenant_id"] == ids[0]


async def test_queue_that_is_away_is_not_tried_for_every_tenant(
    new_tenant: NewTenant, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(MOST_IN_A_ROW + 1):
        await new_tenant()
    tried = []

    async def refuse(_: Queue, body: Mapping[str, Any], *, delay: int = 0) -> None:
        tried.append(body["tenant_id"])
        raise Unavailable("Queue Storage does not answer.")

    monkeypatch.setattr(deployment.queues, "send", refuse)
    with pytest.raises(Unavailable):
        await send_upkeep(deployment, now=NOW)
    assert len(tried) == len(set(tried)) == MOST_IN_A_ROW


async def test_what_is_in_force_works_when_all_else_is_gone(
    context: TenantContext, lived: Watched
) -> None:
    state = await lived.api.request("GET", "/api/resources")
    (baseline,) = await lived.api.every("/api/baselines")
    held = await lived.api.request("GET", f"/api/baselines/{baseline['id']}/resources")
    await kept_after(context, lived, 4000)
    assert await lived.api.request("GET", "/api/resources") == state
    path = f"/api/baselines/{baseline['id']}/resources"
    assert await lived.api.request("GET", path) == held
    (finding,) = await lived.findings()
    assert finding["status"] == "open"
    ((stored,), _) = await page_findings(context.store, Wanted(), after="", limit=9)
    (summary,) = (await page_summaries(context.store, Wanted(), limit=9)).found
    assert summary.finding_id == stored.finding.finding_id == finding["id"]
    counts = (await tallies(context.store))[lived.subscription_id].counts
    assert counts == {("open", stored.finding.severity): 1}
    assert (await lived.scan())["status"] == "complete"
    (scans, _) = (await lived.api.every("/api/scans"), None)
    assert len(scans) == 2


@pytest.mark.parametrize("action", ["acknowledge", "accept", "ignore"])
async def test_finding_that_somebody_decided_on_stays(
    context: TenantContext, lived: Watched, action: str
) -> None:
    (finding,) = [one for one in await lived.findings() if one["status"] == "open"]
    decided = await lived.decide(finding, action, reason="agreed")
    await kept_after(context, lived, 4000)
    assert await lived.finding() == decided


async def test_running_scan_stays_whatever_its_age(context: TenantContext, lived: Watched) -> None:
    scan_id, _ = await lived.fan_out()
    later = await lived.request_scan()
    await lived.host.take("scan-tenant")
    await kept_after(context, lived, 4000)
    assert (await lived.read_scan(scan_id))["status"] == "running"
    assert (await lived.read_scan(later))["status"] == "queued"


async def test_state_in_force_at_the_cutoff_stays(context: TenantContext, lived: Watched) -> None:
    """A year later it is still known how things were on the first day that is kept."""
    at = NOW + timedelta(days=10)
    before = await lived.api.request("GET", f"/api/resources?at={at:%Y-%m-%dT%H:%M:%SZ}")
    await kept_after(context, lived, 500)
    after = await lived.api.request("GET", f"/api/resources?at={at:%Y-%m-%dT%H:%M:%SZ}")
    assert after == before
    assert len(after["value"]) == 4


async def test_trail_says_what_was_removed(context: TenantContext, lived: Watched) -> None:
    await kept_after(context, lived, 181)
    (entry,) = await lived.api.every("/api/audit?action=data")
    assert (entry["action"], entry["target"], entry["actorName"]) == (
        "data.expire",
        "retention",
        "Azure Drift Detector",
    )
    assert (entry["detail"]["scans"], entry["detail"]["notices"]) == (3, 2)


def ticking(by: timedelta) -> Callable[[], datetime]:
    """A clock on which everything takes long."""
    at = [NOW + timedelta(days=4000)]

    def clock() -> datetime:
        at[0] += by
        return at[0]

    return clock


async def test_upkeep_is_left_when_its_time_is_over_and_gone_on_with(
    context: TenantContext, lived: Watched
) -> None:
    clock = ticking(BUDGET * 0.4)
    seen = []
    for _ in range(50):
        done = await keep(context, clock=clock)
        state = await find_upkeep(context.store)
        assert state is not None
        if done:
            break
        seen.append(state.step)
        assert await lived.host.take("keep-tenant") != []
    assert state.finished_at is not None
    assert seen == sorted(seen, key=list(STEPS).index)
    assert len(set(seen)) > 3
    after = await census(lived)
    assert (after["scan s"], after["finding f"], after["notice"]) == (1, 1, 0)
    assert state.removed["scans"] == 3


async def test_batches_are_bounded_and_come_to_the_end(
    context: TenantContext, lived: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PAGE", "SCANS"):
        monkeypatch.setattr(expiry, name, 1)
    after = await kept_after(context, lived, 4000)
    assert (after["scan s"], after["scan p"], after["notice"]) == (1, 1, 0)
    assert after["usage day"] <= 1  # what this very process counted
    assert after["audit"] == 1  # that this was done


async def plant_newer(context: TenantContext) -> Any:
    """A scan's row that only a newer version can read."""
    client = await context.deployment.tables.client(Table.SCAN)
    tenant_id = context.tenant.tenant_id
    row = {"PartitionKey": tenant_id, "RowKey": "s.9", "tenant_id": tenant_id, "_schema": 99}
    await client.upsert_entity(row)
    return client


async def test_step_that_fails_stops_no_other_and_is_told(
    context: TenantContext, lived: Watched
) -> None:
    await plant_newer(context)
    with pytest.raises(Unavailable, match="newer version"):
        await kept_after(context, lived, 4000)
    state = await find_upkeep(context.store)
    assert state is not None
    assert state.failed.keys() == {"scans"}
    after = await census(lived)
    assert (after["notice"], after["finding f"]) == (0, 1)
    assert after["usage day"] <= 1


async def sweep_and_take(tenant: Watched, deployment: Deployment) -> Counter[str]:
    """How many messages of its upkeep the sweep sends to each tenant, those of other tests too."""
    await tenant.host.prepare()
    number = await sweep(deployment, now=datetime.now(UTC))
    sent: Counter[str] = Counter()
    while bodies := await tenant.host.take("keep-tenant"):
        sent.update(json.loads(body)["tenant_id"] for body in bodies)
    assert number >= sent.total()
    await tenant.host.prepare()
    return sent


async def test_one_tenant_that_fails_stops_no_other_and_learns_of_it_once(
    context: TenantContext, lived: Watched, new_tenant: NewTenant, deployment: Deployment
) -> None:
    other = await new_tenant()
    client = await plant_newer(context)
    sent = await sweep_and_take(lived, deployment)
    for tenant_id in (lived.tenant_id, other.tenant_id):
        assert sent[tenant_id] == 1
        await lived.host.put("keep-tenant", {"version": 1, "tenant_id": tenant_id})
    errors = await lived.host.drain()
    assert {type(error) for error in errors} == {Unavailable}
    assert len(errors) == 5
    kept = await find_upkeep((await serve(deployment, TenantId(other.tenant_id))).store)
    assert kept is not None
    assert (kept.finished_at is not None, kept.failed) == (True, {})
    await upkeep.give_up(context, now=datetime.now(UTC))
    assert await lived.host.drain() == []
    told = [one["text"] for one in await lived.notices() if one["text"]]
    assert len(told) == 1
    assert "did not come to its end. scans: A row of scan was written by a newer" in told[0]
    await client.delete_entity(context.tenant.tenant_id, "s.9")


async def test_suspended_tenant_keeps_everything(
    lived: Watched, operator: Any, deployment: Deployment
) -> None:
    await operator.request("POST", f"/api/tenants/{lived.tenant_id}/suspend")
    before = await lived.etags()
    assert (await sweep_and_take(lived, deployment))[lived.tenant_id] == 0
    message = {"version": 1, "tenant_id": lived.tenant_id}
    await lived.host.put("keep-tenant", message)
    await lived.host.drain()
    after = await lived.etags()
    assert after == before


async def test_quiet_night_costs_what_the_page_says(context: TenantContext, lived: Watched) -> None:
    assert await keep(context, clock=lambda: NOW)
    with counted() as operations:
        assert await keep(context, clock=lambda: NOW)
    assert operations.counts.keys() == {"table"}
    said = re.search(r"about (\d+) operations of Table Storage a night", PAGE)
    assert said
    assert abs(operations.counts["table"] - int(said[1])) <= 3


async def test_step_goes_on_where_it_was_left(context: TenantContext, lived: Watched) -> None:
    at = NOW + timedelta(days=4000)
    first, *rest = sorted(await lived.rows("configurationhistory"))
    assert rest
    await upkeep._save(context.store, Upkeep(at, step="changes", after=first[1]))
    assert await keep(context, clock=lambda: at)
    assert list(await lived.rows("configurationhistory")) == [first]
    assert await keep(context, clock=lambda: at)  # the next one begins at the beginning
    assert list(await lived.rows("configurationhistory")) == []
