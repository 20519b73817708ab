"""Entries for tests of exports, as unkind as anybody in Azure can be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from drift.engine.findings import Attribution, Status
from drift.engine.model import Change, ChangeKind, Severity
from drift.entries import About, Entry, Scope

NOW = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
SUBSCRIPTION = "1b4e28ba-2fa1-4d21-883f-0016d3cca427"
PAYLOAD = "\"><img src=x onerror=\"document.title='stolen'\"><script>document.title='stolen'</script>{{7*7}}"
UNKNOWN = Scope("6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "left", "unknown", "No permission.")
KNOWN = Scope(SUBSCRIPTION, "shop", "drifted", read_at=NOW)


def entry(name: str = "orders", **members: Any) -> Entry:
    change = Change(
        "/properties/allowBlobPublicAccess",
        ChangeKind.MODIFIED,
        False,
        True,
        Severity.HIGH,
        "storage-anonymous-blobs",
    )
    kind = "Microsoft.Storage/storageAccounts"
    given: dict[str, Any] = {
        "finding_id": f"{SUBSCRIPTION}.ab",
        "subscription_id": SUBSCRIPTION,
        "resource_id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/{kind}/{name}",
        "resource_type": kind.lower(),
        "kind": ChangeKind.MODIFIED,
        "severity": Severity.HIGH,
        "status": Status.OPEN,
        "changes": (change,),
        "evidence": "confirmed",
        "first_seen": NOW,
        "last_seen": NOW,
        "attribution": Attribution("ada@contoso.com", "User", "Portal", "write", "", "2026"),
    }
    return Entry(**given | members)


def about(*scopes: Scope, **members: Any) -> About:
    return About("contoso", NOW, "t", scopes or (KNOWN,), **members)
