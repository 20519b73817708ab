"""The limit of requests: shared by instances within what tenancy/rates.py says, cheap, and safe when storage is not."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.data.tables.aio import TableServiceClient

from errors import Throttled, Unavailable
from settings import MOST_REQUESTS
from tenancy.ids import TenantId
from tenancy.rates import ALONE, BLOCK, MOST_TRIES, PREFIX, WINDOW_SECONDS, Rates
from tenancy.rows import Row
from tenancy.store import Table, Tables, TenantStore
from tests.listener import Listener, listening

NOW = datetime(2026, 11, 27, 12, 0, 15, tzinfo=UTC)
LIMIT = 200
PATIENCE = 60.0  # a busy machine is no storage that is down
SDK_LOG = "azure.core.pipeline.policies.http_logging_policy"


async def served(
    rates: Rates, store: TenantStore, tries: int, who: str = "ada", now: datetime = NOW
) -> int:
    """How many of so many requests, all at once, were let through."""

    async def one() -> bool:
        try:
            await rates.admit(store, who, now=now)
        except Throttled:
            return False
        return True

    return sum(await asyncio.gather(*(one() for _ in range(tries))))


class Disturbed:
    """A tenant's store in which something happens right after every look at a row."""

    def __init__(self, store: TenantStore, act: Callable[[], Awaitable[None]]) -> None:
        self.tenant_id = store.tenant_id
        self.insert, self.update = store.insert, store.update
        self._store = store
        self._act = act

    async def find(self, table: Table, key: str) -> Row | None:
        row = await self._store.find(table, key)
        await self._act()
        return row


def overtaken(store: TenantStore, times: int) -> Any:
    """Another instance is quicker, so many times, and takes two requests each time."""
    window, left = int(NOW.timestamp()) // WINDOW_SECONDS, times

    async def overtake() -> None:
        nonlocal left
        if left:
            left -= 1
            taken = 2 * (times - left)
            await store.put(Table.USAGE, PREFIX + "ada", {"window": window, "taken": taken})

    return Disturbed(store, overtake)


def down(store: TenantStore) -> Any:
    async def fail() -> None:
        raise Unavailable("down")

    return Disturbed(store, fail)


@asynccontextmanager
async def hanging_up() -> AsyncIterator[tuple[TenantStore, Listener]]:
    """A store whose host hangs up."""
    async with listening() as listener:
        connection = (
            "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=eA==;"
            f"TableEndpoint=http://localhost:{listener.port}/devstoreaccount1"
        )
        tables = Tables(TableServiceClient.from_connection_string(connection, retry_total=0))
        try:
            yield TenantStore(tables, TenantId(str(uuid.uuid4()))), listener
        finally:
            await tables.close()


async def test_one_instance_serves_exactly_the_limit(store: TenantStore) -> None:
    rates = Rates(LIMIT, PATIENCE)
    assert await served(rates, store, LIMIT + 50) == LIMIT
    with pytest.raises(Throttled) as refused:
        await rates.admit(store, "ada", now=NOW)
    assert refused.value.message == (
        "You made more than 200 requests in a minute. Try again in 45 s."
    )
    assert refused.value.retry_after == 45
    with pytest.raises(Throttled):
        rates.check(store.tenant_id, "ada", now=NOW)
    assert (await store.get(Table.USAGE, PREFIX + "ada")).values["taken"] == LIMIT


async def test_next_minute_begins_anew(store: TenantStore) -> None:
    rates = Rates(LIMIT, PATIENCE)
    await served(rates, store, LIMIT)
    later = NOW + timedelta(seconds=WINDOW_SECONDS)
    rates.check(store.tenant_id, "ada", now=later)
    assert await served(rates, store, 2 * LIMIT, now=later) == LIMIT


