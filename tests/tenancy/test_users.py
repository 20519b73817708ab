"""Changes of who is a user: in which order they are written, what the trail says, and the last admin."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import Any

import pytest

from errors import Conflict, Invalid, NotFound, Stale
from tenancy import users as module
from tenancy.access import TenantContext
from tenancy.audit import Actor
from tenancy.ids import DirectoryId
from tenancy.roles import Role
from tenancy.sightings import Sightings, Way
from tenancy.store import Operation, Table, TenantStore
from tenancy.tenants import ROW, User, UserKind, read_tenant
from tenancy.users import (
    GUARD,
    add_user,
    allow_app_roles,
    change_role,
    every_user,
    get_user,
    page_known,
    page_users,
    remove_user,
)
from tests.tenancy.people import NOW, someone

NO_USER = "There is no such user."
CHANGED = "Somebody else changed this user. Read it again."
LAST = "This is the last admin. Make somebody else an admin first."


def new_user(context: TenantContext, role: Role = Role.VIEWER, **members: Any) -> User:
    principal = someone(context.tenant.directory_id)
    user = User(principal.directory_id, principal.object_id, "Olga", role, NOW, "Ada")
    return replace(user, **members)


@pytest.fixture
def inside(context: TenantContext) -> TenantContext:
    """An admin of the tenant instead of the platform's operator."""
    return replace(context, role=Role.ADMIN)


async def trail(context: TenantContext) -> list[tuple[str, str, dict[str, Any]]]:
    rows = [row.values async for row in context.store.rows(Table.AUDIT)]
    assert {(row["actor"], row["actor_name"], row["at"]) for row in rows} <= {
        (context.actor.key, context.actor.name, NOW)
    }
    return [(row["action"], row["target"], json.loads(row["detail"])) for row in rows]


async def linked(context: TenantContext, user: User) -> bool:
    principal = replace(someone(), directory_id=user.directory_id, object_id=user.object_id)
    return context.tenant.tenant_id in await context.deployment.registry.tenants_of(principal)


async def test_user_is_added_with_its_link_and_an_entry(inside: TenantContext) -> None:
    given = new_user(inside, kind=UserKind.APPLICATION)
    user = await add_user(inside, given, now=NOW)
    assert user == replace(given, etag=user.etag)
    assert await get_user(inside.store, user.key) == user
    assert await linked(inside, user)
    detail = {"name": "Olga", "role": "viewer", "kind": "application"}
    assert await trail(inside) == [("user.add", user.key, detail)]
    with pytest.raises(Conflict) as twice:
        await add_user(inside, replace(given, role=Role.ADMIN), now=NOW)
    assert twice.value.message == "This principal is a user already. Change its role instead."
    assert await get_user(inside.store, user.key) == user
    assert len(await trail(inside)) == 1


async def test_principal_of_another_directory_is_the_platforms_to_add(
    inside: TenantContext, context: TenantContext
) -> None:
    guest = new_user(inside, directory_id=DirectoryId(str(uuid.uuid4())))
    with pytest.raises(Invalid) as refused:
        await add_user(inside, guest, now=NOW)
    assert refused.value.field == "directoryId"
    assert refused.value.message == (
        "Only principals of the tenant's own directory can be added. Send others an invitation."
    )
    assert not await linked(inside, guest)
    assert (await add_user(context, guest, now=NOW)).directory_id == guest.directory_id


async def fill(context: TenantContext) -> list[User]:
    """Three users in order, and every other kind of row that the table has."""
    users = [await add_user(context, new_user(context), now=NOW) for _ in range(3)]
    for key in (GUARD, "invitation.0", "seen.0"):
        await context.store.put(Table.USER, key, {"x": 1})
    return sorted(users, key=lambda user: user.key)


