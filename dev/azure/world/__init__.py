"""Believable worlds, made up from a seed: what an organisation of that name would run in one subscription."""

from __future__ import annotations

from collections.abc import Iterator

from dev.azure.document import JsonObject
from dev.azure.world.access import access_documents
from dev.azure.world.compute import compute_documents
from dev.azure.world.containers import container_documents
from dev.azure.world.databases import database_documents
from dev.azure.world.gateways import gateway_documents
from dev.azure.world.messaging import messaging_documents
from dev.azure.world.network import network_documents
from dev.azure.world.operations import operations_documents
from dev.azure.world.site import Site
from dev.azure.world.storage import storage_documents
from dev.azure.world.web import web_documents

RESOURCES_PER_WORKLOAD = 53
"""Tracked ones, as Resource Graph counts them: for who wants a world of a certain size."""


def build_world(
    name: str, subscription_id: str, seed: int = 0, scale: int = 1
) -> Iterator[JsonObject]:
    """Documents as Resource Manager's GET gives them; the same arguments give the same world.

    `scale` is the number of workloads, each with its own resource groups and everything in them. Documents come one
    by one, so that a world of 100,000 need not be held at once.
    """
    for number in range(scale):
        site = Site(name, subscription_id, seed, number)
        for area in (
            network_documents,
            gateway_documents,
            storage_documents,
            compute_documents,
            container_documents,
            web_documents,
            database_documents,
            messaging_documents,
            operations_documents,
            access_documents,
        ):
            yield from area(site)