@pytest.mark.parametrize("instances", [2, 5])
async def test_instances_share_the_limit(tables: Tables, instances: int) -> None:
    tenant_id = TenantId(str(uuid.uuid4()))
    every = [Rates(LIMIT, PATIENCE) for _ in range(instances)]
    found = 0
    for _ in range(5):  # waves, so that all take blocks and none gets them all
        wave = (served(one, TenantStore(tables, tenant_id), LIMIT // 4) for one in every)
        found += sum(await asyncio.gather(*wave))
    assert LIMIT <= found <= LIMIT + instances * ALONE * LIMIT


async def test_many_instances_that_take_at_once_never_give_more(tables: Tables) -> None:
    tenant_id = TenantId(str(uuid.uuid4()))
    every = [Rates(LIMIT, PATIENCE) for _ in range(10)]
    wave = (served(one, TenantStore(tables, tenant_id), LIMIT // 4) for one in every)
    found = sum(await asyncio.gather(*wave))
    assert 10 * ALONE * LIMIT < found <= LIMIT + 10 * ALONE * LIMIT


async def test_blocks_of_an_instance_that_went_quiet_are_all_that_is_lost(tables: Tables) -> None:
    tenant_id = TenantId(str(uuid.uuid4()))
    quiet, busy = Rates(LIMIT, PATIENCE), Rates(LIMIT, PATIENCE)
    some = await served(quiet, TenantStore(tables, tenant_id), int(LIMIT * ALONE) + 1)
    found = await served(busy, TenantStore(tables, tenant_id), 2 * LIMIT)
    assert LIMIT * (1 - BLOCK) <= some + found <= LIMIT * (1 + 2 * ALONE)


async def test_others_are_not_counted(tables: Tables, store: TenantStore) -> None:
    rates = Rates(LIMIT, PATIENCE)
    await served(rates, store, LIMIT + 1)
    assert await served(rates, store, LIMIT, who="bob") == LIMIT
    elsewhere = TenantStore(tables, TenantId(str(uuid.uuid4())))
    assert await served(rates, elsewhere, LIMIT) == LIMIT


async def test_few_requests_cost_storage_nothing_and_many_a_call_in_ten_a_hundred(
    store: TenantStore, caplog: pytest.LogCaptureFixture
) -> None:
    rates = Rates(LIMIT, PATIENCE)
    await store.find(Table.USAGE, "x")  # creates the table
    caplog.set_level(logging.INFO, logger=SDK_LOG)

    def calls() -> int:
        return sum(record.message.startswith("Request URL") for record in caplog.records)

    assert await served(rates, store, int(LIMIT * ALONE)) == LIMIT * ALONE
    assert calls() == 0
    assert await served(rates, store, LIMIT) == LIMIT * (1 - ALONE)
    assert calls() <= 2 / BLOCK + 1  # a read and a write a block, and one read that finds the end
    before = calls()
    await served(rates, store, 1000)
    assert calls() == before  # a flood that is refused reaches no storage


async def test_every_instance_that_is_overtaken_tries_again(tables: Tables) -> None:
    """Nobody is refused while there is something to take."""
    tenant_id = TenantId(str(uuid.uuid4()))
    few = int(LIMIT * ALONE) + 1
    wave = (served(Rates(LIMIT, PATIENCE), TenantStore(tables, tenant_id), few) for _ in range(5))
    assert await asyncio.gather(*wave) == [few] * 5


async def test_one_that_is_overtaken_every_time_is_told_to_try_again(store: TenantStore) -> None:
    few, rates = int(LIMIT * ALONE), Rates(LIMIT, PATIENCE)
    assert await served(rates, store, few) == few
    with pytest.raises(Throttled) as refused:
        await rates.admit(overtaken(store, MOST_TRIES), "ada", now=NOW)
    assert refused.value.message == "Too many requests at once. Try again in a second."
    assert refused.value.retry_after == 1
    await rates.admit(overtaken(store, MOST_TRIES - 1), "ada", now=NOW)
    others = 2 * (MOST_TRIES - 1)
    row = await store.get(Table.USAGE, PREFIX + "ada")
    assert row.values["taken"] == others + few + LIMIT * BLOCK


async def test_storage_that_hangs_up_locks_nobody_out_and_lets_no_flood_in(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rates = Rates(LIMIT, 2.0)
    started = time.monotonic()
    async with hanging_up() as (store, listener):
        assert await served(rates, store, LIMIT) == LIMIT
        calls = listener.calls
        assert calls
        assert await served(rates, store, 1) == 0
        assert listener.calls == calls  # waited for once, not in each request
        assert await served(rates, store, 4 * LIMIT) == 0
    assert time.monotonic() - started < 20
    told = [one for one in caplog.records if one.name == "tenancy.rates"]
    assert [(one.message, vars(one)["tenant_id"]) for one in told] == [
        ("requests are counted alone", store.tenant_id)
    ]


async def test_storage_that_fails_at_the_limit_brings_nothing_more(store: TenantStore) -> None:
    rates = Rates(LIMIT, PATIENCE)
    assert await served(rates, store, LIMIT) == LIMIT
    assert await served(rates, down(store), 1) == 0
    assert await served(rates, store, 1) == 0  # nor when it is back: this minute is over


async def test_storage_that_fails_beyond_the_limit_brings_nothing_more(store: TenantStore) -> None:
    """More than the limit was served, for the row was lost meanwhile."""
    rates = Rates(LIMIT, PATIENCE)
    assert await served(rates, store, LIMIT) == LIMIT
    await store.delete(Table.USAGE, PREFIX + "ada")
    block = int(LIMIT * BLOCK)
    assert await served(rates, store, block) == block
    assert await served(rates, down(store), LIMIT) == 0


async def test_row_of_a_clock_that_is_wrong_locks_nobody_out(store: TenantStore) -> None:
    window = int(NOW.timestamp()) // WINDOW_SECONDS
    for wrong in (window - 1, window + 2, window + 100_000):
        await store.put(Table.USAGE, PREFIX + "ada", {"window": wrong, "taken": LIMIT})
        assert await served(Rates(LIMIT, PATIENCE), store, LIMIT + 1) == LIMIT
    await store.put(Table.USAGE, PREFIX + "ada", {"window": window + 1, "taken": LIMIT})
    # Another instance's clock is a little ahead.
    assert await served(Rates(LIMIT, PATIENCE), store, LIMIT) == LIMIT * ALONE


async def test_instance_whose_clock_was_put_right_begins_anew(store: TenantStore) -> None:
    for ahead in (timedelta(days=1), timedelta(minutes=2)):
        rates = Rates(LIMIT, PATIENCE)
        assert await served(rates, store, LIMIT + 1, now=NOW + ahead) == LIMIT
        assert await served(rates, store, LIMIT + 1) == LIMIT
        await store.delete(Table.USAGE, PREFIX + "ada")


async def test_request_of_the_last_minute_brings_no_second_share(store: TenantStore) -> None:
    rates = Rates(LIMIT, PATIENCE)
    later = NOW + timedelta(seconds=WINDOW_SECONDS)
    assert await served(rates, store, LIMIT, now=later) == LIMIT
    assert await served(rates, store, 1, now=NOW) == 0
    assert await served(rates, store, 1, now=later) == 0


def test_requests_outside_of_tenants_are_counted_in_memory() -> None:
    rates = Rates(LIMIT, PATIENCE)
    for _ in range(LIMIT):
        rates.admit_outside("eve", now=NOW)
    for refuse in (rates.check_outside, rates.admit_outside):
        with pytest.raises(Throttled):
            refuse("eve", now=NOW)
    rates.check_outside("ada", now=NOW)
    rates.check_outside("eve", now=NOW + timedelta(seconds=WINDOW_SECONDS))


@pytest.mark.parametrize("limit", [33, *MOST_REQUESTS])
async def test_any_limit_that_may_be_set_is_kept(store: TenantStore, limit: int) -> None:
    tries = min(limit, 2000) + 1
    assert await served(Rates(limit, PATIENCE), store, tries) == min(limit, tries)
