"""Every resource of the simulated world, as Resource Manager sees it now and as Resource Graph sees it yet.

A document is kept as the bytes it came as: 100,000 of them must fit, and a Resource Graph page is put together from
slices of those bytes without parsing the properties.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from dev.azure.api_versions import WELL_KNOWN_TYPES
from dev.azure.arm_ids import ArmId, fold, parse_arm_id
from dev.azure.document import Json, JsonObject, decode, encode

RESOURCE_GROUP_TYPE = "Microsoft.Resources/resourceGroups"

# Records about resources rather than resources; of Microsoft.Resources only the own kinds (template specs) are tracked.
_UNTRACKED = (
    "microsoft.authorization/",
    "microsoft.policyinsights/",
    "microsoft.resources/changes",
    "microsoft.resources/deployments",
    "microsoft.resources/resourcegroups",
    "microsoft.resources/subscriptions",
    "microsoft.resources/tags",
)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class InvalidDocumentError(ValueError):
    """A document that is no ARM resource; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Resource:
    id: str
    key: str
    type: str  # as the document spells it
    id_type: str  # as the id has it, lower-case; the two differ in real documents
    subscription_id: str
    resource_group: str
    location: str
    is_tracked: bool  # what lists and Resource Graph's `resources` know
    raw: bytes
    created: float
    changed: float

    def members(self) -> Mapping[str, msgspec.Raw]:
        """Top-level members, each still encoded."""
        return _MEMBERS.decode(self.raw)

    def document(self) -> JsonObject:
        value = decode(self.raw)
        assert isinstance(value, dict)
        return value

    def member(self, name: str) -> Json:
        raw = self.members().get(name)
        return decode(bytes(raw)) if raw is not None else None


def read_resource(raw: bytes, now: float, created: float | None = None) -> Resource:
    """Members whose name starts with an underscore are notes of whoever wrote the file, not Azure's: dropped."""
    try:
        members = _MEMBERS.decode(raw)
    except msgspec.DecodeError as error:
        raise InvalidDocumentError(f"no JSON object: {error}") from error
    if any(name.startswith("_") for name in members):
        members = {name: value for name, value in members.items() if not name.startswith("_")}
        raw = encode(members)
    resource_id = _text(members, "id")
    arm_id = parse_arm_id(resource_id)
    if arm_id is None:
        raise InvalidDocumentError(f"id: {resource_id!r} is no id below a subscription")
    resource_type = _text(members, "type") or arm_id.resource_type or RESOURCE_GROUP_TYPE
    location = sys.intern(_text(members, "location"))
    return Resource(
        id=resource_id,
        key=fold(resource_id),
        type=resource_type,
        id_type=sys.intern(arm_id.resource_type.lower()),
        subscription_id=arm_id.subscription_id,
        resource_group=arm_id.resource_group,
        location=location,
        is_tracked=_is_tracked(arm_id, location),
        raw=raw,
        created=now if created is None else created,
        changed=now,
    )


def _is_tracked(arm_id: ArmId, location: str) -> bool:
    """Top-level resources, and children only when they have a location of their own.

    Subnets, firewall rules, diagnostic settings and other proxy children are read from their parent's collection;
    locks, assignments and other extension resources from their scope's.
    """
    kind = arm_id.resource_type.lower()
    if not kind or kind.startswith(_UNTRACKED) or arm_id.is_extension:
        return False
    return len(arm_id.types) == 1 or bool(location)


def _text(members: Mapping[str, msgspec.Raw], name: str) -> str:
    if name not in members:
        return ""
    value = decode(bytes(members[name]))
    return value if isinstance(value, str) else ""


class Inventory:
    """Two views of one world. The graph's view follows Resource Manager's after `graph_lag` seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._arm: dict[str, dict[str, Resource]] = {}
        self._graph: dict[str, dict[str, Resource]] = {}
        self._late: deque[tuple[float, str, str, Resource | None]] = deque()
        self._graph_version = 0
        self.graph_lag = 0.0
        self.types: dict[str, str] = {name.lower(): name for name in WELL_KNOWN_TYPES}
        """Every type that is known or ever was: lower-case to its spelling in the first id."""

    def add(self, raw: bytes, *, at_once: bool = False) -> Resource:
        """Adds or replaces. `at_once`: the graph sees it now, as if it had been there for long."""
        now = self._clock()
        resource = read_resource(raw, now)
        known = self.get(resource.id)
        if known is not None:
            resource = read_resource(raw, now, created=known.created)
        self._know_type(resource)
        self._ensure_group(resource, at_once=at_once)
        self._store(resource.subscription_id, resource.key, resource, at_once=at_once)
        return resource

    def _know_type(self, resource: Resource) -> None:
        if "/" in resource.id_type and resource.id_type not in self.types:
            arm_id = parse_arm_id(resource.id)
            assert arm_id is not None
            self.types[resource.id_type] = arm_id.resource_type

    def remove(self, resource: Resource) -> None:
        self._store(resource.subscription_id, resource.key, None, at_once=False)

    def get(self, resource_id: str) -> Resource | None:
        arm_id = parse_arm_id(resource_id)
        if arm_id is None:
            return None
        return self._arm.get(arm_id.subscription_id, {}).get(fold(resource_id))

    def of_subscription(self, subscription_id: str) -> Iterator[Resource]:
        return iter(self._arm.get(subscription_id.lower(), {}).values())

    def below(self, resource: Resource) -> list[Resource]:
        prefix = resource.key + "/"
        return [
            other
            for other in self.of_subscription(resource.subscription_id)
            if other.key.startswith(prefix)
        ]

    def in_graph(self, subscription_id: str) -> Iterator[Resource]:
        self._catch_up()
        return iter(self._graph.get(subscription_id.lower(), {}).values())

    @property
    def graph_version(self) -> int:
        """Changes whenever the graph's view does."""
        self._catch_up()
        return self._graph_version

    def all(self) -> Iterator[Resource]:
        for resources in self._arm.values():
            yield from resources.values()

    def _ensure_group(self, resource: Resource, *, at_once: bool) -> None:
        """A world need not list its resource groups: Azure has no resource without one."""
        group = resource.resource_group
        group_id = f"/subscriptions/{resource.subscription_id}/resourceGroups/{group}"
        if not group or fold(group_id) == resource.key or self.get(group_id) is not None:
            return
        raw = encode(
            {
                "id": group_id,
                "name": group,
                "type": RESOURCE_GROUP_TYPE,
                "location": resource.location or "westeurope",
                "properties": {"provisioningState": "Succeeded"},
            }
        )
        self._store(
            resource.subscription_id,
            fold(group_id),
            read_resource(raw, self._clock()),
            at_once=at_once,
        )

    def _store(
        self, subscription: str, key: str, resource: Resource | None, *, at_once: bool
    ) -> None:
        _put(self._arm, subscription, key, resource)
        if at_once:
            _put(self._graph, subscription, key, resource)
            self._graph_version += 1
        else:
            self._late.append((self._clock(), subscription, key, resource))

    def _catch_up(self) -> None:
        due = self._clock() - self.graph_lag
        while self._late and self._late[0][0] <= due:
            _, subscription, key, resource = self._late.popleft()
            _put(self._graph, subscription, key, resource)
            self._graph_version += 1


def _put(
    view: dict[str, dict[str, Resource]], subscription: str, key: str, resource: Resource | None
) -> None:
    resources = view.setdefault(subscription, {})
    if resource is None:
        resources.pop(key, None)
    else:
        resources[key] = resource
