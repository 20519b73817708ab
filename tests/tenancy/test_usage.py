"""What is counted of a tenant: in blocks, by day, by each process for itself, and never twice."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from errors import DriftError, NotFound, Stale, Throttled, Unavailable
from tenancy import usage as module
from tenancy.access import TenantContext, meter
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tenancy.principal import Principal
from tenancy.rows import Value
from tenancy.store import Operation, Table, Tables, TenantStore
from tenancy.usage import BLOCK, EVERY, Count, Day, Level, Usage, merge_days, read_days, sum_days

TODAY = date(2026, 11, 27)
YESTERDAY = TODAY - timedelta(days=1)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def rows(store: TenantStore) -> list[str]:
    return [row.key async for row in store.rows(Table.USAGE, prefix="day.")]


async def test_calls_are_written_when_a_block_is_full(store: TenantStore, clock: Clock) -> None:
    usage = Usage(clock)
    for _ in range(BLOCK - 1):
        await usage.call(store)
    assert await rows(store) == []
    await usage.call(store)
    assert await read_days(store, TODAY, TODAY) == [Day(TODAY, api_calls=BLOCK)]
    for _ in range(BLOCK):
        await usage.call(store)
    assert await read_days(store, TODAY, TODAY) == [Day(TODAY, api_calls=2 * BLOCK)]
    assert len(await rows(store)) == 1


async def test_few_calls_are_written_by_the_next_one_that_comes_late(
    store: TenantStore, clock: Clock
) -> None:
    usage = Usage(clock)
    await usage.call(store)
    clock.pass_(seconds=EVERY - 1)
    await usage.call(store)
    assert await rows(store) == []
    clock.pass_(seconds=1)
    await usage.call(store)
    assert await read_days(store, TODAY, TODAY) == [Day(TODAY, api_calls=3)]
    clock.pass_(seconds=EVERY)
    await usage.call(store)  # the first that waits, and it has not waited yet
    assert await read_days(store, TODAY, TODAY) == [Day(TODAY, api_calls=3)]


async def test_processes_do_not_meet_and_are_added_up(store: TenantStore, clock: Clock) -> None:
    for calls, resources in ((2, 40), (3, 30)):
        usage = Usage(clock)
        usage.add(store.tenant_id, Count.ARM_CALLS, calls)
        usage.note(store.tenant_id, Level.RESOURCES, resources)
        await usage.write(store)
        await usage.write(store)  # once more is not twice as much
    assert await read_days(store, TODAY, TODAY) == [Day(TODAY, arm_calls=5, resources=40)]
    assert len(await rows(store)) == 2


async def test_tenants_are_counted_apart(tables: Tables, clock: Clock) -> None:
    stores = [TenantStore(tables, TenantId(str(uuid.uuid4()))) for _ in range(2)]
    usage = Usage(clock)
    for number, store in enumerate(stores, 1):
        usage.add(store.tenant_id, Count.SCANS, number)
    await usage.write(stores[0])
    assert [await read_days(store, TODAY, TODAY) for store in stores] == [[Day(TODAY, scans=1)], []]
    await usage.write(stores[1])
    assert await read_days(stores[1], TODAY, TODAY) == [Day(TODAY, scans=2)]


async def test_days_are_counted_apart_and_the_old_one_is_not_lost(
    store: TenantStore, clock: Clock
) -> None:
    usage = Usage(clock)
    usage.add(store.tenant_id, Count.NOTICES)
    clock.pass_(days=1)
    usage.add(store.tenant_id, Count.NOTICES, 2)
    await usage.write(store)
    tomorrow = TODAY + timedelta(days=1)
    assert await read_days(store, TODAY, tomorrow) == [
        Day(TODAY, notices=1),
        Day(tomorrow, notices=2),
    ]
    assert await read_days(store, tomorrow, tomorrow) == [Day(tomorrow, notices=2)]
    assert await read_days(store, YESTERDAY, TODAY) == [Day(TODAY, notices=1)]


class Down:
    """A store of a tenant whose storage does not answer."""

    def __init__(self, tenant_id: TenantId, error: DriftError) -> None:
        self.tenant_id = tenant_id
        self._error = error

    async def put(self, *_: object) -> None:
        raise self._error


@pytest.mark.parametrize("error", [Unavailable("down"), Throttled("busy", retry_after=60)])
async def test_storage_that_does_not_answer_loses_nothing(
    store: TenantStore, clock: Clock, caplog: pytest.LogCaptureFixture, error: DriftError
) -> None:
    usage, down = Usage(clock), Down(store.tenant_id, error)
    usage.add(store.tenant_id, Count.SCANS, 4)
    for _ in range(2):
        await usage.write(down)
    told = [one for one in caplog.records if one.name == "tenancy.usage"]
    assert [(one.message, vars(one)["tenant_id"]) for one in told] == [
        ("usage not written", store.tenant_id)
    ] * 2
    await usage.write(store)
    assert await read_days(store, TODAY, TODAY) == [Day(TODAY, scans=4)]


async def test_nothing_is_written_of_a_tenant_that_is_closed(
    store: TenantStore, clock: Clock
) -> None:
    usage = Usage(clock)
    usage.add(store.tenant_id, Count.SCANS)
    for _ in range(2):
        usage.forget(store.tenant_id)
    await usage.write(store)
    assert await rows(store) == []


async def test_past_days_become_one_row_with_the_same_sum(store: TenantStore, clock: Clock) -> None:
    for _ in range(3):
        usage = Usage(clock)
        usage.add(store.tenant_id, Count.SCANS, 2)
        usage.note(store.tenant_id, Level.STORED_BYTES, 5_000_000_000)
        await usage.write(store)
    expected = [Day(TODAY, scans=6, stored_bytes=5_000_000_000)]
    await merge_days(store, today=TODAY + timedelta(days=1))
    assert len(await rows(store)) == 3  # somebody may be writing still
    await merge_days(store, today=TODAY + timedelta(days=2))
    assert len(await rows(store)) == 1
    assert await read_days(store, TODAY, TODAY) == expected
    late = Usage(clock)
    late.add(store.tenant_id, Count.SCANS)
    await late.write(store)
    await merge_days(store, today=TODAY + timedelta(days=2))
    await merge_days(store, today=TODAY + timedelta(days=3))
    assert len(await rows(store)) == 1
    assert await read_days(store, TODAY, TODAY) == [Day(TODAY, scans=7, stored_bytes=5_000_000_000)]


class Between:
    """A store in which something happens between the reading of rows and the transaction that replaces them."""

    def __init__(self, store: TenantStore, act: Callable[[], Awaitable[object]]) -> None:
        self.rows = store.rows
        self._store, self._act = store, act

    async def transact(self, table: Table, operations: list[Operation]) -> None:
        await self._act()
        await self._store.transact(table, operations)


@pytest.mark.parametrize("written", ["late", "all"])
async def test_row_that_is_written_while_days_are_added_up_is_not_lost(
    store: TenantStore, written: str
) -> None:
    for name in ("all", "late"):
        await store.put(Table.USAGE, f"day.2026-11-25.{name}", {"scans": 1})

    async def write() -> None:
        await store.put(Table.USAGE, f"day.2026-11-25.{written}", {"scans": 5})

    with pytest.raises(Stale):
        await merge_days(Between(store, write), today=TODAY)
    await merge_days(store, today=TODAY)
    assert await rows(store) == ["day.2026-11-25.all"]
    day = date(2026, 11, 25)
    assert await read_days(store, day, day) == [Day(day, scans=6)]


async def test_more_rows_than_a_transaction_takes_are_added_up_by_and_by(
    store: TenantStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_MERGED", 2)
    day = date(2026, 11, 25)
    for number in range(6):
        values: dict[str, Value] = {"scans": 10**number, "resources": number}
        await store.put(Table.USAGE, f"day.{day}.{number}", values)
    left = []
    for _ in range(4):
        await merge_days(store, today=TODAY)
        left.append(len(await rows(store)))
        assert await read_days(store, day, day) == [Day(day, scans=111_111, resources=5)]
    assert left == [5, 3, 1, 1]


async def test_day_of_one_row_and_what_is_no_day_are_left(store: TenantStore) -> None:
    await store.put(Table.USAGE, "rate.ada", {"window": 1, "taken": 2})
    await store.put(Table.USAGE, "day.2026-11-25.some", {"scans": 1})
    await merge_days(store, today=TODAY)
    assert await rows(store) == ["day.2026-11-25.some"]
    assert (await store.get(Table.USAGE, "rate.ada")).values == {"window": 1, "taken": 2}
    day = date(2026, 11, 25)
    assert await read_days(store, day, TODAY) == [Day(day, scans=1)]


def test_days_that_are_none_add_up_to_nothing() -> None:
    assert sum_days([], TODAY) == Day(TODAY)


class Kept:
    """A store that notes what it is given."""

    def __init__(self, act: Callable[[], None] = lambda: None) -> None:
        self.tenant_id = TenantId("t")
        self.written: list[dict[str, int]] = []
        self.keys: list[str] = []
        self._act = act

    async def put(self, table: Table, key: str, values: dict[str, int]) -> None:
        assert table is Table.USAGE
        self._act()
        await asyncio.sleep(0)  # others go on meanwhile
        self.keys.append(key)
        self.written.append(dict(values))


async def test_row_is_named_by_its_day_and_its_process(clock: Clock) -> None:
    store, usages = Kept(), [Usage(clock), Usage(clock)]
    for usage in usages:
        usage.add(store.tenant_id, Count.SCANS)
        await usage.write(store)
    assert len(set(store.keys)) == 2
    assert all(re.fullmatch(r"day\.2026-11-27\.[0-9a-f]{12}", key) for key in store.keys)


async def test_level_that_did_not_rise_is_not_written_again(clock: Clock) -> None:
    store, usage = Kept(), Usage(clock)
    for value in (40, 40, 30, 41):
        usage.note(store.tenant_id, Level.RESOURCES, value)
        await usage.write(store)
    assert store.written == [{"resources": 40}, {"resources": 41}]


async def test_level_is_one_of_the_block(clock: Clock) -> None:
    store, usage = Kept(), Usage(clock)
    usage.add(store.tenant_id, Count.SCANS, BLOCK - 3)
    usage.note(store.tenant_id, Level.RESOURCES, 40)
    await usage.call(store)
    assert store.written == []
    await usage.call(store)
    assert store.written == [{"scans": BLOCK - 3, "resources": 40, "api_calls": 2}]


async def test_block_that_was_not_written_is_tried_with_the_next_call(clock: Clock) -> None:
    store, usage = Kept(), Usage(clock)
    usage.add(store.tenant_id, Count.SCANS, BLOCK)
    await usage.write(Down(store.tenant_id, Unavailable("down")))
    await usage.call(store)
    assert store.written == [{"scans": BLOCK, "api_calls": 1}]


async def test_what_is_counted_during_a_write_waits_for_the_next(clock: Clock) -> None:
    usage = Usage(clock)

    def count() -> None:
        usage.add(TenantId("t"), Count.ARM_CALLS)

    def fail() -> None:
        count()
        raise Unavailable("down")

    store = Kept()
    usage.add(store.tenant_id, Count.SCANS, BLOCK - 2)
    await usage.write(Kept(fail))
    await usage.call(store)
    assert store.written == [{"scans": BLOCK - 2, "arm_calls": 1, "api_calls": 1}]
    usage.add(store.tenant_id, Count.SCANS)
    await usage.write(Kept(count))
    clock.pass_(days=1)
    await usage.write(store)
    assert store.written[1:] == [{"scans": BLOCK - 1, "arm_calls": 2, "api_calls": 1}]


@pytest.mark.parametrize("back", [1, 3])
async def test_day_that_is_over_is_written_once_by_two_at_once(clock: Clock, back: int) -> None:
    """Also when the clock was put right meanwhile, and the day that is over was begun last."""
    usage, stores = Usage(clock), [Kept(), Kept()]
    usage.add(TenantId("t"), Count.SCANS, 1)
    clock.pass_(days=-back)
    usage.add(TenantId("t"), Count.SCANS, 2)
    clock.pass_(days=back)
    await asyncio.gather(*(usage.write(store) for store in stores))
    written = [*stores[0].written, *stores[1].written]
    assert written == [{"scans": 1}, {"scans": 2}][: 2 if back == 1 else 1]
    assert list(usage._tallies[TenantId("t")]) == [TODAY]


async def test_days_that_are_over_leave_memory(clock: Clock) -> None:
    store, usage = Kept(), Usage(clock)
    usage.add(store.tenant_id, Count.SCANS, 1)
    clock.pass_(days=2)
    usage.add(store.tenant_id, Count.SCANS, 2)
    await usage.write(store)
    assert store.written == [{"scans": 2}]  # the first was added up by others meanwhile
    clock.pass_(days=1)
    usage.add(store.tenant_id, Count.SCANS, 3)
    await usage.write(store)
    assert store.written == [{"scans": 2}, {"scans": 3}]
    assert list(usage._tallies[store.tenant_id]) == [clock.now.date()]


async def test_level_that_was_not_measured_stays_unknown(store: TenantStore, clock: Clock) -> None:
    """Also when the day is added up; one that was measured as nothing is nothing."""
    for _ in range(2):
        usage = Usage(clock)
        usage.note(store.tenant_id, Level.RESOURCES, 0)
        await usage.write(store)
    expected = [Day(TODAY, resources=0, stored_bytes=None)]
    assert await read_days(store, TODAY, TODAY) == expected
    await merge_days(store, today=TODAY + timedelta(days=2))
    assert len(await rows(store)) == 1
    assert await read_days(store, TODAY, TODAY) == expected


async def test_day_that_was_added_up_is_not_written_again(store: TenantStore, clock: Clock) -> None:
    usage = Usage(clock)
    usage.add(store.tenant_id, Count.SCANS, 2)
    await usage.write(store)
    usage.add(store.tenant_id, Count.SCANS)
    clock.pass_(days=2)
    await merge_days(store, today=clock.now.date())
    await usage.write(store)
    assert await read_days(store, TODAY, TODAY) == [Day(TODAY, scans=2)]


async def test_nobody_but_platform_operators_sees_what_a_tenant_uses(
    deployment: Deployment, operator: Principal, principal: Principal, context: TenantContext
) -> None:
    with pytest.raises(NotFound):
        meter(deployment, principal, context.tenant.tenant_id)
    await context.store.put(Table.USAGE, f"day.{TODAY.isoformat()}.test", {"scans": 4})
    days = await meter(deployment, operator, context.tenant.tenant_id).days(YESTERDAY, TODAY)
    assert days == [Day(TODAY, scans=4)]
