"""Rules: what the tenant does not want to hear of, or louder; who said so, until when, and whether it still hits."""

from __future__ import annotations

from datetime import datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.access import Now
from api.rules import RuleBody
from api.shapes import RowKey
from drift.engine.model import ChangeKind
from drift.engine.rules import TenantRule
from drift.proposals import proposals
from drift.rules import (
    PREVIEW_DAYS,
    add_rule,
    change_rule,
    delete_rule,
    get_rule,
    get_rules,
    new_rule_id,
    preview,
    unused,
)
from tenancy.access import TenantContext
from tenancy.roles import Permission, allows
from web import dates
from web.access import Operator, Viewer
from web.finding import RULE_DAYS
from web.forms import Form, TheForm, read
from web.rendering import go_to, go_to_part, render

router = APIRouter(prefix="/t/{tenant_id}/rules", include_in_schema=False)
SOON = timedelta(days=14)
MOST_AFFECTED = 50  # findings named in a preview


@router.get("")
async def list_rules(tenant: Viewer, request: Request, now: Now) -> Response:
    rules = await get_rules(tenant.store)
    return render(
        request,
        "rules.html",
        tenant,
        rules=sorted(rules, key=lambda one: (not one.rule.is_in_force(now), one.rule.expires_at)),
        idle=unused(rules, now=now),
        soon=now + SOON,
        rule=None,
        kinds=tuple(ChangeKind),
        rule_until=dates.day_in(now, RULE_DAYS),
        operates=allows(tenant.role, Permission.OPERATE),
    )


@router.get("/proposals")
async def list_proposals(tenant: Operator, request: Request, now: Now) -> Response:
    """By itself because it reads the history of every resource with a finding."""
    found = await proposals(tenant.store, author=tenant.actor.name, now=now)
    return render(request, "parts/proposals.html", tenant, proposals=found)


@router.post("/preview")
async def post_preview(tenant: Operator, request: Request, form: TheForm, now: Now) -> Response:
    """What the rule would have hidden, and the button that makes it: no rule without having seen that."""
    return await _preview(tenant, request, form, now)


@router.get("/{rule_id}")
async def get(tenant: Operator, rule_id: RowKey, request: Request, now: Now) -> Response:
    """The form with what the rule says."""
    stored = await get_rule(tenant.store, rule_id)
    return render(
        request,
        "rule.html",
        tenant,
        rule=stored.rule,
        etag=stored.etag,
        kinds=tuple(ChangeKind),
        rule_until=dates.day_of(stored.rule.expires_at),
    )


@router.post("/{rule_id}/preview")
async def post_new_preview(
    tenant: Operator, rule_id: RowKey, request: Request, form: TheForm, now: Now
) -> Response:
    """What it would have hidden if it had said this, and the button that makes it say so."""
    await get_rule(tenant.store, rule_id)
    return await _preview(tenant, request, form, now, rule_id)


async def _preview(
    tenant: TenantContext, request: Request, form: Form, now: datetime, rule_id: str = ""
) -> Response:
    body, rule = _rule(tenant, form, rule_id or "preview", now)
    affected = await preview(tenant.store, rule, now=now)
    return render(
        request,
        "parts/preview.html",
        tenant,
        body=body.model_dump(mode="json", by_alias=True, exclude_none=True),
        rule=rule,
        affected=affected[:MOST_AFFECTED],
        number=len(affected),
        days=PREVIEW_DAYS,
        changed=rule_id,
        etag=form.etag() if rule_id else "",
    )


@router.post("")
async def post(tenant: Operator, request: Request, form: TheForm, now: Now) -> Response:
    _, rule = _rule(tenant, form, new_rule_id(), now)
    await add_rule(tenant, rule, now=now)
    return go_to_part(request, f"/t/{tenant.tenant.tenant_id}/rules", f"rule-{rule.id}")


@router.post("/{rule_id}")
async def post_change(
    tenant: Operator, rule_id: RowKey, request: Request, form: TheForm, now: Now
) -> Response:
    _, rule = _rule(tenant, form, rule_id, now)
    await change_rule(tenant, rule, etag=form.etag(), now=now)
    return go_to_part(request, f"/t/{tenant.tenant.tenant_id}/rules", f"rule-{rule_id}")


@router.post("/{rule_id}/delete")
async def post_deletion(tenant: Operator, rule_id: RowKey, form: TheForm, now: Now) -> Response:
    await delete_rule(tenant, rule_id, etag=form.etag(), now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/rules")


def _rule(
    tenant: TenantContext, form: Form, rule_id: str, now: datetime
) -> tuple[RuleBody, TenantRule]:
    """What the form says. `reach` says of which resources, where a finding's page asks for it in these words."""
    reach = form.text("reach")
    expires = form.text("expiresAt") or dates.end_of_day(form.text("until"), field="until")
    body = read(
        RuleBody,
        action=form.text("action"),
        severity=form.text("severity"),
        reason=form.text("reason"),
        expiresAt=expires,
        resourceType=form.text("resourceType") if reach in {"", "type", "group"} else "",
        resourceId=form.text("resourceId") if reach in {"", "resource"} else "",
        resourceGroup=form.text("resourceGroup") if reach in {"", "group"} else "",
        tag=form.text("tag"),
        path=form.text("path"),
        kind=form.text("kind"),
        actor=form.text("actor"),
    )
    return body, body.to_rule(rule_id, tenant.actor.name, now)
