"""Signing in and out in the development mode. In Azure these pages are not there: App Service signs people in."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from api.access import TheDeployment, ThePrincipal
from errors import Forbidden, NotFound, Unauthenticated
from tenancy import development
from tenancy.deployment import Deployment
from tenancy.principal import read_principal
from web.access import OurScript
from web.forms import TheForm
from web.rendering import go_to

router = APIRouter(include_in_schema=False)


@router.post("/development/sign-in")
async def sign_in(_: OurScript, form: TheForm, deployment: TheDeployment) -> Response:
    """As one of those who are offered, or as anybody: on this machine everybody is believed."""
    _require_development(deployment)
    principal = development.check_principal(form.text("principal")) or development.make_principal(
        form.text("directoryId"),
        form.text("objectId"),
        form.text("name"),
        platform=form.text("platform") == "yes",
    )
    _check(principal, deployment)
    response = go_to("/")
    response.set_cookie(
        development.COOKIE, development.encode(principal), httponly=True, samesite="strict"
    )
    return response


@router.post("/development/sign-out")
async def sign_out(_: ThePrincipal, deployment: TheDeployment) -> Response:
    _require_development(deployment)
    response = go_to("/")
    response.set_cookie(development.COOKIE, "", max_age=0, httponly=True, samesite="strict")
    return response


def _require_development(deployment: Deployment) -> None:
    if not development.is_offered(deployment.settings):
        raise NotFound("There is no such page.")


def _check(principal: str, deployment: Deployment) -> None:
    headers = [("host", "localhost"), ("x-ms-client-principal", principal)]
    try:
        read_principal(headers, deployment.settings)
    except Unauthenticated as error:
        raise Forbidden(error.message) from error
