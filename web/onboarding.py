"""Onboarding a tenant step by step. Every step can be left and come back to: the tenant itself says how far it is."""

from __future__ import annotations

import uuid

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.access import Now, Platform, TheDeployment
from api.shapes import Guid
from api.tenants import AdminBody, TenantBody
from drift import onboarding
from drift.connection import find_connection
from drift.templates import STANDARD, TEMPLATES
from drift.trial import try_connection
from errors import Invalid, Refused
from tenancy.access import govern
from tenancy.connections import ConnectionKind
from tenancy.ids import TenantId
from tenancy.store import Table
from tenancy.tenants import TenantStatus
from web.forms import TheForm, read
from web.rendering import go_to, render
from web.settings import read_connection

router = APIRouter(prefix="/platform/tenants", include_in_schema=False)


@router.get("/new")
async def get_new(operator: Platform, request: Request) -> Response:
    """The id in it makes a form that is sent twice one tenant."""
    return render(
        request,
        "tenant_new.html",
        operator,
        operation_id=str(uuid.uuid4()),
        templates=TEMPLATES,
        standard=STANDARD,
    )


@router.post("/new")
async def post_new(
    operator: Platform, deployment: TheDeployment, form: TheForm, now: Now
) -> Response:
    body = read(
        TenantBody,
        name=form.text("name"),
        azureTenantId=form.text("directoryId").lower(),
        template=form.text("template") or STANDARD,
    )
    new = body.to_new(form.text("operationId"))
    made = await onboarding.provision(deployment, operator, new, now=now)
    return go_to(f"/platform/tenants/{made.context.tenant.tenant_id}")


@router.get("/{tenant_id}")
async def get(
    operator: Platform, tenant_id: Guid, deployment: TheDeployment, request: Request, now: Now
) -> Response:
    context = await govern(deployment, operator, TenantId(tenant_id), now=now)
    users, _ = await context.store.page(Table.USER, limit=1)
    return render(
        request,
        "tenant_setup.html",
        operator,
        tenant=context.tenant,
        connection=await find_connection(context),
        has_admin=bool(users),
        provisioning=context.tenant.status is TenantStatus.PROVISIONING,
        kinds=tuple(ConnectionKind),
    )


@router.post("/{tenant_id}/connection")
async def post_connection(
    operator: Platform, tenant_id: Guid, deployment: TheDeployment, form: TheForm, now: Now
) -> Response:
    context = await govern(deployment, operator, TenantId(tenant_id), now=now)
    try:
        await onboarding.give_connection(context, read_connection(form).to_new(), now=now)
    except Refused as error:
        raise Invalid(error.message, field="secret") from error
    return go_to(f"/platform/tenants/{tenant_id}")


@router.post("/{tenant_id}/test")
async def post_test(
    operator: Platform, tenant_id: Guid, deployment: TheDeployment, request: Request, now: Now
) -> Response:
    context = await govern(deployment, operator, TenantId(tenant_id), now=now)
    return render(request, "parts/trial.html", operator, lines=await try_connection(context))


@router.post("/{tenant_id}/activate")
async def post_activation(
    operator: Platform, tenant_id: Guid, deployment: TheDeployment, form: TheForm, now: Now
) -> Response:
    """The first admin, and with it the last step: from now on the tenant can be entered."""
    context = await govern(deployment, operator, TenantId(tenant_id), now=now)
    body = read(
        AdminBody,
        directoryId=form.text("directoryId").lower(),
        objectId=form.text("objectId").lower(),
        name=form.text("name"),
    )
    await onboarding.give_admin(context, body.to_admin(), now=now)
    await onboarding.activate(context, now=now)
    return go_to(f"/t/{tenant_id}/")
