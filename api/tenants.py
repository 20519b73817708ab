"""/api/tenants: the platform operator's routes. To everybody else they do not exist."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response, status
from pydantic import ConfigDict, Field, JsonValue

from api.access import IfMatch, Now, Platform, TheDeployment
from api.connection import ConnectionBody, ConnectionView, view_connection
from api.contract import gives, may
from api.examples import GUID
from api.paging import PageSize, Token, platform_pager
from api.settings import SettingsBody, SettingsView
from api.shapes import GUID_PATTERN, Guid, ListOf, Name, Shape, View
from drift import erasure, onboarding
from drift.onboarding import FirstAdmin, NewTenant
from drift.preferences import Preferences
from drift.subscriptions import share, unshare
from drift.templates import STANDARD, TEMPLATES, preferences_of
from errors import Conflict, Invalid, NotFound, Refused, Stale
from tenancy.access import TenantContext, govern
from tenancy.deployment import Deployment
from tenancy.ids import DirectoryId, ObjectId, SubscriptionId, TenantId
from tenancy.principal import Principal
from tenancy.tenants import Tenant, TenantStatus

router = APIRouter(prefix="/api/tenants", tags=["tenants"])

OperationId = Annotated[
    str | None,
    Header(
        pattern=GUID_PATTERN, description="any GUID; the same one again goes on with that tenant"
    ),
]
AtOnce = Annotated[bool, Query(alias="now", description="erase it at once")]
Confirmation = Annotated[
    str, Query(max_length=200, description="with `now`: the tenant's name, as a confirmation")
]

ADMIN: dict[str, JsonValue] = {"directoryId": GUID, "objectId": GUID, "name": "Ada"}
Template = Annotated[
    str | None, Field(description=f"settings to start with: {', '.join(TEMPLATES)}")
]


class AdminBody(Shape):
    model_config = ConfigDict(json_schema_extra={"examples": [ADMIN]})

    directory_id: Guid
    object_id: Guid
    name: Name

    def to_admin(self) -> FirstAdmin:
        return FirstAdmin(DirectoryId(self.directory_id), ObjectId(self.object_id), self.name)


class SettingsChoice(Shape):
    """A template, or settings of one's own."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"template": "quiet"}]})

    template: Template = None
    settings: SettingsBody | None = None

    def to_preferences(self) -> Preferences | None:
        if self.template is not None and self.settings is not None:
            raise Invalid("Give a template or settings, not both.", field="template")
        if self.settings is not None:
            return self.settings.to_preferences()
        return preferences_of(self.template) if self.template is not None else None


