"""The life of a finding: from what a scan observed and what a person decided to the next state and the event to tell.

It must not notify, store or read a clock. A scope that could not be read is not an observation: do not call `advance`
for it. What an acceptance or a person's ignore covers is one value (`accepted_digest`); any other value opens it again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from drift.engine.model import Change, ChangeKind, ResourceKey, Severity
from errors import Conflict, Invalid

MAX_STEPS = (
    50  # a finding is one table entity (1 MiB): its history is bounded, the audit log has the rest
)
MAX_REASON = 1000


class Status(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"
    IGNORED = "ignored"
    RESOLVED = "resolved"
    REOPENED = "reopened"


ACTIVE = frozenset({Status.OPEN, Status.REOPENED})
"""Nobody has decided about it yet."""

UNSETTLED = ACTIVE | {Status.ACKNOWLEDGED}
"""Drift that still has to be dealt with: counts against the subscription."""


class Evidence(StrEnum):
    CONFIRMED = "confirmed"  # Azure Resource Manager said so itself
    OBSERVED = "observed"  # seen in an index that lags; no alarm until confirmed


class Event(StrEnum):
    OPENED = "opened"
    REOPENED = "reopened"
    WORSENED = "worsened"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who made the change, as Azure's change feed tells it; copied, because Azure forgets it after 14 days."""

    changed_by: str
    changed_by_type: str
    client_type: str
    operation: str
    correlation_id: str
    timestamp: str  # ISO 8601


@dataclass(frozen=True, slots=True)
class Step:
    at: datetime
    who: str  # a person, `rule:<id>`, or '' for the scan
    action: str  # the status it led to
    reason: str


@dataclass(frozen=True, slots=True)
class Finding:
    finding_id: str
    subscription_id: str
    key: ResourceKey
    resource_id: str
    resource_type: str
    kind: ChangeKind
    changes: tuple[Change, ...]
    severity: Severity
    status: Status
    evidence: Evidence
    baseline_id: str
    baseline_digest: str  # '' when the resource is added
    current_digest: str  # '' when the resource is removed
    first_seen: datetime
    last_seen: datetime  # when what is written here was last seen to change
    attribution: Attribution | None
    accepted_digest: str  # the one value that an acceptance, or a person's ignore, covers
    accepted_until: datetime | None
    ignored_by: str  # id of the tenant rule that hides it; '' when a person ignored it, or nobody
    steps: tuple[Step, ...]  # newest last, at most MAX_STEPS
    occurrences: int  # how often it opened
    ignored_changes: tuple[Change, ...] = ()  # hidden by tenant rules, still shown as ignored
    announced: Severity | None = None  # the severity last told of; None: nobody has been told

    @property
    def incident(self) -> str:
        """What was caused together: the correlation id of the operation in Azure, '' when that is not known."""
        return self.attribution.correlation_id.lower() if self.attribution else ""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a scan saw of one resource that differs from its baseline, judged by the rules."""

    subscription_id: str
    key: ResourceKey
    resource_id: str
    resource_type: str
    kind: ChangeKind
    changes: tuple[Change, ...]
    severity: Severity
    baseline_digest: str
    current_digest: str
    evidence: Evidence
    attribution: Attribution | None = None
    ignored_by: str = ""
    ignored_changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Advance:
    finding: Finding | None
    event: Event | None
    changed: bool  # False: what is stored is still right, write nothing


def identify(subscription_id: str, key: ResourceKey) -> str:
    """The id of a resource's finding. It follows from what is found, so a repeated scan message finds the same one,
    and begins with the subscription, so that storage finds a subscription's findings together."""
    return f"{subscription_id.lower()}.{key}"


def advance(
    finding: Finding | None,
    observation: Observation | None,
    *,
    now: datetime,
    baseline_id: str,
) -> Advance:
    """The next state. No observation means: the resource equals its baseline, in a scope that was read completely."""
    if observation is None:
        return _resolve(finding, now)
    if finding is None:
        return _announce(_begin(observation, now, baseline_id), changed=True)
    if _awaits_confirmation(finding, observation):
        return Advance(finding, None, changed=False)
    moved = _move(finding, observation, now)
    updated = _update(moved, observation, baseline_id)
    step = _announce(updated, changed=updated != finding)
    if not step.changed or step.finding is None:
        return step
    return replace(step, finding=replace(step.finding, last_seen=now))


