"""Registries, clusters, container apps."""

from __future__ import annotations

from collections.abc import Iterator

from dev.azure.document import JsonObject
from dev.azure.world.network import subnet_id
from dev.azure.world.site import Site


def container_documents(site: Site) -> Iterator[JsonObject]:
    yield _registry(site)
    yield _cluster(site)
    yield _container_environment(site)
    yield _container_app(site)


def _registry(site: Site) -> JsonObject:
    name = site.compact("cr")
    return site.resource(
        site.app_group,
        "Microsoft.ContainerRegistry/registries",
        name,
        sku={"name": "Premium", "tier": "Premium"},
        systemData=site.system_data(),
        properties={
            "loginServer": f"{name}.azurecr.io",
            "creationDate": site.instant(),
            "provisioningState": "Succeeded",
            "adminUserEnabled": False,
            "anonymousPullEnabled": False,
            "publicNetworkAccess": "Disabled",
            "networkRuleBypassOptions": "AzureServices",
            "zoneRedundancy": "Enabled",
            "policies": {
                "quarantinePolicy": {"status": "disabled"},
                "trustPolicy": {"type": "Notary", "status": "disabled"},
                "retentionPolicy": {
                    "days": 30,
                    "lastUpdatedTime": site.instant(),
                    "status": "enabled",
                },
            },
            "encryption": {"status": "disabled"},
        },
    )


def _cluster(site: Site) -> JsonObject:
    name = site.name("aks")
    node_group = f"MC_{site.app_group}_{name}_{site.location}"
    return site.resource(
        site.app_group,
        "Microsoft.ContainerService/managedClusters",
        name,
        sku={"name": "Base", "tier": "Standard"},
        identity={
            "type": "SystemAssigned",
            "principalId": site.guid(),
            "tenantId": site.directory_id,
        },
        properties={
            "provisioningState": "Succeeded",
            "powerState": {"code": "Running"},
            "kubernetesVersion": "1.30",
            "currentKubernetesVersion": "1.30.6",
            "dnsPrefix": name,
            "fqdn": f"{name}-{site.unique}.hcp.{site.location}.azmk8s.io",
            "agentPoolProfiles": [_pool(site, "system", "System"), _pool(site, "work", "User")],
            "servicePrincipalProfile": {"clientId": "msi"},
            "nodeResourceGroup": node_group,
            "enableRBAC": True,
            "disableLocalAccounts": True,
            "aadProfile": {"managed": True, "enableAzureRBAC": True, "tenantID": site.directory_id},
            "apiServerAccessProfile": {
                "enablePrivateCluster": False,
                "authorizedIPRanges": [f"{site.address()}/32"],
            },
            "networkProfile": _cluster_network(site, node_group),
            "autoUpgradeProfile": {"upgradeChannel": "patch", "nodeOSUpgradeChannel": "NodeImage"},
            "securityProfile": {"workloadIdentity": {"enabled": True}},
            "oidcIssuerProfile": {"enabled": True},
        },
    )


def _pool(site: Site, name: str, mode: str) -> JsonObject:
    return {
        "name": name,
        "count": site.number(2, 5),
        "minCount": 2,
        "maxCount": 6,
        "enableAutoScaling": True,
        "vmSize": "Standard_D4ds_v5",
        "osDiskSizeGB": 128,
        "osType": "Linux",
        "osSKU": "AzureLinux",
        "mode": mode,
        "orchestratorVersion": "1.30",
        "currentOrchestratorVersion": "1.30.6",
        "nodeImageVersion": "AKSAzureLinux-V2gen2-202411.12.0",
        "provisioningState": "Succeeded",
        "powerState": {"code": "Running"},
        "enableNodePublicIP": False,
    }


def _cluster_network(site: Site, node_group: str) -> JsonObject:
    outbound = site.resource_id(node_group, "Microsoft.Network/publicIPAddresses", site.guid())
    return {
        "networkPlugin": "azure",
        "networkPolicy": "cilium",
        "loadBalancerSku": "standard",
        "serviceCidr": "172.16.0.0/16",
        "dnsServiceIP": "172.16.0.10",
        "outboundType": "loadBalancer",
        "loadBalancerProfile": {
            "managedOutboundIPs": {"count": 1},
            "effectiveOutboundIPs": [{"id": outbound}],
        },
    }


def _container_environment(site: Site) -> JsonObject:
    return site.resource(
        site.app_group,
        "Microsoft.App/managedEnvironments",
        site.name("cae"),
        systemData=site.system_data(),
        properties={
            "provisioningState": "Succeeded",
            "defaultDomain": f"{site.workload}-{site.unique}.{site.location}.azurecontainerapps.io",
            "staticIp": site.address(),
            "appLogsConfiguration": {
                "destination": "log-analytics",
                "logAnalyticsConfiguration": {"customerId": site.guid()},
            },
            "zoneRedundant": False,
            "vnetConfiguration": {
                "internal": True,
                "infrastructureSubnetId": subnet_id(site, "app"),
            },
            "peerAuthentication": {"mtls": {"enabled": True}},
        },
    )


def _container_app(site: Site) -> JsonObject:
    name = site.name("ca", "-worker")
    environment = site.resource_id(
        site.app_group, "Microsoft.App/managedEnvironments", site.name("cae")
    )
    return site.resource(
        site.app_group,
        "Microsoft.App/containerApps",
        name,
        systemData=site.system_data(),
        identity={
            "type": "SystemAssigned",
            "principalId": site.guid(),
            "tenantId": site.directory_id,
        },
        properties={
            "provisioningState": "Succeeded",
            "runningStatus": "Running",
            "managedEnvironmentId": environment,
            "workloadProfileName": "Consumption",
            "outboundIpAddresses": [site.address() for _ in range(3)],
            "latestRevisionName": f"{name}--{site.unique}",
            "latestReadyRevisionName": f"{name}--{site.unique}",
            "configuration": _app_configuration(),
            "template": _app_template(site),
        },
    )


def _app_configuration() -> JsonObject:
    return {
        "activeRevisionsMode": "Single",
        "ingress": {
            "external": False,
            "targetPort": 8080,
            "transport": "Auto",
            "allowInsecure": False,
            "traffic": [{"latestRevision": True, "weight": 100}],
        },
        "secrets": [{"name": "queue-connection"}],
    }


def _app_template(site: Site) -> JsonObject:
    return {
        "containers": [
            {
                "name": "worker",
                "image": f"{site.compact('cr')}.azurecr.io/worker:2024.11.3",
                "command": ["python", "-m", "worker"],
                "resources": {"cpu": 0.5, "memory": "1Gi"},
                "env": [
                    {"name": "LOG_LEVEL", "value": "info"},
                    {"name": "QUEUE", "secretRef": "queue-connection"},
                ],
            }
        ],
        "scale": {"minReplicas": 1, "maxReplicas": 5},
    }
