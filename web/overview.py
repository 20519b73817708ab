"""A tenant's first page: how everything stands, what needs attention first, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.access import Now
from drift.connection import find_connection
from drift.engine.findings import UNSETTLED
from drift.filters import Wanted
from drift.standing import Overview, State, get_overview
from drift.summaries import page_summaries
from tenancy.access import TenantContext
from tenancy.roles import Permission, allows
from web.access import Viewer
from web.rendering import render

router = APIRouter(prefix="/t/{tenant_id}", include_in_schema=False)
FIRST = 6  # findings shown as what needs attention first


@dataclass(frozen=True, slots=True)
class NextStep:
    """What a tenant that is not complete yet needs."""

    title: str
    text: str
    path: str  # of the page where it is done
    label: str


@router.get("/")
async def get_tenant(tenant: Viewer, request: Request, now: Now) -> Response:
    overview = await get_overview(tenant.store, tenant.tenant, now=now)
    wanted = Wanted(statuses=UNSETTLED)
    first = await page_summaries(tenant.store, wanted, limit=FIRST)  # tallies are in order by now
    return render(
        request,
        "overview.html",
        tenant,
        overview=overview,
        first=first.found,
        names=names_of(overview),
        next_step=await _next_step(tenant, overview),
        states=tuple(State),
    )


def names_of(overview: Overview) -> dict[str, str]:
    """Names of subscriptions by their ids."""
    known = (standing.subscription for standing in overview.standings)
    return {one.subscription_id: one.name or one.subscription_id for one in known}


async def _next_step(tenant: TenantContext, overview: Overview) -> NextStep | None:
    """Of what is missing to a first answer, the first. Nothing once there is one."""
    if not overview.standings:
        return await _towards_subscriptions(tenant)
    if overview.newest is None:
        return NextStep(
            "Nothing has been read yet",
            "Start the first scan. It takes a minute or so and changes nothing in Azure.",
            "/scans",
            "Start the first scan",
        )
    monitored = [one for one in overview.standings if one.state is not State.PAUSED]
    bare = [one for one in monitored if not one.subscription.active_baseline and one.read_at]
    if bare and overview.running is None:
        return NextStep(
            "There is nothing to compare with yet",
            "Capture what was read as the baseline: from then on every scan reports what differs from it.",
            "/baselines",
            "Capture a baseline",
        )
    return None


async def _towards_subscriptions(tenant: TenantContext) -> NextStep:
    if await find_connection(tenant) is None:
        admin = allows(tenant.role, Permission.ADMINISTER)
        return NextStep(
            "Azure is not connected yet",
            "Say how the subscriptions are to be read. Reader is all that is ever needed there."
            if admin
            else "An admin of this tenant says how the subscriptions are to be read.",
            "/settings",
            "Connect Azure" if admin else "Settings",
        )
    return NextStep(
        "No subscription is known yet",
        "Ask Azure which subscriptions the connection sees.",
        "/subscriptions",
        "Find subscriptions",
    )
