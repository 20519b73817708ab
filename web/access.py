"""A page's signature is its authorisation, as a route's of the API is: `tenant: Viewer`, `Operator` or `Admin`.

The tenant is in the path, so that a link says whose page it is; whoever may not enter gets the page of what is not
there. Changes need the header that api/access.py asks for, which only a script of our own pages sends.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from fastapi import Depends, Request

from api.access import (
    TENANT_HEADER,
    Now,
    TheDeployment,
    entering,
    principal_of,
    require_script,
    signed_in,
)
from errors import Invalid, NotFound, Unauthenticated
from tenancy.access import UNKNOWN, TenantContext
from tenancy.deployment import Deployment
from tenancy.ids import TenantId, read_guid
from tenancy.principal import Principal
from tenancy.roles import Permission


async def path_tenant(request: Request, principal: Principal, deployment: Deployment) -> TenantId:
    """The tenant that the path names. A header that names another one would make the request two requests."""
    try:
        tenant_id = TenantId(read_guid(request.path_params["tenant_id"], field="tenantId"))
    except Invalid:
        raise NotFound(UNKNOWN) from None
    if any(value != tenant_id for value in request.headers.getlist(TENANT_HEADER)):
        raise Invalid("X-Tenant-Id and the path name two tenants.", field="X-Tenant-Id")
    return tenant_id


Viewer = Annotated[TenantContext, Depends(entering(Permission.READ, path_tenant))]
Operator = Annotated[TenantContext, Depends(entering(Permission.OPERATE, path_tenant))]
Admin = Annotated[TenantContext, Depends(entering(Permission.ADMINISTER, path_tenant))]
Restorer = Annotated[
    TenantContext, Depends(entering(Permission.ADMINISTER, path_tenant, restoring=True))
]


async def visitor_of(request: Request, deployment: TheDeployment, now: Now) -> Principal | None:
    """Who looks at a page that anybody may see; None when nobody is signed in."""
    with suppress(Unauthenticated):
        principal = await signed_in(request, deployment, now)
        return await principal_of(principal, deployment, now)
    return None


Visitor = Annotated[Principal | None, Depends(visitor_of)]

OurScript = Annotated[None, Depends(require_script)]  # a change for which nobody need be signed in
