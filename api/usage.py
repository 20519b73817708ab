"""/api/usage: what a tenant used, by day, for its admin; of every tenant, and their quotas, for the platform."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from api.access import Admin, IfMatch, Now, Platform, TheDeployment
from api.contract import gives, may
from api.paging import PageSize, Token, platform_pager
from api.shapes import Date, Guid, ListOf, Shape, View, no_default
from drift.allowances import Allowance, period, set_quotas, total, weigh
from errors import Stale
from tenancy.access import govern, meter
from tenancy.ids import TenantId
from tenancy.quotas import Quotas
from tenancy.tenants import Tenant, TenantStatus
from tenancy.usage import Day, read_days

router = APIRouter(tags=["usage"])

MOST = 2**53 - 1  # that every reader of JSON takes for the number it is
Limit = Annotated[int, Field(ge=0, le=MOST, json_schema_extra=no_default)]
LeftOut = Annotated[
    int | SkipJsonSchema[None],
    Field(exclude_if=lambda limit: limit is None, json_schema_extra=no_default),
]
From = Annotated[Date | None, Query(alias="from", description="first day, UTC; 30 days by default")]
To = Annotated[Date | None, Query(description="last day, UTC; today by default")]


class UsedView(View):
    scans: int = Field(description="started")
    api_calls: int = Field(description="to this API and its pages")
    graph_calls: int = Field(description="to Azure Resource Graph, tries included")
    arm_calls: int = Field(description="to Azure Resource Manager, tries included")
    notices: int = Field(description="delivered")
    resources: int | None = Field(description="the most that a scan read; null when none ended")
    stored_bytes: int | None = Field(
        description="measured each night; the most; null when it was not measured yet"
    )


class DayView(UsedView):
    day: date


class QuotaView(View):
    name: str = Field(description="resources, scansADay or storedBytes")
    limit: int | None = Field(description="null is none")
    used: int | None = Field(
        description="today's scans; resources and bytes as last seen, null when that was never"
    )


class UsageView(View):
    value: list[DayView] = Field(description="days on which anything was counted, oldest first")
    sum: UsedView = Field(description="counts added up; of resources and bytes the most")
    quotas: list[QuotaView]


class TenantUsageView(View):
    id: str
    name: str
    status: TenantStatus
    sum: UsedView
    quotas: list[QuotaView]


class QuotasBody(Shape):
    """All three. What is left out has no limit."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"resources": 50_000, "scansADay": 48}]}
    )

    # Left out they are None, but null is refused: nobody lifts a limit by a value that went missing.
    resources: Limit = Field(default=None)  # type: ignore[assignment]
    scans_a_day: Limit = Field(default=None)  # type: ignore[assignment]
    stored_bytes: Limit = Field(default=None)  # type: ignore[assignment]

    def to_quotas(self) -> Quotas:
        return Quotas(self.resources, self.scans_a_day, self.stored_bytes)


class QuotasView(View):
    """What has no limit is left out, as in the body that sets it."""

    resources: LeftOut = Field(default=None)
    scans_a_day: LeftOut = Field(default=None)
    stored_bytes: LeftOut = Field(default=None)


@router.get("/api/usage", response_model=UsageView)
async def get_usage(tenant: Admin, now: Now, since: From = None, to: To = None) -> UsageView:
    """By day and together. Counted in blocks: the last minutes may be missing."""
    since, until = period(since, to, today=now.date())
    days = await read_days(tenant.store, since, until)
    return UsageView(
        value=[DayView.model_validate(day) for day in days],
        sum=_sum(days, until),
        quotas=_quotas(weigh(tenant.tenant.quotas, days, today=now.date())),
    )


@router.get("/api/tenants/usage", response_model=ListOf[TenantUsageView])
async def list_usage(
    request: Request,
    operator: Platform,
    deployment: TheDeployment,
    now: Now,
    since: From = None,
    to: To = None,
    maxpagesize: PageSize = 50,
    continuation_token: Token = None,
) -> ListOf[TenantUsageView]:
    """How much every tenant used, without entering any: sums and quotas, in the order of their ids."""
    since, until = period(since, to, today=now.date())
    pager = await platform_pager(request, deployment)
    start = pager.start(continuation_token)
    tenants, cursor = await deployment.registry.page(after=start, limit=maxpagesize)
    value = []
    for tenant in tenants:
        days = await meter(deployment, operator, tenant.tenant_id).days(since, until)
        value.append(_of_tenant(tenant, days, until, now.date()))
    return ListOf(value=value, next_link=pager.link(cursor))


@router.get("/api/tenants/{tenant_id}/quotas", response_model=QuotasView, responses=gives("ETag"))
async def get_quotas(
    tenant_id: Guid, operator: Platform, deployment: TheDeployment, now: Now, response: Response
) -> QuotasView:
    """What a tenant may use. What is left out has no limit."""
    context = await govern(deployment, operator, TenantId(tenant_id), now=now)
    response.headers["ETag"] = context.tenant.etag
    return QuotasView.model_validate(context.tenant.quotas)


@router.put(
    "/api/tenants/{tenant_id}/quotas",
    response_model=QuotasView,
    responses=gives("ETag") | may(Stale),
)
async def put_quotas(
    tenant_id: Guid,
    operator: Platform,
    deployment: TheDeployment,
    body: QuotasBody,
    etag: IfMatch,
    now: Now,
    response: Response,
) -> QuotasView:
    """From now on. What is over a smaller quota already stays; nothing more is added to it."""
    context = await govern(deployment, operator, TenantId(tenant_id), now=now)
    tenant = await set_quotas(context, body.to_quotas(), etag=etag, now=now)
    response.headers["ETag"] = tenant.etag
    return QuotasView.model_validate(tenant.quotas)


def _of_tenant(tenant: Tenant, days: list[Day], until: date, today: date) -> TenantUsageView:
    return TenantUsageView(
        id=tenant.tenant_id,
        name=tenant.name,
        status=tenant.status,
        sum=_sum(days, until),
        quotas=_quotas(weigh(tenant.quotas, days, today=today)),
    )


def _sum(days: list[Day], last: date) -> UsedView:
    return UsedView.model_validate(total(days, last=last))


def _quotas(allowances: list[Allowance]) -> list[QuotaView]:
    return [QuotaView.model_validate(one) for one in allowances]
