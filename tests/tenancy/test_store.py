"""TenantStore on a real Azurite: values, ranges, ETags, transactions, and the partition nobody leaves."""

from __future__ import annotations

import random
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceResponseError,
)
from azure.data.tables import (
    TableEntity,
    TableTransactionError,
    TransactionOperation,
    UpdateMode,
)
from azure.data.tables.aio import TableClient, TableServiceClient

from errors import Conflict, Invalid, NotFound, Stale, Unavailable
from tenancy import retry
from tenancy import store as store_module
from tenancy.ids import TenantId
from tenancy.rows import ENTITY_BINARY, Value, join_binary, split_binary, weigh
from tenancy.store import TRANSACTION_LIMIT, Operation, Table, Tables, TenantStore, Write


@pytest.fixture
async def tables(storage: str) -> AsyncIterator[Tables]:
    tables = Tables(TableServiceClient.from_connection_string(storage, retry_total=0))
    yield tables
    await tables.close()


@pytest.fixture
def store(tables: Tables) -> TenantStore:
    return TenantStore(tables, TenantId(str(uuid.uuid4())))


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
        "n": 1,
    }


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
    for key in ("a", "b.1", "b.2", "b.3", "b.4", "c"):
        await store.insert(Table.PACK, key, {"n": 1, "m": 2})
    assert [row.key async for row in store.rows(Table.PACK)] == [
        "a",
        "b.1",
        "b.2",
        "b.3",
        "b.4",
        "c",
    ]
    assert [row.key async for row in store.rows(Table.PACK, after="b.2")] == ["b.3", "b.4", "c"]
    narrow = [row async for row in store.rows(Table.PACK, prefix="b.", columns=["m"])]
    assert [(row.key, row.values) for row in narrow] == [(f"b.{n}", {"m": 2}) for n in range(1, 5)]
    behind = [row.key async for row in store.rows(Table.PACK, prefix="b.", after="b.3")]
    assert behind == ["b.4"]


async def test_page_of_one_row_and_the_last_one(store: TenantStore) -> None:
    for key in ("a", "b", "c"):
        await store.insert(Table.PACK, key, {})
    cursor, seen = "", []
    while True:
        page, cursor = await store.page(Table.PACK, after=cursor, limit=1)
        seen.append([row.key for row in page])
        if not cursor:
            break
    assert seen == [["a"], ["b"], ["c"]]
    whole, cursor = await store.page(Table.PACK)
    assert ([row.key for row in whole], cursor) == (["a", "b", "c"], "")
    exact, cursor = await store.page(Table.PACK, limit=3)
    assert ([row.key for row in exact], cursor) == (["a", "b", "c"], "")


@pytest.mark.parametrize(
    ("prefix", "after", "query", "parameters"),
    [
        ("", "", "", {}),
        ("", "k", " and RowKey gt @low", {"low": "k"}),
        ("p.", "", " and RowKey ge @low and RowKey lt @high", {"low": "p.", "high": "p/"}),
        ("p.", "p.k", " and RowKey gt @low and RowKey lt @high", {"low": "p.k", "high": "p/"}),
        ("p.", "p.", " and RowKey gt @low and RowKey lt @high", {"low": "p.", "high": "p/"}),
        ("p.", "o", " and RowKey ge @low and RowKey lt @high", {"low": "p.", "high": "p/"}),
        ("p", "", " and RowKey ge @low and RowKey lt @high", {"low": "p", "high": "q"}),
    ],
)
def test_range_never_leaves_the_partition(
    prefix: str, after: str, query: str, parameters: dict[str, str]
) -> None:
    text, values = store_module._range_filter("t' or 1 eq 1", prefix, after)
    assert text == "PartitionKey eq @tenant" + query
    assert values == {"tenant": "t' or 1 eq 1", **parameters}


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


