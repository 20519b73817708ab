"""A route's signature is its authorisation: `tenant: Viewer`, `tenant: Operator`, `tenant: Admin`, `who: Platform`.

The tenant is the signed-in principal's own; `X-Tenant-Id` chooses among several. There is no other way into a route.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Header, Request

from errors import DriftError, Forbidden, Invalid, NotFound, PreconditionRequired, Stale
from tenancy.access import TenantContext, enter, require_platform, tell_denial
from tenancy.deployment import Deployment
from tenancy.development import with_cookie
from tenancy.ids import TenantId, read_guid
from tenancy.principal import Principal, read_principal
from tenancy.roles import Permission

TENANT_HEADER = "x-tenant-id"
_ETAG = re.compile(r"W/\"datetime'[\w%:.+-]{1,60}'\"", re.ASCII)  # as Table Storage gives them
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def deployment_of(request: Request) -> Deployment:
    deployment: Deployment = request.app.state.deployment()
    return deployment


def now_of(request: Request) -> datetime:
    """The time of the request: one moment for everything it writes."""
    now: datetime = request.app.state.clock()
    return now


def utc_now() -> datetime:
    return datetime.now(UTC)


TheDeployment = Annotated[Deployment, Depends(deployment_of)]
Now = Annotated[datetime, Depends(now_of)]


async def signed_in(request: Request, deployment: TheDeployment, now: Now) -> Principal:
    require_script(request)
    headers = with_cookie(request.headers.items(), deployment.settings)
    principal = read_principal(headers, deployment.settings)
    principal = await deployment.bearer_tokens.confirm(headers, principal)
    deployment.rates.check_outside(principal.key, now=now)
    return principal


def require_script(request: Request) -> None:
    """A form on a foreign page cannot send these headers: cross-site request forgery ends here."""
    sent_by_script = TENANT_HEADER in request.headers or "x-requested-with" in request.headers
    if request.method in UNSAFE and not sent_by_script:
        raise Forbidden("Send the header X-Tenant-Id or X-Requested-With with every change.")


SignedIn = Annotated[Principal, Depends(signed_in)]


async def principal_of(principal: SignedIn, deployment: TheDeployment, now: Now) -> Principal:
    """For routes outside of tenants: the request counts as one of those."""
    deployment.rates.admit_outside(principal.key, now=now)
    return principal


ThePrincipal = Annotated[Principal, Depends(principal_of)]


async def platform_of(
    request: Request, principal: ThePrincipal, deployment: TheDeployment, now: Now
) -> Principal:
    try:
        require_platform(deployment, principal)
    except NotFound:
        with suppress(Invalid):  # what is no tenant's id is no try at a tenant
            target = TenantId(read_guid(request.path_params.get("tenant_id", ""), field="tenantId"))
            await tell_denial(deployment, principal, target, now=now)
        raise
    if any(
        value != request.path_params.get("tenant_id", value)
        for value in request.headers.getlist(TENANT_HEADER)
    ):
        raise Invalid("X-Tenant-Id and the path name two tenants.", field="X-Tenant-Id")
    return principal


Platform = Annotated[Principal, Depends(platform_of)]


async def chosen_tenant(request: Request, principal: Principal, deployment: Deployment) -> TenantId:
    """The one tenant this request is about."""
    values = request.headers.getlist(TENANT_HEADER)
    if len(values) > 1:
        raise Invalid("Send X-Tenant-Id once.", field="X-Tenant-Id")
    if values:
        return TenantId(read_guid(values[0], field="X-Tenant-Id"))
    linked = await deployment.registry.tenants_of(principal)
    known = [one for one in linked if await deployment.registry.is_open(one)]
    if not known and not principal.is_platform_operator(deployment.settings):
        raise Forbidden("You are a member of no tenant. Ask an admin of yours for an invitation.")
    if len(known) != 1:
        raise Invalid("Say which tenant: send the header X-Tenant-Id.", field="X-Tenant-Id")
    return known[0]


Choose = Callable[[Request, Principal, Deployment], Awaitable[TenantId]]


def entering(
    permission: Permission, choose: Choose = chosen_tenant, *, restoring: bool = False
) -> Callable[..., Awaitable[TenantContext]]:
    """The dependency that lets a caller with this permission into its tenant; `choose` says which one that is, and
    `restoring` that it may be one that is being restored."""

    async def entered(
        request: Request, principal: SignedIn, deployment: TheDeployment, now: Now
    ) -> TenantContext:
        rates = deployment.rates
        try:
            tenant_id = await choose(request, principal, deployment)
            rates.check(tenant_id, principal.key, now=now)
            context = await enter(deployment, principal, tenant_id, restoring=restoring, now=now)
            await rates.admit(context.store, principal.key, now=now)
            await deployment.usage.call(context.store)
        except DriftError:
            rates.admit_outside(principal.key, now=now)  # who gets into no tenant is outside
            raise
        context.require(permission)
        return context

    return entered


Viewer = Annotated[TenantContext, Depends(entering(Permission.READ))]
Operator = Annotated[TenantContext, Depends(entering(Permission.OPERATE))]
Admin = Annotated[TenantContext, Depends(entering(Permission.ADMINISTER))]
Restorer = Annotated[TenantContext, Depends(entering(Permission.ADMINISTER, restoring=True))]


def required_etag(if_match: Annotated[str | None, Header()] = None) -> str:
    """The ETag of what the caller read; `*` would overwrite what nobody looked at."""
    if not if_match or if_match == "*":
        raise PreconditionRequired("Send If-Match with the ETag of what you read.")
    if not _ETAG.fullmatch(if_match):
        raise Stale("This is not the ETag of what is stored. Read it again.")
    return if_match


IfMatch = Annotated[str, Depends(required_etag)]
