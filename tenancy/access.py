"""The one place that lets anybody into a tenant. Only here a TenantStore is made, after the caller was checked.

Absent and forbidden are one answer, NotFound, so that nobody learns which tenants exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import telemetry
from errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from tenancy.audit import SYSTEM, Actor, record_denial, record_entry
from tenancy.blobs import TenantBlobs
from tenancy.connections import TenantCredential
from tenancy.deployment import Deployment
from tenancy.ids import DirectoryId, TenantId, read_guid
from tenancy.invitations import NO_INVITATION, accept
from tenancy.principal import Principal
from tenancy.queues import Queue
from tenancy.roles import DENIALS, Permission, Role, allows
from tenancy.sightings import Way
from tenancy.store import Table, TenantStore
from tenancy.tenants import (
    OPEN,
    ROW,
    Tenant,
    TenantStatus,
    User,
    find_user,
    read_tenant,
    tenant_role,
)
from tenancy.usage import Meter
from tenancy.vault import TenantVault

UNKNOWN = "There is no such tenant."
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RESTORING = "This tenant is being restored from a backup. It is back when that has ended."
MOST_TOLD = 5  # of the caller's own tenants that learn of a denial


@dataclass(frozen=True, slots=True)
class TenantContext:
    """A caller inside one tenant. Whoever holds it was let in by `enter` or `serve`."""

    tenant: Tenant
    actor: Actor
    role: Role
    store: TenantStore
    blobs: TenantBlobs
    vault: TenantVault
    deployment: Deployment

    def require(self, permission: Permission) -> None:
        if not allows(self.role, permission):
            raise Forbidden(DENIALS[permission])

    async def credential(self) -> TenantCredential:
        """The tenant's own credential towards Azure."""
        return await self.deployment.credentials.of(self.tenant.tenant_id, self.store, self.vault)

    async def fingerprint_key(self) -> bytes:
        """The tenant's key for hashing secret-looking values of resources."""
        return (await self.vault.read(self.tenant.fingerprint_secret)).encode()

    async def send(self, queue: Queue, body: Mapping[str, str | int], *, delay: int = 0) -> None:
        """Sends a message that names this tenant."""
        named = {**body, "tenant_id": self.tenant.tenant_id}
        await self.deployment.queues.send(queue, named, delay=delay)


async def enter(
    deployment: Deployment,
    principal: Principal,
    tenant_id: TenantId,
    *,
    restoring: bool = False,
    now: datetime,
) -> TenantContext:
    """Lets a signed-in principal into a tenant: as its user, by an app role of the tenant's own directory where the
    tenant allows that, or as platform operator (audited in that tenant).

    A user's own row decides before any app role, so that an admin can hold somebody down. Raises NotFound for everybody
    else, which is audited in the caller's own tenants, and Forbidden for users of a suspended tenant.

    While a tenant is restored it is Unavailable to all but the routes that follow the restore (`restoring`): nobody
    sees rows of two times.
    """
    try:
        # The user is looked for in a tenant that is not there, too: the work is the same, so the time tells nothing.
        user = await find_user(TenantStore(deployment.tables, tenant_id), principal)
        store, tenant = await _open(deployment, tenant_id)
        role, way = _role_in(deployment, principal, user, tenant)
    except NotFound:
        await tell_denial(deployment, principal, tenant_id, now=now)
        raise
    actor = _actor(principal)
    if tenant.status is TenantStatus.RESTORING and not restoring:
        raise Unavailable(RESTORING)
    if way is Way.PLATFORM:
        await record_entry(store, actor, now=now)
    elif tenant.status is TenantStatus.SUSPENDED:
        raise Forbidden("This tenant is suspended. Ask the platform operator.")
    await deployment.sightings.record(store, actor, role, way, now=now)
    return _context(deployment, tenant, actor, role, store)


def _role_in(
    deployment: Deployment, principal: Principal, user: User | None, tenant: Tenant
) -> tuple[Role, Way]:
    if user is not None:
        return user.role, Way.USER
    role = tenant_role(principal)
    if tenant.app_roles and role is not None and principal.directory_id == tenant.directory_id:
        return role, Way.APP_ROLE
    if principal.is_platform_operator(deployment.settings):
        return Role.PLATFORM, Way.PLATFORM
    raise NotFound(UNKNOWN)


async def tell_denial(
    deployment: Deployment, principal: Principal, tenant_id: TenantId, *, now: datetime
) -> None:
    """Tells the admins of the caller's own tenants that it knocked elsewhere."""
    actor = _actor(principal)
    for own in (await deployment.registry.tenants_of(principal))[:MOST_TOLD]:
        if own != tenant_id and await deployment.registry.is_open(own):
            store = TenantStore(deployment.tables, own)
            await record_denial(store, actor, tenant_id, now=now)


