"""Queues, streams, events, workflows."""

from __future__ import annotations

from collections.abc import Iterator

from dev.azure.document import JsonObject
from dev.azure.world.site import Site


def messaging_documents(site: Site) -> Iterator[JsonObject]:
    yield _namespace(
        site, "Microsoft.ServiceBus/namespaces", "sb", {"premiumMessagingPartitions": 1}
    )
    yield _queue(site)
    yield _namespace(
        site,
        "Microsoft.EventHub/namespaces",
        "evhns",
        {"isAutoInflateEnabled": True, "maximumThroughputUnits": 10, "kafkaEnabled": True},
    )
    yield _topic(site)
    yield _workflow(site)
    yield _search(site)


def _namespace(site: Site, resource_type: str, prefix: str, extra: JsonObject) -> JsonObject:
    name = site.name(prefix, f"-{site.unique}")
    return site.resource(
        site.data_group,
        resource_type,
        name,
        sku={"name": "Premium", "tier": "Premium", "capacity": 1},
        properties={
            **extra,
            "minimumTlsVersion": "1.2",
            "publicNetworkAccess": "Disabled",
            "disableLocalAuth": True,
            "zoneRedundant": True,
            "provisioningState": "Succeeded",
            "status": "Active",
            "metricId": f"{site.subscription_id}:{name}",
            "createdAt": site.instant(),
            "updatedAt": site.instant(),
            "serviceBusEndpoint": f"https://{name}.servicebus.windows.net:443/",
        },
    )


def _queue(site: Site) -> JsonObject:
    return site.child(
        site.data_group,
        "Microsoft.ServiceBus/namespaces/queues",
        site.name("sb", f"-{site.unique}"),
        "incoming",
        properties={
            "maxMessageSizeInKilobytes": 1024,
            "lockDuration": "PT1M",
            "maxSizeInMegabytes": 5120,
            "requiresDuplicateDetection": False,
            "requiresSession": False,
            "defaultMessageTimeToLive": "P14D",
            "deadLetteringOnMessageExpiration": True,
            "maxDeliveryCount": 10,
            "status": "Active",
            "messageCount": site.number(0, 900),
            "sizeInBytes": site.number(0, 90000),
            "createdAt": site.instant(),
            "updatedAt": site.instant(),
            "accessedAt": site.instant(),
            "countDetails": {
                "activeMessageCount": site.number(0, 900),
                "deadLetterMessageCount": 0,
            },
        },
    )


def _topic(site: Site) -> JsonObject:
    return site.resource(
        site.data_group,
        "Microsoft.EventGrid/topics",
        site.name("evgt"),
        sku={"name": "Basic"},
        systemData=site.system_data(),
        properties={
            "provisioningState": "Succeeded",
            "endpoint": f"https://{site.name('evgt')}.{site.location}-1.eventgrid.azure.net/api/events",
            "inputSchema": "CloudEventSchemaV1_0",
            "metricResourceId": site.guid(),
            "publicNetworkAccess": "Disabled",
            "inboundIpRules": [],
            "disableLocalAuth": True,
        },
    )


def _workflow(site: Site) -> JsonObject:
    return site.resource(
        site.app_group,
        "Microsoft.Logic/workflows",
        site.name("logic"),
        properties={
            "provisioningState": "Succeeded",
            "createdTime": site.instant(),
            "changedTime": site.instant(),
            "state": "Enabled",
            "version": site.guid(),
            "accessEndpoint": f"https://prod-{site.number(1, 99)}.{site.location}.logic.azure.com:443/workflows/x",
            "definition": {
                "contentVersion": "1.0.0.0",
                "parameters": {},
                "triggers": {
                    "Recurrence": {
                        "type": "Recurrence",
                        "recurrence": {"frequency": "Day", "interval": 1},
                    }
                },
                "actions": {},
                "outputs": {},
            },
        },
    )


def _search(site: Site) -> JsonObject:
    return site.resource(
        site.data_group,
        "Microsoft.Search/searchServices",
        site.name("srch", f"-{site.unique}"),
        sku={"name": "standard"},
        properties={
            "replicaCount": 2,
            "partitionCount": 1,
            "status": "running",
            "statusDetails": "",
            "provisioningState": "succeeded",
            "hostingMode": "default",
            "publicNetworkAccess": "disabled",
            "networkRuleSet": {"ipRules": [], "bypass": "None"},
            "disableLocalAuth": True,
            "semanticSearch": "disabled",
        },
    )
