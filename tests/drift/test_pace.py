"""Resource Graph's quota: obeyed, shared between instances, and no more than a hint. I13 I19, fault 18."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from drift.arm import open_arm
from drift.collect import SubscriptionReader
from drift.pace import LONGEST_WAIT, ROW, Pace, read_span
from settings import Settings
from tenancy.access import serve
from tenancy.deployment import Deployment
from tenancy.store import Table
from tests.drift.test_operation_counts import counted

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = NOON
        self.slept = []

    def clock(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


def quota(left, resets_after):
    return {
        "x-ms-user-quota-remaining": str(left),
        "x-ms-user-quota-resets-after": resets_after,
    }


@pytest.fixture
def time():
    return Time()


async def test_who_has_queries_left_does_not_wait(time):
    pace = Pace(None, time.clock, time.sleep)
    for left in (14, 1):
        await pace.note(quota(left, "00:00:05"))
        await pace.wait()
    assert time.slept == []


async def test_who_has_none_left_waits_once_until_the_count_begins_anew(time):
    pace = Pace(None, time.clock, time.sleep)
    await pace.note(quota(0, "00:00:04"))
    await pace.wait()
    await pace.wait()
    assert len(time.slept) == 1
    assert 4 <= time.slept[0] <= 4.5


@pytest.mark.parametrize(
    "headers", [{}, quota("", ""), quota("x", "00:00:04"), quota(0, "soon"), quota(-1, "00:00:04")]
)
async def test_odd_headers_say_nothing(time, headers):
    pace = Pace(None, time.clock, time.sleep)
    await pace.note(headers)
    await pace.wait()
    assert time.slept == []


async def test_absurd_reset_is_cut(time):
    pace = Pace(None, time.clock, time.sleep)
    await pace.note(quota(0, "99:00:00"))
    await pace.wait()
    assert LONGEST_WAIT <= time.slept[0] <= LONGEST_WAIT + 0.5


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:00:03", 3), ("01:02:03.5", 3723.5), ("3", None), ("00:00:", None), ("-1:00:00", None)],
)
def test_span_is_read(text, seconds):
    assert read_span(text) == seconds


@pytest.fixture
async def store(tenant):
    return (await serve(tenant.host.deployment, tenant.tenant_id)).store


async def test_instance_that_begins_meanwhile_waits_too(store, time):
    await Pace(store, time.clock, time.sleep).note(quota(0, "00:00:04"))
    time.now += timedelta(seconds=1)
    await Pace(store, time.clock, time.sleep).wait()
    assert 3 <= time.slept[0] <= 3.5
    await Pace(store, time.clock, time.sleep).wait()
    assert len(time.slept) == 1  # the count began anew


async def test_wait_of_one_tenant_is_none_of_another(store, new_tenant, time):
    """I13: each tenant has its own identity, and its own row."""
    new = await new_tenant()
    other = (await serve(new.host.deployment, new.tenant_id)).store
    await Pace(store, time.clock, time.sleep).note(quota(0, "00:00:04"))
    await Pace(other, time.clock, time.sleep).wait()
    assert time.slept == []


async def test_row_that_a_wrong_clock_wrote_costs_a_minute_at_most(store, time):
    """I12, fault 34."""
    await store.put(Table.SUBSCRIPTION, ROW, {"resumes_at": NOON + timedelta(hours=1)})
    await Pace(store, time.clock, time.sleep).wait()
    assert LONGEST_WAIT <= time.slept[0] <= LONGEST_WAIT + 0.5


async def test_row_is_read_once_while_there_is_plenty(store, time):
    pace = Pace(store, time.clock, time.sleep)
    await pace.note(quota(14, "00:00:05"))
    await pace.wait()
    await store.put(Table.SUBSCRIPTION, ROW, {"resumes_at": NOON + timedelta(seconds=20)})
    await pace.wait()
    assert time.slept == []
    await pace.note(quota(2, "00:00:05"))  # others read, too
    await pace.wait()
    assert 20 <= time.slept[0] <= 20.5


class Quota:
    """Azure's count of an identity's queries, which begins anew every 5 seconds of the clock."""

    def __init__(self, time, most=15):
        self._time, self._most = time, most
        self._anew, self._left = time.now, 0
        self.refused = 0

    def take(self):
        """The headers of the answer to one more query."""
        if self._time.now >= self._anew:
            self._anew, self._left = self._time.now + timedelta(seconds=5), self._most
        self.refused += not self._left
        self._left = max(0, self._left - 1)
        return quota(self._left, f"00:00:{(self._anew - self._time.now).total_seconds():06.3f}")


async def pace_rows(tenant):
    return [key for table, key in await tenant.rows("subscription") if key == ROW]


async def test_who_reads_alone_reads_and_writes_the_row_no_more_than_once(tenant, store, time):
    """A hundred pages cost no more of storage than one, and nearly all of Azure's quota is used."""
    allowed, pace = Quota(time), Pace(store, time.clock, time.sleep)
    with counted() as operations:
        for _ in range(105):
            await pace.wait()
            await pace.note(allowed.take())
    assert operations.counts == {"table": 1}
    assert await pace_rows(tenant) == []
    assert allowed.refused == 0
    assert len(time.slept) == 105 // 14


