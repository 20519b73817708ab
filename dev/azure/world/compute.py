"""Machines, their disks and their identity."""

from __future__ import annotations

from collections.abc import Iterator

from dev.azure.document import JsonObject
from dev.azure.world.network import subnet_id
from dev.azure.world.site import Site

_MACHINES = 2


def compute_documents(site: Site) -> Iterator[JsonObject]:
    yield _identity(site)
    yield _availability_set(site)
    for index in range(_MACHINES):
        yield _nic(site, index)
        yield _disk(site, index)
        yield _machine(site, index)
        yield _extension(site, index)
    yield _scale_set(site)


def identity_id(site: Site) -> str:
    return site.resource_id(
        site.app_group, "Microsoft.ManagedIdentity/userAssignedIdentities", site.name("id")
    )


def _identity(site: Site) -> JsonObject:
    return site.resource(
        site.app_group,
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        site.name("id"),
        properties={
            "tenantId": site.directory_id,
            "principalId": site.guid(),
            "clientId": site.guid(),
        },
    )


def _availability_set(site: Site) -> JsonObject:
    machines: list[JsonObject] = [
        {"id": _machine_id(site, index).upper()} for index in range(_MACHINES)
    ]
    return site.resource(
        site.app_group,
        "Microsoft.Compute/availabilitySets",
        site.name("avail"),
        sku={"name": "Aligned"},
        properties={
            "platformUpdateDomainCount": 5,
            "platformFaultDomainCount": 2,
            "virtualMachines": [*machines],
        },
    )


def _machine_id(site: Site, index: int) -> str:
    return site.resource_id(
        site.app_group, "Microsoft.Compute/virtualMachines", site.name("vm", f"-{index}")
    )


def _nic(site: Site, index: int) -> JsonObject:
    name = site.name("nic", f"-{index}")
    owner = site.resource_id(site.app_group, "Microsoft.Network/networkInterfaces", name)
    configuration = site.part(
        owner,
        "ipConfigurations",
        "ipconfig1",
        {
            "privateIPAddress": f"10.{site.octet}.1.{index + 4}",
            "privateIPAllocationMethod": "Dynamic",
            "subnet": {"id": subnet_id(site, "app")},
            "primary": True,
            "privateIPAddressVersion": "IPv4",
        },
    )
    return site.resource(
        site.app_group,
        "Microsoft.Network/networkInterfaces",
        name,
        etag=site.etag(),
        properties={
            "provisioningState": "Succeeded",
            "resourceGuid": site.guid(),
            "ipConfigurations": [configuration],
            "dnsSettings": {
                "dnsServers": [],
                "appliedDnsServers": [],
                "internalDomainNameSuffix": f"{site.unique}.ax.internal.cloudapp.net",
            },
            "macAddress": f"00-0D-3A-{site.number(10, 99)}-{site.number(10, 99)}-{site.number(10, 99)}",
            "enableAcceleratedNetworking": True,
            "enableIPForwarding": False,
            "disableTcpStateTracking": False,
            "primary": True,
            "virtualMachine": {"id": _machine_id(site, index)},
            "nicType": "Standard",
            "allowPort25Out": False,
        },
    )


def _disk(site: Site, index: int) -> JsonObject:
    return site.resource(
        site.app_group,
        "Microsoft.Compute/disks",
        site.name("osdisk", f"-{index}"),
        managedBy=_machine_id(site, index),
        sku={"name": "Premium_LRS", "tier": "Premium"},
        properties={
            "osType": "Linux",
            "hyperVGeneration": "V2",
            "creationData": {"createOption": "FromImage"},
            "diskSizeGB": 64,
            "diskIOPSReadWrite": 240,
            "diskMBpsReadWrite": 50,
            "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
            "networkAccessPolicy": "DenyAll",
            "publicNetworkAccess": "Disabled",
            "timeCreated": site.instant(),
            "provisioningState": "Succeeded",
            "diskState": "Attached",
            "diskSizeBytes": 68719476736,
            "uniqueId": site.guid(),
            "tier": "P6",
        },
    )


