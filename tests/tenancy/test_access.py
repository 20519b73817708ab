"""Who is let into a tenant: the one function decides, and nothing else makes a TenantStore."""

from __future__ import annotations

import ast
import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from errors import Conflict, Forbidden, NotFound
from settings import Settings
from tenancy.access import (
    UNKNOWN,
    TenantContext,
    enter,
    found,
    govern,
    meter,
    redeem,
    serve,
    tell_denial,
    tend,
)
from tenancy.audit import SYSTEM, Actor
from tenancy.connections import Connection, ConnectionKind
from tenancy.deployment import Deployment
from tenancy.ids import DirectoryId, ObjectId, TenantId
from tenancy.invitations import NO_INVITATION, NewInvitation, invite
from tenancy.principal import PLATFORM_ROLE, Principal
from tenancy.queues import Queue
from tenancy.roles import Permission, Role
from tenancy.store import Table
from tenancy.tenants import ROW, TenantStatus, User, read_tenant
from tenancy.usage import Day
from tests.tenancy.people import NOW, someone

PROJECT = Path(__file__).resolve().parents[2]


async def add_user(context: TenantContext, principal: Principal, role: Role) -> None:
    user = User(principal.directory_id, principal.object_id, "Someone", role, NOW, "test")
    await context.store.put(Table.USER, user.key, user.values())


async def actions(context: TenantContext) -> list[str]:
    return [row.values["action"] async for row in context.store.rows(Table.AUDIT)]


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


async def test_suspended_tenant(
    deployment: Deployment, context: TenantContext, operator: Principal
) -> None:
    user = someone()
    await add_user(context, user, Role.ADMIN)
    await set_status(context, TenantStatus.SUSPENDED)
    with pytest.raises(Forbidden) as forbidden:
        await enter(deployment, user, context.tenant.tenant_id, now=NOW)
    assert forbidden.value.message == "This tenant is suspended. Ask the platform operator."
    with pytest.raises(Conflict) as conflict:
        await serve(deployment, context.tenant.tenant_id)
    assert conflict.value.message == "This tenant is suspended."
    assert (
        await enter(deployment, operator, context.tenant.tenant_id, now=NOW)
    ).role is Role.PLATFORM


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


async def test_system_serves_as_operator_and_tends_as_viewer(
    deployment: Deployment, context: TenantContext
) -> None:
    served = await serve(deployment, context.tenant.tenant_id)
    assert (served.actor, served.role) == (SYSTEM, Role.OPERATOR)
    await set_status(context, TenantStatus.DELETED)
    tended = tend(deployment, context.tenant)
    assert (tended.actor, tended.role, tended.tenant) == (SYSTEM, Role.VIEWER, context.tenant)
    assert tended.deployment is deployment
    for inside in (served, tended):
        assert inside.store.tenant_id == context.tenant.tenant_id
        secret = await context.vault.keep("connection", "mine")
        assert await inside.vault.read(secret) == "mine"


async def test_founded_tenant_is_known_as_it_is_stored(context: TenantContext) -> None:
    """Its ETag too, without which the next step of provisioning could not write."""
    row = await context.store.get(Table.TENANT, ROW)
    assert context.tenant == read_tenant(context.tenant.tenant_id, row)
    assert context.tenant.etag == row.etag != ""
    assert context.role is Role.PLATFORM


@pytest.mark.parametrize("status", [one for one in TenantStatus if one != TenantStatus.DELETED])
async def test_operator_governs_a_tenant_in_any_state_but_deleted(
    deployment: Deployment, context: TenantContext, operator: Principal, status: TenantStatus
) -> None:
    await set_status(context, status)
    inside = await govern(deployment, operator, context.tenant.tenant_id, now=NOW)
    assert (inside.tenant.status, inside.role) == (status, Role.PLATFORM)
    assert inside.actor == Actor(operator.key, operator.name)
    assert await actions(context) == ["platform.enter"]


