"""Storage accounts and key vaults."""

from __future__ import annotations

from collections.abc import Iterator

from dev.azure.document import JsonObject
from dev.azure.world.network import subnet_id
from dev.azure.world.site import Site


def storage_documents(site: Site) -> Iterator[JsonObject]:
    for kind in ("st", "stlog"):
        yield _storage_account(site, site.compact(kind))
    yield _vault(site)
    yield _private_endpoint(site)


def _storage_account(site: Site, name: str) -> JsonObject:
    enabled = site.instant()
    service: JsonObject = {"enabled": True, "keyType": "Account", "lastEnabledTime": enabled}
    return site.resource(
        site.data_group,
        "Microsoft.Storage/storageAccounts",
        name,
        sku={"name": "Standard_ZRS", "tier": "Standard"},
        kind="StorageV2",
        properties={
            "provisioningState": "Succeeded",
            "creationTime": site.instant(),
            "primaryLocation": site.location,
            "statusOfPrimary": "available",
            "primaryEndpoints": {
                "blob": f"https://{name}.blob.core.windows.net/",
                "queue": f"https://{name}.queue.core.windows.net/",
                "table": f"https://{name}.table.core.windows.net/",
            },
            "keyCreationTime": {"key1": enabled, "key2": enabled},
            "allowBlobPublicAccess": False,
            "allowSharedKeyAccess": False,
            "allowCrossTenantReplication": False,
            "minimumTlsVersion": "TLS1_2",
            "supportsHttpsTrafficOnly": True,
            "publicNetworkAccess": "Disabled",
            "accessTier": "Hot",
            "encryption": {
                "keySource": "Microsoft.Storage",
                "requireInfrastructureEncryption": True,
                "services": {"blob": service, "file": service},
            },
            "networkAcls": {
                "bypass": "AzureServices",
                "defaultAction": "Deny",
                "ipRules": [{"value": site.address(), "action": "Allow"}],
                "virtualNetworkRules": [
                    {"id": subnet_id(site, "app"), "action": "Allow", "state": "Succeeded"}
                ],
            },
        },
    )


def _vault(site: Site) -> JsonObject:
    name = site.compact("kv")
    return site.resource(
        site.data_group,
        "Microsoft.KeyVault/vaults",
        name,
        systemData=site.system_data(),
        properties={
            "sku": {"family": "A", "name": "standard"},
            "tenantId": site.directory_id,
            "accessPolicies": [],
            "enabledForDeployment": False,
            "enabledForTemplateDeployment": False,
            "enableSoftDelete": True,
            "softDeleteRetentionInDays": 90,
            "enablePurgeProtection": True,
            "enableRbacAuthorization": True,
            "networkAcls": {
                "bypass": "AzureServices",
                "defaultAction": "Deny",
                "ipRules": [],
                "virtualNetworkRules": [],
            },
            "publicNetworkAccess": "Disabled",
            "vaultUri": f"https://{name}.vault.azure.net/",
            "provisioningState": "Succeeded",
        },
    )


def _private_endpoint(site: Site) -> JsonObject:
    target = site.resource_id(
        site.data_group, "Microsoft.Storage/storageAccounts", site.compact("st")
    )
    name = site.name("pep", "-st")
    owner = site.resource_id(site.network_group, "Microsoft.Network/privateEndpoints", name)
    link = site.part(
        owner,
        "privateLinkServiceConnections",
        "blob",
        {
            "privateLinkServiceId": target,
            "groupIds": ["blob"],
            "privateLinkServiceConnectionState": {
                "status": "Approved",
                "description": "Auto-Approved",
                "actionsRequired": "None",
            },
        },
    )
    return site.resource(
        site.network_group,
        "Microsoft.Network/privateEndpoints",
        name,
        etag=site.etag(),
        properties={
            "provisioningState": "Succeeded",
            "resourceGuid": site.guid(),
            "privateLinkServiceConnections": [link],
            "manualPrivateLinkServiceConnections": [],
            "subnet": {"id": subnet_id(site, "endpoints")},
            "customDnsConfigs": [],
        },
    )
