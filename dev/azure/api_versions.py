"""Which API versions the simulated resource providers serve, newest first.

Real versions of the namespaces people use most; a namespace that is not listed gets `OTHERS`, so that any document
can be a world.
"""

from __future__ import annotations

from collections.abc import Iterable

from dev.azure.document import Json, JsonObject

LOCATIONS = ("West Europe", "North Europe", "East US", "West US 2", "Sweden Central", "UK South")

OTHERS = ("2024-01-01", "2023-01-01", "2022-01-01", "2021-01-01", "2020-01-01")

VERSIONS: dict[str, tuple[str, ...]] = {
    "microsoft.apimanagement": ("2024-05-01", "2023-05-01-preview", "2022-08-01", "2021-08-01"),
    "microsoft.app": ("2025-01-01", "2024-03-01", "2023-05-01", "2022-10-01"),
    "microsoft.authorization": (
        "2022-04-01",
        "2020-05-01",
        "2017-04-01",
        "2016-09-01",
        "2015-07-01",
    ),
    "microsoft.automation": ("2023-11-01", "2022-08-08", "2020-01-13-preview", "2019-06-01"),
    "microsoft.cache": ("2024-11-01", "2024-03-01", "2023-08-01", "2022-06-01"),
    "microsoft.cdn": ("2024-09-01", "2024-02-01", "2023-05-01", "2021-06-01"),
    "microsoft.cognitiveservices": ("2024-10-01", "2023-05-01", "2022-12-01", "2021-10-01"),
    "microsoft.compute": (
        "2024-07-01",
        "2024-03-02",
        "2024-03-01",
        "2023-09-01",
        "2023-07-03",
        "2022-08-01",
    ),
    "microsoft.containerinstance": ("2023-05-01", "2022-09-01", "2021-10-01"),
    "microsoft.containerregistry": ("2023-07-01", "2022-12-01", "2021-09-01", "2019-05-01"),
    "microsoft.containerservice": (
        "2024-09-01",
        "2024-05-01",
        "2024-02-01",
        "2023-10-01",
        "2022-09-01",
    ),
    "microsoft.datafactory": ("2018-06-01",),
    "microsoft.dbforpostgresql": ("2024-08-01", "2022-12-01", "2021-06-01"),
    "microsoft.documentdb": ("2024-11-15", "2024-05-15", "2023-11-15", "2022-05-15", "2021-10-15"),
    "microsoft.eventgrid": ("2022-06-15", "2021-12-01"),
    "microsoft.eventhub": ("2024-01-01", "2022-10-01-preview", "2021-11-01", "2017-04-01"),
    "microsoft.insights": (
        "2024-03-01-preview",
        "2023-03-11",
        "2022-10-01",
        "2021-08-01",
        "2021-05-01-preview",
        "2020-02-02",
        "2019-03-01",
        "2018-03-01",
    ),
    "microsoft.keyvault": ("2024-11-01", "2023-07-01", "2022-07-01", "2021-10-01", "2019-09-01"),
    "microsoft.logic": ("2019-05-01", "2016-06-01"),
    "microsoft.managedidentity": ("2024-11-30", "2023-01-31", "2018-11-30"),
    "microsoft.network": (
        "2024-05-01",
        "2024-03-01",
        "2024-01-01",
        "2023-11-01",
        "2023-09-01",
        "2022-07-01",
        "2021-08-01",
        "2020-06-01",
        "2018-05-01",
    ),
    "microsoft.operationalinsights": ("2023-09-01", "2022-10-01", "2021-06-01", "2020-08-01"),
    "microsoft.recoveryservices": ("2024-10-01", "2024-04-01", "2023-08-01", "2022-10-01"),
    "microsoft.resources": ("2025-04-01", "2024-11-01", "2022-09-01", "2021-04-01", "2020-06-01"),
    "microsoft.search": ("2023-11-01", "2022-09-01", "2020-08-01"),
    "microsoft.servicebus": ("2024-01-01", "2022-10-01-preview", "2021-11-01", "2017-04-01"),
    "microsoft.sql": ("2023-08-01", "2021-11-01", "2020-11-01-preview", "2014-04-01"),
    "microsoft.storage": (
        "2024-01-01",
        "2023-05-01",
        "2023-01-01",
        "2022-09-01",
        "2021-09-01",
        "2019-06-01",
    ),
    "microsoft.web": ("2024-04-01", "2023-12-01", "2022-09-01", "2022-03-01", "2021-02-01"),
}


