"""Four-eyes approval: who may decide on a request, and what becomes of it.

The second person is one of the tenant's own people and neither who asked nor who made the version. People are told
apart by directory id and object id, in whichever role they come. Applications neither ask nor decide: whoever holds
their credential would count twice. Platform operators may ask, like everybody who operates, but not decide.
"""

from __future__ import annotations

from datetime import datetime

from drift.approvals import (
    Approval,
    ApprovalKind,
    ApprovalStatus,
    ask,
    get_approval,
    new_request,
    refuse_application,
    settle,
)
from drift.baselines import BUSY, MOST_TRIES, get_baseline, tell_activation
from drift.preferences import get_preferences
from drift.subscriptions import get_subscription, put_in_force
from drift.tenant_settings import switch_off, tell_change
from errors import Conflict, Forbidden, Stale
from tenancy.access import TenantContext
from tenancy.roles import Permission, Role


async def ask_to_switch_off(context: TenantContext, reason: str, *, now: datetime) -> Approval:
    """The switch guards itself: it takes a second admin to make one person enough again."""
    if not (await get_preferences(context.store)).preferences.four_eyes:
        raise Conflict("Four-eyes approval is off.")
    request = new_request(context, ApprovalKind.FOUR_EYES_OFF, reason, now=now)
    return await ask(context, request, now=now)


async def approve(
    context: TenantContext, approval_id: str, *, etag: str, reason: str, now: datetime
) -> Approval:
    """Puts what was asked for in force, in the same transaction. Raises Forbidden for whoever is no second person."""
    approval = await _read(context, approval_id, etag)
    _require_second(context, approval)
    if approval.kind is ApprovalKind.FOUR_EYES_OFF:
        return await _switch_off(context, approval, reason, now)
    return await _activate(context, approval, reason, now)


async def reject(
    context: TenantContext, approval_id: str, *, etag: str, reason: str, now: datetime
) -> Approval:
    approval = await _read(context, approval_id, etag)
    _require_second(context, approval)
    return await settle(context, approval, ApprovalStatus.REJECTED, reason=reason, now=now)


async def withdraw(
    context: TenantContext, approval_id: str, *, etag: str, reason: str, now: datetime
) -> Approval:
    """For who asked; everybody else rejects."""
    approval = await _read(context, approval_id, etag)
    if approval.requester != context.actor.key:
        raise Forbidden("Only who asked can withdraw a request. Reject it instead.")
    return await settle(context, approval, ApprovalStatus.WITHDRAWN, reason=reason, now=now)


async def _read(context: TenantContext, approval_id: str, etag: str) -> Approval:
    approval = await get_approval(context.store, approval_id)
    if approval.status is not ApprovalStatus.PENDING:
        raise Conflict(f"This request is {approval.status} already.")
    if approval.etag != etag:
        raise Stale("This request was changed meanwhile. Read it again.")
    return approval


def _require_second(context: TenantContext, approval: Approval) -> None:
    if approval.kind is ApprovalKind.FOUR_EYES_OFF:
        context.require(Permission.ADMINISTER)
    refuse_application(context.actor)
    if context.actor.key in {approval.requester, approval.author}:
        raise Forbidden(
            "A second person has to decide: neither who asked nor who made the version."
        )
    if context.role is Role.PLATFORM:
        raise Forbidden("A user of the tenant has to decide, not a platform operator.")


async def _activate(
    context: TenantContext, approval: Approval, reason: str, now: datetime
) -> Approval:
    store = context.store
    baseline = await get_baseline(store, approval.baseline_id)
    for _ in range(MOST_TRIES):
        subscription = await get_subscription(store, approval.subscription_id)
        effect = put_in_force(subscription.held_against(baseline.baseline_id, baseline.snapshot_id))
        try:
            settled = await settle(
                context, approval, ApprovalStatus.APPROVED, [effect], reason=reason, now=now
            )
        except (
            Stale
        ):  # of the request itself, or of the subscription, which a scan may have written
            approval = await _read(context, approval.approval_id, approval.etag)
            continue
        before = subscription.active_baseline
        await tell_activation(context, baseline, before, approval=settled.approval_id, now=now)
        return settled
    raise Stale(BUSY)


async def _switch_off(
    context: TenantContext, approval: Approval, reason: str, now: datetime
) -> Approval:
    change, effect = await switch_off(context, now=now)
    settled = await settle(
        context, approval, ApprovalStatus.APPROVED, effect, reason=reason, now=now
    )
    await tell_change(context, change)
    return settled
