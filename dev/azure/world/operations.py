"""What watches and keeps: workspaces, alerts, vaults for backup, automation."""

from __future__ import annotations

from collections.abc import Iterator

from dev.azure.document import JsonObject
from dev.azure.world.site import Site


def operations_documents(site: Site) -> Iterator[JsonObject]:
    yield _workspace(site)
    yield _action_group(site)
    yield _alert(site, "cpu", "Percentage CPU", 90)
    yield _alert(site, "memory", "Available Memory Bytes", 500000000)
    yield _recovery_vault(site)
    yield _automation(site)
    yield _diagnostics(site)
    yield _autoscale(site)


def workspace_id(site: Site) -> str:
    return site.resource_id(
        site.app_group, "Microsoft.OperationalInsights/workspaces", site.name("log")
    )


def _workspace(site: Site) -> JsonObject:
    return site.resource(
        site.app_group,
        "Microsoft.OperationalInsights/workspaces",
        site.name("log"),
        etag=f'"{site.guid()}"',
        properties={
            "customerId": site.guid(),
            "provisioningState": "Succeeded",
            "sku": {"name": "PerGB2018", "lastSkuUpdate": site.instant()},
            "retentionInDays": 90,
            "features": {
                "legacy": 0,
                "searchVersion": 1,
                "enableLogAccessUsingOnlyResourcePermissions": True,
                "disableLocalAuth": True,
            },
            "workspaceCapping": {
                "dailyQuotaGb": 10.0,
                "quotaNextResetTime": site.instant(),
                "dataIngestionStatus": "RespectQuota",
            },
            "publicNetworkAccessForIngestion": "Enabled",
            "publicNetworkAccessForQuery": "Enabled",
            "createdDate": site.instant(),
            "modifiedDate": site.instant(),
        },
    )


def _action_group(site: Site) -> JsonObject:
    return site.resource(
        site.app_group,
        "Microsoft.Insights/actionGroups",
        site.name("ag"),
        location="Global",
        properties={
            "groupShortName": site.workload[:12],
            "enabled": True,
            "emailReceivers": [
                {
                    "name": "on-call",
                    "emailAddress": f"oncall@{site.organisation}.example",
                    "status": "Enabled",
                    "useCommonAlertSchema": True,
                }
            ],
            "smsReceivers": [],
            "webhookReceivers": [],
        },
    )


def _alert(site: Site, name: str, metric: str, threshold: int) -> JsonObject:
    machine = site.resource_id(
        site.app_group, "Microsoft.Compute/virtualMachines", site.name("vm", "-0")
    )
    group = site.resource_id(site.app_group, "Microsoft.Insights/actionGroups", site.name("ag"))
    return site.resource(
        site.app_group,
        "Microsoft.Insights/metricAlerts",
        site.name("alert", f"-{name}"),
        location="global",
        properties={
            "description": f"{metric} of {site.workload}",
            "severity": 2,
            "enabled": True,
            "scopes": [machine],
            "evaluationFrequency": "PT5M",
            "windowSize": "PT15M",
            "criteria": {
                "odata.type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
                "allOf": [
                    {
                        "name": "Metric1",
                        "metricName": metric,
                        "operator": "GreaterThan",
                        "threshold": threshold,
                        "timeAggregation": "Average",
                        "criterionType": "StaticThresholdCriterion",
                        "dimensions": [],
                    }
                ],
            },
            "autoMitigate": True,
            "actions": [{"actionGroupId": group, "webHookProperties": {}}],
        },
    )


def _recovery_vault(site: Site) -> JsonObject:
    return site.resource(
        site.data_group,
        "Microsoft.RecoveryServices/vaults",
        site.name("rsv"),
        etag=f"W/\"datetime'{site.instant()}'\"",
        sku={"name": "RS0", "tier": "Standard"},
        identity={
            "type": "SystemAssigned",
            "principalId": site.guid(),
            "tenantId": site.directory_id,
        },
        properties={
            "provisioningState": "Succeeded",
            "privateEndpointStateForBackup": "None",
            "publicNetworkAccess": "Disabled",
            "redundancySettings": {
                "standardTierStorageRedundancy": "GeoRedundant",
                "crossRegionRestore": "Enabled",
            },
            "securitySettings": {
                "softDeleteSettings": {
                    "softDeleteState": "AlwaysON",
                    "softDeleteRetentionPeriodInDays": 14,
                },
                "immutabilitySettings": {"state": "Unlocked"},
            },
        },
    )


def _automation(site: Site) -> JsonObject:
    return site.resource(
        site.app_group,
        "Microsoft.Automation/automationAccounts",
        site.name("aa"),
        etag=None,
        identity={
            "type": "SystemAssigned",
            "principalId": site.guid(),
            "tenantId": site.directory_id,
        },
        properties={
            "sku": {"name": "Basic", "family": None, "capacity": None},
            "state": "Ok",
            "disableLocalAuth": True,
            "publicNetworkAccess": False,
            "encryption": {"keySource": "Microsoft.Automation"},
            "creationTime": site.instant(),
            "lastModifiedTime": site.instant(),
            "lastModifiedBy": None,
        },
    )


def _diagnostics(site: Site) -> JsonObject:
    vault = site.resource_id(site.data_group, "Microsoft.KeyVault/vaults", site.compact("kv"))
    return {
        "id": f"{vault}/providers/microsoft.insights/diagnosticSettings/to-workspace",
        "name": "to-workspace",
        "type": "Microsoft.Insights/diagnosticSettings",
        "location": None,
        "kind": None,
        "tags": None,
        "identity": None,
        "properties": {
            "storageAccountId": None,
            "workspaceId": workspace_id(site),
            "eventHubName": None,
            "logs": [
                {
                    "category": None,
                    "categoryGroup": "audit",
                    "enabled": True,
                    "retentionPolicy": {"enabled": False, "days": 0},
                }
            ],
            "metrics": [
                {
                    "category": "AllMetrics",
                    "enabled": False,
                    "retentionPolicy": {"enabled": False, "days": 0},
                }
            ],
            "logAnalyticsDestinationType": None,
        },
    }


def _autoscale(site: Site) -> JsonObject:
    target = site.resource_id(
        site.app_group, "Microsoft.Compute/virtualMachineScaleSets", site.name("vmss")
    )
    return site.resource(
        site.app_group,
        "Microsoft.Insights/autoscaleSettings",
        site.name("as"),
        properties={
            "name": site.name("as"),
            "enabled": True,
            "targetResourceUri": target,
            "profiles": [
                {
                    "name": "default",
                    "capacity": {"minimum": "2", "maximum": "6", "default": "2"},
                    "rules": [],
                }
            ],
            "notifications": [],
        },
    )
