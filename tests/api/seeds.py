"""Rows that only a scan makes, for tests of the API that do without one."""

from __future__ import annotations

from datetime import UTC, datetime

from drift.engine.findings import Evidence, Observation, advance
from drift.engine.model import Change, ChangeKind, Severity, resource_key
from drift.findings import Transition, commit
from drift.notices import publish
from tenancy.access import serve
from tenancy.deployment import Deployment
from tenancy.ids import SubscriptionId, TenantId


async def seed_findings(
    deployment: Deployment, tenant_id: str, subscription_id: str, number: int
) -> None:
    """Open findings, each of a scan of its own, and a notice of each."""
    context = await serve(deployment, TenantId(tenant_id))
    subscription, now = SubscriptionId(subscription_id), datetime.now(UTC)
    for position in range(number):
        resource_id = f"/subscriptions/{subscription_id}/resourceGroups/rg{position}"
        seen = Observation(
            subscription_id=subscription_id,
            key=resource_key(resource_id),
            resource_id=resource_id,
            resource_type="microsoft.resources/resourcegroups",
            kind=ChangeKind.MODIFIED,
            changes=(Change("/tags/a", ChangeKind.MODIFIED, "x", "y", Severity.HIGH),),
            severity=Severity.HIGH,
            baseline_digest="base",
            current_digest="now",
            evidence=Evidence.CONFIRMED,
        )
        step = advance(None, seen, now=now, baseline_id="none")
        assert step.finding is not None
        found = Transition(step.finding, "", step.event)
        await commit(context.store, subscription, f"scan-{position}", [found])
    await publish(context, subscription, now=now)
