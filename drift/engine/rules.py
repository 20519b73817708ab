"""Judging a difference: the built-in severity of each change, then the tenant's own rules on top.

A tenant rule hides changes or sets their severity, for a stated reason and a limited time. What it hides is kept and
shown as ignored. Rules that expired never match.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from drift.engine.compare import EVOLVED_NOTE
from drift.engine.findings import Finding
from drift.engine.flapping import Flap
from drift.engine.model import Change, Difference, Severity
from drift.engine.severities import BuiltInRule, built_in, describe, find, rate
from drift.engine.tenant_rules import Action, Subject, TenantRule

__all__ = [
    "Action",
    "BuiltInRule",
    "Judgement",
    "Subject",
    "TenantRule",
    "built_in",
    "describe",
    "find",
    "judge",
    "preview",
    "propose",
    "unused",
]

PROPOSAL_DAYS = 90


@dataclass(frozen=True, slots=True)
class Judgement:
    severity: Severity  # the worst of its changes
    changes: tuple[Change, ...]  # with severity and rule; all of them when a rule hides all of them
    ignored_by: str = ""  # id of the tenant rule that hides the whole difference
    ignored_changes: tuple[Change, ...] = ()  # those that rules hide while others remain
    hits: tuple[str, ...] = ()  # ids of the tenant rules that matched, to be counted by the caller
    title: str = ""  # of the worst change
    advice: str = ""


def judge(
    difference: Difference,
    *,
    rules: Sequence[TenantRule] = (),
    facts: Subject | None = None,
    now: datetime | None = None,
) -> Judgement:
    """Rules need `now`, for an expired one must not match."""
    if rules and now is None:
        raise ValueError("tenant rules cannot be applied without the time")
    facts = facts or Subject()
    in_force = [rule for rule in rules if now is not None and rule.is_in_force(now)]
    kept: list[Change] = []
    hidden: list[tuple[Change, TenantRule]] = []
    hits: dict[str, None] = {}
    for change in difference.changes:
        rated = _rate(change, difference, facts)
        matching = [rule for rule in in_force if rule.matches(difference, change, facts)]
        hits |= dict.fromkeys(rule.id for rule in matching)
        hider = next((rule for rule in matching if rule.action is Action.IGNORE), None)
        if hider:
            hidden.append((rated, hider))
        else:
            kept.append(_set_severity(rated, matching))
    return _conclude(kept, hidden, tuple(hits))


def preview(
    rule: TenantRule,
    findings: Iterable[Finding],
    *,
    tags: Mapping[str, Mapping[str, str]] | None = None,
) -> tuple[Finding, ...]:
    """The findings that the rule would have hidden, or rated otherwise; its expiry does not count.

    `tags` are those of the resources, by resource key; a rule on a tag matches nothing without them.
    """
    known = tags or {}
    return tuple(
        finding for finding in findings if _affects(rule, finding, known.get(finding.key, {}))
    )


def unused(rules: Iterable[TenantRule], *, now: datetime, days: int = 90) -> tuple[TenantRule, ...]:
    """Rules in force that have hit nothing for so many days, to be tidied away."""
    since = now - timedelta(days=days)
    return tuple(
        rule
        for rule in rules
        if rule.is_in_force(now) and (rule.last_hit_at or rule.created_at) < since
    )


def propose(
    flap: Flap, *, rule_id: str, resource_type: str, resource_id: str, author: str, now: datetime
) -> TenantRule:
    """The rule that would silence a flapping path of one resource, with the evidence as its reason."""
    return TenantRule(
        id=rule_id,
        action=Action.IGNORE,
        reason=flap.evidence,
        author=author,
        created_at=now,
        expires_at=now + timedelta(days=PROPOSAL_DAYS),
        resource_type=resource_type,
        resource_id=resource_id,
        path=flap.path,
    )


def _rate(change: Change, difference: Difference, facts: Subject) -> Change:
    """What the comparison itself found to be no drift stays that, but for a new property that opens something: that the
    API has learned to show it does not say that nobody set it."""
    excused = bool(change.note)
    if excused and change.note != EVOLVED_NOTE:
        return replace(change, severity=Severity.INFORMATIONAL)
    verdict = rate(change, difference.resource_type, before=facts.before, after=facts.after)
    rule = find(verdict.rule)
    if excused and (rule is None or rule.fallback):
        return replace(change, severity=Severity.INFORMATIONAL)
    return replace(change, severity=verdict.severity, rule=verdict.rule, note="")


def _set_severity(change: Change, matching: Sequence[TenantRule]) -> Change:
    """Of several rules on one change the newest speaks."""
    setting = [rule for rule in matching if rule.severity is not None]
    if not setting:
        return change
    newest = max(setting, key=lambda rule: rule.created_at)
    return replace(change, severity=newest.severity or change.severity, rule=newest.id)


def _conclude(
    kept: Sequence[Change], hidden: Sequence[tuple[Change, TenantRule]], hits: tuple[str, ...]
) -> Judgement:
    ignored = tuple(change for change, _ in hidden)
    shown = tuple(kept) or ignored
    worst = max(shown, key=lambda change: change.severity.rank)
    rule = find(worst.rule)
    return Judgement(
        severity=worst.severity,
        changes=shown,
        ignored_by=hidden[0][1].id if hidden and not kept else "",
        ignored_changes=ignored if kept else (),
        hits=hits,
        title=rule.title if rule else "",
        advice=rule.action if rule else "",
    )


def _affects(rule: TenantRule, finding: Finding, tags: Mapping[str, str]) -> bool:
    changes = (*finding.changes, *finding.ignored_changes)
    difference = Difference(
        finding.key, finding.resource_id, finding.resource_type, finding.kind, changes
    )
    actor = finding.attribution.changed_by if finding.attribution else ""
    facts = Subject(tags=tags, actor=actor)
    matches = [rule.matches(difference, change, facts) for change in changes]
    return all(matches) if rule.action is Action.IGNORE else any(matches)
