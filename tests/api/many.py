"""More findings than fit a page, written as a scan writes them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from drift.engine.findings import Attribution, Evidence, Observation, advance
from drift.engine.model import Change, ChangeKind, Severity, resource_key
from drift.findings import Transition, commit
from tenancy.access import TenantContext
from tenancy.ids import SubscriptionId

SEVERITIES = tuple(Severity)


def incident_of(number: int) -> str:
    """Three findings have the same."""
    return str(uuid.UUID(int=1 + number // 3))


async def seed_many(
    context: TenantContext, subscription_id: str, count: int, **members: Any
) -> list[str]:
    """Open findings, the first seen last; every fifth of each severity. Their ids."""
    now = datetime.now(UTC)
    transitions = []
    for number in range(count):
        group = f"/subscriptions/{subscription_id}/resourceGroups/rg{number % 10}"
        resource_id = f"{group}/providers/Microsoft.Storage/storageAccounts/account{number}"
        severity = SEVERITIES[number % len(SEVERITIES)]
        given: dict[str, Any] = {
            "subscription_id": subscription_id,
            "key": resource_key(resource_id),
            "resource_id": resource_id,
            "resource_type": "microsoft.storage/storageaccounts",
            "kind": ChangeKind.MODIFIED,
            "changes": (Change("/properties/x", ChangeKind.MODIFIED, 1, 2, severity, "x"),),
            "severity": severity,
            "baseline_digest": "base",
            "current_digest": "now",
            "evidence": Evidence.CONFIRMED,
            "attribution": Attribution("ada", "User", "Portal", "w", incident_of(number), ""),
        }
        at = now - timedelta(minutes=number)
        step = advance(None, Observation(**given | members), now=at, baseline_id="none")
        assert step.finding is not None
        transitions.append(Transition(step.finding, "", None, None))
    await commit(context.store, SubscriptionId(subscription_id), "seed", transitions)
    return [one.finding.finding_id for one in transitions]
