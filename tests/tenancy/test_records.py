"""A tenant's own row, changed by two at once: each change is made of the newest row, and a deleted tenant stays so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from errors import NotFound, Stale
from tenancy.access import TenantContext
from tenancy.records import change_tenant
from tenancy.store import Table
from tenancy.tenants import ROW, Tenant, TenantStatus, read_tenant


class Contended:
    """The tenant's store, in which somebody else is faster: `meanwhile` is written before each of our updates."""

    def __init__(self, context: TenantContext, meanwhile: Tenant, times: int) -> None:
        self._store = context.store
        self._meanwhile = meanwhile
        self._left = times
        self.tries = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def update(self, *arguments: Any, etag: str) -> str:
        self.tries += 1
        if self._left:
            self._left -= 1
            await self._store.put(Table.TENANT, ROW, self._meanwhile.values())
        return await self._store.update(*arguments, etag=etag)


async def stored(context: TenantContext) -> Tenant:
    return read_tenant(context.tenant.tenant_id, await context.store.get(Table.TENANT, ROW))


def rename(tenant: Tenant) -> Tenant:
    return replace(tenant, name="new")


async def test_change_is_written_and_told_with_its_etag(context: TenantContext) -> None:
    changed = await change_tenant(context, rename)
    assert changed == replace(context.tenant, name="new", etag=changed.etag)
    assert changed == await stored(context)
    assert changed.etag != context.tenant.etag


@pytest.mark.parametrize("times", [1, 4])
async def test_change_is_made_of_what_is_there_now(context: TenantContext, times: int) -> None:
    meanwhile = replace(context.tenant, schedule="0 6 * * *")
    store = Contended(context, meanwhile, times)
    changed = await change_tenant(replace(context, store=store), rename)
    assert (changed.name, changed.schedule) == ("new", "0 6 * * *")
    assert changed == await stored(context)
    assert store.tries == times + 1


async def test_change_that_never_has_its_turn_is_given_up(context: TenantContext) -> None:
    store = Contended(context, replace(context.tenant, schedule="0 6 * * *"), 9)
    with pytest.raises(Stale) as stale:
        await change_tenant(replace(context, store=store), rename)
    assert stale.value.message == "This tenant is being changed by others. Try again."
    assert store.tries == 5
    assert (await stored(context)).name == context.tenant.name


async def test_tenant_that_was_deleted_meanwhile_is_not_there(context: TenantContext) -> None:
    store = Contended(context, replace(context.tenant, status=TenantStatus.DELETED), 1)
    with pytest.raises(NotFound) as absent:
        await change_tenant(replace(context, store=store), rename)
    assert absent.value.message == "There is no such tenant."
    assert (await stored(context)).status is TenantStatus.DELETED
