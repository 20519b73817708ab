"""What a tenant's rows take, as each says of itself, and rows of which only some columns are read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from tenancy.ids import TenantId
from tenancy.rows import measure
from tenancy.store import ALWAYS, Table, Tables, TenantStore


class Told:
    """A table client that gives what it is told to, and remembers what it was asked."""

    def __init__(self, *found: dict[str, Any], whole: dict[str, Any] | None = None) -> None:
        self.asked: list[Any] = []
        self._found = found
        self._whole = whole

    async def query_entities(self, query: str, **options: Any) -> AsyncIterator[dict[str, Any]]:
        self.asked.append({"query": query, **options})
        for entity in self._found:
            yield entity

    async def get_entity(self, partition: str, key: str) -> dict[str, Any]:
        assert self._whole is not None
        self.asked.append((partition, key))
        return self._whole


def behind(client: Told) -> TenantStore:
    async def give(_: str) -> Told:
        return client

    return TenantStore(SimpleNamespace(client=give), TenantId("t"))


def entity(**members: Any) -> dict[str, Any]:
    return {"PartitionKey": "t", "RowKey": "a", "tenant_id": "t", **members}


async def test_sizes_are_added_up_over_all_tables_from_one_number_of_a_row() -> None:
    client = Told(entity(_size=100), entity(_size=23))
    assert await behind(client).stored_bytes() == 123 * len(Table)
    assert client.asked == [
        {
            "query": "PartitionKey eq @tenant",
            "parameters": {"tenant": "t"},
            "results_per_page": 1000,
            "select": ["PartitionKey", "RowKey", "_size"],
        }
    ] * len(Table)


async def test_row_that_does_not_say_its_size_is_read_and_measured() -> None:
    whole = entity(name="Ada")
    client = Told(entity(_size=100), entity(), whole=whole)
    assert await behind(client).stored_bytes() == (100 + measure(whole)) * len(Table)
    assert client.asked.count(("t", "a")) == len(Table)


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


@pytest.mark.parametrize(
    ("table", "form"), [(Table.AUDIT, 1), (Table.FINDING, 1), (Table.SETTINGS, 2)]
)
async def test_columns_that_mean_what_they_say_are_all_that_is_read(
    table: Table, form: int
) -> None:
    client = Told(entity(_schema=form, x=1, y=2))
    rows, _ = await behind(client).page(table, limit=5, columns=("x", "y"))
    assert [row.values for row in rows] == [{"x": 1, "y": 2}]
    (asked,) = client.asked
    assert asked["select"] == [*ALWAYS, "x", "y"]


@pytest.mark.parametrize("form", [{}, {"_schema": 1}])
async def test_row_whose_columns_mean_something_else_by_now_is_read_whole(
    form: dict[str, int],
) -> None:
    document = b'{"retention_days":400}'
    client = Told(entity(**form), whole=entity(d0=document, other=1, **form))
    rows, _ = await behind(client).page(Table.SETTINGS, limit=5, columns=("d0", "gone"))
    assert client.asked[1:] == [("t", "a")]
    # The row is no settings row by its key, so the step leaves it; what was not asked for is left out.
    assert [(row.values, row.version) for row in rows] == [({"d0": document, "gone": None}, 1)]


async def test_row_is_read_whole_where_no_columns_are_named() -> None:
    client = Told(entity(n=1))
    rows, _ = await behind(client).page(Table.SETTINGS, limit=5)
    assert [(row.values, row.version) for row in rows] == [({"n": 1}, 1)]
    assert len(client.asked) == 1
