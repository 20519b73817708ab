"""What a scan that has ended says of its tenant: how much there is, how much changed, how old the truth is now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import telemetry
from drift.engine.model import Severity
from drift.filters import DECIDED
from drift.scans import Part, Scan, ScanStatus, close_scan, page_scans
from drift.summaries import tallies
from tenancy.access import TenantContext
from tenancy.store import TenantStore
from tenancy.usage import Level

MOST_SCANS = 100  # that are looked through for the newest complete one


async def close(
    context: TenantContext, scan_id: str, parts: Sequence[Part], *, now: datetime
) -> Scan | None:
    """Closes the scan if all of its parts have ended, and measures it. Of several callers exactly one gets it back; if
    that one dies before it measured, the next scan says the same of itself."""
    scan = await close_scan(context.store, scan_id, parts, now=now)
    if scan is None:
        return None
    resources = sum(part.resources for part in parts)
    context.deployment.usage.note(context.tenant.tenant_id, Level.RESOURCES, resources)
    telemetry.record(telemetry.RESOURCES, resources)
    telemetry.record(telemetry.CHANGES, sum(part.changed for part in parts))
    if telemetry.is_on():
        await _measure_findings(context.store)
    return scan


async def tell_age(store: TenantStore, *, now: datetime) -> None:
    """How old the truth is. Of a tenant that was never read whole nothing is told."""
    moment = await true_at(store, looked=MOST_SCANS)
    if moment is not None:
        age = (now - moment).total_seconds()
        telemetry.record(telemetry.SCAN_AGE, age, tenant_id=store.tenant_id)


async def true_at(store: TenantStore, *, looked: int) -> datetime | None:
    """The moment of the newest complete scan. Where none of the newest `looked` is complete, the truth is at least as
    old as the oldest of them. None of a tenant that was never read whole."""
    scans, older = await page_scans(store, after="", limit=looked)
    complete = (scan for scan in scans if scan.status is ScanStatus.COMPLETE)
    newest = next(complete, scans[-1] if older else None)
    return newest.created_at if newest else None


async def _measure_findings(store: TenantStore) -> None:
    every = decided = 0
    unsettled = Counter({severity.value: 0 for severity in Severity})
    for tally in (await tallies(store)).values():
        every += sum(tally.counts.values())
        decided += sum(number for (status, _), number in tally.counts.items() if status in DECIDED)
        unsettled.update(tally.unsettled)
    for severity, number in unsettled.items():
        telemetry.record(telemetry.FOUND, number, severity=severity)
    telemetry.record(telemetry.NOISE, decided / every if every else 0.0)
