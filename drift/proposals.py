"""Paths that move by themselves, proposed as rules: from the history of the resources that have findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from drift.engine.findings import Finding
from drift.engine.flapping import WINDOW, Flap, Round, flapping
from drift.engine.rules import TenantRule, propose
from drift.filters import Wanted
from drift.findings import page_findings
from drift.history import page_history
from drift.rules import new_rule_id
from drift.scans import Scan, ScanStatus, page_scans
from tenancy.store import TenantStore

MOST_FINDINGS = 200  # looked at for one answer


@dataclass(frozen=True, slots=True)
class Proposal:
    finding_id: str
    flap: Flap
    rule: TenantRule  # to be edited and created by a person; nothing is hidden by itself


async def proposals(store: TenantStore, *, author: str, now: datetime) -> list[Proposal]:
    """Rules for paths that changed in most of the last scans, with that as their reason."""
    scans = await _scans(store)
    stored, _ = await page_findings(store, Wanted(), after="", limit=MOST_FINDINGS)
    found = []
    for item in stored:
        rounds = await _rounds(store, item.finding, scans)
        found += [_proposal(item.finding, flap, author, now) for flap in flapping(rounds)]
    return found


async def flaps_of(store: TenantStore, finding: Finding) -> tuple[Flap, ...]:
    """The paths of the finding's resource that move by themselves, with the evidence."""
    return flapping(await _rounds(store, finding, await _scans(store)))


async def _scans(store: TenantStore) -> list[Scan]:
    """The last complete ones, oldest first."""
    recent, _ = await page_scans(store, after="", limit=WINDOW)
    return [scan for scan in reversed(recent) if scan.status is ScanStatus.COMPLETE]


async def _rounds(store: TenantStore, finding: Finding, scans: Sequence[Scan]) -> list[Round]:
    """What changed of the finding's resource in each of the scans, oldest first; nothing in most of them."""
    entries, _ = await page_history(store, finding.key, limit=WINDOW)
    paths = {entry.scan_id: {change.path for change in entry.changes} for entry in entries}
    return [Round(scan.created_at, paths.get(scan.scan_id, frozenset())) for scan in scans]


def _proposal(finding: Finding, flap: Flap, author: str, now: datetime) -> Proposal:
    rule = propose(
        flap,
        rule_id=new_rule_id(),
        resource_type=finding.resource_type,
        resource_id=finding.resource_id,
        author=author,
        now=now,
    )
    return Proposal(finding.finding_id, flap, rule)
