"""What happens in the two organisations after their baselines: edits as data, each with the paths that must be found.

An edit without paths is one that Azure makes by itself or that changes nothing: it must not be found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dev.azure.document import JsonObject
from dev.demo.organisations import CONTOSO, FABRIKAM, Organisation

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"  # Azure's built-in role Owner, the same in every directory
WHOLE = ""  # the path of a resource that was added or removed

PORTAL = {"changedByType": "User", "clientType": "Azure Portal"}
PIPELINE = {"changedByType": "Application", "clientType": "Azure CLI"}


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit of the simulated Azure. `target` is (type, which of that type); `order` is what the admin gets."""

    title: str
    organisation: Organisation
    subscription: int
    target: tuple[str, int]
    order: Callable[[JsonObject], Mapping[str, Any]]
    paths: frozenset[str] = frozenset()
    by: str = ""
    through: Mapping[str, str] = field(default_factory=lambda: PORTAL)


def setting(**pointers: Any) -> Callable[[JsonObject], Mapping[str, Any]]:
    """Sets values: `properties__minimumTlsVersion="TLS1_0"` is the pointer /properties/minimumTlsVersion."""
    values = {"/" + name.replace("__", "/"): value for name, value in pointers.items()}
    return lambda _: {"set": values}


def deleting(_: JsonObject) -> Mapping[str, Any]:
    return {"delete": True}


def removing(pointer: str) -> Callable[[JsonObject], Mapping[str, Any]]:
    return lambda _: {"remove": [pointer]}


def reversing(*names: str) -> Callable[[JsonObject], Mapping[str, Any]]:
    """Turns a list around."""

    def order(document: JsonObject) -> Mapping[str, Any]:
        value: Any = document
        for name in names:
            value = value[name]
        return {"set": {"/" + "/".join(names): list(reversed(value))}}

    return order


def refreshing(document: JsonObject) -> Mapping[str, Any]:
    """What Azure does by itself: a new etag and a new time, no record of a change."""
    return {"silent": True, "set": {"/etag": 'W/"5eed5eed-0000-4000-8000-000000000000"'}}


def copying(name: str) -> Callable[[JsonObject], Mapping[str, Any]]:
    """A second resource like the target, under another name."""

    def order(document: JsonObject) -> Mapping[str, Any]:
        old = str(document["name"])
        copy = {**document, "name": name, "id": str(document["id"]).replace(old, name)}
        return {"create": copy}

    return order


def granting_owner(document: JsonObject) -> Mapping[str, Any]:
    """Owner of the whole subscription for one more user."""
    scope = str(document["id"]).split("/providers/")[0]
    name = "0d0d0d0d-7777-4777-8777-000000000001"
    properties = {
        "roleDefinitionId": f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{OWNER}",
        "principalId": "0d0d0d0d-8888-4888-8888-000000000001",
        "principalType": "User",
        "scope": scope,
    }
    return {
        "create": {
            "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
            "name": name,
            "type": "Microsoft.Authorization/roleAssignments",
            "properties": properties,
        }
    }


EDITS = (
    Edit(
        "SSH opened to the Internet in a network security group",
        CONTOSO,
        0,
        ("Microsoft.Network/networkSecurityGroups", 0),
        setting(properties__securityRules__2__properties__sourceAddressPrefix="*"),
        frozenset(
            {"/properties/securityRules/[name=allow-ssh-bastion]/properties/sourceAddressPrefix"}
        ),
        by="dana@contoso.example",
    ),
    Edit(
        "public network access turned on for a storage account",
        CONTOSO,
        0,
        ("Microsoft.Storage/storageAccounts", 0),
        setting(
            properties__publicNetworkAccess="Enabled",
            properties__networkAcls__defaultAction="Allow",
        ),
        frozenset({"/properties/publicNetworkAccess", "/properties/networkAcls/defaultAction"}),
        by="dana@contoso.example",
    ),
    Edit(
        "TLS lowered on the log storage account",
        CONTOSO,
        0,
        ("Microsoft.Storage/storageAccounts", 1),
        setting(properties__minimumTlsVersion="TLS1_0"),
        frozenset({"/properties/minimumTlsVersion"}),
        by="build-agent",
        through=PIPELINE,
    ),
    Edit(
        "key vault opened to all networks",
        CONTOSO,
        0,
        ("Microsoft.KeyVault/vaults", 0),
        setting(properties__networkAcls__defaultAction="Allow"),
        frozenset({"/properties/networkAcls/defaultAction"}),
        by="dana@contoso.example",
    ),
    Edit(
        "HTTPS no longer required by the web app",
        CONTOSO,
        0,
        ("Microsoft.Web/sites", 0),
        setting(properties__httpsOnly=False),
        frozenset({"/properties/httpsOnly"}),
        by="build-agent",
        through=PIPELINE,
    ),
    Edit(
        "a user made Owner of the subscription",
        CONTOSO,
        0,
        ("Microsoft.Authorization/roleAssignments", 0),
        granting_owner,
        frozenset({WHOLE}),
        by="dana@contoso.example",
    ),
    Edit(
        "the lock on the data removed",
        CONTOSO,
        0,
        ("Microsoft.Authorization/locks", 0),
        deleting,
        frozenset({WHOLE}),
        by="dana@contoso.example",
    ),
    Edit(
        "an alert deleted",
        CONTOSO,
        0,
        ("Microsoft.Insights/metricAlerts", 1),
        deleting,
        frozenset({WHOLE}),
        by="erin@contoso.example",
    ),
    Edit(
        "a storage account added",
        CONTOSO,
        0,
        ("Microsoft.Storage/storageAccounts", 0),
        copying("stshadow568797"),
        frozenset({WHOLE}),
        by="erin@contoso.example",
    ),
    Edit(
        "a larger Redis cache",
        CONTOSO,
        0,
        ("Microsoft.Cache/Redis", 0),
        setting(properties__sku__capacity=2),
        frozenset({"/properties/sku/capacity"}),
        by="erin@contoso.example",
    ),
    Edit(
        "DNS servers swapped: their order is configuration",
        CONTOSO,
        1,
        ("Microsoft.Network/virtualNetworks", 0),
        reversing("properties", "dhcpOptions", "dnsServers"),
        frozenset({"/properties/dhcpOptions/dnsServers"}),
        by="dana@contoso.example",
    ),
    Edit(
        "another cost centre in a tag",
        CONTOSO,
        1,
        ("Microsoft.Compute/virtualMachines", 0),
        setting(tags__costCenter="CC-9999"),
        frozenset({"/tags/costCenter"}),
        by="erin@contoso.example",
    ),
    Edit(
        "the same security rules in another order",
        CONTOSO,
        0,
        ("Microsoft.Network/networkSecurityGroups", 1),
        reversing("properties", "securityRules"),
        by="build-agent",
        through=PIPELINE,
    ),
    Edit(
        "a new etag and nothing else",
        CONTOSO,
        0,
        ("Microsoft.Network/routeTables", 0),
        refreshing,
    ),
    Edit(
        "public network access turned on for the SQL server",
        FABRIKAM,
        0,
        ("Microsoft.Sql/servers", 0),
        setting(properties__publicNetworkAccess="Enabled"),
        frozenset({"/properties/publicNetworkAccess"}),
        by="gus@fabrikam.example",
    ),
    Edit(
        "the owner's tag removed",
        FABRIKAM,
        0,
        ("Microsoft.Compute/disks", 0),
        removing("/tags/owner"),
        frozenset({"/tags/owner"}),
        by="gus@fabrikam.example",
    ),
)
