"""Credentials in memory: one a tenant and generation, never closed under who uses it, never kept for ever.

E10, F10.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from azure.core.credentials import AccessToken

from errors import NotFound
from settings import Settings
from tenancy import connections
from tenancy.access import TenantContext, found
from tenancy.connections import (
    IDLE_SECONDS,
    LONGEST_USE,
    ROW,
    Connection,
    ConnectionKind,
    Credentials,
    read_connection,
)
from tenancy.deployment import Deployment
from tenancy.ids import DirectoryId, ObjectId, TenantId
from tenancy.principal import PLATFORM_ROLE, Principal
from tenancy.rows import Row
from tenancy.store import Table
from tenancy.tenants import Tenant, TenantStatus

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Used:
    """A token source that says whether it was closed."""

    def __init__(self, connection: Connection, secret: str) -> None:
        self.made_of = (connection.generation, secret)
        self.closed = False

    async def get_token(self, *_, **__) -> AccessToken:
        assert not self.closed
        return AccessToken("token", 2**40)

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def credentials(settings: Settings, time: Time, monkeypatch: pytest.MonkeyPatch) -> Credentials:
    monkeypatch.setattr(
        connections, "make_credential", lambda connection, secret, _: Used(connection, secret)
    )
    return Credentials(settings, clock=time)


@pytest.fixture
def make(deployment: Deployment, settings: Settings):
    home = DirectoryId(settings.platform_directory_id)
    operator = Principal(
        home, ObjectId(str(uuid.uuid4())), "Pia", frozenset({PLATFORM_ROLE}), False
    )

    async def make_tenant() -> TenantContext:
        tenant = Tenant(TenantId(str(uuid.uuid4())), "t", home, TenantStatus.ACTIVE, NOW, "")
        context = await found(deployment, tenant, operator)
        await connect(context, "first")
        return context

    return make_tenant


def connection(kind: ConnectionKind = ConnectionKind.CLIENT_SECRET) -> Connection:
    directory = DirectoryId(str(uuid.uuid4()))
    return Connection(kind, directory, str(uuid.uuid4()), "", uuid.uuid4().hex, NOW, "test")


async def connect(context: TenantContext, secret: str) -> None:
    name = await context.vault.keep("connection", secret)
    await context.store.put(Table.CONNECTION, ROW, replace(connection(), secret_name=name).values())


async def ask(credentials: Credentials, context: TenantContext):
    found = await credentials.of(context.tenant.tenant_id, context.store, context.vault)
    return found.token_source


async def test_two_tenants_never_share_one(credentials, make) -> None:
    one, other = await make(), await make()
    mine, theirs = await ask(credentials, one), await ask(credentials, other)
    assert mine is not theirs
    assert await ask(credentials, one) is mine


async def test_change_counts_at_once_and_closes_nothing_under_a_scan(
    credentials, make, time
) -> None:
    context = await make()
    held = await ask(credentials, context)
    await connect(context, "second")
    fresh = await ask(credentials, context)
    assert (held.made_of[1], fresh.made_of[1]) == ("first", "second")
    time.now = LONGEST_USE - 1
    assert await ask(credentials, context) is fresh
    assert not held.closed
    assert (await held.get_token("scope")).token == "token"
    time.now = LONGEST_USE
    await ask(credentials, context)
    assert (held.closed, fresh.closed) == (True, False)


async def test_forgotten_one_is_closed_later_too(credentials, make, time) -> None:
    context, other = await make(), await make()
    held = await ask(credentials, context)
    credentials.forget(context.tenant.tenant_id)
    assert not held.closed
    time.now = LONGEST_USE
    await ask(credentials, other)
    assert held.closed


async def test_idle_one_leaves_memory(credentials, make, time) -> None:
    idle, busy = await make(), await make()
    held = await ask(credentials, idle)
    time.now = IDLE_SECONDS - 1
    used = await ask(credentials, busy)
    assert len(credentials._known) == 2
    time.now = IDLE_SECONDS
    assert await ask(credentials, busy) is used
    assert list(credentials._known) == [busy.tenant.tenant_id]
    time.now += LONGEST_USE
    await ask(credentials, busy)
    assert held.closed


async def test_overflow_forgets_the_longest_unused(
    credentials, make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LARGEST_CACHE", 2)
    first, second, third = await make(), await make(), await make()
    held = [await ask(credentials, context) for context in (first, second, third)]
    assert first.tenant.tenant_id not in credentials._known
    assert await ask(credentials, third) is held[2]
    assert [one.closed for one in held] == [False] * 3


def test_connection_comes_back_from_its_row_as_it_was() -> None:
    made = replace(
        connection(ConnectionKind.CERTIFICATE),
        secret_name="s",
        secret_expires_at=NOW,
        lineage="l",
        etag="W/1",
    )
    values = {
        "kind": "certificate",
        "directory_id": made.directory_id,
        "client_id": made.client_id,
        "secret_name": "s",
        "generation": made.generation,
        "updated_at": NOW,
        "updated_by": "test",
        "secret_expires_at": NOW,
        "lineage": "l",
    }
    assert made.values() == values
    assert read_connection(Row(ROW, values, "W/1")) == made
    del values["secret_expires_at"], values["lineage"]
    assert read_connection(Row(ROW, values)) == replace(
        made, secret_expires_at=None, lineage="", etag=""
    )


async def test_tenant_without_a_connection_is_told_so(credentials, context: TenantContext) -> None:
    with pytest.raises(NotFound) as absent:
        await ask(credentials, context)
    assert absent.value.message == "This tenant has no connection to Azure yet."


async def test_two_tasks_that_ask_at_once_get_one(credentials, make) -> None:
    """Else each would hold tokens that the other does not know, and one would never be closed."""
    context = await make()
    first, second = await asyncio.gather(ask(credentials, context), ask(credentials, context))
    assert first is second
    assert list(credentials._known) == [context.tenant.tenant_id]
    assert not credentials._retired


async def test_credential_in_memory_needs_no_vault(credentials, make) -> None:
    """Its secret is read once a generation, not at every use."""
    context = await make()
    held = await credentials.of(context.tenant.tenant_id, context.store, context.vault)
    assert await credentials.of(context.tenant.tenant_id, context.store, None) is held


async def test_kind_without_a_secret_asks_the_vault_for_none(
    credentials, context: TenantContext
) -> None:
    row = connection(ConnectionKind.FEDERATED)
    await context.store.put(Table.CONNECTION, ROW, row.values())
    used = await credentials.of(context.tenant.tenant_id, context.store, None)
    assert used.token_source.made_of == (row.generation, "")
    assert used.only_directory == ""


async def test_lighthouse_reads_its_own_directory_only(credentials, context: TenantContext) -> None:
    """The app's identity is shown the subscriptions of all who delegated some."""
    row = connection(ConnectionKind.LIGHTHOUSE)
    await context.store.put(Table.CONNECTION, ROW, row.values())
    used = await credentials.of(context.tenant.tenant_id, context.store, context.vault)
    assert used.only_directory == row.directory_id


