"""GET /api/status: how everything stands, in one small answer, for pipelines and dashboards."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from fastapi import APIRouter
from pydantic import Field

from api.access import Now, Viewer
from api.shapes import View
from drift.engine.model import Severity
from drift.scans import ScanStatus
from drift.standing import Standing, State, get_overview

router = APIRouter(tags=["reports"])


class StandingView(View):
    subscription_id: str
    name: str
    state: State
    reason: str = Field(
        description="of what is neither in sync nor drifted: why, and what comes next"
    )
    read_at: datetime | None = Field(description="when it was last read completely")
    findings: dict[Severity, int] = Field(description="to deal with, by severity")


class NewestScanView(View):
    id: str
    status: ScanStatus
    created_at: datetime


class StatusView(View):
    tenant_id: str
    name: str
    complete: bool = Field(description="whether the state of every monitored subscription is known")
    monitored: int = Field(description="subscriptions")
    findings: dict[Severity, int] = Field(
        description="to deal with in monitored subscriptions, by severity"
    )
    subscriptions: list[StandingView]
    scan: NewestScanView | None = Field(description="the newest")


@router.get("/api/status", response_model=StatusView, name="get_status")
async def get(tenant: Viewer, now: Now) -> StatusView:
    """Each subscription in sync, drifted, unknown, never scanned or paused. What is unknown is never in sync."""
    overview = await get_overview(tenant.store, tenant.tenant, now=now)
    newest = overview.newest
    scan = None
    if newest is not None:
        scan = NewestScanView(id=newest.scan_id, status=newest.status, created_at=newest.created_at)
    return StatusView(
        tenant_id=tenant.tenant.tenant_id,
        name=tenant.tenant.name,
        complete=0 < overview.monitored == overview.covered,
        monitored=overview.monitored,
        findings=_counts(overview.severities),
        subscriptions=[_view(one) for one in overview.standings],
        scan=scan,
    )


def _view(standing: Standing) -> StandingView:
    subscription = standing.subscription
    return StandingView(
        subscription_id=subscription.subscription_id,
        name=subscription.name,
        state=standing.state,
        reason=standing.reason,
        read_at=standing.read_at,
        findings=_counts(standing.unsettled),
    )


def _counts(found: Mapping[str, int]) -> dict[Severity, int]:
    return {severity: found.get(severity, 0) for severity in Severity}
