"""/api/tenants/…/erasure: what the platform keeps of the end of a tenant. To everybody else it does not exist."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import Field

from api.access import Platform, TheDeployment
from api.paging import PageSize, Token, platform_pager
from api.shapes import Guid, ListOf, View
from drift import erasure
from tenancy.deployment import Deployment
from tenancy.erasures import Erasure, ErasureState
from tenancy.ids import TenantId

router = APIRouter(prefix="/api/tenants", tags=["tenants"])


class ErasureView(View):
    id: str = Field(description="of the tenant")
    state: ErasureState
    asked_by: str = Field(
        description="principal key; `system` for a deletion that nobody wrote down"
    )
    asked_at: datetime = Field(description="when the tenant was closed")
    due_at: datetime
    begun_at: datetime | None
    emptied_at: datetime | None = Field(description="when everything was removed once")
    removed: dict[str, int] = Field(description="counts by place: `rows.<table>`, `index`, …")
    reason: str = Field(description="why the last try did not come to its end")
    certificate: str = Field(description="JSON, exactly as it was signed; empty before the end")
    signature: str = Field(description="HMAC-SHA-256 of the certificate, hexadecimal")
    genuine: bool = Field(description="whether the signature is that of the deployment's own key")


@router.get("/erasures", response_model=ListOf[ErasureView])
async def list_erasures(
    _: Platform,
    deployment: TheDeployment,
    request: Request,
    size: PageSize = 100,
    token: Token = None,
) -> ListOf[ErasureView]:
    """Of deleted tenants, those that wait and those that are done, in order of tenant id."""
    pager = await platform_pager(request, deployment)
    found, cursor = await deployment.erasures.page(after=pager.start(token), limit=size)
    views = [await view_erasure(deployment, one) for one in found]
    return ListOf(value=views, next_link=pager.link(cursor))


@router.get("/{tenant_id}/erasure", response_model=ErasureView)
async def get_erasure(tenant_id: Guid, _: Platform, deployment: TheDeployment) -> ErasureView:
    """How far the erasure of a deleted tenant is, and at its end the certificate. It stays for good."""
    return await view_erasure(
        deployment, await erasure.get_erasure(deployment, TenantId(tenant_id))
    )


async def view_erasure(deployment: Deployment, found: Erasure) -> ErasureView:
    members = {name: getattr(found, name, None) for name in ErasureView.model_fields}
    genuine = await erasure.is_genuine(deployment, found)
    return ErasureView.model_validate(members | {"id": found.tenant_id, "genuine": genuine})
