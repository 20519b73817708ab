"""One subscription, one tenant: whoever asks first, and nobody else unless it is shared. E04."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from errors import Stale
from settings import Settings
from tenancy.access import found
from tenancy.claims import Claims, refuse_taken
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


class Meanwhile:
    """The tables, in which something happens right before one of our calls."""

    def __init__(self, tables: Any, name: str, act: Any) -> None:
        self._tables = tables
        self._name = name
        self._act = act

    async def client(self, table: str) -> Any:
        real = await self._tables.client(table)

        async def call(*arguments: Any, **options: Any) -> Any:
            act, self._act = self._act, None
            if act:
                await act()
            return await getattr(real, self._name)(*arguments, **options)

        methods = ("create_entity", "get_entity", "update_entity", "delete_entity")
        client = SimpleNamespace(**{name: getattr(real, name) for name in methods})
        setattr(client, self._name, call)
        return client


async def holder(deployment, subscription_id) -> str | None:
    client = await deployment.tables.client(PLATFORM)
    try:
        row = await client.get_entity(f"subscription.{subscription_id}", "holder")
    except ResourceNotFoundError:
        return None
    return str(row["tenant_id"])


async def test_tenant_without_a_record_holds_nothing(claims, make, subscription_id) -> None:
    """One that was erased: what it had is free."""
    assert await claims.take(TenantId(str(uuid.uuid4())), subscription_id)
    tenant_id = (await make()).tenant.tenant_id
    assert await claims.take(tenant_id, subscription_id)
    assert not await claims.take((await make()).tenant.tenant_id, subscription_id)


async def test_released_between_two_looks_is_told_to_try_again(
    claims, make, deployment, subscription_id
) -> None:
    first, second = [(await make()).tenant.tenant_id for _ in range(2)]
    assert await claims.take(first, subscription_id)

    async def release() -> None:
        await claims.release(first, subscription_id)

    contended = Claims(Meanwhile(deployment.tables, "get_entity", release))
    with pytest.raises(Stale) as stale:
        await contended.take(second, subscription_id)
    assert stale.value.message == "The subscription was released just now. Try again."
    assert await claims.take(second, subscription_id)


async def test_taken_over_by_somebody_quicker_is_not_ours(
    claims, make, deployment, subscription_id
) -> None:
    gone = await make()
    quick, slow = [(await make()).tenant.tenant_id for _ in range(2)]
    for end in (False, True):
        assert await claims.take(gone.tenant.tenant_id, subscription_id)
        await delete(gone)

        async def overtake(end: bool = end) -> None:
            await claims.take(quick, subscription_id)
            if end:
                await claims.release(quick, subscription_id)

        contended = Claims(Meanwhile(deployment.tables, "update_entity", overtake))
        assert not await contended.take(slow, subscription_id)
        assert await holder(deployment, subscription_id) == (None if end else quick)
        await claims.release(quick, subscription_id)


async def test_release_leaves_what_somebody_else_got_meanwhile(
    claims, make, deployment, subscription_id
) -> None:
    first, second = [(await make()).tenant.tenant_id for _ in range(2)]
    for end in (False, True):
        assert await claims.take(first, subscription_id)

        async def overtake(end: bool = end) -> None:
            await claims.release(first, subscription_id)
            if not end:
                await claims.take(second, subscription_id)

        contended = Claims(Meanwhile(deployment.tables, "delete_entity", overtake))
        await contended.release(first, subscription_id)
        assert await holder(deployment, subscription_id) == (None if end else second)
        await claims.release(second, subscription_id)


@pytest.mark.parametrize("call", ["update_entity", "delete_entity"])
async def test_conflict_that_nobody_foresaw_is_no_success(
    claims, make, deployment, subscription_id, call: str
) -> None:
    gone, other = await make(), (await make()).tenant.tenant_id
    assert await claims.take(gone.tenant.tenant_id, subscription_id)
    await delete(gone)

    async def fail() -> None:
        response = SimpleNamespace(status_code=409, reason="No", headers={}, text=lambda: "")
        raise HttpResponseError("no", response=response)

    contended = Claims(Meanwhile(deployment.tables, call, fail))
    act, tenant_id = (
        (contended.take, other)
        if call == "update_entity"
        else (contended.release, gone.tenant.tenant_id)
    )
    with pytest.raises(HttpResponseError):
        await act(tenant_id, subscription_id)
    assert await holder(deployment, subscription_id) == gone.tenant.tenant_id


def test_tenant_is_told_nothing_of_the_other() -> None:
    assert refuse_taken().message == (
        "This subscription is watched by another tenant of this deployment. "
        "The platform operator can share it with this one."
    )


async def test_watchers_are_the_holder_and_whom_it_is_shared_with(claims, subscription_id, make):
    assert await claims.watchers(subscription_id) == []
    one, other = [(await make()).tenant.tenant_id for _ in range(2)]
    await claims.take(one, subscription_id)
    assert await claims.watchers(subscription_id) == [one]
    await claims.share(other, subscription_id)
    await claims.share(one, subscription_id)
    assert await claims.watchers(subscription_id) == sorted([one, other])
    await claims.unshare(other, subscription_id)
    assert await claims.watchers(subscription_id) == [one]
