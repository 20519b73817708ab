"""One subscription, one tenant: whoever asks first, and nobody else unless it is shared. E04."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from settings import Settings
from tenancy.access import found
from tenancy.claims import Claims
from tenancy.deployment import Deployment
from tenancy.ids import DirectoryId, ObjectId, SubscriptionId, TenantId
from tenancy.principal import PLATFORM_ROLE, Principal
from tenancy.store import Table
from tenancy.tenants import PLATFORM, ROW, Tenant, TenantStatus

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def claims(deployment: Deployment) -> Claims:
    return deployment.claims


@pytest.fixture
def subscription_id() -> SubscriptionId:
    return SubscriptionId(str(uuid.uuid4()))


@pytest.fixture
def make(deployment: Deployment, settings: Settings):
    """Tenants with a record, and a way to delete one."""
    home = DirectoryId(settings.platform_directory_id)
    operator = Principal(
        home, ObjectId(str(uuid.uuid4())), "Pia", frozenset({PLATFORM_ROLE}), False
    )

    async def make_tenant():
        tenant = Tenant(TenantId(str(uuid.uuid4())), "t", home, TenantStatus.ACTIVE, NOW, "")
        return await found(deployment, tenant, operator)

    return make_tenant


async def delete(context) -> None:
    gone = replace(context.tenant, status=TenantStatus.DELETED)
    await context.store.put(Table.TENANT, ROW, gone.values())


async def test_first_has_it_and_the_second_does_not(claims, make, subscription_id) -> None:
    first, second = [(await make()).tenant.tenant_id for _ in range(2)]
    assert await claims.take(first, subscription_id)
    assert not await claims.take(second, subscription_id)
    assert await claims.take(first, subscription_id)  # again is no harm
    await claims.release(second, subscription_id)  # not its own to give back
    assert not await claims.take(second, subscription_id)
    await claims.release(first, subscription_id)
    assert await claims.take(second, subscription_id)
    assert not await claims.take(first, subscription_id)


async def test_of_many_at_once_one_gets_it(claims, make, subscription_id) -> None:
    contexts = [await make() for _ in range(6)]
    asked = [claims.take(one.tenant.tenant_id, subscription_id) for one in contexts]
    assert sorted(await asyncio.gather(*asked)) == [False] * 5 + [True]


async def test_what_a_deleted_tenant_had_is_free_for_one(claims, make, subscription_id) -> None:
    gone = await make()
    assert await claims.take(gone.tenant.tenant_id, subscription_id)
    await delete(gone)
    others = [(await make()).tenant.tenant_id for _ in range(4)]
    taken = await asyncio.gather(*(claims.take(one, subscription_id) for one in others))
    assert sorted(taken) == [False] * 3 + [True]


async def test_sharing_is_for_the_named_tenant_until_it_is_taken_back(
    claims, make, subscription_id
) -> None:
    first, second, third = [(await make()).tenant.tenant_id for _ in range(3)]
    assert await claims.take(first, subscription_id)
    await claims.share(second, subscription_id)
    assert await claims.take(second, subscription_id)
    assert not await claims.take(third, subscription_id)
    await claims.unshare(second, subscription_id)
    assert not await claims.take(second, subscription_id)
    assert await claims.take(first, subscription_id)


async def test_rows_outside_tenants_hold_ids_only(
    claims, make, deployment, subscription_id
) -> None:
    first = (await make()).tenant.tenant_id
    await claims.take(first, subscription_id)
    await claims.share(first, subscription_id)
    client = await deployment.tables.client(PLATFORM)
    query = f"PartitionKey eq 'subscription.{subscription_id}'"
    rows = [dict(row) async for row in client.query_entities(query)]
    assert sorted(row["RowKey"] for row in rows) == ["holder", f"shared.{first}"]
    assert [set(row) - {"PartitionKey", "RowKey"} for row in rows] == [{"tenant_id"}] * 2
