"""The change history that Resource Graph keeps: who wrote what, and which values moved.

What is and is not recorded follows "Get resource changes": creations and deletions carry no values, properties that
a write introduces are not reported, values are text, bookkeeping (etag, systemData) is not a change.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from dev.azure.document import Json, JsonObject, encode

KEPT_SECONDS = 14 * 24 * 3600
MAX_VALUE = 1000  # characters of a value before it is cut and marked isTruncated
_BOOKKEEPING = frozenset({"etag", "systemData", "id", "name", "type"})


@dataclass(frozen=True, slots=True)
class Actor:
    changed_by: str
    changed_by_type: str = "User"
    client_type: str = "Azure Portal"


SYSTEM = Actor("System", "System", "Unspecified")


@dataclass(frozen=True, slots=True)
class Change:
    """`when` decides when the graph shows it; the row is complete."""

    when: float
    subscription_id: str
    resource_group: str
    target_type: str
    row: JsonObject


class ChangeFeed:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changes: list[Change] = []

    def record(
        self,
        *,
        before: JsonObject | None,
        after: JsonObject | None,
        subscription_id: str,
        resource_group: str,
        resource_type: str,
        directory_id: str,
        actor: Actor,
        operation: str,
        correlation_id: str = "",
    ) -> None:
        now = self._clock()
        document = after if after is not None else before
        assert document is not None
        changes = moved_values(before, after) if before is not None and after is not None else {}
        properties: JsonObject = {
            "targetResourceId": document["id"],
            "targetResourceType": resource_type.lower(),
            "changeType": _change_type(before, after),
            "changeAttributes": {
                "timestamp": _instant(now),
                "changedBy": actor.changed_by,
                "changedByType": actor.changed_by_type,
                "clientType": actor.client_type,
                "operation": operation,
                "correlationId": correlation_id or str(uuid.uuid4()),
                "changesCount": len(changes),
                "previousResourceSnapshotId": f"{uuid.uuid4()}_{int(now)}",
                "newResourceSnapshotId": f"{uuid.uuid4()}_{int(now)}",
            },
            "changes": changes,
        }
        row = _row(properties, subscription_id, resource_group, directory_id)
        self._changes.append(Change(now, subscription_id, resource_group, resource_type, row))

    def of_subscription(self, subscription_id: str, *, until: float) -> Iterator[Change]:
        """What the graph may show: recorded by `until`, and not yet forgotten."""
        oldest = self._clock() - KEPT_SECONDS
        wanted = subscription_id.lower()
        return (
            change
            for change in self._changes
            if change.subscription_id == wanted and oldest < change.when <= until
        )

    def count(self, *, until: float) -> int:
        return sum(change.when <= until for change in self._changes)


def _row(
    properties: JsonObject, subscription_id: str, resource_group: str, directory_id: str
) -> JsonObject:
    name = str(uuid.uuid4())
    return {
        "id": f"{properties['targetResourceId']}/providers/Microsoft.Resources/changes/{name}",
        "name": name,
        "type": "microsoft.resources/changes",
        "tenantId": directory_id,
        "kind": "",
        "location": "",
        "resourceGroup": resource_group.lower(),
        "subscriptionId": subscription_id,
        "managedBy": "",
        "sku": None,
        "plan": None,
        "properties": properties,
        "tags": None,
        "identity": None,
        "zones": None,
        "extendedLocation": None,
    }


def _change_type(before: JsonObject | None, after: JsonObject | None) -> str:
    if before is None:
        return "Create"
    return "Delete" if after is None else "Update"


def _instant(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def moved_values(before: JsonObject, after: JsonObject) -> JsonObject:
    """Path (dots, indexes in brackets) to previous and new value, for values that were there before."""
    found: JsonObject = {}
    for name, value in before.items():
        if name not in _BOOKKEEPING:
            _walk(name, value, after.get(name), found)
    return found


def _walk(path: str, before: Json, after: Json, found: JsonObject) -> None:
    if isinstance(before, dict) and isinstance(after, dict):
        for name, value in before.items():
            if name != "etag":
                _walk(f"{path}.{name}", value, after.get(name), found)
    elif isinstance(before, list) and isinstance(after, list):
        for index, value in enumerate(before):
            _walk(f"{path}[{index}]", value, after[index] if index < len(after) else None, found)
    elif encode(before) != encode(after):
        found[path] = _moved(before, after)


def _moved(before: Json, after: Json) -> JsonObject:
    previous, new = _text(before), _text(after)
    return {
        "previousValue": previous[:MAX_VALUE],
        "newValue": new[:MAX_VALUE],
        "changeCategory": "User",
        "propertyChangeType": "Remove" if after is None else "Update",
        "isTruncated": str(max(len(previous), len(new)) > MAX_VALUE).lower(),
    }


def _text(value: Json) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else encode(value).decode()
