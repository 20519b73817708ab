"""Networks: resource groups first, then what everything else hangs on."""

from __future__ import annotations

from collections.abc import Iterator

from dev.azure.document import Json, JsonObject
from dev.azure.world.site import Site

_RULES = (
    # name, priority, direction, access, protocol, source, port
    ("allow-https", 100, "Inbound", "Allow", "Tcp", "Internet", "443"),
    ("allow-lb-probe", 110, "Inbound", "Allow", "*", "AzureLoadBalancer", "*"),
    ("allow-ssh-bastion", 120, "Inbound", "Allow", "Tcp", "10.0.250.0/27", "22"),
    ("deny-all-inbound", 4096, "Inbound", "Deny", "*", "*", "*"),
)
_DEFAULT_RULES = (
    ("AllowVnetInBound", 65000, "Inbound", "Allow", "*", "VirtualNetwork", "*"),
    ("DenyAllInBound", 65500, "Inbound", "Deny", "*", "*", "*"),
    ("AllowInternetOutBound", 65001, "Outbound", "Allow", "*", "*", "*"),
)
_SUBNETS = ("web", "app", "data", "endpoints")


def network_documents(site: Site) -> Iterator[JsonObject]:
    for group in (site.network_group, site.app_group, site.data_group):
        yield _resource_group(site, group)
    for name in ("web", "app", "data"):
        yield _security_group(site, name)
    yield _route_table(site)
    yield _virtual_network(site)
    yield _private_zone(site)


def subnet_id(site: Site, name: str) -> str:
    network = site.resource_id(
        site.network_group, "Microsoft.Network/virtualNetworks", site.name("vnet")
    )
    return f"{network}/subnets/{name}"


def _resource_group(site: Site, name: str) -> JsonObject:
    return {
        "id": f"/subscriptions/{site.subscription_id}/resourceGroups/{name}",
        "name": name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": site.location,
        "tags": site.tags(),
        "properties": {"provisioningState": "Succeeded"},
    }


def network_id(site: Site, kind: str, name: str) -> str:
    return site.resource_id(site.network_group, f"Microsoft.Network/{kind}", name)


def _security_group(site: Site, subnet: str) -> JsonObject:
    name = site.name("nsg", f"-{subnet}")
    owner = network_id(site, "networkSecurityGroups", name)
    rules: list[Json] = [_rule(site, owner, "securityRules", rule) for rule in _RULES]
    defaults: list[Json] = [
        _rule(site, owner, "defaultSecurityRules", rule) for rule in _DEFAULT_RULES
    ]
    return site.resource(
        site.network_group,
        "Microsoft.Network/networkSecurityGroups",
        name,
        etag=site.etag(),
        properties={
            "provisioningState": "Succeeded",
            "resourceGuid": site.guid(),
            "securityRules": rules,
            "defaultSecurityRules": defaults,
            "subnets": [{"id": subnet_id(site, subnet)}],
        },
    )


def _rule(
    site: Site, owner: str, kind: str, rule: tuple[str, int, str, str, str, str, str]
) -> JsonObject:
    name, priority, direction, access, protocol, source, port = rule
    return site.part(
        owner,
        kind,
        name,
        {
            "description": f"{access} {source} to port {port}",
            "protocol": protocol,
            "sourcePortRange": "*",
            "destinationPortRange": port,
            "sourceAddressPrefix": source,
            "destinationAddressPrefix": "*",
            "access": access,
            "priority": priority,
            "direction": direction,
            "sourcePortRanges": [],
            "destinationPortRanges": [],
            "sourceAddressPrefixes": [],
            "destinationAddressPrefixes": [],
        },
    )


def _route_table(site: Site) -> JsonObject:
    name = site.name("rt")
    owner = network_id(site, "routeTables", name)
    route = site.part(
        owner,
        "routes",
        "to-firewall",
        {
            "addressPrefix": "0.0.0.0/0",
            "nextHopType": "VirtualAppliance",
            "nextHopIpAddress": "10.0.255.4",
            "hasBgpOverride": False,
        },
    )
    return site.resource(
        site.network_group,
        "Microsoft.Network/routeTables",
        name,
        etag=site.etag(),
        properties={
            "provisioningState": "Succeeded",
            "resourceGuid": site.guid(),
            "disableBgpRoutePropagation": True,
            "routes": [route],
            "subnets": [{"id": subnet_id(site, "app")}],
        },
    )


def _virtual_network(site: Site) -> JsonObject:
    name = site.name("vnet")
    owner = network_id(site, "virtualNetworks", name)
    subnets: list[Json] = [
        _subnet(site, owner, position, subnet) for position, subnet in enumerate(_SUBNETS)
    ]
    return site.resource(
        site.network_group,
        "Microsoft.Network/virtualNetworks",
        name,
        etag=site.etag(),
        properties={
            "provisioningState": "Succeeded",
            "resourceGuid": site.guid(),
            "addressSpace": {"addressPrefixes": [f"10.{site.octet}.0.0/16"]},
            "dhcpOptions": {"dnsServers": ["10.0.255.10", "10.0.255.11"]},
            "subnets": subnets,
            "virtualNetworkPeerings": [],
            "enableDdosProtection": site.environment == "prod",
        },
    )


def _subnet(site: Site, owner: str, position: int, name: str) -> JsonObject:
    properties: JsonObject = {
        "addressPrefix": f"10.{site.octet}.{position}.0/24",
        "serviceEndpoints": [
            {
                "provisioningState": "Succeeded",
                "service": "Microsoft.Storage",
                "locations": [site.location],
            }
        ],
        "delegations": [],
        "privateEndpointNetworkPolicies": "Disabled",
        "privateLinkServiceNetworkPolicies": "Enabled",
    }
    if name != "endpoints":
        group = network_id(site, "networkSecurityGroups", site.name("nsg", f"-{name}"))
        properties["networkSecurityGroup"] = {"id": group}
    if name == "app":
        properties["routeTable"] = {"id": network_id(site, "routeTables", site.name("rt"))}
        machine = _app_nic(site)
        properties["ipConfigurations"] = [{"id": f"{machine}/ipConfigurations/ipconfig1"}]
    return site.part(owner, "subnets", name, properties)


def _app_nic(site: Site) -> str:
    return site.resource_id(
        site.app_group, "Microsoft.Network/networkInterfaces", site.name("nic", "-0")
    )


def _private_zone(site: Site) -> JsonObject:
    return site.resource(
        site.network_group,
        "Microsoft.Network/privateDnsZones",
        f"privatelink.{site.workload}.database.windows.net",
        location="global",
        etag=site.guid(),
        properties={
            "internalId": site.guid(),
            "maxNumberOfRecordSets": 25000,
            "maxNumberOfVirtualNetworkLinks": 1000,
            "numberOfRecordSets": 2,
            "numberOfVirtualNetworkLinks": 1,
            "provisioningState": "Succeeded",
        },
    )
