"""Invitations: one-time codes that make whoever signs in with them a user of one tenant.

A code is the tenant's id and 32 random bytes. The row, in the table `user`, has the digest of the random part as its
key, so a code is found without being stored and without asking any other tenant.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from errors import Conflict, Invalid, NotFound
from tenancy.audit import Actor, record
from tenancy.principal import Principal
from tenancy.roles import Role
from tenancy.rows import Row, Value
from tenancy.sightings import Way, find_sighting
from tenancy.store import Operation, Table, TenantStore, Write
from tenancy.tenants import Registry, Tenant, User, UserKind, read_user

PREFIX = "invitation."
NO_INVITATION = "There is no such invitation. Ask for a new one."
LONGEST = timedelta(days=30)


class InvitationStatus(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Invitation:
    invitation_id: str  # the digest of the code's random part
    name: str  # who is meant, for people
    role: Role
    only_directory: str  # directory id that the guest must sign in from; '' for any
    created_at: datetime
    expires_at: datetime
    inviter: str  # principal key
    invited_by: str  # and name
    by_platform: bool
    status: InvitationStatus = InvitationStatus.OPEN
    accepted_by: str = ""  # principal key
    etag: str = ""

    def values(self) -> dict[str, Value]:
        return {
            "name": self.name,
            "role": self.role.value,
            "only_directory": self.only_directory,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "inviter": self.inviter,
            "invited_by": self.invited_by,
            "by_platform": self.by_platform,
            "status": self.status.value,
            "accepted_by": self.accepted_by,
        }


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """What somebody gives for one."""

    name: str
    role: Role
    only_directory: str
    expires_at: datetime
    by_platform: bool


async def invite(
    store: TenantStore, actor: Actor, new: NewInvitation, *, now: datetime
) -> tuple[Invitation, str]:
    """Makes an invitation and its code, which is told this once. Raises Invalid for an expiry in the past or later
    than LONGEST."""
    if not now < new.expires_at <= now + LONGEST:
        raise Invalid("expiresAt must be in the next 30 days.", field="expiresAt")
    secret = secrets.token_urlsafe(32)
    invitation = Invitation(
        _digest(secret),
        new.name,
        new.role,
        new.only_directory,
        now,
        new.expires_at,
        actor.key,
        actor.name,
        new.by_platform,
    )
    key = PREFIX + invitation.invitation_id
    etag = await store.insert(Table.USER, key, invitation.values())
    detail = _detail(name=new.name, role=new.role)
    await record(
        store, actor, "invitation.create", invitation.invitation_id, now=now, detail=detail
    )
    return replace(invitation, etag=etag), f"{store.tenant_id}.{secret}"


async def page_invitations(
    store: TenantStore, *, after: str, limit: int
) -> tuple[list[Invitation], str]:
    rows, cursor = await store.page(Table.USER, prefix=PREFIX, after=after, limit=limit)
    return [_read(row) for row in rows], cursor


async def withdraw(store: TenantStore, actor: Actor, invitation_id: str, *, now: datetime) -> None:
    """Its code is worth nothing from now on. Raises Conflict for one that was used or withdrawn before."""
    row = await store.find(Table.USER, PREFIX + invitation_id)
    if row is None:
        raise NotFound("There is no such invitation.")
    invitation = _read(row)
    if invitation.status is not InvitationStatus.OPEN:
        raise Conflict(f"This invitation is {invitation.status} already.")
    values = replace(invitation, status=InvitationStatus.WITHDRAWN).values()
    await store.update(Table.USER, row.key, values, etag=row.etag)
    await record(store, actor, "invitation.withdraw", invitation_id, now=now)


async def accept(
    store: TenantStore,
    tenant: Tenant,
    principal: Principal,
    secret: str,
    registry: Registry,
    *,
    now: datetime,
) -> User:
    """Makes the principal a user. Raises NotFound for a code that is of no use, whatever the cause, and Conflict for
    somebody who is a user already; then the code stays good for whom it was meant."""
    row = await store.find(Table.USER, PREFIX + _digest(secret))
    if row is None:
        raise NotFound(NO_INVITATION)
    invitation = _read(row)
    if not await _is_good(store, tenant, invitation, principal, now):
        raise NotFound(NO_INVITATION)
    kind = UserKind.APPLICATION if principal.application else UserKind.PERSON
    user = User(
        principal.directory_id,
        principal.object_id,
        principal.name,
        invitation.role,
        now,
        invitation.invited_by,
        kind,
    )
    if await store.find(Table.USER, user.key) is not None:
        raise Conflict("You are a user of this tenant already.")
    await registry.link(user.key, tenant.tenant_id)
    used = replace(invitation, status=InvitationStatus.ACCEPTED, accepted_by=user.key)
    try:  # both or none: a used code has its user, and no code is used twice
        await store.transact(
            Table.USER,
            [
                Operation(Write.UPDATE, row.key, used.values(), row.etag),
                Operation(Write.INSERT, user.key, user.values()),
            ],
        )
    except Conflict:
        if await store.find(Table.USER, user.key) is None:  # somebody else was faster
            await registry.unlink(user.key, tenant.tenant_id)
        raise NotFound(NO_INVITATION) from None
    actor = Actor(principal.key, principal.name)
    detail = _detail(role=user.role, invitedBy=invitation.invited_by)
    await record(
        store, actor, "invitation.accept", invitation.invitation_id, now=now, detail=detail
    )
    return user


async def _is_good(
    store: TenantStore,
    tenant: Tenant,
    invitation: Invitation,
    principal: Principal,
    now: datetime,
) -> bool:
    if invitation.status is not InvitationStatus.OPEN or now >= invitation.expires_at:
        return False
    if invitation.only_directory and (
        principal.guest or principal.directory_id != invitation.only_directory
    ):
        return False
    # Nobody gives what is no longer theirs: the inviter must still be an admin.
    return invitation.by_platform or await _is_admin(store, tenant, invitation.inviter)


async def _is_admin(store: TenantStore, tenant: Tenant, key: str) -> bool:
    """By its row, which decides first, or by app role where the tenant allows that, as its last visit showed it: the
    directory is not asked."""
    row = await store.find(Table.USER, key)
    if row is not None:
        return read_user(row).role is Role.ADMIN
    seen = await find_sighting(store, key) if tenant.app_roles else None
    return seen is not None and (seen.way, seen.role) == (Way.APP_ROLE, Role.ADMIN)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _detail(**values: str) -> str:
    return msgspec.json.encode(values).decode()


def _read(row: Row) -> Invitation:
    values = row.values
    return Invitation(
        invitation_id=row.key.removeprefix(PREFIX),
        name=values["name"],
        role=Role(values["role"]),
        only_directory=values["only_directory"],
        created_at=values["created_at"],
        expires_at=values["expires_at"],
        inviter=values["inviter"],
        invited_by=values["invited_by"],
        by_platform=values["by_platform"],
        status=InvitationStatus(values["status"]),
        accepted_by=values["accepted_by"],
        etag=row.etag,
    )
