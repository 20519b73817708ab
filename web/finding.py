"""One finding: what it means, what differs, who did it, what to do, and what was decided about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.access import Now
from api.comments import CommentBody
from api.shapes import RowKey
from drift.channels.edits import snooze_finding
from drift.channels.rows import find_snooze
from drift.comments import add_comment, page_comments
from drift.decisions import decide
from drift.documents import load_sides
from drift.engine.findings import ACTIVE, UNSETTLED, Finding, Status
from drift.engine.model import Change, ChangeKind
from drift.engine.severities import BuiltInRule, find
from drift.engine.undo import bicep, irreversible, properties, undo
from drift.findings import get_finding
from settings import PUBLIC_ARM
from tenancy.access import TenantContext
from web import dates
from web.access import Operator, Viewer
from web.comparison import compare
from web.findings import names_by_id, read_decision
from web.forms import TheForm, read
from web.naming import grant_of
from web.rendering import go_to, render

router = APIRouter(prefix="/t/{tenant_id}/findings/{finding_id}", include_in_schema=False)

COMMENTS = 100  # shown; the API has all
RULE_DAYS = 90  # how long a rule holds unless somebody says otherwise
PORTALS = {  # of each cloud
    PUBLIC_ARM: "https://portal.azure.com",
    "https://management.usgovcloudapi.net": "https://portal.azure.us",
    "https://management.chinacloudapi.cn": "https://portal.azure.cn",
}
View = Annotated[Literal["split", "inline", "whole"], Query()]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one rule says, and the changes that it says it of."""

    rule: BuiltInRule
    changes: tuple[Change, ...]


@router.get("")
async def get(tenant: Viewer, finding_id: RowKey, request: Request, now: Now) -> Response:
    stored = await get_finding(tenant.store, finding_id)
    finding = stored.finding
    names = await names_by_id(tenant.store)
    until = await find_snooze(tenant.store, finding_id)
    comments, older = await page_comments(tenant.store, finding_id, limit=COMMENTS)
    return render(
        request,
        "finding.html",
        tenant,
        finding=finding,
        etag=stored.etag,
        comments=comments,
        older=bool(older),
        meanings=meanings_of(finding),
        subscription=names.get(finding.subscription_id, finding.subscription_id),
        portal=_portal(tenant, finding),
        fixed={c.path: why for c in finding.changes if (why := _fixed(finding, c))},
        may_acknowledge=finding.status in ACTIVE,
        may_accept=finding.status in UNSETTLED | {Status.ACCEPTED},
        may_ignore=finding.status in UNSETTLED,
        may_reopen=_may_reopen(finding),
        rule_until=dates.day_in(now, RULE_DAYS),
        snoozed_until=until if until and until > now else None,
        snoozes=dates.SNOOZES,
    )


@router.get("/document")
async def get_document(
    tenant: Viewer, finding_id: RowKey, request: Request, view: View = "split"
) -> Response:
    """Both sides in full, and what would put the resource back. By itself because it reads whole documents."""
    finding = (await get_finding(tenant.store, finding_id)).finding
    sides = await load_sides(tenant, finding)
    body = properties(finding, sides.before)
    return render(
        request,
        "document.html",
        tenant,
        finding=finding,
        sides=sides,
        grants=(grant_of(sides.before), grant_of(sides.after)),
        view=view,
        lines=compare(sides.before, sides.after, whole=view == "whole"),
        undos=undo(finding, sides.before) if not sides.missing else [],
        body=body,
        bicep=bicep(finding, body),
    )


@router.post("/comment")
async def post_comment(tenant: Operator, finding_id: RowKey, form: TheForm, now: Now) -> Response:
    text = read(CommentBody, text=form.text("text").replace("\r\n", "\n")).text
    await add_comment(tenant, finding_id, text, now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/findings/{finding_id}")


@router.post("/decide")
async def post(tenant: Operator, finding_id: RowKey, form: TheForm, now: Now) -> Response:
    """A decision about the finding as the page showed it."""
    decision, reason = read_decision(form.text("action"), form.text("reason"), form.text("until"))
    await decide(tenant, finding_id, decision, etag=form.etag(), reason=reason, now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/findings/{finding_id}")


@router.post("/snooze")
async def post_snooze(tenant: Operator, finding_id: RowKey, form: TheForm, now: Now) -> Response:
    """Notices of it are held for a while; the finding stays as it is."""
    await snooze_finding(tenant, finding_id, dates.read_snooze(form.text("hours"), now), now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/findings/{finding_id}")


def meanings_of(finding: Finding) -> list[Meaning]:
    """What the built-in rules say about its changes, the worst first, each rule once."""
    by_rule: dict[str, list[Change]] = {}
    for change in sorted(finding.changes, key=lambda one: -one.severity.rank):
        by_rule.setdefault(change.rule, []).append(change)
    known = ((find(rule_id), changes) for rule_id, changes in by_rule.items())
    return [Meaning(rule, tuple(changes)) for rule, changes in known if rule is not None]


def _may_reopen(finding: Finding) -> bool:
    decided = {Status.ACKNOWLEDGED, Status.ACCEPTED, Status.IGNORED}
    return finding.status in decided and not finding.ignored_by


def _fixed(finding: Finding, change: Change) -> str:
    return irreversible(finding.resource_type, change.path)


def _portal(tenant: TenantContext, finding: Finding) -> str:
    """The resource in the Azure portal; the blade of its group's list when it is gone."""
    portal = PORTALS.get(tenant.deployment.settings.arm_endpoint, PORTALS[PUBLIC_ARM])
    directory = tenant.tenant.directory_id
    target = finding.resource_id
    if finding.kind is ChangeKind.REMOVED:
        target = target.rpartition("/providers/")[0] or target
    return f"{portal}/#@{directory}/resource{target}"
