"""What a scan that has ended says of its tenant: how much there is, how much changed, how old the truth is now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

import telemetry
from drift.engine.model import Severity
from drift.filters import DECIDED
from drift.scans import Part, Scan, ScanStatus, close_scan
from drift.summaries import tallies
from errors import NotFound, Stale
from tenancy.access import TenantContext
from tenancy.records import change_tenant
from tenancy.store import TenantStore
from tenancy.usage import Level


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
    if scan.status is ScanStatus.COMPLETE:
        with suppress(NotFound, Stale):  # deleted meanwhile, or much changed: the next scan says it
            await change_tenant(context, lambda tenant: replace(tenant, scanned_at=scan.created_at))
    if telemetry.is_on():
        await _measure_findings(context.store)
    return scan


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