def expire(finding: Finding, *, now: datetime) -> Advance:
    """Reopen an acceptance whose time is over, also between scans."""
    if not _expired(finding, now):
        return Advance(finding, None, changed=False)
    reopened = _reopen(finding, now, _EXPIRED)
    return _announce(reopened, changed=True)


def acknowledge(finding: Finding, *, who: str, now: datetime, reason: str = "") -> Finding:
    _allow(finding, "acknowledged", ACTIVE)
    return _decide(finding, Status.ACKNOWLEDGED, now, who, _bounded(reason))


def accept(
    finding: Finding, *, who: str, now: datetime, reason: str, until: datetime | None = None
) -> Finding:
    """Accept the present value, for good or until a moment. Accepting again renews the reason and the moment."""
    _allow(finding, "accepted", UNSETTLED | {Status.ACCEPTED})
    reason = _required(reason)
    if until is not None and until.tzinfo is None:
        raise Invalid("The end of an acceptance needs a time zone.", field="until")
    if until is not None and until <= now:
        raise Invalid("The end of an acceptance lies in the past.", field="until")
    decided = _decide(finding, Status.ACCEPTED, now, who, reason)
    return replace(decided, accepted_digest=finding.current_digest, accepted_until=until)


def ignore(finding: Finding, *, who: str, now: datetime, reason: str) -> Finding:
    """Hide the present value without calling it right. A rule hides a path whatever its value; this does not."""
    _allow(finding, "ignored", UNSETTLED)
    decided = _decide(finding, Status.IGNORED, now, who, _required(reason))
    return replace(decided, accepted_digest=finding.current_digest)


def reopen(finding: Finding, *, who: str, now: datetime, reason: str) -> Finding:
    if finding.ignored_by:
        raise Conflict(f"Rule {finding.ignored_by} hides this finding. Change the rule to see it.")
    _allow(finding, "reopened", frozenset({Status.ACKNOWLEDGED, Status.ACCEPTED, Status.IGNORED}))
    decided = _decide(finding, Status.REOPENED, now, who, _required(reason))
    return replace(decided, accepted_digest="", accepted_until=None)


def _begin(seen: Observation, now: datetime, baseline_id: str) -> Finding:
    status = Status.IGNORED if seen.ignored_by else Status.OPEN
    return Finding(
        finding_id=identify(seen.subscription_id, seen.key),
        subscription_id=seen.subscription_id,
        key=seen.key,
        resource_id=seen.resource_id,
        resource_type=seen.resource_type,
        kind=seen.kind,
        changes=seen.changes,
        severity=seen.severity,
        status=status,
        evidence=seen.evidence,
        baseline_id=baseline_id,
        baseline_digest=seen.baseline_digest,
        current_digest=seen.current_digest,
        first_seen=now,
        last_seen=now,
        attribution=seen.attribution,
        accepted_digest="",
        accepted_until=None,
        ignored_by=seen.ignored_by,
        steps=(Step(now, _by_rule(seen.ignored_by), status, ""),),
        occurrences=1,
        ignored_changes=seen.ignored_changes,
    )


def _resolve(finding: Finding | None, now: datetime) -> Advance:
    if finding is None or finding.status is Status.RESOLVED:
        return Advance(finding, None, changed=False)
    told = finding.announced is not None and finding.status is not Status.IGNORED
    resolved = replace(
        _decide(finding, Status.RESOLVED, now, "", "it equals the baseline again"),
        accepted_digest="",
        accepted_until=None,
        ignored_by="",
        announced=None,
    )
    return Advance(resolved, Event.RESOLVED if told else None, changed=True)


def _move(finding: Finding, seen: Observation, now: datetime) -> Finding:
    """The status that the observation leads to; the values are `_update`'s."""
    if _pinned(finding) and _covers(finding, seen) and not _expired(finding, now):
        return finding
    if seen.ignored_by:
        return _hide(finding, seen.ignored_by, now)
    reason = _why_reopened(finding, now)
    return _reopen(finding, now, reason) if reason else finding


def _why_reopened(finding: Finding, now: datetime) -> str:
    """'' for a finding that stays as it is."""
    if _expired(finding, now):
        return _EXPIRED
    if finding.ignored_by:
        return f"rule {finding.ignored_by} no longer hides it"
    return _REOPENINGS.get(finding.status, "")


_EXPIRED = "the acceptance expired"
_REOPENINGS = {
    Status.RESOLVED: "it differs from the baseline again",
    Status.ACCEPTED: "the value is no longer the accepted one",
    Status.IGNORED: "the value is no longer the ignored one",
}


