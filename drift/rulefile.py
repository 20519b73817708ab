"""Tenant rules from a file, for the offline command: a JSON array of what the API's rules look like."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from drift.engine.model import ChangeKind, Severity
from drift.engine.rules import Action, TenantRule
from errors import Invalid

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


class _Rule(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    action: Action
    reason: str
    author: str
    expires_at: datetime
    id: str = ""
    created_at: datetime = ALWAYS
    severity: Severity | None = None
    resource_type: str = ""
    resource_id: str = ""
    resource_group: str = ""
    tag: str = ""
    path: str = ""
    kind: ChangeKind | None = None
    actor: str = ""


def parse_rules(content: bytes, name: str) -> tuple[TenantRule, ...]:
    """Raises Invalid, naming the rule by its number and the field, for a rule that cannot be meant."""
    try:
        rules = msgspec.json.decode(content, type=list[_Rule])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"{name}: {error}", field="rules") from error
    return tuple(_read(rule, number, name) for number, rule in enumerate(rules, 1))


def _read(rule: _Rule, number: int, name: str) -> TenantRule:
    fields = {**msgspec.structs.asdict(rule), "id": rule.id or f"rule-{number}"}
    try:
        return TenantRule(**fields)
    except Invalid as error:
        message = f"{name}, rule {number}, {error.field}: {error.message}"
        raise Invalid(message, field=error.field) from error