def _machine_storage(site: Site, index: int) -> JsonObject:
    disk = site.name("osdisk", f"-{index}")
    disk_id = site.resource_id(site.app_group, "Microsoft.Compute/disks", disk)
    return {
        "imageReference": {
            "publisher": "Canonical",
            "offer": "ubuntu-24_04-lts",
            "sku": "server",
            "version": "latest",
            "exactVersion": "24.04.202409120",
        },
        "osDisk": {
            "osType": "Linux",
            "name": disk,
            "createOption": "FromImage",
            "caching": "ReadWrite",
            "managedDisk": {"storageAccountType": "Premium_LRS", "id": disk_id},
            "deleteOption": "Delete",
            "diskSizeGB": 64,
        },
        "dataDisks": [],
    }


def _machine_system(name: str) -> JsonObject:
    return {
        "computerName": name,
        "adminUsername": "azureadmin",
        "linuxConfiguration": {
            "disablePasswordAuthentication": True,
            "provisionVMAgent": True,
            "patchSettings": {
                "patchMode": "AutomaticByPlatform",
                "assessmentMode": "AutomaticByPlatform",
            },
        },
        "secrets": [],
        "allowExtensionOperations": True,
    }


def _machine(site: Site, index: int) -> JsonObject:
    name = site.name("vm", f"-{index}")
    nic = site.resource_id(
        site.app_group, "Microsoft.Network/networkInterfaces", site.name("nic", f"-{index}")
    )
    return site.resource(
        site.app_group,
        "Microsoft.Compute/virtualMachines",
        name,
        zones=["1"],
        identity={
            "type": "UserAssigned",
            "userAssignedIdentities": {
                identity_id(site): {"principalId": site.guid(), "clientId": site.guid()}
            },
        },
        properties={
            "vmId": site.guid(),
            "hardwareProfile": {"vmSize": "Standard_D4s_v5"},
            "provisioningState": "Succeeded",
            "timeCreated": site.instant(),
            "storageProfile": _machine_storage(site, index),
            "osProfile": _machine_system(name),
            "networkProfile": {"networkInterfaces": [{"id": nic}]},
            "securityProfile": {
                "securityType": "TrustedLaunch",
                "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True},
                "encryptionAtHost": True,
            },
            "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
        },
    )


def _extension(site: Site, index: int) -> JsonObject:
    return site.resource(
        site.app_group,
        "Microsoft.Compute/virtualMachines/extensions",
        site.name("vm", f"-{index}"),
        "AzureMonitorLinuxAgent",
        properties={
            "publisher": "Microsoft.Azure.Monitor",
            "type": "AzureMonitorLinuxAgent",
            "typeHandlerVersion": "1.33",
            "autoUpgradeMinorVersion": True,
            "enableAutomaticUpgrade": True,
            "provisioningState": "Succeeded",
            "settings": {},
        },
    )


def _scale_set(site: Site) -> JsonObject:
    return site.resource(
        site.app_group,
        "Microsoft.Compute/virtualMachineScaleSets",
        site.name("vmss"),
        sku={"name": "Standard_D2s_v5", "tier": "Standard", "capacity": 3},
        etag=f'"{site.number(1, 99)}"',
        properties={
            "singlePlacementGroup": False,
            "orchestrationMode": "Flexible",
            "platformFaultDomainCount": 1,
            "upgradePolicy": {"mode": "Automatic"},
            "automaticRepairsPolicy": {"enabled": True, "gracePeriod": "PT30M"},
            "virtualMachineProfile": {
                "osProfile": {
                    "computerNamePrefix": site.workload[:9],
                    "adminUsername": "azureadmin",
                    "linuxConfiguration": {"disablePasswordAuthentication": True},
                },
                "storageProfile": {
                    "osDisk": {
                        "createOption": "FromImage",
                        "caching": "ReadOnly",
                        "managedDisk": {"storageAccountType": "Premium_LRS"},
                    }
                },
                "timeCreated": site.instant(),
            },
            "provisioningState": "Succeeded",
            "uniqueId": site.guid(),
            "timeCreated": site.instant(),
        },
    )