def _update(finding: Finding, seen: Observation, baseline_id: str) -> Finding:
    same = seen.current_digest == finding.current_digest
    confirmed = same and finding.evidence is Evidence.CONFIRMED
    return replace(
        finding,
        resource_id=seen.resource_id,
        kind=seen.kind,
        changes=seen.changes,
        ignored_changes=seen.ignored_changes,
        severity=seen.severity,
        evidence=Evidence.CONFIRMED if confirmed else seen.evidence,
        baseline_id=baseline_id,
        baseline_digest=seen.baseline_digest,
        current_digest=seen.current_digest,
        attribution=(finding.attribution if same else None) or seen.attribution,
        accepted_digest=seen.current_digest if _pinned(finding) else "",
    )


def _announce(finding: Finding, *, changed: bool) -> Advance:
    """Tell of it once it is confirmed, and again only when it opens anew or gets worse."""
    if finding.status not in UNSETTLED or finding.evidence is Evidence.OBSERVED:
        return Advance(finding, None, changed)
    if finding.announced is finding.severity:
        return Advance(finding, None, changed)
    event: Event | None = None
    if finding.announced is None:
        event = Event.REOPENED if finding.status is Status.REOPENED else Event.OPENED
    elif finding.severity.rank > finding.announced.rank:
        event = Event.WORSENED
    return Advance(replace(finding, announced=finding.severity), event, changed=True)


def _awaits_confirmation(finding: Finding, seen: Observation) -> bool:
    """A person's decision stands until Azure itself confirms that the value is another one."""
    unconfirmed = seen.evidence is Evidence.OBSERVED
    return unconfirmed and _pinned(finding) and not _covers(finding, seen)


def _pinned(finding: Finding) -> bool:
    by_person = finding.status is Status.IGNORED and not finding.ignored_by
    return by_person or finding.status is Status.ACCEPTED


def _covers(finding: Finding, seen: Observation) -> bool:
    """Whether the value is the decided one. A path that a rule hides may change under a decision without undoing it."""
    if seen.current_digest == finding.accepted_digest:
        return True
    hidden = bool(finding.ignored_changes or seen.ignored_changes)
    return (
        hidden and seen.kind is finding.kind and _values(seen.changes) == _values(finding.changes)
    )


def _values(changes: tuple[Change, ...]) -> list[tuple[str, str]]:
    # repr and not ==: Python holds True == 1 == 1.0, and each of them is another value here
    return sorted((change.path, f"{change.kind} {change.after!r}") for change in changes)


def _expired(finding: Finding, now: datetime) -> bool:
    until = finding.accepted_until
    return finding.status is Status.ACCEPTED and until is not None and now >= until


def _hide(finding: Finding, rule_id: str, now: datetime) -> Finding:
    if finding.status is Status.IGNORED and finding.ignored_by == rule_id:
        return finding
    again = finding.status is Status.RESOLVED
    hidden = _decide(finding, Status.IGNORED, now, _by_rule(rule_id), "")
    return replace(
        hidden,
        ignored_by=rule_id,
        accepted_digest="",
        accepted_until=None,
        occurrences=finding.occurrences + again,
    )


def _reopen(finding: Finding, now: datetime, reason: str) -> Finding:
    return replace(
        _decide(finding, Status.REOPENED, now, "", reason),
        accepted_digest="",
        accepted_until=None,
        ignored_by="",
        announced=None,
        occurrences=finding.occurrences + 1,
    )


def _decide(finding: Finding, status: Status, now: datetime, who: str, reason: str) -> Finding:
    steps = (*finding.steps, Step(now, who, status, reason))[-MAX_STEPS:]
    return replace(finding, status=status, steps=steps)


def _by_rule(rule_id: str) -> str:
    return f"rule:{rule_id}" if rule_id else ""


def _allow(finding: Finding, action: str, allowed: frozenset[Status]) -> None:
    if finding.status not in allowed:
        raise Conflict(f"A finding that is {finding.status} cannot be {action}.")


def _required(reason: str) -> str:
    if not reason.strip():
        raise Invalid("Give a reason: others will ask why.", field="reason")
    return _bounded(reason)


def _bounded(reason: str) -> str:
    if len(reason) > MAX_REASON:
        raise Invalid(f"A reason has at most {MAX_REASON} characters.", field="reason")
    return reason.strip()