async def test_nobody_governs_what_is_deleted_or_absent(
    deployment: Deployment, context: TenantContext, operator: Principal
) -> None:
    await set_status(context, TenantStatus.DELETED)
    for tenant_id in (context.tenant.tenant_id, TenantId(str(uuid.uuid4()))):
        with pytest.raises(NotFound) as refused:
            await govern(deployment, operator, tenant_id, now=NOW)
        assert refused.value.message == UNKNOWN
    assert await actions(context) == []


@pytest.mark.parametrize("application", [False, True])
async def test_who_acts_is_known_as_a_person_or_an_application(
    deployment: Deployment, context: TenantContext, operator: Principal, application: bool
) -> None:
    """An application is no second person: it approves nothing."""
    principal = replace(operator, application=application)
    inside = await enter(deployment, principal, context.tenant.tenant_id, now=NOW)
    assert inside.actor == Actor(operator.key, operator.name, application)


async def test_app_role_lets_in_where_the_tenant_allows_it(
    deployment: Deployment, context: TenantContext
) -> None:
    directory, tenant_id = context.tenant.directory_id, context.tenant.tenant_id
    own, foreign = someone(directory, "Drift.Operator"), someone("", "Drift.Operator")
    with pytest.raises(NotFound):
        await enter(deployment, own, tenant_id, now=NOW)
    await context.store.put(Table.TENANT, ROW, replace(context.tenant, app_roles=True).values())
    assert (await enter(deployment, own, tenant_id, now=NOW)).role is Role.OPERATOR
    for outsider in (foreign, someone(directory), replace(own, guest=True)):
        with pytest.raises(NotFound):
            await enter(deployment, outsider, tenant_id, now=NOW)
    await add_user(context, own, Role.VIEWER)  # its own row decides before any app role
    assert (await enter(deployment, own, tenant_id, now=NOW)).role is Role.VIEWER


async def test_who_knocks_elsewhere_is_told_of_in_its_own_open_tenants(
    deployment: Deployment, context: TenantContext, operator: Principal
) -> None:
    user = someone()
    names = [str(uuid.uuid4()) for _ in range(3)]
    home, closed, other = [
        await found(deployment, replace(context.tenant, tenant_id=TenantId(name)), operator)
        for name in names
    ]
    await set_status(closed, TenantStatus.DELETED)
    for one in (home, closed, context):
        await deployment.registry.link(user.key, one.tenant.tenant_id)
    for target in (context, other):
        with pytest.raises(NotFound):
            await enter(deployment, user, target.tenant.tenant_id, now=NOW)
    assert await actions(home) == ["access.denied"] * 2
    assert await actions(context) == [
        "access.denied"
    ]  # of the try at the other one; not of its own
    assert (await actions(closed), await actions(other)) == ([], [])
    rows = [row.values async for row in home.store.rows(Table.AUDIT)]
    assert {row["target"] for row in rows} == {context.tenant.tenant_id, other.tenant.tenant_id}
    assert {(row["actor"], row["actor_name"]) for row in rows} == {(user.key, user.name)}


async def test_denial_is_told_in_a_few_tenants_only(
    deployment: Deployment, context: TenantContext, operator: Principal
) -> None:
    user = someone()
    tenants = [replace(context.tenant, tenant_id=TenantId(str(uuid.uuid4()))) for _ in range(7)]
    own = [await found(deployment, tenant, operator) for tenant in tenants]
    for one in own:
        await deployment.registry.link(user.key, one.tenant.tenant_id)
    await tell_denial(deployment, user, context.tenant.tenant_id, now=NOW)
    told = [await actions(one) for one in own]
    assert sorted(told) == [[]] * 2 + [["access.denied"]] * 5


async def test_credential_is_of_the_tenant_itself(
    deployment: Deployment, context: TenantContext, operator: Principal
) -> None:
    """One that was kept for a tenant must never be another's."""
    tenant = replace(context.tenant, tenant_id=TenantId(str(uuid.uuid4())))
    other = await found(deployment, tenant, operator)
    for one in (context, other):
        name = await one.vault.keep("connection", "secret")
        values = Connection(
            ConnectionKind.CLIENT_SECRET, context.tenant.directory_id, "c", name, name, NOW, "test"
        ).values()
        await one.store.put(Table.CONNECTION, "connection", values)
    mine, theirs = await context.credential(), await other.credential()
    assert mine is not theirs
    assert await context.credential() is mine
    assert await other.credential() is theirs


