"""Tenants come and go: provisioning at once or step by step, suspend, resume, rename, delete.

Provisioning can be repeated after a failure: the same Operation-Id is the same tenant, each step is idempotent, and
until the last one nobody can enter.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import uuid
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from drift.connection import (
    NewConnection,
    find_connection,
    remove_connection,
    set_connection,
    verify,
)
from drift.endings import cancel_open_scans
from drift.erasure import ask
from drift.preferences import Preferences, check, get_preferences, next_slot
from drift.subscriptions import release_all
from drift.tenant_settings import start_preferences
from errors import Conflict, DriftError, Invalid, NotFound, Refused
from tenancy import audit
from tenancy.access import TenantContext, found, govern, require_platform
from tenancy.connections import Connection
from tenancy.deployment import Deployment
from tenancy.ids import DirectoryId, ObjectId, TenantId
from tenancy.principal import Principal
from tenancy.records import change_tenant
from tenancy.roles import Role
from tenancy.store import Table
from tenancy.tenants import ROW, Tenant, TenantStatus, User

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    directory_id: DirectoryId
    object_id: ObjectId
    name: str


@dataclass(frozen=True, slots=True)
class NewTenant:
    """Name and directory make the record; what is not given here can be given by later requests."""

    name: str
    directory_id: DirectoryId
    admin: FirstAdmin | None = None
    connection: NewConnection | None = None
    preferences: Preferences | None = None
    operation_id: str = ""


@dataclass(frozen=True, slots=True)
class Provisioned:
    context: TenantContext
    created: bool  # False: the same Operation-Id again


async def provision(
    deployment: Deployment, principal: Principal, new: NewTenant, *, now: datetime
) -> Provisioned:
    """Makes a tenant with everything that is given, and ready for use when that is enough. Raises Invalid (422) with
    Entra's words when its credential is refused; then nothing was created."""
    require_platform(deployment, principal)
    if new.preferences:
        check(new.preferences)
    if new.connection:
        await _verify(deployment, new.connection, new.directory_id, now=now)
    made = await _record(deployment, principal, new, now=now)
    context = made.context
    if context.tenant.status is not TenantStatus.PROVISIONING:
        return made
    if new.preferences:
        await give_preferences(context, new.preferences, now=now)
    if new.connection:
        await give_connection(context, new.connection, now=now)
    if new.admin:
        await give_admin(context, new.admin, now=now)
    if new.admin and new.preferences:
        made = replace(made, context=await activate(context, now=now))
    return made


async def give_preferences(
    context: TenantContext, preferences: Preferences, *, now: datetime
) -> None:
    """Given twice, they are the later ones."""
    _require_provisioning(context, "PUT /api/settings")
    await start_preferences(context, preferences, now=now)


async def give_connection(
    context: TenantContext, new: NewConnection, *, now: datetime
) -> Connection:
    """Given twice, it is the later one."""
    _require_provisioning(context, "PUT /api/connection")
    return await set_connection(context, new, before=await find_connection(context), now=now)


async def give_admin(context: TenantContext, admin: FirstAdmin, *, now: datetime) -> None:
    """The one who may enter first. Given twice, it is the later one alone."""
    _require_provisioning(context, "/api/users")
    await _add_admin(context, admin, now=now)


async def activate(context: TenantContext, *, now: datetime) -> TenantContext:
    """The last step: from now on its users can enter. Raises Conflict, saying what is missing."""
    if context.tenant.status is TenantStatus.ACTIVE:
        return context
    _require_provisioning(context, "POST /api/tenants/{id}/resume")
    missing = await _list_required(context)
    if missing:
        raise Conflict(f"This tenant is not complete. {' '.join(missing)}")
    return await _activate(context, now=now)


async def list_missing(context: TenantContext) -> list[str]:
    """What a tenant still lacks, in words for the platform operator."""
    missing = await _list_required(context)
    if await find_connection(context) is None:
        missing.append(
            "Its connection to Azure: PUT /api/tenants/{id}/connection, or its admin gives it later."
        )
    return missing


async def _list_required(context: TenantContext) -> list[str]:
    missing = []
    try:
        await get_preferences(context.store)
    except NotFound:
        missing.append("Its settings: PUT /api/tenants/{id}/settings.")
    users, _ = await context.store.page(Table.USER, limit=1)
    if not users:
        missing.append("Its first admin: PUT /api/tenants/{id}/admin.")
    return missing


def _require_provisioning(context: TenantContext, instead: str) -> None:
    if context.tenant.status is not TenantStatus.PROVISIONING:
        raise Conflict(f"This tenant is {context.tenant.status} already. Use {instead}.")


async def _verify(
    deployment: Deployment, new: NewConnection, home: DirectoryId, *, now: datetime
) -> None:
    try:
        await verify(new, deployment.settings, home=home, now=now)
    except Refused as error:
        raise Invalid(error.message, field="connection.secret") from error


async def _record(
    deployment: Deployment, principal: Principal, new: NewTenant, *, now: datetime
) -> Provisioned:
    tenant_id = _tenant_id(new.operation_id)
    tenant = Tenant(
        tenant_id, new.name, new.directory_id, TenantStatus.PROVISIONING, now, fingerprint_secret=""
    )
    try:
        context = await found(deployment, tenant, principal)
    except Conflict:  # the same Operation-Id again: go on where it stopped
        context = await _reopened(deployment, principal, tenant_id, now=now)
        if (context.tenant.name, context.tenant.directory_id) != (new.name, new.directory_id):
            raise Conflict("This Operation-Id was used for another tenant.") from None
        return Provisioned(context, created=False)
    await audit.record(context.store, context.actor, "tenant.create", tenant.name, now=now)
    return Provisioned(context, created=True)


