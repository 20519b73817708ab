"""Rows that only a scan makes, for tests of the API that do without one."""

from __future__ import annotations

from datetime import UTC, datetime

from drift.archive import Configuration, point_to
from drift.backups.jobs import Job, JobStatus, Kind, order
from drift.baselines import get_baseline
from drift.engine.findings import Evidence, Observation, advance
from drift.engine.model import Change, ChangeKind, Severity, resource_key
from drift.findings import Transition, commit
from drift.history import HistoryEntry, save_history
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
        found = Transition(step.finding, "", step.event, None)
        await commit(context.store, subscription, f"scan-{position}", [found])
    await publish(context, subscription, now=now)


async def seed_jobs(deployment: Deployment, tenant_id: str) -> None:
    """Two backups and two exports that say that they are done; nothing is stored of them."""
    context = await serve(deployment, TenantId(tenant_id))
    now = datetime.now(UTC)
    for kind in (Kind.BACKUP, Kind.EXPORT):
        for number in range(2):
            job = Job(kind, f"seed-{number}", "manual", "ada", "Ada", now, JobStatus.DONE)
            await order(context, job, now=now)


async def seed_state(
    deployment: Deployment, tenant_id: str, baseline_id: str, changed: str
) -> None:
    """What the baseline holds as the newest state of its subscription, and two changes of one resource before it."""
    store = (await serve(deployment, TenantId(tenant_id))).store
    baseline, now = await get_baseline(store, baseline_id), datetime.now(UTC)
    snapshot_id = baseline.snapshot_id
    await point_to(
        store,
        Configuration(baseline.subscription_id, snapshot_id, "scan", now, baseline.resources, 1),
    )
    change = (Change("/tags/a", ChangeKind.MODIFIED, "x", "y"),)
    await save_history(
        store,
        [
            (
                resource_key(changed),
                HistoryEntry(now, scan, changed, "a/b", ChangeKind.MODIFIED, change, snapshot_id),
            )
            for scan in ("scan-1", "scan-2")
        ],
    )
