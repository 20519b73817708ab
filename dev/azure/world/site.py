"""One workload of an organisation: its names, and the things every Azure document has."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta

from dev.azure.document import Json, JsonObject

_WORKLOADS = ("shop", "orders", "ledger", "portal", "search", "claims", "fleet", "reports")
_REGIONS = ("westeurope", "northeurope", "swedencentral", "eastus", "uksouth")
_EPOCH = datetime(2024, 2, 1, 8, 0, tzinfo=UTC)


class Site:
    """Everything random comes from the name, the seed and the workload's number."""

    def __init__(self, name: str, subscription_id: str, seed: int, number: int) -> None:
        self._random = random.Random(f"{name}:{seed}:{number}")  # noqa: S311 - a made-up world, no secrets
        self.subscription_id = subscription_id
        self.organisation = name
        workload = _WORKLOADS[number % len(_WORKLOADS)]
        self.workload = workload if number < len(_WORKLOADS) else f"{workload}{number:04d}"
        self.location = _REGIONS[number % len(_REGIONS)]
        self.environment = ("prod", "test", "dev")[number % 3]
        self.octet = number % 250
        self.directory_id = self.guid()
        self.unique = f"{self._random.getrandbits(24):06x}"

    # -- names

    @property
    def network_group(self) -> str:
        return f"rg-{self.workload}-network-{self.environment}"

    @property
    def app_group(self) -> str:
        return f"rg-{self.workload}-app-{self.environment}"

    @property
    def data_group(self) -> str:
        return f"rg-{self.workload}-data-{self.environment}"

    def name(self, kind: str, suffix: str = "") -> str:
        return f"{kind}-{self.workload}-{self.environment}{suffix}"

    def compact(self, kind: str) -> str:
        """For names that allow neither dashes nor repetition anywhere in Azure."""
        return f"{kind}{self.workload}{self.unique}"[:24]

    def resource_id(self, group: str, resource_type: str, *names: str) -> str:
        namespace, *types = resource_type.split("/")
        tail = "/".join(f"{one}/{name}" for one, name in zip(types, names, strict=True))
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{group}"
            f"/providers/{namespace}/{tail}"
        )

    # -- values

    def guid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def number(self, least: int, most: int) -> int:
        return self._random.randint(least, most)

    def address(self) -> str:
        return f"20.{self.number(30, 250)}.{self.number(0, 255)}.{self.number(1, 254)}"

    def etag(self) -> str:
        return f'W/"{self.guid()}"'

    def instant(self) -> str:
        moment = _EPOCH + timedelta(seconds=self._random.randint(0, 60_000_000))
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{self._random.randint(0, 9_999_999):07d}Z"

    def system_data(self) -> JsonObject:
        return {
            "createdBy": f"platform@{self.organisation}.example",
            "createdByType": "User",
            "createdAt": self.instant(),
            "lastModifiedBy": self.guid(),
            "lastModifiedByType": "Application",
            "lastModifiedAt": self.instant(),
        }

    def tags(self, **extra: str) -> JsonObject:
        return {
            "environment": self.environment,
            "workload": self.workload,
            "costCenter": f"CC-{1000 + self.octet}",
            "owner": f"team-{self.workload}@{self.organisation}.example",
            **extra,
        }

    # -- documents

    def resource(
        self, group: str, resource_type: str, *names: str, properties: JsonObject, **members: Json
    ) -> JsonObject:
        """A tracked resource: with location and tags unless they are given, or given as None."""
        document: JsonObject = {
            "id": self.resource_id(group, resource_type, *names),
            "name": names[-1],
            "type": resource_type,
            "location": self.location,
            "tags": self.tags(),
        }
        document.update(members)
        kept = {name: value for name, value in document.items() if value is not None}
        return {**kept, "properties": properties}

    def child(
        self, group: str, resource_type: str, *names: str, properties: JsonObject
    ) -> JsonObject:
        """A proxy child: no location, no tags."""
        return self.resource(
            group, resource_type, *names, properties=properties, location=None, tags=None
        )

    def part(self, owner_id: str, kind: str, name: str, properties: JsonObject) -> JsonObject:
        """A part of a network resource: its own id, etag and type inside the owner's properties."""
        namespace_type = owner_id.split("/providers/")[1].split("/")
        return {
            "name": name,
            "id": f"{owner_id}/{kind}/{name}",
            "etag": self.etag(),
            "type": f"{namespace_type[0]}/{namespace_type[1]}/{kind}",
            "properties": {"provisioningState": "Succeeded", **properties},
        }
