"""/api/users, /api/invitations, /api/access-review: who may do what in this tenant."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from fastapi import APIRouter, Request, Response, status
from pydantic import ConfigDict, Field, StrictBool

from api.access import Admin, IfMatch, Now, TheDeployment, ThePrincipal
from api.contract import gives, may
from api.examples import GUID
from api.paging import PageSize, Token, tenant_pager
from api.shapes import Guid, ListOf, Moment, Name, RowKey, Shape, View
from errors import Conflict, NotFound
from tenancy.access import TenantContext, redeem
from tenancy.ids import DirectoryId, ObjectId
from tenancy.invitations import (
    InvitationStatus,
    NewInvitation,
    invite,
    page_invitations,
    withdraw,
)
from tenancy.roles import ROLE_PERMISSIONS, Role
from tenancy.sightings import Sighting, Way
from tenancy.tenants import User, UserKind
from tenancy.users import (
    Known,
    add_user,
    allow_app_roles,
    change_role,
    get_user,
    page_known,
    page_users,
    remove_user,
)

router = APIRouter(tags=["users"])

STALE_AFTER = timedelta(days=90)
DEFAULT_EXPIRY = timedelta(days=7)


class TenantRole(StrEnum):
    """The roles that a tenant gives; `platform` is the deployment's own."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


class UserBody(Shape):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"directoryId": GUID, "objectId": GUID, "name": "Olga", "role": "operator"}
            ]
        }
    )

    directory_id: Guid
    object_id: Guid
    name: Name
    role: TenantRole
    kind: UserKind = UserKind.PERSON

    def to_user(self, added_by: str, now: datetime) -> User:
        directory, who = DirectoryId(self.directory_id), ObjectId(self.object_id)
        return User(directory, who, self.name, Role(self.role), now, added_by, self.kind)


class RoleBody(Shape):
    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "viewer"}]})

    role: TenantRole


class UserView(View):
    id: str = Field(validation_alias="key")
    directory_id: str
    object_id: str
    name: str
    role: Role
    kind: UserKind
    added_at: datetime
    added_by: str
    etag: str


class AppRolesBody(Shape):
    model_config = ConfigDict(json_schema_extra={"examples": [{"allowed": True}]})

    allowed: StrictBool = Field(
        description="principals of the tenant's own directory with the app role Drift.Viewer, Drift.Operator or "
        "Drift.Admin are users without invitation"
    )


class InvitationBody(Shape):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Olga of Fabrikam", "role": "viewer"}]}
    )

    name: Name
    role: TenantRole
    only_own_directory: StrictBool = Field(
        default=False, description="only a principal of the tenant's own directory may use it"
    )
    expires_at: Moment | None = Field(
        default=None, description="at most 30 days ahead; 7 days when it is not given"
    )


class InvitationView(View):
    id: str = Field(validation_alias="invitation_id")
    name: str
    role: Role
    only_directory: str
    created_at: datetime
    expires_at: datetime
    invited_by: str
    status: InvitationStatus


class NewInvitationView(InvitationView):
    code: str = Field(description="told this once; whoever signs in with it becomes a user")


class CodeBody(Shape):
    model_config = ConfigDict(json_schema_extra={"examples": [{"code": f"{GUID}.AbC-123"}]})

    code: str = Field(min_length=1, max_length=200)


class Joined(View):
    tenant_id: str
    name: str
    role: Role


class ReviewView(View):
    id: str
    name: str
    role: Role
    way: Way
    permissions: list[str]
    added_at: datetime | None
    added_by: str | None
    last_seen: datetime | None
    stale: bool = Field(description="not seen for 90 days")


@router.get("/api/users", response_model=ListOf[UserView])
async def list_users(
    tenant: Admin, request: Request, size: PageSize = 100, token: Token = None
) -> ListOf[UserView]:
    """People and applications with a role of their own here."""
    pager = await tenant_pager(request, tenant)
    users, cursor = await page_users(tenant.store, after=pager.start(token), limit=size)
    return ListOf(
        value=[UserView.model_validate(user) for user in users], next_link=pager.link(cursor)
    )


@router.post(
    "/api/users",
    response_model=UserView,
    status_code=status.HTTP_201_CREATED,
    responses=gives("ETag", 201) | may(Conflict),
)
async def create_user(tenant: Admin, body: UserBody, now: Now, response: Response) -> UserView:
    """Adds a principal of the tenant's own directory. Guests come by invitation."""
    user = body.to_user(tenant.actor.name, now)
    return _view(await add_user(tenant, user, now=now), response)


@router.get(
    "/api/users/app-roles",
    response_model=AppRolesBody,
    summary="Are app roles allowed",
    responses=gives("ETag"),
)
async def get_app_roles(tenant: Admin, response: Response) -> AppRolesBody:
    """Whether app roles of the tenant's own directory make users."""
    response.headers["ETag"] = tenant.tenant.etag
    return AppRolesBody(allowed=tenant.tenant.app_roles)


@router.put(
    "/api/users/app-roles",
    response_model=AppRolesBody,
    name="allow_app_roles",
    responses=gives("ETag"),
)
async def put_app_roles(
    tenant: Admin, body: AppRolesBody, etag: IfMatch, now: Now, response: Response
) -> AppRolesBody:
    """Allows or forbids it, from the next request on."""
    response.headers["ETag"] = await allow_app_roles(tenant, body.allowed, etag=etag, now=now)
    return body


