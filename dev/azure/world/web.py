"""Web applications, their plans, and what watches them."""

from __future__ import annotations

from collections.abc import Iterator

from dev.azure.document import Json, JsonObject
from dev.azure.world.compute import identity_id
from dev.azure.world.network import subnet_id
from dev.azure.world.operations import workspace_id
from dev.azure.world.site import Site


def web_documents(site: Site) -> Iterator[JsonObject]:
    yield _plan(site)
    for kind in ("web", "api"):
        yield _site(site, kind)
    yield _insights(site)
    yield _static_site(site)


def _plan_id(site: Site) -> str:
    return site.resource_id(site.app_group, "Microsoft.Web/serverfarms", site.name("asp"))


def _plan(site: Site) -> JsonObject:
    return site.resource(
        site.app_group,
        "Microsoft.Web/serverfarms",
        site.name("asp"),
        kind="linux",
        sku={
            "name": "P1v3",
            "tier": "PremiumV3",
            "size": "P1v3",
            "family": "Pv3",
            "capacity": 2,
        },
        properties={
            "serverFarmId": site.number(1000, 99999),
            "name": site.name("asp"),
            "workerSize": "D1",
            "numberOfWorkers": 2,
            "currentWorkerSize": "D1",
            "currentNumberOfWorkers": 2,
            "status": "Ready",
            "subscription": site.subscription_id,
            "maximumNumberOfWorkers": 30,
            "geoRegion": site.location,
            "perSiteScaling": False,
            "elasticScaleEnabled": False,
            "numberOfSites": 2,
            "reserved": True,
            "zoneRedundant": False,
            "provisioningState": "Succeeded",
        },
    )


def _site(site: Site, kind: str) -> JsonObject:
    name = f"{site.name('app', f'-{kind}')}-{site.unique}"
    host = f"{name}.azurewebsites.net"
    outbound = [site.address() for _ in range(6)]
    bindings: list[Json] = [
        {"name": one, "sslState": "Disabled", "hostType": kind_of_host}
        for one, kind_of_host in (
            (host, "Standard"),
            (f"{name}.scm.azurewebsites.net", "Repository"),
        )
    ]
    return site.resource(
        site.app_group,
        "Microsoft.Web/sites",
        name,
        kind="app,linux",
        identity={
            "type": "UserAssigned",
            "userAssignedIdentities": {
                identity_id(site): {"principalId": site.guid(), "clientId": site.guid()}
            },
        },
        properties={
            "name": name,
            "state": "Running",
            "hostNames": [host],
            "webSpace": f"{site.app_group}-{site.location}webspace-Linux",
            "selfLink": f"https://waws-prod-{site.unique}.api.azurewebsites.windows.net/sites/{name}",
            "enabled": True,
            "adminEnabled": True,
            "usageState": "Normal",
            "availabilityState": "Normal",
            "hostNameSslStates": bindings,
            "serverFarmId": _plan_id(site),
            "reserved": True,
            "lastModifiedTimeUtc": site.instant()[:19],
            "dnsConfiguration": {},
            "vnetRouteAllEnabled": True,
            "siteConfig": _site_config(),
            "clientAffinityEnabled": False,
            "clientCertEnabled": False,
            "clientCertMode": "Required",
            "httpsOnly": True,
            "redundancyMode": "None",
            "publicNetworkAccess": "Enabled",
            "virtualNetworkSubnetId": subnet_id(site, "web"),
            "keyVaultReferenceIdentity": identity_id(site),
            "inboundIpAddress": outbound[0],
            "possibleInboundIpAddresses": outbound[0],
            "outboundIpAddresses": ",".join(outbound[:4]),
            "possibleOutboundIpAddresses": ",".join(outbound),
            "ftpUsername": f"{name}\\${name}",
            "customDomainVerificationId": site.guid().replace("-", "").upper(),
            "defaultHostName": host,
            "endToEndEncryptionEnabled": False,
        },
    )


def _site_config() -> JsonObject:
    return {
        "numberOfWorkers": 1,
        "linuxFxVersion": "PYTHON|3.12",
        "alwaysOn": True,
        "http20Enabled": True,
        "minTlsVersion": "1.2",
        "scmMinTlsVersion": "1.2",
        "ftpsState": "Disabled",
        "healthCheckPath": "/healthz",
    }


def _insights(site: Site) -> JsonObject:
    key = site.guid()
    return site.resource(
        site.app_group,
        "Microsoft.Insights/components",
        site.name("appi"),
        kind="web",
        etag=f'"{site.guid()}"',
        properties={
            "ApplicationId": site.name("appi"),
            "AppId": site.guid(),
            "Application_Type": "web",
            "Flow_Type": "Bluefield",
            "Request_Source": "rest",
            "InstrumentationKey": key,
            "ConnectionString": f"InstrumentationKey={key};IngestionEndpoint=https://{site.location}.in.example/",
            "Name": site.name("appi"),
            "CreationDate": site.instant(),
            "TenantId": site.subscription_id,
            "provisioningState": "Succeeded",
            "RetentionInDays": 90,
            "WorkspaceResourceId": workspace_id(site),
            "IngestionMode": "LogAnalytics",
            "publicNetworkAccessForIngestion": "Enabled",
            "publicNetworkAccessForQuery": "Enabled",
            "DisableLocalAuth": True,
            "Ver": "v2",
        },
    )


def _static_site(site: Site) -> JsonObject:
    return site.resource(
        site.app_group,
        "Microsoft.Web/staticSites",
        site.name("stapp"),
        sku={"name": "Standard", "tier": "Standard"},
        properties={
            "defaultHostname": f"{site.workload}-{site.unique}.azurestaticapps.net",
            "customDomains": [],
            "privateEndpointConnections": [],
            "stagingEnvironmentPolicy": "Disabled",
            "allowConfigFileUpdates": True,
            "contentDistributionEndpoint": "https://content-am2.infrastructure.azurestaticapps.net",
            "keyVaultReferenceIdentity": "SystemAssigned",
            "enterpriseGradeCdnStatus": "Disabled",
        },
    )
