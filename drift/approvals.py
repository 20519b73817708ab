"""Requests that wait for a second person: as rows, and the ways that one can go.

A request stands in the table of what it changes, so that the decision and its effect are one transaction. Beside it
stands a slot row while it is undecided: of each subscription, and of the switch itself, one request waits at most.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

import msgspec

from errors import Conflict, Forbidden, NotFound
from tenancy import audit
from tenancy.access import TenantContext
from tenancy.audit import Actor
from tenancy.ids import SubscriptionId
from tenancy.rowkeys import newest_first
from tenancy.rows import Row, Value
from tenancy.store import Operation, Table, TenantStore, Write

_APPROVAL, _SLOT = "approval.", "slot."
SWITCH = "four-eyes"  # the slot of the request to switch four-eyes approval off


class ApprovalKind(StrEnum):
    BASELINE = "baseline"  # a version becomes the active one
    FOUR_EYES_OFF = "fourEyesOff"  # from then on one person is enough


class ApprovalStatus(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"  # and in force: that is one transaction
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"  # by who had asked
    SUPERSEDED = "superseded"  # a version was activated after four-eyes approval was switched off


TABLES = {ApprovalKind.BASELINE: Table.SUBSCRIPTION, ApprovalKind.FOUR_EYES_OFF: Table.SETTINGS}


@dataclass(frozen=True, slots=True)
class Approval:
    approval_id: str
    kind: ApprovalKind
    subscription_id: SubscriptionId  # '' for what is of no subscription
    baseline_id: str  # that is to become active
    version: int
    active_baseline: str  # the one that was active when it was asked for
    author: str  # principal key of who made the version
    requester: str  # principal key of who asked
    requested_by: str  # and name
    requested_at: datetime
    reason: str
    status: ApprovalStatus = ApprovalStatus.PENDING
    decider: str = ""  # principal key
    decided_by: str = ""
    decided_at: datetime | None = None
    decision_reason: str = ""
    etag: str = ""

    @property
    def slot(self) -> str:
        return _SLOT + (self.subscription_id or SWITCH)

    def values(self) -> dict[str, Value]:
        return {
            "subscription_id": self.subscription_id,
            "baseline_id": self.baseline_id,
            "version": self.version,
            "active_baseline": self.active_baseline,
            "author": self.author,
            "requester": self.requester,
            "requested_by": self.requested_by,
            "requested_at": self.requested_at,
            "reason": self.reason,
            "status": self.status.value,
            "decider": self.decider,
            "decided_by": self.decided_by,
            "decided_at": self.decided_at,
            "decision_reason": self.decision_reason,
        }


def refuse_application(actor: Actor) -> None:
    """Raises Forbidden: whoever holds an application's credential would be a second person by it."""
    if actor.application:
        raise Forbidden(
            "This tenant has four-eyes approval on, where only people ask and approve. Send activate false; "
            "a person asks for the activation then."
        )


async def find_pending(
    store: TenantStore, kind: ApprovalKind, subscription_id: str = ""
) -> Approval | None:
    """The request that waits for this subscription, or for the switch."""
    slot = await store.find(TABLES[kind], _SLOT + (subscription_id or SWITCH))
    return await get_approval(store, slot.values["approval_id"]) if slot else None


async def require_askable(
    context: TenantContext, kind: ApprovalKind, subscription_id: str = ""
) -> None:
    """Raises Forbidden or Conflict when this caller cannot ask now."""
    refuse_application(context.actor)
    pending = await find_pending(context.store, kind, subscription_id)
    if pending:
        raise _waits(pending)


async def ask(context: TenantContext, approval: Approval, *, now: datetime) -> Approval:
    """Writes a request. Raises Conflict while another one waits in its place."""
    table, store = TABLES[approval.kind], context.store
    await require_askable(context, approval.kind, approval.subscription_id)
    key = _APPROVAL + approval.approval_id
    slot: dict[str, Value] = {
        "approval_id": approval.approval_id,
        "baseline_id": approval.baseline_id,
    }
    etags = await store.transact(
        table,
        [
            Operation(Write.INSERT, key, approval.values()),
            Operation(Write.INSERT, approval.slot, slot),
        ],
    )
    await _tell(context, "request", approval, approval.reason, now)
    return replace(approval, etag=etags[0])


