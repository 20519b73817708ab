"""The tables of the simulated Resource Graph, and what a row of them looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from dev.azure.access import is_hidden
from dev.azure.api_versions import default_version
from dev.azure.cloud import Cloud
from dev.azure.directories import Subscription
from dev.azure.document import Json, JsonObject, decode
from dev.azure.edits import graph_type, is_resource_group
from dev.azure.inventory import Resource
from dev.azure.kql.execution import TableRow, ValuesRow
from dev.azure.kql.values import Value
from dev.azure.roles import built_in_roles
from dev.azure.tokens import Principal

COLUMNS: dict[str, str] = {
    "id": "string",
    "name": "string",
    "type": "string",
    "tenantId": "string",
    "kind": "string",
    "location": "string",
    "resourceGroup": "string",
    "subscriptionId": "string",
    "managedBy": "string",
    "sku": "object",
    "plan": "object",
    "properties": "object",
    "tags": "object",
    "identity": "object",
    "zones": "object",
    "extendedLocation": "object",
}
ON_REQUEST = {"apiVersion": "string"}  # in no row, unless a query names the columns it wants
_NULL = msgspec.Raw(b"null")
_EMPTY = msgspec.Raw(b'""')
_ABSENT = {name: _EMPTY if kind == "string" else _NULL for name, kind in COLUMNS.items()}

_AUTHORIZATION = (
    "microsoft.authorization/roleassignments",
    "microsoft.authorization/roledefinitions",
)
_POLICY = (
    "microsoft.authorization/policyassignments",
    "microsoft.authorization/policydefinitions",
    "microsoft.authorization/policysetdefinitions",
    "microsoft.authorization/policyexemptions",
    "microsoft.policyinsights/",
)
_GROUP_TYPES = (
    "microsoft.resources/subscriptions",
    "microsoft.resources/subscriptions/resourcegroups",
)

TABLES = frozenset(
    {
        "resources",
        "resourcecontainers",
        "authorizationresources",
        "policyresources",
        "resourcechanges",
        "resourcecontainerchanges",
        # known to Azure; a simulated world has nothing in them
        "advisorresources",
        "alertsmanagementresources",
        "healthresources",
        "healthresourcechanges",
        "maintenanceresources",
        "recoveryservicesresources",
        "securityresources",
        "servicehealthresources",
    }
)


@dataclass(frozen=True, slots=True)
class ResourceRow:
    resource: Resource
    directory_id: str
    versions: Mapping[
        str, str
    ]  # of the API, by type, where the graph reads with another than the newest stable one

    def value(self, column: str) -> Value:
        known = self._known(column)
        return known if known is not None else decode(bytes(self._raw(column)))

    def members(self, columns: Sequence[str]) -> dict[str, object]:
        members = self.resource.members()
        return {
            name: known if (known := self._known(name)) is not None else self._raw(name, members)
            for name in columns
        }

    def _known(self, column: str) -> str | None:
        read = _KNOWN.get(column)
        return read(self) if read is not None else None

    def _raw(self, column: str, members: Mapping[str, msgspec.Raw] | None = None) -> msgspec.Raw:
        found = self.resource.members() if members is None else members
        raw = found.get(column)
        if raw is None or (column in {"kind", "managedBy"} and bytes(raw) == b"null"):
            return _ABSENT[column]
        if column == "properties" and self.resource.id_type == "microsoft.compute/virtualmachines":
            return _with_power_state(raw)
        return raw


_KNOWN: dict[str, Callable[[ResourceRow], str]] = {
    "id": lambda row: row.resource.id,
    "type": lambda row: graph_type(row.resource),
    "subscriptionId": lambda row: row.resource.subscription_id,
    "resourceGroup": lambda row: row.resource.resource_group.lower(),
    "tenantId": lambda row: row.directory_id,
    "location": lambda row: row.resource.location.replace(" ", "").lower(),
    "apiVersion": lambda row: (
        row.versions.get(graph_type(row.resource))
        or default_version(row.resource.id_type.partition("/")[0])
    ),
}


def _with_power_state(properties: msgspec.Raw) -> msgspec.Raw:
    """`properties.extended` is Resource Graph's own; a GET of the machine has no such member."""
    encoded = bytes(properties).rstrip()
    if not encoded.endswith(b"}") or len(encoded) < 3:
        return properties
    return msgspec.Raw(
        encoded[:-1] + b',"extended":{"instanceView":{"powerState":{"code":"PowerState/running",'
        b'"level":"Info","displayStatus":"VM running"}}}}'
    )


def rows_of(
    cloud: Cloud, table: str, subscriptions: Sequence[Subscription], principal: Principal
) -> Iterator[TableRow]:
    for subscription in subscriptions:
        if table in {"resourcechanges", "resourcecontainerchanges"}:
            yield from _changes(cloud, table, subscription, principal)
            continue
        if table == "resourcecontainers":
            yield ValuesRow(_subscription_row(subscription))
        for resource in cloud.inventory.in_graph(subscription.id):
            if is_hidden(subscription, principal, resource.id_type, resource.resource_group):
                continue
            if _table_of(resource) == table:
                yield ResourceRow(resource, subscription.directory_id, cloud.graph_versions)
    if table == "authorizationresources":
        for role in built_in_roles():
            yield ValuesRow(_role_row(role))


def _table_of(resource: Resource) -> str:
    if resource.is_tracked:
        return "resources"
    if is_resource_group(resource):
        return "resourcecontainers"
    if resource.id_type in _AUTHORIZATION:
        return "authorizationresources"
    return "policyresources" if resource.id_type.startswith(_POLICY) else ""


def _changes(
    cloud: Cloud, table: str, subscription: Subscription, principal: Principal
) -> Iterator[TableRow]:
    until = cloud.clock() - cloud.inventory.graph_lag
    for change in cloud.changes.of_subscription(subscription.id, until=until):
        container = change.target_type.lower() in _GROUP_TYPES
        if container != (table == "resourcecontainerchanges"):
            continue
        if not is_hidden(subscription, principal, change.target_type, change.resource_group):
            yield ValuesRow(change.row)


def _subscription_row(subscription: Subscription) -> JsonObject:
    ancestors: list[Json] = [
        {"displayName": "Tenant Root Group", "name": subscription.directory_id}
    ]
    return _row(
        {
            "id": f"/subscriptions/{subscription.id}",
            "name": subscription.display_name,
            "type": "microsoft.resources/subscriptions",
            "tenantId": subscription.directory_id,
            "subscriptionId": subscription.id,
            "properties": {
                "managedByTenants": [],
                "managementGroupAncestorsChain": ancestors,
                "state": subscription.state,
                "subscriptionPolicies": {
                    "locationPlacementId": "Public_2014-09-01",
                    "quotaId": "EnterpriseAgreement_2014-09-01",
                    "spendingLimit": "Off",
                },
            },
            "tags": {},
        }
    )


def _role_row(role: JsonObject) -> JsonObject:
    return _row({**role, "type": "microsoft.authorization/roledefinitions"})


def _row(values: JsonObject) -> JsonObject:
    return {
        name: values.get(name, "" if kind == "string" else None) for name, kind in COLUMNS.items()
    }
