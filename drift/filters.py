"""What lists say of a finding, and what they can be narrowed to: one filter for pages, API, exports and reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from drift.engine.findings import Evidence, Finding, Status
from drift.engine.model import ChangeKind, Severity

DECIDED = frozenset({Status.ACCEPTED, Status.IGNORED})


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list says of one finding."""

    finding_id: str
    subscription_id: str
    resource_id: str
    resource_type: str
    kind: ChangeKind
    severity: Severity
    status: Status
    evidence: Evidence
    first_seen: datetime
    last_seen: datetime
    path: str  # of the worst change
    rule: str  # that rated it
    changes: int
    changed_by: str
    digest: str  # of the value it is about: a decision made from a list is about this one
    incident: str = ""  # what was caused together, '' when that is not known
    reason: str = ""  # of the decision that its status comes from
    accepted_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is narrowed to; empty members let everything pass. Text is compared in lower case."""

    statuses: frozenset[Status] = frozenset()
    severities: frozenset[Severity] = frozenset()
    subscription_id: str = ""
    resource_type: str = ""
    resource: str = ""  # part of the resource id
    group: str = ""  # a resource group
    actor: str = ""  # part of who changed it
    text: str = ""  # part of the resource id or of the path
    incident: str = ""  # correlation id
    since: datetime | None = None  # last seen to change at or after

    @property
    def by_words(self) -> bool:
        """Whether more is asked for than status, severity, subscription and time: no key holds it."""
        words = (self.resource_type, self.resource, self.group, self.actor, self.text)
        return any(words) or bool(self.incident)

    def passes(self, summary: Summary) -> bool:
        resource = summary.resource_id.lower()
        return (
            (not self.statuses or summary.status in self.statuses)
            and (not self.severities or summary.severity in self.severities)
            and (not self.subscription_id or summary.subscription_id == self.subscription_id)
            and (not self.resource_type or summary.resource_type == self.resource_type)
            and (not self.resource or self.resource in resource)
            and (not self.group or f"/resourcegroups/{self.group}/" in f"{resource}/")
            and (not self.actor or self.actor in summary.changed_by.lower())
            and (not self.text or self.text in resource or self.text in summary.path.lower())
            and (not self.incident or summary.incident == self.incident)
            and (self.since is None or summary.last_seen >= self.since)
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """What the status of a finding comes from."""

    who: str = ""  # a person, or `rule:<id>`; '' when nobody decided
    at: datetime | None = None
    reason: str = ""


def decision_of(finding: Finding) -> Decision:
    if finding.status in DECIDED | {Status.ACKNOWLEDGED}:
        for step in reversed(finding.steps):
            if step.action == finding.status:
                return Decision(step.who, step.at, step.reason)
    return Decision()


def summary_of(finding: Finding) -> Summary:
    worst = max(finding.changes, key=lambda change: change.severity.rank, default=None)
    return Summary(
        finding.finding_id,
        finding.subscription_id,
        finding.resource_id,
        finding.resource_type,
        finding.kind,
        finding.severity,
        finding.status,
        finding.evidence,
        finding.first_seen,
        finding.last_seen,
        worst.path if worst else "",
        worst.rule if worst else "",
        len(finding.changes),
        finding.attribution.changed_by if finding.attribution else "",
        finding.current_digest,
        finding.incident,
        decision_of(finding).reason,
        finding.accepted_until,
    )
