"""Writing to the simulated world as Azure does: bookkeeping moves along, and the change history remembers."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from dev.azure.arm_ids import fold
from dev.azure.changes import Actor
from dev.azure.cloud import Cloud
from dev.azure.document import JsonObject, encode
from dev.azure.inventory import Resource


@dataclass(frozen=True, slots=True)
class Writing:
    """Who writes, by which operation. `silent`: Azure itself refreshed a volatile value; nobody is told."""

    actor: Actor
    operation: str = ""
    correlation_id: str = ""
    silent: bool = False


class Editor:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def write(self, document: JsonObject, writing: Writing) -> Resource:
        """Creates or replaces the resource of that id."""
        known = self._cloud.inventory.get(str(document.get("id", "")))
        if not writing.silent:
            self._refresh_bookkeeping(document, writing.actor, is_new=known is None)
        resource = self._cloud.inventory.add(encode(document))
        if not writing.silent:
            self._record(known, resource, writing, "write")
        return resource

    def delete(self, resource: Resource, writing: Writing) -> None:
        """With everything below it: children, locks, role assignments; a resource group takes all with it."""
        for doomed in [*self._cloud.inventory.below(resource), resource]:
            self._cloud.inventory.remove(doomed)
            if not writing.silent:
                self._record(doomed, None, writing, "delete")

    def _record(
        self, before: Resource | None, after: Resource | None, writing: Writing, verb: str
    ) -> None:
        resource = after or before
        assert resource is not None
        subscription = self._cloud.register.subscription(resource.subscription_id)
        kind = graph_type(resource)
        self._cloud.changes.record(
            before=before.document() if before is not None else None,
            after=after.document() if after is not None else None,
            subscription_id=resource.subscription_id,
            resource_group=resource.resource_group,
            resource_type=kind,
            directory_id=subscription.directory_id if subscription else "",
            actor=writing.actor,
            operation=writing.operation or f"{kind}/{verb}",
            correlation_id=writing.correlation_id,
        )

    def _refresh_bookkeeping(self, document: JsonObject, actor: Actor, *, is_new: bool) -> None:
        """A resource that shows an etag or systemData shows a new one after every write."""
        if "etag" in document:
            document["etag"] = f'W/"{uuid.uuid4()}"'
        system = document.get("systemData")
        if isinstance(system, dict) and not is_new:
            now = datetime.fromtimestamp(self._cloud.clock(), UTC)
            system["lastModifiedAt"] = f"{now:%Y-%m-%dT%H:%M:%S.%f}0Z"
            system["lastModifiedBy"] = actor.changed_by
            system["lastModifiedByType"] = actor.changed_by_type


def is_resource_group(resource: Resource) -> bool:
    parts = resource.key.split("/")
    return len(parts) == 5 and parts[3] == "resourcegroups"


def graph_type(resource: Resource) -> str:
    """Lower-case, and the graph's own word for resource groups."""
    if is_resource_group(resource):
        return "microsoft.resources/subscriptions/resourcegroups"
    return resource.type.strip().lower() or fold(resource.id_type)