async def redeem(
    deployment: Deployment, principal: Principal, code: str, *, now: datetime
) -> TenantContext:
    """Makes the principal a user by an invitation's code, once. Raises NotFound for a code that is wrong, used,
    expired, withdrawn or meant for somebody else: one answer for all of them."""
    tenant_id, _, secret = code.partition(".")
    try:
        store, tenant = await _open(deployment, TenantId(read_guid(tenant_id, field="code")))
    except (Invalid, NotFound):
        raise NotFound(NO_INVITATION) from None
    if tenant.status is not TenantStatus.ACTIVE:
        raise NotFound(NO_INVITATION)
    user = await accept(store, tenant, principal, secret, deployment.registry, now=now)
    return _context(deployment, tenant, _actor(principal), user.role, store)


async def serve(
    deployment: Deployment, tenant_id: TenantId, *, restoring: bool = False
) -> TenantContext:
    """The system itself at work for a tenant (timers and queues). Raises Conflict when the tenant is suspended, or is
    being restored and this is not the work that does it (`restoring`)."""
    store, tenant = await _open(deployment, tenant_id)
    if tenant.status is TenantStatus.SUSPENDED:
        raise Conflict("This tenant is suspended.")
    if tenant.status is TenantStatus.RESTORING and not restoring:
        raise Conflict(RESTORING)
    return _context(deployment, tenant, SYSTEM, Role.OPERATOR, store)


def tend(deployment: Deployment, tenant: Tenant) -> TenantContext:
    """The system's own housekeeping of a tenant in any state, a deleted one too: what is left over is looked for
    everywhere. No request and no message leads here."""
    store = TenantStore(deployment.tables, tenant.tenant_id)
    return _context(deployment, tenant, SYSTEM, Role.VIEWER, store)


async def bury(deployment: Deployment, tenant_id: TenantId) -> TenantContext:
    """The system at the erasure of a deleted tenant, of which not even the record may be left.

    Raises NotFound when nobody asked for it, and Conflict for a tenant that is not deleted: nothing of it is erased.
    """
    if await deployment.erasures.find(tenant_id) is None:
        raise NotFound(UNKNOWN)
    store = TenantStore(deployment.tables, tenant_id)
    row = await store.find(Table.TENANT, ROW)
    if row is None:
        nowhere = DirectoryId("")
        tenant = Tenant(tenant_id, "", nowhere, TenantStatus.DELETED, EPOCH, fingerprint_secret="")
    else:
        tenant = read_tenant(tenant_id, row)
    if tenant.status is not TenantStatus.DELETED:
        raise Conflict("This tenant is not deleted. Nothing of it is erased.")
    return _context(deployment, tenant, SYSTEM, Role.VIEWER, store)


async def found(deployment: Deployment, tenant: Tenant, principal: Principal) -> TenantContext:
    """Founds a tenant: its record in a partition of its own, in the state `provisioning`. Platform operators only.

    Raises Conflict for an id that is taken, or was: what is left of an erased tenant must find nobody.
    """
    require_platform(deployment, principal)
    if await deployment.erasures.find(tenant.tenant_id) is not None:
        raise Conflict("There was a tenant of this id. It is erased, or will be.")
    store = TenantStore(deployment.tables, tenant.tenant_id)
    etag = await store.insert(Table.TENANT, ROW, tenant.values())
    actor = _actor(principal)
    return _context(deployment, replace(tenant, etag=etag), actor, Role.PLATFORM, store)


async def govern(
    deployment: Deployment, principal: Principal, tenant_id: TenantId, *, now: datetime
) -> TenantContext:
    """A platform operator at a tenant in any state but deleted, to resume or to finish provisioning it."""
    require_platform(deployment, principal)
    store = TenantStore(deployment.tables, tenant_id)
    row = await store.find(Table.TENANT, ROW)
    if row is None or row.values["status"] == TenantStatus.DELETED:
        raise NotFound(UNKNOWN)
    actor = _actor(principal)
    await record_entry(store, actor, now=now)
    return _context(deployment, read_tenant(tenant_id, row), actor, Role.PLATFORM, store)


def meter(deployment: Deployment, principal: Principal, tenant_id: TenantId) -> Meter:
    """What a tenant used, for a platform operator, who enters no tenant to see how much it is. Nothing else of it."""
    require_platform(deployment, principal)
    return Meter(TenantStore(deployment.tables, tenant_id))


def require_platform(deployment: Deployment, principal: Principal) -> None:
    """Raises NotFound: to everybody else the platform's routes do not exist."""
    if not principal.is_platform_operator(deployment.settings):
        raise NotFound(UNKNOWN)


def _actor(principal: Principal) -> Actor:
    return Actor(principal.key, principal.name, principal.application)


async def _open(deployment: Deployment, tenant_id: TenantId) -> tuple[TenantStore, Tenant]:
    store = TenantStore(deployment.tables, tenant_id)
    row = await store.find(Table.TENANT, ROW)
    if row is None:
        raise NotFound(UNKNOWN)
    tenant = read_tenant(tenant_id, row)
    if tenant.status not in OPEN:
        raise NotFound(UNKNOWN)
    return store, tenant


def _context(
    deployment: Deployment, tenant: Tenant, actor: Actor, role: Role, store: TenantStore
) -> TenantContext:
    blobs = TenantBlobs(deployment.blobs, store.tenant_id)
    vault = deployment.vault.of(tenant.tenant_id)
    telemetry.about(tenant.tenant_id)
    return TenantContext(tenant, actor, role, store, blobs, vault, deployment)
