"""A finding as every report and export tells it, whether of a tenant or of two files, and what the report is about.

What is not known is part of it: a list of findings says nothing of what nobody could read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from drift.engine.findings import UNSETTLED, Attribution, Finding, Status
from drift.engine.model import Change, ChangeKind, Severity
from drift.engine.severities import find, title_of
from drift.filters import DECIDED, decision_of
from drift.offline import Found


@dataclass(frozen=True, slots=True)
class Entry:
    """One finding. Two files know neither statuses nor times: what they lack is empty."""

    finding_id: str
    subscription_id: str
    resource_id: str
    resource_type: str
    kind: ChangeKind
    severity: Severity
    status: Status
    changes: tuple[Change, ...]
    ignored_by: str = ""  # the rule that hides it
    evidence: str = ""
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    baseline_id: str = ""
    accepted_until: datetime | None = None
    attribution: Attribution | None = None
    decided_by: str = ""  # who its status comes from: a person, or `rule:<id>`
    decided_at: datetime | None = None
    reason: str = ""

    @property
    def worst(self) -> Change:
        whole = Change("", self.kind, None, None, self.severity)
        return max(self.changes, key=lambda change: change.severity.rank, default=whole)

    @property
    def title(self) -> str:
        """What is so now, in one sentence."""
        return self.worst.note or title_of(self.worst.rule, self.kind)

    @property
    def advice(self) -> str:
        known = find(self.worst.rule)
        return known.action if known else ""

    @property
    def unsettled(self) -> bool:
        return self.status in UNSETTLED

    @property
    def suppressed(self) -> bool:
        """Whether a person or a rule decided that it is not to be dealt with."""
        return self.status in DECIDED and bool(self.decided_by or self.ignored_by)


@dataclass(frozen=True, slots=True)
class Scope:
    """One subscription that the report is about, and how it stands."""

    subscription_id: str
    name: str
    state: str  # as drift/standing.py has it
    reason: str = ""  # of what is neither in sync nor drifted
    read_at: datetime | None = None

    @property
    def unknown(self) -> bool:
        return self.state in {"unknown", "never_scanned"}


@dataclass(frozen=True, slots=True)
class About:
    """What a report is about."""

    title: str
    made_at: datetime
    tenant_id: str = ""
    scopes: tuple[Scope, ...] = ()
    filters: tuple[tuple[str, str], ...] = ()  # what the findings were narrowed to
    artifact: str = ""  # the file that findings of two files are in

    @property
    def unknown(self) -> tuple[Scope, ...]:
        """Of these nobody can say whether they drifted."""
        return tuple(scope for scope in self.scopes if scope.unknown)

    @property
    def names(self) -> dict[str, str]:
        """What subscriptions are called, by their ids."""
        return {scope.subscription_id: scope.name for scope in self.scopes}


def entry_of(finding: Finding) -> Entry:
    decision = decision_of(finding)
    return Entry(
        finding.finding_id,
        finding.subscription_id,
        finding.resource_id,
        finding.resource_type,
        finding.kind,
        finding.severity,
        finding.status,
        finding.changes,
        finding.ignored_by,
        finding.evidence,
        finding.first_seen,
        finding.last_seen,
        finding.baseline_id,
        finding.accepted_until,
        finding.attribution,
        decision.who,
        decision.at,
        decision.reason,
    )


def entry_of_files(found: Found) -> Entry:
    """What a rule hides is ignored, and so is what only has an innocent reason, which it is told with."""
    parts = found.resource_id.split("/")
    quiet = bool(found.ignored_by) or found.explained
    return Entry(
        "",
        parts[2] if len(parts) > 2 and parts[1].lower() == "subscriptions" else "",
        found.resource_id,
        found.resource_type,
        found.kind,
        found.severity,
        Status.IGNORED if quiet else Status.OPEN,
        found.changes,
        found.ignored_by,
        reason=f"ignored by rule {found.ignored_by}" if found.ignored_by else found.changes[0].note,
    )
