"""Tenants and users as rows, who a principal is in one, and the index that sign-in reads."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tenancy.ids import DirectoryId, ObjectId, TenantId
from tenancy.principal import Principal
from tenancy.quotas import Quotas
from tenancy.roles import Role
from tenancy.rows import Row
from tenancy.store import Table, Tables, TenantStore
from tenancy.tenants import (
    PLATFORM,
    ROW,
    Registry,
    Tenant,
    TenantStatus,
    User,
    UserKind,
    find_user,
    read_tenant,
    read_user,
    tenant_role,
)
from tests.tenancy.people import NOW, someone


@pytest.fixture
def registry(tables: Tables) -> Registry:
    return Registry(tables)


def new_tenant_id(mark: str = "") -> TenantId:
    return TenantId(mark + str(uuid.uuid4()))


TENANT = Tenant(
    TenantId("t"),
    "Contoso",
    DirectoryId("d"),
    TenantStatus.SUSPENDED,
    NOW,
    "secret-name",
    "0 6 * * *",
    NOW + timedelta(days=1),
    app_roles=True,
    quotas=Quotas(5, None, 7),
    connection="l-1",
)
USER = User(DirectoryId("d"), ObjectId("o"), "Ada", Role.ADMIN, NOW, "Pia", UserKind.APPLICATION)


def test_tenant_comes_back_from_its_row_as_it_was() -> None:
    values = {
        "name": "Contoso",
        "azure_tenant_id": "d",
        "status": "suspended",
        "created_at": NOW,
        "fingerprint_secret": "secret-name",
        "schedule": "0 6 * * *",
        "next_scan_at": NOW + timedelta(days=1),
        "app_roles": True,
        "connection": "l-1",
        "quota_resources": 5,
        "quota_scans_a_day": None,
        "quota_stored_bytes": 7,
    }
    assert TENANT.values() == values
    back = read_tenant(TenantId("t"), Row(ROW, values, "W/1"))
    assert back == replace(TENANT, etag="W/1")
    assert type(back.status) is TenantStatus


def test_row_of_a_tenant_without_what_came_later() -> None:
    """Nobody comes in by an app role that the tenant did not allow."""
    later = {"app_roles", "next_scan_at", "connection"}
    values = {
        name: value
        for name, value in TENANT.values().items()
        if name not in later and not name.startswith("quota_")
    }
    back = read_tenant(TenantId("t"), Row(ROW, values))
    known = replace(TENANT, quotas=Quotas(), connection="")
    assert back == replace(known, next_scan_at=None, app_roles=False)
    assert back.app_roles is False


def test_user_comes_back_from_its_row_as_it_was() -> None:
    values = {
        "directory_id": "d",
        "object_id": "o",
        "name": "Ada",
        "role": "admin",
        "added_at": NOW,
        "added_by": "Pia",
        "kind": "application",
    }
    assert USER.values() == values
    back = read_user(Row(USER.key, values, "W/1"))
    assert back == replace(USER, etag="W/1")
    assert (type(back.role), type(back.kind)) == (Role, UserKind)
    del values["kind"]
    assert read_user(Row(USER.key, values)).kind is UserKind.PERSON


def test_key_of_a_user_is_that_of_its_principal() -> None:
    principal = Principal(USER.directory_id, USER.object_id, "x", frozenset({"r"}), True)
    assert USER.key == principal.key


class Rows:
    """A store with one row, whatever is asked for."""

    def __init__(self, user: User | None) -> None:
        self._user = user
        self.asked: tuple[Table, str] | None = None

    async def find(self, table: Table, key: str) -> Row | None:
        self.asked = (table, key)
        return Row(key, self._user.values()) if self._user else None


def user_of(principal: Principal) -> User:
    kind = UserKind.APPLICATION if principal.application else UserKind.PERSON
    return User(principal.directory_id, principal.object_id, "x", Role.VIEWER, NOW, "y", kind)


@pytest.mark.parametrize("application", [False, True])
async def test_user_is_found_by_its_principal(application: bool) -> None:
    principal = replace(someone(), application=application)
    rows = Rows(user_of(principal))
    assert await find_user(rows, principal) == user_of(principal)
    assert rows.asked == (Table.USER, principal.key)
    assert await find_user(Rows(None), principal) is None


@pytest.mark.parametrize(
    "other",
    [
        {"directory_id": DirectoryId("elsewhere")},
        {"object_id": ObjectId("other")},
        {"kind": UserKind.APPLICATION},
    ],
    ids=lambda other: next(iter(other)),
)
async def test_row_that_is_not_the_principals_after_all_lets_nobody_in(
    other: dict[str, Any],
) -> None:
    """Two principals whose digests are the same; an application with the ids of a person, and the reverse."""
    principal = someone()
    assert await find_user(Rows(replace(user_of(principal), **other)), principal) is None
    application = replace(principal, application=True)
    assert await find_user(Rows(user_of(principal)), application) is None


@pytest.mark.parametrize(
    ("roles", "role"),
    [
        ([], None),
        (["Other", "Admin", "drift.admin", "Platform.Operator"], None),
        (["Drift.Viewer"], Role.VIEWER),
        (["Drift.Operator"], Role.OPERATOR),
        (["Drift.Admin"], Role.ADMIN),
        (["Drift.Admin", "Drift.Viewer"], Role.ADMIN),
        (["Drift.Operator", "Drift.Viewer", "Other"], Role.OPERATOR),
    ],
)
def test_strongest_app_role_counts_and_a_guests_none(roles: list[str], role: Role | None) -> None:
    principal = someone("", *roles)
    assert tenant_role(principal) is role
    assert tenant_role(replace(principal, guest=True)) is None


async def put(tables: Tables, tenant_id: TenantId, **members: Any) -> Tenant:
    tenant = replace(TENANT, tenant_id=tenant_id, **members)
    etag = await TenantStore(tables, tenant_id).put(Table.TENANT, ROW, tenant.values())
    return replace(tenant, etag=etag)


async def test_tenants_are_read_page_after_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand at a time, from the first to the last."""
    asked = []

    async def page(_: Registry, *, after: str, limit: int) -> tuple[list[Any], str]:
        asked.append((after, limit))
        return {"": (["a", "b"], "b"), "b": (["c"], "")}[after]

    monkeypatch.setattr(Registry, "page", page)
    assert [one async for one in Registry(SimpleNamespace()).tenants()] == ["a", "b", "c"]
    assert asked == [("", 1000), ("b", 1000)]


