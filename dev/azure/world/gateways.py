"""What stands between the network and the world: addresses, load balancers, gateways."""

from __future__ import annotations

from collections.abc import Iterator

from dev.azure.document import JsonObject
from dev.azure.world.network import network_id, subnet_id
from dev.azure.world.site import Site


def gateway_documents(site: Site) -> Iterator[JsonObject]:
    yield _public_address(site, "agw")
    yield _public_address(site, "lb")
    yield _load_balancer(site)
    yield _application_gateway(site)
    yield _nat_gateway(site)


def _public_address(site: Site, purpose: str) -> JsonObject:
    return site.resource(
        site.network_group,
        "Microsoft.Network/publicIPAddresses",
        site.name("pip", f"-{purpose}"),
        etag=site.etag(),
        sku={"name": "Standard", "tier": "Regional"},
        zones=["1", "2", "3"],
        properties={
            "provisioningState": "Succeeded",
            "resourceGuid": site.guid(),
            "ipAddress": site.address(),
            "publicIPAddressVersion": "IPv4",
            "publicIPAllocationMethod": "Static",
            "idleTimeoutInMinutes": 4,
            "dnsSettings": {"domainNameLabel": f"{site.workload}-{purpose}-{site.unique}"},
            "ddosSettings": {"protectionMode": "VirtualNetworkInherited"},
            "ipTags": [],
        },
    )


def _load_balancer(site: Site) -> JsonObject:
    name = site.name("lb")
    owner = network_id(site, "loadBalancers", name)
    address = network_id(site, "publicIPAddresses", site.name("pip", "-lb"))
    return site.resource(
        site.network_group,
        "Microsoft.Network/loadBalancers",
        name,
        etag=site.etag(),
        sku={"name": "Standard", "tier": "Regional"},
        properties={
            "provisioningState": "Succeeded",
            "resourceGuid": site.guid(),
            "frontendIPConfigurations": [
                site.part(
                    owner,
                    "frontendIPConfigurations",
                    "public",
                    {"privateIPAllocationMethod": "Dynamic", "publicIPAddress": {"id": address}},
                )
            ],
            "backendAddressPools": [site.part(owner, "backendAddressPools", "web", {})],
            "loadBalancingRules": [_balancing_rule(site, owner)],
            "probes": [_probe(site, owner)],
            "inboundNatRules": [],
        },
    )


def _balancing_rule(site: Site, owner: str) -> JsonObject:
    return site.part(
        owner,
        "loadBalancingRules",
        "https",
        {
            "frontendIPConfiguration": {"id": f"{owner}/frontendIPConfigurations/public"},
            "backendAddressPool": {"id": f"{owner}/backendAddressPools/web"},
            "probe": {"id": f"{owner}/probes/health"},
            "protocol": "Tcp",
            "frontendPort": 443,
            "backendPort": 8443,
            "idleTimeoutInMinutes": 4,
            "enableFloatingIP": False,
            "loadDistribution": "Default",
        },
    )


def _probe(site: Site, owner: str) -> JsonObject:
    return site.part(
        owner,
        "probes",
        "health",
        {
            "protocol": "Https",
            "port": 8443,
            "requestPath": "/healthz",
            "intervalInSeconds": 15,
            "numberOfProbes": 2,
        },
    )


def _application_gateway(site: Site) -> JsonObject:
    name = site.name("agw")
    owner = network_id(site, "applicationGateways", name)
    address = network_id(site, "publicIPAddresses", site.name("pip", "-agw"))
    return site.resource(
        site.network_group,
        "Microsoft.Network/applicationGateways",
        name,
        etag=site.etag(),
        zones=["1", "2", "3"],
        properties={
            "provisioningState": "Succeeded",
            "resourceGuid": site.guid(),
            "operationalState": "Running",
            "sku": {"name": "WAF_v2", "tier": "WAF_v2", "family": "Generation_1"},
            "autoscaleConfiguration": {"minCapacity": 2, "maxCapacity": 10},
            "sslPolicy": {"policyType": "Predefined", "policyName": "AppGwSslPolicy20220101"},
            "webApplicationFirewallConfiguration": {
                "enabled": True,
                "firewallMode": "Prevention",
                "ruleSetType": "OWASP",
                "ruleSetVersion": "3.2",
                "disabledRuleGroups": [],
                "requestBodyCheck": True,
                "maxRequestBodySizeInKb": 128,
            },
            "frontendIPConfigurations": [
                site.part(
                    owner,
                    "frontendIPConfigurations",
                    "public",
                    {"privateIPAllocationMethod": "Dynamic", "publicIPAddress": {"id": address}},
                )
            ],
            "frontendPorts": [site.part(owner, "frontendPorts", "port_443", {"port": 443})],
            "backendHttpSettingsCollection": [
                site.part(
                    owner,
                    "backendHttpSettingsCollection",
                    "app",
                    {
                        "port": 443,
                        "protocol": "Https",
                        "cookieBasedAffinity": "Disabled",
                        "requestTimeout": 30,
                    },
                )
            ],
            "enableHttp2": True,
        },
    )


def _nat_gateway(site: Site) -> JsonObject:
    return site.resource(
        site.network_group,
        "Microsoft.Network/natGateways",
        site.name("ng"),
        etag=site.etag(),
        sku={"name": "Standard"},
        properties={
            "provisioningState": "Succeeded",
            "resourceGuid": site.guid(),
            "idleTimeoutInMinutes": 10,
            "subnets": [{"id": subnet_id(site, "web")}],
        },
    )