@router.get(
    "/api/users/{user_id}", response_model=UserView, name="get_user", responses=gives("ETag")
)
async def read_user(tenant: Admin, user_id: RowKey, response: Response) -> UserView:
    """One user, with the ETag that an edit needs."""
    return _view(await get_user(tenant.store, user_id), response)


@router.patch(
    "/api/users/{user_id}",
    response_model=UserView,
    name="change_user",
    responses=gives("ETag") | may(Conflict),
)
async def patch_user(
    tenant: Admin, user_id: RowKey, body: RoleBody, etag: IfMatch, now: Now, response: Response
) -> UserView:
    """Gives a user another role. 409 for the last admin."""
    user = await change_role(tenant, user_id, Role(body.role), etag=etag, now=now)
    return _view(user, response)


@router.delete(
    "/api/users/{user_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    name="remove_user",
    responses=may(Conflict),
)
async def delete_user(tenant: Admin, user_id: RowKey, etag: IfMatch, now: Now) -> None:
    """Takes a user out, at once. 409 for the last admin."""
    await remove_user(tenant, user_id, etag=etag, now=now)


@router.get("/api/invitations", response_model=ListOf[InvitationView])
async def list_invitations(
    tenant: Admin, request: Request, size: PageSize = 100, token: Token = None
) -> ListOf[InvitationView]:
    """Invitations in every state, without their codes."""
    pager = await tenant_pager(request, tenant)
    found, cursor = await page_invitations(tenant.store, after=pager.start(token), limit=size)
    return ListOf(
        value=[InvitationView.model_validate(one) for one in found], next_link=pager.link(cursor)
    )


@router.post(
    "/api/invitations", response_model=NewInvitationView, status_code=status.HTTP_201_CREATED
)
async def create_invitation(tenant: Admin, body: InvitationBody, now: Now) -> NewInvitationView:
    """Makes a one-time code. It is in this answer and nowhere else."""
    new = NewInvitation(
        name=body.name,
        role=Role(body.role),
        only_directory=tenant.tenant.directory_id if body.only_own_directory else "",
        expires_at=body.expires_at or now + DEFAULT_EXPIRY,
        by_platform=tenant.role is Role.PLATFORM,
    )
    invitation, code = await invite(tenant.store, tenant.actor, new, now=now)
    told = InvitationView.model_validate(invitation).model_dump()
    return NewInvitationView.model_validate({**told, "code": code})


@router.delete(
    "/api/invitations/{invitation_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    name="withdraw_invitation",
    responses=may(Conflict),
)
async def delete_invitation(tenant: Admin, invitation_id: RowKey, now: Now) -> None:
    """Withdraws an invitation that nobody used yet."""
    await withdraw(tenant.store, tenant.actor, invitation_id, now=now)


@router.post("/api/invitations/accept", response_model=Joined, responses=may(NotFound, Conflict))
async def accept_invitation(
    principal: ThePrincipal, deployment: TheDeployment, body: CodeBody, now: Now
) -> Joined:
    """Makes the signed-in principal a user of the tenant that the code is of."""
    joined = await redeem(deployment, principal, body.code, now=now)
    tenant = joined.tenant
    return Joined(tenant_id=tenant.tenant_id, name=tenant.name, role=joined.role)


@router.get("/api/access-review", response_model=ListOf[ReviewView])
async def review_access(
    tenant: Admin, request: Request, now: Now, size: PageSize = 100, token: Token = None
) -> ListOf[ReviewView]:
    """Everybody who can get in, or did: by which way, since when, last seen, and what it allows."""
    pager = await tenant_pager(request, tenant)
    known, cursor = await page_known(tenant.store, after=pager.start(token), limit=size)
    views = [_review(one, tenant, now) for one in known]
    return ListOf(value=[one for one in views if one is not None], next_link=pager.link(cursor))


def _review(known: Known, tenant: TenantContext, now: datetime) -> ReviewView | None:
    if known.user is not None:
        return _member(known.user, known.seen, now)
    return _visitor(known.seen, tenant, now) if known.seen else None


def _member(user: User, seen: Sighting | None, now: datetime) -> ReviewView:
    last = seen.at if seen and seen.way is Way.USER else None
    return ReviewView(
        id=user.key,
        name=user.name,
        role=user.role,
        way=Way.USER,
        permissions=_permissions(user.role),
        added_at=user.added_at,
        added_by=user.added_by,
        last_seen=last,
        stale=now - (last or user.added_at) > STALE_AFTER,
    )


def _visitor(seen: Sighting, tenant: TenantContext, now: datetime) -> ReviewView | None:
    """Somebody without a row: by app role while these are allowed, or a platform operator. Who was a user once is not
    one any more."""
    if seen.way is Way.USER or (seen.way is Way.APP_ROLE and not tenant.tenant.app_roles):
        return None
    return ReviewView(
        id=seen.key,
        name=seen.name,
        role=seen.role,
        way=seen.way,
        permissions=_permissions(seen.role),
        added_at=None,
        added_by=None,
        last_seen=seen.at,
        stale=now - seen.at > STALE_AFTER,
    )


def _permissions(role: Role) -> list[str]:
    return sorted(ROLE_PERMISSIONS[role])


def _view(user: User, response: Response) -> UserView:
    response.headers["ETag"] = user.etag
    return UserView.model_validate(user)
