"""/api/rules: what the tenant does not want to hear about, or wants to hear louder; each with reason and expiry."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response, status
from pydantic import ConfigDict, Field

from api.access import IfMatch, Now, Operator, Viewer
from api.contract import gives, may
from api.paging import PageSize, Token, tenant_pager
from api.shapes import ListOf, Moment, Reason, RowKey, Shape, View
from drift.engine.model import ChangeKind, Severity
from drift.engine.rules import Action, TenantRule
from drift.proposals import proposals
from drift.rules import (
    PREVIEW_DAYS,
    StoredRule,
    add_rule,
    change_rule,
    delete_rule,
    get_rule,
    new_rule_id,
    page_rules,
    preview,
    unused,
)
from errors import Conflict

router = APIRouter(prefix="/api/rules", tags=["rules"])

Pattern = Annotated[str, Field(max_length=500)]


class RuleBody(Shape):
    """Everything that is given has to match; what is left out matches anything."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "action": "ignore",
                    "reason": "The cost system tags every resource each night",
                    "expiresAt": "2099-05-31T00:00:00Z",
                    "path": "/tags/costCentre",
                },
                {
                    "action": "severity",
                    "severity": "critical",
                    "reason": "Nobody opens the shop's network without us",
                    "expiresAt": "2099-05-31T00:00:00Z",
                    "resourceType": "Microsoft.Network/networkSecurityGroups",
                    "resourceGroup": "shop",
                },
            ]
        }
    )

    action: Action
    reason: Reason
    expires_at: Moment
    severity: Severity | None = Field(default=None, description="with action severity")
    resource_type: Pattern = ""
    resource_id: Pattern = Field(default="", description="the resource, or anything above it")
    resource_group: Pattern = ""
    tag: Pattern = Field(default="", description="name, or name=value")
    path: Pattern = Field(default="", description="JSON Pointer; * is one segment, ** any depth")
    kind: ChangeKind | None = None
    actor: Pattern = ""

    def to_rule(self, rule_id: str, author: str, created_at: datetime) -> TenantRule:
        return TenantRule(id=rule_id, author=author, created_at=created_at, **self.model_dump())


class RuleView(View):
    id: str
    action: Action
    reason: str
    author: str
    created_at: datetime
    expires_at: datetime
    severity: Severity | None
    resource_type: str
    resource_id: str
    resource_group: str
    tag: str
    path: str
    kind: ChangeKind | None
    actor: str
    hit_count: int
    last_hit_at: datetime | None
    in_force: bool
    unused: bool
    etag: str


class ProposalView(View):
    finding_id: str
    path: str
    resource_type: str
    resource_id: str
    reason: str
    expires_at: datetime
    changed: int
    scans: int


class AffectedView(View):
    id: str
    resource_id: str
    severity: Severity
    status: str


class PreviewView(View):
    days: int
    value: list[AffectedView]


@router.get("", response_model=ListOf[RuleView])
async def list_rules(
    tenant: Viewer, request: Request, now: Now, size: PageSize = 100, token: Token = None
) -> ListOf[RuleView]:
    """All rules, with how often they hit; `unused` ones have hit nothing for 90 days."""
    pager = await tenant_pager(request, tenant)
    rules, cursor = await page_rules(tenant.store, after=pager.start(token), limit=size)
    idle = unused(rules, now=now)
    views = [_view(item, now, item.rule.id in idle) for item in rules]
    return ListOf(value=views, next_link=pager.link(cursor))


@router.post(
    "",
    response_model=RuleView,
    status_code=status.HTTP_201_CREATED,
    responses=gives("ETag", 201) | may(Conflict),
)
async def create_rule(tenant: Operator, body: RuleBody, now: Now, response: Response) -> RuleView:
    """Adds a rule. It counts from the next scan on."""
    rule = body.to_rule(new_rule_id(), tenant.actor.name, now)
    stored = await add_rule(tenant, rule, now=now)
    response.headers["ETag"] = stored.etag
    return _view(stored, now)


@router.post("/preview", response_model=PreviewView)
async def preview_rule(tenant: Operator, body: RuleBody, now: Now) -> PreviewView:
    """Which findings of the last 30 days the rule would have touched. Nothing is stored."""
    rule = body.to_rule("preview", tenant.actor.name, now)
    findings = await preview(tenant.store, rule, now=now)
    affected = [
        AffectedView(
            id=finding.finding_id,
            resource_id=finding.resource_id,
            severity=finding.severity,
            status=finding.status,
        )
        for finding in findings
    ]
    return PreviewView(days=PREVIEW_DAYS, value=affected)


@router.get("/proposals", response_model=ListOf[ProposalView])
async def list_proposals(tenant: Operator, now: Now) -> ListOf[ProposalView]:
    """Paths that changed in most of the last scans, each as the rule that would silence it. None is created."""
    found = await proposals(tenant.store, author=tenant.actor.name, now=now)
    return ListOf(
        value=[
            ProposalView(
                finding_id=item.finding_id,
                path=item.rule.path,
                resource_type=item.rule.resource_type,
                resource_id=item.rule.resource_id,
                reason=item.rule.reason,
                expires_at=item.rule.expires_at,
                changed=item.flap.changed,
                scans=item.flap.scans,
            )
            for item in found
        ]
    )


@router.get("/{rule_id}", response_model=RuleView, name="get_rule", responses=gives("ETag"))
async def get(rule_id: RowKey, tenant: Viewer, now: Now, response: Response) -> RuleView:
    """One rule, with the ETag that an edit needs."""
    stored = await get_rule(tenant.store, rule_id)
    response.headers["ETag"] = stored.etag
    return _view(stored, now, stored.rule.id in unused([stored], now=now))


@router.patch("/{rule_id}", response_model=RuleView, responses=gives("ETag"))
async def edit_rule(
    rule_id: RowKey, tenant: Operator, body: RuleBody, etag: IfMatch, now: Now, response: Response
) -> RuleView:
    """Replaces what the rule says; author, age and hits stay."""
    rule = body.to_rule(rule_id, tenant.actor.name, now)
    stored = await change_rule(tenant, rule, etag=etag, now=now)
    response.headers["ETag"] = stored.etag
    return _view(stored, now)


@router.delete("/{rule_id}", status_code=status.HTTP_204_NO_CONTENT)
async def remove_rule(rule_id: RowKey, tenant: Operator, etag: IfMatch, now: Now) -> None:
    """Removes a rule: what it hid is drift again at the next scan."""
    await delete_rule(tenant, rule_id, etag=etag, now=now)


def _view(stored: StoredRule, now: datetime, idle: bool = False) -> RuleView:
    rule = stored.rule
    said = {name: getattr(rule, name) for name in RuleView.model_fields if hasattr(rule, name)}
    return RuleView(**said, in_force=rule.is_in_force(now), unused=idle, etag=stored.etag)
