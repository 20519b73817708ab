"""/api/approvals: what waits for a second person where a tenant wants that, and what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response, status
from pydantic import ConfigDict, Field

from api.access import Admin, IfMatch, Now, Operator, Viewer
from api.contract import gives, may
from api.paging import PageSize, Token, tenant_pager
from api.shapes import ListOf, Reason, RowKey, Shape, View
from drift import four_eyes
from drift.approvals import Approval, ApprovalKind, ApprovalStatus, get_approval, page_approvals
from errors import Conflict

router = APIRouter(prefix="/api/approvals", tags=["approvals"])


class RequestBody(Shape):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "we are one person now"}]})

    reason: Reason


class ApproveBody(Shape):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "compared with 4"}]})

    reason: str = Field(default="", max_length=2000)


class RejectBody(Shape):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "opens port 22"}]})

    reason: Reason


class ApprovalView(View):
    id: str
    kind: ApprovalKind
    status: ApprovalStatus
    subscription_id: str | None
    baseline_id: str | None = Field(description="the version that is to become active")
    version: int | None
    active_baseline: str | None = Field(description="the version active when it was asked for")
    requested_by: str
    requested_at: datetime
    reason: str
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str
    etag: str


@router.get("", response_model=ListOf[ApprovalView])
async def list_approvals(
    tenant: Viewer,
    request: Request,
    wanted: Annotated[list[ApprovalStatus], Query(alias="status")] = [],  # noqa: B006 - FastAPI copies defaults
    size: PageSize = 50,
    token: Token = None,
) -> ListOf[ApprovalView]:
    """Requests, newest first. A filter may make pages short."""
    pager = await tenant_pager(request, tenant)
    found, cursor = await page_approvals(tenant.store, after=pager.start(token), limit=size)
    shown = [_view(one) for one in found if not wanted or one.status in wanted]
    return ListOf(value=shown, next_link=pager.link(cursor))


@router.post(
    "/four-eyes-off",
    response_model=ApprovalView,
    status_code=status.HTTP_202_ACCEPTED,
    responses=gives("ETag", 202) | may(Conflict),
)
async def request_four_eyes_off(
    tenant: Admin, body: RequestBody, now: Now, response: Response
) -> ApprovalView:
    """Asks for the end of four-eyes approval. Another admin approves it."""
    approval = await four_eyes.ask_to_switch_off(tenant, body.reason, now=now)
    response.headers["Location"] = f"{router.prefix}/{approval.approval_id}"
    return _tell(approval, response)


@router.get(
    "/{approval_id}", response_model=ApprovalView, name="get_approval", responses=gives("ETag")
)
async def get(approval_id: RowKey, tenant: Viewer, response: Response) -> ApprovalView:
    """One request, with the ETag that its decision needs."""
    return _tell(await get_approval(tenant.store, approval_id), response)


Decide = Callable[[Callable[..., Awaitable[Approval]], str], Awaitable[ApprovalView]]
DECIDED = gives("ETag") | may(Conflict)


def deciding(
    approval_id: RowKey, tenant: Operator, etag: IfMatch, now: Now, response: Response
) -> Decide:
    """What every decision comes with. It is carried out by a function of drift/four_eyes.py, for a reason."""

    async def decide(decision: Callable[..., Awaitable[Approval]], reason: str) -> ApprovalView:
        made = await decision(tenant, approval_id, etag=etag, reason=reason, now=now)
        return _tell(made, response)

    return decide


Deciding = Annotated[Decide, Depends(deciding)]


@router.post("/{approval_id}/approve", name="approve_request", responses=DECIDED)
async def approve(body: ApproveBody, decide: Deciding) -> ApprovalView:
    """Puts it in force. For a user of the tenant, a person, who neither asked for it nor made the version."""
    return await decide(four_eyes.approve, body.reason)


@router.post("/{approval_id}/reject", name="reject_request", responses=DECIDED)
async def reject(body: RejectBody, decide: Deciding) -> ApprovalView:
    """For the same people, with a reason."""
    return await decide(four_eyes.reject, body.reason)


@router.post("/{approval_id}/withdraw", name="withdraw_request", responses=DECIDED)
async def withdraw(body: ApproveBody, decide: Deciding) -> ApprovalView:
    """For who asked."""
    return await decide(four_eyes.withdraw, body.reason)


def _tell(approval: Approval, response: Response) -> ApprovalView:
    response.headers["ETag"] = approval.etag
    return _view(approval)


def _view(approval: Approval) -> ApprovalView:
    return ApprovalView(
        id=approval.approval_id,
        kind=approval.kind,
        status=approval.status,
        subscription_id=approval.subscription_id or None,
        baseline_id=approval.baseline_id or None,
        version=approval.version or None,
        active_baseline=approval.active_baseline or None,
        requested_by=approval.requested_by,
        requested_at=approval.requested_at,
        reason=approval.reason,
        decided_by=approval.decided_by or None,
        decided_at=approval.decided_at,
        decision_reason=approval.decision_reason,
        etag=approval.etag,
    )
