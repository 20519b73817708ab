"""What the platform keeps of a tenant's erasure, and the removal of the rows outside tenants that name one.

A record holds ids, times, counts, and who asked; nothing of what the tenant had, not its name either. It stays for
good: an id that was erased is never given to a new tenant.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import partial

import msgspec
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import TableEntity, UpdateMode

from errors import Conflict, Stale
from tenancy.ids import TenantId
from tenancy.retry import call_storage
from tenancy.rows import read_etag
from tenancy.store import SERVICE, Tables
from tenancy.tenants import PLATFORM, TICK_PARTITION

PARTITION = "erasure"
KEY_ROW = (
    "certificates"  # beside the tick: the name in Key Vault of the key that signs certificates
)


class ErasureState(StrEnum):
    WAITING = "waiting"  # until it is due
    ERASING = "erasing"
    PROVING = "proving"  # everything was removed once; now it is looked whether anything came after
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Erasure:
    tenant_id: TenantId
    state: ErasureState
    asked_by: (
        str  # principal key; '' when the sweep found a deleted tenant that nobody had asked it for
    )
    asked_at: datetime  # when the tenant was closed
    due_at: datetime
    hastened_by: str = ""  # principal key of who did not wait for that
    begun_at: datetime | None = None
    emptied_at: datetime | None = None  # when everything was gone once
    removed: dict[str, int] = field(default_factory=dict)  # by place
    secrets_until: datetime | None = None  # when the vault lets go of the last deleted secret
    reason: str = ""  # why the last try ended before its end
    certificate: str = ""  # JSON, exactly as it was signed
    signature: str = ""  # HMAC-SHA-256 of it, hexadecimal
    etag: str = ""


class Erasures:
    """The records of this deployment."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def find(self, tenant_id: TenantId) -> Erasure | None:
        client = await self._tables.client(PLATFORM)
        try:
            row = await call_storage(
                lambda _: client.get_entity(PARTITION, tenant_id), service=SERVICE
            )
        except ResourceNotFoundError:
            return None
        return _read(row)

    async def add(self, erasure: Erasure) -> None:
        """Raises Conflict when there is one of this tenant."""
        client = await self._tables.client(PLATFORM)
        try:
            await call_storage(lambda _: client.create_entity(_entity(erasure)), service=SERVICE)
        except ResourceExistsError:
            raise Conflict("The erasure of this tenant was asked for already.") from None

    async def save(self, erasure: Erasure) -> Erasure:
        """Raises Stale when somebody else wrote it meanwhile."""
        client = await self._tables.client(PLATFORM)
        try:
            written = await call_storage(
                lambda _: client.update_entity(
                    _entity(erasure),
                    mode=UpdateMode.REPLACE,
                    etag=erasure.etag,
                    match_condition=MatchConditions.IfNotModified,
                ),
                service=SERVICE,
            )
        except HttpResponseError as error:
            if error.status_code not in {404, 412}:
                raise
            raise Stale("This erasure is being carried out by somebody else as well.") from None
        return replace(erasure, etag=read_etag(written))

    async def page(self, *, after: str, limit: int) -> tuple[list[Erasure], str]:
        """Up to `limit` in order of tenant id, and where to go on ('' at the end)."""
        client = await self._tables.client(PLATFORM)

        async def read(_: int) -> list[Erasure]:
            found: list[Erasure] = []
            rows = client.query_entities(
                "PartitionKey eq @partition and RowKey gt @after",
                parameters={"partition": PARTITION, "after": after},
                results_per_page=min(limit + 1, 1000),
            )
            async for row in rows:
                found.append(_read(row))
                if len(found) > limit:
                    break
            return found

        found = await call_storage(read, service=SERVICE)
        return (found[:limit], found[limit - 1].tenant_id) if len(found) > limit else (found, "")

    async def count_index(self, tenant_id: TenantId) -> int:
        """The rows outside tenants that name this one: who may enter it, and which subscriptions it has or shares."""
        return len(await self._index(tenant_id))

    async def erase_index(self, tenant_id: TenantId) -> int:
        """Removes them and returns how many there were. A subscription that is another tenant's meanwhile stays so."""
        rows = await self._index(tenant_id)
        for row in rows:
            try:
                await call_storage(partial(self._delete, row), service=SERVICE)
            except HttpResponseError as error:
                if error.status_code not in {404, 412}:
                    raise
        return len(rows)

    async def _delete(self, row: TableEntity, _: int) -> None:
        client = await self._tables.client(PLATFORM)
        await client.delete_entity(
            row["PartitionKey"],
            row["RowKey"],
            etag=row.metadata["etag"],
            match_condition=MatchConditions.IfNotModified,
        )

    async def _index(self, tenant_id: TenantId) -> list[TableEntity]:
        client = await self._tables.client(PLATFORM)

        async def read(_: int) -> list[TableEntity]:
            rows = client.query_entities(
                "tenant_id eq @tenant",
                parameters={"tenant": tenant_id},
                select=["PartitionKey", "RowKey"],
            )
            return [row async for row in rows]

        return await call_storage(read, service=SERVICE)

    async def key_name(self) -> str:
        """Name in Key Vault of the key that signs certificates, '' before the first."""
        client = await self._tables.client(PLATFORM)
        try:
            row = await call_storage(
                lambda _: client.get_entity(TICK_PARTITION, KEY_ROW), service=SERVICE
            )
        except ResourceNotFoundError:
            return ""
        return str(row["secret_name"])

    async def set_key_name(self, name: str) -> None:
        client = await self._tables.client(PLATFORM)
        entity = {"PartitionKey": TICK_PARTITION, "RowKey": KEY_ROW, "secret_name": name}
        await call_storage(lambda _: client.upsert_entity(entity), service=SERVICE)


def _entity(erasure: Erasure) -> dict[str, object]:
    """The tenant is in the key alone: a column that names it would make the record a row of its index."""
    body = msgspec.json.encode(erasure)
    return {"PartitionKey": PARTITION, "RowKey": erasure.tenant_id, "body": body}


def _read(row: TableEntity) -> Erasure:
    erasure = msgspec.json.decode(row["body"], type=Erasure)
    return replace(erasure, etag=read_etag(row.metadata))
