"""TenantStore on a real Azurite: values, ranges, ETags, transactions, and the partition nobody leaves."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from errors import Conflict, Invalid, NotFound, Stale, Unavailable
from tenancy import store as store_module
from tenancy.ids import TenantId
from tenancy.rows import ENTITY_BINARY, join_binary, split_binary
from tenancy.store import TRANSACTION_LIMIT, Operation, Table, Tables, TenantStore, Write


async def test_values_come_back_as_they_were(store: TenantStore) -> None:
    moment = datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    values = {
        "text": "é's \U0001f600",
        "small": 1,
        "large": 2**40,
        "flag": True,
        "number": 1.5,
        "data": b"\x00\xff",
        "at": moment,
        "nothing": None,
    }
    await store.put(Table.FINDING, "a", values)
    row = await store.get(Table.FINDING, "a")
    assert row.values == {name: value for name, value in values.items() if value is not None}
    assert type(row.values["large"]) is int
    assert row.values["at"].tzinfo is UTC


async def test_put_without_a_value_removes_the_old_one(store: TenantStore) -> None:
    await store.put(Table.FINDING, "a", {"kept": 1, "gone": 2})
    await store.put(Table.FINDING, "a", {"kept": 3})
    assert (await store.get(Table.FINDING, "a")).values == {"kept": 3}


async def test_fullest_row_fits_and_comes_back(store: TenantStore) -> None:
    data = random.Random(1).randbytes(ENTITY_BINARY)
    await store.put_all(Table.PACK, [(f"s.{number}", split_binary(data)) for number in range(5)])
    await store.insert(Table.PACK, "alone", split_binary(data))
    assert join_binary((await store.get(Table.PACK, "s.4")).values) == data
    assert join_binary((await store.get(Table.PACK, "alone")).values) == data


async def test_naive_time_is_refused(store: TenantStore) -> None:
    with pytest.raises(Invalid, match="zone"):
        await store.put(Table.FINDING, "a", {"at": datetime(2026, 1, 1)})  # noqa: DTZ001


async def test_get_of_absent_row(store: TenantStore) -> None:
    with pytest.raises(NotFound) as absent:
        await store.get(Table.FINDING, "absent")
    assert absent.value.message == "There is no such finding."
    assert await store.find(Table.FINDING, "absent") is None


async def test_insert_twice_conflicts(store: TenantStore) -> None:
    await store.insert(Table.SCAN, "a", {"n": 1})
    with pytest.raises(Conflict) as conflict:
        await store.insert(Table.SCAN, "a", {"n": 2})
    assert conflict.value.message == "This scan exists already."
    assert (await store.get(Table.SCAN, "a")).values == {"n": 1}


async def test_update_with_old_etag_is_stale(store: TenantStore) -> None:
    first = await store.insert(Table.SCAN, "a", {"n": 1})
    second = await store.update(Table.SCAN, "a", {"n": 2}, etag=first)
    with pytest.raises(Stale) as stale:
        await store.update(Table.SCAN, "a", {"n": 3}, etag=first)
    assert stale.value.message == "This scan was changed meanwhile. Read it again."
    await store.update(Table.SCAN, "a", {"n": 4}, etag=second)
    assert (await store.get(Table.SCAN, "a")).values == {"n": 4}


async def test_update_of_absent_row(store: TenantStore) -> None:
    etag = await store.insert(Table.SCAN, "a", {"n": 1})
    await store.delete(Table.SCAN, "a")
    with pytest.raises(NotFound) as absent:
        await store.update(Table.SCAN, "a", {"n": 2}, etag=etag)
    assert absent.value.message == "There is no such scan."
    await store.delete(Table.SCAN, "a")


async def test_every_write_tells_the_etag_of_what_is_stored(store: TenantStore) -> None:
    etag = await store.insert(Table.SCAN, "a", {"n": 1, "gone": 1})
    assert etag == (await store.get(Table.SCAN, "a")).etag != ""
    changed = await store.update(Table.SCAN, "a", {"n": 2}, etag=etag)
    row = await store.get(Table.SCAN, "a")
    assert (row.etag, row.values) == (changed, {"n": 2})
    assert changed != etag
    put = await store.put(Table.SCAN, "a", {"m": 1})
    row = await store.get(Table.SCAN, "a")
    assert (row.etag, row.values) == (put, {"m": 1})


async def test_stored_row_says_whose_it_is_and_of_which_write(
    tables: Tables, store: TenantStore
) -> None:
    """What outlives the code that wrote it: tenant, schema, and the mark by which a write knows its own row."""
    await store.put(Table.SCAN, "a", {"n": 1})
    client = await tables.client(Table.SCAN)
    stored = dict(await client.get_entity(store.tenant_id, "a"))
    mark = stored.pop("_write")
    assert (len(mark), set(mark) <= set("0123456789abcdef")) == (16, True)
    assert stored == {
        "PartitionKey": store.tenant_id,
        "RowKey": "a",
        "tenant_id": store.tenant_id,
        "_schema": 1,
        "_size": 276,  # keys 78, tenant_id 102, _schema 26, _write 56, n 14
        "n": 1,
    }


async def test_rows_are_read_a_thousand_at_a_time_to_the_last(
    store: TenantStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def page(_: TenantStore, table: Table, **options: Any) -> tuple[list[str], str]:
        asked.append((table, options))
        return {"": (["a", "b"], "b"), "b": (["c"], "")}[options["after"]]

    monkeypatch.setattr(TenantStore, "page", page)
    assert [row async for row in store.rows(Table.PACK, columns=["n"])] == ["a", "b", "c"]
    options = {"prefix": "", "limit": 1000, "columns": ["n"]}
    assert asked == [(Table.PACK, {**options, "after": after}) for after in ("", "b")]


async def test_ranges_and_pages(store: TenantStore) -> None:
    keys = [f"a.{number:04d}" for number in range(1205)]
    assert await store.put_all(Table.PACK, ((key, {"n": 1}) for key in keys)) == 1205
    await store.put_all(Table.PACK, [("a", {}), ("a/"[:1] + "0", {}), ("b.0", {})])
    assert [row.key async for row in store.rows(Table.PACK, prefix="a.")] == keys
    page, cursor = await store.page(Table.PACK, prefix="a.", limit=1000)
    assert ([row.key for row in page], cursor) == (keys[:1000], keys[999])
    page, cursor = await store.page(Table.PACK, prefix="a.", after=cursor, limit=1000)
    assert ([row.key for row in page], cursor) == (keys[1000:], "")
    exact, cursor = await store.page(Table.PACK, prefix="a.12", limit=5)
    assert (len(exact), cursor) == (5, "")


async def test_rows_go_on_page_after_page(
    store: TenantStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "PAGE_LIMIT", 2)
    keys = ["0", "a", "b.1", "b.2", "b.3", "b.4", "c"]
    for key in keys:
        await store.insert(Table.PACK, key, {"n": 1, "m": 2})
    assert [row.key async for row in store.rows(Table.PACK)] == keys
    assert [row.key async for row in store.rows(Table.PACK, after="b.2")] == ["b.3", "b.4", "c"]
    narrow = [row async for row in store.rows(Table.PACK, prefix="b.", columns=["m"])]
    assert [(row.key, row.values) for row in narrow] == [(f"b.{n}", {"m": 2}) for n in range(1, 5)]
    behind = [row.key async for row in store.rows(Table.PACK, prefix="b.", after="b.3")]
    assert behind == ["b.4"]


async def test_page_of_one_row_and_the_last_one(store: TenantStore) -> None:
    for key in ("a", "b", "c"):
        await store.insert(Table.PACK, key, {})
    cursor, seen = "", []
    for _ in range(3):
        page, cursor = await store.page(Table.PACK, after=cursor, limit=1)
        seen.append([row.key for row in page])
    assert (seen, cursor) == ([["a"], ["b"], ["c"]], "")
    whole, cursor = await store.page(Table.PACK, limit=10)
    assert ([row.key for row in whole], cursor) == (["a", "b", "c"], "")
    exact, cursor = await store.page(Table.PACK, limit=3)
    assert ([row.key for row in exact], cursor) == (["a", "b", "c"], "")


async def test_columns_narrow_what_is_read(store: TenantStore) -> None:
    await store.put(Table.FINDING, "a", {"x": 1, "y": 2})
    rows = [row async for row in store.rows(Table.FINDING, columns=["x"])]
    assert [row.values for row in rows] == [{"x": 1}]


async def test_transaction_is_all_or_nothing(store: TenantStore) -> None:
    etag = await store.insert(Table.FINDING, "old", {"n": 1})
    await store.insert(Table.FINDING, "there", {"n": 1})
    operations = [
        Operation(Write.INSERT, "new", {"n": 1}),
        Operation(Write.UPDATE, "old", {"n": 2}, etag),
        Operation(Write.INSERT, "there", {"n": 2}),
    ]
    with pytest.raises(Conflict, match="there"):
        await store.transact(Table.FINDING, operations)
    assert await store.find(Table.FINDING, "new") is None
    await store.transact(Table.FINDING, [*operations[:2], Operation(Write.DELETE, "there")])
    assert [row.key async for row in store.rows(Table.FINDING)] == ["new", "old"]


async def test_transaction_replaces_whole_rows(store: TenantStore) -> None:
    for key in ("put", "update"):
        await store.insert(Table.FINDING, key, {"old": 1})
    etag = (await store.get(Table.FINDING, "update")).etag
    await store.transact(
        Table.FINDING,
        [
            Operation(Write.PUT, "put", {"new": 1}),
            Operation(Write.UPDATE, "update", {"new": 2}, etag),
            Operation(Write.INSERT, "empty"),
        ],
    )
    rows = {row.key: row.values async for row in store.rows(Table.FINDING)}
    assert rows == {"put": {"new": 1}, "update": {"new": 2}, "empty": {}}


async def test_transaction_over_the_limit_is_refused(store: TenantStore) -> None:
    rows = [Operation(Write.PUT, f"{number}", {}) for number in range(TRANSACTION_LIMIT + 1)]
    with pytest.raises(Invalid) as refused:
        await store.transact(Table.FINDING, rows)
    assert refused.value.field == "operations"
    assert refused.value.message == "A transaction holds 100 rows."
    await store.transact(Table.FINDING, rows[:-1])
    assert len((await store.page(Table.FINDING, limit=200))[0]) == TRANSACTION_LIMIT


async def test_transaction_with_old_etag_is_stale(store: TenantStore) -> None:
    etag = await store.insert(Table.FINDING, "a", {"n": 1})
    await store.update(Table.FINDING, "a", {"n": 2}, etag=etag)
    with pytest.raises(Stale):
        await store.transact(Table.FINDING, [Operation(Write.UPDATE, "a", {"n": 3}, etag)])


async def test_deletion_with_an_old_etag_is_stale(store: TenantStore) -> None:
    """What was changed meanwhile is not what somebody decided to delete."""
    etag = await store.insert(Table.FINDING, "a", {"n": 1})
    changed = await store.update(Table.FINDING, "a", {"n": 2}, etag=etag)
    with pytest.raises(Stale):
        await store.transact(Table.FINDING, [Operation(Write.DELETE, "a", etag=etag)])
    await store.transact(Table.FINDING, [Operation(Write.DELETE, "a", etag=changed)])
    assert await store.find(Table.FINDING, "a") is None


async def test_put_all_splits_what_does_not_fit_one_transaction(store: TenantStore) -> None:
    data = bytes(range(256)) * 2800  # 717 kB: five of them are over the 4 MiB of one request
    rows = [(f"p.{number}", split_binary(data)) for number in range(7)]
    assert await store.put_all(Table.PACK, rows) == 7
    stored = [join_binary(row.values) async for row in store.rows(Table.PACK, prefix="p.")]
    assert stored == [data] * 7


async def test_binary_over_the_entity_limit_is_refused() -> None:
    with pytest.raises(Invalid, match="do not fit"):
        split_binary(bytes(ENTITY_BINARY + 1))


async def test_two_tenants_never_meet(tables: Tables) -> None:
    short, long = TenantId("aaaa"), TenantId("aaaa0")  # one is a prefix of the other
    ours, theirs = TenantStore(tables, short), TenantStore(tables, long)
    await ours.put(Table.RULE, "k", {"whose": "ours"})
    await theirs.put(Table.RULE, "k", {"whose": "theirs"})
    assert [row.values["whose"] async for row in ours.rows(Table.RULE)] == ["ours"]
    await ours.delete(Table.RULE, "k")
    assert (await theirs.get(Table.RULE, "k")).values == {"whose": "theirs"}


async def test_row_of_another_tenant_in_the_partition_is_refused(
    tables: Tables, store: TenantStore
) -> None:
    client = await tables.client(Table.FINDING)
    await client.create_entity(
        {"PartitionKey": store.tenant_id, "RowKey": "x", "tenant_id": "somebody else"}
    )
    with pytest.raises(Unavailable, match="another tenant"):
        await store.find(Table.FINDING, "x")
    with pytest.raises(Unavailable, match="another tenant"):
        _ = [row async for row in store.rows(Table.FINDING)]


@pytest.mark.parametrize("text", ["' or PartitionKey ne '", "x eq y", "@tenant", "a  b", "%"])
async def test_odd_text_in_a_range_stays_text(store: TenantStore, text: str) -> None:
    await store.put(Table.RULE, "k", {})
    assert await store.page(Table.RULE, prefix=text, limit=5) == ([], "")


async def test_transaction_tells_the_new_etags(store: TenantStore) -> None:
    etag = await store.insert(Table.FINDING, "a", {"n": 1})
    await store.insert(Table.FINDING, "gone", {"n": 1})
    etags = await store.transact(
        Table.FINDING,
        [
            Operation(Write.UPDATE, "a", {"n": 2}, etag),
            Operation(Write.INSERT, "b", {"n": 1}),
            Operation(Write.DELETE, "gone"),
        ],
    )
    stored = [(await store.get(Table.FINDING, key)).etag for key in ("a", "b")]
    assert etags == [*stored, ""]
    assert etags[0] != etag


async def test_row_that_changed_is_not_deleted(store: TenantStore) -> None:
    old = await store.insert(Table.RULE, "k", {"n": 1})
    new = await store.update(Table.RULE, "k", {"n": 2}, etag=old)
    with pytest.raises(Stale):
        await store.delete(Table.RULE, "k", etag=old)
    with pytest.raises(Stale):
        await store.transact(Table.RULE, [Operation(Write.DELETE, "k", etag=old)])
    assert (await store.get(Table.RULE, "k")).values == {"n": 2}
    await store.delete(Table.RULE, "k", etag=new)
    await store.delete(Table.RULE, "k", etag=new)  # not there is fine
    assert await store.find(Table.RULE, "k") is None


async def test_delete_all_spares_what_was_written_anew(store: TenantStore) -> None:
    keys = [f"k.{number:03d}" for number in range(205)]
    await store.put_all(Table.PACK, ((key, {"n": 1}) for key in keys))
    rows = [row async for row in store.rows(Table.PACK, prefix="k.")]
    await store.put(Table.PACK, "k.007", {"n": 2})
    await store.delete(Table.PACK, "k.008")
    assert await store.delete_all(Table.PACK, rows) == 204  # one that was gone is fine, and counts
    left = [row async for row in store.rows(Table.PACK, prefix="k.")]
    assert [(row.key, row.values) for row in left] == [("k.007", {"n": 2})]
    assert await store.delete_all(Table.PACK, []) == 0


async def test_delete_all_counts_what_went_before_and_spares_what_was_only_changed(
    store: TenantStore,
) -> None:
    keys = [f"k.{number:03d}" for number in range(105)]
    await store.put_all(Table.PACK, ((key, {"n": 1}) for key in keys))
    rows = [row async for row in store.rows(Table.PACK)]
    await store.put(Table.PACK, "k.103", {"n": 2})
    assert await store.delete_all(Table.PACK, rows) == 104
    left = [row async for row in store.rows(Table.PACK)]
    assert [(row.key, row.values) for row in left] == [("k.103", {"n": 2})]


async def test_row_says_when_and_in_which_form_it_was_written(store: TenantStore) -> None:
    before = datetime.now(UTC)
    await store.put(Table.FINDING, "form", {"n": 1})
    found = await store.get(Table.FINDING, "form")
    assert found.version == 2
    assert found.written_at is not None
    assert timedelta(0) <= found.written_at - before.replace(microsecond=0) < timedelta(seconds=60)
    (page, _) = await store.page(Table.FINDING, prefix="form", limit=10, columns=("n",))
    assert [(row.written_at, row.version, row.values) for row in page] == [
        (found.written_at, 2, {"n": 1})
    ]
