"""What is in an export of a tenant, kind by kind: the file, which rows it is made of, and what each member means.

A member that is not described here is not exported; tests/drift/backups/test_exporting.py fails for one that a row has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from tenancy.rows import Row, join_binary
from tenancy.store import Table


@dataclass(frozen=True, slots=True)
class ExportKind:
    name: str  # of its file, without .jsonl
    table: Table
    about: str
    fields: Mapping[str, str]
    prefix: str = ""  # of the rows' keys
    key: str = (
        "id"  # what the rest of the key is called; '' when it says nothing that the members do not
    )
    below: str = ""  # only keys that sort before this
    left_out: frozenset[str] = frozenset()  # members that mean nothing outside the product


_APPROVAL = {
    "subscription_id": "the subscription that it is about; empty for the switch of four-eyes approval",
    "baseline_id": "the version that was to become active",
    "version": "and its number",
    "active_baseline": "the version that was active when it was asked for",
    "author": "who made the version (principal key)",
    "requester": "who asked (principal key)",
    "requested_by": "and by name",
    "requested_at": "when",
    "reason": "why",
    "status": "pending, approved, rejected, withdrawn or superseded",
    "decider": "who decided (principal key)",
    "decided_by": "and by name",
    "decided_at": "when",
    "decision_reason": "why",
}

KINDS = (
    ExportKind(
        "users",
        Table.USER,
        "Who may enter, and with which role.",
        {
            "directory_id": "Entra directory",
            "object_id": "object id in it",
            "name": "as an admin wrote it",
            "role": "viewer, operator or admin",
            "added_at": "when",
            "added_by": "by whom",
            "kind": "person or application",
        },
        below="g",
    ),
    ExportKind(
        "visits",
        Table.USER,
        "When somebody was last here, to the day.",
        {
            "name": "who",
            "role": "in which role",
            "way": "user, appRole or platform",
            "at": "first request of that day",
        },
        prefix="seen.",
    ),
    ExportKind(
        "connection",
        Table.CONNECTION,
        "How Azure is read. The credential itself is in no export.",
        {
            "kind": "federated, lighthouse, client_secret or certificate",
            "directory_id": "Entra directory",
            "client_id": "the app registration",
            "updated_at": "when it was set",
            "updated_by": "by whom",
            "secret_expires_at": "when the credential ends",
        },
        key="",
        left_out=frozenset({"secret_name", "generation", "lineage"}),
    ),
    ExportKind(
        "subscriptions",
        Table.SUBSCRIPTION,
        "What the connection sees.",
        {
            "name": "as Azure has it",
            "state": "as Azure says; Invisible when the connection lost it",
            "monitored": "whether it is scanned",
            "seen_at": "when it was last listed",
            "active_baseline": "id of the baseline version that it is held against",
            "baseline_version": "the highest version number given",
            "taken": "not scanned because another tenant watches it",
        },
        prefix="s.",
        left_out=frozenset({"rules_version", "agreed"}),
    ),
    ExportKind(
        "approvals-of-baselines",
        Table.SUBSCRIPTION,
        "Requests that wait or waited for a second person.",
        _APPROVAL,
        prefix="approval.",
    ),
    ExportKind(
        "approvals-of-settings",
        Table.SETTINGS,
        "The same, for switching four-eyes approval off.",
        _APPROVAL,
        prefix="approval.",
    ),
    ExportKind(
        "settings",
        Table.SETTINGS,
        "The settings as they are.",
        {
            "schedule": "cron of the scans, UTC; empty for never",
            "scope": "which types and resource groups count",
            "notify": "severities that notify",
            "retention": "how many days records of each kind are kept",
            "four_eyes": "whether a baseline version needs a second person",
            "backups_kept": "nightly backups that are kept",
        },
        prefix="settings",
        key="",
    ),
    ExportKind(
        "settings-history",
        Table.SETTINGS,
        "Every change of the settings, newest first.",
        {
            "at": "when",
            "actor": "who (principal key)",
            "actor_name": "and by name",
            "action": "start, change or revert",
            "reverted_to": "the change whose settings came back",
            "before": "the settings before",
            "after": "and after",
        },
        prefix="change.",
    ),
    ExportKind(
        "rules",
        Table.RULE,
        "What is ignored, or judged otherwise.",
        {
            "action": "ignore or severity",
            "severity": "the severity that it gives",
            "reason": "why",
            "author": "who made it",
            "created_at": "when",
            "expires_at": "until when it counts",
            "resource_type": "which types it is about",
            "resource_group": "which resource groups",
            "resource_id": "which resources",
            "tag": "which tag",
            "path": "which properties",
            "actor": "changes of whom",
            "kind": "added, removed or modified",
            "value": "which value",
            "hit_count": "how often it hit",
            "last_hit_at": "and when last",
        },
        left_out=frozenset({"id"}),
    ),
    ExportKind(
        "baselines",
        Table.BASELINE,
        "The versions; their documents are in baselines/<id>.jsonl.",
        {
            "version": "its number",
            "name": "as its author wrote it",
            "note": "the same",
            "author": "who made it",
            "author_key": "and the principal key",
            "created_at": "when",
            "taken_at": "when the state that it holds was read",
            "snapshot_id": "the same state has the same id",
            "resources": "how many it has",
            "source": "live, upload or edit",
            "parent_id": "the version that it was edited from",
            "edited_into": "the newest version that was edited from it",
        },
    ),
    ExportKind(
        "history",
        Table.CONFIGURATION_HISTORY,
        "How resources changed from scan to scan.",
        {
            "at": "when the scan saw it",
            "scan_id": "the scan",
            "resource_id": "the resource",
            "resource_type": "its type",
            "kind": "added, removed or modified",
            "changes": "path, kind, before and after of each change; long values are cut to size and digest",
            "snapshot_id": "the state after",
            "attribution": "who did it, as Azure's change feed tells",
        },
    ),
    ExportKind(
        "scans",
        Table.SCAN,
        "Runs over the monitored subscriptions.",
        {
            "status": "queued, running, complete, incomplete, failed or cancelled",
            "trigger": "schedule or manual",
            "requested_by": "by whom",
            "created_at": "the moment that it is the scan of",
            "deadline": "when what was left of it would be ended",
            "finished_at": "when it ended",
            "subscriptions": "how many it was about",
            "reason": "why it is not complete",
        },
        prefix="s.",
    ),
    ExportKind(
        "scan-parts",
        Table.SCAN,
        "The scan of each subscription.",
        {
            "scan_id": "the scan",
            "subscription_id": "the subscription",
            "status": "as of scans",
            "started_at": "when it began",
            "finished_at": "when it ended",
            "resources": "how many were read",
            "changed": "how many differ from the scan before",
            "findings": "how many were open afterwards",
            "skipped": "rows of Azure that are no resources",
            "skipped_examples": "some of them",
            "reason": "why it is not complete",
            "permission": "what the connection lacks",
            "coverage": "what was read and what was not",
            "baseline_id": "what it was held against",
        },
        prefix="p.",
        key="",
    ),
    ExportKind(
        "findings",
        Table.FINDING,
        "What drifted, who did it and what was decided.",
        {
            "finding_id": "subscription and key of the resource",
            "subscription_id": "the subscription",
            "key": "key of the resource",
            "resource_id": "the resource",
            "resource_type": "its type",
            "kind": "added, removed or modified",
            "changes": "path, kind, before, after and severity of each",
            "severity": "critical, high, medium, low or informational",
            "status": "open, acknowledged, accepted, ignored, resolved or reopened",
            "evidence": "confirmed or observed",
            "baseline_id": "what it differs from",
            "baseline_digest": "digest of the resource there; empty when it is not there",
            "current_digest": "and now",
            "first_seen": "when it was first seen",
            "last_seen": "when it was last seen to change",
            "attribution": "who did it, as Azure's change feed tells",
            "attributed": "whether that is known",
            "incident": "correlation id of the operation that caused it",
            "accepted_digest": "the one value that was accepted",
            "accepted_until": "until when",
            "ignored_by": "id of the rule that hides it",
            "steps": "what became of it: when, who, what, why",
            "occurrences": "how often it opened",
            "ignored_changes": "changes that rules hide",
            "announced": "the severity that was last told of",
        },
        prefix="f.",
        key="",
    ),
    ExportKind(
        "notices",
        Table.NOTICE,
        "What was told, and whether it arrived.",
        {
            "notice_id": "id",
            "channel": "through which channel",
            "subscription_id": "of which subscription",
            "scan_id": "of which scan",
            "events": "finding and event of each",
            "created_at": "when",
            "outcome": "queued, delivered or failed",
            "reason": "why it failed",
            "text": "what it says when it is of no finding",
            "incident": "correlation id of what caused it",
        },
        key="",
    ),
    ExportKind(
        "audit",
        Table.AUDIT,
        "Who did what, newest first.",
        {
            "at": "when",
            "actor": "who (principal key)",
            "actor_name": "and by name",
            "action": "what",
            "target": "to what",
            "detail": "before and after, as JSON in a text",
        },
    ),
)


def describe(kind: ExportKind, row: Row) -> dict[str, object]:
    """The row as an object with the kind's members, in the order in which they are described."""
    members = members_of(row)
    found: dict[str, object] = {kind.key: row.key.removeprefix(kind.prefix)} if kind.key else {}
    return found | {name: members[name] for name in kind.fields if name in members}


def members_of(row: Row) -> dict[str, object]:
    """Everything that a row holds: its values, and what is in the JSON that is kept as binary."""
    plain = {name: value for name, value in row.values.items() if not isinstance(value, bytes)}
    binary = row.values.get("body") or join_binary(row.values)
    inside = msgspec.json.decode(binary) if binary else {}
    if isinstance(inside, list):  # a change of the settings
        inside = dict(zip(("before", "after"), inside, strict=True))
    return {**inside, **plain}