async def test_pages_are_of_users_only(inside: TenantContext) -> None:
    users = await fill(inside)
    assert [user async for user in every_user(inside.store)] == users
    assert await page_users(inside.store, after="", limit=3) == (users, users[2].key)
    assert await page_users(inside.store, after="", limit=10) == (users, "")
    assert await page_users(inside.store, after="", limit=4) == (users, "")
    assert await page_users(inside.store, after="", limit=2) == (users[:2], users[1].key)
    assert await page_users(inside.store, after=users[1].key, limit=1) == (users[2:], users[2].key)
    assert await page_users(inside.store, after=users[2].key, limit=1) == ([], "")


@pytest.mark.parametrize("key", ["0" * 40, GUARD, "invitation.0", "seen.0", "g"])
async def test_row_that_is_no_user_is_none(inside: TenantContext, key: str) -> None:
    await fill(inside)
    with pytest.raises(NotFound) as refused:
        await get_user(inside.store, key)
    assert refused.value.message == NO_USER


async def test_role_is_changed_once_for_one_etag(inside: TenantContext) -> None:
    user = await add_user(inside, new_user(inside), now=NOW)
    changed = await change_role(inside, user.key, Role.OPERATOR, etag=user.etag, now=NOW)
    assert changed == replace(user, role=Role.OPERATOR, etag=changed.etag)
    assert changed == await get_user(inside.store, user.key)
    assert changed.etag != user.etag
    with pytest.raises(Stale) as stale:
        await change_role(inside, user.key, Role.ADMIN, etag=user.etag, now=NOW)
    assert stale.value.message == CHANGED
    detail = {"name": "Olga", "before": "viewer", "after": "operator"}
    assert ("user.role", user.key, detail) in await trail(inside)
    assert len(await trail(inside)) == 2


async def test_user_is_removed_with_its_link_once_for_one_etag(inside: TenantContext) -> None:
    user = await add_user(inside, new_user(inside), now=NOW)
    with pytest.raises(Stale) as stale:
        await remove_user(inside, user.key, etag="W/old", now=NOW)
    assert stale.value.message == CHANGED
    assert await linked(inside, user)
    await remove_user(inside, user.key, etag=user.etag, now=NOW)
    with pytest.raises(NotFound):
        await get_user(inside.store, user.key)
    assert not await linked(inside, user)
    detail = {"name": "Olga", "role": "viewer"}
    assert ("user.remove", user.key, detail) in await trail(inside)
    assert len(await trail(inside)) == 2


async def test_last_admin_stays_admin(inside: TenantContext) -> None:
    ada = await add_user(inside, new_user(inside, Role.ADMIN), now=NOW)
    await add_user(inside, new_user(inside, Role.OPERATOR), now=NOW)
    for role in (Role.VIEWER, Role.OPERATOR, Role.PLATFORM):
        with pytest.raises(Conflict) as conflict:
            await change_role(inside, ada.key, role, etag=ada.etag, now=NOW)
        assert conflict.value.message == LAST
    with pytest.raises(Conflict) as conflict:
        await remove_user(inside, ada.key, etag=ada.etag, now=NOW)
    assert conflict.value.message == LAST
    assert await get_user(inside.store, ada.key) == ada
    again = await change_role(inside, ada.key, Role.ADMIN, etag=ada.etag, now=NOW)
    assert await inside.store.find(Table.USER, GUARD) is None  # nothing was lost
    other = await add_user(inside, new_user(inside, Role.ADMIN), now=NOW)
    await change_role(inside, ada.key, Role.VIEWER, etag=again.etag, now=NOW)
    guard = await inside.store.get(Table.USER, GUARD)
    assert guard.values == {"changed": ada.key}
    third = await add_user(inside, new_user(inside, Role.ADMIN), now=NOW)
    await remove_user(inside, other.key, etag=other.etag, now=NOW)
    guard = await inside.store.get(Table.USER, GUARD)
    assert guard.values == {"changed": other.key}
    with pytest.raises(Conflict):
        await remove_user(inside, third.key, etag=third.etag, now=NOW)


