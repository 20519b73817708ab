"""/api/findings: what drifted, and what people decide about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import ConfigDict, Field, computed_field

from api.access import IfMatch, Now, Operator, Viewer
from api.contract import gives, may
from api.paging import PageSize, Token, tenant_pager
from api.shapes import GUID_PATTERN, ListOf, Moment, Reason, RowKey, Shape, View
from drift.channels.rows import find_snooze
from drift.decisions import decide
from drift.engine import findings as life
from drift.engine.findings import MAX_REASON, Evidence, Finding, Status
from drift.engine.model import ChangeKind, Severity
from drift.engine.severities import BuiltInRule, find
from drift.filters import Wanted
from drift.findings import Stored, get_finding, page_findings
from drift.notices import page_notices
from drift.proposals import flaps_of
from errors import Conflict
from tenancy.access import TenantContext

router = APIRouter(tags=["findings"])


class ChangeView(View):
    path: str
    kind: ChangeKind
    before: Any
    after: Any
    severity: Severity
    rule: str
    note: str

    @computed_field(description="what is so now; '' where a rule of the tenant decided")  # type: ignore[prop-decorator]
    @property
    def title(self) -> str:
        return self._built_in.title if self._built_in else ""

    @computed_field(description="why that matters")  # type: ignore[prop-decorator]
    @property
    def reason(self) -> str:
        return self._built_in.reason if self._built_in else ""

    @computed_field(description="what to do about it")  # type: ignore[prop-decorator]
    @property
    def action(self) -> str:
        return self._built_in.action if self._built_in else ""

    @property
    def _built_in(self) -> BuiltInRule | None:
        return find(self.rule)


class AttributionView(View):
    changed_by: str
    changed_by_type: str
    client_type: str
    operation: str
    correlation_id: str
    timestamp: str


class StepView(View):
    at: datetime
    who: str
    action: str
    reason: str


class FindingView(View):
    id: str
    subscription_id: str
    resource_key: str
    resource_id: str
    resource_type: str
    change: ChangeKind
    severity: Severity
    status: Status
    evidence: Evidence
    first_seen: datetime
    last_seen: datetime
    baseline_id: str
    accepted_until: datetime | None
    attribution: AttributionView | None
    changes: tuple[ChangeView, ...]
    ignored_by: str | None
    ignored_changes: tuple[ChangeView, ...]
    steps: tuple[StepView, ...]
    etag: str


class FlapView(View):
    path: str
    changed: int = Field(description="scans in which it changed")
    scans: int = Field(description="scans looked at")
    evidence: str


class FindingDetail(FindingView):
    flapping: tuple[FlapView, ...] = Field(
        default=(), description="paths that changed in most of the last scans: Azure moves them"
    )
    snoozed_until: datetime | None = Field(
        default=None, description="until then no channel is told of it"
    )


class NoticeView(View):
    id: str = Field(validation_alias="notice_id")
    channel: str
    subscription_id: str
    scan_id: str
    events: tuple[tuple[str, str], ...]
    created_at: datetime
    outcome: str
    reason: str
    text: str = Field(description="what it says when it is about no finding")
    incident: str = Field(description="correlation id of what caused it all; '' when not known")


class DecisionBody(Shape):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "Change 4711, agreed with the network team"}]}
    )

    reason: Reason


class AcknowledgeBody(Shape):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Ada looks into it"}]})

    reason: str = Field(default="", max_length=MAX_REASON)


class AcceptBody(DecisionBody):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"reason": "Until the migration ends", "until": "2099-05-31T00:00:00Z"}]
        }
    )

    until: Moment | None = Field(default=None, description="when the acceptance ends; with zone")


def wanted_of(
    status: Annotated[list[Status], Query()] = [],  # noqa: B006 - FastAPI copies defaults
    severity: Annotated[list[Severity], Query()] = [],  # noqa: B006
    subscription: Annotated[str | None, Query(pattern=GUID_PATTERN)] = None,
    resource_type: Annotated[str | None, Query(alias="type", max_length=200)] = None,
    resource: Annotated[str | None, Query(max_length=2000)] = None,
    group: Annotated[str | None, Query(max_length=200)] = None,
    actor: Annotated[
        str | None, Query(max_length=200, description="part of who changed it")
    ] = None,
    text: Annotated[str | None, Query(max_length=200)] = None,
    incident: Annotated[str | None, Query(pattern=GUID_PATTERN)] = None,
    since: Moment | None = None,
) -> Wanted:
    """What lists, exports and reports of findings can be narrowed to."""
    return Wanted(
        statuses=frozenset(status),
        severities=frozenset(severity),
        subscription_id=subscription or "",
        resource_type=(resource_type or "").lower(),
        resource=(resource or "").lower(),
        group=(group or "").lower(),
        actor=(actor or "").lower(),
        text=(text or "").lower(),
        incident=incident or "",
        since=since,
    )


TheWanted = Annotated[Wanted, Depends(wanted_of)]


@router.get("/api/findings", response_model=ListOf[FindingView])
async def list_findings(
    tenant: Viewer, request: Request, wanted: TheWanted, size: PageSize = 100, token: Token = None
) -> ListOf[FindingView]:
    """Filtered by status, severity, type, subscription, part of the resource id, group, who, incident, and last seen
    since. A page of a filter that meets little may be short, even empty: the list ends where there is no `nextLink`.

    An incident is what one operation in Azure caused: the correlation id of the attribution.
    """
    pager = await tenant_pager(request, tenant)
    start = pager.start(token)
    rows, cursor = await page_findings(tenant.store, wanted, after=start, limit=size)
    return ListOf(value=[_view(row) for row in rows], next_link=pager.link(cursor))


@router.get(
    "/api/findings/{finding_id}",
    response_model=FindingDetail,
    name="get_finding",
    responses=gives("ETag"),
)
async def get(finding_id: RowKey, tenant: Viewer, response: Response) -> FindingDetail:
    """What differs, who did it, and every decision so far; with the ETag that a decision needs."""
    stored = await get_finding(tenant.store, finding_id)
    response.headers["ETag"] = stored.etag
    flaps = await flaps_of(tenant.store, stored.finding)
    view = _view(stored)
    said = {name: getattr(view, name) for name in FindingView.model_fields}
    return FindingDetail(
        **said,
        flapping=tuple(map(FlapView.model_validate, flaps)),
        snoozed_until=await find_snooze(tenant.store, finding_id),
    )


@router.post(
    "/api/findings/{finding_id}/acknowledge",
    response_model=FindingView,
    name="acknowledge_finding",
    responses=may(Conflict),
)
async def acknowledge(
    finding_id: RowKey, tenant: Operator, body: AcknowledgeBody, etag: IfMatch, now: Now
) -> FindingView:
    """Somebody is on it."""
    return await _decide(tenant, finding_id, etag, life.acknowledge, now, reason=body.reason)


@router.post(
    "/api/findings/{finding_id}/accept",
    response_model=FindingView,
    name="accept_finding",
    responses=may(Conflict),
)
async def accept(
    finding_id: RowKey, tenant: Operator, body: AcceptBody, etag: IfMatch, now: Now
) -> FindingView:
    """Pins the present value: any other value later opens the finding again."""
    decision = partial(life.accept, until=body.until)
    return await _decide(tenant, finding_id, etag, decision, now, reason=body.reason)


@router.post(
    "/api/findings/{finding_id}/ignore",
    response_model=FindingView,
    name="ignore_finding",
    responses=may(Conflict),
)
async def ignore(
    finding_id: RowKey, tenant: Operator, body: DecisionBody, etag: IfMatch, now: Now
) -> FindingView:
    """Hides the present value without calling it right."""
    return await _decide(tenant, finding_id, etag, life.ignore, now, reason=body.reason)


@router.post(
    "/api/findings/{finding_id}/reopen",
    response_model=FindingView,
    name="reopen_finding",
    responses=may(Conflict),
)
async def reopen(
    finding_id: RowKey, tenant: Operator, body: DecisionBody, etag: IfMatch, now: Now
) -> FindingView:
    """Takes a decision back: it is drift again."""
    return await _decide(tenant, finding_id, etag, life.reopen, now, reason=body.reason)


@router.get("/api/notices", response_model=ListOf[NoticeView])
async def list_notices(
    tenant: Viewer, request: Request, size: PageSize = 50, token: Token = None
) -> ListOf[NoticeView]:
    """The tenant's inbox, newest first: which findings changed status."""
    pager = await tenant_pager(request, tenant)
    rows, cursor = await page_notices(tenant.store, after=pager.start(token), limit=size)
    return ListOf(
        value=[NoticeView.model_validate(row) for row in rows], next_link=pager.link(cursor)
    )


async def _decide(
    tenant: TenantContext,
    finding_id: str,
    etag: str,
    decision: Callable[..., Finding],
    now: datetime,
    *,
    reason: str,
) -> FindingView:
    return _view(await decide(tenant, finding_id, decision, etag=etag, reason=reason, now=now))


def _view(stored: Stored) -> FindingView:
    finding = stored.finding
    attribution = finding.attribution
    return FindingView(
        id=finding.finding_id,
        subscription_id=finding.subscription_id,
        resource_key=finding.key,
        resource_id=finding.resource_id,
        resource_type=finding.resource_type,
        change=finding.kind,
        severity=finding.severity,
        status=finding.status,
        evidence=finding.evidence,
        first_seen=finding.first_seen,
        last_seen=finding.last_seen,
        baseline_id=finding.baseline_id,
        accepted_until=finding.accepted_until,
        attribution=AttributionView.model_validate(attribution) if attribution else None,
        changes=tuple(ChangeView.model_validate(change) for change in finding.changes),
        ignored_by=finding.ignored_by or None,
        ignored_changes=tuple(ChangeView.model_validate(one) for one in finding.ignored_changes),
        steps=tuple(StepView.model_validate(step) for step in finding.steps),
        etag=stored.etag,
    )
