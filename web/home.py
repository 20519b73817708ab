"""The page at `/`: says what this is to a stranger, and shows the signed-in their tenants."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from api.access import Now, TheDeployment
from api.me import get_me
from tenancy import development
from web.access import Visitor
from web.rendering import render

router = APIRouter(include_in_schema=False)


@router.get("/")
async def get_home(
    request: Request,
    visitor: Visitor,
    deployment: TheDeployment,
    now: Now,
    every: Annotated[str | None, Query(alias="all", max_length=0)] = None,
) -> Response:
    """Names no tenant without sign-in. Whoever has one place to go, a tenant or the platform, is led there, unless the
    address asks for all of them: `/?all`."""
    if visitor is None:
        settings = deployment.settings
        people = development.people(settings) if development.is_offered(settings) else ()
        offered = development.is_offered(settings)
        return render(request, "welcome.html", None, people=people, offered=offered)
    me = await get_me(visitor, deployment, now)
    places = [f"/t/{one.tenant_id}/" for one in me.tenants]
    places += ["/platform"] if me.platform_operator else []
    if len(places) == 1 and every is None:
        return RedirectResponse(places[0], status_code=303)
    return render(request, "home.html", visitor, me=me)


@router.get("/switcher")
async def get_switcher(
    request: Request, visitor: Visitor, deployment: TheDeployment, now: Now
) -> Response:
    """The signed-in's tenants, for the menu that every page has."""
    me = await get_me(visitor, deployment, now) if visitor else None
    return render(request, "parts/switcher.html", visitor, me=me)