class TenantBody(SettingsChoice):
    """Name and directory are enough to begin with. With an admin it is ready at once, with the standard settings when
    none are named."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "contoso", "azureTenantId": GUID},
                {
                    "name": "contoso",
                    "azureTenantId": GUID,
                    "template": "strict",
                    "admin": ADMIN,
                    "connection": {"kind": "federated", "directoryId": GUID},
                },
            ]
        }
    )

    name: Name
    azure_tenant_id: Guid
    admin: AdminBody | None = None
    connection: ConnectionBody | None = None

    def to_new(self, operation_id: str) -> NewTenant:
        chosen = self.to_preferences()
        return NewTenant(
            name=self.name,
            directory_id=DirectoryId(self.azure_tenant_id),
            admin=self.admin.to_admin() if self.admin else None,
            connection=self.connection.to_new() if self.connection else None,
            preferences=chosen or (preferences_of(STANDARD) if self.admin else None),
            operation_id=operation_id,
        )


class TenantPatch(Shape):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "contoso"}]})

    name: Name


class TenantView(View):
    id: str
    name: str
    azure_tenant_id: str
    status: TenantStatus
    created_at: datetime
    next_scan_at: datetime | None


class TenantDetail(TenantView):
    missing: list[str] = Field(description="what provisioning still lacks, in words")


class TemplateView(View):
    name: str
    reason: str
    settings: SettingsView


@router.post(
    "",
    response_model=TenantDetail,
    status_code=status.HTTP_201_CREATED,
    responses=gives("Location", 201)
    | {200: {"model": TenantDetail, "description": "The same Operation-Id again"}}
    | may(Conflict, Stale),
)
async def create_tenant(
    operator: Platform,
    deployment: TheDeployment,
    body: TenantBody,
    now: Now,
    response: Response,
    operation_id: OperationId = None,
) -> TenantDetail:
    """Record, settings, connection and first admin, all in one request or the rest by later ones. Repeat it with the
    same Operation-Id after a failure: it goes on where it stopped, and says how far it is."""
    new = body.to_new(operation_id or "")
    made = await onboarding.provision(deployment, operator, new, now=now)
    if not made.created:
        response.status_code = status.HTTP_200_OK
    response.headers["Location"] = f"/api/tenants/{made.context.tenant.tenant_id}"
    return await _detail(made.context)


@router.get("/templates", response_model=ListOf[TemplateView])
async def list_templates(_: Platform) -> ListOf[TemplateView]:
    """The settings that a tenant can start with."""
    views = [
        TemplateView(
            name=name,
            reason=template.reason,
            settings=SettingsView.model_validate(template.preferences),
        )
        for name, template in TEMPLATES.items()
    ]
    return ListOf(value=views)


@router.get("", response_model=ListOf[TenantView])
async def list_tenants(
    _: Platform,
    deployment: TheDeployment,
    request: Request,
    size: PageSize = 100,
    token: Token = None,
) -> ListOf[TenantView]:
    """All tenants in order of id."""
    pager = await platform_pager(request, deployment)
    tenants, cursor = await deployment.registry.page(after=pager.start(token), limit=size)
    return ListOf(value=[_view(tenant) for tenant in tenants], next_link=pager.link(cursor))


@router.get("/{tenant_id}", response_model=TenantDetail, responses=gives("ETag"))
async def get_tenant(
    tenant_id: Guid, operator: Platform, deployment: TheDeployment, now: Now, response: Response
) -> TenantDetail:
    """Its state, and what provisioning still lacks."""
    context = await _govern(deployment, operator, tenant_id, now)
    response.headers["ETag"] = context.tenant.etag
    return await _detail(context)


@router.put(
    "/{tenant_id}/settings",
    response_model=TenantDetail,
    name="provision_settings",
    responses=may(Conflict),
)
async def put_settings(
    tenant_id: Guid, operator: Platform, deployment: TheDeployment, body: SettingsChoice, now: Now
) -> TenantDetail:
    """While it is provisioned: a template or settings of its own."""
    context = await _govern(deployment, operator, tenant_id, now)
    preferences = body.to_preferences()
    if preferences is None:
        raise Invalid("Give a template or settings.", field="template")
    await onboarding.give_preferences(context, preferences, now=now)
    return await _detail(context)


@router.put(
    "/{tenant_id}/connection",
    response_model=ConnectionView,
    name="provision_connection",
    responses=may(Conflict, Stale),
)
async def put_connection(
    tenant_id: Guid, operator: Platform, deployment: TheDeployment, body: ConnectionBody, now: Now
) -> ConnectionView:
    """While it is provisioned: tried with Entra ID first; a refused one changes nothing."""
    context = await _govern(deployment, operator, tenant_id, now)
    try:
        connection = await onboarding.give_connection(context, body.to_new(), now=now)
    except Refused as error:
        raise Invalid(error.message, field="secret") from error
    return view_connection(connection, now)


@router.put(
    "/{tenant_id}/admin",
    response_model=TenantDetail,
    name="provision_admin",
    responses=may(Conflict),
)
async def put_admin(
    tenant_id: Guid, operator: Platform, deployment: TheDeployment, body: AdminBody, now: Now
) -> TenantDetail:
    """While it is provisioned: the one who may enter first."""
    context = await _govern(deployment, operator, tenant_id, now)
    await onboarding.give_admin(context, body.to_admin(), now=now)
    return await _detail(context)


@router.post("/{tenant_id}/activate", response_model=TenantDetail, responses=may(Conflict, Stale))
async def activate_tenant(
    tenant_id: Guid, operator: Platform, deployment: TheDeployment, now: Now
) -> TenantDetail:
    """The last step of provisioning. 409 says what is missing."""
    context = await _govern(deployment, operator, tenant_id, now)
    return await _detail(await onboarding.activate(context, now=now))


@router.put(
    "/{tenant_id}/shared-subscriptions/{subscription_id}", status_code=status.HTTP_204_NO_CONTENT
)
async def share_subscription(
    tenant_id: Guid, subscription_id: Guid, operator: Platform, deployment: TheDeployment, now: Now
) -> None:
    """Lets this tenant watch a subscription that another one watches already."""
    context = await _govern(deployment, operator, tenant_id, now)
    await share(context, SubscriptionId(subscription_id), now=now)


@router.delete(
    "/{tenant_id}/shared-subscriptions/{subscription_id}", status_code=status.HTTP_204_NO_CONTENT
)
async def unshare_subscription(
    tenant_id: Guid, subscription_id: Guid, operator: Platform, deployment: TheDeployment, now: Now
) -> None:
    """Takes it back: this tenant then watches the subscription no longer."""
    context = await _govern(deployment, operator, tenant_id, now)
    await unshare(context, SubscriptionId(subscription_id), now=now)


@router.patch("/{tenant_id}", response_model=TenantView, responses=may(Stale))
async def rename_tenant(
    tenant_id: Guid,
    operator: Platform,
    deployment: TheDeployment,
    body: TenantPatch,
    etag: IfMatch,
    now: Now,
    response: Response,
) -> TenantView:
    """Gives it another name; its id stays. Suspend, resume and delete are orders that need no `If-Match`; a new name
    replaces what somebody read."""
    context = await _govern(deployment, operator, tenant_id, now)
    tenant = await onboarding.rename(context, body.name, etag=etag, now=now)
    response.headers["ETag"] = tenant.etag
    return _view(tenant)


@router.delete("/{tenant_id}", status_code=status.HTTP_204_NO_CONTENT, responses=may(Stale))
async def delete_tenant(
    tenant_id: Guid,
    operator: Platform,
    deployment: TheDeployment,
    now: Now,
    at_once: AtOnce = False,
    confirm: Confirmation = "",
) -> None:
    """Nothing works for this tenant any more, at once. It is erased a week later, or at once: then send its name in
    `confirm`. A deleted tenant that waits for its erasure can still be erased at once."""
    try:
        context = await _govern(deployment, operator, tenant_id, now)
    except NotFound:
        if not at_once:
            raise
        who = operator.key
        await erasure.hasten(deployment, TenantId(tenant_id), who, confirm, now=now)
        return
    if at_once:
        erasure.confirm(context.tenant, confirm)
    await onboarding.delete(context, at_once=at_once, now=now)


@router.post("/{tenant_id}/suspend", response_model=TenantView, responses=may(Conflict, Stale))
async def suspend_tenant(
    tenant_id: Guid, operator: Platform, deployment: TheDeployment, now: Now
) -> TenantView:
    """Nobody but platform operators gets in, and no scan goes on."""
    context = await _govern(deployment, operator, tenant_id, now)
    return _view(await onboarding.suspend(context, now=now))


@router.post("/{tenant_id}/resume", response_model=TenantView, responses=may(Conflict, Stale))
async def resume_tenant(
    tenant_id: Guid, operator: Platform, deployment: TheDeployment, now: Now
) -> TenantView:
    """Makes a suspended tenant active again."""
    context = await _govern(deployment, operator, tenant_id, now)
    return _view(await onboarding.resume(context, now=now))


async def _govern(
    deployment: Deployment, operator: Principal, tenant_id: str, now: datetime
) -> TenantContext:
    return await govern(deployment, operator, TenantId(tenant_id), now=now)


async def _detail(context: TenantContext) -> TenantDetail:
    missing = await onboarding.list_missing(context)
    return TenantDetail(**_view(context.tenant).model_dump(), missing=missing)


def _view(tenant: Tenant) -> TenantView:
    return TenantView(
        id=tenant.tenant_id,
        name=tenant.name,
        azure_tenant_id=tenant.directory_id,
        status=tenant.status,
        created_at=tenant.created_at,
        next_scan_at=tenant.next_scan_at,
    )