class Client:
    """A table client that does as it is told, and remembers what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.batches: list[list[Any]] = []

    def __getattr__(self, name: str) -> Any:
        async def act(*_: Any, **__: Any) -> Any:
            answer = self.answers[name]
            if isinstance(answer, list):
                answer = answer.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return act

    async def submit_transaction(self, batch: list[Any]) -> None:
        self.batches.append(batch)
        for error in self.answers.pop("submit_transaction", []):
            raise error


class Losing:
    """A real client whose first answer to a write is lost on the way, after the write was done."""

    def __init__(self, client: TableClient) -> None:
        self._client = client
        self._lost = False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name not in {"create_entity", "update_entity", "submit_transaction"}:
            return method

        async def act(*arguments: Any, **options: Any) -> Any:
            answer = await method(*arguments, **options)
            if not self._lost:
                self._lost = True
                raise ServiceResponseError("the answer was lost")
            return answer

        return act


def behind(client: Any, tenant_id: str = "t") -> TenantStore:
    """A store whose tables are all that one client."""

    async def give(_: str) -> Any:
        return client

    return TenantStore(SimpleNamespace(client=give), TenantId(tenant_id))


@pytest.fixture
async def losing(
    tables: Tables, store: TenantStore, monkeypatch: pytest.MonkeyPatch
) -> TenantStore:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)
    return behind(Losing(await tables.client(Table.SCAN)), store.tenant_id)


async def test_insert_whose_answer_was_lost_has_succeeded(
    store: TenantStore, losing: TenantStore
) -> None:
    etag = await losing.insert(Table.SCAN, "a", {"n": 1})
    row = await store.get(Table.SCAN, "a")
    assert (row.etag, row.values) == (etag, {"n": 1})
    with pytest.raises(Conflict):
        await losing.insert(Table.SCAN, "a", {"n": 2})


async def test_update_whose_answer_was_lost_has_succeeded(
    store: TenantStore, losing: TenantStore
) -> None:
    first = await store.insert(Table.SCAN, "a", {"n": 1})
    etag = await losing.update(Table.SCAN, "a", {"n": 2}, etag=first)
    row = await store.get(Table.SCAN, "a")
    assert (row.etag, row.values) == (etag, {"n": 2})
    with pytest.raises(Stale):
        await losing.update(Table.SCAN, "a", {"n": 3}, etag=first)


@pytest.mark.parametrize("gone", [False, True])
async def test_transaction_whose_answer_was_lost_has_succeeded(
    store: TenantStore, losing: TenantStore, gone: bool
) -> None:
    """Also where its first step was a deletion, which leaves no mark."""
    await store.insert(Table.SCAN, "gone", {})
    steps = [Operation(Write.DELETE, "gone")] if gone else []
    steps += [Operation(Write.INSERT, "a", {"n": 1}), Operation(Write.INSERT, "b", {"n": 2})]
    await losing.transact(Table.SCAN, steps)
    rows = {row.key: row.values async for row in store.rows(Table.SCAN)}
    assert rows == {"a": {"n": 1}, "b": {"n": 2}} | ({} if gone else {"gone": {}})
    with pytest.raises(Conflict):
        await losing.transact(Table.SCAN, steps[-2:])


async def test_deletions_whose_answer_was_lost_are_stale(
    store: TenantStore, losing: TenantStore
) -> None:
    """Nothing tells whose deletion it was."""
    await store.insert(Table.SCAN, "a", {})
    with pytest.raises(Stale):
        await losing.transact(Table.SCAN, [Operation(Write.DELETE, "a")])


LOST, THERE, ABSENT = ServiceResponseError("lost"), ResourceExistsError(), ResourceNotFoundError()


def entity(**members: Any) -> TableEntity:
    made = TableEntity(members)
    made._metadata = {"etag": "W/theirs"}
    return made


@pytest.mark.parametrize("present", [ABSENT, entity(_write="theirs"), entity()])
async def test_row_of_somebody_else_is_no_success_of_ours(
    present: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)
    changed = answer(412)
    client = Client(create_entity=[LOST, THERE], update_entity=[LOST, changed], get_entity=present)
    with pytest.raises(Conflict):
        await behind(client).insert(Table.SCAN, "a", {})
    with pytest.raises(Stale):
        await behind(client).update(Table.SCAN, "a", {}, etag="e")


async def test_mark_is_looked_for_only_after_a_try_that_may_have_succeeded() -> None:
    """The client has no answer to a read: asking it would be an error."""
    client = Client(create_entity=THERE, update_entity=answer(412))
    with pytest.raises(Conflict):
        await behind(client).insert(Table.SCAN, "a", {})
    with pytest.raises(Stale):
        await behind(client).update(Table.SCAN, "a", {}, etag="e")


async def test_refusal_of_an_update_is_not_a_change_of_somebody_else() -> None:
    with pytest.raises(Unavailable, match=r"Table Storage refused the request \(403"):
        await behind(Client(update_entity=answer(403))).update(Table.SCAN, "a", {}, etag="e")


def answer(status: int, **members: Any) -> TableTransactionError:
    error = TableTransactionError(message="no", error_code="", **members)
    error.status_code = status
    error.reason = "Reason"
    return error


@pytest.mark.parametrize(
    ("status", "index", "kind", "told"),
    [
        (409, 0, Conflict, "This scan exists already (a)."),
        (409, 1, Conflict, "This scan exists already (b)."),
        (409, 9, Conflict, "This scan exists already (b)."),
        (409, None, Conflict, "This scan exists already (a)."),
        (404, 1, Stale, "This scan was changed meanwhile (b). Read it again."),
        (412, 0, Stale, "This scan was changed meanwhile (a). Read it again."),
    ],
)
async def test_refused_transaction_names_the_row_in_the_way(
    status: int, index: int | None, kind: type[Conflict], told: str
) -> None:
    error = answer(status)
    error.index = index
    steps = [Operation(Write.INSERT, "a"), Operation(Write.INSERT, "b")]
    with pytest.raises(Conflict) as refused:
        await behind(Client(submit_transaction=[error])).transact(Table.SCAN, steps)
    assert (type(refused.value), refused.value.message) == (kind, told)
    assert refused.value.__cause__ is error


async def test_transaction_refused_for_another_cause_is_unavailable() -> None:
    error = answer(400)
    error.index = 0
    with pytest.raises(Unavailable, match=r"Table Storage refused the request \(400"):
        await behind(Client(submit_transaction=[error])).transact(
            Table.SCAN, [Operation(Write.INSERT, "a")]
        )


async def test_steps_of_a_transaction_name_their_partition() -> None:
    client = Client()
    steps = [
        Operation(Write.INSERT, "i", {"n": 1}),
        Operation(Write.PUT, "p"),
        Operation(Write.UPDATE, "u", {}, "e"),
        Operation(Write.DELETE, "d"),
        Operation(Write.DELETE, "c", etag="e"),
    ]
    await behind(client).transact(Table.SCAN, steps)
    kinds = [step[0] for step in client.batches[0]]
    assert kinds == [
        TransactionOperation.CREATE,
        TransactionOperation.UPSERT,
        TransactionOperation.UPDATE,
        TransactionOperation.DELETE,
        TransactionOperation.DELETE,
    ]
    places = [(step[1]["PartitionKey"], step[1]["RowKey"]) for step in client.batches[0]]
    assert places == [("t", "i"), ("t", "p"), ("t", "u"), ("t", "d"), ("t", "c")]
    replace = {"mode": UpdateMode.REPLACE}
    condition = {"etag": "e", "match_condition": MatchConditions.IfNotModified}
    options = [step[2:] for step in client.batches[0]]
    assert options == [(), (replace,), (replace | condition,), ({},), (condition,)]


async def test_many_rows_go_in_as_few_transactions_as_fit() -> None:
    def rows(count: int) -> list[tuple[str, dict[str, Value]]]:
        return [(f"{number:03d}", {"n": number}) for number in range(count)]

    for count, sizes in ((0, []), (1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])):
        client = Client()
        assert await behind(client).put_all(Table.PACK, rows(count)) == count
        assert [len(batch) for batch in client.batches] == sizes
        written = [step[1]["RowKey"] for batch in client.batches for step in batch]
        assert written == [key for key, _ in rows(count)]


@pytest.mark.parametrize(("more", "sizes"), [(0, [4, 4, 1]), (1, [3, 3, 3])])
async def test_transaction_is_filled_to_the_byte(
    more: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    row: dict[str, Value] = {"d": bytes(3000)}
    monkeypatch.setattr(store_module, "TRANSACTION_BYTES", 4 * weigh(row) - more)
    client = Client()
    rows = [(f"{number}", row) for number in range(9)]
    assert await behind(client).put_all(Table.PACK, rows) == 9
    assert [len(batch) for batch in client.batches] == sizes


@pytest.mark.parametrize(
    "found",
    [
        {"PartitionKey": "u", "RowKey": "a", "tenant_id": "t"},
        {"PartitionKey": "t", "RowKey": "a", "tenant_id": "u"},
        {"PartitionKey": "t", "RowKey": "a"},
    ],
    ids=["partition", "tenant", "nobody"],
)
async def test_row_that_storage_should_not_have_given_is_not_read(found: dict[str, str]) -> None:
    with pytest.raises(Unavailable) as refused:
        await behind(Client(get_entity=found)).find(Table.FINDING, "a")
    assert refused.value.message == (
        "A stored row belongs to another tenant than its partition. It was not read."
    )


async def test_table_is_made_once_a_process() -> None:
    class Service:
        def __init__(self) -> None:
            self.made: list[str] = []
            self.closed = False

        async def create_table_if_not_exists(self, table: str) -> None:
            self.made.append(table)

        def get_table_client(self, table: str) -> str:
            return f"client of {table}"

        async def close(self) -> None:
            self.closed = True

    service = Service()
    tables = Tables(service)
    for _ in range(2):
        assert await tables.client("scan") == "client of scan"
    assert await tables.client("finding") == "client of finding"
    assert service.made == ["scan", "finding"]
    await tables.close()
    assert service.closed


@pytest.mark.parametrize("text", ["' or PartitionKey ne '", "x eq y", "@tenant", "a  b", "%"])
async def test_odd_text_in_a_range_stays_text(store: TenantStore, text: str) -> None:
    await store.put(Table.RULE, "k", {})
    assert await store.page(Table.RULE, prefix=text, limit=5) == ([], "")
