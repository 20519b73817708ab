"""Invitations: what is stored of a code, whom it is good for and until when, and that it is used once."""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from errors import Conflict, Invalid, NotFound
from tenancy import invitations as module
from tenancy.access import TenantContext
from tenancy.audit import Actor
from tenancy.ids import DirectoryId, ObjectId, TenantId
from tenancy.invitations import (
    NO_INVITATION,
    PREFIX,
    Invitation,
    InvitationStatus,
    NewInvitation,
    accept,
    invite,
    page_invitations,
    withdraw,
)
from tenancy.principal import Principal
from tenancy.roles import Role
from tenancy.sightings import Sightings, Way
from tenancy.store import Operation, Table, TenantStore
from tenancy.tenants import User, UserKind, read_user
from tests.tenancy.people import NOW, someone

ADA = Actor("ada", "Ada")
TOMORROW = NOW + timedelta(days=1)


def new(**members: Any) -> NewInvitation:
    return replace(NewInvitation("Gus", Role.OPERATOR, "", TOMORROW, by_platform=True), **members)


async def make(
    context: TenantContext, actor: Actor = ADA, **members: Any
) -> tuple[Invitation, str]:
    """An invitation, and the random part of its code."""
    invitation, code = await invite(context.store, actor, new(**members), now=NOW)
    tenant_id, dot, secret = code.partition(".")
    assert (tenant_id, dot) == (context.tenant.tenant_id, ".")
    return invitation, secret


async def redeem(
    context: TenantContext,
    principal: Principal,
    secret: str,
    *,
    now: datetime = NOW,
    store: Any = None,
) -> User:
    registry = context.deployment.registry
    return await accept(
        store or context.store, context.tenant, principal, secret, registry, now=now
    )


async def refused(context: TenantContext, principal: Principal, secret: str, **how: Any) -> None:
    """One answer for every cause, and nothing of it stays: no user and no link."""
    with pytest.raises(NotFound) as told:
        await redeem(context, principal, secret, **how)
    assert told.value.message == NO_INVITATION
    assert await context.store.find(Table.USER, principal.key) is None
    assert await links(context, principal) == []


async def links(context: TenantContext, principal: Principal) -> list[str]:
    return list(await context.deployment.registry.tenants_of(principal))


async def read(context: TenantContext, invitation: Invitation) -> Invitation:
    (found,) = [
        one
        for one in (await page_invitations(context.store, after="", limit=100))[0]
        if one.invitation_id == invitation.invitation_id
    ]
    return found


async def trail(context: TenantContext) -> list[tuple[str, str, str, str]]:
    rows = [row.values async for row in context.store.rows(Table.AUDIT)]
    assert {row["at"] for row in rows} <= {NOW}
    return [(row["action"], row["actor"], row["target"], row["detail"]) for row in rows]


