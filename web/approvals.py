"""What waits for a second person: approve, reject, or take one's own request back."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from api.access import Now
from api.shapes import RowKey
from drift.approvals import Approval, ApprovalKind, find_pending
from drift.four_eyes import approve, ask_to_switch_off, reject, withdraw
from drift.preferences import get_preferences
from drift.subscriptions import Subscription
from errors import Invalid
from tenancy.store import TenantStore
from web.access import Admin, Operator
from web.forms import TheForm
from web.rendering import go_to

router = APIRouter(prefix="/t/{tenant_id}/approvals", include_in_schema=False)
DECISIONS = {"approve": approve, "reject": reject, "withdraw": withdraw}


async def pending(store: TenantStore, subscriptions: list[Subscription]) -> list[Approval]:
    """What waits: at most one request a subscription, and one of the switch itself. Nothing is looked for in a tenant
    without four-eyes approval."""
    if not (await get_preferences(store)).preferences.four_eyes:
        return []
    found = [await find_pending(store, ApprovalKind.FOUR_EYES_OFF)]
    for one in subscriptions:
        found.append(await find_pending(store, ApprovalKind.BASELINE, one.subscription_id))
    return [approval for approval in found if approval is not None]


@router.post("/four-eyes-off")
async def post_request(tenant: Admin, form: TheForm, now: Now) -> Response:
    await ask_to_switch_off(tenant, form.text("reason"), now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/baselines")


@router.post("/{approval_id}")
async def post(tenant: Operator, approval_id: RowKey, form: TheForm, now: Now) -> Response:
    """Whoever is no second person is refused by drift/four_eyes.py."""
    decision = DECISIONS.get(form.text("action"))
    if decision is None:
        raise Invalid("There is no such decision.", field="action")
    reason, etag = form.text("reason"), form.etag()
    await decision(tenant, approval_id, etag=etag, reason=reason, now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/baselines")
