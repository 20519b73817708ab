"""Deleting a tenant with its name typed, and what the platform keeps of it: how far its erasure is, the certificate."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.access import Now, Platform, TheDeployment
from api.erasures import view_erasure
from api.shapes import GUID_PATTERN, Guid
from drift import erasure, onboarding
from tenancy.access import govern
from tenancy.erasures import ErasureState
from tenancy.ids import TenantId
from web.forms import TheForm
from web.rendering import go_to, render

router = APIRouter(prefix="/platform", include_in_schema=False)
PAGE = 100

After = Annotated[str, Query(pattern=f"{GUID_PATTERN}|^$")]


@router.get("/tenants/{tenant_id}/delete")
async def get_deletion(
    operator: Platform, tenant_id: Guid, deployment: TheDeployment, request: Request, now: Now
) -> Response:
    context = await govern(deployment, operator, TenantId(tenant_id), now=now)
    grace = erasure.GRACE.days
    return render(request, "tenant_delete.html", operator, tenant=context.tenant, grace=grace)


@router.post("/tenants/{tenant_id}/delete")
async def post_deletion(
    operator: Platform, tenant_id: Guid, deployment: TheDeployment, form: TheForm, now: Now
) -> Response:
    context = await govern(deployment, operator, TenantId(tenant_id), now=now)
    erasure.confirm(context.tenant, form.text("confirm"))
    at_once = form.text("when") == "now"
    await onboarding.delete(context, at_once=at_once, now=now)
    return go_to(f"/platform/erasures/{tenant_id}")


@router.get("/erasures")
async def list_erasures(
    operator: Platform, deployment: TheDeployment, request: Request, after: After = ""
) -> Response:
    found, cursor = await deployment.erasures.page(after=after, limit=PAGE)
    following = f"?after={cursor}" if cursor else ""
    return render(request, "erasures.html", operator, erasures=found, following=following)


@router.get("/erasures/{tenant_id}")
async def get_erasure(
    operator: Platform, tenant_id: Guid, deployment: TheDeployment, request: Request
) -> Response:
    found = await erasure.get_erasure(deployment, TenantId(tenant_id))
    shown = await view_erasure(deployment, found)
    waiting = found.state is ErasureState.WAITING
    return render(request, "erasure.html", operator, erasure=shown, waiting=waiting)


@router.post("/erasures/{tenant_id}/now")
async def post_haste(
    operator: Platform, tenant_id: Guid, deployment: TheDeployment, form: TheForm, now: Now
) -> Response:
    who, typed = operator.key, form.text("confirm")
    await erasure.hasten(deployment, TenantId(tenant_id), who, typed, now=now)
    return go_to(f"/platform/erasures/{tenant_id}")
