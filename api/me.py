"""GET /api/me: who am I here, and GET /healthz: is the app alive."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter

from api.access import Now, TheDeployment, ThePrincipal
from api.shapes import View
from errors import Forbidden, NotFound
from tenancy.access import enter

router = APIRouter(tags=["me"])
LATE_TICK_SECONDS = 600


class Membership(View):
    tenant_id: str
    name: str
    role: str


class Me(View):
    directory_id: str
    object_id: str
    name: str
    platform_operator: bool
    tenants: list[Membership]


class Health(View):
    status: str
    last_tick: datetime | None
    tick_is_late: bool


@router.get("/api/me", response_model=Me, summary="Who am I")
async def get_me(principal: ThePrincipal, deployment: TheDeployment, now: Now) -> Me:
    """The signed-in principal and the tenants it may enter."""
    tenants = []
    for tenant_id in await deployment.registry.tenants_of(principal):
        try:
            context = await enter(deployment, principal, tenant_id, now=now)
        except (NotFound, Forbidden):  # deleted or no longer a member; suspended
            continue
        tenants.append(Membership(tenant_id=tenant_id, name=context.tenant.name, role=context.role))
    return Me(
        directory_id=principal.directory_id,
        object_id=principal.object_id,
        name=principal.name,
        platform_operator=principal.is_platform_operator(deployment.settings),
        tenants=tenants,
    )


@router.get("/healthz", response_model=Health, summary="Is the app alive")
async def get_health(deployment: TheDeployment, now: Now) -> Health:
    """Alive, and when the timer last ran. Names no tenant."""
    tick = await deployment.registry.last_tick()
    late = tick is None or (now - tick).total_seconds() > LATE_TICK_SECONDS
    return Health(status="ok", last_tick=tick, tick_is_late=late)