_TYPES: dict[str, str] = {
    "Microsoft.ApiManagement": "service service/apis",
    "Microsoft.App": "containerApps jobs managedEnvironments",
    "Microsoft.Authorization": (
        "locks policyAssignments policyDefinitions policyExemptions policySetDefinitions "
        "roleAssignments roleDefinitions"
    ),
    "Microsoft.Automation": "automationAccounts automationAccounts/runbooks",
    "Microsoft.Cache": "Redis redisEnterprise",
    "Microsoft.Cdn": "profiles profiles/endpoints",
    "Microsoft.CognitiveServices": "accounts",
    "Microsoft.Compute": (
        "availabilitySets disks images snapshots virtualMachines virtualMachines/extensions "
        "virtualMachineScaleSets"
    ),
    "Microsoft.ContainerInstance": "containerGroups",
    "Microsoft.ContainerRegistry": "registries registries/replications registries/webhooks",
    "Microsoft.ContainerService": "managedClusters managedClusters/agentPools",
    "Microsoft.DataFactory": "factories",
    "Microsoft.DBforPostgreSQL": "flexibleServers flexibleServers/firewallRules",
    "Microsoft.DocumentDB": "databaseAccounts",
    "Microsoft.EventGrid": "systemTopics topics",
    "Microsoft.EventHub": "namespaces namespaces/eventhubs",
    "Microsoft.Insights": (
        "actionGroups activityLogAlerts autoscaleSettings components diagnosticSettings "
        "metricAlerts"
    ),
    "Microsoft.KeyVault": "vaults managedHSMs",
    "Microsoft.Logic": "workflows",
    "Microsoft.ManagedIdentity": "userAssignedIdentities",
    "Microsoft.Network": (
        "applicationGateways azureFirewalls bastionHosts dnsZones expressRouteCircuits "
        "loadBalancers natGateways networkInterfaces networkSecurityGroups "
        "networkSecurityGroups/securityRules networkWatchers privateDnsZones privateEndpoints "
        "publicIPAddresses routeTables routeTables/routes virtualNetworkGateways virtualNetworks "
        "virtualNetworks/subnets virtualNetworks/virtualNetworkPeerings"
    ),
    "Microsoft.OperationalInsights": "workspaces",
    "Microsoft.RecoveryServices": "vaults",
    "Microsoft.Resources": "deployments",
    "Microsoft.Search": "searchServices",
    "Microsoft.ServiceBus": "namespaces namespaces/queues namespaces/topics",
    "Microsoft.Sql": "servers servers/databases servers/firewallRules managedInstances",
    "Microsoft.Storage": (
        "storageAccounts storageAccounts/blobServices storageAccounts/blobServices/containers"
    ),
    "Microsoft.Web": "certificates serverfarms sites sites/config sites/slots staticSites",
}

WELL_KNOWN_TYPES = tuple(
    f"{namespace}/{name}" for namespace, names in _TYPES.items() for name in names.split()
)
"""Types that exist whether or not a resource of them does; a world adds its own."""


def versions_of(namespace: str) -> tuple[str, ...]:
    return VERSIONS.get(namespace.lower(), OTHERS)


def default_version(namespace: str) -> str:
    return next(one for one in versions_of(namespace) if not one.endswith("preview"))


def describe_provider(scope: str, namespace: str, types: Iterable[str]) -> JsonObject:
    """`types` are full names of that namespace, in the spelling to show."""
    versions: list[Json] = [*versions_of(namespace)]
    listed: list[Json] = [
        {
            "resourceType": one.split("/", 1)[1],
            "locations": [*LOCATIONS],
            "apiVersions": versions,
            "defaultApiVersion": default_version(namespace),
            "capabilities": "CrossResourceGroupResourceMove, SupportsTags, SupportsLocation",
        }
        for one in sorted(types)
    ]
    return {
        "id": f"{scope}/providers/{namespace}",
        "namespace": namespace,
        "resourceTypes": listed,
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationRequired",
    }
