"""Tenants come and go: provisioning step by step, suspend, resume, rename, delete.

Provisioning can be repeated after a failure: the same Operation-Id is the same tenant, each step is idempotent, and
until the last one nobody can enter.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime

from drift.connection import NewConnection, set_connection, verify
from drift.preferences import Preferences, check, create_preferences, next_slot
from errors import Conflict, Invalid, Refused
from tenancy import audit
from tenancy.access import TenantContext, found, govern, require_platform
from tenancy.deployment import Deployment
from tenancy.ids import DirectoryId, ObjectId, TenantId
from tenancy.principal import Principal
from tenancy.roles import Role
from tenancy.store import Table
from tenancy.tenants import ROW, Tenant, TenantStatus, User


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    directory_id: DirectoryId
    object_id: ObjectId
    name: str


@dataclass(frozen=True, slots=True)
class NewTenant:
    name: str
    directory_id: DirectoryId
    admin: FirstAdmin
    connection: NewConnection | None = None
    preferences: Preferences = field(default_factory=Preferences)
    operation_id: str = ""


async def provision(
    deployment: Deployment, principal: Principal, new: NewTenant, *, now: datetime
) -> Tenant:
    """Makes a tenant ready for use. Raises Invalid (422) with Entra's words when its credential is refused; then
    nothing was created."""
    require_platform(deployment, principal)
    check(new.preferences)
    if new.connection:
        try:
            await verify(new.connection, deployment.settings, home=new.directory_id, now=now)
        except Refused as error:
            raise Invalid(error.message, field="connection.secret") from error
    context = await _record(deployment, principal, new, now=now)
    if context.tenant.status is not TenantStatus.PROVISIONING:
        return context.tenant
    await create_preferences(context.store, new.preferences)
    if new.connection:
        await set_connection(context, new.connection, now=now)
    await _add_admin(context, new.admin, now=now)
    return await _activate(context, new, now=now)


async def _record(
    deployment: Deployment, principal: Principal, new: NewTenant, *, now: datetime
) -> TenantContext:
    tenant_id = _tenant_id(new.operation_id)
    tenant = Tenant(
        tenant_id, new.name, new.directory_id, TenantStatus.PROVISIONING, now, fingerprint_secret=""
    )
    try:
        return await found(deployment, tenant, principal)
    except Conflict:  # the same Operation-Id again: go on where it stopped
        context = await govern(deployment, principal, tenant_id, now=now)
        if (context.tenant.name, context.tenant.directory_id) != (new.name, new.directory_id):
            raise Conflict("This Operation-Id was used for another tenant.") from None
        return context


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
    await context.deployment.registry.link(user.key, TenantId(context.tenant.tenant_id))


async def _activate(context: TenantContext, new: NewTenant, *, now: datetime) -> Tenant:
    key_name = await context.vault.keep("fingerprint", secrets.token_hex(32))
    schedule = new.preferences.schedule
    tenant = replace(
        context.tenant,
        status=TenantStatus.ACTIVE,
        fingerprint_secret=key_name,
        schedule=schedule,
        next_scan_at=next_slot(schedule, now) if schedule else None,
    )
    tenant = await _save(context, tenant)
    await audit.record(context.store, context.actor, "tenant.provision", new.name, now=now)
    return tenant


async def suspend(context: TenantContext, *, now: datetime) -> Tenant:
    return await _move(context, TenantStatus.SUSPENDED, "tenant.suspend", now=now)


async def resume(context: TenantContext, *, now: datetime) -> Tenant:
    """Makes a suspended tenant active again. One that was never finished cannot be resumed, only provisioned."""
    if context.tenant.status is TenantStatus.PROVISIONING:
        raise Conflict("This tenant is not provisioned yet. Repeat the request that created it.")
    return await _move(context, TenantStatus.ACTIVE, "tenant.resume", now=now)


async def delete(context: TenantContext, *, now: datetime) -> Tenant:
    """Nobody gets in from now on and no queued work for it runs; its rows stay until they are erased."""
    return await _move(context, TenantStatus.DELETED, "tenant.delete", now=now)


async def rename(context: TenantContext, name: str, *, now: datetime) -> Tenant:
    tenant = await _save(context, replace(context.tenant, name=name))
    await audit.record(context.store, context.actor, "tenant.rename", name, now=now)
    return tenant


async def _move(
    context: TenantContext, status: TenantStatus, action: str, *, now: datetime
) -> Tenant:
    tenant = await _save(context, replace(context.tenant, status=status))
    await context.deployment.credentials.forget(tenant.tenant_id)
    await audit.record(context.store, context.actor, action, tenant.name, now=now)
    return tenant


async def _save(context: TenantContext, tenant: Tenant) -> Tenant:
    etag = await context.store.update(Table.TENANT, ROW, tenant.values(), etag=context.tenant.etag)
    return replace(tenant, etag=etag)


def _tenant_id(operation_id: str) -> TenantId:
    if not operation_id:
        return TenantId(str(uuid.uuid4()))
    digest = hashlib.sha256(f"tenant|{operation_id}".encode()).digest()
    return TenantId(str(uuid.UUID(bytes=digest[:16], version=4)))
