"""The only door to Table Storage. A TenantStore's partition is fixed when it is made, so no caller can leave it.

It takes no filter text and no tenant id: rows are reached by table, row key and row-key range. Table Storage orders
rows by PartitionKey, then RowKey, and indexes nothing else. Values that Azure treats oddly (64-bit integers, naive
times, None) are handled here and nowhere else.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import (
    TableTransactionError,
    TransactionOperation,
    UpdateMode,
)
from azure.data.tables.aio import TableClient, TableServiceClient

from errors import Conflict, Invalid, NotFound, Stale, Unavailable
from tenancy.ids import TenantId
from tenancy.migrations import bring_forward, reads_alike, version_of
from tenancy.ranges import range_filter
from tenancy.retry import call_storage
from tenancy.rows import Row, Value, measure, read_etag, read_row, to_edm, weigh

SERVICE = "Table Storage"
TRANSACTION_LIMIT = 100  # entities in one entity-group transaction
TRANSACTION_BYTES = 3_500_000  # the service's limit is 4 MiB of request, base64 included
PAGE_LIMIT = 1000
# Read of every row.
ALWAYS = ("PartitionKey", "RowKey", "tenant_id", "_schema", "Timestamp")


class Table(StrEnum):
    TENANT = "tenant"
    USER = "user"
    CONNECTION = "connection"
    SUBSCRIPTION = "subscription"
    SETTINGS = "settings"
    RULE = "rule"
    BASELINE = "baseline"
    PACK = "pack"
    CONFIGURATION = "configuration"
    CONFIGURATION_HISTORY = "configurationhistory"
    SCAN = "scan"
    FINDING = "finding"
    NOTICE = "notice"
    CHANNEL = "channel"
    DELIVERY = "delivery"
    AUDIT = "audit"
    USAGE = "usage"
    BACKUP = "backup"


class Write(StrEnum):
    INSERT = "insert"  # must not exist
    PUT = "put"  # whatever is there is replaced
    UPDATE = "update"  # must still have the ETag
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Operation:
    """One write of a transaction. `etag` is required for UPDATE and optional for DELETE."""

    write: Write
    key: str
    values: Mapping[str, Value] | None = None
    etag: str = ""


class Tables:
    """The storage account's table endpoint. Holds the connection, knows no tenant."""

    def __init__(self, service: TableServiceClient) -> None:
        self._service = service
        self._ready: set[str] = set()

    async def client(self, table: str) -> TableClient:
        """The client of a table, which is created the first time this process meets it."""
        if table not in self._ready:
            await call_storage(
                lambda _: self._service.create_table_if_not_exists(table), service=SERVICE
            )
            self._ready.add(table)
        return self._service.get_table_client(table)

    async def close(self) -> None:
        await self._service.close()


