"""Who may do what in this tenant: users, invitations, app roles, and the review of all access."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.access import Now, TheDeployment, ThePrincipal
from api.paging import Token, tenant_pager
from api.shapes import RowKey
from api.users import (
    CodeBody,
    InvitationBody,
    RoleBody,
    TenantRole,
    UserBody,
    accept_invitation,
    create_invitation,
    review_access,
)
from tenancy.invitations import InvitationStatus, page_invitations, withdraw
from tenancy.roles import Role
from tenancy.users import add_user, allow_app_roles, change_role, page_users, remove_user
from web.access import Admin
from web.forms import TheForm, read
from web.rendering import go_to, render

router = APIRouter(include_in_schema=False)
HERE = "/t/{tenant_id}/users"
PAGE = 100


@router.get(HERE)
async def list_users(tenant: Admin, request: Request, now: Now, token: Token = None) -> Response:
    pager = await tenant_pager(request, tenant)
    users, cursor = await page_users(tenant.store, after=pager.start(token), limit=PAGE)
    invitations, _ = await page_invitations(tenant.store, after="", limit=PAGE)
    review = await review_access(tenant, request, now, PAGE, None)
    return render(
        request,
        "users.html",
        tenant,
        users=users,
        review=review.value,
        more_to_review=review.next_link is not None,
        roles=tuple(TenantRole),
        invitations=[one for one in invitations if one.status is InvitationStatus.OPEN],
        following=pager.link(cursor),
    )


@router.post(HERE)
async def post(tenant: Admin, form: TheForm, now: Now) -> Response:
    body = read(
        UserBody,
        directoryId=tenant.tenant.directory_id,
        objectId=form.text("objectId").lower(),
        name=form.text("name"),
        role=form.text("role"),
        kind=form.text("kind"),
    )
    await add_user(tenant, body.to_user(tenant.actor.name, now), now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/users")


@router.post(HERE + "/app-roles")
async def post_app_roles(tenant: Admin, form: TheForm, now: Now) -> Response:
    allowed = form.text("allowed") == "true"
    await allow_app_roles(tenant, allowed, etag=form.etag(), now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/users")


@router.post(HERE + "/invitations")
async def post_invitation(tenant: Admin, request: Request, form: TheForm, now: Now) -> Response:
    """Shows the code, once."""
    only_own = form.text("onlyOwn") == "yes"
    body = read(
        InvitationBody,
        name=form.text("name"),
        role=form.text("role"),
        onlyOwnDirectory=only_own,
    )
    made = await create_invitation(tenant, body, now)
    return render(request, "parts/invitation.html", tenant, made=made)


@router.post(HERE + "/invitations/{invitation_id}/withdraw")
async def post_withdrawal(tenant: Admin, invitation_id: RowKey, now: Now) -> Response:
    await withdraw(tenant.store, tenant.actor, invitation_id, now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/users")


@router.post(HERE + "/{user_id}/role")
async def post_role(tenant: Admin, user_id: RowKey, form: TheForm, now: Now) -> Response:
    role = Role(read(RoleBody, role=form.text("role")).role)
    await change_role(tenant, user_id, role, etag=form.etag(), now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/users")


@router.post(HERE + "/{user_id}/remove")
async def post_removal(tenant: Admin, user_id: RowKey, form: TheForm, now: Now) -> Response:
    await remove_user(tenant, user_id, etag=form.etag(), now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/users")


@router.post("/invitations/accept")
async def post_acceptance(
    principal: ThePrincipal, deployment: TheDeployment, form: TheForm, now: Now
) -> Response:
    """Whoever is signed in becomes a user of the tenant that the code is of."""
    code = read(CodeBody, code=form.text("code"))
    joined = await accept_invitation(principal, deployment, code, now)
    return go_to(f"/t/{joined.tenant_id}/")