class Contended:
    """The tenant's store, in which somebody else is faster: `meanwhile` happens before each of our transactions."""

    def __init__(self, store: TenantStore, meanwhile: Any, *, times: int = 1) -> None:
        self._store = store
        self._meanwhile = meanwhile
        self.left = times
        self.tries = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def transact(self, table: Table, operations: list[Operation]) -> None:
        self.tries += 1
        if self.left:
            self.left -= 1
            await self._meanwhile()
        await self._store.transact(table, operations)


async def two_admins(inside: TenantContext) -> tuple[User, User]:
    ada, bob = [await add_user(inside, new_user(inside, Role.ADMIN), now=NOW) for _ in range(2)]
    return ada, bob


@pytest.mark.parametrize("guarded", [False, True])
async def test_two_admins_cannot_remove_each_other_at_the_same_time(
    inside: TenantContext, guarded: bool
) -> None:
    ada, bob = await two_admins(inside)
    if guarded:
        await inside.store.put(Table.USER, GUARD, {"changed": "x"})

    async def meanwhile() -> None:
        await remove_user(inside, bob.key, etag=bob.etag, now=NOW)

    store = Contended(inside.store, meanwhile)
    with pytest.raises(Conflict) as conflict:
        await remove_user(replace(inside, store=store), ada.key, etag=ada.etag, now=NOW)
    assert conflict.value.message == LAST
    assert [user.key async for user in every_user(inside.store)] == [ada.key]


async def test_admin_who_was_changed_meanwhile_is_read_again(inside: TenantContext) -> None:
    ada, _ = await two_admins(inside)

    async def meanwhile() -> None:
        await inside.store.put(Table.USER, ada.key, ada.values())

    store = Contended(inside.store, meanwhile, times=9)
    with pytest.raises(Stale) as stale:
        await remove_user(replace(inside, store=store), ada.key, etag=ada.etag, now=NOW)
    assert stale.value.message == CHANGED
    assert store.tries == 1


async def test_user_who_becomes_admin_meanwhile_is_not_removed_as_a_viewer(
    inside: TenantContext,
) -> None:
    """Else the admin who relied on the new one and left would have left nobody."""
    user = await add_user(inside, new_user(inside), now=NOW)

    async def meanwhile() -> None:
        await change_role(inside, user.key, Role.ADMIN, etag=user.etag, now=NOW)

    store = Contended(inside.store, meanwhile)
    with pytest.raises(Stale):
        await remove_user(replace(inside, store=store), user.key, etag=user.etag, now=NOW)
    assert (await get_user(inside.store, user.key)).role is Role.ADMIN
    assert await linked(inside, user)


@pytest.mark.parametrize(("times", "done"), [(4, True), (5, False)])
async def test_turn_among_many_changes_comes_or_is_given_up(
    inside: TenantContext, times: int, done: bool
) -> None:
    ada, _ = await two_admins(inside)

    async def meanwhile() -> None:
        await inside.store.put(Table.USER, GUARD, {"changed": "somebody"})

    store = Contended(inside.store, meanwhile, times=times)
    contended = replace(inside, store=store)
    if done:
        await remove_user(contended, ada.key, etag=ada.etag, now=NOW)
        assert await inside.store.find(Table.USER, ada.key) is None
    else:
        with pytest.raises(Stale) as stale:
            await remove_user(contended, ada.key, etag=ada.etag, now=NOW)
        assert stale.value.message == "The admins of this tenant are being changed. Try again."
        assert await get_user(inside.store, ada.key) == ada
    assert store.tries == 5


async def test_change_of_no_admin_waits_for_nobody(inside: TenantContext) -> None:
    user = await add_user(inside, new_user(inside, Role.OPERATOR), now=NOW)
    await change_role(inside, user.key, Role.VIEWER, etag=user.etag, now=NOW)
    assert await inside.store.find(Table.USER, GUARD) is None