class TenantStore:
    """One tenant's rows. Made in tenancy/access.py only (tests/test_architecture.py checks it)."""

    def __init__(self, tables: Tables, tenant_id: TenantId) -> None:
        self._tables = tables
        self._tenant_id = tenant_id

    @property
    def tenant_id(self) -> TenantId:
        return self._tenant_id

    async def get(self, table: Table, key: str) -> Row:
        row = await self.find(table, key)
        if row is None:
            raise NotFound(f"There is no such {table}.")
        return row

    async def find(self, table: Table, key: str) -> Row | None:
        client = await self._tables.client(table)
        try:
            entity = await call_storage(
                lambda _: client.get_entity(self._tenant_id, key), service=SERVICE
            )
        except ResourceNotFoundError:
            return None
        return self._row(table, entity)

    async def rows(
        self, table: Table, *, prefix: str = "", after: str = "", columns: Sequence[str] = ()
    ) -> AsyncIterator[Row]:
        """All rows whose key starts with `prefix` and lies behind `after`, in key order."""
        cursor = after
        while True:
            page, cursor = await self.page(
                table, prefix=prefix, after=cursor, limit=PAGE_LIMIT, columns=columns
            )
            for row in page:
                yield row
            if not cursor:
                return

    async def page(
        self,
        table: Table,
        *,
        limit: int,
        prefix: str = "",
        after: str = "",
        columns: Sequence[str] = (),
    ) -> tuple[list[Row], str]:
        """Up to `limit` rows in key order, and the key to pass as `after` for the next ones ('' at the end)."""
        client = await self._tables.client(table)
        query, parameters = range_filter(self._tenant_id, prefix, after)
        select = [*ALWAYS, *columns] if columns else None

        async def read(_: int) -> list[Row]:
            found: list[Row] = []
            # A page of the service may be empty and still be followed by another one.
            entities = client.query_entities(
                query,
                parameters=parameters,
                results_per_page=min(limit + 1, PAGE_LIMIT),
                select=select,
            )
            async for entity in entities:
                if columns and not reads_alike(table, int(entity.get("_schema", 1))):
                    whole = await client.get_entity(self._tenant_id, entity["RowKey"])
                    row = self._row(table, whole)
                    row = replace(row, values={name: row.values.get(name) for name in columns})
                else:
                    row = self._row(table, entity)
                found.append(row)
                if len(found) > limit:
                    break
            return found

        rows = await call_storage(read, service=SERVICE)
        return (rows[:limit], rows[limit - 1].key) if len(rows) > limit else (rows, "")

    async def stored_bytes(self) -> int:
        """What all rows of the tenant take, as each says of itself: keys and one number of each are read.

        A row of before rows said it is read whole.
        """
        total = 0
        for table in Table:
            client = await self._tables.client(table)
            total += await call_storage(partial(self._measure, client), service=SERVICE)
        return total

    async def _measure(self, client: TableClient, _: int) -> int:
        total = 0
        entities = client.query_entities(
            "PartitionKey eq @tenant",
            parameters={"tenant": self._tenant_id},
            results_per_page=PAGE_LIMIT,
            select=["PartitionKey", "RowKey", "_size"],
        )
        async for entity in entities:
            size = entity.get("_size")
            total += (
                size
                if size
                else measure(await client.get_entity(self._tenant_id, entity["RowKey"]))
            )
        return total

    async def insert(self, table: Table, key: str, values: Mapping[str, Value]) -> str:
        """Creates a row and returns its ETag. Raises Conflict when it exists."""
        client = await self._tables.client(table)
        entity = self._entity(table, key, values)

        async def attempt(tries: int) -> str:
            try:
                return read_etag(await client.create_entity(entity))
            except ResourceExistsError:
                # An earlier try of ours may have succeeded without its answer arriving.
                if tries and (etag := await self._own_write(client, key, entity["_write"])):
                    return etag
                raise Conflict(f"This {table} exists already.") from None

        return await call_storage(attempt, service=SERVICE)

    async def put(self, table: Table, key: str, values: Mapping[str, Value]) -> str:
        """Writes a row, whatever was there, and returns its ETag."""
        client = await self._tables.client(table)
        entity = self._entity(table, key, values)
        written = await call_storage(
            lambda _: client.upsert_entity(entity, mode=UpdateMode.REPLACE), service=SERVICE
        )
        return read_etag(written)

    async def update(
        self, table: Table, key: str, values: Mapping[str, Value], *, etag: str
    ) -> str:
        """Replaces a row that has not changed since `etag` was read. Raises Stale otherwise, NotFound if it is gone."""
        client = await self._tables.client(table)
        entity = self._entity(table, key, values)

        async def attempt(tries: int) -> str:
            try:
                written = await client.update_entity(
                    entity,
                    mode=UpdateMode.REPLACE,
                    **_unchanged(etag),
                )
            except ResourceNotFoundError:
                raise NotFound(f"There is no such {table}.") from None
            except HttpResponseError as error:
                if error.status_code != 412:
                    raise
                if tries and (own := await self._own_write(client, key, entity["_write"])):
                    return own
                raise Stale(f"This {table} was changed meanwhile. Read it again.") from None
            return read_etag(written)

        return await call_storage(attempt, service=SERVICE)

    async def delete(self, table: Table, key: str, *, etag: str = "") -> None:
        """Removes a row; a row that is not there is fine. With `etag`, raises Stale for one that has changed."""
        client = await self._tables.client(table)
        condition = _unchanged(etag) if etag else {}
        try:
            await call_storage(
                lambda _: client.delete_entity(self._tenant_id, key, **condition),
                service=SERVICE,
            )
        except HttpResponseError as error:
            if error.status_code != 412:
                raise
            raise Stale(f"This {table} was changed meanwhile. Read it again.") from None

    async def transact(self, table: Table, operations: Sequence[Operation]) -> list[str]:
        """All of up to 100 writes to one table, or none. Raises Conflict or Stale, naming the row in the way.

        Returns the new ETag of each row, '' for one that was deleted.
        """
        if len(operations) > TRANSACTION_LIMIT:
            raise Invalid(f"A transaction holds {TRANSACTION_LIMIT} rows.", field="operations")
        client = await self._tables.client(table)
        batch = [self._transaction_step(table, operation) for operation in operations]

        async def attempt(tries: int) -> list[str]:
            try:
                return [read_etag(one) for one in await client.submit_transaction(batch)]
            except TableTransactionError as error:
                if tries and (etags := await self._own_batch(client, batch)):
                    return etags
                raise _transaction_refused(table, operations, error) from error

        return await call_storage(attempt, service=SERVICE)

    async def put_all(self, table: Table, rows: Iterable[tuple[str, Mapping[str, Value]]]) -> int:
        """Writes any number of rows in as few transactions as fit; each transaction is atomic, the whole is not.

        For rows whose repetition is harmless (content-addressed packs, history with fixed keys).
        """
        batch: list[Operation] = []
        size = count = 0
        for key, values in rows:
            weight = weigh(values)
            if batch and (len(batch) == TRANSACTION_LIMIT or size + weight > TRANSACTION_BYTES):
                await self.transact(table, batch)
                batch, size = [], 0
            batch.append(Operation(Write.PUT, key, values))
            size += weight
            count += 1
        if batch:
            await self.transact(table, batch)
        return count

    async def delete_all(self, table: Table, rows: Sequence[Row]) -> int:
        """Removes rows that were read, in as few transactions as fit, and returns how many went. One that was written
        anew since then stays, and one that is gone is fine."""
        gone = 0
        for start in range(0, len(rows), TRANSACTION_LIMIT):
            batch = rows[start : start + TRANSACTION_LIMIT]
            try:
                await self.transact(
                    table, [Operation(Write.DELETE, row.key, etag=row.etag) for row in batch]
                )
                gone += len(batch)
            except Stale:  # one of them: the others go one by one
                gone += sum([await self._delete_unchanged(table, row) for row in batch])
        return gone

    async def _delete_unchanged(self, table: Table, row: Row) -> bool:
        try:
            await self.delete(table, row.key, etag=row.etag)
        except Stale:
            return False
        return True

    def _entity(self, table: Table, key: str, values: Mapping[str, Value]) -> dict[str, Any]:
        entity: dict[str, Any] = {
            name: to_edm(value) for name, value in values.items() if value is not None
        }
        entity |= {
            "PartitionKey": self._tenant_id,
            "RowKey": key,
            "tenant_id": self._tenant_id,
            "_schema": version_of(table),
            "_write": secrets.token_hex(8),
        }
        return entity | {"_size": measure(entity)}

    def _row(self, table: Table, entity: Mapping[str, Any]) -> Row:
        if entity["PartitionKey"] != self._tenant_id or entity.get("tenant_id") != self._tenant_id:
            raise Unavailable(
                "A stored row belongs to another tenant than its partition. It was not read."
            )
        return bring_forward(table, read_row(entity))

    def _transaction_step(self, table: Table, operation: Operation) -> Any:
        if operation.write is Write.DELETE:
            entity: dict[str, Any] = {"PartitionKey": self._tenant_id, "RowKey": operation.key}
            condition = _unchanged(operation.etag) if operation.etag else {}
            return TransactionOperation.DELETE, entity, condition
        entity = self._entity(table, operation.key, operation.values or {})
        if operation.write is Write.INSERT:
            return TransactionOperation.CREATE, entity
        if operation.write is Write.PUT:
            return TransactionOperation.UPSERT, entity, {"mode": UpdateMode.REPLACE}
        condition = {"mode": UpdateMode.REPLACE} | _unchanged(operation.etag)
        return TransactionOperation.UPDATE, entity, condition

    async def _own_write(self, client: TableClient, key: str, write: str) -> str:
        """The ETag of the row if it is the one this call wrote, else ''."""
        try:
            entity = await client.get_entity(self._tenant_id, key)
        except ResourceNotFoundError:
            return ""
        return read_etag(entity.metadata) if entity.get("_write") == write else ""

    async def _own_batch(self, client: TableClient, batch: Sequence[Any]) -> list[str]:
        """The ETags of a transaction that went through in an earlier try, else none: it is atomic, so one row tells."""
        etags = [
            await self._own_write(client, entity["RowKey"], entity["_write"])
            if "_write" in entity
            else ""
            for _, entity, *_ in batch
        ]
        return etags if any(etags) else []


def _unchanged(etag: str) -> dict[str, Any]:
    """The condition of a write that must not meet a newer row."""
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}


def _transaction_refused(
    table: Table, operations: Sequence[Operation], error: TableTransactionError
) -> Exception:
    index = error.index if isinstance(error.index, int) else 0
    key = operations[min(index, len(operations) - 1)].key
    if error.status_code == 409:
        return Conflict(f"This {table} exists already ({key}).")
    if error.status_code in {404, 412}:
        return Stale(f"This {table} was changed meanwhile ({key}). Read it again.")
    return error
