"""A tenant's rule: which changes it means, and what it does about them. Made valid or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from drift.engine.model import Change, ChangeKind, Difference, Json, Severity
from drift.engine.patterns import check_name, compile_segments, like
from errors import Invalid

MAX_REASON = 1000


class Action(StrEnum):
    IGNORE = "ignore"
    SEVERITY = "severity"


@dataclass(frozen=True, slots=True)
class Subject:
    """What else is known of the resource and of the change: all of it optional, none of it guessed."""

    tags: Mapping[str, str] = field(default_factory=dict)
    actor: str = ""  # who made the change
    before: Json = None  # the whole resource, so that a rule can look at what surrounds a change
    after: Json = None


@dataclass(frozen=True, slots=True)
class TenantRule:
    """Everything given has to match; what is '' or None matches anything, but not everything may be left out."""

    id: str
    action: Action
    reason: str
    author: str
    created_at: datetime
    expires_at: datetime
    severity: Severity | None = None  # for Action.SEVERITY
    resource_type: str = ""  # microsoft.network/networksecuritygroups; `*` stands for any text
    resource_id: str = ""  # the resource or anything above it, `*` and `**` allowed
    resource_group: str = ""  # its name
    tag: str = ""  # `name` or `name=value`
    path: str = ""  # JSON Pointer with `*` and `**`
    kind: ChangeKind | None = None
    actor: str = ""
    hit_count: int = 0
    last_hit_at: datetime | None = None

    def __post_init__(self) -> None:
        _check_policy(self)
        _check_severity(self)
        _check_match(self)

    def is_in_force(self, now: datetime) -> bool:
        return now < self.expires_at

    def matches(self, difference: Difference, change: Change, facts: Subject) -> bool:
        """Whether the rule means this change; whether it is still in force is asked apart."""
        return (
            self.kind in {None, change.kind}
            and _like(self.resource_type, difference.resource_type)
            and _like(self.actor, facts.actor)
            and _like(self.resource_group, _resource_group(difference.resource_id))
            and has_tag(self.tag, facts.tags)
            and self._is_at(difference.resource_id, change.path)
        )

    def _is_at(self, resource_id: str, path: str) -> bool:
        if self.resource_id and not compile_segments(self.resource_id, field="resourceId").covers(
            resource_id
        ):
            return False
        return not self.path or compile_segments(self.path, field="path").matches(path)


def _check_policy(rule: TenantRule) -> None:
    for name, value in (("id", rule.id), ("author", rule.author), ("reason", rule.reason)):
        if not value.strip():
            raise Invalid(f"A rule needs its {name}.", field=name)
    if len(rule.reason) > MAX_REASON:
        raise Invalid(f"A reason has at most {MAX_REASON} characters.", field="reason")
    for name, moment in (("createdAt", rule.created_at), ("expiresAt", rule.expires_at)):
        if moment.tzinfo is None:
            raise Invalid("A moment needs its time zone.", field=name)
    if rule.expires_at <= rule.created_at:
        raise Invalid("A rule cannot expire before it begins.", field="expiresAt")


def _check_severity(rule: TenantRule) -> None:
    if rule.action is Action.SEVERITY and rule.severity is None:
        raise Invalid("Say which severity the rule sets.", field="severity")
    if rule.action is Action.IGNORE and rule.severity is not None:
        raise Invalid("A rule that ignores sets no severity.", field="severity")


def _check_match(rule: TenantRule) -> None:
    names = {
        "resourceType": rule.resource_type,
        "resourceGroup": rule.resource_group,
        "tag": rule.tag,
        "actor": rule.actor,
    }
    for name, pattern in names.items():
        check_name(pattern, field=name)
    if rule.resource_id:
        compile_segments(rule.resource_id, field="resourceId")
    if rule.path:
        compile_segments(rule.path, field="path")
    given = (*names.values(), rule.resource_id, rule.path, rule.kind or "")
    if not any(pattern.strip("/* ") for pattern in given):
        raise Invalid("A rule that matches everything would hide all drift.", field="path")


def _like(pattern: str, text: str) -> bool:
    return not pattern or like(pattern.strip().lower(), text.lower())


def _resource_group(resource_id: str) -> str:
    segments = resource_id.split("/")
    folded = [segment.lower() for segment in segments]
    if "resourcegroups" not in folded[:-1]:
        return ""
    return segments[folded.index("resourcegroups") + 1]


def has_tag(pattern: str, tags: Mapping[str, str]) -> bool:
    if not pattern:
        return True
    name, divider, value = pattern.partition("=")
    return any(
        _like(name, tag) and (not divider or like(value.lower(), str(text).lower()))
        for tag, text in tags.items()
    )