async def test_app_roles_are_allowed_and_forbidden_with_the_directorys_link(
    inside: TenantContext,
) -> None:
    member = someone(inside.tenant.directory_id, "Drift.Viewer")
    tenant_id, registry = inside.tenant.tenant_id, inside.deployment.registry

    async def state() -> tuple[bool, bool]:
        row = await inside.store.get(Table.TENANT, ROW)
        return read_tenant(tenant_id, row).app_roles, tenant_id in await registry.tenants_of(member)

    before = await inside.store.get(Table.TENANT, ROW)
    etag = await allow_app_roles(inside, True, etag=before.etag, now=NOW)
    after = await inside.store.get(Table.TENANT, ROW)
    assert (after.values, after.etag) == (before.values | {"app_roles": True}, etag)
    assert await state() == (True, True)
    entry = ("users.appRoles", "tenant", {"before": False, "after": True})
    assert await trail(inside) == [entry]
    allowed = replace(inside, tenant=read_tenant(tenant_id, after))
    for context in (inside, allowed):
        with pytest.raises(Stale) as stale:
            await allow_app_roles(context, False, etag=before.etag, now=NOW)
    assert stale.value.message == "Somebody else changed this tenant. Read it again."
    assert await state() == (True, True)
    await allow_app_roles(allowed, False, etag=etag, now=NOW)
    assert await state() == (False, False)
    undone = ("users.appRoles", "tenant", {"before": True, "after": False})
    assert sorted(await trail(inside), key=str) == sorted([entry, undone], key=str)


async def test_everybody_known_is_met_once_in_order(inside: TenantContext) -> None:
    """Those with a row, those who came in without one, and those who are both."""
    users = await fill(inside)
    await inside.store.delete(Table.USER, "seen.0")
    visits = Sightings()
    for key in (users[1].key, "f" * 40, "0" * 40):
        await visits.record(inside.store, Actor(key, "N"), Role.VIEWER, Way.USER, now=NOW)
    whole, cursor = await page_known(inside.store, after="", limit=9)
    keys = sorted([*(user.key for user in users), "f" * 40, "0" * 40])
    assert ([one.key for one in whole], cursor) == (keys, "")
    by_key = {one.key: one for one in whole}
    assert [by_key[user.key].user for user in users] == users
    assert [by_key[user.key].seen is None for user in users] == [True, False, True]
    assert (by_key["0" * 40].user, by_key["f" * 40].user) == (None, None)
    seen = by_key["0" * 40].seen
    assert seen is not None
    assert seen.at == NOW
    for limit in (1, 2, 3, 4, 5):
        met, cursor = [], ""
        for _ in range(-(-len(whole) // limit)):
            page, cursor = await page_known(inside.store, after=cursor, limit=limit)
            met += page
        assert (met, cursor) == (whole, "")
    assert await page_known(inside.store, after="g", limit=1) == ([], "")


async def test_page_of_those_known_goes_on_while_either_list_does(inside: TenantContext) -> None:
    users = await fill(inside)
    await inside.store.delete(Table.USER, "seen.0")
    page, cursor = await page_known(inside.store, after="", limit=2)
    assert ([one.user for one in page], cursor) == (users[:2], users[1].key)
    for user in users:
        await inside.store.delete(Table.USER, user.key)
    visits = Sightings()
    for key in ("a", "b", "c"):
        await visits.record(inside.store, Actor(key, "N"), Role.VIEWER, Way.USER, now=NOW)
    page, cursor = await page_known(inside.store, after="", limit=2)
    assert ([(one.key, one.user) for one in page], cursor) == ([("a", None), ("b", None)], "b")


def test_other_rows_of_the_table_sort_behind_the_users() -> None:
    assert all(key >= module.KEYS_END for key in (GUARD, "invitation.", "seen."))
    assert max("0123456789abcdef") < module.KEYS_END
