"""What is counted of a tenant: in blocks, by day, by each process for itself, and never twice."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from azure.data.tables.aio import TableServiceClient

from errors import NotFound
from tenancy.access import TenantContext, meter
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tenancy.principal import Principal
from tenancy.store import Table, Tables, TenantStore
from tenancy.usage import BLOCK, EVERY, Count, Day, Level, Usage, merge_days, read_days
from tests.listener import listening

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


async def test_storage_that_does_not_answer_loses_nothing(
    store: TenantStore,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "tenancy.retry.FIRST_WAIT", 40.0
    )  # longer than the budget: it gives up at once
    usage = Usage(clock)
    usage.add(store.tenant_id, Count.SCANS, 4)
    async with listening() as nobody:
        endpoint = f"http://127.0.0.1:{nobody.port}/account"
        connection = f"AccountName=account;AccountKey=a2V5;TableEndpoint={endpoint}"
        async with TableServiceClient.from_connection_string(connection, retry_total=0) as service:
            await usage.write(TenantStore(Tables(service), store.tenant_id))
    assert [one.message for one in caplog.records if one.name == "tenancy.usage"] == [
        "usage not written"
    ]
    await usage.write(store)
    assert await read_days(store, TODAY, TODAY) == [Day(TODAY, scans=4)]


async def test_nothing_is_written_of_a_tenant_that_is_closed(
    store: TenantStore, clock: Clock
) -> None:
    usage = Usage(clock)
    usage.add(store.tenant_id, Count.SCANS)
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


async def test_stored_bytes_are_those_of_all_rows(store: TenantStore) -> None:
    assert await store.stored_bytes() == 0
    await store.put(Table.PACK, "p.1", {"d0": b"x" * 1000})
    first = await store.stored_bytes()
    assert 1000 < first < 1600
    await store.insert(Table.RULE, "r", {"reason": "é" * 100, "at": datetime.now(UTC), "hits": 3})
    second = await store.stored_bytes()
    assert 200 < second - first < 800
    await store.delete(Table.RULE, "r")
    assert await store.stored_bytes() == first


async def test_row_of_before_rows_said_their_size_is_measured(
    store: TenantStore, tables: Tables
) -> None:
    await store.put(Table.PACK, "p.1", {"d0": b"x" * 1000})
    said = await store.stored_bytes()
    client = await tables.client(Table.PACK)
    entity = dict(await client.get_entity(store.tenant_id, "p.1"))
    del entity["_size"]
    await client.upsert_entity(entity, mode="replace")
    assert await store.stored_bytes() == said
