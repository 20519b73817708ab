"""TenantStore where storage fails it: answers that are lost, rows of somebody else, and what is sent in a transaction.

F01, F02.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
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
from azure.data.tables.aio import TableClient

from errors import Conflict, Stale, Unavailable
from tenancy import retry
from tenancy import store as store_module
from tenancy.ids import TenantId
from tenancy.rows import Value, weigh
from tenancy.store import Operation, Table, Tables, TenantStore, Write


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

    async def submit_transaction(self, batch: list[Any]) -> list[dict[str, str]]:
        self.batches.append(batch)
        for error in self.answers.pop("submit_transaction", []):
            raise error
        return [{"etag": f"W/{number}"} for number in range(len(batch))]


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
    etags = await losing.transact(Table.SCAN, steps)
    stored = {row.key: row async for row in store.rows(Table.SCAN)}
    assert etags == [stored[step.key].etag if step.key in stored else "" for step in steps]
    rows = {key: row.values for key, row in stored.items()}
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


async def test_deletion_of_a_row_that_changed_is_stale_and_another_refusal_is_not() -> None:
    with pytest.raises(Stale) as stale:
        await behind(Client(delete_entity=answer(412))).delete(Table.SCAN, "a", etag="e")
    assert stale.value.message == "This scan was changed meanwhile. Read it again."
    with pytest.raises(HttpResponseError) as told:
        await behind(Client(delete_entity=answer(409))).delete(Table.SCAN, "a", etag="e")
    assert told.value.status_code == 409


async def test_deletion_holds_to_an_etag_where_one_is_given() -> None:
    asked = []

    async def delete_entity(*key: str, **options: Any) -> None:
        asked.append((key, options))

    store = behind(SimpleNamespace(delete_entity=delete_entity))
    await store.delete(Table.SCAN, "a")
    await store.delete(Table.SCAN, "a", etag="e")
    condition = {"etag": "e", "match_condition": MatchConditions.IfNotModified}
    assert asked == [(("t", "a"), {}), (("t", "a"), condition)]


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
    etags = await behind(client).transact(Table.SCAN, steps)
    assert etags == [f"W/{number}" for number in range(5)]
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


@pytest.mark.parametrize(("limit", "asked_for"), [(1, 2), (999, 1000), (1000, 1000), (5000, 1000)])
async def test_page_asks_for_one_row_more_and_never_for_more_than_storage_gives(
    limit: int, asked_for: int
) -> None:
    """Storage refuses to be asked for more than 1,000."""
    asked = []

    async def query(_: str, **options: Any) -> AsyncIterator[Any]:
        asked.append(options)
        for entity in ():
            yield entity

    client = SimpleNamespace(query_entities=query)
    await behind(client).page(Table.SCAN, limit=limit)
    await behind(client).page(Table.SCAN, limit=limit, columns=["n"])
    keys = ["PartitionKey", "RowKey", "tenant_id", "_schema", "Timestamp"]
    assert asked == [
        {"parameters": {"tenant": "t"}, "results_per_page": asked_for, "select": select}
        for select in (None, [*keys, "n"])
    ]


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
