"""Which tenant watches which subscription. A subscription is one tenant's, unless a platform operator shares it.

These rows are outside tenants and hold ids only: in the partition of a subscription, who has it and whom it is shared
with. Nobody but this module reads them, and no answer of it names the other tenant.
"""

from __future__ import annotations

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import UpdateMode

from errors import Conflict, Stale
from tenancy.ids import SubscriptionId, TenantId
from tenancy.retry import call_storage
from tenancy.store import SERVICE, Table, Tables
from tenancy.tenants import PLATFORM, ROW, TenantStatus

HOLDER = "holder"
SHARED = "shared."
TAKEN = (
    "This subscription is watched by another tenant of this deployment. "
    "The platform operator can share it with this one."
)


class Claims:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def take(self, tenant_id: TenantId, subscription_id: SubscriptionId) -> bool:
        """Whether the tenant may watch the subscription; if nobody has it, it is this tenant's from now on.

        Of several tenants that ask at once, one gets it. What a deleted tenant had is free.
        """
        client = await self._tables.client(PLATFORM)
        entity = _entity(subscription_id, HOLDER, tenant_id)
        try:
            await call_storage(lambda _: client.create_entity(entity), service=SERVICE)
        except ResourceExistsError:
            return await self._take_over(tenant_id, subscription_id)
        return True

    async def release(self, tenant_id: TenantId, subscription_id: SubscriptionId) -> None:
        """Gives the subscription back, if it was this tenant's."""
        held = await self._find(subscription_id, HOLDER)
        if held is None or held[0] != tenant_id:
            return
        client = await self._tables.client(PLATFORM)
        try:
            await call_storage(
                lambda _: client.delete_entity(
                    _partition(subscription_id),
                    HOLDER,
                    etag=held[1],
                    match_condition=MatchConditions.IfNotModified,
                ),
                service=SERVICE,
            )
        except HttpResponseError as error:
            if (
                error.status_code != 412
            ):  # meanwhile somebody else's; one that is gone is no error here
                raise

    async def share(self, tenant_id: TenantId, subscription_id: SubscriptionId) -> None:
        """Lets a tenant watch a subscription beside whoever has it. The platform operator's decision."""
        client = await self._tables.client(PLATFORM)
        entity = _entity(subscription_id, SHARED + tenant_id, tenant_id)
        await call_storage(lambda _: client.upsert_entity(entity), service=SERVICE)

    async def unshare(self, tenant_id: TenantId, subscription_id: SubscriptionId) -> None:
        client = await self._tables.client(PLATFORM)
        key = SHARED + tenant_id
        await call_storage(
            lambda _: client.delete_entity(_partition(subscription_id), key), service=SERVICE
        )

    async def watchers(self, subscription_id: SubscriptionId) -> list[TenantId]:
        """The tenants that a subscription is registered for: who has it, and whom it is shared with."""
        client = await self._tables.client(PLATFORM)
        parameters = {"partition": _partition(subscription_id)}

        async def read(_: int) -> list[TenantId]:
            rows = client.query_entities("PartitionKey eq @partition", parameters=parameters)
            return [TenantId(row["tenant_id"]) async for row in rows]

        return sorted(set(await call_storage(read, service=SERVICE)))

    async def _take_over(self, tenant_id: TenantId, subscription_id: SubscriptionId) -> bool:
        held = await self._find(subscription_id, HOLDER)
        if held is None:
            raise Stale("The subscription was released just now. Try again.")
        holder, etag = held
        if holder == tenant_id:
            return True
        if await self._find(subscription_id, SHARED + tenant_id):
            return True
        if not await self._is_gone(holder):
            return False
        client = await self._tables.client(PLATFORM)
        try:
            await call_storage(
                lambda _: client.update_entity(
                    _entity(subscription_id, HOLDER, tenant_id),
                    mode=UpdateMode.REPLACE,
                    etag=etag,
                    match_condition=MatchConditions.IfNotModified,
                ),
                service=SERVICE,
            )
        except HttpResponseError as error:
            if error.status_code in {404, 412}:  # somebody else was quicker
                return False
            raise
        return True

    async def _is_gone(self, tenant_id: TenantId) -> bool:
        client = await self._tables.client(Table.TENANT)
        try:
            row = await call_storage(lambda _: client.get_entity(tenant_id, ROW), service=SERVICE)
        except ResourceNotFoundError:
            return True
        return bool(row["status"] == TenantStatus.DELETED)

    async def _find(self, subscription_id: SubscriptionId, key: str) -> tuple[TenantId, str] | None:
        client = await self._tables.client(PLATFORM)
        try:
            row = await call_storage(
                lambda _: client.get_entity(_partition(subscription_id), key), service=SERVICE
            )
        except ResourceNotFoundError:
            return None
        return TenantId(row["tenant_id"]), str(row.metadata["etag"])


def refuse_taken() -> Conflict:
    """What a tenant is told of a subscription that is another's: nothing about that other."""
    return Conflict(TAKEN)


def _partition(subscription_id: SubscriptionId) -> str:
    return f"subscription.{subscription_id}"


def _entity(subscription_id: SubscriptionId, key: str, tenant_id: TenantId) -> dict[str, str]:
    return {"PartitionKey": _partition(subscription_id), "RowKey": key, "tenant_id": tenant_id}