def new_request(
    context: TenantContext, kind: ApprovalKind, reason: str, *, now: datetime
) -> Approval:
    """A request of this caller, for the kind's own place and content to be filled in."""
    return Approval(
        approval_id=f"{newest_first(now)}{secrets.token_hex(4)}",
        kind=kind,
        subscription_id=SubscriptionId(""),
        baseline_id="",
        version=0,
        active_baseline="",
        author="",
        requester=context.actor.key,
        requested_by=context.actor.name,
        requested_at=now,
        reason=reason,
    )


async def settle(
    context: TenantContext,
    approval: Approval,
    status: ApprovalStatus,
    effect: Sequence[Operation] = (),
    *,
    reason: str,
    now: datetime,
) -> Approval:
    """Ends a request, with its effect, both or neither. Raises Conflict for one that has ended, and Stale when anything
    of it was changed meanwhile."""
    if approval.status is not ApprovalStatus.PENDING:
        raise Conflict(f"This request is {approval.status} already.")
    settled = replace(
        approval,
        status=status,
        decider=context.actor.key,
        decided_by=context.actor.name,
        decided_at=now,
        decision_reason=reason,
    )
    key = _APPROVAL + approval.approval_id
    operations = [
        Operation(Write.UPDATE, key, settled.values(), approval.etag),
        Operation(Write.DELETE, approval.slot),
        *effect,
    ]
    etags = await context.store.transact(TABLES[approval.kind], operations)
    await _tell(context, _VERBS[status], settled, reason, now)
    return replace(settled, etag=etags[0])


_VERBS = {
    ApprovalStatus.APPROVED: "approve",
    ApprovalStatus.REJECTED: "reject",
    ApprovalStatus.WITHDRAWN: "withdraw",
    ApprovalStatus.SUPERSEDED: "supersede",
}


async def get_approval(store: TenantStore, approval_id: str) -> Approval:
    for kind, table in TABLES.items():
        row = await store.find(table, _APPROVAL + approval_id)
        if row is not None:
            return _read(kind, row)
    raise NotFound("There is no such request.")


async def page_approvals(
    store: TenantStore, *, after: str, limit: int
) -> tuple[list[Approval], str]:
    """Of all kinds, newest first, and where to go on ('' at the end)."""
    found: list[Approval] = []
    more = False
    cursor = _APPROVAL + after if after else ""
    for kind, table in TABLES.items():
        rows, following = await store.page(table, prefix=_APPROVAL, after=cursor, limit=limit)
        found += [_read(kind, row) for row in rows]
        more = more or bool(following)
    # The first `limit` of all tables together are among the first `limit` of each.
    found.sort(key=lambda one: one.approval_id)
    page = found[:limit]
    return page, page[-1].approval_id if page and (more or len(found) > limit) else ""


def _waits(pending: Approval) -> Conflict:
    what = f"Version {pending.version}" if pending.version else "Switching four-eyes approval off"
    return Conflict(
        f"{what} waits for a second person already, asked for by {pending.requested_by}. "
        "Approve, reject or withdraw that first."
    )


async def _tell(
    context: TenantContext, verb: str, approval: Approval, reason: str, now: datetime
) -> None:
    told = {
        "kind": approval.kind,
        "baseline": approval.baseline_id,
        "before": approval.active_baseline,
        "requestedBy": approval.requested_by,
        "reason": reason,
    }
    detail = msgspec.json.encode({name: value for name, value in told.items() if value}).decode()
    action, target = f"approval.{verb}", approval.approval_id
    await audit.record(context.store, context.actor, action, target, now=now, detail=detail)


def _read(kind: ApprovalKind, row: Row) -> Approval:
    values = row.values
    return Approval(
        approval_id=row.key.removeprefix(_APPROVAL),
        kind=kind,
        subscription_id=SubscriptionId(values["subscription_id"]),
        baseline_id=values["baseline_id"],
        version=values["version"],
        active_baseline=values["active_baseline"],
        author=values["author"],
        requester=values["requester"],
        requested_by=values["requested_by"],
        requested_at=values["requested_at"],
        reason=values["reason"],
        status=ApprovalStatus(values["status"]),
        decider=values["decider"],
        decided_by=values["decided_by"],
        decided_at=values.get("decided_at"),
        decision_reason=values["decision_reason"],
        etag=row.etag,
    )