@pytest.mark.parametrize(
    ("counts", "waits"),
    [
        ((3, 2, 1), True),  # its own queries alone: the last one is for whoever begins meanwhile
        ((3, 1), False),  # somebody else took one
        ((9, 7, 6, 5, 4, 3, 2, 1), False),  # a moment ago
        ((2, 14, 13, 12, 1), False),  # somebody came
        ((3, 2, 14, 13, 12, 11, 1), False),
        ((1,), False),  # nobody knows yet
        ((2, 14, 1), False),  # a count that began anew says nothing
    ],
    ids=str,
)
async def test_last_query_is_left_by_who_reads_alone(time, counts, waits):
    pace = Pace(None, time.clock, time.sleep)
    for left in counts:
        await pace.note(quota(left, "00:00:04"))
    await pace.wait()
    assert bool(time.slept) is waits


@pytest.mark.parametrize(("seconds", "waits"), [(29, False), (30, True)])
async def test_who_saw_nobody_for_a_while_reads_alone(time, seconds, waits):
    pace = Pace(None, time.clock, time.sleep)
    for left in (9, 7):
        await pace.note(quota(left, "00:00:04"))
    time.now += timedelta(seconds=seconds)
    for left in range(14, 0, -1):
        await pace.note(quota(left, "00:00:04"))
    await pace.wait()
    assert bool(time.slept) is waits


async def test_who_begins_beside_one_that_reads_alone_is_not_refused(tenant, store, time):
    allowed = Quota(time)
    first, second = (Pace(store, time.clock, time.sleep) for _ in range(2))
    for _ in range(14):
        await first.wait()
        await first.note(allowed.take())
    for turn in range(60):
        for pace in (first, second) if turn % 2 else (second, first):
            await pace.wait()
            await pace.note(allowed.take())
    assert allowed.refused == 0
    assert await pace_rows(tenant) == [ROW]  # from then on both say when none is left


async def test_second_instance_is_not_refused(tenant, settings: Settings):
    """With the real clients: what one instance used up, another one that begins then does not ask for."""
    await tenant.azure.settings(quota=1)
    second = Deployment(settings)
    try:
        for deployment in (tenant.host.deployment, second):
            context = await serve(deployment, tenant.tenant_id)
            arm = open_arm(context, await context.credential())
            reader = SubscriptionReader(arm, tenant.subscription_id, Pace(context.store))
            if deployment is second:
                await tenant.azure.clear_requests()
            async for _ in reader.query("resources | project id | order by id asc"):
                pass
        log = (await tenant.azure.requests())["log"]
        assert [one["status"] for one in log if one["kind"] == "graph"] == [200]
    finally:
        await second.close()
