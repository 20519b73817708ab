"""Who is let into a tenant: the one function decides, and nothing else makes a TenantStore."""

from __future__ import annotations

import ast
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from errors import Conflict, Forbidden, NotFound
from settings import Settings
from tenancy.access import TenantContext, enter, found, govern, serve
from tenancy.deployment import Deployment
from tenancy.ids import DirectoryId, ObjectId, TenantId
from tenancy.principal import PLATFORM_ROLE, Principal
from tenancy.roles import Permission, Role
from tenancy.store import Table
from tenancy.tenants import ROW, Tenant, TenantStatus, User

PROJECT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def someone(directory_id: str = "", *roles: str) -> Principal:
    directory = DirectoryId(directory_id or str(uuid.uuid4()))
    return Principal(directory, ObjectId(str(uuid.uuid4())), "Someone", frozenset(roles), False)


@pytest.fixture
def operator(settings: Settings) -> Principal:
    return someone(settings.platform_directory_id, PLATFORM_ROLE)


@pytest.fixture
async def context(deployment: Deployment, operator: Principal) -> TenantContext:
    """A tenant of the test's own, active."""
    tenant = Tenant(
        TenantId(str(uuid.uuid4())),
        "test",
        DirectoryId(str(uuid.uuid4())),
        TenantStatus.ACTIVE,
        NOW,
        fingerprint_secret="",
    )
    return await found(deployment, tenant, operator)


async def add_user(context: TenantContext, principal: Principal, role: Role) -> None:
    user = User(principal.directory_id, principal.object_id, "Someone", role, NOW, "test")
    await context.store.put(Table.USER, user.key, user.values())


async def set_status(context: TenantContext, status: TenantStatus) -> None:
    await context.store.put(Table.TENANT, ROW, replace(context.tenant, status=status).values())


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.VIEWER, {Permission.READ}),
        (Role.OPERATOR, {Permission.READ, Permission.OPERATE}),
        (Role.ADMIN, {Permission.READ, Permission.OPERATE, Permission.ADMINISTER}),
    ],
)
async def test_user_gets_the_permissions_of_its_role(
    deployment: Deployment, context: TenantContext, role: Role, allowed: set[Permission]
) -> None:
    user = someone()
    await add_user(context, user, role)
    inside = await enter(deployment, user, context.tenant.tenant_id, now=NOW)
    for permission in Permission:
        if permission in allowed:
            inside.require(permission)
        else:
            with pytest.raises(Forbidden):
                inside.require(permission)


async def test_absent_and_forbidden_are_one_answer(
    deployment: Deployment, context: TenantContext
) -> None:
    stranger = someone(context.tenant.directory_id)
    with pytest.raises(NotFound) as foreign:
        await enter(deployment, stranger, context.tenant.tenant_id, now=NOW)
    with pytest.raises(NotFound) as absent:
        await enter(deployment, stranger, TenantId(str(uuid.uuid4())), now=NOW)
    assert foreign.value.message == absent.value.message


async def test_same_name_with_another_object_id_inherits_nothing(
    deployment: Deployment, context: TenantContext
) -> None:
    user = someone()
    await add_user(context, user, Role.ADMIN)
    again = replace(user, object_id=ObjectId(str(uuid.uuid4())))
    guest = replace(user, directory_id=DirectoryId(str(uuid.uuid4())))
    for other in (again, guest):
        with pytest.raises(NotFound):
            await enter(deployment, other, context.tenant.tenant_id, now=NOW)


async def test_removed_user_is_out_at_once(deployment: Deployment, context: TenantContext) -> None:
    user = someone()
    await add_user(context, user, Role.ADMIN)
    await enter(deployment, user, context.tenant.tenant_id, now=NOW)
    await context.store.delete(Table.USER, user.key)
    with pytest.raises(NotFound):
        await enter(deployment, user, context.tenant.tenant_id, now=NOW)


async def test_suspended_tenant(deployment: Deployment, context: TenantContext) -> None:
    user = someone()
    await add_user(context, user, Role.ADMIN)
    await set_status(context, TenantStatus.SUSPENDED)
    with pytest.raises(Forbidden, match="suspended"):
        await enter(deployment, user, context.tenant.tenant_id, now=NOW)
    with pytest.raises(Conflict, match="suspended"):
        await serve(deployment, context.tenant.tenant_id)


@pytest.mark.parametrize("status", [TenantStatus.PROVISIONING, TenantStatus.DELETED])
async def test_half_made_and_deleted_tenants_are_not_there(
    deployment: Deployment, context: TenantContext, operator: Principal, status: TenantStatus
) -> None:
    user = someone()
    await add_user(context, user, Role.ADMIN)
    await set_status(context, status)
    for principal in (user, operator):
        with pytest.raises(NotFound):
            await enter(deployment, principal, context.tenant.tenant_id, now=NOW)
    with pytest.raises(NotFound):
        await serve(deployment, context.tenant.tenant_id)


async def test_platform_operator_leaves_one_entry_an_hour(
    deployment: Deployment, context: TenantContext, operator: Principal
) -> None:
    for minute in (1, 30, 59):
        now = NOW.replace(minute=minute)
        inside = await enter(deployment, operator, context.tenant.tenant_id, now=now)
        assert inside.role is Role.PLATFORM
    rows = [row async for row in context.store.rows(Table.AUDIT)]
    assert [row.values["action"] for row in rows] == ["platform.enter"]


async def test_only_platform_operators_found_and_govern(
    deployment: Deployment, context: TenantContext, settings: Settings
) -> None:
    for principal in (someone("", PLATFORM_ROLE), someone(settings.platform_directory_id)):
        with pytest.raises(NotFound):
            await govern(deployment, principal, context.tenant.tenant_id, now=NOW)
        with pytest.raises(NotFound):
            await found(deployment, replace(context.tenant, tenant_id=TenantId("x")), principal)


def test_tenant_store_is_made_in_one_module() -> None:
    makers = set()
    for path in PROJECT.rglob("*.py"):
        place = path.relative_to(PROJECT)
        if place.parts[0] not in {"api", "drift", "tenancy", "dev", "function_app.py"}:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "TenantStore":
                makers.add(str(place))
    assert makers == {"tenancy/access.py"}
