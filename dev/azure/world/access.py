"""Who may do what: role assignments, locks, policy."""

from __future__ import annotations

from collections.abc import Iterator

from dev.azure.document import JsonObject
from dev.azure.roles import CONTRIBUTOR, OWNER, READER
from dev.azure.world.site import Site

_ALLOWED_LOCATIONS = "e56962a6-4747-49cd-b67b-bf8b01975c4c"  # built-in policy "Allowed locations"


def access_documents(site: Site) -> Iterator[JsonObject]:
    subscription = f"/subscriptions/{site.subscription_id}"
    groups = [
        f"{subscription}/resourceGroups/{group}"
        for group in (site.network_group, site.app_group, site.data_group)
    ]
    yield _role_assignment(site, subscription, OWNER, "Group")
    for group in groups:
        yield _role_assignment(site, group, CONTRIBUTOR, "ServicePrincipal")
    yield _role_assignment(site, groups[0], READER, "User")
    yield _lock(site, groups[2])
    yield _policy_assignment(site, groups[1])


def _role_assignment(site: Site, scope: str, role: str, principal_type: str) -> JsonObject:
    name = site.guid()
    subscription = f"/subscriptions/{site.subscription_id}"
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
        "name": name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}",
            "principalId": site.guid(),
            "principalType": principal_type,
            "scope": scope,
            "condition": None,
            "conditionVersion": None,
            "createdOn": site.instant(),
            "updatedOn": site.instant(),
            "createdBy": site.guid(),
            "updatedBy": site.guid(),
            "delegatedManagedIdentityResourceId": None,
            "description": f"{site.workload} {site.environment}",
        },
    }


def _lock(site: Site, scope: str) -> JsonObject:
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/locks/keep-{site.workload}",
        "name": f"keep-{site.workload}",
        "type": "Microsoft.Authorization/locks",
        "properties": {"level": "CanNotDelete", "notes": "Data is not rebuilt in an hour."},
        "systemData": site.system_data(),
    }


def _policy_assignment(site: Site, scope: str) -> JsonObject:
    name = f"allowed-locations-{site.workload}"
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/policyAssignments/{name}",
        "name": name,
        "type": "Microsoft.Authorization/policyAssignments",
        "systemData": site.system_data(),
        "properties": {
            "displayName": "Allowed locations",
            "policyDefinitionId": f"/providers/Microsoft.Authorization/policyDefinitions/{_ALLOWED_LOCATIONS}",
            "scope": scope,
            "notScopes": [],
            "parameters": {"listOfAllowedLocations": {"value": [site.location, "global"]}},
            "enforcementMode": "Default",
            "instanceId": site.guid(),
            "metadata": {"createdBy": site.guid(), "createdOn": site.instant()},
        },
    }
