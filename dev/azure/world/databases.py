"""Databases and caches."""

from __future__ import annotations

from collections.abc import Iterator

from dev.azure.document import JsonObject
from dev.azure.world.site import Site


def database_documents(site: Site) -> Iterator[JsonObject]:
    yield _sql_server(site)
    for name in ("master", site.workload):
        yield _sql_database(site, name)
    for name, first, last in (
        ("AllowAllWindowsAzureIps", "0.0.0.0", "0.0.0.0"),  # noqa: S104 - Azure's own rule, no listener
        ("office", site.address(), ""),
    ):
        yield _firewall_rule(site, name, first, last or first)
    yield _postgres(site)
    yield _cosmos(site)
    yield _redis(site)


def _sql_server(site: Site) -> JsonObject:
    name = site.name("sql", f"-{site.unique}")
    return site.resource(
        site.data_group,
        "Microsoft.Sql/servers",
        name,
        kind="v12.0",
        properties={
            "administratorLogin": "sqladmin",
            "version": "12.0",
            "state": "Ready",
            "fullyQualifiedDomainName": f"{name}.database.windows.net",
            "privateEndpointConnections": [],
            "minimalTlsVersion": "1.2",
            "publicNetworkAccess": "Disabled",
            "restrictOutboundNetworkAccess": "Disabled",
            "administrators": {
                "administratorType": "ActiveDirectory",
                "principalType": "Group",
                "login": f"sql-admins-{site.workload}",
                "sid": site.guid(),
                "tenantId": site.directory_id,
                "azureADOnlyAuthentication": True,
            },
            "externalGovernanceStatus": "Disabled",
        },
    )


def _sql_database(site: Site, name: str) -> JsonObject:
    system = name == "master"
    size = (
        {"name": "System0", "tier": "System"}
        if system
        else {"name": "GP_Gen5", "tier": "GeneralPurpose"}
    )
    return site.resource(
        site.data_group,
        "Microsoft.Sql/servers/databases",
        site.name("sql", f"-{site.unique}"),
        name,
        kind="v12.0,system" if system else "v12.0,user,vcore",
        tags=None if system else site.tags(),
        sku={**size, "capacity": 0 if system else 4},
        properties={
            "collation": "SQL_Latin1_General_CP1_CI_AS",
            "maxSizeBytes": 34359738368,
            "status": "Online",
            "databaseId": site.guid(),
            "creationDate": site.instant(),
            "currentServiceObjectiveName": "System0" if system else "GP_Gen5_4",
            "requestedServiceObjectiveName": "System0" if system else "GP_Gen5_4",
            "defaultSecondaryLocation": "northeurope",
            "catalogCollation": "SQL_Latin1_General_CP1_CI_AS",
            "zoneRedundant": not system,
            "readScale": "Disabled",
            "earliestRestoreDate": site.instant(),
            "currentBackupStorageRedundancy": "Geo",
            "requestedBackupStorageRedundancy": "Geo",
            "isLedgerOn": False,
            "isInfraEncryptionEnabled": False,
        },
    )


def _firewall_rule(site: Site, name: str, first: str, last: str) -> JsonObject:
    return site.child(
        site.data_group,
        "Microsoft.Sql/servers/firewallRules",
        site.name("sql", f"-{site.unique}"),
        name,
        properties={"startIpAddress": first, "endIpAddress": last},
    )


def _postgres(site: Site) -> JsonObject:
    name = site.name("psql", f"-{site.unique}")
    return site.resource(
        site.data_group,
        "Microsoft.DBforPostgreSQL/flexibleServers",
        name,
        sku={"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"},
        systemData=site.system_data(),
        properties={
            "fullyQualifiedDomainName": f"{name}.postgres.database.azure.com",
            "version": "16",
            "minorVersion": "4",
            "administratorLogin": "pgadmin",
            "state": "Ready",
            "availabilityZone": "1",
            "storage": {
                "type": "",
                "iops": 500,
                "tier": "P10",
                "storageSizeGB": 128,
                "autoGrow": "Enabled",
            },
            "authConfig": {
                "activeDirectoryAuth": "Enabled",
                "passwordAuth": "Disabled",
                "tenantId": site.directory_id,
            },
            "backup": {
                "backupRetentionDays": 14,
                "geoRedundantBackup": "Enabled",
                "earliestRestoreDate": site.instant(),
            },
            "highAvailability": {"mode": "ZoneRedundant", "state": "Healthy"},
            "network": {"publicNetworkAccess": "Disabled"},
            "maintenanceWindow": {
                "customWindow": "Enabled",
                "dayOfWeek": 6,
                "startHour": 2,
                "startMinute": 0,
            },
            "replicationRole": "Primary",
        },
    )


def _cosmos(site: Site) -> JsonObject:
    name = site.name("cosmos", f"-{site.unique}")
    locations: list[JsonObject] = [
        {
            "id": f"{name}-{region}",
            "locationName": region,
            "documentEndpoint": f"https://{name}-{region}.documents.azure.com:443/",
            "provisioningState": "Succeeded",
            "failoverPriority": priority,
            "isZoneRedundant": priority == 0,
        }
        for priority, region in enumerate((site.location, "northcentralus"))
    ]
    return site.resource(
        site.data_group,
        "Microsoft.DocumentDB/databaseAccounts",
        name,
        kind="GlobalDocumentDB",
        systemData={"createdAt": site.instant()},
        properties={
            "provisioningState": "Succeeded",
            "documentEndpoint": f"https://{name}.documents.azure.com:443/",
            "publicNetworkAccess": "Disabled",
            "enableAutomaticFailover": True,
            "enableMultipleWriteLocations": False,
            "isVirtualNetworkFilterEnabled": True,
            "virtualNetworkRules": [],
            "ipRules": [{"ipAddressOrRange": site.address()}],
            "disableKeyBasedMetadataWriteAccess": True,
            "disableLocalAuth": True,
            "minimalTlsVersion": "Tls12",
            "instanceId": site.guid(),
            "databaseAccountOfferType": "Standard",
            "consistencyPolicy": {
                "defaultConsistencyLevel": "Session",
                "maxIntervalInSeconds": 5,
                "maxStalenessPrefix": 100,
            },
            "writeLocations": [*locations[:1]],
            "readLocations": [*locations],
            "locations": [*locations],
            "failoverPolicies": [
                {key: one[key] for key in ("id", "locationName", "failoverPriority")}
                for one in locations
            ],
            "capabilities": [],
            "backupPolicy": {
                "type": "Continuous",
                "continuousModeProperties": {"tier": "Continuous7Days"},
            },
            "keysMetadata": {"primaryMasterKey": {"generationTime": site.instant()}},
        },
    )


def _redis(site: Site) -> JsonObject:
    name = site.name("redis", f"-{site.unique}")
    return site.resource(
        site.data_group,
        "Microsoft.Cache/Redis",
        name,
        zones=["1", "2"],
        properties={
            "provisioningState": "Succeeded",
            "redisVersion": "6.0",
            "sku": {"name": "Premium", "family": "P", "capacity": 1},
            "enableNonSslPort": False,
            "minimumTlsVersion": "1.2",
            "publicNetworkAccess": "Disabled",
            "disableAccessKeyAuthentication": True,
            "redisConfiguration": {
                "maxclients": "7500",
                "maxmemory-reserved": "642",
                "maxmemory-policy": "volatile-lru",
                "aad-enabled": "true",
            },
            "accessKeys": None,
            "hostName": f"{name}.redis.cache.windows.net",
            "port": 6379,
            "sslPort": 6380,
            "linkedServers": [],
            "updateChannel": "Stable",
        },
    )
