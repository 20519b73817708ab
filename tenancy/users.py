"""The users of a tenant: who they are, in which role, and when they were last seen.

Rows of the table `user`: a user under the digest of (directory id, object id), the one row `guard` in which all changes
of who is an admin meet, and one row `seen.<digest>` for everybody who came in, by whichever way.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from errors import Conflict, Invalid, NotFound, Stale
from tenancy import audit
from tenancy.access import TenantContext
from tenancy.roles import Role
from tenancy.sightings import Sighting, page_sightings
from tenancy.store import Operation, Table, TenantStore, Write
from tenancy.tenants import ROW, User, read_user

GUARD = "guard"
KEYS_END = "g"  # users' keys are hexadecimal; every other row of the table sorts behind them
MOST_TRIES = 5


async def page_users(store: TenantStore, *, after: str, limit: int) -> tuple[list[User], str]:
    """Users in order of their keys, and where to go on ('' at the end)."""
    rows, cursor = await store.page(Table.USER, after=after, limit=limit)
    users = [read_user(row) for row in rows if row.key < KEYS_END]
    return users, cursor if len(users) == len(rows) else ""


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody with a row of its own, somebody who came in, or both."""

    key: str
    user: User | None
    seen: Sighting | None


async def page_known(store: TenantStore, *, after: str, limit: int) -> tuple[list[Known], str]:
    """Everybody known to the tenant in order of their keys, and where to go on ('' at the end)."""
    users, more_users = await page_users(store, after=after, limit=limit)
    visits, more_visits = await page_sightings(store, after=after, limit=limit)
    by_key = {user.key: user for user in users}
    seen = {visit.key: visit for visit in visits}
    # The first `limit` of both together are among the first `limit` of each.
    every = sorted(by_key.keys() | seen.keys())
    keys = every[:limit]
    more = len(every) > limit or more_users or more_visits
    known = [Known(key, by_key.get(key), seen.get(key)) for key in keys]
    return known, keys[-1] if keys and more else ""


async def get_user(store: TenantStore, key: str) -> User:
    row = await store.find(Table.USER, key) if key < KEYS_END else None
    if row is None:
        raise NotFound("There is no such user.")
    return read_user(row)


async def add_user(context: TenantContext, user: User, *, now: datetime) -> User:
    """Adds a principal of the tenant's own directory; platform operators may add anybody's.

    Raises Invalid for a guest, who comes by invitation, and Conflict for somebody who is a user already.
    """
    if context.role is not Role.PLATFORM and user.directory_id != context.tenant.directory_id:
        raise Invalid(
            "Only principals of the tenant's own directory can be added. Send others an invitation.",
            field="directoryId",
        )
    # The index first: without the row it lets nobody in, and the row without it could not be found by sign-in.
    await context.deployment.registry.link(user.key, context.tenant.tenant_id)
    try:
        etag = await context.store.insert(Table.USER, user.key, user.values())
    except Conflict:
        raise Conflict("This principal is a user already. Change its role instead.") from None
    detail = _detail(name=user.name, role=user.role, kind=user.kind)
    await audit.record(context.store, context.actor, "user.add", user.key, now=now, detail=detail)
    return replace(user, etag=etag)


async def change_role(
    context: TenantContext, key: str, role: Role, *, etag: str, now: datetime
) -> User:
    """Raises Stale when the user was changed meanwhile, and Conflict for the last admin."""
    user = await get_user(context.store, key)
    if user.etag != etag:
        raise Stale("Somebody else changed this user. Read it again.")
    changed = replace(user, role=role)
    update = Operation(Write.UPDATE, key, changed.values(), etag)
    await _write(context.store, user, update, losing=role is not Role.ADMIN)
    detail = _detail(name=user.name, before=user.role, after=role)
    await audit.record(context.store, context.actor, "user.role", key, now=now, detail=detail)
    return await get_user(context.store, key)


async def remove_user(context: TenantContext, key: str, *, etag: str, now: datetime) -> None:
    """Raises Stale when the user was changed meanwhile, and Conflict for the last admin."""
    user = await get_user(context.store, key)
    if user.etag != etag:
        raise Stale("Somebody else changed this user. Read it again.")
    await _write(context.store, user, Operation(Write.DELETE, key, etag=etag), losing=True)
    await context.deployment.registry.unlink(key, context.tenant.tenant_id)
    detail = _detail(name=user.name, role=user.role)
    await audit.record(context.store, context.actor, "user.remove", key, now=now, detail=detail)


async def allow_app_roles(
    context: TenantContext, allowed: bool, *, etag: str, now: datetime
) -> str:
    """Whether app roles of the tenant's own directory make users without invitation.

    `etag` is that of the tenant's record, as is what is returned. Raises Stale when the record was changed meanwhile.
    """
    registry, tenant = context.deployment.registry, context.tenant
    before = tenant.app_roles
    if tenant.etag != etag:
        raise Stale("Somebody else changed this tenant. Read it again.")
    if allowed:
        await registry.link_directory(tenant.directory_id, tenant.tenant_id)
    etag = await context.store.update(
        Table.TENANT, ROW, replace(tenant, app_roles=allowed).values(), etag=etag
    )
    if not allowed:
        await registry.unlink_directory(tenant.directory_id, tenant.tenant_id)
    detail = _detail(before=before, after=allowed)
    await audit.record(
        context.store, context.actor, "users.appRoles", "tenant", now=now, detail=detail
    )
    return etag


async def _write(store: TenantStore, user: User, write: Operation, *, losing: bool) -> None:
    """Carries out a change of a user. One that takes an admin away shares a transaction with the guard row, so that
    two admins who remove each other at the same time cannot both succeed."""
    if user.role is not Role.ADMIN or not losing:
        await store.transact(Table.USER, [write])
        return
    for _ in range(MOST_TRIES):
        guard = await store.find(Table.USER, GUARD)
        if not await _has_other_admin(store, user.key):
            raise Conflict("This is the last admin. Make somebody else an admin first.")
        values = {"changed": user.key}
        turn = (
            Operation(Write.UPDATE, GUARD, values, guard.etag)
            if guard
            else Operation(Write.INSERT, GUARD, values)
        )
        try:
            await store.transact(Table.USER, [write, turn])
        except Conflict:
            if (await get_user(store, user.key)).etag != user.etag:
                raise Stale("Somebody else changed this user. Read it again.") from None
            continue
        return
    raise Stale("The admins of this tenant are being changed. Try again.")


def _detail(**values: str | bool) -> str:
    return msgspec.json.encode(values).decode()


async def _has_other_admin(store: TenantStore, key: str) -> bool:
    async for user in every_user(store):
        if user.role is Role.ADMIN and user.key != key:
            return True
    return False


async def every_user(store: TenantStore) -> AsyncIterator[User]:
    async for row in store.rows(Table.USER):
        if row.key >= KEYS_END:
            return
        yield read_user(row)