async def test_code_is_told_once_and_only_its_digest_is_kept(
    context: TenantContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = []

    def token_urlsafe(length: int) -> str:
        lengths.append(length)
        return secrets.token_urlsafe(length)

    monkeypatch.setattr(module, "secrets", SimpleNamespace(token_urlsafe=token_urlsafe))
    invitation, secret = await make(context, only_directory="d")
    assert lengths == [32]
    digest = hashlib.sha256(secret.encode()).hexdigest()[:40]
    assert invitation == Invitation(
        digest,
        "Gus",
        Role.OPERATOR,
        "d",
        NOW,
        TOMORROW,
        "ada",
        "Ada",
        True,
        InvitationStatus.OPEN,
        "",
        invitation.etag,
    )
    row = await context.store.get(Table.USER, f"invitation.{digest}")
    assert row.etag == invitation.etag
    assert row.values == {
        "name": "Gus",
        "role": "operator",
        "only_directory": "d",
        "created_at": NOW,
        "expires_at": TOMORROW,
        "inviter": "ada",
        "invited_by": "Ada",
        "by_platform": True,
        "status": "open",
        "accepted_by": "",
    }
    assert await read(context, invitation) == invitation
    ((action, actor, target, detail),) = await trail(context)
    assert (action, actor, target) == ("invitation.create", "ada", digest)
    assert json.loads(detail) == {"name": "Gus", "role": "operator"}


@pytest.mark.parametrize(
    ("expires_at", "good"),
    [
        (NOW, False),
        (NOW - timedelta(days=1), False),
        (NOW + timedelta(microseconds=1), True),
        (NOW + timedelta(days=30), True),
        (NOW + timedelta(days=30, microseconds=1), False),
    ],
)
async def test_invitation_ends_in_the_next_thirty_days(
    context: TenantContext, expires_at: datetime, good: bool
) -> None:
    if good:
        assert (await make(context, expires_at=expires_at))[0].expires_at == expires_at
        return
    with pytest.raises(Invalid) as wrong:
        await make(context, expires_at=expires_at)
    assert wrong.value.field == "expiresAt"
    assert wrong.value.message == "expiresAt must be in the next 30 days."


async def test_pages_are_of_invitations_only(context: TenantContext) -> None:
    made = sorted([(await make(context))[0] for _ in range(3)], key=lambda one: one.invitation_id)
    for key in ("0" * 40, "guard", "seen.x"):
        await context.store.put(Table.USER, key, {})
    first, cursor = await page_invitations(context.store, after="", limit=2)
    assert (first, cursor) == (made[:2], PREFIX + made[1].invitation_id)
    assert await page_invitations(context.store, after=cursor, limit=2) == (made[2:], "")


async def test_withdrawn_one_is_worth_nothing(context: TenantContext) -> None:
    invitation, secret = await make(context)
    await withdraw(context.store, ADA, invitation.invitation_id, now=NOW)
    found = await read(context, invitation)
    assert found == replace(invitation, status=InvitationStatus.WITHDRAWN, etag=found.etag)
    entry = ("invitation.withdraw", "ada", invitation.invitation_id, "")
    assert entry in await trail(context)
    await refused(context, someone(), secret)
    with pytest.raises(Conflict) as twice:
        await withdraw(context.store, ADA, invitation.invitation_id, now=NOW)
    assert twice.value.message == "This invitation is withdrawn already."
    with pytest.raises(NotFound) as absent:
        await withdraw(context.store, ADA, "0" * 40, now=NOW)
    assert absent.value.message == "There is no such invitation."


@pytest.mark.parametrize("application", [False, True])
async def test_accepted_one_makes_a_user_once(context: TenantContext, application: bool) -> None:
    invitation, secret = await make(context)
    gus = replace(someone(), application=application)
    user = await redeem(context, gus, secret)
    kind = UserKind.APPLICATION if application else UserKind.PERSON
    expected = User(gus.directory_id, gus.object_id, gus.name, Role.OPERATOR, NOW, "Ada", kind)
    assert user == expected
    stored = read_user(await context.store.get(Table.USER, gus.key))
    assert replace(stored, etag="") == expected
    assert await links(context, gus) == [context.tenant.tenant_id]
    found = await read(context, invitation)
    assert (found.status, found.accepted_by) == (InvitationStatus.ACCEPTED, gus.key)
    ((_action, actor, target, detail),) = [
        entry for entry in await trail(context) if entry[0] == "invitation.accept"
    ]
    assert (actor, target) == (gus.key, invitation.invitation_id)
    assert json.loads(detail) == {"role": "operator", "invitedBy": "Ada"}
    await refused(context, someone(), secret)
    with pytest.raises(Conflict, match=r"^This invitation is accepted already\.$"):
        await withdraw(context.store, ADA, invitation.invitation_id, now=NOW)


async def test_code_stays_good_when_a_user_tries_it(context: TenantContext) -> None:
    gus, gina = someone(), someone()
    await redeem(context, gus, (await make(context))[1])
    _, secret = await make(context)
    with pytest.raises(Conflict) as conflict:
        await redeem(context, gus, secret)
    assert conflict.value.message == "You are a user of this tenant already."
    assert (await redeem(context, gina, secret)).role is Role.OPERATOR


@pytest.mark.parametrize("secret", ["", "x", "\ud800", "é"])
async def test_code_of_no_invitation(context: TenantContext, secret: str) -> None:
    """Also one that is no text at all: a lone surrogate, as JSON can carry it."""
    await make(context)
    await refused(context, someone(), secret)


async def test_invitation_ends_at_its_moment(context: TenantContext) -> None:
    _, secret = await make(context)
    await refused(context, someone(), secret, now=TOMORROW)
    just = TOMORROW - timedelta(microseconds=1)
    assert (await redeem(context, someone(), secret, now=just)).added_at == just


async def test_invitation_for_a_directory_is_for_its_own_people(context: TenantContext) -> None:
    _, secret = await make(context, only_directory="11111111-1111-4111-8111-111111111111")
    member = someone("11111111-1111-4111-8111-111111111111")
    await refused(context, someone(), secret)
    await refused(context, replace(member, guest=True), secret)
    assert (await redeem(context, member, secret)).key == member.key


async def test_invitation_for_anybody_is_for_guests_too(context: TenantContext) -> None:
    _, secret = await make(context)
    guest = replace(someone(), guest=True)
    assert (await redeem(context, guest, secret)).key == guest.key


@pytest.mark.parametrize(
    ("role", "good"),
    [(Role.ADMIN, True), (Role.OPERATOR, False), (Role.VIEWER, False), (None, False)],
)
async def test_nobody_gives_what_is_no_longer_theirs(
    context: TenantContext, role: Role | None, good: bool
) -> None:
    """The inviter must still be an admin when the code is used; the platform's invitations need none."""
    inviter = someone()
    actor = Actor(inviter.key, "Ada")
    _, secret = await make(context, actor, by_platform=False)
    if role is not None:
        user = User(inviter.directory_id, inviter.object_id, "Ada", role, NOW, "test")
        await context.store.put(Table.USER, user.key, user.values())
    if good:
        assert (await redeem(context, someone(), secret)).role is Role.OPERATOR
    else:
        await refused(context, someone(), secret)


@pytest.mark.parametrize(
    ("allowed", "way", "role", "good"),
    [
        (True, Way.APP_ROLE, Role.ADMIN, True),
        (False, Way.APP_ROLE, Role.ADMIN, False),
        (True, Way.APP_ROLE, Role.OPERATOR, False),
        (True, Way.USER, Role.ADMIN, False),
        (True, Way.PLATFORM, Role.PLATFORM, False),
    ],
)
async def test_admin_by_app_role_invites_as_long_as_the_role_counts(
    context: TenantContext, allowed: bool, way: Way, role: Role, good: bool
) -> None:
    """Such an admin has no row; what its last visit showed is what is known of it."""
    actor = Actor(someone().key, "Ada")
    _, secret = await make(context, actor, by_platform=False)
    await Sightings().record(context.store, actor, role, way, now=NOW)
    theirs = replace(context, tenant=replace(context.tenant, app_roles=allowed))
    if good:
        assert (await redeem(theirs, someone(), secret)).role is Role.OPERATOR
        user = User(DirectoryId("d"), ObjectId("o"), "Ada", Role.VIEWER, NOW, "test")
        _, again = await make(context, actor, by_platform=False)
        await context.store.put(Table.USER, actor.key, user.values())  # its own row decides first
        await refused(theirs, someone(), again)
    else:
        await refused(theirs, someone(), secret)


class Contended:
    """The tenant's store, in which somebody else is faster with one transaction."""

    def __init__(self, store: TenantStore, meanwhile: Any) -> None:
        self._store = store
        self._meanwhile = meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def transact(self, table: Table, operations: list[Operation]) -> None:
        await self._meanwhile()
        await self._store.transact(table, operations)


async def test_of_two_with_one_code_one_comes_in(context: TenantContext) -> None:
    _, secret = await make(context)
    first, second = someone(), someone()

    async def meanwhile() -> None:
        await redeem(context, first, secret)

    await refused(context, second, secret, store=Contended(context.store, meanwhile))
    assert await links(context, first) == [context.tenant.tenant_id]


async def test_one_who_redeems_twice_at_once_stays_in(context: TenantContext) -> None:
    _, secret = await make(context)
    gus = someone()

    async def meanwhile() -> None:
        await redeem(context, gus, secret)

    with pytest.raises(NotFound) as told:
        await redeem(context, gus, secret, store=Contended(context.store, meanwhile))
    assert told.value.message == NO_INVITATION
    assert await links(context, gus) == [context.tenant.tenant_id]
    assert (await context.store.get(Table.USER, gus.key)).values["role"] == "operator"


async def test_code_of_another_tenant_is_none_here(context: TenantContext) -> None:
    _, secret = await make(context)
    other = TenantStore(context.deployment.tables, TenantId(str(uuid.uuid4())))
    await refused(context, someone(), secret, store=other)
