"""Examples of answers for the API's description. A member has one meaning everywhere, so it has one example everywhere;
`Shape.member` says where it is another."""

from __future__ import annotations

from typing import Any

GUID = "1b4e28ba-2fa1-4d21-883f-0016d3cca427"
ETAG = "W/\"datetime'2026-11-23T10%3A15%3A01.1234567Z'\""
RESOURCE = (
    f"/subscriptions/{GUID}/resourceGroups/shop/providers/"
    "Microsoft.Network/networkSecurityGroups/web"
)
PATH = "/properties/securityRules/[name=ssh]/properties/sourceAddressPrefix"
TIME = "2026-11-23T10:15:00Z"
KEY = "8c1f2f0e6a5b4c3d2e1f0a9b8c7d6e5f"
FINDING = f"{GUID}.{KEY}"
BASELINE = f"{GUID}.8236438100000a1b2c3d4"
SCAN = "82364381000005e6f7a8b"
CHANNEL = "5f2c77a18c1f2f0e"
_LEFT_OUT = object()

MEMBERS: dict[str, Any] = {
    "action": "Name the addresses that really need it.",
    "active": True,
    "activeBaseline": BASELINE,
    "actor": "",
    "actorName": "Ada",
    "addedBy": "Ada",
    "after": "Internet",
    "approvalId": None,
    "author": "Ada",
    "azureTenantId": GUID,
    "backupsKept": 7,
    "baselineId": BASELINE,
    "before": "10.0.0.0/8",
    "bundle": "",
    "changed": 1,
    "changedBy": "ada@contoso.com",
    "changedByType": "User",
    "changes": 1,
    "channel": "inbox",
    "clientId": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
    "clientType": "Azure Portal",
    "code": f"{GUID}.qH0yB7h0QkS1nq6m",
    "command": "",
    "configuration": {"location": "westeurope", "properties": {"securityRules": []}},
    "correlationId": GUID,
    "createdBy": "Ada",
    "day": "2026-11-23",
    "days": 30,
    "decidedBy": None,
    "decisionReason": "",
    "deployers": ["pipeline@contoso.com"],
    "detail": "The credential works.",
    "directoryId": GUID,
    "disabledBecause": "",
    "editedFrom": None,
    "etag": ETAG,
    "events": [[FINDING, "opened"]],
    "excludeGroups": ["sandbox"],
    "excludeTypes": [],
    "findingId": FINDING,
    "fix": "",
    "headline": "New drift: 1 finding, high",
    "hitCount": 3,
    "host": "hooks.slack.com",
    "id": SCAN,
    "ignoredBy": None,
    "ignoredChanges": [],
    "incident": GUID,
    "includeGroups": [],
    "includeTypes": [],
    "invitedBy": "Ada",
    "key": KEY,
    "milliseconds": 182,
    "missing": [],
    "name": "contoso",
    "nextLink": _LEFT_OUT,  # the only page
    "note": "",
    "objectId": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
    "onlyDirectory": "",
    "operation": "Microsoft.Network/networkSecurityGroups/write",
    "outcome": "delivered",
    "path": PATH,
    "permission": "",
    "permissions": ["operate", "read"],
    "platformOperator": False,
    "quietFrom": "22:00",
    "quietUntil": "06:00",
    "reason": "",
    "requestedBy": "Ada",
    "resourceGroup": "",
    "resourceId": RESOURCE,
    "resourceKey": KEY,
    "resourceType": "microsoft.network/networksecuritygroups",
    "resources": 412,
    "revertedTo": None,
    "role": "operator",
    "ErasureView.removed": {"rows.audit": 812, "rows.pack": 40, "index": 7, "secrets": 2},
    "rows": 412,
    "rule": "",
    "scanId": SCAN,
    "scans": 10,
    "schedule": "0 * * * *",
    "skipped": 0,
    "skippedExamples": [],
    "source": "resources",
    "state": "Enabled",
    "status": "open",
    "step": "token",
    "subscriptionId": GUID,
    "subscriptions": 2,
    "sha256": KEY + KEY,
    "table": "finding",
    "tag": "",
    "target": "20261123-1015",
    "tenantId": GUID,
    "text": "",
    "timestamp": TIME,
    "title": "Reachable from the internet",
    "trigger": "schedule",
    "types": [],
    "unknown": [],
    "updatedBy": "Ada",
    "version": 3,
    "warning": "",
    "who": "Ada",
    "zone": "Europe/Berlin",
    "AffectedView.id": FINDING,
    "BackupDetail.step": "",
    "BackupView.step": "",
    "BaselineView.id": BASELINE,
    "BaselineView.name": "after the move",
    "ChangeView.kind": "modified",
    "CommentView.author": "Ada",
    "CommentView.id": "8236438100000000.1f2e3d4c",
    "CommentView.text": "Bob asked for this.",
    "ConnectionView.hasSecret": False,
    "ConnectionView.secretExpiresAt": None,
    "EntryView.action": "baseline.activate",
    "EntryView.actor": KEY + KEY[:8],
    "EntryView.detail": "",
    "EntryView.target": BASELINE,
    "ErasureView.id": GUID,
    "ErasureView.askedBy": KEY + KEY[:8],
    "ErasureView.certificate": "",
    "ErasureView.genuine": False,
    "ErasureView.signature": "",
    "FindingDetail.snoozedUntil": None,
    "FindingView.acceptedUntil": None,
    "FindingView.change": "modified",
    "FindingView.id": FINDING,
    "FindingView.ignoredChanges": [],
    "FlapView.evidence": "It changed in 9 of the last 10 scans",
    "Health.status": "ok",
    "Health.tickIsLate": False,
    "InvitationView.name": "Olga",
    "Me.name": "Ada",
    "NewInvitationView.name": "Olga",
    "PartView.status": "complete",
    "ProposalView.changed": 9,
    "ProposalView.reason": "It changed in 9 of the last 10 scans",
    "QuotaView.limit": 50_000,
    "QuotaView.name": "resources",
    "QuotaView.used": 412,
    "QuotasView.resources": 50_000,
    "QuotasView.scansADay": 48,
    "QuotasView.storedBytes": 5_000_000_000,
    "RestoreView.step": "",
    "RestoreView.users": ["Olga"],
    "RetentionView.scans": 180,
    "ReviewView.id": KEY + KEY[:8],
    "ReviewView.name": "Olga",
    "ReviewView.stale": False,
    "RuleView.action": "ignore",
    "RuleView.kind": None,
    "RuleView.lastHitAt": TIME,
    "RuleView.path": "/tags/costCentre",
    "RuleView.reason": "The cost system tags every resource each night",
    "RuleView.resourceId": "",
    "RuleView.resourceType": "",
    "RuleView.severity": None,
    "RuleView.unused": False,
    "ScanDetail.status": "complete",
    "ScanView.status": "complete",
    "SettingsChangeView.action": "change",
    "SettingsChangeView.actor": KEY + KEY[:8],
    "SettingsChangeView.changed": ["schedule"],
    "NewestScanView.status": "complete",
    "StandingView.findings": {"critical": 0, "high": 1, "medium": 0, "low": 2, "informational": 0},
    "StandingView.name": "shop",
    "StandingView.state": "drifted",
    "StatusView.complete": True,
    "StatusView.findings": {"critical": 0, "high": 1, "medium": 0, "low": 2, "informational": 0},
    "StepView.action": "open",
    "StepView.who": "",
    "AttemptView.status": 200,
    "ChannelView.at": "09:00",
    "ChannelView.id": CHANNEL,
    "ChannelView.name": "Drift in #platform",
    "ChannelView.severities": ["critical", "high"],
    "ChannelView.events": ["opened", "reopened", "worsened"],
    "ChannelView.snoozedUntil": None,
    "ChannelView.subscriptions": [],
    "DeliveryView.id": f"{CHANNEL}.{SCAN}.{KEY[:24]}",
    "WindowView.id": CHANNEL,
    "WindowView.name": "Release 42",
    "SubscriptionView.id": GUID,
    "SubscriptionView.name": "shop",
    "SubscriptionView.taken": False,
    "TemplateView.name": "quiet",
    "TemplateView.reason": "Only what is critical notifies.",
    "TenantDetail.id": GUID,
    "TenantDetail.status": "active",
    "TenantExportView.step": "",
    "TenantView.id": GUID,
    "TenantView.status": "active",
    "TenantUsageView.id": GUID,
    "TenantUsageView.status": "active",
    "UserView.id": KEY + KEY[:8],
    "UserView.name": "Olga",
}
# Of exports, by form.
EXPORTS: dict[str, Any] = {
    "csv": f"severity,status,change,title,resourceId,...\r\nhigh,open,modified,Reachable,{RESOURCE},...\r\n",
    "json": {
        "schemaVersion": 1,
        "generatedAt": TIME,
        "title": "contoso",
        "tenantId": GUID,
        "filters": {"severity": "high"},
        "complete": True,
        "subscriptions": [
            {"id": GUID, "name": "shop", "state": "drifted", "reason": "", "readAt": TIME}
        ],
        "findings": [],
    },
    "sarif": {"$schema": "...", "version": "2.1.0", "runs": [{"results": []}]},
    "junit": '<?xml version="1.0" encoding="UTF-8"?><testsuites></testsuites>',
}
NO_EXAMPLE = "…"  # a text whose name is not above; a test finds it
_SIMPLE: dict[str, Any] = {"integer": 1, "number": 1, "boolean": True, "string": NO_EXAMPLE}


