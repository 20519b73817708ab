"""What a person decides about findings: acknowledge, accept, ignore, reopen. Each is audited."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from drift.engine.findings import Finding
from drift.findings import Stored, get_finding, save_finding
from errors import Stale
from tenancy import audit
from tenancy.access import TenantContext

CHANGED = "This finding was changed meanwhile. Look at it again."


async def decide(
    context: TenantContext,
    finding_id: str,
    decision: Callable[..., Finding],
    *,
    etag: str,
    reason: str,
    now: datetime,
) -> Stored:
    """Carries out a decision of drift/engine/findings.py about what was read as `etag`. Raises Stale otherwise."""
    before = await get_finding(context.store, finding_id)
    return await _carry_out(context, before, decision, etag=etag, reason=reason, now=now)


async def decide_seen(
    context: TenantContext,
    finding_id: str,
    decision: Callable[..., Finding],
    *,
    digest: str,
    reason: str,
    now: datetime,
) -> Stored:
    """The same from a list, which knows the value that it showed. Raises Stale when it is another one by now."""
    before = await get_finding(context.store, finding_id)
    if before.finding.current_digest != digest:
        raise Stale(CHANGED)
    return await _carry_out(context, before, decision, etag=before.etag, reason=reason, now=now)


async def _carry_out(
    context: TenantContext,
    before: Stored,
    decision: Callable[..., Finding],
    *,
    etag: str,
    reason: str,
    now: datetime,
) -> Stored:
    after = decision(before.finding, who=context.actor.name, now=now, reason=reason)
    etag = await save_finding(context.store, before, after, etag=etag)
    action = f"finding.{after.status}"
    await audit.record(
        context.store, context.actor, action, after.finding_id, now=now, detail=reason
    )
    return Stored(after, etag)