async def test_fingerprint_key_is_the_tenants_secret(context: TenantContext) -> None:
    tenant = replace(
        context.tenant, fingerprint_secret=await context.vault.keep("fingerprint", "k\u00e9y")
    )
    assert await replace(context, tenant=tenant).fingerprint_key() == "k\u00e9y".encode()


class Outbox:
    """Queues that keep what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[object, ...]] = []

    async def send(self, queue: Queue, body: object, *, delay: int) -> None:
        self.sent.append((queue, body, delay))


async def test_message_names_its_tenant_whatever_the_body_says(context: TenantContext) -> None:
    outbox, tenant_id = Outbox(), context.tenant.tenant_id
    inside = replace(context, deployment=SimpleNamespace(queues=outbox))
    await inside.send(Queue.NOTICES, {"id": "n", "tenant_id": "another"})
    await inside.send(Queue.SCAN_TENANT, {}, delay=30)
    assert outbox.sent == [
        (Queue.NOTICES, {"id": "n", "tenant_id": tenant_id}, 0),
        (Queue.SCAN_TENANT, {"tenant_id": tenant_id}, 30),
    ]


async def test_meter_is_of_one_tenant_and_for_platform_operators(
    deployment: Deployment, context: TenantContext, operator: Principal
) -> None:
    tenant_id, day = context.tenant.tenant_id, NOW.date()
    await context.store.put(Table.USAGE, f"day.{day}.test", {"scans": 4})
    assert await meter(deployment, operator, tenant_id).days(day, day) == [Day(day, scans=4)]
    assert await meter(deployment, operator, TenantId(str(uuid.uuid4()))).days(day, day) == []
    with pytest.raises(NotFound) as refused:
        meter(deployment, someone(), tenant_id)
    assert refused.value.message == UNKNOWN


@pytest.fixture
async def code(context: TenantContext) -> str:
    """Of an invitation to become operator."""
    new = NewInvitation("Gina", Role.OPERATOR, "", NOW + timedelta(days=1), by_platform=True)
    return (await invite(context.store, Actor("k", "Pia"), new, now=NOW))[1]


async def test_invited_one_is_inside_with_the_role_of_the_invitation(
    deployment: Deployment, context: TenantContext, code: str
) -> None:
    guest = someone()
    inside = await redeem(deployment, guest, code, now=NOW)
    assert (inside.role, inside.tenant.tenant_id) == (Role.OPERATOR, context.tenant.tenant_id)
    assert inside.actor == Actor(guest.key, guest.name)
    assert inside.deployment is deployment
    assert inside.store.tenant_id == context.tenant.tenant_id
    entered = await enter(deployment, guest, context.tenant.tenant_id, now=NOW)
    assert entered.role is Role.OPERATOR
    assert await deployment.registry.tenants_of(guest) == [context.tenant.tenant_id]


@pytest.mark.parametrize("status", [one for one in TenantStatus if one != TenantStatus.ACTIVE])
async def test_invitation_into_a_tenant_that_is_not_active(
    deployment: Deployment, context: TenantContext, code: str, status: TenantStatus
) -> None:
    await set_status(context, status)
    with pytest.raises(NotFound) as refused:
        await redeem(deployment, someone(), code, now=NOW)
    assert refused.value.message == NO_INVITATION


async def test_codes_that_are_none_have_one_answer(
    deployment: Deployment, context: TenantContext, code: str
) -> None:
    tenant_id, _, secret = code.partition(".")
    wrong = ["", ".", secret, tenant_id, f"{tenant_id}.", f"{tenant_id}.x", f"{uuid.uuid4()}.x"]
    wrong += [f"{uuid.uuid4()}.{secret}", f"{tenant_id.upper()}.{secret}", f"{tenant_id}..{secret}"]
    for text in wrong:
        with pytest.raises(NotFound) as refused:
            await redeem(deployment, someone(), text, now=NOW)
        assert refused.value.message == NO_INVITATION
    assert (await redeem(deployment, someone(), code, now=NOW)).role is Role.OPERATOR


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