async def test_every_tenant_is_met_once_in_order(
    tables: Tables, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = sorted(
        [await put(tables, new_tenant_id("zz")) for _ in range(3)], key=lambda one: one.tenant_id
    )
    await TenantStore(tables, made[1].tenant_id).put(Table.TENANT, "another row", {"x": 1})
    before, ids = made[0].tenant_id[:-1], [one.tenant_id for one in made]
    page, cursor = await registry.page(after=before, limit=3)
    assert (page, cursor) == (made, "")
    pages = []
    for _ in ids:
        page, before = await registry.page(after=before, limit=1)
        pages.append([one.tenant_id for one in page])
    assert (pages, before) == ([[one] for one in ids], "")
    met = [one async for one in registry.tenants()]
    assert [one for one in met if one.tenant_id in ids] == made


class Asked:
    """A table client that has nothing, and remembers the options of what it was asked."""

    def __init__(self) -> None:
        self.options: list[dict[str, Any]] = []

    async def client(self, _: str) -> Asked:
        return self

    async def query_entities(self, query: str, **options: Any) -> AsyncIterator[Any]:
        self.options.append({"query": query, **options})
        for entity in ():
            yield entity

    async def get_entity(self, *key: str, **options: Any) -> dict[str, str]:
        self.options.append({"key": key, **options})
        return {"status": "active"}


@pytest.mark.parametrize(("limit", "asked_for"), [(1, 2), (999, 1000), (1000, 1000), (5000, 1000)])
async def test_page_asks_for_one_row_more_and_never_for_more_than_storage_gives(
    limit: int, asked_for: int
) -> None:
    """Storage refuses to be asked for more than 1,000."""
    asked = Asked()
    await Registry(asked).page(after="x", limit=limit)
    assert asked.options == [
        {
            "query": "PartitionKey gt @after and RowKey eq @row",
            "parameters": {"after": "x", "row": "tenant"},
            "results_per_page": asked_for,
        }
    ]


async def test_question_whether_a_tenant_is_open_reads_nothing_else_of_it() -> None:
    asked = Asked()
    assert await Registry(asked).is_open(TenantId("t"))
    assert asked.options == [{"key": ("t", "tenant"), "select": ["status"]}]


async def test_principal_is_led_to_the_tenants_it_was_linked_to(registry: Registry) -> None:
    principal, stranger = someone(), someone()
    first, second = sorted([new_tenant_id(), new_tenant_id()])
    for tenant_id in (second, first, first):
        await registry.link(principal.key, tenant_id)
    assert await registry.tenants_of(principal) == [first, second]
    assert await registry.tenants_of(stranger) == []
    for _ in range(2):  # what is not there is fine
        await registry.unlink(principal.key, first)
    assert await registry.tenants_of(principal) == [second]


async def test_directory_leads_only_those_with_an_app_role(registry: Registry) -> None:
    directory = DirectoryId(str(uuid.uuid4()))
    first, second = sorted([new_tenant_id(), new_tenant_id()])
    with_role, without = someone(directory, "Drift.Viewer"), someone(directory)
    for _ in range(2):
        await registry.link_directory(directory, first)
    await registry.link(with_role.key, second)
    await registry.link(with_role.key, first)
    assert await registry.tenants_of(with_role) == [first, second]
    assert await registry.tenants_of(without) == []
    assert await registry.tenants_of(replace(with_role, guest=True)) == [first, second]
    assert await registry.tenants_of(replace(someone(directory, "Drift.Viewer"), guest=True)) == []
    await registry.unlink_directory(directory, first)
    assert await registry.tenants_of(someone(directory, "Drift.Viewer")) == []


async def test_index_holds_ids_only(tables: Tables, registry: Registry) -> None:
    principal, directory, tenant_id = someone(), DirectoryId(str(uuid.uuid4())), new_tenant_id()
    await registry.link(principal.key, tenant_id)
    await registry.link_directory(directory, tenant_id)
    client = await tables.client(PLATFORM)
    for key in (principal.key, f"directory.{directory}"):
        row = {"PartitionKey": key, "RowKey": tenant_id, "tenant_id": tenant_id}
        assert dict(await client.get_entity(key, tenant_id)) == row


@pytest.mark.parametrize("status", TenantStatus)
async def test_tenant_is_open_to_members_or_not(
    tables: Tables, registry: Registry, status: TenantStatus
) -> None:
    tenant = await put(tables, new_tenant_id(), status=status)
    opened = status not in {TenantStatus.PROVISIONING, TenantStatus.DELETED}
    assert await registry.is_open(tenant.tenant_id) is opened
    assert await registry.is_open(new_tenant_id()) is False


async def test_signing_secret_is_the_one_that_was_set_last(
    tables: Tables, registry: Registry
) -> None:
    client = await tables.client(PLATFORM)
    await client.delete_entity("deployment", "signing")
    assert await registry.signing_secret() == ""
    for name in ("first", "second"):
        await registry.set_signing_secret(name)
        assert await registry.signing_secret() == name
    row = {"PartitionKey": "deployment", "RowKey": "signing", "secret_name": "second"}
    assert dict(await client.get_entity("deployment", "signing")) == row


async def test_last_tick_is_remembered(tables: Tables, registry: Registry) -> None:
    client = await tables.client(PLATFORM)
    await client.delete_entity("deployment", "tick")
    assert await registry.last_tick() is None
    for moment in (NOW, NOW + timedelta(minutes=1)):
        await registry.record_tick(moment)
        last = await registry.last_tick()
        assert last == moment
        assert last.tzinfo is UTC
