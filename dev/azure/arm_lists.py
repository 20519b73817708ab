"""What one entry of a list looks like: a subscription, and a resource without its properties."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

import msgspec

from dev.azure.directories import Subscription
from dev.azure.document import Json, JsonObject, decode
from dev.azure.inventory import Resource
from dev.azure.tokens import Principal

_ITEM_MEMBERS = (
    "id", "name", "type", "sku", "kind", "plan", "managedBy", "location", "extendedLocation", "identity", "zones",
    "tags", "systemData",
)  # fmt: skip


def describe_subscription(subscription: Subscription, principal: Principal) -> JsonObject:
    delegated = principal.directory_id != subscription.directory_id
    managed_by: list[Json] = [{"tenantId": principal.directory_id}] if delegated else []
    return {
        "id": f"/subscriptions/{subscription.id}",
        "authorizationSource": "RoleBased",
        "managedByTenants": managed_by,
        "subscriptionId": subscription.id,
        "tenantId": subscription.directory_id,
        "displayName": subscription.display_name,
        "state": subscription.state,
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "EnterpriseAgreement_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def whole_document(resource: Resource) -> msgspec.Raw:
    return msgspec.Raw(resource.raw)


def list_item(resource: Resource, expand: Collection[str]) -> JsonObject:
    members = resource.members()
    item: JsonObject = {
        name: decode(bytes(members[name])) for name in _ITEM_MEMBERS if name in members
    }
    if "createdTime" in expand:
        item["createdTime"] = _instant(resource.created)
    if "changedTime" in expand:
        item["changedTime"] = _instant(resource.changed)
    if "provisioningState" in expand:
        properties = resource.member("properties")
        if isinstance(properties, dict) and "provisioningState" in properties:
            item["provisioningState"] = properties["provisioningState"]
    return item


def _instant(when: float) -> str:
    return f"{datetime.fromtimestamp(when, UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