def example_of(schema: dict[str, Any], schemas: dict[str, Any], owner: str = "") -> Any:
    """A value that the schema allows. `schemas` are the document's, `owner` is the name of this one among them."""
    if "$ref" in schema:
        owner = schema["$ref"].rpartition("/")[2]
        return example_of(schemas[owner], schemas, owner)
    if not owner and "properties" in schema and schema.get("examples"):
        return schema["examples"][0]  # of a file, whose schema is no model of ours
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], schemas, owner)
    if "properties" in schema:
        members = schema["properties"].items()
        shown = {name: _member(name, inner, schemas, owner) for name, inner in members}
        return {name: value for name, value in shown.items() if value is not _LEFT_OUT}
    if schema.get("type") == "array":
        return [example_of(schema["items"], schemas)]
    known = [*schema.get("examples", ()), *schema.get("enum", ())]
    if schema.get("format") == "date-time":
        known.append(TIME)
    return known[0] if known else _SIMPLE.get(schema.get("type", ""))


def _member(name: str, schema: dict[str, Any], schemas: dict[str, Any], owner: str) -> Any:
    if f"{owner}.{name}" in MEMBERS:
        return MEMBERS[f"{owner}.{name}"]
    # One of a closed set is an example of itself; what `MEMBERS` has under its name is another thing.
    if name in MEMBERS and "$ref" not in str(schema):
        return MEMBERS[name]
    return example_of(schema, schemas)