async def test_credential_knows_the_lineage_of_its_connection(
    credentials, context: TenantContext
) -> None:
    row = replace(connection(ConnectionKind.FEDERATED), lineage="of before the secret was changed")
    await context.store.put(Table.CONNECTION, ROW, row.values())
    used = await credentials.of(context.tenant.tenant_id, context.store, None)
    assert used.lineage == row.lineage


async def test_credential_that_is_asked_for_stays(credentials, make, time) -> None:
    """However long it is in use: only what nobody asked for is idle."""
    context = await make()
    held = await ask(credentials, context)
    for _ in range(3):
        time.now += IDLE_SECONDS - 1
        assert await ask(credentials, context) is held


async def test_longest_unused_leaves_first(
    credentials, make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LARGEST_CACHE", 3)
    first, second, third, fourth = [await make() for _ in range(4)]
    for context in (first, second, first, third, fourth):
        await ask(credentials, context)
    kept = [context.tenant.tenant_id for context in (first, third, fourth)]
    assert list(credentials._known) == kept[-2:] or list(credentials._known) == kept
    assert second.tenant.tenant_id not in credentials._known


async def test_closing_closes_all_there_is(credentials, make) -> None:
    one, other = await make(), await make()
    held = [await ask(credentials, one), await ask(credentials, other)]
    credentials.forget(one.tenant.tenant_id)
    credentials.forget(one.tenant.tenant_id)  # again is no harm
    await credentials.close()
    assert [used.closed for used in held] == [True, True]
    assert (len(credentials._known), len(credentials._retired)) == (0, 0)