async def _reopened(
    deployment: Deployment, principal: Principal, tenant_id: TenantId, *, now: datetime
) -> TenantContext:
    try:
        return await govern(deployment, principal, tenant_id, now=now)
    except NotFound:
        raise Conflict(
            "The tenant of this Operation-Id was deleted. Send another one for a new tenant."
        ) from None


async def _add_admin(context: TenantContext, admin: FirstAdmin, *, now: datetime) -> None:
    user = User(
        admin.directory_id, admin.object_id, admin.name, Role.ADMIN, now, context.actor.name
    )
    # A try that broke off may have named somebody else, and nobody wants that one as an admin any more.
    async for row in context.store.rows(Table.USER):
        if row.key != user.key:
            await context.store.delete(Table.USER, row.key)
            await context.deployment.registry.unlink(row.key, context.tenant.tenant_id)
    await context.store.put(Table.USER, user.key, user.values())
    await context.deployment.registry.link(user.key, context.tenant.tenant_id)
    detail = msgspec.json.encode({"name": user.name, "role": user.role}).decode()
    await audit.record(context.store, context.actor, "user.add", user.key, now=now, detail=detail)


async def _activate(context: TenantContext, *, now: datetime) -> TenantContext:
    key_name = await context.vault.keep("fingerprint", secrets.token_hex(32))
    schedule = (await get_preferences(context.store)).preferences.schedule

    def finish(tenant: Tenant) -> Tenant:
        if tenant.status is not TenantStatus.PROVISIONING:  # finished by another request meanwhile
            return tenant
        return replace(
            tenant,
            status=TenantStatus.ACTIVE,
            fingerprint_secret=key_name,
            schedule=schedule,
            next_scan_at=next_slot(schedule, now) if schedule else None,
        )

    tenant = await change_tenant(context, finish)
    await audit.record(context.store, context.actor, "tenant.provision", tenant.name, now=now)
    return replace(context, tenant=tenant)


async def suspend(context: TenantContext, *, now: datetime) -> Tenant:
    """Nobody but platform operators gets in, and no scan goes on."""
    if context.tenant.status is TenantStatus.PROVISIONING:
        raise Conflict("This tenant is not provisioned yet. There is nothing to suspend.")
    tenant = await _move(context, TenantStatus.SUSPENDED, "tenant.suspend", now=now)
    await cancel_open_scans(context, now=now)
    return tenant


async def resume(context: TenantContext, *, now: datetime) -> Tenant:
    """Makes a suspended tenant active again. One that was never finished cannot be resumed, only provisioned."""
    if context.tenant.status is TenantStatus.PROVISIONING:
        raise Conflict("This tenant is not provisioned yet. Send POST /api/tenants/{id}/activate.")
    return await _move(context, TenantStatus.ACTIVE, "tenant.resume", now=now)


async def delete(context: TenantContext, *, at_once: bool = False, now: datetime) -> Tenant:
    """Nobody gets in from now on and no work for it goes on; its rows stay until they are erased (drift/erasure.py).

    Its credential and its subscriptions are given up as well. If that fails it is still deleted: what is left of the
    one the daily sweep removes, and a subscription of a deleted tenant is free for others.
    """
    tenant = await _move(context, TenantStatus.DELETED, "tenant.delete", now=now)
    await ask(context, at_once=at_once, now=now)
    try:
        await release_all(context)
        if connection := await find_connection(context):
            await remove_connection(context, etag=connection.etag, now=now)
    except DriftError as error:
        extra = {"tenant_id": tenant.tenant_id, "reason": error.message}
        logger.warning("deleted tenant not given up completely", extra=extra)
    return tenant


async def rename(context: TenantContext, name: str, *, etag: str, now: datetime) -> Tenant:
    """Raises Stale when the tenant's record was changed after `etag` was read."""
    before = context.tenant
    tenant = replace(before, name=name)
    etag = await context.store.update(Table.TENANT, ROW, tenant.values(), etag=etag)
    detail = msgspec.json.encode({"before": before.name, "after": name}).decode()
    await audit.record(
        context.store, context.actor, "tenant.rename", "tenant", now=now, detail=detail
    )
    return replace(tenant, etag=etag)


async def _move(
    context: TenantContext, status: TenantStatus, action: str, *, now: datetime
) -> Tenant:
    def moved(tenant: Tenant) -> Tenant:
        if tenant.status is TenantStatus.RESTORING and status is not TenantStatus.DELETED:
            raise Conflict(
                "This tenant is being restored from a backup. Wait until that has ended."
            )
        return replace(tenant, status=status)

    tenant = await change_tenant(context, moved)
    context.deployment.credentials.forget(tenant.tenant_id)
    await audit.record(context.store, context.actor, action, tenant.name, now=now)
    return tenant


def _tenant_id(operation_id: str) -> TenantId:
    if not operation_id:
        return TenantId(str(uuid.uuid4()))
    digest = hashlib.sha256(f"tenant|{operation_id}".encode()).digest()
    return TenantId(str(uuid.UUID(bytes=digest[:16], version=4)))
